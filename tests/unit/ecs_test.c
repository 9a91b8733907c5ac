// SPDX-License-Identifier: Apache-2.0
// The ECS engine, from a fake task metadata endpoint to the region.
#include "tests/unit/support/answers.h"
#include "tests/unit/support/fixture.h"
#include "tests/unit/support/leap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASK      "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define WEB       TASK "-2718281828"
#define SIDE      TASK "-1618033988"
#define OTHER     "ffffffffffffffffffffffffffffffff-1"
#define DOCKER_ID "ee08638adaaf009d78c248913f629e38299471d45fe7dc944d1039077e3424ca"
#define VARIABLE  "ECS_CONTAINER_METADATA_URI_V4"

#define ELEMENT(id, name, status)                                                                  \
    "{\"DockerId\":\"" id "\",\"Name\":\"" name "\",\"Image\":\"reg:5000/a/b:1\",\"KnownStatus\":" \
    "\"" status "\",\"Networks\":[{\"IPv4Addresses\":[\"10.0.0.7\"]}]}"

static char *task_of(const char *elements)
{
    char *text;

    ck_assert_int_gt(asprintf(&text,
                              "{\"TaskARN\":\"arn:t\",\"Family\":\"cart\",\"Revision\":\"12\","
                              "\"LaunchType\":\"FARGATE\",\"Containers\":[%s]}",
                              elements),
                     0);
    return text;
}

static void serve(struct fake_http *fake, const char *elements)
{
    char *text = task_of(elements);

    fake_http_answer(fake, FIXTURE_TASK, 200, text);
    free(text);
}

static void begin_with(struct fixture *f, const char *elements)
{
    fixture_make_ecs(f);
    serve(f->fake, elements);
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
}

static unsigned asked(const struct fixture *f)
{
    return fake_http_requests(f->fake, FIXTURE_TASK);
}

// Whatever is due is done.
static void settle(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        ck_assert_int_ge(sd_event_run(f->event, 0), 0);
}

// The next round, as if ten seconds had passed.
static void next_round(struct fixture *f)
{
    unsigned before = asked(f);

    LEAP_SECONDS(11);
    ck_assert(fake_http_wait_request(f->fake, FIXTURE_TASK, before + 1, 20000));
}

// The same now: the fake's delays don't leap.
static void ask_now(struct fixture *f)
{
    unsigned before = asked(f);

    instances_relist(f->instances);
    ck_assert(fake_http_wait_request(f->fake, FIXTURE_TASK, before + 1, 20000));
}

static bool exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

static bool row_says(struct fixture *f, const void *words)
{
    return strstr(fixture_row(f, 0).last_error, words);
}

static bool row_is_clear(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_connected(f, NULL) && !*fixture_row(f, 0).last_error;
}

// --- what is told --------------------------------------------------------------------------------

START_TEST(a_task_is_in_the_region_as_its_endpoint_tells_it)
{
    struct fixture f;
    char *text;
    size_t len;

    fixture_make_ecs(&f);
    text = answer_bytes("ecs/task.fargate.json", &len);
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = FIXTURE_TASK, .body = text, .body_len = len});
    free(text);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fixture_count(&f), 3);
    ck_assert_str_eq(fixture_row(&f, 0).version, "FARGATE cart:12");
    ck_assert_str_eq(fixture_row(&f, 0).name, "ecs");
    ck_assert_str_eq(fixture_row(&f, 0).socket, f.socket);
    ck_assert_uint_eq(fixture_type(&f, WEB), CMETA_TYPE_ECS);
    ck_assert_str_eq(fixture_text(&f, WEB, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&f, WEB, CMETA_STRING_IP), "10.20.30.40");
    ck_assert_str_eq(fixture_label(&f, WEB, "com.amazonaws.ecs.task-definition-family"), "cart");
    ck_assert_uint_eq(fixture_state(&f, WEB), CMETA_STATE_RUNNING);
    // containers that share the task's ID are three
    ck_assert_str_eq(fixture_text(&f, SIDE, CMETA_STRING_NAME), "migrate");
    ck_assert_uint_eq(fixture_state(&f, SIDE), CMETA_STATE_EXITED);
    ck_assert_uint_eq(fixture_status(&f, SIDE).word >> 16 & 0xff, 3);
    ck_assert_uint_eq(fixture_state(&f, TASK "-1414213562"), CMETA_STATE_CREATED);
    ck_assert_uint_eq(fixture_reason(&f, WEB, CMETA_GROUP_MOUNTS), CMETA_REASON_NOT_TOLD);
    fixture_remove(&f);
}
END_TEST

START_TEST(names_with_quotes_unicode_and_newlines_stay_what_they_are)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "a \\\"b\\\"\\n\\u00e9 \\u4e16 '$(x)'", "RUNNING"));
    ck_assert_str_eq(fixture_text(&f, WEB, CMETA_STRING_NAME),
                     "a \"b\"\n\xc3\xa9 \xe4\xb8\x96 '$(x)'");
    fixture_remove(&f);
}
END_TEST

START_TEST(a_thousand_containers_at_once)
{
    struct fixture f;
    char *elements = calloc(1000, 256);
    size_t len = 0;

    ck_assert_ptr_nonnull(elements);
    for (unsigned i = 0; i < 1000; i++)
        len += (size_t)sprintf(elements + len,
                               "%s{\"DockerId\":\"" TASK "-%u\",\"Name\":\"c%u\","
                               "\"KnownStatus\":\"RUNNING\"}",
                               i ? "," : "", i, i);
    begin_with(&f, elements);
    free(elements);
    ck_assert_uint_eq(fixture_count(&f), 1000);
    ck_assert_str_eq(fixture_text(&f, TASK "-999", CMETA_STRING_NAME), "c999");
    fixture_remove(&f);
}
END_TEST

// --- what changes --------------------------------------------------------------------------------

START_TEST(it_is_asked_every_ten_seconds_and_no_faster)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    settle(&f);
    ck_assert_uint_eq(asked(&f), 1);
    LEAP_SECONDS(9);
    settle(&f);
    ck_assert_uint_eq(asked(&f), 1);
    LEAP_SECONDS(2);
    ck_assert(fake_http_wait_request(f.fake, FIXTURE_TASK, 2, 20000));
    settle(&f);
    ck_assert_uint_eq(asked(&f), 2);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_stopped_container_exits_and_its_record_stays)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING") "," ELEMENT(SIDE, "side", "RUNNING"));
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING") ",{\"DockerId\":\"" SIDE
                                                 "\",\"Name\":\"side\",\"KnownStatus\":\"STOPPED\","
                                                 "\"ExitCode\":137,\"FinishedAt\":"
                                                 "\"2026-03-04T05:06:07Z\"}");
    next_round(&f);
    ck_assert(fixture_wait(&f, exited, SIDE));
    ck_assert_uint_eq(fixture_status(&f, SIDE).word >> 16 & 0xff, 137);
    ck_assert_str_eq(fixture_text(&f, SIDE, CMETA_STRING_NAME), "side");
    ck_assert_uint_eq(fixture_state(&f, WEB), CMETA_STATE_RUNNING);
    fixture_remove(&f);
}
END_TEST

START_TEST(another_task_takes_the_place_of_the_one_that_was)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING") "," ELEMENT(SIDE, "side", "RUNNING"));
    serve(f.fake, ELEMENT(OTHER, "next", "RUNNING"));
    next_round(&f);
    ck_assert(fixture_wait(&f, fixture_has, OTHER));
    ck_assert(fixture_wait(&f, fixture_lacks, WEB));
    ck_assert(fixture_wait(&f, fixture_lacks, SIDE));
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_list_without_anybody_or_with_nonsense_buries_nobody)
{
    struct fixture f;
    uint64_t skipped;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    skipped = fixture_counter(&f, "engine_records_skipped_total");
    serve(f.fake, "");
    next_round(&f);
    settle(&f);
    ck_assert(fixture_has(&f, WEB));
    serve(f.fake, "7,{\"DockerId\":\"\"}," ELEMENT(SIDE, "side", "RUNNING"));
    next_round(&f);
    ck_assert(fixture_wait(&f, fixture_has, SIDE));
    ck_assert(fixture_has(&f, WEB));
    ck_assert_uint_eq(fixture_counter(&f, "engine_records_skipped_total"), skipped + 2);
    fixture_remove(&f);
}
END_TEST

// --- hints ---------------------------------------------------------------------------------------

static void hint(struct fixture *f, const char *id)
{
    instances_hint(f->instances, id, strlen(id));
}

START_TEST(a_hint_asks_at_once)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING") "," ELEMENT(SIDE, "side", "RUNNING"));
    hint(&f, SIDE);
    hint(&f, SIDE);
    ck_assert(fixture_wait(&f, fixture_has, SIDE));
    ck_assert_uint_eq(asked(&f), 2);
    fixture_remove(&f);
}
END_TEST

// A host's other containers, or somebody's noise: the endpoint isn't asked for each.
START_TEST(hints_that_lead_to_nothing_ask_less_and_less)
{
    struct fixture f;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    hint(&f, OTHER);
    ck_assert(fake_http_wait_request(f.fake, FIXTURE_TASK, 2, 20000));
    for (unsigned pause = 1, count = 2; pause <= 4; pause *= 2, count++) {
        ck_assert(fake_http_wait_connections(f.fake, 0, 20000));
        settle(&f);
        hint(&f, OTHER);
        hint(&f, "111111111111");
        leap(UINT64_C(900000000) * pause);
        settle(&f);
        ck_assert_uint_eq(asked(&f), count);
        leap(UINT64_C(100000000) * pause);
        ck_assert(fake_http_wait_request(f.fake, FIXTURE_TASK, count + 1, 20000));
    }
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_while_an_answer_is_under_way_asks_again)
{
    struct fixture f;
    char *text = task_of(ELEMENT(WEB, "web", "RUNNING"));

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING") "," ELEMENT(SIDE, "side", "RUNNING"));
    // of the moment before the hint
    fake_http_on(f.fake, &(struct fake_rule){
                             .prefix = FIXTURE_TASK, .body = text, .delay_ms = 300, .times = 1});
    free(text);
    ask_now(&f);
    hint(&f, SIDE);
    ck_assert(fixture_wait(&f, fixture_has, SIDE));
    ck_assert_uint_eq(asked(&f), 3);
    fixture_remove(&f);
}
END_TEST

// --- faults --------------------------------------------------------------------------------------

// Each: the row says what, the records stay, and the next good answer heals it.
static void heals(struct fixture *f, const char *words)
{
    ck_assert_msg(fixture_wait(f, row_says, words), "not \"%s\" but \"%s\"", words,
                  fixture_row(f, 0).last_error);
    ck_assert(fixture_has(f, WEB));
    ck_assert_str_eq(fixture_text(f, WEB, CMETA_STRING_NAME), "web");
    serve(f->fake, ELEMENT(WEB, "web", "RUNNING"));
    LEAP_SECONDS(11); // the longest pause
    ck_assert(fixture_wait(f, row_is_clear, NULL));
}

static void fault(const struct fake_rule *rule, const char *words)
{
    struct fixture f;
    struct fake_rule here = *rule;

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    here.prefix = FIXTURE_TASK;
    fake_http_on(f.fake, &here);
    next_round(&f);
    heals(&f, words);
    fixture_remove(&f);
}

START_TEST(an_endpoint_that_hangs_is_given_up_and_asked_again)
{
    struct fixture f;

    fixture_make_ecs(&f);
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING"));
    fixture_run(&f, "engine_timeout: 300ms\n");
    ck_assert(fixture_wait(&f, fixture_has, WEB));
    fake_http_on(f.fake, &(struct fake_rule){.prefix = FIXTURE_TASK, .action = FAKE_HANG});
    next_round(&f);
    heals(&f, "no whole answer within 300 ms");
    fake_http_on(f.fake, &(struct fake_rule){.prefix = FIXTURE_TASK,
                                             .action = FAKE_HALF_HANG,
                                             .body = "{\"TaskARN\":"});
    next_round(&f);
    heals(&f, "no whole answer within 300 ms");
    fixture_remove(&f);
}
END_TEST

START_TEST(refusals_are_told_in_the_endpoints_words)
{
    static const struct {
        int status;
        const char *body, *words;
    } cases[] = {
        {404, "\"V4 task metadata handler: unable to get task\"", "status 404: \"V4 task"},
        {403, "", "status 403"},
        {429, "Too Many Requests", "status 429: Too Many"},
        {500, "\"unable to generate metadata\"", "status 500: \"unable"},
        {503, "<html>", "status 503"},
        {204, "", "status 204"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        fault(&(struct fake_rule){.status = cases[i].status, .body = cases[i].body},
              cases[i].words);
}
END_TEST

START_TEST(a_redirect_leads_nowhere)
{
    struct fixture f;
    char header[256];

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    serve(f.fake, ELEMENT(OTHER, "evil", "RUNNING")); // matches /v4/3c6f/task… only
    snprintf(header, sizeof(header), "Location: %s/evil\r\n", fake_http_url(f.fake));
    fake_http_answer(f.fake, "/evil", 200, "{\"TaskARN\":\"x\",\"Containers\":[]}");
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = FIXTURE_TASK, .status = 302, .headers = header});
    next_round(&f);
    heals(&f, "status 302");
    ck_assert_uint_eq(fake_http_requests(f.fake, "/evil"), 0);
    ck_assert(!fixture_has(&f, OTHER));
    fixture_remove(&f);
}
END_TEST

START_TEST(rubbish_is_no_task)
{
    static const char *const bodies[] = {"",
                                         "null",
                                         "[]",
                                         "7",
                                         "<html>",
                                         "{",
                                         "\xff",
                                         "\"Unable to get task metadata\"",
                                         "{\"a\":1}x",
                                         "{\"Containers\":[{\"DockerId\":\"" WEB "\"}]}",
                                         "{\"TaskARN\":\"a\",\"Containers\":{}}"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        fault(&(struct fake_rule){.body = bodies[i]}, "makes no sense as a task's metadata");
    fault(&(struct fake_rule){.action = FAKE_RUBBISH, .body = "SSH-2.0-x\r\n"},
          "doesn't speak HTTP");
    fault(&(struct fake_rule){.action = FAKE_HEADERS}, "larger than the limit");
}
END_TEST

START_TEST(a_truncated_answer_is_none)
{
    char *whole = task_of(ELEMENT(OTHER, "half", "RUNNING")), cut[128];

    snprintf(cut, sizeof(cut), "%.100s", whole);
    fault(&(struct fake_rule){.body = cut}, "makes no sense");
    fault(&(struct fake_rule){.action = FAKE_HALF_CHUNK, .body = whole}, "broke in the middle");
    fault(&(struct fake_rule){.action = FAKE_CLOSE}, "closed the connection");
    free(whole);
}
END_TEST

START_TEST(a_huge_answer_is_given_up)
{
    char *huge = malloc((size_t)5 << 20);

    ck_assert_ptr_nonnull(huge);
    memset(huge, ' ', (size_t)5 << 20);
    fault(&(struct fake_rule){.body = huge, .body_len = (size_t)5 << 20}, "larger than the limit");
    fault(&(struct fake_rule){.body = huge, .body_len = (size_t)5 << 20, .chunk_bytes = 1 << 16},
          "larger than the limit");
    free(huge);
    fault(&(struct fake_rule){.action = FAKE_ENDLESS, .body = "{\"TaskARN\":\"a\","},
          "larger than the limit");
}
END_TEST

START_TEST(a_slow_answer_is_whole_in_the_end)
{
    struct fixture f;
    char *text = task_of(ELEMENT(WEB, "web", "RUNNING") "," ELEMENT(SIDE, "side", "RUNNING"));

    begin_with(&f, ELEMENT(WEB, "web", "RUNNING"));
    fake_http_on(f.fake,
                 &(struct fake_rule){
                     .prefix = FIXTURE_TASK, .body = text, .chunk_bytes = 16, .delay_ms = 300});
    free(text);
    ask_now(&f);
    ck_assert(fixture_wait(&f, fixture_has, SIDE));
    fixture_remove(&f);
}
END_TEST

START_TEST(an_endpoint_that_is_late_is_found)
{
    struct fixture f;

    fixture_make_ecs(&f);
    fake_http_down(f.fake);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_wait(&f, row_says, "nobody listens"));
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING"));
    fake_http_replace(f.fake);
    LEAP_SECONDS(11);
    ck_assert(fixture_wait(&f, fixture_has, WEB));
    ck_assert(fixture_wait(&f, row_is_clear, NULL));
    fixture_remove(&f);
}
END_TEST

// It is on the air for good, and costs a question every ten seconds like one that answers.
START_TEST(an_endpoint_that_fails_for_long_is_asked_every_ten_seconds)
{
    struct fixture f;
    unsigned before;

    fixture_make_ecs(&f);
    fake_http_answer(f.fake, FIXTURE_TASK, 500, "");
    fixture_run(&f, "");
    for (unsigned i = 1; i <= 6; i++) {
        ck_assert(fake_http_wait_request(f.fake, FIXTURE_TASK, i, 20000));
        ck_assert(fixture_wait(&f, fixture_failed, NULL));
        if (i < 6)
            LEAP_SECONDS(6);
    }
    ck_assert(fake_http_wait_connections(f.fake, 0, 20000));
    settle(&f);
    before = asked(&f);
    LEAP_SECONDS(9);
    settle(&f);
    ck_assert_uint_eq(asked(&f), before);
    LEAP_SECONDS(2);
    ck_assert(fake_http_wait_request(f.fake, FIXTURE_TASK, before + 1, 20000));
    fixture_remove(&f);
}
END_TEST

// --- the place -----------------------------------------------------------------------------------

START_TEST(the_environment_names_the_endpoint)
{
    struct fixture f;

    fixture_make_ecs(&f);
    serve(f.fake, ELEMENT(WEB, "web", "RUNNING"));
    setenv(VARIABLE, f.socket, 1);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fixture_row(&f, 0).flags & CMETA_ENGINE_CONFIGURED, CMETA_ENGINE_CONFIGURED);
    fixture_reload(&f, "engines:\n  ecs:\n    enabled: true\n");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fixture_row(&f, 0).flags & CMETA_ENGINE_CONFIGURED, 0);
    ck_assert(fixture_has(&f, WEB));
    fixture_remove(&f);
    unsetenv(VARIABLE);
}
END_TEST

static bool is_disabled(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_DISABLED;
}

// Who sets a container's variables doesn't say where the daemon's questions go.
START_TEST(the_environment_leads_no_further_than_this_machine)
{
    static const char *const places[] = {"http://192.0.2.1/v4/x", "http://metadata.test/v4/x",
                                         "https://127.0.0.1/v4/x", "nonsense"};
    struct fixture f;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        fixture_make_ecs(&f);
        fixture_run(&f, "");
        setenv(VARIABLE, places[i], 1);
        fixture_reload(&f, "engines:\n  ecs:\n    enabled: true\n");
        ck_assert_msg(fixture_wait(&f, is_disabled, NULL), "%s", places[i]);
        ck_assert(row_says(&f, "is no link-local address"));
        unsetenv(VARIABLE);
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(what_the_environment_may_not_say_the_configuration_may)
{
    struct fixture f;

    fixture_make_ecs(&f);
    fixture_run(&f, "engine_timeout: 300ms\n");
    setenv(VARIABLE, "http://192.0.2.1/v4/x", 1); // for documentation: nobody is there
    fixture_reload(&f, "engines:\n  ecs:\n    enabled: true\n");
    ck_assert(fixture_wait(&f, is_disabled, NULL));
    fixture_reload(&f,
                   "engine_timeout: 300ms\nengines:\n  ecs:\n    urls: [http://192.0.2.1/v4/x]\n");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    unsetenv(VARIABLE);
    fixture_remove(&f);
}
END_TEST

// --- beside Docker -------------------------------------------------------------------------------

static bool has_both(struct fixture *f, const void *id)
{
    return fixture_has(f, id) && strcmp(fixture_text(f, id, CMETA_STRING_NAME), "docker's") == 0 &&
           fixture_row(f, 1).state == CMETA_ENGINE_CONNECTED;
}

static bool second_failed(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 1).state == CMETA_ENGINE_FAILED;
}

// On EC2: Docker's word counts; what the task says neither ends nor changes Docker's records.
START_TEST(dockers_records_are_dockers)
{
    struct fake_http *endpoint = fake_http_start("127.0.0.1:0");
    char place[96], yaml[256];
    struct fixture f;

    snprintf(place, sizeof(place), "%s/v4/3c6f", fake_http_url(endpoint));
    setenv(VARIABLE, place, 1);
    fixture_make(&f);
    fake_http_use_loop(endpoint, NULL);
    serve(endpoint, ELEMENT(DOCKER_ID, "task's", "STOPPED") "," ELEMENT(WEB, "web", "RUNNING"));
    fake_http_answer(f.fake, "/v1.41/containers/json?all=1", 200,
                     "[{\"Id\":\"" DOCKER_ID "\",\"Names\":[\"/docker's\"],\"Image\":\"a:1\","
                     "\"State\":\"running\",\"Labels\":{\"a\":\"b\"}}]");
    fake_http_answer(f.fake, "/v1.41/containers/" DOCKER_ID "/json", 200,
                     "{\"Id\":\"" DOCKER_ID "\",\"Name\":\"/docker's\",\"State\":{\"Status\":"
                     "\"running\"},\"Config\":{\"Image\":\"a:1\",\"Labels\":{\"a\":\"b\"}},"
                     "\"HostConfig\":{\"Privileged\":true},\"Mounts\":[]}");
    fixture_run(&f, "");
    snprintf(yaml, sizeof(yaml),
             "engines:\n  docker:\n    sockets: [%s]\n  ecs:\n    enabled: true\n", f.socket);
    fixture_reload(&f, yaml);
    ck_assert(fixture_wait(&f, has_both, DOCKER_ID));
    ck_assert_uint_eq(fixture_type(&f, DOCKER_ID), CMETA_TYPE_DOCKER);
    ck_assert_uint_eq(fixture_state(&f, DOCKER_ID), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_flags(&f, DOCKER_ID) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert(fixture_has(&f, WEB));
    fake_http_answer(endpoint, FIXTURE_TASK, 200, "rubbish");
    LEAP_SECONDS(11);
    ck_assert(fixture_wait(&f, second_failed, NULL));
    ck_assert(fixture_has(&f, DOCKER_ID));
    ck_assert_str_eq(fixture_text(&f, DOCKER_ID, CMETA_STRING_NAME), "docker's");
    unsetenv(VARIABLE);
    fixture_remove(&f);
    fake_http_stop(endpoint);
}
END_TEST

CHECK_MAIN("ecs", 60, a_task_is_in_the_region_as_its_endpoint_tells_it,
           names_with_quotes_unicode_and_newlines_stay_what_they_are, a_thousand_containers_at_once,
           it_is_asked_every_ten_seconds_and_no_faster,
           a_stopped_container_exits_and_its_record_stays,
           another_task_takes_the_place_of_the_one_that_was,
           a_list_without_anybody_or_with_nonsense_buries_nobody, a_hint_asks_at_once,
           hints_that_lead_to_nothing_ask_less_and_less,
           a_hint_while_an_answer_is_under_way_asks_again,
           an_endpoint_that_hangs_is_given_up_and_asked_again,
           refusals_are_told_in_the_endpoints_words, a_redirect_leads_nowhere, rubbish_is_no_task,
           a_truncated_answer_is_none, a_huge_answer_is_given_up, a_slow_answer_is_whole_in_the_end,
           an_endpoint_that_is_late_is_found,
           an_endpoint_that_fails_for_long_is_asked_every_ten_seconds,
           the_environment_names_the_endpoint, the_environment_leads_no_further_than_this_machine,
           what_the_environment_may_not_say_the_configuration_may, dockers_records_are_dockers)
