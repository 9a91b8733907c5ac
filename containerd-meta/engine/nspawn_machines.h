// SPDX-License-Identifier: Apache-2.0
// The machines that systemd-machined has: for each its properties are asked for, then what takes
// machined more work (it enters the container for its OS release and addresses), and what the
// kernel says of its first process. What comes of it goes to the sink.
//
// Belongs to one instance of the engine and its loop's thread.
#ifndef NSPAWN_MACHINES_H
#define NSPAWN_MACHINES_H

#include "engine.h"

#include <systemd/sd-bus.h>

#define MACHINED_NAME    "org.freedesktop.machine1"
#define MACHINED_PATH    "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

struct machines;

struct machines_calls {
    // A call failed: what a person should see of it; lives during the call.
    void (*failed)(void *userdata, const char *text);
    // A list's machines have all told what they are, or were asked often enough.
    void (*listed)(void *userdata);
};

int machines_new(const struct engine_host *host, const struct machines_calls *calls, void *userdata,
                 struct machines **machines);              // 0 or -errno
struct machines *machines_free(struct machines *machines); // returns NULL

// A bus is there; machines_close() before it goes.
void machines_open(struct machines *machines, sd_bus *bus);
void machines_close(struct machines *machines);

// Signals.
void machines_appeared(struct machines *machines, const char *path);
void machines_vanished(struct machines *machines, const char *path);

// A list, asked for at @asked: those it names, then its end. Those that it doesn't name and that
// nothing named since are gone.
void machines_list_begin(struct machines *machines, engine_stamp asked);
void machines_listed(struct machines *machines, const char *class, const char *service,
                     const char *path);
void machines_list_end(struct machines *machines, bool has_gaps);

// Another machined than before: what is known is to be asked for again.
void machines_doubt(struct machines *machines);
// Every ten seconds: ask again for a few of those that have no address yet.
void machines_upkeep(struct machines *machines);
// machined is gone and tells nothing: those whose first process has ended are gone too,
// the others are confirmed.
void machines_end_the_dead(struct machines *machines, engine_stamp when);

// Whether one of this ID is known, or is being asked for.
bool machines_have(const struct machines *machines, const char *id, size_t id_len);

#endif
