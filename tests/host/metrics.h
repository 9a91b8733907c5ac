// SPDX-License-Identifier: Apache-2.0
// A thread that asks for the plugin's metrics all the time, as HTTP workers of Falco do while
// everything else goes on. Run it under ThreadSanitizer.
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include <stddef.h>

#include "tests/host/loader.h"

struct metrics_prober;

// NULL when the plugin has no metrics. The instance must outlive the prober.
struct metrics_prober *metrics_prober_start(struct report *r, const struct plugin *p,
                                            struct falco_plugin *instance);
// Stops after at least one round. Return: number of rounds.
size_t metrics_prober_stop(struct metrics_prober *m);

/**
 * metrics_read - one metric's value as a number
 *
 * Breaches (no array, NULL name, unknown kinds) are noted. Must not run beside a prober that reads
 * the same array: what is returned lives until the next call.
 *
 * Return: 0; -ENOENT: there is none of that name.
 */
int metrics_read(struct report *r, const struct plugin *p, struct falco_plugin *instance,
                 const char *name, double *out);

#endif
