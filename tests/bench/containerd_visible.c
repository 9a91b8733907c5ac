// SPDX-License-Identifier: Apache-2.0
// How long from /containers/create in a real containerd's stream to a record that can be read.
// usage: containerd_visible ENGINE_SOCKET REGION_DIR COUNT FIGURE [pod]   (see containerd_bench.sh)
//
// The daemon is connected through a relay in this program, which notes the moment before it hands
// the bytes of a create event on. Everything the daemon asks goes through the relay too, on the
// same connection, so a thread of its own looks the container up, at each change of the region,
// until it is there; with `pod`, until all that rules read is known, the pod included. In the
// figure are the daemon's Containers.Get (and what a CRI container needs beside it), the relay's
// writes both ways and all wake-ups. Whoever makes the containers is another program.
#include "bench/bench.h"
#include "bench/relay.h"
#include "shm/reader.h"
#include "shm/record.h"
#include "unit/support/temp_dir.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 2000u
#define HEARD_MS  20000 // longest time between two creates

static const char *region_dir;
static bool want_pod;
static int heard[2]; // a pipe: from the relay to who looks

struct create {
    uint64_t begin_ns;
    size_t id_len; // of what container.id shows
    char id[96];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

// The next create event among these bytes: after the payload's type come the payload (field 2, its
// length) and in it the ID (field 1). Return: where to look on, NULL if there is none.
static const char *next_created(const char *data, const char *end, struct create *create)
{
    static const char type[] = "containerd.events.ContainerCreate";
    const char *at = memmem(data, (size_t)(end - data), type, sizeof(type) - 1);
    size_t id_len;

    if (!at)
        return NULL;
    at += sizeof(type) - 1;
    if (end - at < 5 || *at++ != 0x12)
        return NULL;
    at += *at & 0x80 ? 2 : 1;
    id_len = (size_t)at[1];
    if (at[0] != 0x0a || id_len >= sizeof(create->id) || end - at < 2 + (ptrdiff_t)id_len)
        return NULL;
    memcpy(create->id, at + 2, id_len);
    create->id_len = id_len == 64 ? 12 : id_len;
    return at + 2 + id_len;
}

// From the engine to the daemon.
static void hand_on(int to, char *data, size_t len)
{
    const uint64_t begin_ns = bench_now_ns();
    struct create create = {.begin_ns = begin_ns};

    relay_write(to, data, len);
    for (const char *at = data; (at = next_created(at, data + len, &create));)
        if (write(heard[1], &create, sizeof(create)) != sizeof(create))
            die("pipe");
}

static bool is_there(const struct cmeta_region *region, const struct create *create)
{
    const uint32_t wanted = CMETA_GROUPS_COMPLETE | CMETA_GROUP_BIT(CMETA_GROUP_POD);
    struct cmeta_view view;
    cmeta_handle handle;

    return cmeta_reader_find(region, create->id, create->id_len, &handle) == CMETA_FOUND &&
           cmeta_reader_record(region, handle, &view) &&
           (!want_pod || (cmeta_view_known(&view) & wanted) == wanted);
}

// Return: us until the next created container was there.
static double await_one(struct cmeta_region *region)
{
    struct pollfd fd = {.fd = heard[0], .events = POLLIN};
    struct create create;

    if (poll(&fd, 1, HEARD_MS) <= 0) {
        fputs("containerd_visible: a create event was not heard\n", stderr);
        exit(1);
    }
    if (read(heard[0], &create, sizeof(create)) != sizeof(create))
        die("pipe");
    for (uint32_t word; word = cmeta_follow_word(region), !is_there(region, &create);)
        if (cmeta_follow_wait(region, word, 5000) == 0) {
            fprintf(stderr, "%.*s\n", (int)create.id_len, create.id);
            die("no record within 5 s");
        }
    return (double)(bench_now_ns() - create.begin_ns) / 1000;
}

static pid_t start_daemon(const char *socket)
{
    char option[128];
    pid_t pid;

    snprintf(option, sizeof(option), "containerd=%s", socket);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-r", region_dir, "-s", option,
              "-l", "error", NULL);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv)
{
    unsigned wanted = argc >= 5 ? (unsigned)atoi(argv[3]) : 0;
    struct cmeta_region region = {0};
    static double waits_us[COUNT_MAX];
    char path[96];
    struct temp_dir dir;
    pid_t pid;

    if (wanted == 0 || wanted > COUNT_MAX) {
        fputs("usage: containerd_visible ENGINE_SOCKET REGION_DIR COUNT FIGURE [pod]\n", stderr);
        return 2;
    }
    region_dir = argv[2];
    want_pod = argc > 5;
    temp_dir_make(&dir);
    snprintf(path, sizeof(path), "%s/containerd.sock", dir.path);
    if (pipe(heard) < 0)
        die("pipe");
    relay_start(path, argv[1], hand_on);
    pid = start_daemon(path);
    while (cmeta_region_map(region_dir, &region) != 0)
        usleep(1000);
    for (unsigned i = 0; i < wanted; i++)
        waits_us[i] = await_one(&region);
    qsort(waits_us, wanted, sizeof(waits_us[0]), bench_compare);
    fprintf(stderr, "# %s: %u creates, median %.0f, p95 %.0f, maximum %.0f us\n", argv[4], wanted,
            waits_us[wanted / 2], waits_us[wanted * 95 / 100], waits_us[wanted - 1]);
    bench_value(argv[4], waits_us[wanted * 99 / 100], "us");
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    temp_dir_remove(&dir);
    return 0;
}
