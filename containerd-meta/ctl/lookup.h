// SPDX-License-Identifier: Apache-2.0
// From what a user types, or a cgroup says, to containers of the region.
#ifndef CTL_LOOKUP_H
#define CTL_LOOKUP_H

#include "shm/container_id.h"
#include "shm/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// Containers that answer to a text.
struct lookup {
    cmeta_handle *handles; // lookup_free()
    size_t count;
};

/**
 * lookup_text() - the containers that a text means
 * @text: a whole ID, "SCOPE/ID", a name, or the beginning of an ID
 *
 * The first of these that anybody answers to counts; among several containers the live ones
 * do. Hexadecimal IDs are compared without regard to case.
 *
 * Return: how many there are: 0 nobody, 1 one, more: ambiguous.
 */
size_t lookup_text(const struct cmeta_region *region, const char *text, struct lookup *found);

/**
 * lookup_match() - the containers that a cgroup path's match means
 *
 * A weak match means a container of that containerd namespace only; a strong one a container of
 * an engine that makes such cgroups.
 *
 * Return: as lookup_text().
 */
size_t lookup_match(const struct cmeta_region *region, const struct cmeta_id_match *match,
                    struct lookup *found);

void lookup_free(struct lookup *found);

// The candidates, a line each.
void lookup_print(const struct cmeta_region *region, const struct lookup *found, FILE *to);

// The next container of the region, tombstones included; begin with a cursor of 0.
bool lookup_next(const struct cmeta_region *region, uint64_t *cursor, cmeta_handle *handle);

// What container.id shows of a full ID: twelve digits of 64, all of anything else.
struct cmeta_str lookup_short_id(struct cmeta_str id);

// The name or the image of the current record; absent if it isn't known.
struct cmeta_str lookup_string(const struct cmeta_region *region, cmeta_handle handle,
                               enum cmeta_string which);

#endif
