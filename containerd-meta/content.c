// SPDX-License-Identifier: Apache-2.0
#include "content.h"

#include <stdbool.h>

// The group of each string.
static const uint8_t string_group[CMETA_STRING_CONTENT_COUNT] = {
    [CMETA_STRING_NAME] = CMETA_GROUP_IDENTITY,
    [CMETA_STRING_IMAGE] = CMETA_GROUP_IMAGE,
    [CMETA_STRING_IMAGE_ID] = CMETA_GROUP_IMAGE,
    [CMETA_STRING_IMAGE_REPO] = CMETA_GROUP_IMAGE,
    [CMETA_STRING_IMAGE_TAG] = CMETA_GROUP_IMAGE,
    [CMETA_STRING_IMAGE_DIGEST] = CMETA_GROUP_IMAGE,
    [CMETA_STRING_USER] = CMETA_GROUP_SECURITY,
    [CMETA_STRING_IP] = CMETA_GROUP_NETWORK,
    [CMETA_STRING_CNI_JSON] = CMETA_GROUP_NETWORK,
    [CMETA_STRING_POD_NAME] = CMETA_GROUP_POD,
    [CMETA_STRING_POD_NAMESPACE] = CMETA_GROUP_POD,
    [CMETA_STRING_POD_UID] = CMETA_GROUP_POD,
    [CMETA_STRING_POD_SANDBOX_ID] = CMETA_GROUP_POD,
    [CMETA_STRING_POD_IP] = CMETA_GROUP_POD,
    [CMETA_STRING_POD_CNI_JSON] = CMETA_GROUP_POD,
};

// The flags of each group.
static const uint32_t group_flags[CMETA_GROUP_COUNT] = {
    [CMETA_GROUP_LABELS] = CMETA_FLAG_LABELS_DROPPED,
    [CMETA_GROUP_SECURITY] =
        CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_PID | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC,
    [CMETA_GROUP_POD] = CMETA_FLAG_POD_SANDBOX,
};
// These say something about the record as a whole.
#define RECORD_FLAGS (CMETA_FLAG_TRUNCATED | CMETA_FLAG_SANITIZED)

void content_init(struct cmeta_container *content)
{
    *content = (struct cmeta_container){
        .type = CMETA_TYPE_UNKNOWN, .cpu_period = 100000, .cpu_shares = 1024, .size_rw = -1};
}

static void take_lists(struct cmeta_container *to, const struct cmeta_container *from,
                       enum cmeta_group group)
{
    switch (group) {
    case CMETA_GROUP_LABELS:
        to->labels = from->labels;
        to->labels_count = from->labels_count;
        break;
    case CMETA_GROUP_MOUNTS:
        to->mounts = from->mounts;
        to->mounts_count = from->mounts_count;
        break;
    case CMETA_GROUP_NETWORK:
        to->ports = from->ports;
        to->ports_count = from->ports_count;
        to->addresses = from->addresses;
        to->addresses_count = from->addresses_count;
        break;
    case CMETA_GROUP_LIMITS:
        to->env = from->env;
        to->env_count = from->env_count;
        break;
    case CMETA_GROUP_POD:
        to->pod_labels = from->pod_labels;
        to->pod_labels_count = from->pod_labels_count;
        break;
    default:
        break;
    }
}

static void take_numbers(struct cmeta_container *to, const struct cmeta_container *from,
                         enum cmeta_group group)
{
    switch (group) {
    case CMETA_GROUP_IDENTITY:
        to->type = from->type;
        to->created_ns = from->created_ns;
        to->started_ns = from->started_ns;
        break;
    case CMETA_GROUP_LIMITS:
        to->cpu_period = from->cpu_period;
        to->cpu_quota = from->cpu_quota;
        to->cpu_shares = from->cpu_shares;
        to->cpuset_cpu_count = from->cpuset_cpu_count;
        to->memory_limit = from->memory_limit;
        to->swap_limit = from->swap_limit;
        to->size_rw = from->size_rw;
        break;
    case CMETA_GROUP_HEALTH:
        for (int kind = 0; kind < CMETA_PROBE_COUNT; kind++)
            to->probes[kind] = from->probes[kind];
        break;
    default:
        break;
    }
}

void content_take_group(struct cmeta_container *to, const struct cmeta_container *from,
                        enum cmeta_group group)
{
    for (int i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (string_group[i] == group)
            to->strings[i] = from->strings[i];
    take_lists(to, from, group);
    take_numbers(to, from, group);
    to->flags = (to->flags & ~group_flags[group]) | (from->flags & group_flags[group]) |
                (from->flags & RECORD_FLAGS);
    to->known = (to->known & ~CMETA_GROUP_BIT(group)) | (from->known & CMETA_GROUP_BIT(group));
    to->reason[group] = from->reason[group];
    to->source[group] = from->source[group];
}

static void partial(struct cmeta_container *to, const struct cmeta_container *from,
                    enum cmeta_group group, bool overwrite)
{
    for (int i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (string_group[i] == group && from->strings[i].data &&
            (overwrite || !to->strings[i].data))
            to->strings[i] = from->strings[i];
    if (group == CMETA_GROUP_LABELS && from->labels_count && (overwrite || !to->labels_count))
        take_lists(to, from, group);
    if (group == CMETA_GROUP_POD && from->pod_labels_count && (overwrite || !to->pod_labels_count))
        take_lists(to, from, group);
    if (group == CMETA_GROUP_IDENTITY) {
        if (from->type != CMETA_TYPE_UNKNOWN && (overwrite || to->type == CMETA_TYPE_UNKNOWN))
            to->type = from->type;
        if (from->created_ns && (overwrite || !to->created_ns))
            to->created_ns = from->created_ns;
        if (from->started_ns && (overwrite || !to->started_ns))
            to->started_ns = from->started_ns;
    }
    to->flags |= from->flags & (group_flags[group] | RECORD_FLAGS);
}

void content_take_partial(struct cmeta_container *to, const struct cmeta_container *from,
                          enum cmeta_group group)
{
    partial(to, from, group, false);
}

void content_overwrite_partial(struct cmeta_container *to, const struct cmeta_container *from,
                               enum cmeta_group group)
{
    partial(to, from, group, true);
}
