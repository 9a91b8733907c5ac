// SPDX-License-Identifier: Apache-2.0
// From the answers of a task metadata endpoint, made after its documentation, to containers.
#include "containerd-meta/engine/ecs_task.h"
#include "containerd-meta/json.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

#define TASK   "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define DIGEST "sha256:5f4d6c1e0b9a8877665544332211ffeeddccbbaa99887766554433221100abcd"

static const struct container_limits limits = {.label_max_len = 100, .env = ENV_NONE};

static struct container *nth(const json_t *task, size_t index)
{
    const json_t *containers = ecs_task_containers(task);

    ck_assert_ptr_nonnull(containers);
    return ecs_task_container(task, json_array_get(containers, index), &limits);
}

static struct container *recorded(const char *file, size_t index)
{
    json_t *task = answer_json(file);
    struct container *container = nth(task, index);

    json_decref(task);
    ck_assert_ptr_nonnull(container);
    return container;
}

// A task on Fargate with one container, with these members beside its ID.
static struct container *made(const char *members)
{
    char text[4096];
    json_auto_t *task = NULL;

    snprintf(text, sizeof(text),
             "{\"TaskARN\":\"arn:t\",\"LaunchType\":\"FARGATE\",\"Containers\":"
             "[{\"DockerId\":\"" TASK "-1\"%s%s}]}",
             *members ? "," : "", members);
    task = json_parse_any_number(text, strlen(text));
    ck_assert_msg(task != NULL, "%s", text);
    return nth(task, 0);
}

START_TEST(a_container_on_fargate_has_all_that_is_told_of_it)
{
    struct container *c = recorded("ecs/task.fargate.json", 0);

    ck_assert_str_eq(c->id.data, TASK "-2718281828");
    ck_assert_str_eq(c->scope.data, "ecs");
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_ECS);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE),
                     "111122223333.dkr.ecr.eu-west-3.amazonaws.com/cart:7");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO),
                     "111122223333.dkr.ecr.eu-west-3.amazonaws.com/cart");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "7");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), DIGEST);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), DIGEST + strlen("sha256:"));
    ck_assert_str_eq(answer_label(c, "tier"), "front");
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.task-arn"),
                     "arn:aws:ecs:eu-west-3:111122223333:task/shop/" TASK);
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.task-definition-family"), "cart");
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.task-definition-version"), "12");
    ck_assert_uint_eq(c->content.labels_count, 6);
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING | CMETA_HEALTH_HEALTHY << 8);
    ck_assert_int_eq(c->content.created_ns, INT64_C(1772600766089315927));
    ck_assert_int_eq(c->content.started_ns, INT64_C(1772600767089315927));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.20.30.40");
    ck_assert_uint_eq(c->content.addresses_count, 2);
    ck_assert_uint_eq(c->content.ports_count, 1);
    ck_assert_uint_eq(c->content.ports[0].host_port, 8080); // the task has an interface of its own
    ck_assert_int_eq(c->content.memory_limit, INT64_C(512) << 20);
    ck_assert_int_eq(c->content.cpu_shares, 128);
    ck_assert_int_eq(c->content.cpu_quota, 25000); // a quarter of a CPU is the task's
    ck_assert_int_eq(c->content.cpu_period, 100000);
    container_free(c);
}
END_TEST

START_TEST(nothing_is_privileged_on_fargate_and_mounts_are_not_told)
{
    struct container *c = recorded("ecs/task.fargate.json", 0);

    ck_assert(answer_knows(c, CMETA_GROUP_SECURITY));
    ck_assert_uint_eq(c->content.flags, 0);
    ck_assert(!answer_knows(c, CMETA_GROUP_MOUNTS));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_MOUNTS], CMETA_REASON_NOT_TOLD);
    // there is a check, whose command isn't told
    ck_assert(!answer_knows(c, CMETA_GROUP_HEALTH));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_HEALTH], CMETA_REASON_NOT_TOLD);
    container_free(c);
    c = recorded("ecs/task.fargate.json", 1);
    ck_assert(answer_knows(c, CMETA_GROUP_HEALTH)); // there is none
    container_free(c);
}
END_TEST

START_TEST(a_stopped_container_has_its_end)
{
    struct container *c = recorded("ecs/task.fargate.json", 1);

    ck_assert_uint_eq(c->status, CMETA_STATE_EXITED | 3u << 16 | CMETA_STATUS_HAS_EXIT);
    ck_assert_int_eq(c->finished_ns, INT64_C(1772600765250000000));
    // a digest in the reference is the image's; without labels it has its task's
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST),
                     "sha256:aa11223344556677889900aabbccddeeff00112233445566778899aabbccddee");
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.container-name"), "migrate");
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.cluster"),
                     "arn:aws:ecs:eu-west-3:111122223333:cluster/shop");
    ck_assert_int_eq(c->content.memory_limit, INT64_C(1024) << 20); // the task's
    container_free(c);
}
END_TEST

START_TEST(a_container_is_known_before_it_is_created)
{
    struct container *c = recorded("ecs/task.fargate.json", 2);

    ck_assert_uint_eq(c->status, CMETA_STATE_CREATED);
    ck_assert_int_eq(c->content.created_ns, 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "busybox");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "latest");
    ck_assert(!answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_NETWORK], CMETA_REASON_NOT_YET);
    container_free(c);
}
END_TEST

START_TEST(on_ec2_docker_has_the_better_word)
{
    struct container *c = recorded("ecs/task.ec2.json", 1);

    ck_assert_str_eq(c->scope.data, ""); // the ID is Docker's
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "ecs-mail-3-smtp-a0e7dba5aca6d8cb2e00");
    ck_assert_str_eq(answer_label(c, "com.amazonaws.ecs.container-name"), "smtp");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID),
                     "d691691e9652791a60114e67b365688d20d19940dde7c4736ea30e660d8d3553");
    ck_assert_uint_eq(c->content.strings[CMETA_STRING_IMAGE_DIGEST].len, 0);
    ck_assert(!answer_knows(c, CMETA_GROUP_SECURITY));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_SECURITY], CMETA_REASON_NOT_TOLD);
    ck_assert(!answer_knows(c, CMETA_GROUP_HEALTH));
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING | CMETA_HEALTH_UNHEALTHY << 8);
    ck_assert_uint_eq(c->content.ports_count, 3);
    ck_assert_uint_eq(c->content.ports[1].host_port, 49153);
    ck_assert_str_eq(c->content.ports[1].host_ip.data, "::");
    ck_assert_str_eq(c->content.ports[2].protocol.data, "udp");
    ck_assert_int_eq(c->content.cpu_quota, 0);
    container_free(c);
}
END_TEST

START_TEST(the_pause_container_is_the_tasks_sandbox)
{
    struct container *c = recorded("ecs/task.ec2.json", 0);

    ck_assert_uint_eq(c->content.flags & CMETA_FLAG_POD_SANDBOX, CMETA_FLAG_POD_SANDBOX);
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING);
    ck_assert_int_eq(c->content.cpu_shares, 1024);
    ck_assert_int_eq(c->content.memory_limit, 0);
    container_free(c);
}
END_TEST

// What is mistyped or absurd costs itself.
START_TEST(each_property_may_make_no_sense)
{
    static const char *const members[] = {
        "",
        "\"Name\":7,\"DockerName\":[],\"Image\":{},\"ImageID\":1,\"Labels\":[],\"KnownStatus\":5",
        "\"Labels\":{\"a\":1,\"b\":null,\"c\":{}},\"Networks\":{},\"Ports\":\"x\"",
        "\"Networks\":[1,{\"IPv4Addresses\":7},{\"IPv4Addresses\":[1,\"\",null]}],\"Ports\":[5]",
        "\"Networks\":[],\"Ports\":[{\"ContainerPort\":-1},{\"ContainerPort\":99999},"
        "{\"ContainerPort\":1e99,\"HostPort\":1}]",
        "\"Limits\":7,\"Health\":[],\"CreatedAt\":3,\"StartedAt\":\"yesterday\"",
        "\"Limits\":{\"CPU\":\"many\",\"Memory\":1e300}",
        "\"KnownStatus\":\"STOPPED\",\"ExitCode\":18446744073709551615,\"FinishedAt\":\"\"",
        "\"KnownStatus\":\"FLYING\",\"Type\":\"SPACE\"",
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct container *c = made(members[i]);

        ck_assert_msg(c != NULL, "%s", members[i]);
        ck_assert_str_eq(c->id.data, TASK "-1");
        ck_assert_uint_eq(c->content.ports_count, 0);
        ck_assert_uint_eq(c->content.addresses_count, 0);
        ck_assert_int_eq(c->content.started_ns, 0);
        ck_assert(c->content.memory_limit >= 0);
        container_free(c);
    }
}
END_TEST

START_TEST(unlimited_numbers_are_numbers)
{
    struct container *c = made(
        "\"KnownStatus\":\"STOPPED\",\"ExitCode\":137,\"Networks\":[{\"NetworkMode\":\"awsvpc\"}],"
        "\"Ports\":[{\"ContainerPort\":80}],\"Limits\":{\"CPU\":7,\"Memory\":64},"
        "\"Other\":18446744073709551615"); // all of them are reals now

    ck_assert_uint_eq(c->status >> 16 & 0xff, 137);
    ck_assert_uint_eq(c->content.ports[0].host_port, 80);
    ck_assert_int_eq(c->content.memory_limit, INT64_C(64) << 20);
    ck_assert_int_eq(c->content.cpu_shares, 7);
    container_free(c);
}
END_TEST

START_TEST(names_may_have_quotes_unicode_and_newlines)
{
    struct container *c =
        made("\"Name\":\"a \\\"b\\\"\\n\\u00e9\\ud83d\\ude00\",\"DockerName\":\"\","
             "\"Labels\":{\"k \\\"\\n\":\"\\u4e16\"}");

    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "a \"b\"\n\xc3\xa9\xf0\x9f\x98\x80");
    ck_assert_str_eq(answer_label(c, "k \"\n"), "\xe4\xb8\x96");
    container_free(c);
}
END_TEST

START_TEST(what_is_no_task_has_no_containers)
{
    static const char *const texts[] = {"null",
                                        "[]",
                                        "\"Unable to get task metadata\"",
                                        "{}",
                                        "{\"Containers\":[]}",
                                        "{\"TaskARN\":1,\"Containers\":[]}",
                                        "{\"TaskARN\":\"a\",\"Containers\":{}}",
                                        "{\"TaskARN\":\"a\"}"};
    json_t *element = json_pack("{s:s}", "DockerId", "");

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_auto_t *task = json_parse(texts[i], strlen(texts[i]));

        ck_assert_ptr_null(ecs_task_containers(task));
    }
    ck_assert_ptr_null(ecs_task_containers(NULL));
    ck_assert_ptr_null(ecs_task_container(NULL, element, &limits));
    ck_assert_ptr_null(ecs_task_container(NULL, NULL, &limits));
    json_decref(element);
}
END_TEST

START_TEST(an_id_longer_than_any_is_none)
{
    char id[400];
    json_t *element;

    memset(id, 'a', sizeof(id));
    id[256] = '\0';
    element = json_pack("{s:s}", "DockerId", id);
    ck_assert_ptr_null(ecs_task_container(NULL, element, &limits));
    json_decref(element);
}
END_TEST

START_TEST(a_title_is_cut_between_characters)
{
    json_auto_t *task =
        json_pack("{s:s,s:s}", "Family", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "Revision", "1");
    char title[10];

    ecs_task_title(task, title, sizeof(title));
    ck_assert_str_eq(title, "ECS \xc3\xa9\xc3\xa9?");
    ecs_task_title(NULL, title, sizeof(title));
    ck_assert_str_eq(title, "ECS ?:?");
}
END_TEST

CHECK_MAIN("ecs_task", 20, a_container_on_fargate_has_all_that_is_told_of_it,
           nothing_is_privileged_on_fargate_and_mounts_are_not_told,
           a_stopped_container_has_its_end, a_container_is_known_before_it_is_created,
           on_ec2_docker_has_the_better_word, the_pause_container_is_the_tasks_sandbox,
           each_property_may_make_no_sense, unlimited_numbers_are_numbers,
           names_may_have_quotes_unicode_and_newlines, what_is_no_task_has_no_containers,
           an_id_longer_than_any_is_none, a_title_is_cut_between_characters)
