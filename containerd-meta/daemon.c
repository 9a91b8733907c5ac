// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include "cleanup.h"
#include "clock.h"
#include "engine/engine.h"
#include "instances.h"
#include "log.h"
#include "lookout.h"
#include "publisher.h"
#include "store.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define STANDBY_US    UINT64_C(200000)  // how often a standby tries to take over
#define STORE_TICK_US UINT64_C(5000000) // how often the store is tidied while there is something
#define READER_GROUP  "containerd-meta" // may read the region, if there is such a group

struct daemon {
    const struct daemon_options *options;
    struct config config;
    sd_event *event;
    sd_event_source *tick, *standby, *post;
    struct http *http;
    struct rpc *rpc;
    struct socket_watcher *sockets;
    struct store *store;
    struct publisher *publisher;
    struct instances *instances;
    struct lookout *lookout;
    int lock_fd;
    uint64_t tidied_us, tidy_us; // the store: last time, and next time; UINT64_MAX: no need
    uint64_t region_due_us;      // what `tick` is armed for; 0: it fired
    char status[512];            // as systemd was told last
};

// --- configuration -------------------------------------------------------------------------------

static int override_engines(const struct daemon_options *options, struct config *config)
{
    if (options->engines_count == 0)
        return 0;
    for (size_t i = 0; i < config->engines_count; i++) {
        struct config_engine *engine = &config->engines[i];

        for (size_t s = 0; s < engine->places_count; s++)
            free(engine->places[s]);
        engine->places_count = 0;
        engine->mentioned = engine->has_places = engine->enabled = false;
        for (size_t o = 0; o < options->engines_count; o++) {
            char **grown;

            if (strcmp(options->engine_names[o], engine->name) != 0)
                continue;
            grown = realloc(engine->places, (engine->places_count + 1) * sizeof(*grown));
            if (!grown)
                return -ENOMEM;
            engine->places = grown;
            grown[engine->places_count] = strdup(options->engine_sockets[o]);
            if (!grown[engine->places_count])
                return -ENOMEM;
            engine->places_count++;
            engine->mentioned = engine->has_places = engine->enabled = true;
        }
    }
    return 0;
}

int daemon_config(const struct daemon_options *options, struct config *config, char *message,
                  size_t message_size)
{
    char notes[1024];
    int r = config_load(options->config_path, config, message, message_size, notes, sizeof(notes));

    if (r < 0)
        return r;
    for (char *save, *line = strtok_r(notes, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        log_notice("%s", line);
    if (options->region_dir) {
        free(config->region_dir);
        config->region_dir = strdup(options->region_dir);
    }
    if (options->log_level >= 0)
        config->log_level = options->log_level;
    r = config->region_dir ? override_engines(options, config) : -ENOMEM;
    if (r < 0) {
        config_done(config);
        snprintf(message, message_size, "out of memory");
    }
    return r;
}

// --- the status that systemd shows ---------------------------------------------------------------

static void tell_status(struct daemon *daemon)
{
    char engines[384], status[512];

    instances_describe(daemon->instances, engines, sizeof(engines));
    snprintf(status, sizeof(status), "%" PRIu32 " containers, %" PRIu32 " incomplete; %s",
             store_containers(daemon->store), store_incomplete(daemon->store), engines);
    if (strcmp(status, daemon->status) == 0)
        return;
    memcpy(daemon->status, status, sizeof(status));
    sd_notifyf(0, "STATUS=%s", status);
}

// --- the loop's upkeep ---------------------------------------------------------------------------

static void arm(sd_event_source *timer, uint64_t due_us)
{
    sd_event_source_set_time(timer, due_us);
    sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void tidy(struct daemon *daemon, uint64_t now_us)
{
    bool more = store_tick(daemon->store, now_us * 1000);

    daemon->tidied_us = now_us;
    daemon->tidy_us = more ? now_us + STORE_TICK_US : UINT64_MAX;
    tell_status(daemon);
}

// The region's own deadlines, the store's tidying and the rows: after each round of the loop. When
// nothing happens the region's heartbeat is all that wakes the daemon.
static void upkeep(struct daemon *daemon)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC), due;
    bool ticked = daemon->region_due_us == 0;

    if (!ticked && daemon->tidy_us == UINT64_MAX) // something happened
        daemon->tidy_us = daemon->tidied_us + STORE_TICK_US;
    if (now >= daemon->tidy_us)
        tidy(daemon, now);
    lookout_tick(daemon->lookout);
    instances_flush(daemon->instances);
    due = now + publisher_tick(daemon->publisher, daemon->store) / 1000 + 1;
    if (due > daemon->tidy_us)
        due = daemon->tidy_us;
    if (due != daemon->region_due_us)
        arm(daemon->tick, due);
    daemon->region_due_us = due;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *daemon = userdata;

    (void)source;
    (void)usec;
    daemon->region_due_us = 0; // fired: upkeep, which follows, arms it again
    return 0;
}

static int on_post(sd_event_source *source, void *userdata)
{
    (void)source;
    upkeep(userdata);
    return 0;
}

// --- NRI -----------------------------------------------------------------------------------------

static bool has_socket(const struct config *config, const struct config_engine *engine)
{
    const char *const *places = engine_class_find(engine->name)->default_places;
    char path[PATH_MAX];

    for (size_t i = 0; engine->has_places ? i < engine->places_count : places[i] != NULL; i++) {
        snprintf(path, sizeof(path), "%s%s", config->host_root,
                 engine->has_places ? engine->places[i] : places[i]);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

// Who asks for it is told where there is nothing to be had; it is waited for all the same.
static void warn_without_nri(const struct config *config)
{
    for (size_t i = 0; config->nri == CONFIG_NRI_ON && i < config->engines_count; i++)
        if (strcmp(config->engines[i].name, "nri") == 0 && config->engines[i].enabled &&
            !has_socket(config, &config->engines[i]))
            log_warning("nri: on, and there is no socket of it: is NRI enabled in the runtime?");
}

// --- the lookout ---------------------------------------------------------------------------------

static int reader_gid(void)
{
    const struct group *group = getgrnam(READER_GROUP);

    return group ? (int)group->gr_gid : -1;
}

// Without it engines tell of containers all the same.
static void start_lookout(struct daemon *daemon)
{
    const struct lookout_use use = {.event = daemon->event,
                                    .store = daemon->store,
                                    .instances = daemon->instances,
                                    .publisher = daemon->publisher,
                                    .dir = publisher_dir(daemon->publisher),
                                    .gid = reader_gid()};
    const struct cgroup_options cgroups = {.host_root = daemon->config.host_root};

    int r;

    daemon->lookout = lookout_free(daemon->lookout);
    r = lookout_new(&use, daemon->config.watch_cgroups ? &cgroups : NULL, &daemon->lookout);
    if (r < 0)
        log_error("cgroups aren't watched: %s; what engines tell is all there is", strerror(-r));
}

// --- reload --------------------------------------------------------------------------------------

// Return: 0; -E2BIG or -ENOMEM, then nothing has changed.
static int take_config(struct daemon *daemon, struct config *config)
{
    bool moved = config->watch_cgroups != daemon->config.watch_cgroups ||
                 strcmp(config->host_root, daemon->config.host_root) != 0;
    int r = instances_plan(daemon->instances, config);

    if (r < 0)
        return r;
    if (strcmp(config->region_dir, daemon->config.region_dir) != 0)
        log_warning("region_dir: %s takes effect when the daemon is restarted", config->region_dir);
    log_set_level(config->log_level);
    publisher_set_limits(daemon->publisher, config->region_max_bytes, config->grace_ns);
    config_done(&daemon->config);
    daemon->config = *config;
    instances_apply(daemon->instances);
    warn_without_nri(config);
    store_retry(daemon->store);
    if (moved)
        start_lookout(daemon);
    return 0;
}

static void reload(struct daemon *daemon)
{
    struct config config;
    char message[1024];

    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_us(CLOCK_MONOTONIC));
    if (daemon_config(daemon->options, &config, message, sizeof(message)) < 0) {
        log_error("%s; the running configuration stays in force", message);
        publisher_count(daemon->publisher, CMETA_COUNT_RELOAD_ERRORS, 1);
    } else if (take_config(daemon, &config) < 0) {
        config_done(&config);
        log_error("the running configuration stays in force");
        publisher_count(daemon->publisher, CMETA_COUNT_RELOAD_ERRORS, 1);
    } else {
        publisher_count(daemon->publisher, CMETA_COUNT_RELOADS, 1);
        log_info("configuration reloaded");
    }
    sd_notify(0, "READY=1");
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct daemon *daemon = userdata;

    (void)source;
    (void)info;
    if (daemon->instances) // a standby reads its configuration when it takes over
        reload(daemon);
    return 0;
}

// --- taking over ---------------------------------------------------------------------------------

static int begin(struct daemon *daemon)
{
    struct publisher_options options = {.dir = daemon->config.region_dir,
                                        .max_bytes = daemon->config.region_max_bytes,
                                        .grace_ns = daemon->config.grace_ns,
                                        .gid = reader_gid()};
    struct store_output output;
    struct instances_use use;
    int r;

    r = publisher_new(&options, &daemon->publisher);
    if (r < 0)
        return r;
    output = publisher_output(daemon->publisher);
    daemon->store = store_new(&output);
    if (!daemon->store)
        return -ENOMEM;
    use = (struct instances_use){.event = daemon->event,
                                 .http = daemon->http,
                                 .rpc = daemon->rpc,
                                 .sockets = daemon->sockets,
                                 .store = daemon->store,
                                 .publisher = daemon->publisher};
    daemon->instances = instances_new(&use);
    r = daemon->instances ? instances_plan(daemon->instances, &daemon->config) : -ENOMEM;
    if (r < 0)
        return r;
    publisher_restore(daemon->publisher, daemon->store, instances_row_of, daemon->instances);
    instances_flush(daemon->instances);
    r = publisher_publish(daemon->publisher);
    if (r < 0)
        return r;
    r = sd_event_add_post(daemon->event, &daemon->post, on_post, daemon);
    if (r < 0)
        return r;
    start_lookout(daemon);
    instances_apply(daemon->instances);
    warn_without_nri(&daemon->config);
    upkeep(daemon);
    log_info("containerd-meta %s: %s/%s is published", CMETA_VERSION, daemon->config.region_dir,
             CMETA_TABLE_NAME);
    sd_notify(0, "READY=1");
    return 0;
}

// A standby may have waited for long: what counts is the configuration of now.
static void refresh_config(struct daemon *daemon)
{
    struct config config;
    char message[1024];

    if (daemon_config(daemon->options, &config, message, sizeof(message)) < 0) {
        log_error("%s; the configuration of the start stays in force", message);
        return;
    }
    log_set_level(config.log_level);
    config_done(&daemon->config);
    daemon->config = config;
}

// Return: 1 taken over, 0 another daemon is at it, -errno.
static int try_to_begin(struct daemon *daemon)
{
    int r = publisher_lock(daemon->config.region_dir, &daemon->lock_fd);

    if (r == -EAGAIN)
        return 0;
    if (r == 0 && daemon->standby)
        refresh_config(daemon);
    if (r == 0)
        r = begin(daemon);
    return r < 0 ? r : 1;
}

static int on_standby(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *daemon = userdata;
    int r = try_to_begin(daemon);

    if (r == 0)
        arm(source, usec + STANDBY_US);
    else if (r < 0)
        sd_event_exit(daemon->event, r);
    return 0;
}

static int begin_or_wait(struct daemon *daemon)
{
    int r = try_to_begin(daemon);

    if (r != 0)
        return r < 0 ? r : 0;
    log_notice("%s: another daemon writes there; this one waits to take over",
               daemon->config.region_dir);
    sd_notify(0, "READY=1\nSTATUS=standby: another daemon writes the region");
    return sd_event_add_time(daemon->event, &daemon->standby, CLOCK_MONOTONIC,
                             clock_us(CLOCK_MONOTONIC) + STANDBY_US, 0, on_standby, daemon);
}

// --- life ----------------------------------------------------------------------------------------

void daemon_block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

// A storm opens many sockets.
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int prepare(struct daemon *daemon)
{
    int r = sd_event_new(&daemon->event);

    raise_file_limit();
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
    if (r >= 0)
        r = sd_event_set_watchdog(daemon->event, true);
    if (r >= 0)
        r = sd_event_add_time(daemon->event, &daemon->tick, CLOCK_MONOTONIC, UINT64_MAX, 1000,
                              on_tick, daemon);
    if (r >= 0)
        r = http_new(daemon->event, &daemon->http);
    if (r >= 0)
        r = rpc_new(daemon->event, &daemon->rpc);
    if (r >= 0)
        r = socket_watcher_new(daemon->event, &daemon->sockets);
    if (r < 0)
        log_error("the event loop can't be set up: %s", strerror(-r));
    return r;
}

static void finish(struct daemon *daemon)
{
    sd_event_source_disable_unref(daemon->post);
    sd_event_source_disable_unref(daemon->standby);
    sd_event_source_disable_unref(daemon->tick);
    lookout_free(daemon->lookout);
    instances_free(daemon->instances);
    store_free(daemon->store);
    publisher_free(daemon->publisher);
    if (daemon->sockets)
        socket_watcher_free(daemon->sockets);
    if (daemon->http)
        http_free(daemon->http);
    rpc_free(daemon->rpc);
    sd_event_unref(daemon->event);
    closep(&daemon->lock_fd);
    config_done(&daemon->config);
}

int daemon_run(const struct daemon_options *options, struct config *config)
{
    struct daemon daemon = {.options = options, .config = *config, .lock_fd = -1};
    int r;

    *config = (struct config){0};
    log_set_level(daemon.config.log_level);
    r = prepare(&daemon);
    if (r >= 0)
        r = begin_or_wait(&daemon);
    if (r >= 0)
        r = sd_event_loop(daemon.event);
    sd_notify(0, "STOPPING=1");
    if (daemon.publisher && r >= 0)
        log_info("ended; the region stays for its readers and for the next daemon");
    finish(&daemon);
    return r;
}
