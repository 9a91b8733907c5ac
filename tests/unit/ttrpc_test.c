// SPDX-License-Identifier: Apache-2.0
// Frames on NRI's trunk: what comes in pieces, mixed, oversized, or as noise.
#include "containerd-meta/transport/ttrpc.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#define FRAMES_MAX 64u

struct heard {
    struct {
        uint32_t channel, stream;
        uint8_t type;
        size_t bytes;
        uint8_t first, last;
    } frames[FRAMES_MAX];
    unsigned count;
    int answer; // of the callback
};

static int hear(void *userdata, const struct ttrpc_frame *frame)
{
    struct heard *heard = userdata;

    ck_assert_uint_lt(heard->count, FRAMES_MAX);
    heard->frames[heard->count].channel = frame->channel;
    heard->frames[heard->count].stream = frame->stream;
    heard->frames[heard->count].type = frame->type;
    heard->frames[heard->count].bytes = frame->bytes;
    if (frame->bytes) {
        heard->frames[heard->count].first = frame->data[0];
        heard->frames[heard->count].last = frame->data[frame->bytes - 1];
    }
    heard->count++;
    return heard->answer;
}

// --- bytes as a runtime lays them out ------------------------------------------------------------

struct bytes {
    uint8_t *data;
    size_t count;
};

static void add(struct bytes *bytes, const void *data, size_t count)
{
    bytes->data = realloc(bytes->data, bytes->count + count + 1);
    if (count)
        memcpy(bytes->data + bytes->count, data, count);
    bytes->count += count;
}

static void add32(struct bytes *bytes, uint32_t value)
{
    const uint8_t data[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};

    add(bytes, data, sizeof(data));
}

static void add_trunk(struct bytes *bytes, uint32_t channel, const void *data, size_t count)
{
    add32(bytes, channel);
    add32(bytes, (uint32_t)count);
    add(bytes, data, count);
}

// A message of `count` bytes that begin with `first` and end with `last`.
static struct bytes message(uint32_t stream, uint8_t type, size_t count, uint8_t first,
                            uint8_t last)
{
    struct bytes bytes = {0};
    uint8_t *data = calloc(1, count + 1);

    add32(&bytes, (uint32_t)count);
    add32(&bytes, stream);
    add(&bytes, (uint8_t[]){type, 0}, 2);
    if (count) {
        data[0] = first;
        data[count - 1] = last;
    }
    add(&bytes, data, count);
    free(data);
    return bytes;
}

static void add_message(struct bytes *trunk, uint32_t channel, struct bytes one)
{
    add_trunk(trunk, channel, one.data, one.count);
    free(one.data);
}

// Feeds in pieces of a size.
static int feed(struct heard *heard, struct bytes trunk, size_t piece)
{
    struct ttrpc_reader *reader = ttrpc_reader_new(hear, heard);
    int r = 0;

    for (size_t at = 0; at < trunk.count && r == 0; at += piece)
        r = ttrpc_reader_feed(reader, trunk.data + at,
                              trunk.count - at < piece ? trunk.count - at : piece);
    ttrpc_reader_free(reader);
    free(trunk.data);
    return r;
}

static struct bytes some_messages(void)
{
    struct bytes trunk = {0};

    add_message(&trunk, 1, message(1, TTRPC_REQUEST, 100, 'a', 'b'));
    add_message(&trunk, 2, message(1, TTRPC_RESPONSE, 0, 0, 0));
    add_message(&trunk, 1, message(3, TTRPC_REQUEST, 9000, 'c', 'd'));
    return trunk;
}

static void check_some_messages(const struct heard *heard)
{
    ck_assert_uint_eq(heard->count, 3);
    ck_assert_uint_eq(heard->frames[0].channel, TTRPC_PLUGIN);
    ck_assert_uint_eq(heard->frames[0].bytes, 100);
    ck_assert_uint_eq(heard->frames[0].last, 'b');
    ck_assert_uint_eq(heard->frames[1].channel, TTRPC_RUNTIME);
    ck_assert_uint_eq(heard->frames[1].type, TTRPC_RESPONSE);
    ck_assert_uint_eq(heard->frames[1].bytes, 0);
    ck_assert_uint_eq(heard->frames[2].stream, 3);
    ck_assert_uint_eq(heard->frames[2].bytes, 9000);
    ck_assert_uint_eq(heard->frames[2].first, 'c');
    ck_assert_uint_eq(heard->frames[2].last, 'd');
}

START_TEST(messages_come_out_whatever_the_pieces)
{
    static const size_t pieces[] = {1, 2, 3, 7, 8, 9, 17, 18, 19, 4096, 100000};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct heard heard = {0};

        ck_assert_int_eq(feed(&heard, some_messages(), pieces[i]), 0);
        check_some_messages(&heard);
    }
}
END_TEST

START_TEST(a_logical_connection_is_a_stream_over_many_frames)
{
    struct bytes a = message(1, TTRPC_REQUEST, 50, 'a', 'b');
    struct bytes b = message(3, TTRPC_REQUEST, 20, 'c', 'd');
    struct bytes other = message(1, TTRPC_RESPONSE, 5, 'x', 'y'), trunk = {0};
    struct heard heard = {0};

    add(&a, b.data, b.count); // the second begins in the frame where the first ends
    add_trunk(&trunk, 1, a.data, 3);
    add_trunk(&trunk, 2, other.data, 12);
    add_trunk(&trunk, 1, a.data + 3, 62);
    add_trunk(&trunk, 2, other.data + 12, other.count - 12);
    add_trunk(&trunk, 1, a.data + 65, a.count - 65);
    free(a.data);
    free(b.data);
    free(other.data);
    ck_assert_int_eq(feed(&heard, trunk, 11), 0);
    ck_assert_uint_eq(heard.count, 3);
    ck_assert_uint_eq(heard.frames[0].channel, 1); // complete before the other one is
    ck_assert_uint_eq(heard.frames[0].last, 'b');
    ck_assert_uint_eq(heard.frames[1].channel, 2);
    ck_assert_uint_eq(heard.frames[1].last, 'y');
    ck_assert_uint_eq(heard.frames[2].stream, 3);
    ck_assert_uint_eq(heard.frames[2].last, 'd');
}
END_TEST

START_TEST(other_connections_and_empty_frames_are_dropped)
{
    struct heard heard = {0};
    struct bytes trunk = {0};
    uint8_t noise[300];

    memset(noise, 0xff, sizeof(noise));
    add_trunk(&trunk, 0, noise, sizeof(noise));
    add_trunk(&trunk, 1, NULL, 0);
    add_trunk(&trunk, 3, noise, sizeof(noise));
    add_trunk(&trunk, UINT32_MAX, noise, 1);
    add_message(&trunk, 1, message(1, TTRPC_REQUEST, 1, 'a', 'a'));
    ck_assert_int_eq(feed(&heard, trunk, 13), 0);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.frames[0].first, 'a');
}
END_TEST

// nri#102: runtimes up to containerd 1.7.25 send more than the protocol allows.
START_TEST(a_message_of_sixteen_mebibytes_is_taken)
{
    struct bytes one = message(1, TTRPC_REQUEST, TTRPC_DATA_MAX, 'a', 'b'), trunk = {0};
    struct heard heard = {0};

    add_trunk(&trunk, 1, one.data, 4096);
    add_trunk(&trunk, 1, one.data + 4096, one.count - 4096);
    free(one.data);
    ck_assert_int_eq(feed(&heard, trunk, 65536), 0);
    ck_assert_uint_eq(heard.frames[0].bytes, TTRPC_DATA_MAX);
    ck_assert_uint_eq(heard.frames[0].last, 'b');
}
END_TEST

START_TEST(lengths_beyond_the_limits_end_it)
{
    struct bytes trunk = {0}, frame = {0}, one = {0};
    struct heard heard = {0};

    add32(&trunk, 1);
    add32(&trunk, TTRPC_DATA_MAX + TTRPC_HEADER + 1);
    ck_assert_int_eq(feed(&heard, trunk, 8), -EPROTO);
    add32(&one, TTRPC_DATA_MAX + 1);
    add32(&one, 1);
    add(&one, (uint8_t[]){1, 0}, 2);
    add_message(&frame, 1, one);
    ck_assert_int_eq(feed(&heard, frame, 1), -EPROTO);
    ck_assert_uint_eq(heard.count, 0);
}
END_TEST

START_TEST(what_is_announced_and_never_comes_costs_nothing)
{
    struct ttrpc_reader *readers[100];
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct heard heard = {0};
    struct bytes trunk = {0};

    add32(&trunk, 1);
    add32(&trunk, TTRPC_DATA_MAX + TTRPC_HEADER);
    add32(&trunk, TTRPC_DATA_MAX);
    add32(&trunk, 1);
    add(&trunk, (uint8_t[]){1, 0, 'a'}, 3);
    for (unsigned i = 0; i < 100; i++) {
        readers[i] = ttrpc_reader_new(hear, &heard);
        ck_assert_int_eq(ttrpc_reader_feed(readers[i], trunk.data, trunk.count), 0);
    }
    ck_assert_uint_lt(mallinfo2().uordblks + mallinfo2().hblkhd - before, 100 * 8192);
    for (unsigned i = 0; i < 100; i++)
        ttrpc_reader_free(readers[i]);
    free(trunk.data);
    ck_assert_uint_eq(heard.count, 0);
}
END_TEST

START_TEST(the_callbacks_verdict_ends_the_feed)
{
    struct heard heard = {.answer = -ECANCELED};

    ck_assert_int_eq(feed(&heard, some_messages(), 100000), -ECANCELED);
    ck_assert_uint_eq(heard.count, 1);
}
END_TEST

static int ignore(void *userdata, const struct ttrpc_frame *frame)
{
    (void)userdata;
    ck_assert_uint_le(frame->bytes, TTRPC_DATA_MAX);
    for (size_t i = 0; i < frame->bytes; i++) // a sanitizer sees whether they are there
        *(volatile uint8_t *)&(uint8_t){frame->data[i]};
    return 0;
}

START_TEST(noise_is_survived)
{
    unsigned seed = 4711;

    for (unsigned round = 0; round < 20000; round++) {
        struct ttrpc_reader *reader = ttrpc_reader_new(ignore, NULL);
        uint8_t bytes[64];
        int r = 0;

        for (unsigned part = 0; part < 6 && r == 0; part++) {
            for (size_t i = 0; i < sizeof(bytes); i++) {
                seed = seed * 1103515245u + 12345u;
                bytes[i] = (seed >> 16) % 3 ? (uint8_t)((seed >> 20) % 4) : (uint8_t)(seed >> 24);
            }
            r = ttrpc_reader_feed(reader, bytes, 1 + (seed >> 16) % sizeof(bytes));
            ck_assert(r == 0 || r == -EPROTO);
        }
        ttrpc_reader_free(reader);
    }
}
END_TEST

START_TEST(what_is_written_is_one_frame_and_can_be_read)
{
    uint8_t out[8192], data[TTRPC_REPLY_BYTES_MAX + 1] = {'a'};
    struct bytes trunk = {0};
    struct heard heard = {0};
    size_t count;

    count = ttrpc_encode(out, sizeof(out), TTRPC_PLUGIN, 7, TTRPC_RESPONSE, NULL, 0);
    ck_assert_uint_eq(count, TTRPC_TRUNK_HEADER + TTRPC_HEADER);
    add(&trunk, out, count);
    count = ttrpc_encode(out, sizeof(out), TTRPC_RUNTIME, 1, TTRPC_REQUEST, data,
                         TTRPC_REPLY_BYTES_MAX);
    ck_assert_uint_eq(count, TTRPC_TRUNK_HEADER + TTRPC_TRUNK_PAYLOAD);
    add(&trunk, out, count);
    ck_assert_uint_eq(ttrpc_encode(out, sizeof(out), TTRPC_PLUGIN, 7, TTRPC_RESPONSE, data,
                                   TTRPC_REPLY_BYTES_MAX + 1),
                      0);
    ck_assert_uint_eq(ttrpc_encode(out, 17, TTRPC_PLUGIN, 7, TTRPC_RESPONSE, NULL, 0), 0);
    ck_assert_int_eq(feed(&heard, trunk, 100), 0);
    ck_assert_uint_eq(heard.count, 2);
    ck_assert_uint_eq(heard.frames[0].stream, 7);
    ck_assert_uint_eq(heard.frames[1].bytes, TTRPC_REPLY_BYTES_MAX);
}
END_TEST

CHECK_MAIN("ttrpc", 30, messages_come_out_whatever_the_pieces,
           a_logical_connection_is_a_stream_over_many_frames,
           other_connections_and_empty_frames_are_dropped, a_message_of_sixteen_mebibytes_is_taken,
           lengths_beyond_the_limits_end_it, what_is_announced_and_never_comes_costs_nothing,
           the_callbacks_verdict_ends_the_feed, noise_is_survived,
           what_is_written_is_one_frame_and_can_be_read)
