// SPDX-License-Identifier: Apache-2.0
// Programs that a test runs: to the end, with what they wrote; or beside the test, line by line.
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdio.h>
#include <sys/types.h>

// What a program wrote, NUL-terminated, and how it ended.
struct program_result {
    int status; // exit code; 256 + the signal that killed it
    char *out, *err;
};

/**
 * program_run() - run a program to its end
 * @argv: NULL-terminated; argv[0] is the path
 * @env:  further NAME=VALUE entries, NULL-terminated, or NULL
 */
struct program_result program_run(const char *const *argv, const char *const *env);
void program_result_free(struct program_result *result);

// A program that runs beside the test, with the reading ends of what it writes. What it writes to
// `err` has to fit into a pipe until somebody reads it.
struct program {
    pid_t pid;
    FILE *out, *err;
};
struct program program_start(const char *const *argv, const char *const *env);

// Sends a signal (0: none), waits for the end. The result has what hadn't been read yet.
struct program_result program_end(struct program *program, int signal);

#endif
