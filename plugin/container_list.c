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

#define ROWS_STEP   64u
#define TEXTS_BYTES (4080u - sizeof(struct container_texts)) // a page, less what malloc takes

struct builder {
    struct container_list *list;
    uint32_t rows_room;
    size_t texts_used, texts_room; // of the first of the list's
};

static bool make_rows(struct builder *b, uint32_t rows)
{
    struct container_row *moved = realloc(b->list->rows, rows * sizeof(*moved));

    if (!moved)
        return false;
    b->list->rows = moved;
    b->rows_room = rows;
    return true;
}

static bool make_texts(struct builder *b, size_t bytes)
{
    struct container_texts *texts = malloc(sizeof(*texts) + bytes);

    if (!texts)
        return false;
    SLIST_INSERT_HEAD(&b->list->texts, texts, next);
    b->texts_used = 0;
    b->texts_room = bytes;
    return true;
}

static bool add_text(struct builder *b, struct cmeta_str text, const char **out)
{
    size_t bytes = (size_t)text.len + 1;
    char *to;

    if (bytes > b->texts_room - b->texts_used &&
        !make_texts(b, bytes > TEXTS_BYTES ? bytes : TEXTS_BYTES))
        return false;
    to = SLIST_FIRST(&b->list->texts)->text + b->texts_used;
    memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    *out = to;
    b->texts_used += bytes;
    return true;
}

static bool add_row(struct builder *b, const struct cmeta_view *view,
                    const struct cmeta_status *status)
{
    struct container_row row = {.type = cmeta_view_type(view)};

    if (b->list->count == b->rows_room && !make_rows(b, 2 * b->rows_room))
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

struct container_list *container_list_new(const struct cmeta_region *region, uint32_t rows)
{
    struct builder b = {.list = calloc(1, sizeof(*b.list))};
    cmeta_handle handle;
    uint64_t cursor = 0;
    int r;

    if (!b.list)
        return NULL;
    // In steps: a few containers more or less take as much room as before.
    if (!make_rows(&b, rows / ROWS_STEP * ROWS_STEP + ROWS_STEP))
        return container_list_free(b.list);
    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0)
        if (r == 1 && !add_container(&b, region, handle))
            return container_list_free(b.list);
    return b.list;
}

struct container_list *container_list_free(struct container_list *list)
{
    struct container_texts *texts;

    if (!list)
        return NULL;
    while ((texts = SLIST_FIRST(&list->texts)) != NULL) {
        SLIST_REMOVE_HEAD(&list->texts, next);
        free(texts);
    }
    free(list->rows);
    free(list);
    return NULL;
}
