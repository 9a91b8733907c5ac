// SPDX-License-Identifier: Apache-2.0
#include "libvirt_domain.h"

#include <ctype.h>
#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAY_MAX  192u // of element names, joined
#define TEXT_MAX 4096u

struct filesystem {
    char *source, *target;
    bool ro, host; // it comes from the host: a folder, a file, a device
};

struct libvirt_domain {
    char *name, *uuid, *user, *cpus;
    pid_t init, controller;
    uint32_t state;
    bool lxc, idmap, private_net, host_net, has_nics, silent_nic;
    int64_t memory, hard_limit, swap_limit, cpu_period, cpu_quota, cpu_shares;
    struct filesystem *mounts;
    size_t mounts_count;
    char **addresses;
    size_t addresses_count;
};

struct reading {
    XML_Parser parser;
    struct libvirt_domain *domain;
    char way[WAY_MAX]; // from the domain inwards: "/devices/filesystem/source"
    unsigned depth;    // of the element that is read; 0: outside
    unsigned deep;     // elements beyond WAY_MAX, which nobody asks for
    unsigned inside;   // depth of <domain>; 0: not in it
    char text[TEXT_MAX];
    size_t text_len;
    int64_t unit; // of the limit that is read, in bytes
    struct filesystem filesystem;
    bool addressed; // the interface that is read
    bool failed;
};

// --- values --------------------------------------------------------------------------------------

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; attributes[0]; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

static bool attribute_is(const XML_Char **attributes, const char *name, const char *value)
{
    const char *found = attribute(attributes, name);

    return found && strcmp(found, value) == 0;
}

static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static pid_t pid_of(const char *text)
{
    char *end;
    long number = text ? strtol(text, &end, 10) : 0;

    return number > 0 && number <= INT_MAX && !*end ? (pid_t)number : 0;
}

static void replace(char **text, const char *value)
{
    free(*text);
    *text = value && *value ? strdup(value) : NULL;
}

// As libvirt writes sizes: KiB unless it says otherwise; "KB" and the like are powers of ten.
// 0: no such unit.
static int64_t unit_of(const char *unit)
{
    static const char letters[] = "kmgtpe";
    const char *at;
    int64_t bytes = 1;
    int64_t factor = 1024;

    if (!unit || !*unit)
        unit = "KiB";
    at = strchr(letters, tolower((unsigned char)*unit));
    if (!at)
        return tolower((unsigned char)*unit) == 'b'; // b, bytes
    if (unit[1] == 'B')
        factor = 1000;
    for (long i = at - letters; i >= 0; i--)
        bytes *= factor;
    return bytes;
}

static int64_t number_of(const char *text, int64_t unit)
{
    char *end;
    long long number;

    if (unit == 0)
        return 0;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || errno || number > INT64_MAX / unit || number < INT64_MIN / unit)
        return 0;
    return number * unit;
}

// What libvirt writes for "none" is just below 2^53 KiB.
static int64_t limit_of(const char *text, int64_t unit)
{
    int64_t bytes = number_of(text, unit);

    return bytes > 0 && bytes / 1024 < INT64_C(9007199254740991) ? bytes : 0;
}

static uint32_t state_of(const char *state)
{
    if (state && (strcmp(state, "paused") == 0 || strcmp(state, "pmsuspended") == 0))
        return CMETA_STATE_PAUSED;
    if (state && (strcmp(state, "shutoff") == 0 || strcmp(state, "crashed") == 0))
        return CMETA_STATE_EXITED;
    return CMETA_STATE_RUNNING;
}

// --- lists ---------------------------------------------------------------------------------------

static void filesystem_done(struct filesystem *filesystem)
{
    free(filesystem->source);
    free(filesystem->target);
    *filesystem = (struct filesystem){0};
}

static void add_mount(struct reading *r)
{
    struct libvirt_domain *domain = r->domain;
    struct filesystem *mounts;

    if (!r->filesystem.target || domain->mounts_count == CONTAINER_LIST_MAX)
        return;
    mounts = realloc(domain->mounts, (domain->mounts_count + 1) * sizeof(*mounts));
    if (!mounts) {
        r->failed = true;
        return;
    }
    domain->mounts = mounts;
    mounts[domain->mounts_count++] = r->filesystem;
    r->filesystem = (struct filesystem){0};
}

static void add_address(struct reading *r, const char *address)
{
    struct libvirt_domain *domain = r->domain;
    char **addresses;

    if (!address || !*address || domain->addresses_count == CONTAINER_LIST_MAX)
        return;
    addresses = realloc(domain->addresses, (domain->addresses_count + 1) * sizeof(*addresses));
    if (addresses)
        domain->addresses = addresses;
    if (!addresses || !(addresses[domain->addresses_count] = strdup(address))) {
        r->failed = true;
        return;
    }
    domain->addresses_count++;
    r->addressed = true;
}

// --- elements ------------------------------------------------------------------------------------

static void begin_root(struct reading *r, const char *name, const XML_Char **attributes)
{
    if (strcmp(name, "domstatus") == 0) {
        r->domain->state = state_of(attribute(attributes, "state"));
        r->domain->controller = pid_of(attribute(attributes, "pid"));
    } else if (strcmp(name, "init") == 0) {
        r->domain->init = pid_of(attribute(attributes, "pid"));
    } else if (strcmp(name, "domain") == 0 && !r->domain->lxc) {
        r->domain->lxc = attribute_is(attributes, "type", "lxc");
        r->inside = r->depth;
    }
}

static void begin_filesystem(struct reading *r, const char *way, const XML_Char **attributes)
{
    const char *type = attribute(attributes, "type");

    if (strcmp(way, "") == 0) {
        filesystem_done(&r->filesystem);
        r->filesystem.host = !type || strcmp(type, "mount") == 0 || strcmp(type, "file") == 0 ||
                             strcmp(type, "block") == 0;
    } else if (strcmp(way, "/source") == 0) {
        const char *source = attribute(attributes, "dir");

        source = source ? source : attribute(attributes, "file");
        replace(&r->filesystem.source, source ? source : attribute(attributes, "dev"));
    } else if (strcmp(way, "/target") == 0) {
        replace(&r->filesystem.target, attribute(attributes, "dir"));
    } else if (strcmp(way, "/readonly") == 0) {
        r->filesystem.ro = true;
    }
}

static void begin_interface(struct reading *r, const char *way, const XML_Char **attributes)
{
    if (strcmp(way, "") == 0) {
        r->domain->has_nics = true;
        r->addressed = false;
    } else if (strcmp(way, "/ip") == 0) {
        add_address(r, attribute(attributes, "address"));
    }
}

// The host's network namespace is its first process's.
static void begin_share(struct reading *r, const XML_Char **attributes)
{
    bool hosts = attribute_is(attributes, "type", "pid") && attribute_is(attributes, "value", "1");

    r->domain->host_net = hosts;
    r->domain->private_net = !hosts;
}

static void begin_in_domain(struct reading *r, const XML_Char **attributes)
{
    const char *way = r->way, *rest;

    if ((rest = behind(way, "/devices/filesystem")))
        begin_filesystem(r, rest, attributes);
    else if ((rest = behind(way, "/devices/interface")))
        begin_interface(r, rest, attributes);
    else if (strcmp(way, "/devices/hostdev") == 0)
        r->domain->private_net |= attribute_is(attributes, "type", "net");
    else if (strcmp(way, "/features/privnet") == 0)
        r->domain->private_net = true;
    else if (strcmp(way, "/lxc:namespace/lxc:sharenet") == 0)
        begin_share(r, attributes);
    else if (strcmp(way, "/idmap/uid") == 0)
        r->domain->idmap = true;
    else if (strcmp(way, "/vcpu") == 0)
        replace(&r->domain->cpus, attribute(attributes, "cpuset"));
    r->unit = unit_of(attribute(attributes, "unit"));
}

static void end_in_domain(struct reading *r)
{
    struct libvirt_domain *domain = r->domain;
    const char *way = r->way, *text = r->text;

    if (strcmp(way, "/name") == 0)
        replace(&domain->name, text);
    else if (strcmp(way, "/uuid") == 0)
        replace(&domain->uuid, text);
    else if (strcmp(way, "/os/inituser") == 0)
        replace(&domain->user, text);
    else if (strcmp(way, "/memory") == 0)
        domain->memory = limit_of(text, r->unit);
    else if (strcmp(way, "/memtune/hard_limit") == 0)
        domain->hard_limit = limit_of(text, r->unit);
    else if (strcmp(way, "/memtune/swap_hard_limit") == 0)
        domain->swap_limit = limit_of(text, r->unit);
    else if (strcmp(way, "/cputune/shares") == 0)
        domain->cpu_shares = number_of(text, 1);
    else if (strcmp(way, "/cputune/period") == 0)
        domain->cpu_period = number_of(text, 1);
    else if (strcmp(way, "/cputune/quota") == 0)
        domain->cpu_quota = number_of(text, 1);
    else if (strcmp(way, "/devices/filesystem") == 0)
        add_mount(r);
    else if (strcmp(way, "/devices/interface") == 0)
        domain->silent_nic |= !r->addressed;
}

// --- the parser ----------------------------------------------------------------------------------

static void on_begin(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = userdata;
    size_t used = strlen(r->way);

    r->depth++;
    r->text_len = 0;
    r->text[0] = '\0';
    if (!r->inside) {
        begin_root(r, name, attributes);
        return;
    }
    if (r->deep || used + 1 + strlen(name) >= sizeof(r->way)) {
        r->deep++;
        return;
    }
    snprintf(r->way + used, sizeof(r->way) - used, "/%s", name);
    begin_in_domain(r, attributes);
}

static void on_end(void *userdata, const XML_Char *name)
{
    struct reading *r = userdata;
    char *last;

    (void)name;
    if (r->inside == r->depth) {
        r->inside = 0;
    } else if (r->deep) {
        r->deep--;
    } else if (r->inside) {
        end_in_domain(r);
        last = strrchr(r->way, '/');
        if (last)
            *last = '\0';
    }
    r->depth--;
    r->text_len = 0;
    r->text[0] = '\0';
}

static void on_text(void *userdata, const XML_Char *text, int len)
{
    struct reading *r = userdata;

    if (len <= 0 || (size_t)len >= sizeof(r->text) - r->text_len)
        return; // longer than anything that is asked for
    memcpy(r->text + r->text_len, text, (size_t)len);
    r->text_len += (size_t)len;
    r->text[r->text_len] = '\0';
}

static void on_doctype(void *userdata, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int internal)
{
    struct reading *r = userdata;

    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    XML_StopParser(r->parser, XML_FALSE);
}

static int parse(struct reading *r, const char *text, size_t len)
{
    enum XML_Status status;

    if (len > LIBVIRT_DOMAIN_BYTES_MAX)
        return -EBADMSG;
    r->parser = XML_ParserCreate("UTF-8");
    if (!r->parser)
        return -ENOMEM;
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_begin, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    status = XML_Parse(r->parser, text, (int)len, XML_TRUE);
    XML_ParserFree(r->parser);
    filesystem_done(&r->filesystem);
    if (r->failed)
        return -ENOMEM;
    return status == XML_STATUS_OK && r->domain->lxc ? 0 : -EBADMSG;
}

int libvirt_domain_read(const char *text, size_t len, struct libvirt_domain **out)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    struct libvirt_domain *domain = calloc(1, sizeof(*domain));
    int r = -ENOMEM;

    if (reading && domain) {
        domain->state = CMETA_STATE_RUNNING;
        reading->domain = domain;
        r = parse(reading, text, len);
    }
    free(reading);
    if (r < 0) {
        libvirt_domain_free(domain);
        return r;
    }
    *out = domain;
    return 0;
}

struct libvirt_domain *libvirt_domain_free(struct libvirt_domain *domain)
{
    if (!domain)
        return NULL;
    for (size_t i = 0; i < domain->mounts_count; i++)
        filesystem_done(&domain->mounts[i]);
    for (size_t i = 0; i < domain->addresses_count; i++)
        free(domain->addresses[i]);
    free(domain->mounts);
    free(domain->addresses);
    free(domain->name);
    free(domain->uuid);
    free(domain->user);
    free(domain->cpus);
    free(domain);
    return NULL;
}

// --- to a container ------------------------------------------------------------------------------

const char *libvirt_domain_name(const struct libvirt_domain *domain)
{
    return domain->name ? domain->name : "";
}

pid_t libvirt_domain_init(const struct libvirt_domain *domain)
{
    return domain->init;
}

pid_t libvirt_domain_controller(const struct libvirt_domain *domain)
{
    return domain->controller;
}

uint32_t libvirt_domain_state(const struct libvirt_domain *domain)
{
    return domain->state;
}

// Without a device of its own, and without the wish for none, a container is in the host's.
bool libvirt_domain_has_host_network(const struct libvirt_domain *domain)
{
    return domain->host_net || (!domain->has_nics && !domain->private_net);
}

static void apply_security(const struct libvirt_domain *domain, struct container *container)
{
    if (!domain->idmap)
        container->content.flags |= CMETA_FLAG_PRIVILEGED;
    if (libvirt_domain_has_host_network(domain))
        container->content.flags |= CMETA_FLAG_HOST_NETWORK;
    container_set(container, CMETA_STRING_USER, domain->user ? domain->user : "0");
    container_know(container, CMETA_GROUP_SECURITY);
}

static void add_label(struct container *container, const struct container_limits *limits,
                      const char *key, const char *value)
{
    if (value)
        container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

static void apply_mounts(const struct libvirt_domain *domain, struct container *container,
                         const struct container_limits *limits)
{
    for (size_t i = 0; i < domain->mounts_count; i++) {
        const struct filesystem *mount = &domain->mounts[i];

        if (strcmp(mount->target, "/") == 0)
            add_label(container, limits, LIBVIRT_DOMAIN_LABEL_ROOT, mount->source);
        else if (mount->host && mount->source)
            container_add_mount(container, mount->source, mount->target, mount->ro ? "ro" : "", "",
                                !mount->ro);
    }
    container_know(container, CMETA_GROUP_MOUNTS);
}

static void apply_limits(const struct libvirt_domain *domain, struct container *container)
{
    const struct container_resources resources = {.cpu_period = domain->cpu_period,
                                                  .cpu_quota = domain->cpu_quota,
                                                  .cpu_shares = domain->cpu_shares,
                                                  .cpus = domain->cpus,
                                                  .memory = domain->hard_limit ? domain->hard_limit
                                                                               : domain->memory,
                                                  .swap = domain->swap_limit};

    container_set_resources(container, &resources);
    container_know(container, CMETA_GROUP_LIMITS);
}

static void apply_network(const struct libvirt_domain *domain, struct container *container)
{
    bool looked = container->content.addresses_count > 0;

    for (size_t i = 0; !looked && i < domain->addresses_count; i++)
        container_add_address(container, domain->addresses[i]);
    container_pick_address(container);
    if (looked || libvirt_domain_has_host_network(domain) || !domain->silent_nic)
        container_know(container, CMETA_GROUP_NETWORK);
}

void libvirt_domain_apply(const struct libvirt_domain *domain, struct container *container,
                          const struct container_limits *limits)
{
    static const enum cmeta_string images[] = {CMETA_STRING_IMAGE, CMETA_STRING_IMAGE_ID,
                                               CMETA_STRING_IMAGE_REPO, CMETA_STRING_IMAGE_TAG,
                                               CMETA_STRING_IMAGE_DIGEST};

    container->content.type = CMETA_TYPE_LIBVIRT_LXC;
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
        container_set(container, images[i], "");
    container_know(container, CMETA_GROUP_IMAGE);
    container_know(container, CMETA_GROUP_POD);
    container_know(container, CMETA_GROUP_HEALTH);
    apply_security(domain, container);
    apply_mounts(domain, container, limits);
    add_label(container, limits, LIBVIRT_DOMAIN_LABEL_UUID, domain->uuid);
    container_know(container, CMETA_GROUP_LABELS);
    apply_limits(domain, container);
    apply_network(domain, container);
    container_set(container, CMETA_STRING_NAME, libvirt_domain_name(domain));
    container_know(container, CMETA_GROUP_IDENTITY);
}
