// SPDX-License-Identifier: Apache-2.0
// Building events, sound and broken ones.
//
// A builder collects a header and parameters; event_encode lays them out with the length size of
// the event's type. The mutators make what old captures, other drivers and damage make of an event.
#ifndef HOST_EVENTS_H
#define HOST_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/falco_abi.h"

#define EVENT_PARAMS_MAX 64

// What a clone or exec event tells. Texts that are separated by NUL come with their length.
struct event_process {
    int64_t res;            // clone: 0 in the child, > 0 in the parent; exec: 0
    int64_t tid, pid, ptid; // the header's tid is event_new's
    int64_t vtid, vpid;     // 0: as tid and pid
    const char *comm, *exe; // NULL: ""
    const char *args;       // separated by NUL; NULL: none
    size_t args_len;
    const char *cgroups; // "controller=path", separated by NUL; NULL: parameter of no bytes
    size_t cgroups_len;
    uint32_t flags;
    uint64_t pidns_init_start_ts; // monotonic ns
};

struct event;

struct event *event_new(enum falco_event_type type, uint64_t tid, uint64_t ts);
void event_free(struct event *e);
void event_add(struct event *e, const void *bytes, size_t len);
void event_add_string(struct event *e, const char *s); // with its NUL
void event_add_u64(struct event *e, uint64_t v);
void event_add_u32(struct event *e, uint32_t v);
// Replaces a parameter that was added; `bytes` may be NULL with length 0.
void event_set(struct event *e, uint32_t index, const void *bytes, size_t len);
// Drops the last parameters until `n` are left.
void event_keep(struct event *e, uint32_t n);

// The bytes, to be freed with free(). Lengths beyond what the type's length entries can say are
// cut.
struct falco_event *event_encode(const struct event *e);

// Whole events, encoded.
struct falco_event *event_clone(enum falco_event_type type, uint64_t tid, uint64_t ts,
                                const struct event_process *p);
struct falco_event *event_exec(enum falco_event_type type, uint64_t tid, uint64_t ts,
                               const struct event_process *p);
struct falco_event *event_procexit(uint64_t tid, uint64_t ts);
struct falco_event *event_chroot(uint64_t tid, uint64_t ts, int64_t res, const char *path);
struct falco_event *event_async(const char *name, const void *data, size_t len, uint64_t ts);
// 324 (JSON with a 4-byte length) and its forerunner 272.
struct falco_event *event_container_json(enum falco_event_type type, const char *json, uint64_t ts);
struct falco_event *event_plugin(uint32_t id, const void *data, size_t len, uint64_t ts);
// An event of no interest that belongs to `tid`: what a field is extracted for.
struct falco_event *event_any(uint64_t tid, uint64_t ts);

// Damage to encoded events; each returns a new event.
// Ends after `len` bytes, the header's len with it (unless `lie`: the header keeps the old length).
struct falco_event *event_truncated(const struct falco_event *e, uint32_t len, bool lie);
// Entry `index` of the length array says `len`.
struct falco_event *event_with_length(const struct falco_event *e, uint32_t index, uint32_t len);
// The header claims `nparams`.
struct falco_event *event_with_nparams(const struct falco_event *e, uint32_t nparams);

// Bytes per entry of the length array.
size_t event_length_size(uint16_t type);
// A parameter of an encoded event, bounds checked. False: absent, empty or out of bounds.
bool event_param(const struct falco_event *e, uint32_t index, const char **bytes, size_t *len);
// An integer parameter of exactly `len` (4 or 8) bytes.
bool event_param_int(const struct falco_event *e, uint32_t index, size_t len, int64_t *out);

#endif
