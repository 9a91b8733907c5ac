// SPDX-License-Identifier: Apache-2.0
// The daemon's log: the journal with fields when systemd started it, else stderr.
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

/**
 * log_open() - choose where to
 * Call once before anything is logged; without it the log goes to stderr at level info.
 */
void log_open(void);

// LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG of syslog.h; less important messages are
// dropped.
void log_set_level(int level);
int log_level(void);

/**
 * log_level_from_name() - error, warn, warning, notice, info, debug, trace
 * Return: the level, -1 if the name is none of these.
 */
int log_level_from_name(const char *name);

/**
 * log_message() - one message
 * @engine, @socket: journal fields CONTAINERD_META_ENGINE and CONTAINERD_META_SOCKET, or NULL
 *
 * Control characters that came in with names and answers are escaped.
 */
void log_message(int level, const char *engine, const char *socket, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(...)   log_message(LOG_ERR, NULL, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, NULL, NULL, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, NULL, NULL, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, NULL, NULL, __VA_ARGS__)

// Lets a few messages of a kind through per interval; the next one let through says how many
// weren't.
struct log_limit {
    uint64_t interval_start_ns; // CLOCK_MONOTONIC
    uint32_t passed;
    uint32_t suppressed;
};
#define LOG_LIMIT_BURST       5u
#define LOG_LIMIT_INTERVAL_NS UINT64_C(30000000000)

/**
 * log_limit_pass() - whether this one may be logged
 * @suppressed: set, when it may, to the number that weren't since
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint32_t *suppressed);

/**
 * log_escape() - make a string fit for one line: control characters as \xNN, backslash doubled
 * Return: @out, NUL-terminated, cut at @size.
 */
const char *log_escape(char *out, size_t size, const char *text, size_t len);

#endif
