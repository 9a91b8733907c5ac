// SPDX-License-Identifier: Apache-2.0
// Sockets and folders that come and go. One inotify instance serves the whole daemon.
//
// Every folder on the way to a place that exists is watched, symbolic links followed to where they
// lead (/var/run, or a docker.sock that is a link to podman's), and watches move closer as folders
// appear. The mount table is watched too: a tmpfs mounted over /run/user/1000 tells inotify
// nothing. Nothing blocks; everything belongs to the loop's thread.
#ifndef SOCKET_WATCH_H
#define SOCKET_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct socket_watcher;
struct socket_watch;

#define SOCKET_SCAN_US UINT64_C(10000000) // how often is looked where inotify has no room left

/**
 * socket_watcher_new() - Return: 0 or -errno. Without inotify it works by scanning alone.
 */
int socket_watcher_new(sd_event *event, struct socket_watcher **watcher);
struct socket_watcher *socket_watcher_free(struct socket_watcher *watcher);

/**
 * socket_watcher_set_limits() - before watches are added
 * @folders: watched at most, as if fs.inotify.max_user_watches ended there
 * @scan_us: how often is looked instead; 0: SOCKET_SCAN_US
 */
void socket_watcher_set_limits(struct socket_watcher *watcher, unsigned folders, uint64_t scan_us);

/**
 * socket_watch_add() - tell when a socket appears, vanishes, or is another one
 * @path:      absolute; need not exist, nor its folders
 * @on_change: from the loop: present, and the inode; called once soon after this call with what
 *             there is now, then at each change. A socket that was replaced is told as present
 *             again, with its new inode. May remove the watch.
 * Return: 0 or -errno.
 */
int socket_watch_add(struct socket_watcher *watcher, const char *path,
                     void (*on_change)(void *userdata, bool present, uint64_t inode),
                     void *userdata, struct socket_watch **watch);
// The same for a folder: when it appears, vanishes, or is another one. For what happens in it see
// socket_listen().
int socket_watch_add_folder(struct socket_watcher *watcher, const char *path,
                            void (*on_change)(void *userdata, bool present, uint64_t inode),
                            void *userdata, struct socket_watch **watch);
// The same, and when an entry of it came or went.
int socket_watch_add_entries(struct socket_watcher *watcher, const char *path,
                             void (*on_change)(void *userdata, bool present, uint64_t inode),
                             void *userdata, struct socket_watch **watch);
struct socket_watch *socket_watch_remove(struct socket_watch *watch); // returns NULL

// Whether this one is found by scanning only: inotify has no room, or no right to its folders.
bool socket_watch_degraded(const struct socket_watch *watch);

// --- what happens in a folder --------------------------------------------------------------------

struct socket_listener;

/**
 * socket_listen() - hear what happens to the entries of a folder that is there now
 * @path:     links are followed; /proc/self/fd/N will do
 * @mask:     IN_CREATE, IN_CLOSE_WRITE, … of inotify(7)
 * @on_event: from the loop: the event's mask and the entry's name ("" if it has none). Others may
 *            have asked for more of the same folder: what wasn't asked for may be told.
 *            IN_Q_OVERFLOW: something was missed; IN_IGNORED: the folder is gone, nothing more is
 *            heard. May remove the listener.
 * Return: 0; -ENOSPC or -EMFILE where inotify has no room left; other -errno.
 */
int socket_listen(struct socket_watcher *watcher, const char *path, uint32_t mask,
                  void (*on_event)(void *userdata, uint32_t mask, const char *name), void *userdata,
                  struct socket_listener **listener);
struct socket_listener *socket_listener_remove(struct socket_listener *listener); // returns NULL

#endif
