// SPDX-License-Identifier: Apache-2.0
#include "tests/host/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 1000
#define LINES_MAX 100000

struct line {
    enum falco_severity severity;
    char *text;
};

struct report {
    pthread_mutex_t lock;
    size_t violations;
    char **texts;
    size_t n_texts;
    struct line *lines;
    size_t n_lines, cap_lines;
    report_printer print;
    void *print_data;
};

struct report *report_new(void)
{
    struct report *r = host_alloc(sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    r->texts = host_alloc(TEXTS_MAX * sizeof(*r->texts));
    return r;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_texts; i++)
        free(r->texts[i]);
    for (size_t i = 0; i < r->n_lines; i++)
        free(r->lines[i].text);
    free(r->texts);
    free(r->lines);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void report_set_printer(struct report *r, report_printer print, void *userdata)
{
    pthread_mutex_lock(&r->lock);
    r->print = print;
    r->print_data = userdata;
    pthread_mutex_unlock(&r->lock);
}

void report_violation(struct report *r, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&r->lock);
    r->violations++;
    size_t i = 0;
    while (i < r->n_texts && strcmp(r->texts[i], text) != 0)
        i++;
    if (i == r->n_texts && i < TEXTS_MAX)
        r->texts[r->n_texts++] = host_strdup(text);
    pthread_mutex_unlock(&r->lock);
}

size_t report_violations(struct report *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->violations;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t report_texts(struct report *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->n_texts;
    pthread_mutex_unlock(&r->lock);
    return n;
}

const char *report_text(struct report *r, size_t i)
{
    pthread_mutex_lock(&r->lock);
    const char *text = i < r->n_texts ? r->texts[i] : NULL;
    pthread_mutex_unlock(&r->lock);
    return text;
}

bool report_mentions(struct report *r, const char *part)
{
    pthread_mutex_lock(&r->lock);
    bool found = false;
    for (size_t i = 0; i < r->n_texts && !found; i++)
        found = strstr(r->texts[i], part) != NULL;
    pthread_mutex_unlock(&r->lock);
    return found;
}

void report_log(struct report *r, enum falco_severity severity, const char *component,
                const char *msg)
{
    pthread_mutex_lock(&r->lock);
    if (r->n_lines < LINES_MAX) {
        if (r->n_lines == r->cap_lines) {
            r->cap_lines = r->cap_lines ? 2 * r->cap_lines : 64;
            r->lines = host_realloc(r->lines, r->cap_lines * sizeof(*r->lines));
        }
        struct line *line = &r->lines[r->n_lines++];
        line->severity = severity;
        line->text = host_strdup(msg);
    }
    report_printer print = r->print;
    void *data = r->print_data;
    pthread_mutex_unlock(&r->lock);
    if (print)
        print(data, severity, component, msg);
}

size_t report_log_lines(struct report *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->n_lines;
    pthread_mutex_unlock(&r->lock);
    return n;
}

const char *report_log_line(struct report *r, size_t i, enum falco_severity *severity)
{
    const char *text = NULL;
    pthread_mutex_lock(&r->lock);
    if (i < r->n_lines) {
        text = r->lines[i].text;
        if (severity)
            *severity = r->lines[i].severity;
    }
    pthread_mutex_unlock(&r->lock);
    return text;
}

const char *report_severity_name(enum falco_severity severity)
{
    static const char *const names[] = {"?",      "fatal", "critical", "error", "warning",
                                        "notice", "info",  "debug",    "trace"};
    size_t i = (size_t)severity;
    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "?";
}
