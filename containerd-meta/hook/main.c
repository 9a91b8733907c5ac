// SPDX-License-Identifier: Apache-2.0
// containerd-meta-hook: an OCI hook of the stage createRuntime. It hands the container's state,
// which its runtime writes to its stdin, to the daemon, and waits until the daemon says that the
// container's record is readable; 50 ms at most, all in all.
//
// A container starts whatever happens here: the exit status is 0, always. No daemon, a daemon that
// is stopped, full, or another one: none of them costs more than that time, most of them none.
//
// usage: containerd-meta-hook [SOCKET]   (/run/containerd-meta/hook)
#include "hook.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char state[HOOK_STATE_MAX + 1]; // one more: what is too long shows
static int64_t deadline_ms;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Whether something can be read before the time is up; an end counts.
static bool wait_for(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int64_t left = deadline_ms - now_ms();

    return left > 0 && poll(&one, 1, (int)left) == 1;
}

// Return: the length; 0: none, too long, or too late.
static size_t read_state(void)
{
    size_t len = 0;

    while (len < sizeof(state) && wait_for(STDIN_FILENO)) {
        ssize_t count = read(STDIN_FILENO, state + len, sizeof(state) - len);

        if (count < 0)
            return 0;
        if (count == 0)
            return len;
        len += (size_t)count;
    }
    return 0;
}

static bool send_state(const char *path, size_t len, int answer_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr part;
    } control = {.part = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec text = {.iov_base = state, .iov_len = len};
    struct msghdr header = {.msg_name = &address,
                            .msg_namelen = sizeof(address),
                            .msg_iov = &text,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(CMSG_DATA(&control.part), &answer_fd, sizeof(answer_fd));
    // With MSG_DONTWAIT: a daemon that is stopped has a full queue, which never empties.
    return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

int main(int argc, char **argv)
{
    int pair[2];
    size_t len;

    deadline_ms = now_ms() + HOOK_LIMIT_MS;
    len = read_state();
    if (len == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    if (!send_state(argc > 1 ? argv[1] : HOOK_DEFAULT_SOCKET, len, pair[1]))
        return 0;
    close(pair[1]); // the daemon's is the only one: when it is gone, so is the wait
    wait_for(pair[0]);
    return 0;
}
