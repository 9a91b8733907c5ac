// SPDX-License-Identifier: Apache-2.0
#include "heap_trim.h"

#include "clock.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#define ANSWERS_MANY 256u
#define SOON_US      UINT64_C(500000)   // what follows is worked off by then
#define SELDOM_US    UINT64_C(10000000) // it takes milliseconds
#define LAST_US      UINT64_C(67000000) // by then the store has forgotten whom it remembered

struct heap_trim {
    sd_event_source *timer;
    unsigned answers; // since it was trimmed last
    bool owed;        // once more, after the last answer
    uint64_t earliest_us, last_answer_us;
};

static void arm(struct heap_trim *trim, uint64_t due_us)
{
    sd_event_source_set_time(trim->timer, due_us);
    sd_event_source_set_enabled(trim->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct heap_trim *trim = userdata;
    bool many = trim->answers >= ANSWERS_MANY;

    (void)source;
    (void)usec;
    if (many || (trim->owed && trim->answers)) // and once more when it is quiet again
        arm(trim, trim->last_answer_us + LAST_US);
    trim->owed = many;
    trim->answers = 0;
    trim->earliest_us = clock_us(CLOCK_MONOTONIC) + SELDOM_US;
    malloc_trim(0);
    return 0;
}

void heap_trim_note(struct heap_trim *trim)
{
    uint64_t soon_us;

    trim->last_answer_us = clock_us(CLOCK_MONOTONIC);
    if (++trim->answers != ANSWERS_MANY)
        return;
    soon_us = trim->last_answer_us + SOON_US;
    arm(trim, soon_us > trim->earliest_us ? soon_us : trim->earliest_us);
}

int heap_trim_new(sd_event *event, struct heap_trim **out)
{
    struct heap_trim *trim = calloc(1, sizeof(*trim));
    int r;

    if (!trim)
        return -ENOMEM;
    r = sd_event_add_time(event, &trim->timer, CLOCK_MONOTONIC, 0, 0, on_timer, trim);
    if (r >= 0)
        r = sd_event_source_set_enabled(trim->timer, SD_EVENT_OFF);
    if (r < 0) {
        heap_trim_free(trim);
        return r;
    }
    *out = trim;
    return 0;
}

struct heap_trim *heap_trim_free(struct heap_trim *trim)
{
    if (!trim)
        return NULL;
    sd_event_source_disable_unref(trim->timer);
    free(trim);
    return NULL;
}
