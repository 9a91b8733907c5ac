// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <string.h>

extern const struct engine_class docker_engine, podman_engine, containerd_engine, cri_engine,
    lxc_engine, libvirt_lxc_engine, incus_engine, nspawn_engine, bpm_engine, ecs_engine,
    edera_engine, bundle_engine, nri_engine, oci_hook_engine;

// To add an engine: its file, its declaration above, its line here. The last three come last: they
// add to what the others know.
const struct engine_class *const engine_classes[] = {
    &docker_engine,      &podman_engine, &containerd_engine, &cri_engine,      &lxc_engine,
    &libvirt_lxc_engine, &incus_engine,  &nspawn_engine,     &bpm_engine,      &ecs_engine,
    &edera_engine,       &bundle_engine, &nri_engine,        &oci_hook_engine, NULL,
};

const struct engine_class *engine_class_find(const char *name)
{
    for (size_t i = 0; engine_classes[i]; i++)
        if (strcmp(engine_classes[i]->name, name) == 0)
            return engine_classes[i];
    return NULL;
}
