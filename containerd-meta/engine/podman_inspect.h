// SPDX-License-Identifier: Apache-2.0
// Podman's dialect of Docker's form: what its native (libpod) answers say otherwise or besides.
//
// An inspect has the image's name and digest, and the addresses of a network that is shared. A
// container of a pod needs one more answer, the pod's. The infra container is the pod's sandbox.
//
// Source: libpod API 3.1 to 5.8.
#ifndef PODMAN_INSPECT_H
#define PODMAN_INSPECT_H

#include "docker_dialect.h"

// NULL if it has no ID of 64 hexadecimal digits, or out of memory.
struct container *podman_container_from_list(const json_t *element,
                                             const struct container_limits *limits);
struct container *podman_container_from_inspect(const json_t *inspect,
                                                const struct container_limits *limits,
                                                bool with_size);

/**
 * podman_container_add_pod() - what the pod's inspect says of its containers
 * @pod: NULL: podman doesn't know it any more
 *
 * The pod's ID stands for its UID. A pod without an infra container is its own sandbox.
 */
void podman_container_add_pod(struct container *container, const json_t *pod,
                              const struct container_limits *limits);

#endif
