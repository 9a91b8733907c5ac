// SPDX-License-Identifier: Apache-2.0
// Time that passes when a test wants it to. A program that links this has a clock_gettime() of its
// own, and so has every library in it.
#ifndef LEAP_H
#define LEAP_H

#include <stdint.h>

// CLOCK_MONOTONIC goes on from so much later; those who sleep aren't woken by it.
void leap(uint64_t ns);
#define LEAP_SECONDS(n) leap((uint64_t)(n)*1000000000u)

// CLOCK_REALTIME is set, by so much ahead or back.
void leap_set_clock(int64_t ns);

#endif
