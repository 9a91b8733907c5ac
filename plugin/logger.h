// SPDX-License-Identifier: Apache-2.0
// The plugin's voice: lines for the host's log. Any thread may speak; the event path doesn't.
#ifndef PLUGIN_LOGGER_H
#define PLUGIN_LOGGER_H

#include "falco_abi.h"

struct logger {
    struct falco_owner *owner;
    falco_log log; // NULL: silent
    enum falco_severity level;
};

// One line, cut at 1 KiB; dropped when it is less severe than the level.
void logger_say(const struct logger *logger, enum falco_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
