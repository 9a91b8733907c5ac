// SPDX-License-Identifier: Apache-2.0
#include "shm/container_id.h"
#include "unit/support/check_main.h"

#include <dirent.h>
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
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-" H1 ".scope", NULL, 0,
     NULL},
    {"/system.slice/web.service/runtime", NULL, 0, NULL},
    {"/system.slice/web.service/supervisor", NULL, 0, NULL},
    {"/machine.slice/machine-libpod_pod_" H1 ".slice/libpod-" H2 ".scope", H2, L(PODMAN), NULL},
    {"/libpod_parent/" H1 "/conmon", NULL, 0, NULL},
    {"/docker/" H1 "/libpod_parent/" H2 "/conmon", H1, L(BARE_HEX), NULL},
    {"/system.slice/docker-" H1, NULL, 0, NULL},
    {"/system.slice/docker-" H1 ".service", NULL, 0, NULL},
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
    {"/namespace/.slice", NULL, 0, NULL},
    {"/namespace/.scope", NULL, 0, NULL},
    {"/default/slice.mycontainer", "slice.mycontainer", L(CONTAINERD), "default"},
    {"/default/scope.mycontainer", "scope.mycontainer", L(CONTAINERD), "default"},
    {"/../../default/web", "web", L(CONTAINERD), "default"},
    {"/default/x.mount", NULL, 0, NULL},
    {"/default/x.socket", NULL, 0, NULL},
    {"/default/x.swap", NULL, 0, NULL},
    {"/default/x.device", NULL, 0, NULL},
    {"/default/x.target", NULL, 0, NULL},
    {"/default/x.path", NULL, 0, NULL},
    {"/default/x.timer", NULL, 0, NULL},
    {"/default/x.automount", NULL, 0, NULL},
    {"/kubepods-burstable/pod1", NULL, 0, NULL},
    {"/podman/web", NULL, 0, NULL},
    {"/machine/default/web", NULL, 0, NULL},
    {"/default/web-", NULL, 0, NULL},
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
    {"/lxc/.lxc", NULL, 0, NULL},
    {"/lxc/", NULL, 0, NULL},
    {"/lxc.monitor.c1/lxc/inner", NULL, 0, NULL},
    {"/lxc.monitor/c1/docker/" H1, NULL, 0, NULL},
    {"/docker/" H1 "/lxc.monitor.inner/" H2, H1, L(BARE_HEX), NULL},
    {"/default/lxc.monitor.c1", NULL, 0, NULL},
    {"/default/lxc.monitors", "lxc.monitors", L(CONTAINERD), "default"},
    // LXC's scope holds lxc-start, the payload is below it
    {"/user.slice/user-1000.slice/lxc-c1-0.scope", NULL, 0, NULL},
    {"/user.slice/user-1000.slice/lxc-c1-0.scope/lxc.payload.c1", "c1", L(LXC), NULL},
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
    {"/machine.slice/machine-mm1.scope", NULL, 0, NULL},
    {"/machine.slice/machine-mm1.scope/payloads", NULL, 0, NULL},
    {"/machine.slice/machine-mm1.scope//payload//x", "mm1", L(NSPAWN), NULL},
    {"/machine.slice/machine-mm1.scope/payload (deleted)", "mm1", L(NSPAWN), NULL},
    {"/machine.slice/machine-.scope/payload", NULL, 0, NULL},
    {"/machine.slice/systemd-nspawn@foo.service/supervisor", NULL, 0, NULL},
    {"/machine.slice/machine-mm1.scope/payload/system.slice/docker-" H1 ".scope", H1, L(DOCKER),
     NULL},
    // bpm
    {"/system.slice/runc-bpm-galera-agent.scope", "galera-agent", L(BPM), NULL},
    {"/sys/fs/cgroup/bpm-cloud_controller", "cloud_controller", L(BPM), NULL},
    {"/system.slice/galera-agent-bpm-bpm-galera-agent.2eworker.scope", "galera-agent.2eworker",
     L(BPM), NULL},
    {"/system.slice/x-bpm-bpm-y-bpm-bpm-job.scope/init", "job", L(BPM), NULL},
    {"/system.slice/runc-bpm-job", "job", L(BPM), NULL},
    {"/system.slice/bpm-job.scope", "job", L(BPM), NULL},
    {"/system.slice/x-bpm-bpm-.scope", NULL, 0, NULL},
    {"/system.slice/my-bpm-tool.scope", NULL, 0, NULL},
    {"/a.slice/bpm-a+b", NULL, 0, NULL},
    {"/a/bpm-foo/bar", "foo", L(BPM), NULL},
    {"/a.slice/bpm-.scope", NULL, 0, NULL},
    {"/system.slice/bpm-foo.service", NULL, 0, NULL},
    // ECS and Fargate
    {"/ecs/" T "/" H1, H1, L(BARE_HEX), NULL},
    {"/ecs/" T "/" T "-1234567890", T "-1234567890", L(FARGATE), NULL},
    {"/ecs/" T "/" T "-12345678901", NULL, 0, NULL},
    {"/ecs/" T "/" T "-1234567890/init.scope", T "-1234567890", L(FARGATE), NULL},
    {"/ecstasks.slice/ecstasks-" T ".slice/docker-" H1 ".scope", H1, L(DOCKER), NULL},
    {"/ecstasks.slice/ecstasks-" T ".slice", NULL, 0, NULL},
    {"/ecs/" T, NULL, 0, NULL},
    // as another container of the task sees it
    {"/../" T "-1234567890", T "-1234567890", L(FARGATE), NULL},
    {"/../../" T "/" T "-1", T "-1", L(FARGATE), NULL},
    {"/../../00000000000000000000000000000000/" T "-1", T "-1", L(CONTAINERD),
     "00000000000000000000000000000000"},
    {"/../" T "-12345678901", NULL, 0, NULL},
    {"/../" T, NULL, 0, NULL},
    {"/" T "-1234567890", NULL, 0, NULL},
    {"/a/" T "-1234567890", T "-1234567890", L(CONTAINERD), "a"},
    {"/ecs/" T "/" T "-", NULL, 0, NULL},
    {"/ecs/" T "/" T "-12x4", NULL, 0, NULL},
    {"/ecs/" T "/00000000000000000000000000000000-1", NULL, 0, NULL},
    {"/fcs.slice/" T "/" T "-1", NULL, 0, NULL},
    {"/ecstasks.slice/ecstasks-" T ".slice/docker-" H1 ".scope", H1, L(DOCKER), NULL},
    // oddities of /proc/PID/cgroup
    {"/docker/" H1 " (deleted)", H1, L(BARE_HEX), NULL},
    {"/../../docker/" H1, H1, L(BARE_HEX), NULL},
    {"//docker//" H1 "//", H1, L(BARE_HEX), NULL},
    {"/../lxc.slice/../web", NULL, 0, NULL},
    {"/lxc/../web.slice", NULL, 0, NULL},
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
    // A maximal depth is how the caller knows that the head may be missing.
    cmeta_container_id_match("/a.slice/b/c/d/lxc.monitor.x/y", 30, CMETA_LAYOUTS_ALL, &match);
    ck_assert_uint_eq(match.depth, 6);
    cmeta_container_id_match("/../../docker//x/", 17, CMETA_LAYOUTS_ALL, &match);
    ck_assert_uint_eq(match.depth, 4);
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
    const char *id; // NULL: host
    enum cmeta_strength strength;
};
static const struct recorded recorded[] = {
    {"containerd-cri.burstable-ctr.txt",
     "656fd054b0d9421897bee846d661c4856e580b3360f8aba083a92586c4d6dd13", CMETA_STRONG},
    {"containerd-cri.burstable-pause.txt",
     "b2d516cbf1abd26c36f1a38ee2442f3875c3b82343dc5dcb254e95f0a9137e13", CMETA_STRONG},
    {"containerd-cri.noparent-ctr.txt",
     "b677e78f64e25b830ae17ac0f20b17deef11410451163db4d7dcea6845749b03", CMETA_STRONG},
    {"containerd-cri.privhost-ctr.txt",
     "b9eee988a123353e41548936867d7ae8576294360143051ea72ab68231ffc9aa", CMETA_STRONG},
    {"containerd.default-ns.cgroupv1-hybrid.txt", "full-one", CMETA_WEAK},
    {"docker.cgroupv1-hybrid.txt",
     "bc281f1fd33ae4fa42400a45cd0bcac25d1aa4ec2f6f8aa8a250870b7a9d478c", CMETA_STRONG},
    {"docker.cgroupv2-cgroupnsprivate.txt",
     "0bbbed0e83f7786846d16e08bea874d9a60213540756f590680130f8d8ddd155", CMETA_STRONG},
    {"docker.priv.txt", "5852d50b5f90827f02d11feb22b5dc6563837895c9aad9064a12019df7479794",
     CMETA_STRONG},
    {"libvirt-lxc.v1.txt", "lxc-14846-vlab1", CMETA_STRONG},
    {"lxc.cgroupv2.txt", "lab1", CMETA_STRONG},
    {"lxc.hybrid.txt", "lab1", CMETA_STRONG},
    {"lxc.monitor.txt", NULL, CMETA_NO_MATCH},
    {"lxc.samename-second.txt", "lab1-1", CMETA_STRONG},
    {"lxc.v2-systemd.txt", "lab1", CMETA_STRONG},
    {"lxd.hybrid.txt", "clab1", CMETA_STRONG},
    {"nspawn.hybrid-keepunit.txt", NULL, CMETA_NO_MATCH},
    {"nspawn.machined.txt", "mm1", CMETA_STRONG},
    {"podman.cgroupv1-hybrid.txt",
     "0823fb5ccdac82a7cf9f8044252c635552b5aad93b75151f66126067d4195c64", CMETA_STRONG},
    {"podman.cgroupv2-crun.txt", "fea1c77032e6246b58c702e6d01c19db4db46aee119d436c1a62584d28cd42bf",
     CMETA_STRONG},
    {"podman.cgroupv2-runc.txt", "5ca3382540adc64dcab4df68dc1939d0d910aa39f70422fde611a681e360fe2a",
     CMETA_STRONG},
    {"podman.conmon.txt", NULL, CMETA_NO_MATCH},
    {"podman.split.txt", "8a9511fd95e24090e211d8f0fa53554e04aad4202416e512469b59acb72f3a27",
     CMETA_STRONG},
    {"podman.split-conmon.txt", NULL, CMETA_NO_MATCH},
    {"podman.inpod.txt", "d5b5ce3440e59b68795f505a6e7b865196ea13fb7675fd964c1198fae7254706",
     CMETA_STRONG},
    {"podman.priv.txt", "bb12036d22d47b65507459a69a1aa4375d5c657c3a63a0e7ff233cc8a95fe6d5",
     CMETA_STRONG},
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
        if (recorded[i].id)
            ck_assert_msg(strcmp(id, recorded[i].id) == 0, "%s: %s", recorded[i].file, id);
    }
}
END_TEST

START_TEST(every_recorded_file_has_an_expectation)
{
    size_t files = 0;
    DIR *dir = opendir(TEST_DATA "/cgroup");

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t i = 0;

        if (entry->d_name[0] == '.')
            continue;
        while (i < sizeof(recorded) / sizeof(recorded[0]) &&
               strcmp(entry->d_name, recorded[i].file) != 0)
            i++;
        ck_assert_msg(i < sizeof(recorded) / sizeof(recorded[0]), "%s", entry->d_name);
        files++;
    }
    closedir(dir);
    ck_assert_uint_eq(files, sizeof(recorded) / sizeof(recorded[0]));
}
END_TEST

// Each byte at each place: the digits are looked at sixteen at a time.
START_TEST(exactly_the_hexadecimal_digits_are_hexadecimal)
{
    for (size_t at = 0; at < 64; at++) {
        for (unsigned c = 0; c < 256; c++) {
            char id[] = H1;
            int expected = c && strchr("0123456789abcdefABCDEF", (int)c) != NULL;

            id[at] = (char)c;
            ck_assert_msg(cmeta_id_is_hex64(id, 64) == expected, "byte %u at %zu", c, at);
        }
    }
    ck_assert_int_eq(cmeta_id_is_hex64(H1, 63), 0);
    ck_assert_int_eq(cmeta_id_is_hex64(H1 "0", 65), 0);
    ck_assert_int_eq(cmeta_id_is_hex64("", 0), 0);
}
END_TEST

// Slashes are looked for eight bytes at a time: components of each length at each offset, and
// bytes that differ from a slash in one bit.
START_TEST(components_of_any_length_and_content_are_told_apart)
{
    for (unsigned other = 1; other < 256; other++) {
        for (size_t len = 0; len < 20; len++) {
            char path[128];
            struct cmeta_id_match match;
            size_t end;

            path[0] = '/';
            memset(path + 1, (int)other, len);
            memcpy(path + 1 + len, "/" H1, 65);
            end = len + 66;
            ck_assert_int_eq(cmeta_container_id_match(path, end, CMETA_LAYOUTS_ALL, &match),
                             CMETA_STRONG);
            ck_assert_ptr_eq(match.id, path + len + 2);
            ck_assert_uint_eq(match.depth, len == 0 || other == '/' ? 1 : 2);
            memset(path + end, '/', 1);
            memset(path + end + 1, (int)other, len);
            cmeta_container_id_match(path, end + 1 + len, CMETA_LAYOUTS_ALL, &match);
            ck_assert_uint_eq(match.depth, len == 0 || other == '/' ? 1 : 3);
        }
    }
}
END_TEST

START_TEST(control_bytes_are_in_no_id)
{
    static const char nul_in_hex[] = "/docker/" H1 "\0garbage";
    static const char nul_in_name[] = "/lxc.payload.c1\0x";
    static const char nul_in_free[] = "/default/we\0b";
    struct cmeta_id_match match;

    ck_assert_int_eq(
        cmeta_container_id_match(nul_in_hex, sizeof(nul_in_hex) - 1, CMETA_LAYOUTS_ALL, &match),
        CMETA_NO_MATCH);
    ck_assert_int_eq(
        cmeta_container_id_match(nul_in_name, sizeof(nul_in_name) - 1, CMETA_LAYOUTS_ALL, &match),
        CMETA_NO_MATCH);
    ck_assert_int_eq(
        cmeta_container_id_match(nul_in_free, sizeof(nul_in_free) - 1, CMETA_LAYOUTS_ALL, &match),
        CMETA_NO_MATCH);
}
END_TEST

START_TEST(free_form_names_have_containerds_longest_length)
{
    char path[256] = "/default/";
    struct cmeta_id_match match;

    memset(path + 9, 'a', 77);
    ck_assert_int_eq(cmeta_container_id_match(path, 9 + 76, CMETA_LAYOUTS_ALL, &match), CMETA_WEAK);
    ck_assert_uint_eq(match.id_len, 76);
    ck_assert_int_eq(cmeta_container_id_match(path, 9 + 77, CMETA_LAYOUTS_ALL, &match),
                     CMETA_NO_MATCH);
    memset(path + 1, 'n', 77);
    memcpy(path + 78, "/a", 2);
    ck_assert_int_eq(cmeta_container_id_match(path, 80, CMETA_LAYOUTS_ALL, &match), CMETA_NO_MATCH);
    ck_assert_int_eq(cmeta_container_id_match(path + 1, 79, CMETA_LAYOUTS_ALL, &match),
                     CMETA_NO_MATCH);
    path[1] = '/';
    ck_assert_int_eq(cmeta_container_id_match(path, 80, CMETA_LAYOUTS_ALL, &match), CMETA_WEAK);
    ck_assert_uint_eq(match.ns_len, 76);
}
END_TEST

START_TEST(every_layout_has_a_name_and_an_engine)
{
    static const char *const engines[] = {"docker", "podman",      "containerd", "cri",   "lxc",
                                          "bpm",    "libvirt_lxc", "ecs",        "nspawn"};
    uint32_t all = 0;

    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        all |= cmeta_layouts_of_engine(engines[i]);
    ck_assert_uint_eq(all, CMETA_LAYOUTS_ALL);
    for (int i = 1; i < CMETA_LAYOUT_COUNT; i++)
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(cmeta_layout_name((enum cmeta_layout)i),
                             cmeta_layout_name((enum cmeta_layout)k));
    ck_assert_str_eq(cmeta_layout_name(CMETA_LAYOUT_CRI_CONTAINERD), "cri-containerd");
    ck_assert_str_eq(cmeta_layout_name(CMETA_LAYOUT_NONE), "none");
    ck_assert_str_eq(cmeta_layout_name(CMETA_LAYOUT_COUNT), "none");
    ck_assert_str_eq(cmeta_layout_name((enum cmeta_layout) - 1), "none");
}
END_TEST

CHECK_MAIN("container_id", 10, every_known_layout_gives_its_id_and_nothing_else_does,
           a_disabled_layout_does_not_match, depth_is_counted_with_and_without_a_match,
           very_long_paths_are_refused_and_deep_ones_are_not,
           recorded_processes_of_real_engines_are_told, every_recorded_file_has_an_expectation,
           exactly_the_hexadecimal_digits_are_hexadecimal,
           components_of_any_length_and_content_are_told_apart, control_bytes_are_in_no_id,
           free_form_names_have_containerds_longest_length, every_layout_has_a_name_and_an_engine)
