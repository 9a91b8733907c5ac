// SPDX-License-Identifier: Apache-2.0
// From NRI's messages to containers, and what a container's bundle adds.
#include "containerd-meta/engine/nri_bundle.h"
#include "containerd-meta/engine/nri_record.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_POD "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
#define ID_A   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"

static const struct oci_context context = {.limits = {.label_max_len = 100}};

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static Nri__PodSandbox a_pod(void)
{
    Nri__PodSandbox pod = NRI__POD_SANDBOX__INIT;

    pod.id = text(ID_POD);
    pod.name = text("web-7f9c");
    pod.namespace_ = text("shop");
    pod.uid = text("6f1d2c3b");
    answer_map(&pod, labels, "app", "web");
    answer_map(&pod, annotations, "team", "payments");
    return pod;
}

static Nri__Container a_container(void)
{
    Nri__Container container = NRI__CONTAINER__INIT;

    container.id = text(ID_A);
    container.pod_sandbox_id = text(ID_POD);
    container.name = text("web");
    answer_map(&container, labels, "io.kubernetes.container.name", "web");
    return container;
}

static struct container *map_it(const Nri__Container *message, const struct pod *pod,
                                const json_t *spec, enum cmeta_type type)
{
    struct container *container = nri_record_container(message, pod, spec, type, 1234, &context);

    ck_assert_ptr_nonnull(container);
    return container;
}

// --- pods ----------------------------------------------------------------------------------------

START_TEST(a_pod_is_folded_into_its_container)
{
    char *ips[] = {text("fd00::7"), text("10.1.0.7")};
    Nri__PodSandbox message = a_pod();
    Nri__Container container_message = a_container();
    struct container *container;
    struct pod *pod;

    message.ips = ips;
    message.n_ips = 2;
    pod = nri_record_pod(&message, CMETA_TYPE_CONTAINERD, &context);
    container = map_it(&container_message, pod, NULL, CMETA_TYPE_CONTAINERD);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_NAME), "web-7f9c");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_UID), "6f1d2c3b");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_IP), "10.1.0.7");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IP), "10.1.0.7");
    ck_assert_str_eq(answer_pod_label(container, "app"), "web");
    ck_assert_str_eq(answer_pod_label(container, "annotation.team"), "payments");
    ck_assert_str_eq(answer_label(container, "io.kubernetes.sandbox.id"), ID_POD);
    ck_assert(answer_knows(container, CMETA_GROUP_POD));
    ck_assert(answer_knows(container, CMETA_GROUP_NETWORK));
    container_free(container);
    pod_free(pod);
}
END_TEST

START_TEST(without_addresses_the_pod_is_not_complete)
{
    Nri__PodSandbox message = a_pod();
    struct pod *pod = nri_record_pod(&message, CMETA_TYPE_CONTAINERD, &context);
    struct container *sandbox = nri_record_sandbox(pod);

    ck_assert(!answer_knows(sandbox, CMETA_GROUP_POD));
    ck_assert(!answer_knows(sandbox, CMETA_GROUP_NETWORK));
    ck_assert(!answer_knows(sandbox, CMETA_GROUP_SECURITY));
    ck_assert_uint_eq(sandbox->content.flags & CMETA_FLAG_POD_SANDBOX, CMETA_FLAG_POD_SANDBOX);
    ck_assert_str_eq(answer_text(sandbox, CMETA_STRING_NAME), "d0d0d0d0d0d0");
    container_free(sandbox);
    pod_free(pod);
}
END_TEST

START_TEST(a_pod_in_the_hosts_network_has_no_address_of_its_own)
{
    Nri__LinuxNamespace pid = NRI__LINUX_NAMESPACE__INIT, ipc = NRI__LINUX_NAMESPACE__INIT;
    Nri__LinuxPodSandbox linux_part = NRI__LINUX_POD_SANDBOX__INIT;
    Nri__LinuxNamespace *namespaces[] = {&pid, &ipc};
    Nri__PodSandbox message = a_pod();
    struct pod *pod;

    pid.type = text("pid");
    ipc.type = text("ipc");
    linux_part.namespaces = namespaces;
    linux_part.n_namespaces = 2;
    message.linux_part = &linux_part;
    pod = nri_record_pod(&message, CMETA_TYPE_CONTAINERD, &context);
    ck_assert_uint_eq(pod->host_flags, CMETA_FLAG_HOST_NETWORK);
    ck_assert(pod->network_is_known);
    pod_free(pod);
    linux_part.n_namespaces = 0; // no list at all: nobody knows
    pod = nri_record_pod(&message, CMETA_TYPE_CONTAINERD, &context);
    ck_assert_uint_eq(pod->host_flags, 0);
    pod_free(pod);
}
END_TEST

// --- containers ----------------------------------------------------------------------------------

START_TEST(the_image_is_whose_annotation_tells_it)
{
    Nri__Container message = a_container();
    struct container *container;

    answer_map(&message, annotations, "io.kubernetes.cri.image-name",
               "docker.io/library/nginx:1.2");
    container = map_it(&message, NULL, NULL, CMETA_TYPE_CONTAINERD);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_REPO), "docker.io/library/nginx");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_TAG), "1.2");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_ID), "(absent)");
    ck_assert(!answer_knows(container, CMETA_GROUP_IMAGE)); // the ID is still to come
    container_free(container);
    answer_map(&message, annotations, "io.kubernetes.cri-o.Image", "nginx:1.2",
               "io.kubernetes.cri-o.ImageName", "docker.io/library/nginx:1.2");
    container = map_it(&message, NULL, NULL, CMETA_TYPE_CRIO);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_REPO), "docker.io/library/nginx");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_TAG), "1.2");
    container_free(container);
}
END_TEST

START_TEST(an_image_message_completes_the_image)
{
    Nri__Container message = a_container();
    Nri__Image image = NRI__IMAGE__INIT;
    struct container *container;

    image.name = text("docker.io/library/nginx:1.2");
    image.digest = text("sha256:"
                        "1111111111111111111111111111111111111111111111111111111111111111");
    image.config_digest = text("sha256:"
                               "2222222222222222222222222222222222222222222222222222222222222222");
    message.image = &image;
    container = map_it(&message, NULL, NULL, CMETA_TYPE_CONTAINERD);
    ck_assert(answer_knows(container, CMETA_GROUP_IMAGE));
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_DIGEST), image.digest);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_ID),
                     "2222222222222222222222222222222222222222222222222222222222222222");
    container_free(container);
}
END_TEST

static Nri__Mount a_mount(const char *source, const char *destination, const char *type,
                          char **options, size_t count)
{
    Nri__Mount mount = NRI__MOUNT__INIT;

    mount.source = text(source);
    mount.destination = text(destination);
    mount.type = text(type);
    mount.options = options;
    mount.n_options = count;
    return mount;
}

// A rule that looks for a mounted /proc must not fire for every container.
START_TEST(only_mounts_that_were_asked_for_count)
{
    char *ro[] = {text("rbind"), text("rprivate"), text("ro")};
    char *shared[] = {text("rbind"), text("rshared"), text("rw")};
    Nri__Mount mounts[] = {
        a_mount("proc", "/proc", "proc", NULL, 0),
        a_mount("/etc", "/host/etc", "bind", ro, 3),
        a_mount("/var/lib/data", "/data", "bind", shared, 3),
        a_mount("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/" ID_POD "/shm", "/dev/shm",
                "bind", shared, 3),
        a_mount("/run/containers/storage/overlay-containers/" ID_POD "/userdata/hostname",
                "/etc/hostname", "bind", ro, 3),
    };
    Nri__Mount *list[] = {&mounts[0], &mounts[1], &mounts[2], &mounts[3], &mounts[4]};
    Nri__Container message = a_container();
    struct container *container;
    char *joined;

    message.mounts = list;
    message.n_mounts = 5;
    container = map_it(&message, NULL, NULL, CMETA_TYPE_CONTAINERD);
    joined = answer_mounts(container);
    ck_assert_str_eq(joined, "/etc:/host/etc::false:private,/var/lib/data:/data::true:rshared");
    free(joined);
    container_free(container);
}
END_TEST

START_TEST(limits_are_taken_and_odd_numbers_cut)
{
    Nri__OptionalUInt64 shares = NRI__OPTIONAL_UINT64__INIT, period = NRI__OPTIONAL_UINT64__INIT;
    Nri__OptionalInt64 quota = NRI__OPTIONAL_INT64__INIT, limit = NRI__OPTIONAL_INT64__INIT;
    Nri__LinuxContainer linux_part = NRI__LINUX_CONTAINER__INIT;
    Nri__LinuxResources resources = NRI__LINUX_RESOURCES__INIT;
    Nri__LinuxMemory memory = NRI__LINUX_MEMORY__INIT;
    Nri__LinuxCPU cpu = NRI__LINUX_CPU__INIT;
    Nri__Container message = a_container();
    struct container *container;

    shares.value = 512;
    period.value = UINT64_MAX;
    quota.value = 50000;
    limit.value = 1 << 30;
    cpu.shares = &shares;
    cpu.period = &period;
    cpu.quota = &quota;
    cpu.cpus = text("0-2,5");
    memory.limit = &limit;
    resources.cpu = &cpu;
    resources.memory = &memory;
    linux_part.resources = &resources;
    message.linux_part = &linux_part;
    container = map_it(&message, NULL, NULL, CMETA_TYPE_CONTAINERD);
    ck_assert(answer_knows(container, CMETA_GROUP_LIMITS));
    ck_assert_int_eq(container->content.cpu_shares, 512);
    ck_assert_int_eq(container->content.cpu_quota, 50000);
    ck_assert_int_eq(container->content.cpu_period, INT64_MAX);
    ck_assert_int_eq(container->content.cpuset_cpu_count, 4);
    ck_assert_int_eq(container->content.memory_limit, 1 << 30);
    container_free(container);
}
END_TEST

START_TEST(sparse_messages_cost_what_they_lack)
{
    Nri__Container message = NRI__CONTAINER__INIT;
    Nri__PodSandbox pod = NRI__POD_SANDBOX__INIT;
    struct container *container;

    ck_assert_ptr_null(
        nri_record_container(&message, NULL, NULL, CMETA_TYPE_CONTAINERD, 0, &context));
    ck_assert_ptr_null(nri_record_pod(&pod, CMETA_TYPE_CONTAINERD, &context));
    message.id = text(ID_A);
    message.state = 99;
    message.pid = UINT32_MAX;
    container = nri_record_container(&message, NULL, NULL, CMETA_TYPE_CONTAINERD, 0, &context);
    ck_assert_ptr_nonnull(container);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), "a1a1a1a1a1a1");
    ck_assert(!answer_knows(container, CMETA_GROUP_IDENTITY)); // nobody told when it was made
    ck_assert(!answer_knows(container, CMETA_GROUP_LIMITS));
    ck_assert_uint_eq(container->status, CMETA_STATE_UNKNOWN);
    ck_assert_uint_eq(container->pid, 0);
    container_free(container);
}
END_TEST

START_TEST(an_exit_is_told_with_its_code)
{
    Nri__Container message = a_container();

    message.state = 4;
    ck_assert_uint_eq(nri_record_status(&message), CMETA_STATE_EXITED);
    message.finished_at = 5;
    message.exit_code = 137;
    ck_assert_uint_eq(nri_record_status(&message),
                      CMETA_STATE_EXITED | 137u << 16 | CMETA_STATUS_HAS_EXIT);
}
END_TEST

// --- bundles -------------------------------------------------------------------------------------

static int path_by(const char *source, const char *id, char path[NRI_BUNDLE_PATH_MAX])
{
    Nri__Mount mount = a_mount(source, "/dev/shm", "bind", NULL, 0), *list[] = {&mount};
    Nri__Container message = NRI__CONTAINER__INIT;

    message.id = text(id);
    message.mounts = list;
    message.n_mounts = 1;
    return nri_bundle_path(&message, path);
}

START_TEST(a_bundle_lies_where_the_runtimes_mounts_say)
{
    char path[NRI_BUNDLE_PATH_MAX];

    ck_assert_int_eq(
        path_by("/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/x/shm", ID_A, path), 0);
    ck_assert_str_eq(path, "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" ID_A
                           "/config.json");
    ck_assert_int_eq(
        path_by("/run/containers/storage/overlay-containers/x/userdata/shm", ID_A, path), 0);
    ck_assert_str_eq(path,
                     "/run/containers/storage/overlay-containers/" ID_A "/userdata/config.json");
    // nothing that could make a daemon wait, or leads out
    ck_assert_int_lt(
        path_by("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/x/hostname", ID_A, path),
        0);
    ck_assert_int_lt(path_by("/run/../nfs/io.containerd.grpc.v1.cri/sandboxes/x/shm", ID_A, path),
                     0);
    ck_assert_int_lt(
        path_by("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/x/shm", "../../x", path), 0);
    ck_assert_int_lt(path_by("/run/user/shm", ID_A, path), 0);
}
END_TEST

#define CAPS                                                                    \
    "\"CAP_SYS_ADMIN\",\"CAP_NET_ADMIN\",\"CAP_SYS_RAWIO\",\"CAP_SYS_PTRACE\"," \
    "\"CAP_DAC_READ_SEARCH\""
#define SPEC(caps, linux_more)                                                    \
    "{\"process\":{\"user\":{\"uid\":1000},\"capabilities\":{\"bounding\":[" caps \
    "]}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},"   \
    "{\"type\":\"ipc\"}]" linux_more "}}"

// Writes a bundle below a root, and reads it by the container that it is of.
static json_t *read_bundle(const char *spec)
{
    static const char *const folders[] = {"/run", "/run/c", "/run/c/io.containerd.runtime.v2.task",
                                          "/run/c/io.containerd.runtime.v2.task/k8s.io",
                                          "/run/c/io.containerd.runtime.v2.task/k8s.io/" ID_A};
    Nri__Mount mount = a_mount("/run/c/io.containerd.grpc.v1.cri/sandboxes/x/shm", "/dev/shm",
                               "bind", NULL, 0),
               *list[] = {&mount};
    Nri__Container message = a_container();
    struct temp_dir dir;
    char path[512];
    json_t *read;
    FILE *file;

    temp_dir_make(&dir);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", dir.path, folders[i]);
        ck_assert_int_eq(mkdir(path, 0755), 0);
    }
    strcat(path, "/config.json");
    if (spec) {
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs(spec, file);
        fclose(file);
    } else {
        ck_assert_int_eq(mkfifo(path, 0600), 0); // nobody writes: reading would wait for ever
    }
    message.mounts = list;
    message.n_mounts = 1;
    read = nri_bundle_read(&message, dir.path);
    temp_dir_remove(&dir);
    return read;
}

static bool is_privileged(const char *spec_text, bool *known)
{
    Nri__Container message = a_container();
    json_auto_t *spec = read_bundle(spec_text);
    struct container *container;
    bool privileged;

    container = map_it(&message, NULL, spec, CMETA_TYPE_CONTAINERD);
    *known = answer_knows(container, CMETA_GROUP_SECURITY);
    privileged = container->content.flags & CMETA_FLAG_PRIVILEGED;
    if (*known)
        ck_assert_str_eq(answer_text(container, CMETA_STRING_USER), "1000");
    container_free(container);
    return privileged;
}

START_TEST(a_bundle_tells_who_is_privileged_or_nothing)
{
    bool known;

    ck_assert(is_privileged(SPEC(CAPS, ""), &known));
    ck_assert(known);
    ck_assert(!is_privileged(SPEC("\"CAP_CHOWN\"", ""), &known));
    ck_assert(known);
    // all capabilities, and confined by something: to its runtime it may be privileged
    ck_assert(!is_privileged(SPEC(CAPS, ",\"maskedPaths\":[\"/proc/kcore\"]"), &known));
    ck_assert(!known);
    ck_assert(!is_privileged("{}", &known));
    ck_assert(!known);
    ck_assert(!is_privileged("[1, 2", &known));
    ck_assert(!known);
    ck_assert_ptr_null(read_bundle(NULL));
}
END_TEST

CHECK_MAIN("nri_record", 20, a_pod_is_folded_into_its_container,
           without_addresses_the_pod_is_not_complete,
           a_pod_in_the_hosts_network_has_no_address_of_its_own,
           the_image_is_whose_annotation_tells_it, an_image_message_completes_the_image,
           only_mounts_that_were_asked_for_count, limits_are_taken_and_odd_numbers_cut,
           sparse_messages_cost_what_they_lack, an_exit_is_told_with_its_code,
           a_bundle_lies_where_the_runtimes_mounts_say, a_bundle_tells_who_is_privileged_or_nothing)
