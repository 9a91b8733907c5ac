// SPDX-License-Identifier: Apache-2.0
// What a thread's cgroups say about its container: the best match over all rows.
//
// Nothing is remembered between threads: matching a path takes 10 to 45 ns, and finding it in a
// table of earlier ones as much or more (measured: hash, compare, and a cache line per path).
#ifndef PLUGIN_IDENTIFY_H
#define PLUGIN_IDENTIFY_H

#include "container_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The modern eBPF probe keeps the last components of a path: one of so many may have lost its head.
#define IDENTIFY_CUT_DEPTH 6

// The testimony of all rows so far. ID and namespace are copies: rows live shortly.
struct witness {
    enum cmeta_strength strength;
    enum cmeta_layout layout; // valid where there is a match
    bool cut;                 // a row that may have lost its head
    bool any;                 // a row with a path
    uint16_t id_len;
    uint16_t ns_len;
    char id[CMETA_ID_MAX + 1];
    char ns[CMETA_NAMESPACE_MAX + 1];
};

void witness_begin(struct witness *witness);

/**
 * identify_path() - hear one row
 * @layouts: CMETA_LAYOUT_BITs to consider
 * @path: hostile; need not be NUL-terminated
 * Return: false when no further row can improve on what is known.
 */
bool identify_path(uint32_t layouts, struct witness *witness, const char *path, size_t len);

// All rows of an event's parameter: "controller=path", each ended by NUL.
void identify_param(uint32_t layouts, struct witness *witness, const char *param, size_t len);

// Bytes of the ID that container.id shows: twelve of 64 hexadecimal digits, else all.
static inline size_t witness_shown(const struct witness *witness)
{
    return cmeta_id_is_hex64(witness->id, witness->id_len) ? 12 : witness->id_len;
}

#endif
