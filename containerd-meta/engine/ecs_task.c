// SPDX-License-Identifier: Apache-2.0
#include "ecs_task.h"

#include "containerd-meta/json.h"
#include "docker_inspect.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define PERIOD_US 100000 // of a task's share of the CPUs

// --- the task ------------------------------------------------------------------------------------

static bool is_text(const json_t *object, const char *key, const char *expected)
{
    const char *text = json_text(object, key);

    return text && strcmp(text, expected) == 0;
}

static bool is_fargate(const json_t *task)
{
    return is_text(task, "LaunchType", "FARGATE");
}

const json_t *ecs_task_containers(const json_t *task)
{
    const json_t *containers = json_object_get(task, "Containers");

    return json_text(task, "TaskARN") && json_is_array(containers) ? containers : NULL;
}

void ecs_task_title(const json_t *task, char *title, size_t size)
{
    const char *launch = json_text(task, "LaunchType"), *family = json_text(task, "Family"),
               *revision = json_text(task, "Revision");

    snprintf(title, size, "%s %s:%s", launch ? launch : "ECS", family ? family : "?",
             revision ? revision : "?");
    cmeta_utf8_mend(title, strlen(title)); // it may have been cut in a character
}

// --- state ---------------------------------------------------------------------------------------

// What isn't created yet has its ID already, and will be started under it.
static uint32_t state_of(const char *status)
{
    static const struct {
        const char *name;
        enum cmeta_state state;
    } states[] = {{"NONE", CMETA_STATE_CREATED},    {"MANIFEST_PULLED", CMETA_STATE_CREATED},
                  {"PULLED", CMETA_STATE_CREATED},  {"CREATED", CMETA_STATE_CREATED},
                  {"RUNNING", CMETA_STATE_RUNNING}, {"RESOURCES_PROVISIONED", CMETA_STATE_RUNNING},
                  {"STOPPED", CMETA_STATE_EXITED}};

    for (size_t i = 0; status && i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].name, status) == 0)
            return states[i].state;
    return CMETA_STATE_UNKNOWN;
}

static uint32_t health_of(const json_t *health)
{
    if (is_text(health, "status", "HEALTHY"))
        return CMETA_HEALTH_HEALTHY << 8;
    return is_text(health, "status", "UNHEALTHY") ? CMETA_HEALTH_UNHEALTHY << 8 : 0;
}

static void set_status(struct container *container, const json_t *element)
{
    uint32_t state = state_of(json_text(element, "KnownStatus"));

    container->content.created_ns = json_time_ns(element, "CreatedAt");
    container->content.started_ns = json_time_ns(element, "StartedAt");
    if (state == CMETA_STATE_UNKNOWN)
        return;
    container->has_status = true;
    container->status = state | health_of(json_object_get(element, "Health"));
    if (state != CMETA_STATE_EXITED)
        return;
    container->finished_ns = json_time_ns(element, "FinishedAt");
    if (json_is_number(json_object_get(element, "ExitCode")))
        container->status |=
            ((uint32_t)json_number(element, "ExitCode") & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
}

// --- groups --------------------------------------------------------------------------------------

// On EC2 the container's name is one that the agent made; the task definition's is a label.
static void set_identity(struct container *container, const json_t *element)
{
    const char *name = json_text(element, "DockerName");

    container_set(container, CMETA_STRING_NAME, name && *name ? name : json_text(element, "Name"));
    container_know(container, CMETA_GROUP_IDENTITY);
}

// On EC2 the image's ID is Docker's; elsewhere it is the digest that the image is pulled by.
static void set_image(struct container *container, const json_t *task, const json_t *element)
{
    const char *reference = json_text(element, "Image"), *id = json_text(element, "ImageID");
    const struct cmeta_str *digest = &container->content.strings[CMETA_STRING_IMAGE_DIGEST];
    const bool is_digest = is_fargate(task) || is_text(task, "LaunchType", "MANAGED_INSTANCES");

    if (!reference)
        return;
    docker_container_add_image(container, reference, id, NULL);
    if (id && *id && is_digest && digest->len == 0)
        container_set(container, CMETA_STRING_IMAGE_DIGEST, id);
}

static void add_label(struct container *container, const char *key, const char *value,
                      const struct container_limits *limits)
{
    if (value)
        container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

// What the agent labels its containers with is known of the task in any case; a container's own
// word stands over it.
static void set_labels(struct container *container, const json_t *task, const json_t *element,
                       const struct container_limits *limits)
{
    static const struct {
        const char *key, *label;
    } of_task[] = {{"Cluster", "com.amazonaws.ecs.cluster"},
                   {"TaskARN", "com.amazonaws.ecs.task-arn"},
                   {"Family", "com.amazonaws.ecs.task-definition-family"},
                   {"Revision", "com.amazonaws.ecs.task-definition-version"}};
    const json_t *labels = json_object_get(element, "Labels");
    const char *key;
    json_t *value;

    for (size_t i = 0; i < ARRAY_LEN(of_task); i++)
        if (!json_text(labels, of_task[i].label))
            add_label(container, of_task[i].label, json_text(task, of_task[i].key), limits);
    if (!json_text(labels, "com.amazonaws.ecs.container-name"))
        add_label(container, "com.amazonaws.ecs.container-name", json_text(element, "Name"),
                  limits);
    json_object_foreach ((json_t *)labels, key, value)
        if (json_is_string(value))
            container_add_label(container, limits, key, strlen(key), json_string_value(value),
                                json_string_length(value));
    container_know(container, CMETA_GROUP_LABELS);
}

// Fargate has no privileged containers, and shares no namespace of its hosts with any.
static void set_security(struct container *container, const json_t *task)
{
    if (is_fargate(task))
        container_know(container, CMETA_GROUP_SECURITY);
    else
        container->content.reason[CMETA_GROUP_SECURITY] = CMETA_REASON_NOT_TOLD;
    container->content.reason[CMETA_GROUP_MOUNTS] = CMETA_REASON_NOT_TOLD;
}

// With a network interface of the task's own a port is the same on both sides, and told once.
static void add_port(struct container *container, const json_t *port, bool own_interface)
{
    const int64_t inside = json_number(port, "ContainerPort");
    const int64_t told = json_number(port, "HostPort");
    const int64_t outside = told == 0 && own_interface ? inside : told;
    const char *protocol = json_text(port, "Protocol");

    if (inside <= 0 || inside > UINT16_MAX || outside <= 0 || outside > UINT16_MAX)
        return;
    container_add_port(container, json_text(port, "HostIp"), (uint16_t)outside, (uint16_t)inside,
                       protocol ? protocol : "tcp");
}

static void add_addresses(struct container *container, const json_t *addresses)
{
    const json_t *address;
    size_t i;

    json_array_foreach ((json_t *)addresses, i, address) {
        const char *text = json_string_value(address);

        if (text && *text)
            container_add_address(container, text);
    }
}

static void set_network(struct container *container, const json_t *element)
{
    const json_t *networks = json_object_get(element, "Networks"), *network, *port;
    bool own_interface = false;
    size_t i;

    if (!json_is_array(networks)) {
        container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
        return;
    }
    json_array_foreach ((json_t *)networks, i, network) {
        own_interface = own_interface || is_text(network, "NetworkMode", "awsvpc");
        add_addresses(container, json_object_get(network, "IPv4Addresses"));
        add_addresses(container, json_object_get(network, "IPv6Addresses"));
    }
    json_array_foreach (json_object_get(element, "Ports"), i, port)
        add_port(container, port, own_interface);
    container_pick_address(container);
    container_know(container, CMETA_GROUP_NETWORK);
}

static int64_t mebibytes(const json_t *limits)
{
    const int64_t count = json_number(limits, "Memory");
    int64_t bytes;

    return count <= 0 || __builtin_mul_overflow(count, INT64_C(1) << 20, &bytes) ? 0 : bytes;
}

// The container's own; memory that it has no limit of, and CPU time, are bounded by the task's.
static void set_limits(struct container *container, const json_t *task, const json_t *element)
{
    const json_t *own = json_object_get(element, "Limits"), *all = json_object_get(task, "Limits");
    const double cpus = json_number_value(json_object_get(all, "CPU"));

    container_set_resources(
        container, &(struct container_resources){
                       .cpu_period = PERIOD_US,
                       .cpu_quota = cpus > 0 && cpus < 1e6 ? (int64_t)(cpus * PERIOD_US) : 0,
                       .cpu_shares = json_number(own, "CPU"),
                       .memory = mebibytes(own) ? mebibytes(own) : mebibytes(all),
                   });
    container->content.size_rw = -1;
    container_know(container, CMETA_GROUP_LIMITS);
}

// What is no part of the task definition keeps the task's namespaces, as a pod's sandbox does.
static void set_pod(struct container *container, const json_t *element)
{
    if (is_text(element, "Type", "CNI_PAUSE") || is_text(element, "Type", "NAMESPACE_PAUSE"))
        container->content.flags |= CMETA_FLAG_POD_SANDBOX;
    container_know(container, CMETA_GROUP_POD);
}

// That there is no check is told by its absence; of one that there is, only the result is told. On
// EC2 the image may bring a check of its own, which Docker knows.
static void set_health(struct container *container, const json_t *task, const json_t *element)
{
    if (is_fargate(task) && !json_object_get(element, "Health"))
        container_know(container, CMETA_GROUP_HEALTH);
    else
        container->content.reason[CMETA_GROUP_HEALTH] = CMETA_REASON_NOT_TOLD;
}

struct container *ecs_task_container(const json_t *task, const json_t *element,
                                     const struct container_limits *limits)
{
    const char *id = json_text(element, "DockerId");
    size_t len = id ? strlen(id) : 0;
    struct container *container;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    container = container_new(id, len, docker_scope(id, CMETA_TYPE_ECS));
    if (!container)
        return NULL;
    container->content.type = CMETA_TYPE_ECS;
    set_status(container, element);
    set_identity(container, element);
    set_image(container, task, element);
    set_labels(container, task, element, limits);
    set_security(container, task);
    set_network(container, element);
    set_limits(container, task, element);
    set_pod(container, element);
    set_health(container, task, element);
    return container_failed(container) ? container_free(container) : container;
}
