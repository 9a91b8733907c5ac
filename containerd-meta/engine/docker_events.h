// SPDX-License-Identifier: Apache-2.0
// Events in Docker's form: what a container's event tells goes to the sink at once, and what has to
// be asked because of it to docker_fetch. Replays overlap with what was heard already: an event
// counts once.
//
// Podman's names beside Docker's: died and die, remove and destroy. Belongs to one engine instance.
#ifndef DOCKER_EVENTS_H
#define DOCKER_EVENTS_H

#include "docker_fetch.h"

struct docker_events;

// Return: 0 or -errno. @fetch lives longer.
int docker_events_new(const struct engine_host *host, const struct docker_dialect *dialect,
                      struct docker_fetch *fetch, struct docker_events **events);
struct docker_events *docker_events_free(struct docker_events *events); // returns NULL

// One record of the stream.
void docker_events_take(struct docker_events *events, const char *text, size_t len);

// From when to ask for events now: a little before the last one, or before this moment.
// CLOCK_REALTIME in seconds.
int64_t docker_events_since_s(const struct docker_events *events);

#endif
