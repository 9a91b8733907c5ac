// SPDX-License-Identifier: Apache-2.0
#include "category.h"

#include "event.h"

#include <string.h>

// Generations that are looked at: deeper trees exist in attacks on readers like this one.
#define ANCESTORS_MAX 64

struct search {
    const struct threads *threads;
    const struct table_access *access;
};

// --- ancestors -----------------------------------------------------------------------------------

static bool is_first(const struct search *s, struct falco_entry *entry)
{
    return threads_number(s->threads, s->access, entry, s->threads->vpid, 0) == 1;
}

static struct falco_entry *parent_of(const struct search *s, struct falco_entry *entry)
{
    int64_t ptid = (int64_t)threads_number(s->threads, s->access, entry, s->threads->ptid, 0);

    // Asking for what can't be there is dear in the host.
    return ptid > 0 ? threads_get(s->threads, s->access, ptid) : NULL;
}

static enum thread_category handed_down(const struct search *s, struct falco_entry *ancestor)
{
    enum thread_category category = threads_category(s->threads, s->access, ancestor);

    if (category == CATEGORY_NONE && is_first(s, ancestor) &&
        *threads_id(s->threads, s->access, ancestor))
        category = CATEGORY_CONTAINER;
    return category;
}

// Sets `whole` if there is nobody left that could have handed something down.
static enum thread_category inherit(const struct search *s, struct falco_entry *entry, bool *whole)
{
    struct falco_entry *ancestor = parent_of(s, entry), *next;
    enum thread_category category = CATEGORY_NONE;
    unsigned n = 0;

    for (; ancestor && n < ANCESTORS_MAX; n++) {
        category = handed_down(s, ancestor);
        next = category == CATEGORY_NONE ? parent_of(s, ancestor) : NULL;
        threads_put(s->threads, s->access, ancestor);
        ancestor = next;
    }
    if (ancestor)
        threads_put(s->threads, s->access, ancestor);
    *whole = !ancestor;
    return category;
}

// --- commands ------------------------------------------------------------------------------------

// A record's probe, compared with a command word by word; empty words count on neither side.
struct comparison {
    const struct cmeta_view *view;
    enum cmeta_list list;
    uint32_t next, count; // words of the probe
    bool equal;
};

static bool next_word(struct comparison *c, struct cmeta_str *word)
{
    while (c->next < c->count)
        if (cmeta_view_text(c->view, c->list, c->next++, word) && word->len)
            return true;
    return false;
}

static bool compare_word(struct comparison *c, const char *text, size_t len)
{
    struct cmeta_str word;

    if (len > 0)
        c->equal = next_word(c, &word) && word.len == len && memcmp(word.data, text, len) == 0;
    return c->equal;
}

static bool hear_arg(void *state, const char *arg)
{
    return compare_word(state, arg, strlen(arg));
}

static void compare_table(const struct search *s, struct falco_entry *entry, struct comparison *c)
{
    const char *exe = threads_text(s->threads, s->access, entry, s->threads->exe);

    c->equal = *exe && hear_arg(c, exe);
    if (c->equal)
        threads_hear_args(s->threads, s->access, entry, hear_arg, c);
}

static void compare_event(const struct falco_event *exec, struct comparison *c)
{
    const char *exe, *args, *end;
    size_t len;

    if (!event_param(exec, FALCO_EXEC_EXE, &exe, &len) || strnlen(exe, len) == 0)
        return;
    c->equal = true;
    compare_word(c, exe, strnlen(exe, len));
    if (!event_param(exec, FALCO_EXEC_ARGS, &args, &len))
        return;
    for (end = args + len; args < end && c->equal; args += len + 1) {
        len = strnlen(args, (size_t)(end - args));
        compare_word(c, args, len);
    }
}

static enum thread_category match(const struct search *s, struct falco_entry *entry,
                                  const struct cmeta_view *view, const struct falco_event *exec)
{
    for (unsigned kind = 0; kind < CMETA_PROBE_COUNT; kind++) {
        struct comparison c = {.view = view,
                               .list = (enum cmeta_list)(CMETA_LIST_HEALTHCHECK_ARGS + kind)};
        struct cmeta_str rest;

        c.count = cmeta_view_count(view, c.list);
        if (c.count == 0)
            continue;
        if (exec)
            compare_event(exec, &c);
        else
            compare_table(s, entry, &c);
        if (c.equal && !next_word(&c, &rest))
            return category_of_probe((enum cmeta_probe_kind)kind);
    }
    return CATEGORY_NONE;
}

enum thread_category category_find(const struct threads *threads, const struct table_access *access,
                                   struct falco_entry *entry, const struct cmeta_view *view,
                                   const struct falco_event *exec)
{
    const struct search s = {threads, access};
    enum thread_category category;
    bool whole;

    if (is_first(&s, entry))
        return CATEGORY_CONTAINER;
    category = inherit(&s, entry, &whole);
    // A record that didn't hold everything may have lost words: then a shorter command is no proof.
    if (category != CATEGORY_NONE || !whole || !view ||
        cmeta_view_flags(view) & CMETA_FLAG_TRUNCATED)
        return category;
    return match(&s, entry, view, exec);
}

static bool has_probes(const struct cmeta_view *view)
{
    return view && (cmeta_view_count(view, CMETA_LIST_HEALTHCHECK_ARGS) ||
                    cmeta_view_count(view, CMETA_LIST_LIVENESS_ARGS) ||
                    cmeta_view_count(view, CMETA_LIST_READINESS_ARGS));
}

void category_write(const struct threads *threads, const struct table_access *access,
                    struct falco_entry *entry, bool inside, bool moved,
                    const struct cmeta_view *view, const struct falco_event *exec)
{
    enum thread_category category = CATEGORY_NONE;

    // What it inherits it has since it came here: only a command can make it more.
    if (!moved &&
        (!inside || !has_probes(view) || threads_category(threads, access, entry) != CATEGORY_NONE))
        return;
    if (inside)
        category = category_find(threads, access, entry, view, exec);
    threads_write_category(threads, access, entry, category);
}
