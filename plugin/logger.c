// SPDX-License-Identifier: Apache-2.0
#include "logger.h"

#include <stdarg.h>
#include <stdio.h>

void logger_say(const struct logger *logger, enum falco_severity severity, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (!logger->log || severity > logger->level)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    logger->log(logger->owner, NULL, line, severity);
}
