// SPDX-License-Identifier: Apache-2.0
// What systemd does for podman.socket: holds the socket, starts the service for whoever connects,
// and waits for the next one when the service has ended.
// usage: socket-activate SOCKET LOG COMMAND [ARGUMENT...]
//
// Each start of the service is a line in LOG. SIGTERM ends the service and this.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t service; // 0: none

static void on_term(int signal)
{
    (void)signal;
    if (service > 0)
        kill(service, SIGTERM);
    _exit(0);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        die("socket");
    memcpy(address.sun_path, path, strlen(path));
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
        die(path);
    return fd;
}

static void start(int fd, char **command)
{
    char pid[16];

    service = fork();
    if (service < 0)
        die("fork");
    if (service > 0)
        return;
    if (fd != 3 && (dup2(fd, 3) < 0 || close(fd) < 0))
        die("dup2");
    fcntl(3, F_SETFD, 0);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", pid, 1);
    execvp(command[0], command);
    die(command[0]);
}

int main(int argc, char **argv)
{
    FILE *log;
    int fd;

    if (argc < 4 || !(log = fopen(argv[2], "ae"))) {
        fputs("usage: socket-activate SOCKET LOG COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    signal(SIGTERM, on_term);
    fd = listen_at(argv[1]);
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            die("poll");
        if (!(ready.revents & POLLIN))
            continue;
        fprintf(log, "started\n");
        fflush(log);
        start(fd, argv + 3);
        while (waitpid(service, NULL, 0) < 0 && errno == EINTR)
            ;
        service = 0;
    }
}
