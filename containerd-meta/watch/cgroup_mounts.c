// SPDX-License-Identifier: Apache-2.0
#include "cgroup_mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_MAX 64u // mounts of cgroups that are looked at; beyond that they are left out

// Of version 1, what is worth watching: the first of each line that is mounted.
static const char *const wanted[][8] = {
    {"name=systemd"},
    {"cpuset", "memory", "devices", "cpu", "pids", "freezer", "blkio"},
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

struct seen {
    uint64_t device;
    bool v2;
    char path[PATH_MAX], root[PATH_MAX];
    char controllers[256];
};

// Spaces and the like are \040 in mountinfo.
static void unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at; to++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *to = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 4;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
}

// Of a hierarchy's own options those that name it.
static void take_controllers(struct seen *seen, char *options)
{
    static const char *const others[] = {"rw", "ro", "xattr", "noprefix", "clone_children"};
    size_t used = 0;
    char *save;

    seen->controllers[0] = '\0';
    for (char *word = strtok_r(options, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        bool other = strncmp(word, "release_agent=", 14) == 0;

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            other = other || strcmp(word, others[i]) == 0;
        if (!other && used + strlen(word) + 2 < sizeof(seen->controllers))
            used += (size_t)sprintf(seen->controllers + used, "%s%s", used ? "," : "", word);
    }
}

// A line: ID, parent's ID, major:minor, root, mount point, options, [fields], "-", type, source,
// the file system's options. Return: whether it is a cgroup hierarchy's.
static bool read_line(char *line, struct seen *seen)
{
    unsigned major, minor;
    char *rest = strstr(line, " - "), type[16];
    int options = 0;

    if (!rest || sscanf(rest, " - %15s %*s %n", type, &options) != 1 || options == 0)
        return false;
    seen->v2 = strcmp(type, "cgroup2") == 0;
    if (!seen->v2 && strcmp(type, "cgroup") != 0)
        return false;
    if (sscanf(line, "%*u %*u %u:%u %4095s %4095s", &major, &minor, seen->root, seen->path) != 4)
        return false;
    seen->device = (uint64_t)major << 32 | minor;
    unescape(seen->root);
    unescape(seen->path);
    take_controllers(seen, rest + options);
    return seen->path[0] == '/';
}

static bool is_below(const char *path, const char *root)
{
    size_t len = strlen(root);

    while (len > 0 && root[len - 1] == '/')
        len--;
    return strncmp(path, root, len) == 0 && (path[len] == '/' || len == 0);
}

// All of the hierarchy; from within a cgroup namespace what is above is called "/..".
static bool is_whole(const char *root)
{
    while (strncmp(root, "/..", 3) == 0)
        root += 3;
    return !*root || strcmp(root, "/") == 0;
}

static bool has_controller(const struct seen *seen, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = seen->controllers; (at = strstr(at, name)); at += len)
        if ((at == seen->controllers || at[-1] == ',') && (!at[len] || at[len] == ','))
            return true;
    return false;
}

static int keep(struct cgroup_mounts *mounts, const struct seen *seen)
{
    struct cgroup_mount *mount = &mounts->list[mounts->count];

    for (size_t i = 0; i < mounts->count; i++)
        if (mounts->list[i].device == seen->device)
            return 0;
    if (mounts->count == CGROUP_MOUNTS_MAX)
        return 0;
    mounts->count++;
    *mount = (struct cgroup_mount){.device = seen->device,
                                   .v2 = seen->v2,
                                   .path = strdup(seen->path),
                                   .prefix = strdup(is_whole(seen->root) ? "" : seen->root),
                                   .name = strdup(seen->v2 ? "v2" : seen->controllers)};
    return mount->path && mount->prefix && mount->name ? 0 : -ENOMEM;
}

// A mount of the whole hierarchy before one of a part, then the one that comes first.
static const struct seen *best_of(const struct seen *seen, size_t count, const char *controller)
{
    const struct seen *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct seen *one = &seen[i];

        if (controller ? one->v2 || !has_controller(one, controller) : !one->v2)
            continue;
        if (!best || (!is_whole(best->root) && is_whole(one->root)))
            best = one;
    }
    return best;
}

static int choose(const struct seen *seen, size_t count, struct cgroup_mounts *mounts)
{
    const struct seen *best = best_of(seen, count, NULL);
    int r = best ? keep(mounts, best) : 0;

    for (size_t i = 0; i < WANTED && r == 0; i++) {
        best = NULL;
        for (size_t k = 0; k < 8 && wanted[i][k] && !best; k++)
            best = best_of(seen, count, wanted[i][k]);
        if (best)
            r = keep(mounts, best);
    }
    return r;
}

static size_t read_text(const char *text, const char *host_root, struct seen *seen)
{
    size_t count = 0;

    for (const char *at = text; *at && count < SEEN_MAX;) {
        size_t len = strcspn(at, "\n");
        char *line = strndup(at, len);

        if (line && read_line(line, &seen[count]) && is_below(seen[count].path, host_root))
            count++;
        free(line);
        at += len + (at[len] == '\n');
    }
    return count;
}

int cgroup_mounts_choose(const char *text, const char *host_root, struct cgroup_mounts *mounts)
{
    struct seen *seen = calloc(SEEN_MAX, sizeof(*seen));
    size_t count;
    int r;

    *mounts = (struct cgroup_mounts){.count = 0};
    if (!seen)
        return -ENOMEM;
    count = read_text(text, host_root, seen);
    r = choose(seen, count, mounts);
    free(seen);
    if (r < 0)
        cgroup_mounts_done(mounts);
    return r;
}

void cgroup_mounts_done(struct cgroup_mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->list[i].path);
        free(mounts->list[i].prefix);
        free(mounts->list[i].name);
    }
    *mounts = (struct cgroup_mounts){.count = 0};
}
