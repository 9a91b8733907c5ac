// SPDX-License-Identifier: Apache-2.0
// The CRI engine: CRI-O, cri-dockerd, and whoever else speaks the Container Runtime Interface.
//
// Who answers is asked first. containerd is then driven by its own API, in Kubernetes' namespace:
// its CRI events are for the kubelet alone (they are taken away from it, or hold the runtime up).
// The others are listed every ten seconds; events, where the stream stays open, are an accelerator:
// CRI-O ends it at once unless it is told to keep it, which it isn't by default.
//
// Source: CRI runtime.v1 (cri-api 0.20 to 0.36).
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/grpc.h"
#include "containerd.h"
#include "cri_fetch.h"
#include "cri_hints.h"
#include "cri_record.h"
#include "edera.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MS          10000u
#define EVENTS_AGAIN_US  UINT64_C(60000000)
#define RELIST_EVENTS_US UINT64_C(60000000) // while events come
#define IMAGES_US        UINT64_C(300000000)

struct cri {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    void *native; // containerd answered: an instance of its engine has taken over
    struct rpc_channel *channel;
    struct rpc_call *version, *list, *events;
    struct cri_fetch *fetch;
    struct cri_hints *hints;
    engine_stamp list_asked;
    uint64_t listed_us; // when the last list was complete; 0: none of this connection was
    uint64_t next_list_us, next_events_us, next_images_us;
    bool list_again; // asked for while a list was under way, which may have passed it by
    bool no_events;  // the runtime doesn't know the call
};

static void hang_up(void *userdata)
{
    struct cri *cri = userdata;

    cri->version = rpc_cancel(cri->version);
    cri->list = rpc_cancel(cri->list);
    cri->list_again = false;
    cri->listed_us = 0;
    cri->events = rpc_cancel(cri->events);
    cri_hints_close(cri->hints);
    cri_fetch_close(cri->fetch);
    cri->channel = rpc_channel_close(cri->channel);
}

static void fail(struct cri *cri, const char *text)
{
    connection_fail(&cri->connection, text);
}

static int call(struct cri *cri, const char *method, const ProtobufCMessage *message,
                unsigned timeout_ms,
                void (*done)(void *userdata, const struct rpc_response *response),
                struct rpc_call **handle)
{
    struct rpc_request request = {.method = method, .message = message, .timeout_ms = timeout_ms};

    return rpc_call(cri->channel, &request, done, cri, handle);
}

// --- events --------------------------------------------------------------------------------------

enum event_type { EVENT_DELETED = 3 };

static void on_event(void *userdata, const void *body, size_t bytes)
{
    struct cri *cri = userdata;
    Cri__ContainerEventResponse *event = cri__container_event_response__unpack(NULL, bytes, body);
    bool is_pod;

    cri->sink->count(cri->sink, event != NULL, 0, 0, event == NULL);
    if (!event)
        return;
    is_pod = event->pod_sandbox_status &&
             strcmp(event->pod_sandbox_status->id, event->container_id) == 0;
    if (event->container_event_type == EVENT_DELETED)
        cri_fetch_gone(cri->fetch, event->container_id);
    else
        cri_fetch_changed(cri->fetch, event->container_id, is_pod);
    cri__container_event_response__free_unpacked(event, NULL);
}

static void on_events_end(void *userdata, const struct rpc_response *response)
{
    struct cri *cri = userdata;

    cri->events = NULL;
    cri->no_events = response->status == RPC_UNIMPLEMENTED;
    cri->next_events_us = clock_us(CLOCK_MONOTONIC) + EVENTS_AGAIN_US;
    if (response->status == RPC_UNAVAILABLE)
        fail(cri, response->text);
    else if (response->status != RPC_OK && !cri->no_events) // life goes on without
        connection_note(&cri->connection, response->text);
}

static void subscribe(struct cri *cri)
{
    Cri__GetEventsRequest message = CRI__GET_EVENTS_REQUEST__INIT;
    struct rpc_request request = {.method = "/runtime.v1.RuntimeService/GetContainerEvents",
                                  .message = &message.base};
    int r = rpc_stream(cri->channel, &request, on_event, on_events_end, cri, &cri->events);

    if (r < 0)
        fail(cri, strerror(-r));
}

// --- the lists -----------------------------------------------------------------------------------

static void list_now(struct cri *cri);

// What no list tells has its turn now and then.
static void look_again(struct cri *cri)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    cri_fetch_look_again(cri->fetch, cri->listed_us ? now - cri->listed_us : 0);
    cri->listed_us = now;
}

static void on_containers(void *userdata, const struct rpc_response *response)
{
    struct cri *cri = userdata;
    Cri__ListContainersResponse *answer;

    cri->list = NULL;
    if (response->status != RPC_OK) {
        fail(cri, response->text);
        return;
    }
    answer = cri__list_containers_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        fail(cri, "the list of containers makes no sense");
        return;
    }
    for (size_t i = 0; i < answer->n_containers; i++)
        cri_fetch_container(cri->fetch, cri->list_asked, answer->containers[i]);
    cri__list_containers_response__free_unpacked(answer, NULL);
    cri->sink->list_complete(cri->sink, cri->list_asked);
    cri_fetch_list_buried(cri->fetch);
    look_again(cri);
    connection_state(&cri->connection, CMETA_ENGINE_CONNECTED, "");
    if (cri->list_again)
        list_now(cri);
}

static void on_pods(void *userdata, const struct rpc_response *response)
{
    struct cri *cri = userdata;
    Cri__ListContainersRequest message = CRI__LIST_CONTAINERS_REQUEST__INIT;
    Cri__ListPodSandboxResponse *answer;
    int r;

    cri->list = NULL;
    if (response->status != RPC_OK) {
        fail(cri, response->text);
        return;
    }
    answer = cri__list_pod_sandbox_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        fail(cri, "the list of pods makes no sense");
        return;
    }
    for (size_t i = 0; i < answer->n_items; i++)
        cri_fetch_pod(cri->fetch, cri->list_asked, answer->items[i]);
    cri__list_pod_sandbox_response__free_unpacked(answer, NULL);
    r = call(cri, "/runtime.v1.RuntimeService/ListContainers", &message.base, LIST_MS,
             on_containers, &cri->list);
    if (r < 0)
        fail(cri, strerror(-r));
}

static void list_now(struct cri *cri)
{
    Cri__ListPodSandboxRequest message = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
    int r;

    cri->list_again = cri->list != NULL;
    if (cri->list)
        return;
    cri->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_EVENTS_US;
    cri->list_asked = cri->sink->stamp(cri->sink);
    cri_fetch_list_begin(cri->fetch);
    r = call(cri, "/runtime.v1.RuntimeService/ListPodSandbox", &message.base, LIST_MS, on_pods,
             &cri->list);
    if (r < 0)
        fail(cri, strerror(-r));
}

// --- the connection ------------------------------------------------------------------------------

static void begin(struct cri *cri, enum cmeta_type type)
{
    cri->no_events = false;
    cri->next_images_us = clock_us(CLOCK_MONOTONIC) + IMAGES_US;
    cri->sink->count(cri->sink, 0, 0, 1, 0);
    connection_state(&cri->connection, CMETA_ENGINE_LISTING, NULL);
    cri_fetch_open(cri->fetch, cri->channel, type);
    cri_hints_open(cri->hints, cri->channel);
    subscribe(cri);
    if (cri->channel)
        list_now(cri);
}

// From here on the socket is the containerd engine's.
static void hand_over(struct cri *cri)
{
    int r;

    connection_close(&cri->connection);
    r = containerd_start_in(cri->host, CONTAINERD_NS_KUBERNETES, &cri->native);
    if (r < 0)
        log_message(LOG_ERR, cri->host->name, cri->host->socket, "can't be driven: %s",
                    strerror(-r));
}

static void on_host_status(void *userdata, const struct rpc_response *response)
{
    struct cri *cri = userdata;

    cri->version = NULL;
    if (response->status == RPC_OK)
        fail(cri, "Edera's control service answers here: name the socket under engines.edera, "
                  "not cri");
    else
        fail(cri, "who answers here does not speak runtime.v1 of the Container Runtime Interface: "
                  "enable its CRI plugin, or name the socket under the engine that it is");
}

static void on_version(void *userdata, const struct rpc_response *response)
{
    struct cri *cri = userdata;
    Cri__VersionResponse *answer;
    enum cmeta_type type;
    int r;

    cri->version = NULL;
    if (response->status == RPC_UNIMPLEMENTED) {
        r = edera_ask_host(cri->channel, cri->host->timeout_ms, on_host_status, cri, &cri->version);
        if (r < 0)
            fail(cri, strerror(-r));
        return;
    }
    if (response->status != RPC_OK) {
        fail(cri, response->text);
        return;
    }
    answer = cri__version_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        fail(cri, "the answer to Version makes no sense");
        return;
    }
    snprintf(cri->connection.version, sizeof(cri->connection.version), "%.20s %.18s",
             answer->runtime_name, answer->runtime_version);
    type = cri_record_type(answer->runtime_name);
    cri__version_response__free_unpacked(answer, NULL);
    if (type == CMETA_TYPE_CONTAINERD)
        hand_over(cri);
    else
        begin(cri, type);
}

static void connect_now(void *userdata)
{
    struct cri *cri = userdata;
    Cri__VersionRequest message = CRI__VERSION_REQUEST__INIT;
    int r = rpc_channel_open(cri->host->rpc, cri->host->socket, &cri->channel);

    if (r == 0)
        r = call(cri, "/runtime.v1.RuntimeService/Version", &message.base, cri->host->timeout_ms,
                 on_version, &cri->version);
    if (r < 0)
        fail(cri, strerror(-r));
}

static void upkeep(void *userdata)
{
    struct cri *cri = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    if (cri->connection.state != CMETA_ENGINE_CONNECTED)
        return;
    if (now >= cri->next_images_us) {
        cri_fetch_forget_images(cri->fetch);
        cri->next_images_us = now + IMAGES_US;
    }
    if (!cri->events && !cri->no_events && now >= cri->next_events_us)
        subscribe(cri);
    if (cri->channel && (!cri->events || now >= cri->next_list_us))
        list_now(cri);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void on_fetch_failed(void *userdata, const char *text)
{
    struct cri *cri = userdata;

    connection_note(&cri->connection, text);
}

static void on_many_hints(void *userdata)
{
    list_now(userdata);
}

static void stop(void *instance)
{
    struct cri *cri = instance;

    if (cri->native)
        containerd_stop(cri->native);
    connection_close(&cri->connection);
    cri->hints = cri_hints_free(cri->hints);
    cri->fetch = cri_fetch_free(cri->fetch);
    free(cri);
}

static int start(const struct engine_host *host, void **instance)
{
    struct cri *cri = calloc(1, sizeof(*cri));
    int r;

    if (!cri)
        return -ENOMEM;
    cri->host = host;
    cri->sink = host->sink;
    r = cri_fetch_new(host, on_fetch_failed, cri, &cri->fetch);
    if (r >= 0)
        r = cri_hints_new(host, cri->fetch, on_many_hints, cri, &cri->hints);
    if (r >= 0)
        r = connection_open(&cri->connection, host, &connection_calls, cri);
    if (r < 0) {
        stop(cri);
        return r;
    }
    *instance = cri;
    return 0;
}

static void hint(void *instance, const char *id, size_t id_len)
{
    struct cri *cri = instance;

    if (cri->native)
        containerd_hint(cri->native, id, id_len);
    else
        cri_hints_ask(cri->hints, id, id_len);
}

static void relist(void *instance)
{
    struct cri *cri = instance;

    if (cri->native)
        containerd_relist(cri->native);
    else if (cri->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(cri);
}

static const char *const default_places[] = {
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/host-containerd/containerd.sock",
    "/run/cri-dockerd.sock",
    "/run/k3s/cri-dockerd/cri-dockerd.sock",
    "/run/dockershim.sock",
    NULL,
};

const struct engine_class cri_engine = {.name = "cri",
                                        .protocol = ENGINE_GRPC,
                                        .default_places = default_places,
                                        .precedence = 80,
                                        .type = CMETA_TYPE_CRI,
                                        .start = start,
                                        .stop = stop,
                                        .hint = hint,
                                        .relist = relist};
