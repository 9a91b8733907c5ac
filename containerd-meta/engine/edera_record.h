// SPDX-License-Identifier: Apache-2.0
// From Edera's messages to containers: a zone (a small virtual machine) is what a pod's sandbox is
// elsewhere, a workload is a container in it.
//
// Source: protect.control.v1. Every field is optional here.
#ifndef EDERA_RECORD_H
#define EDERA_RECORD_H

#include "containerd-meta/container.h"
#include "edera.pb-c.h"
#include "pod.h"

// IDs are UUIDs, unique within the engine.
#define EDERA_SCOPE "edera"

// States of zones and workloads that end their records.
#define EDERA_STATE_DESTROYED 6

/**
 * edera_record_zone() - a zone as a pod
 *
 * Its name is the pod's name, unless its annotations name a Kubernetes pod. Annotations are the
 * pod's labels. The network is known once an interface has an address, or the zone is ready.
 * Return: the pod, sealed; NULL if it has no ID, or out of memory.
 */
struct pod *edera_record_zone(const Edera__Zone *zone, const struct container_limits *limits);

/**
 * edera_record_sandbox() - the zone's own record, from the zone and the pod made of it
 * Return: the container, NULL if out of memory.
 */
struct container *edera_record_sandbox(const Edera__Zone *zone, const struct pod *pod);

/**
 * edera_record_workload() - everything but what its zone tells (pod_apply)
 * Return: the container; NULL if it has no ID, or out of memory.
 */
struct container *edera_record_workload(const Edera__Workload *workload,
                                        const struct container_limits *limits);

// The state of a workload, with its exit code, as a CMETA_STATUS_* word.
uint32_t edera_record_status(const Edera__WorkloadStatus *status);

#endif
