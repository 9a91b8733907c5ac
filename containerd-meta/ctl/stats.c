// SPDX-License-Identifier: Apache-2.0
// stats: facts of the region, and its counters, which describe themselves.
#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "engine_rows.h"
#include "leads.h"
#include "output.h"
#include "session.h"

#include "shm/load.h"

#include <inttypes.h>
#include <string.h>

static const char *region_state(const struct cmeta_region *region)
{
    switch (cmeta_reader_state(region)) {
    case CMETA_REGION_BUILDING:
        return "building";
    case CMETA_REGION_LIVE:
        return "live";
    case CMETA_REGION_DRAINING:
        return "draining";
    case CMETA_REGION_RETIRED:
        return "retired";
    default:
        return "unknown";
    }
}

static const char *kind_name(uint32_t kind)
{
    return kind == CMETA_COUNTER_TOTAL   ? "total"
           : kind == CMETA_COUNTER_GAUGE ? "gauge"
                                         : "unknown";
}

// --- JSON
// ------------------------------------------------------------------------------------------------

static json_t *region_json(const struct cmeta_region *region, const char *dir)
{
    const struct cmeta_header *header = session_header(region);
    json_t *object = json_object();

    json_object_set_new(object, "dir", json_text(str_of(dir)));
    json_object_set_new(object, "daemon_alive", json_boolean(session_daemon_alive(dir)));
    json_object_set_new(object, "heartbeat_age_ms",
                        json_count(session_heartbeat_age(region) / 1000000));
    json_object_set_new(object, "state", json_string(region_state(region)));
    json_object_set_new(object, "bytes", json_count(region->size));
    json_object_set_new(object, "arena_bytes", json_count(region->arena_bytes));
    json_object_set_new(object, "arena_used_bytes", json_count(load_relaxed(&header->arena_used)));
    json_object_set_new(object, "epoch", json_sprintf("%016" PRIx64, region->epoch));
    json_object_set_new(object, "created", json_time(header->created_realtime_ns));
    json_object_set_new(object, "revision", json_count(cmeta_reader_revision(region)));
    json_object_set_new(object, "containers", json_count(cmeta_reader_identities(region)));
    json_object_set_new(object, "removed", json_count(cmeta_reader_tombstones(region)));
    json_object_set_new(object, "grace_ms", json_count(load_relaxed(&header->grace_ns) / 1000000));
    return object;
}

static json_t *counter_json(const struct cmeta_counter *counter)
{
    json_t *object = json_object();

    json_object_set_new(object, "value", json_count(counter->value));
    json_object_set_new(object, "unit", json_text(str_of(counter->unit)));
    json_object_set_new(object, "kind", json_string(kind_name(counter->kind)));
    json_object_set_new(object, "help", json_text(str_of(counter->help)));
    return object;
}

// The count of a name, 0 if there is none such.
static uint64_t count_of(const struct cmeta_region *region, const char *name)
{
    struct cmeta_counter counter;

    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    return 0;
}

struct first {
    uint64_t complete, all;
};

static struct first first_of(const struct cmeta_region *region)
{
    struct first first = {.complete = count_of(region, "first_complete_total")};

    first.all = first.complete + count_of(region, "first_incomplete_total") +
                count_of(region, "first_absent_total");
    return first;
}

// Rounded down: what isn't all isn't 100 %.
static double percent(struct first first)
{
    uint64_t hundredths = first.all ? first.complete * 10000 / first.all : 0;

    return (double)hundredths / 100;
}

static json_t *first_json(const struct cmeta_region *region)
{
    struct first first = first_of(region);
    json_t *object = json_object();

    json_object_set_new(object, "programs", json_count(first.all));
    json_object_set_new(object, "complete", json_count(first.complete));
    json_object_set_new(object, "percent", first.all ? json_real(percent(first)) : json_null());
    return object;
}

static json_t *leads_json(const struct cmeta_region *region)
{
    json_t *list = json_array();
    struct cmeta_engine_row row;
    struct leads leads;

    for (uint32_t index = 0; engine_rows_next(region, &index, &row);) {
        json_t *object;

        if (!leads_read(region, index - 1, &leads))
            continue;
        object = json_object();
        json_object_set_new(object, "engine", json_text(str_of(row.name)));
        json_object_set_new(object, "socket", json_text(str_of(row.socket)));
        json_object_set_new(object, "starts", json_count(leads.starts));
        json_object_set_new(object, "late", json_count(leads.late));
        json_object_set_new(object, "p1_ms", json_integer(leads_quantile(&leads, 0.01)));
        json_object_set_new(object, "median_ms", json_integer(leads_quantile(&leads, 0.5)));
        json_array_append_new(list, object);
    }
    return list;
}

static void print_json(const struct cmeta_region *region, const char *dir)
{
    json_t *object = json_object(), *counters = json_object();
    struct cmeta_counter counter;

    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++) {
        CLEANUP(freep)
        char *name = text_copy(str_of(counter.name));

        json_object_set_new(counters, name, counter_json(&counter));
    }
    json_object_set_new(object, "region", region_json(region, dir));
    json_object_set_new(object, "first", first_json(region));
    json_object_set_new(object, "leads", leads_json(region));
    json_object_set_new(object, "counters", counters);
    json_print(CTL_JSON, object);
}

static void print_lines(const struct cmeta_region *region, const char *dir)
{
    struct cmeta_counter counter;

    json_print(CTL_JSONL, json_pack("{s:o, s:o, s:o}", "region", region_json(region, dir), "first",
                                    first_json(region), "leads", leads_json(region)));
    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++) {
        json_t *object = counter_json(&counter);

        json_object_set_new(object, "name", json_text(str_of(counter.name)));
        json_print(CTL_JSONL, object);
    }
}

// --- tables
// ------------------------------------------------------------------------------------------------

static char *first_text(const struct cmeta_region *region)
{
    struct first first = first_of(region);

    if (first.all == 0)
        return text_format("no container's first program was met yet (the plugin tells)");
    return text_format("%.2f %% (%" PRIu64 " of %" PRIu64 " containers' first programs)",
                       percent(first), first.complete, first.all);
}

static void fact(struct table *table, const char *name, char *value)
{
    table_row(table, (struct cmeta_str[]){str_of(name), str_of(value)});
    free(value);
}

static void print_region(const struct cmeta_region *region, const char *dir)
{
    static const char *const headings[] = {"REGION", "VALUE"};
    const struct cmeta_header *header = session_header(region);
    struct table *table = table_new(headings, 2);
    char age[AGE_SIZE];

    fact(table, "folder", text_format("%s", dir));
    fact(table, "daemon", text_format("%s", session_daemon_alive(dir) ? "running" : "not running"));
    fact(table, "heartbeat",
         text_format("%s ago", text_age(1, session_heartbeat_age(region) + 1, age)));
    fact(table, "state", text_format("%s", region_state(region)));
    fact(table, "size", text_format("%" PRIu64 " bytes", region->size));
    fact(table, "arena",
         text_format("%" PRIu32 " of %" PRIu32 " bytes used", load_relaxed(&header->arena_used),
                     region->arena_bytes));
    fact(table, "epoch", text_format("%016" PRIx64, region->epoch));
    fact(table, "created",
         text_format("%s ago", text_age(header->created_realtime_ns, now_realtime_ns(), age)));
    fact(table, "revision", text_format("%" PRIu64, cmeta_reader_revision(region)));
    fact(table, "containers",
         text_format("%" PRIu32 ", of them removed and in their grace period: %" PRIu32,
                     cmeta_reader_identities(region), cmeta_reader_tombstones(region)));
    fact(table, "grace period",
         text_format("%s", text_age(1, load_relaxed(&header->grace_ns) + 1, age)));
    fact(table, "complete before first lookup", first_text(region));
    table_print(table);
}

// How early records were, by engine; nothing while nothing has started.
static void print_leads(const struct cmeta_region *region)
{
    static const char *const headings[] = {"ENGINE", "SOCKET",   ">STARTS",
                                           ">LATE",  ">P1 LEAD", ">MEDIAN LEAD"};
    struct table *table = NULL;
    struct cmeta_engine_row row;
    struct leads leads;

    for (uint32_t index = 0; engine_rows_next(region, &index, &row);) {
        char starts[24], late[24], p1[32], median[32];

        if (!leads_read(region, index - 1, &leads))
            continue;
        snprintf(starts, sizeof(starts), "%" PRIu64, leads.starts);
        snprintf(late, sizeof(late), "%" PRIu64, leads.late);
        snprintf(p1, sizeof(p1), "%" PRId64 " ms", leads_quantile(&leads, 0.01));
        snprintf(median, sizeof(median), "%" PRId64 " ms", leads_quantile(&leads, 0.5));
        if (!table)
            table = table_new(headings, 6);
        table_row(table, (struct cmeta_str[]){str_of(row.name), str_of(row.socket), str_of(starts),
                                              str_of(late), str_of(p1), str_of(median)});
    }
    if (!table)
        return;
    table_print(table);
    putchar('\n');
}

static void print_counters(const struct cmeta_region *region, bool help)
{
    static const char *const headings[] = {"COUNTER", ">VALUE", "UNIT", "HELP"};
    struct table *table = table_new(headings, help ? 4 : 3);
    struct cmeta_counter counter;

    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++) {
        char value[24];

        snprintf(value, sizeof(value), "%" PRIu64, counter.value);
        table_row(table, (struct cmeta_str[]){str_of(counter.name), str_of(value),
                                              str_of(counter.unit), str_of(counter.help)});
    }
    table_print(table);
}

static enum ctl_exit stats_run(const struct ctl_options *options)
{
    struct cmeta_region region = {0};
    enum ctl_exit exit = session_open(options, &region);

    if (exit != CTL_OK)
        return exit;
    if (options->format == CTL_JSON) {
        print_json(&region, options->dir);
    } else if (options->format == CTL_JSONL) {
        print_lines(&region, options->dir);
    } else {
        print_region(&region, options->dir);
        putchar('\n');
        print_leads(&region);
        print_counters(&region, options->verbose);
    }
    cmeta_region_unmap(&region);
    return CTL_OK;
}

const struct ctl_verb ctl_stats = {
    .name = "stats",
    .arguments = "",
    .summary = "Shows facts of the region and its counters",
    .help = "  -v, --help-text      what each counter means\n",
    .options = "v",
    .args_max = 0,
    .run = stats_run,
};
