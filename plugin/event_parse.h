// SPDX-License-Identifier: Apache-2.0
// Events that tell of containers: the async events `container` and `container_removed`, and their
// three forerunners in old captures.
#ifndef PLUGIN_EVENT_PARSE_H
#define PLUGIN_EVENT_PARSE_H

#include "falco_abi.h"
#include "json_record.h"

// What kind of event it is.
enum event_tells {
    EVENT_TELLS_NOTHING, // of containers
    EVENT_TELLS_CONTAINER,
    EVENT_TELLS_REMOVAL,
};

// By type and, of an async event, name. Costs a comparison for all others.
enum event_tells event_tells(const struct falco_event *event);

/**
 * event_parse() - read such an event
 * @told: garbage after a failure
 * Allocates. Return: 0; -EINVAL, -EMSGSIZE, -ENOMEM as json_record_read().
 */
int event_parse(const struct falco_event *event, struct told *told);

#endif
