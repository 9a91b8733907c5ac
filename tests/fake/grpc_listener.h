// SPDX-License-Identifier: Apache-2.0
// The socket of a fake engine as a thing of its own: it can be refused, replaced, cut and left
// unaccepted, whatever serves the connections. A thread of its own accepts.
#ifndef FAKE_GRPC_LISTENER_H
#define FAKE_GRPC_LISTENER_H

#include <stdbool.h>

struct grpc_listener;

/**
 * grpc_listener_new() - listen on @path
 * @accepted: takes a connected, non-blocking descriptor over; called from the listener's thread
 */
struct grpc_listener *grpc_listener_new(const char *path, void (*accepted)(void *userdata, int fd),
                                        void *userdata);
// Nobody is accepted any more; connections stay.
void grpc_listener_halt(struct grpc_listener *listener);
// Cuts connections, removes the socket. Returns NULL.
struct grpc_listener *grpc_listener_free(struct grpc_listener *listener);

void grpc_listener_refuse(struct grpc_listener *listener);
void grpc_listener_remove(struct grpc_listener *listener); // refuse, and unlink the file
void grpc_listener_replace(struct grpc_listener *listener);
void grpc_listener_cut(struct grpc_listener *listener);
void grpc_listener_accept(struct grpc_listener *listener, bool accept);
unsigned grpc_listener_open(struct grpc_listener *listener);
unsigned grpc_listener_accepted(struct grpc_listener *listener);

#endif
