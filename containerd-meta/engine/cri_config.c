// SPDX-License-Identifier: Apache-2.0
#include "cri_config.h"

#include "containerd-meta/image_ref.h"
#include "containerd-meta/json.h"
#include "containerd-meta/text.h"

#include <string.h>

static const json_t *security_context(const json_t *config)
{
    return json_object_get(json_object_get(config, "linux"), "security_context");
}

int cri_config_privileged(const json_t *config)
{
    if (!json_is_object(config))
        return -1;
    return json_is_true(json_object_get(security_context(config), "privileged"));
}

uint32_t cri_config_host_flags(const json_t *config)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } kinds[] = {{"network", CMETA_FLAG_HOST_NETWORK},
                 {"pid", CMETA_FLAG_HOST_PID},
                 {"ipc", CMETA_FLAG_HOST_IPC}};
    const json_t *options = json_object_get(security_context(config), "namespace_options");
    uint32_t flags = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (json_whole(options, kinds[i].key) == CRI_NAMESPACE_NODE)
            flags |= kinds[i].flag;
    return flags;
}

const char *cri_config_user_image(const json_t *config)
{
    const json_t *image = json_object_get(config, "image");
    const char *asked = text_present(json_text(image, "image"));

    return text_either(text_present(json_text(image, "user_specified_image")),
                       image_id_is(asked) ? NULL : asked);
}

const char *cri_propagation_name(int64_t propagation)
{
    static const char *const names[] = {"private", "rslave", "rshared"};

    return propagation >= 0 && propagation < 3 ? names[propagation] : "unknown";
}

void cri_config_add_mounts(struct container *container, const json_t *config)
{
    const json_t *mount;
    size_t i;

    if (!json_is_object(config))
        return;
    json_array_foreach (json_object_get(config, "mounts"), i, mount)
        if (json_is_object(mount))
            container_add_mount(container, json_text(mount, "host_path"),
                                json_text(mount, "container_path"), "",
                                cri_propagation_name(json_whole(mount, "propagation")),
                                !json_is_true(json_object_get(mount, "readonly")));
    container_know(container, CMETA_GROUP_MOUNTS);
}

void cri_config_fill_pod(struct pod *pod, const json_t *config,
                         const struct container_limits *limits)
{
    const json_t *metadata = json_object_get(config, "metadata");
    const char *key;
    json_t *value;

    pod_set_metadata(pod, json_text(metadata, "name"), json_text(metadata, "namespace"),
                     json_text(metadata, "uid"));
    json_object_foreach (json_object_get(config, "labels"), key, value)
        if (json_is_string(value))
            pod_add_label(pod, limits, key, strlen(key), json_string_value(value),
                          json_string_length(value));
    json_object_foreach (json_object_get(config, "annotations"), key, value)
        if (json_is_string(value))
            pod_add_annotation(pod, key, strlen(key), json_string_value(value),
                               json_string_length(value));
    pod->host_flags |= cri_config_host_flags(config);
}

void cri_add_labels(struct container *container, struct proto_map labels,
                    const struct container_limits *limits)
{
    for (size_t i = 0; i < labels.count; i++)
        container_add_label(container, limits, labels.entries[i]->key,
                            strlen(labels.entries[i]->key), labels.entries[i]->value,
                            strlen(labels.entries[i]->value));
    container_know(container, CMETA_GROUP_LABELS);
}

void cri_add_pod_labels(struct pod *pod, struct proto_map labels,
                        const struct container_limits *limits)
{
    for (size_t i = 0; i < labels.count; i++)
        pod_add_label(pod, limits, labels.entries[i]->key, strlen(labels.entries[i]->key),
                      labels.entries[i]->value, strlen(labels.entries[i]->value));
}

void cri_set_pod_strings(struct container *container, struct proto_map labels,
                         const char *sandbox_id)
{
    static const struct {
        const char *label;
        enum cmeta_string string;
    } names[] = {{"io.kubernetes.pod.name", CMETA_STRING_POD_NAME},
                 {"io.kubernetes.pod.namespace", CMETA_STRING_POD_NAMESPACE},
                 {"io.kubernetes.pod.uid", CMETA_STRING_POD_UID}};
    static const struct container_limits no_limit = {.label_max_len = CMETA_LABEL_VALUE_MAX};
    static const char sandbox_label[] = "io.kubernetes.sandbox.id";

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = proto_map_get(labels, names[i].label);

        if (text_present(value))
            container_set(container, names[i].string, value);
    }
    if (!text_present(sandbox_id))
        return;
    container_set(container, CMETA_STRING_POD_SANDBOX_ID, sandbox_id);
    container_add_label(container, &no_limit, sandbox_label, sizeof(sandbox_label) - 1, sandbox_id,
                        strlen(sandbox_id));
}
