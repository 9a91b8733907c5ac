// SPDX-License-Identifier: Apache-2.0
#include "dump.h"

#include "event_json.h"
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Takes the document over. Return: as dump_containers().
static int push(struct async_sink *sink, struct metrics *metrics, const char *name, char *json,
                size_t len, char *error)
{
    int r;

    if (!json) {
        snprintf(error, FALCO_ERROR_BYTES, "out of memory; free some and start the capture again");
        return -ENOMEM;
    }
    r = async_event_push(sink, async_event_time(sink), name, json, len, error);
    if (r == 0)
        metrics_count(metrics, METRIC_EVENTS_DUMPED);
    free(json);
    return r;
}

static int push_snapshot(struct async_sink *sink, struct metrics *metrics, const char *name,
                         const struct snapshot *snapshot, char *error)
{
    size_t len = 0;
    char *json = event_json_write(snapshot, &len);

    if (!json)
        json = event_json_write_brief(snapshot, &len);
    return push(sink, metrics, name, json, len, error);
}

static bool is_removed(const struct snapshot *s)
{
    return CMETA_STATUS_STATE(s->status.word) == CMETA_STATE_REMOVED;
}

// What the capture tells is what its events are given from now on.
static int push_container(struct served *served, const struct snapshot *snapshot,
                          cmeta_handle handle, struct async_sink *sink, struct metrics *metrics,
                          char *error)
{
    int r = push_snapshot(sink, metrics, ASYNC_EVENT_CONTAINER, snapshot, error);

    if (r < 0)
        return r;
    served_set(served, served_number(&served->region, handle), snapshot->version);
    return is_removed(snapshot) ? push_snapshot(sink, metrics, ASYNC_EVENT_REMOVED, snapshot, error)
                                : 0;
}

static uint32_t version_in_use(struct served *served, cmeta_handle handle)
{
    struct cmeta_view view;

    return served_record(served, handle, &view) ? cmeta_reader_version_of(&served->region, &view)
                                                : 0;
}

int dump_containers(struct served *served, struct async_sink *sink, struct metrics *metrics,
                    char *error)
{
    struct snapshot snapshot = {.record = NULL};
    cmeta_handle handle;
    uint64_t cursor = 0;
    int found, outcome = 0;

    if (!served)
        return 0;
    while ((found = cmeta_reader_next(&served->region, &cursor, &handle)) != 0) {
        int r = found == 1 ? snapshot_take(&snapshot, &served->region, handle,
                                           version_in_use(served, handle))
                           : 0;

        if (r == 1)
            r = push_container(served, &snapshot, handle, sink, metrics, error);
        else if (r < 0)
            r = push(sink, metrics, ASYNC_EVENT_CONTAINER, NULL, 0, error); // says why
        if (r < 0)
            outcome = r;
    }
    snapshot_clear(&snapshot);
    return outcome;
}

int dump_static(const struct config_static *fixed, struct async_sink *sink, struct metrics *metrics,
                char *error)
{
    size_t len = 0;
    char *json = event_json_write_static(fixed, &len);

    return push(sink, metrics, ASYNC_EVENT_CONTAINER, json, len, error);
}
