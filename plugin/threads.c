// SPDX-License-Identifier: Apache-2.0
#include "threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// --- binding -------------------------------------------------------------------------------------

struct wanted {
    struct falco_field **field;
    const char *name;
    enum falco_state_type type;
};

static int fail(const struct falco_init_input *in, const char *what, char *error, size_t error_size)
{
    const char *host = in->get_owner_last_error ? in->get_owner_last_error(in->owner) : NULL;

    snprintf(error, error_size,
             "cannot attach container_id to the table threads: %s%s%s; this plugin needs Falco "
             "0.41 or later",
             what, host && *host ? ": " : "", host ? host : "");
    return -ENOENT;
}

// The accessor of a subtable's field can only be had from a row's own subtable; a blank row's will
// do.
static struct falco_field *find_below(struct threads *threads, const struct falco_init_input *in,
                                      struct falco_field *subtable, const char *name)
{
    const struct falco_init_tables *tables = in->tables;
    struct falco_entry *blank = tables->writer_ext->create_table_entry(threads->table);
    struct falco_field *field = NULL;
    union falco_state_data data = {0};

    if (!blank)
        return NULL;
    if (tables->reader_ext->read_entry_field(threads->table, blank, subtable, &data) ==
            FALCO_RC_SUCCESS &&
        data.table)
        field = tables->fields_ext->get_table_field(data.table, name, FALCO_STATE_STRING);
    tables->writer_ext->destroy_table_entry(threads->table, blank);
    return field;
}

int threads_bind(struct threads *threads, const struct falco_init_input *in, char *error,
                 size_t error_size)
{
    const struct wanted found[] = {
        {&threads->tid, "tid", FALCO_STATE_INT64},
        {&threads->pid, "pid", FALCO_STATE_INT64},
        {&threads->ptid, "ptid", FALCO_STATE_INT64},
        {&threads->vtid, "vtid", FALCO_STATE_INT64},
        {&threads->vpid, "vpid", FALCO_STATE_INT64},
        {&threads->pidns_init_start_ts, "pidns_init_start_ts", FALCO_STATE_UINT64},
        {&threads->exe, "exe", FALCO_STATE_STRING},
        {&threads->args, "args", FALCO_STATE_TABLE},
        {&threads->cgroups, "cgroups", FALCO_STATE_TABLE},
    };
    const struct wanted added[] = {
        {&threads->container_id, "container_id", FALCO_STATE_STRING},
        {&threads->category, "category", FALCO_STATE_UINT16},
        {&threads->ref, "cmeta_ref", FALCO_STATE_UINT64},
    };
    const struct falco_table_fields *fields;

    if (!in->tables || !in->tables->fields_ext || !in->tables->reader_ext ||
        !in->tables->writer_ext)
        return fail(in, "the host offers no tables", error, error_size);
    fields = in->tables->fields_ext;
    threads->table = in->tables->get_table(in->owner, "threads", FALCO_STATE_INT64);
    if (!threads->table)
        return fail(in, "there is no such table", error, error_size);
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        *found[i].field = fields->get_table_field(threads->table, found[i].name, found[i].type);
        if (!*found[i].field)
            return fail(in, found[i].name, error, error_size);
    }
    threads->path = find_below(threads, in, threads->cgroups, "second");
    if (!threads->path)
        return fail(in, "the paths of cgroups", error, error_size);
    threads->arg = find_below(threads, in, threads->args, "value");
    if (!threads->arg)
        return fail(in, "the values of args", error, error_size);
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        *added[i].field = fields->add_table_field(threads->table, added[i].name, added[i].type);
        if (!*added[i].field)
            return fail(in, added[i].name, error, error_size);
    }
    return 0;
}

// --- reading -------------------------------------------------------------------------------------

uint64_t threads_number(const struct threads *threads, const struct table_access *access,
                        struct falco_entry *entry, const struct falco_field *field,
                        uint64_t otherwise)
{
    union falco_state_data data = {.u64 = 0};

    if (access->reader->read_entry_field(threads->table, entry, field, &data) != FALCO_RC_SUCCESS)
        return otherwise;
    return data.u64;
}

enum thread_category threads_category(const struct threads *threads,
                                      const struct table_access *access, struct falco_entry *entry)
{
    uint64_t category = threads_number(threads, access, entry, threads->category, CATEGORY_NONE);

    return category <= CATEGORY_READINESS ? (enum thread_category)category : CATEGORY_NONE;
}

const char *threads_text(const struct threads *threads, const struct table_access *access,
                         struct falco_entry *entry, const struct falco_field *field)
{
    union falco_state_data data = {.str = NULL};

    if (access->reader->read_entry_field(threads->table, entry, field, &data) != FALCO_RC_SUCCESS ||
        !data.str)
        return "";
    return data.str;
}

struct hearing {
    const struct threads *threads;
    const struct table_access *access;
    struct falco_table *cgroups;
    uint32_t layouts;
    struct witness *witness;
};

static falco_bool hear_row(void *state, struct falco_entry *row)
{
    const struct hearing *h = state;
    union falco_state_data path = {.str = NULL};

    if (h->access->reader->read_entry_field(h->cgroups, row, h->threads->path, &path) !=
            FALCO_RC_SUCCESS ||
        !path.str)
        return 1;
    return identify_path(h->layouts, h->witness, path.str,
                         strnlen(path.str, CMETA_CGROUP_PATH_MAX + 1));
}

void threads_hear(const struct threads *threads, const struct table_access *access,
                  struct falco_entry *entry, uint32_t layouts, struct witness *witness)
{
    union falco_state_data cgroups = {.table = NULL};
    struct hearing hearing = {threads, access, NULL, layouts, witness};

    if (access->reader->read_entry_field(threads->table, entry, threads->cgroups, &cgroups) !=
            FALCO_RC_SUCCESS ||
        !cgroups.table)
        return;
    hearing.cgroups = cgroups.table;
    // Zero says that a strong match ended it, or that it failed: then there are no rows.
    access->reader->iterate_entries(cgroups.table, hear_row, &hearing);
}

struct args_hearing {
    const struct threads *threads;
    const struct table_access *access;
    struct falco_table *args;
    bool (*hear)(void *state, const char *arg);
    void *state;
};

static falco_bool hear_arg(void *state, struct falco_entry *row)
{
    const struct args_hearing *h = state;
    union falco_state_data arg = {.str = NULL};

    if (h->access->reader->read_entry_field(h->args, row, h->threads->arg, &arg) !=
            FALCO_RC_SUCCESS ||
        !arg.str)
        return 1;
    return h->hear(h->state, arg.str);
}

void threads_hear_args(const struct threads *threads, const struct table_access *access,
                       struct falco_entry *entry, bool (*hear)(void *state, const char *arg),
                       void *state)
{
    union falco_state_data args = {.table = NULL};
    struct args_hearing hearing = {threads, access, NULL, hear, state};

    if (access->reader->read_entry_field(threads->table, entry, threads->args, &args) !=
            FALCO_RC_SUCCESS ||
        !args.table)
        return;
    hearing.args = args.table;
    access->reader->iterate_entries(args.table, hear_arg, &hearing);
}

bool threads_is_foreign(const struct threads *threads, const struct table_access *access,
                        struct falco_entry *entry)
{
    const uint64_t unset = (uint64_t)-1;
    uint64_t vtid = threads_number(threads, access, entry, threads->vtid, unset);
    uint64_t vpid;

    if (vtid == unset)
        return false;
    if (vtid != threads_number(threads, access, entry, threads->tid, vtid))
        return true;
    vpid = threads_number(threads, access, entry, threads->vpid, unset);
    return vpid != unset && vpid != threads_number(threads, access, entry, threads->pid, vpid);
}

// --- writing -------------------------------------------------------------------------------------

static void write_field(const struct threads *threads, const struct table_access *access,
                        struct falco_entry *entry, const struct falco_field *field,
                        union falco_state_data value)
{
    access->writer->write_entry_field(threads->table, entry, field, &value);
}

bool threads_write(const struct threads *threads, const struct table_access *access,
                   struct falco_entry *entry, uint64_t old_ref, uint64_t ref, const char *id)
{
    // The same handle, or the host again: the ID was written with it.
    if (ref == old_ref && REF_KIND(ref) != REF_ABSENT)
        return false;
    if (ref != old_ref)
        write_field(threads, access, entry, threads->ref, (union falco_state_data){.u64 = ref});
    if (strcmp(threads_id(threads, access, entry), id) == 0)
        return false;
    write_field(threads, access, entry, threads->container_id, (union falco_state_data){.str = id});
    return true;
}

void threads_write_category(const struct threads *threads, const struct table_access *access,
                            struct falco_entry *entry, enum thread_category category)
{
    if (threads_category(threads, access, entry) != category)
        write_field(threads, access, entry, threads->category,
                    (union falco_state_data){.u16 = (uint16_t)category});
}
