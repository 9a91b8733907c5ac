// SPDX-License-Identifier: Apache-2.0
// From answers of CRI, recorded from containerd 1.6 and made by hand after CRI-O's, to containers.
#include "containerd-meta/engine/cri_record.h"
#include "containerd-meta/engine/proto_map.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

#define WEB     "656fd054b0d9421897bee846d661c4856e580b3360f8aba083a92586c4d6dd13"
#define SANDBOX "b2d516cbf1abd26c36f1a38ee2442f3875c3b82343dc5dcb254e95f0a9137e13"
#define LAB     "6b8058410c1055c0059c6c8f84d7d7567af357f5363182ccfcc761a0912c4ab6"
#define DIGEST  "sha256:51636b2b109a28b4e28c3526c80d2be122ac5f7c44a66da8addcd04dd5afee9e"

static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_NAMES}};

#define RECORDED(type, name) ((void *)answer_message(&cri__##type##__descriptor, "cri/" name ".pb"))
#define FREE(message)        protobuf_c_message_free_unpacked(&(message)->base, NULL)

static struct container *of_status(const char *name, struct cri_facts *facts)
{
    char file[128];
    Cri__ContainerStatusResponse *response;
    struct container *c;

    snprintf(file, sizeof(file), "cri/ContainerStatus.%s.pb", name);
    response = answer_message(&cri__container_status_response__descriptor, file);
    c = cri_record_from_status(response, CMETA_TYPE_CONTAINERD, NULL, &context, facts);
    FREE(response);
    ck_assert_ptr_nonnull(c);
    return c;
}

START_TEST(a_running_container_has_all_that_its_status_tells)
{
    struct cri_facts facts = {0};
    struct container *c = of_status("running", &facts);
    char *mounts = answer_mounts(c);

    ck_assert_str_eq(c->id.data, WEB);
    ck_assert_str_eq(c->scope.data, "");
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_CONTAINERD);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    ck_assert_int_eq(c->content.created_ns, INT64_C(1795314181723950692));
    ck_assert_int_eq(c->content.started_ns, INT64_C(1795314182151802763));
    ck_assert_int_eq(c->finished_ns, 0);
    ck_assert(c->has_status);
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING);
    ck_assert_uint_eq(c->pid, 1937);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "0");
    ck_assert_uint_eq(c->content.flags, 0);
    ck_assert_int_eq(c->content.cpu_quota, 50000);
    ck_assert_int_eq(c->content.cpu_shares, 512);
    ck_assert_int_eq(c->content.cpuset_cpu_count, 1);
    ck_assert_int_eq(c->content.memory_limit, 67108864);
    ck_assert_int_eq(c->content.swap_limit, 67108864);
    ck_assert_str_eq(mounts, "/var/lib/labs/eng/bin:/hostbin::false:private,"
                             "/var/lib/labs/eng/ctrd-env:/vol::true:private");
    ck_assert_str_eq(answer_label(c, "cl"), "1");
    ck_assert_str_eq(answer_label(c, "io.kubernetes.sandbox.id"), SANDBOX);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "webpod");
    ck_assert_uint_eq(c->content.env_count, 5);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL & ~(CMETA_GROUP_BIT(CMETA_GROUP_IMAGE) |
                                                             CMETA_GROUP_BIT(CMETA_GROUP_POD) |
                                                             CMETA_GROUP_BIT(CMETA_GROUP_NETWORK)));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_POD], CMETA_REASON_NOT_YET);
    ck_assert_str_eq(facts.sandbox_id, SANDBOX);
    ck_assert_str_eq(facts.image_query, "sha256:" LAB);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "docker.io/library/lab:latest");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), "(absent)");
    cri_facts_done(&facts);
    free(mounts);
    container_free(c);
}
END_TEST

START_TEST(a_container_and_its_pod_and_image_are_complete)
{
    Cri__PodSandboxStatusResponse *sandbox =
        RECORDED(pod_sandbox_status_response, "PodSandboxStatus.verbose");
    Cri__ImageStatusResponse *image = RECORDED(image_status_response, "ImageStatus");
    struct cri_facts facts = {0};
    struct container *c = of_status("running", &facts);
    struct pod *pod = cri_record_pod_from_status(sandbox, CMETA_TYPE_CONTAINERD, &context);

    ck_assert_int_eq(pod_apply(pod, c), 0);
    ck_assert_int_eq(cri_record_add_image(c, &facts, image->image), 0);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "docker.io/library/lab:latest");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "docker.io/library/lab");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "latest");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), LAB);
    // imported: there is no digest, and upstream says the ID
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), "sha256:" LAB);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.191.0.3");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "10.191.0.3");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_CNI_JSON),
                     "{\"crilab0\":{\"IPConfigs\":null},\"eth0\":{\"IPConfigs\":"
                     "[{\"Gateway\":\"10.191.0.1\",\"IP\":\"10.191.0.3\"}]}}");
    ck_assert_str_eq(answer_pod_label(c, "tier"), "front");
    ck_assert_str_eq(answer_pod_label(c, "annotation.team"), "a");
    pod_free(pod);
    cri_facts_done(&facts);
    FREE(sandbox);
    FREE(image);
    container_free(c);
}
END_TEST

START_TEST(privileged_is_what_the_security_context_says)
{
    struct cri_facts facts = {0};
    struct container *c = of_status("privileged", &facts);

    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK |
                                            CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC);
    ck_assert_uint_eq(c->content.mounts_count, 0);
    ck_assert(answer_knows(c, CMETA_GROUP_MOUNTS));
    ck_assert_int_eq(c->content.cpu_shares, 1024);
    ck_assert_int_eq(c->content.cpu_period, 100000);
    cri_facts_done(&facts);
    container_free(c);
}
END_TEST

START_TEST(an_ended_container_has_its_exit_code)
{
    struct container *c = of_status("exited", NULL);

    ck_assert_uint_eq(CMETA_STATUS_STATE(c->status), CMETA_STATE_EXITED);
    ck_assert(c->status & CMETA_STATUS_HAS_EXIT);
    ck_assert_int_gt(c->finished_ns, INT64_C(1795314181723950692));
    ck_assert_uint_eq(c->pid, 0);
    container_free(c);
    c = of_status("created", NULL);
    ck_assert_uint_eq(c->status, CMETA_STATE_CREATED);
    ck_assert_int_eq(c->content.started_ns, 0);
    container_free(c);
}
END_TEST

START_TEST(without_the_verbose_part_only_what_it_tells_is_unknown)
{
    struct cri_facts facts = {0};
    struct container *c = of_status("running.nonverbose", &facts);

    ck_assert(!answer_knows(c, CMETA_GROUP_SECURITY));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_SECURITY], CMETA_REASON_NONE);
    ck_assert(answer_knows(c, CMETA_GROUP_LIMITS) && answer_knows(c, CMETA_GROUP_MOUNTS));
    ck_assert_int_eq(c->content.memory_limit, 67108864);
    ck_assert_ptr_null(facts.sandbox_id);
    cri_facts_done(&facts);
    container_free(c);
}
END_TEST

// The verbose part as text, in an answer that is otherwise as recorded.
static struct container *with_info(const char *text, const char *sandbox_id,
                                   struct cri_facts *facts)
{
    Cri__ContainerStatusResponse *response =
        RECORDED(container_status_response, "ContainerStatus.running.nonverbose");
    Cri__ContainerStatusResponse answer = *response;
    struct container *c;

    answer_map(&answer, info, "info", text);
    c = cri_record_from_status(&answer, CMETA_TYPE_CRIO, sandbox_id, &context, facts);
    FREE(response);
    ck_assert_ptr_nonnull(c);
    ck_assert(!container_failed(c));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    return c;
}

START_TEST(info_that_is_not_what_it_should_be_costs_only_what_it_tells)
{
    static const char *const texts[] = {
        "",
        "not JSON",
        "null",
        "7",
        "[]",
        "[[[[[[[",
        "{",
        "{}",
        "{\"runtimeSpec\":null}",
        "{\"runtimeSpec\":7,\"pid\":-1,\"sandboxID\":7,\"config\":7,\"privileged\":\"yes\"}",
        "{\"pid\":99999999999999999999,\"config\":{\"linux\":[],\"image\":7}}",
        "{\"runtimeSpec\":{\"annotations\":[],\"process\":null,\"linux\":{\"namespaces\":7}}}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cri_facts facts = {0};
        struct container *c = with_info(texts[i], SANDBOX, &facts);

        ck_assert_msg(!answer_knows(c, CMETA_GROUP_SECURITY), "%s", texts[i]);
        ck_assert(answer_knows(c, CMETA_GROUP_LIMITS) && answer_knows(c, CMETA_GROUP_MOUNTS) &&
                  answer_knows(c, CMETA_GROUP_LABELS));
        ck_assert_uint_eq(c->pid, 0);
        ck_assert_str_eq(facts.sandbox_id, SANDBOX);
        cri_facts_done(&facts);
        container_free(c);
    }
}
END_TEST

START_TEST(without_a_runtime_spec_security_is_said_not_to_be_told)
{
    struct container *c = with_info("{\"pid\":5}", SANDBOX, NULL);

    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_SECURITY], CMETA_REASON_NOT_TOLD);
    ck_assert_uint_eq(c->pid, 5);
    container_free(c);
}
END_TEST

START_TEST(null_status_and_empty_messages_make_no_record)
{
    Cri__ContainerStatusResponse none = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    Cri__PodSandboxStatusResponse no_pod = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
    Cri__ContainerStatus status = CRI__CONTAINER_STATUS__INIT;
    Cri__PodSandboxStatus pod_status = CRI__POD_SANDBOX_STATUS__INIT;
    Cri__Container element = CRI__CONTAINER__INIT;
    Cri__PodSandbox pod = CRI__POD_SANDBOX__INIT;

    ck_assert_ptr_null(cri_record_from_status(&none, CMETA_TYPE_CRI, NULL, &context, NULL));
    ck_assert_ptr_null(cri_record_pod_from_status(&no_pod, CMETA_TYPE_CRI, &context));
    none.status = &status;
    no_pod.status = &pod_status;
    ck_assert_ptr_null(cri_record_from_status(&none, CMETA_TYPE_CRI, NULL, &context, NULL));
    ck_assert_ptr_null(cri_record_pod_from_status(&no_pod, CMETA_TYPE_CRI, &context));
    ck_assert_ptr_null(cri_record_from_list(&element, CMETA_TYPE_CRI, &context, NULL));
    ck_assert_ptr_null(cri_record_pod_from_list(&pod, CMETA_TYPE_CRI, &context));
    ck_assert_int_eq(cri_record_size(NULL), -1);
}
END_TEST

START_TEST(a_status_of_nothing_but_an_id_is_a_record)
{
    Cri__ContainerStatusResponse response = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    Cri__ContainerStatus status = CRI__CONTAINER_STATUS__INIT;
    struct container *c;

    response.status = &status;
    status.id = (char *)(uintptr_t)WEB;
    status.state = -3;
    status.created_at = status.started_at = status.finished_at = INT64_MIN;
    c = cri_record_from_status(&response, CMETA_TYPE_CRIO, NULL, &context, NULL);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "656fd054b0d9");
    ck_assert_uint_eq(c->status, CMETA_STATE_UNKNOWN);
    ck_assert_int_eq(c->content.created_ns, 0);
    ck_assert_int_eq(c->content.started_ns, 0);
    ck_assert_int_eq(c->finished_ns, 0);
    container_free(c);
}
END_TEST

#define CRIO_SPEC                                                                   \
    "{\"sandboxID\":\"" SANDBOX "\",\"pid\":42,\"privileged\":%s,\"runtimeSpec\":{" \
    "\"process\":{\"user\":{\"uid\":1001},\"env\":[\"A=b\"],"                       \
    "\"rlimits\":[{\"hard\":18446744073709551615}]},"                               \
    "\"annotations\":{\"io.kubernetes.cri-o.Image\":\"%s\","                        \
    "\"io.kubernetes.cri-o.ImageName\":\"quay.io/other/thing:9\","                  \
    "\"io.kubernetes.cri-o.ImageRef\":\"" LAB "\"},"                                \
    "\"mounts\":[{\"destination\":\"/proc\"}],"                                     \
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"network\"}]}}}"

START_TEST(crio_says_itself_whether_a_container_is_privileged)
{
    char text[2048];
    struct container *c;

    snprintf(text, sizeof(text), CRIO_SPEC, "true", "x");
    c = with_info(text, NULL, NULL);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "1001");
    ck_assert_uint_eq(c->pid, 42);
    ck_assert_str_eq(answer_label(c, "io.kubernetes.sandbox.id"), SANDBOX);
    ck_assert_uint_eq(c->content.mounts_count, 2); // CRI's, not the spec's
    container_free(c);
    snprintf(text, sizeof(text), CRIO_SPEC, "false", "x");
    c = with_info(text, NULL, NULL);
    ck_assert_uint_eq(c->content.flags, 0);
    ck_assert(answer_knows(c, CMETA_GROUP_SECURITY));
    container_free(c);
}
END_TEST

START_TEST(the_image_is_the_one_that_was_asked_for_in_the_runtimes_spelling)
{
    static char *tags[] = {(char *)(uintptr_t) "quay.io/other/thing:9",
                           (char *)(uintptr_t) "quay.io/team/lab:1.0",
                           (char *)(uintptr_t) "docker.io/library/lab:2"};
    static char *digests[] = {(char *)(uintptr_t) "quay.io/team/lab@" DIGEST,
                              (char *)(uintptr_t) "quay.io/other/thing@sha256:aa"};
    static const struct {
        const char *user, *image, *repository, *tag, *digest;
    } cases[] = {
        {"quay.io/team/lab:1.0", "quay.io/team/lab:1.0", "quay.io/team/lab", "1.0", DIGEST},
        {"team/lab:1.1", "quay.io/team/lab:1.1", "quay.io/team/lab", "1.1", DIGEST},
        {"lab", "docker.io/library/lab:latest", "docker.io/library/lab", "latest", DIGEST},
        {"quay.io/other/thing", "quay.io/other/thing:latest", "quay.io/other/thing", "latest",
         "sha256:aa"},
        {"quay.io/team/lab@" DIGEST, "quay.io/team/lab", "quay.io/team/lab", "", DIGEST},
        {"host:5000/x/y:t@sha256:bb", "host:5000/x/y:t", "host:5000/x/y", "t", "sha256:bb"},
        {"sha256:" LAB, "quay.io/other/thing:9", "quay.io/other/thing", "9", "sha256:aa"},
        {"", "quay.io/other/thing:9", "quay.io/other/thing", "9", "sha256:aa"},
    };
    Cri__Image image = CRI__IMAGE__INIT;

    image.id = (char *)(uintptr_t)LAB;
    image.repo_tags = tags;
    image.n_repo_tags = 3;
    image.repo_digests = digests;
    image.n_repo_digests = 2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cri_facts facts = {0};
        struct container *c = container_new(WEB, 64, "");

        facts.user_image = strdup(cases[i].user);
        facts.image_name = strdup("quay.io/other/thing:9"); // some name
        facts.image_ref = strdup(LAB);
        ck_assert_int_eq(cri_record_add_image(c, &facts, &image), 0);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), cases[i].image);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), cases[i].repository);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), cases[i].tag);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), cases[i].digest);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), LAB);
        ck_assert(answer_knows(c, CMETA_GROUP_IMAGE));
        cri_facts_done(&facts);
        container_free(c);
    }
}
END_TEST

START_TEST(an_image_that_is_gone_is_known_by_what_the_container_said)
{
    struct cri_facts facts = {0};
    struct container *c = container_new(WEB, 64, "");

    facts.user_image = strdup("nginx:1.25");
    c->content.type = CMETA_TYPE_CONTAINERD;
    ck_assert_int_eq(cri_record_add_image(c, &facts, NULL), 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "docker.io/library/nginx:1.25");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), "");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), "");
    container_free(c);
    cri_facts_done(&facts);
    c = container_new(WEB, 64, "");
    ck_assert_int_eq(cri_record_add_image(c, &facts, NULL), 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "");
    container_free(c);
}
END_TEST

START_TEST(crio_tells_its_cni_result_as_text)
{
    Cri__PodSandboxStatusResponse response = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
    Cri__PodSandboxStatus status = CRI__POD_SANDBOX_STATUS__INIT;
    Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
    struct container *c;
    struct pod *pod;

    response.status = &status;
    status.id = (char *)(uintptr_t)SANDBOX;
    status.metadata = &metadata;
    metadata.name = (char *)(uintptr_t) "p";
    answer_map(&response, info, "info",
               "{\"pid\":3,\"runtimeSpec\":{\"annotations\":{\"io.kubernetes.cri-o.CNIResult\":"
               "\"{\\\"interfaces\\\":[{\\\"name\\\":\\\"veth1\\\"},{\\\"name\\\":\\\"eth0\\\"}],"
               "\\\"ips\\\":[{\\\"interface\\\":1,\\\"address\\\":\\\"10.85.0.2/16\\\"}]}\","
               "\"io.kubernetes.cri-o.PrivilegedRuntime\":\"true\"},\"process\":{},"
               "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},"
               "{\"type\":\"network\"}]}}}");
    pod = cri_record_pod_from_status(&response, CMETA_TYPE_CRIO, &context);
    c = cri_record_sandbox(&response, pod, &context);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_CNI_JSON),
                     "{\"interfaces\":[{\"name\":\"eth0\"}],"
                     "\"ips\":[{\"interface\":0,\"address\":\"10.85.0.2/16\"}]}");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.85.0.2");
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_POD_SANDBOX | CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(c->pid, 3);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_IMAGE], CMETA_REASON_POD_SANDBOX);
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(every_address_of_a_dual_stack_pod_is_there_ipv4_first)
{
    Cri__PodSandboxStatusResponse response = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
    Cri__PodSandboxStatus status = CRI__POD_SANDBOX_STATUS__INIT;
    Cri__PodSandboxNetworkStatus network = CRI__POD_SANDBOX_NETWORK_STATUS__INIT;
    Cri__PodIP four = CRI__POD_IP__INIT, six = CRI__POD_IP__INIT;
    Cri__PodIP *others[] = {&four, &six};
    struct container *c;
    struct pod *pod;

    response.status = &status;
    status.id = (char *)(uintptr_t)SANDBOX;
    status.network = &network;
    network.ip = (char *)(uintptr_t) "fd00::2";
    four.ip = (char *)(uintptr_t) "10.0.0.2";
    six.ip = (char *)(uintptr_t) "fd01::2";
    network.additional_ips = others;
    network.n_additional_ips = 2;
    pod = cri_record_pod_from_status(&response, CMETA_TYPE_CRI, &context);
    c = pod_to_container(pod);
    ck_assert_uint_eq(c->content.addresses_count, 3);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.0.0.2");
    ck_assert_str_eq(c->content.addresses[1].data, "fd00::2");
    ck_assert_str_eq(c->content.addresses[2].data, "fd01::2");
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(a_pod_in_the_hosts_namespaces_says_so_to_its_containers)
{
    Cri__PodSandboxStatusResponse *response =
        RECORDED(pod_sandbox_status_response, "PodSandboxStatus.hostns");
    struct pod *pod = cri_record_pod_from_status(response, CMETA_TYPE_CONTAINERD, &context);
    struct container *c = container_new(WEB, 64, "");

    ck_assert_int_eq(pod_apply(pod, c), 0);
    ck_assert_uint_eq(c->content.flags,
                      CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC);
    ck_assert(answer_knows(c, CMETA_GROUP_POD) && answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "");
    container_free(c);
    pod_free(pod);
    FREE(response);
}
END_TEST

START_TEST(a_pod_that_was_torn_down_does_not_say_it_had_no_address)
{
    Cri__PodSandboxStatusResponse *response =
        RECORDED(pod_sandbox_status_response, "PodSandboxStatus.notready");
    struct pod *pod = cri_record_pod_from_status(response, CMETA_TYPE_CONTAINERD, &context);
    struct container *c;

    c = pod_to_container(pod);
    ck_assert_uint_eq(c->status, CMETA_STATE_EXITED);
    ck_assert_uint_eq(c->pid, 0);
    // containerd keeps the CNI result
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "10.191.0.3");
    container_free(c);
    pod_free(pod);
    response->n_info = 0; // without it nobody knows
    pod = cri_record_pod_from_status(response, CMETA_TYPE_CONTAINERD, &context);
    response->n_info = 1;
    c = pod_to_container(pod);
    ck_assert(!answer_knows(c, CMETA_GROUP_POD) && !answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_IP), "(absent)");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "webpod");
    container_free(c);
    pod_free(pod);
    FREE(response);
}
END_TEST

START_TEST(lists_tell_names_and_states)
{
    Cri__ListContainersResponse *containers = RECORDED(list_containers_response, "ListContainers");
    Cri__ListPodSandboxResponse *pods = RECORDED(list_pod_sandbox_response, "ListPodSandbox");
    struct cri_facts facts = {0};
    struct container *c =
        cri_record_from_list(containers->containers[0], CMETA_TYPE_CONTAINERD, &context, &facts);
    struct pod *pod = cri_record_pod_from_list(pods->items[0], CMETA_TYPE_CONTAINERD, &context);
    struct container *sandbox = pod_to_container(pod);

    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING);
    ck_assert_str_eq(facts.sandbox_id, SANDBOX);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), LAB);
    ck_assert_uint_eq(c->content.known, CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_LABELS) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_HEALTH));
    ck_assert_str_eq(sandbox->id.data, SANDBOX);
    ck_assert_uint_eq(sandbox->status, CMETA_STATE_RUNNING);
    ck_assert_str_eq(answer_text(sandbox, CMETA_STRING_POD_NAME), "webpod");
    ck_assert(!answer_knows(sandbox, CMETA_GROUP_POD)); // its network isn't told
    container_free(c);
    container_free(sandbox);
    cri_facts_done(&facts);
    pod_free(pod);
    FREE(containers);
    FREE(pods);
}
END_TEST

START_TEST(five_hundred_labels_of_4_kib_with_keys_of_every_byte)
{
    static struct proto_entry entries[500];
    static struct proto_entry *pointers[500];
    static char keys[500][8], value[4096];
    const struct oci_context wide = {.limits = {.label_max_len = 4096}};
    void *buffer = aligned_alloc(64, 65536);
    Cri__ContainerStatusResponse response = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    Cri__ContainerStatus status = CRI__CONTAINER_STATUS__INIT;
    struct container *c;
    uint32_t flags;

    memset(value, 'v', sizeof(value) - 1);
    for (int i = 0; i < 500; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%c%d", i % 255 + 1, i);
        entries[i].key = keys[i];
        entries[i].value = value;
        pointers[i] = &entries[i];
    }
    response.status = &status;
    status.id = (char *)(uintptr_t)WEB;
    status.labels = (void *)pointers;
    status.n_labels = 500;
    c = cri_record_from_status(&response, CMETA_TYPE_CRIO, SANDBOX, &wide, NULL);
    ck_assert_uint_eq(c->content.labels_count, 501);
    ck_assert_int_gt(cmeta_record_encode(&c->content, buffer, CMETA_RECORD_MAX, &flags), 0);
    ck_assert_uint_eq(flags, CMETA_FLAG_TRUNCATED);
    container_free(c);
    c = cri_record_from_status(&response, CMETA_TYPE_CRIO, SANDBOX, &context, NULL);
    ck_assert_uint_eq(c->labels_dropped, 500);
    container_free(c);
    value[10] = '\0'; // now all of them fit
    c = cri_record_from_status(&response, CMETA_TYPE_CRIO, SANDBOX, &wide, NULL);
    ck_assert_int_gt(cmeta_record_encode(&c->content, buffer, CMETA_RECORD_MAX, &flags), 0);
    ck_assert_uint_eq(flags, CMETA_FLAG_SANITIZED);
    container_free(c);
    free(buffer);
}
END_TEST

START_TEST(the_runtimes_name_decides_the_type)
{
    ck_assert_int_eq(cri_record_type("containerd"), CMETA_TYPE_CONTAINERD);
    ck_assert_int_eq(cri_record_type("cri-o"), CMETA_TYPE_CRIO);
    ck_assert_int_eq(cri_record_type("docker"), CMETA_TYPE_CRI);
    ck_assert_int_eq(cri_record_type(""), CMETA_TYPE_CRI);
    ck_assert_int_eq(cri_record_type(NULL), CMETA_TYPE_CRI);
}
END_TEST

CHECK_MAIN("cri_record", 20, a_running_container_has_all_that_its_status_tells,
           a_container_and_its_pod_and_image_are_complete,
           privileged_is_what_the_security_context_says, an_ended_container_has_its_exit_code,
           without_the_verbose_part_only_what_it_tells_is_unknown,
           info_that_is_not_what_it_should_be_costs_only_what_it_tells,
           without_a_runtime_spec_security_is_said_not_to_be_told,
           null_status_and_empty_messages_make_no_record, a_status_of_nothing_but_an_id_is_a_record,
           crio_says_itself_whether_a_container_is_privileged,
           the_image_is_the_one_that_was_asked_for_in_the_runtimes_spelling,
           an_image_that_is_gone_is_known_by_what_the_container_said,
           crio_tells_its_cni_result_as_text, every_address_of_a_dual_stack_pod_is_there_ipv4_first,
           a_pod_in_the_hosts_namespaces_says_so_to_its_containers,
           a_pod_that_was_torn_down_does_not_say_it_had_no_address, lists_tell_names_and_states,
           five_hundred_labels_of_4_kib_with_keys_of_every_byte, the_runtimes_name_decides_the_type)
