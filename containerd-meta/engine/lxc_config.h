// SPDX-License-Identifier: Apache-2.0
// From a container's LXC configuration to a container: privilege, host namespaces, mounts, limits,
// addresses, environment, root file system.
//
// Source: lxc.container.conf(5) of LXC 2.1 to 6, and the older keys of 1.x and 2.0. Lines that mean
// nothing here are passed over, as are values that can't be read.
#ifndef LXC_CONFIG_H
#define LXC_CONFIG_H

#include "containerd-meta/container.h"

#include <stdbool.h>
#include <stddef.h>

#define LXC_CONFIG_BYTES_MAX   (1u << 20) // of one file
#define LXC_INCLUDES_MAX       64u        // files, over all
#define LXC_INCLUDE_DEPTH_MAX  8u
#define LXC_INCLUDE_BYTES_MAX  (4u << 20) // over all
#define LXC_CONFIG_LABEL_ROOT  "lxc.rootfs.path"
#define LXC_CONFIG_LABEL_GROUP "lxc.group"

struct lxc_config;

// Where included files come from.
struct lxc_includes {
    void *userdata;
    /**
     * Hand the text of @path to @take; of a folder, that of each *.conf in it.
     * @max: bytes of one file
     * Return: 0 or -errno.
     */
    int (*load)(void *userdata, const char *path, size_t max,
                int (*take)(void *argument, const char *text, size_t len), void *argument);
};

/**
 * lxc_config_read() - read a configuration and what it includes
 * @text: need not be NUL-terminated
 * Return: the configuration; NULL if out of memory.
 */
struct lxc_config *lxc_config_read(const char *text, size_t len,
                                   const struct lxc_includes *includes);
struct lxc_config *lxc_config_free(struct lxc_config *config); // returns NULL

// Whether all that is included could be read. If not, only the name of the container is sure.
bool lxc_config_is_whole(const struct lxc_config *config);

// Whether it lives in the host's network.
bool lxc_config_has_host_network(const struct lxc_config *config);

/**
 * lxc_config_apply() - fill a container
 *
 * Marks labels, security, mounts and limits as known if the configuration is whole, and the network
 * if it is and the container has addresses already or all stand in the configuration. The root file
 * system is told as a label: as a mount of "/" it would be taken for the host's.
 */
void lxc_config_apply(const struct lxc_config *config, struct container *container,
                      const struct container_limits *limits);

#endif
