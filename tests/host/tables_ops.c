// SPDX-License-Identifier: Apache-2.0
// The operations of the strict tables. Each checks first that the call, the handle and the row are
// alive and belong together.
#include <stdlib.h>
#include <string.h>

#include "tests/host/routines.h"
#include "tests/host/tables_private.h"

static const char *const table_names[TABLE_KINDS] = {"threads", "cgroups", "args", "env",
                                                     "file_descriptors"};

// The strict tables behind an owner, when the running call allows `what`; else NULL.
static struct tables *tables_of_owner(struct falco_owner *o, enum generation g, const char *what)
{
    if (!o) {
        if (!tables_current())
            owner_lost(what);
        report_violation(tables_current()->report, "%s: the owner is NULL", what);
        return NULL;
    }
    if (!owner_check(o, what) || !tables_allowed(o->tables, g, what))
        return NULL;
    return o->tables;
}

// The same behind a table handle. *h is the handle.
static struct tables *tables_of(struct falco_table *ft, enum generation g, const char *what,
                                struct host_table **h)
{
    *h = (struct host_table *)(void *)ft;
    if (!ft) {
        if (!tables_current())
            owner_lost(what);
        report_violation(tables_current()->report, "%s: the table is NULL", what);
        return NULL;
    }
    struct tables *t = (*h)->context;
    if ((*h)->magic == HOST_DEAD_MAGIC) {
        report_violation(t->report,
                         "%s: the handle of a subtable (%s) was kept from an earlier call", what,
                         table_names[(*h)->kind]);
        return NULL;
    }
    if ((*h)->magic != HOST_TABLE_MAGIC) {
        if (!tables_current())
            owner_lost(what);
        report_violation(tables_current()->report, "%s: what was passed is no table", what);
        return NULL;
    }
    return tables_allowed(t, g, what) ? t : NULL;
}

static struct host_entry *entry_of(struct tables *t, struct host_table *h, struct falco_entry *fe,
                                   const char *what)
{
    struct host_entry *e = (struct host_entry *)(void *)fe;
    if (!e) {
        report_violation(t->report, "%s: the entry is NULL", what);
        return NULL;
    }
    if (e->magic == HOST_DEAD_MAGIC) {
        report_violation(t->report, "%s: the entry had been given back, or its call is over", what);
        return NULL;
    }
    if (e->magic != HOST_ENTRY_MAGIC) {
        report_violation(t->report, "%s: what was passed is no entry of the host", what);
        return NULL;
    }
    if (e->table != h && !(e->table->kind == h->kind && e->table->rows == h->rows)) {
        report_violation(t->report, "%s: an entry of %s was used with table %s", what,
                         table_names[e->table->kind], table_names[h->kind]);
        return NULL;
    }
    return e;
}

static bool has_field(struct tables *t, const struct host_table *h, const struct host_field *f,
                      const char *what)
{
    if (!f) {
        report_violation(t->report, "%s: the field is NULL", what);
        return false;
    }
    if (f->magic != HOST_FIELD_MAGIC) {
        report_violation(t->report, "%s: what was passed is no field of the host", what);
        return false;
    }
    if (f->table != h->kind) {
        report_violation(t->report, "%s: field %s of %s was used with table %s", what, f->name,
                         table_names[f->table], table_names[h->kind]);
        return false;
    }
    return true;
}

// --- tables --------------------------------------------------------------------------------------

struct falco_table_info *op_list_tables(struct falco_owner *o, uint32_t *n, enum generation g)
{
    struct tables *t = tables_of_owner(o, g, "list_tables");
    if (!t)
        return NULL;
    t->infos[0] = (struct falco_table_info){"threads", FALCO_STATE_INT64};
    for (size_t i = 0; i < t->n_registered; i++)
        t->infos[i + 1] = (struct falco_table_info){plugin_table_name(t->registered[i]),
                                                    plugin_table_key(t->registered[i])};
    *n = (uint32_t)t->n_registered + 1;
    return t->infos;
}

struct falco_table *op_get_table(struct falco_owner *o, const char *name, enum falco_state_type key,
                                 enum generation g)
{
    struct tables *t = tables_of_owner(o, g, "get_table");
    if (!t || !name || strcmp(name, "threads") != 0)
        return NULL;
    if (key != FALCO_STATE_INT64) {
        owner_set_error(o, "table threads has keys of type int64, not %d", (int)key);
        return NULL;
    }
    return (struct falco_table *)(void *)&t->threads_table;
}

falco_rc op_add_table(struct falco_owner *o, const struct falco_table_input *in, enum generation g)
{
    struct tables *t = tables_of_owner(o, g, "add_table");
    if (!t)
        return FALCO_RC_FAILURE;
    struct plugin_table *pt = plugin_table_copy(t->report, in);
    if (!pt) {
        owner_set_error(o, "broken or inconsistent table");
        return FALCO_RC_FAILURE;
    }
    const char *name = plugin_table_name(pt);
    if (strcmp(name, "threads") == 0 || tables_registered(t, name) ||
        t->n_registered == sizeof(t->registered) / sizeof(t->registered[0])) {
        owner_set_error(o, "table %s exists already", name);
        plugin_table_free(pt);
        return FALCO_RC_FAILURE;
    }
    t->registered[t->n_registered++] = pt;
    return FALCO_RC_SUCCESS;
}

// --- fields --------------------------------------------------------------------------------------

const struct falco_table_fieldinfo *op_list_fields(struct falco_table *ft, uint32_t *n,
                                                   enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "list_table_fields", &h);
    if (!t)
        return NULL;
    uint32_t i = 0;
    const struct host_field *f;
    while ((f = threads_field_at(t->threads, h->kind, i)) != NULL)
        t->field_infos[i++] = (struct falco_table_fieldinfo){f->name, f->type, f->read_only};
    *n = i;
    return t->field_infos;
}

struct falco_field *op_get_field(struct falco_table *ft, const char *name,
                                 enum falco_state_type type, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "get_table_field", &h);
    if (!t || !name)
        return NULL;
    struct host_field *f = threads_field(t->threads, h->kind, name);
    if (!f) {
        owner_set_error(t->owner, "table %s has no field %s", table_names[h->kind], name);
        return NULL;
    }
    if (f->type != type) {
        owner_set_error(t->owner, "field %s of table %s has type %d, not %d", name,
                        table_names[h->kind], (int)f->type, (int)type);
        return NULL;
    }
    return (struct falco_field *)(void *)f;
}

static bool known_type(enum falco_state_type type)
{
    return (type >= FALCO_STATE_INT8 && type <= FALCO_STATE_STRING) || type == FALCO_STATE_BOOL;
}

struct falco_field *op_add_field(struct falco_table *ft, const char *name,
                                 enum falco_state_type type, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "add_table_field", &h);
    if (!t || !name)
        return NULL;
    if (h->kind != TABLE_THREADS || !known_type(type)) {
        owner_set_error(t->owner, "field %s of type %d can't be added to table %s", name, (int)type,
                        table_names[h->kind]);
        return NULL;
    }
    struct host_field *f = threads_field(t->threads, TABLE_THREADS, name);
    if (f && (!f->dynamic || f->type != type)) {
        owner_set_error(t->owner, "table threads has a field %s already", name);
        return NULL;
    }
    if (!f)
        f = threads_field_add(t->threads, name, type);
    if (!f)
        owner_set_error(t->owner, "too many fields");
    return (struct falco_field *)(void *)f;
}

// --- reading -------------------------------------------------------------------------------------

const char *op_table_name(struct falco_table *ft, enum generation g)
{
    struct host_table *h;
    return tables_of(ft, g, "get_table_name", &h) ? table_names[h->kind] : NULL;
}

uint64_t op_table_size(struct falco_table *ft, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "get_table_size", &h);
    if (!t)
        return UINT64_MAX;
    return h->kind == TABLE_THREADS ? threads_count(t->threads) : h->rows->n;
}

static struct host_entry *row_entry(struct tables *t, struct host_table *h, uint64_t i,
                                    enum entry_origin origin)
{
    struct host_entry *e = tables_entry(t, h, origin);
    e->thread = h->thread;
    e->row = &h->rows->items[i];
    e->index = i;
    return e;
}

static struct host_entry *thread_entry(struct tables *t, struct thread *thread,
                                       enum entry_origin origin)
{
    struct host_entry *e = tables_entry(t, &t->threads_table, origin);
    e->thread = thread;
    return e;
}

struct falco_entry *op_get_entry(struct falco_table *ft, const union falco_state_data *key,
                                 enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "get_table_entry", &h);
    if (!t)
        return NULL;
    if (!key) {
        report_violation(t->report, "get_table_entry: the key is NULL");
        return NULL;
    }
    if (h->kind != TABLE_THREADS) {
        if (key->u64 >= h->rows->n)
            return NULL;
        return (struct falco_entry *)(void *)row_entry(t, h, key->u64, ENTRY_GOT);
    }
    struct thread *thread = threads_find(t->threads, key->s64);
    if (!thread) {
        owner_set_error(t->owner, "no thread %lld", (long long)key->s64);
        return NULL;
    }
    return (struct falco_entry *)(void *)thread_entry(t, thread, ENTRY_GOT);
}

// Numbers are stored widened; the interface zeroes the bytes beyond the type.
static uint64_t narrow(enum falco_state_type type, uint64_t v)
{
    switch (type) {
    case FALCO_STATE_INT8:
    case FALCO_STATE_UINT8:
        return (uint8_t)v;
    case FALCO_STATE_INT16:
    case FALCO_STATE_UINT16:
        return (uint16_t)v;
    case FALCO_STATE_INT32:
    case FALCO_STATE_UINT32:
    case FALCO_STATE_BOOL:
        return (uint32_t)v;
    default:
        return v;
    }
}

falco_rc op_read(struct falco_table *ft, struct falco_entry *fe, const struct falco_field *ff,
                 union falco_state_data *out, enum generation g)
{
    static const char what[] = "read_entry_field";
    const struct host_field *f = (const struct host_field *)(const void *)ff;
    struct host_table *h;
    struct tables *t = tables_of(ft, g, what, &h);
    struct host_entry *e = t ? entry_of(t, h, fe, what) : NULL;
    if (!e || !has_field(t, h, f, what) || !e->thread)
        return FALCO_RC_FAILURE;
    if (!out) {
        report_violation(t->report, "%s: the output is NULL", what);
        return FALCO_RC_FAILURE;
    }
    out->u64 = 0;
    if (h->kind != TABLE_THREADS) {
        const char *s = f->index ? e->row->second : e->row->first;
        out->str = tables_lend(e, s ? s : "");
    } else if (f->type == FALCO_STATE_STRING) {
        out->str = tables_lend(e, e->thread->values[f->index].str);
    } else if (f->type != FALCO_STATE_TABLE) {
        out->u64 = narrow(f->type, e->thread->values[f->index].u64);
    } else if (f->nested == TABLE_FDS) {
        owner_set_error(t->owner, "the thread has no table of file descriptors");
        return FALCO_RC_FAILURE;
    } else {
        out->table = (struct falco_table *)(void *)tables_subtable(t, e->thread, f->nested);
    }
    return FALCO_RC_SUCCESS;
}

void op_release(struct falco_table *ft, struct falco_entry *fe, enum generation g)
{
    static const char what[] = "release_table_entry";
    struct host_table *h;
    struct tables *t = tables_of(ft, g, what, &h);
    struct host_entry *e = t ? entry_of(t, h, fe, what) : NULL;
    if (!e)
        return;
    if (e->origin == ENTRY_ITERATED || e->origin == ENTRY_CREATED) {
        report_violation(t->report, "%s: %s: an entry of %s was released",
                         tables_call_name(t->kind), what,
                         e->origin == ENTRY_ITERATED ? "an iteration" : "create_table_entry");
        return;
    }
    tables_entry_end(e);
}

falco_bool op_iterate(struct falco_table *ft, falco_table_iterator it, void *state,
                      enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "iterate_entries", &h);
    if (!t)
        return 0;
    bool is_threads = h->kind == TABLE_THREADS;
    t->iterating += is_threads;
    falco_bool on = 1;
    size_t n = is_threads ? threads_count(t->threads) : h->rows->n;
    for (size_t i = 0; i < n && on; i++) {
        struct host_entry *e = is_threads
                                   ? thread_entry(t, threads_at(t->threads, i), ENTRY_ITERATED)
                                   : row_entry(t, h, i, ENTRY_ITERATED);
        on = it(state, (struct falco_entry *)(void *)e);
        tables_entry_end(e);
    }
    t->iterating -= is_threads;
    return on != 0;
}

// --- writing -------------------------------------------------------------------------------------

// Whether the rows of the table may change now.
static bool may_change_rows(struct tables *t, const struct host_table *h, const char *what)
{
    if (h->kind != TABLE_THREADS) {
        owner_set_error(t->owner, "rows of %s can't be changed", table_names[h->kind]);
        return false;
    }
    if (t->iterating)
        report_violation(t->report, "%s: %s while iterating over the table",
                         tables_call_name(t->kind), what);
    return !t->iterating;
}

static void detach(struct tables *t, const struct thread *thread)
{
    for (struct host_entry *e = t->entries; e; e = e->next)
        if (e->thread == thread)
            e->thread = NULL;
}

falco_rc op_clear(struct falco_table *ft, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "clear_table", &h);
    if (!t || !may_change_rows(t, h, "clear_table"))
        return FALCO_RC_FAILURE;
    for (size_t i = 0; i < threads_count(t->threads); i++)
        detach(t, threads_at(t->threads, i));
    threads_clear(t->threads);
    return FALCO_RC_SUCCESS;
}

falco_rc op_erase(struct falco_table *ft, const union falco_state_data *key, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "erase_table_entry", &h);
    if (!t || !may_change_rows(t, h, "erase_table_entry"))
        return FALCO_RC_FAILURE;
    struct thread *thread = threads_find(t->threads, key->s64);
    if (!thread)
        return FALCO_RC_FAILURE;
    detach(t, thread);
    threads_remove(t->threads, key->s64);
    return FALCO_RC_SUCCESS;
}

struct falco_entry *op_create(struct falco_table *ft, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "create_table_entry", &h);
    if (!t)
        return NULL;
    if (h->kind != TABLE_THREADS) {
        owner_set_error(t->owner, "no entry of %s can be created", table_names[h->kind]);
        return NULL;
    }
    struct thread *blank = threads_blank(t->threads);
    return (struct falco_entry *)(void *)thread_entry(t, blank, ENTRY_CREATED);
}

// A created entry that is still the plugin's; NULL and a violation otherwise.
static struct host_entry *created_entry(struct tables *t, struct host_table *h,
                                        struct falco_entry *fe, const char *what)
{
    struct host_entry *e = entry_of(t, h, fe, what);
    if (e && e->origin != ENTRY_CREATED) {
        report_violation(t->report, "%s: the entry isn't one of create_table_entry", what);
        return NULL;
    }
    return e;
}

void op_destroy(struct falco_table *ft, struct falco_entry *fe, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "destroy_table_entry", &h);
    struct host_entry *e = t ? created_entry(t, h, fe, "destroy_table_entry") : NULL;
    if (!e)
        return;
    // Its subtables go with it.
    for (size_t i = 0; i < t->n_subtables; i++)
        if (t->subtables[i]->thread == e->thread)
            t->subtables[i]->magic = HOST_DEAD_MAGIC;
    struct thread *blank = e->thread;
    tables_entry_end(e);
    detach(t, blank);
    threads_blank_free(blank);
}

struct falco_entry *op_add(struct falco_table *ft, const union falco_state_data *key,
                           struct falco_entry *fe, enum generation g)
{
    struct host_table *h;
    struct tables *t = tables_of(ft, g, "add_table_entry", &h);
    if (!t || !may_change_rows(t, h, "add_table_entry"))
        return NULL;
    struct host_entry *e = created_entry(t, h, fe, "add_table_entry");
    if (!e || !key)
        return NULL;
    struct thread *replaced = threads_find(t->threads, key->s64);
    if (replaced)
        detach(t, replaced);
    tables_entry_end(e);
    threads_insert(t->threads, key->s64, e->thread);
    return (struct falco_entry *)(void *)thread_entry(t, e->thread, ENTRY_ADDED);
}

// Rules of the contract for what is written, beyond types.
static void check_write(struct tables *t, const struct host_field *f,
                        const union falco_state_data *in)
{
    if (f->dynamic && strcmp(f->name, "container_id") == 0 && strcmp(in->str, "host") == 0)
        report_violation(t->report, "%s: container_id of a host thread must be empty, not \"host\"",
                         tables_call_name(t->kind));
}

static uint64_t widen(enum falco_state_type type, const union falco_state_data *in)
{
    switch (type) {
    case FALCO_STATE_INT8:
        return (uint64_t)in->s8;
    case FALCO_STATE_INT16:
        return (uint64_t)in->s16;
    case FALCO_STATE_INT32:
        return (uint64_t)in->s32;
    case FALCO_STATE_BOOL:
        return in->b != 0;
    default:
        return narrow(type, in->u64);
    }
}

falco_rc op_write(struct falco_table *ft, struct falco_entry *fe, const struct falco_field *ff,
                  const union falco_state_data *in, enum generation g)
{
    static const char what[] = "write_entry_field";
    const struct host_field *f = (const struct host_field *)(const void *)ff;
    struct host_table *h;
    struct tables *t = tables_of(ft, g, what, &h);
    struct host_entry *e = t ? entry_of(t, h, fe, what) : NULL;
    if (!e || !has_field(t, h, f, what) || !e->thread)
        return FALCO_RC_FAILURE;
    if (f->read_only) {
        owner_set_error(t->owner, "field %s of %s is read-only", f->name, table_names[h->kind]);
        return FALCO_RC_FAILURE;
    }
    if (!in || (f->type == FALCO_STATE_STRING && !in->str)) {
        report_violation(t->report, "%s: the value of field %s is NULL", what, f->name);
        return FALCO_RC_FAILURE;
    }
    if (h->kind != TABLE_THREADS) {
        char **column = f->index ? &e->row->second : &e->row->first;
        char *copy = host_strdup(in->str);
        free(*column);
        *column = copy;
    } else if (f->type == FALCO_STATE_STRING) {
        check_write(t, f, in);
        thread_set_string(e->thread, f->index, in->str, strlen(in->str));
    } else {
        e->thread->values[f->index].u64 = widen(f->type, in);
    }
    return FALCO_RC_SUCCESS;
}

// --- routines ------------------------------------------------------------------------------------

struct falco_routine *op_subscribe(struct falco_owner *o,
                                   falco_bool (*fn)(struct falco_plugin *s, void *state),
                                   void *state, enum generation g)
{
    struct tables *t = tables_of_owner(o, g, "subscribe");
    return t && o->routines ? routines_subscribe(o->routines, fn, state) : NULL;
}

falco_rc op_unsubscribe(struct falco_owner *o, struct falco_routine *r, enum generation g)
{
    struct tables *t = tables_of_owner(o, g, "unsubscribe");
    return t && o->routines ? routines_unsubscribe(o->routines, r) : FALCO_RC_FAILURE;
}
