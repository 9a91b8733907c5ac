// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/transport/folder_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MAX      UINT32_C(65536)
#define ADDRESSES_MAX 64
#define CHILDREN_MAX  64

// A file of a process, as text.
static int read_file(const char *root, pid_t pid, const char *file, char **text)
{
    char path[PATH_MAX];
    size_t len;

    if (pid <= 0)
        return -ENOENT;
    if (snprintf(path, sizeof(path), "%s/proc/%d/%s", root, (int)pid, file) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return folder_file_read(AT_FDCWD, path, false, FILE_MAX, text, &len);
}

// --- cgroups -------------------------------------------------------------------------------------

int process_container_id(const char *root, pid_t pid, enum cmeta_layout layout,
                         char id[CMETA_ID_MAX + 1])
{
    CLEANUP(freep)
    char *text = NULL;
    char *save = NULL;
    int r = read_file(root, pid, "cgroup", &text);

    if (r < 0)
        return r == -ESRCH ? -ENOENT : r;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *path = strchr(line, ':');
        struct cmeta_id_match match;

        path = path ? strchr(path + 1, ':') : NULL;
        if (!path || cmeta_container_id_match(path + 1, strlen(path + 1), CMETA_LAYOUT_BIT(layout),
                                              &match) != CMETA_STRONG)
            continue;
        memcpy(id, match.id, match.id_len);
        id[match.id_len] = '\0';
        return match.id_len;
    }
    return 0;
}

// --- the start -----------------------------------------------------------------------------------

int64_t process_started_ns(const char *root, pid_t pid, uint64_t *ticks)
{
    CLEANUP(freep)
    char *text = NULL;
    const char *at;
    unsigned long long start;
    int64_t boot_ns;

    if (read_file(root, pid, "stat", &text) < 0 || !text)
        return 0;
    at = strrchr(text, ')'); // behind the name, which may hold anything
    // The 22nd field; the name was the second.
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                      "%*d %llu",
                      &start) != 1)
        return 0;
    if (ticks)
        *ticks = start;
    boot_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME));
    return boot_ns + (int64_t)(start * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK)));
}

// --- PID namespaces ------------------------------------------------------------------------------

unsigned process_numbers(const char *status, long *own)
{
    const char *at = strstr(status, "\nNSpid:");
    unsigned count = 0;

    if (!at)
        return 0;
    at += strlen("\nNSpid:");
    while (*at == '\t' || *at == ' ') {
        char *end;
        long number = strtol(at, &end, 10);

        if (end == at)
            break;
        at = end;
        count++;
        if (own)
            *own = number;
    }
    return count;
}

static bool is_first_of_namespace(const char *root, pid_t pid)
{
    CLEANUP(freep)
    char *text = NULL;
    long own = 0;

    return read_file(root, pid, "status", &text) == 0 && text && process_numbers(text, &own) > 1 &&
           own == 1;
}

pid_t process_first_child(const char *root, pid_t parent)
{
    char file[64];
    CLEANUP(freep)
    char *text = NULL;
    char *at, *end;

    snprintf(file, sizeof(file), "task/%d/children", (int)parent);
    if (read_file(root, parent, file, &text) < 0)
        return 0;
    at = text;
    for (int i = 0; i < CHILDREN_MAX; i++, at = end) {
        long pid = strtol(at, &end, 10);

        if (end == at)
            return 0;
        if (pid > 0 && pid <= INT_MAX && is_first_of_namespace(root, (pid_t)pid))
            return (pid_t)pid;
    }
    return 0;
}

// --- addresses -----------------------------------------------------------------------------------

struct addresses {
    char text[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    int count;
};

static void add(struct addresses *addresses, const char *text)
{
    if (addresses->count == ADDRESSES_MAX)
        return;
    for (int i = 0; i < addresses->count; i++)
        if (strcmp(addresses->text[i], text) == 0)
            return;
    snprintf(addresses->text[addresses->count++], INET6_ADDRSTRLEN, "%s", text);
}

// The kernel's table of local routes: "|-- 10.0.0.5" and, on the next line, "/32 host LOCAL".
static void read_ipv4(char *trie, struct addresses *addresses)
{
    char last[INET_ADDRSTRLEN] = "", *save = NULL;
    struct in_addr address;

    for (char *line = strtok_r(trie, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *leaf = strstr(line, "|-- ");

        if (leaf)
            snprintf(last, sizeof(last), "%.15s", leaf + 4);
        else if (strstr(line, "/32 host LOCAL") && inet_pton(AF_INET, last, &address) == 1 &&
                 ntohl(address.s_addr) >> 24 != 127)
            add(addresses, last);
    }
}

// 32 hexadecimal digits, then index, prefix length, scope (0: global), flags, name.
static void read_ipv6(char *table, struct addresses *addresses)
{
    char *save = NULL;

    for (char *line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char text[INET6_ADDRSTRLEN], digits[33];
        struct in6_addr address;
        unsigned scope;

        if (sscanf(line, "%32[0-9a-f] %*x %*x %x", digits, &scope) != 2 || scope != 0 ||
            strlen(digits) != 32)
            continue;
        for (unsigned i = 0; i < 16; i++)
            address.s6_addr[i] =
                (uint8_t)strtoul((char[]){digits[2 * i], digits[2 * i + 1], 0}, NULL, 16);
        if (inet_ntop(AF_INET6, &address, text, sizeof(text)))
            add(addresses, text);
    }
}

int process_add_addresses(const char *root, pid_t pid, struct container *container)
{
    struct addresses addresses = {0};
    CLEANUP(freep)
    char *trie = NULL;
    CLEANUP(freep)
    char *table = NULL;
    int r = read_file(root, pid, "net/fib_trie", &trie);

    if (r < 0)
        return r;
    read_ipv4(trie, &addresses);
    if (read_file(root, pid, "net/if_inet6", &table) == 0) // none without IPv6
        read_ipv6(table, &addresses);
    for (int i = 0; i < addresses.count; i++)
        container_add_address(container, addresses.text[i]);
    return addresses.count;
}

// --- the end -------------------------------------------------------------------------------------

// Whether /proc below `root` numbers processes as this process sees them.
static bool is_own_numbering(const char *root, pid_t pid)
{
    uint64_t there = 0, here = 0;

    if (!*root || strcmp(root, "/") == 0)
        return true;
    process_started_ns(root, pid, &there);
    process_started_ns("", pid, &here);
    return there == here;
}

int process_watch(sd_event *event, const char *root, pid_t pid, sd_event_io_handler_t on_end,
                  void *userdata, sd_event_source **source)
{
    int fd, r;

    if (!is_own_numbering(root, pid))
        return -EXDEV;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return -errno;
    r = sd_event_add_io(event, source, fd, EPOLLIN, on_end, userdata);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(*source, true);
    if (r < 0) {
        *source = sd_event_source_disable_unref(*source);
        close(fd);
        return r;
    }
    return 0;
}
