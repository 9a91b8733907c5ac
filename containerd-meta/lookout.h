// SPDX-License-Identifier: Apache-2.0
// The lookout: what is seen of containers by others than their engines, and what is done about it.
//
// A cgroup that a runtime makes, an ID that the plugin met and the table didn't have: every engine
// that may have made the container is asked for it at once, unless its record is complete. Where
// the last cgroup of a running container is gone and its engine says nothing, the engine is asked,
// too; if it doesn't answer, the container counts as exited. A word of the engine, now or later,
// always wins: nothing is removed here. One thread.
#ifndef LOOKOUT_H
#define LOOKOUT_H

#include "instances.h"
#include "publisher.h"
#include "store.h"

#include "watch/cgroup.h"
#include "watch/hint_socket.h"

struct lookout;

#define LOOKOUT_HINTS_PER_S   200u // engines are asked for so many containers a second at most,
#define LOOKOUT_READERS_PER_S 50u  // and for so many that readers tell of
#define LOOKOUT_ASK_US        UINT64_C(1000000)  // after the last cgroup went; restarts are shorter
#define LOOKOUT_END_US        UINT64_C(10000000) // then it isn't waited for an answer any longer

struct lookout_use {
    sd_event *event;
    struct store *store;
    struct instances *instances;
    struct publisher *publisher;
    const char *dir;         // the region's folder; NULL: readers can't tell anything
    int gid;                 // of its readers, -1: unchanged
    uint64_t ask_us, end_us; // 0: as above
};

/**
 * lookout_new() - Return: 0 or -errno.
 * @cgroups: NULL: cgroups aren't watched
 */
int lookout_new(const struct lookout_use *use, const struct cgroup_options *cgroups,
                struct lookout **lookout);
struct lookout *lookout_free(struct lookout *lookout); // returns NULL

// Puts its gauges into the region.
void lookout_tick(struct lookout *lookout);

#endif
