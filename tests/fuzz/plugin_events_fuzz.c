// SPDX-License-Identifier: Apache-2.0
// Whole events, hostile: through the plugin in the strict host, parsed or not, with fields asked
// for. A breach of the contract ends the run as a fault does.
//
// The input is a sequence of events: a byte of choices, two of length, and that many bytes. They
// become an event as they are, or the data of an async event, or the JSON of an old one.
#include "tests/host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 16

#define HEX "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"

static const char *const fields[] = {
    "container.id",     "container.full_id",     "container.name",
    "container.type",   "container.privileged",  "container.mounts",
    "container.labels", "container.mount[/*]",   "container.label[app]",
    "container.ip",     "container.start_ts",    "container.duration",
    "k8s.pod.name",     "container.healthcheck", "proc.is_container_healthcheck",
    "k8s.pod.labels",   "k8s.pod.sandbox_id"};

static const uint16_t types[] = {FALCO_EVENT_ASYNC,          FALCO_EVENT_CONTAINER,
                                 FALCO_EVENT_CONTAINER_JSON, FALCO_EVENT_CONTAINER_JSON_2,
                                 FALCO_EVENT_CLONE_EXIT,     FALCO_EVENT_CLONE3_EXIT,
                                 FALCO_EVENT_EXECVE_EXIT,    FALCO_EVENT_EXECVE_15_EXIT,
                                 FALCO_EVENT_EXECVEAT_EXIT,  FALCO_EVENT_CHROOT_EXIT,
                                 FALCO_EVENT_PROCEXIT,       FALCO_EVENT_UNSHARE_EXIT};
#define TYPES (sizeof(types) / sizeof(types[0]))

static struct host *host;

static void check(void)
{
    if (host_violations(host) == 0)
        return;
    fprintf(stderr, "violation: %s\n", host_violation(host, 0));
    abort();
}

// The program is the plugin: its sources are linked in.
static void load(void)
{
    host = host_new();
    if (host_load(host, "", "{\"region\":\"/nonexistent\",\"log_level\":\"error\"}")) {
        fprintf(stderr, "refused: %s\n", host_refusal(host));
        abort();
    }
}

static struct falco_event *as_it_is(const uint8_t *data, size_t size, uint16_t type)
{
    size_t len = size < sizeof(struct falco_event) ? sizeof(struct falco_event) : size;
    struct falco_event *e = calloc(1, len);

    memcpy(e, data, size);
    e->len = (uint32_t)len; // as far as memory goes; what it says inside is its own affair
    e->type = type;
    if (e->ts == 0)
        e->ts = 1000;
    return e;
}

static struct falco_event *make(uint8_t choice, const uint8_t *data, size_t size)
{
    char *text;
    struct falco_event *e;

    switch (choice & 3) {
    case 0:
        return event_async("container", data, size, 1000);
    case 1:
        return event_async("container_removed", data, size, 2000);
    case 2:
        text = strndup((const char *)data, size);
        e = event_container_json(
            choice & 4 ? FALCO_EVENT_CONTAINER_JSON : FALCO_EVENT_CONTAINER_JSON_2, text, 3000);
        free(text);
        return e;
    default:
        return as_it_is(data, size, types[(choice >> 3) % TYPES]);
    }
}

static void deliver(uint8_t choice, const uint8_t *data, size_t size)
{
    struct falco_event *e = make(choice, data, size);

    if (choice & 0x80)
        host_event_unparsed(host, e);
    else
        host_event(host, e);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        host_text(host, fields[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool open = false;

    if (!host)
        load();
    host_thread_add(host, 1, 1, "init", "cpu=/init.scope");
    host_thread_add(host, 50, 50, "sh", "cpu=/docker/" HEX);
    for (unsigned n = 0; n < EVENTS_MAX && size >= 3; n++) {
        size_t len = (size_t)(data[1] | data[2] << 8);

        if (len > size - 3)
            len = size - 3;
        if (n > 0 && !open)
            open = host_open_savefile(host) == 0; // the first one is initial state
        deliver(data[0], data + 3, len);
        data += 3 + len;
        size -= 3 + len;
    }
    host_text_of(host, 50, "container.name");
    if (!open)
        host_open_savefile(host);
    host_close(host);
    check();
    return 0;
}
