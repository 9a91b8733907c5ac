// SPDX-License-Identifier: Apache-2.0
// What systemd-machined tells of a machine, as a container.
//
// Source: org.freedesktop.machine1, systemd 219 to 258.
#ifndef NSPAWN_RECORD_H
#define NSPAWN_RECORD_H

#include "containerd-meta/container.h"
#include "leader.h"

#include <systemd/sd-bus.h>

// A machine's properties; all strings are owned, and "" where machined has none.
struct machine_facts {
    char *name, *class, *service, *unit, *root;
    char id[33]; // machine ID as hexadecimal digits, "" if there is none
    uint32_t leader;
    int64_t created_ns;
};

/**
 * machine_facts_read() - the answer to org.freedesktop.DBus.Properties.GetAll
 * @facts: zero-initialised; machine_facts_done() it in either case
 *
 * A property that is missing or of another type is left out.
 * Return: 0; -EBADMSG if this is no answer of that kind, or names no machine; -ENOMEM.
 */
int machine_facts_read(sd_bus_message *answer, struct machine_facts *facts);
void machine_facts_done(struct machine_facts *facts);

/**
 * machine_is_ours() - whether it is a container that no other engine of ours has
 *
 * Virtual machines and the host aren't; libvirt's containers are libvirt_lxc's.
 */
bool machine_is_ours(const char *class, const char *service);

// A machine's identity, as its cgroup yields it: see shm/container_id.h.
struct machine_identity {
    char id[256];
    const char *scope;
};
// Return: false if its name can't be an ID.
bool machine_identify(const struct machine_facts *facts, struct machine_identity *identity);

// What is asked for one by one. Zero-initialised: nothing was answered.
struct machine_details {
    bool has_os, has_addresses, has_leader;
    bool on_host_network;  // machined says so
    bool leader_is_hidden; // /proc was asked often enough, or doesn't show it
    struct leader leader;
    struct machine_list {
        char **texts;
        size_t count;
    } os, addresses; // KEY=value of the OS release; addresses as text
};
int machine_os_read(sd_bus_message *answer, struct machine_details *details);
int machine_addresses_read(sd_bus_message *answer, struct machine_details *details);
void machine_details_done(struct machine_details *details);

/**
 * machine_container() - all that is known so far
 * Return: the container, to be freed; NULL if out of memory.
 */
struct container *machine_container(const struct machine_facts *facts,
                                    const struct machine_identity *identity,
                                    const struct machine_details *details,
                                    const struct container_limits *limits);

#endif
