// SPDX-License-Identifier: Apache-2.0
#include "shm/container_id.h"
#include "unit/support/check_main.h"

#include <stdio.h>
#include <string.h>

#define H1 "17d8c9eacc629f9945f304d89e9708c0c619649a484a215b240628319548a09f"
#define H2 "605439acbd4fb18c145069289094b17f17e0cfa938f78012d4960bc797305f22"
#define T  "0123456789abcdef0123456789abcdef"

struct fact {
    const char *path;
    const char *id; // NULL: no match
    enum cmeta_layout layout;
    const char *ns; // weak
};

static void check(const struct fact *fact, uint32_t layouts)
{
    // A copy of the exact size without a NUL, so that a step beyond it is seen.
    size_t len = strlen(fact->path);
    char *path = malloc(len ? len : 1);
    struct cmeta_id_match match;
    enum cmeta_strength expected = !fact->id  ? CMETA_NO_MATCH
                                   : fact->ns ? CMETA_WEAK
                                              : CMETA_STRONG;

    ck_assert_ptr_nonnull(path);
    memcpy(path, fact->path, len);
    ck_assert_msg(cmeta_container_id_match(path, len, layouts, &match) == expected,
                  "%s: strength %d instead of %d (%s)", fact->path, match.strength, expected,
                  cmeta_layout_name(match.layout));
    if (fact->id) {
        ck_assert_msg(match.id_len == strlen(fact->id) &&
                          memcmp(match.id, fact->id, match.id_len) == 0,
                      "%s: %.*s", fact->path, match.id_len, match.id);
        ck_assert_msg(match.layout == fact->layout, "%s: layout %s", fact->path,
                      cmeta_layout_name(match.layout));
    }
    if (fact->ns)
        ck_assert_msg(match.ns_len == strlen(fact->ns) &&
                          memcmp(match.ns, fact->ns, match.ns_len) == 0,
                      "%s: namespace %.*s", fact->path, match.ns_len, match.ns);
    free(path);
}

#define L(layout) CMETA_LAYOUT_##layout
static const struct fact facts[] = {
    // Docker
    {"/docker/" H1, H1, L(BARE_HEX), NULL},
    {"/system.slice/docker-" H1 ".scope", H1, L(DOCKER), NULL},
    {"/docker.slice/docker-" H1 ".scope", H1, L(DOCKER), NULL},
    {"/custom/parent/" H1, H1, L(BARE_HEX), NULL},
    {"/actions_job/" H1, H1, L(BARE_HEX), NULL},
    // systemd inside the container, processes in a cgroup below: any component may name it
    {"/system.slice/docker-" H1 ".scope/init.scope", H1, L(DOCKER), NULL},
    {"/docker/" H1 "/sub/init.scope", H1, L(BARE_HEX), NULL},
    {"/kubepods.slice/kubepods-pod1.slice/crio-" H1 ".scope/container", H1, L(CRIO), NULL},
    // a node in a container: the innermost wins
    {"/docker/" H1 "/kubepods/besteffort/podabc/" H2, H2, L(BARE_HEX), NULL},
    {"/docker/" H1 "/default/foo", H1, L(BARE_HEX), NULL},
    // case kept
    {"/docker/17D8C9EACC629F9945F304D89E9708C0C619649A484A215B240628319548A09F",
     "17D8C9EACC629F9945F304D89E9708C0C619649A484A215B240628319548A09F", L(BARE_HEX), NULL},
    // podman
    {"/machine.slice/libpod-" H1 ".scope", H1, L(PODMAN), NULL},
    {"/machine.slice/libpod-" H1 ".scope/container", H1, L(PODMAN), NULL},
    {"/system.slice/libpod-" H1, H1, L(PODMAN), NULL},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" H1 ".scope/container", H1,
     L(PODMAN), NULL},
    {"/libpod_parent/" H1 "/libpod-" H2, H2, L(PODMAN), NULL},
    {"/libpod_parent/libpod-" H1 "/ctr", H1, L(PODMAN), NULL},
    {"/system.slice/system-ceph.slice/ceph@mon.ip-10-0-25-96.service/libpod-payload-" H1, H1,
     L(PODMAN_PAYLOAD), NULL},
    {"/x.service/libpod-payload-" H1 ".scope", H1, L(PODMAN_PAYLOAD), NULL},
    {"/libpod_parent/" H1, NULL, 0, NULL},
    {"/libpod_parent/conmon", NULL, 0, NULL},
    {"/machine.slice/libpod-conmon-" H1 ".scope", NULL, 0, NULL},
    {"/machine.slice/machine-libpod_pod_" H1 ".slice", NULL, 0, NULL},
    {"/user.slice/user@1000.service/libpod-" H1 H2, NULL, 0, NULL},
    {"/user.slice/user@1000.service/libpod-" H1 "g", NULL, 0, NULL},
    // CRI
    {"/kubepods/besteffort/podac04f3f2-1f2c-11e9-b015-1ebee232acfa/" H2, H2, L(BARE_HEX), NULL},
    {"/kubepods-burstable-podbd12.slice:cri-containerd:" H1, H1, L(CRI_CONTAINERD), NULL},
    {"/system.slice/containerd.service/kubepods-podbd12.slice:cri-containerd:" H1, H1,
     L(CRI_CONTAINERD), NULL},
    {"/kubepods.slice/kubepods-podx.slice/cri-containerd-" H1 ".scope", H1, L(CRI_CONTAINERD),
     NULL},
    {"/kubepods/besteffort/pod63b3ebfc/crio-" H1, H1, L(CRIO), NULL},
    {"/kubepods/besteffort/pod63b3ebfc/crio-" H1 "/sub", H1, L(CRIO), NULL},
    {"/kubepods.slice/kubepods-besteffort.slice/crio-" H1 ".scope", H1, L(CRIO), NULL},
    {"/kubepods.slice/crio-conmon-" H1 ".scope", NULL, 0, NULL},
    {"/kubepods/burstable", NULL, 0, NULL},
    {"/kubepods/besteffort/pod11111111-1111-1111-1111-111111111111", NULL, 0, NULL},
    {"/kubepods.slice/kubepods-burstable.slice", NULL, 0, NULL},
    {"/k8s.io/" H1, H1, L(BARE_HEX), NULL},
    // nerdctl
    {"/system.slice/nerdctl-" H1 ".scope", H1, L(NERDCTL), NULL},
    {"/default/" H1, H1, L(BARE_HEX), NULL},
    // containerd's free-form names: weak, whole
    {"/default/test_container", "test_container", L(CONTAINERD), "default"},
    {"/my_very_long_namespace-1.5/test_container", "test_container", L(CONTAINERD),
     "my_very_long_namespace-1.5"},
    {"/default/abcdef123456", "abcdef123456", L(CONTAINERD), "default"},
    {"/my.namespace/container.name", "container.name", L(CONTAINERD), "my.namespace"},
    {"/default/service.container", "service.container", L(CONTAINERD), "default"},
    {"/default/a", "a", L(CONTAINERD), "default"},
    {"/k8s.io/my-test_container", "my-test_container", L(CONTAINERD), "k8s.io"},
    {"/default/full-one/init.scope", "full-one", L(CONTAINERD), "default"},
    {"/default/some_short_id.service", NULL, 0, NULL},
    {"/default/some_short_id.slice", NULL, 0, NULL},
    {"/default/some_short_id.scope", NULL, 0, NULL},
    {"/namespace/.service", NULL, 0, NULL},
    {"/default/-x", NULL, 0, NULL},
    {"/default/x..y", NULL, 0, NULL},
    // host units and mounts
    {"/", NULL, 0, NULL},
    {"", NULL, 0, NULL},
    {"/init.scope", NULL, 0, NULL},
    {"/docker", NULL, 0, NULL},
    {"//abc", NULL, 0, NULL},
    {"/system.slice/foo.mount", NULL, 0, NULL},
    {"/system.slice/systemd-udevd.service/udev", NULL, 0, NULL},
    {"/system.slice/foo.service/bar/baz", NULL, 0, NULL},
    {"/user.slice/user-1000.slice/user@1000.service/init.scope", NULL, 0, NULL},
    {"/user.slice/user-1000.slice/user@1000.service/dbus.socket", NULL, 0, NULL},
    // LXC, LXD, Incus
    {"/lxc.payload.lab1", "lab1", L(LXC), NULL},
    {"/lxc.payload.p2_web-1", "p2_web-1", L(LXC), NULL},
    {"/lxc.payload.c1/init.scope", "c1", L(LXC), NULL},
    {"/lxc.payload/c1", "c1", L(LXC), NULL},
    {"/lxc/mylxc/init.scope", "mylxc", L(LXC), NULL},
    {"/init/lxc.payload.lab1", "lab1", L(LXC), NULL},
    {"/lxc.monitor.lab1", NULL, 0, NULL},
    {"/lxc.monitor/c1", NULL, 0, NULL},
    {"/lxc.payload.outer/lxc.monitor.inner", "outer", L(LXC), NULL},
    {"/lxc.payload.", NULL, 0, NULL},
    {"/.lxc", NULL, 0, NULL},
    // libvirt
    {"/machine/lxc-14846-vlab1.libvirt-lxc", "lxc-14846-vlab1", L(LIBVIRT_LXC), NULL},
    {"/machine.slice/machine-lxc\\x2d2293906\\x2dlibvirt\\x2dcontainer.scope",
     "2293906\\x2dlibvirt\\x2dcontainer", L(LIBVIRT_LXC), NULL},
    {"/machine.slice/machine-lxc\\x2d2293906\\x2dlibvirt\\x2dcontainer.scope/libvirt",
     "2293906\\x2dlibvirt\\x2dcontainer", L(LIBVIRT_LXC), NULL},
    {"/libvirt/lxc/container1", "container1", L(LIBVIRT_LXC), NULL},
    {"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt", NULL, 0, NULL},
    // nspawn: the payload, not its supervisor
    {"/machine.slice/machine-mm1.scope/payload", "mm1", L(NSPAWN), NULL},
    {"/machine.slice/systemd-nspawn@foo.service/payload/init.scope", "foo", L(NSPAWN), NULL},
    {"/machine.slice/machine-mm1.scope/supervisor", NULL, 0, NULL},
    // bpm
    {"/system.slice/runc-bpm-galera-agent.scope", "galera-agent", L(BPM), NULL},
    {"/sys/fs/cgroup/bpm-cloud_controller", "cloud_controller", L(BPM), NULL},
    {"/a/bpm-.scope", NULL, 0, NULL},
    {"/system.slice/bpm-foo.service", NULL, 0, NULL},
    // ECS and Fargate
    {"/ecs/" T "/" H1, H1, L(BARE_HEX), NULL},
    {"/ecs/" T "/" T "-1234567890", T "-1234567890", L(FARGATE), NULL},
    {"/ecs/" T "/" T "-12345678901", NULL, 0, NULL},
    {"/ecs/" T "/" T "-", NULL, 0, NULL},
    {"/ecstasks.slice/ecstasks-" T ".slice/docker-" H1 ".scope", H1, L(DOCKER), NULL},
    // oddities of /proc/PID/cgroup
    {"/docker/" H1 " (deleted)", H1, L(BARE_HEX), NULL},
    {"/../../docker/" H1, H1, L(BARE_HEX), NULL},
    {"//docker//" H1 "//", H1, L(BARE_HEX), NULL},
    {"docker/" H1, H1, L(BARE_HEX), NULL},
    {"/lxc.payload.bad\nname", NULL, 0, NULL},
    // the last six components, as the modern eBPF probe sends them
    {"/user@1000.service/user.slice/a.slice/b.slice/libpod-" H1 ".scope/container", H1, L(PODMAN),
     NULL},
};

START_TEST(every_known_layout_gives_its_id_and_nothing_else_does)
{
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        check(&facts[i], CMETA_LAYOUTS_ALL);
}
END_TEST

START_TEST(a_disabled_layout_does_not_match)
{
    const uint32_t docker = cmeta_layouts_of_engine("docker");
    const struct fact none = {"/machine.slice/libpod-" H1 ".scope", NULL, 0, NULL};
    const struct fact bare = {"/docker/" H1 "/machine.slice/libpod-" H2 ".scope", H1, L(BARE_HEX),
                              NULL};
    const struct fact weak = {"/default/web", NULL, 0, NULL};

    check(&none, docker);
    check(&bare, docker);
    check(&weak, docker);
    ck_assert_uint_eq(cmeta_layouts_of_engine("nobody"), 0);
    ck_assert_uint_ne(cmeta_layouts_of_engine("cri") & docker, 0);
}
END_TEST

START_TEST(depth_is_counted_with_and_without_a_match)
{
    struct cmeta_id_match match;

    cmeta_container_id_match("/", 1, CMETA_LAYOUTS_ALL, &match);
    ck_assert_uint_eq(match.depth, 0);
    cmeta_container_id_match("/a.slice/b.slice/c.scope", 24, CMETA_LAYOUTS_ALL, &match);
    ck_assert_uint_eq(match.depth, 3);
    cmeta_container_id_match("/docker/" H1, 8 + 64, CMETA_LAYOUTS_ALL, &match);
    ck_assert_uint_eq(match.depth, 2);
}
END_TEST

START_TEST(very_long_paths_are_refused_and_deep_ones_are_not)
{
    static char path[5000];
    struct cmeta_id_match match;

    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'a' : '/';
    memcpy(path + 4000, "/" H1, 65);
    ck_assert_int_eq(cmeta_container_id_match(path, 4065, CMETA_LAYOUTS_ALL, &match), CMETA_STRONG);
    ck_assert_int_eq(cmeta_container_id_match(path, 5000, CMETA_LAYOUTS_ALL, &match),
                     CMETA_NO_MATCH);
    memset(path, 'x', 300);
    path[0] = '/';
    memcpy(path, "/lxc/", 5);
    ck_assert_int_eq(cmeta_container_id_match(path, 300, CMETA_LAYOUTS_ALL, &match),
                     CMETA_NO_MATCH);
}
END_TEST

// A recorded /proc/PID/cgroup: the best of its lines.
struct recorded {
    const char *file;
    const char *id_begins; // NULL: host
    enum cmeta_strength strength;
};
static const struct recorded recorded[] = {
    {"docker.cgroupv1-hybrid.txt", "bc281f1fd33a", CMETA_STRONG},
    {"docker.cgroupv2-cgroupnsprivate.txt", "0bbbed0e83f7", CMETA_STRONG},
    {"docker.priv.txt", "5852d50b5f90", CMETA_STRONG},
    {"podman.inpod.txt", "d5b5ce3440e5", CMETA_STRONG},
    {"podman.conmon.txt", NULL, CMETA_NO_MATCH},
    {"podman.cgroupv2-crun.txt", "", CMETA_STRONG},
    {"podman.cgroupv2-runc.txt", "", CMETA_STRONG},
    {"containerd.default-ns.cgroupv1-hybrid.txt", "full-one", CMETA_WEAK},
    {"containerd-cri.burstable-ctr.txt", "", CMETA_STRONG},
    {"containerd-cri.burstable-pause.txt", "", CMETA_STRONG},
    {"containerd-cri.noparent-ctr.txt", "b677e78f64e2", CMETA_STRONG},
    {"containerd-cri.privhost-ctr.txt", "b9eee988a123", CMETA_STRONG},
    {"lxc.cgroupv2.txt", "lab1", CMETA_STRONG},
    {"lxc.hybrid.txt", "lab1", CMETA_STRONG},
    {"lxc.monitor.txt", NULL, CMETA_NO_MATCH},
    {"lxc.samename-second.txt", "lab1-1", CMETA_STRONG},
    {"lxd.hybrid.txt", "clab1", CMETA_STRONG},
    {"libvirt-lxc.v1.txt", "lxc-14846-vlab1", CMETA_STRONG},
    {"nspawn.machined.txt", "mm1", CMETA_STRONG},
    {"nspawn.hybrid-keepunit.txt", NULL, CMETA_NO_MATCH},
};

START_TEST(recorded_processes_of_real_engines_are_told)
{
    for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
        struct cmeta_id_match best = {0}, match;
        char path[256], line[512], id[256] = "";
        FILE *file;

        snprintf(path, sizeof(path), TEST_DATA "/cgroup/%s", recorded[i].file);
        file = fopen(path, "r");
        ck_assert_msg(file != NULL, "%s", path);
        while (fgets(line, sizeof(line), file)) {
            char *cgroup = strchr(strchr(line, ':') + 1, ':') + 1;

            cmeta_container_id_match(cgroup, strcspn(cgroup, "\n"), CMETA_LAYOUTS_ALL, &match);
            if (cmeta_id_match_improves(&best, &match)) {
                best = match;
                snprintf(id, sizeof(id), "%.*s", match.id_len, match.id);
            }
        }
        fclose(file);
        ck_assert_msg(best.strength == recorded[i].strength, "%s: strength %d", recorded[i].file,
                      best.strength);
        if (recorded[i].id_begins)
            ck_assert_msg(strncmp(id, recorded[i].id_begins, strlen(recorded[i].id_begins)) == 0,
                          "%s: %s", recorded[i].file, id);
    }
}
END_TEST

CHECK_MAIN("container_id", 10, every_known_layout_gives_its_id_and_nothing_else_does,
           a_disabled_layout_does_not_match, depth_is_counted_with_and_without_a_match,
           very_long_paths_are_refused_and_deep_ones_are_not,
           recorded_processes_of_real_engines_are_told)
