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
#include "docker_events.h"
#include "docker_fetch.h"
#include "docker_list.h"
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define API_NEWEST 51u                // the newest minor of API 1 whose answers we have read
#define RELIST_US  UINT64_C(60000000) // a slow reader loses events without a word

struct docker {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct docker_fetch *fetch;
    struct docker_list *list;
    struct docker_events *events;
    struct http_call *ping, *stream;
    bool cap_lifted;                  // the engine refused API_NEWEST: its own newest is used
    char prefix[DOCKER_PREFIX_BYTES]; // "/v1.41", or "" if it doesn't say its version
    uint64_t next_list_us;
};

// --- the connection ------------------------------------------------------------------------------

// Nothing is under way any more.
static void hang_up(void *userdata)
{
    struct docker *docker = userdata;

    docker->ping = http_cancel(docker->ping);
    docker->stream = http_cancel(docker->stream);
    docker_list_cancel(docker->list);
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

// --- the list ------------------------------------------------------------------------------------

static void on_list_done(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;
    bool too_much = response->error == -EMSGSIZE;

    if ((response->error && !too_much) || (!response->error && response->status != 200)) {
        fail_call(docker, "the list", response);
        return;
    }
    docker->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_US;
    connection_state(&docker->connection, CMETA_ENGINE_CONNECTED, too_much ? response->text : "");
}

static void list_now(struct docker *docker)
{
    int r = docker_list_ask(docker->list, docker->prefix);

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

static void on_event(void *userdata, const char *text, size_t len)
{
    docker_events_take(((struct docker *)userdata)->events, text, len);
}

static void on_events_done(void *userdata, const struct http_response *response)
{
    struct docker *docker = userdata;

    docker->stream = NULL;
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
    int r;

    snprintf(path, sizeof(path), "%s/events?since=%" PRId64 "&filters=%s", docker->prefix,
             docker_events_since_s(docker->events), filters);
    r = http_stream(docker->host->http, &request, on_events_open, on_event, on_events_done, docker,
                    &docker->stream);
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
        // docker.sock may well be a link to it, which podman's own row drives already.
        connection_refuse(&docker->connection,
                          "podman answers here: its sockets belong under engines.podman");
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
    docker_events_free(docker->events);
    docker_list_free(docker->list);
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
    r = docker_fetch_new(host, &docker_dialect, on_fetch_failed, docker, &docker->fetch);
    if (r >= 0)
        r = docker_list_new(host, &docker_dialect, docker->fetch, on_list_done, docker,
                            &docker->list);
    if (r >= 0)
        r = docker_events_new(host, &docker_dialect, docker->fetch, &docker->events);
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

static const char *const default_places[] = {"/var/run/docker.sock", "/run/user/*/docker.sock",
                                             NULL};

const struct engine_class docker_engine = {.name = "docker",
                                           .default_places = default_places,
                                           .precedence = 60,
                                           .type = CMETA_TYPE_DOCKER,
                                           .start = docker_start,
                                           .stop = docker_stop,
                                           .hint = docker_hint,
                                           .relist = docker_relist};
