// SPDX-License-Identifier: Apache-2.0
// What the follower has told of and what hasn't come back yet: which version of which record, to be
// in use when it has.
//
// One ring, the follower's to fill and the event thread's to empty, in the order of the events'
// times. The host delivers by time, so an event that comes back answers for all before it; what
// hasn't come back when the stream is two seconds past it never will, and counts as told.
#ifndef PLUGIN_TELLINGS_H
#define PLUGIN_TELLINGS_H

#include "falco_abi.h"
#include "served.h"

#include <stdbool.h>

#define TELLINGS_MAX     256u // a power of two; as many as are under way at most
#define TELLINGS_LATE_NS UINT64_C(2000000000)

struct telling {
    uint64_t ts;     // of the event
    uint32_t serial; // of the region, served.h
    uint32_t number; // of the identity
    uint32_t version;
};

struct tellings {
    struct telling slots[TELLINGS_MAX];
    uint32_t noted, taken; // atomic: follower, event thread; each only grows
    uint32_t overrun;      // atomic: there was no room for one
};

// Before the follower begins.
static inline void tellings_clear(struct tellings *t)
{
    t->noted = t->taken = t->overrun = 0;
}

// Follower, before it sends the event. Without room all will be shown as it is at present.
static inline void tellings_note(struct tellings *t, const struct telling *telling)
{
    // Acquire: pairs with the release in tellings_take(); the slot is free again.
    if (t->noted - load_acquire(&t->taken) == TELLINGS_MAX) {
        store_relaxed(&t->overrun, 1); // pairs with the load in tellings_settle()
        return;
    }
    t->slots[t->noted % TELLINGS_MAX] = *telling;
    // Release: pairs with the acquire in tellings_waiting().
    store_release(&t->noted, t->noted + 1);
}

// Event thread: the oldest that isn't in use yet, or NULL.
static inline const struct telling *tellings_waiting(const struct tellings *t)
{
    // Acquire: pairs with the release in tellings_note().
    return load_acquire(&t->noted) == t->taken ? NULL : &t->slots[t->taken % TELLINGS_MAX];
}

// Event thread: it is done with.
static inline void tellings_take(struct tellings *t)
{
    // Release: pairs with the acquire in tellings_note(); the slot has been read.
    store_release(&t->taken, t->taken + 1);
}

/**
 * tellings_settle() - put in use what has come back
 * @served:   what is in use
 * @returned: time of an event of ours, which is being parsed; 0: another one is
 * @stream:   time of the event that is being parsed
 */
static inline void tellings_settle(struct tellings *t, struct served *served, uint64_t returned,
                                   uint64_t stream)
{
    const struct telling *w;

    while ((w = tellings_waiting(t)) != NULL) {
        bool late = stream > w->ts && stream - w->ts > TELLINGS_LATE_NS;

        if (w->ts > returned && !late)
            break;
        // Of a region that is still to come: when it is there. Of one that was: no more.
        if (!served || (int32_t)(w->serial - served->serial) > 0)
            break;
        if (w->serial == served->serial)
            served_set(served, w->number, w->version);
        tellings_take(t);
    }
    // Relaxed: pairs with the store in tellings_note(). What was told since is told again when it
    // changes, or stays as it is.
    if (served && load_relaxed(&t->overrun)) {
        served_forget(served);
        store_relaxed(&t->overrun, 0);
    }
}

#endif
