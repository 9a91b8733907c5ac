// SPDX-License-Identifier: Apache-2.0
// What `why` found out: process, cgroup, ID, engine, record, and what is missing.
// why.c finds it out, why_explain.c gives the reasons, why_print.c tells it.
#ifndef CTL_WHY_H
#define CTL_WHY_H

#include "ctl.h"
#include "shm/container_id.h"
#include "shm/reader.h"

#include <jansson.h>
#include <stdbool.h>

struct why {
    const struct ctl_options *options;
    long pid; // asked for, 0 none
    char comm[64];
    char *cgroup;                // the path that decided, NULL none
    unsigned paths;              // how many the process has
    struct cmeta_id_match match; // of `cgroup`; points into it
    char *id;                    // the full ID, NULL: none, or not a container's

    int map_result;             // of cmeta_region_map()
    struct cmeta_region region; // mapped if that is 0
    bool alive;                 // the daemon
    cmeta_handle handle;        // the container in the table, 0 none

    json_t *reasons; // array of {group?, code, text}
};

// Fills `reasons`: whatever stands between the process and a complete record.
void why_explain(struct why *why);

// The engine that told the record. Return: false if none is known.
bool why_engine_row(const struct why *why, struct cmeta_engine_row *row);

// Its name; of a record that no engine has confirmed yet, the one its type goes by. To be freed,
// NULL if nobody is known.
char *why_engine(const struct why *why);

// The story, or the JSON document.
void why_print(const struct why *why);

#endif
