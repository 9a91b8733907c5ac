// SPDX-License-Identifier: Apache-2.0
// What podman has written down of a container's creation: its event and its image.
//
// An inspect and a list wait for the lock that a start holds until the container runs, and the
// event stream looks at a log file four times a second. The log itself, asked for one container,
// and the image wait for nobody: with both, and with the bundle, a record is whole before the first
// instruction. Belongs to one podman instance.
#ifndef PODMAN_RECALL_H
#define PODMAN_RECALL_H

#include "engine.h"

struct podman_recall;

#define PODMAN_RECALL_PARALLEL 16u // containers that are asked for at once; others wait for inspect
#define PODMAN_RECALL_MS       1000u
#define PODMAN_RECALL_SINCE_S  60 // older containers are known by the list

// Return: NULL without memory.
struct podman_recall *podman_recall_new(const struct engine_host *host);
struct podman_recall *podman_recall_free(struct podman_recall *recall); // returns NULL

/**
 * podman_recall_ask() - ask for a container that was made just now; nothing if it is being asked
 * for
 * @id:     its full ID; nothing is asked for by another
 * @prefix: "/v4.0.0/libpod"
 */
void podman_recall_ask(struct podman_recall *recall, const char *prefix, const char *id);
// Nothing is under way any more.
void podman_recall_cancel(struct podman_recall *recall);

#endif
