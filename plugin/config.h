// SPDX-License-Identifier: Apache-2.0
// init_config: what the plugin takes from falco.yaml.
//
// Accepted are the keys of every version of the upstream plugin, and two of our own. What belongs
// to the daemon is checked for its type and has no effect; one line of the log says so.
#ifndef PLUGIN_CONFIG_H
#define PLUGIN_CONFIG_H

#include "container_id.h"
#include "falco_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_MAX   4096
#define CONFIG_STATIC_MAX 512

// The static engine: one container for all threads that have a cgroup. `repo`, `tag` and `digest`
// are parts of the image's reference.
struct config_static {
    bool enabled;
    char id[CMETA_ID_MAX + 1];
    char name[CONFIG_STATIC_MAX];
    char image[CONFIG_STATIC_MAX];
    char repo[CONFIG_STATIC_MAX];
    char tag[CONFIG_STATIC_MAX];
    char digest[CONFIG_STATIC_MAX];
};

struct config {
    char region[CONFIG_PATH_MAX]; // `region`: the folder; default CMETA_DEFAULT_DIR below HOST_ROOT
    char proc[CONFIG_PATH_MAX];   // /proc, below HOST_ROOT
    bool region_in_replay;        // `region_in_replay`: captures are shown this host's containers
    enum falco_severity log_level; // `log_level`
    uint32_t layouts;              // CMETA_LAYOUT_BITs left by the engines that are enabled
    struct config_static fixed;    // `engines.static`
    char without_effect[256];      // keys given that are the daemon's, comma-separated
};

/**
 * config_parse() - read the text of init_config and the environment (HOST_ROOT)
 * @text:   JSON; "" and null are an empty object
 * @config: defaults on failure too, so that the state can be used to tell the error
 * @error:  receives key path, what was expected, what was found, and what to do
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int config_parse(const char *text, struct config *config, char *error, size_t error_size);

// The JSON schema of init_config, draft-04. A static string.
const char *config_schema(void);

#endif
