// SPDX-License-Identifier: Apache-2.0
// A Kubernetes pod: what its sandbox tells, and what is folded into each of its containers.
//
// Made by a mapping (containerd_record, cri_record), sealed, and from then on a constant that an
// engine keeps for as long as it likes: a few hundred bytes, compared by their content. Needs no
// engine and no I/O.
//
// Labels are under the operator's label_max_len. Annotations have limits of their own, since most
// are documents: a value of at most POD_ANNOTATION_MAX bytes, POD_ANNOTATIONS_MAX bytes of keys and
// values for all, in the order of their keys. They are pod labels of the name "annotation.<key>",
// as Docker's shims name them: k8s.pod.label[annotation.x] finds them, k8s.pod.labels leaves them
// out. An annotation that is left out isn't a dropped label.
#ifndef POD_H
#define POD_H

#include "containerd-meta/container.h"

#include <jansson.h>

#define POD_ANNOTATION_MAX  256u
#define POD_ANNOTATIONS_MAX 4096u
#define POD_CNI_JSON_MAX    4096u // upstream's limit; a longer result is cut

struct pod {
    char *sandbox_id; // full
    char *scope;
    enum cmeta_type type;  // of its containers
    uint32_t host_flags;   // CMETA_FLAG_HOST_*
    bool network_is_known; // it has its addresses, or is known to have none
    bool has_state;
    bool is_ready; // valid with has_state
    bool has_metadata;
    bool spares_labels; // not Kubernetes': its containers get no labels that name it
    uint32_t pid;       // of the sandbox's process, 0 unknown
    uint32_t labels_dropped;
    // Sealed: the sandbox's own content as an encoded record.
    void *record;
    size_t record_size;
    struct container *draft; // until sealed
};

/**
 * pod_new() - a pod of which only the sandbox's ID is known
 * @sandbox_id: not empty, at most CMETA_ID_MAX bytes
 * @scope:      of the ID, "" for one of 64 hexadecimal digits
 * Return: the pod, to be filled and sealed; NULL if out of memory or the ID is none.
 */
struct pod *pod_new(const char *sandbox_id, const char *scope, enum cmeta_type type);
struct pod *pod_free(struct pod *pod); // returns NULL

// Filling, before it is sealed. Strings are copied; NULL and "" are absent.
void pod_set_metadata(struct pod *pod, const char *name, const char *ns, const char *uid);
void pod_set_created(struct pod *pod, int64_t created_ns);
void pod_add_label(struct pod *pod, const struct container_limits *limits, const char *key,
                   size_t key_len, const char *value, size_t value_len);
void pod_add_annotation(struct pod *pod, const char *key, size_t key_len, const char *value,
                        size_t value_len);
void pod_add_address(struct pod *pod, const char *address); // with or without "/length"

/**
 * pod_set_cni() - the CNI result, reduced to what upstream's field promises
 * @result: containerd's object ("Interfaces" by name) or a raw CNI result ("interfaces", an array);
 *          any JSON is taken
 *
 * lo and veth* are left out; of containerd's interfaces also Mac and Sandbox. The addresses in the
 * result are added if the pod has none yet.
 */
void pod_set_cni(struct pod *pod, const json_t *result);

/**
 * pod_seal() - end the filling: pick the primary address (IPv4 before IPv6), encode
 * Return: 0, -ENOMEM (the pod is to be freed then).
 */
int pod_seal(struct pod *pod);

/**
 * pod_apply() - fold a pod into one of its containers
 *
 * Fills the group pod (known once the pod's network is), the network's addresses and CNI result
 * (ports stay), and sets the host namespaces' flags of the pod. A container that already has
 * addresses is left alone: fold once.
 * Return: 0, -ENOMEM.
 */
int pod_apply(const struct pod *pod, struct container *container);

// A container that belongs to no pod: the group is known, and empty.
void pod_apply_none(struct container *container);

/**
 * pod_to_container() - the sandbox's own record
 *
 * Its name is its ID as container.id shows it, as upstream names it. Its labels are the pod's. It
 * has no image, by design: CMETA_REASON_POD_SANDBOX. Security, mounts and limits stay unknown; who
 * has the sandbox's spec applies it (oci_spec_apply).
 * Return: the container, NULL if out of memory.
 */
struct container *pod_to_container(const struct pod *pod);

// Parts of it, for who makes a sandbox's record from more than the pod: its ID as container.id
// shows it for a name; the flag, and the reason for the missing image.
int pod_set_id_name(struct container *container);
void pod_mark_sandbox(struct container *container);

// Whether two sealed pods say the same, state included. NULL equals NULL only.
bool pod_equal(const struct pod *a, const struct pod *b);

#endif
