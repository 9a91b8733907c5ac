// SPDX-License-Identifier: Apache-2.0
// The JSON document of a container, as events carry it and captures keep it.
//
// One object {"container": {…}} with every key that the upstream plugin's reader knows, each of the
// type it expects (`plugins/container` 0.7.1). What isn't known yet has that reader's default and
// is named in a key of our own, so that our replay can leave it unknown; upstream's ignores it.
//
// Keys of ours, all optional:
//   unknown             object: name of a group that isn't known (cmeta_group_name()) to why
//                       (cmeta_reason_name()). Without the key everything is known. In such a group
//                       a text that isn't empty is a fact all the same; the rest is unknown.
//   scope               text: engine and namespace that the full ID is unique in
//   addresses           array of texts: all addresses, the primary one first
//   pod_ip              text: k8s.pod.ip
//   pod_cni_json        text: k8s.pod.cni.json
//   port_mappings[].Protocol, HostIp6: texts
// The pod's name, namespace and UID travel as upstream's labels io.kubernetes.pod.*.
#ifndef PLUGIN_EVENT_JSON_H
#define PLUGIN_EVENT_JSON_H

#include "config.h"
#include "snapshot.h"

#include <stddef.h>

// Bytes of a document at most, its NUL included: the texts of the largest record, each byte of them
// escaped. A longer one is none.
#define EVENT_JSON_MAX 524288u

/**
 * event_json_write() - the document of a container
 * @len: set on success: bytes without the NUL
 *
 * Texts that aren't UTF-8 are left out; texts beyond what a record can hold are, too.
 *
 * Return: the text, NUL-terminated, to be freed by the caller; NULL without memory or if it would
 * be too long.
 */
char *event_json_write(const struct snapshot *snapshot, size_t *len);
// The same with what identifies it, and nothing else.
char *event_json_write_brief(const struct snapshot *snapshot, size_t *len);
// The same for the static engine's container.
char *event_json_write_static(const struct config_static *fixed, size_t *len);

#endif
