// SPDX-License-Identifier: Apache-2.0
// What `containerd-meta-ctl check` finds: each finding has a code that docs/checks.md explains, a
// sentence, and what to do about it.
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include "shm/reader.h"

#include <jansson.h>

enum check_level { CHECK_OK, CHECK_NOTE, CHECK_WARNING, CHECK_PROBLEM, CHECK_LEVEL_COUNT };

struct checks {
    json_t *findings; // an array, in the order they were added
    unsigned levels[CHECK_LEVEL_COUNT];
    const char *dir;                   // the region's folder
    const struct cmeta_region *region; // NULL: none that can be used
    const char *proc;                  // /proc
};

/**
 * check_add() - one finding more
 * @code:   stable, for scripts and for docs/checks.md
 * @about:  what it is about: an engine's name, "region", "falco"
 * @text:   one sentence; taken over
 * @remedy: what to do; NULL if there is nothing to do
 */
void check_add(struct checks *checks, enum check_level level, const char *code, const char *about,
               char *text, const char *remedy);

// The region and its daemon; without a region nothing is said here.
void check_region(struct checks *checks);
// The rows of the engines.
void check_engines(struct checks *checks);
// Falco's processes: whether they have the plugin, and see the table.
void check_falco(struct checks *checks);

#endif
