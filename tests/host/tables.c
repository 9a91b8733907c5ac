// SPDX-License-Identifier: Apache-2.0
#include "tests/host/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/tables_private.h"

static _Thread_local struct tables *current;

struct tables *tables_current(void)
{
    return current;
}

struct tables *tables_new(struct falco_owner *o, struct threads *ts)
{
    struct tables *t = host_alloc(sizeof(*t));
    t->owner = o;
    t->report = o->report;
    t->threads = ts;
    t->threads_table = (struct host_table){
        .magic = HOST_TABLE_MAGIC, .kind = TABLE_THREADS, .context = t, .threads = ts};
    o->tables = t;
    return t;
}

void tables_free(struct tables *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < GRAVES; i++)
        free(t->graves[i]);
    for (size_t i = 0; i < t->n_registered; i++)
        plugin_table_free(t->registered[i]);
    free(t->init_objects);
    free(t->subtables);
    free(t);
}

const char *tables_call_name(enum call_kind kind)
{
    static const char *const names[] = {"init", "parse_event", "extract_fields", "capture_open",
                                        "capture_close"};
    return names[kind];
}

// Frees `p` when GRAVES others have been buried after it.
static void bury(struct tables *t, void *p)
{
    free(t->graves[t->next_grave]);
    t->graves[t->next_grave] = p;
    t->next_grave = (t->next_grave + 1) % GRAVES;
}

static enum generation next_generation(struct tables *t, enum call_kind kind)
{
    static const enum generation first[] = {[CALL_INIT] = GEN_INIT,
                                            [CALL_PARSE] = GEN_PARSE_A,
                                            [CALL_EXTRACT] = GEN_EXTRACT_A,
                                            [CALL_CAPTURE_OPEN] = GEN_LISTEN_A,
                                            [CALL_CAPTURE_CLOSE] = GEN_LISTEN_A};
    if (kind == CALL_INIT)
        return GEN_INIT;
    if (kind == CALL_CAPTURE_CLOSE)
        kind = CALL_CAPTURE_OPEN;
    t->odd[kind] = !t->odd[kind];
    return t->odd[kind] ? first[kind] + 1 : first[kind];
}

const struct call_objects *tables_call_begin(struct tables *t, enum call_kind kind)
{
    t->in_call = true;
    current = t;
    t->thread = pthread_self();
    t->kind = kind;
    t->generation = next_generation(t, kind);
    t->objects = host_alloc(sizeof(*t->objects));
    calls_fill(t->objects, t->generation);
    // No call writes but those that may: a kept writer is of another generation.
    if (kind == CALL_EXTRACT) {
        struct call_objects trap;
        calls_fill(&trap, GEN_TRAP);
        t->objects->writer = trap.writer;
    }
    return t->objects;
}

static void end_entries(struct tables *t)
{
    const char *call = tables_call_name(t->kind);
    while (t->entries) {
        struct host_entry *e = t->entries;
        char what[64];
        tables_entry_describe(e, what, sizeof(what));
        if (e->magic == HOST_ENTRY_MAGIC && e->origin == ENTRY_CREATED) {
            report_violation(t->report, "%s: a created entry was neither destroyed nor added",
                             call);
            threads_blank_free(e->thread);
        } else if (e->magic == HOST_ENTRY_MAGIC && e->origin != ENTRY_ITERATED) {
            report_violation(t->report, "%s: entry %s was not released", call, what);
        }
        tables_entry_end(e);
        while (e->strings) {
            struct lent_string *s = e->strings;
            e->strings = s->next;
            bury(t, s);
        }
        t->entries = e->next;
        bury(t, e);
    }
}

void tables_call_end(struct tables *t)
{
    end_entries(t);
    for (size_t i = 0; i < t->n_subtables; i++) {
        t->subtables[i]->magic = HOST_DEAD_MAGIC;
        bury(t, t->subtables[i]);
    }
    t->n_subtables = 0;
    calls_fill(t->objects, GEN_TRAP);
    if (t->kind == CALL_INIT) {
        free(t->init_objects);
        t->init_objects = t->objects; // for as long as the host lives
    } else {
        bury(t, t->objects);
    }
    t->objects = NULL;
    t->generation = GEN_TRAP;
    t->in_call = false;
    current = NULL;
}

bool tables_allowed(struct tables *t, enum generation gen, const char *what)
{
    if (!t->in_call) {
        report_violation(t->report, "%s was called outside of any call of the plugin", what);
        return false;
    }
    if (!pthread_equal(t->thread, pthread_self())) {
        report_violation(t->report, "%s: %s was called on another thread",
                         tables_call_name(t->kind), what);
        return false;
    }
    if (gen != t->generation) {
        report_violation(t->report, "%s: %s was called through a function pointer kept from %s",
                         tables_call_name(t->kind), what,
                         gen == GEN_INIT ? "init" : "an earlier call");
        return false;
    }
    return true;
}

void tables_entry_describe(const struct host_entry *e, char *buf, size_t size)
{
    static const char *const kinds[] = {"threads", "cgroups", "args", "env", "file_descriptors"};
    if (e->table->kind == TABLE_THREADS)
        snprintf(buf, size, "of thread %lld", e->thread ? (long long)e->thread->tid : -1LL);
    else
        snprintf(buf, size, "%llu of %s", (unsigned long long)e->index, kinds[e->table->kind]);
}

struct host_entry *tables_entry(struct tables *t, struct host_table *table,
                                enum entry_origin origin)
{
    struct host_entry *e = host_alloc(sizeof(*e));
    e->magic = HOST_ENTRY_MAGIC;
    e->origin = origin;
    e->table = table;
    e->next = t->entries;
    t->entries = e;
    return e;
}

void tables_entry_end(struct host_entry *e)
{
    e->magic = HOST_DEAD_MAGIC;
    for (struct lent_string *s = e->strings; s; s = s->next)
        memset(s->text, 0xdb, s->len);
}

struct host_table *tables_subtable(struct tables *t, struct thread *thread, enum table_kind kind)
{
    if (t->n_subtables == t->cap_subtables) {
        t->cap_subtables = t->cap_subtables ? 2 * t->cap_subtables : 64;
        t->subtables = host_realloc(t->subtables, t->cap_subtables * sizeof(*t->subtables));
    }
    struct host_table *sub = host_alloc(sizeof(*sub));
    *sub = thread->tables[kind];
    sub->context = t;
    t->subtables[t->n_subtables++] = sub;
    return sub;
}

const char *tables_lend(struct host_entry *e, const char *s)
{
    size_t len = strlen(s);
    struct lent_string *lent = host_alloc(sizeof(*lent) + len + 1);
    lent->len = len;
    memcpy(lent->text, s, len);
    lent->next = e->strings;
    e->strings = lent;
    return lent->text;
}

struct plugin_table *tables_registered(const struct tables *t, const char *name)
{
    for (size_t i = 0; i < t->n_registered; i++)
        if (strcmp(plugin_table_name(t->registered[i]), name) == 0)
            return t->registered[i];
    return NULL;
}
