// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include <inttypes.h>

#define UNDER_WAY_MAX 256u
#define SILENCE_NS    UINT64_C(10000000000) // after which what is under way is given up

_Static_assert(UNDER_WAY_MAX <= TELLINGS_MAX, "what is under way can be noted");

void sender_begin(struct sender *s, struct logger *logger, struct metrics *metrics,
                  struct falco_owner *owner, falco_async_handler handler, uint64_t realtime_ns)
{
    *s = (struct sender){
        .logger = logger, .metrics = metrics, .sink = {.owner = owner, .handler = handler}};
    // What comes back from before isn't of this stream, so none of this one is as old.
    s->given_up_ts = s->sink.last_ts = realtime_ns - 1;
}

// --- credit --------------------------------------------------------------------------------------

void sender_see(struct sender *s, struct served *served, const struct falco_event *event)
{
    bool ours = async_event_is_ours(event);

    // Relaxed: pairs with the load in sender_send(); a number by itself.
    store_relaxed(&s->stream_ts, event->ts);
    tellings_settle(&s->tellings, served, ours ? event->ts : 0, event->ts);
    if (!ours)
        return;
    metrics_count(s->metrics, METRIC_EVENTS_ACKNOWLEDGED);
    // Relaxed: pairs with the store in sender_settle(). One that comes at the very moment when it
    // is given up is counted twice, which lets one more be under way.
    if (event->ts > load_relaxed(&s->given_up_ts))
        // Relaxed: pairs with the load in sender_settle(); a number by itself.
        __atomic_fetch_add(&s->returned, 1, __ATOMIC_RELAXED);
}

static uint64_t under_way(const struct sender *s)
{
    uint64_t settled = s->acknowledged + s->given_up;

    return s->sent > settled ? s->sent - settled : 0;
}

static void settle(struct sender *s)
{
    uint64_t returned = load_relaxed(&s->returned);

    if (returned != s->acknowledged || under_way(s) == 0)
        s->moved_ns = s->now_ns;
    s->acknowledged = returned;
    // What others sent under our names is no credit: it would let the host's queue overflow.
    if (s->acknowledged + s->given_up > s->sent)
        s->given_up = s->sent - s->acknowledged; // may be below 0, modulo 2^64
    if (s->now_ns - s->moved_ns < SILENCE_NS)
        return;
    logger_say(s->logger, FALCO_LOG_WARNING,
               "%" PRIu64
               " container events haven't come back for 10 s and count as lost: the host "
               "is slow or its queue was full; captures may lack these containers",
               under_way(s));
    metrics_add(s->metrics, METRIC_EVENTS_UNACKNOWLEDGED, under_way(s));
    store_relaxed(&s->given_up_ts, s->sink.last_ts);
    s->given_up += under_way(s);
    s->moved_ns = s->now_ns;
}

void sender_settle(struct sender *s, uint64_t now_ns)
{
    s->now_ns = now_ns;
    settle(s);
}

bool sender_has_room(struct sender *s)
{
    if (under_way(s) < UNDER_WAY_MAX)
        return true;
    settle(s);
    return under_way(s) < UNDER_WAY_MAX;
}

uint64_t sender_silence_ends_ns(const struct sender *s)
{
    return under_way(s) > 0 ? s->moved_ns + SILENCE_NS : UINT64_MAX;
}

// --- sending -------------------------------------------------------------------------------------

// An event that the host refuses isn't tried again: it would refuse it again.
static void refuse(struct sender *s, const char *error)
{
    metrics_count(s->metrics, METRIC_EVENTS_DROPPED);
    if (!s->refused)
        logger_say(s->logger, FALCO_LOG_ERROR,
                   "the host refuses container events: %s; rules and captures may lack containers",
                   *error ? error : "out of memory");
    s->refused = true;
}

void sender_send(struct sender *s, const char *name, const char *json, size_t len,
                 struct telling *telling)
{
    char error[FALCO_ERROR_BYTES];
    uint64_t ts;

    if (!json) {
        metrics_count(s->metrics, METRIC_EVENTS_DROPPED);
        return;
    }
    // Relaxed: pairs with the store in sender_see().
    s->sink.stream_ts = load_relaxed(&s->stream_ts);
    ts = async_event_time(&s->sink);
    if (telling) { // before the event can come back
        telling->ts = ts;
        tellings_note(&s->tellings, telling);
    }
    if (async_event_push(&s->sink, ts, name, json, len, error) != 0) {
        refuse(s, error);
        return;
    }
    if (under_way(s) == 0)
        s->moved_ns = s->now_ns;
    s->sent++;
    metrics_count(s->metrics, METRIC_EVENTS_EMITTED);
    // The clock was set back: relaxed, as in sender_settle().
    if (ts <= load_relaxed(&s->given_up_ts))
        store_relaxed(&s->given_up_ts, ts - 1);
}
