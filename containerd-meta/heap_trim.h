// SPDX-License-Identifier: Apache-2.0
// Gives back the memory that was only needed while much was read: the C library keeps what is freed
// between pieces that live, and answers about a whole node leave megabytes of it.
//
// Belongs to the loop's thread.
#ifndef HEAP_TRIM_H
#define HEAP_TRIM_H

#include <systemd/sd-event.h>

struct heap_trim;

// Return: 0 or -errno.
int heap_trim_new(sd_event *event, struct heap_trim **trim);
struct heap_trim *heap_trim_free(struct heap_trim *trim); // returns NULL

// An answer was worked off. After many of them the heap is trimmed, soon but not often, and once
// more a minute after the last; a daemon to which nothing happens does nothing.
void heap_trim_note(struct heap_trim *trim);

#endif
