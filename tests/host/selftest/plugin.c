// SPDX-License-Identifier: Apache-2.0
// A tiny plugin that keeps the contract, and breaks one rule of it on demand: the configuration
// {"fault":"name"} says which. It proves that the plugin host notices.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/falco_abi.h"

#define EXPORT __attribute__((visibility("default")))

struct state {
    char fault[64];
    struct falco_owner *owner;
    falco_log log;
    struct falco_table *threads;
    struct falco_field *cgroups, *second, *id, *comm;
    struct falco_table_reader *init_reader;    // kept by fault
    struct falco_table_reader_legacy earlier;  // kept by fault
    struct falco_table *kept_table;            // kept by fault
    falco_async_handler handler, dump_handler; // the latter kept by fault
    pthread_t thread;
    bool running;
    _Atomic uint64_t parsed; // counted by parse_event, read by get_metrics
    char value[256];
    const char *strings[2];
    uint64_t number;
    falco_bool boolean;
};

static bool faulty(const struct state *s, const char *fault)
{
    return strcmp(s->fault, fault) == 0;
}

EXPORT const char *plugin_get_required_api_version(void)
{
    return "3.10.0";
}

EXPORT const char *plugin_get_version(void)
{
    return "0.1.0";
}

EXPORT const char *plugin_get_name(void)
{
    return "selftest";
}

EXPORT const char *plugin_get_description(void)
{
    return "plugin of the plugin host's own tests";
}

EXPORT const char *plugin_get_contact(void)
{
    return "none";
}

EXPORT const char *plugin_get_fields(void)
{
    return "[{\"name\":\"selftest.comm\",\"type\":\"string\",\"desc\":\"name of the thread\"},"
           "{\"name\":\"selftest.rows\",\"type\":\"uint64\",\"desc\":\"number of cgroups\"},"
           "{\"name\":\"selftest.main\",\"type\":\"bool\",\"desc\":\"whether it has a thread\"},"
           "{\"name\":\"selftest.echo\",\"type\":\"string\",\"desc\":\"the argument twice\","
           "\"isList\":true,\"arg\":{\"isRequired\":true,\"isKey\":true}}]";
}

EXPORT const char *plugin_get_init_schema(uint32_t *type)
{
    *type = FALCO_SCHEMA_JSON;
    return "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,"
           "\"properties\":{\"fault\":{\"type\":\"string\"}}}";
}

EXPORT const char *plugin_get_required_event_schema_version(struct state *s)
{
    return faulty(s, "schema_5") ? "5.0.0" : "4.0.0";
}

// --- the table `containers` ----------------------------------------------------------------------

static const char *own_name(struct falco_table *t)
{
    (void)t;
    return "containers";
}

static uint64_t own_size(struct falco_table *t)
{
    (void)t;
    return 1;
}

static struct falco_entry *own_get(struct falco_table *t, const union falco_state_data *key)
{
    return strcmp(key->str, "one") == 0 ? (struct falco_entry *)(void *)t : NULL;
}

static falco_rc own_read(struct falco_table *t, struct falco_entry *e, const struct falco_field *f,
                         union falco_state_data *out)
{
    const struct state *s = (const struct state *)(const void *)t;
    (void)e;
    out->str = faulty(s, "null_in_table") ? NULL : (uintptr_t)f == 1 ? "root" : "10.0.0.1";
    return FALCO_RC_SUCCESS;
}

static void own_release(struct falco_table *t, struct falco_entry *e)
{
    (void)t;
    (void)e;
}

static falco_bool own_iterate(struct falco_table *t, falco_table_iterator it, void *state)
{
    return it(state, (struct falco_entry *)(void *)t);
}

static falco_rc own_clear(struct falco_table *t)
{
    (void)t;
    return FALCO_RC_NOT_SUPPORTED;
}

static falco_rc own_erase(struct falco_table *t, const union falco_state_data *key)
{
    (void)t;
    (void)key;
    return FALCO_RC_NOT_SUPPORTED;
}

static struct falco_entry *own_create(struct falco_table *t)
{
    (void)t;
    return NULL;
}

static struct falco_entry *own_add(struct falco_table *t, const union falco_state_data *key,
                                   struct falco_entry *e)
{
    (void)t;
    (void)key;
    (void)e;
    return NULL;
}

static falco_rc own_write(struct falco_table *t, struct falco_entry *e, const struct falco_field *f,
                          const union falco_state_data *in)
{
    (void)t;
    (void)e;
    (void)f;
    (void)in;
    return FALCO_RC_NOT_SUPPORTED;
}

static const struct falco_table_fieldinfo *own_list(struct falco_table *t, uint32_t *n)
{
    static const struct falco_table_fieldinfo infos[] = {{"user", FALCO_STATE_STRING, 1},
                                                         {"ip", FALCO_STATE_STRING, 1}};
    (void)t;
    *n = 2;
    return infos;
}

static struct falco_field *own_field(struct falco_table *t, const char *name,
                                     enum falco_state_type type)
{
    (void)t;
    if (type != FALCO_STATE_STRING)
        return NULL;
    return (struct falco_field *)(uintptr_t)(strcmp(name, "user") == 0 ? 1
                                             : strcmp(name, "ip") == 0 ? 2
                                                                       : 0);
}

static falco_rc add_own_table(struct state *s, const struct falco_init_input *in)
{
    struct falco_table_reader reader = {own_name, own_size,    own_get,
                                        own_read, own_release, own_iterate};
    struct falco_table_writer writer = {own_clear,   own_erase, own_create,
                                        own_release, own_add,   own_write};
    struct falco_table_fields fields = {own_list, own_field, own_field};
    struct falco_table_input table = {.name = "containers",
                                      .key_type = FALCO_STATE_STRING,
                                      .table = (struct falco_table *)(void *)s,
                                      .reader = {own_name, own_size, own_get, own_read},
                                      .writer = writer,
                                      .fields = fields,
                                      .reader_ext = &reader,
                                      .writer_ext = &writer,
                                      .fields_ext = &fields};
    if (faulty(s, "inconsistent_vtables"))
        table.reader.get_table_size = NULL;
    return in->tables->add_table(in->owner, &table);
}

// --- life cycle ----------------------------------------------------------------------------------

static bool look_up(struct state *s, const struct falco_init_input *in)
{
    const struct falco_init_tables *t = in->tables;
    union falco_state_data d;
    s->threads = t->get_table(in->owner, "threads", FALCO_STATE_INT64);
    s->comm = t->fields_ext->get_table_field(s->threads, "comm", FALCO_STATE_STRING);
    s->cgroups = t->fields_ext->get_table_field(s->threads, "cgroups", FALCO_STATE_TABLE);
    s->id = t->fields_ext->add_table_field(s->threads, "container_id", FALCO_STATE_STRING);
    struct falco_entry *blank = t->writer_ext->create_table_entry(s->threads);
    if (!blank || t->reader_ext->read_entry_field(s->threads, blank, s->cgroups, &d))
        return false;
    s->second = t->fields_ext->get_table_field(d.table, "second", FALCO_STATE_STRING);
    if (!faulty(s, "blank_kept"))
        t->writer_ext->destroy_table_entry(s->threads, blank);
    s->init_reader = t->reader_ext;
    return s->comm && s->id && s->second;
}

EXPORT struct state *plugin_init(const struct falco_init_input *in, falco_rc *rc)
{
    struct state *s = calloc(1, sizeof(*s));
    const char *fault = strstr(in->config, "\"fault\":\"");
    if (fault)
        snprintf(s->fault, sizeof(s->fault), "%.*s", (int)strcspn(fault + 9, "\""), fault + 9);
    s->owner = in->owner;
    s->log = in->log;
    if (faulty(s, "rc_unwritten"))
        return s;
    *rc = faulty(s, "refuse") || !look_up(s, in) || add_own_table(s, in) ? FALCO_RC_FAILURE
                                                                         : FALCO_RC_SUCCESS;
    if (*rc == FALCO_RC_SUCCESS)
        s->log(s->owner, NULL, "ready", FALCO_LOG_INFO);
    return s;
}

EXPORT void plugin_destroy(struct state *s)
{
    free(s);
}

EXPORT const char *plugin_get_last_error(struct state *s)
{
    return faulty(s, "refuse") ? "told to refuse" : "no error";
}

EXPORT uint16_t *plugin_get_parse_event_types(uint32_t *n, struct state *s)
{
    static uint16_t types[] = {FALCO_EVENT_ASYNC, FALCO_EVENT_CLONE_EXIT, FALCO_EVENT_EXECVE_EXIT};
    (void)s;
    *n = 3;
    return types;
}

// --- async events --------------------------------------------------------------------------------

static falco_rc push(struct state *s, falco_async_handler handler, uint64_t ts, const char *name)
{
    char bytes[128] = {0};
    uint32_t name_len = (uint32_t)strlen(name) + 1, data_len = 3, four = 4;
    struct falco_event e = {.ts = ts,
                            .tid = FALCO_TID_NONE,
                            .len = FALCO_ASYNC_AT_NAME + name_len + data_len,
                            .type = FALCO_EVENT_ASYNC,
                            .nparams = FALCO_ASYNC_NPARAMS};
    if (faulty(s, "async_length"))
        e.len--;
    memcpy(bytes, &e, sizeof(e));
    memcpy(bytes + FALCO_ASYNC_AT_ID_LEN, &four, 4);
    memcpy(bytes + FALCO_ASYNC_AT_NAME_LEN, &name_len, 4);
    memcpy(bytes + FALCO_ASYNC_AT_DATA_LEN, &data_len, 4);
    memcpy(bytes + FALCO_ASYNC_AT_NAME, name, name_len);
    memcpy(bytes + FALCO_ASYNC_AT_NAME + name_len, "{}", 3);
    return handler(s->owner, (const struct falco_event *)(const void *)bytes, NULL);
}

static void *work(void *arg)
{
    struct state *s = arg;
    push(s, s->handler, FALCO_TS_NOW, faulty(s, "async_name") ? "unknown" : "selftest");
    return NULL;
}

EXPORT const char *plugin_get_async_events(void)
{
    return "[\"selftest\"]";
}

EXPORT falco_rc plugin_dump_state(struct state *s, struct falco_owner *o, falco_async_handler h)
{
    (void)o;
    if (faulty(s, "dump_refuses"))
        return FALCO_RC_FAILURE;
    s->dump_handler = h;
    return push(s, h, faulty(s, "dump_without_time") ? FALCO_TS_NOW : 1000,
                faulty(s, "dump_name") ? "unknown" : "selftest");
}

EXPORT falco_rc plugin_set_async_event_handler(struct state *s, struct falco_owner *o,
                                               falco_async_handler h)
{
    (void)o;
    if (s->running)
        pthread_join(s->thread, NULL);
    s->running = false;
    if (faulty(s, "outside_call"))
        s->init_reader->get_table_size(s->threads);
    if (h) {
        s->handler = h;
        s->running = pthread_create(&s->thread, NULL, work, s) == 0;
    }
    return FALCO_RC_SUCCESS;
}

// --- listening, parsing, extracting --------------------------------------------------------------

static falco_bool name_thread(void *state, struct falco_entry *e)
{
    (void)e;
    ++*(uint64_t *)state;
    return 1;
}

struct walk {
    struct state *s;
    const struct falco_listen_input *in;
};

static falco_bool release_row(void *state, struct falco_entry *e)
{
    const struct walk *w = state;
    if (faulty(w->s, "iterated_released"))
        w->in->reader_ext->release_table_entry(w->s->threads, e);
    return 1;
}

EXPORT falco_rc plugin_capture_open(struct state *s, const struct falco_listen_input *in)
{
    struct walk w = {s, in};
    in->reader_ext->iterate_entries(s->threads, release_row, &w);
    return faulty(s, "listener_refuses") ? FALCO_RC_FAILURE : FALCO_RC_SUCCESS;
}

EXPORT falco_rc plugin_capture_close(struct state *s, const struct falco_listen_input *in)
{
    (void)in;
    if (faulty(s, "handler_after_reset"))
        push(s, s->handler, FALCO_TS_NOW, "selftest");
    if (faulty(s, "dump_kept") && s->dump_handler)
        push(s, s->dump_handler, 1000, "selftest");
    return FALCO_RC_SUCCESS;
}

EXPORT falco_rc plugin_parse_event(struct state *s, const struct falco_event_input *ev,
                                   const struct falco_parse_input *in)
{
    union falco_state_data key = {.s64 = (int64_t)ev->evt->tid}, d;
    const struct falco_table_reader *r =
        faulty(s, "init_vtable_kept") ? s->init_reader : in->reader_ext;
    struct falco_table_reader_legacy legacy = s->earlier;
    s->earlier = in->reader;
    atomic_fetch_add(&s->parsed, 1);
    if (ev->evt->tid == FALCO_TID_NONE)
        return FALCO_RC_SUCCESS;
    if (faulty(s, "function_kept") && legacy.get_table_size)
        legacy.get_table_size(s->threads);
    if (faulty(s, "subtable_kept") && s->kept_table)
        in->reader_ext->get_table_size(s->kept_table);
    struct falco_entry *e = r->get_table_entry(s->threads, &key);
    if (!e)
        return FALCO_RC_SUCCESS;
    in->reader_ext->read_entry_field(s->threads, e, s->cgroups, &d);
    s->kept_table = d.table;
    d.str = faulty(s, "host_written") ? "host" : "3f8a1c5be07d";
    in->writer_ext->write_entry_field(s->threads, e, s->id, &d);
    if (faulty(s, "wrong_field"))
        in->reader_ext->read_entry_field(s->threads, e, s->second, &d);
    if (faulty(s, "event_written"))
        ((struct falco_event *)(uintptr_t)ev->evt)->ts++;
    if (!faulty(s, "entry_leaked"))
        in->reader_ext->release_table_entry(s->threads, e);
    if (faulty(s, "released_twice"))
        in->reader_ext->release_table_entry(s->threads, e);
    return FALCO_RC_SUCCESS;
}

static void read_thread(struct state *s, const struct falco_event_input *ev,
                        const struct falco_extract_input *in)
{
    union falco_state_data key = {.s64 = (int64_t)ev->evt->tid}, d;
    s->value[0] = 0;
    s->number = 0;
    struct falco_entry *e = in->reader_ext->get_table_entry(s->threads, &key);
    s->boolean = e != NULL;
    if (!e)
        return;
    in->reader_ext->read_entry_field(s->threads, e, s->comm, &d);
    snprintf(s->value, sizeof(s->value), "%s", d.str);
    in->reader_ext->read_entry_field(s->threads, e, s->cgroups, &d);
    in->reader_ext->iterate_entries(d.table, name_thread, &s->number);
    in->reader_ext->release_table_entry(s->threads, e);
}

EXPORT falco_rc plugin_extract_fields(struct state *s, const struct falco_event_input *ev,
                                      const struct falco_extract_input *in)
{
    read_thread(s, ev, in);
    if (faulty(s, "offsets_read") && in->value_offsets)
        return FALCO_RC_FAILURE;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        struct falco_extract_field *f = &in->fields[i];
        if (faulty(s, "res_len_unwritten"))
            continue;
        f->res_len = f->field_id == 3 ? 2 : f->field_id == 2 || s->boolean;
        s->strings[0] = f->field_id == 3 ? f->arg_key : s->value;
        s->strings[1] = f->arg_key;
        if (faulty(s, "null_string"))
            s->strings[0] = NULL;
        if (f->ftype == FALCO_FIELD_STRING)
            f->res.str = s->strings;
        else if (f->ftype == FALCO_FIELD_UINT64)
            f->res.u64 = &s->number;
        else
            f->res.boolean = &s->boolean;
    }
    return FALCO_RC_SUCCESS;
}

EXPORT struct falco_metric *plugin_get_metrics(struct state *s, uint32_t *n)
{
    static _Thread_local struct falco_metric m;
    m = (struct falco_metric){.name = "parsed",
                              .kind = FALCO_METRIC_MONOTONIC,
                              .value.u64 = atomic_load(&s->parsed),
                              .value_type = FALCO_METRIC_U64};
    *n = 1;
    return &m;
}
