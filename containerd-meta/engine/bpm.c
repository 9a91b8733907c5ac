// SPDX-License-Identifier: Apache-2.0
// The BOSH Process Manager: runc without a daemon. runc keeps a folder with a state.json for each
// container, from before its first process runs until it is deleted; bpm names it after job and
// process, and keeps the bundle with the OCI spec.
//
// Source: runc 1.x (libcontainer's state.json), bpm-release (jobid, bundle layout).
#include "bpm_state.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "engine.h"
#include "oci_spec.h"
#include "state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_MAX (16u << 20) // it has the whole of runc's configuration in it
#define SCOPE     "bpm"

struct bpm {
    struct state_folder folder; // first
    const struct engine_host *host;
    struct oci_host_namespaces namespaces;
};

static struct bpm *bpm_of(const struct state_item *item)
{
    return (struct bpm *)item->folder;
}

// The bundle's spec; NULL if it can't be read.
static json_t *read_spec(const struct bpm *bpm, const char *bundle)
{
    char path[PATH_MAX];
    CLEANUP(freep)
    char *text = NULL;
    size_t len;

    // A folder that isn't root's alone leads nowhere.
    if (!bundle || *bundle != '/' || !folder_watch_trusted(bpm->folder.watch) ||
        snprintf(path, sizeof(path), "%s%s/config.json", bpm->host->host_root, bundle) >=
            (int)sizeof(path) ||
        folder_file_read(AT_FDCWD, path, false, STATE_MAX, &text, &len) < 0)
        return NULL;
    return oci_spec_parse(text, len);
}

static void fill(const struct bpm *bpm, struct state_item *item, const struct bpm_state *state,
                 struct container *container)
{
    const struct oci_context context = {bpm->host->limits, &bpm->namespaces};
    const struct oci_known known = {.privileged = -1, .mounts = OCI_MOUNTS_ALL};
    json_auto_t *spec = read_spec(bpm, state->bundle);

    bpm_state_apply(state, item->name, container, &bpm->host->limits);
    container->content.started_ns = item->started_ns;
    if (!spec)
        state_item_note(item, "its bundle can't be read", 0);
    oci_spec_apply(container, spec, &context, &known);
    if (container->content.flags & CMETA_FLAG_HOST_NETWORK)
        container_know(container, CMETA_GROUP_NETWORK); // the host's addresses are the host's
    else if (item->pid && process_add_addresses(bpm->host->host_root, item->pid, container) >= 0 &&
             container_pick_address(container) >= 0)
        container_know(container, CMETA_GROUP_NETWORK);
}

static void observe(struct state_item *item, const struct bpm_state *state)
{
    const struct bpm *bpm = bpm_of(item);
    struct engine_sink *sink = bpm->host->sink;
    engine_stamp asked = sink->stamp(sink);
    CLEANUP(container_freep)
    struct container *container = container_new(item->id, strlen(item->id), SCOPE);
    uint32_t unknown;

    if (!container)
        return;
    fill(bpm, item, state, container);
    container->has_status = true;
    container->status = item->pid ? CMETA_STATE_RUNNING : CMETA_STATE_EXITED;
    container->pid = (uint32_t)item->pid;
    if (container_failed(container))
        return;
    unknown = CMETA_GROUPS_ALL & ~container->content.known;
    sink->observe(sink, asked, container);
    if (unknown)
        sink->reason(sink, item->id, strlen(item->id), SCOPE, unknown, CMETA_REASON_NOT_TOLD);
}

// --- what happens to items -----------------------------------------------------------------------

static void on_changed(struct state_item *item)
{
    const struct bpm *bpm = bpm_of(item);
    struct bpm_state state;
    CLEANUP(freep)
    char *text = NULL;
    char id[CMETA_ID_MAX + 1];
    size_t len;
    int r = folder_watch_read(bpm->folder.watch, item->name, "state.json", STATE_MAX, &text, &len);

    if (r >= 0)
        r = bpm_state_read(text, len, &state);
    if (r < 0) {
        state_item_note(item, "its state can't be read", r);
        return;
    }
    state_item_follow(item, state.pid);
    // Another process may have the number since: runc remembers when its own was started.
    if (item->pid && state.ticks && item->ticks != state.ticks)
        state_item_follow(item, 0);
    if (!item->pid ||
        process_container_id(bpm->host->host_root, item->pid, CMETA_LAYOUT_BPM, id) <= 0)
        bpm_state_id(item->name, id);
    state_item_identify(item, id);
    observe(item, &state);
    bpm_state_done(&state);
}

static void on_ended(struct state_item *item)
{
    struct engine_sink *sink = bpm_of(item)->host->sink;

    if (*item->id)
        sink->status(sink, sink->stamp(sink), item->id, strlen(item->id), SCOPE, CMETA_STATE_EXITED,
                     0xff, 0, (int64_t)clock_ns(CLOCK_REALTIME));
}

static bool is_name(const char *name)
{
    return strncmp(name, "bpm-", 4) == 0 && strlen(name) <= CMETA_ID_MAX;
}

static const struct state_folder_calls folder_calls = {.item_size = sizeof(struct state_item),
                                                       .inner = "state.json",
                                                       .wanted = is_name,
                                                       .changed = on_changed,
                                                       .ended = on_ended};

// --- the class -----------------------------------------------------------------------------------

static void bpm_stop(void *instance)
{
    struct bpm *bpm = instance;

    state_folder_close(&bpm->folder);
    oci_host_namespaces_done(&bpm->namespaces);
    free(bpm);
}

static int bpm_start(const struct engine_host *host, void **instance)
{
    struct bpm *bpm = calloc(1, sizeof(*bpm));
    int r;

    if (!bpm)
        return -ENOMEM;
    bpm->host = host;
    oci_host_namespaces_read(&bpm->namespaces, host->host_root);
    r = state_folder_open(&bpm->folder, host, host->socket, SCOPE, &folder_calls);
    if (r < 0) {
        bpm_stop(bpm);
        return r;
    }
    *instance = bpm;
    return 0;
}

static void bpm_relist(void *instance)
{
    struct bpm *bpm = instance;

    state_folder_relist(&bpm->folder);
}

static const char *const default_places[] = {"/var/vcap/sys/run/bpm-runc", NULL};

const struct engine_class bpm_engine = {.name = "bpm",
                                        .protocol = ENGINE_FILES,
                                        .place = ENGINE_FOLDER,
                                        .default_places = default_places,
                                        .precedence = 40,
                                        .type = CMETA_TYPE_BPM,
                                        .start = bpm_start,
                                        .stop = bpm_stop,
                                        .relist = bpm_relist};
