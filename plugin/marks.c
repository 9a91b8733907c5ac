// SPDX-License-Identifier: Apache-2.0
#include "marks.h"

#include <stdlib.h>

uint32_t *marks_at(struct marks *m, uint32_t number, uint32_t limit)
{
    uint32_t **chunk;

    if (number >= limit)
        return NULL;
    if (!m->chunks) {
        uint32_t count = (limit - 1) / MARKS_CHUNK + 1;

        m->chunks = calloc(count, sizeof(uint32_t *));
        m->count = m->chunks ? count : 0;
    }
    if (number / MARKS_CHUNK >= m->count)
        return NULL;
    chunk = &m->chunks[number / MARKS_CHUNK];
    if (!*chunk)
        *chunk = calloc(MARKS_CHUNK, sizeof(uint32_t));
    return *chunk ? *chunk + number % MARKS_CHUNK : NULL;
}

uint32_t marks_get(const struct marks *m, uint32_t number)
{
    uint32_t chunk = number / MARKS_CHUNK;

    return chunk < m->count && m->chunks[chunk] ? m->chunks[chunk][number % MARKS_CHUNK] : 0;
}

uint32_t marks_next(const struct marks *m, uint32_t number, uint32_t least)
{
    for (uint32_t chunk = number / MARKS_CHUNK; chunk < m->count; chunk++) {
        uint32_t first = chunk * MARKS_CHUNK;
        uint32_t i = number > first ? number - first : 0;

        for (; m->chunks[chunk] && i < MARKS_CHUNK; i++)
            if (m->chunks[chunk][i] >= least)
                return first + i;
    }
    return MARKS_END;
}

void marks_clear(struct marks *m)
{
    for (uint32_t chunk = 0; chunk < m->count; chunk++)
        free(m->chunks[chunk]);
    free(m->chunks);
    *m = (struct marks){.chunks = NULL};
}
