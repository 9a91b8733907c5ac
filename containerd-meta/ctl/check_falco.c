// SPDX-License-Identifier: Apache-2.0
// Falco's processes: whether they have the plugin, and see the table that there is.
#include "check.h"
#include "containerd-meta/cleanup.h"
#include "output.h"
#include "process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define PLUGIN_FILE "libcontainer.so"

static const char mount_remedy[] = "mount the folder (not the file) into Falco's container, under "
                                   "the same path or below its HOST_ROOT";

static void add(struct checks *checks, enum check_level level, const char *code, pid_t pid,
                char *text, const char *remedy)
{
    CLEANUP(freep)
    char *about = text_format("falco (PID %d)", (int)pid);

    check_add(checks, level, code, about, text, remedy);
}

// The table as the process has it: at the folder's path, or below its host root.
static int its_table(const struct checks *checks, pid_t pid, char path[PATH_MAX], struct stat *st)
{
    CLEANUP(freep)
    char *root = process_variable(checks->proc, pid, "HOST_ROOT");
    int r = -ENOENT;

    if (root && *root) {
        snprintf(path, PATH_MAX, "%s%s/%s", root, checks->dir, CMETA_TABLE_NAME);
        r = process_stat(checks->proc, pid, path, st);
    }
    if (r < 0) {
        snprintf(path, PATH_MAX, "%s/%s", checks->dir, CMETA_TABLE_NAME);
        r = process_stat(checks->proc, pid, path, st);
    }
    return r;
}

static void check_mapped(struct checks *checks, pid_t pid, const struct stat *now)
{
    struct process_mapping table;

    if (process_maps(checks->proc, pid, CMETA_TABLE_NAME, now, &table) < 0)
        return;
    if (table.same)
        add(checks, CHECK_OK, "falco-reads", pid, text_format("reads the table"), NULL);
    else if (table.file)
        add(checks, CHECK_WARNING, "falco-lags", pid,
            text_format("reads an earlier table than the one that there is"),
            "it follows within a second; if this stays, the file was mounted instead of its "
            "folder");
    else
        add(checks, CHECK_PROBLEM, "falco-maps-nothing", pid,
            text_format("has " PLUGIN_FILE " loaded and doesn't read the table, which it could"),
            "is it upstream's plugin? falco --list-plugins tells; is `region` in its init_config "
            "another folder?");
}

static void check_process(struct checks *checks, pid_t pid)
{
    struct process_mapping plugin;
    struct stat now, seen;
    char path[PATH_MAX];
    int r = process_maps(checks->proc, pid, PLUGIN_FILE, NULL, &plugin);

    if (r < 0) {
        add(checks, CHECK_NOTE, "falco-hidden", pid, text_format("this user may not look into it"),
            "run the check as root");
        return;
    }
    if (!plugin.file) {
        add(checks, CHECK_PROBLEM, "falco-without-plugin", pid,
            text_format("hasn't loaded " PLUGIN_FILE),
            "add the plugin to falco.yaml (the package brings a file for config.d) and restart "
            "Falco");
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", checks->dir, CMETA_TABLE_NAME);
    if (stat(path, &now) < 0) // said already: there is no region
        return;
    r = its_table(checks, pid, path, &seen);
    if (r < 0)
        add(checks, CHECK_PROBLEM, "falco-sees-no-table", pid,
            text_format("has no %s in its mount namespace", path), mount_remedy);
    else if (seen.st_ino != now.st_ino || seen.st_dev != now.st_dev)
        add(checks, CHECK_PROBLEM, "falco-sees-another-table", pid,
            text_format("has another %s than this one", path), mount_remedy);
    else if (process_may_read(checks->proc, pid, &now) == 0)
        add(checks, CHECK_PROBLEM, "falco-may-not-read", pid, text_format("may not read %s", path),
            "run Falco as root, or its user as a member of the group containerd-meta");
    else
        check_mapped(checks, pid, &now);
}

void check_falco(struct checks *checks)
{
    bool found = false;

    for (pid_t pid = 0; process_next(checks->proc, "falco", &pid); found = true)
        check_process(checks, pid);
    if (!found)
        check_add(checks, CHECK_NOTE, "falco-not-running", "falco",
                  text_format("no process of this name is seen from here"), NULL);
}
