// SPDX-License-Identifier: Apache-2.0
// What jansson lacks for answers of engines: tolerance, and two notations.
//
// jansson's own accessors give NULL, 0 or false for what is missing or of another type, so that a
// mapping is a list of lookups: an optional property that isn't there costs that property only.
#ifndef JSON_H
#define JSON_H

#include <jansson.h>
#include <stdint.h>

/**
 * json_parse() - one JSON value from an engine
 * @text: need not be NUL-terminated; bytes that aren't UTF-8 are read as '?'
 * Return: the value, NULL if this is no JSON.
 */
json_t *json_parse(const char *text, size_t len);

/**
 * json_parse_any_number() - the same, where numbers may be beyond 63 bits ("unlimited")
 *
 * If one is, all numbers of the text are reals: read them by json_number().
 */
json_t *json_parse_any_number(const char *text, size_t len);

// A member's string, NULL if it isn't there or no string. Lives as long as the object.
const char *json_text(const json_t *object, const char *key);

// A member's whole number; 0 if it isn't there or none.
int64_t json_whole(const json_t *object, const char *key);

// A member's number, whole or real, cut to what 63 bits hold; 0 if it isn't there or none.
int64_t json_number(const json_t *object, const char *key);

/**
 * json_time_ns() - a member with a time as RFC 3339 has it
 * Return: CLOCK_REALTIME in ns; 0 if it isn't there, no time, or before 1970 (Go's zero time).
 */
int64_t json_time_ns(const json_t *object, const char *key);

#endif
