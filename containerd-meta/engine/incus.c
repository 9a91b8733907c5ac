// SPDX-License-Identifier: Apache-2.0
// The engine for Incus and LXD: list, reconcile, and ask at once for what just came.
//
// All instances are listed every ten seconds, less often where that is much work. What was created
// in between shows in a folder beside the socket, in which the server keeps a link per container,
// named as its cgroup will be: that is watched, and each change has the one instance asked for. So
// has a cgroup that somebody saw.
//
// Their event stream is a WebSocket, which libcurl of Debian 12 doesn't speak. A library for it
// (libwebsockets) would bring a second event loop to be fitted into ours and its own idea of time,
// and could tell only one thing that matters sooner: that an instance was created. The folder tells
// that, too, some hundred milliseconds before the container's first instruction. The event of the
// start comes when the container runs. The list finds the rest: settings that change, and ends.
//
// A question about an instance that is being started, and a list that has one, is answered when it
// has started, or after five seconds: a list has a limit of its own, and whether the server lives
// is asked beside it.
//
// Source: REST API 1.0 of Incus 6 and 7, LXD 4 and 5.
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/http.h"
#include "engine.h"
#include "incus_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#define LIST_MS     60000u
#define LIST_MAX_US UINT64_C(60000000) // between two lists
#define LIST_SHARE  100u               // of the time at most one hundredth goes into lists

struct incus {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct incus_fetch *fetch;
    struct http_call *ping, *list;
    sd_event_source *folder;
    engine_stamp list_asked;
    unsigned list_gaps; // elements that couldn't be read
    bool list_again;    // asked for while a list was under way, which may have passed it by
    uint64_t list_began_us, next_list_us;
};

// --- the connection ------------------------------------------------------------------------------

static void hang_up(void *userdata)
{
    struct incus *incus = userdata;

    incus->ping = http_cancel(incus->ping);
    incus->list = http_cancel(incus->list);
    incus->list_again = false;
    incus->folder = sd_event_source_disable_unref(incus->folder);
    incus_fetch_close(incus->fetch);
}

static void fail(struct incus *incus, const char *text)
{
    connection_fail(&incus->connection, text);
}

static void fail_call(struct incus *incus, const char *what, const struct http_response *response)
{
    char text[320];

    if (response->error)
        snprintf(text, sizeof(text), "%s", response->text);
    else
        snprintf(text, sizeof(text), "%s was answered with status %ld: %.160s", what,
                 response->status, response->body);
    fail(incus, text);
}

// --- the list ------------------------------------------------------------------------------------

static void list_now(struct incus *incus);

static void on_listed(void *userdata, const char *text, size_t len)
{
    struct incus *incus = userdata;

    if (incus_fetch_listed(incus->fetch, incus->list_asked, text, len))
        return;
    incus->sink->count(incus->sink, 0, 0, 0, 1);
    incus->list_gaps++;
}

// The server looks at each instance for it, a millisecond or so.
static void set_next_list(struct incus *incus)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC), wait = (now - incus->list_began_us) * LIST_SHARE;

    incus->next_list_us = now + (wait < LIST_MAX_US ? wait : LIST_MAX_US);
}

static void on_list_done(void *userdata, const struct http_response *response)
{
    struct incus *incus = userdata;

    incus->list = NULL;
    if (response->error || response->status != 200) {
        fail_call(incus, "the list", response);
        return;
    }
    // An element that was left out isn't gone; only a list without gaps may bury anybody.
    incus->sink->count(incus->sink, 0, 0, 0, (uint32_t)response->skipped);
    if (response->skipped == 0 && incus->list_gaps == 0) {
        incus->sink->list_complete(incus->sink, incus->list_asked);
        incus_fetch_list_buried(incus->fetch);
    }
    set_next_list(incus);
    connection_state(&incus->connection, CMETA_ENGINE_CONNECTED, "");
    if (incus->list_again)
        list_now(incus);
}

static void list_now(struct incus *incus)
{
    struct http_request request = {.socket = incus->host->socket,
                                   .path = "/1.0/instances?recursion=1&all-projects=true",
                                   .timeout_ms = LIST_MS,
                                   .member = "metadata"};
    int r;

    incus->list_again = incus->list != NULL;
    if (incus->list)
        return;
    incus->list_asked = incus->sink->stamp(incus->sink);
    incus->list_gaps = 0;
    incus->list_began_us = clock_us(CLOCK_MONOTONIC);
    incus_fetch_list_begin(incus->fetch);
    r = http_list(incus->host->http, &request, on_listed, on_list_done, incus, &incus->list);
    if (r < 0)
        fail(incus, strerror(-r));
}

// --- the folder of containers --------------------------------------------------------------------

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    struct incus *incus = userdata;

    (void)source;
    if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED))
        list_now(incus);
    else if (event->len) {
        incus->sink->count(incus->sink, 1, 0, 0, 0);
        incus_fetch_ask(incus->fetch, event->name, strnlen(event->name, event->len));
    }
    return 0;
}

// Beside the socket; newer Incus has that in /run and the folder where it always was.
static void folder_of(const char *socket, char *path, size_t size)
{
    static const char apart[] = "/run/incus";
    const char *slash = strrchr(socket, '/');
    size_t len = slash ? (size_t)(slash - socket) : 0;

    if (len >= sizeof(apart) - 1 &&
        memcmp(socket + len - (sizeof(apart) - 1), apart, sizeof(apart) - 1) == 0)
        snprintf(path, size, "%.*s/var/lib/incus/containers", (int)(len - sizeof(apart) + 1),
                 socket);
    else
        snprintf(path, size, "%.*s/containers", (int)len, socket);
}

// Where there is none, or no watch is left, the list is enough.
static void watch_folder(struct incus *incus)
{
    char path[4096];
    int r;

    folder_of(incus->host->socket, path, sizeof(path));
    r = sd_event_add_inotify(incus->host->event, &incus->folder, path,
                             IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR,
                             on_folder, incus);
    if (r < 0)
        log_message(LOG_DEBUG, incus->host->name, incus->host->socket, "%s isn't watched: %s", path,
                    strerror(-r));
}

// --- who answers ---------------------------------------------------------------------------------

// Return: the server's own description, as part of the answer; NULL if this is neither.
static const json_t *environment_of(const json_t *answer)
{
    const json_t *metadata = json_object_get(answer, "metadata");
    const json_t *environment = json_object_get(metadata, "environment");

    return json_text(metadata, "api_version") && json_text(environment, "server") ? environment
                                                                                  : NULL;
}

static void begin(struct incus *incus, const json_t *environment)
{
    const char *version = json_text(environment, "server_version"),
               *member = json_text(environment, "server_name");
    bool in_cluster = json_is_true(json_object_get(environment, "server_clustered"));

    snprintf(incus->connection.version, sizeof(incus->connection.version), "%.12s %.24s",
             json_text(environment, "server"), version ? version : "");
    incus->sink->count(incus->sink, 0, 0, 1, 0);
    connection_state(&incus->connection, CMETA_ENGINE_LISTING, NULL);
    watch_folder(incus);
    incus_fetch_open(incus->fetch, in_cluster && member ? member : "");
    list_now(incus);
}

static void on_first_ping(void *userdata, const struct http_response *response)
{
    struct incus *incus = userdata;
    json_auto_t *answer = NULL;
    const json_t *environment;
    const char *auth;

    incus->ping = NULL;
    if (response->error) {
        fail_call(incus, "/1.0", response);
        return;
    }
    answer = response->status == 200 ? json_parse(response->body, response->body_len) : NULL;
    auth = json_text(json_object_get(answer, "metadata"), "auth");
    environment = environment_of(answer);
    if (auth && strcmp(auth, "trusted") != 0)
        fail(incus, "the server doesn't trust us: it answers only root, or the group that owns "
                    "its socket");
    else if (!environment)
        fail(incus, "neither Incus nor LXD answers here: name the socket under the engine that "
                    "it is");
    else
        begin(incus, environment);
}

static int ping(struct incus *incus,
                void (*done)(void *userdata, const struct http_response *response))
{
    struct http_request request = {
        .socket = incus->host->socket, .path = "/1.0", .timeout_ms = incus->host->timeout_ms};

    return http_get(incus->host->http, &request, done, incus, &incus->ping);
}

static void connect_now(void *userdata)
{
    struct incus *incus = userdata;
    int r = ping(incus, on_first_ping);

    if (r < 0)
        fail(incus, strerror(-r));
}

static void on_later_ping(void *userdata, const struct http_response *response)
{
    struct incus *incus = userdata;

    incus->ping = NULL;
    if (response->error)
        fail(incus, response->text);
}

static void upkeep(void *userdata)
{
    struct incus *incus = userdata;

    if (!incus->ping)
        ping(incus, on_later_ping);
    if (incus->connection.state == CMETA_ENGINE_CONNECTED && !incus->list &&
        clock_us(CLOCK_MONOTONIC) >= incus->next_list_us)
        list_now(incus);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void on_fetch_failed(void *userdata, const char *text)
{
    struct incus *incus = userdata;

    connection_note(&incus->connection, text);
}

static void stop(void *instance)
{
    struct incus *incus = instance;

    connection_close(&incus->connection);
    incus_fetch_free(incus->fetch);
    free(incus);
}

static int start(const struct engine_host *host, void **instance)
{
    struct incus *incus = calloc(1, sizeof(*incus));
    int r;

    if (!incus)
        return -ENOMEM;
    incus->host = host;
    incus->sink = host->sink;
    r = incus_fetch_new(host, on_fetch_failed, incus, &incus->fetch);
    if (r >= 0)
        r = connection_open(&incus->connection, host, &connection_calls, incus);
    if (r < 0) {
        stop(incus);
        return r;
    }
    *instance = incus;
    return 0;
}

static void hint(void *instance, const char *id, size_t id_len)
{
    struct incus *incus = instance;

    incus_fetch_ask(incus->fetch, id, id_len);
}

static void relist(void *instance)
{
    struct incus *incus = instance;

    if (incus->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(incus);
}

static const char *const default_places[] = {
    "/var/lib/incus/unix.socket",
    "/run/incus/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/lxd/unix.socket",
    NULL,
};

// Its word is worth more than that of who reads LXC's own files: one identity, one truth.
const struct engine_class incus_engine = {.name = "incus",
                                          .default_places = default_places,
                                          .precedence = 50,
                                          .type = CMETA_TYPE_LXC,
                                          .start = start,
                                          .stop = stop,
                                          .hint = hint,
                                          .relist = relist};
