// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a container's process, for engines that don't tell it themselves: all by
// reading /proc. Nothing forks, and no namespace is entered.
//
// PIDs are of the /proc below @root ("" on the host). An engine's word on a PID is no proof: the
// number may be another process's by now, or of another PID namespace. Its cgroup is one.
#ifndef PROCESS_H
#define PROCESS_H

#include "containerd-meta/container.h"

#include "shm/container_id.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

/**
 * process_container_id() - the container's ID as the process's cgroups name it
 * @layout: the only one that counts
 * Return: the ID's length; 0 if no cgroup names one; -ENOENT if there is no such process; other
 * -errno.
 */
int process_container_id(const char *root, pid_t pid, enum cmeta_layout layout,
                         char id[CMETA_ID_MAX + 1]);

/**
 * process_started_ns() - when it was started, CLOCK_REALTIME
 * @ticks: set to the same since boot, as /proc has it, which identifies the process with its PID;
 *         may be NULL
 * Return: 0 if it isn't known.
 */
int64_t process_started_ns(const char *root, pid_t pid, uint64_t *ticks);

/**
 * process_numbers() - its numbers in the PID namespaces it is in, from the reader's on
 * @status: the text of /proc/PID/status
 * @own:    set to the last of them, which is its own namespace's; may be NULL
 * Return: how many; 0 if the text doesn't tell.
 */
unsigned process_numbers(const char *status, long *own);

/**
 * process_first_child() - the child that is the first process of a PID namespace of its own
 * @parent: with one thread, and few children: no more than 64 are looked at
 * Return: its PID as /proc has it; 0 if there is none, or the kernel doesn't tell of children.
 */
pid_t process_first_child(const char *root, pid_t parent);

/**
 * process_add_addresses() - the addresses in its network namespace, loopback and link-local ones
 * left out
 * Return: how many; -errno.
 */
int process_add_addresses(const char *root, pid_t pid, struct container *container);

/**
 * process_watch() - hear of its end
 * @on_end: once; the source is to be unreferenced by the caller
 * Return: 0; -ESRCH if it is gone; -EXDEV if /proc's PIDs aren't this process's; other -errno where
 * the kernel can't (before 5.3).
 */
int process_watch(sd_event *event, const char *root, pid_t pid, sd_event_io_handler_t on_end,
                  void *userdata, sd_event_source **source);

#endif
