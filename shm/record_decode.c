// SPDX-License-Identifier: Apache-2.0
// Bytes back to content, for the daemon (views, the region of an earlier daemon) and the CLI.
#include "record.h"

#include "load.h"

#include <errno.h>
#include <stdlib.h>

// One allocation for all lists: the sizes are read once, and the fill never goes beyond them.
struct counts {
    uint32_t labels, pod_labels, mounts, ports, addresses, env, args[CMETA_PROBE_COUNT];
};

struct lists {
    struct cmeta_label *labels, *pod_labels;
    struct cmeta_mount *mounts;
    struct cmeta_port *ports;
    struct cmeta_str *addresses, *env, *args[CMETA_PROBE_COUNT];
};

static void count_all(const struct cmeta_view *view, struct counts *n)
{
    n->labels = cmeta_view_count(view, CMETA_LIST_LABELS);
    n->pod_labels = cmeta_view_count(view, CMETA_LIST_POD_LABELS);
    n->mounts = cmeta_view_count(view, CMETA_LIST_MOUNTS);
    n->ports = cmeta_view_count(view, CMETA_LIST_PORTS);
    n->addresses = cmeta_view_count(view, CMETA_LIST_ADDRESSES);
    n->env = cmeta_view_count(view, CMETA_LIST_ENV);
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        n->args[p] = cmeta_view_count(view, CMETA_LIST_HEALTHCHECK_ARGS + p);
}

// The next piece of a memory whose size is counted first, with no memory there yet.
static void *carve(uint8_t *memory, size_t *used, size_t bytes)
{
    void *piece = memory ? memory + *used : NULL;

    *used += (bytes + 7) & ~(size_t)7;
    return piece;
}

static size_t carve_all(uint8_t *memory, const struct counts *n, struct lists *lists)
{
    size_t used = 0;

    lists->labels = carve(memory, &used, n->labels * sizeof(*lists->labels));
    lists->pod_labels = carve(memory, &used, n->pod_labels * sizeof(*lists->pod_labels));
    lists->mounts = carve(memory, &used, n->mounts * sizeof(*lists->mounts));
    lists->ports = carve(memory, &used, n->ports * sizeof(*lists->ports));
    lists->addresses = carve(memory, &used, n->addresses * sizeof(*lists->addresses));
    lists->env = carve(memory, &used, n->env * sizeof(*lists->env));
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        lists->args[p] = carve(memory, &used, n->args[p] * sizeof(*lists->args[p]));
    return used;
}

static uint32_t fill_labels(const struct cmeta_view *view, enum cmeta_list list, uint32_t count,
                            struct cmeta_label *out)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        kept += (uint32_t)cmeta_view_label(view, list, i, &out[kept]);
    return kept;
}

static uint32_t fill_texts(const struct cmeta_view *view, enum cmeta_list list, uint32_t count,
                           struct cmeta_str *out)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        kept += (uint32_t)cmeta_view_text(view, list, i, &out[kept]);
    return kept;
}

static void fill_scalars(const struct cmeta_view *view, struct cmeta_container *out)
{
    const struct cmeta_record_head *head = (const void *)view->base;

    out->type = cmeta_view_type(view);
    out->known = cmeta_view_known(view) & CMETA_GROUPS_ALL;
    out->flags = cmeta_view_flags(view);
    for (unsigned i = 0; i < CMETA_GROUP_COUNT; i++) {
        out->reason[i] = cmeta_view_reason(view, i);
        out->source[i] = load_relaxed(&head->source[i]);
    }
    out->created_ns = load_relaxed(&head->created_ns);
    out->started_ns = load_relaxed(&head->started_ns);
    out->published_ns = load_relaxed(&head->published_ns);
    out->cpu_period = load_relaxed(&head->cpu_period);
    out->cpu_quota = load_relaxed(&head->cpu_quota);
    out->cpu_shares = load_relaxed(&head->cpu_shares);
    out->cpuset_cpu_count = load_relaxed(&head->cpuset_cpu_count);
    out->memory_limit = load_relaxed(&head->memory_limit);
    out->swap_limit = load_relaxed(&head->swap_limit);
    out->size_rw = load_relaxed(&head->size_rw);
    if (view->size >= sizeof(*head) && load_relaxed(&head->head_bytes) >= sizeof(*head))
        out->cgroup_id = load_relaxed(&head->cgroup_id);
    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        cmeta_view_string(view, i, &out->strings[i]);
}

int cmeta_view_decode(const struct cmeta_view *view, struct cmeta_container *out, void **scratch)
{
    struct cmeta_container found = {0};
    struct counts n;
    struct lists lists;
    uint8_t *memory;

    count_all(view, &n);
    memory = malloc(carve_all(NULL, &n, &lists) + 1);
    if (!memory)
        return -ENOMEM;
    carve_all(memory, &n, &lists);

    fill_scalars(view, &found);
    found.labels = lists.labels;
    found.labels_count = fill_labels(view, CMETA_LIST_LABELS, n.labels, lists.labels);
    found.pod_labels = lists.pod_labels;
    found.pod_labels_count =
        fill_labels(view, CMETA_LIST_POD_LABELS, n.pod_labels, lists.pod_labels);
    found.mounts = lists.mounts;
    for (uint32_t i = 0; i < n.mounts; i++)
        found.mounts_count +=
            (uint32_t)cmeta_view_mount(view, i, &lists.mounts[found.mounts_count]);
    found.ports = lists.ports;
    for (uint32_t i = 0; i < n.ports; i++)
        found.ports_count += (uint32_t)cmeta_view_port(view, i, &lists.ports[found.ports_count]);
    found.addresses = lists.addresses;
    found.addresses_count = fill_texts(view, CMETA_LIST_ADDRESSES, n.addresses, lists.addresses);
    found.env = lists.env;
    found.env_count = fill_texts(view, CMETA_LIST_ENV, n.env, lists.env);
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++) {
        uint32_t args = fill_texts(view, CMETA_LIST_HEALTHCHECK_ARGS + p, n.args[p], lists.args[p]);

        if (args == 0)
            continue;
        found.probes[p].exe = lists.args[p][0];
        found.probes[p].args = lists.args[p] + 1;
        found.probes[p].args_count = args - 1;
    }
    *out = found;
    *scratch = memory;
    return 0;
}
