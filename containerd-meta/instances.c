// SPDX-License-Identifier: Apache-2.0
#include "instances.h"

#include "cleanup.h"
#include "clock.h"
#include "engine/engine.h"
#include "found_sockets.h"
#include "heap_trim.h"
#include "log.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instance {
    struct engine_sink sink; // first: the sink is the instance
    struct instances *all;
    const struct engine_class *class; // NULL: a row that only says why there is no instance
    const char *name;
    char *socket;
    unsigned row;
    void *engine; // of the class; NULL: not started
    struct engine_host host;
    struct cmeta_engine_row text;
    bool wanted;   // by the plan
    bool named;    // by the configuration; else it is a default
    bool confined; // a user's own engine
    bool changed, dirty;
    struct log_limit lost;
};

struct instances {
    struct instances_use use;
    struct heap_trim *trim;
    struct found_sockets *found;
    struct instance *rows[STORE_ROWS];
    struct container_limits limits;
    bool with_size;
    unsigned timeout_ms;
    char *host_root;  // as configured
    bool adding;      // the pass of a plan
    bool finding;     // what is wanted was found by a pattern
    unsigned missing; // counted by its first pass
};

// --- the sink ------------------------------------------------------------------------------------

static struct instance *instance_of(struct engine_sink *sink)
{
    return (struct instance *)sink;
}

static struct cmeta_name name_of(const char *id, size_t id_len, const char *scope)
{
    return (struct cmeta_name){{id, (uint32_t)id_len}, {scope, (uint32_t)strlen(scope)}};
}

static engine_stamp sink_stamp(struct engine_sink *sink)
{
    return store_stamp(instance_of(sink)->all->use.store);
}

static void log_lost(struct instance *instance, const struct container *container, int error)
{
    uint32_t suppressed;

    publisher_count(instance->all->use.publisher, CMETA_COUNT_ENGINE_ERRORS, 1);
    if (log_limit_pass(&instance->lost, clock_ns(CLOCK_MONOTONIC), &suppressed))
        log_message(LOG_ERR, instance->name, instance->socket,
                    "what it told of container %.*s is lost: %s", (int)container->id.len,
                    container->id.data, strerror(-error));
}

static void sink_observe(struct engine_sink *sink, engine_stamp asked,
                         const struct container *container)
{
    struct instance *instance = instance_of(sink);
    int r;

    if (container->labels_dropped &&
        !(store_knows(instance->all->use.store, instance->row,
                      &(struct cmeta_name){container->id, container->scope})))
        publisher_count(instance->all->use.publisher, CMETA_COUNT_LABELS_DROPPED,
                        container->labels_dropped);
    heap_trim_note(instance->all->trim);
    r = store_observe(instance->all->use.store, instance->row, asked, container);
    if (r < 0)
        log_lost(instance, container, r);
    instance->dirty = true;
}

static void sink_status(struct engine_sink *sink, engine_stamp asked, const char *id, size_t id_len,
                        const char *scope, uint32_t word, uint32_t mask, int64_t pid,
                        int64_t finished_ns)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_name name = name_of(id, id_len, scope);

    store_status(instance->all->use.store, instance->row, asked, &name, word, mask, pid,
                 finished_ns);
}

static void sink_renamed(struct engine_sink *sink, engine_stamp asked, const char *id,
                         size_t id_len, const char *scope, const char *text)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_name name = name_of(id, id_len, scope);

    store_renamed(instance->all->use.store, instance->row, asked, &name, text);
}

static void sink_gone(struct engine_sink *sink, engine_stamp asked, const char *id, size_t id_len,
                      const char *scope)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_name name = name_of(id, id_len, scope);

    store_gone(instance->all->use.store, instance->row, asked, &name);
    instance->dirty = true;
}

static void sink_reason(struct engine_sink *sink, const char *id, size_t id_len, const char *scope,
                        uint32_t groups, enum cmeta_reason reason)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_name name = name_of(id, id_len, scope);

    store_reason(instance->all->use.store, instance->row, &name, groups, reason);
}

static void sink_list_complete(struct engine_sink *sink, engine_stamp asked)
{
    struct instance *instance = instance_of(sink);

    store_list_complete(instance->all->use.store, instance->row, asked);
    instance->dirty = true;
}

static void sink_state(struct engine_sink *sink, enum cmeta_engine_state state, uint32_t flags,
                       const char *version, const char *error)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_engine_row *text = &instance->text;

    if (text->state != state)
        text->since_ns = clock_ns(CLOCK_REALTIME);
    text->state = state;
    text->flags = flags | (instance->named ? CMETA_ENGINE_CONFIGURED : 0);
    snprintf(text->version, sizeof(text->version), "%s", version ? version : "");
    if (error)
        snprintf(text->last_error, sizeof(text->last_error), "%s", error);
    instance->dirty = true;
}

static void sink_count(struct engine_sink *sink, uint32_t events, uint32_t errors,
                       uint32_t connects, uint32_t skipped)
{
    struct instance *instance = instance_of(sink);
    struct publisher *publisher = instance->all->use.publisher;

    instance->text.events_total += events;
    instance->text.errors_total += errors;
    instance->text.connects_total += connects;
    if (events)
        instance->text.last_event_ns = clock_ns(CLOCK_REALTIME);
    publisher_count(publisher, CMETA_COUNT_ENGINE_EVENTS, events);
    publisher_count(publisher, CMETA_COUNT_ENGINE_ERRORS, errors);
    publisher_count(publisher, CMETA_COUNT_ENGINE_CONNECTS, connects);
    publisher_count(publisher, CMETA_COUNT_ENGINE_RECORDS_SKIPPED, skipped);
    instance->dirty = true;
}

static bool sink_knows(struct engine_sink *sink, const char *id, size_t id_len, const char *scope)
{
    struct instance *instance = instance_of(sink);
    struct cmeta_name name = name_of(id, id_len, scope);

    return store_knows(instance->all->use.store, instance->row, &name);
}

static bool sink_is_complete(struct engine_sink *sink, const char *id, size_t id_len,
                             const char *scope)
{
    struct cmeta_name name = name_of(id, id_len, scope);

    return store_is_complete(instance_of(sink)->all->use.store, &name);
}

static bool sink_ask(struct engine_sink *sink, const char *engine, const char *id, size_t id_len)
{
    struct instances *all = instance_of(sink)->all;
    bool any = false;

    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = all->rows[row];

        if (!instance || !instance->engine || !instance->class->hint || instance->confined ||
            strcmp(instance->name, engine) != 0 || instance->text.state != CMETA_ENGINE_CONNECTED)
            continue;
        instance->class->hint(instance->engine, id, id_len);
        any = true;
    }
    return any;
}

static const struct engine_sink sink_template = {.stamp = sink_stamp,
                                                 .observe = sink_observe,
                                                 .status = sink_status,
                                                 .renamed = sink_renamed,
                                                 .gone = sink_gone,
                                                 .reason = sink_reason,
                                                 .list_complete = sink_list_complete,
                                                 .state = sink_state,
                                                 .count = sink_count,
                                                 .knows = sink_knows,
                                                 .is_complete = sink_is_complete,
                                                 .ask = sink_ask};

// --- rows ----------------------------------------------------------------------------------------

// A path as a row has room for it: its middle is left out if need be.
static void shorten(char *out, size_t size, const char *path)
{
    size_t len = strlen(path), half = (size - 4) / 2;

    if (len < size)
        memcpy(out, path, len + 1);
    else
        snprintf(out, size, "%.*s...%s", (int)half, path, path + len - half);
}

void instances_hint(struct instances *instances, const char *id, size_t id_len)
{
    instances_hint_of(instances, CMETA_LAYOUT_NONE, id, id_len);
}

void instances_hint_of(struct instances *instances, enum cmeta_layout layout, const char *id,
                       size_t id_len)
{
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        // One that isn't connected is going to list all it has.
        if (instance && instance->engine && instance->class->hint &&
            (instance->text.state == CMETA_ENGINE_CONNECTED ||
             instance->text.state == CMETA_ENGINE_LISTING) &&
            (layout == CMETA_LAYOUT_NONE ||
             cmeta_layouts_of_engine(instance->name) & CMETA_LAYOUT_BIT(layout)))
            instance->class->hint(instance->engine, id, id_len);
    }
}

void instances_relist(struct instances *instances)
{
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (instance && instance->engine && instance->class->relist)
            instance->class->relist(instance->engine);
    }
}

int instances_row_of(void *userdata, const char *name, const char *socket)
{
    const struct instances *instances = userdata;

    for (unsigned row = 0; row < STORE_ROWS; row++) {
        const struct instance *instance = instances->rows[row];

        if (instance && instance->class && strcmp(instance->text.name, name) == 0 &&
            strcmp(instance->text.socket, socket) == 0)
            return (int)row;
    }
    return -1;
}

static struct instance *find(struct instances *instances, const char *name, const char *socket)
{
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (instance && strcmp(instance->name, name) == 0 && strcmp(instance->socket, socket) == 0)
            return instance;
    }
    return NULL;
}

// Whether a place belongs to a user, whoever named it.
static bool is_users_own(const struct instances *instances, const char *place)
{
    static const char folder[] = "/run/user/";
    const char *root = strcmp(instances->host_root, "/") == 0 ? "" : instances->host_root;

    return strncmp(place, root, strlen(root)) == 0 &&
           strncmp(place + strlen(root), folder, sizeof(folder) - 1) == 0;
}

static struct instance *add(struct instances *instances, const char *name,
                            const struct engine_class *class, const char *socket)
{
    struct instance *instance;
    unsigned row = 0;

    while (row < STORE_ROWS && instances->rows[row])
        row++;
    if (row == STORE_ROWS)
        return NULL;
    instance = calloc(1, sizeof(*instance));
    if (!instance)
        return NULL;
    instance->sink = sink_template;
    instance->all = instances;
    instance->class = class;
    instance->name = name;
    instance->row = row;
    instance->socket = strdup(socket);
    if (!instance->socket) {
        free(instance);
        return NULL;
    }
    snprintf(instance->text.name, sizeof(instance->text.name), "%s", name);
    shorten(instance->text.socket, sizeof(instance->text.socket), socket);
    instance->text.since_ns = clock_ns(CLOCK_REALTIME);
    instance->text.state = CMETA_ENGINE_WAITING;
    instance->dirty = true;
    instances->rows[row] = instance;
    if (!class)
        return instance;
    instance->confined = instances->finding || is_users_own(instances, socket);
    store_set_precedence(instances->use.store, row,
                         class->precedence - (instance->confined ? STORE_CONFINED : 0));
    return instance;
}

static void stop(struct instance *instance)
{
    if (instance->engine)
        instance->class->stop(instance->engine);
    instance->engine = NULL;
}

static void discard(struct instances *instances, struct instance *instance)
{
    const struct cmeta_engine_row unused = {0};

    stop(instance);
    if (instance->class)
        store_withdraw(instances->use.store, instance->row);
    publisher_row(instances->use.publisher, instance->row, &unused);
    instances->rows[instance->row] = NULL;
    free(instance->socket);
    free(instance);
}

// --- the plan ------------------------------------------------------------------------------------

// The same place by another path is the same place: /var/run is a link to /run. Below a host root
// links are left alone: absolute ones would lead out of it.
static void canonical(const char *host_root, const char *path, char out[PATH_MAX])
{
    char whole[PATH_MAX], folder[PATH_MAX], resolved[PATH_MAX];

    if (*path != '/') { // a URL
        size_t len = strlen(path);

        while (len && path[len - 1] == '/')
            len--;
        snprintf(out, PATH_MAX, "%.*s", (int)len, path);
        return;
    }
    snprintf(whole, sizeof(whole), "%s%s", strcmp(host_root, "/") == 0 ? "" : host_root, path);
    snprintf(folder, sizeof(folder), "%s", whole);
    if (!*host_root && realpath(dirname(folder), resolved) && strcmp(resolved, "/") != 0)
        snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 256, resolved, strrchr(whole, '/') + 1);
    else
        snprintf(out, PATH_MAX, "%s", whole);
}

// First pass: what stands is marked, what is missing counted. Second pass: what is missing is
// added.
static int want(struct instances *instances, const char *name, const struct engine_class *class,
                const char *socket, enum cmeta_engine_state state, const char *why)
{
    struct instance *instance = find(instances, name, socket);

    if (instance && instance->class != class) // enabled or disabled since: another one
        instance = NULL;
    if (!instance && !instances->adding) {
        instances->missing++;
        return 0;
    }
    if (!instance)
        instance = add(instances, name, class, socket);
    if (!instance)
        return -ENOMEM;
    instance->wanted = true;
    if (!class) {
        instance->text.state = state;
        snprintf(instance->text.last_error, sizeof(instance->text.last_error), "%s", why);
    }
    return 0;
}

// The index-th place of an engine, configured or by default; NULL beyond the last.
static const char *place_of(const struct config_engine *engine, const struct engine_class *class,
                            size_t index)
{
    const char *const *place = class->default_places;
    const char *variable = class->place_variable ? getenv(class->place_variable) : NULL;

    if (engine->has_places)
        return index < engine->places_count ? engine->places[index] : NULL;
    for (; place && *place; place++, index--)
        if (index == 0)
            return *place;
    return index == 0 && variable && *variable ? variable : NULL;
}

// The engine that comes before this one and drives the socket, if there is one.
static const struct config_engine *driver_of(const struct config *config,
                                             const struct config_engine *engine,
                                             const struct engine_class *class, const char *path)
{
    char other[PATH_MAX];
    const char *socket;

    for (const struct config_engine *before = config->engines; before < engine; before++) {
        const struct engine_class *its = engine_class_find(before->name);

        if (!its || !before->enabled || its->protocol != class->protocol)
            continue;
        for (size_t i = 0; (socket = place_of(before, its, i)); i++) {
            canonical(config->host_root, socket, other);
            if (strcmp(other, path) == 0)
                return before;
        }
    }
    return NULL;
}

static void note_named(struct instance *instance, bool named)
{
    if (!instance || instance->named == named)
        return;
    instance->named = instance->host.named = named;
    if (instance->text.state == CMETA_ENGINE_DISABLED) // refused for want of a word
        instance->changed = true;
    instance->text.flags ^= CMETA_ENGINE_CONFIGURED;
    instance->dirty = true;
}

// A row for a place that the configuration lists under two engines: it is driven under the first.
static int want_elsewhere(struct instances *instances, const char *name, const char *path,
                          const char *driver)
{
    char why[64];

    snprintf(why, sizeof(why), "is driven as a socket of engines.%s", driver);
    if (instances->adding && !find(instances, name, path))
        log_message(LOG_INFO, name, path, "%s", why);
    return want(instances, name, NULL, path, CMETA_ENGINE_DISABLED, why);
}

// --- patterns ------------------------------------------------------------------------------------

static void note_pattern(void *userdata, const char *name, const char *pattern, unsigned count,
                         bool more)
{
    struct instance *row = find(userdata, name, pattern);

    if (!row)
        return;
    row->text.state = count ? CMETA_ENGINE_CONNECTED : CMETA_ENGINE_WAITING;
    snprintf(row->text.version, sizeof(row->text.version), count == 1 ? "%u socket" : "%u sockets",
             count);
    snprintf(row->text.last_error, sizeof(row->text.last_error), "%s",
             more ? "more sockets match; they are left alone" : "");
    row->dirty = true;
}

struct planned_pattern {
    struct instances *instances;
    const char *name;
    const struct engine_class *class;
    bool known; // those that have a row, or the others
    unsigned count;
    int r;
};

static void want_found(void *userdata, const char *path)
{
    struct planned_pattern *planned = userdata;
    struct instances *instances = planned->instances;
    const struct instance *instance = find(instances, planned->name, path);
    bool known = instance && instance->class == planned->class;

    if (known != planned->known || planned->count == FOUND_SOCKETS_MAX || planned->r < 0)
        return;
    planned->count++;
    planned->r = want(instances, planned->name, planned->class, path, CMETA_ENGINE_WAITING, "");
    if (instances->adding && planned->r == 0)
        found_sockets_own(instances->found, path);
}

// A row for the pattern, one for each socket that matches now; those of earlier plans go before new
// ones.
static int plan_pattern(struct instances *instances, const char *name,
                        const struct engine_class *class, const char *pattern)
{
    struct planned_pattern planned = {instances, name, class, true, 0, 0};

    planned.r = want(instances, name, NULL, pattern, CMETA_ENGINE_WAITING, "");
    if (planned.r == 0 && instances->adding)
        planned.r = found_sockets_watch(instances->found, name, class, pattern);
    instances->finding = true;
    for (int pass = 0; pass < 2 && planned.r == 0; pass++) {
        planned.known = pass == 0;
        pattern_scan(pattern, want_found, &planned);
    }
    instances->finding = false;
    return planned.r;
}

static int plan_places(struct instances *instances, const struct config *config,
                       const struct config_engine *engine, const struct engine_class *class)
{
    const struct config_engine *driver;
    char path[PATH_MAX];
    const char *socket;
    int r = 0;

    for (size_t i = 0; (socket = place_of(engine, class, i)) && r == 0; i++) {
        canonical(config->host_root, socket, path);
        if (class->place == ENGINE_SOCKET && pattern_is(path)) {
            r = plan_pattern(instances, engine->name, class, path);
            continue;
        }
        driver = driver_of(config, engine, class, path);
        if (driver) {
            if (engine->has_places)
                r = want_elsewhere(instances, engine->name, path, driver->name);
            continue;
        }
        r = want(instances, engine->name, class, path, CMETA_ENGINE_WAITING, "");
        note_named(find(instances, engine->name, path), engine->has_places);
    }
    return r;
}

static int plan_engine(struct instances *instances, const struct config *config,
                       const struct config_engine *engine)
{
    const struct engine_class *class = engine_class_find(engine->name);

    if (!engine->enabled)
        return engine->mentioned ? want(instances, engine->name, NULL, "", CMETA_ENGINE_DISABLED,
                                        "disabled in the configuration")
                                 : 0;
    return plan_places(instances, config, engine, class);
}

static bool same_limits(const struct instances *instances, const struct config *config,
                        unsigned timeout_ms)
{
    return instances->limits.label_max_len == config->limits.label_max_len &&
           instances->limits.env == config->limits.env &&
           instances->with_size == config->with_size && instances->timeout_ms == timeout_ms;
}

static int plan_engines(struct instances *instances, const struct config *config, bool adding)
{
    int r = 0;

    instances->adding = adding;
    instances->missing = 0;
    for (size_t i = 0; i < config->engines_count && r == 0; i++)
        r = plan_engine(instances, config, &config->engines[i]);
    return r;
}

static unsigned mark(struct instances *instances, const struct config *config)
{
    unsigned kept = 0;

    for (unsigned row = 0; row < STORE_ROWS; row++)
        if (instances->rows[row])
            instances->rows[row]->wanted = false;
    plan_engines(instances, config, false);
    for (unsigned row = 0; row < STORE_ROWS; row++)
        kept += instances->rows[row] && instances->rows[row]->wanted;
    return kept;
}

int instances_plan(struct instances *instances, const struct config *config)
{
    unsigned timeout_ms = (unsigned)(config->engine_timeout_ns / 1000000u);
    bool changed = !same_limits(instances, config, timeout_ms);
    unsigned count = mark(instances, config) + instances->missing;

    if (count > STORE_ROWS) {
        log_error("%u engine sockets are configured, and there is room for %u", count, STORE_ROWS);
        return -E2BIG;
    }
    instances->limits = config->limits;
    instances->with_size = config->with_size;
    instances->timeout_ms = timeout_ms;
    if (!instances->host_root || strcmp(instances->host_root, config->host_root) != 0) {
        char *host_root = strdup(config->host_root);

        if (!host_root)
            return -ENOMEM;
        free(instances->host_root);
        instances->host_root = host_root;
    }
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (instance && instance->wanted) {
            instance->changed = changed;
            instance->host.host_root = instances->host_root;
        } else if (instance) {
            discard(instances, instance);
        }
    }
    found_sockets_clear(instances->found);
    return plan_engines(instances, config, true);
}

static void start(struct instances *instances, struct instance *instance)
{
    int r;

    instance->host = (struct engine_host){.event = instances->use.event,
                                          .http = instances->use.http,
                                          .rpc = instances->use.rpc,
                                          .sockets = instances->use.sockets,
                                          .sink = &instance->sink,
                                          .limits = instances->limits,
                                          .with_size = instances->with_size,
                                          .timeout_ms = instances->timeout_ms,
                                          .socket = instance->socket,
                                          .host_root = instances->host_root,
                                          .name = instance->name,
                                          .named = instance->named,
                                          .confined = instance->confined};
    sink_state(&instance->sink, CMETA_ENGINE_WAITING, 0, "", "");
    r = instance->class->start(&instance->host, &instance->engine);
    if (r == 0)
        return;
    instance->engine = NULL;
    log_message(LOG_ERR, instance->name, instance->socket, "can't be started: %s", strerror(-r));
    sink_state(&instance->sink, CMETA_ENGINE_FAILED, 0, "", strerror(-r));
}

void instances_apply(struct instances *instances)
{
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (!instance || !instance->class)
            continue;
        if (instance->changed) // limits apply to what is asked from now on: ask for all again
            stop(instance);
        instance->changed = false;
        if (!instance->engine)
            start(instances, instance);
    }
}

static int add_found(void *userdata, const char *name, const struct engine_class *class,
                     const char *path)
{
    struct instances *instances = userdata;
    struct instance *instance = find(instances, name, path);

    if (instance)
        return 0;
    instances->finding = true;
    instance = add(instances, name, class, path);
    instances->finding = false;
    if (!instance)
        return -ENOMEM;
    start(instances, instance);
    return 0;
}

static void drop_found(void *userdata, const char *name, const char *path)
{
    struct instance *instance = find(userdata, name, path);

    if (instance && !instance->named)
        discard(userdata, instance);
}

// --- upkeep --------------------------------------------------------------------------------------

void instances_flush(struct instances *instances)
{
    for (unsigned row = 0; row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (!instance || !instance->dirty)
            continue;
        instance->dirty = false;
        instance->text.containers = store_claims(instances->use.store, row);
        publisher_row(instances->use.publisher, row, &instance->text);
    }
}

static const char *state_name(uint32_t state)
{
    static const char *const names[CMETA_ENGINE_STATE_COUNT] = {
        "absent",     "waiting for its socket",
        "connecting", "listing",
        "connected",  "failed",
        "disabled",   "unsupported"};

    return state < CMETA_ENGINE_STATE_COUNT ? names[state] : "unknown";
}

void instances_describe(const struct instances *instances, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (unsigned row = 0; row < STORE_ROWS && used < size; row++) {
        const struct instance *instance = instances->rows[row];

        // Folders that may never be there are nobody's concern.
        if (instance && instance->class &&
            !(instance->class->protocol == ENGINE_FILES &&
              instance->text.state == CMETA_ENGINE_WAITING))
            used += (size_t)snprintf(text + used, size - used, "%s%s %s %s", used ? "; " : "",
                                     instance->name, instance->text.socket,
                                     state_name(instance->text.state));
    }
}

static const struct found_sockets_calls found_calls = {
    .add = add_found, .drop = drop_found, .note = note_pattern};

struct instances *instances_new(const struct instances_use *use)
{
    struct instances *instances = calloc(1, sizeof(*instances));

    if (!instances)
        return NULL;
    instances->use = *use;
    if (heap_trim_new(use->event, &instances->trim) < 0 ||
        found_sockets_new(use->event, use->sockets, &found_calls, instances, &instances->found) < 0)
        return instances_free(instances);
    return instances;
}

struct instances *instances_free(struct instances *instances)
{
    for (unsigned row = 0; instances && row < STORE_ROWS; row++) {
        struct instance *instance = instances->rows[row];

        if (!instance)
            continue;
        stop(instance);
        free(instance->socket);
        free(instance);
    }
    if (instances) {
        found_sockets_free(instances->found);
        heap_trim_free(instances->trim);
        free(instances->host_root);
    }
    free(instances);
    return NULL;
}
