// SPDX-License-Identifier: Apache-2.0
#include "edera_table.h"

#include "containerd-meta/cleanup.h"
#include "edera_record.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

// A zone, or a workload.
struct known {
    LIST_ENTRY(known) all;
    engine_stamp told;
    struct pod *pod;   // of a zone
    char *zone_id;     // of a workload in one
    uint8_t *workload; // its message, as it was told
    size_t workload_bytes;
    char id[];
};

struct edera_table {
    const struct engine_host *host;
    struct engine_sink *sink;
    void *tree; // tsearch(3), by ID
    LIST_HEAD(, known) all;
    unsigned count;
};

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct known *find(const struct edera_table *table, const char *id)
{
    void *node = tfind(id, (void *const *)&table->tree, compare_ids);

    return node ? (struct known *)((uintptr_t) * (void **)node - offsetof(struct known, id)) : NULL;
}

static struct known *find_or_add(struct edera_table *table, const char *id)
{
    struct known *known = find(table, id);
    size_t bytes = strlen(id) + 1;

    if (known)
        return known;
    if (bytes > 1 && bytes <= 256 && table->count < EDERA_TABLE_MAX)
        known = calloc(1, sizeof(*known) + bytes);
    if (!known)
        return NULL;
    memcpy(known->id, id, bytes);
    if (!tsearch(known->id, &table->tree, compare_ids)) {
        free(known);
        return NULL;
    }
    LIST_INSERT_HEAD(&table->all, known, all);
    table->count++;
    return known;
}

static void forget(struct edera_table *table, struct known *known)
{
    tdelete(known->id, &table->tree, compare_ids);
    LIST_REMOVE(known, all);
    table->count--;
    pod_free(known->pod);
    free(known->zone_id);
    free(known->workload);
    free(known);
}

static void skip(struct edera_table *table)
{
    table->sink->count(table->sink, 0, 0, 0, 1);
}

// A thing that was destroyed. Return: whether it was.
static bool bury(struct edera_table *table, engine_stamp asked, const char *id, int32_t state)
{
    struct known *known = find(table, id);

    if (state != EDERA_STATE_DESTROYED)
        return false;
    if (known && asked < known->told) // an older word than that it lives
        return true;
    table->sink->gone(table->sink, asked, id, strlen(id), EDERA_SCOPE);
    if (known)
        forget(table, known);
    return true;
}

// --- workloads -----------------------------------------------------------------------------------

static void fold_zone(struct edera_table *table, const struct known *known,
                      struct container *container)
{
    const struct known *zone;

    if (!known->zone_id) {
        pod_apply_none(container);
        return;
    }
    zone = find(table, known->zone_id);
    if (zone && zone->pod)
        pod_apply(zone->pod, container);
}

static void observe(struct edera_table *table, struct known *known, engine_stamp asked,
                    const Edera__Workload *workload)
{
    CLEANUP(container_freep)
    struct container *container = edera_record_workload(workload, &table->host->limits);

    if (!container) {
        skip(table);
        return;
    }
    fold_zone(table, known, container);
    table->sink->observe(table->sink, asked, container);
}

// Its message, to make the record again. Return: false if there is no room.
static bool keep(struct known *known, const Edera__Workload *workload)
{
    size_t bytes = edera__workload__get_packed_size(workload);
    uint8_t *copy = bytes <= EDERA_TABLE_WORKLOAD_MAX ? malloc(bytes ? bytes : 1) : NULL;

    if (!copy)
        return false;
    known->workload_bytes = edera__workload__pack(workload, copy);
    free(known->workload);
    known->workload = copy;
    free(known->zone_id);
    known->zone_id =
        workload->spec && *workload->spec->zone_id ? strdup(workload->spec->zone_id) : NULL;
    return true;
}

void edera_table_workload(struct edera_table *table, engine_stamp asked,
                          const Edera__Workload *workload)
{
    struct known *known;

    if (bury(table, asked, workload->id, workload->status ? workload->status->state : 0))
        return;
    known = find_or_add(table, workload->id);
    if (!known || (asked >= known->told && !keep(known, workload))) {
        skip(table);
        return;
    }
    if (asked < known->told)
        return;
    known->told = asked;
    observe(table, known, asked, workload);
}

// --- zones ---------------------------------------------------------------------------------------

// As of when the zone was told, but not before the workload itself was.
static void observe_again(struct edera_table *table, struct known *known, engine_stamp asked)
{
    Edera__Workload *workload =
        edera__workload__unpack(NULL, known->workload_bytes, known->workload);

    if (!workload)
        return;
    observe(table, known, asked > known->told ? asked : known->told, workload);
    edera__workload__free_unpacked(workload, NULL);
}

static void take_pod(struct edera_table *table, struct known *zone, engine_stamp asked,
                     struct pod *pod)
{
    struct known *known;

    if (pod_equal(zone->pod, pod)) {
        pod_free(pod);
        return;
    }
    pod_free(zone->pod);
    zone->pod = pod;
    LIST_FOREACH (known, &table->all, all)
        if (known->workload && known->zone_id && strcmp(known->zone_id, zone->id) == 0)
            observe_again(table, known, asked);
}

void edera_table_zone(struct edera_table *table, engine_stamp asked, const Edera__Zone *zone)
{
    CLEANUP(container_freep)
    struct container *container = NULL;
    struct known *known;
    struct pod *pod;

    if (bury(table, asked, zone->id, zone->status ? zone->status->state : 0))
        return;
    known = find_or_add(table, zone->id);
    pod = known ? edera_record_zone(zone, &table->host->limits) : NULL;
    container = pod ? edera_record_sandbox(zone, pod) : NULL;
    if (!container) {
        pod_free(pod);
        skip(table);
        return;
    }
    if (asked < known->told) {
        pod_free(pod);
        return;
    }
    known->told = asked;
    table->sink->observe(table->sink, asked, container);
    take_pod(table, known, asked, pod);
}

void edera_table_buried(struct edera_table *table)
{
    struct engine_sink *sink = table->sink;

    for (struct known *known = LIST_FIRST(&table->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        if (!sink->knows(sink, known->id, strlen(known->id), EDERA_SCOPE))
            forget(table, known);
    }
}

// --- life ----------------------------------------------------------------------------------------

struct edera_table *edera_table_new(const struct engine_host *host)
{
    struct edera_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->host = host;
    table->sink = host->sink;
    LIST_INIT(&table->all);
    return table;
}

struct edera_table *edera_table_free(struct edera_table *table)
{
    if (!table)
        return NULL;
    for (struct known *known = LIST_FIRST(&table->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        forget(table, known);
    }
    free(table);
    return NULL;
}
