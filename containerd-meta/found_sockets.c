// SPDX-License-Identifier: Apache-2.0
#include "found_sockets.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

// A socket with a row; a free place without a path.
struct found_socket {
    char *path;
    uint64_t gone_us; // when it vanished, CLOCK_MONOTONIC; 0: it is there
};

struct pattern {
    LIST_ENTRY(pattern) all;
    struct found_sockets *found;
    struct pattern_watch *watch;
    const char *name; // of the engine, static
    const struct engine_class *class;
    unsigned count, left_alone;
    struct found_socket sockets[FOUND_SOCKETS_MAX];
    struct log_limit refusals;
    char text[];
};

struct found_sockets {
    struct socket_watcher *watcher;
    const struct found_sockets_calls *calls;
    void *userdata;
    sd_event_source *linger;
    LIST_HEAD(, pattern) patterns;
};

static void note(struct pattern *pattern)
{
    pattern->found->calls->note(pattern->found->userdata, pattern->name, pattern->text,
                                pattern->count, pattern->left_alone > 0);
}

static struct found_socket *find(struct pattern *pattern, const char *path)
{
    for (size_t i = 0; i < FOUND_SOCKETS_MAX; i++)
        if (pattern->sockets[i].path && strcmp(pattern->sockets[i].path, path) == 0)
            return &pattern->sockets[i];
    return NULL;
}

// Return: NULL if there is no room, or no memory.
static struct found_socket *own(struct pattern *pattern, const char *path)
{
    for (size_t i = 0; i < FOUND_SOCKETS_MAX; i++) {
        struct found_socket *socket = &pattern->sockets[i];

        if (socket->path)
            continue;
        *socket = (struct found_socket){.path = strdup(path)};
        pattern->count += socket->path != NULL;
        return socket->path ? socket : NULL;
    }
    return NULL;
}

static void disown(struct pattern *pattern, struct found_socket *socket)
{
    free(socket->path);
    *socket = (struct found_socket){0};
    pattern->count--;
}

// --- coming --------------------------------------------------------------------------------------

static void take(struct pattern *pattern, const char *path)
{
    struct found_sockets *found = pattern->found;
    struct found_socket *socket = find(pattern, path);

    if (socket) {
        socket->gone_us = 0;
        return;
    }
    if (pattern->count >= FOUND_SOCKETS_MAX) {
        if (pattern->left_alone++ == 0)
            log_message(LOG_WARNING, pattern->name, pattern->text,
                        "more than %u sockets match; further ones are left alone",
                        FOUND_SOCKETS_MAX);
    } else {
        socket = own(pattern, path);
        if (socket && found->calls->add(found->userdata, pattern->name, pattern->class, path) < 0)
            disown(pattern, socket);
    }
    note(pattern);
}

static void refuse(struct pattern *pattern, const char *path)
{
    uint32_t suppressed;

    if (log_limit_pass(&pattern->refusals, clock_ns(CLOCK_MONOTONIC), &suppressed))
        log_message(LOG_WARNING, pattern->name, path,
                    "is left alone: it must be a socket, no link, that belongs to root or to the "
                    "user whose folder it is in");
}

// --- going ---------------------------------------------------------------------------------------

static void arm(struct found_sockets *found, uint64_t due_us)
{
    sd_event_source_set_time(found->linger, due_us);
    sd_event_source_set_enabled(found->linger, SD_EVENT_ONESHOT);
}

// It is gone, or nobody has said yet that it is still there.
static void doubt(struct pattern *pattern, struct found_socket *socket)
{
    int enabled = SD_EVENT_OFF;

    socket->gone_us = clock_us(CLOCK_MONOTONIC);
    sd_event_source_get_enabled(pattern->found->linger, &enabled);
    if (enabled == SD_EVENT_OFF)
        arm(pattern->found, socket->gone_us + FOUND_SOCKETS_LINGER_US);
}

static void miss(struct pattern *pattern, const char *path)
{
    struct found_socket *socket = find(pattern, path);

    if (socket) {
        doubt(pattern, socket);
        return;
    }
    pattern->left_alone -= pattern->left_alone > 0;
    note(pattern);
}

// Return: when the next one is due; UINT64_MAX if none is.
static uint64_t drop_due(struct pattern *pattern, uint64_t now)
{
    struct found_sockets *found = pattern->found;
    uint64_t next_due = UINT64_MAX;
    unsigned before = pattern->count;

    for (size_t i = 0; i < FOUND_SOCKETS_MAX; i++) {
        struct found_socket *socket = &pattern->sockets[i];
        uint64_t due = socket->gone_us + FOUND_SOCKETS_LINGER_US;

        if (!socket->path || socket->gone_us == 0)
            continue;
        if (due > now) {
            next_due = due < next_due ? due : next_due;
            continue;
        }
        found->calls->drop(found->userdata, pattern->name, socket->path);
        disown(pattern, socket);
    }
    if (pattern->count != before)
        note(pattern);
    return next_due;
}

static int begin_watch(struct pattern *pattern);

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct found_sockets *found = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC), next_due = UINT64_MAX;
    struct pattern *pattern;

    (void)source;
    (void)usec;
    LIST_FOREACH (pattern, &found->patterns, all) {
        uint64_t due = drop_due(pattern, now);

        next_due = due < next_due ? due : next_due;
        // There is room for those that were left alone: all are told again.
        if (pattern->left_alone && pattern->count < FOUND_SOCKETS_MAX) {
            pattern->left_alone = 0;
            begin_watch(pattern);
        }
    }
    if (next_due != UINT64_MAX)
        arm(found, next_due);
    return 0;
}

static void on_pattern(void *userdata, const char *path, enum pattern_outcome outcome)
{
    struct pattern *pattern = userdata;

    if (outcome == PATTERN_FOUND)
        take(pattern, path);
    else
        miss(pattern, path);
    if (outcome == PATTERN_REFUSED)
        refuse(pattern, path);
}

// --- life ----------------------------------------------------------------------------------------

static int begin_watch(struct pattern *pattern)
{
    for (size_t i = 0; i < FOUND_SOCKETS_MAX; i++)
        if (pattern->sockets[i].path)
            doubt(pattern, &pattern->sockets[i]);
    pattern->watch = pattern_watch_remove(pattern->watch);
    return pattern_watch_add(pattern->found->watcher, pattern->text, on_pattern, pattern,
                             &pattern->watch);
}

int found_sockets_watch(struct found_sockets *found, const char *name,
                        const struct engine_class *class, const char *text)
{
    size_t len = strlen(text);
    struct pattern *pattern = calloc(1, sizeof(*pattern) + len + 1);
    int r;

    if (!pattern)
        return -ENOMEM;
    memcpy(pattern->text, text, len + 1);
    pattern->found = found;
    pattern->name = name;
    pattern->class = class;
    r = begin_watch(pattern);
    if (r < 0) {
        free(pattern);
        return r;
    }
    LIST_INSERT_HEAD(&found->patterns, pattern, all);
    return 0;
}

void found_sockets_own(struct found_sockets *found, const char *path)
{
    struct pattern *pattern = LIST_FIRST(&found->patterns);
    struct found_socket *socket = find(pattern, path) ? NULL : own(pattern, path);

    if (!socket)
        return;
    doubt(pattern, socket);
    note(pattern);
}

void found_sockets_clear(struct found_sockets *found)
{
    while (!LIST_EMPTY(&found->patterns)) {
        struct pattern *pattern = LIST_FIRST(&found->patterns);

        for (size_t i = 0; i < FOUND_SOCKETS_MAX; i++)
            free(pattern->sockets[i].path);
        pattern_watch_remove(pattern->watch);
        LIST_REMOVE(pattern, all);
        free(pattern);
    }
    sd_event_source_set_enabled(found->linger, SD_EVENT_OFF);
}

int found_sockets_new(sd_event *event, struct socket_watcher *watcher,
                      const struct found_sockets_calls *calls, void *userdata,
                      struct found_sockets **out)
{
    struct found_sockets *found = calloc(1, sizeof(*found));
    int r;

    if (!found)
        return -ENOMEM;
    *found = (struct found_sockets){.watcher = watcher, .calls = calls, .userdata = userdata};
    LIST_INIT(&found->patterns);
    r = sd_event_add_time(event, &found->linger, CLOCK_MONOTONIC, 0, 0, on_linger, found);
    if (r >= 0)
        r = sd_event_source_set_enabled(found->linger, SD_EVENT_OFF);
    if (r < 0) {
        found_sockets_free(found);
        return r;
    }
    *out = found;
    return 0;
}

struct found_sockets *found_sockets_free(struct found_sockets *found)
{
    if (!found)
        return NULL;
    found_sockets_clear(found);
    sd_event_source_disable_unref(found->linger);
    free(found);
    return NULL;
}
