// SPDX-License-Identifier: Apache-2.0
#include "records.h"

#include "category.h"
#include "event.h"
#include "late.h"

#include <stdlib.h>
#include <string.h>

// Why a thread is looked at.
enum occasion {
    OCCASION_CLONE, // its own start
    OCCASION_EXEC,  // exec, chroot, or a parent's return from clone: it stood before
    OCCASION_SCAN,  // it stands when the capture begins
    OCCASION_NEED,  // a field is wanted, and it is unresolved
};

struct records {
    const struct config *config;
    struct follower *follower;
    const struct follower_shared *shared; // the follower's
    struct metrics *metrics;
    struct threads threads;
    struct witness witness; // of the thread being looked at
    struct late late;
    struct capture *capture;
    struct lookup lookup;
    uint32_t questions; // number of the last one
    uint64_t event_ts;  // of the event at hand

    // The event that `subject` belongs to.
    bool resolved;
    uint64_t evtnum, ts, tid;
    struct subject subject;
};

struct records *records_new(const struct config *config, struct follower *follower,
                            struct metrics *metrics)
{
    struct records *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->capture = capture_new(metrics);
    if (!r->capture)
        return records_free(r);
    r->lookup.captured = capture_containers(r->capture);
    r->lookup.shared = follower_share(follower);
    r->config = config;
    r->follower = follower;
    r->shared = follower_share(follower);
    r->metrics = metrics;
    return r;
}

struct records *records_free(struct records *r)
{
    if (r) {
        capture_free(r->capture);
        free(r);
    }
    return NULL;
}

int records_bind(struct records *r, const struct falco_init_input *in, char *error,
                 size_t error_size)
{
    return threads_bind(&r->threads, in, error, error_size);
}

void records_forget(struct records *r)
{
    r->resolved = false;
    late_clear(&r->late);
}

void records_end(struct records *r)
{
    records_forget(r);
    capture_forget(r->capture);
}

const struct cmeta_region *records_region(const struct records *r)
{
    return follower_region(r->shared);
}

const struct capture_store *records_captured(const struct records *r)
{
    return r->lookup.captured;
}

// --- from cgroups to a reference -----------------------------------------------------------------

// The daemon asks the engines for what the region doesn't have. In a replay there is none.
static void tell_daemon(const struct records *r, enum cmeta_miss miss, enum cmeta_layout layout,
                        const char *id, size_t len)
{
    if (follower_is_running(r->follower))
        follower_hint(r->follower, miss, layout, id, len, r->event_ts);
}

// The reference that a testimony stands for; its `id` becomes the text of container_id.
static uint64_t recognise(const struct records *r, struct witness *w)
{
    enum cmeta_found found = CMETA_ABSENT;
    cmeta_handle handle = 0;
    size_t shown = 0;
    uint64_t ref = REF_HOST;

    if (w->strength != CMETA_NO_MATCH) {
        found = lookup_witness(&r->lookup, w, &handle);
        ref = w->strength == CMETA_STRONG ? REF_ABSENT : REF_WEAK;
        ref = found == CMETA_FOUND ? handle : ref | lookup_stamp(&r->lookup);
        if (found == CMETA_ABSENT && w->strength == CMETA_STRONG)
            tell_daemon(r, CMETA_MISS_ABSENT, w->layout, w->id, w->id_len);
        if (found == CMETA_FOUND || w->strength == CMETA_STRONG)
            shown = witness_shown(w);
    }
    w->id[shown] = '\0';
    return ref;
}

static uint64_t ask(struct records *r, int64_t tid, bool was_host)
{
    uint32_t token = REF_STAMP(r->questions + 1);

    if (!follower_ask(r->follower, tid, token)) {
        metrics_count(r->metrics, METRIC_UNSURE_DROPPED);
        return was_host ? REF_HOST : REF_UNRESOLVED;
    }
    r->questions++;
    metrics_count(r->metrics, METRIC_UNSURE_THREADS);
    return (was_host ? REF_ASKED_HOST : REF_ASKED) | token;
}

// What the thread was before, or its parent when it has just begun. `id` gets the container's.
static uint64_t previous(const struct records *r, const struct table_access *access,
                         struct falco_entry *entry, enum occasion occasion, char *id)
{
    const struct threads *t = &r->threads;
    struct falco_entry *from = entry;
    uint64_t ref;

    if (occasion == OCCASION_CLONE)
        from = threads_get(t, access,
                           (int64_t)threads_number(t, access, entry, t->ptid, (uint64_t)-1));
    if (!from)
        return REF_UNRESOLVED;
    ref = threads_ref(t, access, from);
    if (ref_is_handle(ref) || REF_KIND(ref) == REF_ABSENT) {
        const char *text = threads_id(t, access, from);
        size_t len = strnlen(text, CMETA_ID_MAX);

        memcpy(id, text, len);
        id[len] = '\0';
    }
    if (from != entry)
        threads_put(t, access, from);
    return ref;
}

// No match may mean that the path lost its head, or that the process was seen from within a
// namespace. Such a thread is what it or its parent was; where that doesn't settle it, /proc is
// asked. A thread of the host with a cut path is asked for at exec, because that is when runtimes
// have moved it. In a replay there is nobody to ask.
static uint64_t settle_unsure(struct records *r, const struct table_access *access,
                              struct falco_entry *entry, int64_t tid, enum occasion occasion)
{
    struct witness *w = &r->witness;
    uint64_t ref = previous(r, access, entry, occasion, w->id);
    bool was_host = ref == REF_HOST || REF_KIND(ref) == REF_ASKED_HOST || REF_KIND(ref) == REF_WEAK;

    if (ref_is_handle(ref) || REF_KIND(ref) == REF_ABSENT)
        return ref;
    w->id[0] = '\0';
    if (!follower_is_running(r->follower))
        return REF_HOST;
    if (was_host && !(w->cut && occasion == OCCASION_EXEC))
        return REF_HOST;
    return ask(r, tid, was_host);
}

// The reference for a thread whose rows have been heard.
static uint64_t decide(struct records *r, const struct table_access *access,
                       struct falco_entry *entry, int64_t tid, enum occasion occasion)
{
    struct witness *w = &r->witness;
    uint64_t ref;

    if (r->config->fixed.enabled) {
        strcpy(w->id, w->any ? r->config->fixed.id : "");
        return w->any ? REF_STATIC : REF_HOST;
    }
    ref = recognise(r, w);
    if (ref != REF_HOST && !(REF_KIND(ref) == REF_WEAK && w->cut))
        return ref;
    if (!w->cut && !threads_is_foreign(&r->threads, access, entry))
        return ref;
    return settle_unsure(r, access, entry, tid, occasion);
}

// --- parsing -------------------------------------------------------------------------------------

static void write_category(struct records *r, const struct table_access *access,
                           struct falco_entry *entry, uint64_t ref, const char *id, bool moved,
                           const struct falco_event *exec)
{
    struct cmeta_view view;
    bool known = *id && ref_is_handle(ref) && lookup_record(&r->lookup, ref, &view);

    category_write(&r->threads, access, entry, *id, moved, known ? &view : NULL, exec);
}

// Return: whether the thread came into another container, or out of one.
static bool write_ref(struct records *r, const struct table_access *access,
                      struct falco_entry *entry, uint64_t old, uint64_t ref, const char *id)
{
    if (REF_KIND(ref) == REF_ABSENT && REF_KIND(old) != REF_ABSENT)
        metrics_count(r->metrics, METRIC_LOOKUPS_UNKNOWN);
    return threads_write(&r->threads, access, entry, old, ref, id);
}

// A container's first program begins: PID 1 in it, and the engine hasn't told of a start yet. Pods'
// sandboxes are left out: nobody asks for the image of one.
static void count_first(struct records *r, const struct table_access *access,
                        struct falco_entry *entry, uint64_t ref)
{
    const struct cmeta_region *region = records_region(r);
    struct cmeta_status status;
    struct cmeta_view view;

    if (!follower_is_running(r->follower) || !region ||
        threads_number(&r->threads, access, entry, r->threads.vpid, 0) != 1)
        return;
    if (REF_KIND(ref) == REF_ABSENT)
        metrics_count(r->metrics, METRIC_FIRST_ABSENT);
    if (!ref_is_handle(ref) || !cmeta_handle_is_of(region, ref) ||
        !cmeta_reader_status(region, ref, &status) || !cmeta_reader_record(region, ref, &view) ||
        CMETA_STATUS_STATE(status.word) == CMETA_STATE_RUNNING ||
        CMETA_STATUS_STATE(status.word) == CMETA_STATE_PAUSED ||
        cmeta_view_flags(&view) & CMETA_FLAG_POD_SANDBOX)
        return;
    if ((cmeta_view_known(&view) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE) {
        metrics_count(r->metrics, METRIC_FIRST_COMPLETE);
        return;
    }
    metrics_count(r->metrics, METRIC_FIRST_INCOMPLETE);
    tell_daemon(r, CMETA_MISS_INCOMPLETE, CMETA_LAYOUT_NONE, status.id.data, status.id.len);
}

// `exec`: the event that tells the thread's command, and in `param` its cgroups; or NULL.
static void evaluate(struct records *r, const struct table_access *access,
                     struct falco_entry *entry, int64_t tid, enum occasion occasion,
                     const char *param, size_t param_len, const struct falco_event *exec)
{
    uint64_t old = threads_ref(&r->threads, access, entry), ref;
    bool moved;

    witness_begin(&r->witness);
    if (param_len)
        identify_param(r->config->layouts, &r->witness, param, param_len);
    if (!r->witness.any)
        threads_hear(&r->threads, access, entry, r->config->layouts, &r->witness);
    ref = decide(r, access, entry, tid, occasion);
    moved = write_ref(r, access, entry, old, ref, r->witness.id);
    if (exec && event_is_exec(exec) && ref != REF_HOST)
        count_first(r, access, entry, ref);
    if (occasion != OCCASION_SCAN)
        write_category(r, access, entry, ref, r->witness.id, moved, exec);
}

static void evaluate_event(struct records *r, const struct table_access *access,
                           const struct falco_event *event, enum occasion occasion,
                           uint32_t cgroups_param)
{
    const char *param = NULL;
    size_t len = 0;
    struct falco_entry *entry;

    if (event->tid == FALCO_TID_NONE)
        return;
    entry = threads_get(&r->threads, access, (int64_t)event->tid);
    if (!entry)
        return;
    if (cgroups_param && !event_param(event, cgroups_param, &param, &len))
        len = 0;
    evaluate(r, access, entry, (int64_t)event->tid, occasion, param, len,
             cgroups_param ? event : NULL);
    threads_put(&r->threads, access, entry);
}

static void write_resolved(struct records *r, const struct table_access *access,
                           struct falco_entry *entry, uint64_t old, uint64_t ref, const char *id)
{
    bool moved = write_ref(r, access, entry, old, ref, id);

    metrics_count(r->metrics, METRIC_RESOLVED_LATE);
    write_category(r, access, entry, ref, id, moved, NULL);
}

// Nothing has been written since these were found: every writing begins here.
static void write_late(struct records *r, const struct table_access *access)
{
    for (uint32_t i = 0; i < r->late.used; i++) {
        const struct late_answer *a = &r->late.slots[r->late.order[i]];
        struct falco_entry *entry = threads_get(&r->threads, access, a->tid);

        if (!entry)
            continue;
        write_resolved(r, access, entry, threads_ref(&r->threads, access, entry), a->ref, a->id);
        threads_put(&r->threads, access, entry);
    }
    late_clear(&r->late);
}

// An answer counts only for the thread that carries its token: a successor of the same number, or
// one that has started another program since, does not.
static void write_answer(struct records *r, const struct table_access *access, struct answer *a)
{
    struct falco_entry *entry = threads_get(&r->threads, access, a->tid);
    uint64_t old;

    if (!entry)
        return;
    old = threads_ref(&r->threads, access, entry);
    if (old == (REF_ASKED | a->token) || old == (REF_ASKED_HOST | a->token)) {
        uint64_t ref = recognise(r, &a->witness);

        write_resolved(r, access, entry, old, ref, a->witness.id);
    }
    threads_put(&r->threads, access, entry);
}

static void write_answers(struct records *r, const struct table_access *access)
{
    struct answer *answer;

    // As many as the ring holds, even if the follower is quick to add more.
    for (unsigned n = 0; n < 64 && (answer = follower_answer(r->follower)) != NULL; n++) {
        write_answer(r, access, answer);
        follower_answered(r->follower);
    }
}

// A live run knows the region only: what comes back there has been told by ourselves.
static bool is_live(const struct records *r)
{
    return follower_is_running(r->follower) && records_region(r);
}

static void begin_writing(struct records *r, const struct table_access *access)
{
    follower_update(r->follower, r->shared);
    if (capture_store_count(r->lookup.captured) && is_live(r))
        capture_forget(r->capture);
    r->resolved = false;
    if (r->late.used)
        write_late(r, access);
    write_answers(r, access);
}

void records_parse(struct records *r, const struct table_access *access,
                   const struct falco_event_input *in)
{
    const struct falco_event *event = in->evt;
    int64_t result;

    r->event_ts = event->ts;
    begin_writing(r, access);
    switch (event->type) {
    case FALCO_EVENT_CLONE_EXIT:
    case FALCO_EVENT_FORK_EXIT:
    case FALCO_EVENT_VFORK_EXIT:
    case FALCO_EVENT_CLONE3_EXIT:
        if (event_succeeded(event, &result))
            evaluate_event(r, access, event, result == 0 ? OCCASION_CLONE : OCCASION_EXEC,
                           FALCO_CLONE_CGROUPS);
        break;
    case FALCO_EVENT_EXECVE_15_EXIT:
    case FALCO_EVENT_EXECVE_16_EXIT:
    case FALCO_EVENT_EXECVE_17_EXIT:
    case FALCO_EVENT_EXECVE_EXIT:
    case FALCO_EVENT_EXECVEAT_EXIT:
        if (event_succeeded(event, NULL))
            evaluate_event(r, access, event, OCCASION_EXEC, FALCO_EXEC_CGROUPS);
        break;
    case FALCO_EVENT_CHROOT_EXIT:
        if (event_succeeded(event, NULL))
            evaluate_event(r, access, event, OCCASION_EXEC, 0);
        break;
    case FALCO_EVENT_ASYNC:
    case FALCO_EVENT_CONTAINER:
    case FALCO_EVENT_CONTAINER_JSON:
    case FALCO_EVENT_CONTAINER_JSON_2:
        if (!is_live(r) && !r->config->fixed.enabled)
            capture_hear(r->capture, in);
        break;
    default:
        break;
    }
}

// --- the scan ------------------------------------------------------------------------------------

struct scan {
    struct records *records;
    const struct table_access *access;
    bool main_threads; // first the main ones, then those that follow them
};

// A thread is where its process is. Reading a subtable is dear in a scan: the host keeps a slot for
// each, and older hosts look for a free one from the beginning.
static bool copy_from_main(struct records *r, const struct table_access *access,
                           struct falco_entry *entry, int64_t pid)
{
    struct falco_entry *main_thread = threads_get(&r->threads, access, pid);
    uint64_t ref;
    bool told;

    if (!main_thread)
        return false;
    ref = threads_ref(&r->threads, access, main_thread);
    told = ref != REF_UNRESOLVED && REF_KIND(ref) != REF_ASKED && REF_KIND(ref) != REF_ASKED_HOST;
    if (told)
        write_ref(r, access, entry, threads_ref(&r->threads, access, entry), ref,
                  threads_id(&r->threads, access, main_thread));
    threads_put(&r->threads, access, main_thread);
    return told;
}

static falco_bool scan_thread(void *state, struct falco_entry *entry)
{
    const struct scan *scan = state;
    struct records *r = scan->records;
    const struct threads *t = &r->threads;
    int64_t tid = (int64_t)threads_number(t, scan->access, entry, t->tid, (uint64_t)-1);
    int64_t pid = (int64_t)threads_number(t, scan->access, entry, t->pid, (uint64_t)-1);

    if ((tid == pid) != scan->main_threads)
        return 1;
    if (scan->main_threads || !copy_from_main(r, scan->access, entry, pid))
        evaluate(r, scan->access, entry, tid, OCCASION_SCAN, NULL, 0, NULL);
    return 1;
}

// When all threads' containers are written, so that ancestors can be told from the host's.
static falco_bool scan_category(void *state, struct falco_entry *entry)
{
    const struct scan *scan = state;
    const struct threads *t = &scan->records->threads;
    uint64_t ref = threads_ref(t, scan->access, entry);

    // Without a container there is nothing to be; most threads are such.
    if (ref != REF_HOST)
        write_category(scan->records, scan->access, entry, ref, threads_id(t, scan->access, entry),
                       true, NULL);
    return 1;
}

void records_scan(struct records *r, const struct table_access *access)
{
    struct scan scan = {r, access, true};

    begin_writing(r, access);
    access->reader->iterate_entries(r->threads.table, scan_thread, &scan);
    scan.main_threads = false;
    access->reader->iterate_entries(r->threads.table, scan_thread, &scan);
    access->reader->iterate_entries(r->threads.table, scan_category, &scan);
}

// --- extraction ----------------------------------------------------------------------------------

static void be_container(struct subject *s, const char *id)
{
    size_t len = strnlen(id, CMETA_ID_MAX);

    s->kind = SUBJECT_CONTAINER;
    memmove(s->id, id, len); // it may be the very same
    s->id[len] = '\0';
}

// The record of a handle; noise or a limit may have taken it away.
static void be_record(struct records *r, cmeta_handle handle, const char *id)
{
    struct subject *s = &r->subject;

    s->handle = handle;
    s->found = lookup_record(&r->lookup, handle, &s->view);
    if (s->found)
        s->kind = SUBJECT_RECORD;
    else
        be_container(s, id);
}

// The subject of a reference that has just been found, with the text of its container_id.
static void be_ref(struct records *r, uint64_t ref, const char *id)
{
    struct subject *s = &r->subject;

    if (ref_is_handle(ref))
        be_record(r, ref, id);
    else if (REF_KIND(ref) == REF_ABSENT)
        be_container(s, id);
    else if (ref == REF_STATIC)
        s->kind = SUBJECT_STATIC;
    else if (ref == REF_UNRESOLVED || REF_KIND(ref) == REF_ASKED)
        s->kind = SUBJECT_UNSURE;
    else
        s->kind = SUBJECT_HOST;
}

static void resolve_from_cgroups(struct records *r, const struct table_access *access,
                                 struct falco_entry *entry, int64_t tid)
{
    const struct late_answer *waiting = late_find(&r->late, tid);
    uint64_t ref;

    // Asked for already, but the question's token couldn't be written yet.
    if (waiting && REF_KIND(waiting->ref) == REF_ASKED) {
        r->subject.kind = SUBJECT_UNSURE;
        return;
    }
    witness_begin(&r->witness);
    threads_hear(&r->threads, access, entry, r->config->layouts, &r->witness);
    ref = decide(r, access, entry, tid, OCCASION_NEED);
    if (ref != REF_UNRESOLVED)
        late_remember(&r->late, tid, ref, r->witness.id);
    be_ref(r, ref, r->witness.id);
}

// What is known has changed, or is of another region: look the thread's container up by its ID.
static void resolve_from_id(struct records *r, const struct table_access *access,
                            struct falco_entry *entry, int64_t tid)
{
    enum cmeta_found found;
    cmeta_handle handle = 0;
    uint64_t ref;

    metrics_count(r->metrics, METRIC_LOOKUPS_REPEATED);
    be_container(&r->subject, threads_id(&r->threads, access, entry));
    found = lookup_id(&r->lookup, r->subject.id, strlen(r->subject.id), &handle);
    if (found == CMETA_AMBIGUOUS) {
        resolve_from_cgroups(r, access, entry, tid);
        return;
    }
    ref = found == CMETA_FOUND ? handle : REF_ABSENT | lookup_stamp(&r->lookup);
    late_remember(&r->late, tid, ref, r->subject.id);
    be_ref(r, ref, r->subject.id);
}

static void resolve_thread(struct records *r, const struct table_access *access,
                           struct falco_entry *entry, int64_t tid)
{
    uint64_t ref = threads_ref(&r->threads, access, entry);
    bool changed = REF_STAMP(ref) != lookup_stamp(&r->lookup);

    if (ref_is_handle(ref)) {
        r->subject.found = lookup_record(&r->lookup, ref, &r->subject.view);
        if (r->subject.found) {
            r->subject.handle = ref;
            r->subject.kind = SUBJECT_RECORD;
        } else {
            resolve_from_id(r, access, entry, tid);
        }
    } else if (ref == REF_UNRESOLVED || (REF_KIND(ref) == REF_WEAK && changed)) {
        resolve_from_cgroups(r, access, entry, tid);
    } else if (REF_KIND(ref) == REF_ABSENT && changed) {
        resolve_from_id(r, access, entry, tid);
    } else if (REF_KIND(ref) == REF_ABSENT) {
        be_container(&r->subject, threads_id(&r->threads, access, entry));
    } else {
        be_ref(r, ref, "");
    }
}

// The event's own word, whether it has been parsed or not; its thread, if it names one, is whoever
// sent it.
static void resolve_told(struct records *r, const struct falco_event_input *in)
{
    struct subject *s = &r->subject;
    const struct told *told = capture_told(r->capture, in);

    s->is_told = true;
    if (!told)
        return;
    s->told = told;
    if (told->host)
        s->kind = SUBJECT_HOST;
    else if (cmeta_view_init(&s->view, told->record, told->size) == 0)
        s->kind = SUBJECT_RECORD;
}

static void resolve(struct records *r, const struct table_access *access,
                    const struct falco_event_input *in)
{
    int64_t tid = (int64_t)in->evt->tid;
    struct falco_entry *entry;

    r->subject.kind = SUBJECT_NONE;
    r->subject.found = SERVED_NONE;
    r->subject.is_told = false;
    r->subject.told = NULL;
    if (event_tells(in->evt) != EVENT_TELLS_NOTHING) {
        resolve_told(r, in);
        return;
    }
    entry = tid == -1 ? NULL : threads_get(&r->threads, access, tid);
    if (!entry)
        return;
    resolve_thread(r, access, entry, tid);
    threads_put(&r->threads, access, entry);
}

// What became of it, by reason.
static void count_lookup(struct records *r)
{
    static const uint8_t counters[] = {
        [SUBJECT_NONE] = METRIC_LOOKUPS_NO_THREAD, [SUBJECT_UNSURE] = METRIC_LOOKUPS_UNSURE,
        [SUBJECT_HOST] = METRIC_LOOKUPS_HOST,      [SUBJECT_CONTAINER] = METRIC_LOOKUPS_ABSENT,
        [SUBJECT_RECORD] = METRIC_LOOKUPS_HIT,     [SUBJECT_STATIC] = METRIC_LOOKUPS_HIT};
    enum metric which = counters[r->subject.kind];

    if (which == METRIC_LOOKUPS_ABSENT && !records_region(r))
        which = METRIC_LOOKUPS_NO_REGION;
    metrics_count(r->metrics, METRIC_LOOKUPS);
    metrics_count(r->metrics, which);
    if (r->subject.found == SERVED_AHEAD && is_live(r))
        metrics_count(r->metrics, METRIC_LOOKUPS_UNTOLD);
}

const struct subject *records_resolve(struct records *r, const struct table_access *access,
                                      const struct falco_event_input *in)
{
    const struct falco_event *event = in->evt;
    bool swapped = follower_update(r->follower, r->shared);

    if (!swapped && r->resolved && r->evtnum == in->evtnum && r->ts == event->ts &&
        r->tid == event->tid)
        return &r->subject;
    r->resolved = true;
    r->evtnum = in->evtnum;
    r->ts = r->event_ts = event->ts;
    r->tid = event->tid;
    resolve(r, access, in);
    count_lookup(r);
    return &r->subject;
}

int records_id(const struct records *r, const struct subject *s, bool whole, struct cmeta_str *out)
{
    const char *id;

    if (!s->told)
        return lookup_text(&r->lookup, s->handle, whole, out);
    id = whole ? s->told->full_id : s->told->id;
    *out = (struct cmeta_str){id, (uint32_t)strlen(id)};
    return *id != '\0';
}

// Written when its container's probes weren't known yet, or not written yet: it is found now.
enum thread_category records_category(struct records *r, const struct table_access *access,
                                      const struct falco_event *event, const struct subject *s)
{
    const struct threads *t = &r->threads;
    struct falco_entry *entry;
    enum thread_category category;

    entry = event->tid == FALCO_TID_NONE ? NULL : threads_get(t, access, (int64_t)event->tid);
    if (!entry)
        return CATEGORY_NONE;
    category = threads_category(t, access, entry);
    if (category == CATEGORY_NONE)
        category = category_find(t, access, entry, &s->view, NULL);
    threads_put(t, access, entry);
    return category;
}

uint64_t records_pidns_start(struct records *r, const struct table_access *access,
                             const struct falco_event *event)
{
    const struct threads *t = &r->threads;
    struct falco_entry *entry;
    uint64_t start;

    entry = event->tid == FALCO_TID_NONE ? NULL : threads_get(t, access, (int64_t)event->tid);
    if (!entry)
        return 0;
    start = threads_number(t, access, entry, t->pidns_init_start_ts, 0);
    threads_put(t, access, entry);
    return start;
}
