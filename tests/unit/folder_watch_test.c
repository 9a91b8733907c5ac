// SPDX-License-Identifier: Apache-2.0
// A folder whose entries come and go, as its watch tells of it.
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/transport/folder_watch.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_US UINT64_C(10000000)

static struct {
    struct temp_dir dir;
    char path[128];
    sd_event *event;
    struct socket_watcher *watcher;
    struct folder_watch *watch;
    unsigned changed, vanished, scanned, absent;
    bool whole;
    char last[NAME_MAX + 1]; // that changed or vanished
} bed;

static void on_changed(void *userdata, const char *name)
{
    (void)userdata;
    bed.changed++;
    snprintf(bed.last, sizeof(bed.last), "%s", name);
}

static void on_vanished(void *userdata, const char *name)
{
    (void)userdata;
    bed.vanished++;
    snprintf(bed.last, sizeof(bed.last), "%s", name);
}

static void on_scanned(void *userdata, bool complete)
{
    (void)userdata;
    bed.scanned++;
    bed.whole = complete;
}

static void on_absent(void *userdata)
{
    (void)userdata;
    bed.absent++;
}

static const struct folder_calls calls = {
    .changed = on_changed, .vanished = on_vanished, .scanned = on_scanned, .absent = on_absent};

// --- files ---------------------------------------------------------------------------------------

static const char *at(const char *name)
{
    static char path[4][600];
    static unsigned next;
    char *out = path[next++ % 4];

    snprintf(out, sizeof(path[0]), "%s%s%s", bed.path, *name ? "/" : "", name);
    return out;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make(const char *name)
{
    ck_assert_int_eq(mkdir(at(name), 0755), 0);
}

// --- waiting -------------------------------------------------------------------------------------

static bool wait_for(const unsigned *count, unsigned wanted)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + WAIT_US;

    while (*count < wanted) {
        if (clock_us(CLOCK_MONOTONIC) > end_us)
            return false;
        ck_assert_int_ge(sd_event_run(bed.event, 20000), 0);
    }
    return true;
}

// Whatever is under way has been told.
static void settle(void)
{
    while (sd_event_run(bed.event, 0) > 0)
        ;
}

static void begin(const char *inner, bool exists)
{
    memset(&bed, 0, sizeof(bed));
    temp_dir_make(&bed.dir);
    snprintf(bed.path, sizeof(bed.path), "%s/state", bed.dir.path);
    if (exists)
        make("");
    ck_assert_int_ge(sd_event_new(&bed.event), 0);
    ck_assert_int_ge(socket_watcher_new(bed.event, &bed.watcher), 0);
    ck_assert_int_ge(
        folder_watch_new(bed.event, bed.watcher, bed.path, inner, &calls, NULL, &bed.watch), 0);
}

static void end(void)
{
    folder_watch_free(bed.watch);
    socket_watcher_free(bed.watcher);
    sd_event_unref(bed.event);
    temp_dir_remove(&bed.dir);
}

// --- tests ---------------------------------------------------------------------------------------

START_TEST(a_folder_that_comes_late_is_found_with_what_is_in_it)
{
    begin(NULL, false);
    ck_assert(wait_for(&bed.absent, 1));
    make("");
    put("a", "1");
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert_str_eq(bed.last, "a");
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert(bed.whole);
    end();
}
END_TEST

START_TEST(files_are_told_when_they_are_written_and_replaced_and_removed)
{
    begin(NULL, true);
    ck_assert(wait_for(&bed.scanned, 1));
    put("a", "1");
    ck_assert(wait_for(&bed.changed, 1));
    settle();
    bed.changed = 0;
    put("a.new", "22");
    ck_assert_int_eq(rename(at("a.new"), at("a")), 0);
    ck_assert(wait_for(&bed.changed, 1));
    settle();
    ck_assert_str_eq(bed.last, "a");
    bed.vanished = 0;
    ck_assert_int_eq(unlink(at("a")), 0);
    ck_assert(wait_for(&bed.vanished, 1));
    ck_assert_str_eq(bed.last, "a");
    end();
}
END_TEST

START_TEST(an_empty_file_says_nothing)
{
    begin(NULL, true);
    put("a", "");
    ck_assert(wait_for(&bed.scanned, 1));
    settle();
    ck_assert_uint_eq(bed.changed, 0);
    put("a", "1");
    ck_assert(wait_for(&bed.changed, 1));
    end();
}
END_TEST

START_TEST(a_subfolder_counts_once_its_file_is_there)
{
    begin("config", true);
    ck_assert(wait_for(&bed.scanned, 1));
    make("web");
    settle();
    ck_assert_uint_eq(bed.changed, 0);
    put("web/other", "1");
    put("web/config", "1");
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert_str_eq(bed.last, "web");
    settle();
    bed.changed = 0;
    put("web/config", "2");
    ck_assert(wait_for(&bed.changed, 1));
    settle();
    unlink(at("web/config"));
    ck_assert(wait_for(&bed.vanished, 1));
    put("web/config", "3"); // and again
    bed.changed = 0;
    ck_assert(wait_for(&bed.changed, 1));
    end();
}
END_TEST

START_TEST(a_renamed_subfolder_is_another_entry)
{
    begin("config", true);
    make("web");
    put("web/config", "1");
    ck_assert(wait_for(&bed.changed, 1));
    settle();
    ck_assert_int_eq(rename(at("web"), at("shop")), 0);
    ck_assert(wait_for(&bed.vanished, 1));
    ck_assert(wait_for(&bed.changed, 2));
    ck_assert_str_eq(bed.last, "shop");
    settle();
    bed.changed = 0;
    put("shop/config", "22");
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert_str_eq(bed.last, "shop");
    end();
}
END_TEST

START_TEST(a_folder_that_is_removed_and_made_again_is_followed)
{
    begin(NULL, true);
    put("a", "1");
    ck_assert(wait_for(&bed.changed, 1));
    for (unsigned round = 1; round <= 3; round++) {
        unlink(at("a"));
        ck_assert_int_eq(rmdir(at("")), 0);
        ck_assert(wait_for(&bed.absent, round));
        ck_assert_uint_eq(bed.vanished, round);
        make("");
        put("a", "1");
        ck_assert(wait_for(&bed.changed, round + 1));
        settle();
        bed.changed = round + 1;
    }
    end();
}
END_TEST

START_TEST(a_folder_replaced_by_another_keeps_what_is_in_both)
{
    char other[200];

    begin(NULL, true);
    put("a", "1");
    put("b", "1");
    ck_assert(wait_for(&bed.changed, 2));
    settle();
    snprintf(other, sizeof(other), "%s/other", bed.dir.path);
    ck_assert_int_eq(rename(at(""), other), 0);
    make("");
    put("a", "1");
    ck_assert(wait_for(&bed.vanished, 1));
    ck_assert(wait_for(&bed.changed, 3));
    settle();
    bed.changed = 0;
    put("c", "1");
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert_str_eq(bed.last, "c");
    end();
}
END_TEST

START_TEST(odd_names_are_names)
{
    static const char *const names[] = {
        "with space", "quo\"te'", "new\nline", "\xc3\xbc\xe4\xb8\xad",
        "\xff\xfe",   "..dots",   "-r",        NULL};

    begin(NULL, true);
    ck_assert(wait_for(&bed.scanned, 1));
    for (size_t i = 0; names[i]; i++) {
        bed.changed = 0;
        put(names[i], "1");
        ck_assert(wait_for(&bed.changed, 1));
        ck_assert_str_eq(bed.last, names[i]);
        settle();
    }
    end();
}
END_TEST

START_TEST(what_is_no_regular_file_is_no_entry)
{
    begin(NULL, true);
    ck_assert_int_eq(mkfifo(at("fifo"), 0644), 0);
    make("folder");
    ck_assert_int_eq(symlink("nowhere", at("dangling")), 0);
    ck_assert_int_eq(symlink("/dev/zero", at("zero")), 0);
    put("a", "1");
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert_uint_eq(bed.changed, 1);
    ck_assert_str_eq(bed.last, "a");
    ck_assert(bed.whole);
    end();
}
END_TEST

// A link could lead to a file system of the owner's that never answers.
START_TEST(links_are_followed_in_roots_own_folders_only)
{
    char outside[200];
    FILE *file;

    begin(NULL, true);
    snprintf(outside, sizeof(outside), "%s/outside", bed.dir.path);
    file = fopen(outside, "w");
    fputs("1", file);
    fclose(file);
    ck_assert_int_eq(symlink(outside, at("link")), 0);
    if (geteuid() == 0) {
        ck_assert(wait_for(&bed.changed, 1));
        ck_assert(folder_watch_trusted(bed.watch));
        ck_assert_int_eq(chmod(at(""), 0777), 0);
        ck_assert(wait_for(&bed.vanished, 1));
    }
    ck_assert(wait_for(&bed.scanned, 1));
    settle();
    ck_assert(!folder_watch_trusted(bed.watch));
    bed.changed = 0;
    put("own", "1");
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert_str_eq(bed.last, "own");
    end();
}
END_TEST

START_TEST(only_what_is_small_enough_and_regular_is_read)
{
    CLEANUP(freep)
    char *text = NULL;
    char big[100];
    size_t len;

    begin(NULL, true);
    put("a", "text");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    put("big", big);
    ck_assert_int_eq(mkfifo(at("fifo"), 0644), 0);
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert_int_eq(folder_watch_read(bed.watch, "a", NULL, 50, &text, &len), 0);
    ck_assert_str_eq(text, "text");
    ck_assert_uint_eq(len, 4);
    ck_assert_int_eq(folder_watch_read(bed.watch, "big", NULL, 50, &text, &len), -EFBIG);
    ck_assert_int_eq(folder_watch_read(bed.watch, "fifo", NULL, 50, &text, &len), -EINVAL);
    ck_assert_int_eq(folder_watch_read(bed.watch, "none", NULL, 50, &text, &len), -ENOENT);
    ck_assert_int_gt(folder_watch_born_ns(bed.watch, "a", NULL), 0);
    end();
}
END_TEST

START_TEST(a_folder_that_may_not_be_read_is_said_and_tried_again)
{
    bool root = geteuid() == 0;

    begin(NULL, true);
    chmod(at(""), 0);
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert_int_eq(folder_watch_error(bed.watch), -EACCES);
    ck_assert(!bed.whole);
    ck_assert(folder_watch_degraded(bed.watch)); // a timer looks again
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
    chmod(at(""), 0755);
    put("a", "1");
    folder_watch_scan(bed.watch); // as that does
    ck_assert(wait_for(&bed.changed, 1));
    ck_assert(bed.whole);
    end();
}
END_TEST

START_TEST(a_thousand_at_once_are_all_told)
{
    char name[32];

    begin("config", true);
    ck_assert(wait_for(&bed.scanned, 1));
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        make(name);
        snprintf(name, sizeof(name), "c%u/config", i);
        put(name, "1");
    }
    ck_assert(wait_for(&bed.changed, 1000));
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "c%u/config", i);
        unlink(at(name));
        snprintf(name, sizeof(name), "c%u", i);
        rmdir(at(name));
    }
    ck_assert(wait_for(&bed.vanished, 1000));
    end();
}
END_TEST

START_TEST(more_than_the_maximum_is_cut_and_said)
{
    char name[32];

    begin(NULL, true);
    for (unsigned i = 0; i <= FOLDER_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        put(name, "1");
    }
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert_uint_eq(bed.changed, FOLDER_ENTRIES_MAX);
    ck_assert(folder_watch_truncated(bed.watch));
    ck_assert(!bed.whole);
    end();
}
END_TEST

START_TEST(without_room_for_watches_it_is_scanned)
{
    begin("config", true);
    socket_watcher_set_limits(bed.watcher, 0, 0);
    ck_assert(wait_for(&bed.scanned, 1));
    ck_assert(folder_watch_degraded(bed.watch));
    make("web");
    put("web/config", "1");
    folder_watch_scan(bed.watch); // as its timer does
    ck_assert_uint_eq(bed.changed, 1);
    put("web/config", "22");
    folder_watch_scan(bed.watch);
    ck_assert_uint_eq(bed.changed, 2);
    folder_watch_scan(bed.watch);
    ck_assert_uint_eq(bed.changed, 2);
    unlink(at("web/config"));
    folder_watch_scan(bed.watch);
    ck_assert_uint_eq(bed.vanished, 1);
    end();
}
END_TEST

CHECK_MAIN("folder_watch", 30, a_folder_that_comes_late_is_found_with_what_is_in_it,
           files_are_told_when_they_are_written_and_replaced_and_removed,
           an_empty_file_says_nothing, a_subfolder_counts_once_its_file_is_there,
           a_renamed_subfolder_is_another_entry,
           a_folder_that_is_removed_and_made_again_is_followed,
           a_folder_replaced_by_another_keeps_what_is_in_both, odd_names_are_names,
           what_is_no_regular_file_is_no_entry, links_are_followed_in_roots_own_folders_only,
           only_what_is_small_enough_and_regular_is_read,
           a_folder_that_may_not_be_read_is_said_and_tried_again, a_thousand_at_once_are_all_told,
           more_than_the_maximum_is_cut_and_said, without_room_for_watches_it_is_scanned)
