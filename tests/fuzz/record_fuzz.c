// SPDX-License-Identifier: Apache-2.0
// A record's bytes, hostile: views, decoding and encoding again never leave them.
#include "shm/record.h"

#include <stdlib.h>
#include <string.h>

static uint64_t touch(struct cmeta_str text)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.data[i];
    return sum;
}

static uint64_t look(const struct cmeta_view *view)
{
    struct cmeta_label label;
    struct cmeta_mount mount;
    struct cmeta_str text;
    uint64_t sum = 0;

    for (int i = 0; i < CMETA_STRING_COUNT; i++)
        if (cmeta_view_string(view, (enum cmeta_string)i, &text))
            sum += touch(text);
    for (uint32_t i = 0; i < cmeta_view_count(view, CMETA_LIST_LABELS); i++)
        if (cmeta_view_label(view, CMETA_LIST_LABELS, i, &label))
            sum += touch(label.key) + touch(label.value);
    for (uint32_t i = 0; i < cmeta_view_count(view, CMETA_LIST_MOUNTS); i++)
        if (cmeta_view_mount(view, i, &mount))
            sum += touch(mount.joined) + touch(mount.source) + touch(mount.destination);
    if (cmeta_view_find_label(view, CMETA_LIST_LABELS, "app", 3, &text))
        sum += touch(text);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t again[CMETA_RECORD_MAX / 8];
    volatile uint64_t sum = 0;
    uint8_t *copy = aligned_alloc(8, (size + 15) & ~(size_t)7);
    struct cmeta_container content;
    struct cmeta_view view;
    void *scratch = NULL;

    memcpy(copy, data, size);
    if (cmeta_view_init(&view, copy, size) == 0) {
        sum += look(&view);
        if (cmeta_view_decode(&view, &content, &scratch) == 0)
            (void)cmeta_record_encode(&content, again, sizeof(again), NULL);
        free(scratch);
    }
    free(copy);
    return 0;
}
