// SPDX-License-Identifier: Apache-2.0
// The Edera engine, from the socket of a fake control service to the region; and its mapping.
#include "containerd-meta/engine/edera_record.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE "7b19ad5a-1bd1-4c3f-9e6f-6a591fd569ff"
#define ID_A "51cf7397-cc6e-493b-827c-68f6139d7a97"
#define ID_B "9f76bfbd-977d-4282-9857-f197df906809"

static const struct fake_zone zone = {
    .id = ZONE, .name = "payments", .address = "10.75.0.2/16", .state = 3};
static const struct fake_workload web = {
    .id = ID_A, .name = "web", .zone_id = ZONE, .role = "front", .state = 3};
static const struct fake_workload db = {.id = ID_B, .name = "db", .zone_id = ZONE, .state = 3};

static void run(struct fixture *f)
{
    fixture_run(f, "");
    ck_assert(fixture_wait(f, fixture_connected, NULL));
}

static void begin(struct fixture *f)
{
    fixture_make_edera(f, "edera");
    fake_edera_put_zone(f->edera, &zone);
    fake_edera_put(f->edera, &web);
    run(f);
    ck_assert(fake_grpc_wait_streams(f->grpc, FAKE_EDERA_WATCH, 1, 20000));
    ck_assert(fixture_wait(f, fixture_complete, ID_A));
}

static void relist(struct fixture *f)
{
    unsigned lists = fake_grpc_requests(f->grpc, FAKE_EDERA_WORKLOADS);

    instances_relist(f->instances);
    ck_assert(fake_grpc_wait_requests(f->grpc, FAKE_EDERA_WORKLOADS, lists + 1, 20000));
}

static bool running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING;
}

static bool exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

static bool has_ip(struct fixture *f, const void *id)
{
    return strcmp(fixture_text(f, id, CMETA_STRING_IP), "10.75.0.2") == 0 &&
           strcmp(fixture_text(f, id, CMETA_STRING_POD_IP), "10.75.0.2") == 0;
}

static bool role_is_back(struct fixture *f, const void *id)
{
    return strcmp(fixture_label(f, id, "role"), "back") == 0;
}

static void check_web(struct fixture *f)
{
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IMAGE_DIGEST), FAKE_EDERA_DIGEST);
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_SANDBOX_ID), ZONE);
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_POD_NAME), "payments");
    ck_assert_str_eq(fixture_text(f, ID_A, CMETA_STRING_IP), "10.75.0.2");
    ck_assert_str_eq(fixture_label(f, ID_A, "role"), "front");
    ck_assert_uint_eq(fixture_flags(f, ID_A) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_type(f, ID_A), CMETA_TYPE_EDERA);
    ck_assert_uint_eq(fixture_state(f, ID_A), CMETA_STATE_RUNNING);
}

// --- the way of a workload -----------------------------------------------------------------------

START_TEST(listed_workloads_are_complete_with_their_zone)
{
    struct fixture f;

    begin(&f);
    check_web(&f);
    ck_assert_str_eq(fixture_text(&f, ZONE, CMETA_STRING_NAME), "payments");
    ck_assert_uint_eq(fixture_flags(&f, ZONE) & CMETA_FLAG_POD_SANDBOX, CMETA_FLAG_POD_SANDBOX);
    ck_assert_uint_eq(fixture_reason(&f, ZONE, CMETA_GROUP_IMAGE), CMETA_REASON_POD_SANDBOX);
    ck_assert_uint_eq(fixture_reason(&f, ZONE, CMETA_GROUP_SECURITY), CMETA_REASON_NOT_TOLD);
    ck_assert_uint_eq(fixture_state(&f, ZONE), CMETA_STATE_RUNNING);
    ck_assert_str_eq(fixture_row(&f, 0).version, "1.2.3");
    fixture_remove(&f);
}
END_TEST

START_TEST(changes_bring_a_workload_from_creation_to_its_end)
{
    struct fake_workload changing = db;
    struct fixture f;

    begin(&f);
    changing.state = 1;
    ck_assert_uint_eq(fake_edera_change(f.edera, &changing), 1);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert_uint_eq(fixture_state(&f, ID_B), CMETA_STATE_CREATED);
    changing.state = 3;
    fake_edera_change(f.edera, &changing);
    ck_assert(fixture_wait(&f, running, ID_B));
    changing.state = 4;
    changing.has_exit = true;
    changing.exit_code = 7;
    fake_edera_change(f.edera, &changing);
    ck_assert(fixture_wait(&f, exited, ID_B));
    ck_assert_uint_eq(fixture_status(&f, ID_B).word >> 16 & 0xffu, 7);
    changing.state = EDERA_STATE_DESTROYED;
    fake_edera_change(f.edera, &changing);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B));
    ck_assert_str_eq(fixture_text(&f, ID_B, CMETA_STRING_NAME), "db"); // events lag behind
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_EDERA_ZONES), 1);
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

START_TEST(an_address_that_comes_later_reaches_the_zones_workloads)
{
    struct fake_zone bare = zone;
    struct fixture f;

    bare.address = NULL;
    bare.state = 2;
    fixture_make_edera(&f, "edera");
    fake_edera_put_zone(f.edera, &bare);
    fake_edera_put(f.edera, &web);
    run(&f);
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_EDERA_WATCH, 1, 20000));
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert(!has_ip(&f, ID_A));
    fake_edera_change_zone(f.edera, &zone);
    ck_assert(fixture_wait(&f, has_ip, ID_A));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert(fixture_wait(&f, running, ZONE));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_zone_that_is_heard_of_after_its_workload_completes_it)
{
    struct fixture f;

    fixture_make_edera(&f, "edera");
    run(&f);
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_EDERA_WATCH, 1, 20000));
    fake_edera_change(f.edera, &web);
    ck_assert(fixture_wait(&f, fixture_has, ID_A));
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_POD), 0);
    fake_edera_change_zone(f.edera, &zone);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_zone_that_was_renamed_renames_its_workloads_pod)
{
    struct fake_zone renamed = zone;
    struct fixture f;

    begin(&f);
    renamed.name = "billing";
    fake_edera_put_zone(f.edera, &renamed);
    relist(&f);
    relist(&f);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_NAME), "billing");
    ck_assert_str_eq(fixture_text(&f, ZONE, CMETA_STRING_NAME), "billing");
    fixture_remove(&f);
}
END_TEST

START_TEST(a_destroyed_zone_is_gone_and_its_workloads_stand_until_they_go)
{
    struct fake_zone destroyed = zone;
    struct fixture f;

    begin(&f);
    destroyed.state = EDERA_STATE_DESTROYED;
    fake_edera_change_zone(f.edera, &destroyed);
    ck_assert(fixture_wait(&f, fixture_lacks, ZONE));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_NAME), "payments");
    fixture_remove(&f);
}
END_TEST

// The list was asked for before the change was heard.
START_TEST(a_list_on_its_way_undoes_no_newer_change)
{
    struct fake_workload newer = web;
    struct fixture f;

    begin(&f);
    // zones are slow to come, and the workload is as it was by then
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = FAKE_EDERA_ZONES,
                                                  .action = FAKE_GRPC_END,
                                                  .delay_ms = 300,
                                                  .times = 1});
    instances_relist(f.instances);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_EDERA_ZONES, 2, 20000));
    newer.role = "back";
    fake_edera_change(f.edera, &newer);
    ck_assert(fixture_wait(&f, role_is_back, ID_A));
    ck_assert(fixture_wait(&f, fixture_lacks, ZONE)); // the list has come: without the zone
    ck_assert(role_is_back(&f, ID_A));
    ck_assert(fixture_has(&f, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_has_one_workload_asked_for)
{
    struct fixture f;

    begin(&f);
    fake_edera_put(f.edera, &db);
    instances_hint(f.instances, "web", 3);           // no ID of Edera's
    instances_hint(f.instances, "a1a1a1a1a1a1", 12); // nor this
    instances_hint(f.instances, ID_B, strlen(ID_B));
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_EDERA_GET), 1);
    instances_hint(f.instances, "00000000-1bd1-4c3f-9e6f-6a591fd569ff", 36);
    ck_assert(fake_grpc_wait_requests(f.grpc, FAKE_EDERA_GET, 2, 20000));
    ck_assert(fixture_connected(&f, NULL));
    fixture_remove(&f);
}
END_TEST

#define MANY 1000u

START_TEST(a_thousand_at_once_are_all_complete)
{
    char id[40], last[40];
    struct fixture f;

    fixture_make_edera(&f, "edera");
    fake_edera_put_zone(f.edera, &zone);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "%08x-cc6e-493b-827c-68f6139d7a97", i);
        fake_edera_put(f.edera, &(struct fake_workload){
                                    .id = id, .name = "many", .zone_id = ZONE, .state = 3});
    }
    snprintf(last, sizeof(last), "%08x-cc6e-493b-827c-68f6139d7a97", MANY - 1);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, last));
    ck_assert_uint_eq(fixture_count(&f), MANY + 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(names_of_any_bytes_are_kept)
{
    static const char *const names[] = {"a b", "q\"uote'", "l\nine", "d\xc3\xa4", "\xff\xfe"};
    static const char *const kept[] = {"a b", "q\"uote'", "l\nine", "d\xc3\xa4", "??"};
    struct fixture f;

    begin(&f);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fake_workload odd = web;

        odd.name = odd.role = names[i];
        fake_edera_put(f.edera, &odd);
        relist(&f);
        relist(&f);
        ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), kept[i]);
        ck_assert_str_eq(fixture_label(&f, ID_A, "role"), kept[i]);
    }
    fixture_remove(&f);
}
END_TEST

// --- faults --------------------------------------------------------------------------------------

START_TEST(a_watch_that_ends_at_once_for_ever_leaves_the_lists)
{
    struct fake_workload newer = web;
    struct fixture f;

    fixture_make_edera(&f, "edera");
    fake_grpc_status(f.grpc, FAKE_EDERA_WATCH, 0, NULL);
    fake_edera_put_zone(f.edera, &zone);
    fake_edera_put(f.edera, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    newer.role = "back";
    fake_edera_put(f.edera, &newer);
    ck_assert(fixture_wait(&f, role_is_back, ID_A)); // the lists come every ten seconds
    ck_assert_uint_eq(fake_grpc_requests(f.grpc, FAKE_EDERA_WATCH), 1);
    ck_assert(fixture_connected(&f, NULL));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_service_without_a_watch_is_listed)
{
    struct fixture f;

    fixture_make_edera(&f, "edera");
    fake_grpc_status(f.grpc, FAKE_EDERA_WATCH, 12, "unknown method");
    fake_edera_put_zone(f.edera, &zone);
    fake_edera_put(f.edera, &web);
    run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_str_eq(fixture_row(&f, 0).last_error, "");
    fixture_remove(&f);
}
END_TEST

START_TEST(a_service_that_comes_late_is_found)
{
    struct fixture f;

    fixture_make_edera(&f, "edera");
    fake_edera_put_zone(f.edera, &zone);
    fake_edera_put(f.edera, &web);
    fake_grpc_down(f.grpc);
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    fake_grpc_replace(f.grpc);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_service_that_hangs_is_given_up_and_tried_again)
{
    struct fixture f;

    fixture_make_edera(&f, "edera");
    fake_edera_put_zone(f.edera, &zone);
    fake_edera_put(f.edera, &web);
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){
                             .method = FAKE_EDERA_HOST, .action = FAKE_GRPC_HANG, .times = 1});
    fixture_run(&f, "engine_timeout: 300ms\n");
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_service_that_restarts_keeps_what_lives_and_loses_what_went)
{
    struct fixture f;

    begin(&f);
    fake_edera_change(f.edera, &db);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B));
    fake_grpc_restart(f.grpc);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_B)); // it isn't listed
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

static bool skipped_some(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_counter(f, "engine_records_skipped_total") > 0;
}

START_TEST(a_list_with_rubbish_in_it_buries_nobody)
{
    struct fixture f;

    begin(&f);
    fake_edera_drop(f.edera, ID_A);
    fake_edera_put_bytes(f.edera, "rubbish", "\xff\xff\xff\xff", 4);
    relist(&f);
    ck_assert(fixture_wait(&f, skipped_some, NULL));
    relist(&f);
    ck_assert(fixture_has(&f, ID_A));
    fake_edera_drop(f.edera, "rubbish");
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_list_that_fails_buries_nobody)
{
    struct fixture f;

    begin(&f);
    fake_grpc_on(f.grpc, &(struct fake_grpc_rule){.method = FAKE_EDERA_WORKLOADS,
                                                  .action = FAKE_GRPC_END,
                                                  .status = 13,
                                                  .text = "boom",
                                                  .times = 1});
    relist(&f);
    ck_assert(fixture_wait(&f, fixture_failed, NULL));
    ck_assert(fixture_has(&f, ID_A));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

START_TEST(events_of_any_shape_leave_the_records_alone)
{
    Edera__WatchEventsReply empty = EDERA__WATCH_EVENTS_REPLY__INIT;
    Edera__WorkloadChanged changed = EDERA__WORKLOAD_CHANGED__INIT;
    Edera__ZoneChanged zone_changed = EDERA__ZONE_CHANGED__INIT;
    Edera__Workload nobody = EDERA__WORKLOAD__INIT;
    Edera__Zone nowhere = EDERA__ZONE__INIT;
    struct fixture f;

    begin(&f);
    fake_grpc_push(f.grpc, FAKE_EDERA_WATCH, "\xff\xff", 2);
    fake_grpc_push_message(f.grpc, FAKE_EDERA_WATCH, &empty.base);
    empty.workload_changed = &changed;
    empty.zone_changed = &zone_changed;
    fake_grpc_push_message(f.grpc, FAKE_EDERA_WATCH, &empty.base);
    changed.workload = &nobody;
    zone_changed.zone = &nowhere;
    fake_grpc_push_message(f.grpc, FAKE_EDERA_WATCH, &empty.base);
    nobody.id = (char *)(uintptr_t)ID_B; // no more than that it is there
    fake_grpc_push_message(f.grpc, FAKE_EDERA_WATCH, &empty.base);
    ck_assert(fixture_wait(&f, fixture_has, ID_B));
    ck_assert_uint_eq(fixture_known(&f, ID_B) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY), 0);
    ck_assert_uint_eq(fixture_count(&f), 3);
    check_web(&f);
    fixture_remove(&f);
}
END_TEST

// --- a socket under another name -----------------------------------------------------------------

static bool error_says(struct fixture *f, const void *text)
{
    struct cmeta_engine_row row = fixture_row(f, 0);

    return row.state == CMETA_ENGINE_FAILED && strstr(row.last_error, text);
}

START_TEST(an_edera_listed_under_another_engine_is_said_to_be_one)
{
    static const char *const engines[] = {"containerd", "cri"};

    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        struct fixture f;

        fixture_make_edera(&f, engines[i]);
        fixture_run(&f, "");
        ck_assert(fixture_wait(&f, error_says, "name the socket under engines.edera"));
        fixture_remove(&f);
    }
}
END_TEST

START_TEST(another_engine_listed_as_edera_is_told_from_it)
{
    struct fixture f;

    fixture_make_cri(&f, "edera");
    fixture_run(&f, "");
    ck_assert(fixture_wait(&f, error_says, "no control service of Edera"));
    fixture_remove(&f);
}
END_TEST

// --- the mapping ---------------------------------------------------------------------------------

START_TEST(a_workload_has_all_its_properties)
{
    static const struct container_limits limits = {.label_max_len = 100, .env = ENV_VALUES};
    Edera__Workload workload = EDERA__WORKLOAD__INIT;
    Edera__WorkloadSpec spec = EDERA__WORKLOAD_SPEC__INIT;
    Edera__WorkloadStatus status = EDERA__WORKLOAD_STATUS__INIT;
    Edera__OciImageSpec image = EDERA__OCI_IMAGE_SPEC__INIT;
    Edera__Annotation annotation = EDERA__ANNOTATION__INIT, *annotations[] = {&annotation};
    Edera__ProcessSpec process = EDERA__PROCESS_SPEC__INIT;
    Edera__EnvVar variable = EDERA__ENV_VAR__INIT, *variables[] = {&variable};
    Edera__IdOrName user = EDERA__ID_OR_NAME__INIT, group = EDERA__ID_OR_NAME__INIT;
    Edera__Mount mount = EDERA__MOUNT__INIT, *mounts[] = {&mount};
    Edera__ScratchMount scratch = EDERA__SCRATCH_MOUNT__INIT, *scratches[] = {&scratch};
    Edera__Security security = EDERA__SECURITY__INIT;
    Edera__CgroupLimit memory = EDERA__CGROUP_LIMIT__INIT, cpu = EDERA__CGROUP_LIMIT__INIT,
                       *cgroup_limits[] = {&memory, &cpu};
    Edera__Timestamp created = EDERA__TIMESTAMP__INIT;
    int32_t disabled[] = {4, 0, 99};
    struct container *c;
    char *joined;

#define TEXT(constant) (char *)(uintptr_t)(constant)
    annotation.key = TEXT("io.kubernetes.cri.image-name");
    annotation.value = TEXT("registry.example.com:5000/team/app:1.2");
    image.digest = TEXT(FAKE_EDERA_DIGEST);
    variable.key = TEXT("FOO");
    variable.value = TEXT("bar");
    user.user_case = EDERA__ID_OR_NAME__USER_ID; // 0 is root, and told
    group.user_case = EDERA__ID_OR_NAME__USER_NAME;
    group.name = TEXT("wheel");
    mount.host_path = TEXT("/srv");
    mount.target_path = TEXT("/data");
    scratch.path = TEXT("/scratch");
    security.n_disable_namespaces = 3;
    security.disable_namespaces = disabled;
    memory.limit_name = TEXT("memory.max");
    memory.value = TEXT("67108864");
    cpu.limit_name = TEXT("cpu.max");
    cpu.value = TEXT("25000 100000");
    created.seconds = 1795313716;
    created.nanos = 5;
    process.n_environment = 1;
    process.environment = variables;
    process.user = &user;
    process.group = &group;
    spec.name = TEXT("web");
    spec.image = &image;
    spec.process = &process;
    spec.n_annotations = spec.n_mounts = spec.n_scratch_mount = 1;
    spec.annotations = annotations;
    spec.mounts = mounts;
    spec.scratch_mount = scratches;
    spec.n_cgroup_limits = 2;
    spec.cgroup_limits = cgroup_limits;
    spec.security = &security;
    spec.hostname = TEXT("h");
    status.state = 3;
    status.created_at = &created;
    workload.id = TEXT(ID_A);
    workload.spec = &spec;
    workload.status = &status;
#undef TEXT
    c = edera_record_workload(&workload, &limits);
    joined = answer_mounts(c);
    ck_assert_str_eq(c->scope.data, "edera");
    ck_assert_int_eq(c->content.created_ns, INT64_C(1795313716000000005));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "registry.example.com:5000/team/app");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "1.2");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), FAKE_EDERA_DIGEST);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "0:wheel");
    ck_assert_str_eq(answer_label(c, "edera.hostname"), "h");
    ck_assert_str_eq(joined, "/srv:/data::true:,:/scratch::true:");
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_HOST_PID);
    ck_assert_int_eq(c->content.memory_limit, 64 << 20);
    ck_assert_int_eq(c->content.cpu_quota, 25000);
    ck_assert_str_eq(c->content.env[0].data, "FOO=bar");
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_POD) &
                                            ~CMETA_GROUP_BIT(CMETA_GROUP_NETWORK));
    free(joined);
    container_free(c);
    security.disable_all_namespaces = true;
    c = edera_record_workload(&workload, &limits);
    ck_assert_uint_eq(c->content.flags,
                      CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC | CMETA_FLAG_HOST_NETWORK);
    container_free(c);
}
END_TEST

CHECK_MAIN("edera", 60, listed_workloads_are_complete_with_their_zone,
           changes_bring_a_workload_from_creation_to_its_end,
           an_address_that_comes_later_reaches_the_zones_workloads,
           a_zone_that_is_heard_of_after_its_workload_completes_it,
           a_zone_that_was_renamed_renames_its_workloads_pod,
           a_destroyed_zone_is_gone_and_its_workloads_stand_until_they_go,
           a_list_on_its_way_undoes_no_newer_change, a_hint_has_one_workload_asked_for,
           a_thousand_at_once_are_all_complete, names_of_any_bytes_are_kept,
           a_watch_that_ends_at_once_for_ever_leaves_the_lists, a_service_without_a_watch_is_listed,
           a_service_that_comes_late_is_found, a_service_that_hangs_is_given_up_and_tried_again,
           a_service_that_restarts_keeps_what_lives_and_loses_what_went,
           a_list_with_rubbish_in_it_buries_nobody, a_list_that_fails_buries_nobody,
           events_of_any_shape_leave_the_records_alone,
           an_edera_listed_under_another_engine_is_said_to_be_one,
           another_engine_listed_as_edera_is_told_from_it, a_workload_has_all_its_properties)
