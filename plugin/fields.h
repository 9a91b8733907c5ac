// SPDX-License-Identifier: Apache-2.0
// The 61 fields: what they are called, and what they say of an event's thread.
#ifndef PLUGIN_FIELDS_H
#define PLUGIN_FIELDS_H

#include "records.h"

struct fields;

// The declaration, JSON; a static string.
const char *fields_declaration(void);

// Borrowed until fields_free(). Return: NULL without memory.
struct fields *fields_new(const struct config *config, struct records *records,
                          struct metrics *metrics);
struct fields *fields_free(struct fields *fields);

/**
 * fields_extract() - answer all requests of one call
 *
 * Every request's res_len is written. Values live in `fields` until the next call.
 */
void fields_extract(struct fields *fields, const struct table_access *access,
                    const struct falco_event_input *in, struct falco_extract_field *requests,
                    uint32_t count);

#endif
