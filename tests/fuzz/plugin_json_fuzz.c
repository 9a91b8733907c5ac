// SPDX-License-Identifier: Apache-2.0
// A container's document, hostile: whatever is taken from it is a sound record with an ID, and the
// store that keeps it finds it again, within its bounds.
#include "plugin/capture_store.h"

#include <stdlib.h>
#include <string.h>

static uint64_t touch(struct cmeta_str text)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.data[i];
    return sum;
}

static void expect(bool sound)
{
    if (!sound)
        abort();
}

// Strings end with a NUL of their own: the table `containers` hands them out.
static uint64_t look(const struct cmeta_view *view)
{
    struct cmeta_label label;
    struct cmeta_mount mount;
    struct cmeta_str text;
    uint64_t sum = 0;

    for (int i = 0; i < CMETA_STRING_COUNT; i++)
        if (cmeta_view_string(view, (enum cmeta_string)i, &text)) {
            sum += touch(text);
            expect(text.data[text.len] == '\0' && !memchr(text.data, '\0', text.len));
        }
    for (unsigned list = CMETA_LIST_LABELS; list <= CMETA_LIST_POD_LABELS; list++)
        for (uint32_t i = 0; i < cmeta_view_count(view, (enum cmeta_list)list); i++) {
            expect(cmeta_view_label(view, (enum cmeta_list)list, i, &label));
            expect(cmeta_view_find_label(view, (enum cmeta_list)list, label.key.data, label.key.len,
                                         &text));
            sum += touch(label.key) + touch(text);
        }
    for (uint32_t i = 0; i < cmeta_view_count(view, CMETA_LIST_MOUNTS); i++) {
        expect(cmeta_view_mount(view, i, &mount));
        sum += touch(mount.joined) + touch(mount.source) + touch(mount.destination);
    }
    return sum;
}

static void keep(struct capture_store *store, const struct told *told)
{
    struct cmeta_view view;
    cmeta_handle handle;
    const struct container_row *row;
    const void *cursor = NULL;
    uint32_t rows = 0;

    expect(capture_store_put(store, told, 1000) >= 0);
    expect(capture_store_find(store, told->id, strlen(told->id), &handle) == CMETA_FOUND);
    expect(capture_store_record(store, handle, &view) == 1);
    look(&view);
    expect(strcmp(capture_store_full_id(store, handle), told->full_id) == 0);
    while ((row = capture_store_next(store, &cursor)) != NULL)
        for (unsigned c = 0; c < COLUMN_TEXTS; c++)
            rows += c == 0 && strlen(row->text[c]) < CMETA_RECORD_MAX;
    expect(rows == capture_store_rows(store));
    capture_store_remove(store, told, 2000);
    expect(capture_store_rows(store) == 0 && capture_store_count(store) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct told told;
    static struct capture_store *store;
    struct cmeta_view view;
    char *copy = malloc(size ? size : 1); // of its very size, so that reading on is noticed

    if (!store)
        store = capture_store_new();
    memcpy(copy, data, size);
    if (json_record_read(copy, size, &told) == 0) {
        expect(*told.id && told.size <= sizeof(told.record));
        expect(cmeta_view_init(&view, told.record, told.size) == 0);
        keep(store, &told);
        capture_store_clear(store);
    }
    free(copy);
    return 0;
}
