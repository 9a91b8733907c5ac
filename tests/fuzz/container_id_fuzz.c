// SPDX-License-Identifier: Apache-2.0
// Any bytes as a cgroup path: the match lies within the path and keeps its promises.
#include "shm/container_id.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = (const char *)data;
    struct cmeta_id_match match, again;

    cmeta_container_id_match(path, size, CMETA_LAYOUTS_ALL, &match);
    if (match.strength != CMETA_NO_MATCH) {
        REQUIRE(match.id >= path && match.id + match.id_len <= path + size);
        REQUIRE(match.id_len > 0 && match.id_len <= CMETA_ID_MAX);
        REQUIRE(match.layout > CMETA_LAYOUT_NONE && match.layout < CMETA_LAYOUT_COUNT);
        REQUIRE(!memchr(match.id, '/', match.id_len));
        // Without its layout the match is gone or another.
        cmeta_container_id_match(path, size, CMETA_LAYOUTS_ALL & ~CMETA_LAYOUT_BIT(match.layout),
                                 &again);
        REQUIRE(again.layout != match.layout);
    }
    REQUIRE((match.strength == CMETA_WEAK) == (match.ns != NULL));
    if (match.layout >= CMETA_LAYOUT_DOCKER && match.layout <= CMETA_LAYOUT_NERDCTL)
        REQUIRE(cmeta_id_is_hex64(match.id, match.id_len));
    return 0;
}
