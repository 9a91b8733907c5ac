// SPDX-License-Identifier: Apache-2.0
// Container events: tells the host which containers come, change and go.
//
// All of it is the follower's, between begin and end, except the acknowledgement. An event is sent
// when a record has a name and an image (or 2 s after the container was first seen), with the
// reasons for what it doesn't know yet; when something that rules can see has changed, as at the
// moment when the rest is known; and when the container is removed. What waited for the rest would
// be missing in captures at the container's first events, where it wasn't live: Docker tells name
// and image when it creates a container and answers questions about it when that has started. At
// the start all containers that stand are told.
//
// What an event has told of a record is in use when the event has come back (served.h); a container
// of which an event of the host's was seen is told of at once, whatever is known of it.
//
// The region's change log is the queue: what the host has no room for yet (sender.h) waits there.
// If the log has moved on meanwhile, all containers are looked at once; each has a mark that says
// what was told of it, so that nothing is told twice and nothing is left out.
#ifndef PLUGIN_EMITTER_H
#define PLUGIN_EMITTER_H

#include "async_event.h"
#include "logger.h"
#include "metrics.h"
#include "served.h"

struct emitter;

// Borrowed until emitter_free(). Return: NULL without memory.
struct emitter *emitter_new(struct logger *logger, struct metrics *metrics);
struct emitter *emitter_free(struct emitter *emitter);

// A stream begins; with the handler NULL none does. Before the thread that emits is there.
void emitter_begin(struct emitter *emitter, struct falco_owner *owner, falco_async_handler handler);
// It is over, and so is the thread.
void emitter_end(struct emitter *emitter);

/**
 * emitter_replace() - go on with another region
 * @old: the one before; NULL: there was none. It stays mapped until emitter_replace_step() says 0
 * @served: the next one, which no other thread sees yet
 *
 * Nothing is sent until then.
 */
void emitter_replace(struct emitter *emitter, const struct served *old, struct served *served);

/**
 * emitter_replace_step() - hand what was told of on to the next region, and note what stands there
 *
 * Takes some ms at most. Return: 1 to be called again; 0 it is done.
 */
int emitter_replace_step(struct emitter *emitter);

/**
 * emitter_run() - send what is due and what there is room for
 * @served: the region of the last emitter_replace()
 * @now_ns: CLOCK_MONOTONIC
 *
 * Takes some ms at most.
 *
 * Return: ms until it wants to be called again even if the region doesn't change; 0: at once;
 * UINT32_MAX: not at all.
 */
unsigned emitter_run(struct emitter *emitter, struct served *served, uint64_t now_ns);

/**
 * emitter_see() - see where the stream stands, and take an event that came back, if it is ours
 * @served: what is in use
 *
 * The event thread's, while a stream runs, for each event it has parsed: a store, a look at the
 * type, and mostly nothing else.
 */
void emitter_see(struct emitter *emitter, struct served *served, const struct falco_event *event);

#endif
