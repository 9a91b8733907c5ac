// SPDX-License-Identifier: Apache-2.0
// What no field tells (environment, ports, limits, times) isn't kept.
#include "json_record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// The content while it is put together; its strings are the document's.
struct reading {
    const json_t *object; // the value of "container"
    struct cmeta_container content;
    struct cmeta_label *labels[2];
    struct cmeta_mount *mounts;
    struct cmeta_str *args[CMETA_PROBE_COUNT];
};

// --- values --------------------------------------------------------------------------------------

static struct cmeta_str text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? (struct cmeta_str){text, (uint32_t)json_string_length(value)}
                : (struct cmeta_str){NULL, 0};
}

static struct cmeta_str text_at(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, key));
}

// Some writers' numbers are floating.
static int64_t number_at(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    double real = json_real_value(value);

    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_real(value) && real > -9e18 && real < 9e18 ? (int64_t)real : otherwise;
}

static bool has(const struct reading *r, const char *key)
{
    return json_object_get(r->object, key) != NULL;
}

static void know(struct reading *r, enum cmeta_group group, bool known)
{
    if (known)
        r->content.known |= CMETA_GROUP_BIT(group);
}

// An empty text and none are the same.
static void set_string(struct reading *r, enum cmeta_string which, struct cmeta_str text)
{
    if (text.len)
        r->content.strings[which] = text;
}

static void set_strings(struct reading *r, const char *key, enum cmeta_string which)
{
    set_string(r, which, text_at(r->object, key));
}

static bool set_flag(struct reading *r, const char *key, uint32_t flag)
{
    const json_t *value = json_object_get(r->object, key);

    if (json_is_true(value))
        r->content.flags |= flag;
    return json_is_boolean(value);
}

// An array for the elements of a list, as many as are looked at; NULL if there are none.
static void *make_list(size_t count, size_t element, uint32_t *room)
{
    *room = (uint32_t)(count < JSON_RECORD_LIST_MAX ? count : JSON_RECORD_LIST_MAX);
    return *room ? calloc(*room, element) : NULL;
}

// --- groups --------------------------------------------------------------------------------------

// null is a list of no elements: Go writes it so.
static bool is_list(const json_t *value)
{
    return json_is_object(value) || json_is_array(value) || json_is_null(value);
}

static uint32_t read_labels(struct reading *r, unsigned which, const char *key,
                            const struct cmeta_label **out)
{
    json_t *object = json_object_get(r->object, key), *value;
    uint32_t room, used = 0;
    const char *name;

    *out = r->labels[which] =
        make_list(json_object_size(object), sizeof(struct cmeta_label), &room);
    if (!*out)
        return 0;
    json_object_foreach (object, name, value) {
        if (!json_is_string(value) || used == room)
            continue;
        r->labels[which][used++] =
            (struct cmeta_label){{name, (uint32_t)strlen(name)}, text_of(value)};
    }
    return used;
}

static void read_mounts(struct reading *r)
{
    const json_t *array = json_object_get(r->object, "Mounts");
    uint32_t room, used = 0;

    r->content.mounts = r->mounts =
        make_list(json_array_size(array), sizeof(struct cmeta_mount), &room);
    for (size_t i = 0; r->mounts && i < room; i++) {
        const json_t *mount = json_array_get(array, i);

        if (json_is_object(mount))
            r->mounts[used++] =
                (struct cmeta_mount){.source = text_at(mount, "Source"),
                                     .destination = text_at(mount, "Destination"),
                                     .mode = text_at(mount, "Mode"),
                                     .propagation = text_at(mount, "Propagation"),
                                     .rw = json_is_true(json_object_get(mount, "RW"))};
    }
    r->content.mounts_count = used;
}

static void read_probe(struct reading *r, enum cmeta_probe_kind kind, const char *key)
{
    const json_t *probe = json_object_get(r->object, key), *args = json_object_get(probe, "args");
    struct cmeta_str exe = text_at(probe, "exe");
    uint32_t room, used = 0;

    know(r, CMETA_GROUP_HEALTH, json_is_object(probe));
    if (!exe.len)
        return;
    r->args[kind] = make_list(json_array_size(args), sizeof(struct cmeta_str), &room);
    for (size_t i = 0; r->args[kind] && i < room; i++)
        if (json_is_string(json_array_get(args, i)))
            r->args[kind][used++] = text_of(json_array_get(args, i));
    r->content.probes[kind] = (struct cmeta_probe){exe, r->args[kind], used};
}

static void read_image(struct reading *r)
{
    static const struct {
        const char *key;
        enum cmeta_string which;
    } parts[] = {{"image", CMETA_STRING_IMAGE},
                 {"imageid", CMETA_STRING_IMAGE_ID},
                 {"imagerepo", CMETA_STRING_IMAGE_REPO},
                 {"imagetag", CMETA_STRING_IMAGE_TAG},
                 {"imagedigest", CMETA_STRING_IMAGE_DIGEST}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        set_strings(r, parts[i].key, parts[i].which);
        know(r, CMETA_GROUP_IMAGE, has(r, parts[i].key));
    }
}

static void read_security(struct reading *r)
{
    set_strings(r, "User", CMETA_STRING_USER);
    know(r, CMETA_GROUP_SECURITY, set_flag(r, "privileged", CMETA_FLAG_PRIVILEGED));
    set_flag(r, "host_ipc", CMETA_FLAG_HOST_IPC);
    set_flag(r, "host_network", CMETA_FLAG_HOST_NETWORK);
    set_flag(r, "host_pid", CMETA_FLAG_HOST_PID);
}

// The pod's names are labels of the container. Upstream keeps the pod's address and CNI result in
// each of its containers.
static void read_pod(struct reading *r)
{
    const json_t *labels = json_object_get(r->object, "labels");
    bool in_pod = text_at(r->object, "pod_sandbox_id").len > 0;

    set_flag(r, "is_pod_sandbox", CMETA_FLAG_POD_SANDBOX);
    set_strings(r, "pod_sandbox_id", CMETA_STRING_POD_SANDBOX_ID);
    set_string(r, CMETA_STRING_POD_NAME, text_at(labels, "io.kubernetes.pod.name"));
    set_string(r, CMETA_STRING_POD_NAMESPACE, text_at(labels, "io.kubernetes.pod.namespace"));
    set_string(r, CMETA_STRING_POD_UID, text_at(labels, "io.kubernetes.pod.uid"));
    set_strings(r, has(r, "pod_ip") || !in_pod ? "pod_ip" : "ip", CMETA_STRING_POD_IP);
    set_strings(r, has(r, "pod_cni_json") || !in_pod ? "pod_cni_json" : "cni_json",
                CMETA_STRING_POD_CNI_JSON);
    r->content.pod_labels_count = read_labels(r, 1, "pod_sandbox_labels", &r->content.pod_labels);
    know(r, CMETA_GROUP_POD,
         is_list(labels) || has(r, "pod_sandbox_id") ||
             is_list(json_object_get(r->object, "pod_sandbox_labels")));
}

static uint8_t reason_of(const char *name)
{
    for (uint8_t code = 1; name && code < CMETA_REASON_COUNT; code++)
        if (strcmp(name, cmeta_reason_name(code)) == 0)
            return code;
    return CMETA_REASON_NOT_TOLD;
}

// Documents of ours name what isn't known, and know the rest: that there is no probe, for one,
// which others leave open.
static void read_unknown(struct reading *r)
{
    const json_t *unknown = json_object_get(r->object, "unknown");

    know(r, CMETA_GROUP_HEALTH, json_is_object(unknown) || has(r, "scope"));
    for (unsigned group = 0; group < CMETA_GROUP_COUNT; group++) {
        const json_t *why = json_object_get(unknown, cmeta_group_name((enum cmeta_group)group));

        if (why)
            r->content.known &= ~CMETA_GROUP_BIT(group);
        r->content.reason[group] = reason_of(json_string_value(why));
    }
}

static void read_groups(struct reading *r)
{
    set_strings(r, "name", CMETA_STRING_NAME);
    know(r, CMETA_GROUP_IDENTITY, has(r, "name") || has(r, "type"));
    read_image(r);
    r->content.labels_count = read_labels(r, 0, "labels", &r->content.labels);
    know(r, CMETA_GROUP_LABELS, is_list(json_object_get(r->object, "labels")));
    read_security(r);
    read_mounts(r);
    know(r, CMETA_GROUP_MOUNTS, is_list(json_object_get(r->object, "Mounts")));
    set_strings(r, "ip", CMETA_STRING_IP);
    set_strings(r, "cni_json", CMETA_STRING_CNI_JSON);
    know(r, CMETA_GROUP_NETWORK, json_is_string(json_object_get(r->object, "ip")));
    read_pod(r);
    read_probe(r, CMETA_PROBE_HEALTHCHECK, "Healthcheck");
    read_probe(r, CMETA_PROBE_LIVENESS, "LivenessProbe");
    read_probe(r, CMETA_PROBE_READINESS, "ReadinessProbe");
    read_unknown(r);
}

static void reading_done(struct reading *r)
{
    free(r->labels[0]);
    free(r->labels[1]);
    free(r->mounts);
    for (unsigned i = 0; i < CMETA_PROBE_COUNT; i++)
        free(r->args[i]);
}

// --- identity ------------------------------------------------------------------------------------

// Control characters are no part of any engine's IDs.
static bool is_id(struct cmeta_str id)
{
    if (id.len == 0 || id.len > CMETA_ID_MAX)
        return false;
    for (uint32_t i = 0; i < id.len; i++)
        if ((unsigned char)id.data[i] < 0x20 || id.data[i] == 0x7f)
            return false;
    return true;
}

static void copy(char *to, struct cmeta_str from, uint32_t len)
{
    memcpy(to, from.data, len);
    to[len] = '\0';
}

int json_record_name(struct told *told, struct cmeta_str id, struct cmeta_str full_id)
{
    struct cmeta_str shown = full_id.len ? full_id : id;

    if (!shown.data || !is_id(shown))
        return -EINVAL;
    copy(told->id, shown, cmeta_id_is_hex64(shown.data, shown.len) ? 12 : shown.len);
    told->full_id[0] = '\0';
    // Twelve digits alone are the beginning of an ID; anything else is one.
    if (full_id.len || id.len != 12 || strspn(told->id, "0123456789abcdefABCDEF") != 12)
        copy(told->full_id, shown, shown.len);
    return 0;
}

// --- the document --------------------------------------------------------------------------------

static int read_container(const json_t *object, struct told *told)
{
    struct reading r = {.object = object};
    int64_t type = number_at(object, "type", CMETA_TYPE_UNKNOWN);
    struct cmeta_str scope = text_at(object, "scope");
    int size;

    if (json_record_name(told, text_at(object, "id"), text_at(object, "full_id")) < 0)
        return -EINVAL;
    told->type = type >= 0 && type < CMETA_TYPE_UNKNOWN ? (uint16_t)type : CMETA_TYPE_UNKNOWN;
    told->host = told->type == CMETA_TYPE_HOST;
    told->scope[0] = '\0';
    if (scope.data && scope.len <= JSON_RECORD_SCOPE)
        copy(told->scope, scope, scope.len);
    r.content.type = told->type;
    read_groups(&r);
    size = cmeta_record_encode(&r.content, told->record, sizeof(told->record), NULL);
    reading_done(&r);
    if (size < 0)
        return size;
    told->size = (uint32_t)size;
    return 0;
}

// Integers beyond 64 bits are no reason to lose the rest: they are read as floating ones then.
static json_t *load(const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

    return root ? root : json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
}

int json_record_read(const char *text, size_t len, struct told *told)
{
    const json_t *object;
    json_t *root;
    char *mended;
    int r;

    len = strnlen(text, len);
    if (len > JSON_RECORD_TEXT_MAX)
        return -EMSGSIZE;
    mended = malloc(len + 1);
    if (!mended)
        return -ENOMEM;
    memcpy(mended, text, len);
    cmeta_utf8_mend(mended, len);
    root = load(mended, len);
    object = json_object_get(root, "container");
    // One version of the upstream plugin wrote removals without the level around them.
    if (!json_is_object(object))
        object = root;
    r = json_is_object(object) ? read_container(object, told) : -EINVAL;
    json_decref(root);
    free(mended);
    return r;
}
