// SPDX-License-Identifier: Apache-2.0
// From an OCI runtime spec to a container: user, privilege, host namespaces, mounts, limits,
// environment.
//
// Source: OCI runtime spec 1.0 to 1.2, as containerd stores it and as CRI's verbose answers have
// it. Every member is optional here, whatever its type: what is missing costs its group.
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include "containerd-meta/container.h"

#include <jansson.h>

// The host's own namespaces, to recognise them behind a namespace's path. Zero: not known, then no
// path is taken for the host's.
struct oci_host_namespaces {
    uint64_t device;            // of nsfs
    uint64_t pid, network, ipc; // inodes
    char *root;                 // what the host's paths are below, "" for /; NULL is ""
};

/**
 * oci_host_namespaces_read() - look at the namespaces of the host's first process, once
 * @host_root: "" (or "/") on the host, else where it is mounted
 *
 * Init's, or where they may not be read and there is no other root, this process's own.
 * Return: 0; -ENOENT, -EACCES, … if they can't be read there (@host is usable all the same).
 */
int oci_host_namespaces_read(struct oci_host_namespaces *host, const char *host_root);
void oci_host_namespaces_done(struct oci_host_namespaces *host);

// What every mapping from a runtime's answer needs. Lives with the engine instance.
struct oci_context {
    struct container_limits limits;
    const struct oci_host_namespaces *host; // may be NULL
};

// Which of the spec's mounts are the container's.
enum oci_mounts {
    OCI_MOUNTS_NONE = 0, // not by the spec: somebody else knows the mounts that were asked for
    OCI_MOUNTS_ALL,    // all, in upstream's words for containerd: mode from "mode=", propagation of
                       // the root file system
    OCI_MOUNTS_BOUND,  // what was bound from the host, as Docker words it, without Docker's own
                       // hosts, hostname and resolv.conf
    OCI_MOUNTS_PODMAN, // the same, without what podman itself mounts into every container
};

// What somebody knows better than the spec tells. Unset members (-1) are derived.
struct oci_known {
    int privileged; // 1, 0; -1: derived from what the spec grants
    enum oci_mounts mounts;
};

/**
 * oci_spec_parse() - a spec's JSON
 *
 * Numbers beyond 63 bits (a limit of "unlimited") are read as reals.
 * Return: an object; NULL if this is none.
 */
json_t *oci_spec_parse(const void *text, size_t len);

/**
 * oci_spec_apply() - fill the groups security, mounts and limits from a spec
 * @spec: an object, or NULL: nothing is filled
 *
 * Marks security as known if the spec has a process and a Linux section, mounts if it was asked for
 * them and the spec has a list of them, limits if there is a Linux section. Flags that are set
 * already stay set. At most one stat() per namespace with a path, and only for paths that lead into
 * nsfs by their name.
 */
void oci_spec_apply(struct container *container, const json_t *spec,
                    const struct oci_context *context, const struct oci_known *known);

// The spec grants everything: nothing masked or read-only, no seccomp, AppArmor or SELinux
// confinement, a writable sysfs and cgroup, the capabilities that no runtime grants by default.
bool oci_spec_is_privileged(const json_t *spec);
// It grants those capabilities; without them a container isn't privileged, whatever else it is.
bool oci_spec_has_host_capabilities(const json_t *spec);

// An annotation of the spec, NULL if it isn't there.
const char *oci_spec_annotation(const json_t *spec, const char *key);

#endif
