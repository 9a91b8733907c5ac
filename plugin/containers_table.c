// SPDX-License-Identifier: Apache-2.0
#include "containers_table.h"

#include "capture_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_NAME  "containers"
#define POOL_ROWS   16u  // rows by key that a host may hold at a time
#define POOL_STRING 512u // longest text of such a row, its NUL included; what is longer is cut

// A row by key, with texts of its own: the region's may change under a reader.
struct pool_row {
    struct container_row row;
    bool used;
    char text[COLUMN_TEXTS][POOL_STRING];
};

struct containers_table {
    const struct follower_shared *shared; // the follower's
    const struct capture_store *captured; // the records'
    struct container_row host, fixed;
    const char *fixed_id; // of the static engine; NULL: it is off
    struct pool_row pool[POOL_ROWS];
};

static const struct falco_table_fieldinfo columns[COLUMN_COUNT] = {
    [COLUMN_IP] = {"ip", FALCO_STATE_STRING, 1},
    [COLUMN_USER] = {"user", FALCO_STATE_STRING, 1},
    [COLUMN_ID] = {"id", FALCO_STATE_STRING, 1},
    [COLUMN_IMAGE] = {"image", FALCO_STATE_STRING, 1},
    [COLUMN_NAME] = {"name", FALCO_STATE_STRING, 1},
    [COLUMN_TYPE] = {"type", FALCO_STATE_UINT32, 1},
};

static struct containers_table *table_of(struct falco_table *t)
{
    return (struct containers_table *)(void *)t;
}

static struct falco_entry *entry_of(const struct container_row *row)
{
    return (struct falco_entry *)(uintptr_t)row;
}

// --- reading -------------------------------------------------------------------------------------

static const char *get_name(struct falco_table *t)
{
    (void)t;
    return TABLE_NAME;
}

static uint64_t get_size(struct falco_table *t)
{
    const struct container_list *list = follower_containers(table_of(t)->shared);

    return UINT64_C(1) + (table_of(t)->fixed_id ? 1 : 0) + (list ? list->count : 0) +
           capture_store_rows(table_of(t)->captured);
}

static void fill_row(struct pool_row *to, const struct cmeta_view *view,
                     const struct cmeta_status *status)
{
    for (unsigned c = 0; c < COLUMN_TEXTS; c++) {
        struct cmeta_str text = container_column_text(view, status, c);
        size_t len = text.len < POOL_STRING ? text.len : POOL_STRING - 1;

        memcpy(to->text[c], text.data, len);
        to->text[c][len] = '\0';
        to->row.text[c] = to->text[c];
    }
    to->row.type = cmeta_view_type(view);
}

static bool find_in_region(const struct containers_table *table, const char *id,
                           struct cmeta_view *view, struct cmeta_status *status)
{
    const struct cmeta_region *region = follower_region(table->shared);
    cmeta_handle handle;

    return region && cmeta_reader_find(region, id, strlen(id), &handle) == CMETA_FOUND &&
           cmeta_reader_status(region, handle, status) && cmeta_reader_record(region, handle, view);
}

static bool find_in_capture(const struct containers_table *table, const char *id,
                            struct cmeta_view *view, struct cmeta_status *status)
{
    cmeta_handle handle;

    *status = (struct cmeta_status){.id = {id, (uint32_t)strlen(id)}};
    return capture_store_find(table->captured, id, strlen(id), &handle) == CMETA_FOUND &&
           capture_store_record(table->captured, handle, view);
}

static struct falco_entry *get_container(struct containers_table *table, const char *id)
{
    struct cmeta_status status;
    struct cmeta_view view;
    unsigned i = 0;

    if (!find_in_region(table, id, &view, &status) && !find_in_capture(table, id, &view, &status))
        return NULL;
    while (i < POOL_ROWS && table->pool[i].used)
        i++;
    if (i == POOL_ROWS)
        return NULL;
    fill_row(&table->pool[i], &view, &status);
    table->pool[i].used = true;
    return entry_of(&table->pool[i].row);
}

static struct falco_entry *get_entry(struct falco_table *t, const union falco_state_data *key)
{
    struct containers_table *table = table_of(t);

    if (!key->str)
        return NULL;
    if (!*key->str)
        return entry_of(&table->host);
    if (table->fixed_id)
        return strcmp(key->str, table->fixed_id) == 0 ? entry_of(&table->fixed) : NULL;
    return get_container(table, key->str);
}

static void release_entry(struct falco_table *t, struct falco_entry *e)
{
    for (unsigned i = 0; i < POOL_ROWS; i++)
        if (e == entry_of(&table_of(t)->pool[i].row))
            table_of(t)->pool[i].used = false;
}

// Accessors are the column's number plus one.
static struct falco_field *accessor_of(unsigned column)
{
    return (struct falco_field *)(uintptr_t)(column + 1);
}

static falco_rc read_field(struct falco_table *t, struct falco_entry *e,
                           const struct falco_field *f, union falco_state_data *out)
{
    const struct container_row *row = (const void *)e;
    uintptr_t column = (uintptr_t)f - 1;

    (void)t;
    if (!row || column >= COLUMN_COUNT)
        return FALCO_RC_FAILURE;
    if (column == COLUMN_TYPE)
        out->u32 = row->type;
    else
        out->str = row->text[column];
    return FALCO_RC_SUCCESS;
}

static falco_bool iterate(struct falco_table *t, falco_table_iterator it, void *state)
{
    struct containers_table *table = table_of(t);
    const struct container_list *list = follower_containers(table->shared);
    const struct container_row *row;
    const void *cursor = NULL;

    if (!it(state, entry_of(&table->host)))
        return 0;
    if (table->fixed_id && !it(state, entry_of(&table->fixed)))
        return 0;
    for (row = list ? STAILQ_FIRST(&list->rows) : NULL; row; row = STAILQ_NEXT(row, next))
        if (!it(state, entry_of(row)))
            return 0;
    while ((row = capture_store_next(table->captured, &cursor)) != NULL)
        if (!it(state, entry_of(row)))
            return 0;
    return 1;
}

// --- columns -------------------------------------------------------------------------------------

static const struct falco_table_fieldinfo *list_fields(struct falco_table *t, uint32_t *n)
{
    (void)t;
    *n = COLUMN_COUNT;
    return columns;
}

static struct falco_field *get_field(struct falco_table *t, const char *name,
                                     enum falco_state_type type)
{
    (void)t;
    for (unsigned c = 0; c < COLUMN_COUNT; c++)
        if (strcmp(name, columns[c].name) == 0)
            return columns[c].field_type == type ? accessor_of(c) : NULL;
    return NULL;
}

static struct falco_field *add_field(struct falco_table *t, const char *name,
                                     enum falco_state_type type)
{
    (void)t;
    (void)name;
    (void)type;
    return NULL;
}

// --- writing: nobody but the daemon does ---------------------------------------------------------

static falco_rc clear(struct falco_table *t)
{
    (void)t;
    return FALCO_RC_NOT_SUPPORTED;
}

static falco_rc erase(struct falco_table *t, const union falco_state_data *key)
{
    (void)t;
    (void)key;
    return FALCO_RC_NOT_SUPPORTED;
}

static struct falco_entry *create(struct falco_table *t)
{
    (void)t;
    return NULL;
}

static void destroy(struct falco_table *t, struct falco_entry *e)
{
    (void)t;
    (void)e;
}

static struct falco_entry *add(struct falco_table *t, const union falco_state_data *key,
                               struct falco_entry *e)
{
    (void)t;
    (void)key;
    (void)e;
    return NULL;
}

static falco_rc write_field(struct falco_table *t, struct falco_entry *e,
                            const struct falco_field *f, const union falco_state_data *in)
{
    (void)t;
    (void)e;
    (void)f;
    (void)in;
    return FALCO_RC_NOT_SUPPORTED;
}

// --- life ----------------------------------------------------------------------------------------

struct containers_table *containers_table_new(const struct config *config,
                                              struct follower *follower,
                                              const struct capture_store *captured)
{
    struct containers_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->shared = follower_share(follower);
    table->captured = captured;
    table->host = (struct container_row){.text = {[COLUMN_IP] = "",
                                                  [COLUMN_USER] = "",
                                                  [COLUMN_ID] = "host",
                                                  [COLUMN_IMAGE] = "",
                                                  [COLUMN_NAME] = "host"},
                                         .type = CMETA_TYPE_HOST};
    table->fixed = (struct container_row){.text = {[COLUMN_IP] = "",
                                                   [COLUMN_USER] = "",
                                                   [COLUMN_ID] = config->fixed.id,
                                                   [COLUMN_IMAGE] = config->fixed.image,
                                                   [COLUMN_NAME] = config->fixed.name},
                                          .type = CMETA_TYPE_STATIC};
    table->fixed_id = config->fixed.enabled ? config->fixed.id : NULL;
    return table;
}

struct containers_table *containers_table_free(struct containers_table *table)
{
    free(table);
    return NULL;
}

int containers_table_register(struct containers_table *table, const struct falco_init_input *in,
                              char *error, size_t error_size)
{
    struct falco_table_reader reader = {get_name,   get_size,      get_entry,
                                        read_field, release_entry, iterate};
    struct falco_table_writer writer = {clear, erase, create, destroy, add, write_field};
    struct falco_table_fields fields = {list_fields, get_field, add_field};
    struct falco_table_input input = {.name = TABLE_NAME,
                                      .key_type = FALCO_STATE_STRING,
                                      .table = (struct falco_table *)(void *)table,
                                      .reader = {get_name, get_size, get_entry, read_field},
                                      .writer = writer,
                                      .fields = fields,
                                      .reader_ext = &reader,
                                      .writer_ext = &writer,
                                      .fields_ext = &fields};
    const char *why;

    if (in->tables->add_table(in->owner, &input) == FALCO_RC_SUCCESS)
        return 0;
    why = in->get_owner_last_error ? in->get_owner_last_error(in->owner) : NULL;
    snprintf(error, error_size,
             "cannot register the table containers: %s; is another container plugin loaded? Remove "
             "one of the two from load_plugins",
             why ? why : "the host gives no reason");
    return -EEXIST;
}
