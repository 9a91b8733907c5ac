// SPDX-License-Identifier: Apache-2.0
#include "nri_record.h"

#include "containerd-meta/text.h"
#include "cri_config.h"
#include "docker_inspect.h"
#include "kube_image.h"
#include "proto_map.h"

#include "shm/container_id.h"

#include <string.h>

// --- pods ----------------------------------------------------------------------------------------

static bool has_namespace(const Nri__LinuxPodSandbox *linux_part, const char *type)
{
    for (size_t i = 0; i < linux_part->n_namespaces; i++)
        if (strcmp(linux_part->namespaces[i]->type, type) == 0)
            return true;
    return false;
}

// Without a namespace of its own it is in the host's; without any list nobody knows.
static uint32_t host_flags(const Nri__LinuxPodSandbox *linux_part)
{
    uint32_t flags = 0;

    if (!linux_part || linux_part->n_namespaces == 0)
        return 0;
    flags |= has_namespace(linux_part, "network") ? 0 : CMETA_FLAG_HOST_NETWORK;
    flags |= has_namespace(linux_part, "pid") ? 0 : CMETA_FLAG_HOST_PID;
    flags |= has_namespace(linux_part, "ipc") ? 0 : CMETA_FLAG_HOST_IPC;
    return flags;
}

struct pod *nri_record_pod(const Nri__PodSandbox *message, enum cmeta_type type,
                           const struct oci_context *context)
{
    const struct proto_map annotations = PROTO_MAP(message, annotations);
    struct pod *pod = pod_new(message->id, docker_scope(message->id, type), type);

    if (!pod)
        return NULL;
    pod_set_metadata(pod, message->name, message->namespace_, message->uid);
    cri_add_pod_labels(pod, PROTO_MAP(message, labels), &context->limits);
    for (size_t i = 0; i < annotations.count; i++)
        pod_add_annotation(pod, annotations.entries[i]->key, strlen(annotations.entries[i]->key),
                           annotations.entries[i]->value, strlen(annotations.entries[i]->value));
    for (size_t i = 0; i < message->n_ips; i++)
        pod_add_address(pod, message->ips[i]);
    pod->host_flags = host_flags(message->linux_part);
    pod->network_is_known = (pod->host_flags & CMETA_FLAG_HOST_NETWORK) != 0;
    pod->has_state = true;
    pod->is_ready = true;
    pod->pid = message->pid <= INT32_MAX ? message->pid : 0;
    return pod_seal(pod) < 0 ? pod_free(pod) : pod;
}

struct container *nri_record_sandbox(const struct pod *pod)
{
    struct container *container = pod_to_container(pod);

    if (!container)
        return NULL;
    container_know(container, CMETA_GROUP_MOUNTS); // nobody asks for mounts of a sandbox
    container->content.reason[CMETA_GROUP_SECURITY] = CMETA_REASON_NOT_TOLD;
    return container_failed(container) ? container_free(container) : container;
}

// --- containers ----------------------------------------------------------------------------------

static void set_identity(struct container *container, const Nri__Container *message,
                         enum cmeta_type type, int64_t created_ns)
{
    container->content.type = (uint16_t)type;
    container->content.created_ns = message->created_at > 0 ? message->created_at : created_ns;
    container->content.started_ns = message->started_at > 0 ? message->started_at : 0;
    if (text_present(message->name))
        container_set(container, CMETA_STRING_NAME, message->name);
    else
        pod_set_id_name(container);
    if (container->content.created_ns > 0)
        container_know(container, CMETA_GROUP_IDENTITY);
    container_know(container, CMETA_GROUP_HEALTH); // as with CRI: there are none
}

// Whose annotations tell the image: containerd's, CRI-O's.
static const char *annotated(struct proto_map annotations, const char *key)
{
    return text_present(proto_map_get(annotations, key));
}

static void set_image(struct container *container, const Nri__Container *message)
{
    const struct proto_map annotations = PROTO_MAP(message, annotations);
    const Nri__Image *image = message->image;
    struct kube_image known = {
        .user = text_either(annotated(annotations, "io.kubernetes.cri.image-name"),
                            annotated(annotations, "io.kubernetes.cri-o.Image")),
        .name = annotated(annotations, "io.kubernetes.cri-o.ImageName"),
        .ref = annotated(annotations, "io.kubernetes.cri-o.ImageRef"),
        .is_cri = true};

    if (image) {
        known.name = text_either(text_present(image->name), known.name);
        known.id = text_present(image->config_digest);
        known.target = text_present(image->digest);
    }
    kube_image_apply(container, &known, known.name && known.id && known.target);
}

static bool has_option(const Nri__Mount *mount, const char *option)
{
    for (size_t i = 0; i < mount->n_options; i++)
        if (strcmp(mount->options[i], option) == 0)
            return true;
    return false;
}

// In containerd's folder of a sandbox, or in that of CRI-O's storage.
bool nri_mount_is_the_runtimes(const Nri__Mount *mount)
{
    return strstr(mount->source, "/io.containerd.grpc.v1.cri/sandboxes/") ||
           strstr(mount->source, "/overlay-containers/") || strstr(mount->source, "/userdata/");
}

static int64_t propagation_of(const Nri__Mount *mount)
{
    if (has_option(mount, "rshared") || has_option(mount, "shared"))
        return 2;
    return has_option(mount, "rslave") || has_option(mount, "slave") ? 1 : 0;
}

static void set_mounts(struct container *container, const Nri__Container *message)
{
    for (size_t i = 0; i < message->n_mounts; i++) {
        const Nri__Mount *mount = message->mounts[i];

        if (strcmp(mount->type, "bind") != 0 && !has_option(mount, "bind") &&
            !has_option(mount, "rbind"))
            continue;
        if (!nri_mount_is_the_runtimes(mount))
            container_add_mount(container, mount->source, mount->destination, "",
                                cri_propagation_name(propagation_of(mount)),
                                !has_option(mount, "ro"));
    }
    container_know(container, CMETA_GROUP_MOUNTS);
}

static int64_t cut(const Nri__OptionalUInt64 *value)
{
    return !value ? 0 : value->value > INT64_MAX ? INT64_MAX : (int64_t)value->value;
}

static int64_t number(const Nri__OptionalInt64 *value)
{
    return value ? value->value : 0;
}

static void set_limits(struct container *container, const Nri__Container *message,
                       const struct container_limits *limits)
{
    const Nri__LinuxResources *resources = message->linux_part->resources;
    const Nri__LinuxMemory *memory = resources ? resources->memory : NULL;
    const Nri__LinuxCPU *cpu = resources ? resources->cpu : NULL;

    container_set_resources(container, &(struct container_resources){
                                           .cpu_period = cpu ? cut(cpu->period) : 0,
                                           .cpu_quota = cpu ? number(cpu->quota) : 0,
                                           .cpu_shares = cpu ? cut(cpu->shares) : 0,
                                           .cpus = cpu ? cpu->cpus : NULL,
                                           .memory = memory ? number(memory->limit) : 0,
                                           .swap = memory ? number(memory->swap) : 0,
                                       });
    for (size_t i = 0; i < message->n_env; i++)
        container_add_env(container, limits, message->env[i]);
    container_know(container, CMETA_GROUP_LIMITS);
}

uint32_t nri_record_status(const Nri__Container *message)
{
    static const uint32_t words[] = {CMETA_STATE_UNKNOWN, CMETA_STATE_CREATED, CMETA_STATE_PAUSED,
                                     CMETA_STATE_RUNNING, CMETA_STATE_EXITED};
    uint32_t word =
        message->state >= 0 && message->state < 5 ? words[message->state] : CMETA_STATE_UNKNOWN;

    if (word == CMETA_STATE_EXITED && message->finished_at > 0)
        word |= ((uint32_t)message->exit_code & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    return word;
}

static void set_status(struct container *container, const Nri__Container *message)
{
    container->has_status = true;
    container->status = nri_record_status(message);
    container->pid = message->pid <= INT32_MAX ? message->pid : 0;
    container->finished_ns = message->finished_at > 0 ? message->finished_at : 0;
}

struct container *nri_record_container(const Nri__Container *message, const struct pod *pod,
                                       const json_t *spec, enum cmeta_type type, int64_t created_ns,
                                       const struct oci_context *context)
{
    const struct oci_known known = {.privileged = -1, .mounts = OCI_MOUNTS_NONE};
    const struct proto_map labels = PROTO_MAP(message, labels);
    const size_t len = strlen(message->id);
    struct container *container;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    container = container_new(message->id, len, docker_scope(message->id, type));
    if (!container)
        return NULL;
    set_identity(container, message, type, created_ns);
    set_image(container, message);
    cri_add_labels(container, labels, &context->limits);
    cri_set_pod_strings(container, labels, text_present(message->pod_sandbox_id));
    set_mounts(container, message);
    if (spec)
        oci_spec_apply(container, spec, context, &known);
    else if (message->linux_part)
        set_limits(container, message, &context->limits);
    if (!(container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY)))
        container->content.reason[CMETA_GROUP_SECURITY] = CMETA_REASON_NOT_TOLD;
    set_status(container, message);
    if (pod)
        pod_apply(pod, container);
    return container_failed(container) ? container_free(container) : container;
}
