// SPDX-License-Identifier: Apache-2.0
// The daemon's configuration: one YAML file, read strictly.
//
// A file with a mistake is refused as a whole, with file, line and path of the first mistake, so
// that a bad reload leaves the running configuration in force. docs/configuration.md describes the
// keys; packaging/config.yaml has all of them with their defaults.
#ifndef CONFIG_H
#define CONFIG_H

#include "container.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DEFAULT_PATH "/etc/containerd-meta/config.yaml"

// One engine of the `engines:` block.
struct config_engine {
    const char *name; // static: one of engine_classes[]
    bool mentioned;   // the file says something about it
    bool enabled;
    bool has_places; // the file lists them (maybe none); else the engine's defaults
    char **places;   // sockets, folders (absolute paths, without host_root) or URLs
    size_t places_count;
};

// Whether to be a plugin of the container runtime's NRI.
enum config_nri {
    CONFIG_NRI_OFF = 0,
    CONFIG_NRI_AUTO, // where there is a socket
    CONFIG_NRI_ON,   // the same; one that isn't there is worth a warning
};

struct config {
    char *region_dir;
    uint64_t region_max_bytes;
    uint64_t grace_ns;
    int log_level; // syslog.h
    char *host_root;
    bool with_size;
    bool watch_cgroups;
    uint64_t engine_timeout_ns; // 0: none
    enum config_nri nri;
    bool oci_hook; // listen to OCI hooks
    struct container_limits limits;
    struct config_engine *engines; // all known names, in the order of the tables
    size_t engines_count;
};

/**
 * config_load() - read a file
 * @path:     the file; NULL: the default path, which may be absent
 * @config:   filled on success; config_done() it
 * @message:  receives the first mistake: file, line, path, what was expected and found,
 * NUL-terminated
 * @notes:    receives what is accepted but has no effect here, one line each; NUL-terminated
 *
 * Return: 0; -EINVAL with a message; -ENOMEM; other -errno of reading, with a message.
 */
int config_load(const char *path, struct config *config, char *message, size_t message_size,
                char *notes, size_t notes_size);

/**
 * config_parse() - the same from memory
 * @name: stands for the file in messages
 */
int config_parse(const char *name, const char *text, size_t len, struct config *config,
                 char *message, size_t message_size, char *notes, size_t notes_size);

void config_done(struct config *config);

#endif
