// SPDX-License-Identifier: Apache-2.0
// Threads whose cgroups don't tell: a path that may have lost its head, a PID namespace of its own.
// They are what they or their parents were; else /proc is asked, and nothing is guessed meanwhile.
#include "support/plugin_bed.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEX   "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"
#define SCOPE "/system.slice/docker-" HEX ".scope"
#define CUT   "/a.slice/b.slice/c.slice/d.slice/e.slice/f.service" // may have lost its head

static uint64_t ref_of(struct host *h, int64_t tid)
{
    return (uint64_t)host_thread_number(h, tid, "cmeta_ref");
}

START_TEST(exec_with_a_cut_path_keeps_the_container)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_exec(bed.host, 50, CUT);
    bed_expect(bed.host, "container.name", "container-3");
    bed_expect_id(bed.host, 50, bed_short_id(3));
    // One that isn't known to the region is kept just so.
    bed_exec(bed.host, 51, SCOPE);
    bed_exec(bed.host, 51, CUT);
    bed_expect(bed.host, "container.id", "3f8a1c5be07d");
    // A whole path without a match is the host's.
    bed_exec(bed.host, 50, "/system.slice/cron.service");
    bed_expect(bed.host, "container.id", "host");
    bed_close(&bed);
}
END_TEST

START_TEST(child_with_a_cut_path_inherits_its_parents_container)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    bed_clone(bed.host, 51, 50, CUT);
    bed_expect(bed.host, "container.name", "container-3");
    bed_expect_id(bed.host, 51, bed_short_id(3));
    bed_clone(bed.host, 52, 51, CUT);
    bed_expect(bed.host, "container.name", "container-3");
    bed_clone(bed.host, 53, 1, CUT);
    bed_expect(bed.host, "container.id", "host");
    ck_assert_double_eq(bed_metric(bed.host, "unsure_threads"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(child_in_a_pid_namespace_of_its_own_inherits)
{
    static const char param[] = "cpu=/x.slice";
    struct event_process p = {.tid = 51,
                              .pid = 51,
                              .ptid = 50,
                              .vtid = 7,
                              .vpid = 7,
                              .comm = "sh",
                              .cgroups = param,
                              .cgroups_len = sizeof(param)};
    struct bed bed;

    bed_open(&bed, NULL);
    bed_exec(bed.host, 50, SCOPE);
    host_event(bed.host, event_clone(FALCO_EVENT_CLONE_EXIT, 51, 0, &p));
    bed_expect(bed.host, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

// A folder that looks like /proc below HOST_ROOT.
static void fake_proc(struct bed *bed, int64_t tid, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/proc", bed->dir.path);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/proc/%lld", bed->dir.path, (long long)tid);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/proc/%lld/cgroup", bed->dir.path, (long long)tid);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void open_with_proc(struct bed *bed)
{
    bed_make(bed);
    setenv("HOST_ROOT", bed->dir.path, 1);
    bed->host = bed_host(bed, NULL);
    host_thread_add(bed->host, 1, 1, "init", bed_rows_of("/init.scope"));
    ck_assert_int_eq(host_open_live(bed->host), 0);
}

START_TEST(thread_that_nobody_can_tell_is_looked_up_in_proc)
{
    struct bed bed;
    char text[512];

    open_with_proc(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    snprintf(text, sizeof(text), "1:name=systemd:/init.scope\n0::%s%s\n", bed_path(3), CUT);
    fake_proc(&bed, 50, text);
    bed_clone(bed.host, 50, 4711, CUT); // its parent isn't known either
    bed_expect(bed.host, "container.id", NULL);
    bed_expect(bed.host, "container.privileged", NULL);
    bed_expect(bed.host, "container.healthcheck", NULL);
    bed_wait_of(bed.host, 50, "container.name", "container-3");
    bed_expect_id(bed.host, 50, bed_short_id(3));
    ck_assert_double_eq(bed_metric(bed.host, "unsure_threads"), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(thread_that_proc_shows_on_the_host_becomes_the_hosts)
{
    struct bed bed;

    open_with_proc(&bed);
    fake_proc(&bed, 50, "0::/user.slice" CUT "\n");
    bed_clone(bed.host, 50, 4711, CUT);
    bed_wait_of(bed.host, 50, "container.id", "host");
    ck_assert_uint_eq(ref_of(bed.host, 50), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(missed_thread_with_a_cut_path_is_asked_for_once)
{
    struct bed bed;
    char text[512];

    open_with_proc(&bed);
    snprintf(text, sizeof(text), "0::%s%s\n", SCOPE, CUT);
    fake_proc(&bed, 50, text);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of(CUT));
    for (int i = 0; i < 100; i++)
        bed_expect_of(bed.host, 50, "container.id", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "unsure_threads"), 1);
    bed_wait_of(bed.host, 50, "container.id", "3f8a1c5be07d");
    ck_assert_double_eq(bed_metric(bed.host, "unsure_threads"), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(host_thread_that_was_moved_deep_into_a_container_is_found_out)
{
    struct bed bed;
    char text[512];

    open_with_proc(&bed);
    snprintf(text, sizeof(text), "0::%s%s\n", SCOPE, CUT);
    fake_proc(&bed, 50, text);
    bed_clone(bed.host, 50, 1, "/system.slice/docker.service");
    bed_exec(bed.host, 50, CUT);
    bed_expect(bed.host, "container.id", "host"); // as it was, until /proc has answered
    bed_wait_of(bed.host, 50, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

START_TEST(answer_is_not_given_to_a_successor_of_the_same_pid)
{
    struct bed bed;
    char text[512];

    open_with_proc(&bed);
    snprintf(text, sizeof(text), "0::%s%s\n", SCOPE, CUT);
    fake_proc(&bed, 50, text);
    fake_proc(&bed, 51, text);
    bed_clone(bed.host, 50, 4711, CUT);
    host_event(bed.host, event_procexit(50, 0));
    bed_clone(bed.host, 50, 1, "/system.slice/cron.service");
    // When a question asked later has been answered, the first one has been, too.
    bed_clone(bed.host, 51, 4711, CUT);
    bed_wait_of(bed.host, 51, "container.id", "3f8a1c5be07d");
    bed_expect_of(bed.host, 50, "container.id", "host");
    bed_expect_id(bed.host, 50, "");
    bed_close(&bed);
}
END_TEST

START_TEST(more_unsure_threads_than_the_queue_holds_are_asked_for_again)
{
    struct bed bed;
    char text[512];

    open_with_proc(&bed);
    snprintf(text, sizeof(text), "0::%s%s\n", SCOPE, CUT);
    for (int64_t tid = 100; tid < 300; tid++) {
        fake_proc(&bed, tid, text);
        bed_clone(bed.host, tid, 4711, CUT);
    }
    for (int64_t tid = 100; tid < 300; tid++)
        bed_wait_of(bed.host, tid, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

START_TEST(replay_asks_nobody_and_calls_the_unsure_host)
{
    struct bed bed;

    bed_make(&bed);
    setenv("HOST_ROOT", bed.dir.path, 1);
    fake_proc(&bed, 50, "0::" SCOPE CUT "\n");
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_savefile(bed.host), 0);
    bed_clone(bed.host, 50, 4711, CUT);
    bed_expect(bed.host, "container.id", "host");
    ck_assert_double_eq(bed_metric(bed.host, "unsure_threads"), 0);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_unsure", 60, exec_with_a_cut_path_keeps_the_container,
           child_with_a_cut_path_inherits_its_parents_container,
           child_in_a_pid_namespace_of_its_own_inherits,
           thread_that_nobody_can_tell_is_looked_up_in_proc,
           thread_that_proc_shows_on_the_host_becomes_the_hosts,
           missed_thread_with_a_cut_path_is_asked_for_once,
           host_thread_that_was_moved_deep_into_a_container_is_found_out,
           answer_is_not_given_to_a_successor_of_the_same_pid,
           more_unsure_threads_than_the_queue_holds_are_asked_for_again,
           replay_asks_nobody_and_calls_the_unsure_host)
