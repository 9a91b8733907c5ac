// SPDX-License-Identifier: Apache-2.0
// What the CLI prints: tables (libsmartcols) and JSON (jansson).
//
// Whatever comes from the region is hostile until it has passed through here: JSON gets valid
// UTF-8, a terminal gets no control character. Strings of the region are copied once, and the copy
// is checked: the original may change meanwhile. Out of memory ends the program.
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include "ctl.h"
#include "shm/record.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

static inline struct cmeta_str str_of(const char *text)
{
    return (struct cmeta_str){text, (uint32_t)__builtin_strlen(text)};
}

// --- text

/**
 * text_copy() - a private copy: valid UTF-8, without NUL; each bad byte becomes '?'
 * Return: to be freed; never NULL.
 */
char *text_copy(struct cmeta_str text);

/**
 * text_printable() - a copy that a terminal may show: control and bidirectional formatting
 * characters become '?' as well, and all that isn't ASCII where the locale isn't UTF-8
 * Return: to be freed; never NULL.
 */
char *text_printable(struct cmeta_str text);

// A formatted string. Return: to be freed; never NULL.
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// "42s", "5m", "3h", "9d" between two moments of CLOCK_REALTIME; "-" if `since_ns` is 0.
#define AGE_SIZE 24
const char *text_age(uint64_t since_ns, uint64_t now_ns, char buffer[AGE_SIZE]);

uint64_t now_realtime_ns(void);
uint64_t now_monotonic_ns(void);

// --- JSON

json_t *json_text(struct cmeta_str text); // a string; null if absent
json_t *json_time(uint64_t realtime_ns);  // RFC 3339, UTC, microseconds; null for 0
json_t *json_count(uint64_t value);       // an integer; what is beyond JSON's is its largest
void json_set_text(json_t *object, struct cmeta_str key, struct cmeta_str value);

// JSON values one after the other: an array, or a line each. One value by itself: json_print().
struct json_stream {
    enum ctl_format format; // CTL_TABLE is taken as CTL_JSON
    unsigned long values;
};
void json_stream_value(struct json_stream *stream, json_t *value); // takes the reference
void json_stream_end(struct json_stream *stream);
void json_print(enum ctl_format format, json_t *value); // takes the reference

// --- tables

struct table;

// Columns by their headings; one that begins with '>' is set to the right.
struct table *table_new(const char *const *headings, size_t count);
// Cells as text of the region or of ours, made printable; empty ones show "-".
void table_row(struct table *table, const struct cmeta_str *cells);
// Prints and frees. A table without rows prints its headings.
void table_print(struct table *table);

#endif
