// SPDX-License-Identifier: Apache-2.0
// Containers by their cgroups: seen when a runtime makes the first cgroup of one, well before its
// first instruction, and when the last one is gone.
//
// Watches the hierarchies that cgroup_mounts chooses, as they come and go, by one inotify instance.
// It knows names only: whether there is such a container others say. One thread.
#ifndef CGROUP_H
#define CGROUP_H

#include "tree.h"

#include "shm/container_id.h"

struct cgroup_watch;

// A container that a cgroup's name tells of. Lives during the call.
struct cgroup_container {
    enum cmeta_strength strength;
    enum cmeta_layout layout;
    const char *id; // full, NUL-terminated
    size_t id_len;
    const char *ns;     // weak only: the containerd namespace, NUL-terminated; else ""
    uint64_t cgroup_id; // of version 2, as bpf_get_current_cgroup_id() has it; 0 not known (yet)
};

// All from the loop.
struct cgroup_calls {
    // The first cgroup of that name, or another one has come to bear it by a rename.
    void (*seen)(void *userdata, const struct cgroup_container *container);
    // Its cgroup of version 2 is known now; may come with `seen` or after it.
    void (*numbered)(void *userdata, const struct cgroup_container *container);
    // The last one went. Not told of a hierarchy that is no longer mounted.
    void (*gone)(void *userdata, const struct cgroup_container *container);
};

struct cgroup_options {
    const char *mountinfo; // NULL: /proc/self/mountinfo
    const char *host_root; // "" on the host itself
    struct tree_options tree;
};

/**
 * cgroup_watch_new() - begins at once; what is there already is told of as seen
 * Return: 0 or -errno.
 */
int cgroup_watch_new(sd_event *event, const struct cgroup_calls *calls, void *userdata,
                     const struct cgroup_options *options, struct cgroup_watch **watch);
struct cgroup_watch *cgroup_watch_free(struct cgroup_watch *watch); // returns NULL

// Mounts may have changed: looked at again now. It does so by itself where the kernel tells.
void cgroup_watch_remount(struct cgroup_watch *watch);

// The container of that name, NULL if there is no cgroup of it now.
const struct cgroup_container *cgroup_watch_find(const struct cgroup_watch *watch, const char *id,
                                                 const char *ns);

struct tree_state cgroup_watch_state(const struct cgroup_watch *watch);
unsigned cgroup_watch_containers(const struct cgroup_watch *watch);
// Names of the hierarchies that are watched: "v2, name=systemd, cpuset"; "none".
void cgroup_watch_describe(const struct cgroup_watch *watch, char *text, size_t size);

#endif
