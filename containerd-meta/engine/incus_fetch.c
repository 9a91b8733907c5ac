// SPDX-License-Identifier: Apache-2.0
#include "incus_fetch.h"

#include "ask_queue.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/json.h"
#include "containerd-meta/transport/http.h"
#include "incus_images.h"
#include "incus_instance.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

// An instance, and the questions about it.
struct known {
    struct ask ask; // first: an ask is its instance
    LIST_ENTRY(known) all;
    struct incus_fetch *fetch;
    struct http_call *call;
    engine_stamp asked, told; // of the question under way; of what told its configuration last
    bool observed;            // the sink has been told of it
    bool lacks_instance;      // to be asked for, in this order
    bool lacks_image;
    bool lacks_state;
    unsigned states;  // how often the state was asked for since it started
    uint64_t content; // hash of what the server told last
    uint64_t run;     // hash of when it was started last
    uint32_t pid;     // of this run, 0: not told yet
    uint32_t state;   // CMETA_STATE_*
    uint32_t listed;  // generation of the last list that named it
    char *project, *name;
    char *fingerprint, *description; // of its image; fingerprint NULL: it was made of none
    char *asked_image;               // fingerprint of the one that was asked for last
    char id[];
};

struct incus_fetch {
    const struct engine_host *host;
    struct engine_sink *sink;
    void (*failed)(void *userdata, const char *text);
    void *userdata;
    struct incus_images *images;
    struct ask_queue *queue;
    void *tree; // tsearch(3), by ID
    LIST_HEAD(, known) all;
    unsigned count;
    uint32_t generation;
    char *member;
};

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

// --- the known -----------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct known *find(const struct incus_fetch *fetch, const char *id)
{
    void *node = tfind(id, (void *const *)&fetch->tree, compare_ids);

    return node ? (struct known *)((uintptr_t) * (void **)node - offsetof(struct known, id)) : NULL;
}

static struct known *known_free(struct known *known)
{
    if (known) {
        free(known->project);
        free(known->name);
        free(known->fingerprint);
        free(known->description);
        free(known->asked_image);
    }
    free(known);
    return NULL;
}

static struct known *known_new(struct incus_fetch *fetch, const char *id, const char *project,
                               const char *name)
{
    size_t bytes = strlen(id) + 1;
    struct known *known = calloc(1, sizeof(*known) + bytes);

    if (!known)
        return NULL;
    known->fetch = fetch;
    memcpy(known->id, id, bytes);
    known->project = strdup(project);
    known->name = strdup(name);
    return known->project && known->name ? known : known_free(known);
}

static struct known *find_or_add(struct incus_fetch *fetch, const char *id, const char *project,
                                 const char *name)
{
    struct known *known = find(fetch, id);

    if (known)
        return known;
    if (fetch->count < INCUS_FETCH_MAX)
        known = known_new(fetch, id, project, name);
    if (!known || !tsearch(known->id, &fetch->tree, compare_ids)) {
        fetch->sink->count(fetch->sink, 0, 0, 0, 1);
        return known_free(known);
    }
    LIST_INSERT_HEAD(&fetch->all, known, all);
    fetch->count++;
    return known;
}

static void forget(struct known *known)
{
    struct incus_fetch *fetch = known->fetch;

    known->call = http_cancel(known->call);
    ask_forget(fetch->queue, &known->ask);
    tdelete(known->id, &fetch->tree, compare_ids);
    LIST_REMOVE(known, all);
    fetch->count--;
    known_free(known);
}

static bool lacks_any(const struct known *known)
{
    return known->lacks_instance || known->lacks_image || known->lacks_state;
}

static void want(struct known *known)
{
    if (lacks_any(known))
        ask_now(known->fetch->queue, &known->ask);
}

// --- what an instance tells ----------------------------------------------------------------------

static bool runs(uint32_t state)
{
    return state == CMETA_STATE_RUNNING || state == CMETA_STATE_PAUSED;
}

static void tell_gone(struct known *known, engine_stamp asked)
{
    struct engine_sink *sink = known->fetch->sink;

    if (known->observed)
        sink->gone(sink, asked, known->id, strlen(known->id), INCUS_SCOPE);
}

// Without an image's name the record has its description so far, and the image is asked for.
static void add_image(struct known *known, struct container *container)
{
    const char *alias = NULL;

    if (known->fingerprint)
        alias = incus_images_find(known->fetch->images, known->project, known->fingerprint);
    if (alias || !known->fingerprint)
        incus_container_add_image(container, known->fingerprint, known->description, alias);
    known->lacks_image = !(container->content.known & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = value && *value && strlen(value) <= INCUS_ID_MAX ? strdup(value) : NULL;
}

// Another run has another PID; whatever has changed, addresses may have.
static void follow_run(struct known *known, const struct incus_facts *facts)
{
    uint64_t run = hash_of(facts->last_used, strlen(facts->last_used));

    if (!runs(facts->state) || run != known->run)
        known->pid = 0;
    known->run = run;
    known->state = facts->state;
    known->lacks_state = runs(facts->state);
    known->states = 0;
}

// Other members of a cluster are other hosts.
static bool is_ours(const struct incus_fetch *fetch, const struct incus_facts *facts)
{
    return facts->is_container && (!*fetch->member || strcmp(facts->location, fetch->member) == 0);
}

static bool observe_instance(struct known *known, engine_stamp asked, const json_t *instance,
                             const struct incus_facts *facts)
{
    struct incus_fetch *fetch = known->fetch;
    CLEANUP(container_freep)
    struct container *container = incus_container_from_instance(instance, &fetch->host->limits);

    if (!container)
        return false;
    follow_run(known, facts);
    set_text(&known->fingerprint, facts->fingerprint);
    set_text(&known->description, facts->description);
    add_image(known, container);
    container->pid = known->pid;
    fetch->sink->observe(fetch->sink, asked, container);
    known->told = asked;
    known->observed = true;
    known->lacks_instance = false;
    return true;
}

// --- the outcome of a question -------------------------------------------------------------------

static void ask_next(struct known *known);

static void try_later(struct known *known, const char *text)
{
    struct incus_fetch *fetch = known->fetch;
    struct engine_sink *sink = fetch->sink;

    sink->count(sink, 0, 1, 0, 0);
    if (!ask_failed(fetch->queue, &known->ask) && known->observed)
        sink->reason(sink, known->id, strlen(known->id), INCUS_SCOPE, CMETA_GROUPS_ALL,
                     CMETA_REASON_ENGINE_UNREACHABLE);
    fetch->failed(fetch->userdata, text);
}

static void refused(struct known *known, const char *what, const struct http_response *response)
{
    char text[160];

    snprintf(text, sizeof(text), "%s of %.40s was answered with status %ld", what, known->id,
             response->status);
    try_later(known, response->error ? response->text : text);
}

// The object that the envelope of an answer is around; NULL if there is none.
static json_t *answer_of(const struct http_response *response)
{
    json_auto_t *envelope = json_parse(response->body, response->body_len);
    json_t *metadata = json_object_get(envelope, "metadata");

    return json_is_object(metadata) ? json_incref(metadata) : NULL;
}

static int ask_path(struct known *known, const char *path,
                    void (*done)(void *userdata, const struct http_response *response))
{
    const struct engine_host *host = known->fetch->host;
    struct http_request request = {
        .socket = host->socket, .path = path, .timeout_ms = INCUS_FETCH_TIMEOUT_MS};

    return http_get(host->http, &request, done, known, &known->call);
}

// Names go into paths: whatever isn't plain is escaped.
static void escape(const char *text, char out[3 * INCUS_ID_MAX + 1])
{
    for (; *text; text++) {
        if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
            (*text >= '0' && *text <= '9') || *text == '-')
            *out++ = *text;
        else
            out += sprintf(out, "%%%02X", (unsigned char)*text);
    }
    *out = '\0';
}

// --- the state -----------------------------------------------------------------------------------

static void observe_state(struct known *known, const json_t *state)
{
    struct incus_fetch *fetch = known->fetch;
    CLEANUP(container_freep)
    struct container *container = container_new(known->id, strlen(known->id), INCUS_SCOPE);
    unsigned addresses, links;

    if (!container)
        return;
    incus_container_add_state(container, state, &addresses, &links);
    known->pid = container->pid;
    if (known->pid) { // or it has ended meanwhile: the next list says so
        container->has_status = true;
        container->status = known->state;
        container->finished_ns = 0;
    }
    if (links && !addresses && known->states >= INCUS_FETCH_STATES) { // none will come
        container_pick_address(container);
        container_know(container, CMETA_GROUP_NETWORK);
    }
    if (!links || addresses)
        known->states = INCUS_FETCH_STATES;
    fetch->sink->observe(fetch->sink, known->asked, container);
}

static void on_state(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    json_auto_t *state = NULL;

    known->call = NULL;
    if (response->error || (response->status != 200 && response->status != 404)) {
        refused(known, "the state", response);
        return;
    }
    if (known->asked < known->told) { // it was listed meanwhile, and may run again by now
        ask_next(known);
        return;
    }
    known->states++;
    known->lacks_state = false; // the next list has it asked again, if need be
    known->lacks_instance |= response->status == 404;
    state = response->status == 200 ? answer_of(response) : NULL;
    if (state)
        observe_state(known, state);
    ask_next(known);
}

// --- the image -----------------------------------------------------------------------------------

static void observe_image(struct known *known, const char *alias)
{
    struct incus_fetch *fetch = known->fetch;
    CLEANUP(container_freep)
    struct container *container = container_new(known->id, strlen(known->id), INCUS_SCOPE);

    if (!container)
        return;
    incus_container_add_image(container, known->fingerprint, known->description, alias);
    fetch->sink->observe(fetch->sink, known->asked, container);
}

// A list may have told of another image since, or of none.
static bool is_asked_image(const struct known *known)
{
    return known->fingerprint && strcmp(known->fingerprint, known->asked_image) == 0;
}

static void on_image(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;
    struct incus_fetch *fetch = known->fetch;
    json_auto_t *image = NULL;
    const char *alias;

    known->call = NULL;
    if (response->error || (response->status != 200 && response->status != 404)) {
        refused(known, "the image", response);
        return;
    }
    image = response->status == 200 ? answer_of(response) : NULL; // 404: deleted since
    alias = incus_image_alias(image);
    incus_images_put(fetch->images, known->project, known->asked_image, alias);
    if (is_asked_image(known)) {
        observe_image(known, alias);
        known->lacks_image = false;
    }
    ask_next(known);
}

// --- the instance itself -------------------------------------------------------------------------

// Between the envelope and its end: what a list has as an element.
static uint64_t content_of(const struct http_response *response)
{
    static const char key[] = "\"metadata\":";
    const char *begin = strstr(response->body, key), *end = strrchr(response->body, '}');

    if (!begin || end <= begin + sizeof(key))
        return 0;
    begin += sizeof(key) - 1;
    return hash_of(begin, (size_t)(end - begin));
}

static void take_instance(struct known *known, const struct http_response *response)
{
    json_auto_t *instance = answer_of(response);
    struct incus_facts facts;
    char id[INCUS_ID_MAX + 1];

    if (!instance || !incus_facts_read(instance, &facts)) {
        try_later(known, "an instance's answer is no JSON object with a name");
        return;
    }
    incus_id_of(facts.project, facts.name, id);
    if (!is_ours(known->fetch, &facts) || strcmp(id, known->id) != 0) {
        tell_gone(known, known->asked);
        forget(known);
        return;
    }
    if (!observe_instance(known, known->asked, instance, &facts)) {
        try_later(known, "an instance can't be kept: out of memory");
        return;
    }
    known->content = content_of(response);
    ask_next(known);
}

static void on_instance(void *userdata, const struct http_response *response)
{
    struct known *known = userdata;

    known->call = NULL;
    if (response->error || (response->status != 200 && response->status != 404)) {
        refused(known, "the configuration", response);
        return;
    }
    if (response->status == 404) { // no instance, or no longer
        tell_gone(known, known->asked);
        forget(known);
        return;
    }
    take_instance(known, response);
}

// --- one question after the other ----------------------------------------------------------------

static int ask_for(struct known *known)
{
    char name[3 * INCUS_ID_MAX + 1], project[3 * INCUS_ID_MAX + 1],
        path[sizeof(name) + sizeof(project) + 64];

    escape(known->project, project);
    escape(known->name, name);
    if (known->lacks_instance) {
        snprintf(path, sizeof(path), "/1.0/instances/%s?project=%s", name, project);
        return ask_path(known, path, on_instance);
    }
    if (known->lacks_image) {
        set_text(&known->asked_image, known->fingerprint);
        if (!known->asked_image)
            return -ENOMEM;
        escape(known->asked_image, name);
        snprintf(path, sizeof(path), "/1.0/images/%s?project=%s", name, project);
        return ask_path(known, path, on_image);
    }
    snprintf(path, sizeof(path), "/1.0/instances/%s/state?project=%s", name, project);
    return ask_path(known, path, on_state);
}

// Many are made of one image, and wait for its name: the first answer is for all.
static void take_image(struct known *known)
{
    const char *alias = incus_images_find(known->fetch->images, known->project, known->fingerprint);

    if (!alias)
        return;
    known->asked = known->fetch->sink->stamp(known->fetch->sink);
    observe_image(known, alias);
    known->lacks_image = false;
}

static void ask_next(struct known *known)
{
    if (known->lacks_image && !known->lacks_instance)
        take_image(known);
    if (!lacks_any(known)) {
        ask_done(known->fetch->queue, &known->ask);
        return;
    }
    known->asked = known->fetch->sink->stamp(known->fetch->sink);
    if (ask_for(known) < 0)
        try_later(known, "nothing can be asked: out of memory");
}

static void start(void *userdata, struct ask *ask)
{
    (void)userdata;
    ask_next((struct known *)ask); // its first member
}

void incus_fetch_ask(struct incus_fetch *fetch, const char *id, size_t id_len)
{
    char text[INCUS_ID_MAX + 1], project[INCUS_ID_MAX + 1];
    struct known *known;

    if (id_len == 0 || id_len > INCUS_ID_MAX || memchr(id, '\0', id_len))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)id_len, id);
    known = find_or_add(fetch, text, project, incus_id_split(text, project));
    if (!known)
        return;
    known->lacks_instance = true;
    want(known);
}

// --- the lists -----------------------------------------------------------------------------------

void incus_fetch_list_begin(struct incus_fetch *fetch)
{
    fetch->generation++;
}

// Nothing new of it: it is still there, and may have got an address.
static void confirm(struct known *known, engine_stamp asked)
{
    struct engine_sink *sink = known->fetch->sink;

    sink->status(sink, asked, known->id, strlen(known->id), INCUS_SCOPE, 0, 0, -1, -1);
    if (runs(known->state) && (!known->pid || known->states < INCUS_FETCH_STATES))
        known->lacks_state = true;
}

bool incus_fetch_listed(struct incus_fetch *fetch, engine_stamp asked, const char *text, size_t len)
{
    struct engine_sink *sink = fetch->sink;
    json_auto_t *json = json_parse(text, len);
    struct incus_facts facts;
    char id[INCUS_ID_MAX + 1];
    struct known *known;
    uint64_t content = hash_of(text, len);

    if (!incus_facts_read(json, &facts))
        return false;
    if (!is_ours(fetch, &facts))
        return true;
    incus_id_of(facts.project, facts.name, id);
    known = find_or_add(fetch, id, facts.project, facts.name);
    if (!known)
        return false;
    known->listed = fetch->generation;
    if (known->content == content && sink->knows(sink, id, strlen(id), INCUS_SCOPE))
        confirm(known, asked);
    else if (observe_instance(known, asked, json, &facts))
        known->content = content;
    else
        return false;
    if (known->ask.phase == ASK_IDLE)
        want(known);
    return true;
}

void incus_fetch_list_buried(struct incus_fetch *fetch)
{
    struct engine_sink *sink = fetch->sink;

    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        // What is being asked for was created meanwhile, or is not found.
        if (known->listed != fetch->generation && known->ask.phase == ASK_IDLE &&
            !sink->knows(sink, known->id, strlen(known->id), INCUS_SCOPE))
            forget(known);
    }
}

// --- life ----------------------------------------------------------------------------------------

int incus_fetch_new(const struct engine_host *host,
                    void (*failed)(void *userdata, const char *text), void *userdata,
                    struct incus_fetch **out)
{
    struct incus_fetch *fetch = calloc(1, sizeof(*fetch));
    int r;

    if (!fetch)
        return -ENOMEM;
    fetch->host = host;
    fetch->sink = host->sink;
    fetch->failed = failed;
    fetch->userdata = userdata;
    LIST_INIT(&fetch->all);
    fetch->images = incus_images_new();
    fetch->member = strdup("");
    r = fetch->images && fetch->member
            ? ask_queue_new(host->event, INCUS_FETCH_PARALLEL, start, fetch, &fetch->queue)
            : -ENOMEM;
    if (r < 0) {
        incus_fetch_free(fetch);
        return r;
    }
    *out = fetch;
    return 0;
}

struct incus_fetch *incus_fetch_free(struct incus_fetch *fetch)
{
    if (!fetch)
        return NULL;
    if (fetch->queue)
        ask_queue_close(fetch->queue);
    for (struct known *known = LIST_FIRST(&fetch->all), *next; known; known = next) {
        next = LIST_NEXT(known, all);
        forget(known);
    }
    ask_queue_free(fetch->queue);
    incus_images_free(fetch->images);
    free(fetch->member);
    free(fetch);
    return NULL;
}

void incus_fetch_open(struct incus_fetch *fetch, const char *member)
{
    char *copy = strdup(member);

    if (copy) {
        free(fetch->member);
        fetch->member = copy;
    }
    ask_queue_open(fetch->queue);
}

void incus_fetch_close(struct incus_fetch *fetch)
{
    struct known *known;

    ask_queue_close(fetch->queue);
    LIST_FOREACH (known, &fetch->all, all) {
        known->content = 0; // whatever happens meanwhile
        if (known->ask.phase != ASK_ASKED)
            continue;
        known->call = http_cancel(known->call);
        ask_requeue(fetch->queue, &known->ask);
    }
}
