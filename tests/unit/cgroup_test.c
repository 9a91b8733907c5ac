// SPDX-License-Identifier: Apache-2.0
// Containers by their cgroups, in trees of folders that stand for hierarchies.
#include "containerd-meta/watch/cgroup.h"
#include "containerd-meta/watch/cgroup_mounts.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

// --- which hierarchies ---------------------------------------------------------------------------

static void choose(const char *text, const char *host_root, const char *expected)
{
    struct cgroup_mounts mounts;
    char found[512] = "";
    size_t used = 0;

    ck_assert_int_eq(cgroup_mounts_choose(text, host_root, &mounts), 0);
    for (size_t i = 0; i < mounts.count; i++)
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s:%s:%s", i ? " " : "",
                                 mounts.list[i].name, mounts.list[i].path, mounts.list[i].prefix);
    ck_assert_str_eq(found, expected);
    cgroup_mounts_done(&mounts);
}

START_TEST(of_hierarchies_those_are_chosen_that_every_engine_uses)
{
    static const char hybrid[] =
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "34 31 0:31 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"
        "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

    choose(hybrid, "",
           "v2:/sys/fs/cgroup/unified: name=systemd:/sys/fs/cgroup/systemd: "
           "cpuset:/sys/fs/cgroup/cpuset:");
    choose("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "", "v2:/sys/fs/cgroup:");
    // no cpuset; both controllers in one hierarchy
    choose("32 31 0:29 / /c/cpu rw - cgroup cgroup rw,cpu,pids\n"
           "33 31 0:30 / /c/free\\040zer rw - cgroup cgroup rw,freezer\n",
           "", "cpu,pids:/c/cpu:");
    choose("33 31 0:30 / /c/free\\040zer rw - cgroup cgroup rw,freezer\n", "",
           "freezer:/c/free zer:");
    choose("", "", "");
    choose("1 2 3 4 - \n - cgroup2\n7 7 x:y / / - cgroup2 c rw\n", "", "");
}
END_TEST

START_TEST(a_whole_hierarchy_is_preferred_to_a_part_and_the_hosts_to_ones_own)
{
    choose("30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
           "50 23 0:26 / /mnt/second rw - cgroup2 cgroup2 rw\n",
           "", "v2:/mnt/second:");
    choose("30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "",
           "v2:/sys/fs/cgroup:/docker/abc");
    choose("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
           "50 23 0:26 /../.. /host/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
           "/host", "v2:/host/sys/fs/cgroup:");
    choose("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
           "51 23 0:26 / /hostile/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
           "/host", "");
}
END_TEST

// --- containers ----------------------------------------------------------------------------------

struct bed {
    struct temp_dir dir;
    char mountinfo[96];
    sd_event *event;
    struct cgroup_watch *watch;
    char said[4096]; // "+id(ns) #id -id", in order
    unsigned said_count;
};

static void say(struct bed *bed, char what, const struct cgroup_container *container)
{
    size_t used = strlen(bed->said);

    ck_assert_uint_eq(strlen(container->id), container->id_len);
    snprintf(bed->said + used, sizeof(bed->said) - used, "%s%c%.12s%s%s", used ? " " : "", what,
             container->id, *container->ns ? "@" : "", container->ns);
    bed->said_count++;
}

static void on_seen(void *userdata, const struct cgroup_container *container)
{
    say(userdata, '+', container);
}

static void on_numbered(void *userdata, const struct cgroup_container *container)
{
    struct stat st;
    struct bed *bed = userdata;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/v2/docker/%s", bed->dir.path, container->id);
    if (stat(path, &st) == 0)
        ck_assert_uint_eq(container->cgroup_id, st.st_ino);
    say(bed, '#', container);
}

static void on_gone(void *userdata, const struct cgroup_container *container)
{
    say(userdata, '-', container);
}

static const struct cgroup_calls calls = {
    .seen = on_seen, .numbered = on_numbered, .gone = on_gone};

static void make(struct bed *bed, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", bed->dir.path, name);
    ck_assert_msg(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

static void drop(struct bed *bed, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", bed->dir.path, name);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
}

static void settle(struct bed *bed)
{
    while (sd_event_run(bed->event, 0) > 0 || !cgroup_watch_state(bed->watch).settled)
        ;
}

// Until so much was said, and nothing more comes.
static void expect(struct bed *bed, unsigned count, const char *said)
{
    for (unsigned i = 0; i < 100 && bed->said_count < count; i++)
        ck_assert_int_ge(sd_event_run(bed->event, 100000), 0);
    settle(bed);
    ck_assert_str_eq(bed->said, said);
    bed->said[0] = '\0';
    bed->said_count = 0;
}

// Lines of "number name filesystem options".
static void mount(struct bed *bed, const char *const *names)
{
    static const char *const lines[] = {"0:26 / %s/v2 rw - cgroup2 cgroup2 rw",
                                        "0:31 / %s/cpuset rw - cgroup cgroup rw,cpuset",
                                        "0:37 / %s/systemd rw - cgroup cgroup rw,name=systemd",
                                        "0:26 / %s/second rw - cgroup2 cgroup2 rw"};
    FILE *file = fopen(bed->mountinfo, "we");

    ck_assert_ptr_nonnull(file);
    for (; *names; names++)
        for (size_t i = 0; i < 4; i++)
            if (strstr(lines[i], *names)) {
                fprintf(file, "%zu 1 ", i + 30);
                fprintf(file, lines[i], bed->dir.path);
                fputc('\n', file);
            }
    fclose(file);
    if (bed->watch)
        cgroup_watch_remount(bed->watch);
}
#define MOUNT(bed, ...) mount(bed, (const char *const[]){__VA_ARGS__, NULL})

static void begin(struct bed *bed)
{
    *bed = (struct bed){0};
    temp_dir_make(&bed->dir);
    snprintf(bed->mountinfo, sizeof(bed->mountinfo), "%s/mountinfo", bed->dir.path);
    make(bed, "v2");
    make(bed, "cpuset");
    make(bed, "systemd");
    ck_assert_int_ge(sd_event_new(&bed->event), 0);
}

static void run(struct bed *bed)
{
    struct cgroup_options options = {.mountinfo = bed->mountinfo, .host_root = ""};

    ck_assert_int_eq(cgroup_watch_new(bed->event, &calls, bed, &options, &bed->watch), 0);
    settle(bed);
}

static void end(struct bed *bed)
{
    cgroup_watch_free(bed->watch);
    sd_event_unref(bed->event);
    temp_dir_remove(&bed->dir);
}

START_TEST(a_container_is_seen_by_its_first_cgroup_and_gone_with_its_last)
{
    struct bed bed;

    begin(&bed);
    MOUNT(&bed, "/v2", "/cpuset", "/systemd");
    make(&bed, "v2/docker");
    make(&bed, "cpuset/docker");
    run(&bed);
    make(&bed, "cpuset/docker/" ID_A);
    expect(&bed, 1, "+a1a1a1a1a1a1");
    make(&bed, "v2/docker/" ID_A);
    expect(&bed, 1, "#a1a1a1a1a1a1");
    ck_assert_ptr_nonnull(cgroup_watch_find(bed.watch, ID_A, ""));
    drop(&bed, "cpuset/docker/" ID_A);
    expect(&bed, 0, "");
    drop(&bed, "v2/docker/" ID_A);
    expect(&bed, 1, "-a1a1a1a1a1a1");
    ck_assert_ptr_null(cgroup_watch_find(bed.watch, ID_A, ""));
    ck_assert_uint_eq(cgroup_watch_containers(bed.watch), 0);
    end(&bed);
}
END_TEST

// tetragon 2639, 5693: processes sit in sub-cgroups of the container's cgroup.
START_TEST(what_is_inside_a_container_is_the_container)
{
    struct bed bed;

    begin(&bed);
    MOUNT(&bed, "/v2");
    make(&bed, "v2/crio-" ID_A ".scope");
    make(&bed, "v2/crio-" ID_A ".scope/container");
    run(&bed);
    expect(&bed, 2, "+a1a1a1a1a1a1 #a1a1a1a1a1a1");
    make(&bed, "v2/crio-" ID_A ".scope/container/system.slice");
    expect(&bed, 0, "");
    // a container in a container is one of its own
    make(&bed, "v2/crio-" ID_A ".scope/container/docker-" ID_B ".scope");
    expect(&bed, 2, "+b2b2b2b2b2b2 #b2b2b2b2b2b2");
    drop(&bed, "v2/crio-" ID_A ".scope/container/docker-" ID_B ".scope");
    expect(&bed, 1, "-b2b2b2b2b2b2");
    end(&bed);
}
END_TEST

START_TEST(a_weak_name_comes_with_its_namespace_and_units_are_nobody)
{
    struct bed bed;

    begin(&bed);
    MOUNT(&bed, "/v2");
    run(&bed);
    make(&bed, "v2/system.slice");
    make(&bed, "v2/system.slice/cron.service");
    make(&bed, "v2/libpod_parent");
    make(&bed, "v2/libpod_parent/" ID_A); // a pod of podman
    make(&bed, "v2/later");
    make(&bed, "v2/later/web");
    make(&bed, "v2/later/web/inner");
    expect(&bed, 2, "+web@later #web@later");
    ck_assert_ptr_null(cgroup_watch_find(bed.watch, "web", ""));
    ck_assert_ptr_nonnull(cgroup_watch_find(bed.watch, "web", "later"));
    end(&bed);
}
END_TEST

START_TEST(a_renamed_cgroup_is_seen_again)
{
    struct bed bed;
    char from[PATH_MAX], to[PATH_MAX];

    begin(&bed);
    MOUNT(&bed, "/cpuset");
    make(&bed, "cpuset/" ID_A);
    run(&bed);
    expect(&bed, 1, "+a1a1a1a1a1a1");
    snprintf(from, sizeof(from), "%s/cpuset/%s", bed.dir.path, ID_A);
    snprintf(to, sizeof(to), "%s/cpuset/%s", bed.dir.path, ID_B);
    ck_assert_int_eq(rename(from, to), 0);
    expect(&bed, 2, "-a1a1a1a1a1a1 +b2b2b2b2b2b2");
    end(&bed);
}
END_TEST

START_TEST(hierarchies_come_and_go_and_end_nobody)
{
    struct bed bed;

    begin(&bed);
    MOUNT(&bed, "/cpuset");
    make(&bed, "cpuset/" ID_A);
    make(&bed, "v2/" ID_B);
    run(&bed);
    expect(&bed, 1, "+a1a1a1a1a1a1");
    MOUNT(&bed, "/cpuset", "/v2");
    expect(&bed, 2, "+b2b2b2b2b2b2 #b2b2b2b2b2b2");
    MOUNT(&bed, "/cpuset");
    expect(&bed, 0, ""); // unmounted: its containers may live
    ck_assert_uint_eq(cgroup_watch_containers(bed.watch), 1);
    MOUNT(&bed, "/cpuset", "/v2");
    expect(&bed, 2, "+b2b2b2b2b2b2 #b2b2b2b2b2b2");
    end(&bed);
}
END_TEST

START_TEST(a_hierarchy_that_is_mounted_twice_is_watched_once)
{
    struct bed bed;

    begin(&bed);
    make(&bed, "second");
    make(&bed, "second/" ID_A);
    MOUNT(&bed, "/second", "/v2");
    run(&bed);
    expect(&bed, 2, "+a1a1a1a1a1a1 #a1a1a1a1a1a1");
    MOUNT(&bed, "/v2"); // the first of the two goes: the other one is there
    make(&bed, "v2/" ID_B);
    expect(&bed, 2, "+b2b2b2b2b2b2 #b2b2b2b2b2b2");
    end(&bed);
}
END_TEST

// The kernel's own: what mkdir does there is heard, and the inode is the cgroup's ID.
START_TEST(on_this_kernels_hierarchies_a_cgroup_is_seen_to_come_and_go)
{
    struct cgroup_options options = {.host_root = ""};
    struct cgroup_mounts mounts;
    char *text = NULL, path[PATH_MAX], id[65];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    size_t size = 0;
    struct bed bed = {0};

    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(getdelim(&text, &size, '\0', file), 0);
    fclose(file);
    ck_assert_int_eq(cgroup_mounts_choose(text, "", &mounts), 0);
    free(text);
    if (mounts.count == 0)
        check_skip("no cgroup hierarchy is mounted");
    for (unsigned i = 0; i < 64; i++)
        id[i] = "0123456789abcdef"[(unsigned)rand() % 16];
    id[64] = '\0';
    snprintf(path, sizeof(path), "%s/%s", mounts.list[0].path, id);
    cgroup_mounts_done(&mounts);
    if (mkdir(path, 0755) < 0)
        check_skip("no right to make a cgroup: %s", strerror(errno));
    rmdir(path);
    ck_assert_int_ge(sd_event_new(&bed.event), 0);
    ck_assert_int_eq(cgroup_watch_new(bed.event, &calls, &bed, &options, &bed.watch), 0);
    settle(&bed);
    bed.said[0] = '\0';
    ck_assert_int_eq(mkdir(path, 0755), 0);
    for (unsigned i = 0; i < 200 && !cgroup_watch_find(bed.watch, id, ""); i++)
        sd_event_run(bed.event, 100000);
    rmdir(path); // whatever comes of it
    ck_assert_ptr_nonnull(cgroup_watch_find(bed.watch, id, ""));
    for (unsigned i = 0; i < 200 && cgroup_watch_find(bed.watch, id, ""); i++)
        sd_event_run(bed.event, 100000);
    ck_assert_ptr_null(cgroup_watch_find(bed.watch, id, ""));
    cgroup_watch_free(bed.watch);
    sd_event_unref(bed.event);
}
END_TEST

CHECK_MAIN("cgroup", 60, of_hierarchies_those_are_chosen_that_every_engine_uses,
           a_whole_hierarchy_is_preferred_to_a_part_and_the_hosts_to_ones_own,
           a_container_is_seen_by_its_first_cgroup_and_gone_with_its_last,
           what_is_inside_a_container_is_the_container,
           a_weak_name_comes_with_its_namespace_and_units_are_nobody,
           a_renamed_cgroup_is_seen_again, hierarchies_come_and_go_and_end_nobody,
           a_hierarchy_that_is_mounted_twice_is_watched_once,
           on_this_kernels_hierarchies_a_cgroup_is_seen_to_come_and_go)
