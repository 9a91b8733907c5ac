// SPDX-License-Identifier: Apache-2.0
// The last `*` seen is the only place to go back to: what an earlier one could take, it can.
#include "glob.h"

// A set that begins behind its `[`. Return: the position behind its `]`, or 0 if it isn't closed.
static size_t match_set(const char *pattern, size_t len, size_t at, unsigned char byte, bool *fits)
{
    bool negated = at < len && (pattern[at] == '!' || pattern[at] == '^'), found = false;
    size_t first = at + negated;

    for (at = first; at < len && (pattern[at] != ']' || at == first); at++) {
        unsigned char low = (unsigned char)pattern[at], high = low;

        if (at + 2 < len && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
            high = (unsigned char)pattern[at + 2];
            at += 2;
        }
        found = found || (byte >= low && byte <= high);
    }
    *fits = found != negated;
    return at < len ? at + 1 : 0;
}

// One element of the pattern against one byte. Return: the position behind the element, 0: no.
static size_t match_one(const char *pattern, size_t len, size_t at, char byte)
{
    bool fits = false;
    size_t next;

    switch (pattern[at]) {
    case '?':
        return at + 1;
    case '[':
        next = match_set(pattern, len, at + 1, (unsigned char)byte, &fits);
        if (next)
            return fits ? next : 0;
        break;
    case '\\':
        if (at + 1 < len)
            return pattern[at + 1] == byte ? at + 2 : 0;
        break;
    default:
        break;
    }
    return pattern[at] == byte ? at + 1 : 0;
}

bool glob_match(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
{
    size_t p = 0, t = 0, star = 0, star_text = 0; // star: behind the last `*`, 0 none yet

    while (t < text_len) {
        size_t next = 0;

        if (p < pattern_len && pattern[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (p < pattern_len)
            next = match_one(pattern, pattern_len, p, text[t]);
        if (next) {
            p = next;
            t++;
        } else if (star) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}
