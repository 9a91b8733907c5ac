// SPDX-License-Identifier: Apache-2.0
// Source: libpod API 3.1 to 5.8: GET /events with stream=false, GET /images/{name}/json.
#include "podman_recall.h"

#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/transport/http.h"
#include "docker_inspect.h"
#include "pod.h"

#include "shm/container_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ANSWER_MAX (1u << 20) // bytes; one event is expected
#define PATH_BYTES 512u       // a longer name of an image isn't asked for

// A container that is being asked for.
struct recalled {
    LIST_ENTRY(recalled) all;
    struct podman_recall *recall;
    struct http_call *call;
    engine_stamp asked;
    struct container *container; // as its event told it
    char *image;                 // its reference
    char prefix[32];
    char id[65];
};

struct podman_recall {
    const struct engine_host *host;
    LIST_HEAD(, recalled) all;
    unsigned count;
};

static void drop(struct recalled *one)
{
    http_cancel(one->call);
    container_free(one->container);
    free(one->image);
    LIST_REMOVE(one, all);
    one->recall->count--;
    free(one);
}

static void observe(const struct recalled *one)
{
    struct engine_sink *sink = one->recall->host->sink;

    sink->observe(sink, one->asked, one->container);
}

// Return: 0 or -errno.
static int get(struct recalled *one, const char *path,
               void (*done)(void *userdata, const struct http_response *response))
{
    const struct engine_host *host = one->recall->host;
    struct http_request request = {.socket = host->socket,
                                   .path = path,
                                   .max_bytes = ANSWER_MAX,
                                   .timeout_ms = PODMAN_RECALL_MS};

    return http_get(host->http, &request, done, one, &one->call);
}

// --- the image -----------------------------------------------------------------------------------

// A label of the image that is called like one of the event's own attributes isn't in the event.
static void add_hidden_labels(struct container *container, const json_t *image,
                              const struct container_limits *limits)
{
    const json_t *labels = json_object_get(image, "Labels");

    for (const char *const *name = podman_dialect.event_attributes; *name; name++) {
        const char *value = json_text(labels, *name);

        if (value)
            container_add_label(container, limits, *name, strlen(*name), value, strlen(value));
    }
}

static void on_image(void *userdata, const struct http_response *response)
{
    struct recalled *one = userdata;
    struct container *container = one->container;
    json_auto_t *json = NULL;
    const char *id, *digest;

    one->call = NULL;
    if (!response->error && response->status == 200)
        json = json_parse(response->body, response->body_len);
    id = json_text(json, "Id");
    digest = json_text(json, "Digest");
    if (!id) { // the inspect says what is wrong
        drop(one);
        return;
    }
    docker_container_add_image(container, one->image, id, NULL);
    if (container->content.strings[CMETA_STRING_IMAGE_DIGEST].len == 0 && digest)
        container_set(container, CMETA_STRING_IMAGE_DIGEST, digest);
    add_hidden_labels(container, json, &one->recall->host->limits);
    container_know(container, CMETA_GROUP_LABELS);
    if (!container_failed(container))
        observe(one);
    drop(one);
}

// A reference that may stand in a path as it is. Return: 0 or -errno.
static int ask_image(struct recalled *one)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "._-/:@+";
    char path[PATH_BYTES];

    if (!one->image || !*one->image || strspn(one->image, plain) != strlen(one->image) ||
        strstr(one->image, ".."))
        return -EINVAL;
    if (snprintf(path, sizeof(path), "%s/images/%s/json", one->prefix, one->image) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    return get(one, path, on_image);
}

// --- the event -----------------------------------------------------------------------------------

// Its state is left out: it may have been started since.
static struct container *container_of_event(const struct recalled *one, const json_t *event,
                                            const json_t *attributes)
{
    struct container *container =
        docker_container_from_event(one->id, attributes, json_whole(event, "timeNano"),
                                    &podman_dialect, &one->recall->host->limits);
    const char *pod = json_text(attributes, "podId");

    if (!container)
        return NULL;
    container->has_status = false;
    if (pod && !*pod)
        pod_apply_none(container);
    return container;
}

// Return: the event's line as JSON, if it is the container's creation; NULL.
static json_t *creation_in(const struct recalled *one, const char *line, size_t len)
{
    json_t *event = json_parse(line, len);
    const char *action = json_text(event, "Action"), *type = json_text(event, "Type"),
               *id = json_text(json_object_get(event, "Actor"), "ID");

    if (action && type && id && strcmp(action, "create") == 0 && strcmp(type, "container") == 0 &&
        strcmp(id, one->id) == 0)
        return event;
    json_decref(event);
    return NULL;
}

static json_t *find_creation(const struct recalled *one, const char *body)
{
    for (const char *line = body; *line;) {
        size_t len = strcspn(line, "\n");
        json_t *event = creation_in(one, line, len);

        if (event)
            return event;
        line += len + (line[len] == '\n');
    }
    return NULL;
}

static void on_event(void *userdata, const struct http_response *response)
{
    struct recalled *one = userdata;
    json_auto_t *event = NULL;
    const json_t *attributes;
    const char *image;

    one->call = NULL;
    if (!response->error && response->status == 200)
        event = find_creation(one, response->body);
    attributes = json_object_get(json_object_get(event, "Actor"), "Attributes");
    one->container = event ? container_of_event(one, event, attributes) : NULL;
    if (!one->container) {
        drop(one);
        return;
    }
    observe(one); // all the rest, at once
    image = json_text(attributes, "image");
    one->image = image ? strdup(image) : NULL;
    if (ask_image(one) < 0)
        drop(one);
}

static int ask_event(struct recalled *one)
{
    // %7B…: {"type":["container"],"event":["create"],"container":["ID"]}
    static const char filters[] = "%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22"
                                  "create%22%5D%2C%22container%22%3A%5B%22";
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/events?stream=false&since=%" PRIu64 "&filters=%s%s%s",
             one->prefix, clock_us(CLOCK_REALTIME) / 1000000u - PODMAN_RECALL_SINCE_S, filters,
             one->id, "%22%5D%7D");
    return get(one, path, on_event);
}

void podman_recall_ask(struct podman_recall *recall, const char *prefix, const char *id)
{
    struct engine_sink *sink = recall->host->sink;
    struct recalled *one;

    if (recall->count >= PODMAN_RECALL_PARALLEL || !cmeta_id_is_hex64(id, strlen(id)))
        return;
    LIST_FOREACH (one, &recall->all, all)
        if (strcmp(one->id, id) == 0)
            return;
    one = calloc(1, sizeof(*one));
    if (!one)
        return;
    one->recall = recall;
    snprintf(one->prefix, sizeof(one->prefix), "%s", prefix);
    snprintf(one->id, sizeof(one->id), "%s", id);
    LIST_INSERT_HEAD(&recall->all, one, all);
    recall->count++;
    one->asked = sink->stamp(sink);
    if (ask_event(one) < 0)
        drop(one);
}

// --- life ----------------------------------------------------------------------------------------

void podman_recall_cancel(struct podman_recall *recall)
{
    for (struct recalled *one = LIST_FIRST(&recall->all), *next; one; one = next) {
        next = LIST_NEXT(one, all);
        drop(one);
    }
}

struct podman_recall *podman_recall_new(const struct engine_host *host)
{
    struct podman_recall *recall = calloc(1, sizeof(*recall));

    if (!recall)
        return NULL;
    recall->host = host;
    LIST_INIT(&recall->all);
    return recall;
}

struct podman_recall *podman_recall_free(struct podman_recall *recall)
{
    if (!recall)
        return NULL;
    podman_recall_cancel(recall);
    free(recall);
    return NULL;
}
