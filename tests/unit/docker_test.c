// SPDX-License-Identifier: Apache-2.0
// The Docker engine, from a fake engine's socket to the region.
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define LIST "/v1.41/containers/json?all=1"

static int64_t event_time = 1795313716000000000;

static void event(struct fixture *f, const char *action, const char *id, const char *attributes)
{
    char text[2048];

    event_time += 1000000;
    snprintf(
        text, sizeof(text),
        "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{%s}},"
        "\"time\":%lld,\"timeNano\":%lld}\n",
        action, id, attributes, (long long)(event_time / 1000000000), (long long)event_time);
    ck_assert_uint_eq(fake_http_stream_push(f->fake, "/v1.41/events", text), 1);
}

static void inspect_rule(struct fixture *f, struct fake_rule rule, const char *id)
{
    char prefix[160];

    snprintf(prefix, sizeof(prefix), "/v1.41/containers/%s/json", id);
    rule.prefix = prefix;
    fake_http_on(f->fake, &rule);
}

static const char *inspect_json(const char *id, const char *name, const char *status)
{
    static char text[4096];

    snprintf(text, sizeof(text),
             "{\"Id\":\"%s\",\"Name\":\"/%s\",\"Created\":\"2026-11-22T02:15:16Z\","
             "\"State\":{\"Status\":\"%s\",\"Pid\":%d,\"StartedAt\":\"2026-11-22T02:15:17Z\"},"
             "\"Image\":\"sha256:6b80\",\"Config\":{\"Image\":\"reg:5000/a/b:1\",\"User\":\"7\","
             "\"Labels\":{\"app\":\"web\"}},\"HostConfig\":{\"Privileged\":true,\"NetworkMode\":"
             "\"net\"},"
             "\"Mounts\":[{\"Source\":\"/s\",\"Destination\":\"/d\",\"RW\":true}],"
             "\"NetworkSettings\":{\"Networks\":{\"net\":{\"IPAddress\":\"10.0.0.7\"}}}}",
             id, name, status, strcmp(status, "running") == 0 ? 77 : 0);
    return text;
}

static void inspect_answer(struct fixture *f, const char *id, const char *name, const char *status)
{
    inspect_rule(f, (struct fake_rule){.body = inspect_json(id, name, status)}, id);
}

static void list_answer(struct fixture *f, const char *elements)
{
    char body[4096];

    snprintf(body, sizeof(body), "[%s]", elements);
    fake_http_answer(f->fake, LIST, 200, body);
}

#define ELEMENT(id, name, state)                                                                \
    "{\"Id\":\"" id "\",\"Names\":[\"/" name "\"],\"Image\":\"reg:5000/a/b:1\",\"Created\":17," \
    "\"State\":\"" state "\",\"Labels\":{\"app\":\"listed\"}}"

static void begin(struct fixture *f)
{
    fixture_make(f);
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
    ck_assert(fake_http_wait_streams(f->fake, "/v1.41/events", 1, 10000));
}

// --- the way of a container ----------------------------------------------------------------------

// falco 2700, 925: the record is there although inspect waits for the lock that start holds.
START_TEST(a_create_event_publishes_at_once_while_inspect_hangs)
{
    struct fixture f;

    begin(&f);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_HANG}, ID_A);
    event(&f, "create", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\",\"app\":\"x\"");
    ck_assert(fixture_wait(&f, fixture_has, "a1a1a1a1a1a1"));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_REPO), "reg:5000/a/b");
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_TAG), "1");
    ck_assert_str_eq(fixture_label(&f, ID_A, "app"), "x");
    ck_assert_uint_eq(fixture_state(&f, ID_A), CMETA_STATE_CREATED);
    // what isn't known is unknown, with a reason
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY), 0);
    ck_assert_uint_eq(fixture_reason(&f, ID_A, CMETA_GROUP_SECURITY), CMETA_REASON_NOT_YET);
    fixture_remove(&f);
}
END_TEST

static bool labels_known(struct fixture *f, const void *id)
{
    return fixture_known(f, id) & CMETA_GROUP_BIT(CMETA_GROUP_LABELS);
}

START_TEST(the_lock_free_list_adds_labels_while_inspect_hangs)
{
    struct fixture f;

    begin(&f);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_HANG}, ID_A);
    fake_http_answer(f.fake, LIST "&filters=", 200, "[" ELEMENT(ID_A, "web", "created") "]");
    event(&f, "create", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\"");
    ck_assert(fixture_wait(&f, labels_known, ID_A));
    ck_assert_str_eq(fixture_label(&f, ID_A, "app"), "listed");
    fixture_remove(&f);
}
END_TEST

static bool image_known(struct fixture *f, const void *id)
{
    return fixture_known(f, id) & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE);
}

START_TEST(neither_the_list_nor_the_image_waits_for_a_start)
{
    struct fixture f;

    begin(&f);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_HANG}, ID_A);
    fake_http_answer(f.fake, LIST "&filters=", 200,
                     "[{\"Id\":\"" ID_A "\",\"Names\":[\"/web\"],\"Image\":\"reg:5000/a/b:1\","
                     "\"ImageID\":\"sha256:6b80\",\"Created\":17,\"State\":\"created\","
                     "\"Labels\":{}}]");
    fake_http_answer(f.fake, "/v1.41/images/sha256:6b80/json", 200,
                     "{\"Id\":\"sha256:6b80\",\"RepoTags\":[\"reg:5000/a/b:1\"],"
                     "\"RepoDigests\":[\"reg:5000/a/b@sha256:5163\"]}");
    event(&f, "create", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\"");
    ck_assert(fixture_wait(&f, image_known, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_DIGEST), "sha256:5163");
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUPS_COMPLETE,
                      CMETA_GROUPS_COMPLETE & ~(CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) |
                                                CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS)));
    fixture_remove(&f);
}
END_TEST

static bool started(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING && fixture_status(f, id).pid == 77;
}

START_TEST(inspect_completes_and_start_completes_again)
{
    struct fixture f;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "created");
    event(&f, "create", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_flags(&f, ID_A) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_reason(&f, ID_A, CMETA_GROUP_NETWORK), CMETA_REASON_NOT_YET);
    inspect_answer(&f, ID_A, "web", "running");
    event(&f, "start", ID_A, "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IP), "10.0.0.7");
    fixture_remove(&f);
}
END_TEST

static bool exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

START_TEST(die_and_destroy_end_a_container)
{
    struct fixture f;
    struct cmeta_status status;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    event(&f, "die", ID_A, "\"exitCode\":\"137\"");
    ck_assert(fixture_wait(&f, exited, ID_A));
    status = fixture_status(&f, ID_A);
    ck_assert_uint_eq(CMETA_STATUS_EXIT(status.word), 137);
    ck_assert_uint_eq(status.pid, 0);
    ck_assert_uint_eq(status.finished_ns, (uint64_t)event_time);
    event(&f, "destroy", ID_A, "");
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    // still readable: Falco's events lag behind
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    fixture_remove(&f);
}
END_TEST

static bool renamed(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_NAME), name) == 0;
}

static bool paused(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_PAUSED;
}

static bool unhealthy(struct fixture *f, const void *id)
{
    return CMETA_STATUS_HEALTH(fixture_status(f, id).word) == CMETA_HEALTH_UNHEALTHY;
}

START_TEST(rename_pause_and_health_change_what_they_say)
{
    struct fixture f;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    inspect_answer(&f, ID_A, "new", "running");
    event(&f, "rename", ID_A, "\"name\":\"new\",\"oldName\":\"/web\"");
    ck_assert(fixture_wait(&f, renamed, "new"));
    event(&f, "health_status: unhealthy", ID_A, "");
    ck_assert(fixture_wait(&f, unhealthy, ID_A));
    event(&f, "pause", ID_A, "");
    ck_assert(fixture_wait(&f, paused, ID_A));
    event(&f, "unpause", ID_A, "");
    ck_assert(fixture_wait(&f, started, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(update_and_network_connect_ask_again)
{
    struct fixture f;
    unsigned before;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "running");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, started, ID_A));
    before = fake_http_requests(f.fake, "/v1.41/containers/" ID_A);
    event(&f, "update", ID_A, "");
    ck_assert(fake_http_wait_request(f.fake, "/v1.41/containers/" ID_A, before + 1, 10000));
    fake_http_stream_push(f.fake, "/v1.41/events",
                          "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"n\","
                          "\"Attributes\":{\"container\":\"" ID_A "\"}},\"timeNano\":5}\n");
    ck_assert(fake_http_wait_request(f.fake, "/v1.41/containers/" ID_A, before + 2, 10000));
    fixture_remove(&f);
}
END_TEST

START_TEST(containers_that_were_there_before_are_listed_and_completed)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running") "," ELEMENT(ID_B, "db", "exited"));
    inspect_answer(&f, ID_A, "web", "running");
    inspect_answer(&f, ID_B, "db", "exited");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fixture_row(&f, 0).containers, 2);
    ck_assert_uint_eq(fixture_state(&f, ID_B), CMETA_STATE_EXITED);
    fixture_remove(&f);
}
END_TEST

// --- answers that aren't good --------------------------------------------------------------------

START_TEST(inspect_is_asked_again_after_409_and_500)
{
    struct fixture f;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "running");
    inspect_rule(&f, (struct fake_rule){.status = 500, .times = 1, .body = "{}"}, ID_A);
    inspect_rule(&f, (struct fake_rule){.status = 409, .times = 1, .body = "{}"}, ID_A);
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_ge(fixture_counter(&f, "engine_errors_total"), 2);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_that_inspect_does_not_know_twice_is_gone)
{
    struct fixture f;

    begin(&f);
    event(&f, "create", ID_A, "\"name\":\"web\""); // the fake answers 404 to what it doesn't know
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    ck_assert_uint_eq(fixture_reason(&f, ID_A, CMETA_GROUP_SECURITY), CMETA_REASON_ENDED_EARLY);
    fixture_remove(&f);
}
END_TEST

START_TEST(rubbish_costs_one_answer_and_not_the_others)
{
    struct fixture f;

    begin(&f);
    inspect_answer(&f, ID_A, "web", "running");
    inspect_rule(&f, (struct fake_rule){.body = "{\"Id\":", .times = 1}, ID_A);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_RUBBISH, .body = "\x01\x02", .times = 1},
                 ID_A);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_HALF_CHUNK, .body = "{\"Id\"", .times = 1},
                 ID_A);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_CLOSE, .times = 1}, ID_A);
    inspect_answer(&f, ID_B, "db", "running");
    fake_http_stream_push(f.fake, "/v1.41/events", "rubbish\n[1,2]\n\"x\"\n{}\n");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    event(&f, "create", ID_B, "\"name\":\"db\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_counter(&f, "engine_records_skipped_total"), 3);
    fixture_remove(&f);
}
END_TEST

START_TEST(bad_utf8_and_newlines_are_mended_not_lost)
{
    struct fixture f;

    begin(&f);
    inspect_rule(&f, (struct fake_rule){.status = 500}, ID_A);
    event(&f, "create", ID_A, "\"name\":\"w\xff\xfe\\neb\",\"l\":\"\\u0000x\"");
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "w??\neb");
    ck_assert_str_eq(fixture_label(&f, ID_A, "l"), "?x");
    fixture_remove(&f);
}
END_TEST

static char *huge(size_t len)
{
    char *text = malloc(len + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

// A label larger than an object may be: its container stays partial, the others are served.
START_TEST(a_200_mib_label_costs_no_more_than_its_record)
{
    struct fixture f;
    char *label = huge(1 << 20); // again and again, until the reader has had enough

    begin(&f);
    inspect_rule(&f, (struct fake_rule){.action = FAKE_ENDLESS, .body = label}, ID_A);
    event(&f, "create", ID_A, "\"name\":\"web\"");
    inspect_answer(&f, ID_B, "db", "running");
    event(&f, "create", ID_B, "\"name\":\"db\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_has(&f, ID_A));
    free(label);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_list_with_a_gap_buries_nobody)
{
    struct fixture f;
    char *label = huge(17 << 20), *body = malloc((18 << 20));

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    // the next list has one element, too large to read
    snprintf(body, 18 << 20, "[{\"Id\":\"" ID_A "\",\"Labels\":{\"l\":\"%s\"}}]", label);
    fake_http_answer(f.fake, LIST, 200, body);
    fake_http_cut(f.fake);
    ck_assert(fake_http_wait_request(f.fake, LIST, 2, 10000));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_has(&f, ID_A));
    free(label);
    free(body);
    fixture_remove(&f);
}
END_TEST

// --- sockets that come, go and hang --------------------------------------------------------------

// falco 3953, plugins 1487: an engine that accepts and never answers delays nobody.
START_TEST(hung_socket_does_not_delay_start)
{
    struct fixture f;
    char yaml[512], other[128];
    struct fake_http *hung;

    fixture_make(&f);
    snprintf(other, sizeof(other), "%s/hung.sock", f.dir.path);
    hung = fake_http_start(other);
    fake_http_on(hung, &(struct fake_rule){.action = FAKE_HANG});
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    snprintf(yaml, sizeof(yaml), "engines:\n  docker:\n    enabled: true\n    sockets: [%s, %s]\n",
             other, f.socket);
    fixture_reload(&f, yaml);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_row(&f, 1).state, CMETA_ENGINE_CONNECTING);
    fixture_end(&f); // neither does it delay the end
    fake_http_stop(hung);
    fixture_remove(&f);
}
END_TEST

static bool second_failed(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_FAILED;
}

START_TEST(an_engine_that_stops_answering_is_found_out)
{
    struct fixture f;

    fixture_make(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/_ping", .action = FAKE_HANG});
    fixture_run(&f, "engine_timeout: 100ms\n");
    ck_assert(fixture_wait(&f, second_failed, NULL));
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "100 ms"));
    fixture_remove(&f);
}
END_TEST

// charts 1052, plugins 1499: the runtime restarts, enrichment goes on.
START_TEST(a_restarted_engine_is_listed_again_and_its_dead_are_buried)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running") "," ELEMENT(ID_B, "db", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    inspect_answer(&f, ID_B, "db", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    fake_http_cut(f.fake); // as when dockerd is killed: nobody says that B ended
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(containers_stand_while_their_engine_is_away)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_http_refuse(f.fake);
    fake_http_cut(f.fake);
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_has(&f, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    fixture_remove(&f);
}
END_TEST

static bool waiting_for_socket(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_WAITING;
}

START_TEST(a_socket_that_appears_vanishes_and_is_replaced)
{
    struct fixture f;

    fixture_make(&f);
    fake_http_down(f.fake);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, waiting_for_socket, NULL));
    fake_http_replace(f.fake); // appears
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fake_http_replace(f.fake); // another inode at once
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_http_down(f.fake);
    ck_assert(fixture_wait(&f, waiting_for_socket, NULL));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(events_are_asked_for_from_a_little_ago_and_counted_once)
{
    struct fixture f;
    char *request, since[64];

    begin(&f);
    inspect_answer(&f, ID_A, "web", "created");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    event(&f, "destroy", ID_A, "");
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    fake_http_stream_end(f.fake, "/v1.41/events", true);
    ck_assert(fake_http_wait_request(f.fake, "/v1.41/events", 2, 10000));
    request = fake_http_request(f.fake, "/v1.41/events", 1);
    snprintf(since, sizeof(since), "since=%lld", (long long)(event_time / 1000000000 - 5));
    ck_assert_ptr_nonnull(strstr(request, since));
    free(request);
    // the replay brings both again; a container that came and went stays gone
    ck_assert(fake_http_wait_streams(f.fake, "/v1.41/events", 1, 10000));
    event_time -= 2000000;
    event(&f, "create", ID_A, "\"name\":\"web\"");
    event(&f, "destroy", ID_A, "");
    event(&f, "create", ID_B, "\"name\":\"db\"");
    ck_assert(fixture_wait(&f, fixture_has, ID_B));
    ck_assert(fixture_lacks(&f, ID_A));
    ck_assert_uint_eq(fixture_counter(&f, "containers_revived_total"), 0);
    fixture_remove(&f);
}
END_TEST

// --- versions ------------------------------------------------------------------------------------

START_TEST(the_version_is_negotiated_never_pinned)
{
    static const struct {
        const char *says, *asked;
    } cases[] = {{"Api-Version: 1.24\r\n", "/v1.24/events"},
                 {"Api-Version: 1.55\r\n", "/v1.51/events"},
                 {"Api-Version: rubbish\r\n", "/events"},
                 {"", "/events"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;

        fixture_make(&f);
        fake_http_on(f.fake, &(struct fake_rule){
                                 .prefix = "/_ping", .body = "OK", .headers = cases[i].says});
        fixture_run(&f, "");
        ck_assert_msg(fake_http_wait_request(f.fake, cases[i].asked, 1, 10000), "%s",
                      cases[i].asked);
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(an_engine_too_new_for_our_newest_version_gets_its_own)
{
    struct fixture f;

    fixture_make(&f);
    fake_http_on(f.fake, &(struct fake_rule){
                             .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.99\r\n"});
    fake_http_answer(f.fake, "/v1.51/", 400, "{\"message\":\"client version 1.51 is too old\"}");
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/v1.99/events", .action = FAKE_STREAM});
    fake_http_answer(f.fake, "/v1.99/containers/json", 200, "[]");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    fixture_remove(&f);
}
END_TEST

START_TEST(podman_behind_a_docker_socket_is_told_from_docker)
{
    struct fixture f;

    fixture_make(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/_ping",
                                             .body = "OK",
                                             .headers = "Api-Version: 1.41\r\n"
                                                        "Libpod-API-Version: 4.3.1\r\n"});
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "podman"));
    fixture_remove(&f);
}
END_TEST

// --- the daemon's own restarts and reloads -------------------------------------------------------

// Nothing is lost by a restart.
START_TEST(a_restart_keeps_containers_until_the_engine_has_spoken)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running") "," ELEMENT(ID_B, "db", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    inspect_answer(&f, ID_B, "db", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fixture_end(&f);
    fake_http_accept(f.fake, false); // the engine isn't waited for
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    fixture_run(&f, "");
    ck_assert(fixture_complete(&f, ID_A));
    ck_assert_uint_ne(fixture_status(&f, ID_A).word & CMETA_STATUS_UNCONFIRMED, 0);
    ck_assert_uint_eq(fixture_counter(&f, "containers_restored_total"), 2);
    fake_http_accept(f.fake, true);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert(fixture_has(&f, ID_A));
    ck_assert_uint_eq(fixture_status(&f, ID_A).word & CMETA_STATUS_UNCONFIRMED, 0);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_restart_does_not_bring_back_engines_that_are_disabled_now)
{
    struct fixture f;
    char other[160];

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_end(&f);
    snprintf(other, sizeof(other), "%s", f.socket);
    snprintf(f.socket, sizeof(f.socket), "%s/other.sock", f.dir.path);
    fixture_run(&f, "");
    ck_assert(fixture_lacks(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

static bool has_row(struct fixture *f, enum cmeta_engine_state state)
{
    for (unsigned row = 0; row < CMETA_ENGINE_ROWS; row++)
        if (fixture_row(f, row).state == state)
            return true;
    return false;
}

START_TEST(disabling_an_engine_withdraws_its_containers)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_reload(&f, "engines: {docker: {enabled: false}}\n");
    ck_assert(fixture_lacks(&f, ID_A));
    ck_assert(has_row(&f, CMETA_ENGINE_DISABLED));
    fixture_reload(&f, fixture_engines(&f));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

static bool has_label(struct fixture *f, const void *id)
{
    return strcmp(fixture_label(f, id, "app"), "web") == 0;
}

START_TEST(a_reload_with_another_label_limit_asks_again)
{
    struct fixture f;
    char yaml[2048];

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "label_max_len: 2\n");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_str_eq(fixture_label(&f, ID_A, "app"), "(absent)");
    ck_assert_uint_ne(fixture_flags(&f, ID_A) & CMETA_FLAG_LABELS_DROPPED, 0);
    ck_assert_uint_ge(fixture_counter(&f, "labels_dropped_total"), 1);
    snprintf(yaml, sizeof(yaml), "label_max_len: 100\n%s", fixture_engines(&f));
    fixture_reload(&f, yaml);
    ck_assert(fake_http_wait_request(f.fake, "/v1.41/containers/" ID_A, 2, 10000));
    ck_assert(fixture_wait(&f, has_label, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(restarts_in_a_row_lose_nothing_while_the_engine_is_away)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_http_accept(f.fake, false);
    for (int i = 0; i < 3; i++) {
        fixture_end(&f);
        fixture_run(&f, "");
        ck_assert(fixture_complete(&f, ID_A));
        ck_assert_uint_ne(fixture_status(&f, ID_A).word & CMETA_STATUS_UNCONFIRMED, 0);
    }
    fixture_remove(&f);
}
END_TEST

START_TEST(an_element_that_makes_no_sense_buries_nobody)
{
    struct fixture f;

    fixture_make(&f);
    list_answer(&f, ELEMENT(ID_A, "web", "running"));
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    list_answer(&f, "{\"Id\":\"" ID_A "\",\"x\":01}");
    fake_http_cut(f.fake);
    ck_assert(fake_http_wait_request(f.fake, LIST, 2, 10000));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

// The stream goes on: what is created from now on is known, whatever the list weighs.
START_TEST(a_list_beyond_all_limits_costs_the_list_and_not_the_events)
{
    struct fixture f;
    char *body = huge(1 << 20); // an array that begins, and goes on beyond the limit of a list

    fixture_make(&f);
    memset(body, ' ', 1 << 20);
    body[0] = '[';
    for (size_t i = 1; i + 16 < 1 << 20; i += 16)
        memcpy(body + i, "{\"Id\":\"\"},", 10);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = LIST, .action = FAKE_ENDLESS, .body = body});
    fake_http_answer(f.fake, LIST "&filters=", 200, "[]");
    inspect_answer(&f, ID_A, "web", "running");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_str_ne(fixture_row(&f, 0).last_error, "");
    event(&f, "create", ID_A, "\"name\":\"web\"");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fake_http_requests(f.fake, "/v1.41/events"), 1);
    free(body);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_burst_of_creates_opens_few_connections)
{
    struct fixture f;

    begin(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/v1.41/containers/", .action = FAKE_HANG});
    for (unsigned i = 0; i < 300; i++) {
        char id[65];

        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        event(&f, "create", id, "\"name\":\"x\"");
        if (i % 50 == 49) // the fake's stream has room for so many
            ck_assert(fixture_wait(&f, fixture_has, id));
    }
    ck_assert_uint_lt(fake_http_connections(f.fake), 20);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN(
    "docker", 30, restarts_in_a_row_lose_nothing_while_the_engine_is_away,
    an_element_that_makes_no_sense_buries_nobody,
    a_list_beyond_all_limits_costs_the_list_and_not_the_events,
    a_burst_of_creates_opens_few_connections, a_create_event_publishes_at_once_while_inspect_hangs,
    the_lock_free_list_adds_labels_while_inspect_hangs,
    neither_the_list_nor_the_image_waits_for_a_start, inspect_completes_and_start_completes_again,
    die_and_destroy_end_a_container, rename_pause_and_health_change_what_they_say,
    update_and_network_connect_ask_again,
    containers_that_were_there_before_are_listed_and_completed,
    inspect_is_asked_again_after_409_and_500, a_container_that_inspect_does_not_know_twice_is_gone,
    rubbish_costs_one_answer_and_not_the_others, bad_utf8_and_newlines_are_mended_not_lost,
    a_200_mib_label_costs_no_more_than_its_record, a_list_with_a_gap_buries_nobody,
    hung_socket_does_not_delay_start, an_engine_that_stops_answering_is_found_out,
    a_restarted_engine_is_listed_again_and_its_dead_are_buried,
    containers_stand_while_their_engine_is_away, a_socket_that_appears_vanishes_and_is_replaced,
    events_are_asked_for_from_a_little_ago_and_counted_once, the_version_is_negotiated_never_pinned,
    an_engine_too_new_for_our_newest_version_gets_its_own,
    podman_behind_a_docker_socket_is_told_from_docker,
    a_restart_keeps_containers_until_the_engine_has_spoken,
    a_restart_does_not_bring_back_engines_that_are_disabled_now,
    disabling_an_engine_withdraws_its_containers, a_reload_with_another_label_limit_asks_again)
