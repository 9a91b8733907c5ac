// SPDX-License-Identifier: Apache-2.0
// Container ID from a cgroup path.
//
// The one place that knows how container engines name their cgroups. It reads one path (as found
// in /proc/PID/cgroup after the second colon, in the threads table of libsinsp, or below a cgroup
// mount) and says which container, if any, the path belongs to. It knows names only: whether the
// container exists is the table's business. No allocation, no system call, no locale, no regular
// expression; time is linear in the length of the path.
#ifndef CMETA_CONTAINER_ID_H
#define CMETA_CONTAINER_ID_H

#include <stddef.h>
#include <stdint.h>

// Longest path that is read; a longer one is no match. PATH_MAX without its NUL.
#define CMETA_CGROUP_PATH_MAX 4095
// Longest ID that any layout yields (containerd allows 76, LXC names 255).
#define CMETA_ID_MAX 255
// Longest namespace of a weak match (containerd: 76).
#define CMETA_NAMESPACE_MAX 76

// The naming schemes. A layout says who may have made the name, not who answers for the container:
// bare 64-hex names, for instance, are Docker's as well as those of CRI on the cgroupfs driver.
enum cmeta_layout {
    CMETA_LAYOUT_NONE = 0,
    CMETA_LAYOUT_DOCKER,         // docker-<64 hex>.scope
    CMETA_LAYOUT_BARE_HEX,       // <64 hex> as a whole component: docker, cri, moby, ECS on EC2
    CMETA_LAYOUT_PODMAN,         // libpod-<64 hex>[.scope]
    CMETA_LAYOUT_PODMAN_PAYLOAD, // libpod-payload-<64 hex>[.scope]  (--cgroups=split)
    CMETA_LAYOUT_CRIO,           // crio-<64 hex>[.scope]
    CMETA_LAYOUT_CRI_CONTAINERD, // cri-containerd-<64 hex>.scope, :cri-containerd:<64 hex>
    CMETA_LAYOUT_NERDCTL,        // nerdctl-<64 hex>.scope
    CMETA_LAYOUT_CONTAINERD,     // /<namespace>/<free-form id>: weak
    CMETA_LAYOUT_LXC,            // lxc.payload.<name>, lxc.payload/<name>, lxc/<name>
    CMETA_LAYOUT_LIBVIRT_LXC,    // machine-lxc\x2d<pid>\x2d<name>.scope, <name>.libvirt-lxc,
                                 // libvirt/lxc/<name>
    CMETA_LAYOUT_BPM,            // [runc-]bpm-<job>[.scope], <unit>-bpm-bpm-<job>.scope
    CMETA_LAYOUT_FARGATE,        // ecs/<32 hex>/<32 hex>-<digits>, ../<32 hex>-<digits>
    CMETA_LAYOUT_NSPAWN,         // machine-<name>.scope/payload,
                                 // systemd-nspawn@<name>.service/payload
    CMETA_LAYOUT_COUNT
};

// How much a match is worth. A strong one stands by itself; a weak one counts only if the table
// knows a container of that ID in that containerd namespace.
enum cmeta_strength { CMETA_NO_MATCH = 0, CMETA_WEAK = 1, CMETA_STRONG = 2 };

// Layouts are enabled by bit (1u << CMETA_LAYOUT_x).
#define CMETA_LAYOUT_BIT(layout) (1u << (layout))
#define CMETA_LAYOUTS_ALL        ((1u << CMETA_LAYOUT_COUNT) - 2u)

// What a path says. `id` and `ns` point into the path that was matched and live as long as it
// does; they are not NUL-terminated.
struct cmeta_id_match {
    enum cmeta_strength strength;
    enum cmeta_layout layout;
    const char *id; // the full ID as the engine spells it: case kept, nothing cut or decoded
    uint16_t id_len;
    const char *ns; // weak only: the containerd namespace, else NULL
    uint16_t ns_len;
    uint16_t depth; // number of components in the whole path; the root has none
};

/**
 * cmeta_container_id_match() - read one cgroup path
 * @path:     the path; need not be NUL-terminated. Hostile: any bytes.
 * @len:      its length in bytes
 * @layouts:  bits of the layouts to consider (CMETA_LAYOUTS_ALL for all)
 * @match:    filled on every call; `depth` also when nothing matches
 *
 * Within a path the innermost component that names a container wins; a strong match further out
 * wins over a weak one. Pods, conmon, monitors, mounts, sockets and host units never match.
 *
 * Return: match->strength. Thread-safe; touches nothing but its arguments.
 */
enum cmeta_strength cmeta_container_id_match(const char *path, size_t len, uint32_t layouts,
                                             struct cmeta_id_match *match);

/**
 * cmeta_id_match_improves() - whether another path of the same process is the better witness
 *
 * A process has a path per hierarchy. A strong match in any of them beats a weak one in any other;
 * among equals the first stands.
 */
static inline int cmeta_id_match_improves(const struct cmeta_id_match *best,
                                          const struct cmeta_id_match *other)
{
    return other->strength > best->strength;
}

/**
 * cmeta_layout_name() - a layout's stable name for users, e.g. "cri-containerd"
 * @layout: any value; unknown ones give "none"
 *
 * Return: a static string.
 */
const char *cmeta_layout_name(enum cmeta_layout layout);

/**
 * cmeta_layouts_of_engine() - the layouts that an engine's cgroups may have
 * @engine: configuration name of the engine: docker, podman, containerd, cri, lxc, incus,
 *          libvirt_lxc, bpm, ecs, nspawn
 *
 * A plugin configuration that disables an engine takes away the layouts that no enabled engine
 * claims (bare 64-hex names belong to docker and to cri).
 *
 * Return: the layouts' bits; 0 for an unknown engine.
 */
uint32_t cmeta_layouts_of_engine(const char *engine);

/**
 * cmeta_id_is_hex64() - whether an ID is exactly 64 hexadecimal digits (either case)
 * @id:  the ID; need not be NUL-terminated
 * @len: its length in bytes
 *
 * Such IDs are shown by their first twelve digits; all others are shown whole.
 *
 * Return: 1 or 0.
 */
int cmeta_id_is_hex64(const char *id, size_t len);

#endif
