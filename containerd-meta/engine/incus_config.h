// SPDX-License-Identifier: Apache-2.0
// What an instance's configuration and devices in Incus and LXD mean: privilege, mounts, limits,
// environment.
//
// Source: instance options and devices of Incus 6 and LXD 5; keys of lxc.container.conf(5) in
// raw.lxc.
#ifndef INCUS_CONFIG_H
#define INCUS_CONFIG_H

#include "containerd-meta/container.h"

#include <jansson.h>

/**
 * incus_config_apply() - fill the groups security, mounts and limits
 * @config:  option by option, all of them strings, profiles included; groups stay unknown if this
 *           is no object
 * @devices: by name; the same
 */
void incus_config_apply(struct container *container, const json_t *config, const json_t *devices,
                        const struct container_limits *limits);

/**
 * incus_bytes() - a size as the options have it: "512", "64MiB", "1GB", "50%" of the machine's
 * memory
 * Return: bytes; 0 for what is none.
 */
int64_t incus_bytes(const char *text);

#endif
