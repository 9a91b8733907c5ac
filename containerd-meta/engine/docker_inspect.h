// SPDX-License-Identifier: Apache-2.0
// From Docker's JSON to a container: list elements, inspect answers, image inspects.
//
// Source: Docker Engine API 1.24 to 1.55. Every member is optional here, whatever its type: what is
// missing costs its property. Shared by engines that answer in this form.
#ifndef DOCKER_INSPECT_H
#define DOCKER_INSPECT_H

#include "containerd-meta/container.h"
#include "docker_dialect.h"

#include <jansson.h>

// What an image inspect tells: the references by which the image is known here.
struct docker_image {
    char **tags;    // repository:tag
    char **digests; // repository@algorithm:hex
    size_t tags_count, digests_count;
};

struct docker_image *docker_image_from_json(const json_t *image);
struct docker_image *docker_image_free(struct docker_image *image); // returns NULL

/**
 * docker_status_word() - Docker's name of a state
 * @state: "created", "running", …; may be NULL
 * Return: the state in a CMETA_STATUS_* word.
 */
uint32_t docker_status_word(const char *state);
// The same for health: "healthy", "unhealthy", "starting".
uint32_t docker_health_word(const char *health);

// Whether an ID or name may stand in a path as it is.
bool docker_id_is_plain(const char *id);

// The scope of a container's ID: "" if it is unique by itself.
const char *docker_scope(const char *id, enum cmeta_type type);

/**
 * docker_container_from_event() - what a create event's attributes tell: name, image, labels
 * @created_ns: when
 *
 * Labels are mixed with the event's own attributes there, so they aren't marked as known.
 *
 * Return: the container, NULL if out of memory.
 */
struct container *docker_container_from_event(const char *id, const json_t *attributes,
                                              int64_t created_ns,
                                              const struct docker_dialect *dialect,
                                              const struct container_limits *limits);

/**
 * docker_container_from_list() - an element of the list: name, image, labels, state
 * Return: the container; NULL if the element has no ID, or out of memory.
 */
struct container *docker_container_from_list(const json_t *element, enum cmeta_type type,
                                             const struct container_limits *limits);

/**
 * docker_container_from_inspect() - everything but what only the image knows
 * @with_size: the answer was asked with size=1
 * Return: the container; NULL if the answer has no ID, or out of memory.
 *
 * The group image isn't marked as known: docker_container_add_image() does.
 */
struct container *docker_container_from_inspect(const json_t *inspect, enum cmeta_type type,
                                                const struct container_limits *limits,
                                                bool with_size);

/**
 * docker_container_add_image() - tag and digest, by the reference the container was started from
 * @reference: as it was typed: name, name with tag or digest, or an image's ID
 * @id:        the image's ID, with or without "sha256:"
 * @image:     NULL: the engine doesn't have the image any more
 */
int docker_container_add_image(struct container *container, const char *reference, const char *id,
                               const struct docker_image *image);

// The container whose network this one shares (NetworkMode "container:<id>"); NULL if none.
const char *docker_inspect_network_of(const json_t *inspect);
// Takes over the addresses of another container's inspect answer.
int docker_container_add_addresses(struct container *container, const json_t *inspect);

#endif
