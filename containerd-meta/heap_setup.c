// SPDX-License-Identifier: Apache-2.0
// Source: glibc 2.26 and later, "Memory Allocation Tunables" of its manual.
#include "heap_setup.h"

#include "cleanup.h"

#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define VARIABLE "GLIBC_TUNABLES"
#define TUNABLE  "glibc.malloc.tcache_count"

// Whether this process was begun as a program of its own, by who may set its environment: not with
// rights from its file, and not by the dynamic linker, which would be executed instead.
static bool may_begin_again(void)
{
    return !getauxval(AT_SECURE) && getauxval(AT_BASE);
}

// Each thread keeps some hundred freed pieces to itself, scattered over the heap: each holds a page
// that can't be given back, and the longer the daemon lives the more pages it is.
static void begin_without_caches(char **argv)
{
    const char *before = getenv(VARIABLE);
    CLEANUP(freep)
    char *value = NULL;
    char program[PATH_MAX];
    ssize_t len;

    if ((before && strstr(before, TUNABLE)) || !may_begin_again())
        return;
    len = readlink("/proc/self/exe", program, sizeof(program)); // its name is the process's, too
    if (len <= 0 || len == (ssize_t)sizeof(program))
        return;
    program[len] = '\0';
    if (asprintf(&value, "%s%s" TUNABLE "=0", before ? before : "", before ? ":" : "") < 0) {
        value = NULL;
        return;
    }
    if (setenv(VARIABLE, value, 1) == 0)
        execv(program, argv);
}

void heap_setup(char **argv)
{
    begin_without_caches(argv);
    // What gRPC's threads receive the loop frees: in heaps of their own it would lie about.
    mallopt(M_ARENA_MAX, 1);
}
