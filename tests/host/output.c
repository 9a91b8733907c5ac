// SPDX-License-Identifier: Apache-2.0
#include "tests/host/output.h"

#include <errno.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/report.h"

struct output {
    const char *const *fields;
    size_t n_fields;
    json_t *rows;                 // JSON, or NULL
    struct libscols_table *table; // table, or NULL
};

struct output *output_new(bool json, const char *const *fields, size_t n_fields)
{
    struct output *o = host_alloc(sizeof(*o));
    o->fields = fields;
    o->n_fields = n_fields;
    if (json) {
        o->rows = json_array();
        return o;
    }
    o->table = scols_new_table();
    scols_table_new_column(o->table, "PID", 0, SCOLS_FL_RIGHT);
    scols_table_new_column(o->table, "COMM", 0, 0);
    for (size_t i = 0; i < n_fields; i++) {
        const char *dot = strchr(fields[i], '.');
        char name[128];
        snprintf(name, sizeof(name), "%s", dot ? dot + 1 : fields[i]);
        for (char *c = name; *c && *c != '['; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - 'a' + 'A');
        scols_table_new_column(o->table, name, 0, SCOLS_FL_WRAP);
    }
    return o;
}

// As Falco prints it: lists in parentheses, <NA> for what is absent.
static char *value_text(const struct host_value *v)
{
    if (!v->present)
        return host_strdup("<NA>");
    size_t len = 3;
    for (size_t i = 0; i < v->n; i++)
        len += strlen(v->strings[i]) + 1;
    char *text = host_alloc(len), *at = text;
    if (v->is_list)
        *at++ = '(';
    for (size_t i = 0; i < v->n; i++) {
        if (i)
            *at++ = ',';
        at = stpcpy(at, v->strings[i]);
    }
    if (v->is_list)
        *at++ = ')';
    *at = 0;
    return text;
}

// A string that isn't UTF-8 can't stand in JSON: its foreign bytes are replaced.
static json_t *json_text(const char *s)
{
    json_t *v = json_string(s);
    if (v)
        return v;
    char *copy = host_strdup(s);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    v = json_string(copy);
    free(copy);
    return v;
}

static json_t *json_one(const struct host_value *v, size_t i)
{
    switch (v->type) {
    case FALCO_FIELD_BOOL:
        return json_boolean(v->numbers[i] != 0);
    case FALCO_FIELD_UINT64:
    case FALCO_FIELD_RELTIME:
    case FALCO_FIELD_ABSTIME:
        return json_integer((json_int_t)v->numbers[i]);
    default:
        return json_text(v->strings[i]);
    }
}

static json_t *json_value(const struct host_value *v)
{
    if (!v->present)
        return json_null();
    if (!v->is_list)
        return json_one(v, 0);
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(list, json_one(v, i));
    return list;
}

void output_row(struct output *o, int64_t pid, const char *comm, const struct host_value *values)
{
    if (o->rows) {
        json_t *row = json_object();
        json_object_set_new(row, "pid", json_integer(pid));
        json_object_set_new(row, "comm", json_text(comm));
        for (size_t i = 0; i < o->n_fields; i++)
            json_object_set_new(row, o->fields[i], json_value(&values[i]));
        json_array_append_new(o->rows, row);
        return;
    }
    char number[32];
    struct libscols_line *line = scols_table_new_line(o->table, NULL);
    snprintf(number, sizeof(number), "%lld", (long long)pid);
    scols_line_set_data(line, 0, number);
    scols_line_set_data(line, 1, comm);
    for (size_t i = 0; i < o->n_fields; i++)
        scols_line_refer_data(line, i + 2, value_text(&values[i]));
}

int output_end(struct output *o, FILE *to)
{
    int rc = 0;
    if (o->rows) {
        rc = json_dumpf(o->rows, to, JSON_INDENT(2)) == 0 && fputc('\n', to) != EOF ? 0 : -EIO;
        json_decref(o->rows);
    } else {
        scols_table_set_stream(o->table, to);
        rc = scols_print_table(o->table);
        scols_unref_table(o->table);
    }
    free(o);
    return rc;
}
