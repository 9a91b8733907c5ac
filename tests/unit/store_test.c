// SPDX-License-Identifier: Apache-2.0
// The store: views of several sources, moments, endings.
#include "containerd-meta/clock.h"
#include "containerd-meta/store.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DOCKER     0u
#define CONTAINERD 1u
#define CRI        2u
#define USERS      3u // a user's own engine

// The last word about each container.
struct told {
    char id[80];
    uint64_t record[CMETA_RECORD_MAX / 8];
    size_t size;
    struct cmeta_live live;
    bool removed;
    unsigned publications;
};

static struct told told[8];
static unsigned told_count, stale_count, lead_count;
static unsigned lead_row;
static int64_t lead_ns;
static int publish_result;
static bool unheard; // the test looks at no record

static struct told *told_of(const char *id, size_t len)
{
    for (unsigned i = 0; i < told_count; i++)
        if (strlen(told[i].id) == len && memcmp(told[i].id, id, len) == 0)
            return &told[i];
    ck_assert_uint_lt(told_count, 8);
    told[told_count] = (struct told){0};
    memcpy(told[told_count].id, id, len);
    return &told[told_count++];
}

static int on_publish(void *userdata, const struct cmeta_name *name,
                      const struct cmeta_container *content, const struct cmeta_live *live)
{
    struct told *t = unheard ? NULL : told_of(name->id.data, name->id.len);
    struct cmeta_container stable = *content;
    int size;

    (void)userdata;
    if (!t)
        return publish_result;
    stable.published_ns = 0;
    size = cmeta_record_encode(&stable, t->record, sizeof(t->record), NULL);
    ck_assert_int_gt(size, 0);
    t->size = (size_t)size;
    t->live = *live;
    t->removed = false;
    t->publications++;
    return publish_result;
}

static void on_remove(void *userdata, const struct cmeta_name *name, uint64_t removed_ns)
{
    (void)userdata;
    ck_assert_uint_gt(removed_ns, 0);
    if (unheard)
        return;
    told_of(name->id.data, name->id.len)->removed = true;
}

static void on_stale(void *userdata)
{
    (void)userdata;
    stale_count++;
}

static void on_lead(void *userdata, unsigned row, int64_t ns)
{
    (void)userdata;
    lead_count++;
    lead_row = row;
    lead_ns = ns;
}

static struct store *new_store(void)
{
    const struct store_output output = {
        .publish = on_publish, .remove = on_remove, .stale = on_stale, .lead = on_lead};
    struct store *store = store_new(&output);

    told_count = stale_count = lead_count = 0;
    publish_result = 0;
    ck_assert_ptr_nonnull(store);
    store_set_precedence(store, DOCKER, 60);
    store_set_precedence(store, CONTAINERD, 20);
    store_set_precedence(store, CRI, 50);
    store_set_precedence(store, USERS, 60 - STORE_CONFINED);
    return store;
}

static const struct container_limits limits = {.label_max_len = 100};

// A container whose groups are known as asked, each with something of the source's own in it.
static struct container *sample(const char *id, const char *mark, uint32_t known)
{
    struct container *container = container_new(id, strlen(id), "");

    ck_assert_ptr_nonnull(container);
    container->content.type = CMETA_TYPE_DOCKER;
    if (known & CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY))
        container_set(container, CMETA_STRING_NAME, mark);
    if (known & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE))
        container_set(container, CMETA_STRING_IMAGE, mark);
    if (known & CMETA_GROUP_BIT(CMETA_GROUP_LABELS))
        container_add_label(container, &limits, "from", 4, mark, strlen(mark));
    if (known & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY))
        container_set(container, CMETA_STRING_USER, mark);
    if (known & CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS))
        container_add_mount(container, mark, "/to", "", "", true);
    container->content.known = known;
    return container;
}

static void observe(struct store *store, unsigned row, uint64_t asked, const char *id,
                    const char *mark, uint32_t known)
{
    struct container *container = sample(id, mark, known);

    ck_assert_int_eq(store_observe(store, row, asked, container), 0);
    container_free(container);
}

static struct cmeta_name name_of(const char *id)
{
    return (struct cmeta_name){{id, (uint32_t)strlen(id)}, {"", 0}};
}

static struct told *last(const char *id)
{
    return told_of(id, strlen(id));
}

static const char *text_of(const char *id, enum cmeta_string which)
{
    static char text[256];
    struct told *t = last(id);
    struct cmeta_view view;
    struct cmeta_str value;

    ck_assert_int_eq(cmeta_view_init(&view, t->record, t->size), 0);
    if (!cmeta_view_string(&view, which, &value))
        return "(absent)";
    snprintf(text, sizeof(text), "%.*s", (int)value.len, value.data);
    return text;
}

static struct cmeta_view view_of(const char *id)
{
    struct told *t = last(id);
    struct cmeta_view view;

    ck_assert_int_eq(cmeta_view_init(&view, t->record, t->size), 0);
    return view;
}

#define ALL  CMETA_GROUPS_ALL
#define B(g) CMETA_GROUP_BIT(CMETA_GROUP_##g)

START_TEST(groups_come_from_the_best_source_that_knows_them)
{
    struct store *store = new_store();
    struct cmeta_view view;

    observe(store, CONTAINERD, store_stamp(store), "a", "containerd", ALL);
    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY) | B(LABELS));
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "docker");
    ck_assert_str_eq(text_of("a", CMETA_STRING_IMAGE), "containerd");
    ck_assert_str_eq(text_of("a", CMETA_STRING_USER), "containerd");
    view = view_of("a");
    ck_assert_uint_eq(cmeta_view_known(&view), ALL);
    store_free(store);
}
END_TEST

// Three sources' words in every order give one record, byte for byte.
START_TEST(any_order_of_arrival_gives_the_same_record)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const uint32_t known[3] = {B(IDENTITY) | B(IMAGE), B(IMAGE) | B(SECURITY) | B(MOUNTS),
                                      B(LABELS) | B(IDENTITY) | B(MOUNTS)};
    static const char *const marks[3] = {"docker", "containerd", "cri"};
    static uint64_t first[CMETA_RECORD_MAX / 8];
    size_t first_size = 0;

    for (int o = 0; o < 6; o++) {
        struct store *store = new_store();
        uint64_t asked[3];

        for (int i = 0; i < 3; i++)
            asked[i] = store_stamp(store);
        for (int i = 0; i < 3; i++)
            observe(store, orders[o][i], asked[orders[o][i]], "a", marks[orders[o][i]],
                    known[orders[o][i]]);
        if (o == 0) {
            first_size = last("a")->size;
            memcpy(first, last("a")->record, first_size);
        }
        ck_assert_uint_eq(last("a")->size, first_size);
        ck_assert_mem_eq(last("a")->record, first, first_size);
        store_free(store);
    }
}
END_TEST

// A word that a source says: which groups it knows, and maybe a state.
struct word {
    unsigned row;
    uint64_t asked;
    uint32_t known, state; // state 0: none
    char mark[24];
};

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static void say(struct store *store, const struct word *word)
{
    struct container *container = sample("a", word->mark, word->known);

    container->has_status = word->state != 0;
    container->status = word->state;
    container->pid = word->state * 100;
    ck_assert_int_eq(store_observe(store, word->row, word->asked, container), 0);
    container_free(container);
}

static void shuffle(struct word *words, unsigned count, uint64_t *seed)
{
    for (unsigned i = count - 1; i > 0; i--) {
        unsigned j = next_random(seed) % (i + 1);
        struct word other = words[i];

        words[i] = words[j];
        words[j] = other;
    }
}

// The property itself: whatever several sources say at various moments, of whatever groups, the
// record and the state are those of the newest words of the best sources, in any order of arrival.
START_TEST(random_words_of_three_sources_give_one_record_in_any_order)
{
    enum { WORDS = 9, SEEDS = 60, ORDERS = 40 };
    static uint64_t first[CMETA_RECORD_MAX / 8];

    for (uint64_t round = 0; round < SEEDS; round++) {
        struct word words[WORDS];
        struct cmeta_live live = {0};
        size_t first_size = 0;
        uint64_t seed = round;

        for (unsigned i = 0; i < WORDS; i++) {
            words[i] = (struct word){.row = next_random(&seed) % 3,
                                     .asked = i + 1,
                                     .known = next_random(&seed) & ALL,
                                     .state = next_random(&seed) % CMETA_STATE_REMOVED};
            snprintf(words[i].mark, sizeof(words[i].mark), "word-%u", i);
        }
        for (unsigned order = 0; order < ORDERS; order++) {
            struct store *store = new_store();

            for (unsigned i = 0; i < WORDS; i++)
                store_stamp(store);
            for (unsigned i = 0; i < WORDS; i++)
                say(store, &words[i]);
            if (order == 0) {
                first_size = last("a")->size;
                memcpy(first, last("a")->record, first_size);
                live = last("a")->live;
            }
            ck_assert_uint_eq(last("a")->size, first_size);
            ck_assert_mem_eq(last("a")->record, first, first_size);
            ck_assert_uint_eq(last("a")->live.word, live.word);
            ck_assert_uint_eq(last("a")->live.pid, live.pid);
            store_free(store);
            shuffle(words, WORDS, &seed);
        }
    }
}
END_TEST

START_TEST(unknown_groups_are_unknown_and_say_why)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");
    struct cmeta_view view;

    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
    view = view_of("a");
    ck_assert_uint_eq(cmeta_view_known(&view), B(IDENTITY));
    ck_assert_uint_eq(cmeta_view_reason(&view, CMETA_GROUP_SECURITY), CMETA_REASON_NOT_YET);
    ck_assert_uint_eq(store_incomplete(store), 1);
    store_reason(store, DOCKER, &name, ALL, CMETA_REASON_ENGINE_UNREACHABLE);
    view = view_of("a");
    ck_assert_uint_eq(cmeta_view_reason(&view, CMETA_GROUP_SECURITY),
                      CMETA_REASON_ENGINE_UNREACHABLE);
    ck_assert_uint_eq(cmeta_view_reason(&view, CMETA_GROUP_IDENTITY), CMETA_REASON_NONE);
    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    ck_assert_uint_eq(store_incomplete(store), 0);
    store_free(store);
}
END_TEST

// The list asked before a rename answers after it.
START_TEST(an_older_answer_does_not_undo_a_newer_word)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");
    uint64_t asked;

    observe(store, DOCKER, store_stamp(store), "a", "old", ALL);
    asked = store_stamp(store);
    ck_assert_int_eq(store_renamed(store, DOCKER, store_stamp(store), &name, "new"), 0);
    observe(store, DOCKER, asked, "a", "old", ALL);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "new");
    ck_assert_str_eq(text_of("a", CMETA_STRING_IMAGE), "old");
    store_status(store, DOCKER, store_stamp(store), &name, CMETA_STATE_EXITED, 0xff, 0, -1);
    store_status(store, DOCKER, asked, &name, CMETA_STATE_RUNNING, 0xff, 7, -1);
    ck_assert_uint_eq(CMETA_STATUS_STATE(last("a")->live.word), CMETA_STATE_EXITED);
    ck_assert_uint_gt(stale_count, 0);
    store_free(store);
}
END_TEST

// A list names it while its PID is being asked for.
START_TEST(that_it_is_still_there_outdates_no_answer)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");
    uint64_t asked;

    observe(store, DOCKER, store_stamp(store), "a", "x", ALL);
    asked = store_stamp(store);
    store_status(store, DOCKER, store_stamp(store), &name, 0, 0, -1, -1);
    store_status(store, DOCKER, asked, &name, CMETA_STATE_RUNNING, 0xff, 7, -1);
    ck_assert_uint_eq(CMETA_STATUS_STATE(last("a")->live.word), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(last("a")->live.pid, 7);
    store_free(store);
}
END_TEST

START_TEST(a_late_inspect_does_not_revive_the_dead)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");
    uint64_t asked;

    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
    asked = store_stamp(store);
    store_gone(store, DOCKER, store_stamp(store), &name);
    ck_assert(last("a")->removed);
    observe(store, DOCKER, asked, "a", "docker", ALL);
    ck_assert(last("a")->removed);
    ck_assert_uint_eq(store_containers(store), 0);
    ck_assert_uint_eq(stale_count, 1);
    store_free(store);
}
END_TEST

START_TEST(a_list_begun_before_a_create_does_not_bury_it)
{
    struct store *store = new_store();
    uint64_t listed = store_stamp(store);

    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
    store_list_complete(store, DOCKER, listed);
    ck_assert(!last("a")->removed);
    store_list_complete(store, DOCKER, store_stamp(store));
    ck_assert(last("a")->removed);
    store_free(store);
}
END_TEST

START_TEST(what_a_complete_list_names_stays)
{
    struct store *store = new_store();
    uint64_t listed;

    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    observe(store, DOCKER, store_stamp(store), "b", "docker", ALL);
    listed = store_stamp(store);
    observe(store, DOCKER, listed, "a", "docker", B(LABELS));
    store_list_complete(store, DOCKER, listed);
    ck_assert(!last("a")->removed);
    ck_assert(last("b")->removed);
    ck_assert_uint_eq(store_claims(store, DOCKER), 1);
    store_free(store);
}
END_TEST

START_TEST(only_the_best_source_that_claimed_it_ends_a_container)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");

    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
    observe(store, CONTAINERD, store_stamp(store), "a", "containerd", B(IDENTITY) | B(SECURITY));
    store_gone(store, CONTAINERD, store_stamp(store), &name);
    ck_assert(!last("a")->removed);
    ck_assert_str_eq(text_of("a", CMETA_STRING_USER), "(absent)"); // its view is withdrawn
    observe(store, CONTAINERD, store_stamp(store), "a", "containerd", B(IDENTITY) | B(SECURITY));
    store_gone(store, DOCKER, store_stamp(store), &name);
    ck_assert(last("a")->removed);
    store_free(store);
}
END_TEST

START_TEST(a_removed_container_that_reappears_is_revived)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");

    observe(store, DOCKER, store_stamp(store), "a", "one", ALL);
    store_gone(store, DOCKER, store_stamp(store), &name);
    observe(store, DOCKER, store_stamp(store), "a", "two", ALL);
    ck_assert(!last("a")->removed);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "two");
    ck_assert_uint_eq(store_containers(store), 1);
    store_free(store);
}
END_TEST

START_TEST(what_was_unknown_at_the_end_says_that_it_ended_early)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("a");
    struct cmeta_view view;

    observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
    store_gone(store, DOCKER, store_stamp(store), &name);
    view = view_of("a");
    ck_assert_uint_eq(cmeta_view_reason(&view, CMETA_GROUP_SECURITY), CMETA_REASON_ENDED_EARLY);
    store_free(store);
}
END_TEST

START_TEST(a_disabled_engine_takes_its_views_along)
{
    struct store *store = new_store();

    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    observe(store, DOCKER, store_stamp(store), "b", "docker", ALL);
    observe(store, CONTAINERD, store_stamp(store), "b", "containerd", ALL);
    store_withdraw(store, DOCKER);
    ck_assert(last("a")->removed);
    ck_assert(!last("b")->removed);
    ck_assert_str_eq(text_of("b", CMETA_STRING_NAME), "containerd");
    ck_assert_uint_eq(store_claims(store, DOCKER), 0);
    store_free(store);
}
END_TEST

static void restore(struct store *store, const char *id, unsigned owner)
{
    struct container *old = sample(id, "restored", ALL);
    struct cmeta_name name = name_of(id);
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = 42, .first_seen_ns = 5};

    ck_assert_int_eq(store_restore(store, owner, &name, &old->content, &live), 0);
    container_free(old);
}

START_TEST(restored_containers_stand_until_their_engine_speaks)
{
    struct store *store = new_store();
    uint64_t listed;

    restore(store, "a", DOCKER);
    restore(store, "b", DOCKER);
    restore(store, "c", CONTAINERD);
    ck_assert_uint_ne(last("a")->live.word & CMETA_STATUS_UNCONFIRMED, 0);
    ck_assert_uint_eq(last("a")->live.first_seen_ns, 5);
    listed = store_stamp(store);
    observe(store, DOCKER, listed, "a", "docker", B(LABELS));
    ck_assert_uint_eq(last("a")->live.word & CMETA_STATUS_UNCONFIRMED, 0);
    ck_assert_str_eq(text_of("a", CMETA_STRING_USER), "restored"); // until inspect has answered
    store_list_complete(store, DOCKER, listed);
    ck_assert(!last("a")->removed);
    ck_assert(last("b")->removed);
    ck_assert(!last("c")->removed); // not Docker's to end
    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    ck_assert_str_eq(text_of("a", CMETA_STRING_USER), "docker");
    store_withdraw(store, CONTAINERD);
    ck_assert(last("c")->removed);
    store_free(store);
}
END_TEST

START_TEST(what_is_only_in_the_list_is_added_to_what_the_event_told)
{
    struct store *store = new_store();
    struct container *partial = container_new("a", 1, "");
    struct cmeta_view view;
    struct cmeta_str value;

    observe(store, DOCKER, store_stamp(store), "a", "web", B(IDENTITY));
    container_set(partial, CMETA_STRING_IMAGE, "lab:1");
    container_set(partial, CMETA_STRING_NAME, "other");
    container_add_label(partial, &limits, "k", 1, "v", 1);
    ck_assert_int_eq(store_observe(store, DOCKER, store_stamp(store), partial), 0);
    container_free(partial);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "web"); // known: partial words don't count
    ck_assert_str_eq(text_of("a", CMETA_STRING_IMAGE), "lab:1");
    view = view_of("a");
    ck_assert_uint_eq(cmeta_view_known(&view), B(IDENTITY));
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "k", 1, &value), 1);
    store_free(store);
}
END_TEST

START_TEST(what_could_not_be_published_is_offered_again)
{
    struct store *store = new_store();
    unsigned before;

    publish_result = -28;
    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    publish_result = 0;
    before = last("a")->publications;
    store_tick(store, UINT64_C(1) << 60);
    ck_assert_uint_eq(last("a")->publications, before + 1);
    store_tick(store, (UINT64_C(1) << 60) + (UINT64_C(1) << 50));
    ck_assert_uint_eq(last("a")->publications, before + 1);
    store_free(store);
}
END_TEST

// falco 3664, plugins 1045: memory is flat over many containers.
START_TEST(nothing_is_kept_of_containers_that_came_and_went)
{
    struct store *store = new_store();
    uint64_t now = UINT64_C(1) << 60;

    for (unsigned i = 0; i < 100000; i++) {
        struct cmeta_name name = name_of("a");

        observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
        store_gone(store, DOCKER, store_stamp(store), &name);
        if (i % 1000 == 999)
            store_tick(store, now += UINT64_C(1) << 40);
    }
    ck_assert_uint_eq(store_entries(store), 0);
    store_free(store);
}
END_TEST

// What can't be published costs memory only to a bound: its engine names it again.
START_TEST(refused_containers_are_kept_to_a_bound)
{
    struct store *store = new_store();

    publish_result = -28;
    for (unsigned i = 0; i < 3000; i++) {
        char id[16];

        told_count = 0; // this test looks at no record
        snprintf(id, sizeof(id), "c%u", i);
        observe(store, DOCKER, store_stamp(store), id, "docker", ALL);
    }
    ck_assert_uint_le(store_entries(store), 1025);
    publish_result = 0;
    told_count = 0;
    store_free(store);
}
END_TEST

// --- a user's own engine, which may name any ID -------------------------------------------------

START_TEST(a_users_engine_counts_for_what_nobody_else_claims)
{
    struct store *store = new_store();
    struct cmeta_name a = name_of("a");

    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "user");
    store_status(store, USERS, store_stamp(store), &a, CMETA_STATE_EXITED, 0xff, -1, -1);
    ck_assert_uint_eq(CMETA_STATUS_STATE(last("a")->live.word), CMETA_STATE_EXITED);
    store_gone(store, USERS, store_stamp(store), &a);
    ck_assert(last("a")->removed);
    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    ck_assert(!last("a")->removed);
    store_free(store);
}
END_TEST

// Not even what the other one doesn't know yet.
START_TEST(a_users_engine_adds_nothing_to_another_ones_record)
{
    struct store *store = new_store();
    struct cmeta_name a = name_of("a");

    for (int first = 0; first < 2; first++) {
        if (first == 0)
            observe(store, USERS, store_stamp(store), "a", "user", ALL);
        observe(store, DOCKER, store_stamp(store), "a", "docker", B(IDENTITY));
        observe(store, USERS, store_stamp(store), "a", "other", ALL);
        ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "docker");
        ck_assert_str_eq(text_of("a", CMETA_STRING_USER), "(absent)");
        ck_assert_str_eq(text_of("a", CMETA_STRING_IMAGE), "(absent)");
        store_status(store, USERS, store_stamp(store), &a, CMETA_STATE_DEAD, 0xff, 1, -1);
        ck_assert_uint_ne(CMETA_STATUS_STATE(last("a")->live.word), CMETA_STATE_DEAD);
        store_renamed(store, USERS, store_stamp(store), &a, "mine");
        ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "docker");
        store_gone(store, DOCKER, store_stamp(store), &a);
    }
    store_free(store);
}
END_TEST

START_TEST(a_users_engine_ends_and_revives_only_its_own)
{
    struct store *store = new_store();
    struct cmeta_name a = name_of("a");

    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    store_gone(store, USERS, store_stamp(store), &a);
    store_list_complete(store, USERS, store_stamp(store));
    ck_assert(!last("a")->removed);
    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    store_withdraw(store, USERS);
    ck_assert(!last("a")->removed);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "docker");
    store_gone(store, DOCKER, store_stamp(store), &a);
    ck_assert(last("a")->removed);
    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    ck_assert(last("a")->removed);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "docker"); // for events that lag behind
    observe(store, DOCKER, store_stamp(store), "a", "docker", ALL);
    ck_assert(!last("a")->removed);
    store_free(store);
}
END_TEST

START_TEST(what_an_earlier_daemon_left_of_another_engine_stands_against_a_users)
{
    struct store *store = new_store();
    struct cmeta_name a = name_of("a");

    restore(store, "a", DOCKER);
    observe(store, USERS, store_stamp(store), "a", "user", ALL);
    ck_assert_str_eq(text_of("a", CMETA_STRING_NAME), "restored");
    ck_assert_uint_ne(last("a")->live.word & CMETA_STATUS_UNCONFIRMED, 0);
    store_gone(store, USERS, store_stamp(store), &a);
    ck_assert(!last("a")->removed);
    restore(store, "b", USERS);
    observe(store, USERS, store_stamp(store), "b", "user", ALL);
    ck_assert_str_eq(text_of("b", CMETA_STRING_NAME), "user");
    store_free(store);
}
END_TEST

static int claim(struct store *store, unsigned row, unsigned i, size_t label)
{
    static char text[4001];
    char id[16];
    struct container *container;
    int r;

    snprintf(id, sizeof(id), "c%u", i);
    container = sample(id, "user", ALL);
    memset(text, 'x', label);
    text[label] = '\0';
    container_set(container, CMETA_STRING_USER, text);
    r = store_observe(store, row, store_stamp(store), container);
    container_free(container);
    return r;
}

START_TEST(what_a_users_engine_claims_is_bounded)
{
    struct store *store = new_store();
    struct cmeta_name name = name_of("c0");
    unsigned i = 0;

    unheard = true;
    while (i < 2 * STORE_CONFINED_MAX && claim(store, USERS, i, 4) == 0)
        i++;
    ck_assert_uint_eq(i, STORE_CONFINED_MAX);
    ck_assert_int_eq(claim(store, USERS, i, 4), -EDQUOT);
    ck_assert_int_eq(claim(store, USERS, 0, 5), 0); // one of them may still change
    store_gone(store, USERS, store_stamp(store), &name);
    ck_assert_int_eq(claim(store, USERS, i, 4), 0);
    ck_assert_int_eq(claim(store, DOCKER, i + 1, 4), 0);
    store_withdraw(store, USERS);
    for (i = 0; claim(store, USERS, i, 4000) == 0; i++)
        ck_assert_uint_lt(i, STORE_CONFINED_BYTES / 4000);
    ck_assert_uint_ge(i, STORE_CONFINED_BYTES / 8000);
    store_withdraw(store, USERS);
    ck_assert_int_eq(claim(store, USERS, 0, 4000), 0);
    unheard = false;
    store_free(store);
}
END_TEST

static void observe_start(struct store *store, unsigned row, const char *id, int64_t started_ns)
{
    struct container *container = sample(id, "web", B(IDENTITY));

    container->content.started_ns = started_ns;
    ck_assert_int_eq(store_observe(store, row, store_stamp(store), container), 0);
    container_free(container);
}

START_TEST(how_early_a_record_was_is_told_once)
{
    struct store *store = new_store();
    const int64_t now = (int64_t)clock_ns(CLOCK_REALTIME), second = 1000000000;

    observe(store, CONTAINERD, store_stamp(store), "a", "web", ALL);
    ck_assert_uint_eq(lead_count, 0);
    ck_assert_uint_ne(store_completed_ns(store, "a", 1), 0);
    observe_start(store, DOCKER, "a", now + 10 * second);
    ck_assert_uint_eq(lead_count, 1);
    ck_assert_uint_eq(lead_row, DOCKER);
    ck_assert(lead_ns > 8 * second && lead_ns < 11 * second);
    observe_start(store, DOCKER, "a", now + 20 * second); // once more
    ck_assert_uint_eq(lead_count, 1);
    // it started before anybody was there to be early
    observe(store, CONTAINERD, store_stamp(store), "b", "web", ALL);
    observe_start(store, DOCKER, "b", now - 10 * second);
    ck_assert_uint_eq(lead_count, 1);
    // started first, whole later
    observe_start(store, DOCKER, "c", now + second / 1000);
    ck_assert_uint_eq(lead_count, 1);
    ck_assert_uint_eq(store_completed_ns(store, "c", 1), 0);
    while ((int64_t)clock_ns(CLOCK_REALTIME) < now + 2 * second / 1000)
        ;
    observe(store, CONTAINERD, store_stamp(store), "c", "web", ALL);
    ck_assert_uint_eq(lead_count, 2);
    ck_assert_int_lt(lead_ns, 0);
    store_free(store);
}
END_TEST

CHECK_MAIN("store", 30, groups_come_from_the_best_source_that_knows_them,
           any_order_of_arrival_gives_the_same_record,
           random_words_of_three_sources_give_one_record_in_any_order,
           unknown_groups_are_unknown_and_say_why, an_older_answer_does_not_undo_a_newer_word,
           that_it_is_still_there_outdates_no_answer, a_late_inspect_does_not_revive_the_dead,
           a_list_begun_before_a_create_does_not_bury_it, what_a_complete_list_names_stays,
           only_the_best_source_that_claimed_it_ends_a_container,
           a_removed_container_that_reappears_is_revived,
           what_was_unknown_at_the_end_says_that_it_ended_early,
           a_disabled_engine_takes_its_views_along,
           restored_containers_stand_until_their_engine_speaks,
           what_is_only_in_the_list_is_added_to_what_the_event_told,
           what_could_not_be_published_is_offered_again,
           nothing_is_kept_of_containers_that_came_and_went, refused_containers_are_kept_to_a_bound,
           a_users_engine_counts_for_what_nobody_else_claims,
           a_users_engine_adds_nothing_to_another_ones_record,
           a_users_engine_ends_and_revives_only_its_own,
           what_an_earlier_daemon_left_of_another_engine_stands_against_a_users,
           what_a_users_engine_claims_is_bounded, how_early_a_record_was_is_told_once)
