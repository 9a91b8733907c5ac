// SPDX-License-Identifier: Apache-2.0
#include "dump.h"

#include "event_json.h"
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Takes the document over. Return: as dump_containers().
static int push(struct async_sink *sink, struct metrics *metrics, char *json, size_t len,
                char *error)
{
    int r;

    if (!json) {
        snprintf(error, FALCO_ERROR_BYTES, "out of memory; free some and start the capture again");
        return -ENOMEM;
    }
    r = async_event_push(sink, ASYNC_EVENT_CONTAINER, json, len, error);
    if (r == 0)
        metrics_count(metrics, METRIC_EVENTS_DUMPED);
    free(json);
    return r;
}

static bool is_live(const struct snapshot *s)
{
    return CMETA_STATUS_STATE(s->status.word) != CMETA_STATE_REMOVED;
}

int dump_containers(const struct cmeta_region *region, struct async_sink *sink,
                    struct metrics *metrics, char *error)
{
    struct snapshot snapshot = {.record = NULL};
    cmeta_handle handle;
    uint64_t cursor = 0;
    int found, outcome = 0;

    if (!region)
        return 0;
    while ((found = cmeta_reader_next(region, &cursor, &handle)) != 0) {
        int taken = found == 1 ? snapshot_take(&snapshot, region, handle) : 0;
        char *json = NULL;
        size_t len = 0;
        int r;

        if (taken == 0 || (taken > 0 && !is_live(&snapshot)))
            continue;
        if (taken > 0)
            json = event_json_write(&snapshot, &len);
        if (taken > 0 && !json)
            json = event_json_write_brief(&snapshot, &len);
        r = push(sink, metrics, json, len, error); // NULL: says that there is no memory
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

    return push(sink, metrics, json, len, error);
}
