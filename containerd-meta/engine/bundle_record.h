// SPDX-License-Identifier: Apache-2.0
// From an OCI bundle's config.json to a container: what a runtime is about to run, before it does.
//
// Source: OCI runtime spec 1.0 to 1.2, and the annotations of containerd's CRI plugin, CRI-O and
// podman. An early and partial word: whoever made the bundle tells more, and what it tells counts
// more. Nothing here is asked of anybody.
#ifndef BUNDLE_RECORD_H
#define BUNDLE_RECORD_H

#include "oci_spec.h"

// Where a bundle lies says who made it.
enum bundle_kind {
    BUNDLE_TASK,    // <namespace>/<id>: a shim of containerd; Docker's are in the namespace moby
    BUNDLE_STORAGE, // <id>/userdata: podman and CRI-O
};

/**
 * bundle_record() - Known then: security and limits; of Docker's containers, and of those that
 *                   containerd's own clients made, the mounts; of the latter that there is no pod;
 *                   of CRI-O's identity, labels
 * @ns:   containerd's namespace; NULL for BUNDLE_STORAGE
 * @spec: the parsed config.json
 *
 * Names, images and pods that annotations tell are set without their group.
 * Return: the container; NULL if the ID or namespace is none, the spec is no object, or out of
 * memory.
 */
struct container *bundle_record(enum bundle_kind kind, const char *ns, const char *id,
                                const json_t *spec, const struct oci_context *context);

// Whether that could be a container's ID, and which scope it has. @scope: BUNDLE_SCOPE_SIZE bytes.
#define BUNDLE_SCOPE_SIZE 96u
bool bundle_scope(enum bundle_kind kind, const char *ns, const char *id,
                  char scope[BUNDLE_SCOPE_SIZE]);

#endif
