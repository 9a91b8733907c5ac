// SPDX-License-Identifier: Apache-2.0
// The names by which an engine has one image: tags and digests, of any number of repositories.
#ifndef IMAGE_NAMES_H
#define IMAGE_NAMES_H

#include "image_ref.h"

#include <stddef.h>

struct image_names {
    char *const *tags;    // repository:tag
    char *const *digests; // repository@digest
    size_t tags_count, digests_count;
};

// The first name that has a repository: a tag if there is one. All absent if there is none.
struct image_ref image_names_first(const struct image_names *names);

// The digest under which a repository has the image, else any repository's; absent if none.
struct cmeta_str image_names_digest(const struct image_names *names, struct cmeta_str repository);

#endif
