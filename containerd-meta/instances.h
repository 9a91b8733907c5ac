// SPDX-License-Identifier: Apache-2.0
// The engine instances: one per engine and socket that the configuration names, each with its row
// in the region and its sink into the store. A new configuration starts what is new, stops what is
// gone, and leaves the rest alone.
#ifndef INSTANCES_H
#define INSTANCES_H

#include "config.h"
#include "publisher.h"
#include "store.h"

#include "transport/grpc.h"
#include "transport/http.h"
#include "transport/socket_watch.h"

#include "shm/container_id.h"

#include <systemd/sd-event.h>

struct instances;

struct instances_use {
    sd_event *event;
    struct http *http;
    struct rpc *rpc;
    struct socket_watcher *sockets;
    struct store *store;
    struct publisher *publisher;
};

struct instances *instances_new(const struct instances_use *use);
// Stops all; views stay in the region for the next daemon. Returns NULL.
struct instances *instances_free(struct instances *instances);

/**
 * instances_plan() - make the rows that a configuration asks for, stop and withdraw those that it
 * doesn't have any more; nothing is started yet
 *
 * Return: 0; -E2BIG, with a message in the log, if they are more than STORE_ROWS: then nothing has
 * changed; -ENOMEM.
 */
int instances_plan(struct instances *instances, const struct config *config);

/**
 * instances_apply() - start what is new
 *
 * What can't be started says so in its row and in the log.
 */
void instances_apply(struct instances *instances);

// The row of the instance with this name and (maybe shortened) socket as a row has it; -1 if none.
int instances_row_of(void *instances, const char *name, const char *socket);

// Somebody saw a container of this ID that the table doesn't have, or not whole: all engines whose
// cgroups may be of that layout (CMETA_LAYOUT_NONE: all) are asked for it now. They stay silent
// about what isn't theirs.
void instances_hint_of(struct instances *instances, enum cmeta_layout layout, const char *id,
                       size_t id_len);
// All engines are asked.
void instances_hint(struct instances *instances, const char *id, size_t id_len);

// All engines list again, because something may have been missed.
void instances_relist(struct instances *instances);

// Write the rows that changed into the region.
void instances_flush(struct instances *instances);

// A line for people: "docker /run/docker.sock connected; …".
void instances_describe(const struct instances *instances, char *text, size_t size);

#endif
