// SPDX-License-Identifier: Apache-2.0
// The plugin's voice: lines for the host's log. Any thread may speak; the event path doesn't.
//
// The host writes each line at once, to where a person reads: beyond 40 lines a minute nothing is
// said but, later, how much was left out.
#ifndef PLUGIN_LOGGER_H
#define PLUGIN_LOGGER_H

#include "falco_abi.h"

#define LOGGER_LINES_A_MINUTE 40u

struct logger {
    struct falco_owner *owner;
    falco_log log; // NULL: silent
    enum falco_severity level;
    uint32_t minute;   // atomic: the one that is being counted
    uint32_t said;     // atomic: lines of it
    uint32_t left_out; // atomic: lines not said, and not told of yet
};

// One line, cut at 1 KiB; dropped when it is less severe than the level.
void logger_say(struct logger *logger, enum falco_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
