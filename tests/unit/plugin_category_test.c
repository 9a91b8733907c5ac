// SPDX-License-Identifier: Apache-2.0
// Health checks and probes of containers: which processes are theirs, and which only look like it.
#include "support/plugin_bed.h"

#include <string.h>

#define CHECK "proc.is_container_healthcheck"
#define LIVE  "proc.is_container_liveness_probe"
#define READY "proc.is_container_readiness_probe"

// Sample 3 with all three kinds; arguments as engines have them, an empty one among them.
static void put_probed(struct bed *bed, uint32_t known, uint32_t flags)
{
    static const struct cmeta_str check[] = {CMETA_STR("-c"), CMETA_STR("curl -f http://x")};
    static const struct cmeta_str ready[] = {CMETA_STR("-r"), CMETA_STR("")};
    struct cmeta_container content;

    sample_content(3, 0, &content);
    content.known = known;
    content.flags |= flags;
    content.probes[CMETA_PROBE_HEALTHCHECK] = (struct cmeta_probe){CMETA_STR("/bin/sh"), check, 2};
    content.probes[CMETA_PROBE_LIVENESS] = (struct cmeta_probe){.exe = CMETA_STR("/alive")};
    content.probes[CMETA_PROBE_READINESS] = (struct cmeta_probe){CMETA_STR("/ready"), ready, 2};
    bed_put(bed, 3, &content);
}

struct command {
    const char *exe, *args; // separated by NUL
    size_t args_len;
};
#define COMMAND(exe, args) ((struct command){exe, args, sizeof(args)})
#define CHECK_COMMAND      COMMAND("/bin/sh", "-c\0curl -f http://x")

static struct event_process process(int64_t tid, int64_t ptid, int64_t vpid, const char *path,
                                    struct command command)
{
    static char rows[512];
    size_t len = strlen(path);

    memcpy(rows, "cpu=", 4);
    memcpy(rows + 4, path, len + 1);
    return (struct event_process){.tid = tid,
                                  .pid = tid,
                                  .ptid = ptid,
                                  .vtid = vpid,
                                  .vpid = vpid,
                                  .comm = "x",
                                  .exe = command.exe,
                                  .args = command.args,
                                  .args_len = command.args_len,
                                  .cgroups = rows,
                                  .cgroups_len = len + 5};
}

// A process that starts, and becomes a command.
static void run(struct host *h, int64_t tid, int64_t ptid, int64_t vpid, const char *path,
                struct command command)
{
    struct event_process p = process(tid, ptid, vpid, path, COMMAND("starter", ""));

    host_event(h, event_clone(FALCO_EVENT_CLONE_EXIT, (uint64_t)tid, 0, &p));
    p = process(tid, ptid, vpid, path, command);
    host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 0, &p));
}

enum { SHIM = 10, INIT = 20, PROBE = 30, CHILD = 31 };

// The host's shim, and the container's first process below it.
static struct host *open_bed(struct bed *bed)
{
    bed_open(bed, NULL);
    put_probed(bed, CMETA_GROUPS_ALL, 0);
    run(bed->host, SHIM, 1, SHIM, "/system.slice/containerd.service", COMMAND("shim", ""));
    run(bed->host, INIT, SHIM, 1, bed_path(3), COMMAND("/app", ""));
    return bed->host;
}

static void expect_all(struct host *h, int64_t tid, const char *check, const char *live,
                       const char *ready)
{
    bed_expect_of(h, tid, CHECK, check);
    bed_expect(h, LIVE, live);
    bed_expect(h, READY, ready);
}

START_TEST(probe_of_each_kind_is_known_by_its_command)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    run(h, PROBE, SHIM, 7, bed_path(3), CHECK_COMMAND);
    ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 2);
    expect_all(h, PROBE, "true", "false", "false");
    run(h, PROBE + 1, SHIM, 8, bed_path(3), COMMAND("/alive", ""));
    ck_assert_int_eq(host_thread_number(h, PROBE + 1, "category"), 3);
    expect_all(h, PROBE + 1, "false", "true", "false");
    run(h, PROBE + 2, SHIM, 9, bed_path(3), COMMAND("/ready", "-r\0"));
    ck_assert_int_eq(host_thread_number(h, PROBE + 2, "category"), 4);
    expect_all(h, PROBE + 2, "false", "false", "true");
    bed_close(&bed);
}
END_TEST

START_TEST(command_that_differs_is_no_probe)
{
    static const char longer[] = "-c\0curl -f http://x\0-v", cut[] = "-c\0curl -f http://";
    struct command commands[] = {COMMAND("/bin/sh", "-c"),
                                 {"/bin/sh", longer, sizeof(longer)},
                                 {"/bin/sh", cut, sizeof(cut)},
                                 COMMAND("/bin/sh", ""),
                                 COMMAND("sh", "-c\0curl -f http://x"),
                                 COMMAND("", ""),
                                 COMMAND("/alive", "now")};
    struct bed bed;
    struct host *h = open_bed(&bed);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        run(h, PROBE, SHIM, 7, bed_path(3), commands[i]);
        ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 0);
        expect_all(h, PROBE, "false", "false", "false");
        host_event(h, event_procexit(PROBE, 0));
    }
    bed_close(&bed);
}
END_TEST

START_TEST(what_a_probe_starts_and_becomes_is_the_probes)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    run(h, PROBE, SHIM, 7, bed_path(3), CHECK_COMMAND);
    run(h, CHILD, PROBE, 8, bed_path(3), COMMAND("curl", "-f\0http://x"));
    expect_all(h, CHILD, "true", "false", "false");
    run(h, CHILD + 1, CHILD, 9, bed_path(3), COMMAND("/alive", ""));
    expect_all(h, CHILD + 1, "true", "false", "false");
    // sh starts the last command in its own place.
    run(h, PROBE, SHIM, 7, bed_path(3), CHECK_COMMAND);
    {
        struct event_process p = process(PROBE, SHIM, 7, bed_path(3), COMMAND("curl", "-f"));

        host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, PROBE, 0, &p));
    }
    expect_all(h, PROBE, "true", "false", "false");
    bed_close(&bed);
}
END_TEST

// Else whoever is in a container could hide behind its health check.
START_TEST(containers_own_processes_are_never_probes)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    run(h, PROBE, INIT, 7, bed_path(3), CHECK_COMMAND);
    ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 1);
    expect_all(h, PROBE, "false", "false", "false");
    run(h, CHILD, PROBE, 8, bed_path(3), COMMAND("/alive", ""));
    expect_all(h, CHILD, "false", "false", "false");
    // Nor is the first process, whose command is the check's.
    run(h, INIT, SHIM, 1, bed_path(3), CHECK_COMMAND);
    expect_all(h, INIT, "false", "false", "false");
    bed_close(&bed);
}
END_TEST

START_TEST(host_and_unknown_containers_are_told_apart)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    expect_all(h, SHIM, "false", "false", "false");
    run(h, PROBE, SHIM, 7, "/system.slice/cron.service", CHECK_COMMAND);
    expect_all(h, PROBE, "false", "false", "false");
    run(h, PROBE, SHIM, 7, bed_path(4), CHECK_COMMAND); // no record
    expect_all(h, PROBE, NULL, NULL, NULL);
    put_probed(&bed, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_HEALTH), 0);
    run(h, PROBE + 1, SHIM, 7, bed_path(3), COMMAND("sleep", ""));
    expect_all(h, PROBE + 1, NULL, NULL, NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(probe_that_began_before_its_record_came_is_known_afterwards)
{
    struct bed bed;
    struct host *h;

    bed_open(&bed, NULL);
    h = bed.host;
    run(h, SHIM, 1, SHIM, "/system.slice/containerd.service", COMMAND("shim", ""));
    run(h, PROBE, SHIM, 7, bed_path(3), CHECK_COMMAND);
    expect_all(h, PROBE, NULL, NULL, NULL);
    put_probed(&bed, CMETA_GROUPS_ALL, 0);
    expect_all(h, PROBE, "true", "false", "false");
    bed_tick(h);
    ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 2);
    bed_close(&bed);
}
END_TEST

// A shorter command would be taken for the probe's.
START_TEST(record_that_was_cut_proves_nothing)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    put_probed(&bed, CMETA_GROUPS_ALL, CMETA_FLAG_TRUNCATED);
    run(h, PROBE, SHIM, 7, bed_path(3), CHECK_COMMAND);
    expect_all(h, PROBE, "false", "false", "false");
    bed_close(&bed);
}
END_TEST

static void stand(struct host *h, int64_t tid, int64_t ptid, int64_t vpid, const char *rows,
                  struct command command)
{
    struct thread *t = host_thread_add(h, tid, tid, "x", rows);

    thread_set_int(t, THREAD_PTID, ptid);
    thread_set_int(t, THREAD_VPID, vpid);
    thread_set_int(t, THREAD_VTID, vpid);
    thread_set_string(t, THREAD_EXE, command.exe, strlen(command.exe));
    thread_set_list(t, TABLE_ARGS, command.args, command.args_len);
}

// In the table's order children may come before their parents.
START_TEST(threads_that_stand_when_the_capture_opens_are_sorted_likewise)
{
    struct bed bed;
    struct host *h;

    bed_make(&bed);
    put_probed(&bed, CMETA_GROUPS_ALL, 0);
    h = bed.host = bed_host(&bed, NULL);
    stand(h, CHILD, PROBE, 8, bed_rows(3), COMMAND("curl", "-f"));
    stand(h, PROBE, SHIM, 7, bed_rows(3), CHECK_COMMAND);
    stand(h, 40, INIT, 9, bed_rows(3), CHECK_COMMAND);
    stand(h, INIT, SHIM, 1, bed_rows(3), COMMAND("/app", ""));
    stand(h, SHIM, 1, SHIM, bed_rows_of("/init.scope"), COMMAND("shim", ""));
    stand(h, 1, 0, 1, bed_rows_of("/init.scope"), COMMAND("systemd", ""));
    stand(h, 61, 60, 5, bed_rows(4), COMMAND("worker", "")); // no probes are known here
    stand(h, 60, SHIM, 1, bed_rows(4), COMMAND("/app", ""));
    ck_assert_int_eq(host_open_live(h), 0);
    ck_assert_int_eq(host_thread_number(h, INIT, "category"), 1);
    ck_assert_int_eq(host_thread_number(h, 40, "category"), 1);
    ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 2);
    ck_assert_int_eq(host_thread_number(h, 61, "category"), 1);
    ck_assert_int_eq(host_thread_number(h, 1, "category"), 0);
    expect_all(h, PROBE, "true", "false", "false");
    expect_all(h, CHILD, "true", "false", "false");
    expect_all(h, 40, "false", "false", "false");
    bed_close(&bed);
}
END_TEST

START_TEST(process_trees_without_end_are_survived)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    stand(h, 50, 51, 7, bed_rows(3), CHECK_COMMAND); // each the other's parent
    stand(h, 51, 50, 8, bed_rows(3), CHECK_COMMAND);
    expect_all(h, 50, "false", "false", "false");
    bed_tick(h);
    for (int64_t tid = 1000; tid < 1200; tid++)
        stand(h, tid, tid + 1, tid, bed_rows(3), CHECK_COMMAND);
    expect_all(h, 1000, "false", "false", "false");
    bed_close(&bed);
}
END_TEST

START_TEST(thread_that_leaves_its_container_is_the_hosts)
{
    struct bed bed;
    struct host *h = open_bed(&bed);

    run(h, PROBE, SHIM, PROBE, bed_path(3), CHECK_COMMAND); // in the host's PID namespace
    bed_expect(h, CHECK, "true");
    bed_exec(h, PROBE, "/system.slice/cron.service");
    ck_assert_int_eq(host_thread_number(h, PROBE, "category"), 0);
    expect_all(h, PROBE, "false", "false", "false");
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_category", 60, probe_of_each_kind_is_known_by_its_command,
           command_that_differs_is_no_probe, what_a_probe_starts_and_becomes_is_the_probes,
           containers_own_processes_are_never_probes, host_and_unknown_containers_are_told_apart,
           probe_that_began_before_its_record_came_is_known_afterwards,
           record_that_was_cut_proves_nothing,
           threads_that_stand_when_the_capture_opens_are_sorted_likewise,
           process_trees_without_end_are_survived, thread_that_leaves_its_container_is_the_hosts)
