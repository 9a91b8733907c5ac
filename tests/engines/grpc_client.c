// SPDX-License-Identifier: Apache-2.0
#include "grpc_client.h"

#include "containerd-meta/cleanup.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <string.h>

#define RECEIVE_MAX (128 << 20) // bytes

struct grpc_client {
    grpc_completion_queue *queue;
    grpc_channel *channel;
};

struct grpc_client *grpc_client_open(const char *socket)
{
    grpc_arg args[] = {
        {.type = GRPC_ARG_STRING,
         .key = (char *)GRPC_ARG_DEFAULT_AUTHORITY,
         .value.string = (char *)"localhost"},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = RECEIVE_MAX},
    };
    grpc_channel_args all = {.num_args = sizeof(args) / sizeof(args[0]), .args = args};
    grpc_channel_credentials *credentials;
    struct grpc_client *client = calloc(1, sizeof(*client));
    CLEANUP(freep)
    char *target = NULL;

    if (!client || asprintf(&target, "unix:%s", socket) < 0)
        abort();
    grpc_init();
    credentials = grpc_insecure_credentials_create();
    client->queue = grpc_completion_queue_create_for_pluck(NULL);
    client->channel = grpc_channel_create(target, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return client;
}

struct grpc_client *grpc_client_close(struct grpc_client *client)
{
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    grpc_completion_queue_destroy(client->queue);
    grpc_shutdown();
    free(client);
    return NULL;
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    grpc_slice slice = grpc_slice_malloc(len);
    grpc_byte_buffer *buffer;

    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void *unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *type)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    void *message;

    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    slice = grpc_byte_buffer_reader_readall(&reader);
    message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice),
                                        GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

static const char *status_name(grpc_status_code status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
    };

    return (unsigned)status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}

// What comes back of a call, apart from its message.
struct outcome {
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
};

static bool succeeded(const struct outcome *outcome, const char *method)
{
    if (outcome->status == GRPC_STATUS_OK)
        return true;
    fprintf(stderr, "%s: status %d (%s): %.*s\n", method, (int)outcome->status,
            status_name(outcome->status), (int)GRPC_SLICE_LENGTH(outcome->details),
            (const char *)GRPC_SLICE_START_PTR(outcome->details));
    return false;
}

// One batch holds the whole call. Return: the answer's bytes, if there are any.
static grpc_byte_buffer *run_batch(struct grpc_client *client, grpc_call *call, const char *ns,
                                   const ProtobufCMessage *request, struct outcome *outcome)
{
    grpc_byte_buffer *sent = pack(request), *received = NULL;
    grpc_metadata metadata = {.key = grpc_slice_from_static_string("containerd-namespace"),
                              .value = grpc_slice_from_copied_string(ns ? ns : "")};
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
    };

    ops[0].data.send_initial_metadata.count = ns ? 1 : 0;
    ops[0].data.send_initial_metadata.metadata = &metadata;
    ops[1].data.send_message.send_message = sent;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &outcome->initial;
    ops[4].data.recv_message.recv_message = &received;
    ops[5].data.recv_status_on_client.trailing_metadata = &outcome->trailing;
    ops[5].data.recv_status_on_client.status = &outcome->status;
    ops[5].data.recv_status_on_client.status_details = &outcome->details;
    if (grpc_call_start_batch(call, ops, 6, call, NULL) != GRPC_CALL_OK)
        abort();
    grpc_completion_queue_pluck(client->queue, call, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_slice_unref(metadata.value);
    grpc_byte_buffer_destroy(sent);
    return received;
}

void *grpc_client_call(struct grpc_client *client, const char *method, const char *ns,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
                       unsigned timeout_s)
{
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(timeout_s, GPR_TIMESPAN));
    struct outcome outcome = {.details = grpc_empty_slice()};
    grpc_slice name = grpc_slice_from_copied_string(method);
    grpc_call *call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               client->queue, name, NULL, deadline, NULL);
    grpc_byte_buffer *received;
    void *message = NULL;

    grpc_metadata_array_init(&outcome.initial);
    grpc_metadata_array_init(&outcome.trailing);
    received = run_batch(client, call, ns, request, &outcome);
    if (succeeded(&outcome, method)) {
        message = received ? unpack(received, answer) : NULL;
        if (!message)
            fprintf(stderr, "%s: the answer is no %s\n", method, answer->name);
    }
    grpc_slice_unref(outcome.details);
    grpc_metadata_array_destroy(&outcome.initial);
    grpc_metadata_array_destroy(&outcome.trailing);
    grpc_byte_buffer_destroy(received);
    grpc_call_unref(call);
    grpc_slice_unref(name);
    return message;
}
