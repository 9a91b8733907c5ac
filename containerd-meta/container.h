// SPDX-License-Identifier: Apache-2.0
// A container in the daemon's heap: content and the memory that its strings live in.
//
// Engines fill one per answer and hand it to the sink, which copies what it wants. All strings are
// copied into the container's own memory, so that an answer's JSON may be freed at once.
#ifndef CONTAINER_H
#define CONTAINER_H

#include "shm/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the operator wants kept of labels, environment and annotations.
enum env_policy { ENV_NONE = 0, ENV_NAMES, ENV_VALUES };
struct container_limits {
    int64_t label_max_len; // bytes of a label's value; a longer one is dropped, flagged, counted
    enum env_policy env;
};

#define CONTAINER_LIST_MAX 4096u // elements of a list; more are left out, and flagged as truncated

struct container {
    struct cmeta_container content; // its pointers are into `memory`; set lists by the adders only
    struct cmeta_str id;            // full
    struct cmeta_str scope;  // "" for those whose ID is unique by itself (64 hexadecimal digits)
    uint32_t labels_dropped; // by label_max_len
    // State, as far as this answer tells it.
    bool has_status;
    uint32_t status; // CMETA_STATUS_* word
    uint32_t pid;
    int64_t finished_ns;
    struct container_memory *memory; // opaque
};

/**
 * container_new() - an empty container: nothing known, type unknown
 * @id, @id_len: the full ID
 * @scope:       NUL-terminated, "" for globally unique IDs
 * Return: the container, NULL if out of memory.
 */
struct container *container_new(const char *id, size_t id_len, const char *scope);
struct container *container_free(struct container *container); // returns NULL
static inline void container_freep(struct container **container)
{
    container_free(*container);
}

// Setters copy. A NULL string is stored as absent. All return 0 or -ENOMEM; an engine may ignore
// that and check container_failed() once at the end.
int container_set(struct container *container, enum cmeta_string which, const char *text);
int container_set_n(struct container *container, enum cmeta_string which, const char *text,
                    size_t len);
// Known and empty where `text` is absent.
int container_set_str(struct container *container, enum cmeta_string which, struct cmeta_str text);
// Labels under the limit; dropped ones are counted in labels_dropped and flagged.
int container_add_label(struct container *container, const struct container_limits *limits,
                        const char *key, size_t key_len, const char *value, size_t value_len);
int container_add_pod_label(struct container *container, const struct container_limits *limits,
                            const char *key, size_t key_len, const char *value, size_t value_len);
int container_add_mount(struct container *container, const char *source, const char *destination,
                        const char *mode, const char *propagation, bool rw);
int container_add_port(struct container *container, const char *host_ip, uint16_t host_port,
                       uint16_t container_port, const char *protocol);
int container_add_address(struct container *container, const char *address);
// By policy: nothing, the part before '=', or all of it.
int container_add_env(struct container *container, const struct container_limits *limits,
                      const char *entry);
// Limits as an engine has them: what isn't positive is the kernel's default.
struct container_resources {
    int64_t cpu_period, cpu_quota, cpu_shares;
    const char *cpus; // a set of CPUs; may be NULL
    int64_t memory, swap;
};
void container_set_resources(struct container *container,
                             const struct container_resources *resources);
// args[0] is the executable.
int container_set_probe(struct container *container, enum cmeta_probe_kind kind,
                        const char *const *args, size_t count);
bool container_failed(const struct container *container);

// All properties of a group are known (present or known to be empty).
static inline void container_know(struct container *container, enum cmeta_group group)
{
    container->content.known |= CMETA_GROUP_BIT(group);
}

/**
 * container_pick_address() - choose the primary address: IPv4 before IPv6, else the first; moves it
 * to the front of the list and sets CMETA_STRING_IP.
 */
int container_pick_address(struct container *container);

#endif
