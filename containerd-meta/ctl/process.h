// SPDX-License-Identifier: Apache-2.0
// What /proc tells about another process, as far as it concerns the table and the engines' sockets.
// Each answer may be out of date by the time it is given; all of it is for people.
#ifndef CTL_PROCESS_H
#define CTL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

// The next process whose command name is @name; begin with *@pid of 0. Return: false if no more.
bool process_next(const char *proc, const char *name, pid_t *pid);

// Whether the process has this command name.
bool process_is(const char *proc, pid_t pid, const char *name);

/**
 * process_stat() - a path as the process sees it
 * Return: 0, or -errno: -ENOENT if there is nothing, -EACCES if this user may not look.
 */
int process_stat(const char *proc, pid_t pid, const char *path, struct stat *st);

/**
 * process_mounted() - whether something is mounted exactly on a path, in the process's namespace
 * Return: 1, 0, or -errno if that can't be seen.
 */
int process_mounted(const char *proc, pid_t pid, const char *path);

// What a process has mapped.
struct process_mapping {
    bool file; // a file of this name...
    bool same; // ...that is this very file
};

/**
 * process_maps() - whether a file of a name is among what the process has mapped
 * @name: the last component
 * @st:   of the file that `same` asks for; NULL: none
 * Return: 0, or -errno if that can't be seen.
 */
int process_maps(const char *proc, pid_t pid, const char *name, const struct stat *st,
                 struct process_mapping *mapping);

/**
 * process_may_read() - whether a process may read a file, by its effective user and its groups
 *
 * Capabilities and security modules are left out, but for user 0, which may.
 *
 * Return: 1, 0, or -errno if that can't be seen.
 */
int process_may_read(const char *proc, pid_t pid, const struct stat *st);

/**
 * process_variable() - a variable of the environment that the process was started with
 * Return: to be freed; NULL if it has none or that can't be seen.
 */
char *process_variable(const char *proc, pid_t pid, const char *name);

#endif
