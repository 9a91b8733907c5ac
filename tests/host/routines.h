// SPDX-License-Identifier: Apache-2.0
// A working thread pool for plugins that ask for one: a thread per routine.
//
// Falco has none, so the host offers it only when a test asks for it.
#ifndef HOST_ROUTINES_H
#define HOST_ROUTINES_H

#include "plugin/falco_abi.h"

struct routines;

struct routines *routines_new(void);
// The state that routines are called with. Before anything is subscribed.
void routines_set_plugin(struct routines *rs, struct falco_plugin *s);
// Calls `fn` on a thread of its own until it returns 0 or is unsubscribed. NULL on failure.
struct falco_routine *routines_subscribe(struct routines *rs,
                                         falco_bool (*fn)(struct falco_plugin *s, void *state),
                                         void *state);
// Returns when the routine doesn't run any more. FAILURE if it isn't subscribed.
falco_rc routines_unsubscribe(struct routines *rs, struct falco_routine *r);
// Unsubscribes whatever is left, as a host does after capture_close.
void routines_purge(struct routines *rs);
void routines_free(struct routines *rs);

#endif
