// SPDX-License-Identifier: Apache-2.0
// Parameters of events, bounds checked: captures are files, and files lie.
#ifndef PLUGIN_EVENT_H
#define PLUGIN_EVENT_H

#include "falco_abi.h"

#include <stdbool.h>
#include <string.h>

/**
 * event_param_of_width() - a parameter of an event
 * @width: bytes of each entry of the event's length array: 2 or 4
 * @bytes: set on success; unaligned, not NUL-terminated
 * @len:   set on success, in bytes
 * Return: false if it is absent, empty, or not within the event.
 */
static inline bool event_param_of_width(const struct falco_event *event, uint32_t index,
                                        unsigned width, const char **bytes, size_t *len)
{
    const char *lengths = (const char *)event + FALCO_EVENT_LENGTHS;
    uint64_t at = FALCO_EVENT_LENGTHS + (uint64_t)width * event->nparams;
    uint32_t length = 0; // the bytes of a narrow one are its lower ones

    if (index >= event->nparams || at > event->len)
        return false;
    for (uint32_t i = 0; i < index; i++) {
        memcpy(&length, lengths + (size_t)i * width, width);
        at += length;
    }
    memcpy(&length, lengths + (size_t)index * width, width);
    if (length == 0 || at + length > event->len)
        return false;
    *bytes = (const char *)event + at;
    *len = length;
    return true;
}

// System calls, and most others.
static inline bool event_param(const struct falco_event *event, uint32_t index, const char **bytes,
                               size_t *len)
{
    return event_param_of_width(event, index, 2, bytes, len);
}

// The end of an exec; of all its versions.
static inline bool event_is_exec(const struct falco_event *event)
{
    switch (event->type) {
    case FALCO_EVENT_EXECVE_15_EXIT:
    case FALCO_EVENT_EXECVE_16_EXIT:
    case FALCO_EVENT_EXECVE_17_EXIT:
    case FALCO_EVENT_EXECVE_EXIT:
    case FALCO_EVENT_EXECVEAT_EXIT:
        return true;
    default:
        return false;
    }
}

// Whether parameter 0, the result of a system call, is there and no error. `result` may be NULL.
static inline bool event_succeeded(const struct falco_event *event, int64_t *result)
{
    const char *bytes;
    int64_t value;
    size_t len;

    if (!event_param(event, 0, &bytes, &len) || len != sizeof(value))
        return false;
    memcpy(&value, bytes, sizeof(value));
    if (result)
        *result = value;
    return value >= 0;
}

#endif
