// SPDX-License-Identifier: Apache-2.0
#include "docker_fetch.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/json.h"
#include "containerd-meta/transport/http.h"
#include "docker_images.h"
#include "docker_inspect.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#define RETRY_FIRST_US UINT64_C(100000) // doubles

enum phase {
    IDLE,      // nothing to ask
    QUEUED,    // waits for its turn
    WAITING,   // failed; waits for its time
    INSPECTED, // under way: the container's own inspect
    FURTHER,   // under way: what else the dialect wants asked
    IMAGED,    // under way: its image
};

// A container that is known, and the question about it.
struct known {
    LIST_ENTRY(known) all;
    TAILQ_ENTRY(known) queue; // QUEUED or WAITING
    struct docker_fetch *fetch;
    enum phase phase;
    bool again;      // asked for again meanwhile
    bool complete;   // answered whole
    uint32_t state;  // CMETA_STATE_* as heard last
    uint32_t listed; // generation of the last list that named it
    unsigned attempts;
    uint64_t due_us;   // WAITING: CLOCK_MONOTONIC
    uint64_t later_us; // to be asked for once more then, whatever comes before; 0: not
    engine_stamp asked;
    struct http_call *call, *list_call;
    engine_stamp list_asked;
    struct container *listed_as;        // by the list for one, until its image is known
    char *listed_reference, *listed_id; // of that image
    struct container *answer;           // between inspect and the answers it needs further
    char *reference, *image_id;
    char id[];
};

struct docker_fetch {
    const struct engine_host *host;
    const struct docker_dialect *dialect;
    void (*failed)(void *userdata, const char *text);
    void *userdata;
    struct docker_images *images;
    sd_event_source *timer;
    void *tree; // tsearch(3), by ID
    LIST_HEAD(, known) all;
    TAILQ_HEAD(, known) queue; // QUEUED and WAITING
    unsigned under_way, lists; // inspects and what follows them; lists for one
    uint32_t generation;
    char prefix[DOCKER_PREFIX_BYTES];
    bool open;
};

static void pump(struct docker_fetch *fetch);

// --- the known -----------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct known *known_of(const void *id)
{
    return (struct known *)((uintptr_t)id - offsetof(struct known, id));
}

static struct known *find(const struct docker_fetch *fetch, const char *id)
{
    void *node = tfind(id, (void *const *)&fetch->tree, compare_ids);

    return node ? known_of(*(void **)node) : NULL;
}

static struct known *find_or_add(struct docker_fetch *fetch, const char *id)
{
    struct known *known = find(fetch, id);
    size_t len = strlen(id);

    if (known)
        return known;
    known = calloc(1, sizeof(*known) + len + 1);
    if (!known)
        return NULL;
    memcpy(known->id, id, len);
    known->fetch = fetch;
    if (!tsearch(known->id, &fetch->tree, compare_ids)) {
        free(known);
        return NULL;
    }
    LIST_INSERT_HEAD(&fetch->all, known, all);
    return known;
}

static void unqueue(struct known *known)
{
    if (known->phase != QUEUED && known->phase != WAITING)
        return;
    TAILQ_REMOVE(&known->fetch->queue, known, queue);
    known->phase = IDLE;
}

static void enqueue(struct known *known, enum phase phase)
{
    known->phase = phase;
    TAILQ_INSERT_TAIL(&known->fetch->queue, known, queue);
}

// Those that failed have attempts.
static bool is_for_later(const struct known *known)
{
    return known->phase == WAITING && known->attempts == 0;
}

static bool is_under_way(const struct known *known)
{
    return known->phase >= INSPECTED;
}

// Ends what is being asked; what has been answered so far is thrown away.
static void settle(struct known *known, enum phase phase)
{
    known->call = http_cancel(known->call);
    known->fetch->under_way -= is_under_way(known);
    known->phase = phase;
    known->answer = container_free(known->answer);
    free(known->reference);
    free(known->image_id);
    known->reference = known->image_id = NULL;
}

static void forget_listed(struct known *known)
{
    known->listed_as = container_free(known->listed_as);
    free(known->listed_reference);
    free(known->listed_id);
    known->listed_reference = known->listed_id = NULL;
}

static void cancel_list(struct known *known)
{
    known->fetch->lists -= known->list_call != NULL;
    known->list_call = http_cancel(known->list_call);
    forget_listed(known);
}

static void forget(struct known *known)
{
    struct docker_fetch *fetch = known->fetch;

    unqueue(known);
    settle(known, IDLE);
    cancel_list(known);
    tdelete(known->id, &fetch->tree, compare_ids);
    LIST_REMOVE(known, all);
    free(known);
}

// --- the outcome of a question -------------------------------------------------------------------

static const char *scope_of(const struct known *known)
{
    return docker_scope(known->id, known->fetch->dialect->type);
}

// Nothing else is to be asked: what is due later takes its place.
static void wait_for_later(struct known *known)
{
    if (!known->later_us || known->phase != IDLE)
        return;
    known->due_us = known->later_us;
    known->later_us = 0;
    enqueue(known, WAITING);
}

static void finished(struct known *known)
{
    bool again = known->again;

    settle(known, IDLE);
    known->attempts = 0;
    known->again = false;
    if (again)
        enqueue(known, QUEUED);
    wait_for_later(known);
    pump(known->fetch);
}

static void try_later(struct known *known, const char *text)
{
    struct docker_fetch *fetch = known->fetch;
    struct engine_sink *sink = fetch->host->sink;

    settle(known, IDLE);
    known->attempts++;
    sink->count(sink, 0, 1, 0, 0);
    if (text)
        fetch->failed(fetch->userdata, text);
    if (known->attempts >= DOCKER_FETCH_ATTEMPTS && !known->again) {
        sink->reason(sink, known->id, strlen(known->id), scope_of(known), CMETA_GROUPS_ALL,
                     CMETA_REASON_ENGINE_UNREACHABLE);
        known->attempts = 0;
    } else {
        known->again = false;
        known->due_us = clock_us(CLOCK_MONOTONIC) + (RETRY_FIRST_US << (known->attempts - 1));
        enqueue(known, WAITING);
    }
    wait_for_later(known);
    pump(fetch);
}

static void observe(struct known *known, const struct container *container)
{
    struct engine_sink *sink = known->fetch->host->sink;

    sink->observe(sink, known->asked, container);
}

// --- the image -----------------------------------------------------------------------------------

static void conclude(struct known *known, const struct docker_image *image)
{
    docker_container_add_image(known->answer, known->reference, known->image_id, image);
    observe(known, known->answer);
    known->complete = true;
    finished(known);
}

static void on_image(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    const struct docker_image *image = NULL;

    known->call = NULL;
    if (response->error == 0 && response->status == 200) {
        json_auto_t *json = json_parse(response->body, response->body_len);

        image = json ? docker_images_put(known->fetch->images, known->image_id, json) : NULL;
        if (!image) {
            try_later(known, "an image's inspect is no JSON");
            return;
        }
    } else if (response->error != 0 || response->status != 404) {
        try_later(known, response->error ? response->text : "an image's inspect was refused");
        return;
    }
    conclude(known, image); // 404: untagged and removed under the container; its reference remains
}

// Return: -EINVAL if that is no image's ID.
static int get_image(struct known *known, const char *id,
                     void (*done)(void *userdata, const struct http_response *response),
                     struct http_call **call)
{
    const struct docker_fetch *fetch = known->fetch;
    char path[256];
    struct http_request request = {
        .socket = fetch->host->socket, .path = path, .timeout_ms = DOCKER_FETCH_INSPECT_MS};

    if (strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:") != strlen(id))
        return -EINVAL;
    snprintf(path, sizeof(path), "%s/images/%s/json", fetch->prefix, id);
    return http_get(fetch->host->http, &request, done, known, call);
}

static void ask_image(struct known *known)
{
    struct docker_fetch *fetch = known->fetch;
    const struct docker_image *image;

    if (fetch->dialect->inspect_tells_image || !known->reference || !known->image_id) {
        observe(known, known->answer);
        known->complete = true;
        finished(known);
        return;
    }
    image = docker_images_get(fetch->images, known->image_id);
    if (image) {
        conclude(known, image);
        return;
    }
    observe(known, known->answer); // all the rest, at once
    known->phase = IMAGED;
    if (get_image(known, known->image_id, on_image, &known->call) < 0)
        try_later(known, "an image's ID makes no sense");
}

// --- what else is asked --------------------------------------------------------------------------

static void on_further(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    const struct docker_dialect *dialect = known->fetch->dialect;
    json_auto_t *json = NULL;

    known->call = NULL;
    if (response->error == 0 && response->status == 200)
        json = json_parse(response->body, response->body_len);
    if (json || (response->error == 0 && response->status == 404)) {
        dialect->add_further(known->answer, json, &known->fetch->host->limits);
    } else if (dialect->further_is_needed) {
        try_later(known, response->error ? response->text : "what was asked further was refused");
        return;
    }
    ask_image(known); // without it, if need be
}

static bool ask_further(struct known *known, const json_t *inspect)
{
    struct docker_fetch *fetch = known->fetch;
    char path[384];
    struct http_request request = {
        .socket = fetch->host->socket, .path = path, .timeout_ms = DOCKER_FETCH_INSPECT_MS};
    size_t len = (size_t)snprintf(path, sizeof(path), "%s", fetch->prefix);

    if (!fetch->dialect->further_path(inspect, path + len, sizeof(path) - len))
        return false;
    if (fetch->dialect->further_is_needed)
        observe(known, known->answer); // all the rest, at once
    known->phase = FURTHER;
    return http_get(fetch->host->http, &request, on_further, known, &known->call) == 0;
}

// --- the inspect ---------------------------------------------------------------------------------

static char *copy_member(const json_t *object, const char *key)
{
    const char *text = json_text(object, key);

    return text ? strdup(text) : NULL;
}

static void on_answer(struct known *known, const char *body, size_t len)
{
    struct docker_fetch *fetch = known->fetch;
    json_auto_t *json = json_parse(body, len);

    known->answer =
        fetch->dialect->from_inspect(json, &fetch->host->limits, fetch->host->with_size);
    if (!known->answer) {
        try_later(known, "a container's inspect is no JSON object with an Id");
        return;
    }
    known->state = CMETA_STATUS_STATE(known->answer->status);
    known->reference = copy_member(json_object_get(json, "Config"), "Image");
    known->image_id = copy_member(json, "Image");
    if (!ask_further(known, json))
        ask_image(known);
}

// Gone, or not registered yet: twice is gone.
static void on_not_found(struct known *known)
{
    struct engine_sink *sink = known->fetch->host->sink;
    engine_stamp asked = known->asked;

    if (known->attempts == 0) {
        try_later(known, NULL);
        return;
    }
    sink->gone(sink, asked, known->id, strlen(known->id), scope_of(known));
    docker_fetch_forget(known->fetch, known->id);
}

static void on_inspect(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    char text[160];

    known->call = NULL;
    if (response->error) {
        try_later(known, response->text);
    } else if (response->status == 200) {
        on_answer(known, response->body, response->body_len);
    } else if (response->status == 404) {
        on_not_found(known);
    } else {
        snprintf(text, sizeof(text), "inspect of %.12s was answered with status %ld", known->id,
                 response->status);
        try_later(known, text);
    }
}

static void ask(struct known *known)
{
    struct docker_fetch *fetch = known->fetch;
    struct engine_sink *sink = fetch->host->sink;
    char path[320];
    struct http_request request = {
        .socket = fetch->host->socket, .path = path, .timeout_ms = DOCKER_FETCH_INSPECT_MS};
    int r;

    snprintf(path, sizeof(path), "%s/containers/%s/json%s", fetch->prefix, known->id,
             fetch->host->with_size ? "?size=1" : "");
    known->asked = sink->stamp(sink);
    known->phase = INSPECTED;
    fetch->under_way++;
    r = http_get(fetch->host->http, &request, on_inspect, known, &known->call);
    if (r < 0)
        try_later(known, strerror(-r));
}

// --- the queue -----------------------------------------------------------------------------------

static void arm(struct docker_fetch *fetch, uint64_t due_us)
{
    sd_event_source_set_time(fetch->timer, due_us);
    sd_event_source_set_enabled(fetch->timer, SD_EVENT_ONESHOT);
}

// Starts what may be started; the timer wakes for the rest.
static void pump(struct docker_fetch *fetch)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC), first = UINT64_MAX;

    if (!fetch->open)
        return;
    for (struct known *known = TAILQ_FIRST(&fetch->queue), *next; known; known = next) {
        next = TAILQ_NEXT(known, queue);
        if (known->phase == WAITING && known->due_us > now) {
            first = known->due_us < first ? known->due_us : first;
            continue;
        }
        if (fetch->under_way >= DOCKER_FETCH_PARALLEL)
            break;
        unqueue(known);
        ask(known);
        next = TAILQ_FIRST(&fetch->queue); // asking may have changed the queue
    }
    if (first != UINT64_MAX)
        arm(fetch, first);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    pump(userdata);
    return 0;
}

void docker_fetch_inspect(struct docker_fetch *fetch, const char *id)
{
    struct known *known = docker_id_is_plain(id) ? find_or_add(fetch, id) : NULL;

    if (!known)
        return;
    if (is_under_way(known)) {
        known->again = true;
        return;
    }
    if (is_for_later(known))
        known->later_us = known->due_us;
    known->attempts = 0;
    unqueue(known);
    enqueue(known, QUEUED);
    pump(fetch);
}

void docker_fetch_later(struct docker_fetch *fetch, const char *id)
{
    struct known *known = fetch->dialect->asks_again ? find(fetch, id) : NULL;

    if (!known)
        return;
    known->later_us = clock_us(CLOCK_MONOTONIC) + DOCKER_FETCH_LATER_US;
    wait_for_later(known);
    pump(fetch);
}

// --- the list, for one ---------------------------------------------------------------------------

// Inspect waits for the lock that a start holds, but neither the list nor the image does.
static void conclude_listed(struct known *known, const struct docker_image *image)
{
    struct engine_sink *sink = known->fetch->host->sink;

    docker_container_add_image(known->listed_as, known->listed_reference, known->listed_id, image);
    sink->observe(sink, known->list_asked, known->listed_as);
    forget_listed(known);
}

static void on_listed_image(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    const struct docker_image *image = NULL;

    known->list_call = NULL;
    known->fetch->lists--;
    if (response->error == 0 && response->status == 200) {
        json_auto_t *json = json_parse(response->body, response->body_len);

        image = json ? docker_images_put(known->fetch->images, known->listed_id, json) : NULL;
    }
    if (image)
        conclude_listed(known, image);
    else
        forget_listed(known); // the inspect says what is wrong
}

static void on_listed_one(void *userdata, const char *text, size_t len)
{
    struct known *known = userdata;
    struct docker_fetch *fetch = known->fetch;
    struct engine_sink *sink = fetch->host->sink;
    json_auto_t *json = json_parse(text, len);
    struct container *container = fetch->dialect->from_list(json, &fetch->host->limits);

    if (!container)
        return;
    if (container->content.created_ns)
        container_know(container, CMETA_GROUP_IDENTITY);
    sink->observe(sink, known->list_asked, container);
    forget_listed(known);
    if (fetch->dialect->inspect_tells_image) { // and isn't kept waiting by a start
        container_free(container);
        return;
    }
    known->listed_as = container;
    known->listed_reference = copy_member(json, "Image");
    known->listed_id = copy_member(json, "ImageID");
}

static void on_list_one_done(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    const struct docker_image *image;

    (void)response; // the inspect says what is wrong
    known->list_call = NULL;
    known->fetch->lists--;
    if (!known->listed_as || known->complete || !known->listed_reference || !known->listed_id) {
        forget_listed(known);
        return;
    }
    image = docker_images_get(known->fetch->images, known->listed_id);
    if (image)
        conclude_listed(known, image);
    else if (get_image(known, known->listed_id, on_listed_image, &known->list_call) == 0)
        known->fetch->lists++;
    else
        forget_listed(known);
}

void docker_fetch_list_one(struct docker_fetch *fetch, const char *id)
{
    struct known *known = docker_id_is_plain(id) ? find_or_add(fetch, id) : NULL;
    struct engine_sink *sink = fetch->host->sink;
    char path[384];
    struct http_request request = {
        .socket = fetch->host->socket, .path = path, .timeout_ms = DOCKER_FETCH_INSPECT_MS};

    if (!fetch->dialect->list_is_lock_free)
        return;
    // A burst needs no list for each: the inspects follow anyway.
    if (!known || known->list_call || !fetch->open || fetch->lists >= DOCKER_FETCH_PARALLEL)
        return;
    snprintf(path, sizeof(path),
             "%s/containers/json?all=1&filters=%%7B%%22id%%22%%3A%%5B%%22%s%%22%%5D%%7D",
             fetch->prefix, id);
    known->list_asked = sink->stamp(sink);
    if (http_list(fetch->host->http, &request, on_listed_one, on_list_one_done, known,
                  &known->list_call) < 0)
        known->list_call = NULL;
    fetch->lists += known->list_call != NULL;
}

// --- what is heard -------------------------------------------------------------------------------

void docker_fetch_forget(struct docker_fetch *fetch, const char *id)
{
    struct known *known = find(fetch, id);

    if (!known)
        return;
    forget(known);
    pump(fetch);
}

void docker_fetch_state(struct docker_fetch *fetch, const char *id, uint32_t state)
{
    struct known *known = find(fetch, id);

    if (!known)
        return;
    known->state = state;
    if (state != CMETA_STATE_EXITED)
        return;
    known->later_us = 0;
    if (is_for_later(known))
        unqueue(known);
}

void docker_fetch_list_begin(struct docker_fetch *fetch)
{
    fetch->generation++;
}

void docker_fetch_listed(struct docker_fetch *fetch, const char *id, uint32_t state)
{
    struct known *known = docker_id_is_plain(id) ? find_or_add(fetch, id) : NULL;

    if (!known)
        return;
    known->listed = fetch->generation;
    if ((!known->complete || known->state != state) && known->phase == IDLE)
        docker_fetch_inspect(fetch, id);
}

void docker_fetch_list_end(struct docker_fetch *fetch)
{
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        // What is being asked for was created while the list was under way, or it will end as 404.
        if (known->listed != fetch->generation && known->phase == IDLE && !known->list_call)
            forget(known);
    }
}

// --- life ----------------------------------------------------------------------------------------

bool docker_fetch_is_empty(const struct docker_fetch *fetch)
{
    return LIST_EMPTY(&fetch->all);
}

int docker_fetch_new(const struct engine_host *host, const struct docker_dialect *dialect,
                     void (*failed)(void *userdata, const char *text), void *userdata,
                     struct docker_fetch **out)
{
    struct docker_fetch *fetch = calloc(1, sizeof(*fetch));
    int r;

    if (!fetch)
        return -ENOMEM;
    *fetch = (struct docker_fetch){
        .host = host, .dialect = dialect, .failed = failed, .userdata = userdata};
    LIST_INIT(&fetch->all);
    TAILQ_INIT(&fetch->queue);
    fetch->images = docker_images_new();
    r = fetch->images ? sd_event_add_time(host->event, &fetch->timer, CLOCK_MONOTONIC, 0, 1000,
                                          on_timer, fetch)
                      : -ENOMEM;
    if (r < 0) {
        docker_fetch_free(fetch);
        return r;
    }
    sd_event_source_set_enabled(fetch->timer, SD_EVENT_OFF);
    *out = fetch;
    return 0;
}

struct docker_fetch *docker_fetch_free(struct docker_fetch *fetch)
{
    if (!fetch)
        return NULL;
    fetch->open = false;
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        forget(known);
    }
    docker_images_free(fetch->images);
    sd_event_source_disable_unref(fetch->timer);
    free(fetch);
    return NULL;
}

void docker_fetch_open(struct docker_fetch *fetch, const char *prefix)
{
    snprintf(fetch->prefix, sizeof(fetch->prefix), "%s", prefix);
    fetch->open = true;
    pump(fetch);
}

void docker_fetch_close(struct docker_fetch *fetch)
{
    struct known *known;

    fetch->open = false;
    LIST_FOREACH (known, &fetch->all, all) {
        cancel_list(known);
        known->complete = false; // whatever happened meanwhile
        if (!is_under_way(known))
            continue;
        settle(known, IDLE);
        known->again = false;
        known->attempts = 0;
        enqueue(known, QUEUED);
    }
}
