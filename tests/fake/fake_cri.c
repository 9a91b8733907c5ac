// SPDX-License-Identifier: Apache-2.0
// Everything is kept as it is sent: a list is its elements one after the other.
#include "fake_cri.h"

#include "blob_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATED_NS INT64_C(1795314181543091596)
#define NOT_FOUND  5

struct fake_cri {
    struct fake_grpc *fake;
    char *runtime;
    struct blob_map *pods, *containers;                // elements of lists
    struct blob_map *pod_statuses, *statuses, *images; // answers
};

// --- answers -------------------------------------------------------------------------------------

static void on_version(void *userdata, const struct fake_grpc_question *question,
                       struct fake_grpc_reply *reply)
{
    const struct fake_cri *cri = userdata;
    Cri__VersionResponse message = CRI__VERSION_RESPONSE__INIT;

    (void)question;
    message.version = (char *)(uintptr_t) "0.1.0";
    message.runtime_name = cri->runtime;
    message.runtime_version = (char *)(uintptr_t) "1.30.2";
    message.runtime_api_version = (char *)(uintptr_t) "v1";
    fake_grpc_reply_message(reply, &message.base);
}

struct gathered {
    const char *filter; // how the IDs begin
    uint8_t *data;
    size_t len;
};

static void gather(void *userdata, const char *key, const void *data, size_t len)
{
    struct gathered *gathered = userdata;

    if (strncmp(key, gathered->filter, strlen(gathered->filter)) != 0)
        return;
    gathered->data = realloc(gathered->data, gathered->len + len + 1);
    if (!gathered->data)
        abort();
    memcpy(gathered->data + gathered->len, data, len);
    gathered->len += len;
}

static void reply_all(struct fake_grpc_reply *reply, struct blob_map *map,
                      const struct fake_grpc_question *question)
{
    // Both requests have a filter in the first field, and that an ID in its first.
    Cri__ListContainersRequest *request =
        cri__list_containers_request__unpack(NULL, question->len, question->data);
    struct gathered gathered = {.filter = request && request->filter ? request->filter->id : ""};

    if (!request)
        return;
    blob_map_each(map, "", gather, &gathered);
    fake_grpc_reply_bytes(reply, gathered.data, gathered.len);
    free(gathered.data);
    cri__list_containers_request__free_unpacked(request, NULL);
}

static void on_pods(void *userdata, const struct fake_grpc_question *question,
                    struct fake_grpc_reply *reply)
{
    reply_all(reply, ((struct fake_cri *)userdata)->pods, question);
}

static void on_containers(void *userdata, const struct fake_grpc_question *question,
                          struct fake_grpc_reply *reply)
{
    reply_all(reply, ((struct fake_cri *)userdata)->containers, question);
}

static void reply_one(struct blob_map *map, const char *key, bool may_lack,
                      struct fake_grpc_reply *reply)
{
    uint8_t *data;
    size_t len;

    if (blob_map_get(map, key, &data, &len)) {
        fake_grpc_reply_bytes(reply, data, len);
        free(data);
    } else if (may_lack) {
        fake_grpc_reply_bytes(reply, "", 0);
    } else {
        fake_grpc_reply_status(reply, NOT_FOUND, "could not find it: not found");
    }
}

static void reply_status(struct blob_map *map, const struct fake_grpc_question *question,
                         struct fake_grpc_reply *reply)
{
    // Both requests have the ID in the first field.
    Cri__ContainerStatusRequest *request =
        cri__container_status_request__unpack(NULL, question->len, question->data);

    if (!request)
        return;
    reply_one(map, request->container_id, false, reply);
    cri__container_status_request__free_unpacked(request, NULL);
}

static void on_status(void *userdata, const struct fake_grpc_question *question,
                      struct fake_grpc_reply *reply)
{
    reply_status(((struct fake_cri *)userdata)->statuses, question, reply);
}

static void on_pod_status(void *userdata, const struct fake_grpc_question *question,
                          struct fake_grpc_reply *reply)
{
    reply_status(((struct fake_cri *)userdata)->pod_statuses, question, reply);
}

static void on_image(void *userdata, const struct fake_grpc_question *question,
                     struct fake_grpc_reply *reply)
{
    const struct fake_cri *cri = userdata;
    Cri__ImageStatusRequest *request =
        cri__image_status_request__unpack(NULL, question->len, question->data);

    if (!request)
        return;
    reply_one(cri->images, request->image ? request->image->image : "", true, reply);
    cri__image_status_request__free_unpacked(request, NULL);
}

static const struct {
    const char *method;
    void (*handle)(void *userdata, const struct fake_grpc_question *question,
                   struct fake_grpc_reply *reply);
} handlers[] = {
    {FAKE_CRI_VERSION, on_version}, {FAKE_CRI_PODS, on_pods},      {FAKE_CRI_LIST, on_containers},
    {FAKE_CRI_STATUS, on_status},   {FAKE_CRI_POD, on_pod_status}, {FAKE_CRI_IMAGE, on_image},
};

void fake_cri_delay(struct fake_cri *cri, unsigned delay_ms)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        fake_grpc_on(cri->fake, &(struct fake_grpc_rule){.method = handlers[i].method,
                                                         .action = FAKE_GRPC_HANDLE,
                                                         .handle = handlers[i].handle,
                                                         .userdata = cri,
                                                         .delay_ms = delay_ms});
}

void fake_cri_enable_events(struct fake_cri *cri)
{
    fake_grpc_on(cri->fake,
                 &(struct fake_grpc_rule){.method = FAKE_CRI_EVENTS, .action = FAKE_GRPC_STREAM});
}

// --- life ----------------------------------------------------------------------------------------

struct fake_cri *fake_cri_serve(struct fake_grpc *fake, const char *runtime)
{
    struct fake_cri *cri = calloc(1, sizeof(*cri));

    if (!cri || !(cri->runtime = strdup(runtime)))
        abort();
    cri->fake = fake;
    cri->pods = blob_map_new();
    cri->containers = blob_map_new();
    cri->pod_statuses = blob_map_new();
    cri->statuses = blob_map_new();
    cri->images = blob_map_new();
    fake_cri_put_image(cri, FAKE_IMAGE_ID, FAKE_IMAGE,
                       "registry.example.com:5000/team/app@" FAKE_DIGEST);
    fake_grpc_status(fake, FAKE_CRI_EVENTS, 0, NULL);
    fake_cri_delay(cri, 0);
    return cri;
}

struct fake_cri *fake_cri_free(struct fake_cri *cri)
{
    if (!cri)
        return NULL;
    blob_map_free(cri->pods);
    blob_map_free(cri->containers);
    blob_map_free(cri->pod_statuses);
    blob_map_free(cri->statuses);
    blob_map_free(cri->images);
    free(cri->runtime);
    free(cri);
    return NULL;
}

// --- what it has ---------------------------------------------------------------------------------

void fake_cri_put_image(struct fake_cri *cri, const char *name, const char *tag, const char *digest)
{
    Cri__ImageStatusResponse message = CRI__IMAGE_STATUS_RESPONSE__INIT;
    Cri__Image image = CRI__IMAGE__INIT;
    char *tags[] = {(char *)(uintptr_t)tag}, *digests[] = {(char *)(uintptr_t)digest};

    image.id = (char *)(uintptr_t)FAKE_IMAGE_ID;
    image.n_repo_tags = 1;
    image.repo_tags = tags;
    image.n_repo_digests = 1;
    image.repo_digests = digests;
    message.image = &image;
    blob_map_put_message(cri->images, name, &message.base);
}

static void fill_metadata(Cri__PodSandboxMetadata *metadata, const struct fake_pod *pod)
{
    *metadata = (Cri__PodSandboxMetadata)CRI__POD_SANDBOX_METADATA__INIT;
    metadata->name = (char *)(uintptr_t)pod->name;
    metadata->uid = (char *)(uintptr_t)pod->uid;
    metadata->namespace_ = (char *)(uintptr_t)pod->ns;
}

static void put_pod_element(struct fake_cri *cri, const struct fake_pod *pod)
{
    Cri__ListPodSandboxResponse message = CRI__LIST_POD_SANDBOX_RESPONSE__INIT;
    Cri__PodSandbox element = CRI__POD_SANDBOX__INIT, *items[] = {&element};
    Cri__PodSandboxMetadata metadata;

    fill_metadata(&metadata, pod);
    element.id = (char *)(uintptr_t)pod->id;
    element.metadata = &metadata;
    element.created_at = CREATED_NS;
    message.n_items = 1;
    message.items = items;
    blob_map_put_message(cri->pods, pod->id, &message.base);
}

// The verbose part of a pod whose infra container is left out: nothing but a spec.
static char *pod_info(const struct fake_pod *pod)
{
    struct fake_container pause = {.id = pod->id, .name = pod->name};
    char *cni = pod->ip ? fake_format("\"io.kubernetes.cri-o.CNIResult\":\"{\\\"interfaces\\\":[{"
                                      "\\\"name\\\":\\\"eth0\\\"}],\\\"ips\\\":[{\\\"interface\\\":"
                                      "0,\\\"address\\\":\\\"%s/24\\\"}]}\"",
                                      pod->ip)
                        : fake_format("\"io.kubernetes.cri-o.HostNetwork\":\"%s\"",
                                      pod->host_network ? "true" : "false");
    char *spec = fake_spec(&pause, cni), *info = fake_format("{\"runtimeSpec\":%s}", spec);

    free(cni);
    free(spec);
    return info;
}

void fake_cri_put_pod(struct fake_cri *cri, const struct fake_pod *pod)
{
    Cri__PodSandboxStatusResponse message = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
    Cri__PodSandboxStatus status = CRI__POD_SANDBOX_STATUS__INIT;
    Cri__PodSandboxMetadata metadata;
    Cri__PodSandboxNetworkStatus network = CRI__POD_SANDBOX_NETWORK_STATUS__INIT;
    Cri__LinuxPodSandboxStatus options = CRI__LINUX_POD_SANDBOX_STATUS__INIT;
    Cri__Namespace namespaces = CRI__NAMESPACE__INIT;
    Cri__NamespaceOption option = CRI__NAMESPACE_OPTION__INIT;
    Cri__PodSandboxStatus__LabelsEntry label = CRI__POD_SANDBOX_STATUS__LABELS_ENTRY__INIT,
                                       *labels[] = {&label};
    Cri__PodSandboxStatusResponse__InfoEntry info =
                                                 CRI__POD_SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT,
                                             *infos[] = {&info};

    put_pod_element(cri, pod);
    fill_metadata(&metadata, pod);
    network.ip = (char *)(uintptr_t)(pod->ip ? pod->ip : "");
    option.network = pod->host_network ? 2 : 0;
    option.pid = 1;
    namespaces.options = &option;
    options.namespaces = &namespaces;
    label.key = (char *)(uintptr_t) "app";
    label.value = (char *)(uintptr_t)(pod->app ? pod->app : "web");
    info.key = (char *)(uintptr_t) "info";
    info.value = pod_info(pod);
    status.id = (char *)(uintptr_t)pod->id;
    status.metadata = &metadata;
    status.created_at = CREATED_NS;
    status.network = &network;
    status.linux_options = &options;
    status.n_labels = 1;
    status.labels = labels;
    message.status = &status;
    message.n_info = 1;
    message.info = infos;
    blob_map_put_message(cri->pod_statuses, pod->id, &message.base);
    free(info.value);
}

static void put_element(struct fake_cri *cri, const struct fake_container *container)
{
    Cri__ListContainersResponse message = CRI__LIST_CONTAINERS_RESPONSE__INIT;
    Cri__Container element = CRI__CONTAINER__INIT, *list[] = {&element};
    Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
    Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;

    metadata.name = (char *)(uintptr_t)container->name;
    image.image = (char *)(uintptr_t)(container->image ? container->image : FAKE_IMAGE);
    element.id = (char *)(uintptr_t)container->id;
    element.pod_sandbox_id = (char *)(uintptr_t)(container->pod ? container->pod->id : "");
    element.metadata = &metadata;
    element.image = &image;
    element.image_ref = (char *)(uintptr_t)FAKE_IMAGE_ID;
    element.state = container->pid ? 1 : 0;
    element.created_at = CREATED_NS;
    message.n_containers = 1;
    message.containers = list;
    blob_map_put_message(cri->containers, container->id, &message.base);
}

static char *container_info(const struct fake_container *container)
{
    char *spec, *info;

    if (container->info)
        return fake_format("%s", container->info);
    spec = fake_spec(container, "\"io.kubernetes.cri-o.ContainerType\":\"container\"");
    info = fake_format("{\"sandboxID\":\"%s\",\"pid\":%u,\"runtimeSpec\":%s,\"privileged\":%s}",
                       container->pod ? container->pod->id : "", container->pid, spec,
                       container->privileged ? "true" : "false");
    free(spec);
    return info;
}

static size_t fill_labels(const struct fake_container *container,
                          Cri__ContainerStatus__LabelsEntry *entries,
                          Cri__ContainerStatus__LabelsEntry **list)
{
    const char *const *label = container->labels;
    size_t count = 0;

    for (; label && label[0] && count < FAKE_LABELS_MAX; label += 2, count++) {
        entries[count] =
            (Cri__ContainerStatus__LabelsEntry)CRI__CONTAINER_STATUS__LABELS_ENTRY__INIT;
        entries[count].key = (char *)(uintptr_t)label[0];
        entries[count].value = (char *)(uintptr_t)label[1];
        list[count] = &entries[count];
    }
    return count;
}

void fake_cri_put(struct fake_cri *cri, const struct fake_container *container)
{
    Cri__ContainerStatusResponse message = CRI__CONTAINER_STATUS_RESPONSE__INIT;
    Cri__ContainerStatus status = CRI__CONTAINER_STATUS__INIT;
    Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
    Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;
    Cri__Mount mount = CRI__MOUNT__INIT, *mounts[] = {&mount};
    Cri__ContainerStatusResponse__InfoEntry info = CRI__CONTAINER_STATUS_RESPONSE__INFO_ENTRY__INIT,
                                            *infos[] = {&info};
    Cri__ContainerStatus__LabelsEntry *entries = calloc(FAKE_LABELS_MAX, sizeof(*entries)),
                                      **list = calloc(FAKE_LABELS_MAX, sizeof(*list));

    put_element(cri, container);
    metadata.name = (char *)(uintptr_t)container->name;
    image.image = (char *)(uintptr_t)(container->image ? container->image : FAKE_IMAGE);
    mount.container_path = (char *)(uintptr_t) "/data";
    mount.host_path = (char *)(uintptr_t) "/var/lib/kubelet/pods/x/volumes/data";
    info.key = (char *)(uintptr_t) "info";
    info.value = container_info(container);
    status.id = (char *)(uintptr_t)container->id;
    status.metadata = &metadata;
    status.state = container->pid ? 1 : 0;
    status.created_at = CREATED_NS;
    status.started_at = container->pid ? CREATED_NS + 1000000 : 0;
    status.image = &image;
    status.image_ref = (char *)(uintptr_t)FAKE_IMAGE_ID;
    status.n_labels = fill_labels(container, entries, list);
    status.labels = list;
    status.n_mounts = 1;
    status.mounts = mounts;
    message.status = &status;
    message.n_info = container->info && !*container->info ? 0 : 1;
    message.info = infos;
    blob_map_put_message(cri->statuses, container->id, &message.base);
    free(info.value);
    free(entries);
    free(list);
}

void fake_cri_put_status(struct fake_cri *cri, const char *id, const void *data, size_t len)
{
    blob_map_put(cri->statuses, id, data, len);
}

void fake_cri_drop_status(struct fake_cri *cri, const char *id)
{
    blob_map_remove(cri->statuses, id);
    blob_map_remove(cri->pod_statuses, id);
}

void fake_cri_drop(struct fake_cri *cri, const char *id)
{
    blob_map_remove(cri->pods, id);
    blob_map_remove(cri->containers, id);
    fake_cri_drop_status(cri, id);
}

unsigned fake_cri_event(struct fake_cri *cri, enum fake_cri_event type, const char *id, bool is_pod)
{
    Cri__ContainerEventResponse event = CRI__CONTAINER_EVENT_RESPONSE__INIT;
    Cri__PodSandboxStatus pod = CRI__POD_SANDBOX_STATUS__INIT;

    event.container_id = (char *)(uintptr_t)id;
    event.container_event_type = (int32_t)type;
    event.created_at = CREATED_NS;
    if (is_pod) {
        pod.id = (char *)(uintptr_t)id;
        event.pod_sandbox_status = &pod;
    }
    return fake_grpc_push_message(cri->fake, FAKE_CRI_EVENTS, &event.base);
}
