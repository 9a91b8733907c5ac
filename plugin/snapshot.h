// SPDX-License-Identifier: Apache-2.0
// A container's record and identity as they were at one moment: a private copy.
//
// What is written into an event is read several times (its size, its hash, its text), and the
// region's bytes are other hands'. The copy holds still. It allocates: for the follower's thread
// and for dumps.
#ifndef PLUGIN_SNAPSHOT_H
#define PLUGIN_SNAPSHOT_H

#include "container_id.h"
#include "reader.h"

#include <stdbool.h>

// Longer scopes aren't the daemon's, and are cut.
#define SNAPSHOT_SCOPE_MAX 255u

struct snapshot {
    struct cmeta_container content; // its strings are in `record`
    struct cmeta_status status;     // its strings are the two below
    uint32_t version;               // of the record
    char id[CMETA_ID_MAX + 1];
    char scope[SNAPSHOT_SCOPE_MAX + 1];

    // Kept for the next one.
    void *record;
    uint32_t record_room; // bytes
    void *lists;
};

/**
 * snapshot_take() - copy a container
 * @snapshot: zero-initialised at first; the one before is overwritten
 * @version:  of its record (cmeta_reader_version()); 0: the present one
 *
 * Return: 1; 0 if the handle has no record of this region; -ENOMEM.
 */
int snapshot_take(struct snapshot *snapshot, const struct cmeta_region *region, cmeta_handle handle,
                  uint32_t version);

// Gives the memory back; harmless on an empty one, which it leaves.
void snapshot_clear(struct snapshot *snapshot);

// container.id of it: twelve digits, or the whole of a free-form ID.
struct cmeta_str snapshot_short_id(const struct snapshot *snapshot);

/**
 * snapshot_digest() - a hash of all that a rule can see of it
 *
 * Times, limits, ports and who told what don't count; neither does the identity's state.
 * Return: at least SNAPSHOT_DIGEST_MIN, so that smaller numbers may mean something else.
 */
#define SNAPSHOT_DIGEST_MIN 16u
uint32_t snapshot_digest(const struct snapshot *snapshot);

// Whether it tells what a container is called and runs: both groups are known, or never will be.
bool snapshot_is_named(const struct snapshot *snapshot);

#endif
