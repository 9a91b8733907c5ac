// SPDX-License-Identifier: Apache-2.0
// A view: what one source has said of one container, and as of which moments. Content is kept as
// an encoded record, some kilobytes at most, so that a thousand containers cost a few megabytes.
// Owned by the store.
#ifndef VIEW_H
#define VIEW_H

#include "container.h"

#include <stdbool.h>
#include <stdint.h>

struct view {
    struct view *next; // by worth, the best first
    unsigned row;      // the source's engine row, or VIEW_RESTORED
    int precedence;
    void *record; // encoded content; NULL: the source doesn't claim the container (any more)
    uint32_t size;
    // The moments its words count as of: the content by group, the status, any word at all, and its
    // word that the container is gone.
    uint64_t told[CMETA_GROUP_COUNT], status_told, confirmed, gone_at;
    uint8_t reason[CMETA_GROUP_COUNT]; // why a group isn't known
    bool has_status;
    uint32_t status; // CMETA_STATUS_* word
    uint32_t pid;
    uint64_t finished_ns;
};

// The pseudo source of what an earlier daemon left in the region.
#define VIEW_RESTORED UINT32_C(0xffff)

struct view *view_new(unsigned row, int precedence);
struct view *view_free(struct view *view); // returns NULL

// Outcomes. Negative: -ENOMEM, and the view is as it was.
enum view_change { VIEW_SAME = 0, VIEW_CHANGED = 1, VIEW_STALE = 2 };

/**
 * view_observe() - take over what an answer told
 * @asked: when its question was sent: groups of which something newer was said are left alone
 * Return: VIEW_CHANGED, VIEW_SAME, VIEW_STALE if all of it was older than what the view has.
 */
int view_observe(struct view *view, uint64_t asked, const struct container *container);

/**
 * view_status() - take over a state
 * @mask: bits of @word that are told; @pid, @finished_ns: below 0 if not told
 */
int view_status(struct view *view, uint64_t asked, uint32_t word, uint32_t mask, int64_t pid,
                int64_t finished_ns);

// Another name, the rest of the group as it was.
int view_rename(struct view *view, uint64_t asked, const char *name);

// The source doesn't claim it any more.
void view_gone(struct view *view, uint64_t asked);

/**
 * view_decode() - its content; *scratch is to be freed when done with it
 * Return: 0, -ENODATA if it claims nothing, -ENOMEM.
 */
int view_decode(const struct view *view, struct cmeta_container *content, void **scratch);

/**
 * view_store() - replace its content
 * Return: VIEW_CHANGED, VIEW_SAME if the bytes are the same, -ENOMEM.
 */
int view_store(struct view *view, const struct cmeta_container *content);

#endif
