// SPDX-License-Identifier: Apache-2.0
// OCI bundles as an engine: folders in which shims and conmon's callers put config.json before a
// runtime runs. Nobody waits: the file is there some ten milliseconds before the first instruction.
// Its word is worth less than any engine's.
//
// An instance follows one folder; its name tells which kind: io.containerd.runtime.v2.task, or
// <driver>-containers of containers/storage.
#include "bundle_record.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/socket_watch.h"
#include "containerd-meta/watch/tree.h"
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

// A bundle goes when its container's process has ended, and events of that are still on their way.
#define STAY_US        UINT64_C(60000000)
#define DEPARTURES_MAX 16384u // that stay; beyond that they go at once
#define CONFIG_NAME    "config.json"
#define CONFIG_MAX     (4u << 20) // bytes of one; larger ones are left out
#define BUNDLE_DEPTH   2u         // <namespace>/<id>, <id>/userdata

struct departure {
    STAILQ_ENTRY(departure) entry;
    uint64_t due_us;
    engine_stamp since;
    char scope[BUNDLE_SCOPE_SIZE];
    char id[];
};

struct bundle {
    const struct engine_host *host;
    struct engine_sink *sink;
    enum bundle_kind kind;
    struct socket_watch *watch;
    struct tree *tree;
    struct tree_folder *root; // NULL: the folder isn't there
    struct oci_host_namespaces namespaces;
    engine_stamp begun; // the root was added
    bool listed;        // all that was there has been told
    STAILQ_HEAD(, departure) departures;
    unsigned departures_count;
    sd_event_source *timer;
};

// --- where a bundle is ---------------------------------------------------------------------------

struct place {
    const char *ns, *id;
    char scope[BUNDLE_SCOPE_SIZE];
};

// Whether a folder is a bundle's.
static bool place_of(const struct bundle *bundle, const struct tree_folder *folder,
                     struct place *place)
{
    if (folder->depth != BUNDLE_DEPTH)
        return false;
    place->ns = bundle->kind == BUNDLE_TASK ? folder->parent->name : NULL;
    place->id = bundle->kind == BUNDLE_TASK ? folder->name : folder->parent->name;
    if (bundle->kind == BUNDLE_STORAGE && strcmp(folder->name, "userdata") != 0)
        return false;
    return bundle_scope(bundle->kind, place->ns, place->id, place->scope);
}

// --- reading -------------------------------------------------------------------------------------

// Return: its JSON; NULL if it isn't there (yet), is no regular file, too large, or not whole yet.
static json_t *read_config(struct bundle *bundle, const struct tree_folder *folder)
{
    char path[PATH_MAX];
    size_t used = tree_path(folder, false, path, sizeof(path) - sizeof(CONFIG_NAME));
    CLEANUP(closep)
    int fd = -1;
    struct stat st;
    char *text;
    json_t *spec = NULL;
    ssize_t len;

    if (used == 0)
        return NULL;
    memcpy(path + used, "/" CONFIG_NAME, sizeof(CONFIG_NAME) + 1);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return NULL;
    if (st.st_size > CONFIG_MAX) {
        bundle->sink->count(bundle->sink, 0, 0, 0, 1);
        return NULL;
    }
    text = malloc((size_t)st.st_size);
    if (!text)
        return NULL;
    len = read(fd, text, (size_t)st.st_size);
    if (len > 0)
        spec = oci_spec_parse(text, (size_t)len);
    free(text);
    return spec;
}

// Podman announces nothing that could be asked for at once: it is asked now, which is before its
// runtime runs. Who else makes bundles has told of the container already.
static void ask_maker(struct bundle *bundle, const struct container *container,
                      const struct place *place)
{
    struct engine_sink *sink = bundle->sink;
    size_t len = strlen(place->id);

    if (bundle->listed && container->content.type == CMETA_TYPE_PODMAN &&
        !sink->is_complete(sink, place->id, len, place->scope))
        sink->ask(sink, "podman", place->id, len);
}

static void take(struct bundle *bundle, struct tree_folder *folder)
{
    const struct oci_context context = {.limits = bundle->host->limits,
                                        .host = &bundle->namespaces};
    const engine_stamp asked = bundle->sink->stamp(bundle->sink);
    struct place place;
    json_auto_t *spec = NULL;
    struct container *container;

    if (!place_of(bundle, folder, &place))
        return;
    spec = read_config(bundle, folder);
    container = spec ? bundle_record(bundle->kind, place.ns, place.id, spec, &context) : NULL;
    if (!container)
        return;
    bundle->sink->observe(bundle->sink, asked, container);
    ask_maker(bundle, container, &place);
    container_free(container);
}

// --- what the tree tells -------------------------------------------------------------------------

static void on_appeared(void *userdata, struct tree_folder *folder)
{
    (void)userdata;
    (void)folder; // its file is looked for next
}

static void on_written(void *userdata, struct tree_folder *folder, const char *name)
{
    struct bundle *bundle = userdata;

    if (name && strcmp(name, CONFIG_NAME) != 0)
        return;
    if (name)
        bundle->sink->count(bundle->sink, 1, 0, 0, 0);
    take(bundle, folder);
}

static void tell_gone(struct bundle *bundle, engine_stamp since, const char *id, const char *scope)
{
    bundle->sink->gone(bundle->sink, since, id, strlen(id), scope);
}

static void arm(struct bundle *bundle)
{
    const struct departure *first = STAILQ_FIRST(&bundle->departures);

    if (first)
        sd_event_source_set_time(bundle->timer, first->due_us);
    sd_event_source_set_enabled(bundle->timer, first ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

// A container that runs again has a newer bundle: what is said here is older then, and dropped.
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct bundle *bundle = userdata;
    const uint64_t now = clock_us(CLOCK_MONOTONIC);
    struct departure *departure;

    (void)source;
    (void)usec;
    while ((departure = STAILQ_FIRST(&bundle->departures)) && departure->due_us <= now) {
        STAILQ_REMOVE_HEAD(&bundle->departures, entry);
        bundle->departures_count--;
        tell_gone(bundle, departure->since, departure->id, departure->scope);
        free(departure);
    }
    arm(bundle);
    return 0;
}

static void on_vanished(void *userdata, struct tree_folder *folder, bool root_removed)
{
    struct bundle *bundle = userdata;
    struct departure *departure;
    engine_stamp since;
    struct place place;

    // With the root went the sight of them, no more.
    if (root_removed || !place_of(bundle, folder, &place))
        return;
    since = bundle->sink->stamp(bundle->sink);
    departure = bundle->departures_count < DEPARTURES_MAX
                    ? malloc(sizeof(*departure) + strlen(place.id) + 1)
                    : NULL;
    if (!departure) {
        tell_gone(bundle, since, place.id, place.scope);
        return;
    }
    departure->due_us = clock_us(CLOCK_MONOTONIC) + STAY_US;
    departure->since = since;
    memcpy(departure->scope, place.scope, sizeof(place.scope));
    memcpy(departure->id, place.id, strlen(place.id) + 1);
    STAILQ_INSERT_TAIL(&bundle->departures, departure, entry);
    if (bundle->departures_count++ == 0)
        arm(bundle);
}

static void tell_state(struct bundle *bundle)
{
    struct tree_state state = tree_state(bundle->tree);
    bool degraded = socket_watch_degraded(bundle->watch) || state.unwatched || state.left_out;

    bundle->sink->state(bundle->sink,
                        !bundle->root    ? CMETA_ENGINE_WAITING
                        : bundle->listed ? CMETA_ENGINE_CONNECTED
                                         : CMETA_ENGINE_LISTING,
                        degraded ? CMETA_ENGINE_DEGRADED : 0, "", "");
}

static void on_settled(void *userdata)
{
    struct bundle *bundle = userdata;

    if (!bundle->root)
        return;
    if (!bundle->listed) {
        bundle->listed = true;
        bundle->sink->list_complete(bundle->sink, bundle->begun);
        log_message(LOG_DEBUG, bundle->host->name, bundle->host->socket, "bundles are followed");
    }
    tell_state(bundle);
}

static const struct tree_calls tree_calls = {
    .appeared = on_appeared, .vanished = on_vanished, .written = on_written, .settled = on_settled};

// --- the folder ----------------------------------------------------------------------------------

static void on_folder(void *userdata, bool present, uint64_t inode)
{
    struct bundle *bundle = userdata;

    (void)inode;
    if (bundle->root)
        tree_remove_root(bundle->tree, bundle->root);
    bundle->root = NULL;
    bundle->listed = false;
    if (present) {
        bundle->begun = bundle->sink->stamp(bundle->sink);
        if (tree_add_root(bundle->tree, bundle->host->socket, &bundle->root) < 0)
            bundle->root = NULL;
        else
            bundle->sink->count(bundle->sink, 0, 0, 1, 0);
    }
    tell_state(bundle);
}

// --- the class -----------------------------------------------------------------------------------

static void bundle_stop(void *instance)
{
    struct bundle *bundle = instance;
    struct departure *departure;

    socket_watch_remove(bundle->watch);
    tree_free(bundle->tree);
    sd_event_source_disable_unref(bundle->timer);
    while ((departure = STAILQ_FIRST(&bundle->departures))) {
        STAILQ_REMOVE_HEAD(&bundle->departures, entry);
        free(departure);
    }
    oci_host_namespaces_done(&bundle->namespaces);
    free(bundle);
}

static bool is_storage(const char *path)
{
    static const char suffix[] = "-containers";
    size_t len = strlen(path), skip = sizeof(suffix) - 1;

    return len > skip && strcmp(path + len - skip, suffix) == 0;
}

static int bundle_start(const struct engine_host *host, void **instance)
{
    const struct tree_options options = {.depth_max = BUNDLE_DEPTH};
    struct bundle *bundle = calloc(1, sizeof(*bundle));
    int r;

    if (!bundle)
        return -ENOMEM;
    bundle->host = host;
    bundle->sink = host->sink;
    bundle->kind = is_storage(host->socket) ? BUNDLE_STORAGE : BUNDLE_TASK;
    STAILQ_INIT(&bundle->departures);
    (void)oci_host_namespaces_read(&bundle->namespaces, host->host_root);
    r = sd_event_add_time(host->event, &bundle->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer,
                          bundle);
    if (r >= 0)
        r = sd_event_source_set_enabled(bundle->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = tree_new(host->event, &tree_calls, bundle, &options, &bundle->tree);
    if (r >= 0)
        r = socket_watch_add_folder(host->sockets, host->socket, on_folder, bundle, &bundle->watch);
    if (r < 0) {
        bundle_stop(bundle);
        return r;
    }
    *instance = bundle;
    return 0;
}

static void bundle_relist(void *instance)
{
    struct bundle *bundle = instance;

    tree_rescan(bundle->tree);
}

static const char *const default_folders[] = {
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
    "/run/k3s/containerd/io.containerd.runtime.v2.task",
    "/run/containers/storage/overlay-containers",
    "/var/lib/containers/storage/overlay-containers",
    NULL,
};

const struct engine_class bundle_engine = {.name = "bundle",
                                           .protocol = ENGINE_FILES,
                                           .place = ENGINE_FOLDER,
                                           .default_places = default_folders,
                                           .precedence = 10,
                                           .type = CMETA_TYPE_UNKNOWN,
                                           .start = bundle_start,
                                           .stop = bundle_stop,
                                           .relist = bundle_relist};
