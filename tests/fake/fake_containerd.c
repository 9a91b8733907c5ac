// SPDX-License-Identifier: Apache-2.0
// Records are kept as they are sent: the messages of Get, List and ListStream have a container in
// the same field, so a list is its elements one after the other.
#include "fake_containerd.h"

#include "blob_map.h"
#include "cri.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_URL      "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define CREATED       1795314181
#define NOT_FOUND     5
#define PRECONDITION  9
#define KEY_SIZE      512
#define CONTAINER_EXT "io.cri-containerd.container.metadata"
#define SANDBOX_EXT   "io.cri-containerd.sandbox.metadata"

struct fake_containerd {
    struct fake_grpc *fake;
    struct blob_map *namespaces, *records, *sandboxes, *tasks, *images;
    int64_t updates; // makes each record's updated_at another
};

static const char *key_of(char key[KEY_SIZE], const char *ns, const char *id)
{
    snprintf(key, KEY_SIZE, "%s/%s", ns, id);
    return key;
}

static const char *ns_of(const struct fake_container *container)
{
    return container->ns ? container->ns : "k8s.io";
}

// --- answers -------------------------------------------------------------------------------------

struct gathered {
    uint8_t *data;
    size_t len;
};

static void gather(void *userdata, const char *key, const void *data, size_t len)
{
    struct gathered *gathered = userdata;

    (void)key;
    gathered->data = realloc(gathered->data, gathered->len + len + 1);
    if (!gathered->data)
        abort();
    memcpy(gathered->data + gathered->len, data, len);
    gathered->len += len;
}

static void reply_all(struct fake_grpc_reply *reply, struct blob_map *map, const char *prefix)
{
    struct gathered gathered = {0};

    blob_map_each(map, prefix, gather, &gathered);
    fake_grpc_reply_bytes(reply, gathered.data, gathered.len);
    free(gathered.data);
}

// Whether the question has a namespace; else it is refused.
static bool in_namespace(const struct fake_grpc_question *question, struct fake_grpc_reply *reply,
                         char prefix[KEY_SIZE])
{
    key_of(prefix, question->ns, "");
    if (*question->ns)
        return true;
    fake_grpc_reply_status(reply, PRECONDITION, "namespace is required: failed precondition");
    return false;
}

static void on_version(void *userdata, const struct fake_grpc_question *question,
                       struct fake_grpc_reply *reply)
{
    Containerd__VersionResponse message = CONTAINERD__VERSION_RESPONSE__INIT;

    (void)userdata;
    (void)question;
    message.version = (char *)(uintptr_t) "1.6.20";
    fake_grpc_reply_message(reply, &message.base);
}

static void on_cri_version(void *userdata, const struct fake_grpc_question *question,
                           struct fake_grpc_reply *reply)
{
    Cri__VersionResponse message = CRI__VERSION_RESPONSE__INIT;

    (void)userdata;
    (void)question;
    message.version = (char *)(uintptr_t) "0.1.0";
    message.runtime_name = (char *)(uintptr_t) "containerd";
    message.runtime_version = (char *)(uintptr_t) "1.6.20";
    message.runtime_api_version = (char *)(uintptr_t) "v1";
    fake_grpc_reply_message(reply, &message.base);
}

static void on_namespaces(void *userdata, const struct fake_grpc_question *question,
                          struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;

    (void)question;
    reply_all(reply, containerd->namespaces, "");
}

static void on_images(void *userdata, const struct fake_grpc_question *question,
                      struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;
    char prefix[KEY_SIZE];

    if (in_namespace(question, reply, prefix))
        reply_all(reply, containerd->images, prefix);
}

static void on_tasks(void *userdata, const struct fake_grpc_question *question,
                     struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;
    char prefix[KEY_SIZE];

    if (in_namespace(question, reply, prefix))
        reply_all(reply, containerd->tasks, prefix);
}

static void add_message(void *userdata, const char *key, const void *data, size_t len)
{
    (void)key;
    fake_grpc_reply_bytes(userdata, data, len);
}

// The filters that are in use: pods' sandboxes by their label; an ID by how it begins.
static void on_list(void *userdata, const struct fake_grpc_question *question,
                    struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;
    Containerd__ListContainersRequest *request =
        containerd__list_containers_request__unpack(NULL, question->len, question->data);
    const char *filter = request && request->n_filters ? request->filters[0] : "";
    struct blob_map *map = strstr(filter, "sandbox") ? containerd->sandboxes : containerd->records;
    char prefix[KEY_SIZE], beginning[KEY_SIZE];

    if (in_namespace(question, reply, prefix)) {
        if (sscanf(filter, "id~=\"^%255[^\"]\"", beginning) == 1)
            strncat(prefix, beginning, KEY_SIZE - strlen(prefix) - 1);
        if (strcmp(question->method, FAKE_LIST) == 0)
            reply_all(reply, map, prefix);
        else
            blob_map_each(map, prefix, add_message, reply);
    }
    if (request)
        containerd__list_containers_request__free_unpacked(request, NULL);
}

static void reply_one(struct blob_map *map, const struct fake_grpc_question *question,
                      struct fake_grpc_reply *reply)
{
    // The requests of all Gets have a string in their first field.
    Containerd__GetContainerRequest *request =
        containerd__get_container_request__unpack(NULL, question->len, question->data);
    char prefix[KEY_SIZE], key[KEY_SIZE];
    uint8_t *data;
    size_t len;

    if (!request || !in_namespace(question, reply, prefix))
        return;
    if (blob_map_get(map, key_of(key, question->ns, request->id), &data, &len)) {
        fake_grpc_reply_bytes(reply, data, len);
        free(data);
    } else {
        fake_grpc_reply_status(reply, NOT_FOUND, "not found");
    }
    containerd__get_container_request__free_unpacked(request, NULL);
}

static void on_get(void *userdata, const struct fake_grpc_question *question,
                   struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;

    reply_one(containerd->records, question, reply);
}

static void on_image(void *userdata, const struct fake_grpc_question *question,
                     struct fake_grpc_reply *reply)
{
    struct fake_containerd *containerd = userdata;

    reply_one(containerd->images, question, reply);
}

static const struct {
    const char *method;
    void (*handle)(void *userdata, const struct fake_grpc_question *question,
                   struct fake_grpc_reply *reply);
} handlers[] = {
    {FAKE_VERSION, on_version},
    {"/runtime.v1.RuntimeService/Version", on_cri_version},
    {FAKE_NAMESPACES, on_namespaces},
    {FAKE_IMAGES, on_images},
    {FAKE_IMAGE_GET, on_image},
    {FAKE_TASKS, on_tasks},
    {FAKE_LIST, on_list},
    {FAKE_LISTSTREAM, on_list},
    {FAKE_GET, on_get},
};

void fake_containerd_delay(struct fake_containerd *containerd, unsigned delay_ms)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        fake_grpc_on(containerd->fake, &(struct fake_grpc_rule){.method = handlers[i].method,
                                                                .action = FAKE_GRPC_HANDLE,
                                                                .handle = handlers[i].handle,
                                                                .userdata = containerd,
                                                                .delay_ms = delay_ms});
}

// --- life ----------------------------------------------------------------------------------------

struct fake_containerd *fake_containerd_serve(struct fake_grpc *fake)
{
    static const char *const namespaces[] = {"k8s.io", "default", "moby"};
    struct fake_containerd *containerd = calloc(1, sizeof(*containerd));

    if (!containerd)
        abort();
    containerd->fake = fake;
    containerd->namespaces = blob_map_new();
    containerd->records = blob_map_new();
    containerd->sandboxes = blob_map_new();
    containerd->tasks = blob_map_new();
    containerd->images = blob_map_new();
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        fake_containerd_put_namespace(containerd, namespaces[i]);
        fake_containerd_put_image(containerd, namespaces[i], FAKE_IMAGE, FAKE_DIGEST);
    }
    fake_grpc_on(fake,
                 &(struct fake_grpc_rule){.method = FAKE_SUBSCRIBE, .action = FAKE_GRPC_STREAM});
    fake_containerd_delay(containerd, 0);
    return containerd;
}

struct fake_containerd *fake_containerd_free(struct fake_containerd *containerd)
{
    if (!containerd)
        return NULL;
    blob_map_free(containerd->namespaces);
    blob_map_free(containerd->records);
    blob_map_free(containerd->sandboxes);
    blob_map_free(containerd->tasks);
    blob_map_free(containerd->images);
    free(containerd);
    return NULL;
}

// --- what it has ---------------------------------------------------------------------------------

void fake_containerd_put_namespace(struct fake_containerd *containerd, const char *ns)
{
    Containerd__ListNamespacesResponse message = CONTAINERD__LIST_NAMESPACES_RESPONSE__INIT;
    Containerd__Namespace one = CONTAINERD__NAMESPACE__INIT, *list[] = {&one};

    one.name = (char *)(uintptr_t)ns;
    message.n_namespaces = 1;
    message.namespaces = list;
    blob_map_put_message(containerd->namespaces, ns, &message.base);
}

void fake_containerd_put_image(struct fake_containerd *containerd, const char *ns, const char *name,
                               const char *digest)
{
    Containerd__GetImageResponse message = CONTAINERD__GET_IMAGE_RESPONSE__INIT;
    Containerd__Image image = CONTAINERD__IMAGE__INIT;
    Containerd__Descriptor target = CONTAINERD__DESCRIPTOR__INIT;
    char key[KEY_SIZE];

    target.digest = (char *)(uintptr_t)digest;
    image.name = (char *)(uintptr_t)name;
    image.target = &target;
    message.image = &image;
    blob_map_put_message(containerd->images, key_of(key, ns, name), &message.base);
}

struct labels {
    Containerd__Container__LabelsEntry entries[FAKE_LABELS_MAX], *list[FAKE_LABELS_MAX];
    size_t count;
};

static void add_label(struct labels *labels, const char *key, const char *value)
{
    Containerd__Container__LabelsEntry *entry = &labels->entries[labels->count];

    if (labels->count == FAKE_LABELS_MAX)
        abort();
    *entry = (Containerd__Container__LabelsEntry)CONTAINERD__CONTAINER__LABELS_ENTRY__INIT;
    entry->key = (char *)(uintptr_t)key;
    entry->value = (char *)(uintptr_t)value;
    labels->list[labels->count++] = entry;
}

static void add_pod_labels(struct labels *labels, const struct fake_pod *pod)
{
    add_label(labels, "io.kubernetes.pod.name", pod->name);
    add_label(labels, "io.kubernetes.pod.namespace", pod->ns);
    add_label(labels, "io.kubernetes.pod.uid", pod->uid);
}

// A record as containerd has it. `kind` is the extension's name, or NULL: no extension.
static void put_record(struct fake_containerd *containerd, const char *ns, const char *id,
                       const char *image, struct labels *labels, const char *spec, const char *kind,
                       const char *details)
{
    Containerd__GetContainerResponse message = CONTAINERD__GET_CONTAINER_RESPONSE__INIT;
    Containerd__Container container = CONTAINERD__CONTAINER__INIT;
    Containerd__Any spec_any = CONTAINERD__ANY__INIT, details_any = CONTAINERD__ANY__INIT;
    Containerd__Timestamp created = CONTAINERD__TIMESTAMP__INIT,
                          updated = CONTAINERD__TIMESTAMP__INIT;
    Containerd__Container__ExtensionsEntry extension =
                                               CONTAINERD__CONTAINER__EXTENSIONS_ENTRY__INIT,
                                           *extensions[] = {&extension};
    char key[KEY_SIZE];

    created.seconds = updated.seconds = CREATED;
    updated.nanos = (int32_t)(++containerd->updates % 1000000000);
    spec_any.type_url = (char *)(uintptr_t)SPEC_URL;
    spec_any.value = (ProtobufCBinaryData){strlen(spec), (uint8_t *)(uintptr_t)spec};
    container.id = (char *)(uintptr_t)id;
    container.image = (char *)(uintptr_t)image;
    container.n_labels = labels->count;
    container.labels = labels->list;
    container.spec = &spec_any;
    container.created_at = &created;
    container.updated_at = &updated;
    if (kind) {
        details_any.value = (ProtobufCBinaryData){strlen(details), (uint8_t *)(uintptr_t)details};
        extension.key = (char *)(uintptr_t)kind;
        extension.value = &details_any;
        container.n_extensions = 1;
        container.extensions = extensions;
    }
    message.container = &container;
    blob_map_put_message(containerd->records, key_of(key, ns, id), &message.base);
    if (kind && strcmp(kind, SANDBOX_EXT) == 0)
        blob_map_put_message(containerd->sandboxes, key, &message.base);
}

void fake_containerd_put_bytes(struct fake_containerd *containerd, const char *ns, const char *id,
                               const void *data, size_t len)
{
    char key[KEY_SIZE];

    blob_map_put(containerd->records, key_of(key, ns, id), data, len);
}

static void put_task(struct fake_containerd *containerd, const char *ns, const char *id,
                     uint32_t pid)
{
    Containerd__ListTasksResponse message = CONTAINERD__LIST_TASKS_RESPONSE__INIT;
    Containerd__Process task = CONTAINERD__PROCESS__INIT, *list[] = {&task};
    char key[KEY_SIZE];

    task.container_id = task.id = (char *)(uintptr_t)id;
    task.pid = pid;
    task.status = 2;
    message.n_tasks = 1;
    message.tasks = list;
    blob_map_put_message(containerd->tasks, key_of(key, ns, id), &message.base);
}

void fake_containerd_put_pod(struct fake_containerd *containerd, const struct fake_pod *pod)
{
    struct fake_container pause = {.id = pod->id, .name = pod->name};
    struct labels *labels = calloc(1, sizeof(*labels));
    const char *app = pod->app ? pod->app : "web";
    char *spec = fake_spec(&pause, "\"io.kubernetes.cri.container-type\":\"sandbox\""), *details;

    details = fake_format(
        "{\"Version\":\"v1\",\"Metadata\":{\"ID\":\"%s\",\"Name\":\"%s_%s_%s_0\",\"Config\":{"
        "\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\",\"namespace\":\"%s\"},\"hostname\":\"%s\","
        "\"labels\":{\"app\":\"%s\",\"io.kubernetes.pod.name\":\"%s\",\"io.kubernetes.pod."
        "namespace\":\"%s\",\"io.kubernetes.pod.uid\":\"%s\"},\"annotations\":{\"note\":\"n\"},"
        "\"linux\":{\"security_context\":{\"namespace_options\":{\"pid\":1%s}}}},"
        "\"NetNSPath\":\"/var/run/netns/cni-x\",\"IP\":\"%s\",\"AdditionalIPs\":null,"
        "\"CNIResult\":%s%s%s}}",
        pod->id, pod->name, pod->ns, pod->uid, pod->name, pod->uid, pod->ns, pod->name, app,
        pod->name, pod->ns, pod->uid, pod->host_network ? ",\"network\":2" : "",
        pod->ip ? pod->ip : "",
        pod->ip ? "{\"Interfaces\":{\"eth0\":{\"IPConfigs\":[{\"IP\":\"" : "null",
        pod->ip ? pod->ip : "", pod->ip ? "\"}]}}}" : "");
    add_label(labels, "app", app);
    add_label(labels, "io.cri-containerd.kind", "sandbox");
    add_pod_labels(labels, pod);
    put_record(containerd, "k8s.io", pod->id, "registry.k8s.io/pause:3.9", labels, spec,
               SANDBOX_EXT, details);
    put_task(containerd, "k8s.io", pod->id, 4000);
    free(spec);
    free(details);
    free(labels);
}

static char *container_details(const struct fake_container *container)
{
    const struct fake_pod *pod = container->pod;

    return fake_format(
        "{\"Version\":\"v1\",\"Metadata\":{\"ID\":\"%s\",\"Name\":\"%s_%s_%s_%s_0\",\"SandboxID\":"
        "\"%s\",\"Config\":{\"metadata\":{\"name\":\"%s\"},\"image\":{\"image\":\"" FAKE_IMAGE_ID
        "\"},\"envs\":[{\"key\":\"DATABASE\",\"value\":\"orders\"}],\"mounts\":[{\"container_"
        "path\":\"/data\",\"host_path\":\"/var/lib/kubelet/pods/%s/volumes/data\"},{\"container_"
        "path\":\"/etc/hosts\",\"host_path\":\"/var/lib/kubelet/pods/%s/etc-hosts\",\"readonly\":"
        "true}],\"linux\":{\"resources\":{\"cpu_shares\":102},\"security_context\":{%s\"run_as_"
        "user\":{\"value\":1000}}}},\"ImageRef\":\"" FAKE_IMAGE_ID "\",\"LogPath\":\"/l\"}}",
        container->id, container->name, pod->name, pod->ns, pod->uid, pod->id, container->name,
        pod->uid, pod->uid, container->privileged ? "\"privileged\":true," : "");
}

void fake_containerd_put(struct fake_containerd *containerd, const struct fake_container *container)
{
    struct labels *labels = calloc(1, sizeof(*labels));
    const char *const *label = container->labels;
    char *spec = fake_spec(container, ""), *details = NULL;

    for (; label && label[0]; label += 2)
        add_label(labels, label[0], label[1]);
    if (container->pod) {
        details = container_details(container);
        add_label(labels, "io.cri-containerd.kind", "container");
        add_label(labels, "io.kubernetes.container.name", container->name);
        add_pod_labels(labels, container->pod);
    }
    put_record(containerd, ns_of(container), container->id,
               container->image ? container->image : FAKE_IMAGE, labels, spec,
               details ? CONTAINER_EXT : NULL, details);
    if (container->pid)
        put_task(containerd, ns_of(container), container->id, container->pid);
    free(spec);
    free(details);
    free(labels);
}

void fake_containerd_drop(struct fake_containerd *containerd, const char *ns, const char *id)
{
    char key[KEY_SIZE];

    key_of(key, ns, id);
    blob_map_remove(containerd->records, key);
    blob_map_remove(containerd->sandboxes, key);
    blob_map_remove(containerd->tasks, key);
}

// --- events --------------------------------------------------------------------------------------

unsigned fake_containerd_event(struct fake_containerd *containerd, const char *ns,
                               const char *topic, const ProtobufCMessage *payload)
{
    Containerd__Envelope envelope = CONTAINERD__ENVELOPE__INIT;
    Containerd__Timestamp time = CONTAINERD__TIMESTAMP__INIT;
    Containerd__Any any = CONTAINERD__ANY__INIT;
    size_t len = protobuf_c_message_get_packed_size(payload);
    uint8_t *data = malloc(len + 1);
    unsigned count;

    if (!data)
        abort();
    protobuf_c_message_pack(payload, data);
    any.value = (ProtobufCBinaryData){len, data};
    time.seconds = CREATED + 60;
    envelope.timestamp = &time;
    envelope.namespace_ = (char *)(uintptr_t)ns;
    envelope.topic = (char *)(uintptr_t)topic;
    envelope.event = &any;
    count = fake_grpc_push_message(containerd->fake, FAKE_SUBSCRIBE, &envelope.base);
    free(data);
    return count;
}

unsigned fake_containerd_container_event(struct fake_containerd *containerd, const char *ns,
                                         const char *topic, const char *id)
{
    Containerd__ContainerEvent event = CONTAINERD__CONTAINER_EVENT__INIT;

    event.id = (char *)(uintptr_t)id;
    return fake_containerd_event(containerd, ns, topic, &event.base);
}

void fake_containerd_create_pod(struct fake_containerd *containerd, const struct fake_pod *pod)
{
    fake_containerd_put_pod(containerd, pod);
    fake_containerd_container_event(containerd, "k8s.io", "/containers/create", pod->id);
}

void fake_containerd_update_pod(struct fake_containerd *containerd, const struct fake_pod *pod)
{
    fake_containerd_put_pod(containerd, pod);
    fake_containerd_container_event(containerd, "k8s.io", "/containers/update", pod->id);
}

void fake_containerd_create(struct fake_containerd *containerd,
                            const struct fake_container *container)
{
    fake_containerd_put(containerd, container);
    fake_containerd_container_event(containerd, ns_of(container), "/containers/create",
                                    container->id);
}

void fake_containerd_start(struct fake_containerd *containerd,
                           const struct fake_container *container)
{
    Containerd__TaskCreate create = CONTAINERD__TASK_CREATE__INIT;
    Containerd__TaskStart start = CONTAINERD__TASK_START__INIT;

    put_task(containerd, ns_of(container), container->id, container->pid);
    create.container_id = start.container_id = (char *)(uintptr_t)container->id;
    create.pid = start.pid = container->pid;
    fake_containerd_event(containerd, ns_of(container), "/tasks/create", &create.base);
    fake_containerd_event(containerd, ns_of(container), "/tasks/start", &start.base);
}

void fake_containerd_remove(struct fake_containerd *containerd, const char *ns, const char *id)
{
    Containerd__TaskDelete end = CONTAINERD__TASK_DELETE__INIT;

    fake_containerd_drop(containerd, ns, id);
    end.container_id = end.id = (char *)(uintptr_t)id;
    end.exit_status = 3;
    fake_containerd_event(containerd, ns, "/tasks/delete", &end.base);
    fake_containerd_container_event(containerd, ns, "/containers/delete", id);
}
