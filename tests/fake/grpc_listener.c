// SPDX-License-Identifier: Apache-2.0
// Of each connection a second descriptor is kept, to cut it by, until its other end is closed.
#include "grpc_listener.h"

#include "containerd-meta/transport/socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG         64
#define CONNECTIONS_MAX 1024u

struct grpc_listener {
    char *path;
    void (*accepted)(void *userdata, int fd);
    void *userdata;
    int control; // eventfd: look again
    pthread_t thread;
    pthread_mutex_t lock; // everything below
    int fd;               // -1: nobody listens
    bool accepting, stopping;
    int connections[CONNECTIONS_MAX];
    unsigned open, accepted_total;
};

static void die(const char *what)
{
    fprintf(stderr, "fake gRPC engine: %s: %s\n", what, strerror(errno));
    abort();
}

static void wake(struct grpc_listener *listener)
{
    if (eventfd_write(listener->control, 1) < 0)
        die("eventfd");
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char shorter[SOCKET_PATH_BYTES];
    int folder_fd = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || socket_path_shorten(path, shorter, &folder_fd) < 0)
        die(path);
    memcpy(address.sun_path, shorter, strlen(shorter) + 1);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        die(path);
    if (folder_fd >= 0)
        close(folder_fd);
    return fd;
}

static void accept_one(struct grpc_listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), second;

    if (fd < 0)
        return;
    second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (second < 0 || listener->open == CONNECTIONS_MAX)
        die("connections");
    listener->connections[listener->open++] = second;
    listener->accepted_total++;
    pthread_mutex_unlock(&listener->lock);
    listener->accepted(listener->userdata, fd);
    pthread_mutex_lock(&listener->lock);
}

// Those whose other end is closed.
static void drop_ended(struct grpc_listener *listener)
{
    for (unsigned i = 0; i < listener->open;) {
        struct pollfd one = {.fd = listener->connections[i]};

        if (poll(&one, 1, 0) <= 0) {
            i++;
            continue;
        }
        close(one.fd);
        listener->connections[i] = listener->connections[--listener->open];
    }
}

static void *serve(void *userdata)
{
    struct grpc_listener *listener = userdata;
    struct pollfd *polled = calloc(CONNECTIONS_MAX + 2, sizeof(*polled));
    unsigned count;
    eventfd_t value;

    if (!polled)
        die("memory");
    pthread_mutex_lock(&listener->lock);
    while (!listener->stopping) {
        polled[0] = (struct pollfd){.fd = listener->control, .events = POLLIN};
        polled[1] =
            (struct pollfd){.fd = listener->accepting ? listener->fd : -1, .events = POLLIN};
        count = listener->open;
        for (unsigned i = 0; i < count; i++)
            polled[i + 2] = (struct pollfd){.fd = listener->connections[i]};
        pthread_mutex_unlock(&listener->lock);
        if (poll(polled, count + 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (polled[0].revents)
            eventfd_read(listener->control, &value);
        pthread_mutex_lock(&listener->lock);
        drop_ended(listener);
        if (listener->accepting && !listener->stopping && listener->fd >= 0)
            accept_one(listener);
    }
    pthread_mutex_unlock(&listener->lock);
    free(polled);
    return NULL;
}

struct grpc_listener *grpc_listener_new(const char *path, void (*accepted)(void *userdata, int fd),
                                        void *userdata)
{
    struct grpc_listener *listener = calloc(1, sizeof(*listener));
    sigset_t all, before;

    if (!listener || !(listener->path = strdup(path)))
        die("memory");
    listener->accepted = accepted;
    listener->userdata = userdata;
    listener->accepting = true;
    listener->control = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    listener->fd = listen_on(path);
    pthread_mutex_init(&listener->lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (listener->control < 0 || pthread_create(&listener->thread, NULL, serve, listener) != 0)
        die("thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return listener;
}

void grpc_listener_halt(struct grpc_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    listener->stopping = true;
    wake(listener);
    pthread_mutex_unlock(&listener->lock);
    pthread_join(listener->thread, NULL);
}

struct grpc_listener *grpc_listener_free(struct grpc_listener *listener)
{
    grpc_listener_remove(listener);
    grpc_listener_cut(listener);
    for (unsigned i = 0; i < listener->open; i++)
        close(listener->connections[i]);
    close(listener->control);
    pthread_mutex_destroy(&listener->lock);
    free(listener->path);
    free(listener);
    return NULL;
}

void grpc_listener_refuse(struct grpc_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    wake(listener);
    pthread_mutex_unlock(&listener->lock);
}

void grpc_listener_remove(struct grpc_listener *listener)
{
    grpc_listener_refuse(listener);
    unlink(listener->path);
}

void grpc_listener_replace(struct grpc_listener *listener)
{
    char *next = NULL;
    int fd;

    if (asprintf(&next, "%s.new", listener->path) < 0)
        die("memory");
    fd = listen_on(next);
    if (rename(next, listener->path) < 0)
        die(next);
    free(next);
    pthread_mutex_lock(&listener->lock);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = fd;
    wake(listener);
    pthread_mutex_unlock(&listener->lock);
}

void grpc_listener_cut(struct grpc_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    for (unsigned i = 0; i < listener->open; i++)
        shutdown(listener->connections[i], SHUT_RDWR);
    pthread_mutex_unlock(&listener->lock);
}

void grpc_listener_accept(struct grpc_listener *listener, bool accept)
{
    pthread_mutex_lock(&listener->lock);
    listener->accepting = accept;
    wake(listener);
    pthread_mutex_unlock(&listener->lock);
}

unsigned grpc_listener_open(struct grpc_listener *listener)
{
    unsigned open;

    pthread_mutex_lock(&listener->lock);
    drop_ended(listener);
    open = listener->open;
    pthread_mutex_unlock(&listener->lock);
    return open;
}

unsigned grpc_listener_accepted(struct grpc_listener *listener)
{
    unsigned count;

    pthread_mutex_lock(&listener->lock);
    count = listener->accepted_total;
    pthread_mutex_unlock(&listener->lock);
    return count;
}
