// SPDX-License-Identifier: Apache-2.0
// A strict walk over a YAML document: every key is known, every value has the type it must have,
// and the first mistake is told with file, line and path. libyaml parses; this only looks.
#ifndef YAML_WALK_H
#define YAML_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#define YAML_WALK_MAX_BYTES (1u << 20) // of a file
#define YAML_WALK_MAX_DEPTH 8u

struct yaml_walk {
    const char *file;
    yaml_document_t document;
    char path[256]; // of where the walk is, "engines.docker.sockets"
    char *message;
    size_t message_size;
    bool failed;
};

/**
 * yaml_walk_open() - parse a text
 * @walk:    yaml_walk_close() it after success
 * @message: receives the first mistake
 *
 * Refused: text that isn't YAML, larger than YAML_WALK_MAX_BYTES, deeper than YAML_WALK_MAX_DEPTH,
 * with anchors, aliases, tags or several documents.
 *
 * Return: 0, -EINVAL with a message.
 */
int yaml_walk_open(struct yaml_walk *walk, const char *file, const char *text, size_t len,
                   char *message, size_t message_size);
void yaml_walk_close(struct yaml_walk *walk);

// The root; NULL for an empty document.
const yaml_node_t *yaml_walk_root(struct yaml_walk *walk);

// A key that a mapping may have, and what takes its value. `take` returns 0 or -errno.
struct yaml_key {
    const char *name;
    int (*take)(struct yaml_walk *walk, const yaml_node_t *value, void *userdata);
};

/**
 * yaml_walk_mapping() - give each key's value to its taker
 * @keys: ends with a NULL name
 * Return: 0; -EINVAL, with a message, for what is no mapping, an unknown key or one that stands
 * twice; what a taker returned.
 */
int yaml_walk_mapping(struct yaml_walk *walk, const yaml_node_t *node, const struct yaml_key *keys,
                      void *userdata);

// Values. Return: 0, or -EINVAL with a message (-ENOMEM for strings).
int yaml_walk_bool(struct yaml_walk *walk, const yaml_node_t *node, bool *value);
int yaml_walk_string(struct yaml_walk *walk, const yaml_node_t *node, char **value); // to be freed
// A whole number.
int yaml_walk_integer(struct yaml_walk *walk, const yaml_node_t *node, int64_t min, int64_t max,
                      int64_t *value);
// A number with a unit (s, ms, m, h; seconds without one), in ns.
int yaml_walk_duration(struct yaml_walk *walk, const yaml_node_t *node, uint64_t max_ns,
                       uint64_t *ns);
// A number of bytes, or with K, M, G (of 1024; KiB and so on too).
int yaml_walk_size(struct yaml_walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                   uint64_t *bytes);
// One of several words; the index of it.
int yaml_walk_word(struct yaml_walk *walk, const yaml_node_t *node, const char *const *words,
                   unsigned *index);
// A list: each element by `take`, with "[i]" in the path.
int yaml_walk_list(struct yaml_walk *walk, const yaml_node_t *node,
                   int (*take)(struct yaml_walk *walk, const yaml_node_t *element, void *userdata),
                   void *userdata);

// A mistake at a node: "file:line: path: text". Return: -EINVAL.
int yaml_walk_mistake(struct yaml_walk *walk, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// "expected <what>, found <what is there>".
int yaml_walk_expected(struct yaml_walk *walk, const yaml_node_t *node, const char *what);

#endif
