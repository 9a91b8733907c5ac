// SPDX-License-Identifier: Apache-2.0
// What podman has written down of a container, while its start keeps everything else back.
#include "containerd-meta/engine/podman_recall.h"
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define API   "/v4.0.0/libpod"
#define LOG   API "/events?stream=false"
#define IMAGE API "/images/reg:5000/a/b:1/json"
#define ID_A  "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B  "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

#define EVENT(action, id, attributes)                                                        \
    "{\"status\":\"" action "\",\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":" \
    "{\"ID\":\"" id "\",\"Attributes\":{" attributes "}},\"time\":1795313716,"               \
    "\"timeNano\":1795313716000000000}\n"
#define ATTRIBUTES                                                                       \
    "\"app\":\"web\",\"containerExitCode\":\"0\",\"image\":\"reg:5000/a/b:1\",\"name\":" \
    "\"web\",\"podId\":\"\""
#define IMAGE_ANSWER \
    "{\"Id\":\"6b80\",\"Digest\":\"sha256:77\",\"Labels\":{\"name\":\"ubi\",\"app\":\"x\"}}"

static const char config_json[] =
    "{\"process\":{\"user\":{\"uid\":7}},\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\","
    "\"source\":\"/srv\",\"options\":[\"rbind\",\"ro\",\"rprivate\"]}],\"annotations\":{"
    "\"io.container.manager\":\"libpod\"},\"linux\":{\"maskedPaths\":[\"/proc/kcore\"]}}";

struct bed {
    struct fixture f;
    char root[128];
};

static void make(const struct bed *bed, const char *rest)
{
    char path[512];

    snprintf(path, sizeof(path), "%s%s", bed->root, rest);
    ck_assert_msg(mkdir(path, 0711) == 0, "%s: %s", path, strerror(errno));
}

static void write_bundle(const struct bed *bed)
{
    char path[512];
    FILE *file;

    make(bed, "/" ID_A);
    make(bed, "/" ID_A "/userdata");
    snprintf(path, sizeof(path), "%s/" ID_A "/userdata/config.json", bed->root);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(config_json, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

// A podman of which one container is being started: its lock is held.
static void begin(struct bed *bed, const char *log)
{
    fixture_make_podman(&bed->f);
    snprintf(bed->root, sizeof(bed->root), "%s/overlay-containers", bed->f.dir.path);
    make(bed, "");
    fixture_set_bundles(&bed->f, bed->root);
    fake_http_on(bed->f.fake, &(struct fake_rule){.prefix = API "/containers/" ID_A "/json",
                                                  .action = FAKE_HANG});
    fake_http_answer(bed->f.fake, LOG, 200, log);
    fake_http_answer(bed->f.fake, IMAGE, 200, IMAGE_ANSWER);
    fixture_run(&bed->f, "");
    ck_assert(fixture_wait(&bed->f, fixture_connected, NULL));
    ck_assert(fake_http_wait_streams(bed->f.fake, API "/events", 1, 10000));
}

static bool has_mounts(struct fixture *f, const void *id)
{
    return fixture_known(f, id) & CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS);
}

static bool is_named(struct fixture *f, const void *id)
{
    return fixture_has(f, id) && strcmp(fixture_text(f, id, CMETA_STRING_NAME), "web") == 0;
}

// falco 2700, for podman: the first exec is there before inspect answers.
START_TEST(what_a_start_keeps_back_is_known_by_the_log_the_image_and_the_bundle)
{
    struct bed bed;

    begin(&bed, EVENT("create", ID_A, ATTRIBUTES));
    write_bundle(&bed);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_type(&bed.f, ID_A), CMETA_TYPE_PODMAN);
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_IMAGE_REPO), "reg:5000/a/b");
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_IMAGE_TAG), "1");
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_IMAGE_ID), "6b80");
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_IMAGE_DIGEST), "sha256:77");
    ck_assert_str_eq(fixture_label(&bed.f, ID_A, "app"), "web");  // not the image's
    ck_assert_str_eq(fixture_label(&bed.f, ID_A, "name"), "ubi"); // hidden by the event's own
    ck_assert_uint_eq(fixture_counter(&bed.f, "engine_errors_total"), 0);
    fixture_remove(&bed.f);
}
END_TEST

// It is asked for what was made just now, and nothing else.
START_TEST(the_log_is_asked_for_one_container)
{
    struct bed bed;
    char *request;

    begin(&bed, EVENT("create", ID_A, ATTRIBUTES));
    write_bundle(&bed);
    ck_assert(fixture_wait(&bed.f, is_named, ID_A));
    ck_assert_uint_eq(fake_http_requests(bed.f.fake, LOG), 1);
    request = fake_http_request(bed.f.fake, LOG, 0);
    ck_assert_ptr_nonnull(strstr(request, "%22" ID_A "%22"));
    ck_assert_ptr_nonnull(strstr(request, "&since="));
    free(request);
    instances_hint(bed.f.instances, "a1a1a1a1a1a1", 12); // of these there is no event
    ck_assert(fake_http_wait_request(bed.f.fake, API "/containers/a1a1a1a1a1a1/json", 1, 10000));
    ck_assert_uint_eq(fake_http_requests(bed.f.fake, LOG), 1);
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(a_container_of_a_pod_waits_for_the_pods_own_answer)
{
    struct bed bed;

    begin(&bed, EVENT("create", ID_A,
                      "\"image\":\"reg:5000/a/b:1\",\"name\":\"web\",\"podId\":"
                      "\"" ID_B "\""));
    write_bundle(&bed);
    ck_assert(fixture_wait(&bed.f, is_named, ID_A));
    ck_assert(fake_http_wait_request(bed.f.fake, IMAGE, 1, 10000));
    ck_assert(fixture_wait(&bed.f, has_mounts, ID_A));
    ck_assert(!(fixture_known(&bed.f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_POD)));
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(what_makes_no_sense_in_the_log_is_passed_over)
{
    struct bed bed;

    begin(&bed, "no JSON\n\n{}\n[]\n" EVENT("create", ID_B, ATTRIBUTES)                    //
          EVENT("remove", ID_A, ATTRIBUTES) "{\"Type\":7,\"Action\":\"create\"}\n"         //
          EVENT("create", ID_A, "\"image\":\"../../secret\",\"name\":\"web\",\"app\":[7]") //
          "{\"Type\":");
    write_bundle(&bed);
    ck_assert(fixture_wait(&bed.f, is_named, ID_A));
    ck_assert(!fixture_has(&bed.f, ID_B));
    ck_assert_uint_eq(fake_http_requests(bed.f.fake, API "/images/"), 0); // that is no path
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(without_an_answer_of_the_log_or_of_the_image_the_inspect_tells)
{
    const char *const logs[] = {"", EVENT("create", ID_A, ATTRIBUTES)};

    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct bed bed;

        begin(&bed, logs[i]);
        fake_http_answer(bed.f.fake, IMAGE, 500, "{\"message\":\"no\"}");
        write_bundle(&bed);
        ck_assert(fixture_wait(&bed.f, has_mounts, ID_A));
        ck_assert(fake_http_wait_request(bed.f.fake, i ? IMAGE : LOG, 1, 10000));
        fake_http_answer(bed.f.fake, API "/containers/" ID_A "/json", 200,
                         "{\"Id\":\"" ID_A "\",\"Name\":\"web\",\"Created\":"
                         "\"2026-11-22T02:15:16Z\",\"State\":{\"Status\":\"running\"},\"Image\":"
                         "\"6b80\",\"ImageName\":\"reg:5000/a/b:1\",\"Config\":{},"
                         "\"HostConfig\":{},\"Mounts\":[]}");
        ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
        fixture_remove(&bed.f);
    }
}
END_TEST

// Whatever is under way ends with the engine: nothing is told afterwards.
START_TEST(a_log_that_hangs_delays_nobody)
{
    struct bed bed;

    begin(&bed, "");
    fake_http_on(bed.f.fake, &(struct fake_rule){.prefix = LOG, .action = FAKE_HANG});
    for (unsigned i = 0; i < PODMAN_RECALL_PARALLEL + 4; i++) {
        char id[65];

        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        instances_hint(bed.f.instances, id, 64);
        if (i < PODMAN_RECALL_PARALLEL) // one by one: the fake's queue is short
            ck_assert(fake_http_wait_request(bed.f.fake, LOG, i + 1, 10000));
    }
    fake_http_stream_push(bed.f.fake, API "/events?stream=true",
                          EVENT("create", ID_B, "\"name\":\"web\""));
    ck_assert(fixture_wait(&bed.f, is_named, ID_B));
    ck_assert_uint_eq(fake_http_requests(bed.f.fake, LOG), PODMAN_RECALL_PARALLEL);
    fixture_remove(&bed.f);
}
END_TEST

CHECK_MAIN("podman recall", 60,
           what_a_start_keeps_back_is_known_by_the_log_the_image_and_the_bundle,
           the_log_is_asked_for_one_container, a_container_of_a_pod_waits_for_the_pods_own_answer,
           what_makes_no_sense_in_the_log_is_passed_over,
           without_an_answer_of_the_log_or_of_the_image_the_inspect_tells,
           a_log_that_hangs_delays_nobody)
