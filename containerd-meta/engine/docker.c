// SPDX-License-Identifier: Apache-2.0
// The Docker engine: connect, subscribe, list, reconcile.
//
// Events are subscribed first, from a moment a little ago, then the list is asked for, so that
// nothing falls between. The list says who exists; docker_fetch asks for each. A stream that ends,
// a call that fails or a ping that isn't answered means: begin again, after a while that grows
// until a whole list has been read.
//
// Source: Docker Engine API 1.24 to 1.55.
#include "connection.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/http.h"
#include "docker_fetch.h"
#include "docker_inspect.h"
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define API_NEWEST    51u // the newest minor of API 1 whose answers we have read
#define FIRST_SINCE_S 2   // the subscription is registered after its headers are sent
#define AGAIN_SINCE_S 5
#define RELIST_US     UINT64_C(60000000) // a slow reader loses events without a word
#define SEEN_EVENTS   1024u              // Docker replays 256 at most

struct docker {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct docker_fetch *fetch;
    struct http_call *ping, *events, *list;
    bool cap_lifted; // the engine refused API_NEWEST: its own newest is used
    char prefix[16]; // "/v1.41", or "" if it doesn't say its version
    engine_stamp list_asked;
    unsigned list_gaps; // elements that couldn't be read
    uint64_t next_list_us;
    int64_t last_event_s;       // the newest event's time
    uint64_t seen[SEEN_EVENTS]; // hashes of the last events: replays overlap
    unsigned seen_next;
};

// --- the connection ------------------------------------------------------------------------------

// Nothing is under way any more.
static void hang_up(void *userdata)
{
    struct docker *docker = userdata;

    docker->ping = http_cancel(docker->ping);
    docker->events = http_cancel(docker->events);
    docker->list = http_cancel(docker->list);
    docker_fetch_close(docker->fetch);
}

static void forget_refusals(void *userdata)
{
    struct docker *docker = userdata;

    docker->cap_lifted = false;
}

static void fail(struct docker *docker, const char *text)
{
    connection_fail(&docker->connection, text);
}

// A status that says: not this version. Use the engine's own newest, once.
static bool lift_cap(struct docker *docker, long status)
{
    if (status != 400 || docker->cap_lifted)
        return false;
    docker->cap_lifted = true;
    return true;
}

static void fail_call(struct docker *docker, const char *what, const struct http_response *response)
{
    char text[320];

    if (response->error)
        snprintf(text, sizeof(text), "%s", response->text);
    else if (lift_cap(docker, response->status)) {
        connection_restart(&docker->connection);
        return;
    } else
        snprintf(text, sizeof(text), "%s was answered with status %ld: %.160s", what,
                 response->status, response->body);
    fail(docker, text);
}

// --- what is heard: events -----------------------------------------------------------------------

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

// Whether this very event came before: a replay overlaps with what was heard already.
static bool seen_before(struct docker *docker, const json_t *event, const char *action,
                        const char *id)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), action);
    int64_t nanoseconds = json_whole(event, "timeNano");

    if (nanoseconds == 0)
        return false;
    hash = hash_text(hash, id) ^ (uint64_t)nanoseconds * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < SEEN_EVENTS; i++)
        if (docker->seen[i] == hash)
            return true;
    docker->seen[docker->seen_next++ % SEEN_EVENTS] = hash;
    return false;
}

struct event {
    struct docker *docker;
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
    struct engine_sink *sink = event->docker->sink;

    sink->status(sink, event->heard, event->id, event->id_len, event->scope, word, mask, pid,
                 finished_ns);
    if (mask & 0xffu)
        docker_fetch_state(event->docker->fetch, event->id, word & 0xffu);
}

static void on_create(const struct event *event)
{
    struct docker *docker = event->docker;
    CLEANUP(container_freep)
    struct container *container = docker_container_from_event(
        event->id, event->attributes, event->time_ns, CMETA_TYPE_DOCKER, &docker->host->limits);

    if (container)
        docker->sink->observe(docker->sink, event->heard, container);
    docker_fetch_inspect(docker->fetch, event->id);
    docker_fetch_list_one(docker->fetch, event->id);
}

static void on_start(const struct event *event)
{
    struct engine_sink *sink = event->docker->sink;

    if (sink->knows(sink, event->id, event->id_len, event->scope))
        tell_status(event, CMETA_STATE_RUNNING, 0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT, -1, 0);
    docker_fetch_inspect(event->docker->fetch, event->id);
}

static void on_die(const struct event *event)
{
    const char *code = json_text(event->attributes, "exitCode");
    uint32_t word = CMETA_STATE_EXITED;

    if (code)
        word |= ((uint32_t)strtoul(code, NULL, 10) & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    tell_status(event, word, 0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT, 0, event->time_ns);
}

static void on_destroy(const struct event *event)
{
    struct engine_sink *sink = event->docker->sink;

    docker_fetch_forget(event->docker->fetch, event->id);
    sink->gone(sink, event->heard, event->id, event->id_len, event->scope);
}

static void on_rename(const struct event *event)
{
    struct engine_sink *sink = event->docker->sink;
    const char *name = json_text(event->attributes, "name");

    if (name)
        sink->renamed(sink, event->heard, event->id, event->id_len, event->scope,
                      *name == '/' ? name + 1 : name);
    docker_fetch_inspect(event->docker->fetch, event->id);
}

static void on_update(const struct event *event)
{
    docker_fetch_inspect(event->docker->fetch, event->id);
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
    tell_status(event, docker_health_word(event->detail), 0xffu << 8, -1, -1);
}

static const struct {
    const char *action;
    void (*handle)(const struct event *event);
} container_events[] = {
    {"create", on_create},   {"start", on_start},     {"die", on_die},
    {"destroy", on_destroy}, {"rename", on_rename},   {"update", on_update},
    {"pause", on_pause},     {"unpause", on_unpause}, {"health_status", on_health},
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
static void on_network_event(struct docker *docker, const json_t *attributes)
{
    const char *id = json_text(attributes, "container");

    if (id &&
        docker->sink->knows(docker->sink, id, strlen(id), docker_scope(id, CMETA_TYPE_DOCKER)))
        docker_fetch_inspect(docker->fetch, id);
}

static void on_event_json(struct docker *docker, const json_t *json)
{
    const char *type = json_text(json, "Type"), *action = json_text(json, "Action");
    const json_t *actor = json_object_get(json, "Actor"),
                 *attributes = json_object_get(actor, "Attributes");
    const char *id = json_text(actor, "ID");
    struct event event = {.docker = docker, .id = id, .attributes = attributes};

    if (!type || !action || !id || !*id || seen_before(docker, json, action, id))
        return;
    if (json_whole(json, "time") > docker->last_event_s)
        docker->last_event_s = json_whole(json, "time");
    if (strcmp(type, "network") == 0) {
        on_network_event(docker, attributes);
        return;
    }
    if (strcmp(type, "container") != 0)
        return;
    event.id_len = strlen(id);
    event.scope = docker_scope(id, CMETA_TYPE_DOCKER);
    event.time_ns = json_whole(json, "timeNano");
    event.heard = docker->sink->stamp(docker->sink);
    on_container_event(&event, action);
}

static void on_event(void *userdata, const char *text, size_t len)
{
    struct docker *docker = userdata;
    json_auto_t *json = json_parse(text, len);

    docker->sink->count(docker->sink, json_is_object(json), 0, 0, !json_is_object(json));
    on_event_json(docker, json);
}

// --- the list ------------------------------------------------------------------------------------

static void on_listed(void *userdata, const char *text, size_t len)
{
    struct docker *docker = userdata;
    struct engine_sink *sink = docker->sink;
    json_auto_t *json = json_parse(text, len);
    CLEANUP(container_freep)
    struct container *container =
        docker_container_from_list(json, CMETA_TYPE_DOCKER, &docker->host->limits);
    uint32_t state = docker_status_word(json_text(json, "State"));

    if (!container) {
        sink->count(sink, 0, 0, 0, 1);
        docker->list_gaps++;
        return;
    }
    if (!sink->knows(sink, container->id.data, container->id.len, container->scope.data)) {
        container->has_status = state != CMETA_STATE_UNKNOWN;
        container->status = state;
    }
    sink->observe(sink, docker->list_asked, container);
    if (container->id.len)
        docker_fetch_listed(docker->fetch, container->id.data, state);
}

static void on_list_done(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;
    bool too_much = response->error == -EMSGSIZE;
    const char *error = "";

    docker->list = NULL;
    if ((response->error && !too_much) || (!response->error && response->status != 200)) {
        fail_call(docker, "the list", response);
        return;
    }
    // An element that was left out isn't gone; only a list without gaps may bury anybody.
    docker->sink->count(docker->sink, 0, too_much, 0, (uint32_t)response->skipped);
    if (too_much)
        error = response->text;
    else if (response->skipped == 0 && docker->list_gaps == 0) {
        docker_fetch_list_end(docker->fetch);
        docker->sink->list_complete(docker->sink, docker->list_asked);
    }
    docker->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_US;
    connection_state(&docker->connection, CMETA_ENGINE_CONNECTED, error);
}

static void list_now(struct docker *docker)
{
    char path[64];
    struct http_request request = {
        .socket = docker->host->socket, .path = path, .timeout_ms = docker->host->timeout_ms};
    int r;

    if (docker->list)
        return;
    snprintf(path, sizeof(path), "%s/containers/json?all=1", docker->prefix);
    docker->list_asked = docker->sink->stamp(docker->sink);
    docker->list_gaps = 0;
    docker_fetch_list_begin(docker->fetch);
    r = http_list(docker->host->http, &request, on_listed, on_list_done, docker, &docker->list);
    if (r < 0)
        fail(docker, strerror(-r));
}

// --- the event stream ----------------------------------------------------------------------------

static void on_events_open(void *userdata)
{
    struct docker *docker = userdata;

    docker->sink->count(docker->sink, 0, 0, 1, 0);
    connection_state(&docker->connection, CMETA_ENGINE_LISTING, NULL);
    docker_fetch_open(docker->fetch, docker->prefix);
    list_now(docker);
}

static void on_events_done(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;

    docker->events = NULL;
    docker->sink->count(docker->sink, 0, 0, 0, (uint32_t)response->skipped);
    if (response->error == 0 && response->status == 200)
        fail(docker, "the event stream ended: the engine was stopped or restarted");
    else
        fail_call(docker, "the event stream", response);
}

static void subscribe(struct docker *docker)
{
    // %7B…: {"type":["container","network"],"event":[…]}
    static const char filters[] =
        "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C%22event%22%3A%5B"
        "%22create%22%2C%22start%22%2C%22die%22%2C%22destroy%22%2C%22rename%22%2C%22update%22%2C"
        "%22pause%22%2C%22unpause%22%2C%22health_status%22%2C%22connect%22%2C%22disconnect%22"
        "%5D%7D";
    char path[512];
    struct http_request request = {
        .socket = docker->host->socket, .path = path, .timeout_ms = docker->host->timeout_ms};
    int64_t now_s = (int64_t)(clock_us(CLOCK_REALTIME) / 1000000u);
    int64_t since = docker->last_event_s && docker->last_event_s <= now_s
                        ? docker->last_event_s - AGAIN_SINCE_S
                        : now_s - FIRST_SINCE_S;
    int r;

    snprintf(path, sizeof(path), "%s/events?since=%" PRId64 "&filters=%s", docker->prefix, since,
             filters);
    r = http_stream(docker->host->http, &request, on_events_open, on_event, on_events_done, docker,
                    &docker->events);
    if (r < 0)
        fail(docker, strerror(-r));
}

// --- the ping ------------------------------------------------------------------------------------

static void set_version(struct docker *docker, const struct http_response *response)
{
    unsigned minor = 0;
    char end;

    snprintf(docker->connection.version, sizeof(docker->connection.version), "%s",
             response->server);
    *docker->prefix = '\0';
    if (sscanf(response->api_version, "1.%3u%c", &minor, &end) != 1)
        return;
    if (minor > API_NEWEST && !docker->cap_lifted)
        minor = API_NEWEST;
    snprintf(docker->prefix, sizeof(docker->prefix), "/v1.%u", minor);
}

static void on_first_ping(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;

    docker->ping = NULL;
    if (response->error || response->status != 200) {
        fail_call(docker, "the ping", response);
    } else if (*response->libpod_version) {
        fail(docker, "podman answers here: name the socket under engines.podman, not docker");
    } else {
        set_version(docker, response);
        subscribe(docker);
    }
}

static int ping(struct docker *docker,
                void (*done)(void *userdata, const struct http_response *response))
{
    struct http_request request = {
        .socket = docker->host->socket, .path = "/_ping", .timeout_ms = docker->host->timeout_ms};

    return http_get(docker->host->http, &request, done, docker, &docker->ping);
}

static void connect_now(void *userdata)
{
    struct docker *docker = userdata;
    int r = ping(docker, on_first_ping);

    if (r < 0)
        fail(docker, strerror(-r));
}

// A stream may be silent for ever: whether somebody is still there only a question can tell.
static void on_later_ping(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;

    docker->ping = NULL;
    if (response->error)
        fail(docker, response->text);
}

static void upkeep(void *userdata)
{
    struct docker *docker = userdata;

    if (!docker->ping)
        ping(docker, on_later_ping);
    if (docker->connection.state == CMETA_ENGINE_CONNECTED &&
        clock_us(CLOCK_MONOTONIC) >= docker->next_list_us)
        list_now(docker);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .fresh = forget_refusals, .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void on_fetch_failed(void *userdata, const char *text)
{
    struct docker *docker = userdata;

    connection_note(&docker->connection, text);
}

static void docker_stop(void *instance)
{
    struct docker *docker = instance;

    connection_close(&docker->connection);
    docker_fetch_free(docker->fetch);
    free(docker);
}

static int docker_start(const struct engine_host *host, void **instance)
{
    struct docker *docker = calloc(1, sizeof(*docker));
    int r;

    if (!docker)
        return -ENOMEM;
    docker->host = host;
    docker->sink = host->sink;
    r = docker_fetch_new(host, CMETA_TYPE_DOCKER, on_fetch_failed, docker, &docker->fetch);
    if (r >= 0)
        r = connection_open(&docker->connection, host, &connection_calls, docker);
    if (r < 0) {
        docker_stop(docker);
        return r;
    }
    *instance = docker;
    return 0;
}

static void docker_hint(void *instance, const char *id, size_t id_len)
{
    struct docker *docker = instance;
    char text[256];

    if (id_len >= sizeof(text))
        return;
    memcpy(text, id, id_len);
    text[id_len] = '\0';
    docker_fetch_inspect(docker->fetch, text);
}

static void docker_relist(void *instance)
{
    struct docker *docker = instance;

    if (docker->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(docker);
}

static const char *const default_places[] = {"/var/run/docker.sock", NULL};

const struct engine_class docker_engine = {.name = "docker",
                                           .default_places = default_places,
                                           .precedence = 60,
                                           .type = CMETA_TYPE_DOCKER,
                                           .start = docker_start,
                                           .stop = docker_stop,
                                           .hint = docker_hint,
                                           .relist = docker_relist};
