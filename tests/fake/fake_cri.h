// SPDX-License-Identifier: Apache-2.0
// A runtime that speaks CRI alone, as CRI-O does, on a scriptable gRPC engine: pods, containers,
// images, and events if a test lets the stream stay open.
//
// It adds rules to the engine; a test may put others over them.
#ifndef FAKE_CRI_H
#define FAKE_CRI_H

#include "cri.pb-c.h"
#include "fake_pod.h"
#include "grpc_engine.h"

struct fake_cri;

#define FAKE_CRI_VERSION "/runtime.v1.RuntimeService/Version"
#define FAKE_CRI_PODS    "/runtime.v1.RuntimeService/ListPodSandbox"
#define FAKE_CRI_LIST    "/runtime.v1.RuntimeService/ListContainers"
#define FAKE_CRI_STATUS  "/runtime.v1.RuntimeService/ContainerStatus"
#define FAKE_CRI_POD     "/runtime.v1.RuntimeService/PodSandboxStatus"
#define FAKE_CRI_EVENTS  "/runtime.v1.RuntimeService/GetContainerEvents"
#define FAKE_CRI_IMAGE   "/runtime.v1.ImageService/ImageStatus"

enum fake_cri_event { FAKE_CREATED = 0, FAKE_STARTED = 1, FAKE_STOPPED = 2, FAKE_DELETED = 3 };

// @runtime: what it calls itself, "cri-o". Without events, as CRI-O is by default: the stream ends
// at once.
struct fake_cri *fake_cri_serve(struct fake_grpc *fake, const char *runtime);
// After the engine was stopped. Returns NULL.
struct fake_cri *fake_cri_free(struct fake_cri *cri);

// Each answer takes so long from here on.
void fake_cri_delay(struct fake_cri *cri, unsigned delay_ms);
// The stream stays open from here on.
void fake_cri_enable_events(struct fake_cri *cri);

void fake_cri_put_image(struct fake_cri *cri, const char *name, const char *tag,
                        const char *digest);
void fake_cri_put_pod(struct fake_cri *cri, const struct fake_pod *pod);
// Running if it has a PID, else created.
void fake_cri_put(struct fake_cri *cri, const struct fake_container *container);
// What ContainerStatus answers, as bytes; the list stays as it is.
void fake_cri_put_status(struct fake_cri *cri, const char *id, const void *data, size_t len);
void fake_cri_drop(struct fake_cri *cri, const char *id);
// Only from what the status questions know: listed, and gone when asked for.
void fake_cri_drop_status(struct fake_cri *cri, const char *id);

// One event to who listens. Return: how many do.
unsigned fake_cri_event(struct fake_cri *cri, enum fake_cri_event type, const char *id,
                        bool is_pod);

#endif
