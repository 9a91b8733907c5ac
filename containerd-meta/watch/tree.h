// SPDX-License-Identifier: Apache-2.0
// Trees of folders, followed by inotify: which folders there are, which come, which go.
//
// Every folder is watched before it is looked into, so what is made meanwhile is seen by the one or
// the other. A look is one stat() where a folder has no folders in it, and a listing else. What is
// found by listing is looked into in slices, one per round of the loop: a tree of thousands holds
// up nobody. Where the kernel's queue overflowed all is looked at again; where it has no watches
// left, or there are more folders than are to be kept, all is looked at every ten seconds.
// One inotify instance per object; one thread.
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct tree;

#define TREE_SCAN_US     UINT64_C(10000000)
#define TREE_FOLDERS_MAX 65536u
#define TREE_DEPTH_MAX   32u

// A folder that is there. Lives until `vanished` has returned.
struct tree_folder {
    struct tree_folder *parent; // NULL: a root
    void *data;                 // the owner's
    uint64_t inode;
    unsigned depth;   // of a root 0
    const char *name; // of a root its path
};

// All from the loop; none but `settled` may add or remove roots.
struct tree_calls {
    // There is a folder, new or found; its parent was told before.
    void (*appeared)(void *userdata, struct tree_folder *folder);
    // It is no more, or (@root_removed) its root was taken out; those in it were told before.
    void (*vanished)(void *userdata, struct tree_folder *folder, bool root_removed);
    // A file in it was written and closed, or moved there, or was there when it appeared (then the
    // name is NULL: look yourself). NULL: files don't matter.
    void (*written)(void *userdata, struct tree_folder *folder, const char *name);
    // All that was to be looked into has been: of a root, of what came, of everything. May be NULL.
    void (*settled)(void *userdata);
};

struct tree_options {
    unsigned depth_max;   // deeper folders are left alone; 0: TREE_DEPTH_MAX
    unsigned folders_max; // of all roots; 0: TREE_FOLDERS_MAX
    unsigned watches_max; // as if fs.inotify.max_user_watches ended there; 0: no such limit
    uint64_t scan_us;     // 0: TREE_SCAN_US
};

struct tree_state {
    unsigned folders;   // that are kept
    unsigned unwatched; // of those, without a watch
    unsigned left_out;  // found by the last look and not kept
    uint64_t overflows; // of the kernel's queue
    uint64_t rescans;   // looks at everything
    bool settled;       // nothing is waiting to be looked into
};

/**
 * tree_new() - without a root
 * Return: 0 or -errno. Without inotify it works by scanning alone.
 */
int tree_new(sd_event *event, const struct tree_calls *calls, void *userdata,
             const struct tree_options *options, struct tree **tree);
struct tree *tree_free(struct tree *tree); // tells nobody; returns NULL

/**
 * tree_add_root() - follow what is below a folder; the root itself is told of, too
 * @path: need not exist any more: then it is a root with nothing in it
 * Return: 0, -ENOMEM, -EINVAL (no absolute path, or too long).
 */
int tree_add_root(struct tree *tree, const char *path, struct tree_folder **root);
void tree_remove_root(struct tree *tree, struct tree_folder *root);

// Looks at everything again, in slices.
void tree_rescan(struct tree *tree);

struct tree_state tree_state(const struct tree *tree);

/**
 * tree_path() - a folder's whole path
 * @from_root: from its root on, beginning with a slash ("/" is the root itself)
 * Return: the length; 0 if it doesn't fit.
 */
size_t tree_path(const struct tree_folder *folder, bool from_root, char *path, size_t size);

#endif
