// SPDX-License-Identifier: Apache-2.0
// Lookups. A cell never moves and its key never changes while it is in use, so a reader finds what
// stands by looking at each cell once; the identity block, which is immutable, has the last word.
#include "reader.h"

#include "container_id.h"
#include "hex.h"
#include "load.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

// The identity at an offset, if one can be there: aligned, within the arena, with its magic.
static const struct cmeta_identity *identity_at(const struct cmeta_region *region, uint32_t offset)
{
    const struct cmeta_identity *identity;
    uint32_t at = offset - region->arena_offset;

    if (offset % CMETA_CACHE_LINE != 0 || at >= region->arena_bytes ||
        region->arena_bytes - at < sizeof(*identity))
        return NULL;
    identity = (const void *)(region->base + offset);
    return load_relaxed(&identity->magic) == CMETA_IDENTITY_MAGIC ? identity : NULL;
}

static const struct cmeta_identity *identity_of(const struct cmeta_region *region,
                                                cmeta_handle handle)
{
    return cmeta_handle_is_of(region, handle) ? identity_at(region, (uint32_t)handle) : NULL;
}

// ID and scope, where the identity says. Return: false if they can't be there.
static bool identity_texts(const struct cmeta_region *region, const struct cmeta_identity *identity,
                           struct cmeta_str *id, struct cmeta_str *scope)
{
    uint64_t end = (uint64_t)region->arena_offset + region->arena_bytes;
    uint64_t at = load_relaxed(&identity->text);
    uint32_t id_len = load_relaxed(&identity->id_len),
             scope_len = load_relaxed(&identity->scope_len);

    if (at < region->arena_offset || at + id_len + 1 + scope_len + 1 > end)
        return false;
    *id = (struct cmeta_str){(const char *)region->base + at, id_len};
    *scope = (struct cmeta_str){(const char *)region->base + at + id_len + 1, scope_len};
    return true;
}

// --- the table
// ---------------------------------------------------------------------------------------

// What is looked for.
struct wanted {
    uint64_t key;
    const char *id;
    size_t id_len;
    const char *scope; // NULL: any
    size_t scope_len;
    bool is_full; // `id` is the full ID; else what container.id shows
};

// The best seen so far: a live container beats a tombstone; two of one kind are ambiguous.
struct candidate {
    uint32_t live, dead; // offsets, 0 none
    uint32_t live_count, dead_count;
};

static const struct cmeta_bucket *bucket_at(const struct cmeta_region *region, uint32_t index)
{
    return (const void *)(region->base + region->buckets_offset +
                          (size_t)index * sizeof(struct cmeta_bucket));
}

static bool equal(struct cmeta_str s, const char *data, size_t len)
{
    return s.len == len && memcmp(s.data, data, len) == 0;
}

static bool texts_match(const struct cmeta_region *region, const struct cmeta_identity *identity,
                        const struct wanted *want)
{
    struct cmeta_str id, scope;

    if (!identity_texts(region, identity, &id, &scope))
        return false;
    if (want->scope && !equal(scope, want->scope, want->scope_len))
        return false;
    if (equal(id, want->id, want->id_len))
        return true;
    return !want->is_full && want->id_len == 12 && cmeta_id_is_hex64(id.data, id.len) &&
           strncasecmp(id.data, want->id, want->id_len) == 0;
}

// The identity has the last word. Where the key is the short ID itself and the bucket stood still,
// the key in the identity's first line says it all; otherwise the texts are compared.
static void consider(const struct cmeta_region *region, uint32_t offset, const struct wanted *want,
                     bool stable, struct candidate *best)
{
    const struct cmeta_identity *identity = identity_at(region, offset);

    if (!identity || load_relaxed(&identity->key) != want->key)
        return;
    if (!(stable && !want->is_full && (want->key & CMETA_KEY_EXACT)) &&
        !texts_match(region, identity, want))
        return;
    if (CMETA_STATUS_STATE(load_relaxed(&identity->status)) == CMETA_STATE_REMOVED) {
        best->dead = offset;
        best->dead_count++;
    } else {
        best->live = offset;
        best->live_count++;
    }
}

// One bucket's cells, each looked at once. A reader that finds the count odd or moved neither spins
// nor looks again: what stood before the write still stands in its cell, and what the write brings
// may be seen or not.
static void scan_bucket(const struct cmeta_region *region, const struct cmeta_bucket *bucket,
                        const struct wanted *want, struct candidate *best)
{
    uint32_t low = (uint32_t)want->key, matches[CMETA_CELLS], count = 0;
    uint16_t high = (uint16_t)(want->key >> 32);
    // Acquire, and the fence below: pair with the fence and the closing release store of
    // `sequence` in edit.c.
    uint32_t sequence = load_acquire(&bucket->sequence);
    bool stable;

    for (unsigned i = 0; i < CMETA_CELLS; i++) {
        // Acquire: pairs with the release store of the reference in edit.c; the identity behind it
        // is complete.
        uint32_t reference = load_acquire(&bucket->reference[i]);

        if (load_relaxed(&bucket->key_low[i]) == low &&
            load_relaxed(&bucket->key_high[i]) == high && reference != 0)
            matches[count++] = reference;
    }
    fence_acquire();
    stable = sequence % 2 == 0 && load_relaxed(&bucket->sequence) == sequence;
    for (unsigned i = 0; i < count; i++)
        consider(region, matches[i], want, stable, best);
}

static enum cmeta_found find(const struct cmeta_region *region, const struct wanted *want,
                             cmeta_handle *handle)
{
    const struct cmeta_bucket *bucket = bucket_at(region, cmeta_bucket_of_key(region, want->key));
    struct candidate best = {0};

    for (unsigned chain = 0; chain < CMETA_CHAIN_MAX; chain++) {
        // Acquire: pairs with the release store of the link in edit.c.
        uint32_t next = load_acquire(&bucket->overflow);

        scan_bucket(region, bucket, want, &best);
        if (next == 0 || next > region->overflow_count)
            break;
        bucket = bucket_at(region, region->bucket_count - 1 + next);
    }
    if (best.live_count > 1 || (best.live_count == 0 && best.dead_count > 1))
        return CMETA_AMBIGUOUS;
    if (best.live_count == 0 && best.dead_count == 0)
        return CMETA_ABSENT;
    *handle = cmeta_handle_make(region, best.live_count ? best.live : best.dead);
    return CMETA_FOUND;
}

// The common case in one cache line: the key is the short ID itself, the chain is one bucket that
// stood still, and one cell or none has the key. Then the cell says it all, and the identity needs
// no look. Return: -1 if it isn't so simple.
static int find_exact(const struct cmeta_region *region, uint64_t key, cmeta_handle *handle)
{
    const struct cmeta_bucket *bucket = bucket_at(region, cmeta_bucket_of_key(region, key));
    // Acquire, and the fence below: as in scan_bucket(). The link: as in find().
    uint32_t sequence = load_acquire(&bucket->sequence), reference, matches = 0;
    uint32_t next = load_acquire(&bucket->overflow);

    for (unsigned i = 0; i < CMETA_CELLS; i++)
        // Without a branch: `&`, not `&&`.
        matches |= ((uint32_t)(load_relaxed(&bucket->key_low[i]) == (uint32_t)key) &
                    (uint32_t)(load_relaxed(&bucket->key_high[i]) == (uint16_t)(key >> 32)))
                   << i;
    // Acquire: as in scan_bucket(). The bit that is set anyway keeps the index within the bucket.
    reference = load_acquire(&bucket->reference[__builtin_ctz(matches | 1u << (CMETA_CELLS - 1))]);
    fence_acquire();
    if (next != 0 || sequence % 2 != 0 || load_relaxed(&bucket->sequence) != sequence ||
        (matches & (matches - 1)) != 0)
        return -1;
    if (matches == 0 || reference == 0)
        return CMETA_ABSENT;
    *handle = cmeta_handle_make(region, reference);
    return CMETA_FOUND;
}

// Apart, so that the common case needs no stack.
static __attribute__((noinline)) enum cmeta_found find_short(const struct cmeta_region *region,
                                                             const char *id, size_t len,
                                                             cmeta_handle *handle)
{
    struct wanted want = {
        .key = cmeta_key_of_short(region->seed, id, len), .id = id, .id_len = len};

    return find(region, &want, handle);
}

enum cmeta_found cmeta_reader_find(const struct cmeta_region *region, const char *id, size_t len,
                                   cmeta_handle *handle)
{
    uint64_t key;
    int found;

    if (len != HEX12_DIGITS || !hex12(id, &key))
        return find_short(region, id, len, handle);
    found = find_exact(region, key | CMETA_KEY_EXACT, handle);
    return found >= 0 ? (enum cmeta_found)found : find_short(region, id, len, handle);
}

enum cmeta_found cmeta_reader_find_full(const struct cmeta_region *region, const char *id,
                                        size_t id_len, const char *scope, size_t scope_len,
                                        cmeta_handle *handle)
{
    struct wanted want = {.key = cmeta_key_of_full(region->seed, id, id_len),
                          .id = id,
                          .id_len = id_len,
                          .scope = scope,
                          .scope_len = scope_len,
                          .is_full = true};

    return find(region, &want, handle);
}

// --- by handle
// -----------------------------------------------------------------------------------------

int cmeta_reader_version(const struct cmeta_region *region, uint32_t version,
                         struct cmeta_view *view)
{
    uint32_t at = version - region->arena_offset;

    if (version % 8 != 0 || at >= region->arena_bytes)
        return 0;
    return cmeta_view_init(view, region->base + version, region->arena_bytes - at) == 0;
}

static int record_of(const struct cmeta_region *region, const struct cmeta_identity *identity,
                     struct cmeta_view *view)
{
    // Acquire: pairs with the release store of the record's offset in edit.c.
    return cmeta_reader_version(region, load_acquire(&identity->record), view);
}

int cmeta_reader_record(const struct cmeta_region *region, cmeta_handle handle,
                        struct cmeta_view *view)
{
    const struct cmeta_identity *identity = identity_of(region, handle);

    return identity ? record_of(region, identity, view) : 0;
}

int cmeta_reader_status(const struct cmeta_region *region, cmeta_handle handle,
                        struct cmeta_status *status)
{
    const struct cmeta_identity *identity = identity_of(region, handle);
    struct cmeta_status found;

    if (!identity || !identity_texts(region, identity, &found.id, &found.scope))
        return 0;
    found.revision = load_relaxed(&identity->revision);
    found.first_seen_ns = load_relaxed(&identity->first_seen_ns);
    found.finished_ns = load_relaxed(&identity->finished_ns);
    found.removed_ns = load_relaxed(&identity->removed_ns);
    found.word = load_relaxed(&identity->status);
    found.pid = load_relaxed(&identity->pid);
    *status = found;
    return 1;
}

int cmeta_reader_value(const struct cmeta_region *region, cmeta_handle handle,
                       enum cmeta_string which, char *buffer, size_t size)
{
    const struct cmeta_identity *identity = identity_of(region, handle);
    struct cmeta_view view;
    struct cmeta_str value;
    size_t len;

    if (!identity)
        return -ESTALE;
    if (!record_of(region, identity, &view) || !cmeta_view_string(&view, which, &value))
        return -ENODATA;
    len = value.len < size - 1 ? value.len : size - 1;
    memcpy(buffer, value.data, len);
    buffer[len] = '\0';
    return (int)len;
}

int cmeta_reader_next(const struct cmeta_region *region, uint64_t *cursor, cmeta_handle *handle)
{
    uint64_t cells = ((uint64_t)region->bucket_count + region->overflow_count) * CMETA_CELLS;
    uint64_t stop = *cursor + UINT64_C(64) * CMETA_CELLS;

    while (*cursor < cells && *cursor < stop) {
        const struct cmeta_bucket *bucket = bucket_at(region, (uint32_t)(*cursor / CMETA_CELLS));
        // Acquire: as in scan_bucket().
        uint32_t reference = load_acquire(&bucket->reference[*cursor % CMETA_CELLS]);

        ++*cursor;
        if (reference && identity_at(region, reference)) {
            *handle = cmeta_handle_make(region, reference);
            return 1;
        }
    }
    return *cursor < cells ? CMETA_ITERATE_MORE : 0;
}

// --- the header, counters, engine rows
// -------------------------------------------------------------------

static const struct cmeta_header *header_of(const struct cmeta_region *region)
{
    return (const void *)region->base;
}

uint32_t cmeta_reader_state(const struct cmeta_region *region)
{
    // Acquire: pairs with the release stores in region_create.c and writer.c; a reader that sees
    // RETIRED sees all changes that were mirrored before.
    return load_acquire(&header_of(region)->state);
}

uint64_t cmeta_reader_revision(const struct cmeta_region *region)
{
    // Acquire: pairs with the release store of the log's head in edit.c.
    return load_acquire(&header_of(region)->revision);
}

uint32_t cmeta_reader_identities(const struct cmeta_region *region)
{
    return load_relaxed(&header_of(region)->identities);
}

uint32_t cmeta_reader_tombstones(const struct cmeta_region *region)
{
    return load_relaxed(&header_of(region)->tombstones);
}

uint64_t cmeta_reader_heartbeat(const struct cmeta_region *region, uint64_t *monotonic_ns)
{
    if (monotonic_ns)
        *monotonic_ns = load_relaxed(&header_of(region)->heartbeat_monotonic_ns);
    return load_relaxed(&header_of(region)->heartbeat);
}

int cmeta_reader_counter(const struct cmeta_region *region, uint32_t index,
                         struct cmeta_counter *out)
{
    const struct cmeta_counter *counters = (const void *)(region->base + region->counters_offset);

    if (index >= region->counter_count)
        return 0;
    *out = counters[index];
    out->value = load_relaxed(&counters[index].value);
    out->name[sizeof(out->name) - 1] = '\0';
    out->unit[sizeof(out->unit) - 1] = '\0';
    out->help[sizeof(out->help) - 1] = '\0';
    return 1;
}

int cmeta_reader_engine(const struct cmeta_region *region, uint32_t index,
                        struct cmeta_engine_row *out)
{
    const struct cmeta_engine_row *rows = (const void *)(region->base + region->engines_offset);
    struct cmeta_engine_row copy;

    if (index >= region->engine_count)
        return 0;
    for (unsigned attempt = 0; attempt < 16; attempt++) {
        // Acquire, and the fence below: pair with the writer's release fence and its closing
        // release store of `sequence` in writer_rows.c.
        uint32_t before = load_acquire(&rows[index].sequence);

        memcpy(&copy, &rows[index], sizeof(copy));
        fence_acquire();
        if (before % 2 != 0 || load_relaxed(&rows[index].sequence) != before)
            continue;
        if (copy.state == CMETA_ENGINE_ABSENT)
            return 0;
        copy.name[sizeof(copy.name) - 1] = '\0';
        copy.scope[sizeof(copy.scope) - 1] = '\0';
        copy.socket[sizeof(copy.socket) - 1] = '\0';
        copy.version[sizeof(copy.version) - 1] = '\0';
        copy.last_error[sizeof(copy.last_error) - 1] = '\0';
        *out = copy;
        return 1;
    }
    return -EAGAIN;
}
