// SPDX-License-Identifier: Apache-2.0
// One pass over everything that a containerd has: its namespaces; in each the images, the
// sandboxes, the containers, in this order, so that a container's record meets its image and its
// pod; then, when all is listed, the tasks, which containerd has to ask the shims for.
#ifndef CONTAINERD_LIST_H
#define CONTAINERD_LIST_H

#include "containerd_fetch.h"

struct containerd_list;

struct containerd_list_calls {
    // All is listed; the tasks follow. @whole: nothing was left out, so what wasn't named is gone.
    void (*complete)(void *userdata, engine_stamp asked, bool whole);
    // Something was left out. @text: as of `end`.
    void (*gap)(void *userdata, const char *text);
    /**
     * The pass has ended. @error: NULL, or what went wrong, for a person; lives during the call.
     * May begin another.
     */
    void (*end)(void *userdata, const char *error);
};

// @only: the one namespace to look at, NULL: all. Return: 0 or -errno.
int containerd_list_new(const struct engine_host *host, struct containerd_fetch *fetch,
                        const char *only, const struct containerd_list_calls *calls, void *userdata,
                        struct containerd_list **list);
struct containerd_list *containerd_list_free(struct containerd_list *list); // returns NULL

// Begin a pass; another one after it if one is under way: that has passed some things already.
void containerd_list_begin(struct containerd_list *list, struct rpc_channel *channel);
// Without a further call.
void containerd_list_cancel(struct containerd_list *list);

/**
 * containerd_list_is_stuck() - whether a pass is under way of which nothing came since the last
 * call
 */
bool containerd_list_is_stuck(struct containerd_list *list);

#endif
