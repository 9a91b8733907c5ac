// SPDX-License-Identifier: Apache-2.0
#include "follower.h"

#include "emitter.h"
#include "hints.h"
#include "load.h"
#include "reader.h"
#include "symver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_SLOTS      64u   // questions and answers under way; a power of two
#define IDLE_WAIT_MS     1000u // also: how soon a replaced region is noticed without a wake
#define BUSY_WAIT_MS     20u
#define BUSY_NS          1000000000u // how long it stays alert after the last question
#define LOOK_PAUSE_MS    1u          // between two looks, however often the region changes
#define LIST_PAUSE_NS    200000000u  // between two snapshots
#define MAP_PAUSE_NS     200000000u  // after a region that wasn't taken: mapping it is dear
#define ALIVE_PAUSE_NS   5000000000u
#define HEARTBEAT_MAX_NS 30000000000u
#define PROC_TEXT_MAX    16384u
#define NS_PER_S         UINT64_C(1000000000)

struct question {
    int64_t tid;
    uint32_t token;
};

// What the follower knows about the daemon.
enum daemon { DAEMON_UNKNOWN, DAEMON_ALIVE, DAEMON_GONE, DAEMON_STALE };

struct follower {
    const struct config *config;
    struct logger *logger;
    struct metrics *metrics;
    struct emitter *emitter;
    struct hints *hints;

    struct follower_shared shared;

    // Single-producer rings. Each index is written by one side and only grows.
    struct question questions[QUEUE_SLOTS];
    struct answer answers[QUEUE_SLOTS];
    uint32_t asked, heard;            // atomic: event thread, follower
    uint32_t answered, answers_taken; // atomic: follower, event thread

    // The thread and its end.
    pthread_t thread;
    bool running;               // of those who start and stop it
    uint32_t stopping;          // atomic: futex word
    uint32_t ended;             // atomic: futex word
    const uint32_t *waiting_on; // atomic: the region's word it sleeps on, or NULL

    // The follower's own.
    struct served *latest; // the newest mapping; the event thread's, or pending
    struct served *next;   // its successor, which isn't offered yet, or NULL
    uint32_t serial;       // of the last mapping
    int outcome;           // of the last attempt to map; 1000 none yet
    uint64_t busy_until_ns, map_due_ns, list_due_ns, alive_due_ns;
    uint64_t list_revision, heartbeat, heartbeat_seen_ns;
    bool list_stale;
    enum daemon daemon;
    char text[PROC_TEXT_MAX];
};
#define NO_OUTCOME 1000

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// --- the region ----------------------------------------------------------------------------------

// Says what became of the folder, once for each outcome.
static void tell_outcome(struct follower *f, int outcome)
{
    const char *dir = f->config->region;

    if (outcome == f->outcome)
        return;
    f->outcome = outcome;
    if (outcome == 0)
        logger_say(f->logger, FALCO_LOG_INFO, "container metadata comes from %s/%s", dir,
                   CMETA_TABLE_NAME);
    else if (outcome == -ENOENT)
        logger_say(f->logger, FALCO_LOG_WARNING,
                   "there is no %s/%s%s; start containerd-meta (systemctl start containerd-meta), "
                   "or set init_config.region to the folder it writes into",
                   dir, CMETA_TABLE_NAME,
                   f->latest ? " any more, what was read stays in use"
                             : ", so containers have an ID but no metadata");
    else if (outcome == -EACCES)
        logger_say(f->logger, FALCO_LOG_ERROR,
                   "%s/%s: no permission; let Falco's user into the group containerd-meta", dir,
                   CMETA_TABLE_NAME);
    else if (outcome > 0)
        logger_say(f->logger, FALCO_LOG_ERROR, "%s/%s %s", dir, CMETA_TABLE_NAME,
                   cmeta_refusal_text(outcome));
    else
        logger_say(f->logger, FALCO_LOG_ERROR, "%s/%s: %s; see to it that it can be read", dir,
                   CMETA_TABLE_NAME, strerror(-outcome));
    if (outcome > 0)
        metrics_count(f->metrics, METRIC_REGION_REFUSALS);
}

// The present region of the folder in a mapping of its own, or NULL and a word in the log.
static struct served *map_region(struct follower *f)
{
    struct served *served = NULL;
    int r = served_map(f->config->region, f->serial + 1, &served);

    tell_outcome(f, r);
    if (r == 0)
        f->serial++;
    return served;
}

// Whether there is another region than the one mapped last.
static bool is_replaced(struct follower *f)
{
    int r;

    if (!f->latest)
        return true;
    r = cmeta_region_is_current(&f->latest->region, f->config->region);
    if (r < 0)
        tell_outcome(f, r);
    if (r == 1)
        f->outcome = 0;
    return r == 0;
}

static void offer_next(struct follower *f)
{
    f->latest = f->next;
    f->next = NULL;
    f->list_stale = true;
    served_free(handover_offer(&f->shared.regions, f->latest));
    metrics_set(f->metrics, METRIC_REGION_MAPPED, 1);
    metrics_set(f->metrics, METRIC_REGION_EPOCH, f->latest->region.epoch);
}

// Return: whether it is to be called again at once.
static bool follow_region(struct follower *f, uint64_t now)
{
    // While a successor is being prepared, the one before is there to be read.
    if (!f->next) {
        served_free(handover_reclaim(&f->shared.regions));
        if (!is_replaced(f) || now < f->map_due_ns)
            return false;
        f->next = map_region(f);
        if (!f->next) {
            f->map_due_ns = now + MAP_PAUSE_NS;
            return false;
        }
        emitter_replace(f->emitter, f->latest, f->next);
    }
    if (emitter_replace_step(f->emitter))
        return true;
    offer_next(f);
    return false;
}

// --- the list of containers ----------------------------------------------------------------------

static void refresh_list(struct follower *f, uint64_t now)
{
    struct container_list *list;
    uint64_t revision;

    container_list_free(handover_reclaim(&f->shared.lists));
    if (!f->latest || now < f->list_due_ns)
        return;
    revision = cmeta_reader_revision(&f->latest->region);
    if (!f->list_stale && revision == f->list_revision)
        return;
    f->list_due_ns = now + LIST_PAUSE_NS;
    list = container_list_new(&f->latest->region);
    if (!list)
        return;
    f->list_revision = revision;
    f->list_stale = false;
    metrics_set(f->metrics, METRIC_CONTAINERS, list->containers);
    metrics_set(f->metrics, METRIC_MISSING_IMAGES, list->missing_images);
    container_list_free(handover_offer(&f->shared.lists, list));
}

// --- questions -----------------------------------------------------------------------------------

// The text of /proc/TID/cgroup. Return: its length, -errno.
static ssize_t read_cgroups(struct follower *f, int64_t tid)
{
    char path[CONFIG_PATH_MAX + 64];
    ssize_t used = 0, n;
    int fd;

    snprintf(path, sizeof(path), "%s/%lld/cgroup", f->config->proc, (long long)tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    do {
        n = read(fd, f->text + used, sizeof(f->text) - (size_t)used);
        if (n > 0)
            used += n;
    } while ((n > 0 && (size_t)used < sizeof(f->text)) || (n < 0 && errno == EINTR));
    close(fd);
    return used;
}

// Lines are number:controllers:path.
static void hear_lines(struct follower *f, size_t len, struct witness *witness)
{
    const char *at = f->text, *end = f->text + len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *path;

        if (!stop)
            return; // what didn't fit: a piece of a path could be taken for another
        path = memchr(at, ':', (size_t)(stop - at));
        if (path)
            path = memchr(path + 1, ':', (size_t)(stop - path - 1));
        at = stop + 1;
        if (path &&
            !identify_path(f->config->layouts, witness, path + 1, (size_t)(stop - path - 1)))
            return;
    }
}

// A thread that is gone meanwhile gets no answer: what it was can't be told any more. Where /proc
// can't be read, there is no better answer than the host.
static void answer_questions(struct follower *f, uint64_t now)
{
    // Acquire: pairs with the release in follower_ask().
    uint32_t asked = load_acquire(&f->asked), heard = f->heard;

    if (asked != heard)
        f->busy_until_ns = now + BUSY_NS;
    for (; heard != asked; heard++) {
        struct question q = f->questions[heard % QUEUE_SLOTS];
        struct answer *answer = &f->answers[f->answered % QUEUE_SLOTS];
        ssize_t len;

        // Acquire: pairs with the release in follower_answered(); the slot is free again.
        if (f->answered - load_acquire(&f->answers_taken) == QUEUE_SLOTS)
            break;
        len = read_cgroups(f, q.tid);
        if (len == -ENOENT || len == -ESRCH)
            continue;
        answer->tid = q.tid;
        answer->token = q.token;
        witness_begin(&answer->witness);
        if (len > 0)
            hear_lines(f, (size_t)len, &answer->witness);
        // Release: pairs with the acquire in follower_answer().
        store_release(&f->answered, f->answered + 1);
    }
    // Release: pairs with the acquire in follower_ask(); the slots have been read.
    store_release(&f->heard, heard);
}

bool follower_ask(struct follower *f, int64_t tid, uint32_t token)
{
    // Acquire: pairs with the release in answer_questions().
    if (f->asked - load_acquire(&f->heard) == QUEUE_SLOTS)
        return false;
    f->questions[f->asked % QUEUE_SLOTS] = (struct question){tid, token};
    // Release: pairs with the acquire in answer_questions().
    store_release(&f->asked, f->asked + 1);
    return true;
}

void follower_hint(struct follower *f, enum cmeta_miss miss, enum cmeta_layout layout,
                   const char *id, size_t len, uint64_t ts)
{
    hints_add(f->hints, miss, layout, id, len, ts);
}

struct answer *follower_answer(struct follower *f)
{
    // Acquire: pairs with the release in answer_questions().
    if (load_acquire(&f->answered) == f->answers_taken)
        return NULL;
    return &f->answers[f->answers_taken % QUEUE_SLOTS];
}

void follower_answered(struct follower *f)
{
    // Release: pairs with the acquire in answer_questions(); the answer has been read.
    store_release(&f->answers_taken, f->answers_taken + 1);
}

// --- the daemon ----------------------------------------------------------------------------------

static enum daemon ask_daemon(struct follower *f, uint64_t now)
{
    uint64_t heartbeat = cmeta_reader_heartbeat(&f->latest->region, NULL);

    if (f->heartbeat_seen_ns == 0 || heartbeat != f->heartbeat) {
        f->heartbeat = heartbeat;
        f->heartbeat_seen_ns = now;
    }
    if (cmeta_daemon_alive(f->config->region) != 1)
        return DAEMON_GONE;
    return now - f->heartbeat_seen_ns > HEARTBEAT_MAX_NS ? DAEMON_STALE : DAEMON_ALIVE;
}

static void measure(struct follower *f, uint64_t now)
{
    const struct cmeta_header *header = (const void *)f->latest->region.base;
    uint64_t made = load_relaxed(&header->created_monotonic_ns);

    metrics_set(f->metrics, METRIC_REGION_AGE, now > made ? (now - made) / NS_PER_S : 0);
    metrics_set(f->metrics, METRIC_HEARTBEAT_AGE, (now - f->heartbeat_seen_ns) / NS_PER_S);
    metrics_set(f->metrics, METRIC_DAEMON_ALIVE, f->daemon == DAEMON_ALIVE);
    metrics_set(f->metrics, METRIC_HEARTBEAT_STALE, f->daemon == DAEMON_STALE);
}

static void watch_daemon(struct follower *f, uint64_t now)
{
    enum daemon before = f->daemon;

    if (!f->latest || now < f->alive_due_ns)
        return;
    f->alive_due_ns = now + ALIVE_PAUSE_NS;
    f->daemon = ask_daemon(f, now);
    measure(f, now);
    if (f->daemon == before)
        return;
    if (f->daemon == DAEMON_GONE)
        logger_say(f->logger, FALCO_LOG_WARNING,
                   "containerd-meta isn't running: containers that start from now on have no "
                   "metadata; start it (systemctl start containerd-meta)");
    else if (f->daemon == DAEMON_STALE)
        logger_say(f->logger, FALCO_LOG_WARNING,
                   "containerd-meta has shown no sign of life for 30 s: containers that start from "
                   "now on may have no metadata; see its log and restart it (systemctl restart "
                   "containerd-meta)");
    else if (before != DAEMON_UNKNOWN)
        logger_say(f->logger, FALCO_LOG_INFO, "containerd-meta is running again");
}

// --- the thread ----------------------------------------------------------------------------------

static void futex_wait(const uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                               .tv_nsec = (long)(timeout_ms % 1000) * 1000000};

    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout, NULL, 0);
}

static bool is_stopping(struct follower *f)
{
    return load_acquire(&f->stopping) != 0; // pairs with the release in follower_stop()
}

static void sleep_until_change(struct follower *f, uint32_t word, uint64_t now, unsigned wanted_ms)
{
    unsigned timeout_ms = now < f->busy_until_ns ? BUSY_WAIT_MS : IDLE_WAIT_MS;

    if (wanted_ms == 0)
        return;
    timeout_ms = wanted_ms < timeout_ms ? wanted_ms : timeout_ms;
    if (!f->latest) {
        futex_wait(&f->stopping, 0, timeout_ms);
        return;
    }
    if (f->list_stale || cmeta_reader_revision(&f->latest->region) != f->list_revision) {
        uint64_t wait_ms = f->list_due_ns > now ? (f->list_due_ns - now) / 1000000 + 1 : 1;

        timeout_ms = wait_ms < timeout_ms ? (unsigned)wait_ms : timeout_ms;
    }
    // Release and acquire, so that follower_stop() sees the word whenever it may be slept on; a
    // wake that comes too early is repeated there.
    store_release(&f->waiting_on,
                  &((const struct cmeta_header *)(const void *)f->latest->region.base)->changes);
    if (!is_stopping(f))
        cmeta_follow_wait(&f->latest->region, word, timeout_ms);
    store_release(&f->waiting_on, NULL);
    if (now_ns() - now < LOOK_PAUSE_MS * UINT64_C(1000000))
        futex_wait(&f->stopping, 0, LOOK_PAUSE_MS);
}

static void *follow(void *argument)
{
    struct follower *f = argument;

    while (!is_stopping(f)) {
        uint32_t word;
        uint64_t now = now_ns();
        unsigned wanted_ms = IDLE_WAIT_MS;
        bool again = follow_region(f, now);

        word = f->latest ? cmeta_follow_word(&f->latest->region) : 0;
        answer_questions(f, now);
        if (hints_run(f->hints, now))
            f->busy_until_ns = now + BUSY_NS;
        refresh_list(f, now);
        watch_daemon(f, now);
        if (again)
            wanted_ms = 0;
        else if (f->latest)
            wanted_ms = emitter_run(f->emitter, f->latest, now);
        sleep_until_change(f, word, now_ns(), wanted_ms);
    }
    store_release(&f->ended, 1); // pairs with the acquire in follower_stop()
    syscall(SYS_futex, &f->ended, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

// --- life ----------------------------------------------------------------------------------------

struct follower *follower_new(const struct config *config, struct logger *logger,
                              struct metrics *metrics)
{
    struct follower *f = calloc(1, sizeof(*f));

    if (f) {
        f->emitter = emitter_new(logger, metrics);
        f->hints = hints_new(config->region, metrics);
    }
    if (!f || !f->emitter || !f->hints) {
        if (f) {
            emitter_free(f->emitter);
            hints_free(f->hints);
        }
        free(f);
        return NULL;
    }
    f->config = config;
    f->logger = logger;
    f->metrics = metrics;
    f->outcome = NO_OUTCOME;
    return f;
}

struct follower *follower_free(struct follower *f)
{
    if (f) {
        follower_stop(f);
        emitter_free(f->emitter);
        hints_free(f->hints);
    }
    free(f);
    return NULL;
}

void follower_map_once(struct follower *f)
{
    while (follow_region(f, now_ns()))
        ;
    refresh_list(f, now_ns());
    follower_take(f);
}

static int start_thread(struct follower *f)
{
    sigset_t all, before;
    int r;

    // Signals are the host's: its handlers must not run on this thread.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&f->thread, NULL, follow, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    f->running = r == 0;
    return -r;
}

int follower_start(struct follower *f, struct falco_owner *owner, falco_async_handler handler)
{
    int r;

    follower_stop(f);
    emitter_begin(f->emitter, owner, handler);
    store_relaxed(&f->stopping, 0);
    store_relaxed(&f->ended, 0);
    follower_map_once(f);
    r = start_thread(f);
    if (r < 0)
        follower_stop(f);
    return r;
}

// The word is the region's, but waking its other sleepers does no harm: they look and sleep again.
static void stop_thread(struct follower *f)
{
    store_release(&f->stopping, 1); // pairs with the acquire in is_stopping()
    syscall(SYS_futex, &f->stopping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    while (!load_acquire(&f->ended)) { // pairs with the release at the end of follow()
        const uint32_t *word = load_acquire(&f->waiting_on);

        // If the word's mapping is gone by now, this is an error and nothing more.
        if (word)
            syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
        futex_wait(&f->ended, 0, 5);
    }
    pthread_join(f->thread, NULL);
    f->running = false;
}

static void reset(struct follower *f)
{
    f->latest = f->next = NULL;
    f->outcome = NO_OUTCOME;
    f->daemon = DAEMON_UNKNOWN;
    f->heartbeat_seen_ns = f->alive_due_ns = f->list_due_ns = f->busy_until_ns = 0;
    f->map_due_ns = 0;
    hints_clear(f->hints);
    f->asked = f->heard = f->answered = f->answers_taken = 0;
    for (unsigned i = METRIC_CONTAINERS; i <= METRIC_HEARTBEAT_AGE; i++)
        metrics_set(f->metrics, i, 0);
}

void follower_stop(struct follower *f)
{
    if (f->running)
        stop_thread(f);
    emitter_end(f->emitter);
    served_free(f->next);
    served_free(f->shared.regions.current);
    served_free(f->shared.regions.pending);
    served_free(f->shared.regions.retired);
    container_list_free(f->shared.lists.current);
    container_list_free(f->shared.lists.pending);
    container_list_free(f->shared.lists.retired);
    f->shared = (struct follower_shared){.regions = {.current = NULL}};
    reset(f);
}

bool follower_is_running(const struct follower *f)
{
    return f->running;
}

void follower_see(struct follower *f, const struct falco_event *event)
{
    emitter_see(f->emitter, follower_served(&f->shared), event);
}

struct follower_shared *follower_share(struct follower *f)
{
    return &f->shared;
}

bool follower_take(struct follower *f)
{
    bool had_one = f->shared.regions.current != NULL;
    bool swapped = handover_take(&f->shared.regions);

    handover_take(&f->shared.lists);
    if (swapped && had_one)
        metrics_count(f->metrics, METRIC_REGION_SWAPS);
    return swapped;
}
