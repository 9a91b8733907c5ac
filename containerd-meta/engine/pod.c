// SPDX-License-Identifier: Apache-2.0
#include "pod.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/json.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANNOTATION "annotation."

// For what is under its own limits already.
static const struct container_limits no_limit = {.label_max_len = CMETA_LABEL_VALUE_MAX};

struct pod *pod_new(const char *sandbox_id, const char *scope, enum cmeta_type type)
{
    size_t len = sandbox_id ? strlen(sandbox_id) : 0;
    struct pod *pod;

    if (len == 0 || len > CMETA_ID_MAX)
        return NULL;
    pod = calloc(1, sizeof(*pod));
    if (!pod)
        return NULL;
    pod->type = type;
    pod->sandbox_id = strdup(sandbox_id);
    pod->scope = strdup(scope);
    pod->draft = container_new(sandbox_id, len, scope);
    if (!pod->sandbox_id || !pod->scope || !pod->draft)
        return pod_free(pod);
    pod->draft->content.type = (uint16_t)type;
    container_set(pod->draft, CMETA_STRING_POD_SANDBOX_ID, sandbox_id);
    return pod;
}

struct pod *pod_free(struct pod *pod)
{
    if (!pod)
        return NULL;
    container_free(pod->draft);
    free(pod->record);
    free(pod->scope);
    free(pod->sandbox_id);
    free(pod);
    return NULL;
}

// --- filling -------------------------------------------------------------------------------------

static void set_present(struct pod *pod, enum cmeta_string which, const char *text)
{
    if (text && *text)
        container_set(pod->draft, which, text);
}

void pod_set_metadata(struct pod *pod, const char *name, const char *ns, const char *uid)
{
    set_present(pod, CMETA_STRING_POD_NAME, name);
    set_present(pod, CMETA_STRING_POD_NAMESPACE, ns);
    set_present(pod, CMETA_STRING_POD_UID, uid);
    pod->has_metadata = pod->draft->content.strings[CMETA_STRING_POD_NAME].len > 0;
}

void pod_set_created(struct pod *pod, int64_t created_ns)
{
    pod->draft->content.created_ns = created_ns > 0 ? created_ns : 0;
}

void pod_add_label(struct pod *pod, const struct container_limits *limits, const char *key,
                   size_t key_len, const char *value, size_t value_len)
{
    container_add_pod_label(pod->draft, limits, key, key_len, value, value_len);
}

// The draft's own labels are the annotations, until it is sealed.
void pod_add_annotation(struct pod *pod, const char *key, size_t key_len, const char *value,
                        size_t value_len)
{
    if (value_len <= POD_ANNOTATION_MAX && key_len <= POD_ANNOTATIONS_MAX)
        container_add_label(pod->draft, &no_limit, key, key_len, value, value_len);
}

void pod_add_address(struct pod *pod, const char *address)
{
    const struct cmeta_container *content = &pod->draft->content;
    size_t len = address ? strcspn(address, "/") : 0;
    char text[64];

    if (len == 0 || len >= sizeof(text))
        return;
    memcpy(text, address, len);
    text[len] = '\0';
    for (uint32_t i = 0; i < content->addresses_count; i++)
        if (strcmp(content->addresses[i].data, text) == 0)
            return;
    container_add_address(pod->draft, text);
}

static bool is_left_out(const char *interface)
{
    return !interface || strcmp(interface, "lo") == 0 || strncmp(interface, "veth", 4) == 0;
}

// containerd's: the interfaces that are left, by name.
static json_t *named_interfaces(struct pod *pod, const json_t *interfaces, bool want_addresses)
{
    json_t *left = json_object(), *interface;
    const char *name;

    json_object_foreach ((json_t *)interfaces, name, interface) {
        const json_t *address;
        size_t i;

        if (is_left_out(name) || !json_is_object(interface))
            continue;
        json_array_foreach (json_object_get(interface, "IPConfigs"), i, address)
            if (want_addresses)
                pod_add_address(pod, json_text(address, "IP"));
        json_object_set_new(left, name, json_copy(interface));
        json_object_del(json_object_get(left, name), "Mac");
        json_object_del(json_object_get(left, name), "Sandbox");
    }
    return left;
}

#define INTERFACES_MAX 256u

// A raw result: its addresses name their interface by its place, which moves.
static json_t *raw_result(struct pod *pod, const json_t *result, bool want_addresses)
{
    json_t *left = json_deep_copy(result), *interfaces = json_object_get(left, "interfaces"), *ip;
    json_int_t places[INTERFACES_MAX];
    const size_t count = json_array_size(interfaces);
    size_t i, at = 0;

    for (i = 0; i < count && i < INTERFACES_MAX; i++) {
        bool out = is_left_out(json_text(json_array_get(interfaces, at), "name"));

        places[i] = out ? -1 : (json_int_t)at;
        if (out)
            json_array_remove(interfaces, at);
        else
            at++;
    }
    json_array_foreach (json_object_get(left, "ips"), i, ip) {
        json_t *place = json_object_get(ip, "interface");
        json_int_t old = json_integer_value(place);

        if (want_addresses)
            pod_add_address(pod, json_text(ip, "address"));
        if (!json_is_integer(place))
            continue;
        if (old >= 0 && old < (json_int_t)count && old < INTERFACES_MAX && places[old] >= 0)
            json_integer_set(place, places[old]);
        else
            json_object_del(ip, "interface");
    }
    return left;
}

void pod_set_cni(struct pod *pod, const json_t *result)
{
    const json_t *named = json_object_get(result, "Interfaces");
    const bool want_addresses = pod->draft->content.addresses_count == 0;
    json_auto_t *left = NULL;
    CLEANUP(freep)
    char *text = NULL;

    if (json_is_object(named))
        left = named_interfaces(pod, named, want_addresses);
    else if (json_is_array(json_object_get(result, "interfaces")) ||
             json_is_array(json_object_get(result, "ips")))
        left = raw_result(pod, result, want_addresses);
    if (json_object_size(left) == 0)
        return;
    text = json_dumps(left, JSON_COMPACT | (json_is_object(named) ? JSON_SORT_KEYS : 0));
    if (text)
        container_set_n(pod->draft, CMETA_STRING_CNI_JSON, text, strnlen(text, POD_CNI_JSON_MAX));
}

// --- sealing -------------------------------------------------------------------------------------

static int by_key(const void *a, const void *b)
{
    const struct cmeta_label *left = a, *right = b;
    int r = strcmp(left->key.data, right->key.data);

    return r ? r : strcmp(left->value.data, right->value.data);
}

static void add_annotations(struct container *draft, const struct cmeta_label *sorted,
                            uint32_t count)
{
    char key[sizeof(ANNOTATION) + POD_ANNOTATIONS_MAX];
    size_t budget = POD_ANNOTATIONS_MAX;

    for (uint32_t i = 0; i < count; i++) {
        const struct cmeta_label *label = &sorted[i];
        int len;

        if (label->key.len + label->value.len > budget)
            continue;
        budget -= label->key.len + label->value.len;
        len = snprintf(key, sizeof(key), ANNOTATION "%.*s", (int)label->key.len, label->key.data);
        container_add_pod_label(draft, &no_limit, key, (size_t)len, label->value.data,
                                label->value.len);
    }
}

// In the order of their keys, so that a budget leaves out the same ones whatever order they came
// in.
static void take_annotations(struct container *draft)
{
    const uint32_t count = draft->content.labels_count;
    struct cmeta_label *sorted;

    if (count == 0)
        return;
    sorted = calloc(count, sizeof(*sorted));
    if (sorted) {
        memcpy(sorted, draft->content.labels, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), by_key);
        add_annotations(draft, sorted, count);
    }
    free(sorted);
    draft->content.labels_count = 0;
}

static int encode(struct pod *pod)
{
    CLEANUP(freep)
    void *buffer = aligned_alloc(64, CMETA_RECORD_MAX + 64);
    int size;

    if (!buffer)
        return -ENOMEM;
    size = cmeta_record_encode(&pod->draft->content, buffer, CMETA_RECORD_MAX, NULL);
    if (size < 0)
        return size;
    pod->record = malloc((size_t)size);
    if (!pod->record)
        return -ENOMEM;
    memcpy(pod->record, buffer, (size_t)size);
    pod->record_size = (size_t)size;
    return 0;
}

int pod_seal(struct pod *pod)
{
    struct container *draft = pod->draft;
    struct cmeta_str *strings = draft->content.strings;

    pod->labels_dropped = draft->labels_dropped;
    take_annotations(draft);
    if (pod->network_is_known || draft->content.addresses_count) {
        pod->network_is_known = true;
        container_pick_address(draft);
        if (!strings[CMETA_STRING_CNI_JSON].data)
            container_set(draft, CMETA_STRING_CNI_JSON, "");
        strings[CMETA_STRING_POD_IP] = strings[CMETA_STRING_IP];
        strings[CMETA_STRING_POD_CNI_JSON] = strings[CMETA_STRING_CNI_JSON];
        container_know(draft, CMETA_GROUP_NETWORK);
        if (pod->has_metadata)
            container_know(draft, CMETA_GROUP_POD);
    }
    if (container_failed(draft) || encode(pod) < 0)
        return -ENOMEM;
    pod->draft = container_free(draft);
    return 0;
}

// --- folding -------------------------------------------------------------------------------------

static void copy_present(struct container *container, const struct cmeta_container *from,
                         enum cmeta_string which)
{
    if (from->strings[which].data)
        container_set_n(container, which, from->strings[which].data, from->strings[which].len);
}

static void fold_network(struct container *container, const struct cmeta_container *from)
{
    if (!(from->known & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK)) || container->content.addresses_count)
        return;
    for (uint32_t i = 0; i < from->addresses_count; i++) {
        char text[64];

        snprintf(text, sizeof(text), "%.*s", (int)from->addresses[i].len, from->addresses[i].data);
        container_add_address(container, text);
    }
    container_pick_address(container);
    copy_present(container, from, CMETA_STRING_CNI_JSON);
    container_know(container, CMETA_GROUP_NETWORK);
    container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NONE;
}

static void fold_pod(struct container *container, const struct cmeta_container *from)
{
    for (int which = CMETA_STRING_POD_NAME; which <= CMETA_STRING_POD_CNI_JSON; which++)
        copy_present(container, from, (enum cmeta_string)which);
    for (uint32_t i = 0; i < from->pod_labels_count; i++)
        container_add_pod_label(container, &no_limit, from->pod_labels[i].key.data,
                                from->pod_labels[i].key.len, from->pod_labels[i].value.data,
                                from->pod_labels[i].value.len);
    if (from->known & CMETA_GROUP_BIT(CMETA_GROUP_POD)) {
        container_know(container, CMETA_GROUP_POD);
        container->content.reason[CMETA_GROUP_POD] = CMETA_REASON_NONE;
    }
}

// Upstream gives every container of a pod the labels that name the pod, whatever its engine did.
static void fold_labels(struct container *container, const struct cmeta_container *from)
{
    static const struct {
        enum cmeta_string string;
        struct cmeta_str label;
    } names[] = {
        {CMETA_STRING_POD_SANDBOX_ID, {"io.kubernetes.sandbox.id", 24}},
        {CMETA_STRING_POD_NAME, {"io.kubernetes.pod.name", 22}},
        {CMETA_STRING_POD_NAMESPACE, {"io.kubernetes.pod.namespace", 27}},
        {CMETA_STRING_POD_UID, {"io.kubernetes.pod.uid", 21}},
    };

    if (!(container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_LABELS)))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct cmeta_str *value = &from->strings[names[i].string];

        if (value->data)
            container_add_label(container, &no_limit, names[i].label.data, names[i].label.len,
                                value->data, value->len);
    }
}

// The pod's content; `scratch` is to be freed when done with it.
static int decode(const struct pod *pod, struct cmeta_container *content, void **scratch)
{
    struct cmeta_view view;
    int r = pod->record ? cmeta_view_init(&view, pod->record, pod->record_size) : -EINVAL;

    return r < 0 ? r : cmeta_view_decode(&view, content, scratch);
}

int pod_apply(const struct pod *pod, struct container *container)
{
    struct cmeta_container content;
    CLEANUP(freep)
    void *scratch = NULL;
    int r = decode(pod, &content, &scratch);

    if (r < 0)
        return r;
    container->content.flags |= pod->host_flags | (content.flags & CMETA_FLAG_LABELS_DROPPED);
    if (!pod->spares_labels)
        fold_labels(container, &content);
    fold_pod(container, &content);
    fold_network(container, &content);
    return container_failed(container) ? -ENOMEM : 0;
}

void pod_apply_none(struct container *container)
{
    container_know(container, CMETA_GROUP_POD);
}

// --- the sandbox itself --------------------------------------------------------------------------

int pod_set_id_name(struct container *container)
{
    size_t len = cmeta_id_is_hex64(container->id.data, container->id.len) ? 12 : container->id.len;

    return container_set_n(container, CMETA_STRING_NAME, container->id.data, len);
}

static void set_state(struct container *container, const struct pod *pod)
{
    if (!pod->has_state)
        return;
    container->has_status = true;
    container->status = pod->is_ready ? CMETA_STATE_RUNNING : CMETA_STATE_EXITED;
    container->pid = pod->is_ready ? pod->pid : 0;
}

static void add_own_labels(struct container *container, const struct cmeta_container *from)
{
    const size_t len = sizeof(ANNOTATION) - 1;

    for (uint32_t i = 0; i < from->pod_labels_count; i++) {
        const struct cmeta_label *label = &from->pod_labels[i];

        if (label->key.len < len || memcmp(label->key.data, ANNOTATION, len) != 0)
            container_add_label(container, &no_limit, label->key.data, label->key.len,
                                label->value.data, label->value.len);
    }
    container_know(container, CMETA_GROUP_LABELS);
}

void pod_mark_sandbox(struct container *container)
{
    container->content.flags |= CMETA_FLAG_POD_SANDBOX;
    container->content.reason[CMETA_GROUP_IMAGE] = CMETA_REASON_POD_SANDBOX;
}

struct container *pod_to_container(const struct pod *pod)
{
    struct container *container =
        container_new(pod->sandbox_id, strlen(pod->sandbox_id), pod->scope);
    struct cmeta_container content;
    CLEANUP(freep)
    void *scratch = NULL;

    if (!container || decode(pod, &content, &scratch) < 0)
        return container_free(container);
    container->content.type = (uint16_t)pod->type;
    container->content.created_ns = content.created_ns;
    container->labels_dropped = pod->labels_dropped;
    pod_set_id_name(container);
    container_know(container, CMETA_GROUP_IDENTITY);
    container_know(container, CMETA_GROUP_HEALTH);
    set_state(container, pod);
    add_own_labels(container, &content);
    pod_mark_sandbox(container);
    return pod_apply(pod, container) < 0 ? container_free(container) : container;
}

bool pod_equal(const struct pod *a, const struct pod *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->sandbox_id, b->sandbox_id) == 0 && strcmp(a->scope, b->scope) == 0 &&
           a->host_flags == b->host_flags && a->has_state == b->has_state &&
           a->is_ready == b->is_ready && a->pid == b->pid && a->record_size == b->record_size &&
           (a->record_size == 0 || memcmp(a->record, b->record, a->record_size) == 0);
}
