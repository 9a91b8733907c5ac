// SPDX-License-Identifier: Apache-2.0
// The writer: policy over edit.c. It keeps the live region from getting full, mirrors changes into
// the one that drains, lets tombstones expire, and beats.
#include "writer.h"

#include "counters.h"
#include "edit.h"
#include "load.h"
#include "writer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEARTBEAT_NS    UINT64_C(10000000000)
#define EVICT_PAUSE_NS  UINT64_C(1000000000)
#define EXPIRY_PAUSE_NS UINT64_C(1000000000)

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

// --- life
// --------------------------------------------------------------------------------------------------

// An earlier daemon's revision is taken up, so that followers never see it go back. It is its word
// only: an absurd one is not believed.
static uint64_t revision_of_predecessor(const char *dir)
{
    struct cmeta_region old = {0};
    uint64_t revision = 0;

    if (cmeta_region_map(dir, &old) == 0) {
        revision = cmeta_reader_revision(&old);
        cmeta_region_unmap(&old);
    }
    return revision < (UINT64_C(1) << 62) ? revision : 0;
}

int cmeta_writer_new(const struct cmeta_writer_options *options, struct cmeta_writer **writer,
                     char *message, size_t message_size)
{
    struct cmeta_writer *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    w->dir_fd = -1;
    w->initial_bytes = options->initial_bytes ? options->initial_bytes : WRITER_INITIAL_BYTES;
    w->max_bytes = options->max_bytes ? options->max_bytes : WRITER_MAX_BYTES;
    w->drain_ns = options->drain_ns ? options->drain_ns : WRITER_DRAIN_NS;
    w->grace_ns = options->grace_ns;
    w->file_mode = options->file_mode ? options->file_mode : 0640;
    w->gid = options->gid;
    w->next_expiry_ns = UINT64_MAX;
    snprintf(w->version, sizeof(w->version), "%s", options->version ? options->version : "");
    w->revision = revision_of_predecessor(options->dir);
    w->dir_fd = open(options->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (w->dir_fd < 0) {
        r = -errno;
        snprintf(message, message_size, "cannot open the folder %s: %s", options->dir,
                 strerror(errno));
        cmeta_writer_free(w);
        return r;
    }
    r = writer_build(w, &w->live, w->initial_bytes, 0);
    if (r < 0) {
        snprintf(message, message_size, "%s", w->message);
        cmeta_writer_free(w);
        return r;
    }
    w->message[0] = '\0';
    *writer = w;
    return 0;
}

struct cmeta_writer *cmeta_writer_free(struct cmeta_writer *writer)
{
    if (!writer)
        return NULL;
    cmeta_region_unmap(&writer->live);
    cmeta_region_unmap(&writer->draining);
    if (writer->dir_fd >= 0) {
        if (!writer->published)
            unlinkat(writer->dir_fd, CMETA_NEW_NAME, 0);
        close(writer->dir_fd);
    }
    free(writer);
    return NULL;
}

int cmeta_writer_publish(struct cmeta_writer *writer)
{
    struct cmeta_region old = {0};
    bool has_old = writer_map_published(writer, &old) == 0;
    int r = cmeta_region_publish(writer->dir_fd, &writer->live);

    if (r == 0) {
        writer->published = true;
        if (has_old)
            edit_state(&old, CMETA_REGION_RETIRED);
    }
    cmeta_region_unmap(&old);
    return r;
}

const struct cmeta_region *cmeta_writer_region(const struct cmeta_writer *writer)
{
    return &writer->live;
}

const char *cmeta_writer_message(const struct cmeta_writer *writer)
{
    return writer->message;
}

void cmeta_writer_set_grace(struct cmeta_writer *writer, uint64_t grace_ns)
{
    writer->grace_ns = grace_ns;
    store_relaxed(&((struct cmeta_header *)(void *)writer->live.base)->grace_ns, grace_ns);
    writer->next_expiry_ns = 0; // look at all of them at the next tick
}

void cmeta_writer_set_max(struct cmeta_writer *writer, uint64_t max_bytes)
{
    writer->max_bytes = max_bytes ? max_bytes : WRITER_MAX_BYTES;
}

// --- changes
// -------------------------------------------------------------------------------------------------

// The identity of a name, tombstones included; 0 if there is none.
static uint32_t identity_of(const struct cmeta_region *region, const struct cmeta_name *name)
{
    cmeta_handle handle;

    if (!region->base || cmeta_reader_find_full(region, name->id.data, name->id.len,
                                                name->scope.data ? name->scope.data : "",
                                                name->scope.len, &handle) != CMETA_FOUND)
        return 0;
    return (uint32_t)handle;
}

static bool same_record(const struct cmeta_region *region, uint32_t identity, const void *record,
                        size_t size)
{
    struct cmeta_view view;

    return cmeta_reader_record(region, cmeta_handle_make(region, identity), &view) &&
           view.size == size && memcmp(view.base, record, size) == 0;
}

static const struct cmeta_identity *look(const struct cmeta_region *region, uint32_t identity)
{
    return (const void *)(region->base + identity);
}

static bool same_live(const struct cmeta_region *region, uint32_t identity,
                      const struct cmeta_live *live)
{
    const struct cmeta_identity *at = look(region, identity);

    return at->status == live->word && at->pid == live->pid && at->finished_ns == live->finished_ns;
}

// Bytes of the arena that a container's identity and current record take.
uint32_t writer_container_bytes(const struct cmeta_region *region, uint32_t identity)
{
    cmeta_handle handle = cmeta_handle_make(region, identity);
    struct cmeta_status status;
    struct cmeta_view view;
    uint32_t bytes = 0;

    if (cmeta_reader_status(region, handle, &status))
        bytes += edit_identity_bytes(&(struct cmeta_name){status.id, status.scope});
    if (cmeta_reader_record(region, handle, &view))
        bytes += edit_record_bytes(view.size);
    return bytes;
}

// Applies a change to a region that may or may not have the container yet.
static int apply(struct cmeta_region *region, const struct cmeta_name *name, const void *record,
                 size_t size, const struct cmeta_live *live, uint64_t revision, bool wake)
{
    uint32_t identity = identity_of(region, name);
    enum cmeta_change_kind kind = CMETA_CHANGE_STATUS;
    int r;

    if (!identity) {
        if (!record)
            return -ENOENT;
        r = edit_insert(region, name, record, size, live, &identity);
        if (r < 0)
            return r;
        kind = CMETA_CHANGE_RECORD;
    } else {
        if (record && !same_record(region, identity, record, size)) {
            r = edit_record(region, identity, record, size);
            if (r < 0)
                return r;
            kind = CMETA_CHANGE_RECORD;
        }
        edit_live(region, identity, live);
        edit_removed(region, identity, 0);
    }
    edit_log(region, identity, kind, revision, wake);
    return 0;
}

static void mirror(struct cmeta_writer *writer, const struct cmeta_name *name, const void *record,
                   size_t size, const struct cmeta_live *live)
{
    int r;

    if (!writer->draining.base)
        return;
    r = apply(&writer->draining, name, record, size, live, writer->revision, true);
    if (r < 0 && r != -ENOENT)
        cmeta_writer_count(writer, CMETA_COUNT_MIRROR_DROPPED, 1);
}

// There is a container that may be evicted. To evict means to replace the region: once a second, or
// when there are many of them.
static void note_ended(struct cmeta_writer *writer, uint32_t identity)
{
    writer->ended_bytes += writer_container_bytes(&writer->live, identity);
    if (writer->ended_bytes >= writer->live.arena_bytes / 32 ||
        clock_ns(CLOCK_MONOTONIC) - writer->evicted_ns >= EVICT_PAUSE_NS)
        writer->nothing_to_evict = false;
}

int cmeta_writer_put(struct cmeta_writer *writer, const struct cmeta_name *name, const void *record,
                     size_t size, const struct cmeta_live *live)
{
    uint32_t identity = identity_of(&writer->live, name);
    enum cmeta_put outcome = identity ? CMETA_PUT_UPDATED : CMETA_PUT_CREATED;
    struct cmeta_live told = *live;
    uint32_t before;
    bool new_record;
    int r;

    if (name->id.len == 0 || name->id.len > UINT8_MAX || name->scope.len > UINT8_MAX)
        return -E2BIG;
    if (!identity && !record)
        return -ENOENT;
    if (told.first_seen_ns == 0)
        told.first_seen_ns = clock_ns(CLOCK_REALTIME);
    new_record = record && !(identity && same_record(&writer->live, identity, record, size));
    if (identity && look(&writer->live, identity)->removed_ns)
        outcome = CMETA_PUT_REVIVED;
    else if (identity && !new_record && same_live(&writer->live, identity, live)) {
        cmeta_writer_count(writer, CMETA_COUNT_UNCHANGED, 1);
        return CMETA_PUT_UNCHANGED;
    }
    if (new_record) {
        r = writer_make_room(writer,
                             edit_record_bytes(size) + (identity ? 0 : edit_identity_bytes(name)),
                             !identity);
        if (r < 0) {
            cmeta_writer_count(writer, CMETA_COUNT_REFUSED, 1);
            return r;
        }
    }
    identity = identity_of(&writer->live, name); // another offset if the region was replaced
    before = identity ? writer_container_bytes(&writer->live, identity) : 0;
    r = apply(&writer->live, name, record, size, &told, writer->revision + 1, writer->published);
    if (r < 0) {
        cmeta_writer_count(writer, CMETA_COUNT_REFUSED, 1);
        return r;
    }
    writer->live_bytes +=
        writer_container_bytes(&writer->live, identity_of(&writer->live, name)) - before;
    writer->revision++;
    if (CMETA_STATUS_STATE(told.word) >= CMETA_STATE_EXITED)
        note_ended(writer, identity_of(&writer->live, name));
    mirror(writer, name, record, size, &told);
    cmeta_writer_count(writer,
                       outcome == CMETA_PUT_CREATED   ? CMETA_COUNT_CREATED
                       : outcome == CMETA_PUT_REVIVED ? CMETA_COUNT_REVIVED
                       : new_record                   ? CMETA_COUNT_UPDATED
                                                      : CMETA_COUNT_STATUS,
                       1);
    return (int)outcome;
}

static bool bury(struct cmeta_region *region, const struct cmeta_name *name, uint64_t removed_ns,
                 uint64_t revision)
{
    uint32_t identity = identity_of(region, name);

    if (!identity || look(region, identity)->removed_ns)
        return false;
    edit_removed(region, identity, removed_ns);
    edit_log(region, identity, CMETA_CHANGE_REMOVED, revision, true);
    return true;
}

int cmeta_writer_remove(struct cmeta_writer *writer, const struct cmeta_name *name,
                        uint64_t removed_ns)
{
    if (removed_ns == 0)
        removed_ns = 1;
    if (!bury(&writer->live, name, removed_ns, writer->revision + 1))
        return 0;
    writer->revision++;
    note_ended(writer, identity_of(&writer->live, name));
    if (writer->draining.base)
        bury(&writer->draining, name, removed_ns, writer->revision);
    if (removed_ns + writer->grace_ns < writer->next_expiry_ns)
        writer->next_expiry_ns = removed_ns + writer->grace_ns;
    cmeta_writer_count(writer, CMETA_COUNT_REMOVED, 1);
    return 1;
}

// --- what is due
// -----------------------------------------------------------------------------------------------

void writer_forget(struct cmeta_writer *writer, uint32_t identity)
{
    struct cmeta_status status;
    struct cmeta_name name;
    uint32_t mirrored;

    if (!cmeta_reader_status(&writer->live, cmeta_handle_make(&writer->live, identity), &status))
        return;
    name = (struct cmeta_name){status.id, status.scope};
    mirrored = identity_of(&writer->draining, &name);
    if (!edit_forget(&writer->live, identity))
        return;
    writer->live_bytes -= writer_container_bytes(&writer->live, identity);
    edit_log(&writer->live, identity, CMETA_CHANGE_FORGOTTEN, ++writer->revision,
             writer->published);
    if (mirrored && edit_forget(&writer->draining, mirrored))
        edit_log(&writer->draining, mirrored, CMETA_CHANGE_FORGOTTEN, writer->revision, true);
}

// Forgets the tombstones that are due; notes when the next one is.
static void expire(struct cmeta_writer *writer, uint64_t now_ns)
{
    uint64_t cursor = 0, next = UINT64_MAX;
    cmeta_handle handle;
    int r;

    while ((r = cmeta_reader_next(&writer->live, &cursor, &handle)) != 0) {
        uint64_t removed_ns;

        if (r == CMETA_ITERATE_MORE)
            continue;
        removed_ns = look(&writer->live, (uint32_t)handle)->removed_ns;
        if (removed_ns == 0)
            continue;
        // A deadline in the far future can only come from a clock that was set back.
        if (removed_ns + writer->grace_ns <= now_ns || removed_ns > now_ns + writer->grace_ns) {
            writer_forget(writer, (uint32_t)handle);
            cmeta_writer_count(writer, CMETA_COUNT_FORGOTTEN, 1);
        } else if (removed_ns + writer->grace_ns < next) {
            next = removed_ns + writer->grace_ns;
        }
    }
    writer->next_expiry_ns = next;
}

static void beat(struct cmeta_writer *writer, uint64_t now_ns)
{
    struct cmeta_header *header = (void *)writer->live.base;

    // Relaxed: a follower compares the counter with its own last look and needs nothing else of it.
    store_relaxed(&header->heartbeat_monotonic_ns, now_ns);
    store_relaxed(&header->heartbeat, load_relaxed(&header->heartbeat) + 1);
    writer->next_beat_ns = now_ns + HEARTBEAT_NS;
}

static uint64_t until(uint64_t deadline, uint64_t now)
{
    return deadline > now ? deadline - now : 0;
}

// Looking for tombstones that are due means looking at all containers: not too often, if there are
// many.
static uint64_t expiry_pause(const struct cmeta_writer *writer)
{
    return cmeta_reader_identities(&writer->live) > 1000 ? EXPIRY_PAUSE_NS : 0;
}

static bool expiry_is_due(const struct cmeta_writer *writer, uint64_t realtime_ns,
                          uint64_t monotonic_ns)
{
    uint64_t due = writer->next_expiry_ns;

    if (due == UINT64_MAX || monotonic_ns < writer->expired_ns + expiry_pause(writer))
        return false;
    // Later than any removal of now could be due: the clock was set back.
    return due <= realtime_ns || due - writer->grace_ns > realtime_ns + writer->grace_ns;
}

uint64_t cmeta_writer_tick(struct cmeta_writer *writer, uint64_t realtime_ns, uint64_t monotonic_ns)
{
    uint64_t wait = HEARTBEAT_NS;

    if (expiry_is_due(writer, realtime_ns, monotonic_ns)) {
        expire(writer, realtime_ns);
        writer->expired_ns = monotonic_ns;
    }
    if (writer->draining.base && writer->drain_deadline_ns <= monotonic_ns)
        writer_retire(writer);
    if (writer->next_beat_ns <= monotonic_ns)
        beat(writer, monotonic_ns);
    writer_gauges(writer);
    if (until(writer->next_beat_ns, monotonic_ns) < wait)
        wait = until(writer->next_beat_ns, monotonic_ns);
    if (writer->next_expiry_ns != UINT64_MAX && until(writer->next_expiry_ns, realtime_ns) < wait)
        wait = until(writer->next_expiry_ns, realtime_ns);
    if (wait < until(writer->expired_ns + expiry_pause(writer), monotonic_ns))
        wait = until(writer->expired_ns + expiry_pause(writer), monotonic_ns);
    if (writer->draining.base && until(writer->drain_deadline_ns, monotonic_ns) < wait)
        wait = until(writer->drain_deadline_ns, monotonic_ns);
    return wait;
}
