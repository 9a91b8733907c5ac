// SPDX-License-Identifier: Apache-2.0
// The daemon as a program: its command line, what it tells systemd, reload, and its end.
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM TEST_BUILD "/containerd-meta"

struct run {
    struct temp_dir dir;
    char region[96], config[96], notify_path[96], log[96];
    int notify;
    pid_t pid;
    char told[8192]; // everything that systemd was told
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *read_file(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "re");
    size_t len;

    ck_assert_ptr_nonnull(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void prepare(struct run *run)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *run = (struct run){0};
    temp_dir_make(&run->dir);
    snprintf(run->region, sizeof(run->region), "%s/region", run->dir.path);
    snprintf(run->config, sizeof(run->config), "%s/config.yaml", run->dir.path);
    snprintf(run->log, sizeof(run->log), "%s/log", run->dir.path);
    snprintf(run->notify_path, sizeof(run->notify_path), "%s/notify", run->dir.path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", run->notify_path);
    run->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(run->notify, 0);
    ck_assert_int_eq(bind(run->notify, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void start(struct run *run, const char *const *arguments)
{
    const char *argv[16] = {PROGRAM};

    for (int i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0) {
        char pid[16];
        int log = open(run->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("NOTIFY_SOCKET", run->notify_path, 1);
        setenv("WATCHDOG_USEC", "400000", 1);
        setenv("WATCHDOG_PID", pid, 1);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execv(PROGRAM, (char *const *)argv);
        _exit(127);
    }
}

// Until systemd was told something; 10 s at most.
static void wait_told(struct run *run, const char *what)
{
    for (int i = 0; i < 1000 && !strstr(run->told, what); i++) {
        struct pollfd fd = {.fd = run->notify, .events = POLLIN};
        size_t used = strlen(run->told);
        ssize_t len;

        ck_assert_msg(poll(&fd, 1, 10000) == 1, "never told: %s; told: %s; log: %s", what,
                      run->told, read_file(run->log));
        if (used > sizeof(run->told) / 2)
            used = 0;
        len = recv(run->notify, run->told + used, sizeof(run->told) - used - 2, 0);
        ck_assert_int_gt(len, 0);
        run->told[used + (size_t)len] = '\n';
        run->told[used + (size_t)len + 1] = '\0';
    }
    ck_assert_msg(strstr(run->told, what) != NULL, "told: %s", run->told);
}

static int wait_end(struct run *run)
{
    int status;

    ck_assert_int_eq(waitpid(run->pid, &status, 0), run->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void done(struct run *run)
{
    close(run->notify);
    temp_dir_remove(&run->dir);
}

static uint64_t counter(struct run *run, const char *name)
{
    struct cmeta_counter value;
    struct cmeta_region region;
    uint64_t result = UINT64_MAX;

    ck_assert_int_eq(cmeta_region_map(run->region, &region), 0);
    for (uint32_t i = 0; cmeta_reader_counter(&region, i, &value); i++)
        if (strcmp(value.name, name) == 0)
            result = value.value;
    cmeta_region_unmap(&region);
    return result;
}

START_TEST(systemd_is_told_of_readiness_life_and_end)
{
    struct run run;

    prepare(&run);
    write_file(run.config, "engines: {docker: {enabled: true, sockets: [/nonexistent/x.sock]}, "
                           "containerd: {enabled: false}, cri: {enabled: false}}\n");
    start(&run, (const char *[]){"-r", run.region, "-c", run.config, NULL});
    wait_told(&run, "READY=1");
    wait_told(&run, "STATUS=0 containers, 0 incomplete; docker /nonexistent/x.sock waiting");
    wait_told(&run, "WATCHDOG=1");
    kill(run.pid, SIGTERM);
    wait_told(&run, "STOPPING=1");
    ck_assert_int_eq(wait_end(&run), 0);
    ck_assert_int_eq(cmeta_daemon_alive(run.region), 0); // and the region stays
    done(&run);
}
END_TEST

START_TEST(a_bad_reload_leaves_the_running_configuration_in_force)
{
    struct run run;
    struct cmeta_region region;
    struct cmeta_engine_row row;

    prepare(&run);
    write_file(run.config, "engines: {docker: {enabled: true, sockets: [/nonexistent/x.sock]}, "
                           "containerd: {enabled: false}, cri: {enabled: false}}\n");
    start(&run, (const char *[]){"-r", run.region, "-c", run.config, NULL});
    wait_told(&run, "READY=1");
    *run.told = '\0';
    write_file(run.config, "engines: {docker: {enabled: maybe}}\n");
    kill(run.pid, SIGHUP);
    wait_told(&run, "READY=1");
    ck_assert_ptr_nonnull(strstr(run.told, "RELOADING=1"));
    ck_assert_uint_eq(counter(&run, "config_reload_errors_total"), 1);
    ck_assert_ptr_nonnull(strstr(read_file(run.log), "config.yaml:1: engines.docker.enabled"));
    ck_assert_int_eq(cmeta_region_map(run.region, &region), 0);
    ck_assert_int_eq(cmeta_reader_engine(&region, 0, &row), 1);
    ck_assert_str_eq(row.socket, "/nonexistent/x.sock");
    cmeta_region_unmap(&region);
    *run.told = '\0';
    write_file(run.config, "grace: 5s\nengines: {docker: {enabled: false}}\n");
    kill(run.pid, SIGHUP);
    wait_told(&run, "READY=1");
    ck_assert_uint_eq(counter(&run, "config_reloads_total"), 1);
    kill(run.pid, SIGINT);
    ck_assert_int_eq(wait_end(&run), 0);
    done(&run);
}
END_TEST

START_TEST(mistakes_on_the_command_line_and_in_the_file_end_with_status_2)
{
    static const struct {
        const char *arguments[4];
        const char *said;
    } cases[] = {{{"--nonsense", NULL}, "Try --help"},
                 {{"--socket", "docker", NULL}, "expected ENGINE=/ABSOLUTE/PATH"},
                 {{"--socket", "dockr=/x", NULL}, "no engine is called \"dockr\""},
                 {{"--region", "here", NULL}, "expected an absolute path"},
                 {{"--log-level", "loud", NULL}, "expected error, warn"},
                 {{"more", NULL}, "unexpected argument: more"},
                 {{"--config", "/nonexistent.yaml", NULL}, "/nonexistent.yaml: can't be read"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct run run;

        prepare(&run);
        start(&run, cases[i].arguments);
        ck_assert_int_eq(wait_end(&run), 2);
        ck_assert_msg(strstr(read_file(run.log), cases[i].said) != NULL, "%s", read_file(run.log));
        done(&run);
    }
}
END_TEST

START_TEST(a_configuration_can_be_checked_without_running)
{
    struct run run;

    prepare(&run);
    write_file(run.config, "grace: 5s\n");
    start(&run, (const char *[]){"-c", run.config, "--check-config", NULL});
    ck_assert_int_eq(wait_end(&run), 0);
    write_file(run.config, "grace: soon\n");
    start(&run, (const char *[]){"-c", run.config, "--check-config", NULL});
    ck_assert_int_eq(wait_end(&run), 2);
    ck_assert_ptr_nonnull(strstr(read_file(run.log), "config.yaml:1: grace: expected a duration"));
    done(&run);
}
END_TEST

START_TEST(version_and_help)
{
    struct run run;

    prepare(&run);
    start(&run, (const char *[]){"--version", NULL});
    ck_assert_int_eq(wait_end(&run), 0);
    ck_assert_str_eq(read_file(run.log), "containerd-meta " CMETA_VERSION "\n");
    start(&run, (const char *[]){"--help", NULL});
    ck_assert_int_eq(wait_end(&run), 0);
    ck_assert_ptr_nonnull(strstr(read_file(run.log), "--check-config"));
    done(&run);
}
END_TEST

START_TEST(a_pipe_in_the_configurations_place_does_not_block_a_reload)
{
    struct run run;

    prepare(&run);
    write_file(run.config, "engines: {docker: {enabled: false}, containerd: {enabled: false}, cri: "
                           "{enabled: false}}\n");
    start(&run, (const char *[]){"-r", run.region, "-c", run.config, NULL});
    wait_told(&run, "READY=1");
    *run.told = '\0';
    ck_assert_int_eq(unlink(run.config), 0);
    ck_assert_int_eq(mkfifo(run.config, 0600), 0);
    kill(run.pid, SIGHUP);
    wait_told(&run, "READY=1");
    ck_assert_ptr_nonnull(strstr(read_file(run.log), "not a regular file"));
    kill(run.pid, SIGTERM);
    ck_assert_int_eq(wait_end(&run), 0);
    done(&run);
}
END_TEST

START_TEST(a_standby_takes_over_with_the_configuration_of_then)
{
    struct run first, second;
    struct cmeta_region region;
    uint64_t grace;

    prepare(&first);
    write_file(first.config, "grace: 60s\nengines: {docker: {enabled: false}, containerd: "
                             "{enabled: false}, cri: {enabled: false}}\n");
    start(&first, (const char *[]){"-r", first.region, "-c", first.config, NULL});
    wait_told(&first, "READY=1");
    prepare(&second);
    start(&second, (const char *[]){"-r", first.region, "-c", first.config, NULL});
    wait_told(&second, "STATUS=standby");
    write_file(first.config, "grace: 7s\nengines: {docker: {enabled: false}, containerd: {enabled: "
                             "false}, cri: {enabled: false}}\n");
    *second.told = '\0';
    kill(first.pid, SIGKILL);
    ck_assert_int_eq(wait_end(&first), 128 + SIGKILL);
    wait_told(&second, "READY=1");
    ck_assert_int_eq(cmeta_region_map(first.region, &region), 0);
    grace = ((const struct cmeta_header *)(const void *)region.base)->grace_ns;
    ck_assert_uint_eq(grace, UINT64_C(7000000000));
    cmeta_region_unmap(&region);
    kill(second.pid, SIGTERM);
    ck_assert_int_eq(wait_end(&second), 0);
    done(&second);
    done(&first);
}
END_TEST

CHECK_MAIN("daemon", 60, systemd_is_told_of_readiness_life_and_end,
           a_bad_reload_leaves_the_running_configuration_in_force,
           mistakes_on_the_command_line_and_in_the_file_end_with_status_2,
           a_configuration_can_be_checked_without_running, version_and_help,
           a_pipe_in_the_configurations_place_does_not_block_a_reload,
           a_standby_takes_over_with_the_configuration_of_then)
