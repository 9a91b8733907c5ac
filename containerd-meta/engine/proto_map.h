// SPDX-License-Identifier: Apache-2.0
// protobuf's map<string, string>, of whatever message: protobuf-c makes a type of its own of each,
// and all have one layout.
#ifndef PROTO_MAP_H
#define PROTO_MAP_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <string.h>

struct proto_entry {
    ProtobufCMessage base;
    char *key;
    char *value;
};

struct proto_map {
    size_t count;
    const struct proto_entry *const *entries; // none is NULL; keys and values neither
};

// The map `field` of a message.
#define PROTO_MAP(message, field)                                                              \
    ({                                                                                         \
        _Static_assert(sizeof(**(message)->field) == sizeof(struct proto_entry), "map");       \
        _Static_assert(_Generic((*(message)->field)->value, char * : 1), "of strings");        \
        (struct proto_map){(message)->n_##field,                                               \
                           (const struct proto_entry *const *)(const void *)(message)->field}; \
    })

// The last value of a key: duplicates are kept as sent, and the last one counts. NULL if none.
static inline const char *proto_map_get(struct proto_map map, const char *key)
{
    for (size_t i = map.count; i > 0; i--)
        if (strcmp(map.entries[i - 1]->key, key) == 0)
            return map.entries[i - 1]->value;
    return NULL;
}

#endif
