// SPDX-License-Identifier: Apache-2.0
// Keys: 48 bits of what container.id shows.
#include "reader.h"

#include "container_id.h"

#include <endian.h>
#include <string.h>

#define SHORT_DIGITS 12u
#define KEY_MASK     ((UINT64_C(1) << CMETA_KEY_BITS) - 1)

// Eight hexadecimal digits at once. Each byte's value in its low nibble, or a bit of 0xf0 set
// somewhere if one isn't a digit; the nibbles are then gathered pair by pair.
static bool hex8(const char *text, uint32_t *value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x, lower, digit, alpha;

    memcpy(&x, text, sizeof(x));
    x = be64toh(x); // first digit in the highest byte
    if (x & (ones * 0x80))
        return false;
    lower = x | (ones * 0x20);
    // 0x80 in each byte that is within '0'…'9', and within 'a'…'f'
    digit = (x + ones * (0x80 - '0')) & ~(x + ones * (0x7f - '9')) & (ones * 0x80);
    alpha = (lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x7f - 'f')) & (ones * 0x80);
    if ((digit | alpha) != ones * 0x80)
        return false;
    x = (x & (ones * 0x0f)) + 9 * (alpha >> 7);
    x = (x | (x >> 4)) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | (x >> 8)) & UINT64_C(0x0000ffff0000ffff);
    *value = (uint32_t)(x | (x >> 16));
    return true;
}

// The value of twelve hexadecimal digits; false if they aren't.
static bool hex12(const char *text, uint64_t *value)
{
    uint32_t high, low;

    if (!hex8(text, &high) || !hex8(text + 4, &low))
        return false;
    *value = ((uint64_t)high << 16) | (low & 0xffff);
    return true;
}

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

    if (len == SHORT_DIGITS && hex12(id, &key))
        return key | CMETA_KEY_EXACT;
    return siphash13(seed, id, len) & KEY_MASK;
}

uint64_t cmeta_key_of_full(const uint64_t seed[2], const char *id, size_t len)
{
    return cmeta_key_of_short(seed, id, cmeta_id_is_hex64(id, len) ? SHORT_DIGITS : len);
}
