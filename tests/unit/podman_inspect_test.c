// SPDX-License-Identifier: Apache-2.0
// From recorded answers of podman 4.3 to containers.
#include "containerd-meta/engine/docker_inspect.h"
#include "containerd-meta/engine/podman_inspect.h"
#include "containerd-meta/engine/podman_rest.h"
#include "containerd-meta/json.h"
#include "tests/unit/support/check_main.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct container_limits limits = {.label_max_len = 100, .env = ENV_NAMES};

#define POD   "7254d962403f8a45ab5389ec550c982c30f2f3d997c30dac285faf31ac6c78c9"
#define INFRA "a5a65ce4494e53a458103f87584a103c78ddb6be463d08305c2bc35ae0c1e654"

static json_t *recorded(const char *name)
{
    char path[512];
    json_t *json;

    snprintf(path, sizeof(path), "%s/podman/%s.json", TEST_DATA, name);
    json = json_load_file(path, 0, NULL);
    ck_assert_msg(json != NULL, "%s", path);
    return json;
}

static struct container *inspected(const char *name)
{
    char file[128];
    json_t *json;
    struct container *container;

    snprintf(file, sizeof(file), "container-inspect.%s", name);
    json = recorded(file);
    container = podman_container_from_inspect(json, &limits, false);
    json_decref(json);
    ck_assert_ptr_nonnull(container);
    return container;
}

static struct container *of_text(const char *text)
{
    json_t *json = json_parse(text, strlen(text));
    struct container *container;

    ck_assert_ptr_nonnull(json);
    container = podman_container_from_inspect(json, &limits, false);
    json_decref(json);
    return container;
}

static const char *text(const struct container *container, enum cmeta_string which)
{
    const struct cmeta_str *value = &container->content.strings[which];

    return value->data ? value->data : "(absent)";
}

static bool knows(const struct container *container, enum cmeta_group group)
{
    return container->content.known & CMETA_GROUP_BIT(group);
}

START_TEST(a_running_container_has_all_its_properties)
{
    struct container *c = inspected("full-one.running");
    const struct cmeta_container *in = &c->content;

    ck_assert_str_eq(c->id.data,
                     "0823fb5ccdac82a7cf9f8044252c635552b5aad93b75151f66126067d4195c64");
    ck_assert_uint_eq(in->type, CMETA_TYPE_PODMAN);
    ck_assert_str_eq(text(c, CMETA_STRING_NAME), "full-one");
    ck_assert_int_eq(in->created_ns, INT64_C(1795313911007428298));
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING | CMETA_HEALTH_STARTING << 8);
    ck_assert_uint_eq(c->pid, 25348);
    ck_assert_int_eq(in->cpu_quota, 75000);
    ck_assert_int_eq(in->cpuset_cpu_count, 2);
    ck_assert_int_eq(in->memory_limit, 134217728);
    ck_assert_int_eq(in->swap_limit, 268435456);
    ck_assert_uint_eq(in->labels_count, 4);
    ck_assert_uint_eq(in->known, CMETA_GROUPS_ALL);
    container_free(c);
}
END_TEST

// The image needs no question of its own; its digest is the one it was started from.
START_TEST(the_inspect_tells_the_image)
{
    struct container *c = inspected("full-one.running");

    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE), "localhost/lab:latest");
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_REPO), "localhost/lab");
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_TAG), "latest");
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_ID),
                     "6ea79831f51b2263e568a54162a9f1668ae2afad9e78eea062f05862dd9a66f0");
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_DIGEST),
                     "sha256:785b787f7aa32fcd1ca6fa909b5330e68ce92f304d3499903ddc6c8b58876e51");
    container_free(c);
}
END_TEST

// COMPAT 14.
START_TEST(ports_of_all_protocols_and_addresses_of_all_networks)
{
    struct container *c = inspected("renamed-one.twonets");
    const struct cmeta_container *in = &c->content;

    ck_assert_uint_eq(in->addresses_count, 2);
    ck_assert_uint_eq(in->ports_count, 2);
    ck_assert_str_eq(in->ports[0].host_ip.data, "127.0.0.1");
    ck_assert_str_eq(in->ports[0].protocol.data, "tcp");
    ck_assert_str_eq(in->ports[1].protocol.data, "udp");
    ck_assert_uint_eq(in->ports[1].host_port, 18091);
    container_free(c);
}
END_TEST

START_TEST(a_container_that_never_started_has_no_network_yet)
{
    struct container *c = inspected("full-one.created");

    ck_assert_uint_eq(c->status & 0xff, CMETA_STATE_CREATED);
    ck_assert(!knows(c, CMETA_GROUP_NETWORK));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_NETWORK], CMETA_REASON_NOT_YET);
    container_free(c);
}
END_TEST

START_TEST(states_are_dockers_whatever_podman_calls_them)
{
    static const struct {
        const char *file;
        uint32_t state;
    } files[] = {{"renamed-one.exited", CMETA_STATE_EXITED},
                 {"renamed-one.paused", CMETA_STATE_PAUSED},
                 {"full-one.unhealthy", CMETA_STATE_RUNNING}};

    for (size_t i = 0; i < 3; i++) {
        struct container *c = inspected(files[i].file);

        ck_assert_uint_eq(CMETA_STATUS_STATE(c->status), files[i].state);
        container_free(c);
    }
    ck_assert_uint_eq(docker_status_word("initialized"), CMETA_STATE_CREATED);
    ck_assert_uint_eq(docker_status_word("configured"), CMETA_STATE_CREATED);
    ck_assert_uint_eq(docker_status_word("stopping"), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(docker_status_word("stopped"), CMETA_STATE_EXITED);
}
END_TEST

START_TEST(health_is_read_in_the_form_of_version_3_too)
{
    struct container *c = of_text("{\"Id\":\"" INFRA "\",\"State\":{\"Status\":\"running\","
                                  "\"Healthcheck\":{\"Status\":\"unhealthy\"}}}");

    ck_assert_uint_eq(CMETA_STATUS_HEALTH(c->status), CMETA_HEALTH_UNHEALTHY);
    container_free(c);
    c = inspected("full-one.unhealthy");
    ck_assert_uint_eq(CMETA_STATUS_HEALTH(c->status), CMETA_HEALTH_UNHEALTHY);
    ck_assert_str_eq(c->content.probes[CMETA_PROBE_HEALTHCHECK].exe.data, "/bin/sh");
    container_free(c);
}
END_TEST

// 4.3 calls the host's IPC namespace "shareable".
START_TEST(privilege_and_host_namespaces_are_told)
{
    struct container *c = inspected("priv.running");
    const uint32_t all =
        CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC;

    ck_assert_uint_eq(c->content.flags & all, all);
    container_free(c);
    c = inspected("full-one.running");
    ck_assert_uint_eq(c->content.flags & all, 0);
    container_free(c);
}
END_TEST

START_TEST(a_unit_of_systemd_is_a_label)
{
    struct container *c =
        of_text("{\"Id\":\"" INFRA "\",\"Config\":{\"Labels\":{\"PODMAN_SYSTEMD_UNIT\":"
                "\"web.service\"}}}");

    ck_assert_uint_eq(c->content.labels_count, 1);
    ck_assert_str_eq(c->content.labels[0].key.data, "PODMAN_SYSTEMD_UNIT");
    ck_assert_str_eq(c->content.labels[0].value.data, "web.service");
    container_free(c);
}
END_TEST

// --- pods ----------------------------------------------------------------------------------------

static const char *pod_label(const struct container *c, const char *key)
{
    for (uint32_t i = 0; i < c->content.pod_labels_count; i++)
        if (strcmp(c->content.pod_labels[i].key.data, key) == 0)
            return c->content.pod_labels[i].value.data;
    return "(absent)";
}

START_TEST(a_container_of_a_pod_has_the_pods_name_labels_and_sandbox)
{
    struct container *c = inspected("inpod.running");
    json_t *pod = recorded("pod-inspect");
    uint32_t labels = c->content.labels_count;

    ck_assert(!knows(c, CMETA_GROUP_POD));
    ck_assert_str_eq(text(c, CMETA_STRING_POD_SANDBOX_ID), INFRA);
    podman_container_add_pod(c, pod, &limits);
    ck_assert(knows(c, CMETA_GROUP_POD));
    ck_assert_str_eq(text(c, CMETA_STRING_POD_NAME), "pod1");
    ck_assert_str_eq(text(c, CMETA_STRING_POD_UID), POD);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_SANDBOX_ID), INFRA);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_IP), "10.189.0.27");
    ck_assert_str_eq(text(c, CMETA_STRING_IP), "10.189.0.27");
    ck_assert_str_eq(pod_label(c, "podlabel"), "1");
    // Kubernetes' labels are Kubernetes' containers'
    ck_assert_uint_eq(c->content.labels_count, labels);
    json_decref(pod);
    container_free(c);
}
END_TEST

START_TEST(the_infra_container_is_a_sandbox)
{
    static const char infra[] =
        "{\"Id\":\"" INFRA "\",\"Name\":\"7254d962403f-infra\",\"IsInfra\":true,\"Pod\":\"" POD
        "\",\"State\":{\"Status\":\"running\"},\"NetworkSettings\":{\"IPAddress\":\"10.9.8.7\"},"
        "\"Config\":{},\"HostConfig\":{}%s}";
    char json[1024];
    json_t *pod = recorded("pod-inspect");
    struct container *c;

    snprintf(json, sizeof(json), infra, ",\"ImageName\":\"localhost/pause:1\",\"Image\":\"aa\"");
    c = of_text(json);
    podman_container_add_pod(c, pod, &limits);
    ck_assert_uint_ne(c->content.flags & CMETA_FLAG_POD_SANDBOX, 0);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_SANDBOX_ID), INFRA);
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_REPO), "localhost/pause");
    ck_assert_str_eq(text(c, CMETA_STRING_POD_IP), "10.9.8.7");
    container_free(c);
    // newer ones have no image
    snprintf(json, sizeof(json), infra, ",\"ImageName\":\"\",\"Image\":\"\"");
    c = of_text(json);
    ck_assert(!knows(c, CMETA_GROUP_IMAGE));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_IMAGE], CMETA_REASON_POD_SANDBOX);
    container_free(c);
    json_decref(pod);
}
END_TEST

START_TEST(a_pod_on_the_hosts_network_puts_its_containers_there)
{
    struct container *c = inspected("inpod.running");
    json_t *pod = recorded("pod-inspect");

    json_object_set_new(json_object_get(pod, "InfraConfig"), "HostNetwork", json_true());
    json_object_set_new(json_object_get(pod, "InfraConfig"), "pid_ns", json_string("host"));
    podman_container_add_pod(c, pod, &limits);
    ck_assert_uint_ne(c->content.flags & CMETA_FLAG_HOST_NETWORK, 0);
    ck_assert_uint_eq(c->content.flags & CMETA_FLAG_HOST_PID, 0); // it shares no PIDs
    json_decref(pod);
    container_free(c);
}
END_TEST

START_TEST(a_pod_without_infra_container_is_its_own_sandbox)
{
    struct container *c = inspected("inpod.running");
    json_t *pod = recorded("pod-inspect");

    json_object_del(pod, "InfraContainerID");
    podman_container_add_pod(c, pod, &limits);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_SANDBOX_ID), POD);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_NAME), "pod1");
    json_decref(pod);
    container_free(c);
}
END_TEST

START_TEST(a_pod_that_is_gone_or_makes_no_sense_costs_its_properties_only)
{
    static const char *const answers[] = {"{}", "[]", "\"x\"", "{\"Id\":7}",
                                          "{\"Id\":\"" POD "\",\"Name\":{},\"Labels\":[],"
                                          "\"InfraConfig\":7,\"SharedNamespaces\":{}}"};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct container *c = inspected("inpod.running");
        json_t *pod = json_parse(answers[i], strlen(answers[i]));

        podman_container_add_pod(c, pod, &limits);
        ck_assert_str_eq(text(c, CMETA_STRING_NAME), "inpod");
        ck_assert_str_eq(text(c, CMETA_STRING_POD_NAME), "(absent)");
        json_decref(pod);
        container_free(c);
    }
}
END_TEST

// --- rootfs, lists, rubbish ----------------------------------------------------------------------

START_TEST(a_container_from_a_folder_is_known_to_have_no_image)
{
    struct container *c = of_text("{\"Id\":\"" INFRA "\",\"ImageName\":\"\",\"Image\":\"\"}");

    ck_assert(knows(c, CMETA_GROUP_IMAGE));
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE), "");
    container_free(c);
}
END_TEST

START_TEST(an_element_of_the_list_has_its_time_pod_and_name)
{
    static const char element[] =
        "{\"Id\":\"" INFRA "\",\"Names\":[\"web\"],\"Created\":\"2026-11-25T20:33:19.5Z\","
        "\"Image\":\"reg:5000/a/b:1\",\"State\":\"running\",\"Pod\":\"" POD
        "\",\"PodName\":\"p\",\"IsInfra\":true,\"Labels\":{\"app\":\"x\"}}";
    json_t *json = json_parse(element, strlen(element));
    struct container *c = podman_container_from_list(json, &limits);

    ck_assert_str_eq(text(c, CMETA_STRING_NAME), "web");
    ck_assert_int_eq(c->content.created_ns, INT64_C(1795638799500000000));
    ck_assert_str_eq(text(c, CMETA_STRING_POD_NAME), "p");
    ck_assert(!knows(c, CMETA_GROUP_POD));
    ck_assert_uint_ne(c->content.flags & CMETA_FLAG_POD_SANDBOX, 0);
    container_free(c);
    json_decref(json);
}
END_TEST

// podman has no others; a name would need a scope that it is unique in.
START_TEST(only_ids_of_64_hexadecimal_digits_are_taken)
{
    static const char *const ids[] = {"\"web\"",
                                      "7",
                                      "null",
                                      "\"\"",
                                      "\"" POD "0\"",
                                      "\"zz54d962403f8a45ab5389ec550c982c30f2f3d997c30dac285f"
                                      "af31ac6c78c9\""};
    char text_[256];

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(text_, sizeof(text_), "{\"Id\":%s,\"Name\":\"x\"}", ids[i]);
        ck_assert_ptr_null(of_text(text_));
    }
}
END_TEST

START_TEST(an_events_own_attributes_are_no_labels)
{
    static const char attributes[] =
        "{\"name\":\"web\",\"image\":\"a:1\",\"containerExitCode\":\"0\",\"podId\":\"\","
        "\"app\":\"x\"}";
    json_t *json = json_parse(attributes, strlen(attributes));
    struct container *c = docker_container_from_event(POD, json, 5, &podman_dialect, &limits);

    ck_assert_uint_eq(c->content.labels_count, 1);
    ck_assert_str_eq(c->content.labels[0].key.data, "app");
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_PODMAN);
    container_free(c);
    json_decref(json);
}
END_TEST

// --- where new containers leave a sign -----------------------------------------------------------

static const char *run_folder(const char *socket, bool confined, const char *info)
{
    static char path[PATH_MAX];
    const struct engine_host host = {.socket = socket, .host_root = "", .confined = confined};
    json_t *json = json_parse(info, strlen(info));
    bool told = podman_run_folder(&host, json, path, sizeof(path));

    json_decref(json);
    return told ? path : "(none)";
}

START_TEST(the_run_folder_is_what_podman_says_within_reason)
{
    static const char root[] = "{\"store\":{\"runRoot\":\"/run/containers/storage\","
                               "\"graphDriverName\":\"overlay\"}}",
                      user[] = "{\"store\":{\"runRoot\":\"/run/user/1000/containers\","
                               "\"graphDriverName\":\"vfs\"}}",
                      outside[] = "{\"store\":{\"runRoot\":\"/run/user/1000/../../x\","
                                  "\"graphDriverName\":\"vfs\"}}",
                      driver[] = "{\"store\":{\"runRoot\":\"/run\",\"graphDriverName\":\"a/b\"}}";
    static const char socket[] = "/run/user/1000/podman/podman.sock";

    ck_assert_str_eq(run_folder("/run/podman/podman.sock", false, root),
                     "/run/containers/storage/overlay-containers");
    ck_assert_str_eq(run_folder(socket, true, user), "/run/user/1000/containers/vfs-containers");
    ck_assert_str_eq(run_folder(socket, true, root), "(none)");
    ck_assert_str_eq(run_folder("/run/user/100/podman/podman.sock", true, user), "(none)");
    ck_assert_str_eq(run_folder(socket, true, outside), "(none)");
    ck_assert_str_eq(run_folder(socket, false, driver), "(none)");
    ck_assert_str_eq(run_folder(socket, false, "{}"), "(none)");
}
END_TEST

CHECK_MAIN("podman_inspect", 10, a_running_container_has_all_its_properties,
           the_inspect_tells_the_image, ports_of_all_protocols_and_addresses_of_all_networks,
           a_container_that_never_started_has_no_network_yet,
           states_are_dockers_whatever_podman_calls_them,
           health_is_read_in_the_form_of_version_3_too, privilege_and_host_namespaces_are_told,
           a_unit_of_systemd_is_a_label, a_container_of_a_pod_has_the_pods_name_labels_and_sandbox,
           the_infra_container_is_a_sandbox, a_pod_on_the_hosts_network_puts_its_containers_there,
           a_pod_without_infra_container_is_its_own_sandbox,
           a_pod_that_is_gone_or_makes_no_sense_costs_its_properties_only,
           a_container_from_a_folder_is_known_to_have_no_image,
           an_element_of_the_list_has_its_time_pod_and_name,
           only_ids_of_64_hexadecimal_digits_are_taken, an_events_own_attributes_are_no_labels,
           the_run_folder_is_what_podman_says_within_reason)
