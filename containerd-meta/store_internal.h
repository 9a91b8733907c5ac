// SPDX-License-Identifier: Apache-2.0
// What the store's own files share: store.c has what sources say, store_seen.c what is seen of
// containers by others.
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store.h"
#include "view.h"

#include <sys/queue.h>

struct item {
    LIST_ENTRY(item) all;
    TAILQ_ENTRY(item) dead; // when removed
    struct view *views;     // by worth
    unsigned owner;         // of the restored view
    bool removed;
    bool barred;     // ended by a source that isn't confined: no confined one revives it
    bool refused;    // could not be published
    bool incomplete; // lacks a group that rules read
    bool renumbered; // its cgroup ID isn't in the record yet
    uint64_t cgroup_id;
    bool lead_told; // how early its record was
    uint64_t first_seen_ns, published_ns;
    uint64_t completed_ns; // when its record first was complete
    uint64_t ended_at;     // moment of its end
    uint64_t forget_at_ns; // CLOCK_MONOTONIC, when removed
    struct cmeta_name name;
    char text[]; // ID and scope
};

struct store {
    struct store_output output;
    void *tree; // tsearch(3), by name
    LIST_HEAD(, item) items;
    TAILQ_HEAD(, item) dead; // removed ones, the oldest first
    uint32_t count, live, incomplete, refused;
    uint32_t claims[STORE_ROWS];
    uint64_t bytes[STORE_ROWS]; // of the views' records
    int precedence[STORE_ROWS];
    uint64_t clock;   // moments
    uint64_t born_ns; // CLOCK_REALTIME
    uint64_t retry_at_ns;
    bool renumbered;                                                      // some item is
    uint64_t (*cgroup_of)(void *userdata, const struct cmeta_name *name); // may be NULL
    void *cgroups;
};

// The item of that name, removed ones included; NULL.
struct item *store_find(const struct store *store, const struct cmeta_name *name);

// Merges its views and publishes what comes of them. Return: 0 or -ENOMEM.
int store_publish(struct store *store, struct item *item);

// Those whose cgroup's ID isn't in their record yet.
void store_publish_renumbered(struct store *store);

#endif
