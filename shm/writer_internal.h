// SPDX-License-Identifier: Apache-2.0
// What writer.c, writer_replace.c and writer_rows.c share.
#ifndef CMETA_WRITER_INTERNAL_H
#define CMETA_WRITER_INTERNAL_H

#include "writer.h"

#include <stdbool.h>

#define WRITER_INITIAL_BYTES (UINT64_C(2) << 20)
#define WRITER_MAX_BYTES     (UINT64_C(64) << 20)
#define WRITER_DRAIN_NS      UINT64_C(10000000000)

struct cmeta_writer {
    int dir_fd;
    struct cmeta_region live;     // mapped read-write
    struct cmeta_region draining; // its predecessor while it gets the changes too, or empty
    bool published;
    uint64_t revision;          // of the last change
    uint64_t replace_at;        // arena bytes in use at which the region is replaced
    uint64_t live_bytes;        // arena bytes of identities in cells and their current records
    bool nothing_to_evict;      // the last look for containers to evict found none
    uint64_t ended_bytes;       // of containers that ended or were removed since, roughly
    uint64_t evicted_ns;        // CLOCK_MONOTONIC of that look
    uint64_t expired_ns;        // CLOCK_MONOTONIC of the last look for tombstones that are due
    uint64_t next_expiry_ns;    // CLOCK_REALTIME, UINT64_MAX: no tombstone
    uint64_t next_beat_ns;      // CLOCK_MONOTONIC
    uint64_t drain_deadline_ns; // CLOCK_MONOTONIC
    uint64_t initial_bytes, max_bytes, grace_ns, drain_ns;
    int file_mode, gid;
    char version[64];
    char message[256];
};

// Makes CMETA_NEW_NAME, with room for `identities`, and everything that isn't a container in it.
int writer_build(struct cmeta_writer *writer, struct cmeta_region *region, uint64_t bytes,
                 uint32_t identities);
// Maps what is published under the name now, for writing its last mark.
int writer_map_published(const struct cmeta_writer *writer, struct cmeta_region *region);
// Sees to it that `bytes` of the arena are free, and a cell if `cell`. 0 or -ENOSPC.
int writer_make_room(struct cmeta_writer *writer, uint32_t bytes, bool cell);
uint32_t writer_container_bytes(const struct cmeta_region *region, uint32_t identity);
// Ends the draining of the predecessor.
void writer_retire(struct cmeta_writer *writer);
// Empties a cell, in both regions.
void writer_forget(struct cmeta_writer *writer, uint32_t identity);
// Sets the gauges that describe the region.
void writer_gauges(struct cmeta_writer *writer);

#endif
