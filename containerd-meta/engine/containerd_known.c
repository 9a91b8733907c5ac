// SPDX-License-Identifier: Apache-2.0
// Source: containerd 1.5 to 2.x, services containers and images, v1.
#include "containerd_known.h"

#include "containerd-meta/cleanup.h"

#include <errno.h>
#include <string.h>

int containerd_known_init(struct containerd_known *all, const struct engine_host *host,
                          struct ask_queue *queue, void (*done)(struct known *known))
{
    *all = (struct containerd_known){.sink = host->sink, .queue = queue};
    known_set_init(&all->set, queue, sizeof(struct containerd_one), done);
    (void)oci_host_namespaces_read(&all->host_namespaces, host->host_root);
    all->context = (struct oci_context){.limits = host->limits, .host = &all->host_namespaces};
    all->images = containerd_images_new();
    return all->images ? 0 : -ENOMEM;
}

void containerd_known_done(struct containerd_known *all)
{
    known_set_done(&all->set);
    containerd_images_free(all->images);
    oci_host_namespaces_done(&all->host_namespaces);
}

struct containerd_one *containerd_known_find(const struct containerd_known *all, const char *ns,
                                             const char *id)
{
    return containerd_one_of(known_find(&all->set, ns, id));
}

struct containerd_one *containerd_known_find_or_add(struct containerd_known *all, const char *ns,
                                                    const char *id)
{
    struct known *known = *ns ? known_find_or_add(&all->set, ns, id) : NULL;
    struct containerd_one *one = containerd_one_of(known);

    if (one)
        one->all = all;
    else
        all->sink->count(all->sink, 0, 0, 0, 1);
    return one;
}

void containerd_one_want(struct containerd_one *one, enum containerd_want what)
{
    one->wants |= what;
    ask_now(one->all->queue, &one->base.ask);
}

// --- telling the sink ----------------------------------------------------------------------------

struct scope {
    char text[CONTAINERD_SCOPE_SIZE];
};

static struct scope scope_of(const struct containerd_one *one)
{
    struct scope scope;

    containerd_record_scope(scope.text, sizeof(scope.text), one->base.id, one->base.ns);
    return scope;
}

bool containerd_one_is_told(const struct containerd_one *one)
{
    struct scope scope = scope_of(one);
    struct engine_sink *sink = one->all->sink;

    return sink->knows(sink, one->base.id, strlen(one->base.id), scope.text);
}

void containerd_one_status(const struct containerd_one *one, engine_stamp asked, uint32_t word,
                           uint32_t mask, int64_t pid, int64_t finished_ns)
{
    struct scope scope = scope_of(one);
    struct engine_sink *sink = one->all->sink;

    sink->status(sink, asked, one->base.id, strlen(one->base.id), scope.text, word, mask, pid,
                 finished_ns);
}

void containerd_one_heard(struct containerd_one *one, engine_stamp asked, uint32_t word,
                          uint32_t mask, int64_t pid, int64_t finished_ns)
{
    if (asked < one->heard_at)
        return;
    one->heard_at = asked;
    one->heard.word = (one->heard.word & ~mask) | (word & mask);
    if (pid >= 0)
        one->heard.pid = (uint32_t)pid;
    if (finished_ns >= 0)
        one->heard.finished_ns = finished_ns;
    containerd_one_status(one, asked, word, mask, pid, finished_ns);
}

void containerd_one_gone(const struct containerd_one *one, engine_stamp asked)
{
    struct scope scope = scope_of(one);
    struct engine_sink *sink = one->all->sink;

    sink->gone(sink, asked, one->base.id, strlen(one->base.id), scope.text);
}

void containerd_one_reason(const struct containerd_one *one, uint32_t groups,
                           enum cmeta_reason reason)
{
    struct scope scope = scope_of(one);
    struct engine_sink *sink = one->all->sink;

    sink->reason(sink, one->base.id, strlen(one->base.id), scope.text, groups, reason);
}

void containerd_one_observe(struct containerd_one *one, engine_stamp asked,
                            const struct container *container)
{
    one->all->sink->observe(one->all->sink, asked, container);
    one->base.observed = true;
}

// --- pods ----------------------------------------------------------------------------------------

void containerd_one_take_pod(struct containerd_one *sandbox, struct pod *pod)
{
    if (!known_take_pod(&sandbox->base, pod))
        return;
    for (struct known *member = known_first_of(&sandbox->base), *next; member; member = next) {
        next = known_next_of(member);
        containerd_one_want(containerd_one_of(member), CONTAINERD_WANT_RECORD);
    }
}

// Folds the pod in, or asks for it.
static bool fold_pod(struct containerd_one *one, struct container *container,
                     const struct containerd_facts *facts)
{
    struct containerd_one *sandbox;

    if (facts->is_sandbox || !facts->sandbox_id)
        return true;
    known_join(&one->base, facts->sandbox_id);
    sandbox = containerd_known_find_or_add(one->all, one->base.ns, facts->sandbox_id);
    if (sandbox && sandbox->base.pod) {
        pod_apply(sandbox->base.pod, container);
        return true;
    }
    // Who has answered and is no sandbox isn't asked again: two that name each other would go on
    // so.
    if (sandbox && sandbox != one && !sandbox->base.observed && sandbox->base.ask.phase == ASK_IDLE)
        containerd_one_want(sandbox, CONTAINERD_WANT_RECORD);
    return false;
}

// --- records -------------------------------------------------------------------------------------

bool containerd_one_add_image(struct containerd_one *one, struct container *container,
                              const struct containerd_facts *facts)
{
    Containerd__Descriptor target = CONTAINERD__DESCRIPTOR__INIT;
    Containerd__Image image = CONTAINERD__IMAGE__INIT;
    const char *digest;

    if (facts->is_sandbox || !facts->image_name) {
        containerd_record_add_image(container, facts, NULL);
        return true;
    }
    digest = containerd_images_find(one->all->images, one->base.ns, facts->image_name);
    if (!digest)
        return false;
    image.name = facts->image_name;
    target.digest = (char *)(uintptr_t)digest;
    image.target = &target;
    containerd_record_add_image(container, facts, *digest ? &image : NULL);
    return true;
}

static struct container *map_record(struct containerd_one *one, const Containerd__Container *record,
                                    struct containerd_facts *facts)
{
    struct containerd_known *all = one->all;

    one->is_docker = containerd_record_is_docker(record, one->base.ns);
    if (one->is_docker)
        return containerd_record_from_docker(record, &all->context);
    return containerd_record_from_container(record, one->base.ns, &all->context, facts);
}

enum containerd_outcome containerd_one_take_record(struct containerd_one *one, engine_stamp asked,
                                                   const Containerd__Container *record,
                                                   struct container **container,
                                                   struct containerd_facts *facts)
{
    bool has_pod, has_image;

    *container = map_record(one, record, facts);
    if (!*container) {
        one->all->sink->count(one->all->sink, 0, 0, 0, 1);
        return CONTAINERD_REFUSED;
    }
    one->is_cri = facts->is_cri;
    one->is_stored = false;
    if (one->started_ns)
        (*container)->content.started_ns = one->started_ns;
    if (containerd_one_is_told(one))
        (*container)->has_status = false; // more was told than that it was created
    else if (one->heard.word)
        containerd_record_set_state(*container, &one->heard);
    if (facts->is_sandbox)
        containerd_one_take_pod(one, TAKE(facts->pod));
    has_pod = one->is_docker || fold_pod(one, *container, facts);
    has_image = one->is_docker || containerd_one_add_image(one, *container, facts);
    containerd_one_observe(one, asked, *container);
    one->base.lacks = !has_pod || !has_image;
    one->updated_ns = containerd_record_time_ns(record->updated_at);
    return has_image ? CONTAINERD_TAKEN : CONTAINERD_LACKS_IMAGE;
}

bool containerd_one_is_unchanged(const struct containerd_one *one,
                                 const Containerd__Container *record)
{
    int64_t updated_ns = containerd_record_time_ns(record->updated_at);

    return one->base.observed && !one->base.lacks && updated_ns && updated_ns == one->updated_ns &&
           containerd_one_is_told(one);
}
