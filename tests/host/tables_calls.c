// SPDX-License-Identifier: Apache-2.0
// The function pointers of the strict tables: one set per generation, each passing its generation
// on.
#include "tests/host/tables_private.h"

#define DEFINE_GENERATION(g)                                                                       \
    static struct falco_table_info *list_tables_##g(struct falco_owner *o, uint32_t *n)            \
    {                                                                                              \
        return op_list_tables(o, n, g);                                                            \
    }                                                                                              \
    static struct falco_table *get_table_##g(struct falco_owner *o, const char *name,              \
                                             enum falco_state_type key)                            \
    {                                                                                              \
        return op_get_table(o, name, key, g);                                                      \
    }                                                                                              \
    static falco_rc add_table_##g(struct falco_owner *o, const struct falco_table_input *in)       \
    {                                                                                              \
        return op_add_table(o, in, g);                                                             \
    }                                                                                              \
    static const struct falco_table_fieldinfo *list_fields_##g(struct falco_table *t, uint32_t *n) \
    {                                                                                              \
        return op_list_fields(t, n, g);                                                            \
    }                                                                                              \
    static struct falco_field *get_field_##g(struct falco_table *t, const char *name,              \
                                             enum falco_state_type type)                           \
    {                                                                                              \
        return op_get_field(t, name, type, g);                                                     \
    }                                                                                              \
    static struct falco_field *add_field_##g(struct falco_table *t, const char *name,              \
                                             enum falco_state_type type)                           \
    {                                                                                              \
        return op_add_field(t, name, type, g);                                                     \
    }                                                                                              \
    static const char *table_name_##g(struct falco_table *t)                                       \
    {                                                                                              \
        return op_table_name(t, g);                                                                \
    }                                                                                              \
    static uint64_t table_size_##g(struct falco_table *t)                                          \
    {                                                                                              \
        return op_table_size(t, g);                                                                \
    }                                                                                              \
    static struct falco_entry *get_entry_##g(struct falco_table *t,                                \
                                             const union falco_state_data *key)                    \
    {                                                                                              \
        return op_get_entry(t, key, g);                                                            \
    }                                                                                              \
    static falco_rc read_##g(struct falco_table *t, struct falco_entry *e,                         \
                             const struct falco_field *f, union falco_state_data *out)             \
    {                                                                                              \
        return op_read(t, e, f, out, g);                                                           \
    }                                                                                              \
    static void release_##g(struct falco_table *t, struct falco_entry *e)                          \
    {                                                                                              \
        op_release(t, e, g);                                                                       \
    }                                                                                              \
    static falco_bool iterate_##g(struct falco_table *t, falco_table_iterator it, void *state)     \
    {                                                                                              \
        return op_iterate(t, it, state, g);                                                        \
    }                                                                                              \
    static falco_rc clear_##g(struct falco_table *t)                                               \
    {                                                                                              \
        return op_clear(t, g);                                                                     \
    }                                                                                              \
    static falco_rc erase_##g(struct falco_table *t, const union falco_state_data *key)            \
    {                                                                                              \
        return op_erase(t, key, g);                                                                \
    }                                                                                              \
    static struct falco_entry *create_##g(struct falco_table *t)                                   \
    {                                                                                              \
        return op_create(t, g);                                                                    \
    }                                                                                              \
    static void destroy_##g(struct falco_table *t, struct falco_entry *e)                          \
    {                                                                                              \
        op_destroy(t, e, g);                                                                       \
    }                                                                                              \
    static struct falco_entry *add_##g(struct falco_table *t, const union falco_state_data *key,   \
                                       struct falco_entry *e)                                      \
    {                                                                                              \
        return op_add(t, key, e, g);                                                               \
    }                                                                                              \
    static falco_rc write_##g(struct falco_table *t, struct falco_entry *e,                        \
                              const struct falco_field *f, const union falco_state_data *in)       \
    {                                                                                              \
        return op_write(t, e, f, in, g);                                                           \
    }                                                                                              \
    static struct falco_routine *subscribe_##g(                                                    \
        struct falco_owner *o, falco_bool (*fn)(struct falco_plugin * s, void *state),             \
        void *state)                                                                               \
    {                                                                                              \
        return op_subscribe(o, fn, state, g);                                                      \
    }                                                                                              \
    static falco_rc unsubscribe_##g(struct falco_owner *o, struct falco_routine *r)                \
    {                                                                                              \
        return op_unsubscribe(o, r, g);                                                            \
    }

#define GENERATION(g)                                                                    \
    [g] = {                                                                              \
        .init = {.list_tables = list_tables_##g,                                         \
                 .get_table = get_table_##g,                                             \
                 .add_table = add_table_##g},                                            \
        .fields = {list_fields_##g, get_field_##g, add_field_##g},                       \
        .reader = {table_name_##g, table_size_##g, get_entry_##g, read_##g, release_##g, \
                   iterate_##g},                                                         \
        .writer = {clear_##g, erase_##g, create_##g, destroy_##g, add_##g, write_##g},   \
        .routines = {subscribe_##g, unsubscribe_##g},                                    \
    }

DEFINE_GENERATION(GEN_TRAP)
DEFINE_GENERATION(GEN_INIT)
DEFINE_GENERATION(GEN_PARSE_A)
DEFINE_GENERATION(GEN_PARSE_B)
DEFINE_GENERATION(GEN_EXTRACT_A)
DEFINE_GENERATION(GEN_EXTRACT_B)
DEFINE_GENERATION(GEN_LISTEN_A)
DEFINE_GENERATION(GEN_LISTEN_B)

static const struct call_objects generations[GENERATIONS] = {
    GENERATION(GEN_TRAP),     GENERATION(GEN_INIT),      GENERATION(GEN_PARSE_A),
    GENERATION(GEN_PARSE_B),  GENERATION(GEN_EXTRACT_A), GENERATION(GEN_EXTRACT_B),
    GENERATION(GEN_LISTEN_A), GENERATION(GEN_LISTEN_B)};

void calls_fill(struct call_objects *objects, enum generation g)
{
    *objects = generations[g];
    objects->init.fields = objects->fields;
    objects->init.fields_ext = &objects->fields;
    objects->init.reader_ext = &objects->reader;
    objects->init.writer_ext = &objects->writer;
}
