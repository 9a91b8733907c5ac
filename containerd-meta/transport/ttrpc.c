// SPDX-License-Identifier: Apache-2.0
#include "ttrpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS        2u
#define TRUNK_MAX       (TTRPC_DATA_MAX + TTRPC_HEADER)
#define BUFFER_FIRST    4096u
#define BUFFER_KEPT_MAX 65536u // a larger one is given back after its message

// One logical connection: the message that is being put together.
struct channel {
    uint8_t header[TTRPC_HEADER];
    uint8_t header_bytes; // that have arrived
    uint32_t length, have;
    uint8_t *data;
    uint32_t room;
};

struct ttrpc_reader {
    int (*frame)(void *userdata, const struct ttrpc_frame *frame);
    void *userdata;
    uint8_t header[TTRPC_TRUNK_HEADER];
    uint8_t header_bytes;
    uint32_t channel, left; // of the trunk frame that is being read
    struct channel channels[CHANNELS];
};

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static void put32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

struct ttrpc_reader *ttrpc_reader_new(int (*frame)(void *userdata, const struct ttrpc_frame *frame),
                                      void *userdata)
{
    struct ttrpc_reader *reader = calloc(1, sizeof(*reader));

    if (reader) {
        reader->frame = frame;
        reader->userdata = userdata;
    }
    return reader;
}

struct ttrpc_reader *ttrpc_reader_free(struct ttrpc_reader *reader)
{
    for (unsigned i = 0; reader && i < CHANNELS; i++)
        free(reader->channels[i].data);
    free(reader);
    return NULL;
}

// --- a logical connection ------------------------------------------------------------------------

static uint32_t smaller(size_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

// Moves what is missing of a header; returns how many bytes that took.
static uint32_t take_header(uint8_t *header, uint8_t *have, uint8_t size, const uint8_t *bytes,
                            size_t count)
{
    uint32_t part = smaller(count, (uint32_t)size - *have);

    memcpy(header + *have, bytes, part);
    *have = (uint8_t)(*have + part);
    return part;
}

static int make_room(struct channel *channel, uint32_t bytes)
{
    uint32_t room = channel->room ? channel->room : BUFFER_FIRST;
    uint8_t *grown;

    while (room < bytes)
        room *= 2;
    if (room == channel->room)
        return 0;
    grown = realloc(channel->data, room);
    if (!grown)
        return -ENOMEM;
    channel->data = grown;
    channel->room = room;
    return 0;
}

static int deliver(struct ttrpc_reader *reader, uint32_t number, struct channel *channel)
{
    const struct ttrpc_frame frame = {.channel = number,
                                      .stream = get32(channel->header + 4),
                                      .type = channel->header[8],
                                      .flags = channel->header[9],
                                      .data = channel->data,
                                      .bytes = channel->length};
    int r = reader->frame(reader->userdata, &frame);

    channel->header_bytes = 0;
    channel->length = channel->have = 0;
    if (channel->room > BUFFER_KEPT_MAX) {
        free(channel->data);
        channel->data = NULL;
        channel->room = 0;
    }
    return r;
}

static int take_data(struct channel *channel, const uint8_t *bytes, size_t count, uint32_t *part)
{
    int r;

    *part = smaller(count, channel->length - channel->have);
    if (*part == 0)
        return 0;
    r = make_room(channel, channel->have + *part);
    if (r == 0)
        memcpy(channel->data + channel->have, bytes, *part);
    channel->have += *part;
    return r;
}

// Bytes of one logical connection, which is a stream: messages may begin and end anywhere in them.
static int feed_channel(struct ttrpc_reader *reader, uint32_t number, const uint8_t *bytes,
                        size_t count)
{
    struct channel *channel = &reader->channels[number - 1];
    int r = 0;

    while (count > 0 && r == 0) {
        uint32_t part =
            take_header(channel->header, &channel->header_bytes, TTRPC_HEADER, bytes, count);

        bytes += part;
        count -= part;
        if (channel->header_bytes < TTRPC_HEADER)
            return 0;
        channel->length = get32(channel->header);
        if (channel->length > TTRPC_DATA_MAX)
            return -EPROTO;
        r = take_data(channel, bytes, count, &part);
        bytes += part;
        count -= part;
        if (r == 0 && channel->have == channel->length)
            r = deliver(reader, number, channel);
    }
    return r;
}

// --- the trunk -----------------------------------------------------------------------------------

int ttrpc_reader_feed(struct ttrpc_reader *reader, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    int r = 0;

    while (count > 0 && r == 0) {
        uint32_t part;

        if (reader->left == 0) {
            part =
                take_header(reader->header, &reader->header_bytes, TTRPC_TRUNK_HEADER, at, count);
            at += part;
            count -= part;
            if (reader->header_bytes < TTRPC_TRUNK_HEADER)
                return 0;
            reader->header_bytes = 0;
            reader->channel = get32(reader->header);
            reader->left = get32(reader->header + 4);
            if (reader->left > TRUNK_MAX)
                return -EPROTO;
        }
        part = smaller(count, reader->left);
        if (reader->channel >= 1 && reader->channel <= CHANNELS)
            r = feed_channel(reader, reader->channel, at, part);
        at += part;
        count -= part;
        reader->left -= part;
    }
    return r;
}

size_t ttrpc_encode(uint8_t *out, size_t room, enum ttrpc_channel channel, uint32_t stream,
                    enum ttrpc_type type, const void *data, size_t bytes)
{
    const size_t whole = TTRPC_TRUNK_HEADER + TTRPC_HEADER + bytes;

    if (bytes > TTRPC_REPLY_BYTES_MAX || whole > room)
        return 0;
    put32(out, channel);
    put32(out + 4, (uint32_t)(TTRPC_HEADER + bytes));
    put32(out + 8, (uint32_t)bytes);
    put32(out + 12, stream);
    out[16] = (uint8_t)type;
    out[17] = 0;
    if (bytes)
        memcpy(out + 18, data, bytes);
    return whole;
}
