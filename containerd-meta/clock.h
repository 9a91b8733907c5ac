// SPDX-License-Identifier: Apache-2.0
// Clocks as numbers.
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

// CLOCK_MONOTONIC or CLOCK_REALTIME, in ns.
static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_us(clockid_t id)
{
    return clock_ns(id) / 1000u;
}

#endif
