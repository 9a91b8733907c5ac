// SPDX-License-Identifier: Apache-2.0
#include "image_ref.h"

#include "shm/container_id.h"

#include <string.h>

static bool is_image_id(const char *text, size_t len)
{
    static const char algorithm[] = "sha256:";
    const size_t n = sizeof(algorithm) - 1;

    if (len > n && memcmp(text, algorithm, n) == 0)
        return cmeta_id_is_hex64(text + n, len - n) != 0;
    return cmeta_id_is_hex64(text, len) != 0;
}

struct image_ref image_ref_parse(const char *text, size_t len)
{
    struct image_ref ref = {{0}, {0}, {0}};
    const char *at, *slash, *colon;

    if (is_image_id(text, len)) {
        ref.digest = (struct cmeta_str){text, (uint32_t)len};
        return ref;
    }
    at = memchr(text, '@', len);
    if (at) {
        size_t rest = len - (size_t)(at - text) - 1;

        if (rest)
            ref.digest = (struct cmeta_str){at + 1, (uint32_t)rest};
        len = (size_t)(at - text);
    }
    slash = memrchr(text, '/', len);
    colon = memrchr(text, ':', len);
    if (colon && (!slash || colon > slash)) {
        size_t rest = len - (size_t)(colon - text) - 1;

        if (rest)
            ref.tag = (struct cmeta_str){colon + 1, (uint32_t)rest};
        len = (size_t)(colon - text);
    }
    if (len)
        ref.repository = (struct cmeta_str){text, (uint32_t)len};
    return ref;
}

struct image_ref image_ref_parse_text(const char *text)
{
    return image_ref_parse(text ? text : "", text ? strlen(text) : 0);
}

const char *image_id_hex(const char *id)
{
    static const char algorithm[] = "sha256:";

    return id && strncmp(id, algorithm, sizeof(algorithm) - 1) == 0 ? id + sizeof(algorithm) - 1
                                                                    : id;
}

bool image_id_is(const char *text)
{
    return text && is_image_id(text, strlen(text));
}

// Without what Docker adds to a short name.
static struct cmeta_str familiar(struct cmeta_str s)
{
    static const struct cmeta_str prefixes[] = {{"docker.io/", 10}, {"library/", 8}};

    for (size_t i = 0; i < 2; i++)
        if (s.len > prefixes[i].len && memcmp(s.data, prefixes[i].data, prefixes[i].len) == 0) {
            s.data += prefixes[i].len;
            s.len -= prefixes[i].len;
        }
    return s;
}

bool image_ref_same_repository(struct cmeta_str a, struct cmeta_str b)
{
    a = familiar(a);
    b = familiar(b);
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
