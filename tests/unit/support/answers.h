// SPDX-License-Identifier: Apache-2.0
// Recorded and hand-made answers of runtimes, and looks at what became of them.
#ifndef ANSWERS_H
#define ANSWERS_H

#include "containerd-meta/container.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/**
 * answer_message() - a recorded message below tests/unit/data
 * Return: the message, freed by protobuf_c_message_free_unpacked(); the test fails if it isn't one.
 */
void *answer_message(const ProtobufCMessageDescriptor *type, const char *file);
json_t *answer_json(const char *file);

// A file's bytes; freed by the caller.
char *answer_bytes(const char *file, size_t *len);

/**
 * answer_map() - a map<string, string> of pairs; the last key is NULL
 * Return: its entries, as protobuf-c has them; they live until answer_maps_free().
 */
#define answer_map(message, field, ...) \
    ((message)->field =                 \
         answer_map_of((const char *const[]){__VA_ARGS__, NULL}, &(message)->n_##field))
void *answer_map_of(const char *const *pairs, size_t *count);

// The container's strings end in NUL; absent ones are "(absent)".
const char *answer_text(const struct container *container, enum cmeta_string which);
// A label's value; "(absent)".
const char *answer_label(const struct container *container, const char *key);
const char *answer_pod_label(const struct container *container, const char *key);
// source:destination:mode:rw:propagation, as the encoder joins them. Freed by the caller.
char *answer_mounts(const struct container *container);
bool answer_knows(const struct container *container, enum cmeta_group group);

#endif
