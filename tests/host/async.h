// SPDX-License-Identifier: Apache-2.0
// The host's queue of async events, and the handler that plugins push through.
//
// Any thread may push; the event loop pops. The queue is bounded and drops silently when it is
// full, as the real one does.
#ifndef HOST_ASYNC_H
#define HOST_ASYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "plugin/falco_abi.h"
#include "tests/host/report.h"

#define ASYNC_QUEUE_CAPACITY 4096

struct async_queue;

struct async_queue *async_queue_new(struct report *r);
void async_queue_free(struct async_queue *q);

// Events whose names are not in the list are refused. The strings are borrowed.
void async_queue_set_names(struct async_queue *q, char *const *names, size_t n);
// 0 is allowed: everything is dropped.
void async_queue_set_capacity(struct async_queue *q, size_t capacity);
/**
 * async_queue_set_open - whether the handler is set
 *
 * While it isn't, a push fails; once it was and has been reset, a push is a violation too.
 */
void async_queue_set_open(struct async_queue *q, bool open);

/**
 * async_queue_pop - take the next event: those for "now" first, then by time
 *
 * Return: the event, to be freed with free(); NULL when there is none.
 */
struct falco_event *async_queue_pop(struct async_queue *q);
/**
 * async_queue_wait - wait until an event is queued
 * @timeout_ms: at most so long
 *
 * Return: whether there is one.
 */
bool async_queue_wait(struct async_queue *q, unsigned timeout_ms);

size_t async_queue_length(struct async_queue *q);
size_t async_queue_pushed(struct async_queue *q);  // accepted, the dropped included
size_t async_queue_dropped(struct async_queue *q); // accepted, but dropped
size_t async_queue_refused(struct async_queue *q);

// The function that plugins get (falco_async_handler). The owner leads to the queue.
falco_rc async_queue_push(struct falco_owner *o, const struct falco_event *e, char *err);
// The same for dump_state, on the thread that called it.
falco_rc async_queue_push_dump(struct falco_owner *o, const struct falco_event *e, char *err);

#endif
