// SPDX-License-Identifier: Apache-2.0
// What a fake engine knows: bytes by name, ready to be sent. Any thread.
#ifndef FAKE_BLOB_MAP_H
#define FAKE_BLOB_MAP_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob_map;

struct blob_map *blob_map_new(void);
struct blob_map *blob_map_free(struct blob_map *map); // returns NULL

void blob_map_put(struct blob_map *map, const char *key, const void *data, size_t len);
void blob_map_put_message(struct blob_map *map, const char *key, const ProtobufCMessage *message);
bool blob_map_remove(struct blob_map *map, const char *key);
size_t blob_map_count(struct blob_map *map);
// A copy, to be freed. False if there is none.
bool blob_map_get(struct blob_map *map, const char *key, uint8_t **data, size_t *len);
// Each whose key begins so, in the order of their keys, under the map's lock.
void blob_map_each(struct blob_map *map, const char *prefix,
                   void (*each)(void *userdata, const char *key, const void *data, size_t len),
                   void *userdata);

#endif
