// SPDX-License-Identifier: Apache-2.0
// How much memory this process may still take before the kernel kills somebody for it.
#ifndef CMETA_HEADROOM_H
#define CMETA_HEADROOM_H

#include <stdint.h>

/**
 * cmeta_headroom() - bytes left below the tightest memory cgroup limit above this process
 * @proc_cgroup: normally "/proc/self/cgroup"
 * @cgroup_root: normally "/sys/fs/cgroup"
 *
 * Looks at memory.max and memory.current (v2) or memory.limit_in_bytes and memory.usage_in_bytes
 * (v1, below memory/) of the process's cgroup and all above it. What cannot be read limits nothing.
 *
 * Return: bytes, UINT64_MAX if there is no limit.
 */
uint64_t cmeta_headroom(const char *proc_cgroup, const char *cgroup_root);

#endif
