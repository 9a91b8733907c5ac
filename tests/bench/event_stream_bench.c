// SPDX-License-Identifier: Apache-2.0
// The plugin's figures over a day's events: what it adds to the average event of a busy host, to a
// capture that opens, and to a host that loads it.
//
// The stream: 70 % system calls that nobody parses, 25 % clone, exec and exit, 5 % others that are
// parsed; 1,000 threads in 200 containers, every tenth the host's; six fields of every tenth event.
// The tables behind it are the plugin host's preallocated ones; what they and the loop cost is
// measured by making the same operations without the plugin, and subtracted. What is timed is the
// thread's own time: other loads of the machine are nobody's cost.
#include "bench/bench.h"
#include "host/fast.h"
#include "host/host.h"
#include "unit/support/sample_record.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTAINERS     200u
#define THREADS        1000u
#define FIRST_TID      10000
#define EVENTS         200000u // per run
#define FIELDS         6u
#define OPEN_PROCESSES 4000u
#define OPEN_THREADS   5u // of each
#define PLUGIN         TEST_BUILD "/libcontainer.so"

static char folder[sizeof("/dev/shm/cmeta-stream-XXXXXX")];
static struct cmeta_writer *writer;
static struct host *host;
static struct fast *fast;

static void die(const char *what)
{
    fprintf(stderr, "event_stream_bench: %s\n", what);
    exit(1);
}

static uint64_t own_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

// --- the scene -----------------------------------------------------------------------------------

static void make_folder(void)
{
    strcpy(folder, "/dev/shm/cmeta-stream-XXXXXX");
    if (!mkdtemp(folder))
        die("cannot make a folder");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_region(void)
{
    struct cmeta_writer_options options = {.drain_ns = 1, .grace_ns = 1, .gid = -1};

    writer = sample_writer(folder, &options);
}

static void put(unsigned n, unsigned version)
{
    if (sample_put(writer, n, version) < 0)
        die("cannot publish");
}

static const char *config(void)
{
    static char text[128];

    snprintf(text, sizeof(text), "{\"region\":\"%s\",\"log_level\":\"error\"}", folder);
    return text;
}

static const char *path_of(unsigned thread)
{
    static char path[128];
    char id[65];

    sample_id(thread % CONTAINERS, id);
    if (thread % 10 == 9)
        snprintf(path, sizeof(path), "/system.slice/unit-%u.service", thread);
    else
        snprintf(path, sizeof(path), "/system.slice/docker-%s.scope", id);
    return path;
}

static void add_threads(unsigned count, unsigned of_each)
{
    for (unsigned n = 0; n < count; n++)
        for (unsigned i = 0; i < of_each; i++) {
            int64_t pid = FIRST_TID + n * of_each;
            char rows[512];

            snprintf(rows, sizeof(rows), "cpu=%s\nmemory=%s", path_of(n), path_of(n));
            thread_set_int(host_thread_add(host, pid + i, pid, "app", rows), THREAD_PTID, 1);
        }
}

static void load(void)
{
    host = host_new();
    if (host_load(host, PLUGIN, config()))
        die(host_refusal(host));
}

static void open_scene(void)
{
    make_region();
    for (unsigned n = 0; n < CONTAINERS; n++)
        put(n, 0);
    load();
    add_threads(THREADS, 1);
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
    writer = cmeta_writer_free(writer);
}

// --- the stream ----------------------------------------------------------------------------------

enum kind { KIND_PLAIN, KIND_CLONE, KIND_EXEC, KIND_EXIT, KIND_OTHER, KINDS };

static struct falco_event *events[KINDS][THREADS];
static struct fast_trace *traces[KINDS][THREADS], *extractions[THREADS];

struct step {
    uint16_t thread;
    uint8_t kind;
    bool extract;
};
static struct step steps[EVENTS];
static struct falco_extract_field requests[FIELDS];
static uint64_t evtnum;

// cpuset and io as where they aren't delegated; the others in the container's own cgroup.
static void make_events(unsigned n)
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
    events[KIND_PLAIN][n] = event_any((uint64_t)tid, 1000);
    events[KIND_CLONE][n] = event_clone(FALCO_EVENT_CLONE_EXIT, (uint64_t)tid, 1000, &p);
    events[KIND_EXEC][n] = event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 1000, &p);
    events[KIND_EXIT][n] = event_procexit((uint64_t)tid, 1000);
    events[KIND_OTHER][n] = event_async("not_ours", "", 1, 1000);
}

static void make_stream(void)
{
    uint64_t x = 88172645463325252u;

    for (unsigned n = 0; n < THREADS; n++)
        make_events(n);
    for (uint32_t i = 0; i < EVENTS; i++) {
        unsigned percent;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        percent = (unsigned)(x >> 40) % 100;
        steps[i] = (struct step){.thread = (uint16_t)((x >> 20) % THREADS),
                                 .kind = percent < 70   ? KIND_PLAIN
                                         : percent < 79 ? KIND_CLONE
                                         : percent < 87 ? KIND_EXEC
                                         : percent < 95 ? KIND_EXIT
                                                        : KIND_OTHER,
                                 .extract = (x >> 50) % 10 == 0};
    }
}

static void ask_fields(void)
{
    static const char *const names[FIELDS] = {
        "container.id",        "container.name", "container.image.repository",
        "container.image.tag", "k8s.pod.name",   "k8s.ns.name"};

    for (unsigned i = 0; i < FIELDS; i++)
        if (fast_request(fast, names[i], &requests[i]))
            die("no such field");
}

// What the host does with a thread that begins: its dynamic fields are as of a new one.
static void renew(unsigned thread)
{
    static uint32_t fields[3];
    struct threads *threads = host_instance(host)->threads;
    struct thread *t = threads_find(threads, FIRST_TID + thread);

    if (!fields[0]) {
        fields[0] = threads_field(threads, TABLE_THREADS, "cmeta_ref")->index;
        fields[1] = threads_field(threads, TABLE_THREADS, "category")->index;
        fields[2] = threads_field(threads, TABLE_THREADS, "container_id")->index;
    }
    thread_set_int(t, fields[0], 0);
    thread_set_int(t, fields[1], 0);
    thread_set_string(t, fields[2], "", 0);
}

static void play_step(const struct step *step)
{
    struct falco_event_input in = {
        .evt = events[step->kind][step->thread], .evtnum = ++evtnum, .evtsrc = "syscall"};

    if (step->kind == KIND_CLONE)
        renew(step->thread);
    if (step->kind != KIND_PLAIN)
        fast_parse(fast, &in);
    if (!step->extract)
        return;
    for (unsigned i = 0; i < FIELDS; i++) { // as libsinsp does: one field in a call
        fast_extract(fast, &in, &requests[i], 1);
        bench_keep(requests[i].res_len);
    }
}

static void play_all(void)
{
    for (uint32_t i = 0; i < EVENTS; i++)
        play_step(&steps[i]);
}

static double play(void)
{
    uint64_t start = own_ns();

    play_all();
    return (double)(own_ns() - start) / EVENTS;
}

// --- what it adds to an event --------------------------------------------------------------------

static void make_traces(void)
{
    for (unsigned n = 0; n < THREADS; n++) {
        for (unsigned kind = KIND_CLONE; kind < KINDS; kind++) {
            struct falco_event_input in = {events[kind][n], ++evtnum, "syscall"};

            if (kind == KIND_CLONE)
                renew(n);
            traces[kind][n] = fast_trace_parse(fast, &in);
        }
        extractions[n] = fast_trace_extract(
            fast, &(struct falco_event_input){events[KIND_PLAIN][n], ++evtnum, "syscall"},
            &requests[0], 1);
    }
}

static double replay(void)
{
    uint64_t start = own_ns();

    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct step *step = &steps[i];

        if (step->kind == KIND_CLONE)
            renew(step->thread);
        if (step->kind != KIND_PLAIN)
            fast_trace_replay(traces[step->kind][step->thread]);
        if (step->extract && step->kind != KIND_OTHER)
            fast_trace_replay(extractions[step->thread]);
    }
    return (double)(own_ns() - start) / EVENTS;
}

static void bench_stream(void)
{
    double added[BENCH_RUNS], tables[BENCH_RUNS];

    make_folder();
    open_scene();
    ask_fields();
    play();
    make_traces();
    replay();
    for (unsigned r = 0; r < BENCH_RUNS; r++) {
        double whole = play();

        tables[r] = replay();
        added[r] = whole - tables[r];
    }
    bench_report("event_stream_ns_per_event", added, BENCH_RUNS, "ns");
    bench_report("event_stream_host_cost_ns", tables, BENCH_RUNS, "ns");
    for (unsigned n = 0; n < THREADS; n++) {
        for (unsigned kind = KIND_CLONE; kind < KINDS; kind++)
            fast_trace_free(traces[kind][n]);
        fast_trace_free(extractions[n]);
    }
    close_scene();
    remove_folder();
}

// --- children: each in a process of its own ------------------------------------------------------

// Runs `child`, which writes a number into the pipe. Return: the number; -1 if SIGSYS killed it.
static double in_child(void (*child)(int result))
{
    int status, pipes[2];
    double value = 0;
    bool got;
    pid_t pid;

    make_folder();
    if (pipe(pipes) < 0)
        die("no pipe");
    pid = fork();
    if (pid == 0)
        child(pipes[1]);
    close(pipes[1]);
    got = read(pipes[0], &value, sizeof(value)) == sizeof(value);
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        die("cannot run a child");
    remove_folder();
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return -1;
    if (!got || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("a child ended badly");
    return value;
}

static void tell(int result, double value)
{
    _exit(write(result, &value, sizeof(value)) == sizeof(value) ? 0 : 1);
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

static void stream_child(int result)
{
    open_scene();
    ask_fields();
    play_all();
    forbid_system_calls();
    for (unsigned r = 0; r < 5; r++)
        play_all();
    tell(result, 0);
}

// --- opening, loading ----------------------------------------------------------------------------

static double open_capture(void)
{
    struct threads *threads = host_instance(host)->threads;
    struct falco_listen_input in = {
        .owner = host_instance(host)->owner,
        .reader_ext = (struct falco_table_reader *)(uintptr_t)&fast_reader,
        .writer_ext = (struct falco_table_writer *)(uintptr_t)&fast_writer};
    uint32_t ref = threads_field(threads, TABLE_THREADS, "cmeta_ref")->index;
    uint64_t start;

    for (size_t i = 0; i < threads_count(threads); i++)
        thread_set_int(threads_at(threads, i), ref, 0);
    start = own_ns();
    host_plugin(host)->sym.capture_open(host_instance(host)->state, &in);
    return (double)(own_ns() - start) / 1000 / (double)threads_count(threads);
}

static void bench_open(void)
{
    double us[BENCH_RUNS];

    make_folder();
    make_region();
    for (unsigned n = 0; n < CONTAINERS; n++)
        put(n, 0);
    load();
    add_threads(OPEN_PROCESSES, OPEN_THREADS);
    if (host_open_live(host))
        die(host_refusal(host));
    fast = fast_new(host_instance(host));
    for (unsigned r = 0; r < BENCH_RUNS; r++)
        us[r] = open_capture();
    bench_report("capture_open_threads_us_per_thread", us, BENCH_RUNS, "us");
    close_scene();
    remove_folder();
}

// init, and the handler by which a live capture begins: there the region is mapped.
static double init_once(void)
{
    uint64_t start, us;

    host = host_new();
    if (host_load_only(host, PLUGIN))
        die(host_refusal(host));
    start = bench_now_ns();
    if (host_init(host, config()))
        die(host_refusal(host));
    instance_set_handler(host_instance(host), true);
    us = (bench_now_ns() - start) / 1000;
    instance_set_handler(host_instance(host), false);
    host_free(host);
    return (double)us;
}

static double bench_init_with(const char *name)
{
    double us[BENCH_RUNS];

    for (unsigned r = 0; r < BENCH_RUNS; r++)
        us[r] = init_once();
    bench_report(name, us, BENCH_RUNS, "us");
    return us[BENCH_RUNS / 2];
}

// The lock of the folder, held by nobody who would do anything: a daemon that hangs.
static int hold_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/" CMETA_LOCK_NAME, folder);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
        die("cannot take the lock");
    return fd;
}

static void bench_init(void)
{
    double none, hung, dead, most;
    int lock;

    make_folder();
    none = bench_init_with("plugin_init_no_daemon_us");
    make_region();
    for (unsigned n = 0; n < CONTAINERS; n++)
        put(n, 0);
    lock = hold_lock();
    hung = bench_init_with("plugin_init_hung_daemon_us");
    close(lock);
    writer = cmeta_writer_free(writer);
    dead = bench_init_with("plugin_init_dead_region_us");
    most = none > hung ? none : hung;
    bench_value("plugin_init_us", most > dead ? most : dead, "us");
    remove_folder();
}

// --- replacements --------------------------------------------------------------------------------

static atomic_bool stop_replacing;

static void *keep_replacing(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop_replacing)) // pairs with the store in lost_lookups()
        if (cmeta_writer_replace(writer) < 0)
            die("cannot replace the region");
    return NULL;
}

static double swaps(void)
{
    return host_metric(host, "region_swaps");
}

// Names asked for in each of 200 containers, over and over, while regions come and go.
static void lost_lookups(void)
{
    const double enough = 1000;
    struct falco_extract_field name;
    uint64_t asked = 0, lost = 0;
    pthread_t thread;

    make_folder();
    open_scene();
    if (fast_request(fast, "container.name", &name) ||
        pthread_create(&thread, NULL, keep_replacing, NULL))
        die("cannot start replacing");
    for (uint32_t i = 0; i % 4096 || swaps() < enough; i++) {
        unsigned n = i % THREADS;
        struct falco_event_input in = {events[KIND_PLAIN][n], ++evtnum, "syscall"};

        if (i % 7 == 0) {
            struct falco_event_input parsed = {events[KIND_EXEC][n], ++evtnum, "syscall"};

            fast_parse(fast, &parsed);
        }
        fast_extract(fast, &in, &name, 1);
        asked++;
        lost += name.res_len == 0;
    }
    atomic_store(&stop_replacing, true); // pairs with the load in keep_replacing()
    pthread_join(thread, NULL);
    fprintf(stderr, "# remap_gap_lookups_lost: of %llu, over %.0f replacements in use\n",
            (unsigned long long)asked, swaps());
    bench_value("remap_gap_lookups_lost", (double)lost, "lookups");
    close_scene();
    remove_folder();
}

int main(void)
{
    double value;

    make_stream();
    bench_stream();
    value = in_child(stream_child);
    if (value < 0)
        fprintf(stderr, "# event_stream_syscalls: the filter killed the event thread\n");
    bench_value("event_stream_syscalls", value < 0 ? 1 : 0, "calls");
    bench_open();
    bench_init();
    lost_lookups();
    return 0;
}
