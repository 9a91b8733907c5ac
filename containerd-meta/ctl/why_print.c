// SPDX-License-Identifier: Apache-2.0
// The story, line by line, or the same as one JSON document.
#include "containerd-meta/cleanup.h"
#include "engine_rows.h"
#include "lookup.h"
#include "output.h"
#include "record_json.h"
#include "why.h"

#include <stdio.h>
#include <string.h>

static const char *strength_name(enum cmeta_strength strength)
{
    return strength == CMETA_STRONG ? "strong" : strength == CMETA_WEAK ? "weak" : "none";
}

// --- JSON
// ------------------------------------------------------------------------------------------------

static json_t *why_json(const struct why *why)
{
    CLEANUP(freep)
    char *engine = why_engine(why);
    json_t *record = why->handle ? record_json(&why->region, why->handle) : NULL;
    json_t *object = json_object();

    json_object_set_new(object, "cgroup",
                        why->cgroup ? json_text(str_of(why->cgroup)) : json_null());
    json_object_set_new(object, "container_id",
                        why->id && (why->cgroup || why->handle) ? json_text(str_of(why->id))
                                                                : json_null());
    json_object_set_new(object, "layout", json_string(cmeta_layout_name(why->match.layout)));
    json_object_set_new(object, "strength", json_string(strength_name(why->match.strength)));
    json_object_set_new(object, "engine", engine ? json_text(str_of(engine)) : json_null());
    json_object_set_new(object, "record", record ? record : json_null());
    json_object_set(object, "reasons", why->reasons);
    return object;
}

// --- the story
// --------------------------------------------------------------------------------------------

// A line under a heading. Takes the text over.
static void line(const char *heading, char *text)
{
    char *shown = text_printable(str_of(text));

    printf("%-9s %s\n", heading, shown);
    free(shown);
    free(text);
}

static void print_id(const struct why *why)
{
    if (!why->id)
        line("id", text_format(why->match.strength == CMETA_WEAK ? "none that counts" : "none"));
    else if (why->match.strength == CMETA_NO_MATCH)
        line("id", text_format("%s", why->id));
    else
        line("id",
             text_format("%s (layout %s, %s match)", why->id, cmeta_layout_name(why->match.layout),
                         strength_name(why->match.strength)));
}

static void print_engine(const struct why *why)
{
    CLEANUP(freep)
    char *name = NULL;
    struct cmeta_engine_row row;

    if (why_engine_row(why, &row)) {
        line("engine", engine_rows_sentence(&row));
        return;
    }
    name = why_engine(why);
    line("engine", name ? text_format("%s; no engine of today has told of it", name)
                        : text_format("none has told of it"));
}

static void print_record(const struct why *why)
{
    CLEANUP(freep)
    char *name = NULL;
    CLEANUP(freep)
    char *image = NULL;
    struct cmeta_status status;
    char age[AGE_SIZE];

    if (!why->handle || !cmeta_reader_status(&why->region, why->handle, &status)) {
        line("record", text_format("none"));
        return;
    }
    name = text_copy(lookup_string(&why->region, why->handle, CMETA_STRING_NAME));
    image = text_copy(lookup_string(&why->region, why->handle, CMETA_STRING_IMAGE));
    line("record", text_format("%s, image %s, %s; known for %s", *name ? name : "(no name yet)",
                               *image ? image : "not known",
                               cmeta_state_name(CMETA_STATUS_STATE(status.word)),
                               text_age(status.first_seen_ns, now_realtime_ns(), age)));
}

static void print_reasons(const struct why *why)
{
    json_t *reason;
    size_t i;

    if (json_array_size(why->reasons) == 0)
        line("missing", text_format("nothing"));
    json_array_foreach (why->reasons, i, reason) {
        const char *group = json_string_value(json_object_get(reason, "group"));

        line(group ? "missing" : "note",
             text_format("%s%s%s: %s", group ? group : "", group ? ": " : "",
                         json_string_value(json_object_get(reason, "code")),
                         json_string_value(json_object_get(reason, "text"))));
    }
}

static void print_story(const struct why *why)
{
    if (why->pid)
        line("process", text_format("%ld (%s)", why->pid, why->comm));
    if (why->cgroup && why->paths > 1)
        line("cgroup", text_format("%s (of %u paths)", why->cgroup, why->paths));
    else if (why->cgroup)
        line("cgroup", text_format("%s", why->cgroup));
    print_id(why);
    if (why->id) {
        print_engine(why);
        print_record(why);
    }
    print_reasons(why);
}

void why_print(const struct why *why)
{
    if (why->options->format == CTL_TABLE)
        print_story(why);
    else
        json_print(why->options->format, why_json(why));
}
