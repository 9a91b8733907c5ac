// SPDX-License-Identifier: Apache-2.0
// The host's side of one plugin instance: the `owner` that every call of the interface carries.
//
// It leads from a bare pointer back to the host's objects, takes the plugin's log lines and holds
// the text of the last error. Logging may happen on any thread while the instance lives.
#ifndef HOST_OWNER_H
#define HOST_OWNER_H

#include <stdatomic.h>
#include <stdint.h>

#include "plugin/falco_abi.h"
#include "tests/host/report.h"

struct tables;
struct async_queue;
struct routines;

struct falco_owner {
    uint64_t magic;
    struct report *report;
    struct tables *tables;
    struct async_queue *async;
    struct async_queue *dump; // of the dump_state under way, or NULL
    struct routines *routines;
    char name[64]; // of the plugin, the component of its log lines
    // Set by owner_end on the thread that destroyed the instance, read where a call comes in.
    _Atomic bool ended;
    bool has_error;
    char error[FALCO_ERROR_BYTES];
};

struct falco_owner *owner_new(struct report *r);
// After plugin_destroy: whatever comes in from now on is a violation.
void owner_end(struct falco_owner *o);
void owner_free(struct falco_owner *o);

// Whether `o` is an owner whose instance lives; notes a violation otherwise. `what` names the call.
bool owner_check(struct falco_owner *o, const char *what);
void owner_set_error(struct falco_owner *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// The two functions that the plugin gets.
const char *owner_last_error(struct falco_owner *o);
void owner_log(struct falco_owner *o, const char *component, const char *msg,
               enum falco_severity severity);

// For a breach that can't be laid at a host's door: there is no host to note it. Ends the process.
void owner_lost(const char *what) __attribute__((noreturn));

#endif
