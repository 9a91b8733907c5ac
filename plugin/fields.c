// SPDX-License-Identifier: Apache-2.0
// Values come from a record that other hands may be writing over: each is taken by its checked
// length and copied, with a NUL of our own.
//
// What a field says where there is nothing to say: NULL while its group isn't known, the empty
// value once it is known to be empty. A string that stands in a group not known yet is a fact and
// is told; a boolean or a joined list there would be a guess and isn't.
#include "fields.h"

#include "category.h"
#include "fields_list.h"
#include "glob.h"

#include <stdlib.h>
#include <string.h>

// Two records' worth: hosts ask for one field in a call, and any field's value is a part of one.
#define ARENA_BYTES (2 * CMETA_RECORD_MAX)

struct fields {
    const struct config *config;
    struct records *records;
    struct metrics *metrics;
    size_t used; // of the arena, in this call
    _Alignas(8) uint8_t arena[ARENA_BYTES];
};

const char *fields_declaration(void)
{
    return FIELDS_LIST(FIELD_DECLARATION) "]";
}

static const struct rule {
    uint8_t how;
    uint8_t group;
    uint16_t which;
} rules[] = {FIELDS_LIST(FIELD_RULE)};

#define FIELDS_COUNT (sizeof(rules) / sizeof(rules[0]))
_Static_assert(FIELDS_COUNT == 61, "upstream declares 61 fields");

// --- the life of a value -------------------------------------------------------------------------

struct request {
    struct fields *fields;
    const struct table_access *access;
    const struct falco_event_input *in;
    const struct subject *subject;
    struct falco_extract_field *field;
};

// Room in the arena, 8-byte aligned; NULL when it is full, and the value is dropped.
static void *take_room(struct fields *f, size_t bytes)
{
    uint8_t *at = f->arena + f->used;

    bytes = (bytes + 7) & ~(size_t)7;
    if (bytes > ARENA_BYTES - f->used) {
        metrics_count(f->metrics, METRIC_VALUES_DROPPED);
        return NULL;
    }
    f->used += bytes;
    return at;
}

static void answer_literal(struct request *q, const char *text)
{
    const char **slot = take_room(q->fields, sizeof(*slot));

    if (!slot)
        return;
    *slot = text;
    q->field->res.str = slot;
    q->field->res_len = 1;
}

static void answer_text(struct request *q, struct cmeta_str text)
{
    const char **slot = take_room(q->fields, sizeof(*slot) + text.len + 1);
    char *copy;

    if (!slot)
        return;
    copy = (char *)(slot + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *slot = copy;
    q->field->res.str = slot;
    q->field->res_len = 1;
}

static void answer_bool(struct request *q, bool value)
{
    falco_bool *slot = take_room(q->fields, sizeof(*slot));

    if (!slot)
        return;
    *slot = value;
    q->field->res.boolean = slot;
    q->field->res_len = 1;
}

static void answer_number(struct request *q, uint64_t value)
{
    uint64_t *slot = take_room(q->fields, sizeof(*slot));

    if (!slot)
        return;
    *slot = value;
    q->field->res.u64 = slot;
    q->field->res_len = 1;
}

// --- of a record ---------------------------------------------------------------------------------

static bool is_known(const struct request *q, unsigned group)
{
    return cmeta_view_known(&q->subject->view) & CMETA_GROUP_BIT(group);
}

// The string of a record, or what stands for its absence when the group is known (NULL: nothing).
static void record_string(struct request *q, const struct rule *rule, const char *absent)
{
    struct cmeta_str text;

    if (cmeta_view_string(&q->subject->view, rule->which, &text))
        answer_text(q, text);
    else if (absent && is_known(q, rule->group))
        answer_literal(q, absent);
}

static void record_id(struct request *q, bool whole)
{
    struct cmeta_str id;

    if (records_id(q->fields->records, q->subject, whole, &id))
        answer_text(q, id);
}

static void record_sandbox(struct request *q, const struct rule *rule)
{
    struct cmeta_str id;

    if (!cmeta_view_string(&q->subject->view, rule->which, &id)) {
        record_string(q, rule, "");
        return;
    }
    if (id.len > 12)
        id.len = 12;
    answer_text(q, id);
}

static void record_label(struct request *q, const struct rule *rule)
{
    const char *key = q->field->arg_key;
    struct cmeta_str value;

    if (key && cmeta_view_find_label(&q->subject->view, rule->which, key, strlen(key), &value))
        answer_text(q, value);
}

// What a container's own processes start is no probe, whatever is known of the container.
static void record_category(struct request *q, const struct rule *rule)
{
    enum thread_category category;

    if (q->subject->is_told)
        return;
    category = records_category(q->fields->records, q->access, q->in->evt, q->subject);
    if (category != CATEGORY_NONE || is_known(q, rule->group))
        answer_bool(q, category == category_of_probe((enum cmeta_probe_kind)rule->which));
}

// --- mounts --------------------------------------------------------------------------------------

static void answer_mount(struct request *q, const struct rule *rule, const struct cmeta_mount *m)
{
    switch (rule->which) {
    case MOUNT_SOURCE:
        answer_text(q, m->source);
        break;
    case MOUNT_DESTINATION:
        answer_text(q, m->destination);
        break;
    case MOUNT_MODE:
        answer_text(q, m->mode);
        break;
    case MOUNT_RDWR:
        answer_literal(q, m->rw ? "true" : "false");
        break;
    case MOUNT_PROPAGATION:
        answer_text(q, m->propagation);
        break;
    default:
        answer_text(q, m->joined);
        break;
    }
}

// Digits without a leading zero are an index. The host's own parse is not relied on: older ones
// say 0 where there is none.
static bool parse_index(const char *key, uint32_t *index)
{
    uint64_t value = 0;

    if (!*key || (key[0] == '0' && key[1]))
        return false;
    for (; *key; key++) {
        if (*key < '0' || *key > '9')
            return false;
        value = value * 10 + (uint64_t)(*key - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *index = (uint32_t)value;
    return true;
}

static void record_mount(struct request *q, const struct rule *rule)
{
    const struct cmeta_view *view = &q->subject->view;
    const char *key = q->field->arg_key;
    uint32_t index, count = cmeta_view_count(view, CMETA_LIST_MOUNTS);
    // Of paths: a sound record has no more, and slices of others may overlap.
    uint32_t left = view->size;
    struct cmeta_mount mount;
    size_t key_len;

    if (!key)
        return;
    if (parse_index(key, &index)) {
        if (cmeta_view_mount(view, index, &mount))
            answer_mount(q, rule, &mount);
        return;
    }
    key_len = strlen(key);
    for (uint32_t i = 0; i < count; i++) {
        struct cmeta_str path;

        if (!cmeta_view_mount(view, i, &mount))
            continue;
        path = rule->which == MOUNT_SOURCE ? mount.destination : mount.source;
        if (path.len > left)
            return;
        left -= path.len;
        if (glob_match(key, key_len, path.data, path.len)) {
            answer_mount(q, rule, &mount);
            return;
        }
    }
}

// --- by subject ----------------------------------------------------------------------------------

static void extract_record(struct request *q, const struct rule *rule)
{
    switch (rule->how) {
    case HOW_ID:
    case HOW_FULL_ID:
        record_id(q, rule->how == HOW_FULL_ID);
        break;
    case HOW_NAME:
    case HOW_STRING:
        record_string(q, rule, "");
        break;
    case HOW_POD_STRING:
        record_string(q, rule, NULL);
        break;
    case HOW_PROBE:
        record_string(q, rule, "NONE");
        break;
    case HOW_JOINED:
        if (is_known(q, rule->group))
            record_string(q, rule, "");
        break;
    case HOW_TYPE:
        if (is_known(q, rule->group))
            answer_literal(q, cmeta_type_name(cmeta_view_type(&q->subject->view)));
        break;
    case HOW_FLAG:
        if (is_known(q, rule->group))
            answer_bool(q, cmeta_view_flags(&q->subject->view) & rule->which);
        break;
    case HOW_SANDBOX:
        record_sandbox(q, rule);
        break;
    case HOW_LABEL:
        record_label(q, rule);
        break;
    case HOW_MOUNT:
        record_mount(q, rule);
        break;
    case HOW_CATEGORY:
        record_category(q, rule);
        break;
    default:
        break;
    }
}

// The host's values: all is known, and all but its names is empty.
static void extract_host(struct request *q, const struct rule *rule)
{
    switch (rule->how) {
    case HOW_ID:
    case HOW_FULL_ID:
    case HOW_NAME:
    case HOW_TYPE:
        answer_literal(q, "host");
        break;
    case HOW_STRING:
    case HOW_JOINED:
    case HOW_SANDBOX:
        answer_literal(q, "");
        break;
    case HOW_PROBE:
        answer_literal(q, "NONE");
        break;
    case HOW_FLAG:
        answer_bool(q, false);
        break;
    case HOW_CATEGORY:
        if (!q->subject->is_told)
            answer_bool(q, false);
        break;
    default:
        break;
    }
}

// The static engine's container: five texts from the configuration; the rest is empty.
static const char *static_text(const struct config_static *fixed, const struct rule *rule)
{
    if (rule->how == HOW_ID)
        return fixed->id;
    if (rule->how == HOW_NAME)
        return fixed->name;
    if (rule->how != HOW_STRING)
        return "";
    switch (rule->which) {
    case CMETA_STRING_IMAGE:
        return fixed->image;
    case CMETA_STRING_IMAGE_REPO:
        return fixed->repo;
    case CMETA_STRING_IMAGE_TAG:
        return fixed->tag;
    case CMETA_STRING_IMAGE_DIGEST:
        return fixed->digest;
    default:
        return "";
    }
}

static void extract_static(struct request *q, const struct rule *rule)
{
    switch (rule->how) {
    case HOW_ID:
    case HOW_FULL_ID:
    case HOW_NAME:
    case HOW_TYPE:
    case HOW_STRING:
        answer_literal(q, static_text(&q->fields->config->fixed, rule));
        break;
    default:
        extract_host(q, rule);
        break;
    }
}

// When the container began is the thread's own knowledge, with or without a record.
static void extract_time(struct request *q, const struct rule *rule)
{
    const struct falco_event *event = q->in->evt;
    uint64_t start = 0;

    if (!q->subject->is_told)
        start = records_pidns_start(q->fields->records, q->access, event);
    if (start == 0)
        return;
    if (rule->how == HOW_START)
        answer_number(q, start);
    else if (event->ts >= start)
        answer_number(q, event->ts - start);
}

static void extract(struct request *q)
{
    const struct rule *rule;

    q->field->res_len = 0;
    if (q->field->field_id >= FIELDS_COUNT)
        return;
    rule = &rules[q->field->field_id];
    if (rule->how == HOW_START || rule->how == HOW_DURATION) {
        extract_time(q, rule);
        return;
    }
    switch (q->subject->kind) {
    case SUBJECT_RECORD:
        extract_record(q, rule);
        break;
    case SUBJECT_HOST:
        extract_host(q, rule);
        break;
    case SUBJECT_CONTAINER:
        if (rule->how == HOW_ID)
            answer_literal(q, q->subject->id);
        break;
    case SUBJECT_STATIC:
        extract_static(q, rule);
        break;
    default:
        break;
    }
}

void fields_extract(struct fields *f, const struct table_access *access,
                    const struct falco_event_input *in, struct falco_extract_field *requests,
                    uint32_t count)
{
    struct request q = {.fields = f,
                        .access = access,
                        .in = in,
                        .subject = records_resolve(f->records, access, in)};

    f->used = 0;
    for (uint32_t i = 0; i < count; i++) {
        q.field = &requests[i];
        extract(&q);
    }
}

// --- life ----------------------------------------------------------------------------------------

struct fields *fields_new(const struct config *config, struct records *records,
                          struct metrics *metrics)
{
    struct fields *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->config = config;
    f->records = records;
    f->metrics = metrics;
    return f;
}

struct fields *fields_free(struct fields *f)
{
    free(f);
    return NULL;
}
