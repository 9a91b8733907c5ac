// SPDX-License-Identifier: Apache-2.0
#include "engine_rows.h"

#include "output.h"

#include <stddef.h>

bool engine_rows_next(const struct cmeta_region *region, uint32_t *index,
                      struct cmeta_engine_row *row)
{
    // Rows that are unused, or that a writer died in, are passed over.
    while (*index < region->engine_count)
        if (cmeta_reader_engine(region, (*index)++, row) == 1)
            return true;
    return false;
}

bool engine_rows_of_source(const struct cmeta_region *region, uint8_t source,
                           struct cmeta_engine_row *row)
{
    return source != 0 && cmeta_reader_engine(region, source - 1u, row) == 1;
}

static const struct {
    const char *name, *sentence;
} states[] = {
    [CMETA_ENGINE_ABSENT] = {"absent", "isn't there"},
    [CMETA_ENGINE_WAITING] = {"waiting", "has no socket yet; is it running, and is this its path?"},
    [CMETA_ENGINE_CONNECTING] = {"connecting", "has a socket, and hasn't answered yet"},
    [CMETA_ENGINE_LISTING] = {"listing", "is being listed for the first time"},
    [CMETA_ENGINE_CONNECTED] = {"connected", "is connected and its list is complete"},
    [CMETA_ENGINE_FAILED] = {"failed", "was lost or refuses; it is tried again by itself"},
    [CMETA_ENGINE_DISABLED] = {"disabled", "isn't driven"},
    [CMETA_ENGINE_UNSUPPORTED] = {"unsupported", "is configured, but this release doesn't drive "
                                                 "it"},
};
static_assert(sizeof(states) / sizeof(states[0]) == CMETA_ENGINE_STATE_COUNT, "a name per state");

const char *engine_rows_state(uint32_t state)
{
    return state < CMETA_ENGINE_STATE_COUNT ? states[state].name : "unknown";
}

char *engine_rows_sentence(const struct cmeta_engine_row *row)
{
    const char *sentence = row->state < CMETA_ENGINE_STATE_COUNT
                               ? states[row->state].sentence
                               : "is in a state that this program doesn't know";

    return text_format("%s%s%s%s %s%s%s", row->name, *row->socket ? " (" : "", row->socket,
                       *row->socket ? ")" : "", sentence, *row->last_error ? "; last error: " : "",
                       row->last_error);
}
