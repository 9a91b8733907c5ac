// SPDX-License-Identifier: Apache-2.0
// Edera's control service on a scriptable gRPC engine: zones and workloads, listed in batches, and
// watched. It adds rules to the engine; a test may put others over them.
//
// Functions with "put" and "drop" change what is listed and say nothing; "change" tells who
// watches.
#ifndef FAKE_EDERA_H
#define FAKE_EDERA_H

#include "edera.pb-c.h"
#include "grpc_engine.h"

#include <stdbool.h>

struct fake_edera;

#define FAKE_EDERA_HOST      "/protect.control.v1.ControlService/GetHostStatus"
#define FAKE_EDERA_ZONES     "/protect.control.v1.ControlService/ListZones"
#define FAKE_EDERA_WORKLOADS "/protect.control.v1.ControlService/ListWorkloads"
#define FAKE_EDERA_GET       "/protect.control.v1.ControlService/GetWorkload"
#define FAKE_EDERA_WATCH     "/protect.control.v1.ControlService/WatchEvents"

struct fake_zone {
    const char *id, *name;
    const char *address; // with prefix length; NULL: it has none so far
    int32_t state;       // 3: ready
};

struct fake_workload {
    const char *id, *name, *zone_id;
    const char *role; // annotation "role"
    int32_t state;    // 3: running
    int32_t exit_code;
    bool has_exit;
};

#define FAKE_EDERA_DIGEST "sha256:46f2946b8bf7fcd5d60cbc607892527edfb0950ddb4110901ae3499e2e45f3ec"

// Without zones and workloads. The watch stays open.
struct fake_edera *fake_edera_serve(struct fake_grpc *fake);
// After the engine was stopped. Returns NULL.
struct fake_edera *fake_edera_free(struct fake_edera *edera);

void fake_edera_put_zone(struct fake_edera *edera, const struct fake_zone *zone);
void fake_edera_put(struct fake_edera *edera, const struct fake_workload *workload);
// The bytes of a batch as they are, as one of the list of workloads.
void fake_edera_put_bytes(struct fake_edera *edera, const char *id, const void *data, size_t len);
void fake_edera_drop(struct fake_edera *edera, const char *id);

// Return: how many watch.
unsigned fake_edera_change_zone(struct fake_edera *edera, const struct fake_zone *zone);
unsigned fake_edera_change(struct fake_edera *edera, const struct fake_workload *workload);

#endif
