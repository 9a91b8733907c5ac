// SPDX-License-Identifier: Apache-2.0
// The plugin's init schema, applied to a configuration before the plugin sees it.
//
// Of JSON Schema draft 7 it knows what plugins use: type, properties, required,
// additionalProperties, items, enum, minimum, maximum; other keywords are ignored. Types are
// strict, as in the real host.
#ifndef HOST_SCHEMA_H
#define HOST_SCHEMA_H

#include <stddef.h>

/**
 * schema_check - validate a configuration
 * @schema: text of the schema
 * @config: text of the configuration
 * @err, @err_bytes: where the first error is described
 *
 * Return: 0; 1: the configuration doesn't fit; -EINVAL: the schema itself is broken.
 */
int schema_check(const char *schema, const char *config, char *err, size_t err_bytes);

#endif
