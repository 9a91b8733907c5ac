// SPDX-License-Identifier: Apache-2.0
#include "tests/host/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct metrics_prober {
    struct report *report;
    const struct plugin *plugin;
    struct falco_plugin *instance;
    _Atomic bool stop; // set by metrics_prober_stop, read by the thread
    _Atomic size_t rounds;
    _Atomic uint64_t last_sum; // keeps the values read; nobody needs it
    pthread_t thread;
};

static bool sound(struct report *r, const struct falco_metric *m)
{
    if (!m->name || !*m->name) {
        report_violation(r, "get_metrics: a metric has no name");
        return false;
    }
    if ((unsigned)m->kind > FALCO_METRIC_NON_MONOTONIC ||
        (unsigned)m->value_type > FALCO_METRIC_INT) {
        report_violation(r, "get_metrics: %s has an unknown kind or type", m->name);
        return false;
    }
    return true;
}

// The array; NULL and *n 0 when there is none or it is broken.
static const struct falco_metric *ask(struct report *r, const struct plugin *p,
                                      struct falco_plugin *instance, uint32_t *n)
{
    *n = UINT32_MAX;
    const struct falco_metric *all = p->sym.get_metrics(instance, n);
    if (*n == UINT32_MAX) {
        report_violation(r, "get_metrics didn't write the number of metrics");
        *n = 0;
    }
    if (!all && *n) {
        report_violation(r, "get_metrics returned NULL for %u metrics", *n);
        *n = 0;
    }
    return all;
}

static double value_of(const struct falco_metric *m)
{
    switch (m->value_type) {
    case FALCO_METRIC_U32:
        return m->value.u32;
    case FALCO_METRIC_S32:
        return m->value.s32;
    case FALCO_METRIC_U64:
        return (double)m->value.u64;
    case FALCO_METRIC_S64:
        return (double)m->value.s64;
    case FALCO_METRIC_DOUBLE:
        return m->value.d;
    case FALCO_METRIC_FLOAT:
        return (double)m->value.f;
    default:
        return m->value.i;
    }
}

static void *probe(void *arg)
{
    struct metrics_prober *m = arg;
    do {
        uint32_t n;
        const struct falco_metric *all = ask(m->report, m->plugin, m->instance, &n);
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            if (sound(m->report, &all[i]))
                // Pairs with the plugin's atomic updates of a value that it handed out.
                sum += __atomic_load_n(&all[i].value.u64, __ATOMIC_RELAXED);
        atomic_store_explicit(&m->last_sum, sum, memory_order_relaxed);
        atomic_fetch_add(&m->rounds, 1);
        sched_yield();
    } while (!atomic_load(&m->stop));
    return NULL;
}

struct metrics_prober *metrics_prober_start(struct report *r, const struct plugin *p,
                                            struct falco_plugin *instance)
{
    if (!p->sym.get_metrics)
        return NULL;
    struct metrics_prober *m = host_alloc(sizeof(*m));
    m->report = r;
    m->plugin = p;
    m->instance = instance;
    if (pthread_create(&m->thread, NULL, probe, m) != 0) {
        free(m);
        return NULL;
    }
    return m;
}

size_t metrics_prober_stop(struct metrics_prober *m)
{
    if (!m)
        return 0;
    atomic_store(&m->stop, true);
    pthread_join(m->thread, NULL);
    size_t rounds = atomic_load(&m->rounds);
    free(m);
    return rounds;
}

int metrics_read(struct report *r, const struct plugin *p, struct falco_plugin *instance,
                 const char *name, double *out)
{
    if (!p->sym.get_metrics)
        return -ENOENT;
    uint32_t n;
    const struct falco_metric *all = ask(r, p, instance, &n);
    for (uint32_t i = 0; i < n; i++)
        if (sound(r, &all[i]) && strcmp(all[i].name, name) == 0) {
            *out = value_of(&all[i]);
            return 0;
        }
    return -ENOENT;
}
