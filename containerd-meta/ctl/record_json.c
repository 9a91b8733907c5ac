// SPDX-License-Identifier: Apache-2.0
#include "record_json.h"

#include "containerd-meta/cleanup.h"
#include "engine_rows.h"
#include "lookup.h"
#include "output.h"

#include <arpa/inet.h>
#include <string.h>

// --- upstream's document
// ----------------------------------------------------------------------------------------

// Absent strings of a known group are empty in this document: null would be an error there.
static void set_string(json_t *object, const char *key, struct cmeta_str value)
{
    json_object_set_new(object, key, json_text(value.data ? value : CMETA_STR("")));
}

static void set_flag(json_t *object, const char *key, uint32_t flags, uint32_t flag)
{
    json_object_set_new(object, key, json_boolean((flags & flag) != 0));
}

static json_t *labels_json(const struct cmeta_label *labels, uint32_t count)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < count; i++)
        json_set_text(object, labels[i].key,
                      labels[i].value.data ? labels[i].value : CMETA_STR(""));
    return object;
}

static json_t *texts_json(const struct cmeta_str *texts, uint32_t count)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, json_text(texts[i]));
    return array;
}

static json_t *mounts_json(const struct cmeta_container *content)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < content->mounts_count; i++) {
        const struct cmeta_mount *mount = &content->mounts[i];
        json_t *object = json_object();

        set_string(object, "Source", mount->source);
        set_string(object, "Destination", mount->destination);
        set_string(object, "Mode", mount->mode);
        json_object_set_new(object, "RW", json_boolean(mount->rw));
        set_string(object, "Propagation", mount->propagation);
        json_array_append_new(array, object);
    }
    return array;
}

// HostIp is a number, which holds an IPv4 address only; HostIp6 and Protocol are ours.
static json_t *ports_json(const struct cmeta_container *content)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < content->ports_count; i++) {
        const struct cmeta_port *port = &content->ports[i];
        CLEANUP(freep)
        char *host = text_copy(port->host_ip);
        struct in_addr v4 = {0};
        struct in6_addr v6;
        json_t *object = json_object();
        bool is_v4 = inet_pton(AF_INET, host, &v4) == 1;

        json_object_set_new(object, "HostIp", json_integer(is_v4 ? ntohl(v4.s_addr) : 0));
        json_object_set_new(object, "HostPort", json_integer(port->host_port));
        json_object_set_new(object, "ContainerPort", json_integer(port->container_port));
        set_string(object, "Protocol", port->protocol);
        if (!is_v4 && inet_pton(AF_INET6, host, &v6) == 1)
            json_object_set_new(object, "HostIp6", json_text(str_of(host)));
        json_array_append_new(array, object);
    }
    return array;
}

static void set_probe(json_t *object, const char *key, const struct cmeta_probe *probe)
{
    json_t *value;

    if (!probe->exe.data)
        return;
    value = json_object();
    set_string(value, "exe", probe->exe);
    json_object_set_new(value, "args", texts_json(probe->args, probe->args_count));
    json_object_set_new(object, key, value);
}

static void set_identity(json_t *object, const struct cmeta_container *c)
{
    json_object_set_new(object, "type", json_integer(c->type));
    set_string(object, "name", c->strings[CMETA_STRING_NAME]);
    json_object_set_new(object, "created_time", json_integer(c->created_ns / 1000000000));
}

static void set_image(json_t *object, const struct cmeta_container *c)
{
    set_string(object, "image", c->strings[CMETA_STRING_IMAGE]);
    set_string(object, "imageid", c->strings[CMETA_STRING_IMAGE_ID]);
    set_string(object, "imagerepo", c->strings[CMETA_STRING_IMAGE_REPO]);
    set_string(object, "imagetag", c->strings[CMETA_STRING_IMAGE_TAG]);
    set_string(object, "imagedigest", c->strings[CMETA_STRING_IMAGE_DIGEST]);
}

static void set_labels(json_t *object, const struct cmeta_container *c)
{
    json_object_set_new(object, "labels", labels_json(c->labels, c->labels_count));
}

static void set_security(json_t *object, const struct cmeta_container *c)
{
    set_flag(object, "privileged", c->flags, CMETA_FLAG_PRIVILEGED);
    set_flag(object, "host_pid", c->flags, CMETA_FLAG_HOST_PID);
    set_flag(object, "host_network", c->flags, CMETA_FLAG_HOST_NETWORK);
    set_flag(object, "host_ipc", c->flags, CMETA_FLAG_HOST_IPC);
    set_string(object, "User", c->strings[CMETA_STRING_USER]);
}

static void set_mounts(json_t *object, const struct cmeta_container *c)
{
    json_object_set_new(object, "Mounts", mounts_json(c));
}

static void set_network(json_t *object, const struct cmeta_container *c)
{
    set_string(object, "ip", c->strings[CMETA_STRING_IP]);
    json_object_set_new(object, "port_mappings", ports_json(c));
    set_string(object, "cni_json", c->strings[CMETA_STRING_CNI_JSON]);
}

static void set_limits(json_t *object, const struct cmeta_container *c)
{
    json_object_set_new(object, "cpu_period", json_integer(c->cpu_period));
    json_object_set_new(object, "cpu_quota", json_integer(c->cpu_quota));
    json_object_set_new(object, "cpu_shares", json_integer(c->cpu_shares));
    json_object_set_new(object, "cpuset_cpu_count", json_integer(c->cpuset_cpu_count));
    json_object_set_new(object, "memory_limit", json_integer(c->memory_limit));
    json_object_set_new(object, "swap_limit", json_integer(c->swap_limit));
    json_object_set_new(object, "size", json_integer(c->size_rw));
    json_object_set_new(object, "env", texts_json(c->env, c->env_count));
}

static void set_pod(json_t *object, const struct cmeta_container *c)
{
    set_flag(object, "is_pod_sandbox", c->flags, CMETA_FLAG_POD_SANDBOX);
    set_string(object, "pod_sandbox_id", c->strings[CMETA_STRING_POD_SANDBOX_ID]);
    json_object_set_new(object, "pod_sandbox_labels",
                        labels_json(c->pod_labels, c->pod_labels_count));
}

static void set_health(json_t *object, const struct cmeta_container *c)
{
    set_probe(object, "Healthcheck", &c->probes[CMETA_PROBE_HEALTHCHECK]);
    set_probe(object, "LivenessProbe", &c->probes[CMETA_PROBE_LIVENESS]);
    set_probe(object, "ReadinessProbe", &c->probes[CMETA_PROBE_READINESS]);
}

static json_t *upstream_json(const struct cmeta_status *status, const struct cmeta_container *c)
{
    static void (*const set[])(json_t *, const struct cmeta_container *) = {
        [CMETA_GROUP_IDENTITY] = set_identity, [CMETA_GROUP_IMAGE] = set_image,
        [CMETA_GROUP_LABELS] = set_labels,     [CMETA_GROUP_SECURITY] = set_security,
        [CMETA_GROUP_MOUNTS] = set_mounts,     [CMETA_GROUP_NETWORK] = set_network,
        [CMETA_GROUP_LIMITS] = set_limits,     [CMETA_GROUP_POD] = set_pod,
        [CMETA_GROUP_HEALTH] = set_health,
    };
    json_t *object = json_object();

    static_assert(sizeof(set) / sizeof(set[0]) == CMETA_GROUP_COUNT, "a function per group");
    set_string(object, "id", lookup_short_id(status->id));
    set_string(object, "full_id", status->id);
    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++)
        if (c->known & CMETA_GROUP_BIT(group))
            set[group](object, c);
    return object;
}

// --- ours
// -------------------------------------------------------------------------------------------------------

static uint64_t positive(int64_t ns)
{
    return ns > 0 ? (uint64_t)ns : 0;
}

static void set_status(json_t *object, const struct cmeta_status *status)
{
    uint32_t word = status->word;

    json_object_set_new(object, "scope", json_text(status->scope));
    json_object_set_new(object, "state", json_string(cmeta_state_name(CMETA_STATUS_STATE(word))));
    json_object_set_new(object, "health",
                        json_string(cmeta_health_name(CMETA_STATUS_HEALTH(word))));
    json_object_set_new(object, "exit_code",
                        word & CMETA_STATUS_HAS_EXIT ? json_integer(CMETA_STATUS_EXIT(word))
                                                     : json_null());
    json_object_set_new(object, "pid", status->pid ? json_integer(status->pid) : json_null());
    json_object_set_new(object, "unconfirmed",
                        json_boolean((word & CMETA_STATUS_UNCONFIRMED) != 0));
    json_object_set_new(object, "revision", json_count(status->revision));
}

static void set_times(json_t *object, const struct cmeta_status *status,
                      const struct cmeta_container *c)
{
    json_object_set_new(object, "created", json_time(positive(c->created_ns)));
    json_object_set_new(object, "started", json_time(positive(c->started_ns)));
    json_object_set_new(object, "finished", json_time(status->finished_ns));
    json_object_set_new(object, "removed", json_time(status->removed_ns));
    json_object_set_new(object, "first_seen", json_time(status->first_seen_ns));
    json_object_set_new(object, "published", json_time(positive(c->published_ns)));
    json_object_set_new(object, "cgroup_id", c->cgroup_id ? json_count(c->cgroup_id) : json_null());
}

static json_t *pod_json(const struct cmeta_container *c)
{
    json_t *object;

    if (!(c->known & CMETA_GROUP_BIT(CMETA_GROUP_POD)) || !c->strings[CMETA_STRING_POD_NAME].data)
        return json_null();
    object = json_object();
    json_object_set_new(object, "name", json_text(c->strings[CMETA_STRING_POD_NAME]));
    json_object_set_new(object, "namespace", json_text(c->strings[CMETA_STRING_POD_NAMESPACE]));
    json_object_set_new(object, "uid", json_text(c->strings[CMETA_STRING_POD_UID]));
    json_object_set_new(object, "ip", json_text(c->strings[CMETA_STRING_POD_IP]));
    json_object_set_new(object, "cni_json", json_text(c->strings[CMETA_STRING_POD_CNI_JSON]));
    return object;
}

static json_t *group_json(const struct cmeta_region *region, const struct cmeta_container *c,
                          enum cmeta_group group)
{
    bool known = (c->known & CMETA_GROUP_BIT(group)) != 0;
    struct cmeta_engine_row row;
    json_t *object = json_object();

    json_object_set_new(object, "known", json_boolean(known));
    json_object_set_new(object, "reason",
                        known || c->reason[group] == CMETA_REASON_NONE
                            ? json_null()
                            : json_string(cmeta_reason_name(c->reason[group])));
    if (engine_rows_of_source(region, c->source[group], &row)) {
        json_object_set_new(object, "source", json_text(str_of(row.name)));
        json_object_set_new(object, "socket", json_text(str_of(row.socket)));
    } else {
        json_object_set_new(object, "source", json_null());
        json_object_set_new(object, "socket", json_null());
    }
    return object;
}

static json_t *groups_json(const struct cmeta_region *region, const struct cmeta_container *c)
{
    json_t *object = json_object();

    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++)
        json_object_set_new(object, cmeta_group_name(group), group_json(region, c, group));
    return object;
}

#define SECURITY_FLAGS \
    (CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC)

// The flags by name, in the order of their bits; those of a group that isn't known say nothing.
static json_t *flags_json(uint32_t flags, uint32_t known)
{
    static const char *const names[] = {"privileged", "host-pid",    "host-network",
                                        "host-ipc",   "pod-sandbox", "labels-dropped",
                                        "truncated",  "sanitized"};
    json_t *array = json_array();

    if (!(known & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY)))
        flags &= ~(uint32_t)SECURITY_FLAGS;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (flags & (1u << i))
            json_array_append_new(array, json_string(names[i]));
    return array;
}

json_t *record_json_missing(uint32_t known)
{
    json_t *array = json_array();

    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++)
        if (CMETA_GROUPS_COMPLETE & ~known & CMETA_GROUP_BIT(group))
            json_array_append_new(array, json_string(cmeta_group_name(group)));
    return array;
}

json_t *record_json(const struct cmeta_region *region, cmeta_handle handle)
{
    CLEANUP(freep)
    void *scratch = NULL;
    struct cmeta_container content = {.type = CMETA_TYPE_UNKNOWN};
    struct cmeta_status status;
    struct cmeta_view view;
    const char *engine;
    json_t *object;

    if (!cmeta_reader_status(region, handle, &status))
        return NULL;
    // Without a record nothing is known; the identity speaks for itself.
    if (cmeta_reader_record(region, handle, &view))
        cmeta_view_decode(&view, &content, &scratch);
    engine = cmeta_type_name(content.type);
    object = json_object();
    json_object_set_new(object, "container", upstream_json(&status, &content));
    json_object_set_new(object, "engine", *engine ? json_string(engine) : json_null());
    set_status(object, &status);
    set_times(object, &status, &content);
    json_object_set_new(
        object, "complete",
        json_boolean((content.known & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE));
    json_object_set_new(object, "missing", record_json_missing(content.known));
    json_object_set_new(object, "pod", pod_json(&content));
    if (content.known & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK))
        json_object_set_new(object, "addresses",
                            texts_json(content.addresses, content.addresses_count));
    json_object_set_new(object, "groups", groups_json(region, &content));
    json_object_set_new(object, "flags", flags_json(content.flags, content.known));
    return object;
}
