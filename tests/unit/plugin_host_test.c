// SPDX-License-Identifier: Apache-2.0
// The plugin host itself: it leaves a correct plugin alone, and finds each fault of a wrong one.
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/host/fast.h"
#include "tests/host/host.h"
#include "tests/host/procfs.h"
#include "tests/host/scripts.h"

#define PLUGIN     TEST_BUILD "/tests/selftest/plugin.so"
#define INCOMPLETE TEST_BUILD "/tests/selftest/incomplete.so"

static const char rows[] = "cpu=/docker/a\nmem_cgroup=/docker/b\nio=/docker/c";
static const char param[] = "cpuset=/x\0perf_cgroup=/y\0io=/z";

// --- each fault is noticed -----------------------------------------------------------------------

// The configuration's fault, and a part of the text that must be noted. The first has none.
static const struct {
    const char *fault, *text;
} faults[] = {
    {"none", NULL},
    {"entry_leaked", "parse_event: entry of thread 42 was not released"},
    {"iterated_released", "an entry of an iteration was released"},
    {"released_twice", "the entry had been given back"},
    {"subtable_kept", "the handle of a subtable (cgroups) was kept"},
    {"init_vtable_kept", "get_table_entry was called through a function pointer kept"},
    {"function_kept", "get_table_size was called through a function pointer kept"},
    {"res_len_unwritten", "selftest.comm: res_len wasn't written"},
    {"inconsistent_vtables", "broken or inconsistent reader"},
    {"handler_after_reset", "the async handler was called after it had been reset"},
    {"null_string", "selftest.comm: string 0 is NULL"},
    {"null_in_table", "table containers: reading user gave a NULL string"},
    {"blank_kept", "init: a created entry was neither destroyed nor added"},
    {"host_written", "container_id of a host thread must be empty"},
    {"wrong_field", "field second of cgroups was used with table threads"},
    {"event_written", "parse_event wrote into the event"},
    {"rc_unwritten", "init didn't write the return code"},
    {"outside_call", "get_table_size was called outside of any call"},
    {"async_name", "its name isn't in get_async_events"},
    {"async_length", "the lengths don't add up"},
    {"dump_without_time", "dump_state: an event bears no real time"},
    {"dump_name", "its name isn't in get_async_events"},
    {"dump_kept", "the handler of dump_state was called after it had returned"},
};

// Delivers what is dumped to an instance that is without fault.
static int dump(struct host *h)
{
    struct host *to = host_new();
    ck_assert_int_eq(host_load(to, PLUGIN, ""), 0);
    int n = host_dump(h, to);
    host_free(to);
    return n;
}

static void live(struct host *h, bool sends)
{
    host_probe_start(h);
    host_thread_add(h, 42, 42, "sh", rows);
    if (host_open_live(h) != 0)
        return;
    struct event_process p = {.tid = 42, .pid = 42, .comm = "ls"};
    for (int i = 0; i < 3; i++) {
        host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, 42, 0, &p));
        host_text(h, "selftest.comm");
    }
    if (sends)
        ck_assert_uint_eq(host_pump_wait(h, 10000), 1);
    dump(h);
    host_close(h);
}

START_TEST(fault_is_noticed)
{
    char config[128];
    struct host *h = host_new();
    snprintf(config, sizeof(config), "{\"fault\":\"%s\"}", faults[_i].fault);
    if (host_load(h, PLUGIN, config) == 0)
        live(h, strncmp(faults[_i].fault, "async", 5) != 0);
    host_destroy(h);
    if (faults[_i].text)
        ck_assert_msg(host_violated(h, faults[_i].text), "%s gave \"%s\"", faults[_i].fault,
                      host_violation(h, 0));
    else
        ck_assert_msg(host_violations(h) == 0, "%s", host_violation(h, 0));
    host_free(h);
}
END_TEST

// --- loading and opening -------------------------------------------------------------------------

START_TEST(older_host_refuses_by_version)
{
    struct host *h = host_new();
    host_set_api(h, 9);
    ck_assert_int_eq(host_load_only(h, PLUGIN), 1);
    ck_assert_ptr_nonnull(strstr(host_refusal(h), "requires API 3.10.0"));
    host_free(h);
}
END_TEST

START_TEST(half_a_capability_is_refused)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load_only(h, INCOMPLETE), 1);
    ck_assert_ptr_nonnull(strstr(host_refusal(h), "capture_open without capture_close"));
    host_free(h);
}
END_TEST

START_TEST(schema_refuses_unknown_key_before_init)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, "{\"x\":1}"), 1);
    ck_assert_ptr_nonnull(strstr(host_refusal(h), "In <root>"));
    ck_assert_uint_eq(report_log_lines(host_report(h)), 0);
    ck_assert_uint_eq(host_violations(h), 0);
    host_free(h);
}
END_TEST

START_TEST(refusing_init_tells_its_reason)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, "{\"fault\":\"refuse\"}"), 1);
    ck_assert_ptr_nonnull(strstr(host_refusal(h), "told to refuse"));
    host_free(h);
}
END_TEST

START_TEST(newer_schema_is_asked_for_from_api_12_on)
{
    for (unsigned minor = 11; minor <= 12; minor++) {
        struct host *h = host_new();
        host_set_api(h, minor);
        ck_assert_int_eq(host_load(h, PLUGIN, "{\"fault\":\"schema_5\"}"), 0);
        ck_assert_int_eq(host_open_live(h), minor == 12);
        host_free(h);
    }
}
END_TEST

START_TEST(refusing_listener_is_closed)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, "{\"fault\":\"listener_refuses\"}"), 0);
    ck_assert_int_eq(host_open_live(h), 1);
    ck_assert(!host_instance(h)->handler_set);
    host_destroy(h);
    ck_assert_uint_eq(host_violations(h), 0);
    host_free(h);
}
END_TEST

START_TEST(reading_beyond_an_old_hosts_struct_ends_the_process)
{
    for (unsigned minor = 10; minor <= 11; minor++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            struct host *h = host_new();
            dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
            host_set_api(h, minor);
            if (host_load(h, PLUGIN, "{\"fault\":\"offsets_read\"}") == 0)
                host_text_of(h, 42, "selftest.main");
            host_free(h);
            _exit(0);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status == 0, minor == 11);
    }
}
END_TEST

START_TEST(dump_is_counted_and_its_refusal_told)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, ""), 0);
    ck_assert_int_eq(dump(h), 1);
    ck_assert_uint_eq(host_violations(h), 0);
    host_free(h);
    h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, "{\"fault\":\"dump_refuses\"}"), 0);
    ck_assert_int_eq(dump(h), -EIO);
    ck_assert_ptr_nonnull(strstr(host_refusal(h), "dump_state"));
    host_free(h);
}
END_TEST

START_TEST(every_script_leaves_a_correct_plugin_alone)
{
    struct report *r = report_new();
    for (const struct script *s = scripts_all(); s->name; s++) {
        char why[256] = "";
        int rc = script_run(s->name, PLUGIN, "", r, why, sizeof(why));
        ck_assert_msg(rc == 0, "%s: %d %s %s", s->name, rc, why, rc > 0 ? report_text(r, 0) : "");
    }
    ck_assert_int_eq(script_run("no-such", PLUGIN, "", r, (char[1]){0}, 1), -ENOENT);
    report_free(r);
}
END_TEST

START_TEST(script_finds_a_wrong_plugin)
{
    struct report *r = report_new();
    char why[256] = "";
    int rc = script_run("normal-live", PLUGIN, "{\"fault\":\"entry_leaked\"}", r, why, sizeof(why));
    ck_assert_int_gt(rc, 0);
    report_free(r);
}
END_TEST

// --- threads, events, values ---------------------------------------------------------------------

static struct host *opened(void)
{
    struct host *h = host_new();
    ck_assert_int_eq(host_load(h, PLUGIN, ""), 0);
    host_thread_add(h, 42, 42, "sh", rows);
    ck_assert_int_eq(host_open_live(h), 0);
    ck_assert(host_integrates(h));
    return h;
}

static void closed(struct host *h)
{
    host_destroy(h);
    ck_assert_msg(host_violations(h) == 0, "%s", host_violation(h, 0));
    host_free(h);
}

START_TEST(values_come_with_their_types)
{
    struct host *h = opened();
    struct host_value v;
    ck_assert_str_eq(host_text_of(h, 42, "selftest.comm"), "sh");
    ck_assert_int_eq(host_extract(h, "selftest.rows", NULL, &v), 0);
    ck_assert(v.present && v.n == 1 && v.numbers[0] == 3);
    host_value_clear(&v);
    ck_assert_int_eq(host_extract(h, "selftest.echo[a b]", NULL, &v), 0);
    ck_assert(v.is_list && v.n == 2);
    ck_assert_str_eq(v.strings[1], "a b");
    host_value_clear(&v);
    ck_assert_int_eq(host_extract(h, "selftest.echo", NULL, &v), -EINVAL);
    ck_assert_int_eq(host_extract(h, "selftest.comm", "x", &v), -EINVAL);
    ck_assert_int_eq(host_extract(h, "selftest.no", NULL, &v), -ENOENT);
    ck_assert_ptr_null(host_text_of(h, 4711, "selftest.comm"));
    closed(h);
}
END_TEST

START_TEST(several_fields_go_in_one_call)
{
    struct host *h = opened();
    static const char *const fields[] = {"selftest.comm", "selftest.rows", "selftest.main"};
    struct host_value v[3];
    host_event(h, event_any(42, 0));
    ck_assert_int_eq(host_extract_many(h, fields, 3, v), 0);
    ck_assert_str_eq(v[0].strings[0], "sh");
    ck_assert_uint_eq(v[1].numbers[0], 3);
    ck_assert_str_eq(v[2].strings[0], "true");
    for (int i = 0; i < 3; i++)
        host_value_clear(&v[i]);
    closed(h);
}
END_TEST

START_TEST(exec_replaces_cgroups_with_normal_names)
{
    struct host *h = opened();
    struct event_process p = {
        .tid = 42, .pid = 42, .comm = "ls", .cgroups = param, .cgroups_len = sizeof(param)};
    host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, 42, 0, &p));
    const struct rows *r = &threads_find(host_instance(h)->threads, 42)->rows[TABLE_CGROUPS];
    ck_assert_uint_eq(r->n, 3);
    ck_assert_str_eq(r->items[0].first, "cpuset");
    ck_assert_str_eq(r->items[1].first, "perf_event");
    ck_assert_str_eq(r->items[2].first, "blkio");
    ck_assert_str_eq(r->items[2].second, "/z");
    ck_assert_str_eq(host_thread_text(h, 42, "container_id"), "3f8a1c5be07d");
    closed(h);
}
END_TEST

START_TEST(one_element_without_equals_keeps_the_old_rows)
{
    struct host *h = opened();
    struct thread *t = threads_find(host_instance(h)->threads, 42);
    thread_set_cgroups(t, "cpu=/new\0broken", 15);
    ck_assert_uint_eq(t->rows[TABLE_CGROUPS].n, 3);
    ck_assert_str_eq(t->rows[TABLE_CGROUPS].items[0].second, "/docker/a");
    closed(h);
}
END_TEST

START_TEST(cloned_thread_starts_without_dynamic_values)
{
    struct host *h = opened();
    struct event_process p = {.res = 43, .tid = 42, .pid = 42, .comm = "sh"};
    host_event(h, event_clone(FALCO_EVENT_CLONE_EXIT, 42, 0, &p));
    ck_assert_str_eq(host_thread_text(h, 42, "container_id"), "3f8a1c5be07d");
    ck_assert_str_eq(host_thread_text(h, 43, "container_id"), "");
    p = (struct event_process){.res = 0, .tid = 43, .pid = 43, .ptid = 42, .comm = "sh"};
    host_event_unparsed(h, event_clone(FALCO_EVENT_CLONE_EXIT, 43, 0, &p));
    ck_assert_int_eq(host_thread_number(h, 43, "ptid"), 42);
    ck_assert_str_eq(host_thread_text(h, 43, "container_id"), "");
    host_event(h, event_procexit(43, 0));
    ck_assert_ptr_nonnull(threads_find(host_instance(h)->threads, 43));
    host_event(h, event_any(42, 0));
    ck_assert_ptr_null(threads_find(host_instance(h)->threads, 43));
    closed(h);
}
END_TEST

START_TEST(child_in_a_pid_namespace_is_no_thread_of_its_parents_event)
{
    struct host *h = opened();
    struct event_process p = {.res = 2, .tid = 42, .pid = 42, .vtid = 1, .vpid = 1};
    host_event(h, event_clone(FALCO_EVENT_CLONE_EXIT, 42, 0, &p));
    ck_assert_ptr_null(threads_find(host_instance(h)->threads, 2));
    closed(h);
}
END_TEST

START_TEST(event_lengths_are_those_of_the_type)
{
    struct falco_event *e = event_async("container", "{}", 3, 5);
    ck_assert_uint_eq(e->len, 42 + 10 + 3);
    ck_assert_str_eq((const char *)e + FALCO_ASYNC_AT_NAME, "container");
    free(e);
    struct event_process p = {.tid = 7, .comm = "x", .cgroups = param, .cgroups_len = 5};
    e = event_clone(FALCO_EVENT_CLONE_EXIT, 7, 0, &p);
    const char *bytes = NULL;
    size_t len = 0;
    ck_assert_uint_eq(e->nparams, FALCO_CLONE_NPARAMS);
    ck_assert(event_param(e, FALCO_CLONE_CGROUPS, &bytes, &len) && len == 5);
    ck_assert(event_param(e, FALCO_CLONE_VPID, &bytes, &len) && len == 8);
    struct falco_event *cut = event_truncated(e, e->len - 1, false);
    ck_assert(!event_param(cut, FALCO_CLONE_PIDNS_INIT_START_TS, &bytes, &len));
    free(cut);
    free(e);
    e = event_exec(FALCO_EVENT_EXECVE_EXIT, 7, 0, &p);
    ck_assert_uint_eq(e->nparams, FALCO_EXECVE_NPARAMS);
    free(e);
}
END_TEST

START_TEST(full_queue_drops_and_says_success)
{
    struct report *r = report_new();
    struct falco_owner *o = owner_new(r);
    struct async_queue *q = async_queue_new(r);
    char *names[] = {(char[]){"container"}};
    char err[FALCO_ERROR_BYTES] = "";
    o->async = q;
    async_queue_set_names(q, names, 1);
    struct falco_event *e = event_async("container", "x", 2, 20);
    ck_assert_int_eq(async_queue_push(o, e, err), FALCO_RC_FAILURE);
    ck_assert_str_ne(err, "");
    async_queue_set_open(q, true);
    async_queue_set_capacity(q, 3);
    static const uint64_t ts[] = {20, 10, FALCO_TS_NOW, 5};
    for (int i = 0; i < 4; i++) {
        e->ts = ts[i];
        ck_assert_int_eq(async_queue_push(o, e, err), FALCO_RC_SUCCESS);
    }
    ck_assert_uint_eq(async_queue_dropped(q), 1);
    static const uint64_t order[] = {FALCO_TS_NOW, 10, 20};
    for (int i = 0; i < 3; i++) {
        struct falco_event *got = async_queue_pop(q);
        ck_assert_uint_eq(got->ts, order[i]);
        free(got);
    }
    ck_assert_ptr_null(async_queue_pop(q));
    ck_assert_uint_eq(report_violations(r), 0);
    free(e);
    async_queue_free(q);
    owner_free(o);
    report_free(r);
}
END_TEST

START_TEST(own_process_is_found_in_proc)
{
    struct threads *ts = threads_new();
    ck_assert_int_gt(procfs_scan(ts, "/proc"), 0);
    const struct thread *t = threads_find(ts, getpid());
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(thread_int(t, THREAD_PTID), getppid());
    ck_assert_int_eq(thread_int(t, THREAD_PID), getpid());
    ck_assert_int_gt(thread_int(t, THREAD_VTID), 0);
    ck_assert_str_eq(thread_string(t, THREAD_COMM), "plugin_host_tes");
    threads_free(ts);
}
END_TEST

static void write_file(const char *dir, const char *name, const char *text, size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    fclose(f);
}

START_TEST(named_hierarchies_and_namespaces_are_read_from_proc)
{
    char root[] = "/tmp/plugin-host-XXXXXX", dir[128], command[160];
    static const char status[] =
        "Name:\tsh\nPPid:\t7\nUid:\t5\t6\nNStgid:\t500\t1\nNSpid:\t501\t2\n";
    static const char cgroup[] = "9:name=systemd:/a:b\n4:cpu,cpuacct:/docker/c\n";
    static const char cmdline[] = "sh\0-c\0true";
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(dir, sizeof(dir), "%s/500/task/501", root);
    snprintf(command, sizeof(command), "mkdir -p %s", dir);
    ck_assert_int_eq(system(command), 0);
    write_file(dir, "status", status, sizeof(status) - 1);
    write_file(dir, "cgroup", cgroup, sizeof(cgroup) - 1);
    write_file(dir, "cmdline", cmdline, sizeof(cmdline));
    write_file(dir, "comm", "sh\n", 3);
    struct threads *ts = threads_new();
    ck_assert_int_eq(procfs_scan(ts, root), 1);
    const struct thread *t = threads_find(ts, 501);
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(thread_int(t, THREAD_PID), 500);
    ck_assert_int_eq(thread_int(t, THREAD_PTID), 7);
    ck_assert_int_eq(thread_int(t, THREAD_UID), 5);
    ck_assert_int_eq(thread_int(t, THREAD_VTID), 2);
    ck_assert_int_eq(thread_int(t, THREAD_VPID), 1);
    ck_assert_str_eq(thread_string(t, THREAD_EXE), "sh");
    ck_assert_uint_eq(t->rows[TABLE_ARGS].n, 2);
    ck_assert_str_eq(t->rows[TABLE_ARGS].items[1].first, "true");
    static const char *const expected[][2] = {
        {"name=systemd", "/a:b"}, {"cpu", "/docker/c"}, {"cpuacct", "/docker/c"}};
    ck_assert_uint_eq(t->rows[TABLE_CGROUPS].n, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(t->rows[TABLE_CGROUPS].items[i].first, expected[i][0]);
        ck_assert_str_eq(t->rows[TABLE_CGROUPS].items[i].second, expected[i][1]);
    }
    threads_free(ts);
    snprintf(command, sizeof(command), "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(many_threads_are_found_and_removed)
{
    struct threads *ts = threads_new();
    for (int64_t tid = 1; tid <= 5000; tid++)
        threads_add(ts, tid * 7);
    for (int64_t tid = 1; tid <= 5000; tid += 2)
        threads_remove(ts, tid * 7);
    ck_assert_uint_eq(threads_count(ts), 2500);
    for (int64_t tid = 1; tid <= 5000; tid++)
        ck_assert((threads_find(ts, tid * 7) != NULL) == (tid % 2 == 0));
    threads_free(ts);
}
END_TEST

// --- preallocated mode ---------------------------------------------------------------------------

START_TEST(fast_calls_answer_like_strict_ones)
{
    struct host *h = opened();
    struct fast *f = fast_new(host_instance(h));
    struct falco_extract_field q;
    struct falco_event *e = event_any(42, 0);
    struct falco_event_input ev = {.evt = e, .evtnum = 1, .evtsrc = "syscall"};
    ck_assert_int_eq(fast_request(f, "selftest.comm", &q), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(fast_extract(f, &ev, &q, 1), FALCO_RC_SUCCESS);
        ck_assert_str_eq(q.res.str[0], "sh");
    }
    ck_assert_int_eq(fast_request(f, "selftest.rows", &q), 0);
    fast_extract(f, &ev, &q, 1);
    ck_assert_uint_eq(q.res.u64[0], 3);
    struct falco_event *exec =
        event_exec(FALCO_EVENT_EXECVE_EXIT, 42, 0, &(struct event_process){.tid = 42, .pid = 42});
    ev.evt = exec;
    ck_assert_int_eq(fast_parse(f, &ev), FALCO_RC_SUCCESS);
    ck_assert_str_eq(host_thread_text(h, 42, "container_id"), "3f8a1c5be07d");
    fast_free(f);
    free(exec);
    free(e);
    closed(h);
}
END_TEST

START_TEST(trace_replays_the_tables_without_the_plugin)
{
    struct host *h = opened();
    struct fast *f = fast_new(host_instance(h));
    struct falco_extract_field q;
    struct falco_event *e = event_any(42, 0);
    struct falco_event_input ev = {.evt = e, .evtnum = 1, .evtsrc = "syscall"};
    struct thread *t = threads_find(host_instance(h)->threads, 42);
    uint32_t id = threads_field(host_instance(h)->threads, TABLE_THREADS, "container_id")->index;
    ck_assert_int_eq(fast_request(f, "selftest.comm", &q), 0);
    struct fast_trace *trace = fast_trace_extract(f, &ev, &q, 1);
    // get, read comm, read cgroups, iterate, release
    ck_assert_uint_eq(fast_trace_length(trace), 5);
    fast_trace_replay(trace);
    fast_trace_free(trace);
    trace = fast_trace_parse(f, &ev);
    thread_set_string(t, id, "", 0);
    fast_trace_replay(trace);
    ck_assert_str_eq(thread_string(t, id), "3f8a1c5be07d");
    fast_trace_free(trace);
    fast_free(f);
    free(e);
    closed(h);
}
END_TEST

static falco_bool count_to_three(struct falco_plugin *s, void *state)
{
    (void)s;
    return __atomic_add_fetch((int *)state, 1, __ATOMIC_RELAXED) < 3;
}

START_TEST(offered_routine_runs_until_it_is_done)
{
    struct routines *rs = routines_new();
    int calls = 0;
    struct falco_routine *r = routines_subscribe(rs, count_to_three, &calls);
    ck_assert_ptr_nonnull(r);
    while (__atomic_load_n(&calls, __ATOMIC_RELAXED) < 3)
        ;
    ck_assert_int_eq(routines_unsubscribe(rs, r), FALCO_RC_SUCCESS);
    ck_assert_int_eq(routines_unsubscribe(rs, r), FALCO_RC_FAILURE);
    ck_assert_int_eq(calls, 3);
    routines_free(rs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_host");
    TCase *tc = tcase_create("all");
    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, fault_is_noticed, 0, sizeof(faults) / sizeof(faults[0]));
    tcase_add_test(tc, older_host_refuses_by_version);
    tcase_add_test(tc, half_a_capability_is_refused);
    tcase_add_test(tc, schema_refuses_unknown_key_before_init);
    tcase_add_test(tc, refusing_init_tells_its_reason);
    tcase_add_test(tc, newer_schema_is_asked_for_from_api_12_on);
    tcase_add_test(tc, refusing_listener_is_closed);
    tcase_add_test(tc, reading_beyond_an_old_hosts_struct_ends_the_process);
    tcase_add_test(tc, dump_is_counted_and_its_refusal_told);
    tcase_add_test(tc, every_script_leaves_a_correct_plugin_alone);
    tcase_add_test(tc, script_finds_a_wrong_plugin);
    tcase_add_test(tc, values_come_with_their_types);
    tcase_add_test(tc, several_fields_go_in_one_call);
    tcase_add_test(tc, exec_replaces_cgroups_with_normal_names);
    tcase_add_test(tc, one_element_without_equals_keeps_the_old_rows);
    tcase_add_test(tc, cloned_thread_starts_without_dynamic_values);
    tcase_add_test(tc, child_in_a_pid_namespace_is_no_thread_of_its_parents_event);
    tcase_add_test(tc, event_lengths_are_those_of_the_type);
    tcase_add_test(tc, full_queue_drops_and_says_success);
    tcase_add_test(tc, own_process_is_found_in_proc);
    tcase_add_test(tc, named_hierarchies_and_namespaces_are_read_from_proc);
    tcase_add_test(tc, many_threads_are_found_and_removed);
    tcase_add_test(tc, fast_calls_answer_like_strict_ones);
    tcase_add_test(tc, trace_replays_the_tables_without_the_plugin);
    tcase_add_test(tc, offered_routine_runs_until_it_is_done);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
