// SPDX-License-Identifier: Apache-2.0
// What one containerd knows: its containers and pods, which of them are to be asked about, and the
// images they were started from. What comes of it goes to the sink.
//
// A record that the list brought needs no further question where its image and its pod are known
// already; so the list brings those first. Belongs to one containerd instance.
#ifndef CONTAINERD_FETCH_H
#define CONTAINERD_FETCH_H

#include "containerd-meta/transport/grpc.h"
#include "containerd.pb-c.h"
#include "engine.h"

struct containerd_fetch;

#define CONTAINERD_FETCH_PARALLEL   16u   // questions under way at once
#define CONTAINERD_FETCH_TIMEOUT_MS 5000u // of one
// The bits of a status word that a task's beginning or end tells.
#define CONTAINERD_FETCH_WHOLE_WORD (0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT)

/**
 * containerd_fetch_new() - Return: 0 or -errno.
 * @failed: a question wasn't answered: what a person should see of it; lives during the call
 */
int containerd_fetch_new(const struct engine_host *host,
                         void (*failed)(void *userdata, const char *text), void *userdata,
                         struct containerd_fetch **fetch);
struct containerd_fetch *containerd_fetch_free(struct containerd_fetch *fetch); // returns NULL

// The engine answers on this channel, which outlives containerd_fetch_close().
void containerd_fetch_open(struct containerd_fetch *fetch, struct rpc_channel *channel);
// It doesn't any more: what is under way is cancelled and will be asked again.
void containerd_fetch_close(struct containerd_fetch *fetch);

// --- what the list says ------------------------------------------------------------------------

void containerd_fetch_list_begin(struct containerd_fetch *fetch);
void containerd_fetch_image(struct containerd_fetch *fetch, const char *ns,
                            const Containerd__Image *image);
// A container's or sandbox's record, as of when the list was asked for.
void containerd_fetch_record(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                             const Containerd__Container *record);
// The list was complete: before the sink is told by list_complete(), what no list names is asked
// for; afterwards, what the sink has buried is forgotten.
void containerd_fetch_list_end(struct containerd_fetch *fetch);
void containerd_fetch_list_buried(struct containerd_fetch *fetch);
void containerd_fetch_task(struct containerd_fetch *fetch, const char *ns, engine_stamp asked,
                           const Containerd__Process *task);
// All tasks of a namespace were told: its other containers have none.
void containerd_fetch_tasks_end(struct containerd_fetch *fetch, const char *ns, engine_stamp asked);

// --- what events say ---------------------------------------------------------------------------

// Ask for a container; again, if it is being asked for.
void containerd_fetch_ask(struct containerd_fetch *fetch, const char *ns, const char *id);
// Its process runs, or ended: @word and @mask as for the sink's status(). Times are CLOCK_REALTIME
// in ns; -1: not told.
void containerd_fetch_state(struct containerd_fetch *fetch, const char *ns, const char *id,
                            uint32_t word, uint32_t mask, int64_t pid, int64_t started_ns,
                            int64_t finished_ns);
// It was deleted.
void containerd_fetch_gone(struct containerd_fetch *fetch, const char *ns, const char *id);
// An image's name means another one now, or none.
void containerd_fetch_image_changed(struct containerd_fetch *fetch, const char *ns,
                                    const char *name);
/**
 * containerd_fetch_hint() - somebody saw a container of this ID, full or shown: ask for it in every
 * namespace seen so far
 */
void containerd_fetch_hint(struct containerd_fetch *fetch, const char *id, size_t id_len);

#endif
