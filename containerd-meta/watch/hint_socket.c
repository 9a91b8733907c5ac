// SPDX-License-Identifier: Apache-2.0
#include "hint_socket.h"

#include "containerd-meta/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SLICE 32u // datagrams in one round of the loop

struct hint_socket {
    struct sockaddr_un address;
    int fd;
    sd_event_source *io;
    void (*on_hint)(void *userdata, const struct cmeta_hint *hint);
    void *userdata;
};

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct hint_socket *own = userdata;
    struct cmeta_hint hint;

    (void)source;
    (void)revents;
    for (unsigned i = 0; i < SLICE; i++) {
        ssize_t len = recv(fd, &hint, sizeof(hint), MSG_DONTWAIT | MSG_TRUNC);

        if (len < 0)
            break;
        own->on_hint(own->userdata, cmeta_hint_check(&hint, (size_t)len) ? &hint : NULL);
    }
    return 0;
}

// Nobody can write to it before it has its mode: it is made for the owner alone.
static int make(struct hint_socket *own, int gid)
{
    const char *path = own->address.sun_path;
    mode_t mask;
    int r;

    own->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (own->fd < 0)
        return -errno;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    mask = umask(0177);
    r = bind(own->fd, (const struct sockaddr *)&own->address, sizeof(own->address));
    r = r < 0 ? -errno : 0;
    umask(mask);
    if (r == 0 && gid >= 0 && lchown(path, (uid_t)-1, (gid_t)gid) < 0)
        r = -errno;
    if (r == 0 && chmod(path, 0660) < 0)
        r = -errno;
    return r;
}

int hint_socket_new(sd_event *event, const char *dir, int gid,
                    void (*on_hint)(void *userdata, const struct cmeta_hint *hint), void *userdata,
                    struct hint_socket **out)
{
    struct hint_socket *own = calloc(1, sizeof(*own));
    int r = 0;

    if (!own)
        return -ENOMEM;
    own->fd = -1;
    own->on_hint = on_hint;
    own->userdata = userdata;
    own->address.sun_family = AF_UNIX;
    if (snprintf(own->address.sun_path, sizeof(own->address.sun_path), "%s/%s", dir,
                 CMETA_HINT_NAME) >= (int)sizeof(own->address.sun_path))
        r = -ENAMETOOLONG;
    if (r == 0)
        r = make(own, gid);
    if (r == 0)
        r = sd_event_add_io(event, &own->io, own->fd, EPOLLIN, on_io, own);
    if (r < 0) {
        hint_socket_free(own);
        return r;
    }
    *out = own;
    return 0;
}

struct hint_socket *hint_socket_free(struct hint_socket *own)
{
    if (!own)
        return NULL;
    sd_event_source_disable_unref(own->io);
    if (own->io)
        unlink(own->address.sun_path);
    closep(&own->fd);
    free(own);
    return NULL;
}
