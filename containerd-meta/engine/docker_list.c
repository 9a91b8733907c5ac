// SPDX-License-Identifier: Apache-2.0
#include "docker_list.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/json.h"
#include "containerd-meta/transport/http.h"
#include "docker_inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct docker_list {
    const struct engine_host *host;
    const struct docker_dialect *dialect;
    struct docker_fetch *fetch;
    void (*done)(void *userdata, const struct http_response *response);
    void *userdata;
    struct http_call *call;
    engine_stamp asked;
    unsigned gaps; // elements that couldn't be read
};

static void on_element(void *userdata, const char *text, size_t len)
{
    struct docker_list *list = userdata;
    struct engine_sink *sink = list->host->sink;
    json_auto_t *json = json_parse(text, len);
    CLEANUP(container_freep)
    struct container *container = list->dialect->from_list(json, &list->host->limits);
    uint32_t state = docker_status_word(json_text(json, "State"));

    if (!container) {
        sink->count(sink, 0, 0, 0, 1);
        list->gaps++;
        return;
    }
    if (!sink->knows(sink, container->id.data, container->id.len, container->scope.data)) {
        container->has_status = state != CMETA_STATE_UNKNOWN;
        container->status = state;
    }
    sink->observe(sink, list->asked, container);
    if (container->id.len)
        docker_fetch_listed(list->fetch, container->id.data, state);
}

// An element that was left out isn't gone; only a list without gaps may bury anybody.
static void on_done(void *userdata, const struct http_response *response)
{
    struct docker_list *list = userdata;
    struct engine_sink *sink = list->host->sink;
    bool too_much = response->error == -EMSGSIZE;
    bool whole = response->error == 0 && response->status == 200;

    list->call = NULL;
    if (whole || too_much)
        sink->count(sink, 0, too_much, 0, (uint32_t)response->skipped);
    if (whole && response->skipped == 0 && list->gaps == 0) {
        docker_fetch_list_end(list->fetch);
        sink->list_complete(sink, list->asked);
    }
    list->done(list->userdata, response);
}

int docker_list_ask(struct docker_list *list, const char *prefix)
{
    char path[DOCKER_PREFIX_BYTES + 32];
    struct http_request request = {
        .socket = list->host->socket, .path = path, .timeout_ms = list->host->timeout_ms};

    if (list->call)
        return 0;
    snprintf(path, sizeof(path), "%s/containers/json?all=1", prefix);
    list->asked = list->host->sink->stamp(list->host->sink);
    list->gaps = 0;
    docker_fetch_list_begin(list->fetch);
    return http_list(list->host->http, &request, on_element, on_done, list, &list->call);
}

void docker_list_cancel(struct docker_list *list)
{
    list->call = http_cancel(list->call);
}

bool docker_list_is_under_way(const struct docker_list *list)
{
    return list->call != NULL;
}

int docker_list_new(const struct engine_host *host, const struct docker_dialect *dialect,
                    struct docker_fetch *fetch,
                    void (*done)(void *userdata, const struct http_response *response),
                    void *userdata, struct docker_list **out)
{
    struct docker_list *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    *list = (struct docker_list){
        .host = host, .dialect = dialect, .fetch = fetch, .done = done, .userdata = userdata};
    *out = list;
    return 0;
}

struct docker_list *docker_list_free(struct docker_list *list)
{
    if (list)
        docker_list_cancel(list);
    free(list);
    return NULL;
}
