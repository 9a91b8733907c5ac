// SPDX-License-Identifier: Apache-2.0
// Pods: filled, sealed, compared, folded into their containers.
#include "containerd-meta/engine/pod.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

#define SANDBOX "b2d516cbf1abd26c36f1a38ee2442f3875c3b82343dc5dcb254e95f0a9137e13"

static const struct container_limits limits = {.label_max_len = 100};

static void add_label(struct pod *pod, const char *key, const char *value)
{
    pod_add_label(pod, &limits, key, strlen(key), value, strlen(value));
}

static void add_annotation(struct pod *pod, const char *key, const char *value)
{
    pod_add_annotation(pod, key, strlen(key), value, strlen(value));
}

static struct pod *fresh(void)
{
    struct pod *pod = pod_new(SANDBOX, "", CMETA_TYPE_CONTAINERD);

    ck_assert_ptr_nonnull(pod);
    pod_set_metadata(pod, "webpod", "shop", "uid-1");
    return pod;
}

static struct container *folded(const struct pod *pod)
{
    struct container *c = container_new("c1", 2, "containerd/x");

    container_know(c, CMETA_GROUP_LABELS);
    ck_assert_int_eq(pod_apply(pod, c), 0);
    return c;
}

START_TEST(a_container_gets_all_of_its_pod)
{
    struct pod *pod = fresh();
    struct container *c;

    add_label(pod, "app", "web");
    add_annotation(pod, "team", "a");
    pod_add_address(pod, "fd00::3");
    pod_add_address(pod, "10.1.0.3/24");
    pod_add_address(pod, "10.1.0.3");
    pod_add_address(pod, "");
    pod_add_address(pod, NULL);
    pod->host_flags = CMETA_FLAG_HOST_IPC;
    ck_assert_int_eq(pod_seal(pod), 0);
    ck_assert(pod->network_is_known);
    c = folded(pod);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "webpod");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_UID), "uid-1");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_SANDBOX_ID), SANDBOX);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "10.1.0.3");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.1.0.3");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_CNI_JSON), "");
    ck_assert_uint_eq(c->content.addresses_count, 2);
    ck_assert_str_eq(c->content.addresses[1].data, "fd00::3");
    ck_assert_str_eq(answer_pod_label(c, "app"), "web");
    ck_assert_str_eq(answer_pod_label(c, "annotation.team"), "a");
    ck_assert_str_eq(answer_label(c, "io.kubernetes.sandbox.id"), SANDBOX);
    ck_assert_str_eq(answer_label(c, "io.kubernetes.pod.namespace"), "shop");
    ck_assert_str_eq(answer_label(c, "app"), "(absent)");
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_HOST_IPC);
    ck_assert(answer_knows(c, CMETA_GROUP_POD) && answer_knows(c, CMETA_GROUP_NETWORK));
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(a_pod_without_its_network_is_not_wholly_known)
{
    struct pod *pod = fresh();
    struct container *c;

    ck_assert_int_eq(pod_seal(pod), 0);
    c = folded(pod);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "webpod");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "(absent)");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "(absent)");
    ck_assert(!answer_knows(c, CMETA_GROUP_POD) && !answer_knows(c, CMETA_GROUP_NETWORK));
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(a_host_network_pod_is_known_to_have_no_address)
{
    struct pod *pod = fresh();
    struct container *c;

    pod->host_flags = CMETA_FLAG_HOST_NETWORK;
    pod->network_is_known = true;
    ck_assert_int_eq(pod_seal(pod), 0);
    c = folded(pod);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_CNI_JSON), "");
    ck_assert(answer_knows(c, CMETA_GROUP_POD) && answer_knows(c, CMETA_GROUP_NETWORK));
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(a_pod_of_which_only_the_id_is_known_is_not_known)
{
    struct pod *pod = pod_new(SANDBOX, "", CMETA_TYPE_CRIO);
    struct container *c;

    pod_add_address(pod, "10.0.0.1");
    pod_set_metadata(pod, "", NULL, "");
    ck_assert_int_eq(pod_seal(pod), 0);
    c = folded(pod);
    ck_assert(!answer_knows(c, CMETA_GROUP_POD));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_SANDBOX_ID), SANDBOX);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "(absent)");
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(a_container_outside_of_kubernetes_belongs_to_no_pod)
{
    struct container *c = container_new("x", 1, "");

    pod_apply_none(c);
    ck_assert(answer_knows(c, CMETA_GROUP_POD));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "(absent)");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_SANDBOX_ID), "(absent)");
    ck_assert_uint_eq(c->content.pod_labels_count, 0);
    container_free(c);
}
END_TEST

static char *cni_of(const char *result, const char *address, char *ip, size_t size)
{
    struct pod *pod = fresh();
    json_t *json = json_loads(result, JSON_DECODE_ANY, NULL);
    struct container *c;
    char *text;

    ck_assert_ptr_nonnull(json);
    pod_add_address(pod, address);
    pod_set_cni(pod, json);
    pod->network_is_known = true;
    ck_assert_int_eq(pod_seal(pod), 0);
    c = folded(pod);
    text = strdup(answer_text(c, CMETA_STRING_POD_CNI_JSON));
    ck_assert_str_eq(text, answer_text(c, CMETA_STRING_CNI_JSON));
    if (ip)
        snprintf(ip, size, "%s", answer_text(c, CMETA_STRING_IP));
    container_free(c);
    pod_free(pod);
    json_decref(json);
    return text;
}

START_TEST(containerds_cni_result_keeps_what_upstream_promises)
{
    char ip[64];
    char *text = cni_of(
        "{\"Interfaces\":{\"crilab0\":{\"IPConfigs\":null,\"Mac\":\"f2:1a\",\"Sandbox\":\"\"},"
        "\"eth0\":{\"IPConfigs\":[{\"IP\":\"10.191.0.3\",\"Gateway\":\"10.191.0.1\"}],"
        "\"Mac\":\"e2:f0\",\"Sandbox\":\"/var/run/netns/cni-1\"},"
        "\"lo\":{\"IPConfigs\":[{\"IP\":\"127.0.0.1\"},{\"IP\":\"::1\"}]},"
        "\"vethe3f6b12b\":{\"IPConfigs\":null}},\"DNS\":[{},{}],\"Routes\":[]}",
        NULL, ip, sizeof(ip));

    ck_assert_str_eq(text, "{\"crilab0\":{\"IPConfigs\":null},\"eth0\":{\"IPConfigs\":"
                           "[{\"Gateway\":\"10.191.0.1\",\"IP\":\"10.191.0.3\"}]}}");
    ck_assert_str_eq(ip, "10.191.0.3");
    free(text);
}
END_TEST

START_TEST(a_raw_cni_result_loses_interfaces_and_keeps_its_places_right)
{
    char ip[64];
    char *text =
        cni_of("{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"lo\"},"
               "{\"name\":\"veth12\",\"mac\":\"aa\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"}],"
               "\"ips\":[{\"interface\":2,\"address\":\"10.85.0.3/16\"},"
               "{\"interface\":1,\"address\":\"1.2.3.4/8\"},"
               "{\"interface\":-7,\"address\":\"1.2.3.5/8\"}],\"dns\":{}}",
               "10.85.0.9", ip, sizeof(ip));

    ck_assert_str_eq(text, "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\","
                           "\"sandbox\":\"/n\"}],\"ips\":[{\"interface\":0,\"address\":"
                           "\"10.85.0.3/16\"},{\"address\":\"1.2.3.4/8\"},"
                           "{\"address\":\"1.2.3.5/8\"}],\"dns\":{}}");
    ck_assert_str_eq(ip, "10.85.0.9"); // the runtime's own word counts
    free(text);
}
END_TEST

START_TEST(a_cni_result_that_makes_no_sense_is_none)
{
    static const char *const results[] = {"7",
                                          "null",
                                          "[]",
                                          "{}",
                                          "\"x\"",
                                          "{\"Interfaces\":[]}",
                                          "{\"Interfaces\":{\"eth0\":7}}",
                                          "{\"Interfaces\":{\"lo\":{},\"veth0\":{}}}",
                                          "{\"ips\":7}",
                                          "{\"interfaces\":{}}"};

    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        char *text = cni_of(results[i], NULL, NULL, 0);

        ck_assert_msg(strcmp(text, "") == 0, "%s: %s", results[i], text);
        free(text);
    }
}
END_TEST

START_TEST(a_cni_result_is_cut_at_4096_bytes)
{
    json_t *interfaces = json_object(), *result = json_object();
    char name[32], *dump, *text;

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "eth%d", i);
        json_object_set_new(interfaces, name, json_pack("{s:n}", "IPConfigs"));
    }
    json_object_set_new(result, "Interfaces", interfaces);
    dump = json_dumps(result, 0);
    text = cni_of(dump, NULL, NULL, 0);
    ck_assert_uint_eq(strlen(text), 4096);
    free(text);
    free(dump);
    json_decref(result);
}
END_TEST

START_TEST(long_labels_are_dropped_and_counted_long_annotations_just_left_out)
{
    struct pod *pod = fresh();
    char value[400];
    struct container *c;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    add_label(pod, "long", value);
    add_annotation(pod, "kubectl.kubernetes.io/last-applied-configuration", value);
    value[200] = '\0'; // longer than a label may be
    add_annotation(pod, "note", value);
    pod->network_is_known = true;
    ck_assert_int_eq(pod_seal(pod), 0);
    ck_assert_uint_eq(pod->labels_dropped, 1);
    c = folded(pod);
    ck_assert_uint_eq(c->content.pod_labels_count, 1);
    ck_assert_str_eq(answer_pod_label(c, "annotation.note"), value);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_LABELS_DROPPED);
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(annotations_have_a_budget_and_whatever_their_order_the_same_ones_fit)
{
    struct pod *pods[2] = {fresh(), fresh()};
    char key[16], value[POD_ANNOTATION_MAX];
    struct container *c;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "a%03d", i);
        add_annotation(pods[0], key, value);
        snprintf(key, sizeof(key), "a%03d", 99 - i);
        add_annotation(pods[1], key, value);
    }
    ck_assert_int_eq(pod_seal(pods[0]), 0);
    ck_assert_int_eq(pod_seal(pods[1]), 0);
    ck_assert(pod_equal(pods[0], pods[1]));
    c = folded(pods[0]);
    ck_assert_uint_eq(c->content.pod_labels_count, POD_ANNOTATIONS_MAX / (4 + sizeof(value) - 1));
    ck_assert_str_eq(answer_pod_label(c, "annotation.a000"), value);
    container_free(c);
    pod_free(pods[0]);
    pod_free(pods[1]);
}
END_TEST

START_TEST(what_changed_is_seen_whatever_the_order_of_labels)
{
    struct pod *pods[3] = {fresh(), fresh(), fresh()};

    add_label(pods[0], "a", "1");
    add_label(pods[0], "b", "2");
    add_label(pods[1], "b", "2");
    add_label(pods[1], "a", "1");
    add_label(pods[2], "a", "1");
    add_label(pods[2], "b", "3");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pod_seal(pods[i]), 0);
    ck_assert(pod_equal(pods[0], pods[1]));
    ck_assert(!pod_equal(pods[0], pods[2]));
    ck_assert(!pod_equal(pods[0], NULL));
    ck_assert(pod_equal(NULL, NULL));
    pods[1]->has_state = true;
    ck_assert(!pod_equal(pods[0], pods[1]));
    for (int i = 0; i < 3; i++)
        pod_free(pods[i]);
}
END_TEST

START_TEST(the_sandbox_is_a_record_of_its_own)
{
    struct pod *pod = fresh();
    struct container *c;

    add_label(pod, "app", "web");
    add_annotation(pod, "team", "a");
    pod_set_created(pod, 5);
    pod_add_address(pod, "10.1.0.3");
    pod->has_state = pod->is_ready = true;
    pod->pid = 7;
    ck_assert_int_eq(pod_seal(pod), 0);
    c = pod_to_container(pod);
    ck_assert_str_eq(c->id.data, SANDBOX);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "b2d516cbf1ab");
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_CONTAINERD);
    ck_assert_int_eq(c->content.created_ns, 5);
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING);
    ck_assert_uint_eq(c->pid, 7);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_POD_SANDBOX);
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_IMAGE], CMETA_REASON_POD_SANDBOX);
    ck_assert_uint_eq(c->content.known,
                      CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY) | CMETA_GROUP_BIT(CMETA_GROUP_LABELS) |
                          CMETA_GROUP_BIT(CMETA_GROUP_NETWORK) | CMETA_GROUP_BIT(CMETA_GROUP_POD) |
                          CMETA_GROUP_BIT(CMETA_GROUP_HEALTH));
    ck_assert_str_eq(answer_label(c, "app"), "web");
    ck_assert_str_eq(answer_label(c, "annotation.team"), "(absent)");
    ck_assert_str_eq(answer_pod_label(c, "annotation.team"), "a");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "10.1.0.3");
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(an_id_that_is_none_makes_no_pod)
{
    char id[CMETA_RECORD_MAX];

    memset(id, 'a', 300);
    id[300] = '\0';
    ck_assert_ptr_null(pod_new(NULL, "", CMETA_TYPE_CRI));
    ck_assert_ptr_null(pod_new("", "", CMETA_TYPE_CRI));
    ck_assert_ptr_null(pod_new(id, "", CMETA_TYPE_CRI));
}
END_TEST

CHECK_MAIN("pod", 20, a_container_gets_all_of_its_pod,
           a_pod_without_its_network_is_not_wholly_known,
           a_host_network_pod_is_known_to_have_no_address,
           a_pod_of_which_only_the_id_is_known_is_not_known,
           a_container_outside_of_kubernetes_belongs_to_no_pod,
           containerds_cni_result_keeps_what_upstream_promises,
           a_raw_cni_result_loses_interfaces_and_keeps_its_places_right,
           a_cni_result_that_makes_no_sense_is_none, a_cni_result_is_cut_at_4096_bytes,
           long_labels_are_dropped_and_counted_long_annotations_just_left_out,
           annotations_have_a_budget_and_whatever_their_order_the_same_ones_fit,
           what_changed_is_seen_whatever_the_order_of_labels, the_sandbox_is_a_record_of_its_own,
           an_id_that_is_none_makes_no_pod)
