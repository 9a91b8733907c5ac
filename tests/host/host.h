// SPDX-License-Identifier: Apache-2.0
// The plugin host: everything a test needs to load a plugin and drive it as Falco would.
//
// A host is one inspector with one instance of one plugin. It is strict: whatever the plugin does
// against the contract is noted with a text (host_violations), and a test ends with asserting that
// there is none. One thread at a time uses a host; several hosts may live at once.
//
//     struct host *h = host_new();
//     ck_assert_int_eq(host_load(h, "build/libcontainer.so", "{}"), 0);
//     host_thread_add(h, 42, 42, "sh", "cpu=/docker/…");
//     ck_assert_int_eq(host_open_live(h), 0);
//     host_event(h, event_exec(FALCO_EVENT_EXECVE_EXIT, 42, 0, &process));
//     ck_assert_str_eq(host_text(h, "container.id"), "…");
//     host_close(h);
//     ck_assert_msg(host_violations(h) == 0, "%s", host_violation(h, 0));
//     host_free(h);
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "tests/host/events.h"
#include "tests/host/extract.h"
#include "tests/host/instance.h"
#include "tests/host/plugin_table.h"

// What the host says it is, unless a test says otherwise.
#define HOST_API_MINOR    12
#define HOST_EVENT_SCHEMA "4.5.1"

struct host;

struct host *host_new(void);
// Closes, destroys and unloads whatever is still there.
void host_free(struct host *h);

// --- before host_load ----------------------------------------------------------------------------
// API 3.`minor`.0. Below 11 the extract input ends before value_offsets, at an unmapped page.
void host_set_api(struct host *h, unsigned minor);
void host_set_schema(struct host *h, const char *schema);
void host_set_printer(struct host *h, report_printer print, void *userdata);
// Offers a working thread pool; by default there is none, as in Falco.
void host_offer_routines(struct host *h);

// --- life cycle ----------------------------------------------------------------------------------
/**
 * host_load - load a plugin and make its instance
 * @config: text of init_config; NULL is ""
 *
 * Return: 0; 1: refused (host_refusal says why).
 */
int host_load(struct host *h, const char *so, const char *config);
// The same in two steps.
int host_load_only(struct host *h, const char *so);
int host_init(struct host *h, const char *config);
// The text of the last refusal, "" if there was none.
const char *host_refusal(const struct host *h);

/**
 * host_open_live - open a live capture: schema check, `containers` table, handler, capture_open
 *
 * Fill the threads before. After a refusal the plugin has been told to close, as hosts do.
 *
 * Return: 0; 1: refused.
 */
int host_open_live(struct host *h);
// A capture file: no handler. Events may be given before as well, as its initial state.
int host_open_savefile(struct host *h);
/**
 * host_dump - what a capture file that is begun now would carry: dump_state
 * @to: whose plugin reads the events, parsing them, before it opens; not `h`
 *
 * Return: how many events; -EIO: the plugin said no (host_refusal says why).
 */
int host_dump(struct host *h, struct host *to);
// Clears the threads, handler(NULL), capture_close. Does nothing when nothing is open.
void host_close(struct host *h);
// host_close, then plugin_destroy. The plugin stays loaded: host_init may follow.
void host_destroy(struct host *h);

// --- what the host has seen ----------------------------------------------------------------------
size_t host_violations(struct host *h);
// Text `i` of the different violations; "" past the last.
const char *host_violation(struct host *h, size_t i);
bool host_violated(struct host *h, const char *part);
struct report *host_report(struct host *h);
struct instance *host_instance(struct host *h);         // NULL before host_init
const struct plugin *host_plugin(const struct host *h); // NULL before host_load
/**
 * host_integrates - whether libsinsp would find what it looks for
 *
 * The dynamic field container_id of `threads` and the table `containers` with user and ip. As of
 * the last open.
 */
bool host_integrates(const struct host *h);

// --- threads -------------------------------------------------------------------------------------
// `cgroups`: "controller=path" separated by newlines; NULL: none. Returns the host's own thread.
struct thread *host_thread_add(struct host *h, int64_t tid, int64_t pid, const char *comm,
                               const char *cgroups);
// All threads of this machine. Return: how many; negative errno.
int host_scan_proc(struct host *h);
// A field of a thread, dynamic ones included; NULL or 0 if there is none.
const char *host_thread_text(struct host *h, int64_t tid, const char *field);
int64_t host_thread_number(struct host *h, int64_t tid, const char *field);

// --- events --------------------------------------------------------------------------------------
/**
 * host_event - deliver an event: the host's own parser, then the plugin's
 * @e: encoded (events.h); freed by the host. A ts of 0 or FALCO_TS_NOW becomes the clock's.
 *
 * The event stays the current one, which fields are extracted for.
 */
void host_event(struct host *h, struct falco_event *e);
// The same without parse_event, as an inspector's filter extracts before parsing.
void host_event_unparsed(struct host *h, struct falco_event *e);
// Delivers all queued async events. Return: how many.
size_t host_pump(struct host *h);
// Waits for an async event, at most so long, then host_pump.
size_t host_pump_wait(struct host *h, unsigned timeout_ms);

// --- extraction, for the current event -----------------------------------------------------------
/**
 * host_extract - ask for one field
 * @field: "name" or "name[argument]"
 * @arg: argument, instead of brackets; NULL: none
 * @out: value, possibly an absent one; host_value_clear frees it
 *
 * Return: 0; -ENOENT: no such field; -EINVAL: wrong use of the argument.
 */
int host_extract(struct host *h, const char *field, const char *arg, struct host_value *out);
// Several fields in one call of the plugin; all of them are cleared by the caller. Return as above.
int host_extract_many(struct host *h, const char *const *fields, size_t n, struct host_value *out);
// Text of one field's first value, NULL if absent or unknown. Valid until the next of these calls.
const char *host_text(struct host *h, const char *field);
// Text of a field for an event of no interest of this thread.
const char *host_text_of(struct host *h, int64_t tid, const char *field);

// --- metrics -------------------------------------------------------------------------------------
// A thread that asks for metrics until host_probe_stop; host_destroy stops it as well.
void host_probe_start(struct host *h);
size_t host_probe_stop(struct host *h);
// Value of a metric, -1 if there is none of that name. Not while probing.
double host_metric(struct host *h, const char *name);

#endif
