// SPDX-License-Identifier: Apache-2.0
// Replacing the region: the one mechanism for growth, compaction and what a full ceiling asks for.
#include "counters.h"
#include "edit.h"
#include "load.h"
#include "writer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IDENTITIES_MIN 1024u

// --- building
// ----------------------------------------------------------------------------------------------

static void describe_counters(struct cmeta_region *region)
{
    struct cmeta_counter *counters = (void *)(region->base + region->counters_offset);

    for (unsigned i = 0; i < CMETA_COUNT_COUNT; i++) {
        const struct cmeta_counter_description *d = &cmeta_counter_table[i];

        snprintf(counters[i].name, sizeof(counters[i].name), "%s", d->name);
        snprintf(counters[i].unit, sizeof(counters[i].unit), "%s", d->unit);
        snprintf(counters[i].help, sizeof(counters[i].help), "%s", d->help);
        counters[i].kind = d->kind;
    }
}

static int set_access(const struct cmeta_writer *writer)
{
    if (writer->gid >= 0 && fchownat(writer->dir_fd, CMETA_NEW_NAME, (uid_t)-1, (gid_t)writer->gid,
                                     AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (fchmodat(writer->dir_fd, CMETA_NEW_NAME, (mode_t)writer->file_mode, 0) < 0)
        return -errno;
    return 0;
}

int writer_build(struct cmeta_writer *writer, struct cmeta_region *region, uint64_t bytes,
                 uint32_t identities)
{
    struct cmeta_geometry geometry = {.bytes = bytes,
                                      .identities =
                                          identities > IDENTITIES_MIN ? identities : IDENTITIES_MIN,
                                      .counter_count = CMETA_COUNT_COUNT,
                                      .engine_count = CMETA_ENGINE_ROWS};
    struct cmeta_region made = {0};
    struct cmeta_header *header;
    int r;

    r = cmeta_region_create(writer->dir_fd, &geometry, &made, writer->message,
                            sizeof(writer->message));
    if (r < 0)
        return r;
    r = set_access(writer);
    if (r < 0) {
        snprintf(writer->message, sizeof(writer->message), "cannot set owner or mode of %s: %s",
                 CMETA_NEW_NAME, strerror(-r));
        cmeta_region_unmap(&made);
        unlinkat(writer->dir_fd, CMETA_NEW_NAME, 0);
        return r;
    }
    header = (void *)made.base;
    memcpy(header->writer_version, writer->version, sizeof(header->writer_version));
    header->grace_ns = writer->grace_ns;
    header->revision = writer->revision;
    describe_counters(&made);
    writer->replace_at = made.arena_bytes / 4 * 3;
    *region = made;
    return 0;
}

int writer_map_published(const struct cmeta_writer *writer, struct cmeta_region *region)
{
    int fd = openat(writer->dir_fd, CMETA_TABLE_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    void *base;
    int r = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size < (off_t)sizeof(struct cmeta_header))
        r = -EINVAL;
    if (r == 0) {
        base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
            r = -errno;
        else if (cmeta_region_adopt(base, (uint64_t)st.st_size, region) != 0) {
            munmap(base, (size_t)st.st_size);
            r = -EINVAL;
        }
    }
    close(fd);
    return r;
}

// --- the ceiling
// ---------------------------------------------------------------------------------------------

// A container that may be dropped early: tombstones before the ended ones, each the oldest first.
struct victim {
    uint32_t identity;
    uint32_t rank; // 0 tombstone, 1 ended
    uint64_t since_ns;
};

static int compare_victims(const void *a, const void *b)
{
    const struct victim *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->since_ns > y->since_ns) - (x->since_ns < y->since_ns);
}

static uint32_t collect_victims(const struct cmeta_region *region, struct victim *victims,
                                uint32_t max)
{
    uint64_t cursor = 0;
    cmeta_handle handle;
    struct cmeta_status status;
    uint32_t count = 0;
    int r;

    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0 && count < max) {
        uint32_t state;

        if (r == CMETA_ITERATE_MORE || !cmeta_reader_status(region, handle, &status))
            continue;
        state = CMETA_STATUS_STATE(status.word);
        if (state == CMETA_STATE_REMOVED)
            victims[count++] = (struct victim){(uint32_t)handle, 0, status.removed_ns};
        else if (state == CMETA_STATE_EXITED || state == CMETA_STATE_DEAD)
            victims[count++] = (struct victim){(uint32_t)handle, 1, status.finished_ns};
    }
    return count;
}

static uint64_t monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

// Drops victims until the live bytes are within the budget.
static void evict(struct cmeta_writer *writer, uint64_t budget)
{
    uint32_t max = cmeta_reader_identities(&writer->live), count;
    struct victim *victims = calloc(max + 1, sizeof(*victims));

    if (!victims)
        return;
    count = collect_victims(&writer->live, victims, max);
    writer->nothing_to_evict = count == 0;
    writer->ended_bytes = 0;
    writer->evicted_ns = monotonic_ns();
    qsort(victims, count, sizeof(*victims), compare_victims);
    for (uint32_t i = 0; i < count && writer->live_bytes > budget; i++) {
        writer_forget(writer, victims[i].identity);
        cmeta_writer_count(writer, CMETA_COUNT_EVICTED, 1);
    }
    free(victims);
}

// --- replacing
// -----------------------------------------------------------------------------------------------

static void copy_identity(const struct cmeta_region *from, cmeta_handle handle,
                          struct cmeta_region *to)
{
    struct cmeta_status status;
    struct cmeta_view view;
    struct cmeta_live live;
    uint32_t made;

    if (!cmeta_reader_status(from, handle, &status) || !cmeta_reader_record(from, handle, &view))
        return; // somebody else wrote here; the engines will tell it again
    live = (struct cmeta_live){.word = status.word,
                               .pid = status.pid,
                               .first_seen_ns = status.first_seen_ns,
                               .finished_ns = status.finished_ns};
    if (edit_insert(to, &(struct cmeta_name){status.id, status.scope}, view.base, view.size, &live,
                    &made) < 0)
        return;
    if (status.removed_ns)
        edit_removed(to, made, status.removed_ns);
    ((struct cmeta_identity *)(void *)(to->base + made))->revision = status.revision;
}

static void copy_rows(const struct cmeta_region *from, struct cmeta_region *to)
{
    const struct cmeta_header *old = (const void *)from->base;
    struct cmeta_header *header = (void *)to->base;
    const struct cmeta_counter *counters = (const void *)(from->base + from->counters_offset);
    struct cmeta_counter *copies = (void *)(to->base + to->counters_offset);

    for (uint32_t i = 0; i < from->counter_count && i < to->counter_count; i++)
        copies[i].value = load_relaxed(&counters[i].value);
    memcpy(to->base + to->engines_offset, from->base + from->engines_offset,
           (size_t)from->engine_count * sizeof(struct cmeta_engine_row));
    if (from->lead_count == to->lead_count)
        memcpy(to->base + to->leads_offset, from->base + from->leads_offset,
               (size_t)to->lead_count * sizeof(struct cmeta_lead_row));
    if (from->miss_count == to->miss_count)
        memcpy(to->base + to->misses_offset, from->base + from->misses_offset,
               (size_t)to->miss_count * sizeof(struct cmeta_miss_entry));
    header->heartbeat = load_relaxed(&old->heartbeat);
    header->heartbeat_monotonic_ns = load_relaxed(&old->heartbeat_monotonic_ns);
}

static void copy_all(const struct cmeta_region *from, struct cmeta_region *to)
{
    uint64_t cursor = 0;
    cmeta_handle handle;
    int r;

    while ((r = cmeta_reader_next(from, &cursor, &handle)) != 0)
        if (r == 1)
            copy_identity(from, handle, to);
    copy_rows(from, to);
}

void writer_retire(struct cmeta_writer *writer)
{
    if (!writer->draining.base)
        return;
    edit_state(&writer->draining, CMETA_REGION_RETIRED);
    cmeta_region_unmap(&writer->draining);
}

// Four times the live bytes, within initial size and ceiling; evicts first where the ceiling is
// near.
static uint64_t successor_bytes(struct cmeta_writer *writer, uint32_t *identities)
{
    uint64_t bytes, fixed;

    *identities = cmeta_reader_identities(&writer->live) / 4 * 5 + 64;
    bytes = cmeta_region_bytes_for(*identities, writer->live_bytes * 4, CMETA_COUNT_COUNT,
                                   CMETA_ENGINE_ROWS);
    if (bytes < writer->initial_bytes)
        bytes = writer->initial_bytes;
    if (bytes <= writer->max_bytes)
        return bytes;
    fixed = cmeta_region_bytes_for(*identities, 0, CMETA_COUNT_COUNT, CMETA_ENGINE_ROWS);
    if (fixed < writer->max_bytes && writer->live_bytes > (writer->max_bytes - fixed) / 4 * 3)
        evict(writer, (writer->max_bytes - fixed) / 8 * 5);
    return writer->max_bytes;
}

// The successor takes over. Its predecessor goes on draining, and whoever drained before is done.
static int take_over(struct cmeta_writer *writer, struct cmeta_region *successor)
{
    int r;

    if (!writer->published) {
        cmeta_region_unmap(
            &writer->live); // nobody knows it: its name went when the new one was made
        writer->live = *successor;
        return 0;
    }
    edit_state(&writer->live, CMETA_REGION_DRAINING);
    r = cmeta_region_publish(writer->dir_fd, successor);
    if (r < 0) {
        edit_state(&writer->live, CMETA_REGION_LIVE);
        snprintf(writer->message, sizeof(writer->message), "cannot rename %s to %s: %s",
                 CMETA_NEW_NAME, CMETA_TABLE_NAME, strerror(-r));
        return r;
    }
    writer_retire(writer);
    writer->draining = writer->live;
    writer->live = *successor;
    writer->drain_deadline_ns = monotonic_ns() + writer->drain_ns;
    edit_state(&writer->draining,
               CMETA_REGION_DRAINING); // again, to wake them now that it is there
    return 0;
}

int cmeta_writer_replace(struct cmeta_writer *writer)
{
    struct cmeta_region successor = {0};
    uint64_t keep_at = writer->replace_at;
    uint32_t identities;
    uint64_t bytes = successor_bytes(writer, &identities);
    int r = writer_build(writer, &successor, bytes, identities);

    if (r == 0) {
        copy_all(&writer->live, &successor);
        r = take_over(writer, &successor);
        if (r < 0) {
            cmeta_region_unmap(&successor);
            unlinkat(writer->dir_fd, CMETA_NEW_NAME, 0);
        }
    }
    if (r < 0) {
        // Not again at each put: when another part of what is left is used up.
        writer->replace_at = keep_at + writer->live.arena_bytes / 32;
        cmeta_writer_count(writer, CMETA_COUNT_REPLACE_FAILED, 1);
        return r;
    }
    writer->live_bytes = edit_arena_used(&writer->live);
    // Beyond three quarters only where the live bytes themselves are near that: then half of what
    // is left, or every put would compact again.
    if ((writer->live_bytes + writer->live.arena_bytes) / 2 > writer->replace_at)
        writer->replace_at = (writer->live_bytes + writer->live.arena_bytes) / 2;
    cmeta_writer_count(writer, CMETA_COUNT_REPLACED, 1);
    return 0;
}

static bool has_cell(const struct cmeta_region *region)
{
    return cmeta_reader_identities(region) < region->bucket_count * CMETA_CELLS / 2;
}

// The overflow buckets are sized for random keys; when they run out the seed was unlucky.
static bool has_overflow(const struct cmeta_region *region)
{
    const struct cmeta_header *header = (const void *)region->base;

    return load_relaxed(&header->overflow_used) < region->overflow_count;
}

int writer_make_room(struct cmeta_writer *writer, uint32_t bytes, bool cell)
{
    const struct cmeta_region *live = &writer->live;
    uint64_t used = edit_arena_used(live), limit;
    bool worthwhile;

    if (used + bytes <= writer->replace_at && (!cell || (has_cell(live) && has_overflow(live))))
        return 0;
    // At the ceiling replacing helps only if there are old versions to leave behind, or somebody to
    // evict.
    worthwhile = live->size < writer->max_bytes || !writer->nothing_to_evict ||
                 used - writer->live_bytes >= live->arena_bytes / 32;
    if (worthwhile) {
        int r = cmeta_writer_replace(writer);

        if (r < 0 && r != -ENOSPC && r != -ENOMEM && used + bytes > live->arena_bytes)
            return r;
        used = edit_arena_used(live);
    }
    // New containers leave a sixteenth for news of those that are there.
    limit = live->arena_bytes - (cell ? live->arena_bytes / 16 : 0);
    return used + bytes <= limit && (!cell || has_cell(live)) ? 0 : -ENOSPC;
}
