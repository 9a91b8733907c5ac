// SPDX-License-Identifier: Apache-2.0
// How early an engine's records were, from the region's powers of two.
#ifndef CTL_LEADS_H
#define CTL_LEADS_H

#include "shm/leads.h"

#include <stdbool.h>
#include <stdint.h>

struct leads {
    uint64_t starts, late;
    uint32_t count[CMETA_LEAD_BUCKETS];
};

// Return: false if none of the row's containers has started yet.
bool leads_read(const struct cmeta_region *region, uint32_t row, struct leads *leads);

/**
 * leads_quantile() - the lead that a share of containers had less of
 * Return: milliseconds, rounded towards what is worse; below 0: so long after the start.
 */
int64_t leads_quantile(const struct leads *leads, double share);

#endif
