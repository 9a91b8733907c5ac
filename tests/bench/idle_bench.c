// SPDX-License-Identifier: Apache-2.0
// How often the daemon wakes up when all engines are enabled, none is there, and nothing happens.
// The host is an empty tmpfs in a mount namespace of its own, so that nobody else's files wake it.
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST    "/mnt" // where the tmpfs stands in for a host
#define SECONDS 100u

static void give_up(const char *what)
{
    fprintf(stderr, "idle_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned long switches_of(pid_t pid)
{
    unsigned long sum = 0, count;
    char path[512], line[256];
    struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks))) {
        FILE *file;

        if (entry->d_name[0] == '.')
            continue; // ".." has the status of the process
        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1)
                sum += count;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

int main(void)
{
    unsigned long before;
    FILE *config;
    int status;
    pid_t pid;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", HOST, "tmpfs", 0, "mode=755") < 0 || mkdir(HOST "/run", 0755) < 0)
        give_up("no host can be made (are you root?)");
    if (!(config = fopen(HOST "/config.yaml", "we")) || fclose(config) != 0)
        give_up(HOST "/config.yaml");
    setenv("HOST_ROOT", HOST, 1);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-c", HOST "/config.yaml", "-r",
              HOST "/run/containerd-meta", "-l", "error", NULL);
        _exit(127);
    }
    sleep(10); // a benchmark may: it begins when all is quiet
    before = switches_of(pid);
    sleep(SECONDS);
    bench_value("idle_wakeups_per_s", (double)(switches_of(pid) - before) / SECONDS, "/s");
    if (waitpid(pid, &status, WNOHANG) != 0) {
        fprintf(stderr, "idle_bench: the daemon ended\n");
        return 1;
    }
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}
