// SPDX-License-Identifier: Apache-2.0
#include "nspawn_record.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/text.h"

#include "shm/container_id.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSPAWN        "systemd-nspawn"
#define LIST_MAX      64u // addresses, entries of an OS release
#define LABEL_PREFIX  "org.freedesktop.machine1."
#define OS_PREFIX     "os-release."
#define ADDRESS_BYTES 64u

// --- properties ----------------------------------------------------------------------------------

// A property's value if it has the type; skipped otherwise. Return: 1, 0 if skipped, -errno.
static int enter(sd_bus_message *m, const char *type)
{
    const char *contents;
    char kind;
    int r = sd_bus_message_peek_type(m, &kind, &contents);

    if (r <= 0 || kind != SD_BUS_TYPE_VARIANT)
        return r < 0 ? r : -EBADMSG;
    if (strcmp(contents, type) != 0) {
        r = sd_bus_message_skip(m, "v");
        return r < 0 ? r : 0;
    }
    r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, type);
    return r < 0 ? r : 1;
}

static int read_text(sd_bus_message *m, char **out)
{
    const char *text;
    int r = enter(m, "s");

    if (r <= 0)
        return r;
    r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &text);
    if (r < 0)
        return r;
    free(*out);
    *out = strdup(text);
    return *out ? sd_bus_message_exit_container(m) : -ENOMEM;
}

static int read_leader(sd_bus_message *m, struct machine_facts *facts)
{
    int r = enter(m, "u");

    if (r <= 0)
        return r;
    r = sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT32, &facts->leader);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_time(sd_bus_message *m, struct machine_facts *facts)
{
    uint64_t usec;
    int r = enter(m, "t");

    if (r <= 0)
        return r;
    r = sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT64, &usec);
    if (r < 0)
        return r;
    facts->created_ns = usec < INT64_MAX / 1000 ? (int64_t)usec * 1000 : 0;
    return sd_bus_message_exit_container(m);
}

static int read_id(sd_bus_message *m, struct machine_facts *facts)
{
    const uint8_t *bytes;
    const void *data;
    size_t len;
    bool null = true;
    int r = enter(m, "ay");

    if (r <= 0)
        return r;
    r = sd_bus_message_read_array(m, SD_BUS_TYPE_BYTE, &data, &len);
    if (r < 0)
        return r;
    bytes = data;
    for (size_t i = 0; i < len; i++)
        null = null && bytes[i] == 0;
    for (size_t i = 0; len == 16 && !null && i < len; i++)
        snprintf(facts->id + 2 * i, 3, "%02x", bytes[i]);
    return sd_bus_message_exit_container(m);
}

static int read_property(sd_bus_message *m, const char *key, struct machine_facts *facts)
{
    const struct {
        const char *key;
        char **text;
    } texts[] = {{"Name", &facts->name},
                 {"Class", &facts->class},
                 {"Service", &facts->service},
                 {"Unit", &facts->unit},
                 {"RootDirectory", &facts->root}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].key, key) == 0)
            return read_text(m, texts[i].text);
    if (strcmp(key, "Leader") == 0)
        return read_leader(m, facts);
    if (strcmp(key, "Timestamp") == 0)
        return read_time(m, facts);
    if (strcmp(key, "Id") == 0)
        return read_id(m, facts);
    return sd_bus_message_skip(m, "v");
}

static bool fill_in(struct machine_facts *facts)
{
    char **texts[] = {&facts->name, &facts->class, &facts->service, &facts->unit, &facts->root};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!*texts[i] && !(*texts[i] = strdup("")))
            return false;
    return true;
}

int machine_facts_read(sd_bus_message *m, struct machine_facts *facts)
{
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

    if (r < 0)
        return -EBADMSG;
    while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        const char *key;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r >= 0)
            r = read_property(m, key, facts);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            break;
    }
    if (r == -ENOMEM || !fill_in(facts))
        return -ENOMEM;
    return r < 0 || !*facts->name ? -EBADMSG : 0;
}

void machine_facts_done(struct machine_facts *facts)
{
    free(facts->name);
    free(facts->class);
    free(facts->service);
    free(facts->unit);
    free(facts->root);
    *facts = (struct machine_facts){0};
}

// --- identity ------------------------------------------------------------------------------------

bool machine_is_ours(const char *class, const char *service)
{
    return strcmp(class, "container") == 0 && strcmp(service, "libvirt-lxc") != 0;
}

// As systemd writes a name into a unit's: '/' as '-', what isn't plain as \xNN.
static bool escape(const char *name, char *out, size_t size)
{
    size_t used = 0;

    for (const char *c = name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == ':' || *c == '_' || (*c == '.' && c > name);

        if (used + 5 > size)
            return false;
        if (plain || *c == '/')
            out[used++] = *c == '/' ? '-' : *c;
        else
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", (unsigned char)*c);
    }
    out[used] = '\0';
    return used > 0;
}

// The ID is what the matcher makes of the unit's cgroup, be it a Docker container that somebody
// registered. A unit whose name tells nothing leaves the machine's name, which is unique too.
bool machine_identify(const struct machine_facts *facts, struct machine_identity *identity)
{
    struct cmeta_id_match match = {0};
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "/machine.slice/%s/payload", facts->unit);

    identity->scope = cmeta_type_name(CMETA_TYPE_NSPAWN);
    if (!strchr(facts->unit, '/') && len > 0 && len < (int)sizeof(path) &&
        cmeta_container_id_match(path, (size_t)len, CMETA_LAYOUTS_ALL, &match) == CMETA_STRONG) {
        memcpy(identity->id, match.id, match.id_len);
        identity->id[match.id_len] = '\0';
        if (cmeta_id_is_hex64(identity->id, match.id_len))
            identity->scope = "";
        return true;
    }
    return escape(facts->name, identity->id, sizeof(identity->id));
}

// --- details -------------------------------------------------------------------------------------

static void list_done(struct machine_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->texts[i]);
    free(list->texts);
    *list = (struct machine_list){0};
}

static int list_add(struct machine_list *list, const char *text)
{
    char **grown = realloc(list->texts, (list->count + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    list->texts = grown;
    grown[list->count] = strdup(text);
    return grown[list->count] ? (list->count++, 0) : -ENOMEM;
}

void machine_details_done(struct machine_details *details)
{
    list_done(&details->os);
    list_done(&details->addresses);
    *details = (struct machine_details){0};
}

// What tells one system from another; the rest is for people, or links.
static bool is_wanted(const char *key)
{
    static const char *const keys[] = {"ID",       "VERSION_ID", "VARIANT_ID",   "BUILD_ID",
                                       "IMAGE_ID", "SYSEXT_ID",  "IMAGE_VERSION"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int add_os_entry(struct machine_list *list, const char *key, const char *value)
{
    CLEANUP(freep)
    char *text = NULL;

    if (!is_wanted(key) || list->count == LIST_MAX)
        return 0;
    return asprintf(&text, "%s=%s", key, value) < 0 ? -ENOMEM : list_add(list, text);
}

int machine_os_read(sd_bus_message *m, struct machine_details *details)
{
    struct machine_list list = {0};
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{ss}");
    const char *key, *value;

    while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
        r = add_os_entry(&list, key, value);
    if (r < 0) {
        list_done(&list);
        return r == -ENOMEM ? r : -EBADMSG;
    }
    list_done(&details->os);
    details->os = list;
    details->has_os = true;
    return 0;
}

static int add_address(struct machine_list *list, int family, const void *bytes, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    const uint8_t *raw = bytes;

    if ((family != AF_INET || len != 4) && (family != AF_INET6 || len != 16))
        return 0;
    if (family == AF_INET6 && raw[0] == 0xfe && (raw[1] & 0xc0) == 0x80)
        return 0; // link-local: every interface has one, and it names nobody
    if (list->count == LIST_MAX || !inet_ntop(family, bytes, text, sizeof(text)))
        return 0;
    return list_add(list, text);
}

static int read_address(sd_bus_message *m, struct machine_list *list)
{
    const void *bytes;
    int32_t family;
    size_t len;
    int r = sd_bus_message_read_basic(m, SD_BUS_TYPE_INT32, &family);

    if (r >= 0)
        r = sd_bus_message_read_array(m, SD_BUS_TYPE_BYTE, &bytes, &len);
    if (r >= 0)
        r = add_address(list, family, bytes, len);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

int machine_addresses_read(sd_bus_message *m, struct machine_details *details)
{
    struct machine_list list = {0};
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(iay)");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, "iay")) > 0)
        r = read_address(m, &list);
    if (r < 0) {
        list_done(&list);
        return r == -ENOMEM ? r : -EBADMSG;
    }
    list_done(&details->addresses);
    details->addresses = list;
    details->has_addresses = true;
    return 0;
}

// --- the container -------------------------------------------------------------------------------

static void add_label(struct container *container, const struct container_limits *limits,
                      const char *key, const char *value)
{
    if (*value)
        container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

static void set_labels(struct container *container, const struct machine_facts *facts,
                       const struct machine_details *details, const struct container_limits *limits)
{
    add_label(container, limits, LABEL_PREFIX "Service", facts->service);
    add_label(container, limits, LABEL_PREFIX "Unit", facts->unit);
    add_label(container, limits, LABEL_PREFIX "Id", facts->id);
    for (size_t i = 0; i < details->os.count; i++) {
        char key[64];
        const char *text = details->os.texts[i], *equals = strchr(text, '=');

        snprintf(key, sizeof(key), OS_PREFIX "%.*s", (int)(equals - text), text);
        add_label(container, limits, key, equals + 1);
    }
    if (details->has_os)
        container_know(container, CMETA_GROUP_LABELS);
}

// A machine has no image with a name and a tag: the folder that it runs from stands for it. One
// that was made for this run alone (of an image file, or a copy) names nothing.
static void set_image(struct container *container, const struct machine_facts *facts)
{
    static const enum cmeta_string none[] = {CMETA_STRING_IMAGE_ID, CMETA_STRING_IMAGE_REPO,
                                             CMETA_STRING_IMAGE_TAG, CMETA_STRING_IMAGE_DIGEST};
    bool is_passing = strncmp(facts->root, "/tmp/nspawn-root-", 17) == 0 ||
                      strncmp(facts->root, "/var/tmp/nspawn-root-", 21) == 0 ||
                      strstr(facts->root, "/.#");

    if (!*facts->root || is_passing) {
        container->content.reason[CMETA_GROUP_IMAGE] = CMETA_REASON_NOT_TOLD;
        return;
    }
    container_set(container, CMETA_STRING_IMAGE, facts->root);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        container_set(container, none[i], "");
    container_know(container, CMETA_GROUP_IMAGE);
}

// nspawn gives every container an IPC namespace; of others' containers nobody knows who mayn't
// look.
static void set_security(struct container *container, const struct machine_facts *facts,
                         const struct machine_details *details)
{
    const struct leader *leader = &details->leader;
    bool is_told = details->has_leader &&
                   (leader->ipc_ns != LEADER_UNSEEN || strcmp(facts->service, NSPAWN) == 0);
    uint32_t *flags = &container->content.flags;
    char uid[16];
    bool on_host_network = leader->net_ns == LEADER_HOSTS;

    if (leader->net_ns == LEADER_UNSEEN) {
        is_told = is_told && details->has_addresses;
        on_host_network = details->on_host_network;
    }
    if (!is_told) {
        container->content.reason[CMETA_GROUP_SECURITY] =
            details->leader_is_hidden ? CMETA_REASON_NOT_TOLD : CMETA_REASON_NOT_YET;
        return;
    }
    *flags |= leader->all_capabilities ? CMETA_FLAG_PRIVILEGED : 0;
    *flags |= leader->pid_ns == LEADER_HOSTS ? CMETA_FLAG_HOST_PID : 0;
    *flags |= leader->ipc_ns == LEADER_HOSTS ? CMETA_FLAG_HOST_IPC : 0;
    *flags |= on_host_network ? CMETA_FLAG_HOST_NETWORK : 0;
    snprintf(uid, sizeof(uid), "%u", leader->uid);
    container_set(container, CMETA_STRING_USER, uid);
    container_know(container, CMETA_GROUP_SECURITY);
}

static void set_network(struct container *container, const struct machine_details *details)
{
    if (!details->has_addresses) {
        container->content.reason[CMETA_GROUP_NETWORK] = CMETA_REASON_NOT_YET;
        return;
    }
    for (size_t i = 0; i < details->addresses.count; i++)
        container_add_address(container, details->addresses.texts[i]);
    container_pick_address(container);
    container_know(container, CMETA_GROUP_NETWORK);
}

struct container *machine_container(const struct machine_facts *facts,
                                    const struct machine_identity *identity,
                                    const struct machine_details *details,
                                    const struct container_limits *limits)
{
    struct container *container =
        container_new(identity->id, strlen(identity->id), identity->scope);

    if (!container)
        return NULL;
    container->content.type = CMETA_TYPE_NSPAWN;
    container->content.created_ns = container->content.started_ns = facts->created_ns;
    container->has_status = true;
    container->status = CMETA_STATE_RUNNING;
    container->pid = facts->leader;
    container_set(container, CMETA_STRING_NAME, facts->name);
    container_know(container, CMETA_GROUP_IDENTITY);
    container_know(container, CMETA_GROUP_POD);
    container_know(container, CMETA_GROUP_HEALTH);
    container->content.reason[CMETA_GROUP_MOUNTS] = CMETA_REASON_NOT_TOLD;
    container->content.reason[CMETA_GROUP_LIMITS] = CMETA_REASON_NOT_TOLD;
    set_image(container, facts);
    set_labels(container, facts, details, limits);
    set_security(container, facts, details);
    set_network(container, details);
    return container_failed(container) ? container_free(container) : container;
}
