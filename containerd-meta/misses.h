// SPDX-License-Identifier: Apache-2.0
// The last containers that a reader met before their record was there, or whole, for who asks why
// afterwards: kept in the region, completed when the record comes.
#ifndef MISSES_H
#define MISSES_H

#include "publisher.h"
#include "store.h"

#include "shm/hint.h"

struct misses;

struct misses *misses_new(struct store *store, struct publisher *publisher);
struct misses *misses_free(struct misses *misses); // returns NULL

void misses_add(struct misses *misses, const struct cmeta_hint *hint);
// Notes when the records of those came that were open. Cheap while there is none.
void misses_tick(struct misses *misses);

#endif
