// SPDX-License-Identifier: Apache-2.0
// From containerd's native messages to a container or a pod: records of ctr, nerdctl and CRI.
//
// Source: containerd API 1.5 to 2.x; the extensions of its CRI plugin; nerdctl's labels. Nothing is
// asked of anybody here. Messages are hostile until checked: what is missing or of another shape
// costs its property.
#ifndef CONTAINERD_RECORD_H
#define CONTAINERD_RECORD_H

#include "containerd.pb-c.h"
#include "oci_spec.h"
#include "pod.h"

// What an engine needs beside the record to go on. Zero-initialise; containerd_facts_done() frees.
struct containerd_facts {
    bool is_sandbox;  // a pod's sandbox (pause)
    bool is_cri;      // made by the CRI plugin
    char *sandbox_id; // of the pod it belongs to; NULL: to none
    char *image_name; // to ask Images/Get for, in the same namespace; NULL: nothing to ask
    char *image_id;   // of the image's configuration, as CRI has it; NULL unknown
    char *user_image; // what the user asked for, where it differs from image_name; NULL unknown
    struct pod *pod;  // of a sandbox: what containerd_record_pod() makes of it; take it if you like
};
void containerd_facts_done(struct containerd_facts *facts);

// A state as a task tells it.
struct containerd_state {
    uint32_t word; // CMETA_STATUS_* with exit code
    uint32_t pid;
    int64_t finished_ns; // -1 not told
};

// Whether the record is Docker's (dockerd keeps one while the container runs). Docker tells more.
bool containerd_record_is_docker(const Containerd__Container *message, const char *ns);

// Whether containerd would have a namespace of this name; it is sent in a header, and names a
// scope.
#define CONTAINERD_NS_MAX 76u
bool containerd_ns_is_valid(const char *ns);

/**
 * containerd_record_scope() - the scope of an ID: "" if it is 64 hexadecimal digits, else
 *                             "containerd/<namespace>"
 * @scope: at least CONTAINERD_SCOPE_SIZE bytes
 */
#define CONTAINERD_SCOPE_SIZE 96u
void containerd_record_scope(char *scope, size_t size, const char *id, const char *ns);

/**
 * containerd_record_from_container() - what the record itself tells
 * @ns:    containerd's namespace it is in
 * @facts: filled on success
 *
 * Known then: identity, labels, health (none, unless nerdctl has a check of its own); security,
 * limits and mounts if there is a spec; pod if it belongs to none (else pod_apply() tells); network
 * from nerdctl's labels if they tell it. Image strings are set as far as the record tells, without
 * the group: containerd_record_add_image() completes it. A pod's sandbox has its own pod folded in
 * already, and CMETA_REASON_POD_SANDBOX for the image.
 *
 * Name: nerdctl's, else CRI's, else the ID as container.id shows it. CRI's containers have the
 * mounts that were asked for, in CRI's words; others all of the spec's.
 *
 * Status is "created" here: a task tells more.
 *
 * Return: the container; NULL if the record has no usable ID, or out of memory.
 */
struct container *containerd_record_from_container(const Containerd__Container *message,
                                                   const char *ns,
                                                   const struct oci_context *context,
                                                   struct containerd_facts *facts);

/**
 * containerd_record_from_docker() - of a record that dockerd made: security, mounts and limits
 * only, until Docker itself tells
 */
struct container *containerd_record_from_docker(const Containerd__Container *message,
                                                const struct oci_context *context);

// The pod that a sandbox's record tells of; sealed. NULL if the record is no sandbox's, or out of
// memory.
struct pod *containerd_record_pod(const Containerd__Container *message, const char *ns,
                                  const struct oci_context *context);
// The same from the sandbox store (containerd 1.7 and later).
struct pod *containerd_record_pod_from_sandbox(const Containerd__Sandbox *message, const char *ns,
                                               const struct oci_context *context);

/**
 * containerd_record_add_image() - complete the group image
 * @image: what Images/Get answered; NULL: containerd doesn't have it (any more), or there was
 * nothing to ask Return: 0, -ENOMEM. A sandbox's image stays unknown, by design.
 */
int containerd_record_add_image(struct container *container, const struct containerd_facts *facts,
                                const Containerd__Image *image);

// @process may be NULL (no task: created, or ended and deleted): the word is "created" then.
struct containerd_state containerd_record_state(const Containerd__Process *process);
// Puts it into a container.
void containerd_record_set_state(struct container *container, const struct containerd_state *state);

// CLOCK_REALTIME in ns; 0 for none, for nonsense and for what is before 1970.
int64_t containerd_record_time_ns(const Containerd__Timestamp *time);

#endif
