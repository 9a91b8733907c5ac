// SPDX-License-Identifier: Apache-2.0
#include "tests/host/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void)
{
    fputs("plugin host: out of memory\n", stderr);
    abort();
}

void *host_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *host_realloc(void *p, size_t bytes)
{
    p = realloc(p, bytes ? bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *host_memdup(const void *p, size_t bytes)
{
    char *copy = host_alloc(bytes + 1);
    if (bytes)
        memcpy(copy, p, bytes);
    return copy;
}

char *host_strdup(const char *s)
{
    return host_memdup(s, strlen(s));
}
