// SPDX-License-Identifier: Apache-2.0
#include "emitter.h"

#include "event_json.h"
#include "load.h"
#include "snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define UNDER_WAY_MAX  256u
#define SILENCE_NS     UINT64_C(10000000000) // after which what is under way is given up
#define NAME_NS        UINT64_C(2000000000)  // how long a container may have no name or image
#define BLOCKED_MS     20u                   // between two looks for acknowledgements
#define RUN_NS         UINT64_C(5000000) // a run ends after: whoever ends the follower waits for it
#define DEPARTED_BYTES (UINT32_C(64) << 10) // of whole documents kept; then brief ones

// What a mark says when it is no digest of what was told.
enum mark {
    MARK_UNTOLD = 0,
    MARK_WAITING, // untold, and in the list of those that wait
    MARK_GONE,    // its removal was told, or it was gone before we began
};

// A container that a new region lacks: the document of its removal, made while the old region
// was there to make it from.
struct departed {
    STAILQ_ENTRY(departed) next;
    size_t len;
    char *json;
};

struct waiting {
    uint32_t number; // of the identity
    uint64_t due_ns; // CLOCK_MONOTONIC
};

enum stage { STAGE_FOLLOW, STAGE_SCAN, STAGE_SWEEP };

struct emitter {
    struct logger *logger;
    struct metrics *metrics;
    struct async_sink sink;
    struct snapshot snapshot; // the one being looked at
    uint64_t begun_ns;        // CLOCK_REALTIME
    uint64_t now_ns;          // CLOCK_MONOTONIC, of this run
    bool refused;             // the host has refused one, and that was said

    // What was told of each identity, by its number in the region: digest or enum mark.
    uint32_t *marks;
    uint32_t marks_count;

    enum stage stage;
    uint64_t seen;      // revision that everything up to was looked at
    uint64_t scan_head; // where the log stood when the scan began
    uint64_t cursor;    // of the scan
    uint32_t sweep;     // number of the identity that the sweep is at

    // First in, first out: all wait equally long.
    struct waiting *waiting;
    uint32_t waiting_first, waiting_end, waiting_room;

    STAILQ_HEAD(, departed) departed;
    size_t departed_bytes;

    uint64_t stream_ts; // atomic: of the last event that the event thread has seen

    // Credit.
    uint64_t returned;    // atomic: events that came back, not counting those given up
    uint64_t given_up_ts; // atomic: events up to this time were given up, or aren't of this stream
    uint64_t sent, given_up;
    uint64_t acknowledged, moved_ns; // `returned` as last seen, and when it changed
};

struct emitter *emitter_new(struct logger *logger, struct metrics *metrics)
{
    struct emitter *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->logger = logger;
    e->metrics = metrics;
    STAILQ_INIT(&e->departed);
    return e;
}

struct emitter *emitter_free(struct emitter *e)
{
    if (e)
        emitter_end(e);
    free(e);
    return NULL;
}

// --- credit --------------------------------------------------------------------------------------

void emitter_see(struct emitter *e, const struct falco_event *event)
{
    // Relaxed: pairs with the load in send(); a number by itself.
    store_relaxed(&e->stream_ts, event->ts);
    if (!async_event_is_ours(event))
        return;
    metrics_count(e->metrics, METRIC_EVENTS_ACKNOWLEDGED);
    // Relaxed: pairs with the store in settle_credit(). One that comes at the very moment when it
    // is given up is counted twice, which lets one more be under way.
    if (event->ts > load_relaxed(&e->given_up_ts))
        // Relaxed: pairs with the load in settle_credit(); a number by itself.
        __atomic_fetch_add(&e->returned, 1, __ATOMIC_RELAXED);
}

static uint64_t under_way(const struct emitter *e)
{
    uint64_t settled = e->acknowledged + e->given_up;

    return e->sent > settled ? e->sent - settled : 0;
}

// Looks for acknowledgements, and gives up what doesn't come back.
static void settle_credit(struct emitter *e)
{
    uint64_t returned = load_relaxed(&e->returned);

    if (returned != e->acknowledged || under_way(e) == 0)
        e->moved_ns = e->now_ns;
    e->acknowledged = returned;
    // What others sent under our names is no credit: it would let the host's queue overflow.
    if (e->acknowledged + e->given_up > e->sent)
        e->given_up = e->sent - e->acknowledged; // may be below 0, modulo 2^64
    if (e->now_ns - e->moved_ns < SILENCE_NS)
        return;
    logger_say(e->logger, FALCO_LOG_WARNING,
               "%" PRIu64
               " container events haven't come back for 10 s and count as lost: the host "
               "is slow or its queue was full; captures may lack these containers",
               under_way(e));
    metrics_add(e->metrics, METRIC_EVENTS_UNACKNOWLEDGED, under_way(e));
    store_relaxed(&e->given_up_ts, e->sink.last_ts);
    e->given_up += under_way(e);
    e->moved_ns = e->now_ns;
}

static bool has_credit(struct emitter *e)
{
    if (under_way(e) < UNDER_WAY_MAX)
        return true;
    settle_credit(e);
    return under_way(e) < UNDER_WAY_MAX;
}

// --- sending -------------------------------------------------------------------------------------

// An event that the host refuses isn't tried again: it would refuse it again.
static void send(struct emitter *e, const char *name, const char *json, size_t len)
{
    char error[FALCO_ERROR_BYTES];
    int r;

    // Relaxed: pairs with the store in emitter_see().
    e->sink.stream_ts = load_relaxed(&e->stream_ts);
    r = async_event_push(&e->sink, name, json, len, error);
    if (r == 0) {
        if (under_way(e) == 0)
            e->moved_ns = e->now_ns;
        e->sent++;
        metrics_count(e->metrics, METRIC_EVENTS_EMITTED);
        // The clock was set back: relaxed, as in settle_credit().
        if (e->sink.last_ts <= load_relaxed(&e->given_up_ts))
            store_relaxed(&e->given_up_ts, e->sink.last_ts - 1);
        return;
    }
    metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
    if (!e->refused)
        logger_say(e->logger, FALCO_LOG_ERROR,
                   "the host refuses container events: %s; rules and captures may lack containers",
                   *error ? error : "out of memory");
    e->refused = true;
}

static void send_snapshot(struct emitter *e, const char *name)
{
    size_t len = 0;
    char *json = event_json_write(&e->snapshot, &len);

    if (!json)
        json = event_json_write_brief(&e->snapshot, &len);
    if (json)
        send(e, name, json, len);
    else
        metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
    free(json);
}

// --- marks ---------------------------------------------------------------------------------------

static uint32_t number_of(const struct cmeta_region *region, cmeta_handle handle)
{
    return ((uint32_t)handle - region->arena_offset) / CMETA_CACHE_LINE;
}

static cmeta_handle handle_of(const struct cmeta_region *region, uint32_t number)
{
    return cmeta_handle_make(region, region->arena_offset + number * CMETA_CACHE_LINE);
}

// The mark of an identity that the reader has accepted; NULL without memory.
static uint32_t *mark_of(struct emitter *e, const struct cmeta_region *region, cmeta_handle handle)
{
    uint32_t number = number_of(region, handle), room;
    uint32_t *moved;

    if (number < e->marks_count)
        return &e->marks[number];
    room = number + number / 2 + 256;
    moved = realloc(e->marks, room * sizeof(*moved));
    if (!moved)
        return NULL;
    memset(moved + e->marks_count, 0, (room - e->marks_count) * sizeof(*moved));
    e->marks = moved;
    e->marks_count = room;
    return &e->marks[number];
}

static bool is_told(uint32_t mark)
{
    return mark >= SNAPSHOT_DIGEST_MIN;
}

// --- waiting -------------------------------------------------------------------------------------

static bool wait_until(struct emitter *e, uint32_t number, uint64_t due_ns)
{
    if (e->waiting_end == e->waiting_room && e->waiting_first > e->waiting_room / 2) {
        e->waiting_end -= e->waiting_first;
        memmove(e->waiting, e->waiting + e->waiting_first, e->waiting_end * sizeof(*e->waiting));
        e->waiting_first = 0;
    }
    if (e->waiting_end == e->waiting_room) {
        uint32_t room = e->waiting_room ? 2 * e->waiting_room : 64;
        struct waiting *moved = realloc(e->waiting, room * sizeof(*moved));

        if (!moved)
            return false;
        e->waiting = moved;
        e->waiting_room = room;
    }
    e->waiting[e->waiting_end++] = (struct waiting){number, due_ns};
    return true;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

// --- one container -------------------------------------------------------------------------------

static bool is_removed(const struct snapshot *s)
{
    return CMETA_STATUS_STATE(s->status.word) == CMETA_STATE_REMOVED;
}

// Whether the table still leads to a container; a forgotten one's bytes stay, but nothing else.
static bool stands(const struct cmeta_region *region, cmeta_handle handle, const struct snapshot *s)
{
    cmeta_handle found = 0;

    return cmeta_reader_find_full(region, s->id, s->status.id.len, s->scope, s->status.scope.len,
                                  &found) == CMETA_FOUND &&
           found == handle;
}

static bool tell(struct emitter *e, uint32_t *mark)
{
    if (!has_credit(e))
        return false;
    send_snapshot(e, ASYNC_EVENT_CONTAINER);
    *mark = snapshot_digest(&e->snapshot);
    return true;
}

// A container that came and went before it was told is told all the same: events of its processes
// are on their way. One that went before we began is none of ours.
static bool look_at_gone(struct emitter *e, uint32_t *mark)
{
    bool before_us =
        e->snapshot.status.removed_ns != 0 && e->snapshot.status.removed_ns < e->begun_ns;

    if (*mark == MARK_GONE)
        return true;
    if (!is_told(*mark) && !before_us && !tell(e, mark))
        return false;
    if (is_told(*mark)) {
        if (!has_credit(e))
            return false;
        send_snapshot(e, ASYNC_EVENT_REMOVED);
    }
    *mark = MARK_GONE;
    return true;
}

static bool look_at_live(struct emitter *e, uint32_t *mark, uint32_t number, bool due)
{
    uint64_t now, first_seen = e->snapshot.status.first_seen_ns;

    if (*mark == snapshot_digest(&e->snapshot))
        return true;
    if (is_told(*mark) || due || snapshot_is_named(&e->snapshot))
        return tell(e, mark);
    if (*mark == MARK_WAITING)
        return true;
    now = clock_ns(CLOCK_REALTIME);
    if (now > first_seen && now - first_seen >= NAME_NS)
        return tell(e, mark);
    // From now, not from when it was first seen: so the list stays in order.
    if (!wait_until(e, number, e->now_ns + NAME_NS))
        return tell(e, mark);
    *mark = MARK_WAITING;
    return true;
}

/**
 * look_at() - send what is to be said of a container
 * @due: it has waited long enough
 *
 * Return: false if there is no room for it now, and it has to be looked at again.
 */
static bool look_at(struct emitter *e, const struct cmeta_region *region, cmeta_handle handle,
                    bool due)
{
    int taken = snapshot_take(&e->snapshot, region, handle);
    uint32_t *mark = taken == 1 ? mark_of(e, region, handle) : NULL;

    if (!mark) {
        if (taken != 0) // no memory
            metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
        return true;
    }
    if (is_removed(&e->snapshot) || !stands(region, handle, &e->snapshot))
        return look_at_gone(e, mark);
    return look_at_live(e, mark, number_of(region, handle), due);
}

// --- the stages ----------------------------------------------------------------------------------

static void begin_scan(struct emitter *e, const struct cmeta_region *region)
{
    e->stage = STAGE_SCAN;
    e->scan_head = cmeta_reader_revision(region);
    e->cursor = 0;
}

// Each stage's step: 1 goes on, 0 there is nothing more to do, -1 there is no room.
static int step_follow(struct emitter *e, const struct cmeta_region *region)
{
    struct cmeta_change change;
    uint64_t seen = e->seen;

    switch (cmeta_follow_next(region, &seen, &change)) {
    case CMETA_FOLLOW_LAPPED:
        begin_scan(e, region);
        return 1;
    case CMETA_FOLLOW_CHANGE:
        if (!look_at(e, region, change.handle, false))
            return -1;
        e->seen = seen;
        return 1;
    default:
        return 0;
    }
}

static int step_scan(struct emitter *e, const struct cmeta_region *region)
{
    struct cmeta_status status;
    uint64_t cursor = e->cursor;
    cmeta_handle handle;
    int r = cmeta_reader_next(region, &cursor, &handle);

    if (r == 1 && cmeta_reader_status(region, handle, &status) && status.revision > e->seen &&
        !look_at(e, region, handle, false))
        return -1;
    e->cursor = cursor;
    if (r == 0) {
        e->stage = STAGE_SWEEP;
        e->sweep = 0;
    }
    return 1;
}

// Those that were told and that the table no longer leads to.
static int step_sweep(struct emitter *e, const struct cmeta_region *region)
{
    while (e->sweep < e->marks_count && !is_told(e->marks[e->sweep]))
        e->sweep++;
    if (e->sweep == e->marks_count) {
        e->seen = e->scan_head;
        e->stage = STAGE_FOLLOW;
        return 1;
    }
    if (!look_at(e, region, handle_of(region, e->sweep), false))
        return -1;
    e->sweep++;
    return 1;
}

static int step(struct emitter *e, const struct cmeta_region *region)
{
    switch (e->stage) {
    case STAGE_SCAN:
        return step_scan(e, region);
    case STAGE_SWEEP:
        return step_sweep(e, region);
    default:
        return step_follow(e, region);
    }
}

// These two and the whole of it: as the stages' steps.
static int send_departed(struct emitter *e)
{
    struct departed *d = STAILQ_FIRST(&e->departed);

    if (!d)
        return 0;
    if (!has_credit(e))
        return -1;
    send(e, ASYNC_EVENT_REMOVED, d->json, d->len);
    STAILQ_REMOVE_HEAD(&e->departed, next);
    e->departed_bytes -= d->len;
    free(d->json);
    free(d);
    return 1;
}

static int send_waiting(struct emitter *e, const struct cmeta_region *region)
{
    const struct waiting *w;

    if (e->waiting_first == e->waiting_end) {
        e->waiting_first = e->waiting_end = 0;
        return 0;
    }
    w = &e->waiting[e->waiting_first];
    if (w->due_ns > e->now_ns)
        return 0;
    if (e->marks[w->number] == MARK_WAITING &&
        !look_at(e, region, handle_of(region, w->number), true))
        return -1;
    e->waiting_first++;
    return 1;
}

static int work(struct emitter *e, const struct cmeta_region *region)
{
    int r = send_departed(e);

    if (r == 0)
        r = send_waiting(e, region);
    return r != 0 ? r : step(e, region);
}

static unsigned ms_until_next(const struct emitter *e)
{
    uint64_t due = UINT64_MAX;

    if (e->waiting_first < e->waiting_end)
        due = e->waiting[e->waiting_first].due_ns;
    // So that what is lost is noticed although nothing changes any more.
    if (under_way(e) > 0 && e->moved_ns + SILENCE_NS < due)
        due = e->moved_ns + SILENCE_NS;
    if (due == UINT64_MAX)
        return UINT32_MAX;
    return due > e->now_ns ? (unsigned)((due - e->now_ns) / 1000000) + 1 : 1;
}

unsigned emitter_run(struct emitter *e, const struct cmeta_region *region, uint64_t now_ns)
{
    uint64_t begun_ns;
    int r;

    if (!e->sink.handler)
        return UINT32_MAX;
    e->now_ns = now_ns;
    settle_credit(e);
    begun_ns = clock_ns(CLOCK_MONOTONIC);
    do
        r = work(e, region);
    while (r > 0 && clock_ns(CLOCK_MONOTONIC) - begun_ns < RUN_NS);
    return r > 0 ? 0 : r < 0 ? BLOCKED_MS : ms_until_next(e);
}

// --- another region ------------------------------------------------------------------------------

static void forget_region(struct emitter *e)
{
    free(e->marks);
    free(e->waiting);
    e->marks = NULL;
    e->waiting = NULL;
    e->marks_count = 0;
    e->waiting_first = e->waiting_end = e->waiting_room = 0;
    e->seen = 0;
}

static void depart(struct emitter *e, const struct cmeta_region *old, cmeta_handle handle)
{
    struct departed *d;

    if (snapshot_take(&e->snapshot, old, handle) != 1)
        return;
    d = calloc(1, sizeof(*d));
    if (d && e->departed_bytes < DEPARTED_BYTES)
        d->json = event_json_write(&e->snapshot, &d->len);
    if (d && !d->json)
        d->json = event_json_write_brief(&e->snapshot, &d->len);
    if (!d || !d->json) {
        free(d);
        metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
        return;
    }
    e->departed_bytes += d->len;
    STAILQ_INSERT_TAIL(&e->departed, d, next);
}

// Hands the marks on to the same containers' identities in the new region. Those left are gone.
static void inherit(struct emitter *e, const struct cmeta_region *old,
                    const struct cmeta_region *new_region)
{
    uint32_t *marks = e->marks, count = e->marks_count;
    struct cmeta_status status;
    cmeta_handle handle, before = 0;
    uint64_t cursor = 0;
    int r;

    e->marks = NULL;
    e->marks_count = 0;
    while ((r = cmeta_reader_next(new_region, &cursor, &handle)) != 0) {
        uint32_t *mark;

        if (r != 1 || !cmeta_reader_status(new_region, handle, &status) ||
            cmeta_reader_find_full(old, status.id.data, status.id.len, status.scope.data,
                                   status.scope.len, &before) != CMETA_FOUND ||
            number_of(old, before) >= count)
            continue;
        mark = mark_of(e, new_region, handle);
        if (mark && marks[number_of(old, before)] != MARK_WAITING)
            *mark = marks[number_of(old, before)];
        marks[number_of(old, before)] = MARK_GONE;
    }
    for (uint32_t i = 0; i < count; i++)
        if (is_told(marks[i]))
            depart(e, old, handle_of(old, i));
    free(marks);
}

void emitter_replace(struct emitter *e, const struct cmeta_region *old,
                     const struct cmeta_region *new_region)
{
    if (!e->sink.handler)
        return;
    if (old)
        inherit(e, old, new_region);
    free(e->waiting);
    e->waiting = NULL;
    e->waiting_first = e->waiting_end = e->waiting_room = 0;
    e->seen = 0;
    begin_scan(e, new_region);
}

// --- life ----------------------------------------------------------------------------------------

void emitter_begin(struct emitter *e, struct falco_owner *owner, falco_async_handler handler)
{
    emitter_end(e);
    e->sink.owner = owner;
    e->sink.handler = handler;
    e->begun_ns = clock_ns(CLOCK_REALTIME);
    // What comes back from before isn't of this stream, so none of this one is as old.
    e->given_up_ts = e->sink.last_ts = e->begun_ns - 1;
}

void emitter_end(struct emitter *e)
{
    struct departed *d;

    while ((d = STAILQ_FIRST(&e->departed)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->departed, next);
        free(d->json);
        free(d);
    }
    forget_region(e);
    snapshot_clear(&e->snapshot);
    *e = (struct emitter){.logger = e->logger, .metrics = e->metrics};
    STAILQ_INIT(&e->departed);
}
