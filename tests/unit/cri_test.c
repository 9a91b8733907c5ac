// SPDX-License-Identifier: Apache-2.0
// The CRI engine, from the socket of a fake CRI-O to the region.
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID_POD  "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
#define ID_POD2 "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1"
#define ID_A    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

static const struct fake_pod pod = {
    .id = ID_POD, .name = "web-7f9c", .ns = "shop", .uid = "6f1d2c3b", .ip = "10.1.0.7"};
static const struct fake_pod pod_without_ip = {
    .id = ID_POD, .name = "web-7f9c", .ns = "shop", .uid = "6f1d2c3b"};
static const struct fake_container web = {
    .id = ID_A, .name = "web", .pod = &pod, .pid = 77, .privileged = true};
static const struct fake_container side = {.id = ID_B, .name = "side", .pod = &pod, .pid = 78};

static void run(struct fixture *f)
{
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
}

// With a pod and a container, and events.
static void begin(struct fixture *f)
{
    fixture_make_cri(f, "cri");
    fake_cri_enable_events(f->cri);
    fake_cri_put_pod(f->cri, &pod);
    fake_cri_put(f->cri, &web);
    run(f);
    ck_assert(fake_grpc_wait_streams(f->grpc, FAKE_CRI_EVENTS, 1, 20000));
}

static bool running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING;
}

static bool has_ip(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_POD_IP), "10.1.0.7") == 0;
}

// The last answer was sent, and the loop has nothing to do any more.
static bool is_settled(void *userdata)
{
    struct fixture *f = userdata;

    while (sd_event_run(f->event, 50000) > 0) // nobody would look again after the last event
        ;
    return fake_grpc_open_calls(f->grpc) == 0;
}

static bool has_limit(struct fixture *f, const void *bytes)
{
    struct cmeta_region region;
    cmeta_handle handle;
    struct cmeta_view view;
    struct cmeta_container container;
    void *scratch = NULL;
    bool same;

    if (!fixture_find(f, ID_A, &region, &handle) || !cmeta_reader_record(&region, handle, &view) ||
        cmeta_view_decode(&view, &container, &scratch) < 0)
        return false;
    same = container.memory_limit == *(const int64_t *)bytes;
    free(scratch);
    return same;
}

// The same, where the stream of events stays open.
static bool is_quiet(void *userdata)
{
    struct fixture *f = userdata;

    while (sd_event_run(f->event, 50000) > 0)
        ;
    return fake_grpc_open_calls(f->grpc) <= 1;
}

static bool both_complete(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_complete(f, ID_A) && fixture_complete(f, ID_B);
}

static void check_web(struct fixture *f)
{
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_NAME), "web-7f9c");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_SANDBOX_ID), ID_POD);
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_IP), "10.1.0.7");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IMAGE_REPO),
                     "registry.example.com:5000/team/app");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IMAGE_TAG), "1.2");
    ck_assert_uint_eq(fixture_flags(f, ID_A) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_type(f, ID_A), CMETA_TYPE_CRIO);
    ck_assert_uint_eq(fixture_status(f, ID_A).pid, 77);
}

// --- the way of a container ----------------------------------------------------------------------

// falco 3610, 3630: CRI-O ends the event stream at once unless it is told to keep it.
START_TEST(without_events_what_runs_is_complete_from_the_list)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_cri_put(f.cri, &side);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    check_web(&f);
    ck_assert(fixture_wait(&f, fixture_has, ID_POD));
    ck_assert_uint_eq(fixture_reason(&f, ID_POD, CMETA_GROUP_IMAGE), CMETA_REASON_POD_SANDBOX);
    fixture_remove(&f);
}
END_TEST

START_TEST(without_events_a_new_container_and_an_end_are_found_by_listing)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_cri_put(f.cri, &side);
    fake_cri_drop(f.cri, ID_A);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B)); // the lists come every ten seconds
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    fixture_remove(&f);
}
END_TEST

// Events come, so that all is listed once a minute only.
static unsigned begin_alone(struct fixture *f)
{
    fixture_make_cri(f, "cri");
    fake_cri_enable_events(f->cri);
    run(f);
    ck_assert(fake_grpc_wait_streams(f->grpc, FAKE_CRI_EVENTS, 1, 20000));
    return fake_grpc_requests(f->grpc, FAKE_CRI_LIST);
}

START_TEST(a_hint_has_one_container_asked_for_at_once)
{
    struct fixture f;
    unsigned lists = begin_alone(&f);

    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_cri_put(f.cri, &side);
    instances_hint(f.instances, "a1a1a1a1a1a1", 12);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists + 1);
    ck_assert(fixture_lacks(&f, ID_B)); // nobody named it
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_finds_a_pods_sandbox)
{
    struct fixture f;

    begin_alone(&f);
    fake_cri_put_pod(f.cri, &pod);
    instances_hint(f.instances, ID_POD, 64);
    ck_assert(fixture_wait(&f, fixture_has, ID_POD));
    fixture_remove(&f);
}
END_TEST

// A cgroup is made before the runtime lists the container.
START_TEST(a_hint_about_what_is_not_listed_yet_is_followed_up)
{
    struct fixture f;
    unsigned lists = begin_alone(&f);

    instances_hint(f.instances, ID_A, 64);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_CRI_LIST, lists + 1, 20000));
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_CRI_PODS, lists + 1, 20000));
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

static bool listed(struct fixture *f, const void *count)
{
    return fake_grpc_requests(f->grpc, FAKE_CRI_LIST) >= *(const unsigned *)count;
}

START_TEST(hints_about_one_container_are_one_question_at_a_time)
{
    struct fixture f;
    unsigned lists = begin_alone(&f) + 1;

    // one that was answered before the container was there, and is still on its way
    fake_grpc_on(f.grpc,
                 &(struct fake_grpc_rule){.method = FAKE_CRI_LIST, .delay_ms = 500, .times = 1});
    instances_hint(f.instances, ID_A, 64);
    ck_assert(fixture_wait(&f, listed, &lists));
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    for (int i = 0; i < 1000; i++)
        instances_hint(f.instances, ID_A, 64);
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists + 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(more_hints_than_are_followed_up_have_all_listed_once)
{
    struct fixture f;
    unsigned lists = begin_alone(&f);
    char id[65];

    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        instances_hint(f.instances, id, 64);
    }
    instances_hint(f.instances, ID_A, 64);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    // 32 at a time, four times each, and a list
    ck_assert_uint_le(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists + 4 * 32 + 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_that_is_no_id_comes_to_nothing)
{
    struct fixture f;
    unsigned lists = begin_alone(&f);
    static char longest[4096];

    memset(longest, 'a', sizeof(longest));
    instances_hint(f.instances, longest, sizeof(longest));
    instances_hint(f.instances, "", 0);
    instances_hint(f.instances, "a\0b", 3);
    instances_hint(f.instances, "../x", 4);
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    instances_hint(f.instances, ID_A, 64);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists + 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(events_bring_a_container_from_creation_to_its_end)
{
    struct fake_container created = side;
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    created.pid = 0;
    fake_cri_put(f.cri, &created);
    fake_cri_event(f.cri, FAKE_CREATED, ID_B, false);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert_uint_eq(fixture_state(&f, ID_B), CMETA_STATE_CREATED);
    fake_cri_put(f.cri, &side);
    fake_cri_event(f.cri, FAKE_STARTED, ID_B, false);
    ck_assert(fixture_wait(&f, running, ID_B));
    ck_assert_uint_eq(fixture_status(&f, ID_B).pid, 78);
    fake_cri_drop(f.cri, ID_B);
    fake_cri_event(f.cri, FAKE_DELETED, ID_B, false);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert_str_eq(fixture_text(&f, ID_B, CMETA_STRING_NAME), "side"); // events lag behind
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_pod_address_that_comes_later_reaches_its_containers)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_enable_events(f.cri);
    fake_cri_put_pod(f.cri, &pod_without_ip);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_CRI_EVENTS, 1, 20000));
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert(!has_ip(&f, ID_A));
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_event(f.cri, FAKE_STARTED, ID_POD, true);
    ck_assert(fixture_wait(&f, has_ip, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_pod_that_is_heard_of_after_its_container_completes_it)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_enable_events(f.cri);
    run(&f);
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_CRI_EVENTS, 1, 20000));
    fake_cri_put(f.cri, &web);
    fake_cri_event(f.cri, FAKE_CREATED, ID_A, false);
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_event(f.cri, FAKE_CREATED, ID_POD, true);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

// --- bad answers ---------------------------------------------------------------------------------

// falco 3960: an `info` of another shape after an upgrade of the runtime took Falco down.
START_TEST(an_info_of_any_shape_costs_what_only_it_tells)
{
    static const char *const infos[] = {
        "",
        "{",
        "not JSON",
        "[]",
        "null",
        "7",
        "\"{}\"",
        "{\"runtimeSpec\":null}",
        "{\"runtimeSpec\":[],\"pid\":\"x\",\"privileged\":3,\"sandboxID\":{}}",
        "{\"runtimeSpec\":{\"process\":[],\"linux\":7,\"mounts\":{}}}",
        "{\"runtimeSpec\":{\"linux\":{\"namespaces\":[null,7,{\"type\":{}}],\"resources\":[]}}}",
        "{\"pid\":99999999999999999999,\"sandboxID\":\"" ID_POD "\"}",
        "{\"config\":7}"};
    enum { COUNT = sizeof(infos) / sizeof(infos[0]) };
    static char ids[COUNT][65];
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    for (unsigned i = 0; i < COUNT; i++) {
        struct fake_container broken = {
            .id = ids[i], .name = "broken", .pod = &pod, .pid = 5, .info = infos[i]};

        snprintf(ids[i], sizeof(ids[i]), "%012x%052x", i + 1, i);
        fake_cri_put(f.cri, &broken);
    }
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert(fixture_wait(&f, has_ip, ids[i]));
        ck_assert_str_eq(fixture_text(&f, ids[i], CMETA_STRING_NAME), "broken");
        ck_assert_uint_ne(fixture_known(&f, ids[i]) & CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS), 0);
        // never "not privileged" where nobody said so
        ck_assert_uint_eq(fixture_flags(&f, ids[i]) & CMETA_FLAG_PRIVILEGED, 0);
    }
    fixture_remove(&f);
}
END_TEST

START_TEST(a_status_that_is_null_or_of_another_container_leaves_the_others_alone)
{
    Cri__ContainerStatusResponse empty = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    uint8_t bytes[64];
    size_t len;
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &side);
    len = protobuf_c_message_pack(&empty.base, bytes);
    fake_cri_put_status(f.cri, ID_B, bytes, len);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_has, ID_B)); // the list's word at least
    ck_assert_str_eq(fixture_text(&f, ID_B, CMETA_STRING_NAME), "side");
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_gone_between_list_and_status_is_gone)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_cri_put(f.cri, &side);
    fake_cri_drop_status(f.cri, ID_B);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    fixture_remove(&f);
}
END_TEST

// libs 402: CRI-O answers "not yet created" for what it has just announced.
START_TEST(a_container_not_found_at_first_is_asked_for_again)
{
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){
                             .method = FAKE_CRI_STATUS,
                             .action = FAKE_GRPC_END,
                             .status = 2,
                             .text = "specified container not found: is not yet created",
                             .times = 1});
    fake_cri_put(f.cri, &side);
    fake_cri_event(f.cri, FAKE_CREATED, ID_B, false);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fixture_remove(&f);
}
END_TEST

// libs 1775: one failed question about the sandbox and the labels were missing for ever.
START_TEST(a_pod_that_failed_to_answer_once_is_asked_again)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = FAKE_CRI_POD,
                                                  .action = FAKE_GRPC_END,
                                                  .status = 13,
                                                  .text = "busy",
                                                  .times = 2});
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

#define LABELS 500u

START_TEST(five_hundred_labels_of_4_kib_and_keys_of_every_byte_are_survived)
{
    static char values[LABELS][4097], keys[LABELS][32];
    static const char *labels[2 * LABELS + 1];
    struct fake_container heavy = {.id = ID_B, .name = "heavy", .pod = &pod, .pid = 6};
    struct fixture f;

    for (unsigned i = 0; i < LABELS; i++) {
        memset(values[i], 'a' + (int)(i % 26), 4096);
        // 1 to 255: a NUL would end a string of C
        snprintf(keys[i], sizeof(keys[i]), "k%c%u", (int)(i % 255 + 1), i);
        labels[2 * i] = keys[i];
        labels[2 * i + 1] = values[i];
    }
    heavy.labels = labels;
    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &heavy);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fixture_remove(&f);
}
END_TEST

START_TEST(hostile_bytes_from_every_method_never_end_the_engine)
{
    static const char *const methods[] = {FAKE_CRI_VERSION, FAKE_CRI_PODS, FAKE_CRI_LIST,
                                          FAKE_CRI_STATUS,  FAKE_CRI_POD,  FAKE_CRI_IMAGE};
    static const struct {
        const char *bytes;
        size_t len;
    } bodies[] = {{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
                  {"\n\xff\xff\xff\xff\x0f", 6},
                  {"\n\x03\n\x01", 4},
                  {"\n\x00", 2},
                  {"\x12\x04\n\x02\xff\xfe", 6},
                  {"\x0b\x0b\x0b", 3}};
    struct fixture f;

    begin(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
            fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = methods[i],
                                                          .body = bodies[b].bytes,
                                                          .body_len = bodies[b].len,
                                                          .times = 1});
    for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
        fake_grpc_push(f.grpc, FAKE_CRI_EVENTS, bodies[b].bytes, bodies[b].len);
    fake_cri_put(f.cri, &side);
    // each new connection lists all: what was answered nonsense is asked for then
    for (int i = 0; i < 80 && !both_complete(&f, NULL); i++) {
        fake_grpc_restart(f.grpc);
        ck_assert(fixture_wait(&f, fixture_connected, NULL));
        ck_assert(fake_grpc_wait(f.grpc, is_quiet, &f, 20000));
    }
    ck_assert(both_complete(&f, NULL));
    fixture_remove(&f);
}
END_TEST

// --- an unchanged node, a restart, a hung one ----------------------------------------------------

START_TEST(listing_an_unchanged_node_again_writes_nothing_and_asks_about_one)
{
    unsigned lists, statuses;
    uint64_t revision;
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_cri_put(f.cri, &side);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fake_grpc_wait(f.grpc, is_settled, &f, 20000));
    revision = fixture_revision(&f);
    statuses = fake_grpc_requests(f.grpc, FAKE_CRI_STATUS);
    for (int i = 0; i < 3; i++) {
        lists = fake_grpc_requests(f.grpc, FAKE_CRI_LIST) + 1;
        instances_relist(f.instances);
        ck_assert(fixture_wait(&f, listed, &lists));
        ck_assert(fake_grpc_wait(f.grpc, is_settled, &f, 20000));
    }
    ck_assert_uint_eq(fixture_revision(&f), revision);
    ck_assert_uint_le(fake_grpc_requests(f.grpc, FAKE_CRI_STATUS), statuses + 3);
    fixture_remove(&f);
}
END_TEST

// As a kubelet does that resizes a pod in place: the state stays, and no runtime has an event.
START_TEST(a_change_that_nothing_tells_is_noticed_when_its_turn_has_come)
{
    static const int64_t before = 268435456, after = 536870912;
    struct fake_container resized = web;
    struct fixture f;
    unsigned lists;

    resized.info = "{\"pid\":77,\"runtimeSpec\":{\"linux\":{\"resources\":{\"memory\":{"
                   "\"limit\":536870912}}}}}";
    begin(&f);
    fake_cri_put(f.cri, &side);
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, both_complete, NULL));
    ck_assert(fake_grpc_wait(f.grpc, is_quiet, &f, 20000));
    ck_assert(has_limit(&f, &before));
    fake_cri_put(f.cri, &resized);
    for (int i = 0; i < 3 && !has_limit(&f, &after); i++) { // two have their turn, and it goes on
        lists = fake_grpc_requests(f.grpc, FAKE_CRI_LIST) + 1;
        instances_relist(f.instances);
        ck_assert(fixture_wait(&f, listed, &lists));
        ck_assert(fake_grpc_wait(f.grpc, is_quiet, &f, 20000));
    }
    ck_assert(has_limit(&f, &after));
    fixture_remove(&f);
}
END_TEST

static bool is_given_up(struct fixture *f, const void *id)
{
    return fixture_reason(f, id, CMETA_GROUP_SECURITY) == CMETA_REASON_ENGINE_UNREACHABLE;
}

START_TEST(a_status_that_makes_no_sense_is_asked_for_once_a_list)
{
    unsigned lists;
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_enable_events(f.cri);
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &side);
    fake_cri_put_status(f.cri, ID_B, "", 0);
    run(&f);
    ck_assert(fixture_wait(&f, is_given_up, ID_B));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_STATUS), 1);
    for (int i = 0; i < 3; i++) {
        lists = fake_grpc_requests(f.grpc, FAKE_CRI_LIST) + 1;
        instances_relist(f.instances);
        ck_assert(fixture_wait(&f, listed, &lists));
        ck_assert(fake_grpc_wait(f.grpc, is_quiet, &f, 20000));
        ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_STATUS),
                          fake_grpc_requests(f.grpc, FAKE_CRI_LIST));
    }
    fake_cri_put(f.cri, &side);
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_created_while_a_list_is_under_way_is_heard_to_end)
{
    struct fixture f;
    unsigned lists;

    begin(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    lists = fake_grpc_requests(f.grpc, FAKE_CRI_LIST) + 1;
    fake_grpc_on(f.grpc,
                 &(struct fake_grpc_rule){.method = FAKE_CRI_LIST, .delay_ms = 1000, .times = 1});
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, listed, &lists));
    fake_cri_put(f.cri, &side);
    fake_cri_event(f.cri, FAKE_CREATED, ID_B, false);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_has(&f, ID_A));
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A)); // the list came, and was empty
    ck_assert(fixture_has(&f, ID_B));
    fake_cri_drop(f.cri, ID_B);
    fake_cri_event(f.cri, FAKE_DELETED, ID_B, false);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_LIST), lists); // no list told it
    fixture_remove(&f);
}
END_TEST

static bool named(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_NAME), name) == 0 && fixture_complete(f, ID_A);
}

START_TEST(an_engine_restarted_200_times_is_complete_again_each_time)
{
    static char ids[200][65];
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, named, "web"));
    for (unsigned i = 0; i < 200; i++) { // a container more each time, and the last one gone
        struct fake_container one = {.id = ids[i], .name = "one", .pod = &pod, .pid = 9};

        snprintf(ids[i], sizeof(ids[i]), "%012x%052x", i + 1, i);
        fake_cri_put(f.cri, &one);
        if (i)
            fake_cri_drop(f.cri, ids[i - 1]);
        fake_grpc_restart(f.grpc);
        ck_assert_msg(fixture_wait(&f, fixture_complete, ids[i]), "not after restart %u", i);
        ck_assert(!i || fixture_wait(&f, fixture_lacks, ids[i - 1]));
    }
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(an_event_stream_ended_at_once_is_asked_for_at_most_once_a_second)
{
    struct fixture f;
    uint64_t began;
    unsigned lists;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    began = now_ms();
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    for (lists = 2; lists < 12; lists++) { // whatever happens meanwhile
        instances_relist(f.instances);
        ck_assert(fixture_wait(&f, listed, &lists));
    }
    ck_assert_uint_le(fake_grpc_requests(f.grpc, FAKE_CRI_EVENTS), 2 + (now_ms() - began) / 1000);
    fixture_remove(&f);
}
END_TEST

static bool asked_four_times(struct fixture *f, const void *method)
{
    return fake_grpc_requests(f->grpc, method) >= 4;
}

START_TEST(who_answers_unimplemented_everywhere_is_asked_seldom_and_told_apart)
{
    struct fixture f;
    uint64_t began;

    fixture_make_cri(&f, "cri");
    fake_grpc_status(f.grpc, NULL, 12, "unknown service runtime.v1.RuntimeService");
    fixture_run(&f, "");
    began = now_ms();
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "runtime.v1"));
    ck_assert(fixture_wait(&f, asked_four_times, FAKE_CRI_VERSION));
    ck_assert_uint_ge(now_ms() - began, 500);
    fixture_remove(&f);
}
END_TEST

START_TEST(an_event_stream_that_is_unimplemented_is_done_without)
{
    struct fixture f;

    fixture_make_cri(&f, "cri"); // cri-dockerd
    fake_grpc_status(f.grpc, FAKE_CRI_EVENTS, 12, "unknown method");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(an_event_stream_that_fails_is_done_without)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_grpc_status(f.grpc, FAKE_CRI_EVENTS, 13, "the event server is broken");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    ck_assert_uint_eq(fake_grpc_accepted(f.grpc), 1); // nor is it begun anew
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hung_status_delays_no_other_container)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_cri_put(f.cri, &side);
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){
                             .method = FAKE_CRI_STATUS, .action = FAKE_GRPC_HANG, .times = 1});
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B)); // the hung one at its second try
    fixture_remove(&f);
}
END_TEST

START_TEST(an_engine_that_hangs_at_the_list_is_begun_anew)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){
                             .method = FAKE_CRI_LIST, .action = FAKE_GRPC_HANG, .times = 1});
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_failed, NULL)); // after ten seconds
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(another_runtime_is_cri_without_a_name)
{
    struct fixture f;

    fixture_make_cri(&f, "cri");
    fake_cri_free(f.cri);
    f.cri = fake_cri_serve(f.grpc, "docker");
    fake_cri_put_pod(f.cri, &pod);
    fake_cri_put(f.cri, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_CRI);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("cri", 150, without_events_what_runs_is_complete_from_the_list,
           without_events_a_new_container_and_an_end_are_found_by_listing,
           a_hint_has_one_container_asked_for_at_once, a_hint_finds_a_pods_sandbox,
           a_hint_about_what_is_not_listed_yet_is_followed_up,
           hints_about_one_container_are_one_question_at_a_time,
           more_hints_than_are_followed_up_have_all_listed_once,
           a_hint_that_is_no_id_comes_to_nothing, events_bring_a_container_from_creation_to_its_end,
           a_pod_address_that_comes_later_reaches_its_containers,
           a_pod_that_is_heard_of_after_its_container_completes_it,
           an_info_of_any_shape_costs_what_only_it_tells,
           a_status_that_is_null_or_of_another_container_leaves_the_others_alone,
           a_container_gone_between_list_and_status_is_gone,
           a_container_not_found_at_first_is_asked_for_again,
           a_pod_that_failed_to_answer_once_is_asked_again,
           five_hundred_labels_of_4_kib_and_keys_of_every_byte_are_survived,
           hostile_bytes_from_every_method_never_end_the_engine,
           listing_an_unchanged_node_again_writes_nothing_and_asks_about_one,
           a_change_that_nothing_tells_is_noticed_when_its_turn_has_come,
           a_status_that_makes_no_sense_is_asked_for_once_a_list,
           a_container_created_while_a_list_is_under_way_is_heard_to_end,
           an_engine_restarted_200_times_is_complete_again_each_time,
           an_event_stream_ended_at_once_is_asked_for_at_most_once_a_second,
           who_answers_unimplemented_everywhere_is_asked_seldom_and_told_apart,
           an_event_stream_that_is_unimplemented_is_done_without,
           an_event_stream_that_fails_is_done_without, a_hung_status_delays_no_other_container,
           an_engine_that_hangs_at_the_list_is_begun_anew, another_runtime_is_cri_without_a_name)
