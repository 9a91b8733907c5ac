// SPDX-License-Identifier: Apache-2.0
// The state tables as a plugin sees them, strictly.
//
// Every call of the plugin is bracketed by tables_call_begin and tables_call_end. In between the
// plugin may use the functions of that call's objects; each call has objects and function pointers
// of its own, so what was kept from an earlier one is found out when it is used. Handles of rows
// and subtables are wrappers that die with the call (rows of an iteration: with the callback),
// strings are copies that are overwritten, and at the end every row taken must have been given
// back.
#ifndef HOST_TABLES_H
#define HOST_TABLES_H

#include "plugin/falco_abi.h"
#include "tests/host/owner.h"
#include "tests/host/threads.h"

struct plugin_table;

enum call_kind { CALL_INIT, CALL_PARSE, CALL_EXTRACT, CALL_CAPTURE_OPEN, CALL_CAPTURE_CLOSE };

// What the inputs of one call point to. Poisoned when the call is over.
struct call_objects {
    struct falco_init_tables init;
    struct falco_table_fields fields;
    struct falco_table_reader reader;
    struct falco_table_writer writer;
    struct falco_routines routines;
};

struct tables;

// Belongs to one plugin instance; `ts` outlives it. Sets the owner's `tables`.
struct tables *tables_new(struct falco_owner *o, struct threads *ts);
void tables_free(struct tables *t);

// Opens a call on this thread. What is returned lives until tables_call_end.
const struct call_objects *tables_call_begin(struct tables *t, enum call_kind kind);
// Closes it: accounts for rows, poisons objects, handles and strings.
void tables_call_end(struct tables *t);
// "init", "parse_event" …
const char *tables_call_name(enum call_kind kind);

// The table that the plugin registered under this name, or NULL.
struct plugin_table *tables_registered(const struct tables *t, const char *name);

#endif
