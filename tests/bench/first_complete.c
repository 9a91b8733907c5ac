// SPDX-License-Identifier: Apache-2.0
// When the record of each container could first be read whole, security and mounts included.
// usage: first_complete REGION_DIR >LINES   until SIGTERM
//
// A line for each: its full ID, CLOCK_MONOTONIC in ns when this program had read it, and, of those
// that were there before they were whole, when that was. The wake-up of this program is in it.
#include "bench/bench.h"
#include "shm/reader.h"
#include "shm/record.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEN_MAX 65536u
#define WAIT_MS  200u

struct seen {
    char id[65];
    uint64_t first_ns;
    bool complete;
};

static struct seen seen[SEEN_MAX];
static unsigned seen_count;
static volatile sig_atomic_t ending;

static void on_term(int signal)
{
    (void)signal;
    ending = 1;
}

static struct seen *seen_of(struct cmeta_str id)
{
    // The newest are asked for most.
    for (unsigned i = seen_count; i > 0; i--)
        if (strlen(seen[i - 1].id) == id.len && memcmp(seen[i - 1].id, id.data, id.len) == 0)
            return &seen[i - 1];
    if (seen_count == SEEN_MAX || id.len >= sizeof(seen->id))
        return NULL;
    memcpy(seen[seen_count].id, id.data, id.len);
    return &seen[seen_count++];
}

static void look(const struct cmeta_region *region, cmeta_handle handle)
{
    const uint64_t now = bench_now_ns();
    struct cmeta_status status;
    struct cmeta_view view;
    struct seen *one;

    if (!cmeta_reader_status(region, handle, &status) ||
        !cmeta_reader_record(region, handle, &view) || !(one = seen_of(status.id)) || one->complete)
        return;
    if (!one->first_ns)
        one->first_ns = now;
    one->complete = (cmeta_view_known(&view) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE;
    if (one->complete) {
        printf("%s %" PRIu64 " %" PRIu64 "\n", one->id, now, one->first_ns);
        fflush(stdout);
    }
}

static void look_at_all(const struct cmeta_region *region)
{
    uint64_t cursor = 0;
    cmeta_handle handle;
    int r;

    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0)
        if (r == 1)
            look(region, handle);
}

static void follow(const struct cmeta_region *region, const char *dir)
{
    uint64_t revision = cmeta_reader_revision(region);
    struct cmeta_change change;
    enum cmeta_follow next;

    look_at_all(region);
    while (!ending && cmeta_region_is_current(region, dir) == 1) {
        uint32_t word = cmeta_follow_word(region);

        while ((next = cmeta_follow_next(region, &revision, &change)) == CMETA_FOLLOW_CHANGE)
            look(region, change.handle);
        if (next == CMETA_FOLLOW_LAPPED) {
            revision = cmeta_reader_revision(region);
            look_at_all(region);
        }
        cmeta_follow_wait(region, word, WAIT_MS);
    }
}

int main(int argc, char **argv)
{
    struct cmeta_region region = {0};
    struct sigaction action = {.sa_handler = on_term};

    if (argc != 2) {
        fputs("usage: first_complete REGION_DIR\n", stderr);
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    while (!ending) {
        if (cmeta_region_map(argv[1], &region) != 0) {
            usleep(1000);
            continue;
        }
        follow(&region, argv[1]);
        cmeta_region_unmap(&region);
    }
    return 0;
}
