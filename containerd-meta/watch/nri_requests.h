// SPDX-License-Identifier: Apache-2.0
// What a runtime's NRI asks of its plugins, decoded, and the queue of it. No I/O, no thread of its
// own.
#ifndef NRI_REQUESTS_H
#define NRI_REQUESTS_H

#include "nri.h"
#include "ttrpc.pb-c.h"

#include <sys/queue.h>

// What is subscribed to.
#define NRI_EVENT_BIT(type) (1 << ((type)-1))
#define NRI_REQUESTS_EVENTS                                                        \
    (NRI_EVENT_BIT(NRI_RUN_POD_SANDBOX) | NRI_EVENT_BIT(NRI_STOP_POD_SANDBOX) |    \
     NRI_EVENT_BIT(NRI_REMOVE_POD_SANDBOX) | NRI_EVENT_BIT(NRI_CREATE_CONTAINER) | \
     NRI_EVENT_BIT(NRI_START_CONTAINER) | NRI_EVENT_BIT(NRI_STOP_CONTAINER) |      \
     NRI_EVENT_BIT(NRI_REMOVE_CONTAINER))

struct nri_request {
    STAILQ_ENTRY(nri_request) entry;
    uint32_t stream; // of an event: answered when it is done; 0: answered already
    size_t bytes;    // as it came
    // One of them: configuration, list, or an event with what it is about.
    Nri__ConfigureRequest *configuration;
    Nri__SynchronizeRequest *list;
    int type; // enum nri_event_type, or another number of the API
    Nri__PodSandbox *pod;
    Nri__Container *container;
    ProtobufCMessage *event; // that pod and container belong to
};

enum nri_call {
    NRI_CALL_UNKNOWN, // no service or method of NRI
    NRI_CALL_CONFIGURE,
    NRI_CALL_SYNCHRONIZE,
    NRI_CALL_EVENT,
    NRI_CALL_OTHER, // of NRI, and nothing to us
};

/**
 * nri_request_decode() - what a call is, and what it says
 * @request: set to the decoded message of a configuration, a list or an event; NULL if it makes no
 *           sense, or memory ran out
 */
enum nri_call nri_request_decode(const Ttrpc__Request *call, struct nri_request **request);
void nri_request_free(struct nri_request *request);

// Whether it is an event that was subscribed to.
bool nri_request_is_ours(const struct nri_request *request);

struct nri_requests {
    STAILQ_HEAD(, nri_request) list;
    unsigned count;
    uint64_t bytes;
};

void nri_requests_init(struct nri_requests *requests);
// Return: 0; -ENOBUFS beyond NRI_QUEUE_MAX or NRI_QUEUE_BYTES_MAX.
int nri_requests_add(struct nri_requests *requests, struct nri_request *request);
struct nri_request *nri_requests_take(struct nri_requests *requests); // NULL: none
void nri_requests_clear(struct nri_requests *requests);

#endif
