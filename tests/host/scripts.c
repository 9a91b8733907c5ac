// SPDX-License-Identifier: Apache-2.0
#include "tests/host/scripts.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"

#define HEX64      "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"
#define DOCKER_DIR "/system.slice/docker-" HEX64 ".scope"
#define ROW(name)  name "=" DOCKER_DIR

static const char container_rows[] = ROW("cpuset") "\n" ROW("cpu") "\n" ROW("memory");
static const char container_param[] =
    ROW("cpuset") "\0" ROW("cpu") "\0" ROW("io") "\0" ROW("memory");
static const char host_rows[] = "cpuset=/\ncpu=/\nmemory=/user.slice";
static const char container_json[] =
    "{\"container\":{\"type\":0,\"id\":\"3f8a1c5be07d\",\"name\":\"web\",\"image\":\"busybox\","
    "\"full_id\":\"" HEX64 "\",\"labels\":{},\"Mounts\":[],\"privileged\":false}}";

struct run {
    const char *so, *config;
    struct report *report;
    char *why;
    size_t why_bytes;
};

static int refused(const struct run *run, struct host *h)
{
    snprintf(run->why, run->why_bytes, "%s", host_refusal(h));
    return -ECONNREFUSED;
}

// Ends a host and hands its violations on.
static void finish(const struct run *run, struct host *h)
{
    host_destroy(h);
    for (size_t i = 0; *host_violation(h, i); i++)
        report_violation(run->report, "%s", host_violation(h, i));
    host_free(h);
}

static void preload(struct host *h)
{
    host_thread_add(h, 1, 1, "init", host_rows);
    host_thread_add(h, 100, 100, "sh", container_rows);
    host_thread_add(h, 101, 100, "sh", container_rows);
    host_thread_add(h, 102, 102, "orphan", NULL);
}

// Every declared field, with an argument where it takes one.
static void extract_all(struct host *h)
{
    const struct plugin *p = host_plugin(h);
    for (size_t i = 0; i < p->n_fields; i++) {
        const struct plugin_field *f = &p->fields[i];
        const char *args[] = {f->arg_required ? "0" : NULL, "0", "/a*", "no such key"};
        for (size_t a = 0; a < 4; a++) {
            struct host_value v = {.present = false};
            if (host_extract(h, f->name, args[a], &v) == 0)
                host_value_clear(&v);
            if (!f->arg_key && !f->arg_index)
                break;
        }
    }
}

static struct event_process in_container(int64_t tid, int64_t res)
{
    return (struct event_process){.res = res,
                                  .tid = tid,
                                  .pid = tid,
                                  .ptid = 100,
                                  .comm = "ls",
                                  .exe = "/bin/ls",
                                  .args = "-l\0/tmp",
                                  .args_len = sizeof("-l\0/tmp"),
                                  .cgroups = container_param,
                                  .cgroups_len = sizeof(container_param)};
}

static void family(struct host *h, int64_t tid)
{
    struct event_process child = in_container(tid, 0), parent = in_container(100, tid);
    host_event(h, event_clone(FALCO_EVENT_CLONE_EXIT, 100, 0, &parent));
    extract_all(h);
    host_event(h, event_clone(FALCO_EVENT_CLONE3_EXIT, (uint64_t)tid, 0, &child));
    extract_all(h);
    host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 0, &child));
    extract_all(h);
    host_event(h, event_exec(FALCO_EVENT_EXECVEAT_EXIT, (uint64_t)tid, 0, &child));
    host_event(h, event_chroot((uint64_t)tid, 0, 0, "/root"));
    child.res = -2;
    host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 0, &child));
    host_event(h, event_procexit((uint64_t)tid, 0));
    extract_all(h);
    host_event(h, event_any((uint64_t)tid, 0)); // the thread is gone by now
    extract_all(h);
    host_event(h, event_any(FALCO_TID_NONE, 0));
    extract_all(h);
    host_event(h, event_async("not_ours", "x", 2, FALCO_TS_NOW));
    extract_all(h);
}

// An event cut at every length, with every parameter count, and with wrong lengths.
static void damage(struct host *h, struct falco_event *e)
{
    for (uint32_t len = sizeof(struct falco_event); len < e->len; len++) {
        host_event(h, event_truncated(e, len, false));
        host_event(h, event_truncated(e, len, true));
    }
    extract_all(h);
    for (uint32_t n = 0; n < e->nparams + 4; n++)
        host_event(h, event_with_nparams(e, n));
    host_event(h, event_with_nparams(e, UINT32_MAX));
    for (uint32_t i = 0; i < e->nparams; i++) {
        host_event(h, event_with_length(e, i, 0));
        host_event(h, event_with_length(e, i, UINT16_MAX));
        host_event(h, event_with_length(e, i, UINT32_MAX));
    }
    extract_all(h);
    free(e);
}

static void damage_all(struct host *h)
{
    struct event_process p = in_container(300, 0);
    damage(h, event_clone(FALCO_EVENT_CLONE_EXIT, 300, 0, &p));
    damage(h, event_exec(FALCO_EVENT_EXECVE_EXIT, 300, 0, &p));
    damage(h, event_async("container", container_json, sizeof(container_json), 0));
    damage(h, event_container_json(FALCO_EVENT_CONTAINER_JSON_2, container_json, 0));
}

static struct host *loaded(const struct run *run, const char *config, int *rc)
{
    struct host *h = host_new();
    *rc = host_load(h, run->so, config) ? refused(run, h) : 0;
    return h;
}

// --- the scripts ---------------------------------------------------------------------------------

static int live_on(const struct run *run, unsigned api_minor)
{
    struct host *h = host_new();
    host_set_api(h, api_minor);
    int rc = host_load(h, run->so, run->config) ? refused(run, h) : 0;
    if (rc == 0) {
        host_probe_start(h);
        preload(h);
        rc = host_open_live(h) ? refused(run, h) : 0;
    }
    if (rc == 0) {
        host_pump(h);
        family(h, 200);
        damage_all(h);
        host_pump(h);
        struct plugin_table *t = tables_registered(host_instance(h)->tables, "containers");
        if (t)
            plugin_table_walk(t, NULL, NULL);
    }
    finish(run, h);
    return rc;
}

static int normal_live(const struct run *run)
{
    return live_on(run, HOST_API_MINOR);
}

static int oldest_host(const struct run *run)
{
    struct host *h = host_new();
    int rc = host_load_only(h, run->so) ? refused(run, h) : 0;
    unsigned minor = rc == 0 ? host_plugin(h)->required.minor : 0;
    finish(run, h);
    return rc ? rc : live_on(run, minor);
}

static int savefile(const struct run *run)
{
    int rc;
    struct host *h = loaded(run, run->config, &rc);
    if (rc == 0) {
        host_event(h, event_async("container", container_json, sizeof(container_json), 1000));
        host_event(h, event_container_json(FALCO_EVENT_CONTAINER_JSON_2, container_json, 1000));
        host_event(h, event_container_json(FALCO_EVENT_CONTAINER_JSON, container_json, 1000));
        extract_all(h);
        preload(h);
        rc = host_open_savefile(h) ? refused(run, h) : 0;
    }
    if (rc == 0) {
        family(h, 200);
        damage_all(h);
    }
    finish(run, h);
    return rc;
}

// The values that two hosts have for a thread must be the same.
static void compare(const struct run *run, struct host *live, struct host *replay, int64_t tid)
{
    const struct plugin *p = host_plugin(live);
    for (size_t i = 0; i < p->n_fields; i++) {
        const struct plugin_field *f = &p->fields[i];
        if (f->arg_required)
            continue;
        host_event(live, event_any((uint64_t)tid, 5000));
        host_event(replay, event_any((uint64_t)tid, 5000));
        const char *text = host_text(live, f->name);
        char *expected = text ? host_strdup(text) : NULL;
        text = host_text(replay, f->name);
        if (!text != !expected || (text && strcmp(text, expected) != 0))
            report_violation(run->report, "%s is %s on replay, and was %s", f->name,
                             text ? text : "NULL", expected ? expected : "NULL");
        free(expected);
    }
}

static int dump(const struct run *run)
{
    int rc, rc2;
    struct host *live = loaded(run, run->config, &rc), *replay = loaded(run, run->config, &rc2);
    if (rc == 0 && rc2 == 0) {
        preload(live);
        rc = host_open_live(live) ? refused(run, live) : 0;
    }
    if (rc == 0 && rc2 == 0) {
        host_pump(live);
        if (host_dump(live, replay) < 0)
            report_violation(run->report, "dump_state: %s", host_refusal(live));
        preload(replay);
        rc2 = host_open_savefile(replay) ? refused(run, replay) : 0;
    }
    for (int64_t tid = 100; tid < 103 && rc == 0 && rc2 == 0; tid++)
        compare(run, live, replay, tid);
    finish(run, live);
    finish(run, replay);
    return rc ? rc : rc2;
}

static int failed_open(const struct run *run)
{
    int rc;
    struct host *h = loaded(run, run->config, &rc);
    if (rc == 0) {
        instance_set_handler(host_instance(h), false);
        instance_capture_close(host_instance(h));
    }
    finish(run, h);
    return rc;
}

static int listener_refused(const struct run *run)
{
    int rc;
    struct host *h = loaded(run, run->config, &rc);
    if (rc == 0) {
        struct instance *in = host_instance(h);
        preload(h);
        instance_set_handler(in, true);
        instance_capture_open(in);
        // Another plugin's listener refused: closed at once, and closed again.
        for (int i = 0; i < 2; i++) {
            instance_set_handler(in, false);
            instance_capture_close(in);
        }
    }
    finish(run, h);
    return rc;
}

struct dry_run {
    const struct run *run;
    _Atomic bool done; // set by the thread, read by the one that delivers events
};

static void *dry_run(void *arg)
{
    struct dry_run *d = arg;
    for (int i = 0; i < 20; i++) {
        int rc;
        struct host *h = loaded(d->run, d->run->config, &rc);
        finish(d->run, h);
    }
    atomic_store(&d->done, true);
    return NULL;
}

static int two_instances(const struct run *run)
{
    int rc, rc2;
    struct host *a = loaded(run, run->config, &rc), *b = loaded(run, run->config, &rc2);
    struct dry_run dry = {.run = run};
    pthread_t thread;
    if (rc == 0 && rc2 == 0) {
        preload(a);
        preload(b);
        if (host_open_live(a) || host_open_live(b))
            rc = refused(run, *host_refusal(a) ? a : b);
    }
    if (rc == 0 && rc2 == 0 && pthread_create(&thread, NULL, dry_run, &dry) == 0) {
        int64_t tid = 200;
        do {
            family(a, tid);
            family(b, tid + 1);
            host_pump(a);
            host_pump(b);
            tid += 2;
        } while (!atomic_load(&dry.done));
        pthread_join(thread, NULL);
    }
    finish(run, a);
    finish(run, b);
    return rc ? rc : rc2;
}

static int reopen(const struct run *run)
{
    int rc;
    struct host *h = loaded(run, run->config, &rc);
    for (int i = 0; i < 2 && rc == 0; i++) {
        preload(h);
        rc = host_open_live(h) ? refused(run, h) : 0;
        if (rc == 0) {
            family(h, 200);
            host_pump(h);
        }
        host_close(h);
    }
    finish(run, h);
    return rc;
}

static int config(const struct run *run)
{
    // The first three must be taken; of the others only that nothing breaks is asked.
    static const char *const texts[] = {"",
                                        "{}",
                                        "null",
                                        "[]",
                                        "7",
                                        "{\"engines\":null}",
                                        "{\"engines\":{\"docker\":{\"enabled\":\"yes\"}}}",
                                        "{\"label_max_len\":\"100\"}",
                                        "{\"label_max_len\":-1}",
                                        "{\"no such key\":[1,{\"a\":null}]}",
                                        "{\"hooks\":[1,2,3]}",
                                        "{",
                                        "\xff"};
    int rc = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == 0; i++) {
        struct host *h = host_new();
        if (host_load_only(h, run->so))
            rc = refused(run, h);
        else if (host_init(h, texts[i]) && i < 3)
            rc = refused(run, h);
        finish(run, h);
    }
    return rc;
}

static int load_only(const struct run *run)
{
    int rc = 0;
    for (int i = 0; i < 20 && rc == 0; i++) {
        struct host *h = host_new();
        rc = host_load_only(h, run->so) ? refused(run, h) : 0;
        finish(run, h);
    }
    return rc;
}

static const struct script scripts[] = {
    {"normal-live", "a live capture: preloaded threads, events sound and damaged, all fields"},
    {"oldest-host", "the same on a host of the very API version that the plugin requires"},
    {"savefile", "a capture file: initial state first, no handler"},
    {"dump", "a live capture's state dumped, and replayed with the same values"},
    {"failed-open", "handler(NULL) and capture_close without anything having been opened"},
    {"listener-refused", "opened, and closed at once, twice"},
    {"two-instances", "two live instances, a third made and destroyed in another thread"},
    {"reopen", "opened and closed twice on one state"},
    {"config", "configurations of all kinds, wrong ones as well"},
    {"load-only", "loaded and unloaded twenty times"},
    {NULL, NULL},
};

static int (*const functions[])(const struct run *run) = {
    normal_live,      oldest_host,   savefile, dump,   failed_open,
    listener_refused, two_instances, reopen,   config, load_only};

const struct script *scripts_all(void)
{
    return scripts;
}

int script_run(const char *name, const char *so, const char *cfg, struct report *r, char *why,
               size_t why_bytes)
{
    struct run run = {so, cfg, r, why, why_bytes};
    for (size_t i = 0; scripts[i].name; i++)
        if (strcmp(scripts[i].name, name) == 0) {
            size_t before = report_violations(r);
            int rc = functions[i](&run);
            size_t n = report_violations(r) - before;
            return n ? (int)(n < INT_MAX ? n : INT_MAX) : rc;
        }
    return -ENOENT;
}
