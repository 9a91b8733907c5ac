// SPDX-License-Identifier: Apache-2.0
// The zones and workloads that one Edera has told of. Each word goes to the sink at once; what is
// kept is what a workload's record must be made of again when its zone changes, and when each was
// told, so that a list doesn't undo a newer event. Belongs to one instance of the engine.
#ifndef EDERA_TABLE_H
#define EDERA_TABLE_H

#include "edera.pb-c.h"
#include "engine.h"

struct edera_table;

#define EDERA_TABLE_MAX          65536u     // zones and workloads; more are skipped and counted
#define EDERA_TABLE_WORKLOAD_MAX (1u << 20) // bytes of one workload's message

struct edera_table *edera_table_new(const struct engine_host *host); // NULL if out of memory
struct edera_table *edera_table_free(struct edera_table *table);     // returns NULL

// What a list or an event tells, as of when it was asked for or heard.
void edera_table_zone(struct edera_table *table, engine_stamp asked, const Edera__Zone *zone);
void edera_table_workload(struct edera_table *table, engine_stamp asked,
                          const Edera__Workload *workload);
// Both lists were complete and the sink was told by list_complete(): what it has buried is
// forgotten.
void edera_table_buried(struct edera_table *table);

#endif
