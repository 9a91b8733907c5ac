// SPDX-License-Identifier: Apache-2.0
#include "logger.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

// All relaxed: the counts stand for themselves, and two threads at the turn of a minute may say a
// line more or less.
static bool may_say(struct logger *logger)
{
    struct timespec t;
    uint32_t minute;

    clock_gettime(CLOCK_MONOTONIC, &t);
    minute = (uint32_t)(t.tv_sec / 60);
    if (__atomic_exchange_n(&logger->minute, minute, __ATOMIC_RELAXED) != minute)
        __atomic_store_n(&logger->said, 0, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&logger->said, 1, __ATOMIC_RELAXED) < LOGGER_LINES_A_MINUTE)
        return true;
    __atomic_fetch_add(&logger->left_out, 1, __ATOMIC_RELAXED);
    return false;
}

static void say_left_out(struct logger *logger)
{
    uint32_t n = __atomic_exchange_n(&logger->left_out, 0, __ATOMIC_RELAXED);
    char line[64];

    if (!n)
        return;
    snprintf(line, sizeof(line), "%u lines were left out here", n);
    logger->log(logger->owner, NULL, line, FALCO_LOG_WARNING);
}

void logger_say(struct logger *logger, enum falco_severity severity, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (!logger->log || severity > logger->level || !may_say(logger))
        return;
    say_left_out(logger);
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    logger->log(logger->owner, NULL, line, severity);
}
