// SPDX-License-Identifier: Apache-2.0
// Counters and engine rows: what the CLI shows without asking anybody.
#include "counters.h"
#include "edit.h"
#include "leads.h"
#include "load.h"
#include "writer_internal.h"

#include <string.h>

static struct cmeta_counter *counter_at(const struct cmeta_writer *writer, uint32_t counter)
{
    struct cmeta_counter *counters = (void *)(writer->live.base + writer->live.counters_offset);

    return &counters[counter];
}

void cmeta_writer_count(struct cmeta_writer *writer, uint32_t counter, uint64_t delta)
{
    if (counter < writer->live.counter_count) {
        struct cmeta_counter *at = counter_at(writer, counter);

        // Relaxed, here and in cmeta_reader_counter(): a number by itself.
        store_relaxed(&at->value, load_relaxed(&at->value) + delta);
    }
}

void cmeta_writer_gauge(struct cmeta_writer *writer, uint32_t counter, uint64_t value)
{
    if (counter < writer->live.counter_count)
        store_relaxed(&counter_at(writer, counter)->value, value);
}

void writer_gauges(struct cmeta_writer *writer)
{
    cmeta_writer_gauge(writer, CMETA_COUNT_REGION_BYTES, writer->live.size);
    cmeta_writer_gauge(writer, CMETA_COUNT_ARENA_BYTES, writer->live.arena_bytes);
    cmeta_writer_gauge(writer, CMETA_COUNT_ARENA_USED, edit_arena_used(&writer->live));
}

static void set_row(struct cmeta_region *region, uint32_t index, const struct cmeta_engine_row *row)
{
    struct cmeta_engine_row *at = (void *)(region->base + region->engines_offset);
    const size_t skip = offsetof(struct cmeta_engine_row, state);
    uint32_t sequence;

    at += index;
    sequence = load_relaxed(&at->sequence);
    store_relaxed(&at->sequence, sequence | 1u);
    // Pairs with the acquire fence in cmeta_reader_engine().
    fence_release();
    memcpy((uint8_t *)at + skip, (const uint8_t *)row + skip, sizeof(*row) - skip);
    // Release: pairs with the acquire load there.
    store_release(&at->sequence, (sequence | 1u) + 1);
}

void cmeta_writer_engine(struct cmeta_writer *writer, uint32_t index,
                         const struct cmeta_engine_row *row)
{
    if (index < writer->live.engine_count)
        set_row(&writer->live, index, row);
    if (writer->draining.base && index < writer->draining.engine_count)
        set_row(&writer->draining, index, row);
}

void cmeta_writer_lead(struct cmeta_writer *writer, uint32_t row, int64_t lead_ns)
{
    struct cmeta_lead_row *rows = (void *)(writer->live.base + writer->live.leads_offset);
    uint32_t *at;

    if (row >= writer->live.lead_count)
        return;
    at = &rows[row].count[cmeta_lead_bucket(lead_ns)];
    store_relaxed(at, load_relaxed(at) + 1); // read by itself in cmeta_reader_leads()
}

void cmeta_writer_miss(struct cmeta_writer *writer, uint32_t index,
                       const struct cmeta_miss_entry *entry)
{
    const size_t skip = sizeof(entry->sequence);
    struct cmeta_miss_entry *at = (void *)(writer->live.base + writer->live.misses_offset);
    uint32_t sequence;

    if (index >= writer->live.miss_count)
        return;
    at += index;
    sequence = load_relaxed(&at->sequence);
    store_relaxed(&at->sequence, sequence | 1u);
    // Pairs with the acquire fence in cmeta_reader_miss().
    fence_release();
    memcpy((uint8_t *)at + skip, (const uint8_t *)entry + skip, sizeof(*at) - skip);
    // Release: pairs with the acquire load there.
    store_release(&at->sequence, (sequence | 1u) + 1);
}

uint32_t cmeta_writer_misses(const struct cmeta_writer *writer)
{
    return writer->live.miss_count;
}
