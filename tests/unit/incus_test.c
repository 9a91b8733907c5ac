// SPDX-License-Identifier: Apache-2.0
// The engine for Incus and LXD, from a fake server's socket to the region.
#include "containerd-meta/engine/incus_fetch.h"
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST        "/1.0/instances?recursion=1&all-projects=true"
#define FINGERPRINT "46f2946b8bf7fcd5d60cbc607892527edfb0950ddb4110901ae3499e2e45f3ec"

struct sample {
    const char *name, *project; // as JSON has them; project NULL: default
    const char *type, *location;
    const char *role;    // label user.role
    const char *started; // last_used_at
    int code;            // 0: running
    const char *image;   // fingerprint; NULL: FINGERPRINT
};

static const struct sample web = {.name = "web"}, db = {.name = "db", .project = "p2"};

static char *element(const struct sample *s)
{
    char *text;

    ck_assert_int_gt(
        asprintf(&text,
                 "{\"name\":\"%s\",\"project\":\"%s\",\"type\":\"%s\",\"location\":\"%s\","
                 "\"status_code\":%d,\"created_at\":\"2026-11-22T02:54:54Z\",\"last_used_at\":"
                 "\"%s\",\"profiles\":[\"default\"],\"expanded_config\":{\"image.description\":"
                 "\"a lab\",\"security.privileged\":\"true\",\"user.role\":\"%s\","
                 "\"volatile.base_image\":\"%s\"},\"expanded_devices\":{\"data\":{"
                 "\"type\":\"disk\",\"source\":\"/srv\",\"path\":\"/data\"}}}",
                 s->name, s->project ? s->project : "default", s->type ? s->type : "container",
                 s->location ? s->location : "none", s->code ? s->code : 103,
                 s->started ? s->started : "2026-11-22T02:54:55Z", s->role ? s->role : "x",
                 s->image ? s->image : FINGERPRINT),
        0);
    return text;
}

static void answer(struct fixture *f, const char *prefix, const char *metadata)
{
    char *text;

    ck_assert_int_gt(asprintf(&text, "{\"type\":\"sync\",\"metadata\":%s}", metadata), 0);
    fake_http_answer(f->fake, prefix, 200, text);
    free(text);
}

#define list_answer(f, ...)                                        \
    list_answer_of(f, (const struct sample *const[]){__VA_ARGS__}, \
                   sizeof((const struct sample *const[]){__VA_ARGS__}) / sizeof(void *))
static void list_answer_of(struct fixture *f, const struct sample *const *samples, size_t count)
{
    char *list = NULL;
    size_t size;
    FILE *stream = open_memstream(&list, &size);

    putc('[', stream);
    for (size_t i = 0; i < count; i++) {
        char *text = element(samples[i]);

        fprintf(stream, "%s%s", i ? "," : "", text);
        free(text);
    }
    putc(']', stream);
    fclose(stream);
    answer(f, LIST, list);
    free(list);
}

static const char *place(const struct sample *s, const char *what)
{
    static char path[256];

    snprintf(path, sizeof(path), "/1.0/instances/%s%s?project=%s", s->name, what,
             s->project ? s->project : "default");
    return path;
}

static void instance_answer(struct fixture *f, const struct sample *s)
{
    char *text = element(s);

    answer(f, place(s, ""), text);
    free(text);
}

#define ADDRESS "{\"address\":\"10.0.0.7\",\"scope\":\"global\"}"
static void state_answer(struct fixture *f, const struct sample *s, int pid, const char *addresses)
{
    char text[256];

    snprintf(text, sizeof(text),
             "{\"pid\":%d,\"network\":{\"eth0\":{\"host_name\":\"veth1\",\"addresses\":[%s]}}}",
             pid, addresses);
    answer(f, place(s, "/state"), text);
}

static void image_answer(struct fixture *f)
{
    answer(f, "/1.0/images/" FINGERPRINT, "{\"aliases\":[{\"name\":\"team/lab\"}]}");
}

static void run(struct fixture *f)
{
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
}

static void begin(struct fixture *f)
{
    fixture_make_incus(f);
    image_answer(f);
    list_answer(f, &web);
    state_answer(f, &web, 77, ADDRESS);
    run(f);
}

static void relist(struct fixture *f)
{
    unsigned lists = fake_http_requests(f->fake, LIST);

    instances_relist(f->instances);
    ck_assert(fake_http_wait_request(f->fake, LIST, lists + 1, 20000));
}

static bool has_pid(struct fixture *f, const void *id)
{
    return fixture_status(f, id).pid == 77 &&
           strcmp(fixture_text(f, id, CMETA_STRING_IP), "10.0.0.7") == 0;
}

static bool exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

// --- the way of an instance ----------------------------------------------------------------------

START_TEST(listed_instances_are_complete)
{
    const struct sample machine = {.name = "vm1", .type = "virtual-machine"};
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    list_answer(&f, &web, &machine, &db);
    state_answer(&f, &web, 77, ADDRESS);
    state_answer(&f, &db, 77, ADDRESS);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert(fixture_wait(&f, fixture_complete, "p2_db"));
    ck_assert(fixture_wait(&f, has_pid, "web"));
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    ck_assert_str_eq(fixture_text(&f, "p2_db", CMETA_STRING_NAME), "db");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE), "team/lab");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE_ID), FINGERPRINT);
    ck_assert_str_eq(fixture_label(&f, "web", "user.role"), "x");
    ck_assert_uint_eq(fixture_flags(&f, "web") & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_state(&f, "web"), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_type(&f, "web"), CMETA_TYPE_LXC);
    ck_assert_uint_eq(fixture_count(&f), 2); // no machine
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_has_one_instance_asked_for_at_once)
{
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    run(&f);
    instance_answer(&f, &db);
    state_answer(&f, &db, 77, ADDRESS);
    instances_hint(f.instances, "p2_db", 5);
    ck_assert(fixture_wait(&f, fixture_complete, "p2_db"));
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    ck_assert_uint_eq(fake_http_requests(f.fake, LIST), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_about_somebody_elses_container_comes_to_nothing)
{
    struct fixture f;

    begin(&f);
    instances_hint(f.instances, "other", 5);
    instances_hint(f.instances, "a1a1a1a1a1a1", 12);
    instances_hint(f.instances, "", 0);
    instances_hint(f.instances, "x\0y", 3);
    ck_assert(fake_http_wait_request(f.fake, "/1.0/instances/other?", 1, 20000));
    ck_assert(fake_http_wait_request(f.fake, "/1.0/instances/a1a1a1a1a1a1?", 1, 20000));
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    ck_assert_uint_eq(fixture_count(&f), 1);
    ck_assert_uint_eq(fixture_row(&f, 0).errors_total, 0);
    fixture_remove(&f);
}
END_TEST

static const char *in_folder(const struct fixture *f, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/containers%s%s", f->dir.path, *name ? "/" : "", name);
    return path;
}

// The server keeps a link per container beside its socket, before it starts it.
START_TEST(a_link_in_the_folder_of_containers_is_as_good_as_an_event)
{
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    ck_assert_int_eq(mkdir(in_folder(&f, ""), 0711), 0);
    run(&f);
    instance_answer(&f, &db);
    state_answer(&f, &db, 77, ADDRESS);
    ck_assert_int_eq(symlink("/nowhere", in_folder(&f, "p2_db")), 0);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    fake_http_answer(f.fake, place(&db, ""), 404, "{\"error_code\":404}");
    ck_assert_int_eq(unlink(in_folder(&f, "p2_db")), 0);
    ck_assert(fixture_wait(&f, fixture_lacks, "p2_db"));
    ck_assert_uint_eq(fake_http_requests(f.fake, LIST), 1);
    ck_assert_uint_eq(fixture_row(&f, 0).events_total, 2);
    fixture_remove(&f);
}
END_TEST

START_TEST(an_instance_that_was_renamed_is_another_one)
{
    const struct sample renamed = {.name = "shop"};
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    list_answer(&f, &renamed);
    state_answer(&f, &renamed, 77, ADDRESS);
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "shop"));
    ck_assert(fixture_wait(&f, fixture_lacks, "web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_renamed_project_renames_its_cgroups)
{
    const struct sample moved = {.name = "db", .project = "prod"};
    struct fixture f;

    begin(&f);
    list_answer(&f, &web, &db);
    state_answer(&f, &db, 77, ADDRESS);
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    list_answer(&f, &web, &moved);
    state_answer(&f, &moved, 77, ADDRESS);
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "prod_db"));
    ck_assert(fixture_wait(&f, fixture_lacks, "p2_db"));
    ck_assert_str_eq(fixture_label(&f, "prod_db", "incus.project"), "prod");
    ck_assert(fixture_has(&f, "web"));
    fixture_remove(&f);
}
END_TEST

// The state is dear: it is asked for once while nothing changes.
START_TEST(what_does_not_change_is_not_asked_for_again)
{
    struct fixture f;
    uint64_t revision;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    revision = fixture_revision(&f);
    relist(&f);
    relist(&f);
    ck_assert_uint_eq(fake_http_requests(f.fake, "/1.0/instances/web/state"), 1);
    ck_assert_uint_eq(fake_http_requests(f.fake, "/1.0/images/"), 1);
    ck_assert_uint_eq(fake_http_requests(f.fake, "/1.0/instances/web?"), 0);
    ck_assert_uint_eq(fixture_revision(&f), revision);
    fixture_remove(&f);
}
END_TEST

static bool network_known(struct fixture *f, const void *id)
{
    return fixture_known(f, id) & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK);
}

START_TEST(an_address_that_comes_late_is_found)
{
    struct fixture f;

    begin(&f);
    list_answer(&f, &db);
    state_answer(&f, &db, 77, "");
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "p2_db"));
    ck_assert(fake_http_wait_request(f.fake, place(&db, "/state"), 1, 20000));
    relist(&f);
    ck_assert(fake_http_wait_request(f.fake, place(&db, "/state"), 2, 20000));
    ck_assert(!network_known(&f, "p2_db"));
    ck_assert_uint_eq(fixture_reason(&f, "p2_db", CMETA_GROUP_NETWORK), CMETA_REASON_NOT_YET);
    state_answer(&f, &db, 77, ADDRESS);
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    fixture_remove(&f);
}
END_TEST

START_TEST(an_address_that_never_comes_is_given_up)
{
    struct fixture f;

    begin(&f);
    list_answer(&f, &db);
    state_answer(&f, &db, 77, "");
    for (unsigned i = 1; i <= INCUS_FETCH_STATES; i++) {
        relist(&f);
        ck_assert(fake_http_wait_request(f.fake, place(&db, "/state"), i, 20000));
    }
    ck_assert(fixture_wait(&f, network_known, "p2_db"));
    ck_assert_str_eq(fixture_text(&f, "p2_db", CMETA_STRING_IP), "");
    relist(&f);
    relist(&f);
    ck_assert_uint_eq(fake_http_requests(f.fake, place(&db, "/state")), INCUS_FETCH_STATES);
    fixture_remove(&f);
}
END_TEST

static bool role_is_db(struct fixture *f, const void *id)
{
    return strcmp(fixture_label(f, id, "user.role"), "db") == 0;
}

START_TEST(a_changed_setting_an_end_and_another_start_are_found_by_listing)
{
    struct sample changing = {.name = "web", .role = "db"};
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    list_answer(&f, &changing);
    relist(&f);
    ck_assert(fixture_wait(&f, role_is_db, "web"));
    ck_assert(has_pid(&f, "web")); // it is the same run
    changing.code = 102;
    list_answer(&f, &changing);
    relist(&f);
    ck_assert(fixture_wait(&f, exited, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 0);
    changing.code = 103;
    changing.started = "2026-11-23T00:00:00Z";
    list_answer(&f, &changing);
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    ck_assert_uint_eq(fixture_state(&f, "web"), CMETA_STATE_RUNNING);
    fixture_remove(&f);
}
END_TEST

static bool has_image_id(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_IMAGE_ID), FINGERPRINT) == 0;
}

// Rebuilt while its image was asked for: the answer is about the image that was.
START_TEST(an_image_that_is_told_of_when_the_instance_has_none_any_more_is_not_its_own)
{
    const struct sample bare = {.name = "web", .role = "db", .image = ""};
    const struct sample again = {.name = "web", .role = "x"};
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/1.0/images/" FINGERPRINT,
                                             .body = "{\"metadata\":{\"aliases\":[]}}",
                                             .delay_ms = 1000,
                                             .times = 1});
    list_answer(&f, &web);
    state_answer(&f, &web, 77, ADDRESS);
    run(&f);
    ck_assert(fake_http_wait_request(f.fake, "/1.0/images/", 1, 20000));
    list_answer(&f, &bare);
    relist(&f);
    ck_assert(fixture_wait(&f, role_is_db, "web"));
    ck_assert(fixture_wait(&f, has_pid, "web"));
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE_ID), "");
    list_answer(&f, &again);
    relist(&f);
    ck_assert(fixture_wait(&f, has_image_id, "web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(instances_of_other_members_of_a_cluster_are_not_here)
{
    const struct sample here = {.name = "here", .location = "n1"},
                        there = {.name = "there", .location = "n2"};
    struct fixture f;

    fixture_make_incus(&f);
    answer(&f, "/1.0",
           "{\"api_version\":\"1.0\",\"auth\":\"trusted\",\"environment\":{\"server\":\"incus\","
           "\"server_version\":\"7.3\",\"server_name\":\"n1\",\"server_clustered\":true}}");
    image_answer(&f);
    list_answer(&f, &here, &there);
    instance_answer(&f, &there);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "here"));
    instances_hint(f.instances, "there", 5);
    ck_assert(fake_http_wait_request(f.fake, place(&there, ""), 1, 20000));
    relist(&f);
    ck_assert_uint_eq(fixture_count(&f), 1);
    ck_assert_str_eq(fixture_label(&f, "here", "incus.location"), "n1");
    ck_assert_str_eq(fixture_row(&f, 0).version, "incus 7.3");
    fixture_remove(&f);
}
END_TEST

START_TEST(names_of_any_bytes_are_asked_for_and_kept)
{
    static const struct {
        const char *json, *id, *escaped;
    } names[] = {{"a b", "a b", "a%20b"},
                 {"q\\\"uote'", "q\"uote'", "q%22uote%27"},
                 {"l\\nine", "l\nine", "l%0Aine"},
                 {"d\\u00e4/../x?y#", "d\xc3\xa4/../x?y#", "d%C3%A4%2F%2E%2E%2Fx%3Fy%23"},
                 {"under_score", "under_score", "under%5Fscore"}};
    const struct sample samples[] = {{.name = names[0].json},
                                     {.name = names[1].json},
                                     {.name = names[2].json},
                                     {.name = names[3].json},
                                     {.name = names[4].json}};
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    list_answer(&f, &samples[0], &samples[1], &samples[2], &samples[3], &samples[4]);
    for (size_t i = 0; i < 5; i++)
        state_answer(&f, &(struct sample){.name = names[i].escaped}, 77, ADDRESS);
    run(&f);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(fixture_wait(&f, has_pid, names[i].id));
        ck_assert_str_eq(fixture_text(&f, names[i].id, CMETA_STRING_NAME), names[i].id);
    }
    fixture_remove(&f);
}
END_TEST

#define MANY 1000u

static bool all_have_pids(struct fixture *f, const void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < MANY; i += 37) {
        char id[16];

        snprintf(id, sizeof(id), "c%u", i);
        if (!has_pid(f, id))
            return false;
    }
    return fixture_counter(f, "containers_created_total") == MANY;
}

START_TEST(a_thousand_at_once_are_all_complete)
{
    static char names[MANY][16];
    static struct sample samples[MANY];
    static const struct sample *list[MANY];
    struct fixture f;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "c%u", i);
        samples[i].name = names[i];
        list[i] = &samples[i];
    }
    fixture_make_incus(&f);
    image_answer(&f);
    list_answer_of(&f, list, MANY);
    answer(&f, "/1.0/instances/c",
           "{\"pid\":77,\"network\":{\"eth0\":{\"addresses\":[" ADDRESS "]}}}");
    run(&f);
    ck_assert(fixture_wait(&f, fixture_has, "c999"));
    ck_assert(fake_http_wait_request(f.fake, "/1.0/instances/c", MANY, 60000));
    ck_assert(fixture_wait(&f, all_have_pids, NULL));
    ck_assert_uint_eq(fixture_count(&f), MANY);
    ck_assert_uint_le(fake_http_requests(f.fake, "/1.0/images/"), INCUS_FETCH_PARALLEL);
    fixture_remove(&f);
}
END_TEST

// --- faults --------------------------------------------------------------------------------------

static bool error_says(struct fixture *f, const void *text)
{
    struct cmeta_engine_row row = fixture_row(f, 0);

    return row.state == CMETA_ENGINE_FAILED && strstr(row.last_error, text);
}

START_TEST(whoever_else_answers_is_told_from_incus)
{
    static const struct {
        int status;
        const char *body, *says;
    } cases[] = {{404, "{\"message\":\"page not found\"}", "neither Incus nor LXD"},
                 {200, "rubbish", "neither Incus nor LXD"},
                 {200, "{\"metadata\":{\"api_version\":\"1.0\"}}", "neither Incus nor LXD"},
                 {200, "{\"metadata\":[]}", "neither Incus nor LXD"},
                 {200, "{\"metadata\":{\"api_version\":\"1.0\",\"auth\":\"untrusted\"}}",
                  "doesn't trust us"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;

        fixture_make_incus(&f);
        fake_http_answer(f.fake, "/1.0", cases[i].status, cases[i].body);
        fixture_run(&f, "");
        ck_assert(fixture_wait(&f, error_says, cases[i].says));
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(a_server_that_comes_late_is_found)
{
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    list_answer(&f, &web);
    state_answer(&f, &web, 77, ADDRESS);
    fake_http_down(f.fake);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    fake_http_replace(f.fake);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_server_that_hangs_is_given_up_and_tried_again)
{
    struct fixture f;

    fixture_make_incus(&f);
    image_answer(&f);
    list_answer(&f, &web);
    fake_http_on(f.fake, &(struct fake_rule){.prefix = "/1.0", .action = FAKE_HANG, .times = 1});
    fixture_run(&f, "engine_timeout: 300ms\n");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    fixture_remove(&f);
}
END_TEST

// A question about an instance that is being started waits for its start.
START_TEST(an_instance_that_hangs_delays_no_other)
{
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = "/1.0/instances/slow?", .action = FAKE_HANG});
    instances_hint(f.instances, "slow", 4);
    ck_assert(fake_http_wait_request(f.fake, "/1.0/instances/slow?", 1, 20000));
    instance_answer(&f, &db);
    state_answer(&f, &db, 77, ADDRESS);
    instances_hint(f.instances, "p2_db", 5);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    ck_assert(fixture_connected(&f, NULL));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_server_that_restarts_keeps_what_lives_and_loses_what_went)
{
    struct fixture f;

    begin(&f);
    list_answer(&f, &web, &db);
    state_answer(&f, &db, 77, ADDRESS);
    relist(&f);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    fake_http_down(f.fake);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    ck_assert(fixture_has(&f, "web") && fixture_has(&f, "p2_db"));
    list_answer(&f, &web);
    fake_http_replace(f.fake);
    ck_assert(fixture_wait(&f, fixture_lacks, "p2_db"));
    ck_assert(fixture_wait(&f, has_pid, "web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_list_that_fails_buries_nobody)
{
    struct fixture f;
    unsigned lists;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = LIST, .status = 500, .body = "{}", .times = 1});
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_has(&f, "web"));
    fake_http_on(f.fake, &(struct fake_rule){.prefix = LIST,
                                             .body = "{\"metadata\":[{\"name\":7},null,",
                                             .times = 1});
    lists = fake_http_requests(f.fake, LIST);
    ck_assert(fake_http_wait_request(f.fake, LIST, lists + 2, 20000));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_has(&f, "web"));
    fixture_remove(&f);
}
END_TEST

static bool skipped_one(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_counter(f, "engine_records_skipped_total") > 0;
}

START_TEST(a_list_with_an_element_that_cannot_be_read_buries_nobody)
{
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    answer(&f, LIST, "[{\"name\":{}},7]");
    relist(&f);
    ck_assert(fixture_wait(&f, skipped_one, NULL));
    relist(&f);
    ck_assert(fixture_has(&f, "web"));
    answer(&f, LIST, "[]");
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_lacks, "web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(answers_of_any_shape_leave_the_record_and_the_others_alone)
{
    static const char *const texts[] = {"", "rubbish", "[]", "{\"metadata\":7}",
                                        "{\"metadata\":{\"name\":\"other\"}}"};
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, has_pid, "web"));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char id[16], path[64];

        snprintf(id, sizeof(id), "broken%zu", i);
        snprintf(path, sizeof(path), "/1.0/instances/%s?", id);
        fake_http_answer(f.fake, path, 200, texts[i]);
        instances_hint(f.instances, id, strlen(id));
        ck_assert(fake_http_wait_request(f.fake, path, 1, 20000));
    }
    instance_answer(&f, &db);
    state_answer(&f, &db, 77, ADDRESS);
    instances_hint(f.instances, "p2_db", 5);
    ck_assert(fixture_wait(&f, has_pid, "p2_db"));
    ck_assert(has_pid(&f, "web"));
    ck_assert_uint_eq(fixture_count(&f), 2);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("incus", 60, listed_instances_are_complete, a_hint_has_one_instance_asked_for_at_once,
           a_hint_about_somebody_elses_container_comes_to_nothing,
           a_link_in_the_folder_of_containers_is_as_good_as_an_event,
           an_instance_that_was_renamed_is_another_one, a_renamed_project_renames_its_cgroups,
           what_does_not_change_is_not_asked_for_again, an_address_that_comes_late_is_found,
           an_address_that_never_comes_is_given_up,
           a_changed_setting_an_end_and_another_start_are_found_by_listing,
           an_image_that_is_told_of_when_the_instance_has_none_any_more_is_not_its_own,
           instances_of_other_members_of_a_cluster_are_not_here,
           names_of_any_bytes_are_asked_for_and_kept, a_thousand_at_once_are_all_complete,
           whoever_else_answers_is_told_from_incus, a_server_that_comes_late_is_found,
           a_server_that_hangs_is_given_up_and_tried_again, an_instance_that_hangs_delays_no_other,
           a_server_that_restarts_keeps_what_lives_and_loses_what_went,
           a_list_that_fails_buries_nobody,
           a_list_with_an_element_that_cannot_be_read_buries_nobody,
           answers_of_any_shape_leave_the_record_and_the_others_alone)
