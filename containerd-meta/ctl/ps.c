// SPDX-License-Identifier: Apache-2.0
// ps: the containers, the youngest first.
#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "lookup.h"
#include "output.h"
#include "record_json.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

// A container as it stood when the list was made. Strings point into the region.
struct row {
    struct cmeta_status status;
    uint16_t type;
    uint32_t known;
    uint64_t created_ns; // 0: not known
    uint64_t since_ns;   // creation; first seen where that isn't known
    struct cmeta_str name, image, pod_name, pod_namespace;
};

struct rows {
    struct row *rows;
    size_t count;
};

static bool is_running(uint32_t state)
{
    return state == CMETA_STATE_RUNNING || state == CMETA_STATE_PAUSED ||
           state == CMETA_STATE_RESTARTING || state == CMETA_STATE_UNKNOWN;
}

// What isn't known is left absent, whatever bytes stand there.
static void fill_from_record(struct row *row, const struct cmeta_view *view)
{
    const struct cmeta_record_head *head = (const void *)view->base;
    int64_t created_ns = head->created_ns;

    row->type = cmeta_view_type(view);
    row->known = cmeta_view_known(view);
    if (row->known & CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY)) {
        cmeta_view_string(view, CMETA_STRING_NAME, &row->name);
        if (created_ns > 0)
            row->created_ns = row->since_ns = (uint64_t)created_ns;
    }
    if (row->known & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE))
        cmeta_view_string(view, CMETA_STRING_IMAGE, &row->image);
    if (row->known & CMETA_GROUP_BIT(CMETA_GROUP_POD)) {
        cmeta_view_string(view, CMETA_STRING_POD_NAME, &row->pod_name);
        cmeta_view_string(view, CMETA_STRING_POD_NAMESPACE, &row->pod_namespace);
    }
}

static void collect(const struct cmeta_region *region, bool all, struct rows *rows)
{
    uint64_t cursor = 0;
    cmeta_handle handle;

    while (lookup_next(region, &cursor, &handle)) {
        struct row row = {.type = CMETA_TYPE_UNKNOWN};
        struct cmeta_view view;

        if (!cmeta_reader_status(region, handle, &row.status) ||
            !(all || is_running(CMETA_STATUS_STATE(row.status.word))))
            continue;
        row.since_ns = row.status.first_seen_ns;
        if (cmeta_reader_record(region, handle, &view))
            fill_from_record(&row, &view);
        if ((rows->count & (rows->count - 1)) == 0) // full at each power of two
            rows->rows = reallocarray(rows->rows, rows->count ? rows->count * 2 : 1, sizeof(row));
        if (!rows->rows)
            exit(CTL_FAILED);
        rows->rows[rows->count++] = row;
    }
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    uint32_t len = x->status.id.len < y->status.id.len ? x->status.id.len : y->status.id.len;
    int r;

    if (x->since_ns != y->since_ns)
        return x->since_ns > y->since_ns ? -1 : 1;
    r = memcmp(x->status.id.data, y->status.id.data, len);
    return r ? r : (x->status.id.len > len) - (y->status.id.len > len);
}

static char *state_text(uint32_t word)
{
    uint32_t health = CMETA_STATUS_HEALTH(word);
    const char *state = cmeta_state_name(CMETA_STATUS_STATE(word));

    if (word & CMETA_STATUS_UNCONFIRMED)
        return text_format("%s (unconfirmed)", state);
    if (health != CMETA_HEALTH_NONE)
        return text_format("%s (%s)", state, cmeta_health_name(health));
    if (CMETA_STATUS_STATE(word) == CMETA_STATE_EXITED && (word & CMETA_STATUS_HAS_EXIT))
        return text_format("%s (%u)", state, CMETA_STATUS_EXIT(word));
    return text_format("%s", state);
}

// "yes", or the groups that rules read and that aren't known.
static char *complete_text(uint32_t known)
{
    char *text = NULL;

    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++) {
        CLEANUP(freep)
        char *before = NULL;

        if (!(CMETA_GROUPS_COMPLETE & ~known & CMETA_GROUP_BIT(group)))
            continue;
        before = TAKE(text);
        text = text_format("%s%s", before ? before : "no ", before ? "," : "");
        free(before);
        before = TAKE(text);
        text = text_format("%s%s", before, cmeta_group_name(group));
    }
    return text ? text : text_format("yes");
}

static void print_row(struct table *table, const struct row *row, bool no_trunc, uint64_t now_ns)
{
    char age[AGE_SIZE];
    CLEANUP(freep)
    char *state = state_text(row->status.word);
    CLEANUP(freep)
    char *complete = complete_text(row->known);
    struct cmeta_str id = no_trunc ? row->status.id : lookup_short_id(row->status.id);

    table_row(table, (struct cmeta_str[]){
                         id, row->name, row->image, str_of(state),
                         str_of(cmeta_type_name(row->type)), row->pod_name, row->pod_namespace,
                         str_of(text_age(row->since_ns, now_ns, age)), str_of(complete)});
}

static void print_table(const struct rows *rows, bool no_trunc)
{
    static const char *const headings[] = {"ID",  "NAME",      "IMAGE", "STATE",   "ENGINE",
                                           "POD", "NAMESPACE", ">AGE",  "COMPLETE"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    uint64_t now_ns = now_realtime_ns();

    for (size_t i = 0; i < rows->count; i++)
        print_row(table, &rows->rows[i], no_trunc, now_ns);
    table_print(table);
}

static json_t *row_json(const struct row *row)
{
    const char *engine = cmeta_type_name(row->type);
    json_t *object = json_object(), *pod = json_null();

    if (row->pod_name.len) {
        pod = json_object();
        json_object_set_new(pod, "namespace", json_text(row->pod_namespace));
        json_object_set_new(pod, "name", json_text(row->pod_name));
    }
    json_object_set_new(object, "id", json_text(lookup_short_id(row->status.id)));
    json_object_set_new(object, "full_id", json_text(row->status.id));
    json_object_set_new(object, "scope", json_text(row->status.scope));
    json_object_set_new(object, "name", json_text(row->name));
    json_object_set_new(object, "image", json_text(row->image));
    json_object_set_new(object, "state",
                        json_string(cmeta_state_name(CMETA_STATUS_STATE(row->status.word))));
    json_object_set_new(object, "health",
                        json_string(cmeta_health_name(CMETA_STATUS_HEALTH(row->status.word))));
    json_object_set_new(object, "engine", *engine ? json_string(engine) : json_null());
    json_object_set_new(object, "pod", pod);
    json_object_set_new(object, "pid",
                        row->status.pid ? json_integer(row->status.pid) : json_null());
    json_object_set_new(object, "created", json_time(row->created_ns));
    json_object_set_new(object, "first_seen", json_time(row->status.first_seen_ns));
    json_object_set_new(
        object, "complete",
        json_boolean((row->known & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE));
    json_object_set_new(object, "missing", record_json_missing(row->known));
    return object;
}

static void print_ids(const struct rows *rows, const struct ctl_options *options)
{
    struct json_stream stream = {.format = options->format};

    for (size_t i = 0; i < rows->count; i++) {
        struct cmeta_str id = rows->rows[i].status.id;

        if (!options->no_trunc)
            id = lookup_short_id(id);
        if (options->format == CTL_TABLE) {
            CLEANUP(freep)
            char *text = text_printable(id);

            puts(text);
        } else {
            json_stream_value(&stream, json_text(id));
        }
    }
    if (options->format != CTL_TABLE)
        json_stream_end(&stream);
}

static void print_json(const struct rows *rows, enum ctl_format format)
{
    struct json_stream stream = {.format = format};

    for (size_t i = 0; i < rows->count; i++)
        json_stream_value(&stream, row_json(&rows->rows[i]));
    json_stream_end(&stream);
}

static enum ctl_exit ps_run(const struct ctl_options *options)
{
    struct cmeta_region region = {0};
    struct rows rows = {0};
    enum ctl_exit exit = session_open(options, &region);

    if (exit != CTL_OK)
        return exit;
    collect(&region, options->all, &rows);
    if (rows.count)
        qsort(rows.rows, rows.count, sizeof(*rows.rows), compare);
    if (options->quiet)
        print_ids(&rows, options);
    else if (options->format == CTL_TABLE)
        print_table(&rows, options->no_trunc);
    else
        print_json(&rows, options->format);
    free(rows.rows);
    cmeta_region_unmap(&region);
    return CTL_OK;
}

const struct ctl_verb ctl_ps = {
    .name = "ps",
    .arguments = "",
    .summary = "Lists containers: the running ones, or all",
    .help = "  -a, --all            ended and removed ones as well\n"
            "  -q, --quiet          IDs only\n"
            "      --no-trunc       whole IDs\n"
            "\n"
            "COMPLETE says \"yes\", or which of the groups that rules read aren't known yet;\n"
            "`inspect` and `why` say the reason of each.\n",
    .options = "aqt",
    .args_max = 0,
    .run = ps_run,
};
