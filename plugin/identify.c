// SPDX-License-Identifier: Apache-2.0
#include "identify.h"

#include <string.h>

void witness_begin(struct witness *witness)
{
    witness->strength = CMETA_NO_MATCH;
    witness->cut = false;
    witness->any = false;
    witness->id_len = 0;
    witness->ns_len = 0;
}

bool identify_path(uint32_t layouts, struct witness *witness, const char *path, size_t len)
{
    struct cmeta_id_match best = {.strength = witness->strength}, m;

    if (len == 0)
        return true;
    witness->any = true;
    cmeta_container_id_match(path, len, layouts, &m);
    if (m.depth == IDENTIFY_CUT_DEPTH)
        witness->cut = true;
    if (cmeta_id_match_improves(&best, &m) && m.id_len <= CMETA_ID_MAX &&
        m.ns_len <= CMETA_NAMESPACE_MAX) {
        witness->strength = m.strength;
        witness->layout = m.layout;
        witness->id_len = m.id_len;
        memcpy(witness->id, m.id, m.id_len);
        witness->ns_len = m.strength == CMETA_WEAK ? m.ns_len : 0;
        if (witness->ns_len)
            memcpy(witness->ns, m.ns, m.ns_len);
    }
    return witness->strength != CMETA_STRONG;
}

void identify_param(uint32_t layouts, struct witness *witness, const char *param, size_t len)
{
    const char *end = param + len, *before = NULL;
    size_t before_len = 0;

    while (param < end) {
        const char *stop = memchr(param, '\0', (size_t)(end - param));
        const char *path;

        if (!stop)
            stop = end;
        path = memchr(param, '=', (size_t)(stop - param));
        param = stop + 1;
        if (!path)
            continue;
        path++;
        // Hierarchies mostly agree: what was just heard need not be heard again.
        if (before && before_len == (size_t)(stop - path) && memcmp(before, path, before_len) == 0)
            continue;
        before = path;
        before_len = (size_t)(stop - path);
        if (!identify_path(layouts, witness, path, before_len))
            return;
    }
}
