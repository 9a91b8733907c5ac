// SPDX-License-Identifier: Apache-2.0
// Images that were asked for lately. An image's ID never means another image; the references by
// which it is known may change, so that what is remembered is asked for again after a while.
#ifndef DOCKER_IMAGES_H
#define DOCKER_IMAGES_H

#include "docker_inspect.h"

struct docker_images;

#define DOCKER_IMAGES_MAX    256u // the one asked for longest ago goes first
#define DOCKER_IMAGES_AGE_NS UINT64_C(600000000000)

struct docker_images *docker_images_new(void);
struct docker_images *docker_images_free(struct docker_images *images); // returns NULL

// NULL if it isn't there or too old. Lives until the next put.
const struct docker_image *docker_images_get(struct docker_images *images, const char *id);

// Remember an answer. Return: it, NULL if out of memory.
const struct docker_image *docker_images_put(struct docker_images *images, const char *id,
                                             const json_t *json);

#endif
