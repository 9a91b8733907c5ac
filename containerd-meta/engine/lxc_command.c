// SPDX-License-Identifier: Apache-2.0
#include "lxc_command.h"

#include "containerd-meta/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// As the monitor's C structs lie in memory; the pointers mean nothing on the other side, but for
// answers that fit into one.
struct request {
    int32_t command;
    int32_t data_len;
    uintptr_t data;
};

struct reply {
    int32_t result;
    int32_t data_len;
    uintptr_t data;
};

struct lxc_command {
    sd_event_source *io, *deadline;
    int fd;
    union {
        struct reply reply;
        char bytes[sizeof(struct reply) + LXC_TEXT_MAX + 1];
    } in;
    size_t used;
    void (*done)(void *userdata, const struct lxc_answer *answer);
    void *userdata;
};

// --- the address ---------------------------------------------------------------------------------

static uint64_t fnv(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

// A name that is too long is hashed; liblxc keeps two bytes of an address to itself.
static int make_address(struct sockaddr_un *address, socklen_t *len, const char *lxcpath,
                        const char *name)
{
    char *out = address->sun_path + 1;
    const size_t size = sizeof(address->sun_path) - 2;
    CLEANUP(freep)
    char *whole = NULL;
    int n;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    n = asprintf(&whole, "%s/%s", lxcpath, name);
    if (n < 0) {
        whole = NULL;
        return -ENOMEM;
    }
    n = snprintf(out, size, "%s/command", whole);
    if ((size_t)n >= size)
        n = snprintf(out, size, "lxc/%016" PRIx64 "/command", fnv(whole));
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return 0;
}

// --- the talk ------------------------------------------------------------------------------------

struct lxc_command *lxc_command_cancel(struct lxc_command *command)
{
    if (!command)
        return NULL;
    sd_event_source_disable_unref(command->io);
    sd_event_source_disable_unref(command->deadline);
    if (command->fd >= 0)
        close(command->fd);
    free(command);
    return NULL;
}

static void finish(struct lxc_command *command, int error)
{
    struct lxc_answer answer = {.error = error};
    void (*done)(void *userdata, const struct lxc_answer *answer) = command->done;
    void *userdata = command->userdata;

    if (!error) {
        answer.value = (int64_t)command->in.reply.data;
        command->in.bytes[command->used] = '\0';
        answer.text = command->in.bytes + sizeof(struct reply);
    }
    sd_event_source_set_enabled(command->io, SD_EVENT_OFF);
    if (command->deadline)
        sd_event_source_set_enabled(command->deadline, SD_EVENT_OFF);
    done(userdata, &answer); // the text lives in what is freed now
    lxc_command_cancel(command);
}

// How many bytes the whole answer has, as far as it is read. 0: it makes no sense.
static size_t wanted(const struct lxc_command *command)
{
    int32_t data_len = command->in.reply.data_len;

    if (command->used < sizeof(struct reply))
        return sizeof(struct reply);
    if (command->in.reply.result < 0 || data_len < 0 || (uint32_t)data_len > LXC_TEXT_MAX)
        return 0;
    return sizeof(struct reply) + (uint32_t)data_len;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct lxc_command *command = userdata;
    size_t size = wanted(command);
    ssize_t n = recv(fd, command->in.bytes + command->used, size - command->used, MSG_DONTWAIT);

    (void)source;
    (void)revents;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        finish(command, -EPROTO);
        return 0;
    }
    command->used += (size_t)n;
    size = wanted(command);
    if (size == 0)
        finish(command, -EPROTO);
    else if (command->used == size)
        finish(command, 0);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    finish(userdata, -ETIMEDOUT);
    return 0;
}

static int check_peer(int fd, uid_t owner)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == owner ? 0 : -EPERM;
}

// The monitor wants to know who asks.
static int send_question(int fd, enum lxc_question question)
{
    struct request request = {.command = (int32_t)question};
    struct ucred self = {.pid = getpid(), .uid = geteuid(), .gid = getegid()};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control = {0};
    struct iovec part = {&request, sizeof(request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    ssize_t n;

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(self));
    memcpy(CMSG_DATA(header), &self, sizeof(self));
    n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    return n == (ssize_t)sizeof(request) ? 0 : -EPROTO;
}

static int open_talk(struct lxc_command *command, const char *lxcpath, const char *name,
                     uid_t owner, enum lxc_question question)
{
    struct sockaddr_un address;
    socklen_t len;
    int r = make_address(&address, &len, lxcpath, name);

    if (r < 0)
        return r;
    command->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // A queue that is full says EAGAIN; it isn't waited for.
    if (command->fd < 0 || connect(command->fd, (struct sockaddr *)&address, len) < 0)
        return -errno;
    r = check_peer(command->fd, owner);
    return r < 0 ? r : send_question(command->fd, question);
}

int lxc_command_ask(sd_event *event, const char *lxcpath, const char *name, uid_t owner,
                    unsigned timeout_ms, enum lxc_question question,
                    void (*done)(void *userdata, const struct lxc_answer *answer), void *userdata,
                    struct lxc_command **out)
{
    struct lxc_command *command = calloc(1, sizeof(*command));
    int r;

    if (!command)
        return -ENOMEM;
    command->fd = -1;
    command->done = done;
    command->userdata = userdata;
    r = open_talk(command, lxcpath, name, owner, question);
    if (r >= 0)
        r = sd_event_add_io(event, &command->io, command->fd, EPOLLIN, on_answer, command);
    if (r >= 0 && timeout_ms)
        r = sd_event_add_time_relative(event, &command->deadline, CLOCK_MONOTONIC,
                                       timeout_ms * UINT64_C(1000), 0, on_deadline, command);
    if (r < 0) {
        lxc_command_cancel(command);
        return r;
    }
    *out = command;
    return 0;
}
