// SPDX-License-Identifier: Apache-2.0
// OCI bundles: what is in one, and how folders of them are followed.
#include "containerd-meta/cleanup.h"
#include "containerd-meta/engine/bundle_record.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/fixture.h"
#include "tests/unit/support/leap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A                    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B                    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define KNOWS(container, group) answer_knows(container, CMETA_GROUP_##group)

// A spec as runtimes get it, with these annotations.
#define SPEC(annotations)                                                                         \
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":7,\"gid\":0},\"capabilities\":{"    \
    "\"bounding\":[\"CAP_CHOWN\"]}},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\","    \
    "\"source\":\"proc\"},{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv/data\"," \
    "\"options\":[\"rbind\",\"ro\",\"rprivate\"]},{\"destination\":\"/etc/hosts\",\"type\":"      \
    "\"bind\",\"source\":\"/var/lib/docker/containers/x/hosts\",\"options\":[\"rbind\"]}],"       \
    "\"annotations\":{" annotations "},\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],"             \
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"}],"              \
    "\"resources\":{\"memory\":{\"limit\":67108864}}}}"

static const struct oci_context context = {.limits = {.label_max_len = 100}};

static struct container *record(enum bundle_kind kind, const char *ns, const char *id,
                                const char *text)
{
    json_t *spec = oci_spec_parse(text, strlen(text));
    struct container *container = bundle_record(kind, ns, id, spec, &context);

    json_decref(spec);
    return container;
}

START_TEST(dockers_bundle_tells_security_and_mounts)
{
    CLEANUP(container_freep)
    struct container *container = record(BUNDLE_TASK, "moby", ID_A, SPEC(""));
    char *mounts = answer_mounts(container);

    ck_assert_uint_eq(container->scope.len, 0);
    ck_assert_uint_eq(container->content.type, CMETA_TYPE_DOCKER);
    ck_assert(KNOWS(container, SECURITY) && KNOWS(container, MOUNTS) && KNOWS(container, LIMITS));
    ck_assert(!KNOWS(container, IDENTITY) && !KNOWS(container, IMAGE) && !KNOWS(container, LABELS));
    ck_assert(!KNOWS(container, POD)); // it may be cri-dockerd's
    ck_assert_uint_eq(container->content.flags, 0);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_USER), "7");
    ck_assert_str_eq(mounts, "/srv/data:/data:ro:false:rprivate");
    ck_assert_int_eq(container->content.memory_limit, 67108864);
    ck_assert(!container->has_status);
    free(mounts);
}
END_TEST

START_TEST(a_bundle_of_containerds_own_is_in_its_namespace_and_in_no_pod)
{
    CLEANUP(container_freep)
    struct container *container = record(BUNDLE_TASK, "default", "web_1", SPEC(""));

    ck_assert_str_eq(container->scope.data, "containerd/default");
    ck_assert_uint_eq(container->content.type, CMETA_TYPE_CONTAINERD);
    ck_assert_uint_eq(container->content.mounts_count, 3);
    ck_assert(KNOWS(container, POD) && KNOWS(container, MOUNTS));
}
END_TEST

START_TEST(annotations_of_cri_tell_name_image_and_pod)
{
    CLEANUP(container_freep)
    struct container *container =
        record(BUNDLE_TASK, "k8s.io", ID_A,
               SPEC("\"io.kubernetes.cri.container-name\":\"main\","
                    "\"io.kubernetes.cri.container-type\":\"container\","
                    "\"io.kubernetes.cri.image-name\":\"reg.test:5000/a/b:1\","
                    "\"io.kubernetes.cri.sandbox-id\":\"" ID_B "\","
                    "\"io.kubernetes.cri.sandbox-name\":\"web\","
                    "\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
                    "\"io.kubernetes.cri.sandbox-uid\":\"u-1\""));

    ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), "main");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_REPO), "reg.test:5000/a/b");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_TAG), "1");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_NAME), "web");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_UID), "u-1");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_SANDBOX_ID), ID_B);
    // which mounts were asked for only the engine knows
    ck_assert(!KNOWS(container, MOUNTS) && !KNOWS(container, POD) && !KNOWS(container, IMAGE));
    ck_assert(KNOWS(container, SECURITY));
}
END_TEST

START_TEST(a_sandboxs_bundle_is_a_sandbox)
{
    CLEANUP(container_freep)
    struct container *container = record(BUNDLE_TASK, "k8s.io", ID_A,
                                         SPEC("\"io.kubernetes.cri.container-type\":\"sandbox\""));

    ck_assert(container->content.flags & CMETA_FLAG_POD_SANDBOX);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), "a1a1a1a1a1a1");
    ck_assert_uint_eq(container->content.reason[CMETA_GROUP_IMAGE], CMETA_REASON_POD_SANDBOX);
}
END_TEST

START_TEST(annotations_of_crio_tell_labels_and_creation_too)
{
    CLEANUP(container_freep)
    struct container *container =
        record(BUNDLE_STORAGE, NULL, ID_A,
               SPEC("\"io.kubernetes.cri-o.ContainerType\":\"container\","
                    "\"io.kubernetes.container.name\":\"main\","
                    "\"io.kubernetes.cri-o.Created\":\"2026-11-22T02:15:16.5Z\","
                    "\"io.kubernetes.cri-o.Image\":\"reg.test/a/b:1\","
                    "\"io.kubernetes.cri-o.ImageName\":\"localhost/other:2\","
                    "\"io.kubernetes.cri-o.Labels\":\"{\\\"app\\\":\\\"web\\\"}\","
                    "\"io.kubernetes.pod.name\":\"web\""));

    ck_assert_uint_eq(container->content.type, CMETA_TYPE_CRIO);
    ck_assert(KNOWS(container, IDENTITY) && KNOWS(container, LABELS));
    ck_assert_int_eq(container->content.created_ns, INT64_C(1795313716500000000));
    ck_assert_str_eq(answer_label(container, "app"), "web");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_IMAGE_REPO), "reg.test/a/b");
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_NAME), "web");
}
END_TEST

#define BIND(source, destination, options)                                        \
    "{\"destination\":\"" destination "\",\"type\":\"bind\",\"source\":\"" source \
    "\",\"options\":[" options "]}"
#define KEPT    "/run/containers/storage/overlay-containers/" ID_A "/userdata/"
#define OWN     "\"bind\",\"rprivate\""
#define KERNEL  "\"rprivate\",\"nosuid\",\"noexec\",\"nodev\",\"rbind\""
#define ASKED   "\"rw\",\"rprivate\",\"rbind\""
#define LIBPOD  "\"io.container.manager\":\"libpod\","
#define CREATED "\"io.kubernetes.cri-o.Created\":\"2026-11-22T02:15:16.5Z\","

static const char podmans_spec[] =
    "{\"process\":{\"user\":{\"uid\":0}},\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"rw\"]}," //
    BIND("/srv", "/data", "\"ro\",\"rprivate\",\"rbind\"") ","                                 //
    BIND("/var/lib/containers/storage/volumes/v/_data", "/vol",
         "\"rw\",\"rprivate\",\"nosuid\",\"nodev\",\"rbind\"") ","                  //
    BIND("/proc", "/proc", ASKED) "," BIND("/sys", "/sys", KERNEL) ","              //
    BIND("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd", OWN) ","               //
    BIND(KEPT ".containerenv", "/run/.containerenv", OWN) ","                       //
    BIND(KEPT "hosts", "/etc/hosts", OWN) "," BIND(KEPT "shm", "/dev/shm", OWN) "," //
    BIND("/usr/libexec/podman/catatonit", "/run/podman-init",
         OWN) "]," //
              "\"annotations\":{" LIBPOD CREATED "\"io.podman.annotations.privileged\":\"TRUE\"},"
              "\"linux\":{\"maskedPaths\":[\"/proc/kcore\"]}}";

// What podman's inspect says of the same: the volume and what was bound.
START_TEST(podmans_bundle_tells_what_was_bound_and_not_what_podman_binds_by_itself)
{
    CLEANUP(container_freep)
    struct container *container = record(BUNDLE_STORAGE, NULL, ID_A, podmans_spec);
    char *mounts = answer_mounts(container);

    ck_assert_uint_eq(container->content.type, CMETA_TYPE_PODMAN);
    ck_assert(KNOWS(container, SECURITY) && KNOWS(container, MOUNTS) && KNOWS(container, LIMITS));
    ck_assert(!KNOWS(container, IDENTITY) && !KNOWS(container, IMAGE) && !KNOWS(container, POD));
    ck_assert_str_eq(mounts, "/srv:/data::false:rprivate,"
                             "/var/lib/containers/storage/volumes/v/_data:/vol::true:rprivate,"
                             "/proc:/proc::true:rprivate");
    ck_assert_int_eq(container->content.created_ns, INT64_C(1795313716500000000));
    ck_assert(container->content.flags & CMETA_FLAG_PRIVILEGED); // as it says itself
    free(mounts);
}
END_TEST

// They carry CRI-O's annotations.
START_TEST(a_container_of_podmans_pod_is_podmans)
{
    CLEANUP(container_freep)
    struct container *infra =
        record(BUNDLE_STORAGE, NULL, ID_B,
               SPEC(LIBPOD CREATED "\"io.kubernetes.cri-o.ContainerType\":\"sandbox\""));
    CLEANUP(container_freep)
    struct container *container =
        record(BUNDLE_STORAGE, NULL, ID_A,
               SPEC(LIBPOD "\"io.kubernetes.cri-o.ContainerType\":\"container\","
                           "\"io.kubernetes.cri-o.SandboxID\":\"" ID_B "\""));

    ck_assert_uint_eq(container->content.type, CMETA_TYPE_PODMAN);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_POD_SANDBOX_ID), ID_B);
    ck_assert(!(container->content.flags & (CMETA_FLAG_POD_SANDBOX | CMETA_FLAG_PRIVILEGED)));
    ck_assert_uint_eq(infra->content.type, CMETA_TYPE_PODMAN);
    ck_assert(infra->content.flags & CMETA_FLAG_POD_SANDBOX);
    ck_assert(!KNOWS(infra, IDENTITY)); // its name isn't its ID
}
END_TEST

START_TEST(what_is_no_bundle_of_a_container_is_left_alone)
{
    json_auto_t *spec = json_object();

    ck_assert_ptr_null(record(BUNDLE_TASK, "default", "web", "[1]"));
    ck_assert_ptr_null(record(BUNDLE_TASK, "default", "web", ""));
    ck_assert_ptr_null(bundle_record(BUNDLE_TASK, "plugins.moby", ID_A, spec, &context));
    ck_assert_ptr_null(bundle_record(BUNDLE_TASK, "de fault", "web", spec, &context));
    ck_assert_ptr_null(bundle_record(BUNDLE_TASK, "default", "we\nb", spec, &context));
    ck_assert_ptr_null(bundle_record(BUNDLE_STORAGE, NULL, "web", spec, &context));
}
END_TEST

// --- the folder ----------------------------------------------------------------------------------

struct bed {
    struct fixture f;
    char root[128];
};

static void make(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void make(const char *format, ...)
{
    char path[512];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    ck_assert_msg(mkdir(path, 0711) == 0, "%s: %s", path, strerror(errno));
}

static void write_config(const struct bed *bed, const char *ns, const char *id, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s/%s/config.json", bed->root, ns, id);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void begin(struct bed *bed)
{
    fixture_make(&bed->f);
    snprintf(bed->root, sizeof(bed->root), "%s/io.containerd.runtime.v2.task", bed->f.dir.path);
    fixture_set_bundles(&bed->f, bed->root);
    fixture_run(&bed->f, "");
    ck_assert(fixture_wait(&bed->f, fixture_connected, NULL));
}

static bool knows_security(struct fixture *f, const void *id)
{
    return fixture_known(f, id) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY);
}

// falco 2700: inspect waits for the lock that a start holds, and the first exec is there before it.
START_TEST(what_inspect_keeps_back_during_a_start_is_known_by_the_bundle)
{
    struct bed bed;
    uint32_t known;

    begin(&bed);
    ck_assert(fake_http_wait_streams(bed.f.fake, "/v1.41/events", 1, 10000));
    fake_http_on(bed.f.fake, &(struct fake_rule){.prefix = "/v1.41/containers/" ID_A "/json",
                                                 .action = FAKE_HANG});
    fake_http_stream_push(
        bed.f.fake, "/v1.41/events",
        "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ID_A
        "\",\"Attributes\":{\"image\":\"a/b:1\",\"name\":\"web\"}},\"time\":1795313716,"
        "\"timeNano\":1795313716000000000}\n");
    ck_assert(fixture_wait(&bed.f, fixture_has, ID_A));
    ck_assert(!knows_security(&bed.f, ID_A));
    make("%s", bed.root);
    make("%s/moby", bed.root);
    make("%s/moby/" ID_A, bed.root);
    write_config(&bed, "moby", ID_A, SPEC(""));
    ck_assert(fixture_wait(&bed.f, knows_security, ID_A));
    known = fixture_known(&bed.f, ID_A);
    ck_assert(known & CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS));
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(fixture_type(&bed.f, ID_A), CMETA_TYPE_DOCKER);
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(bundles_that_stand_are_found_and_a_half_written_one_when_it_is_whole)
{
    struct bed bed;

    fixture_make(&bed.f);
    snprintf(bed.root, sizeof(bed.root), "%s/io.containerd.runtime.v2.task", bed.f.dir.path);
    make("%s", bed.root);
    make("%s/default", bed.root);
    make("%s/default/web", bed.root);
    make("%s/default/half", bed.root);
    write_config(&bed, "default", "web", SPEC(""));
    write_config(&bed, "default", "half", "{\"process\":{");
    fixture_set_bundles(&bed.f, bed.root);
    fixture_run(&bed.f, "");
    ck_assert(fixture_wait(&bed.f, fixture_has, "web"));
    ck_assert(!fixture_has(&bed.f, "half"));
    write_config(&bed, "default", "half", SPEC(""));
    ck_assert(fixture_wait(&bed.f, fixture_has, "half"));
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(a_bundle_that_went_is_told_of_for_a_while)
{
    struct bed bed;
    char path[512];

    begin(&bed);
    make("%s", bed.root);
    make("%s/default", bed.root);
    make("%s/default/web", bed.root);
    write_config(&bed, "default", "web", SPEC(""));
    ck_assert(fixture_wait(&bed.f, fixture_has, "web"));
    snprintf(path, sizeof(path), "%s/default/web/config.json", bed.root);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/default/web", bed.root);
    ck_assert_int_eq(rmdir(path), 0);
    make("%s/default/later", bed.root);
    write_config(&bed, "default", "later", SPEC("")); // after which the end was heard of
    ck_assert(fixture_wait(&bed.f, fixture_has, "later"));
    ck_assert(fixture_has(&bed.f, "web"));
    LEAP_SECONDS(61);
    make("%s/default/last", bed.root); // wakes the loop
    ck_assert(fixture_wait(&bed.f, fixture_lacks, "web"));
    ck_assert(fixture_has(&bed.f, "later"));
    fixture_remove(&bed.f);
}
END_TEST

START_TEST(what_went_while_no_daemon_ran_is_ended_by_the_next)
{
    struct bed bed;
    char path[512];

    begin(&bed);
    make("%s", bed.root);
    make("%s/default", bed.root);
    make("%s/default/web", bed.root);
    make("%s/default/stays", bed.root);
    write_config(&bed, "default", "web", SPEC(""));
    write_config(&bed, "default", "stays", SPEC(""));
    ck_assert(fixture_wait(&bed.f, fixture_has, "web"));
    ck_assert(fixture_wait(&bed.f, fixture_has, "stays"));
    fixture_end(&bed.f);
    snprintf(path, sizeof(path), "%s/default/web/config.json", bed.root);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/default/web", bed.root);
    ck_assert_int_eq(rmdir(path), 0);
    fixture_run(&bed.f, "");
    ck_assert(fixture_wait(&bed.f, fixture_lacks, "web"));
    ck_assert(fixture_has(&bed.f, "stays"));
    fixture_remove(&bed.f);
}
END_TEST

CHECK_MAIN("bundle", 60, dockers_bundle_tells_security_and_mounts,
           podmans_bundle_tells_what_was_bound_and_not_what_podman_binds_by_itself,
           a_container_of_podmans_pod_is_podmans,
           a_bundle_of_containerds_own_is_in_its_namespace_and_in_no_pod,
           annotations_of_cri_tell_name_image_and_pod, a_sandboxs_bundle_is_a_sandbox,
           annotations_of_crio_tell_labels_and_creation_too,
           what_is_no_bundle_of_a_container_is_left_alone,
           what_inspect_keeps_back_during_a_start_is_known_by_the_bundle,
           bundles_that_stand_are_found_and_a_half_written_one_when_it_is_whole,
           a_bundle_that_went_is_told_of_for_a_while,
           what_went_while_no_daemon_ran_is_ended_by_the_next)
