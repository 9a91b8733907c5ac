// SPDX-License-Identifier: Apache-2.0
#include "pattern_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// A name that stands for "*", and the socket behind it.
struct name {
    struct pattern_watch *watch;
    struct socket_watch *socket;
    bool there;  // in the last look
    bool told;   // as found or refused
    char *path;  // the socket's
    char text[]; // the name
};

struct pattern_watch {
    struct socket_watcher *watcher;
    struct socket_watch *folder;
    char *pattern;
    unsigned count;
    struct name *names[PATTERN_NAMES_MAX]; // the first `count`
    void (*on_change)(void *userdata, const char *path, enum pattern_outcome outcome);
    void *userdata;
};

// --- the pattern ---------------------------------------------------------------------------------

bool pattern_is(const char *path)
{
    const char *star = strstr(path, "/*/");

    return star && star > path && star[3] && strchr(path, '*') == star + 1 &&
           !strchr(star + 2, '*');
}

static size_t folder_len(const char *pattern)
{
    return (size_t)(strstr(pattern, "/*/") - pattern);
}

static void make_path(const char *pattern, const char *name, char out[PATH_MAX])
{
    size_t len = folder_len(pattern);

    snprintf(out, PATH_MAX, "%.*s/%s%s", (int)len, pattern, name, pattern + len + 2);
}

static bool is_name(const char *name)
{
    return *name != '.' && strlen(name) <= NAME_MAX / 2;
}

// --- whose it is ---------------------------------------------------------------------------------

static bool belongs_to(uid_t owner, const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);

    return owner == 0 || *end || end == name || number == owner;
}

static enum pattern_outcome judge(const char *pattern, const char *name, const char *path)
{
    char folder[PATH_MAX];
    struct stat place, socket;

    snprintf(folder, sizeof(folder), "%.*s/%s", (int)folder_len(pattern), pattern, name);
    if (lstat(folder, &place) < 0 || lstat(path, &socket) < 0)
        return PATTERN_GONE;
    return S_ISDIR(place.st_mode) && S_ISSOCK(socket.st_mode) && belongs_to(place.st_uid, name) &&
                   (socket.st_uid == 0 || socket.st_uid == place.st_uid)
               ? PATTERN_FOUND
               : PATTERN_REFUSED;
}

void pattern_scan(const char *pattern, void (*found)(void *userdata, const char *path),
                  void *userdata)
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%.*s", (int)folder_len(pattern), pattern);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        make_path(pattern, entry->d_name, path);
        if (is_name(entry->d_name) && judge(pattern, entry->d_name, path) == PATTERN_FOUND)
            found(userdata, path);
    }
    if (dir)
        closedir(dir);
}

// --- names ---------------------------------------------------------------------------------------

static void on_socket(void *userdata, bool present, uint64_t inode)
{
    struct name *name = userdata;
    struct pattern_watch *watch = name->watch;
    enum pattern_outcome outcome =
        present ? judge(watch->pattern, name->text, name->path) : PATTERN_GONE;

    (void)inode;
    if (outcome == PATTERN_GONE && !name->told)
        return;
    name->told = outcome != PATTERN_GONE;
    watch->on_change(watch->userdata, name->path, outcome);
}

static struct name *find(const struct pattern_watch *watch, const char *text)
{
    for (unsigned i = 0; i < watch->count; i++)
        if (strcmp(watch->names[i]->text, text) == 0)
            return watch->names[i];
    return NULL;
}

static void free_name(struct name *name)
{
    if (name->socket)
        socket_watch_remove(name->socket);
    free(name->path);
    free(name);
}

static void add(struct pattern_watch *watch, const char *text)
{
    struct name *name;
    char path[PATH_MAX];

    if (watch->count >= PATTERN_NAMES_MAX)
        return;
    name = calloc(1, sizeof(*name) + strlen(text) + 1);
    if (!name)
        return;
    make_path(watch->pattern, text, path);
    memcpy(name->text, text, strlen(text) + 1);
    name->watch = watch;
    name->there = true;
    name->path = strdup(path);
    if (!name->path || socket_watch_add(watch->watcher, path, on_socket, name, &name->socket) < 0) {
        free_name(name);
        return;
    }
    watch->names[watch->count++] = name;
}

// Those that went are told before new ones are taken in: there may be room then.
static void drop_gone(struct pattern_watch *watch)
{
    unsigned left = 0;

    for (unsigned i = 0; i < watch->count; i++) {
        struct name *name = watch->names[i];

        if (name->there) {
            watch->names[left++] = name;
            continue;
        }
        if (name->told)
            watch->on_change(watch->userdata, name->path, PATTERN_GONE);
        free_name(name);
    }
    watch->count = left;
}

static void each_entry(struct pattern_watch *watch,
                       void (*visit)(struct pattern_watch *watch, const char *text))
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%.*s", (int)folder_len(watch->pattern), watch->pattern);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (is_name(entry->d_name))
            visit(watch, entry->d_name);
    if (dir)
        closedir(dir);
}

static void mark(struct pattern_watch *watch, const char *text)
{
    struct name *name = find(watch, text);

    if (name)
        name->there = true;
}

static void add_missing(struct pattern_watch *watch, const char *text)
{
    if (!find(watch, text))
        add(watch, text);
}

static void on_folder(void *userdata, bool present, uint64_t inode)
{
    struct pattern_watch *watch = userdata;

    (void)present;
    (void)inode;
    for (unsigned i = 0; i < watch->count; i++)
        watch->names[i]->there = false;
    each_entry(watch, mark);
    drop_gone(watch);
    each_entry(watch, add_missing);
}

// --- life ----------------------------------------------------------------------------------------

int pattern_watch_add(struct socket_watcher *watcher, const char *pattern,
                      void (*on_change)(void *userdata, const char *path,
                                        enum pattern_outcome outcome),
                      void *userdata, struct pattern_watch **out)
{
    char folder[PATH_MAX];
    struct pattern_watch *watch;
    int r;

    if (!pattern_is(pattern) || strlen(pattern) >= PATH_MAX / 2)
        return -EINVAL;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->watcher = watcher;
    watch->on_change = on_change;
    watch->userdata = userdata;
    watch->pattern = strdup(pattern);
    snprintf(folder, sizeof(folder), "%.*s", (int)folder_len(pattern), pattern);
    r = watch->pattern ? socket_watch_add_entries(watcher, folder, on_folder, watch, &watch->folder)
                       : -ENOMEM;
    if (r < 0) {
        pattern_watch_remove(watch);
        return r;
    }
    *out = watch;
    return 0;
}

struct pattern_watch *pattern_watch_remove(struct pattern_watch *watch)
{
    if (!watch)
        return NULL;
    for (unsigned i = 0; i < watch->count; i++)
        free_name(watch->names[i]);
    if (watch->folder)
        socket_watch_remove(watch->folder);
    free(watch->pattern);
    free(watch);
    return NULL;
}
