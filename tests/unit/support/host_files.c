// SPDX-License-Identifier: Apache-2.0
#include "host_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char host_root[128];

static void make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0755);
        *at = '/';
    }
}

void host_put(const char *path, const char *text)
{
    char whole[512];
    FILE *file;

    snprintf(whole, sizeof(whole), "%s%s", host_root, path);
    make_folders(whole);
    file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

void host_replace(const char *path, const char *text)
{
    char fresh[400], from[560], to[560];

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    host_put(fresh, text);
    snprintf(from, sizeof(from), "%s%s", host_root, fresh);
    snprintf(to, sizeof(to), "%s%s", host_root, path);
    ck_assert_int_eq(rename(from, to), 0);
}

void host_remove(const char *path)
{
    char whole[512];

    snprintf(whole, sizeof(whole), "%s%s", host_root, path);
    ck_assert_int_eq(unlink(whole), 0);
}

void host_put_process(int pid, const char *cgroup)
{
    char path[64], text[512];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    snprintf(text, sizeof(text), "1:cpu:/\n0::%s\n", cgroup);
    host_put(path, text);
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    snprintf(text, sizeof(text), "%d (a) b) S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 %d 1 2 3\n",
             pid, pid * 10);
    host_put(path, text);
}

void host_end_process(int pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    host_remove(path);
    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    host_remove(path);
}

void host_make(struct fixture *f, const char *engine, const char *folder)
{
    char command[512];

    fixture_make_files(f, engine);
    snprintf(host_root, sizeof(host_root), "%s/host", f->dir.path);
    snprintf(f->folder, sizeof(f->folder), "%s", folder);
    snprintf(command, sizeof(command),
             "mkdir -p %s/proc/1/ns && ln -s /proc/self/ns/net %s/proc/1/ns/net", host_root,
             host_root);
    ck_assert_int_eq(system(command), 0);
}

void host_run(struct fixture *f)
{
    char yaml[256];

    snprintf(yaml, sizeof(yaml), "host_root: %s\n", host_root);
    fixture_run(f, yaml);
}
