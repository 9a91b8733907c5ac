// SPDX-License-Identifier: Apache-2.0
// The rows of the engines: what each says of itself, and what its socket looks like from where the
// daemon is.
#include "check.h"
#include "engine_rows.h"
#include "output.h"
#include "process.h"

#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SILENT_NS    UINT64_C(30000000000)  // connecting for so long is silence
#define SLOW_LIST_NS UINT64_C(120000000000) // a first list takes less
#define ROWS_MAX     1024u                  // of what a hostile header claims

// Versions that the engines' APIs we use came with.
static const struct {
    const char *prefix; // of what the row says
    unsigned major, minor;
} oldest[] = {
    {"Docker/", 18, 9},    {"podman ", 3, 0}, {"Libpod/", 3, 0}, {"containerd v", 1, 5},
    {"containerd ", 1, 5}, {"cri-o ", 1, 23}, {"lxd ", 4, 0},    {"incus ", 0, 1},
};

static bool too_old(const char *version)
{
    for (size_t i = 0; i < sizeof(oldest) / sizeof(oldest[0]); i++) {
        size_t len = strlen(oldest[i].prefix);
        unsigned major_number, minor_number;

        if (strncmp(version, oldest[i].prefix, len) == 0 &&
            sscanf(version + len, "%9u.%9u", &major_number, &minor_number) == 2)
            return major_number < oldest[i].major ||
                   (major_number == oldest[i].major && minor_number < oldest[i].minor);
    }
    return false;
}

// Where the daemon is, as far as it can be looked into; else this process.
static pid_t daemon_of(const struct checks *checks)
{
    pid_t pid = (pid_t)session_header(checks->region)->writer_pid;

    return pid > 0 && process_is(checks->proc, pid, "containerd-meta") ? pid : getpid();
}

static char *sentence(const struct cmeta_engine_row *row, const char *what)
{
    return text_format("%s %s%s%s", *row->socket ? row->socket : row->name, what,
                       *row->last_error ? ": " : "", row->last_error);
}

static void check_failed(struct checks *checks, const struct cmeta_engine_row *row)
{
    if (strstr(row->last_error, "ermission denied"))
        check_add(checks, CHECK_PROBLEM, "engine-permission", row->name,
                  sentence(row, "may not be used by the daemon"),
                  "run the daemon as root; with SELinux look for connectto in the audit log");
    else
        check_add(checks, CHECK_PROBLEM, "engine-failed", row->name,
                  sentence(row, "was lost or refuses"),
                  "look at the engine; the daemon tries again by itself");
}

static void check_waiting(struct checks *checks, const struct cmeta_engine_row *row)
{
    if (row->flags & CMETA_ENGINE_CONFIGURED)
        check_add(checks, CHECK_WARNING, "engine-absent", row->name,
                  sentence(row, "is configured, and not there"),
                  "is the engine running, is this its path, and if the daemon runs in a container: "
                  "is the folder mounted and host_root set?");
}

static void check_state(struct checks *checks, const struct cmeta_engine_row *row, uint64_t now_ns)
{
    uint64_t age = now_ns > row->since_ns ? now_ns - row->since_ns : 0;

    switch (row->state) {
    case CMETA_ENGINE_WAITING:
        check_waiting(checks, row);
        break;
    case CMETA_ENGINE_CONNECTING:
        if (age > SILENT_NS)
            check_add(checks, CHECK_PROBLEM, "engine-silent", row->name,
                      sentence(row, "accepts and doesn't answer"), "look at the engine: it hangs");
        break;
    case CMETA_ENGINE_LISTING:
        if (age > SLOW_LIST_NS)
            check_add(checks, CHECK_WARNING, "engine-slow", row->name,
                      sentence(row, "takes minutes to be listed"),
                      "look at the engine: is one of its containers hanging?");
        break;
    case CMETA_ENGINE_CONNECTED:
        check_add(checks, CHECK_OK, "engine-connected", row->name,
                  text_format("%s: %s, %" PRIu32 " containers", row->socket, row->version,
                              row->containers),
                  NULL);
        break;
    case CMETA_ENGINE_FAILED:
        check_failed(checks, row);
        break;
    case CMETA_ENGINE_DISABLED:
        check_add(checks, CHECK_NOTE, "engine-disabled", row->name, sentence(row, "isn't driven"),
                  NULL);
        break;
    case CMETA_ENGINE_UNSUPPORTED:
        check_add(checks, CHECK_WARNING, "engine-unsupported", row->name,
                  text_format("is configured, and this version doesn't drive it"),
                  "disable it, or install a version that does");
        break;
    default:
        break;
    }
}

static void check_surroundings(struct checks *checks, const struct cmeta_engine_row *row,
                               pid_t daemon)
{
    if (row->flags & CMETA_ENGINE_DEGRADED)
        check_add(checks, CHECK_WARNING, "engine-scanning", row->name,
                  sentence(row, "is looked for every 10 s only: inotify has no watch to give"),
                  "raise fs.inotify.max_user_watches and max_user_instances");
    if (too_old(row->version))
        check_add(checks, CHECK_WARNING, "engine-too-old", row->name,
                  text_format("%s is older than what the daemon is made for", row->version),
                  "update the engine; what it doesn't tell is missing in the records");
    if (*row->socket == '/' && process_mounted(checks->proc, daemon, row->socket) == 1)
        check_add(checks, CHECK_WARNING, "engine-socket-mounted", row->name,
                  text_format("%s itself is mounted: when the engine is restarted it leads nowhere",
                              row->socket),
                  "mount its folder instead");
}

// Two that are driven at one socket, under different names for it.
static void check_same(struct checks *checks, const struct cmeta_engine_row *row, uint32_t next,
                       pid_t daemon)
{
    struct cmeta_engine_row other;
    struct stat mine, theirs;

    if (row->state != CMETA_ENGINE_CONNECTED || *row->socket != '/' ||
        process_stat(checks->proc, daemon, row->socket, &mine) < 0)
        return;
    while (next < ROWS_MAX && engine_rows_next(checks->region, &next, &other))
        if (other.state == CMETA_ENGINE_CONNECTED && *other.socket == '/' &&
            process_stat(checks->proc, daemon, other.socket, &theirs) == 0 &&
            mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino)
            check_add(
                checks, CHECK_WARNING, "engine-twice", row->name,
                text_format("%s and %s (%s) are one socket", row->socket, other.socket, other.name),
                "take one of the two out of the configuration");
}

void check_engines(struct checks *checks)
{
    uint64_t now_ns = now_realtime_ns();
    struct cmeta_engine_row row;
    uint32_t index = 0;
    unsigned connected = 0;
    pid_t daemon;

    if (!checks->region)
        return;
    daemon = daemon_of(checks);
    while (index < ROWS_MAX && engine_rows_next(checks->region, &index, &row)) {
        // Bundles alone give no names.
        connected += row.state == CMETA_ENGINE_CONNECTED && strcmp(row.name, "bundle") != 0;
        check_state(checks, &row, now_ns);
        check_surroundings(checks, &row, daemon);
        check_same(checks, &row, index, daemon);
    }
    if (!connected)
        check_add(checks, CHECK_PROBLEM, "no-engine", "engines",
                  text_format("none is connected: no container gets metadata"),
                  "containerd-meta-ctl engines shows what was looked for; name other sockets in "
                  "/etc/containerd-meta/config.yaml");
}
