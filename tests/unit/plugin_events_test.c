// SPDX-License-Identifier: Apache-2.0
// Container events: which are told, when, what is in them, and how many are under way.
#include "support/leap.h"
#include "support/plugin_ear.h"

#include "containerd-meta/cleanup.h"
#include "plugin/async_event.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOG_ENTRIES 8192u // at least those of the region's log

static uint64_t realtime_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void put(struct bed *bed, unsigned n, unsigned v)
{
    ck_assert_int_gt(sample_put(bed->writer, n, v), 0);
}

static void remove_sample(struct bed *bed, unsigned n)
{
    char id[65];
    struct cmeta_name name = sample_name(n, id);

    ck_assert_int_eq(cmeta_writer_remove(bed->writer, &name, realtime_ns()), 1);
}

static void expect(struct bed *bed, const char *name, unsigned n)
{
    struct told told = ear_expect(bed->host, name, n);

    ear_clear(&told);
}

// Which sample an event is of, by its name: container-N.
static unsigned sample_of(const struct told *told)
{
    unsigned n = UINT32_MAX;

    ck_assert_int_eq(sscanf(ear_text(told, "name"), "container-%u", &n), 1);
    return n;
}

// --- what is told --------------------------------------------------------------------------------

START_TEST(containers_that_stand_are_told_at_the_start_and_dead_ones_are_not)
{
    struct bed bed;
    bool seen[4] = {false};

    bed_make(&bed);
    for (unsigned n = 0; n < 4; n++)
        put(&bed, n, 0);
    remove_sample(&bed, 3);
    bed.host = bed_host(&bed, NULL);
    ck_assert_uint_eq(async_queue_pushed(host_instance(bed.host)->async), 0);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct told told;

        ear_hear(bed.host, &told);
        ck_assert_str_eq(told.name, "container");
        ck_assert(!seen[sample_of(&told)]);
        seen[sample_of(&told)] = true;
        ear_clear(&told);
    }
    ck_assert(!seen[3]);
    ear_expect_nothing_before(&bed, 5);
    bed_close(&bed);
}
END_TEST

START_TEST(container_is_told_once_at_the_present_time_and_without_a_thread)
{
    struct bed bed;
    struct told told;
    uint64_t before = realtime_ns();

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    told = ear_expect(bed.host, "container", 3);
    ck_assert_uint_ge(told.ts, before);
    ck_assert_uint_le(told.ts, realtime_ns());
    ck_assert_uint_eq(told.tid, FALCO_TID_NONE);
    ear_clear(&told);
    ear_expect_nothing_before(&bed, 4);
    bed_close(&bed);
}
END_TEST

// The host is behind with its events, as fields are told by what is known now: in a capture, what
// was known at an event shall stand before those that follow.
START_TEST(container_is_told_at_the_time_that_the_stream_has_come_to)
{
    struct bed bed;
    struct told told;
    uint64_t stream, latest;

    bed_open(&bed, NULL);
    stream = realtime_ns();
    host_event(bed.host, event_procexit(1, stream));
    put(&bed, 3, 0);
    told = ear_expect(bed.host, "container", 3);
    latest = realtime_ns() - ASYNC_EVENT_LAG_NS;
    ck_assert_uint_ge(told.ts, stream);
    ck_assert_uint_le(told.ts, stream > latest ? stream : latest);
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

START_TEST(region_that_appears_later_has_its_containers_told)
{
    struct bed bed = {.writer = NULL};

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed.writer = sample_writer(bed.dir.path, NULL);
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    bed_close(&bed);
}
END_TEST

// What the image group lacks is NULL to rules, and says why.
START_TEST(record_without_image_is_told_after_two_seconds_with_its_reason_and_again_when_complete)
{
    struct bed bed;
    struct cmeta_container content;
    struct told told;

    bed_open(&bed, NULL);
    sample_content(3, 0, &content);
    content.known &= ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE);
    content.reason[CMETA_GROUP_IMAGE] = CMETA_REASON_ENGINE_UNREACHABLE;
    bed_put(&bed, 3, &content);
    put(&bed, 4, 0);
    expect(&bed, "container", 4); // it doesn't keep others waiting
    LEAP_SECONDS(2);
    told = ear_expect(bed.host, "container", 3);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(told.doc, "unknown"), "image")),
        cmeta_reason_name(CMETA_REASON_ENGINE_UNREACHABLE));
    ck_assert_uint_eq(json_object_size(json_object_get(told.doc, "unknown")), 1);
    ear_clear(&told);
    put(&bed, 3, 0);
    told = ear_expect(bed.host, "container", 3);
    ck_assert_ptr_null(json_object_get(told.doc, "unknown"));
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// A capture has its events behind it, and they shall have what was known.
START_TEST(named_record_is_told_at_once_and_again_when_complete)
{
    struct bed bed;
    struct cmeta_container content;
    struct told told;

    bed_open(&bed, NULL);
    sample_content(3, 0, &content);
    content.known &= ~CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS);
    content.mounts_count = 0;
    content.reason[CMETA_GROUP_MOUNTS] = CMETA_REASON_NOT_YET;
    bed_put(&bed, 3, &content);
    told = ear_expect(bed.host, "container", 3);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(told.doc, "unknown"), "mounts")),
        cmeta_reason_name(CMETA_REASON_NOT_YET));
    ck_assert_uint_eq(json_array_size(json_object_get(told.doc, "Mounts")), 0);
    ear_clear(&told);
    put(&bed, 3, 0);
    told = ear_expect(bed.host, "container", 3);
    ck_assert_ptr_null(json_object_get(told.doc, "unknown"));
    ck_assert_uint_eq(json_array_size(json_object_get(told.doc, "Mounts")), 2);
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

START_TEST(record_named_in_time_is_told_once)
{
    struct bed bed;
    struct cmeta_container content;

    bed_open(&bed, NULL);
    sample_content(3, 0, &content);
    content.known &= ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE);
    bed_put(&bed, 3, &content);
    put(&bed, 4, 0);
    expect(&bed, "container", 4);
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    LEAP_SECONDS(3);
    ear_expect_nothing_before(&bed, 5);
    bed_close(&bed);
}
END_TEST

// A sandbox has no image and never will.
START_TEST(what_will_never_be_told_is_not_waited_for)
{
    struct bed bed;
    struct cmeta_container content;

    bed_open(&bed, NULL);
    sample_content(3, 0, &content);
    content.known &= ~CMETA_GROUP_BIT(CMETA_GROUP_IMAGE);
    content.reason[CMETA_GROUP_IMAGE] = CMETA_REASON_POD_SANDBOX;
    bed_put(&bed, 3, &content);
    expect(&bed, "container", 3);
    bed_close(&bed);
}
END_TEST

START_TEST(change_is_told_only_if_a_rule_could_see_it)
{
    struct bed bed;
    struct cmeta_container content;
    struct told told;
    char id[65];
    struct cmeta_name name = sample_name(3, id);
    struct cmeta_live live = {.word = CMETA_STATE_PAUSED, .pid = 77};

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    sample_content(3, 0, &content);
    content.memory_limit = 1 << 20;
    content.started_ns += 5;
    content.source[CMETA_GROUP_IMAGE] = 2;
    bed_put(&bed, 3, &content);
    ck_assert_int_eq(cmeta_writer_put(bed.writer, &name, NULL, 0, &live), CMETA_PUT_UPDATED);
    ear_expect_nothing_before(&bed, 4);
    put(&bed, 3, 1); // another label
    told = ear_expect(bed.host, "container", 3);
    ck_assert_str_eq(ear_text(&told, "imagetag"), "v1");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

START_TEST(removal_is_told_with_the_whole_record)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    remove_sample(&bed, 3);
    told = ear_expect(bed.host, "container_removed", 3);
    ck_assert_str_eq(ear_text(&told, "imagetag"), "v0");
    ear_clear(&told);
    // Its bytes being forgotten is no news.
    cmeta_writer_tick(bed.writer, realtime_ns() + 61000000000u, 1);
    ear_expect_nothing_before(&bed, 4);
    // The same container comes back.
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    bed_close(&bed);
}
END_TEST

// A capture holds events of its processes, and these shall have their names.
START_TEST(container_that_came_and_went_unseen_is_told_all_the_same)
{
    struct bed bed;

    bed_open(&bed, NULL);
    // No room: so that the follower comes to it when it is gone.
    for (unsigned n = 100; n < 100 + 256; n++)
        put(&bed, n, 0);
    bed_wait_metric(bed.host, "events_emitted", 256);
    put(&bed, 3, 0);
    remove_sample(&bed, 3);
    for (unsigned i = 0; i < 256; i++) {
        struct told told;

        ear_hear(bed.host, &told);
        ck_assert_uint_ge(sample_of(&told), 100);
        ear_clear(&told);
    }
    expect(&bed, "container", 3);
    expect(&bed, "container_removed", 3);
    bed_close(&bed);
}
END_TEST

// --- credit --------------------------------------------------------------------------------------

START_TEST(never_more_than_256_are_under_way)
{
    struct bed bed;
    struct told told;
    unsigned heard = 0;

    bed_make(&bed);
    for (unsigned n = 0; n < 1000; n++)
        put(&bed, n, 0);
    bed.host = bed_host(&bed, NULL);
    async_queue_set_capacity(host_instance(bed.host)->async, 256);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_wait_metric(bed.host, "events_emitted", 256);
    for (; heard < 1000; heard++) {
        ear_hear(bed.host, &told);
        ear_clear(&told);
    }
    bed_wait_metric(bed.host, "events_acknowledged", 1000);
    bed_wait_metric(bed.host, "events_emitted", 1000); // counted once the host has it
    ck_assert_double_eq(bed_metric(bed.host, "events_unacknowledged"), 0);
    // A queue of 256 has dropped none.
    ck_assert_uint_eq(async_queue_dropped(host_instance(bed.host)->async), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(host_that_returns_nothing_does_not_stop_the_stream)
{
    struct bed bed;
    struct told told;
    unsigned heard = 0;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 300; n++)
        put(&bed, n, 0);
    bed_wait_metric(bed.host, "events_emitted", 256);
    while (ear_steal(bed.host, &told)) {
        ear_clear(&told);
        heard++;
    }
    ck_assert_uint_eq(heard, 256);
    LEAP_SECONDS(10);
    bed_wait_metric(bed.host, "events_unacknowledged", 256);
    for (; heard < 300; heard++) {
        ear_hear(bed.host, &told);
        ear_clear(&told);
    }
    bed_wait_log(bed.host, "256 container events haven't come back");
    bed_close(&bed);
}
END_TEST

START_TEST(events_that_come_back_late_are_no_credit_beyond_what_is_there)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 1000; n++)
        put(&bed, n, 0);
    bed_wait_metric(bed.host, "events_emitted", 256);
    LEAP_SECONDS(10);
    bed_wait_metric(bed.host, "events_emitted", 512); // 256 of them given up
    for (unsigned i = 0; i < 256; i++) {
        ear_hear(bed.host, &told);
        ear_clear(&told);
    }
    // 512 sent, and the 256 given up came back: just the others are under way, as before.
    while (async_queue_length(host_instance(bed.host)->async) > 0) {
        ck_assert_double_eq(bed_metric(bed.host, "events_emitted"), 512);
        if (ear_steal(bed.host, &told))
            ear_clear(&told);
    }
    LEAP_SECONDS(10);
    for (unsigned i = 512; i < 1000; i++) {
        ear_hear(bed.host, &told);
        ear_clear(&told);
    }
    bed_wait_metric(bed.host, "events_acknowledged", 1000 - 256);
    ck_assert_double_eq(bed_metric(bed.host, "events_unacknowledged"), 512);
    bed_close(&bed);
}
END_TEST

// The host drops what is dated more than 10 s ahead: events must not keep to the time before.
START_TEST(clock_set_back_loses_no_event_and_no_credit)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 0, 0);
    expect(&bed, "container", 0);
    leap_set_clock(-3600 * INT64_C(1000000000));
    for (unsigned n = 1; n < 600; n++) {
        put(&bed, n, 0);
        told = ear_expect(bed.host, "container", n);
        ck_assert_uint_le(told.ts, realtime_ns());
        ear_clear(&told);
    }
    ck_assert_uint_eq(async_queue_dropped(host_instance(bed.host)->async), 0);
    ck_assert_double_eq(bed_metric(bed.host, "events_unacknowledged"), 0);
    bed_close(&bed);
}
END_TEST

// Another plugin's events of our name come back as well.
START_TEST(events_of_others_are_no_credit)
{
    static const char document[] = "{\"container\":{\"id\":\"0123456789ab\"}}";
    struct bed bed;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 500; n++)
        host_event(bed.host, event_async("container", document, sizeof(document), realtime_ns()));
    bed_wait_metric(bed.host, "events_acknowledged", 500);
    put(&bed, 0, 0);
    expect(&bed, "container", 0);
    for (unsigned n = 1; n < 600; n++)
        put(&bed, n, 0);
    bed_wait_metric(bed.host, "events_emitted", 1 + 256);
    remove_sample(&bed, 0);
    bed_tick(bed.host);
    ck_assert_double_le(bed_metric(bed.host, "events_emitted"), 1 + 256);
    bed_close(&bed);
}
END_TEST

static falco_rc refuse(struct falco_owner *owner, const struct falco_event *event, char *error)
{
    (void)owner;
    (void)event;
    if (error)
        snprintf(error, FALCO_ERROR_BYTES, "not today");
    return FALCO_RC_FAILURE;
}

START_TEST(refused_events_are_counted_and_told_once)
{
    struct bed bed;
    struct instance *in;
    unsigned lines = 0;

    bed_make(&bed);
    bed.host = bed_host(&bed, NULL);
    in = host_instance(bed.host);
    for (unsigned n = 0; n < 5; n++)
        put(&bed, n, 0);
    ck_assert_int_eq(in->plugin->sym.set_async_event_handler(in->state, in->owner, refuse), 0);
    bed_wait_metric(bed.host, "events_dropped", 5);
    ck_assert_int_eq(in->plugin->sym.set_async_event_handler(in->state, in->owner, NULL), 0);
    ck_assert_double_eq(bed_metric(bed.host, "events_emitted"), 0);
    for (size_t i = 0; i < report_log_lines(host_report(bed.host)); i++)
        lines += strstr(report_log_line(host_report(bed.host), i, NULL), "not today") != NULL;
    ck_assert_uint_eq(lines, 1);
    bed_close(&bed);
}
END_TEST

// --- lapped, replaced ----------------------------------------------------------------------------

// What a listener knows of each sample after all it was told.
struct known {
    bool there;
    char tag[32];
};

static void learn(struct known *known, size_t count, const struct told *told)
{
    unsigned n = sample_of(told);

    ck_assert_uint_lt(n, count);
    if (strcmp(told->name, "container_removed") == 0) {
        ck_assert_msg(known[n].there, "removed twice, or never told: %u", n);
        known[n].there = false;
        return;
    }
    ck_assert_msg(!known[n].there || strcmp(known[n].tag, ear_text(told, "imagetag")) != 0,
                  "told twice: %s", told->text);
    known[n].there = true;
    snprintf(known[n].tag, sizeof(known[n].tag), "%s", ear_text(told, "imagetag"));
}

#define LAPPED 600u

// Whether all is known that there is to know at the end of the next test.
static bool knows_all(const struct known *known)
{
    for (unsigned n = 0; n < LAPPED; n++) {
        char tag[32] = "v0";

        if (n >= 300 && n < 308)
            snprintf(tag, sizeof(tag), "v%u", LOG_ENTRIES - 8 + (n - 300) + 1);
        if (known[n].there != (n % 3 != 0) || (known[n].there && strcmp(known[n].tag, tag) != 0))
            return false;
    }
    return true;
}

static void hear_one(struct bed *bed, struct known *known)
{
    struct told told;

    ear_hear(bed->host, &told);
    learn(known, LAPPED + 1, &told);
    ear_clear(&told);
}

START_TEST(lapped_follower_tells_everything_once_and_loses_nothing)
{
    static struct known known[LAPPED + 1];
    struct bed bed;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < LAPPED; n++)
        put(&bed, n, 0);
    bed_wait_metric(bed.host, "events_emitted", 256); // and it stands still
    for (unsigned i = 0; i < LOG_ENTRIES; i++)
        put(&bed, 300 + i % 8, 1 + i);
    for (unsigned n = 0; n < LAPPED; n += 3)
        remove_sample(&bed, n);
    // They are even forgotten: of those that were told, only the sweep can find that out.
    cmeta_writer_tick(bed.writer, realtime_ns() + 61000000000u, 1);
    while (!knows_all(known))
        hear_one(&bed, known);
    // All that was to be said before this one has been said.
    put(&bed, LAPPED, 0);
    while (!known[LAPPED].there)
        hear_one(&bed, known);
    ck_assert(knows_all(known));
    bed_close(&bed);
}
END_TEST

START_TEST(replaced_region_tells_nothing_twice_and_what_it_lacks_is_gone)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 5; n++) {
        put(&bed, n, 0);
        expect(&bed, "container", n);
    }
    for (unsigned round = 1; round <= 5; round++) {
        ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
        bed_wait_metric(bed.host, "region_swaps", round);
    }
    ear_expect_nothing_before(&bed, 5);
    // A daemon that begins anew, with two of them, one changed meanwhile.
    cmeta_writer_free(bed.writer);
    bed.writer = sample_writer(bed.dir.path, NULL);
    bed_wait_metric(bed.host, "region_swaps", 6);
    for (unsigned i = 0; i < 6; i++) {
        ear_hear(bed.host, &told);
        ck_assert_str_eq(told.name, "container_removed");
        ck_assert_str_eq(ear_text(&told, "imagetag"), "v0"); // the record, from the region before
        ear_clear(&told);
    }
    put(&bed, 2, 7);
    expect(&bed, "container", 2);
    bed_close(&bed);
}
END_TEST

// Whole records of all of them would be more than the plugin keeps: the others say who went.
START_TEST(all_that_a_new_region_lacks_are_told_as_gone_some_of_them_briefly)
{
    enum { COUNT = 100 };
    struct bed bed;
    struct told told;
    bool gone[COUNT] = {false};
    unsigned whole = 0;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < COUNT; n++) {
        put(&bed, n, 0);
        expect(&bed, "container", n);
    }
    cmeta_writer_free(bed.writer);
    bed.writer = sample_writer(bed.dir.path, NULL);
    for (unsigned i = 0; i < COUNT; i++) {
        char id[65];
        unsigned n;

        ear_hear(bed.host, &told);
        n = sample_of(&told);
        sample_id(n, id);
        ck_assert_str_eq(told.name, "container_removed");
        ck_assert_str_eq(ear_text(&told, "full_id"), id);
        ck_assert(n < COUNT && !gone[n]);
        gone[n] = true;
        ck_assert((json_object_get(told.doc, "image") != NULL) !=
                  (json_object_get(told.doc, "unknown") != NULL));
        whole += json_object_get(told.doc, "image") != NULL;
        ear_clear(&told);
    }
    ck_assert_uint_gt(whole, 0);
    ck_assert_uint_lt(whole, COUNT);
    ear_expect_nothing_before(&bed, COUNT);
    bed_close(&bed);
}
END_TEST

START_TEST(what_a_new_region_lacks_is_remembered_within_bounds_and_the_rest_is_counted)
{
    enum { COUNT = 2000 };
    struct bed bed;
    struct told told;
    unsigned removed = 0, left = COUNT;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < COUNT; n++) {
        put(&bed, n, 0);
        expect(&bed, "container", n);
    }
    cmeta_writer_free(bed.writer);
    bed.writer = sample_writer(bed.dir.path, NULL);
    for (; removed < left; removed++) {
        ear_hear(bed.host, &told);
        ck_assert_str_eq(told.name, "container_removed");
        ear_clear(&told);
        left = COUNT - (unsigned)bed_metric(bed.host, "events_dropped"); // before the first is told
    }
    ck_assert_uint_gt(removed, 300);
    ck_assert_uint_lt(removed, COUNT);
    ear_expect_nothing_before(&bed, COUNT);
    bed_close(&bed);
}
END_TEST

START_TEST(change_made_while_the_region_was_replaced_is_told)
{
    struct bed bed, next;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 1, 0);
    expect(&bed, "container", 1);
    put(&bed, 2, 0);
    expect(&bed, "container", 2);
    // The successor is made whole before it gets its name.
    bed_make(&next);
    put(&next, 1, 0);
    put(&next, 2, 5);
    {
        char from[128], to[128];

        snprintf(from, sizeof(from), "%s/" CMETA_TABLE_NAME, next.dir.path);
        snprintf(to, sizeof(to), "%s/" CMETA_TABLE_NAME, bed.dir.path);
        ck_assert_int_eq(rename(from, to), 0);
    }
    told = ear_expect(bed.host, "container", 2);
    ck_assert_str_eq(ear_text(&told, "imagetag"), "v5");
    ear_clear(&told);
    put(&next, 6, 0);
    expect(&bed, "container", 6);
    bed_close(&next);
    bed_close(&bed);
}
END_TEST

// --- beginning and end ---------------------------------------------------------------------------

struct writing {
    struct bed *bed;
    atomic_bool stop;
};

static void *write_on(void *argument)
{
    struct writing *w = argument;

    for (unsigned v = 1; !atomic_load(&w->stop); v++)
        sample_put(w->bed->writer, v % 50, v);
    return NULL;
}

// The strict host notices a push after the handler was unset.
START_TEST(stream_stops_and_starts_under_load)
{
    struct bed bed;
    struct writing writing = {.bed = &bed};
    pthread_t thread;

    bed_open(&bed, NULL);
    atomic_init(&writing.stop, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_on, &writing), 0);
    for (unsigned i = 0; i < 50; i++) {
        struct told told;

        ear_hear(bed.host, &told);
        ear_clear(&told);
        host_pump(bed.host);
        host_close(bed.host);
        while (ear_steal(bed.host, &told)) // what was under way is lost with the capture
            ear_clear(&told);
        ck_assert_int_eq(host_open_live(bed.host), 0);
    }
    atomic_store(&writing.stop, true);
    pthread_join(thread, NULL);
    bed_close(&bed);
}
END_TEST

START_TEST(each_start_tells_all_anew)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    expect(&bed, "container", 3);
    for (unsigned i = 0; i < 3; i++) {
        host_close(bed.host);
        ck_assert_int_eq(host_open_live(bed.host), 0);
        expect(&bed, "container", 3);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(nothing_is_told_without_a_handler)
{
    struct bed bed;

    bed_make(&bed);
    put(&bed, 3, 0);
    bed.host = bed_host(&bed, "\"region_in_replay\":true");
    ck_assert_int_eq(host_open_savefile(bed.host), 0);
    bed_tick(bed.host);
    ck_assert_uint_eq(async_queue_pushed(host_instance(bed.host)->async), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(static_engine_tells_its_one_container)
{
    struct bed bed = {.writer = NULL};
    struct told told;

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, "\"engines\":{\"static\":{\"enabled\":true,\"container_id\":\"s1\","
                              "\"container_name\":\"one\",\"container_image\":\"r.io:5/a:2\"}}");
    ck_assert_int_eq(host_open_live(bed.host), 0);
    ck_assert(ear_take(bed.host, &told));
    ck_assert_str_eq(told.name, "container");
    ck_assert_str_eq(ear_text(&told, "id"), "s1");
    ck_assert_str_eq(ear_text(&told, "imagerepo"), "r.io:5/a");
    ck_assert_int_eq(json_integer_value(json_object_get(told.doc, "type")), CMETA_TYPE_STATIC);
    ear_clear(&told);
    ck_assert(!ear_take(bed.host, &told));
    bed_close(&bed);
}
END_TEST

// --- bad bytes -----------------------------------------------------------------------------------

// Noise in the arena: identities, texts and records of any bytes.
START_TEST(noise_in_the_region_costs_events_and_nothing_else)
{
    struct bed bed;
    char path[128];
    CLEANUP(closep)
    int fd = -1;
    const struct cmeta_region *region;
    uint8_t *bytes;
    uint64_t state = 88172645463325252u;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 200; n++)
        put(&bed, n, 0);
    snprintf(path, sizeof(path), "%s/" CMETA_TABLE_NAME, bed.dir.path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    region = cmeta_writer_region(bed.writer);
    bytes = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(bytes, MAP_FAILED);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 2000; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Relaxed: the follower reads meanwhile, as it does the daemon's own bytes.
            __atomic_store_n(&bytes[region->arena_offset + (state >> 8) % region->arena_bytes],
                             (uint8_t)state, __ATOMIC_RELAXED);
        }
        put(&bed, 1000 + round, 0);
        for (struct falco_event *e; (e = async_queue_pop(host_instance(bed.host)->async)) != NULL;)
            host_event(bed.host, e);
    }
    munmap(bytes, region->size);
    bed_close(&bed);
}
END_TEST

// Lists whose every text is nearly the whole record: together, thousands of times its size.
static void put_overlapping(struct bed *bed, unsigned n)
{
    static _Alignas(8) uint8_t record[CMETA_RECORD_MAX - 8];
    const struct cmeta_slice whole = {512, (uint16_t)(sizeof(record) - 512)};
    struct cmeta_record_head *head = (void *)record;
    char id[65];
    struct cmeta_name name = sample_name(n, id);
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = 1000 + n};
    size_t used = (size_t)sample_record(n, 0, record, sizeof(record));

    for (size_t at = used; at + sizeof(whole) <= sizeof(record); at += sizeof(whole))
        memcpy(record + at, &whole, sizeof(whole));
    head->size_bytes = sizeof(record);
    for (unsigned list = 0; list < CMETA_LIST_COUNT; list++)
        head->lists[list] = (struct cmeta_slice){(uint16_t)used, UINT16_MAX};
    ck_assert_int_gt(cmeta_writer_put(bed->writer, &name, record, sizeof(record), &live), 0);
}

// The test's limit is what fails: read one by one, these texts are a hundred gigabytes.
START_TEST(texts_that_overlap_do_not_hold_up_the_follower)
{
    struct bed bed;
    struct told told;
    bool last;

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 10; n++)
        put_overlapping(&bed, n);
    put(&bed, 10, 0);
    do {
        ear_hear(bed.host, &told);
        last = sample_of(&told) == 10;
        ear_clear(&told);
    } while (!last);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_events", 60, containers_that_stand_are_told_at_the_start_and_dead_ones_are_not,
           container_is_told_once_at_the_present_time_and_without_a_thread,
           container_is_told_at_the_time_that_the_stream_has_come_to,
           region_that_appears_later_has_its_containers_told,
           record_without_image_is_told_after_two_seconds_with_its_reason_and_again_when_complete,
           named_record_is_told_at_once_and_again_when_complete, record_named_in_time_is_told_once,
           what_will_never_be_told_is_not_waited_for, change_is_told_only_if_a_rule_could_see_it,
           removal_is_told_with_the_whole_record,
           container_that_came_and_went_unseen_is_told_all_the_same,
           never_more_than_256_are_under_way, host_that_returns_nothing_does_not_stop_the_stream,
           events_that_come_back_late_are_no_credit_beyond_what_is_there,
           clock_set_back_loses_no_event_and_no_credit, events_of_others_are_no_credit,
           refused_events_are_counted_and_told_once,
           lapped_follower_tells_everything_once_and_loses_nothing,
           replaced_region_tells_nothing_twice_and_what_it_lacks_is_gone,
           all_that_a_new_region_lacks_are_told_as_gone_some_of_them_briefly,
           what_a_new_region_lacks_is_remembered_within_bounds_and_the_rest_is_counted,
           change_made_while_the_region_was_replaced_is_told, stream_stops_and_starts_under_load,
           each_start_tells_all_anew, nothing_is_told_without_a_handler,
           static_engine_tells_its_one_container, noise_in_the_region_costs_events_and_nothing_else,
           texts_that_overlap_do_not_hold_up_the_follower)
