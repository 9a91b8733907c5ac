// SPDX-License-Identifier: Apache-2.0
#include "podman_rest.h"

#include "containerd-meta/json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool is_plain_path(const char *path)
{
    return path && *path == '/' && !strstr(path, "..") && strlen(path) < PATH_MAX / 2;
}

static bool is_plain_name(const char *name)
{
    return name && *name && strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

// /run/user/1000/podman/podman.sock lies in /run/user/1000/, and so must the other path.
static bool lies_in_the_same_run_folder(const char *socket, const char *path)
{
    const char *end = strrchr(socket, '/');

    for (int up = 0; up < 1 && end; up++)
        while (end > socket && *--end != '/')
            ;
    return end && end > socket && strncmp(socket, path, (size_t)(end - socket) + 1) == 0;
}

bool podman_run_folder(const struct engine_host *host, const json_t *info, char *path, size_t size)
{
    const json_t *store = json_object_get(info, "store");
    const char *root = json_text(store, "runRoot"), *driver = json_text(store, "graphDriverName");

    if (!is_plain_path(root) || !is_plain_name(driver))
        return false;
    if (snprintf(path, size, "%s%s/%s-containers",
                 strcmp(host->host_root, "/") == 0 ? "" : host->host_root, root,
                 driver) >= (int)size)
        return false;
    return !host->confined || lies_in_the_same_run_folder(host->socket, path);
}
