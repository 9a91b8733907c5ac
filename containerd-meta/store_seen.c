// SPDX-License-Identifier: Apache-2.0
// What is seen of containers by others than their engines: cgroups that come and go, and IDs that
// the plugin met.
#include "store_internal.h"

#include "shm/container_id.h"

#include <stdio.h>
#include <string.h>

static bool is_of_containerd(const struct item *item)
{
    static const char prefix[] = "containerd/";
    const size_t len = sizeof(prefix) - 1;

    return item->name.scope.len >= len && memcmp(item->name.scope.data, prefix, len) == 0;
}

// Which other engine made a free-form name its cgroup doesn't tell: few have such names.
static struct item *find_free_form(const struct store *store, const char *id, size_t id_len)
{
    struct item *item;

    LIST_FOREACH (item, &store->items, all)
        if (item->name.id.len == id_len && memcmp(item->name.id.data, id, id_len) == 0 &&
            !is_of_containerd(item))
            return item;
    return NULL;
}

static struct item *find_seen(const struct store *store, const char *id, size_t id_len,
                              const char *ns)
{
    char scope[sizeof("containerd/") + CMETA_NAMESPACE_MAX] = "";
    struct cmeta_name name = {{id, (uint32_t)id_len}, {scope, 0}};
    struct item *item;

    if (*ns)
        name.scope.len = (uint32_t)snprintf(scope, sizeof(scope), "containerd/%s", ns);
    if (id_len == 0 || name.scope.len >= sizeof(scope))
        return NULL;
    item = store_find(store, &name);
    if (!item && !*ns && !cmeta_id_is_hex64(id, id_len))
        item = find_free_form(store, id, id_len);
    return item && !item->removed ? item : NULL;
}

enum store_standing store_standing(const struct store *store, const char *id, size_t id_len,
                                   const char *ns)
{
    const struct item *item = find_seen(store, id, id_len, ns);

    return !item ? STORE_UNKNOWN : item->incomplete ? STORE_INCOMPLETE : STORE_COMPLETE;
}

uint64_t store_completed_ns(const struct store *store, const char *id, size_t id_len)
{
    const struct item *item = find_seen(store, id, id_len, "");

    return item ? item->completed_ns : 0;
}

// The view whose word the state is.
static struct view *running_view(const struct item *item, uint64_t since)
{
    for (struct view *view = item->views; view; view = view->next) {
        uint32_t state = CMETA_STATUS_STATE(view->status);

        if (!view->record || !view->has_status)
            continue;
        return view->status_told < since &&
                       (state == CMETA_STATE_RUNNING || state == CMETA_STATE_PAUSED)
                   ? view
                   : NULL;
    }
    return NULL;
}

bool store_runs(const struct store *store, const char *id, size_t id_len, const char *ns,
                uint64_t since)
{
    const struct item *item = find_seen(store, id, id_len, ns);

    return item && running_view(item, since);
}

int store_stopped(struct store *store, const char *id, size_t id_len, const char *ns,
                  uint64_t since, uint64_t finished_ns)
{
    struct item *item = find_seen(store, id, id_len, ns);
    struct view *view = item ? running_view(item, since) : NULL;
    int r;

    if (!view)
        return 0;
    view_status(view, since, CMETA_STATE_EXITED, 0xffu | 0xffu << 16 | CMETA_STATUS_HAS_EXIT, 0,
                (int64_t)finished_ns);
    r = store_publish(store, item);
    return r < 0 ? r : 1;
}

void store_set_cgroups(struct store *store,
                       uint64_t (*cgroup_of)(void *userdata, const struct cmeta_name *name),
                       void *userdata)
{
    store->cgroup_of = cgroup_of;
    store->cgroups = userdata;
}

void store_set_cgroup(struct store *store, const char *id, size_t id_len, const char *ns,
                      uint64_t cgroup_id)
{
    struct item *item = find_seen(store, id, id_len, ns);

    if (!item || item->cgroup_id == cgroup_id)
        return;
    item->cgroup_id = cgroup_id;
    item->renumbered = store->renumbered = true;
}

void store_publish_renumbered(struct store *store)
{
    struct item *item;

    LIST_FOREACH (item, &store->items, all)
        if (item->renumbered && !item->removed)
            store_publish(store, item);
    store->renumbered = false;
}
