// SPDX-License-Identifier: Apache-2.0
// What a live run shows of a container is what its event stream has told, so that a capture of the
// stream, dump and container events included, shows the same. Only what isn't told yet and would be
// missing is shown at once, and counted.
#include "support/leap.h"
#include "support/plugin_ear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct bed *bed, unsigned n, unsigned v)
{
    ck_assert_int_gt(sample_put(bed->writer, n, v), 0);
}

static void remove_sample(struct bed *bed, unsigned n)
{
    char id[65];
    struct cmeta_name name = sample_name(n, id);

    cmeta_writer_remove(bed->writer, &name, INT64_C(4000000000000000000)); // not before we began
}

static void put_known(struct bed *bed, unsigned n, unsigned v, uint32_t known)
{
    struct cmeta_container content;

    sample_content(n, v, &content);
    content.known = known;
    bed_put(bed, n, &content);
}

// A record whose image isn't known yet.
static void put_unnamed(struct bed *bed, unsigned n)
{
    put_known(bed, n, 0, CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY));
}

static void hear(struct bed *bed, unsigned n)
{
    struct told told = ear_expect(bed->host, "container", n);

    ear_clear(&told);
}

static void wait_queued(struct bed *bed)
{
    while (!async_queue_wait(host_instance(bed->host)->async, 100))
        ;
}

// --- when a version is in use --------------------------------------------------------------------

START_TEST(untold_container_is_shown_as_it_is_and_told_at_once)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.name", "container-3");
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 1);
    put(&bed, 3, 1);
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 2);
    do // one event tells of both, or two do
        hear(&bed, 3);
    while (bed_metric(bed.host, "events_acknowledged") < bed_metric(bed.host, "events_emitted"));
    bed_wait_of(bed.host, 50, "container.image.tag", "v1");
    bed_close(&bed);
}
END_TEST

START_TEST(what_an_incomplete_version_lacks_is_shown_as_soon_as_it_is_known)
{
    const uint32_t known = CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_SECURITY);
    struct bed bed;

    bed_open(&bed, NULL);
    put_known(&bed, 3, 0, known);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.privileged", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 0);
    put(&bed, 3, 0);
    bed_expect_of(bed.host, 50, "container.privileged", "true");
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 1);
    hear(&bed, 3);
    bed_expect_of(bed.host, 50, "container.privileged", "true");
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 1);
    bed_close(&bed);
}
END_TEST

// Some engines never tell some groups.
START_TEST(incomplete_version_is_kept_while_the_next_knows_no_more)
{
    const uint32_t known = CMETA_GROUPS_ALL & ~CMETA_GROUP_BIT(CMETA_GROUP_HEALTH);
    struct bed bed;

    bed_open(&bed, NULL);
    put_known(&bed, 3, 0, known);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    put_known(&bed, 3, 1, known);
    bed_expect_of(bed.host, 50, "container.image.tag", "v0");
    hear(&bed, 3);
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(complete_version_is_kept_until_the_event_of_one_that_knows_less)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    put_unnamed(&bed, 3);
    bed_expect_of(bed.host, 50, "container.privileged", "true");
    hear(&bed, 3);
    bed_expect_of(bed.host, 50, "container.privileged", NULL);
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(newer_version_is_in_use_when_its_event_has_come_back)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    for (unsigned v = 1; v < 4; v++) {
        char before[8], after[8];

        snprintf(before, sizeof(before), "v%u", v - 1);
        snprintf(after, sizeof(after), "v%u", v);
        put(&bed, 3, v);
        bed_expect_of(bed.host, 50, "container.image.tag", before);
        wait_queued(&bed);
        bed_expect_of(bed.host, 50, "container.image.tag", before);
        hear(&bed, 3);
        bed_expect_of(bed.host, 50, "container.image.tag", after);
    }
    ck_assert_double_eq(bed_metric(bed.host, "lookups_untold"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(what_stands_at_the_start_counts_as_told)
{
    struct bed bed;

    bed_make(&bed);
    put(&bed, 3, 0);
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_exec(bed.host, 50, bed_path(3));
    put(&bed, 3, 1);
    bed_expect_of(bed.host, 50, "container.image.tag", "v0");
    bed_close(&bed);
}
END_TEST

START_TEST(what_stands_in_a_successor_is_in_use_with_it)
{
    struct bed bed;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    put(&bed, 3, 1);
    wait_queued(&bed); // told of in the old region
    ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    bed_wait_metric(bed.host, "region_swaps", 1);
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    hear(&bed, 3); // whose version means nothing any more
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    put(&bed, 3, 2);
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    hear(&bed, 3);
    bed_expect_of(bed.host, 50, "container.image.tag", "v2");
    bed_close(&bed);
}
END_TEST

// The host's queue was full, and said nothing.
START_TEST(version_whose_event_is_lost_is_in_use_two_seconds_later)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    put(&bed, 3, 1);
    wait_queued(&bed);
    ck_assert(ear_steal(bed.host, &told));
    host_event(bed.host, event_procexit(1, told.ts + 1900000000));
    bed_expect_of(bed.host, 50, "container.image.tag", "v0");
    host_event(bed.host, event_procexit(1, told.ts + 2100000000));
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// One that comes back answers for those before it.
START_TEST(version_whose_event_is_lost_is_in_use_when_a_later_one_comes_back)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    put(&bed, 3, 1);
    wait_queued(&bed);
    ck_assert(ear_steal(bed.host, &told));
    ear_clear(&told);
    put(&bed, 4, 0);
    hear(&bed, 4);
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    bed_close(&bed);
}
END_TEST

// More than can be noted: nothing may stay behind for ever.
START_TEST(host_that_returns_nothing_has_all_shown_as_it_is)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    bed_exec(bed.host, 50, bed_path(3));
    for (unsigned lot = 0; lot < 2; lot++) {
        for (unsigned n = 0; n < 256; n++)
            put(&bed, 100 + n, lot);
        bed_wait_metric(bed.host, "events_emitted", 1 + 256 * (lot + 1));
        while (ear_steal(bed.host, &told))
            ear_clear(&told);
        LEAP_SECONDS(11);
        bed_wait_metric(bed.host, "events_unacknowledged", 256 * (lot + 1));
    }
    put(&bed, 3, 1);
    bed_wait_metric(bed.host, "events_emitted", 1 + 2 * 256 + 1);
    host_event(bed.host, event_procexit(1, 0));
    bed_expect_of(bed.host, 50, "container.image.tag", "v1");
    bed_close(&bed);
}
END_TEST

// A capture has its events, and they shall say what they said.
START_TEST(container_without_a_name_is_told_at_once_if_an_event_was_seen_of_it)
{
    struct bed bed;
    struct told told;

    bed_open(&bed, NULL);
    put_unnamed(&bed, 3);
    put_unnamed(&bed, 4);
    bed_wait_metric(bed.host, "n_containers", 2);
    bed_exec(bed.host, 50, bed_path(4));
    bed_expect_of(bed.host, 50, "container.type", "docker");
    hear(&bed, 4);
    bed_expect_of(bed.host, 50, "container.type", "docker");
    put(&bed, 5, 0);
    hear(&bed, 5); // and not the other one
    put(&bed, 4, 0);
    told = ear_expect(bed.host, "container", 4);
    ck_assert_ptr_null(json_object_get(told.doc, "unknown"));
    ear_clear(&told);
    bed_close(&bed);
}
END_TEST

// --- captures ------------------------------------------------------------------------------------

START_TEST(dump_tells_what_is_in_use)
{
    struct bed bed;
    struct host *replay;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    hear(&bed, 3);
    put(&bed, 3, 1);
    wait_queued(&bed);
    replay = bed_host(&bed, NULL);
    ck_assert_int_eq(host_dump(bed.host, replay), 1);
    ck_assert_int_eq(host_open_savefile(replay), 0);
    bed_exec(replay, 50, bed_path(3));
    bed_expect(replay, "container.image.tag", "v0");
    bed_end(replay);
    bed_close(&bed);
}
END_TEST

START_TEST(what_a_dump_tells_stays_in_use)
{
    struct bed bed;
    struct host *replay;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    wait_queued(&bed);
    replay = bed_host(&bed, NULL);
    ck_assert_int_eq(host_dump(bed.host, replay), 1);
    put(&bed, 3, 1);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.image.tag", "v0");
    bed_end(replay);
    bed_close(&bed);
}
END_TEST

START_TEST(dump_tells_of_removed_containers_whose_events_may_follow)
{
    struct bed bed;
    struct host *replay;

    bed_open(&bed, NULL);
    put(&bed, 3, 0);
    remove_sample(&bed, 3);
    replay = bed_host(&bed, NULL);
    ck_assert_int_eq(host_dump(bed.host, replay), 2); // that it was, and that it is gone
    ck_assert_int_eq(host_open_savefile(replay), 0);
    bed_exec(replay, 50, bed_path(3));
    bed_expect(replay, "container.name", "container-3");
    host_event(replay, event_procexit(50, 0));
    bed_end(replay);
    bed_close(&bed);
}
END_TEST

#define SAMPLES 6u

// The oldest container event, to both.
static void deliver(struct bed *bed, struct host *replay)
{
    struct falco_event *event = async_queue_pop(host_instance(bed->host)->async), *copy;

    if (!event)
        return;
    copy = malloc(event->len);
    memcpy(copy, event, event->len);
    host_event(bed->host, event);
    host_event(replay, copy);
}

static void expect_same(struct host *live, struct host *replay, uint64_t tid)
{
    static const char *const fields[] = {"container.id",          "container.name",
                                         "container.image",       "container.image.tag",
                                         "container.ip",          "container.privileged",
                                         "container.mounts",      "container.labels",
                                         "container.healthcheck", "container.mount[/srv/*]"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *text = host_text(live, fields[i]);
        char expected[512];

        snprintf(expected, sizeof(expected), "%s", text ? text : "");
        host_event(replay, event_any(tid, 0));
        bed_expect(replay, fields[i], text ? expected : NULL);
    }
}

// Whether the next event of a thread is given what has been told.
static bool is_told(struct bed *bed, uint64_t tid)
{
    double before = bed_metric(bed->host, "lookups_untold");

    host_event(bed->host, event_any(tid, 0));
    host_text(bed->host, "container.name");
    return bed_metric(bed->host, "lookups_untold") == before;
}

// Where the live run knows more, it tells so without being waited for.
static void process(struct bed *bed, struct host *replay, unsigned n)
{
    int64_t tid = 100 + n;

    bed_exec(bed->host, tid, bed_path(n));
    bed_exec(replay, tid, bed_path(n));
    while (!is_told(bed, (uint64_t)tid))
        deliver(bed, replay);
    expect_same(bed->host, replay, (uint64_t)tid);
}

// The daemon and the follower go on as they like between the events of the stream.
static void step(struct bed *bed, struct host *replay, unsigned *random)
{
    unsigned n = (unsigned)rand_r(random) % SAMPLES, v = (unsigned)rand_r(random) % 4;

    switch ((unsigned)rand_r(random) % 12) {
    case 0:
        put_unnamed(bed, n);
        break;
    case 1:
        // One that comes again and goes again between two looks of the follower isn't told twice.
        process(bed, replay, n);
        remove_sample(bed, n);
        break;
    case 2:
    case 3:
        put_known(bed, n, v, CMETA_GROUPS_ALL);
        break;
    case 4:
        async_queue_wait(host_instance(bed->host)->async, 3);
        break;
    case 5:
    case 6:
    case 7:
        deliver(bed, replay);
        break;
    default:
        process(bed, replay, n);
    }
}

START_TEST(live_and_replay_agree_at_every_event_that_is_not_counted_as_untold)
{
    for (unsigned seed = 0; seed < 12; seed++) {
        unsigned random = seed;
        struct host *replay;
        struct bed bed;

        bed_open(&bed, NULL);
        replay = bed_host(&bed, NULL);
        ck_assert_int_eq(host_open_savefile(replay), 0);
        for (unsigned i = 0; i < 400; i++)
            step(&bed, replay, &random);
        bed_end(replay);
        bed_close(&bed);
    }
}
END_TEST

CHECK_MAIN("plugin_stream", 60, untold_container_is_shown_as_it_is_and_told_at_once,
           what_an_incomplete_version_lacks_is_shown_as_soon_as_it_is_known,
           incomplete_version_is_kept_while_the_next_knows_no_more,
           complete_version_is_kept_until_the_event_of_one_that_knows_less,
           newer_version_is_in_use_when_its_event_has_come_back,
           what_stands_at_the_start_counts_as_told, what_stands_in_a_successor_is_in_use_with_it,
           version_whose_event_is_lost_is_in_use_two_seconds_later,
           version_whose_event_is_lost_is_in_use_when_a_later_one_comes_back,
           host_that_returns_nothing_has_all_shown_as_it_is,
           container_without_a_name_is_told_at_once_if_an_event_was_seen_of_it,
           dump_tells_what_is_in_use, what_a_dump_tells_stays_in_use,
           dump_tells_of_removed_containers_whose_events_may_follow,
           live_and_replay_agree_at_every_event_that_is_not_counted_as_untold)
