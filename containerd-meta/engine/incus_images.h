// SPDX-License-Identifier: Apache-2.0
// The aliases of images that instances were made of, remembered for a while: hundreds of instances
// are made of one image. Belongs to one instance of the engine.
#ifndef INCUS_IMAGES_H
#define INCUS_IMAGES_H

struct incus_images;

#define INCUS_IMAGES_MAX    64u
#define INCUS_IMAGES_AGE_NS UINT64_C(300000000000) // then it is asked for again: aliases move

struct incus_images *incus_images_new(void);                         // NULL if out of memory
struct incus_images *incus_images_free(struct incus_images *images); // returns NULL

// The alias, "" if it has none; NULL if the image isn't known. Aliases are of a project.
const char *incus_images_find(struct incus_images *images, const char *project,
                              const char *fingerprint);
// @alias NULL: it has none, or is gone. Forgets the least useful one if need be.
void incus_images_put(struct incus_images *images, const char *project, const char *fingerprint,
                      const char *alias);

#endif
