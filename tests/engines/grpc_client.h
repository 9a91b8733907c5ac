// SPDX-License-Identifier: Apache-2.0
// A blocking gRPC client for tests and benchmarks that drive a real engine: one call at a time,
// over the gRPC C core. The daemon's own transport never blocks and is not used here: what is
// tested must not be what tests.
#ifndef TESTS_ENGINES_GRPC_CLIENT_H
#define TESTS_ENGINES_GRPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>

struct grpc_client;

// A connection to a Unix socket, made with the first call. Never NULL.
struct grpc_client *grpc_client_open(const char *socket);
// Returns NULL.
struct grpc_client *grpc_client_close(struct grpc_client *client);

/**
 * grpc_client_call() - one question, one answer
 * @method:    "/package.Service/Method"
 * @ns:        containerd's namespace, sent as metadata; NULL: none
 * @timeout_s: after which the call has failed
 * Return: the answer, to be freed by protobuf_c_message_free_unpacked(); NULL if the call failed,
 *         and then the method, the status and what the server said are on stderr.
 */
void *grpc_client_call(struct grpc_client *client, const char *method, const char *ns,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                       unsigned timeout_s);

#endif
