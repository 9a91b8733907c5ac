// SPDX-License-Identifier: Apache-2.0
// Container events on their way to the host and back.
//
// The host's queue drops silently what it has no room for. So at most 256 events are under way: our
// own events that come back in parse_event are the acknowledgement. A host that returns nothing for
// 10 s is taken to have lost what is under way, which is counted, and the stream goes on; what
// comes back later, known by its time, is no credit for others.
//
// All of it is the follower's but sender_see(), which is the event thread's.
#ifndef PLUGIN_SENDER_H
#define PLUGIN_SENDER_H

#include "async_event.h"
#include "logger.h"
#include "metrics.h"
#include "tellings.h"

struct sender {
    struct logger *logger;
    struct metrics *metrics;
    struct async_sink sink;
    struct tellings tellings;
    uint64_t now_ns; // CLOCK_MONOTONIC, of this run
    bool refused;    // the host has refused one, and that was said

    uint64_t stream_ts;   // atomic: of the last event that the event thread has seen
    uint64_t returned;    // atomic: events that came back, not counting those given up
    uint64_t given_up_ts; // atomic: events up to this time were given up, or aren't of this stream
    uint64_t sent, given_up;
    uint64_t acknowledged, moved_ns; // `returned` as last seen, and when it changed
};

// A stream begins; without a handler none does. The first two are borrowed as long as it lasts.
void sender_begin(struct sender *sender, struct logger *logger, struct metrics *metrics,
                  struct falco_owner *owner, falco_async_handler handler, uint64_t realtime_ns);

static inline bool sender_is_open(const struct sender *sender)
{
    return sender->sink.handler != NULL;
}

// Looks for acknowledgements, and gives up what doesn't come back. @now_ns: CLOCK_MONOTONIC
void sender_settle(struct sender *sender, uint64_t now_ns);
// Whether another event may be sent now.
bool sender_has_room(struct sender *sender);
// When what is under way will be given up; UINT64_MAX: nothing is.
uint64_t sender_silence_ends_ns(const struct sender *sender);

/**
 * sender_send() - send one; the host may refuse it, which is counted
 * @json: NULL for want of memory, which is counted, too
 * @telling: what will be in use when it has come back; its time is written here. NULL: nothing
 */
void sender_send(struct sender *sender, const char *name, const char *json, size_t len,
                 struct telling *telling);

// The event thread has parsed an event, which may be one of ours. As emitter_see().
void sender_see(struct sender *sender, struct served *served, const struct falco_event *event);

#endif
