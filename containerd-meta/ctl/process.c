// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include "containerd-meta/cleanup.h"
#include "output.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static FILE *open_of(const char *proc, pid_t pid, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name);
    return fopen(path, "re");
}

bool process_is(const char *proc, pid_t pid, const char *name)
{
    CLEANUP(fclosep)
    FILE *file = open_of(proc, pid, "comm");
    char comm[32];

    if (!file || !fgets(comm, sizeof(comm), file))
        return false;
    comm[strcspn(comm, "\n")] = '\0';
    return strcmp(comm, name) == 0;
}

static pid_t pid_of(const char *name)
{
    long pid = 0;

    for (const char *at = name; *at; at++) {
        if (!isdigit((unsigned char)*at) || pid > INT_MAX / 10 - 9)
            return 0;
        pid = pid * 10 + (*at - '0');
    }
    return (pid_t)pid;
}

bool process_next(const char *proc, const char *name, pid_t *pid)
{
    pid_t next = 0;
    struct dirent *entry;
    DIR *folder = opendir(proc);

    if (!folder)
        return false;
    while ((entry = readdir(folder))) {
        pid_t other = pid_of(entry->d_name);

        if (other > *pid && (next == 0 || other < next) && process_is(proc, other, name))
            next = other;
    }
    closedir(folder);
    *pid = next;
    return next != 0;
}

int process_stat(const char *proc, pid_t pid, const char *path, struct stat *st)
{
    char whole[PATH_MAX];

    snprintf(whole, sizeof(whole), "%s/%d/root%s", proc, (int)pid, path);
    return stat(whole, st) < 0 ? -errno : 0;
}

// mountinfo writes space, tab, newline and backslash of a path as three octal digits.
static void unescape(char *text)
{
    char *out = text;

    for (const char *at = text; *at; at++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *out++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 3;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
}

int process_mounted(const char *proc, pid_t pid, const char *path)
{
    CLEANUP(freep)
    char *line = NULL;
    CLEANUP(fclosep)
    FILE *file = open_of(proc, pid, "mountinfo");
    size_t size = 0;

    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        char point[PATH_MAX];

        if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
            continue;
        unescape(point);
        if (strcmp(point, path) == 0)
            return 1;
    }
    return 0;
}

int process_maps(const char *proc, pid_t pid, const char *name, const struct stat *st,
                 struct process_mapping *mapping)
{
    CLEANUP(freep)
    char *line = NULL;
    CLEANUP(fclosep)
    FILE *file = open_of(proc, pid, "maps");
    size_t size = 0;

    *mapping = (struct process_mapping){0};
    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        unsigned major_number, minor_number;
        unsigned long inode;
        const char *last;
        int at = 0;

        if (sscanf(line, "%*s %*s %*s %x:%x %lu %n", &major_number, &minor_number, &inode, &at) !=
                3 ||
            line[at] != '/')
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line + at) > 10 && strcmp(line + strlen(line) - 10, " (deleted)") == 0)
            line[strlen(line) - 10] = '\0';
        last = strrchr(line + at, '/') + 1;
        if (strcmp(last, name) != 0)
            continue;
        mapping->file = true;
        mapping->same |=
            st && inode == st->st_ino && makedev(major_number, minor_number) == st->st_dev;
    }
    return 0;
}

int process_may_read(const char *proc, pid_t pid, const struct stat *st)
{
    CLEANUP(freep)
    char *line = NULL;
    CLEANUP(fclosep)
    FILE *file = open_of(proc, pid, "status");
    unsigned uid = UINT_MAX, gid = UINT_MAX;
    bool member = false;
    size_t size = 0;

    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        sscanf(line, "Uid: %*u %u", &uid);
        sscanf(line, "Gid: %*u %u", &gid);
        if (strncmp(line, "Groups:", 7) == 0)
            for (char *save, *word = strtok_r(line + 7, " \t\n", &save); word;
                 word = strtok_r(NULL, " \t\n", &save))
                member |= strtoul(word, NULL, 10) == st->st_gid;
    }
    if (uid == 0)
        return 1;
    if (uid == st->st_uid)
        return (st->st_mode & S_IRUSR) != 0;
    if (member || gid == st->st_gid)
        return (st->st_mode & S_IRGRP) != 0;
    return (st->st_mode & S_IROTH) != 0;
}

char *process_variable(const char *proc, pid_t pid, const char *name)
{
    CLEANUP(fclosep)
    FILE *file = open_of(proc, pid, "environ");
    CLEANUP(freep)
    char *entry = NULL;
    size_t size = 0, len = strlen(name);

    while (file && getdelim(&entry, &size, '\0', file) > 0)
        if (strncmp(entry, name, len) == 0 && entry[len] == '=')
            return text_format("%s", entry + len + 1);
    return NULL;
}
