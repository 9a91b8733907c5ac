// SPDX-License-Identifier: Apache-2.0
// The BOSH Process Manager's containers, from a folder of runc's and a /proc of the test's own to
// the region.
#include "containerd-meta/engine/engine.h"
#include "tests/unit/support/host_files.h"

#include <stdio.h>
#include <string.h>

#define PLACE   "/var/vcap/sys/run/bpm-runc"
#define BUNDLES "/var/vcap/data/bpm/bundles"

static void put_state(const char *name, int pid, int ticks, const char *bundle)
{
    char path[300], text[600];

    snprintf(path, sizeof(path), PLACE "/%s/state.json", name);
    snprintf(text, sizeof(text),
             "{\"id\":\"%s\",\"init_process_pid\":%d,\"init_process_start\":%d,"
             "\"created\":\"2026-11-26T01:53:34Z\",\"config\":{\"labels\":[\"bundle=%s\"]}}",
             name, pid, ticks, bundle);
    host_replace(path, text);
}

static void put_bundle(const char *bundle)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/config.json", bundle);
    host_put(path, "{\"process\":{\"user\":{\"uid\":1000},\"args\":[\"/run\"]},"
                   "\"mounts\":[{\"source\":\"/var/vcap/store/a\",\"destination\":\"/data\","
                   "\"type\":\"bind\",\"options\":[\"ro\"]}],"
                   "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},"
                   "{\"type\":\"mount\"}],\"resources\":{\"memory\":{\"limit\":1048576}}}}");
}

static bool is_running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING;
}

static bool is_exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

START_TEST(a_process_of_a_job_is_complete)
{
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL)); // the folder comes later
    put_bundle(BUNDLES "/web/worker");
    host_put_process(600, "/system.slice/runc-bpm-web.2eworker.scope");
    put_state("bpm-web.2eworker", 600, 6000, BUNDLES "/web/worker");
    ck_assert(fixture_wait(&f, fixture_complete, "web.2eworker"));
    ck_assert(is_running(&f, "web.2eworker"));
    ck_assert_uint_eq(fixture_type(&f, "web.2eworker"), CMETA_TYPE_BPM);
    ck_assert_str_eq(fixture_text(&f, "web.2eworker", CMETA_STRING_NAME), "web.worker");
    ck_assert_str_eq(fixture_label(&f, "web.2eworker", "bpm.job"), "web");
    ck_assert_str_eq(fixture_label(&f, "web.2eworker", "bpm.process"), "worker");
    ck_assert_str_eq(fixture_text(&f, "web.2eworker", CMETA_STRING_USER), "1000");
    ck_assert_uint_eq(fixture_flags(&f, "web.2eworker"), CMETA_FLAG_HOST_NETWORK);
    ck_assert_uint_eq(fixture_status(&f, "web.2eworker").pid, 600);
    fixture_remove(&f);
}
END_TEST

START_TEST(its_end_and_its_removal_are_told)
{
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    put_bundle(BUNDLES "/web/web");
    host_put_process(610, "/bpm-web");
    put_state("bpm-web", 610, 6100, BUNDLES "/web/web");
    host_run(&f);
    ck_assert(fixture_wait(&f, is_running, "web"));
    host_end_process(610);
    put_state("bpm-web", 610, 6100, BUNDLES "/web/web");
    ck_assert(fixture_wait(&f, is_exited, "web"));
    host_remove(PLACE "/bpm-web/state.json");
    ck_assert(fixture_wait(&f, fixture_lacks, "web"));
    host_put_process(611, "/bpm-web");
    put_state("bpm-web", 611, 6110, BUNDLES "/web/web"); // started again
    ck_assert(fixture_wait(&f, is_running, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 611);
    fixture_remove(&f);
}
END_TEST

START_TEST(another_process_of_the_number_is_not_believed)
{
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    put_bundle(BUNDLES "/web/web");
    host_put_process(620, "/user.slice");
    put_state("bpm-web", 620, 17, BUNDLES "/web/web");
    host_run(&f);
    ck_assert(fixture_wait(&f, is_exited, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 0);
    fixture_remove(&f);
}
END_TEST

START_TEST(without_a_bundle_the_name_is_known)
{
    const uint32_t of_the_bundle =
        CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) | CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS);
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    host_put_process(630, "/bpm-web");
    put_state("bpm-web", 630, 6300, BUNDLES "/web/none");
    host_run(&f);
    ck_assert(fixture_wait(&f, is_running, "web"));
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(fixture_known(&f, "web") & of_the_bundle, 0);
    ck_assert_uint_eq(fixture_reason(&f, "web", CMETA_GROUP_SECURITY), CMETA_REASON_NOT_TOLD);
    fixture_remove(&f);
}
END_TEST

START_TEST(what_else_is_in_the_folder_is_no_container)
{
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    host_put(PLACE "/other/state.json", "{\"init_process_pid\":1}");
    host_put(PLACE "/bpm-file", "");
    host_put(PLACE "/bpm-empty/exec.fifo", "");
    host_put(PLACE "/bpm-broken/state.json", "{\"init_process_pid\":");
    put_bundle(BUNDLES "/web/web");
    put_state("bpm-web", 640, 6400, BUNDLES "/web/web");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_wait(&f, is_exited, "web"));
    ck_assert_uint_eq(fixture_count(&f), 1);
    put_state("bpm-broken", 641, 6410, BUNDLES "/web/web"); // whole in the end
    ck_assert(fixture_wait(&f, is_exited, "broken"));
    fixture_remove(&f);
}
END_TEST

static bool has_count(struct fixture *f, const void *count)
{
    return fixture_count(f) == *(const unsigned *)count;
}

START_TEST(a_restarted_daemon_confirms_what_runs_and_ends_what_went)
{
    static const unsigned two = 2;
    struct fixture f;

    host_make(&f, "bpm", PLACE);
    put_bundle(BUNDLES "/web/web");
    host_put_process(650, "/bpm-web");
    put_state("bpm-web", 650, 6500, BUNDLES "/web/web");
    put_state("bpm-old", 651, 6510, BUNDLES "/web/web");
    host_run(&f);
    ck_assert(fixture_wait(&f, has_count, &two));
    fixture_end(&f);
    host_remove(PLACE "/bpm-old/state.json");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_lacks, "old"));
    ck_assert(fixture_wait(&f, is_running, "web"));
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("bpm", 30, a_process_of_a_job_is_complete, its_end_and_its_removal_are_told,
           another_process_of_the_number_is_not_believed, without_a_bundle_the_name_is_known,
           what_else_is_in_the_folder_is_no_container,
           a_restarted_daemon_confirms_what_runs_and_ends_what_went)
