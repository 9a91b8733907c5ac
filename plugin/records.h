// SPDX-License-Identifier: Apache-2.0
// From an event to a record: thread, container ID, handle, view.
//
// Parsing writes into the threads table what a thread's cgroups say; extraction reads it and finds
// the record. All of it is the event thread's, and none of it makes a system call, takes a lock,
// allocates, or depends on how the daemon fares. Events that tell of a container are the exception:
// a replay keeps what they say (capture_store.h), and a field that is asked for on such an event is
// taken from its own JSON, parsed or not; both allocate.
#ifndef PLUGIN_RECORDS_H
#define PLUGIN_RECORDS_H

#include "capture.h"
#include "config.h"
#include "follower.h"
#include "lookup.h"
#include "metrics.h"
#include "reader.h"
#include "threads.h"

struct records;

// What the thread of an event turned out to be.
enum subject_kind {
    SUBJECT_NONE,      // no such thread, an event without one, or one that tells nothing sound
    SUBJECT_UNSURE,    // its cgroups don't tell, and the answer isn't there yet
    SUBJECT_HOST,      // no container
    SUBJECT_CONTAINER, // in a container of which there is no record (yet)
    SUBJECT_RECORD,    // in a container with a record
    SUBJECT_STATIC,    // in the static engine's container
};

struct subject {
    enum subject_kind kind;
    bool is_told;              // the event itself tells of a container; it has no thread
    const struct told *told;   // RECORD: what it tells, else NULL
    cmeta_handle handle;       // RECORD, unless `told`
    int found;                 // as lookup_record() found it
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
// The capture is over: what it told is forgotten as well.
void records_end(struct records *records);

// Resolves all threads that stand when a capture begins.
void records_scan(struct records *records, const struct table_access *access);

// Looks at one event, and writes what late answers are due.
void records_parse(struct records *records, const struct table_access *access,
                   const struct falco_event_input *in);

/**
 * records_resolve() - whose event it is
 *
 * Done once per event: asked again for the same one, it costs a comparison.
 * Return: the subject, valid until the next call of any of these functions.
 */
const struct subject *records_resolve(struct records *records, const struct table_access *access,
                                      const struct falco_event_input *in);

/**
 * records_id() - the ID of a subject with a record
 * @whole: the full one, else as container.id shows it
 * Return: 1 and the ID, which lives until the next event; 0 if it isn't known.
 */
int records_id(const struct records *records, const struct subject *subject, bool whole,
               struct cmeta_str *out);

/**
 * records_category() - what the thread of an event is in its container
 * @subject: the event's, with a record; not one that the event itself tells of
 */
enum thread_category records_category(struct records *records, const struct table_access *access,
                                      const struct falco_event *event,
                                      const struct subject *subject);

// When the thread's PID namespace began, in ns since the epoch; 0 unknown.
uint64_t records_pidns_start(struct records *records, const struct table_access *access,
                             const struct falco_event *event);

// The region in use, or NULL.
const struct cmeta_region *records_region(const struct records *records);
// What the capture being read has told; lives as long as the records.
const struct capture_store *records_captured(const struct records *records);

#endif
