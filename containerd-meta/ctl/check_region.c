// SPDX-License-Identifier: Apache-2.0
// The region and its daemon.
#include "check.h"
#include "output.h"
#include "process.h"
#include "session.h"

#include "shm/counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define STALE_NS UINT64_C(30000000000) // three heartbeats

static uint64_t counter(const struct cmeta_region *region, uint32_t index)
{
    struct cmeta_counter counter;

    return cmeta_reader_counter(region, index, &counter) == 1 ? counter.value : 0;
}

static void check_daemon(struct checks *checks)
{
    uint64_t age = session_heartbeat_age(checks->region);

    if (!session_daemon_alive(checks->dir))
        check_add(checks, CHECK_PROBLEM, "daemon-gone", "region",
                  session_daemon_gone(checks->region),
                  "systemctl start containerd-meta; journalctl -u containerd-meta says why it "
                  "ended");
    else if (age > STALE_NS)
        check_add(checks, CHECK_PROBLEM, "daemon-hangs", "region",
                  text_format("the daemon is there, and has shown no sign of life for %" PRIu64
                              " s",
                              age / 1000000000u),
                  "is it stopped, or the machine overloaded? systemctl restart containerd-meta "
                  "loses nothing");
    else
        check_add(checks, CHECK_OK, "daemon-alive", "region",
                  text_format("containerd-meta %.*s, %" PRIu32 " containers in %s",
                              (int)sizeof(session_header(checks->region)->writer_version),
                              session_header(checks->region)->writer_version,
                              cmeta_reader_identities(checks->region), checks->dir),
                  NULL);
}

static void check_contents(struct checks *checks)
{
    uint64_t refused = counter(checks->region, CMETA_COUNT_REFUSED);
    uint64_t failed = counter(checks->region, CMETA_COUNT_REPLACE_FAILED);
    uint64_t incomplete = counter(checks->region, CMETA_COUNT_INCOMPLETE);

    if (refused)
        check_add(checks, CHECK_PROBLEM, "region-full", "region",
                  text_format("%" PRIu64 " containers weren't published: the region is at its "
                              "ceiling",
                              refused),
                  "raise region_max in /etc/containerd-meta/config.yaml and reload");
    if (failed)
        check_add(checks, CHECK_WARNING, "region-no-room", "region",
                  text_format("%" PRIu64 " times a larger region couldn't be made", failed),
                  "make room in /run, or raise the memory limit of the daemon's cgroup");
    if (incomplete)
        check_add(checks, CHECK_NOTE, "records-incomplete", "region",
                  text_format("%" PRIu64 " containers lack something that rules read", incomplete),
                  "containerd-meta-ctl ps shows which, containerd-meta-ctl why ID what and why");
}

void check_region(struct checks *checks)
{
    char path[4096];

    if (!checks->region)
        return;
    check_daemon(checks);
    check_contents(checks);
    snprintf(path, sizeof(path), "%s/%s", checks->dir, CMETA_TABLE_NAME);
    if (process_mounted(checks->proc, getpid(), path) == 1)
        check_add(checks, CHECK_WARNING, "table-mounted", "region",
                  text_format("%s is a mount of its own: it stays the old one when the daemon "
                              "makes another",
                              path),
                  "mount its folder instead");
}
