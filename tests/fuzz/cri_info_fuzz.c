// SPDX-License-Identifier: Apache-2.0
// Any text as CRI's verbose part, of a container and of a pod; any bytes as the answers themselves.
#include "containerd-meta/engine/cri_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "656fd054b0d9421897bee846d661c4856e580b3360f8aba083a92586c4d6dd13"

static const struct oci_context context = {.limits = {.label_max_len = 100, .env = ENV_VALUES}};
static _Alignas(64) uint8_t buffer[CMETA_RECORD_MAX];

static void finish(struct container *container)
{
    if (container && cmeta_record_encode(&container->content, buffer, sizeof(buffer), NULL) <= 0)
        abort();
    container_free(container);
}

static void take_status(const Cri__ContainerStatusResponse *response)
{
    struct cri_facts facts = {0};
    struct container *container =
        cri_record_from_status(response, CMETA_TYPE_CRIO, NULL, &context, &facts);

    if (container && cri_record_add_image(container, &facts, NULL) == 0 &&
        !(container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE)))
        abort();
    finish(container);
    cri_facts_done(&facts);
}

static void take_pod(const Cri__PodSandboxStatusResponse *response)
{
    struct pod *pod = cri_record_pod_from_status(response, CMETA_TYPE_CRIO, &context);

    if (pod)
        finish(cri_record_sandbox(response, pod, &context));
    if (pod && !pod_equal(pod, pod))
        abort();
    pod_free(pod);
}

static void take_info(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    Cri__ContainerStatus status = CRI__CONTAINER_STATUS__INIT;
    Cri__ContainerStatusResponse response = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    Cri__ContainerStatusResponse__InfoEntry entry =
        CRI__CONTAINER_STATUS_RESPONSE__INFO_ENTRY__INIT;
    Cri__ContainerStatusResponse__InfoEntry *entries[] = {&entry};
    Cri__PodSandboxStatus pod = CRI__POD_SANDBOX_STATUS__INIT;
    Cri__PodSandboxStatusResponse pod_response = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
    Cri__PodSandboxStatusResponse__InfoEntry pod_entry =
        CRI__POD_SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT;
    Cri__PodSandboxStatusResponse__InfoEntry *pod_entries[] = {&pod_entry};

    memcpy(text, data, size);
    text[size] = '\0';
    status.id = pod.id = ID;
    entry.key = pod_entry.key = "info";
    entry.value = pod_entry.value = text;
    response.status = &status;
    response.info = entries;
    pod_response.status = &pod;
    pod_response.info = pod_entries;
    response.n_info = pod_response.n_info = 1;
    take_status(&response);
    take_pod(&pod_response);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Cri__ContainerStatusResponse *response =
        cri__container_status_response__unpack(NULL, size, data);
    Cri__PodSandboxStatusResponse *pod = cri__pod_sandbox_status_response__unpack(NULL, size, data);

    take_info(data, size);
    if (response)
        take_status(response);
    if (pod)
        take_pod(pod);
    if (response)
        cri__container_status_response__free_unpacked(response, NULL);
    if (pod)
        cri__pod_sandbox_status_response__free_unpacked(pod, NULL);
    return 0;
}
