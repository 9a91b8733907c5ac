// SPDX-License-Identifier: Apache-2.0
#include "docker_events.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "docker_inspect.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SINCE_S 2 // the subscription is registered after its headers are sent
#define AGAIN_SINCE_S 5
#define SEEN_EVENTS   1024u // Docker replays 256 at most

struct docker_events {
    const struct engine_host *host;
    const struct docker_dialect *dialect;
    struct docker_fetch *fetch;
    struct engine_sink *sink;
    int64_t last_event_s;       // the newest event's time
    uint64_t seen[SEEN_EVENTS]; // hashes of the last events: replays overlap
    unsigned seen_next;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

// Whether this very event came before: a replay overlaps with what was heard already.
static bool seen_before(struct docker_events *events, const json_t *event, const char *action,
                        const char *id)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), action);
    int64_t nanoseconds = json_whole(event, "timeNano");

    if (nanoseconds == 0)
        return false;
    hash = hash_text(hash, id) ^ (uint64_t)nanoseconds * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < SEEN_EVENTS; i++)
        if (events->seen[i] == hash)
            return true;
    events->seen[events->seen_next++ % SEEN_EVENTS] = hash;
    return false;
}

struct event {
    struct docker_events *events;
    const char *id;
    size_t id_len;
    const char *scope;
    const char *detail; // behind ": " in the action
    const json_t *attributes;
    int64_t time_ns;
    engine_stamp heard;
};

static void tell_status(const struct event *event, uint32_t word, uint32_t mask, int64_t pid,
                        int64_t finished_ns)
{
    struct engine_sink *sink = event->events->sink;

    sink->status(sink, event->heard, event->id, event->id_len, event->scope, word, mask, pid,
                 finished_ns);
    if (mask & 0xffu)
        docker_fetch_state(event->events->fetch, event->id, word & 0xffu);
}

static void on_create(const struct event *event)
{
    struct docker_events *events = event->events;
    CLEANUP(container_freep)
    struct container *container = docker_container_from_event(
        event->id, event->attributes, event->time_ns, events->dialect, &events->host->limits);

    if (container)
        events->sink->observe(events->sink, event->heard, container);
    docker_fetch_inspect(events->fetch, event->id);
    docker_fetch_list_one(events->fetch, event->id);
}

static void on_start(const struct event *event)
{
    struct engine_sink *sink = event->events->sink;

    if (sink->knows(sink, event->id, event->id_len, event->scope))
        tell_status(event, CMETA_STATE_RUNNING, 0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT, -1, 0);
    docker_fetch_inspect(event->events->fetch, event->id);
    docker_fetch_later(event->events->fetch, event->id);
}

static void on_die(const struct event *event)
{
    const char *code = json_text(event->attributes, "exitCode");
    uint32_t word = CMETA_STATE_EXITED;

    if (!code)
        code = json_text(event->attributes, "containerExitCode"); // podman
    if (code)
        word |= ((uint32_t)strtoul(code, NULL, 10) & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    tell_status(event, word, 0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT, 0, event->time_ns);
}

static void on_destroy(const struct event *event)
{
    struct engine_sink *sink = event->events->sink;

    docker_fetch_forget(event->events->fetch, event->id);
    sink->gone(sink, event->heard, event->id, event->id_len, event->scope);
}

static void on_rename(const struct event *event)
{
    struct engine_sink *sink = event->events->sink;
    const char *name = json_text(event->attributes, "name");

    if (name)
        sink->renamed(sink, event->heard, event->id, event->id_len, event->scope,
                      *name == '/' ? name + 1 : name);
    docker_fetch_inspect(event->events->fetch, event->id);
}

static void on_update(const struct event *event)
{
    docker_fetch_inspect(event->events->fetch, event->id);
}

static void on_pause(const struct event *event)
{
    tell_status(event, CMETA_STATE_PAUSED, 0xffu, -1, -1);
}

static void on_unpause(const struct event *event)
{
    tell_status(event, CMETA_STATE_RUNNING, 0xffu, -1, -1);
}

static void on_health(const struct event *event)
{
    if (event->detail && *event->detail && !event->events->dialect->health_event_lags)
        tell_status(event, docker_health_word(event->detail), 0xffu << 8, -1, -1);
    else {
        docker_fetch_inspect(event->events->fetch, event->id);
        docker_fetch_later(event->events->fetch, event->id);
    }
}

static const struct {
    const char *action;
    void (*handle)(const struct event *event);
} container_events[] = {
    {"create", on_create},
    {"start", on_start},
    {"die", on_die},
    {"destroy", on_destroy},
    {"rename", on_rename},
    {"update", on_update},
    {"pause", on_pause},
    {"unpause", on_unpause},
    {"health_status", on_health},
    // podman's; after init the process exists and has its addresses, and runs nothing yet
    {"init", on_update},
    {"died", on_die},
    {"remove", on_destroy},
};

static void on_container_event(struct event *event, const char *action)
{
    size_t len = strcspn(action, ":");

    event->detail = action[len] ? action + len + 1 + (action[len + 1] == ' ') : "";
    for (size_t i = 0; i < sizeof(container_events) / sizeof(container_events[0]); i++)
        if (strlen(container_events[i].action) == len &&
            memcmp(container_events[i].action, action, len) == 0)
            container_events[i].handle(event);
}

// A network was connected or disconnected: the container has other addresses. During a start the
// start event follows and asks anyway.
static void on_network_event(struct docker_events *events, const json_t *attributes,
                             const char *actor)
{
    const char *id = json_text(attributes, "container");

    if (!id)
        id = actor; // podman
    if (events->sink->knows(events->sink, id, strlen(id), docker_scope(id, events->dialect->type)))
        docker_fetch_inspect(events->fetch, id);
}

static void on_event_json(struct docker_events *events, const json_t *json)
{
    const char *type = json_text(json, "Type"), *action = json_text(json, "Action");
    const json_t *actor = json_object_get(json, "Actor"),
                 *attributes = json_object_get(actor, "Attributes");
    const char *id = json_text(actor, "ID");
    struct event event = {.events = events, .id = id, .attributes = attributes};

    if (!type || !action || !id || !*id || seen_before(events, json, action, id))
        return;
    if (json_whole(json, "time") > events->last_event_s)
        events->last_event_s = json_whole(json, "time");
    if (strcmp(type, "network") == 0) {
        on_network_event(events, attributes, id);
        return;
    }
    event.id_len = strlen(id);
    if (strcmp(type, "container") != 0 ||
        (events->dialect->ids_are_hex64 && !cmeta_id_is_hex64(id, event.id_len)))
        return;
    event.scope = docker_scope(id, events->dialect->type);
    event.time_ns = json_whole(json, "timeNano");
    event.heard = events->sink->stamp(events->sink);
    on_container_event(&event, action);
}

void docker_events_take(struct docker_events *events, const char *text, size_t len)
{
    json_auto_t *json = json_parse(text, len);

    events->sink->count(events->sink, json_is_object(json), 0, 0, !json_is_object(json));
    on_event_json(events, json);
}

int64_t docker_events_since_s(const struct docker_events *events)
{
    int64_t now_s = (int64_t)(clock_us(CLOCK_REALTIME) / 1000000u);

    return events->last_event_s && events->last_event_s <= now_s
               ? events->last_event_s - AGAIN_SINCE_S
               : now_s - FIRST_SINCE_S;
}

int docker_events_new(const struct engine_host *host, const struct docker_dialect *dialect,
                      struct docker_fetch *fetch, struct docker_events **out)
{
    struct docker_events *events = calloc(1, sizeof(*events));

    if (!events)
        return -ENOMEM;
    events->host = host;
    events->sink = host->sink;
    events->dialect = dialect;
    events->fetch = fetch;
    *out = events;
    return 0;
}

struct docker_events *docker_events_free(struct docker_events *events)
{
    free(events);
    return NULL;
}
