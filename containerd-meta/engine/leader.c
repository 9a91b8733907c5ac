// SPDX-License-Identifier: Apache-2.0
#include "leader.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 16384u // of a file of /proc; what is longer is cut

struct source {
    const char *host_root;
    char text[TEXT_MAX];
};

static int path_of(const struct source *source, uint32_t pid, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/proc/%" PRIu32 "/%s", source->host_root, pid, name);

    return n > 0 && n < PATH_MAX ? 0 : -ENODATA;
}

// A file of a process, whole, into source->text.
static int read_text(struct source *source, uint32_t pid, const char *name)
{
    char path[PATH_MAX];
    size_t used = 0;
    ssize_t n;
    int fd, r = path_of(source, pid, name, path);

    if (r < 0)
        return r;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH ? -ESRCH : -errno;
    while ((n = read(fd, source->text + used, sizeof(source->text) - 1 - used)) > 0)
        used += (size_t)n;
    close(fd);
    source->text[used] = '\0';
    return n < 0 ? -ESRCH : 0; // it ended while we were reading
}

// What follows a key at the beginning of a line of /proc/PID/status.
static const char *value_of(const char *text, const char *key)
{
    const size_t len = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0)
            return line + len + strspn(line + len, " \t");
    }
    return NULL;
}

struct status {
    char comm[16];
    uint64_t bounding;
    uint32_t uid;
    unsigned pid_depth; // how many PID namespaces it has a number in, from the reader's on
};

static int read_status(struct source *source, uint32_t pid, struct status *status)
{
    const char *name, *uid, *bounding;
    int r = read_text(source, pid, "status");

    if (r < 0)
        return r;
    name = value_of(source->text, "Name:");
    uid = value_of(source->text, "Uid:");
    bounding = value_of(source->text, "CapBnd:");
    status->pid_depth = process_numbers(source->text, NULL);
    if (!name || !uid || !bounding || !status->pid_depth)
        return -ENODATA;
    snprintf(status->comm, sizeof(status->comm), "%.*s", (int)strcspn(name, "\n"), name);
    status->uid = (uint32_t)strtoul(uid, NULL, 10);
    status->bounding = strtoull(bounding, NULL, 16);
    return 0;
}

// A user's number as the process's own user namespace has it; unmapped ones stay as they are.
static uint32_t map_uid(const char *map, uint32_t uid)
{
    uint32_t inside, outside, count;

    for (const char *line = map; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &count) == 3 &&
            uid >= outside && uid - outside < count)
            return inside + (uid - outside);
    }
    return uid;
}

static enum leader_share compare(const struct source *source, uint32_t pid, const char *name)
{
    char path[PATH_MAX], hosts[PATH_MAX];
    struct stat its, first;

    if (path_of(source, pid, name, path) < 0 || path_of(source, 1, name, hosts) < 0 ||
        stat(path, &its) < 0 || stat(hosts, &first) < 0)
        return LEADER_UNSEEN;
    return its.st_dev == first.st_dev && its.st_ino == first.st_ino ? LEADER_HOSTS : LEADER_OWN;
}

// Whether a line of /proc/PID/cgroup has the unit as a component.
static bool has_component(const char *text, const char *unit)
{
    const size_t len = strlen(unit);

    for (const char *at = text; len && (at = strstr(at, unit)); at++)
        if (at > text && at[-1] == '/' && (at[len] == '/' || at[len] == '\n' || !at[len]))
            return true;
    return false;
}

// Two maps read the same way are equal where the two are of one user namespace: another one with
// the host's whole map has no less than the host's rights over its files either.
static int look_at_user(struct source *source, uint32_t pid, const struct status *its,
                        struct leader *leader)
{
    char map[256];
    int r = read_text(source, pid, "uid_map");

    if (r < 0)
        return r;
    snprintf(map, sizeof(map), "%.255s", source->text);
    leader->uid = map_uid(map, its->uid);
    r = read_text(source, 1, "uid_map");
    if (r < 0)
        return r;
    leader->all_capabilities = strncmp(map, source->text, sizeof(map) - 1) == 0;
    return 0;
}

int leader_look(const char *host_root, uint32_t pid, const char *unit, struct leader *out)
{
    struct source source = {.host_root = host_root};
    struct status its, first;
    struct leader leader = {0};
    int r = read_status(&source, pid, &its);

    if (r == 0)
        r = read_status(&source, 1, &first);
    if (r == 0)
        r = look_at_user(&source, pid, &its, &leader);
    if (r == 0)
        r = read_text(&source, pid, "cgroup");
    if (r < 0)
        return r;
    leader.in_unit = has_component(source.text, unit);
    memcpy(leader.comm, its.comm, sizeof(leader.comm));
    leader.all_capabilities &= (its.bounding & first.bounding) == first.bounding;
    leader.net_ns = compare(&source, pid, "ns/net");
    leader.ipc_ns = compare(&source, pid, "ns/ipc");
    leader.pid_ns = compare(&source, pid, "ns/pid");
    if (leader.pid_ns == LEADER_UNSEEN) // everybody may see how deep a process is
        leader.pid_ns = its.pid_depth > first.pid_depth ? LEADER_OWN : LEADER_HOSTS;
    *out = leader;
    return 0;
}
