// SPDX-License-Identifier: Apache-2.0
// The sockets that patterns find ("/run/user/*/podman/podman.sock"), as users log in and out: a row
// for each, a bounded number per pattern, taken away some time after the socket is gone, so that a
// service which is only restarted keeps what is known of its containers.
#ifndef FOUND_SOCKETS_H
#define FOUND_SOCKETS_H

#include "engine/engine.h"
#include "transport/pattern_watch.h"

#include <systemd/sd-event.h>

struct found_sockets;

#define FOUND_SOCKETS_MAX       16u               // per pattern
#define FOUND_SOCKETS_LINGER_US UINT64_C(5000000) // after its socket is gone

// What instances do for it; each is called from the loop.
struct found_sockets_calls {
    // Make the row and start it, if it isn't there. Return: 0 or -errno.
    int (*add)(void *userdata, const char *name, const struct engine_class *class,
               const char *path);
    void (*drop)(void *userdata, const char *name, const char *path);
    // How it stands with a pattern: how many are driven, and whether there are more.
    void (*note)(void *userdata, const char *name, const char *pattern, unsigned count, bool more);
};

// Return: 0 or -errno.
int found_sockets_new(sd_event *event, struct socket_watcher *watcher,
                      const struct found_sockets_calls *calls, void *userdata,
                      struct found_sockets **found);
struct found_sockets *found_sockets_free(struct found_sockets *found); // returns NULL

// Another plan: forget all patterns; rows are the caller's.
void found_sockets_clear(struct found_sockets *found);
// Watch for a pattern from now on. Return: 0 or -errno.
int found_sockets_watch(struct found_sockets *found, const char *name,
                        const struct engine_class *class, const char *pattern);
// The pattern that was added last has found this one, and there is a row for it.
void found_sockets_own(struct found_sockets *found, const char *path);

#endif
