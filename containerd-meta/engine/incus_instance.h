// SPDX-License-Identifier: Apache-2.0
// From the JSON of Incus and LXD to a container: instances, their state, images.
//
// Source: Incus 6 and 7, LXD 4 and 5 (API 1.0). Every member is optional here, whatever its type:
// what is missing costs its property.
#ifndef INCUS_INSTANCE_H
#define INCUS_INSTANCE_H

#include "containerd-meta/container.h"

#include <jansson.h>

// One identity with whatever else reads LXC's cgroups: the name is all that they tell.
#define INCUS_SCOPE "lxc"

#define INCUS_ID_MAX 255u // bytes: what a cgroup's name can hold

// What is to be known of an instance before it is mapped; strings live as long as the JSON.
struct incus_facts {
    const char *name, *project;
    const char *location;    // member of a cluster; "" or "none": there is no cluster
    const char *fingerprint; // of its image, NULL if it was made of none
    const char *description; // of its image; ""
    const char *last_used;   // when it was started last, as the server writes it; ""
    bool is_container;       // no virtual machine
    uint32_t state;          // CMETA_STATE_*
};

/**
 * incus_facts_read() - Return: false if this is no instance: it has no name, or one too long.
 */
bool incus_facts_read(const json_t *instance, struct incus_facts *facts);

// The ID under which its cgroup goes: <name>, and <project>_<name> outside of the project default.
void incus_id_of(const char *project, const char *name, char id[INCUS_ID_MAX + 1]);
/**
 * incus_id_split() - the instance that a cgroup's name means
 * @project: receives the project, INCUS_ID_MAX + 1 bytes
 * Return: the name, within @id. Neither names nor projects have an underscore.
 */
const char *incus_id_split(const char *id, char project[INCUS_ID_MAX + 1]);

/**
 * incus_container_from_instance() - everything but addresses, PID, and what only the image knows
 * Return: the container; NULL if this is no instance, or out of memory.
 *
 * The image's name is its description until incus_container_add_image().
 */
struct container *incus_container_from_instance(const json_t *instance,
                                                const struct container_limits *limits);

/**
 * incus_container_add_image() - the group image, if it isn't known already: an OCI image is known
 * by its reference, from the instance alone
 * @alias: how it is called; "" or NULL: nobody remembers, and its description stands
 */
void incus_container_add_image(struct container *container, const char *fingerprint,
                               const char *description, const char *alias);

// The alias of an image's answer: the server's own, else the one it was fetched by; NULL if none.
const char *incus_image_alias(const json_t *image);

/**
 * incus_container_add_state() - PID, start time, addresses
 * @state:     what the server answers for a running instance
 * @addresses: receives how many addresses there are that others can reach
 * @links:     receives how many interfaces there are beside the loopback
 *
 * The network is marked as known if it has addresses, or no interface that could get one.
 */
void incus_container_add_state(struct container *container, const json_t *state,
                               unsigned *addresses, unsigned *links);

#endif
