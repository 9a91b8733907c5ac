// SPDX-License-Identifier: Apache-2.0
// A containerd as its clients see it, on a scriptable gRPC engine: namespaces, containers, pods'
// sandboxes, tasks, images, events. On the same socket its CRI plugin says who it is, and no more.
//
// It adds rules to the engine; a test may put others over them. Functions with "put" and "drop"
// change what is answered and say nothing; the others push events as containerd does.
#ifndef FAKE_CONTAINERD_H
#define FAKE_CONTAINERD_H

#include "containerd.pb-c.h"
#include "fake_pod.h"
#include "grpc_engine.h"

struct fake_containerd;

#define FAKE_SUBSCRIBE  "/containerd.services.events.v1.Events/Subscribe"
#define FAKE_NAMESPACES "/containerd.services.namespaces.v1.Namespaces/List"
#define FAKE_LISTSTREAM "/containerd.services.containers.v1.Containers/ListStream"
#define FAKE_LIST       "/containerd.services.containers.v1.Containers/List"
#define FAKE_GET        "/containerd.services.containers.v1.Containers/Get"
#define FAKE_TASKS      "/containerd.services.tasks.v1.Tasks/List"
#define FAKE_IMAGES     "/containerd.services.images.v1.Images/List"
#define FAKE_IMAGE_GET  "/containerd.services.images.v1.Images/Get"
#define FAKE_STORE_GET  "/containerd.services.sandbox.v1.Store/Get"
#define FAKE_VERSION    "/containerd.services.version.v1.Version/Version"

// Empty but for the namespaces k8s.io, default and moby, and FAKE_IMAGE in each.
struct fake_containerd *fake_containerd_serve(struct fake_grpc *fake);
// After the engine was stopped. Returns NULL.
struct fake_containerd *fake_containerd_free(struct fake_containerd *containerd);

// Each answer takes so long from here on.
void fake_containerd_delay(struct fake_containerd *containerd, unsigned delay_ms);

void fake_containerd_put_namespace(struct fake_containerd *containerd, const char *ns);
void fake_containerd_put_image(struct fake_containerd *containerd, const char *ns, const char *name,
                               const char *digest);
void fake_containerd_put_pod(struct fake_containerd *containerd, const struct fake_pod *pod);
// With its task running if it has a PID.
void fake_containerd_put(struct fake_containerd *containerd,
                         const struct fake_container *container);
// The bytes of a record as they are: a GetContainerResponse.
void fake_containerd_put_bytes(struct fake_containerd *containerd, const char *ns, const char *id,
                               const void *data, size_t len);
void fake_containerd_drop(struct fake_containerd *containerd, const char *ns, const char *id);

// One envelope to who has subscribed. Return: how many did.
unsigned fake_containerd_event(struct fake_containerd *containerd, const char *ns,
                               const char *topic, const ProtobufCMessage *payload);
// An event of a container: create, update, delete.
unsigned fake_containerd_container_event(struct fake_containerd *containerd, const char *ns,
                                         const char *topic, const char *id);

void fake_containerd_create_pod(struct fake_containerd *containerd, const struct fake_pod *pod);
// The record is written anew, as when the pod has its address.
void fake_containerd_update_pod(struct fake_containerd *containerd, const struct fake_pod *pod);
void fake_containerd_create(struct fake_containerd *containerd,
                            const struct fake_container *container);
void fake_containerd_start(struct fake_containerd *containerd,
                           const struct fake_container *container);
// Its task ends and both are removed.
void fake_containerd_remove(struct fake_containerd *containerd, const char *ns, const char *id);

#endif
