// SPDX-License-Identifier: Apache-2.0
#include "known.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Those of one sandbox, whether that is known or not.
struct family {
    struct known_list members;
    const char *ns, *id; // of the sandbox
    char text[];
};

static int compare(const char *ns_a, const char *id_a, const char *ns_b, const char *id_b)
{
    int order = strcmp(id_a, id_b);

    return order ? order : strcmp(ns_a, ns_b);
}

static int compare_known(const void *a, const void *b)
{
    const struct known *x = a, *y = b;

    return compare(x->ns, x->id, y->ns, y->id);
}

static int compare_families(const void *a, const void *b)
{
    const struct family *x = a, *y = b;

    return compare(x->ns, x->id, y->ns, y->id);
}

// --- the set -------------------------------------------------------------------------------------

void known_set_init(struct known_set *set, struct ask_queue *queue, size_t size,
                    void (*done)(struct known *known))
{
    *set = (struct known_set){.queue = queue, .size = size, .done = done};
    LIST_INIT(&set->all);
}

void known_set_done(struct known_set *set)
{
    for (struct known *known = LIST_FIRST(&set->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        known_forget(known);
    }
}

struct known *known_find(const struct known_set *set, const char *ns, const char *id)
{
    struct known probe = {.ns = ns, .id = id};
    void *node = tfind(&probe, (void *const *)&set->tree, compare_known);

    return node ? *(struct known **)node : NULL;
}

static struct known *add(struct known_set *set, const char *ns, const char *id)
{
    size_t ns_bytes = strlen(ns) + 1, id_bytes = strlen(id) + 1;
    struct known *known;
    char *text;

    if (id_bytes == 1 || id_bytes > KNOWN_ID_BYTES || ns_bytes > KNOWN_ID_BYTES ||
        set->count == KNOWN_MAX)
        return NULL;
    known = calloc(1, set->size + ns_bytes + id_bytes);
    if (!known)
        return NULL;
    text = (char *)known + set->size;
    known->set = set;
    known->ns = memcpy(text, ns, ns_bytes);
    known->id = memcpy(text + ns_bytes, id, id_bytes);
    if (!tsearch(known, &set->tree, compare_known)) {
        free(known);
        return NULL;
    }
    LIST_INSERT_HEAD(&set->all, known, all);
    set->count++;
    return known;
}

struct known *known_find_or_add(struct known_set *set, const char *ns, const char *id)
{
    struct known *known = known_find(set, ns, id);

    return known ? known : add(set, ns, id);
}

// --- sandboxes and those that belong to them -----------------------------------------------------

static struct family *find_family(const struct known_set *set, const char *ns, const char *id)
{
    struct family probe = {.ns = ns, .id = id};
    void *node = tfind(&probe, (void *const *)&set->families, compare_families);

    return node ? *(struct family **)node : NULL;
}

static struct family *add_family(struct known_set *set, const char *ns, const char *id)
{
    size_t ns_bytes = strlen(ns) + 1, id_bytes = strlen(id) + 1;
    struct family *family = calloc(1, sizeof(*family) + ns_bytes + id_bytes);

    if (!family)
        return NULL;
    family->ns = memcpy(family->text, ns, ns_bytes);
    family->id = memcpy(family->text + ns_bytes, id, id_bytes);
    LIST_INIT(&family->members);
    if (!tsearch(family, &set->families, compare_families)) {
        free(family);
        return NULL;
    }
    return family;
}

void known_join(struct known *known, const char *sandbox_id)
{
    struct known_set *set = known->set;
    char id[KNOWN_ID_BYTES + 1]; // one that is too long stays no ID, and a sandbox's

    if (known->family || !*sandbox_id)
        return;
    snprintf(id, sizeof(id), "%s", sandbox_id);
    known->family = find_family(set, known->ns, id);
    if (!known->family)
        known->family = add_family(set, known->ns, id);
    if (known->family)
        LIST_INSERT_HEAD(&known->family->members, known, siblings);
}

static void leave(struct known *known)
{
    struct family *family = known->family;

    if (!family)
        return;
    LIST_REMOVE(known, siblings);
    known->family = NULL;
    if (!LIST_EMPTY(&family->members))
        return;
    tdelete(family, &known->set->families, compare_families);
    free(family);
}

const char *known_sandbox(const struct known *known)
{
    return known->family ? known->family->id : NULL;
}

struct known *known_first_of(const struct known *sandbox)
{
    const struct family *family = find_family(sandbox->set, sandbox->ns, sandbox->id);

    return family ? LIST_FIRST(&family->members) : NULL;
}

struct known *known_next_of(const struct known *member)
{
    return LIST_NEXT(member, siblings);
}

bool known_take_pod(struct known *sandbox, struct pod *pod)
{
    if (!pod || pod_equal(sandbox->pod, pod)) {
        pod_free(pod);
        return false;
    }
    pod_free(sandbox->pod);
    sandbox->pod = pod;
    return true;
}

void known_forget(struct known *known)
{
    struct known_set *set = known->set;

    set->done(known);
    ask_forget(set->queue, &known->ask);
    leave(known);
    tdelete(known, &set->tree, compare_known);
    LIST_REMOVE(known, all);
    set->count--;
    pod_free(known->pod);
    free(known);
}
