// SPDX-License-Identifier: Apache-2.0
#include "hook_socket.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/hook/hook.h"
#include "containerd-meta/transport/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SLICE   16u // datagrams in one round of the loop
#define FDS_MAX 4u  // what is more in a datagram the kernel closes

struct hook_socket {
    const struct hook_socket_calls *calls;
    void *userdata;
    char *path;
    ino_t inode; // of the path as it was made
    int fd;
    sd_event_source *io;
    char text[HOOK_STATE_MAX + 1]; // one more: what is too long shows
};

// What comes beside the text.
struct beside {
    struct ucred sender;
    int fds[FDS_MAX];
    unsigned fds_count;
};

// --- a datagram ----------------------------------------------------------------------------------

static void take_beside(struct msghdr *header, struct beside *beside)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&beside->sender, CMSG_DATA(part), sizeof(beside->sender));
        } else if (part->cmsg_type == SCM_RIGHTS) {
            beside->fds_count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(beside->fds, CMSG_DATA(part), beside->fds_count * sizeof(int));
        }
    }
}

static bool is_ours(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

// Return: the length of the text, with one descriptor in @beside; 0: it made no sense; -1: none.
static ssize_t receive(struct hook_socket *own, struct beside *beside)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec text = {.iov_base = own->text, .iov_len = sizeof(own->text)};
    struct msghdr header = {.msg_iov = &text,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t len = recvmsg(own->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *beside = (struct beside){.sender = {.uid = (uid_t)-1}};
    if (len < 0)
        return -1;
    take_beside(&header, beside);
    if (len > 0 && len <= (ssize_t)HOOK_STATE_MAX && beside->fds_count == 1 &&
        is_ours(beside->sender.uid))
        return len;
    for (unsigned i = 0; i < beside->fds_count; i++)
        close(beside->fds[i]);
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct hook_socket *own = userdata;
    struct beside beside;
    ssize_t len;

    (void)source;
    (void)fd;
    (void)revents;
    for (unsigned i = 0; i < SLICE && (len = receive(own, &beside)) >= 0; i++)
        if (len > 0)
            own->calls->state(own->userdata, own->text, (size_t)len, beside.fds[0],
                              beside.sender.pid > 0);
        else
            own->calls->odd(own->userdata);
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

static int clear_place(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    return unlink(path) < 0 ? -errno : 0;
}

// Nobody else can write to it before it has its mode.
static int make(struct hook_socket *own)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char shorter[SOCKET_PATH_BYTES];
    CLEANUP(closep)
    int folder_fd = -1;
    struct stat st;
    mode_t mask;
    int r = socket_path_shorten(own->path, shorter, &folder_fd);

    if (r == 0)
        r = clear_place(own->path);
    if (r < 0)
        return r;
    memcpy(address.sun_path, shorter, strlen(shorter) + 1);
    own->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (own->fd < 0 || setsockopt(own->fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0)
        return -errno;
    mask = umask(0177);
    r = bind(own->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(mask);
    if (r == 0 && lstat(own->path, &st) == 0)
        own->inode = st.st_ino;
    return r;
}

int hook_socket_new(sd_event *event, const char *path, const struct hook_socket_calls *calls,
                    void *userdata, struct hook_socket **out)
{
    struct hook_socket *own = calloc(1, sizeof(*own));
    int r = -ENOMEM;

    if (!own)
        return r;
    own->fd = -1;
    own->calls = calls;
    own->userdata = userdata;
    own->path = strdup(path);
    if (own->path)
        r = make(own);
    if (r == 0)
        r = sd_event_add_io(event, &own->io, own->fd, EPOLLIN, on_io, own);
    if (r < 0) {
        hook_socket_free(own);
        return r;
    }
    *out = own;
    return 0;
}

struct hook_socket *hook_socket_free(struct hook_socket *own)
{
    struct stat st;

    if (!own)
        return NULL;
    sd_event_source_disable_unref(own->io);
    if (own->path && own->inode && lstat(own->path, &st) == 0 && st.st_ino == own->inode)
        unlink(own->path);
    closep(&own->fd);
    free(own->path);
    free(own);
    return NULL;
}

void hook_socket_answer(int answer_fd)
{
    send(answer_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(answer_fd);
}
