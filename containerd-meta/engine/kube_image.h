// SPDX-License-Identifier: Apache-2.0
// Which name, tag, digest and ID an image has for the container that was started from it.
//
// A kubelet hands image IDs to the runtime, and runtimes answer with some name of the image; what
// the user asked for stands elsewhere. Here all that is known comes together, in any order of
// arrival.
#ifndef KUBE_IMAGE_H
#define KUBE_IMAGE_H

#include "containerd-meta/container.h"
#include "containerd-meta/image_names.h"

// All strings may be NULL or "": not known.
struct kube_image {
    const char *user;   // what the user asked for: name, name with tag or digest, or an ID
    const char *name;   // what the runtime calls it: some full name, or sha256:<config digest>
    const char *ref;    // CRI's image_ref: repository@digest, sha256:<config digest>, or bare hex
    const char *id;     // the image's (config's) ID, with or without "sha256:"
    const char *target; // digest of the manifest or index that the name stands for
    struct image_names names; // all that the runtime has of the image
    bool is_cri; // container.image is repository:tag, as upstream words it for CRI; else the name
};

/**
 * kube_image_apply() - fill the group image
 * @is_complete: nothing more will be told of this image: the group is known. Else what is there
 *               already is set, and the group isn't marked.
 *
 * The repository is the runtime's full spelling of the one that the user asked for, the tag the
 * user's, the digest the repository's, else the target's, else (as upstream) the ID. An image that
 * nobody names has its ID for container.image. The ID of an image of which only the target is known
 * is the target, as nerdctl shows it.
 * Return: 0, -ENOMEM.
 */
int kube_image_apply(struct container *container, const struct kube_image *image, bool is_complete);

#endif
