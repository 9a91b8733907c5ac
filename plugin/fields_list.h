// SPDX-License-Identifier: Apache-2.0
// All fields in the order of their numbers, which are part of the contract with rules and captures.
#ifndef PLUGIN_FIELDS_LIST_H
#define PLUGIN_FIELDS_LIST_H

#include "record.h"

// How a field gets its value.
enum how {
    HOW_NULL, // it never has one
    HOW_ID,
    HOW_FULL_ID,
    HOW_NAME,       // a string, and `host` of the host
    HOW_TYPE,       // the type's name
    HOW_STRING,     // "" when known to be absent
    HOW_POD_STRING, // NULL when absent, known or not
    HOW_PROBE,      // NONE when known to be absent
    HOW_JOINED,     // only when its group is known
    HOW_FLAG,       // only when its group is known
    HOW_SANDBOX,    // the beginning of an ID
    HOW_LABEL,      // by key
    HOW_MOUNT,      // by index or glob
    HOW_CATEGORY,   // whether the process is a probe of a kind; only when the group is known
    HOW_START,
    HOW_DURATION,
};

// What of a mount is wanted.
enum mount_part {
    MOUNT_WHOLE,
    MOUNT_SOURCE,
    MOUNT_DESTINATION,
    MOUNT_MODE,
    MOUNT_RDWR,
    MOUNT_PROPAGATION,
};

// An argument, and whether Falco should append the field to its outputs, as the declaration spells
// them. What isn't spelled is false.
#define ARG_NO_ARG       ""
#define ARG_KEY          ",\"arg\":{\"isKey\":true,\"isRequired\":true}"
#define ARG_INDEX_OR_KEY ",\"arg\":{\"isKey\":true,\"isIndex\":true,\"isRequired\":true}"
#define OUTPUT_PLAIN     ""
#define OUTPUT_SUGGESTED ",\"addOutput\":true"

// For each X: the separator before it, name, type, argument, output, display name, description;
// then how, group and which (a string, list, flag or part of a mount).
#define FIELD_DECLARATION(separator, name, type, arg, output, display, desc, how, group, which) \
    separator "{\"name\":\"" name "\",\"type\":\"" type "\",\"display\":\"" display             \
              "\",\"desc\":\"" desc "\"" ARG_##arg OUTPUT_##output "}"
#define FIELD_RULE(separator, name, type, arg, output, display, desc, how, group, which) \
    {HOW_##how, CMETA_GROUP_##group, which},

// clang-format off
#define FIELDS_LIST(X) \
    X("[", "container.id", "string", NO_ARG, SUGGESTED, "Container ID", \
      "The container's ID: twelve digits of 64, any other ID whole; host for processes of " \
      "the host.", \
      ID, IDENTITY, 0) \
    X(",", "container.full_id", "string", NO_ARG, PLAIN, "Container ID", \
      "The container's whole ID; host for processes of the host.", \
      FULL_ID, IDENTITY, 0) \
    X(",", "container.name", "string", NO_ARG, SUGGESTED, "Container Name", \
      "The container's name; host for processes of the host.", \
      NAME, IDENTITY, CMETA_STRING_NAME) \
    X(",", "container.image", "string", NO_ARG, PLAIN, "Image Name", \
      "The image's reference as the engine tells it, e.g. registry.example.com/app:1.2.", \
      STRING, IMAGE, CMETA_STRING_IMAGE) \
    X(",", "container.image.id", "string", NO_ARG, PLAIN, "Image ID", \
      "The image's ID, without its algorithm.", \
      STRING, IMAGE, CMETA_STRING_IMAGE_ID) \
    X(",", "container.type", "string", NO_ARG, PLAIN, "Type", \
      "The engine's type, e.g. docker, containerd, cri-o, podman, lxc; host for processes " \
      "of the host.", \
      TYPE, IDENTITY, 0) \
    X(",", "container.privileged", "bool", NO_ARG, PLAIN, "Privileged", \
      "Whether the container runs privileged; no value while that isn't known.", \
      FLAG, SECURITY, CMETA_FLAG_PRIVILEGED) \
    X(",", "container.mounts", "string", NO_ARG, PLAIN, "Mounts", \
      "All mounts, each as source:destination:mode:writable:propagation, with commas " \
      "between them.", \
      JOINED, MOUNTS, CMETA_STRING_MOUNTS_JOINED) \
    X(",", "container.mount", "string", INDEX_OR_KEY, PLAIN, "Mount", \
      "One mount as source:destination:mode:writable:propagation, by its number " \
      "(container.mount[0]) or by a glob over its whole source path " \
      "(container.mount[/etc/*]); no value if there is none.", \
      MOUNT, MOUNTS, MOUNT_WHOLE) \
    X(",", "container.mount.source", "string", INDEX_OR_KEY, PLAIN, "Mount Source", \
      "A mount's source, by its number or by a glob over its whole destination path " \
      "(container.mount.source[/host/*]).", \
      MOUNT, MOUNTS, MOUNT_SOURCE) \
    X(",", "container.mount.dest", "string", INDEX_OR_KEY, PLAIN, "Mount Destination", \
      "A mount's destination, by its number or by a glob over its whole source path " \
      "(container.mount.dest[/etc*]).", \
      MOUNT, MOUNTS, MOUNT_DESTINATION) \
    X(",", "container.mount.mode", "string", INDEX_OR_KEY, PLAIN, "Mount Mode", \
      "A mount's mode, by number or source glob.", \
      MOUNT, MOUNTS, MOUNT_MODE) \
    X(",", "container.mount.rdwr", "string", INDEX_OR_KEY, PLAIN, "Mount Read/Write", \
      "Whether a mount is writable (true or false), by its number or by a glob over its " \
      "whole source path.", \
      MOUNT, MOUNTS, MOUNT_RDWR) \
    X(",", "container.mount.propagation", "string", INDEX_OR_KEY, PLAIN, "Mount Propagation", \
      "A mount's propagation, by number or source glob.", \
      MOUNT, MOUNTS, MOUNT_PROPAGATION) \
    X(",", "container.image.repository", "string", NO_ARG, SUGGESTED, "Repository", \
      "The image's repository, e.g. registry.example.com/app.", \
      STRING, IMAGE, CMETA_STRING_IMAGE_REPO) \
    X(",", "container.image.tag", "string", NO_ARG, SUGGESTED, "Image Tag", \
      "The image's tag, e.g. 1.2.", \
      STRING, IMAGE, CMETA_STRING_IMAGE_TAG) \
    X(",", "container.image.digest", "string", NO_ARG, PLAIN, "Registry Digest", \
      "The image's digest in its registry, e.g. sha256:d977378f890d….", \
      STRING, IMAGE, CMETA_STRING_IMAGE_DIGEST) \
    X(",", "container.healthcheck", "string", NO_ARG, PLAIN, "[Deprecated] Health Check", \
      "The command of the container's health check, or NONE.", \
      PROBE, HEALTH, CMETA_STRING_HEALTHCHECK) \
    X(",", "container.liveness_probe", "string", NO_ARG, PLAIN, "[Deprecated] Liveness", \
      "The command of the container's liveness probe, or NONE.", \
      PROBE, HEALTH, CMETA_STRING_LIVENESS) \
    X(",", "container.readiness_probe", "string", NO_ARG, PLAIN, "[Deprecated] Readiness", \
      "The command of the container's readiness probe, or NONE.", \
      PROBE, HEALTH, CMETA_STRING_READINESS) \
    X(",", "container.start_ts", "abstime", NO_ARG, PLAIN, "Container Start", \
      "When the container's PID namespace began, in nanoseconds since the epoch.", \
      START, IDENTITY, 0) \
    X(",", "container.duration", "reltime", NO_ARG, PLAIN, "Container Duration", \
      "Nanoseconds from the beginning of the container's PID namespace to the event.", \
      DURATION, IDENTITY, 0) \
    X(",", "container.ip", "string", NO_ARG, PLAIN, "Container ip address", \
      "The container's primary address, IPv4 before IPv6.", \
      STRING, NETWORK, CMETA_STRING_IP) \
    X(",", "container.cni.json", "string", NO_ARG, PLAIN, "Container's / pod's CNI result json", \
      "What CNI answered for the container's network.", \
      STRING, NETWORK, CMETA_STRING_CNI_JSON) \
    X(",", "container.host_pid", "bool", NO_ARG, PLAIN, "Host PID Namespace", \
      "Whether the container runs in the host's PID namespace.", \
      FLAG, SECURITY, CMETA_FLAG_HOST_PID) \
    X(",", "container.host_network", "bool", NO_ARG, PLAIN, "Host Network Namespace", \
      "Whether the container runs in the host's network namespace.", \
      FLAG, SECURITY, CMETA_FLAG_HOST_NETWORK) \
    X(",", "container.host_ipc", "bool", NO_ARG, PLAIN, "Host IPC Namespace", \
      "Whether the container runs in the host's IPC namespace.", \
      FLAG, SECURITY, CMETA_FLAG_HOST_IPC) \
    X(",", "container.label", "string", KEY, PLAIN, "Container Label", \
      "The value of one label, e.g. container.label[app].", \
      LABEL, LABELS, CMETA_LIST_LABELS) \
    X(",", "container.labels", "string", NO_ARG, PLAIN, "Container Labels", \
      "The labels as key:value, sorted, with a comma and a space between.", \
      JOINED, LABELS, CMETA_STRING_LABELS_JOINED) \
    X(",", "proc.is_container_healthcheck", "bool", NO_ARG, PLAIN, \
      "[Deprecated] Process Is Container Healthcheck", \
      "Whether the process runs the container's health check, or was started by it.", \
      CATEGORY, HEALTH, CMETA_PROBE_HEALTHCHECK) \
    X(",", "proc.is_container_liveness_probe", "bool", NO_ARG, PLAIN, \
      "[Deprecated] Process Is Container Liveness", \
      "Whether the process runs the container's liveness probe, or was started by it.", \
      CATEGORY, HEALTH, CMETA_PROBE_LIVENESS) \
    X(",", "proc.is_container_readiness_probe", "bool", NO_ARG, PLAIN, \
      "[Deprecated] Process Is Container Readiness", \
      "Whether the process runs the container's readiness probe, or was started by it.", \
      CATEGORY, HEALTH, CMETA_PROBE_READINESS) \
    X(",", "k8s.pod.name", "string", NO_ARG, SUGGESTED, "Pod Name", \
      "The name of the pod that the container belongs to.", \
      POD_STRING, POD, CMETA_STRING_POD_NAME) \
    X(",", "k8s.ns.name", "string", NO_ARG, SUGGESTED, "Namespace Name", \
      "The pod's namespace.", \
      POD_STRING, POD, CMETA_STRING_POD_NAMESPACE) \
    X(",", "k8s.pod.id", "string", NO_ARG, PLAIN, "Legacy Pod UID", \
      "The pod's UID; an older name of k8s.pod.uid.", \
      POD_STRING, POD, CMETA_STRING_POD_UID) \
    X(",", "k8s.pod.uid", "string", NO_ARG, PLAIN, "Pod UID", \
      "The pod's UID.", \
      POD_STRING, POD, CMETA_STRING_POD_UID) \
    X(",", "k8s.pod.sandbox_id", "string", NO_ARG, PLAIN, "Pod / Sandbox ID", \
      "Twelve characters of the ID of the pod's sandbox.", \
      SANDBOX, POD, CMETA_STRING_POD_SANDBOX_ID) \
    X(",", "k8s.pod.full_sandbox_id", "string", NO_ARG, PLAIN, "Pod / Sandbox ID", \
      "The whole ID of the pod's sandbox.", \
      STRING, POD, CMETA_STRING_POD_SANDBOX_ID) \
    X(",", "k8s.pod.label", "string", KEY, PLAIN, "Pod Label", \
      "The value of one label of the pod, e.g. k8s.pod.label[app].", \
      LABEL, POD, CMETA_LIST_POD_LABELS) \
    X(",", "k8s.pod.labels", "string", NO_ARG, PLAIN, "Pod Labels", \
      "The pod's labels as key:value, sorted, with a comma and a space between.", \
      JOINED, POD, CMETA_STRING_POD_LABELS_JOINED) \
    X(",", "k8s.pod.ip", "string", NO_ARG, PLAIN, "Pod Ip", \
      "The pod's primary address.", \
      STRING, POD, CMETA_STRING_POD_IP) \
    X(",", "k8s.pod.cni.json", "string", NO_ARG, PLAIN, "Pod CNI result json", \
      "What CNI answered for the pod's network.", \
      STRING, POD, CMETA_STRING_POD_CNI_JSON) \
    X(",", "k8s.rc.name", "string", NO_ARG, PLAIN, "[Deprecated] Replication Controller Name", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rc.id", "string", NO_ARG, PLAIN, "[Deprecated] Replication Controller ID", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rc.label", "string", KEY, PLAIN, "[Deprecated] Replication Controller Label", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rc.labels", "string", NO_ARG, PLAIN, "[Deprecated] Replication Controller Labels", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.svc.name", "string", NO_ARG, PLAIN, "[Deprecated] Service Name", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.svc.id", "string", NO_ARG, PLAIN, "[Deprecated] Service ID", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.svc.label", "string", KEY, PLAIN, "[Deprecated] Service Label", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.svc.labels", "string", NO_ARG, PLAIN, "[Deprecated] Service Labels", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.ns.id", "string", NO_ARG, PLAIN, "[Deprecated] Namespace ID", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.ns.label", "string", KEY, PLAIN, "[Deprecated] Namespace Label", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.ns.labels", "string", NO_ARG, PLAIN, "[Deprecated] Namespace Labels", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rs.name", "string", NO_ARG, PLAIN, "[Deprecated] Replica Set Name", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rs.id", "string", NO_ARG, PLAIN, "[Deprecated] Replica Set ID", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rs.label", "string", KEY, PLAIN, "[Deprecated] Replica Set Label", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.rs.labels", "string", NO_ARG, PLAIN, "[Deprecated] Replica Set Labels", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.deployment.name", "string", NO_ARG, PLAIN, "[Deprecated] Deployment Name", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.deployment.id", "string", NO_ARG, PLAIN, "[Deprecated] Deployment ID", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.deployment.label", "string", KEY, PLAIN, "[Deprecated] Deployment Label", \
      "No value; see k8smeta.", \
      NULL, POD, 0) \
    X(",", "k8s.deployment.labels", "string", NO_ARG, PLAIN, "[Deprecated] Deployment Labels", \
      "No value; see k8smeta.", \
      NULL, POD, 0)
// clang-format on

#endif
