// SPDX-License-Identifier: Apache-2.0
// The plugin `container`: what Falco calls, and the life cycle of one instance.
//
// Several instances may live in one process, on different threads, and none shares anything with
// another. Only the follower thread of a live instance makes system calls; see follower.h.
#include "config.h"
#include "containers_table.h"
#include "dump.h"
#include "fields.h"
#include "follower.h"
#include "logger.h"
#include "metrics.h"
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct falco_plugin {
    struct config config;
    struct logger logger;
    struct metrics metrics;
    struct follower *follower;
    struct records *records;
    struct fields *fields;
    struct containers_table *containers;
    char error[FALCO_ERROR_BYTES];
};

// --- what it is ----------------------------------------------------------------------------------

EXPORT const char *plugin_get_required_api_version(void);
EXPORT const char *plugin_get_name(void);
EXPORT const char *plugin_get_version(void);
EXPORT const char *plugin_get_description(void);
EXPORT const char *plugin_get_contact(void);
EXPORT const char *plugin_get_required_event_schema_version(struct falco_plugin *s);
EXPORT const char *plugin_get_fields(void);
EXPORT const char *plugin_get_extract_event_sources(void);
EXPORT const char *plugin_get_parse_event_sources(void);
EXPORT const char *plugin_get_async_event_sources(void);
EXPORT const char *plugin_get_async_events(void);
EXPORT const uint16_t *plugin_get_extract_event_types(uint32_t *n, struct falco_plugin *s);
EXPORT const uint16_t *plugin_get_parse_event_types(uint32_t *n, struct falco_plugin *s);
EXPORT const char *plugin_get_init_schema(uint32_t *type);
EXPORT struct falco_plugin *plugin_init(const struct falco_init_input *in, falco_rc *rc);
EXPORT void plugin_destroy(struct falco_plugin *s);
EXPORT const char *plugin_get_last_error(struct falco_plugin *s);
EXPORT const struct falco_metric *plugin_get_metrics(struct falco_plugin *s, uint32_t *n);
EXPORT falco_rc plugin_set_async_event_handler(struct falco_plugin *s, struct falco_owner *owner,
                                               falco_async_handler handler);
EXPORT falco_rc plugin_dump_state(struct falco_plugin *s, struct falco_owner *owner,
                                  falco_async_handler handler);
EXPORT falco_rc plugin_capture_open(struct falco_plugin *s, const struct falco_listen_input *in);
EXPORT falco_rc plugin_capture_close(struct falco_plugin *s, const struct falco_listen_input *in);
EXPORT falco_rc plugin_parse_event(struct falco_plugin *s, const struct falco_event_input *event,
                                   const struct falco_parse_input *in);
EXPORT falco_rc plugin_extract_fields(struct falco_plugin *s, const struct falco_event_input *event,
                                      const struct falco_extract_input *in);

const char *plugin_get_required_api_version(void)
{
    return "3.10.0";
}

const char *plugin_get_name(void)
{
    return "container";
}

const char *plugin_get_version(void)
{
    return CMETA_VERSION;
}

const char *plugin_get_description(void)
{
    return "Container metadata from shared memory";
}

const char *plugin_get_contact(void)
{
    return "containerd-meta";
}

const char *plugin_get_required_event_schema_version(struct falco_plugin *s)
{
    (void)s;
    return "4.0.0";
}

const char *plugin_get_fields(void)
{
    return fields_declaration();
}

const char *plugin_get_extract_event_sources(void)
{
    return "[\"syscall\"]";
}

const char *plugin_get_parse_event_sources(void)
{
    return "[\"syscall\"]";
}

const char *plugin_get_async_event_sources(void)
{
    return "[\"syscall\"]";
}

const char *plugin_get_async_events(void)
{
    return "[\"" ASYNC_EVENT_CONTAINER "\",\"" ASYNC_EVENT_REMOVED "\"]";
}

// None named: fields are extracted for events of every type.
const uint16_t *plugin_get_extract_event_types(uint32_t *n, struct falco_plugin *s)
{
    (void)s;
    *n = 0;
    return NULL;
}

// Falco has the drivers trace what is named here, and no more.
const uint16_t *plugin_get_parse_event_types(uint32_t *n, struct falco_plugin *s)
{
    static const uint16_t types[] = {
        FALCO_EVENT_ASYNC,          FALCO_EVENT_CONTAINER,
        FALCO_EVENT_CONTAINER_JSON, FALCO_EVENT_CONTAINER_JSON_2,
        FALCO_EVENT_CLONE_EXIT,     FALCO_EVENT_FORK_EXIT,
        FALCO_EVENT_VFORK_EXIT,     FALCO_EVENT_CLONE3_EXIT,
        FALCO_EVENT_EXECVE_15_EXIT, FALCO_EVENT_EXECVE_16_EXIT,
        FALCO_EVENT_EXECVE_17_EXIT, FALCO_EVENT_EXECVE_EXIT,
        FALCO_EVENT_EXECVEAT_EXIT,  FALCO_EVENT_CHROOT_EXIT,
        FALCO_EVENT_PROCEXIT,
    };

    (void)s;
    *n = sizeof(types) / sizeof(types[0]);
    return types;
}

// --- life ----------------------------------------------------------------------------------------

const char *plugin_get_init_schema(uint32_t *type)
{
    *type = FALCO_SCHEMA_JSON;
    return config_schema();
}

static void free_parts(struct falco_plugin *s)
{
    s->containers = containers_table_free(s->containers);
    s->fields = fields_free(s->fields);
    s->records = records_free(s->records);
    s->follower = follower_free(s->follower);
}

static int make_parts(struct falco_plugin *s)
{
    s->follower = follower_new(&s->config, &s->logger, &s->metrics);
    if (s->follower)
        s->records = records_new(&s->config, s->follower, &s->metrics);
    if (s->records)
        s->fields = fields_new(&s->config, s->records, &s->metrics);
    if (s->fields)
        s->containers = containers_table_new(&s->config, s->follower, records_captured(s->records));
    if (s->containers)
        return 0;
    snprintf(s->error, sizeof(s->error), "out of memory; free some and start again");
    return -1;
}

static int begin(struct falco_plugin *s, const struct falco_init_input *in)
{
    if (config_parse(in->config, &s->config, s->error, sizeof(s->error)) < 0 || make_parts(s) < 0)
        return -1;
    s->logger.level = s->config.log_level;
    if (!in->tables) {
        snprintf(s->error, sizeof(s->error), "the host offers no tables; use Falco 0.41 or later");
        return -1;
    }
    if (containers_table_register(s->containers, in, s->error, sizeof(s->error)) < 0 ||
        records_bind(s->records, in, s->error, sizeof(s->error)) < 0)
        return -1;
    if (*s->config.without_effect)
        logger_say(&s->logger, FALCO_LOG_INFO,
                   "init_config: %s: no effect here; engines are talked to by the daemon, so set "
                   "them in /etc/containerd-meta/config.yaml",
                   s->config.without_effect);
    return 0;
}

struct falco_plugin *plugin_init(const struct falco_init_input *in, falco_rc *rc)
{
    struct falco_plugin *s = calloc(1, sizeof(*s));

    *rc = FALCO_RC_FAILURE;
    if (!s)
        return NULL;
    metrics_init(&s->metrics);
    s->logger = (struct logger){.owner = in->owner, .log = in->log, .level = FALCO_LOG_INFO};
    if (begin(s, in) == 0)
        *rc = FALCO_RC_SUCCESS;
    return s; // with the reason, if it failed: a host without a state has nobody to ask
}

void plugin_destroy(struct falco_plugin *s)
{
    free_parts(s);
    free(s);
}

const char *plugin_get_last_error(struct falco_plugin *s)
{
    return s->error;
}

const struct falco_metric *plugin_get_metrics(struct falco_plugin *s, uint32_t *n)
{
    *n = METRIC_COUNT;
    return s->metrics.list;
}

static void stop(struct falco_plugin *s)
{
    records_end(s->records);
    follower_stop(s->follower);
}

// A handler means a live capture: now this host's containers are those of the events.
falco_rc plugin_set_async_event_handler(struct falco_plugin *s, struct falco_owner *owner,
                                        falco_async_handler handler)
{
    struct async_sink sink = {.owner = owner, .handler = handler};
    int r;

    if (!s->follower)
        return FALCO_RC_SUCCESS;
    stop(s);
    if (!handler)
        return FALCO_RC_SUCCESS;
    if (s->config.fixed.enabled) {
        dump_static(&s->config.fixed, &sink, &s->metrics, s->error);
        return FALCO_RC_SUCCESS;
    }
    r = follower_start(s->follower, owner, handler);
    if (r == 0)
        return FALCO_RC_SUCCESS;
    snprintf(s->error, sizeof(s->error),
             "cannot start the follower thread: %s; raise the limit of threads", strerror(-r));
    return FALCO_RC_FAILURE;
}

falco_rc plugin_dump_state(struct falco_plugin *s, struct falco_owner *owner,
                           falco_async_handler handler)
{
    struct async_sink sink = {.owner = owner, .handler = handler};
    int r;

    if (!s->follower || !handler)
        return FALCO_RC_SUCCESS;
    if (s->config.fixed.enabled) {
        r = dump_static(&s->config.fixed, &sink, &s->metrics, s->error);
    } else {
        records_forget(s->records);
        follower_update(s->follower, follower_share(s->follower));
        r = dump_containers(follower_served(follower_share(s->follower)), &sink, &s->metrics,
                            s->error);
    }
    return r == 0 ? FALCO_RC_SUCCESS : FALCO_RC_FAILURE;
}

falco_rc plugin_capture_open(struct falco_plugin *s, const struct falco_listen_input *in)
{
    struct table_access access = {in->reader_ext, in->writer_ext};

    if (!follower_is_running(s->follower) && s->config.region_in_replay && !s->config.fixed.enabled)
        follower_map_once(s->follower);
    records_scan(s->records, &access);
    return FALCO_RC_SUCCESS;
}

falco_rc plugin_capture_close(struct falco_plugin *s, const struct falco_listen_input *in)
{
    (void)in;
    if (!follower_is_running(s->follower))
        stop(s);
    return FALCO_RC_SUCCESS;
}

// --- events --------------------------------------------------------------------------------------

falco_rc plugin_parse_event(struct falco_plugin *s, const struct falco_event_input *event,
                            const struct falco_parse_input *in)
{
    struct table_access access = {in->reader_ext, in->writer_ext};

    records_parse(s->records, &access, event);
    if (follower_is_running(s->follower)) // what came back is in use from the next event on
        follower_see(s->follower, event->evt);
    return FALCO_RC_SUCCESS;
}

falco_rc plugin_extract_fields(struct falco_plugin *s, const struct falco_event_input *event,
                               const struct falco_extract_input *in)
{
    struct table_access access = {in->reader_ext, NULL};

    fields_extract(s->fields, &access, event, in->fields, in->num_fields);
    return FALCO_RC_SUCCESS;
}
