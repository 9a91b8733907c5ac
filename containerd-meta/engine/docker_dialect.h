// SPDX-License-Identifier: Apache-2.0
// How engines that answer in Docker's form differ from each other. The mapping of the form itself
// is docker_inspect's, the asking docker_fetch's, the list docker_list's, the events
// docker_events'.
#ifndef DOCKER_DIALECT_H
#define DOCKER_DIALECT_H

#include "containerd-meta/container.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct docker_dialect {
    enum cmeta_type type;
    // Of a create event's attributes, those that are the event's own: the others are labels.
    // NULL-terminated.
    const char *const *event_attributes;
    bool ids_are_hex64; // others make no sense
    // The list waits for no container's lock: worth asking it while inspect waits.
    bool list_is_lock_free;
    // A health event tells what was before the check, or nothing: inspect tells.
    bool health_event_lags;
    // Events run ahead of what can be asked, or stay away: what a start or a health check led to is
    // asked for once more a little later.
    bool asks_again;
    // An inspect tells the image's names too: the image needn't be asked for.
    bool inspect_tells_image;

    struct container *(*from_list)(const json_t *element, const struct container_limits *limits);
    struct container *(*from_inspect)(const json_t *inspect, const struct container_limits *limits,
                                      bool with_size);
    /**
     * further_path() - what else is to be asked about a container
     * @path: receives the rest of the path behind the prefix: "/pods/…/json"
     * Return: whether there is something to ask.
     */
    bool (*further_path)(const json_t *inspect, char *path, size_t size);
    // Takes over the answer to that; NULL if the engine doesn't know it (any more).
    void (*add_further)(struct container *container, const json_t *answer,
                        const struct container_limits *limits);
    // Without that answer a container isn't complete: it is asked for again.
    bool further_is_needed;
};

extern const struct docker_dialect docker_dialect, podman_dialect;

#endif
