// SPDX-License-Identifier: Apache-2.0
#include "leap.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t leapt_ns, set_ns; // atomic

void leap(uint64_t ns)
{
    __atomic_fetch_add(&leapt_ns, ns, __ATOMIC_RELAXED); // pairs with the load below
}

void leap_set_clock(int64_t ns)
{
    // Pairs with the load below.
    __atomic_fetch_add(&set_ns, (uint64_t)ns, __ATOMIC_RELAXED);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *t)
{
    uint64_t now;
    int r = (int)syscall(SYS_clock_gettime, clock, t);

    if (r != 0 || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return r;
    now = (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec +
          __atomic_load_n(clock == CLOCK_MONOTONIC ? &leapt_ns : &set_ns, __ATOMIC_RELAXED);
    t->tv_sec = (time_t)(now / 1000000000u);
    t->tv_nsec = (long)(now % 1000000000u);
    return 0;
}
