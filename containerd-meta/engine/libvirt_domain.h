// SPDX-License-Identifier: Apache-2.0
// A container of libvirt's, from the XML that libvirt keeps of it while it runs: processes, state,
// name, privilege, host namespaces, mounts, limits, addresses.
//
// Source: libvirt 1.0 to 11, <domstatus> of the LXC driver (src/lxc/lxc_domain.c) around the domain
// format (formatdomain.html, drvlxc.html). Everything is optional here: what can't be read costs
// that property.
#ifndef LIBVIRT_DOMAIN_H
#define LIBVIRT_DOMAIN_H

#include "containerd-meta/container.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LIBVIRT_DOMAIN_BYTES_MAX  (4u << 20)
#define LIBVIRT_DOMAIN_LABEL_UUID "libvirt.uuid"
#define LIBVIRT_DOMAIN_LABEL_ROOT "libvirt.rootfs"

struct libvirt_domain;

/**
 * libvirt_domain_read() - read a status file
 * Return: 0 and @domain; -EBADMSG if it is no XML or no LXC domain's (a DTD is none either: its
 * entities may lead anywhere); -ENOMEM.
 */
int libvirt_domain_read(const char *text, size_t len, struct libvirt_domain **domain);
struct libvirt_domain *libvirt_domain_free(struct libvirt_domain *domain); // returns NULL

// Lives as long as the domain. "" if it isn't told.
const char *libvirt_domain_name(const struct libvirt_domain *domain);
// The first process, and libvirt's own that looks after it in the same cgroup. 0: not told.
pid_t libvirt_domain_init(const struct libvirt_domain *domain);
pid_t libvirt_domain_controller(const struct libvirt_domain *domain);
// CMETA_STATE_*
uint32_t libvirt_domain_state(const struct libvirt_domain *domain);
bool libvirt_domain_has_host_network(const struct libvirt_domain *domain);

/**
 * libvirt_domain_apply() - fill a container
 *
 * Marks all groups as known, but the network only if the container has addresses already, if they
 * stand in the XML, or if there can be none of its own. The root file system is told as a label: as
 * a mount of "/" it would be taken for the host's.
 */
void libvirt_domain_apply(const struct libvirt_domain *domain, struct container *container,
                          const struct container_limits *limits);

#endif
