// SPDX-License-Identifier: Apache-2.0
// The grammar of image references: [host[:port]/]path[:tag][@digest].
#ifndef IMAGE_REF_H
#define IMAGE_REF_H

#include "shm/record.h"

#include <stdbool.h>
#include <stddef.h>

// Slices of the reference. Absent parts have data NULL and len 0.
struct image_ref {
    struct cmeta_str repository; // with registry host and port, without tag and digest
    struct cmeta_str tag;
    struct cmeta_str digest; // with its algorithm: sha256:…
};

/**
 * image_ref_parse() - take a reference apart
 * @text: the reference as it was typed; need not be NUL-terminated
 *
 * A colon is a tag's only behind the last slash, so registry.example.com:5000/team/app has none. A
 * bare image ID (sha256:<64 hex>, or 64 hex digits) is a digest without repository.
 * Any input is taken; nothing is allocated.
 *
 * Source: the distribution project's reference grammar.
 */
struct image_ref image_ref_parse(const char *text, size_t len);
struct image_ref image_ref_parse_text(const char *text); // NULL is ""

// An image's ID without its algorithm ("sha256:"); NULL stays NULL.
const char *image_id_hex(const char *id);
// Whether a text is an image's ID: 64 hexadecimal digits, with or without "sha256:".
bool image_id_is(const char *text);
static inline const char *image_id_or_null(const char *text)
{
    return image_id_is(text) ? text : NULL;
}

/**
 * image_ref_same_repository() - whether two repositories name the same one
 *
 * docker.io/library/x, docker.io/x (without a path), library/x and x are one.
 */
bool image_ref_same_repository(struct cmeta_str a, struct cmeta_str b);

#endif
