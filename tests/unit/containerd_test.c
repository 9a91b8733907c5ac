// SPDX-License-Identifier: Apache-2.0
// The containerd engine, from a fake containerd's socket to the region.
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID_POD "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
#define ID_A   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B   "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

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
    ck_assert(fake_grpc_wait_streams(f->grpc, FAKE_SUBSCRIBE, 1, 20000));
}

static void begin(struct fixture *f)
{
    fixture_make_containerd(f, "containerd");
    run(f);
}

static bool running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING;
}

static bool has_ip(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_POD_IP), "10.1.0.7") == 0;
}

static bool has_pod_name(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_POD_NAME), "web-7f9c") == 0;
}

static bool holds_two(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).containers == 2 && fixture_count(f) == 2;
}

static void check_web(struct fixture *f)
{
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_NAME), "web-7f9c");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_UID), "6f1d2c3b");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_SANDBOX_ID), ID_POD);
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IMAGE_REPO),
                     "registry.example.com:5000/team/app");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IMAGE_TAG), "1.2");
    ck_assert_uint_eq(fixture_flags(f, ID_A) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
}

// --- what is there already -----------------------------------------------------------------------

START_TEST(what_runs_already_is_listed_with_its_pod_and_state)
{
    struct fixture f;

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    fake_containerd_put(f.containerd, &side);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, running, ID_A));
    ck_assert_uint_eq(fixture_status(&f, ID_A).pid, 77);
    check_web(&f);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_IP), "10.1.0.7");
    ck_assert(fixture_has(&f, ID_POD));
    ck_assert_uint_eq(fixture_reason(&f, ID_POD, CMETA_GROUP_IMAGE), CMETA_REASON_POD_SANDBOX);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_list_finds_containers_of_every_namespace_but_tells_them_apart)
{
    struct fake_container first = {.id = "web", .name = "web", .ns = "default", .pid = 5},
                          second = {.id = "web", .name = "web", .ns = "ci", .pid = 6};
    struct fixture f;

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_namespace(f.containerd, "ci");
    fake_containerd_put_image(f.containerd, "ci", FAKE_IMAGE, FAKE_DIGEST);
    fake_containerd_put(f.containerd, &first);
    fake_containerd_put(f.containerd, &second);
    run(&f);
    ck_assert(fixture_wait(&f, holds_two, NULL));
    fixture_remove(&f);
}
END_TEST

// --- events --------------------------------------------------------------------------------------

START_TEST(a_create_event_completes_a_container_and_start_tells_its_pid)
{
    struct fake_container created = web;
    struct fixture f;

    begin(&f);
    fake_containerd_create_pod(f.containerd, &pod);
    created.pid = 0;
    fake_containerd_create(f.containerd, &created);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_state(&f, ID_A), CMETA_STATE_CREATED);
    check_web(&f);
    fake_containerd_start(f.containerd, &web);
    ck_assert(fixture_wait(&f, running, ID_A));
    ck_assert_uint_eq(fixture_status(&f, ID_A).pid, 77);
    fake_containerd_remove(f.containerd, "k8s.io", ID_A);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    ck_assert_uint_eq(CMETA_STATUS_EXIT(fixture_status(&f, ID_A).word), 3);
    check_web(&f); // still readable: Falco's events lag behind
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_whose_pod_is_heard_of_later_is_completed_then)
{
    struct fixture f;

    begin(&f);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert(!fixture_complete(&f, ID_A) || !has_ip(&f, ID_A));
    fake_containerd_create_pod(f.containerd, &pod);
    ck_assert(fixture_wait(&f, has_ip, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

// containerd 1.6 makes the sandbox's record before the pod has a network.
START_TEST(a_pod_address_that_comes_by_update_reaches_its_containers)
{
    struct fixture f;

    begin(&f);
    fake_containerd_create_pod(f.containerd, &pod_without_ip);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, has_pod_name, ID_A));
    ck_assert(!has_ip(&f, ID_A));
    ck_assert(!fixture_complete(&f, ID_A));
    fake_containerd_update_pod(f.containerd, &pod);
    ck_assert(fixture_wait(&f, has_ip, ID_A));
    ck_assert(fixture_wait(&f, has_ip, ID_POD));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

// The lists would bring what an event failed to.
static void wait_for_both_lists(struct fixture *f)
{
    ck_assert(fake_grpc_wait_requests(f->grpc, FAKE_NAMESPACES, 2, 20000));
    ck_assert(fake_grpc_wait_requests(f->grpc, FAKE_TASKS, 6, 20000));
}

static bool is_named_web(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_NAME), "web") == 0;
}

START_TEST(what_is_written_anew_while_it_is_asked_for_is_asked_for_again)
{
    Containerd__GetContainerResponse answer = CONTAINERD__GET_CONTAINER_RESPONSE__INIT;
    Containerd__Container older = CONTAINERD__CONTAINER__INIT;
    uint8_t body[256];
    struct fixture f;

    begin(&f);
    wait_for_both_lists(&f);
    older.id = (char[]){ID_A};
    answer.container = &older;
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){
                             .method = FAKE_GET,
                             .body = body,
                             .body_len = containerd__get_container_response__pack(&answer, body),
                             .delay_ms = 500,
                             .times = 1});
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    fake_containerd_container_event(f.containerd, "k8s.io", "/containers/create", ID_A);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_GET, 1, 20000));
    fake_containerd_container_event(f.containerd, "k8s.io", "/containers/update", ID_A);
    ck_assert(fixture_wait(&f, is_named_web, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_start_that_is_heard_before_the_record_is_answered_counts)
{
    struct fixture f;

    begin(&f);
    wait_for_both_lists(&f);
    fake_containerd_delay(f.containerd, 500);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_GET, 1, 20000));
    fake_containerd_start(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert(fixture_wait(&f, running, ID_A));
    ck_assert_uint_eq(fixture_status(&f, ID_A).pid, 77);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_of_a_namespace_that_appears_later_is_known_by_its_event)
{
    struct fake_container late = {.id = ID_B, .name = "b", .ns = "new", .pid = 9};
    struct fixture f;

    begin(&f);
    fake_containerd_put_namespace(f.containerd, "new");
    fake_containerd_put_image(f.containerd, "new", FAKE_IMAGE, FAKE_DIGEST);
    fake_containerd_create(f.containerd, &late);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fixture_remove(&f);
}
END_TEST

static bool has_digest(struct fixture *f, const void *digest)
{
    return strstr(fixture_text(f, ID_A, CMETA_STRING_IMAGE_DIGEST), digest) != NULL;
}

START_TEST(a_tag_that_moves_is_asked_for_again)
{
    static const char other[] =
        "sha256:3333333333333333333333333333333333333333333333333333333333333333";
    Containerd__NamespaceEvent event = CONTAINERD__NAMESPACE_EVENT__INIT;
    struct fake_container again = web;
    struct fixture f;

    begin(&f);
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(has_digest(&f, FAKE_DIGEST));
    fake_containerd_put_image(f.containerd, "k8s.io", FAKE_IMAGE, other);
    event.name = (char *)(uintptr_t)FAKE_IMAGE;
    fake_containerd_event(f.containerd, "k8s.io", "/images/update", &event.base);
    fake_containerd_remove(f.containerd, "k8s.io", ID_A);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    again.name = "web2";
    fake_containerd_create(f.containerd, &again);
    ck_assert(fixture_wait(&f, has_digest, other));
    fixture_remove(&f);
}
END_TEST

START_TEST(an_image_that_was_pruned_costs_the_digest_alone)
{
    struct fake_container pruned = {
        .id = ID_A, .name = "p", .ns = "default", .image = "old.example.com/x:9", .pid = 3};
    struct fixture f;

    begin(&f);
    fake_containerd_create(f.containerd, &pruned);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_REPO), "old.example.com/x");
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_IMAGE_TAG), "9");
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_gone_before_it_was_asked_for_leaves_nothing)
{
    struct fixture f;

    begin(&f);
    fake_containerd_container_event(f.containerd, "k8s.io", "/containers/create", ID_B);
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web); // asked for after the other
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_lacks(&f, ID_B));
    ck_assert(fixture_wait(&f, holds_two, NULL));
    fixture_remove(&f);
}
END_TEST

// An event that was lost, or a container that nobody announced (the cgroup watcher saw it).
START_TEST(a_hint_finds_a_container_that_no_event_named)
{
    struct fixture f;

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_pod(f.containerd, &pod); // the namespace is in use
    run(&f);
    ck_assert(fixture_wait(&f, fixture_has, ID_POD));
    fake_containerd_put(f.containerd, &web);
    instances_hint(f.instances, "a1a1a1a1a1a1", 12);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

// --- an unchanged node ---------------------------------------------------------------------------

static bool listed_again(struct fixture *f, const void *count)
{
    return fake_grpc_requests(f->grpc, FAKE_TASKS) >= *(const unsigned *)count;
}

// Only the stream is open: the last answer has been sent. The loop takes it in a turn of its own.
static bool is_settled(void *userdata)
{
    struct fixture *f = userdata;

    while (sd_event_run(f->event, 50000) > 0) // nobody would look again after the last event
        ;
    return fake_grpc_open_calls(f->grpc) == 1;
}

START_TEST(listing_an_unchanged_node_again_writes_nothing)
{
    struct fixture f;
    uint64_t revision;
    unsigned tasks;

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    fake_containerd_put(f.containerd, &side);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert(fixture_wait(&f, running, ID_B));
    tasks = 6; // of three namespaces, the second list included
    ck_assert(fixture_wait(&f, listed_again, &tasks));
    revision = fixture_revision(&f);
    tasks = 9;
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, listed_again, &tasks));
    ck_assert(fake_grpc_wait(f.grpc, is_settled, &f, 20000));
    ck_assert_uint_eq(fixture_revision(&f), revision);
    fixture_remove(&f);
}
END_TEST

static bool images_asked(struct fixture *f, const void *count)
{
    return fake_grpc_requests(f->grpc, FAKE_IMAGES) >= *(const unsigned *)count;
}

// A list that had passed its namespace by doesn't name it; its end is an event like any other.
START_TEST(a_container_created_while_a_list_is_under_way_is_heard_to_end)
{
    struct fixture f;
    unsigned tasks, images;

    begin(&f);
    tasks = 6;
    ck_assert(fixture_wait(&f, listed_again, &tasks));
    ck_assert(fake_grpc_wait(f.grpc, is_settled, &f, 20000));
    // the third namespace, "moby", waits for its images; "k8s.io" has been listed by then
    fake_grpc_on(f.grpc,
                 &(struct fake_grpc_rule){.method = FAKE_IMAGES, .delay_ms = 1000, .times = 1});
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = FAKE_IMAGES, .times = 2});
    images = fake_grpc_requests(f.grpc, FAKE_IMAGES) + 3;
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, images_asked, &images));
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_TASKS), tasks); // still under way
    tasks += 3;
    ck_assert(fixture_wait(&f, listed_again, &tasks));
    ck_assert(fake_grpc_wait(f.grpc, is_settled, &f, 20000));
    ck_assert(fixture_has(&f, ID_A));
    fake_containerd_remove(f.containerd, "k8s.io", ID_A);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    fixture_remove(&f);
}
END_TEST

// --- an engine that restarts, hangs, or is another -----------------------------------------------

static bool named(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_NAME), name) == 0 && fixture_complete(f, ID_A);
}

// charts 632, 1052, falco 3979: a socket that was replaced is the engine, the old one is nothing.
START_TEST(an_engine_restarted_200_times_is_complete_again_each_time)
{
    struct fake_container one = web;
    struct fixture f;
    char name[16];

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    run(&f);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "web-%d", i);
        one.name = name;
        fake_containerd_put(f.containerd, &one);
        fake_grpc_restart(f.grpc);
        ck_assert_msg(fixture_wait(&f, named, name), "not complete after restart %d", i);
    }
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_wait(&f, holds_two, NULL));
    fixture_remove(&f);
}
END_TEST

START_TEST(containers_of_an_engine_that_is_down_stay_until_it_says_otherwise)
{
    struct fixture f;

    fixture_make_containerd(&f, "containerd");
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    fake_containerd_put(f.containerd, &side);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fake_grpc_down(f.grpc);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    ck_assert(fixture_has(&f, ID_A));
    fake_containerd_drop(f.containerd, "k8s.io", ID_B); // ended meanwhile
    fake_grpc_replace(f.grpc);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool asked_often(struct fixture *f, const void *method)
{
    return fake_grpc_requests(f->grpc, method) >= 4;
}

START_TEST(an_event_stream_ended_at_once_for_ever_is_no_busy_loop)
{
    struct fixture f;
    uint64_t began, took_ms;

    fixture_make_containerd(&f, "containerd");
    fake_grpc_status(f.grpc, FAKE_SUBSCRIBE, 0, NULL);
    fixture_run(&f, "");
    began = now_ms();
    ck_assert(fixture_wait(&f, asked_often, FAKE_SUBSCRIBE));
    took_ms = now_ms() - began;
    // the first comes at once, each further one a second later at the earliest; half is generous
    ck_assert_uint_ge(took_ms, 500);
    fixture_remove(&f);
}
END_TEST

START_TEST(an_engine_without_the_api_is_said_to_be_none_and_is_asked_seldom)
{
    struct fixture f;
    uint64_t began;

    fixture_make_containerd(&f, "containerd");
    fake_grpc_status(f.grpc, NULL, 12, "unknown service");
    fixture_run(&f, "");
    began = now_ms();
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert_ptr_nonnull(strstr(fixture_row(&f, 0).last_error, "no containerd API"));
    ck_assert(fixture_wait(&f, asked_often, FAKE_VERSION));
    ck_assert_uint_ge(now_ms() - began, 500);
    fixture_remove(&f);
}
END_TEST

// falco 3953, plugins 1487: a hung engine delays its own containers alone.
START_TEST(a_hung_engine_leaves_another_alone_wherever_it_hangs)
{
    static const char *const methods[] = {FAKE_VERSION, FAKE_NAMESPACES, FAKE_LISTSTREAM,
                                          FAKE_TASKS, FAKE_IMAGES};
    struct fixture f;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        fixture_make(&f);
        fixture_add_containerd(&f);
        fake_containerd_put(f.containerd, &web);
        fake_grpc_on(f.grpc,
                     &(struct fake_grpc_rule){.method = methods[i], .action = FAKE_GRPC_HANG});
        fake_http_answer(f.fake, "/v1.41/containers/json", 200,
                         "[{\"Id\":\"" ID_B "\",\"Names\":[\"/b\"],\"State\":\"running\"}]");
        fixture_run(&f, "");
        ck_assert(fake_grpc_wait_requests(f.grpc, methods[i], 1, 20000));
        ck_assert(fixture_wait(&f, fixture_connected, NULL)); // Docker's row is the first
        ck_assert(fixture_wait(&f, fixture_has, ID_B));
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(a_hung_get_delays_no_other_container)
{
    struct fixture f;

    begin(&f);
    fake_grpc_on(
        f.grpc, &(struct fake_grpc_rule){.method = FAKE_GET, .action = FAKE_GRPC_HANG, .times = 1});
    fake_containerd_container_event(f.containerd, "k8s.io", "/containers/create", ID_B);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_GET, 1, 20000));
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

// One daemon listed under its upstream name: its containers are containerd's all the same.
START_TEST(a_containerd_listed_as_cri_is_driven_by_its_own_api)
{
    struct fake_container foreign = {.id = ID_B, .name = "b", .ns = "default", .pid = 9};
    struct fixture f;

    fixture_make_containerd(&f, "cri");
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_put(f.containerd, &web);
    fake_containerd_put(f.containerd, &foreign);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_CONTAINERD);
    ck_assert(fixture_lacks(&f, ID_B)); // Kubernetes' namespace alone, as upstream has it
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_CRI_EVENTS), 0); // the kubelet's
    fixture_remove(&f);
}
END_TEST

// --- Docker's containers -------------------------------------------------------------------------

static bool docker_named(struct fixture *f, const void *name)
{
    return strcmp(fixture_text(f, ID_A, CMETA_STRING_NAME), name) == 0;
}

START_TEST(a_container_of_docker_and_of_its_containerd_is_one_record)
{
    static const char *const labels[] = {"com.docker/engine.bundle.path", "/run/x", NULL};
    struct fake_container dockers = {
        .id = ID_A, .name = "", .ns = "moby", .image = "", .pid = 77, .labels = labels};
    struct fixture f;

    fixture_make(&f);
    fixture_add_containerd(&f);
    fake_containerd_put(f.containerd, &dockers);
    fake_http_answer(f.fake, "/v1.41/containers/json", 200,
                     "[{\"Id\":\"" ID_A "\",\"Names\":[\"/dock\"],\"Image\":\"i:1\",\"State\":"
                     "\"running\"}]");
    fake_http_answer(
        f.fake, "/v1.41/containers/" ID_A "/json", 200,
        "{\"Id\":\"" ID_A "\",\"Name\":\"/dock\",\"State\":{\"Status\":\"running\","
        "\"Pid\":77},\"Image\":\"sha256:6b80\",\"Config\":{\"Image\":\"i:1\",\"Labels\":"
        "{}},\"HostConfig\":{\"Privileged\":false,\"NetworkMode\":\"none\"},\"Mounts\":"
        "[],\"NetworkSettings\":{\"Networks\":{}}}");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, docker_named, "dock"));
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_DOCKER);
    ck_assert_uint_eq(fixture_count(&f), 1);
    // containerd's word that it ended there is not Docker's
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_SUBSCRIBE, 1, 20000));
    fake_containerd_remove(f.containerd, "moby", ID_A);
    fake_containerd_create_pod(f.containerd, &pod);
    ck_assert(fixture_wait(&f, fixture_has, ID_POD));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

// Docker hasn't answered yet: what rules read of security is there all the same.
START_TEST(mobys_record_tells_security_and_mounts_before_docker_answers)
{
    struct fake_container dockers = {.id = ID_A, .name = "", .ns = "moby", .image = "", .pid = 77};
    const uint32_t early =
        CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) | CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS);
    struct fixture f;

    fixture_make(&f);
    fixture_add_containerd(&f);
    fake_http_on(f.fake,
                 &(struct fake_rule){.prefix = "/v1.41/containers/" ID_A, .action = FAKE_HANG});
    fixture_run(&f, "");
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_SUBSCRIBE, 1, 20000));
    fake_containerd_create(f.containerd, &dockers);
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert_uint_eq(fixture_known(&f, ID_A) & early, early);
    fixture_remove(&f);
}
END_TEST

// --- hostile -------------------------------------------------------------------------------------

START_TEST(a_record_without_a_spec_or_with_nonsense_in_it_costs_its_groups_alone)
{
    static const char *const specs[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "\"x\"",
                                        "{\"process\":7,\"linux\":[]}",
                                        "{\"linux\":{\"resources\":\"x\",\"namespaces\":{}}}",
                                        "{\"mounts\":[1,null,{\"destination\":{}}]}"};
    struct fixture f;
    char id[65];

    begin(&f);
    for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        struct fake_container broken = {
            .id = id, .name = "b", .ns = "default", .spec = specs[i], .pid = 3};

        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        fake_containerd_create(f.containerd, &broken);
        ck_assert(fixture_wait(&f, fixture_has, id));
        ck_assert_uint_ne(fixture_known(&f, id) & CMETA_GROUP_BIT(CMETA_GROUP_LABELS), 0);
    }
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

// Bytes that no protobuf decoder takes, or that mean anything at all, from everywhere.
START_TEST(hostile_bytes_from_every_method_never_end_the_engine)
{
    static const char *const methods[] = {FAKE_VERSION,  FAKE_NAMESPACES, FAKE_LISTSTREAM,
                                          FAKE_TASKS,    FAKE_IMAGES,     FAKE_GET,
                                          FAKE_IMAGE_GET};
    static const struct {
        const char *bytes;
        size_t len;
    } bodies[] = {{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
                  {"\n\xff\xff\xff\xff\x0f", 6},
                  {"\n\x03\n\x01", 4},
                  {"\n\x00", 2},
                  {"\n\x04\n\x02\xff\xfe", 6},
                  {"\x00\x00", 2},
                  {"\x0b\x0b\x0b", 3}};
    struct fixture f;

    begin(&f);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
            fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = methods[i],
                                                          .body = bodies[b].bytes,
                                                          .body_len = bodies[b].len,
                                                          .times = 1});
    for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
        fake_grpc_push(f.grpc, FAKE_SUBSCRIBE, bodies[b].bytes, bodies[b].len);
    fake_containerd_put_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    for (int i = 0; i < 40 && !fixture_complete(&f, ID_A); i++) { // each lays its answers bare
        fake_grpc_restart(f.grpc);
        fixture_wait(&f, fixture_complete, ID_A);
    }
    ck_assert(fixture_complete(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(events_with_ids_of_any_shape_are_survived)
{
    char longest[4096];
    static const char *const ids[] = {"", "/", "..", "\n", "\"", "a b", "%s%n", "\xc3\xa9"};
    struct fixture f;

    begin(&f);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        fake_containerd_container_event(f.containerd, "k8s.io", "/containers/create", ids[i]);
        fake_containerd_container_event(f.containerd, ids[i], "/containers/create", ID_B);
        fake_containerd_container_event(f.containerd, "k8s.io", "/containers/delete", ids[i]);
    }
    fake_containerd_container_event(f.containerd, "k8s.io", "/containers/create", longest);
    fake_containerd_container_event(f.containerd, longest, "/containers/create", ID_B);
    fake_containerd_create_pod(f.containerd, &pod);
    fake_containerd_create(f.containerd, &web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("containerd", 120, what_runs_already_is_listed_with_its_pod_and_state,
           a_list_finds_containers_of_every_namespace_but_tells_them_apart,
           a_create_event_completes_a_container_and_start_tells_its_pid,
           a_container_whose_pod_is_heard_of_later_is_completed_then,
           a_pod_address_that_comes_by_update_reaches_its_containers,
           what_is_written_anew_while_it_is_asked_for_is_asked_for_again,
           a_start_that_is_heard_before_the_record_is_answered_counts,
           a_container_of_a_namespace_that_appears_later_is_known_by_its_event,
           a_tag_that_moves_is_asked_for_again, an_image_that_was_pruned_costs_the_digest_alone,
           a_container_gone_before_it_was_asked_for_leaves_nothing,
           a_hint_finds_a_container_that_no_event_named,
           listing_an_unchanged_node_again_writes_nothing,
           a_container_created_while_a_list_is_under_way_is_heard_to_end,
           an_engine_restarted_200_times_is_complete_again_each_time,
           containers_of_an_engine_that_is_down_stay_until_it_says_otherwise,
           an_event_stream_ended_at_once_for_ever_is_no_busy_loop,
           an_engine_without_the_api_is_said_to_be_none_and_is_asked_seldom,
           a_hung_engine_leaves_another_alone_wherever_it_hangs,
           a_hung_get_delays_no_other_container,
           a_containerd_listed_as_cri_is_driven_by_its_own_api,
           a_container_of_docker_and_of_its_containerd_is_one_record,
           mobys_record_tells_security_and_mounts_before_docker_answers,
           a_record_without_a_spec_or_with_nonsense_in_it_costs_its_groups_alone,
           hostile_bytes_from_every_method_never_end_the_engine,
           events_with_ids_of_any_shape_are_survived)
