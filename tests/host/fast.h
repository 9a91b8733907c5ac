// SPDX-License-Identifier: Apache-2.0
// The preallocated mode: calls of the plugin with nothing around them, for benchmarks.
//
// Inputs are built once. The tables behind them are plain functions over the host's threads,
// without checks, wrappers or allocation, about as fast as those of libsinsp or faster. A call
// allocates nothing and makes no system call; a string longer than any before in the same field of
// a thread is the exception. What these tables cost by themselves is measured with a trace: the
// operations that the plugin made in one call are recorded, and made again without the plugin.
//
//     struct fast *f = fast_new(host_instance(h));
//     fast_request(f, "container.name", &request);
//     for (…) fast_extract(f, &inputs[i], &request, 1);                    // plugin and tables
//     struct fast_trace *t = fast_trace_extract(f, &inputs[0], &request, 1);
//     for (…) fast_trace_replay(t);                                        // tables alone
#ifndef HOST_FAST_H
#define HOST_FAST_H

#include "tests/host/instance.h"

struct fast {
    struct instance *instance;
    struct falco_plugin *state;
    falco_rc (*extract_fields)(struct falco_plugin *s, const struct falco_event_input *ev,
                               const struct falco_extract_input *in);
    falco_rc (*parse_event)(struct falco_plugin *s, const struct falco_event_input *ev,
                            const struct falco_parse_input *in);
    struct falco_extract_input extract;
    struct falco_parse_input parse;
    char keys[64][256]; // arguments of requests
    size_t n_keys;
};

// The instance must be initialised; it may be open. Mixing with host.h's strict calls is allowed.
struct fast *fast_new(struct instance *in);
void fast_free(struct fast *f);

// The handle of `threads` and the plain functions, to be called as the plugin does.
struct falco_table *fast_threads(struct fast *f);
extern const struct falco_table_reader fast_reader;
extern const struct falco_table_writer fast_writer;

// A request for "name" or "name[argument]". Return: 0; -ENOENT, -EINVAL as extract_request.
int fast_request(struct fast *f, const char *text, struct falco_extract_field *out);

static inline falco_rc fast_extract(struct fast *f, const struct falco_event_input *ev,
                                    struct falco_extract_field *requests, uint32_t n)
{
    f->extract.fields = requests;
    f->extract.num_fields = n;
    return f->extract_fields(f->state, ev, &f->extract);
}

static inline falco_rc fast_parse(struct fast *f, const struct falco_event_input *ev)
{
    return f->parse_event(f->state, ev, &f->parse);
}

struct fast_trace;

// Makes the call once, recording the operations on tables. To be freed with fast_trace_free.
struct fast_trace *fast_trace_extract(struct fast *f, const struct falco_event_input *ev,
                                      struct falco_extract_field *requests, uint32_t n);
struct fast_trace *fast_trace_parse(struct fast *f, const struct falco_event_input *ev);
// Makes the recorded operations again. The thread they were made on must still be there.
void fast_trace_replay(const struct fast_trace *t);
// Number of operations, rows of iterations included.
size_t fast_trace_length(const struct fast_trace *t);
void fast_trace_free(struct fast_trace *t);

#endif
