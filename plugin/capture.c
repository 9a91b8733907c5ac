// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include <stdlib.h>

#define NOTHING_READ 1

struct capture {
    struct capture_store *store;
    struct metrics *metrics;
    struct told *told; // NULL before the first event
    int result;        // of event_parse(), or NOTHING_READ
    uint64_t evtnum, ts;
};

struct capture *capture_new(struct metrics *metrics)
{
    struct capture *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->store = capture_store_new();
    c->metrics = metrics;
    c->result = NOTHING_READ;
    return c->store ? c : capture_free(c);
}

struct capture *capture_free(struct capture *c)
{
    if (c) {
        capture_store_free(c->store);
        free(c->told);
        free(c);
    }
    return NULL;
}

void capture_forget(struct capture *c)
{
    c->result = NOTHING_READ;
    capture_store_clear(c->store);
    metrics_set(c->metrics, METRIC_CAPTURED, 0);
}

struct capture_store *capture_containers(const struct capture *c)
{
    return c->store;
}

const struct told *capture_told(struct capture *c, const struct falco_event_input *in)
{
    if (c->result == NOTHING_READ || c->evtnum != in->evtnum || c->ts != in->evt->ts) {
        if (!c->told)
            c->told = malloc(sizeof(*c->told));
        c->result = c->told ? event_parse(in->evt, c->told) : NOTHING_READ;
        c->evtnum = in->evtnum;
        c->ts = in->evt->ts;
    }
    return c->result == 0 ? c->told : NULL;
}

static void put(struct capture *c, const struct told *told, uint64_t ts)
{
    int gone = capture_store_put(c->store, told, ts);

    if (gone < 0) // without memory it is this one that is missing
        gone = 1;
    while (gone-- > 0)
        metrics_count(c->metrics, METRIC_CAPTURED_EVICTED);
}

void capture_hear(struct capture *c, const struct falco_event_input *in)
{
    enum event_tells tells = event_tells(in->evt);
    const struct told *told;

    if (tells == EVENT_TELLS_NOTHING)
        return;
    told = capture_told(c, in);
    if (!told)
        metrics_count(c->metrics, METRIC_CAPTURE_REFUSED);
    if (!told || told->host)
        return;
    if (tells == EVENT_TELLS_REMOVAL)
        capture_store_remove(c->store, told, in->evt->ts);
    else
        put(c, told, in->evt->ts);
    metrics_set(c->metrics, METRIC_CAPTURED, capture_store_count(c->store));
}
