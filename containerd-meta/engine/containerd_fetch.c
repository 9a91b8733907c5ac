// SPDX-License-Identifier: Apache-2.0
// Source: containerd 1.5 to 2.x, services containers, images and sandbox, v1; its CRI plugin's
// ContainerStatus, for when a container that was there before us was started or ended.
#include "containerd_fetch.h"

#include "ask_queue.h"
#include "containerd-meta/cleanup.h"
#include "containerd_hints.h"
#include "containerd_images.h"
#include "containerd_record.h"
#include "cri_record.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ID_BYTES_MAX 255u

// What there is to ask about one, in this order.
enum want { WANT_RECORD = 1, WANT_STATUS = 2 };

// A container or sandbox that is known, and the question about it.
struct known {
    struct ask ask;
    LIST_ENTRY(known) all;
    struct containerd_fetch *fetch;
    unsigned wants;  // still to be asked
    unsigned asking; // the one under way: who wants it again meanwhile has it asked again
    struct rpc_call *call;
    engine_stamp asked;
    bool observed;                 // the sink has been told its record
    bool lacks;                    // its pod or its image wasn't known then
    bool is_docker, is_cri;        // whose record it is
    bool is_stored;                // in the sandbox store alone: no list names it
    bool asked_for_status;         // of the CRI, once
    uint32_t listed, tasked;       // generations of the last lists that named it
    struct containerd_state heard; // of its task, as of `heard_at`; word 0: nothing
    engine_stamp heard_at;
    int64_t updated_ns;       // of the record that was told
    int64_t started_ns;       // 0 unknown
    struct pod *pod;          // it is this pod's sandbox
    char *sandbox_id;         // it belongs to this one
    struct container *answer; // between the record and its image
    struct containerd_facts facts;
    const char *id; // behind the namespace in `key`
    char key[];     // "namespace\0id"
};

struct containerd_fetch {
    const struct engine_host *host;
    struct engine_sink *sink;
    void (*failed)(void *userdata, const char *text);
    void *userdata;
    struct oci_host_namespaces host_namespaces;
    struct oci_context context;
    struct rpc_channel *channel;
    struct ask_queue *queue;
    struct containerd_images *images;
    void *tree; // tsearch(3), by namespace and ID
    LIST_HEAD(, known) all;
    unsigned count;
    uint32_t generation;
    bool no_cri; // nobody answers CRI's questions on this socket
    struct containerd_hints *hints;
};

// --- the known -----------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order ? order : strcmp(x->id, y->id);
}

static struct known *known_new(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    size_t ns_bytes = strlen(ns) + 1, id_bytes = strlen(id) + 1;
    struct known *known;

    if (ns_bytes == 1 || id_bytes == 1 || id_bytes > ID_BYTES_MAX || ns_bytes > ID_BYTES_MAX)
        return NULL;
    known = calloc(1, sizeof(*known) + ns_bytes + id_bytes);
    if (!known)
        return NULL;
    known->fetch = fetch;
    memcpy(known->key, ns, ns_bytes);
    memcpy(known->key + ns_bytes, id, id_bytes);
    known->id = known->key + ns_bytes;
    return known;
}

static struct known *find(const struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct known *probe = known_new(NULL, ns, id);
    void *node = probe ? tfind(probe, (void *const *)&fetch->tree, compare) : NULL;

    free(probe);
    return node ? *(struct known **)node : NULL;
}

static uint32_t state_of(const struct known *known)
{
    return CMETA_STATUS_STATE(known->heard.word);
}

static struct known *find_or_add(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct known *known = find(fetch, ns, id);

    if (known)
        return known;
    known = fetch->count < CONTAINERD_FETCH_MAX ? known_new(fetch, ns, id) : NULL;
    if (!known) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return NULL;
    }
    if (!tsearch(known, &fetch->tree, compare)) {
        free(known);
        return NULL;
    }
    LIST_INSERT_HEAD(&fetch->all, known, all);
    fetch->count++;
    containerd_hints_add_namespace(fetch->hints, ns);
    return known;
}

static void drop_answer(struct known *known)
{
    known->call = rpc_cancel(known->call);
    known->answer = container_free(known->answer);
    containerd_facts_done(&known->facts);
    known->facts = (struct containerd_facts){0};
}

static void forget(struct known *known)
{
    struct containerd_fetch *fetch = known->fetch;

    drop_answer(known);
    ask_forget(fetch->queue, &known->ask);
    tdelete(known, &fetch->tree, compare);
    LIST_REMOVE(known, all);
    fetch->count--;
    pod_free(known->pod);
    free(known->sandbox_id);
    free(known);
}

// What is under way comes to nothing.
static void drop_question(struct known *known)
{
    drop_answer(known);
    known->wants |= known->asking;
    known->asking = 0;
}

static void want(struct known *known, unsigned what)
{
    known->wants |= what;
    ask_now(known->fetch->queue, &known->ask);
}

// --- telling the sink ----------------------------------------------------------------------------

struct scope {
    char text[CONTAINERD_SCOPE_SIZE];
};

static struct scope scope_of(const struct known *known)
{
    struct scope scope;

    containerd_record_scope(scope.text, sizeof(scope.text), known->id, known->key);
    return scope;
}

static bool sink_knows(const struct known *known)
{
    struct scope scope = scope_of(known);
    struct engine_sink *sink = known->fetch->sink;

    return sink->knows(sink, known->id, strlen(known->id), scope.text);
}

static void tell_status(const struct known *known, engine_stamp asked, uint32_t word, uint32_t mask,
                        int64_t pid, int64_t finished_ns)
{
    struct scope scope = scope_of(known);
    struct engine_sink *sink = known->fetch->sink;

    sink->status(sink, asked, known->id, strlen(known->id), scope.text, word, mask, pid,
                 finished_ns);
}

// As tell_status(). Kept as well: it may come before the record that makes it a container's.
static void tell_heard(struct known *known, engine_stamp asked, uint32_t word, uint32_t mask,
                       int64_t pid, int64_t finished_ns)
{
    if (asked < known->heard_at)
        return;
    known->heard_at = asked;
    known->heard.word = (known->heard.word & ~mask) | (word & mask);
    if (pid >= 0)
        known->heard.pid = (uint32_t)pid;
    if (finished_ns >= 0)
        known->heard.finished_ns = finished_ns;
    tell_status(known, asked, word, mask, pid, finished_ns);
}

static void tell_gone(const struct known *known, engine_stamp asked)
{
    struct scope scope = scope_of(known);
    struct engine_sink *sink = known->fetch->sink;

    sink->gone(sink, asked, known->id, strlen(known->id), scope.text);
}

static void tell_reason(const struct known *known, uint32_t groups, enum cmeta_reason reason)
{
    struct scope scope = scope_of(known);
    struct engine_sink *sink = known->fetch->sink;

    sink->reason(sink, known->id, strlen(known->id), scope.text, groups, reason);
}

static void observe(struct known *known, engine_stamp asked, struct container *container)
{
    known->fetch->sink->observe(known->fetch->sink, asked, container);
    known->observed = true;
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
            strcmp(known->key, sandbox->key) == 0)
            want(known, WANT_RECORD);
}

// Folds the pod in, or asks for it.
static bool fold_pod(struct known *known, struct container *container,
                     const struct containerd_facts *facts)
{
    struct known *sandbox;

    if (facts->is_sandbox || !facts->sandbox_id)
        return true;
    if (!known->sandbox_id)
        known->sandbox_id = strdup(facts->sandbox_id);
    sandbox = find_or_add(known->fetch, known->key, facts->sandbox_id);
    if (sandbox && sandbox->pod) {
        pod_apply(sandbox->pod, container);
        return true;
    }
    // Who has answered and is no sandbox isn't asked again: two that name each other would go on
    // so.
    if (sandbox && sandbox != known && !sandbox->observed && sandbox->ask.phase == ASK_IDLE)
        want(sandbox, WANT_RECORD);
    return false;
}

// --- records -------------------------------------------------------------------------------------

enum outcome { TAKEN, LACKS_IMAGE, REFUSED };

// The image, if it is remembered.
static bool add_image(struct known *known, struct container *container,
                      const struct containerd_facts *facts)
{
    Containerd__Descriptor target = CONTAINERD__DESCRIPTOR__INIT;
    Containerd__Image image = CONTAINERD__IMAGE__INIT;
    const char *digest;

    if (facts->is_sandbox || !facts->image_name) {
        containerd_record_add_image(container, facts, NULL);
        return true;
    }
    digest = containerd_images_find(known->fetch->images, known->key, facts->image_name);
    if (!digest)
        return false;
    image.name = facts->image_name;
    target.digest = (char *)(uintptr_t)digest;
    image.target = &target;
    containerd_record_add_image(container, facts, *digest ? &image : NULL);
    return true;
}

static struct container *map_record(struct known *known, const Containerd__Container *record,
                                    struct containerd_facts *facts)
{
    struct containerd_fetch *fetch = known->fetch;

    known->is_docker = containerd_record_is_docker(record, known->key);
    if (known->is_docker)
        return containerd_record_from_docker(record, &fetch->context);
    return containerd_record_from_container(record, known->key, &fetch->context, facts);
}

// What a record says, to the sink. Its image may have to be asked for: then `container` and `facts`
// are left to the caller.
static enum outcome take_record(struct known *known, engine_stamp asked,
                                const Containerd__Container *record, struct container **container,
                                struct containerd_facts *facts)
{
    bool has_pod, has_image;

    *container = map_record(known, record, facts);
    if (!*container) {
        known->fetch->sink->count(known->fetch->sink, 0, 0, 0, 1);
        return REFUSED;
    }
    known->is_cri = facts->is_cri;
    known->is_stored = false;
    if (known->started_ns)
        (*container)->content.started_ns = known->started_ns;
    if (sink_knows(known))
        (*container)->has_status = false; // more was told than that it was created
    else if (known->heard.word)
        containerd_record_set_state(*container, &known->heard);
    if (facts->is_sandbox)
        take_pod(known, TAKE(facts->pod));
    has_pod = known->is_docker || fold_pod(known, *container, facts);
    has_image = known->is_docker || add_image(known, *container, facts);
    observe(known, asked, *container);
    known->lacks = !has_pod || !has_image;
    known->updated_ns = containerd_record_time_ns(record->updated_at);
    return has_image ? TAKEN : LACKS_IMAGE;
}

static bool is_unchanged(const struct known *known, const Containerd__Container *record)
{
    int64_t updated_ns = containerd_record_time_ns(record->updated_at);

    return known->observed && !known->lacks && updated_ns && updated_ns == known->updated_ns &&
           sink_knows(known);
}

void containerd_fetch_record(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                             const Containerd__Container *record)
{
    struct known *known = find_or_add(fetch, ns, record->id);
    struct containerd_facts facts = {0};
    struct container *container = NULL;

    if (!known)
        return;
    known->listed = fetch->generation;
    if (is_unchanged(known, record)) {
        tell_status(known, asked, 0, 0, -1, -1); // still there
        return;
    }
    if (take_record(known, asked, record, &container, &facts) == LACKS_IMAGE)
        want(known, WANT_RECORD);
    container_free(container);
    containerd_facts_done(&facts);
}

// --- one question after the other ----------------------------------------------------------------

static void go_on(struct known *known);

static void try_later(struct known *known, const char *text)
{
    struct containerd_fetch *fetch = known->fetch;
    bool observed = known->observed;

    drop_question(known);
    fetch->sink->count(fetch->sink, 0, 1, 0, 0);
    if (ask_failed(fetch->queue, &known->ask))
        observed = true; // it will be told yet
    else if (observed)
        tell_reason(known, CMETA_GROUPS_ALL, CMETA_REASON_ENGINE_UNREACHABLE);
    if (!observed)
        forget(known);
    fetch->failed(fetch->userdata, text);
}

static int call(struct known *known, const char *method, const ProtobufCMessage *message,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {.method = method,
                                  .ns = known->key,
                                  .message = message,
                                  .timeout_ms = CONTAINERD_FETCH_TIMEOUT_MS};

    return rpc_call(known->fetch->channel, &request, done, known, &known->call);
}

// The engine doesn't know it; nor, if it is a sandbox, will its containers learn of their pod.
static void on_unknown(struct known *known)
{
    const struct known *other;

    LIST_FOREACH (other, &known->fetch->all, all)
        if (other->sandbox_id && !known->pod && strcmp(other->sandbox_id, known->id) == 0)
            tell_reason(other, CMETA_GROUP_BIT(CMETA_GROUP_POD), CMETA_REASON_ENGINE_UNKNOWN);
    if (known->observed)
        tell_gone(known, known->asked);
    forget(known);
}

static void on_image(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    Containerd__GetImageResponse *answer = NULL;
    const char *digest = ""; // it doesn't have it any more

    known->call = NULL;
    if (response->status == RPC_OK) {
        answer = containerd__get_image_response__unpack(NULL, response->body_bytes, response->body);
        if (answer && answer->image && answer->image->target)
            digest = answer->image->target->digest;
    } else if (response->status != RPC_NOT_FOUND) {
        try_later(known, response->text);
        return;
    }
    containerd_images_put(known->fetch->images, known->key, known->facts.image_name, digest);
    if (answer)
        containerd__get_image_response__free_unpacked(answer, NULL);
    if (add_image(known, known->answer, &known->facts))
        observe(known, known->asked, known->answer);
    known->lacks = !(known->answer->content.known & CMETA_GROUP_BIT(CMETA_GROUP_POD));
    go_on(known);
}

static void ask_image(struct known *known)
{
    Containerd__GetImageRequest message = CONTAINERD__GET_IMAGE_REQUEST__INIT;

    message.name = known->facts.image_name;
    if (call(known, "/containerd.services.images.v1.Images/Get", &message.base, on_image) < 0)
        try_later(known, "an image can't be asked for: out of memory");
}

static void on_store(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    struct containerd_fetch *fetch = known->fetch;
    Containerd__GetSandboxResponse *answer;
    CLEANUP(container_freep)
    struct container *container = NULL;

    known->call = NULL;
    if (response->status == RPC_NOT_FOUND || response->status == RPC_UNIMPLEMENTED) {
        on_unknown(known);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(known, response->text);
        return;
    }
    answer = containerd__get_sandbox_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->sandbox)
        take_pod(known,
                 containerd_record_pod_from_sandbox(answer->sandbox, known->key, &fetch->context));
    if (answer)
        containerd__get_sandbox_response__free_unpacked(answer, NULL);
    if (known->pod)
        container = pod_to_container(known->pod);
    known->is_stored = container != NULL;
    if (container)
        observe(known, known->asked, container);
    go_on(known);
}

// Sandboxes that are no containers (a virtual machine's) stand in the sandbox store only.
static void ask_store(struct known *known)
{
    Containerd__GetSandboxRequest message = CONTAINERD__GET_SANDBOX_REQUEST__INIT;

    message.sandbox_id = (char *)(uintptr_t)known->id;
    if (call(known, "/containerd.services.sandbox.v1.Store/Get", &message.base, on_store) < 0)
        try_later(known, "a sandbox can't be asked for: out of memory");
}

static bool has_containers(const struct known *sandbox)
{
    const struct known *known;

    LIST_FOREACH (known, &sandbox->fetch->all, all)
        if (known->sandbox_id && strcmp(known->sandbox_id, sandbox->id) == 0)
            return true;
    return false;
}

static void on_record(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    Containerd__GetContainerResponse *answer;
    enum outcome outcome = REFUSED;

    known->call = NULL;
    if (response->status == RPC_NOT_FOUND && known->observed && !known->is_stored &&
        known->ask.attempts == 0) { // its events are under way, and tell how it ended
        drop_question(known);
        ask_failed(known->fetch->queue, &known->ask);
        return;
    }
    if (response->status == RPC_NOT_FOUND) {
        if (known->pod || has_containers(known))
            ask_store(known);
        else
            on_unknown(known);
        return;
    }
    if (response->status != RPC_OK) {
        try_later(known, response->text);
        return;
    }
    answer = containerd__get_container_response__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->container && strcmp(answer->container->id, known->id) == 0)
        outcome =
            take_record(known, known->asked, answer->container, &known->answer, &known->facts);
    if (answer)
        containerd__get_container_response__free_unpacked(answer, NULL);
    if (outcome == REFUSED) {
        try_later(known, "a container's record makes no sense");
        return;
    }
    if (outcome == LACKS_IMAGE) {
        ask_image(known);
        return;
    }
    go_on(known);
}

static void ask_record(struct known *known)
{
    Containerd__GetContainerRequest message = CONTAINERD__GET_CONTAINER_REQUEST__INIT;

    message.id = (char *)(uintptr_t)known->id;
    if (call(known, "/containerd.services.containers.v1.Containers/Get", &message.base, on_record) <
        0)
        try_later(known, "a container can't be asked for: out of memory");
}

// When it was started and how it ended; the record doesn't say.
static void on_status(void *userdata, const struct rpc_response *response)
{
    struct known *known = userdata;
    struct containerd_fetch *fetch = known->fetch;
    Cri__ContainerStatusResponse *answer = NULL;
    CLEANUP(container_freep)
    struct container *container = NULL;

    known->call = NULL;
    fetch->no_cri |= response->status == RPC_UNIMPLEMENTED;
    if (response->status != RPC_OK && response->status != RPC_NOT_FOUND)
        known->asked_for_status = false; // its CRI plugin begins later than it: with the next list
    if (response->status == RPC_OK)
        answer = cri__container_status_response__unpack(NULL, response->body_bytes, response->body);
    if (answer)
        container = cri_record_from_status(answer, CMETA_TYPE_CONTAINERD, known->sandbox_id,
                                           &fetch->context, NULL);
    if (container) {
        container->content.known &= CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY);
        known->started_ns = container->content.started_ns;
        if (CMETA_STATUS_STATE(container->status) == CMETA_STATE_RUNNING)
            container->has_status = false; // the task told more
        else if (known->asked >= known->heard_at)
            known->heard = (struct containerd_state){container->status, container->pid,
                                                     container->finished_ns};
        observe(known, known->asked, container);
    }
    if (answer)
        cri__container_status_response__free_unpacked(answer, NULL);
    go_on(known);
}

static void ask_status(struct known *known)
{
    Cri__ContainerStatusRequest message = CRI__CONTAINER_STATUS_REQUEST__INIT;

    message.container_id = (char *)(uintptr_t)known->id;
    if (known->fetch->no_cri ||
        call(known, "/runtime.v1.RuntimeService/ContainerStatus", &message.base, on_status) < 0)
        go_on(known);
}

static void go_on(struct known *known)
{
    drop_answer(known);
    // Another record first, if one is wanted since this one was asked for.
    known->asking = known->ask.again             ? 0
                    : known->wants & WANT_RECORD ? WANT_RECORD
                                                 : known->wants & WANT_STATUS;
    known->wants &= ~known->asking;
    if (known->asking == WANT_RECORD)
        ask_record(known);
    else if (known->asking == WANT_STATUS)
        ask_status(known);
    else
        ask_done(known->fetch->queue, &known->ask);
}

static void start(void *userdata, struct ask *ask)
{
    struct known *known = (struct known *)ask; // its first member
    struct containerd_fetch *fetch = userdata;

    known->asked = fetch->sink->stamp(fetch->sink);
    go_on(known);
}

// --- the list ------------------------------------------------------------------------------------

void containerd_fetch_list_begin(struct containerd_fetch *fetch)
{
    fetch->generation++;
}

void containerd_fetch_image(struct containerd_fetch *fetch, const char *ns,
                            const Containerd__Image *image)
{
    containerd_images_put(fetch->images, ns, image->name,
                          image->target ? image->target->digest : "");
}

void containerd_fetch_list_end(struct containerd_fetch *fetch)
{
    struct known *known;

    LIST_FOREACH (known, &fetch->all, all)
        if (known->listed != fetch->generation && known->is_stored) {
            tell_status(known, fetch->sink->stamp(fetch->sink), 0, 0, -1, -1); // no list names it
            want(known, WANT_RECORD);
        }
}

// What the sink still has was confirmed since the list was asked for: its events are yet to come.
void containerd_fetch_list_buried(struct containerd_fetch *fetch)
{
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        if (known->listed != fetch->generation && known->ask.phase == ASK_IDLE &&
            !sink_knows(known))
            forget(known);
    }
}

void containerd_fetch_task(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                           const Containerd__Process *task)
{
    const char *id = *task->container_id ? task->container_id : task->id;
    struct known *known = find(fetch, ns, id);
    struct containerd_state state = containerd_record_state(task);

    if (!known || known->is_docker || (*task->id && strcmp(task->id, id) != 0))
        return;
    known->tasked = fetch->generation;
    tell_heard(known, asked, state.word, CONTAINERD_FETCH_WHOLE_WORD, state.pid, state.finished_ns);
    if (known->is_cri && !known->pod && !known->started_ns && !known->asked_for_status) {
        known->asked_for_status = true;
        want(known, WANT_STATUS);
    }
}

// No task: created and not started yet, or ended.
static void tell_without_task(struct known *known, engine_stamp asked)
{
    uint32_t state = state_of(known);
    bool has_run = state > CMETA_STATE_CREATED && state < CMETA_STATE_EXITED;

    if (state == CMETA_STATE_EXITED)
        return;
    if (known->is_cri && !known->pod && !known->fetch->no_cri) {
        want(known, WANT_STATUS);
        return;
    }
    if (!state || has_run)
        tell_heard(known, asked, has_run || known->pod ? CMETA_STATE_EXITED : CMETA_STATE_CREATED,
                   0xffu, 0, -1);
}

void containerd_fetch_tasks_end(struct containerd_fetch *fetch, const char *ns, engine_stamp asked)
{
    struct known *known;

    LIST_FOREACH (known, &fetch->all, all)
        if (known->listed == fetch->generation && known->tasked != fetch->generation &&
            known->observed && !known->is_docker && strcmp(known->key, ns) == 0)
            tell_without_task(known, asked);
}

// --- events --------------------------------------------------------------------------------------

void containerd_fetch_ask(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct known *known = find_or_add(fetch, ns, id);

    if (known)
        want(known, WANT_RECORD);
}

void containerd_fetch_state(struct containerd_fetch *fetch, const char *ns, const char *id,
                            uint32_t word, uint32_t mask, int64_t pid, int64_t started_ns,
                            int64_t finished_ns)
{
    struct known *known = find(fetch, ns, id);

    if (!known || known->is_docker) // Docker says it better
        return;
    tell_heard(known, fetch->sink->stamp(fetch->sink), word, mask, pid, finished_ns);
    if (started_ns > 0) {
        known->started_ns = started_ns;
        known->updated_ns = 0; // to be told with its record
        want(known, WANT_RECORD);
    }
}

void containerd_fetch_gone(struct containerd_fetch *fetch, const char *ns, const char *id)
{
    struct known *known = find(fetch, ns, id);

    if (!known)
        return;
    tell_gone(known, fetch->sink->stamp(fetch->sink));
    forget(known);
}

void containerd_fetch_image_changed(struct containerd_fetch *fetch, const char *ns,
                                    const char *name)
{
    containerd_images_forget(fetch->images, ns, name);
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
    LIST_INIT(&fetch->all);
    (void)oci_host_namespaces_read(&fetch->host_namespaces, host->host_root);
    fetch->context = (struct oci_context){.limits = host->limits, .host = &fetch->host_namespaces};
    fetch->images = containerd_images_new();
    fetch->hints = containerd_hints_new(on_found, fetch);
    r = fetch->images && fetch->hints
            ? ask_queue_new(host->event, CONTAINERD_FETCH_PARALLEL, start, fetch, &fetch->queue)
            : -ENOMEM;
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
    if (fetch->queue)
        ask_queue_close(fetch->queue);
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        forget(known);
    }
    containerd_hints_free(fetch->hints);
    ask_queue_free(fetch->queue);
    containerd_images_free(fetch->images);
    oci_host_namespaces_done(&fetch->host_namespaces);
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
    LIST_FOREACH (known, &fetch->all, all)
        if (known->ask.phase == ASK_ASKED) {
            drop_question(known);
            ask_requeue(fetch->queue, &known->ask);
        }
    containerd_images_clear(fetch->images); // names may mean other images by then
    fetch->channel = NULL;
}
