// SPDX-License-Identifier: Apache-2.0
// The counters of the region, each with its unit and what it means to the one who reads it. This
// list is their documentation: `containerd-meta-ctl stats` prints it from the region itself.
#ifndef CMETA_COUNTERS_H
#define CMETA_COUNTERS_H

#include "layout.h"

// X(symbol, name, unit, kind, help)
#define CMETA_COUNTERS(X)                                                                         \
    X(CREATED, "containers_created_total", "containers", TOTAL,                                   \
      "containers of which a first record was published")                                         \
    X(UPDATED, "records_updated_total", "records", TOTAL, "newer record versions published")      \
    X(STATUS, "status_changes_total", "changes", TOTAL,                                           \
      "changes of state, health, exit or PID without a new record")                               \
    X(UNCHANGED, "puts_unchanged_total", "puts", TOTAL,                                           \
      "publications that would have changed nothing and were left out")                           \
    X(REMOVED, "containers_removed_total", "containers", TOTAL,                                   \
      "containers that became tombstones")                                                        \
    X(REVIVED, "containers_revived_total", "containers", TOTAL,                                   \
      "tombstones that came back to life before the grace period was over")                       \
    X(FORGOTTEN, "containers_forgotten_total", "containers", TOTAL,                               \
      "tombstones dropped when their grace period was over")                                      \
    X(EVICTED, "containers_evicted_total", "containers", TOTAL,                                   \
      "removed or ended containers dropped early because the region is at its ceiling; "          \
      "raise region_max")                                                                         \
    X(REFUSED, "containers_refused_total", "containers", TOTAL,                                   \
      "containers not published because the region is at its ceiling; raise region_max")          \
    X(REPLACED, "regions_replaced_total", "regions", TOTAL,                                       \
      "regions replaced: growth, compaction, restart")                                            \
    X(REPLACE_FAILED, "region_replace_failures_total", "failures", TOTAL,                         \
      "successors that could not be made (full tmpfs, memory limit); see the log")                \
    X(MIRROR_DROPPED, "mirror_dropped_total", "changes", TOTAL,                                   \
      "changes a draining region had no room for; its readers follow to the successor")           \
    X(RESTORED, "containers_restored_total", "containers", TOTAL,                                 \
      "containers taken over from the region of an earlier daemon")                               \
    X(RECORDS_TRUNCATED, "records_truncated_total", "records", TOTAL,                             \
      "records that had to leave something out to fit; see flag truncated in inspect")            \
    X(RECORDS_SANITIZED, "records_sanitized_total", "records", TOTAL,                             \
      "records in which bytes that aren't UTF-8 were replaced by '?'")                            \
    X(LABELS_DROPPED, "labels_dropped_total", "labels", TOTAL,                                    \
      "labels left out because their value is longer than label_max_len")                         \
    X(STALE_DROPPED, "observations_stale_total", "observations", TOTAL,                           \
      "answers dropped because the engine had said something newer meanwhile")                    \
    X(ENGINE_EVENTS, "engine_events_total", "events", TOTAL, "events read from all engines")      \
    X(ENGINE_ERRORS, "engine_errors_total", "errors", TOTAL,                                      \
      "calls to engines that failed; `containerd-meta-ctl engines` shows the last of each")       \
    X(ENGINE_CONNECTS, "engine_connects_total", "connections", TOTAL,                             \
      "event streams opened, reconnections included")                                             \
    X(ENGINE_RECORDS_SKIPPED, "engine_records_skipped_total", "records", TOTAL,                   \
      "list elements or events left out because they are larger than a limit or no JSON")         \
    X(INCOMPLETE, "containers_incomplete", "containers", GAUGE,                                   \
      "live containers whose record still lacks a group that rules read")                         \
    X(REGION_BYTES, "region_bytes", "bytes", GAUGE, "size of the live region")                    \
    X(ARENA_BYTES, "region_arena_bytes", "bytes", GAUGE, "of it, room for records")               \
    X(ARENA_USED, "region_arena_used_bytes", "bytes", GAUGE,                                      \
      "of that, handed out; at three quarters the region is replaced")                            \
    X(RELOADS, "config_reloads_total", "reloads", TOTAL, "configurations put in force by SIGHUP") \
    X(RELOAD_ERRORS, "config_reload_errors_total", "reloads", TOTAL,                              \
      "configurations refused; the running one stayed in force")                                  \
    X(CGROUPS, "cgroups", "cgroups", GAUGE, "in the hierarchies that are watched")                \
    X(CGROUPS_UNWATCHED, "cgroups_unwatched", "cgroups", GAUGE,                                   \
      "of those, looked at every 10 s only; raise fs.inotify.max_user_watches")                   \
    X(CGROUP_OVERFLOWS, "cgroup_overflows_total", "overflows", TOTAL,                             \
      "times that the kernel dropped news of cgroups; all were looked at again")                  \
    X(CGROUPS_SEEN, "cgroup_containers_total", "containers", TOTAL,                               \
      "containers whose cgroup was seen to appear")                                               \
    X(CGROUPS_STOPPED, "cgroup_stops_total", "containers", TOTAL,                                 \
      "running containers that count as exited because their cgroup went and no engine said why") \
    X(HINTS, "hints_total", "containers", TOTAL,                                                  \
      "containers that were seen, and not known or not whole: the engines were asked")            \
    X(HINTS_DROPPED, "hints_dropped_total", "containers", TOTAL,                                  \
      "such containers that weren't asked for, because too many were")                            \
    X(PLUGIN_HINTS, "plugin_hints_total", "containers", TOTAL,                                    \
      "containers that Falco met before they were known, or known whole; see why ID")             \
    X(PLUGIN_HINTS_BAD, "plugin_hints_refused_total", "datagrams", TOTAL,                         \
      "datagrams at the socket `hint` that made no sense")                                        \
    X(FIRST_COMPLETE, "first_complete_total", "programs", TOTAL,                                  \
      "first programs of containers whose record was whole when Falco met them")                  \
    X(FIRST_INCOMPLETE, "first_incomplete_total", "programs", TOTAL,                              \
      "such programs whose container's record lacked a group that rules read")                    \
    X(FIRST_ABSENT, "first_absent_total", "programs", TOTAL,                                      \
      "such programs whose container wasn't known at all")

enum cmeta_counter_index {
#define X(symbol, name, unit, kind, help) CMETA_COUNT_##symbol,
    CMETA_COUNTERS(X)
#undef X
        CMETA_COUNT_COUNT
};

struct cmeta_counter_description {
    const char *name, *unit, *help;
    uint32_t kind;
};
extern const struct cmeta_counter_description cmeta_counter_table[CMETA_COUNT_COUNT];

#endif
