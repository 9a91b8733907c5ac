// SPDX-License-Identifier: Apache-2.0
#include "tests/host/routines.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/host/report.h"

struct falco_routine {
    struct falco_routine *next;
    falco_bool (*fn)(struct falco_plugin *s, void *state);
    struct falco_plugin *plugin;
    void *state;
    _Atomic bool stop; // written by the unsubscriber, read by the routine's thread
    pthread_t thread;
};

struct routines {
    struct falco_plugin *plugin;
    struct falco_routine *list;
};

struct routines *routines_new(void)
{
    return host_alloc(sizeof(struct routines));
}

void routines_set_plugin(struct routines *rs, struct falco_plugin *s)
{
    rs->plugin = s;
}

static void *routine_run(void *arg)
{
    struct falco_routine *r = arg;
    while (!atomic_load(&r->stop) && r->fn(r->plugin, r->state))
        ;
    return NULL;
}

struct falco_routine *routines_subscribe(struct routines *rs,
                                         falco_bool (*fn)(struct falco_plugin *s, void *state),
                                         void *state)
{
    struct falco_routine *r = host_alloc(sizeof(*r));
    r->fn = fn;
    r->plugin = rs->plugin;
    r->state = state;
    if (pthread_create(&r->thread, NULL, routine_run, r) != 0) {
        free(r);
        return NULL;
    }
    r->next = rs->list;
    rs->list = r;
    return r;
}

falco_rc routines_unsubscribe(struct routines *rs, struct falco_routine *r)
{
    struct falco_routine **link = &rs->list;
    while (*link && *link != r)
        link = &(*link)->next;
    if (!*link)
        return FALCO_RC_FAILURE;
    *link = r->next;
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    free(r);
    return FALCO_RC_SUCCESS;
}

void routines_purge(struct routines *rs)
{
    while (rs->list)
        routines_unsubscribe(rs, rs->list);
}

void routines_free(struct routines *rs)
{
    if (!rs)
        return;
    routines_purge(rs);
    free(rs);
}
