// SPDX-License-Identifier: Apache-2.0
// gRPC over Unix sockets: unary calls and server streams over the gRPC C core.
//
// One `struct rpc` serves the whole daemon. The core and the one thread that waits on its
// completion queue are started with the first channel, and what completes is handed to the sd-event
// loop: all callbacks come from there, outside the core, and may start and cancel calls and close
// channels, their own included; only rpc_free() is not for them. A cancelled call makes no further
// callback. A call that hangs delays no other. Everything here belongs to the loop's thread.
//
// Signals must be blocked before the first channel: the core's threads inherit the mask.
//
// Source: gRPC C core 1.51.
#ifndef GRPC_TRANSPORT_H
#define GRPC_TRANSPORT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct rpc;
struct rpc_channel;
struct rpc_call;

// Status codes of gRPC that callers tell apart.
enum rpc_status {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8, // a message larger than a limit
    RPC_FAILED_PRECONDITION = 9,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13, // also: the answer is no message of the expected kind
    RPC_UNAVAILABLE = 14,
};

#define RPC_MESSAGE_MAX (128u << 20) // bytes of one message

// Return: 0 or -errno. Starts nothing yet.
int rpc_new(sd_event *event, struct rpc **rpc);
// Cancels what is under way, closes all channels, ends the thread and the core. Returns NULL.
struct rpc *rpc_free(struct rpc *rpc);

/**
 * rpc_channel_open() - a channel to a socket; nothing is connected before the first call
 * @socket: path of the Unix socket; any length
 * Return: 0 and the channel, or -errno.
 *
 * A channel has connections of its own. It is for one life of a socket: when the socket is
 * replaced, close it and open another.
 */
int rpc_channel_open(struct rpc *rpc, const char *socket, struct rpc_channel **channel);
// Cancels its calls. Harmless with NULL. Returns NULL.
struct rpc_channel *rpc_channel_close(struct rpc_channel *channel);

struct rpc_request {
    const char *method;              // "/package.Service/Method"
    const char *ns;                  // containerd's namespace, sent as metadata; NULL: none
    const ProtobufCMessage *message; // packed during the call that starts it
    unsigned timeout_ms;             // of a unary call; 0: 10 s. A stream has none.
    bool is_list;                    // of a stream: its server may be made to wait
};

// What came of a call. Lives during the callback.
struct rpc_response {
    int status; // enum rpc_status or another code of gRPC
    const char
        *text; // what went wrong, for a person: the method, the status, what the server said;
               // "" if the status is RPC_OK. It quotes the server: log_message() escapes that.
    const void *body; // of a unary call with status RPC_OK: the encoded message; never NULL then
    size_t body_bytes;
};

/**
 * rpc_call() - one question, one answer
 * @done: once, unless it is cancelled
 * Return: 0 and the call (valid until `done` returns or it is cancelled), or -errno.
 */
int rpc_call(struct rpc_channel *channel, const struct rpc_request *request,
             void (*done)(void *userdata, const struct rpc_response *response), void *userdata,
             struct rpc_call **call);

/**
 * rpc_stream() - one question, any number of answers
 * @on_message: each encoded message, as it comes
 * @done:       when the stream ends, for whatever reason; RPC_OK is an end in good order
 *
 * The stream is always read as fast as it comes, unless it is a list: that is read as fast as it is
 * worked off, and a few MiB ahead. How much waits for the loop is bounded: beyond
 * 4,096 messages or RPC_MESSAGE_MAX bytes the stream is ended with RPC_RESOURCE_EXHAUSTED rather
 * than not read.
 */
int rpc_stream(struct rpc_channel *channel, const struct rpc_request *request,
               void (*on_message)(void *userdata, const void *body, size_t bytes),
               void (*done)(void *userdata, const struct rpc_response *response), void *userdata,
               struct rpc_call **call);

// Ends a call without a callback. Harmless with NULL. Returns NULL.
struct rpc_call *rpc_cancel(struct rpc_call *call);

#endif
