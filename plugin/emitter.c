// SPDX-License-Identifier: Apache-2.0
#include "emitter.h"

#include "departed.h"
#include "event_json.h"
#include "load.h"
#include "marks.h"
#include "sender.h"
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_NS    UINT64_C(2000000000) // how long a container may have no name or image
#define BLOCKED_MS 20u                  // between two looks for acknowledgements
#define WANTED_MS  5u                   // between two looks at those that wait
#define STEPS      64u                  // between two looks at the clock
#define RUN_NS     UINT64_C(5000000)    // a run ends after: whoever ends the follower waits for it

// What a mark says when it is no digest of what was told.
enum mark {
    MARK_UNTOLD = 0,
    MARK_WAITING, // untold, and in the list of those that wait
    MARK_GONE,    // its removal was told, or it was gone before we began
};

struct waiting {
    uint32_t number; // of the identity
    uint64_t due_ns; // CLOCK_MONOTONIC
};

enum stage { STAGE_FOLLOW, STAGE_SCAN, STAGE_SWEEP };

// One region is being replaced by the next.
struct replacement {
    const struct served *old; // NULL: there was none
    struct served *next;      // NULL: there is no replacement, or it is done
    struct marks marks;       // what was told of the old one's
    uint64_t cursor;          // in the next one
    uint32_t left;            // number of the old identity that the look for those left is at
    bool passed;              // the cursor is through
};

struct emitter {
    struct logger *logger;
    struct metrics *metrics;
    struct sender sender;
    struct snapshot snapshot; // the one being looked at
    uint64_t begun_ns;        // CLOCK_REALTIME
    uint64_t now_ns;          // CLOCK_MONOTONIC, of this run

    // What was told of each identity, by its number in the region: digest or enum mark.
    struct marks marks;

    enum stage stage;
    uint64_t seen;      // revision that everything up to was looked at
    uint64_t scan_head; // where the log stood when the scan began
    uint64_t cursor;    // of the scan
    uint32_t sweep;     // number of the identity that the sweep is at

    // First in, first out: all wait equally long.
    struct waiting *waiting;
    uint32_t waiting_first, waiting_end, waiting_room;

    struct departed_list departed;
    struct replacement replacement;
};

struct emitter *emitter_new(struct logger *logger, struct metrics *metrics)
{
    struct emitter *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->logger = logger;
    e->metrics = metrics;
    departed_init(&e->departed);
    return e;
}

struct emitter *emitter_free(struct emitter *e)
{
    if (e)
        emitter_end(e);
    free(e);
    return NULL;
}

void emitter_see(struct emitter *e, struct served *served, const struct falco_event *event)
{
    sender_see(&e->sender, served, event);
}

// --- sending -------------------------------------------------------------------------------------

static void send_snapshot(struct emitter *e, const char *name, struct telling *telling)
{
    size_t len = 0;
    char *json = event_json_write(&e->snapshot, &len);

    if (!json)
        json = event_json_write_brief(&e->snapshot, &len);
    sender_send(&e->sender, name, json, len, telling);
    free(json);
}

// --- marks ---------------------------------------------------------------------------------------

// The mark of an identity that the reader has accepted; NULL without memory.
static uint32_t *mark_of(struct emitter *e, const struct cmeta_region *region, cmeta_handle handle)
{
    return marks_at(&e->marks, served_number(region, handle),
                    region->arena_bytes / CMETA_CACHE_LINE);
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

static bool tell(struct emitter *e, struct served *served, uint32_t *mark, uint32_t number)
{
    struct telling telling = {
        .serial = served->serial, .number = number, .version = e->snapshot.version};

    if (!sender_has_room(&e->sender))
        return false;
    send_snapshot(e, ASYNC_EVENT_CONTAINER,
                  served_make_room(served, number) == 0 ? &telling : NULL);
    *mark = snapshot_digest(&e->snapshot);
    return true;
}

// A container that came and went before it was told is told all the same: events of its processes
// are on their way. So is what changed last. One that went before we began is none of ours.
static bool look_at_gone(struct emitter *e, struct served *served, uint32_t *mark, uint32_t number)
{
    bool before_us =
        e->snapshot.status.removed_ns != 0 && e->snapshot.status.removed_ns < e->begun_ns;

    if (*mark == MARK_GONE)
        return true;
    if (*mark != snapshot_digest(&e->snapshot) && (is_told(*mark) || !before_us) &&
        !tell(e, served, mark, number))
        return false;
    if (is_told(*mark)) {
        if (!sender_has_room(&e->sender))
            return false;
        send_snapshot(e, ASYNC_EVENT_REMOVED, NULL);
    }
    *mark = MARK_GONE;
    return true;
}

static bool look_at_live(struct emitter *e, struct served *served, uint32_t *mark, uint32_t number,
                         bool due)
{
    uint64_t now, first_seen = e->snapshot.status.first_seen_ns;

    if (*mark == snapshot_digest(&e->snapshot))
        return true;
    if (is_told(*mark) || *mark == MARK_GONE || due || snapshot_is_named(&e->snapshot))
        return tell(e, served, mark, number);
    if (*mark == MARK_WAITING)
        return true;
    now = clock_ns(CLOCK_REALTIME);
    if (now > first_seen && now - first_seen >= NAME_NS)
        return tell(e, served, mark, number);
    // From now, not from when it was first seen: so the list stays in order. Room, so that an event
    // can ask for it.
    if (served_make_room(served, number) < 0 || !wait_until(e, number, e->now_ns + NAME_NS))
        return tell(e, served, mark, number);
    *mark = MARK_WAITING;
    return true;
}

/**
 * look_at() - send what is to be said of a container
 * @due: it has waited long enough
 *
 * Return: false if there is no room for it now, and it has to be looked at again.
 */
static bool look_at(struct emitter *e, struct served *served, cmeta_handle handle, bool due)
{
    const struct cmeta_region *region = &served->region;
    int taken = snapshot_take(&e->snapshot, region, handle, 0);
    uint32_t *mark = taken == 1 ? mark_of(e, region, handle) : NULL;

    if (!mark) {
        if (taken != 0) // no memory
            metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
        return true;
    }
    if (is_removed(&e->snapshot) || !stands(region, handle, &e->snapshot))
        return look_at_gone(e, served, mark, served_number(region, handle));
    return look_at_live(e, served, mark, served_number(region, handle), due);
}

// --- the stages ----------------------------------------------------------------------------------

static void begin_scan(struct emitter *e, const struct cmeta_region *region)
{
    e->stage = STAGE_SCAN;
    e->scan_head = cmeta_reader_revision(region);
    e->cursor = 0;
}

// Each stage's step: 1 goes on, 0 there is nothing more to do, -1 there is no room.
static int step_follow(struct emitter *e, struct served *served)
{
    struct cmeta_change change;
    uint64_t seen = e->seen;

    switch (cmeta_follow_next(&served->region, &seen, &change)) {
    case CMETA_FOLLOW_LAPPED:
        begin_scan(e, &served->region);
        return 1;
    case CMETA_FOLLOW_CHANGE:
        if (!look_at(e, served, change.handle, false))
            return -1;
        e->seen = seen;
        return 1;
    default:
        return 0;
    }
}

static int step_scan(struct emitter *e, struct served *served)
{
    struct cmeta_status status;
    uint64_t cursor = e->cursor;
    cmeta_handle handle;
    int r = cmeta_reader_next(&served->region, &cursor, &handle);

    if (r == 1 && cmeta_reader_status(&served->region, handle, &status) &&
        status.revision > e->seen && !look_at(e, served, handle, false))
        return -1;
    e->cursor = cursor;
    if (r == 0) {
        e->stage = STAGE_SWEEP;
        e->sweep = 0;
    }
    return 1;
}

// Those that were told and that the table no longer leads to.
static int step_sweep(struct emitter *e, struct served *served)
{
    e->sweep = marks_next(&e->marks, e->sweep, SNAPSHOT_DIGEST_MIN);
    if (e->sweep == MARKS_END) {
        e->seen = e->scan_head;
        e->stage = STAGE_FOLLOW;
        return 1;
    }
    if (!look_at(e, served, served_handle(&served->region, e->sweep), false))
        return -1;
    e->sweep++;
    return 1;
}

static int step(struct emitter *e, struct served *served)
{
    switch (e->stage) {
    case STAGE_SCAN:
        return step_scan(e, served);
    case STAGE_SWEEP:
        return step_sweep(e, served);
    default:
        return step_follow(e, served);
    }
}

// These two and the whole of it: as the stages' steps.
static int send_departed(struct emitter *e)
{
    size_t len = 0;
    char *json;

    if (!departed_waits(&e->departed))
        return 0;
    if (!sender_has_room(&e->sender))
        return -1;
    json = departed_take(&e->departed, &len);
    sender_send(&e->sender, ASYNC_EVENT_REMOVED, json, len, NULL);
    free(json);
    return 1;
}

static int send_waiting(struct emitter *e, struct served *served)
{
    const struct waiting *w;

    if (e->waiting_first == e->waiting_end) {
        e->waiting_first = e->waiting_end = 0;
        return 0;
    }
    w = &e->waiting[e->waiting_first];
    if (w->due_ns > e->now_ns)
        return 0;
    if (marks_get(&e->marks, w->number) == MARK_WAITING &&
        !look_at(e, served, served_handle(&served->region, w->number), true))
        return -1;
    e->waiting_first++;
    return 1;
}

// Of those that wait, the ones that an event was seen of.
static void send_wanted(struct emitter *e, struct served *served)
{
    for (uint32_t i = e->waiting_first; i < e->waiting_end; i++) {
        uint32_t number = e->waiting[i].number;

        if (marks_get(&e->marks, number) == MARK_WAITING &&
            served_get(served, number) == SERVED_WANTED &&
            !look_at(e, served, served_handle(&served->region, number), true))
            return;
    }
}

static int work(struct emitter *e, struct served *served)
{
    int r = send_departed(e);

    if (r == 0)
        r = send_waiting(e, served);
    return r != 0 ? r : step(e, served);
}

static unsigned ms_until_next(const struct emitter *e)
{
    // So that what is lost is noticed although nothing changes any more.
    uint64_t due = sender_silence_ends_ns(&e->sender);

    // Soon, though most wait longer: somebody may want one of them.
    if (e->waiting_first < e->waiting_end)
        return WANTED_MS;
    if (due == UINT64_MAX)
        return UINT32_MAX;
    return due > e->now_ns ? (unsigned)((due - e->now_ns) / 1000000) + 1 : 1;
}

unsigned emitter_run(struct emitter *e, struct served *served, uint64_t now_ns)
{
    uint64_t begun_ns;
    int r;

    if (!sender_is_open(&e->sender))
        return UINT32_MAX;
    e->now_ns = now_ns;
    sender_settle(&e->sender, now_ns);
    begun_ns = clock_ns(CLOCK_MONOTONIC);
    send_wanted(e, served);
    do
        r = work(e, served);
    while (r > 0 && clock_ns(CLOCK_MONOTONIC) - begun_ns < RUN_NS);
    return r > 0 ? 0 : r < 0 ? BLOCKED_MS : ms_until_next(e);
}

// --- another region ------------------------------------------------------------------------------

static void forget_waiting(struct emitter *e)
{
    free(e->waiting);
    e->waiting = NULL;
    e->waiting_first = e->waiting_end = e->waiting_room = 0;
}

static void depart(struct emitter *e, const struct cmeta_region *old, cmeta_handle handle)
{
    if (snapshot_take(&e->snapshot, old, handle, 0) == 1 &&
        departed_add(&e->departed, &e->snapshot) < 0)
        metrics_count(e->metrics, METRIC_EVENTS_DROPPED);
}

// The mark of a container of the new region in the old one's marks; NULL if nothing was noted.
static uint32_t *mark_before(struct marks *marks, const struct cmeta_region *old,
                             const struct cmeta_status *status)
{
    cmeta_handle before = 0;
    uint32_t number;

    if (cmeta_reader_find_full(old, status->id.data, status->id.len, status->scope.data,
                               status->scope.len, &before) != CMETA_FOUND)
        return NULL;
    number = served_number(old, before);
    return marks_get(marks, number) == MARK_UNTOLD
               ? NULL
               : marks_at(marks, number, old->arena_bytes / CMETA_CACHE_LINE);
}

// What stands when a region comes into use is what its events are given until they tell otherwise.
static void note_present(struct served *served, cmeta_handle handle)
{
    uint32_t number = served_number(&served->region, handle);
    struct cmeta_view view;

    if (cmeta_reader_record(&served->region, handle, &view) &&
        served_make_room(served, number) == 0)
        served_set(served, number, cmeta_reader_version_of(&served->region, &view));
}

// Hands the mark on to the same container's identity in the new region. Those left are gone.
static void inherit(struct emitter *e, struct replacement *r, cmeta_handle handle)
{
    const struct cmeta_region *region = &r->next->region;
    struct cmeta_status status;
    uint32_t *mark, *before;

    if (!r->old || !cmeta_reader_status(region, handle, &status))
        return;
    before = mark_before(&r->marks, &r->old->region, &status);
    if (!before)
        return;
    mark = mark_of(e, region, handle);
    if (mark && *before != MARK_WAITING)
        *mark = *before;
    *before = MARK_GONE;
}

// Return: 1 to go on, 0 at the end; the same for the next one.
static int pass_one(struct emitter *e, struct replacement *r)
{
    cmeta_handle handle;
    int found = cmeta_reader_next(&r->next->region, &r->cursor, &handle);

    if (found == 1) {
        note_present(r->next, handle);
        inherit(e, r, handle);
    }
    return found != 0;
}

static int depart_one(struct emitter *e, struct replacement *r)
{
    r->left = marks_next(&r->marks, r->left, SNAPSHOT_DIGEST_MIN);
    if (r->left == MARKS_END)
        return 0;
    depart(e, &r->old->region, served_handle(&r->old->region, r->left));
    r->left++;
    return 1;
}

static void end_replacement(struct emitter *e)
{
    marks_clear(&e->replacement.marks);
    e->replacement = (struct replacement){.old = NULL};
}

void emitter_replace(struct emitter *e, const struct served *old, struct served *served)
{
    if (!sender_is_open(&e->sender))
        return;
    e->replacement = (struct replacement){.old = old, .next = served, .marks = e->marks};
    e->marks = (struct marks){.chunks = NULL};
    forget_waiting(e);
    e->seen = 0;
}

int emitter_replace_step(struct emitter *e)
{
    uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    struct replacement *r = &e->replacement;

    while (r->next) {
        for (unsigned i = 0; i < STEPS && !r->passed; i++)
            r->passed = !pass_one(e, r);
        for (unsigned i = 0; i < STEPS && r->passed; i++)
            if (!depart_one(e, r)) {
                begin_scan(e, &r->next->region);
                end_replacement(e);
                return 0;
            }
        if (clock_ns(CLOCK_MONOTONIC) - begun_ns >= RUN_NS)
            return 1;
    }
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

void emitter_begin(struct emitter *e, struct falco_owner *owner, falco_async_handler handler)
{
    emitter_end(e);
    e->begun_ns = clock_ns(CLOCK_REALTIME);
    sender_begin(&e->sender, e->logger, e->metrics, owner, handler, e->begun_ns);
}

void emitter_end(struct emitter *e)
{
    departed_clear(&e->departed);
    marks_clear(&e->marks);
    end_replacement(e);
    forget_waiting(e);
    snapshot_clear(&e->snapshot);
    *e = (struct emitter){.logger = e->logger, .metrics = e->metrics};
    departed_init(&e->departed);
}
