// SPDX-License-Identifier: Apache-2.0
// What the daemon costs: its private memory with 1,000 containers, the region apart. The daemon is
// the program itself, its engine the fake one.
#include "bench/bench.h"
#include "fake/http_engine.h"
#include "shm/reader.h"
#include "unit/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTAINERS 1000u

static struct temp_dir dir;
static char region_dir[96], socket_path[96];

static void id_of(unsigned n, char id[65])
{
    snprintf(id, 65, "%012x%052x", n + 1, n);
}

// A container as Kubernetes nodes have them: a dozen labels, four mounts, a handful of variables.
static size_t inspect_json(unsigned n, char *out, size_t size)
{
    char id[65];

    id_of(n, id);
    return (size_t)snprintf(
        out, size,
        "{\"Id\":\"%s\",\"Name\":\"/service-%u\",\"Created\":\"2026-11-22T02:15:16.500023077Z\","
        "\"State\":{\"Status\":\"running\",\"Pid\":%u,\"StartedAt\":\"2026-11-22T02:15:17Z\"},"
        "\"Image\":\"sha256:6b80\",\"Config\":{\"Image\":\"registry.example.com:5000/team/"
        "app:1.%u\","
        "\"User\":\"1000\",\"Env\":[\"A=1\",\"PATH=/bin\"],\"Labels\":{"
        "\"app\":\"shop\",\"tier\":\"backend\",\"version\":\"1.%u\",\"team\":\"payments\","
        "\"io.kubernetes.pod.name\":\"service-%u-7f9c\",\"io.kubernetes.pod.namespace\":\"prod\","
        "\"io.kubernetes.pod.uid\":\"5f0e2f3a-1111-2222-3333-%012u\",\"a\":\"b\",\"c\":\"d\"}},"
        "\"HostConfig\":{\"Privileged\":false,\"NetworkMode\":\"net\",\"Memory\":268435456},"
        "\"Mounts\":[{\"Source\":\"/var/lib/kubelet/pods/%u/volumes/data\",\"Destination\":\"/"
        "data\","
        "\"Mode\":\"\",\"RW\":true,\"Propagation\":\"rprivate\"},{\"Source\":\"/etc/hosts\","
        "\"Destination\":\"/etc/"
        "hosts\",\"Mode\":\"ro\",\"RW\":false,\"Propagation\":\"rprivate\"}],"
        "\"NetworkSettings\":{\"Networks\":{\"net\":{\"IPAddress\":\"10.42.%u.%u\"}}}}",
        id, n, 1000 + n, n, n, n, n, n, n / 250, n % 250);
}

static void fill(struct fake_http *fake)
{
    char *list = malloc(CONTAINERS * 512), body[4096], prefix[128], id[65];
    size_t used = 1;

    list[0] = '[';
    for (unsigned n = 0; n < CONTAINERS; n++) {
        id_of(n, id);
        used += (size_t)sprintf(list + used,
                                "%s{\"Id\":\"%s\",\"Names\":[\"/service-%u\"],\"Image\":\"x\","
                                "\"State\":\"running\",\"Labels\":{\"app\":\"shop\"}}",
                                n ? "," : "", id, n);
        inspect_json(n, body, sizeof(body));
        snprintf(prefix, sizeof(prefix), "/v1.41/containers/%s/json", id);
        fake_http_answer(fake, prefix, 200, body);
    }
    strcpy(list + used, "]");
    fake_http_answer(fake, "/v1.41/containers/json", 200, list);
    fake_http_answer(fake, "/v1.41/images/", 200, "{\"RepoTags\":[],\"RepoDigests\":[]}");
    fake_http_on(fake, &(struct fake_rule){.prefix = "/v1.41/events", .action = FAKE_STREAM});
    fake_http_on(fake, &(struct fake_rule){
                           .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.41\r\n"});
    free(list);
}

static unsigned complete(void)
{
    struct cmeta_region region;
    uint64_t cursor = 0;
    cmeta_handle handle;
    unsigned count = 0;
    int r;

    if (cmeta_region_map(region_dir, &region) != 0)
        return 0;
    while ((r = cmeta_reader_next(&region, &cursor, &handle)) != 0) {
        struct cmeta_view view;

        if (r == 1 && cmeta_reader_record(&region, handle, &view))
            count += (cmeta_view_known(&view) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE;
    }
    cmeta_region_unmap(&region);
    return count;
}

static bool all_complete(void *unused)
{
    (void)unused;
    usleep(10000);
    return complete() == CONTAINERS;
}

// Sums a field of smaps over all mappings but the region's.
static double smaps_kib(pid_t pid, const char *field)
{
    char path[64], line[512];
    bool region = false;
    double sum = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        unsigned long kib;

        if (line[0] >= '0' && line[0] <= '9' && strchr(line, '-'))
            region = strstr(line, "/region/table") != NULL;
        else if (line[0] >= 'a' && line[0] <= 'f' && strchr(line, '-') < strchr(line, ' '))
            region = strstr(line, "/region/table") != NULL;
        else if (!region && strncmp(line, field, strlen(field)) == 0 &&
                 sscanf(line + strlen(field), " %lu", &kib) == 1)
            sum += (double)kib;
    }
    if (file)
        fclose(file);
    return sum;
}

int main(void)
{
    char option[128];
    struct fake_http *fake;
    pid_t pid;
    int status;

    temp_dir_make(&dir);
    snprintf(region_dir, sizeof(region_dir), "%s/region", dir.path);
    snprintf(socket_path, sizeof(socket_path), "%s/docker.sock", dir.path);
    snprintf(option, sizeof(option), "docker=%s", socket_path);
    fake = fake_http_start(socket_path);
    fill(fake);
    pid = fork();
    if (pid == 0) {
        execl(TEST_BUILD "/containerd-meta", "containerd-meta", "-r", region_dir, "-s", option,
              "-l", "error", NULL);
        _exit(127);
    }
    if (!fake_http_wait(fake, all_complete, NULL, 60000)) {
        fprintf(stderr, "daemon_bench: only %u of %u containers are complete\n", complete(),
                CONTAINERS);
        return 1;
    }
    bench_value("daemon_private_dirty_1000_kib", smaps_kib(pid, "Private_Dirty:"), "KiB");
    bench_value("daemon_pss_1000_kib", smaps_kib(pid, "Pss:"), "KiB");
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    fake_http_stop(fake);
    temp_dir_remove(&dir);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}
