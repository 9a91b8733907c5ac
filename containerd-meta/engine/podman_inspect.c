// SPDX-License-Identifier: Apache-2.0
#include "podman_inspect.h"

#include "containerd-meta/json.h"
#include "docker_inspect.h"
#include "pod.h"

#include "shm/container_id.h"

#include <stdio.h>
#include <string.h>

static bool is_text(const json_t *object, const char *key, const char *expected)
{
    const char *text = json_text(object, key);

    return text && strcmp(text, expected) == 0;
}

// A member that is an ID; NULL if it is none.
static const char *id_of(const json_t *object, const char *key)
{
    const char *id = json_text(object, key);

    return id && cmeta_id_is_hex64(id, strlen(id)) ? id : NULL;
}

// --- pods ----------------------------------------------------------------------------------------

// It is in a pod: what there is to know of that comes with the pod's own answer.
static void expect_pod(struct container *container)
{
    container->content.known &= ~(uint32_t)CMETA_GROUP_BIT(CMETA_GROUP_POD);
    container->content.reason[CMETA_GROUP_POD] = CMETA_REASON_NOT_YET;
}

static void add_labels(struct pod *pod, const json_t *labels, const struct container_limits *limits)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)labels, key, value)
        if (json_is_string(value))
            pod_add_label(pod, limits, key, strlen(key), json_string_value(value),
                          json_string_length(value));
}

// Its addresses are those of its containers, which share the network; theirs are known already.
static void add_addresses(struct pod *pod, const struct container *container)
{
    for (uint32_t i = 0; i < container->content.addresses_count; i++) {
        const struct cmeta_str *address = &container->content.addresses[i];
        char text[64];

        snprintf(text, sizeof(text), "%.*s", (int)address->len, address->data);
        pod_add_address(pod, text);
    }
    pod->network_is_known = container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK);
}

static bool shares(const json_t *answer, const char *namespace)
{
    const json_t *shared;
    size_t i;

    json_array_foreach (json_object_get(answer, "SharedNamespaces"), i, shared)
        if (json_is_string(shared) && strcmp(json_string_value(shared), namespace) == 0)
            return true;
    return false;
}

static uint32_t host_flags(const json_t *answer)
{
    const json_t *infra = json_object_get(answer, "InfraConfig");
    uint32_t flags = 0;

    if (json_is_true(json_object_get(infra, "HostNetwork")))
        flags |= CMETA_FLAG_HOST_NETWORK;
    if (shares(answer, "pid") && is_text(infra, "pid_ns", "host"))
        flags |= CMETA_FLAG_HOST_PID;
    return flags;
}

void podman_container_add_pod(struct container *container, const json_t *answer,
                              const struct container_limits *limits)
{
    const char *id = id_of(answer, "Id"), *infra = id_of(answer, "InfraContainerID");
    struct pod *pod = id ? pod_new(infra ? infra : id, "", CMETA_TYPE_PODMAN) : NULL;

    if (!pod)
        return;
    pod->spares_labels = true;
    pod->host_flags = host_flags(answer);
    pod_set_metadata(pod, json_text(answer, "Name"), "", id);
    add_labels(pod, json_object_get(answer, "Labels"), limits);
    add_addresses(pod, container);
    if (pod_seal(pod) == 0)
        pod_apply(pod, container);
    pod_free(pod);
}

// --- one container -------------------------------------------------------------------------------

static bool is_in_pod(const json_t *json)
{
    return id_of(json, "Pod") != NULL;
}

static void set_image(struct container *container, const json_t *inspect)
{
    const char *name = json_text(inspect, "ImageName"), *id = json_text(inspect, "Image"),
               *digest = json_text(inspect, "ImageDigest");
    struct cmeta_str *strings = container->content.strings;

    // The infra container of newer versions has no image; who was started from a folder has none
    // either.
    if ((!name || !*name) && (!id || !*id) && (container->content.flags & CMETA_FLAG_POD_SANDBOX))
        return;
    docker_container_add_image(container, name ? name : "", id, NULL);
    if (strings[CMETA_STRING_IMAGE_DIGEST].len == 0 && digest)
        container_set(container, CMETA_STRING_IMAGE_DIGEST, digest);
}

// Up to 4.3 the mode says "shareable" for the host's too; the command that made it tells.
static bool asked_for_host_ipc(const json_t *config)
{
    const json_t *command = json_object_get(config, "CreateCommand"), *word;
    const char *before = "";
    size_t i;

    json_array_foreach ((json_t *)command, i, word) {
        const char *text = json_is_string(word) ? json_string_value(word) : "";

        if (strcmp(text, "--ipc=host") == 0 ||
            (strcmp(before, "--ipc") == 0 && strcmp(text, "host") == 0))
            return true;
        before = text;
    }
    return false;
}

static const char *sandbox_of(const json_t *inspect)
{
    const json_t *annotations = json_object_get(json_object_get(inspect, "Config"), "Annotations");

    return json_is_true(json_object_get(inspect, "IsInfra"))
               ? id_of(inspect, "Id")
               : id_of(annotations, "io.kubernetes.cri-o.SandboxID");
}

struct container *podman_container_from_inspect(const json_t *inspect,
                                                const struct container_limits *limits,
                                                bool with_size)
{
    struct container *container =
        id_of(inspect, "Id")
            ? docker_container_from_inspect(inspect, CMETA_TYPE_PODMAN, limits, with_size)
            : NULL;

    if (!container)
        return NULL;
    if (asked_for_host_ipc(json_object_get(inspect, "Config")))
        container->content.flags |= CMETA_FLAG_HOST_IPC;
    if (json_is_true(json_object_get(inspect, "IsInfra")))
        pod_mark_sandbox(container);
    set_image(container, inspect);
    if (is_in_pod(inspect)) {
        expect_pod(container);
        container_set(container, CMETA_STRING_POD_SANDBOX_ID, sandbox_of(inspect));
    }
    return container_failed(container) ? container_free(container) : container;
}

struct container *podman_container_from_list(const json_t *element,
                                             const struct container_limits *limits)
{
    struct container *container =
        id_of(element, "Id") ? docker_container_from_list(element, CMETA_TYPE_PODMAN, limits)
                             : NULL;

    if (!container)
        return NULL;
    if (json_is_true(json_object_get(element, "IsInfra")))
        pod_mark_sandbox(container);
    if (is_in_pod(element)) {
        expect_pod(container);
        container_set(container, CMETA_STRING_POD_NAME, json_text(element, "PodName"));
    }
    return container_failed(container) ? container_free(container) : container;
}

static bool pod_path(const json_t *inspect, char *path, size_t size)
{
    const char *id = id_of(inspect, "Pod");

    if (id)
        snprintf(path, size, "/pods/%s/json", id);
    return id;
}

// --- the dialect ---------------------------------------------------------------------------------

static const char *const event_attributes[] = {
    "name", "image", "containerExitCode", "podId", "oomKilled", "network", "error", NULL};

const struct docker_dialect podman_dialect = {.type = CMETA_TYPE_PODMAN,
                                              .event_attributes = event_attributes,
                                              .ids_are_hex64 = true,
                                              .health_event_lags = true,
                                              .asks_again = true,
                                              .inspect_tells_image = true,
                                              .from_list = podman_container_from_list,
                                              .from_inspect = podman_container_from_inspect,
                                              .further_path = pod_path,
                                              .add_further = podman_container_add_pod,
                                              .further_is_needed = true};
