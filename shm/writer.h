// SPDX-License-Identifier: Apache-2.0
// The writer: the only one who changes a region. It owns the live region and, while that is
// draining, its predecessor, and mirrors every change into both.
//
// Whatever instruction it dies at, readers have the old record or the new one, and never miss a
// container that stood. One thread. Nothing here blocks; replacing copies the live records, which
// takes some ms at the ceiling.
#ifndef CMETA_WRITER_H
#define CMETA_WRITER_H

#include "reader.h"

#include <stddef.h>
#include <stdint.h>

struct cmeta_writer;

struct cmeta_writer_options {
    const char *dir;        // the folder; must exist
    uint64_t initial_bytes; // 0: 2 MiB
    uint64_t max_bytes;     // 0: 64 MiB; ceiling of one region
    uint64_t grace_ns;      // how long removed containers stay readable
    uint64_t drain_ns;      // 0: 10 s; how long a replaced region still gets the changes
    const char *version;    // into the header
    int file_mode;          // 0: 0640
    int gid;                // -1: unchanged; group that may read
};

// Names a container: the full ID and the scope it is unique in.
struct cmeta_name {
    struct cmeta_str id;
    struct cmeta_str scope;
};

// What the identity's atomics shall say.
struct cmeta_live {
    uint32_t word; // CMETA_STATUS_*
    uint32_t pid;
    uint64_t first_seen_ns; // taken when the identity is made; 0: now
    uint64_t finished_ns;
};

// Outcomes of cmeta_writer_put().
enum cmeta_put {
    CMETA_PUT_UNCHANGED = 0, // the same bytes and status stand already
    CMETA_PUT_UPDATED = 1,
    CMETA_PUT_CREATED = 2,
    CMETA_PUT_REVIVED = 3, // a tombstone came back to life, in place
};

/**
 * cmeta_writer_new() - make a region, not yet visible to anybody
 * @message: receives what went wrong and what to do
 *
 * The caller holds the folder's lock (cmeta_lock_take()). Until cmeta_writer_publish() the old
 * region, if any, stays in its place.
 *
 * Return: 0; -errno as cmeta_region_create().
 */
int cmeta_writer_new(const struct cmeta_writer_options *options, struct cmeta_writer **writer,
                     char *message, size_t message_size);

// Unmaps; the published region stays for its readers. Returns NULL.
struct cmeta_writer *cmeta_writer_free(struct cmeta_writer *writer);

/**
 * cmeta_writer_publish() - give the region its name
 * Return: 0 or -errno.
 */
int cmeta_writer_publish(struct cmeta_writer *writer);

/**
 * cmeta_writer_put() - publish a record of a container
 * @record, @size: from cmeta_record_encode(); NULL to change the status only
 *
 * Replaces the region when it is three quarters full. At the ceiling tombstones go first, then the
 * containers that ended longest ago, then the new one is refused.
 *
 * Return: enum cmeta_put; -ENOSPC at the ceiling; -E2BIG if the ID or scope is too long; -ENOENT
 * for a status of what isn't there; other -errno of a replacement that failed.
 */
int cmeta_writer_put(struct cmeta_writer *writer, const struct cmeta_name *name, const void *record,
                     size_t size, const struct cmeta_live *live);

/**
 * cmeta_writer_remove() - make it a tombstone, readable until the grace period is over
 * @removed_ns: CLOCK_REALTIME; the deadline is this plus the grace period
 * Return: 1, 0 if it is none of ours or removed already.
 */
int cmeta_writer_remove(struct cmeta_writer *writer, const struct cmeta_name *name,
                        uint64_t removed_ns);

/**
 * cmeta_writer_tick() - what is due: tombstones to forget, a drained region to retire, a heartbeat
 * @realtime_ns, @monotonic_ns: now
 *
 * Return: nanoseconds until it wants to be called again.
 */
uint64_t cmeta_writer_tick(struct cmeta_writer *writer, uint64_t realtime_ns,
                           uint64_t monotonic_ns);

/**
 * cmeta_writer_replace() - build a successor and publish it
 * Return: 0 or -errno, with the present region still in force.
 */
int cmeta_writer_replace(struct cmeta_writer *writer);

// Changes the grace period; takes effect at the next tick.
void cmeta_writer_set_grace(struct cmeta_writer *writer, uint64_t grace_ns);
// The ceiling of later regions.
void cmeta_writer_set_max(struct cmeta_writer *writer, uint64_t max_bytes);
// The region that is live, as readers see it. Valid until the next call that may replace it.
const struct cmeta_region *cmeta_writer_region(const struct cmeta_writer *writer);
// What the last replacement that failed had to say; "" if none did.
const char *cmeta_writer_message(const struct cmeta_writer *writer);

// Counters: indices into cmeta_counter_table (shm/counters.h).
void cmeta_writer_count(struct cmeta_writer *writer, uint32_t counter, uint64_t delta);
void cmeta_writer_gauge(struct cmeta_writer *writer, uint32_t counter, uint64_t value);

/**
 * cmeta_writer_engine() - set an engine row; `sequence` of @row is ignored
 * @index: below CMETA_ENGINE_ROWS
 */
#define CMETA_ENGINE_ROWS 64u
void cmeta_writer_engine(struct cmeta_writer *writer, uint32_t index,
                         const struct cmeta_engine_row *row);

// --- one daemon
// ------------------------------------------------------------------------------------

/**
 * cmeta_lock_take() - the right to write into a folder
 * @wait: 1 to wait for it (a system call that blocks; before the loop starts), 0 not to
 * @fd:   the descriptor that holds it; closing it gives it up
 * Return: 0; -EAGAIN if another daemon has it; other -errno.
 */
int cmeta_lock_take(const char *dir, int wait, int *fd);

// Counts a container whose record was complete so long before its start; below 0: after it.
void cmeta_writer_lead(struct cmeta_writer *writer, uint32_t row, int64_t lead_ns);

/**
 * cmeta_writer_miss() - a container that a reader met too early
 * @index: below cmeta_writer_misses(); `sequence` of the entry is ignored
 */
void cmeta_writer_miss(struct cmeta_writer *writer, uint32_t index,
                       const struct cmeta_miss_entry *entry);
uint32_t cmeta_writer_misses(const struct cmeta_writer *writer);

#endif
