// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "containerd-meta/cleanup.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

uint64_t session_heartbeat_age(const struct cmeta_region *region)
{
    uint64_t beat, now = now_monotonic_ns();

    // A region that is younger than its first beat counts from when it was made.
    if (cmeta_reader_heartbeat(region, &beat) == 0)
        beat = session_header(region)->created_monotonic_ns;
    return now > beat ? now - beat : 0;
}

bool session_daemon_alive(const char *dir)
{
    int r = cmeta_daemon_alive(dir);

    return r != 0 && r != -ENOENT;
}

char *session_daemon_gone(const struct cmeta_region *region)
{
    char age[AGE_SIZE];

    text_age(1, session_heartbeat_age(region) + 1, age);
    return text_format("containerd-meta is not running, and its data is %s old. Start it: "
                       "systemctl start containerd-meta",
                       age);
}

enum ctl_exit session_exit(int result)
{
    return result == 0 ? CTL_OK : result == -ENOENT ? CTL_NO_REGION : CTL_REFUSED;
}

char *session_refusal(const char *dir, int result)
{
    if (result > 0)
        return text_format("%s/%s %s", dir, CMETA_TABLE_NAME, cmeta_refusal_text(result));
    if (result == -ENOENT && cmeta_daemon_alive(dir) == 1)
        return text_format("no region in %s yet: containerd-meta is just starting", dir);
    if (result == -ENOENT)
        return text_format("no region in %s: containerd-meta hasn't run since boot. Start it: "
                           "systemctl start containerd-meta; if its folder is elsewhere, name it "
                           "by --region",
                           dir);
    if (result == -EACCES || result == -EPERM)
        return text_format("%s/%s may not be read by this user: run it as root, or as a member of "
                           "the group containerd-meta",
                           dir, CMETA_TABLE_NAME);
    return text_format("%s/%s cannot be mapped: %s", dir, CMETA_TABLE_NAME, strerror(-result));
}

enum ctl_exit session_open(const struct ctl_options *options, struct cmeta_region *region)
{
    int r = cmeta_region_map(options->dir, region);
    CLEANUP(freep)
    char *text = NULL;

    if (r != 0)
        text = session_refusal(options->dir, r);
    else if (!session_daemon_alive(options->dir))
        text = session_daemon_gone(region);
    if (text)
        fprintf(stderr, "containerd-meta-ctl: %s\n", text);
    return session_exit(r);
}
