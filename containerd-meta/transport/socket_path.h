// SPDX-License-Identifier: Apache-2.0
// Paths of Unix sockets that are longer than an address has room for: reached through a descriptor
// of their folder.
#ifndef SOCKET_PATH_H
#define SOCKET_PATH_H

#include <sys/un.h>

#define SOCKET_PATH_BYTES sizeof(((struct sockaddr_un *)NULL)->sun_path)

/**
 * socket_path_shorten() - a path that fits into an address
 * @path:      the socket's
 * @shortened: receives it, or another one that leads there while the descriptor is open
 * @folder_fd: set to that descriptor, to be closed; -1 if none is needed
 * Return: 0; -ENAMETOOLONG if no way leads there; -errno of opening its folder.
 */
int socket_path_shorten(const char *path, char shortened[SOCKET_PATH_BYTES], int *folder_fd);

#endif
