// SPDX-License-Identifier: Apache-2.0
#include "container_list.h"

#include "container_id.h"

#include <stdlib.h>
#include <string.h>

struct cmeta_str container_column_text(const struct cmeta_view *view,
                                       const struct cmeta_status *status,
                                       enum container_column column)
{
    static const enum cmeta_string strings[COLUMN_TEXTS] = {[COLUMN_IP] = CMETA_STRING_IP,
                                                            [COLUMN_USER] = CMETA_STRING_USER,
                                                            [COLUMN_IMAGE] = CMETA_STRING_IMAGE,
                                                            [COLUMN_NAME] = CMETA_STRING_NAME};
    struct cmeta_str text = {"", 0};

    if (column == COLUMN_ID) {
        text = status->id;
        if (cmeta_id_is_hex64(text.data, text.len))
            text.len = 12;
    } else if (column < COLUMN_TEXTS) {
        cmeta_view_string(view, strings[column], &text);
    }
    return text;
}

// A page, less what malloc puts before it; a row that is larger has a block of its own.
#define BLOCK_BYTES 4080u

// Rows and texts are laid one after the other, and never moved.
struct container_block {
    SLIST_ENTRY(container_block) next;
    size_t used, room; // bytes
    _Alignas(struct container_row) char bytes[];
};

static void *take(struct container_list *list, size_t bytes)
{
    struct container_block *block = SLIST_FIRST(&list->blocks);
    void *taken;

    bytes = (bytes + _Alignof(struct container_row) - 1) & ~(_Alignof(struct container_row) - 1);
    if (!block || bytes > block->room - block->used) {
        size_t room = BLOCK_BYTES - sizeof(*block);

        room = bytes > room ? bytes : room;
        block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        block->used = 0;
        block->room = room;
        SLIST_INSERT_HEAD(&list->blocks, block, next);
    }
    taken = block->bytes + block->used;
    block->used += bytes;
    return taken;
}

static bool add_row(struct container_list *list, const struct cmeta_view *view,
                    const struct cmeta_status *status)
{
    struct cmeta_str texts[COLUMN_TEXTS];
    struct container_row *row;
    size_t bytes = sizeof(*row);
    char *to;

    if (list->count >= list->rows_max || list->bytes > list->bytes_max)
        return true;
    for (unsigned c = 0; c < COLUMN_TEXTS; c++) {
        texts[c] = container_column_text(view, status, c);
        bytes += (size_t)texts[c].len + 1;
    }
    row = take(list, bytes);
    if (!row)
        return false;
    to = (char *)(row + 1);
    for (unsigned c = 0; c < COLUMN_TEXTS; c++) {
        memcpy(to, texts[c].data, texts[c].len);
        to[texts[c].len] = '\0';
        row->text[c] = to;
        to += texts[c].len + 1;
    }
    row->type = cmeta_view_type(view);
    STAILQ_INSERT_TAIL(&list->rows, row, next);
    list->bytes += bytes;
    list->count++;
    return true;
}

bool container_has_own_address(const struct cmeta_view *view, const struct cmeta_status *status)
{
    unsigned state = CMETA_STATUS_STATE(status->word);
    struct cmeta_str ip;

    return (state == CMETA_STATE_RUNNING || state == CMETA_STATE_PAUSED) &&
           !(cmeta_view_flags(view) & CMETA_FLAG_HOST_NETWORK) &&
           cmeta_view_string(view, CMETA_STRING_IP, &ip) && ip.len > 0;
}

static bool lacks_image(const struct cmeta_view *view)
{
    struct cmeta_str image;

    return !(cmeta_view_flags(view) & CMETA_FLAG_POD_SANDBOX) &&
           !(cmeta_view_string(view, CMETA_STRING_IMAGE, &image) && image.len > 0);
}

static bool add_container(struct container_list *list, const struct cmeta_region *region,
                          cmeta_handle handle)
{
    struct cmeta_status status;
    struct cmeta_view view;

    if (!cmeta_reader_status(region, handle, &status) ||
        CMETA_STATUS_STATE(status.word) == CMETA_STATE_REMOVED ||
        !cmeta_reader_record(region, handle, &view))
        return true;
    list->containers++;
    list->missing_images += lacks_image(&view);
    return !container_has_own_address(&view, &status) || add_row(list, &view, &status);
}

struct container_list *container_list_new(const struct cmeta_region *region)
{
    struct container_list *list = calloc(1, sizeof(*list));
    cmeta_handle handle;
    uint64_t cursor = 0;
    int r;

    if (!list)
        return NULL;
    STAILQ_INIT(&list->rows);
    list->rows_max = region->arena_bytes / sizeof(struct cmeta_identity);
    list->bytes_max = region->arena_bytes + (size_t)list->rows_max * sizeof(struct container_row);
    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0)
        if (r == 1 && !add_container(list, region, handle))
            return container_list_free(list);
    return list;
}

struct container_list *container_list_free(struct container_list *list)
{
    struct container_block *block;

    if (!list)
        return NULL;
    while ((block = SLIST_FIRST(&list->blocks)) != NULL) {
        SLIST_REMOVE_HEAD(&list->blocks, next);
        free(block);
    }
    free(list);
    return NULL;
}
