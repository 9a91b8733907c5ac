// SPDX-License-Identifier: Apache-2.0
// Twelve hexadecimal digits as a number: what a lookup begins with, hence inline.
#ifndef CMETA_HEX_H
#define CMETA_HEX_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HEX12_DIGITS 12u

// Eight hexadecimal digits at once. Each byte's value in its low nibble, or a bit of 0xf0 set
// somewhere if one isn't a digit; the nibbles are then gathered pair by pair.
static inline bool hex8(const char *text, uint32_t *value)
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
static inline bool hex12(const char *text, uint64_t *value)
{
    uint32_t high, low;

    if (!hex8(text, &high) || !hex8(text + 4, &low))
        return false;
    *value = ((uint64_t)high << 16) | (low & 0xffff);
    return true;
}

#endif
