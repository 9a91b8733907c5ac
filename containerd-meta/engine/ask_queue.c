// SPDX-License-Identifier: Apache-2.0
#include "ask_queue.h"

#include "containerd-meta/clock.h"

#include <errno.h>
#include <stdlib.h>

#define RETRY_FIRST_US UINT64_C(50000) // doubles

struct ask_queue {
    void (*start)(void *userdata, struct ask *ask);
    void *userdata;
    sd_event_source *timer;
    TAILQ_HEAD(, ask) turn, later; // QUEUED; WAITING
    uint64_t armed_us;             // when the timer looks; UINT64_MAX: it is off
    unsigned parallel, under_way;
    bool open, pumping;
};

static void arm_at(struct ask_queue *queue, uint64_t due_us)
{
    queue->armed_us = due_us;
    if (due_us != UINT64_MAX)
        sd_event_source_set_time(queue->timer, due_us);
    sd_event_source_set_enabled(queue->timer,
                                due_us == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void arm(struct ask_queue *queue)
{
    uint64_t first = UINT64_MAX;
    struct ask *ask;

    TAILQ_FOREACH (ask, &queue->later, entry)
        first = ask->due_us < first ? ask->due_us : first;
    arm_at(queue, queue->open ? first : UINT64_MAX);
}

// Starts what may be started. A start that ends at once comes back here: it must not recurse.
static void pump(struct ask_queue *queue)
{
    struct ask *ask;

    if (queue->pumping || !queue->open)
        return;
    queue->pumping = true;
    while (queue->open && queue->under_way < queue->parallel && (ask = TAILQ_FIRST(&queue->turn))) {
        TAILQ_REMOVE(&queue->turn, ask, entry);
        ask->phase = ASK_ASKED;
        queue->under_way++;
        queue->start(queue->userdata, ask);
    }
    queue->pumping = false;
}

static void take_out(struct ask_queue *queue, struct ask *ask)
{
    if (ask->phase == ASK_QUEUED)
        TAILQ_REMOVE(&queue->turn, ask, entry);
    else if (ask->phase == ASK_WAITING)
        TAILQ_REMOVE(&queue->later, ask, entry);
    else if (ask->phase == ASK_ASKED)
        queue->under_way--;
    ask->phase = ASK_IDLE;
}

static void line_up(struct ask_queue *queue, struct ask *ask)
{
    ask->phase = ASK_QUEUED;
    TAILQ_INSERT_TAIL(&queue->turn, ask, entry);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct ask_queue *queue = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    (void)source;
    (void)usec;
    for (struct ask *ask = TAILQ_FIRST(&queue->later), *next; ask; ask = next) {
        next = TAILQ_NEXT(ask, entry);
        if (ask->due_us > now)
            continue;
        take_out(queue, ask);
        line_up(queue, ask);
    }
    arm(queue);
    pump(queue);
    return 0;
}

int ask_queue_new(sd_event *event, unsigned parallel,
                  void (*start)(void *userdata, struct ask *ask), void *userdata,
                  struct ask_queue **out)
{
    struct ask_queue *queue = calloc(1, sizeof(*queue));
    int r;

    if (!queue)
        return -ENOMEM;
    queue->start = start;
    queue->userdata = userdata;
    queue->parallel = parallel;
    TAILQ_INIT(&queue->turn);
    TAILQ_INIT(&queue->later);
    r = sd_event_add_time(event, &queue->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, queue);
    if (r < 0) {
        ask_queue_free(queue);
        return r;
    }
    arm(queue);
    *out = queue;
    return 0;
}

struct ask_queue *ask_queue_free(struct ask_queue *queue)
{
    if (!queue)
        return NULL;
    sd_event_source_disable_unref(queue->timer);
    free(queue);
    return NULL;
}

void ask_queue_open(struct ask_queue *queue)
{
    queue->open = true;
    arm(queue);
    pump(queue);
}

void ask_queue_close(struct ask_queue *queue)
{
    queue->open = false;
    arm(queue);
}

void ask_now(struct ask_queue *queue, struct ask *ask)
{
    if (ask->phase == ASK_ASKED) {
        ask->again = true;
        return;
    }
    take_out(queue, ask);
    ask->attempts = 0;
    line_up(queue, ask);
    pump(queue);
}

void ask_requeue(struct ask_queue *queue, struct ask *ask)
{
    take_out(queue, ask);
    ask->again = false;
    ask->attempts = 0;
    line_up(queue, ask);
}

void ask_done(struct ask_queue *queue, struct ask *ask)
{
    bool again = ask->again;

    take_out(queue, ask);
    ask->attempts = 0;
    ask->again = false;
    if (again)
        line_up(queue, ask);
    pump(queue);
}

bool ask_failed(struct ask_queue *queue, struct ask *ask)
{
    bool again = ask->again;

    take_out(queue, ask);
    ask->attempts++;
    ask->again = false;
    if (ask->attempts >= ASK_ATTEMPTS && !again) {
        ask->attempts = 0;
        pump(queue);
        return false;
    }
    if (ask->attempts >= ASK_ATTEMPTS)
        ask->attempts = 1;
    ask->due_us = clock_us(CLOCK_MONOTONIC) + (RETRY_FIRST_US << (ask->attempts - 1));
    ask->phase = ASK_WAITING;
    TAILQ_INSERT_TAIL(&queue->later, ask, entry);
    if (queue->open && ask->due_us < queue->armed_us) // many fail at once: no walk for each
        arm_at(queue, ask->due_us);
    pump(queue);
    return true;
}

void ask_forget(struct ask_queue *queue, struct ask *ask)
{
    take_out(queue, ask);
    ask->again = false;
    pump(queue);
}
