// SPDX-License-Identifier: Apache-2.0
// Any bytes as a runtime spec: what comes of them can be encoded, and what confines isn't
// privileged.
#include "containerd-meta/engine/oci_spec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t buffer[CMETA_RECORD_MAX];
    static const struct oci_host_namespaces host = {.device = 4, .pid = 1, .network = 2, .ipc = 3};
    static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_VALUES},
                                               .host = &host};
    json_t *spec = oci_spec_parse(data, size);

    for (int mounts = OCI_MOUNTS_NONE; spec && mounts <= OCI_MOUNTS_BOUND; mounts++) {
        const struct oci_known known = {.privileged = -1, .mounts = (enum oci_mounts)mounts};
        struct container *container = container_new("x", 1, "");

        oci_spec_apply(container, spec, &context, &known);
        if (cmeta_record_encode(&container->content, buffer, sizeof(buffer), NULL) <= 0)
            abort();
        if (container->content.flags & CMETA_FLAG_PRIVILEGED &&
            json_array_size(json_object_get(json_object_get(spec, "linux"), "maskedPaths")))
            abort();
        container_free(container);
    }
    json_decref(spec);
    return 0;
}
