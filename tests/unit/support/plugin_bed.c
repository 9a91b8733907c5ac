// SPDX-License-Identifier: Apache-2.0
#include "plugin_bed.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void bed_make(struct bed *bed)
{
    temp_dir_make(&bed->dir);
    bed->writer = sample_writer(bed->dir.path, NULL);
    bed->host = NULL;
}

struct host *bed_host(const struct bed *bed, const char *more)
{
    struct host *host = host_new();
    char config[1024];

    snprintf(config, sizeof(config), "{\"region\":\"%s\"%s%s}", bed->dir.path, more ? "," : "",
             more ? more : "");
    ck_assert_msg(host_load(host, BED_PLUGIN, config) == 0, "%s", host_refusal(host));
    return host;
}

void bed_open(struct bed *bed, const char *more)
{
    bed_make(bed);
    bed->host = bed_host(bed, more);
    host_thread_add(bed->host, 1, 1, "init", bed_rows_of("/init.scope"));
    ck_assert_msg(host_open_live(bed->host) == 0, "%s", host_refusal(bed->host));
}

void bed_end(struct host *host)
{
    host_destroy(host);
    ck_assert_msg(host_violations(host) == 0, "%s", host_violation(host, 0));
    host_free(host);
}

void bed_close(struct bed *bed)
{
    if (bed->host)
        bed_end(bed->host);
    if (bed->writer)
        cmeta_writer_free(bed->writer);
    temp_dir_remove(&bed->dir);
}

void bed_put(struct bed *bed, unsigned n, const struct cmeta_container *content)
{
    bed_put_in(bed, "docker", n, content);
}

void bed_put_in(struct bed *bed, const char *scope, unsigned n,
                const struct cmeta_container *content)
{
    static _Alignas(8) uint8_t record[CMETA_RECORD_MAX];
    char id[65];
    struct cmeta_name name = sample_name(n, id);
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = 1000 + n};
    int size = cmeta_record_encode(content, record, sizeof(record), NULL);

    name.scope = (struct cmeta_str){scope, (uint32_t)strlen(scope)};
    ck_assert_int_gt(size, 0);
    ck_assert_int_ge(cmeta_writer_put(bed->writer, &name, record, (size_t)size, &live), 0);
}

const char *bed_path(unsigned n)
{
    static char path[96];
    char id[65];

    sample_id(n, id);
    snprintf(path, sizeof(path), "/docker/%s", id);
    return path;
}

const char *bed_rows_of(const char *path)
{
    static char rows[1024];

    snprintf(rows, sizeof(rows), "cpu=%s\nmemory=%s", path, path);
    return rows;
}

const char *bed_rows(unsigned n)
{
    return bed_rows_of(bed_path(n));
}

const char *bed_short_id(unsigned n)
{
    static char id[65];

    sample_id(n, id);
    id[12] = '\0';
    return id;
}

// Five rows as the modern probe sends them. Return: their length.
static size_t make_param(char *param, size_t size, const char *path)
{
    static const char *const names[] = {"cpuset", "cpu", "cpuacct", "io", "memory"};
    size_t len = 0;

    for (size_t i = 0; i < 5 && path; i++)
        len += (size_t)snprintf(param + len, size - len, "%s=%s", names[i], path) + 1;
    return len;
}

static struct event_process process_of(int64_t tid, const char *path, char *param, size_t size)
{
    struct event_process p = {.tid = tid, .pid = tid, .comm = "test", .exe = "/bin/test"};

    p.cgroups_len = make_param(param, size, path);
    p.cgroups = path ? param : NULL;
    return p;
}

void bed_exec(struct host *host, int64_t tid, const char *path)
{
    char param[8192];
    struct event_process p = process_of(tid, path, param, sizeof(param));

    host_event(host, event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 0, &p));
}

void bed_clone(struct host *host, int64_t tid, int64_t ptid, const char *path)
{
    char param[8192];
    struct event_process p = process_of(tid, path, param, sizeof(param));

    p.ptid = ptid;
    host_event(host, event_clone(FALCO_EVENT_CLONE_EXIT, (uint64_t)tid, 0, &p));
}

void bed_expect(struct host *host, const char *field, const char *expected)
{
    const char *got = host_text(host, field);

    if (!expected || !got)
        ck_assert_msg(got == expected, "%s is %s%s%s, not %s%s%s", field, got ? "\"" : "",
                      got ? got : "NULL", got ? "\"" : "", expected ? "\"" : "",
                      expected ? expected : "NULL", expected ? "\"" : "");
    else
        ck_assert_msg(strcmp(got, expected) == 0, "%s is \"%s\", not \"%s\"", field, got, expected);
}

void bed_expect_of(struct host *host, int64_t tid, const char *field, const char *expected)
{
    host_event(host, event_any((uint64_t)tid, 0));
    bed_expect(host, field, expected);
}

static void pause_1ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void bed_tick(struct host *host)
{
    host_event(host, event_async("not_ours", "", 1, FALCO_TS_NOW));
}

void bed_wait_of(struct host *host, int64_t tid, const char *field, const char *expected)
{
    for (;;) {
        const char *got;

        host_pump(host);
        bed_tick(host);
        got = host_text_of(host, tid, field);
        if (got && strcmp(got, expected) == 0)
            return;
        pause_1ms();
    }
}

double bed_metric(struct host *host, const char *name)
{
    uint32_t n = 0;
    const struct falco_metric *all =
        host_plugin(host)->sym.get_metrics(host_instance(host)->state, &n);

    for (uint32_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            // Relaxed: the follower may be writing it.
            return (double)__atomic_load_n(&all[i].value.u64, __ATOMIC_RELAXED);
    ck_abort_msg("there is no metric %s", name);
    return -1;
}

void bed_wait_metric(struct host *host, const char *name, double expected)
{
    while (bed_metric(host, name) < expected || bed_metric(host, name) > expected) {
        bed_tick(host);
        pause_1ms();
    }
}

bool bed_logged(struct host *host, const char *part)
{
    struct report *r = host_report(host);

    for (size_t i = 0; i < report_log_lines(r); i++)
        if (strstr(report_log_line(r, i, NULL), part))
            return true;
    return false;
}

void bed_wait_log(struct host *host, const char *part)
{
    while (!bed_logged(host, part)) {
        bed_tick(host);
        pause_1ms();
    }
}

void bed_expect_id(struct host *h, int64_t tid, const char *id)
{
    const char *got = host_thread_text(h, tid, "container_id");

    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, id);
}

unsigned bed_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

void bed_wait_threads(unsigned n)
{
    while (bed_threads() != n)
        sched_yield();
}
