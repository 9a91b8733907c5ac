// SPDX-License-Identifier: Apache-2.0
// The images that a containerd has, by namespace and name: what their target's digest is. Bounded;
// what is pushed out is asked for again. Belongs to one containerd instance.
#ifndef CONTAINERD_IMAGES_H
#define CONTAINERD_IMAGES_H

struct containerd_images;

#define CONTAINERD_IMAGES_MAX 4096u

struct containerd_images *containerd_images_new(void); // NULL if out of memory
struct containerd_images *containerd_images_free(struct containerd_images *images); // returns NULL

// @digest: "": containerd has no image of this name. Strings are copied. What can't be remembered
// is forgotten.
void containerd_images_put(struct containerd_images *images, const char *ns, const char *name,
                           const char *digest);
// The digest, "" or NULL if nothing is known of the name. Lives until the next call that changes.
const char *containerd_images_find(const struct containerd_images *images, const char *ns,
                                   const char *name);
void containerd_images_forget(struct containerd_images *images, const char *ns, const char *name);
void containerd_images_clear(struct containerd_images *images);

#endif
