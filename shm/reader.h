// SPDX-License-Identifier: Apache-2.0
// The reader: answers from a mapped region.
//
// No function here allocates, makes a system call, takes a lock or waits, except
// cmeta_follow_wait(), which says so; each ends after a bounded number of steps whatever the
// writer does: dead, stopped in the middle of a write, replaced, or writing noise. Every offset,
// length and string end is checked against the mapped size before it is used. Any number of
// threads may read the same region.
#ifndef CMETA_READER_H
#define CMETA_READER_H

#include "record.h"
#include "region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A container within one region: the identity's offset in the low 32 bits, a tag of the region's
// epoch above. 0 is no handle, and no handle is ever 1. A handle never means another container; one
// of another region is recognised and refused.
typedef uint64_t cmeta_handle;

static inline cmeta_handle cmeta_handle_make(const struct cmeta_region *region, uint32_t offset)
{
    return (uint64_t)((uint32_t)(region->epoch >> 32) | 1u) << 32 | offset;
}

// Whether a handle was made by this region.
static inline bool cmeta_handle_is_of(const struct cmeta_region *region, cmeta_handle handle)
{
    return (uint32_t)(handle >> 32) == ((uint32_t)(region->epoch >> 32) | 1u);
}

// Outcomes of a lookup.
enum cmeta_found { CMETA_ABSENT = 0, CMETA_FOUND = 1, CMETA_AMBIGUOUS = 2 };

/**
 * cmeta_reader_find() - look a container up by what `container.id` shows
 * @id:     twelve hexadecimal digits, or a whole free-form ID
 * @len:    bytes
 * @handle: set when found
 *
 * A live container is preferred to a removed one.
 *
 * Return: CMETA_FOUND; CMETA_ABSENT; CMETA_AMBIGUOUS if several containers that are equally alive
 * bear it (then ask with the full ID and scope).
 */
enum cmeta_found cmeta_reader_find(const struct cmeta_region *region, const char *id, size_t len,
                                   cmeta_handle *handle);

/**
 * cmeta_reader_find_full() - look a container up by its full ID
 * @id, @id_len:       the full ID
 * @scope, @scope_len: the engine's scope ("containerd/k8s.io"), or NULL for any
 *
 * Return: as cmeta_reader_find().
 */
enum cmeta_found cmeta_reader_find_full(const struct cmeta_region *region, const char *id,
                                        size_t id_len, const char *scope, size_t scope_len,
                                        cmeta_handle *handle);

// What the identity says now. Strings point into the region.
struct cmeta_status {
    struct cmeta_str id; // full
    struct cmeta_str scope;
    uint64_t revision;
    uint64_t first_seen_ns, finished_ns, removed_ns; // CLOCK_REALTIME, 0 none
    uint32_t word;                                   // CMETA_STATUS_*
    uint32_t pid;
};

/**
 * cmeta_reader_record() - the current record of a handle
 * @view: filled on success; stays readable as long as the region is mapped, even when newer
 *        versions follow
 *
 * Return: 1; 0 if the handle isn't of this region, or has no record.
 */
int cmeta_reader_record(const struct cmeta_region *region, cmeta_handle handle,
                        struct cmeta_view *view);

// Which version of its record a view of this region shows, and the other way round: a version stays
// as long as the region, whatever follows it. Return: as cmeta_reader_record().
static inline uint32_t cmeta_reader_version_of(const struct cmeta_region *region,
                                               const struct cmeta_view *view)
{
    return (uint32_t)((const uint8_t *)view->base - region->base);
}
int cmeta_reader_version(const struct cmeta_region *region, uint32_t version,
                         struct cmeta_view *view);

/**
 * cmeta_reader_status() - what changes without a new record
 * Return: 1; 0 if the handle isn't of this region.
 */
int cmeta_reader_status(const struct cmeta_region *region, cmeta_handle handle,
                        struct cmeta_status *status);

/**
 * cmeta_reader_value() - copy one string of the current record
 * @buffer: receives the value and a NUL of the reader's own
 * @size:   its size in bytes, at least 1; a longer value is cut at it
 *
 * Return: the value's length in bytes as copied; -ENODATA if absent; -ESTALE if the handle isn't of
 * this region.
 */
int cmeta_reader_value(const struct cmeta_region *region, cmeta_handle handle,
                       enum cmeta_string which, char *buffer, size_t size);

/**
 * cmeta_reader_next() - iterate over all containers, tombstones included
 * @cursor: 0 to begin with
 * @handle: set when there is one
 *
 * A container that stands from the beginning to the end of the iteration is seen exactly once.
 * One call looks at up to 64 buckets: CMETA_ITERATE_MORE says "nothing yet, call again".
 *
 * Return: 1 and a handle, 0 at the end, CMETA_ITERATE_MORE.
 */
#define CMETA_ITERATE_MORE 2
int cmeta_reader_next(const struct cmeta_region *region, uint64_t *cursor, cmeta_handle *handle);

// Header values that move.
uint32_t cmeta_reader_state(const struct cmeta_region *region); // enum cmeta_region_state
uint64_t cmeta_reader_revision(const struct cmeta_region *region);
uint32_t cmeta_reader_identities(const struct cmeta_region *region); // tombstones included
uint32_t cmeta_reader_tombstones(const struct cmeta_region *region);
// The writer's heartbeat: a counter, and CLOCK_MONOTONIC in ns when it last moved.
uint64_t cmeta_reader_heartbeat(const struct cmeta_region *region, uint64_t *monotonic_ns);

// --- following
// -------------------------------------------------------------------------------------

struct cmeta_change {
    uint64_t revision;
    cmeta_handle handle;
    uint32_t kind; // enum cmeta_change_kind
};

// Outcomes of cmeta_follow_next().
enum cmeta_follow { CMETA_FOLLOW_NONE = 0, CMETA_FOLLOW_CHANGE = 1, CMETA_FOLLOW_LAPPED = 2 };

/**
 * cmeta_follow_next() - the next change after a revision
 * @seen:   the last revision seen (cmeta_reader_revision() to begin with now, 0 for all that is
 * logged); moved on when a change is returned
 * @change: set with CMETA_FOLLOW_CHANGE
 *
 * Return: CMETA_FOLLOW_CHANGE; CMETA_FOLLOW_NONE when there is nothing newer; CMETA_FOLLOW_LAPPED
 * when the log has moved past @seen: take head = cmeta_reader_revision(), iterate over all
 * containers and treat those whose revision is newer than @seen as changed, then go on from head.
 */
enum cmeta_follow cmeta_follow_next(const struct cmeta_region *region, uint64_t *seen,
                                    struct cmeta_change *change);

/**
 * cmeta_follow_word() - the word to pass to cmeta_follow_wait(), read before looking for changes
 */
uint32_t cmeta_follow_word(const struct cmeta_region *region);

/**
 * cmeta_follow_wait() - sleep until something changes (a futex; a system call)
 * @word:       from cmeta_follow_word(), before the last look
 * @timeout_ms: at most so long
 *
 * Return: 1 woken or changed, 0 timed out, -EINTR.
 */
int cmeta_follow_wait(const struct cmeta_region *region, uint32_t word, unsigned timeout_ms);

// --- counters and engine rows
// ------------------------------------------------------------------------

// Copies one counter, texts NUL-terminated. Return: 1, or 0 beyond the end.
int cmeta_reader_counter(const struct cmeta_region *region, uint32_t index,
                         struct cmeta_counter *out);
// Copies one engine row, unmixed. Return: 1; 0 beyond the end or unused; -EAGAIN if the writer
// stopped in the middle of it.
int cmeta_reader_engine(const struct cmeta_region *region, uint32_t index,
                        struct cmeta_engine_row *out);

// --- keys, shared with the writer
// ----------------------------------------------------------------------

// The 48-bit key of what container.id shows: twelve hexadecimal digits are the key, anything else
// is hashed with the region's seed.
uint64_t cmeta_key_of_short(const uint64_t seed[2], const char *id, size_t len);
// The key of a full ID: of its first twelve digits if it is 64 hexadecimal digits.
uint64_t cmeta_key_of_full(const uint64_t seed[2], const char *id, size_t len);

// The index of the bucket in which a key's chain begins.
static inline uint32_t cmeta_bucket_of_key(const struct cmeta_region *region, uint64_t key)
{
    uint64_t mixed = ((key ^ region->seed[0]) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

    return (uint32_t)(mixed * region->bucket_count >>
                      32); // any number of buckets, without dividing
}

#endif
