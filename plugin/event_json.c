// SPDX-License-Identifier: Apache-2.0
#include "event_json.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// A sound record's texts are at most its size; what comes on top is the identity, and the pod's
// names once more. Slices of an unsound record may overlap without end.
#define TEXT_MAX (CMETA_RECORD_MAX + 4096u)

struct writer {
    const struct cmeta_container *content;
    size_t text_left; // bytes
    bool failed;      // no memory
};

// --- pieces --------------------------------------------------------------------------------------

// NULL if it can't be told: not UTF-8, or beyond the bound. What a NUL is followed by is dropped.
static json_t *text_json(struct writer *w, struct cmeta_str text)
{
    size_t len = text.data ? strnlen(text.data, text.len) : 0;

    if (len > w->text_left)
        return NULL;
    w->text_left -= len;
    return json_stringn(len ? text.data : "", len);
}

static void set(struct writer *w, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        w->failed = true;
}

static void set_text(struct writer *w, json_t *object, const char *key, struct cmeta_str text)
{
    json_t *value = text_json(w, text);

    set(w, object, key, value ? value : json_string(""));
}

static void set_string(struct writer *w, json_t *object, const char *key, enum cmeta_string which)
{
    set_text(w, object, key, w->content->strings[which]);
}

// A key of ours: only where there is something.
static void set_optional(struct writer *w, json_t *object, const char *key, struct cmeta_str text)
{
    if (text.data)
        set_text(w, object, key, text);
}

static void set_number(struct writer *w, json_t *object, const char *key, int64_t number)
{
    set(w, object, key, json_integer(number));
}

static void set_flag(struct writer *w, json_t *object, const char *key, uint32_t flag)
{
    set(w, object, key, json_boolean(w->content->flags & flag));
}

static json_t *texts_json(struct writer *w, const struct cmeta_str *texts, uint32_t count)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, text_json(w, texts[i]));
    return array;
}

static void set_label(struct writer *w, json_t *object, struct cmeta_str key,
                      struct cmeta_str value)
{
    size_t len = key.data ? strnlen(key.data, key.len) : 0;

    if (len > w->text_left)
        return;
    w->text_left -= len;
    json_object_setn_new(object, len ? key.data : "", len, text_json(w, value));
}

static json_t *labels_json(struct writer *w, const struct cmeta_label *labels, uint32_t count)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < count; i++)
        set_label(w, object, labels[i].key, labels[i].value);
    return object;
}

// --- groups --------------------------------------------------------------------------------------

static void add_pod_label(struct writer *w, json_t *labels, const char *key,
                          enum cmeta_string which)
{
    struct cmeta_str name = {key, (uint32_t)strlen(key)};

    if (w->content->strings[which].data && !json_object_get(labels, key))
        set_label(w, labels, name, w->content->strings[which]);
}

static json_t *container_labels(struct writer *w)
{
    json_t *labels = labels_json(w, w->content->labels, w->content->labels_count);

    add_pod_label(w, labels, "io.kubernetes.pod.name", CMETA_STRING_POD_NAME);
    add_pod_label(w, labels, "io.kubernetes.pod.namespace", CMETA_STRING_POD_NAMESPACE);
    add_pod_label(w, labels, "io.kubernetes.pod.uid", CMETA_STRING_POD_UID);
    return labels;
}

static json_t *mounts_json(struct writer *w)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < w->content->mounts_count; i++) {
        const struct cmeta_mount *mount = &w->content->mounts[i];
        json_t *object = json_object();

        set_text(w, object, "Source", mount->source);
        set_text(w, object, "Destination", mount->destination);
        set_text(w, object, "Mode", mount->mode);
        set(w, object, "RW", json_boolean(mount->rw));
        set_text(w, object, "Propagation", mount->propagation);
        json_array_append_new(array, object);
    }
    return array;
}

// HostIp is a number, and holds an IPv4 address only.
static void set_host_ip(struct writer *w, json_t *object, struct cmeta_str text)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct in_addr v4 = {0};
    struct in6_addr v6;

    if (text.data && text.len < sizeof(host))
        memcpy(host, text.data, text.len);
    if (inet_pton(AF_INET, host, &v4) != 1 && inet_pton(AF_INET6, host, &v6) == 1)
        set_text(w, object, "HostIp6", (struct cmeta_str){host, (uint32_t)strlen(host)});
    set_number(w, object, "HostIp", ntohl(v4.s_addr));
}

static json_t *ports_json(struct writer *w)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < w->content->ports_count; i++) {
        const struct cmeta_port *port = &w->content->ports[i];
        json_t *object = json_object();

        set_host_ip(w, object, port->host_ip);
        set_number(w, object, "HostPort", port->host_port);
        set_number(w, object, "ContainerPort", port->container_port);
        set_optional(w, object, "Protocol", port->protocol);
        json_array_append_new(array, object);
    }
    return array;
}

static void set_probe(struct writer *w, json_t *object, const char *key,
                      const struct cmeta_probe *probe)
{
    json_t *value;

    if (!probe->exe.data)
        return;
    value = json_object();
    set_text(w, value, "exe", probe->exe);
    set(w, value, "args", texts_json(w, probe->args, probe->args_count));
    set(w, object, key, value);
}

static void set_unknown(struct writer *w, json_t *object)
{
    const struct cmeta_container *c = w->content;
    json_t *unknown;

    if ((c->known & CMETA_GROUPS_ALL) == CMETA_GROUPS_ALL)
        return;
    unknown = json_object();
    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++)
        if (!(c->known & CMETA_GROUP_BIT(group)))
            set(w, unknown, cmeta_group_name(group),
                json_string(cmeta_reason_name(c->reason[group])));
    set(w, object, "unknown", unknown);
}

// --- the document --------------------------------------------------------------------------------

static void set_identity(struct writer *w, json_t *object, const struct snapshot *s)
{
    bool known = w->content->known & CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY);

    set_number(w, object, "type", known ? w->content->type : CMETA_TYPE_UNKNOWN);
    set_text(w, object, "id", snapshot_short_id(s));
    set_text(w, object, "full_id", s->status.id);
    set_string(w, object, "name", CMETA_STRING_NAME);
}

static void set_image(struct writer *w, json_t *object)
{
    set_string(w, object, "image", CMETA_STRING_IMAGE);
    set_string(w, object, "imageid", CMETA_STRING_IMAGE_ID);
    set_string(w, object, "imagerepo", CMETA_STRING_IMAGE_REPO);
    set_string(w, object, "imagetag", CMETA_STRING_IMAGE_TAG);
    set_string(w, object, "imagedigest", CMETA_STRING_IMAGE_DIGEST);
}

static void set_limits(struct writer *w, json_t *object)
{
    const struct cmeta_container *c = w->content;

    set_number(w, object, "cpu_period", c->cpu_period);
    set_number(w, object, "cpu_quota", c->cpu_quota);
    set_number(w, object, "cpu_shares", c->cpu_shares);
    set_number(w, object, "cpuset_cpu_count", c->cpuset_cpu_count);
    set_number(w, object, "created_time", c->created_ns / 1000000000);
    set_number(w, object, "memory_limit", c->memory_limit);
    set_number(w, object, "swap_limit", c->swap_limit);
    set_number(w, object, "size", c->size_rw);
    set(w, object, "env", texts_json(w, c->env, c->env_count));
}

static void set_security(struct writer *w, json_t *object)
{
    set_string(w, object, "User", CMETA_STRING_USER);
    set_flag(w, object, "privileged", CMETA_FLAG_PRIVILEGED);
    set_flag(w, object, "host_ipc", CMETA_FLAG_HOST_IPC);
    set_flag(w, object, "host_network", CMETA_FLAG_HOST_NETWORK);
    set_flag(w, object, "host_pid", CMETA_FLAG_HOST_PID);
    set(w, object, "Mounts", mounts_json(w));
}

static void set_network(struct writer *w, json_t *object)
{
    set_string(w, object, "ip", CMETA_STRING_IP);
    set_string(w, object, "cni_json", CMETA_STRING_CNI_JSON);
    set(w, object, "port_mappings", ports_json(w));
}

static void set_pod(struct writer *w, json_t *object)
{
    const struct cmeta_container *c = w->content;

    set_flag(w, object, "is_pod_sandbox", CMETA_FLAG_POD_SANDBOX);
    set_string(w, object, "pod_sandbox_id", CMETA_STRING_POD_SANDBOX_ID);
    set(w, object, "labels", container_labels(w));
    set(w, object, "pod_sandbox_labels", labels_json(w, c->pod_labels, c->pod_labels_count));
}

// What the upstream plugin doesn't have.
static void set_ours(struct writer *w, json_t *object, const struct snapshot *s)
{
    const struct cmeta_container *c = w->content;

    set_probe(w, object, "Healthcheck", &c->probes[CMETA_PROBE_HEALTHCHECK]);
    set_probe(w, object, "LivenessProbe", &c->probes[CMETA_PROBE_LIVENESS]);
    set_probe(w, object, "ReadinessProbe", &c->probes[CMETA_PROBE_READINESS]);
    // Empty ones as well: by this key a reader knows that the rest of what isn't named is known.
    set_text(w, object, "scope", s->status.scope);
    if (c->addresses_count)
        set(w, object, "addresses", texts_json(w, c->addresses, c->addresses_count));
    set_optional(w, object, "pod_ip", c->strings[CMETA_STRING_POD_IP]);
    set_optional(w, object, "pod_cni_json", c->strings[CMETA_STRING_POD_CNI_JSON]);
    set_unknown(w, object);
}

// The text of {"container": object}, which is taken over.
static char *print(struct writer *w, json_t *object, size_t *len)
{
    json_t *root = json_object();
    size_t bytes = 0;
    char *text = NULL;

    set(w, root, "container", object);
    if (!w->failed)
        bytes = json_dumpb(root, NULL, 0, JSON_COMPACT);
    if (bytes > 0 && bytes < EVENT_JSON_MAX)
        text = malloc(bytes + 1);
    if (text && json_dumpb(root, text, bytes, JSON_COMPACT) == bytes) {
        text[bytes] = '\0';
        *len = bytes;
    } else {
        free(text);
        text = NULL;
    }
    json_decref(root);
    return text;
}

char *event_json_write(const struct snapshot *s, size_t *len)
{
    struct writer w = {.content = &s->content, .text_left = TEXT_MAX};
    json_t *object = json_object();

    set_identity(&w, object, s);
    set_image(&w, object);
    set_security(&w, object);
    set_network(&w, object);
    set_pod(&w, object);
    set_limits(&w, object);
    set_ours(&w, object, s);
    return print(&w, object, len);
}

char *event_json_write_brief(const struct snapshot *s, size_t *len)
{
    struct cmeta_container content = s->content;
    struct writer w = {.content = &content, .text_left = TEXT_MAX};
    json_t *object = json_object();

    content.known &= CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY);
    memset(content.reason, CMETA_REASON_OVER_LIMIT, sizeof(content.reason));
    set_identity(&w, object, s);
    set_unknown(&w, object);
    return print(&w, object, len);
}

static struct cmeta_str text_of(const char *text)
{
    return (struct cmeta_str){text, (uint32_t)strlen(text)};
}

char *event_json_write_static(const struct config_static *fixed, size_t *len)
{
    struct snapshot s = {
        .content = {.type = CMETA_TYPE_STATIC, .known = CMETA_GROUPS_ALL, .size_rw = -1}};

    s.content.strings[CMETA_STRING_NAME] = text_of(fixed->name);
    s.content.strings[CMETA_STRING_IMAGE] = text_of(fixed->image);
    s.content.strings[CMETA_STRING_IMAGE_REPO] = text_of(fixed->repo);
    s.content.strings[CMETA_STRING_IMAGE_TAG] = text_of(fixed->tag);
    s.content.strings[CMETA_STRING_IMAGE_DIGEST] = text_of(fixed->digest);
    s.status.id = text_of(fixed->id);
    return event_json_write(&s, len);
}
