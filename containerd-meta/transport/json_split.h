// SPDX-License-Identifier: Apache-2.0
// Finds the elements of one large JSON array as its bytes arrive, so that a list is never held
// whole; the array may be a member of an object. It knows strings, escapes and nesting, no more:
// each element is parsed by jansson.
#ifndef JSON_SPLIT_H
#define JSON_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_split {
    // Called for each element, NUL-terminated; valid during the call.
    void (*on_element)(void *userdata, const char *json, size_t len);
    void *userdata;
    size_t element_max; // bytes; a larger element is left out and counted
    uint64_t skipped;   // elements left out
    // The array is this member of an object whose other members don't matter; set after
    // json_split_init(). NULL: it stands by itself.
    const char *member;
    // Internals.
    char *element;
    size_t used, room;
    unsigned depth; // of brackets and braces within the element
    enum {
        SPLIT_AROUND,
        SPLIT_BEFORE,
        SPLIT_BETWEEN,
        SPLIT_WITHIN,
        SPLIT_AFTER,
        SPLIT_FAILED
    } state;
    bool in_string, escaped, skipping, any;
    char key[32]; // of the object around it: the string read last, cut
    unsigned key_len;
};

void json_split_init(struct json_split *split, size_t element_max,
                     void (*on_element)(void *userdata, const char *json, size_t len),
                     void *userdata);

/**
 * json_split_feed() - more bytes of the array, cut anywhere
 * Return: 0; -EBADMSG if this is no array; -ENOMEM. After an error nothing more is delivered.
 */
int json_split_feed(struct json_split *split, const char *data, size_t len);

/**
 * json_split_end() - no more bytes come
 * Return: 0 if the array was whole; 1 if there was "null" instead of an array; -EBADMSG if it was
 * cut.
 */
int json_split_end(const struct json_split *split);

void json_split_done(struct json_split *split);

#endif
