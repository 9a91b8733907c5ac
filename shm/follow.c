// SPDX-License-Identifier: Apache-2.0
// Following the change log, and sleeping until it moves.
#include "reader.h"

#include "load.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum cmeta_follow cmeta_follow_next(const struct cmeta_region *region, uint64_t *seen,
                                    struct cmeta_change *change)
{
    const struct cmeta_log_entry *log = (const void *)(region->base + region->log_offset);
    uint64_t head = cmeta_reader_revision(region), want = *seen + 1, revision;
    const struct cmeta_log_entry *entry = &log[want & region->log_mask];
    uint32_t identity, kind;

    if (head <= *seen)
        return CMETA_FOLLOW_NONE;
    if (head - want > region->log_mask)
        return CMETA_FOLLOW_LAPPED;
    // Acquire: pairs with the release store of the entry's revision in edit.c. The fence before
    // the second look pairs with the writer's fence after it has zeroed the revision.
    revision = load_acquire(&entry->revision);
    identity = load_relaxed(&entry->identity);
    kind = load_relaxed(&entry->kind);
    fence_acquire();
    if (revision != want || load_relaxed(&entry->revision) != want)
        return CMETA_FOLLOW_LAPPED;
    *change = (struct cmeta_change){
        .revision = want, .handle = cmeta_handle_make(region, identity), .kind = kind};
    *seen = want;
    return CMETA_FOLLOW_CHANGE;
}

uint32_t cmeta_follow_word(const struct cmeta_region *region)
{
    // Acquire: pairs with the release increment in edit.c.
    return load_acquire(&((const struct cmeta_header *)(const void *)region->base)->changes);
}

int cmeta_follow_wait(const struct cmeta_region *region, uint32_t word, unsigned timeout_ms)
{
    const struct cmeta_header *header = (const void *)region->base;
    struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                               .tv_nsec = (long)(timeout_ms % 1000) * 1000000};

    // Shared, not private: writer and reader are two processes. A read-only mapping will do.
    if (syscall(SYS_futex, &header->changes, FUTEX_WAIT, word, &timeout, NULL, 0) == 0 ||
        errno == EAGAIN)
        return 1;
    return errno == EINTR ? -EINTR : 0;
}
