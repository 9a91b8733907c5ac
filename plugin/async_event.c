// SPDX-License-Identifier: Apache-2.0
#include "async_event.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

// A clock that is set back by more has been set; the events that bear the time before are at most
// as many as are under way.
#define SET_BACK_NS UINT64_C(2000000000)

uint64_t async_event_time(struct async_sink *sink)
{
    struct timespec t;
    uint64_t now, ts;

    clock_gettime(CLOCK_REALTIME, &t);
    now = (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
    ts = now;
    if (sink->stream_ts != 0 && sink->stream_ts < now)
        ts =
            now - sink->stream_ts < ASYNC_EVENT_LAG_NS ? sink->stream_ts : now - ASYNC_EVENT_LAG_NS;
    // The host delivers by time: a removal must not overtake what it removes. But it drops, and
    // says nothing, what lies more than 10 s in the future.
    if (ts > sink->last_ts || sink->last_ts - ts > SET_BACK_NS)
        sink->last_ts = ts;
    else
        sink->last_ts++;
    return sink->last_ts;
}

static void put_u32(char *event, size_t offset, uint32_t value)
{
    memcpy(event + offset, &value, sizeof(value));
}

int async_event_push(struct async_sink *sink, uint64_t ts, const char *name, const char *json,
                     size_t len, char *error)
{
    size_t name_bytes = strlen(name) + 1, total = FALCO_ASYNC_AT_NAME + name_bytes + len + 1;
    struct falco_event header = {.ts = ts,
                                 .tid = FALCO_TID_NONE,
                                 .len = (uint32_t)total,
                                 .type = FALCO_EVENT_ASYNC,
                                 .nparams = FALCO_ASYNC_NPARAMS};
    char *event = malloc(total);
    falco_rc rc;

    if (!event)
        return -ENOMEM;
    memcpy(event, &header, sizeof(header));
    put_u32(event, FALCO_ASYNC_AT_ID_LEN, sizeof(uint32_t));
    put_u32(event, FALCO_ASYNC_AT_NAME_LEN, (uint32_t)name_bytes);
    put_u32(event, FALCO_ASYNC_AT_DATA_LEN, (uint32_t)len + 1);
    put_u32(event, FALCO_ASYNC_AT_PLUGIN_ID, 0); // the host's to write
    memcpy(event + FALCO_ASYNC_AT_NAME, name, name_bytes);
    memcpy(event + FALCO_ASYNC_AT_NAME + name_bytes, json, len);
    event[total - 1] = '\0';
    error[0] = '\0';
    rc = sink->handler(sink->owner, (const struct falco_event *)(const void *)event, error);
    free(event);
    return rc == FALCO_RC_SUCCESS ? 0 : -EPROTO;
}
