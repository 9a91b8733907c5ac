// SPDX-License-Identifier: Apache-2.0
// From the messages of the Kubernetes Container Runtime Interface to a container or a pod.
//
// Source: CRI runtime.v1 (cri-api 0.20 to 0.36) as containerd, CRI-O and cri-dockerd answer it. The
// verbose "info" is JSON of each runtime's own: missing, not JSON or of another shape it costs what
// only it tells, as does a missing status.
//
// Probes: CRI doesn't tell them and upstream never had them from it, so health is known, and empty.
#ifndef CRI_RECORD_H
#define CRI_RECORD_H

#include "cri.pb-c.h"
#include "oci_spec.h"
#include "pod.h"

// What an engine needs beside the record to go on. Zero-initialise; cri_facts_done() frees.
struct cri_facts {
    char *sandbox_id;  // of its pod; NULL: this answer doesn't tell
    char *image_query; // to ask ImageStatus for; NULL: nothing to ask
    // For cri_record_add_image().
    char *user_image, *image_name, *image_ref, *image_id;
};
void cri_facts_done(struct cri_facts *facts);

// CMETA_TYPE_CONTAINERD, _CRIO or _CRI by Version's runtime_name.
enum cmeta_type cri_record_type(const char *runtime_name);

/**
 * cri_record_from_list() - an element of ListContainers: name, image as far as told, labels, state
 * @facts: filled on success; may be NULL
 * Return: the container; NULL if it has no usable ID, or out of memory.
 */
struct container *cri_record_from_list(const Cri__Container *element, enum cmeta_type type,
                                       const struct oci_context *context, struct cri_facts *facts);

/**
 * cri_record_from_status() - an answer of ContainerStatus, verbose or not
 * @sandbox_id: of its pod, if the caller knows; NULL
 * @facts:      filled on success; may be NULL
 *
 * Known then: identity, labels, mounts, health; security and limits if the verbose part has a
 * runtime spec (limits also if the status has resources). The pod is folded in by pod_apply(), the
 * image by cri_record_add_image().
 *
 * An event's ContainerStatus is an answer without info: put it into a response.
 *
 * Return: the container; NULL if the answer has no status or no usable ID, or out of memory.
 */
struct container *cri_record_from_status(const Cri__ContainerStatusResponse *response,
                                         enum cmeta_type type, const char *sandbox_id,
                                         const struct oci_context *context,
                                         struct cri_facts *facts);

/**
 * cri_record_add_image() - complete the group image
 * @image: what ImageStatus answered; NULL: the runtime doesn't have the image (any more)
 * Return: 0, -ENOMEM.
 */
int cri_record_add_image(struct container *container, const struct cri_facts *facts,
                         const Cri__Image *image);

// Pods; sealed. NULL if there is no usable ID, or out of memory. The list doesn't tell the network
// and the host's namespaces: the group isn't complete then.
struct pod *cri_record_pod_from_list(const Cri__PodSandbox *element, enum cmeta_type type,
                                     const struct oci_context *context);
struct pod *cri_record_pod_from_status(const Cri__PodSandboxStatusResponse *response,
                                       enum cmeta_type type, const struct oci_context *context);

/**
 * cri_record_sandbox() - the sandbox's own record, with security, mounts and limits if the verbose
 *                        part has its runtime spec
 * @pod: as cri_record_pod_from_status() made it of the same answer
 */
struct container *cri_record_sandbox(const Cri__PodSandboxStatusResponse *response,
                                     const struct pod *pod, const struct oci_context *context);

// Bytes of the writable layer; -1 not told.
int64_t cri_record_size(const Cri__ContainerStats *stats);

#endif
