// SPDX-License-Identifier: Apache-2.0
// The instances that one Incus or LXD has, and what is still to be asked of each: the instance
// itself where no list has told it, its image's alias, its state while it runs. What comes of it
// goes to the sink. Belongs to one instance of the engine.
//
// The state is costly for the server (it looks into the container's network), so it is asked once
// per start, and again with the lists as long as the container has an interface without an address.
// A question about a container that is being started is answered when it has started.
#ifndef INCUS_FETCH_H
#define INCUS_FETCH_H

#include "engine.h"

struct incus_fetch;

#define INCUS_FETCH_MAX        65536u // instances; more are skipped and counted
#define INCUS_FETCH_PARALLEL   6u     // questions under way at once
#define INCUS_FETCH_TIMEOUT_MS 10000u // of one; the server itself waits 5 s for one that starts
#define INCUS_FETCH_STATES     6u     // how often the state is asked for, until there is an address

/**
 * incus_fetch_new() - Return: 0 or -errno.
 * @failed: a question wasn't answered: what a person should see of it; lives during the call
 */
int incus_fetch_new(const struct engine_host *host,
                    void (*failed)(void *userdata, const char *text), void *userdata,
                    struct incus_fetch **fetch);
struct incus_fetch *incus_fetch_free(struct incus_fetch *fetch); // returns NULL

/**
 * incus_fetch_open() - the server answers
 * @member: its name in a cluster, "" if there is none: instances of other members are none of this
 *          host's; copied
 */
void incus_fetch_open(struct incus_fetch *fetch, const char *member);
// It doesn't any more: what is under way is cancelled and will be asked again.
void incus_fetch_close(struct incus_fetch *fetch);

/**
 * incus_fetch_ask() - an instance was created, changed or ended, or somebody saw its cgroup
 * @id: its cgroup's name. Nothing comes of one that the server doesn't know
 */
void incus_fetch_ask(struct incus_fetch *fetch, const char *id, size_t id_len);

// A list, as of when it was asked for. Return: false if the element can't be read.
void incus_fetch_list_begin(struct incus_fetch *fetch);
bool incus_fetch_listed(struct incus_fetch *fetch, engine_stamp asked, const char *json,
                        size_t len);
// It was complete and the sink was told by list_complete(): what it has buried is forgotten.
void incus_fetch_list_buried(struct incus_fetch *fetch);

#endif
