// SPDX-License-Identifier: Apache-2.0
// A thread's life: what its cgroups make of it at clone, exec, chroot, at the beginning of a
// capture and when it was missed, and what is written into the host's table.
#include "support/plugin_bed.h"

#include <stdio.h>
#include <string.h>

#define HEX         "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"
#define SCOPE       "/system.slice/docker-" HEX ".scope"
#define HANDLE(ref) ((uint64_t)(ref) >> 32 != 0)

static uint64_t ref_of(struct host *h, int64_t tid)
{
    return (uint64_t)host_thread_number(h, tid, "cmeta_ref");
}

// --- starts --------------------------------------------------------------------------------------

START_TEST(clone_gives_the_child_its_container)
{
    static const enum falco_event_type types[] = {FALCO_EVENT_CLONE_EXIT, FALCO_EVENT_FORK_EXIT,
                                                  FALCO_EVENT_VFORK_EXIT, FALCO_EVENT_CLONE3_EXIT};
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    for (unsigned i = 0; i < 4; i++) {
        char param[256];
        struct event_process p = {.tid = 50 + i, .pid = 50 + i, .ptid = 1, .comm = "sh"};

        p.cgroups_len = (size_t)snprintf(param, sizeof(param), "cpuset=%s", bed_path(3)) + 1;
        p.cgroups = param;
        host_event(bed.host, event_clone(types[i], 50 + i, 0, &p));
        bed_expect_id(bed.host, 50 + i, bed_short_id(3));
        ck_assert(HANDLE(ref_of(bed.host, 50 + i)));
        bed_expect(bed.host, "container.name", "container-3");
    }
    bed_close(&bed);
}
END_TEST

START_TEST(exec_of_every_version_gives_the_thread_its_container)
{
    static const unsigned types[] = {231, 283, 289, 293, 331};
    struct bed bed;

    bed_open(&bed, NULL);
    for (unsigned i = 0; i < 5; i++) {
        char param[256];
        int64_t tid = 50 + i;
        struct event_process p = {.tid = tid, .pid = tid, .ptid = 1, .comm = "sh"};

        host_thread_add(bed.host, tid, tid, "sh", bed_rows_of("/init.scope"));
        p.cgroups_len = (size_t)snprintf(param, sizeof(param), "cpuset=%s", SCOPE) + 1;
        p.cgroups = param;
        host_event(bed.host, event_exec((enum falco_event_type)types[i], (uint64_t)tid, 0, &p));
        bed_expect_id(bed.host, tid, "3f8a1c5be07d");
    }
    bed_close(&bed);
}
END_TEST

START_TEST(moved_before_exec_the_thread_changes_its_container)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    ck_assert_int_eq(sample_put(bed.writer, 4, 0), CMETA_PUT_CREATED);
    bed_clone(bed.host, 50, 1, "/system.slice/containerd.service");
    bed_expect(bed.host, "container.id", "host");
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.name", "container-3");
    bed_exec(bed.host, 50, bed_path(4));
    bed_expect(bed.host, "container.name", "container-4");
    bed_expect_id(bed.host, 50, bed_short_id(4));
    bed_exec(bed.host, 50, "/system.slice/cron.service");
    bed_expect(bed.host, "container.id", "host");
    bed_expect_id(bed.host, 50, "");
    bed_close(&bed);
}
END_TEST

START_TEST(chroot_reads_the_table)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    host_event(bed.host, event_chroot(50, 0, 0, "/newroot"));
    bed_expect_id(bed.host, 50, bed_short_id(3));
    bed_close(&bed);
}
END_TEST

START_TEST(failed_calls_change_nothing)
{
    struct bed bed;
    char param[256];
    struct event_process p = {.res = -2, .tid = 50, .pid = 50, .comm = "sh"};

    bed_open(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of(SCOPE));
    p.cgroups_len = (size_t)snprintf(param, sizeof(param), "cpuset=%s", SCOPE) + 1;
    p.cgroups = param;
    host_event(bed.host, event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p));
    host_event(bed.host, event_clone(FALCO_EVENT_CLONE_EXIT, 50, 0, &p));
    host_event(bed.host, event_chroot(50, 0, -1, "/newroot"));
    bed_expect_id(bed.host, 50, "");
    ck_assert_uint_eq(ref_of(bed.host, 50), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(events_own_cgroups_are_believed_before_the_table)
{
    struct bed bed;
    struct thread *t;

    bed_open(&bed, NULL);
    // A parameter with an element that has no `=` leaves the host's old rows standing.
    t = host_thread_add(bed.host, 50, 50, "sh", bed_rows_of("/init.scope"));
    {
        static const char param[] = "broken\0cpu=" SCOPE "\0";
        struct event_process p = {
            .tid = 50, .pid = 50, .comm = "sh", .cgroups = param, .cgroups_len = sizeof(param)};

        host_event(bed.host, event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p));
    }
    ck_assert_str_eq(t->rows[TABLE_CGROUPS].items[0].second, "/init.scope");
    bed_expect_id(bed.host, 50, "3f8a1c5be07d");
    // Without the parameter the table is read.
    host_thread_add(bed.host, 51, 51, "sh", bed_rows_of(SCOPE));
    bed_exec(bed.host, 51, NULL);
    bed_expect_id(bed.host, 51, "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

START_TEST(strong_row_beats_weak_and_empty_ones)
{
    static const char param[] = "cpuset=/\0cpu=/ns/thing\0cpuacct=\0memory=" SCOPE "\0io=/";
    struct event_process p = {
        .tid = 50, .pid = 50, .comm = "sh", .cgroups = param, .cgroups_len = sizeof(param)};
    struct bed bed;

    bed_open(&bed, NULL);
    host_event(bed.host, event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p));
    bed_expect_id(bed.host, 50, "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

// falco#1517, plugins#1378 and others: systemd inside a container, look-alikes on the host.
START_TEST(host_processes_stay_the_hosts_and_nested_ones_the_containers)
{
    static const struct {
        const char *path, *id;
    } paths[] = {
        {"/system.slice/foo.mount", ""},
        {"/libpod_parent/conmon", ""},
        {"/kubepods/burstable", ""},
        {"/system.slice/systemd-udevd.service/udev", ""},
        {"/machine.slice/libpod-conmon-" HEX ".scope", ""},
        {SCOPE "/init.scope", "3f8a1c5be07d"},
        {SCOPE "/system.slice/nginx.service", "3f8a1c5be07d"},
        {"/user.slice/nerdctl-" HEX ".scope", "3f8a1c5be07d"},
        {"/lxc.payload.my-long-container-name/init.scope", "my-long-container-name"},
        {"/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-265927825",
         "0123456789abcdef0123456789abcdef-265927825"},
    };
    struct bed bed;

    bed_open(&bed, NULL);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bed_exec(bed.host, 50, paths[i].path);
        bed_expect_id(bed.host, 50, paths[i].id);
        bed_expect(bed.host, "container.id", *paths[i].id ? paths[i].id : "host");
    }
    bed_close(&bed);
}
END_TEST

START_TEST(init_of_a_container_has_category_1)
{
    static const char param[] = "cpu=" SCOPE;
    struct event_process p = {.tid = 50,
                              .pid = 50,
                              .vtid = 1,
                              .vpid = 1,
                              .comm = "sh",
                              .cgroups = param,
                              .cgroups_len = sizeof(param)};
    struct bed bed;

    bed_open(&bed, NULL);
    host_event(bed.host, event_clone(FALCO_EVENT_CLONE_EXIT, 50, 0, &p));
    ck_assert_int_eq(host_thread_number(bed.host, 50, "category"), 1);
    bed_exec(bed.host, 51, SCOPE);
    ck_assert_int_eq(host_thread_number(bed.host, 51, "category"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(nothing_is_written_that_stands_already)
{
    struct bed bed;
    struct thread *t;
    const char *text;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    // The plugin doesn't look at a text again whose reference tells it: this one stays.
    t = threads_find(host_instance(bed.host)->threads, 50);
    thread_set_string(
        t, threads_field(host_instance(bed.host)->threads, TABLE_THREADS, "container_id")->index,
        "marked", 6);
    bed_exec(bed.host, 50, bed_path(3));
    text = host_thread_text(bed.host, 50, "container_id");
    ck_assert_str_eq(text, "marked");
    bed_close(&bed);
}
END_TEST

// --- the beginning of a capture, and late ones ---------------------------------------------------

START_TEST(all_threads_are_resolved_when_the_capture_opens)
{
    struct bed bed;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed.host = bed_host(&bed, NULL);
    // The others of a process come before the main one: the order of a hash is any.
    host_thread_add(bed.host, 61, 60, "worker", bed_rows(3));
    host_thread_add(bed.host, 60, 60, "main", bed_rows(3));
    host_thread_add(bed.host, 62, 60, "worker", bed_rows(3));
    host_thread_add(bed.host, 71, 70, "orphan", bed_rows(3)); // its main thread has gone
    host_thread_add(bed.host, 80, 80, "host", bed_rows_of("/init.scope"));
    host_thread_add(bed.host, 81, 80, "host", bed_rows_of("/init.scope"));
    ck_assert_int_eq(host_open_live(bed.host), 0);
    for (int64_t tid = 60; tid < 63; tid++)
        bed_expect_id(bed.host, tid, bed_short_id(3));
    bed_expect_id(bed.host, 71, bed_short_id(3));
    ck_assert_uint_eq(ref_of(bed.host, 80), 1);
    ck_assert_uint_eq(ref_of(bed.host, 81), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(thread_that_was_missed_is_resolved_when_a_field_is_wanted)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    host_thread_add(bed.host, 51, 51, "sh", bed_rows_of("/init.scope"));
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    bed_expect_of(bed.host, 51, "container.id", "host");
    // Extraction writes nothing; the next event that is parsed does.
    bed_expect_id(bed.host, 50, "");
    ck_assert_uint_eq(ref_of(bed.host, 50), 0);
    bed_tick(bed.host);
    bed_expect_id(bed.host, 50, bed_short_id(3));
    ck_assert(HANDLE(ref_of(bed.host, 50)));
    ck_assert_uint_eq(ref_of(bed.host, 51), 1);
    ck_assert_double_eq(bed_metric(bed.host, "threads_resolved_late"), 2);
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    bed_close(&bed);
}
END_TEST

START_TEST(many_missed_threads_are_all_written_in_the_end)
{
    struct bed bed;

    bed_open(&bed, NULL);
    for (int64_t tid = 100; tid < 400; tid++)
        host_thread_add(bed.host, tid, tid, "sh", bed_rows_of(SCOPE));
    for (int round = 0; round < 8; round++) {
        for (int64_t tid = 100; tid < 400; tid++)
            bed_expect_of(bed.host, tid, "container.id", "3f8a1c5be07d");
        bed_tick(bed.host);
    }
    for (int64_t tid = 100; tid < 400; tid += 64)
        bed_expect_of(bed.host, tid, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

START_TEST(late_answer_never_overrides_what_an_event_said)
{
    struct bed bed;

    bed_open(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of(SCOPE));
    bed_expect_of(bed.host, 50, "container.id", "3f8a1c5be07d");
    bed_exec(bed.host, 50, "/system.slice/cron.service"); // parsed: both are due at once
    bed_expect_id(bed.host, 50, "");
    bed_tick(bed.host);
    bed_expect_id(bed.host, 50, "");
    bed_close(&bed);
}
END_TEST

START_TEST(filter_that_extracts_before_parsing_does_not_freeze_the_answer)
{
    static const char param[] = "cpu=" SCOPE;
    struct event_process p = {
        .tid = 50, .pid = 50, .comm = "sh", .cgroups = param, .cgroups_len = sizeof(param)};
    struct bed bed;
    struct falco_event *e;

    bed_open(&bed, NULL);
    bed_clone(bed.host, 50, 1, "/system.slice/cron.service");
    e = event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p);
    host_event_unparsed(bed.host, e);
    bed_expect(bed.host, "container.id", "host"); // as the thread was
    instance_parse(host_instance(bed.host), e, 3, "syscall");
    bed_expect(bed.host, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

// --- PIDs used again -----------------------------------------------------------------------------

START_TEST(pid_used_again_is_another_thread)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(3));
    host_event(bed.host, event_procexit(50, 0));
    bed_expect(bed.host, "container.name", "container-3"); // still itself while it exits
    bed_clone(bed.host, 50, 1, "/system.slice/cron.service");
    bed_expect(bed.host, "container.id", "host");
    host_event(bed.host, event_procexit(50, 0));
    // Seen without clone or exec: nothing of the old one is left.
    bed_tick(bed.host);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of(SCOPE));
    bed_expect_of(bed.host, 50, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

START_TEST(late_answer_of_a_thread_that_exits_is_not_its_successors)
{
    struct bed bed;

    bed_open(&bed, NULL);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of(SCOPE));
    bed_expect_of(bed.host, 50, "container.id", "3f8a1c5be07d");
    host_event(bed.host, event_procexit(50, 0));
    bed_tick(bed.host);
    host_thread_add(bed.host, 50, 50, "sh", bed_rows_of("/init.scope"));
    bed_tick(bed.host);
    bed_expect_id(bed.host, 50, "");
    bed_expect_of(bed.host, 50, "container.id", "host");
    bed_close(&bed);
}
END_TEST

// --- weak names ----------------------------------------------------------------------------------

static void put_containerd(struct bed *bed, const char *id, const char *scope, const char *name)
{
    static _Alignas(8) uint8_t record[4096];
    struct cmeta_container content = {.known = CMETA_GROUPS_ALL, .type = CMETA_TYPE_CONTAINERD};
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING};
    int size;

    content.strings[CMETA_STRING_NAME] = (struct cmeta_str){name, (uint32_t)strlen(name)};
    size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    ck_assert_int_eq(cmeta_writer_put(bed->writer,
                                      &(struct cmeta_name){{id, (uint32_t)strlen(id)},
                                                           {scope, (uint32_t)strlen(scope)}},
                                      record, (size_t)size, &live),
                     CMETA_PUT_CREATED);
}

START_TEST(free_form_name_counts_only_when_containerd_has_it)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put_containerd(&bed, "redis", "containerd/default", "one");
    put_containerd(&bed, "redis", "containerd/other", "two");
    put_containerd(&bed, "web", "lxc", "three");
    bed_exec(bed.host, 50, "/default/redis");
    bed_expect(bed.host, "container.id", "redis");
    bed_expect(bed.host, "container.name", "one");
    bed_exec(bed.host, 50, "/other/redis");
    bed_expect(bed.host, "container.name", "two");
    bed_exec(bed.host, 50, "/third/redis");
    bed_expect(bed.host, "container.id", "host");
    bed_exec(bed.host, 50, "/default/web"); // LXC's, not containerd's
    bed_expect(bed.host, "container.id", "host");
    bed_expect_id(bed.host, 50, "");
    bed_close(&bed);
}
END_TEST

START_TEST(free_form_name_counts_as_soon_as_containerd_has_it)
{
    struct bed bed;

    bed_open(&bed, NULL);
    bed_exec(bed.host, 50, "/default/redis");
    bed_expect(bed.host, "container.id", "host");
    put_containerd(&bed, "redis", "containerd/default", "one");
    bed_expect_of(bed.host, 50, "container.name", "one");
    bed_tick(bed.host);
    bed_expect_id(bed.host, 50, "redis");
    bed_close(&bed);
}
END_TEST

START_TEST(ambiguous_name_is_told_apart_by_the_threads_own_path_after_a_swap)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put_containerd(&bed, "redis", "containerd/default", "one");
    put_containerd(&bed, "redis", "containerd/other", "two");
    bed_exec(bed.host, 50, "/other/redis");
    bed_expect(bed.host, "container.name", "two");
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    bed_wait_metric(bed.host, "region_swaps", 1);
    bed_expect_of(bed.host, 50, "container.name", "two");
    bed_close(&bed);
}
END_TEST

// --- absent --------------------------------------------------------------------------------------

START_TEST(container_known_later_is_found_at_the_next_event)
{
    struct bed bed;

    bed_open(&bed, NULL);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.id", bed_short_id(3));
    bed_expect(bed.host, "container.name", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_unknown"), 1);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_expect_of(bed.host, 50, "container.name", "container-3");
    ck_assert(!HANDLE(ref_of(bed.host, 50)));
    bed_tick(bed.host);
    ck_assert(HANDLE(ref_of(bed.host, 50)));
    bed_close(&bed);
}
END_TEST

// --- damaged events ------------------------------------------------------------------------------

START_TEST(cgroups_of_any_bytes_are_survived)
{
    static char param[60000];
    struct event_process p = {.tid = 50, .pid = 50, .comm = "sh", .cgroups = param};
    struct bed bed;
    uint32_t x = 1;

    bed_open(&bed, NULL);
    for (size_t len = 1; len < sizeof(param); len = len * 3 + 1) {
        for (size_t i = 0; i < len; i++) {
            x = x * 1664525 + 1013904223;
            param[i] = "\0=/ab:-\xff"[x >> 29];
        }
        p.cgroups_len = len;
        host_event(bed.host, event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p));
        host_text(bed.host, "container.id");
    }
    memset(param, '/', sizeof(param));
    p.cgroups_len = sizeof(param);
    host_event(bed.host, event_exec(FALCO_EVENT_EXECVE_EXIT, 50, 0, &p));
    bed_exec(bed.host, 50, SCOPE);
    bed_expect(bed.host, "container.id", "3f8a1c5be07d");
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_threads", 60, clone_gives_the_child_its_container,
           exec_of_every_version_gives_the_thread_its_container,
           moved_before_exec_the_thread_changes_its_container, chroot_reads_the_table,
           failed_calls_change_nothing, events_own_cgroups_are_believed_before_the_table,
           strong_row_beats_weak_and_empty_ones,
           host_processes_stay_the_hosts_and_nested_ones_the_containers,
           init_of_a_container_has_category_1, nothing_is_written_that_stands_already,
           all_threads_are_resolved_when_the_capture_opens,
           thread_that_was_missed_is_resolved_when_a_field_is_wanted,
           many_missed_threads_are_all_written_in_the_end,
           late_answer_never_overrides_what_an_event_said,
           filter_that_extracts_before_parsing_does_not_freeze_the_answer,
           pid_used_again_is_another_thread,
           late_answer_of_a_thread_that_exits_is_not_its_successors,
           free_form_name_counts_only_when_containerd_has_it,
           free_form_name_counts_as_soon_as_containerd_has_it,
           ambiguous_name_is_told_apart_by_the_threads_own_path_after_a_swap,
           container_known_later_is_found_at_the_next_event, cgroups_of_any_bytes_are_survived)
