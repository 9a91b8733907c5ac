// SPDX-License-Identifier: Apache-2.0
#include "container.h"

#include "cpuset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Memory that is only ever given back as a whole.
struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};
#define CHUNK_BYTES 4096u

// A list that grows: its elements move, so the content's pointer is set again at each growth.
struct list {
    void *items;
    uint32_t room;
};

struct container_memory {
    struct chunk *chunks;
    struct list labels, pod_labels, mounts, ports, addresses, env;
    bool failed;
};

static struct chunk *add_chunk(struct container_memory *memory, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct chunk *chunk = malloc(sizeof(*chunk) + size);

    if (!chunk)
        return NULL;
    *chunk = (struct chunk){.next = memory->chunks, .size = size};
    memory->chunks = chunk;
    return chunk;
}

static void *allocate(struct container *container, size_t bytes)
{
    struct container_memory *memory = container->memory;
    struct chunk *chunk = memory->chunks;

    bytes = (bytes + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < bytes)
        chunk = add_chunk(memory, bytes);
    if (!chunk) {
        memory->failed = true;
        return NULL;
    }
    chunk->used += bytes;
    return chunk->bytes + chunk->used - bytes;
}

static struct cmeta_str copy(struct container *container, const char *text, size_t len)
{
    char *piece = allocate(container, len + 1);

    if (!piece)
        return (struct cmeta_str){0};
    memcpy(piece, text, len);
    piece[len] = '\0';
    return (struct cmeta_str){piece, (uint32_t)len};
}

// Whether a list has as many elements as make sense: a record couldn't hold more.
static bool is_full(struct container *container, uint32_t count)
{
    if (count < CONTAINER_LIST_MAX)
        return false;
    container->content.flags |= CMETA_FLAG_TRUNCATED;
    return true;
}

// The next element of a list; `items` and `count` are the content's view of it.
static void *append(struct container *container, struct list *list, uint32_t *count, size_t element)
{
    void *items;

    if (*count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 8;

        items = allocate(container, room * element);
        if (!items)
            return NULL;
        if (*count)
            memcpy(items, list->items, *count * element);
        list->items = items;
        list->room = room;
    }
    return (uint8_t *)list->items + (*count)++ * element;
}

struct container *container_new(const char *id, size_t id_len, const char *scope)
{
    struct container *container = calloc(1, sizeof(*container));

    if (!container)
        return NULL;
    container->memory = calloc(1, sizeof(*container->memory));
    if (!container->memory)
        return container_free(container);
    container->content.type = CMETA_TYPE_UNKNOWN;
    container->content.size_rw = -1;
    container->content.cpu_period = 100000;
    container->content.cpu_shares = 1024;
    container->finished_ns = -1;
    container->id = copy(container, id, id_len);
    container->scope = copy(container, scope, strlen(scope));
    if (container_failed(container))
        return container_free(container);
    return container;
}

struct container *container_free(struct container *container)
{
    if (!container)
        return NULL;
    if (container->memory)
        for (struct chunk *chunk = container->memory->chunks, *next; chunk; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
    free(container->memory);
    free(container);
    return NULL;
}

bool container_failed(const struct container *container)
{
    return container->memory->failed;
}

static int result(const struct container *container)
{
    return container_failed(container) ? -ENOMEM : 0;
}

int container_set_n(struct container *container, enum cmeta_string which, const char *text,
                    size_t len)
{
    container->content.strings[which] = text ? copy(container, text, len) : (struct cmeta_str){0};
    return result(container);
}

int container_set(struct container *container, enum cmeta_string which, const char *text)
{
    return container_set_n(container, which, text, text ? strlen(text) : 0);
}

int container_set_str(struct container *container, enum cmeta_string which, struct cmeta_str text)
{
    return container_set_n(container, which, text.len ? text.data : "", text.len);
}

static struct cmeta_label *new_label(struct container *container, bool pod)
{
    struct cmeta_container *content = &container->content;
    struct list *list = pod ? &container->memory->pod_labels : &container->memory->labels;
    uint32_t *count = pod ? &content->pod_labels_count : &content->labels_count;
    struct cmeta_label *label = append(container, list, count, sizeof(*label));

    if (pod)
        content->pod_labels = list->items;
    else
        content->labels = list->items;
    return label;
}

static int add_label(struct container *container, const struct container_limits *limits, bool pod,
                     struct cmeta_str key, struct cmeta_str value)
{
    struct cmeta_label *label;

    if ((int64_t)value.len > limits->label_max_len || value.len > CMETA_LABEL_VALUE_MAX) {
        container->labels_dropped++;
        container->content.flags |= CMETA_FLAG_LABELS_DROPPED;
        return 0;
    }
    if (is_full(container,
                pod ? container->content.pod_labels_count : container->content.labels_count))
        return 0;
    label = new_label(container, pod);
    if (label)
        *label = (struct cmeta_label){copy(container, key.data, key.len),
                                      copy(container, value.data, value.len)};
    return result(container);
}

int container_add_label(struct container *container, const struct container_limits *limits,
                        const char *key, size_t key_len, const char *value, size_t value_len)
{
    return add_label(container, limits, false, (struct cmeta_str){key, (uint32_t)key_len},
                     (struct cmeta_str){value, (uint32_t)value_len});
}

int container_add_pod_label(struct container *container, const struct container_limits *limits,
                            const char *key, size_t key_len, const char *value, size_t value_len)
{
    return add_label(container, limits, true, (struct cmeta_str){key, (uint32_t)key_len},
                     (struct cmeta_str){value, (uint32_t)value_len});
}

static struct cmeta_str copy_text(struct container *container, const char *text)
{
    return copy(container, text ? text : "", text ? strlen(text) : 0);
}

int container_add_mount(struct container *container, const char *source, const char *destination,
                        const char *mode, const char *propagation, bool rw)
{
    struct cmeta_container *content = &container->content;
    struct list *list = &container->memory->mounts;
    struct cmeta_mount *mount;

    if (is_full(container, content->mounts_count))
        return 0;
    mount = append(container, list, &content->mounts_count, sizeof(*mount));
    content->mounts = list->items;
    if (mount)
        *mount = (struct cmeta_mount){.source = copy_text(container, source),
                                      .destination = copy_text(container, destination),
                                      .mode = copy_text(container, mode),
                                      .propagation = copy_text(container, propagation),
                                      .rw = rw};
    return result(container);
}

int container_add_port(struct container *container, const char *host_ip, uint16_t host_port,
                       uint16_t container_port, const char *protocol)
{
    struct cmeta_container *content = &container->content;
    struct list *list = &container->memory->ports;
    struct cmeta_port *port;

    if (is_full(container, content->ports_count))
        return 0;
    port = append(container, list, &content->ports_count, sizeof(*port));
    content->ports = list->items;
    if (port)
        *port = (struct cmeta_port){.host_ip = copy_text(container, host_ip),
                                    .host_port = host_port,
                                    .container_port = container_port,
                                    .protocol = copy_text(container, protocol)};
    return result(container);
}

int container_add_address(struct container *container, const char *address)
{
    struct cmeta_container *content = &container->content;
    struct list *list = &container->memory->addresses;
    struct cmeta_str *text;

    if (is_full(container, content->addresses_count))
        return 0;
    text = append(container, list, &content->addresses_count, sizeof(*text));
    content->addresses = list->items;
    if (text)
        *text = copy_text(container, address);
    return result(container);
}

int container_add_env(struct container *container, const struct container_limits *limits,
                      const char *entry)
{
    struct cmeta_container *content = &container->content;
    struct list *list = &container->memory->env;
    struct cmeta_str *text;

    if (limits->env == ENV_NONE || is_full(container, content->env_count))
        return 0;
    text = append(container, list, &content->env_count, sizeof(*text));
    content->env = list->items;
    if (text)
        *text =
            copy(container, entry, limits->env == ENV_NAMES ? strcspn(entry, "=") : strlen(entry));
    return result(container);
}

void container_set_resources(struct container *container,
                             const struct container_resources *resources)
{
    struct cmeta_container *content = &container->content;

    content->cpu_period = resources->cpu_period > 0 ? resources->cpu_period : 100000;
    content->cpu_quota = resources->cpu_quota;
    content->cpu_shares = resources->cpu_shares > 0 ? resources->cpu_shares : 1024;
    content->cpuset_cpu_count = cpuset_count(resources->cpus);
    content->memory_limit = resources->memory;
    content->swap_limit = resources->swap;
}

int container_set_probe(struct container *container, enum cmeta_probe_kind kind,
                        const char *const *args, size_t count)
{
    struct cmeta_probe *probe = &container->content.probes[kind];
    struct cmeta_str *copies;

    if (count == 0)
        return 0;
    copies = allocate(container, count * sizeof(*copies));
    if (!copies)
        return -ENOMEM;
    copies[0] = copy_text(container, args[0]);
    for (size_t i = 1; i < count; i++)
        copies[i] = copy_text(container, args[i]);
    *probe = (struct cmeta_probe){copies[0], copies + 1, (uint32_t)(count - 1)};
    return result(container);
}

int container_pick_address(struct container *container)
{
    struct cmeta_container *content = &container->content;
    struct cmeta_str *list = container->memory->addresses.items, first;
    uint32_t pick = 0;

    if (content->addresses_count == 0) {
        content->strings[CMETA_STRING_IP] = copy(container, "", 0);
        return result(container);
    }
    while (pick < content->addresses_count && memchr(list[pick].data, ':', list[pick].len))
        pick++;
    if (pick == content->addresses_count)
        pick = 0;
    first = list[pick];
    memmove(list + 1, list, pick * sizeof(*list));
    list[0] = first;
    content->strings[CMETA_STRING_IP] = first;
    return result(container);
}
