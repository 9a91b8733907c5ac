// SPDX-License-Identifier: Apache-2.0
// A tree of folders, followed by inotify: what comes, what goes, and what is missed.
#include "containerd-meta/watch/tree.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bed {
    struct temp_dir dir;
    sd_event *event;
    struct tree *tree;
    struct tree_folder *root;
    unsigned there, appeared, vanished, written, taken_out;
    char last[PATH_MAX]; // that appeared
    char file[NAME_MAX + 1];
    unsigned most; // folders that one round of the loop told of
    unsigned round;
};

static void on_appeared(void *userdata, struct tree_folder *folder)
{
    struct bed *bed = userdata;

    ck_assert_uint_gt(tree_path(folder, true, bed->last, sizeof(bed->last)), 0);
    ck_assert_uint_ne(folder->inode, 0);
    folder->data = bed;
    bed->appeared++;
    bed->there++;
    bed->round++;
}

static void on_vanished(void *userdata, struct tree_folder *folder, bool root_removed)
{
    struct bed *bed = userdata;

    ck_assert_ptr_eq(folder->data, bed); // only what was told of goes
    bed->vanished++;
    bed->taken_out += root_removed;
    bed->there--;
}

static void on_written(void *userdata, struct tree_folder *folder, const char *name)
{
    struct bed *bed = userdata;

    ck_assert_ptr_nonnull(folder->data);
    if (!name)
        return;
    bed->written++;
    snprintf(bed->file, sizeof(bed->file), "%s", name);
}

static const struct tree_calls calls = {.appeared = on_appeared, .vanished = on_vanished};
static const struct tree_calls calls_with_files = {
    .appeared = on_appeared, .vanished = on_vanished, .written = on_written};

// One round of the loop. Return: whether there was something to do.
static bool turn(struct bed *bed, uint64_t usec)
{
    int r;

    bed->round = 0;
    r = sd_event_run(bed->event, usec);
    ck_assert_int_ge(r, 0);
    if (bed->round > bed->most)
        bed->most = bed->round;
    return r > 0;
}

// Until nothing is left to do for now.
static void settle(struct bed *bed)
{
    while (turn(bed, 0) || !tree_state(bed->tree).settled)
        ;
}

static void wait_there(struct bed *bed, unsigned count)
{
    for (unsigned i = 0; i < 100 && bed->there != count; i++)
        turn(bed, 100000);
    ck_assert_uint_eq(bed->there, count);
}

static void make(struct bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void make(struct bed *bed, const char *format, ...)
{
    char path[PATH_MAX];
    int used = snprintf(path, sizeof(path), "%s/", bed->dir.path);
    va_list args;

    va_start(args, format);
    vsnprintf(path + used, sizeof(path) - (size_t)used, format, args);
    va_end(args);
    ck_assert_msg(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
}

static void drop(struct bed *bed, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", bed->dir.path, name);
    ck_assert_int_eq(rmdir(path), 0);
}

static void begin_with(struct bed *bed, const struct tree_calls *use,
                       const struct tree_options *options)
{
    ck_assert_int_ge(sd_event_new(&bed->event), 0);
    ck_assert_int_eq(tree_new(bed->event, use, bed, options, &bed->tree), 0);
    ck_assert_int_eq(tree_add_root(bed->tree, bed->dir.path, &bed->root), 0);
    settle(bed);
}

// On tmpfs: thousands of folders take a disk a while.
static void begin(struct bed *bed)
{
    *bed = (struct bed){0};
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    temp_dir_make(&bed->dir);
}

static void end(struct bed *bed)
{
    tree_free(bed->tree);
    sd_event_unref(bed->event);
    temp_dir_remove(&bed->dir);
}

START_TEST(what_is_there_is_found_and_what_comes_is_heard_of)
{
    struct bed bed;

    begin(&bed);
    make(&bed, "a");
    make(&bed, "a/b");
    begin_with(&bed, &calls, NULL);
    ck_assert_uint_eq(bed.there, 3);
    make(&bed, "a/b/c");
    wait_there(&bed, 4);
    ck_assert_str_eq(bed.last, "/a/b/c");
    drop(&bed, "a/b/c");
    wait_there(&bed, 3);
    end(&bed);
}
END_TEST

// The race between a folder's creation and its watch: what is made in it at once is found.
START_TEST(a_branch_that_is_made_at_once_is_found_whole)
{
    struct bed bed;
    char path[128] = "d";

    begin(&bed);
    begin_with(&bed, &calls, NULL);
    for (unsigned i = 0; i < 20; i++) {
        make(&bed, "%s", path);
        strcat(path, "/d");
    }
    wait_there(&bed, 21);
    end(&bed);
}
END_TEST

START_TEST(a_folder_that_goes_takes_what_is_in_it_along)
{
    struct bed bed;
    char from[PATH_MAX], to[128];

    begin(&bed);
    make(&bed, "a");
    make(&bed, "a/b");
    make(&bed, "a/b/c");
    begin_with(&bed, &calls, NULL);
    snprintf(from, sizeof(from), "%s/a", bed.dir.path);
    snprintf(to, sizeof(to), "%s-moved", bed.dir.path);
    ck_assert_int_eq(rename(from, to), 0);
    wait_there(&bed, 1);
    ck_assert_uint_eq(bed.vanished, 3);
    ck_assert_int_eq(rename(to, from), 0);
    wait_there(&bed, 4);
    end(&bed);
}
END_TEST

START_TEST(a_renamed_folder_is_another_one)
{
    struct bed bed;
    char from[PATH_MAX], to[PATH_MAX];

    begin(&bed);
    make(&bed, "a");
    make(&bed, "a/b");
    begin_with(&bed, &calls, NULL);
    snprintf(from, sizeof(from), "%s/a", bed.dir.path);
    snprintf(to, sizeof(to), "%s/z", bed.dir.path);
    ck_assert_int_eq(rename(from, to), 0);
    while (bed.appeared < 5)
        turn(&bed, 100000);
    ck_assert_uint_eq(bed.there, 3);
    ck_assert_str_eq(bed.last, "/z/b");
    make(&bed, "z/b/c");
    wait_there(&bed, 4);
    ck_assert_str_eq(bed.last, "/z/b/c");
    end(&bed);
}
END_TEST

// A rescan of a huge tree holds up nobody.
START_TEST(five_thousand_folders_are_found_in_slices)
{
    struct bed bed;

    begin(&bed);
    for (unsigned i = 0; i < 50; i++) {
        make(&bed, "%u", i);
        for (unsigned k = 0; k < 100; k++)
            make(&bed, "%u/%u", i, k);
    }
    begin_with(&bed, &calls, NULL);
    ck_assert_uint_eq(bed.there, 5051);
    ck_assert_uint_le(bed.most, 64);
    bed.most = 0;
    tree_rescan(bed.tree);
    settle(&bed);
    ck_assert_uint_eq(bed.there, 5051);
    ck_assert_uint_eq(bed.appeared, 5051); // none is told of again
    end(&bed);
}
END_TEST

static unsigned queue_limit(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    unsigned limit = 0;

    if (file && fscanf(file, "%u", &limit) != 1)
        limit = 0;
    if (file)
        fclose(file);
    return limit;
}

START_TEST(what_an_overflow_of_the_kernels_queue_lost_is_found)
{
    unsigned limit = queue_limit();
    struct bed bed;

    if (limit == 0 || limit > 200000)
        check_skip("fs.inotify.max_queued_events is %u", limit);
    begin(&bed);
    make(&bed, "stays");
    make(&bed, "goes");
    begin_with(&bed, &calls, NULL);
    for (unsigned i = 0; i < limit / 2 + 1; i++) {
        make(&bed, "fleeting");
        drop(&bed, "fleeting");
    }
    make(&bed, "stays/in-it"); // nobody hears of these two
    drop(&bed, "goes");
    settle(&bed);
    ck_assert_uint_ge(tree_state(bed.tree).overflows, 1);
    ck_assert_uint_eq(bed.there, 3);
    ck_assert_str_eq(bed.last, "/stays/in-it");
    ck_assert_uint_eq(bed.appeared - bed.vanished, bed.there);
    end(&bed);
}
END_TEST

// Two of the same name, the end of the first and the beginning of the second lost.
START_TEST(another_folder_of_the_same_name_is_told_of_by_a_rescan)
{
    const struct tree_options options = {.watches_max = 1, .scan_us = 3600000000};
    struct bed bed;
    char path[PATH_MAX], aside[PATH_MAX];

    begin(&bed);
    make(&bed, "a");
    make(&bed, "a/b");
    begin_with(&bed, &calls, &options); // only the root is watched
    snprintf(path, sizeof(path), "%s/a/b", bed.dir.path);
    snprintf(aside, sizeof(aside), "%s-aside", bed.dir.path);
    ck_assert_int_eq(rename(path, aside), 0); // its inode isn't used again
    make(&bed, "a/b");
    settle(&bed);
    ck_assert_uint_eq(bed.vanished, 0);
    tree_rescan(bed.tree);
    settle(&bed);
    ck_assert_uint_eq(bed.vanished, 1);
    ck_assert_uint_eq(bed.there, 3);
    ck_assert_int_eq(rmdir(aside), 0);
    end(&bed);
}
END_TEST

START_TEST(without_watches_left_it_is_found_by_scanning)
{
    const struct tree_options options = {.watches_max = 2, .scan_us = 20000};
    struct bed bed;

    begin(&bed);
    make(&bed, "a");
    make(&bed, "b");
    make(&bed, "c");
    begin_with(&bed, &calls, &options);
    ck_assert_uint_eq(bed.there, 4);
    ck_assert_uint_eq(tree_state(bed.tree).unwatched, 2);
    make(&bed, "a/x");
    make(&bed, "b/x");
    make(&bed, "c/x");
    wait_there(&bed, 7);
    drop(&bed, "a/x");
    drop(&bed, "b/x");
    drop(&bed, "c/x");
    wait_there(&bed, 4);
    drop(&bed, "a");
    drop(&bed, "b");
    wait_there(&bed, 2);
    for (unsigned i = 0; i < 200 && tree_state(bed.tree).unwatched; i++)
        turn(&bed, 100000);
    ck_assert_uint_eq(tree_state(bed.tree).unwatched, 0); // there is room again
    end(&bed);
}
END_TEST

START_TEST(more_folders_than_are_kept_are_counted_and_left_out)
{
    const struct tree_options options = {.folders_max = 4, .scan_us = 20000};
    struct bed bed;

    begin(&bed);
    for (unsigned i = 0; i < 6; i++)
        make(&bed, "%u", i);
    begin_with(&bed, &calls, &options);
    ck_assert_uint_eq(bed.there, 4);
    ck_assert_uint_eq(tree_state(bed.tree).left_out, 3);
    for (unsigned i = 0; i < 6; i++) {
        char name[8];

        snprintf(name, sizeof(name), "%u", i);
        drop(&bed, name);
    }
    make(&bed, "later");
    wait_there(&bed, 2);
    end(&bed);
}
END_TEST

START_TEST(files_that_are_written_are_told_of)
{
    const struct tree_options options = {.depth_max = 1};
    struct bed bed;
    char path[PATH_MAX], hidden[PATH_MAX];
    FILE *file;

    begin(&bed);
    make(&bed, "a");
    begin_with(&bed, &calls_with_files, &options);
    make(&bed, "a/too-deep");
    snprintf(path, sizeof(path), "%s/a/config.json", bed.dir.path);
    snprintf(hidden, sizeof(hidden), "%s/a/.config.tmp", bed.dir.path);
    file = fopen(hidden, "we");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    while (bed.written < 1)
        turn(&bed, 100000);
    ck_assert_str_eq(bed.file, ".config.tmp");
    ck_assert_int_eq(rename(hidden, path), 0);
    while (bed.written < 2)
        turn(&bed, 100000);
    ck_assert_str_eq(bed.file, "config.json");
    ck_assert_uint_eq(bed.there, 2);
    end(&bed);
}
END_TEST

START_TEST(a_root_may_be_gone_and_is_taken_out)
{
    struct bed bed;
    struct tree_folder *none;

    begin(&bed);
    make(&bed, "a");
    begin_with(&bed, &calls, NULL);
    ck_assert_int_eq(tree_add_root(bed.tree, "/nowhere/at/all", &none), 0);
    settle(&bed);
    ck_assert_uint_eq(bed.there, 2);
    ck_assert_int_eq(tree_add_root(bed.tree, "relative", &none), -EINVAL);
    tree_remove_root(bed.tree, bed.root);
    ck_assert_uint_eq(bed.there, 0);
    ck_assert_uint_eq(bed.taken_out, 2);
    end(&bed);
}
END_TEST

CHECK_MAIN("tree", 60, what_is_there_is_found_and_what_comes_is_heard_of,
           a_branch_that_is_made_at_once_is_found_whole,
           a_folder_that_goes_takes_what_is_in_it_along, a_renamed_folder_is_another_one,
           five_thousand_folders_are_found_in_slices,
           what_an_overflow_of_the_kernels_queue_lost_is_found,
           another_folder_of_the_same_name_is_told_of_by_a_rescan,
           without_watches_left_it_is_found_by_scanning,
           more_folders_than_are_kept_are_counted_and_left_out, files_that_are_written_are_told_of,
           a_root_may_be_gone_and_is_taken_out)
