// SPDX-License-Identifier: Apache-2.0
// The region under the plugin: absent, appearing, replaced, restarted, damaged, not this host's;
// and what hangs on the follower: instances, threads, metrics, the table `containers`.
#include "support/plugin_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *table_path(const struct bed *bed)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", bed->dir.path, CMETA_TABLE_NAME);
    return path;
}

// How many mappings of any region of the folder this process has.
static unsigned mappings(const struct bed *bed)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned n = 0;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, bed->dir.path) != NULL;
    fclose(f);
    return n;
}

// --- coming and going ----------------------------------------------------------------------------

// falco#3953, plugins#1487: nothing outside may keep Falco from starting.
START_TEST(missing_daemon_does_not_delay_start)
{
    struct bed bed = {.writer = NULL};

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_expect_of(bed.host, 50, "container.id", bed_short_id(3));
    bed_expect_of(bed.host, 50, "container.name", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "region_mapped"), 0);
    bed_wait_log(bed.host, "start containerd-meta");
    bed_close(&bed);
}
END_TEST

START_TEST(missing_folder_is_no_error_either)
{
    struct bed bed = {.writer = NULL};

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, NULL);
    rmdir(bed.dir.path);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    ck_assert_double_eq(bed_metric(bed.host, "region_mapped"), 0);
    bed_close(&bed);
}
END_TEST

// plugins#1499: an ID that was unknown once was never asked for again.
START_TEST(region_that_appears_later_gives_known_threads_their_metadata)
{
    struct bed bed = {.writer = NULL};

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_expect_of(bed.host, 50, "container.name", NULL);
    bed.writer = sample_writer(bed.dir.path, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_wait_of(bed.host, 50, "container.name", "container-3");
    bed_wait_metric(bed.host, "region_mapped", 1);
    ck_assert_double_eq(bed_metric(bed.host, "region_swaps"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(replaced_region_is_followed_and_the_old_one_let_go)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    for (unsigned round = 1; round <= 5; round++) {
        char image[32];

        ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
        ck_assert_int_ge(sample_put(bed.writer, 3, round), 0);
        bed_wait_metric(bed.host, "region_swaps", round);
        snprintf(image, sizeof(image), "v%u", round);
        bed_wait_of(bed.host, 50, "container.image.tag", image);
    }
    // Ours and the writer's own two; the plugin keeps no more than the present one.
    while (mappings(&bed) > 3)
        bed_tick(bed.host);
    bed_close(&bed);
}
END_TEST

START_TEST(successor_is_put_in_use_by_extraction_alone)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    while (bed_metric(bed.host, "region_swaps") < 1)
        bed_expect_of(bed.host, 50, "container.name", "container-3"); // none of it is parsed
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    bed_close(&bed);
}
END_TEST

START_TEST(field_asked_for_after_the_end_is_null)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.name", "container-3");
    host_close(bed.host);
    bed_expect(bed.host, "container.name", NULL); // the same event, and no region any more
    bed_close(&bed);
}
END_TEST

// charts#632, charts#1052, falco#3979.
START_TEST(restarted_daemon_is_followed)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.image.tag", "v0");
    cmeta_writer_free(bed.writer);
    bed_expect_of(bed.host, 50, "container.image.tag", "v0"); // served while nobody writes
    bed.writer = sample_writer(bed.dir.path, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 7), CMETA_PUT_CREATED);
    bed_wait_of(bed.host, 50, "container.image.tag", "v7");
    bed_close(&bed);
}
END_TEST

START_TEST(folder_taken_away_and_made_anew_is_followed)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    cmeta_writer_free(bed.writer);
    temp_dir_remove(&bed.dir);
    bed_wait_log(bed.host, "any more");
    bed_expect_of(bed.host, 50, "container.image.tag", "v0");
    ck_assert_int_eq(mkdir(bed.dir.path, 0755), 0);
    bed.writer = sample_writer(bed.dir.path, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 7), CMETA_PUT_CREATED);
    bed_wait_of(bed.host, 50, "container.image.tag", "v7");
    bed_close(&bed);
}
END_TEST

START_TEST(container_that_a_successor_lacks_keeps_its_id)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    cmeta_writer_free(bed.writer);
    bed.writer = sample_writer(bed.dir.path, NULL);
    bed_wait_metric(bed.host, "region_swaps", 1);
    bed_expect_of(bed.host, 50, "container.id", bed_short_id(3));
    bed_expect(bed.host, "container.name", NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(removed_container_is_told_until_its_grace_period_is_over)
{
    struct bed bed;
    char id[65];
    struct cmeta_name name = sample_name(3, id);
    struct timespec now;
    uint64_t now_ns;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    clock_gettime(CLOCK_REALTIME, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000u;
    ck_assert_int_eq(cmeta_writer_remove(bed.writer, &name, now_ns), 1);
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    bed_exec(bed.host, 51, bed_path(3)); // an event that lagged behind
    bed_expect(bed.host, "container.name", "container-3");
    cmeta_writer_tick(bed.writer, now_ns + 61000000000u, 1);
    bed_exec(bed.host, 52, bed_path(3));
    bed_expect(bed.host, "container.id", bed_short_id(3));
    bed_expect(bed.host, "container.name", NULL);
    bed_close(&bed);
}
END_TEST

// --- refused -------------------------------------------------------------------------------------

static void expect_refused(struct bed *bed, const char *why)
{
    bed->host = bed_host(bed, NULL);
    host_thread_add(bed->host, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(bed->host), 0);
    ck_assert_double_eq(bed_metric(bed->host, "region_refusals"), 1);
    ck_assert_msg(bed_logged(bed->host, why), "%s", why);
    bed_expect_of(bed->host, 50, "container.id", bed_short_id(3));
    bed_expect(bed->host, "container.name", NULL);
}

START_TEST(region_that_others_may_write_is_refused_until_they_may_not)
{
    struct bed bed;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    ck_assert_int_eq(chmod(table_path(&bed), 0646), 0);
    expect_refused(&bed, "writable by others");
    ck_assert_int_eq(chmod(table_path(&bed), 0640), 0);
    bed_wait_of(bed.host, 50, "container.name", "container-3");
    bed_close(&bed);
}
END_TEST

START_TEST(folder_that_others_may_write_is_refused)
{
    struct bed bed;

    bed_make(&bed);
    ck_assert_int_eq(chmod(bed.dir.path, 0777), 0);
    expect_refused(&bed, "writable by others");
    bed_close(&bed);
}
END_TEST

START_TEST(strangers_region_is_refused)
{
    struct bed bed;

    if (geteuid() != 0)
        check_skip("needs root to give a file away");
    bed_make(&bed);
    ck_assert_int_eq(chown(table_path(&bed), 12345, 0), 0);
    expect_refused(&bed, "owned neither by root");
    bed_close(&bed);
}
END_TEST

START_TEST(file_that_is_no_region_is_refused)
{
    static const struct {
        off_t bytes;
        const char *why;
    } files[] = {{100, "size"}, {65536, "no containerd-meta region"}};

    for (unsigned i = 0; i < 2; i++) {
        struct bed bed = {.writer = NULL};
        int fd;

        temp_dir_make(&bed.dir);
        fd = open(table_path(&bed), O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, files[i].bytes), 0);
        close(fd);
        expect_refused(&bed, files[i].why);
        bed_close(&bed);
    }
}
END_TEST

START_TEST(link_and_pipe_are_refused)
{
    struct bed other;

    bed_make(&other);
    for (unsigned i = 0; i < 2; i++) {
        struct bed bed = {.writer = NULL};
        char target[128];

        snprintf(target, sizeof(target), "%s", table_path(&other));
        temp_dir_make(&bed.dir);
        if (i == 0)
            ck_assert_int_eq(symlink(target, table_path(&bed)), 0);
        else
            ck_assert_int_eq(mkfifo(table_path(&bed), 0640), 0);
        expect_refused(&bed, "not a regular file");
        bed_close(&bed);
    }
    bed_close(&other);
}
END_TEST

static void overwrite_header(const struct bed *bed, size_t at, const void *bytes, size_t len)
{
    int fd = open(table_path(bed), O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)at), (ssize_t)len);
    close(fd);
}

START_TEST(region_of_another_version_or_boot_is_refused)
{
    struct bed bed;
    uint16_t major = CMETA_LAYOUT_MAJOR + 1;
    uint8_t boot[16] = {1};

    bed_make(&bed);
    overwrite_header(&bed, offsetof(struct cmeta_header, layout_major), &major, sizeof(major));
    expect_refused(&bed, "another layout version");
    bed_close(&bed);
    bed_make(&bed);
    overwrite_header(&bed, offsetof(struct cmeta_header, boot_id), boot, sizeof(boot));
    expect_refused(&bed, "before the last boot");
    bed_close(&bed);
}
END_TEST

// --- noise ---------------------------------------------------------------------------------------

struct noise {
    uint8_t *base;
    size_t size;
    atomic_bool stop;
};

static void *make_noise(void *argument)
{
    struct noise *noise = argument;
    uint64_t x = 88172645463325252u;

    while (!atomic_load(&noise->stop)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        // Half of it small, so that some offsets lie within.
        __atomic_store_n((uint32_t *)(void *)(noise->base + (x >> 32) % (noise->size / 4) * 4),
                         (uint32_t)(x & 1 ? x : x & 0xffff), __ATOMIC_RELAXED);
    }
    return NULL;
}

static struct noise start_noise(const struct bed *bed)
{
    int fd = open(table_path(bed), O_RDWR | O_CLOEXEC);
    struct noise noise;
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    noise.size = (size_t)st.st_size;
    noise.base = mmap(NULL, noise.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(noise.base, MAP_FAILED);
    close(fd);
    atomic_init(&noise.stop, false);
    return noise;
}

static void extract_all(struct host *h)
{
    const struct plugin *p = host_plugin(h);

    for (size_t i = 0; i < p->n_fields; i++) {
        const struct plugin_field *f = &p->fields[i];
        struct host_value v;

        if (host_extract(h, f->name, f->arg_required ? (f->arg_index ? "*" : "app") : NULL, &v) ==
            0)
            host_value_clear(&v);
    }
}

// plugins#943 and its kin: no bytes of any kind end Falco.
START_TEST(noise_over_the_live_mapping_is_survived)
{
    struct bed bed;
    struct noise noise;
    pthread_t thread;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 200; n++)
        ck_assert_int_eq(sample_put(bed.writer, n, 0), CMETA_PUT_CREATED);
    for (unsigned n = 0; n < 200; n++)
        bed_exec(bed.host, 100 + n, bed_path(n));
    noise = start_noise(&bed);
    ck_assert_int_eq(pthread_create(&thread, NULL, make_noise, &noise), 0);
    for (unsigned round = 0; round < 20; round++)
        for (unsigned n = 0; n < 200; n++) {
            bed_exec(bed.host, 100 + n, bed_path(n));
            extract_all(bed.host);
            host_event(bed.host, event_any(100 + n, 0));
            extract_all(bed.host);
        }
    atomic_store(&noise.stop, true);
    pthread_join(thread, NULL);
    // Records that are nothing but ones or zeroes.
    for (unsigned fill = 0; fill < 2; fill++) {
        memset(noise.base, fill ? 0xff : 0, noise.size);
        for (unsigned n = 0; n < 200; n++) {
            bed_exec(bed.host, 100 + n, bed_path(n));
            extract_all(bed.host);
        }
    }
    munmap(noise.base, noise.size);
    bed_close(&bed);
}
END_TEST

// --- replays -------------------------------------------------------------------------------------

START_TEST(replay_never_shows_this_hosts_containers)
{
    struct bed bed;
    unsigned before;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed.host = bed_host(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    before = bed_threads();
    ck_assert_int_eq(host_open_savefile(bed.host), 0);
    ck_assert_uint_eq(bed_threads(), before);
    bed_exec(bed.host, 51, bed_path(3));
    bed_expect(bed.host, "container.id", bed_short_id(3));
    bed_expect(bed.host, "container.name", NULL);
    bed_expect_of(bed.host, 50, "container.id", bed_short_id(3));
    bed_expect(bed.host, "container.name", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "region_mapped"), 0);
    ck_assert_uint_eq(mappings(&bed), 1); // the writer's
    bed_close(&bed);
}
END_TEST

START_TEST(replay_shows_them_when_told_to)
{
    struct bed bed;
    unsigned before;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed.host = bed_host(&bed, "\"region_in_replay\":true");
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    before = bed_threads();
    ck_assert_int_eq(host_open_savefile(bed.host), 0);
    ck_assert_uint_eq(bed_threads(), before);
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    host_close(bed.host);
    ck_assert_uint_eq(mappings(&bed), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(replay_after_a_live_capture_has_let_go_of_the_region)
{
    struct bed bed;
    unsigned running;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.name", "container-3");
    running = bed_threads();
    host_close(bed.host);
    bed_wait_threads(running - 1);
    ck_assert_uint_eq(mappings(&bed), 1);
    ck_assert_int_eq(host_open_savefile(bed.host), 0);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.name", NULL);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_region", 60, missing_daemon_does_not_delay_start,
           missing_folder_is_no_error_either,
           region_that_appears_later_gives_known_threads_their_metadata,
           replaced_region_is_followed_and_the_old_one_let_go,
           successor_is_put_in_use_by_extraction_alone, field_asked_for_after_the_end_is_null,
           restarted_daemon_is_followed, folder_taken_away_and_made_anew_is_followed,
           container_that_a_successor_lacks_keeps_its_id,
           removed_container_is_told_until_its_grace_period_is_over,
           region_that_others_may_write_is_refused_until_they_may_not,
           folder_that_others_may_write_is_refused, strangers_region_is_refused,
           file_that_is_no_region_is_refused, link_and_pipe_are_refused,
           region_of_another_version_or_boot_is_refused, noise_over_the_live_mapping_is_survived,
           replay_never_shows_this_hosts_containers, replay_shows_them_when_told_to,
           replay_after_a_live_capture_has_let_go_of_the_region)
