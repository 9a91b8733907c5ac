// SPDX-License-Identifier: Apache-2.0
// Stands between a daemon and a real engine on a Unix socket, and shows a benchmark what the engine
// says before the daemon hears it. Ends the program with a message where it can't go on.
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stddef.h>

#define RELAY_BYTES 65536u // of one piece, at most

/**
 * relay_start() - listen in the engine's place; threads serve until the program ends
 * @path:    of the socket that the daemon is told
 * @engine:  of the real one's; lives as long as the program
 * @hand_on: hands a piece that the engine said on with relay_write(); called by several threads,
 * one a connection. There is room for a NUL behind the piece
 */
void relay_start(const char *path, const char *engine,
                 void (*hand_on)(int to, char *data, size_t len));

// A connection to a socket.
int relay_connect(const char *path);

// All of it, unless the other side is gone.
void relay_write(int to, const char *data, size_t len);

#endif
