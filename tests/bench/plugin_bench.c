// SPDX-License-Identifier: Apache-2.0
// The plugin's figures: what it adds to an event, and what it needs to be loaded.
//
// A thousand threads in as many containers, visited in random order, through the plugin host's
// preallocated tables. What those tables cost is measured by making the plugin's table operations
// again without the plugin, and subtracted; extract_host_cost_ns says how much it was.
#include "bench/bench.h"
#include "host/fast.h"
#include "host/host.h"
#include "shm/writer.h"

#include <errno.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTAINERS 1000u
#define FIRST_TID  10000
#define VISITS     200000u // per run
#define EVENTS     1000000u
#define PLUGIN     TEST_BUILD "/libcontainer.so"

static char folder[sizeof("/dev/shm/cmeta-bench-XXXXXX")];
static struct cmeta_writer *writer;
static struct host *host;
static struct fast *fast;

static void die(const char *what)
{
    fprintf(stderr, "plugin_bench: %s\n", what);
    exit(1);
}

// --- an allocator that counts --------------------------------------------------------------------

// Visible, or else the plugin would go on using libc's.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

static _Thread_local bool counting;
static _Thread_local uint64_t allocations;

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
    allocations += counting;
    return __libc_realloc(old, size);
}

__attribute__((visibility("default"))) void free(void *old)
{
    allocations += counting && old;
    __libc_free(old);
}

// --- the scene -----------------------------------------------------------------------------------

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void make_id(uint64_t n, char id[65])
{
    uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 31;
    snprintf(id, 65, "%016llx%016llx%016llx%016llx", (unsigned long long)x, (unsigned long long)n,
             (unsigned long long)~x, (unsigned long long)n);
}

static void put(unsigned n, unsigned version)
{
    static _Alignas(8) uint8_t record[CMETA_RECORD_MAX];
    static const struct cmeta_label labels[] = {{CMETA_STR("app"), CMETA_STR("shop")},
                                                {CMETA_STR("tier"), CMETA_STR("backend")}};
    static const struct cmeta_mount mounts[] = {{.source = CMETA_STR("/srv/data"),
                                                 .destination = CMETA_STR("/data"),
                                                 .mode = CMETA_STR(""),
                                                 .propagation = CMETA_STR("rprivate")}};
    char id[65], name[32];
    struct cmeta_container content = {.type = CMETA_TYPE_DOCKER,
                                      .known = CMETA_GROUPS_ALL,
                                      .started_ns = version,
                                      .labels = labels,
                                      .labels_count = 2,
                                      .mounts = mounts,
                                      .mounts_count = 1};
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = n, .first_seen_ns = 1};
    int size;

    make_id(n, id);
    content.strings[CMETA_STRING_NAME] =
        (struct cmeta_str){name, (uint32_t)snprintf(name, sizeof(name), "container-%u", n)};
    content.strings[CMETA_STRING_IMAGE] = CMETA_STR("registry.local/shop/app:1.2.3");
    content.strings[CMETA_STRING_IMAGE_REPO] = CMETA_STR("registry.local/shop/app");
    size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    if (cmeta_writer_put(writer, &(struct cmeta_name){{id, 64}, CMETA_STR("docker")}, record,
                         (size_t)size, &live) < 0)
        die("cannot publish");
}

// The path as Docker has it with systemd; every tenth process is the host's.
static const char *path_of(unsigned n)
{
    static char path[128];
    char id[65];

    make_id(n, id);
    if (n % 10 == 9)
        snprintf(path, sizeof(path), "/system.slice/unit-%u.service", n);
    else
        snprintf(path, sizeof(path), "/system.slice/docker-%s.scope", id);
    return path;
}

// By the parent: a child that is killed can't take its folder away.
static void make_folder(void)
{
    strcpy(folder, "/dev/shm/cmeta-bench-XXXXXX");
    if (!mkdtemp(folder))
        die("cannot make a folder");
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_scene(void)
{
    struct cmeta_writer_options options = {
        .dir = folder, .grace_ns = 1, .drain_ns = 1, .version = "bench", .gid = -1};
    char message[256], config[128];

    if (cmeta_writer_new(&options, &writer, message, sizeof(message)) < 0 ||
        cmeta_writer_publish(writer) < 0)
        die("cannot make a region");
    for (unsigned n = 0; n < CONTAINERS; n++)
        put(n, 0);
    host = host_new();
    snprintf(config, sizeof(config), "{\"region\":\"%s\",\"log_level\":\"error\"}", folder);
    counting = true;
    if (host_load(host, PLUGIN, config))
        die(host_refusal(host));
    counting = false;
    if (allocations == 0)
        die("allocations aren't counted");
    allocations = 0;
    for (unsigned n = 0; n < CONTAINERS; n++) {
        char rows[512];

        snprintf(rows, sizeof(rows), "cpu=%s\nmemory=%s", path_of(n), path_of(n));
        host_thread_add(host, FIRST_TID + n, FIRST_TID + n, "app", rows);
    }
    if (host_open_live(host))
        die(host_refusal(host));
    fast = fast_new(host_instance(host));
}

static void close_scene(void)
{
    fast_free(fast);
    host_destroy(host);
    if (host_violations(host))
        die(host_violation(host, 0));
    host_free(host);
    cmeta_writer_free(writer);
}

// --- events --------------------------------------------------------------------------------------

static struct falco_event *plain[CONTAINERS], *execs[CONTAINERS];

// cpuset and io as where they aren't delegated; the others in the container's own cgroup.
static struct falco_event *make_exec(unsigned n)
{
    static const char *const names[] = {"cpuset", "cpu", "cpuacct", "io", "memory"};
    char param[1024];
    int64_t tid = FIRST_TID + n;
    struct event_process p = {
        .tid = tid, .pid = tid, .ptid = 1, .comm = "app", .exe = "/bin/app", .cgroups = param};

    for (unsigned i = 0; i < 5; i++)
        p.cgroups_len += (size_t)snprintf(param + p.cgroups_len, sizeof(param) - p.cgroups_len,
                                          "%s=%s", names[i], i % 3 == 0 ? "/" : path_of(n)) +
                         1;
    return event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 1000, &p);
}

static void make_events(void)
{
    for (unsigned n = 0; n < CONTAINERS; n++) {
        plain[n] = event_any(FIRST_TID + n, 1000);
        execs[n] = make_exec(n);
    }
}

static uint32_t order[VISITS];

static void shuffle(bool containers_only)
{
    uint64_t x = 88172645463325252u;

    for (uint32_t i = 0; i < VISITS; i++) {
        do {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            order[i] = (uint32_t)((x >> 20) % CONTAINERS);
        } while (containers_only && order[i] % 10 == 9);
    }
}

static uint64_t evtnum;

static struct falco_event_input input_of(const struct falco_event *e)
{
    return (struct falco_event_input){.evt = e, .evtnum = ++evtnum, .evtsrc = "syscall"};
}

// --- extraction ----------------------------------------------------------------------------------

// One visit: the first field, and `next` more of the same event.
static double run_extract(struct falco_extract_field *first, struct falco_extract_field *second,
                          unsigned next)
{
    uint64_t start = bench_now_ns();

    for (uint32_t i = 0; i < VISITS; i++) {
        struct falco_event_input in = input_of(plain[order[i]]);

        fast_extract(fast, &in, first, 1);
        for (unsigned k = 0; k < next; k++)
            fast_extract(fast, &in, second, 1);
        bench_keep(first->res_len + second->res_len);
    }
    return (double)(bench_now_ns() - start) / VISITS;
}

static double run_replay(struct fast_trace *const *traces)
{
    uint64_t start = bench_now_ns();

    for (uint32_t i = 0; i < VISITS; i++)
        fast_trace_replay(traces[order[i]]);
    return (double)(bench_now_ns() - start) / VISITS;
}

static void bench_extract(void)
{
    double first_ns[BENCH_RUNS], next_ns[BENCH_RUNS], host_ns[BENCH_RUNS];
    struct fast_trace *traces[CONTAINERS];
    struct falco_extract_field first, second;

    if (fast_request(fast, "container.name", &first) ||
        fast_request(fast, "container.image.repository", &second))
        die("no such field");
    for (unsigned n = 0; n < CONTAINERS; n++) {
        struct falco_event_input in = input_of(plain[n]);

        traces[n] = fast_trace_extract(fast, &in, &first, 1);
    }
    shuffle(true);
    run_extract(&first, &second, 1);
    for (unsigned r = 0; r < BENCH_RUNS; r++) {
        double one = run_extract(&first, &second, 0), five = run_extract(&first, &second, 4);

        host_ns[r] = run_replay(traces);
        first_ns[r] = one - host_ns[r];
        next_ns[r] = (five - one) / 4;
    }
    bench_report("extract_first_field_ns", first_ns, BENCH_RUNS, "ns");
    bench_report("extract_next_field_ns", next_ns, BENCH_RUNS, "ns");
    bench_report("extract_host_cost_ns", host_ns, BENCH_RUNS, "ns");
    for (unsigned n = 0; n < CONTAINERS; n++)
        fast_trace_free(traces[n]);
}

// --- parsing -------------------------------------------------------------------------------------

static double run_parse(void)
{
    uint64_t start = bench_now_ns();

    for (uint32_t i = 0; i < VISITS; i++) {
        struct falco_event_input in = input_of(execs[order[i]]);

        bench_keep(fast_parse(fast, &in));
    }
    return (double)(bench_now_ns() - start) / VISITS;
}

static void bench_parse(void)
{
    double ns[BENCH_RUNS], host_ns[BENCH_RUNS];
    struct fast_trace *traces[CONTAINERS];

    shuffle(true);
    run_parse();
    for (unsigned n = 0; n < CONTAINERS; n++) {
        struct falco_event_input in = input_of(execs[n]);

        traces[n] = fast_trace_parse(fast, &in);
    }
    for (unsigned r = 0; r < BENCH_RUNS; r++) {
        double all = run_parse();

        host_ns[r] = run_replay(traces);
        ns[r] = all - host_ns[r];
    }
    bench_report("parse_exec_ns", ns, BENCH_RUNS, "ns");
    bench_report("parse_exec_host_cost_ns", host_ns, BENCH_RUNS, "ns");
    for (unsigned n = 0; n < CONTAINERS; n++)
        fast_trace_free(traces[n]);
}

// --- no system calls, no allocations -------------------------------------------------------------

static atomic_bool stop_writing;

// Updates, and a replacement every now and then: the event thread has swaps to do.
static void *keep_writing(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !atomic_load(&stop_writing); i++) {
        put(i % CONTAINERS, i);
        if (i % 20000 == 0)
            cmeta_writer_replace(writer);
    }
    return NULL;
}

// From here on this thread may only end, and say how it went.
static void forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        die("cannot install a seccomp filter");
}

// A plugin's day: exec, fields of all kinds, threads that are new, a thread that exits.
static void run_event(uint32_t i, struct falco_extract_field *fields, uint32_t count)
{
    uint32_t n = order[i % VISITS];
    struct falco_event_input in = input_of(i % 4 == 0 ? execs[n] : plain[n]);

    if (i % 64 == 0) { // as if it had been missed
        struct thread *t = threads_find(host_instance(host)->threads, FIRST_TID + n);
        struct host_field *ref =
            threads_field(host_instance(host)->threads, TABLE_THREADS, "cmeta_ref");

        thread_set_int(t, ref->index, 0);
    }
    if (i % 4 == 0)
        fast_parse(fast, &in);
    fast_extract(fast, &in, &fields[i % count], 1);
    fast_extract(fast, &in, fields, count);
}

static const char *const all_kinds[] = {"container.id",          "container.full_id",
                                        "container.name",        "container.type",
                                        "container.privileged",  "container.mounts",
                                        "container.mount[0]",    "container.mount.dest[/srv/*]",
                                        "container.start_ts",    "container.duration",
                                        "container.healthcheck", "container.label[app]",
                                        "container.labels",      "k8s.pod.name",
                                        "k8s.pod.sandbox_id",    "k8s.pod.label[app]"};
#define KINDS (sizeof(all_kinds) / sizeof(all_kinds[0]))

// In a process of its own, since a system call ends it.
static void event_path_child(int result)
{
    struct falco_extract_field fields[KINDS];
    pthread_t thread;

    open_scene();
    shuffle(false);
    for (size_t i = 0; i < KINDS; i++)
        if (fast_request(fast, all_kinds[i], &fields[i]))
            die("no such field");
    if (pthread_create(&thread, NULL, keep_writing, NULL))
        die("cannot start a thread");
    for (uint32_t i = 0; i < VISITS; i++)
        run_event(i, fields, KINDS);
    forbid_system_calls();
    counting = true;
    for (uint32_t i = 0; i < EVENTS; i++)
        run_event(i, fields, KINDS);
    counting = false;
    if (write(result, &allocations, sizeof(allocations)) != sizeof(allocations))
        _exit(1);
    _exit(0);
}

static void bench_event_path(void)
{
    int status, pipes[2];
    uint64_t count = 0;
    pid_t child;

    if (pipe(pipes) < 0)
        die("no pipe");
    child = fork();
    if (child == 0)
        event_path_child(pipes[1]);
    close(pipes[1]);
    if (read(pipes[0], &count, sizeof(count)) != sizeof(count))
        count = UINT64_MAX;
    close(pipes[0]);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        die("cannot run a child");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        fprintf(stderr, "# event_path_syscalls: the filter killed the event thread\n");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("the event path ended badly");
    bench_value("event_path_syscalls", WIFSIGNALED(status) ? 1 : 0, "calls");
    if (!WIFSIGNALED(status))
        bench_value("event_path_allocations", (double)count, "calls");
}

// --- the file ------------------------------------------------------------------------------------

static double ask_shell(const char *command)
{
    FILE *f = popen(command, "re");
    double value = -1;

    if (!f || fscanf(f, "%lf", &value) != 1)
        die(command);
    pclose(f);
    return value;
}

static void bench_file(void)
{
    bench_value("plugin_so_bytes",
                ask_shell("strip -o " TEST_BUILD "/bench/stripped.so " PLUGIN
                          " && stat -c %s " TEST_BUILD "/bench/stripped.so"),
                "bytes");
    bench_value("plugin_glibc_minor",
                ask_shell("objdump -T " PLUGIN " | grep -o 'GLIBC_2\\.[0-9]*' | sort -t. -k2 -n | "
                          "tail -1 | cut -d. -f2"),
                "minor");
    if (ask_shell("readelf -d " PLUGIN " | grep NEEDED | grep -vc 'libc\\.so\\.6' || true") > 0)
        die("the plugin needs more than libc");
}

int main(void)
{
    make_events();
    make_folder();
    bench_event_path();
    remove_folder();
    make_folder();
    open_scene();
    bench_extract();
    bench_parse();
    close_scene();
    remove_folder();
    bench_file();
    return 0;
}
