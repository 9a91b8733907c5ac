// SPDX-License-Identifier: Apache-2.0
// What a kubelet asked a runtime for, as JSON: CRI's ContainerConfig and PodSandboxConfig.
//
// containerd keeps them in extensions of its own records, and tells them in CRI's verbose answers;
// both in the same words (snake case, zero values left out, enums as numbers). All functions take
// NULL and any JSON.
#ifndef CRI_CONFIG_H
#define CRI_CONFIG_H

#include "pod.h"
#include "proto_map.h"

#include <jansson.h>

#define CRI_NAMESPACE_NODE 2 // the host's

// 1 or 0 as the container's security context has it; -1 if this is no configuration.
int cri_config_privileged(const json_t *config);

// CMETA_FLAG_HOST_* of the security context's namespace options, of a container or a pod.
uint32_t cri_config_host_flags(const json_t *config);

// What the user asked for, NULL if it isn't told (kubelets before 1.28 hand over the ID alone).
const char *cri_config_user_image(const json_t *config);

// The mounts that were asked for; the group is known then if this is a configuration.
void cri_config_add_mounts(struct container *container, const json_t *config);

// "private", "rslave", "rshared" by the API's number, as upstream words them.
const char *cri_propagation_name(int64_t propagation);

// Metadata, labels, annotations, host namespaces of a PodSandboxConfig.
void cri_config_fill_pod(struct pod *pod, const json_t *config,
                         const struct container_limits *limits);

// The parts of messages that containers and pods of CRI and containerd share.
void cri_add_labels(struct container *container, struct proto_map labels,
                    const struct container_limits *limits);
void cri_add_pod_labels(struct pod *pod, struct proto_map labels,
                        const struct container_limits *limits);
// The label that upstream gives every container of a pod, and what other labels tell of the pod, as
// long as the pod itself isn't known. @sandbox_id may be NULL.
void cri_set_pod_strings(struct container *container, struct proto_map labels,
                         const char *sandbox_id);

#endif
