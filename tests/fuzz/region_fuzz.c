// SPDX-License-Identifier: Apache-2.0
// A region's contents, hostile: readers of a mapping that others write over stay within it and end.
//
// A sound region is made once; each input is a list of patches to it (four bytes of offset, one of
// length, that many bytes), applied, read through, and taken back.
#include "shm/reader.h"
#include "shm/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTAINERS  40u
#define PATCHES_MAX 64u
#define STEPS_MAX   1000000u

static uint8_t *copy; // of its very size
static uint64_t copy_size;

static void id_of(unsigned n, char id[65])
{
    snprintf(id, 65, "%08x%056x", n * 2654435761u, n);
}

static void put(struct cmeta_writer *writer, unsigned n)
{
    static _Alignas(8) uint8_t record[4096];
    static const struct cmeta_label labels[] = {{{"app", 3}, {"shop", 4}}, {{"zone", 4}, {"z", 1}}};
    struct cmeta_container content = {
        .known = CMETA_GROUPS_ALL, .labels = labels, .labels_count = 2};
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = n};
    char id[65];
    int size;

    id_of(n, id);
    content.strings[CMETA_STRING_NAME] = CMETA_STR("name");
    content.strings[CMETA_STRING_IP] = CMETA_STR("10.0.0.1");
    size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    if (size < 0 ||
        cmeta_writer_put(writer,
                         &(struct cmeta_name){{n % 8 ? id : "free-form", n % 8 ? 64 : 9},
                                              {n % 16 ? "docker" : "lxc", n % 16 ? 6 : 3}},
                         record, (size_t)size, &live) < 0)
        abort();
}

static void make(void)
{
    char dir[] = "/tmp/cmeta-fuzz-XXXXXX", message[256], path[64];
    struct cmeta_writer_options options = {
        .dir = dir, .grace_ns = 1000000000, .drain_ns = 1, .version = "fuzz", .gid = -1};
    struct cmeta_writer *writer;
    struct cmeta_region region;

    if (!mkdtemp(dir) || cmeta_writer_new(&options, &writer, message, sizeof(message)) < 0 ||
        cmeta_writer_publish(writer) < 0)
        abort();
    for (unsigned n = 0; n < CONTAINERS; n++)
        put(writer, n);
    if (cmeta_region_map(dir, &region) != 0)
        abort();
    copy_size = region.size;
    copy = aligned_alloc(64, copy_size);
    memcpy(copy, region.base, copy_size);
    cmeta_region_unmap(&region);
    cmeta_writer_free(writer);
    snprintf(path, sizeof(path), "%s/" CMETA_TABLE_NAME, dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" CMETA_LOCK_NAME, dir);
    unlink(path);
    rmdir(dir);
}

// --- reading all there is ------------------------------------------------------------------------

static uint64_t touch(struct cmeta_str text)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.data[i];
    return sum;
}

static uint64_t look(const struct cmeta_region *region, cmeta_handle handle)
{
    struct cmeta_status status;
    struct cmeta_label label;
    struct cmeta_view view;
    struct cmeta_str text;
    uint64_t sum = 0;

    if (cmeta_reader_status(region, handle, &status))
        sum += touch(status.id) + touch(status.scope);
    if (!cmeta_reader_record(region, handle, &view))
        return sum;
    for (int i = 0; i < CMETA_STRING_COUNT; i++)
        if (cmeta_view_string(&view, (enum cmeta_string)i, &text))
            sum += touch(text);
    for (uint32_t i = 0; i < cmeta_view_count(&view, CMETA_LIST_LABELS); i++)
        if (cmeta_view_label(&view, CMETA_LIST_LABELS, i, &label))
            sum += touch(label.key) + touch(label.value);
    return sum + (uint64_t)cmeta_view_find_label(&view, CMETA_LIST_LABELS, "app", 3, &text);
}

static uint64_t find_all(const struct cmeta_region *region)
{
    cmeta_handle handle;
    uint64_t sum = 0;
    char id[65];

    for (unsigned n = 0; n < CONTAINERS + 4; n++) {
        id_of(n, id);
        if (cmeta_reader_find(region, id, 12, &handle) == CMETA_FOUND)
            sum += look(region, handle);
        if (cmeta_reader_find_full(region, id, 64, "docker", 6, &handle) == CMETA_FOUND)
            sum += look(region, handle);
    }
    if (cmeta_reader_find(region, "free-form", 9, &handle) == CMETA_FOUND)
        sum += look(region, handle);
    return sum;
}

static uint64_t walk(const struct cmeta_region *region)
{
    uint64_t cursor = 0, sum = 0;
    cmeta_handle handle;
    unsigned steps = 0;
    int r;

    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0) {
        if (++steps > STEPS_MAX)
            abort();
        if (r == 1)
            sum += look(region, handle);
    }
    return sum;
}

static uint64_t follow(const struct cmeta_region *region)
{
    struct cmeta_change change;
    uint64_t seen = 0, sum = 0;
    unsigned steps = 0;

    while (cmeta_follow_next(region, &seen, &change) == CMETA_FOLLOW_CHANGE) {
        if (++steps > STEPS_MAX)
            abort();
        sum += look(region, change.handle);
    }
    return sum;
}

static uint64_t rows(const struct cmeta_region *region)
{
    struct cmeta_engine_row row;
    struct cmeta_counter counter;
    uint64_t sum = 0, monotonic;

    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++)
        sum += strlen(counter.name);
    for (uint32_t i = 0; i <= region->engine_count && i < 4096; i++)
        if (cmeta_reader_engine(region, i, &row) == 1)
            sum += strlen(row.name) + strlen(row.scope);
    return sum + cmeta_reader_heartbeat(region, &monotonic) + cmeta_reader_state(region);
}

// --- patches -------------------------------------------------------------------------------------

struct patch {
    uint64_t at;
    uint8_t len, before[255];
};

// The upper bits choose: header, the identities and records, or anywhere.
static uint64_t place(uint32_t offset, const struct cmeta_region *sound)
{
    switch (offset >> 30) {
    case 0:
        return offset % sizeof(struct cmeta_header);
    case 1:
        return sound->buckets_offset + (offset & 0x3fffffff) % 65536;
    case 2:
        return sound->arena_offset + (offset & 0x3fffffff) % 32768;
    default:
        return (offset & 0x3fffffff) % copy_size;
    }
}

static unsigned apply(struct patch *patches, const uint8_t *data, size_t size,
                      const struct cmeta_region *sound)
{
    unsigned n = 0;

    while (size > 5 && n < PATCHES_MAX) {
        struct patch *p = &patches[n++];
        uint32_t offset;

        memcpy(&offset, data, sizeof(offset));
        p->at = place(offset, sound) % copy_size;
        p->len = data[4];
        if (p->len > size - 5)
            p->len = (uint8_t)(size - 5);
        if (p->len > copy_size - p->at)
            p->len = (uint8_t)(copy_size - p->at);
        memcpy(p->before, copy + p->at, p->len);
        memcpy(copy + p->at, data + 5, p->len);
        data += 5 + p->len;
        size -= 5 + p->len;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct patch patches[PATCHES_MAX];
    static struct cmeta_region sound;
    struct cmeta_region region;
    volatile uint64_t sum = 0;
    unsigned n;

    if (!copy) {
        make();
        if (cmeta_region_adopt(copy, copy_size, &sound) != 0)
            abort();
    }
    n = apply(patches, data, size, &sound);
    // As a mapping that was sound when it was made, and as one that is made now.
    sum += find_all(&sound) + walk(&sound) + follow(&sound) + rows(&sound);
    if (cmeta_region_adopt(copy, copy_size, &region) == 0)
        sum += find_all(&region) + walk(&region) + follow(&region) + rows(&region);
    while (n-- > 0)
        memcpy(copy + patches[n].at, patches[n].before, patches[n].len);
    return 0;
}
