// SPDX-License-Identifier: Apache-2.0
// The reader's figures, over a region in a folder of its own on /dev/shm.
#include "bench/bench.h"
#include "shm/counters.h"
#include "shm/writer.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS 2000000u

static char folder[] = "/dev/shm/cmeta-bench-XXXXXX";
static struct cmeta_writer *writer;

static void die(const char *what)
{
    fprintf(stderr, "lookup_bench: %s\n", what);
    exit(1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void clean_up(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

// 64 random-looking hexadecimal digits for n; two rounds of a mixer, so that no order remains.
static void make_id(uint64_t n, char id[65])
{
    uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    snprintf(id, 65, "%016llx%016llx%016llx%016llx", (unsigned long long)x, (unsigned long long)n,
             (unsigned long long)~x, (unsigned long long)n);
}

static int put(uint64_t n, unsigned version)
{
    static _Alignas(8) uint8_t record[CMETA_RECORD_MAX];
    char id[65], name[32], image[64];
    struct cmeta_label labels[] = {{CMETA_STR("app"), CMETA_STR("shop")},
                                   {CMETA_STR("tier"), CMETA_STR("backend")}};
    struct cmeta_container content = {.type = CMETA_TYPE_DOCKER,
                                      .known = CMETA_GROUPS_ALL,
                                      .started_ns = version,
                                      .labels = labels,
                                      .labels_count = 2};
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = (uint32_t)n, .first_seen_ns = 1};
    int size;

    make_id(n, id);
    content.strings[CMETA_STRING_NAME] = (struct cmeta_str){
        name, (uint32_t)snprintf(name, sizeof(name), "container-%llu", (unsigned long long)n)};
    // 24 bytes, the length that handle_value_ns is about.
    content.strings[CMETA_STRING_IMAGE] = (struct cmeta_str){
        image, (uint32_t)snprintf(image, sizeof(image), "registry.local/s/a:%05llu",
                                  (unsigned long long)(n % 100000))};
    size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    return cmeta_writer_put(writer, &(struct cmeta_name){{id, 64}, CMETA_STR("docker")}, record,
                            (size_t)size, &live);
}

static int drop(uint64_t n, uint64_t now)
{
    char id[65];

    make_id(n, id);
    return cmeta_writer_remove(writer, &(struct cmeta_name){{id, 64}, CMETA_STR("docker")}, now);
}

static void open_writer(const char *dir, uint64_t max_bytes)
{
    char message[256];
    struct cmeta_writer_options options = {.dir = dir,
                                           .max_bytes = max_bytes,
                                           .grace_ns = 1,
                                           .drain_ns = 1,
                                           .version = "bench",
                                           .gid = -1};

    if (cmeta_writer_new(&options, &writer, message, sizeof(message)) < 0 ||
        cmeta_writer_publish(writer) < 0)
        die("cannot make a region");
}

static struct cmeta_region map(const char *dir)
{
    struct cmeta_region region;

    if (cmeta_region_map(dir, &region))
        die("cannot map the region");
    return region;
}

// Short IDs in random order, packed: they are streamed while the table is hit at random.
static char *make_keys(uint64_t first, uint64_t count)
{
    char *keys = malloc((size_t)LOOKUPS * 12), id[65];
    uint64_t x = 88172645463325252u;

    if (!keys)
        die("out of memory");
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        make_id(first + x % count, id);
        memcpy(keys + (size_t)i * 12, id, 12);
    }
    return keys;
}

static double run_lookups(const struct cmeta_region *region, const char *keys, unsigned expected)
{
    uint64_t start = bench_now_ns();
    cmeta_handle handle = 0;
    unsigned found = 0;

    for (uint32_t i = 0; i < LOOKUPS; i++)
        found += cmeta_reader_find(region, keys + (size_t)i * 12, 12, &handle) == CMETA_FOUND;
    start = bench_now_ns() - start;
    if (found != expected)
        die("a lookup gave the wrong answer");
    bench_keep(handle);
    return (double)start / LOOKUPS;
}

static void figure_lookups(const struct cmeta_region *region, const char *name, uint64_t first,
                           uint64_t count, unsigned expected)
{
    char *keys = make_keys(first, count);
    double values[BENCH_RUNS];

    run_lookups(region, keys, expected);
    for (int run = 0; run < BENCH_RUNS; run++)
        values[run] = run_lookups(region, keys, expected);
    bench_report(name, values, BENCH_RUNS, "ns");
    free(keys);
}

// The next key comes out of the last answer: the handle picks it, among 100,000 that stay in the
// cache.
static void figure_dependent(const struct cmeta_region *region, uint64_t count)
{
    char *keys = make_keys(0, count);
    double values[BENCH_RUNS];

    for (int run = 0; run < BENCH_RUNS; run++) {
        uint64_t start = bench_now_ns();
        uint32_t at = 0;

        for (uint32_t i = 0; i < LOOKUPS; i++) {
            cmeta_handle handle = 0;

            if (cmeta_reader_find(region, keys + (size_t)at * 12, 12, &handle) != CMETA_FOUND)
                die("a lookup failed");
            // The count keeps the walk from running into a circle.
            at = (uint32_t)((handle + i) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % 100000;
        }
        values[run] = (double)(bench_now_ns() - start) / LOOKUPS;
        bench_keep(at);
    }
    bench_report("lookup_dependent_100k_ns", values, BENCH_RUNS, "ns");
    free(keys);
}

static void figure_handle_value(const struct cmeta_region *region)
{
    cmeta_handle handles[1000];
    double values[BENCH_RUNS];
    char id[65], buffer[64];

    for (unsigned n = 0; n < 1000; n++) {
        make_id(n, id);
        if (cmeta_reader_find(region, id, 12, &handles[n]) != CMETA_FOUND)
            die("a lookup failed");
    }
    for (int run = 0; run < BENCH_RUNS; run++) {
        uint64_t start = bench_now_ns();

        for (unsigned i = 0; i < LOOKUPS; i++) {
            if (cmeta_reader_value(region, handles[i % 1000], CMETA_STRING_IMAGE, buffer,
                                   sizeof(buffer)) != 24)
                die("a value has the wrong length");
            bench_keep(buffer[0]);
        }
        values[run] = (double)(bench_now_ns() - start) / LOOKUPS;
    }
    bench_report("handle_value_ns", values, BENCH_RUNS, "ns");
}

// 10,000 updates a second, evenly spread.
static uint32_t writing; // atomic: set and cleared by the bench, read by the thread; relaxed
static void *write_updates(void *userdata)
{
    struct timespec next;

    (void)userdata;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned i = 0; __atomic_load_n(&writing, __ATOMIC_RELAXED); i++) {
        put(i % 1000, i);
        next.tv_nsec += 100000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

static void figure_under_writes(void)
{
    enum { SAMPLES = 500000 };
    static double samples[SAMPLES];
    struct cmeta_region region;
    char *keys = make_keys(0, 1000);
    double timer = bench_timer_ns(), values[5];
    pthread_t thread;

    __atomic_store_n(&writing, 1, __ATOMIC_RELAXED);
    if (pthread_create(&thread, NULL, write_updates, NULL))
        die("cannot start a thread");
    for (unsigned run = 0; run < 5; run++) {
        region = map(folder);
        for (unsigned i = 0; i < SAMPLES; i++) {
            cmeta_handle handle;
            uint64_t start = bench_now_ns();
            enum cmeta_found found =
                cmeta_reader_find(&region, keys + (size_t)(i % LOOKUPS) * 12, 12, &handle);

            samples[i] = (double)(bench_now_ns() - start) - timer;
            if (found != CMETA_FOUND)
                die("a lookup failed under writes");
        }
        qsort(samples, SAMPLES, sizeof(samples[0]), bench_compare);
        values[run] = samples[SAMPLES / 1000 * 999];
        cmeta_region_unmap(&region);
    }
    __atomic_store_n(&writing, 0, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    bench_report("lookup_p999_under_writes_ns", values, 5, "ns");
    free(keys);
}

// A region with the same thousand, of which none has ever gone, in a folder of its own.
static struct cmeta_region fresh_region(void)
{
    struct cmeta_writer *kept = writer;
    struct cmeta_region region;
    char dir[64];

    snprintf(dir, sizeof(dir), "%s/fresh", folder);
    if (mkdir(dir, 0755) != 0)
        die("cannot make a folder");
    open_writer(dir, 0);
    for (unsigned n = 0; n < 1000; n++)
        put(n, 1);
    region = map(dir);
    cmeta_writer_free(writer);
    writer = kept;
    return region;
}

// Ten million containers come and go beside a thousand that stay; regions are replaced on the way.
// Runs in the one and in a fresh region take turns, so that the machine's moods meet both.
static void figure_churn(void)
{
    char *keys = make_keys(1u << 30, 100000);
    double ratios[BENCH_RUNS];
    struct cmeta_region churned, fresh;
    uint64_t now = 1;

    for (uint64_t n = 0; n < 10000000; n++, now++) {
        if (put(100000 + n, 1) < 0 || drop(100000 + n, now) != 1)
            die("churn: a container was not taken");
        if (n % 64 == 63)
            cmeta_writer_tick(writer, now + 2, now * 20000000); // as if it took a second
    }
    churned = map(folder);
    fresh = fresh_region();
    run_lookups(&churned, keys, 0);
    run_lookups(&fresh, keys, 0);
    for (int run = 0; run < BENCH_RUNS; run++) {
        double first = run_lookups(&fresh, keys, 0);

        ratios[run] = run_lookups(&churned, keys, 0) / first;
    }
    cmeta_region_unmap(&churned);
    cmeta_region_unmap(&fresh);
    bench_report("miss_after_churn_ratio", ratios, BENCH_RUNS, "ratio");
    free(keys);
}

int main(void)
{
    struct cmeta_region region;

    if (!mkdtemp(folder))
        die("cannot make a folder on /dev/shm");
    atexit(clean_up);

    open_writer(folder, 0);
    for (unsigned n = 0; n < 1000; n++)
        put(n, 1);
    region = map(folder);
    figure_lookups(&region, "lookup_hit_1k_ns", 0, 1000, LOOKUPS);
    figure_handle_value(&region);
    cmeta_region_unmap(&region);
    figure_under_writes();
    figure_churn();
    writer = cmeta_writer_free(writer);

    open_writer(folder, UINT64_C(1) << 30);
    for (unsigned n = 0; n < 100000; n++)
        if (put(n, 1) < 0)
            die("100,000 containers do not fit");
    region = map(folder);
    figure_lookups(&region, "lookup_hit_100k_ns", 0, 100000, LOOKUPS);
    figure_lookups(&region, "lookup_miss_100k_ns", 1u << 30, 100000, 0);
    figure_dependent(&region, 100000);
    cmeta_region_unmap(&region);
    writer = cmeta_writer_free(writer);
    return 0;
}
