// SPDX-License-Identifier: Apache-2.0
#include "tests/host/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/host/report.h"

struct guard {
    char *map;
    size_t usable; // bytes before the guard page
};

static void map_anew(struct guard *g, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (g->map)
        munmap(g->map, g->usable + page);
    g->usable = (len + page - 1) / page * page;
    g->map =
        mmap(NULL, g->usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED || mprotect(g->map + g->usable, page, PROT_NONE) != 0) {
        perror("plugin host: guard page");
        abort();
    }
}

struct guard *guard_new(void)
{
    struct guard *g = host_alloc(sizeof(*g));
    map_anew(g, 65536);
    return g;
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    munmap(g->map, g->usable + (size_t)sysconf(_SC_PAGESIZE));
    free(g);
}

void *guard_put(struct guard *g, const void *bytes, size_t len)
{
    if (len > g->usable)
        map_anew(g, len);
    char *at = g->map + g->usable - len;
    memcpy(at, bytes, len);
    return at;
}
