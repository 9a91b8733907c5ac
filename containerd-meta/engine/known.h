// SPDX-License-Identifier: Apache-2.0
// The containers and pods' sandboxes that one engine instance knows: found by namespace and ID, and
// those of a sandbox from it, without a walk over all. An engine embeds a `struct known`, as the
// first member, in what it keeps of one.
//
// Belongs to one engine instance and its loop's thread.
#ifndef KNOWN_H
#define KNOWN_H

#include "ask_queue.h"
#include "engine.h"
#include "pod.h"

#define KNOWN_MAX      65536u // containers and sandboxes of one instance
#define KNOWN_ID_BYTES 255u   // of an ID or a namespace, its end included

struct family;
struct rpc_call;

struct known {
    struct ask ask; // its first member: what the queue asks about
    struct known_set *set;
    LIST_ENTRY(known) all;
    LIST_ENTRY(known) siblings; // of its sandbox
    struct family *family;      // NULL: it belongs to no sandbox, as far as was told
    struct pod *pod;            // it is this pod's sandbox
    uint32_t listed;            // generation of the last list that named it
    // The question under way, and what came of it; the engine's.
    struct rpc_call *call;
    engine_stamp asked;
    bool observed;            // the sink has been told what an answer said
    bool lacks;               // something wasn't known then
    struct container *answer; // between an answer and what it needs further
    const char *ns, *id;
};

LIST_HEAD(known_list, known);

struct known_set {
    struct known_list all;
    uint32_t generation; // of lists
    // The set's own.
    struct ask_queue *queue;
    size_t size;
    void (*done)(struct known *known);
    void *tree, *families; // tsearch(3), by namespace and ID
    unsigned count;
};

/**
 * known_set_init() - an empty set
 * @queue: where its things are asked about; outlives known_set_done()
 * @size:  bytes of what the engine keeps of one; zeroed when it is added
 * @done:  one is being forgotten: the engine ends its question and frees what it added to it
 */
void known_set_init(struct known_set *set, struct ask_queue *queue, size_t size,
                    void (*done)(struct known *known));
void known_set_done(struct known_set *set);

struct known *known_find(const struct known_set *set, const char *ns, const char *id);
/**
 * known_find_or_add()
 * @ns: "" where the engine has no namespaces
 * Return: NULL if it is no ID, if there are KNOWN_MAX or no memory.
 */
struct known *known_find_or_add(struct known_set *set, const char *ns, const char *id);
void known_forget(struct known *known);

// It belongs to a sandbox of its namespace, which need not be known. The first word counts.
void known_join(struct known *known, const char *sandbox_id);
// The full ID of its sandbox, or NULL.
const char *known_sandbox(const struct known *known);
// Those that belong to a sandbox, one after the other: NULL at the end.
struct known *known_first_of(const struct known *sandbox);
struct known *known_next_of(const struct known *member);

/**
 * known_take_pod() - what pod it is the sandbox of
 * @pod: owned from here on; NULL: nothing was told
 * Return: whether the pod is news.
 */
bool known_take_pod(struct known *sandbox, struct pod *pod);

#endif
