// SPDX-License-Identifier: Apache-2.0
// Memory that ends at an inaccessible page: reading one byte too far ends the process.
#ifndef HOST_GUARD_H
#define HOST_GUARD_H

#include <stddef.h>

struct guard;

struct guard *guard_new(void);
void guard_free(struct guard *g);
// Copies `bytes` so that they end at the guard page. Valid until the next guard_put.
void *guard_put(struct guard *g, const void *bytes, size_t len);

#endif
