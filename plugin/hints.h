// SPDX-License-Identifier: Apache-2.0
// Telling the daemon of containers that the region doesn't have, or not whole (shm/hint.h).
//
// The event thread leaves them in a ring and goes on; the follower sends them, a few a second, and
// never waits. Where there is no socket nothing happens.
#ifndef PLUGIN_HINTS_H
#define PLUGIN_HINTS_H

#include "hint.h"
#include "metrics.h"

struct hints;

struct hints *hints_new(const char *dir, struct metrics *metrics);
struct hints *hints_free(struct hints *hints); // returns NULL

/**
 * hints_add() - event thread: a container was met
 * @ts: of the event, CLOCK_REALTIME in ns
 * The same one twice in a row is told once; what the ring has no room for isn't told.
 */
void hints_add(struct hints *hints, enum cmeta_miss miss, enum cmeta_layout layout, const char *id,
               size_t len, uint64_t ts);

// Follower: sends what waits. @now: CLOCK_MONOTONIC in ns. Return: whether there was something.
bool hints_run(struct hints *hints, uint64_t now);
// Nothing runs: what waits is forgotten.
void hints_clear(struct hints *hints);

#endif
