// SPDX-License-Identifier: Apache-2.0
// ttrpc frames over NRI's trunk: two logical connections on one stream socket.
//
// Bytes in, frames out, and frames into bytes: no socket, no thread. The other end may split its
// bytes as it likes, mix the connections between trunk frames, and lie about lengths: memory grows
// with what has arrived, never with what was announced.
//
// Source: containerd/nri pkg/net/multiplex (v0.2 to v0.12), containerd/ttrpc 1.x.
#ifndef TTRPC_H
#define TTRPC_H

#include <stddef.h>
#include <stdint.h>

// Data of a message: runtimes up to containerd 1.7.25 send more than ttrpc's own 4 MiB.
#define TTRPC_DATA_MAX (UINT32_C(16) << 20)
// What one trunk frame of ours carries at most: Go's receiver ends the connection over more.
#define TTRPC_TRUNK_PAYLOAD   4096u
#define TTRPC_TRUNK_HEADER    8u
#define TTRPC_HEADER          10u
#define TTRPC_REPLY_BYTES_MAX (TTRPC_TRUNK_PAYLOAD - TTRPC_HEADER)

// The logical connections.
enum ttrpc_channel {
    TTRPC_PLUGIN = 1,  // the runtime asks, we answer
    TTRPC_RUNTIME = 2, // we ask, the runtime answers
};

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_STREAM_DATA = 3 };

// google.rpc.Code, as far as it is used.
enum ttrpc_code {
    TTRPC_OK = 0,
    TTRPC_INVALID_ARGUMENT = 3,
    TTRPC_UNIMPLEMENTED = 12,
};

struct ttrpc_frame {
    uint32_t channel; // TTRPC_PLUGIN or TTRPC_RUNTIME
    uint32_t stream;
    uint8_t type, flags;
    const uint8_t *data;
    size_t bytes;
};

struct ttrpc_reader;

/**
 * ttrpc_reader_new() - for one connection's incoming bytes
 * @frame: takes a whole frame; its data lives during the call. What it returns but 0 ends the feed
 */
struct ttrpc_reader *ttrpc_reader_new(int (*frame)(void *userdata, const struct ttrpc_frame *frame),
                                      void *userdata);
struct ttrpc_reader *ttrpc_reader_free(struct ttrpc_reader *reader); // returns NULL

/**
 * ttrpc_reader_feed() - the next bytes of the socket
 *
 * Payload of other logical connections is dropped, as runtimes do.
 * Return: 0; -EPROTO if a length is beyond all limits, -ENOMEM, what the callback returned: then
 * the connection is of no use any more.
 */
int ttrpc_reader_feed(struct ttrpc_reader *reader, const void *bytes, size_t count);

/**
 * ttrpc_encode() - a message of ours as one frame of the trunk
 * @out:  at least @bytes + TTRPC_TRUNK_HEADER + TTRPC_HEADER bytes
 * @bytes: of data, at most TTRPC_REPLY_BYTES_MAX
 * Return: the number of bytes; 0 if the data is too long or there is no room.
 */
size_t ttrpc_encode(uint8_t *out, size_t room, enum ttrpc_channel channel, uint32_t stream,
                    enum ttrpc_type type, const void *data, size_t bytes);

#endif
