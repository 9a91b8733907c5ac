// SPDX-License-Identifier: Apache-2.0
#include "tests/host/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/schema.h"

#define RC_GARBAGE ((falco_rc)0x5a5a5a5a)

struct instance *instance_new(struct report *r, const struct plugin *p, struct api_version api)
{
    struct instance *in = host_alloc(sizeof(*in));
    in->report = r;
    in->plugin = p;
    in->api = api;
    in->owner = owner_new(r);
    snprintf(in->owner->name, sizeof(in->owner->name), "%s", p->name);
    in->threads = threads_new();
    in->tables = tables_new(in->owner, in->threads);
    in->async = async_queue_new(r);
    async_queue_set_names(in->async, p->async_events, p->n_async_events);
    in->owner->async = in->async;
    in->event_guard = guard_new();
    in->input_guard = guard_new();
    return in;
}

void instance_free(struct instance *in)
{
    if (!in)
        return;
    instance_destroy(in);
    tables_free(in->tables);
    threads_free(in->threads);
    async_queue_free(in->async);
    routines_free(in->routines);
    guard_free(in->event_guard);
    guard_free(in->input_guard);
    free(in->init_input);
    free(in->extract_types);
    free(in->parse_types);
    owner_free(in->owner);
    free(in);
}

static int failed(struct instance *in, const char *call)
{
    const char *text = in->state ? in->plugin->sym.get_last_error(in->state) : "no state";
    if (!text)
        report_violation(in->report, "get_last_error returned NULL after %s", call);
    snprintf(in->error, sizeof(in->error), "%s: %s", call, text ? text : "");
    return 1;
}

// --- init ----------------------------------------------------------------------------------------

// The configuration as the plugin gets it ("" becomes "{}" under a JSON schema), or NULL: refused.
static const char *validated(struct instance *in, const char *config)
{
    if (!in->plugin->sym.get_init_schema)
        return config;
    uint32_t type = UINT32_MAX;
    const char *schema = in->plugin->sym.get_init_schema(&type);
    if (type == UINT32_MAX)
        report_violation(in->report, "get_init_schema didn't write the type");
    if (type != FALCO_SCHEMA_JSON)
        return config;
    if (!schema) {
        report_violation(in->report, "get_init_schema returned NULL for a JSON schema");
        return config;
    }
    if (!*config)
        config = "{}";
    int rc = schema_check(schema, config, in->error, sizeof(in->error));
    if (rc < 0)
        report_violation(in->report, "get_init_schema: %s", in->error);
    return rc == 0 ? config : NULL;
}

static struct falco_plugin *call_init(struct instance *in, const char *config, falco_rc *rc)
{
    const struct call_objects *objects = tables_call_begin(in->tables, CALL_INIT);
    bool needs_tables = in->plugin->capabilities & (FALCO_CAP_EXTRACTION | FALCO_CAP_PARSING);
    char *text = host_strdup(config);
    struct falco_init_input *input = host_alloc(sizeof(*input));
    *input = (struct falco_init_input){.config = text,
                                       .owner = in->owner,
                                       .get_owner_last_error = owner_last_error,
                                       .tables = needs_tables ? &objects->init : NULL,
                                       .log = owner_log};
    struct falco_plugin *state = in->plugin->sym.init(input, rc);
    tables_call_end(in->tables);
    memset(input, 0xdb, sizeof(*input));
    memset(text, 0xdb, strlen(text));
    free(text);
    free(in->init_input);
    in->init_input = input;
    return state;
}

// The set of event types, NULL for all. What the plugin returned is copied.
static bool *read_types(struct instance *in, const char *what,
                        uint16_t *(*get)(uint32_t *n, struct falco_plugin *s))
{
    uint32_t n = UINT32_MAX;
    const uint16_t *types = get ? get(&n, in->state) : NULL;
    if (get && n == UINT32_MAX) {
        report_violation(in->report, "%s didn't write the number of types", what);
        n = 0;
    }
    if (!types || n == 0)
        return NULL;
    bool *set = host_alloc(UINT16_MAX + 1);
    for (uint32_t i = 0; i < n; i++)
        set[types[i]] = true;
    return set;
}

static void read_all_types(struct instance *in)
{
    const struct plugin_symbols *s = &in->plugin->sym;
    free(in->extract_types);
    free(in->parse_types);
    in->extract_types = NULL;
    in->parse_types = NULL;
    if (s->extract_fields)
        in->extract_types = read_types(in, "get_extract_event_types", s->get_extract_event_types);
    if (!s->parse_event)
        return;
    in->parse_types = read_types(in, "get_parse_event_types", s->get_parse_event_types);
    if (!in->parse_types)
        report_violation(in->report, "get_parse_event_types: a parser without a list of event "
                                     "types makes the drivers trace every system call");
}

int instance_init(struct instance *in, const char *config)
{
    config = validated(in, config ? config : "");
    if (!config)
        return 1;
    falco_rc rc = RC_GARBAGE;
    in->state = call_init(in, config, &rc);
    if (rc == RC_GARBAGE)
        report_violation(in->report, "init didn't write the return code");
    if (!in->state) {
        report_violation(in->report, "init returned no state: the user would see no reason");
        snprintf(in->error, sizeof(in->error), "init: no state");
        return 1;
    }
    if (rc != FALCO_RC_SUCCESS) {
        failed(in, "init");
        instance_destroy(in);
        return 1;
    }
    if (in->routines)
        routines_set_plugin(in->routines, in->state);
    read_all_types(in);
    return 0;
}

void instance_destroy(struct instance *in)
{
    if (!in->state)
        return;
    in->plugin->sym.destroy(in->state);
    in->state = NULL;
    async_queue_set_open(in->async, false);
    owner_end(in->owner);
}

// --- opening and closing -------------------------------------------------------------------------

int instance_set_handler(struct instance *in, bool set)
{
    if (!in->plugin->sym.set_async_event_handler)
        return 0;
    // The handler works while the plugin starts and while it stops.
    if (set)
        async_queue_set_open(in->async, true);
    falco_rc rc = in->plugin->sym.set_async_event_handler(in->state, in->owner,
                                                          set ? async_queue_push : NULL);
    if (!set || rc != FALCO_RC_SUCCESS)
        async_queue_set_open(in->async, false);
    in->handler_set = set && rc == FALCO_RC_SUCCESS;
    if (rc == FALCO_RC_SUCCESS)
        return 0;
    if (!set)
        report_violation(in->report, "set_async_event_handler(NULL) must return success");
    return failed(in, "set_async_event_handler");
}

static falco_rc call_listener(struct instance *in, enum call_kind kind,
                              falco_rc (*listener)(struct falco_plugin *s,
                                                   const struct falco_listen_input *input))
{
    const struct call_objects *objects = tables_call_begin(in->tables, kind);
    in->owner->routines = in->routines;
    struct falco_listen_input input = {
        .owner = in->owner,
        .routines = (struct falco_routines *)(uintptr_t)&objects->routines,
        .reader_ext = (struct falco_table_reader *)(uintptr_t)&objects->reader,
        .writer_ext = (struct falco_table_writer *)(uintptr_t)&objects->writer,
        .get_owner_last_error = owner_last_error};
    struct falco_listen_input *guarded = guard_put(in->input_guard, &input, sizeof(input));
    falco_rc rc = listener(in->state, guarded);
    memset(guarded, 0xdb, sizeof(*guarded));
    tables_call_end(in->tables);
    return rc;
}

int instance_dump_state(struct instance *in, struct async_queue *into)
{
    if (!in->plugin->sym.dump_state)
        return 0;
    in->owner->dump = into;
    falco_rc rc = in->plugin->sym.dump_state(in->state, in->owner, async_queue_push_dump);
    in->owner->dump = NULL;
    return rc == FALCO_RC_SUCCESS ? 0 : failed(in, "dump_state");
}

int instance_capture_open(struct instance *in)
{
    if (!in->plugin->sym.capture_open)
        return 0;
    falco_rc rc = call_listener(in, CALL_CAPTURE_OPEN, in->plugin->sym.capture_open);
    return rc == FALCO_RC_SUCCESS ? 0 : failed(in, "capture_open");
}

int instance_capture_close(struct instance *in)
{
    if (!in->plugin->sym.capture_close)
        return 0;
    falco_rc rc = call_listener(in, CALL_CAPTURE_CLOSE, in->plugin->sym.capture_close);
    if (in->routines)
        routines_purge(in->routines);
    if (rc == FALCO_RC_SUCCESS)
        return 0;
    report_violation(in->report, "capture_close must return success");
    return failed(in, "capture_close");
}

int instance_check_schema(struct instance *in, const char *schema)
{
    if (in->api.minor < 12)
        return 0;
    const char *(*get)(struct falco_plugin * s) = in->plugin->sym.get_required_event_schema_version;
    const char *text = get ? get(in->state) : NULL;
    struct api_version required, offered;
    if (!api_version_parse(text ? text : "3.0.0", &required)) {
        report_violation(in->report, "get_required_event_schema_version: %s is not x.y.z", text);
        return 1;
    }
    if (api_version_parse(schema, &offered) && api_version_serves(offered, required))
        return 0;
    snprintf(in->error, sizeof(in->error),
             "required event schema version '%s' not compatible with the host's '%s'",
             text ? text : "3.0.0", schema);
    return 1;
}

// --- events --------------------------------------------------------------------------------------

static struct falco_event_input guarded_event(struct instance *in, const struct falco_event *e,
                                              uint64_t evtnum, const char *source)
{
    return (struct falco_event_input){
        .evt = guard_put(in->event_guard, e, e->len), .evtnum = evtnum, .evtsrc = source};
}

static void check_untouched(struct instance *in, const struct falco_event *e,
                            const struct falco_event_input *input, const char *call)
{
    if (memcmp(input->evt, e, e->len) != 0)
        report_violation(in->report, "%s wrote into the event", call);
}

static struct falco_table_reader_legacy legacy_reader(const struct falco_table_reader *r)
{
    return (struct falco_table_reader_legacy){r->get_table_name, r->get_table_size,
                                              r->get_table_entry, r->read_entry_field};
}

void instance_parse(struct instance *in, const struct falco_event *e, uint64_t evtnum,
                    const char *source)
{
    if (!in->plugin->sym.parse_event || (in->parse_types && !in->parse_types[e->type]))
        return;
    const struct call_objects *objects = tables_call_begin(in->tables, CALL_PARSE);
    struct falco_event_input event = guarded_event(in, e, evtnum, source);
    struct falco_parse_input input = {
        .owner = in->owner,
        .get_owner_last_error = owner_last_error,
        .reader = legacy_reader(&objects->reader),
        .writer = objects->writer,
        .reader_ext = (struct falco_table_reader *)(uintptr_t)&objects->reader,
        .writer_ext = (struct falco_table_writer *)(uintptr_t)&objects->writer};
    struct falco_parse_input *guarded = guard_put(in->input_guard, &input, sizeof(input));
    in->plugin->sym.parse_event(in->state, &event, guarded);
    memset(guarded, 0xdb, sizeof(*guarded));
    check_untouched(in, e, &event, "parse_event");
    tables_call_end(in->tables);
}

falco_rc instance_extract(struct instance *in, const struct falco_event *e, uint64_t evtnum,
                          const char *source, struct falco_extract_field *requests, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        requests[i].res.u64 = (uint64_t *)INSTANCE_RES_GARBAGE;
        requests[i].res_len = INSTANCE_LEN_GARBAGE;
    }
    if (!in->plugin->sym.extract_fields || (in->extract_types && !in->extract_types[e->type]))
        return FALCO_RC_FAILURE;
    const struct call_objects *objects = tables_call_begin(in->tables, CALL_EXTRACT);
    struct falco_event_input event = guarded_event(in, e, evtnum, source);
    struct falco_extract_input input = {
        .owner = in->owner,
        .get_owner_last_error = owner_last_error,
        .num_fields = n,
        .fields = requests,
        .reader = legacy_reader(&objects->reader),
        .reader_ext = (struct falco_table_reader *)(uintptr_t)&objects->reader,
        .value_offsets = NULL};
    // An older host's struct ends earlier: what follows isn't even mapped.
    size_t size = in->api.minor < 11 ? FALCO_EXTRACT_INPUT_3_10_BYTES : sizeof(input);
    struct falco_extract_input *guarded = guard_put(in->input_guard, &input, size);
    falco_rc rc = in->plugin->sym.extract_fields(in->state, &event, guarded);
    memset(guarded, 0xdb, size);
    check_untouched(in, e, &event, "extract_fields");
    tables_call_end(in->tables);
    return rc;
}
