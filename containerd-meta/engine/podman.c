// SPDX-License-Identifier: Apache-2.0
// The podman engine: Docker's way (events first, then the list, then each container), by podman's
// native API, with two differences.
//
// Its service is started by systemd for whoever connects and ends when nobody is connected. It is
// kept by our event stream while there are containers. Without any it is left alone: the stream is
// given up, the folder in which new containers leave a sign is watched, and no further call is made
// until there is one. A try that fails has its price too: tries become rare.
//
// Its list waits for the locks of containers that are just being started: a list that isn't
// answered in time is asked for again and ends nothing.
//
// Source: libpod API 3.1 to 5.8.
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/http.h"
#include "docker_events.h"
#include "docker_fetch.h"
#include "docker_list.h"
#include "engine.h"
#include "podman_recall.h"
#include "podman_rest.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELIST_US   UINT64_C(60000000)
#define PATIENCE_US UINT64_C(60000000)
#define EMPTY_MAX   2u // rounds of upkeep without a container, before it rests

struct podman {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct docker_fetch *fetch;
    struct docker_list *list;
    struct docker_events *events;
    struct podman_recall *recall;
    struct http_call *ping, *stream, *info;
    struct socket_watch *signs; // of new containers; NULL until it is known where
    bool own_version;           // the engine refused API 4: its own is used
    bool is_deaf;               // it keeps no events
    bool cannot_rest;           // it doesn't say where its containers leave a sign
    bool leaving;               // the last list before it rests is under way
    bool resting;
    unsigned empty_rounds;
    char prefix[DOCKER_PREFIX_BYTES]; // "/v4.0.0/libpod"
    uint64_t next_list_us;
};

// --- the connection ------------------------------------------------------------------------------

// Nothing is under way any more.
static void hang_up(void *userdata)
{
    struct podman *podman = userdata;

    podman->ping = http_cancel(podman->ping);
    podman->stream = http_cancel(podman->stream);
    podman->info = http_cancel(podman->info);
    docker_list_cancel(podman->list);
    podman_recall_cancel(podman->recall);
    docker_fetch_close(podman->fetch);
    podman->leaving = podman->resting = false;
    podman->empty_rounds = 0;
}

static void forget_findings(void *userdata)
{
    struct podman *podman = userdata;

    podman->own_version = podman->is_deaf = podman->cannot_rest = false;
    if (podman->signs)
        podman->signs = socket_watch_remove(podman->signs);
}

static void fail(struct podman *podman, const char *text)
{
    connection_fail(&podman->connection, text);
}

static void fail_call(struct podman *podman, const char *what, const struct http_response *response)
{
    char text[320];

    if (!response->error && response->status == 400 && !podman->own_version) {
        podman->own_version = true;
        connection_restart(&podman->connection);
        return;
    }
    if (response->error)
        snprintf(text, sizeof(text), "%s", response->text);
    else
        snprintf(text, sizeof(text), "%s was answered with status %ld: %.160s", what,
                 response->status, response->body);
    fail(podman, text);
}

// --- rest ----------------------------------------------------------------------------------------

static void on_sign(void *userdata, bool present, uint64_t inode)
{
    struct podman *podman = userdata;

    (void)present;
    (void)inode;
    if (!podman->resting)
        return;
    log_message(LOG_DEBUG, podman->host->name, podman->host->socket,
                "a container left a sign: connecting again");
    connection_restart(&podman->connection);
}

static void rest(struct podman *podman)
{
    connection_rest(&podman->connection);
    podman->resting = true;
    log_message(LOG_DEBUG, podman->host->name, podman->host->socket,
                "no containers: its service may end, new ones leave a sign");
}

static void list_now(struct podman *podman);

// The watch is in place: whoever comes after this list leaves a sign that is seen.
static void take_leave(struct podman *podman)
{
    podman->leaving = true;
    list_now(podman);
}

static void on_info(void *userdata, const struct http_response *response)
{
    struct podman *podman = userdata;
    char folder[PATH_MAX];
    json_auto_t *info = NULL;

    podman->info = NULL;
    if (response->error || response->status != 200) {
        connection_note(&podman->connection,
                        response->error ? response->text : "it doesn't tell where its state is");
        podman->empty_rounds = 0;
        return;
    }
    info = json_parse(response->body, response->body_len);
    if (!podman_run_folder(podman->host, info, folder, sizeof(folder)) ||
        socket_watch_add_entries(podman->host->sockets, folder, on_sign, podman, &podman->signs) <
            0) {
        podman->cannot_rest = true;
        return;
    }
    take_leave(podman);
}

static void ask_info(struct podman *podman)
{
    char path[DOCKER_PREFIX_BYTES + 8];
    struct http_request request = {
        .socket = podman->host->socket, .path = path, .timeout_ms = podman->host->timeout_ms};

    snprintf(path, sizeof(path), "%s/info", podman->prefix);
    http_get(podman->host->http, &request, on_info, podman, &podman->info);
}

static void consider_rest(struct podman *podman)
{
    if (!docker_fetch_is_empty(podman->fetch)) {
        podman->empty_rounds = 0;
        return;
    }
    if (podman->cannot_rest || podman->info || docker_list_is_under_way(podman->list) ||
        ++podman->empty_rounds < EMPTY_MAX)
        return;
    if (podman->signs)
        take_leave(podman);
    else
        ask_info(podman);
}

// --- the list ------------------------------------------------------------------------------------

// Some container's lock is held, or one is just going.
static bool is_passing(const struct http_response *response)
{
    return response->error == -ETIMEDOUT || (!response->error && response->status >= 500);
}

static void on_list_done(void *userdata, const struct http_response *response)
{
    struct podman *podman = userdata;
    bool too_much = response->error == -EMSGSIZE, leaving = podman->leaving;

    podman->leaving = false;
    if (is_passing(response)) {
        connection_note(&podman->connection, response->error
                                                 ? response->text
                                                 : "the list was refused; it is asked for again");
        podman->next_list_us = 0; // at the next round of upkeep
        return;
    }
    if ((response->error && !too_much) || (!response->error && response->status != 200)) {
        fail_call(podman, "the list", response);
        return;
    }
    podman->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_US;
    connection_state(&podman->connection, CMETA_ENGINE_CONNECTED,
                     too_much          ? response->text
                     : podman->is_deaf ? "podman keeps no events (events_logger is none): "
                                         "changes are found by listing, once a minute"
                                       : "");
    if (leaving && docker_fetch_is_empty(podman->fetch))
        rest(podman);
}

static void list_now(struct podman *podman)
{
    int r = docker_list_ask(podman->list, podman->prefix);

    if (r < 0)
        fail(podman, strerror(-r));
}

static void begin_list(struct podman *podman)
{
    connection_state(&podman->connection, CMETA_ENGINE_LISTING, NULL);
    docker_fetch_open(podman->fetch, podman->prefix);
    list_now(podman);
}

// --- the event stream ----------------------------------------------------------------------------

static void on_events_open(void *userdata)
{
    struct podman *podman = userdata;

    podman->sink->count(podman->sink, 0, 0, 1, 0);
    begin_list(podman);
}

static void on_event(void *userdata, const char *text, size_t len)
{
    docker_events_take(((struct podman *)userdata)->events, text, len);
}

static void on_events_done(void *userdata, const struct http_response *response)
{
    struct podman *podman = userdata;

    podman->stream = NULL;
    podman->sink->count(podman->sink, 0, 0, 0, (uint32_t)response->skipped);
    if (!response->error && response->status == 500 &&
        strstr(response->body, "cannot read events")) {
        podman->is_deaf = true;
        begin_list(podman);
    } else if (response->error == 0 && response->status == 200) {
        fail(podman, "the event stream ended: the service was stopped or restarted");
    } else {
        fail_call(podman, "the event stream", response);
    }
}

static void subscribe(struct podman *podman)
{
    // %7B…: {"type":["container","network"],"event":[…]}
    static const char filters[] =
        "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C%22event%22%3A%5B"
        "%22create%22%2C%22init%22%2C%22start%22%2C%22died%22%2C%22remove%22%2C%22rename%22%2C"
        "%22update%22%2C%22pause%22%2C%22unpause%22%2C%22health_status%22%2C%22connect%22%2C"
        "%22disconnect%22%5D%7D";
    char path[512];
    struct http_request request = {
        .socket = podman->host->socket, .path = path, .timeout_ms = podman->host->timeout_ms};
    int r;

    snprintf(path, sizeof(path), "%s/events?stream=true&since=%" PRId64 "&filters=%s",
             podman->prefix, docker_events_since_s(podman->events), filters);
    r = http_stream(podman->host->http, &request, on_events_open, on_event, on_events_done, podman,
                    &podman->stream);
    if (r < 0)
        fail(podman, strerror(-r));
}

// --- the ping ------------------------------------------------------------------------------------

// API 4 is what every podman since 4.0 answers; an older one is asked by its own.
static bool set_version(struct podman *podman, const struct http_response *response)
{
    unsigned major, minor, patch;

    snprintf(podman->connection.version, sizeof(podman->connection.version), "%s",
             response->server);
    if (sscanf(response->libpod_version, "%3u.%3u.%3u", &major, &minor, &patch) != 3)
        return false;
    if (major >= 4 && !podman->own_version)
        snprintf(podman->prefix, sizeof(podman->prefix), "/v4.0.0/libpod");
    else
        snprintf(podman->prefix, sizeof(podman->prefix), "/v%u.%u.%u/libpod", major, minor, patch);
    return true;
}

static void on_first_ping(void *userdata, const struct http_response *response)
{
    struct podman *podman = userdata;

    podman->ping = NULL;
    if (response->error || response->status != 200) {
        fail_call(podman, "the ping", response);
    } else if (!*response->libpod_version) {
        connection_refuse(&podman->connection, "podman doesn't answer here, but something else: "
                                               "Docker's sockets belong under engines.docker");
    } else if (!set_version(podman, response)) {
        connection_refuse(&podman->connection, "its version makes no sense");
    } else {
        subscribe(podman);
    }
}

static int ping(struct podman *podman,
                void (*done)(void *userdata, const struct http_response *response))
{
    struct http_request request = {
        .socket = podman->host->socket, .path = "/_ping", .timeout_ms = podman->host->timeout_ms};

    return http_get(podman->host->http, &request, done, podman, &podman->ping);
}

static void connect_now(void *userdata)
{
    struct podman *podman = userdata;
    int r = ping(podman, on_first_ping);

    if (r < 0)
        fail(podman, strerror(-r));
}

static void on_later_ping(void *userdata, const struct http_response *response)
{
    struct podman *podman = userdata;

    podman->ping = NULL;
    if (response->error)
        fail(podman, response->text);
}

static void upkeep(void *userdata)
{
    struct podman *podman = userdata;
    enum cmeta_engine_state state = podman->connection.state;

    if (state != CMETA_ENGINE_CONNECTED && state != CMETA_ENGINE_LISTING)
        return;
    if (!podman->ping && podman->stream) // that nobody is there any more only a question can tell
        ping(podman, on_later_ping);
    if (clock_us(CLOCK_MONOTONIC) >= podman->next_list_us)
        list_now(podman);
    consider_rest(podman);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .fresh = forget_findings, .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void on_fetch_failed(void *userdata, const char *text)
{
    struct podman *podman = userdata;

    connection_note(&podman->connection, text);
}

static void podman_stop(void *instance)
{
    struct podman *podman = instance;

    connection_close(&podman->connection);
    if (podman->signs)
        socket_watch_remove(podman->signs);
    docker_events_free(podman->events);
    docker_list_free(podman->list);
    podman_recall_free(podman->recall);
    docker_fetch_free(podman->fetch);
    free(podman);
}

static int podman_start(const struct engine_host *host, void **instance)
{
    struct podman *podman = calloc(1, sizeof(*podman));
    int r;

    if (!podman)
        return -ENOMEM;
    podman->host = host;
    podman->sink = host->sink;
    podman->connection.patience_us = PATIENCE_US;
    podman->recall = podman_recall_new(host);
    r = !podman->recall
            ? -ENOMEM
            : docker_fetch_new(host, &podman_dialect, on_fetch_failed, podman, &podman->fetch);
    if (r >= 0)
        r = docker_list_new(host, &podman_dialect, podman->fetch, on_list_done, podman,
                            &podman->list);
    if (r >= 0)
        r = docker_events_new(host, &podman_dialect, podman->fetch, &podman->events);
    if (r >= 0)
        r = connection_open(&podman->connection, host, &connection_calls, podman);
    if (r < 0) {
        podman_stop(podman);
        return r;
    }
    *instance = podman;
    return 0;
}

// Asking would start the service; while it rests, a container of its own leaves a sign anyway.
static void podman_hint(void *instance, const char *id, size_t id_len)
{
    struct podman *podman = instance;
    char text[65];

    if (podman->connection.state != CMETA_ENGINE_CONNECTED || podman->resting ||
        id_len >= sizeof(text))
        return;
    memcpy(text, id, id_len);
    text[id_len] = '\0';
    if (!podman->is_deaf)
        podman_recall_ask(podman->recall, podman->prefix, text);
    docker_fetch_inspect(podman->fetch, text);
}

static void podman_relist(void *instance)
{
    struct podman *podman = instance;

    if (podman->connection.state == CMETA_ENGINE_CONNECTED && !podman->resting)
        list_now(podman);
}

static const char *const default_places[] = {"/run/podman/podman.sock",
                                             "/run/user/*/podman/podman.sock", NULL};

const struct engine_class podman_engine = {.name = "podman",
                                           .default_places = default_places,
                                           .precedence = 60,
                                           .type = CMETA_TYPE_PODMAN,
                                           .start = podman_start,
                                           .stop = podman_stop,
                                           .hint = podman_hint,
                                           .relist = podman_relist};
