// SPDX-License-Identifier: Apache-2.0
// Async events: their encoding, and the handler that they go through to the host.
#ifndef PLUGIN_ASYNC_EVENT_H
#define PLUGIN_ASYNC_EVENT_H

#include "falco_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// As plugin_get_async_events() names them; upstream's names.
#define ASYNC_EVENT_CONTAINER "container"
#define ASYNC_EVENT_REMOVED   "container_removed"

// Where events go. One thread at a time.
struct async_sink {
    struct falco_owner *owner;
    falco_async_handler handler; // NULL: nowhere
    uint64_t last_ts;   // of the event before: each is later, unless the clock was set back
    uint64_t stream_ts; // where the host's event stream stands; 0: not known
};

// How far behind the present an event's time may be.
#define ASYNC_EVENT_LAG_NS UINT64_C(1000000000)

/**
 * async_event_time() - the time for the next event
 *
 * It is the time that the event stream has come to, which is what the fields tell by: the host is
 * behind with its events, and at the present time this one would stand in a capture behind events
 * that were given its values live. A stream that stands still counts as ASYNC_EVENT_LAG_NS behind.
 */
uint64_t async_event_time(struct async_sink *sink);

/**
 * async_event_push() - hand an event to the host, which copies it
 * @ts:   from async_event_time()
 * @name: one of the two above
 * @json, @len: a document (event_json.h) and its bytes without the NUL, which is sent along
 * @error: FALCO_ERROR_BYTES; receives the host's word when it refuses
 *
 * It bears no thread: with one, proc.* fields would tell of a process that has nothing to do with
 * it.
 *
 * Return: 0; -EPROTO if the host refuses; -ENOMEM.
 */
int async_event_push(struct async_sink *sink, uint64_t ts, const char *name, const char *json,
                     size_t len, char *error);

// Whether an event is one of ours come back. Any bytes.
static inline bool async_event_is_ours(const struct falco_event *event)
{
    const char *name = (const char *)event + FALCO_ASYNC_AT_NAME;

    if (event->type != FALCO_EVENT_ASYNC ||
        event->len < FALCO_ASYNC_AT_NAME + sizeof(ASYNC_EVENT_CONTAINER) ||
        memcmp(name, ASYNC_EVENT_CONTAINER, sizeof(ASYNC_EVENT_CONTAINER) - 1) != 0)
        return false;
    if (name[sizeof(ASYNC_EVENT_CONTAINER) - 1] == '\0')
        return true;
    return event->len >= FALCO_ASYNC_AT_NAME + sizeof(ASYNC_EVENT_REMOVED) &&
           memcmp(name, ASYNC_EVENT_REMOVED, sizeof(ASYNC_EVENT_REMOVED)) == 0;
}

#endif
