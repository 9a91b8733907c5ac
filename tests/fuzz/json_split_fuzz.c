// SPDX-License-Identifier: Apache-2.0
// Lists that arrive in pieces: however an array is cut, its elements are the same; and what jansson
// takes for an array isn't refused.
#include "containerd-meta/transport/json_split.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    unsigned count;
    uint64_t hash;
};

static void on_element(void *userdata, const char *json, size_t len)
{
    struct seen *seen = userdata;

    if (strlen(json) < len && !memchr(json, '\0', len))
        abort();
    seen->count++;
    for (size_t i = 0; i < len; i++)
        seen->hash = seen->hash * 31 + (unsigned char)json[i];
}

static int split(const char *data, size_t size, size_t step, const char *member, struct seen *seen)
{
    struct json_split split;
    int r = 0;

    json_split_init(&split, 4096, on_element, seen);
    split.member = member;
    for (size_t at = 0; at < size && r == 0; at += step)
        r = json_split_feed(&split, data + at, size - at < step ? size - at : step);
    if (r == 0)
        r = json_split_end(&split);
    json_split_done(&split);
    return r;
}

static int split_twice(const char *data, size_t size, const char *member, struct seen *whole)
{
    struct seen pieces = {0};
    int r = split(data, size, size ? size : 1, member, whole);
    int again = split(data, size, 1, member, &pieces);

    if ((r < 0) != (again < 0) || whole->count != pieces.count || whole->hash != pieces.hash)
        abort();
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, inner = {0};
    int r = split_twice((const char *)data, size, NULL, &whole);
    json_t *json = json_loadb((const char *)data, size, 0, NULL);

    if (json_is_array(json) && size < 4096 && (r != 0 || whole.count != json_array_size(json)))
        abort();
    json_decref(json);
    split_twice((const char *)data, size, "metadata", &inner);
    return 0;
}
