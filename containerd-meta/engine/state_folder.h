// SPDX-License-Identifier: Apache-2.0
// The containers of an engine that keeps its state in files: an item for each entry of its folder,
// the ID under which the sink knows it, its first process and that one's end; and the engine's row.
//
// Embedded in an engine's instance. Belongs to the loop's thread.
#ifndef STATE_FOLDER_H
#define STATE_FOLDER_H

#include "containerd-meta/transport/folder_watch.h"
#include "engine.h"
#include "process.h"

#define STATE_FOLDER_UPKEEP_US UINT64_C(10000000)

struct state_folder;

// An engine's own item begins with this.
struct state_item {
    char *name; // of the entry
    struct state_folder *folder;
    char id[CMETA_ID_MAX + 1]; // "": not told of so far
    pid_t pid;                 // of its first process; 0: none is known
    uint64_t ticks;            // its start, as /proc has it
    int64_t started_ns;
    sd_event_source *end;
    bool pending; // what it is called isn't sure yet: a list without it would be wrong
};

struct state_folder_calls {
    size_t item_size;
    const char *inner;                // see folder_watch_new()
    bool (*wanted)(const char *name); // may be NULL
    // It is new, or its file is: read it and tell the sink, now or later.
    void (*changed)(struct state_item *item);
    // Its first process is gone; pid is 0 already.
    void (*ended)(struct state_item *item);
    // Every ten seconds. May be NULL.
    void (*upkeep)(struct state_item *item);
    // It goes; the sink has been told. May be NULL.
    void (*forget)(struct state_item *item);
};

struct state_folder {
    const struct engine_host *host;
    const struct state_folder_calls *calls;
    const char *scope;
    struct folder_watch *watch;
    struct folder_calls watch_calls;
    sd_event_source *upkeep;
    void *items; // tree
    unsigned count, pending;
    bool listed; // scanned() since the last complete list
    enum cmeta_engine_state state;
    char error[256];                 // of the items, since the last scan
    const struct state_item *faulty; // whose it is
};

/**
 * state_folder_open() - begin
 * @folder: zero-initialised; lives as long as the instance
 * @path:   where; may be another place than host->socket
 * @scope:  of the containers' IDs; lives as long
 * Return: 0 or -errno; state_folder_close() it in either case.
 */
int state_folder_open(struct state_folder *folder, const struct engine_host *host, const char *path,
                      const char *scope, const struct state_folder_calls *calls);
// No call and no word to the sink afterwards.
void state_folder_close(struct state_folder *folder);

// Look through all of it again.
void state_folder_relist(struct state_folder *folder);

struct state_item *state_folder_find(struct state_folder *folder, const char *name);
void state_folder_each(struct state_folder *folder, void (*visit)(struct state_item *item));

// A fault of one item: for the row and the debug log.
void state_item_note(struct state_item *item, const char *text, int error);

// Whether its ID isn't sure: while there is such an item, no list is complete.
void state_item_set_pending(struct state_item *item, bool pending);

// Its ID from now on; what was known under another one is gone.
void state_item_identify(struct state_item *item, const char *id);

/**
 * state_item_follow() - its first process from now on; 0: it has none
 * @pid: believed only if there is such a process. Its end is heard of where the kernel tells it,
 *       else found by upkeep.
 */
void state_item_follow(struct state_item *item, pid_t pid);

// Whether the process that is followed is there no more.
bool state_item_is_over(const struct state_item *item);

#endif
