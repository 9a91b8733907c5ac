// SPDX-License-Identifier: Apache-2.0
// What readers tell the daemon: datagrams to a socket beside the table. The table is read-only for
// them, so this is the only way back, and nothing depends on it: where the socket isn't there, or
// full, nothing happens.
//
// A hint names a container that a reader met and the table didn't have, or not whole. Each carries
// the sender's totals too, of its whole life: one that is lost costs nothing. The socket's mode
// lets the table's readers write to it; whatever they send is hostile until cmeta_hint_check() has
// seen it, and all it can bring about is a question to the engines, or a wrong number.
#ifndef CMETA_HINT_H
#define CMETA_HINT_H

#include "container_id.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CMETA_HINT_NAME    "hint" // in the region's folder
#define CMETA_HINT_MAGIC   0x746e4968u
#define CMETA_HINT_VERSION 1u

// How a reader's first look at a container ended.
enum cmeta_miss {
    CMETA_MISS_NONE = 0,       // no container: totals only
    CMETA_MISS_ABSENT = 1,     // the table didn't have it
    CMETA_MISS_INCOMPLETE = 2, // a group that rules read wasn't known yet
    CMETA_MISS_COUNT
};

// First looks of a sender's life: at each start of a container's first program.
enum cmeta_first {
    CMETA_FIRST_COMPLETE = 0,
    CMETA_FIRST_INCOMPLETE,
    CMETA_FIRST_ABSENT,
    CMETA_FIRST_COUNT
};

// The datagram: as long as its ID, which has no NUL. Byte order is the machine's.
struct cmeta_hint {
    uint32_t magic;
    uint16_t version;
    uint16_t id_len;
    uint64_t sender;  // random, another one for each life of a sender
    uint64_t when_ns; // CLOCK_REALTIME of the event that met the container
    uint64_t first[CMETA_FIRST_COUNT];
    uint8_t layout; // enum cmeta_layout; NONE: not known
    uint8_t miss;   // enum cmeta_miss
    uint8_t reserved[6];
    char id[CMETA_ID_MAX + 1]; // full
};
#define CMETA_HINT_HEAD offsetof(struct cmeta_hint, id)
static_assert(CMETA_HINT_HEAD == 56, "");

// An ID as engines make them: nothing that means something in a path, a query or a filter.
static inline bool cmeta_hint_id_is_plain(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)id[i], lower = c | 0x20;
        bool word = (unsigned)(c - '0') < 10u || (unsigned)(lower - 'a') < 26u;

        if (!word && (i == 0 || (c != '_' && c != '.' && c != '-')))
            return false;
    }
    return len > 0;
}

// Whether a datagram makes sense. @len: of the datagram, which may be longer than the struct.
static inline bool cmeta_hint_check(const struct cmeta_hint *hint, size_t len)
{
    return len >= CMETA_HINT_HEAD && hint->magic == CMETA_HINT_MAGIC &&
           hint->version == CMETA_HINT_VERSION && hint->id_len <= CMETA_ID_MAX &&
           len == CMETA_HINT_HEAD + hint->id_len && hint->layout < CMETA_LAYOUT_COUNT &&
           hint->miss < CMETA_MISS_COUNT && (hint->id_len > 0) == (hint->miss != CMETA_MISS_NONE) &&
           (hint->id_len == 0 || cmeta_hint_id_is_plain(hint->id, hint->id_len));
}

#endif
