// SPDX-License-Identifier: Apache-2.0
// What the host has to say about a plugin: breaches of the contract, and the plugin's log lines.
//
// One report belongs to one host. Any thread may add to it. Texts live as long as the report.
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "plugin/falco_abi.h"
#include "tests/host/memory.h"

struct report;

// Called for each log line as it comes, on the thread that logs; `component` is never NULL.
typedef void (*report_printer)(void *userdata, enum falco_severity severity, const char *component,
                               const char *msg);

struct report *report_new(void);
void report_free(struct report *r);
void report_set_printer(struct report *r, report_printer print, void *userdata);

/**
 * report_violation - note that the plugin broke the contract
 *
 * The same text is noted once and counted; after 1000 different texts only counted.
 */
void report_violation(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Number of violations noted, repetitions included.
size_t report_violations(struct report *r);
// Number of different texts, and one of them.
size_t report_texts(struct report *r);
const char *report_text(struct report *r, size_t i);
// Whether a violation whose text contains `part` was noted.
bool report_mentions(struct report *r, const char *part);

void report_log(struct report *r, enum falco_severity severity, const char *component,
                const char *msg);
size_t report_log_lines(struct report *r);
// Line `i`; NULL if there is none. `severity` may be NULL.
const char *report_log_line(struct report *r, size_t i, enum falco_severity *severity);

// "fatal" … "trace", or "?".
const char *report_severity_name(enum falco_severity severity);

#endif
