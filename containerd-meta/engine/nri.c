// SPDX-License-Identifier: Apache-2.0
// NRI as an engine: a container runtime tells of pods and containers before they run, and waits
// until their record is readable.
//
// It adds to what the runtime's own engine (containerd, cri) knows and is worth less: NRI tells
// neither privileges nor, before 0.12.2, an image's ID, and it never speaks of containers outside
// of Kubernetes. Only on request: the runtime waits for us (docs/nri.md).
#include "containerd-meta/watch/nri.h"
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "containerd-meta/text.h"
#include "cri_record.h"
#include "docker_inspect.h"
#include "nri_bundle.h"
#include "nri_record.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A runtime that throws us out while its socket stays isn't asked again at once.
#define EXPELLED_FAILURES 4u
#define STATE_MASK        (0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT)

// The list of what is there, piece by piece.
struct listed {
    Nri__SynchronizeRequest **pieces; // containers may come before their pods: kept until the last
    size_t count;
};

struct nri_engine {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct oci_host_namespaces namespaces;
    struct oci_context context;
    struct nri *nri;
    struct listed listed;
    bool is_list_lost; // memory ran out: nobody is declared ended by it
    enum cmeta_type type;
    bool is_docker;          // what it tells is too little, and the Docker engine tells all of it
    engine_stamp registered; // the list is as old as the connection at least
    struct log_limit lateness;
};

static void forget_list(struct nri_engine *engine)
{
    for (size_t i = 0; i < engine->listed.count; i++)
        nri__synchronize_request__free_unpacked(engine->listed.pieces[i], NULL);
    free(engine->listed.pieces);
    engine->listed = (struct listed){0};
}

// --- single pods and containers ------------------------------------------------------------------

static void observe(struct nri_engine *engine, engine_stamp asked, struct container *container)
{
    if (container)
        engine->sink->observe(engine->sink, asked, container);
    else
        engine->sink->count(engine->sink, 0, 0, 0, 1);
    container_free(container);
}

static void take_container(struct nri_engine *engine, engine_stamp asked,
                           const Nri__Container *message, const struct pod *pod, uint32_t state,
                           int64_t created_ns)
{
    json_auto_t *spec = nri_bundle_read(message, engine->host->host_root);
    struct container *container =
        nri_record_container(message, pod, spec, engine->type, created_ns, &engine->context);

    if (container && state)
        container->status = state;
    observe(engine, asked, container);
}

static void take_sandbox(struct nri_engine *engine, engine_stamp asked, const struct pod *pod)
{
    observe(engine, asked, pod ? nri_record_sandbox(pod) : NULL);
}

static struct pod *pod_of(const struct nri_engine *engine, const Nri__PodSandbox *message)
{
    return message ? nri_record_pod(message, engine->type, &engine->context) : NULL;
}

static void stopped(struct nri_engine *engine, const char *id, uint32_t word, int64_t finished_ns)
{
    engine->sink->status(engine->sink, engine->sink->stamp(engine->sink), id, strlen(id),
                         docker_scope(id, engine->type), word, STATE_MASK, 0, finished_ns);
}

static void gone(struct nri_engine *engine, const char *id)
{
    engine->sink->gone(engine->sink, engine->sink->stamp(engine->sink), id, strlen(id),
                       docker_scope(id, engine->type));
}

// --- events --------------------------------------------------------------------------------------

static void on_pod_event(struct nri_engine *engine, enum nri_event_type type,
                         const Nri__PodSandbox *message)
{
    struct pod *pod;

    if (type == NRI_REMOVE_POD_SANDBOX) {
        gone(engine, message->id);
    } else if (type == NRI_STOP_POD_SANDBOX) {
        stopped(engine, message->id, CMETA_STATE_EXITED, -1);
    } else {
        pod = pod_of(engine, message);
        take_sandbox(engine, engine->sink->stamp(engine->sink), pod);
        pod_free(pod);
    }
}

static void on_container_event(struct nri_engine *engine, const struct nri_event *event)
{
    const Nri__Container *message = event->container;
    const bool is_new = event->type == NRI_CREATE_CONTAINER;
    struct pod *pod;

    if (event->type == NRI_REMOVE_CONTAINER) {
        gone(engine, message->id);
    } else if (event->type == NRI_STOP_CONTAINER) {
        stopped(engine, message->id, nri_record_status(message) | CMETA_STATE_EXITED,
                message->finished_at > 0 ? message->finished_at : -1);
    } else {
        pod = pod_of(engine, event->pod);
        take_container(engine, engine->sink->stamp(engine->sink), message, pod,
                       is_new ? CMETA_STATE_CREATED : CMETA_STATE_RUNNING,
                       is_new ? (int64_t)clock_ns(CLOCK_REALTIME) : 0);
        pod_free(pod);
    }
}

static bool is_about_a_pod(enum nri_event_type type)
{
    return type == NRI_RUN_POD_SANDBOX || type == NRI_STOP_POD_SANDBOX ||
           type == NRI_REMOVE_POD_SANDBOX;
}

static void on_event(void *userdata, const struct nri_event *event)
{
    struct nri_engine *engine = userdata;

    engine->sink->count(engine->sink, 1, 0, 0, 0);
    if (engine->is_docker)
        return;
    if (!is_about_a_pod(event->type) && event->container)
        on_container_event(engine, event);
    else if (is_about_a_pod(event->type) && event->pod)
        on_pod_event(engine, event->type, event->pod);
    else
        engine->sink->count(engine->sink, 0, 0, 0, 1);
}

static void on_late(void *userdata, unsigned count)
{
    struct nri_engine *engine = userdata;
    uint32_t suppressed;

    engine->sink->count(engine->sink, 0, count, 0, 0);
    if (log_limit_pass(&engine->lateness, clock_ns(CLOCK_MONOTONIC), &suppressed))
        log_message(LOG_WARNING, engine->host->name, engine->host->socket,
                    "%u events were answered after %u ms, ahead of their records", count,
                    NRI_LIMIT_MS);
}

static void on_odd(void *userdata, unsigned count)
{
    struct nri_engine *engine = userdata;

    engine->sink->count(engine->sink, 0, 0, 0, count);
    connection_note(&engine->connection, "requests that make no sense were answered unread");
}

// --- the list ------------------------------------------------------------------------------------

static int by_sandbox(const void *a, const void *b)
{
    const struct pod *left = a, *right = b;

    return strcmp(left->sandbox_id, right->sandbox_id);
}

static void free_pod(void *pod)
{
    pod_free(pod);
}

// Pods first: they are folded into their containers.
static void *take_pods(struct nri_engine *engine)
{
    void *pods = NULL;

    for (size_t i = 0; i < engine->listed.count; i++)
        for (size_t p = 0; p < engine->listed.pieces[i]->n_pods; p++) {
            struct pod *pod = pod_of(engine, engine->listed.pieces[i]->pods[p]), **place;

            take_sandbox(engine, engine->registered, pod);
            place = pod ? tsearch(pod, &pods, by_sandbox) : NULL;
            if (pod && (!place || *place != pod)) // named twice
                pod_free(pod);
        }
    return pods;
}

static const struct pod *find_pod(void *const *pods, const char *sandbox_id)
{
    const struct pod wanted = {.sandbox_id = (char *)(uintptr_t)sandbox_id};
    void *node = tfind(&wanted, pods, by_sandbox);

    return node ? *(struct pod **)node : NULL;
}

static void take_list(struct nri_engine *engine)
{
    void *pods = take_pods(engine);

    for (size_t i = 0; i < engine->listed.count; i++)
        for (size_t c = 0; c < engine->listed.pieces[i]->n_containers; c++) {
            const Nri__Container *message = engine->listed.pieces[i]->containers[c];

            take_container(engine, engine->registered, message,
                           find_pod(&pods, message->pod_sandbox_id), 0, 0);
        }
    tdestroy(pods, free_pod);
}

static void on_list(void *userdata, Nri__SynchronizeRequest *piece)
{
    struct nri_engine *engine = userdata;
    const bool is_last = !piece->more;
    Nri__SynchronizeRequest **grown =
        realloc(engine->listed.pieces, (engine->listed.count + 1) * sizeof(*grown));

    if (!grown) { // as good as lost: begin again
        nri__synchronize_request__free_unpacked(piece, NULL);
        engine->is_list_lost = true;
    } else {
        engine->listed.pieces = grown;
        grown[engine->listed.count++] = piece;
    }
    if (!is_last)
        return;
    if (!engine->is_docker)
        take_list(engine);
    forget_list(engine);
    if (!engine->is_list_lost)
        engine->sink->list_complete(engine->sink, engine->registered);
    connection_state(&engine->connection, CMETA_ENGINE_CONNECTED, "");
}

// --- the connection ------------------------------------------------------------------------------

static void on_configured(void *userdata, const char *runtime_name, const char *runtime_version)
{
    struct nri_engine *engine = userdata;

    snprintf(engine->connection.version, sizeof(engine->connection.version), "%.20s %.18s",
             runtime_name, runtime_version);
    engine->type = cri_record_type(runtime_name);
    engine->is_docker = text_is(runtime_name, "docker");
    if (engine->is_docker)
        log_message(LOG_NOTICE, engine->host->name, engine->host->socket,
                    "is Docker's, which is driven by its own API: what comes here is ignored");
    engine->sink->count(engine->sink, 0, 0, 1, 0);
    connection_state(&engine->connection, CMETA_ENGINE_LISTING, NULL);
}

static void on_ended(void *userdata, const char *text)
{
    struct nri_engine *engine = userdata;

    if (engine->connection.backoff.failures < EXPELLED_FAILURES)
        engine->connection.backoff.failures = EXPELLED_FAILURES;
    connection_fail(&engine->connection, text);
}

static const struct nri_calls nri_calls = {.configured = on_configured,
                                           .list = on_list,
                                           .event = on_event,
                                           .late = on_late,
                                           .odd = on_odd,
                                           .ended = on_ended};

static void hang_up(void *userdata)
{
    struct nri_engine *engine = userdata;

    engine->nri = nri_close(engine->nri);
    forget_list(engine);
}

static void connect_now(void *userdata)
{
    struct nri_engine *engine = userdata;
    int r;

    engine->registered = engine->sink->stamp(engine->sink);
    engine->is_list_lost = false;
    r = nri_open(engine->host->event, engine->host->socket, &nri_calls, engine, &engine->nri);
    if (r == -EPERM)
        connection_fail(&engine->connection,
                        "who listens there is neither root nor this user: not trusted");
    else if (r < 0)
        connection_fail(&engine->connection, strerror(-r));
}

// There is nothing to ask: the runtime tells, or ends the connection.
static void upkeep(void *userdata)
{
    (void)userdata;
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void stop(void *instance)
{
    struct nri_engine *engine = instance;

    connection_close(&engine->connection);
    hang_up(engine);
    oci_host_namespaces_done(&engine->namespaces);
    free(engine);
}

static int start(const struct engine_host *host, void **instance)
{
    struct nri_engine *engine = calloc(1, sizeof(*engine));
    int r;

    if (!engine)
        return -ENOMEM;
    engine->host = host;
    engine->sink = host->sink;
    engine->type = CMETA_TYPE_CRI;
    oci_host_namespaces_read(&engine->namespaces, host->host_root);
    engine->context = (struct oci_context){.limits = host->limits, .host = &engine->namespaces};
    r = connection_open(&engine->connection, host, &connection_calls, engine);
    if (r < 0) {
        stop(engine);
        return r;
    }
    *instance = engine;
    return 0;
}

static const char *const default_places[] = {"/var/run/nri/nri.sock", NULL};

const struct engine_class nri_engine = {.name = "nri",
                                        .protocol = ENGINE_NRI,
                                        .default_places = default_places,
                                        .precedence = 20,
                                        .type = CMETA_TYPE_CRI,
                                        .is_opt_in = true,
                                        .start = start,
                                        .stop = stop};
