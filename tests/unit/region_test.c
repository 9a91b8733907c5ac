// SPDX-License-Identifier: Apache-2.0
// The region as a file: what is refused, what is survived, who may write.
#include "shm/headroom.h"
#include "shm/load.h"
#include "shm/writer.h"
#include "unit/support/check_main.h"
#include "unit/support/sample_record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp_dir dir;

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir.path, name);
    return path;
}

// A published region with one container and no writer any more.
static void make_region(void)
{
    struct cmeta_writer *writer;

    temp_dir_make(&dir);
    writer = sample_writer(dir.path, NULL);
    sample_put(writer, 1, 1);
    cmeta_writer_free(writer);
}

static int map_result(void)
{
    struct cmeta_region region = {0};
    int r = cmeta_region_map(dir.path, &region);

    if (r == 0)
        cmeta_region_unmap(&region);
    ck_assert_ptr_null(region.base);
    return r;
}

static void poke(off_t offset, const void *bytes, size_t size)
{
    int fd = open(in_dir(CMETA_TABLE_NAME), O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, offset), (ssize_t)size);
    close(fd);
}

START_TEST(no_region_is_no_entry)
{
    temp_dir_make(&dir);
    ck_assert_int_eq(map_result(), -ENOENT);
    temp_dir_remove(&dir);
    ck_assert_int_eq(map_result(), -ENOENT);
}
END_TEST

START_TEST(a_truncated_region_is_refused)
{
    make_region();
    ck_assert_int_eq(map_result(), 0);
    ck_assert_int_eq(truncate(in_dir(CMETA_TABLE_NAME), 1 << 20), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_SIZE);
    ck_assert_int_eq(truncate(in_dir(CMETA_TABLE_NAME), 100), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_SIZE);
    ck_assert_int_eq(truncate(in_dir(CMETA_TABLE_NAME), 0), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_SIZE);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(wrong_magic_version_boot_and_state_are_refused_each_by_name)
{
    uint64_t magic = 1;
    uint16_t major = CMETA_LAYOUT_MAJOR + 1, minor = 99;
    uint8_t boot[16] = {1};
    uint32_t state = CMETA_REGION_BUILDING;

    make_region();
    poke(offsetof(struct cmeta_header, layout_minor), &minor, sizeof(minor));
    ck_assert_int_eq(map_result(), 0); // a newer minor only adds
    poke(offsetof(struct cmeta_header, state), &state, sizeof(state));
    ck_assert_int_eq(map_result(), CMETA_REFUSED_BUILDING);
    state = CMETA_REGION_LIVE;
    poke(offsetof(struct cmeta_header, state), &state, sizeof(state));
    poke(offsetof(struct cmeta_header, boot_id), boot, sizeof(boot));
    ck_assert_int_eq(map_result(), CMETA_REFUSED_BOOT);
    poke(offsetof(struct cmeta_header, layout_major), &major, sizeof(major));
    ck_assert_int_eq(map_result(), CMETA_REFUSED_VERSION);
    poke(offsetof(struct cmeta_header, magic), &magic, sizeof(magic));
    ck_assert_int_eq(map_result(), CMETA_REFUSED_MAGIC);
    for (int r = 1; r < CMETA_REFUSED_COUNT; r++)
        ck_assert_uint_gt(strlen(cmeta_refusal_text(r)), 20);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(a_header_that_contradicts_itself_is_refused)
{
    static const size_t fields[] = {offsetof(struct cmeta_header, buckets_offset),
                                    offsetof(struct cmeta_header, bucket_count),
                                    offsetof(struct cmeta_header, overflow_count),
                                    offsetof(struct cmeta_header, log_offset),
                                    offsetof(struct cmeta_header, log_count),
                                    offsetof(struct cmeta_header, counters_offset),
                                    offsetof(struct cmeta_header, counter_count),
                                    offsetof(struct cmeta_header, engines_offset),
                                    offsetof(struct cmeta_header, engine_count),
                                    offsetof(struct cmeta_header, leads_offset),
                                    offsetof(struct cmeta_header, lead_count),
                                    offsetof(struct cmeta_header, misses_offset),
                                    offsetof(struct cmeta_header, miss_count),
                                    offsetof(struct cmeta_header, arena_offset),
                                    offsetof(struct cmeta_header, arena_bytes)};
    const uint32_t huge = 0xfffffff3;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        make_region();
        poke((off_t)fields[i], &huge, sizeof(huge));
        ck_assert_int_eq(map_result(), CMETA_REFUSED_GEOMETRY);
        temp_dir_remove(&dir);
    }
}
END_TEST

START_TEST(what_others_may_write_is_refused)
{
    make_region();
    ck_assert_int_eq(chmod(in_dir(CMETA_TABLE_NAME), 0646), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_WRITABLE);
    ck_assert_int_eq(chmod(in_dir(CMETA_TABLE_NAME), 0640), 0);
    ck_assert_int_eq(chmod(dir.path, 01777), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_WRITABLE);
    ck_assert_int_eq(chmod(dir.path, 0755), 0);
    ck_assert_int_eq(map_result(), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(in_dir(CMETA_TABLE_NAME), 12345, 12345), 0);
        ck_assert_int_eq(map_result(), CMETA_REFUSED_OWNER);
        ck_assert_int_eq(chown(in_dir(CMETA_TABLE_NAME), 0, 12345), 0);
        ck_assert_int_eq(chmod(in_dir(CMETA_TABLE_NAME), 0660), 0);
        ck_assert_int_eq(map_result(), CMETA_REFUSED_WRITABLE);
    } else {
        check_skipped("a region of a foreign owner: chown needs root");
    }
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(links_fifos_and_folders_in_its_place_are_refused_without_blocking)
{
    char other[128];

    make_region();
    snprintf(other, sizeof(other), "%s/other", dir.path);
    ck_assert_int_eq(rename(in_dir(CMETA_TABLE_NAME), other), 0);
    ck_assert_int_eq(symlink("other", in_dir(CMETA_TABLE_NAME)), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_NOT_REGULAR);
    ck_assert_int_eq(unlink(in_dir(CMETA_TABLE_NAME)), 0);
    ck_assert_int_eq(mkfifo(in_dir(CMETA_TABLE_NAME), 0600), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_NOT_REGULAR);
    ck_assert_int_eq(unlink(in_dir(CMETA_TABLE_NAME)), 0);
    ck_assert_int_eq(mkdir(in_dir(CMETA_TABLE_NAME), 0700), 0);
    ck_assert_int_eq(map_result(), CMETA_REFUSED_NOT_REGULAR);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(mapping_leaves_no_descriptor_behind)
{
    struct cmeta_region region = {0};
    int before, after;

    make_region();
    before = dup(0);
    close(before);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
        ck_assert_int_eq(cmeta_region_is_current(&region, dir.path), 1);
        ck_assert_int_eq(cmeta_daemon_alive(dir.path), -ENOENT);
        cmeta_region_unmap(&region);
    }
    after = dup(0);
    close(after);
    ck_assert_int_eq(before, after);
    temp_dir_remove(&dir);
}
END_TEST

// Everything a reader can do, on whatever bytes.
static void read_everything(const struct cmeta_region *region)
{
    char value[128], id[65];
    struct cmeta_status status;
    struct cmeta_view view;
    struct cmeta_str s;
    struct cmeta_change change;
    struct cmeta_counter counter;
    struct cmeta_engine_row row;
    cmeta_handle handle = 0;
    uint64_t cursor = 0, seen;
    int r;

    for (unsigned n = 0; n < 8; n++) {
        sample_id(n, id);
        cmeta_reader_find(region, id, 12, &handle);
        cmeta_reader_find_full(region, id, 64, "docker", 6, &handle);
    }
    cmeta_reader_find(region, "free-form", 9, &handle);
    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0) {
        if (r == CMETA_ITERATE_MORE)
            continue;
        cmeta_reader_value(region, handle, CMETA_STRING_NAME, value, sizeof(value));
        if (cmeta_reader_status(region, handle, &status) && status.id.len + status.scope.len)
            value[0] = status.id.len ? status.id.data[status.id.len - 1] : '\0';
        if (cmeta_reader_record(region, handle, &view)) {
            for (unsigned i = 0; i < CMETA_STRING_COUNT; i++)
                if (cmeta_view_string(&view, i, &s) && s.len)
                    value[0] = s.data[s.len - 1];
            cmeta_view_find_label(&view, CMETA_LIST_LABELS, "app", 3, &s);
        }
    }
    seen = cmeta_reader_revision(region) - 3;
    for (int i = 0; i < 5; i++)
        cmeta_follow_next(region, &seen, &change);
    for (uint32_t i = 0; i < 100; i++) {
        cmeta_reader_counter(region, i, &counter);
        cmeta_reader_engine(region, i, &row);
    }
    cmeta_reader_state(region);
}

START_TEST(noise_over_a_live_mapping_is_survived)
{
    struct cmeta_region region;
    uint8_t *bytes;
    unsigned seed = 99;
    int fd;

    make_region();
    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    fd = open(in_dir(CMETA_TABLE_NAME), O_RDWR | O_CLOEXEC);
    bytes = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    ck_assert_ptr_ne(bytes, MAP_FAILED);
    for (unsigned round = 0; round < 60; round++) {
        // Sparse noise keeps pointers plausible; towards the end all of it is noise.
        for (size_t i = 0; i < region.size; i += 1 + (size_t)rand_r(&seed) % (4096u >> (round / 6)))
            bytes[i] = (uint8_t)rand_r(&seed);
        read_everything(&region);
    }
    memset(bytes, 0xff, region.size);
    read_everything(&region);
    memset(bytes, 0, region.size);
    read_everything(&region);
    munmap(bytes, region.size);
    cmeta_region_unmap(&region);
    temp_dir_remove(&dir);
}
END_TEST

struct noise {
    uint8_t *bytes;
    uint64_t size;
    uint32_t stop; // atomic: set by the test, read by the thread; relaxed, nothing hangs on it
};

// Races on purpose: what ThreadSanitizer would report here is the test.
__attribute__((no_sanitize("thread"))) static void *write_noise(void *userdata)
{
    struct noise *noise = userdata;
    unsigned seed = 7;

    while (!load_relaxed(&noise->stop))
        for (unsigned i = 0; i < 1000; i++)
            ((volatile uint8_t *)
                 noise->bytes)[((uint64_t)(unsigned)rand_r(&seed) * 4099) % noise->size] =
                (uint8_t)rand_r(&seed);
    return NULL;
}

START_TEST(noise_while_reading_is_survived)
{
    struct cmeta_region region;
    struct noise noise = {0};
    pthread_t thread;
    int fd;

    if (getenv("CMETA_SANITIZE") && strstr(getenv("CMETA_SANITIZE"), "thread"))
        check_skip("noise while reading: a data race by design, under ThreadSanitizer");
    make_region();
    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    fd = open(in_dir(CMETA_TABLE_NAME), O_RDWR | O_CLOEXEC);
    noise.size = region.size;
    noise.bytes = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_noise, &noise), 0);
    for (unsigned round = 0; round < 300; round++)
        read_everything(&region);
    store_relaxed(&noise.stop, 1);
    pthread_join(thread, NULL);
    munmap(noise.bytes, noise.size);
    cmeta_region_unmap(&region);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(only_one_daemon_holds_the_lock)
{
    int first, second, status;
    pid_t child;

    temp_dir_make(&dir);
    ck_assert_int_eq(cmeta_daemon_alive(dir.path), -ENOENT);
    ck_assert_int_eq(cmeta_lock_take(dir.path, 0, &first), 0);
    child = fork();
    if (child == 0)
        _exit(cmeta_lock_take(dir.path, 0, &second) == -EAGAIN && cmeta_daemon_alive(dir.path) == 1
                  ? 0
                  : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(cmeta_daemon_alive(dir.path), 1);
    close(first);
    ck_assert_int_eq(cmeta_daemon_alive(dir.path), 0);
    ck_assert_int_eq(cmeta_lock_take(dir.path, 0, &second), 0);
    close(second);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(a_daemon_killed_while_it_holds_the_lock_leaves_it_free)
{
    int ready[2], status, fd;
    pid_t child;
    char c;

    temp_dir_make(&dir);
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        if (cmeta_lock_take(dir.path, 0, &fd) < 0)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    ck_assert_int_eq(cmeta_daemon_alive(dir.path), 1);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    ck_assert_int_eq(cmeta_daemon_alive(dir.path), 0);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(a_full_tmpfs_is_an_error_at_start_not_a_sigbus)
{
    struct cmeta_writer_options options = {.gid = -1, .version = "test"};
    struct cmeta_writer *writer = NULL;
    char message[256] = "";

    temp_dir_make(&dir);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir.path, "tmpfs", 0, "size=1m,mode=755") < 0) {
        temp_dir_remove(&dir);
        check_skip("a full tmpfs: cannot mount one here (%s)", strerror(errno));
    }
    options.dir = dir.path;
    ck_assert_int_eq(cmeta_writer_new(&options, &writer, message, sizeof(message)), -ENOSPC);
    ck_assert_ptr_null(writer);
    ck_assert_ptr_nonnull(strstr(message, "region_max"));
    ck_assert_int_eq(access(in_dir(CMETA_NEW_NAME), F_OK), -1);
    umount(dir.path);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(growth_into_a_full_tmpfs_keeps_the_old_region_in_force)
{
    struct cmeta_writer_options options = {.gid = -1, .version = "test", .drain_ns = 1};
    struct cmeta_writer *writer;
    struct cmeta_region region;
    cmeta_handle handle;
    char id[65];
    int r = 0;

    temp_dir_make(&dir);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir.path, "tmpfs", 0, "size=4m,mode=755") < 0) {
        temp_dir_remove(&dir);
        check_skip("a full tmpfs: cannot mount one here (%s)", strerror(errno));
    }
    writer = sample_writer(dir.path, &options);
    for (unsigned n = 0; n < 20000 && r >= 0; n++)
        r = sample_put(writer, n, 1);
    ck_assert_int_eq(r, -ENOSPC);
    ck_assert_ptr_nonnull(strstr(cmeta_writer_message(writer), "free"));
    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    sample_id(1, id);
    ck_assert_int_eq(cmeta_reader_find(&region, id, 12, &handle), CMETA_FOUND);
    cmeta_region_unmap(&region);
    cmeta_writer_free(writer);
    umount(dir.path);
    temp_dir_remove(&dir);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_dir(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(the_tightest_memory_limit_counts)
{
    temp_dir_make(&dir);
    ck_assert_int_eq(mkdir(in_dir("a"), 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("a/b"), 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("memory"), 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("memory/c"), 0755), 0);
    write_file("cgroup", "4:cpu:/x\n0::/a/b\n");
    ck_assert_uint_eq(cmeta_headroom(in_dir("cgroup"), dir.path), UINT64_MAX);
    write_file("a/b/memory.max", "max\n");
    write_file("a/b/memory.current", "5\n");
    write_file("a/memory.max", "1000\n");
    write_file("a/memory.current", "400\n");
    char cgroup[128];
    snprintf(cgroup, sizeof(cgroup), "%s", in_dir("cgroup"));
    ck_assert_uint_eq(cmeta_headroom(cgroup, dir.path), 600);
    write_file("cgroup", "4:memory:/c\n0::/\n");
    write_file("memory/c/memory.limit_in_bytes", "100\n");
    write_file("memory/c/memory.usage_in_bytes", "300\n");
    ck_assert_uint_eq(cmeta_headroom(cgroup, dir.path), 0);
    ck_assert_uint_eq(cmeta_headroom("/nonexistent", dir.path), UINT64_MAX);
    temp_dir_remove(&dir);
}
END_TEST

static void *wake_later(void *userdata)
{
    sample_put(userdata, 2, 1);
    return NULL;
}

START_TEST(a_waiter_on_a_read_only_mapping_is_woken_by_a_change)
{
    struct cmeta_writer *writer;
    struct cmeta_region region;
    pthread_t thread;
    uint32_t word;

    temp_dir_make(&dir);
    writer = sample_writer(dir.path, NULL);
    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    word = cmeta_follow_word(&region);
    ck_assert_int_eq(cmeta_follow_wait(&region, word, 1), 0);
    ck_assert_int_eq(cmeta_follow_wait(&region, word + 1, 60000), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_later, writer), 0);
    ck_assert_int_eq(cmeta_follow_wait(&region, word, 60000), 1);
    pthread_join(thread, NULL);
    ck_assert_uint_ne(cmeta_follow_word(&region), word);
    cmeta_region_unmap(&region);
    cmeta_writer_free(writer);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(the_region_of_a_dead_daemon_is_retired_when_its_successor_publishes)
{
    struct cmeta_region old;
    struct cmeta_writer *writer;
    uint64_t revision;

    make_region();
    ck_assert_int_eq(cmeta_region_map(dir.path, &old), 0);
    revision = cmeta_reader_revision(&old);
    writer = sample_writer(dir.path, NULL);
    ck_assert_uint_eq(cmeta_reader_state(&old), CMETA_REGION_RETIRED);
    ck_assert_int_eq(cmeta_region_is_current(&old, dir.path), 0);
    ck_assert_uint_ge(cmeta_reader_revision(cmeta_writer_region(writer)), revision);
    cmeta_writer_free(writer);
    cmeta_region_unmap(&old);
    temp_dir_remove(&dir);
}
END_TEST

CHECK_MAIN("region", 30, no_region_is_no_entry, a_truncated_region_is_refused,
           wrong_magic_version_boot_and_state_are_refused_each_by_name,
           a_header_that_contradicts_itself_is_refused, what_others_may_write_is_refused,
           links_fifos_and_folders_in_its_place_are_refused_without_blocking,
           mapping_leaves_no_descriptor_behind, noise_over_a_live_mapping_is_survived,
           noise_while_reading_is_survived, only_one_daemon_holds_the_lock,
           a_daemon_killed_while_it_holds_the_lock_leaves_it_free,
           a_full_tmpfs_is_an_error_at_start_not_a_sigbus,
           growth_into_a_full_tmpfs_keeps_the_old_region_in_force, the_tightest_memory_limit_counts,
           a_waiter_on_a_read_only_mapping_is_woken_by_a_change,
           the_region_of_a_dead_daemon_is_retired_when_its_successor_publishes)
