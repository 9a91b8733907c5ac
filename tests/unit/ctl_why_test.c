// SPDX-License-Identifier: Apache-2.0
// containerd-meta-ctl why: from a process, a cgroup path or an ID to what is known and why not
// more.
#include "shm/container_id.h"
#include "shm/hint.h"
#include "shm/leads.h"
#include "unit/support/ctl_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX "17d8aa0b3c5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6a09f"

#define HEX_OTHER "27d8aa0b3c5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6a09f"

static struct program_result why(const char *argument, const char *format)
{
    return ctl("why", "-o", format, "--", argument);
}

// The JSON document, with exactly its keys.
static json_t *why_json(const char *argument, int status)
{
    static const char *const keys[] = {"cgroup", "container_id", "layout", "strength",
                                       "engine", "record",       "reasons"};
    struct program_result result = why(argument, "json");
    json_t *value = json_loads(result.out, JSON_REJECT_DUPLICATES, NULL);

    ck_assert_msg(result.status == status, "%s: %d, not %d: %s", argument, result.status, status,
                  result.err);
    ck_assert_msg(value != NULL, "%s: %s", argument, result.out);
    ck_assert_uint_eq(json_object_size(value), sizeof(keys) / sizeof(keys[0]));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        ck_assert_ptr_nonnull(json_object_get(value, keys[i]));
    ck_assert(json_is_array(json_object_get(value, "reasons")));
    program_result_free(&result);
    return value;
}

static void check_text(const json_t *object, const char *key, const char *expected)
{
    if (expected)
        ck_assert_str_eq(ctl_text(object, key), expected);
    else
        ck_assert(json_is_null(json_object_get(object, key)));
}

// The reason of a code; each has a sentence. NULL if it isn't given.
static const json_t *reason_of(const json_t *value, const char *code)
{
    const json_t *reason;
    size_t i;

    json_array_foreach (json_object_get(value, "reasons"), i, reason) {
        ck_assert_uint_gt(strlen(ctl_text(reason, "text")), 10);
        if (strcmp(ctl_text(reason, "code"), code) == 0)
            return reason;
    }
    return NULL;
}

// Sample 1, of which some groups aren't known; told by one engine.
static void put(const char *id, const char *scope, uint32_t unknown, uint8_t reason, uint8_t source,
                uint32_t pid)
{
    struct cmeta_container content;

    sample_content(1, 1, &content);
    content.known &= ~unknown;
    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++) {
        content.reason[group] = unknown & CMETA_GROUP_BIT(group) ? reason : 0;
        content.source[group] = source;
    }
    ctl_put(id, scope, &content, CMETA_STATE_RUNNING, pid);
}

// --- paths
// ----------------------------------------------------------------------------------------------------

// What each kind of path says by itself.
static const struct {
    const char *path, *id, *layout, *strength;
} paths[] = {
    {"/system.slice/docker-" HEX ".scope", HEX, "docker", "strong"},
    {"/system.slice/docker-" HEX ".scope/init.scope", HEX, "docker", "strong"},
    {"/docker/" HEX, HEX, "bare-hex", "strong"},
    {"/machine.slice/libpod-" HEX ".scope/container", HEX, "libpod", "strong"},
    {"/kubepods.slice/kubepods-besteffort.slice/crio-" HEX ".scope", HEX, "crio", "strong"},
    {"/kubepods.slice/cri-containerd-" HEX ".scope", HEX, "cri-containerd", "strong"},
    {"/system.slice/nerdctl-" HEX ".scope", HEX, "nerdctl", "strong"},
    {"/lxc.payload.web-1", "web-1", "lxc", "strong"},
    {"/sys/fs/cgroup/pids/lxc.payload.web-1", "web-1", "lxc", "strong"},
    {"0::/system.slice/docker-" HEX ".scope", HEX, "docker", "strong"},
    {"/system.slice/cron.service", NULL, "none", "none"},
    {"/user.slice/user-1000.slice", NULL, "none", "none"},
    {"/", NULL, "none", "none"},
    {"/default/redis", NULL, "containerd-namespace", "weak"},
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static void check_path(size_t i)
{
    json_t *value = why_json(paths[i].path, 0);

    check_text(value, "container_id", paths[i].id);
    check_text(value, "layout", paths[i].layout);
    check_text(value, "strength", paths[i].strength);
    check_text(value, "engine", NULL);
    check_text(value, "record", NULL);
    ck_assert_int_eq(reason_of(value, "host-process") != NULL, paths[i].id == NULL);
    json_decref(value);
}

START_TEST(a_path_tells_its_id_without_a_daemon)
{
    json_t *value;

    ctl_begin_empty();
    for (size_t i = 0; i < PATHS; i++)
        check_path(i);
    value = why_json("/docker/" HEX, 0);
    ck_assert_ptr_nonnull(reason_of(value, "no-region"));
    json_decref(value);
    ctl_end();
}
END_TEST

START_TEST(a_path_tells_its_id_in_spite_of_a_refused_region)
{
    struct program_result result;
    char path[128];
    json_t *value;

    ctl_begin();
    snprintf(path, sizeof(path), "%s/%s", fixture.dir.path, CMETA_TABLE_NAME);
    ck_assert_int_eq(chmod(path, 0666), 0);
    for (size_t i = 0; i < PATHS; i++)
        check_path(i);
    value = why_json("/docker/" HEX, 0);
    ck_assert_ptr_nonnull(strstr(ctl_text(reason_of(value, "region-refused"), "text"), "chmod"));
    json_decref(value);
    // An ID by itself only the region could tell.
    result = why(HEX, "table");
    ck_assert_int_eq(result.status, 5);
    program_result_free(&result);
    ctl_end();
}
END_TEST

START_TEST(a_path_the_table_does_not_know_names_the_engines)
{
    const json_t *reason;
    json_t *value;

    ctl_begin();
    for (size_t i = 0; i < PATHS; i++)
        check_path(i);
    value = why_json("/system.slice/docker-" HEX ".scope", 0);
    ck_assert_ptr_nonnull(reason_of(value, "not-in-table"));
    ck_assert_ptr_nonnull(reason_of(value, "engine-disabled"));
    json_decref(value);
    ctl_engine(0, "docker", CMETA_ENGINE_FAILED, "HTTP 500");
    ctl_engine(1, "lxc", CMETA_ENGINE_WAITING, "");
    value = why_json("/system.slice/docker-" HEX ".scope", 0);
    reason = reason_of(value, "engine-failed");
    ck_assert_ptr_nonnull(reason);
    ck_assert_ptr_nonnull(strstr(ctl_text(reason, "text"), "HTTP 500"));
    ck_assert_ptr_nonnull(strstr(ctl_text(reason, "text"), "/run/docker.sock"));
    ck_assert_ptr_null(reason_of(value, "engine-waiting")); // lxc makes no such cgroups
    ck_assert_ptr_null(reason_of(value, "engine-disabled"));
    json_decref(value);
    ctl_end();
}
END_TEST

START_TEST(a_weak_match_counts_only_if_the_table_knows_it_there)
{
    json_t *value;

    ctl_begin();
    put("redis", "containerd/other", 0, 0, 0, 0);
    put("redis", "lxc", 0, 0, 0, 0);
    value = why_json("/default/redis", 0);
    check_text(value, "container_id", NULL);
    ck_assert_ptr_nonnull(reason_of(value, "weak-unknown"));
    ck_assert_ptr_nonnull(reason_of(value, "host-process"));
    json_decref(value);
    put("redis", "containerd/default", 0, 0, 0, 0);
    value = why_json("/default/redis", 0);
    check_text(value, "container_id", "redis");
    check_text(value, "strength", "weak");
    check_text(json_object_get(value, "record"), "scope", "containerd/default");
    ck_assert_ptr_null(reason_of(value, "weak-unknown"));
    json_decref(value);
    // A strong match that is a name is its own engine's only.
    value = why_json("/lxc.payload.redis", 0);
    check_text(json_object_get(value, "record"), "scope", "lxc");
    json_decref(value);
    ctl_end();
}
END_TEST

START_TEST(a_removed_container_gives_way_to_a_live_one)
{
    struct cmeta_name gone = {CMETA_STR("web"), CMETA_STR("lxc")};
    json_t *value;

    ctl_begin();
    put("web", "lxc", 0, 0, 0, 0);
    ck_assert_int_eq(cmeta_writer_remove(fixture.writer, &gone, 1), 1);
    value = why_json("/lxc/web", 0);
    ck_assert_ptr_nonnull(reason_of(value, "removed"));
    check_text(json_object_get(value, "record"), "state", "removed");
    json_decref(value);
    put("web", "lxc/project", 0, 0, 0, 0);
    value = why_json("/lxc/web", 0);
    check_text(json_object_get(value, "record"), "scope", "lxc/project");
    ck_assert_ptr_null(reason_of(value, "removed"));
    json_decref(value);
    ctl_end();
}
END_TEST

// --- records
// --------------------------------------------------------------------------------------------------

START_TEST(a_complete_record_has_no_reasons)
{
    struct program_result result;
    json_t *value;

    ctl_begin();
    ctl_engine(2, "docker", CMETA_ENGINE_CONNECTED, "");
    put(HEX, "", 0, 0, 1 + 2, 0);
    value = why_json("/docker/" HEX, 0);
    check_text(value, "container_id", HEX);
    check_text(value, "engine", "docker");
    ck_assert_uint_eq(json_array_size(json_object_get(value, "reasons")), 0);
    check_text(json_object_get(json_object_get(value, "record"), "container"), "name",
               "container-1");
    json_decref(value);
    result = why("/docker/" HEX, "table");
    ck_assert_ptr_nonnull(strstr(result.out, "cgroup    /docker/" HEX "\n"));
    ck_assert_ptr_nonnull(strstr(result.out, HEX " (layout bare-hex, strong match)"));
    ck_assert_ptr_nonnull(strstr(result.out, "docker (/run/docker.sock) is connected"));
    ck_assert_ptr_nonnull(strstr(result.out, "container-1, image registry.example.com:5000"));
    ck_assert_ptr_nonnull(strstr(result.out, "missing   nothing\n"));
    ck_assert_str_eq(result.err, "");
    program_result_free(&result);
    ctl_end();
}
END_TEST

START_TEST(groups_that_are_not_known_say_why)
{
    const json_t *reason;
    struct program_result result;
    json_t *value;

    ctl_begin();
    ctl_engine(0, "docker", CMETA_ENGINE_FAILED, "timed out");
    put(HEX, "", CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS), CMETA_REASON_ENGINE_UNREACHABLE, 1, 0);
    value = why_json(HEX, 0);
    reason = reason_of(value, "engine-unreachable");
    ck_assert_ptr_nonnull(reason);
    check_text(reason, "group", "mounts");
    ck_assert_ptr_nonnull(strstr(ctl_text(reason_of(value, "engine-failed"), "text"), "timed out"));
    ck_assert_uint_eq(json_array_size(json_object_get(value, "reasons")), 2);
    json_decref(value);
    result = why(HEX, "table");
    ck_assert_ptr_nonnull(strstr(result.out, "missing   mounts: engine-unreachable: "));
    program_result_free(&result);
    ctl_end();
}
END_TEST

START_TEST(without_a_daemon_the_story_says_so)
{
    struct program_result result;
    json_t *value;

    ctl_begin();
    put(HEX, "", 0, 0, 62, 0); // told by a row that is not used
    ctl_unlock();
    value = why_json(HEX, 0);
    check_text(value, "engine", "docker"); // by its type
    ck_assert_ptr_nonnull(reason_of(value, "daemon-not-running"));
    json_decref(value);
    result = why(HEX, "table");
    ck_assert_ptr_nonnull(strstr(result.out, "systemctl start containerd-meta"));
    program_result_free(&result);
    ctl_end();
}
END_TEST

START_TEST(an_id_is_found_by_prefix_or_name_or_not_at_all)
{
    struct program_result result;
    json_t *value;

    ctl_begin();
    put(HEX, "", 0, 0, 0, 0);
    put("17d8-other", "lxc", 0, 0, 0, 0);
    value = why_json("17d8aa", 0);
    check_text(value, "container_id", HEX);
    check_text(value, "cgroup", NULL);
    check_text(value, "layout", "none");
    json_decref(value);
    value = why_json("4294967295", 1); // digits, and no such process: an ID
    check_text(value, "container_id", NULL);
    ck_assert_ptr_nonnull(reason_of(value, "not-in-table"));
    json_decref(value);
    result = why("17d8", "json");
    ck_assert_int_eq(result.status, 4);
    ck_assert_str_eq(result.out, "");
    ck_assert_ptr_nonnull(strstr(result.err, "lxc/17d8-other"));
    program_result_free(&result);
    result = why("container-1", "table"); // both are called that
    ck_assert_int_eq(result.status, 4);
    program_result_free(&result);
    ctl_end();
}
END_TEST

START_TEST(an_id_without_a_region_is_nobodys)
{
    struct program_result result;

    ctl_begin_empty();
    result = why("17d8", "table");
    ck_assert_int_eq(result.status, 3);
    ck_assert_ptr_nonnull(strstr(result.out, "systemctl start containerd-meta"));
    program_result_free(&result);
    ctl_end();
}
END_TEST

// --- processes
// ------------------------------------------------------------------------------------------------

// Whether this test itself is in a container's cgroup: then it is no host process to ask about.
static bool in_strong_cgroup(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    struct cmeta_id_match match;
    bool strong = false;
    char line[4200];

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file)) {
        const char *path = strchr(line, '/');

        if (path && cmeta_container_id_match(path, strcspn(path, "\n"), CMETA_LAYOUTS_ALL,
                                             &match) == CMETA_STRONG)
            strong = true;
    }
    fclose(file);
    return strong;
}

START_TEST(a_process_of_the_host_is_no_container)
{
    struct program_result result;
    char pid[16];
    json_t *value;

    if (in_strong_cgroup())
        check_skip("this test runs in a container: there is no host process to ask about");
    ctl_begin();
    snprintf(pid, sizeof(pid), "%d", getpid());
    value = why_json(pid, 0);
    check_text(value, "container_id", NULL);
    check_text(value, "record", NULL);
    ck_assert_ptr_nonnull(reason_of(value, "host-process"));
    ck_assert_ptr_nonnull(ctl_text(value, "cgroup"));
    json_decref(value);
    result = why(pid, "table");
    ck_assert_ptr_nonnull(strstr(result.out, "process   "));
    ck_assert_ptr_nonnull(strstr(result.out, "host-process"));
    program_result_free(&result);
    ctl_end();
}
END_TEST

// A cgroup of a container's name, in the first hierarchy that may be written. False if none may.
static bool make_cgroup(char *path, size_t size)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids",
                                         "/sys/fs/cgroup"};

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        char procs[512];

        snprintf(path, size, "%s/docker-" HEX ".scope", mounts[i]);
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
        if (mkdir(path, 0755) == 0 || errno == EEXIST) {
            if (access(procs, W_OK) == 0)
                return true;
            rmdir(path);
        }
    }
    return false;
}

// A child in the cgroup, which waits to be killed. Return: its PID, 0 if it couldn't go there.
static pid_t start_in(const char *cgroup)
{
    char procs[512];
    pid_t pid = fork();
    FILE *file;
    bool moved;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
    file = fopen(procs, "we");
    moved = file && fprintf(file, "%d", pid) > 0;
    if (file && fclose(file) != 0)
        moved = false;
    if (moved)
        return pid;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 0;
}

START_TEST(a_process_in_a_containers_cgroup_is_told_with_its_record)
{
    json_t *by_pid, *by_id;
    char cgroup[256], text[16];
    bool made = make_cgroup(cgroup, sizeof(cgroup));
    pid_t pid = made ? start_in(cgroup) : 0;

    if (!pid) {
        if (made)
            rmdir(cgroup);
        check_skip("no cgroup can be made here: needs root and a writable cgroup mount");
    }
    ctl_begin();
    put(HEX, "", 0, 0, 0, (uint32_t)pid);
    snprintf(text, sizeof(text), "%d", pid);
    by_pid = why_json(text, 0);
    by_id = why_json("17d8aa0b", 0); // the way back: the cgroup of its init process
    // Nothing may stay behind, whatever the answers were.
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    rmdir(cgroup);
    check_text(by_pid, "container_id", HEX);
    check_text(by_pid, "layout", "docker");
    check_text(by_pid, "cgroup", "/docker-" HEX ".scope");
    ck_assert(json_is_object(json_object_get(by_pid, "record")));
    ck_assert(json_equal(by_pid, by_id));
    json_decref(by_pid);
    json_decref(by_id);
    ctl_end();
}
END_TEST

static void miss(uint32_t index, enum cmeta_miss how, uint64_t when_ns, uint64_t whole_ns)
{
    struct cmeta_miss_entry entry = {
        .miss = (uint8_t)how, .id_len = 64, .when_ns = when_ns, .whole_ns = whole_ns};

    memcpy(entry.id, HEX, 64);
    cmeta_writer_miss(fixture.writer, index, &entry);
}

START_TEST(what_falco_met_too_early_is_explained_afterwards)
{
    json_t *value;

    ctl_begin();
    ctl_engine(2, "docker", CMETA_ENGINE_CONNECTED, "");
    put(HEX, "", 0, 0, 1 + 2, 0);
    miss(5, CMETA_MISS_ABSENT, UINT64_C(1795313716000000000), UINT64_C(1795313716130500000));
    value = why_json("/docker/" HEX, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(value, "reasons")), 1);
    ck_assert_ptr_nonnull(
        strstr(ctl_text(reason_of(value, "met-before-known"), "text"), "130.5 ms later"));
    json_decref(value);
    miss(6, CMETA_MISS_INCOMPLETE, UINT64_C(1795313716000000000), 0);
    value = why_json("/docker/" HEX, 0);
    ck_assert_ptr_nonnull(
        strstr(ctl_text(reason_of(value, "met-before-whole"), "text"), "not become whole"));
    json_decref(value);
    // one that has long been forgotten
    value = why_json("/docker/" HEX_OTHER, 0);
    ck_assert_ptr_null(reason_of(value, "met-before-known"));
    json_decref(value);
    ctl_end();
}
END_TEST

CHECK_MAIN("ctl why", 60, a_path_tells_its_id_without_a_daemon,
           a_path_tells_its_id_in_spite_of_a_refused_region,
           a_path_the_table_does_not_know_names_the_engines,
           a_weak_match_counts_only_if_the_table_knows_it_there,
           a_removed_container_gives_way_to_a_live_one, a_complete_record_has_no_reasons,
           groups_that_are_not_known_say_why, without_a_daemon_the_story_says_so,
           an_id_is_found_by_prefix_or_name_or_not_at_all, an_id_without_a_region_is_nobodys,
           a_process_of_the_host_is_no_container,
           a_process_in_a_containers_cgroup_is_told_with_its_record,
           what_falco_met_too_early_is_explained_afterwards)
