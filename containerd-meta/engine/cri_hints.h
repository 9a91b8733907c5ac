// SPDX-License-Identifier: Apache-2.0
// Looks up in a CRI runtime what somebody saw a cgroup of: an ID, full or as container.id shows it,
// that may be a container's or a pod's sandbox's. Belongs to one CRI instance.
//
// One question at a time for an ID, and the next one not before CRI_HINTS_AGAIN_US have passed. A
// runtime lists a container only when it is made, and its cgroup is there before: what isn't found
// is looked for a few times more.
#ifndef CRI_HINTS_H
#define CRI_HINTS_H

#include "containerd-meta/transport/grpc.h"
#include "cri_fetch.h"

struct cri_hints;

#define CRI_HINTS_MAX        32u // IDs at a time; what comes beyond has everything listed
#define CRI_HINTS_AGAIN_US   UINT64_C(200000)
#define CRI_HINTS_QUESTIONS  4u // about an ID that isn't found; each waits twice as long
#define CRI_HINTS_TIMEOUT_MS 2000u

/**
 * cri_hints_new() - closed at first
 * @fetch: is told what is found, by the calls that lists use; outlives it
 * @list:  hints were too many: once in CRI_HINTS_AGAIN_US at most
 * Return: 0 or -errno.
 */
int cri_hints_new(const struct engine_host *host, struct cri_fetch *fetch,
                  void (*list)(void *userdata), void *userdata, struct cri_hints **hints);
struct cri_hints *cri_hints_free(struct cri_hints *hints); // returns NULL

void cri_hints_open(struct cri_hints *hints, struct rpc_channel *channel);
// What was under way is dropped: a new connection lists all there is.
void cri_hints_close(struct cri_hints *hints);

// Harmless with anything that is no ID.
void cri_hints_ask(struct cri_hints *hints, const char *id, size_t id_len);

#endif
