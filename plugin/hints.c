// SPDX-License-Identifier: Apache-2.0
#include "hints.h"

#include "load.h"
#include "symver.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SLOTS     16u          // a power of two
#define RECENT    64u          // containers that were told of lately
#define RECENT_NS 5000000000u  // for how long one isn't told of again
#define BURST     20u          // datagrams at once, and as many a second
#define REPORT_NS 10000000000u // how often totals are sent, if they changed
#define NS_PER_S  UINT64_C(1000000000)

struct waiting {
    uint64_t ts;
    uint8_t miss, layout;
    uint16_t id_len;
    char id[CMETA_ID_MAX];
};

struct recent {
    uint64_t hash, due_ns;
};

struct hints {
    struct metrics *metrics;
    // Single-producer ring. Each index is written by one side and only grows.
    struct waiting ring[SLOTS];
    uint32_t added, sent; // atomic: event thread, follower
    // The event thread's: the last one added.
    uint32_t last_len;
    uint8_t last_miss;
    char last[CMETA_ID_MAX];
    // The follower's.
    int fd; // -1: none
    struct sockaddr_un address;
    struct cmeta_hint hint;
    struct recent recent[RECENT];
    uint64_t tokens, tokens_ns, report_ns, reported;
};

struct hints *hints_new(const char *dir, struct metrics *metrics)
{
    struct hints *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->metrics = metrics;
    h->fd = -1;
    h->address.sun_family = AF_UNIX;
    if (snprintf(h->address.sun_path, sizeof(h->address.sun_path), "%s/%s", dir, CMETA_HINT_NAME) >=
        (int)sizeof(h->address.sun_path))
        h->address.sun_path[0] = '\0'; // too long for a socket: there can't be one
    h->hint.magic = CMETA_HINT_MAGIC;
    h->hint.version = CMETA_HINT_VERSION;
    // getrandom() is younger than the libc that this has to run with.
    if (syscall(SYS_getrandom, &h->hint.sender, sizeof(h->hint.sender), 0) < 0)
        h->hint.sender = (uint64_t)(uintptr_t)h ^ (uint64_t)getpid();
    return h;
}

struct hints *hints_free(struct hints *h)
{
    if (h && h->fd >= 0)
        close(h->fd);
    free(h);
    return NULL;
}

void hints_clear(struct hints *h)
{
    h->added = h->sent = 0;
    h->last_len = 0;
}

// --- the event thread ----------------------------------------------------------------------------

void hints_add(struct hints *h, enum cmeta_miss miss, enum cmeta_layout layout, const char *id,
               size_t len, uint64_t ts)
{
    struct waiting *w = &h->ring[h->added % SLOTS];

    if (len == 0 || len > CMETA_ID_MAX ||
        (h->last_len == len && h->last_miss == miss && memcmp(h->last, id, len) == 0))
        return;
    // Acquire: pairs with the release in hints_run(); the slot is free again.
    if (h->added - load_acquire(&h->sent) == SLOTS) {
        metrics_count(h->metrics, METRIC_HINTS_DROPPED);
        return;
    }
    w->ts = ts;
    w->miss = (uint8_t)miss;
    w->layout = (uint8_t)layout;
    w->id_len = (uint16_t)len;
    memcpy(w->id, id, len);
    memcpy(h->last, id, len);
    h->last_len = (uint32_t)len;
    h->last_miss = (uint8_t)miss;
    // Release: pairs with the acquire in hints_run().
    store_release(&h->added, h->added + 1);
}

// --- the follower --------------------------------------------------------------------------------

// The slot of a container that wasn't told of lately; NULL if it was.
static struct recent *find_recent(struct hints *h, const struct waiting *w, uint64_t now)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ w->miss;
    uint32_t slot;

    for (uint16_t i = 0; i < w->id_len; i++)
        hash = (hash ^ (uint8_t)w->id[i]) * UINT64_C(0x100000001b3);
    slot = (uint32_t)(hash >> 32) % RECENT;
    if (h->recent[slot].hash == hash && now < h->recent[slot].due_ns)
        return NULL;
    h->recent[slot] = (struct recent){.hash = hash};
    return &h->recent[slot];
}

static bool take_token(struct hints *h, uint64_t now)
{
    if (now - h->tokens_ns >= NS_PER_S) {
        h->tokens_ns = now;
        h->tokens = BURST;
    }
    if (h->tokens == 0)
        return false;
    h->tokens--;
    return true;
}

static void take_totals(struct hints *h)
{
    static const enum metric metrics[CMETA_FIRST_COUNT] = {
        [CMETA_FIRST_COMPLETE] = METRIC_FIRST_COMPLETE,
        [CMETA_FIRST_INCOMPLETE] = METRIC_FIRST_INCOMPLETE,
        [CMETA_FIRST_ABSENT] = METRIC_FIRST_ABSENT};

    for (unsigned i = 0; i < CMETA_FIRST_COUNT; i++)
        h->hint.first[i] = metrics_get(h->metrics, metrics[i]);
}

// Return: whether the socket took it.
static bool send_hint(struct hints *h)
{
    if (!h->address.sun_path[0])
        return false;
    if (h->fd < 0)
        h->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return h->fd >= 0 &&
           sendto(h->fd, &h->hint, CMETA_HINT_HEAD + h->hint.id_len, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&h->address, sizeof(h->address)) >= 0;
}

static void tell(struct hints *h, const struct waiting *w, uint64_t now)
{
    struct recent *recent = find_recent(h, w, now);

    if (!recent)
        return;
    take_totals(h);
    h->hint.when_ns = w->ts;
    h->hint.miss = w->miss;
    h->hint.layout = w->layout;
    h->hint.id_len = w->id_len;
    memcpy(h->hint.id, w->id, w->id_len);
    if (!take_token(h, now) || !send_hint(h))
        return;
    recent->due_ns = now + RECENT_NS;
    metrics_count(h->metrics, METRIC_HINTS_SENT);
}

// The totals by themselves, for those who ask how often the first look found all.
static void report(struct hints *h, uint64_t now)
{
    uint64_t sum = 0;

    if (now - h->report_ns < REPORT_NS)
        return;
    h->report_ns = now;
    take_totals(h);
    for (unsigned i = 0; i < CMETA_FIRST_COUNT; i++)
        sum += h->hint.first[i];
    if (sum == h->reported)
        return;
    h->hint.when_ns = 0;
    h->hint.miss = CMETA_MISS_NONE;
    h->hint.layout = CMETA_LAYOUT_NONE;
    h->hint.id_len = 0;
    if (send_hint(h))
        h->reported = sum;
}

bool hints_run(struct hints *h, uint64_t now)
{
    // Acquire: pairs with the release in hints_add().
    uint32_t added = load_acquire(&h->added), sent = h->sent;
    bool any = added != sent;

    for (; sent != added; sent++)
        tell(h, &h->ring[sent % SLOTS], now);
    // Release: pairs with the acquire in hints_add(); the slots have been read.
    store_release(&h->sent, sent);
    report(h, now);
    return any;
}
