// SPDX-License-Identifier: Apache-2.0
// What a Kubernetes node costs: the daemon is the program itself, its engines are fakes that answer
// each question in one millisecond (a timer of whole milliseconds: one to two).
//
// cri_1500_complete_ms: from the daemon's start to the moment when the region has 1,500 complete
//   containers, of 500 pods; three times each with a CRI-O without events and with a containerd,
//   the worse of the two medians.
// daemon_private_dirty_cri_1500_kib: Private_Dirty over all mappings but the region's, a second
//   later; the worse of the two.
// churn_100k_growth_percent: the same after 100,000 containers came and went through the containerd
//   fake (create, start, delete events, each with its question), 100 at a time, against what it was
//   after the first 10,000, more than the daemon remembers of removed ones; each is measured 80
//   seconds later: it remembers them for a minute, lest a late answer revive one.
// daemon_idle_cpu_percent: time on a CPU of all threads, during a minute in which nothing happens;
//   Docker, containerd with 300 containers and CRI-O with 300 containers, all by fakes.
#include "bench/bench.h"
#include "fake/fake_containerd.h"
#include "fake/fake_cri.h"
#include "fake/http_engine.h"
#include "shm/reader.h"
#include "unit/support/temp_dir.h"

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PODS         500u
#define PER_POD      3u
#define CONTAINERS   (PODS * PER_POD)
#define RUNS         3u
#define WARM         10000u
#define CHURN        100000u
#define AT_A_TIME    100u
#define IDLE_PODS    100u
#define IDLE_S       60u
#define SETTLE_MS    1000u
#define FORGOTTEN_MS 80000u
#define TIMEOUT_MS   60000u
#define FIELD        "Private_Dirty:"

extern char **environ;

struct names {
    char pod_id[65], pod[32], uid[40], ip[20], id[65], name[32];
};

struct daemon {
    struct temp_dir dir;
    char region[96];
    pid_t pid;
    uint64_t began_ns;
};

static void die(const char *what)
{
    fprintf(stderr, "cri_bench: %s\n", what);
    exit(1);
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

// --- the node ------------------------------------------------------------------------------------

static struct fake_pod pod_of(struct names *names, unsigned pod)
{
    snprintf(names->pod_id, sizeof(names->pod_id), "%012x%052x", 0xd0000000u + pod, pod);
    snprintf(names->pod, sizeof(names->pod), "service-%u-7f9c", pod);
    snprintf(names->uid, sizeof(names->uid), "5f0e2f3a-1111-2222-3333-%012u", pod);
    snprintf(names->ip, sizeof(names->ip), "10.42.%u.%u", pod / 250, pod % 250 + 1);
    return (struct fake_pod){
        .id = names->pod_id, .name = names->pod, .ns = "prod", .uid = names->uid, .ip = names->ip};
}

static const char *const labels[] = {"io.kubernetes.container.name",
                                     "service",
                                     "io.kubernetes.pod.namespace",
                                     "prod",
                                     "annotation.io.kubernetes.container.hash",
                                     "7b1d9a3c",
                                     "maintainer",
                                     "team@example.com",
                                     NULL};

static struct fake_container container_of(struct names *names, const struct fake_pod *pod,
                                          unsigned n)
{
    snprintf(names->id, sizeof(names->id), "%012x%052x", n + 1, n);
    snprintf(names->name, sizeof(names->name), "service-%u", n % PER_POD);
    return (struct fake_container){
        .id = names->id, .name = names->name, .pod = pod, .pid = 1000 + n, .labels = labels};
}

static void fill_cri(struct fake_cri *cri, unsigned pods)
{
    struct names names;

    for (unsigned p = 0; p < pods; p++) {
        struct fake_pod pod = pod_of(&names, p);

        fake_cri_put_pod(cri, &pod);
        for (unsigned c = 0; c < PER_POD; c++) {
            struct fake_container container = container_of(&names, &pod, p * PER_POD + c);

            fake_cri_put(cri, &container);
        }
    }
}

static void fill_containerd(struct fake_containerd *containerd, unsigned pods)
{
    struct names names;

    for (unsigned p = 0; p < pods; p++) {
        struct fake_pod pod = pod_of(&names, p);

        fake_containerd_put_pod(containerd, &pod);
        for (unsigned c = 0; c < PER_POD; c++) {
            struct fake_container container = container_of(&names, &pod, p * PER_POD + c);

            fake_containerd_put(containerd, &container);
        }
    }
}

// --- the daemon ----------------------------------------------------------------------------------

static void daemon_place(struct daemon *daemon)
{
    temp_dir_make(&daemon->dir);
    snprintf(daemon->region, sizeof(daemon->region), "%s/region", daemon->dir.path);
}

// @engines: YAML of the block "engines", each line indented.
static void daemon_start(struct daemon *daemon, const char *engines)
{
    char path[128];
    char *const args[] = {"containerd-meta", "-c", path, "-r", daemon->region, "-l", "error", NULL};
    FILE *file;

    snprintf(path, sizeof(path), "%s/config.yaml", daemon->dir.path);
    file = fopen(path, "we");
    if (!file || fprintf(file, "grace: 1s\nengines:\n%s", engines) < 0 || fclose(file))
        die("no configuration");
    daemon->began_ns = bench_now_ns();
    if (posix_spawn(&daemon->pid, TEST_BUILD "/containerd-meta", NULL, NULL, args, environ) != 0)
        die("the daemon can't be started");
}

static void daemon_stop(struct daemon *daemon)
{
    int status;

    kill(daemon->pid, SIGTERM);
    waitpid(daemon->pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("the daemon did not end well");
}

static unsigned count(const struct daemon *daemon, bool complete)
{
    struct cmeta_region region;
    uint64_t cursor = 0;
    cmeta_handle handle;
    unsigned found = 0;
    int r;

    if (cmeta_region_map(daemon->region, &region) != 0)
        return 0;
    while ((r = cmeta_reader_next(&region, &cursor, &handle)) != 0) {
        struct cmeta_status status;
        struct cmeta_view view;

        if (r != 1 || !cmeta_reader_status(&region, handle, &status) ||
            CMETA_STATUS_STATE(status.word) == CMETA_STATE_REMOVED)
            continue;
        found += !complete ||
                 (cmeta_reader_record(&region, handle, &view) &&
                  (cmeta_view_known(&view) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE);
    }
    cmeta_region_unmap(&region);
    return found;
}

static void wait_complete(const struct daemon *daemon, unsigned wanted)
{
    unsigned found;

    while ((found = count(daemon, true)) != wanted) {
        if (bench_now_ns() - daemon->began_ns > TIMEOUT_MS * UINT64_C(1000000)) {
            fprintf(stderr, "cri_bench: %u of %u containers are complete\n", found, wanted);
            exit(1);
        }
        pause_ms(3);
    }
}

// Over all mappings but the region's.
static double dirty_kib(pid_t pid)
{
    char path[64], line[512];
    bool region = false;
    double sum = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        unsigned long kib;

        if ((line[0] < 'A' || line[0] > 'Z') && strchr(line, '-'))
            region = strstr(line, "/region/table") != NULL;
        else if (!region && strncmp(line, FIELD, strlen(FIELD)) == 0 &&
                 sscanf(line + strlen(FIELD), " %lu", &kib) == 1)
            sum += (double)kib;
    }
    if (file)
        fclose(file);
    return sum;
}

// ns on a CPU, of all threads that live.
static double cpu_ns(pid_t pid)
{
    char path[320];
    double sum = 0, ns;
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (file && fscanf(file, "%lf", &ns) == 1)
            sum += ns;
        if (file)
            fclose(file);
    }
    if (folder)
        closedir(folder);
    return sum;
}

// --- figures -------------------------------------------------------------------------------------

#define ENGINE  "  %s:\n    enabled: true\n    sockets: [%s]\n"
#define NOTHING "  %s:\n    enabled: true\n    sockets: []\n"

struct node {
    char socket[128];
    struct fake_grpc *grpc;
    struct fake_cri *cri;
    struct fake_containerd *containerd;
};

static void node_start(struct node *node, const struct daemon *daemon, bool is_cri, unsigned pods)
{
    *node = (struct node){0};
    snprintf(node->socket, sizeof(node->socket), "%s/%s.sock", daemon->dir.path,
             is_cri ? "crio" : "containerd");
    node->grpc = fake_grpc_start(node->socket);
    if (is_cri) {
        node->cri = fake_cri_serve(node->grpc, "cri-o");
        fill_cri(node->cri, pods);
        fake_cri_delay(node->cri, 1);
    } else {
        node->containerd = fake_containerd_serve(node->grpc);
        fill_containerd(node->containerd, pods);
        fake_containerd_delay(node->containerd, 1);
    }
}

static void node_stop(struct node *node)
{
    fake_grpc_stop(node->grpc);
    fake_cri_free(node->cri);
    fake_containerd_free(node->containerd);
}

static double median_ms(bool is_cri, double *dirty)
{
    double ms[RUNS];
    char engines[512];
    struct daemon daemon;
    struct node node;

    daemon_place(&daemon);
    node_start(&node, &daemon, is_cri, PODS);
    snprintf(engines, sizeof(engines), NOTHING ENGINE NOTHING, "docker",
             is_cri ? "cri" : "containerd", node.socket, is_cri ? "containerd" : "cri");
    for (unsigned i = 0; i < RUNS; i++) {
        char path[160];

        daemon_start(&daemon, engines);
        wait_complete(&daemon, CONTAINERS);
        ms[i] = (double)(bench_now_ns() - daemon.began_ns) / 1e6;
        pause_ms(SETTLE_MS);
        *dirty = dirty_kib(daemon.pid);
        daemon_stop(&daemon);
        snprintf(path, sizeof(path), "%s/table", daemon.region); // else it is complete at once
        unlink(path);
    }
    node_stop(&node);
    temp_dir_remove(&daemon.dir);
    qsort(ms, RUNS, sizeof(*ms), bench_compare);
    fprintf(stderr, "cri_bench: %s: complete after %.0f ms (%.0f to %.0f), then %.0f KiB dirty\n",
            is_cri ? "cri" : "containerd", ms[RUNS / 2], ms[0], ms[RUNS - 1], *dirty);
    return ms[RUNS / 2];
}

static void measure_start(void)
{
    double crio_dirty, containerd_dirty, crio = median_ms(true, &crio_dirty),
                                         containerd = median_ms(false, &containerd_dirty);

    bench_value("cri_1500_complete_ms", crio > containerd ? crio : containerd, "ms");
    bench_value("daemon_private_dirty_cri_1500_kib",
                crio_dirty > containerd_dirty ? crio_dirty : containerd_dirty, "KiB");
}

static void wait_count(const struct daemon *daemon, unsigned wanted)
{
    uint64_t began_ns = bench_now_ns();

    while (count(daemon, false) != wanted) {
        if (bench_now_ns() - began_ns > TIMEOUT_MS * UINT64_C(1000000))
            die("containers that came and went are not as they should be");
        pause_ms(1);
    }
}

static void churn(const struct daemon *daemon, struct fake_containerd *containerd, unsigned from,
                  unsigned to)
{
    struct names names;
    struct fake_pod pod = pod_of(&names, 0);

    for (unsigned n = from; n < to; n += AT_A_TIME) {
        for (unsigned i = n; i < n + AT_A_TIME; i++) {
            struct fake_container container = container_of(&names, &pod, 1000000 + i);

            fake_containerd_create(containerd, &container);
            fake_containerd_start(containerd, &container);
        }
        wait_count(daemon, 1 + AT_A_TIME); // the pod's sandbox stays
        for (unsigned i = n; i < n + AT_A_TIME; i++) {
            struct fake_container container = container_of(&names, &pod, 1000000 + i);

            fake_containerd_remove(containerd, "k8s.io", container.id);
        }
        wait_count(daemon, 1);
    }
}

static void measure_churn(void)
{
    struct names names;
    struct fake_pod pod = pod_of(&names, 0);
    struct daemon daemon;
    struct node node;
    char engines[512];
    double before, after;

    daemon_place(&daemon);
    node_start(&node, &daemon, false, 0);
    fake_containerd_delay(node.containerd, 0);
    fake_containerd_put_pod(node.containerd, &pod);
    snprintf(engines, sizeof(engines), NOTHING ENGINE NOTHING, "docker", "containerd", node.socket,
             "cri");
    daemon_start(&daemon, engines);
    if (!fake_grpc_wait_streams(node.grpc, FAKE_SUBSCRIBE, 1, TIMEOUT_MS))
        die("nobody subscribes");
    wait_count(&daemon, 1);
    churn(&daemon, node.containerd, 0, WARM);
    pause_ms(FORGOTTEN_MS);
    before = dirty_kib(daemon.pid);
    churn(&daemon, node.containerd, WARM, WARM + CHURN);
    pause_ms(FORGOTTEN_MS);
    after = dirty_kib(daemon.pid);
    fprintf(stderr, "cri_bench: churn: %.0f KiB before, %.0f KiB after\n", before, after);
    bench_value("churn_100k_growth_percent", (after - before) * 100 / before, "%");
    daemon_stop(&daemon);
    node_stop(&node);
    temp_dir_remove(&daemon.dir);
}

static struct fake_http *start_docker(const char *path)
{
    struct fake_http *docker = fake_http_start(path);

    fake_http_on(docker, &(struct fake_rule){.prefix = "/v1.41/events", .action = FAKE_STREAM});
    fake_http_answer(docker, "/v1.41/containers/json", 200, "[]");
    fake_http_on(docker, &(struct fake_rule){
                             .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.41\r\n"});
    return docker;
}

static void measure_idle(void)
{
    struct daemon daemon;
    struct node cri, containerd;
    struct fake_http *docker;
    char engines[1024], docker_socket[128];
    double before;
    uint64_t began_ns;

    daemon_place(&daemon);
    node_start(&containerd, &daemon, false, IDLE_PODS);
    node_start(&cri, &daemon, true, IDLE_PODS);
    snprintf(docker_socket, sizeof(docker_socket), "%s/docker.sock", daemon.dir.path);
    docker = start_docker(docker_socket);
    snprintf(engines, sizeof(engines), ENGINE ENGINE ENGINE, "docker", docker_socket, "containerd",
             containerd.socket, "cri", cri.socket);
    daemon_start(&daemon, engines);
    wait_complete(&daemon, IDLE_PODS * PER_POD);
    pause_ms(SETTLE_MS * 5); // the second list of containerd
    before = cpu_ns(daemon.pid);
    began_ns = bench_now_ns();
    pause_ms(IDLE_S * 1000);
    bench_value("daemon_idle_cpu_percent",
                (cpu_ns(daemon.pid) - before) * 100 / (double)(bench_now_ns() - began_ns), "%");
    daemon_stop(&daemon);
    fake_http_stop(docker);
    node_stop(&cri);
    node_stop(&containerd);
    temp_dir_remove(&daemon.dir);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : ""; // one of them, for who looks closer

    if (!*only || strcmp(only, "start") == 0)
        measure_start();
    if (!*only || strcmp(only, "churn") == 0)
        measure_churn();
    if (!*only || strcmp(only, "idle") == 0)
        measure_idle();
    return 0;
}
