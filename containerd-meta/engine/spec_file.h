// SPDX-License-Identifier: Apache-2.0
// A runtime bundle's config.json, read from the disk.
#ifndef SPEC_FILE_H
#define SPEC_FILE_H

#include <jansson.h>

#define SPEC_FILE_MAX (1u << 20) // bytes

/**
 * spec_file_read() - read and parse
 * @path: a regular file; its last component no link
 * @spec: an object
 * Return: 0; -EFBIG, -EBADMSG if it is too large or no spec; -errno.
 */
int spec_file_read(const char *path, json_t **spec);

#endif
