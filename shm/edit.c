// SPDX-License-Identifier: Apache-2.0
#include "edit.h"

#include "load.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct cmeta_header *header_of(const struct cmeta_region *region)
{
    return (void *)region->base;
}

static struct cmeta_identity *identity_at(const struct cmeta_region *region, uint32_t offset)
{
    return (void *)(region->base + offset);
}

static struct cmeta_bucket *bucket_at(const struct cmeta_region *region, uint32_t index)
{
    return (void *)(region->base + region->buckets_offset +
                    (size_t)index * sizeof(struct cmeta_bucket));
}

// --- the arena
// -----------------------------------------------------------------------------------------

static uint32_t whole_lines(size_t bytes)
{
    return (uint32_t)((bytes + CMETA_CACHE_LINE - 1) & ~(size_t)(CMETA_CACHE_LINE - 1));
}

static uint32_t text_bytes(const struct cmeta_name *name)
{
    return whole_lines(name->id.len + 1 + name->scope.len + 1);
}

uint32_t edit_identity_bytes(const struct cmeta_name *name)
{
    return (uint32_t)sizeof(struct cmeta_identity) + text_bytes(name);
}

uint32_t edit_record_bytes(size_t record_size)
{
    return whole_lines(record_size);
}

uint32_t edit_arena_used(const struct cmeta_region *region)
{
    return load_relaxed(&header_of(region)->arena_used);
}

// Hands out lines that were never used before; 0 if there are none. They stay invisible until a
// reference to them is stored. Identities come from the front, the rest from the end.
static uint32_t allocate(struct cmeta_region *region, uint32_t bytes)
{
    struct cmeta_header *header = header_of(region);
    uint32_t used = edit_arena_used(region), heads = load_relaxed(&header->arena_heads);

    if (used > region->arena_bytes || bytes > region->arena_bytes - used)
        return 0;
    store_relaxed(&header->arena_used, used + bytes);
    return region->arena_offset + region->arena_bytes - (used - heads) - bytes;
}

static uint32_t allocate_identity(struct cmeta_region *region)
{
    struct cmeta_header *header = header_of(region);
    uint32_t used = edit_arena_used(region), heads = load_relaxed(&header->arena_heads);
    const uint32_t bytes = sizeof(struct cmeta_identity);

    if (used > region->arena_bytes || bytes > region->arena_bytes - used)
        return 0;
    store_relaxed(&header->arena_used, used + bytes);
    store_relaxed(&header->arena_heads, heads + bytes);
    return region->arena_offset + heads;
}

static uint32_t write_record(struct cmeta_region *region, const void *record, size_t size)
{
    uint32_t offset = allocate(region, edit_record_bytes(size));

    if (offset)
        memcpy(region->base + offset, record, size);
    return offset;
}

static uint32_t write_texts(struct cmeta_region *region, const struct cmeta_name *name)
{
    uint32_t offset = allocate(region, text_bytes(name));
    char *text = (char *)region->base + offset;

    if (!offset)
        return 0;
    memcpy(text, name->id.data, name->id.len);
    text[name->id.len] = '\0';
    if (name->scope.len)
        memcpy(text + name->id.len + 1, name->scope.data, name->scope.len);
    text[name->id.len + 1 + name->scope.len] = '\0';
    return offset;
}

static uint32_t write_identity(struct cmeta_region *region, const struct cmeta_name *name,
                               uint64_t key, uint32_t record, const struct cmeta_live *live)
{
    uint32_t text = write_texts(region, name), offset = text ? allocate_identity(region) : 0;

    if (!offset)
        return 0;
    *identity_at(region, offset) = (struct cmeta_identity){.magic = CMETA_IDENTITY_MAGIC,
                                                           .id_len = (uint16_t)name->id.len,
                                                           .scope_len = (uint16_t)name->scope.len,
                                                           .key = key,
                                                           .first_seen_ns = live->first_seen_ns,
                                                           .record = record,
                                                           .status = live->word,
                                                           .pid = live->pid,
                                                           .text = text,
                                                           .finished_ns = live->finished_ns};
    return offset;
}

// --- cells
// -----------------------------------------------------------------------------------------------

static int free_cell(const struct cmeta_bucket *bucket)
{
    for (int i = 0; i < (int)CMETA_CELLS; i++)
        if (load_relaxed(&bucket->reference[i]) == 0)
            return i;
    return -1;
}

// Links a fresh overflow bucket behind the last one of a chain.
static struct cmeta_bucket *extend_chain(struct cmeta_region *region, struct cmeta_bucket *last)
{
    struct cmeta_header *header = header_of(region);
    uint32_t used = load_relaxed(&header->overflow_used);

    if (used >= region->overflow_count)
        return NULL;
    store_relaxed(&header->overflow_used, used + 1);
    // Release: pairs with the acquire load of the link in reader.c. The bucket behind it is all
    // zero: empty.
    store_release(&last->overflow, used + 1);
    return bucket_at(region, region->bucket_count + used);
}

static struct cmeta_bucket *find_room(struct cmeta_region *region, uint64_t key, int *cell)
{
    struct cmeta_bucket *bucket = bucket_at(region, cmeta_bucket_of_key(region, key));

    for (unsigned chain = 1;; chain++) {
        uint32_t next = load_relaxed(&bucket->overflow);

        *cell = free_cell(bucket);
        if (*cell >= 0)
            return bucket;
        if (chain == CMETA_CHAIN_MAX)
            return NULL;
        if (next == 0) {
            bucket = extend_chain(region, bucket);
            *cell = 0;
            return bucket;
        }
        bucket = bucket_at(region, region->bucket_count - 1 + next);
    }
}

static void open_bucket(struct cmeta_bucket *bucket)
{
    store_relaxed(&bucket->sequence, load_relaxed(&bucket->sequence) | 1u);
    // Pairs with the acquire fence of scan_bucket() in reader.c: who sees a cell's new value sees
    // the odd count.
    fence_release();
}

static void close_bucket(struct cmeta_bucket *bucket)
{
    // Release: pairs with the acquire load of `sequence` in scan_bucket().
    store_release(&bucket->sequence, load_relaxed(&bucket->sequence) + 1);
}

int edit_insert(struct cmeta_region *region, const struct cmeta_name *name, const void *record,
                size_t size, const struct cmeta_live *live, uint32_t *identity)
{
    struct cmeta_header *header = header_of(region);
    uint64_t key = cmeta_key_of_full(region->seed, name->id.data, name->id.len);
    uint32_t cells = region->bucket_count * CMETA_CELLS;
    struct cmeta_bucket *bucket;
    uint32_t record_at, at;
    int cell;

    if (load_relaxed(&header->identities) >= cells / 2)
        return -ENOSPC;
    bucket = find_room(region, key, &cell);
    if (!bucket)
        return -ENOSPC;
    record_at = write_record(region, record, size);
    if (!record_at)
        return -ENOSPC;
    at = write_identity(region, name, key, record_at, live);
    if (!at)
        return -ENOSPC;
    open_bucket(bucket);
    store_relaxed(&bucket->key_low[cell], (uint32_t)key);
    store_relaxed(&bucket->key_high[cell], (uint16_t)(key >> 32));
    // Release: pairs with the acquire load of the reference in reader.c.
    store_release(&bucket->reference[cell], at);
    close_bucket(bucket);
    store_relaxed(&header->identities, load_relaxed(&header->identities) + 1);
    *identity = at;
    return 0;
}

int edit_record(struct cmeta_region *region, uint32_t identity, const void *record, size_t size)
{
    uint32_t at = write_record(region, record, size);

    if (!at)
        return -ENOSPC;
    // Release: pairs with the acquire load in cmeta_reader_record().
    store_release(&identity_at(region, identity)->record, at);
    return 0;
}

void edit_live(struct cmeta_region *region, uint32_t identity, const struct cmeta_live *live)
{
    struct cmeta_identity *at = identity_at(region, identity);

    // Each by itself: no reader needs two of them from one moment.
    store_relaxed(&at->finished_ns, live->finished_ns);
    store_relaxed(&at->pid, live->pid);
    store_relaxed(&at->status, live->word);
}

static void count_tombstones(struct cmeta_region *region, int delta)
{
    struct cmeta_header *header = header_of(region);

    store_relaxed(&header->tombstones, load_relaxed(&header->tombstones) + (uint32_t)delta);
}

void edit_removed(struct cmeta_region *region, uint32_t identity, uint64_t removed_ns)
{
    struct cmeta_identity *at = identity_at(region, identity);
    uint64_t before = load_relaxed(&at->removed_ns);

    store_relaxed(&at->removed_ns, removed_ns);
    if (removed_ns)
        store_relaxed(&at->status, (load_relaxed(&at->status) & ~0xffu) | CMETA_STATE_REMOVED);
    if (!before != !removed_ns)
        count_tombstones(region, removed_ns ? 1 : -1);
}

bool edit_forget(struct cmeta_region *region, uint32_t identity)
{
    struct cmeta_header *header = header_of(region);
    struct cmeta_identity *at = identity_at(region, identity);
    struct cmeta_bucket *bucket = bucket_at(region, cmeta_bucket_of_key(region, at->key));

    for (unsigned chain = 0; chain < CMETA_CHAIN_MAX; chain++) {
        uint32_t next = load_relaxed(&bucket->overflow);

        for (unsigned i = 0; i < CMETA_CELLS; i++) {
            if (load_relaxed(&bucket->reference[i]) != identity)
                continue;
            open_bucket(bucket);
            store_relaxed(&bucket->reference[i], 0);
            store_relaxed(&bucket->key_low[i], 0);
            store_relaxed(&bucket->key_high[i], 0);
            close_bucket(bucket);
            store_relaxed(&header->identities, load_relaxed(&header->identities) - 1);
            if (load_relaxed(&at->removed_ns))
                count_tombstones(region, -1);
            return true;
        }
        if (next == 0 || next > region->overflow_count)
            break;
        bucket = bucket_at(region, region->bucket_count - 1 + next);
    }
    return false;
}

// --- telling
// --------------------------------------------------------------------------------------------

static void wake_all(struct cmeta_header *header)
{
    syscall(SYS_futex, &header->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void edit_log(struct cmeta_region *region, uint32_t identity, enum cmeta_change_kind kind,
              uint64_t revision, bool wake)
{
    struct cmeta_header *header = header_of(region);
    struct cmeta_log_entry *log = (void *)(region->base + region->log_offset);
    struct cmeta_log_entry *entry = &log[revision & region->log_mask];

    store_relaxed(&identity_at(region, identity)->revision, revision);
    store_relaxed(&entry->revision, 0);
    // Pairs with the acquire fence in cmeta_follow_next(): who sees a new payload sees that the old
    // revision is gone.
    fence_release();
    store_relaxed(&entry->identity, identity);
    store_relaxed(&entry->kind, kind);
    // Release, both: pair with the acquire loads in cmeta_follow_next() and
    // cmeta_reader_revision().
    store_release(&entry->revision, revision);
    store_release(&header->revision, revision);
    // Release: pairs with the acquire load in cmeta_follow_word().
    store_release(&header->changes, load_relaxed(&header->changes) + 1);
    if (wake)
        wake_all(header);
}

void edit_state(struct cmeta_region *region, enum cmeta_region_state state)
{
    struct cmeta_header *header = header_of(region);

    // Release: pairs with the acquire load in cmeta_reader_state().
    store_release(&header->state, state);
    store_release(&header->changes, load_relaxed(&header->changes) + 1); // as in edit_log()
    wake_all(header);
}
