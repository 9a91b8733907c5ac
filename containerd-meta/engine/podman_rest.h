// SPDX-License-Identifier: Apache-2.0
// Where podman's containers leave a sign, service or not: the folder in which every new container
// gets a folder of its own. While podman has no containers this is watched, and its service, which
// systemd starts for whoever connects, may end.
#ifndef PODMAN_REST_H
#define PODMAN_REST_H

#include "engine.h"

#include <jansson.h>

/**
 * podman_run_folder() - that folder, from podman's own words (GET /libpod/info)
 * @path: receives it, host_root applied
 * Return: whether it can be told. A user's service may name nothing beyond the user's own run
 * folder, which its socket is in.
 */
bool podman_run_folder(const struct engine_host *host, const json_t *info, char *path, size_t size);

#endif
