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

// Rows and texts while they grow; a row's texts are offsets until the end.
struct builder {
    struct container_list *list;
    size_t rows_room, texts_used, texts_room;
    size_t rows_max, texts_max; // a sound region has no more, and cells of others may repeat
};

static bool make_room(void **block, size_t *room, size_t need, size_t element)
{
    size_t more = *room ? *room : 64;
    void *moved;

    while (more < need)
        more *= 2;
    if (more == *room)
        return true;
    moved = realloc(*block, more * element);
    if (!moved)
        return false;
    *block = moved;
    *room = more;
    return true;
}

static bool add_text(struct builder *b, struct cmeta_str text, const char **out)
{
    void *block = b->list->texts;
    bool room = make_room(&block, &b->texts_room, b->texts_used + text.len + 1, 1);

    b->list->texts = block;
    if (!room)
        return false;
    memcpy(b->list->texts + b->texts_used, text.data, text.len);
    b->list->texts[b->texts_used + text.len] = '\0';
    *out = (const char *)(uintptr_t)b->texts_used;
    b->texts_used += text.len + 1;
    return true;
}

static bool add_row(struct builder *b, const struct cmeta_view *view,
                    const struct cmeta_status *status)
{
    struct container_row row = {.type = cmeta_view_type(view)};
    void *block = b->list->rows;
    bool room;

    if (b->list->count >= b->rows_max || b->texts_used > b->texts_max)
        return true;
    room = make_room(&block, &b->rows_room, b->list->count + 1, sizeof(row));
    b->list->rows = block;
    if (!room)
        return false;
    for (unsigned c = 0; c < COLUMN_TEXTS; c++)
        if (!add_text(b, container_column_text(view, status, c), &row.text[c]))
            return false;
    b->list->rows[b->list->count++] = row;
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

static bool add_container(struct builder *b, const struct cmeta_region *region, cmeta_handle handle)
{
    struct cmeta_status status;
    struct cmeta_view view;

    if (!cmeta_reader_status(region, handle, &status) ||
        CMETA_STATUS_STATE(status.word) == CMETA_STATE_REMOVED ||
        !cmeta_reader_record(region, handle, &view))
        return true;
    b->list->containers++;
    b->list->missing_images += lacks_image(&view);
    return !container_has_own_address(&view, &status) || add_row(b, &view, &status);
}

struct container_list *container_list_new(const struct cmeta_region *region)
{
    struct builder b = {.list = calloc(1, sizeof(*b.list)),
                        .rows_max = region->arena_bytes / sizeof(struct cmeta_identity),
                        .texts_max = region->arena_bytes};
    cmeta_handle handle;
    uint64_t cursor = 0;
    int r;

    if (!b.list)
        return NULL;
    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0)
        if (r == 1 && !add_container(&b, region, handle))
            return container_list_free(b.list);
    for (uint32_t i = 0; i < b.list->count; i++)
        for (unsigned c = 0; c < COLUMN_TEXTS; c++)
            b.list->rows[i].text[c] = b.list->texts + (uintptr_t)b.list->rows[i].text[c];
    return b.list;
}

struct container_list *container_list_free(struct container_list *list)
{
    if (list) {
        free(list->rows);
        free(list->texts);
        free(list);
    }
    return NULL;
}
