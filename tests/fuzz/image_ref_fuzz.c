// SPDX-License-Identifier: Apache-2.0
// Image references: any bytes give slices within them, and the parts, put together again, are the
// whole.
#include "containerd-meta/image_ref.h"

#include <stdlib.h>
#include <string.h>

static void within(const uint8_t *data, size_t size, struct cmeta_str part)
{
    if (!part.data) {
        if (part.len)
            abort();
        return;
    }
    if (part.data < (const char *)data || part.data + part.len > (const char *)data + size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_ref ref = image_ref_parse((const char *)data, size);

    within(data, size, ref.repository);
    within(data, size, ref.tag);
    within(data, size, ref.digest);
    if (ref.repository.len + ref.tag.len + ref.digest.len > size)
        abort();
    if (ref.tag.len && memchr(ref.tag.data, '/', ref.tag.len))
        abort();
    (void)image_ref_same_repository(ref.repository, ref.digest);
    return 0;
}
