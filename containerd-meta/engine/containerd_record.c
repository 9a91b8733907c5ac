// SPDX-License-Identifier: Apache-2.0
#include "containerd_record.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/json.h"
#include "containerd-meta/text.h"
#include "cri_config.h"
#include "kube_image.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KIND_LABEL        "io.cri-containerd.kind"
#define CONTAINER_DETAILS "io.cri-containerd.container.metadata"
#define SANDBOX_DETAILS   "io.cri-containerd.sandbox.metadata"

// A record with what is inside it. NULL where it has none, or none that makes sense.
struct source {
    const Containerd__Container *message;
    struct proto_map labels;
    json_t *spec;
    json_t *container_details, *sandbox_details; // of containerd's CRI plugin
    const json_t *details;                       // one of them: "Metadata"
    const json_t *config;                        // what the kubelet asked for
};

static json_t *parse_any(const Containerd__Any *any)
{
    return any && any->value.len
               ? json_parse_any_number((const char *)any->value.data, any->value.len)
               : NULL;
}

static json_t *extension(const Containerd__Container *message, const char *key)
{
    for (size_t i = message->n_extensions; i > 0; i--)
        if (strcmp(message->extensions[i - 1]->key, key) == 0)
            return parse_any(message->extensions[i - 1]->value);
    return NULL;
}

static void source_open(struct source *source, const Containerd__Container *message)
{
    *source = (struct source){.message = message, .labels = PROTO_MAP(message, labels)};
    if (message->spec)
        source->spec = oci_spec_parse(message->spec->value.data, message->spec->value.len);
    source->container_details = extension(message, CONTAINER_DETAILS);
    source->sandbox_details = extension(message, SANDBOX_DETAILS);
    source->details = json_object_get(
        source->sandbox_details ? source->sandbox_details : source->container_details, "Metadata");
    source->config = json_object_get(source->details, "Config");
}

static void source_close(struct source *source)
{
    json_decref(source->spec);
    json_decref(source->container_details);
    json_decref(source->sandbox_details);
}

static bool is_sandbox(const struct source *source)
{
    return source->sandbox_details ||
           text_is(proto_map_get(source->labels, KIND_LABEL), "sandbox") ||
           text_is(oci_spec_annotation(source->spec, "io.kubernetes.cri.container-type"),
                   "sandbox");
}

static bool is_cri(const struct source *source)
{
    return source->container_details || source->sandbox_details ||
           proto_map_get(source->labels, KIND_LABEL) ||
           oci_spec_annotation(source->spec, "io.kubernetes.cri.container-type");
}

// --- facts ---------------------------------------------------------------------------------------

void containerd_facts_done(struct containerd_facts *facts)
{
    free(facts->sandbox_id);
    free(facts->image_name);
    free(facts->image_id);
    free(facts->user_image);
    pod_free(facts->pod);
    *facts = (struct containerd_facts){0};
}

static const char *sandbox_of(const struct source *source)
{
    const char *id = text_present(json_text(source->details, "SandboxID"));

    if (is_sandbox(source))
        return source->message->id;
    id = text_either(id, text_present(source->message->sandbox));
    return text_either(
        id, text_present(oci_spec_annotation(source->spec, "io.kubernetes.cri.sandbox-id")));
}

static bool take_facts(struct containerd_facts *facts, const struct source *source)
{
    const json_t *image = json_object_get(source->config, "image");

    *facts = (struct containerd_facts){.is_sandbox = is_sandbox(source), .is_cri = is_cri(source)};
    if (!text_keep(&facts->sandbox_id, sandbox_of(source)) ||
        !text_keep(&facts->image_name, text_present(source->message->image)))
        return false;
    if (facts->is_sandbox)
        return true;
    return text_keep(&facts->image_id,
                     text_either(image_id_or_null(json_text(source->details, "ImageRef")),
                                 image_id_or_null(json_text(image, "image")))) &&
           text_keep(&facts->user_image,
                     text_either(cri_config_user_image(source->config),
                                 text_present(oci_spec_annotation(
                                     source->spec, "io.kubernetes.cri.image-name"))));
}

// --- nerdctl -------------------------------------------------------------------------------------

static int nerdctl_privileged(struct proto_map labels)
{
    const char *text = proto_map_get(labels, "nerdctl/privileged");

    if (text_is(text, "true") || text_is(text, "1"))
        return 1;
    return text_is(text, "false") || text_is(text, "0") ? 0 : -1;
}

static json_t *label_json(struct proto_map labels, const char *key)
{
    const char *text = proto_map_get(labels, key);

    return text ? json_parse(text, strlen(text)) : NULL;
}

static bool port_in(const json_t *port, const char *key, uint16_t *number)
{
    const json_int_t value = json_whole(port, key);

    if (value < 0 || value > UINT16_MAX)
        return false;
    *number = (uint16_t)value;
    return true;
}

static void add_ports(struct container *container, struct proto_map labels)
{
    json_auto_t *ports = label_json(labels, "nerdctl/ports");
    const json_t *port;
    uint16_t outside, inside;
    size_t i;

    json_array_foreach (ports, i, port)
        if (port_in(port, "HostPort", &outside) && port_in(port, "ContainerPort", &inside) &&
            inside)
            container_add_port(container, json_text(port, "HostIP"), outside, inside,
                               json_text(port, "Protocol"));
}

// No network at all, or the host's: then it has no address of its own.
static bool has_no_network(const struct container *container, struct proto_map labels)
{
    json_auto_t *networks = label_json(labels, "nerdctl/networks");
    const char *first = json_string_value(json_array_get(networks, 0));

    return (container->content.flags & CMETA_FLAG_HOST_NETWORK) || text_is(first, "none") ||
           text_is(first, "host");
}

// Outside of Kubernetes containerd knows nothing of addresses; nerdctl notes those that were asked
// for.
static void set_network(struct container *container, struct proto_map labels)
{
    static const char *const keys[] = {"nerdctl/ip", "nerdctl/ip6"};

    add_ports(container, labels);
    for (size_t i = 0; i < 2; i++) {
        const char *address = text_present(proto_map_get(labels, keys[i]));

        if (address)
            container_add_address(container, address);
    }
    if (container->content.addresses_count == 0 && !has_no_network(container, labels)) {
        container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_TOLD;
        return;
    }
    container_pick_address(container);
    container_set(container, CMETA_STRING_CNI_JSON, "");
    container_know(container, CMETA_GROUP_NETWORK);
}

// containerd has no health checks. nerdctl runs some of its own and doesn't tell them whole.
static void set_health(struct container *container, struct proto_map labels)
{
    if (proto_map_get(labels, "nerdctl/healthcheck"))
        container->content.reason[CMETA_GROUP_HEALTH] = CMETA_REASON_NOT_TOLD;
    else
        container_know(container, CMETA_GROUP_HEALTH);
}

// --- pods ----------------------------------------------------------------------------------------

static struct pod *finish_pod(struct pod *pod, const json_t *details, struct proto_map labels,
                              const Containerd__Timestamp *created,
                              const struct container_limits *limits)
{
    const json_t *config = json_object_get(details, "Config"), *address;
    size_t i;

    pod_set_created(pod, containerd_record_time_ns(created));
    cri_config_fill_pod(pod, config, limits);
    if (!json_is_object(config))
        cri_add_pod_labels(pod, labels, limits);
    if (!pod->has_metadata)
        pod_set_metadata(pod, proto_map_get(labels, "io.kubernetes.pod.name"),
                         proto_map_get(labels, "io.kubernetes.pod.namespace"),
                         proto_map_get(labels, "io.kubernetes.pod.uid"));
    pod_add_address(pod, json_text(details, "IP"));
    json_array_foreach (json_object_get(details, "AdditionalIPs"), i, address)
        pod_add_address(pod, json_string_value(address));
    pod_set_cni(pod, json_object_get(details, "CNIResult"));
    // A sandbox of 1.x is there before its network is.
    pod->network_is_known = (pod->host_flags & CMETA_FLAG_HOST_NETWORK) != 0;
    return pod_seal(pod) < 0 ? pod_free(pod) : pod;
}

static struct pod *pod_of(const struct source *source, const char *ns,
                          const struct container_limits *limits)
{
    char scope[CONTAINERD_SCOPE_SIZE];
    struct pod *pod;

    containerd_record_scope(scope, sizeof(scope), source->message->id, ns);
    pod = pod_new(source->message->id, scope, CMETA_TYPE_CONTAINERD);
    return pod ? finish_pod(pod, source->details, source->labels, source->message->created_at,
                            limits)
               : NULL;
}

struct pod *containerd_record_pod(const Containerd__Container *message, const char *ns,
                                  const struct oci_context *context)
{
    CLEANUP(source_close)
    struct source source = {0};

    source_open(&source, message);
    return is_sandbox(&source) ? pod_of(&source, ns, &context->limits) : NULL;
}

struct pod *containerd_record_pod_from_sandbox(const Containerd__Sandbox *message, const char *ns,
                                               const struct oci_context *context)
{
    char scope[CONTAINERD_SCOPE_SIZE];
    json_auto_t *details = NULL;
    struct pod *pod;

    containerd_record_scope(scope, sizeof(scope), message->sandbox_id, ns);
    pod = pod_new(message->sandbox_id, scope, CMETA_TYPE_CONTAINERD);
    if (!pod)
        return NULL;
    for (size_t i = message->n_extensions; i > 0 && !details; i--)
        if (strcmp(message->extensions[i - 1]->key, "metadata") == 0)
            details = parse_any(message->extensions[i - 1]->value);
    return finish_pod(pod, json_object_get(details, "Metadata"), PROTO_MAP(message, labels),
                      message->created_at, &context->limits);
}

// --- containers ----------------------------------------------------------------------------------

bool containerd_record_is_docker(const Containerd__Container *message, const char *ns)
{
    if (proto_map_get(PROTO_MAP(message, labels), "com.docker/engine.bundle.path"))
        return true;
    return strcmp(ns, "moby") == 0 || strncmp(ns, "moby-", 5) == 0 ||
           strcmp(ns, "plugins.moby") == 0;
}

bool containerd_ns_is_valid(const char *ns)
{
    const size_t len = strlen(ns);

    return len > 0 && len <= CONTAINERD_NS_MAX && ns[0] != '.' &&
           strspn(ns, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == len;
}

void containerd_record_scope(char *scope, size_t size, const char *id, const char *ns)
{
    if (cmeta_id_is_hex64(id, strlen(id)))
        *scope = '\0';
    else
        snprintf(scope, size, "containerd/%s", ns);
}

int64_t containerd_record_time_ns(const Containerd__Timestamp *time)
{
    int64_t ns;

    if (!time || time->seconds < 0 || time->nanos < 0 || time->nanos > 999999999 ||
        __builtin_mul_overflow(time->seconds, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, time->nanos, &ns))
        return 0;
    return ns;
}

static struct container *new_container(const Containerd__Container *message, const char *ns)
{
    char scope[CONTAINERD_SCOPE_SIZE];
    const size_t len = strlen(message->id);

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    containerd_record_scope(scope, sizeof(scope), message->id, ns);
    return container_new(message->id, len, scope);
}

static void set_identity(struct container *container, const struct source *source)
{
    const char *name = text_present(proto_map_get(source->labels, "nerdctl/name"));

    container->content.type = CMETA_TYPE_CONTAINERD;
    container->content.created_ns = containerd_record_time_ns(source->message->created_at);
    if (!name && !is_sandbox(source)) {
        name = text_present(json_text(json_object_get(source->config, "metadata"), "name"));
        name = text_either(
            name, text_present(proto_map_get(source->labels, "io.kubernetes.container.name")));
    }
    if (name)
        container_set(container, CMETA_STRING_NAME, name);
    else
        pod_set_id_name(container);
    container_know(container, CMETA_GROUP_IDENTITY);
}

static void set_by_spec(struct container *container, const struct source *source,
                        const struct oci_context *context)
{
    const bool sandbox = is_sandbox(source), configured = json_is_object(source->config);
    struct oci_known known = {.privileged = nerdctl_privileged(source->labels),
                              .mounts = OCI_MOUNTS_ALL};

    if (sandbox || configured)
        known.mounts = OCI_MOUNTS_NONE;
    if (configured && !sandbox)
        known.privileged = cri_config_privileged(source->config);
    container->content.flags |= cri_config_host_flags(source->config);
    oci_spec_apply(container, source->spec, context, &known);
    if (sandbox) // nobody asks for mounts of a sandbox
        container_know(container, CMETA_GROUP_MOUNTS);
    else if (configured)
        cri_config_add_mounts(container, source->config);
}

static void set_pod(struct container *container, const struct source *source,
                    const struct containerd_facts *facts)
{
    if (!facts->sandbox_id) {
        pod_apply_none(container);
        set_network(container, source->labels);
        return;
    }
    container->content.reason[CMETA_GROUP_POD] = CMETA_REASON_NOT_YET;
    container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
    cri_set_pod_strings(container, source->labels, facts->sandbox_id);
    if (facts->is_sandbox)
        pod_mark_sandbox(container);
    if (facts->pod)
        pod_apply(facts->pod, container);
}

static int set_image(struct container *container, const struct containerd_facts *facts,
                     const char *target, bool is_complete)
{
    const struct kube_image image = {.user = facts->user_image,
                                     .name = facts->image_name,
                                     .id = facts->image_id,
                                     .target = target,
                                     .is_cri = facts->is_cri};

    if (facts->is_sandbox)
        return 0; // what a sandbox runs is the node's own business: it has no image, by design
    return kube_image_apply(container, &image, is_complete);
}

struct container *containerd_record_from_container(const Containerd__Container *message,
                                                   const char *ns,
                                                   const struct oci_context *context,
                                                   struct containerd_facts *facts)
{
    struct container *container = new_container(message, ns);
    struct containerd_facts told = {0};
    CLEANUP(source_close)
    struct source source = {0};

    if (!container)
        return NULL;
    source_open(&source, message);
    if (!take_facts(&told, &source)) {
        containerd_facts_done(&told);
        return container_free(container);
    }
    set_identity(container, &source);
    cri_add_labels(container, source.labels, &context->limits);
    set_by_spec(container, &source, context);
    set_image(container, &told, NULL, false);
    if (told.is_sandbox)
        told.pod = pod_of(&source, ns, &context->limits);
    set_pod(container, &source, &told);
    set_health(container, source.labels);
    container->has_status = true;
    container->status = CMETA_STATE_CREATED;
    if (container_failed(container)) {
        containerd_facts_done(&told);
        return container_free(container);
    }
    *facts = told;
    return container;
}

struct container *containerd_record_from_docker(const Containerd__Container *message,
                                                const struct oci_context *context)
{
    const struct oci_known known = {.privileged = -1, .mounts = OCI_MOUNTS_BOUND};
    struct container *container = new_container(message, "moby");
    json_auto_t *spec = NULL;

    if (!container)
        return NULL;
    if (message->spec)
        spec = oci_spec_parse(message->spec->value.data, message->spec->value.len);
    oci_spec_apply(container, spec, context, &known);
    return container_failed(container) ? container_free(container) : container;
}

int containerd_record_add_image(struct container *container, const struct containerd_facts *facts,
                                const Containerd__Image *image)
{
    const char *target = image && image->target ? text_present(image->target->digest) : NULL;

    return set_image(container, facts, target, true);
}

// --- state ---------------------------------------------------------------------------------------

struct containerd_state containerd_record_state(const Containerd__Process *process)
{
    static const uint32_t words[] = {CMETA_STATE_UNKNOWN, CMETA_STATE_CREATED, CMETA_STATE_RUNNING,
                                     CMETA_STATE_EXITED,  CMETA_STATE_PAUSED,  CMETA_STATE_PAUSED};
    struct containerd_state state = {.word = CMETA_STATE_CREATED, .finished_ns = -1};

    if (!process)
        return state;
    state.word =
        process->status >= 0 && process->status < 6 ? words[process->status] : CMETA_STATE_UNKNOWN;
    state.pid = process->pid;
    if (state.word != CMETA_STATE_EXITED)
        return state;
    state.word |= (process->exit_status & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    state.pid = 0;
    state.finished_ns = containerd_record_time_ns(process->exited_at);
    return state;
}

void containerd_record_set_state(struct container *container, const struct containerd_state *state)
{
    container->has_status = true;
    container->status = state->word;
    container->pid = state->pid;
    container->finished_ns = state->finished_ns;
}
