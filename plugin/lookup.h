// SPDX-License-Identifier: Apache-2.0
// From an ID to a record: in the region, and in what the capture being read has told.
//
// A live capture knows the region only, and a replay what is in the capture, unless it was told to
// look at this host's region first (region_in_replay). Handles of the two can't be confused.
#ifndef PLUGIN_LOOKUP_H
#define PLUGIN_LOOKUP_H

#include "capture_store.h"
#include "follower.h"
#include "identify.h"
#include "threads.h"

struct lookup {
    const struct follower_shared *shared; // the follower's
    struct capture_store *captured;
};

// Changes when answers may: what wasn't found need not be looked for again before.
uint32_t lookup_stamp(const struct lookup *lookup);

// As cmeta_reader_find(): by what container.id shows.
enum cmeta_found lookup_id(const struct lookup *lookup, const char *id, size_t len,
                           cmeta_handle *handle);
// By a thread's testimony, which matched.
enum cmeta_found lookup_witness(const struct lookup *lookup, const struct witness *witness,
                                cmeta_handle *handle);

// Return: as served_record() and the record; what a capture tells is told. SERVED_NONE if the
// handle means nothing (any more).
int lookup_record(const struct lookup *lookup, cmeta_handle handle, struct cmeta_view *view);

// The ID of a handle's container: as container.id shows it, or whole. Lives until the next event.
// Return: 1; 0 if it isn't known.
int lookup_text(const struct lookup *lookup, cmeta_handle handle, bool whole,
                struct cmeta_str *out);

#endif
