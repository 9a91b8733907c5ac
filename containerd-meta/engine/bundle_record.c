// SPDX-License-Identifier: Apache-2.0
#include "bundle_record.h"

#include "containerd-meta/json.h"
#include "containerd-meta/text.h"
#include "containerd_record.h"
#include "kube_image.h"
#include "pod.h"

#include "shm/container_id.h"

#include <stdio.h>
#include <string.h>

// The annotations of one kind of maker, by what they tell. NULL: it doesn't.
struct dialect {
    enum cmeta_type type;
    const char *container_type, *name, *sandbox_id, *pod_name, *pod_namespace, *pod_uid, *image,
        *image_name, *created, *labels;
};

static const struct dialect containerd_cri = {
    .type = CMETA_TYPE_CONTAINERD,
    .container_type = "io.kubernetes.cri.container-type",
    .name = "io.kubernetes.cri.container-name",
    .sandbox_id = "io.kubernetes.cri.sandbox-id",
    .pod_name = "io.kubernetes.cri.sandbox-name",
    .pod_namespace = "io.kubernetes.cri.sandbox-namespace",
    .pod_uid = "io.kubernetes.cri.sandbox-uid",
    .image = "io.kubernetes.cri.image-name",
};
static const struct dialect crio = {
    .type = CMETA_TYPE_CRIO,
    .container_type = "io.kubernetes.cri-o.ContainerType",
    .name = "io.kubernetes.container.name",
    .sandbox_id = "io.kubernetes.cri-o.SandboxID",
    .pod_name = "io.kubernetes.pod.name",
    .pod_namespace = "io.kubernetes.pod.namespace",
    .pod_uid = "io.kubernetes.pod.uid",
    .image = "io.kubernetes.cri-o.Image",
    .image_name = "io.kubernetes.cri-o.ImageName",
    .created = "io.kubernetes.cri-o.Created",
    .labels = "io.kubernetes.cri-o.Labels",
};
// Of a container of its pods podman says the same as CRI-O.
static const struct dialect podman = {
    .type = CMETA_TYPE_PODMAN,
    .container_type = "io.kubernetes.cri-o.ContainerType",
    .sandbox_id = "io.kubernetes.cri-o.SandboxID",
    .created = "io.kubernetes.cri-o.Created",
};
static const struct dialect docker = {.type = CMETA_TYPE_DOCKER};
static const struct dialect plain = {.type = CMETA_TYPE_CONTAINERD};

static const struct dialect *dialect_of(enum bundle_kind kind, const char *ns, const json_t *spec)
{
    if (kind == BUNDLE_STORAGE) {
        if (text_is(oci_spec_annotation(spec, "io.container.manager"), "libpod"))
            return &podman;
        return oci_spec_annotation(spec, crio.container_type) ? &crio : &podman;
    }
    if (strcmp(ns, "moby") == 0)
        return &docker;
    return oci_spec_annotation(spec, containerd_cri.container_type) ? &containerd_cri : &plain;
}

static const char *annotation(const json_t *spec, const char *key)
{
    return key ? text_present(oci_spec_annotation(spec, key)) : NULL;
}

bool bundle_scope(enum bundle_kind kind, const char *ns, const char *id,
                  char scope[BUNDLE_SCOPE_SIZE])
{
    size_t len = strlen(id);

    *scope = '\0';
    if (kind == BUNDLE_STORAGE) // there all IDs are such
        return cmeta_id_is_hex64(id, len);
    // Docker's plugins are no containers to Docker.
    if (!containerd_ns_is_valid(ns) || strcmp(ns, "plugins.moby") == 0 ||
        !containerd_ns_is_valid(id))
        return false;
    containerd_record_scope(scope, BUNDLE_SCOPE_SIZE, id, ns);
    return true;
}

static void set_labels(struct container *container, const json_t *spec, const char *key,
                       const struct container_limits *limits)
{
    const char *text = annotation(spec, key), *name;
    json_auto_t *labels = text ? json_parse(text, strlen(text)) : NULL;
    const json_t *value;

    if (!json_is_object(labels))
        return;
    json_object_foreach (labels, name, value)
        if (json_is_string(value))
            container_add_label(container, limits, name, strlen(name), json_string_value(value),
                                json_string_length(value));
    container_know(container, CMETA_GROUP_LABELS);
}

static void set_pod(struct container *container, const struct dialect *dialect, const json_t *spec)
{
    static const enum cmeta_string strings[] = {CMETA_STRING_POD_SANDBOX_ID, CMETA_STRING_POD_NAME,
                                                CMETA_STRING_POD_NAMESPACE, CMETA_STRING_POD_UID};
    const char *const keys[] = {dialect->sandbox_id, dialect->pod_name, dialect->pod_namespace,
                                dialect->pod_uid};

    if (dialect == &plain)
        pod_apply_none(container);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (annotation(spec, keys[i]))
            container_set(container, strings[i], annotation(spec, keys[i]));
}

static void set_identity(struct container *container, const struct dialect *dialect,
                         const json_t *spec, bool sandbox)
{
    const char *name = sandbox ? NULL : annotation(spec, dialect->name);

    container->content.type = dialect->type;
    if (dialect->created)
        container->content.created_ns =
            json_time_ns(json_object_get(spec, "annotations"), dialect->created);
    if (name)
        container_set(container, CMETA_STRING_NAME, name);
    else if (sandbox && dialect != &podman) // there it has a name of its own
        pod_set_id_name(container);
    if (container->content.created_ns && (name || (sandbox && dialect != &podman)))
        container_know(container, CMETA_GROUP_IDENTITY);
}

static void set_image(struct container *container, const struct dialect *dialect,
                      const json_t *spec)
{
    // What was asked for; and some name of the image, where a kubelet asked by ID.
    const struct kube_image image = {.user = annotation(spec, dialect->image),
                                     .name = annotation(spec, dialect->image_name),
                                     .is_cri = true};

    if (image.user || image.name)
        kube_image_apply(container, &image, false);
}

// What podman was asked for; versions that don't say so leave it to what the spec grants.
static int privileged_of(const json_t *spec)
{
    const char *word = oci_spec_annotation(spec, "io.podman.annotations.privileged");

    return text_is(word, "TRUE") ? 1 : text_is(word, "FALSE") ? 0 : -1;
}

struct container *bundle_record(enum bundle_kind kind, const char *ns, const char *id,
                                const json_t *spec, const struct oci_context *context)
{
    struct oci_known known = {.privileged = -1, .mounts = OCI_MOUNTS_NONE};
    char scope[BUNDLE_SCOPE_SIZE];
    const struct dialect *dialect;
    struct container *container;
    bool sandbox;

    if (!json_is_object(spec) || !bundle_scope(kind, ns, id, scope))
        return NULL;
    container = container_new(id, strlen(id), scope);
    if (!container)
        return NULL;
    dialect = dialect_of(kind, ns, spec);
    sandbox = text_is(annotation(spec, dialect->container_type), "sandbox");
    // Kubelets ask for some of a container's mounts, and engines tell just those.
    if (dialect == &docker)
        known.mounts = OCI_MOUNTS_BOUND;
    else if (dialect == &plain)
        known.mounts = OCI_MOUNTS_ALL;
    if (dialect == &podman)
        known = (struct oci_known){.privileged = privileged_of(spec), .mounts = OCI_MOUNTS_PODMAN};
    set_identity(container, dialect, spec, sandbox);
    oci_spec_apply(container, spec, context, &known);
    set_pod(container, dialect, spec);
    set_labels(container, spec, dialect->labels, &context->limits);
    if (sandbox)
        pod_mark_sandbox(container);
    else
        set_image(container, dialect, spec);
    return container_failed(container) ? container_free(container) : container;
}
