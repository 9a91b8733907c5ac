// SPDX-License-Identifier: Apache-2.0
#include "socket_watch.h"

#include "containerd-meta/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
// Mount tables change in bursts, when a container starts for one.
#define MOUNTS_SETTLE_US UINT64_C(20000)
#define MOUNTS_AGAIN_US  UINT64_C(1000000) // a node that starts containers mounts all the time

// A folder that inotify watches, for one or more places and listeners.
struct folder {
    struct folder *next;
    int wd;
    bool ended; // by the kernel: its wd may be another's by now
    unsigned users;
    struct socket_listener *listeners;
};
#define FOLDER_BUCKETS 256u // by wd

struct socket_listener {
    struct socket_watcher *watcher;
    struct socket_listener *next; // of the folder; of those to be freed
    struct folder *folder;
    void (*on_event)(void *userdata, uint32_t mask, const char *name);
    void *userdata;
    bool removed;
};

// One thing on the way to a socket: a name, and the folder it is looked up in.
struct step {
    struct folder *folder;
    char name[NAME_MAX + 1];
};

struct way {
    struct step *steps;
    size_t count;
};

struct identity {
    uint64_t device, inode;
    // A socket's birth; 0 where the file system doesn't say: then inodes aren't reused soon
    // (tmpfs). The last change of a folder whose entries count.
    int64_t time_s;
    uint32_t time_ns;
};

enum watched {
    WATCHED_SOCKET,
    WATCHED_FOLDER,  // itself
    WATCHED_ENTRIES, // and what comes and goes in it
};

struct socket_watch {
    struct socket_watcher *watcher;
    struct socket_watch *next, **link;
    char *path;
    struct way way;
    enum watched watched;
    bool dirty;   // to be looked at
    bool stirred; // an entry came or went
    bool degraded, told, present, removed;
    struct identity identity;
    void (*on_change)(void *userdata, bool present, uint64_t inode);
    void *userdata;
};

struct socket_watcher {
    sd_event *event;
    int fd;     // inotify, -1 if there is none to be had
    int mounts; // /proc/self/mountinfo
    sd_event_source *io, *mounts_io, *settle, *scan, *first;
    uint64_t settled_us; // when mounts were last looked at; CLOCK_MONOTONIC
    struct folder *folders[FOLDER_BUCKETS];
    unsigned folder_count, folder_max;
    uint64_t scan_us;
    struct socket_watch *watches;
    bool degraded, listeners_removed;
    unsigned depth; // of callbacks: removed watches and listeners are freed at 0
};

// --- folders -------------------------------------------------------------------------------------

static struct folder **folder_bucket(struct socket_watcher *watcher, int wd)
{
    return &watcher->folders[(unsigned)wd % FOLDER_BUCKETS];
}

static struct folder *folder_find(struct socket_watcher *watcher, int wd)
{
    struct folder *folder = *folder_bucket(watcher, wd);

    while (folder && (folder->wd != wd || folder->ended))
        folder = folder->next;
    return folder;
}

static void folder_release(struct socket_watcher *watcher, struct folder *folder)
{
    struct folder **link = folder_bucket(watcher, folder->wd);

    if (--folder->users > 0)
        return;
    while (*link && *link != folder)
        link = &(*link)->next;
    if (*link)
        *link = folder->next;
    if (!folder->ended)
        inotify_rm_watch(watcher->fd, folder->wd);
    watcher->folder_count--;
    free(folder);
}

// Return: 0; -ENOENT or -ENOTDIR; else why it can't be watched.
static int folder_watch(struct socket_watcher *watcher, const char *path, uint32_t mask,
                        struct folder **out)
{
    struct folder *folder, **bucket;
    int wd;

    if (watcher->fd < 0)
        return -EMFILE;
    // The same folder has the same descriptor, by whatever path it is reached, and one mask.
    wd = inotify_add_watch(watcher->fd, path, mask | IN_ONLYDIR | IN_MASK_ADD);
    if (wd < 0)
        return -errno;
    folder = folder_find(watcher, wd);
    if (!folder) {
        if (watcher->folder_count < watcher->folder_max)
            folder = calloc(1, sizeof(*folder));
        if (!folder) {
            inotify_rm_watch(watcher->fd, wd);
            return -ENOSPC;
        }
        bucket = folder_bucket(watcher, wd);
        folder->wd = wd;
        folder->next = *bucket;
        *bucket = folder;
        watcher->folder_count++;
    }
    folder->users++;
    *out = folder;
    return 0;
}

static void way_release(struct socket_watcher *watcher, struct way *way)
{
    for (size_t i = 0; i < way->count; i++)
        folder_release(watcher, way->steps[i].folder);
    free(way->steps);
    *way = (struct way){0};
}

static int way_add(struct way *way, struct folder *folder, const char *name)
{
    struct step *steps = realloc(way->steps, (way->count + 1) * sizeof(*steps));

    if (!steps)
        return -ENOMEM;
    way->steps = steps;
    steps[way->count].folder = folder;
    snprintf(steps[way->count].name, sizeof(steps->name), "%s", name);
    way->count++;
    return 0;
}

// --- the walk ------------------------------------------------------------------------------------

struct walk {
    struct socket_watcher *watcher;
    struct way way;
    char here[PATH_MAX]; // a folder, without links; "" is the root
    char left[PATH_MAX]; // what is still to be walked
    char name[NAME_MAX + 1];
    unsigned links;
    bool degraded;
};

// Takes the next name off what is left. Return: false if there is none, or it can't be one.
static bool walk_next(struct walk *walk)
{
    char *at = walk->left + strspn(walk->left, "/");
    size_t len = strcspn(at, "/");

    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(walk->name, at, len);
    walk->name[len] = '\0';
    memmove(walk->left, at + len, strlen(at + len) + 1);
    return true;
}

static bool walk_down(struct walk *walk)
{
    size_t used = strlen(walk->here), len = strlen(walk->name);

    if (used + 1 + len >= sizeof(walk->here))
        return false;
    walk->here[used] = '/';
    memcpy(walk->here + used + 1, walk->name, len + 1);
    return true;
}

static void walk_up(struct walk *walk)
{
    char *slash = strrchr(walk->here, '/');

    if (slash)
        *slash = '\0';
}

// Stands at a symbolic link: its target goes before what is left.
static bool walk_link(struct walk *walk)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t len = readlink(walk->here, target, sizeof(target) - 1);
    int n;

    if (len <= 0 || ++walk->links > LINKS_MAX)
        return false;
    target[len] = '\0';
    memcpy(rest, walk->left, strlen(walk->left) + 1);
    n = snprintf(walk->left, sizeof(walk->left), "%s%s", target, rest);
    if (target[0] == '/')
        walk->here[0] = '\0';
    else
        walk_up(walk);
    return n < (int)sizeof(walk->left);
}

// Watches the folder it stands in for the name that comes next. Return: false if it isn't there.
static bool walk_watch(struct walk *walk)
{
    const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF |
                          IN_MOVE_SELF | IN_DONT_FOLLOW;
    struct folder *folder = NULL;
    int r = folder_watch(walk->watcher, walk->here[0] ? walk->here : "/", mask, &folder);

    if (r == -ENOENT || r == -ENOTDIR)
        return false; // gone this moment: the folder above is watched and tells
    if (r == 0 && folder && way_add(&walk->way, folder, walk->name) < 0) {
        folder_release(walk->watcher, folder);
        r = -ENOMEM;
    }
    if (r < 0)
        walk->degraded = true;
    return true;
}

// Any name in the folder it stands at.
static bool walk_watch_entries(struct walk *walk)
{
    walk->name[0] = '\0';
    return walk_watch(walk);
}

static void identify(const struct statx *st, bool entries, struct identity *identity)
{
    *identity = (struct identity){.device = (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor,
                                  .inode = st->stx_ino};
    if (entries) {
        identity->time_s = st->stx_mtime.tv_sec;
        identity->time_ns = st->stx_mtime.tv_nsec;
    } else if (st->stx_mask & STATX_BTIME) {
        identity->time_s = st->stx_btime.tv_sec;
        identity->time_ns = st->stx_btime.tv_nsec;
    }
}

// Where the path leads now, every folder on the way watched before it is looked into: what changes
// meanwhile is seen by the one or the other. Return: whether what is looked for is there.
static bool walk_all(struct walk *walk, enum watched watched, struct identity *identity)
{
    struct statx st = {0};

    while (walk_next(walk)) {
        if (strcmp(walk->name, ".") == 0)
            continue;
        if (strcmp(walk->name, "..") == 0) {
            walk_up(walk);
            continue;
        }
        if (!walk_watch(walk) || !walk_down(walk) ||
            statx(AT_FDCWD, walk->here, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                  STATX_TYPE | STATX_INO | STATX_BTIME | STATX_MTIME, &st) < 0)
            return false;
        if (S_ISLNK(st.stx_mode) && !walk_link(walk))
            return false;
    }
    if ((st.stx_mode & S_IFMT) != (watched == WATCHED_SOCKET ? S_IFSOCK : S_IFDIR) ||
        (watched == WATCHED_ENTRIES && !walk_watch_entries(walk)))
        return false;
    identify(&st, watched == WATCHED_ENTRIES, identity);
    return true;
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->time_s == b->time_s &&
           a->time_ns == b->time_ns;
}

static void look(struct socket_watch *watch)
{
    struct walk walk = {.watcher = watch->watcher};
    struct identity identity = {0};
    bool present, stirred = watch->stirred;

    watch->dirty = watch->stirred = false;
    snprintf(walk.left, sizeof(walk.left), "%s", watch->path);
    present = walk_all(&walk, watch->watched, &identity);
    // Only now the old ones: folders on both ways stay watched without a gap.
    way_release(watch->watcher, &watch->way);
    watch->way = walk.way;
    watch->degraded = walk.degraded;
    if (watch->told && present == watch->present && !stirred && same(&identity, &watch->identity))
        return;
    watch->told = true;
    watch->present = present;
    watch->identity = identity;
    watch->on_change(watch->userdata, present, identity.inode);
}

// --- events --------------------------------------------------------------------------------------

static void watch_free(struct socket_watch *watch)
{
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    way_release(watch->watcher, &watch->way);
    free(watch->path);
    free(watch);
}

static void arm(sd_event_source *timer, uint64_t after_us)
{
    sd_event_source_set_time_relative(timer, after_us);
    sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void free_removed_listeners(struct socket_watcher *watcher)
{
    watcher->listeners_removed = false;
    for (unsigned i = 0; i < FOLDER_BUCKETS; i++)
        for (struct folder *folder = watcher->folders[i], *next; folder; folder = next) {
            struct socket_listener **link = &folder->listeners, *listener;

            next = folder->next;
            folder->users++; // until the list has been walked
            while ((listener = *link)) {
                if (!listener->removed) {
                    link = &listener->next;
                    continue;
                }
                *link = listener->next;
                free(listener);
                folder->users--;
            }
            folder_release(watcher, folder);
        }
}

static void look_at_dirty(struct socket_watcher *watcher)
{
    bool degraded = watcher->fd < 0;

    if (watcher->depth == 0 && watcher->listeners_removed)
        free_removed_listeners(watcher);
    watcher->depth++;
    for (struct socket_watch *watch = watcher->watches; watch; watch = watch->next)
        if (watch->dirty && !watch->removed)
            look(watch);
    watcher->depth--;
    for (struct socket_watch *watch = watcher->watches, *next; watch; watch = next) {
        next = watch->next;
        if (watch->removed)
            watch_free(watch);
        else
            degraded = degraded || watch->degraded;
    }
    if (degraded && !watcher->degraded)
        arm(watcher->scan, watcher->scan_us);
    watcher->degraded = degraded;
}

static void all_dirty(struct socket_watcher *watcher)
{
    for (struct socket_watch *watch = watcher->watches; watch; watch = watch->next)
        watch->dirty = true;
}

// Those on whose way this folder lies, and to whom this name in it matters (NULL: any).
static void mark_dirty(struct socket_watcher *watcher, const struct folder *folder,
                       const char *name)
{
    for (struct socket_watch *watch = watcher->watches; watch; watch = watch->next)
        for (size_t i = 0; i < watch->way.count; i++) {
            const struct step *step = &watch->way.steps[i];
            bool any = !*step->name;

            if (step->folder != folder || (name && !any && strcmp(name, step->name) != 0))
                continue;
            watch->dirty = true;
            watch->stirred |= any;
        }
}

static void tell_listeners(const struct folder *folder, uint32_t mask, const char *name)
{
    for (struct socket_listener *listener = folder->listeners; listener; listener = listener->next)
        if (!listener->removed)
            listener->on_event(listener->userdata, mask, name);
}

static void overflow(struct socket_watcher *watcher)
{
    all_dirty(watcher);
    for (unsigned i = 0; i < FOLDER_BUCKETS; i++)
        for (const struct folder *folder = watcher->folders[i]; folder; folder = folder->next)
            tell_listeners(folder, IN_Q_OVERFLOW, "");
}

static void handle(struct socket_watcher *watcher, const struct inotify_event *event)
{
    struct folder *folder;

    if (event->mask & IN_Q_OVERFLOW) {
        overflow(watcher);
        return;
    }
    folder = folder_find(watcher, event->wd);
    if (!folder)
        return; // the rest of what came for a folder that is watched no longer
    mark_dirty(watcher, folder, event->len ? event->name : NULL);
    if (event->mask & IN_IGNORED)
        folder->ended = true;
    tell_listeners(folder, event->mask, event->len ? event->name : "");
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct socket_watcher *watcher = userdata;
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t len = read(fd, buffer, sizeof(buffer));

    (void)source;
    (void)revents;
    watcher->depth++;
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *)(buffer + at);

        handle(watcher, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    watcher->depth--;
    look_at_dirty(watcher);
    return 0;
}

// Further ones wake nobody until these were looked at.
static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct socket_watcher *watcher = userdata;
    uint64_t since_us = clock_us(CLOCK_MONOTONIC) - watcher->settled_us;

    (void)fd;
    (void)revents;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    arm(watcher->settle,
        since_us < MOUNTS_AGAIN_US ? MOUNTS_AGAIN_US - since_us : MOUNTS_SETTLE_US);
    return 0;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct socket_watcher *watcher = userdata;

    (void)source;
    (void)usec;
    watcher->settled_us = clock_us(CLOCK_MONOTONIC);
    sd_event_source_set_enabled(watcher->mounts_io, SD_EVENT_ON);
    all_dirty(watcher);
    look_at_dirty(watcher);
    return 0;
}

static int add_inotify(struct socket_watcher *watcher)
{
    watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watcher->fd < 0)
        return 0;
    return sd_event_add_io(watcher->event, &watcher->io, watcher->fd, EPOLLIN, on_inotify, watcher);
}

static int on_scan(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct socket_watcher *watcher = userdata;

    (void)usec;
    if (watcher->fd < 0 && add_inotify(watcher) < 0) {
        close(watcher->fd);
        watcher->fd = -1;
    }
    all_dirty(watcher);
    look_at_dirty(watcher);
    if (watcher->degraded)
        arm(source, watcher->scan_us);
    return 0;
}

// The first look at watches that were just added.
static int on_first(sd_event_source *source, void *userdata)
{
    (void)source;
    look_at_dirty(userdata);
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

static int add_timer(struct socket_watcher *watcher, sd_event_source **timer,
                     sd_event_time_handler_t handler)
{
    int r =
        sd_event_add_time_relative(watcher->event, timer, CLOCK_MONOTONIC, 0, 0, handler, watcher);

    return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_OFF);
}

static int add_sources(struct socket_watcher *watcher)
{
    int r = add_timer(watcher, &watcher->scan, on_scan);

    if (r >= 0)
        r = add_timer(watcher, &watcher->settle, on_settled);
    if (r >= 0)
        r = sd_event_add_defer(watcher->event, &watcher->first, on_first, watcher);
    if (r >= 0)
        r = sd_event_source_set_enabled(watcher->first, SD_EVENT_OFF);
    if (r >= 0)
        r = add_inotify(watcher);
    // Without /proc mounts go unnoticed, no more.
    watcher->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (r >= 0 && watcher->mounts >= 0)
        r = sd_event_add_io(watcher->event, &watcher->mounts_io, watcher->mounts, EPOLLPRI,
                            on_mounts, watcher);
    return r;
}

int socket_watcher_new(sd_event *event, struct socket_watcher **out)
{
    struct socket_watcher *watcher = calloc(1, sizeof(*watcher));
    int r;

    if (!watcher)
        return -ENOMEM;
    watcher->event = sd_event_ref(event);
    watcher->fd = -1;
    socket_watcher_set_limits(watcher, UINT_MAX, 0);
    r = add_sources(watcher);
    if (r < 0) {
        socket_watcher_free(watcher);
        return r;
    }
    *out = watcher;
    return 0;
}

void socket_watcher_set_limits(struct socket_watcher *watcher, unsigned folders, uint64_t scan_us)
{
    watcher->folder_max = folders;
    watcher->scan_us = scan_us ? scan_us : SOCKET_SCAN_US;
}

struct socket_watcher *socket_watcher_free(struct socket_watcher *watcher)
{
    if (!watcher)
        return NULL;
    for (struct socket_watch *watch = watcher->watches, *next; watch; watch = next) {
        next = watch->next;
        watch_free(watch);
    }
    free_removed_listeners(watcher);
    sd_event_source_disable_unref(watcher->io);
    sd_event_source_disable_unref(watcher->mounts_io);
    sd_event_source_disable_unref(watcher->settle);
    sd_event_source_disable_unref(watcher->scan);
    sd_event_source_disable_unref(watcher->first);
    sd_event_unref(watcher->event);
    if (watcher->fd >= 0)
        close(watcher->fd);
    if (watcher->mounts >= 0)
        close(watcher->mounts);
    free(watcher);
    return NULL;
}

static int add_watch(struct socket_watcher *watcher, const char *path, enum watched watched,
                     void (*on_change)(void *userdata, bool present, uint64_t inode),
                     void *userdata, struct socket_watch **out)
{
    struct socket_watch *watch;
    int r;

    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return -EINVAL;
    r = sd_event_source_set_enabled(watcher->first, SD_EVENT_ONESHOT);
    if (r < 0)
        return r;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->path = strdup(path);
    if (!watch->path) {
        free(watch);
        return -ENOMEM;
    }
    watch->watcher = watcher;
    watch->watched = watched;
    watch->dirty = true;
    watch->on_change = on_change;
    watch->userdata = userdata;
    watch->next = watcher->watches;
    watch->link = &watcher->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    watcher->watches = watch;
    *out = watch;
    return 0;
}

int socket_watch_add(struct socket_watcher *watcher, const char *path,
                     void (*on_change)(void *userdata, bool present, uint64_t inode),
                     void *userdata, struct socket_watch **out)
{
    return add_watch(watcher, path, WATCHED_SOCKET, on_change, userdata, out);
}

int socket_watch_add_folder(struct socket_watcher *watcher, const char *path,
                            void (*on_change)(void *userdata, bool present, uint64_t inode),
                            void *userdata, struct socket_watch **out)
{
    return add_watch(watcher, path, WATCHED_FOLDER, on_change, userdata, out);
}

int socket_watch_add_entries(struct socket_watcher *watcher, const char *path,
                             void (*on_change)(void *userdata, bool present, uint64_t inode),
                             void *userdata, struct socket_watch **out)
{
    return add_watch(watcher, path, WATCHED_ENTRIES, on_change, userdata, out);
}

struct socket_watch *socket_watch_remove(struct socket_watch *watch)
{
    if (!watch)
        return NULL;
    watch->removed = true;
    if (watch->watcher->depth == 0)
        watch_free(watch);
    return NULL;
}

bool socket_watch_degraded(const struct socket_watch *watch)
{
    return watch->degraded;
}

// --- listeners -----------------------------------------------------------------------------------

int socket_listen(struct socket_watcher *watcher, const char *path, uint32_t mask,
                  void (*on_event)(void *userdata, uint32_t mask, const char *name), void *userdata,
                  struct socket_listener **out)
{
    struct socket_listener *listener = calloc(1, sizeof(*listener));
    struct folder *folder = NULL;
    int r;

    if (!listener)
        return -ENOMEM;
    r = folder_watch(watcher, path, mask, &folder);
    if (r < 0 || !folder) {
        free(listener);
        return r < 0 ? r : -ENOMEM;
    }
    listener->watcher = watcher;
    listener->folder = folder;
    listener->on_event = on_event;
    listener->userdata = userdata;
    listener->next = folder->listeners;
    folder->listeners = listener;
    *out = listener;
    return 0;
}

struct socket_listener *socket_listener_remove(struct socket_listener *listener)
{
    struct socket_watcher *watcher;
    struct socket_listener **link;

    if (!listener)
        return NULL;
    watcher = listener->watcher;
    listener->removed = true;
    if (watcher->depth > 0) { // whoever is walking the list frees it
        watcher->listeners_removed = true;
        return NULL;
    }
    link = &listener->folder->listeners;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    folder_release(watcher, listener->folder);
    free(listener);
    return NULL;
}
