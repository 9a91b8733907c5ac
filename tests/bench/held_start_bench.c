// SPDX-License-Identifier: Apache-2.0
// Starts that wait for the daemon: by NRI, whose runtime's end is a fake, and by the real OCI hook
// with a podman that is a fake. The daemon is the program itself.
//
// first_instruction_nri_percent, first_instruction_hook_percent: of so many starts, one at a time,
//   those whose whole record, security and mounts included, was readable when the runtime went on.
// nri_added_p99_us: what the runtime waits for the answers to RunPodSandbox, CreateContainer and
//   StartContainer of one start. hook_added_p99_us: what it waits for the hook, making its process
//   included. Podman's event of the container comes at the same moment, and podman is asked
//   meanwhile.
// daemon_stopped_start_failures: of further starts by both, while the daemon is stopped (SIGSTOP)
// and
//   when it is killed in the middle of one: those that failed, or waited more than two seconds and
//   weren't the first.
// usage: held_start_bench   HELD_START_COUNT starts each; 1,000 if it isn't set
#include "bench/bench.h"
#include "fake/fake_nri.h"
#include "fake/http_engine.h"
#include "shm/reader.h"
#include "shm/record.h"
#include "shm/writer.h"
#include "unit/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOPPED_STARTS 20u
#define WAIT_MAX_MS    2000u
#define TIMEOUT_NS     UINT64_C(30000000000)
#define API            "/v4.0.0/libpod"
#define EVENTS         API "/events"
#define CONFIG_JSON                                                                                \
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":7,\"gid\":0},\"capabilities\":{"     \
    "\"bounding\":[\"CAP_CHOWN\"]}},\"mounts\":[],\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],"   \
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"}],\"resources\":" \
    "{\"memory\":{\"limit\":67108864}}}}"

extern char **environ;

struct node {
    struct temp_dir dir;
    char run[64], region[80]; // below /run, as in life: a tmpfs
    char hook_socket[96];
    pid_t daemon;
    struct cmeta_region mapping;
    struct fake_nri nri;
    struct fake_http *podman;
    unsigned stopped_failures;
};

static void die(const char *what)
{
    fprintf(stderr, "held_start_bench: %s\n", what);
    exit(1);
}

static void must(bool condition, const char *what)
{
    if (!condition)
        die(what);
}

static void make_folders(const char *path)
{
    char part[512];

    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
        mkdir(part, 0755);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file;

    make_folders(path);
    file = fopen(path, "w");
    must(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

static const char *id_of(unsigned number)
{
    static char id[65];

    snprintf(id, sizeof(id), "%012x%052x", number + 1, number);
    return id;
}

// --- the daemon ----------------------------------------------------------------------------------

static void start_daemon(struct node *node)
{
    char config[160];
    char *argv[] = {(char[]){TEST_BUILD "/containerd-meta"},
                    (char[]){"--config"},
                    config,
                    (char[]){"--region"},
                    node->region,
                    (char[]){"--log-level"},
                    (char[]){"error"},
                    NULL};

    snprintf(config, sizeof(config), "%s/config.yaml", node->dir.path);
    must(posix_spawn(&node->daemon, argv[0], NULL, NULL, argv, environ) == 0, "no daemon");
}

static void end_daemon(struct node *node, int signal)
{
    kill(node->daemon, signal);
    waitpid(node->daemon, NULL, 0);
    cmeta_region_unmap(&node->mapping);
}

static bool is_complete_in(const struct cmeta_region *region, const char *id)
{
    struct cmeta_view view;
    cmeta_handle handle;

    return region->base &&
           cmeta_reader_find_full(region, id, strlen(id), NULL, 0, &handle) == CMETA_FOUND &&
           cmeta_reader_record(region, handle, &view) &&
           (cmeta_view_known(&view) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE;
}

static bool is_complete(struct node *node, const char *id)
{
    if (is_complete_in(&node->mapping, id))
        return true;
    cmeta_region_unmap(&node->mapping); // it may have been replaced
    return cmeta_region_map(node->region, &node->mapping) == 0 &&
           is_complete_in(&node->mapping, id);
}

// --- starts by NRI -------------------------------------------------------------------------------

static Nri__PodSandbox pod_of(const char *id)
{
    static char address[] = "10.1.0.7", *ips[] = {address};
    static Nri__LinuxNamespace network = NRI__LINUX_NAMESPACE__INIT;
    static Nri__LinuxNamespace *namespaces[] = {&network};
    static Nri__LinuxPodSandbox linux_part = NRI__LINUX_POD_SANDBOX__INIT;
    static char pod_id[65];
    Nri__PodSandbox pod = NRI__POD_SANDBOX__INIT;

    network.type = (char[]){"network"};
    linux_part.namespaces = namespaces;
    linux_part.n_namespaces = 1;
    snprintf(pod_id, sizeof(pod_id), "d%s", id + 1);
    pod.id = pod_id;
    pod.name = (char[]){"web-7f9c"};
    pod.namespace_ = (char[]){"shop"};
    pod.uid = (char[]){"6f1d2c3b"};
    pod.ips = ips;
    pod.n_ips = 1;
    pod.linux_part = &linux_part;
    return pod;
}

static Nri__Container container_of(const struct node *node, const char *id, const char *pod_id)
{
    static char source[256], destination[] = "/etc/hostname", type[] = "bind", name[] = "web";
    static char image_name[] = "registry.example.com:5000/team/app:1.2";
    static char digest[] = "sha256:77", config_digest[] = "sha256:6b80";
    static Nri__Mount mount = NRI__MOUNT__INIT;
    static Nri__Mount *mounts[] = {&mount};
    static Nri__Image image = NRI__IMAGE__INIT;
    Nri__Container container = NRI__CONTAINER__INIT;

    snprintf(source, sizeof(source), "%s/io.containerd.grpc.v1.cri/sandboxes/%s/hostname",
             node->run, pod_id);
    mount.source = source;
    mount.destination = destination;
    mount.type = type;
    image.name = image_name;
    image.digest = digest;
    image.config_digest = config_digest;
    container.id = (char *)(uintptr_t)id;
    container.pod_sandbox_id = (char *)(uintptr_t)pod_id;
    container.name = name;
    container.mounts = mounts;
    container.n_mounts = 1;
    container.image = &image;
    return container;
}

// Return: ns that the runtime waited. What goes wrong throws the plugin out, as runtimes do.
static uint64_t start_by_nri(struct node *node, const char *id)
{
    static const int32_t events[] = {1, 4, 6}; // run the pod, create, start
    Nri__PodSandbox pod = pod_of(id);
    Nri__Container container = container_of(node, id, pod.id);
    char path[256];
    uint64_t begun;

    snprintf(path, sizeof(path), "%s/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
             node->run, id);
    write_file(path, CONFIG_JSON);
    begun = bench_now_ns();
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && node->nri.fd >= 0; i++)
        if (fake_nri_event(&node->nri, events[i], &pod, i ? &container : NULL).code != 0)
            fake_nri_expel(&node->nri);
    return bench_now_ns() - begun;
}

static void remove_by_nri(struct node *node, const char *id)
{
    Nri__PodSandbox pod = pod_of(id);
    Nri__Container container = container_of(node, id, pod.id);
    char path[256];

    fake_nri_event(&node->nri, 11, &pod, &container);
    fake_nri_event(&node->nri, 3, &pod, NULL);
    snprintf(path, sizeof(path), "%s/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
             node->run, id);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

// --- starts by the hook --------------------------------------------------------------------------

static void serve_podman(struct node *node, const char *id)
{
    char prefix[160], body[1024];

    snprintf(prefix, sizeof(prefix), API "/containers/%s/json", id);
    snprintf(
        body, sizeof(body),
        "{\"Id\":\"%s\",\"Name\":\"web\",\"Created\":\"2026-11-22T02:15:16Z\",\"State\":{"
        "\"Status\":\"created\",\"Pid\":0},\"Image\":\"6b80\",\"ImageName\":\"reg:5000/a/b:1\","
        "\"ImageDigest\":\"sha256:77\",\"Config\":{\"User\":\"7\",\"Labels\":{\"app\":\"web\"}},"
        "\"HostConfig\":{\"Privileged\":false,\"NetworkMode\":\"none\"},\"Mounts\":[],"
        "\"NetworkSettings\":{}}",
        id);
    fake_http_answer(node->podman, prefix, 200, body);
}

static void push_event(struct node *node, const char *id, const char *action)
{
    static long long time_ns = 1795313716000000000;
    char text[512];

    time_ns += 1000000;
    snprintf(text, sizeof(text),
             "{\"status\":\"%s\",\"id\":\"%s\",\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{"
             "\"ID\":\"%s\",\"Attributes\":{}},\"time\":%lld,\"timeNano\":%lld}\n",
             action, id, action, id, time_ns / 1000000000, time_ns);
    fake_http_stream_push(node->podman, EVENTS, text);
}

// As a runtime runs it. Return: whether it ended well.
static bool run_hook(const struct node *node, const char *state)
{
    char *argv[] = {(char[]){TEST_BUILD "/containerd-meta-hook"},
                    (char *)(uintptr_t)node->hook_socket, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], status = 0, r;
    pid_t pid;

    must(pipe2(in, O_CLOEXEC) == 0, "no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    must(r == 0, "no hook");
    close(in[0]);
    must(write(in[1], state, strlen(state)) == (ssize_t)strlen(state), "the state");
    close(in[1]);
    waitpid(pid, &status, 0);
    return status == 0;
}

// Return: ns that the runtime waited; UINT64_MAX: the container doesn't start.
static uint64_t start_by_hook(struct node *node, const char *id, pid_t init)
{
    char path[256], state[640];
    uint64_t begun;
    bool good;

    snprintf(path, sizeof(path), "%s/overlay-containers/%s/userdata/config.json", node->run, id);
    write_file(path, CONFIG_JSON);
    *strrchr(path, '/') = '\0';
    snprintf(state, sizeof(state),
             "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"status\":\"created\",\"pid\":%d,\"bundle\":"
             "\"%s\"}",
             id, (int)init, path);
    push_event(node, id, "create");
    begun = bench_now_ns();
    good = run_hook(node, state);
    return good ? bench_now_ns() - begun : UINT64_MAX;
}

static void remove_bundle(const struct node *node, const char *id)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/overlay-containers/%s/userdata/config.json", node->run, id);
    unlink(path);
    for (int i = 0; i < 2; i++) {
        *strrchr(path, '/') = '\0';
        rmdir(path);
    }
}

static pid_t start_init(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static void end_init(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// --- the figures ---------------------------------------------------------------------------------

static void report(const char *way, double *waited_us, unsigned count, unsigned complete)
{
    char name[64];

    qsort(waited_us, count, sizeof(*waited_us), bench_compare);
    fprintf(stderr, "# %s: %u starts, %u whole; waited: median %.0f, p99 %.0f, most %.0f us\n", way,
            count, complete, waited_us[count / 2], waited_us[count - 1 - count / 100],
            waited_us[count - 1]);
    snprintf(name, sizeof(name), "first_instruction_%s_percent", way);
    bench_value(name, complete * 100.0 / count, "percent");
    snprintf(name, sizeof(name), "%s_added_p99_us", way);
    bench_value(name, waited_us[count - 1 - count / 100], "us");
}

static void measure_nri(struct node *node, unsigned count)
{
    double *waited_us = calloc(count, sizeof(*waited_us));
    unsigned complete = 0;

    must(waited_us, "memory");
    for (unsigned i = 0; i < count; i++) {
        const char *id = id_of(i);

        waited_us[i] = (double)start_by_nri(node, id) / 1000;
        must(node->nri.fd >= 0, "the plugin has left");
        complete += is_complete(node, id);
        remove_by_nri(node, id);
    }
    report("nri", waited_us, count, complete);
    free(waited_us);
}

static void measure_hook(struct node *node, unsigned count)
{
    double *waited_us = calloc(count, sizeof(*waited_us));
    unsigned complete = 0;

    must(waited_us, "memory");
    for (unsigned i = 0; i < count; i++) {
        const char *id = id_of(0x100000 + i);
        const pid_t init = start_init();
        uint64_t waited;

        serve_podman(node, id);
        waited = start_by_hook(node, id, init);
        must(waited != UINT64_MAX, "a hook failed");
        waited_us[i] = (double)waited / 1000;
        complete += is_complete(node, id);
        push_event(node, id, "remove");
        end_init(init);
        remove_bundle(node, id);
    }
    report("hook", waited_us, count, complete);
    free(waited_us);
}

static void count_start(struct node *node, uint64_t waited_ns, bool is_first)
{
    const bool is_slow = waited_ns > WAIT_MAX_MS * UINT64_C(1000000);

    node->stopped_failures += waited_ns == UINT64_MAX || (is_slow && !is_first);
}

// The daemon is stopped, or @signal kills it after the first start.
static void start_without(struct node *node, int signal, unsigned from)
{
    node->nri.limit_ms = (int)WAIT_MAX_MS;
    kill(node->daemon, signal == SIGSTOP ? SIGSTOP : 0);
    for (unsigned i = 0; i < STOPPED_STARTS; i++) {
        if (signal == SIGKILL && i == 1)
            kill(node->daemon, SIGKILL);
        count_start(node, start_by_nri(node, id_of(from + i)), i == 0);
        count_start(node, start_by_hook(node, id_of(from + 0x1000 + i), getpid()), i == 0);
        remove_bundle(node, id_of(from + 0x1000 + i));
    }
    node->nri.limit_ms = 0;
}

static void write_config(struct node *node)
{
    static const char *const others[] = {"docker", "containerd", "cri", "incus", "edera"};
    char path[160], text[1024];
    int len = snprintf(text, sizeof(text),
                       "nri: on\noci_hook: on\nengines:\n  nri: { sockets: [%s] }\n"
                       "  oci_hook: { sockets: [%s] }\n  podman: { sockets: [%s/podman.sock] }\n",
                       node->nri.path, node->hook_socket, node->dir.path);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "  %s: { enabled: false }\n",
                        others[i]);
    snprintf(path, sizeof(path), "%s/config.yaml", node->dir.path);
    write_file(path, text);
}

static void begin_podman(struct node *node)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/podman.sock", node->dir.path);
    node->podman = fake_http_start(path);
    fake_http_on(node->podman, &(struct fake_rule){.prefix = "/_ping",
                                                   .body = "OK",
                                                   .headers = "Api-Version: 1.41\r\n"
                                                              "Libpod-Api-Version: 4.3.1\r\n"
                                                              "Server: Libpod/4.3.1 (linux)\r\n"});
    fake_http_on(node->podman, &(struct fake_rule){.prefix = EVENTS, .action = FAKE_STREAM});
    fake_http_answer(node->podman, API "/containers/json", 200, "[]");
}

static bool is_podman_connected(struct node *node)
{
    struct cmeta_engine_row row;

    cmeta_region_unmap(&node->mapping);
    if (cmeta_region_map(node->region, &node->mapping) != 0)
        return false;
    for (uint32_t i = 0; i < CMETA_ENGINE_ROWS; i++)
        if (cmeta_reader_engine(&node->mapping, i, &row) == 1 && strcmp(row.name, "podman") == 0 &&
            row.state == CMETA_ENGINE_CONNECTED)
            return true;
    return false;
}

// All three ways are there.
static void admit(struct node *node)
{
    const uint64_t limit = bench_now_ns() + TIMEOUT_NS;

    fake_nri_admit(&node->nri);
    must(fake_http_wait_streams(node->podman, EVENTS, 1, 30000), "podman isn't asked");
    while (!is_podman_connected(node) || access(node->hook_socket, F_OK) < 0) {
        must(bench_now_ns() < limit, "the daemon doesn't get to its engines");
        usleep(1000);
    }
}

static void begin(struct node *node)
{
    char path[160];

    *node = (struct node){.run = "/run/containerd-meta-bench.XXXXXX", .nri.fd = -1};
    temp_dir_make(&node->dir);
    must(mkdtemp(node->run) != NULL, node->run);
    snprintf(node->region, sizeof(node->region), "%s/region", node->run);
    snprintf(node->hook_socket, sizeof(node->hook_socket), "%s/hook", node->run);
    snprintf(path, sizeof(path), "%s/nri.sock", node->dir.path);
    fake_nri_listen(&node->nri, path);
    node->nri.has_rpcs = true;
    begin_podman(node);
    write_config(node);
    start_daemon(node);
    admit(node);
}

static void end(struct node *node)
{
    char command[160];

    fake_http_stop(node->podman);
    fake_nri_stop(&node->nri);
    temp_dir_remove(&node->dir);
    snprintf(command, sizeof(command), "rm -rf %s", node->run);
    must(system(command) == 0, command);
}

int main(void)
{
    const char *wanted = getenv("HELD_START_COUNT");
    const unsigned count = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 1000;
    struct node node;

    if (geteuid() != 0) {
        fputs("held_start_bench: not measured: bundles lie below /run, and this isn't root\n",
              stderr);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    begin(&node);
    measure_nri(&node, count);
    measure_hook(&node, count);
    start_without(&node, SIGSTOP, 0x200000);
    kill(node.daemon, SIGCONT);
    fake_nri_admit(&node.nri);
    start_without(&node, SIGKILL, 0x300000);
    end_daemon(&node, SIGKILL);
    bench_value("daemon_stopped_start_failures", node.stopped_failures, "starts");
    end(&node);
    return 0;
}
