// SPDX-License-Identifier: Apache-2.0
// The daemon's parts around a fake engine, in the test's own process: configuration, engine
// instances, store, publisher and region, as daemon.c joins them.
#ifndef FIXTURE_H
#define FIXTURE_H

#include "containerd-meta/config.h"
#include "containerd-meta/instances.h"
#include "containerd-meta/publisher.h"
#include "shm/reader.h"
#include "tests/fake/fake_containerd.h"
#include "tests/fake/fake_cri.h"
#include "tests/fake/fake_edera.h"
#include "tests/fake/http_engine.h"
#include "tests/unit/support/check_main.h"

struct fixture {
    struct temp_dir dir;
    const char *http_engine; // name in the configuration of the engine that speaks HTTP: docker
    char socket[96];         // of it; or its URL
    char region_dir[96];
    char bundles[160];      // a folder of OCI bundles, "" none
    struct fake_http *fake; // NULL: there is none
    // The engine that speaks gRPC, if there is one; one of the models serves it.
    const char *grpc_engine; // its name in the configuration
    char grpc_socket[96];
    struct fake_grpc *grpc;
    struct fake_containerd *containerd;
    struct fake_cri *cri;
    struct fake_edera *edera;
    char nri_socket[96];  // of a fake runtime's NRI, set by the test; "": none
    char hook_socket[96]; // for hooks, the same
    // The engine that keeps its state in files, if there is one, and where.
    const char *files_engine;
    char folder[96];
    const char *bus_socket; // of the engine on a message bus, below host_root; NULL: there is none
    sd_event *event;
    sd_event_source *post;
    struct http *http;
    struct rpc *rpc;
    struct socket_watcher *sockets;
    struct store *store;
    struct publisher *publisher;
    struct instances *instances;
    struct config config;
    int lock_fd;
};

// A place without any engine: the test adds its own.
void fixture_make_bare(struct fixture *f);
// A place, and a fake engine at its socket that answers as a Docker without containers does.
void fixture_make(struct fixture *f);
// The same with a podman, and what makes a fake engine one.
void fixture_make_podman(struct fixture *f);
void fixture_serve_podman(struct fake_http *fake);
// A task metadata endpoint at an address; what it answers to FIXTURE_TASK is the test's.
void fixture_make_ecs(struct fixture *f);
#define FIXTURE_TASK "/v4/3c6f/task"
// The same with another engine than Docker: a containerd or a CRI-O without containers.
// @engine is its name in the configuration: a containerd may well be listed under "cri".
void fixture_make_containerd(struct fixture *f, const char *engine);
void fixture_make_cri(struct fixture *f, const char *engine);
// An Edera without zones; @engine is its name in the configuration.
void fixture_make_edera(struct fixture *f, const char *engine);
// An LXD without instances.
void fixture_make_incus(struct fixture *f);
// A containerd beside the Docker of fixture_make().
void fixture_add_containerd(struct fixture *f);
// A folder of OCI bundles, before fixture_run().
void fixture_set_bundles(struct fixture *f, const char *folder);
// No engine but one that keeps its state in files, in a folder that isn't there yet.
void fixture_make_files(struct fixture *f, const char *engine);
void fixture_remove(struct fixture *f);

/**
 * fixture_run() - begin as a daemon does, with the fakes as its only engines
 * @yaml: further configuration, or ""
 */
void fixture_run(struct fixture *f, const char *yaml);
// End as a daemon does: the region stays.
void fixture_end(struct fixture *f);
// Another configuration, as SIGHUP brings it; whole, without the fake's engine.
void fixture_reload(struct fixture *f, const char *yaml);

// The fakes as engines at their sockets, for a configuration.
const char *fixture_engines(const struct fixture *f);

/**
 * fixture_wait() - until a condition of the region holds; 20 s at most
 * Return: whether it does.
 */
bool fixture_wait(struct fixture *f, bool (*condition)(struct fixture *f, const void *argument),
                  const void *argument);

// --- what the region says ------------------------------------------------------------------------
// By short or full ID, name not accepted. Strings live until the next call.
bool fixture_find(struct fixture *f, const char *id, struct cmeta_region *region,
                  cmeta_handle *handle);
const char *fixture_text(struct fixture *f, const char *id, enum cmeta_string which);
const char *fixture_label(struct fixture *f, const char *id, const char *key);
uint32_t fixture_known(struct fixture *f, const char *id);
uint32_t fixture_flags(struct fixture *f, const char *id);
uint8_t fixture_reason(struct fixture *f, const char *id, enum cmeta_group group);
uint32_t fixture_state(struct fixture *f, const char *id); // CMETA_STATE_*, 0 if not there
struct cmeta_status fixture_status(struct fixture *f, const char *id);
uint64_t fixture_counter(struct fixture *f, const char *name);
uint16_t fixture_type(struct fixture *f, const char *id); // CMETA_TYPE_*, 0 if not there
uint64_t fixture_revision(struct fixture *f);             // of the last change
unsigned fixture_count(struct fixture *f);                // containers that aren't removed
struct cmeta_engine_row fixture_row(struct fixture *f, unsigned row);

// Conditions: the argument is as their names say.
bool fixture_has(struct fixture *f, const void *id);
bool fixture_lacks(struct fixture *f, const void *id); // not there, or removed
bool fixture_complete(struct fixture *f, const void *id);
bool fixture_connected(struct fixture *f, const void *unused);
bool fixture_failed(struct fixture *f, const void *unused);
bool fixture_waiting(struct fixture *f, const void *unused);

#endif
