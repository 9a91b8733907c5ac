// SPDX-License-Identifier: Apache-2.0
// Source: CRI runtime.v1 (cri-api 0.20 to 0.36), RuntimeService and ImageService.
#include "cri_fetch.h"

#include "containerd-meta/cleanup.h"
#include "cri_images.h"
#include "cri_record.h"
#include "docker_inspect.h"
#include "known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_EXITED = 2 }; // of a container

// A pod's sandbox or a container, and the question about it.
struct one {
    struct known base;
    struct cri_fetch *fetch;
    bool is_pod;
    int32_t state;  // as the list or the last answer had it
    uint32_t round; // the last in which it was asked about
    struct cri_facts facts;
    bool has_size; // the answer, as far as it will
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
    struct known_set known;
    uint32_t round; // of looking at all, a few after each list
    struct cri_images *images;
};

// --- the known -----------------------------------------------------------------------------------

static struct one *one_of(const struct known *known)
{
    return (struct one *)(uintptr_t)known; // its first member
}

static struct one *find(const struct cri_fetch *fetch, const char *id)
{
    return one_of(known_find(&fetch->known, "", id));
}

static struct one *find_or_add(struct cri_fetch *fetch, const char *id)
{
    struct one *one = one_of(known_find_or_add(&fetch->known, "", id));

    if (!one) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return NULL;
    }
    if (!one->fetch)
        one->state = -1;
    one->fetch = fetch;
    return one;
}

static void drop_answer(struct one *one)
{
    one->base.call = rpc_cancel(one->base.call);
    one->base.answer = container_free(one->base.answer);
    cri_facts_done(&one->facts);
    one->facts = (struct cri_facts){0};
    one->has_size = false;
}

static void end_question(struct known *known)
{
    drop_answer(one_of(known));
}

static void want(struct one *one)
{
    ask_now(one->fetch->queue, &one->base.ask);
}

// --- telling the sink ----------------------------------------------------------------------------

static const char *scope_of(const struct one *one)
{
    return docker_scope(one->base.id, one->fetch->type);
}

static void observe(struct one *one, const struct container *container)
{
    one->fetch->sink->observe(one->fetch->sink, one->base.asked, container);
    one->base.observed = true;
}

static void tell_gone(const struct one *one, engine_stamp asked)
{
    struct engine_sink *sink = one->fetch->sink;

    sink->gone(sink, asked, one->base.id, strlen(one->base.id), scope_of(one));
}

static void tell_reason(const struct one *one, uint32_t groups, enum cmeta_reason reason)
{
    struct engine_sink *sink = one->fetch->sink;

    sink->reason(sink, one->base.id, strlen(one->base.id), scope_of(one), groups, reason);
}

static bool sink_knows(const struct one *one)
{
    struct engine_sink *sink = one->fetch->sink;

    return sink->knows(sink, one->base.id, strlen(one->base.id), scope_of(one));
}

// --- pods ----------------------------------------------------------------------------------------

// A pod is known now, or is another one: its containers are asked for again.
static void take_pod(struct one *sandbox, struct pod *pod)
{
    if (!known_take_pod(&sandbox->base, pod))
        return;
    for (struct known *member = known_first_of(&sandbox->base), *next; member; member = next) {
        next = known_next_of(member);
        if (member->observed || member->ask.phase == ASK_ASKED)
            want(one_of(member));
    }
}

static bool fold_pod(struct one *one, struct container *container)
{
    struct one *sandbox;

    if (!known_sandbox(&one->base)) {
        pod_apply_none(container);
        return true;
    }
    sandbox = find_or_add(one->fetch, known_sandbox(&one->base));
    if (sandbox && sandbox->base.pod) {
        pod_apply(sandbox->base.pod, container);
        return true;
    }
    if (sandbox && sandbox != one && !sandbox->base.observed && !sandbox->base.lacks &&
        sandbox->base.ask.phase == ASK_IDLE) { // if it was given up the next list asks
        sandbox->is_pod = true;
        want(sandbox);
    }
    return false;
}

// --- one question after the other ----------------------------------------------------------------

static void finished(struct one *one)
{
    drop_answer(one);
    ask_done(one->fetch->queue, &one->base.ask);
}

static void give_up(struct one *one)
{
    one->base.lacks = true; // the next list brings it up again
    tell_reason(one, CMETA_GROUPS_ALL, CMETA_REASON_ENGINE_UNREACHABLE);
}

static void try_later(struct one *one, const char *text)
{
    struct cri_fetch *fetch = one->fetch;

    drop_answer(one);
    fetch->sink->count(fetch->sink, 0, 1, 0, 0);
    if (!ask_failed(fetch->queue, &one->base.ask))
        give_up(one);
    fetch->failed(fetch->userdata, text);
}

// It was answered, and would be answered the same in a moment.
static void on_nonsense(struct one *one, const char *text)
{
    struct cri_fetch *fetch = one->fetch;

    drop_answer(one);
    fetch->sink->count(fetch->sink, 0, 1, 0, 0);
    give_up(one);
    ask_done(fetch->queue, &one->base.ask);
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
static void on_not_found(struct one *one)
{
    const struct known *member = one->base.pod ? NULL : known_first_of(&one->base);

    if (one->base.ask.attempts == 0) {
        drop_answer(one);
        ask_failed(one->fetch->queue, &one->base.ask);
        return;
    }
    for (; member; member = known_next_of(member))
        tell_reason(one_of(member), CMETA_GROUP_BIT(CMETA_GROUP_POD), CMETA_REASON_ENGINE_UNKNOWN);
    tell_gone(one, one->base.asked);
    known_forget(&one->base);
}

static int call(struct one *one, const char *method, const ProtobufCMessage *message,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {
        .method = method, .message = message, .timeout_ms = CRI_FETCH_TIMEOUT_MS};

    return rpc_call(one->fetch->channel, &request, done, one, &one->base.call);
}

static void ask_image(struct one *one);

static void conclude(struct one *one, const Cri__Image *image)
{
    cri_record_add_image(one->base.answer, &one->facts, image);
    observe(one, one->base.answer);
    finished(one);
}

static void on_size(void *userdata, const struct rpc_response *response)
{
    struct one *one = userdata;
    Cri__ContainerStatsResponse *answer = NULL;
    const Cri__Image *image = NULL;

    one->base.call = NULL;
    one->has_size = true; // or won't have it
    if (response->status == RPC_OK)
        answer = cri__container_stats_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->stats)
        one->base.answer->content.size_rw = cri_record_size(answer->stats);
    if (answer)
        cri__container_stats_response__free_unpacked(answer, NULL);
    if (one->facts.image_query &&
        !cri_images_find(one->fetch->images, one->facts.image_query, &image)) {
        ask_image(one); // pushed out meanwhile
        return;
    }
    conclude(one, image);
}

// The size of the writable layer, if it is wanted; then all is there.
static void ask_size(struct one *one, const Cri__Image *image)
{
    Cri__ContainerStatsRequest message = CRI__CONTAINER_STATS_REQUEST__INIT;

    message.container_id = (char *)(uintptr_t)one->base.id;
    if (!one->fetch->host->with_size || one->has_size ||
        call(one, "/runtime.v1.RuntimeService/ContainerStats", &message.base, on_size) < 0)
        conclude(one, image);
}

static void on_image(void *userdata, const struct rpc_response *response)
{
    struct one *one = userdata;
    Cri__ImageStatusResponse *answer;
    const Cri__Image *image = NULL;

    one->base.call = NULL;
    if (response->status != RPC_OK) {
        try_later(one, response->text);
        return;
    }
    answer = cri__image_status_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        on_nonsense(one, "an image's status makes no sense");
        return;
    }
    cri_images_put(one->fetch->images, one->facts.image_query, answer->image);
    answer->image = NULL;
    cri__image_status_response__free_unpacked(answer, NULL);
    cri_images_find(one->fetch->images, one->facts.image_query, &image);
    ask_size(one, image);
}

static void ask_image(struct one *one)
{
    Cri__ImageStatusRequest message = CRI__IMAGE_STATUS_REQUEST__INIT;
    Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;
    const Cri__Image *image = NULL;

    if (!one->facts.image_query ||
        cri_images_find(one->fetch->images, one->facts.image_query, &image)) {
        ask_size(one, image);
        return;
    }
    observe(one, one->base.answer); // all the rest, at once
    spec.image = one->facts.image_query;
    message.image = &spec;
    if (call(one, "/runtime.v1.ImageService/ImageStatus", &message.base, on_image) < 0)
        try_later(one, "an image can't be asked for: out of memory");
}

static void take_status(struct one *one, const Cri__ContainerStatusResponse *answer)
{
    struct cri_fetch *fetch = one->fetch;

    one->base.answer = cri_record_from_status(answer, fetch->type, known_sandbox(&one->base),
                                              &fetch->context, &one->facts);
    if (!one->base.answer) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return;
    }
    if (one->facts.sandbox_id)
        known_join(&one->base, one->facts.sandbox_id);
    one->state = answer->status->state;
    one->base.lacks = !fold_pod(one, one->base.answer);
}

static void on_status(void *userdata, const struct rpc_response *response)
{
    struct one *one = userdata;
    Cri__ContainerStatusResponse *answer;

    one->base.call = NULL;
    if (is_not_found(response)) {
        on_not_found(one);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(one, response->text);
        return;
    }
    answer = cri__container_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer) {
        take_status(one, answer);
        cri__container_status_response__free_unpacked(answer, NULL);
    }
    if (one->base.answer)
        ask_image(one);
    else
        on_nonsense(one, "a container's status makes no sense");
}

static void on_pod(void *userdata, const struct rpc_response *response)
{
    struct one *one = userdata;
    struct cri_fetch *fetch = one->fetch;
    Cri__PodSandboxStatusResponse *answer = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    one->base.call = NULL;
    if (is_not_found(response)) {
        on_not_found(one);
        return;
    }
    if (response->status == RPC_OK)
        answer =
            cri__pod_sandbox_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer) {
        take_pod(one, cri_record_pod_from_status(answer, fetch->type, &fetch->context));
        // Ready and without an address: the next list asks again.
        one->base.lacks =
            one->base.pod && one->base.pod->is_ready && !one->base.pod->network_is_known;
        if (one->base.pod)
            container = cri_record_sandbox(answer, one->base.pod, &fetch->context);
        if (container)
            observe(one, container);
        if (answer->status)
            one->state = answer->status->state;
        cri__pod_sandbox_status_response__free_unpacked(answer, NULL);
    }
    if (container)
        finished(one);
    else if (response->status == RPC_OK)
        on_nonsense(one, "a pod's status makes no sense");
    else
        try_later(one, response->text);
}

static void start(void *userdata, struct ask *ask)
{
    struct one *one = one_of((struct known *)ask); // its first member
    struct cri_fetch *fetch = userdata;
    Cri__PodSandboxStatusRequest pod = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
    Cri__ContainerStatusRequest container = CRI__CONTAINER_STATUS_REQUEST__INIT;
    int r;

    one->base.asked = fetch->sink->stamp(fetch->sink);
    one->round = fetch->round;
    pod.pod_sandbox_id = container.container_id = (char *)(uintptr_t)one->base.id;
    pod.verbose = container.verbose = true;
    if (one->is_pod)
        r = call(one, "/runtime.v1.RuntimeService/PodSandboxStatus", &pod.base, on_pod);
    else
        r = call(one, "/runtime.v1.RuntimeService/ContainerStatus", &container.base, on_status);
    if (r < 0)
        try_later(one, "nothing can be asked: out of memory");
}

// --- the lists -----------------------------------------------------------------------------------

void cri_fetch_list_begin(struct cri_fetch *fetch)
{
    fetch->known.generation++;
}

// Still there; or news, or not known well: ask.
static void listed(struct one *one, engine_stamp asked, int32_t state)
{
    struct engine_sink *sink = one->fetch->sink;
    bool news = !one->base.observed || one->base.lacks || one->state != state || !sink_knows(one);

    one->base.listed = one->fetch->known.generation;
    one->state = state;
    sink->status(sink, asked, one->base.id, strlen(one->base.id), scope_of(one), 0, 0, -1, -1);
    if (news && one->base.ask.phase == ASK_IDLE)
        want(one);
}

void cri_fetch_pod(struct cri_fetch *fetch, engine_stamp asked, const Cri__PodSandbox *pod)
{
    struct one *one = find_or_add(fetch, pod->id);
    struct pod *told = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    if (!one)
        return;
    one->is_pod = true;
    if (!one->base.observed) { // or a complete list would end what an earlier daemon left of it
        told = cri_record_pod_from_list(pod, fetch->type, &fetch->context);
        container = told ? pod_to_container(told) : NULL;
        pod_free(told);
        if (container)
            fetch->sink->observe(fetch->sink, asked, container);
    }
    listed(one, asked, pod->state);
}

void cri_fetch_container(struct cri_fetch *fetch, engine_stamp asked, const Cri__Container *element)
{
    struct one *one = find_or_add(fetch, element->id);
    CLEANUP(container_freep)
    struct container *container = NULL;

    if (!one)
        return;
    known_join(&one->base, element->pod_sandbox_id);
    if (!one->base.observed) { // a name is better than none
        container = cri_record_from_list(element, fetch->type, &fetch->context, NULL);
        if (container)
            fetch->sink->observe(fetch->sink, asked, container);
    }
    listed(one, asked, element->state);
}

// What the sink still has was confirmed since the list was asked for: its events are yet to come.
void cri_fetch_list_buried(struct cri_fetch *fetch)
{
    for (struct known *known = LIST_FIRST(&fetch->known.all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        // What is being asked for was created meanwhile, or will be not found.
        if (known->listed != fetch->known.generation && known->ask.phase == ASK_IDLE &&
            !sink_knows(one_of(known)))
            known_forget(known);
    }
}

// Limits may be changed while a container runs (UpdateContainerResources), which no list and no
// event tells: round by round all are asked about, each list has its share.
void cri_fetch_look_again(struct cri_fetch *fetch, uint64_t passed_us)
{
    const uint64_t share = passed_us < CRI_FETCH_ROUND_US ? passed_us : CRI_FETCH_ROUND_US;
    uint64_t left = fetch->known.count * share / CRI_FETCH_ROUND_US + 1;
    struct known *known;

    LIST_FOREACH (known, &fetch->known.all, all) {
        struct one *one = one_of(known);

        if (one->is_pod || one->state == STATE_EXITED || one->round == fetch->round ||
            !known->observed || known->ask.phase != ASK_IDLE)
            continue;
        if (left-- == 0)
            return;
        want(one);
    }
    fetch->round++;
}

// --- events --------------------------------------------------------------------------------------

// A hint named it and the runtime lists it no more: it is asked what became of it.
void cri_fetch_missed(struct cri_fetch *fetch, const char *id)
{
    struct one *one = find(fetch, id);

    if (one && one->base.ask.phase == ASK_IDLE)
        want(one);
}

void cri_fetch_changed(struct cri_fetch *fetch, const char *id, bool is_pod)
{
    struct one *one = find_or_add(fetch, id);

    if (!one)
        return;
    one->is_pod |= is_pod;
    want(one);
}

void cri_fetch_gone(struct cri_fetch *fetch, const char *id)
{
    struct one *one = find(fetch, id);

    if (!one)
        return;
    tell_gone(one, fetch->sink->stamp(fetch->sink));
    known_forget(&one->base);
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
    (void)oci_host_namespaces_read(&fetch->host_namespaces, host->host_root);
    fetch->context = (struct oci_context){.limits = host->limits, .host = &fetch->host_namespaces};
    fetch->images = cri_images_new();
    r = fetch->images ? ask_queue_new(host->event, CRI_FETCH_PARALLEL, start, fetch, &fetch->queue)
                      : -ENOMEM;
    known_set_init(&fetch->known, fetch->queue, sizeof(struct one), end_question);
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
    known_set_done(&fetch->known);
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
    LIST_FOREACH (known, &fetch->known.all, all)
        if (known->ask.phase == ASK_ASKED) {
            drop_answer(one_of(known));
            ask_requeue(fetch->queue, &known->ask);
        }
    cri_images_clear(fetch->images);
    fetch->channel = NULL;
}
