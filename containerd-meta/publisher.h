// SPDX-License-Identifier: Apache-2.0
// The publisher: what the store holds true goes into the region, and what the region of an earlier
// daemon held comes back into the store. Owns the folder's lock and the writer. One thread.
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "store.h"

#include "shm/counters.h"

#include <stdint.h>

struct publisher;

struct publisher_options {
    const char *dir;
    uint64_t max_bytes; // ceiling of the region
    uint64_t grace_ns;
    int gid; // group that may read, -1: unchanged
};

/**
 * publisher_lock() - the right to write into a folder; makes the folder if it isn't there
 * @dir: the folder
 * @fd:  holds the lock until it is closed
 * Return: 0; -EAGAIN if another daemon has it; other -errno, with a message in the log.
 */
int publisher_lock(const char *dir, int *fd);

/**
 * publisher_new() - build a region; nobody sees it before publisher_publish()
 * Return: 0 or -errno, with a message in the log.
 */
int publisher_new(const struct publisher_options *options, struct publisher **publisher);
struct publisher *publisher_free(struct publisher *publisher); // returns NULL

// Where the store's truth goes.
struct store_output publisher_output(struct publisher *publisher);

/**
 * publisher_restore() - take over the containers of the region that stands in the folder, as
 * untrusted input
 * @owner_of: the row of today's instance that must confirm what an instance of that name and
 *            socket once told; -1 if there is none any more, then the container is left out
 */
void publisher_restore(struct publisher *publisher, struct store *store,
                       int (*owner_of)(void *userdata, const char *name, const char *socket),
                       void *userdata);

// Give the region its name. Return: 0 or -errno, with a message in the log.
int publisher_publish(struct publisher *publisher);

/**
 * publisher_tick() - what is due in the region
 * Return: ns until it wants to be called again.
 */
uint64_t publisher_tick(struct publisher *publisher, const struct store *store);

void publisher_set_limits(struct publisher *publisher, uint64_t max_bytes, uint64_t grace_ns);
void publisher_lead(struct publisher *publisher, unsigned row, int64_t lead_ns);
// The ring of misses: its size, and one of its entries.
uint32_t publisher_misses(const struct publisher *publisher);
void publisher_miss(struct publisher *publisher, uint32_t index,
                    const struct cmeta_miss_entry *entry);
// The folder that the region is in, whatever a later configuration says.
const char *publisher_dir(const struct publisher *publisher);
void publisher_row(struct publisher *publisher, unsigned row, const struct cmeta_engine_row *text);
void publisher_count(struct publisher *publisher, enum cmeta_counter_index counter, uint64_t delta);
void publisher_gauge(struct publisher *publisher, enum cmeta_counter_index counter, uint64_t value);

#endif
