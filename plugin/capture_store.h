// SPDX-License-Identifier: Apache-2.0
// The containers that a capture tells of: what the region is to a live run.
//
// Records have the region's bytes, and its handles' shape: a number that never means another
// container, made by a counter. Removed containers stay for a grace period of the capture's own
// time, since the events of their last processes follow. The store is bounded in records and in
// bytes; at the limit removed ones go first, then those that were told of longest ago.
//
// The event thread's. What changes it allocates; looking things up doesn't.
#ifndef PLUGIN_CAPTURE_STORE_H
#define PLUGIN_CAPTURE_STORE_H

#include "container_list.h"
#include "falco_abi.h"
#include "identify.h"
#include "json_record.h"
#include "reader.h"

#define CAPTURE_RECORDS_MAX 16384u
#define CAPTURE_BYTES_MAX   (32u * 1024 * 1024) // of records and what belongs to each
#define CAPTURE_GRACE_NS    UINT64_C(60000000000)

struct capture_store;

// Costs little until something is put in. Return: NULL without memory.
struct capture_store *capture_store_new(void);
struct capture_store *capture_store_free(struct capture_store *store);
// Forgets everything; old handles stay invalid.
void capture_store_clear(struct capture_store *store);

/**
 * capture_store_put() - take over what an event tells of a container
 * @ts: the event's time
 * Return: how many records had to go for it; -ENOMEM.
 */
int capture_store_put(struct capture_store *store, const struct told *told, uint64_t ts);
// The container is gone; unknown ones are no matter.
void capture_store_remove(struct capture_store *store, const struct told *told, uint64_t ts);

uint32_t capture_store_count(const struct capture_store *store); // removed ones included
// Moves whenever a lookup may have another answer.
uint64_t capture_store_revision(const struct capture_store *store);

// As cmeta_reader_find().
enum cmeta_found capture_store_find(const struct capture_store *store, const char *id, size_t len,
                                    cmeta_handle *handle);
// By a thread's testimony. Of a weak one only a container of containerd counts, in that namespace
// if its document names one.
enum cmeta_found capture_store_recognise(const struct capture_store *store,
                                         const struct witness *witness, cmeta_handle *handle);

// Return: 1; 0 if the handle isn't of this store or its container has gone.
int capture_store_record(const struct capture_store *store, cmeta_handle handle,
                         struct cmeta_view *view);
// The IDs, as in struct told; NULL likewise.
const char *capture_store_id(const struct capture_store *store, cmeta_handle handle);
const char *capture_store_full_id(const struct capture_store *store, cmeta_handle handle);

// Rows for the table `containers`: containers that aren't removed and have an address of their own,
// one after another. `cursor` NULL to begin with. Return: NULL at the end.
const struct container_row *capture_store_next(const struct capture_store *store,
                                               const void **cursor);
// How many of them there are.
uint32_t capture_store_rows(const struct capture_store *store);

#endif
