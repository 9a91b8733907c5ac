// SPDX-License-Identifier: Apache-2.0
#include "tests/host/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/host/report.h"

// What a file of /proc/TID gives, with a NUL added; NULL if it can't be read. To be freed.
static char *read_file(const char *dir, const char *name, size_t *len)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t cap = 4096, n = 0;
    char *text = host_alloc(cap);
    ssize_t got;
    while ((got = read(fd, text + n, cap - n - 1)) > 0) {
        n += (size_t)got;
        if (n + 1 == cap)
            text = host_realloc(text, cap *= 2);
    }
    close(fd);
    if (got < 0) {
        free(text);
        return NULL;
    }
    text[n] = 0;
    *len = n;
    return text;
}

// The last number in the line of /proc/TID/status that begins with `key`.
static int64_t status_int(const char *status, const char *key, bool last)
{
    const char *line = status;
    size_t n = strlen(key);
    while (line && strncmp(line, key, n) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return -1;
    int64_t v = -1;
    char *end;
    const char *at = line + n;
    do {
        long long one = strtoll(at, &end, 10);
        if (end != at)
            v = one;
        at = end + strspn(end, " \t");
    } while (last && isdigit((unsigned char)*at));
    return v;
}

// --- cgroups -------------------------------------------------------------------------------------

static bool lists(const char *controllers, const char *name, size_t len)
{
    const char *at = controllers;
    while ((at = strstr(at, name)) != NULL) {
        bool begins = at == controllers || at[-1] == ' ';
        if (begins && (at[len] == ' ' || at[len] == 0 || at[len] == '\n'))
            return true;
        at += len;
    }
    return false;
}

// Where the version 2 hierarchy is mounted, or false.
static bool cgroup2_mount(char *out, size_t bytes)
{
    static const char *const candidates[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(out, bytes, "%s/cgroup.controllers", candidates[i]);
        if (access(out, R_OK) == 0) {
            snprintf(out, bytes, "%s", candidates[i]);
            return true;
        }
    }
    return false;
}

// One row per controller, with the innermost cgroup on the way up that lists it.
static void add_unified(struct thread *t, const char *path)
{
    char mount[64], at[PATH_MAX], dir[PATH_MAX];
    char found[1024] = "";
    if (!cgroup2_mount(mount, sizeof(mount)))
        return;
    snprintf(at, sizeof(at), "%s", path);
    for (;;) {
        size_t len;
        snprintf(dir, sizeof(dir), "%.60s%.4000s", mount, at);
        char *listed = read_file(dir, "cgroup.controllers", &len);
        char *rest = NULL;
        for (char *name = listed ? strtok_r(listed, " \n", &rest) : NULL; name;
             name = strtok_r(NULL, " \n", &rest)) {
            size_t used = strlen(found);
            if (lists(found, name, strlen(name)) || used + strlen(name) + 2 > sizeof(found))
                continue;
            snprintf(found + used, sizeof(found) - used, "%s%s", used ? " " : "", name);
            const char *row = *at ? at : "/";
            thread_rows_add(t, TABLE_CGROUPS, name, strlen(name), row, strlen(row));
        }
        free(listed);
        char *slash = strrchr(at, '/');
        if (!slash || !*at)
            return;
        *slash = 0;
    }
}

static void add_cgroups(struct thread *t, char *text)
{
    char *rest_lines = NULL;
    for (char *line = strtok_r(text, "\n", &rest_lines); line;
         line = strtok_r(NULL, "\n", &rest_lines)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        controllers++;
        *path++ = 0;
        if (!*controllers) {
            add_unified(t, strcmp(path, "/") == 0 ? "" : path);
            continue;
        }
        char *rest = NULL;
        for (char *name = strtok_r(controllers, ",", &rest); name;
             name = strtok_r(NULL, ",", &rest))
            thread_rows_add(t, TABLE_CGROUPS, name, strlen(name), path, strlen(path));
    }
}

// --- threads -------------------------------------------------------------------------------------

static void set_command(struct thread *t, const char *dir)
{
    char link[PATH_MAX], target[PATH_MAX];
    size_t len = 0;
    snprintf(link, sizeof(link), "%.4000s/exe", dir);
    ssize_t n = readlink(link, target, sizeof(target));
    if (n > 0)
        thread_set_string(t, THREAD_EXE_PATH, target, (size_t)n);
    char *cmdline = read_file(dir, "cmdline", &len);
    if (!cmdline)
        return;
    size_t first = strnlen(cmdline, len);
    thread_set_string(t, THREAD_EXE, cmdline, first);
    if (first + 1 < len)
        thread_set_list(t, TABLE_ARGS, cmdline + first + 1, len - first - 1);
    free(cmdline);
}

// Start of the thread in ns since the epoch, when it is the init of its pid namespace.
static void set_start(struct thread *t, const char *dir)
{
    size_t len = 0;
    char *stat = read_file(dir, "stat", &len);
    const char *at = stat ? strrchr(stat, ')') : NULL;
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    if (at) {
        struct timespec now, up;
        clock_gettime(CLOCK_REALTIME, &now);
        clock_gettime(CLOCK_BOOTTIME, &up);
        int64_t boot = (int64_t)(now.tv_sec - up.tv_sec) * 1000000000;
        int64_t ticks = strtoll(at, NULL, 10);
        bool is_init = thread_int(t, THREAD_VTID) == 1;
        int64_t since = is_init ? ticks * (1000000000 / sysconf(_SC_CLK_TCK)) : 0;
        thread_set_int(t, THREAD_PIDNS_INIT_START_TS, boot + since);
    }
    free(stat);
}

int procfs_add(struct threads *ts, const char *root, int64_t pid, int64_t tid)
{
    char dir[PATH_MAX];
    size_t len = 0;
    snprintf(dir, sizeof(dir), "%.4000s/%lld/task/%lld", root, (long long)pid, (long long)tid);
    char *status = read_file(dir, "status", &len);
    char *cgroup = read_file(dir, "cgroup", &len);
    char *comm = read_file(dir, "comm", &len);
    if (!status || !cgroup || !comm) {
        free(status);
        free(cgroup);
        free(comm);
        return -ENOENT;
    }
    struct thread *t = threads_add(ts, tid);
    comm[strcspn(comm, "\n")] = 0;
    thread_set_string(t, THREAD_COMM, comm, strlen(comm));
    thread_set_int(t, THREAD_PID, pid);
    thread_set_int(t, THREAD_PTID, status_int(status, "PPid:", false));
    thread_set_int(t, THREAD_VTID, status_int(status, "NSpid:", true));
    thread_set_int(t, THREAD_VPID, status_int(status, "NStgid:", true));
    thread_set_int(t, THREAD_UID, status_int(status, "Uid:", false));
    thread_set_int(t, THREAD_GID, status_int(status, "Gid:", false));
    set_command(t, dir);
    set_start(t, dir);
    add_cgroups(t, cgroup);
    free(status);
    free(cgroup);
    free(comm);
    return 0;
}

static int scan_tasks(struct threads *ts, const char *root, int64_t pid)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.4000s/%lld/task", root, (long long)pid);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    int n = 0;
    const struct dirent *e;
    while ((e = readdir(d)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]))
            n += procfs_add(ts, root, pid, strtoll(e->d_name, NULL, 10)) == 0;
    closedir(d);
    return n;
}

int procfs_scan(struct threads *ts, const char *root)
{
    DIR *d = opendir(root);
    if (!d)
        return -errno;
    int n = 0;
    const struct dirent *e;
    while ((e = readdir(d)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]))
            n += scan_tasks(ts, root, strtoll(e->d_name, NULL, 10));
    closedir(d);
    return n;
}
