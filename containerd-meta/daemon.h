// SPDX-License-Identifier: Apache-2.0
// The daemon: one loop in which engines, store and publisher meet. One thread.
#ifndef DAEMON_H
#define DAEMON_H

#include "config.h"

// What the command line says over the configuration file.
struct daemon_options {
    const char *config_path; // NULL: CONFIG_DEFAULT_PATH, which may be absent
    const char *region_dir;  // NULL: as configured
    int log_level;           // -1: as configured
    // Engine and socket pairs that replace the engines block; count 0: as configured.
    const char *const *engine_names;
    const char *const *engine_sockets;
    size_t engines_count;
};

/**
 * daemon_block_signals() - SIGTERM, SIGINT and SIGHUP wait until the loop is there to take them
 * Call it first of all: a reload may be asked for while the daemon begins.
 */
void daemon_block_signals(void);

/**
 * daemon_config() - read the configuration and put the command line over it
 * @message: receives the first mistake
 * Return: 0 (config_done() it); -errno with a message.
 */
int daemon_config(const struct daemon_options *options, struct config *config, char *message,
                  size_t message_size);

/**
 * daemon_run() - until SIGTERM or SIGINT
 * @config: taken over
 * Return: 0; -errno if it could not begin, with a message in the log.
 */
int daemon_run(const struct daemon_options *options, struct config *config);

#endif
