// SPDX-License-Identifier: Apache-2.0
// What is known of the containers and sandboxes of one containerd, and how it gets to the sink: the
// records and states that were told, in whatever order they come. It asks nothing by itself; what
// is to be asked it puts into the queue. Belongs to one containerd instance.
#ifndef CONTAINERD_KNOWN_H
#define CONTAINERD_KNOWN_H

#include "containerd_images.h"
#include "containerd_record.h"
#include "known.h"

struct containerd_known {
    struct known_set set;
    struct engine_sink *sink;
    struct ask_queue *queue;
    struct containerd_images *images;
    struct oci_host_namespaces host_namespaces;
    struct oci_context context;
};

// What there is to ask about one, in this order.
enum containerd_want { CONTAINERD_WANT_RECORD = 1, CONTAINERD_WANT_STATUS = 2 };

struct containerd_one {
    struct known base;
    struct containerd_known *all;
    unsigned wants;         // still to be asked
    unsigned asking;        // the one under way: who wants it again meanwhile has it asked again
    bool is_docker, is_cri; // whose record it is
    bool is_stored;         // in the sandbox store alone: no list names it
    bool asked_for_status;  // of the CRI, once
    uint32_t tasked;        // generation of the last list of tasks that named it
    struct containerd_state heard; // of its task, as of `heard_at`; word 0: nothing
    engine_stamp heard_at;
    int64_t updated_ns; // of the record that was told
    int64_t started_ns; // 0 unknown
    struct containerd_facts facts;
};

static inline struct containerd_one *containerd_one_of(const struct known *known)
{
    return (struct containerd_one *)(uintptr_t)known; // its first member
}

/**
 * containerd_known_init() - Return: 0 or -ENOMEM; containerd_known_done() is for both.
 * @queue: where what is wanted is asked about
 * @done:  as of known_set_init()
 */
int containerd_known_init(struct containerd_known *all, const struct engine_host *host,
                          struct ask_queue *queue, void (*done)(struct known *known));
void containerd_known_done(struct containerd_known *all);

struct containerd_one *containerd_known_find(const struct containerd_known *all, const char *ns,
                                             const char *id);
// Return: NULL if it can't be kept: that is counted.
struct containerd_one *containerd_known_find_or_add(struct containerd_known *all, const char *ns,
                                                    const char *id);

// Have it asked about.
void containerd_one_want(struct containerd_one *one, enum containerd_want what);
// Whether the sink has a live view of it.
bool containerd_one_is_told(const struct containerd_one *one);

// To the sink, as its functions of these names; heard() is status(), and kept: it may come before
// the record that makes it a container's.
void containerd_one_observe(struct containerd_one *one, engine_stamp asked,
                            const struct container *container);
void containerd_one_status(const struct containerd_one *one, engine_stamp asked, uint32_t word,
                           uint32_t mask, int64_t pid, int64_t finished_ns);
void containerd_one_heard(struct containerd_one *one, engine_stamp asked, uint32_t word,
                          uint32_t mask, int64_t pid, int64_t finished_ns);
void containerd_one_gone(const struct containerd_one *one, engine_stamp asked);
void containerd_one_reason(const struct containerd_one *one, uint32_t groups,
                           enum cmeta_reason reason);

// A pod is known now, or is another one: its containers are asked for again.
void containerd_one_take_pod(struct containerd_one *sandbox, struct pod *pod);

enum containerd_outcome { CONTAINERD_TAKEN, CONTAINERD_LACKS_IMAGE, CONTAINERD_REFUSED };

/**
 * containerd_one_take_record() - what a record says, to the sink
 * @container, @facts: are the caller's in any case; with CONTAINERD_LACKS_IMAGE the image has to be
 *                     asked for and added
 */
enum containerd_outcome containerd_one_take_record(struct containerd_one *one, engine_stamp asked,
                                                   const Containerd__Container *record,
                                                   struct container **container,
                                                   struct containerd_facts *facts);
// Adds the image, if it is remembered. Return: whether it is.
bool containerd_one_add_image(struct containerd_one *one, struct container *container,
                              const struct containerd_facts *facts);
// Whether the sink has all that a record says.
bool containerd_one_is_unchanged(const struct containerd_one *one,
                                 const Containerd__Container *record);

#endif
