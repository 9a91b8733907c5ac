// SPDX-License-Identifier: Apache-2.0
// A region as events are served from it: the mapping, and which version of each record the event
// stream has told of.
//
// A live run shows of a container what its event stream has told, so that a capture of the stream
// shows the same. But no event waits for that, and none lacks what is known. So the rule is:
//
// - A version is in use from the moment when its container event has come back, mostly within a
//   millisecond, until the next one's has.
// - If the version in use lacks a group or a text that the present one has, the event is given the
//   present one. So is one of a container of which nothing has been told. The follower tells of it
//   at once.
//
// Only events of the second kind are shown what a capture lacks, and they are counted. A version
// that knows all groups is never replaced before its time.
//
// The follower makes it, notes what stands when it is handed over, and takes care that there is
// room for what it tells. From then on the event thread alone writes it; it allocates nothing.
#ifndef PLUGIN_SERVED_H
#define PLUGIN_SERVED_H

#include "load.h"
#include "reader.h"

#define SERVED_CHUNK 1020u // versions: a page, less what malloc puts before it

struct served {
    struct cmeta_region region; // the first, so that either leads to the other
    uint32_t serial;            // of the follower's mappings; each has the next number
    uint32_t count;             // of chunks
    uint32_t **chunks;          // by identity; atomic, NULL where none was ever noted
};

// What is noted of an identity: the offset of a version, or one of these.
enum { SERVED_UNTOLD = 0, SERVED_WANTED = 1, SERVED_VERSION_MIN = 8 };

/**
 * served_map() - map the region of a folder
 * Return: 0 and the object; else as cmeta_region_map(), or -ENOMEM.
 */
int served_map(const char *dir, uint32_t serial, struct served **out);
struct served *served_free(struct served *served);

// An identity's number, and the other way round.
static inline uint32_t served_number(const struct cmeta_region *region, cmeta_handle handle)
{
    return ((uint32_t)handle - region->arena_offset) / CMETA_CACHE_LINE;
}
static inline cmeta_handle served_handle(const struct cmeta_region *region, uint32_t number)
{
    return cmeta_handle_make(region, region->arena_offset + number * CMETA_CACHE_LINE);
}

// Follower: makes room for an identity that the reader has accepted. Return: 0, -ENOMEM.
int served_make_room(struct served *served, uint32_t number);

// Where it is noted; NULL without room.
static inline uint32_t *served_slot(const struct served *served, uint32_t number)
{
    uint32_t *chunk;

    if (number / SERVED_CHUNK >= served->count)
        return NULL;
    // Acquire: pairs with the release in served_make_room(); the chunk is empty by then.
    chunk = load_acquire(&served->chunks[number / SERVED_CHUNK]);
    return chunk ? chunk + number % SERVED_CHUNK : NULL;
}

// What is noted of an identity.
static inline uint32_t served_get(const struct served *served, uint32_t number)
{
    const uint32_t *slot = served_slot(served, number);

    return slot ? load_relaxed(slot) : SERVED_UNTOLD; // pairs with the store in served_set()
}

// Where there is no room, nothing is noted.
static inline void served_set(struct served *served, uint32_t number, uint32_t what)
{
    uint32_t *slot = served_slot(served, number);

    if (slot)
        store_relaxed(slot, what); // pairs with the load in served_get(); a number by itself
}

// All is untold again.
void served_forget(struct served *served);

// Whether a version has a text that another one lacks: one may stand in a group that isn't known as
// a whole.
static inline bool served_tells_more(const struct cmeta_view *view, const struct cmeta_view *than)
{
    struct cmeta_str text;

    for (unsigned i = 0; i < CMETA_STRING_COUNT; i++)
        if (cmeta_view_string(view, i, &text) && !cmeta_view_string(than, i, &text))
            return true;
    return false;
}

// Puts the present version in the place of the one in use, if that one lacks something it has. One
// that knows all groups isn't compared, which spares most events a cache line. Return: whether.
static inline bool served_complete(const struct served *served, cmeta_handle handle,
                                   struct cmeta_view *view)
{
    uint32_t known = cmeta_view_known(view);
    struct cmeta_view present;

    if ((known & CMETA_GROUPS_ALL) == CMETA_GROUPS_ALL ||
        !cmeta_reader_record(&served->region, handle, &present) || present.base == view->base)
        return false;
    if (!(cmeta_view_known(&present) & ~known) && !served_tells_more(&present, view))
        return false;
    *view = present;
    return true;
}

// What served_record() found.
enum { SERVED_NONE = 0, SERVED_TOLD = 1, SERVED_AHEAD = 2 };

/**
 * served_record() - the record that an event is given
 *
 * Notes that an untold container was asked for, so that the follower tells of it at once.
 *
 * Return: SERVED_TOLD if an event has told of what is given, SERVED_AHEAD if none has yet;
 * SERVED_NONE where cmeta_reader_record() gives none.
 */
static inline int served_record(struct served *served, cmeta_handle handle, struct cmeta_view *view)
{
    uint32_t *slot = served_slot(served, served_number(&served->region, handle));
    uint32_t version = slot ? load_relaxed(slot) : SERVED_UNTOLD; // as in served_get()

    if (version < SERVED_VERSION_MIN) {
        if (slot && version == SERVED_UNTOLD)
            store_relaxed(slot, SERVED_WANTED); // as in served_set()
        return cmeta_reader_record(&served->region, handle, view) ? SERVED_AHEAD : SERVED_NONE;
    }
    if (!cmeta_reader_version(&served->region, version, view))
        return SERVED_NONE;
    return served_complete(served, handle, view) ? SERVED_AHEAD : SERVED_TOLD;
}

#endif
