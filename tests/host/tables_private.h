// SPDX-License-Identifier: Apache-2.0
// Shared by tables.c (calls and handles), tables_ops.c (the operations) and tables_calls.c (the
// function pointers). Nobody else includes it.
#ifndef HOST_TABLES_PRIVATE_H
#define HOST_TABLES_PRIVATE_H

#include <pthread.h>

#include "tests/host/plugin_table.h"
#include "tests/host/tables.h"

// Function pointers come in generations. A pointer of another generation than that of the running
// call was kept from an earlier one. Each kind of call but init alternates between two.
enum generation {
    GEN_TRAP,
    GEN_INIT,
    GEN_PARSE_A,
    GEN_PARSE_B,
    GEN_EXTRACT_A,
    GEN_EXTRACT_B,
    GEN_LISTEN_A,
    GEN_LISTEN_B,
    GENERATIONS
};

enum entry_origin { ENTRY_GOT, ENTRY_ADDED, ENTRY_ITERATED, ENTRY_CREATED };

// A string that was given to the plugin.
struct lent_string {
    struct lent_string *next;
    size_t len;
    char text[];
};

// What an entry handle points to.
struct host_entry {
    uint64_t magic;
    enum entry_origin origin;
    struct host_table *table;
    struct thread *thread;       // NULL: erased meanwhile
    struct row *row;             // subtables
    uint64_t index;              // subtables: the row's key
    struct lent_string *strings; // read from it
    struct host_entry *next;
};
#define HOST_ENTRY_MAGIC 0x656e747279303031u

// Things of ended calls: kept for a while, so that whoever uses them is found out.
#define GRAVES 8192

struct tables {
    struct falco_owner *owner;
    struct report *report;
    struct threads *threads;
    struct host_table threads_table;
    bool in_call;
    pthread_t thread;
    enum call_kind kind;
    enum generation generation;
    bool odd[CALL_CAPTURE_CLOSE + 1]; // by kind of call
    int iterating;                    // depth of iterations over `threads`
    struct call_objects *objects, *init_objects;
    struct host_entry *entries;
    struct host_table **subtables;
    size_t n_subtables, cap_subtables;
    void *graves[GRAVES];
    size_t next_grave;
    struct plugin_table *registered[8];
    size_t n_registered;
    struct falco_table_info infos[9];
    struct falco_table_fieldinfo field_infos[THREADS_FIELDS_MAX];
};

// tables.c
struct host_entry *tables_entry(struct tables *t, struct host_table *table,
                                enum entry_origin origin);
void tables_entry_end(struct host_entry *e);
struct host_table *tables_subtable(struct tables *t, struct thread *thread, enum table_kind kind);
const char *tables_lend(struct host_entry *e, const char *s);
// Whether the running call allows the operation `what` of generation `gen`.
bool tables_allowed(struct tables *t, enum generation gen, const char *what);
// The tables whose plugin is being called on this thread, or NULL.
struct tables *tables_current(void);
// "of thread 42", "3 of cgroups".
void tables_entry_describe(const struct host_entry *e, char *buf, size_t size);

// tables_ops.c: the interface's functions with the generation of the pointer they came in by.
struct falco_table_info *op_list_tables(struct falco_owner *o, uint32_t *n, enum generation g);
struct falco_table *op_get_table(struct falco_owner *o, const char *name, enum falco_state_type key,
                                 enum generation g);
falco_rc op_add_table(struct falco_owner *o, const struct falco_table_input *in, enum generation g);
const struct falco_table_fieldinfo *op_list_fields(struct falco_table *ft, uint32_t *n,
                                                   enum generation g);
struct falco_field *op_get_field(struct falco_table *ft, const char *name,
                                 enum falco_state_type type, enum generation g);
struct falco_field *op_add_field(struct falco_table *ft, const char *name,
                                 enum falco_state_type type, enum generation g);
const char *op_table_name(struct falco_table *ft, enum generation g);
uint64_t op_table_size(struct falco_table *ft, enum generation g);
struct falco_entry *op_get_entry(struct falco_table *ft, const union falco_state_data *key,
                                 enum generation g);
falco_rc op_read(struct falco_table *ft, struct falco_entry *fe, const struct falco_field *ff,
                 union falco_state_data *out, enum generation g);
void op_release(struct falco_table *ft, struct falco_entry *fe, enum generation g);
falco_bool op_iterate(struct falco_table *ft, falco_table_iterator it, void *state,
                      enum generation g);
falco_rc op_clear(struct falco_table *ft, enum generation g);
falco_rc op_erase(struct falco_table *ft, const union falco_state_data *key, enum generation g);
struct falco_entry *op_create(struct falco_table *ft, enum generation g);
void op_destroy(struct falco_table *ft, struct falco_entry *fe, enum generation g);
struct falco_entry *op_add(struct falco_table *ft, const union falco_state_data *key,
                           struct falco_entry *fe, enum generation g);
falco_rc op_write(struct falco_table *ft, struct falco_entry *fe, const struct falco_field *ff,
                  const union falco_state_data *in, enum generation g);
struct falco_routine *op_subscribe(struct falco_owner *o,
                                   falco_bool (*fn)(struct falco_plugin *s, void *state),
                                   void *state, enum generation g);
falco_rc op_unsubscribe(struct falco_owner *o, struct falco_routine *r, enum generation g);

// tables_calls.c: fills the objects with the pointers of a generation. GEN_TRAP poisons them.
void calls_fill(struct call_objects *objects, enum generation g);

#endif
