// SPDX-License-Identifier: Apache-2.0
#include "incus_images.h"

#include "containerd-meta/clock.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    char *project, *fingerprint, *alias;
    uint64_t asked_ns; // CLOCK_MONOTONIC
};

// Few enough to look through, once per instance.
struct incus_images {
    struct slot slots[INCUS_IMAGES_MAX];
};

struct incus_images *incus_images_new(void)
{
    return calloc(1, sizeof(struct incus_images));
}

static void empty(struct slot *slot)
{
    free(slot->project);
    free(slot->fingerprint);
    free(slot->alias);
    *slot = (struct slot){0};
}

struct incus_images *incus_images_free(struct incus_images *images)
{
    for (unsigned i = 0; images && i < INCUS_IMAGES_MAX; i++)
        empty(&images->slots[i]);
    free(images);
    return NULL;
}

static struct slot *find(struct incus_images *images, const char *project, const char *fingerprint)
{
    for (unsigned i = 0; i < INCUS_IMAGES_MAX; i++) {
        struct slot *slot = &images->slots[i];

        if (slot->fingerprint && strcmp(slot->fingerprint, fingerprint) == 0 &&
            strcmp(slot->project, project) == 0)
            return slot;
    }
    return NULL;
}

const char *incus_images_find(struct incus_images *images, const char *project,
                              const char *fingerprint)
{
    const struct slot *slot = find(images, project, fingerprint);

    if (!slot || clock_ns(CLOCK_MONOTONIC) - slot->asked_ns > INCUS_IMAGES_AGE_NS)
        return NULL;
    return slot->alias;
}

// A free one, else the one that was asked for longest ago.
static struct slot *victim(struct incus_images *images)
{
    struct slot *oldest = &images->slots[0];

    for (unsigned i = 0; i < INCUS_IMAGES_MAX && oldest->fingerprint; i++)
        if (!images->slots[i].fingerprint || images->slots[i].asked_ns < oldest->asked_ns)
            oldest = &images->slots[i];
    return oldest;
}

void incus_images_put(struct incus_images *images, const char *project, const char *fingerprint,
                      const char *alias)
{
    struct slot *slot = find(images, project, fingerprint);
    struct slot fresh = {.project = strdup(project),
                         .fingerprint = strdup(fingerprint),
                         .alias = strdup(alias ? alias : ""),
                         .asked_ns = clock_ns(CLOCK_MONOTONIC)};

    if (!fresh.project || !fresh.fingerprint || !fresh.alias) {
        empty(&fresh);
        return;
    }
    if (!slot)
        slot = victim(images);
    empty(slot);
    *slot = fresh;
}
