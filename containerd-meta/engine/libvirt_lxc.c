// SPDX-License-Identifier: Apache-2.0
// Containers of libvirt's LXC driver. While one runs, libvirt keeps its XML with state and
// processes in a folder, renamed into place at each change; the file is there as long as the
// container is. libvirt itself isn't asked: its daemon sleeps when nobody needs it, and needn't be
// woken.
//
// A domain that is shut off is no container: nothing of it has a cgroup, and the cgroup's name, its
// ID, is new at each start.
//
// Source: libvirt 1.0 to 11 (src/lxc/lxc_process.c, lxc_cgroup.c).
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "engine.h"
#include "libvirt_domain.h"
#include "state_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE            "libvirt-lxc"
#define SUFFIX           ".xml"
#define ADDRESSES_AGE_US UINT64_C(60000000) // after that, addresses are looked at again
#define INIT_PAUSE_US    UINT64_C(25000) // the first of those between looks for the first process
#define INIT_LOOKS       7u              // each pause twice the one before; then upkeep goes on

struct libvirt {
    struct state_folder folder; // first
    const struct engine_host *host;
};

struct libvirt_item {
    struct state_item item; // first
    bool id_sure;           // a cgroup told it
    bool network_sure;      // all addresses are known
    bool init_missing;      // nothing tells its first process
    unsigned init_looks;    // how often it was looked for since the file changed
    sd_event_source *look;  // when it is looked for again
    uint64_t looked_us;     // at addresses
};

static struct libvirt *libvirt_of(const struct libvirt_item *item)
{
    return (struct libvirt *)item->item.folder;
}

// --- what the sink is told -----------------------------------------------------------------------

// Whether what the file names has ended: the file is about to go, or libvirt isn't there to see to
// it. The controller outlives the first process by a moment only.
static bool is_over(const struct libvirt_item *item, const struct libvirt_domain *domain)
{
    const char *root = libvirt_of(item)->host->host_root;

    if (item->item.pid)
        return false;
    return libvirt_domain_init(domain) ||
           process_started_ns(root, libvirt_domain_controller(domain), NULL) == 0;
}

static uint32_t status_word(const struct libvirt_item *item, const struct libvirt_domain *domain)
{
    return is_over(item, domain) ? CMETA_STATE_EXITED : libvirt_domain_state(domain);
}

static void observe(struct libvirt_item *item, const struct libvirt_domain *domain)
{
    const struct libvirt *libvirt = libvirt_of(item);
    const struct state_item *state = &item->item;
    struct engine_sink *sink = libvirt->host->sink;
    engine_stamp asked = sink->stamp(sink);
    CLEANUP(container_freep)
    struct container *container = container_new(state->id, strlen(state->id), SCOPE);
    uint32_t unknown;

    if (!container)
        return;
    if (state->pid && !libvirt_domain_has_host_network(domain))
        process_add_addresses(libvirt->host->host_root, state->pid, container);
    libvirt_domain_apply(domain, container, &libvirt->host->limits);
    container->content.started_ns = state->started_ns;
    container->has_status = true;
    container->status = status_word(item, domain);
    container->pid = (uint32_t)state->pid;
    unknown = CMETA_GROUPS_ALL & ~container->content.known;
    item->network_sure = !(unknown & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK));
    item->looked_us = clock_us(CLOCK_MONOTONIC);
    if (!container_failed(container))
        sink->observe(sink, asked, container);
}

// --- the ID --------------------------------------------------------------------------------------

// Both processes are in the container's cgroup; the first one may not be there yet.
static bool id_by_cgroup(const struct libvirt *libvirt, const struct libvirt_domain *domain,
                         char id[CMETA_ID_MAX + 1])
{
    const char *root = libvirt->host->host_root;

    return process_container_id(root, libvirt_domain_init(domain), CMETA_LAYOUT_LIBVIRT_LXC, id) >
               0 ||
           process_container_id(root, libvirt_domain_controller(domain), CMETA_LAYOUT_LIBVIRT_LXC,
                                id) > 0;
}

// As libvirt calls the cgroup where there is no systemd; what would be too long is cut there too.
static void id_by_name(const struct libvirt_domain *domain, const char *file,
                       char id[CMETA_ID_MAX + 1])
{
    const char *name = libvirt_domain_name(domain);

    snprintf(id, CMETA_ID_MAX + 1, "lxc-%d-%.200s", (int)libvirt_domain_controller(domain),
             *name ? name : file);
}

static void identify(struct libvirt_item *item, const struct libvirt_domain *domain)
{
    const struct libvirt *libvirt = libvirt_of(item);
    char id[CMETA_ID_MAX + 1];

    item->id_sure = id_by_cgroup(libvirt, domain, id);
    if (!item->id_sure && *item->item.id)
        return; // it was known, and its processes are on their way out
    if (!item->id_sure)
        id_by_name(domain, item->item.name, id);
    state_item_identify(&item->item, id);
}

// --- the first process ---------------------------------------------------------------------------

// libvirt hears of it from the container's controller, and that word can be lost for good: then the
// file says 0 as long as the container runs. It is the controller's child, in the same cgroup.
static pid_t find_init(const struct libvirt_item *item, const struct libvirt_domain *domain)
{
    const char *root = libvirt_of(item)->host->host_root;
    pid_t init = libvirt_domain_init(domain);
    char id[CMETA_ID_MAX + 1] = "";

    if (init)
        return init;
    init = process_first_child(root, libvirt_domain_controller(domain));
    if (!init || !item->id_sure)
        return init;
    return process_container_id(root, init, CMETA_LAYOUT_LIBVIRT_LXC, id) > 0 &&
                   strcmp(id, item->item.id) == 0
               ? init
               : 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata);

// It may not be there yet when the file is.
static void look_again(struct libvirt_item *item)
{
    sd_event *event = libvirt_of(item)->host->event;
    uint64_t pause_us = INIT_PAUSE_US << item->init_looks;

    if (item->init_looks == INIT_LOOKS)
        return;
    item->init_looks++;
    item->look = sd_event_source_disable_unref(item->look);
    sd_event_add_time_relative(event, &item->look, CLOCK_MONOTONIC, pause_us, 0, on_look, item);
}

static void follow_init(struct libvirt_item *item, const struct libvirt_domain *domain)
{
    state_item_follow(&item->item, find_init(item, domain));
    item->init_missing = !item->item.pid && !libvirt_domain_init(domain);
    if (item->init_missing)
        look_again(item);
    else
        item->look = sd_event_source_disable_unref(item->look);
}

// --- what happens to items -----------------------------------------------------------------------

static void read_state(struct state_item *state)
{
    struct libvirt_item *item = (struct libvirt_item *)state;
    const struct libvirt *libvirt = libvirt_of(item);
    struct libvirt_domain *domain = NULL;
    CLEANUP(freep)
    char *text = NULL;
    size_t len;
    int r = folder_watch_read(libvirt->folder.watch, state->name, NULL, LIBVIRT_DOMAIN_BYTES_MAX,
                              &text, &len);

    if (r >= 0)
        r = libvirt_domain_read(text, len, &domain);
    if (r < 0) {
        state_item_note(state, "its state can't be read", r);
        return;
    }
    identify(item, domain);
    follow_init(item, domain);
    observe(item, domain);
    libvirt_domain_free(domain);
}

static void on_changed(struct state_item *state)
{
    ((struct libvirt_item *)state)->init_looks = 0;
    read_state(state);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    read_state(userdata);
    return 0;
}

static void on_ended(struct state_item *state)
{
    struct engine_sink *sink = state->folder->host->sink;

    if (*state->id)
        sink->status(sink, sink->stamp(sink), state->id, strlen(state->id), SCOPE,
                     CMETA_STATE_EXITED, 0xff, 0, (int64_t)clock_ns(CLOCK_REALTIME));
}

static void on_upkeep(struct state_item *state)
{
    struct libvirt_item *item = (struct libvirt_item *)state;
    uint64_t age_us = clock_us(CLOCK_MONOTONIC) - item->looked_us;

    if (!item->id_sure || !item->network_sure || item->init_missing || age_us >= ADDRESSES_AGE_US)
        read_state(state);
}

static void on_forget(struct state_item *state)
{
    struct libvirt_item *item = (struct libvirt_item *)state;

    item->look = sd_event_source_disable_unref(item->look);
}

// Beside them are sockets, PID files and folders of the same containers.
static bool is_status_file(const char *name)
{
    size_t len = strlen(name), suffix = strlen(SUFFIX);

    return *name != '.' && len > suffix && strcmp(name + len - suffix, SUFFIX) == 0;
}

static const struct state_folder_calls folder_calls = {.item_size = sizeof(struct libvirt_item),
                                                       .wanted = is_status_file,
                                                       .changed = on_changed,
                                                       .ended = on_ended,
                                                       .upkeep = on_upkeep,
                                                       .forget = on_forget};

// --- the class -----------------------------------------------------------------------------------

static void libvirt_stop(void *instance)
{
    struct libvirt *libvirt = instance;

    state_folder_close(&libvirt->folder);
    free(libvirt);
}

static int libvirt_start(const struct engine_host *host, void **instance)
{
    struct libvirt *libvirt = calloc(1, sizeof(*libvirt));
    int r;

    if (!libvirt)
        return -ENOMEM;
    libvirt->host = host;
    r = state_folder_open(&libvirt->folder, host, host->socket, SCOPE, &folder_calls);
    if (r < 0) {
        libvirt_stop(libvirt);
        return r;
    }
    *instance = libvirt;
    return 0;
}

static void libvirt_relist(void *instance)
{
    struct libvirt *libvirt = instance;

    state_folder_relist(&libvirt->folder);
}

static const char *const default_places[] = {"/run/libvirt/lxc", NULL};

const struct engine_class libvirt_lxc_engine = {.name = "libvirt_lxc",
                                                .protocol = ENGINE_FILES,
                                                .place = ENGINE_FOLDER,
                                                .default_places = default_places,
                                                .precedence = 40,
                                                .type = CMETA_TYPE_LIBVIRT_LXC,
                                                .start = libvirt_start,
                                                .stop = libvirt_stop,
                                                .relist = libvirt_relist};
