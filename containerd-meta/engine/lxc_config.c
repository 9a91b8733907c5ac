// SPDX-License-Identifier: Apache-2.0
#include "lxc_config.h"

#include "containerd-meta/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NICS_MAX     64u
#define VALUE_MAX    8192u // of one line

enum { NS_PID = 1 << 0, NS_NET = 1 << 1, NS_IPC = 1 << 2 };

// Texts in the order in which they came.
struct texts {
    char **items;
    size_t count;
};

struct nic {
    bool used, host, silent; // type none; type empty
    bool addressed;
};

struct lxc_config {
    char *rootfs, *user, *cpus;
    struct texts mounts, groups, env, addresses;
    struct nic nics[NICS_MAX];
    unsigned last_nic; // of the keys without numbers
    bool has_nics;
    bool idmap, clones;
    unsigned keep, clone, share_host, share_other;
    int64_t memory, swap, swap_only, cpu_period, cpu_quota, cpu_shares;
    // What is being read.
    const struct lxc_includes *includes;
    unsigned depth, included;
    size_t included_bytes;
    bool broken;
};

// --- texts ---------------------------------------------------------------------------------------

static void texts_clear(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct texts){0};
}

static void texts_add(struct texts *texts, const char *text)
{
    char **items;

    if (texts->count == CONTAINER_LIST_MAX)
        return;
    items = realloc(texts->items, (texts->count + 1) * sizeof(*items));
    if (!items)
        return;
    texts->items = items;
    items[texts->count] = strdup(text);
    texts->count += items[texts->count] != NULL;
}

// Without a value a key takes back what it said so far.
static void texts_take(struct texts *texts, const char *value)
{
    if (*value)
        texts_add(texts, value);
    else
        texts_clear(texts);
}

static void replace(char **text, const char *value)
{
    free(*text);
    *text = *value ? strdup(value) : NULL;
}

// --- values --------------------------------------------------------------------------------------

// Bytes, as the kernel reads them: with K, M, G, T. "max" and -1 are no limit.
static int64_t bytes_of(const char *value)
{
    char *end;
    long long number = strtoll(value, &end, 10);
    const char *unit = end && *end ? strchr("kmgt", tolower((unsigned char)*end)) : NULL;
    int shift = unit ? (int)(unit - "kmgt" + 1) * 10 : 0;

    if (end == value || number <= 0 || number > INT64_MAX >> shift)
        return 0;
    return number << shift;
}

static int64_t whole_of(const char *value)
{
    char *end;
    long long number = strtoll(value, &end, 10);

    return end == value ? 0 : number;
}

static unsigned namespace_of(const char *name)
{
    if (strcmp(name, "pid") == 0)
        return NS_PID;
    if (strcmp(name, "net") == 0)
        return NS_NET;
    return strcmp(name, "ipc") == 0 ? NS_IPC : 0;
}

static unsigned namespaces_of(const char *value)
{
    char names[256], *save = NULL;
    unsigned bits = 0;

    snprintf(names, sizeof(names), "%s", value);
    for (char *name = strtok_r(names, " \t", &save); name; name = strtok_r(NULL, " \t", &save))
        bits |= namespace_of(name);
    return bits;
}

// cgroup2's weight, 1 to 10000, as the shares, 2 to 262144, that runtimes make it from.
static int64_t shares_of_weight(const char *value)
{
    int64_t weight = whole_of(value);

    return weight >= 1 && weight <= 10000 ? 2 + (weight - 1) * 262142 / 9999 : 0;
}

static void take_cpu_max(struct lxc_config *config, const char *value)
{
    long long quota = 0, period = 0;

    if (strncmp(value, "max", 3) == 0)
        sscanf(value + 3, "%lld", &period);
    else
        sscanf(value, "%lld %lld", &quota, &period);
    config->cpu_quota = quota;
    config->cpu_period = period;
}

static void take_cgroup(struct lxc_config *config, const char *file, const char *value)
{
    if (strcmp(file, "memory.max") == 0 || strcmp(file, "memory.limit_in_bytes") == 0)
        config->memory = bytes_of(value);
    else if (strcmp(file, "memory.memsw.limit_in_bytes") == 0)
        config->swap = bytes_of(value);
    else if (strcmp(file, "memory.swap.max") == 0)
        config->swap_only = *value == '0' ? -1 : bytes_of(value); // -1: none at all
    else if (strcmp(file, "cpu.max") == 0)
        take_cpu_max(config, value);
    else if (strcmp(file, "cpu.cfs_quota_us") == 0)
        config->cpu_quota = whole_of(value);
    else if (strcmp(file, "cpu.cfs_period_us") == 0)
        config->cpu_period = whole_of(value);
    else if (strcmp(file, "cpu.shares") == 0)
        config->cpu_shares = whole_of(value);
    else if (strcmp(file, "cpu.weight") == 0)
        config->cpu_shares = shares_of_weight(value);
    else if (strcmp(file, "cpuset.cpus") == 0)
        replace(&config->cpus, value);
}

// --- networks ------------------------------------------------------------------------------------

// The address without its prefix length and what may follow.
static void take_address(struct lxc_config *config, struct nic *nic, const char *value)
{
    char address[64];

    snprintf(address, sizeof(address), "%.*s", (int)strcspn(value, "/ \t"), value);
    if (!*address)
        return;
    nic->addressed = true;
    texts_add(&config->addresses, address);
}

static void take_nic(struct lxc_config *config, unsigned index, const char *key, const char *value)
{
    struct nic *nic = &config->nics[index];

    nic->used = config->has_nics = true;
    if (strcmp(key, "type") == 0) {
        nic->host = strcmp(value, "none") == 0;
        nic->silent = strcmp(value, "empty") == 0;
    } else if (strcmp(key, "ipv4.address") == 0 || strcmp(key, "ipv6.address") == 0 ||
               strcmp(key, "ipv4") == 0 || strcmp(key, "ipv6") == 0) {
        take_address(config, nic, value);
    }
}

static void clear_nics(struct lxc_config *config)
{
    memset(config->nics, 0, sizeof(config->nics));
    texts_clear(&config->addresses);
    config->has_nics = false;
    config->last_nic = 0;
}

// What follows lxc.net. or, of old, lxc.network.: there each type begins another one.
static void take_network(struct lxc_config *config, const char *key, const char *value, bool old)
{
    char *rest;
    unsigned long index = strtoul(key, &rest, 10);

    if (rest != key && *rest == '.') {
        if (index < NICS_MAX)
            take_nic(config, (unsigned)index, rest + 1, value);
        return;
    }
    if (!old)
        return;
    if (strcmp(key, "type") == 0 && config->has_nics && config->last_nic + 1 < NICS_MAX)
        config->last_nic++;
    take_nic(config, config->last_nic, key, value);
}

// --- lines ---------------------------------------------------------------------------------------

static int read_text(void *argument, const char *text, size_t len);

static void take_include(struct lxc_config *config, const char *value)
{
    if (!*value || config->broken)
        return;
    config->depth++;
    if (config->depth > LXC_INCLUDE_DEPTH_MAX || !config->includes ||
        config->includes->load(config->includes->userdata, value, LXC_CONFIG_BYTES_MAX, read_text,
                               config) < 0)
        config->broken = true;
    config->depth--;
}

static int take_fstab(void *argument, const char *text, size_t len)
{
    struct lxc_config *config = argument;
    const char *at = text, *end = text + len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        char line[VALUE_MAX];

        if (size < sizeof(line)) {
            memcpy(line, at, size);
            line[size] = '\0';
            if (line[strspn(line, " \t")] != '#' && line[strspn(line, " \t")])
                texts_add(&config->mounts, line);
        }
        at += size + 1;
    }
    return 0;
}

static void take_mount_file(struct lxc_config *config, const char *value)
{
    if (*value &&
        (!config->includes || config->includes->load(config->includes->userdata, value,
                                                     LXC_CONFIG_BYTES_MAX, take_fstab, config) < 0))
        config->broken = true;
}

static const char *behind(const char *key, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(key, prefix, len) == 0 ? key + len : NULL;
}

static void take_share(struct lxc_config *config, const char *name, const char *value)
{
    unsigned bit = namespace_of(name);

    // By PID, path or name of a container. Whose a PID's is takes more right than we have; the
    // first process's is the host's.
    config->share_host &= ~bit;
    config->share_other &= ~bit;
    if (strcmp(value, "1") == 0 || strncmp(value, "/proc/1/ns/", 11) == 0)
        config->share_host |= bit;
    else if (*value)
        config->share_other |= bit;
}

static void take_namespaces(struct lxc_config *config, unsigned *bits, const char *value)
{
    *bits = namespaces_of(value);
    if (bits == &config->clone)
        config->clones = *value != '\0';
}

static void take(struct lxc_config *config, const char *key, const char *value)
{
    const char *rest;

    if ((rest = behind(key, "lxc.cgroup2.")) || (rest = behind(key, "lxc.cgroup.")))
        take_cgroup(config, rest, value);
    else if ((rest = behind(key, "lxc.net.")))
        take_network(config, rest, value, false);
    else if ((rest = behind(key, "lxc.network.")))
        take_network(config, rest, value, true);
    else if ((rest = behind(key, "lxc.namespace.share.")))
        take_share(config, rest, value);
    else if (strcmp(key, "lxc.net") == 0 || strcmp(key, "lxc.network") == 0)
        clear_nics(config);
    else if (strcmp(key, "lxc.include") == 0)
        take_include(config, value);
    else if (strcmp(key, "lxc.mount.entry") == 0)
        texts_take(&config->mounts, value);
    else if (strcmp(key, "lxc.mount.fstab") == 0 || strcmp(key, "lxc.mount") == 0)
        take_mount_file(config, value);
    else if (strcmp(key, "lxc.rootfs.path") == 0 || strcmp(key, "lxc.rootfs") == 0)
        replace(&config->rootfs, value);
    else if (strcmp(key, "lxc.idmap") == 0 || strcmp(key, "lxc.id_map") == 0)
        config->idmap = *value != '\0';
    else if (strcmp(key, "lxc.init.uid") == 0 || strcmp(key, "lxc.init_uid") == 0)
        replace(&config->user, value);
    else if (strcmp(key, "lxc.environment") == 0)
        texts_take(&config->env, value);
    else if (strcmp(key, "lxc.group") == 0)
        texts_take(&config->groups, value);
    else if (strcmp(key, "lxc.namespace.keep") == 0)
        take_namespaces(config, &config->keep, value);
    else if (strcmp(key, "lxc.namespace.clone") == 0)
        take_namespaces(config, &config->clone, value);
}

static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

// key = value; quotes around the value are no part of it.
static void take_line(struct lxc_config *config, char *line)
{
    char *equals, *key = trim(line), *value;
    size_t len;

    if (*key == '#' || !(equals = strchr(key, '=')))
        return;
    *equals = '\0';
    key = trim(key);
    value = trim(equals + 1);
    len = strlen(value);
    if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
        value[len - 1] = '\0';
        value++;
    }
    take(config, key, value);
}

static void read_lines(struct lxc_config *config, const char *text, size_t len)
{
    const char *at = text, *end = text + len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        char *line = size < VALUE_MAX ? strndup(at, size) : NULL;

        if (line)
            take_line(config, line);
        free(line);
        at += size + 1;
    }
}

static int read_text(void *argument, const char *text, size_t len)
{
    struct lxc_config *config = argument;

    config->included++;
    config->included_bytes += len;
    if (config->included > LXC_INCLUDES_MAX || config->included_bytes > LXC_INCLUDE_BYTES_MAX)
        return -EFBIG;
    read_lines(config, text, len);
    return 0;
}

struct lxc_config *lxc_config_read(const char *text, size_t len,
                                   const struct lxc_includes *includes)
{
    struct lxc_config *config = calloc(1, sizeof(*config));

    if (!config)
        return NULL;
    config->includes = includes;
    read_lines(config, text, len);
    config->includes = NULL;
    return config;
}

struct lxc_config *lxc_config_free(struct lxc_config *config)
{
    if (!config)
        return NULL;
    free(config->rootfs);
    free(config->user);
    free(config->cpus);
    texts_clear(&config->mounts);
    texts_clear(&config->groups);
    texts_clear(&config->env);
    texts_clear(&config->addresses);
    free(config);
    return NULL;
}

// --- to a container ------------------------------------------------------------------------------

bool lxc_config_is_whole(const struct lxc_config *config)
{
    return !config->broken;
}

// Kept, not cloned, or shared with the host's first process.
static unsigned host_namespaces(const struct lxc_config *config)
{
    unsigned own = NS_PID | NS_NET | NS_IPC;
    bool none = config->has_nics;

    for (size_t i = 0; i < NICS_MAX; i++)
        none = none && (!config->nics[i].used || config->nics[i].host);
    if (config->keep)
        own &= ~config->keep;
    else if (config->clones)
        own &= config->clone;
    else if (none)
        own &= ~(unsigned)NS_NET;
    return (~own | config->share_host) & ~config->share_other & (NS_PID | NS_NET | NS_IPC);
}

bool lxc_config_has_host_network(const struct lxc_config *config)
{
    return host_namespaces(config) & NS_NET;
}

static void apply_security(const struct lxc_config *config, struct container *container)
{
    unsigned host = host_namespaces(config);

    if (!config->idmap)
        container->content.flags |= CMETA_FLAG_PRIVILEGED;
    if (host & NS_PID)
        container->content.flags |= CMETA_FLAG_HOST_PID;
    if (host & NS_NET)
        container->content.flags |= CMETA_FLAG_HOST_NETWORK;
    if (host & NS_IPC)
        container->content.flags |= CMETA_FLAG_HOST_IPC;
    container_set(container, CMETA_STRING_USER, config->user ? config->user : "0");
    container_know(container, CMETA_GROUP_SECURITY);
}

// Path without what says how it is stored: dir:/var/lib/lxc/web/rootfs.
static const char *rootfs_path(const struct lxc_config *config)
{
    const char *rootfs = config->rootfs ? config->rootfs : "";
    const char *dir = behind(rootfs, "dir:");

    return dir ? dir : rootfs;
}

// fstab's escapes: \040 is a space.
static void unescape(char *text)
{
    char *out = text;

    for (const char *at = text; *at; out++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *out = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
            at += 4;
        } else {
            *out = *at++;
        }
    }
    *out = '\0';
}

static bool has_option(const char *options, const char *option)
{
    size_t len = strlen(option);

    for (const char *at = options; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, option, len) == 0 && (!at[len] || at[len] == ','))
            return true;
    return false;
}

static const char *propagation_of(const char *options)
{
    static const char *const names[] = {"rshared", "shared",   "rslave",
                                        "slave",   "rprivate", "private"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (has_option(options, names[i]))
            return names[i];
    return "";
}

// What comes from the host; file systems that the kernel makes (proc, tmpfs) are nobody's.
static void apply_mount(const struct lxc_config *config, struct container *container,
                        const char *entry)
{
    char line[VALUE_MAX], destination[VALUE_MAX], *save = NULL, *fields[4] = {0};
    const char *rootfs = rootfs_path(config);
    size_t root_len = strlen(rootfs);
    bool rw;

    snprintf(line, sizeof(line), "%s", entry);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        fields[i] = strtok_r(i ? NULL : line, " \t", &save);
        if (fields[i])
            unescape(fields[i]);
    }
    if (!fields[1] || fields[0][0] != '/')
        return;
    if (fields[1][0] != '/')
        snprintf(destination, sizeof(destination), "/%.*s", (int)sizeof(destination) - 2,
                 fields[1]);
    else if (root_len && strncmp(fields[1], rootfs, root_len) == 0 && fields[1][root_len] == '/')
        snprintf(destination, sizeof(destination), "%s", fields[1] + root_len);
    else
        snprintf(destination, sizeof(destination), "%s", fields[1]);
    rw = !has_option(fields[3], "ro");
    container_add_mount(container, fields[0], destination, rw ? "" : "ro",
                        propagation_of(fields[3]), rw);
}

static void apply_limits(const struct lxc_config *config, struct container *container,
                         const struct container_limits *limits)
{
    struct container_resources resources = {.cpu_period = config->cpu_period,
                                            .cpu_quota = config->cpu_quota,
                                            .cpu_shares = config->cpu_shares,
                                            .cpus = config->cpus,
                                            .memory = config->memory,
                                            .swap = config->swap};

    // cgroup2 counts swap by itself, everybody else with the memory.
    if (!resources.swap && config->swap_only && config->memory)
        resources.swap = config->memory + (config->swap_only > 0 ? config->swap_only : 0);
    container_set_resources(container, &resources);
    for (size_t i = 0; i < config->env.count; i++)
        container_add_env(container, limits, config->env.items[i]);
    container_know(container, CMETA_GROUP_LIMITS);
}

static void apply_network(const struct lxc_config *config, struct container *container)
{
    bool all = true;

    if (container->content.addresses_count) { // somebody looked
        container_pick_address(container);
        container_know(container, CMETA_GROUP_NETWORK);
        return;
    }
    for (size_t i = 0; i < NICS_MAX; i++)
        all = all && (!config->nics[i].used || config->nics[i].host || config->nics[i].silent ||
                      config->nics[i].addressed);
    for (size_t i = 0; i < config->addresses.count; i++)
        container_add_address(container, config->addresses.items[i]);
    container_pick_address(container);
    if (all || lxc_config_has_host_network(config))
        container_know(container, CMETA_GROUP_NETWORK);
}

static void add_label(struct container *container, const struct container_limits *limits,
                      const char *key, const char *value)
{
    if (value && *value)
        container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

void lxc_config_apply(const struct lxc_config *config, struct container *container,
                      const struct container_limits *limits)
{
    add_label(container, limits, LXC_CONFIG_LABEL_ROOT, rootfs_path(config));
    if (config->groups.count)
        add_label(container, limits, LXC_CONFIG_LABEL_GROUP, config->groups.items[0]);
    if (config->broken)
        return;
    container_know(container, CMETA_GROUP_LABELS);
    apply_security(config, container);
    for (size_t i = 0; i < config->mounts.count; i++)
        apply_mount(config, container, config->mounts.items[i]);
    container_know(container, CMETA_GROUP_MOUNTS);
    apply_limits(config, container, limits);
    apply_network(config, container);
}
