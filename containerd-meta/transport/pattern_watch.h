// SPDX-License-Identifier: Apache-2.0
// Sockets of which there may be one per user: "/run/user/*/podman/podman.sock". A "*" stands for
// one whole name on the way, whatever it is.
//
// The folder in which the names stand is somebody else's to fill: a socket counts only if it is no
// link and belongs to root or to the owner of the folder that stands for "*"; and a folder whose
// name is a number belongs to the user of that number, or to root. Belongs to the loop's thread.
#ifndef PATTERN_WATCH_H
#define PATTERN_WATCH_H

#include "socket_watch.h"

struct pattern_watch;

#define PATTERN_NAMES_MAX 256u // watched at once; further ones wait until others go

enum pattern_outcome {
    PATTERN_GONE = 0, // no socket there (any more)
    PATTERN_FOUND,
    PATTERN_REFUSED, // a socket that isn't its user's own
};

// Whether a path has just one "*", as a whole name with others before and behind.
bool pattern_is(const char *path);

/**
 * pattern_scan() - the sockets that are there now
 * @found: for each that counts
 */
void pattern_scan(const char *pattern, void (*found)(void *userdata, const char *path),
                  void *userdata);

/**
 * pattern_watch_add() - tell when one appears or vanishes
 * @on_change: from the loop, soon for those that are there now, then at each change; a socket that
 *             was replaced is told again
 * Return: 0 or -errno.
 */
int pattern_watch_add(struct socket_watcher *watcher, const char *pattern,
                      void (*on_change)(void *userdata, const char *path,
                                        enum pattern_outcome outcome),
                      void *userdata, struct pattern_watch **watch);
struct pattern_watch *pattern_watch_remove(struct pattern_watch *watch); // returns NULL

#endif
