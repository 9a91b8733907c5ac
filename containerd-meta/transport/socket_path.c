// SPDX-License-Identifier: Apache-2.0
#include "socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int socket_path_shorten(const char *path, char shortened[SOCKET_PATH_BYTES], int *folder_fd)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd, n;

    *folder_fd = -1;
    if (strlen(path) < SOCKET_PATH_BYTES) {
        snprintf(shortened, SOCKET_PATH_BYTES, "%s", path);
        return 0;
    }
    if (!slash || (size_t)(slash - path) >= sizeof(folder))
        return -ENAMETOOLONG;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    n = snprintf(shortened, SOCKET_PATH_BYTES, "/proc/self/fd/%d/%s", fd, slash + 1);
    if (n >= (int)SOCKET_PATH_BYTES) {
        close(fd);
        return -ENAMETOOLONG;
    }
    *folder_fd = fd;
    return 0;
}
