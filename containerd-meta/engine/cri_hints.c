// SPDX-License-Identifier: Apache-2.0
// Source: CRI runtime.v1 (cri-api 0.20 to 0.36), the filters of ListContainers and ListPodSandbox:
// an ID may be a prefix.
#include "cri_hints.h"

#include "containerd-meta/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX 128u

struct hint {
    struct cri_hints *hints;
    struct rpc_call *call;
    engine_stamp asked;
    unsigned questions; // asked so far
    bool found, again;  // hinted again since the question
    uint64_t due_us;    // then it may be asked about again, or forgotten
    char id[ID_BYTES_MAX + 1];
};

struct cri_hints {
    struct engine_sink *sink;
    struct cri_fetch *fetch;
    void (*list)(void *userdata);
    void *userdata;
    struct rpc_channel *channel;
    sd_event_source *timer;
    bool too_many; // a list is owed
    uint64_t list_due_us;
    struct hint all[CRI_HINTS_MAX]; // no ID: unused
};

#define FOREACH(hints, hint) \
    for (struct hint * (hint) = (hints)->all; (hint) < (hints)->all + CRI_HINTS_MAX; (hint)++)

// --- one question after the other ----------------------------------------------------------------

static void arm(struct cri_hints *hints)
{
    uint64_t due = hints->too_many ? hints->list_due_us : UINT64_MAX;

    FOREACH(hints, hint)
    if (hint->id[0] && !hint->call && hint->due_us < due)
        due = hint->due_us;
    sd_event_source_set_time(hints->timer, due);
    sd_event_source_set_enabled(hints->timer, due == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int call(struct hint *hint, const char *method, const ProtobufCMessage *message,
                void (*done)(void *userdata, const struct rpc_response *response))
{
    struct rpc_request request = {
        .method = method, .message = message, .timeout_ms = CRI_HINTS_TIMEOUT_MS};

    return rpc_call(hint->hints->channel, &request, done, hint, &hint->call);
}

// A runtime may pay no heed to the filter.
static bool is_meant(const struct hint *hint, const char *id)
{
    return strncmp(id, hint->id, strlen(hint->id)) == 0;
}

static void on_pods(void *userdata, const struct rpc_response *response)
{
    struct hint *hint = userdata;
    struct cri_hints *hints = hint->hints;
    Cri__ListPodSandboxResponse *answer = NULL;

    hint->call = NULL;
    if (response->status == RPC_OK)
        answer = cri__list_pod_sandbox_response__unpack(NULL, response->body_bytes, response->body);
    for (size_t i = 0; answer && i < answer->n_items; i++)
        if (is_meant(hint, answer->items[i]->id)) {
            cri_fetch_pod(hints->fetch, hint->asked, answer->items[i]);
            hint->found = true;
        }
    if (answer && !hint->found)
        cri_fetch_missed(hints->fetch, hint->id);
    if (answer)
        cri__list_pod_sandbox_response__free_unpacked(answer, NULL);
    arm(hints);
}

static void ask_for_pod(struct hint *hint)
{
    Cri__ListPodSandboxRequest message = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
    Cri__PodSandboxFilter filter = CRI__POD_SANDBOX_FILTER__INIT;

    filter.id = hint->id;
    message.filter = &filter;
    if (call(hint, "/runtime.v1.RuntimeService/ListPodSandbox", &message.base, on_pods) < 0)
        arm(hint->hints);
}

static void on_containers(void *userdata, const struct rpc_response *response)
{
    struct hint *hint = userdata;
    struct cri_hints *hints = hint->hints;
    Cri__ListContainersResponse *answer = NULL;

    hint->call = NULL;
    if (response->status == RPC_OK)
        answer = cri__list_containers_response__unpack(NULL, response->body_bytes, response->body);
    for (size_t i = 0; answer && i < answer->n_containers; i++)
        if (is_meant(hint, answer->containers[i]->id)) {
            cri_fetch_container(hints->fetch, hint->asked, answer->containers[i]);
            hint->found = true;
        }
    if (answer)
        cri__list_containers_response__free_unpacked(answer, NULL);
    if (answer && !hint->found)
        ask_for_pod(hint);
    else
        arm(hints);
}

static void ask(struct hint *hint)
{
    Cri__ListContainersRequest message = CRI__LIST_CONTAINERS_REQUEST__INIT;
    Cri__ContainerFilter filter = CRI__CONTAINER_FILTER__INIT;

    hint->due_us = clock_us(CLOCK_MONOTONIC) + (CRI_HINTS_AGAIN_US << hint->questions);
    hint->questions++;
    hint->found = hint->again = false;
    hint->asked = hint->hints->sink->stamp(hint->hints->sink);
    filter.id = hint->id;
    message.filter = &filter;
    (void)call(hint, "/runtime.v1.RuntimeService/ListContainers", &message.base, on_containers);
    arm(hint->hints);
}

static void settle(struct hint *hint)
{
    if (hint->again)
        hint->questions = 0;
    if (hint->again || (!hint->found && hint->questions < CRI_HINTS_QUESTIONS))
        ask(hint);
    else
        *hint = (struct hint){0};
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct cri_hints *hints = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    (void)source;
    (void)usec;
    FOREACH(hints, hint)
    if (hint->id[0] && !hint->call && hint->due_us <= now)
        settle(hint);
    if (hints->too_many && hints->list_due_us <= now) {
        hints->too_many = false;
        hints->list(hints->userdata); // may end with cri_hints_close()
    }
    arm(hints);
    return 0;
}

// --- hints ---------------------------------------------------------------------------------------

static bool is_id(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && (!id[i] || !strchr("_.-", id[i])))
            return false;
    return len > 0 && len <= ID_BYTES_MAX;
}

static void owe_list(struct cri_hints *hints)
{
    if (hints->too_many)
        return;
    hints->too_many = true;
    hints->list_due_us = clock_us(CLOCK_MONOTONIC) + CRI_HINTS_AGAIN_US;
    arm(hints);
}

void cri_hints_ask(struct cri_hints *hints, const char *id, size_t id_len)
{
    struct hint *unused = NULL;

    if (!hints->channel || !is_id(id, id_len))
        return;
    FOREACH(hints, hint)
    {
        if (!hint->id[0])
            unused = hint;
        if (strlen(hint->id) != id_len || memcmp(hint->id, id, id_len) != 0)
            continue;
        hint->again = true; // the answer that is on its way may be of before
        return;
    }
    if (!unused) {
        owe_list(hints);
        return;
    }
    *unused = (struct hint){.hints = hints};
    memcpy(unused->id, id, id_len);
    ask(unused);
}

// --- life ----------------------------------------------------------------------------------------

int cri_hints_new(const struct engine_host *host, struct cri_fetch *fetch,
                  void (*list)(void *userdata), void *userdata, struct cri_hints **out)
{
    struct cri_hints *hints = calloc(1, sizeof(*hints));
    int r;

    if (!hints)
        return -ENOMEM;
    hints->sink = host->sink;
    hints->fetch = fetch;
    hints->list = list;
    hints->userdata = userdata;
    r = sd_event_add_time(host->event, &hints->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer,
                          hints);
    if (r < 0) {
        cri_hints_free(hints);
        return r;
    }
    arm(hints);
    *out = hints;
    return 0;
}

struct cri_hints *cri_hints_free(struct cri_hints *hints)
{
    if (!hints)
        return NULL;
    FOREACH(hints, hint)
    hint->call = rpc_cancel(hint->call);
    sd_event_source_disable_unref(hints->timer);
    free(hints);
    return NULL;
}

void cri_hints_open(struct cri_hints *hints, struct rpc_channel *channel)
{
    hints->channel = channel;
}

void cri_hints_close(struct cri_hints *hints)
{
    FOREACH(hints, hint)
    {
        rpc_cancel(hint->call);
        *hint = (struct hint){0};
    }
    hints->too_many = false;
    hints->channel = NULL;
    arm(hints);
}
