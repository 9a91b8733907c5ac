// SPDX-License-Identifier: Apache-2.0
#include "connection.h"

#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/http_url.h"

#include <string.h>

#define PATIENT_FAILURES 5u // then patience_us counts

// A transport names the socket first; here everything that is said names it already.
static const char *without_socket(const struct connection *connection, const char *text)
{
    const char *socket = connection->host->socket;
    size_t len = strlen(socket);

    return strncmp(text, socket, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2
                                                                                : text;
}

static void say_connected(const struct connection *connection)
{
    log_message(LOG_INFO, connection->host->name, connection->host->socket, "connected, %s",
                connection->version);
}

void connection_state(struct connection *connection, enum cmeta_engine_state state,
                      const char *error)
{
    const struct engine_host *host = connection->host;
    uint32_t flags =
        connection->watch && socket_watch_degraded(connection->watch) ? CMETA_ENGINE_DEGRADED : 0;

    if (connection->state != state && state == CMETA_ENGINE_CONNECTED && !connection->said)
        say_connected(connection);
    connection->state = state;
    host->sink->state(host->sink, state, flags, connection->version,
                      error ? without_socket(connection, error) : NULL);
}

static void hang_up(struct connection *connection)
{
    connection->calls->hang_up(connection->userdata);
    sd_event_source_set_enabled(connection->retry, SD_EVENT_OFF);
    sd_event_source_set_enabled(connection->upkeep, SD_EVENT_OFF);
}

static void set_timer(sd_event_source *timer, uint64_t wait_us)
{
    sd_event_source_set_time(timer, clock_us(CLOCK_MONOTONIC) + wait_us);
    sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

void connection_restart(struct connection *connection)
{
    hang_up(connection);
    connection_state(connection, CMETA_ENGINE_CONNECTING, NULL);
    set_timer(connection->upkeep, CONNECTION_UPKEEP_US);
    connection->calls->connect(connection->userdata);
}

// Says so, and hangs up last of all: the text may live in what is hung up.
static void give_up(struct connection *connection, enum cmeta_engine_state state, const char *text)
{
    const struct engine_host *host = connection->host;

    host->sink->count(host->sink, 0, 1, 0, 0);
    if (!connection->said)
        log_message(LOG_WARNING, host->name, host->socket, "%s", without_socket(connection, text));
    connection->said = true;
    connection_state(connection, state, text);
    hang_up(connection);
}

void connection_fail(struct connection *connection, const char *text)
{
    uint64_t wait_us = backoff_next(&connection->backoff);

    give_up(connection, CMETA_ENGINE_FAILED, text);
    if (connection->backoff.failures > PATIENT_FAILURES && connection->patience_us > wait_us)
        wait_us = connection->patience_us;
    set_timer(connection->retry, wait_us);
}

void connection_refuse(struct connection *connection, const char *text)
{
    bool named = connection->host->named;

    connection->said = connection->said || !named; // nobody asked for it
    give_up(connection, named ? CMETA_ENGINE_FAILED : CMETA_ENGINE_DISABLED, text);
}

void connection_rest(struct connection *connection)
{
    hang_up(connection);
    connection_state(connection, CMETA_ENGINE_CONNECTED, "");
}

void connection_note(struct connection *connection, const char *text)
{
    log_message(LOG_DEBUG, connection->host->name, connection->host->socket, "%s",
                without_socket(connection, text));
    connection_state(connection, connection->state, text);
}

static void start_afresh(struct connection *connection)
{
    backoff_reset(&connection->backoff);
    connection->said = false;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    connection_restart(userdata);
    return 0;
}

static int on_upkeep(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct connection *connection = userdata;

    (void)usec;
    set_timer(source, CONNECTION_UPKEEP_US);
    // It answers, was listed, and has lived for a while.
    if (connection->state == CMETA_ENGINE_CONNECTED) {
        if (connection->said)
            say_connected(connection);
        start_afresh(connection);
    }
    connection->calls->upkeep(connection->userdata);
    return 0;
}

static void on_socket(void *userdata, bool present, uint64_t inode)
{
    struct connection *connection = userdata;

    (void)inode;
    start_afresh(connection); // another life of the engine
    if (connection->calls->fresh)
        connection->calls->fresh(connection->userdata);
    if (present) {
        connection_restart(connection);
        return;
    }
    hang_up(connection);
    connection_state(connection, CMETA_ENGINE_WAITING, "");
}

static int make_timer(struct connection *connection, sd_event_time_handler_t handler,
                      sd_event_source **timer)
{
    int r = sd_event_add_time(connection->host->event, timer, CLOCK_MONOTONIC, 0, 0, handler,
                              connection);

    return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_OFF);
}

int connection_open(struct connection *connection, const struct engine_host *host,
                    const struct connection_calls *calls, void *userdata)
{
    int r;

    connection->host = host;
    connection->calls = calls;
    connection->userdata = userdata;
    r = make_timer(connection, on_retry, &connection->retry);
    if (r >= 0)
        r = make_timer(connection, on_upkeep, &connection->upkeep);
    if (r < 0)
        return r;
    if (http_url_is(host->socket)) { // nothing that could be watched: whether it is there is asked
        set_timer(connection->retry, 0);
        return 0;
    }
    return socket_watch_add(host->sockets, host->socket, on_socket, connection, &connection->watch);
}

void connection_close(struct connection *connection)
{
    if (connection->retry && connection->upkeep)
        hang_up(connection);
    connection->watch = connection->watch ? socket_watch_remove(connection->watch) : NULL;
    connection->retry = sd_event_source_disable_unref(connection->retry);
    connection->upkeep = sd_event_source_disable_unref(connection->upkeep);
}
