// SPDX-License-Identifier: Apache-2.0
#include "oci_spec.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/cpuset.h"
#include "containerd-meta/json.h"
#include "containerd-meta/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// --- the host's namespaces -----------------------------------------------------------------------

static int read_namespaces(struct oci_host_namespaces *host, const char *process)
{
    struct {
        const char *name;
        uint64_t *inode;
    } namespaces[] = {{"pid", &host->pid}, {"net", &host->network}, {"ipc", &host->ipc}};

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof(path), "%s/proc/%s/ns/%s", host->root, process, namespaces[i].name);
        if (stat(path, &st) < 0)
            return -errno;
        host->device = st.st_dev;
        *namespaces[i].inode = st.st_ino;
    }
    return 0;
}

int oci_host_namespaces_read(struct oci_host_namespaces *host, const char *host_root)
{
    int r;

    *host = (struct oci_host_namespaces){0};
    host->root = strdup(host_root && strcmp(host_root, "/") != 0 ? host_root : "");
    if (!host->root)
        return -ENOMEM;
    r = read_namespaces(host, "1");
    // Init's take CAP_SYS_PTRACE. A daemon that isn't told of another root is on the host itself.
    if (r == -EACCES && !*host->root)
        r = read_namespaces(host, "self");
    return r;
}

void oci_host_namespaces_done(struct oci_host_namespaces *host)
{
    free(host->root);
    *host = (struct oci_host_namespaces){0};
}

// /proc/<pid>/ns/<name>, or a name of a namespace where tools bind them. A spec's path is anybody's
// word: a stat() of one that leads to a network file system could block.
static bool leads_into_nsfs(const char *path)
{
    static const char *const folders[] = {"/run/netns/", "/var/run/netns/", "/run/docker/netns/",
                                          "/var/run/docker/netns/"};
    unsigned pid;
    int used = 0;

    if (sscanf(path, "/proc/%9u/ns/%n", &pid, &used) == 1 && used > 0)
        return path[used] && !strchr(path + used, '/');
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        size_t len = strlen(folders[i]);

        if (strncmp(path, folders[i], len) == 0)
            return path[len] && path[len] != '.' && !strchr(path + len, '/');
    }
    return false;
}

static bool is_the_hosts(const struct oci_host_namespaces *host, uint64_t inode, const char *path)
{
    char whole[PATH_MAX];
    struct stat st;

    if (!host || !inode || !leads_into_nsfs(path))
        return false;
    if (snprintf(whole, sizeof(whole), "%s%s", host->root ? host->root : "", path) >=
        (int)sizeof(whole))
        return false;
    return stat(whole, &st) == 0 && st.st_dev == host->device && st.st_ino == inode;
}

// --- security ------------------------------------------------------------------------------------

// Without a namespace of its own the container is in the host's.
static uint32_t host_flags(const json_t *namespaces, const struct oci_host_namespaces *host)
{
    const struct {
        const char *type;
        uint32_t flag;
        uint64_t inode;
    } kinds[] = {{"pid", CMETA_FLAG_HOST_PID, host ? host->pid : 0},
                 {"network", CMETA_FLAG_HOST_NETWORK, host ? host->network : 0},
                 {"ipc", CMETA_FLAG_HOST_IPC, host ? host->ipc : 0}};
    uint32_t flags = 0;

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const json_t *namespace, *own = NULL;
        const char *path;
        size_t i;

        json_array_foreach ((json_t *)namespaces, i, namespace) {
            if (text_is(json_text(namespace, "type"), kinds[k].type))
                own = namespace;
        }
        path = json_text(own, "path");
        if (!own || (path && *path && is_the_hosts(host, kinds[k].inode, path)))
            flags |= kinds[k].flag;
    }
    return flags;
}

// What no runtime grants by default and a privileged container has. Not simply all of the kernel's:
// a runtime grants what it has itself, and in a container or a cut-down host that is less.
bool oci_spec_has_host_capabilities(const json_t *spec)
{
    static const char *const names[] = {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_RAWIO",
                                        "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"};
    const json_t *process = json_object_get(spec, "process");
    const json_t *bounding = json_object_get(json_object_get(process, "capabilities"), "bounding");
    const json_t *element;
    unsigned found = 0;
    size_t at;

    json_array_foreach ((json_t *)bounding, at, element)
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
            if (text_is(json_string_value(element), names[i]))
                found |= 1u << i;
    return found == (1u << ARRAY_LEN(names)) - 1;
}

static bool has_option(const json_t *mount, const char *option)
{
    const json_t *element;
    size_t i;

    json_array_foreach (json_object_get(mount, "options"), i, element)
        if (text_is(json_string_value(element), option))
            return true;
    return false;
}

static bool is_type(const json_t *mount, const char *type)
{
    return text_is(json_text(mount, "type"), type);
}

static bool kernel_is_writable(const json_t *mounts)
{
    const json_t *mount;
    size_t i;

    json_array_foreach ((json_t *)mounts, i, mount)
        if ((is_type(mount, "sysfs") || is_type(mount, "cgroup")) && has_option(mount, "ro"))
            return false;
    return true;
}

bool oci_spec_is_privileged(const json_t *spec)
{
    const json_t *process = json_object_get(spec, "process");
    const json_t *linux_part = json_object_get(spec, "linux");
    const char *apparmor = json_text(process, "apparmorProfile");

    if (!json_is_object(process) || !json_is_object(linux_part))
        return false;
    if (json_array_size(json_object_get(linux_part, "maskedPaths")) > 0 ||
        json_array_size(json_object_get(linux_part, "readonlyPaths")) > 0 ||
        json_is_object(json_object_get(linux_part, "seccomp")))
        return false;
    if (text_present(apparmor) && !text_is(apparmor, "unconfined"))
        return false;
    if (text_present(json_text(process, "selinuxLabel")))
        return false;
    return kernel_is_writable(json_object_get(spec, "mounts")) &&
           oci_spec_has_host_capabilities(spec);
}

static void set_security(struct container *container, const json_t *spec,
                         const struct oci_host_namespaces *host, int privileged)
{
    const json_t *process = json_object_get(spec, "process");
    const json_t *linux_part = json_object_get(spec, "linux");
    const json_t *namespaces = json_object_get(linux_part, "namespaces");
    char user[24];

    if (privileged < 0)
        privileged = oci_spec_is_privileged(spec);
    if (privileged)
        container->content.flags |= CMETA_FLAG_PRIVILEGED;
    if (!json_is_object(process) || !json_is_object(linux_part) ||
        (namespaces && !json_is_array(namespaces)))
        return;
    container->content.flags |= host_flags(namespaces, host);
    snprintf(user, sizeof(user), "%" PRId64, json_number(json_object_get(process, "user"), "uid"));
    container_set(container, CMETA_STRING_USER, user);
    container_know(container, CMETA_GROUP_SECURITY);
}

// --- mounts --------------------------------------------------------------------------------------

static const char *mode_of(const json_t *mount)
{
    const char *mode = "";
    const json_t *element;
    size_t i;

    json_array_foreach (json_object_get(mount, "options"), i, element)
        if (json_is_string(element) && strncmp(json_string_value(element), "mode=", 5) == 0)
            mode = json_string_value(element) + 5;
    return mode;
}

static const char *propagation_of(const json_t *mount)
{
    static const char *const names[] = {"private", "rprivate", "slave",      "rslave",
                                        "shared",  "rshared",  "unbindable", "runbindable"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (has_option(mount, names[i]))
            return names[i];
    return "";
}

// What dockerd itself puts into every container, and doesn't tell of.
static bool is_dockers_own(const char *source, const char *destination)
{
    static const char *const names[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
                                        "/dev/shm"};

    if (strcmp(destination, "/sbin/docker-init") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(destination, names[i]) == 0)
            return strstr(source, "/containers/") != NULL;
    return false;
}

// What podman puts into every container, and doesn't tell of: files that it keeps for the container
// in its own folders, its init, and the host's kernel file systems in place of the container's.
// Nobody's own volume is bound with all of these options.
static bool is_podmans_own(const json_t *mount, const char *source, const char *destination)
{
    static const char *const kernels[] = {"/proc", "/sys", "/dev/mqueue", "/dev/shm"};
    const char *store = strstr(source, "-containers/");

    if (store && strstr(store, "/userdata/"))
        return true;
    if (strcmp(destination, "/dev/init") == 0 || strcmp(destination, "/run/podman-init") == 0)
        return true;
    if (strcmp(source, destination) != 0)
        return false;
    if (strcmp(destination, "/sys/fs/cgroup/systemd") == 0)
        return !has_option(mount, "rbind");
    for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
        if (strcmp(destination, kernels[i]) == 0)
            return has_option(mount, "nosuid") && has_option(mount, "noexec") &&
                   has_option(mount, "nodev");
    return false;
}

// Docker says "ro" for a mode, podman nothing.
static void add_bound(struct container *container, const json_t *mount, bool podman)
{
    const char *source = json_text(mount, "source"), *destination = json_text(mount, "destination");
    bool rw = !has_option(mount, "ro");

    if (!source || !destination)
        return;
    if (podman ? is_podmans_own(mount, source, destination) : is_dockers_own(source, destination))
        return;
    if (is_type(mount, "bind") || has_option(mount, "rbind") || has_option(mount, "bind"))
        container_add_mount(container, source, destination, rw || podman ? "" : "ro",
                            propagation_of(mount), rw);
}

static void set_mounts(struct container *container, const json_t *spec, enum oci_mounts which)
{
    const json_t *mounts = json_object_get(spec, "mounts"), *mount;
    const char *propagation = json_text(json_object_get(spec, "linux"), "rootfsPropagation");
    size_t i;

    if (which == OCI_MOUNTS_NONE || !json_is_array(mounts))
        return;
    json_array_foreach ((json_t *)mounts, i, mount) {
        if (!json_is_object(mount))
            continue;
        if (which == OCI_MOUNTS_BOUND || which == OCI_MOUNTS_PODMAN)
            add_bound(container, mount, which == OCI_MOUNTS_PODMAN);
        else
            container_add_mount(container, json_text(mount, "source"),
                                json_text(mount, "destination"), mode_of(mount), propagation,
                                !has_option(mount, "ro"));
    }
    container_know(container, CMETA_GROUP_MOUNTS);
}

// --- limits --------------------------------------------------------------------------------------

static void set_limits(struct container *container, const json_t *spec,
                       const struct container_limits *limits)
{
    const json_t *linux_part = json_object_get(spec, "linux");
    const json_t *resources = json_object_get(linux_part, "resources");
    const json_t *cpu = json_object_get(resources, "cpu");
    const json_t *memory = json_object_get(resources, "memory");
    const json_t *entry;
    size_t i;

    if (!json_is_object(linux_part))
        return;
    container_set_resources(container, &(struct container_resources){
                                           .cpu_period = json_number(cpu, "period"),
                                           .cpu_quota = json_number(cpu, "quota"),
                                           .cpu_shares = json_number(cpu, "shares"),
                                           .cpus = json_text(cpu, "cpus"),
                                           .memory = json_number(memory, "limit"),
                                           .swap = json_number(memory, "swap"),
                                       });
    json_array_foreach (json_object_get(json_object_get(spec, "process"), "env"), i, entry)
        if (json_is_string(entry))
            container_add_env(container, limits, json_string_value(entry));
    container_know(container, CMETA_GROUP_LIMITS);
}

// --- whole ---------------------------------------------------------------------------------------

json_t *oci_spec_parse(const void *text, size_t len)
{
    json_t *spec = len ? json_parse_any_number(text, len) : NULL;

    if (json_is_object(spec))
        return spec;
    json_decref(spec);
    return NULL;
}

void oci_spec_apply(struct container *container, const json_t *spec,
                    const struct oci_context *context, const struct oci_known *known)
{
    if (!json_is_object(spec))
        return;
    set_security(container, spec, context->host, known->privileged);
    set_mounts(container, spec, known->mounts);
    set_limits(container, spec, &context->limits);
}

const char *oci_spec_annotation(const json_t *spec, const char *key)
{
    return json_text(json_object_get(spec, "annotations"), key);
}
