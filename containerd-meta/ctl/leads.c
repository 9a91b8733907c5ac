// SPDX-License-Identifier: Apache-2.0
#include "leads.h"

bool leads_read(const struct cmeta_region *region, uint32_t row, struct leads *leads)
{
    leads->starts = leads->late = 0;
    if (cmeta_reader_leads(region, row, leads->count) != 1)
        return false;
    for (unsigned i = 0; i < CMETA_LEAD_BUCKETS; i++) {
        leads->starts += leads->count[i];
        leads->late += i < CMETA_LEAD_MIDDLE ? leads->count[i] : 0;
    }
    return leads->starts > 0;
}

// A bucket's worse end. The one that has no end is given as its other one.
static int64_t worse_end(unsigned bucket)
{
    unsigned power;

    if (bucket >= CMETA_LEAD_MIDDLE)
        return (int64_t)cmeta_lead_least_ms(bucket - CMETA_LEAD_MIDDLE);
    power = CMETA_LEAD_MIDDLE - 1 - bucket;
    return -(int64_t)cmeta_lead_least_ms(power < CMETA_LEAD_MIDDLE - 1 ? power + 1 : power);
}

int64_t leads_quantile(const struct leads *leads, double share)
{
    uint64_t before = (uint64_t)(share * (double)leads->starts), seen = 0;

    for (unsigned i = 0; i < CMETA_LEAD_BUCKETS; i++) {
        seen += leads->count[i];
        if (seen > before)
            return worse_end(i);
    }
    return 0;
}
