// SPDX-License-Identifier: Apache-2.0
#include "tests/host/threads.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/report.h"

struct threads {
    struct thread **buckets;
    uint32_t shift; // 64 - log2 of the number of buckets
    struct thread **all;
    size_t n, cap;
    struct host_field fields[THREADS_FIELDS_MAX];
    size_t n_fields;
    struct host_field row_fields[TABLE_KINDS][2];
};

static const struct {
    const char *name;
    enum falco_state_type type;
    bool read_only;
    enum table_kind nested;
} declarations[THREAD_STATIC_FIELDS] = {
    [THREAD_TID] = {"tid", FALCO_STATE_INT64, false, 0},
    [THREAD_PID] = {"pid", FALCO_STATE_INT64, false, 0},
    [THREAD_PTID] = {"ptid", FALCO_STATE_INT64, false, 0},
    [THREAD_REAPER_TID] = {"reaper_tid", FALCO_STATE_INT64, false, 0},
    [THREAD_SID] = {"sid", FALCO_STATE_INT64, false, 0},
    [THREAD_FD_LIMIT] = {"fd_limit", FALCO_STATE_INT64, false, 0},
    [THREAD_VTID] = {"vtid", FALCO_STATE_INT64, false, 0},
    [THREAD_VPID] = {"vpid", FALCO_STATE_INT64, false, 0},
    [THREAD_VPGID] = {"vpgid", FALCO_STATE_INT64, false, 0},
    [THREAD_PGID] = {"pgid", FALCO_STATE_INT64, false, 0},
    [THREAD_FLAGS] = {"flags", FALCO_STATE_UINT32, false, 0},
    [THREAD_UID] = {"uid", FALCO_STATE_UINT32, false, 0},
    [THREAD_GID] = {"gid", FALCO_STATE_UINT32, false, 0},
    [THREAD_LOGINUID] = {"loginuid", FALCO_STATE_UINT32, false, 0},
    [THREAD_TTY] = {"tty", FALCO_STATE_UINT32, false, 0},
    [THREAD_EXE_INO] = {"exe_ino", FALCO_STATE_UINT64, false, 0},
    [THREAD_EXE_INO_CTIME] = {"exe_ino_ctime", FALCO_STATE_UINT64, false, 0},
    [THREAD_EXE_INO_MTIME] = {"exe_ino_mtime", FALCO_STATE_UINT64, false, 0},
    [THREAD_PIDNS_INIT_START_TS] = {"pidns_init_start_ts", FALCO_STATE_UINT64, false, 0},
    [THREAD_COMM] = {"comm", FALCO_STATE_STRING, false, 0},
    [THREAD_EXE] = {"exe", FALCO_STATE_STRING, false, 0},
    [THREAD_EXE_PATH] = {"exe_path", FALCO_STATE_STRING, false, 0},
    [THREAD_ROOT] = {"root", FALCO_STATE_STRING, false, 0},
    [THREAD_CWD] = {"cwd", FALCO_STATE_STRING, true, 0},
    [THREAD_EXE_WRITABLE] = {"exe_writable", FALCO_STATE_BOOL, false, 0},
    [THREAD_EXE_UPPER_LAYER] = {"exe_upper_layer", FALCO_STATE_BOOL, false, 0},
    [THREAD_EXE_LOWER_LAYER] = {"exe_lower_layer", FALCO_STATE_BOOL, false, 0},
    [THREAD_EXE_FROM_MEMFD] = {"exe_from_memfd", FALCO_STATE_BOOL, false, 0},
    [THREAD_ARGS] = {"args", FALCO_STATE_TABLE, true, TABLE_ARGS},
    [THREAD_ENV] = {"env", FALCO_STATE_TABLE, true, TABLE_ENV},
    [THREAD_CGROUPS] = {"cgroups", FALCO_STATE_TABLE, true, TABLE_CGROUPS},
    [THREAD_FILE_DESCRIPTORS] = {"file_descriptors", FALCO_STATE_TABLE, true, TABLE_FDS},
};

static struct host_field *field_init(struct host_field *f, enum table_kind table, uint32_t index,
                                     const char *name, enum falco_state_type type)
{
    *f = (struct host_field){
        .magic = HOST_FIELD_MAGIC, .table = table, .type = type, .index = index, .name = name};
    return f;
}

struct threads *threads_new(void)
{
    struct threads *ts = host_alloc(sizeof(*ts));
    ts->shift = 64 - 8;
    ts->buckets = host_alloc(256 * sizeof(struct thread *));
    for (uint32_t i = 0; i < THREAD_STATIC_FIELDS; i++) {
        struct host_field *f = field_init(&ts->fields[i], TABLE_THREADS, i, declarations[i].name,
                                          declarations[i].type);
        f->read_only = declarations[i].read_only;
        f->nested = declarations[i].nested;
    }
    ts->n_fields = THREAD_STATIC_FIELDS;
    field_init(&ts->row_fields[TABLE_CGROUPS][0], TABLE_CGROUPS, 0, "first", FALCO_STATE_STRING);
    field_init(&ts->row_fields[TABLE_CGROUPS][1], TABLE_CGROUPS, 1, "second", FALCO_STATE_STRING);
    field_init(&ts->row_fields[TABLE_ARGS][0], TABLE_ARGS, 0, "value", FALCO_STATE_STRING);
    field_init(&ts->row_fields[TABLE_ENV][0], TABLE_ENV, 0, "value", FALCO_STATE_STRING);
    return ts;
}

void threads_free(struct threads *ts)
{
    if (!ts)
        return;
    threads_clear(ts);
    for (size_t i = THREAD_STATIC_FIELDS; i < ts->n_fields; i++)
        free((char *)(uintptr_t)ts->fields[i].name);
    free(ts->all);
    free(ts->buckets);
    free(ts);
}

static size_t bucket_of(const struct threads *ts, int64_t tid)
{
    return (size_t)(((uint64_t)tid * 0x9e3779b97f4a7c15u) >> ts->shift);
}

struct thread *threads_find(const struct threads *ts, int64_t tid)
{
    struct thread *t = ts->buckets[bucket_of(ts, tid)];
    while (t && t->tid != tid)
        t = t->next;
    return t;
}

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        free(rows->items[i].first);
        free(rows->items[i].second);
    }
    rows->n = 0;
}

void threads_blank_free(struct thread *t)
{
    for (size_t k = 0; k < TABLE_KINDS; k++) {
        rows_free(&t->rows[k]);
        free(t->rows[k].items);
    }
    for (size_t i = 0; i < THREADS_FIELDS_MAX; i++)
        if (t->values[i].cap)
            free(t->values[i].str);
    t->magic = HOST_DEAD_MAGIC;
    free(t);
}

static void value_set_string(struct value *v, const char *s, size_t len)
{
    if (len + 1 > v->cap) {
        size_t cap = len + 1 < 80 ? 80 : 2 * len;
        char *str = host_alloc(cap);
        if (v->cap)
            free(v->str);
        v->str = str;
        v->cap = cap;
    }
    memmove(v->str, s, len);
    v->str[len] = 0;
}

struct thread *threads_blank(struct threads *ts)
{
    struct thread *t = host_alloc(sizeof(*t));
    t->magic = HOST_THREAD_MAGIC;
    t->tid = -1;
    for (size_t k = 0; k < TABLE_KINDS; k++)
        t->tables[k] = (struct host_table){.magic = HOST_TABLE_MAGIC,
                                           .kind = (enum table_kind)k,
                                           .rows = &t->rows[k],
                                           .thread = t,
                                           .threads = ts};
    for (size_t i = 0; i < ts->n_fields; i++)
        if (ts->fields[i].type == FALCO_STATE_STRING)
            value_set_string(&t->values[i], "", 0);
    for (uint32_t i = THREAD_TID; i <= THREAD_PGID; i++)
        t->values[i].u64 = UINT64_MAX;
    for (uint32_t i = THREAD_UID; i <= THREAD_LOGINUID; i++)
        t->values[i].u64 = UINT32_MAX;
    return t;
}

static void grow_buckets(struct threads *ts)
{
    size_t buckets = (size_t)1 << (64 - ts->shift + 1);
    free(ts->buckets);
    ts->buckets = host_alloc(buckets * sizeof(struct thread *));
    ts->shift--;
    for (size_t i = 0; i < ts->n; i++) {
        struct thread **head = &ts->buckets[bucket_of(ts, ts->all[i]->tid)];
        ts->all[i]->next = *head;
        *head = ts->all[i];
    }
}

void threads_insert(struct threads *ts, int64_t tid, struct thread *t)
{
    threads_remove(ts, tid);
    t->tid = tid;
    t->values[THREAD_TID].u64 = (uint64_t)tid;
    if (ts->n == ts->cap) {
        ts->cap = ts->cap ? 2 * ts->cap : 128;
        ts->all = host_realloc(ts->all, ts->cap * sizeof(struct thread *));
    }
    t->position = ts->n;
    ts->all[ts->n++] = t;
    struct thread **head = &ts->buckets[bucket_of(ts, tid)];
    t->next = *head;
    *head = t;
    if (ts->n > (size_t)1 << (64 - ts->shift))
        grow_buckets(ts);
}

struct thread *threads_add(struct threads *ts, int64_t tid)
{
    struct thread *t = threads_blank(ts);
    threads_insert(ts, tid, t);
    return t;
}

void threads_remove(struct threads *ts, int64_t tid)
{
    struct thread **link = &ts->buckets[bucket_of(ts, tid)];
    while (*link && (*link)->tid != tid)
        link = &(*link)->next;
    struct thread *t = *link;
    if (!t)
        return;
    *link = t->next;
    struct thread *last = ts->all[--ts->n];
    ts->all[t->position] = last;
    last->position = t->position;
    threads_blank_free(t);
}

void threads_clear(struct threads *ts)
{
    for (size_t i = 0; i < ts->n; i++)
        threads_blank_free(ts->all[i]);
    ts->n = 0;
    memset(ts->buckets, 0, ((size_t)1 << (64 - ts->shift)) * sizeof(struct thread *));
}

size_t threads_count(const struct threads *ts)
{
    return ts->n;
}

struct thread *threads_at(const struct threads *ts, size_t i)
{
    return i < ts->n ? ts->all[i] : NULL;
}

struct host_field *threads_field_at(struct threads *ts, enum table_kind kind, size_t i)
{
    if (kind == TABLE_THREADS)
        return i < ts->n_fields ? &ts->fields[i] : NULL;
    return i < 2 && ts->row_fields[kind][i].magic ? &ts->row_fields[kind][i] : NULL;
}

struct host_field *threads_field(struct threads *ts, enum table_kind kind, const char *name)
{
    struct host_field *f;
    for (size_t i = 0; (f = threads_field_at(ts, kind, i)) != NULL; i++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

struct host_field *threads_field_add(struct threads *ts, const char *name,
                                     enum falco_state_type type)
{
    if (ts->n_fields == THREADS_FIELDS_MAX)
        return NULL;
    struct host_field *f = &ts->fields[ts->n_fields];
    field_init(f, TABLE_THREADS, (uint32_t)ts->n_fields, host_strdup(name), type);
    f->dynamic = true;
    ts->n_fields++;
    if (type == FALCO_STATE_STRING)
        for (size_t i = 0; i < ts->n; i++)
            value_set_string(&ts->all[i]->values[f->index], "", 0);
    return f;
}

void thread_set_int(struct thread *t, uint32_t field, int64_t v)
{
    t->values[field].u64 = (uint64_t)v;
}

int64_t thread_int(const struct thread *t, uint32_t field)
{
    return (int64_t)t->values[field].u64;
}

void thread_set_string(struct thread *t, uint32_t field, const char *s, size_t len)
{
    value_set_string(&t->values[field], s, len);
}

const char *thread_string(const struct thread *t, uint32_t field)
{
    return t->values[field].str;
}

void thread_rows_clear(struct thread *t, enum table_kind kind)
{
    rows_free(&t->rows[kind]);
}

static char *element_dup(const char *s, size_t len)
{
    return s ? host_memdup(s, len) : NULL;
}

void thread_rows_add(struct thread *t, enum table_kind kind, const char *first, size_t first_len,
                     const char *second, size_t second_len)
{
    struct rows *rows = &t->rows[kind];
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? 2 * rows->cap : 8;
        rows->items = host_realloc(rows->items, rows->cap * sizeof(struct row));
    }
    rows->items[rows->n++] =
        (struct row){element_dup(first, first_len), element_dup(second, second_len)};
}

// The controller's name as the table has it. `len` is cut or set to that of the result.
static const char *normal_controller(const char *name, size_t *len)
{
    static const char suffix[] = "_cgroup";
    size_t cut = sizeof(suffix) - 1;
    if (*len > cut && memcmp(name + *len - cut, suffix, cut) == 0)
        *len -= cut;
    static const char *const renamed[][2] = {
        {"perf", "perf_event"}, {"mem", "memory"}, {"io", "blkio"}};
    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
        if (*len == strlen(renamed[i][0]) && memcmp(name, renamed[i][0], *len) == 0) {
            *len = strlen(renamed[i][1]);
            return renamed[i][1];
        }
    return name;
}

// The element at *at, which is advanced past it; false at the end. A last element may lack its NUL.
static bool next_element(const char **at, const char *end, const char **element, size_t *len)
{
    if (*at >= end)
        return false;
    *element = *at;
    *len = strnlen(*at, (size_t)(end - *at));
    *at += *len + 1;
    return true;
}

void thread_set_cgroups(struct thread *t, const char *text, size_t len)
{
    const char *element = NULL, *at = text, *end = text + len;
    size_t n = 0;
    while (next_element(&at, end, &element, &n))
        if (!memchr(element, '=', n))
            return;
    thread_rows_clear(t, TABLE_CGROUPS);
    at = text;
    while (next_element(&at, end, &element, &n)) {
        const char *equals = memchr(element, '=', n);
        size_t name_len = (size_t)(equals - element);
        size_t path_len = n - name_len - 1;
        const char *name = normal_controller(element, &name_len);
        thread_rows_add(t, TABLE_CGROUPS, name, name_len, equals + 1, path_len);
    }
}

void thread_set_list(struct thread *t, enum table_kind kind, const char *text, size_t len)
{
    const char *element = NULL, *at = text, *end = text + len;
    size_t n = 0;
    thread_rows_clear(t, kind);
    while (next_element(&at, end, &element, &n))
        thread_rows_add(t, kind, element, n, NULL, 0);
}
