// SPDX-License-Identifier: Apache-2.0
#include "view.h"

#include "cleanup.h"
#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct view *view_new(unsigned row, int precedence)
{
    struct view *view = calloc(1, sizeof(*view));

    if (view) {
        view->row = row;
        view->precedence = precedence;
    }
    return view;
}

struct view *view_free(struct view *view)
{
    if (view)
        free(view->record);
    free(view);
    return NULL;
}

int view_decode(const struct view *view, struct cmeta_container *content, void **scratch)
{
    struct cmeta_view bytes;

    if (!view->record || cmeta_view_init(&bytes, view->record, view->size) != 0)
        return -ENODATA;
    return cmeta_view_decode(&bytes, content, scratch);
}

int view_store(struct view *view, const struct cmeta_container *content)
{
    static uint64_t buffer[CMETA_RECORD_MAX / sizeof(uint64_t)]; // the loop's thread only
    int size = cmeta_record_encode(content, buffer, sizeof(buffer), NULL);
    void *record;

    if (size < 0)
        return size;
    if (view->record && view->size == (uint32_t)size &&
        memcmp(view->record, buffer, view->size) == 0)
        return VIEW_SAME;
    record = malloc((size_t)size);
    if (!record)
        return -ENOMEM;
    memcpy(record, buffer, (size_t)size);
    free(view->record);
    view->record = record;
    view->size = (uint32_t)size;
    return VIEW_CHANGED;
}

static bool take_status(struct view *view, const struct container *container)
{
    uint64_t finished =
        container->finished_ns < 0 ? view->finished_ns : (uint64_t)container->finished_ns;
    bool changed = !view->has_status || view->status != container->status ||
                   view->pid != container->pid || view->finished_ns != finished;

    view->has_status = true;
    view->status = container->status;
    view->pid = container->pid;
    view->finished_ns = finished;
    return changed;
}

// Group by group into `content`; returns how many were taken, counts the stale.
static unsigned take_groups(struct view *view, uint64_t asked, const struct cmeta_container *from,
                            struct cmeta_container *content, unsigned *stale)
{
    unsigned taken = 0;

    for (int g = 0; g < CMETA_GROUP_COUNT; g++) {
        enum cmeta_group group = (enum cmeta_group)g;
        bool known = from->known & CMETA_GROUP_BIT(g);

        if (known && asked < view->told[g]) {
            ++*stale;
        } else if (known) {
            content_take_group(content, from, group);
            content->reason[g] = CMETA_REASON_NONE;
            view->told[g] = asked;
            view->reason[g] = CMETA_REASON_NONE;
            taken++;
        } else if (!(content->known & CMETA_GROUP_BIT(g))) {
            content_overwrite_partial(content, from, group);
            if (from->reason[g])
                view->reason[g] = from->reason[g];
        }
    }
    return taken;
}

int view_observe(struct view *view, uint64_t asked, const struct container *container)
{
    struct cmeta_container content;
    CLEANUP(freep)
    void *scratch = NULL;
    unsigned taken, stale = 0;
    bool status = false;
    int r;

    if (asked < view->gone_at)
        return VIEW_STALE;
    r = view_decode(view, &content, &scratch);
    if (r == -ENODATA)
        content_init(&content);
    else if (r < 0)
        return r;
    taken = take_groups(view, asked, &container->content, &content, &stale);
    memset(content.source, 0, sizeof(content.source)); // the merge says who
    r = view_store(view, &content);
    if (r < 0)
        return r;
    if (container->has_status && asked >= view->status_told) {
        status = take_status(view, container);
        view->status_told = asked;
    }
    if (asked > view->confirmed)
        view->confirmed = asked;
    if (stale && !taken && !status)
        return VIEW_STALE;
    return r == VIEW_CHANGED || status ? VIEW_CHANGED : VIEW_SAME;
}

int view_status(struct view *view, uint64_t asked, uint32_t word, uint32_t mask, int64_t pid,
                int64_t finished_ns)
{
    const struct view before = *view;
    const bool told = mask != 0 || pid >= 0 || finished_ns >= 0;

    if (asked < view->gone_at || (told && asked < view->status_told))
        return VIEW_STALE;
    if (told) // else an older answer may still tell it
        view->status_told = asked;
    if (asked > view->confirmed)
        view->confirmed = asked;
    view->has_status |= told;
    view->status = (view->status & ~mask) | (word & mask);
    if (pid >= 0)
        view->pid = (uint32_t)pid;
    if (finished_ns >= 0)
        view->finished_ns = (uint64_t)finished_ns;
    return !before.has_status || before.status != view->status || before.pid != view->pid ||
                   before.finished_ns != view->finished_ns
               ? VIEW_CHANGED
               : VIEW_SAME;
}

int view_rename(struct view *view, uint64_t asked, const char *name)
{
    struct cmeta_container content;
    CLEANUP(freep)
    void *scratch = NULL;
    int r;

    if (asked < view->told[CMETA_GROUP_IDENTITY] || asked < view->gone_at)
        return VIEW_STALE;
    r = view_decode(view, &content, &scratch);
    if (r < 0)
        return r == -ENODATA ? VIEW_SAME : r;
    content.strings[CMETA_STRING_NAME] = (struct cmeta_str){name, (uint32_t)strlen(name)};
    r = view_store(view, &content);
    if (r >= 0)
        view->told[CMETA_GROUP_IDENTITY] = asked;
    if (asked > view->confirmed)
        view->confirmed = asked;
    return r;
}

void view_gone(struct view *view, uint64_t asked)
{
    free(view->record);
    view->record = NULL;
    view->size = 0;
    view->has_status = false;
    view->status = view->pid = 0;
    view->finished_ns = 0;
    if (asked > view->gone_at)
        view->gone_at = asked;
    memset(view->told, 0, sizeof(view->told));
    memset(view->reason, 0, sizeof(view->reason));
    view->status_told = 0;
}
