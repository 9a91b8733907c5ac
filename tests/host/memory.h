// SPDX-License-Identifier: Apache-2.0
// Memory for the host: when it runs out, the test is over. None of these returns NULL; what they
// return is freed with free().
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stddef.h>

void *host_alloc(size_t bytes); // zeroed
void *host_realloc(void *p, size_t bytes);
char *host_strdup(const char *s);
char *host_memdup(const void *p, size_t bytes); // with a NUL added

#endif
