// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include "containerd-meta/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define SLICE 64u // folders that are looked into in one round of the loop

struct node {
    struct tree_folder folder; // first: the folder is the node
    LIST_ENTRY(node) sibling;
    LIST_HEAD(, node) children;
    TAILQ_ENTRY(node) queue;
    int wd;         // -1: none
    unsigned seen;  // by which listing of its parent
    unsigned round; // in which it was last queued by a look at everything
    bool queued, told, unwatched;
    char name[];
};

struct tree {
    sd_event *event;
    sd_event_source *io, *slices, *scan;
    const struct tree_calls *calls;
    void *userdata;
    struct tree_options options;
    int fd;                // inotify, -1 if there is none to be had
    void *by_wd, *by_name; // tsearch(3)
    LIST_HEAD(, node) roots;
    TAILQ_HEAD(, node) queue;
    unsigned folders, unwatched, watches, left_out;
    unsigned listing, round;
    uint64_t overflows, rescans;
};

static struct node *parent_of(const struct node *node)
{
    return (struct node *)node->folder.parent;
}

static int compare_wds(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    return (x->wd > y->wd) - (x->wd < y->wd);
}

static int compare_names(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    uintptr_t of_x = (uintptr_t)x->folder.parent, of_y = (uintptr_t)y->folder.parent;

    return of_x != of_y ? (of_x < of_y ? -1 : 1) : strcmp(x->folder.name, y->folder.name);
}

static struct node *find_wd(const struct tree *tree, int wd)
{
    const struct node key = {.wd = wd};
    void *found = tfind(&key, (void *const *)&tree->by_wd, compare_wds);

    return found ? *(struct node **)found : NULL;
}

static struct node *find_child(const struct tree *tree, struct node *parent, const char *name)
{
    const struct node key = {.folder = {.parent = &parent->folder, .name = name}};
    void *found = tfind(&key, (void *const *)&tree->by_name, compare_names);

    return found ? *(struct node **)found : NULL;
}

size_t tree_path(const struct tree_folder *folder, bool from_root, char *path, size_t size)
{
    size_t at = size - 1, len;

    path[at] = '\0';
    for (; folder && (folder->parent || !from_root); folder = folder->parent) {
        len = strlen(folder->name);
        if (len + 1 > at)
            return 0;
        at -= len;
        memcpy(path + at, folder->name, len);
        if (folder->parent)
            path[--at] = '/';
    }
    if (at == size - 1)
        path[--at] = '/';
    len = size - 1 - at;
    memmove(path, path + at, len + 1);
    return len;
}

// --- the queue of what is to be looked into ------------------------------------------------------

static void enqueue(struct tree *tree, struct node *node)
{
    if (node->queued)
        return;
    node->queued = true;
    TAILQ_INSERT_TAIL(&tree->queue, node, queue);
    sd_event_source_set_enabled(tree->slices, SD_EVENT_ON);
}

static void unqueue(struct tree *tree, struct node *node)
{
    if (node->queued)
        TAILQ_REMOVE(&tree->queue, node, queue);
    node->queued = false;
}

static void arm_scan(struct tree *tree)
{
    int enabled = SD_EVENT_OFF;

    if (sd_event_source_get_enabled(tree->scan, &enabled) >= 0 && enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time_relative(tree->scan, tree->options.scan_us);
    sd_event_source_set_enabled(tree->scan, SD_EVENT_ONESHOT);
}

// --- nodes ---------------------------------------------------------------------------------------

// @name: not longer than PATH_MAX. Return: NULL if there is no room.
static struct node *add_node(struct tree *tree, struct node *parent, const char *name)
{
    size_t len = strlen(name);
    struct node *node;

    if (tree->folders >= tree->options.folders_max) {
        tree->left_out++;
        arm_scan(tree);
        return NULL;
    }
    node = calloc(1, sizeof(*node) + len + 1);
    if (!node)
        return NULL;
    memcpy(node->name, name, len + 1);
    node->folder.name = node->name;
    node->folder.parent = parent ? &parent->folder : NULL;
    node->folder.depth = parent ? parent->folder.depth + 1 : 0;
    node->wd = -1;
    node->round = tree->round;
    if (parent && !tsearch(node, &tree->by_name, compare_names)) {
        free(node);
        return NULL;
    }
    if (parent)
        LIST_INSERT_HEAD(&parent->children, node, sibling);
    else
        LIST_INSERT_HEAD(&tree->roots, node, sibling);
    tree->folders++;
    return node;
}

static void set_unwatched(struct tree *tree, struct node *node, bool unwatched)
{
    tree->unwatched += unwatched;
    tree->unwatched -= node->unwatched;
    node->unwatched = unwatched;
    if (unwatched)
        arm_scan(tree);
}

// @ended: the kernel has ended the watch already.
static void unwatch(struct tree *tree, struct node *node, bool ended)
{
    if (node->wd < 0)
        return;
    tdelete(node, &tree->by_wd, compare_wds);
    if (!ended)
        inotify_rm_watch(tree->fd, node->wd);
    node->wd = -1;
    tree->watches--;
}

static void remove_leaf(struct tree *tree, struct node *node, bool root_removed)
{
    if (node->told)
        tree->calls->vanished(tree->userdata, &node->folder, root_removed);
    unqueue(tree, node);
    unwatch(tree, node, false);
    set_unwatched(tree, node, false);
    if (node->folder.parent)
        tdelete(node, &tree->by_name, compare_names);
    LIST_REMOVE(node, sibling);
    tree->folders--;
    free(node);
}

// A folder with all that is in it, from the leaves on.
static void remove_node(struct tree *tree, struct node *node, bool root_removed)
{
    struct node *leaf;

    do {
        leaf = node;
        while (!LIST_EMPTY(&leaf->children))
            leaf = LIST_FIRST(&leaf->children);
        remove_leaf(tree, leaf, root_removed);
    } while (leaf != node);
}

static void remove_children(struct tree *tree, struct node *node)
{
    while (!LIST_EMPTY(&node->children))
        remove_node(tree, LIST_FIRST(&node->children), false);
}

// --- looking -------------------------------------------------------------------------------------

static bool has_files_to_tell(const struct tree *tree)
{
    return tree->calls->written != NULL;
}

static bool is_deepest(const struct tree *tree, const struct node *node)
{
    return node->folder.depth >= tree->options.depth_max;
}

// The same folder under another name has the same descriptor (a hierarchy that is mounted twice):
// it is the first one's.
static int take_wd(struct tree *tree, struct node *node, int wd)
{
    if (find_wd(tree, wd))
        return -EEXIST;
    node->wd = wd;
    if (!tsearch(node, &tree->by_wd, compare_wds)) {
        node->wd = -1;
        inotify_rm_watch(tree->fd, wd);
        return -ENOMEM;
    }
    tree->watches++;
    return 0;
}

// Return: 0, -ENOENT if it isn't there.
static int watch(struct tree *tree, struct node *node, const char *path)
{
    uint32_t mask =
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW;
    int wd = -1, r = -ENOSPC;

    if (node->wd >= 0 || (is_deepest(tree, node) && !has_files_to_tell(tree)))
        return 0;
    if (has_files_to_tell(tree))
        mask |= IN_CLOSE_WRITE;
    if (!node->folder.parent)
        mask &= ~(uint32_t)IN_DONT_FOLLOW;
    if (tree->fd >= 0 &&
        (tree->options.watches_max == 0 || tree->watches < tree->options.watches_max)) {
        wd = inotify_add_watch(tree->fd, path, mask);
        r = wd < 0 ? -errno : take_wd(tree, node, wd);
    }
    set_unwatched(tree, node, r < 0 && r != -ENOENT && r != -ENOTDIR);
    return r == -ENOENT || r == -ENOTDIR ? -ENOENT : 0;
}

static bool is_folder(const struct dirent *entry, DIR *dir)
{
    struct stat st;

    if (entry->d_name[0] == '.' &&
        (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2])))
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void find(struct tree *tree, struct node *parent, const char *name)
{
    struct node *child = find_child(tree, parent, name);

    if (!child) {
        child = add_node(tree, parent, name);
        if (child)
            enqueue(tree, child);
    } else if (child->round != tree->round || !child->told) {
        child->round = tree->round;
        enqueue(tree, child);
    }
    if (child)
        child->seen = tree->listing;
}

static void drop_unseen(struct tree *tree, struct node *parent)
{
    for (struct node *child = LIST_FIRST(&parent->children), *next; child; child = next) {
        next = LIST_NEXT(child, sibling);
        if (child->seen != tree->listing)
            remove_node(tree, child, false);
    }
}

// A folder that can't be listed, but is there, keeps what it had.
static void list(struct tree *tree, struct node *node, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return;
    tree->listing++;
    while ((entry = readdir(dir)))
        if (is_folder(entry, dir))
            find(tree, node, entry->d_name);
    closedir(dir);
    drop_unseen(tree, node);
}

// Two links are its name and its own dot: no folder in it. Some file systems count none (1).
static bool may_have_folders(const struct node *node, const struct stat *st)
{
    return st->st_nlink != 2 || !LIST_EMPTY(&node->children);
}

// What is known of a folder is of another one, whose end wasn't heard of. Return: the node to go on
// with, NULL if there is no room for it.
static struct node *replace(struct tree *tree, struct node *node)
{
    struct node *parent = parent_of(node), *fresh;
    char name[NAME_MAX + 1];

    if (!parent) {
        remove_children(tree, node);
        unwatch(tree, node, false);
        return node;
    }
    snprintf(name, sizeof(name), "%s", node->name);
    remove_node(tree, node, false);
    fresh = add_node(tree, parent, name);
    if (fresh)
        fresh->seen = tree->listing;
    return fresh;
}

static void tell(struct tree *tree, struct node *node, const struct stat *st)
{
    bool fresh = !node->told;

    node->folder.inode = st->st_ino;
    node->told = true;
    if (fresh)
        tree->calls->appeared(tree->userdata, &node->folder);
    if (has_files_to_tell(tree))
        tree->calls->written(tree->userdata, &node->folder, NULL);
}

// A folder is new, or to be looked at again. It may be gone afterwards.
static void look(struct tree *tree, struct node *node)
{
    char path[PATH_MAX];
    struct stat st;

    unqueue(tree, node);
    if (tree_path(&node->folder, false, path, sizeof(path)) == 0)
        return;
    if (node->told && stat(path, &st) == 0 && st.st_ino != node->folder.inode)
        node = replace(tree, node);
    if (!node)
        return;
    if (watch(tree, node, path) < 0 || stat(path, &st) < 0) {
        if (node->folder.parent)
            remove_node(tree, node, false);
        else
            remove_children(tree, node);
        return;
    }
    tell(tree, node, &st);
    if (!is_deepest(tree, node) && may_have_folders(node, &st))
        list(tree, node, path);
}

static int on_slice(sd_event_source *source, void *userdata)
{
    struct tree *tree = userdata;

    for (unsigned i = 0; i < SLICE && !TAILQ_EMPTY(&tree->queue); i++)
        look(tree, TAILQ_FIRST(&tree->queue));
    if (!TAILQ_EMPTY(&tree->queue))
        return 0;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (tree->calls->settled)
        tree->calls->settled(tree->userdata);
    return 0;
}

void tree_rescan(struct tree *tree)
{
    struct node *root;

    tree->round++;
    tree->rescans++;
    tree->left_out = 0;
    LIST_FOREACH (root, &tree->roots, sibling)
        enqueue(tree, root);
}

// --- events --------------------------------------------------------------------------------------

static void handle_folder(struct tree *tree, struct node *parent, const struct inotify_event *event)
{
    struct node *child = find_child(tree, parent, event->name);

    if (event->mask & (IN_DELETE | IN_MOVED_FROM)) {
        if (child)
            remove_node(tree, child, false);
        return;
    }
    if (!(event->mask & (IN_CREATE | IN_MOVED_TO)) || is_deepest(tree, parent))
        return;
    // One of that name went, and the word of it is still to come, or was lost.
    if (child && child->told && event->mask & IN_MOVED_TO) {
        remove_node(tree, child, false);
        child = NULL;
    }
    if (!child)
        child = add_node(tree, parent, event->name);
    if (child)
        look(tree, child);
}

static void handle(struct tree *tree, const struct inotify_event *event)
{
    struct node *node;

    if (event->mask & IN_Q_OVERFLOW) {
        tree->overflows++;
        tree_rescan(tree);
        return;
    }
    node = find_wd(tree, event->wd);
    if (!node)
        return; // the rest of what came for a folder that is watched no longer
    if (event->mask & IN_IGNORED)
        unwatch(tree, node, true);
    else if (event->len && event->mask & IN_ISDIR)
        handle_folder(tree, node, event);
    else if (event->len && event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO) && has_files_to_tell(tree))
        tree->calls->written(tree->userdata, &node->folder, event->name);
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    _Alignas(struct inotify_event) char buffer[8192];
    ssize_t len = read(fd, buffer, sizeof(buffer));

    (void)source;
    (void)revents;
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *)(buffer + at);

        handle(userdata, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return 0;
}

static int add_inotify(struct tree *tree)
{
    int r;

    tree->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (tree->fd < 0)
        return 0;
    r = sd_event_add_io(tree->event, &tree->io, tree->fd, EPOLLIN, on_inotify, tree);
    if (r < 0)
        closep(&tree->fd);
    tree->fd = r < 0 ? -1 : tree->fd;
    return r;
}

// Only what scanning alone finds needs to be scanned for.
static int on_scan(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct tree *tree = userdata;

    (void)source;
    (void)usec;
    if (tree->fd < 0)
        add_inotify(tree);
    tree_rescan(tree);
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

static int add_sources(struct tree *tree)
{
    int r = sd_event_add_defer(tree->event, &tree->slices, on_slice, tree);

    if (r >= 0)
        r = sd_event_source_set_enabled(tree->slices, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time_relative(tree->event, &tree->scan, CLOCK_MONOTONIC, 0, 0, on_scan,
                                       tree);
    if (r >= 0)
        r = sd_event_source_set_enabled(tree->scan, SD_EVENT_OFF);
    return r < 0 ? r : add_inotify(tree);
}

int tree_new(sd_event *event, const struct tree_calls *calls, void *userdata,
             const struct tree_options *options, struct tree **out)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    int r;

    if (!tree)
        return -ENOMEM;
    tree->event = sd_event_ref(event);
    tree->calls = calls;
    tree->userdata = userdata;
    tree->fd = -1;
    TAILQ_INIT(&tree->queue);
    if (options)
        tree->options = *options;
    if (tree->options.depth_max == 0 || tree->options.depth_max > TREE_DEPTH_MAX)
        tree->options.depth_max = TREE_DEPTH_MAX;
    if (tree->options.folders_max == 0)
        tree->options.folders_max = TREE_FOLDERS_MAX;
    if (tree->options.scan_us == 0)
        tree->options.scan_us = TREE_SCAN_US;
    r = add_sources(tree);
    if (r < 0) {
        tree_free(tree);
        return r;
    }
    *out = tree;
    return 0;
}

static void tell_nobody(void *userdata, struct tree_folder *folder, bool root_removed)
{
    (void)userdata;
    (void)folder;
    (void)root_removed;
}

struct tree *tree_free(struct tree *tree)
{
    static const struct tree_calls silent = {.vanished = tell_nobody};

    if (!tree)
        return NULL;
    tree->calls = &silent;
    while (!LIST_EMPTY(&tree->roots))
        remove_node(tree, LIST_FIRST(&tree->roots), true);
    sd_event_source_disable_unref(tree->io);
    sd_event_source_disable_unref(tree->slices);
    sd_event_source_disable_unref(tree->scan);
    closep(&tree->fd);
    sd_event_unref(tree->event);
    free(tree);
    return NULL;
}

int tree_add_root(struct tree *tree, const char *path, struct tree_folder **root)
{
    struct node *node;

    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return -EINVAL;
    node = add_node(tree, NULL, path);
    if (!node)
        return -ENOMEM;
    enqueue(tree, node);
    *root = &node->folder;
    return 0;
}

void tree_remove_root(struct tree *tree, struct tree_folder *root)
{
    remove_node(tree, (struct node *)root, true);
}

struct tree_state tree_state(const struct tree *tree)
{
    return (struct tree_state){.folders = tree->folders,
                               .unwatched = tree->unwatched,
                               .left_out = tree->left_out,
                               .overflows = tree->overflows,
                               .rescans = tree->rescans,
                               .settled = TAILQ_EMPTY(&tree->queue)};
}
