// SPDX-License-Identifier: Apache-2.0
// The store: one truth per container out of what the sources say.
//
// A source is an engine instance, named by its engine row. Each source's view is kept apart; what
// is published is a pure function of the views, group by group from the source of the highest
// precedence that knows the group, so that any order of arrival gives the same record. An answer
// counts as of the moment its question was asked: what is older than the source's own newest word
// is dropped. Only the best source that ever claimed a container may end it. One thread.
//
// A source of a precedence below 0 is confined: a user's own engine, which may name any ID. It
// counts for containers that no other source claims; it neither changes nor ends what another one
// told, nor revives what another one ended; and what it may claim is bounded.
#ifndef STORE_H
#define STORE_H

#include "container.h"

#include "shm/writer.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

#define STORE_ROWS CMETA_ENGINE_ROWS

#define STORE_CONFINED       1000               // taken off a source's precedence confines it
#define STORE_CONFINED_MAX   1024u              // containers of a confined source
#define STORE_CONFINED_BYTES UINT64_C(0x200000) // all it told of them

// Where the truth goes: the publisher, or a test.
struct store_output {
    void *userdata;
    /**
     * A container's record or state changed. `content` lives during the call.
     * Return: 0; negative if it could not be published (it is offered again later).
     */
    int (*publish)(void *userdata, const struct cmeta_name *name,
                   const struct cmeta_container *content, const struct cmeta_live *live);
    void (*remove)(void *userdata, const struct cmeta_name *name, uint64_t removed_ns);
    // An answer was dropped because the source had said something newer meanwhile.
    void (*stale)(void *userdata);
    // A container started, and its record was complete so long before (below 0: after); by the row
    // that told of its identity. Once for each container that starts while this store is there. May
    // be NULL.
    void (*lead)(void *userdata, unsigned row, int64_t lead_ns);
};

struct store *store_new(const struct store_output *output);
struct store *store_free(struct store *store); // returns NULL

// The next moment, in the order of asking over all sources.
uint64_t store_stamp(struct store *store);

// What a row's word is worth; set before the row says anything.
void store_set_precedence(struct store *store, unsigned row, int precedence);

// What the sources say; see struct engine_sink for what each means. All return 0 or -ENOMEM;
// store_observe() also -EDQUOT, where a confined source has said enough.
int store_observe(struct store *store, unsigned row, uint64_t asked,
                  const struct container *container);
int store_status(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name,
                 uint32_t word, uint32_t mask, int64_t pid, int64_t finished_ns);
int store_renamed(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name,
                  const char *text);
int store_gone(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name);
int store_reason(struct store *store, unsigned row, const struct cmeta_name *name, uint32_t groups,
                 enum cmeta_reason reason);
int store_list_complete(struct store *store, unsigned row, uint64_t asked);

// What others than the sources see: an ID in the name of a cgroup, and of containerd's own its
// namespace (@ns; "" for all other layouts).
enum store_standing { STORE_UNKNOWN = 0, STORE_INCOMPLETE, STORE_COMPLETE };
enum store_standing store_standing(const struct store *store, const char *id, size_t id_len,
                                   const char *ns);

// When its record first was complete, CLOCK_REALTIME in ns; 0: not so far, or it isn't there.
uint64_t store_completed_ns(const struct store *store, const char *id, size_t id_len);

// Whether it counts as running by a word that is older than `since`.
bool store_runs(const struct store *store, const char *id, size_t id_len, const char *ns,
                uint64_t since);

/**
 * store_stopped() - its last cgroup went at `since`, and no source has said a word about it: it
 * counts as exited, with no exit code, until one does
 * Return: 1 if so, 0 if it doesn't count as running or one has spoken; -ENOMEM.
 */
int store_stopped(struct store *store, const char *id, size_t id_len, const char *ns,
                  uint64_t since, uint64_t finished_ns);

/**
 * store_set_cgroups() - where the ID of a new container's cgroup is known, if its cgroup came first
 * @cgroup_of: 0 not known; may be NULL
 */
void store_set_cgroups(struct store *store,
                       uint64_t (*cgroup_of)(void *userdata, const struct cmeta_name *name),
                       void *userdata);

/**
 * store_set_cgroup() - the ID of its cgroup of version 2
 * It goes into the record with the next change of that, at the latest with the next tick.
 */
void store_set_cgroup(struct store *store, const char *id, size_t id_len, const char *ns,
                      uint64_t cgroup_id);

// The source is no more (disabled): its views go as if it had never spoken.
int store_withdraw(struct store *store, unsigned row);

/**
 * store_restore() - a container of an earlier daemon's region, unconfirmed until a source speaks
 * @owner: the row of the instance that must confirm it: its next complete list without the
 *         container ends it
 */
int store_restore(struct store *store, unsigned owner, const struct cmeta_name *name,
                  const struct cmeta_container *content, const struct cmeta_live *live);

/**
 * store_tick() - forget removed containers whose late answers can't come any more; offer again what
 * couldn't be published
 * @monotonic_ns: now
 * Call it every few seconds while something is left to do.
 * Return: whether there is.
 */
bool store_tick(struct store *store, uint64_t monotonic_ns);

// There may be room now: what couldn't be published is offered again at the next tick.
void store_retry(struct store *store);

// Whether a source has a live view of a container; whether a live container is published with all
// groups that rules read; how many a source has; how many live containers there are, and how many
// of them lack such a group.
bool store_knows(const struct store *store, unsigned row, const struct cmeta_name *name);
bool store_is_complete(const struct store *store, const struct cmeta_name *name);
uint32_t store_claims(const struct store *store, unsigned row);
uint32_t store_containers(const struct store *store);
uint32_t store_incomplete(const struct store *store);

// What is kept in all, removed ones included (for tests of memory).
uint32_t store_entries(const struct store *store);

#endif
