// SPDX-License-Identifier: Apache-2.0
#include "image_names.h"

// "<none>" is what an untagged image has for a name.
static bool is_named(const struct image_ref *ref)
{
    return ref->repository.len && ref->repository.data[0] != '<';
}

struct image_ref image_names_first(const struct image_names *names)
{
    const struct image_ref none = {{0}, {0}, {0}};

    for (size_t i = 0; i < names->tags_count; i++) {
        struct image_ref ref = image_ref_parse_text(names->tags[i]);

        if (is_named(&ref) && ref.tag.len)
            return ref;
    }
    for (size_t i = 0; i < names->digests_count; i++) {
        struct image_ref ref = image_ref_parse_text(names->digests[i]);

        if (is_named(&ref))
            return ref;
    }
    return none;
}

struct cmeta_str image_names_digest(const struct image_names *names, struct cmeta_str repository)
{
    struct cmeta_str any = {0};

    for (size_t i = 0; i < names->digests_count; i++) {
        struct image_ref ref = image_ref_parse_text(names->digests[i]);

        if (!ref.digest.len || !ref.repository.len)
            continue;
        if (image_ref_same_repository(ref.repository, repository))
            return ref.digest;
        if (!any.len)
            any = ref.digest;
    }
    return any;
}
