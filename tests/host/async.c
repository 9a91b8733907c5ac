// SPDX-License-Identifier: Apache-2.0
#include "tests/host/async.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/host/owner.h"

// How far in the future an event may lie.
#define FUTURE_NS 10000000000u

struct queued {
    struct queued *next;
    struct falco_event *event;
};

struct async_queue {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct report *report;
    char *const *names;
    size_t n_names;
    size_t capacity, length, pushed, dropped, refused;
    bool open, was_open;
    struct queued *head, **tail;
};

struct async_queue *async_queue_new(struct report *r)
{
    struct async_queue *q = host_alloc(sizeof(*q));
    pthread_condattr_t attr;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->arrived, &attr);
    pthread_condattr_destroy(&attr);
    q->report = r;
    q->capacity = ASYNC_QUEUE_CAPACITY;
    q->tail = &q->head;
    return q;
}

void async_queue_free(struct async_queue *q)
{
    if (!q)
        return;
    struct falco_event *e;
    while ((e = async_queue_pop(q)) != NULL)
        free(e);
    pthread_cond_destroy(&q->arrived);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

void async_queue_set_names(struct async_queue *q, char *const *names, size_t n)
{
    pthread_mutex_lock(&q->lock);
    q->names = names;
    q->n_names = n;
    pthread_mutex_unlock(&q->lock);
}

void async_queue_set_capacity(struct async_queue *q, size_t capacity)
{
    pthread_mutex_lock(&q->lock);
    q->capacity = capacity;
    pthread_mutex_unlock(&q->lock);
}

void async_queue_set_open(struct async_queue *q, bool open)
{
    pthread_mutex_lock(&q->lock);
    q->was_open = q->was_open || q->open;
    q->open = open;
    pthread_mutex_unlock(&q->lock);
}

// Sooner first; FALCO_TS_NOW before all others; equal ones in the order they came.
static bool sooner(const struct falco_event *a, const struct falco_event *b)
{
    if (b->ts == FALCO_TS_NOW)
        return false;
    return a->ts == FALCO_TS_NOW || a->ts < b->ts;
}

struct falco_event *async_queue_pop(struct async_queue *q)
{
    struct falco_event *event = NULL;
    pthread_mutex_lock(&q->lock);
    struct queued **best = &q->head;
    for (struct queued **link = &q->head; *link; link = &(*link)->next)
        if (sooner((*link)->event, (*best)->event))
            best = link;
    struct queued *taken = *best;
    if (taken) {
        event = taken->event;
        *best = taken->next;
        if (!taken->next)
            q->tail = best;
        q->length--;
    }
    pthread_mutex_unlock(&q->lock);
    free(taken);
    return event;
}

bool async_queue_wait(struct async_queue *q, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int rc = 0;
    pthread_mutex_lock(&q->lock);
    while (!q->length && rc == 0)
        rc = pthread_cond_timedwait(&q->arrived, &q->lock, &until);
    bool some = q->length > 0;
    pthread_mutex_unlock(&q->lock);
    return some;
}

static size_t read_counter(struct async_queue *q, const size_t *counter)
{
    pthread_mutex_lock(&q->lock);
    size_t n = *counter;
    pthread_mutex_unlock(&q->lock);
    return n;
}

size_t async_queue_length(struct async_queue *q)
{
    return read_counter(q, &q->length);
}

size_t async_queue_pushed(struct async_queue *q)
{
    return read_counter(q, &q->pushed);
}

size_t async_queue_dropped(struct async_queue *q)
{
    return read_counter(q, &q->dropped);
}

size_t async_queue_refused(struct async_queue *q)
{
    return read_counter(q, &q->refused);
}

static uint32_t u32_at(const struct falco_event *e, size_t offset)
{
    uint32_t v;
    memcpy(&v, (const char *)e + offset, sizeof(v));
    return v;
}

// Whether the event's lengths add up and its name ends within its length. The real host doesn't
// look: it reads past the end.
static const char *malformed(const struct falco_event *e)
{
    if (e->type != FALCO_EVENT_ASYNC || e->nparams != FALCO_ASYNC_NPARAMS)
        return "malformed: not an async event with 3 parameters";
    if (e->len < FALCO_ASYNC_AT_NAME + 1)
        return "malformed: too short";
    if (u32_at(e, FALCO_ASYNC_AT_ID_LEN) != 4)
        return "malformed: the plugin id has 4 bytes";
    uint64_t name_len = u32_at(e, FALCO_ASYNC_AT_NAME_LEN);
    uint64_t data_len = u32_at(e, FALCO_ASYNC_AT_DATA_LEN);
    if (FALCO_ASYNC_AT_NAME + name_len + data_len != e->len)
        return "malformed: the lengths don't add up";
    const char *name = (const char *)e + FALCO_ASYNC_AT_NAME;
    if (name_len == 0 || memchr(name, 0, name_len) != name + name_len - 1)
        return "malformed: the name isn't terminated by the last byte of its length";
    return NULL;
}

static bool known_name(const struct async_queue *q, const char *name)
{
    for (size_t i = 0; i < q->n_names; i++)
        if (strcmp(q->names[i], name) == 0)
            return true;
    return false;
}

static falco_rc fail(struct async_queue *q, char *err, const char *why)
{
    q->refused++;
    if (err)
        snprintf(err, FALCO_ERROR_BYTES, "%s", why);
    return FALCO_RC_FAILURE;
}

static bool too_far_ahead(const struct falco_event *e)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return e->ts != FALCO_TS_NOW && e->ts > now_ns + FUTURE_NS;
}

static falco_rc push_locked(struct async_queue *q, const struct falco_event *e, char *err)
{
    if (!q->open) {
        if (q->was_open)
            report_violation(q->report, "the async handler was called after it had been reset");
        return fail(q, err, "the async event handler is not set");
    }
    if (!e) {
        report_violation(q->report, "async handler: the event is NULL");
        return fail(q, err, "no event");
    }
    const char *why = malformed(e);
    const char *name = (const char *)e + FALCO_ASYNC_AT_NAME;
    if (!why && !known_name(q, name))
        why = "incompatible async event: its name isn't in get_async_events";
    if (why) {
        report_violation(q->report, "async handler: %s", why);
        return fail(q, err, why);
    }
    q->pushed++;
    if (q->length >= q->capacity || too_far_ahead(e)) {
        q->dropped++;
        return FALCO_RC_SUCCESS;
    }
    struct queued *item = host_alloc(sizeof(*item));
    item->event = (struct falco_event *)(void *)host_memdup(e, e->len);
    static const uint32_t id = 0; // what the host puts in for the source syscall
    memcpy((char *)item->event + FALCO_ASYNC_AT_PLUGIN_ID, &id, sizeof(id));
    *q->tail = item;
    q->tail = &item->next;
    q->length++;
    pthread_cond_broadcast(&q->arrived);
    return FALCO_RC_SUCCESS;
}

static falco_rc push(struct async_queue *q, const struct falco_event *e, char *err)
{
    pthread_mutex_lock(&q->lock);
    falco_rc rc = push_locked(q, e, err);
    pthread_mutex_unlock(&q->lock);
    return rc;
}

falco_rc async_queue_push(struct falco_owner *o, const struct falco_event *e, char *err)
{
    return owner_check(o, "the async handler") ? push(o->async, e, err) : FALCO_RC_FAILURE;
}

falco_rc async_queue_push_dump(struct falco_owner *o, const struct falco_event *e, char *err)
{
    if (!owner_check(o, "the handler of dump_state"))
        return FALCO_RC_FAILURE;
    // It goes into the file as it is: nobody puts a time where there is none.
    if (e && (e->ts == FALCO_TS_NOW || e->ts == 0))
        report_violation(o->report, "dump_state: an event bears no real time");
    if (o->dump)
        return push(o->dump, e, err);
    report_violation(o->report, "the handler of dump_state was called after it had returned");
    return FALCO_RC_FAILURE;
}
