// SPDX-License-Identifier: Apache-2.0
// What each field says in each situation.
#include "support/plugin_bed.h"

#include <stdio.h>
#include <string.h>

// --- the matrix ----------------------------------------------------------------------------------

// A field, and its value of the host's processes, of a container that is known in full, of one that
// is known to have nothing, of one of which nothing is known, and of one without a record. ID and
// FULL stand for the container's own.
#define ID   "\1"
#define FULL "\2"
static const struct situation {
    const char *field, *host, *full, *empty, *unknown, *no_record;
} matrix[] = {
    {"container.id", "host", ID, ID, ID, ID},
    {"container.full_id", "host", FULL, FULL, FULL, NULL},
    {"container.name", "host", "web", "", NULL, NULL},
    {"container.image", "", "reg.io:5000/shop/web:2.1", "", NULL, NULL},
    {"container.image.id", "", "0d2c", "", NULL, NULL},
    {"container.type", "host", "containerd", "docker", NULL, NULL},
    {"container.privileged", "false", "true", "false", NULL, NULL},
    {"container.mounts", "", "/srv/data:/data:z:true:rprivate,/etc:/host/etc:ro:false:", "", NULL,
     NULL},
    {"container.mount[0]", NULL, "/srv/data:/data:z:true:rprivate", NULL, NULL, NULL},
    {"container.mount.source[1]", NULL, "/etc", NULL, NULL, NULL},
    {"container.mount.dest[0]", NULL, "/data", NULL, NULL, NULL},
    {"container.mount.mode[0]", NULL, "z", NULL, NULL, NULL},
    {"container.mount.rdwr[1]", NULL, "false", NULL, NULL, NULL},
    {"container.mount.propagation[0]", NULL, "rprivate", NULL, NULL, NULL},
    {"container.mount.propagation[1]", NULL, "", NULL, NULL, NULL},
    {"container.mount[2]", NULL, NULL, NULL, NULL, NULL},
    {"container.image.repository", "", "reg.io:5000/shop/web", "", NULL, NULL},
    {"container.image.tag", "", "2.1", "", NULL, NULL},
    {"container.image.digest", "", "sha256:77aa", "", NULL, NULL},
    {"container.healthcheck", "NONE", "/bin/check -x 1", "NONE", NULL, NULL},
    {"container.liveness_probe", "NONE", "/alive", "NONE", NULL, NULL},
    {"container.readiness_probe", "NONE", "NONE", "NONE", NULL, NULL},
    {"container.ip", "", "10.4.0.7", "", NULL, NULL},
    {"container.cni.json", "", "{\"cni\":1}", "", NULL, NULL},
    {"container.host_pid", "false", "false", "false", NULL, NULL},
    {"container.host_network", "false", "true", "false", NULL, NULL},
    {"container.host_ipc", "false", "true", "false", NULL, NULL},
    {"container.label[app]", NULL, "shop", NULL, NULL, NULL},
    {"container.label[io.kubernetes.pod.name]", NULL, "web-0", NULL, NULL, NULL},
    {"container.label[bare]", NULL, "", NULL, NULL, NULL},
    {"container.label[ap]", NULL, NULL, NULL, NULL, NULL},
    {"container.labels", "", "app:shop, bare", "", NULL, NULL},
    {"k8s.pod.name", NULL, "web-0", NULL, NULL, NULL},
    {"k8s.ns.name", NULL, "prod", NULL, NULL, NULL},
    {"k8s.pod.id", NULL, "5f0e", NULL, NULL, NULL},
    {"k8s.pod.uid", NULL, "5f0e", NULL, NULL, NULL},
    {"k8s.pod.sandbox_id", "", "0123456789ab", "", NULL, NULL},
    {"k8s.pod.full_sandbox_id", "", "0123456789abcdef", "", NULL, NULL},
    {"k8s.pod.label[tier]", NULL, "front", NULL, NULL, NULL},
    {"k8s.pod.labels", "", "tier:front", "", NULL, NULL},
    {"k8s.pod.ip", "", "10.4.0.8", "", NULL, NULL},
    {"k8s.pod.cni.json", "", "{\"cni\":2}", "", NULL, NULL},
    {"proc.is_container_healthcheck", "false", "false", "false", NULL, NULL},
    {"proc.is_container_liveness_probe", "false", "false", "false", NULL, NULL},
    {"proc.is_container_readiness_probe", "false", "false", "false", NULL, NULL},
    {"k8s.rc.name", NULL, NULL, NULL, NULL, NULL},
    {"k8s.rc.label[app]", NULL, NULL, NULL, NULL, NULL},
    {"k8s.svc.id", NULL, NULL, NULL, NULL, NULL},
    {"k8s.ns.labels", NULL, NULL, NULL, NULL, NULL},
    {"k8s.rs.name", NULL, NULL, NULL, NULL, NULL},
    {"k8s.deployment.labels", NULL, NULL, NULL, NULL, NULL},
    {"container.start_ts", NULL, NULL, NULL, NULL, NULL},
    {"container.duration", NULL, NULL, NULL, NULL, NULL},
};
#define ROWS (sizeof(matrix) / sizeof(matrix[0]))

static const char *own(unsigned n, const char *value)
{
    static char id[65];

    if (!value || (*value != '\1' && *value != '\2'))
        return value;
    sample_id(n, id);
    if (*value == '\1')
        id[12] = '\0';
    return id;
}

static struct cmeta_container full_content(void)
{
    static const struct cmeta_label labels[] = {
        {CMETA_STR("io.kubernetes.pod.name"), CMETA_STR("web-0")},
        {CMETA_STR("bare"), CMETA_STR("")},
        {CMETA_STR("app"), CMETA_STR("shop")}};
    static const struct cmeta_label pod_labels[] = {{CMETA_STR("tier"), CMETA_STR("front")}};
    static const struct cmeta_mount mounts[] = {{.source = CMETA_STR("/srv/data"),
                                                 .destination = CMETA_STR("/data"),
                                                 .mode = CMETA_STR("z"),
                                                 .propagation = CMETA_STR("rprivate"),
                                                 .rw = true},
                                                {.source = CMETA_STR("/etc"),
                                                 .destination = CMETA_STR("/host/etc"),
                                                 .mode = CMETA_STR("ro"),
                                                 .propagation = CMETA_STR("")}};
    static const struct cmeta_str args[] = {CMETA_STR("-x"), CMETA_STR("1")};
    static const struct cmeta_str addresses[] = {CMETA_STR("10.4.0.7")};

    return (struct cmeta_container){
        .type = CMETA_TYPE_CONTAINERD,
        .known = CMETA_GROUPS_ALL,
        .flags = CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC,
        .strings = {[CMETA_STRING_NAME] = CMETA_STR("web"),
                    [CMETA_STRING_IMAGE] = CMETA_STR("reg.io:5000/shop/web:2.1"),
                    [CMETA_STRING_IMAGE_ID] = CMETA_STR("0d2c"),
                    [CMETA_STRING_IMAGE_REPO] = CMETA_STR("reg.io:5000/shop/web"),
                    [CMETA_STRING_IMAGE_TAG] = CMETA_STR("2.1"),
                    [CMETA_STRING_IMAGE_DIGEST] = CMETA_STR("sha256:77aa"),
                    [CMETA_STRING_IP] = CMETA_STR("10.4.0.7"),
                    [CMETA_STRING_CNI_JSON] = CMETA_STR("{\"cni\":1}"),
                    [CMETA_STRING_POD_NAME] = CMETA_STR("web-0"),
                    [CMETA_STRING_POD_NAMESPACE] = CMETA_STR("prod"),
                    [CMETA_STRING_POD_UID] = CMETA_STR("5f0e"),
                    [CMETA_STRING_POD_SANDBOX_ID] = CMETA_STR("0123456789abcdef"),
                    [CMETA_STRING_POD_IP] = CMETA_STR("10.4.0.8"),
                    [CMETA_STRING_POD_CNI_JSON] = CMETA_STR("{\"cni\":2}")},
        .labels = labels,
        .labels_count = 3,
        .pod_labels = pod_labels,
        .pod_labels_count = 1,
        .mounts = mounts,
        .mounts_count = 2,
        .addresses = addresses,
        .addresses_count = 1,
        .probes = {[CMETA_PROBE_HEALTHCHECK] = {CMETA_STR("/bin/check"), args, 2},
                   [CMETA_PROBE_LIVENESS] = {.exe = CMETA_STR("/alive")}}};
}

enum { HOST = 1, FULL_N = 10, EMPTY_N = 11, UNKNOWN_N = 12, NO_RECORD_N = 13 };

// A thread per situation, with the sample's number as its tid; then all rows of the matrix.
static void open_all(struct bed *bed)
{
    struct cmeta_container full = full_content(), empty = {.known = CMETA_GROUPS_ALL},
                           unknown = {.known = 0};

    bed_make(bed);
    bed_put(bed, FULL_N, &full);
    bed_put(bed, EMPTY_N, &empty);
    bed_put(bed, UNKNOWN_N, &unknown);
    bed->host = bed_host(bed, NULL);
    host_thread_add(bed->host, HOST, HOST, "init", bed_rows_of("/init.scope"));
    for (unsigned n = FULL_N; n <= NO_RECORD_N; n++)
        host_thread_add(bed->host, n, n, "sh", bed_rows(n));
    ck_assert_int_eq(host_open_live(bed->host), 0);
}

START_TEST(every_field_of_the_host_is_as_upstream_has_it)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        bed_expect_of(bed.host, HOST, matrix[i].field, matrix[i].host);
    bed_close(&bed);
}
END_TEST

START_TEST(every_field_of_a_known_container_is_its_record)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        bed_expect_of(bed.host, FULL_N, matrix[i].field, own(FULL_N, matrix[i].full));
    bed_close(&bed);
}
END_TEST

START_TEST(known_to_be_empty_is_empty_or_null_as_upstream)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        bed_expect_of(bed.host, EMPTY_N, matrix[i].field, own(EMPTY_N, matrix[i].empty));
    bed_close(&bed);
}
END_TEST

START_TEST(what_is_not_known_yet_is_null_and_never_false)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        bed_expect_of(bed.host, UNKNOWN_N, matrix[i].field, own(UNKNOWN_N, matrix[i].unknown));
    bed_close(&bed);
}
END_TEST

START_TEST(container_without_a_record_has_its_id_and_nothing_else)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        bed_expect_of(bed.host, NO_RECORD_N, matrix[i].field,
                      own(NO_RECORD_N, matrix[i].no_record));
    bed_close(&bed);
}
END_TEST

START_TEST(event_without_a_thread_has_no_values)
{
    struct bed bed;

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++) {
        bed_expect_of(bed.host, 4711, matrix[i].field, NULL);
        bed_expect_of(bed.host, -1, matrix[i].field, NULL);
    }
    bed_close(&bed);
}
END_TEST

// --- partly known --------------------------------------------------------------------------------

START_TEST(present_string_of_a_group_not_known_yet_is_told)
{
    struct bed bed;
    struct cmeta_container partial = full_content();

    partial.known = 0;
    bed_open(&bed, NULL);
    bed_put(&bed, 3, &partial);
    bed_exec(bed.host, 30, bed_path(3));
    bed_expect(bed.host, "container.name", "web");
    bed_expect(bed.host, "container.image.repository", "reg.io:5000/shop/web");
    bed_expect(bed.host, "k8s.pod.name", "web-0");
    bed_expect(bed.host, "k8s.pod.sandbox_id", "0123456789ab");
    bed_expect(bed.host, "container.label[app]", "shop");
    bed_expect(bed.host, "container.privileged", NULL);
    bed_expect(bed.host, "container.host_network", NULL);
    bed_expect(bed.host, "container.labels", NULL);
    bed_expect(bed.host, "container.mounts", NULL);
    bed_expect(bed.host, "container.type", NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(each_group_is_known_by_itself)
{
    static const struct {
        enum cmeta_group group;
        const char *field, *value;
    } groups[] = {
        {CMETA_GROUP_IDENTITY, "container.name", ""},
        {CMETA_GROUP_IMAGE, "container.image", ""},
        {CMETA_GROUP_LABELS, "container.labels", ""},
        {CMETA_GROUP_SECURITY, "container.privileged", "false"},
        {CMETA_GROUP_MOUNTS, "container.mounts", ""},
        {CMETA_GROUP_NETWORK, "container.ip", ""},
        {CMETA_GROUP_POD, "k8s.pod.labels", ""},
        {CMETA_GROUP_HEALTH, "container.healthcheck", "NONE"},
    };
    const size_t count = sizeof(groups) / sizeof(groups[0]);
    struct bed bed;

    bed_open(&bed, NULL);
    for (size_t i = 0; i < count; i++) {
        struct cmeta_container content = {.known = CMETA_GROUP_BIT(groups[i].group)};

        bed_put(&bed, (unsigned)i, &content);
        bed_exec(bed.host, 30, bed_path((unsigned)i));
        for (size_t k = 0; k < count; k++)
            bed_expect(bed.host, groups[k].field, i == k ? groups[k].value : NULL);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(record_completed_later_is_read_at_the_next_event)
{
    struct bed bed;
    struct cmeta_container content = {.known = 0};

    bed_open(&bed, NULL);
    bed_put(&bed, 3, &content);
    bed_exec(bed.host, 30, bed_path(3));
    bed_expect(bed.host, "container.privileged", NULL);
    content.known = CMETA_GROUPS_ALL;
    content.flags = CMETA_FLAG_PRIVILEGED;
    bed_put(&bed, 3, &content);
    bed_expect_of(bed.host, 30, "container.privileged", "true");
    bed_close(&bed);
}
END_TEST

// --- types, times, calls -------------------------------------------------------------------------

START_TEST(type_is_spelled_as_upstream_spells_it)
{
    static const struct {
        uint16_t type;
        const char *text;
    } types[] = {{CMETA_TYPE_DOCKER, "docker"},
                 {CMETA_TYPE_LXC, "lxc"},
                 {CMETA_TYPE_LIBVIRT_LXC, "libvirt-lxc"},
                 {CMETA_TYPE_CUSTOM, ""},
                 {CMETA_TYPE_CRI, "cri"},
                 {CMETA_TYPE_CONTAINERD, "containerd"},
                 {CMETA_TYPE_CRIO, "cri-o"},
                 {CMETA_TYPE_BPM, "bpm"},
                 {CMETA_TYPE_STATIC, ""},
                 {CMETA_TYPE_PODMAN, "podman"},
                 {CMETA_TYPE_UNKNOWN, ""}};
    struct bed bed;

    bed_open(&bed, NULL);
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct cmeta_container content = {.known = CMETA_GROUPS_ALL, .type = types[i].type};

        bed_put(&bed, i, &content);
        bed_exec(bed.host, 30, bed_path(i));
        bed_expect(bed.host, "container.type", types[i].text);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(start_and_duration_are_the_threads_with_or_without_a_record)
{
    struct bed bed;
    struct host *h;

    bed_open(&bed, NULL);
    h = bed.host;
    for (int64_t tid = 40; tid < 43; tid++) {
        struct thread *t = host_thread_add(
            h, tid, tid, "sh", tid == 40 ? bed_rows_of("/init.scope") : bed_rows((unsigned)tid));

        thread_set_int(t, THREAD_PIDNS_INIT_START_TS, 1000000);
    }
    ck_assert_int_eq(sample_put(bed.writer, 41, 0), CMETA_PUT_CREATED);
    for (int64_t tid = 40; tid < 43; tid++) {
        host_event(h, event_any((uint64_t)tid, 1000250));
        bed_expect(h, "container.start_ts", "1000000");
        bed_expect(h, "container.duration", "250");
    }
    // A clock that went backwards gives no duration rather than five centuries.
    host_event(h, event_any(41, 999999));
    bed_expect(h, "container.duration", NULL);
    bed_close(&bed);
}
END_TEST

// plugins#1076
START_TEST(start_of_a_container_event_is_no_crash)
{
    struct bed bed;

    bed_open(&bed, NULL);
    host_event(bed.host, event_async("container", "{}", 3, FALCO_TS_NOW));
    bed_expect(bed.host, "container.start_ts", NULL);
    bed_expect(bed.host, "container.duration", NULL);
    bed_expect(bed.host, "container.id", NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(fields_of_one_call_stand_side_by_side)
{
    struct bed bed;
    const char *fields[ROWS];
    struct host_value values[ROWS];

    open_all(&bed);
    for (size_t i = 0; i < ROWS; i++)
        fields[i] = matrix[i].field;
    host_event(bed.host, event_any(FULL_N, 0));
    ck_assert_int_eq(host_extract_many(bed.host, fields, ROWS, values), 0);
    for (size_t i = 0; i < ROWS; i++) {
        const char *expected = own(FULL_N, matrix[i].full);

        ck_assert_msg(values[i].present == (expected != NULL), "%s", fields[i]);
        if (expected)
            ck_assert_str_eq(values[i].strings[0], expected);
        host_value_clear(&values[i]);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(value_longer_than_the_buffer_is_dropped_and_counted)
{
    static struct cmeta_label labels[7];
    static char keys[7][8], value[CMETA_LABEL_VALUE_MAX];
    static const char *const fields[] = {"container.labels", "container.labels", "container.labels",
                                         "container.labels", "container.labels"};
    struct cmeta_container content = {.known = CMETA_GROUPS_ALL, .labels = labels};
    struct host_value values[5];
    struct bed bed;
    size_t present = 0;

    memset(value, 'x', sizeof(value));
    // Each label's value stands twice in a record: by itself and joined.
    for (content.labels_count = 0; content.labels_count < 7; content.labels_count++) {
        unsigned i = content.labels_count;

        snprintf(keys[i], sizeof(keys[i]), "k%02u", i);
        labels[i] = (struct cmeta_label){{keys[i], 3}, {value, sizeof(value)}};
    }
    bed_open(&bed, NULL);
    bed_put(&bed, 3, &content);
    bed_exec(bed.host, 30, bed_path(3));
    ck_assert_int_eq(host_extract_many(bed.host, fields, 5, values), 0);
    for (size_t i = 0; i < 5; i++) {
        present += values[i].present;
        if (values[i].present)
            ck_assert_uint_gt(strlen(values[i].strings[0]), 7u * CMETA_LABEL_VALUE_MAX);
        host_value_clear(&values[i]);
    }
    ck_assert_uint_eq(present, 4);
    ck_assert_double_eq(bed_metric(bed.host, "values_dropped"), 1);
    // The next call has all the room again.
    ck_assert_uint_gt(strlen(host_text(bed.host, "container.labels")), 7u * CMETA_LABEL_VALUE_MAX);
    bed_close(&bed);
}
END_TEST

// --- mounts by key -------------------------------------------------------------------------------

START_TEST(mount_keys_are_globs_over_the_whole_path)
{
    static const struct {
        const char *source, *key;
        bool fits;
    } globs[] = {
        {"/tmp/foo", "/tmp/foo", true},
        {"/tmp/foo", "/tmp/*", true},
        {"/tmp/foo", "/tmp*", true},
        {"/tmp/foo", "*", true},
        {"/tmp/foo", "*foo", true},
        {"/tmp/foo", "/*/foo", true},
        {"/tmp/foo", "/t?p/f*o", true},
        {"/tmp/foo", "/tmp?foo", true}, // a slash is a byte like any other
        {"/tmp/foo", "/tmp/[a-f]oo", true},
        {"/tmp/foo", "/tmp/[!a-e]oo", true},
        {"/tmp/foo", "/tmp/[^a-e]oo", true},
        {"/tmp/foo", "/tmp/[fo,ba]oo", true},
        {"/tmp/foo", "**/**", true},
        {"/tmp/[x", "/tmp/[x", true}, // not closed: itself
        {"/tmp/]x", "/tmp/[]]x", true},
        {"/tmp/-x", "/tmp/[a-]x", true},
        {"/tmp/*", "/tmp/\\*", true},
        {"/tmp/a\\", "/tmp/a\\", true},
        {"/tmp/\xff", "/tmp/?", true},
        {"/tmp/foo", "foo", false},
        {"/tmp/foo", "/tmp", false},
        {"/tmp/foo", "/", false}, // once true of every container with a mount
        {"/tmp/foo", "foo$", false},
        {"/tmp/foo", "^/tmp", false},
        {"/tmp/foo", ".*", false},
        {"/tmp/foo", "/TMP/foo", false},
        {"/tmp/foo", "/tmp/[!f]oo", false},
        {"/tmp/foo", "/tmp/[g-z]oo", false},
        {"/tmp/foo", "/tmp/\\*", false},
        {"/tmp/foo", "/tmp/foo?", false},
        {"/tmp/foo", "00", false},
        {"/tmp/foo", "/usr|/tmp/foo", false},
    };
    struct bed bed;

    bed_open(&bed, NULL);
    for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
        const char *source = globs[i].source;
        struct cmeta_mount mount = {.source = {source, (uint32_t)strlen(source)},
                                    .destination = CMETA_STR("/there"),
                                    .mode = CMETA_STR(""),
                                    .propagation = CMETA_STR("")};
        struct cmeta_container content = {
            .known = CMETA_GROUPS_ALL, .mounts = &mount, .mounts_count = 1};
        struct host_value v;

        // What isn't UTF-8 is replaced by '?' in a record.
        bed_put(&bed, 3, &content);
        bed_exec(bed.host, 30, bed_path(3));
        ck_assert_int_eq(host_extract(bed.host, "container.mount.dest", globs[i].key, &v), 0);
        ck_assert_msg(v.present == globs[i].fits, "%s of %s", globs[i].key, source);
        host_value_clear(&v);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(source_is_found_by_destination_and_the_rest_by_source)
{
    struct bed bed;

    open_all(&bed);
    host_event(bed.host, event_any(FULL_N, 0));
    bed_expect(bed.host, "container.mount[/etc]", "/etc:/host/etc:ro:false:");
    bed_expect(bed.host, "container.mount[/host/*]", NULL);
    bed_expect(bed.host, "container.mount.source[/host/*]", "/etc");
    bed_expect(bed.host, "container.mount.source[/etc]", NULL);
    bed_expect(bed.host, "container.mount.dest[/etc]", "/host/etc");
    bed_expect(bed.host, "container.mount.mode[/e*]", "ro");
    bed_expect(bed.host, "container.mount.rdwr[/srv*]", "true");
    bed_expect(bed.host, "container.mount.propagation[/srv/data]", "rprivate");
    // The first that fits, in the container's order.
    bed_expect(bed.host, "container.mount.dest[*]", "/data");
    bed_expect(bed.host, "container.mount[01]", NULL); // a key, not an index
    bed_expect(bed.host, "container.mount[4294967296]", NULL);
    bed_expect(bed.host, "container.mount[99999999999999999999999]", NULL);
    bed_close(&bed);
}
END_TEST

// The stock macro sensitive_mount was true of every container with any mount.
START_TEST(sensitive_mount_macro_is_no_longer_always_true)
{
    static const char *const keys[] = {"/proc*",
                                       "/var/run/docker.sock",
                                       "/var/run/crio/crio.sock",
                                       "/run/containerd/containerd.sock",
                                       "/var/lib/kubelet",
                                       "/var/lib/kubelet/pki",
                                       "/",
                                       "/home/admin",
                                       "/etc/kubernetes",
                                       "/etc/kubernetes/manifests",
                                       "/root*"};
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 30, bed_path(3));
    bed_expect(bed.host, "container.mount.dest[/srv/data]", "/data");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct host_value v;

        ck_assert_int_eq(host_extract(bed.host, "container.mount.dest", keys[i], &v), 0);
        ck_assert_msg(!v.present, "%s", keys[i]);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(evil_glob_ends_soon)
{
    static char source[4096], key[256];
    struct cmeta_mount mount = {.source = {source, sizeof(source)},
                                .destination = CMETA_STR("/there"),
                                .mode = CMETA_STR(""),
                                .propagation = CMETA_STR("")};
    struct cmeta_container content = {
        .known = CMETA_GROUPS_ALL, .mounts = &mount, .mounts_count = 1};
    struct bed bed;
    struct host_value v;

    memset(source, 'a', sizeof(source));
    for (size_t i = 0; i + 2 < sizeof(key) - 1; i += 2)
        memcpy(key + i, "*a", 2);
    strcat(key, "b");
    bed_open(&bed, NULL);
    bed_put(&bed, 3, &content);
    bed_exec(bed.host, 30, bed_path(3));
    ck_assert_int_eq(host_extract(bed.host, "container.mount", key, &v), 0);
    ck_assert(!v.present);
    bed_close(&bed);
}
END_TEST

// falco#3610 and others: names, types and arguments are what rules and captures rely on.
START_TEST(declaration_is_upstreams)
{
    static const char *const first_and_last[] = {"container.id", "k8s.deployment.labels"};
    static const char *const outputs[] = {
        "container.id",        "container.name", "container.image.repository",
        "container.image.tag", "k8s.pod.name",   "k8s.ns.name"};
    struct bed bed;
    const struct plugin *p;

    bed_open(&bed, NULL);
    p = host_plugin(bed.host);
    ck_assert_uint_eq(p->n_fields, 61);
    ck_assert_str_eq(p->fields[0].name, first_and_last[0]);
    ck_assert_str_eq(p->fields[60].name, first_and_last[1]);
    ck_assert_str_eq(p->fields[8].name, "container.mount");
    ck_assert(p->fields[8].arg_key && p->fields[8].arg_index && p->fields[8].arg_required);
    ck_assert_str_eq(p->fields[20].name, "container.start_ts");
    ck_assert_str_eq(p->fields[20].type_name, "abstime");
    ck_assert_str_eq(p->fields[21].type_name, "reltime");
    ck_assert_str_eq(p->fields[27].name, "container.label");
    ck_assert(p->fields[27].arg_key && !p->fields[27].arg_index && p->fields[27].arg_required);
    ck_assert_str_eq(p->fields[29].type_name, "bool");
    ck_assert_str_eq(p->fields[40].name, "k8s.pod.ip");
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        const char *end, *at = p->sym.get_fields();
        char name[64];

        snprintf(name, sizeof(name), "\"name\":\"%s\"", outputs[i]);
        at = strstr(at, name);
        ck_assert_ptr_nonnull(at);
        end = strstr(at, "\"addOutput\":true");
        ck_assert_msg(end && end < strchr(at, '}'), "%s", outputs[i]);
    }
    ck_assert_str_eq(p->name, "container");
    ck_assert_str_eq(p->version, CMETA_VERSION);
    ck_assert_uint_eq(p->capabilities, 30);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN(
    "plugin_fields", 60, every_field_of_the_host_is_as_upstream_has_it,
    every_field_of_a_known_container_is_its_record, known_to_be_empty_is_empty_or_null_as_upstream,
    what_is_not_known_yet_is_null_and_never_false,
    container_without_a_record_has_its_id_and_nothing_else, event_without_a_thread_has_no_values,
    present_string_of_a_group_not_known_yet_is_told, each_group_is_known_by_itself,
    record_completed_later_is_read_at_the_next_event, type_is_spelled_as_upstream_spells_it,
    start_and_duration_are_the_threads_with_or_without_a_record,
    start_of_a_container_event_is_no_crash, fields_of_one_call_stand_side_by_side,
    value_longer_than_the_buffer_is_dropped_and_counted, mount_keys_are_globs_over_the_whole_path,
    source_is_found_by_destination_and_the_rest_by_source,
    sensitive_mount_macro_is_no_longer_always_true, evil_glob_ends_soon, declaration_is_upstreams)
