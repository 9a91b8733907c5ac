// SPDX-License-Identifier: Apache-2.0
// A folder in which an engine keeps its state, a file or a subfolder for each container. The folder
// need not exist yet; its entries appear, change and vanish.
//
// inotify tells (the daemon's one instance, see socket_watch.h); where it has no room left, a scan
// every ten seconds does. What is below a folder that isn't root's alone is somebody's who may mean
// harm: symbolic links and mounts in it are not followed there, so that nobody can make the daemon
// wait for a file system of his own. Belongs to the loop's thread.
#ifndef FOLDER_WATCH_H
#define FOLDER_WATCH_H

#include "socket_watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct folder_watch;

#define FOLDER_ENTRIES_MAX 8192u // more are left out, and said

struct folder_calls {
    // Which names are entries. NULL: all.
    bool (*wanted)(const char *name);
    // An entry appeared, or was written or replaced.
    void (*changed)(void *userdata, const char *name);
    void (*vanished)(void *userdata, const char *name);
    // The whole folder has been looked through, and what it has been told by changed(). Called
    // after each scan; @complete: there was nothing that couldn't be looked at.
    void (*scanned)(void *userdata, bool complete);
    // The folder isn't there (any more); its entries have been told as vanished. May be called when
    // it never was.
    void (*absent)(void *userdata);
};

/**
 * folder_watch_new() - begin to watch; the first calls come from the loop
 * @path:  absolute
 * @inner: NULL: entries are files in the folder; else entries are subfolders, and what counts is
 *         this file in each: an entry without it isn't one
 * Return: 0 or -errno.
 */
int folder_watch_new(sd_event *event, struct socket_watcher *watcher, const char *path,
                     const char *inner, const struct folder_calls *calls, void *userdata,
                     struct folder_watch **watch);
struct folder_watch *folder_watch_free(struct folder_watch *watch); // returns NULL

// Look through the whole folder now, as after a doubt. Not from within a call of its own.
void folder_watch_scan(struct folder_watch *watch);

// Whether it is found by scanning only, or has more entries than are looked at.
bool folder_watch_degraded(const struct folder_watch *watch);
bool folder_watch_truncated(const struct folder_watch *watch);
// Why the folder couldn't be opened at the last scan; 0 if it could.
int folder_watch_error(const struct folder_watch *watch);

/**
 * folder_watch_read() - the text of a file of an entry
 * @file: in the entry's subfolder; NULL: the entry itself
 * @max:  bytes; a longer one isn't read
 * @text: NUL-terminated, freed by the caller
 *
 * Regular files only, and no waiting.
 * Return: 0; -EFBIG; -EINVAL if it is no regular file; -EXDEV or -ELOOP for mounts and links in a
 * folder that isn't root's; other -errno.
 */
int folder_watch_read(const struct folder_watch *watch, const char *name, const char *file,
                      size_t max, char **text, size_t *len);

/**
 * folder_watch_born_ns() - when an entry was made, CLOCK_REALTIME; 0: unknown
 * @owner: set to who it belongs to; may be NULL
 */
int64_t folder_watch_born_ns(const struct folder_watch *watch, const char *name, uid_t *owner);

/**
 * folder_file_read() - a file beside the folder, under the same rules of size and kind
 * @at, @beneath: open @path below this descriptor without links and mounts; AT_FDCWD and false: as
 *                it is
 */
int folder_file_read(int at, const char *path, bool beneath, size_t max, char **text, size_t *len);

// Whether the folder, as it stands, is root's alone.
bool folder_watch_trusted(const struct folder_watch *watch);

#endif
