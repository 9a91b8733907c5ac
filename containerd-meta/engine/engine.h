// SPDX-License-Identifier: Apache-2.0
// The interface between engines and the rest of the daemon, and the table of engines.
//
// An engine is one file that defines one `struct engine_class` and one line in engine_classes[]
// (engine.c). An instance drives one socket by the engine's own API: it connects, lists,
// subscribes, reconciles, and tells the sink what it hears. It never sees the store, the region,
// or another engine; nothing it does may block the loop.
#ifndef ENGINE_H
#define ENGINE_H

#include "containerd-meta/container.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct http;
struct rpc;
struct socket_watcher;

// Moments, in the order in which things were asked or heard, over all engines. An answer counts as
// of the moment its question was sent: take the stamp before sending. Never 0.
typedef uint64_t engine_stamp;

// What an engine reports; implemented by the daemon over the store, and by tests. `self` comes
// first in every call; the instance it was made for is known to it.
struct engine_sink {
    // The next moment.
    engine_stamp (*stamp)(struct engine_sink *self);

    // Content and status as an answer or event told them. Groups that are not known leave what was
    // known before; strings that are present in a group that isn't known are taken as partial
    // content. Dropped if this engine said something newer about the group, or that the container
    // is gone, after `asked`.
    void (*observe)(struct engine_sink *self, engine_stamp asked,
                    const struct container *container);

    // Status only: state, health, exit, PID. `mask` has the bits of `word` that are told (a whole
    // byte of state, health, exit+HAS_EXIT); `pid` < 0 and `finished_ns` < 0 mean not told. With
    // nothing told it says that the container is still there.
    void (*status)(struct engine_sink *self, engine_stamp asked, const char *id, size_t id_len,
                   const char *scope, uint32_t word, uint32_t mask, int64_t pid,
                   int64_t finished_ns);

    // The name alone changed.
    void (*renamed)(struct engine_sink *self, engine_stamp asked, const char *id, size_t id_len,
                    const char *scope, const char *name);

    // The engine says it is gone (destroyed, or doesn't know it).
    void (*gone)(struct engine_sink *self, engine_stamp asked, const char *id, size_t id_len,
                 const char *scope);

    // Why the groups in `groups` of a container aren't known so far.
    void (*reason)(struct engine_sink *self, const char *id, size_t id_len, const char *scope,
                   uint32_t groups, enum cmeta_reason reason);

    // A complete list was received whose question was sent at `asked`: whatever this engine claimed
    // and neither this list nor anything since confirmed is gone.
    void (*list_complete)(struct engine_sink *self, engine_stamp asked);

    // The instance's row as it stands now (name and containers are filled in by the daemon).
    // `error` may be NULL: keep the last one; "" clears it.
    void (*state)(struct engine_sink *self, enum cmeta_engine_state state, uint32_t flags,
                  const char *version, const char *error);

    // For the row and the counters: events read, calls failed, streams opened, records skipped.
    void (*count)(struct engine_sink *self, uint32_t events, uint32_t errors, uint32_t connects,
                  uint32_t skipped);

    // Whether this engine has a live view of the container (used to tell what a hint is worth).
    bool (*knows)(struct engine_sink *self, const char *id, size_t id_len, const char *scope);

    // Whether the container's record is published with all groups that rules read.
    bool (*is_complete)(struct engine_sink *self, const char *id, size_t id_len, const char *scope);

    // Have the engine of that name asked for a container now. Whether there is one to be asked.
    bool (*ask)(struct engine_sink *self, const char *engine, const char *id, size_t id_len);
};

// What an instance may use. Lives longer than the instance.
struct engine_host {
    sd_event *event;
    struct http *http;
    struct rpc *rpc;
    struct socket_watcher *sockets;
    struct engine_sink *sink;
    struct container_limits limits;
    bool with_size;
    unsigned timeout_ms;   // an engine that is silent for so long hangs; 0: none
    const char *socket;    // where the engine is: its socket, folder (HOST_ROOT applied) or URL
    const char *host_root; // "" on the host itself
    const char *name;      // for logs: the engine's configuration name
    bool named;            // the configuration lists the place; else it is a default one
    bool confined;         // it is a user's own engine: what it says is believed for lack of better
};

// What is spoken at a place. One instance drives a place: where two classes of one protocol list
// the same one, the class that comes first in engine_classes[] has it.
enum engine_protocol {
    ENGINE_HTTP,
    ENGINE_GRPC,
    ENGINE_DBUS,
    ENGINE_FILES,
    ENGINE_NRI,
    ENGINE_HOOK
};

// What kind of place an engine is found at. It decides the key of the configuration that lists
// places, and what is accepted there.
enum engine_place {
    ENGINE_SOCKET, // sockets: absolute paths of Unix sockets
    ENGINE_FOLDER, // folders: absolute paths of the folders that the engine keeps its state in
    ENGINE_URL,    // urls: http://...
};

struct engine_class {
    const char *name; // key in the configuration: "docker"
    enum engine_protocol protocol;
    enum engine_place place;
    const char *const *default_places; // NULL-terminated; NULL if the engine has none
    // Environment variable of the daemon that names one more default place; NULL if there is none.
    const char *place_variable;
    // What its word is worth where several engines know a container: the higher wins, group by
    // group.
    int precedence;
    uint16_t type;  // enum cmeta_type, for logs and the row
    bool is_opt_in; // driven only where the configuration says so by a key of its own
    /**
     * start() - begin; returns at once, all work is done by events
     * Return: 0 and the instance, or -errno (the daemon says so in the engine's row and goes on).
     */
    int (*start)(const struct engine_host *host, void **instance);
    // End at once: no callback and no sink call afterwards. Views are withdrawn by the daemon.
    void (*stop)(void *instance);
    // Somebody saw a container of this ID (full, or what container.id shows) that the table doesn't
    // have: ask for it now. NULL if the engine can't be asked.
    void (*hint)(void *instance, const char *id, size_t id_len);
    // List again now (after a reload, or on a doubt). NULL if it does so by itself.
    void (*relist)(void *instance);
};

// NULL-terminated.
extern const struct engine_class *const engine_classes[];

const struct engine_class *engine_class_find(const char *name);

#endif
