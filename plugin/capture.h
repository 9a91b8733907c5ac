// SPDX-License-Identifier: Apache-2.0
// What the capture being read tells of containers: its events, each read once, and the store that
// they fill. The event thread's.
#ifndef PLUGIN_CAPTURE_H
#define PLUGIN_CAPTURE_H

#include "capture_store.h"
#include "event_parse.h"
#include "metrics.h"

struct capture;

// `metrics` is borrowed until capture_free(). Return: NULL without memory.
struct capture *capture_new(struct metrics *metrics);
struct capture *capture_free(struct capture *capture);
// Another capture may begin, or a region is there to know better.
void capture_forget(struct capture *capture);

/**
 * capture_told() - what an event says that tells of a container (event_tells())
 *
 * The last event's answer is kept: asked again, it costs a comparison. The first one allocates.
 * Return: valid until another event is asked for; NULL if it says nothing sound.
 */
const struct told *capture_told(struct capture *capture, const struct falco_event_input *in);

// Keeps what such an event says; all others are no matter.
void capture_hear(struct capture *capture, const struct falco_event_input *in);

struct capture_store *capture_containers(const struct capture *capture);

#endif
