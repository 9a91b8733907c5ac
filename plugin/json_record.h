// SPDX-License-Identifier: Apache-2.0
// A container's JSON document, as events carry it and captures keep it, turned into a record.
//
// Documents of every writer are read: those of the upstream plugin and of the code before it, whose
// keys have changed over the years, and ours (event_json.h) with its keys for what isn't known. A
// property that is missing or of another type costs that property; a document without a usable ID
// is refused. What a document doesn't mention isn't known.
#ifndef PLUGIN_JSON_RECORD_H
#define PLUGIN_JSON_RECORD_H

#include "container_id.h"
#include "record.h"

#include <stdbool.h>

// Bytes of a document at most; a longer one is refused. Ours stay below half of it.
#define JSON_RECORD_TEXT_MAX 1048576u
// Elements of each list that are looked at.
#define JSON_RECORD_LIST_MAX 4096u
#define JSON_RECORD_SCOPE    127u

// What one document, or one event, tells of a container.
struct told {
    bool host;                             // it is the host's own record, and the rest says nothing
    uint16_t type;                         // enum cmeta_type
    char id[CMETA_ID_MAX + 1];             // as container.id shows it
    char full_id[CMETA_ID_MAX + 1];        // "" if it isn't told
    char scope[JSON_RECORD_SCOPE + 1];     // "" if it isn't told
    uint32_t size;                         // bytes of the record
    uint64_t record[CMETA_RECORD_MAX / 8]; // encoded; read it by a view
};

/**
 * json_record_name() - take over the two IDs
 * @full_id: may be absent. IDs that aren't 64 hexadecimal digits are shown whole (COMPAT: a short
 *           form that was cut from one doesn't count).
 * Return: 0; -EINVAL if there is no ID that could be one.
 */
int json_record_name(struct told *told, struct cmeta_str id, struct cmeta_str full_id);

/**
 * json_record_read() - read a document
 * @text: need not be NUL-terminated; it ends at the first NUL
 * @told: garbage after a failure
 *
 * Allocates. Return: 0; -EINVAL if this is no JSON or has no usable ID; -EMSGSIZE; -ENOMEM.
 */
int json_record_read(const char *text, size_t len, struct told *told);

#endif
