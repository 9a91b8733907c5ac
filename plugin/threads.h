// SPDX-License-Identifier: Apache-2.0
// The host's table of threads, as this plugin uses it: accessors, the two fields that are part of
// the contract with libsinsp (container_id, category), and one of our own.
//
// That one, `cmeta_ref`, is all the plugin keeps about a thread. The host makes it 0 for every new
// thread and drops it with the thread, so a PID that is used again cannot lie.
#ifndef PLUGIN_THREADS_H
#define PLUGIN_THREADS_H

#include "falco_abi.h"
#include "identify.h"

#include <stdbool.h>

// What cmeta_ref says. A handle of the region (shm/reader.h) has bits above the lower 32 set; below
// them, the uppermost of eight hexadecimal digits tells the kind and the rest is its stamp.
#define REF_UNRESOLVED UINT64_C(0)
#define REF_HOST       UINT64_C(1)
#define REF_STATIC     UINT64_C(2) // the static engine's container
// In a container that the region didn't know when its revision had this stamp.
#define REF_ABSENT UINT64_C(0x20000000)
// On the host, unless the region comes to know a container of this free-form name.
#define REF_WEAK UINT64_C(0x30000000)
// Unsure, and asked for in /proc; the stamp is the question's number. Nothing is known meanwhile.
#define REF_ASKED UINT64_C(0x40000000)
// The same, of a thread that was the host's before.
#define REF_ASKED_HOST UINT64_C(0x50000000)
#define REF_KIND(ref)  ((ref) & ~UINT64_C(0x0fffffff))
#define REF_STAMP(ref) ((uint32_t)((ref)&0x0fffffff))

static inline bool ref_is_handle(uint64_t ref)
{
    return ref >> 32 != 0;
}

// What `category` says of a thread; upstream's numbers, part of the contract with other plugins.
// What a process is, those it starts are as well.
enum thread_category {
    CATEGORY_NONE,
    CATEGORY_CONTAINER, // a container's first process
    CATEGORY_HEALTHCHECK,
    CATEGORY_LIVENESS,
    CATEGORY_READINESS,
};

struct threads {
    struct falco_table *table;
    struct falco_field *tid, *pid, *ptid, *vtid, *vpid, *pidns_init_start_ts, *cgroups, *path;
    struct falco_field *exe, *args, *arg;
    struct falco_field *container_id, *category, *ref;
};

// The tables of one call: both are the host's for the call only. `writer` is NULL in extraction.
struct table_access {
    const struct falco_table_reader *reader;
    const struct falco_table_writer *writer;
};

/**
 * threads_bind() - find or add all fields; in plugin_init
 * @error: receives what is missing and what to do
 * Return: 0 or -ENOENT.
 */
int threads_bind(struct threads *threads, const struct falco_init_input *in, char *error,
                 size_t error_size);

// A thread's row, to be given back with threads_put(); NULL if there is none.
static inline struct falco_entry *threads_get(const struct threads *threads,
                                              const struct table_access *access, int64_t tid)
{
    union falco_state_data key = {.s64 = tid};

    return access->reader->get_table_entry(threads->table, &key);
}

static inline void threads_put(const struct threads *threads, const struct table_access *access,
                               struct falco_entry *entry)
{
    access->reader->release_table_entry(threads->table, entry);
}

// A number of any width, zero-extended; `otherwise` if it can't be read.
uint64_t threads_number(const struct threads *threads, const struct table_access *access,
                        struct falco_entry *entry, const struct falco_field *field,
                        uint64_t otherwise);

static inline uint64_t threads_ref(const struct threads *threads, const struct table_access *access,
                                   struct falco_entry *entry)
{
    return threads_number(threads, access, entry, threads->ref, REF_UNRESOLVED);
}

// What is no category counts as none.
enum thread_category threads_category(const struct threads *threads,
                                      const struct table_access *access, struct falco_entry *entry);

// A string, never NULL. The host's: until the row is given back.
const char *threads_text(const struct threads *threads, const struct table_access *access,
                         struct falco_entry *entry, const struct falco_field *field);

// container_id, "" for the host. The host's string: until the row is given back.
static inline const char *threads_id(const struct threads *threads,
                                     const struct table_access *access, struct falco_entry *entry)
{
    return threads_text(threads, access, entry, threads->container_id);
}

// Calls `hear` with each argument of a thread's command, in order, until it says false.
void threads_hear_args(const struct threads *threads, const struct table_access *access,
                       struct falco_entry *entry, bool (*hear)(void *state, const char *arg),
                       void *state);

// Hears all rows of a thread's cgroups.
void threads_hear(const struct threads *threads, const struct table_access *access,
                  struct falco_entry *entry, uint32_t layouts, struct witness *witness);

// Whether a thread sees itself under other numbers: it is in a PID namespace of its own.
bool threads_is_foreign(const struct threads *threads, const struct table_access *access,
                        struct falco_entry *entry);

/**
 * threads_write() - container_id and cmeta_ref, each only if it differs from what is there
 * Return: whether container_id is another one now.
 */
bool threads_write(const struct threads *threads, const struct table_access *access,
                   struct falco_entry *entry, uint64_t old_ref, uint64_t ref, const char *id);
void threads_write_category(const struct threads *threads, const struct table_access *access,
                            struct falco_entry *entry, enum thread_category category);

#endif
