// SPDX-License-Identifier: Apache-2.0
#include "incus_config.h"

#include "containerd-meta/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// As the servers read a boolean.
static bool is_true(const char *text)
{
    static const char *const words[] = {"true", "1", "yes", "on"};

    for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

// --- what raw.lxc adds ---------------------------------------------------------------------------

// One line of lxc.container.conf(5), taken apart.
struct raw_line {
    const char *key, *value;
    size_t key_len, value_len;
};

static bool raw_is(const struct raw_line *line, const char *key)
{
    return line->key_len == strlen(key) && memcmp(line->key, key, line->key_len) == 0;
}

// The next word of a text without NUL; its length is 0 at the end.
static size_t next_word(const char **text, size_t *len, const char **word)
{
    size_t used = 0;

    while (*len && isspace((unsigned char)**text))
        ++*text, --*len;
    *word = *text;
    while (*len && !isspace((unsigned char)**text))
        ++*text, --*len, used++;
    return used;
}

static void trim(const char **text, size_t *len)
{
    while (*len && isspace((unsigned char)**text))
        ++*text, --*len;
    while (*len && isspace((unsigned char)(*text)[*len - 1]))
        --*len;
}

static bool next_line(const char **text, struct raw_line *line)
{
    while (**text) {
        const char *begin = *text, *equals;
        size_t len = strcspn(begin, "\n");

        *text += len + (begin[len] == '\n');
        trim(&begin, &len);
        equals = memchr(begin, '=', len);
        if (!equals || *begin == '#')
            continue;
        *line = (struct raw_line){begin, equals + 1, (size_t)(equals - begin),
                                  len - (size_t)(equals - begin) - 1};
        trim(&line->key, &line->key_len);
        trim(&line->value, &line->value_len);
        return true;
    }
    return false;
}

static bool has_word(const struct raw_line *line, const char *wanted)
{
    const char *text = line->value, *word;
    size_t len = line->value_len, used;

    while ((used = next_word(&text, &len, &word)))
        if (used == strlen(wanted) && memcmp(word, wanted, used) == 0)
            return true;
    return false;
}

static bool has_option(const char *options, size_t len, const char *wanted)
{
    while (len) {
        const char *comma = memchr(options, ',', len);
        size_t used = comma ? (size_t)(comma - options) : len;

        if (used == strlen(wanted) && memcmp(options, wanted, used) == 0)
            return true;
        options += used + (comma != NULL);
        len -= used + (comma != NULL);
    }
    return false;
}

// source target type options …; the target is below the root file system.
static void add_raw_mount(struct container *container, const struct raw_line *line)
{
    const char *text = line->value, *words[4];
    size_t left = line->value_len, lens[4];
    char source[1024], target[1024];

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        lens[i] = next_word(&text, &left, &words[i]);
    if (!lens[1])
        return;
    snprintf(source, sizeof(source), "%.*s", (int)lens[0], words[0]);
    snprintf(target, sizeof(target), "%s%.*s", *words[1] == '/' ? "" : "/", (int)lens[1], words[1]);
    container_add_mount(container, source, target, "", "", !has_option(words[3], lens[3], "ro"));
}

static void add_raw_mounts(struct container *container, const char *raw)
{
    struct raw_line line;

    while (raw && next_line(&raw, &line))
        if (raw_is(&line, "lxc.mount.entry"))
            add_raw_mount(container, &line);
}

// Namespaces that aren't the container's own: kept from who starts it, which is the server.
static uint32_t raw_flags(const char *raw)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } kept[] = {{"net", CMETA_FLAG_HOST_NETWORK},
                {"pid", CMETA_FLAG_HOST_PID},
                {"ipc", CMETA_FLAG_HOST_IPC}};
    struct raw_line line;
    uint32_t flags = 0;

    while (raw && next_line(&raw, &line)) {
        for (size_t i = 0; i < ARRAY_LEN(kept); i++)
            if (raw_is(&line, "lxc.namespace.keep") && has_word(&line, kept[i].word))
                flags |= kept[i].flag;
        if (raw_is(&line, "lxc.net.0.type") && has_word(&line, "none"))
            flags |= CMETA_FLAG_HOST_NETWORK;
    }
    return flags;
}

// --- security, mounts ----------------------------------------------------------------------------

// Only application containers are told whom they run as; others have an init of root.
static void set_security(struct container *container, const json_t *config)
{
    const char *uid = json_text(config, "oci.uid"), *gid = json_text(config, "oci.gid");
    char user[48] = "";

    if (is_true(json_text(config, "security.privileged")))
        container->content.flags |= CMETA_FLAG_PRIVILEGED;
    container->content.flags |= raw_flags(json_text(config, "raw.lxc"));
    if (uid && *uid)
        snprintf(user, sizeof(user), "%.20s%s%.20s", uid, gid && *gid ? ":" : "", gid ? gid : "");
    container_set(container, CMETA_STRING_USER, user);
    container_know(container, CMETA_GROUP_SECURITY);
}

// The root file system is none of its mounts. A volume of a pool has no path here: pool/volume.
static void add_disk(struct container *container, const json_t *device)
{
    const char *path = json_text(device, "path"), *pool = json_text(device, "pool"),
               *source = json_text(device, "source"),
               *propagation = json_text(device, "propagation");
    bool readonly = is_true(json_text(device, "readonly"));
    char text[1024], target[1024];

    if (!path || !*path || strcmp(path, "/") == 0)
        return;
    snprintf(text, sizeof(text), "%s%s%s", pool ? pool : "", pool && *pool ? "/" : "",
             source ? source : "");
    snprintf(target, sizeof(target), "%s%s", *path == '/' ? "" : "/", path);
    container_add_mount(container, text, target, readonly ? "ro" : "",
                        propagation ? propagation : "private", !readonly);
}

static void set_mounts(struct container *container, const json_t *config, const json_t *devices)
{
    const char *name;
    json_t *device;

    json_object_foreach ((json_t *)devices, name, device) {
        const char *type = json_text(device, "type");

        if (type && strcmp(type, "disk") == 0)
            add_disk(container, device);
    }
    add_raw_mounts(container, json_text(config, "raw.lxc"));
    container_know(container, CMETA_GROUP_MOUNTS);
}

// --- limits --------------------------------------------------------------------------------------

static int64_t scale(int64_t number, int64_t factor)
{
    int64_t result;

    return number < 0 || __builtin_mul_overflow(number, factor, &result) ? 0 : result;
}

int64_t incus_bytes(const char *text)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", 1000000000000},
                 {"KiB", INT64_C(1) << 10},
                 {"MiB", INT64_C(1) << 20},
                 {"GiB", INT64_C(1) << 30},
                 {"TiB", INT64_C(1) << 40},
                 {"PiB", INT64_C(1) << 50}};
    char *unit;
    int64_t number;

    if (!text || !isdigit((unsigned char)*text))
        return 0;
    number = strtoll(text, &unit, 10);
    while (*unit == ' ')
        unit++;
    if (strcmp(unit, "%") == 0 && number <= 100)
        return sysconf(_SC_PHYS_PAGES) / 100 * sysconf(_SC_PAGESIZE) * number;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(unit, units[i].unit) == 0)
            return scale(number, units[i].factor);
    return 0;
}

// A share ("50%") or a time of each period ("25ms/100ms"); the priority takes a little off.
static void set_allowance(const json_t *config, struct container_resources *resources)
{
    const char *allowance = json_text(config, "limits.cpu.allowance"),
               *priority = json_text(config, "limits.cpu.priority");
    long quota_ms, period_ms, less = 0;
    unsigned percent;
    char end;

    if (priority && isdigit((unsigned char)*priority) && strlen(priority) <= 2)
        less = 10 - strtol(priority, NULL, 10);
    resources->cpu_shares = 1024 - less;
    if (allowance && sscanf(allowance, "%3u%c", &percent, &end) == 2 && end == '%')
        resources->cpu_shares = 1024 * (int64_t)percent / 100 - less;
    else if (allowance && sscanf(allowance, "%6ldms/%6ldms", &quota_ms, &period_ms) == 2) {
        resources->cpu_quota = quota_ms * 1000;
        resources->cpu_period = period_ms * 1000;
    }
}

// A bare number is how many, anything else which.
static void set_cpus(struct container *container, const char *cpus)
{
    if (cpus && *cpus && strspn(cpus, "0123456789") == strlen(cpus) && strlen(cpus) <= 5)
        container->content.cpuset_cpu_count = strtol(cpus, NULL, 10);
}

static void add_environment(struct container *container, const json_t *config,
                            const struct container_limits *limits)
{
    static const char prefix[] = "environment.";
    const char *key;
    json_t *value;
    char entry[4096];

    json_object_foreach ((json_t *)config, key, value) {
        if (strncmp(key, prefix, sizeof(prefix) - 1) != 0 || !json_is_string(value))
            continue;
        snprintf(entry, sizeof(entry), "%s=%s", key + sizeof(prefix) - 1, json_string_value(value));
        container_add_env(container, limits, entry);
    }
}

static void set_limits(struct container *container, const json_t *config,
                       const struct container_limits *limits)
{
    const char *swap = json_text(config, "limits.memory.swap"),
               *cpus = json_text(config, "limits.cpu");
    struct container_resources resources = {
        .cpus = cpus, .memory = incus_bytes(json_text(config, "limits.memory"))};
    int64_t swap_bytes = incus_bytes(swap);

    // Memory and swap together, as Docker counts them; 0 where nothing is limited.
    if (resources.memory && swap && (swap_bytes > 1 || !is_true(swap)))
        resources.swap = resources.memory + (swap_bytes > 1 ? swap_bytes : 0);
    set_allowance(config, &resources);
    container_set_resources(container, &resources);
    set_cpus(container, cpus);
    add_environment(container, config, limits);
    container_know(container, CMETA_GROUP_LIMITS);
}

void incus_config_apply(struct container *container, const json_t *config, const json_t *devices,
                        const struct container_limits *limits)
{
    if (json_is_object(config)) {
        set_security(container, config);
        set_limits(container, config, limits);
    }
    if (json_is_object(config) && json_is_object(devices))
        set_mounts(container, config, devices);
}
