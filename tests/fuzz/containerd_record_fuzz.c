// SPDX-License-Identifier: Apache-2.0
// Any bytes as messages of containerd: a container or none, a pod or none, never a fault.
#include "containerd-meta/engine/containerd_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_VALUES}};
static _Alignas(64) uint8_t buffer[CMETA_RECORD_MAX];

static void finish(struct container *container)
{
    if (container && cmeta_record_encode(&container->content, buffer, sizeof(buffer), NULL) <= 0)
        abort();
    container_free(container);
}

static void take_container(const uint8_t *data, size_t size)
{
    Containerd__Container *message = containerd__container__unpack(NULL, size, data);
    struct containerd_facts facts = {0};
    struct container *container;
    struct pod *pod;

    if (!message)
        return;
    container = containerd_record_from_container(message, "k8s.io", &context, &facts);
    pod = containerd_record_pod(message, "k8s.io", &context);
    if (container && (pod != NULL) != facts.is_sandbox)
        abort();
    if (container && facts.pod && !pod_equal(pod, facts.pod))
        abort();
    if (container)
        containerd_record_add_image(container, &facts, NULL);
    finish(container);
    finish(containerd_record_from_docker(message, &context));
    containerd_facts_done(&facts);
    pod_free(pod);
    containerd__container__free_unpacked(message, NULL);
}

static void take_sandbox(const uint8_t *data, size_t size)
{
    Containerd__Sandbox *message = containerd__sandbox__unpack(NULL, size, data);
    struct pod *pod;

    if (!message)
        return;
    pod = containerd_record_pod_from_sandbox(message, "k8s.io", &context);
    if (pod)
        finish(pod_to_container(pod));
    pod_free(pod);
    containerd__sandbox__free_unpacked(message, NULL);
}

// The JSON inside is rarely reached by bytes of a message: it is tried for itself, in each place.
static void take_details(const uint8_t *data, size_t size)
{
    static char *const keys[] = {"io.cri-containerd.container.metadata",
                                 "io.cri-containerd.sandbox.metadata"};

    for (int k = 0; k < 2; k++) {
        Containerd__Container message = CONTAINERD__CONTAINER__INIT;
        Containerd__Container__ExtensionsEntry entry =
            CONTAINERD__CONTAINER__EXTENSIONS_ENTRY__INIT;
        Containerd__Container__ExtensionsEntry *entries[] = {&entry};
        Containerd__Any any = CONTAINERD__ANY__INIT;
        struct containerd_facts facts = {0};

        any.value = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
        entry.key = keys[k];
        entry.value = &any;
        message.id = "x";
        message.extensions = entries;
        message.n_extensions = 1;
        finish(containerd_record_from_container(&message, "k8s.io", &context, &facts));
        containerd_facts_done(&facts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_container(data, size);
    take_sandbox(data, size);
    take_details(data, size);
    return 0;
}
