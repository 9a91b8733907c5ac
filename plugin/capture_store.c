// SPDX-License-Identifier: Apache-2.0
#include "capture_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/queue.h>

#define BUCKETS 8192u // a power of two

struct captured {
    TAILQ_ENTRY(captured) order; // of `present` or `removed`
    TAILQ_ENTRY(captured) rows;  // of `addressed`, if it has an address
    struct captured *next;       // of its bucket
    uint64_t key;
    uint32_t slot, generation;
    bool is_removed, is_addressed;
    uint16_t type;
    uint64_t removed_ts;
    uint64_t *record;
    uint32_t size; // of the record
    struct container_row row;
    char *full_id, *scope;
    char id[]; // and behind it the two
};

TAILQ_HEAD(captured_list, captured);

// Arrays that are there as soon as there is a record.
struct index {
    struct captured *buckets[BUCKETS];
    struct captured *slots[CAPTURE_RECORDS_MAX];
    uint16_t free_slots[CAPTURE_RECORDS_MAX];
    uint32_t free_count;
};

struct capture_store {
    struct captured_list present; // told of longest ago first
    struct captured_list removed; // removed longest ago first
    struct captured_list addressed;
    struct index *index;
    uint64_t seed[2];
    uint64_t revision;
    uint32_t generation; // of the last one made; 31 bits
    uint32_t count, rows;
    size_t bytes;
};

// --- finding -------------------------------------------------------------------------------------

static uint64_t key_of(const struct capture_store *s, const char *id, size_t len)
{
    return cmeta_key_of_short(s->seed, id, len);
}

static uint32_t bucket_of(const struct capture_store *s, uint64_t key)
{
    return (uint32_t)(((key ^ s->seed[0]) * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % BUCKETS;
}

static struct captured *first_of(const struct capture_store *s, uint64_t key)
{
    return s->index ? s->index->buckets[bucket_of(s, key)] : NULL;
}

static bool is_text(const char *text, const char *other, size_t len)
{
    return strlen(text) == len && memcmp(text, other, len) == 0;
}

// Even tags: those of the region's handles are odd.
static cmeta_handle handle_of(const struct captured *c)
{
    return (uint64_t)c->generation << 33 | c->slot;
}

static struct captured *of_handle(const struct capture_store *s, cmeta_handle handle)
{
    uint32_t slot = (uint32_t)handle;
    struct captured *c = s->index && slot < CAPTURE_RECORDS_MAX ? s->index->slots[slot] : NULL;

    return c && handle_of(c) == handle ? c : NULL;
}

// Whether a container goes by a full ID: one whose document has none is told by what it shows.
static bool is_named(const struct captured *c, const char *full_id, size_t len)
{
    if (*c->full_id)
        return is_text(c->full_id, full_id, len);
    return len >= 12 && memcmp(c->id, full_id, 12) == 0;
}

// The better of two that answer a question: the one that stands, of equals the first.
struct choice {
    const struct captured *best;
    bool ambiguous;
};

static void choose(struct choice *choice, const struct captured *c)
{
    if (!choice->best || (choice->best->is_removed && !c->is_removed))
        *choice = (struct choice){c, false};
    else if (choice->best->is_removed == c->is_removed)
        choice->ambiguous = true;
}

static enum cmeta_found answer(const struct choice *choice, cmeta_handle *handle)
{
    if (!choice->best)
        return CMETA_ABSENT;
    if (choice->ambiguous)
        return CMETA_AMBIGUOUS;
    *handle = handle_of(choice->best);
    return CMETA_FOUND;
}

enum cmeta_found capture_store_find(const struct capture_store *s, const char *id, size_t len,
                                    cmeta_handle *handle)
{
    struct choice choice = {NULL, false};
    uint64_t key;

    if (!s->index)
        return CMETA_ABSENT;
    key = key_of(s, id, len);
    for (const struct captured *c = first_of(s, key); c; c = c->next)
        if (c->key == key && is_text(c->id, id, len))
            choose(&choice, c);
    return answer(&choice, handle);
}

static bool is_in_namespace(const struct captured *c, const struct witness *w)
{
    static const char engine[] = "containerd/";
    const size_t len = sizeof(engine) - 1;

    if (!*c->scope)
        return c->type == CMETA_TYPE_CONTAINERD;
    return strncmp(c->scope, engine, len) == 0 && is_text(c->scope + len, w->ns, w->ns_len);
}

enum cmeta_found capture_store_recognise(const struct capture_store *s, const struct witness *w,
                                         cmeta_handle *handle)
{
    struct choice choice = {NULL, false};
    uint64_t key;

    if (!s->index || w->id_len == 0)
        return CMETA_ABSENT;
    key = key_of(s, w->id, witness_shown(w));
    for (const struct captured *c = first_of(s, key); c; c = c->next)
        if (c->key == key && is_named(c, w->id, w->id_len) &&
            (w->strength == CMETA_STRONG || is_in_namespace(c, w)))
            choose(&choice, c);
    return answer(&choice, handle);
}

int capture_store_record(const struct capture_store *s, cmeta_handle handle,
                         struct cmeta_view *view)
{
    const struct captured *c = of_handle(s, handle);

    return c && cmeta_view_init(view, c->record, c->size) == 0;
}

const char *capture_store_id(const struct capture_store *s, cmeta_handle handle)
{
    const struct captured *c = of_handle(s, handle);

    return c ? c->id : NULL;
}

const char *capture_store_full_id(const struct capture_store *s, cmeta_handle handle)
{
    const struct captured *c = of_handle(s, handle);

    return c ? c->full_id : NULL;
}

uint32_t capture_store_count(const struct capture_store *s)
{
    return s->count;
}

uint64_t capture_store_revision(const struct capture_store *s)
{
    return s->revision;
}

const struct container_row *capture_store_next(const struct capture_store *s, const void **cursor)
{
    const struct captured *c = *cursor;

    c = c ? TAILQ_NEXT(c, rows) : TAILQ_FIRST(&s->addressed);
    *cursor = c;
    return c ? &c->row : NULL;
}

uint32_t capture_store_rows(const struct capture_store *s)
{
    return s->rows;
}

// --- leaving -------------------------------------------------------------------------------------

static size_t cost_of(const struct captured *c)
{
    return sizeof(*c) + strlen(c->id) + strlen(c->full_id) + strlen(c->scope) + 3 + c->size;
}

static void leave_rows(struct capture_store *s, struct captured *c)
{
    if (!c->is_addressed)
        return;
    TAILQ_REMOVE(&s->addressed, c, rows);
    c->is_addressed = false;
    s->rows--;
}

static void drop(struct capture_store *s, struct captured *c)
{
    struct captured **link = &s->index->buckets[bucket_of(s, c->key)];

    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    TAILQ_REMOVE(c->is_removed ? &s->removed : &s->present, c, order);
    leave_rows(s, c);
    s->index->slots[c->slot] = NULL;
    s->index->free_slots[s->index->free_count++] = (uint16_t)c->slot;
    s->bytes -= cost_of(c);
    s->count--;
    s->revision++;
    free(c->record);
    free(c);
}

// Makes room for one more of so many bytes. Return: how many had to go.
static int make_room(struct capture_store *s, size_t cost)
{
    int gone = 0;

    while (s->count && (s->count == CAPTURE_RECORDS_MAX || s->bytes + cost > CAPTURE_BYTES_MAX)) {
        drop(s, TAILQ_EMPTY(&s->removed) ? TAILQ_FIRST(&s->present) : TAILQ_FIRST(&s->removed));
        gone++;
    }
    return gone;
}

// Events that were dumped without a time don't move it.
static void expire(struct capture_store *s, uint64_t ts)
{
    struct captured *c;

    while (ts != FALCO_TS_NOW && (c = TAILQ_FIRST(&s->removed)) != NULL &&
           ts > c->removed_ts + CAPTURE_GRACE_NS)
        drop(s, c);
}

// --- entering ------------------------------------------------------------------------------------

// The one that a document is about, known already.
static struct captured *same_as(const struct capture_store *s, const struct told *told)
{
    size_t full_len = strlen(told->full_id);
    uint64_t key = key_of(s, told->id, strlen(told->id));

    for (struct captured *c = first_of(s, key); c; c = c->next) {
        if (c->key != key || strcmp(c->id, told->id) != 0)
            continue;
        if (full_len && *c->full_id && !is_text(c->full_id, told->full_id, full_len))
            continue;
        if (!*told->scope || !*c->scope || strcmp(c->scope, told->scope) == 0)
            return c;
    }
    return NULL;
}

static struct captured *make(struct capture_store *s, const struct told *told)
{
    size_t id = strlen(told->id) + 1, full_id = strlen(told->full_id) + 1,
           scope = strlen(told->scope) + 1;
    struct captured *c = calloc(1, sizeof(*c) + id + full_id + scope);

    if (!c)
        return NULL;
    memcpy(c->id, told->id, id);
    c->full_id = memcpy(c->id + id, told->full_id, full_id);
    c->scope = memcpy(c->id + id + full_id, told->scope, scope);
    c->key = key_of(s, told->id, id - 1);
    return c;
}

static void enter(struct capture_store *s, struct captured *c)
{
    struct captured **bucket = &s->index->buckets[bucket_of(s, c->key)];

    s->generation = s->generation < INT32_MAX ? s->generation + 1 : 1;
    c->generation = s->generation;
    c->slot = s->index->free_slots[--s->index->free_count];
    s->index->slots[c->slot] = c;
    c->next = *bucket;
    *bucket = c;
    TAILQ_INSERT_TAIL(&s->present, c, order);
    s->count++;
    s->bytes += cost_of(c);
}

// The encoder ends every string with a NUL, and nobody writes over these bytes.
static void make_row(struct capture_store *s, struct captured *c)
{
    struct cmeta_status status = {.id = {*c->full_id ? c->full_id : c->id, 0},
                                  .word = CMETA_STATE_RUNNING};
    struct cmeta_view view;

    leave_rows(s, c);
    if (cmeta_view_init(&view, c->record, c->size) < 0)
        return;
    for (unsigned column = 0; column < COLUMN_TEXTS; column++)
        c->row.text[column] = container_column_text(&view, &status, column).data;
    c->row.text[COLUMN_ID] = c->id;
    c->row.type = c->type;
    if (!container_has_own_address(&view, &status))
        return;
    TAILQ_INSERT_TAIL(&s->addressed, c, rows);
    c->is_addressed = true;
    s->rows++;
}

static void set_record(struct capture_store *s, struct captured *c, const struct told *told,
                       uint64_t *record)
{
    s->bytes -= c->size;
    free(c->record);
    c->record = record;
    c->size = told->size;
    c->type = told->type;
    s->bytes += c->size;
    TAILQ_REMOVE(c->is_removed ? &s->removed : &s->present, c, order);
    c->is_removed = false;
    TAILQ_INSERT_TAIL(&s->present, c, order);
    make_row(s, c);
    s->revision++;
}

// Return: whether there is an index now.
static bool make_index(struct capture_store *s)
{
    if (s->index)
        return true;
    s->index = calloc(1, sizeof(*s->index));
    if (!s->index)
        return false;
    for (uint32_t i = CAPTURE_RECORDS_MAX; i > 0; i--)
        s->index->free_slots[s->index->free_count++] = (uint16_t)(i - 1);
    return true;
}

int capture_store_put(struct capture_store *s, const struct told *told, uint64_t ts)
{
    struct captured *c;
    uint64_t *record = malloc(told->size);
    int gone;

    if (!record || !make_index(s)) {
        free(record);
        return -ENOMEM;
    }
    memcpy(record, told->record, told->size);
    expire(s, ts);
    c = same_as(s, told);
    // A document that says more about the name than the one before is another one's, to be safe.
    if (c && strcmp(c->full_id, told->full_id) != 0) {
        drop(s, c);
        c = NULL;
    }
    if (c) {
        set_record(s, c, told, record);
        return make_room(s, 0);
    }
    c = make(s, told);
    if (!c) {
        free(record);
        return -ENOMEM;
    }
    gone = make_room(s, sizeof(*c) + 3 * (CMETA_ID_MAX + 1) + told->size);
    enter(s, c);
    set_record(s, c, told, record);
    return gone;
}

void capture_store_remove(struct capture_store *s, const struct told *told, uint64_t ts)
{
    struct captured *c;

    if (!s->index)
        return;
    expire(s, ts);
    c = same_as(s, told);
    if (!c || c->is_removed)
        return;
    TAILQ_REMOVE(&s->present, c, order);
    TAILQ_INSERT_TAIL(&s->removed, c, order);
    leave_rows(s, c);
    c->is_removed = true;
    c->removed_ts = ts == FALCO_TS_NOW ? 0 : ts;
    s->revision++;
}

// --- life ----------------------------------------------------------------------------------------

struct capture_store *capture_store_new(void)
{
    struct capture_store *s = calloc(1, sizeof(*s));
    const void *noise = (const void *)getauxval(AT_RANDOM); // 16 bytes from the kernel

    if (!s)
        return NULL;
    if (noise)
        memcpy(s->seed, noise, sizeof(s->seed));
    TAILQ_INIT(&s->present);
    TAILQ_INIT(&s->removed);
    TAILQ_INIT(&s->addressed);
    return s;
}

void capture_store_clear(struct capture_store *s)
{
    for (uint32_t slot = 0; s->index && slot < CAPTURE_RECORDS_MAX && s->count; slot++)
        if (s->index->slots[slot])
            drop(s, s->index->slots[slot]);
    free(s->index);
    s->index = NULL;
}

struct capture_store *capture_store_free(struct capture_store *s)
{
    if (s)
        capture_store_clear(s);
    free(s);
    return NULL;
}
