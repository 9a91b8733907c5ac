// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: doubling, with jitter, up to a ceiling.
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_US UINT64_C(200000)
#define BACKOFF_MAX_US   UINT64_C(5000000)

struct backoff {
    unsigned failures; // since the last reset; zero-initialise
};

/**
 * backoff_next() - the wait before the next attempt, in µs
 *
 * Between half and all of the step: two that failed together don't come back together.
 */
uint64_t backoff_next(struct backoff *backoff);

// Only when something really worked: an engine that accepts and dies would be hammered otherwise.
static inline void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}

#endif
