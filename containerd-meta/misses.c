// SPDX-License-Identifier: Apache-2.0
#include "misses.h"

#include "clock.h"

#include "shm/layout.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_US    UINT64_C(50000) // between two looks for records that came
#define GIVE_UP_NS UINT64_C(300000000000)

struct misses {
    struct store *store;
    struct publisher *publisher;
    struct cmeta_miss_entry *ring;
    uint32_t count, next, open;
    uint64_t look_us;
};

struct misses *misses_new(struct store *store, struct publisher *publisher)
{
    struct misses *misses = calloc(1, sizeof(*misses));

    if (!misses)
        return NULL;
    misses->store = store;
    misses->publisher = publisher;
    misses->count = publisher_misses(publisher);
    misses->ring = calloc(misses->count + 1, sizeof(*misses->ring));
    return misses->ring ? misses : misses_free(misses);
}

struct misses *misses_free(struct misses *misses)
{
    if (misses)
        free(misses->ring);
    free(misses);
    return NULL;
}

static bool is_open(const struct cmeta_miss_entry *entry, uint64_t now_ns)
{
    return entry->miss && !entry->whole_ns && now_ns - entry->heard_ns < GIVE_UP_NS;
}

// The same container again, which is still missed: the first time is what counts.
static bool is_noted(const struct misses *misses, const struct cmeta_hint *hint, uint64_t now_ns)
{
    for (uint32_t i = 0; i < misses->count; i++) {
        const struct cmeta_miss_entry *entry = &misses->ring[i];

        if (is_open(entry, now_ns) && entry->miss == hint->miss && entry->id_len == hint->id_len &&
            memcmp(entry->id, hint->id, hint->id_len) == 0)
            return true;
    }
    return false;
}

static void publish(struct misses *misses, uint32_t index)
{
    publisher_miss(misses->publisher, index, &misses->ring[index]);
}

void misses_add(struct misses *misses, const struct cmeta_hint *hint)
{
    uint64_t now_ns = clock_ns(CLOCK_REALTIME);
    struct cmeta_miss_entry *entry = &misses->ring[misses->next];

    if (misses->count == 0 || hint->id_len > CMETA_MISS_ID || is_noted(misses, hint, now_ns))
        return;
    *entry = (struct cmeta_miss_entry){.miss = hint->miss,
                                       .layout = hint->layout,
                                       .id_len = hint->id_len,
                                       .when_ns = hint->when_ns,
                                       .heard_ns = now_ns};
    memcpy(entry->id, hint->id, hint->id_len);
    publish(misses, misses->next);
    misses->next = (misses->next + 1) % misses->count;
    misses->open = misses->count; // at most
    misses->look_us = 0;
}

void misses_tick(struct misses *misses)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC), now_ns;
    uint32_t open = 0;

    if (misses->open == 0 || now_us < misses->look_us)
        return;
    misses->look_us = now_us + LOOK_US;
    now_ns = clock_ns(CLOCK_REALTIME);
    for (uint32_t i = 0; i < misses->count; i++) {
        struct cmeta_miss_entry *entry = &misses->ring[i];

        if (!is_open(entry, now_ns))
            continue;
        entry->whole_ns = store_completed_ns(misses->store, entry->id, entry->id_len);
        if (entry->whole_ns)
            publish(misses, i);
        else
            open++;
    }
    misses->open = open;
}
