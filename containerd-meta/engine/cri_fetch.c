// SPDX-License-Identifier: Apache-2.0
// Source: CRI runtime.v1 (cri-api 0.20 to 0.36), RuntimeService and ImageService.
#include "cri_fetch.h"

#include "ask_queue.h"
#include "containerd-meta/cleanup.h"
#include "cri_images.h"
#include "cri_record.h"
#include "docker_inspect.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ID_BYTES_MAX 255u

// A pod's sandbox or a container that is known, and the question about it.
struct known {
    struct ask ask;
    LIST_ENTRY(known) all;
    struct cri_fetch *fetch;
    struct rpc_call *call;
    engine_stamp asked;
    bool is_pod;
    bool observed;            // the sink has been told more than the list had
    bool lacks;               // its pod wasn't known then, or its own address
    int32_t state;            // as the list or the last answer had it
    uint32_t listed;          // generation of the last list that named it
    struct pod *pod;          // it is this pod's sandbox
    char *sandbox_id;         // it belongs to this one
    struct container *answer; // between its status and its image
    struct cri_facts facts;
    bool has_size; // the answer, as far as it will
    char id[];
};

struct cri_fetch {
    const struct engine_host *host;
    struct engine_sink *sink;
    void (*failed)(void *userdata, const char *text);
    void *userdata;
    enum cmeta_type type;
    struct oci_host_namespaces host_namespaces;
    struct oci_context context;
    struct rpc_channel *channel;
    struct ask_queue *queue;
    void *tree; // tsearch(3), by ID
    LIST_HEAD(, known) all;
    unsigned count;
    uint32_t generation;
    struct cri_images *images;
};

// --- the known -----------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct known *find(const struct cri_fetch *fetch, const char *id)
{
    void *node = tfind(id, (void *const *)&fetch->tree, compare_ids);

    return node ? (struct known *)((uintptr_t) * (void **)node - offsetof(struct known, id)) : NULL;
}

static struct known *find_or_add(struct cri_fetch *fetch, const char *id)
{
    struct known *known = find(fetch, id);
    size_t bytes = strlen(id) + 1;

    if (known)
        return known;
    if (bytes > 1 && bytes <= ID_BYTES_MAX && fetch->count < CRI_FETCH_MAX)
        known = calloc(1, sizeof(*known) + bytes);
    if (!known) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return NULL;
    }
    known->fetch = fetch;
    known->state = -1;
    memcpy(known->id, id, bytes);
    if (!tsearch(known->id, &fetch->tree, compare_ids)) {
        free(known);
        return NULL;
    }
    LIST_INSERT_HEAD(&fetch->all, known, all);
    fetch->count++;
    return known;
}

static void drop_answer(struct known *known)
{
    known->call = rpc_cancel(known->call);
    known->answer = container_free(known->answer);
    cri_facts_done(&known->facts);
    known->facts = (struct cri_facts){0};
    known->has_size = false;
}

static void forget(struct known *known)
{
    struct cri_fetch *fetch = known->fetch;

    drop_answer(known);
    ask_forget(fetch->queue, &known->ask);
    tdelete(known->id, &fetch->tree, compare_ids);
    LIST_REMOVE(known, all);
    fetch->count--;
    pod_free(known->pod);
    free(known->sandbox_id);
    free(known);
}

static void want(struct known *known)
{
    ask_now(known->fetch->queue, &known->ask);
}

// --- telling the sink ----------------------------------------------------------------------------

static const char *scope_of(const struct known *known)
{
    return docker_scope(known->id, known->fetch->type);
}

static void observe(struct known *known, const struct container *container)
{
    known->fetch->sink->observe(known->fetch->sink, known->asked, container);
    known->observed = true;
}

static void tell_gone(const struct known *known, engine_stamp asked)
{
    struct engine_sink *sink = known->fetch->sink;

    sink->gone(sink, asked, known->id, strlen(known->id), scope_of(known));
}

static void tell_reason(const struct known *known, uint32_t groups, enum cmeta_reason reason)
{
    struct engine_sink *sink = known->fetch->sink;

    sink->reason(sink, known->id, strlen(known->id), scope_of(known), groups, reason);
}

static bool sink_knows(const struct known *known)
{
    struct engine_sink *sink = known->fetch->sink;

    return sink->knows(sink, known->id, strlen(known->id), scope_of(known));
}

// --- pods ----------------------------------------------------------------------------------------

// A pod is known now, or is another one: its containers are asked for again.
static void take_pod(struct known *sandbox, struct pod *pod)
{
    struct known *known;

    if (!pod || pod_equal(sandbox->pod, pod)) {
        pod_free(pod);
        return;
    }
    pod_free(sandbox->pod);
    sandbox->pod = pod;
    LIST_FOREACH (known, &sandbox->fetch->all, all)
        if (known->sandbox_id && strcmp(known->sandbox_id, sandbox->id) == 0 &&
            (known->observed || known->ask.phase == ASK_ASKED))
            want(known);
}

static bool fold_pod(struct known *known, struct container *container)
{
    struct known *sandbox;

    if (!known->sandbox_id) {
        pod_apply_none(container);
        return true;
    }
    sandbox = find_or_add(known->fetch, known->sandbox_id);
    if (sandbox && sandbox->pod) {
        pod_apply(sandbox->pod, container);
        return true;
    }
    if (sandbox && sandbox != known && !sandbox->observed && sandbox->ask.phase == ASK_IDLE) {
        sandbox->is_pod = true;
        want(sandbox);
    }
    return false;
}

// --- one question after the other ----------------------------------------------------------------

static void finished(struct known *known)
{
    drop_answer(known);
    ask_done(known->fetch->queue, &known->ask);
}

static void try_later(struct known *known, const char *text)
{
    struct cri_fetch *fetch = known->fetch;

    drop_answer(known);
    fetch->sink->count(fetch->sink, 0, 1, 0, 0);
    if (!ask_failed(fetch->queue, &known->ask)) {
        known->lacks = true; // the next list brings it up again
        tell_reason(known, CMETA_GROUPS_ALL, CMETA_REASON_ENGINE_UNREACHABLE);
    }
    fetch->failed(fetch->userdata, text);
}

// Older CRI-O has no status of its own for it.
static bool is_not_found(const struct rpc_response *response)
{
    return response->status == RPC_NOT_FOUND ||
           (response->status == RPC_UNKNOWN &&
            (strstr(response->text, "not found") || strstr(response->text, "does not exist")));
}

// Gone, or not registered yet: twice is gone. A sandbox takes its containers' hope with it.
static void on_not_found(struct known *known)
{
    const struct known *other;

    if (known->ask.attempts == 0) {
        drop_answer(known);
        ask_failed(known->fetch->queue, &known->ask);
        return;
    }
    LIST_FOREACH (other, &known->fetch->all, all)
        if (other->sandbox_id && !known->pod && strcmp(other->sandbox_id, known->id) == 0)
            tell_reason(other, CMETA_GROUP_BIT(CMETA_GROUP_POD), CMETA_REASON_ENGINE_UNKNOWN);
    tell_gone(known, known->asked);
    forget(known);
}

static int call(struct known *known, const char *method, const ProtobufCMessage *message,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {
        .method = method, .message = message, .timeout_ms = CRI_FETCH_TIMEOUT_MS};

    return rpc_call(known->fetch->channel, &request, done, known, &known->call);
}

static void ask_image(struct known *known);

static void conclude(struct known *known, const Cri__Image *image)
{
    cri_record_add_image(known->answer, &known->facts, image);
    observe(known, known->answer);
    finished(known);
}

static void on_size(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    Cri__ContainerStatsResponse *answer = NULL;
    const Cri__Image *image = NULL;

    known->call = NULL;
    known->has_size = true; // or won't have it
    if (response->status == RPC_OK)
        answer = cri__container_stats_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->stats)
        known->answer->content.size_rw = cri_record_size(answer->stats);
    if (answer)
        cri__container_stats_response__free_unpacked(answer, NULL);
    if (known->facts.image_query &&
        !cri_images_find(known->fetch->images, known->facts.image_query, &image)) {
        ask_image(known); // pushed out meanwhile
        return;
    }
    conclude(known, image);
}

// The size of the writable layer, if it is wanted; then all is there.
static void ask_size(struct known *known, const Cri__Image *image)
{
    Cri__ContainerStatsRequest message = CRI__CONTAINER_STATS_REQUEST__INIT;

    message.container_id = known->id;
    if (!known->fetch->host->with_size || known->has_size ||
        call(known, "/runtime.v1.RuntimeService/ContainerStats", &message.base, on_size) < 0)
        conclude(known, image);
}

static void on_image(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    Cri__ImageStatusResponse *answer;
    const Cri__Image *image = NULL;

    known->call = NULL;
    if (response->status != RPC_OK) {
        try_later(known, response->text);
        return;
    }
    answer = cri__image_status_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        try_later(known, "an image's status makes no sense");
        return;
    }
    cri_images_put(known->fetch->images, known->facts.image_query, answer->image);
    answer->image = NULL;
    cri__image_status_response__free_unpacked(answer, NULL);
    cri_images_find(known->fetch->images, known->facts.image_query, &image);
    ask_size(known, image);
}

static void ask_image(struct known *known)
{
    Cri__ImageStatusRequest message = CRI__IMAGE_STATUS_REQUEST__INIT;
    Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;
    const Cri__Image *image = NULL;

    if (!known->facts.image_query ||
        cri_images_find(known->fetch->images, known->facts.image_query, &image)) {
        ask_size(known, image);
        return;
    }
    observe(known, known->answer); // all the rest, at once
    spec.image = known->facts.image_query;
    message.image = &spec;
    if (call(known, "/runtime.v1.ImageService/ImageStatus", &message.base, on_image) < 0)
        try_later(known, "an image can't be asked for: out of memory");
}

static void take_status(struct known *known, const Cri__ContainerStatusResponse *answer)
{
    struct cri_fetch *fetch = known->fetch;

    known->answer = cri_record_from_status(answer, fetch->type, known->sandbox_id, &fetch->context,
                                           &known->facts);
    if (!known->answer) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return;
    }
    if (!known->sandbox_id && known->facts.sandbox_id)
        known->sandbox_id = strdup(known->facts.sandbox_id);
    known->state = answer->status->state;
    known->lacks = !fold_pod(known, known->answer);
}

static void on_status(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    Cri__ContainerStatusResponse *answer;

    known->call = NULL;
    if (is_not_found(response)) {
        on_not_found(known);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(known, response->text);
        return;
    }
    answer = cri__container_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer) {
        take_status(known, answer);
        cri__container_status_response__free_unpacked(answer, NULL);
    }
    if (known->answer)
        ask_image(known);
    else
        try_later(known, "a container's status makes no sense");
}

static void on_pod(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    struct cri_fetch *fetch = known->fetch;
    Cri__PodSandboxStatusResponse *answer = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    known->call = NULL;
    if (is_not_found(response)) {
        on_not_found(known);
        return;
    }
    if (response->status == RPC_OK)
        answer =
            cri__pod_sandbox_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer) {
        take_pod(known, cri_record_pod_from_status(answer, fetch->type, &fetch->context));
        // Ready and without an address: the next list asks again.
        known->lacks = known->pod && known->pod->is_ready && !known->pod->network_is_known;
        if (known->pod)
            container = cri_record_sandbox(answer, known->pod, &fetch->context);
        if (container)
            observe(known, container);
        if (answer->status)
            known->state = answer->status->state;
        cri__pod_sandbox_status_response__free_unpacked(answer, NULL);
    }
    if (container)
        finished(known);
    else
        try_later(known,
                  response->status == RPC_OK ? "a pod's status makes no sense" : response->text);
}

static void start(void *userdata, struct ask *ask)
{
    struct known *known = (struct known *)ask; // its first member
    struct cri_fetch *fetch = userdata;
    Cri__PodSandboxStatusRequest pod = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
    Cri__ContainerStatusRequest container = CRI__CONTAINER_STATUS_REQUEST__INIT;
    int r;

    known->asked = fetch->sink->stamp(fetch->sink);
    pod.pod_sandbox_id = container.container_id = known->id;
    pod.verbose = container.verbose = true;
    if (known->is_pod)
        r = call(known, "/runtime.v1.RuntimeService/PodSandboxStatus", &pod.base, on_pod);
    else
        r = call(known, "/runtime.v1.RuntimeService/ContainerStatus", &container.base, on_status);
    if (r < 0)
        try_later(known, "nothing can be asked: out of memory");
}

// --- the lists -----------------------------------------------------------------------------------

void cri_fetch_list_begin(struct cri_fetch *fetch)
{
    fetch->generation++;
}

// Still there; or news, or not known well: ask.
static void listed(struct known *known, engine_stamp asked, int32_t state)
{
    struct engine_sink *sink = known->fetch->sink;
    bool news = !known->observed || known->lacks || known->state != state || !sink_knows(known);

    known->listed = known->fetch->generation;
    known->state = state;
    sink->status(sink, asked, known->id, strlen(known->id), scope_of(known), 0, 0, -1, -1);
    if (news && known->ask.phase == ASK_IDLE)
        want(known);
}

void cri_fetch_pod(struct cri_fetch *fetch, engine_stamp asked, const Cri__PodSandbox *pod)
{
    struct known *known = find_or_add(fetch, pod->id);
    struct pod *told = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    if (!known)
        return;
    known->is_pod = true;
    if (!known->observed) { // or a complete list would end what an earlier daemon left of it
        told = cri_record_pod_from_list(pod, fetch->type, &fetch->context);
        container = told ? pod_to_container(told) : NULL;
        pod_free(told);
        if (container)
            fetch->sink->observe(fetch->sink, asked, container);
    }
    listed(known, asked, pod->state);
}

void cri_fetch_container(struct cri_fetch *fetch, engine_stamp asked, const Cri__Container *element)
{
    struct known *known = find_or_add(fetch, element->id);
    CLEANUP(container_freep)
    struct container *container = NULL;

    if (!known)
        return;
    if (!known->sandbox_id && *element->pod_sandbox_id)
        known->sandbox_id = strdup(element->pod_sandbox_id);
    if (!known->observed) { // a name is better than none
        container = cri_record_from_list(element, fetch->type, &fetch->context, NULL);
        if (container)
            fetch->sink->observe(fetch->sink, asked, container);
    }
    listed(known, asked, element->state);
}

// What the sink still has was confirmed since the list was asked for: its events are yet to come.
void cri_fetch_list_buried(struct cri_fetch *fetch)
{
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        // What is being asked for was created meanwhile, or will be not found.
        if (known->listed != fetch->generation && known->ask.phase == ASK_IDLE &&
            !sink_knows(known))
            forget(known);
    }
}

// --- events --------------------------------------------------------------------------------------

void cri_fetch_changed(struct cri_fetch *fetch, const char *id, bool is_pod)
{
    struct known *known = find_or_add(fetch, id);

    if (!known)
        return;
    known->is_pod |= is_pod;
    want(known);
}

void cri_fetch_gone(struct cri_fetch *fetch, const char *id)
{
    struct known *known = find(fetch, id);

    if (!known)
        return;
    tell_gone(known, fetch->sink->stamp(fetch->sink));
    forget(known);
}

void cri_fetch_forget_images(struct cri_fetch *fetch)
{
    cri_images_clear(fetch->images);
}

// --- life ----------------------------------------------------------------------------------------

int cri_fetch_new(const struct engine_host *host, void (*failed)(void *userdata, const char *text),
                  void *userdata, struct cri_fetch **out)
{
    struct cri_fetch *fetch = calloc(1, sizeof(*fetch));
    int r;

    if (!fetch)
        return -ENOMEM;
    fetch->host = host;
    fetch->sink = host->sink;
    fetch->failed = failed;
    fetch->userdata = userdata;
    fetch->type = CMETA_TYPE_CRI;
    LIST_INIT(&fetch->all);
    (void)oci_host_namespaces_read(&fetch->host_namespaces, host->host_root);
    fetch->context = (struct oci_context){.limits = host->limits, .host = &fetch->host_namespaces};
    fetch->images = cri_images_new();
    r = fetch->images ? ask_queue_new(host->event, CRI_FETCH_PARALLEL, start, fetch, &fetch->queue)
                      : -ENOMEM;
    if (r < 0) {
        cri_fetch_free(fetch);
        return r;
    }
    *out = fetch;
    return 0;
}

struct cri_fetch *cri_fetch_free(struct cri_fetch *fetch)
{
    if (!fetch)
        return NULL;
    if (fetch->queue)
        ask_queue_close(fetch->queue);
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        forget(known);
    }
    ask_queue_free(fetch->queue);
    cri_images_free(fetch->images);
    oci_host_namespaces_done(&fetch->host_namespaces);
    free(fetch);
    return NULL;
}

void cri_fetch_open(struct cri_fetch *fetch, struct rpc_channel *channel, enum cmeta_type type)
{
    fetch->channel = channel;
    fetch->type = type;
    ask_queue_open(fetch->queue);
}

void cri_fetch_close(struct cri_fetch *fetch)
{
    struct known *known;

    ask_queue_close(fetch->queue);
    LIST_FOREACH (known, &fetch->all, all)
        if (known->ask.phase == ASK_ASKED) {
            drop_answer(known);
            ask_requeue(fetch->queue, &known->ask);
        }
    cri_images_clear(fetch->images);
    fetch->channel = NULL;
}
