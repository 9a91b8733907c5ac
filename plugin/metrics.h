// SPDX-License-Identifier: Apache-2.0
// The plugin's metrics. This list is their documentation.
//
// The values live in the very array that the host is given, and each is one atomic word: HTTP
// threads may ask at any time, and nobody waits for anybody. Each metric has one thread that
// writes it, the event thread or the follower.
#ifndef PLUGIN_METRICS_H
#define PLUGIN_METRICS_H

#include "falco_abi.h"

// X(symbol, name, kind, writer and meaning)
// The host deletes certain substrings from names (_ns, _ts, _sec, _total and more): none is used.
// Those from CONTAINERS to HEARTBEAT_AGE are of a live capture, and 0 outside of one.
#define METRICS(X)                                                                               \
    X(CONTAINERS, "n_containers", NON_MONOTONIC,                                                 \
      "follower: containers in the region, the removed ones left out")                           \
    X(MISSING_IMAGES, "n_missing_container_images", NON_MONOTONIC,                               \
      "follower: of those, without pod sandboxes, the ones whose image isn't known or is empty") \
    X(REGION_MAPPED, "region_mapped", NON_MONOTONIC, "follower: 1 while a region is mapped")     \
    X(REGION_EPOCH, "region_epoch", NON_MONOTONIC,                                               \
      "follower: the mapped region's random number; another region, another number")             \
    X(REGION_AGE, "region_age_s", NON_MONOTONIC,                                                 \
      "follower: seconds since the mapped region was made")                                      \
    X(DAEMON_ALIVE, "daemon_alive", NON_MONOTONIC,                                               \
      "follower: 1 while a daemon holds the folder's lock and its heart beats")                  \
    X(HEARTBEAT_STALE, "heartbeat_stale", NON_MONOTONIC,                                         \
      "follower: 1 while a daemon holds the lock but its heart hasn't beaten for 30 s")          \
    X(HEARTBEAT_AGE, "heartbeat_age_s", NON_MONOTONIC,                                           \
      "follower: seconds since the heart was last seen to beat")                                 \
    X(REGION_SWAPS, "region_swaps", MONOTONIC,                                                   \
      "event thread: successors put in use, the first region not counted")                       \
    X(REGION_REFUSALS, "region_refusals", MONOTONIC,                                             \
      "follower: regions found and not taken; the log says why")                                 \
    X(LOOKUPS, "lookups", MONOTONIC,                                                             \
      "event thread: events for which fields were wanted; the sum of the six below")             \
    X(LOOKUPS_HIT, "lookups_hit", MONOTONIC,                                                     \
      "event thread: of those, in a container with a record")                                    \
    X(LOOKUPS_HOST, "lookups_host", MONOTONIC, "event thread: of those, in no container")        \
    X(LOOKUPS_ABSENT, "lookups_absent", MONOTONIC,                                               \
      "event thread: of those, in a container that the region doesn't know")                     \
    X(LOOKUPS_NO_REGION, "lookups_no_region", MONOTONIC,                                         \
      "event thread: of those, in a container while no region was mapped")                       \
    X(LOOKUPS_UNSURE, "lookups_unsure", MONOTONIC,                                               \
      "event thread: of those, by a thread whose cgroups don't tell, with no answer yet")        \
    X(LOOKUPS_NO_THREAD, "lookups_no_thread", MONOTONIC,                                         \
      "event thread: of those, without a thread, or by one that the host doesn't know")          \
    X(LOOKUPS_REPEATED, "lookups_repeated", MONOTONIC,                                           \
      "event thread: lookups made again because the region had changed")                         \
    X(LOOKUPS_UNTOLD, "lookups_untold", MONOTONIC,                                               \
      "event thread: of the hits in a live capture, of containers not told of by an event yet")  \
    X(LOOKUPS_UNKNOWN, "lookups_unknown", MONOTONIC,                                             \
      "event thread: threads seen to start in a container that the region didn't know yet")      \
    X(FIRST_COMPLETE, "first_complete", MONOTONIC,                                               \
      "event thread: first programs of containers whose record was whole when they began")       \
    X(FIRST_INCOMPLETE, "first_incomplete", MONOTONIC,                                           \
      "event thread: such programs whose container's record lacked a group that rules read")     \
    X(FIRST_ABSENT, "first_absent", MONOTONIC,                                                   \
      "event thread: such programs whose container the region didn't know")                      \
    X(HINTS_SENT, "hints_sent", MONOTONIC,                                                       \
      "follower: containers that the daemon was told of, because of one of the two")             \
    X(HINTS_DROPPED, "hints_dropped", MONOTONIC,                                                 \
      "event thread: such containers that it wasn't told of, because too many were")             \
    X(UNSURE_THREADS, "unsure_threads", MONOTONIC,                                               \
      "event thread: threads whose cgroups in the event didn't tell; asked for in /proc")        \
    X(UNSURE_DROPPED, "unsure_dropped", MONOTONIC,                                               \
      "event thread: such threads that couldn't be asked for, because too many were")            \
    X(RESOLVED_LATE, "threads_resolved_late", MONOTONIC,                                         \
      "event thread: threads first resolved when a field was wanted, or by way of /proc")        \
    X(CAPTURED, "captured_containers", NON_MONOTONIC,                                            \
      "event thread: containers that the capture being read has told of; 0 in live ones")        \
    X(CAPTURED_EVICTED, "captured_evicted", MONOTONIC,                                           \
      "event thread: of those, the ones dropped for others at the limit of memory")              \
    X(CAPTURE_REFUSED, "capture_events_refused", MONOTONIC,                                      \
      "event thread: container events of a capture without sound JSON or without an ID")         \
    X(VALUES_DROPPED, "values_dropped", MONOTONIC,                                               \
      "event thread: values that didn't fit into the buffer of one call")                        \
    X(EVENTS_EMITTED, "events_emitted", MONOTONIC,                                               \
      "follower: container events that the host took")                                           \
    X(EVENTS_DROPPED, "events_dropped", MONOTONIC,                                               \
      "follower: container events that the host refused, or that there was no memory for")       \
    X(EVENTS_ACKNOWLEDGED, "events_acknowledged", MONOTONIC,                                     \
      "event thread: container events that came back, and so are in captures")                   \
    X(EVENTS_UNACKNOWLEDGED, "events_unacknowledged", MONOTONIC,                                 \
      "follower: container events that didn't come back within 10 s and were given up")          \
    X(EVENTS_DUMPED, "events_dumped", MONOTONIC,                                                 \
      "event thread: containers written into captures when these began")

enum metric {
#define X(symbol, name, kind, help) METRIC_##symbol,
    METRICS(X)
#undef X
        METRIC_COUNT
};

struct metrics {
    struct falco_metric list[METRIC_COUNT];
};

void metrics_init(struct metrics *metrics);

static inline void metrics_set(struct metrics *metrics, enum metric which, uint64_t value)
{
    // Relaxed: a number by itself, read by get_metrics' callers.
    __atomic_store_n(&metrics->list[which].value.u64, value, __ATOMIC_RELAXED);
}

static inline uint64_t metrics_get(const struct metrics *metrics, enum metric which)
{
    // Relaxed: as metrics_set().
    return __atomic_load_n(&metrics->list[which].value.u64, __ATOMIC_RELAXED);
}

// These two by the metric's own thread only.
static inline void metrics_add(struct metrics *metrics, enum metric which, uint64_t more)
{
    metrics_set(metrics, which, metrics_get(metrics, which) + more);
}
static inline void metrics_count(struct metrics *metrics, enum metric which)
{
    metrics_add(metrics, which, 1);
}

#endif
