// SPDX-License-Identifier: Apache-2.0
#include "leads.h"

#include "hint.h"
#include "load.h"

#include <errno.h>
#include <string.h>

int cmeta_reader_leads(const struct cmeta_region *region, uint32_t row,
                       uint32_t count[CMETA_LEAD_BUCKETS])
{
    const struct cmeta_lead_row *rows = (const void *)(region->base + region->leads_offset);

    if (row >= region->lead_count)
        return 0;
    for (unsigned i = 0; i < CMETA_LEAD_BUCKETS; i++)
        count[i] = load_relaxed(&rows[row].count[i]); // numbers by themselves
    return 1;
}

int cmeta_reader_miss(const struct cmeta_region *region, uint32_t index,
                      struct cmeta_miss_entry *out)
{
    const struct cmeta_miss_entry *entries = (const void *)(region->base + region->misses_offset);
    struct cmeta_miss_entry copy;

    if (index >= region->miss_count)
        return 0;
    for (unsigned attempt = 0; attempt < 16; attempt++) {
        // Acquire, and the fence below: pair with the writer's release fence and its closing
        // release store of `sequence` in writer_rows.c.
        uint32_t before = load_acquire(&entries[index].sequence);

        memcpy(&copy, &entries[index], sizeof(copy));
        fence_acquire();
        if (before % 2 != 0 || load_relaxed(&entries[index].sequence) != before)
            continue;
        if (copy.miss == CMETA_MISS_NONE)
            return -ENODATA;
        if (copy.miss >= CMETA_MISS_COUNT || copy.id_len == 0 || copy.id_len > CMETA_MISS_ID)
            return -EBADMSG;
        *out = copy;
        return 1;
    }
    return -EAGAIN;
}
