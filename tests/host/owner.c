// SPDX-License-Identifier: Apache-2.0
#include "tests/host/owner.h"

#include <stdio.h>
#include <stdlib.h>

#define OWNER_MAGIC 0x6f776e6572303031u

struct falco_owner *owner_new(struct report *r)
{
    struct falco_owner *o = host_alloc(sizeof(*o));
    o->magic = OWNER_MAGIC;
    o->report = r;
    snprintf(o->name, sizeof(o->name), "plugin");
    return o;
}

void owner_end(struct falco_owner *o)
{
    atomic_store(&o->ended, true); // pairs with the load in owner_check
}

void owner_free(struct falco_owner *o)
{
    if (!o)
        return;
    o->magic = 0;
    free(o);
}

void owner_lost(const char *what)
{
    fprintf(stderr, "plugin host: %s was called without a valid owner or table\n", what);
    abort();
}

bool owner_check(struct falco_owner *o, const char *what)
{
    if (!o || o->magic != OWNER_MAGIC)
        owner_lost(what);
    if (!atomic_load(&o->ended)) // pairs with the store in owner_end
        return true;
    report_violation(o->report, "%s was called after plugin_destroy", what);
    return false;
}

void owner_set_error(struct falco_owner *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(o->error, sizeof(o->error), fmt, ap);
    va_end(ap);
    o->has_error = true;
}

const char *owner_last_error(struct falco_owner *o)
{
    return owner_check(o, "get_owner_last_error") && o->has_error ? o->error : NULL;
}

void owner_log(struct falco_owner *o, const char *component, const char *msg,
               enum falco_severity severity)
{
    if (!owner_check(o, "log"))
        return;
    if (severity < FALCO_LOG_FATAL || severity > FALCO_LOG_TRACE)
        report_violation(o->report, "log: severity %d is none", (int)severity);
    if (!msg) {
        report_violation(o->report, "log: the message is NULL");
        return;
    }
    report_log(o->report, severity, component ? component : o->name, msg);
}
