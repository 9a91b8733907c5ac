// SPDX-License-Identifier: Apache-2.0
// One registration as a plugin of a container runtime's Node Resource Interface: who is there, what
// is created, started and removed, told before it happens, the runtime waiting for our answer.
//
// Read-only: answers are empty, nothing is ever adjusted, evicted or asked for. An event is
// answered when the callback that took it has returned, so that what it published is readable
// first; but after NRI_LIMIT_MS at the latest, whatever the loop is doing: then the answer goes out
// ahead of the record, and is counted. That limit is why this has a thread of its own: it owns the
// socket, never stops reading, and answers alone what must not wait for the loop.
//
// Source: containerd/nri v0.2 to v0.12 (nri.pkg.api.v1alpha1).
#ifndef NRI_H
#define NRI_H

#include "nri.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

// The index orders plugins, 99 comes last: what others changed is seen at the start.
#define NRI_PLUGIN_NAME  "containerd-meta"
#define NRI_PLUGIN_INDEX "99"
#define NRI_LIMIT_MS     100u
#define NRI_BUDGET_US    1000u
// What may wait for the loop; beyond it the connection is given up, and begun again.
#define NRI_QUEUE_MAX       4096u
#define NRI_QUEUE_BYTES_MAX (UINT64_C(64) << 20)

// Numbers of the API. A runtime that doesn't know one of those subscribed to refuses the plugin:
// these are known since NRI 0.2.
enum nri_event_type {
    NRI_RUN_POD_SANDBOX = 1,
    NRI_STOP_POD_SANDBOX = 2,
    NRI_REMOVE_POD_SANDBOX = 3,
    NRI_CREATE_CONTAINER = 4,
    NRI_START_CONTAINER = 6,
    NRI_STOP_CONTAINER = 10,
    NRI_REMOVE_CONTAINER = 11,
};

struct nri_event {
    enum nri_event_type type;
    const Nri__PodSandbox *pod;      // NULL: not told
    const Nri__Container *container; // NULL: not told, or it is about the pod
};

// All are called from the loop. nri_close() may be called from `ended` only.
struct nri_calls {
    // Who it is.
    void (*configured)(void *userdata, const char *runtime_name, const char *runtime_version);
    // A piece of the list of what is there, taken over; containers may come before their pods.
    void (*list)(void *userdata, Nri__SynchronizeRequest *piece);
    // The runtime waits until this returns.
    void (*event)(void *userdata, const struct nri_event *event);
    // So many events were answered ahead of their record since the last time.
    void (*late)(void *userdata, unsigned count);
    // So many requests made no sense since the last time; they were answered all the same.
    void (*odd)(void *userdata, unsigned count);
    // Nothing comes after this: lost, or refused by either side. @text lives during the call.
    void (*ended)(void *userdata, const char *text);
};

struct nri;

/**
 * nri_open() - connect and register
 * @socket: path
 * @calls:  static
 *
 * There is no limit to how long the runtime may take: it accepts one plugin after another.
 * Return: 0; -errno: nobody listens; -EPERM: who listens there is neither root nor this user.
 */
int nri_open(sd_event *event, const char *socket, const struct nri_calls *calls, void *userdata,
             struct nri **nri);

// Leave at once; the runtime goes on without us. Returns NULL; NULL is fine.
struct nri *nri_close(struct nri *nri);

#endif
