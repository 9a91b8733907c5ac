// SPDX-License-Identifier: Apache-2.0
// The host's threads: the model behind the state table `threads`, without any of the interface.
//
// It stands in for what libsinsp keeps: a hash from tid to thread, the static fields of the table
// `threads` as libs 0.21 and later have them, dynamic fields that plugins add, and the subtables.
// Fields are numbered alike for static and dynamic ones; a thread keeps its values in one array.
// One thread at a time may use it.
#ifndef HOST_THREADS_H
#define HOST_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/falco_abi.h"

#define THREADS_FIELDS_MAX 64 // static and dynamic

// What a table handle stands for.
enum table_kind { TABLE_THREADS, TABLE_CGROUPS, TABLE_ARGS, TABLE_ENV, TABLE_FDS, TABLE_KINDS };

// Static fields by name, for the host's own code. The order is that of the declaration table.
enum thread_field {
    THREAD_TID,
    THREAD_PID,
    THREAD_PTID,
    THREAD_REAPER_TID,
    THREAD_SID,
    THREAD_FD_LIMIT,
    THREAD_VTID,
    THREAD_VPID,
    THREAD_VPGID,
    THREAD_PGID,
    THREAD_FLAGS,
    THREAD_UID,
    THREAD_GID,
    THREAD_LOGINUID,
    THREAD_TTY,
    THREAD_EXE_INO,
    THREAD_EXE_INO_CTIME,
    THREAD_EXE_INO_MTIME,
    THREAD_PIDNS_INIT_START_TS,
    THREAD_COMM,
    THREAD_EXE,
    THREAD_EXE_PATH,
    THREAD_ROOT,
    THREAD_CWD,
    THREAD_EXE_WRITABLE,
    THREAD_EXE_UPPER_LAYER,
    THREAD_EXE_LOWER_LAYER,
    THREAD_EXE_FROM_MEMFD,
    THREAD_ARGS,
    THREAD_ENV,
    THREAD_CGROUPS,
    THREAD_FILE_DESCRIPTORS,
    THREAD_STATIC_FIELDS,
};

// A column, of `threads` or of a subtable: what a field accessor of the interface points to.
struct host_field {
    uint64_t magic;
    enum table_kind table;
    enum falco_state_type type;
    bool read_only;
    bool dynamic;
    uint32_t index;         // into thread.values; or 0, 1 for first, second
    enum table_kind nested; // of a field of type TABLE
    const char *name;
};
#define HOST_FIELD_MAGIC 0x6669656c64303031u

// A row of a subtable: cgroups have first and second, args and env have first only.
struct row {
    char *first, *second;
};

struct rows {
    struct row *items;
    size_t n, cap;
};

// A number, or a string with its capacity. Strings keep their memory when they are overwritten.
struct value {
    union {
        uint64_t u64;
        char *str;
    };
    size_t cap;
};

struct threads;
struct thread;

// What a table handle of the interface points to. In the strict host a fresh one is made for every
// subtable that is read; in the fast one each thread carries its own.
struct host_table {
    uint64_t magic;
    enum table_kind kind;
    struct rows *rows;     // subtables
    struct thread *thread; // subtables: the thread they belong to
    void *context;         // the strict host's, or NULL
    struct threads *threads;
};
#define HOST_TABLE_MAGIC 0x7461626c65303031u
#define HOST_DEAD_MAGIC  0x64656164646561u

struct thread {
    uint64_t magic;
    int64_t tid; // the key
    struct thread *next;
    size_t position;  // in the array of all threads
    bool from_parent; // made by the parent's clone event, not yet by the child's own
    struct rows rows[TABLE_KINDS];
    struct host_table tables[TABLE_KINDS];
    struct value values[THREADS_FIELDS_MAX];
};
#define HOST_THREAD_MAGIC 0x7468726561643031u

struct threads *threads_new(void);
void threads_free(struct threads *ts);

// The thread, or NULL.
struct thread *threads_find(const struct threads *ts, int64_t tid);
/**
 * threads_add - a thread with the defaults of the table
 *
 * Ids are -1, uid, gid and loginuid 0xffffffff, other numbers 0, strings "", no rows. A thread of
 * this tid that stands already is replaced by it: dynamic fields are never inherited.
 */
struct thread *threads_add(struct threads *ts, int64_t tid);
void threads_remove(struct threads *ts, int64_t tid);
void threads_clear(struct threads *ts);
size_t threads_count(const struct threads *ts);
struct thread *threads_at(const struct threads *ts, size_t i);

// A thread outside the table, and back into nothing, or into the table under `tid`.
struct thread *threads_blank(struct threads *ts);
void threads_blank_free(struct thread *t);
void threads_insert(struct threads *ts, int64_t tid, struct thread *t);

// Columns. NULL: there is none of that name.
struct host_field *threads_field(struct threads *ts, enum table_kind kind, const char *name);
// Column `i`, NULL past the last.
struct host_field *threads_field_at(struct threads *ts, enum table_kind kind, size_t i);
// A new dynamic column of `threads`; NULL when there are too many.
struct host_field *threads_field_add(struct threads *ts, const char *name,
                                     enum falco_state_type type);

// Values of a thread. Strings are copied.
void thread_set_int(struct thread *t, uint32_t field, int64_t v);
int64_t thread_int(const struct thread *t, uint32_t field);
void thread_set_string(struct thread *t, uint32_t field, const char *s, size_t len);
const char *thread_string(const struct thread *t, uint32_t field);

void thread_rows_clear(struct thread *t, enum table_kind kind);
void thread_rows_add(struct thread *t, enum table_kind kind, const char *first, size_t first_len,
                     const char *second, size_t second_len);
/**
 * thread_set_cgroups - rows from "controller=path" elements that are separated by NUL
 *
 * As libsinsp does it: names are normalised (suffix `_cgroup` dropped, perf to perf_event, mem to
 * memory, io to blkio), and an element without `=` drops the whole update.
 */
void thread_set_cgroups(struct thread *t, const char *text, size_t len);
// Rows from elements that are separated by NUL.
void thread_set_list(struct thread *t, enum table_kind kind, const char *text, size_t len);

#endif
