// SPDX-License-Identifier: Apache-2.0
// The OCI hook, from its stdin to the region: the real program, and a daemon's loop in the test's
// thread.
#include "containerd-meta/hook/hook.h"
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK   TEST_BUILD "/containerd-meta-hook"
#define API    "/v4.0.0/libpod"
#define EVENTS API "/events"
#define ID_A   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B   "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

#define SPEC(annotations)                                                                         \
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":7,\"gid\":0},\"capabilities\":{"    \
    "\"bounding\":[\"CAP_CHOWN\"]}},\"mounts\":[],\"annotations\":{" annotations "},\"linux\":{"  \
    "\"maskedPaths\":[\"/proc/kcore\"],\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"}" \
    "],\"resources\":{\"memory\":{\"limit\":67108864}}}}"
#define CRIO_SPEC                                                                     \
    SPEC("\"io.kubernetes.cri-o.ContainerType\":\"container\","                       \
         "\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"p\"," \
         "\"io.kubernetes.cri-o.Created\":\"2026-11-22T02:15:16Z\"")

// --- a hook as a runtime runs it -----------------------------------------------------------------

// The state goes in whole, and the hook is waited for. Return: its exit status; -1: it was killed.
static int run_hook(const char *socket, const void *state, size_t len)
{
    int in[2], status = 0;
    pid_t pid;

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        execl(HOOK, "containerd-meta-hook", socket, NULL);
        _exit(127);
    }
    close(in[0]);
    for (size_t at = 0; at < len;) {
        ssize_t count = write(in[1], (const char *)state + at, len - at);

        if (count <= 0)
            break; // it has gone on without the rest
        at += (size_t)count;
    }
    close(in[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct script {
    struct fixture *f;
    void (*run)(struct script *script);
    int done_fd;
    bool done;
};

static void *run_script(void *userdata)
{
    struct script *script = userdata;

    script->run(script);
    eventfd_write(script->done_fd, 1);
    return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    ((struct script *)userdata)->done = true;
    return 0;
}

// The daemon's loop, until the script has come to its end.
static void play(struct fixture *f, void (*run)(struct script *script))
{
    struct script script = {.f = f, .run = run, .done_fd = eventfd(0, EFD_CLOEXEC)};
    sd_event_source *source = NULL;
    pthread_t thread;

    ck_assert_int_ge(sd_event_add_io(f->event, &source, script.done_fd, EPOLLIN, on_done, &script),
                     0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_script, &script), 0);
    while (!script.done)
        ck_assert_int_ge(sd_event_run(f->event, UINT64_MAX), 0);
    pthread_join(thread, NULL);
    sd_event_source_disable_unref(source);
    close(script.done_fd);
}

// --- bundles -------------------------------------------------------------------------------------

static const char *bundle_of(struct fixture *f, const char *id)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/overlay-containers/%s/userdata", f->dir.path, id);
    return path;
}

static void make_bundle(struct fixture *f, const char *id, const char *spec)
{
    char path[300];
    FILE *file;

    for (const char *at = bundle_of(f, id) + strlen(f->dir.path); at; at = strchr(at + 1, '/')) {
        snprintf(path, sizeof(path), "%.*s", (int)(at - bundle_of(f, id)), bundle_of(f, id));
        mkdir(path, 0755);
    }
    mkdir(bundle_of(f, id), 0755);
    snprintf(path, sizeof(path), "%s/config.json", bundle_of(f, id));
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(spec, file);
    fclose(file);
}

static int tell_of(struct fixture *f, const char *id, int pid)
{
    char state[1024];
    int len = snprintf(state, sizeof(state),
                       "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"status\":\"created\",\"pid\":%d,"
                       "\"bundle\":\"%s\"}",
                       id, pid, bundle_of(f, id));

    return run_hook(f->hook_socket, state, (size_t)len);
}

static void begin(struct fixture *f, const char *yaml)
{
    snprintf(f->hook_socket, sizeof(f->hook_socket), "%s/hook", f->dir.path);
    fixture_run(f, yaml);
}

// --- what the daemon makes of it -----------------------------------------------------------------

static void start_one(struct script *script)
{
    ck_assert_int_eq(tell_of(script->f, ID_A, getpid()), 0);
}

START_TEST(what_the_bundle_says_is_readable_when_the_hook_has_ended)
{
    struct fixture f;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    make_bundle(&f, ID_A, CRIO_SPEC);
    play(&f, start_one);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_POD_NAME), "p");
    ck_assert(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY));
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_CRIO);
    ck_assert_uint_eq(fixture_state(&f, ID_A), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_status(&f, ID_A).pid, (uint32_t)getpid());
    fixture_remove(&f);
}
END_TEST

static void serve_inspect(struct fixture *f, unsigned delay_ms)
{
    fake_http_on(
        f->fake,
        &(struct fake_rule){
            .prefix = API "/containers/" ID_A "/json",
            .delay_ms = delay_ms,
            .body = "{\"Id\":\"" ID_A "\",\"Name\":\"web\",\"Created\":\"2026-11-22T02:15:16Z\","
                    "\"State\":{\"Status\":\"created\",\"Pid\":0},\"Image\":\"6b80\","
                    "\"ImageName\":\"reg:5000/a/b:1\",\"ImageDigest\":\"sha256:77\",\"Config\":{"
                    "\"User\":\"7\",\"Labels\":{\"app\":\"web\"}},\"HostConfig\":{\"Privileged\":"
                    "true,\"NetworkMode\":\"none\"},\"Mounts\":[],\"NetworkSettings\":{}}"});
}

// Nothing but the hook has told of it when podman is asked.
START_TEST(the_hook_waits_for_what_its_engine_knows)
{
    struct fixture f;

    fixture_make_podman(&f);
    begin(&f, "oci_hook: on\n");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fake_http_wait_streams(f.fake, EVENTS, 1, 10000));
    make_bundle(&f, ID_A, SPEC(""));
    serve_inspect(&f, 0);
    play(&f, start_one);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A)); // at once but for a machine that is busy
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert(fixture_flags(&f, ID_A) & CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_type(&f, ID_A), CMETA_TYPE_PODMAN);
    fixture_remove(&f);
}
END_TEST

START_TEST(an_engine_that_hangs_holds_no_container_up)
{
    struct fixture f;

    fixture_make_podman(&f);
    begin(&f, "oci_hook: on\n");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    make_bundle(&f, ID_A, SPEC(""));
    fake_http_on(f.fake, &(struct fake_rule){.prefix = API "/containers/" ID_A "/json",
                                             .action = FAKE_HANG});
    play(&f, start_one);
    ck_assert(fixture_has(&f, ID_A)); // as far as the bundle tells
    fixture_remove(&f);
}
END_TEST

static void start_hundreds(struct script *script)
{
    for (unsigned i = 0; i < 300; i++)
        ck_assert_int_eq(tell_of(script->f, ID_A, getpid()), 0);
}

START_TEST(hundreds_of_hooks_for_one_container_are_one_container)
{
    struct fixture f;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    make_bundle(&f, ID_A, CRIO_SPEC);
    play(&f, start_hundreds);
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

static pid_t process;

static void start_process(struct script *script)
{
    ck_assert_int_eq(tell_of(script->f, ID_A, process), 0);
}

START_TEST(a_container_goes_with_its_process)
{
    struct fixture f;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    make_bundle(&f, ID_A, CRIO_SPEC);
    process = fork();
    if (process == 0) {
        pause();
        _exit(0);
    }
    play(&f, start_process);
    ck_assert(fixture_has(&f, ID_A));
    kill(process, SIGKILL);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    waitpid(process, NULL, 0);
    fixture_remove(&f);
}
END_TEST

// --- what makes no sense -------------------------------------------------------------------------

static void tell_nonsense(struct script *script)
{
    static char large[HOOK_STATE_MAX + 100];
    const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "null",
        "\xff\xfe",
        "{\"id\":7,\"bundle\":{}}",
        "{\"id\":\"\",\"bundle\":\"/\"}",
        "{\"id\":\"" ID_B "\",\"bundle\":\"\"}",
        "{\"id\":\"" ID_B "\",\"bundle\":\"relative/" ID_B "/userdata\"}",
        "{\"id\":\"" ID_B "\",\"bundle\":\"/x/../" ID_B "/userdata\"}",
        "{\"id\":\"" ID_B "\",\"bundle\":\"/nonexistent/" ID_B "/userdata\"}",
        "{\"id\":\"" ID_B "\",\"bundle\":\"/io.containerd.runtime.v2.task/a/" ID_B "\"}",
        "{\"id\":\"userdata\",\"bundle\":\"/userdata\",\"pid\":-1}",
        "{\"id\":\"../..\",\"bundle\":\"/../..\",\"pid\":99999999999}",
        "{\"id\":\"/\",\"bundle\":\"////\"}",
    };

    memset(large, ' ', sizeof(large));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_int_eq(run_hook(script->f->hook_socket, texts[i], strlen(texts[i])), 0);
    ck_assert_int_eq(run_hook(script->f->hook_socket, large, sizeof(large)), 0);
    ck_assert_int_eq(run_hook(script->f->hook_socket, large, HOOK_STATE_MAX), 0);
}

START_TEST(states_that_make_no_sense_are_answered_and_dropped)
{
    struct fixture f;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    play(&f, tell_nonsense);
    ck_assert_uint_eq(fixture_count(&f), 0);
    ck_assert_uint_ge(fixture_counter(&f, "engine_records_skipped_total"), 10);
    fixture_remove(&f);
}
END_TEST

static void tell_of_a_pipe(struct script *script)
{
    char path[300];

    make_bundle(script->f, ID_A, "");
    snprintf(path, sizeof(path), "%s/config.json", bundle_of(script->f, ID_A));
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(tell_of(script->f, ID_A, 1), 0);
    unlink(path);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(tell_of(script->f, ID_A, 1), 0);
}

START_TEST(a_bundle_that_is_none_holds_nobody_up)
{
    struct fixture f;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    play(&f, tell_of_a_pipe);
    ck_assert_uint_eq(fixture_count(&f), 0);
    fixture_remove(&f);
}
END_TEST

// Without a descriptor to answer by, with several, with none of a socket.
static void send_datagrams(struct script *script)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), null_fd = open("/dev/null", O_RDWR);

    memcpy(address.sun_path, script->f->hook_socket, strlen(script->f->hook_socket) + 1);
    for (unsigned count = 0; count < 8; count++) {
        int fds[8] = {null_fd, null_fd, null_fd, null_fd, null_fd, null_fd, null_fd, null_fd};
        union {
            char bytes[CMSG_SPACE(sizeof(fds))];
            struct cmsghdr part;
        } control = {.part = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS}};
        struct iovec text = {.iov_base = (char[]){"{}"}, .iov_len = 2};
        struct msghdr header = {.msg_name = &address,
                                .msg_namelen = sizeof(address),
                                .msg_iov = &text,
                                .msg_iovlen = 1,
                                .msg_control = count ? control.bytes : NULL,
                                .msg_controllen = count ? CMSG_SPACE(count * sizeof(int)) : 0};

        memcpy(CMSG_DATA(&control.part), fds, count * sizeof(int));
        ck_assert_int_eq(sendmsg(fd, &header, 0), 2);
    }
    ck_assert_int_eq(tell_of(script->f, ID_A, getpid()), 0); // and comes after all of them
    close(fd);
    close(null_fd);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(datagrams_of_others_leave_nothing_behind)
{
    struct fixture f;
    unsigned before;

    fixture_make(&f);
    begin(&f, "oci_hook: on\n");
    make_bundle(&f, ID_A, CRIO_SPEC);
    play(&f, start_one); // whose process is followed from then on
    before = open_descriptors();
    for (unsigned i = 0; i < 20; i++)
        play(&f, send_datagrams);
    // Some hundreds were sent; a few of the engine's own come and go.
    ck_assert_uint_lt(open_descriptors(), before + 10);
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

// --- who isn't there -----------------------------------------------------------------------------

START_TEST(without_a_daemon_the_hook_ends_well)
{
    struct temp_dir dir;
    char path[160];
    FILE *file;

    temp_dir_make(&dir);
    snprintf(path, sizeof(path), "%s/hook", dir.path);
    ck_assert_int_eq(run_hook(path, "{}", 2), 0);
    file = fopen(path, "w"); // something else
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(run_hook(path, "{}", 2), 0);
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(run_hook(path, "{}", 2), 0);
    temp_dir_remove(&dir);
}
END_TEST

// As a daemon that is stopped: its queue fills, and stays full.
START_TEST(with_a_daemon_that_is_stopped_the_hook_ends_well)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct temp_dir dir;

    temp_dir_make(&dir);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/hook", dir.path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    for (unsigned i = 0; i < 40; i++)
        ck_assert_int_eq(run_hook(address.sun_path, "{}", 2), 0);
    close(fd);
    temp_dir_remove(&dir);
}
END_TEST

START_TEST(nobody_listens_unless_told_to)
{
    struct fixture f;
    struct stat st;

    fixture_make(&f);
    begin(&f, "");
    ck_assert_int_eq(lstat(f.hook_socket, &st), -1);
    fixture_end(&f);
    fixture_run(&f, "oci_hook: on\n");
    ck_assert_int_eq(lstat(f.hook_socket, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    fixture_remove(&f);
    ck_assert_int_eq(lstat(f.hook_socket, &st), -1);
}
END_TEST

CHECK_MAIN("hook", 60, what_the_bundle_says_is_readable_when_the_hook_has_ended,
           the_hook_waits_for_what_its_engine_knows, an_engine_that_hangs_holds_no_container_up,
           hundreds_of_hooks_for_one_container_are_one_container, a_container_goes_with_its_process,
           states_that_make_no_sense_are_answered_and_dropped,
           a_bundle_that_is_none_holds_nobody_up, datagrams_of_others_leave_nothing_behind,
           without_a_daemon_the_hook_ends_well, with_a_daemon_that_is_stopped_the_hook_ends_well,
           nobody_listens_unless_told_to)
