// SPDX-License-Identifier: Apache-2.0
#include "headroom.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A number in a file; "max" and what isn't readable are UINT64_MAX.
static uint64_t read_number(const char *folder, const char *name)
{
    char path[PATH_MAX], text[32];
    unsigned long long value;
    char *end;
    FILE *file;
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

    if (n < 0 || (size_t)n >= sizeof(path))
        return UINT64_MAX;
    file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    value = strtoull(text, &end, 10);
    return end == text ? UINT64_MAX : value;
}

static uint64_t room_in(const char *folder, const char *limit_name, const char *usage_name)
{
    uint64_t limit = read_number(folder, limit_name), usage = read_number(folder, usage_name);

    if (limit == UINT64_MAX || usage == UINT64_MAX)
        return UINT64_MAX;
    return usage < limit ? limit - usage : 0;
}

// The tightest of a cgroup and all above it, up to the root of the hierarchy.
static uint64_t room_above(const char *root, const char *path, const char *limit_name,
                           const char *usage_name)
{
    char folder[PATH_MAX];
    uint64_t least = UINT64_MAX;
    size_t root_len = strlen(root);
    int n = snprintf(folder, sizeof(folder), "%s%s", root, path);

    if (n < 0 || (size_t)n >= sizeof(folder))
        return UINT64_MAX;
    for (;;) {
        uint64_t room = room_in(folder, limit_name, usage_name);
        char *slash = strrchr(folder, '/');

        if (room < least)
            least = room;
        if (strlen(folder) <= root_len || !slash)
            return least;
        *slash = '\0';
    }
}

static uint64_t room_of_line(char *line, const char *cgroup_root)
{
    char *controllers = strchr(line, ':'), *path, root[PATH_MAX];

    if (!controllers)
        return UINT64_MAX;
    *controllers++ = '\0';
    path = strchr(controllers, ':');
    if (!path)
        return UINT64_MAX;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (controllers[0] == '\0')
        return room_above(cgroup_root, path, "memory.max", "memory.current");
    if (strcmp(controllers, "memory") != 0)
        return UINT64_MAX;
    snprintf(root, sizeof(root), "%s/memory", cgroup_root);
    return room_above(root, path, "memory.limit_in_bytes", "memory.usage_in_bytes");
}

uint64_t cmeta_headroom(const char *proc_cgroup, const char *cgroup_root)
{
    char line[PATH_MAX + 64];
    uint64_t least = UINT64_MAX;
    FILE *file = fopen(proc_cgroup, "re");

    if (!file)
        return least;
    while (fgets(line, sizeof(line), file)) {
        uint64_t room = room_of_line(line, cgroup_root);

        if (room < least)
            least = room;
    }
    fclose(file);
    return least;
}
