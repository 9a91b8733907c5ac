// SPDX-License-Identifier: Apache-2.0
// Looks up in a containerd what somebody saw a cgroup of: an ID, full or as container.id shows it,
// in every namespace that is known. Belongs to one containerd instance.
#ifndef CONTAINERD_HINTS_H
#define CONTAINERD_HINTS_H

#include "containerd-meta/transport/grpc.h"

struct containerd_hints;

#define CONTAINERD_HINTS_PARALLEL   16u // questions under way at once; beyond that hints are dropped
#define CONTAINERD_HINTS_NAMESPACES 64u // that are looked into
#define CONTAINERD_HINTS_TIMEOUT_MS 2000u

// @found: a container whose ID begins so. Return: NULL if out of memory.
struct containerd_hints *containerd_hints_new(void (*found)(void *userdata, const char *ns,
                                                            const char *id),
                                              void *userdata);
struct containerd_hints *containerd_hints_free(struct containerd_hints *hints); // returns NULL

void containerd_hints_open(struct containerd_hints *hints, struct rpc_channel *channel);
void containerd_hints_close(struct containerd_hints *hints);

void containerd_hints_add_namespace(struct containerd_hints *hints, const char *ns);

// Harmless with anything that is no ID.
void containerd_hints_ask(struct containerd_hints *hints, const char *id, size_t id_len);

#endif
