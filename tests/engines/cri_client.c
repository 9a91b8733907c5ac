// SPDX-License-Identifier: Apache-2.0
// cri-client: makes and ends pods and containers by the Container Runtime Interface, as a kubelet
// does, and prints what the runtime says of them. For tests and demos with real engines; Debian has
// no such program.
#include "containerd-meta/cleanup.h"
#include "cri_options.h"
#include "grpc_client.h"

#include <inttypes.h>
#include <string.h>

#define RUNTIME   "/runtime.v1.RuntimeService/"
#define IMAGES    "/runtime.v1.ImageService/"
#define TIMEOUT_S 60

static struct grpc_client *client;

// Fields that aren't set are protobuf-c's shared empty string, never NULL.
static char *text(char *value)
{
    return value ? value : (char *)protobuf_c_empty_string;
}

static void *ask(const char *method, const void *request, const ProtobufCMessageDescriptor *answer)
{
    void *message = grpc_client_call(client, method, NULL, request, answer, TIMEOUT_S);

    if (!message)
        exit(1);
    return message;
}

static void answered(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

// --- pods ----------------------------------------------------------------------------------------

static void pod_save(const char *path, const Criclient__PodSandboxConfig *config)
{
    size_t len = criclient__pod_sandbox_config__get_packed_size(config);
    CLEANUP(freep)
    uint8_t *bytes = malloc(len + 1);
    CLEANUP(fclosep)
    FILE *file = fopen(path, "w");

    if (!file || !bytes || criclient__pod_sandbox_config__pack(config, bytes) != len ||
        fwrite(bytes, 1, len, file) != len || fflush(file) != 0) {
        perror(path);
        exit(1);
    }
}

static Criclient__PodSandboxConfig *pod_load(const char *path)
{
    static uint8_t bytes[1 << 20];
    CLEANUP(fclosep)
    FILE *file = fopen(path, "r");
    Criclient__PodSandboxConfig *config = NULL;

    if (file)
        config = criclient__pod_sandbox_config__unpack(NULL, fread(bytes, 1, sizeof(bytes), file),
                                                       bytes);
    if (!config) {
        fprintf(stderr, "cri-client: %s: no configuration of a pod\n", path);
        exit(1);
    }
    return config;
}

static void runp(struct cri_options *o)
{
    Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
    Criclient__LinuxSandboxSecurityContext security =
        CRICLIENT__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;
    Criclient__LinuxPodSandboxConfig on_linux = CRICLIENT__LINUX_POD_SANDBOX_CONFIG__INIT;
    Criclient__PodSandboxConfig config = CRICLIENT__POD_SANDBOX_CONFIG__INIT;
    Criclient__RunPodSandboxRequest request = CRICLIENT__RUN_POD_SANDBOX_REQUEST__INIT;
    Criclient__RunPodSandboxResponse *response;

    metadata.name = text(o->name);
    metadata.namespace_ = text(o->ns);
    metadata.uid = text(o->uid);
    metadata.attempt = o->attempt;
    security.namespace_options = &o->namespaces;
    security.privileged = o->privileged;
    on_linux.cgroup_parent = text(o->cgroup_parent);
    on_linux.security_context = &security;
    config.metadata = &metadata;
    config.hostname = text(o->hostname);
    config.log_directory = text(o->log_directory);
    config.n_port_mappings = o->ports_count;
    config.port_mappings = o->ports;
    config.n_labels = o->labels.count;
    config.labels = o->labels.all;
    config.n_annotations = o->annotations.count;
    config.annotations = o->annotations.all;
    config.linux_options = &on_linux;
    request.config = &config;
    request.runtime_handler = text(o->handler);
    if (o->pod_file)
        pod_save(o->pod_file, &config);
    response =
        ask(RUNTIME "RunPodSandbox", &request, &criclient__run_pod_sandbox_response__descriptor);
    puts(response->pod_sandbox_id);
    answered(&response->base);
}

static void pods(struct cri_options *o)
{
    Cri__ListPodSandboxRequest request = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
    Cri__ListPodSandboxResponse *response =
        ask(RUNTIME "ListPodSandbox", &request, &cri__list_pod_sandbox_response__descriptor);

    (void)o;
    for (size_t i = 0; i < response->n_items; i++) {
        const Cri__PodSandbox *pod = response->items[i];

        printf("%s\t%s\t%s\t%s\n", pod->id, pod->state == 0 ? "ready" : "notready",
               pod->metadata ? pod->metadata->namespace_ : "",
               pod->metadata ? pod->metadata->name : "");
    }
    answered(&response->base);
}

// What a verbose answer holds is JSON already.
static void print_info(const char *key, const char *value)
{
    printf(",\"%s\":%s", key, value);
}

static void statusp(struct cri_options *o)
{
    Cri__PodSandboxStatusRequest request = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
    Cri__PodSandboxStatusResponse *response;
    const Cri__PodSandboxStatus *status;

    request.pod_sandbox_id = o->arguments[0];
    request.verbose = true;
    response =
        ask(RUNTIME "PodSandboxStatus", &request, &cri__pod_sandbox_status_response__descriptor);
    status = response->status;
    if (status)
        printf("{\"id\":\"%s\",\"ready\":%s,\"ip\":\"%s\",\"created_at\":%" PRId64, status->id,
               status->state == 0 ? "true" : "false", status->network ? status->network->ip : "",
               status->created_at);
    for (size_t i = 0; status && i < response->n_info; i++)
        print_info(response->info[i]->key, response->info[i]->value);
    puts(status ? "}" : "{}");
    answered(&response->base);
}

// --- containers ----------------------------------------------------------------------------------

static Cri__LinuxContainerResources *limits(struct cri_options *o)
{
    o->resources.cpuset_cpus = text(o->resources.cpuset_cpus);
    return &o->resources;
}

static void create(struct cri_options *o)
{
    Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
    Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;
    Criclient__Int64Value user = CRICLIENT__INT64_VALUE__INIT;
    Criclient__LinuxContainerSecurityContext security =
        CRICLIENT__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
    Criclient__LinuxContainerConfig on_linux = CRICLIENT__LINUX_CONTAINER_CONFIG__INIT;
    Criclient__ContainerConfig config = CRICLIENT__CONTAINER_CONFIG__INIT;
    Criclient__CreateContainerRequest request = CRICLIENT__CREATE_CONTAINER_REQUEST__INIT;
    Criclient__CreateContainerResponse *response;
    CLEANUP(freep)
    char *log = NULL;

    request.pod_sandbox_id = o->arguments[0];
    if (!o->pod_file || !o->name || !o->image)
        cri_options_usage();
    request.sandbox_config = pod_load(o->pod_file);
    metadata.name = o->name;
    metadata.attempt = o->attempt;
    image.image = o->image;
    image.user_specified_image = o->user_image ? o->user_image : o->image;
    user.value = o->user;
    // What the pod shares, its containers share.
    if (request.sandbox_config->linux_options &&
        request.sandbox_config->linux_options->security_context)
        security.namespace_options =
            request.sandbox_config->linux_options->security_context->namespace_options;
    security.privileged = o->privileged;
    security.run_as_user = o->user >= 0 ? &user : NULL;
    on_linux.resources = limits(o);
    on_linux.security_context = &security;
    config.metadata = &metadata;
    config.image = &image;
    config.n_command = o->arguments_count - 1;
    config.command = o->arguments + 1;
    config.n_envs = o->envs.count;
    config.envs = o->envs.all;
    config.n_mounts = o->mounts_count;
    config.mounts = o->mounts;
    config.n_labels = o->labels.count;
    config.labels = o->labels.all;
    config.n_annotations = o->annotations.count;
    config.annotations = o->annotations.all;
    config.linux_options = &on_linux;
    if (*request.sandbox_config->log_directory && asprintf(&log, "%s.log", o->name) > 0)
        config.log_path = log;
    request.config = &config;
    response =
        ask(RUNTIME "CreateContainer", &request, &criclient__create_container_response__descriptor);
    puts(response->container_id);
    answered(&response->base);
    answered(&request.sandbox_config->base);
}

static void ps(struct cri_options *o)
{
    static const char *const states[] = {"created", "running", "exited", "unknown"};
    Cri__ListContainersRequest request = CRI__LIST_CONTAINERS_REQUEST__INIT;
    Cri__ListContainersResponse *response =
        ask(RUNTIME "ListContainers", &request, &cri__list_containers_response__descriptor);

    (void)o;
    for (size_t i = 0; i < response->n_containers; i++) {
        const Cri__Container *c = response->containers[i];

        printf("%s\t%s\t%s\t%s\n", c->id, states[(unsigned)c->state & 3], c->pod_sandbox_id,
               c->metadata ? c->metadata->name : "");
    }
    answered(&response->base);
}

static void status(struct cri_options *o)
{
    Cri__ContainerStatusRequest request = CRI__CONTAINER_STATUS_REQUEST__INIT;
    Cri__ContainerStatusResponse *response;
    const Cri__ContainerStatus *c;

    request.container_id = o->arguments[0];
    request.verbose = true;
    response =
        ask(RUNTIME "ContainerStatus", &request, &cri__container_status_response__descriptor);
    c = response->status;
    if (c)
        printf("{\"id\":\"%s\",\"state\":%d,\"image\":\"%s\",\"image_ref\":\"%s\",\"exit_code\":%d"
               ",\"created_at\":%" PRId64 ",\"started_at\":%" PRId64,
               c->id, c->state, c->image ? c->image->image : "", c->image_ref, c->exit_code,
               c->created_at, c->started_at);
    for (size_t i = 0; c && i < response->n_info; i++)
        print_info(response->info[i]->key, response->info[i]->value);
    puts(c ? "}" : "{}");
    answered(&response->base);
}

static void update(struct cri_options *o)
{
    Criclient__UpdateContainerResourcesRequest request =
        CRICLIENT__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;

    request.container_id = o->arguments[0];
    request.linux_options = limits(o);
    answered(ask(RUNTIME "UpdateContainerResources", &request, &criclient__empty__descriptor));
}

static void stop(struct cri_options *o)
{
    Criclient__StopContainerRequest request = CRICLIENT__STOP_CONTAINER_REQUEST__INIT;

    request.container_id = o->arguments[0];
    request.timeout = o->timeout_s;
    answered(ask(RUNTIME "StopContainer", &request, &criclient__empty__descriptor));
}

static void by_id(struct cri_options *o, const char *method)
{
    Criclient__IdRequest request = CRICLIENT__ID_REQUEST__INIT;

    request.id = o->arguments[0];
    answered(ask(method, &request, &criclient__empty__descriptor));
}

static void start(struct cri_options *o)
{
    by_id(o, RUNTIME "StartContainer");
}

static void rm(struct cri_options *o)
{
    by_id(o, RUNTIME "RemoveContainer");
}

static void stopp(struct cri_options *o)
{
    by_id(o, RUNTIME "StopPodSandbox");
}

static void rmp(struct cri_options *o)
{
    by_id(o, RUNTIME "RemovePodSandbox");
}

// --- the runtime ---------------------------------------------------------------------------------

static void version(struct cri_options *o)
{
    Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
    Cri__VersionResponse *response =
        ask(RUNTIME "Version", &request, &cri__version_response__descriptor);

    (void)o;
    printf("%s\t%s\t%s\n", response->runtime_name, response->runtime_version,
           response->runtime_api_version);
    answered(&response->base);
}

static void images(struct cri_options *o)
{
    Criclient__Empty request = CRICLIENT__EMPTY__INIT;
    Criclient__ListImagesResponse *response =
        ask(IMAGES "ListImages", &request, &criclient__list_images_response__descriptor);

    (void)o;
    for (size_t i = 0; i < response->n_images; i++) {
        const Cri__Image *image = response->images[i];

        printf("%s", image->id);
        for (size_t k = 0; k < image->n_repo_tags; k++)
            printf("\t%s", image->repo_tags[k]);
        for (size_t k = 0; k < image->n_repo_digests; k++)
            printf("\t%s", image->repo_digests[k]);
        putchar('\n');
    }
    answered(&response->base);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct cri_options *options);
        size_t arguments, arguments_max;
    } verbs[] = {
        {"version", version, 0, 0}, {"images", images, 0, 0},
        {"runp", runp, 0, 0},       {"stopp", stopp, 1, 1},
        {"rmp", rmp, 1, 1},         {"pods", pods, 0, 0},
        {"statusp", statusp, 1, 1}, {"create", create, 1, SIZE_MAX},
        {"start", start, 1, 1},     {"stop", stop, 1, 1},
        {"rm", rm, 1, 1},           {"update", update, 1, 1},
        {"ps", ps, 0, 0},           {"status", status, 1, 1},
    };
    static struct cri_options options;

    if (argc < 3)
        cri_options_usage();
    cri_options_parse(argc - 2, argv + 2, &options);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, argv[2]) != 0)
            continue;
        if (options.arguments_count < verbs[i].arguments ||
            options.arguments_count > verbs[i].arguments_max) {
            fprintf(stderr, "cri-client: %s: too %s arguments; options come first\n", argv[2],
                    options.arguments_count < verbs[i].arguments ? "few" : "many");
            return 2;
        }
        client = grpc_client_open(argv[1]);
        verbs[i].run(&options);
        client = grpc_client_close(client);
        return 0;
    }
    cri_options_usage();
}
