// SPDX-License-Identifier: Apache-2.0
// Containers that a new region lacks, while the events of their removal wait to be sent.
//
// Noted while the old region is there to be read. A few are kept as whole documents, the others as
// what a brief document is made of: when a region is replaced, there can be as many as it held. So
// there is a limit for all; a container whose removal isn't told is still a container in a capture.
#ifndef PLUGIN_DEPARTED_H
#define PLUGIN_DEPARTED_H

#include "snapshot.h"

#include <sys/queue.h>

#define DEPARTED_BYTES_MAX (UINT32_C(128) << 10)

struct departed_list {
    STAILQ_HEAD(, departed) list;
    size_t bytes;       // of all
    size_t whole_bytes; // of whole documents
};

void departed_init(struct departed_list *list);
void departed_clear(struct departed_list *list);

// Return: 0; -ENOSPC: there are too many; -ENOMEM.
int departed_add(struct departed_list *list, const struct snapshot *snapshot);

static inline bool departed_waits(const struct departed_list *list)
{
    return !STAILQ_EMPTY(&list->list);
}

/**
 * departed_take() - the document of the first one, which leaves the list
 * @len: bytes of it
 *
 * Return: the document, the caller's to free; NULL without memory.
 */
char *departed_take(struct departed_list *list, size_t *len);

#endif
