// SPDX-License-Identifier: Apache-2.0
#include "tests/host/plugin_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct plugin_table {
    struct report *report;
    const char *name;  // the plugin's, valid until it is destroyed
    char *copied_name; // what it was when the table was added
    enum falco_state_type key_type;
    struct falco_table *cookie;
    struct falco_table_reader reader;
    struct falco_table_writer writer;
    struct falco_table_fields fields;
    struct falco_field *user, *ip;
};

// Whether every function of a table of function pointers is there.
static bool complete(struct report *r, const char *table, const char *what, const void *vtable,
                     size_t bytes)
{
    const unsigned char *p = vtable;
    static const unsigned char null[sizeof(void *)];
    for (size_t at = 0; at < bytes; at += sizeof(null))
        if (memcmp(p + at, null, sizeof(null)) == 0) {
            report_violation(r, "add_table %s: function %zu of the %s is NULL", table,
                             at / sizeof(null), what);
            return false;
        }
    return true;
}

static bool agree(struct report *r, const char *table, const char *what, const void *legacy,
                  const void *ext, size_t bytes)
{
    if (memcmp(legacy, ext, bytes) == 0)
        return true;
    report_violation(r, "add_table %s: broken or inconsistent %s: by value and by pointer differ",
                     table, what);
    return false;
}

static bool usable(struct report *r, const struct falco_table_input *in)
{
    if (!in || !in->name || !*in->name) {
        report_violation(r, "add_table: the table has no name");
        return false;
    }
    if (!in->table || !in->reader_ext || !in->writer_ext || !in->fields_ext) {
        report_violation(r, "add_table %s: the cookie or one of the _ext pointers is NULL",
                         in->name);
        return false;
    }
    return complete(r, in->name, "reader", in->reader_ext, sizeof(*in->reader_ext)) &&
           complete(r, in->name, "writer", in->writer_ext, sizeof(*in->writer_ext)) &&
           complete(r, in->name, "fields", in->fields_ext, sizeof(*in->fields_ext)) &&
           agree(r, in->name, "reader", &in->reader, in->reader_ext, sizeof(in->reader)) &&
           agree(r, in->name, "writer", &in->writer, in->writer_ext, sizeof(in->writer)) &&
           agree(r, in->name, "fields", &in->fields, in->fields_ext, sizeof(in->fields));
}

struct plugin_table *plugin_table_copy(struct report *r, const struct falco_table_input *in)
{
    if (!usable(r, in))
        return NULL;
    struct plugin_table *pt = host_alloc(sizeof(*pt));
    pt->report = r;
    pt->name = in->name;
    pt->copied_name = host_strdup(in->name);
    pt->key_type = in->key_type;
    pt->cookie = in->table;
    pt->reader = *in->reader_ext;
    pt->writer = *in->writer_ext;
    pt->fields = *in->fields_ext;
    return pt;
}

void plugin_table_free(struct plugin_table *pt)
{
    if (!pt)
        return;
    free(pt->copied_name);
    free(pt);
}

const char *plugin_table_name(const struct plugin_table *pt)
{
    return pt->copied_name;
}

enum falco_state_type plugin_table_key(const struct plugin_table *pt)
{
    return pt->key_type;
}

uint64_t plugin_table_size(const struct plugin_table *pt)
{
    return pt->reader.get_table_size(pt->cookie);
}

int plugin_table_bind(struct plugin_table *pt)
{
    if (strcmp(pt->name, pt->copied_name) != 0)
        report_violation(pt->report, "table %s: its name must stay valid until plugin_destroy",
                         pt->copied_name);
    const char *name = pt->reader.get_table_name(pt->cookie);
    if (!name || strcmp(name, pt->copied_name) != 0)
        report_violation(pt->report, "table %s: get_table_name says %s", pt->copied_name,
                         name ? name : "NULL");
    pt->user = pt->fields.get_table_field(pt->cookie, "user", FALCO_STATE_STRING);
    pt->ip = pt->fields.get_table_field(pt->cookie, "ip", FALCO_STATE_STRING);
    return pt->user && pt->ip ? 0 : -ENOENT;
}

// The string, or NULL and a violation.
static const char *read_string(struct plugin_table *pt, struct falco_entry *e,
                               const struct falco_field *f, const char *field)
{
    union falco_state_data d;
    memset(&d, 0xa5, sizeof(d)); // for tables of plugins the output isn't zeroed
    d.str = NULL;
    falco_rc rc = pt->reader.read_entry_field(pt->cookie, e, f, &d);
    if (rc == FALCO_RC_SUCCESS && d.str)
        return d.str;
    report_violation(pt->report, "table %s: reading %s gave %s", pt->copied_name, field,
                     rc == FALCO_RC_SUCCESS ? "a NULL string" : "a failure");
    return NULL;
}

int plugin_table_read(struct plugin_table *pt, const char *key, const char *field, char **out)
{
    union falco_state_data k = {.str = key};
    const struct falco_field *f = strcmp(field, "ip") == 0 ? pt->ip : pt->user;
    struct falco_entry *e = pt->reader.get_table_entry(pt->cookie, &k);
    if (!e)
        return -ENOENT;
    const char *s = read_string(pt, e, f, field);
    if (s)
        *out = host_strdup(s);
    pt->reader.release_table_entry(pt->cookie, e);
    return s ? 0 : -EPROTO;
}

struct walk {
    struct plugin_table *pt;
    void (*visit)(void *userdata, const char *user, const char *ip);
    void *userdata;
    int rows;
    bool broken;
};

static falco_bool walk_row(void *state, struct falco_entry *e)
{
    struct walk *w = state;
    if (!e) {
        report_violation(w->pt->report, "table %s: the iteration gave a NULL entry",
                         w->pt->copied_name);
        w->broken = true;
        return 0;
    }
    const char *s = read_string(w->pt, e, w->pt->user, "user");
    char *user = s ? host_strdup(s) : NULL;
    const char *ip = read_string(w->pt, e, w->pt->ip, "ip");
    w->broken = w->broken || !user || !ip;
    w->rows++;
    if (w->visit && user && ip)
        w->visit(w->userdata, user, ip);
    free(user);
    return !w->broken;
}

int plugin_table_walk(struct plugin_table *pt,
                      void (*visit)(void *userdata, const char *user, const char *ip),
                      void *userdata)
{
    struct walk w = {.pt = pt, .visit = visit, .userdata = userdata};
    falco_bool whole = pt->reader.iterate_entries(pt->cookie, walk_row, &w);
    if (!whole && !w.broken) {
        report_violation(pt->report, "table %s: the iteration failed", pt->copied_name);
        w.broken = true;
    }
    return w.broken ? -EPROTO : w.rows;
}
