// SPDX-License-Identifier: Apache-2.0
// From the messages of NRI to a container or a pod.
//
// Source: nri.pkg.api.v1alpha1 (NRI 0.2 to 0.12) as containerd and CRI-O fill it. What it never
// tells is whether a container is privileged: security stays unknown, unless the runtime's bundle
// tells it (nri_bundle). Of mounts only those that are bound from the host count, without the
// runtime's own, as CRI words them.
#ifndef NRI_RECORD_H
#define NRI_RECORD_H

#include "nri.pb-c.h"
#include "oci_spec.h"
#include "pod.h"

/**
 * nri_record_pod() - sealed
 * Return: the pod; NULL if it has no usable ID, or out of memory.
 */
struct pod *nri_record_pod(const Nri__PodSandbox *message, enum cmeta_type type,
                           const struct oci_context *context);

// The sandbox's own record, running.
struct container *nri_record_sandbox(const struct pod *pod);

/**
 * nri_record_container() - name, image as far as told, labels, mounts, limits, state
 * @pod: folded in; NULL if it isn't known
 * @spec: of its bundle: security and limits then are known by it; NULL
 * @created_ns: if the message doesn't tell; 0: then the identity isn't marked as known
 *
 * Return: the container; NULL if it has no usable ID, or out of memory.
 */
struct container *nri_record_container(const Nri__Container *message, const struct pod *pod,
                                       const json_t *spec, enum cmeta_type type, int64_t created_ns,
                                       const struct oci_context *context);

// CMETA_STATUS_* word of a container, exit code and all.
uint32_t nri_record_status(const Nri__Container *message);

// A mount that the runtime itself makes, and that nobody asked for.
bool nri_mount_is_the_runtimes(const Nri__Mount *mount);

#endif
