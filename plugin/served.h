// SPDX-License-Identifier: Apache-2.0
// A region as events are served from it: the mapping, and which version of each record the event
// stream has told of.
//
// A live run shows of a container what its event stream has told, so that a capture of the stream
// shows the same: a version is in use from the moment when its container event has come back. That
// takes a millisecond or less, and never longer for events that happen 0.1 s after the container
// was first published: those are given an untold container as it is.
//
// The follower makes it, notes what stands when it is handed over, and takes care that there is
// room for what it tells. From then on the event thread alone writes it; it allocates nothing.
#ifndef PLUGIN_SERVED_H
#define PLUGIN_SERVED_H

#include "load.h"
#include "reader.h"

#define SERVED_CHUNK     1020u      // versions: a page, less what malloc puts before it
#define SERVED_UNTOLD_NS 100000000u // how long an untold container is held back

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

// Whether an event of that time comes too soon for a container that wasn't told yet. A record that
// doesn't say since when it is published never does.
static inline bool served_holds_back(const struct cmeta_view *view, uint64_t ts)
{
    uint64_t published = (uint64_t)cmeta_view_published_ns(view);

    return published != 0 && ts < published + SERVED_UNTOLD_NS;
}

/**
 * served_record() - the record that an event is given
 * @ts: the event's time, in ns since the epoch
 *
 * Notes that an untold one was asked for, so that the follower tells of it at once.
 *
 * Return: as cmeta_reader_record().
 */
static inline int served_record(struct served *served, cmeta_handle handle, uint64_t ts,
                                struct cmeta_view *view)
{
    uint32_t *slot = served_slot(served, served_number(&served->region, handle));
    uint32_t version = slot ? load_relaxed(slot) : SERVED_UNTOLD; // as in served_get()

    if (version >= SERVED_VERSION_MIN)
        return cmeta_reader_version(&served->region, version, view);
    if (slot && version == SERVED_UNTOLD)
        store_relaxed(slot, SERVED_WANTED); // as in served_set()
    return cmeta_reader_record(&served->region, handle, view) && !served_holds_back(view, ts);
}

#endif
