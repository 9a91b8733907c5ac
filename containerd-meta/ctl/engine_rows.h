// SPDX-License-Identifier: Apache-2.0
// The region's engine rows, in words.
#ifndef CTL_ENGINE_ROWS_H
#define CTL_ENGINE_ROWS_H

#include "shm/reader.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// The next row that is in use; begin with an index of 0, which is moved on.
bool engine_rows_next(const struct cmeta_region *region, uint32_t *index,
                      struct cmeta_engine_row *row);

// The row that a record's source names. Return: false if it names none.
bool engine_rows_of_source(const struct cmeta_region *region, uint8_t source,
                           struct cmeta_engine_row *row);

const char *engine_rows_state(uint32_t state);

/**
 * engine_rows_sentence() - how an engine stands, its last error, and what to do about it
 * Return: a text to be freed. Not yet safe for a terminal.
 */
char *engine_rows_sentence(const struct cmeta_engine_row *row);

#endif
