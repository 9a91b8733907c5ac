// SPDX-License-Identifier: Apache-2.0
// From LXC configurations, recorded and hand-made, to containers.
#include "containerd-meta/cleanup.h"
#include "containerd-meta/engine/lxc_config.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct container_limits limits = {.label_max_len = 200, .env = ENV_VALUES};

// Included files of a test: path, text, path, text, …
static const char *const *files;
static unsigned loads;

static int load(void *userdata, const char *path, size_t max,
                int (*take)(void *argument, const char *text, size_t len), void *argument)
{
    (void)userdata;
    loads++;
    for (const char *const *file = files; file && file[0]; file += 2)
        if (strcmp(file[0], path) == 0) {
            ck_assert_uint_ge(max, strlen(file[1]));
            return take(argument, file[1], strlen(file[1]));
        }
    return -ENOENT;
}

static struct container *map_n(const char *text, size_t len)
{
    const struct lxc_includes includes = {NULL, load};
    struct container *container = container_new("web", 3, "lxc");
    struct lxc_config *config;

    loads = 0;
    config = lxc_config_read(text, len, &includes);
    ck_assert_ptr_nonnull(config);
    lxc_config_apply(config, container, &limits);
    lxc_config_free(config);
    ck_assert(!container_failed(container));
    return container;
}

static struct container *map(const char *text)
{
    return map_n(text, strlen(text));
}

static struct container *map_file(const char *file)
{
    size_t len;
    CLEANUP(freep)
    char *text = answer_bytes(file, &len);

    return map_n(text, len);
}

static void check_mounts(const struct container *container, const char *expected)
{
    CLEANUP(freep)
    char *mounts = answer_mounts(container);

    ck_assert_str_eq(mounts, expected);
}

START_TEST(a_recorded_configuration_fills_every_group)
{
    CLEANUP(container_freep)
    struct container *c = map_file("lxc/config");

    ck_assert(answer_knows(c, CMETA_GROUP_SECURITY));
    ck_assert(answer_knows(c, CMETA_GROUP_MOUNTS));
    ck_assert(answer_knows(c, CMETA_GROUP_LIMITS));
    ck_assert(answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "0");
    check_mounts(c, "/srv/tools:/hostbin:ro:false:");
    ck_assert_str_eq(answer_label(c, "lxc.rootfs.path"), "/srv/lxc/lab1/rootfs");
    ck_assert_int_eq(c->content.memory_limit, 64 << 20);
    ck_assert_uint_eq(c->content.addresses_count, 0);
    ck_assert_uint_eq(c->content.env_count, 1);
}
END_TEST

START_TEST(an_address_loses_its_prefix_length)
{
    CLEANUP(container_freep)
    struct container *c = map_file("lxc/config.veth");

    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.192.0.5");
    ck_assert(answer_knows(c, CMETA_GROUP_NETWORK));
}
END_TEST

START_TEST(keys_of_old_versions_are_understood)
{
    static const char *const old[] = {"/usr/share/lxc/config/debian.common.conf", "lxc.tty = 4\n",
                                      "/var/lib/lxc/old/fstab",
                                      "# fstab\nproc proc proc nodev 0 0\n"
                                      "/srv/my\\040data var/my\\040data none bind 0 0\n",
                                      NULL};
    struct container *c;

    files = old;
    c = map_file("lxc/config.old");
    ck_assert_uint_eq(c->content.flags, 0); // has an id_map
    ck_assert_str_eq(answer_text(c, CMETA_STRING_USER), "1000");
    check_mounts(c, "/srv/my data:/var/my data::true:");
    ck_assert_uint_eq(c->content.addresses_count, 2);
    ck_assert_str_eq(answer_text(c, CMETA_STRING_IP), "10.0.3.7");
    container_free(c);
}
END_TEST

START_TEST(mounts_are_what_comes_from_the_host)
{
    CLEANUP(container_freep)
    struct container *c = map("lxc.rootfs.path = dir:/r/web/rootfs\n"
                              "lxc.mount.entry = proc proc proc nodev 0 0\n"
                              "lxc.mount.entry = tmpfs tmp tmpfs defaults\n"
                              "lxc.mount.entry = /a b none rbind,rslave 0 0\n"
                              "lxc.mount.entry = /c /r/web/rootfs/d none bind,rot 0 0\n"
                              "lxc.mount.entry = /e /f none create=dir,ro,bind 0 0\n"
                              "lxc.mount.entry = /nowhere\n"
                              "lxc.mount.entry = \"/q q none bind\"\n");

    check_mounts(c, "/a:/b::true:rslave,/c:/d::true:,/e:/f:ro:false:,/q:/q::true:");
}
END_TEST

START_TEST(a_key_without_a_value_takes_back_what_it_said)
{
    CLEANUP(container_freep)
    struct container *c = map("lxc.mount.entry = /a b none bind 0 0\nlxc.mount.entry =\n"
                              "lxc.mount.entry = /c d none bind 0 0\n"
                              "lxc.idmap = u 0 1 1\nlxc.idmap = \n"
                              "lxc.net.0.type = none\nlxc.net =\n");

    check_mounts(c, "/c:/d::true:");
    ck_assert_uint_eq(c->content.flags, CMETA_FLAG_PRIVILEGED);
}
END_TEST

static uint32_t flags_of(const char *text)
{
    CLEANUP(container_freep)
    struct container *c = map(text);

    return c->content.flags & ~CMETA_FLAG_PRIVILEGED;
}

START_TEST(the_hosts_namespaces_are_kept_or_not_cloned_or_shared_with_init)
{
    const uint32_t all = CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC;

    ck_assert_uint_eq(flags_of(""), 0);
    ck_assert_uint_eq(flags_of("lxc.net.0.type = none"), CMETA_FLAG_HOST_NETWORK);
    ck_assert_uint_eq(flags_of("lxc.net.0.type = none\nlxc.net.1.type = veth"), 0);
    ck_assert_uint_eq(flags_of("lxc.namespace.keep = net user ipc"),
                      CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC);
    ck_assert_uint_eq(flags_of("lxc.namespace.clone = mnt"), all);
    ck_assert_uint_eq(flags_of("lxc.namespace.clone = net\tpid"), CMETA_FLAG_HOST_IPC);
    ck_assert_uint_eq(flags_of("lxc.namespace.share.pid = 1"), CMETA_FLAG_HOST_PID);
    ck_assert_uint_eq(flags_of("lxc.namespace.share.net = other"), 0);
    ck_assert_uint_eq(flags_of("lxc.namespace.keep = net\nlxc.namespace.share.net = other"), 0);
}
END_TEST

START_TEST(limits_of_both_generations_of_cgroups)
{
    struct container *c = map("lxc.cgroup2.memory.max = 1G\nlxc.cgroup2.memory.swap.max = 512M\n"
                              "lxc.cgroup2.cpu.max = 50000 200000\nlxc.cgroup2.cpu.weight = 100\n"
                              "lxc.cgroup2.cpuset.cpus = 0-2,5\n");

    ck_assert_int_eq(c->content.memory_limit, INT64_C(1) << 30);
    ck_assert_int_eq(c->content.swap_limit, (INT64_C(1) << 30) + (512 << 20));
    ck_assert_int_eq(c->content.cpu_quota, 50000);
    ck_assert_int_eq(c->content.cpu_period, 200000);
    ck_assert_int_eq(c->content.cpu_shares, 2597);
    ck_assert_int_eq(c->content.cpuset_cpu_count, 4);
    container_free(c);
    c = map("lxc.cgroup.memory.limit_in_bytes = 8388608\n"
            "lxc.cgroup.memory.memsw.limit_in_bytes = 16m\nlxc.cgroup.cpu.shares = 700\n"
            "lxc.cgroup2.cpu.max = max 300000\nlxc.cgroup2.memory.swap.max = 1G\n");
    ck_assert_int_eq(c->content.memory_limit, 8 << 20);
    ck_assert_int_eq(c->content.swap_limit, 16 << 20);
    ck_assert_int_eq(c->content.cpu_shares, 700);
    ck_assert_int_eq(c->content.cpu_quota, 0);
    ck_assert_int_eq(c->content.cpu_period, 300000);
    container_free(c);
}
END_TEST

START_TEST(limits_that_make_no_sense_are_none)
{
    static const char *const values[] = {
        "max", "-1", "", "x", "99999999999999999999", "9223372036854775807G", "1Q", NULL};

    for (size_t i = 0; values[i]; i++) {
        char text[128];
        struct container *c;

        snprintf(text, sizeof(text), "lxc.cgroup2.memory.max = %s\nlxc.cgroup2.cpu.max = %s %s\n",
                 values[i], values[i], values[i]);
        c = map(text);
        if (strcmp(values[i], "1Q") != 0 && *values[i] != '9')
            ck_assert_int_eq(c->content.memory_limit, 0);
        ck_assert_int_ge(c->content.memory_limit, 0);
        container_free(c);
    }
}
END_TEST

START_TEST(an_interface_that_gets_its_address_later_leaves_the_network_unknown)
{
    CLEANUP(container_freep)
    struct container *c = map("lxc.net.0.type = veth\nlxc.net.0.link = br0\n"
                              "lxc.net.1.type = veth\nlxc.net.1.ipv4.address = 10.0.0.9/8\n");

    ck_assert(!answer_knows(c, CMETA_GROUP_NETWORK));
    ck_assert(answer_knows(c, CMETA_GROUP_SECURITY));
}
END_TEST

START_TEST(what_cannot_be_included_leaves_all_but_the_name_unknown)
{
    CLEANUP(container_freep)
    struct container *c = NULL;

    files = NULL;
    c = map("lxc.include = /not/there\nlxc.mount.entry = /a b none bind 0 0\n");
    ck_assert_uint_eq(c->content.known, 0);
}
END_TEST

START_TEST(includes_that_include_themselves_end)
{
    static const char *const loop[] = {"/a", "lxc.include = /a\nlxc.include = /b\n", "/b",
                                       "lxc.include = /a\nlxc.include = /b\n", NULL};
    CLEANUP(container_freep)
    struct container *c = NULL;

    files = loop;
    c = map("lxc.include = /a\n");
    ck_assert_uint_eq(c->content.known, 0);
    ck_assert_uint_le(loads, 10 * LXC_INCLUDES_MAX);
}
END_TEST

START_TEST(rubbish_is_passed_over)
{
    static const char text[] = "\0\xff\xfe = \x01\n====\n=\nlxc.\nlxc.net.99999999999.type = none\n"
                               "lxc.net.-1.type = none\nlxc.net..type = none\n"
                               "lxc.cgroup.=5\nlxc.mount.entry = \\999 \\04\n'lxc.idmap' = 1\n"
                               "lxc.idmap = u 0 1 1";
    CLEANUP(container_freep)
    struct container *c = map_n(text, sizeof(text) - 1);

    ck_assert_uint_eq(c->content.flags, 0);
    ck_assert_uint_eq(c->content.mounts_count, 0);
}
END_TEST

START_TEST(huge_lines_and_endless_lists_are_cut)
{
    size_t size = 1 << 20, len = 0;
    CLEANUP(freep)
    char *text = malloc(size);
    struct container *c;

    memset(text, 'x', size);
    c = map_n(text, size);
    ck_assert(answer_knows(c, CMETA_GROUP_MOUNTS));
    container_free(c);
    while (len + 64 < size)
        len += (size_t)snprintf(text + len, size - len, "lxc.mount.entry = /a b none bind 0 0\n");
    c = map_n(text, len);
    ck_assert_uint_eq(c->content.mounts_count, CONTAINER_LIST_MAX);
    container_free(c);
}
END_TEST

CHECK_MAIN("lxc_config", 30, a_recorded_configuration_fills_every_group,
           an_address_loses_its_prefix_length, keys_of_old_versions_are_understood,
           mounts_are_what_comes_from_the_host, a_key_without_a_value_takes_back_what_it_said,
           the_hosts_namespaces_are_kept_or_not_cloned_or_shared_with_init,
           limits_of_both_generations_of_cgroups, limits_that_make_no_sense_are_none,
           an_interface_that_gets_its_address_later_leaves_the_network_unknown,
           what_cannot_be_included_leaves_all_but_the_name_unknown,
           includes_that_include_themselves_end, rubbish_is_passed_over,
           huge_lines_and_endless_lists_are_cut)
