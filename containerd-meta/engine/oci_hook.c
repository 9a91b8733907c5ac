// SPDX-License-Identifier: Apache-2.0
// OCI hooks as an engine: a runtime that is about to start a container has a hook tell of it, and
// the hook waits, 50 ms at most, until the record is readable.
//
// What a hook tells is the state that its runtime knows: an ID, a process, and where the bundle is,
// which tells more. The engine whose container it is knows the rest: it is asked, and where it is
// there the answer is held back until the record is complete, HOLD_US at most. Its own word is
// worth least. Only on request: containers wait for us (docs/oci-hook.md).
//
// Source: OCI runtime spec 1.0 to 1.2, "State" and "POSIX-platform Hooks".
#include "bundle_record.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/hook/hook.h"
#include "containerd-meta/json.h"
#include "containerd-meta/log.h"
#include "containerd-meta/text.h"
#include "containerd-meta/watch/hook_socket.h"
#include "engine.h"
#include "spec_file.h"

#include "shm/container_id.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>

#define HOLD_US      UINT64_C(40000)    // less than the hook waits
#define HELD_MAX     256u               // beyond that they are answered at once
#define FOLLOWED_MAX 1024u              // processes whose end is waited for
#define FORGET_US    UINT64_C(60000000) // what can't be followed is the engine's to know by then

// A hook that waits.
struct held {
    STAILQ_ENTRY(held) entry;
    int fd;
    uint64_t due_us;
    char scope[BUNDLE_SCOPE_SIZE];
    char id[];
};

// A container that was told of, until its process ends.
struct followed {
    STAILQ_ENTRY(followed) entry;
    struct oci_hook *hook;
    sd_event_source *end; // of the process, or of the time that it is remembered
    int fd;               // pidfd; -1: none
    char scope[BUNDLE_SCOPE_SIZE];
    char id[];
};

struct oci_hook {
    const struct engine_host *host;
    struct engine_sink *sink;
    struct hook_socket *socket;
    struct oci_host_namespaces namespaces;
    STAILQ_HEAD(, held) held;
    STAILQ_HEAD(, followed) followed;
    unsigned held_count, followed_count;
    sd_event_source *post, *timer; // while hooks wait
    struct log_limit lateness;
};

// What a state says, and where its bundle is.
struct told {
    const char *id, *bundle;
    int64_t pid;
    enum bundle_kind kind;
    char ns[CMETA_ID_MAX + 1];
    char scope[BUNDLE_SCOPE_SIZE];
};

// --- hooks that wait -----------------------------------------------------------------------------

static void let_go(struct oci_hook *hook, struct held *held)
{
    STAILQ_REMOVE(&hook->held, held, held, entry);
    hook->held_count--;
    hook_socket_answer(held->fd);
    free(held);
}

static void arm(struct oci_hook *hook)
{
    const struct held *first =
        STAILQ_FIRST(&hook->held); // the first to come is the first to be due

    if (first)
        sd_event_source_set_time(hook->timer, first->due_us);
    sd_event_source_set_enabled(hook->timer, first ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
    sd_event_source_set_enabled(hook->post, first ? SD_EVENT_ON : SD_EVENT_OFF);
}

// Something happened: maybe the engine has told the rest.
static int on_post(sd_event_source *source, void *userdata)
{
    struct oci_hook *hook = userdata;

    (void)source;
    for (struct held *held = STAILQ_FIRST(&hook->held), *next; held; held = next) {
        next = STAILQ_NEXT(held, entry);
        if (hook->sink->is_complete(hook->sink, held->id, strlen(held->id), held->scope))
            let_go(hook, held);
    }
    arm(hook);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct oci_hook *hook = userdata;
    const uint64_t now = clock_us(CLOCK_MONOTONIC);
    struct held *held;
    uint32_t late = 0, suppressed;

    (void)source;
    (void)usec;
    while ((held = STAILQ_FIRST(&hook->held)) && held->due_us <= now) {
        let_go(hook, held);
        late++;
    }
    arm(hook);
    hook->sink->count(hook->sink, 0, late, 0, 0);
    if (late && log_limit_pass(&hook->lateness, now * 1000, &suppressed))
        log_message(LOG_WARNING, hook->host->name, hook->host->socket,
                    "%u containers went on before their records were complete", late);
    return 0;
}

// Return: whether it waits; else it is the caller's to answer.
static bool hold(struct oci_hook *hook, const struct told *told, int answer_fd)
{
    struct held *held =
        hook->held_count < HELD_MAX ? malloc(sizeof(*held) + strlen(told->id) + 1) : NULL;

    if (!held)
        return false;
    held->fd = answer_fd;
    held->due_us = clock_us(CLOCK_MONOTONIC) + HOLD_US;
    memcpy(held->scope, told->scope, sizeof(held->scope));
    strcpy(held->id, told->id);
    STAILQ_INSERT_TAIL(&hook->held, held, entry);
    if (hook->held_count++ == 0)
        arm(hook);
    return true;
}

// --- containers that were told of ----------------------------------------------------------------

static void free_followed(struct followed *followed)
{
    sd_event_source_disable_unref(followed->end);
    closep(&followed->fd);
    free(followed);
}

static void forget(struct followed *followed)
{
    STAILQ_REMOVE(&followed->hook->followed, followed, followed, entry);
    followed->hook->followed_count--;
    free_followed(followed);
}

static void ended(struct followed *followed)
{
    struct engine_sink *sink = followed->hook->sink;

    sink->gone(sink, sink->stamp(sink), followed->id, strlen(followed->id), followed->scope);
    forget(followed);
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source;
    (void)fd;
    (void)revents;
    ended(userdata);
    return 0;
}

static int on_forget(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    ended(userdata);
    return 0;
}

// @pid: 0 if it can't be followed. Return: 0; negative: nothing would ever end it.
static int follow(struct oci_hook *hook, const struct told *told, int64_t pid)
{
    struct followed *followed;
    int r;

    if (hook->followed_count >= FOLLOWED_MAX)
        return -ENOBUFS;
    followed = calloc(1, sizeof(*followed) + strlen(told->id) + 1);
    if (!followed)
        return -ENOMEM;
    followed->hook = hook;
    memcpy(followed->scope, told->scope, sizeof(followed->scope));
    strcpy(followed->id, told->id);
    followed->fd = pid > 0 && pid <= INT_MAX ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    STAILQ_INSERT_TAIL(&hook->followed, followed, entry);
    hook->followed_count++;
    if (followed->fd >= 0)
        r = sd_event_add_io(hook->host->event, &followed->end, followed->fd, EPOLLIN,
                            on_process_end, followed);
    else
        r = sd_event_add_time_relative(hook->host->event, &followed->end, CLOCK_MONOTONIC,
                                       FORGET_US, 0, on_forget, followed);
    if (r < 0)
        forget(followed);
    return r;
}

static void forget_earlier(struct oci_hook *hook, const struct told *told)
{
    for (struct followed *one = STAILQ_FIRST(&hook->followed), *next; one; one = next) {
        next = STAILQ_NEXT(one, entry);
        if (strcmp(one->id, told->id) == 0 && strcmp(one->scope, told->scope) == 0)
            forget(one);
    }
}

// --- a state -------------------------------------------------------------------------------------

// The last component of a path's first @len bytes; @len becomes what is before it, without a slash.
static const char *last_of(const char *path, size_t *len, size_t *component_len)
{
    size_t end = *len;

    while (*len > 0 && path[*len - 1] != '/')
        (*len)--;
    *component_len = end - *len;
    if (*len > 0)
        (*len)--;
    return path + end - *component_len;
}

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

// Who made the bundle follows from where it lies: <id>/userdata, or
// io.containerd.runtime.v2.task/<namespace>/<id>.
static bool find_maker(struct told *told)
{
    static const char tasks[] = "io.containerd.runtime.v2.task";
    size_t left = strlen(told->bundle), len;
    const char *part = last_of(told->bundle, &left, &len);

    told->kind = is(part, len, "userdata") ? BUNDLE_STORAGE : BUNDLE_TASK;
    if (told->kind == BUNDLE_STORAGE)
        part = last_of(told->bundle, &left, &len);
    if (!is(part, len, told->id))
        return false;
    if (told->kind == BUNDLE_TASK) {
        part = last_of(told->bundle, &left, &len);
        snprintf(told->ns, sizeof(told->ns), "%.*s", (int)len, part);
        part = last_of(told->bundle, &left, &len);
        if (!is(part, len, tasks))
            return false;
    }
    return bundle_scope(told->kind, told->ns, told->id, told->scope);
}

static bool read_state(const json_t *state, struct told *told)
{
    *told = (struct told){.id = json_text(state, "id"),
                          .bundle = json_text(state, "bundle"),
                          .pid = json_integer_value(json_object_get(state, "pid"))};
    return text_present(told->id) && strlen(told->id) <= CMETA_ID_MAX &&
           text_present(told->bundle) && *told->bundle == '/' && !strstr(told->bundle, "/../") &&
           find_maker(told);
}

// The engine that knows the rest.
static const char *engine_of(const struct container *container)
{
    switch (container->content.type) {
    case CMETA_TYPE_PODMAN:
        return "podman";
    case CMETA_TYPE_CRIO:
        return "cri";
    case CMETA_TYPE_DOCKER:
        return "docker";
    default:
        return "containerd";
    }
}

static struct container *read_bundle(struct oci_hook *hook, const struct told *told)
{
    const struct oci_context context = {.limits = hook->host->limits, .host = &hook->namespaces};
    const char *root = strcmp(hook->host->host_root, "/") == 0 ? "" : hook->host->host_root;
    char path[PATH_MAX];
    json_auto_t *spec = NULL;

    if (snprintf(path, sizeof(path), "%s%s/config.json", root, told->bundle) >= (int)sizeof(path) ||
        spec_file_read(path, &spec) < 0)
        return NULL;
    return bundle_record(told->kind, told->ns, told->id, spec, &context);
}

// Return: whether the hook waits.
static bool take(struct oci_hook *hook, const struct told *told, int answer_fd, bool may_follow)
{
    struct engine_sink *sink = hook->sink;
    const size_t len = strlen(told->id);
    struct container *container = read_bundle(hook, told);
    const char *engine = container ? engine_of(container) : NULL;

    forget_earlier(hook, told);
    if (!container || follow(hook, told, may_follow ? told->pid : 0) < 0) {
        sink->count(sink, 0, 0, 0, 1);
        container_free(container);
        return false;
    }
    container->has_status = true;
    container->status = CMETA_STATE_RUNNING; // in a moment; nobody tells when
    container->pid = told->pid > 0 && told->pid <= INT32_MAX ? (uint32_t)told->pid : 0;
    sink->observe(sink, sink->stamp(sink), container);
    container_free(container);
    return !sink->is_complete(sink, told->id, len, told->scope) &&
           sink->ask(sink, engine, told->id, len) && hold(hook, told, answer_fd);
}

static void on_state(void *userdata, const char *text, size_t text_len, int answer_fd,
                     bool may_follow)
{
    struct oci_hook *hook = userdata;
    json_auto_t *state = json_parse(text, text_len);
    struct told told;

    hook->sink->count(hook->sink, 1, 0, 0, 0);
    if (!read_state(state, &told))
        hook->sink->count(hook->sink, 0, 0, 0, 1);
    else if (take(hook, &told, answer_fd, may_follow))
        return;
    hook_socket_answer(answer_fd);
}

static void on_odd(void *userdata)
{
    struct oci_hook *hook = userdata;

    hook->sink->count(hook->sink, 0, 0, 0, 1);
}

static const struct hook_socket_calls socket_calls = {.state = on_state, .odd = on_odd};

// --- the class -----------------------------------------------------------------------------------

static void stop(void *instance)
{
    struct oci_hook *hook = instance;
    struct followed *followed;

    hook_socket_free(hook->socket);
    while (!STAILQ_EMPTY(&hook->held))
        let_go(hook, STAILQ_FIRST(&hook->held));
    while ((followed = STAILQ_FIRST(&hook->followed))) {
        STAILQ_REMOVE_HEAD(&hook->followed, entry);
        free_followed(followed);
    }
    sd_event_source_disable_unref(hook->post);
    sd_event_source_disable_unref(hook->timer);
    oci_host_namespaces_done(&hook->namespaces);
    free(hook);
}

static int make_sources(struct oci_hook *hook)
{
    int r = sd_event_add_post(hook->host->event, &hook->post, on_post, hook);

    if (r >= 0)
        r = sd_event_add_time(hook->host->event, &hook->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000,
                              on_timer, hook);
    if (r >= 0)
        arm(hook);
    return r;
}

static int start(const struct engine_host *host, void **instance)
{
    struct oci_hook *hook = calloc(1, sizeof(*hook));
    int r;

    if (!hook)
        return -ENOMEM;
    hook->host = host;
    hook->sink = host->sink;
    STAILQ_INIT(&hook->held);
    STAILQ_INIT(&hook->followed);
    (void)oci_host_namespaces_read(&hook->namespaces, host->host_root);
    r = make_sources(hook);
    if (r >= 0)
        r = hook_socket_new(host->event, host->socket, &socket_calls, hook, &hook->socket);
    if (r < 0) {
        stop(hook);
        return r;
    }
    // What an earlier daemon was told by hooks alone nobody confirms.
    hook->sink->list_complete(hook->sink, hook->sink->stamp(hook->sink));
    hook->sink->state(hook->sink, CMETA_ENGINE_CONNECTED, 0, "", "");
    *instance = hook;
    return 0;
}

static const char *const default_places[] = {HOOK_DEFAULT_SOCKET, NULL};

const struct engine_class oci_hook_engine = {.name = "oci_hook",
                                             .protocol = ENGINE_HOOK,
                                             .default_places = default_places,
                                             .precedence = 5,
                                             .type = CMETA_TYPE_UNKNOWN,
                                             .is_opt_in = true,
                                             .start = start,
                                             .stop = stop};
