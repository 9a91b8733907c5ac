// SPDX-License-Identifier: Apache-2.0
// From recorded answers of Docker 20.10 to containers.
#include "containerd-meta/cpuset.h"
#include "containerd-meta/engine/docker_inspect.h"
#include "containerd-meta/json.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

static const struct container_limits limits = {.label_max_len = 100, .env = ENV_NAMES};

static json_t *recorded(const char *name)
{
    char path[512];
    json_t *json;

    snprintf(path, sizeof(path), "%s/docker/%s.json", TEST_DATA, name);
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
    container = docker_container_from_inspect(json, CMETA_TYPE_DOCKER, &limits, false);
    json_decref(json);
    ck_assert_ptr_nonnull(container);
    return container;
}

static const char *text(const struct container *container, enum cmeta_string which)
{
    const struct cmeta_str *value = &container->content.strings[which];

    return value->data ? value->data : "(absent)"; // the container's copies end in NUL
}

START_TEST(a_running_container_has_all_its_properties)
{
    struct container *c = inspected("full-one.running");
    const struct cmeta_container *in = &c->content;

    ck_assert_str_eq(c->id.data,
                     "bc281f1fd33ae4fa42400a45cd0bcac25d1aa4ec2f6f8aa8a250870b7a9d478c");
    ck_assert_str_eq(text(c, CMETA_STRING_NAME), "full-one");
    ck_assert_int_eq(in->created_ns, INT64_C(1795313716500023077));
    ck_assert_int_eq(in->started_ns, INT64_C(1795313717179253676));
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING | CMETA_HEALTH_STARTING << 8);
    ck_assert_uint_eq(c->pid, 17925);
    ck_assert_int_eq(c->finished_ns, 0);
    ck_assert_str_eq(text(c, CMETA_STRING_USER), "0:0");
    ck_assert_uint_eq(in->flags, 0);
    // --cpus 0.75
    ck_assert_int_eq(in->cpu_quota, 75000);
    ck_assert_int_eq(in->cpu_period, 100000);
    ck_assert_int_eq(in->cpu_shares, 700);
    ck_assert_int_eq(in->cpuset_cpu_count, 2);
    ck_assert_int_eq(in->memory_limit, 134217728);
    ck_assert_int_eq(in->swap_limit, 268435456);
    ck_assert_int_eq(in->size_rw, -1);
    ck_assert_uint_eq(in->labels_count, 4);
    ck_assert_uint_eq(in->env_count, 4);
    ck_assert_str_eq(in->env[0].data, "FOO");
    ck_assert_uint_eq(in->known, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    container_free(c);
}
END_TEST

START_TEST(mounts_keep_their_order_and_parts)
{
    struct container *c = inspected("full-one.running");
    const struct cmeta_mount *m = c->content.mounts;

    ck_assert_uint_eq(c->content.mounts_count, 4);
    ck_assert_str_eq(m[0].source.data, "/srv/lab/bin");
    ck_assert_str_eq(m[0].destination.data, "/hostbin");
    ck_assert_str_eq(m[0].mode.data, "ro");
    ck_assert(!m[0].rw);
    ck_assert_str_eq(m[0].propagation.data, "rprivate");
    ck_assert_str_eq(m[2].propagation.data, "rshared");
    ck_assert(m[2].rw);
    container_free(c);
}
END_TEST

// COMPAT 14: an address in a network of one's own, ports of all protocols.
START_TEST(addresses_and_ports_of_a_network_of_its_own)
{
    struct container *c = inspected("full-one.running");
    const struct cmeta_container *in = &c->content;

    ck_assert_str_eq(text(c, CMETA_STRING_IP), "172.31.78.50");
    ck_assert_uint_eq(in->addresses_count, 2);
    ck_assert_str_eq(in->addresses[1].data, "fd00:78::2");
    ck_assert_uint_eq(in->ports_count, 3);
    ck_assert_str_eq(in->ports[0].host_ip.data, "127.0.0.1");
    ck_assert_uint_eq(in->ports[0].host_port, 18080);
    ck_assert_uint_eq(in->ports[0].container_port, 80);
    ck_assert_str_eq(in->ports[0].protocol.data, "tcp");
    ck_assert_str_eq(in->ports[2].protocol.data, "udp");
    ck_assert_str_eq(in->ports[2].host_ip.data, "::");
    container_free(c);
}
END_TEST

START_TEST(the_network_it_was_started_in_gives_the_address)
{
    struct container *c = inspected("full-one.twonets");

    ck_assert_str_eq(text(c, CMETA_STRING_IP), "172.31.78.50");
    ck_assert_uint_ge(c->content.addresses_count, 3);
    container_free(c);
}
END_TEST

START_TEST(before_the_start_the_network_is_unknown_not_empty)
{
    struct container *c = inspected("full-one.created");

    ck_assert_uint_eq(c->status, CMETA_STATE_CREATED);
    ck_assert_uint_eq(c->content.known & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK), 0);
    ck_assert_uint_eq(c->content.reason[CMETA_GROUP_NETWORK], CMETA_REASON_NOT_YET);
    ck_assert_int_eq(c->content.started_ns, 0);
    container_free(c);
}
END_TEST

START_TEST(an_exited_container_has_its_code_and_time)
{
    struct container *c = inspected("full-one.exited");

    ck_assert_uint_eq(CMETA_STATUS_STATE(c->status), CMETA_STATE_EXITED);
    ck_assert_uint_ne(c->status & CMETA_STATUS_HAS_EXIT, 0);
    ck_assert_uint_eq(c->pid, 0);
    ck_assert_int_gt(c->finished_ns, 0);
    container_free(c);
}
END_TEST

START_TEST(paused_and_unhealthy_are_told)
{
    struct container *paused = inspected("full-one.paused"),
                     *unhealthy = inspected("full-one.unhealthy");

    ck_assert_uint_eq(CMETA_STATUS_STATE(paused->status), CMETA_STATE_PAUSED);
    ck_assert_uint_eq(CMETA_STATUS_HEALTH(unhealthy->status), CMETA_HEALTH_UNHEALTHY);
    container_free(paused);
    container_free(unhealthy);
}
END_TEST

START_TEST(privileged_and_host_namespaces)
{
    struct container *c = inspected("priv-hostns.running");

    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_PID |
                                            CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC);
    ck_assert_str_eq(text(c, CMETA_STRING_IP), "");
    ck_assert_str_eq(text(c, CMETA_STRING_USER), "");
    container_free(c);
}
END_TEST

START_TEST(a_shared_network_names_its_owner)
{
    json_t *json = recorded("container-inspect.container-ns.running");
    json_t *owner = recorded("container-inspect.full-one.running");
    struct container *c = docker_container_from_inspect(json, CMETA_TYPE_DOCKER, &limits, false);

    ck_assert_str_eq(docker_inspect_network_of(json),
                     "d919acdfaa99a4d8f40b501d0555df1451f1a10330eebc9116d26215686b8fe1");
    ck_assert_str_eq(text(c, CMETA_STRING_IP), "");
    docker_container_add_addresses(c, owner);
    ck_assert_str_eq(text(c, CMETA_STRING_IP), "172.31.78.50");
    ck_assert_ptr_null(docker_inspect_network_of(owner));
    container_free(c);
    json_decref(json);
    json_decref(owner);
}
END_TEST

START_TEST(healthchecks_are_what_the_container_runs)
{
    struct container *c = inspected("full-one.running");
    const struct cmeta_probe *probe = &c->content.probes[CMETA_PROBE_HEALTHCHECK];

    ck_assert_str_eq(probe->exe.data, "/bin/sh");
    ck_assert_uint_eq(probe->args_count, 2);
    ck_assert_str_eq(probe->args[0].data, "-c");
    ck_assert_str_eq(probe->args[1].data, "test -e /tmp/ok || exit 1");
    ck_assert_ptr_null(c->content.probes[CMETA_PROBE_LIVENESS].exe.data);
    container_free(c);
}
END_TEST

START_TEST(kubernetes_probes_come_before_the_healthcheck)
{
    const char *text_json =
        "{\"Id\":\"x\",\"Config\":{\"Labels\":{"
        "\"io.kubernetes.container.last-applied-config\":"
        "\"{\\\"spec\\\":{\\\"containers\\\":[{\\\"readinessProbe\\\":{\\\"exec\\\":{"
        "\\\"command\\\":"
        "[\\\"/probe\\\",\\\"-x\\\"]}}}]}}\",\"io.kubernetes.pod.name\":\"pay-7\","
        "\"io.kubernetes.pod.namespace\":\"prod\",\"io.kubernetes.docker.type\":\"podsandbox\"},"
        "\"Healthcheck\":{\"Test\":[\"CMD\",\"/check\"]}}}";
    json_t *json = json_parse(text_json, strlen(text_json));
    struct container *c = docker_container_from_inspect(json, CMETA_TYPE_DOCKER, &limits, false);

    ck_assert_str_eq(c->content.probes[CMETA_PROBE_READINESS].exe.data, "/probe");
    ck_assert_ptr_null(c->content.probes[CMETA_PROBE_HEALTHCHECK].exe.data);
    ck_assert_str_eq(text(c, CMETA_STRING_POD_NAME), "pay-7");
    ck_assert_str_eq(text(c, CMETA_STRING_POD_NAMESPACE), "prod");
    ck_assert_uint_ne(c->content.flags & CMETA_FLAG_POD_SANDBOX, 0);
    ck_assert_str_eq(c->scope.data, "docker"); // not an ID that is unique by itself
    container_free(c);
    json_decref(json);
}
END_TEST

// plugins 825, falco 3631: wrong image values break rules.
START_TEST(the_image_is_the_one_the_container_was_started_from)
{
    static const struct {
        const char *reference, *repository, *tag, *digest;
    } cases[] = {
        {"lab", "lab", "latest", "sha256:5163"},
        {"lab:1.0", "lab", "1.0", "sha256:5163"},
        {"localhost:15000/team/lab:1.0", "localhost:15000/team/lab", "1.0", "sha256:5163"},
        {"localhost:15000/team/lab@sha256:9999", "localhost:15000/team/lab", "", "sha256:9999"},
        {"reg:5000/a/b:1@sha256:9999", "reg:5000/a/b", "1", "sha256:9999"},
        {"sha256:6b8058410c1055c0059c6c8f84d7d7567af357f5363182ccfcc761a0912c4ab6", "lab", "latest",
         "sha256:5163"},
    };
    json_t *json = recorded("image-inspect.with-repodigests");
    struct docker_image *image = docker_image_from_json(json);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct container *c = container_new("x", 1, "");

        ck_assert_int_eq(docker_container_add_image(c, cases[i].reference, "sha256:6b80", image),
                         0);
        ck_assert_str_eq(text(c, CMETA_STRING_IMAGE), cases[i].reference);
        ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_ID), "6b80");
        ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_REPO), cases[i].repository);
        ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_TAG), cases[i].tag);
        ck_assert_mem_eq(text(c, CMETA_STRING_IMAGE_DIGEST), cases[i].digest,
                         strlen(cases[i].digest));
        container_free(c);
    }
    docker_image_free(image);
    json_decref(json);
}
END_TEST

START_TEST(an_image_that_was_removed_leaves_the_reference)
{
    struct container *c = container_new("x", 1, "");

    ck_assert_int_eq(docker_container_add_image(c, "a/b:3", NULL, NULL), 0);
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_REPO), "a/b");
    ck_assert_str_eq(text(c, CMETA_STRING_IMAGE_DIGEST), "");
    ck_assert_uint_eq(c->content.known, CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    container_free(c);
}
END_TEST

// Optional properties are optional: each member of a real answer, missing or of another type.
static void damage_member(json_t *object, const char *key, json_t *instead, json_t *root)
{
    json_t *kept = json_incref(json_object_get(object, key));
    struct container *c;

    if (instead)
        json_object_set(object, key, instead);
    else
        json_object_del(object, key);
    c = docker_container_from_inspect(root, CMETA_TYPE_DOCKER, &limits, true);
    if (c) { // all but a damaged Id give a container
        uint64_t buffer[CMETA_RECORD_MAX / 8];

        docker_container_add_image(c, "x", "y", NULL);
        ck_assert_int_gt(cmeta_record_encode(&c->content, buffer, sizeof(buffer), NULL), 0);
    } else {
        ck_assert_str_eq(key, "Id");
    }
    container_free(c);
    json_object_set_new(object, key, kept);
}

static void damage(json_t *object, json_t *root, unsigned *count)
{
    const char *keys[128];
    const char *key;
    json_t *value;
    unsigned n = 0;

    json_object_foreach (object, key, value)
        if (n < 128)
            keys[n++] = key;
    for (unsigned i = 0; i < n; i++) {
        json_t *others[] = {NULL,         json_null(),   json_integer(-7), json_string("x/y:z"),
                            json_array(), json_object(), json_true(),      json_real(1e300)};

        for (size_t o = 0; o < sizeof(others) / sizeof(others[0]); o++, ++*count) {
            char *name = strdup(keys[i]); // deleting frees the key

            damage_member(object, name, others[o], root);
            free(name);
            json_decref(others[o]);
            // the key's memory may be another one now
            n = 0;
            json_object_foreach (object, key, value)
                if (n < 128)
                    keys[n++] = key;
        }
    }
    for (unsigned i = 0; i < n; i++)
        if (json_is_object(json_object_get(object, keys[i])))
            damage(json_object_get(object, keys[i]), root, count);
}

START_TEST(a_missing_or_mistyped_member_costs_that_property_only)
{
    json_t *json = recorded("container-inspect.full-one.running");
    unsigned count = 0;

    damage(json, json, &count);
    ck_assert_uint_gt(count, 800);
    json_decref(json);
}
END_TEST

START_TEST(cpu_sets_are_counted)
{
    static const struct {
        const char *set;
        int64_t count;
    } cases[] = {
        {"", 0},  {"3", 1},   {"1,2,6", 3}, {"1-3", 3}, {"1-3,6-8", 6},     {"1-3,6-8,12,16", 8},
        {"x", 0}, {"3-1", 0}, {"1-", 0},    {"1;2", 0}, {"0-9999999999", 0}};

    ck_assert_int_eq(cpuset_count(NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(cpuset_count(cases[i].set) == cases[i].count, "%s", cases[i].set);
}
END_TEST

START_TEST(times_are_read_with_fractions_and_zones)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "utc", "2026-11-22T02:15:16.5Z",
                             "zone", "2026-11-22T04:15:16.5+02:00", "never", "0001-01-01T00:00:00Z",
                             "rubbish", "2026-11-22", "year", "9999-12-31T23:59:59Z", "number", 7);

    ck_assert_int_eq(json_time_ns(json, "utc"), INT64_C(1795313716500000000));
    ck_assert_int_eq(json_time_ns(json, "zone"), json_time_ns(json, "utc"));
    ck_assert_int_eq(json_time_ns(json, "never"), 0);
    ck_assert_int_eq(json_time_ns(json, "rubbish"), 0);
    ck_assert_int_eq(json_time_ns(json, "year"), 0);
    ck_assert_int_eq(json_time_ns(json, "number"), 0);
    ck_assert_int_eq(json_time_ns(json, "absent"), 0);
    json_decref(json);
}
END_TEST

CHECK_MAIN("docker_inspect", 30, a_running_container_has_all_its_properties,
           mounts_keep_their_order_and_parts, addresses_and_ports_of_a_network_of_its_own,
           the_network_it_was_started_in_gives_the_address,
           before_the_start_the_network_is_unknown_not_empty,
           an_exited_container_has_its_code_and_time, paused_and_unhealthy_are_told,
           privileged_and_host_namespaces, a_shared_network_names_its_owner,
           healthchecks_are_what_the_container_runs, kubernetes_probes_come_before_the_healthcheck,
           the_image_is_the_one_the_container_was_started_from,
           an_image_that_was_removed_leaves_the_reference,
           a_missing_or_mistyped_member_costs_that_property_only, cpu_sets_are_counted,
           times_are_read_with_fractions_and_zones)
