// SPDX-License-Identifier: Apache-2.0
// A state table that the plugin implements (add_table): the host's copy of its functions, the
// checks of its contract, and reading it as libsinsp does.
#ifndef HOST_PLUGIN_TABLE_H
#define HOST_PLUGIN_TABLE_H

#include "plugin/falco_abi.h"
#include "tests/host/report.h"

struct plugin_table;

/**
 * plugin_table_copy - copy what was given to add_table
 *
 * Violations are noted for a missing name, cookie or function, and for a member by value that
 * differs from the one behind the pointer.
 *
 * Return: the copy, or NULL if the table isn't usable.
 */
struct plugin_table *plugin_table_copy(struct report *r, const struct falco_table_input *in);
void plugin_table_free(struct plugin_table *pt);

const char *plugin_table_name(const struct plugin_table *pt);
enum falco_state_type plugin_table_key(const struct plugin_table *pt);
// Number of rows as the plugin says.
uint64_t plugin_table_size(const struct plugin_table *pt);

/**
 * plugin_table_bind - look up string columns, as libsinsp does at every capture open
 *
 * Return: 0, or -ENOENT when one of `user` and `ip` is missing.
 */
int plugin_table_bind(struct plugin_table *pt);

/**
 * plugin_table_read - one string column of the row with a string key
 * @field: "user" or "ip"; plugin_table_bind has been called
 * @out: allocated copy on success
 *
 * Return: 0; -ENOENT: there is no such row; -EPROTO: a breach, noted.
 */
int plugin_table_read(struct plugin_table *pt, const char *key, const char *field, char **out);

/**
 * plugin_table_walk - iterate over all rows, reading both columns of each
 * @visit: called with each row's values; may be NULL
 *
 * Return: number of rows; -EPROTO: a breach, noted.
 */
int plugin_table_walk(struct plugin_table *pt,
                      void (*visit)(void *userdata, const char *user, const char *ip),
                      void *userdata);

#endif
