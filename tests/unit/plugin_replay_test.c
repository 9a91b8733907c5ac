// SPDX-License-Identifier: Apache-2.0
// Captures: what their events tell of containers, on the event itself and for the threads that
// follow; documents of every writer, sound and hostile; and that a replay stays within its memory.
#include "plugin/capture_store.h"
#include "support/plugin_bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX         "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"
#define SHORT       "3f8a1c5be07d"
#define OTHER_HEX   "3f8a1c5be07dffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define DOCKER(hex) "/docker/" hex
#define SECOND_NS   1000000000ull

// A replay: no handler, and a folder whose region must not matter.
static struct host *open_replay(struct bed *bed, const char *more)
{
    bed_make(bed);
    bed->host = bed_host(bed, more);
    return bed->host;
}

static void start(struct bed *bed)
{
    ck_assert_int_eq(host_open_savefile(bed->host), 0);
}

static void tell_at(struct host *h, const char *name, const char *json, uint64_t ts)
{
    host_event(h, event_async(name, json, strlen(json) + 1, ts));
}

static void tell(struct host *h, const char *json)
{
    tell_at(h, "container", json, 1000);
}

#define BASIC                                                                     \
    "{\"container\":{\"type\":0,\"id\":\"" SHORT "\",\"full_id\":\"" HEX          \
    "\",\"name\":\"web\",\"image\":\"nginx:1.25\",\"imagerepo\":\"nginx\","       \
    "\"imagetag\":\"1.25\",\"privileged\":true,\"labels\":{\"app\":\"shop\"},"    \
    "\"Mounts\":[{\"Source\":\"/a\",\"Destination\":\"/b\",\"Mode\":\"\",\"RW\":" \
    "true,\"Propagation\":\"private\"}],\"ip\":\"172.17.0.5\",\"User\":\"1000\"}}"

// --- the three ways to tell ----------------------------------------------------------------------

START_TEST(initial_state_gives_the_captures_threads_their_metadata)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, BASIC);
    host_thread_add(h, 50, 50, "sh", bed_rows_of(DOCKER(HEX)));
    host_thread_add(h, 1, 1, "init", bed_rows_of("/init.scope"));
    start(&bed);
    bed_expect_id(h, 50, SHORT);
    bed_expect_of(h, 50, "container.id", SHORT);
    bed_expect(h, "container.full_id", HEX);
    bed_expect(h, "container.name", "web");
    bed_expect(h, "container.type", "docker");
    bed_expect(h, "container.image.repository", "nginx");
    bed_expect(h, "container.privileged", "true");
    bed_expect(h, "container.label[app]", "shop");
    bed_expect(h, "container.mounts", "/a:/b::true:private");
    bed_expect(h, "container.ip", "172.17.0.5");
    bed_expect(h, "container.healthcheck", NULL); // upstream's documents don't tell
    bed_expect_of(h, 1, "container.id", "host");
    bed_close(&bed);
}
END_TEST

START_TEST(container_that_is_told_of_later_is_found_then)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    start(&bed);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.id", SHORT);
    bed_expect(h, "container.name", NULL);
    tell(h, BASIC);
    bed_expect_of(h, 50, "container.name", "web");
    bed_exec(h, 51, DOCKER(HEX));
    bed_expect(h, "container.name", "web");
    bed_close(&bed);
}
END_TEST

START_TEST(newer_document_replaces_the_older_one)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    start(&bed);
    tell(h, BASIC);
    bed_exec(h, 50, DOCKER(HEX));
    tell(h, "{\"container\":{\"type\":0,\"id\":\"" SHORT "\",\"full_id\":\"" HEX
            "\",\"name\":\"renamed\"}}");
    bed_expect_of(h, 50, "container.name", "renamed");
    bed_expect(h, "container.image", NULL); // it doesn't tell any more
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 1);
    bed_close(&bed);
}
END_TEST

START_TEST(legacy_events_of_all_three_kinds_are_read)
{
    static const enum falco_event_type types[] = {FALCO_EVENT_CONTAINER_JSON,
                                                  FALCO_EVENT_CONTAINER_JSON_2};
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    struct event *old = event_new(FALCO_EVENT_CONTAINER, 1, 1000);

    event_add_string(old, SHORT);
    event_add_u32(old, CMETA_TYPE_DOCKER);
    event_add_string(old, "oldest");
    event_add_string(old, "busybox:1");
    host_event(h, event_encode(old));
    event_free(old);
    bed_expect(h, "container.name", "oldest");
    bed_expect(h, "container.full_id", NULL);
    start(&bed);
    bed_exec(h, 50, DOCKER(HEX)); // found by its first twelve digits
    bed_expect(h, "container.name", "oldest");
    bed_expect(h, "container.image", "busybox:1");
    bed_expect(h, "container.type", "docker");
    bed_expect(h, "container.privileged", NULL);
    for (size_t i = 0; i < 2; i++) {
        char json[256];

        snprintf(json, sizeof(json),
                 "{\"container\":{\"type\":0,\"id\":\"" SHORT "\",\"name\":\"v%zu\"}}", i);
        host_event(h, event_container_json(types[i], json, 2000));
        bed_expect(h, "container.name", i ? "v1" : "v0");
        bed_expect_of(h, 50, "container.name", i ? "v1" : "v0");
    }
    bed_close(&bed);
}
END_TEST

// As Falco 0.13 wrote it: no full ID, no user, no host namespaces, keys that are gone since.
START_TEST(document_of_an_old_capture_is_read)
{
    static const char json[] =
        "{\"container\":{\"Mounts\":[],\"cpu_period\":100000,\"cpu_quota\":0,\"cpu_shares\":1024,"
        "\"env\":[],\"id\":\"9dbcbd0c435f\",\"image\":\"nginx:latest\",\"imagedigest\":"
        "\"sha256:96fb261b\",\"imageid\":\"f68d6e55\",\"imagerepo\":\"nginx\",\"imagetag\":"
        "\"latest\",\"ip\":\"172.17.0.2\",\"is_pod_sandbox\":false,\"labels\":{\"maintainer\":"
        "\"NGINX\"},\"memory_limit\":0,\"metadata_deadline\":0,\"lookup_state\":1,\"name\":"
        "\"epic_cray\",\"port_mappings\":[],\"privileged\":true,\"swap_limit\":0,\"type\":0,"
        "\"Healthcheck\":{\"exe\":\"/bin/check\",\"args\":null},"
        "\"LivenessProbe\":{\"exe\":\"/bin/live\",\"args\":[\"-v\",7,\"x\"]}}}";
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    host_event(h, event_container_json(FALCO_EVENT_CONTAINER_JSON, json, 1000));
    start(&bed);
    bed_exec(h, 50, "/docker/9dbcbd0c435f00000000000000000000000000000000000000000000000000ff");
    bed_expect(h, "container.name", "epic_cray");
    bed_expect(h, "container.image.digest", "sha256:96fb261b");
    bed_expect(h, "container.privileged", "true");
    bed_expect(h, "container.labels", "maintainer:NGINX");
    bed_expect(h, "container.mounts", "");
    bed_expect(h, "container.healthcheck", "/bin/check");
    bed_expect(h, "container.liveness_probe", "/bin/live -v x");
    bed_expect(h, "container.readiness_probe", "NONE");
    bed_close(&bed);
}
END_TEST

START_TEST(pod_of_a_container_is_told_by_its_labels)
{
    static const char json[] =
        "{\"container\":{\"type\":7,\"id\":\"" SHORT "\",\"full_id\":\"" HEX
        "\",\"name\":\"api\",\"ip\":\"10.42.0.17\",\"cni_json\":\"{}\",\"labels\":{"
        "\"io.kubernetes.pod.name\":\"api-0\",\"io.kubernetes.pod.namespace\":\"shop\","
        "\"io.kubernetes.pod.uid\":\"5f0e\",\"b\":\"2\",\"a\":\"1\"},\"pod_sandbox_id\":"
        "\"aa31bb52cc73dd94\",\"pod_sandbox_labels\":{\"app\":\"api\"}}}";
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, json);
    start(&bed);
    bed_exec(h, 50, "/kubepods/besteffort/podX/" HEX);
    bed_expect(h, "k8s.pod.name", "api-0");
    bed_expect(h, "k8s.ns.name", "shop");
    bed_expect(h, "k8s.pod.uid", "5f0e");
    bed_expect(h, "k8s.pod.sandbox_id", "aa31bb52cc73");
    bed_expect(h, "k8s.pod.full_sandbox_id", "aa31bb52cc73dd94");
    bed_expect(h, "k8s.pod.label[app]", "api");
    bed_expect(h, "k8s.pod.ip", "10.42.0.17");
    bed_expect(h, "k8s.pod.cni.json", "{}");
    bed_expect(h, "container.labels", "a:1, b:2");
    bed_close(&bed);
}
END_TEST

// Documents of ours name what isn't known; where they don't, all is.
START_TEST(what_our_own_documents_call_unknown_is_null)
{
    static const char json[] =
        "{\"container\":{\"type\":0,\"id\":\"" SHORT "\",\"full_id\":\"" HEX
        "\",\"name\":\"web\",\"image\":\"nginx\",\"imagetag\":\"\",\"privileged\":false,\"labels\":"
        "{},\"Mounts\":[],\"ip\":\"\",\"scope\":\"docker\",\"pod_ip\":\"10.0.0.9\",\"unknown\":{"
        "\"security\":\"not_yet\",\"mounts\":\"not_yet\",\"image\":\"engine_unreachable\"}}}";
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, json);
    bed_expect(h, "container.name", "web");
    bed_expect(h, "container.privileged", NULL);
    bed_expect(h, "container.mounts", NULL);
    bed_expect(h, "container.image", "nginx"); // a fact all the same
    bed_expect(h, "container.image.tag", NULL);
    bed_expect(h, "container.ip", "");
    bed_expect(h, "k8s.pod.ip", "10.0.0.9");
    bed_expect(h, "container.healthcheck", "NONE");
    bed_close(&bed);
}
END_TEST

// Told live and read again: a container of Docker's, whose scope is empty, of which all is known.
START_TEST(without_a_health_check_it_has_none_in_a_replay_as_well)
{
    struct bed live, bed;
    struct cmeta_container content;
    struct falco_event *event;
    struct host *h;

    bed_open(&live, NULL);
    sample_content(3, 0, &content);
    content.known = CMETA_GROUPS_ALL;
    memset(content.probes, 0, sizeof(content.probes));
    bed_put_in(&live, "", 3, &content);
    while ((event = async_queue_pop(host_instance(live.host)->async)) == NULL)
        async_queue_wait(host_instance(live.host)->async, 100);
    bed_exec(live.host, 50, bed_path(3));
    bed_expect(live.host, "container.healthcheck", "NONE");
    bed_expect(live.host, "proc.is_container_healthcheck", "false");
    h = open_replay(&bed, NULL);
    host_event(h, event);
    start(&bed);
    bed_exec(h, 50, bed_path(3));
    bed_expect(h, "container.healthcheck", "NONE");
    bed_expect(h, "proc.is_container_healthcheck", "false");
    bed_close(&bed);
    bed_close(&live);
}
END_TEST

// --- the event itself ----------------------------------------------------------------------------

START_TEST(event_tells_of_its_own_container_before_and_after_it_is_parsed)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    struct falco_event *e = event_async("container", BASIC, sizeof(BASIC), 1000);

    start(&bed);
    host_thread_add(h, 1, 1, "init", bed_rows_of("/init.scope"));
    e->tid = 1; // as dumps have it: whoever sent it is of no interest
    host_event_unparsed(h, e);
    bed_expect(h, "container.id", SHORT);
    bed_expect(h, "container.name", "web");
    bed_expect(h, "container.start_ts", NULL);
    bed_expect(h, "proc.is_container_healthcheck", NULL);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 0);
    tell(h, BASIC);
    bed_expect(h, "container.id", SHORT);
    bed_expect(h, "container.full_id", HEX);
    bed_expect(h, "container.privileged", "true");
    tell_at(h, "container_removed", BASIC, 2000);
    bed_expect(h, "container.name", "web");
    bed_close(&bed);
}
END_TEST

START_TEST(event_tells_of_its_own_container_in_a_live_capture_too)
{
    struct bed bed;

    bed_open(&bed, NULL);
    tell_at(bed.host, "container", BASIC, FALCO_TS_NOW);
    bed_expect(bed.host, "container.name", "web");
    // But the region is the truth.
    bed_exec(bed.host, 50, DOCKER(HEX));
    bed_expect(bed.host, "container.id", SHORT);
    bed_expect(bed.host, "container.name", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "captured_containers"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(region_that_comes_up_in_a_live_capture_ends_what_events_told)
{
    struct bed bed;

    temp_dir_make(&bed.dir);
    bed.writer = NULL;
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    tell(bed.host, BASIC);
    bed_exec(bed.host, 50, DOCKER(HEX));
    bed_expect(bed.host, "container.name", "web");
    bed.writer = sample_writer(bed.dir.path, NULL);
    bed_wait_metric(bed.host, "captured_containers", 0);
    bed_expect_of(bed.host, 50, "container.id", SHORT);
    bed_expect(bed.host, "container.name", NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(events_of_others_say_nothing)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell_at(h, "containers", BASIC, 1000);
    bed_expect(h, "container.name", NULL);
    tell_at(h, "container_remove", BASIC, 1000);
    tell_at(h, "", BASIC, 1000);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 0);
    ck_assert_double_eq(bed_metric(h, "capture_events_refused"), 0);
    bed_close(&bed);
}
END_TEST

// --- which container it is -----------------------------------------------------------------------

START_TEST(containers_that_share_their_first_digits_are_told_apart)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, BASIC);
    tell(h, "{\"container\":{\"id\":\"" SHORT "\",\"full_id\":\"" OTHER_HEX
            "\",\"name\":\"other\",\"type\":0}}");
    start(&bed);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.name", "web");
    bed_exec(h, 51, DOCKER(OTHER_HEX));
    bed_expect(h, "container.name", "other");
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 2);
    bed_close(&bed);
}
END_TEST

// Upstream cut every ID to twelve characters (COMPAT 21); its document has the whole one as well.
START_TEST(free_form_ids_are_whole_and_count_where_containerd_has_them)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, "{\"container\":{\"type\":7,\"id\":\"test_contain\",\"full_id\":\"test_container\","
            "\"name\":\"one\"}}");
    tell(h, "{\"container\":{\"type\":1,\"id\":\"my-lxc-box\",\"full_id\":\"\",\"name\":\"\"}}");
    tell(h, "{\"container\":{\"type\":7,\"id\":\"redis\",\"full_id\":\"redis\",\"name\":\"two\","
            "\"scope\":\"containerd/shop\"}}");
    start(&bed);
    bed_exec(h, 50, "/default/test_container");
    bed_expect(h, "container.id", "test_container");
    bed_expect(h, "container.name", "one");
    bed_exec(h, 51, "/lxc.payload.my-lxc-box/init.scope");
    bed_expect(h, "container.id", "my-lxc-box");
    bed_expect(h, "container.full_id", "my-lxc-box");
    bed_expect(h, "container.type", "lxc");
    bed_exec(h, 52, "/default/my-lxc-box"); // LXC's, not containerd's
    bed_expect(h, "container.id", "host");
    bed_exec(h, 53, "/shop/redis");
    bed_expect(h, "container.name", "two");
    bed_exec(h, 54, "/default/redis");
    bed_expect(h, "container.id", "host");
    bed_close(&bed);
}
END_TEST

// The upstream plugin would overwrite or erase its record of the host (COMPAT 10).
START_TEST(empty_id_is_refused_and_the_host_stays_the_host)
{
    static const char *const texts[] = {
        "{\"container\":{\"id\":\"\",\"name\":\"nobody\"}}",
        "{\"container\":{\"name\":\"nobody\"}}",
        "{\"container\":{\"id\":7,\"full_id\":null}}",
        "{\"container\":{\"id\":\"a\\u0000b\"}}",
        "{\"container\":{\"id\":\"a\\nb\"}}",
    };
    const size_t count = sizeof(texts) / sizeof(texts[0]);
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    host_thread_add(h, 1, 1, "init", bed_rows_of("/init.scope"));
    start(&bed);
    for (size_t i = 0; i < count; i++) {
        tell(h, texts[i]);
        bed_expect(h, "container.id", NULL);
        tell_at(h, "container_removed", texts[i], 2000);
        bed_expect_of(h, 1, "container.id", "host");
        bed_expect(h, "container.name", "host");
    }
    ck_assert_double_eq(bed_metric(h, "capture_events_refused"), 2 * (double)count);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(host_record_of_a_dump_is_the_hosts)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, "{\"container\":{\"id\":\"host\",\"full_id\":\"host\",\"name\":\"host\","
            "\"type\":65534}}");
    bed_expect(h, "container.id", "host");
    bed_expect(h, "container.image", "");
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(removed_container_is_told_until_its_grace_period_is_over)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    start(&bed);
    tell_at(h, "container", BASIC, 10 * SECOND_NS);
    bed_exec(h, 50, DOCKER(HEX));
    tell_at(h, "container_removed", BASIC, 20 * SECOND_NS);
    bed_expect_of(h, 50, "container.name", "web"); // its last processes' events follow
    tell_at(h, "container",
            "{\"container\":{\"id\":\"aaaaaaaaaaaa\",\"name\":\"next\",\"type\":0}}",
            70 * SECOND_NS);
    bed_expect_of(h, 50, "container.name", "web");
    tell_at(h, "container",
            "{\"container\":{\"id\":\"aaaaaaaaaaaa\",\"name\":\"next\",\"type\":0}}",
            81 * SECOND_NS);
    bed_expect_of(h, 50, "container.name", NULL);
    bed_expect(h, "container.id", SHORT);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 1);
    tell_at(h, "container", BASIC, 82 * SECOND_NS); // started again
    bed_expect_of(h, 50, "container.name", "web");
    bed_close(&bed);
}
END_TEST

// --- hostile documents ---------------------------------------------------------------------------

START_TEST(bad_property_costs_that_property)
{
    static const char json[] =
        "{\"container\":{\"type\":\"docker\",\"id\":\"" SHORT "\",\"full_id\":\"" HEX
        "\",\"name\":null,\"image\":[],\"imagetag\":\"1\\u00002\",\"privileged\":\"yes\","
        "\"labels\":{\"a\":1,\"b\":\"two\",\"b\":\"three\"},\"Mounts\":[7,null,{\"Source\":{}}],"
        "\"ip\":17,\"memory_limit\":123456789012345678901234567890,\"pod_sandbox_labels\":null,"
        "\"Healthcheck\":\"none\",\"User\":\"\xff\xfe\",\"size\":1.5e3}}";
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, json);
    bed_expect(h, "container.id", SHORT);
    bed_expect(h, "container.type", "");
    bed_expect(h, "container.name", "");
    bed_expect(h, "container.image", "");
    bed_expect(h, "container.image.tag", "1?2");
    bed_expect(h, "container.privileged", NULL);
    bed_expect(h, "container.labels", "b:three");
    bed_expect(h, "container.mounts", ":::false:");
    bed_expect(h, "container.ip", NULL);
    bed_expect(h, "container.healthcheck", NULL);
    ck_assert_double_eq(bed_metric(h, "capture_events_refused"), 0);
    bed_close(&bed);
}
END_TEST

// Whatever is cut off or appended, nothing of it is believed, and what is known stays.
START_TEST(document_that_is_cut_anywhere_is_refused)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    size_t refused = 0;

    tell(h, BASIC);
    for (size_t len = 0; len < sizeof(BASIC) - 1; len++, refused++)
        host_event(h, event_async("container", BASIC, len, 1000));
    host_event(h, event_async("container", BASIC, sizeof(BASIC) - 1, 1000)); // without its NUL
    host_event(h, event_async("container", BASIC "\0rubbish", sizeof(BASIC) + 8, 1000));
    tell(h, BASIC "x");
    tell(h, "[]");
    tell(h, "null");
    ck_assert_double_eq(bed_metric(h, "capture_events_refused"), (double)refused + 3);
    start(&bed);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.name", "web");
    bed_close(&bed);
}
END_TEST

static char *deep_document(size_t depth)
{
    char *json = malloc(2 * depth + 128), *at = json;

    at += sprintf(at, "{\"container\":{\"id\":\"" SHORT "\",\"x\":");
    memset(at, '[', depth);
    memset(at + depth, ']', depth);
    strcpy(at + 2 * depth, "}}");
    return json;
}

START_TEST(documents_of_excessive_depth_and_length_are_refused)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    char *json = deep_document(400000);

    tell(h, json);
    free(json);
    json = malloc(JSON_RECORD_TEXT_MAX + 2);
    memset(json, ' ', JSON_RECORD_TEXT_MAX + 1);
    memcpy(json, BASIC, sizeof(BASIC) - 1);
    json[JSON_RECORD_TEXT_MAX + 1] = '\0';
    tell(h, json);
    ck_assert_double_eq(bed_metric(h, "capture_events_refused"), 2);
    json[JSON_RECORD_TEXT_MAX] = '\0';
    tell(h, json);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), 1);
    free(json);
    bed_close(&bed);
}
END_TEST

// A label list that no record could hold: the record is the rest, and says so.
START_TEST(document_larger_than_a_record_keeps_what_fits)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    char *json = malloc(900000), *at = json;

    at += sprintf(at,
                  "{\"container\":{\"id\":\"" SHORT "\",\"name\":\"web\",\"type\":0,\"labels\":{");
    for (unsigned i = 0; i < 10000; i++)
        at += sprintf(at, "%s\"label-%u\":\"%050u\"", i ? "," : "", i, i);
    strcpy(at, "}}}");
    tell(h, json);
    free(json);
    bed_expect(h, "container.name", "web");
    bed_expect(h, "container.label[label-1]", "00000000000000000000000000000000000000000000000001");
    bed_close(&bed);
}
END_TEST

// --- bounds --------------------------------------------------------------------------------------

static void tell_number(struct host *h, unsigned n)
{
    char json[256], id[65];

    sample_id(n, id);
    snprintf(json, sizeof(json),
             "{\"container\":{\"type\":0,\"id\":\"%.12s\",\"full_id\":\"%s\",\"name\":\"c%u\"}}",
             id, id, n);
    tell(h, json);
}

START_TEST(memory_of_a_replay_is_bounded_and_the_newest_stay)
{
    const unsigned more = 100;
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    char name[32];

    start(&bed);
    for (unsigned n = 0; n < CAPTURE_RECORDS_MAX + more; n++)
        tell_number(h, n);
    ck_assert_double_eq(bed_metric(h, "captured_containers"), CAPTURE_RECORDS_MAX);
    ck_assert_double_eq(bed_metric(h, "captured_evicted"), more);
    bed_exec(h, 50, bed_path(more - 1));
    bed_expect(h, "container.id", bed_short_id(more - 1));
    bed_expect(h, "container.name", NULL);
    bed_exec(h, 51, bed_path(more));
    snprintf(name, sizeof(name), "c%u", more);
    bed_expect(h, "container.name", name);
    bed_close(&bed);
}
END_TEST

START_TEST(bytes_of_a_replay_are_bounded_too)
{
    const unsigned count = 700; // of some 56 KiB each
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    char *json = malloc(70000);

    start(&bed);
    for (unsigned n = 0; n < count; n++) {
        char id[65], *at = json;

        sample_id(n, id);
        at += sprintf(at, "{\"container\":{\"id\":\"%.12s\",\"name\":\"c%u\",\"labels\":{", id, n);
        for (unsigned i = 0; i < 14; i++)
            at += sprintf(at, "%s\"%u\":\"%04000u\"", i ? "," : "", i, i);
        strcpy(at, "}}}");
        tell(h, json);
    }
    free(json);
    ck_assert_double_gt(bed_metric(h, "captured_evicted"), 0);
    ck_assert_double_lt(bed_metric(h, "captured_containers") * 56000, CAPTURE_BYTES_MAX);
    ck_assert_double_gt(bed_metric(h, "captured_containers") * 60000, CAPTURE_BYTES_MAX - 60000);
    bed_exec(h, 50, bed_path(count - 1));
    bed_expect(h, "container.name", "c699");
    bed_close(&bed);
}
END_TEST

START_TEST(second_capture_knows_nothing_of_the_first)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);

    tell(h, BASIC);
    start(&bed);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.name", "web");
    host_close(h);
    start(&bed);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.id", SHORT);
    bed_expect(h, "container.name", NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(region_comes_before_the_capture_when_told_to)
{
    struct bed bed;
    struct host *h = open_replay(&bed, "\"region_in_replay\":true");

    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    tell(h, BASIC);
    tell_number(h, 3);
    start(&bed);
    bed_exec(h, 50, bed_path(3));
    bed_expect(h, "container.name", "container-3");
    bed_exec(h, 51, DOCKER(HEX)); // the capture's alone
    bed_expect(h, "container.name", "web");
    bed_close(&bed);
}
END_TEST

// --- the table `containers` ----------------------------------------------------------------------

static void note_row(void *userdata, const char *user, const char *ip)
{
    char *rows = userdata;

    snprintf(rows + strlen(rows), 256 - strlen(rows), "%s@%s ", user, ip);
}

START_TEST(table_of_containers_has_those_of_the_capture)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL);
    struct plugin_table *table;
    char rows[256] = "", *text;

    tell(h, BASIC);
    tell(h, "{\"container\":{\"type\":0,\"id\":\"aaaaaaaaaaaa\",\"User\":\"root\",\"ip\":\"\"}}");
    tell(h, "{\"container\":{\"type\":0,\"id\":\"bbbbbbbbbbbb\",\"ip\":\"10.0.0.1\","
            "\"host_network\":true}}");
    tell(h, "{\"container\":{\"type\":0,\"id\":\"cccccccccccc\",\"ip\":\"10.0.0.2\"}}");
    tell_at(h, "container_removed", "{\"container\":{\"type\":0,\"id\":\"cccccccccccc\"}}", 2000);
    start(&bed);
    table = tables_registered(host_instance(h)->tables, "containers");
    ck_assert_int_eq(plugin_table_walk(table, note_row, rows), 2);
    ck_assert_str_eq(rows, "@ 1000@172.17.0.5 "); // the host, and the one with an own address
    ck_assert_uint_eq(plugin_table_size(table), 2);
    ck_assert_int_eq(plugin_table_read(table, SHORT, "ip", &text), 0);
    ck_assert_str_eq(text, "172.17.0.5");
    free(text);
    ck_assert_int_eq(plugin_table_read(table, "aaaaaaaaaaaa", "user", &text), 0);
    ck_assert_str_eq(text, "root");
    free(text);
    ck_assert_int_eq(plugin_table_read(table, "dddddddddddd", "ip", &text), -ENOENT);
    host_close(h);
    ck_assert_uint_eq(plugin_table_size(table), 1);
    bed_close(&bed);
}
END_TEST

// --- what our own captures carry -----------------------------------------------------------------

// All fields, as a live capture has them now and as the replay of its dump has them.
static void expect_same(struct host *live, struct host *replay, int64_t tid)
{
    const struct plugin *p = host_plugin(live);

    for (size_t i = 0; i < p->n_fields; i++) {
        const char *args[] = {NULL, NULL}, *text;

        if (p->fields[i].arg_required) {
            args[0] = p->fields[i].arg_index ? "0" : "app";
            args[1] = p->fields[i].arg_index ? "/srv/*" : "tier";
        }
        for (unsigned a = 0; a < 2; a++) {
            char field[96], *expected;

            snprintf(field, sizeof(field), args[a] ? "%s[%s]" : "%s", p->fields[i].name, args[a]);
            host_event(live, event_any((uint64_t)tid, 5000));
            host_event(replay, event_any((uint64_t)tid, 5000));
            text = host_text(live, field);
            expected = text ? strdup(text) : NULL;
            bed_expect(replay, field, expected);
            free(expected);
        }
    }
}

// Of every sort: complete, with nothing, half known, in a pod, with probes.
static void put_sorts(struct bed *bed)
{
    static const struct cmeta_label labels[] = {{CMETA_STR("tier"), CMETA_STR("front")},
                                                {CMETA_STR("app"), CMETA_STR("")},
                                                {CMETA_STR("k\"\\"), CMETA_STR("\x01\xc3\xa9")}};
    static const struct cmeta_str args[] = {CMETA_STR("-x"), CMETA_STR("")};
    struct cmeta_container content;

    sample_content(3, 0, &content);
    bed_put(bed, 3, &content);
    content = (struct cmeta_container){.known = CMETA_GROUPS_ALL};
    bed_put(bed, 4, &content);
    sample_content(5, 0, &content);
    content.known = CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY) | CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS);
    content.reason[CMETA_GROUP_SECURITY] = CMETA_REASON_NOT_YET;
    bed_put(bed, 5, &content);
    sample_content(6, 0, &content);
    content.type = CMETA_TYPE_CRIO;
    content.flags = CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC;
    content.strings[CMETA_STRING_POD_NAME] = CMETA_STR("web-0");
    content.strings[CMETA_STRING_POD_NAMESPACE] = CMETA_STR("prod");
    content.strings[CMETA_STRING_POD_UID] = CMETA_STR("5f0e");
    content.strings[CMETA_STRING_POD_SANDBOX_ID] = CMETA_STR("0123456789abcdef");
    content.strings[CMETA_STRING_POD_IP] = CMETA_STR("10.4.0.8");
    content.strings[CMETA_STRING_POD_CNI_JSON] = CMETA_STR("{\"cni\":2}");
    content.strings[CMETA_STRING_CNI_JSON] = CMETA_STR("{\"cni\":1}");
    content.pod_labels = labels;
    content.pod_labels_count = 3;
    content.probes[CMETA_PROBE_HEALTHCHECK] =
        (struct cmeta_probe){CMETA_STR("/bin/check"), args, 2};
    content.probes[CMETA_PROBE_READINESS] = (struct cmeta_probe){.exe = CMETA_STR("/ready")};
    bed_put(bed, 6, &content);
}

START_TEST(dump_of_a_live_capture_replays_with_equal_values)
{
    struct bed bed;
    struct host *replay;

    bed_make(&bed);
    put_sorts(&bed);
    bed.host = bed_host(&bed, NULL);
    replay = bed_host(&bed, NULL);
    for (unsigned n = 3; n < 8; n++) { // there is no sample 7
        host_thread_add(bed.host, n, n, "sh", bed_rows(n));
        host_thread_add(replay, n, n, "sh", bed_rows(n));
    }
    ck_assert_int_eq(host_open_live(bed.host), 0);
    ck_assert_int_eq(host_dump(bed.host, replay), 4);
    ck_assert_int_eq(host_open_savefile(replay), 0);
    bed_expect_of(replay, 3, "container.name", "container-3");
    for (unsigned n = 3; n < 8; n++)
        expect_same(bed.host, replay, n);
    bed_end(replay);
    bed_close(&bed);
}
END_TEST

// A capture carries the events of the run as well; they alone are enough.
START_TEST(events_of_a_live_capture_replay_with_equal_values)
{
    struct bed bed;
    struct host *replay;
    struct falco_event *e;
    unsigned heard = 0;

    bed_make(&bed);
    bed.host = bed_host(&bed, NULL);
    replay = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    ck_assert_int_eq(host_open_savefile(replay), 0);
    put_sorts(&bed);
    while (heard < 4) { // the incomplete one after two seconds
        async_queue_wait(host_instance(bed.host)->async, 100);
        while ((e = async_queue_pop(host_instance(bed.host)->async)) != NULL) {
            host_event(replay, e);
            bed_tick(bed.host);
            heard++;
        }
    }
    for (unsigned n = 3; n < 7; n++) {
        bed_exec(bed.host, n, bed_path(n));
        bed_exec(replay, n, bed_path(n));
        expect_same(bed.host, replay, n);
    }
    bed_end(replay);
    bed_close(&bed);
}
END_TEST

START_TEST(dump_during_a_replay_forgets_nothing)
{
    struct bed bed;
    struct host *h = open_replay(&bed, NULL), *other = bed_host(&bed, NULL);

    tell(h, BASIC);
    start(&bed);
    ck_assert_int_ge(host_dump(h, other), 0);
    bed_exec(h, 50, DOCKER(HEX));
    bed_expect(h, "container.name", "web");
    bed_end(other);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_replay", 60, initial_state_gives_the_captures_threads_their_metadata,
           container_that_is_told_of_later_is_found_then, newer_document_replaces_the_older_one,
           legacy_events_of_all_three_kinds_are_read, document_of_an_old_capture_is_read,
           pod_of_a_container_is_told_by_its_labels, what_our_own_documents_call_unknown_is_null,
           without_a_health_check_it_has_none_in_a_replay_as_well,
           event_tells_of_its_own_container_before_and_after_it_is_parsed,
           event_tells_of_its_own_container_in_a_live_capture_too,
           region_that_comes_up_in_a_live_capture_ends_what_events_told,
           events_of_others_say_nothing, containers_that_share_their_first_digits_are_told_apart,
           free_form_ids_are_whole_and_count_where_containerd_has_them,
           empty_id_is_refused_and_the_host_stays_the_host, host_record_of_a_dump_is_the_hosts,
           removed_container_is_told_until_its_grace_period_is_over,
           bad_property_costs_that_property, document_that_is_cut_anywhere_is_refused,
           documents_of_excessive_depth_and_length_are_refused,
           document_larger_than_a_record_keeps_what_fits,
           memory_of_a_replay_is_bounded_and_the_newest_stay, bytes_of_a_replay_are_bounded_too,
           second_capture_knows_nothing_of_the_first, region_comes_before_the_capture_when_told_to,
           table_of_containers_has_those_of_the_capture,
           dump_of_a_live_capture_replays_with_equal_values,
           events_of_a_live_capture_replay_with_equal_values, dump_during_a_replay_forgets_nothing)
