// SPDX-License-Identifier: Apache-2.0
#include "blob_map.h"

#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blob {
    uint8_t *data;
    size_t len;
    char key[];
};

struct blob_map {
    pthread_mutex_t lock;
    void *tree; // tsearch(3), of keys inside their blobs
    size_t count;
};

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "fake engine: memory\n");
        abort();
    }
    return memory;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct blob *blob_of(const void *key)
{
    return (struct blob *)((uintptr_t)key - offsetof(struct blob, key));
}

static struct blob *find(struct blob_map *map, const char *key)
{
    void *node = tfind(key, &map->tree, compare);

    return node ? blob_of(*(void **)node) : NULL;
}

struct blob_map *blob_map_new(void)
{
    struct blob_map *map = need(calloc(1, sizeof(*map)));

    pthread_mutex_init(&map->lock, NULL);
    return map;
}

static void drop(void *key)
{
    free(blob_of(key)->data);
    free(blob_of(key));
}

struct blob_map *blob_map_free(struct blob_map *map)
{
    tdestroy(map->tree, drop);
    pthread_mutex_destroy(&map->lock);
    free(map);
    return NULL;
}

void blob_map_put(struct blob_map *map, const char *key, const void *data, size_t len)
{
    size_t bytes = strlen(key) + 1;
    struct blob *blob;

    pthread_mutex_lock(&map->lock);
    blob = find(map, key);
    if (!blob) {
        blob = need(calloc(1, sizeof(*blob) + bytes));
        memcpy(blob->key, key, bytes);
        need(tsearch(blob->key, &map->tree, compare));
        map->count++;
    }
    free(blob->data);
    blob->data = need(malloc(len + 1));
    memcpy(blob->data, data, len);
    blob->len = len;
    pthread_mutex_unlock(&map->lock);
}

void blob_map_put_message(struct blob_map *map, const char *key, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = need(malloc(len + 1));

    protobuf_c_message_pack(message, data);
    blob_map_put(map, key, data, len);
    free(data);
}

bool blob_map_remove(struct blob_map *map, const char *key)
{
    struct blob *blob;

    pthread_mutex_lock(&map->lock);
    blob = find(map, key);
    if (blob) {
        tdelete(blob->key, &map->tree, compare);
        drop(blob->key);
        map->count--;
    }
    pthread_mutex_unlock(&map->lock);
    return blob != NULL;
}

size_t blob_map_count(struct blob_map *map)
{
    size_t count;

    pthread_mutex_lock(&map->lock);
    count = map->count;
    pthread_mutex_unlock(&map->lock);
    return count;
}

bool blob_map_get(struct blob_map *map, const char *key, uint8_t **data, size_t *len)
{
    struct blob *blob;

    pthread_mutex_lock(&map->lock);
    blob = find(map, key);
    if (blob) {
        *data = need(malloc(blob->len + 1));
        memcpy(*data, blob->data, blob->len);
        *len = blob->len;
    }
    pthread_mutex_unlock(&map->lock);
    return blob != NULL;
}

struct walk {
    const char *prefix;
    void (*each)(void *userdata, const char *key, const void *data, size_t len);
    void *userdata;
};

static void visit(const void *node, VISIT which, void *userdata)
{
    const struct walk *walk = userdata;
    const char *key = *(const char *const *)node;

    if ((which == postorder || which == leaf) &&
        strncmp(key, walk->prefix, strlen(walk->prefix)) == 0)
        walk->each(walk->userdata, key, blob_of(key)->data, blob_of(key)->len);
}

void blob_map_each(struct blob_map *map, const char *prefix,
                   void (*each)(void *userdata, const char *key, const void *data, size_t len),
                   void *userdata)
{
    struct walk walk = {prefix, each, userdata};

    pthread_mutex_lock(&map->lock);
    twalk_r(map->tree, visit, &walk);
    pthread_mutex_unlock(&map->lock);
}
