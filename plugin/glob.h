// SPDX-License-Identifier: Apache-2.0
// A glob over a whole path, for the keys of container.mount.
#ifndef PLUGIN_GLOB_H
#define PLUGIN_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/**
 * glob_match() - whether a pattern fits a text from end to end
 * @pattern, @pattern_len: `*` any bytes, `?` one byte, `[abc]`, `[a-z]` and `[!a-z]` (or `[^a-z]`)
 *                         one byte of a set, `\` takes the next byte as it is; anything else itself
 * @text, @text_len:       need not be NUL-terminated
 *
 * A slash is a byte like any other. A bracket that isn't closed stands for itself. Byte by byte,
 * whatever the locale. No recursion, no allocation; at most pattern_len * text_len steps.
 */
bool glob_match(const char *pattern, size_t pattern_len, const char *text, size_t text_len);

#endif
