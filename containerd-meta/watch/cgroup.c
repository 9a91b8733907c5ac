// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include "cgroup_mounts.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <unistd.h>

// Mount tables change in bursts, when a container starts for one.
#define SETTLE_US      UINT64_C(50000)
#define AGAIN_US       UINT64_C(1000000)
#define MOUNTINFO_MAX  (8u << 20)
#define CONTAINERS_MAX 65536u // beyond that containers are seen by their engines only

// A container with as many cgroups as are its outermost ones, over all hierarchies.
struct sighting {
    struct cgroup_container container; // first
    unsigned folders;
    char text[]; // ID and namespace, each with a NUL
};

struct hierarchy {
    uint64_t device;
    bool v2;
    bool kept; // by the plan that is being made
    char *path, *prefix, *name;
    struct tree_folder *root;
};

struct cgroup_watch {
    const struct cgroup_calls *calls;
    void *userdata;
    char *mountinfo, *host_root;
    struct tree *tree;
    struct hierarchy hierarchies[CGROUP_MOUNTS_MAX];
    size_t count;
    void *sightings; // tsearch(3)
    unsigned containers;
    int fd; // of mountinfo, -1 where it can't be polled
    sd_event *event;
    sd_event_source *mounts, *settle;
    uint64_t settled_us;
};

// --- sightings -----------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;
    int order = strcmp(x->container.id, y->container.id);

    return order ? order : strcmp(x->container.ns, y->container.ns);
}

static struct sighting *make(const struct cmeta_id_match *match)
{
    struct sighting *sighting = calloc(1, sizeof(*sighting) + match->id_len + match->ns_len + 2u);
    char *ns;

    if (!sighting)
        return NULL;
    ns = sighting->text + match->id_len + 1;
    memcpy(sighting->text, match->id, match->id_len);
    if (match->ns_len)
        memcpy(ns, match->ns, match->ns_len);
    sighting->container = (struct cgroup_container){.strength = match->strength,
                                                    .layout = match->layout,
                                                    .id = sighting->text,
                                                    .id_len = match->id_len,
                                                    .ns = ns};
    return sighting;
}

// The one of that name, made if there is none. Return: NULL if there is no room.
static struct sighting *sighting_of(struct cgroup_watch *watch, const struct cmeta_id_match *match)
{
    struct sighting *fresh = make(match);
    struct sighting **slot = fresh ? tsearch(fresh, &watch->sightings, compare) : NULL;

    if (!slot || *slot != fresh) {
        free(fresh);
        return slot ? *slot : NULL;
    }
    if (watch->containers >= CONTAINERS_MAX) {
        tdelete(fresh, &watch->sightings, compare);
        free(fresh);
        return NULL;
    }
    watch->containers++;
    return fresh;
}

static void forget(struct cgroup_watch *watch, struct sighting *sighting)
{
    tdelete(sighting, &watch->sightings, compare);
    watch->containers--;
    free(sighting);
}

// --- folders -------------------------------------------------------------------------------------

static struct hierarchy *hierarchy_of(struct cgroup_watch *watch, const struct tree_folder *folder)
{
    while (folder->parent)
        folder = folder->parent;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->hierarchies[i].root == folder)
            return &watch->hierarchies[i];
    return NULL;
}

// The container that a folder lies in, NULL if in none.
static const struct sighting *around(const struct tree_folder *folder)
{
    for (folder = folder->parent; folder; folder = folder->parent)
        if (folder->data)
            return folder->data;
    return NULL;
}

static bool is_same(const struct sighting *sighting, const struct cmeta_id_match *match)
{
    return sighting && sighting->container.id_len == match->id_len &&
           memcmp(sighting->container.id, match->id, match->id_len) == 0;
}

// What the path of a folder says, if it says something else than what it lies in.
static struct sighting *recognise(struct cgroup_watch *watch, const struct hierarchy *hierarchy,
                                  const struct tree_folder *folder)
{
    char path[2 * PATH_MAX];
    size_t prefix = strlen(hierarchy->prefix);
    size_t len = tree_path(folder, true, path + prefix, PATH_MAX);
    struct cmeta_id_match match;

    if (len == 0 || prefix >= PATH_MAX)
        return NULL;
    memcpy(path, hierarchy->prefix, prefix);
    if (cmeta_container_id_match(path, prefix + len, CMETA_LAYOUTS_ALL, &match) == CMETA_NO_MATCH ||
        is_same(around(folder), &match))
        return NULL;
    return sighting_of(watch, &match);
}

static void on_appeared(void *userdata, struct tree_folder *folder)
{
    struct cgroup_watch *watch = userdata;
    const struct hierarchy *hierarchy = hierarchy_of(watch, folder);
    struct sighting *sighting;

    if (!folder->parent || !hierarchy)
        return;
    sighting = recognise(watch, hierarchy, folder);
    folder->data = sighting;
    if (!sighting)
        return;
    if (hierarchy->v2)
        sighting->container.cgroup_id = folder->inode;
    if (sighting->folders++ == 0)
        watch->calls->seen(watch->userdata, &sighting->container);
    if (hierarchy->v2)
        watch->calls->numbered(watch->userdata, &sighting->container);
}

static void on_vanished(void *userdata, struct tree_folder *folder, bool root_removed)
{
    struct cgroup_watch *watch = userdata;
    struct sighting *sighting = folder->data;

    if (!sighting || --sighting->folders > 0)
        return;
    if (!root_removed)
        watch->calls->gone(watch->userdata, &sighting->container);
    forget(watch, sighting);
}

static const struct tree_calls tree_calls = {.appeared = on_appeared, .vanished = on_vanished};

// --- hierarchies ---------------------------------------------------------------------------------

static char *read_all(const char *path)
{
    CLEANUP(fclosep)
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    ssize_t len;

    if (!file)
        return NULL;
    len = getdelim(&text, &size, '\0', file);
    if (len >= 0 && (size_t)len <= MOUNTINFO_MAX)
        return text;
    free(text);
    return NULL;
}

static void drop(struct cgroup_watch *watch, struct hierarchy *hierarchy)
{
    if (hierarchy->root)
        tree_remove_root(watch->tree, hierarchy->root);
    free(hierarchy->path);
    free(hierarchy->prefix);
    free(hierarchy->name);
    *hierarchy = watch->hierarchies[--watch->count];
}

static struct hierarchy *find(struct cgroup_watch *watch, const struct cgroup_mount *mount)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct hierarchy *one = &watch->hierarchies[i];

        if (one->device == mount->device && strcmp(one->path, mount->path) == 0 &&
            strcmp(one->prefix, mount->prefix) == 0)
            return one;
    }
    return NULL;
}

// Takes the texts over.
static void add(struct cgroup_watch *watch, struct cgroup_mount *mount)
{
    struct hierarchy *one = &watch->hierarchies[watch->count];

    *one = (struct hierarchy){.device = mount->device,
                              .v2 = mount->v2,
                              .kept = true,
                              .path = TAKE(mount->path),
                              .prefix = TAKE(mount->prefix),
                              .name = TAKE(mount->name)};
    watch->count++;
    if (tree_add_root(watch->tree, one->path, &one->root) < 0)
        drop(watch, one);
    else
        log_debug("cgroups of %s are watched at %s", one->name, one->path);
}

static void plan(struct cgroup_watch *watch, struct cgroup_mounts *mounts)
{
    for (size_t i = 0; i < watch->count; i++)
        watch->hierarchies[i].kept = false;
    for (size_t i = 0; i < mounts->count; i++) {
        struct hierarchy *one = find(watch, &mounts->list[i]);

        if (one)
            one->kept = true;
    }
    for (size_t i = 0; i < watch->count;)
        if (watch->hierarchies[i].kept)
            i++;
        else
            drop(watch, &watch->hierarchies[i]);
    for (size_t i = 0; i < mounts->count; i++)
        if (!find(watch, &mounts->list[i]))
            add(watch, &mounts->list[i]);
}

void cgroup_watch_remount(struct cgroup_watch *watch)
{
    CLEANUP(freep)
    char *text = read_all(watch->mountinfo);
    struct cgroup_mounts mounts;

    if (!text || cgroup_mounts_choose(text, watch->host_root, &mounts) < 0)
        return;
    plan(watch, &mounts);
    cgroup_mounts_done(&mounts);
}

// Further ones wake nobody until these were looked at.
static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct cgroup_watch *watch = userdata;
    uint64_t since_us = clock_us(CLOCK_MONOTONIC) - watch->settled_us;

    (void)fd;
    (void)revents;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    sd_event_source_set_time_relative(watch->settle,
                                      since_us < AGAIN_US ? AGAIN_US - since_us : SETTLE_US);
    return sd_event_source_set_enabled(watch->settle, SD_EVENT_ONESHOT);
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct cgroup_watch *watch = userdata;

    (void)source;
    (void)usec;
    watch->settled_us = clock_us(CLOCK_MONOTONIC);
    cgroup_watch_remount(watch);
    return sd_event_source_set_enabled(watch->mounts, SD_EVENT_ON);
}

// --- life ----------------------------------------------------------------------------------------

// A file that can't be polled (a test's) tells of no change by itself.
static int watch_mounts(struct cgroup_watch *watch)
{
    int r = sd_event_add_time_relative(watch->event, &watch->settle, CLOCK_MONOTONIC, 0, 0,
                                       on_settled, watch);

    if (r >= 0)
        r = sd_event_source_set_enabled(watch->settle, SD_EVENT_OFF);
    if (r < 0)
        return r;
    watch->fd = open(watch->mountinfo, O_RDONLY | O_CLOEXEC);
    if (watch->fd < 0)
        return 0;
    r = sd_event_add_io(watch->event, &watch->mounts, watch->fd, EPOLLPRI, on_mounts, watch);
    return r == -EPERM ? 0 : r;
}

int cgroup_watch_new(sd_event *event, const struct cgroup_calls *calls, void *userdata,
                     const struct cgroup_options *options, struct cgroup_watch **out)
{
    struct cgroup_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    watch->event = sd_event_ref(event);
    watch->calls = calls;
    watch->userdata = userdata;
    watch->fd = -1;
    watch->mountinfo = strdup(options->mountinfo ? options->mountinfo : "/proc/self/mountinfo");
    watch->host_root = strdup(options->host_root);
    r = watch->mountinfo && watch->host_root ? 0 : -ENOMEM;
    if (r >= 0)
        r = tree_new(event, &tree_calls, watch, &options->tree, &watch->tree);
    if (r >= 0)
        r = watch_mounts(watch);
    if (r < 0) {
        cgroup_watch_free(watch);
        return r;
    }
    cgroup_watch_remount(watch);
    *out = watch;
    return 0;
}

struct cgroup_watch *cgroup_watch_free(struct cgroup_watch *watch)
{
    if (!watch)
        return NULL;
    while (watch->count > 0)
        drop(watch, &watch->hierarchies[watch->count - 1]);
    tree_free(watch->tree);
    tdestroy(watch->sightings, free);
    sd_event_source_disable_unref(watch->mounts);
    sd_event_source_disable_unref(watch->settle);
    closep(&watch->fd);
    sd_event_unref(watch->event);
    free(watch->mountinfo);
    free(watch->host_root);
    free(watch);
    return NULL;
}

const struct cgroup_container *cgroup_watch_find(const struct cgroup_watch *watch, const char *id,
                                                 const char *ns)
{
    const struct sighting key = {.container = {.id = id, .ns = ns}};
    void *found = tfind(&key, (void *const *)&watch->sightings, compare);

    return found ? &(*(struct sighting **)found)->container : NULL;
}

struct tree_state cgroup_watch_state(const struct cgroup_watch *watch)
{
    return tree_state(watch->tree);
}

unsigned cgroup_watch_containers(const struct cgroup_watch *watch)
{
    return watch->containers;
}

void cgroup_watch_describe(const struct cgroup_watch *watch, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (size_t i = 0; i < watch->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                 watch->hierarchies[i].name);
}
