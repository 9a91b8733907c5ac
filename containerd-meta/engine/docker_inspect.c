// SPDX-License-Identifier: Apache-2.0
#include "docker_inspect.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/image_names.h"
#include "containerd-meta/json.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *without_slash(const char *name)
{
    return name && *name == '/' ? name + 1 : name;
}

// --- states --------------------------------------------------------------------------------------

uint32_t docker_status_word(const char *state)
{
    static const struct {
        const char *name;
        enum cmeta_state state;
    } states[] = {{"created", CMETA_STATE_CREATED},
                  {"running", CMETA_STATE_RUNNING},
                  {"paused", CMETA_STATE_PAUSED},
                  {"restarting", CMETA_STATE_RESTARTING},
                  {"removing", CMETA_STATE_DEAD},
                  {"exited", CMETA_STATE_EXITED},
                  {"dead", CMETA_STATE_DEAD},
                  // podman's
                  {"configured", CMETA_STATE_CREATED},
                  {"initialized", CMETA_STATE_CREATED},
                  {"stopping", CMETA_STATE_RUNNING},
                  {"stopped", CMETA_STATE_EXITED}};

    for (size_t i = 0; state && i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].name, state) == 0)
            return states[i].state;
    return CMETA_STATE_UNKNOWN;
}

uint32_t docker_health_word(const char *health)
{
    if (!health)
        return 0;
    if (strcmp(health, "healthy") == 0)
        return CMETA_HEALTH_HEALTHY << 8;
    if (strcmp(health, "unhealthy") == 0)
        return CMETA_HEALTH_UNHEALTHY << 8;
    return strcmp(health, "starting") == 0 ? CMETA_HEALTH_STARTING << 8 : 0;
}

// --- images --------------------------------------------------------------------------------------

static size_t copy_texts(const json_t *array, char ***texts)
{
    size_t count = 0, i;
    const json_t *element;

    *texts = calloc(json_array_size(array) + 1, sizeof(**texts));
    if (!*texts)
        return 0;
    json_array_foreach ((json_t *)array, i, element) {
        const char *text = json_string_value(element);

        if (text && ((*texts)[count] = strdup(text)))
            count++;
    }
    return count;
}

struct docker_image *docker_image_from_json(const json_t *json)
{
    struct docker_image *image = calloc(1, sizeof(*image));

    if (!image)
        return NULL;
    image->tags_count = copy_texts(json_object_get(json, "RepoTags"), &image->tags);
    image->digests_count = copy_texts(json_object_get(json, "RepoDigests"), &image->digests);
    return image;
}

struct docker_image *docker_image_free(struct docker_image *image)
{
    if (!image)
        return NULL;
    for (size_t i = 0; i < image->tags_count; i++)
        free(image->tags[i]);
    for (size_t i = 0; i < image->digests_count; i++)
        free(image->digests[i]);
    free(image->tags);
    free(image->digests);
    free(image);
    return NULL;
}

static struct image_names names_of(const struct docker_image *image)
{
    if (!image)
        return (struct image_names){0};
    return (struct image_names){image->tags, image->digests, image->tags_count,
                                image->digests_count};
}

int docker_container_add_image(struct container *container, const char *reference, const char *id,
                               const struct docker_image *image)
{
    const struct image_names names = names_of(image);
    struct image_ref ref = image_ref_parse_text(reference);

    container_set(container, CMETA_STRING_IMAGE, reference);
    container_set(container, CMETA_STRING_IMAGE_ID, id ? image_id_hex(id) : "");
    if (!ref.repository.len) {
        ref = image_names_first(&names);
        ref.digest = (struct cmeta_str){0}; // of the first name, not of this container's choice
    } else if (!ref.tag.len && !ref.digest.len) {
        ref.tag = CMETA_STR("latest"); // what the engine takes a bare name for
    }
    container_set_str(container, CMETA_STRING_IMAGE_REPO, ref.repository);
    container_set_str(container, CMETA_STRING_IMAGE_TAG, ref.tag);
    container_set_str(container, CMETA_STRING_IMAGE_DIGEST,
                      ref.digest.len ? ref.digest : image_names_digest(&names, ref.repository));
    container_know(container, CMETA_GROUP_IMAGE);
    return container_failed(container) ? -ENOMEM : 0;
}

// What the reference alone tells, while the image's own answer isn't there.
static void set_reference(struct container *container, const char *reference, const char *id)
{
    struct image_ref ref;

    container_set(container, CMETA_STRING_IMAGE, reference);
    if (id)
        container_set(container, CMETA_STRING_IMAGE_ID, image_id_hex(id));
    if (!reference)
        return;
    ref = image_ref_parse_text(reference);
    if (!ref.repository.len)
        return;
    container_set_str(container, CMETA_STRING_IMAGE_REPO, ref.repository);
    if (!ref.tag.len && !ref.digest.len)
        ref.tag = CMETA_STR("latest");
    container_set_str(container, CMETA_STRING_IMAGE_TAG, ref.tag);
    if (ref.digest.len)
        container_set_str(container, CMETA_STRING_IMAGE_DIGEST, ref.digest);
}

// --- labels, pods, probes ------------------------------------------------------------------------

static void add_labels(struct container *container, const json_t *labels,
                       const struct container_limits *limits)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)labels, key, value)
        if (json_is_string(value))
            container_add_label(container, limits, key, strlen(key), json_string_value(value),
                                json_string_length(value));
}

static void set_pod(struct container *container, const json_t *labels, const char *name)
{
    static const struct {
        const char *label;
        enum cmeta_string string;
    } pod[] = {{"io.kubernetes.pod.name", CMETA_STRING_POD_NAME},
               {"io.kubernetes.pod.namespace", CMETA_STRING_POD_NAMESPACE},
               {"io.kubernetes.pod.uid", CMETA_STRING_POD_UID},
               {"io.kubernetes.sandbox.id", CMETA_STRING_POD_SANDBOX_ID}};
    const char *kind = json_text(labels, "io.kubernetes.docker.type");

    for (size_t i = 0; i < ARRAY_LEN(pod); i++)
        container_set(container, pod[i].string, json_text(labels, pod[i].label));
    if ((kind && strcmp(kind, "podsandbox") == 0) || (name && strstr(name, "k8s_POD")))
        container->content.flags |= CMETA_FLAG_POD_SANDBOX;
}

#define ARGS_MAX 256u

static void set_probe(struct container *container, enum cmeta_probe_kind kind,
                      const json_t *command, size_t first, const char *const *before,
                      size_t before_count)
{
    const char *args[ARGS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < before_count; i++)
        args[count++] = before[i];
    for (size_t i = first; i < json_array_size(command) && count < ARGS_MAX; i++) {
        const char *arg = json_string_value(json_array_get(command, i));

        args[count++] = arg ? arg : "";
    }
    container_set_probe(container, kind, args, count);
}

// The kubelet leaves the pod's own description in a label; its exec probes are what containers run.
static bool set_kubernetes_probe(struct container *container, const json_t *labels)
{
    static const struct {
        const char *key;
        enum cmeta_probe_kind kind;
    } probes[] = {{"livenessProbe", CMETA_PROBE_LIVENESS},
                  {"readinessProbe", CMETA_PROBE_READINESS}};
    const char *text = json_text(labels, "io.kubernetes.container.last-applied-config");
    json_auto_t *config = text ? json_parse(text, strlen(text)) : NULL;
    const json_t *first =
        json_array_get(json_object_get(json_object_get(config, "spec"), "containers"), 0);

    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        const json_t *command = json_object_get(
            json_object_get(json_object_get(first, probes[i].key), "exec"), "command");

        if (json_array_size(command) == 0)
            continue;
        set_probe(container, probes[i].kind, command, 0, NULL, 0);
        return true;
    }
    return false;
}

static void set_healthcheck(struct container *container, const json_t *test)
{
    static const char *const shell[] = {"/bin/sh", "-c"};
    const char *form = json_string_value(json_array_get(test, 0));

    if (!form || json_array_size(test) < 2)
        return;
    if (strcmp(form, "CMD") == 0)
        set_probe(container, CMETA_PROBE_HEALTHCHECK, test, 1, NULL, 0);
    else if (strcmp(form, "CMD-SHELL") == 0)
        set_probe(container, CMETA_PROBE_HEALTHCHECK, test, 1, shell, ARRAY_LEN(shell));
}

// --- parts of an inspect answer ------------------------------------------------------------------

static bool is_mode(const json_t *host, const char *key, const char *mode)
{
    const char *text = json_text(host, key);

    return text && strcmp(text, mode) == 0;
}

static void set_security(struct container *container, const json_t *config, const json_t *host)
{
    uint32_t *flags = &container->content.flags;
    const char *user = json_text(config, "User");

    if (!json_is_object(host))
        return;
    *flags |= json_is_true(json_object_get(host, "Privileged")) ? CMETA_FLAG_PRIVILEGED : 0;
    *flags |= is_mode(host, "PidMode", "host") ? CMETA_FLAG_HOST_PID : 0;
    *flags |= is_mode(host, "NetworkMode", "host") ? CMETA_FLAG_HOST_NETWORK : 0;
    *flags |= is_mode(host, "IpcMode", "host") ? CMETA_FLAG_HOST_IPC : 0;
    container_set(container, CMETA_STRING_USER, user ? user : "");
    container_know(container, CMETA_GROUP_SECURITY);
}

static void set_limits(struct container *container, const json_t *inspect, const json_t *config,
                       const json_t *host, const struct container_limits *limits, bool with_size)
{
    const int64_t nano = json_whole(host, "NanoCpus");
    const json_t *entry;
    size_t i;

    if (!json_is_object(host))
        return;
    container_set_resources(
        container,
        &(struct container_resources){
            .cpu_period = json_whole(host, "CpuPeriod"),
            // --cpus sets NanoCpus only; the kernel gets it as a quota of the default period.
            .cpu_quota = nano > 0 ? nano / 10000 : json_whole(host, "CpuQuota"),
            .cpu_shares = json_whole(host, "CpuShares"),
            .cpus = json_text(host, "CpusetCpus"),
            .memory = json_whole(host, "Memory"),
            .swap = json_whole(host, "MemorySwap"),
        });
    container->content.size_rw = with_size && json_is_integer(json_object_get(inspect, "SizeRw"))
                                     ? json_whole(inspect, "SizeRw")
                                     : -1;
    json_array_foreach (json_object_get(config, "Env"), i, entry)
        if (json_is_string(entry))
            container_add_env(container, limits, json_string_value(entry));
    container_know(container, CMETA_GROUP_LIMITS);
}

static void set_mounts(struct container *container, const json_t *mounts)
{
    const json_t *mount;
    size_t i;

    json_array_foreach ((json_t *)mounts, i, mount)
        if (json_is_object(mount))
            container_add_mount(container, json_text(mount, "Source"),
                                json_text(mount, "Destination"), json_text(mount, "Mode"),
                                json_text(mount, "Propagation"),
                                json_is_true(json_object_get(mount, "RW")));
    container_know(container, CMETA_GROUP_MOUNTS);
}

static bool port_number(const char *text, uint16_t *port, const char **rest)
{
    char *end;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;

    if (!text || end == text || value > UINT16_MAX || *text == '-')
        return false;
    *port = (uint16_t)value;
    *rest = end;
    return true;
}

static void set_ports(struct container *container, const json_t *ports)
{
    const json_t *bindings, *binding;
    const char *key, *rest;
    uint16_t inside, outside;
    size_t i;

    json_object_foreach ((json_t *)ports, key, bindings) {
        const char *protocol;

        if (!port_number(key, &inside, &rest))
            continue;
        protocol = *rest == '/' ? rest + 1 : "tcp";
        json_array_foreach (bindings, i, binding)
            if (port_number(json_text(binding, "HostPort"), &outside, &rest) && !*rest)
                container_add_port(container, json_text(binding, "HostIp"), outside, inside,
                                   protocol);
    }
}

static void add_network(struct container *container, const json_t *network)
{
    static const char *const keys[] = {"IPAddress", "GlobalIPv6Address"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *address = json_text(network, keys[i]);

        if (address && *address)
            container_add_address(container, address);
    }
}

// The network whose address is the container's: the one it was started in, else the one with the
// highest gateway priority, else the first by name.
static const char *primary_network(const json_t *networks, const char *mode)
{
    const char *best = NULL, *key;
    int64_t best_priority = 0;
    json_t *network;

    if (mode && json_object_get(networks, strcmp(mode, "default") == 0 ? "bridge" : mode))
        return strcmp(mode, "default") == 0 ? "bridge" : mode;
    json_object_foreach ((json_t *)networks, key, network) {
        int64_t priority = json_whole(network, "GwPriority");

        if (!best || priority > best_priority ||
            (priority == best_priority && strcmp(key, best) < 0)) {
            best = key;
            best_priority = priority;
        }
    }
    return best;
}

int docker_container_add_addresses(struct container *container, const json_t *inspect)
{
    const json_t *settings = json_object_get(inspect, "NetworkSettings");
    const json_t *networks = json_object_get(settings, "Networks");
    const char *first =
        primary_network(networks, json_text(json_object_get(inspect, "HostConfig"), "NetworkMode"));
    json_t *network;
    const char *key;

    if (first)
        add_network(container, json_object_get(networks, first));
    json_object_foreach ((json_t *)networks, key, network)
        if (!first || strcmp(key, first) != 0)
            add_network(container, network);
    if (container->content.addresses_count == 0) // API before 1.21, and podman's default network
        add_network(container, settings);
    return container_pick_address(container);
}

const char *docker_inspect_network_of(const json_t *inspect)
{
    static const char prefix[] = "container:";
    const char *mode = json_text(json_object_get(inspect, "HostConfig"), "NetworkMode");

    return mode && strncmp(mode, prefix, sizeof(prefix) - 1) == 0 ? mode + sizeof(prefix) - 1
                                                                  : NULL;
}

// A container has no address before it is started: unknown, not empty.
static void set_network(struct container *container, const json_t *inspect)
{
    const json_t *settings = json_object_get(inspect, "NetworkSettings");

    if (CMETA_STATUS_STATE(container->status) == CMETA_STATE_CREATED || !json_is_object(settings)) {
        container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
        return;
    }
    set_ports(container, json_object_get(settings, "Ports"));
    docker_container_add_addresses(container, inspect);
    container_know(container, CMETA_GROUP_NETWORK);
}

static void set_state(struct container *container, const json_t *state)
{
    uint32_t word = docker_status_word(json_text(state, "Status"));
    const json_t *health = json_object_get(state, "Health");

    if (!json_is_object(state))
        return;
    if (!health)
        health = json_object_get(state, "Healthcheck"); // podman 3
    word |= docker_health_word(json_text(health, "Status"));
    if ((word & 0xffu) == CMETA_STATE_EXITED || (word & 0xffu) == CMETA_STATE_DEAD)
        word |= ((uint32_t)json_whole(state, "ExitCode") & 0xffu) << 16 | CMETA_STATUS_HAS_EXIT;
    container->has_status = true;
    container->status = word;
    container->pid = (uint32_t)json_whole(state, "Pid");
    container->finished_ns = json_time_ns(state, "FinishedAt");
    container->content.started_ns = json_time_ns(state, "StartedAt");
}

// --- whole answers -------------------------------------------------------------------------------

// An ID of 64 hexadecimal digits is unique by itself; another one is so within the engine only.
static struct container *new_container(const char *id, enum cmeta_type type)
{
    size_t len = id ? strlen(id) : 0;
    struct container *container;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    container = container_new(id, len, docker_scope(id, type));
    if (container)
        container->content.type = (uint16_t)type;
    return container;
}

bool docker_id_is_plain(const char *id)
{
    return *id && strlen(id) <= 255 &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") ==
               strlen(id);
}

const char *docker_scope(const char *id, enum cmeta_type type)
{
    return cmeta_id_is_hex64(id, strlen(id)) ? "" : cmeta_type_name((uint16_t)type);
}

static bool is_one_of(const char *text, const char *const *list)
{
    while (*list && strcmp(*list, text) != 0)
        list++;
    return *list;
}

struct container *docker_container_from_event(const char *id, const json_t *attributes,
                                              int64_t created_ns,
                                              const struct docker_dialect *dialect,
                                              const struct container_limits *limits)
{
    struct container *container = new_container(id, dialect->type);
    const char *key;
    json_t *value;

    if (!container)
        return NULL;
    container->content.created_ns = created_ns;
    container->has_status = true;
    container->status = CMETA_STATE_CREATED;
    container_set(container, CMETA_STRING_NAME, json_text(attributes, "name"));
    container_know(container, CMETA_GROUP_IDENTITY);
    set_reference(container, json_text(attributes, "image"), NULL);
    json_object_foreach ((json_t *)attributes, key, value)
        if (json_is_string(value) && !is_one_of(key, dialect->event_attributes))
            container_add_label(container, limits, key, strlen(key), json_string_value(value),
                                json_string_length(value));
    set_pod(container, attributes, json_text(attributes, "name"));
    return container_failed(container) ? container_free(container) : container;
}

// Seconds, or a time as RFC 3339 has it (podman).
static void set_list_time(struct container *container, const json_t *element)
{
    int64_t *created_ns = &container->content.created_ns;

    if (json_is_string(json_object_get(element, "Created")))
        *created_ns = json_time_ns(element, "Created");
    else if (__builtin_mul_overflow(json_whole(element, "Created"), INT64_C(1000000000),
                                    created_ns))
        *created_ns = 0;
}

struct container *docker_container_from_list(const json_t *element, enum cmeta_type type,
                                             const struct container_limits *limits)
{
    const json_t *labels = json_object_get(element, "Labels");
    const char *id = json_text(element, "Id");
    const char *name =
        without_slash(json_string_value(json_array_get(json_object_get(element, "Names"), 0)));
    struct container *container;

    container = new_container(id, type);
    if (!container)
        return NULL;
    set_list_time(container, element);
    container_set(container, CMETA_STRING_NAME, name);
    set_reference(container, json_text(element, "Image"), json_text(element, "ImageID"));
    if (json_is_object(labels)) {
        add_labels(container, labels, limits);
        container_know(container, CMETA_GROUP_LABELS);
        set_pod(container, labels, name);
        container_know(container, CMETA_GROUP_POD);
    }
    return container_failed(container) ? container_free(container) : container;
}

struct container *docker_container_from_inspect(const json_t *inspect, enum cmeta_type type,
                                                const struct container_limits *limits,
                                                bool with_size)
{
    const json_t *config = json_object_get(inspect, "Config"),
                 *host = json_object_get(inspect, "HostConfig"),
                 *labels = json_object_get(config, "Labels"),
                 *mounts = json_object_get(inspect, "Mounts");
    const char *id = json_text(inspect, "Id"), *name = without_slash(json_text(inspect, "Name"));
    struct container *container;

    container = new_container(id, type);
    if (!container)
        return NULL;
    container->content.created_ns = json_time_ns(inspect, "Created");
    container_set(container, CMETA_STRING_NAME, name);
    container_know(container, CMETA_GROUP_IDENTITY);
    set_state(container, json_object_get(inspect, "State"));
    set_reference(container, json_text(config, "Image"), json_text(inspect, "Image"));
    set_security(container, config, host);
    set_limits(container, inspect, config, host, limits, with_size);
    if (mounts)
        set_mounts(container, mounts);
    set_network(container, inspect);
    if (json_is_object(config)) {
        add_labels(container, labels, limits);
        container_know(container, CMETA_GROUP_LABELS);
        set_pod(container, labels, name);
        container_know(container, CMETA_GROUP_POD);
        if (!set_kubernetes_probe(container, labels))
            set_healthcheck(container,
                            json_object_get(json_object_get(config, "Healthcheck"), "Test"));
        container_know(container, CMETA_GROUP_HEALTH);
    }
    return container_failed(container) ? container_free(container) : container;
}

// --- Docker's dialect ----------------------------------------------------------------------------

static struct container *from_list(const json_t *element, const struct container_limits *limits)
{
    return docker_container_from_list(element, CMETA_TYPE_DOCKER, limits);
}

static struct container *from_inspect(const json_t *inspect, const struct container_limits *limits,
                                      bool with_size)
{
    return docker_container_from_inspect(inspect, CMETA_TYPE_DOCKER, limits, with_size);
}

// The container whose network this one shares has its addresses.
static bool network_path(const json_t *inspect, char *path, size_t size)
{
    const char *other = docker_inspect_network_of(inspect), *id = json_text(inspect, "Id");

    if (!other || !docker_id_is_plain(other) || (id && strcmp(other, id) == 0) ||
        docker_status_word(json_text(json_object_get(inspect, "State"), "Status")) ==
            CMETA_STATE_CREATED ||
        !json_is_object(json_object_get(inspect, "NetworkSettings")))
        return false;
    snprintf(path, size, "/containers/%s/json", other);
    return true;
}

static void add_addresses(struct container *container, const json_t *answer,
                          const struct container_limits *limits)
{
    (void)limits;
    docker_container_add_addresses(container, answer);
}

static const char *const event_attributes[] = {"name", "image", NULL};

const struct docker_dialect docker_dialect = {.type = CMETA_TYPE_DOCKER,
                                              .event_attributes = event_attributes,
                                              .list_is_lock_free = true,
                                              .from_list = from_list,
                                              .from_inspect = from_inspect,
                                              .further_path = network_path,
                                              .add_further = add_addresses};
