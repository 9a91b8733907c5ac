// SPDX-License-Identifier: Apache-2.0
// A 32-bit mark for each identity of a region, by its number; 0 until set.
//
// Identities lie far apart: numbers reach as far as the region's arena, and few are any identity's.
// So memory is taken in small chunks where marks are set, and never moved.
#ifndef PLUGIN_MARKS_H
#define PLUGIN_MARKS_H

#include <stdint.h>

#define MARKS_CHUNK 1020u      // marks: a page, less what malloc puts before it
#define MARKS_END   UINT32_MAX // no number

struct marks {
    uint32_t **chunks; // NULL where none was ever set
    uint32_t count;    // of chunks
};

/**
 * marks_at() - the place of a mark, to be read and written
 * @marks: zero-initialised at first
 * @limit: beyond the greatest number there can be; the same until marks_clear()
 *
 * Return: it stays where it is until marks_clear(); NULL without memory, or beyond the limit.
 */
uint32_t *marks_at(struct marks *marks, uint32_t number, uint32_t limit);

// What a mark says, 0 if it was never set; allocates nothing.
uint32_t marks_get(const struct marks *marks, uint32_t number);

// The first number from `number` on whose mark is at least `least`, which isn't 0; or MARKS_END.
uint32_t marks_next(const struct marks *marks, uint32_t number, uint32_t least);

// Gives the memory back; harmless on an empty one, which it leaves.
void marks_clear(struct marks *marks);

#endif
