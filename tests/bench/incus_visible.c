// SPDX-License-Identifier: Apache-2.0
// How long from a real LXD's answer about a new instance to a first record that can be read.
// usage: incus_visible LXD_FOLDER REGION_DIR COUNT   (see incus_bench.sh)
//
// The daemon is connected through a relay in this program, with LXD's folder of containers beside
// it. The relay notes the moment before it hands on the first answer that has the instance's name,
// and looks it up at each change of the region until it is there: what LXD itself takes to answer
// is not in the figure. How long that is, from the link in the folder on, goes to stderr.
#include "bench/bench.h"
#include "bench/relay.h"
#include "shm/reader.h"
#include "unit/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 500u

static const char *region_dir;
static char lxd_socket[96];
static struct cmeta_region region;
static double waits_us[COUNT_MAX], totals_us[COUNT_MAX];
static unsigned creating; // the number of the instance that is being created
static unsigned seen;     // how many have been: written by the relay

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void name_of(unsigned number, char name[16])
{
    snprintf(name, 16, "bench-%u", number);
}

static void hand_on(int to, char *data, size_t len)
{
    unsigned number = __atomic_load_n(&creating, __ATOMIC_ACQUIRE); // pairs with create()
    char name[16], wanted[32];
    uint64_t begin;
    cmeta_handle handle;

    name_of(number, name);
    snprintf(wanted, sizeof(wanted), "\"name\":\"%s\"", name);
    data[len] = '\0';
    begin = bench_now_ns();
    relay_write(to, data, len);
    if (__atomic_load_n(&seen, __ATOMIC_RELAXED) > number || !strstr(data, wanted))
        return;
    for (uint32_t word; word = cmeta_follow_word(&region),
                        cmeta_reader_find(&region, name, strlen(name), &handle) != CMETA_FOUND;)
        if (cmeta_follow_wait(&region, word, 5000) == 0)
            die("no record within 5 s");
    waits_us[number] = (double)(bench_now_ns() - begin) / 1000;
    __atomic_store_n(&seen, number + 1, __ATOMIC_RELEASE); // pairs with measure()
}

static bool connected(void)
{
    struct cmeta_engine_row row;

    if (!region.base && cmeta_region_map(region_dir, &region) != 0)
        return false;
    return cmeta_reader_engine(&region, 0, &row) == 1 && row.state == CMETA_ENGINE_CONNECTED;
}

// One instance without an image by the server's own API.
static void create(unsigned number)
{
    char name[16], body[128], request[512], answer[4096];
    int fd = relay_connect(lxd_socket);
    ssize_t n;

    name_of(number, name);
    __atomic_store_n(&creating, number, __ATOMIC_RELEASE); // pairs with hand_on()
    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"source\":{\"type\":\"none\"}}", name);
    snprintf(request, sizeof(request),
             "POST /1.0/instances HTTP/1.1\r\nHost: lxd\r\nConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    relay_write(fd, request, strlen(request));
    n = recv(fd, answer, sizeof(answer) - 1, 0);
    if (n <= 0 || strncmp(answer, "HTTP/1.1 202", 12) != 0)
        die("create");
    close(fd);
}

static void measure(unsigned number, int inotify)
{
    char event[4096];
    uint64_t linked;

    create(number);
    if (read(inotify, event, sizeof(event)) <= 0) // the link is made
        die("inotify");
    linked = bench_now_ns();
    for (unsigned i = 0; __atomic_load_n(&seen, __ATOMIC_ACQUIRE) <= number; i++) {
        if (i > 20000)
            die("not every instance was heard of");
        usleep(500);
    }
    totals_us[number] = (double)(bench_now_ns() - linked) / 1000;
}

static void report(unsigned count)
{
    qsort(waits_us, count, sizeof(waits_us[0]), bench_compare);
    qsort(totals_us, count, sizeof(totals_us[0]), bench_compare);
    fprintf(stderr,
            "# incus_create_visible_p99_us: %u creates, median %.0f, p95 %.0f, maximum %.0f us; "
            "from the link on, LXD's own answer included: median %.0f, p99 %.0f us\n",
            count, waits_us[count / 2], waits_us[count * 95 / 100], waits_us[count - 1],
            totals_us[count / 2], totals_us[count * 99 / 100]);
    bench_value("incus_create_visible_p99_us", waits_us[count * 99 / 100], "us");
}

int main(int argc, char **argv)
{
    char path[96], folder[128], link[128], option[128];
    unsigned count = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
    struct temp_dir dir;
    int inotify = inotify_init1(IN_CLOEXEC);
    pid_t pid;

    if (count == 0 || count > COUNT_MAX) {
        fputs("usage: incus_visible LXD_FOLDER REGION_DIR COUNT\n", stderr);
        return 2;
    }
    region_dir = argv[2];
    temp_dir_make(&dir);
    snprintf(lxd_socket, sizeof(lxd_socket), "%s/unix.socket", argv[1]);
    snprintf(folder, sizeof(folder), "%s/containers", argv[1]);
    snprintf(path, sizeof(path), "%s/unix.socket", dir.path);
    snprintf(link, sizeof(link), "%s/containers", dir.path);
    snprintf(option, sizeof(option), "incus=%s", path);
    if (symlink(folder, link) < 0 || inotify_add_watch(inotify, folder, IN_CREATE) < 0)
        die(folder);
    relay_start(path, lxd_socket, hand_on);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-r", region_dir, "-s", option,
              "-l", "error", NULL);
        _exit(127);
    }
    while (!connected())
        usleep(1000);
    for (unsigned i = 0; i < count; i++)
        measure(i, inotify);
    report(count);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    temp_dir_remove(&dir);
    return 0;
}
