// SPDX-License-Identifier: Apache-2.0
#include "cri_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPAGATION_SLAVE  1
#define PROPAGATION_SHARED 2
#define MODE_CONTAINER     1
#define MODE_NODE          2

static const char usage[] =
    "usage: cri-client SOCKET VERB [OPTION...] [ARGUMENT...]\n"
    "\n"
    "version                     the runtime's name and version\n"
    "runp                        makes and starts a pod; prints its ID\n"
    "create POD [COMMAND...]     makes a container; prints its ID\n"
    "start ID, stop ID, rm ID    of a container\n"
    "update ID                   of a container's limits\n"
    "stopp ID, rmp ID            of a pod\n"
    "pods, ps, images            one a line, fields separated by tabs\n"
    "status ID, statusp ID       of a container, of a pod: JSON, with what the runtime tells\n"
    "\n"
    "  --pod FILE                runp keeps the pod's configuration there, create reads it\n"
    "  --name N --namespace N --uid U --attempt N --hostname H\n"
    "  --image I                 what is asked for; --user-image I: what the pod's author wrote\n"
    "  --label K=V --annotation K=V --env K=V\n"
    "  --host-network --host-pid --host-ipc --container-pid --privileged\n"
    "  --cgroup-parent PATH --log-directory PATH --runtime-handler NAME\n"
    "  --port HOST:CONTAINER[/udp|/sctp]\n"
    "  --mount HOST:CONTAINER[:ro|:rw][:slave|:shared]\n"
    "  --user N --cpu-shares N --cpu-quota N --cpu-period N --cpus LIST\n"
    "  --memory BYTES --swap BYTES\n"
    "  --timeout SECONDS         of stop\n";

void cri_options_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static _Noreturn void wrong(const char *option, const char *value)
{
    fprintf(stderr, "cri-client: --%s %s: not understood\n", option, value);
    exit(2);
}

static void *new_message(size_t size)
{
    void *message = calloc(1, size);

    if (!message)
        abort();
    return message;
}

static int64_t number(const char *option, const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end)
        wrong(option, text);
    return value;
}

static void check_room(const char *option, size_t count)
{
    if (count == OPTIONS_MAX)
        wrong(option, "once more");
}

// A key has no '='; a value may have any.
static void add_pair(const char *option, struct key_values *list, char *text)
{
    Criclient__KeyValue *pair = new_message(sizeof(*pair));
    char *separator = strchr(text, '=');

    check_room(option, list->count);
    if (!separator)
        wrong(option, text);
    criclient__key_value__init(pair);
    *separator = '\0';
    pair->key = text;
    pair->value = separator + 1;
    list->all[list->count++] = pair;
}

static void add_mount(struct cri_options *options, char *text)
{
    Cri__Mount *mount = new_message(sizeof(*mount));
    char *rest = text;

    check_room("mount", options->mounts_count);
    cri__mount__init(mount);
    mount->host_path = strsep(&rest, ":");
    mount->container_path = strsep(&rest, ":");
    if (!mount->container_path)
        wrong("mount", text);
    for (char *word; (word = strsep(&rest, ":"));) {
        if (strcmp(word, "ro") == 0)
            mount->readonly = true;
        else if (strcmp(word, "slave") == 0)
            mount->propagation = PROPAGATION_SLAVE;
        else if (strcmp(word, "shared") == 0)
            mount->propagation = PROPAGATION_SHARED;
        else if (strcmp(word, "rw") != 0)
            wrong("mount", word);
    }
    options->mounts[options->mounts_count++] = mount;
}

static void add_port(struct cri_options *options, char *text)
{
    Criclient__PortMapping *port = new_message(sizeof(*port));
    char *rest = text;
    char *host = strsep(&rest, ":");
    char *container = strsep(&rest, "/");

    check_room("port", options->ports_count);
    if (!container)
        wrong("port", text);
    criclient__port_mapping__init(port);
    port->host_port = (int32_t)number("port", host);
    port->container_port = (int32_t)number("port", container);
    if (rest && strcmp(rest, "udp") == 0)
        port->protocol = 1;
    else if (rest && strcmp(rest, "sctp") == 0)
        port->protocol = 2;
    else if (rest)
        wrong("port", rest);
    options->ports[options->ports_count++] = port;
}

enum option_id {
    NAME = 1,
    NAMESPACE,
    UID,
    ATTEMPT,
    HOSTNAME,
    IMAGE,
    USER_IMAGE,
    CGROUP_PARENT,
    LOG_DIRECTORY,
    POD_FILE,
    HANDLER,
    LABEL,
    ANNOTATION,
    ENV,
    MOUNT,
    PORT,
    HOST_NETWORK,
    HOST_PID,
    HOST_IPC,
    CONTAINER_PID,
    PRIVILEGED,
    USER,
    CPU_SHARES,
    CPU_QUOTA,
    CPU_PERIOD,
    CPUS,
    MEMORY,
    SWAP,
    TIMEOUT,
};

static const struct option known[] = {
    {"name", required_argument, NULL, NAME},
    {"namespace", required_argument, NULL, NAMESPACE},
    {"uid", required_argument, NULL, UID},
    {"attempt", required_argument, NULL, ATTEMPT},
    {"hostname", required_argument, NULL, HOSTNAME},
    {"image", required_argument, NULL, IMAGE},
    {"user-image", required_argument, NULL, USER_IMAGE},
    {"cgroup-parent", required_argument, NULL, CGROUP_PARENT},
    {"log-directory", required_argument, NULL, LOG_DIRECTORY},
    {"pod", required_argument, NULL, POD_FILE},
    {"runtime-handler", required_argument, NULL, HANDLER},
    {"label", required_argument, NULL, LABEL},
    {"annotation", required_argument, NULL, ANNOTATION},
    {"env", required_argument, NULL, ENV},
    {"mount", required_argument, NULL, MOUNT},
    {"port", required_argument, NULL, PORT},
    {"host-network", no_argument, NULL, HOST_NETWORK},
    {"host-pid", no_argument, NULL, HOST_PID},
    {"host-ipc", no_argument, NULL, HOST_IPC},
    {"container-pid", no_argument, NULL, CONTAINER_PID},
    {"privileged", no_argument, NULL, PRIVILEGED},
    {"user", required_argument, NULL, USER},
    {"cpu-shares", required_argument, NULL, CPU_SHARES},
    {"cpu-quota", required_argument, NULL, CPU_QUOTA},
    {"cpu-period", required_argument, NULL, CPU_PERIOD},
    {"cpus", required_argument, NULL, CPUS},
    {"memory", required_argument, NULL, MEMORY},
    {"swap", required_argument, NULL, SWAP},
    {"timeout", required_argument, NULL, TIMEOUT},
    {NULL, 0, NULL, 0},
};

static bool take_text(struct cri_options *o, int option, char *value)
{
    char **const texts[] = {
        [NAME] = &o->name,
        [NAMESPACE] = &o->ns,
        [UID] = &o->uid,
        [HOSTNAME] = &o->hostname,
        [IMAGE] = &o->image,
        [USER_IMAGE] = &o->user_image,
        [CGROUP_PARENT] = &o->cgroup_parent,
        [LOG_DIRECTORY] = &o->log_directory,
        [POD_FILE] = &o->pod_file,
        [HANDLER] = &o->handler,
        [CPUS] = &o->resources.cpuset_cpus,
    };

    if (option >= (int)(sizeof(texts) / sizeof(texts[0])) || !texts[option])
        return false;
    *texts[option] = value;
    return true;
}

static bool take_number(struct cri_options *o, int option, const char *name, const char *value)
{
    int64_t *const numbers[] = {
        [USER] = &o->user,
        [CPU_SHARES] = &o->resources.cpu_shares,
        [CPU_QUOTA] = &o->resources.cpu_quota,
        [CPU_PERIOD] = &o->resources.cpu_period,
        [MEMORY] = &o->resources.memory_limit_in_bytes,
        [SWAP] = &o->resources.memory_swap_limit_in_bytes,
        [TIMEOUT] = &o->timeout_s,
    };

    if (option == ATTEMPT)
        o->attempt = (unsigned)number(name, value);
    else if (option < (int)(sizeof(numbers) / sizeof(numbers[0])) && numbers[option])
        *numbers[option] = number(name, value);
    else
        return false;
    return true;
}

static void take_other(struct cri_options *o, int option, char *value)
{
    if (option == LABEL)
        add_pair("label", &o->labels, value);
    else if (option == ANNOTATION)
        add_pair("annotation", &o->annotations, value);
    else if (option == ENV)
        add_pair("env", &o->envs, value);
    else if (option == MOUNT)
        add_mount(o, value);
    else if (option == PORT)
        add_port(o, value);
    else if (option == HOST_NETWORK)
        o->namespaces.network = MODE_NODE;
    else if (option == HOST_PID)
        o->namespaces.pid = MODE_NODE;
    else if (option == HOST_IPC)
        o->namespaces.ipc = MODE_NODE;
    else if (option == CONTAINER_PID)
        o->namespaces.pid = MODE_CONTAINER;
    else if (option == PRIVILEGED)
        o->privileged = true;
    else
        cri_options_usage();
}

void cri_options_parse(int argc, char **argv, struct cri_options *options)
{
    int option, index = 0;

    *options = (struct cri_options){.user = -1};
    cri__namespace_option__init(&options->namespaces);
    cri__linux_container_resources__init(&options->resources);
    // Options come first: a container's command has options of its own.
    while ((option = getopt_long(argc, argv, "+", known, &index)) != -1)
        if (option == '?')
            cri_options_usage();
        else if (!take_text(options, option, optarg) &&
                 !take_number(options, option, known[index].name, optarg))
            take_other(options, option, optarg);
    options->arguments = argv + optind;
    options->arguments_count = (size_t)(argc - optind);
}
