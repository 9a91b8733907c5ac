// SPDX-License-Identifier: Apache-2.0
// dump_state, and the document of a container key by key.
#include "support/plugin_ear.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// --- dumping -------------------------------------------------------------------------------------

// An open queue for what is dumped.
static struct async_queue *dump(struct bed *bed)
{
    const struct plugin *p = host_plugin(bed->host);
    struct async_queue *q = async_queue_new(host_report(bed->host));

    async_queue_set_names(q, p->async_events, p->n_async_events);
    async_queue_set_capacity(q, SIZE_MAX);
    async_queue_set_open(q, true);
    ck_assert_int_eq(instance_dump_state(host_instance(bed->host), q), 0);
    return q;
}

static bool next(struct async_queue *q, struct told *told)
{
    struct falco_event *event = async_queue_pop(q);

    if (event)
        ear_read(event, told);
    free(event);
    return event != NULL;
}

// The only container there is.
static struct told dump_one(struct bed *bed)
{
    struct async_queue *q = dump(bed);
    struct told told;

    ck_assert_uint_eq(async_queue_length(q), 1);
    ck_assert(next(q, &told));
    ck_assert_str_eq(told.name, "container");
    async_queue_free(q);
    return told;
}

START_TEST(dump_tells_each_container_once_and_not_the_host)
{
    struct bed bed;
    struct async_queue *q;
    struct told told;
    char id[65];
    struct cmeta_name name = sample_name(2, id);
    unsigned n = 0, removed = 0;
    uint64_t before = 0;

    bed_open(&bed, NULL);
    for (unsigned i = 0; i < 600; i++)
        ck_assert_int_eq(sample_put(bed.writer, i, 0), CMETA_PUT_CREATED);
    ck_assert_int_eq(cmeta_writer_remove(bed.writer, &name, 1), 1);
    q = dump(&bed);
    while (next(q, &told)) {
        if (strcmp(told.name, "container_removed") == 0) {
            ck_assert_str_eq(ear_text(&told, "name"), "container-2");
            removed++;
        } else {
            ck_assert_str_eq(told.name, "container");
        }
        ck_assert_str_ne(ear_text(&told, "id"), "host");
        ck_assert_uint_gt(told.ts, before); // real and rising
        before = told.ts;
        n++;
        ear_clear(&told);
    }
    ck_assert_uint_eq(n, 601);
    ck_assert_uint_eq(removed, 1);
    ck_assert_double_eq(bed_metric(bed.host, "events_dumped"), 601);
    async_queue_free(q);
    bed_close(&bed);
}
END_TEST

START_TEST(dump_without_a_region_or_a_capture_is_empty)
{
    struct bed bed = {.writer = NULL};
    struct async_queue *q;

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, NULL);
    for (unsigned i = 0; i < 2; i++) {
        q = dump(&bed);
        ck_assert_uint_eq(async_queue_length(q), 0);
        async_queue_free(q);
        if (i == 0)
            ck_assert_int_eq(host_open_live(bed.host), 0);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(dump_reads_the_newest_region)
{
    struct bed bed;
    struct told told = {.name = ""};

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 1, 0), CMETA_PUT_CREATED);
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    bed_wait_metric(bed.host, "region_swaps", 1);
    ck_assert_int_eq(sample_put(bed.writer, 1, 3), CMETA_PUT_UPDATED);
    while (strcmp(ear_text(&told, "imagetag"), "v3") != 0) { // until it is in use
        ear_clear(&told);
        ear_hear(bed.host, &told);
    }
    ear_clear(&told);
    told = dump_one(&bed);
    ck_assert_str_eq(ear_text(&told, "imagetag"), "v3");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

static falco_rc refuse(struct falco_owner *owner, const struct falco_event *event, char *error)
{
    (void)owner;
    (void)event;
    snprintf(error, FALCO_ERROR_BYTES, "the disk is full");
    return FALCO_RC_FAILURE;
}

START_TEST(dump_that_the_host_refuses_says_so)
{
    struct bed bed;
    struct instance *in;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 1, 0), CMETA_PUT_CREATED);
    in = host_instance(bed.host);
    ck_assert_int_eq(in->plugin->sym.dump_state(in->state, in->owner, refuse), FALCO_RC_FAILURE);
    ck_assert_str_eq(in->plugin->sym.get_last_error(in->state), "the disk is full");
    ck_assert_double_eq(bed_metric(bed.host, "events_dumped"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(fields_after_a_dump_are_as_before)
{
    struct bed bed;

    bed_open(&bed, NULL);
    ck_assert_int_eq(sample_put(bed.writer, 1, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 50, bed_path(1));
    bed_expect(bed.host, "container.name", "container-1");
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    for (unsigned i = 0; i < 2000; i++) {
        struct async_queue *q = dump(&bed); // it takes the successor up by itself

        async_queue_free(q);
        bed_expect(bed.host, "container.name", "container-1"); // of the same event
    }
    bed_close(&bed);
}
END_TEST

// --- the document --------------------------------------------------------------------------------

#define STR CMETA_STR
static const struct cmeta_label labels[] = {{STR("b"), STR("2")}, {STR("a"), STR("")}};
static const struct cmeta_label pod_labels[] = {{STR("tier"), STR("\xc3\xa9\"\\\n")}};
static const struct cmeta_mount mounts[] = {{.source = STR("/s"),
                                             .destination = STR("/d"),
                                             .mode = STR("z"),
                                             .propagation = STR("rslave"),
                                             .rw = true}};
static const struct cmeta_port ports[] = {{STR("127.0.0.1"), 8080, 80, STR("tcp")},
                                          {STR("::1"), 53, 5353, STR("udp")},
                                          {STR(""), 1, 2, STR("sctp")}};
static const struct cmeta_str addresses[] = {STR("10.0.0.7"), STR("fd00::7")};
static const struct cmeta_str env[] = {STR("A=1"), STR("B")};
static const struct cmeta_str args[] = {STR("-c"), STR("true")};

static struct cmeta_container everything(void)
{
    return (struct cmeta_container){.type = CMETA_TYPE_CRIO,
                                    .known = CMETA_GROUPS_ALL,
                                    .flags = CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_IPC,
                                    .created_ns = INT64_C(1767225600999999999),
                                    .cpu_period = 100000,
                                    .cpu_quota = 50000,
                                    .cpu_shares = 512,
                                    .cpuset_cpu_count = 2,
                                    .memory_limit = INT64_C(5) << 30,
                                    .swap_limit = -1,
                                    .size_rw = 77,
                                    .strings = {[CMETA_STRING_NAME] = STR("api"),
                                                [CMETA_STRING_IMAGE] = STR("r.io/api:2"),
                                                [CMETA_STRING_IMAGE_ID] = STR("0d2c"),
                                                [CMETA_STRING_IMAGE_REPO] = STR("r.io/api"),
                                                [CMETA_STRING_IMAGE_TAG] = STR("2"),
                                                [CMETA_STRING_IMAGE_DIGEST] = STR("sha256:77"),
                                                [CMETA_STRING_USER] = STR("1000"),
                                                [CMETA_STRING_IP] = STR("10.0.0.7"),
                                                [CMETA_STRING_CNI_JSON] = STR("{\"x\":1}"),
                                                [CMETA_STRING_POD_NAME] = STR("api-0"),
                                                [CMETA_STRING_POD_NAMESPACE] = STR("shop"),
                                                [CMETA_STRING_POD_UID] = STR("5f0e"),
                                                [CMETA_STRING_POD_SANDBOX_ID] = STR("aa31"),
                                                [CMETA_STRING_POD_IP] = STR("10.0.0.8"),
                                                [CMETA_STRING_POD_CNI_JSON] = STR("{}")},
                                    .labels = labels,
                                    .labels_count = 2,
                                    .pod_labels = pod_labels,
                                    .pod_labels_count = 1,
                                    .mounts = mounts,
                                    .mounts_count = 1,
                                    .ports = ports,
                                    .ports_count = 3,
                                    .addresses = addresses,
                                    .addresses_count = 2,
                                    .env = env,
                                    .env_count = 2,
                                    .probes = {[CMETA_PROBE_LIVENESS] = {STR("/bin/sh"), args, 2}}};
}

// Key by key, with `id` and `full_id` left out.
static const char everything_json[] =
    "{'type':8,'name':'api','image':'r.io/api:2','imageid':'0d2c','imagerepo':'r.io/api',"
    "'imagetag':'2','imagedigest':'sha256:77','User':'1000','cni_json':'{\\'x\\':1}',"
    "'cpu_period':100000,'cpu_quota':50000,'cpu_shares':512,'cpuset_cpu_count':2,"
    "'created_time':1767225600,'env':['A=1','B'],'host_ipc':true,'host_network':false,"
    "'host_pid':false,'ip':'10.0.0.7','size':77,'is_pod_sandbox':false,"
    "'labels':{'a':'','b':'2','io.kubernetes.pod.name':'api-0',"
    "'io.kubernetes.pod.namespace':'shop','io.kubernetes.pod.uid':'5f0e'},"
    "'memory_limit':5368709120,'swap_limit':-1,'pod_sandbox_id':'aa31','privileged':true,"
    "'pod_sandbox_labels':{'tier':'\xc3\xa9\\'\\\\\\n'},"
    "'port_mappings':[{'HostIp':2130706433,'HostPort':8080,'ContainerPort':80,'Protocol':'tcp'},"
    "{'HostIp6':'::1','HostIp':0,'HostPort':53,'ContainerPort':5353,'Protocol':'udp'},"
    "{'HostIp':0,'HostPort':1,'ContainerPort':2,'Protocol':'sctp'}],"
    "'Mounts':[{'Source':'/s','Destination':'/d','Mode':'z','RW':true,'Propagation':'rslave'}],"
    "'LivenessProbe':{'exe':'/bin/sh','args':['-c','true']},"
    "'scope':'docker','addresses':['10.0.0.7','fd00::7'],'pod_ip':'10.0.0.8','pod_cni_json':'{}'}";

// The same where nothing is known: what upstream's reader expects all the same.
static const char nothing_json[] =
    "{'type':65535,'name':'','image':'','imageid':'','imagerepo':'','imagetag':'',"
    "'imagedigest':'','User':'','cni_json':'','cpu_period':0,'cpu_quota':0,'cpu_shares':0,"
    "'cpuset_cpu_count':0,'created_time':0,'env':[],'host_ipc':false,'host_network':false,"
    "'host_pid':false,'ip':'','size':-1,'is_pod_sandbox':false,'labels':{},'memory_limit':0,"
    "'swap_limit':0,'pod_sandbox_id':'','privileged':false,'pod_sandbox_labels':{},"
    "'port_mappings':[],'Mounts':[],'scope':'docker',"
    "'unknown':{'identity':'not-yet','image':'not-yet','labels':'not-yet','security':'not-yet',"
    "'mounts':'not-yet','network':'not-yet','limits':'not-yet','pod':'not-yet',"
    "'health':'not-yet'}}";

// ' stands for ".
static json_t *quoted(const char *text)
{
    char *copy = strdup(text);
    json_t *json;

    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json = json_loads(copy, 0, NULL);
    ck_assert_msg(json != NULL, "%s", copy);
    free(copy);
    return json;
}

static void expect_document(const struct told *told, unsigned n, const char *text)
{
    json_t *expected = quoted(text);
    char id[65];

    sample_id(n, id);
    ck_assert_str_eq(ear_text(told, "full_id"), id);
    ck_assert_str_eq(ear_text(told, "id"), bed_short_id(n));
    json_object_del(told->doc, "id");
    json_object_del(told->doc, "full_id");
    if (!json_equal(told->doc, expected))
        ck_abort_msg("%s", told->text);
    json_decref(expected);
}

START_TEST(document_has_every_key_of_upstreams_reader)
{
    struct bed bed;
    struct cmeta_container content = everything();
    struct told told;

    bed_open(&bed, NULL);
    bed_put(&bed, 7, &content);
    told = dump_one(&bed);
    expect_document(&told, 7, everything_json);
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

START_TEST(document_of_the_unknown_has_every_key_too_and_says_why)
{
    struct bed bed;
    struct cmeta_container content = {.type = CMETA_TYPE_DOCKER, .size_rw = -1};
    struct told told;

    bed_open(&bed, NULL);
    memset(content.reason, CMETA_REASON_NOT_YET, sizeof(content.reason));
    bed_put(&bed, 7, &content);
    told = dump_one(&bed);
    expect_document(&told, 7, nothing_json);
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// COMPAT 21: such IDs aren't cut.
START_TEST(free_form_id_is_whole)
{
    static _Alignas(8) uint8_t record[CMETA_RECORD_MAX];
    struct bed bed;
    struct cmeta_container content = everything();
    struct cmeta_name name = {STR("a-rather-long-name"), STR("containerd/default")};
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING};
    int size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    struct told told;

    bed_open(&bed, NULL);
    ck_assert_int_eq(cmeta_writer_put(bed.writer, &name, record, (size_t)size, &live),
                     CMETA_PUT_CREATED);
    told = dump_one(&bed);
    ck_assert_str_eq(ear_text(&told, "id"), "a-rather-long-name");
    ck_assert_str_eq(ear_text(&told, "full_id"), "a-rather-long-name");
    ck_assert_str_eq(ear_text(&told, "scope"), "containerd/default");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// A record as large as can be, of bytes that JSON writes six for.
START_TEST(largest_record_is_told_whole)
{
    enum { VALUE = 4000, COUNT = 16 };
    static char value[VALUE], keys[COUNT][8];
    static struct cmeta_label many[COUNT];
    struct bed bed;
    struct cmeta_container content = everything();
    struct told told;

    memset(value, 1, sizeof(value));
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%02u", i);
        many[i] = (struct cmeta_label){{keys[i], 3}, {value, VALUE}};
    }
    // labels_joined holds them once more: so only half of them are kept by the encoder at most.
    content.labels = many;
    content.labels_count = COUNT;
    bed_open(&bed, NULL);
    bed_put(&bed, 7, &content);
    told = dump_one(&bed);
    ck_assert_uint_gt(json_object_size(json_object_get(told.doc, "labels")), 5);
    ck_assert_uint_gt(strlen(told.text), 5 * 6 * VALUE);
    ck_assert_str_eq(ear_text(&told, "pod_sandbox_id"), "aa31");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// Bytes that the daemon would have mended.
START_TEST(text_that_is_no_utf8_costs_that_text)
{
    struct bed bed;
    struct cmeta_container content = everything();
    char path[128];
    struct told told;
    uint8_t *bytes, *at;
    uint64_t size;
    int fd;

    bed_open(&bed, NULL);
    content.strings[CMETA_STRING_NAME] = STR("name-of-it");
    bed_put(&bed, 7, &content);
    snprintf(path, sizeof(path), "%s/" CMETA_TABLE_NAME, bed.dir.path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    size = cmeta_writer_region(bed.writer)->size;
    bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(bytes, MAP_FAILED);
    // The follower may be reading it just now; an atomic store is what another process does.
    while ((at = memmem(bytes, size, "name-of-it", 10)) != NULL)
        __atomic_store_n(at, 0xff, __ATOMIC_RELAXED);
    munmap(bytes, size);
    close(fd);
    told = dump_one(&bed);
    ck_assert_str_eq(ear_text(&told, "name"), "");
    ck_assert_str_eq(ear_text(&told, "image"), "r.io/api:2");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_dump", 60, dump_tells_each_container_once_and_not_the_host,
           dump_without_a_region_or_a_capture_is_empty, dump_reads_the_newest_region,
           dump_that_the_host_refuses_says_so, fields_after_a_dump_are_as_before,
           document_has_every_key_of_upstreams_reader,
           document_of_the_unknown_has_every_key_too_and_says_why, free_form_id_is_whole,
           largest_record_is_told_whole, text_that_is_no_utf8_costs_that_text)
