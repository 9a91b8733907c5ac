// SPDX-License-Identifier: Apache-2.0
// containerd's native API as an engine that others may embed: the CRI engine does, where containerd
// turns out to be who answers on its socket.
#ifndef CONTAINERD_H
#define CONTAINERD_H

#include "engine.h"

// The namespace of Kubernetes' containers.
#define CONTAINERD_NS_KUBERNETES "k8s.io"

/**
 * containerd_start_in() - as engine_class.start
 * @only: the one namespace to look at, NULL: all; lives as long as the instance
 */
int containerd_start_in(const struct engine_host *host, const char *only, void **instance);
// As the functions of struct engine_class.
void containerd_stop(void *instance);
void containerd_hint(void *instance, const char *id, size_t id_len);
void containerd_relist(void *instance);

#endif
