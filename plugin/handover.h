// SPDX-License-Identifier: Apache-2.0
// Handing objects from the follower to the event thread, and the old ones back.
//
// The follower leaves a new object in `pending`; the event thread takes it when it begins a call,
// and leaves the one it had in `retired`, from where the follower takes it away. So nobody frees
// what another reads, nobody waits, and at most three objects exist: one in use, one pending or
// being made, one retired.
#ifndef PLUGIN_HANDOVER_H
#define PLUGIN_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

struct handover {
    void *pending; // atomic
    void *retired; // atomic
    void *current; // the event thread's
};

// Follower: offers an object. Return: the one offered before, if it was never taken; else NULL.
static inline void *handover_offer(struct handover *h, void *object)
{
    // Release: pairs with the acquire in handover_take(); acquire: what comes back is ours again.
    return __atomic_exchange_n(&h->pending, object, __ATOMIC_ACQ_REL);
}

// Follower: the object that the event thread has done with, or NULL.
static inline void *handover_reclaim(struct handover *h)
{
    // Acquire: pairs with the release in handover_take().
    return __atomic_exchange_n(&h->retired, NULL, __ATOMIC_ACQUIRE);
}

// Event thread: whether there may be something to take.
static inline bool handover_waits(const struct handover *h)
{
    // Relaxed: mostly there is nothing; what is there is acquired by handover_take().
    return __atomic_load_n(&h->pending, __ATOMIC_RELAXED) != NULL;
}

// Event thread: puts a pending object in use. Return: whether `current` is another one now.
static inline bool handover_take(struct handover *h)
{
    void *object;

    // Relaxed: while `retired` is taken, the next one has to wait.
    if (!handover_waits(h) || __atomic_load_n(&h->retired, __ATOMIC_RELAXED))
        return false;
    // Acquire: pairs with the release in handover_offer(). NULL if the follower took it back.
    object = __atomic_exchange_n(&h->pending, NULL, __ATOMIC_ACQ_REL);
    if (!object)
        return false;
    // Release: our last reads of the old object come before the follower's end of it.
    __atomic_store_n(&h->retired, h->current, __ATOMIC_RELEASE);
    h->current = object;
    return true;
}

#endif
