// SPDX-License-Identifier: Apache-2.0
// Lookups that fail while the region is replaced 10,000 times: a reader that follows as the plugin
// does, over containers that stand all the time, against a writer that replaces and updates. Must
// be none.
#include "bench/bench.h"
#include "unit/support/sample_record.h"
#include "unit/support/temp_dir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENTS 10000u
#define CONTAINERS   200u

static struct temp_dir dir;
static atomic_bool ended;
static uint64_t lookups, lost, mappings;

static void look(const struct cmeta_region *region, unsigned n)
{
    char id[65], name[64];
    cmeta_handle handle;

    sample_id(n, id);
    lookups++;
    if (cmeta_reader_find(region, id, 12, &handle) != CMETA_FOUND ||
        cmeta_reader_value(region, handle, CMETA_STRING_NAME, name, sizeof(name)) <= 0)
        lost++;
}

static void *reader(void *unused)
{
    struct cmeta_region region, next;

    (void)unused;
    while (cmeta_region_map(dir.path, &region) != 0)
        ;
    for (unsigned n = 0; !atomic_load(&ended); n++) {
        look(&region, n % CONTAINERS);
        if (n % 64 == 0 && cmeta_region_is_current(&region, dir.path) == 0 &&
            cmeta_region_map(dir.path, &next) == 0) {
            cmeta_region_unmap(&region);
            region = next;
            mappings++;
        }
    }
    cmeta_region_unmap(&region);
    return NULL;
}

int main(void)
{
    struct cmeta_writer_options options = {.gid = -1};
    struct cmeta_writer *writer;
    pthread_t thread;

    temp_dir_make(&dir);
    options.dir = dir.path;
    writer = sample_writer(dir.path, &options);
    for (unsigned n = 0; n < CONTAINERS; n++)
        sample_put(writer, n, 0);
    pthread_create(&thread, NULL, reader, NULL);
    for (unsigned i = 0; i < REPLACEMENTS; i++) {
        if (cmeta_writer_replace(writer) != 0) {
            fprintf(stderr, "replace_bench: %s\n", cmeta_writer_message(writer));
            return 1;
        }
        sample_put(writer, i % CONTAINERS, i);
    }
    atomic_store(&ended, true);
    pthread_join(thread, NULL);
    cmeta_writer_free(writer);
    temp_dir_remove(&dir);
    fprintf(stderr, "replace_lookups_lost: %llu lookups, %llu regions mapped\n",
            (unsigned long long)lookups, (unsigned long long)mappings);
    bench_value("replace_lookups_lost", (double)lost, "lookups");
    return 0;
}
