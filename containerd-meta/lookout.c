// SPDX-License-Identifier: Apache-2.0
#include "lookout.h"

#include "clock.h"
#include "log.h"
#include "misses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define DEPARTURES_MAX 4096u // beyond that the engines' next lists have to tell

// A container whose last cgroup is gone, though nobody has said that it ended.
struct departure {
    STAILQ_ENTRY(departure) entry;
    uint64_t due_us;
    uint64_t since;   // the store's moment
    uint64_t gone_ns; // CLOCK_REALTIME
    enum cmeta_layout layout;
    size_t id_len;
    const char *ns;
    char id[]; // with a NUL, and the namespace behind it
};
STAILQ_HEAD(departures, departure);

// What is left of a rate.
struct bucket {
    double tokens;
    uint64_t counted_us;
};

// A reader that sends its totals, as they were last.
struct sender {
    uint64_t id, heard_us; // 0: unused
    uint64_t first[CMETA_FIRST_COUNT];
};
#define SENDERS_MAX 16u // the one heard longest ago goes first

struct lookout {
    struct lookout_use use;
    struct cgroup_watch *cgroups; // NULL: not watched
    sd_event_source *timer;
    struct departures to_ask, to_end; // in the order of their times
    unsigned departures;
    bool settled; // what was there at the start has been seen
    struct bucket cgroup_tokens, reader_tokens;
    struct hint_socket *readers; // NULL: there is none
    struct misses *misses;
    struct sender senders[SENDERS_MAX];
    uint64_t overflows; // of the kernel's queue, as counted so far
    bool blind;         // it was said that some can't be watched
};

// --- hints ---------------------------------------------------------------------------------------

static bool take_token(struct bucket *bucket, double per_s)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    bucket->tokens += (double)(now - bucket->counted_us) / 1e6 * per_s;
    bucket->counted_us = now;
    if (bucket->tokens > per_s)
        bucket->tokens = per_s;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens--;
    return true;
}

static void ask(struct lookout *lookout, struct bucket *bucket, double per_s,
                enum cmeta_layout layout, const char *id, size_t id_len)
{
    if (!take_token(bucket, per_s)) {
        publisher_count(lookout->use.publisher, CMETA_COUNT_HINTS_DROPPED, 1);
        return;
    }
    publisher_count(lookout->use.publisher, CMETA_COUNT_HINTS, 1);
    instances_hint_of(lookout->use.instances, layout, id, id_len);
}

static void ask_for_cgroup(struct lookout *lookout, enum cmeta_layout layout, const char *id,
                           size_t id_len)
{
    ask(lookout, &lookout->cgroup_tokens, LOOKOUT_HINTS_PER_S, layout, id, id_len);
}

// --- readers -------------------------------------------------------------------------------------

static struct sender *sender_of(struct lookout *lookout, uint64_t id)
{
    struct sender *oldest = lookout->senders;

    for (struct sender *one = lookout->senders; one < lookout->senders + SENDERS_MAX; one++) {
        if (one->heard_us && one->id == id)
            return one;
        if (one->heard_us < oldest->heard_us)
            oldest = one;
    }
    *oldest = (struct sender){.id = id};
    return oldest;
}

// Totals only grow; what doesn't, or leaps, is nobody's count.
static void take_totals(struct lookout *lookout, const struct cmeta_hint *hint)
{
    static const enum cmeta_counter_index counters[CMETA_FIRST_COUNT] = {
        [CMETA_FIRST_COMPLETE] = CMETA_COUNT_FIRST_COMPLETE,
        [CMETA_FIRST_INCOMPLETE] = CMETA_COUNT_FIRST_INCOMPLETE,
        [CMETA_FIRST_ABSENT] = CMETA_COUNT_FIRST_ABSENT};
    struct sender *sender = sender_of(lookout, hint->sender);

    sender->heard_us = clock_us(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < CMETA_FIRST_COUNT; i++) {
        uint64_t more = hint->first[i] - sender->first[i];

        if (more > UINT32_MAX)
            continue;
        publisher_count(lookout->use.publisher, counters[i], more);
        sender->first[i] = hint->first[i];
    }
}

static void on_hint(void *userdata, const struct cmeta_hint *hint)
{
    struct lookout *lookout = userdata;

    if (!hint) {
        publisher_count(lookout->use.publisher, CMETA_COUNT_PLUGIN_HINTS_BAD, 1);
        return;
    }
    take_totals(lookout, hint);
    if (hint->miss == CMETA_MISS_NONE)
        return;
    publisher_count(lookout->use.publisher, CMETA_COUNT_PLUGIN_HINTS, 1);
    misses_add(lookout->misses, hint);
    if (store_standing(lookout->use.store, hint->id, hint->id_len, "") != STORE_COMPLETE)
        ask(lookout, &lookout->reader_tokens, LOOKOUT_READERS_PER_S,
            (enum cmeta_layout)hint->layout, hint->id, hint->id_len);
}

// --- cgroups -------------------------------------------------------------------------------------

// Those that stood before are in the lists that the engines are asked for at the start.
static void on_seen(void *userdata, const struct cgroup_container *container)
{
    struct lookout *lookout = userdata;

    if (!lookout->settled)
        return;
    publisher_count(lookout->use.publisher, CMETA_COUNT_CGROUPS_SEEN, 1);
    if (store_standing(lookout->use.store, container->id, container->id_len, container->ns) !=
        STORE_COMPLETE)
        ask_for_cgroup(lookout, container->layout, container->id, container->id_len);
}

static void on_numbered(void *userdata, const struct cgroup_container *container)
{
    struct lookout *lookout = userdata;

    store_set_cgroup(lookout->use.store, container->id, container->id_len, container->ns,
                     container->cgroup_id);
}

// An engine may tell of a container when its cgroup has been there for long.
static uint64_t cgroup_of(void *userdata, const struct cmeta_name *name)
{
    static const char prefix[] = "containerd/";
    const struct lookout *lookout = userdata;
    const struct cgroup_container *found;
    char id[CMETA_ID_MAX + 1], scope[CMETA_NAMESPACE_MAX + sizeof(prefix)];
    bool free_form;

    if (name->id.len >= sizeof(id) || name->scope.len >= sizeof(scope))
        return 0;
    snprintf(id, sizeof(id), "%.*s", (int)name->id.len, name->id.data);
    snprintf(scope, sizeof(scope), "%.*s", (int)name->scope.len, name->scope.data);
    free_form = strncmp(scope, prefix, sizeof(prefix) - 1) == 0;
    found = cgroup_watch_find(lookout->cgroups, id, free_form ? scope + sizeof(prefix) - 1 : "");
    return found ? found->cgroup_id : 0;
}

static void arm(struct lookout *lookout)
{
    const struct departure *ask_next = STAILQ_FIRST(&lookout->to_ask);
    const struct departure *end_next = STAILQ_FIRST(&lookout->to_end);
    uint64_t due = ask_next ? ask_next->due_us : UINT64_MAX;

    if (end_next && end_next->due_us < due)
        due = end_next->due_us;
    sd_event_source_set_time(lookout->timer, due);
    sd_event_source_set_enabled(lookout->timer,
                                due == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void on_gone(void *userdata, const struct cgroup_container *container)
{
    struct lookout *lookout = userdata;
    size_t ns_len = strlen(container->ns);
    struct departure *departure;
    uint64_t since = store_stamp(lookout->use.store);

    if (lookout->departures >= DEPARTURES_MAX ||
        !store_runs(lookout->use.store, container->id, container->id_len, container->ns, since))
        return;
    departure = calloc(1, sizeof(*departure) + container->id_len + ns_len + 2);
    if (!departure)
        return;
    memcpy(departure->id, container->id, container->id_len + 1);
    departure->id_len = container->id_len;
    departure->ns = memcpy(departure->id + container->id_len + 1, container->ns, ns_len + 1);
    departure->layout = container->layout;
    departure->since = since;
    departure->gone_ns = clock_ns(CLOCK_REALTIME);
    departure->due_us = clock_us(CLOCK_MONOTONIC) + lookout->use.ask_us;
    STAILQ_INSERT_TAIL(&lookout->to_ask, departure, entry);
    lookout->departures++;
    arm(lookout);
}

static const struct cgroup_calls cgroup_calls = {
    .seen = on_seen, .numbered = on_numbered, .gone = on_gone};

// --- departures ----------------------------------------------------------------------------------

// Whether it is still as it was: no cgroup, and no word of a source.
static bool is_open(const struct lookout *lookout, const struct departure *departure)
{
    return !cgroup_watch_find(lookout->cgroups, departure->id, departure->ns) &&
           store_runs(lookout->use.store, departure->id, departure->id_len, departure->ns,
                      departure->since);
}

static void discard(struct lookout *lookout, struct departure *departure)
{
    lookout->departures--;
    free(departure);
}

static void ask_departed(struct lookout *lookout, struct departure *departure)
{
    if (!is_open(lookout, departure)) {
        discard(lookout, departure);
        return;
    }
    ask_for_cgroup(lookout, departure->layout, departure->id, departure->id_len);
    departure->due_us += lookout->use.end_us - lookout->use.ask_us;
    STAILQ_INSERT_TAIL(&lookout->to_end, departure, entry);
}

static void end_departed(struct lookout *lookout, struct departure *departure)
{
    if (is_open(lookout, departure) &&
        store_stopped(lookout->use.store, departure->id, departure->id_len, departure->ns,
                      departure->since, departure->gone_ns) == 1)
        publisher_count(lookout->use.publisher, CMETA_COUNT_CGROUPS_STOPPED, 1);
    discard(lookout, departure);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct lookout *lookout = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC);
    struct departure *departure;

    (void)source;
    (void)usec;
    while ((departure = STAILQ_FIRST(&lookout->to_ask)) && departure->due_us <= now) {
        STAILQ_REMOVE_HEAD(&lookout->to_ask, entry);
        ask_departed(lookout, departure);
    }
    while ((departure = STAILQ_FIRST(&lookout->to_end)) && departure->due_us <= now) {
        STAILQ_REMOVE_HEAD(&lookout->to_end, entry);
        end_departed(lookout, departure);
    }
    arm(lookout);
    return 0;
}

// --- upkeep --------------------------------------------------------------------------------------

// Once, until all are watched again.
static void warn_blind(struct lookout *lookout, const struct tree_state *state)
{
    const bool blind = state->unwatched || state->left_out;

    if (blind && !lookout->blind)
        log_warning("cgroups: %u of %u can't be watched and are looked at every 10 s; raise "
                    "fs.inotify.max_user_watches",
                    state->unwatched + state->left_out, state->folders + state->left_out);
    lookout->blind = blind;
}

void lookout_tick(struct lookout *lookout)
{
    struct publisher *publisher;
    struct tree_state state;

    if (!lookout)
        return;
    misses_tick(lookout->misses);
    if (!lookout->cgroups)
        return;
    publisher = lookout->use.publisher;
    state = cgroup_watch_state(lookout->cgroups);
    if (state.settled && !lookout->settled) {
        char text[128];

        cgroup_watch_describe(lookout->cgroups, text, sizeof(text));
        log_info("cgroups are watched: %u, hierarchies: %s", state.folders, text);
    }
    lookout->settled = lookout->settled || state.settled;
    publisher_gauge(publisher, CMETA_COUNT_CGROUPS, state.folders);
    publisher_gauge(publisher, CMETA_COUNT_CGROUPS_UNWATCHED, state.unwatched + state.left_out);
    publisher_count(publisher, CMETA_COUNT_CGROUP_OVERFLOWS, state.overflows - lookout->overflows);
    lookout->overflows = state.overflows;
    warn_blind(lookout, &state);
}

// --- life ----------------------------------------------------------------------------------------

// Without it readers are served all the same.
static void open_socket(struct lookout *lookout)
{
    const struct lookout_use *use = &lookout->use;
    int r = use->dir ? hint_socket_new(use->event, use->dir, use->gid, on_hint, lookout,
                                       &lookout->readers)
                     : 0;

    if (r < 0)
        log_warning("%s/%s: can't be made: %s; Falco's plugin can't tell what it misses", use->dir,
                    CMETA_HINT_NAME, strerror(-r));
}

int lookout_new(const struct lookout_use *use, const struct cgroup_options *cgroups,
                struct lookout **out)
{
    struct lookout *lookout = calloc(1, sizeof(*lookout));
    int r;

    if (!lookout)
        return -ENOMEM;
    lookout->use = *use;
    if (use->ask_us == 0)
        lookout->use.ask_us = LOOKOUT_ASK_US;
    if (use->end_us == 0)
        lookout->use.end_us = LOOKOUT_END_US;
    lookout->cgroup_tokens =
        (struct bucket){.tokens = LOOKOUT_HINTS_PER_S, .counted_us = clock_us(CLOCK_MONOTONIC)};
    lookout->reader_tokens =
        (struct bucket){.tokens = LOOKOUT_READERS_PER_S, .counted_us = clock_us(CLOCK_MONOTONIC)};
    lookout->misses = misses_new(use->store, use->publisher);
    STAILQ_INIT(&lookout->to_ask);
    STAILQ_INIT(&lookout->to_end);
    r = !lookout->misses ? -ENOMEM
                         : sd_event_add_time(use->event, &lookout->timer, CLOCK_MONOTONIC,
                                             UINT64_MAX, 1000, on_timer, lookout);
    if (r >= 0)
        r = sd_event_source_set_enabled(lookout->timer, SD_EVENT_OFF);
    if (r >= 0 && cgroups)
        r = cgroup_watch_new(use->event, &cgroup_calls, lookout, cgroups, &lookout->cgroups);
    if (r < 0) {
        lookout_free(lookout);
        return r;
    }
    open_socket(lookout);
    if (lookout->cgroups)
        store_set_cgroups(use->store, cgroup_of, lookout);
    *out = lookout;
    return 0;
}

static void discard_all(struct lookout *lookout, struct departures *departures)
{
    struct departure *departure;

    while ((departure = STAILQ_FIRST(departures))) {
        STAILQ_REMOVE_HEAD(departures, entry);
        discard(lookout, departure);
    }
}

struct lookout *lookout_free(struct lookout *lookout)
{
    if (!lookout)
        return NULL;
    store_set_cgroups(lookout->use.store, NULL, NULL);
    cgroup_watch_free(lookout->cgroups);
    hint_socket_free(lookout->readers);
    misses_free(lookout->misses);
    sd_event_source_disable_unref(lookout->timer);
    discard_all(lookout, &lookout->to_ask);
    discard_all(lookout, &lookout->to_end);
    free(lookout);
    return NULL;
}
