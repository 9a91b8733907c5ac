// SPDX-License-Identifier: Apache-2.0
// Editing one region: the writer's side of the protocol, store by store.
//
// The order of the stores is the promise to the readers: whatever store is the last one made, a
// reader has the old record or the new one, and finds every container that stood.
#ifndef CMETA_EDIT_H
#define CMETA_EDIT_H

#include "reader.h"
#include "writer.h"

#include <stdbool.h>
#include <stdint.h>

// Bytes of the arena that an identity and a record take.
uint32_t edit_identity_bytes(const struct cmeta_name *name);
uint32_t edit_record_bytes(size_t record_size);

// Bytes of the arena handed out.
uint32_t edit_arena_used(const struct cmeta_region *region);

/**
 * edit_insert() - a new container: identity and first record, then the cell
 * @identity: offset, set on success
 * Return: 0; -ENOSPC if the arena, the buckets or a chain is full.
 */
int edit_insert(struct cmeta_region *region, const struct cmeta_name *name, const void *record,
                size_t size, const struct cmeta_live *live, uint32_t *identity);

/**
 * edit_record() - a newer version of the record
 * Return: 0; -ENOSPC if the arena is full.
 */
int edit_record(struct cmeta_region *region, uint32_t identity, const void *record, size_t size);

// State, PID, finish time.
void edit_live(struct cmeta_region *region, uint32_t identity, const struct cmeta_live *live);

// Becomes a tombstone (removed_ns != 0) or comes back to life (0, with a status that says so).
void edit_removed(struct cmeta_region *region, uint32_t identity, uint64_t removed_ns);

// Empties the cell of an identity. Return: whether there was one.
bool edit_forget(struct cmeta_region *region, uint32_t identity);

/**
 * edit_log() - log a change under its revision, then tell those who wait
 * @wake: whether to make the system call that wakes them
 */
void edit_log(struct cmeta_region *region, uint32_t identity, enum cmeta_change_kind kind,
              uint64_t revision, bool wake);

// Sets the region's state and wakes those who wait.
void edit_state(struct cmeta_region *region, enum cmeta_region_state state);

#endif
