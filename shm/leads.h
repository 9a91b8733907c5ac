// SPDX-License-Identifier: Apache-2.0
// How early records were: leads over the starts of containers, by engine row, and the containers
// that a reader met too early. For the CLI; nobody reads them on an event's path.
#ifndef CMETA_LEADS_H
#define CMETA_LEADS_H

#include "layout.h"
#include "region.h"

// Below the middle are those that came after the start: bucket 15 by less than a millisecond, 14 by
// less than two, 13 by less than four; from the middle on those that came before it: 16 by less
// than a millisecond, 17 by less than two, and so on.
#define CMETA_LEAD_MIDDLE (CMETA_LEAD_BUCKETS / 2)

// The least milliseconds of a distance's power of two: 0, 1, 2, 4, …
static inline uint64_t cmeta_lead_least_ms(unsigned power)
{
    return power ? UINT64_C(1) << (power - 1) : 0;
}

static inline unsigned cmeta_lead_bucket(int64_t lead_ns)
{
    uint64_t ms = (lead_ns < 0 ? 0 - (uint64_t)lead_ns : (uint64_t)lead_ns) / 1000000u;
    unsigned power = 0;

    while (power < CMETA_LEAD_MIDDLE - 1 && ms >= cmeta_lead_least_ms(power + 1))
        power++;
    return lead_ns < 0 ? CMETA_LEAD_MIDDLE - 1 - power : CMETA_LEAD_MIDDLE + power;
}

// Copies a row. Return: 1; 0 beyond the end.
int cmeta_reader_leads(const struct cmeta_region *region, uint32_t row,
                       uint32_t count[CMETA_LEAD_BUCKETS]);

// Copies an entry, unmixed. Return: 1; 0 beyond the end; -ENODATA unused; -EAGAIN if the writer
// stopped in the middle of it, -EBADMSG if it makes no sense.
int cmeta_reader_miss(const struct cmeta_region *region, uint32_t index,
                      struct cmeta_miss_entry *out);

#endif
