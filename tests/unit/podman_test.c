// SPDX-License-Identifier: Apache-2.0
// The podman engine, from a fake engine's socket to the region.
#include "tests/unit/support/fixture.h"
#include "tests/unit/support/leap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define API    "/v4.0.0/libpod"
#define LIST   API "/containers/json?all=1"
#define EVENTS API "/events"
#define ID_A   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B   "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define POD    "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"

static int64_t event_time = 1795313716000000000;

static void event_with(struct fixture *f, const char *type, const char *action, const char *id,
                       const char *attributes, const char *further)
{
    char text[2048];

    event_time += 1000000;
    snprintf(text, sizeof(text),
             "{\"status\":\"%s\",\"id\":\"%s\",\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{"
             "\"ID\":\"%s\",\"Attributes\":{%s}},\"time\":%lld,\"timeNano\":%lld%s}\n",
             action, id, type, action, id, attributes, (long long)(event_time / 1000000000),
             (long long)event_time, further);
    ck_assert_uint_eq(fake_http_stream_push(f->fake, EVENTS, text), 1);
}

static void event(struct fixture *f, const char *action, const char *id, const char *attributes)
{
    event_with(f, "container", action, id, attributes, "");
}

static void inspect_rule(struct fake_http *fake, struct fake_rule rule, const char *id)
{
    char prefix[160];

    snprintf(prefix, sizeof(prefix), API "/containers/%s/json", id);
    rule.prefix = prefix;
    fake_http_on(fake, &rule);
}

static const char *inspect_json(const char *id, const char *name, const char *status,
                                const char *further)
{
    static char text[4096];

    snprintf(text, sizeof(text),
             "{\"Id\":\"%s\",\"Name\":\"%s\",\"Created\":\"2026-11-22T02:15:16Z\","
             "\"State\":{\"Status\":\"%s\",\"Pid\":%d,\"StartedAt\":\"2026-11-22T02:15:17Z\"},"
             "\"Image\":\"6b80\",\"ImageName\":\"reg:5000/a/b:1\",\"ImageDigest\":\"sha256:77\","
             "\"Config\":{\"User\":\"7\",\"Labels\":{\"app\":\"web\"}},"
             "\"HostConfig\":{\"Privileged\":true,\"NetworkMode\":\"bridge\"},\"Mounts\":[],"
             "\"NetworkSettings\":{\"Networks\":{\"net\":{\"IPAddress\":\"10.0.0.7\"}}}%s}",
             id, name, status, strcmp(status, "running") == 0 ? 77 : 0, further);
    return text;
}

static void inspect_answer(struct fake_http *fake, const char *id, const char *name,
                           const char *status)
{
    inspect_rule(fake, (struct fake_rule){.body = inspect_json(id, name, status, "")}, id);
}

static void list_answer(struct fake_http *fake, const char *elements)
{
    char body[4096];

    snprintf(body, sizeof(body), "[%s]", elements);
    fake_http_answer(fake, LIST, 200, body);
}

#define ELEMENT(id, name, state)                                                \
    "{\"Id\":\"" id "\",\"Names\":[\"" name "\"],\"Image\":\"reg:5000/a/b:1\"," \
    "\"Created\":\"2026-11-22T02:15:16Z\",\"State\":\"" state "\",\"Labels\":{}}"

static void begin(struct fixture *f)
{
    fixture_make_podman(f);
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
    ck_assert(fake_http_wait_streams(f->fake, EVENTS, 1, 10000));
}

// --- the way of a container ----------------------------------------------------------------------

static bool started(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING && fixture_status(f, id).pid == 77;
}

static bool exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

static bool unhealthy(struct fixture *f, const void *id)
{
    return CMETA_STATUS_HEALTH(fixture_status(f, id).word) == CMETA_HEALTH_UNHEALTHY;
}

static bool renamed(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_NAME), name) == 0;
}

#define SICK(id)                                                                        \
    "{\"Id\":\"" id "\",\"Name\":\"web\",\"State\":{\"Status\":\"running\",\"Pid\":77," \
    "\"Health\":{\"Status\":\"unhealthy\"}},\"ImageName\":\"reg:5000/a/b:1\"}"

#define WELL(id)                                                                        \
    "{\"Id\":\"" id "\",\"Name\":\"web\",\"State\":{\"Status\":\"running\",\"Pid\":77," \
    "\"Health\":{\"Status\":\"healthy\"}},\"ImageName\":\"reg:5000/a/b:1\"}"

START_TEST(a_container_is_followed_from_create_to_remove)
{
    struct fixture f;

    begin(&f);
    inspect_answer(f.fake, ID_A, "web", "created");
    event(&f, "create", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\",\"podId\":\"\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_PODMAN);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_DIGEST), "sha256:77");
    inspect_answer(f.fake, ID_A, "web", "running");
    event(&f, "init", ID_A, ""); // its process is there, and runs nothing yet
    ck_assert(fixture_wait(&f, started, ID_A));
    event(&f, "start", ID_A, "");
    // 4.3 tells the health from before the check
    inspect_rule(f.fake, (struct fake_rule){.body = SICK(ID_A)}, ID_A);
    event_with(&f, "container", "health_status", ID_A, "", ",\"HealthStatus\":\"starting\"");
    ck_assert(fixture_wait(&f, unhealthy, ID_A));
    event(&f, "rename", ID_A, "\"name\":\"new\"");
    ck_assert(fixture_wait(&f, renamed, "new"));
    event(&f, "died", ID_A, "\"containerExitCode\":\"137\"");
    ck_assert(fixture_wait(&f, exited, ID_A));
    ck_assert_uint_eq(CMETA_STATUS_EXIT(fixture_status(&f, ID_A).word), 137);
    event(&f, "remove", ID_A, "");
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    ck_assert_uint_eq(fake_http_requests(f.fake, API "/images/"), 0);
    ck_assert_uint_eq(fixture_counter(&f, "engine_errors_total"), 0);
    fixture_remove(&f);
}
END_TEST

// Whoever cleans up after a container may fail: then no event comes until somebody asks.
START_TEST(a_container_whose_end_no_event_tells_is_exited_all_the_same)
{
    struct fixture f;

    begin(&f);
    inspect_answer(f.fake, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    event(&f, "start", ID_A, "");
    ck_assert(fixture_wait(&f, started, ID_A));
    inspect_answer(f.fake, ID_A, "web", "exited");
    ck_assert(fixture_wait(&f, exited, ID_A));
    // started again, as ended before
    inspect_answer(f.fake, ID_A, "web", "running");
    event(&f, "start", ID_A, "");
    ck_assert(fixture_wait(&f, started, ID_A));
    inspect_answer(f.fake, ID_A, "web", "exited");
    ck_assert(fixture_wait(&f, exited, ID_A));
    fixture_remove(&f);
}
END_TEST

static bool healthy(struct fixture *f, const void *id)
{
    return CMETA_STATUS_HEALTH(fixture_status(f, id).word) == CMETA_HEALTH_HEALTHY;
}

// 4.3 writes the event first, and then what the check found.
START_TEST(a_health_that_is_written_after_its_event_is_found)
{
    struct fixture f;
    unsigned before;

    begin(&f);
    inspect_rule(f.fake, (struct fake_rule){.body = SICK(ID_A)}, ID_A);
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, unhealthy, ID_A));
    before = fake_http_requests(f.fake, API "/containers/" ID_A);
    event_with(&f, "container", "health_status", ID_A, "", ",\"HealthStatus\":\"unhealthy\"");
    ck_assert(fake_http_wait_request(f.fake, API "/containers/" ID_A, before + 1, 10000));
    inspect_rule(f.fake, (struct fake_rule){.body = WELL(ID_A)}, ID_A);
    ck_assert(fixture_wait(&f, healthy, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_network_event_names_the_container_itself)
{
    struct fixture f;
    unsigned before;

    begin(&f);
    inspect_answer(f.fake, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    before = fake_http_requests(f.fake, API "/containers/" ID_A);
    event_with(&f, "network", "connect", ID_A, "\"name\":\"web\"", "");
    ck_assert(fake_http_wait_request(f.fake, API "/containers/" ID_A, before + 1, 10000));
    fixture_remove(&f);
}
END_TEST

START_TEST(containers_that_were_there_before_are_listed_and_completed)
{
    struct fixture f;

    fixture_make_podman(&f);
    list_answer(f.fake, ELEMENT(ID_A, "web", "running") "," ELEMENT(ID_B, "db", "stopped"));
    inspect_answer(f.fake, ID_A, "web", "running");
    inspect_answer(f.fake, ID_B, "db", "stopped");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert_uint_eq(fixture_state(&f, ID_B), CMETA_STATE_EXITED);
    fixture_remove(&f);
}
END_TEST

// --- pods ----------------------------------------------------------------------------------------

#define POD_JSON                                                                              \
    "{\"Id\":\"" POD "\",\"Name\":\"pod one\",\"InfraContainerID\":\"" ID_B "\",\"Labels\":{" \
    "\"tier\":\"back\"}}"

static bool has_pod_name(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_POD_NAME), name) == 0;
}

// A pod's inspect waits for the locks of all its containers.
START_TEST(a_pod_that_hangs_costs_its_properties_and_nothing_else_until_it_answers)
{
    struct fixture f;

    begin(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = API "/pods/" POD "/json", .body = POD_JSON});
    fake_http_on(f.fake, &(struct fake_rule){
                             .prefix = API "/pods/" POD "/json", .action = FAKE_HANG, .times = 1});
    inspect_rule(
        f.fake,
        (struct fake_rule){.body = inspect_json(ID_A, "web", "running", ",\"Pod\":\"" POD "\"")},
        ID_A);
    event(&f, "create", ID_A, "\"name\":\"web\",\"podId\":\"" POD "\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IP), "10.0.0.7");
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_POD), 0);
    ck_assert(fixture_wait(&f, has_pod_name, "pod one"));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_SANDBOX_ID), ID_B);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_IP), "10.0.0.7");
    ck_assert_str_eq(fixture_label(&f, ID_A, "tier"), "(absent)"); // it is the pod's
    fixture_remove(&f);
}
END_TEST

START_TEST(a_pod_that_is_gone_does_not_keep_its_container_from_being_complete)
{
    struct fixture f;

    begin(&f);
    inspect_rule(
        f.fake,
        (struct fake_rule){.body = inspect_json(ID_A, "web", "running", ",\"Pod\":\"" POD "\"")},
        ID_A);
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fake_http_wait_request(f.fake, API "/pods/" POD, 1, 10000));
    ck_assert(fixture_wait(&f, started, ID_A));
    ck_assert_uint_eq(fixture_counter(&f, "engine_errors_total"), 0);
    fixture_remove(&f);
}
END_TEST

// --- versions, others at the socket --------------------------------------------------------------

START_TEST(each_version_is_asked_by_an_api_that_it_has)
{
    static const struct {
        const char *says, *asked;
    } cases[] = {{"3.4.4", "/v3.4.4/libpod/events"},
                 {"4.0.0", "/v4.0.0/libpod/events"},
                 {"5.8.2-dev", "/v4.0.0/libpod/events"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char headers[64];

        fixture_make_podman(&f);
        snprintf(headers, sizeof(headers), "Libpod-Api-Version: %s\r\n", cases[i].says);
        fake_http_on(f.fake,
                     &(struct fake_rule){.prefix = "/_ping", .body = "OK", .headers = headers});
        fixture_run(&f, "");
        ck_assert_msg(fake_http_wait_request(f.fake, cases[i].asked, 1, 10000), "%s",
                      cases[i].asked);
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(a_version_too_new_for_api_4_gets_its_own)
{
    struct fixture f;

    fixture_make_podman(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/_ping",
                                             .body = "OK",
                                             .headers = "Libpod-Api-Version: 7.1.0\r\n"});
    fake_http_answer(f.fake, API, 400, "{\"message\":\"given version is not supported\"}");
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = "/v7.1.0/libpod/events", .action = FAKE_STREAM});
    fake_http_answer(f.fake, "/v7.1.0/libpod/containers/json", 200, "[]");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    fixture_remove(&f);
}
END_TEST

// Each try would start the service behind the socket.
static void check_asked_once(struct fixture *f)
{
    ck_assert(fixture_wait(f, fixture_failed, NULL));
    for (int i = 0; i < 3; i++) {
        LEAP_SECONDS(70);
        ck_assert(!fake_http_wait_request(f->fake, NULL, 2, 100));
    }
}

START_TEST(docker_at_podmans_socket_is_told_and_left_alone)
{
    struct fixture f;

    fixture_make_podman(&f);
    fake_http_on(f.fake, &(struct fake_rule){
                             .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.41\r\n"});
    fixture_run(&f, "");
    check_asked_once(&f);
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "engines.docker"));
    fixture_remove(&f);
}
END_TEST

// podman-docker's docker.sock: podman's own row drives it.
START_TEST(podman_behind_dockers_socket_is_left_to_podman)
{
    struct fixture f;

    fixture_make(&f);
    fixture_serve_podman(f.fake);
    fixture_run(&f, "");
    check_asked_once(&f);
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "engines.podman"));
    fixture_remove(&f);
}
END_TEST

START_TEST(another_engine_behind_the_socket_is_another_chance)
{
    struct fixture f;

    fixture_make_podman(&f);
    fake_http_on(f.fake, &(struct fake_rule){
                             .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.41\r\n"});
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    fixture_serve_podman(f.fake);
    fake_http_replace(f.fake);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    fixture_remove(&f);
}
END_TEST

// --- rest ----------------------------------------------------------------------------------------

static char run_root[128];

static void tell_run_root(struct fixture *f)
{
    char body[256];

    snprintf(run_root, sizeof(run_root), "%s/run/overlay-containers", f->dir.path);
    snprintf(body, sizeof(body),
             "{\"store\":{\"runRoot\":\"%s/run\",\"graphDriverName\":\"overlay\"}}", f->dir.path);
    fake_http_answer(f->fake, API "/info", 200, body);
}

static void make_folder(const char *path, const char *name)
{
    char text[256];

    snprintf(text, sizeof(text), "%s%s%s", path, *name ? "/" : "", name);
    ck_assert_int_eq(mkdir(text, 0755), 0);
}

// Time passes, round of upkeep by round.
static bool rests_within(struct fixture *f, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        LEAP_SECONDS(11);
        if (fake_http_wait_connections(f->fake, 0, 500))
            return true;
    }
    return false;
}

START_TEST(without_containers_its_service_may_end_until_one_leaves_a_sign)
{
    struct fixture f;
    unsigned requests;
    char folder[128];

    begin(&f);
    tell_run_root(&f);
    ck_assert(rests_within(&f, 6));
    ck_assert_uint_eq(fixture_row(&f, 0).state, CMETA_ENGINE_CONNECTED);
    // neither time, nor a hint, nor a wish to list again disturbs it
    requests = fake_http_requests(f.fake, NULL);
    instances_hint(f.instances, ID_A, 64);
    instances_relist(f.instances);
    LEAP_SECONDS(300);
    ck_assert(!fake_http_wait_request(f.fake, NULL, requests + 1, 200));
    // the folder itself may be made with the first container
    snprintf(folder, sizeof(folder), "%s/run", f.dir.path);
    make_folder(folder, "");
    make_folder(run_root, "");
    list_answer(f.fake, ELEMENT(ID_A, "web", "running"));
    inspect_answer(f.fake, ID_A, "web", "running");
    make_folder(run_root, ID_A);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fake_http_wait_streams(f.fake, EVENTS, 1, 10000));
    ck_assert(!rests_within(&f, 5));
    fixture_remove(&f);
}
END_TEST

START_TEST(it_rests_again_and_a_second_sign_wakes_it_again)
{
    struct fixture f;
    char folder[128];

    begin(&f);
    tell_run_root(&f);
    snprintf(folder, sizeof(folder), "%s/run", f.dir.path);
    make_folder(folder, "");
    make_folder(run_root, "");
    for (int i = 0; i < 2; i++) {
        char name[8];

        ck_assert(rests_within(&f, 6));
        snprintf(name, sizeof(name), "x%d", i); // a build, say
        make_folder(run_root, name);
        ck_assert(fake_http_wait_streams(f.fake, EVENTS, 1, 10000));
    }
    ck_assert_uint_eq(fake_http_requests(f.fake, API "/info"), 1);
    fixture_remove(&f);
}
END_TEST

// One that was stopped may be started again, and leaves no sign then.
START_TEST(while_there_is_a_container_even_a_stopped_one_the_stream_is_held)
{
    struct fixture f;

    fixture_make_podman(&f);
    tell_run_root(&f);
    list_answer(f.fake, ELEMENT(ID_A, "web", "exited"));
    inspect_answer(f.fake, ID_A, "web", "exited");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(!rests_within(&f, 6));
    ck_assert_uint_eq(fake_http_streams(f.fake, EVENTS), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(where_no_sign_can_be_seen_the_stream_is_held)
{
    struct fixture f;

    begin(&f);
    fake_http_answer(f.fake, API "/info", 200, "{\"store\":{\"runRoot\":\"relative\"}}");
    ck_assert(!rests_within(&f, 6));
    ck_assert_uint_eq(fake_http_requests(f.fake, API "/info"), 1);
    ck_assert_uint_eq(fake_http_streams(f.fake, EVENTS), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_service_that_fails_is_not_started_for_ever)
{
    struct fixture f;
    unsigned tries;

    fixture_make_podman(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/_ping", .action = FAKE_CLOSE});
    fixture_run(&f, "");
    for (tries = 1; tries <= 6; tries++) {
        ck_assert(fake_http_wait_request(f.fake, "/_ping", tries, 10000));
        LEAP_SECONDS(6);
    }
    ck_assert(!fake_http_wait_request(f.fake, "/_ping", 7, 200));
    LEAP_SECONDS(40);
    ck_assert(!fake_http_wait_request(f.fake, "/_ping", 7, 200));
    LEAP_SECONDS(20);
    ck_assert(fake_http_wait_request(f.fake, "/_ping", 7, 10000));
    fixture_remove(&f);
}
END_TEST

// --- answers that aren't good --------------------------------------------------------------------

static bool says_so(struct fixture *f, const void *text)
{
    return strstr(fixture_row(f, 0).last_error, text) != NULL;
}

START_TEST(a_list_that_waits_for_a_lock_ends_nothing_and_delays_nobody)
{
    struct fixture f;

    fixture_make_podman(&f);
    list_answer(f.fake, ELEMENT(ID_A, "web", "running"));
    fake_http_on(f.fake, &(struct fake_rule){.prefix = LIST, .action = FAKE_HANG, .times = 1});
    inspect_answer(f.fake, ID_A, "web", "running");
    inspect_answer(f.fake, ID_B, "db", "running");
    fixture_run(&f, "engine_timeout: 300ms\n");
    ck_assert(fake_http_wait_streams(f.fake, EVENTS, 1, 10000));
    event(&f, "create", ID_B, "\"name\":\"db\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, says_so, "300 ms"));
    ck_assert_uint_eq(fake_http_streams(f.fake, EVENTS), 1);
    LEAP_SECONDS(11); // the next round of upkeep
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fake_http_requests(f.fake, EVENTS), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(inspects_that_wait_for_locks_delay_no_others)
{
    struct fixture f;

    begin(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = API "/containers/", .action = FAKE_HANG});
    fake_http_answer(f.fake, LIST, 200, "[]");
    for (unsigned i = 0; i < 12; i++) {
        char id[65];

        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        event(&f, "create", id, "\"name\":\"x\"");
        ck_assert(fixture_wait(&f, fixture_has, id));
    }
    inspect_answer(f.fake, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_podman_that_keeps_no_events_is_listed)
{
    struct fixture f;

    fixture_make_podman(&f);
    fake_http_answer(f.fake, EVENTS, 500,
                     "{\"message\":\"cannot read events with the \\\"none\\\" backend\"}");
    list_answer(f.fake, ELEMENT(ID_A, "web", "running"));
    inspect_answer(f.fake, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "events_logger"));
    list_answer(f.fake, "");
    LEAP_SECONDS(61);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    ck_assert_uint_eq(fake_http_requests(f.fake, EVENTS), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(rubbish_costs_one_answer_and_not_the_others)
{
    struct fixture f;

    begin(&f);
    inspect_answer(f.fake, ID_A, "web", "running");
    inspect_rule(f.fake, (struct fake_rule){.body = "{\"Id\":", .times = 1}, ID_A);
    inspect_rule(f.fake, (struct fake_rule){.body = "{\"Id\":\"web\"}", .times = 1}, ID_A);
    inspect_rule(f.fake, (struct fake_rule){.action = FAKE_RUBBISH, .body = "\x01\x02", .times = 1},
                 ID_A);
    inspect_rule(f.fake, (struct fake_rule){.action = FAKE_CLOSE, .times = 1}, ID_A);
    inspect_answer(f.fake, ID_B, "db", "running");
    fake_http_stream_push(f.fake, EVENTS, "rubbish\n[1,2]\n\"x\"\n{}\n");
    event(&f, "create", "web", "\"name\":\"web\""); // no ID of podman's
    event(&f, "create", ID_A, "\"name\":\"web\"");
    event(&f, "create", ID_B, "\"name\":\"db\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_counter(&f, "engine_records_skipped_total"), 3);
    ck_assert_uint_eq(fixture_count(&f), 2);
    fixture_remove(&f);
}
END_TEST

START_TEST(names_with_spaces_quotes_unicode_and_newlines_are_kept)
{
    struct fixture f;

    begin(&f);
    inspect_rule(f.fake,
                 (struct fake_rule){
                     .body = inspect_json(ID_A, "a b \\\"c\\\" \\u00e9\\u4e16 \\n", "running", "")},
                 ID_A);
    event(&f, "create", ID_A, "\"name\":\"x\"");
    ck_assert(fixture_wait(&f, renamed, "a b \"c\" \xc3\xa9\xe4\xb8\x96 \n"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_restarted_service_is_listed_again_and_its_dead_are_buried)
{
    struct fixture f;

    fixture_make_podman(&f);
    list_answer(f.fake, ELEMENT(ID_A, "web", "running") "," ELEMENT(ID_B, "db", "running"));
    inspect_answer(f.fake, ID_A, "web", "running");
    inspect_answer(f.fake, ID_B, "db", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    list_answer(f.fake, ELEMENT(ID_A, "web", "running"));
    fake_http_cut(f.fake);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(an_absent_socket_is_waited_for_and_its_containers_stand_when_it_goes)
{
    struct fixture f;

    fixture_make_podman(&f);
    fake_http_down(f.fake);
    list_answer(f.fake, ELEMENT(ID_A, "web", "running"));
    inspect_answer(f.fake, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    fake_http_replace(f.fake);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_http_down(f.fake);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

#define MANY 1000u

static void many_id(char id[65], unsigned i)
{
    snprintf(id, 65, "%012x%052x", i + 1, i);
}

static bool all_complete(struct fixture *f, const void *unused)
{
    static unsigned at; // those before it are complete
    char id[65];

    (void)unused;
    for (; at < MANY; at++) {
        many_id(id, at);
        if (!fixture_complete(f, id))
            return false;
    }
    return true;
}

START_TEST(a_thousand_containers_at_once_are_all_complete)
{
    struct fixture f;
    char *body = malloc(MANY * 256), id[65];
    size_t len = 0;

    fixture_make_podman(&f);
    for (unsigned i = 0; i < MANY; i++) {
        many_id(id, i);
        len += (size_t)snprintf(body + len, 256,
                                "%c{\"Id\":\"%s\",\"Names\":[\"n%u\"],\"State\":\"running\"}",
                                i ? ',' : '[', id, i);
        inspect_answer(f.fake, id, "n", "running");
    }
    memcpy(body + len, "]", 2);
    fake_http_answer(f.fake, LIST, 200, body);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, all_complete, NULL));
    ck_assert_uint_eq(fixture_count(&f), MANY);
    free(body);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("podman", 60, a_container_is_followed_from_create_to_remove,
           a_container_whose_end_no_event_tells_is_exited_all_the_same,
           a_health_that_is_written_after_its_event_is_found,
           a_network_event_names_the_container_itself,
           containers_that_were_there_before_are_listed_and_completed,
           a_pod_that_hangs_costs_its_properties_and_nothing_else_until_it_answers,
           a_pod_that_is_gone_does_not_keep_its_container_from_being_complete,
           each_version_is_asked_by_an_api_that_it_has, a_version_too_new_for_api_4_gets_its_own,
           docker_at_podmans_socket_is_told_and_left_alone,
           podman_behind_dockers_socket_is_left_to_podman,
           another_engine_behind_the_socket_is_another_chance,
           without_containers_its_service_may_end_until_one_leaves_a_sign,
           it_rests_again_and_a_second_sign_wakes_it_again,
           while_there_is_a_container_even_a_stopped_one_the_stream_is_held,
           where_no_sign_can_be_seen_the_stream_is_held,
           a_service_that_fails_is_not_started_for_ever,
           a_list_that_waits_for_a_lock_ends_nothing_and_delays_nobody,
           inspects_that_wait_for_locks_delay_no_others, a_podman_that_keeps_no_events_is_listed,
           rubbish_costs_one_answer_and_not_the_others,
           names_with_spaces_quotes_unicode_and_newlines_are_kept,
           a_restarted_service_is_listed_again_and_its_dead_are_buried,
           an_absent_socket_is_waited_for_and_its_containers_stand_when_it_goes,
           a_thousand_containers_at_once_are_all_complete)
