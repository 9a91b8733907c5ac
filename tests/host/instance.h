// SPDX-License-Identifier: Apache-2.0
// One instance of a plugin in one inspector: every call of its life cycle, one function each.
//
// The functions make single calls, in any order the caller wants (the call scripts need wrong
// orders as well); the usual sequences are in host.h. Each builds the inputs of its call afresh,
// checks what comes back and poisons the inputs afterwards.
#ifndef HOST_INSTANCE_H
#define HOST_INSTANCE_H

#include "tests/host/async.h"
#include "tests/host/guard.h"
#include "tests/host/loader.h"
#include "tests/host/owner.h"
#include "tests/host/routines.h"
#include "tests/host/tables.h"
#include "tests/host/threads.h"

struct instance {
    struct report *report;       // borrowed
    const struct plugin *plugin; // borrowed
    struct api_version api;
    struct falco_owner *owner;
    struct threads *threads;
    struct tables *tables;
    struct async_queue *async;
    struct routines *routines; // working ones, offered on demand
    struct falco_plugin *state;
    struct guard *event_guard, *input_guard;
    struct falco_init_input *init_input; // poisoned, kept till the end
    bool *extract_types, *parse_types;   // by event type; NULL: all
    bool handler_set;
    char error[FALCO_ERROR_BYTES]; // of the last call that failed
};

struct instance *instance_new(struct report *r, const struct plugin *p, struct api_version api);
// Destroys the plugin's state if there is one.
void instance_free(struct instance *in);

/**
 * instance_init - validate the configuration as a host does, then plugin_init
 * @config: text; NULL is ""
 *
 * Return: 0; 1: refused, by the schema or by the plugin (text in in->error). A state that came with
 * a refusal has been destroyed.
 */
int instance_init(struct instance *in, const char *config);
void instance_destroy(struct instance *in);
// 0; 1: the plugin said no.
int instance_set_handler(struct instance *in, bool set);
int instance_capture_open(struct instance *in);
/**
 * instance_dump_state - have the state told, as at the beginning of a capture file
 * @into: receives the events; open, with the names set
 *
 * Return: 0; 1: the plugin said no (text in in->error).
 */
int instance_dump_state(struct instance *in, struct async_queue *into);
int instance_capture_close(struct instance *in);
/**
 * instance_check_schema - whether an engine of this event schema serves the plugin
 *
 * As hosts of API 3.12 ask; older ones say yes. Return: 0; 1: no (text in in->error).
 */
int instance_check_schema(struct instance *in, const char *schema);
// parse_event, if the plugin subscribed to the type. The event is copied to a guarded place.
void instance_parse(struct instance *in, const struct falco_event *e, uint64_t evtnum,
                    const char *source);
/**
 * instance_extract - extract_fields with these requests in one call
 * @requests: res and res_len are filled with garbage first
 *
 * Return: what the plugin returned; FALCO_RC_FAILURE as well when the type isn't subscribed to.
 */
falco_rc instance_extract(struct instance *in, const struct falco_event *e, uint64_t evtnum,
                          const char *source, struct falco_extract_field *requests, uint32_t n);

// Garbage that stands in res and res_len before the plugin writes them.
#define INSTANCE_RES_GARBAGE 0xa5a5a5a5a5a5a5a0u
#define INSTANCE_LEN_GARBAGE 0x5ca1ab1e5ca1ab1eu

#endif
