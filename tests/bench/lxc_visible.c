// SPDX-License-Identifier: Apache-2.0
// How long from an LXC container's configuration to a complete record that can be read.
// usage: lxc_visible REGION_DIR COUNT   (see lxc_bench.sh)
//
// LXC has no daemon: a container is announced by its configuration, which lxc-create and whoever
// else makes one write before it can be started. The daemon is the real one; what is written is a
// configuration as lxc-create leaves it. The clock begins before the rename into place.
#include "bench/bench.h"
#include "shm/reader.h"
#include "unit/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 1000u

static const char config[] = "# Template used to create this container\n"
                             "lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\n"
                             "lxc.net.0.flags = up\nlxc.net.0.ipv4.address = 10.0.3.7/24\n"
                             "lxc.net.0.hwaddr = 00:16:3e:a1:b2:c3\n"
                             "lxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n"
                             "lxc.rootfs.path = dir:/var/lib/lxc/bench/rootfs\n"
                             "lxc.mount.entry = /srv/data srv/data none bind,create=dir 0 0\n"
                             "lxc.cgroup2.memory.max = 512M\nlxc.cgroup2.cpu.weight = 100\n"
                             "lxc.uts.name = bench\n";

static const char *region_dir;
static struct cmeta_region region;
static double waits_us[COUNT_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static bool connected(void)
{
    struct cmeta_engine_row row;

    if (!region.base && cmeta_region_map(region_dir, &region) != 0)
        return false;
    return cmeta_reader_engine(&region, 0, &row) == 1 && row.state == CMETA_ENGINE_CONNECTED;
}

static bool is_there(const char *name)
{
    cmeta_handle handle;

    return cmeta_reader_find(&region, name, strlen(name), &handle) == CMETA_FOUND;
}

static double measure(const char *folder, unsigned number)
{
    char name[16], place[128], fresh[160], path[160];
    uint64_t begin;
    FILE *file;

    snprintf(name, sizeof(name), "bench-%u", number);
    snprintf(place, sizeof(place), "%s/%s", folder, name);
    snprintf(fresh, sizeof(fresh), "%s/config.new", place);
    snprintf(path, sizeof(path), "%s/config", place);
    if (mkdir(place, 0755) < 0 || !(file = fopen(fresh, "w")) || fputs(config, file) == EOF ||
        fclose(file) != 0)
        die(place);
    begin = bench_now_ns();
    if (rename(fresh, path) < 0)
        die(path);
    for (uint32_t word; word = cmeta_follow_word(&region), !is_there(name);)
        if (cmeta_follow_wait(&region, word, 5000) == 0)
            die("no record within 5 s");
    return (double)(bench_now_ns() - begin) / 1000;
}

static void report(unsigned count)
{
    qsort(waits_us, count, sizeof(waits_us[0]), bench_compare);
    fprintf(stderr, "# lxc_create_visible_p99_us: %u, median %.0f, p95 %.0f, maximum %.0f us\n",
            count, waits_us[count / 2], waits_us[count * 95 / 100], waits_us[count - 1]);
    bench_value("lxc_create_visible_p99_us", waits_us[count * 99 / 100], "us");
}

int main(int argc, char **argv)
{
    char folder[96], option[128];
    unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    struct temp_dir dir;
    pid_t pid;

    if (count == 0 || count > COUNT_MAX) {
        fputs("usage: lxc_visible REGION_DIR COUNT\n", stderr);
        return 2;
    }
    region_dir = argv[1];
    temp_dir_make(&dir);
    snprintf(folder, sizeof(folder), "%s/lxc", dir.path);
    snprintf(option, sizeof(option), "lxc=%s", folder);
    if (mkdir(folder, 0755) < 0)
        die(folder);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-r", region_dir, "-s", option,
              "-l", "error", NULL);
        _exit(127);
    }
    while (!connected())
        usleep(1000);
    for (unsigned i = 0; i < count; i++)
        waits_us[i] = measure(folder, i);
    report(count);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    temp_dir_remove(&dir);
    return 0;
}
