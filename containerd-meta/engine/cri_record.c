// SPDX-License-Identifier: Apache-2.0
#include "cri_record.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/json.h"
#include "containerd-meta/text.h"
#include "cri_config.h"
#include "docker_inspect.h"
#include "kube_image.h"

#include "shm/container_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CRIO "io.kubernetes.cri-o."

void cri_facts_done(struct cri_facts *facts)
{
    free(facts->sandbox_id);
    free(facts->image_query);
    free(facts->user_image);
    free(facts->image_name);
    free(facts->image_ref);
    free(facts->image_id);
    *facts = (struct cri_facts){0};
}

enum cmeta_type cri_record_type(const char *runtime_name)
{
    if (runtime_name && strcmp(runtime_name, "containerd") == 0)
        return CMETA_TYPE_CONTAINERD;
    return runtime_name && strcmp(runtime_name, "cri-o") == 0 ? CMETA_TYPE_CRIO : CMETA_TYPE_CRI;
}

// The verbose part: NULL if it isn't there, or no object.
static json_t *parse_info(struct proto_map map)
{
    const char *text = proto_map_get(map, "info");

    return text ? oci_spec_parse(text, strlen(text)) : NULL;
}

// CRI's IDs are of 64 digits; a runtime's own scope is for one that does otherwise.
static struct container *new_container(const char *id, enum cmeta_type type, const char *name,
                                       int64_t created_ns)
{
    const size_t len = strlen(id);
    struct container *container;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    container = container_new(id, len, docker_scope(id, type));
    if (!container)
        return NULL;
    container->content.type = (uint16_t)type;
    container->content.created_ns = created_ns > 0 ? created_ns : 0;
    if (text_present(name))
        container_set(container, CMETA_STRING_NAME, name);
    else
        pod_set_id_name(container);
    container_know(container, CMETA_GROUP_IDENTITY);
    container_know(container, CMETA_GROUP_HEALTH);
    return container;
}

static uint32_t state_word(int32_t state)
{
    static const uint32_t words[] = {CMETA_STATE_CREATED, CMETA_STATE_RUNNING, CMETA_STATE_EXITED};

    return state >= 0 && state < 3 ? words[state] : CMETA_STATE_UNKNOWN;
}

// The pod is told elsewhere; until then its names are those that the labels have.
static void await_pod(struct container *container, struct proto_map labels, const char *sandbox_id)
{
    cri_set_pod_strings(container, labels, sandbox_id);
    container->content.reason[CMETA_GROUP_POD] = CMETA_REASON_NOT_YET;
    container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
}

// --- images --------------------------------------------------------------------------------------

static int set_image(struct container *container, const struct cri_facts *facts,
                     const Cri__Image *image, bool is_complete)
{
    struct kube_image known = {.user = facts->user_image,
                               .name = facts->image_name,
                               .ref = facts->image_ref,
                               .id = facts->image_id,
                               .is_cri = true};

    if (image) {
        known.id = text_either(facts->image_id, text_present(image->id));
        known.names = (struct image_names){image->repo_tags, image->repo_digests,
                                           image->n_repo_tags, image->n_repo_digests};
    }
    return kube_image_apply(container, &known, is_complete);
}

int cri_record_add_image(struct container *container, const struct cri_facts *facts,
                         const Cri__Image *image)
{
    return set_image(container, facts, image, true);
}

static const char *user_image(const Cri__ImageSpec *spec, const json_t *info)
{
    const json_t *runtime_spec = json_object_get(info, "runtimeSpec");
    const char *text = spec ? text_present(spec->user_specified_image) : NULL;

    text = text_either(text, cri_config_user_image(json_object_get(info, "config")));
    text = text_either(
        text, text_present(oci_spec_annotation(runtime_spec, "io.kubernetes.cri.image-name")));
    return text_either(text, text_present(oci_spec_annotation(runtime_spec, CRIO "Image")));
}

static const char *image_id(const char *told, const json_t *info)
{
    const json_t *config_image = json_object_get(json_object_get(info, "config"), "image");
    const char *annotation =
        oci_spec_annotation(json_object_get(info, "runtimeSpec"), CRIO "ImageRef");

    told = text_either(image_id_or_null(told), image_id_or_null(json_text(config_image, "image")));
    return text_either(told, image_id_or_null(annotation));
}

static bool take_image(struct cri_facts *facts, const Cri__ImageSpec *spec, const char *ref,
                       const char *id, const json_t *info)
{
    const char *name = spec ? text_present(spec->image) : NULL;

    name = text_either(name, text_present(oci_spec_annotation(json_object_get(info, "runtimeSpec"),
                                                              CRIO "ImageName")));
    return text_keep(&facts->user_image, user_image(spec, info)) &&
           text_keep(&facts->image_name, name) && text_keep(&facts->image_ref, text_present(ref)) &&
           text_keep(&facts->image_id, image_id(id, info)) &&
           text_keep(&facts->image_query, text_either(text_present(ref), name));
}

// Hands out the container and the facts; frees both if memory ran out.
static struct container *conclude(struct container *container, struct cri_facts *told,
                                  bool is_whole, struct cri_facts *facts)
{
    if (is_whole)
        is_whole = set_image(container, told, NULL, false) == 0;
    if (is_whole && facts)
        *facts = *told;
    else
        cri_facts_done(told);
    return is_whole ? container : container_free(container);
}

// --- containers ----------------------------------------------------------------------------------

struct container *cri_record_from_list(const Cri__Container *element, enum cmeta_type type,
                                       const struct oci_context *context, struct cri_facts *facts)
{
    const struct proto_map labels = PROTO_MAP(element, labels);
    const char *sandbox_id = text_present(element->pod_sandbox_id);
    struct cri_facts told = {0};
    struct container *container = new_container(
        element->id, type, element->metadata ? element->metadata->name : NULL, element->created_at);
    bool is_whole;

    if (!container)
        return NULL;
    container->has_status = true;
    container->status = state_word(element->state);
    cri_add_labels(container, labels, &context->limits);
    await_pod(container, labels, sandbox_id);
    is_whole = text_keep(&told.sandbox_id, sandbox_id) &&
               take_image(&told, element->image, element->image_ref, element->image_id, NULL);
    return conclude(container, &told, is_whole, facts);
}

static void set_status(struct container *container, const Cri__ContainerStatus *status,
                       const json_t *info)
{
    const int64_t pid = json_number(info, "pid");

    container->has_status = true;
    container->status = state_word(status->state);
    container->content.started_ns = status->started_at > 0 ? status->started_at : 0;
    container->finished_ns = status->finished_at > 0 ? status->finished_at : 0;
    if (container->status == CMETA_STATE_EXITED)
        container->status |= ((uint32_t)status->exit_code & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    else if (pid > 0 && pid <= INT32_MAX)
        container->pid = (uint32_t)pid;
}

static void set_mounts(struct container *container, const Cri__ContainerStatus *status)
{
    for (size_t i = 0; i < status->n_mounts; i++) {
        const Cri__Mount *mount = status->mounts[i];

        container_add_mount(container, mount->host_path, mount->container_path, "",
                            cri_propagation_name(mount->propagation), !mount->readonly);
    }
    container_know(container, CMETA_GROUP_MOUNTS);
}

// -1 if nobody says so.
static int privileged(const json_t *info)
{
    const json_t *flag = json_object_get(info, "privileged");
    const json_t *context = json_object_get(
        json_object_get(json_object_get(info, "runtimeSpec"), "linux"), "security_context");

    if (!json_is_boolean(flag))
        flag = json_object_get(context, "privileged");
    if (json_is_boolean(flag))
        return json_is_true(flag);
    return cri_config_privileged(json_object_get(info, "config"));
}

static void set_by_spec(struct container *container, const json_t *info,
                        const struct oci_context *context, const struct oci_known *known)
{
    const json_t *runtime_spec = json_object_get(info, "runtimeSpec");

    if (!json_is_object(runtime_spec) && json_is_object(info)) {
        container->content.reason[CMETA_GROUP_SECURITY] = CMETA_REASON_NOT_TOLD;
        container->content.reason[CMETA_GROUP_LIMITS] = CMETA_REASON_NOT_TOLD;
    }
    oci_spec_apply(container, runtime_spec, context, known);
}

// What the status itself says is newer than the spec that the container was made with.
static void set_by_status(struct container *container, const Cri__ContainerStatus *status)
{
    const Cri__LinuxContainerResources *resources =
        status->resources ? status->resources->linux_options : NULL;
    char user[24];

    if (status->user && status->user->linux_options) {
        snprintf(user, sizeof(user), "%" PRId64, status->user->linux_options->uid);
        container_set(container, CMETA_STRING_USER, user);
    }
    if (!resources)
        return;
    container_set_resources(container, &(struct container_resources){
                                           .cpu_period = resources->cpu_period,
                                           .cpu_quota = resources->cpu_quota,
                                           .cpu_shares = resources->cpu_shares,
                                           .cpus = resources->cpuset_cpus,
                                           .memory = resources->memory_limit_in_bytes,
                                           .swap = resources->memory_swap_limit_in_bytes,
                                       });
    container_know(container, CMETA_GROUP_LIMITS);
}

static const char *sandbox_of(const json_t *info, const char *told)
{
    const json_t *runtime_spec = json_object_get(info, "runtimeSpec");

    told = text_either(text_present(told), text_present(json_text(info, "sandboxID")));
    told = text_either(
        told, text_present(oci_spec_annotation(runtime_spec, "io.kubernetes.cri.sandbox-id")));
    return text_either(told, text_present(oci_spec_annotation(runtime_spec, CRIO "SandboxID")));
}

struct container *cri_record_from_status(const Cri__ContainerStatusResponse *response,
                                         enum cmeta_type type, const char *sandbox_id,
                                         const struct oci_context *context, struct cri_facts *facts)
{
    const Cri__ContainerStatus *status = response->status;
    json_auto_t *info = parse_info(PROTO_MAP(response, info));
    const struct oci_known known = {.privileged = privileged(info), .mounts = OCI_MOUNTS_NONE};
    struct container *container;
    struct cri_facts told = {0};
    bool is_whole;

    container =
        status ? new_container(status->id, type, status->metadata ? status->metadata->name : NULL,
                               status->created_at)
               : NULL;
    if (!container)
        return NULL;
    sandbox_id = sandbox_of(info, sandbox_id);
    set_status(container, status, info);
    cri_add_labels(container, PROTO_MAP(status, labels), &context->limits);
    await_pod(container, PROTO_MAP(status, labels), sandbox_id);
    container->content.flags |= cri_config_host_flags(json_object_get(info, "config"));
    set_by_spec(container, info, context, &known);
    set_by_status(container, status);
    set_mounts(container, status);
    is_whole = text_keep(&told.sandbox_id, sandbox_id) &&
               take_image(&told, status->image, status->image_ref, status->image_id, info);
    return conclude(container, &told, is_whole, facts);
}

// --- pods ----------------------------------------------------------------------------------------

static struct pod *new_pod(const char *id, enum cmeta_type type,
                           const Cri__PodSandboxMetadata *meta, int64_t created_ns)
{
    struct pod *pod = pod_new(id, docker_scope(id, type), type);

    if (!pod)
        return NULL;
    pod_set_created(pod, created_ns);
    if (meta)
        pod_set_metadata(pod, meta->name, meta->namespace_, meta->uid);
    return pod;
}

static void add_annotations(struct pod *pod, struct proto_map map)
{
    for (size_t i = 0; i < map.count; i++)
        pod_add_annotation(pod, map.entries[i]->key, strlen(map.entries[i]->key),
                           map.entries[i]->value, strlen(map.entries[i]->value));
}

static struct pod *sealed(struct pod *pod)
{
    return pod_seal(pod) < 0 ? pod_free(pod) : pod;
}

struct pod *cri_record_pod_from_list(const Cri__PodSandbox *element, enum cmeta_type type,
                                     const struct oci_context *context)
{
    struct pod *pod = new_pod(element->id, type, element->metadata, element->created_at);

    if (!pod)
        return NULL;
    pod->has_state = true;
    pod->is_ready = element->state == 0;
    cri_add_pod_labels(pod, PROTO_MAP(element, labels), &context->limits);
    add_annotations(pod, PROTO_MAP(element, annotations));
    return sealed(pod);
}

static uint32_t host_flags(const Cri__PodSandboxStatus *status)
{
    const Cri__Namespace *namespaces =
        status->linux_options ? status->linux_options->namespaces : NULL;
    const Cri__NamespaceOption *options = namespaces ? namespaces->options : NULL;
    uint32_t flags = 0;

    if (!options)
        return 0;
    flags |= options->network == CRI_NAMESPACE_NODE ? CMETA_FLAG_HOST_NETWORK : 0;
    flags |= options->pid == CRI_NAMESPACE_NODE ? CMETA_FLAG_HOST_PID : 0;
    flags |= options->ipc == CRI_NAMESPACE_NODE ? CMETA_FLAG_HOST_IPC : 0;
    return flags;
}

// containerd tells the result as an object; CRI-O as text, among the annotations of the spec.
static void set_cni(struct pod *pod, const json_t *info)
{
    const json_t *result = json_object_get(info, "cniResult");
    const char *text = oci_spec_annotation(json_object_get(info, "runtimeSpec"), CRIO "CNIResult");
    json_auto_t *parsed = text ? json_parse(text, strlen(text)) : NULL;

    pod_set_cni(pod, json_is_object(result) ? result : parsed);
}

static void set_network(struct pod *pod, const Cri__PodSandboxStatus *status, const json_t *info)
{
    const Cri__PodSandboxNetworkStatus *network = status->network;

    pod->host_flags = host_flags(status);
    if (network)
        pod_add_address(pod, network->ip);
    for (size_t i = 0; network && i < network->n_additional_ips; i++)
        pod_add_address(pod, network->additional_ips[i]->ip);
    set_cni(pod, info);
    // What is torn down has no address any more, what begins none yet: that isn't to say none at
    // all.
    pod->network_is_known = (pod->host_flags & CMETA_FLAG_HOST_NETWORK) != 0;
}

struct pod *cri_record_pod_from_status(const Cri__PodSandboxStatusResponse *response,
                                       enum cmeta_type type, const struct oci_context *context)
{
    const Cri__PodSandboxStatus *status = response->status;
    json_auto_t *info = parse_info(PROTO_MAP(response, info));
    struct pod *pod =
        status ? new_pod(status->id, type, status->metadata, status->created_at) : NULL;
    int64_t pid = json_number(info, "pid");

    if (!pod)
        return NULL;
    pod->has_state = true;
    pod->is_ready = status->state == 0;
    pod->pid = pod->is_ready && pid > 0 && pid <= INT32_MAX ? (uint32_t)pid : 0;
    cri_add_pod_labels(pod, PROTO_MAP(status, labels), &context->limits);
    add_annotations(pod, PROTO_MAP(status, annotations));
    set_network(pod, status, info);
    return sealed(pod);
}

struct container *cri_record_sandbox(const Cri__PodSandboxStatusResponse *response,
                                     const struct pod *pod, const struct oci_context *context)
{
    json_auto_t *info = parse_info(PROTO_MAP(response, info));
    const char *annotation =
        oci_spec_annotation(json_object_get(info, "runtimeSpec"), CRIO "PrivilegedRuntime");
    const struct oci_known known = {.privileged = annotation ? strcmp(annotation, "true") == 0 : -1,
                                    .mounts = OCI_MOUNTS_NONE};
    struct container *container = pod_to_container(pod);

    if (!container)
        return NULL;
    set_by_spec(container, info, context, &known);
    container_know(container, CMETA_GROUP_MOUNTS); // nobody asks for mounts of a sandbox
    return container_failed(container) ? container_free(container) : container;
}

int64_t cri_record_size(const Cri__ContainerStats *stats)
{
    const Cri__UInt64Value *used =
        stats && stats->writable_layer ? stats->writable_layer->used_bytes : NULL;

    if (!used)
        return -1;
    return used->value > INT64_MAX ? INT64_MAX : (int64_t)used->value;
}
