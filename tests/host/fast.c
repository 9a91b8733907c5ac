// SPDX-License-Identifier: Apache-2.0
#include "tests/host/fast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/extract.h"
#include "tests/host/tables_private.h"

// --- plain tables --------------------------------------------------------------------------------

static struct host_table *table_of(struct falco_table *t)
{
    return (struct host_table *)(void *)t;
}

static const char *fast_name(struct falco_table *t)
{
    return table_of(t)->kind == TABLE_THREADS ? "threads" : "";
}

static uint64_t fast_size(struct falco_table *t)
{
    const struct host_table *h = table_of(t);
    return h->kind == TABLE_THREADS ? threads_count(h->threads) : h->rows->n;
}

static struct falco_entry *fast_get(struct falco_table *t, const union falco_state_data *key)
{
    const struct host_table *h = table_of(t);
    if (h->kind == TABLE_THREADS)
        return (struct falco_entry *)(void *)threads_find(h->threads, key->s64);
    return key->u64 < h->rows->n ? (struct falco_entry *)(void *)&h->rows->items[key->u64] : NULL;
}

static falco_rc fast_read(struct falco_table *t, struct falco_entry *e,
                          const struct falco_field *field, union falco_state_data *out)
{
    const struct host_field *f = (const struct host_field *)(const void *)field;
    if (table_of(t)->kind != TABLE_THREADS) {
        const struct row *row = (const struct row *)(const void *)e;
        out->str = f->index ? row->second : row->first;
        return FALCO_RC_SUCCESS;
    }
    struct thread *thread = (struct thread *)(void *)e;
    if (f->type == FALCO_STATE_TABLE) {
        out->table = (struct falco_table *)(void *)&thread->tables[f->nested];
        return f->nested == TABLE_FDS ? FALCO_RC_FAILURE : FALCO_RC_SUCCESS;
    }
    out->u64 = thread->values[f->index].u64; // or the string's address, in the same eight bytes
    return FALCO_RC_SUCCESS;
}

static void fast_release(struct falco_table *t, struct falco_entry *e)
{
    (void)t;
    (void)e;
}

static falco_bool fast_iterate(struct falco_table *t, falco_table_iterator it, void *state)
{
    const struct host_table *h = table_of(t);
    if (h->kind == TABLE_THREADS) {
        for (size_t i = 0; i < threads_count(h->threads); i++)
            if (!it(state, (struct falco_entry *)(void *)threads_at(h->threads, i)))
                return 0;
        return 1;
    }
    for (size_t i = 0; i < h->rows->n; i++)
        if (!it(state, (struct falco_entry *)(void *)&h->rows->items[i]))
            return 0;
    return 1;
}

static falco_rc fast_clear(struct falco_table *t)
{
    (void)t;
    return FALCO_RC_NOT_SUPPORTED;
}

static falco_rc fast_erase(struct falco_table *t, const union falco_state_data *key)
{
    (void)t;
    (void)key;
    return FALCO_RC_NOT_SUPPORTED;
}

static struct falco_entry *fast_create(struct falco_table *t)
{
    (void)t;
    return NULL;
}

static void fast_destroy(struct falco_table *t, struct falco_entry *e)
{
    (void)t;
    (void)e;
}

static struct falco_entry *fast_add(struct falco_table *t, const union falco_state_data *key,
                                    struct falco_entry *e)
{
    (void)t;
    (void)key;
    (void)e;
    return NULL;
}

static falco_rc fast_write(struct falco_table *t, struct falco_entry *e,
                           const struct falco_field *field, const union falco_state_data *in)
{
    const struct host_field *f = (const struct host_field *)(const void *)field;
    struct thread *thread = (struct thread *)(void *)e;
    if (table_of(t)->kind != TABLE_THREADS || f->read_only)
        return FALCO_RC_FAILURE;
    switch (f->type) {
    case FALCO_STATE_STRING:
        thread_set_string(thread, f->index, in->str, strlen(in->str));
        break;
    case FALCO_STATE_INT64:
    case FALCO_STATE_UINT64:
        thread->values[f->index].u64 = in->u64;
        break;
    case FALCO_STATE_UINT32:
    case FALCO_STATE_INT32:
    case FALCO_STATE_BOOL:
        thread->values[f->index].u64 = in->u32;
        break;
    case FALCO_STATE_UINT16:
    case FALCO_STATE_INT16:
        thread->values[f->index].u64 = in->u16;
        break;
    default:
        thread->values[f->index].u64 = in->u8;
        break;
    }
    return FALCO_RC_SUCCESS;
}

const struct falco_table_reader fast_reader = {fast_name, fast_size,    fast_get,
                                               fast_read, fast_release, fast_iterate};
const struct falco_table_writer fast_writer = {fast_clear,   fast_erase, fast_create,
                                               fast_destroy, fast_add,   fast_write};

// --- calls ---------------------------------------------------------------------------------------

static void use_tables(struct fast *f, const struct falco_table_reader *r,
                       const struct falco_table_writer *w)
{
    struct falco_table_reader_legacy legacy = {r->get_table_name, r->get_table_size,
                                               r->get_table_entry, r->read_entry_field};
    f->extract.reader = legacy;
    f->extract.reader_ext = (struct falco_table_reader *)(uintptr_t)r;
    f->parse.reader = legacy;
    f->parse.reader_ext = (struct falco_table_reader *)(uintptr_t)r;
    f->parse.writer = *w;
    f->parse.writer_ext = (struct falco_table_writer *)(uintptr_t)w;
}

struct fast *fast_new(struct instance *in)
{
    struct fast *f = host_alloc(sizeof(*f));
    f->instance = in;
    f->state = in->state;
    f->extract_fields = in->plugin->sym.extract_fields;
    f->parse_event = in->plugin->sym.parse_event;
    f->extract.owner = f->parse.owner = in->owner;
    f->extract.get_owner_last_error = f->parse.get_owner_last_error = owner_last_error;
    use_tables(f, &fast_reader, &fast_writer);
    return f;
}

void fast_free(struct fast *f)
{
    free(f);
}

struct falco_table *fast_threads(struct fast *f)
{
    return (struct falco_table *)(void *)&f->instance->tables->threads_table;
}

int fast_request(struct fast *f, const char *text, struct falco_extract_field *out)
{
    if (f->n_keys == sizeof(f->keys) / sizeof(f->keys[0]))
        return -EINVAL;
    return extract_request(f->instance->plugin, text, NULL, f->keys[f->n_keys++], out);
}

// --- traces --------------------------------------------------------------------------------------

enum op_kind { OP_SIZE, OP_GET, OP_READ, OP_RELEASE, OP_ITERATE, OP_WRITE };

struct op {
    enum op_kind kind;
    struct falco_table *table;
    struct falco_entry *entry;
    const struct falco_field *field;
    union falco_state_data data; // key, or value written
    char *text;                  // copy of a string written
    // OP_ITERATE: the operations made per row, in one list, and how many rows were visited.
    struct fast_trace *rows;
};

struct fast_trace {
    struct op *ops;
    size_t n, cap;
    size_t *row_ends; // of an iteration: number of operations up to the end of each row
    size_t n_rows, cap_rows;
    bool stopped; // the last row's callback ended it
};

// The trace being recorded on this thread: the functions of tables carry no context of ours.
static _Thread_local struct fast_trace *recording;

static struct op *record(enum op_kind kind, struct falco_table *t)
{
    struct fast_trace *r = recording;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 32;
        r->ops = host_realloc(r->ops, r->cap * sizeof(*r->ops));
    }
    r->ops[r->n] = (struct op){.kind = kind, .table = t};
    return &r->ops[r->n++];
}

static uint64_t trace_size(struct falco_table *t)
{
    record(OP_SIZE, t);
    return fast_size(t);
}

static struct falco_entry *trace_get(struct falco_table *t, const union falco_state_data *key)
{
    record(OP_GET, t)->data = *key;
    return fast_get(t, key);
}

static falco_rc trace_read(struct falco_table *t, struct falco_entry *e,
                           const struct falco_field *f, union falco_state_data *out)
{
    struct op *op = record(OP_READ, t);
    op->entry = e;
    op->field = f;
    return fast_read(t, e, f, out);
}

static void trace_release(struct falco_table *t, struct falco_entry *e)
{
    record(OP_RELEASE, t)->entry = e;
}

static falco_rc trace_write(struct falco_table *t, struct falco_entry *e,
                            const struct falco_field *f, const union falco_state_data *in)
{
    struct op *op = record(OP_WRITE, t);
    op->entry = e;
    op->field = f;
    op->data = *in;
    if (((const struct host_field *)(const void *)f)->type == FALCO_STATE_STRING)
        op->data.str = op->text = host_strdup(in->str);
    return fast_write(t, e, f, in);
}

struct iteration {
    falco_table_iterator it;
    void *state;
    struct fast_trace *rows;
};

static falco_bool trace_row(void *state, struct falco_entry *e)
{
    struct iteration *i = state;
    struct fast_trace *outer = recording;
    recording = i->rows;
    falco_bool on = i->it(i->state, e);
    recording = outer;
    struct fast_trace *r = i->rows;
    if (r->n_rows == r->cap_rows) {
        r->cap_rows = r->cap_rows ? 2 * r->cap_rows : 16;
        r->row_ends = host_realloc(r->row_ends, r->cap_rows * sizeof(*r->row_ends));
    }
    r->row_ends[r->n_rows++] = r->n;
    r->stopped = !on;
    return on;
}

static falco_bool trace_iterate(struct falco_table *t, falco_table_iterator it, void *state)
{
    struct fast_trace *rows = host_alloc(sizeof(*rows));
    record(OP_ITERATE, t)->rows = rows;
    struct iteration i = {it, state, rows};
    return fast_iterate(t, trace_row, &i);
}

static const struct falco_table_reader trace_reader = {fast_name,  trace_size,    trace_get,
                                                       trace_read, trace_release, trace_iterate};
static const struct falco_table_writer trace_writer = {fast_clear,   fast_erase, fast_create,
                                                       fast_destroy, fast_add,   trace_write};

struct fast_trace *fast_trace_extract(struct fast *f, const struct falco_event_input *ev,
                                      struct falco_extract_field *requests, uint32_t n)
{
    struct fast_trace *t = host_alloc(sizeof(*t));
    recording = t;
    use_tables(f, &trace_reader, &trace_writer);
    fast_extract(f, ev, requests, n);
    use_tables(f, &fast_reader, &fast_writer);
    recording = NULL;
    return t;
}

struct fast_trace *fast_trace_parse(struct fast *f, const struct falco_event_input *ev)
{
    struct fast_trace *t = host_alloc(sizeof(*t));
    recording = t;
    use_tables(f, &trace_reader, &trace_writer);
    fast_parse(f, ev);
    use_tables(f, &fast_reader, &fast_writer);
    recording = NULL;
    return t;
}

struct replay {
    const struct fast_trace *rows;
    size_t row;
};

static void replay_ops(const struct op *op, const struct op *end);

static falco_bool replay_row(void *state, struct falco_entry *e)
{
    (void)e;
    struct replay *r = state;
    if (r->row >= r->rows->n_rows)
        return 0; // the table has more rows than it had
    size_t begin = r->row ? r->rows->row_ends[r->row - 1] : 0;
    size_t end = r->rows->row_ends[r->row++];
    if (end > begin)
        replay_ops(r->rows->ops + begin, r->rows->ops + end);
    return r->row < r->rows->n_rows || !r->rows->stopped;
}

// Through the function tables, as the plugin calls them.
static void replay_ops(const struct op *op, const struct op *end)
{
    const struct falco_table_reader *volatile reader_at = &fast_reader;
    const struct falco_table_reader *r = reader_at;
    union falco_state_data out;
    for (; op < end; op++) {
        switch (op->kind) {
        case OP_SIZE:
            r->get_table_size(op->table);
            break;
        case OP_GET:
            r->get_table_entry(op->table, &op->data);
            break;
        case OP_READ:
            r->read_entry_field(op->table, op->entry, op->field, &out);
            break;
        case OP_RELEASE:
            r->release_table_entry(op->table, op->entry);
            break;
        case OP_WRITE:
            fast_writer.write_entry_field(op->table, op->entry, op->field, &op->data);
            break;
        case OP_ITERATE: {
            struct replay inner = {.rows = op->rows};
            r->iterate_entries(op->table, replay_row, &inner);
            break;
        }
        }
    }
}

void fast_trace_replay(const struct fast_trace *t)
{
    if (t->n)
        replay_ops(t->ops, t->ops + t->n);
}

size_t fast_trace_length(const struct fast_trace *t)
{
    size_t n = t->n;
    for (size_t i = 0; i < t->n; i++)
        if (t->ops[i].rows)
            n += fast_trace_length(t->ops[i].rows);
    return n;
}

void fast_trace_free(struct fast_trace *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free(t->ops[i].text);
        fast_trace_free(t->ops[i].rows);
    }
    free(t->ops);
    free(t->row_ends);
    free(t);
}
