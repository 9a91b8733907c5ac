// SPDX-License-Identifier: Apache-2.0
#include "state_folder.h"

#include "containerd-meta/log.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the row -------------------------------------------------------------------------------------

static void tell_state(struct state_folder *folder, enum cmeta_engine_state state,
                       const char *error)
{
    const struct engine_host *host = folder->host;
    bool degraded = folder->watch && folder_watch_degraded(folder->watch);

    if (folder->state != state && state == CMETA_ENGINE_CONNECTED)
        log_message(LOG_INFO, host->name, host->socket, "connected");
    folder->state = state;
    host->sink->state(host->sink, state, degraded ? CMETA_ENGINE_DEGRADED : 0, "", error);
}

void state_item_note(struct state_item *item, const char *text, int error)
{
    struct state_folder *folder = item->folder;
    const struct engine_host *host = folder->host;

    snprintf(folder->error, sizeof(folder->error), "%.80s: %s%s%s", item->name, text,
             error ? ": " : "", error ? strerror(-error) : "");
    folder->faulty = item;
    log_message(LOG_DEBUG, host->name, host->socket, "%s", folder->error);
    host->sink->count(host->sink, 0, 1, 0, 0);
    if (folder->state == CMETA_ENGINE_CONNECTED)
        tell_state(folder, folder->state, folder->error);
}

// Its file is another one, or it goes: what was said against it is void.
static void clear_fault(const struct state_item *item)
{
    struct state_folder *folder = item->folder;

    if (folder->faulty != item)
        return;
    folder->faulty = NULL;
    *folder->error = '\0';
    tell_state(folder, folder->state, "");
}

// --- items ---------------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct state_item *)a)->name, ((const struct state_item *)b)->name);
}

struct state_item *state_folder_find(struct state_folder *folder, const char *name)
{
    char copy[CMETA_ID_MAX + 1];
    const struct state_item wanted = {.name = copy};
    void *node;

    if (snprintf(copy, sizeof(copy), "%s", name) >= (int)sizeof(copy))
        return NULL;
    node = tfind(&wanted, &folder->items, compare);
    return node ? *(struct state_item **)node : NULL;
}

static void arm_upkeep(struct state_folder *folder)
{
    sd_event_source_set_time_relative(folder->upkeep, STATE_FOLDER_UPKEEP_US);
    sd_event_source_set_enabled(folder->upkeep, SD_EVENT_ONESHOT);
}

static struct state_item *add(struct state_folder *folder, const char *name)
{
    struct state_item *item;

    if (strlen(name) > CMETA_ID_MAX)
        return NULL; // no file name is as long
    item = calloc(1, folder->calls->item_size);
    if (!item)
        return NULL;
    item->folder = folder;
    item->name = strdup(name);
    if (!item->name || !tsearch(item, &folder->items, compare)) {
        free(item->name);
        free(item);
        return NULL;
    }
    if (folder->count++ == 0)
        arm_upkeep(folder);
    return item;
}

static void stop_following(struct state_item *item)
{
    item->end = sd_event_source_disable_unref(item->end);
    item->pid = 0;
    item->ticks = 0;
    item->started_ns = 0;
}

static void release(struct state_item *item)
{
    if (item->folder->calls->forget)
        item->folder->calls->forget(item);
    stop_following(item);
    free(item->name);
    free(item);
}

static void release_node(void *node)
{
    release(node);
}

static void withdraw(struct state_item *item)
{
    struct engine_sink *sink = item->folder->host->sink;

    if (*item->id)
        sink->gone(sink, sink->stamp(sink), item->id, strlen(item->id), item->folder->scope);
    *item->id = '\0';
}

void state_item_identify(struct state_item *item, const char *id)
{
    if (strcmp(item->id, id) == 0)
        return;
    withdraw(item);
    snprintf(item->id, sizeof(item->id), "%s", id);
}

struct visiting {
    void (*visit)(struct state_item *item);
};

static void visit_node(const void *node, VISIT visit, void *closure)
{
    if (visit == postorder || visit == leaf)
        ((struct visiting *)closure)->visit(*(struct state_item *const *)node);
}

void state_folder_each(struct state_folder *folder, void (*visit)(struct state_item *item))
{
    struct visiting visiting = {visit};

    twalk_r(folder->items, visit_node, &visiting);
}

// --- processes -----------------------------------------------------------------------------------

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct state_item *item = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    stop_following(item);
    item->folder->calls->ended(item);
    return 0;
}

void state_item_follow(struct state_item *item, pid_t pid)
{
    const struct engine_host *host = item->folder->host;
    uint64_t ticks = 0;
    int64_t started_ns = pid > 0 ? process_started_ns(host->host_root, pid, &ticks) : 0;

    if (started_ns && pid == item->pid && ticks == item->ticks)
        return;
    stop_following(item);
    if (!started_ns)
        return;
    item->pid = pid;
    item->ticks = ticks;
    item->started_ns = started_ns;
    // Where its end isn't told, upkeep sees it.
    if (process_watch(host->event, host->host_root, pid, on_end, item, &item->end) == -ESRCH)
        stop_following(item);
}

bool state_item_is_over(const struct state_item *item)
{
    uint64_t ticks = 0;

    return item->pid > 0 &&
           (process_started_ns(item->folder->host->host_root, item->pid, &ticks) == 0 ||
            ticks != item->ticks);
}

// --- lists ---------------------------------------------------------------------------------------

static void confirm(struct state_item *item)
{
    struct engine_sink *sink = item->folder->host->sink;

    if (*item->id)
        sink->status(sink, sink->stamp(sink), item->id, strlen(item->id), item->folder->scope, 0, 0,
                     -1, -1);
}

// Each is told to be there still, then that there are no others.
static void complete(struct state_folder *folder)
{
    struct engine_sink *sink = folder->host->sink;
    engine_stamp asked;

    if (!folder->listed || folder->pending)
        return;
    folder->listed = false;
    asked = sink->stamp(sink);
    state_folder_each(folder, confirm);
    sink->list_complete(sink, asked);
    tell_state(folder, CMETA_ENGINE_CONNECTED, folder->error);
}

void state_item_set_pending(struct state_item *item, bool pending)
{
    if (item->pending == pending)
        return;
    item->pending = pending;
    item->folder->pending += pending ? 1 : -1u;
    complete(item->folder);
}

static void on_changed(void *userdata, const char *name)
{
    struct state_folder *folder = userdata;
    struct engine_sink *sink = folder->host->sink;
    struct state_item *item = state_folder_find(folder, name);

    sink->count(sink, 1, 0, 0, 0);
    if (!item)
        item = add(folder, name);
    if (!item) {
        sink->count(sink, 0, 0, 0, 1);
        return;
    }
    clear_fault(item);
    folder->calls->changed(item);
}

static void on_vanished(void *userdata, const char *name)
{
    struct state_folder *folder = userdata;
    struct engine_sink *sink = folder->host->sink;
    struct state_item *item = state_folder_find(folder, name);

    sink->count(sink, 1, 0, 0, 0);
    if (!item)
        return;
    clear_fault(item);
    withdraw(item);
    tdelete(item, &folder->items, compare);
    folder->count--;
    if (item->pending)
        folder->pending--;
    release(item);
    complete(folder);
}

static void on_scanned(void *userdata, bool whole)
{
    struct state_folder *folder = userdata;

    if (folder_watch_truncated(folder->watch))
        snprintf(folder->error, sizeof(folder->error),
                 "more than %u containers: the rest is left out", FOLDER_ENTRIES_MAX);
    if (whole) {
        folder->listed = true;
        if (folder->pending && folder->state != CMETA_ENGINE_CONNECTED)
            tell_state(folder, CMETA_ENGINE_LISTING, "");
        complete(folder);
        return;
    }
    if (folder_watch_error(folder->watch))
        tell_state(folder, CMETA_ENGINE_FAILED, strerror(-folder_watch_error(folder->watch)));
    else
        tell_state(folder, CMETA_ENGINE_CONNECTED,
                   *folder->error ? folder->error : "a part of it can't be read");
}

static void on_absent(void *userdata)
{
    struct state_folder *folder = userdata;

    *folder->error = '\0';
    folder->listed = false;
    tell_state(folder, CMETA_ENGINE_WAITING, "");
}

// --- upkeep --------------------------------------------------------------------------------------

static void look_after(struct state_item *item)
{
    if (!item->end && state_item_is_over(item)) {
        stop_following(item);
        item->folder->calls->ended(item);
    }
    if (item->folder->calls->upkeep)
        item->folder->calls->upkeep(item);
}

static int on_upkeep(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct state_folder *folder = userdata;

    (void)source;
    (void)usec;
    if (folder->count == 0)
        return 0; // the next item arms it again
    arm_upkeep(folder);
    state_folder_each(folder, look_after);
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

int state_folder_open(struct state_folder *folder, const struct engine_host *host, const char *path,
                      const char *scope, const struct state_folder_calls *calls)
{
    int r;

    folder->host = host;
    folder->calls = calls;
    folder->scope = scope;
    folder->watch_calls = (struct folder_calls){.wanted = calls->wanted,
                                                .changed = on_changed,
                                                .vanished = on_vanished,
                                                .scanned = on_scanned,
                                                .absent = on_absent};
    r = sd_event_add_time_relative(host->event, &folder->upkeep, CLOCK_MONOTONIC,
                                   STATE_FOLDER_UPKEEP_US, 0, on_upkeep, folder);
    if (r >= 0)
        r = sd_event_source_set_enabled(folder->upkeep, SD_EVENT_OFF);
    return r < 0 ? r
                 : folder_watch_new(host->event, host->sockets, path, calls->inner,
                                    &folder->watch_calls, folder, &folder->watch);
}

void state_folder_close(struct state_folder *folder)
{
    folder->watch = folder_watch_free(folder->watch);
    tdestroy(folder->items, release_node);
    folder->items = NULL;
    folder->count = folder->pending = 0;
    folder->upkeep = sd_event_source_disable_unref(folder->upkeep);
}

void state_folder_relist(struct state_folder *folder)
{
    *folder->error = '\0';
    if (folder->watch)
        folder_watch_scan(folder->watch);
}
