// SPDX-License-Identifier: Apache-2.0
// Optional texts of answers: NULL is absent, and "" is what protobuf has for absent.
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// NULL for "".
static inline const char *text_present(const char *text)
{
    return text && *text ? text : NULL;
}

static inline const char *text_either(const char *a, const char *b)
{
    return a ? a : b;
}

static inline bool text_is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

// A copy, to be freed; NULL stays NULL. Return: false if out of memory.
static inline bool text_keep(char **copy, const char *text)
{
    if (!text)
        return true;
    *copy = strdup(text);
    return *copy != NULL;
}

#endif
