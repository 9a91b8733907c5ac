// SPDX-License-Identifier: Apache-2.0
// The reasons: every one a code for programs and a sentence that says what to do.
#include "containerd-meta/cleanup.h"
#include "engine_rows.h"
#include "lookup.h"
#include "output.h"
#include "session.h"
#include "why.h"

#include "shm/hint.h"
#include "shm/leads.h"

#include <string.h>

static void add_text(struct why *why, const char *group, const char *code, struct cmeta_str text)
{
    json_t *reason = json_object();

    if (group)
        json_object_set_new(reason, "group", json_string(group));
    json_object_set_new(reason, "code", json_string(code));
    json_object_set_new(reason, "text", json_text(text));
    json_array_append_new(why->reasons, reason);
}

static void add(struct why *why, const char *group, const char *code, const char *text)
{
    add_text(why, group, code, str_of(text));
}

// What the codes of a record mean and what to do about them.
static const char *reason_sentence(uint8_t reason)
{
    switch (reason) {
    case CMETA_REASON_NONE:
        return "nothing has been told of it so far";
    case CMETA_REASON_NOT_YET:
        return "the engine has been asked and hasn't answered yet; look again in a moment";
    case CMETA_REASON_POD_SANDBOX:
        return "this is a pod's sandbox, which has none by design";
    case CMETA_REASON_ENGINE_UNREACHABLE:
        return "the engine doesn't answer; it is asked again until it does: see the engine's state";
    case CMETA_REASON_ENGINE_UNKNOWN:
        return "the engine says that it doesn't know this container; another engine may have made "
               "it: see `engines`";
    case CMETA_REASON_ENDED_EARLY:
        return "the container ended before the engine answered; nothing more will come";
    case CMETA_REASON_OVER_LIMIT:
        return "it is larger than a limit: region_max or label_max_len of the configuration, or "
               "64 KiB for a record";
    case CMETA_REASON_ENGINE_DISABLED:
        return "no enabled engine claims this container; enable it under engines: in the "
               "configuration";
    case CMETA_REASON_HOST_PROCESS:
        return "a process of the host, in no container";
    case CMETA_REASON_NOT_TOLD:
        return "this engine never tells it";
    default:
        return "a reason that this program is too old to know";
    }
}

// --- engines
// ----------------------------------------------------------------------------------------------

// Whether an engine may have made the cgroup; without a cgroup any may.
static bool may_know(const struct why *why, const struct cmeta_engine_row *row)
{
    return why->match.strength == CMETA_NO_MATCH ||
           (cmeta_layouts_of_engine(row->name) & CMETA_LAYOUT_BIT(why->match.layout));
}

static void add_engine(struct why *why, const struct cmeta_engine_row *row)
{
    CLEANUP(freep)
    char *sentence = engine_rows_sentence(row);
    CLEANUP(freep)
    char *code = text_format("engine-%s", engine_rows_state(row->state));

    add(why, NULL, code, sentence);
}

// The engines that could have told it, each with its state.
static void explain_engines(struct why *why)
{
    struct cmeta_engine_row row;
    uint32_t index = 0, candidates = 0;

    while (engine_rows_next(&why->region, &index, &row)) {
        if (!may_know(why, &row))
            continue;
        candidates++;
        add_engine(why, &row);
    }
    if (candidates == 0)
        add(why, NULL, cmeta_reason_name(CMETA_REASON_ENGINE_DISABLED),
            reason_sentence(CMETA_REASON_ENGINE_DISABLED));
}

// Of a record that lacks something: the engine that told it, or, if nobody knows which that is,
// those that might have, as far as they aren't there.
static void explain_absent_engines(struct why *why)
{
    struct cmeta_engine_row row;
    uint32_t index = 0;

    if (why_engine_row(why, &row)) {
        if (row.state != CMETA_ENGINE_CONNECTED)
            add_engine(why, &row);
        return;
    }
    while (engine_rows_next(&why->region, &index, &row))
        if (row.state != CMETA_ENGINE_CONNECTED && may_know(why, &row))
            add_engine(why, &row);
}

// --- the record
// -------------------------------------------------------------------------------------------

static void explain_groups(struct why *why, const struct cmeta_view *view)
{
    uint32_t known = cmeta_view_known(view);

    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++) {
        uint8_t reason = cmeta_view_reason(view, group);

        if (known & CMETA_GROUP_BIT(group))
            continue;
        // A group without a reason is one that nobody has been asked for.
        add(why, cmeta_group_name(group),
            cmeta_reason_name(reason ? reason : (uint8_t)CMETA_REASON_NOT_YET),
            reason_sentence(reason));
    }
    if ((CMETA_GROUPS_ALL & ~known) != 0)
        explain_absent_engines(why);
}

static void explain_status(struct why *why)
{
    struct cmeta_status status;

    if (!cmeta_reader_status(&why->region, why->handle, &status))
        return;
    if (CMETA_STATUS_STATE(status.word) == CMETA_STATE_REMOVED)
        add(why, NULL, "removed",
            "the container has been removed; its record stays readable until its grace period is "
            "over");
    if (status.word & CMETA_STATUS_UNCONFIRMED)
        add(why, NULL, "unconfirmed",
            "the record is from before the daemon's start, and no engine has confirmed it yet");
}

static void explain_record(struct why *why)
{
    struct cmeta_view view;

    explain_status(why);
    if (cmeta_reader_record(&why->region, why->handle, &view))
        explain_groups(why, &view);
    else
        add(why, NULL, "record-unreadable",
            "the table knows the container, but its record can't be read; restart containerd-meta");
}

// --- all of it
// --------------------------------------------------------------------------------------------

static void explain_region(struct why *why)
{
    CLEANUP(freep)
    char *text = NULL;
    enum ctl_exit exit = session_exit(why->map_result);

    if (exit != CTL_OK) {
        text = session_refusal(why->options->dir, why->map_result);
        add(why, NULL, exit == CTL_NO_REGION ? "no-region" : "region-refused", text);
    } else if (!why->alive) {
        text = session_daemon_gone(&why->region);
        add(why, NULL, "daemon-not-running", text);
    }
}

// No container: nothing in the path names one, or what seems to is nobody that the table knows.
static void explain_host(struct why *why)
{
    CLEANUP(freep)
    char *text = NULL;

    add(why, NULL, cmeta_reason_name(CMETA_REASON_HOST_PROCESS),
        reason_sentence(CMETA_REASON_HOST_PROCESS));
    if (why->match.strength == CMETA_NO_MATCH)
        return;
    text = text_format("the path looks like container %.*s in containerd's namespace %.*s, but "
                       "such a name counts only if the table knows it there: %s",
                       (int)why->match.id_len, why->match.id, (int)why->match.ns_len, why->match.ns,
                       why->map_result == 0 ? "it doesn't" : "there is no table to ask");
    add(why, NULL, "weak-unknown", text);
    explain_region(why);
}

// Of an ID that the table doesn't know the beginning will do: the argument may be that.
static bool is_of(const struct why *why, const struct cmeta_miss_entry *entry)
{
    size_t len = strlen(why->id);

    if (memcmp(entry->id, why->id, len < entry->id_len ? len : entry->id_len) != 0)
        return false;
    return len == entry->id_len || (entry->id_len == CMETA_MISS_ID && len > entry->id_len) ||
           (!why->handle && len >= 12 && len < entry->id_len);
}

static char *later(const struct cmeta_miss_entry *entry)
{
    if (entry->whole_ns == 0)
        return text_format("it has not become whole since");
    if (entry->whole_ns <= entry->when_ns)
        return text_format("it was being written just then");
    return text_format("it was whole %.1f ms later",
                       (double)(entry->whole_ns - entry->when_ns) / 1e6);
}

static void add_miss(struct why *why, const struct cmeta_miss_entry *entry)
{
    bool absent = entry->miss == CMETA_MISS_ABSENT;
    char age[AGE_SIZE];
    CLEANUP(freep)
    char *end = later(entry);
    CLEANUP(freep)
    char *text = text_format("Falco met it %s ago, when its record %s; %s",
                             text_age(entry->when_ns, now_realtime_ns(), age),
                             absent ? "wasn't there yet" : "lacked something that rules read", end);

    add(why, NULL, absent ? "met-before-known" : "met-before-whole", text);
}

// What readers have told of it, the last 256 of all containers.
static void explain_misses(struct why *why)
{
    struct cmeta_miss_entry entry;
    int r;

    for (uint32_t i = 0; (r = cmeta_reader_miss(&why->region, i, &entry)) != 0; i++)
        if (r == 1 && is_of(why, &entry))
            add_miss(why, &entry);
}

void why_explain(struct why *why)
{
    if (why->id && why->map_result == 0)
        explain_misses(why);
    if (why->handle) {
        explain_record(why);
        explain_region(why);
        return;
    }
    if (!why->id) {
        explain_host(why);
        return;
    }
    if (why->map_result == 0)
        add(why, NULL, "not-in-table",
            "the table has no such container: no engine has told of it, or it has been removed and "
            "its grace period is over");
    explain_region(why);
    if (why->map_result == 0)
        explain_engines(why);
}

// Provenance is by group: the first group that an engine of today told stands for the record.
static bool decode(const struct why *why, struct cmeta_container *content)
{
    CLEANUP(freep)
    void *scratch = NULL;
    struct cmeta_view view;

    return why->handle && cmeta_reader_record(&why->region, why->handle, &view) &&
           cmeta_view_decode(&view, content, &scratch) == 0;
}

bool why_engine_row(const struct why *why, struct cmeta_engine_row *row)
{
    struct cmeta_container content;

    if (!decode(why, &content))
        return false;
    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++)
        if (engine_rows_of_source(&why->region, content.source[group], row))
            return true;
    return false;
}

char *why_engine(const struct why *why)
{
    struct cmeta_engine_row row;
    struct cmeta_container content;

    if (why_engine_row(why, &row))
        return text_copy(str_of(row.name));
    if (decode(why, &content) && *cmeta_type_name(content.type))
        return text_format("%s", cmeta_type_name(content.type));
    return NULL;
}
