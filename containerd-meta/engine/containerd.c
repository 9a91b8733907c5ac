// SPDX-License-Identifier: Apache-2.0
// The containerd engine: connect, subscribe, list, reconcile.
//
// A subscription is never acknowledged, so the list is asked for at once and again two seconds
// later; after that every five minutes, because containerd loses no event of a stream that lives.
// Events name a container; containerd_fetch asks for its record, which has all there is from the
// moment of its creation. A stream that ends or a call that hangs means: begin again.
//
// Source: containerd 1.5 to 2.x, services events and version, v1.
#include "containerd.h"

#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/transport/grpc.h"
#include "containerd_fetch.h"
#include "containerd_list.h"
#include "containerd_record.h"
#include "edera.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_LIST_US UINT64_C(2000000)
#define RELIST_US      UINT64_C(300000000)

struct containerd {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    const char *only;
    struct rpc_channel *channel;
    struct rpc_call *version, *events;
    struct containerd_fetch *fetch;
    struct containerd_list *list;
    sd_event_source *second;
    uint64_t next_list_us;
};

static void hang_up(void *userdata)
{
    struct containerd *containerd = userdata;

    containerd->version = rpc_cancel(containerd->version);
    containerd->events = rpc_cancel(containerd->events);
    containerd_list_cancel(containerd->list);
    containerd_fetch_close(containerd->fetch);
    sd_event_source_set_enabled(containerd->second, SD_EVENT_OFF);
    containerd->channel = rpc_channel_close(containerd->channel);
}

static void fail(struct containerd *containerd, const char *text)
{
    connection_fail(&containerd->connection, text);
}

// --- events --------------------------------------------------------------------------------------

struct event {
    struct containerd *containerd;
    const char *ns, *topic;
    int64_t time_ns;
    const Containerd__Any *payload;
};

static int64_t time_of(const Containerd__Timestamp *time)
{
    if (!time || time->seconds < 0 || time->seconds > INT64_MAX / 1000000000 - 1)
        return 0;
    return time->seconds * 1000000000 + time->nanos;
}

static void on_container_written(const struct event *event)
{
    Containerd__ContainerEvent *payload = containerd__container_event__unpack(
        NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    containerd_fetch_ask(event->containerd->fetch, event->ns, payload->id);
    containerd__container_event__free_unpacked(payload, NULL);
}

static void on_container_deleted(const struct event *event)
{
    Containerd__ContainerEvent *payload = containerd__container_event__unpack(
        NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    containerd_fetch_gone(event->containerd->fetch, event->ns, payload->id);
    containerd__container_event__free_unpacked(payload, NULL);
}

// A task begins; nothing is left of how an earlier one of the container ended.
static void tell_begin(const struct event *event, const char *id, uint32_t state, int64_t pid,
                       int64_t started_ns)
{
    containerd_fetch_state(event->containerd->fetch, event->ns, id, state,
                           CONTAINERD_FETCH_WHOLE_WORD, pid, started_ns, 0);
}

static void tell(const struct event *event, const char *id, uint32_t state)
{
    containerd_fetch_state(event->containerd->fetch, event->ns, id, state, 0xffu, -1, -1, -1);
}

// The process exists, and waits to be let run.
static void on_task_created(const struct event *event)
{
    Containerd__TaskCreate *payload = containerd__task_create__unpack(
        NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    tell_begin(event, payload->container_id, CMETA_STATE_CREATED, payload->pid, -1);
    containerd__task_create__free_unpacked(payload, NULL);
}

static void on_task(const struct event *event)
{
    Containerd__TaskStart *payload =
        containerd__task_start__unpack(NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    if (strcmp(event->topic, "/tasks/start") == 0)
        tell_begin(event, payload->container_id, CMETA_STATE_RUNNING, payload->pid, event->time_ns);
    else if (strcmp(event->topic, "/tasks/paused") == 0)
        tell(event, payload->container_id, CMETA_STATE_PAUSED);
    else
        tell(event, payload->container_id, CMETA_STATE_RUNNING);
    containerd__task_start__free_unpacked(payload, NULL);
}

static void tell_end(const struct event *event, const char *id, uint32_t exit_status,
                     const Containerd__Timestamp *exited_at)
{
    containerd_fetch_state(event->containerd->fetch, event->ns, id,
                           CMETA_STATE_EXITED | (exit_status & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT,
                           CONTAINERD_FETCH_WHOLE_WORD, 0, -1, time_of(exited_at));
}

static void on_task_exited(const struct event *event)
{
    Containerd__TaskExit *payload =
        containerd__task_exit__unpack(NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    if (strcmp(payload->id, payload->container_id) == 0) // else an exec's
        tell_end(event, payload->container_id, payload->exit_status, payload->exited_at);
    containerd__task_exit__free_unpacked(payload, NULL);
}

static void on_task_deleted(const struct event *event)
{
    Containerd__TaskDelete *payload = containerd__task_delete__unpack(
        NULL, event->payload->value.len, event->payload->value.data);

    if (!payload)
        return;
    if (!*payload->id || strcmp(payload->id, payload->container_id) == 0) // else an exec's
        tell_end(event, payload->container_id, payload->exit_status, payload->exited_at);
    containerd__task_delete__free_unpacked(payload, NULL);
}

static void on_image(const struct event *event)
{
    Containerd__NamespaceEvent *payload = containerd__namespace_event__unpack(
        NULL, event->payload->value.len, event->payload->value.data); // its field 1 is a name too

    if (!payload)
        return;
    containerd_fetch_image_changed(event->containerd->fetch, event->ns, payload->name);
    containerd__namespace_event__free_unpacked(payload, NULL);
}

// Kubernetes' and Docker's tasks are deleted as soon as they exit; their exits are left out,
// because those of exec probes would be most of what is heard.
static const struct {
    const char *topic;
    void (*handle)(const struct event *event);
    const char *filter; // further
} topics[] = {
    {"/containers/create", on_container_written, ""},
    {"/containers/update", on_container_written, ""},
    {"/containers/delete", on_container_deleted, ""},
    {"/tasks/create", on_task_created, ""},
    {"/tasks/start", on_task, ""},
    {"/tasks/paused", on_task, ""},
    {"/tasks/resumed", on_task, ""},
    {"/tasks/exit", on_task_exited, ",namespace!=\"k8s.io\",namespace!=\"moby\""},
    {"/tasks/delete", on_task_deleted, ""},
    {"/images/create", on_image, ""},
    {"/images/update", on_image, ""},
    {"/images/delete", on_image, ""},
};
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

static void on_envelope(struct containerd *containerd, const Containerd__Envelope *envelope)
{
    struct event event = {.containerd = containerd,
                          .ns = envelope->namespace_,
                          .topic = envelope->topic,
                          .time_ns = time_of(envelope->timestamp),
                          .payload = envelope->event};

    if (!envelope->event || !containerd_ns_is_valid(event.ns) ||
        (containerd->only && strcmp(event.ns, containerd->only) != 0))
        return;
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].topic, event.topic) == 0)
            topics[i].handle(&event);
}

static void on_event(void *userdata, const void *body, size_t bytes)
{
    struct containerd *containerd = userdata;
    Containerd__Envelope *envelope = containerd__envelope__unpack(NULL, bytes, body);

    containerd->sink->count(containerd->sink, envelope != NULL, 0, 0, envelope == NULL);
    if (!envelope)
        return;
    on_envelope(containerd, envelope);
    containerd__envelope__free_unpacked(envelope, NULL);
}

static void on_events_end(void *userdata, const struct rpc_response *response)
{
    struct containerd *containerd = userdata;

    containerd->events = NULL;
    fail(containerd, response->status == RPC_OK
                         ? "the event stream ended: the engine was stopped or restarted"
                         : response->text);
}

static int subscribe(struct containerd *containerd)
{
    Containerd__SubscribeRequest message = CONTAINERD__SUBSCRIBE_REQUEST__INIT;
    struct rpc_request request = {.method = "/containerd.services.events.v1.Events/Subscribe",
                                  .message = &message.base};
    char texts[TOPICS][96], *filters[TOPICS];

    for (size_t i = 0; i < TOPICS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "topic==\"%s\"%s", topics[i].topic, topics[i].filter);
        filters[i] = texts[i];
    }
    message.filters = filters;
    message.n_filters = TOPICS;
    return rpc_stream(containerd->channel, &request, on_event, on_events_end, containerd,
                      &containerd->events);
}

// --- the list ------------------------------------------------------------------------------------

static void on_list_complete(void *userdata, engine_stamp asked, bool whole)
{
    struct containerd *containerd = userdata;

    // What was left out isn't gone; only a whole list may bury anybody.
    if (whole) {
        containerd_fetch_list_end(containerd->fetch);
        containerd->sink->list_complete(containerd->sink, asked);
        containerd_fetch_list_buried(containerd->fetch);
    }
    connection_state(&containerd->connection, CMETA_ENGINE_CONNECTED, whole ? "" : NULL);
}

static void on_list_gap(void *userdata, const char *text)
{
    struct containerd *containerd = userdata;

    connection_note(&containerd->connection, text);
}

static void on_list_end(void *userdata, const char *error)
{
    struct containerd *containerd = userdata;

    if (error)
        fail(containerd, error);
}

static void list_now(struct containerd *containerd)
{
    containerd->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_US;
    containerd_list_begin(containerd->list, containerd->channel);
}

static int on_second(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    list_now(userdata);
    return 0;
}

// --- the connection ------------------------------------------------------------------------------

static int ask_version(struct containerd *containerd,
                       void (*done)(void *userdata, const struct rpc_response *response))
{
    Containerd__Empty message = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = "/containerd.services.version.v1.Version/Version",
                                  .message = &message.base,
                                  .timeout_ms = containerd->host->timeout_ms};

    return rpc_call(containerd->channel, &request, done, containerd, &containerd->version);
}

static void begin(struct containerd *containerd)
{
    int r = subscribe(containerd);

    if (r < 0) {
        fail(containerd, strerror(-r));
        return;
    }
    containerd->sink->count(containerd->sink, 0, 0, 1, 0);
    connection_state(&containerd->connection, CMETA_ENGINE_LISTING, NULL);
    containerd_fetch_open(containerd->fetch, containerd->channel);
    sd_event_source_set_time(containerd->second, clock_us(CLOCK_MONOTONIC) + SECOND_LIST_US);
    sd_event_source_set_enabled(containerd->second, SD_EVENT_ONESHOT);
    list_now(containerd);
}

static void on_host_status(void *userdata, const struct rpc_response *response)
{
    struct containerd *containerd = userdata;

    containerd->version = NULL;
    if (response->status == RPC_OK)
        fail(containerd, "Edera's control service answers here: name the socket under "
                         "engines.edera, not containerd");
    else
        fail(containerd, "who answers here has no containerd API: name the socket under "
                         "engines.cri, not containerd");
}

static void on_first_version(void *userdata, const struct rpc_response *response)
{
    struct containerd *containerd = userdata;
    Containerd__VersionResponse *answer;
    int r;

    containerd->version = NULL;
    if (response->status == RPC_UNIMPLEMENTED) {
        r = edera_ask_host(containerd->channel, containerd->host->timeout_ms, on_host_status,
                           containerd, &containerd->version);
        if (r < 0)
            fail(containerd, strerror(-r));
        return;
    }
    if (response->status != RPC_OK) {
        fail(containerd, response->text);
        return;
    }
    answer = containerd__version_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        fail(containerd, "the answer to Version makes no sense");
        return;
    }
    snprintf(containerd->connection.version, sizeof(containerd->connection.version),
             "containerd %s", answer->version);
    containerd__version_response__free_unpacked(answer, NULL);
    begin(containerd);
}

static void connect_now(void *userdata)
{
    struct containerd *containerd = userdata;
    int r = rpc_channel_open(containerd->host->rpc, containerd->host->socket, &containerd->channel);

    if (r == 0)
        r = ask_version(containerd, on_first_version);
    if (r < 0)
        fail(containerd, strerror(-r));
}

// A stream may be silent for ever: whether somebody is still there only a question can tell.
static void on_later_version(void *userdata, const struct rpc_response *response)
{
    struct containerd *containerd = userdata;

    containerd->version = NULL;
    if (response->status != RPC_OK)
        fail(containerd, response->text);
}

static void upkeep(void *userdata)
{
    struct containerd *containerd = userdata;

    if (!containerd->channel)
        return;
    if (containerd_list_is_stuck(containerd->list)) {
        fail(containerd, "it answers, but its list has come to a halt");
        return;
    }
    if (!containerd->version)
        ask_version(containerd, on_later_version);
    if (containerd->connection.state == CMETA_ENGINE_CONNECTED &&
        clock_us(CLOCK_MONOTONIC) >= containerd->next_list_us)
        list_now(containerd);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};
static const struct containerd_list_calls list_calls = {
    .complete = on_list_complete, .gap = on_list_gap, .end = on_list_end};

static void on_fetch_failed(void *userdata, const char *text)
{
    struct containerd *containerd = userdata;

    connection_note(&containerd->connection, text);
}

void containerd_stop(void *instance)
{
    struct containerd *containerd = instance;

    connection_close(&containerd->connection);
    containerd->list = containerd_list_free(containerd->list);
    containerd->fetch = containerd_fetch_free(containerd->fetch);
    sd_event_source_disable_unref(containerd->second);
    free(containerd);
}

static int make(struct containerd *containerd)
{
    int r = containerd_fetch_new(containerd->host, on_fetch_failed, containerd, &containerd->fetch);

    if (r >= 0)
        r = containerd_list_new(containerd->host, containerd->fetch, containerd->only, &list_calls,
                                containerd, &containerd->list);
    if (r >= 0)
        r = sd_event_add_time(containerd->host->event, &containerd->second, CLOCK_MONOTONIC, 0, 0,
                              on_second, containerd);
    if (r >= 0)
        r = sd_event_source_set_enabled(containerd->second, SD_EVENT_OFF);
    return r;
}

int containerd_start_in(const struct engine_host *host, const char *only, void **instance)
{
    struct containerd *containerd = calloc(1, sizeof(*containerd));
    int r;

    if (!containerd)
        return -ENOMEM;
    containerd->host = host;
    containerd->sink = host->sink;
    containerd->only = only;
    r = make(containerd);
    if (r >= 0)
        r = connection_open(&containerd->connection, host, &connection_calls, containerd);
    if (r < 0) {
        containerd_stop(containerd);
        return r;
    }
    *instance = containerd;
    return 0;
}

static int start(const struct engine_host *host, void **instance)
{
    return containerd_start_in(host, NULL, instance);
}

void containerd_hint(void *instance, const char *id, size_t id_len)
{
    struct containerd *containerd = instance;

    if (containerd->connection.state == CMETA_ENGINE_CONNECTED)
        containerd_fetch_hint(containerd->fetch, id, id_len);
}

void containerd_relist(void *instance)
{
    struct containerd *containerd = instance;

    if (containerd->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(containerd);
}

static const char *const default_places[] = {
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock", // k3s, rke2
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/host-containerd/containerd.sock", // Bottlerocket
    "/run/host-containerd/host-containerd.sock",
    "/system/run/containerd/containerd.sock", // Talos
    "/run/docker/containerd/containerd.sock", // Docker's own
    "/run/snap.docker/containerd/containerd.sock",
    "/var/vcap/sys/run/containerd/containerd.sock", // BOSH
    NULL,
};

const struct engine_class containerd_engine = {.name = "containerd",
                                               .protocol = ENGINE_GRPC,
                                               .default_places = default_places,
                                               .precedence = 40,
                                               .type = CMETA_TYPE_CONTAINERD,
                                               .start = start,
                                               .stop = containerd_stop,
                                               .hint = containerd_hint,
                                               .relist = containerd_relist};
