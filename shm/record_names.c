// SPDX-License-Identifier: Apache-2.0
// Names of the codes, for people and for JSON.
#include "record.h"

const char *cmeta_type_name(uint16_t type)
{
    switch (type) {
    case CMETA_TYPE_DOCKER:
        return "docker";
    case CMETA_TYPE_LXC:
        return "lxc";
    case CMETA_TYPE_LIBVIRT_LXC:
        return "libvirt-lxc";
    case 3:
        return "mesos"; // of old captures
    case 4:
        return "rkt"; // of old captures
    case CMETA_TYPE_CRI:
        return "cri";
    case CMETA_TYPE_CONTAINERD:
        return "containerd";
    case CMETA_TYPE_CRIO:
        return "cri-o";
    case CMETA_TYPE_BPM:
        return "bpm";
    case CMETA_TYPE_PODMAN:
        return "podman";
    case CMETA_TYPE_NSPAWN:
        return "nspawn";
    case CMETA_TYPE_EDERA:
        return "edera";
    case CMETA_TYPE_ECS:
        return "ecs";
    case CMETA_TYPE_HOST:
        return "host";
    default:
        return "";
    }
}

#define NAME_OF(table, index) \
    ((size_t)(index) < sizeof(table) / sizeof((table)[0]) ? (table)[index] : "unknown")

const char *cmeta_group_name(enum cmeta_group group)
{
    static const char *const names[] = {"identity", "image",  "labels", "security", "mounts",
                                        "network",  "limits", "pod",    "health"};

    static_assert(sizeof(names) / sizeof(names[0]) == CMETA_GROUP_COUNT, "a name per group");
    return NAME_OF(names, group);
}

const char *cmeta_reason_name(uint8_t reason)
{
    static const char *const names[] = {
        "known",       "not-yet",    "pod-sandbox",     "engine-unreachable", "engine-unknown",
        "ended-early", "over-limit", "engine-disabled", "host-process",       "not-told"};

    static_assert(sizeof(names) / sizeof(names[0]) == CMETA_REASON_COUNT, "a name per reason");
    return NAME_OF(names, reason);
}

const char *cmeta_state_name(uint32_t state)
{
    static const char *const names[] = {"unknown",    "created", "running", "paused",
                                        "restarting", "exited",  "dead",    "removed"};

    static_assert(sizeof(names) / sizeof(names[0]) == CMETA_STATE_COUNT, "a name per state");
    return NAME_OF(names, state);
}

const char *cmeta_health_name(uint32_t health)
{
    static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};

    static_assert(sizeof(names) / sizeof(names[0]) == CMETA_HEALTH_COUNT, "a name per health");
    return NAME_OF(names, health);
}
