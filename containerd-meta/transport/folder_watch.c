// SPDX-License-Identifier: Apache-2.0
#include "folder_watch.h"

#include "containerd-meta/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_EVENTS                                                                        \
    (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE_SELF | \
     IN_ATTRIB)

// What a file is recognised by when it is looked at again.
struct stamp {
    uint64_t device, inode;
    int64_t size, changed_s, changed_ns; // ctime: a rename and a chmod count too
};

struct folder_entry {
    const char *name; // first: entries are found by it
    struct folder_watch *watch;
    struct socket_listener *inside; // of a subfolder
    uint64_t device, inode;         // of the subfolder that is listened to
    bool told, seen;
    struct stamp stamp;
    char text[]; // the name
};

struct folder_watch {
    sd_event_source *timer;
    struct socket_watcher *watcher;
    struct socket_watch *presence;
    struct socket_listener *listener;
    char *path;
    const char *inner;
    const struct folder_calls *calls;
    void *userdata;
    void *entries; // tree of struct folder_entry
    unsigned count;
    int error; // of opening it
    bool present, trusted, deaf, truncated, complete;
};

// --- opening -------------------------------------------------------------------------------------

// @beneath: whoever owns what is below `at` can't lead elsewhere.
static int open_at(int at, const char *path, int flags, bool beneath)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};

    int fd;

    if (flags & O_PATH)
        how.flags = (unsigned)(flags | O_CLOEXEC);
    if (!beneath) {
        fd = openat(at, path, (int)how.flags);
        return fd < 0 ? -errno : fd;
    }
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

static int read_all(int fd, size_t size, char *text, size_t *len)
{
    *len = 0;
    while (*len < size) {
        ssize_t n = read(fd, text + *len, size - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    return 0;
}

int folder_file_read(int at, const char *path, bool beneath, size_t max, char **out, size_t *len)
{
    CLEANUP(closep)
    int fd = -1;
    CLEANUP(freep)
    char *text = NULL;
    struct stat st;
    size_t size;
    int r;

    fd = open_at(at, path, O_RDONLY, beneath);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size < 0 || (size_t)st.st_size > max)
        return -EFBIG;
    size = st.st_size ? (size_t)st.st_size : max; // files of /proc have no size
    text = malloc(size + 2);
    if (!text)
        return -ENOMEM;
    r = read_all(fd, size + 1, text, len);
    if (r < 0)
        return r;
    if (*len > max)
        return -EFBIG;
    text[*len] = '\0';
    *out = TAKE(text);
    return 0;
}

static int open_folder(const struct folder_watch *watch, int flags)
{
    int fd = open(watch->path, flags | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int folder_watch_read(const struct folder_watch *watch, const char *name, const char *file,
                      size_t max, char **text, size_t *len)
{
    CLEANUP(closep)
    int at = open_folder(watch, O_PATH);
    char path[2 * NAME_MAX + 2];

    if (at < 0)
        return at;
    if (snprintf(path, sizeof(path), "%s%s%s", name, file ? "/" : "", file ? file : "") >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    return folder_file_read(at, path, !watch->trusted, max, text, len);
}

int64_t folder_watch_born_ns(const struct folder_watch *watch, const char *name, uid_t *owner)
{
    CLEANUP(closep)
    int at = open_folder(watch, O_PATH);
    CLEANUP(closep)
    int fd = at < 0 ? -1 : open_at(at, name, O_PATH, !watch->trusted);
    struct statx st;

    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_UID, &st) < 0)
        return 0;
    if (owner)
        *owner = st.stx_uid;
    return st.stx_mask & STATX_BTIME
               ? (int64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec
               : 0;
}

// --- entries -------------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct folder_entry *)a)->name, ((const struct folder_entry *)b)->name);
}

static struct folder_entry *find(struct folder_watch *watch, const char *name)
{
    const struct folder_entry wanted = {.name = name};
    void *node = tfind(&wanted, &watch->entries, compare);

    return node ? *(struct folder_entry **)node : NULL;
}

static struct folder_entry *find_or_add(struct folder_watch *watch, const char *name)
{
    struct folder_entry *entry = find(watch, name);
    size_t len = strlen(name) + 1;

    if (entry)
        return entry;
    if (watch->count == FOLDER_ENTRIES_MAX) {
        watch->truncated = true;
        return NULL;
    }
    entry = calloc(1, sizeof(*entry) + len);
    if (!entry)
        return NULL;
    memcpy(entry->text, name, len);
    entry->name = entry->text;
    entry->watch = watch;
    if (!tsearch(entry, &watch->entries, compare)) {
        free(entry);
        return NULL;
    }
    watch->count++;
    return entry;
}

static void forget(struct folder_watch *watch, struct folder_entry *entry)
{
    bool told = entry->told;

    tdelete(entry, &watch->entries, compare);
    watch->count--;
    socket_listener_remove(entry->inside);
    if (told)
        watch->calls->vanished(watch->userdata, entry->name);
    free(entry);
}

static void vanish(struct folder_watch *watch, struct folder_entry *entry)
{
    if (entry->told)
        watch->calls->vanished(watch->userdata, entry->name);
    entry->told = false;
}

static void on_inside(void *userdata, uint32_t mask, const char *name);
static void on_folder(void *userdata, uint32_t mask, const char *name);

// Listens to a subfolder, before its file is looked at.
static void listen_inside(struct folder_watch *watch, struct folder_entry *entry, int fd)
{
    char path[40];
    struct stat st;

    if (fstat(fd, &st) < 0 || (entry->inside && entry->device == st.st_dev && //
                               entry->inode == st.st_ino))
        return;
    entry->inside = socket_listener_remove(entry->inside);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (socket_listen(watch->watcher, path, FOLDER_EVENTS, on_inside, entry, &entry->inside) < 0)
        watch->deaf = true;
    entry->device = st.st_dev;
    entry->inode = st.st_ino;
}

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){st->st_dev, st->st_ino, st->st_size, st->st_ctim.tv_sec,
                          st->st_ctim.tv_nsec};
}

// The file that counts. Return: 0; -ENOENT and the like; -EINVAL if it is no regular file.
static int look_at_file(struct folder_watch *watch, struct folder_entry *entry, int at,
                        struct stamp *stamp)
{
    CLEANUP(closep)
    int inside = -1;
    CLEANUP(closep)
    int file = -1;
    struct stat st;

    if (watch->inner) {
        inside = open_at(at, entry->name, O_PATH | O_DIRECTORY, !watch->trusted);
        if (inside < 0)
            return inside;
        listen_inside(watch, entry, inside);
        at = inside;
    }
    file = open_at(at, watch->inner ? watch->inner : entry->name, O_PATH, !watch->trusted);
    if (file < 0)
        return file;
    if (fstat(file, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *stamp = stamp_of(&st);
    return 0;
}

// @again: tell of it though it looks the same.
static void look(struct folder_watch *watch, int at, const char *name, bool again)
{
    struct stamp stamp = {0};
    struct folder_entry *entry;
    int r;

    if (watch->calls->wanted && !watch->calls->wanted(name))
        return;
    entry = find_or_add(watch, name);
    if (!entry) {
        watch->complete = false;
        return;
    }
    entry->seen = true;
    r = look_at_file(watch, entry, at, &stamp);
    if (r == -ENOENT && !watch->inner) {
        forget(watch, entry);
    } else if (r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP || r == -EXDEV) {
        vanish(watch, entry); // is none: a subfolder that has no such file yet, a link, a socket
        if (!entry->inside)
            forget(watch, entry);
    } else if (r < 0) {
        watch->complete = false; // may not be looked at: what was told stands
    } else if (stamp.size == 0) {
        return; // about to be written: it says nothing
    } else if (again || !entry->told || memcmp(&stamp, &entry->stamp, sizeof(stamp)) != 0) {
        entry->told = true;
        entry->stamp = stamp;
        watch->calls->changed(watch->userdata, entry->name);
    }
}

static void look_once(struct folder_watch *watch, const char *name, bool again)
{
    CLEANUP(closep)
    int at = open_folder(watch, O_PATH);

    if (at >= 0)
        look(watch, at, name, again);
}

// --- the whole folder ----------------------------------------------------------------------------

struct gathering {
    struct folder_entry **entries;
    size_t count;
    bool all; // else those that weren't seen
};

static void gather(const void *node, VISIT visit, void *closure)
{
    struct gathering *gathering = closure;
    struct folder_entry *entry = *(struct folder_entry *const *)node;

    if ((visit == postorder || visit == leaf) && (gathering->all || !entry->seen))
        gathering->entries[gathering->count++] = entry;
}

static void forget_gathered(struct folder_watch *watch, bool all)
{
    struct gathering gathering = {.all = all};

    if (watch->count == 0)
        return;
    gathering.entries = calloc(watch->count, sizeof(struct folder_entry *));
    if (!gathering.entries)
        return; // the next scan forgets them
    twalk_r(watch->entries, gather, &gathering);
    for (size_t i = 0; i < gathering.count; i++)
        forget(watch, gathering.entries[i]);
    free(gathering.entries);
}

static void unsee(const void *node, VISIT visit, void *closure)
{
    (void)closure;
    if (visit == postorder || visit == leaf)
        (*(struct folder_entry *const *)node)->seen = false;
}

static bool is_roots_alone(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static void set_timer(struct folder_watch *watch)
{
    bool scanning = watch->present && folder_watch_degraded(watch);

    if (scanning)
        sd_event_source_set_time_relative(watch->timer, SOCKET_SCAN_US);
    sd_event_source_set_enabled(watch->timer, scanning ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void folder_watch_scan(struct folder_watch *watch)
{
    DIR *dir = NULL;
    const struct dirent *found;
    int fd = watch->present ? open_folder(watch, O_RDONLY) : -ENOENT;

    if (fd < 0 || !(dir = fdopendir(fd))) {
        if (fd >= 0)
            close(fd);
        if (!watch->present)
            return;
        watch->error = fd < 0 ? fd : -ENOMEM;
        watch->deaf = true;
        set_timer(watch);
        watch->calls->scanned(watch->userdata, false);
        return;
    }
    watch->error = 0;
    watch->trusted = is_roots_alone(fd);
    watch->complete = true;
    watch->truncated = watch->deaf = false;
    if (!watch->listener && socket_listen(watch->watcher, watch->path, FOLDER_EVENTS, on_folder,
                                          watch, &watch->listener) < 0)
        watch->deaf = true;
    twalk_r(watch->entries, unsee, NULL);
    while ((found = readdir(dir)))
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
            look(watch, fd, found->d_name, false);
    closedir(dir);
    forget_gathered(watch, false);
    watch->complete = watch->complete && !watch->truncated;
    set_timer(watch);
    watch->calls->scanned(watch->userdata, watch->complete);
}

// --- events --------------------------------------------------------------------------------------

static void scan_soon(struct folder_watch *watch)
{
    sd_event_source_set_time_relative(watch->timer, 0);
    sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    folder_watch_scan(userdata);
    return 0;
}

static bool is_new_content(uint32_t mask)
{
    return mask & (IN_CLOSE_WRITE | IN_MOVED_TO);
}

static void on_folder(void *userdata, uint32_t mask, const char *name)
{
    struct folder_watch *watch = userdata;

    if (mask & IN_IGNORED)
        watch->listener = socket_listener_remove(watch->listener);
    if (*name)
        look_once(watch, name, !watch->inner && is_new_content(mask));
    else
        scan_soon(watch);
}

static void on_inside(void *userdata, uint32_t mask, const char *name)
{
    struct folder_entry *entry = userdata;

    if (mask & IN_Q_OVERFLOW)
        return; // the folder's own listener was told
    if (mask & IN_IGNORED)
        entry->inside = socket_listener_remove(entry->inside);
    if (mask & IN_IGNORED || strcmp(name, entry->watch->inner) == 0)
        look_once(entry->watch, entry->name, is_new_content(mask));
}

static void on_presence(void *userdata, bool present, uint64_t inode)
{
    struct folder_watch *watch = userdata;

    (void)inode;
    watch->present = present;
    watch->listener = socket_listener_remove(watch->listener);
    if (present) {
        folder_watch_scan(watch);
        return;
    }
    forget_gathered(watch, true);
    set_timer(watch);
    watch->calls->absent(watch->userdata);
}

// --- life ----------------------------------------------------------------------------------------

int folder_watch_new(sd_event *event, struct socket_watcher *watcher, const char *path,
                     const char *inner, const struct folder_calls *calls, void *userdata,
                     struct folder_watch **out)
{
    struct folder_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    watch->watcher = watcher;
    watch->inner = inner;
    watch->calls = calls;
    watch->userdata = userdata;
    watch->path = strdup(path);
    r = watch->path ? sd_event_add_time_relative(event, &watch->timer, CLOCK_MONOTONIC, 0, 0,
                                                 on_timer, watch)
                    : -ENOMEM;
    if (r >= 0)
        r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = socket_watch_add_folder(watcher, path, on_presence, watch, &watch->presence);
    if (r < 0) {
        folder_watch_free(watch);
        return r;
    }
    *out = watch;
    return 0;
}

static void free_entry(void *node)
{
    struct folder_entry *entry = node;

    socket_listener_remove(entry->inside);
    free(entry);
}

struct folder_watch *folder_watch_free(struct folder_watch *watch)
{
    if (!watch)
        return NULL;
    socket_watch_remove(watch->presence);
    socket_listener_remove(watch->listener);
    tdestroy(watch->entries, free_entry);
    sd_event_source_disable_unref(watch->timer);
    free(watch->path);
    free(watch);
    return NULL;
}

bool folder_watch_degraded(const struct folder_watch *watch)
{
    return watch->deaf || socket_watch_degraded(watch->presence);
}

int folder_watch_error(const struct folder_watch *watch)
{
    return watch->error;
}

bool folder_watch_truncated(const struct folder_watch *watch)
{
    return watch->truncated;
}

bool folder_watch_trusted(const struct folder_watch *watch)
{
    return watch->trusted;
}
