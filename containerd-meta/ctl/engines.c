// SPDX-License-Identifier: Apache-2.0
// engines: how the daemon stands with each container engine.
#include "ctl.h"
#include "engine_rows.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>

static void print_row(struct table *table, const struct cmeta_engine_row *row, uint64_t now_ns)
{
    char containers[16], events[24], errors[24], since[AGE_SIZE], last[AGE_SIZE], state[40];

    snprintf(containers, sizeof(containers), "%" PRIu32, row->containers);
    snprintf(events, sizeof(events), "%" PRIu64, row->events_total);
    snprintf(errors, sizeof(errors), "%" PRIu64, row->errors_total);
    snprintf(state, sizeof(state), "%s%s", engine_rows_state(row->state),
             row->flags & CMETA_ENGINE_DEGRADED ? " (scanning)" : "");
    table_row(table,
              (struct cmeta_str[]){str_of(row->name), str_of(state), str_of(row->socket),
                                   str_of(row->version), str_of(containers), str_of(events),
                                   str_of(errors), str_of(text_age(row->since_ns, now_ns, since)),
                                   str_of(text_age(row->last_event_ns, now_ns, last)),
                                   str_of(row->last_error)});
}

static json_t *row_json(const struct cmeta_engine_row *row)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", json_text(str_of(row->name)));
    json_object_set_new(object, "state", json_string(engine_rows_state(row->state)));
    json_object_set_new(object, "degraded",
                        json_boolean((row->flags & CMETA_ENGINE_DEGRADED) != 0));
    json_object_set_new(object, "configured",
                        json_boolean((row->flags & CMETA_ENGINE_CONFIGURED) != 0));
    json_object_set_new(object, "scope", json_text(str_of(row->scope)));
    json_object_set_new(object, "socket", json_text(str_of(row->socket)));
    json_object_set_new(object, "version", json_text(str_of(row->version)));
    json_object_set_new(object, "containers", json_count(row->containers));
    json_object_set_new(object, "events", json_count(row->events_total));
    json_object_set_new(object, "errors", json_count(row->errors_total));
    json_object_set_new(object, "connects", json_count(row->connects_total));
    json_object_set_new(object, "since", json_time(row->since_ns));
    json_object_set_new(object, "last_event", json_time(row->last_event_ns));
    json_object_set_new(object, "last_error",
                        *row->last_error ? json_text(str_of(row->last_error)) : json_null());
    return object;
}

static void print_table(const struct cmeta_region *region)
{
    static const char *const headings[] = {"NAME",        "STATE",     "SOCKET",  "VERSION",
                                           ">CONTAINERS", ">EVENTS",   ">ERRORS", ">SINCE",
                                           ">LAST EVENT", "LAST ERROR"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    uint64_t now_ns = now_realtime_ns();
    struct cmeta_engine_row row;
    uint32_t index = 0;

    while (engine_rows_next(region, &index, &row))
        print_row(table, &row, now_ns);
    table_print(table);
}

static enum ctl_exit engines_run(const struct ctl_options *options)
{
    struct json_stream stream = {.format = options->format};
    struct cmeta_region region = {0};
    struct cmeta_engine_row row;
    uint32_t index = 0;
    enum ctl_exit exit = session_open(options, &region);

    if (exit != CTL_OK)
        return exit;
    if (options->format == CTL_TABLE) {
        print_table(&region);
    } else {
        while (engine_rows_next(&region, &index, &row))
            json_stream_value(&stream, row_json(&row));
        json_stream_end(&stream);
    }
    cmeta_region_unmap(&region);
    return CTL_OK;
}

const struct ctl_verb ctl_engines = {
    .name = "engines",
    .arguments = "",
    .summary = "Shows how the daemon stands with each container engine",
    .help = "SINCE is the age of the state, LAST EVENT that of the last event read. \"scanning\" "
            "says that\n"
            "the kernel has no inotify watch to give: sockets are looked for every 10 s.\n",
    .options = "",
    .args_max = 0,
    .run = engines_run,
};
