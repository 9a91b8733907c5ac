// SPDX-License-Identifier: Apache-2.0
// Asking for fields, and the values that come back.
#ifndef HOST_EXTRACT_H
#define HOST_EXTRACT_H

#include "tests/host/instance.h"

// A value, or none. Everything is copied; strings has a text for each value whatever its type.
struct host_value {
    bool present;
    bool is_list;
    enum falco_field_type type;
    size_t n;          // 1 unless it is a list
    char **strings;    // text of each value
    uint64_t *numbers; // of uint64, reltime, abstime and bool; 0 for other types
};

/**
 * extract_request - a request for a field
 * @text: "name" or "name[argument]"
 * @arg: argument, instead of brackets; NULL: none
 * @key: where the argument is kept; must live as long as the request
 * @out: filled as libsinsp fills it: garbage results, arg_index UINT64_MAX, flist a flag bit
 *
 * Return: 0; -ENOENT: no such field; -EINVAL: an argument that the field doesn't take, or a missing
 * one that it requires.
 */
int extract_request(const struct plugin *p, const char *text, const char *arg, char key[256],
                    struct falco_extract_field *out);

/**
 * extract_read - what a request brought back
 * @rc: of the call
 *
 * Notes breaches: res_len not written, several values of a scalar, NULL strings.
 */
void extract_read(struct report *r, const struct falco_extract_field *request, falco_rc rc,
                  struct host_value *out);

void host_value_clear(struct host_value *v);

#endif
