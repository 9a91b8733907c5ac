// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include "cleanup.h"
#include "clock.h"
#include "content.h"
#include "store_internal.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

// How long a removed container is remembered, so that a late answer doesn't revive it: longer than
// any question may wait for its answer.
#define REMEMBER_NS UINT64_C(60000000000)
// How many of them; then the oldest are forgotten first.
#define REMEMBER_MAX 4096u
// How often containers that couldn't be published are offered again, and when it is given up.
#define RETRY_NS       UINT64_C(10000000000)
#define RETRY_FAILURES 16u
// How many containers that couldn't be published are kept: their engine names them again.
#define REFUSED_MAX 1024u

struct store *store_new(const struct store_output *output)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        return NULL;
    store->output = *output;
    store->born_ns = clock_ns(CLOCK_REALTIME);
    TAILQ_INIT(&store->dead);
    return store;
}

static int compare_text(struct cmeta_str a, struct cmeta_str b)
{
    uint32_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_names(const void *a, const void *b)
{
    const struct cmeta_name *x = a, *y = b;
    int order = compare_text(x->id, y->id);

    return order ? order : compare_text(x->scope, y->scope);
}

static struct item *item_of(const void *name)
{
    return (struct item *)((uintptr_t)name - offsetof(struct item, name));
}

static struct item *find(const struct store *store, const struct cmeta_name *name)
{
    void *node = tfind(name, (void *const *)&store->tree, compare_names);

    return node ? item_of(*(void **)node) : NULL;
}

struct item *store_find(const struct store *store, const struct cmeta_name *name)
{
    return find(store, name);
}

static struct item *add(struct store *store, const struct cmeta_name *name)
{
    struct item *item = calloc(1, sizeof(*item) + name->id.len + name->scope.len + 2);

    if (!item)
        return NULL;
    memcpy(item->text, name->id.data, name->id.len);
    if (name->scope.len)
        memcpy(item->text + name->id.len + 1, name->scope.data, name->scope.len);
    item->name = (struct cmeta_name){{item->text, name->id.len},
                                     {item->text + name->id.len + 1, name->scope.len}};
    if (!tsearch(&item->name, &store->tree, compare_names)) {
        free(item);
        return NULL;
    }
    item->first_seen_ns = clock_ns(CLOCK_REALTIME);
    if (store->cgroup_of)
        item->cgroup_id = store->cgroup_of(store->cgroups, &item->name);
    LIST_INSERT_HEAD(&store->items, item, all);
    store->count++;
    store->live++;
    return item;
}

// What a view counts for, while it has a record.
static void account(struct store *store, const struct view *view)
{
    if (!view->record || view->row >= STORE_ROWS)
        return;
    store->claims[view->row]++;
    store->bytes[view->row] += view->size;
}

static void discount(struct store *store, const struct view *view)
{
    if (!view->record || view->row >= STORE_ROWS)
        return;
    store->claims[view->row]--;
    store->bytes[view->row] -= view->size;
}

static void drop(struct store *store, struct item *item)
{
    tdelete(&item->name, &store->tree, compare_names);
    LIST_REMOVE(item, all);
    if (item->removed)
        TAILQ_REMOVE(&store->dead, item, dead);
    while (item->views) {
        struct view *next = item->views->next;

        discount(store, item->views);
        view_free(item->views);
        item->views = next;
    }
    store->count--;
    store->live -= !item->removed;
    store->incomplete -= item->incomplete;
    store->refused -= item->refused;
    free(item);
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    while (!LIST_EMPTY(&store->items))
        drop(store, LIST_FIRST(&store->items));
    free(store);
    return NULL;
}

uint64_t store_stamp(struct store *store)
{
    return ++store->clock;
}

void store_set_precedence(struct store *store, unsigned row, int precedence)
{
    store->precedence[row] = precedence;
}

// --- views of an item ---------------------------------------------------------------------------

static struct view *find_view(const struct item *item, unsigned row)
{
    struct view *view = item->views;

    while (view && view->row != row)
        view = view->next;
    return view;
}

static bool better(const struct view *a, const struct view *b)
{
    return a->precedence != b->precedence ? a->precedence > b->precedence : a->row < b->row;
}

static struct view *add_view(struct store *store, struct item *item, unsigned row)
{
    int precedence = row == VIEW_RESTORED ? INT32_MIN : store->precedence[row];
    struct view *view = view_new(row, precedence), **place = &item->views;

    if (!view)
        return NULL;
    while (*place && better(*place, view))
        place = &(*place)->next;
    view->next = *place;
    *place = view;
    return view;
}

static void remove_view(struct store *store, struct item *item, struct view *view)
{
    struct view **place = &item->views;

    while (*place != view)
        place = &(*place)->next;
    *place = view->next;
    discount(store, view);
    view_free(view);
}

static void silence(struct store *store, struct view *view, uint64_t asked)
{
    discount(store, view);
    view_gone(view, asked);
}

static bool claimed(const struct item *item)
{
    for (const struct view *view = item->views; view; view = view->next)
        if (view->record)
            return true;
    return false;
}

// --- confined sources ----------------------------------------------------------------------------

static bool is_confined(const struct store *store, unsigned row)
{
    return store->precedence[row] < 0;
}

static bool is_from_confined(const struct store *store, const struct item *item,
                             const struct view *view)
{
    return is_confined(store, view->row == VIEW_RESTORED ? item->owner : view->row);
}

// Whether a source that isn't confined claims it, or did before this daemon.
static bool is_trusted(const struct store *store, const struct item *item)
{
    for (const struct view *view = item->views; view; view = view->next)
        if (view->record && !is_from_confined(store, item, view))
            return true;
    return false;
}

static bool is_ever_trusted(const struct store *store, const struct item *item)
{
    for (const struct view *view = item->views; view; view = view->next)
        if (!is_from_confined(store, item, view))
            return true;
    return false;
}

// Whether a confined source has said enough.
static bool is_sated(const struct store *store, unsigned row, const struct view *view)
{
    return is_confined(store, row) &&
           (store->bytes[row] >= STORE_CONFINED_BYTES ||
            ((!view || !view->record) && store->claims[row] >= STORE_CONFINED_MAX));
}

// --- the merge -----------------------------------------------------------------------------------

#define VIEWS_MAX (STORE_ROWS + 1)

struct merge {
    struct cmeta_container content;
    struct cmeta_live live;
    struct cmeta_container parts[VIEWS_MAX];
    void *scratch[VIEWS_MAX];
    const struct view *views[VIEWS_MAX];
    unsigned count;
};

// What an earlier daemon left was told by the owner; that nobody has confirmed it is in the status.
static void merge_group(struct merge *merge, const struct item *item, enum cmeta_group group)
{
    struct cmeta_container *content = &merge->content;

    for (unsigned i = 0; i < merge->count; i++)
        if (merge->parts[i].known & CMETA_GROUP_BIT(group)) {
            content_take_group(content, &merge->parts[i], group);
            content->source[group] =
                (uint8_t)(1 + (merge->views[i]->row == VIEW_RESTORED ? item->owner
                                                                     : merge->views[i]->row));
            return;
        }
    for (unsigned i = 0; i < merge->count; i++) {
        content_take_partial(content, &merge->parts[i], group);
        if (!content->reason[group])
            content->reason[group] = merge->views[i]->reason[group];
    }
    if (!content->reason[group])
        content->reason[group] = CMETA_REASON_NOT_YET;
}

static void merge_status(struct merge *merge, const struct item *item)
{
    merge->live.first_seen_ns = item->first_seen_ns;
    for (unsigned i = 0; i < merge->count; i++) {
        const struct view *view = merge->views[i];

        if (!view->has_status)
            continue;
        merge->live.word = view->status & ~CMETA_STATUS_UNCONFIRMED;
        merge->live.pid = view->pid;
        merge->live.finished_ns = view->finished_ns;
        break;
    }
    if (merge->count == 1 && merge->views[0]->row == VIEW_RESTORED)
        merge->live.word |= CMETA_STATUS_UNCONFIRMED;
}

static int merge_views(const struct store *store, struct merge *merge, const struct item *item)
{
    bool trusted = is_trusted(store, item);

    content_init(&merge->content);
    merge->live = (struct cmeta_live){0};
    merge->count = 0;
    for (const struct view *view = item->views; view && merge->count < VIEWS_MAX;
         view = view->next) {
        unsigned i = merge->count;
        int r;

        if (!view->record || (trusted && is_from_confined(store, item, view)))
            continue;
        merge->scratch[i] = NULL;
        r = view_decode(view, &merge->parts[i], &merge->scratch[i]);
        if (r < 0)
            return r;
        merge->views[i] = view;
        merge->count++;
    }
    for (int group = 0; group < CMETA_GROUP_COUNT; group++)
        merge_group(merge, item, (enum cmeta_group)group);
    merge_status(merge, item);
    merge->content.published_ns = (int64_t)item->published_ns;
    merge->content.cgroup_id = item->cgroup_id;
    return 0;
}

static void merge_done(struct merge *merge)
{
    for (unsigned i = 0; i < merge->count; i++)
        free(merge->scratch[i]);
}

static void set_flag(bool *flag, uint32_t *count, bool value)
{
    *count += value;
    *count -= *flag;
    *flag = value;
}

// A view that an earlier daemon left is of no use once a source has told as much.
static void drop_restored(struct store *store, struct item *item, const struct merge *merge)
{
    struct view *restored = find_view(item, VIEW_RESTORED);
    uint32_t told = 0, before = 0;

    if (!restored)
        return;
    for (unsigned i = 0; i < merge->count; i++)
        if (merge->views[i] == restored)
            before = merge->parts[i].known;
        else
            told |= merge->parts[i].known;
    if ((before & ~told) == 0)
        remove_view(store, item, restored);
}

// What started before this store was there says nothing of how early it is. A pod's sandbox is
// nobody's subject: it has no image, and is never complete.
static void tell_lead(struct store *store, struct item *item, const struct merge *merge)
{
    const struct cmeta_container *content = &merge->content;
    uint8_t source = content->source[CMETA_GROUP_IDENTITY];

    if (item->lead_told || !item->completed_ns || !source || !store->output.lead ||
        content->started_ns <= (int64_t)store->born_ns)
        return;
    item->lead_told = true;
    store->output.lead(store->output.userdata, source - 1u,
                       content->started_ns - (int64_t)item->completed_ns);
}

static int publish(struct store *store, struct item *item)
{
    static struct merge merge; // large; the loop's thread only
    bool complete;
    int r;

    if (!item->published_ns)
        item->published_ns = clock_ns(CLOCK_REALTIME);
    item->renumbered = false;
    r = merge_views(store, &merge, item);
    if (r == 0) {
        complete = (merge.content.known & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE;
        set_flag(&item->incomplete, &store->incomplete, !complete);
        r = store->output.publish(store->output.userdata, &item->name, &merge.content, &merge.live);
        set_flag(&item->refused, &store->refused, r < 0);
        if (complete && !item->completed_ns)
            item->completed_ns = clock_ns(CLOCK_REALTIME);
        tell_lead(store, item, &merge);
        drop_restored(store, item, &merge);
        r = 0;
    }
    merge_done(&merge);
    return r;
}

int store_publish(struct store *store, struct item *item)
{
    return publish(store, item);
}

// A removed container that a source speaks of again comes back to life.
static int publish_alive(struct store *store, struct item *item)
{
    if (item->removed) {
        item->removed = false;
        TAILQ_REMOVE(&store->dead, item, dead);
        store->live++;
    }
    return publish(store, item);
}

// What is remembered of it is its name and the moment: nothing older revives it.
static void end(struct store *store, struct item *item)
{
    uint64_t removed_ns = clock_ns(CLOCK_REALTIME);

    if (item->removed)
        return;
    item->ended_at = store_stamp(store);
    item->barred = is_ever_trusted(store, item);
    while (item->views)
        remove_view(store, item, item->views);
    item->removed = true;
    TAILQ_INSERT_TAIL(&store->dead, item, dead);
    item->forget_at_ns = clock_ns(CLOCK_MONOTONIC) + REMEMBER_NS;
    store->live--;
    set_flag(&item->incomplete, &store->incomplete, false);
    set_flag(&item->refused, &store->refused, false);
    store->output.remove(store->output.userdata, &item->name, removed_ns);
    if (store->count - store->live > REMEMBER_MAX)
        drop(store, TAILQ_FIRST(&store->dead));
}

// --- what sources say ----------------------------------------------------------------------------

static void count_stale(struct store *store, int outcome)
{
    if (outcome == VIEW_STALE)
        store->output.stale(store->output.userdata);
}

int store_observe(struct store *store, unsigned row, uint64_t asked,
                  const struct container *container)
{
    struct cmeta_name name = {container->id, container->scope};
    struct item *item = find(store, &name);
    struct view *view;
    bool fresh = !item;
    int r;

    if (!item)
        item = add(store, &name);
    if (!item)
        return -ENOMEM;
    if (item->removed && asked < item->ended_at) {
        count_stale(store, VIEW_STALE);
        return 0;
    }
    if (item->removed && item->barred && is_confined(store, row))
        return 0;
    view = find_view(item, row);
    if (is_sated(store, row, view))
        r = -EDQUOT;
    else if (!view && !(view = add_view(store, item, row)))
        r = -ENOMEM;
    else {
        discount(store, view);
        r = view_observe(view, asked, container);
        account(store, view);
    }
    count_stale(store, r);
    if (r == VIEW_CHANGED || (r >= 0 && item->removed && view->record)) {
        r = publish_alive(store, item);
        if (item->refused && store->refused > REFUSED_MAX)
            drop(store, item);
        return r;
    }
    if (r < 0 && fresh)
        drop(store, item);
    return r < 0 ? r : 0;
}

int store_status(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name,
                 uint32_t word, uint32_t mask, int64_t pid, int64_t finished_ns)
{
    struct item *item = find(store, name);
    struct view *view = item ? find_view(item, row) : NULL;
    int r;

    if (!view || !view->record)
        return 0;
    r = view_status(view, asked, word, mask, pid, finished_ns);
    count_stale(store, r);
    return r == VIEW_CHANGED ? publish(store, item) : r < 0 ? r : 0;
}

int store_renamed(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name,
                  const char *text)
{
    struct item *item = find(store, name);
    struct view *view = item ? find_view(item, row) : NULL;
    int r;

    if (!view || !view->record)
        return 0;
    discount(store, view);
    r = view_rename(view, asked, text);
    account(store, view);
    count_stale(store, r);
    return r == VIEW_CHANGED ? publish(store, item) : r < 0 ? r : 0;
}

// What is still unknown at the end will stay so: say why, for those who read the tombstone.
static int explain_end(struct store *store, struct item *item, struct view *view)
{
    bool any = false;

    for (int g = 0; g < CMETA_GROUP_COUNT; g++)
        if (view->reason[g] == CMETA_REASON_NONE || view->reason[g] == CMETA_REASON_NOT_YET) {
            view->reason[g] = CMETA_REASON_ENDED_EARLY;
            any = true;
        }
    return any && item->incomplete ? publish(store, item) : 0;
}

int store_gone(struct store *store, unsigned row, uint64_t asked, const struct cmeta_name *name)
{
    struct item *item = find(store, name);
    struct view *view = item ? find_view(item, row) : NULL;
    int r = 0;

    if (!item || item->removed)
        return 0;
    if (!view || !view->record) {
        // It speaks for what an earlier daemon heard from it.
        if (item->owner == row && item->views && item->views->row == VIEW_RESTORED)
            end(store, item);
        return 0;
    }
    if (asked < view->confirmed) {
        count_stale(store, VIEW_STALE);
        return 0;
    }
    // The best that ever claimed it.
    if (view == item->views && !(is_confined(store, row) && is_trusted(store, item))) {
        r = explain_end(store, item, view);
        end(store, item);
        return r;
    }
    silence(store, view, asked);
    if (claimed(item))
        return publish(store, item);
    end(store, item);
    return 0;
}

int store_reason(struct store *store, unsigned row, const struct cmeta_name *name, uint32_t groups,
                 enum cmeta_reason reason)
{
    struct item *item = find(store, name);
    struct view *view = item ? find_view(item, row) : NULL;
    bool changed = false;

    if (!view || !view->record)
        return 0;
    for (int g = 0; g < CMETA_GROUP_COUNT; g++)
        if ((groups & CMETA_GROUP_BIT(g)) && view->reason[g] != reason) {
            view->reason[g] = (uint8_t)reason;
            changed = true;
        }
    return changed ? publish(store, item) : 0;
}

int store_list_complete(struct store *store, unsigned row, uint64_t asked)
{
    int result = 0;

    for (struct item *item = LIST_FIRST(&store->items), *next; item; item = next) {
        const struct view *view = find_view(item, row);
        int r = 0;

        next = LIST_NEXT(item, all);
        if (item->removed)
            continue;
        if (view && view->record ? view->confirmed < asked
                                 : item->owner == row && find_view(item, VIEW_RESTORED))
            r = store_gone(store, row, asked, &item->name);
        if (r < 0)
            result = r;
    }
    return result;
}

int store_withdraw(struct store *store, unsigned row)
{
    int result = 0;

    for (struct item *item = LIST_FIRST(&store->items), *next; item; item = next) {
        struct view *view = find_view(item, row);
        struct view *restored = item->owner == row ? find_view(item, VIEW_RESTORED) : NULL;
        int r = 0;

        next = LIST_NEXT(item, all);
        if (restored)
            remove_view(store, item, restored);
        if (view)
            remove_view(store, item, view);
        if (item->removed || (!view && !restored))
            continue;
        if (claimed(item))
            r = publish(store, item);
        else
            end(store, item);
        if (r < 0)
            result = r;
    }
    return result;
}

int store_restore(struct store *store, unsigned owner, const struct cmeta_name *name,
                  const struct cmeta_container *content, const struct cmeta_live *live)
{
    struct item *item = find(store, name);
    struct view *view;
    int r;

    if (item)
        return 0; // a source has spoken already
    item = add(store, name);
    if (!item)
        return -ENOMEM;
    item->owner = owner;
    if (live->first_seen_ns)
        item->first_seen_ns = live->first_seen_ns;
    item->published_ns = (uint64_t)content->published_ns;
    if (!item->cgroup_id)
        item->cgroup_id = content->cgroup_id;
    view = add_view(store, item, VIEW_RESTORED);
    r = view ? view_store(view, content) : -ENOMEM;
    if (r < 0) {
        drop(store, item);
        return r;
    }
    view->has_status = true;
    view->status = live->word;
    view->pid = live->pid;
    view->finished_ns = live->finished_ns;
    for (int g = 0; g < CMETA_GROUP_COUNT; g++)
        view->reason[g] = content->reason[g];
    return publish(store, item);
}

bool store_tick(struct store *store, uint64_t monotonic_ns)
{
    bool retry = store->refused && monotonic_ns >= store->retry_at_ns;
    unsigned failures = 0;

    if (retry)
        store->retry_at_ns = monotonic_ns + RETRY_NS;
    for (struct item *item = TAILQ_FIRST(&store->dead), *next; item; item = next) {
        next = TAILQ_NEXT(item, dead);
        if (monotonic_ns < item->forget_at_ns)
            break;
        drop(store, item);
    }
    if (store->renumbered)
        store_publish_renumbered(store);
    for (struct item *item = LIST_FIRST(&store->items), *next; retry && item; item = next) {
        next = LIST_NEXT(item, all);
        if (!item->refused || failures >= RETRY_FAILURES)
            continue;
        publish(store, item);
        failures += item->refused;
    }
    return store->refused || !TAILQ_EMPTY(&store->dead);
}

void store_retry(struct store *store)
{
    store->retry_at_ns = 0;
}

bool store_knows(const struct store *store, unsigned row, const struct cmeta_name *name)
{
    const struct item *item = find(store, name);
    const struct view *view = item ? find_view(item, row) : NULL;

    return view && view->record;
}

bool store_is_complete(const struct store *store, const struct cmeta_name *name)
{
    const struct item *item = find(store, name);

    return item && !item->removed && item->published_ns && !item->refused && !item->incomplete;
}

uint32_t store_claims(const struct store *store, unsigned row)
{
    return store->claims[row];
}

uint32_t store_containers(const struct store *store)
{
    return store->live;
}

uint32_t store_incomplete(const struct store *store)
{
    return store->incomplete;
}

uint32_t store_entries(const struct store *store)
{
    return store->count;
}
