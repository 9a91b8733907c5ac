// SPDX-License-Identifier: Apache-2.0
#include "served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int served_map(const char *dir, uint32_t serial, struct served **out)
{
    struct served *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    r = cmeta_region_map(dir, &s->region);
    if (r != 0) {
        free(s);
        return r;
    }
    s->serial = serial;
    s->count = (s->region.arena_bytes / CMETA_CACHE_LINE) / SERVED_CHUNK + 1;
    s->chunks = calloc(s->count, sizeof(*s->chunks));
    if (!s->chunks) {
        served_free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

struct served *served_free(struct served *s)
{
    if (!s)
        return NULL;
    cmeta_region_unmap(&s->region);
    for (uint32_t i = 0; s->chunks && i < s->count; i++)
        free(s->chunks[i]);
    free(s->chunks);
    free(s);
    return NULL;
}

int served_make_room(struct served *s, uint32_t number)
{
    uint32_t chunk = number / SERVED_CHUNK, *made;

    if (chunk >= s->count || s->chunks[chunk])
        return 0;
    made = calloc(SERVED_CHUNK, sizeof(*made));
    if (!made)
        return -ENOMEM;
    // Release: pairs with the acquire in served_slot().
    store_release(&s->chunks[chunk], made);
    return 0;
}

void served_forget(struct served *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t *chunk = load_acquire(&s->chunks[i]); // as in served_slot()

        for (uint32_t n = 0; chunk && n < SERVED_CHUNK; n++)
            store_relaxed(&chunk[n], SERVED_UNTOLD); // as in served_set()
    }
}
