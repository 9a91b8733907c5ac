// SPDX-License-Identifier: Apache-2.0
// A snapshot of the containers that libsinsp walks over: those that run and have an address of
// their own. Made by the follower, read by the event thread; it owns copies of its texts.
#ifndef PLUGIN_CONTAINER_LIST_H
#define PLUGIN_CONTAINER_LIST_H

#include "reader.h"

#include <stdint.h>
#include <sys/queue.h>

// Columns of a row of the table `containers`.
enum container_column {
    COLUMN_IP,
    COLUMN_USER,
    COLUMN_ID,
    COLUMN_IMAGE,
    COLUMN_NAME,
    COLUMN_TEXTS, // those above are texts
    COLUMN_TYPE = COLUMN_TEXTS,
    COLUMN_COUNT
};

struct container_row {
    STAILQ_ENTRY(container_row) next;
    const char *text[COLUMN_TEXTS]; // NUL-terminated, never NULL
    uint32_t type;                  // enum cmeta_type
};

struct container_list {
    STAILQ_HEAD(, container_row) rows;
    SLIST_HEAD(, container_block) blocks; // that the rows and their texts are in
    uint32_t count;
    size_t bytes; // of the rows and their texts
    // A sound region has no more than these, and the cells of another may repeat.
    uint32_t rows_max;
    size_t bytes_max;
    uint32_t containers;     // not removed, with an address or not
    uint32_t missing_images; // of them, sandboxes apart, without a known image
};

/**
 * container_list_new() - take the snapshot; allocates, reads the whole region
 * Return: the list; NULL without memory.
 */
struct container_list *container_list_new(const struct cmeta_region *region);
struct container_list *container_list_free(struct container_list *list);

// One column's text of a container, not copied; empty if absent.
struct cmeta_str container_column_text(const struct cmeta_view *view,
                                       const struct cmeta_status *status,
                                       enum container_column column);

// Whether it runs and has an address that isn't the host's.
bool container_has_own_address(const struct cmeta_view *view, const struct cmeta_status *status);

#endif
