// SPDX-License-Identifier: Apache-2.0
// What NRI doesn't tell of a container, its runtime bundle does: who was granted what.
//
// The bundle is written before the runtime asks whether a container may start. Where it lies
// follows from the runtime's own mounts, which NRI tells.
#ifndef NRI_BUNDLE_H
#define NRI_BUNDLE_H

#include "nri.pb-c.h"

#include <jansson.h>

// Bytes of a path that is worth a try.
#define NRI_BUNDLE_PATH_MAX 512u

/**
 * nri_bundle_path() - where the container's OCI spec lies
 * @path: set on success, without the host's root
 *
 * Below /run only: that is a tmpfs, and answers at once; the runtime waits meanwhile.
 * Return: 0; -ENOENT: that can't be told.
 */
int nri_bundle_path(const Nri__Container *container, char path[NRI_BUNDLE_PATH_MAX]);

/**
 * nri_bundle_read() - the container's spec, if it decides whether the container is privileged
 * @host_root: "" on the host itself
 * Return: the spec; NULL if there is none, or it doesn't decide: one that is granted all
 * capabilities and confined otherwise may be privileged to its runtime.
 */
json_t *nri_bundle_read(const Nri__Container *container, const char *host_root);

#endif
