// SPDX-License-Identifier: Apache-2.0
// What a process is in its container: the first one, a health check's or probe's, or just one.
//
// A probe enters a container from outside: the runtime starts it, so that the container's first
// process isn't among its ancestors, and its command is the one that the engine was given. What a
// container's own processes start is never taken for a probe, whatever its command.
#ifndef PLUGIN_CATEGORY_H
#define PLUGIN_CATEGORY_H

#include "record.h"
#include "threads.h"

// A category of a probe's kind, and no other.
static inline enum thread_category category_of_probe(enum cmeta_probe_kind kind)
{
    return (enum thread_category)(CATEGORY_HEALTHCHECK + (int)kind);
}

/**
 * category_find() - a thread's category by its place among its ancestors and by its command
 * @entry: a thread in a container, whose own category isn't looked at
 * @view:  the container's record, or NULL
 * @exec:  the event by which the thread began its command, or NULL: the table is read
 *
 * Reads only; bounded.
 */
enum thread_category category_find(const struct threads *threads, const struct table_access *access,
                                   struct falco_entry *entry, const struct cmeta_view *view,
                                   const struct falco_event *exec);

/**
 * category_write() - what a thread has become in its container
 * @inside: whether it is in one
 * @moved:  whether it came into another one, or out of one
 *
 * What a thread is stays while it doesn't move: a probe's command may start another in its place.
 * The other parameters are category_find()'s.
 */
void category_write(const struct threads *threads, const struct table_access *access,
                    struct falco_entry *entry, bool inside, bool moved,
                    const struct cmeta_view *view, const struct falco_event *exec);

#endif
