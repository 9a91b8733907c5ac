// SPDX-License-Identifier: Apache-2.0
// The follower: the only thread of the plugin, and the only one that makes system calls.
//
// It keeps the folder's present region mapped and hands it to the event thread, makes snapshots of
// the containers that have an address, asks /proc about threads whose events didn't tell, watches
// whether the daemon lives, and tells the host of containers (emitter.h). The event thread never
// waits for it.
#ifndef PLUGIN_FOLLOWER_H
#define PLUGIN_FOLLOWER_H

#include "config.h"
#include "container_list.h"
#include "handover.h"
#include "hint.h"
#include "identify.h"
#include "logger.h"
#include "metrics.h"
#include "region.h"
#include "served.h"

#include <stdbool.h>

struct follower;

// What the event thread and the follower hand each other.
struct follower_shared {
    struct handover regions; // of struct served
    struct handover lists;   // of struct container_list
};

// All three are borrowed until follower_free().
struct follower *follower_new(const struct config *config, struct logger *logger,
                              struct metrics *metrics);
// Stops it first. Return: NULL.
struct follower *follower_free(struct follower *follower);

/**
 * follower_start() - map the region, if there is one, and start the thread
 * @owner, @handler: where container events go until follower_stop() returns
 *
 * The region is there when this returns. A missing region is no error: it is waited for.
 * Return: 0; -errno if the thread can't be made.
 */
int follower_start(struct follower *follower, struct falco_owner *owner,
                   falco_async_handler handler);
// Maps the region without a thread: a replay that was told to.
void follower_map_once(struct follower *follower);
// Ends the thread within 100 ms and unmaps everything. Harmless when nothing was started.
void follower_stop(struct follower *follower);
bool follower_is_running(const struct follower *follower);

// An event has been parsed, perhaps one of ours that came back (emitter.h); while it is running.
void follower_see(struct follower *follower, const struct falco_event *event);

// --- for the event thread ------------------------------------------------------------------------

// The shared part, for the two below; lives as long as the follower.
struct follower_shared *follower_share(struct follower *follower);
// Takes what is pending. Return: whether the region is another one now.
bool follower_take(struct follower *follower);

/**
 * follower_update() - put in use what the follower left
 *
 * At the start of a call only: views of the region and rows of the list end here.
 * Return: whether the region is another one now.
 */
static inline bool follower_update(struct follower *follower, const struct follower_shared *shared)
{
    return (handover_waits(&shared->regions) || handover_waits(&shared->lists)) &&
           follower_take(follower);
}

// NULL if there is none.
static inline struct served *follower_served(const struct follower_shared *shared)
{
    return shared->regions.current;
}
static inline const struct cmeta_region *follower_region(const struct follower_shared *shared)
{
    const struct served *served = follower_served(shared);

    return served ? &served->region : NULL;
}
static inline const struct container_list *follower_containers(const struct follower_shared *shared)
{
    return shared->lists.current;
}

/**
 * follower_ask() - have a thread's cgroups read from /proc
 * @token: comes back with the answer
 * Return: false if too many questions are waiting.
 */
bool follower_ask(struct follower *follower, int64_t tid, uint32_t token);

// The daemon is to be told of a container; see hints_add().
void follower_hint(struct follower *follower, enum cmeta_miss miss, enum cmeta_layout layout,
                   const char *id, size_t len, uint64_t ts);

struct answer {
    int64_t tid;
    uint32_t token;
    struct witness witness;
};
// The oldest answer, valid until follower_answered(); NULL if there is none.
struct answer *follower_answer(struct follower *follower);
void follower_answered(struct follower *follower);

#endif
