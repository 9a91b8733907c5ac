// SPDX-License-Identifier: Apache-2.0
// What was found out where nothing may be written: extraction resolves threads, and the next parse
// writes the answers into the table. A fixed number of slots; what is pushed out is found again.
#ifndef PLUGIN_LATE_H
#define PLUGIN_LATE_H

#include "container_id.h"

#include <stdint.h>
#include <string.h>

#define LATE_SLOTS 64u // a power of two

struct late_answer {
    int64_t tid;
    uint64_t ref;
    char id[CMETA_ID_MAX + 1];
};

struct late {
    uint32_t used; // of `order`
    uint8_t order[LATE_SLOTS];
    uint64_t taken; // bit per slot
    struct late_answer slots[LATE_SLOTS];
};

// The answer that waits for a thread, or NULL.
static inline struct late_answer *late_find(struct late *late, int64_t tid)
{
    uint32_t slot = (uint32_t)tid % LATE_SLOTS;

    if (!(late->taken >> slot & 1) || late->slots[slot].tid != tid)
        return NULL;
    return &late->slots[slot];
}

static inline void late_remember(struct late *late, int64_t tid, uint64_t ref, const char *id)
{
    uint32_t slot = (uint32_t)tid % LATE_SLOTS;

    if (!(late->taken >> slot & 1))
        late->order[late->used++] = (uint8_t)slot;
    late->taken |= UINT64_C(1) << slot;
    late->slots[slot].tid = tid;
    late->slots[slot].ref = ref;
    memcpy(late->slots[slot].id, id, strlen(id) + 1);
}

static inline void late_clear(struct late *late)
{
    late->used = 0;
    late->taken = 0;
}

#endif
