// SPDX-License-Identifier: Apache-2.0
// From OCI runtime specs, recorded and hand-made, to containers.
#include "containerd-meta/engine/oci_spec.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_NAMES}};
static const struct oci_known derived = {.privileged = -1, .mounts = OCI_MOUNTS_ALL};

static json_t *recorded(const char *name)
{
    char file[128];
    json_t *info, *spec;

    snprintf(file, sizeof(file), "containerd/container-info.%s.json", name);
    info = answer_json(file);
    spec = json_incref(json_object_get(info, "Spec"));
    json_decref(info);
    ck_assert(json_is_object(spec));
    return spec;
}

static struct container *applied(const json_t *spec, const struct oci_context *with,
                                 const struct oci_known *known)
{
    struct container *c = container_new("x", 1, "containerd/default");

    oci_spec_apply(c, spec, with, known);
    ck_assert(!container_failed(c));
    return c;
}

static struct container *applied_text(const char *text)
{
    json_t *spec = oci_spec_parse(text, strlen(text));
    struct container *c = applied(spec, &context, &derived);

    json_decref(spec);
    return c;
}

START_TEST(a_recorded_spec_gives_user_limits_and_mounts)
{
    json_t *spec = recorded("full-one");
    struct container *c = applied(spec, &context, &derived);
    char *mounts = answer_mounts(c);

    ck_assert_uint_eq(c->content.known, CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS) |
                                            CMETA_GROUP_BIT(CMETA_GROUP_LIMITS));
    ck_assert_uint_eq(c->content.flags, 0);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "0");
    ck_assert_int_eq(c->content.cpu_shares, 1024);
    ck_assert_int_eq(c->content.cpu_quota, 50000);
    ck_assert_int_eq(c->content.cpu_period, 100000);
    ck_assert_int_eq(c->content.memory_limit, 67108864);
    ck_assert_int_eq(c->content.swap_limit, 0);
    ck_assert_uint_eq(c->content.env_count, 2);
    ck_assert_str_eq(c->content.env[1].data, "FOO");
    ck_assert_uint_eq(c->content.mounts_count, 8);
    ck_assert_ptr_nonnull(strstr(mounts, "devpts:/dev/pts:0620:true:,")); // the last mode= counts
    ck_assert_ptr_nonnull(strstr(mounts, "sysfs:/sys::false:,"));
    ck_assert_ptr_nonnull(strstr(mounts, "/var/lib/labs/eng/bin:/hostbin::false:"));
    free(mounts);
    container_free(c);
    json_decref(spec);
}
END_TEST

START_TEST(a_privileged_container_is_found_by_what_its_spec_grants)
{
    json_t *spec = recorded("priv");
    struct container *c = applied(spec, &context, &derived);

    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK);
    container_free(c);
    json_decref(spec);
}
END_TEST

START_TEST(whatever_one_thing_is_confined_it_is_not_privileged)
{
    static const struct {
        const char *part, *key, *value;
    } cases[] = {
        {"linux", "maskedPaths", "[\"/proc/kcore\"]"},
        {"linux", "readonlyPaths", "[\"/proc/sys\"]"},
        {"linux", "seccomp", "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}"},
        {"process", "apparmorProfile", "\"cri-containerd.apparmor.d\""},
        {"process", "selinuxLabel", "\"system_u:system_r:container_t:s0\""},
        {"process", "capabilities", "{\"bounding\":[\"CAP_SYS_ADMIN\",\"CAP_SYS_ADMIN\"]}"},
        {NULL, "mounts", "[{\"type\":\"sysfs\",\"options\":[\"ro\"]}]"},
        {NULL, "mounts", "[{\"type\":\"cgroup\",\"options\":[\"nosuid\",\"ro\"]}]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *spec = recorded("priv");
        json_t *part = cases[i].part ? json_object_get(spec, cases[i].part) : spec;

        ck_assert(oci_spec_is_privileged(spec));
        json_object_set_new(part, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        ck_assert_msg(!oci_spec_is_privileged(spec), "%s", cases[i].key);
        json_decref(spec);
    }
}
END_TEST

START_TEST(unconfined_and_empty_lists_confine_nothing)
{
    json_t *spec = recorded("priv");

    json_object_set_new(json_object_get(spec, "process"), "apparmorProfile",
                        json_string("unconfined"));
    json_object_set_new(json_object_get(spec, "linux"), "maskedPaths", json_array());
    json_object_set_new(json_object_get(spec, "linux"), "seccomp", json_null());
    ck_assert(oci_spec_is_privileged(spec));
    json_decref(spec);
}
END_TEST

START_TEST(who_knows_better_overrides_what_is_derived)
{
    const struct oci_known yes = {.privileged = 1}, no = {.privileged = 0};
    json_t *confined = recorded("full-one"), *granted = recorded("priv");
    struct container *a = applied(confined, &context, &yes), *b = applied(granted, &context, &no);

    ck_assert_uint_eq(a->content.flags, CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(b->content.flags, CMETA_FLAG_HOST_NETWORK);
    ck_assert(!answer_knows(a, CMETA_GROUP_MOUNTS)); // nor was it asked for them
    container_free(a);
    container_free(b);
    json_decref(confined);
    json_decref(granted);
}
END_TEST

static uint64_t inode_of(const char *path, uint64_t *device)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    *device = st.st_dev;
    return st.st_ino;
}

START_TEST(a_namespace_whose_path_is_the_hosts_is_the_hosts)
{
    struct oci_host_namespaces host = {0};
    const struct oci_context with = {.limits = context.limits, .host = &host};
    char text[512];
    json_t *spec;
    struct container *c;

    host.network = inode_of("/proc/self/ns/net", &host.device);
    host.ipc = inode_of("/proc/self/ns/ipc", &host.device) + 1;
    host.pid = inode_of("/proc/self/ns/pid", &host.device);
    snprintf(text, sizeof(text),
             "{\"process\":{},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
             "{\"type\":\"ipc\",\"path\":\"/proc/%d/ns/ipc\"},"
             "{\"type\":\"network\",\"path\":\"/proc/%d/ns/net\"}]}}",
             getpid(), getpid());
    spec = oci_spec_parse(text, strlen(text));
    c = applied(spec, &with, &derived);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_HOST_NETWORK);
    container_free(c);
    c = applied(spec, &context, &derived); // nobody said what the host's are
    ck_assert_uint_eq(c->content.flags, 0);
    container_free(c);
    json_decref(spec);
}
END_TEST

START_TEST(paths_that_do_not_lead_into_nsfs_are_not_looked_at)
{
    struct temp_dir folder;
    char file[256], text[1024];
    struct oci_host_namespaces host = {0};
    const struct oci_context with = {.limits = context.limits, .host = &host};
    const char *const ways[] = {"", "/proc/1/ns/../../..", "/run/netns/..", "/proc/1/root"};

    temp_dir_make(&folder);
    snprintf(file, sizeof(file), "%s/ns", folder.path);
    fclose(fopen(file, "w"));
    host.network = inode_of(file, &host.device);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct container *c;
        json_t *spec;

        snprintf(text, sizeof(text),
                 "{\"process\":{},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},"
                 "{\"type\":\"network\",\"path\":\"%s%s\"}]}}",
                 ways[i], file);
        spec = oci_spec_parse(text, strlen(text));
        c = applied(spec, &with, &derived);
        ck_assert_msg(c->content.flags == 0, "%s", ways[i]);
        container_free(c);
        json_decref(spec);
    }
    temp_dir_remove(&folder);
}
END_TEST

START_TEST(the_hosts_namespaces_are_read_below_its_root)
{
    struct temp_dir folder;
    char path[256];
    struct oci_host_namespaces host;
    uint64_t device;

    temp_dir_make(&folder);
    ck_assert_int_eq(oci_host_namespaces_read(&host, folder.path), -ENOENT);
    ck_assert_uint_eq(host.network, 0);
    oci_host_namespaces_done(&host);
    for (const char *part = "/proc\0/proc/1\0/proc/1/ns\0"; *part; part += strlen(part) + 1) {
        snprintf(path, sizeof(path), "%s%s", folder.path, part);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    for (const char *name = "pid\0net\0ipc\0"; *name; name += strlen(name) + 1) {
        snprintf(path, sizeof(path), "%s/proc/1/ns/%s", folder.path, name);
        fclose(fopen(path, "w"));
    }
    ck_assert_int_eq(oci_host_namespaces_read(&host, folder.path), 0);
    ck_assert_uint_eq(host.ipc, inode_of(path, &device));
    ck_assert_uint_eq(host.device, device);
    ck_assert_str_eq(host.root, folder.path);
    oci_host_namespaces_done(&host);
    temp_dir_remove(&folder);
}
END_TEST

START_TEST(on_the_host_itself_there_is_always_something_to_compare_with)
{
    struct oci_host_namespaces host;
    uint64_t device;

    ck_assert_int_eq(oci_host_namespaces_read(&host, "/"), 0);
    ck_assert_str_eq(host.root, "");
    ck_assert_uint_ne(host.network, 0);
    ck_assert_uint_ne(host.pid, 0);
    inode_of("/proc/self/ns/net", &device);
    ck_assert_uint_eq(host.device, device);
    oci_host_namespaces_done(&host);
}
END_TEST

START_TEST(a_spec_without_namespaces_is_in_all_of_the_hosts)
{
    struct container *c = applied_text("{\"process\":{\"user\":{\"uid\":1000}},\"linux\":{}}");

    ck_assert_uint_eq(c->content.flags,
                      CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_IPC);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "1000");
    ck_assert(!answer_knows(c, CMETA_GROUP_MOUNTS));
    container_free(c);
}
END_TEST

START_TEST(numbers_beyond_63_bits_do_not_cost_the_spec)
{
    struct container *c = applied_text(
        "{\"process\":{\"user\":{\"uid\":4294967295},\"rlimits\":[{\"hard\":18446744073709551615}]}"
        ","
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"network\"}],"
        "\"resources\":{\"memory\":{\"limit\":18446744073709551615,\"swap\":-1},"
        "\"cpu\":{\"shares\":512,\"quota\":-1,\"period\":0,\"cpus\":\"0-3,8\"}}}}");

    ck_assert(answer_knows(c, CMETA_GROUP_SECURITY));
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "4294967295");
    ck_assert_int_eq(c->content.memory_limit, INT64_MAX);
    ck_assert_int_eq(c->content.swap_limit, -1);
    ck_assert_int_eq(c->content.cpu_shares, 512);
    ck_assert_int_eq(c->content.cpu_quota, -1);
    ck_assert_int_eq(c->content.cpu_period, 100000);
    ck_assert_int_eq(c->content.cpuset_cpu_count, 5);
    container_free(c);
}
END_TEST

START_TEST(members_of_another_type_cost_their_group)
{
    static const struct {
        const char *text;
        uint32_t known;
    } cases[] = {
        {"{}", 0},
        {"[]", 0},
        {"7", 0},
        {"", 0},
        {"{\"process\":7,\"linux\":[],\"mounts\":{}}", 0},
        {"{\"process\":[],\"linux\":{\"resources\":[]}}", CMETA_GROUP_BIT(CMETA_GROUP_LIMITS)},
        {"{\"process\":{},\"linux\":{\"namespaces\":{}}}", CMETA_GROUP_BIT(CMETA_GROUP_LIMITS)},
        {"{\"mounts\":[7,null,[],{\"options\":7},{\"source\":[],\"options\":[7,null]}]}",
         CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS)},
        {"{\"process\":{\"env\":[7,null],\"user\":[],\"capabilities\":{\"bounding\":7}},"
         "\"linux\":{\"namespaces\":[7,null,{\"type\":7}]},\"mounts\":[]}",
         CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) | CMETA_GROUP_BIT(CMETA_GROUP_LIMITS) |
             CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS)},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct container *c = applied_text(cases[i].text);

        ck_assert_msg(c->content.known == cases[i].known, "%s: %#x", cases[i].text,
                      c->content.known);
        ck_assert_uint_eq(c->content.env_count, 0);
        ck_assert_int_eq(c->content.cpu_shares, 1024);
        container_free(c);
    }
}
END_TEST

START_TEST(docker_words_the_mounts_that_it_was_asked_for)
{
    const struct oci_known known = {.privileged = -1, .mounts = OCI_MOUNTS_BOUND};
    json_t *spec = recorded("moby");
    json_t *mounts = json_object_get(spec, "mounts");
    struct container *c = applied(spec, &context, &known);
    char *text;

    ck_assert(answer_knows(c, CMETA_GROUP_MOUNTS));
    ck_assert_uint_eq(c->content.mounts_count, 0); // resolv.conf and the like are Docker's own
    container_free(c);
    json_array_append_new(mounts,
                          json_pack("{s:s,s:s,s:s,s:[s,s,s]}", "type", "bind", "source", "/srv",
                                    "destination", "/data", "options", "rbind", "ro", "rslave"));
    json_array_append_new(mounts,
                          json_pack("{s:s,s:s,s:s,s:[s]}", "type", "bind", "source", "/etc/hosts",
                                    "destination", "/etc/hosts", "options", "rbind"));
    c = applied(spec, &context, &known);
    text = answer_mounts(c);
    ck_assert_str_eq(text, "/srv:/data:ro:false:rslave,/etc/hosts:/etc/hosts::true:");
    free(text);
    container_free(c);
    json_decref(spec);
}
END_TEST

START_TEST(a_spec_of_100000_mounts_is_cut_and_says_so)
{
    json_t *spec = json_object(), *mounts = json_array();
    struct container *c;

    for (int i = 0; i < 100000; i++)
        json_array_append_new(mounts, json_pack("{s:s}", "source", "/x"));
    json_object_set_new(spec, "mounts", mounts);
    c = applied(spec, &context, &derived);
    ck_assert_uint_eq(c->content.mounts_count, CONTAINER_LIST_MAX);
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_TRUNCATED);
    container_free(c);
    json_decref(spec);
}
END_TEST

CHECK_MAIN("oci_spec", 20, a_recorded_spec_gives_user_limits_and_mounts,
           a_privileged_container_is_found_by_what_its_spec_grants,
           whatever_one_thing_is_confined_it_is_not_privileged,
           unconfined_and_empty_lists_confine_nothing, who_knows_better_overrides_what_is_derived,
           a_namespace_whose_path_is_the_hosts_is_the_hosts,
           paths_that_do_not_lead_into_nsfs_are_not_looked_at,
           the_hosts_namespaces_are_read_below_its_root,
           on_the_host_itself_there_is_always_something_to_compare_with,
           a_spec_without_namespaces_is_in_all_of_the_hosts,
           numbers_beyond_63_bits_do_not_cost_the_spec, members_of_another_type_cost_their_group,
           docker_words_the_mounts_that_it_was_asked_for,
           a_spec_of_100000_mounts_is_cut_and_says_so)
