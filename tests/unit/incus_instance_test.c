// SPDX-License-Identifier: Apache-2.0
// From recorded answers of LXD 5.0.2, and made ones, to containers.
#include "containerd-meta/engine/incus_config.h"
#include "containerd-meta/engine/incus_instance.h"
#include "containerd-meta/json.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <string.h>

static const struct container_limits limits = {.label_max_len = 100, .env = ENV_VALUES};

#define FINGERPRINT "46f2946b8bf7fcd5d60cbc607892527edfb0950ddb4110901ae3499e2e45f3ec"

static json_t *recorded(const char *file)
{
    json_t *envelope = answer_json(file), *metadata = json_object_get(envelope, "metadata");

    ck_assert(json_is_object(metadata));
    json_incref(metadata);
    json_decref(envelope);
    return metadata;
}

static struct container *mapped(const char *file)
{
    json_auto_t *json = recorded(file);
    struct container *container = incus_container_from_instance(json, &limits);

    ck_assert_ptr_nonnull(container);
    return container;
}

static struct container *made(const char *text)
{
    json_auto_t *json = json_parse(text, strlen(text));
    struct container *container = incus_container_from_instance(json, &limits);

    ck_assert_msg(container != NULL, "%s", text);
    return container;
}

// An instance with these options and devices.
static struct container *made_of(const char *config, const char *devices)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "{\"name\":\"c\",\"expanded_config\":{%s},\"expanded_devices\":{%s}}", config,
             devices);
    return made(text);
}

// --- recorded ------------------------------------------------------------------------------------

START_TEST(an_instance_of_the_default_project_has_its_name_for_an_id)
{
    struct container *c = mapped("lxd/instance.default.json");
    const struct cmeta_container *in = &c->content;

    ck_assert_str_eq(c->id.data, "clab1");
    ck_assert_str_eq(c->scope.data, "lxc");
    ck_assert_uint_eq(in->type, CMETA_TYPE_LXC);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "clab1");
    ck_assert_int_eq(in->created_ns, INT64_C(1795316094907714778));
    ck_assert_int_eq(in->started_ns, INT64_C(1795316095183217796));
    ck_assert_uint_eq(c->status, CMETA_STATE_RUNNING);
    ck_assert_uint_eq(in->flags & CMETA_FLAG_PRIVILEGED, 0);
    ck_assert_int_eq(in->memory_limit, 64 << 20);
    ck_assert_int_eq(in->cpu_shares, 1024);
    ck_assert_uint_eq(in->mounts_count, 0); // the root file system is none
    ck_assert_str_eq(answer_label(c, "user.mykey"), "v1");
    ck_assert_str_eq(answer_label(c, "image.os"), "busybox");
    ck_assert_str_eq(answer_label(c, "incus.project"), "default");
    ck_assert_str_eq(answer_label(c, "incus.profiles"), "default");
    ck_assert_str_eq(answer_label(c, "volatile.uuid"), "(absent)");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "lab");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), FINGERPRINT);
    ck_assert_uint_eq(in->env_count, 1);
    ck_assert_str_eq(in->env[0].data, "FOO=bar");
    // its image's name and its addresses aren't told here
    ck_assert_uint_eq(in->known, CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE) &
                                     ~CMETA_GROUP_BIT(CMETA_GROUP_NETWORK));
    container_free(c);
}
END_TEST

START_TEST(an_instance_of_a_project_has_its_cgroups_name_for_an_id)
{
    struct container *c = mapped("lxd/instance.project.json");
    const struct cmeta_container *in = &c->content;
    char *mounts = answer_mounts(c);

    ck_assert_str_eq(c->id.data, "p2_w1");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_NAME), "w1");
    ck_assert_str_eq(answer_label(c, "incus.project"), "p2");
    ck_assert_uint_eq(in->flags & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    ck_assert_str_eq(mounts, "/srv/data:/data:ro:false:private");
    ck_assert_int_eq(in->cpuset_cpu_count, 2);
    ck_assert_int_eq(in->cpu_shares, 507); // what was in the container's cpu.shares
    free(mounts);
    container_free(c);
}
END_TEST

// cloud-init's documents have passwords in them.
START_TEST(cloud_inits_documents_are_no_labels)
{
    struct container *c = mapped("lxd/instance.project.json");

    ck_assert_str_eq(answer_label(c, "user.role"), "db");
    ck_assert_str_eq(answer_label(c, "user.user-data"), "(absent)");
    container_free(c);
}
END_TEST

// The record's list of interfaces begins with a bridge that a Docker inside has made.
START_TEST(the_address_is_that_of_the_instances_own_interface)
{
    json_auto_t *state = recorded("lxd/state.addresses.json");
    struct container *c = container_new("p2_w1", 5, INCUS_SCOPE);
    unsigned addresses, links;

    incus_container_add_state(c, state, &addresses, &links);
    ck_assert_uint_eq(addresses, 3);
    ck_assert_uint_eq(links, 2);
    ck_assert_uint_eq(c->pid, 23943);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.77.0.5");
    ck_assert_uint_eq(c->content.addresses_count, 3);
    ck_assert_str_eq(c->content.addresses[1].data, "fd42::5");
    ck_assert_str_eq(c->content.addresses[2].data, "172.17.0.1");
    ck_assert(answer_knows(c, CMETA_GROUP_NETWORK));
    container_free(c);
}
END_TEST

START_TEST(without_an_interface_the_network_is_known_to_be_empty)
{
    json_auto_t *state = recorded("lxd/state.loopback.json");
    struct container *c = container_new("c", 1, INCUS_SCOPE);
    unsigned addresses, links;

    incus_container_add_state(c, state, &addresses, &links);
    ck_assert_uint_eq(links, 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "");
    ck_assert(answer_knows(c, CMETA_GROUP_NETWORK));
    container_free(c);
}
END_TEST

START_TEST(an_interface_without_an_address_leaves_the_network_unknown)
{
    static const char *const texts[] = {
        "{\"pid\":7,\"network\":{\"eth0\":{\"addresses\":[],\"host_name\":\"v\"}}}",
        "{\"pid\":7,\"network\":{\"eth0\":{\"addresses\":[{\"address\":\"fe80::1\",\"scope\":"
        "\"link\"}]}}}",
        "{\"pid\":7,\"network\":null}", "{\"pid\":7}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_auto_t *state = json_parse(texts[i], strlen(texts[i]));
        struct container *c = container_new("c", 1, INCUS_SCOPE);
        unsigned addresses, links;

        incus_container_add_state(c, state, &addresses, &links);
        ck_assert_uint_eq(addresses, 0);
        ck_assert_uint_eq(c->pid, 7);
        ck_assert(!answer_knows(c, CMETA_GROUP_NETWORK));
        container_free(c);
    }
}
END_TEST

START_TEST(an_image_goes_by_its_alias)
{
    json_auto_t *image = recorded("lxd/image.json");
    json_auto_t *fetched =
        json_pack("{s:[],s:{s:s}}", "aliases", "update_source", "alias", "debian/12");
    struct container *c = mapped("lxd/instance.project.json");

    ck_assert_str_eq(incus_image_alias(image), "team/lab");
    ck_assert_str_eq(incus_image_alias(fetched), "debian/12");
    ck_assert_ptr_null(incus_image_alias(NULL));
    incus_container_add_image(c, "f00d", "Debian bookworm", "debian/12");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "debian/12");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "debian/12");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_ID), "f00d");
    ck_assert(answer_knows(c, CMETA_GROUP_IMAGE));
    container_free(c);
}
END_TEST

START_TEST(an_image_without_an_alias_goes_by_its_description)
{
    struct container *c = mapped("lxd/instance.project.json");

    incus_container_add_image(c, "f00d", "Debian bookworm", "");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "Debian bookworm");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "");
    container_free(c);
}
END_TEST

// --- made ----------------------------------------------------------------------------------------

START_TEST(an_application_container_has_its_images_reference)
{
    struct container *c = made_of("\"image.type\":\"oci\",\"image.id\":\"nginx:1.27\","
                                  "\"image.description\":\"docker.io/library/nginx (OCI)\","
                                  "\"volatile.base_image\":\"" FINGERPRINT "\","
                                  "\"oci.uid\":\"101\",\"oci.gid\":\"102\"",
                                  "");

    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE), "docker.io/library/nginx:1.27");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_REPO), "docker.io/library/nginx");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_TAG), "1.27");
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IMAGE_DIGEST), "sha256:" FINGERPRINT);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "101:102");
    ck_assert(answer_knows(c, CMETA_GROUP_IMAGE));
    container_free(c);
}
END_TEST

START_TEST(disks_are_mounts_and_the_root_is_none)
{
    struct container *c = made_of(
        "\"raw.lxc\":\"# a remark\\nlxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,ro "
        "0 "
        "0\\nlxc.mount.entry=/a\\nlxc.apparmor.profile=unconfined\\r\\nrubbish\\n\"",
        "\"root\":{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"default\"},"
        "\"eth0\":{\"type\":\"nic\",\"path\":\"/x\"},"
        "\"vol\":{\"type\":\"disk\",\"path\":\"/v\",\"pool\":\"fast\",\"source\":\"db\"},"
        "\"rel\":{\"type\":\"disk\",\"path\":\"srv\",\"source\":\"/s\",\"propagation\":\"rshared\","
        "\"readonly\":\"TRUE\"},\"bad\":7,\"none\":{\"type\":\"disk\",\"source\":\"/dev/sda\"}");
    char *mounts = answer_mounts(c);

    ck_assert_str_eq(mounts, "fast/db:/v::true:private,/s:/srv:ro:false:rshared,"
                             "/dev/fuse:/dev/fuse::false:");
    free(mounts);
    container_free(c);
}
END_TEST

START_TEST(namespaces_kept_by_raw_options_are_the_hosts)
{
    struct container *c = made_of("\"raw.lxc\":\"lxc.namespace.keep = net ipc\\n\"", "");

    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC);
    container_free(c);
    c = made_of("\"raw.lxc\":\"lxc.net.0.type = none\\nlxc.namespace.keep = pid\"", "");
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_PID);
    container_free(c);
    c = made_of("\"raw.lxc\":\"lxc.namespace.keep = user\\n\"", "");
    ck_assert_uint_eq(c->content.flags, 0);
    container_free(c);
}
END_TEST

START_TEST(limits_are_read_as_the_server_reads_them)
{
    struct container *c = made_of("\"limits.cpu\":\"3\",\"limits.cpu.allowance\":\"25ms/100ms\","
                                  "\"limits.memory\":\"1GB\",\"limits.memory.swap\":\"512MiB\"",
                                  "");

    ck_assert_int_eq(c->content.cpuset_cpu_count, 3);
    ck_assert_int_eq(c->content.cpu_quota, 25000);
    ck_assert_int_eq(c->content.cpu_period, 100000);
    ck_assert_int_eq(c->content.cpu_shares, 1024);
    ck_assert_int_eq(c->content.memory_limit, 1000000000);
    ck_assert_int_eq(c->content.swap_limit, 1000000000 + (512 << 20));
    container_free(c);
    ck_assert_int_eq(incus_bytes("512"), 512);
    ck_assert_int_eq(incus_bytes("64MiB"), 64 << 20);
    ck_assert_int_gt(incus_bytes("50%"), 1 << 20);
    ck_assert_int_eq(incus_bytes("9223372036854775807TiB"), 0);
    ck_assert_int_eq(incus_bytes("-5MiB"), 0);
    ck_assert_int_eq(incus_bytes("5 apples"), 0);
    ck_assert_int_eq(incus_bytes(""), 0);
    ck_assert_int_eq(incus_bytes(NULL), 0);
}
END_TEST

START_TEST(states_are_those_that_rules_know)
{
    static const struct {
        int code;
        const char *used;
        uint32_t state;
    } cases[] = {{103, "2026-01-01T00:00:00Z", CMETA_STATE_RUNNING},
                 {110, "2026-01-01T00:00:00Z", CMETA_STATE_PAUSED},
                 {102, "2026-01-01T00:00:00Z", CMETA_STATE_EXITED},
                 {102, "1970-01-01T00:00:00Z", CMETA_STATE_CREATED},
                 {102, "0001-01-01T00:00:00Z", CMETA_STATE_CREATED},
                 {106, "1970-01-01T00:00:00Z", CMETA_STATE_CREATED},
                 {112, "2026-01-01T00:00:00Z", CMETA_STATE_DEAD},
                 {200, "2026-01-01T00:00:00Z", CMETA_STATE_UNKNOWN}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[160];
        struct incus_facts facts;
        json_t *json;

        snprintf(text, sizeof(text), "{\"name\":\"c\",\"status_code\":%d,\"last_used_at\":\"%s\"}",
                 cases[i].code, cases[i].used);
        json = json_parse(text, strlen(text));
        ck_assert(incus_facts_read(json, &facts));
        ck_assert_uint_eq(facts.state, cases[i].state);
        json_decref(json);
    }
}
END_TEST

START_TEST(ids_are_made_and_taken_apart_as_cgroups_are_named)
{
    static const struct {
        const char *id, *project, *name;
    } cases[] = {{"web", "default", "web"},
                 {"p2_web", "p2", "web"},
                 {"a_b_web", "a_b", "web"},
                 {"_web", "default", "_web"},
                 {"web_", "default", "web_"}};
    char project[INCUS_ID_MAX + 1], id[INCUS_ID_MAX + 1];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(incus_id_split(cases[i].id, project), cases[i].name);
        ck_assert_str_eq(project, cases[i].project);
        incus_id_of(cases[i].project, cases[i].name, id);
        ck_assert_str_eq(id, cases[i].id);
    }
}
END_TEST

// What isn't told is unknown; a wrong type costs its property.
START_TEST(an_answer_of_any_shape_costs_what_only_it_tells)
{
    static const char *const nothing[] = {"{}",   "[]",           "7",
                                          "null", "{\"name\":7}", "{\"name\":\"\"}"};
    static const char *const little[] = {
        "{\"name\":\"c\"}",
        "{\"name\":\"c\",\"config\":7,\"devices\":[],\"profiles\":{},\"created_at\":9}",
        "{\"name\":\"c\",\"expanded_config\":[1],\"status_code\":\"103\",\"last_used_at\":{}}"};
    char name[INCUS_ID_MAX + 32], text[400];
    json_t *json;

    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        json = json_parse(nothing[i], strlen(nothing[i]));
        ck_assert_ptr_null(incus_container_from_instance(json, &limits));
        json_decref(json);
    }
    for (size_t i = 0; i < sizeof(little) / sizeof(little[0]); i++) {
        struct container *c = made(little[i]);

        ck_assert(!answer_knows(c, CMETA_GROUP_SECURITY) && !answer_knows(c, CMETA_GROUP_MOUNTS));
        ck_assert(!answer_knows(c, CMETA_GROUP_LABELS) && !answer_knows(c, CMETA_GROUP_IMAGE));
        ck_assert(!c->has_status);
        container_free(c);
    }
    memset(name, 'x', sizeof(name));
    snprintf(text, sizeof(text), "{\"name\":\"%.*s\"}", INCUS_ID_MAX + 1, name);
    json = json_parse(text, strlen(text));
    ck_assert_ptr_null(incus_container_from_instance(json, &limits));
    json_decref(json);
}
END_TEST

CHECK_MAIN("incus_instance", 20, an_instance_of_the_default_project_has_its_name_for_an_id,
           an_instance_of_a_project_has_its_cgroups_name_for_an_id,
           cloud_inits_documents_are_no_labels, the_address_is_that_of_the_instances_own_interface,
           without_an_interface_the_network_is_known_to_be_empty,
           an_interface_without_an_address_leaves_the_network_unknown, an_image_goes_by_its_alias,
           an_image_without_an_alias_goes_by_its_description,
           an_application_container_has_its_images_reference, disks_are_mounts_and_the_root_is_none,
           namespaces_kept_by_raw_options_are_the_hosts, limits_are_read_as_the_server_reads_them,
           states_are_those_that_rules_know, ids_are_made_and_taken_apart_as_cgroups_are_named,
           an_answer_of_any_shape_costs_what_only_it_tells)
