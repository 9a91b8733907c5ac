// SPDX-License-Identifier: Apache-2.0
// From containerd's records to containers and pods: of ctr as recorded, of CRI put together from
// recorded parts, of nerdctl by hand.
#include "containerd-meta/engine/containerd_record.h"
#include "containerd-meta/engine/cri_record.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

#define WEB     "656fd054b0d9421897bee846d661c4856e580b3360f8aba083a92586c4d6dd13"
#define SANDBOX "b2d516cbf1abd26c36f1a38ee2442f3875c3b82343dc5dcb254e95f0a9137e13"
#define LAB     "6b8058410c1055c0059c6c8f84d7d7567af357f5363182ccfcc761a0912c4ab6"
#define TARGET  "sha256:51636b2b109a28b4e28c3526c80d2be122ac5f7c44a66da8addcd04dd5afee9e"

static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_NAMES}};

#define FREE(message) protobuf_c_message_free_unpacked(&(message)->base, NULL)
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static Containerd__Any any_of(const char *text)
{
    Containerd__Any any = CONTAINERD__ANY__INIT;

    any.value = (ProtobufCBinaryData){text ? strlen(text) : 0, (uint8_t *)(uintptr_t)text};
    return any;
}

// A record of CRI's, made of a recorded verbose answer as containerd makes it.
struct cri_bed {
    Containerd__Container message;
    Containerd__Any spec, details;
    Containerd__Container__ExtensionsEntry entry, *entries[1];
    Containerd__Timestamp created;
    char *spec_text, *details_text;
};

static const char *recorded_info(const char *file, const ProtobufCMessageDescriptor *type,
                                 void **message)
{
    *message = answer_message(type, file);
    if (type == &cri__container_status_response__descriptor)
        return ((Cri__ContainerStatusResponse *)*message)->info[0]->value;
    return ((Cri__PodSandboxStatusResponse *)*message)->info[0]->value;
}

// @more: members of Metadata beside Config
static void cri_bed_make(struct cri_bed *bed, const char *file,
                         const ProtobufCMessageDescriptor *type, const char *key, const char *id,
                         json_t *more)
{
    void *message;
    json_t *info = json_loads(recorded_info(file, type, &message), 0, NULL), *details;

    bed->message = (Containerd__Container)CONTAINERD__CONTAINER__INIT;
    bed->created = (Containerd__Timestamp)CONTAINERD__TIMESTAMP__INIT;
    bed->created.seconds = 1795314181;
    bed->created.nanos = 5;
    json_object_set(more, "Config", json_object_get(info, "config"));
    json_object_set(more, "CNIResult", json_object_get(info, "cniResult"));
    details = json_pack("{s:s,s:o}", "Version", "v1", "Metadata", more);
    bed->spec_text = json_dumps(json_object_get(info, "runtimeSpec"), 0);
    bed->details_text = json_dumps(details, 0);
    bed->spec = any_of(bed->spec_text);
    bed->details = any_of(bed->details_text);
    bed->entry =
        (Containerd__Container__ExtensionsEntry)CONTAINERD__CONTAINER__EXTENSIONS_ENTRY__INIT;
    bed->entry.key = TEXT(key);
    bed->entry.value = &bed->details;
    bed->entries[0] = &bed->entry;
    bed->message.id = TEXT(id);
    bed->message.spec = &bed->spec;
    bed->message.extensions = bed->entries;
    bed->message.n_extensions = 1;
    bed->message.created_at = &bed->created;
    json_decref(details);
    json_decref(info);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void cri_bed_done(struct cri_bed *bed)
{
    free(bed->spec_text);
    free(bed->details_text);
}

static void web_bed(struct cri_bed *bed)
{
    cri_bed_make(bed, "cri/ContainerStatus.running.pb", &cri__container_status_response__descriptor,
                 "io.cri-containerd.container.metadata", WEB,
                 json_pack("{s:s,s:s}", "SandboxID", SANDBOX, "ImageRef", "sha256:" LAB));
    bed->message.image = TEXT("docker.io/library/lab:latest");
    answer_map(&bed->message, labels, "cl", "1", "image.label", "yes", "io.cri-containerd.kind",
               "container", "io.kubernetes.pod.name", "webpod", "io.kubernetes.pod.namespace",
               "shop", "io.kubernetes.container.name", "web");
}

static void pause_bed(struct cri_bed *bed)
{
    cri_bed_make(bed, "cri/PodSandboxStatus.verbose.pb",
                 &cri__pod_sandbox_status_response__descriptor,
                 "io.cri-containerd.sandbox.metadata", SANDBOX,
                 json_pack("{s:s,s:s,s:[s]}", "ID", SANDBOX, "IP", "10.191.0.3", "AdditionalIPs",
                           "fd00::3"));
    bed->message.image = TEXT("localhost/pause:1");
    answer_map(&bed->message, labels, "app", "web", "io.cri-containerd.kind", "sandbox",
               "io.kubernetes.pod.name", "webpod");
}

START_TEST(ctrs_container_has_all_that_its_record_tells)
{
    Containerd__GetContainerResponse *response = answer_message(
        &containerd__get_container_response__descriptor, "containerd/Containers.Get.response.pb");
    Containerd__GetImageResponse *image = answer_message(
        &containerd__get_image_response__descriptor, "containerd/Images.Get.response.pb");
    struct containerd_facts facts = {0};
    struct container *c =
        containerd_record_from_container(response->container, "default", &context, &facts);

    ck_assert_str_eq(c->id.data, "rawone");
    ck_assert_str_eq(c->scope.data, "containerd/default");
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_CONTAINERD);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "rawone");
    ck_assert_str_eq(answer_label(c, "app"), "web");
    ck_assert_int_gt(c->content.created_ns, INT64_C(1700000000000000000));
    ck_assert_uint_eq(c->content.mounts_count, 7);
    ck_assert_str_eq(c->content.mounts[0].destination.data, "/proc");
    ck_assert_str_eq(facts.image_name, "docker.io/library/lab:latest");
    ck_assert_ptr_null(facts.sandbox_id);
    ck_assert(!facts.is_cri && !facts.is_sandbox);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL & ~(CMETA_GROUP_BIT(CMETA_GROUP_IMAGE) |
                                                             CMETA_GROUP_BIT(CMETA_GROUP_NETWORK)));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_NETWORK], CMETA_REASON_NOT_TOLD);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "(absent)");
    ck_assert_int_eq(containerd_record_add_image(c, &facts, image->image), 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "docker.io/library/lab:latest");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "docker.io/library/lab");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), image->image->target->digest);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), image->image->target->digest + 7);
    ck_assert(answer_knows(c, CMETA_GROUP_IMAGE));
    containerd_facts_done(&facts);
    container_free(c);
    FREE(image);
    FREE(response);
}
END_TEST

START_TEST(cris_container_is_complete_by_its_record_its_pods_and_its_image)
{
    struct cri_bed web, pause;
    struct containerd_facts facts = {0}, pause_facts = {0};
    Containerd__Image image = CONTAINERD__IMAGE__INIT;
    Containerd__Descriptor target = CONTAINERD__DESCRIPTOR__INIT;
    struct container *c, *sandbox;
    char *mounts;

    web_bed(&web);
    pause_bed(&pause);
    target.digest = TEXT(TARGET);
    image.target = &target;
    c = containerd_record_from_container(&web.message, "k8s.io", &context, &facts);
    sandbox = containerd_record_from_container(&pause.message, "k8s.io", &context, &pause_facts);
    ck_assert_str_eq(c->scope.data, "");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    ck_assert_int_eq(c->content.created_ns, INT64_C(1795314181000000005));
    ck_assert(facts.is_cri && !facts.is_sandbox);
    ck_assert_str_eq(facts.sandbox_id, SANDBOX);
    ck_assert(!answer_knows(c, CMETA_GROUP_POD));
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_POD], CMETA_REASON_NOT_YET);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_SANDBOX_ID), SANDBOX);
    ck_assert_str_eq(answer_label(c, "io.kubernetes.sandbox.id"), SANDBOX);
    ck_assert_ptr_nonnull(pause_facts.pod);
    ck_assert_int_eq(pod_apply(pause_facts.pod, c), 0);
    ck_assert_int_eq(containerd_record_add_image(c, &facts, &image), 0);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL);
    ck_assert_uint_eq(c->content.flags, 0);
    mounts = answer_mounts(c);
    ck_assert_str_eq(mounts, "/var/lib/labs/eng/bin:/hostbin::false:private,"
                             "/var/lib/labs/eng/ctrd-env:/vol::true:private");
    free(mounts);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.191.0.3");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), LAB);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), TARGET);
    ck_assert_int_eq(c->content.memory_limit, 67108864);
    ck_assert_str_eq(answer_pod_label(c, "tier"), "front");
    // the sandbox
    ck_assert(pause_facts.is_sandbox);
    ck_assert_str_eq(answer_text(sandbox, CMETA_STRING_NAME), "b2d516cbf1ab");
    ck_assert_uint_eq(sandbox->content.flags, CMETA_FLAG_POD_SANDBOX);
    ck_assert_int_eq(containerd_record_add_image(sandbox, &pause_facts, &image), 0);
    ck_assert_uint_eq(sandbox->content.known,
                      CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    ck_assert_uint_eq(sandbox->content.reason[CMETA_GROUP_IMAGE], CMETA_REASON_POD_SANDBOX);
    ck_assert_uint_eq(sandbox->content.addresses_count, 2);
    ck_assert_str_eq(answer_label(sandbox, "app"), "web");
    ck_assert_str_eq(answer_pod_label(sandbox, "annotation.team"), "a");
    containerd_facts_done(&facts);
    containerd_facts_done(&pause_facts);
    container_free(c);
    container_free(sandbox);
    cri_bed_done(&web);
    cri_bed_done(&pause);
}
END_TEST

// One truth: whichever of the two interfaces of containerd was asked.
START_TEST(a_pod_is_the_same_by_its_record_and_by_cri)
{
    Cri__PodSandboxStatusResponse *response = answer_message(
        &cri__pod_sandbox_status_response__descriptor, "cri/PodSandboxStatus.verbose.pb");
    struct pod *by_cri = cri_record_pod_from_status(response, CMETA_TYPE_CONTAINERD, &context);
    struct cri_bed bed;
    struct pod *by_record;
    struct container *a, *b;

    pause_bed(&bed);
    by_record = containerd_record_pod(&bed.message, "k8s.io", &context);
    a = pod_to_container(by_cri);
    b = pod_to_container(by_record);
    for (int i = CMETA_STRING_IP; i < CMETA_STRING_CONTENT_COUNT; i++)
        ck_assert_str_eq(answer_text(a, (enum cmeta_string)i),
                         answer_text(b, (enum cmeta_string)i));
    ck_assert_uint_eq(a->content.pod_labels_count, b->content.pod_labels_count);
    container_free(a);
    container_free(b);
    pod_free(by_cri);
    pod_free(by_record);
    cri_bed_done(&bed);
    FREE(response);
}
END_TEST

START_TEST(a_sandbox_whose_network_is_not_there_yet_is_not_complete)
{
    struct cri_bed bed;
    struct containerd_facts facts = {0};
    struct container *c;

    cri_bed_make(&bed, "cri/PodSandboxStatus.hostns.pb",
                 &cri__pod_sandbox_status_response__descriptor,
                 "io.cri-containerd.sandbox.metadata", SANDBOX, json_object());
    c = containerd_record_from_container(&bed.message, "k8s.io", &context, &facts);
    ck_assert(answer_knows(c, CMETA_GROUP_POD)); // host network: there is none to come
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_POD_SANDBOX | CMETA_FLAG_HOST_NETWORK |
                                            CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC);
    container_free(c);
    containerd_facts_done(&facts);
    bed.details = any_of("{\"Metadata\":{\"Config\":{\"metadata\":{\"name\":\"p\"}}}}");
    c = containerd_record_from_container(&bed.message, "k8s.io", &context, &facts);
    ck_assert(!answer_knows(c, CMETA_GROUP_POD) && !answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "p");
    container_free(c);
    containerd_facts_done(&facts);
    cri_bed_done(&bed);
}
END_TEST

START_TEST(the_sandbox_store_tells_a_pod_without_a_pause_container)
{
    Containerd__Sandbox message = CONTAINERD__SANDBOX__INIT;
    Containerd__Sandbox__ExtensionsEntry entry = CONTAINERD__SANDBOX__EXTENSIONS_ENTRY__INIT;
    Containerd__Sandbox__ExtensionsEntry *entries[] = {&entry};
    Containerd__Any any =
        any_of("{\"Version\":\"v1\",\"Metadata\":{\"IP\":\"10.0.0.9\",\"Config\":{\"metadata\":"
               "{\"name\":\"kata\",\"namespace\":\"ns\",\"uid\":\"u\"},\"labels\":{\"a\":\"b\","
               "\"c\":7}}}}");
    struct pod *pod;
    struct container *c;

    ck_assert_ptr_null(containerd_record_pod_from_sandbox(&message, "k8s.io", &context));
    message.sandbox_id = TEXT(SANDBOX);
    entry.key = TEXT("metadata");
    entry.value = &any;
    message.extensions = entries;
    message.n_extensions = 1;
    pod = containerd_record_pod_from_sandbox(&message, "k8s.io", &context);
    c = pod_to_container(pod);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_POD_NAME), "kata");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.0.0.9");
    ck_assert_str_eq(answer_pod_label(c, "a"), "b");
    ck_assert(answer_knows(c, CMETA_GROUP_POD));
    container_free(c);
    pod_free(pod);
}
END_TEST

START_TEST(privileged_is_what_cri_asked_for_not_what_the_spec_looks_like)
{
    struct cri_bed bed;
    struct containerd_facts facts = {0};
    struct container *c;
    char *granted;

    cri_bed_make(&bed, "cri/ContainerStatus.privileged.pb",
                 &cri__container_status_response__descriptor,
                 "io.cri-containerd.container.metadata", WEB, json_object());
    c = containerd_record_from_container(&bed.message, "k8s.io", &context, &facts);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK |
                                            CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC);
    container_free(c);
    containerd_facts_done(&facts);
    granted = strstr(bed.details_text, "\"privileged\": true");
    ck_assert_ptr_nonnull(granted);
    memcpy(granted, "\"privileged\":false", 18);
    c = containerd_record_from_container(&bed.message, "k8s.io", &context, &facts);
    ck_assert(!(c->content.flags & CMETA_FLAG_PRIVILEGED));
    container_free(c);
    containerd_facts_done(&facts);
    bed.message.n_extensions = 0; // nobody says: by what the spec grants
    c = containerd_record_from_container(&bed.message, "k8s.io", &context, &facts);
    ck_assert(c->content.flags & CMETA_FLAG_PRIVILEGED);
    container_free(c);
    containerd_facts_done(&facts);
    cri_bed_done(&bed);
}
END_TEST

static struct container *of_nerdctl(Containerd__Container *message, struct containerd_facts *facts)
{
    struct container *c;

    message->id = TEXT(WEB);
    message->image = TEXT("docker.io/library/nginx:1.25");
    c = containerd_record_from_container(message, "default", &context, facts);
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->scope.data, "");
    return c;
}

START_TEST(nerdctls_labels_tell_name_ports_and_addresses)
{
    Containerd__Container message = CONTAINERD__CONTAINER__INIT;
    Containerd__Any spec = any_of("{\"process\":{},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
                                  "{\"type\":\"ipc\"},{\"type\":\"network\"}]},\"mounts\":[]}");
    struct containerd_facts facts = {0};
    struct container *c;

    message.spec = &spec;
    answer_map(&message, labels, "nerdctl/name", "old", "nerdctl/name", "web", "nerdctl/networks",
               "[\"mynet\"]", "nerdctl/ip", "10.4.0.7", "nerdctl/ip6", "fd00::7",
               "nerdctl/privileged", "true", "nerdctl/ports",
               "[{\"HostPort\":8080,\"ContainerPort\":80,\"Protocol\":\"tcp\",\"HostIP\":"
               "\"0.0.0.0\"},{\"HostPort\":-1,\"ContainerPort\":80},7,{\"HostPort\":70000},"
               "{\"HostPort\":1}]");
    c = of_nerdctl(&message, &facts);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(c->content.ports_count, 1);
    ck_assert_uint_eq(c->content.ports[0].host_port, 8080);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.4.0.7");
    ck_assert_uint_eq(c->content.addresses_count, 2);
    // the label of the ports is longer than a label may be, and read all the same
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_LABELS_DROPPED);
    ck_assert_uint_eq(c->content.known, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    container_free(c);
    containerd_facts_done(&facts);
}
END_TEST

START_TEST(without_a_network_there_is_no_address_and_that_is_known)
{
    static const struct {
        const char *networks;
        bool known;
    } cases[] = {{"[\"none\"]", true}, {"[\"host\"]", true}, {"[\"bridge\"]", false},
                 {"[]", false},        {"not JSON", false},  {"{}", false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Containerd__Container message = CONTAINERD__CONTAINER__INIT;
        struct containerd_facts facts = {0};
        struct container *c;

        answer_map(&message, labels, "nerdctl/networks", cases[i].networks, "nerdctl/healthcheck",
                   "{}");
        c = of_nerdctl(&message, &facts);
        ck_assert(!answer_knows(c, CMETA_GROUP_HEALTH)); // a check that we can't tell
        ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "656fd054b0d9");
        ck_assert_msg(answer_knows(c, CMETA_GROUP_NETWORK) == cases[i].known, "%s",
                      cases[i].networks);
        ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), cases[i].known ? "" : "(absent)");
        container_free(c);
        containerd_facts_done(&facts);
    }
}
END_TEST

START_TEST(dockers_records_give_security_mounts_and_limits_only)
{
    json_t *info = answer_json("containerd/container-info.moby.json");
    char *text = json_dumps(json_object_get(info, "Spec"), 0);
    Containerd__Container message = CONTAINERD__CONTAINER__INIT;
    Containerd__Any spec = any_of(text);
    struct container *c;

    ck_assert(containerd_record_is_docker(&message, "moby"));
    ck_assert(containerd_record_is_docker(&message, "moby-1000.1000"));
    ck_assert(!containerd_record_is_docker(&message, "mobydick"));
    ck_assert(!containerd_record_is_docker(&message, "default"));
    answer_map(&message, labels, "com.docker/engine.bundle.path", "/x");
    ck_assert(containerd_record_is_docker(&message, "default"));
    ck_assert_ptr_null(containerd_record_from_docker(&message, &context));
    message.id = TEXT(WEB);
    message.spec = &spec;
    c = containerd_record_from_docker(&message, &context);
    ck_assert_uint_eq(c->content.known, CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_LIMITS));
    ck_assert_uint_eq(c->content.type, CMETA_TYPE_UNKNOWN);
    ck_assert_uint_eq(c->content.labels_count, 0);
    ck_assert(!c->has_status);
    container_free(c);
    free(text);
    json_decref(info);
}
END_TEST

START_TEST(a_task_tells_state_pid_and_exit)
{
    Containerd__GetTaskResponse *response = answer_message(
        &containerd__get_task_response__descriptor, "containerd/Tasks.Get.response.pb");
    Containerd__Process process = CONTAINERD__PROCESS__INIT;
    Containerd__Timestamp at = CONTAINERD__TIMESTAMP__INIT;
    static const enum cmeta_state states[] = {CMETA_STATE_UNKNOWN, CMETA_STATE_CREATED,
                                              CMETA_STATE_RUNNING, CMETA_STATE_EXITED,
                                              CMETA_STATE_PAUSED,  CMETA_STATE_PAUSED};
    struct containerd_state state = containerd_record_state(response->process);

    ck_assert_uint_eq(state.word, CMETA_STATE_RUNNING);
    ck_assert_uint_eq(state.pid, response->process->pid);
    ck_assert_int_eq(state.finished_ns, -1);
    for (int i = -1; i < 8; i++) {
        process.status = i;
        state = containerd_record_state(&process);
        ck_assert_uint_eq(CMETA_STATUS_STATE(state.word), i < 0 || i > 5 ? 0 : states[i]);
    }
    process.status = 3;
    process.exit_status = 0x1ff;
    process.pid = 9;
    at.seconds = 7;
    process.exited_at = &at;
    state = containerd_record_state(&process);
    ck_assert_uint_eq(state.word, CMETA_STATE_EXITED | 0xffu << 16 | CMETA_STATUS_HAS_EXIT);
    ck_assert_uint_eq(state.pid, 0);
    ck_assert_int_eq(state.finished_ns, INT64_C(7000000000));
    ck_assert_uint_eq(containerd_record_state(NULL).word, CMETA_STATE_CREATED);
    FREE(response);
}
END_TEST

START_TEST(times_that_make_no_sense_are_none)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } times[] = {{-62135596800, 0}, {INT64_MAX, 0}, {1, -1}, {1, 1000000000}, {INT64_MIN, 5}};

    ck_assert_int_eq(containerd_record_time_ns(NULL), 0);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        Containerd__Timestamp time = CONTAINERD__TIMESTAMP__INIT;

        time.seconds = times[i].seconds;
        time.nanos = times[i].nanos;
        ck_assert_int_eq(containerd_record_time_ns(&time), 0);
    }
}
END_TEST

START_TEST(extensions_and_specs_that_make_no_sense_cost_what_they_tell)
{
    static const char *const texts[] = {"",
                                        "not JSON",
                                        "null",
                                        "7",
                                        "[]",
                                        "{}",
                                        "{\"Metadata\":7}",
                                        "{\"Metadata\":{\"Config\":[],\"SandboxID\":{},\"IP\":7}}",
                                        "{\"Metadata\":{\"Config\":{\"mounts\":{\"a\":[]},"
                                        "\"metadata\":7,\"image\":[],\"linux\":7,\"labels\":[]},"
                                        "\"AdditionalIPs\":{\"a\":7},\"CNIResult\":[7]}}"};
    static const char *const keys[] = {"io.cri-containerd.container.metadata",
                                       "io.cri-containerd.sandbox.metadata", ""};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            Containerd__Container message = CONTAINERD__CONTAINER__INIT;
            Containerd__Any any = any_of(texts[i]);
            Containerd__Container__ExtensionsEntry entry =
                CONTAINERD__CONTAINER__EXTENSIONS_ENTRY__INIT;
            Containerd__Container__ExtensionsEntry *entries[] = {&entry};
            struct containerd_facts facts = {0};
            struct container *c;

            message.id = TEXT("x");
            message.spec = &any;
            entry.key = TEXT(keys[k]);
            entry.value = i % 2 ? &any : NULL;
            message.extensions = entries;
            message.n_extensions = 1;
            c = containerd_record_from_container(&message, "k8s.io", &context, &facts);
            ck_assert_ptr_nonnull(c);
            ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "x");
            ck_assert(answer_knows(c, CMETA_GROUP_LABELS) &&
                      !answer_knows(c, CMETA_GROUP_SECURITY));
            container_free(c);
            containerd_facts_done(&facts);
        }
}
END_TEST

START_TEST(a_message_without_a_usable_id_makes_no_record)
{
    Containerd__Container message = CONTAINERD__CONTAINER__INIT;
    struct containerd_facts facts = {0};
    char id[300];

    ck_assert_ptr_null(containerd_record_from_container(&message, "default", &context, &facts));
    ck_assert_ptr_null(containerd_record_pod(&message, "default", &context));
    memset(id, 'a', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    message.id = id;
    ck_assert_ptr_null(containerd_record_from_container(&message, "default", &context, &facts));
}
END_TEST

CHECK_MAIN("containerd_record", 20, ctrs_container_has_all_that_its_record_tells,
           cris_container_is_complete_by_its_record_its_pods_and_its_image,
           a_pod_is_the_same_by_its_record_and_by_cri,
           a_sandbox_whose_network_is_not_there_yet_is_not_complete,
           the_sandbox_store_tells_a_pod_without_a_pause_container,
           privileged_is_what_cri_asked_for_not_what_the_spec_looks_like,
           nerdctls_labels_tell_name_ports_and_addresses,
           without_a_network_there_is_no_address_and_that_is_known,
           dockers_records_give_security_mounts_and_limits_only, a_task_tells_state_pid_and_exit,
           times_that_make_no_sense_are_none,
           extensions_and_specs_that_make_no_sense_cost_what_they_tell,
           a_message_without_a_usable_id_makes_no_record)
