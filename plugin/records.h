// SPDX-License-Identifier: Apache-2.0
// From an event to a record: thread, container ID, handle, view.
//
// Parsing writes into the threads table what a thread's cgroups say; extraction reads it and finds
// the record. All of it is the event thread's, and none of it makes a system call, takes a lock,
// allocates, or depends on how the daemon fares.
#ifndef PLUGIN_RECORDS_H
#define PLUGIN_RECORDS_H

#include "config.h"
#include "follower.h"
#include "metrics.h"
#include "reader.h"
#include "threads.h"

struct records;

// What the thread of an event turned out to be.
enum subject_kind {
    SUBJECT_NONE,      // no such thread, or an event without one
    SUBJECT_UNSURE,    // its cgroups don't tell, and the answer isn't there yet
    SUBJECT_HOST,      // no container
    SUBJECT_CONTAINER, // in a container of which there is no record (yet)
    SUBJECT_RECORD,    // in a container with a record
    SUBJECT_STATIC,    // in the static engine's container
};

struct subject {
    enum subject_kind kind;
    cmeta_handle handle;       // RECORD
    struct cmeta_view view;    // RECORD
    char id[CMETA_ID_MAX + 1]; // CONTAINER: as container.id shows it
};

// All three are borrowed until records_free(). Return: NULL without memory.
struct records *records_new(const struct config *config, struct follower *follower,
                            struct metrics *metrics);
struct records *records_free(struct records *records);
// Binds the table of threads; in plugin_init. Return and @error as threads_bind().
int records_bind(struct records *records, const struct falco_init_input *in, char *error,
                 size_t error_size);

// Before the region is taken away: no view or late answer of it is used again.
void records_forget(struct records *records);

// Resolves all threads that stand when a capture begins.
void records_scan(struct records *records, const struct table_access *access);

// Looks at one event, and writes what late answers are due.
void records_parse(struct records *records, const struct table_access *access,
                   const struct falco_event *event);

/**
 * records_resolve() - whose event it is
 *
 * Done once per event: asked again for the same one, it costs a comparison.
 * Return: the subject, valid until the next call of any of these functions.
 */
const struct subject *records_resolve(struct records *records, const struct table_access *access,
                                      const struct falco_event_input *in);

// When the thread's PID namespace began, in ns since the epoch; 0 unknown.
uint64_t records_pidns_start(struct records *records, const struct table_access *access,
                             const struct falco_event *event);

// The region in use, or NULL.
const struct cmeta_region *records_region(const struct records *records);

#endif
