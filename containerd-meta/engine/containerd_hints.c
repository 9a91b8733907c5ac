// SPDX-License-Identifier: Apache-2.0
// Source: containerd 1.5 to 2.x, service containers v1 and its filters.
#include "containerd_hints.h"

#include "containerd.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX 128u

struct hint {
    struct containerd_hints *hints;
    struct rpc_call *call;
    const char *ns;
};

struct containerd_hints {
    void (*found)(void *userdata, const char *ns, const char *id);
    void *userdata;
    struct rpc_channel *channel;
    char *namespaces[CONTAINERD_HINTS_NAMESPACES];
    struct hint under_way[CONTAINERD_HINTS_PARALLEL];
};

static void on_answer(void *userdata, const struct rpc_response *response)
{
    struct hint *hint = userdata;
    struct containerd_hints *hints = hint->hints;
    Containerd__ListContainersResponse *answer = NULL;

    hint->call = NULL;
    if (response->status == RPC_OK)
        answer = containerd__list_containers_response__unpack(NULL, response->body_bytes,
                                                              response->body);
    for (size_t i = 0; answer && i < answer->n_containers; i++)
        hints->found(hints->userdata, hint->ns, answer->containers[i]->id);
    if (answer)
        containerd__list_containers_response__free_unpacked(answer, NULL);
}

static void ask_in(struct containerd_hints *hints, const char *ns, const char *filter)
{
    Containerd__ListContainersRequest message = CONTAINERD__LIST_CONTAINERS_REQUEST__INIT;
    char *filters[] = {(char *)(uintptr_t)filter};
    struct rpc_request request = {.method = "/containerd.services.containers.v1.Containers/List",
                                  .ns = ns,
                                  .message = &message.base,
                                  .timeout_ms = CONTAINERD_HINTS_TIMEOUT_MS};
    struct hint *hint = hints->under_way, *end = hint + CONTAINERD_HINTS_PARALLEL;

    message.filters = filters;
    message.n_filters = 1;
    while (hint < end && hint->call)
        hint++;
    if (hint == end)
        return;
    *hint = (struct hint){.hints = hints, .ns = ns};
    if (rpc_call(hints->channel, &request, on_answer, hint, &hint->call) < 0)
        hint->call = NULL;
}

// Nothing that would end the quotes around it.
static bool is_plain(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!id[i] ||
            !strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-", id[i]))
            return false;
    return len > 0 && len <= ID_BYTES_MAX;
}

static bool is_shown(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789abcdefABCDEF", id[i]))
            return false;
    return len == 12;
}

void containerd_hints_ask(struct containerd_hints *hints, const char *id, size_t id_len)
{
    char filter[ID_BYTES_MAX + 16];

    if (!hints->channel || !is_plain(id, id_len))
        return;
    // Twelve digits are what container.id shows of 64; any other ID is whole.
    snprintf(filter, sizeof(filter), is_shown(id, id_len) ? "id~=\"^%.*s\"" : "id==\"%.*s\"",
             (int)id_len, id);
    for (unsigned i = 0; i < CONTAINERD_HINTS_NAMESPACES && hints->namespaces[i]; i++)
        ask_in(hints, hints->namespaces[i], filter);
}

void containerd_hints_add_namespace(struct containerd_hints *hints, const char *ns)
{
    for (unsigned i = 0; i < CONTAINERD_HINTS_NAMESPACES; i++) {
        if (!hints->namespaces[i])
            hints->namespaces[i] = strdup(ns);
        if (!hints->namespaces[i] || strcmp(hints->namespaces[i], ns) == 0)
            return;
    }
}

void containerd_hints_open(struct containerd_hints *hints, struct rpc_channel *channel)
{
    hints->channel = channel;
}

void containerd_hints_close(struct containerd_hints *hints)
{
    for (unsigned i = 0; i < CONTAINERD_HINTS_PARALLEL; i++)
        hints->under_way[i].call = rpc_cancel(hints->under_way[i].call);
    hints->channel = NULL;
}

struct containerd_hints *containerd_hints_new(void (*found)(void *userdata, const char *ns,
                                                            const char *id),
                                              void *userdata)
{
    struct containerd_hints *hints = calloc(1, sizeof(*hints));

    if (!hints)
        return NULL;
    hints->found = found;
    hints->userdata = userdata;
    return hints;
}

struct containerd_hints *containerd_hints_free(struct containerd_hints *hints)
{
    if (!hints)
        return NULL;
    containerd_hints_close(hints);
    for (unsigned i = 0; i < CONTAINERD_HINTS_NAMESPACES; i++)
        free(hints->namespaces[i]);
    free(hints);
    return NULL;
}
