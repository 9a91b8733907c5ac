// SPDX-License-Identifier: Apache-2.0
#include "incus_instance.h"

#include "containerd-meta/image_ref.h"
#include "containerd-meta/json.h"
#include "incus_config.h"

#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *text_or_empty(const json_t *object, const char *key)
{
    const char *text = json_text(object, key);

    return text ? text : "";
}

// What the profiles give and the instance overrides, together.
static const json_t *config_of(const json_t *instance)
{
    const json_t *expanded = json_object_get(instance, "expanded_config");

    return json_is_object(expanded) ? expanded : json_object_get(instance, "config");
}

static const json_t *devices_of(const json_t *instance)
{
    const json_t *expanded = json_object_get(instance, "expanded_devices");

    return json_is_object(expanded) ? expanded : json_object_get(instance, "devices");
}

// --- identity ------------------------------------------------------------------------------------

// The year is 1 or 1970 where it was never started.
static bool never_started(const char *last_used)
{
    return strncmp(last_used, "1970-", 5) == 0 || strncmp(last_used, "0001-", 5) == 0;
}

// Codes of API 1.0. What is being started doesn't run yet; what is being stopped still does.
static uint32_t state_of(int64_t code, const char *last_used)
{
    switch (code) {
    case 103: // running
    case 107: // stopping
    case 111: // thawed
    case 113: // ready
        return CMETA_STATE_RUNNING;
    case 109: // freezing
    case 110: // frozen
        return CMETA_STATE_PAUSED;
    case 101: // started
    case 106: // starting
        return CMETA_STATE_CREATED;
    case 102: // stopped
        return never_started(last_used) ? CMETA_STATE_CREATED : CMETA_STATE_EXITED;
    case 112: // error
        return CMETA_STATE_DEAD;
    default:
        return CMETA_STATE_UNKNOWN;
    }
}

bool incus_facts_read(const json_t *instance, struct incus_facts *facts)
{
    const char *type = json_text(instance, "type");

    *facts = (struct incus_facts){
        .name = text_or_empty(instance, "name"),
        .project = text_or_empty(instance, "project"),
        .location = text_or_empty(instance, "location"),
        .fingerprint = json_text(config_of(instance), "volatile.base_image"),
        .description = text_or_empty(config_of(instance), "image.description"),
        .last_used = text_or_empty(instance, "last_used_at"),
        .is_container = !type || strcmp(type, "container") == 0,
    };
    if (!*facts->project)
        facts->project = "default";
    facts->state = state_of(json_whole(instance, "status_code"), facts->last_used);
    return *facts->name && strlen(facts->name) + strlen(facts->project) + 1 <= INCUS_ID_MAX;
}

void incus_id_of(const char *project, const char *name, char id[INCUS_ID_MAX + 1])
{
    if (strcmp(project, "default") == 0)
        snprintf(id, INCUS_ID_MAX + 1, "%s", name);
    else
        snprintf(id, INCUS_ID_MAX + 1, "%s_%s", project, name);
}

const char *incus_id_split(const char *id, char project[INCUS_ID_MAX + 1])
{
    const char *underscore = strrchr(id, '_');

    if (!underscore || underscore == id || !underscore[1]) {
        snprintf(project, INCUS_ID_MAX + 1, "default");
        return id;
    }
    snprintf(project, INCUS_ID_MAX + 1, "%.*s", (int)(underscore - id), id);
    return underscore + 1;
}

// --- image ---------------------------------------------------------------------------------------

// Incus's application containers: "docker.io/library/nginx (OCI)" and "nginx:1.27".
static bool set_oci_image(struct container *container, const json_t *config, const char *digest_hex)
{
    static const char suffix[] = " (OCI)";
    const char *type = json_text(config, "image.type"),
               *description = text_or_empty(config, "image.description");
    struct image_ref ref = image_ref_parse_text(json_text(config, "image.id"));
    size_t len = strlen(description);
    char text[512];

    if (!type || strcmp(type, "oci") != 0 || len < sizeof(suffix) ||
        strcmp(description + len - sizeof(suffix) + 1, suffix) != 0)
        return false;
    len -= sizeof(suffix) - 1;
    if (!ref.tag.len)
        ref.tag = CMETA_STR("latest");
    container_set_n(container, CMETA_STRING_IMAGE_REPO, description, len);
    container_set_str(container, CMETA_STRING_IMAGE_TAG, ref.tag);
    snprintf(text, sizeof(text), "%.*s:%.*s", (int)len, description, (int)ref.tag.len,
             ref.tag.data);
    container_set(container, CMETA_STRING_IMAGE, text);
    snprintf(text, sizeof(text), "sha256:%s", digest_hex);
    container_set(container, CMETA_STRING_IMAGE_DIGEST, *digest_hex ? text : "");
    container_know(container, CMETA_GROUP_IMAGE);
    return true;
}

// What the instance alone tells of it.
static void set_image(struct container *container, const json_t *config)
{
    const char *fingerprint = text_or_empty(config, "volatile.base_image");

    if (!json_is_object(config))
        return;
    container_set(container, CMETA_STRING_IMAGE_ID, fingerprint);
    if (!set_oci_image(container, config, fingerprint))
        container_set(container, CMETA_STRING_IMAGE, text_or_empty(config, "image.description"));
}

void incus_container_add_image(struct container *container, const char *fingerprint,
                               const char *description, const char *alias)
{
    if (container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE))
        return;
    container_set(container, CMETA_STRING_IMAGE_ID, fingerprint ? fingerprint : "");
    container_set(container, CMETA_STRING_IMAGE, alias && *alias ? alias : description);
    container_set(container, CMETA_STRING_IMAGE_REPO, alias ? alias : "");
    container_set(container, CMETA_STRING_IMAGE_TAG, "");
    container_set(container, CMETA_STRING_IMAGE_DIGEST, "");
    container_know(container, CMETA_GROUP_IMAGE);
}

const char *incus_image_alias(const json_t *image)
{
    const char *own = json_text(json_array_get(json_object_get(image, "aliases"), 0), "name");

    return own && *own ? own : json_text(json_object_get(image, "update_source"), "alias");
}

// --- labels --------------------------------------------------------------------------------------

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void add_label(struct container *container, const struct container_limits *limits,
                      const char *key, const char *value)
{
    container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

static void add_profiles(struct container *container, const struct container_limits *limits,
                         const json_t *profiles)
{
    char joined[1024] = "";
    size_t len = 0, i;
    const json_t *profile;

    json_array_foreach ((json_t *)profiles, i, profile) {
        const char *name = json_string_value(profile);

        if (name && len + strlen(name) + 2 < sizeof(joined))
            len +=
                (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%s", len ? "," : "", name);
    }
    add_label(container, limits, "incus.profiles", joined);
}

// cloud-init's documents have passwords and keys in them.
static bool is_secret(const char *key)
{
    static const char *const keys[] = {"user.user-data", "user.vendor-data", "user.network-config",
                                       "user.meta-data"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void set_labels(struct container *container, const json_t *instance, const json_t *config,
                       const struct incus_facts *facts, const struct container_limits *limits)
{
    const char *key;
    json_t *value;

    if (!json_is_object(config))
        return;
    json_object_foreach ((json_t *)config, key, value)
        if (json_is_string(value) && !is_secret(key) &&
            (begins(key, "user.") || begins(key, "image.")))
            container_add_label(container, limits, key, strlen(key), json_string_value(value),
                                json_string_length(value));
    add_label(container, limits, "incus.project", facts->project);
    add_profiles(container, limits, json_object_get(instance, "profiles"));
    if (*facts->location && strcmp(facts->location, "none") != 0)
        add_label(container, limits, "incus.location", facts->location);
    container_know(container, CMETA_GROUP_LABELS);
}

// --- the whole -----------------------------------------------------------------------------------

static void set_state(struct container *container, const struct incus_facts *facts)
{
    if (facts->state == CMETA_STATE_UNKNOWN)
        return;
    container->has_status = true;
    container->status = facts->state;
    if (facts->state == CMETA_STATE_RUNNING || facts->state == CMETA_STATE_PAUSED)
        container->finished_ns = 0;
}

struct container *incus_container_from_instance(const json_t *instance,
                                                const struct container_limits *limits)
{
    const json_t *config = config_of(instance);
    struct incus_facts facts;
    char id[INCUS_ID_MAX + 1];
    struct container *container;

    if (!incus_facts_read(instance, &facts))
        return NULL;
    incus_id_of(facts.project, facts.name, id);
    container = container_new(id, strlen(id), INCUS_SCOPE);
    if (!container)
        return NULL;
    container->content.type = CMETA_TYPE_LXC;
    container->content.created_ns = json_time_ns(instance, "created_at");
    container->content.started_ns =
        never_started(facts.last_used) ? 0 : json_time_ns(instance, "last_used_at");
    container_set(container, CMETA_STRING_NAME, facts.name);
    container_know(container, CMETA_GROUP_IDENTITY);
    set_state(container, &facts);
    set_image(container, config);
    set_labels(container, instance, config, &facts, limits);
    incus_config_apply(container, config, devices_of(instance), limits);
    container_know(container, CMETA_GROUP_POD);    // instances belong to none
    container_know(container, CMETA_GROUP_HEALTH); // and have no probes
    container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
    return container_failed(container) ? container_free(container) : container;
}

// --- state ---------------------------------------------------------------------------------------

static unsigned add_addresses(struct container *container, const json_t *interface)
{
    const json_t *address;
    unsigned count = 0;
    size_t i;

    json_array_foreach (json_object_get(interface, "addresses"), i, address) {
        const char *scope = json_text(address, "scope"), *text = json_text(address, "address");

        if (!text || !*text || (scope && strcmp(scope, "global") != 0))
            continue;
        container_add_address(container, text);
        count++;
    }
    return count;
}

// Interfaces with another end on the host are the instance's own; others may be bridges inside.
static bool has_other_end(const json_t *interface)
{
    const char *host_name = json_text(interface, "host_name");

    return host_name && *host_name;
}

void incus_container_add_state(struct container *container, const json_t *state,
                               unsigned *addresses, unsigned *links)
{
    const int64_t pid = json_whole(state, "pid"), started_ns = json_time_ns(state, "started_at");
    const json_t *network = json_object_get(state, "network");
    const char *name;
    json_t *interface;

    *addresses = *links = 0;
    if (pid > 0 && pid <= INT32_MAX)
        container->pid = (uint32_t)pid;
    if (started_ns)
        container->content.started_ns = started_ns;
    for (int own = 1; own >= 0; own--)
        json_object_foreach ((json_t *)network, name, interface) {
            if (strcmp(name, "lo") == 0 || !json_is_object(interface) ||
                has_other_end(interface) != own)
                continue;
            *addresses += add_addresses(container, interface);
            ++*links;
        }
    if (!json_is_object(network) || (*links && !*addresses))
        return;
    container_pick_address(container);
    container_know(container, CMETA_GROUP_NETWORK);
    container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NONE;
}
