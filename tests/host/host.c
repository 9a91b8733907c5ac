// SPDX-License-Identifier: Apache-2.0
#include "tests/host/host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/host/metrics.h"
#include "tests/host/procfs.h"
#include "tests/host/state_engine.h"

#define FIELDS_AT_ONCE 64

struct host {
    struct report *report;
    struct api_version api;
    char schema[32];
    bool with_routines;
    struct plugin *plugin;
    struct instance *instance;
    struct metrics_prober *prober;
    bool open, integrates;
    struct falco_event *event; // the current one
    uint64_t evtnum, last_ts;
    int64_t exited; // thread that the current event saw exit
    struct host_value text;
    char refusal[FALCO_ERROR_BYTES + PATH_MAX + 4];
};

struct host *host_new(void)
{
    struct host *h = host_alloc(sizeof(*h));
    h->report = report_new();
    h->api = (struct api_version){3, HOST_API_MINOR, 0};
    h->exited = -1;
    snprintf(h->schema, sizeof(h->schema), "%s", HOST_EVENT_SCHEMA);
    return h;
}

void host_free(struct host *h)
{
    if (!h)
        return;
    host_destroy(h);
    plugin_unload(h->plugin);
    host_value_clear(&h->text);
    free(h->event);
    report_free(h->report);
    free(h);
}

void host_set_api(struct host *h, unsigned minor)
{
    h->api.minor = minor;
}

void host_set_schema(struct host *h, const char *schema)
{
    snprintf(h->schema, sizeof(h->schema), "%s", schema);
}

void host_set_printer(struct host *h, report_printer print, void *userdata)
{
    report_set_printer(h->report, print, userdata);
}

void host_offer_routines(struct host *h)
{
    h->with_routines = true;
}

// --- life cycle ----------------------------------------------------------------------------------

static int refused(struct host *h, const char *why)
{
    snprintf(h->refusal, sizeof(h->refusal), "%s", why);
    return 1;
}

int host_load_only(struct host *h, const char *so)
{
    char err[FALCO_ERROR_BYTES] = "";
    h->refusal[0] = 0;
    h->plugin = plugin_load(h->report, so, h->api, err, sizeof(err));
    if (h->plugin)
        return 0;
    // The dynamic linker names the file itself.
    bool named = strncmp(err, so, strlen(so)) == 0;
    snprintf(h->refusal, sizeof(h->refusal), "%s%s%s", named ? "" : so, named ? "" : ": ", err);
    return 1;
}

int host_init(struct host *h, const char *config)
{
    h->refusal[0] = 0;
    h->instance = instance_new(h->report, h->plugin, h->api);
    if (h->with_routines)
        h->instance->routines = routines_new();
    if (instance_init(h->instance, config) == 0)
        return 0;
    refused(h, h->instance->error);
    instance_free(h->instance);
    h->instance = NULL;
    return 1;
}

int host_load(struct host *h, const char *so, const char *config)
{
    return host_load_only(h, so) || host_init(h, config);
}

const char *host_refusal(const struct host *h)
{
    return h->refusal;
}

// What libsinsp looks up at every capture open.
static void bind_containers(struct host *h)
{
    struct plugin_table *containers = tables_registered(h->instance->tables, "containers");
    const struct host_field *id =
        threads_field(h->instance->threads, TABLE_THREADS, "container_id");
    bool bound = containers && plugin_table_key(containers) == FALCO_STATE_STRING &&
                 plugin_table_bind(containers) == 0;
    h->integrates = bound && id && id->dynamic && id->type == FALCO_STATE_STRING;
    if (bound)
        plugin_table_walk(containers, NULL, NULL);
}

// What a host does when opening failed: close, without the matching opens.
static int open_failed(struct host *h)
{
    refused(h, h->instance->error);
    threads_clear(h->instance->threads);
    instance_set_handler(h->instance, false);
    instance_capture_close(h->instance);
    return 1;
}

int host_open_live(struct host *h)
{
    h->refusal[0] = 0;
    if (instance_check_schema(h->instance, h->schema) != 0)
        return open_failed(h);
    bind_containers(h);
    if (instance_set_handler(h->instance, true) != 0 || instance_capture_open(h->instance) != 0)
        return open_failed(h);
    h->open = true;
    return 0;
}

int host_open_savefile(struct host *h)
{
    h->refusal[0] = 0;
    bind_containers(h);
    if (instance_capture_open(h->instance) != 0)
        return open_failed(h);
    h->open = true;
    return 0;
}

int host_dump(struct host *h, struct host *to)
{
    const struct plugin *p = h->plugin;
    struct async_queue *q = async_queue_new(h->report);
    struct falco_event *e;
    int n = 0;
    async_queue_set_names(q, p->async_events, p->n_async_events);
    async_queue_set_capacity(q, SIZE_MAX);
    async_queue_set_open(q, true);
    if (instance_dump_state(h->instance, q)) {
        snprintf(h->refusal, sizeof(h->refusal), "%s", h->instance->error);
        n = -EIO;
    }
    while ((e = async_queue_pop(q)) != NULL) {
        n += n >= 0;
        host_event(to, e);
    }
    async_queue_free(q);
    return n;
}

void host_close(struct host *h)
{
    if (!h->open)
        return;
    h->open = false;
    threads_clear(h->instance->threads);
    h->exited = -1;
    instance_set_handler(h->instance, false);
    instance_capture_close(h->instance);
}

void host_destroy(struct host *h)
{
    if (!h->instance)
        return;
    host_close(h);
    host_probe_stop(h);
    instance_free(h->instance);
    h->instance = NULL;
    h->exited = -1;
}

// --- what the host has seen ----------------------------------------------------------------------

size_t host_violations(struct host *h)
{
    return report_violations(h->report);
}

const char *host_violation(struct host *h, size_t i)
{
    const char *text = report_text(h->report, i);
    return text ? text : "";
}

bool host_violated(struct host *h, const char *part)
{
    return report_mentions(h->report, part);
}

struct report *host_report(struct host *h)
{
    return h->report;
}

struct instance *host_instance(struct host *h)
{
    return h->instance;
}

const struct plugin *host_plugin(const struct host *h)
{
    return h->plugin;
}

bool host_integrates(const struct host *h)
{
    return h->integrates;
}

// --- threads -------------------------------------------------------------------------------------

struct thread *host_thread_add(struct host *h, int64_t tid, int64_t pid, const char *comm,
                               const char *cgroups)
{
    struct thread *t = threads_add(h->instance->threads, tid);
    thread_set_int(t, THREAD_PID, pid);
    thread_set_int(t, THREAD_VTID, tid);
    thread_set_int(t, THREAD_VPID, pid);
    thread_set_string(t, THREAD_COMM, comm, strlen(comm));
    if (cgroups) {
        size_t len = strlen(cgroups);
        char *text = host_strdup(cgroups);
        for (char *at = text; (at = strchr(at, '\n')) != NULL;)
            *at++ = 0;
        thread_set_cgroups(t, text, len);
        free(text);
    }
    return t;
}

int host_scan_proc(struct host *h)
{
    return procfs_scan(h->instance->threads, "/proc");
}

static const struct value *thread_value(struct host *h, int64_t tid, const char *field,
                                        bool is_string)
{
    const struct thread *t = threads_find(h->instance->threads, tid);
    const struct host_field *f = threads_field(h->instance->threads, TABLE_THREADS, field);
    if (!t || !f || f->type == FALCO_STATE_TABLE || (f->type == FALCO_STATE_STRING) != is_string)
        return NULL;
    return &t->values[f->index];
}

const char *host_thread_text(struct host *h, int64_t tid, const char *field)
{
    const struct value *v = thread_value(h, tid, field, true);
    return v ? v->str : NULL;
}

int64_t host_thread_number(struct host *h, int64_t tid, const char *field)
{
    const struct value *v = thread_value(h, tid, field, false);
    return v ? (int64_t)v->u64 : 0;
}

// --- events --------------------------------------------------------------------------------------

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void host_event_unparsed(struct host *h, struct falco_event *e)
{
    if (e->ts == FALCO_TS_NOW && h->last_ts)
        e->ts = h->last_ts;
    else if (e->ts == FALCO_TS_NOW || e->ts == 0)
        e->ts = now_ns();
    h->last_ts = e->ts;
    free(h->event);
    h->event = e;
    h->evtnum++;
    state_engine_apply(h->instance->threads, e, &h->exited);
}

void host_event(struct host *h, struct falco_event *e)
{
    host_event_unparsed(h, e);
    instance_parse(h->instance, e, h->evtnum, "syscall");
}

size_t host_pump(struct host *h)
{
    size_t n = 0;
    struct falco_event *e;
    while ((e = async_queue_pop(h->instance->async)) != NULL) {
        host_event(h, e);
        n++;
    }
    return n;
}

size_t host_pump_wait(struct host *h, unsigned timeout_ms)
{
    async_queue_wait(h->instance->async, timeout_ms);
    return host_pump(h);
}

// --- extraction ----------------------------------------------------------------------------------

int host_extract(struct host *h, const char *field, const char *arg, struct host_value *out)
{
    struct falco_extract_field q;
    char key[256];
    int rc = extract_request(h->plugin, field, arg, key, &q);
    if (rc != 0)
        return rc;
    falco_rc got = instance_extract(h->instance, h->event, h->evtnum, "syscall", &q, 1);
    extract_read(h->report, &q, got, out);
    return 0;
}

int host_extract_many(struct host *h, const char *const *fields, size_t n, struct host_value *out)
{
    static _Thread_local char keys[FIELDS_AT_ONCE][256];
    struct falco_extract_field q[FIELDS_AT_ONCE];
    if (n > FIELDS_AT_ONCE)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int rc = extract_request(h->plugin, fields[i], NULL, keys[i], &q[i]);
        if (rc != 0)
            return rc;
    }
    falco_rc got = instance_extract(h->instance, h->event, h->evtnum, "syscall", q, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        extract_read(h->report, &q[i], got, &out[i]);
    return 0;
}

const char *host_text(struct host *h, const char *field)
{
    host_value_clear(&h->text);
    if (host_extract(h, field, NULL, &h->text) != 0 || !h->text.present || h->text.n == 0)
        return NULL;
    return h->text.strings[0];
}

const char *host_text_of(struct host *h, int64_t tid, const char *field)
{
    host_event(h, event_any((uint64_t)tid, 0));
    return host_text(h, field);
}

// --- metrics -------------------------------------------------------------------------------------

void host_probe_start(struct host *h)
{
    if (!h->prober)
        h->prober = metrics_prober_start(h->report, h->plugin, h->instance->state);
}

size_t host_probe_stop(struct host *h)
{
    size_t rounds = metrics_prober_stop(h->prober);
    h->prober = NULL;
    return rounds;
}

double host_metric(struct host *h, const char *name)
{
    double v;
    return metrics_read(h->report, h->plugin, h->instance->state, name, &v) == 0 ? v : -1;
}
