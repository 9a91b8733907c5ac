// SPDX-License-Identifier: Apache-2.0
// A container as a JSON document.
//
// Member `container` is the upstream plugin's document: its keys, types and units. The properties
// of a group that isn't known are left out of it, as a reader of that document expects. Beside it
// stands what is ours: scope, state, times (RFC 3339), groups with their reasons and sources.
#ifndef CTL_RECORD_JSON_H
#define CTL_RECORD_JSON_H

#include "shm/reader.h"

#include <jansson.h>

/**
 * record_json() - all that the region says of a container
 * Return: a new reference; NULL if the handle is none of this region's.
 */
json_t *record_json(const struct cmeta_region *region, cmeta_handle handle);

// The groups that rules read and that aren't known: an array of names.
json_t *record_json_missing(uint32_t known);

#endif
