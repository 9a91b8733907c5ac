// SPDX-License-Identifier: Apache-2.0
#include "relay.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *engine_socket;
static void (*hand_on_piece)(int to, char *data, size_t len);
static int listening;

struct connection {
    int near, far;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int unix_socket(const char *path, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || (listens ? bind(fd, (struct sockaddr *)&address, sizeof(address))
                           : connect(fd, (struct sockaddr *)&address, sizeof(address))) < 0)
        die(path);
    if (listens && listen(fd, 64) < 0)
        die(path);
    return fd;
}

int relay_connect(const char *path)
{
    return unix_socket(path, false);
}

void relay_write(int to, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(to, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void *relay(void *argument)
{
    struct connection *c = argument;
    struct pollfd fds[2] = {{c->near, POLLIN, 0}, {c->far, POLLIN, 0}};
    char data[RELAY_BYTES];

    while (poll(fds, 2, -1) > 0) {
        ssize_t n = -1;

        if (fds[0].revents && (n = recv(c->near, data, sizeof(data), 0)) > 0)
            relay_write(c->far, data, (size_t)n);
        else if (fds[1].revents && (n = recv(c->far, data, sizeof(data) - 1, 0)) > 0)
            hand_on_piece(c->near, data, (size_t)n);
        if (n <= 0)
            break;
    }
    close(c->near);
    close(c->far);
    free(c);
    return NULL;
}

static void start_thread(void *(*run)(void *argument), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) != 0)
        die("pthread_create");
    pthread_detach(thread);
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        struct connection *c = malloc(sizeof(*c));

        if (!c || (c->near = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) < 0)
            die("accept");
        c->far = relay_connect(engine_socket);
        start_thread(relay, c);
    }
    return NULL;
}

void relay_start(const char *path, const char *engine,
                 void (*hand_on)(int to, char *data, size_t len))
{
    engine_socket = engine;
    hand_on_piece = hand_on;
    listening = unix_socket(path, true);
    start_thread(serve, NULL);
}
