// SPDX-License-Identifier: Apache-2.0
#include "docker_images.h"

#include "containerd-meta/clock.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    char *id;
    struct docker_image *image;
    uint64_t asked_ns; // CLOCK_MONOTONIC
    uint64_t used;     // order of use
};

// Few enough to look through: a node seldom runs more images, and it is looked at once per inspect.
struct docker_images {
    struct slot slots[DOCKER_IMAGES_MAX];
    uint64_t uses;
};

struct docker_images *docker_images_new(void)
{
    return calloc(1, sizeof(struct docker_images));
}

static void empty(struct slot *slot)
{
    free(slot->id);
    docker_image_free(slot->image);
    *slot = (struct slot){0};
}

struct docker_images *docker_images_free(struct docker_images *images)
{
    for (unsigned i = 0; images && i < DOCKER_IMAGES_MAX; i++)
        empty(&images->slots[i]);
    free(images);
    return NULL;
}

static struct slot *find(struct docker_images *images, const char *id)
{
    for (unsigned i = 0; i < DOCKER_IMAGES_MAX; i++)
        if (images->slots[i].id && strcmp(images->slots[i].id, id) == 0)
            return &images->slots[i];
    return NULL;
}

const struct docker_image *docker_images_get(struct docker_images *images, const char *id)
{
    struct slot *slot = find(images, id);

    if (!slot || clock_ns(CLOCK_MONOTONIC) - slot->asked_ns > DOCKER_IMAGES_AGE_NS)
        return NULL;
    slot->used = ++images->uses;
    return slot->image;
}

static struct slot *victim(struct docker_images *images)
{
    struct slot *oldest = &images->slots[0];

    for (unsigned i = 0; i < DOCKER_IMAGES_MAX && oldest->id; i++)
        if (!images->slots[i].id || images->slots[i].used < oldest->used)
            oldest = &images->slots[i];
    return oldest;
}

const struct docker_image *docker_images_put(struct docker_images *images, const char *id,
                                             const json_t *json)
{
    struct slot *slot = find(images, id);
    struct slot fresh = {.id = strdup(id),
                         .image = docker_image_from_json(json),
                         .asked_ns = clock_ns(CLOCK_MONOTONIC),
                         .used = ++images->uses};

    if (!fresh.id || !fresh.image) {
        empty(&fresh);
        return NULL;
    }
    if (!slot)
        slot = victim(images);
    empty(slot);
    *slot = fresh;
    return slot->image;
}
