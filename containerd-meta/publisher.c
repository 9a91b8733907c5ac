// SPDX-License-Identifier: Apache-2.0
#include "publisher.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct publisher {
    struct cmeta_writer *writer;
    char *dir;
    uint64_t max_bytes;
    struct log_limit refusals;
    char told[256]; // the writer's last message that was logged
};

int publisher_lock(const char *dir, int *fd)
{
    int r;

    if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
        r = -errno;
        log_error("%s: the region's folder can't be made: %s", dir, strerror(-r));
        return r;
    }
    r = cmeta_lock_take(dir, 0, fd);
    if (r < 0 && r != -EAGAIN)
        log_error("%s/%s: can't be locked: %s; the folder must be on a file system that this "
                  "daemon may write to",
                  dir, CMETA_LOCK_NAME, strerror(-r));
    return r;
}

int publisher_new(const struct publisher_options *options, struct publisher **out)
{
    struct cmeta_writer_options writer = {.dir = options->dir,
                                          .max_bytes = options->max_bytes,
                                          .grace_ns = options->grace_ns,
                                          .version = CMETA_VERSION,
                                          .gid = options->gid};
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    char message[512] = "";
    int r;

    if (!publisher)
        return -ENOMEM;
    publisher->max_bytes = options->max_bytes;
    publisher->dir = strdup(options->dir);
    r = publisher->dir ? cmeta_writer_new(&writer, &publisher->writer, message, sizeof(message))
                       : -ENOMEM;
    if (r < 0) {
        log_error("%s: no region can be made: %s", options->dir, *message ? message : strerror(-r));
        publisher_free(publisher);
        return r;
    }
    *out = publisher;
    return 0;
}

struct publisher *publisher_free(struct publisher *publisher)
{
    if (!publisher)
        return NULL;
    cmeta_writer_free(publisher->writer);
    free(publisher->dir);
    free(publisher);
    return NULL;
}

int publisher_publish(struct publisher *publisher)
{
    int r = cmeta_writer_publish(publisher->writer);

    if (r < 0)
        log_error("%s/%s: can't be published: %s", publisher->dir, CMETA_TABLE_NAME, strerror(-r));
    return r;
}

static void log_refusal(struct publisher *publisher, const struct cmeta_name *name, int error)
{
    uint32_t suppressed;

    if (!log_limit_pass(&publisher->refusals, clock_ns(CLOCK_MONOTONIC), &suppressed))
        return;
    if (error == -ENOSPC)
        log_warning("container %.*s isn't published: the region is at its ceiling of %llu MiB; "
                    "raise region_max%s",
                    (int)name->id.len, name->id.data,
                    (unsigned long long)(publisher->max_bytes >> 20),
                    suppressed ? " (and others)" : "");
    else
        log_warning("container %.*s isn't published: %s%s", (int)name->id.len, name->id.data,
                    strerror(-error), suppressed ? " (and others)" : "");
}

// A replacement that failed leaves the present region in force; say so once per reason.
static void log_writer_message(struct publisher *publisher)
{
    const char *message = cmeta_writer_message(publisher->writer);

    if (strcmp(message, publisher->told) == 0)
        return;
    snprintf(publisher->told, sizeof(publisher->told), "%s", message);
    if (*message)
        log_warning("%s: the region can't be replaced by a larger one, the present one stays: %s",
                    publisher->dir, message);
}

static int put(void *userdata, const struct cmeta_name *name, const struct cmeta_container *content,
               const struct cmeta_live *live)
{
    static uint64_t buffer[CMETA_RECORD_MAX / sizeof(uint64_t)]; // the loop's thread only
    struct publisher *publisher = userdata;
    uint32_t flags = 0;
    int r = cmeta_record_encode(content, buffer, sizeof(buffer), &flags);

    if (r >= 0)
        r = cmeta_writer_put(publisher->writer, name, buffer, (size_t)r, live);
    log_writer_message(publisher);
    if (r < 0) {
        log_refusal(publisher, name, r);
        return r;
    }
    if (r != CMETA_PUT_UNCHANGED) {
        publisher_count(publisher, CMETA_COUNT_RECORDS_TRUNCATED,
                        (flags & CMETA_FLAG_TRUNCATED) != 0);
        publisher_count(publisher, CMETA_COUNT_RECORDS_SANITIZED,
                        (flags & CMETA_FLAG_SANITIZED) != 0);
    }
    return 0;
}

static void bury(void *userdata, const struct cmeta_name *name, uint64_t removed_ns)
{
    struct publisher *publisher = userdata;

    cmeta_writer_remove(publisher->writer, name, removed_ns);
}

static void count_lead(void *userdata, unsigned row, int64_t lead_ns)
{
    publisher_lead(userdata, row, lead_ns);
}

static void count_stale(void *userdata)
{
    publisher_count(userdata, CMETA_COUNT_STALE_DROPPED, 1);
}

struct store_output publisher_output(struct publisher *publisher)
{
    return (struct store_output){.userdata = publisher,
                                 .publish = put,
                                 .remove = bury,
                                 .stale = count_stale,
                                 .lead = count_lead};
}

// --- from the region of an earlier daemon --------------------------------------------------------

struct restore {
    struct publisher *publisher;
    struct store *store;
    const struct cmeta_region *region;
    int (*owner_of)(void *userdata, const char *name, const char *socket);
    void *userdata;
    unsigned restored, orphaned;
    uint64_t bytes; // of records taken over: no more than the file has
};

// Whose word the container's identity was, as an instance of today.
static int owner_of_record(struct restore *restore, const struct cmeta_container *content)
{
    struct cmeta_engine_row row;
    uint8_t source = 0;

    for (int g = 0; g < CMETA_GROUP_COUNT && !source; g++)
        source = content->source[g];
    if (source == 0 || source > CMETA_ENGINE_ROWS ||
        cmeta_reader_engine(restore->region, (uint32_t)source - 1, &row) != 1)
        return -1;
    return restore->owner_of(restore->userdata, row.name, row.socket);
}

static void restore_tombstone(struct restore *restore, const struct cmeta_name *name,
                              const struct cmeta_view *view, const struct cmeta_live *live,
                              uint64_t removed_ns)
{
    if (cmeta_writer_put(restore->publisher->writer, name, view->base, view->size, live) >= 0)
        cmeta_writer_remove(restore->publisher->writer, name, removed_ns);
}

static void restore_one(struct restore *restore, cmeta_handle handle)
{
    struct cmeta_container content;
    CLEANUP(freep)
    void *scratch = NULL;
    struct cmeta_status status;
    struct cmeta_view view;
    struct cmeta_name name;
    struct cmeta_live live;
    int owner;

    if (!cmeta_reader_status(restore->region, handle, &status) ||
        !cmeta_reader_record(restore->region, handle, &view) || status.id.len == 0 ||
        cmeta_view_decode(&view, &content, &scratch) != 0)
        return;
    restore->bytes += view.size;
    if (restore->bytes > restore->region->size)
        return; // many that share a record: not of our making
    name = (struct cmeta_name){status.id, status.scope};
    live = (struct cmeta_live){.word = status.word,
                               .pid = status.pid,
                               .first_seen_ns = status.first_seen_ns,
                               .finished_ns = status.finished_ns};
    if (status.removed_ns) {
        restore_tombstone(restore, &name, &view, &live, status.removed_ns);
        return;
    }
    owner = owner_of_record(restore, &content);
    if (owner < 0) {
        restore->orphaned++;
        return;
    }
    if (store_restore(restore->store, (unsigned)owner, &name, &content, &live) == 0)
        restore->restored++;
}

void publisher_restore(struct publisher *publisher, struct store *store,
                       int (*owner_of)(void *userdata, const char *name, const char *socket),
                       void *userdata)
{
    struct cmeta_region region = {0};
    struct restore restore = {.publisher = publisher,
                              .store = store,
                              .region = &region,
                              .owner_of = owner_of,
                              .userdata = userdata};
    uint64_t cursor = 0;
    cmeta_handle handle;
    int r = cmeta_region_map(publisher->dir, &region);

    if (r == -ENOENT)
        return;
    if (r != 0) {
        log_notice("%s/%s: what is there is not taken over: %s", publisher->dir, CMETA_TABLE_NAME,
                   r > 0 ? cmeta_refusal_text(r) : strerror(-r));
        return;
    }
    while ((r = cmeta_reader_next(&region, &cursor, &handle)) != 0)
        if (r == 1)
            restore_one(&restore, handle);
    cmeta_region_unmap(&region);
    publisher_count(publisher, CMETA_COUNT_RESTORED, restore.restored);
    log_info("%u containers taken over from the region of an earlier daemon%s", restore.restored,
             restore.orphaned ? "; those of engines that are no longer configured were left out"
                              : "");
}

// --- upkeep --------------------------------------------------------------------------------------

uint64_t publisher_tick(struct publisher *publisher, const struct store *store)
{
    cmeta_writer_gauge(publisher->writer, CMETA_COUNT_INCOMPLETE, store_incomplete(store));
    log_writer_message(publisher);
    return cmeta_writer_tick(publisher->writer, clock_ns(CLOCK_REALTIME),
                             clock_ns(CLOCK_MONOTONIC));
}

void publisher_set_limits(struct publisher *publisher, uint64_t max_bytes, uint64_t grace_ns)
{
    publisher->max_bytes = max_bytes;
    cmeta_writer_set_max(publisher->writer, max_bytes);
    cmeta_writer_set_grace(publisher->writer, grace_ns);
}

void publisher_lead(struct publisher *publisher, unsigned row, int64_t lead_ns)
{
    cmeta_writer_lead(publisher->writer, row, lead_ns);
}

uint32_t publisher_misses(const struct publisher *publisher)
{
    return cmeta_writer_misses(publisher->writer);
}

void publisher_miss(struct publisher *publisher, uint32_t index,
                    const struct cmeta_miss_entry *entry)
{
    cmeta_writer_miss(publisher->writer, index, entry);
}

const char *publisher_dir(const struct publisher *publisher)
{
    return publisher->dir;
}

void publisher_row(struct publisher *publisher, unsigned row, const struct cmeta_engine_row *text)
{
    cmeta_writer_engine(publisher->writer, row, text);
}

void publisher_count(struct publisher *publisher, enum cmeta_counter_index counter, uint64_t delta)
{
    if (delta)
        cmeta_writer_count(publisher->writer, counter, delta);
}

void publisher_gauge(struct publisher *publisher, enum cmeta_counter_index counter, uint64_t value)
{
    cmeta_writer_gauge(publisher->writer, counter, value);
}
