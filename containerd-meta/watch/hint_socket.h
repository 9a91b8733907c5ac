// SPDX-License-Identifier: Apache-2.0
// The socket on which readers of the table tell of containers that it doesn't have (shm/hint.h).
#ifndef HINT_SOCKET_H
#define HINT_SOCKET_H

#include "shm/hint.h"

#include <systemd/sd-event.h>

struct hint_socket;

/**
 * hint_socket_new() - make it, whatever lay there before
 * @dir:     the region's folder
 * @gid:     group that may write, -1: nobody but the owner's group
 * @on_hint: from the loop; checked, and lives during the call. NULL: one that made no sense
 * Return: 0 or -errno.
 */
int hint_socket_new(sd_event *event, const char *dir, int gid,
                    void (*on_hint)(void *userdata, const struct cmeta_hint *hint), void *userdata,
                    struct hint_socket **socket);
struct hint_socket *hint_socket_free(struct hint_socket *socket); // removes it; returns NULL

#endif
