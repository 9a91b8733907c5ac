// SPDX-License-Identifier: Apache-2.0
// What the kernel says of the first process of a container whose engine doesn't tell how it is
// confined: which of the host's namespaces it shares, what it may do, who it is.
//
// It reads /proc of the host, which answers at once. What needs more rights than the daemon has
// (the namespaces of a process that may more than we) is left open, and said so.
#ifndef LEADER_H
#define LEADER_H

#include <stdbool.h>
#include <stdint.h>

enum leader_share {
    LEADER_UNSEEN = 0, // not to be seen with our rights
    LEADER_OWN,        // a namespace of its own
    LEADER_HOSTS,      // the host's
};

struct leader {
    char comm[16];
    bool in_unit; // its cgroup lies in the unit that was asked for
    enum leader_share pid_ns, net_ns, ipc_ns;
    bool all_capabilities; // as many as the host's first process, in the host's user namespace
    uint32_t uid;          // as its own user namespace counts
};

/**
 * leader_look() - look at a process once
 * @host_root: where the host's root is mounted; "" on the host itself
 * @pid:       in the host's PID namespace
 * @unit:      the systemd unit it is said to be in
 * Return: 0; -ESRCH if there is no such process; -ENODATA if what /proc says makes no sense.
 */
int leader_look(const char *host_root, uint32_t pid, const char *unit, struct leader *leader);

#endif
