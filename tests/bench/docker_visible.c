// SPDX-License-Identifier: Apache-2.0
// How long from a create event in a real engine's stream to a first record that can be read:
// Docker, or podman, which speaks nearly the same. usage: docker_visible docker|podman
// ENGINE_SOCKET REGION_DIR IMAGE COUNT (see docker_bench.sh, podman_bench.sh)
//
// The daemon is connected through a relay in this program, which notes the moment before it hands
// the bytes of a create event on, and looks the container up at each change of the region until it
// is there. The relay's own write and both wake-ups are in the figure. Measured twice: with a pause
// between creates, and back to back, where the engine's own work competes for the processors.
//
// Podman writes its events into a file (or the journal) which its service reads; where it is a file
// the service looks into it four times a second. That delay is podman's: it is reported apart, from
// the event's own time to the moment its bytes came, and creates are so far apart that no two of
// them come in one piece.
#include "bench/bench.h"
#include "bench/relay.h"
#include "shm/reader.h"
#include "unit/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 2000u

static const struct subject {
    const char *name, *create, *body; // of the request: image
    unsigned pace_us; // between creates, so that the engine has done with one before the next
    const char *paced, *storm, *delivery; // figures; NULL: not measured
} subjects[] = {
    {.name = "docker",
     .create = "/containers/create",
     .body = "{\"Image\":\"%s\",\"Cmd\":[\"true\"]}",
     .pace_us = 20000,
     .paced = "docker_create_visible_p99_us",
     .storm = "docker_create_visible_storm_p99_us"},
    {.name = "podman",
     .create = "/v4.0.0/libpod/containers/create",
     .body = "{\"image\":\"%s\",\"command\":[\"true\"]}",
     .pace_us = 350000,
     .paced = "podman_create_visible_p99_us",
     .delivery = "podman_create_delivery_p99_us"},
};

static const struct subject *subject;
static const char *engine_socket, *region_dir;
static struct cmeta_region region;
static double waits_us[COUNT_MAX], delays_us[COUNT_MAX];
static unsigned count;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

// The ID in a create event of a container, if that is what these bytes hold.
static const char *created_id(char *data)
{
    char *actor, *id;

    if (!strstr(data, "\"Type\":\"container\",\"Action\":\"create\"") ||
        !(actor = strstr(data, "\"Actor\":{\"ID\":\"")))
        return NULL;
    id = actor + strlen("\"Actor\":{\"ID\":\"");
    id[12] = '\0';
    return id;
}

// How old an event is: its own time, and the clock's.
static double age_us(const char *data)
{
    const char *time = strstr(data, "\"timeNano\":");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return time ? (double)(now.tv_sec * 1000000000LL + now.tv_nsec -
                           strtoll(time + strlen("\"timeNano\":"), NULL, 10)) /
                      1000
                : 0;
}

static void hand_on(int to, char *data, size_t len)
{
    char copy[16384];
    const char *id;
    uint64_t begin;
    cmeta_handle handle;

    snprintf(copy, sizeof(copy), "%.*s", (int)len, data);
    if (count < COUNT_MAX)
        delays_us[count] = age_us(copy);
    id = created_id(copy);
    begin = bench_now_ns();
    relay_write(to, data, len);
    if (!id || count == COUNT_MAX)
        return;
    for (uint32_t word; word = cmeta_follow_word(&region),
                        cmeta_reader_find(&region, id, 12, &handle) != CMETA_FOUND;)
        if (cmeta_follow_wait(&region, word, 5000) == 0)
            die("no record within 5 s");
    waits_us[count] = (double)(bench_now_ns() - begin) / 1000;
    __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE); // pairs with heard_all()
}

static bool connected(void)
{
    struct cmeta_engine_row row;

    if (!region.base && cmeta_region_map(region_dir, &region) != 0)
        return false;
    return cmeta_reader_engine(&region, 0, &row) == 1 && row.state == CMETA_ENGINE_CONNECTED;
}

// One container by the engine's own API: a client program's start would be in the figure.
static void create(const char *image)
{
    char body[256], request[512], answer[4096];
    int fd = relay_connect(engine_socket);
    ssize_t n;

    snprintf(body, sizeof(body), subject->body, image);
    snprintf(request, sizeof(request),
             "POST %s HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             subject->create, strlen(body), body);
    relay_write(fd, request, strlen(request));
    n = recv(fd, answer, sizeof(answer) - 1, 0);
    if (n <= 0 || strncmp(answer, "HTTP/1.1 201", 12) != 0)
        die("create");
    while (recv(fd, answer, sizeof(answer), 0) > 0)
        ;
    close(fd);
}

static bool heard_all(unsigned wanted)
{
    for (unsigned i = 0; i < 5000 && __atomic_load_n(&count, __ATOMIC_ACQUIRE) < wanted; i++)
        usleep(1000);
    return count == wanted;
}

// Creates `wanted` containers, so long apart, and reports how long each took to be seen.
static void figure(const char *name, const char *image, unsigned wanted, unsigned pace_us)
{
    __atomic_store_n(&count, 0, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < wanted; i++) {
        create(image);
        usleep(pace_us);
    }
    if (!heard_all(wanted))
        die("not every create was heard of");
    qsort(waits_us, count, sizeof(waits_us[0]), bench_compare);
    fprintf(stderr, "# %s: %u creates, median %.0f, p95 %.0f, maximum %.0f us\n", name, count,
            waits_us[count / 2], waits_us[count * 95 / 100], waits_us[count - 1]);
    bench_value(name, waits_us[count * 99 / 100], "us");
}

static void delivery_figure(void)
{
    qsort(delays_us, count, sizeof(delays_us[0]), bench_compare);
    fprintf(stderr, "# %s: median %.0f, maximum %.0f us\n", subject->delivery, delays_us[count / 2],
            delays_us[count - 1]);
    bench_value(subject->delivery, delays_us[count * 99 / 100], "us");
}

int main(int argc, char **argv)
{
    char path[96], option[128];
    unsigned wanted = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
    struct temp_dir dir;
    pid_t pid;

    for (size_t i = 0; argc > 1 && i < sizeof(subjects) / sizeof(subjects[0]); i++)
        if (strcmp(subjects[i].name, argv[1]) == 0)
            subject = &subjects[i];
    if (!subject || wanted == 0 || wanted > COUNT_MAX) {
        fputs("usage: docker_visible docker|podman ENGINE_SOCKET REGION_DIR IMAGE COUNT\n", stderr);
        return 2;
    }
    engine_socket = argv[2];
    region_dir = argv[3];
    temp_dir_make(&dir);
    snprintf(path, sizeof(path), "%s/engine.sock", dir.path);
    snprintf(option, sizeof(option), "%s=%s", subject->name, path);
    relay_start(path, engine_socket, hand_on);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-r", region_dir, "-s", option,
              "-l", "error", NULL);
        _exit(127);
    }
    while (!connected())
        usleep(1000);
    figure(subject->paced, argv[4], wanted, subject->pace_us);
    if (subject->delivery)
        delivery_figure();
    if (subject->storm)
        figure(subject->storm, argv[4], wanted, 0);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    temp_dir_remove(&dir);
    return 0;
}
