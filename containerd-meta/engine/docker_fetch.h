// SPDX-License-Identifier: Apache-2.0
// Fetches what an engine in Docker's form knows of single containers: which ones there are, which
// of them are to be asked for, a few questions at a time, again with back-off when one fails;
// images are remembered.
//
// Inspect waits for a lock that a start holds, so it has a limit and is asked again; the list,
// asked for one ID, doesn't wait. What comes of it goes to the sink. Belongs to one Docker
// instance.
#ifndef DOCKER_FETCH_H
#define DOCKER_FETCH_H

#include "docker_dialect.h"
#include "engine.h"

struct docker_fetch;

#define DOCKER_FETCH_PARALLEL   6u    // inspects under way at once
#define DOCKER_FETCH_INSPECT_MS 1500u // limit of one
#define DOCKER_FETCH_LATER_US   UINT64_C(2000000)
#define DOCKER_PREFIX_BYTES     32u // "/v1.41", "/v4.0.0/libpod"
#define DOCKER_FETCH_ATTEMPTS   6u  // then the next list brings it up again

/**
 * docker_fetch_new() - Return: 0 or -errno.
 * @failed: a call failed: what a person should see of it; lives during the call
 */
int docker_fetch_new(const struct engine_host *host, const struct docker_dialect *dialect,
                     void (*failed)(void *userdata, const char *text), void *userdata,
                     struct docker_fetch **fetch);
struct docker_fetch *docker_fetch_free(struct docker_fetch *fetch); // returns NULL

// The engine answers; paths begin with @prefix ("/v1.41").
void docker_fetch_open(struct docker_fetch *fetch, const char *prefix);
// It doesn't any more: what is under way is cancelled and will be asked again.
void docker_fetch_close(struct docker_fetch *fetch);

/**
 * docker_fetch_inspect() - ask for a container; again, if it is being asked for
 * @id: its full ID, or a prefix or name
 */
void docker_fetch_inspect(struct docker_fetch *fetch, const char *id);

// Ask for it once more in DOCKER_FETCH_LATER_US, if the dialect has reason to and it runs until
// then.
void docker_fetch_later(struct docker_fetch *fetch, const char *id);

// Ask the list for one container, if the engine's list is free of locks.
void docker_fetch_list_one(struct docker_fetch *fetch, const char *id);

// It is gone: nothing more is asked about it.
void docker_fetch_forget(struct docker_fetch *fetch, const char *id);

/**
 * docker_fetch_listed() - the list names a container: ask for it if that hasn't succeeded yet, or
 * if its state isn't what was heard last
 * @state: CMETA_STATE_*
 */
void docker_fetch_listed(struct docker_fetch *fetch, const char *id, uint32_t state);
// Before a list, and after a complete one: those it didn't name are forgotten.
void docker_fetch_list_begin(struct docker_fetch *fetch);
void docker_fetch_list_end(struct docker_fetch *fetch);

// Whether no container is known, nor asked for.
bool docker_fetch_is_empty(const struct docker_fetch *fetch);

// An event told a container's state.
void docker_fetch_state(struct docker_fetch *fetch, const char *id, uint32_t state);

#endif
