// SPDX-License-Identifier: Apache-2.0
// Many at once and many times over: instances, loads, regions; and what the plugin says of a daemon
// that doesn't answer any more.
#include "support/leap.h"
#include "support/plugin_ear.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#define ROUNDS    200u // what they look for shows in these
#else
#define SANITIZED 0
#define ROUNDS    10000u
#endif

// --- memory --------------------------------------------------------------------------------------

// What isn't given back, to the block: mallinfo() counts caches and arenas of threads, too.
static long blocks, bytes_used; // atomic

#if !SANITIZED // which has functions of its own, and looks for leaks itself
#define INTERPOSED __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

static void *count(void *block, long sign)
{
    if (block) {
        __atomic_fetch_add(&blocks, sign, __ATOMIC_RELAXED);
        __atomic_fetch_add(&bytes_used, sign * (long)malloc_usable_size(block), __ATOMIC_RELAXED);
    }
    return block;
}

INTERPOSED void *malloc(size_t size)
{
    return count(__libc_malloc(size), 1);
}

INTERPOSED void *calloc(size_t n, size_t size)
{
    return count(__libc_calloc(n, size), 1);
}

INTERPOSED void free(void *block)
{
    __libc_free(count(block, -1));
}

INTERPOSED void *realloc(void *block, size_t size)
{
    void *moved;

    if (!block)
        return malloc(size);
    count(block, -1);
    moved = __libc_realloc(block, size);
    if (!moved && size)
        count(block, 1); // it stays as it was
    return count(moved, 1);
}
#endif

// --- the log -------------------------------------------------------------------------------------

static unsigned lines_with(struct host *h, const char *part)
{
    unsigned n = 0;

    for (size_t i = 0; i < report_log_lines(host_report(h)); i++)
        n += strstr(report_log_line(host_report(h), i, NULL), part) != NULL;
    return n;
}

// --- instances -----------------------------------------------------------------------------------

struct life {
    unsigned number;
    bool done;
};

// A whole life in a thread of its own, with a region of its own, asked for metrics all the while.
static pthread_mutex_t samples_lock = PTHREAD_MUTEX_INITIALIZER; // they are made in static memory

static void put_and_exec(struct bed *bed, unsigned n, unsigned v)
{
    char path[96];

    pthread_mutex_lock(&samples_lock);
    sample_put(bed->writer, n, v);
    snprintf(path, sizeof(path), "%s", bed_path(n));
    pthread_mutex_unlock(&samples_lock);
    bed_exec(bed->host, 100 + n, path);
}

static void *live(void *argument)
{
    struct life *life = argument;
    struct bed bed;

    pthread_mutex_lock(&samples_lock);
    bed_open(&bed, NULL);
    pthread_mutex_unlock(&samples_lock);
    host_probe_start(bed.host);
    for (unsigned n = 0; n < 200; n++) {
        char tag[16];

        put_and_exec(&bed, n, life->number);
        snprintf(tag, sizeof(tag), "v%u", life->number);
        bed_expect(bed.host, "container.image.tag", tag);
        if (n % 50 == 49) {
            ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
            bed_wait_metric(bed.host, "region_swaps", (n + 1) / 50);
        }
        host_pump(bed.host);
    }
    ck_assert_uint_gt(host_probe_stop(bed.host), 0);
    bed_close(&bed);
    life->done = true;
    return NULL;
}

START_TEST(instances_in_several_threads_do_not_meet)
{
    struct life lives[6];
    pthread_t threads[6];

    for (unsigned i = 0; i < 6; i++) {
        lives[i] = (struct life){.number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, live, &lives[i]), 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(lives[i].done);
    }
}
END_TEST

// --- loading -------------------------------------------------------------------------------------

struct footprint {
    unsigned descriptors, mappings;
    long blocks, bytes;
};

static unsigned count_entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

// Mappings of the library and of regions; the heap's own come and go.
static unsigned count_mappings(const struct bed *bed)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned n = 0;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, bed->dir.path) || strstr(line, "libcontainer.so");
    fclose(f);
    return n;
}

static struct footprint measure(const struct bed *bed)
{
    struct footprint f = {.mappings = count_mappings(bed)};

    f.descriptors = count_entries("/proc/self/fd");
    f.blocks = blocks;
    f.bytes = bytes_used;
    return f;
}

static void live_once(const struct bed *bed)
{
    struct host *h = bed_host(bed, NULL);

    host_thread_add(h, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(h), 0);
    bed_expect_of(h, 50, "container.name", "container-3");
    host_pump(h);
    bed_end(h);
}

START_TEST(library_comes_and_goes_ten_thousand_times_and_leaves_nothing)
{
    struct bed bed;
    struct footprint before, after;
    unsigned threads;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    for (unsigned i = 0; i < 20; i++) // so that what is made once is there
        live_once(&bed);
    threads = bed_threads(); // a sanitizer has one of its own, and one may be about to end
    before = measure(&bed);
    for (unsigned i = 0; i < ROUNDS; i++) {
        live_once(&bed);
    }
    while (bed_threads() > threads) // one that was joined is listed a moment longer
        sched_yield();
    after = measure(&bed);
    ck_assert_uint_eq(after.descriptors, before.descriptors);
    ck_assert_uint_eq(after.mappings, before.mappings);
    ck_assert_int_eq(after.blocks, before.blocks);
    ck_assert_int_eq(after.bytes, before.bytes);
    bed_close(&bed);
}
END_TEST

// --- regions -------------------------------------------------------------------------------------

struct replacing {
    struct bed *bed;
    atomic_bool done;
};

static void *replace_on(void *argument)
{
    struct replacing *r = argument;

    for (unsigned i = 0; i < ROUNDS; i++)
        if (cmeta_writer_replace(r->bed->writer) != 0)
            abort();
    atomic_store(&r->done, true);
    return NULL;
}

START_TEST(region_replaced_ten_thousand_times_loses_no_lookup_and_tells_nothing_twice)
{
    struct bed bed;
    struct replacing replacing = {.bed = &bed};
    pthread_t thread;
    uint64_t asked = 0;

    temp_dir_make(&bed.dir);
    // Small ones: most of a replacement's time is the kernel's, for memory.
    bed.writer = sample_writer(
        bed.dir.path, &(struct cmeta_writer_options){.gid = -1, .initial_bytes = 256 * 1024});
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    for (unsigned n = 0; n < 20; n++) {
        ck_assert_int_eq(sample_put(bed.writer, n, 0), CMETA_PUT_CREATED);
        bed_exec(bed.host, 50 + n, bed_path(n));
    }
    bed_wait_metric(bed.host, "events_emitted", 20);
    atomic_init(&replacing.done, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, replace_on, &replacing), 0);
    do {
        char name[32];
        unsigned n = (unsigned)(asked++ % 20);

        snprintf(name, sizeof(name), "container-%u", n);
        if (asked % 7 == 0)
            bed_exec(bed.host, 50 + n, bed_path(n));
        bed_expect_of(bed.host, 50 + n, "container.name", name);
        if (asked % 100 == 0)
            host_pump(bed.host);
    } while (!atomic_load(&replacing.done));
    pthread_join(thread, NULL);
    ck_assert_double_gt(bed_metric(bed.host, "region_swaps"), 0);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_absent"), 0);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_no_region"), 0);
    ck_assert_double_eq(bed_metric(bed.host, "events_emitted"), 20);
    bed_close(&bed);
}
END_TEST

// --- the daemon's life ---------------------------------------------------------------------------

// Stopped, or stuck: it holds the lock and does nothing.
START_TEST(heart_that_stands_still_is_told_once_and_values_are_served)
{
    struct bed bed;
    int lock = -1;

    bed_make(&bed);
    ck_assert_int_eq(cmeta_lock_take(bed.dir.path, 0, &lock), 0);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    bed_wait_metric(bed.host, "daemon_alive", 1);
    ck_assert_double_eq(bed_metric(bed.host, "heartbeat_stale"), 0);
    LEAP_SECONDS(31);
    bed_wait_metric(bed.host, "heartbeat_stale", 1);
    ck_assert_double_eq(bed_metric(bed.host, "daemon_alive"), 0);
    LEAP_SECONDS(60);
    while (bed_metric(bed.host, "heartbeat_age_s") < 60)
        bed_tick(bed.host);
    ck_assert_uint_eq(lines_with(bed.host, "no sign of life"), 1);
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    LEAP_SECONDS(10);
    cmeta_writer_tick(bed.writer, 1, UINT64_MAX / 2); // it beats
    bed_wait_metric(bed.host, "heartbeat_stale", 0);
    bed_wait_metric(bed.host, "daemon_alive", 1);
    bed_wait_log(bed.host, "running again");
    close(lock);
    bed_close(&bed);
}
END_TEST

START_TEST(region_has_an_age_and_a_number_of_its_own)
{
    struct bed bed;
    double epoch;

    bed_open(&bed, NULL);
    epoch = bed_metric(bed.host, "region_epoch");
    ck_assert_double_gt(epoch, 0);
    LEAP_SECONDS(1000);
    while (bed_metric(bed.host, "region_age_s") < 1000)
        bed_tick(bed.host);
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    while (bed_metric(bed.host, "region_epoch") == epoch)
        bed_tick(bed.host);
    host_close(bed.host);
    ck_assert_double_eq(bed_metric(bed.host, "region_epoch"), 0);
    ck_assert_double_eq(bed_metric(bed.host, "region_age_s"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(refused_region_is_told_once_and_tried_again_quietly)
{
    struct bed bed;
    char path[128];

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    snprintf(path, sizeof(path), "%s/" CMETA_TABLE_NAME, bed.dir.path);
    ck_assert_int_eq(chmod(path, 0646), 0);
    bed.host = bed_host(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_wait_log(bed.host, "writable by others");
    ck_assert_int_eq(chmod(path, 0640), 0);
    bed_wait_of(bed.host, 50, "container.name", "container-3"); // so it was tried again
    ck_assert_uint_eq(lines_with(bed.host, "writable by others"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "region_refusals"), 1);
    bed_close(&bed);
}
END_TEST

// --- lookups, lines ------------------------------------------------------------------------------

START_TEST(lookups_are_counted_by_what_became_of_them)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_exec(bed.host, 51, bed_path(4));
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    bed_expect(bed.host, "container.image.tag", "v0"); // of the same event: the same lookup
    bed_expect_of(bed.host, 51, "container.name", NULL);
    bed_expect_of(bed.host, 1, "container.name", "host");
    bed_expect_of(bed.host, 999, "container.name", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "lookups"), 4);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_hit"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_absent"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_host"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_no_thread"), 1);
    ck_assert_int_eq(sample_put(bed.writer, 5, 0), CMETA_PUT_CREATED);
    bed_expect_of(bed.host, 51, "container.name", NULL); // the region has changed: once more
    ck_assert_double_eq(bed_metric(bed.host, "lookups_repeated"), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(log_is_not_flooded)
{
    struct bed bed;

    bed_make(&bed);
    bed.host = bed_host(&bed, NULL);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(host_open_live(bed.host), 0);
        host_close(bed.host);
    }
    ck_assert_uint_ge(report_log_lines(host_report(bed.host)), 20);
    // A minute may have begun in between.
    ck_assert_uint_le(report_log_lines(host_report(bed.host)), 81);
    LEAP_SECONDS(61);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_wait_log(bed.host, "lines were left out");
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_many", 300, instances_in_several_threads_do_not_meet,
           library_comes_and_goes_ten_thousand_times_and_leaves_nothing,
           region_replaced_ten_thousand_times_loses_no_lookup_and_tells_nothing_twice,
           heart_that_stands_still_is_told_once_and_values_are_served,
           region_has_an_age_and_a_number_of_its_own,
           refused_region_is_told_once_and_tried_again_quietly,
           lookups_are_counted_by_what_became_of_them, log_is_not_flooded)
