// SPDX-License-Identifier: Apache-2.0
#include "nri_bundle.h"

#include "oci_spec.h"
#include "spec_file.h"

#include "shm/container_id.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

// The runtime's folder of something else, and what stands in its place for the bundle.
static const struct {
    const char *mark, *before, *after;
} layouts[] = {
    {"/io.containerd.grpc.v1.cri/sandboxes/", "/io.containerd.runtime.v2.task/k8s.io/",
     "/config.json"},
    {"/overlay-containers/", "/overlay-containers/", "/userdata/config.json"},
};

static bool is_below_run(const char *path)
{
    return (strncmp(path, "/run/", 5) == 0 || strncmp(path, "/var/run/", 9) == 0) &&
           !strstr(path, "/../");
}

static int path_by(const char *source, const char *id, char path[NRI_BUNDLE_PATH_MAX])
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        const char *mark = strstr(source, layouts[i].mark);

        if (mark && snprintf(path, NRI_BUNDLE_PATH_MAX, "%.*s%s%s%s", (int)(mark - source), source,
                             layouts[i].before, id, layouts[i].after) < (int)NRI_BUNDLE_PATH_MAX)
            return 0;
    }
    return -ENOENT;
}

int nri_bundle_path(const Nri__Container *container, char path[NRI_BUNDLE_PATH_MAX])
{
    if (!cmeta_id_is_hex64(container->id, strlen(container->id)))
        return -ENOENT; // goes into a path
    for (size_t i = 0; i < container->n_mounts; i++) {
        const char *source = container->mounts[i]->source;

        if (is_below_run(source) && path_by(source, container->id, path) == 0)
            return 0;
    }
    return -ENOENT;
}

json_t *nri_bundle_read(const Nri__Container *container, const char *host_root)
{
    char path[NRI_BUNDLE_PATH_MAX], whole[PATH_MAX];
    json_t *spec;

    if (nri_bundle_path(container, path) < 0)
        return NULL;
    snprintf(whole, sizeof(whole), "%.*s%s", (int)(sizeof(whole) - sizeof(path)),
             strcmp(host_root, "/") == 0 ? "" : host_root, path);
    if (spec_file_read(whole, &spec) < 0)
        return NULL;
    if (oci_spec_is_privileged(spec) || !oci_spec_has_host_capabilities(spec))
        return spec;
    json_decref(spec);
    return NULL;
}
