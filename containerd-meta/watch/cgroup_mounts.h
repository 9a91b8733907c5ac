// SPDX-License-Identifier: Apache-2.0
// Which cgroup hierarchies are mounted, and which of them are worth watching.
//
// Source: proc(5) mountinfo, Linux 2.6.26 and later. Nothing is asked of the kernel here: a text is
// read. It is the daemon's own, not that of the host's init: what isn't in it can't be reached.
#ifndef CGROUP_MOUNTS_H
#define CGROUP_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_MOUNTS_MAX 8u

struct cgroup_mount {
    uint64_t device; // major << 32 | minor: the hierarchy
    bool v2;
    char *path;   // where it is mounted
    char *prefix; // what of the hierarchy: "" for all of it, else a path
    char *name;   // "v2", "name=systemd", or its controllers
};

struct cgroup_mounts {
    struct cgroup_mount list[CGROUP_MOUNTS_MAX];
    size_t count;
};

/**
 * cgroup_mounts_choose() - the hierarchies to watch
 * @text:      of /proc/self/mountinfo, NUL-terminated
 * @host_root: only what is mounted below it; "" is everywhere. A container's own mounts show its
 *             own cgroup namespace, and nobody else
 *
 * Version 2, if it is mounted. Of version 1 two: name=systemd, where systemd puts a container first
 * of all, and cpuset, where runc does: 10 to 15 ms before it comes to the others. One of the two is
 * in use by every engine, LXC and libvirt included; where cpuset isn't mounted, the first there is
 * of memory, devices, cpu, pids, freezer, blkio. More would cost a watch per container and
 * hierarchy, and tell nothing.
 * Return: 0, -ENOMEM.
 */
int cgroup_mounts_choose(const char *text, const char *host_root, struct cgroup_mounts *mounts);
void cgroup_mounts_done(struct cgroup_mounts *mounts);

#endif
