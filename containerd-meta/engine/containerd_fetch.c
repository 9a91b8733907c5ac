// SPDX-License-Identifier: Apache-2.0
// Source: containerd 1.5 to 2.x, services containers, images and sandbox, v1; its CRI plugin's
// ContainerStatus, for when a container that was there before us was started or ended.
#include "containerd_fetch.h"

#include "containerd-meta/cleanup.h"
#include "containerd_hints.h"
#include "containerd_known.h"
#include "cri_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct containerd_fetch {
    const struct engine_host *host;
    struct engine_sink *sink;
    void (*failed)(void *userdata, const char *text);
    void *userdata;
    struct rpc_channel *channel;
    struct ask_queue *queue;
    struct containerd_known known;
    bool no_cri; // nobody answers CRI's questions on this socket
    struct containerd_hints *hints;
};

static struct containerd_fetch *fetch_of(const struct containerd_one *one)
{
    return (struct containerd_fetch *)((uintptr_t)one->all -
                                       offsetof(struct containerd_fetch, known));
}

static struct containerd_one *known_one(struct containerd_fetch *fetch, const char *ns,
                                        const char *id)
{
    struct containerd_one *one = containerd_known_find_or_add(&fetch->known, ns, id);

    if (one)
        containerd_hints_add_namespace(fetch->hints, ns);
    return one;
}

static void drop_answer(struct containerd_one *one)
{
    one->base.call = rpc_cancel(one->base.call);
    one->base.answer = container_free(one->base.answer);
    containerd_facts_done(&one->facts);
    one->facts = (struct containerd_facts){0};
}

static void end_question(struct known *known)
{
    drop_answer(containerd_one_of(known));
}

// What is under way comes to nothing.
static void drop_question(struct containerd_one *one)
{
    drop_answer(one);
    one->wants |= one->asking;
    one->asking = 0;
}

void containerd_fetch_record(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                             const Containerd__Container *record)
{
    struct containerd_one *one = known_one(fetch, ns, record->id);
    struct containerd_facts facts = {0};
    struct container *container = NULL;

    if (!one)
        return;
    one->base.listed = fetch->known.set.generation;
    if (containerd_one_is_unchanged(one, record)) {
        containerd_one_status(one, asked, 0, 0, -1, -1); // still there
        return;
    }
    if (containerd_one_take_record(one, asked, record, &container, &facts) ==
        CONTAINERD_LACKS_IMAGE)
        containerd_one_want(one, CONTAINERD_WANT_RECORD);
    container_free(container);
    containerd_facts_done(&facts);
}

// --- one question after the other ----------------------------------------------------------------

static void go_on(struct containerd_one *one);

static void try_later(struct containerd_one *one, const char *text)
{
    struct containerd_fetch *fetch = fetch_of(one);
    bool observed = one->base.observed;

    drop_question(one);
    fetch->sink->count(fetch->sink, 0, 1, 0, 0);
    if (ask_failed(fetch->queue, &one->base.ask))
        observed = true; // it will be told yet
    else if (observed)
        containerd_one_reason(one, CMETA_GROUPS_ALL, CMETA_REASON_ENGINE_UNREACHABLE);
    if (!observed)
        known_forget(&one->base);
    fetch->failed(fetch->userdata, text);
}

static int call(struct containerd_one *one, const char *method, const ProtobufCMessage *message,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {.method = method,
                                  .ns = one->base.ns,
                                  .message = message,
                                  .timeout_ms = CONTAINERD_FETCH_TIMEOUT_MS};

    return rpc_call(fetch_of(one)->channel, &request, done, one, &one->base.call);
}

// The engine doesn't know it; nor, if it is a sandbox, will its containers learn of their pod.
static void on_unknown(struct containerd_one *one)
{
    struct known *member = one->base.pod ? NULL : known_first_of(&one->base);

    for (; member; member = known_next_of(member))
        containerd_one_reason(containerd_one_of(member), CMETA_GROUP_BIT(CMETA_GROUP_POD),
                              CMETA_REASON_ENGINE_UNKNOWN);
    if (one->base.observed)
        containerd_one_gone(one, one->base.asked);
    known_forget(&one->base);
}

static void on_image(void *userdata, const struct rpc_response *response)
{
    struct containerd_one *one = userdata;
    Containerd__GetImageResponse *answer = NULL;
    const char *digest = ""; // it doesn't have it any more

    one->base.call = NULL;
    if (response->status == RPC_OK) {
        answer = containerd__get_image_response__unpack(NULL, response->body_bytes, response->body);
        if (answer && answer->image && answer->image->target)
            digest = answer->image->target->digest;
    } else if (response->status != RPC_NOT_FOUND) {
        try_later(one, response->text);
        return;
    }
    containerd_images_put(fetch_of(one)->known.images, one->base.ns, one->facts.image_name, digest);
    if (answer)
        containerd__get_image_response__free_unpacked(answer, NULL);
    if (containerd_one_add_image(one, one->base.answer, &one->facts))
        containerd_one_observe(one, one->base.asked, one->base.answer);
    one->base.lacks = !(one->base.answer->content.known & CMETA_GROUP_BIT(CMETA_GROUP_POD));
    go_on(one);
}

static void ask_image(struct containerd_one *one)
{
    Containerd__GetImageRequest message = CONTAINERD__GET_IMAGE_REQUEST__INIT;

    message.name = one->facts.image_name;
    if (call(one, "/containerd.services.images.v1.Images/Get", &message.base, on_image) < 0)
        try_later(one, "an image can't be asked for: out of memory");
}

static void on_store(void *userdata, const struct rpc_response *response)
{
    struct containerd_one *one = userdata;
    struct containerd_fetch *fetch = fetch_of(one);
    Containerd__GetSandboxResponse *answer;
    CLEANUP(container_freep)
    struct container *container = NULL;

    one->base.call = NULL;
    if (response->status == RPC_NOT_FOUND || response->status == RPC_UNIMPLEMENTED) {
        on_unknown(one);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(one, response->text);
        return;
    }
    answer = containerd__get_sandbox_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->sandbox)
        containerd_one_take_pod(one, containerd_record_pod_from_sandbox(
                                         answer->sandbox, one->base.ns, &fetch->known.context));
    if (answer)
        containerd__get_sandbox_response__free_unpacked(answer, NULL);
    if (one->base.pod)
        container = pod_to_container(one->base.pod);
    one->is_stored = container != NULL;
    if (container)
        containerd_one_observe(one, one->base.asked, container);
    go_on(one);
}

// Sandboxes that are no containers (a virtual machine's) stand in the sandbox store only.
static void ask_store(struct containerd_one *one)
{
    Containerd__GetSandboxRequest message = CONTAINERD__GET_SANDBOX_REQUEST__INIT;

    message.sandbox_id = (char *)(uintptr_t)one->base.id;
    if (call(one, "/containerd.services.sandbox.v1.Store/Get", &message.base, on_store) < 0)
        try_later(one, "a sandbox can't be asked for: out of memory");
}

static void on_record(void *userdata, const struct rpc_response *response)
{
    struct containerd_one *one = userdata;
    Containerd__GetContainerResponse *answer;
    enum containerd_outcome outcome = CONTAINERD_REFUSED;

    one->base.call = NULL;
    if (response->status == RPC_NOT_FOUND && one->base.observed && !one->is_stored &&
        one->base.ask.attempts == 0) { // its events are under way, and tell how it ended
        drop_question(one);
        ask_failed(fetch_of(one)->queue, &one->base.ask);
        return;
    }
    if (response->status == RPC_NOT_FOUND) {
        if (one->base.pod || known_first_of(&one->base))
            ask_store(one);
        else
            on_unknown(one);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(one, response->text);
        return;
    }
    answer = containerd__get_container_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->container && strcmp(answer->container->id, one->base.id) == 0)
        outcome = containerd_one_take_record(one, one->base.asked, answer->container,
                                             &one->base.answer, &one->facts);
    if (answer)
        containerd__get_container_response__free_unpacked(answer, NULL);
    if (outcome == CONTAINERD_REFUSED) {
        try_later(one, "a container's record makes no sense");
        return;
    }
    if (outcome == CONTAINERD_LACKS_IMAGE) {
        ask_image(one);
        return;
    }
    go_on(one);
}

static void ask_record(struct containerd_one *one)
{
    Containerd__GetContainerRequest message = CONTAINERD__GET_CONTAINER_REQUEST__INIT;

    message.id = (char *)(uintptr_t)one->base.id;
    if (call(one, "/containerd.services.containers.v1.Containers/Get", &message.base, on_record) <
        0)
        try_later(one, "a container can't be asked for: out of memory");
}

// When it was started and how it ended; the record doesn't say.
static void on_status(void *userdata, const struct rpc_response *response)
{
    struct containerd_one *one = userdata;
    struct containerd_fetch *fetch = fetch_of(one);
    Cri__ContainerStatusResponse *answer = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    one->base.call = NULL;
    fetch->no_cri |= response->status == RPC_UNIMPLEMENTED;
    if (response->status != RPC_OK && response->status != RPC_NOT_FOUND)
        one->asked_for_status = false; // its CRI plugin begins later than it: with the next list
    if (response->status == RPC_OK)
        answer = cri__container_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer)
        container = cri_record_from_status(answer, CMETA_TYPE_CONTAINERD, known_sandbox(&one->base),
                                           &fetch->known.context, NULL);
    if (container) {
        container->content.known &= CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY);
        one->started_ns = container->content.started_ns;
        if (CMETA_STATUS_STATE(container->status) == CMETA_STATE_RUNNING)
            container->has_status = false; // the task told more
        else if (one->base.asked >= one->heard_at)
            one->heard = (struct containerd_state){container->status, container->pid,
                                                   container->finished_ns};
        containerd_one_observe(one, one->base.asked, container);
    }
    if (answer)
        cri__container_status_response__free_unpacked(answer, NULL);
    go_on(one);
}

static void ask_status(struct containerd_one *one)
{
    Cri__ContainerStatusRequest message = CRI__CONTAINER_STATUS_REQUEST__INIT;

    message.container_id = (char *)(uintptr_t)one->base.id;
    if (fetch_of(one)->no_cri ||
        call(one, "/runtime.v1.RuntimeService/ContainerStatus", &message.base, on_status) < 0)
        go_on(one);
}

static void go_on(struct containerd_one *one)
{
    drop_answer(one);
    // Another record first, if one is wanted since this one was asked for.
    one->asking = one->base.ask.again                   ? 0
                  : one->wants & CONTAINERD_WANT_RECORD ? CONTAINERD_WANT_RECORD
                                                        : one->wants & CONTAINERD_WANT_STATUS;
    one->wants &= ~one->asking;
    if (one->asking == CONTAINERD_WANT_RECORD)
        ask_record(one);
    else if (one->asking == CONTAINERD_WANT_STATUS)
        ask_status(one);
    else
        ask_done(fetch_of(one)->queue, &one->base.ask);
}

static void start(void *userdata, struct ask *ask)
{
    struct containerd_one *one = containerd_one_of((struct known *)ask); // its first member
    struct containerd_fetch *fetch = userdata;

    one->base.asked = fetch->sink->stamp(fetch->sink);
    go_on(one);
}

// --- the list ------------------------------------------------------------------------------------

void containerd_fetch_list_begin(struct containerd_fetch *fetch)
{
    fetch->known.set.generation++;
}

void containerd_fetch_image(struct containerd_fetch *fetch, const char *ns,
                            const Containerd__Image *image)
{
    containerd_images_put(fetch->known.images, ns, image->name,
                          image->target ? image->target->digest : "");
}

void containerd_fetch_list_end(struct containerd_fetch *fetch)
{
    struct known *known;

    LIST_FOREACH (known, &fetch->known.set.all, all) {
        struct containerd_one *one = containerd_one_of(known);

        if (one->base.listed != fetch->known.set.generation && one->is_stored) {
            containerd_one_status(one, fetch->sink->stamp(fetch->sink), 0, 0, -1,
                                  -1); // no list names it
            containerd_one_want(one, CONTAINERD_WANT_RECORD);
        }
    }
}

// What the sink still has was confirmed since the list was asked for: its events are yet to come.
void containerd_fetch_list_buried(struct containerd_fetch *fetch)
{
    for (struct known *known = LIST_FIRST(&fetch->known.set.all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        if (known->listed != fetch->known.set.generation && known->ask.phase == ASK_IDLE &&
            !containerd_one_is_told(containerd_one_of(known)))
            known_forget(known);
    }
}

void containerd_fetch_task(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                           const Containerd__Process *task)
{
    const char *id = *task->container_id ? task->container_id : task->id;
    struct containerd_one *one = containerd_known_find(&fetch->known, ns, id);
    struct containerd_state state = containerd_record_state(task);

    if (!one || one->is_docker || (*task->id && strcmp(task->id, id) != 0))
        return;
    one->tasked = fetch->known.set.generation;
    containerd_one_heard(one, asked, state.word, CONTAINERD_FETCH_WHOLE_WORD, state.pid,
                         state.finished_ns);
    if (one->is_cri && !one->base.pod && !one->started_ns && !one->asked_for_status) {
        one->asked_for_status = true;
        containerd_one_want(one, CONTAINERD_WANT_STATUS);
    }
}

// No task: created and not started yet, or ended.
static void tell_without_task(struct containerd_one *one, engine_stamp asked)
{
    uint32_t state = CMETA_STATUS_STATE(one->heard.word);
    bool has_run = state > CMETA_STATE_CREATED && state < CMETA_STATE_EXITED;

    if (state == CMETA_STATE_EXITED)
        return;
    if (one->is_cri && !one->base.pod && !fetch_of(one)->no_cri) {
        containerd_one_want(one, CONTAINERD_WANT_STATUS);
        return;
    }
    if (!state || has_run)
        containerd_one_heard(one, asked,
                             has_run || one->base.pod ? CMETA_STATE_EXITED : CMETA_STATE_CREATED,
                             0xffu, 0, -1);
}

void containerd_fetch_tasks_end(struct containerd_fetch *fetch, const char *ns, engine_stamp asked)
{
    struct known *known;

    LIST_FOREACH (known, &fetch->known.set.all, all) {
        struct containerd_one *one = containerd_one_of(known);

        if (one->base.listed == fetch->known.set.generation &&
            one->tasked != fetch->known.set.generation && one->base.observed && !one->is_docker &&
            strcmp(one->base.ns, ns) == 0)
            tell_without_task(one, asked);
    }
}

// --- events --------------------------------------------------------------------------------------

void containerd_fetch_ask(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct containerd_one *one = known_one(fetch, ns, id);

    if (one)
        containerd_one_want(one, CONTAINERD_WANT_RECORD);
}

void containerd_fetch_state(struct containerd_fetch *fetch, const char *ns, const char *id,
                            uint32_t word, uint32_t mask, int64_t pid, int64_t started_ns,
                            int64_t finished_ns)
{
    struct containerd_one *one = containerd_known_find(&fetch->known, ns, id);

    if (!one || one->is_docker) // Docker says it better
        return;
    containerd_one_heard(one, fetch->sink->stamp(fetch->sink), word, mask, pid, finished_ns);
    if (started_ns > 0) {
        one->started_ns = started_ns;
        one->updated_ns = 0; // to be told with its record
        containerd_one_want(one, CONTAINERD_WANT_RECORD);
    }
}

void containerd_fetch_gone(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct containerd_one *one = containerd_known_find(&fetch->known, ns, id);

    if (!one)
        return;
    containerd_one_gone(one, fetch->sink->stamp(fetch->sink));
    known_forget(&one->base);
}

void containerd_fetch_image_changed(struct containerd_fetch *fetch, const char *ns,
                                    const char *name)
{
    containerd_images_forget(fetch->known.images, ns, name);
}

// --- hints ---------------------------------------------------------------------------------------

static void on_found(void *userdata, const char *ns, const char *id)
{
    containerd_fetch_ask(userdata, ns, id);
}

void containerd_fetch_hint(struct containerd_fetch *fetch, const char *id, size_t id_len)
{
    containerd_hints_ask(fetch->hints, id, id_len);
}

// --- life ----------------------------------------------------------------------------------------

int containerd_fetch_new(const struct engine_host *host,
                         void (*failed)(void *userdata, const char *text), void *userdata,
                         struct containerd_fetch **out)
{
    struct containerd_fetch *fetch = calloc(1, sizeof(*fetch));
    int r;

    if (!fetch)
        return -ENOMEM;
    fetch->host = host;
    fetch->sink = host->sink;
    fetch->failed = failed;
    fetch->userdata = userdata;
    r = ask_queue_new(host->event, CONTAINERD_FETCH_PARALLEL, start, fetch, &fetch->queue);
    if (r < 0) {
        free(fetch);
        return r;
    }
    r = containerd_known_init(&fetch->known, host, fetch->queue, end_question);
    fetch->hints = containerd_hints_new(on_found, fetch);
    if (!fetch->hints)
        r = -ENOMEM;
    if (r < 0) {
        containerd_fetch_free(fetch);
        return r;
    }
    *out = fetch;
    return 0;
}

struct containerd_fetch *containerd_fetch_free(struct containerd_fetch *fetch)
{
    if (!fetch)
        return NULL;
    ask_queue_close(fetch->queue);
    containerd_known_done(&fetch->known);
    containerd_hints_free(fetch->hints);
    ask_queue_free(fetch->queue);
    free(fetch);
    return NULL;
}

void containerd_fetch_open(struct containerd_fetch *fetch, struct rpc_channel *channel)
{
    fetch->channel = channel;
    fetch->no_cri = false;
    containerd_hints_open(fetch->hints, channel);
    ask_queue_open(fetch->queue);
}

void containerd_fetch_close(struct containerd_fetch *fetch)
{
    struct known *known;

    ask_queue_close(fetch->queue);
    containerd_hints_close(fetch->hints);
    LIST_FOREACH (known, &fetch->known.set.all, all)
        if (known->ask.phase == ASK_ASKED) {
            drop_question(containerd_one_of(known));
            ask_requeue(fetch->queue, &known->ask);
        }
    containerd_images_clear(fetch->known.images); // names may mean other images by then
    fetch->channel = NULL;
}
