// SPDX-License-Identifier: Apache-2.0
// Any bytes as a cgroup path: the match lies within the path and keeps its promises.
#include "shm/container_id.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

// A part of the path: within it, not empty, of one component, without control bytes.
static void require_part(const char *path, size_t size, const char *part, size_t len, size_t max)
{
    REQUIRE(part >= path && part + len <= path + size);
    REQUIRE(len > 0 && len <= max);
    for (size_t i = 0; i < len; i++)
        REQUIRE((unsigned char)part[i] >= 0x20 && part[i] != 0x7f && part[i] != '/');
}

// The character before and after the ID are those that its layout demands.
static void require_layout(const char *path, size_t size, const struct cmeta_id_match *match)
{
    size_t before = (size_t)(match->id - path);
    size_t after = size - before - match->id_len;
    char left = before ? match->id[-1] : '/';
    char right = after ? match->id[match->id_len] : '/';
    bool at_end =
        right == '/' || (after >= 10 && memcmp(match->id + match->id_len, " (deleted)", 10) == 0);

    switch (match->layout) {
    case CMETA_LAYOUT_DOCKER:
    case CMETA_LAYOUT_PODMAN:
    case CMETA_LAYOUT_PODMAN_PAYLOAD:
    case CMETA_LAYOUT_CRIO:
    case CMETA_LAYOUT_CRI_CONTAINERD:
    case CMETA_LAYOUT_NERDCTL:
        REQUIRE(cmeta_id_is_hex64(match->id, match->id_len));
        REQUIRE((left == '-' && (right == '.' || at_end)) || (left == ':' && at_end));
        break;
    case CMETA_LAYOUT_BARE_HEX:
        REQUIRE(cmeta_id_is_hex64(match->id, match->id_len));
        REQUIRE(left == '/' && at_end);
        break;
    case CMETA_LAYOUT_CONTAINERD:
        REQUIRE(left == '/' && at_end);
        break;
    case CMETA_LAYOUT_FARGATE:
        REQUIRE(match->id_len >= 34 && match->id_len <= 43 && match->id[32] == '-');
        REQUIRE(left == '/' && at_end);
        break;
    case CMETA_LAYOUT_BPM:
        REQUIRE(left == '-' && (right == '.' || at_end));
        break;
    case CMETA_LAYOUT_NSPAWN:
        REQUIRE((left == '-' || left == '@') && right == '.');
        break;
    case CMETA_LAYOUT_LXC:
        REQUIRE((left == '.' || left == '/') && at_end);
        break;
    case CMETA_LAYOUT_LIBVIRT_LXC:
        REQUIRE(left == '/' || left == 'd');
        break;
    case CMETA_LAYOUT_NONE:
    case CMETA_LAYOUT_COUNT:
    default:
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = (const char *)data;
    struct cmeta_id_match match, again;
    size_t depth = 0;

    REQUIRE(cmeta_container_id_match(path, size, CMETA_LAYOUTS_ALL, &match) == match.strength);
    cmeta_container_id_match(path, size, CMETA_LAYOUTS_ALL, &again);
    REQUIRE(match.strength == again.strength && match.layout == again.layout &&
            match.id == again.id && match.id_len == again.id_len && match.ns == again.ns &&
            match.ns_len == again.ns_len && match.depth == again.depth);
    for (size_t i = 0; i < size; i++)
        depth += path[i] != '/' && (i == 0 || path[i - 1] == '/');
    if (size <= CMETA_CGROUP_PATH_MAX) // " (deleted)" is no component, even alone
        REQUIRE(match.depth == depth || match.depth + 1u == depth);
    REQUIRE((match.strength == CMETA_WEAK) == (match.ns != NULL));
    REQUIRE((match.strength == CMETA_WEAK) == (match.layout == CMETA_LAYOUT_CONTAINERD));
    REQUIRE((match.strength == CMETA_NO_MATCH) == (match.layout == CMETA_LAYOUT_NONE));
    if (match.strength == CMETA_NO_MATCH)
        return 0;
    require_part(path, size, match.id, match.id_len, CMETA_ID_MAX);
    if (match.ns)
        require_part(path, size, match.ns, match.ns_len, CMETA_NAMESPACE_MAX);
    require_layout(path, size, &match);
    // Without its layout the match is gone or another.
    cmeta_container_id_match(path, size, CMETA_LAYOUTS_ALL & ~CMETA_LAYOUT_BIT(match.layout),
                             &again);
    REQUIRE(again.layout != match.layout);
    return 0;
}
