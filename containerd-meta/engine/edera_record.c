// SPDX-License-Identifier: Apache-2.0
#include "edera_record.h"

#include "containerd-meta/image_ref.h"

#include "shm/container_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t time_ns(const Edera__Timestamp *time)
{
    int64_t ns;

    if (!time || time->seconds <= 0 || time->nanos < 0 ||
        __builtin_mul_overflow(time->seconds, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, time->nanos, &ns))
        return 0;
    return ns;
}

// The last value of a key; NULL if there is none.
static const char *annotation(Edera__Annotation *const *list, size_t count, const char *key)
{
    for (size_t i = count; i > 0; i--)
        if (strcmp(list[i - 1]->key, key) == 0)
            return list[i - 1]->value;
    return NULL;
}

// --- zones ---------------------------------------------------------------------------------------

enum zone_state {
    ZONE_CREATING = 1,
    ZONE_CREATED = 2,
    ZONE_READY = 3,
    ZONE_DESTROYING = 5,
    ZONE_FAILED = 7,
};

static uint32_t zone_status(const Edera__ZoneStatus *status)
{
    switch (status ? status->state : 0) {
    case ZONE_CREATING:
    case ZONE_CREATED:
        return CMETA_STATE_CREATED;
    case ZONE_READY:
        return CMETA_STATE_RUNNING;
    case ZONE_DESTROYING:
    case EDERA_STATE_DESTROYED:
    case ZONE_FAILED:
        return CMETA_STATE_DEAD;
    default:
        return CMETA_STATE_UNKNOWN;
    }
}

static void set_metadata(struct pod *pod, const Edera__ZoneSpec *spec)
{
    Edera__Annotation *const *list = spec->annotations;
    const size_t count = spec->n_annotations;
    const char *name = annotation(list, count, "io.kubernetes.pod.name");

    if (name && *name)
        pod_set_metadata(pod, name, annotation(list, count, "io.kubernetes.pod.namespace"),
                         annotation(list, count, "io.kubernetes.pod.uid"));
    else
        pod_set_metadata(pod, *spec->name ? spec->name : pod->sandbox_id, NULL, NULL);
}

static void add_addresses(struct pod *pod, const Edera__ZoneNetworkStatus *network)
{
    for (size_t i = 0; network && i < network->n_interfaces; i++)
        for (size_t k = 0; k < network->interfaces[i]->n_ips; k++)
            pod_add_address(pod, network->interfaces[i]->ips[k]->address);
}

struct pod *edera_record_zone(const Edera__Zone *zone, const struct container_limits *limits)
{
    const Edera__ZoneSpec *spec = zone->spec;
    const Edera__ZoneStatus *status = zone->status;
    struct pod *pod = pod_new(zone->id, EDERA_SCOPE, CMETA_TYPE_EDERA);

    if (!pod)
        return NULL;
    if (spec)
        set_metadata(pod, spec);
    for (size_t i = 0; spec && i < spec->n_annotations; i++) {
        const Edera__Annotation *one = spec->annotations[i];

        pod_add_label(pod, limits, one->key, strlen(one->key), one->value, strlen(one->value));
    }
    if (status) {
        pod_set_created(pod, time_ns(status->created_at));
        add_addresses(pod, status->network_status);
        pod->has_state = true;
        pod->is_ready = status->state == ZONE_READY;
        pod->network_is_known = pod->is_ready;
    }
    return pod_seal(pod) < 0 ? pod_free(pod) : pod;
}

struct container *edera_record_sandbox(const Edera__Zone *zone, const struct pod *pod)
{
    static const enum cmeta_group untold[] = {CMETA_GROUP_SECURITY, CMETA_GROUP_MOUNTS,
                                              CMETA_GROUP_LIMITS};
    struct container *container = pod_to_container(pod);

    if (!container)
        return NULL;
    if (zone->spec && *zone->spec->name)
        container_set(container, CMETA_STRING_NAME, zone->spec->name);
    container->has_status = zone->status != NULL;
    container->status = zone_status(zone->status);
    container->pid = 0; // of another kernel
    if (zone->status)
        container->content.started_ns = time_ns(zone->status->ready_at);
    // It is a machine, not a process with privileges and mounts of its own.
    for (size_t i = 0; i < sizeof(untold) / sizeof(untold[0]); i++)
        container->content.reason[untold[i]] = CMETA_REASON_NOT_TOLD;
    return container_failed(container) ? container_free(container) : container;
}

// --- workloads -----------------------------------------------------------------------------------

enum workload_state {
    WORKLOAD_CREATING = 1,
    WORKLOAD_CREATED = 2,
    WORKLOAD_RUNNING = 3,
    WORKLOAD_COMPLETED = 4,
    WORKLOAD_DESTROYING = 5,
    WORKLOAD_FAILED = 7,
    WORKLOAD_OOM_KILLED = 8,
};

uint32_t edera_record_status(const Edera__WorkloadStatus *status)
{
    uint32_t word;

    switch (status ? status->state : 0) {
    case WORKLOAD_CREATING:
    case WORKLOAD_CREATED:
        return CMETA_STATE_CREATED;
    case WORKLOAD_RUNNING:
        return CMETA_STATE_RUNNING;
    case WORKLOAD_COMPLETED:
    case WORKLOAD_OOM_KILLED:
        word = CMETA_STATE_EXITED;
        break;
    case WORKLOAD_DESTROYING:
    case EDERA_STATE_DESTROYED:
    case WORKLOAD_FAILED:
        word = CMETA_STATE_DEAD;
        break;
    default:
        return CMETA_STATE_UNKNOWN;
    }
    if (status->exit_status)
        word |= ((uint32_t)status->exit_status->code & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    return word;
}

// Edera tells the digest; by what name it was asked for, only a Kubernetes annotation may.
static void set_image(struct container *container, const Edera__WorkloadSpec *spec)
{
    const char *digest = spec->image->digest;
    const char *name =
        annotation(spec->annotations, spec->n_annotations, "io.kubernetes.cri.image-name");
    struct image_ref ref = image_ref_parse_text(name);

    container_set(container, CMETA_STRING_IMAGE, name && *name ? name : digest);
    container_set(container, CMETA_STRING_IMAGE_ID, "");
    container_set_str(container, CMETA_STRING_IMAGE_REPO, ref.repository);
    container_set_str(container, CMETA_STRING_IMAGE_TAG, ref.tag);
    container_set(container, CMETA_STRING_IMAGE_DIGEST, digest);
    container_know(container, CMETA_GROUP_IMAGE);
}

static void set_labels(struct container *container, const Edera__WorkloadSpec *spec,
                       const struct container_limits *limits)
{
    static const char hostname[] = "edera.hostname";

    for (size_t i = 0; i < spec->n_annotations; i++) {
        const Edera__Annotation *one = spec->annotations[i];

        container_add_label(container, limits, one->key, strlen(one->key), one->value,
                            strlen(one->value));
    }
    if (*spec->hostname)
        container_add_label(container, limits, hostname, sizeof(hostname) - 1, spec->hostname,
                            strlen(spec->hostname));
    container_know(container, CMETA_GROUP_LABELS);
}

static void print_identity(char *text, size_t size, const Edera__IdOrName *identity)
{
    *text = '\0';
    if (!identity)
        return;
    if (identity->user_case == EDERA__ID_OR_NAME__USER_ID)
        snprintf(text, size, "%" PRIu32, identity->id);
    else if (identity->user_case == EDERA__ID_OR_NAME__USER_NAME)
        snprintf(text, size, "%s", identity->name);
}

static void set_user(struct container *container, const Edera__ProcessSpec *process)
{
    char user[128], group[128], text[260];

    print_identity(user, sizeof(user), process ? process->user : NULL);
    print_identity(group, sizeof(group), process ? process->group : NULL);
    snprintf(text, sizeof(text), "%s%s%s", user, *user && *group ? ":" : "", *user ? group : "");
    container_set(container, CMETA_STRING_USER, text);
}

// Namespaces that a workload doesn't have of its own are its zone's, the nearest host there is.
static uint32_t shared_namespaces(const Edera__Security *security)
{
    static const struct {
        int32_t ns;
        uint32_t flag;
    } flags[] = {{2, CMETA_FLAG_HOST_IPC}, {4, CMETA_FLAG_HOST_PID}, {5, CMETA_FLAG_HOST_NETWORK}};
    uint32_t shared = 0;

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (security->disable_all_namespaces)
            shared |= flags[i].flag;
        for (size_t k = 0; k < security->n_disable_namespaces; k++)
            if (security->disable_namespaces[k] == flags[i].ns)
                shared |= flags[i].flag;
    }
    return shared;
}

static void set_security(struct container *container, const Edera__WorkloadSpec *spec)
{
    const Edera__Security *security = spec->security; // absent: all of it is false

    if (security) {
        container->content.flags |= shared_namespaces(security);
        container->content.flags |= security->privileged ? CMETA_FLAG_PRIVILEGED : 0;
    }
    set_user(container, spec->process);
    container_know(container, CMETA_GROUP_SECURITY);
}

static void set_mounts(struct container *container, const Edera__WorkloadSpec *spec)
{
    for (size_t i = 0; i < spec->n_mounts; i++)
        container_add_mount(container, spec->mounts[i]->host_path, spec->mounts[i]->target_path, "",
                            "", true);
    for (size_t i = 0; i < spec->n_scratch_mount; i++)
        container_add_mount(container, "", spec->scratch_mount[i]->path, "", "", true);
    container_know(container, CMETA_GROUP_MOUNTS);
}

static int64_t number_of(const char *text)
{
    int64_t value = strtoll(text, NULL, 10);

    return value > 0 ? value : 0; // "max" is none
}

static void set_limits(struct container *container, const Edera__WorkloadSpec *spec,
                       const struct container_limits *limits)
{
    struct container_resources resources = {0};
    int64_t swap = 0;

    for (size_t i = 0; i < spec->n_cgroup_limits; i++) {
        const Edera__CgroupLimit *limit = spec->cgroup_limits[i];

        if (strcmp(limit->limit_name, "memory.max") == 0)
            resources.memory = number_of(limit->value);
        else if (strcmp(limit->limit_name, "memory.swap.max") == 0)
            swap = number_of(limit->value);
        else if (strcmp(limit->limit_name, "cpuset.cpus") == 0)
            resources.cpus = limit->value;
        else if (strcmp(limit->limit_name, "cpu.max") == 0 &&
                 sscanf(limit->value, "%18" SCNd64 " %18" SCNd64, &resources.cpu_quota,
                        &resources.cpu_period) < 1)
            resources.cpu_quota = 0;
    }
    if (resources.memory && swap && __builtin_add_overflow(resources.memory, swap, &resources.swap))
        resources.swap = 0;
    container_set_resources(container, &resources);
    for (size_t i = 0; spec->process && i < spec->process->n_environment; i++) {
        const Edera__EnvVar *variable = spec->process->environment[i];
        char entry[4096];

        snprintf(entry, sizeof(entry), "%s=%s", variable->key, variable->value);
        container_add_env(container, limits, entry);
    }
    container_know(container, CMETA_GROUP_LIMITS);
}

struct container *edera_record_workload(const Edera__Workload *workload,
                                        const struct container_limits *limits)
{
    const size_t len = strlen(workload->id);
    struct container *container;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    container = container_new(workload->id, len, EDERA_SCOPE);
    if (!container)
        return NULL;
    container->content.type = CMETA_TYPE_EDERA;
    if (workload->status) {
        container->content.created_ns = time_ns(workload->status->created_at);
        container->status = edera_record_status(workload->status);
        container->has_status = container->status != CMETA_STATE_UNKNOWN;
    }
    if (workload->spec) {
        container_set(container, CMETA_STRING_NAME, workload->spec->name);
        container_know(container, CMETA_GROUP_IDENTITY);
        if (workload->spec->image)
            set_image(container, workload->spec);
        set_labels(container, workload->spec, limits);
        set_security(container, workload->spec);
        set_mounts(container, workload->spec);
        set_limits(container, workload->spec, limits);
    }
    container_know(container, CMETA_GROUP_HEALTH); // Edera has no probes
    return container_failed(container) ? container_free(container) : container;
}
