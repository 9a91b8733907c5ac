// SPDX-License-Identifier: Apache-2.0
// The threads of this machine, read from /proc into the host's threads, as a capture start does.
//
// tid, pid, ptid, comm, exe, exe_path, args, cgroups, vtid and vpid (from NSpid), uid and gid,
// pidns_init_start_ts. Cgroups: of version 1 each controller in the order of the file, named
// hierarchies included; of version 2 one row per controller that is listed on the way from the
// thread's cgroup up to the root, with the path of the cgroup that lists it.
#ifndef HOST_PROCFS_H
#define HOST_PROCFS_H

#include "tests/host/threads.h"

/**
 * procfs_scan - add all threads of all processes
 * @root: "/proc", or a folder that looks like it
 *
 * Processes that end meanwhile are left out. Existing threads of the same tid are replaced.
 *
 * Return: number of threads; negative errno if `root` can't be read.
 */
int procfs_scan(struct threads *ts, const char *root);

/**
 * procfs_add - add one thread
 *
 * Return: 0; -ENOENT: it is gone.
 */
int procfs_add(struct threads *ts, const char *root, int64_t pid, int64_t tid);

#endif
