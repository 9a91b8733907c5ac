// SPDX-License-Identifier: Apache-2.0
// Datagrams at the socket of hints, and texts of mountinfo: what anybody may write.
#include "containerd-meta/watch/cgroup_mounts.h"
#include "shm/hint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cgroup_mounts mounts;
    struct cmeta_hint hint = {0};
    char *text = malloc(size + 1);

    memcpy(&hint, data, size < sizeof(hint) ? size : sizeof(hint));
    if (cmeta_hint_check(&hint, size) && hint.id_len &&
        !cmeta_hint_id_is_plain(hint.id, hint.id_len))
        abort();
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (cgroup_mounts_choose(text, "", &mounts) == 0)
        cgroup_mounts_done(&mounts);
    free(text);
    return 0;
}
