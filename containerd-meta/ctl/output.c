// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include "containerd-meta/cleanup.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static void *must(const void *pointer)
{
    if (!pointer) {
        fputs("containerd-meta-ctl: out of memory\n", stderr);
        exit(CTL_FAILED);
    }
    return (void *)(uintptr_t)pointer;
}

// --- text
// ------------------------------------------------------------------------------------------------

// The character at `s` (RFC 3629) and its length; 0 if there is none, or a NUL.
static size_t utf8_decode(const unsigned char *s, size_t avail, uint32_t *character)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

    if (len > avail || (s[0] >= 0x80 && s[0] < 0xc0) || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return len;
}

// Whether a terminal would do something else than show it: C0 and C1 controls, line and paragraph
// separators, and what turns the direction of the text around it.
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static char *mend(struct cmeta_str text, bool for_terminal)
{
    bool ascii = for_terminal && MB_CUR_MAX == 1;
    size_t len = text.data ? text.len : 0, out = 0;
    char *copy = must(malloc(len + 1));

    memcpy(copy, text.data ? text.data : "", len);
    for (size_t i = 0; i < len;) {
        uint32_t c;
        size_t n = utf8_decode((const unsigned char *)copy + i, len - i, &c);

        if (n == 0 || (for_terminal && is_control(c)) || (ascii && c >= 0x80)) {
            copy[out++] = '?';
        } else {
            memmove(copy + out, copy + i, n);
            out += n;
        }
        i += n ? n : 1;
    }
    copy[out] = '\0';
    return copy;
}

char *text_copy(struct cmeta_str text)
{
    return mend(text, false);
}

char *text_printable(struct cmeta_str text)
{
    return mend(text, true);
}

char *text_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int r;

    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    return must(r < 0 ? NULL : text);
}

const char *text_age(uint64_t since_ns, uint64_t now_ns, char buffer[AGE_SIZE])
{
    uint64_t s = now_ns > since_ns ? (now_ns - since_ns) / NS_PER_S : 0;

    if (since_ns == 0)
        snprintf(buffer, AGE_SIZE, "-");
    else if (s < 120)
        snprintf(buffer, AGE_SIZE, "%" PRIu64 "s", s);
    else if (s < 120 * 60)
        snprintf(buffer, AGE_SIZE, "%" PRIu64 "m", s / 60);
    else if (s < 48 * 3600)
        snprintf(buffer, AGE_SIZE, "%" PRIu64 "h", s / 3600);
    else
        snprintf(buffer, AGE_SIZE, "%" PRIu64 "d", s / 86400);
    return buffer;
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t now_realtime_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

uint64_t now_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

// --- JSON
// ------------------------------------------------------------------------------------------------

json_t *json_text(struct cmeta_str text)
{
    CLEANUP(freep)
    char *copy = NULL;

    if (!text.data)
        return json_null();
    copy = text_copy(text);
    return must(json_string(copy));
}

json_t *json_time(uint64_t realtime_ns)
{
    time_t seconds = (time_t)(realtime_ns / NS_PER_S);
    char day[32];
    struct tm tm;

    if (realtime_ns == 0 || !gmtime_r(&seconds, &tm))
        return json_null();
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    return must(json_sprintf("%s.%06uZ", day, (unsigned)(realtime_ns % NS_PER_S / 1000)));
}

json_t *json_count(uint64_t value)
{
    return must(json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void json_set_text(json_t *object, struct cmeta_str key, struct cmeta_str value)
{
    CLEANUP(freep)
    char *name = text_copy(key);

    json_object_set_new(object, name, json_text(value));
}

static void dump(enum ctl_format format, const json_t *value)
{
    size_t flags = JSON_ENCODE_ANY | (format == CTL_JSONL ? JSON_COMPACT : JSON_INDENT(2));

    json_dumpf(must(value), stdout, flags);
}

void json_stream_value(struct json_stream *stream, json_t *value)
{
    if (stream->format != CTL_JSONL)
        fputs(stream->values ? ",\n" : "[\n", stdout);
    dump(stream->format, value);
    if (stream->format == CTL_JSONL)
        fputc('\n', stdout);
    stream->values++;
    json_decref(value);
}

void json_stream_end(struct json_stream *stream)
{
    if (stream->format != CTL_JSONL)
        fputs(stream->values ? "\n]\n" : "[]\n", stdout);
}

void json_print(enum ctl_format format, json_t *value)
{
    dump(format, value);
    fputc('\n', stdout);
    json_decref(value);
}

// --- tables
// ------------------------------------------------------------------------------------------------

struct table {
    struct libscols_table *cols;
    size_t columns;
};

struct table *table_new(const char *const *headings, size_t count)
{
    struct table *table = must(calloc(1, sizeof(*table)));

    table->cols = must(scols_new_table());
    table->columns = count;
    for (size_t i = 0; i < count; i++) {
        bool right = headings[i][0] == '>';

        // Nothing is cut: a terminal wraps, and a pipe wants it all.
        must(scols_table_new_column(table->cols, headings[i] + right, 0,
                                    right ? SCOLS_FL_RIGHT : 0));
    }
    return table;
}

void table_row(struct table *table, const struct cmeta_str *cells)
{
    struct libscols_line *line = must(scols_table_new_line(table->cols, NULL));

    for (size_t i = 0; i < table->columns; i++) {
        bool empty = !cells[i].data || cells[i].len == 0;

        // The table takes the copy over.
        scols_line_refer_data(line, i, text_printable(empty ? CMETA_STR("-") : cells[i]));
    }
}

void table_print(struct table *table)
{
    if (scols_table_is_empty(table->cols)) {
        for (size_t i = 0; i < table->columns; i++) {
            struct libscols_column *column = scols_table_get_column(table->cols, i);

            printf("%s%s", i ? " " : "", scols_cell_get_data(scols_column_get_header(column)));
        }
        putchar('\n');
    } else {
        scols_print_table(table->cols);
    }
    scols_unref_table(table->cols);
    free(table);
}
