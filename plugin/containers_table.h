// SPDX-License-Identifier: Apache-2.0
// The state table `containers`, which libsinsp and other plugins read: ip, user, id, image, name,
// type by the key that container_id has; the host's row is "".
//
// Iterated are the host and the running containers with an address of their own (libsinsp walks
// over it at connections of processes without one); by key any container of the region, or of the
// capture being read, is found. Read-only, and the event thread's.
#ifndef PLUGIN_CONTAINERS_TABLE_H
#define PLUGIN_CONTAINERS_TABLE_H

#include "records.h"

struct containers_table;

// Borrowed until containers_table_free(). Return: NULL without memory.
struct containers_table *containers_table_new(const struct config *config,
                                              struct follower *follower,
                                              const struct capture_store *captured);
struct containers_table *containers_table_free(struct containers_table *table);

/**
 * containers_table_register() - offer it to the host; in plugin_init
 * @error: receives what went wrong
 * Return: 0 or -EEXIST.
 */
int containers_table_register(struct containers_table *table, const struct falco_init_input *in,
                              char *error, size_t error_size);

#endif
