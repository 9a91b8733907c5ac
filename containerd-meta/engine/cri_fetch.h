// SPDX-License-Identifier: Apache-2.0
// What one CRI runtime knows: its pods and containers, and which of them are to be asked about.
// What comes of it goes to the sink. Belongs to one CRI instance.
#ifndef CRI_FETCH_H
#define CRI_FETCH_H

#include "containerd-meta/transport/grpc.h"
#include "cri.pb-c.h"
#include "engine.h"

struct cri_fetch;

#define CRI_FETCH_PARALLEL   16u   // questions under way at once
#define CRI_FETCH_TIMEOUT_MS 5000u // of one
#define CRI_FETCH_ROUND_US   UINT64_C(600000000)

/**
 * cri_fetch_new() - Return: 0 or -errno.
 * @failed: a question wasn't answered: what a person should see of it; lives during the call
 */
int cri_fetch_new(const struct engine_host *host, void (*failed)(void *userdata, const char *text),
                  void *userdata, struct cri_fetch **fetch);
struct cri_fetch *cri_fetch_free(struct cri_fetch *fetch); // returns NULL

// The runtime answers on this channel, which outlives cri_fetch_close(), as this type.
void cri_fetch_open(struct cri_fetch *fetch, struct rpc_channel *channel, enum cmeta_type type);
// It doesn't any more: what is under way is cancelled and will be asked again.
void cri_fetch_close(struct cri_fetch *fetch);

// What the lists say, as of when they were asked for: pods first, then containers.
void cri_fetch_list_begin(struct cri_fetch *fetch);
void cri_fetch_pod(struct cri_fetch *fetch, engine_stamp asked, const Cri__PodSandbox *pod);
void cri_fetch_container(struct cri_fetch *fetch, engine_stamp asked,
                         const Cri__Container *container);
// Both were complete and the sink was told by list_complete(): what it has buried is forgotten.
void cri_fetch_list_buried(struct cri_fetch *fetch);

/**
 * cri_fetch_look_again() - after a list: some are asked about though nothing is said to have
 * changed
 * @passed_us: since the list before; all have had their turn in CRI_FETCH_ROUND_US
 */
void cri_fetch_look_again(struct cri_fetch *fetch, uint64_t passed_us);

// A hint named it, and it is in no list: ask, if it is known.
void cri_fetch_missed(struct cri_fetch *fetch, const char *id);
// An event named it: ask again.
void cri_fetch_changed(struct cri_fetch *fetch, const char *id, bool is_pod);
// An event said that it was deleted.
void cri_fetch_gone(struct cri_fetch *fetch, const char *id);
// Names of images may mean others by now.
void cri_fetch_forget_images(struct cri_fetch *fetch);

#endif
