// SPDX-License-Identifier: Apache-2.0
// What the host's own parser does to the threads before a plugin sees an event.
//
// Clone and exec events update the table from the event's parameters, as libsinsp does: the cgroups
// of parameter 14 with normalised names, fresh threads without any dynamic value, stubs for parents
// that weren't known. A procexit leaves the thread until the next event.
#ifndef HOST_STATE_ENGINE_H
#define HOST_STATE_ENGINE_H

#include "plugin/falco_abi.h"
#include "tests/host/threads.h"

/**
 * state_engine_apply - update the threads from an event that is about to be parsed
 * @exited: in: the thread that the previous event saw exit, or -1: it is removed now; out: the
 *          thread that this event sees exit, or -1
 */
void state_engine_apply(struct threads *ts, const struct falco_event *e, int64_t *exited);

#endif
