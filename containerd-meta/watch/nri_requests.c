// SPDX-License-Identifier: Apache-2.0
#include "nri_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The methods of nri.pkg.api.v1alpha1.Plugin. Up to NRI 0.11 events without a method of their own
// travel as StateChange; since 0.12 that is the fallback.
static const struct {
    const char *name;
    enum nri_call call;
    int type;
} methods[] = {
    {"Configure", NRI_CALL_CONFIGURE, 0},
    {"Synchronize", NRI_CALL_SYNCHRONIZE, 0},
    {"StateChange", NRI_CALL_EVENT, 0},
    {"RunPodSandbox", NRI_CALL_EVENT, NRI_RUN_POD_SANDBOX},
    {"StopPodSandbox", NRI_CALL_EVENT, NRI_STOP_POD_SANDBOX},
    {"RemovePodSandbox", NRI_CALL_EVENT, NRI_REMOVE_POD_SANDBOX},
    {"CreateContainer", NRI_CALL_EVENT, NRI_CREATE_CONTAINER},
    {"StartContainer", NRI_CALL_EVENT, NRI_START_CONTAINER},
    {"StopContainer", NRI_CALL_EVENT, NRI_STOP_CONTAINER},
    {"RemoveContainer", NRI_CALL_EVENT, NRI_REMOVE_CONTAINER},
    {"Shutdown", NRI_CALL_OTHER, 0},
    {"UpdatePodSandbox", NRI_CALL_OTHER, 0},
    {"PostUpdatePodSandbox", NRI_CALL_OTHER, 0},
    {"PostCreateContainer", NRI_CALL_OTHER, 0},
    {"PostStartContainer", NRI_CALL_OTHER, 0},
    {"UpdateContainer", NRI_CALL_OTHER, 0},
    {"PostUpdateContainer", NRI_CALL_OTHER, 0},
    {"ValidateContainerAdjustment", NRI_CALL_OTHER, 0},
};

void nri_request_free(struct nri_request *request)
{
    if (!request)
        return;
    if (request->configuration)
        nri__configure_request__free_unpacked(request->configuration, NULL);
    if (request->list)
        nri__synchronize_request__free_unpacked(request->list, NULL);
    if (request->event)
        protobuf_c_message_free_unpacked(request->event, NULL);
    free(request);
}

static bool decode_state_change(struct nri_request *request, const ProtobufCBinaryData *payload)
{
    Nri__StateChangeEvent *event =
        nri__state_change_event__unpack(NULL, payload->len, payload->data);

    if (!event)
        return false;
    request->type = event->event;
    request->pod = event->pod;
    request->container = event->container;
    request->event = &event->base;
    return true;
}

static bool decode_event(struct nri_request *request, const ProtobufCBinaryData *payload)
{
    Nri__EventRequest *event = nri__event_request__unpack(NULL, payload->len, payload->data);

    if (!event)
        return false;
    request->pod = event->pod;
    request->container = event->container;
    request->event = &event->base;
    return true;
}

static bool decode(struct nri_request *request, enum nri_call call, int type,
                   const ProtobufCBinaryData *payload)
{
    if (call == NRI_CALL_CONFIGURE) {
        request->configuration = nri__configure_request__unpack(NULL, payload->len, payload->data);
        return request->configuration != NULL;
    }
    if (call == NRI_CALL_SYNCHRONIZE) {
        request->list = nri__synchronize_request__unpack(NULL, payload->len, payload->data);
        return request->list != NULL;
    }
    request->type = type;
    return type == 0 ? decode_state_change(request, payload) : decode_event(request, payload);
}

enum nri_call nri_request_decode(const Ttrpc__Request *call, struct nri_request **out)
{
    struct nri_request *request;
    size_t i = 0;

    *out = NULL;
    if (strcmp(call->service, "nri.pkg.api.v1alpha1.Plugin") != 0)
        return NRI_CALL_UNKNOWN;
    while (i < sizeof(methods) / sizeof(methods[0]) && strcmp(methods[i].name, call->method) != 0)
        i++;
    if (i == sizeof(methods) / sizeof(methods[0]))
        return NRI_CALL_UNKNOWN;
    if (methods[i].call == NRI_CALL_OTHER)
        return NRI_CALL_OTHER;
    request = calloc(1, sizeof(*request));
    if (request) {
        request->bytes = call->payload.len;
        if (decode(request, methods[i].call, methods[i].type, &call->payload))
            *out = request;
        else
            nri_request_free(request);
    }
    return methods[i].call;
}

bool nri_request_is_ours(const struct nri_request *request)
{
    return request->type >= 1 && request->type <= NRI_REMOVE_CONTAINER &&
           (NRI_REQUESTS_EVENTS & NRI_EVENT_BIT(request->type));
}

// --- the queue -----------------------------------------------------------------------------------

void nri_requests_init(struct nri_requests *requests)
{
    *requests = (struct nri_requests){0};
    STAILQ_INIT(&requests->list);
}

int nri_requests_add(struct nri_requests *requests, struct nri_request *request)
{
    if (requests->count >= NRI_QUEUE_MAX || requests->bytes + request->bytes > NRI_QUEUE_BYTES_MAX)
        return -ENOBUFS;
    STAILQ_INSERT_TAIL(&requests->list, request, entry);
    requests->count++;
    requests->bytes += request->bytes;
    return 0;
}

struct nri_request *nri_requests_take(struct nri_requests *requests)
{
    struct nri_request *request = STAILQ_FIRST(&requests->list);

    if (!request)
        return NULL;
    STAILQ_REMOVE_HEAD(&requests->list, entry);
    requests->count--;
    requests->bytes -= request->bytes;
    return request;
}

void nri_requests_clear(struct nri_requests *requests)
{
    struct nri_request *request;

    while ((request = nri_requests_take(requests)))
        nri_request_free(request);
}
