// SPDX-License-Identifier: Apache-2.0
// A verb's view of the region: mapped, or a message on stderr that says why not and what to do.
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include "ctl.h"
#include "shm/reader.h"

/**
 * session_open() - map the region of the folder
 *
 * Says on stderr what stands in the way; and where no daemon is running, since when the data
 * hasn't moved.
 *
 * Return: CTL_OK and @region (cmeta_region_unmap() it), else the exit code.
 */
enum ctl_exit session_open(const struct ctl_options *options, struct cmeta_region *region);

/**
 * session_refusal() - why a region couldn't be mapped, and what to do
 * @result: of cmeta_region_map(), not 0
 * Return: a text to be freed.
 */
char *session_refusal(const char *dir, int result);

// The exit code for a result of cmeta_region_map().
enum ctl_exit session_exit(int result);

// What to do when no daemon is running, with the age of the data. Return: a text to be freed.
char *session_daemon_gone(const struct cmeta_region *region);

// Whether a daemon is running; where that can't be told, it is taken to be.
bool session_daemon_alive(const char *dir);

// Nanoseconds since the writer's last heartbeat.
uint64_t session_heartbeat_age(const struct cmeta_region *region);

static inline const struct cmeta_header *session_header(const struct cmeta_region *region)
{
    return (const void *)region->base;
}

#endif
