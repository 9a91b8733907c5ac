// SPDX-License-Identifier: Apache-2.0
// Source: containerd 1.5 to 2.x, services namespaces, images, containers and tasks, v1.
#include "containerd_list.h"

#include "containerd_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACES_MAX 256u
#define LIST_MS        10000u
#define TASKS_MS       30000u // a hung shim is waited for by containerd, two seconds each

enum step { STEP_NAMESPACES, STEP_IMAGES, STEP_SANDBOXES, STEP_CONTAINERS, STEP_TASKS };

struct containerd_list {
    const struct engine_host *host;
    struct containerd_fetch *fetch;
    const char *only;
    const struct containerd_list_calls *calls;
    void *userdata;
    struct rpc_channel *channel;
    struct rpc_call *call;
    bool under_way;
    bool again; // asked for meanwhile: what is under way may have passed by what it is asked for
    enum step step;
    char *namespaces[NAMESPACES_MAX];
    unsigned count, at;
    engine_stamp asked;      // of the pass
    engine_stamp step_asked; // of the tasks
    unsigned gaps;           // records, or all of a namespace, that couldn't be read
    uint64_t heard, heard_before;
};

static void ask(struct containerd_list *list);

static const char *ns_of(const struct containerd_list *list)
{
    return list->at < list->count ? list->namespaces[list->at] : NULL;
}

static void forget_namespaces(struct containerd_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        free(list->namespaces[i]);
    list->count = list->at = 0;
}

static void add_gap(struct containerd_list *list)
{
    list->gaps++;
    list->host->sink->count(list->host->sink, 0, 0, 0, 1);
}

static void add_namespace(struct containerd_list *list, const char *name)
{
    if (!containerd_ns_is_valid(name) || (list->only && strcmp(name, list->only) != 0))
        return;
    if (list->count < NAMESPACES_MAX && (list->namespaces[list->count] = strdup(name)))
        list->count++;
    else
        add_gap(list);
}

static void finish(struct containerd_list *list, const char *error)
{
    bool again = list->again && !error;

    list->under_way = list->again = false;
    list->call = NULL;
    list->calls->end(list->userdata, error);
    if (again)
        containerd_list_begin(list, list->channel);
}

// The next step; it may turn out that there is nothing to ask in it.
static void go_on(struct containerd_list *list)
{
    switch (list->step) {
    case STEP_NAMESPACES:
    case STEP_IMAGES:
    case STEP_SANDBOXES:
        list->step++;
        break;
    case STEP_CONTAINERS:
        list->at++;
        list->step = STEP_IMAGES;
        if (ns_of(list))
            break;
        list->at = 0;
        list->step = STEP_TASKS;
        list->calls->complete(list->userdata, list->asked, list->gaps == 0);
        break;
    case STEP_TASKS:
        list->at++;
        break;
    }
    if (list->under_way)
        ask(list);
}

// --- answers -------------------------------------------------------------------------------------

static void on_namespaces(void *userdata, const struct rpc_response *response)
{
    struct containerd_list *list = userdata;
    Containerd__ListNamespacesResponse *answer;

    list->call = NULL;
    if (response->status != RPC_OK) {
        finish(list, response->text);
        return;
    }
    answer =
        containerd__list_namespaces_response__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        finish(list, "the list of namespaces makes no sense");
        return;
    }
    for (size_t i = 0; i < answer->n_namespaces; i++)
        add_namespace(list, answer->namespaces[i]->name);
    containerd__list_namespaces_response__free_unpacked(answer, NULL);
    go_on(list);
}

// Without them images are asked for one by one.
static void on_images(void *userdata, const struct rpc_response *response)
{
    struct containerd_list *list = userdata;
    Containerd__ListImagesResponse *answer = NULL;

    list->call = NULL;
    if (response->status == RPC_OK)
        answer =
            containerd__list_images_response__unpack(NULL, response->body_bytes, response->body);
    for (size_t i = 0; answer && i < answer->n_images; i++)
        containerd_fetch_image(list->fetch, ns_of(list), answer->images[i]);
    if (answer)
        containerd__list_images_response__free_unpacked(answer, NULL);
    go_on(list);
}

static void on_container(void *userdata, const void *body, size_t bytes)
{
    struct containerd_list *list = userdata;
    Containerd__ListContainersMessage *message =
        containerd__list_containers_message__unpack(NULL, bytes, body);

    list->heard++;
    if (message && message->container)
        containerd_fetch_record(list->fetch, ns_of(list), list->asked, message->container);
    else
        add_gap(list);
    if (message)
        containerd__list_containers_message__free_unpacked(message, NULL);
}

static void on_containers_end(void *userdata, const struct rpc_response *response)
{
    struct containerd_list *list = userdata;

    list->call = NULL;
    if (response->status == RPC_UNAVAILABLE) {
        finish(list, response->text);
        return;
    }
    if (response->status != RPC_OK) { // one namespace's fault isn't the others'
        add_gap(list);
        list->host->sink->count(list->host->sink, 0, 1, 0, 0);
        list->calls->gap(list->userdata, response->text);
    }
    go_on(list);
}

static void on_tasks(void *userdata, const struct rpc_response *response)
{
    struct containerd_list *list = userdata;
    Containerd__ListTasksResponse *answer = NULL;

    list->call = NULL;
    if (response->status == RPC_OK)
        answer =
            containerd__list_tasks_response__unpack(NULL, response->body_bytes, response->body);
    for (size_t i = 0; answer && i < answer->n_tasks; i++)
        containerd_fetch_task(list->fetch, ns_of(list), list->step_asked, answer->tasks[i]);
    if (answer) {
        containerd_fetch_tasks_end(list->fetch, ns_of(list), list->step_asked);
        containerd__list_tasks_response__free_unpacked(answer, NULL);
    } else {
        list->host->sink->count(list->host->sink, 0, 1, 0, 0);
    }
    go_on(list);
}

// --- questions -----------------------------------------------------------------------------------

static int call(struct containerd_list *list, const char *method, const ProtobufCMessage *message,
                unsigned timeout_ms,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {
        .method = method, .ns = ns_of(list), .message = message, .timeout_ms = timeout_ms};

    return rpc_call(list->channel, &request, done, list, &list->call);
}

static int ask_containers(struct containerd_list *list, const char *filter)
{
    Containerd__ListContainersRequest message = CONTAINERD__LIST_CONTAINERS_REQUEST__INIT;
    char *filters[] = {(char *)(uintptr_t)filter};
    struct rpc_request request = {.method =
                                      "/containerd.services.containers.v1.Containers/ListStream",
                                  .ns = ns_of(list),
                                  .message = &message.base,
                                  .is_list = true};

    message.filters = filters;
    message.n_filters = filter ? 1 : 0;
    return rpc_stream(list->channel, &request, on_container, on_containers_end, list, &list->call);
}

static int ask_step(struct containerd_list *list)
{
    Containerd__ListNamespacesRequest namespaces = CONTAINERD__LIST_NAMESPACES_REQUEST__INIT;
    Containerd__ListImagesRequest images = CONTAINERD__LIST_IMAGES_REQUEST__INIT;
    Containerd__ListTasksRequest tasks = CONTAINERD__LIST_TASKS_REQUEST__INIT;

    switch (list->step) {
    case STEP_NAMESPACES:
        return call(list, "/containerd.services.namespaces.v1.Namespaces/List", &namespaces.base,
                    LIST_MS, on_namespaces);
    case STEP_IMAGES:
        return call(list, "/containerd.services.images.v1.Images/List", &images.base, LIST_MS,
                    on_images);
    case STEP_SANDBOXES:
        return ask_containers(list, "labels.\"io.cri-containerd.kind\"==\"sandbox\"");
    case STEP_CONTAINERS:
        return ask_containers(list, NULL);
    case STEP_TASKS:
        list->step_asked = list->host->sink->stamp(list->host->sink);
        return call(list, "/containerd.services.tasks.v1.Tasks/List", &tasks.base, TASKS_MS,
                    on_tasks);
    }
    return -EINVAL;
}

static void ask(struct containerd_list *list)
{
    const char *ns = ns_of(list);
    int r;

    list->heard++;
    if (list->step == STEP_SANDBOXES && (!ns || strcmp(ns, "k8s.io") != 0))
        list->step = STEP_CONTAINERS;       // pods are Kubernetes' alone
    if (list->step == STEP_IMAGES && !ns) { // no namespace at all
        list->step = STEP_CONTAINERS;
        go_on(list);
        return;
    }
    if (list->step == STEP_TASKS && !ns) {
        finish(list, NULL);
        return;
    }
    r = ask_step(list);
    if (r < 0)
        finish(list, strerror(-r));
}

// --- life ----------------------------------------------------------------------------------------

void containerd_list_begin(struct containerd_list *list, struct rpc_channel *channel)
{
    if (list->under_way) {
        list->again = true;
        return;
    }
    forget_namespaces(list);
    list->under_way = true;
    list->channel = channel;
    list->step = STEP_NAMESPACES;
    list->gaps = 0;
    list->asked = list->host->sink->stamp(list->host->sink);
    containerd_fetch_list_begin(list->fetch);
    ask(list);
}

void containerd_list_cancel(struct containerd_list *list)
{
    list->call = rpc_cancel(list->call);
    list->under_way = list->again = false;
}

bool containerd_list_is_stuck(struct containerd_list *list)
{
    bool stuck = list->under_way && list->step != STEP_TASKS && list->heard == list->heard_before;

    list->heard_before = list->heard;
    return stuck;
}

int containerd_list_new(const struct engine_host *host, struct containerd_fetch *fetch,
                        const char *only, const struct containerd_list_calls *calls, void *userdata,
                        struct containerd_list **out)
{
    struct containerd_list *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    list->host = host;
    list->fetch = fetch;
    list->only = only;
    list->calls = calls;
    list->userdata = userdata;
    *out = list;
    return 0;
}

struct containerd_list *containerd_list_free(struct containerd_list *list)
{
    if (!list)
        return NULL;
    containerd_list_cancel(list);
    forget_namespaces(list);
    free(list);
    return NULL;
}
