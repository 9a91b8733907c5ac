// SPDX-License-Identifier: Apache-2.0
// containerd-meta-ctl check: each fault that it knows is put in its way, with a /proc made for the
// test, and must be found, with a remedy, a documented code and the exit code.
#include "shm/counters.h"
#include "unit/support/ctl_fixture.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define FALCO 815 // in the /proc that is made here

static char proc[PATH_MAX];

// --- a /proc -------------------------------------------------------------------------------------

__attribute__((format(printf, 3, 4))) static void put_file(int pid, const char *name,
                                                           const char *format, ...)
{
    char path[PATH_MAX + 64];
    va_list list;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%d", proc, pid);
    ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    va_start(list, format);
    vfprintf(file, format, list);
    va_end(list);
    ck_assert_int_eq(fclose(file), 0);
}

// What a process sees as its root is what stands behind this link.
static void put_root(int pid, const char *target)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/%d/root", proc, pid);
    unlink(path);
    ck_assert_int_eq(symlink(target, path), 0);
}

static void table_path(char path[PATH_MAX], struct stat *st)
{
    snprintf(path, PATH_MAX, "%s/%s", fixture.dir.path, CMETA_TABLE_NAME);
    ck_assert_int_eq(stat(path, st), 0);
}

static void put_maps(const char *file, const struct stat *st, const char *after)
{
    put_file(FALCO, "maps",
             "55d0c0000000-55d0c0001000 r--p 00000000 fe:01 42   /usr/bin/falco\n"
             "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
             "7f0000001000-7f0000002000 r-xp 00000000 fe:01 43   /usr/share/falco/plugins/"
             "libcontainer.so\n"
             "7f0000100000-7f0000300000 r--s 00000000 %02x:%02x %lu   %s%s\n",
             major(st->st_dev), minor(st->st_dev), (unsigned long)st->st_ino, file, after);
}

// All is well: a daemon, an engine, a Falco that reads the table.
static void begin(void)
{
    char path[PATH_MAX];
    struct stat st;

    ctl_begin();
    snprintf(proc, sizeof(proc), "%s/proc", fixture.dir.path);
    ck_assert_int_eq(mkdir(proc, 0755), 0);
    ck_assert_int_eq(setenv("CONTAINERD_META_PROC", proc, 1), 0);
    ctl_engine(0, "docker", CMETA_ENGINE_CONNECTED, "");
    table_path(path, &st);
    put_file(FALCO, "comm", "falco\n");
    put_file(FALCO, "status", "Name:\tfalco\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \n");
    put_file(FALCO, "environ", "A=1");
    put_root(FALCO, "/");
    put_maps(path, &st, "");
}

static void end(void)
{
    unsetenv("CONTAINERD_META_PROC");
    ctl_end();
}

static void row(uint32_t index, enum cmeta_engine_state state, uint32_t flags, const char *version,
                const char *socket, const char *error)
{
    struct cmeta_engine_row row = {.state = state, .flags = flags, .name = "podman"};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    row.since_ns = (uint64_t)(now.tv_sec - 600) * 1000000000u;
    snprintf(row.version, sizeof(row.version), "%s", version);
    snprintf(row.socket, sizeof(row.socket), "%s", socket);
    snprintf(row.last_error, sizeof(row.last_error), "%s", error);
    cmeta_writer_engine(fixture.writer, index, &row);
}

// --- findings ------------------------------------------------------------------------------------

static void check_documented(const char *code, const char *level)
{
    static char *docs;
    char cell[96];

    if (!docs) {
        FILE *file = fopen(TEST_DATA "/../../../docs/checks.md", "re");
        size_t size = 1 << 16;

        ck_assert_ptr_nonnull(file);
        docs = calloc(1, size);
        ck_assert_uint_gt(fread(docs, 1, size - 1, file), 0);
        fclose(file);
    }
    snprintf(cell, sizeof(cell), "| `%s` | %s |", code, level);
    ck_assert_msg(strstr(docs, cell) != NULL, "docs/checks.md has no row \"%s\"", cell);
}

// Runs the check; @code is found at @level, and the exit code is this. Whatever is found is
// documented, and what isn't well has a remedy in its text or beside it.
static void found(const char *code, const char *level, int status)
{
    struct program_result result = ctl("check", "-o", "json");
    json_t *findings = json_loads(result.out, JSON_REJECT_DUPLICATES, NULL);
    const json_t *finding;
    bool there = false;
    size_t i;

    ck_assert_msg(result.status == status, "%s: exit %d, not %d: %s%s", code, result.status, status,
                  result.out, result.err);
    ck_assert_ptr_nonnull(findings);
    json_array_foreach (findings, i, finding) {
        const char *its = ctl_text(finding, "code");

        check_documented(its, ctl_text(finding, "level"));
        ck_assert_uint_gt(strlen(ctl_text(finding, "text")), 5);
        if (strcmp(its, code) != 0)
            continue;
        there = true;
        ck_assert_str_eq(ctl_text(finding, "level"), level);
        if (strcmp(level, "warning") == 0 || (strcmp(level, "problem") == 0 && status == 7))
            ck_assert_ptr_nonnull(ctl_text(finding, "remedy"));
    }
    ck_assert_msg(there, "%s isn't found: %s", code, result.out);
    json_decref(findings);
    program_result_free(&result);
}

START_TEST(all_is_well_exits_0)
{
    begin();
    found("daemon-alive", "ok", 0);
    found("engine-connected", "ok", 0);
    found("falco-reads", "ok", 0);
    end();
}
END_TEST

START_TEST(without_a_region_the_exit_code_is_3_and_refused_5)
{
    char path[PATH_MAX];
    struct stat st;

    begin();
    table_path(path, &st);
    ck_assert_int_eq(chmod(path, 0666), 0);
    found("region-refused", "problem", 5);
    ck_assert_int_eq(unlink(path), 0);
    found("no-region", "problem", 3);
    end();
}
END_TEST

START_TEST(a_daemon_that_is_gone_is_a_problem)
{
    begin();
    ctl_unlock();
    found("daemon-gone", "problem", 7);
    end();
}
END_TEST

START_TEST(a_region_at_its_ceiling_is_a_problem)
{
    begin();
    cmeta_writer_count(fixture.writer, CMETA_COUNT_REFUSED, 3);
    found("region-full", "problem", 7);
    end();
}
END_TEST

START_TEST(engines_that_refuse_or_hang_are_problems)
{
    begin();
    row(1, CMETA_ENGINE_FAILED, 0, "", "/run/podman/podman.sock", "connect: Permission denied");
    found("engine-permission", "problem", 7);
    row(1, CMETA_ENGINE_FAILED, 0, "", "/run/podman/podman.sock", "Connection refused");
    found("engine-failed", "problem", 7);
    row(1, CMETA_ENGINE_CONNECTING, 0, "", "/run/podman/podman.sock", "");
    found("engine-silent", "problem", 7);
    row(0, CMETA_ENGINE_WAITING, 0, "", "/run/podman/podman.sock", "");
    found("no-engine", "problem", 7);
    end();
}
END_TEST

START_TEST(a_configured_socket_that_is_absent_is_a_warning_and_a_default_one_is_not)
{
    begin();
    row(1, CMETA_ENGINE_WAITING, CMETA_ENGINE_CONFIGURED, "", "/run/podman/podman.sock", "");
    found("engine-absent", "warning", 8);
    row(1, CMETA_ENGINE_WAITING, 0, "", "/run/podman/podman.sock", "");
    found("falco-reads", "ok", 0);
    end();
}
END_TEST

START_TEST(slow_disabled_unsupported_and_scanned_engines_are_told)
{
    begin();
    row(1, CMETA_ENGINE_LISTING, 0, "", "/run/podman/podman.sock", "");
    found("engine-slow", "warning", 8);
    row(1, CMETA_ENGINE_UNSUPPORTED, 0, "", "", "");
    found("engine-unsupported", "warning", 8);
    row(1, CMETA_ENGINE_CONNECTED, CMETA_ENGINE_DEGRADED, "", "/run/podman/podman.sock", "");
    found("engine-scanning", "warning", 8);
    row(1, CMETA_ENGINE_DISABLED, 0, "", "", "disabled in the configuration");
    found("engine-disabled", "note", 0);
    end();
}
END_TEST

START_TEST(an_engine_that_is_too_old_is_told_by_its_version)
{
    static const struct {
        const char *version;
        bool old;
    } cases[] = {{"Docker/17.03.2-ce (linux)", true},
                 {"Docker/18.09.0 (linux)", false},
                 {"Docker/20.10.24 (linux)", false},
                 {"containerd v1.4.13", true},
                 {"containerd v1.6.20~ds1", false},
                 {"cri-o 1.22.5", true},
                 {"cri-o 1.36.3", false},
                 {"something else", false},
                 {"containerd 99999999999.1", false}};

    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        row(1, CMETA_ENGINE_CONNECTED, 0, cases[i].version, "/run/podman/podman.sock", "");
        if (cases[i].old)
            found("engine-too-old", "warning", 8);
        else
            found("engine-connected", "ok", 0);
    }
    end();
}
END_TEST

START_TEST(a_socket_that_is_mounted_as_a_file_is_told)
{
    begin();
    // The writer of this region is this process: its PID is in the header.
    put_file((int)getpid(), "comm", "containerd-meta\n");
    put_file((int)getpid(), "mountinfo",
             "21 1 254:1 / / rw - ext4 /dev/vda rw\n"
             "22 21 0:5 /x /run/with\\040space/podman.sock rw - tmpfs tmpfs rw\n");
    row(1, CMETA_ENGINE_CONNECTED, 0, "", "/run/with space/podman.sock", "");
    found("engine-socket-mounted", "warning", 8);
    row(1, CMETA_ENGINE_CONNECTED, 0, "", "/run/with", "");
    found("engine-connected", "ok", 0);
    end();
}
END_TEST

START_TEST(two_engines_on_one_socket_are_told)
{
    char one[PATH_MAX], two[PATH_MAX];

    begin();
    put_file((int)getpid(), "comm", "containerd-meta\n");
    put_root((int)getpid(), "/");
    snprintf(one, sizeof(one), "%s/one.sock", fixture.dir.path);
    snprintf(two, sizeof(two), "%s/two.sock", fixture.dir.path);
    put_file((int)getpid(), "status", "x\n");
    fclose(fopen(one, "we"));
    ck_assert_int_eq(link(one, two), 0);
    row(1, CMETA_ENGINE_CONNECTED, 0, "", one, "");
    row(2, CMETA_ENGINE_CONNECTED, 0, "", two, "");
    found("engine-twice", "warning", 8);
    row(2, CMETA_ENGINE_WAITING, 0, "", two, "");
    found("engine-connected", "ok", 0);
    end();
}
END_TEST

START_TEST(a_falco_that_cannot_read_the_table_is_a_problem)
{
    char path[PATH_MAX], elsewhere[128], folder[3 * PATH_MAX];
    struct stat st;

    begin();
    table_path(path, &st);
    ck_assert_int_eq(chmod(path, 0640), 0);
    put_file(FALCO, "status", "Uid:\t9\t998\t998\t998\nGid:\t998\t998\t998\t998\nGroups:\t7 8 \n");
    found("falco-may-not-read", "problem", 7);
    put_file(FALCO, "status", "Uid:\t998\t998\t998\t998\nGid:\t9\t998\t9\t9\nGroups:\t7 %u \n",
             (unsigned)st.st_gid);
    found("falco-reads", "ok", 0);

    // A root of its own, without the folder; then with another file at the path.
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", fixture.dir.path);
    ck_assert_int_eq(mkdir(elsewhere, 0755), 0);
    put_root(FALCO, elsewhere);
    found("falco-sees-no-table", "problem", 7);
    snprintf(folder, sizeof(folder), "mkdir -p '%s%s' && cp '%s' '%s%s/'", elsewhere,
             fixture.dir.path, path, elsewhere, fixture.dir.path);
    ck_assert_int_eq(system(folder), 0);
    found("falco-sees-another-table", "problem", 7);
    end();
}
END_TEST

START_TEST(a_falco_in_a_container_is_looked_into_below_its_host_root)
{
    char elsewhere[128], link[256];

    begin();
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", fixture.dir.path);
    ck_assert_int_eq(mkdir(elsewhere, 0755), 0);
    snprintf(link, sizeof(link), "%s/host", elsewhere);
    ck_assert_int_eq(symlink("/", link), 0);
    put_root(FALCO, elsewhere);
    put_file(FALCO, "environ", "A=1%cHOST_ROOT=/host%cB=2", 0, 0);
    found("falco-reads", "ok", 0);
    end();
}
END_TEST

START_TEST(a_falco_without_the_plugin_or_with_another_one_is_a_problem)
{
    char path[PATH_MAX];
    struct stat st, other = {.st_ino = 1, .st_dev = 1};

    begin();
    table_path(path, &st);
    put_maps("/somewhere/else", &other, "");
    found("falco-maps-nothing", "problem", 7);
    put_maps(path, &other, " (deleted)");
    found("falco-lags", "warning", 8);
    put_file(FALCO, "maps", "55d0c0000000-55d0c0001000 r--p 00000000 fe:01 42 /usr/bin/falco\n");
    found("falco-without-plugin", "problem", 7);
    put_file(FALCO, "comm", "hawk\n");
    found("falco-not-running", "note", 0);
    end();
}
END_TEST

START_TEST(people_get_the_remedy_below_each_finding)
{
    struct program_result result;

    begin();
    row(1, CMETA_ENGINE_FAILED, 0, "", "/run/podman/podman.sock", "\033[31mrefused");
    result = ctl("check");
    ck_assert_ptr_nonnull(strstr(result.out, "[engine-failed]\n         -> "));
    ck_assert_ptr_nonnull(strstr(result.out, "problems: 1, warnings: 0\n"));
    ck_assert_ptr_null(strchr(result.out, '\033'));
    ctl_check(result, 7, NULL);
    end();
}
END_TEST

CHECK_MAIN("ctl check", 60, all_is_well_exits_0, without_a_region_the_exit_code_is_3_and_refused_5,
           a_daemon_that_is_gone_is_a_problem, a_region_at_its_ceiling_is_a_problem,
           engines_that_refuse_or_hang_are_problems,
           a_configured_socket_that_is_absent_is_a_warning_and_a_default_one_is_not,
           slow_disabled_unsupported_and_scanned_engines_are_told,
           an_engine_that_is_too_old_is_told_by_its_version,
           a_socket_that_is_mounted_as_a_file_is_told, two_engines_on_one_socket_are_told,
           a_falco_that_cannot_read_the_table_is_a_problem,
           a_falco_in_a_container_is_looked_into_below_its_host_root,
           a_falco_without_the_plugin_or_with_another_one_is_a_problem,
           people_get_the_remedy_below_each_finding)
