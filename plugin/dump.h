// SPDX-License-Identifier: Apache-2.0
// dump_state: every container as an event, into a capture that is just being opened.
//
// So that a capture, whenever it was begun, carries the containers that existed then, each as the
// events before were given it and those that follow will be. Of those that have been removed, the
// last processes' events may still be on their way: they are told of, and that they are gone. The
// host isn't among them: on replay its record would be taken for a container's. Runs on the event
// thread, once for a capture; it allocates and takes its time.
#ifndef PLUGIN_DUMP_H
#define PLUGIN_DUMP_H

#include "async_event.h"
#include "config.h"
#include "metrics.h"
#include "served.h"

/**
 * dump_containers() - push them all
 * @served: the region in use; NULL: there are none
 * @error:  FALCO_ERROR_BYTES; receives why one couldn't be pushed
 *
 * Return: 0; -EPROTO if the host refused any, -ENOMEM. The others have been pushed all the same.
 */
int dump_containers(struct served *served, struct async_sink *sink, struct metrics *metrics,
                    char *error);
// The static engine's one.
int dump_static(const struct config_static *fixed, struct async_sink *sink, struct metrics *metrics,
                char *error);

#endif
