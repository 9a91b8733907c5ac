// SPDX-License-Identifier: Apache-2.0
// The rows that plugin-host prints: a process and the values of the asked fields.
#ifndef HOST_OUTPUT_H
#define HOST_OUTPUT_H

#include <stdio.h>

#include "tests/host/extract.h"

struct output;

// `fields` are borrowed. Both kinds print at output_end.
struct output *output_new(bool json, const char *const *fields, size_t n_fields);
// One value per field; they are copied.
void output_row(struct output *o, int64_t pid, const char *comm, const struct host_value *values);
// Prints everything to `to` and frees. Return: 0; negative errno.
int output_end(struct output *o, FILE *to);

#endif
