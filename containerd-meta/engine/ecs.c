// SPDX-License-Identifier: Apache-2.0
// Amazon ECS, from inside a task: its metadata endpoint tells which containers the task has. It has
// no events: it is asked every ten seconds, and when somebody saw a container that isn't known.
//
// The endpoint is the environment's to name, so the daemon must be a container of the task, as on
// Fargate, where nobody is on the host. On EC2 Docker knows the same containers, and more of them;
// its word counts before the task's.
//
// Source: the task metadata endpoint of Amazon ECS, version 4. It answers 40 questions a second.
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/transport/http.h"
#include "containerd-meta/transport/http_url.h"
#include "ecs_task.h"
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX     (UINT64_C(4) << 20) // a task of ten containers has some 20 KiB
#define HINT_PAUSE_US  UINT64_C(1000000)
#define HINT_PAUSE_MAX CONNECTION_UPKEEP_US

struct ecs {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct http_call *call;
    engine_stamp asked;
    bool by_hint, again;     // the call under way: why it was made; and another one after it
    sd_event_source *hinted; // asks when a hint's turn has come
    uint64_t next_hint_us, hint_pause_us; // the pause grows with each hint that brought nothing
};

static void ask(struct ecs *ecs, bool by_hint);

// --- an answer -----------------------------------------------------------------------------------

static void hang_up(void *userdata)
{
    struct ecs *ecs = userdata;

    ecs->call = http_cancel(ecs->call);
    ecs->again = false;
    if (ecs->hinted)
        sd_event_source_set_enabled(ecs->hinted, SD_EVENT_OFF);
}

static bool observe(struct ecs *ecs, const json_t *task, const json_t *element, bool *fresh)
{
    struct engine_sink *sink = ecs->sink;
    struct container *container = ecs_task_container(task, element, &ecs->host->limits);

    if (!container) {
        sink->count(sink, 0, 0, 0, 1);
        return false;
    }
    *fresh =
        *fresh || !sink->knows(sink, container->id.data, container->id.len, container->scope.data);
    sink->observe(sink, ecs->asked, container);
    container_free(container);
    return true;
}

// A task has a container at least, this daemon's: a list without any isn't there yet.
static void take(struct ecs *ecs, const json_t *task)
{
    const json_t *containers = ecs_task_containers(task), *element;
    bool whole = json_array_size(containers) > 0, fresh = false;
    size_t i;

    if (!containers) {
        connection_fail(&ecs->connection, "the answer makes no sense as a task's metadata; is this "
                                          "the task metadata endpoint, version 4?");
        return;
    }
    json_array_foreach ((json_t *)containers, i, element)
        if (!observe(ecs, task, element, &fresh))
            whole = false;
    if (whole)
        ecs->sink->list_complete(ecs->sink, ecs->asked);
    if (fresh)
        ecs->hint_pause_us = HINT_PAUSE_US;
    else if (ecs->by_hint && ecs->hint_pause_us < HINT_PAUSE_MAX)
        ecs->hint_pause_us *= 2;
    ecs_task_title(task, ecs->connection.version, sizeof(ecs->connection.version));
    connection_state(&ecs->connection, CMETA_ENGINE_CONNECTED, "");
}

static void on_answer(void *userdata, const struct http_response *response)
{
    struct ecs *ecs = userdata;
    json_auto_t *task = NULL;
    char text[320];

    ecs->call = NULL;
    if (response->error) {
        connection_fail(&ecs->connection, response->text);
        return;
    }
    if (response->status != 200) {
        snprintf(text, sizeof(text), "the task was answered with status %ld: %.160s",
                 response->status, response->body);
        connection_fail(&ecs->connection, text);
        return;
    }
    if (ecs->connection.state != CMETA_ENGINE_CONNECTED)
        ecs->sink->count(ecs->sink, 0, 0, 1, 0);
    task = json_parse_any_number(response->body, response->body_len);
    take(ecs, task);
    if (ecs->again && ecs->connection.state == CMETA_ENGINE_CONNECTED) {
        ecs->again = false;
        ask(ecs, true);
    }
}

static void ask(struct ecs *ecs, bool by_hint)
{
    struct http_request request = {.socket = ecs->host->socket,
                                   .path = "/task",
                                   .timeout_ms = ecs->host->timeout_ms,
                                   .max_bytes = ANSWER_MAX};
    int r;

    if (ecs->call) { // an answer that counts as of now is another one
        ecs->again = ecs->again || by_hint;
        return;
    }
    ecs->by_hint = by_hint;
    ecs->asked = ecs->sink->stamp(ecs->sink);
    r = http_get(ecs->host->http, &request, on_answer, ecs, &ecs->call);
    if (r < 0)
        connection_fail(&ecs->connection, strerror(-r));
}

static void connect_now(void *userdata)
{
    struct ecs *ecs = userdata;

    // The variable may be anybody's who makes containers: without the administrator's word it leads
    // no further than this machine.
    if (!ecs->host->named && http_url_check(ecs->host->socket) != HTTP_URL_NEAR)
        connection_refuse(
            &ecs->connection,
            "is no link-local address; name it under engines.ecs.urls if it is right");
    else
        ask(ecs, false);
}

static void upkeep(void *userdata)
{
    ask(userdata, false);
}

// --- hints ---------------------------------------------------------------------------------------

static int on_hinted(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct ecs *ecs = userdata;

    (void)source;
    (void)usec;
    ecs->next_hint_us = clock_us(CLOCK_MONOTONIC) + ecs->hint_pause_us;
    ask(ecs, true);
    return 0;
}

// The first one asks at once; of those that follow, one a second, and fewer where they lead to
// nothing.
static void ecs_hint(void *instance, const char *id, size_t id_len)
{
    struct ecs *ecs = instance;
    int enabled = SD_EVENT_OFF;

    (void)id;
    (void)id_len;
    sd_event_source_get_enabled(ecs->hinted, &enabled);
    if (ecs->connection.state != CMETA_ENGINE_CONNECTED || enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time(ecs->hinted, ecs->next_hint_us);
    sd_event_source_set_enabled(ecs->hinted, SD_EVENT_ONESHOT);
}

static void ecs_relist(void *instance)
{
    struct ecs *ecs = instance;

    if (ecs->connection.state == CMETA_ENGINE_CONNECTED)
        ask(ecs, false);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void ecs_stop(void *instance)
{
    struct ecs *ecs = instance;

    connection_close(&ecs->connection);
    sd_event_source_disable_unref(ecs->hinted);
    free(ecs);
}

static int ecs_start(const struct engine_host *host, void **instance)
{
    struct ecs *ecs = calloc(1, sizeof(*ecs));
    int r;

    if (!ecs)
        return -ENOMEM;
    ecs->host = host;
    ecs->sink = host->sink;
    ecs->hint_pause_us = HINT_PAUSE_US;
    ecs->connection.patience_us = CONNECTION_UPKEEP_US;
    r = sd_event_add_time(host->event, &ecs->hinted, CLOCK_MONOTONIC, 0, 1, on_hinted, ecs);
    if (r >= 0)
        r = sd_event_source_set_enabled(ecs->hinted, SD_EVENT_OFF);
    if (r >= 0)
        r = connection_open(&ecs->connection, host, &connection_calls, ecs);
    if (r < 0) {
        ecs_stop(ecs);
        return r;
    }
    *instance = ecs;
    return 0;
}

const struct engine_class ecs_engine = {.name = "ecs",
                                        .place = ENGINE_URL,
                                        .place_variable = "ECS_CONTAINER_METADATA_URI_V4",
                                        .precedence = 30,
                                        .type = CMETA_TYPE_ECS,
                                        .start = ecs_start,
                                        .stop = ecs_stop,
                                        .hint = ecs_hint,
                                        .relist = ecs_relist};
