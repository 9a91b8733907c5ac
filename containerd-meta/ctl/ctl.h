// SPDX-License-Identifier: Apache-2.0
// The CLI's verbs: what each is given, what each may answer.
//
// containerd-meta-ctl reads the region and nothing else. A verb is one file with one
// `struct ctl_verb`; main.c parses the options, checks that the verb takes them, and runs it.
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stdint.h>

// Exit codes; `containerd-meta-ctl --help` documents them.
enum ctl_exit {
    CTL_OK = 0,
    CTL_NOT_FOUND = 1, // no such container, no such process
    CTL_USAGE = 2,     // the command line
    CTL_NO_REGION = 3, // no daemon has run since boot
    CTL_AMBIGUOUS = 4, // a prefix or name that several containers bear
    CTL_REFUSED = 5,   // there is a region, and it can't be used: a message says what to do
    CTL_FAILED = 6,    // the answer couldn't be written, or there is no memory
    CTL_PROBLEM = 7,   // check: found a problem
    CTL_WARNING = 8,   // check: found a warning, no problem
};

enum ctl_format { CTL_TABLE, CTL_JSON, CTL_JSONL };

struct ctl_options {
    const char *dir; // the region's folder
    enum ctl_format format;
    bool all, quiet, no_trunc, verbose;
    uint64_t count; // events: end after so many; 0: never
    char **args;    // what follows the verb
    int args_count;
};

struct ctl_verb {
    const char *name;
    const char *arguments; // for the usage line
    const char *summary;   // one line
    const char *help;      // options of its own and remarks, whole lines; may be ""
    const char *options;   // letters of the options it takes, beyond -o, -r and -h
    int args_min, args_max;
    enum ctl_exit (*run)(const struct ctl_options *options);
};

extern const struct ctl_verb ctl_ps, ctl_inspect, ctl_events, ctl_stats, ctl_engines, ctl_version,
    ctl_why, ctl_check;

#endif
