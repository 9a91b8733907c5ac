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

static int split(const char *data, size_t size, size_t step, struct seen *seen)
{
    struct json_split split;
    int r = 0;

    json_split_init(&split, 4096, on_element, seen);
    for (size_t at = 0; at < size && r == 0; at += step)
        r = json_split_feed(&split, data + at, size - at < step ? size - at : step);
    if (r == 0)
        r = json_split_end(&split);
    json_split_done(&split);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, pieces = {0};
    int r = split((const char *)data, size, size ? size : 1, &whole);
    int again = split((const char *)data, size, 1, &pieces);
    json_t *json;

    if ((r < 0) != (again < 0) || whole.count != pieces.count || whole.hash != pieces.hash)
        abort();
    json = json_loadb((const char *)data, size, 0, NULL);
    if (json_is_array(json) && size < 4096 && (r != 0 || whole.count != json_array_size(json)))
        abort();
    json_decref(json);
    return 0;
}
