// SPDX-License-Identifier: Apache-2.0
// What runc's state.json tells of a container of bpm's, and what its name does.
//
// A container is called bpm-<job>, or bpm-<job>.<process> where they differ; bytes other than
// letters, digits, - and _ stand in it as a dot and two hexadecimal digits. (BPM reserves the right
// to change that: a name that can't be read so is taken as it is.)
//
// Source: runc 1.0 to 1.3 (libcontainer's State), bpm-release 1.0 to 1.4 (jobid).
#ifndef BPM_STATE_H
#define BPM_STATE_H

#include "containerd-meta/container.h"

#include "shm/container_id.h"

#include <sys/types.h>

struct bpm_state {
    pid_t pid;      // of the first process; 0: none
    uint64_t ticks; // its start since boot, as /proc has it; 0: not told
    int64_t created_ns;
    char *bundle; // NULL: not told
};

/**
 * bpm_state_read() - from a state.json
 * Return: 0 and @state, bpm_state_done() it; -EBADMSG if it is none.
 */
int bpm_state_read(const char *text, size_t len, struct bpm_state *state);
void bpm_state_done(struct bpm_state *state);

// The ID that a cgroup gives: the name without its "bpm-".
void bpm_state_id(const char *name, char id[CMETA_ID_MAX + 1]);

/**
 * bpm_state_apply() - name, job and process as labels, creation; what bpm doesn't have
 * @name: of the container, as runc knows it
 * Marks identity, image, labels, pod and health as known.
 */
void bpm_state_apply(const struct bpm_state *state, const char *name, struct container *container,
                     const struct container_limits *limits);

#endif
