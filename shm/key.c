// SPDX-License-Identifier: Apache-2.0
// Keys: 48 bits of what container.id shows.
#include "reader.h"

#include "container_id.h"
#include "hex.h"

#include <string.h>

#define KEY_MASK ((UINT64_C(1) << CMETA_KEY_BITS) - 1)

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

// SipHash-1-3 (Aumasson and Bernstein): free-form IDs are chosen by whoever names a container, and
// must not be able to choose their bucket.
static uint64_t siphash13(const uint64_t seed[2], const char *data, size_t len)
{
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261),
                     seed[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word, tail = (uint64_t)len << 56;
    size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, data + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t j = 0; i + j < len; j++)
        tail |= (uint64_t)(unsigned char)data[i + j] << (8 * j);
    v[3] ^= tail;
    sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t cmeta_key_of_short(const uint64_t seed[2], const char *id, size_t len)
{
    uint64_t key;

    if (len == HEX12_DIGITS && hex12(id, &key))
        return key | CMETA_KEY_EXACT;
    return siphash13(seed, id, len) & KEY_MASK;
}

uint64_t cmeta_key_of_full(const uint64_t seed[2], const char *id, size_t len)
{
    return cmeta_key_of_short(seed, id, cmeta_id_is_hex64(id, len) ? HEX12_DIGITS : len);
}
