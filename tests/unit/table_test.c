// SPDX-License-Identifier: Apache-2.0
// Writer and reader together, in one process.
#include "shm/counters.h"
#include "shm/edit.h"
#include "shm/hint.h"
#include "shm/leads.h"
#include "shm/writer.h"
#include "unit/support/check_main.h"
#include "unit/support/sample_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct temp_dir dir;
static struct cmeta_writer *writer;

static void setup(const struct cmeta_writer_options *options)
{
    temp_dir_make(&dir);
    writer = sample_writer(dir.path, options);
}

static void teardown(void)
{
    writer = cmeta_writer_free(writer);
    temp_dir_remove(&dir);
}

static const struct cmeta_region *live(void)
{
    return cmeta_writer_region(writer);
}

static uint64_t counter(uint32_t index)
{
    struct cmeta_counter c;

    ck_assert_int_eq(cmeta_reader_counter(live(), index, &c), 1);
    return c.value;
}

static void assert_value(const struct cmeta_region *region, const char *id, size_t len,
                         enum cmeta_string which, const char *expected)
{
    cmeta_handle handle;
    char value[256];

    ck_assert_int_eq(cmeta_reader_find(region, id, len, &handle), CMETA_FOUND);
    ck_assert_int_eq(cmeta_reader_value(region, handle, which, value, sizeof(value)),
                     (int)strlen(expected));
    ck_assert_str_eq(value, expected);
}

START_TEST(what_was_put_is_found_by_short_and_full_id)
{
    struct cmeta_region mapped;
    struct cmeta_status status;
    cmeta_handle handle, full;
    char id[65];

    setup(NULL);
    ck_assert_int_eq(sample_put(writer, 1, 1), CMETA_PUT_CREATED);
    ck_assert_int_eq(cmeta_region_map(dir.path, &mapped), 0);
    sample_id(1, id);
    assert_value(&mapped, id, 12, CMETA_STRING_NAME, "container-1");
    ck_assert_int_eq(cmeta_reader_find(&mapped, id, 12, &handle), CMETA_FOUND);
    ck_assert_int_eq(cmeta_reader_find_full(&mapped, id, 64, NULL, 0, &full), CMETA_FOUND);
    ck_assert_uint_eq(handle, full);
    ck_assert_int_eq(cmeta_reader_find_full(&mapped, id, 64, "docker", 6, &full), CMETA_FOUND);
    ck_assert_int_eq(cmeta_reader_find_full(&mapped, id, 64, "podman", 6, &full), CMETA_ABSENT);
    ck_assert_int_eq(cmeta_reader_find(&mapped, id, 11, &handle), CMETA_ABSENT);
    ck_assert_int_eq(cmeta_reader_status(&mapped, full, &status), 1);
    ck_assert_uint_eq(status.pid, 1001);
    ck_assert_uint_eq(CMETA_STATUS_STATE(status.word), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(status.id.len, 64);
    ck_assert_mem_eq(status.id.data, id, 64);
    sample_id(2, id);
    ck_assert_int_eq(cmeta_reader_find(&mapped, id, 12, &handle), CMETA_ABSENT);
    cmeta_region_unmap(&mapped);
    teardown();
}
END_TEST

START_TEST(short_ids_are_found_in_either_case)
{
    cmeta_handle handle;
    char id[65], upper[65];

    setup(NULL);
    sample_put(writer, 3, 1);
    sample_id(3, id);
    for (int i = 0; i < 65; i++)
        upper[i] = (char)(id[i] >= 'a' && id[i] <= 'f' ? id[i] - 32 : id[i]);
    ck_assert_int_eq(cmeta_reader_find(live(), upper, 12, &handle), CMETA_FOUND);
    teardown();
}
END_TEST

static int put_named(const char *id, const char *scope, unsigned n)
{
    _Alignas(8) uint8_t record[4096];
    struct cmeta_name name = {{id, (uint32_t)strlen(id)}, {scope, (uint32_t)strlen(scope)}};
    struct cmeta_live alive = {.word = CMETA_STATE_RUNNING};
    int size = sample_record(n, 1, record, sizeof(record));

    return cmeta_writer_put(writer, &name, record, (size_t)size, &alive);
}

START_TEST(one_name_in_two_scopes_is_two_containers)
{
    cmeta_handle handle, other;

    setup(NULL);
    ck_assert_int_eq(put_named("web", "containerd/default", 1), CMETA_PUT_CREATED);
    assert_value(live(), "web", 3, CMETA_STRING_NAME, "container-1");
    ck_assert_int_eq(put_named("web", "containerd/shop", 2), CMETA_PUT_CREATED);
    ck_assert_int_eq(put_named("web", "lxc", 3), CMETA_PUT_CREATED);
    ck_assert_int_eq(cmeta_reader_find(live(), "web", 3, &handle), CMETA_AMBIGUOUS);
    ck_assert_int_eq(cmeta_reader_find_full(live(), "web", 3, NULL, 0, &handle), CMETA_AMBIGUOUS);
    ck_assert_int_eq(cmeta_reader_find_full(live(), "web", 3, "containerd/shop", 15, &handle),
                     CMETA_FOUND);
    ck_assert_int_eq(cmeta_reader_find_full(live(), "web", 3, "lxc", 3, &other), CMETA_FOUND);
    ck_assert_uint_ne(handle, other);
    teardown();
}
END_TEST

START_TEST(two_ids_that_share_twelve_digits_are_ambiguous_by_short_id_only)
{
    char a[65] = "aaaabbbbcccc0000000000000000000000000000000000000000000000000001";
    char b[65] = "aaaabbbbcccc0000000000000000000000000000000000000000000000000002";
    cmeta_handle handle;

    setup(NULL);
    put_named(a, "docker", 1);
    put_named(b, "docker", 2);
    ck_assert_int_eq(cmeta_reader_find(live(), a, 12, &handle), CMETA_AMBIGUOUS);
    ck_assert_int_eq(cmeta_reader_find_full(live(), b, 64, NULL, 0, &handle), CMETA_FOUND);
    // A free-form ID that is just those twelve digits shares container.id with them, too.
    put_named("aaaabbbbcccc", "containerd/default", 3);
    ck_assert_int_eq(
        cmeta_reader_find_full(live(), "aaaabbbbcccc", 12, "containerd/default", 18, &handle),
        CMETA_FOUND);
    teardown();
}
END_TEST

START_TEST(a_live_container_is_preferred_to_a_removed_one)
{
    char id[65];
    struct cmeta_name lxc = {CMETA_STR("web"), CMETA_STR("lxc")};

    setup(NULL);
    put_named("web", "lxc", 1);
    ck_assert_int_eq(cmeta_writer_remove(writer, &lxc, 1), 1);
    assert_value(live(), "web", 3, CMETA_STRING_NAME, "container-1");
    put_named("web", "containerd/default", 2);
    assert_value(live(), "web", 3, CMETA_STRING_NAME, "container-2");
    (void)id;
    teardown();
}
END_TEST

START_TEST(unchanged_bytes_are_not_published)
{
    uint64_t revision;

    setup(NULL);
    sample_put(writer, 1, 1);
    revision = cmeta_reader_revision(live());
    ck_assert_int_eq(sample_put(writer, 1, 1), CMETA_PUT_UNCHANGED);
    ck_assert_uint_eq(cmeta_reader_revision(live()), revision);
    ck_assert_int_eq(sample_put(writer, 1, 2), CMETA_PUT_UPDATED);
    ck_assert_uint_eq(cmeta_reader_revision(live()), revision + 1);
    ck_assert_uint_eq(counter(CMETA_COUNT_UNCHANGED), 1);
    teardown();
}
END_TEST

START_TEST(a_handle_outlives_updates_and_never_means_another)
{
    cmeta_handle handle, again;
    char id[65], value[64];
    char name_id[65];
    struct cmeta_name name = sample_name(1, name_id);

    setup(NULL);
    sample_put(writer, 1, 1);
    sample_id(1, id);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_FOUND);
    sample_put(writer, 1, 2);
    ck_assert_int_gt(cmeta_reader_value(live(), handle, CMETA_STRING_IMAGE_TAG, value, 64), 0);
    ck_assert_str_eq(value, "v2");
    cmeta_writer_remove(writer, &name, 5);
    cmeta_writer_tick(writer, UINT64_MAX / 2, 1);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &again), CMETA_ABSENT);
    for (unsigned n = 2; n < 50; n++)
        sample_put(writer, n, 1);
    ck_assert_int_gt(cmeta_reader_value(live(), handle, CMETA_STRING_NAME, value, 64), 0);
    ck_assert_str_eq(value, "container-1");
    ck_assert_int_eq(
        cmeta_reader_value(live(), handle ^ (UINT64_C(2) << 40), CMETA_STRING_NAME, value, 64),
        -ESTALE);
    // an offset where a record is, no identity
    again = cmeta_handle_make(live(), live()->arena_offset + live()->arena_bytes - 64);
    ck_assert_int_eq(cmeta_reader_value(live(), again, CMETA_STRING_NAME, value, 64), -ESTALE);
    teardown();
}
END_TEST

START_TEST(a_removed_container_stays_readable_until_the_grace_period_is_over)
{
    const uint64_t removed = UINT64_C(1700000000000000000), grace = UINT64_C(60000000000);
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    cmeta_handle handle;
    uint64_t wait;

    setup(NULL);
    sample_put(writer, 1, 1);
    ck_assert_int_eq(cmeta_writer_remove(writer, &name, removed), 1);
    ck_assert_int_eq(cmeta_writer_remove(writer, &name, removed), 0);
    ck_assert_uint_eq(cmeta_reader_tombstones(live()), 1);
    assert_value(live(), id, 12, CMETA_STRING_NAME, "container-1");
    cmeta_writer_tick(writer, removed, 1);
    wait = cmeta_writer_tick(writer, removed + grace - 5, 2);
    ck_assert_uint_le(wait, 5);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_FOUND);
    cmeta_writer_tick(writer, removed + grace, 3);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_ABSENT);
    ck_assert_uint_eq(cmeta_reader_tombstones(live()), 0);
    ck_assert_uint_eq(cmeta_reader_identities(live()), 0);
    ck_assert_uint_eq(counter(CMETA_COUNT_FORGOTTEN), 1);
    teardown();
}
END_TEST

START_TEST(a_removed_container_that_reappears_is_revived_in_place)
{
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    struct cmeta_status status;
    cmeta_handle before, after;

    setup(NULL);
    sample_put(writer, 1, 1);
    cmeta_reader_find(live(), id, 12, &before);
    cmeta_writer_remove(writer, &name, 5);
    ck_assert_int_eq(sample_put(writer, 1, 1), CMETA_PUT_REVIVED);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &after), CMETA_FOUND);
    ck_assert_uint_eq(before, after);
    cmeta_reader_status(live(), after, &status);
    ck_assert_uint_eq(CMETA_STATUS_STATE(status.word), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(status.removed_ns, 0);
    ck_assert_uint_eq(cmeta_reader_tombstones(live()), 0);
    teardown();
}
END_TEST

START_TEST(a_full_region_is_replaced_by_one_with_room_for_four_times_the_live_bytes)
{
    struct cmeta_region first;
    char id[65];

    setup(NULL);
    ck_assert_int_eq(cmeta_region_map(dir.path, &first), 0);
    for (unsigned n = 0; n < 4000; n++)
        ck_assert_int_eq(sample_put(writer, n, 1), CMETA_PUT_CREATED);
    ck_assert_uint_gt(counter(CMETA_COUNT_REPLACED), 0);
    ck_assert_uint_eq(counter(CMETA_COUNT_CREATED), 4000);
    ck_assert_uint_eq(cmeta_reader_identities(live()), 4000);
    ck_assert_int_eq(cmeta_region_is_current(&first, dir.path), 0);
    ck_assert_int_eq(cmeta_region_is_current(live(), dir.path), 1);
    ck_assert_uint_eq(cmeta_reader_state(&first), CMETA_REGION_RETIRED);
    for (unsigned n = 0; n < 4000; n++) {
        char expected[32];

        sample_id(n, id);
        snprintf(expected, sizeof(expected), "container-%u", n);
        assert_value(live(), id, 12, CMETA_STRING_NAME, expected);
    }
    sample_id(0, id);
    assert_value(&first, id, 12, CMETA_STRING_NAME, "container-0");
    cmeta_region_unmap(&first);
    teardown();
}
END_TEST

START_TEST(a_draining_region_still_gets_the_changes)
{
    struct cmeta_writer_options options = {.gid = -1, .drain_ns = 10000000000ull};
    struct cmeta_region old;
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    struct cmeta_status status;
    cmeta_handle handle;

    setup(&options);
    sample_put(writer, 1, 1);
    ck_assert_int_eq(cmeta_region_map(dir.path, &old), 0);
    ck_assert_int_eq(cmeta_writer_replace(writer), 0);
    ck_assert_uint_eq(cmeta_reader_state(&old), CMETA_REGION_DRAINING);
    sample_put(writer, 1, 2);
    sample_put(writer, 2, 1);
    assert_value(&old, id, 12, CMETA_STRING_IMAGE_TAG, "v2");
    cmeta_writer_remove(writer, &name, 5);
    ck_assert_int_eq(cmeta_reader_find(&old, id, 12, &handle), CMETA_FOUND);
    cmeta_reader_status(&old, handle, &status);
    ck_assert_uint_eq(CMETA_STATUS_STATE(status.word), CMETA_STATE_REMOVED);
    sample_id(2, id);
    assert_value(&old, id, 12, CMETA_STRING_NAME, "container-2");
    ck_assert_uint_eq(cmeta_reader_revision(&old), cmeta_reader_revision(live()));
    cmeta_writer_tick(writer, 6, UINT64_MAX / 2);
    ck_assert_uint_eq(cmeta_reader_state(&old), CMETA_REGION_RETIRED);
    sample_put(writer, 3, 1);
    sample_id(3, id);
    ck_assert_int_eq(cmeta_reader_find(&old, id, 12, &handle), CMETA_ABSENT);
    cmeta_region_unmap(&old);
    teardown();
}
END_TEST

START_TEST(at_the_ceiling_removed_then_ended_containers_go_then_new_ones_are_refused)
{
    struct cmeta_writer_options options = {.gid = -1, .max_bytes = 2 << 20};
    unsigned n, put = 0;
    char id[65];
    cmeta_handle handle;
    int r = 0;

    setup(&options);
    // One removed, one ended, the others running.
    sample_put(writer, 0, 1);
    sample_put(writer, 1, 1);
    struct cmeta_name removed = sample_name(0, id);
    cmeta_writer_remove(writer, &removed, 5);
    struct cmeta_live ended = {.word = CMETA_STATE_EXITED, .finished_ns = 7};
    struct cmeta_name name = sample_name(1, id);
    ck_assert_int_eq(cmeta_writer_put(writer, &name, NULL, 0, &ended), CMETA_PUT_UPDATED);
    for (n = 2; n < 10000; n++) {
        r = sample_put(writer, n, 1);
        if (r < 0)
            break;
        put++;
    }
    ck_assert_int_eq(r, -ENOSPC);
    ck_assert_uint_gt(put, 500);
    ck_assert_uint_ge(counter(CMETA_COUNT_REFUSED), 1);
    ck_assert_uint_eq(counter(CMETA_COUNT_EVICTED), 2);
    sample_id(1, id);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_ABSENT);
    // What stands still gets its news, again and again, and no put compacts without need.
    uint64_t replaced = counter(CMETA_COUNT_REPLACED);
    for (unsigned v = 2; v < 300; v++)
        ck_assert_int_eq(sample_put(writer, 2 + v % put, v), CMETA_PUT_UPDATED);
    ck_assert_uint_lt(counter(CMETA_COUNT_REPLACED) - replaced, 30);
    // Compaction made room for a few; a storm of new ones is refused without compacting each time.
    unsigned refused = 0;
    for (unsigned v = 0; v < 300; v++)
        refused += sample_put(writer, 20000 + v, 1) == -ENOSPC;
    ck_assert_uint_gt(refused, 200);
    ck_assert_uint_lt(counter(CMETA_COUNT_REPLACED) - replaced, 40);
    teardown();
}
END_TEST

START_TEST(iteration_sees_each_container_once)
{
    static unsigned seen[300];
    uint64_t cursor = 0;
    cmeta_handle handle;
    int r;

    setup(NULL);
    for (unsigned n = 0; n < 300; n++)
        sample_put(writer, n, 1);
    memset(seen, 0, sizeof(seen));
    while ((r = cmeta_reader_next(live(), &cursor, &handle)) != 0) {
        char name[64];
        unsigned n;

        if (r == CMETA_ITERATE_MORE)
            continue;
        cmeta_reader_value(live(), handle, CMETA_STRING_NAME, name, sizeof(name));
        ck_assert_int_eq(sscanf(name, "container-%u", &n), 1);
        seen[n]++;
    }
    for (unsigned n = 0; n < 300; n++)
        ck_assert_uint_eq(seen[n], 1);
    teardown();
}
END_TEST

START_TEST(a_follower_sees_every_change_in_order_and_learns_when_it_was_lapped)
{
    struct cmeta_change change;
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    uint64_t seen = 0;

    setup(NULL);
    seen = cmeta_reader_revision(live());
    ck_assert_int_eq(cmeta_follow_next(live(), &seen, &change), CMETA_FOLLOW_NONE);
    sample_put(writer, 1, 1);
    sample_put(writer, 1, 2);
    cmeta_writer_remove(writer, &name, 5);
    cmeta_writer_tick(writer, UINT64_MAX / 2, 1);
    const uint32_t kinds[] = {CMETA_CHANGE_RECORD, CMETA_CHANGE_RECORD, CMETA_CHANGE_REMOVED,
                              CMETA_CHANGE_FORGOTTEN};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(cmeta_follow_next(live(), &seen, &change), CMETA_FOLLOW_CHANGE);
        ck_assert_uint_eq(change.kind, kinds[i]);
        ck_assert_uint_eq(change.revision, seen);
        ck_assert(cmeta_handle_is_of(live(), change.handle));
    }
    ck_assert_int_eq(cmeta_follow_next(live(), &seen, &change), CMETA_FOLLOW_NONE);
    for (unsigned n = 0; n < 1000; n++)
        for (unsigned v = 0; v < 6; v++)
            sample_put(writer, n % 10, n * 6 + v);
    ck_assert_int_eq(cmeta_follow_next(live(), &seen, &change), CMETA_FOLLOW_LAPPED);
    teardown();
}
END_TEST

START_TEST(engine_rows_and_counters_describe_themselves_and_survive_replacement)
{
    struct cmeta_engine_row row = {.state = CMETA_ENGINE_CONNECTED, .containers = 7}, read;
    struct cmeta_counter c;

    setup(NULL);
    strcpy(row.name, "docker");
    strcpy(row.socket, "/run/docker.sock");
    cmeta_writer_engine(writer, 3, &row);
    cmeta_writer_count(writer, CMETA_COUNT_ENGINE_EVENTS, 5);
    ck_assert_int_eq(cmeta_writer_replace(writer), 0);
    ck_assert_int_eq(cmeta_reader_engine(live(), 2, &read), 0);
    ck_assert_int_eq(cmeta_reader_engine(live(), 3, &read), 1);
    ck_assert_str_eq(read.socket, "/run/docker.sock");
    ck_assert_uint_eq(read.containers, 7);
    ck_assert_int_eq(cmeta_reader_counter(live(), CMETA_COUNT_ENGINE_EVENTS, &c), 1);
    ck_assert_str_eq(c.name, "engine_events_total");
    ck_assert_uint_eq(c.value, 5);
    ck_assert_uint_gt(strlen(c.help), 10);
    ck_assert_int_eq(cmeta_reader_counter(live(), CMETA_COUNT_COUNT, &c), 0);
    teardown();
}
END_TEST

START_TEST(memory_is_flat_over_a_million_containers)
{
    struct cmeta_writer_options options = {.gid = -1, .grace_ns = 1};
    char id[65];
    uint64_t size = 0;

    setup(&options);
    for (unsigned n = 0; n < 1000000; n++) {
        struct cmeta_name name = sample_name(n, id);

        ck_assert_int_eq(sample_put(writer, n, 1), CMETA_PUT_CREATED);
        ck_assert_int_eq(cmeta_writer_remove(writer, &name, n + 1), 1);
        if (n % 64 == 63)
            cmeta_writer_tick(writer, n + 3, n);
        if (n == 100000)
            size = live()->size;
    }
    ck_assert_uint_eq(live()->size, size);
    ck_assert_uint_eq(size, 2 << 20);
    teardown();
}
END_TEST

START_TEST(bad_names_are_refused)
{
    static char long_id[300];

    setup(NULL);
    memset(long_id, 'a', 299);
    ck_assert_int_eq(put_named(long_id, "", 1), -E2BIG);
    ck_assert_int_eq(put_named("", "", 1), -E2BIG);
    ck_assert_int_eq(put_named("x", long_id, 1), -E2BIG);
    struct cmeta_name name = {CMETA_STR("nobody"), CMETA_STR("")};
    struct cmeta_live alive = {0};
    ck_assert_int_eq(cmeta_writer_put(writer, &name, NULL, 0, &alive), -ENOENT);
    ck_assert_int_eq(cmeta_writer_remove(writer, &name, 5), 0);
    teardown();
}
END_TEST

START_TEST(colliding_keys_are_bounded_and_hurt_nobody_else)
{
    char id[65];
    cmeta_handle handle;
    unsigned put = 0;

    setup(NULL);
    sample_put(writer, 1, 1);
    for (unsigned n = 0; n < 200; n++) {
        snprintf(id, sizeof(id), "abcdefabcdef%052u", n);
        if (put_named(id, "docker", n) >= 0)
            put++;
    }
    ck_assert_uint_ge(put, 40);
    ck_assert_uint_le(put, CMETA_CHAIN_MAX * CMETA_CELLS);
    sample_id(1, id);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_FOUND);
    ck_assert_int_eq(sample_put(writer, 2, 1), CMETA_PUT_CREATED);
    teardown();
}
END_TEST

START_TEST(a_clock_that_is_set_back_does_not_keep_the_dead)
{
    const uint64_t hour = UINT64_C(3600000000000), now = UINT64_C(1700000000000000000);
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    cmeta_handle handle;

    setup(NULL);
    sample_put(writer, 1, 1);
    cmeta_writer_remove(writer, &name, now);
    cmeta_writer_tick(writer, now - 2 * hour, 1);
    ck_assert_int_eq(cmeta_reader_find(live(), id, 12, &handle), CMETA_ABSENT);
    teardown();
}
END_TEST

START_TEST(leads_and_misses_survive_replacement)
{
    struct cmeta_miss_entry entry = {.miss = CMETA_MISS_ABSENT, .id_len = 3, .when_ns = 7}, read;
    uint32_t count[CMETA_LEAD_BUCKETS];

    setup(NULL);
    memcpy(entry.id, "web", 3);
    cmeta_writer_lead(writer, 3, 300000000);
    cmeta_writer_lead(writer, 3, 300000000);
    cmeta_writer_lead(writer, 3, -1);
    cmeta_writer_lead(writer, CMETA_ENGINE_ROWS, 1); // none such
    ck_assert_uint_eq(cmeta_writer_misses(writer), 256);
    cmeta_writer_miss(writer, 255, &entry);
    cmeta_writer_miss(writer, 256, &entry);
    ck_assert_int_eq(cmeta_writer_replace(writer), 0);
    ck_assert_int_eq(cmeta_reader_leads(live(), 3, count), 1);
    ck_assert_uint_eq(count[cmeta_lead_bucket(300000000)], 2);
    ck_assert_uint_eq(count[CMETA_LEAD_MIDDLE - 1], 1);
    ck_assert_int_eq(cmeta_reader_leads(live(), CMETA_ENGINE_ROWS, count), 0);
    ck_assert_int_eq(cmeta_reader_miss(live(), 0, &read), -ENODATA);
    ck_assert_int_eq(cmeta_reader_miss(live(), 255, &read), 1);
    ck_assert_uint_eq(read.when_ns, 7);
    ck_assert_mem_eq(read.id, "web", 3);
    ck_assert_int_eq(cmeta_reader_miss(live(), 256, &read), 0);
    entry.id_len = CMETA_MISS_ID + 1;
    cmeta_writer_miss(writer, 1, &entry);
    ck_assert_int_eq(cmeta_reader_miss(live(), 1, &read), -EBADMSG);
    teardown();
}
END_TEST

START_TEST(a_lead_is_counted_by_its_power_of_two)
{
    static const struct {
        int64_t lead_us;
        int bucket; // from the middle
    } cases[] = {{0, 0},
                 {999, 0},
                 {1000, 1},
                 {1999, 1},
                 {2000, 2},
                 {3999, 2},
                 {4000, 3},
                 {65000, 7},
                 {-1, -1},
                 {-999, -1},
                 {-1000, -2},
                 {-2000, -3},
                 {-65000, -8},
                 {INT64_MAX / 1000, 15},
                 {INT64_MIN / 1000, -16}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_int_eq((int)cmeta_lead_bucket(cases[i].lead_us * 1000),
                         (int)CMETA_LEAD_MIDDLE + cases[i].bucket);
    ck_assert_uint_eq(cmeta_lead_bucket(INT64_MIN), 0);
    ck_assert_uint_eq(cmeta_lead_bucket(INT64_MAX), CMETA_LEAD_BUCKETS - 1);
}
END_TEST

CHECK_MAIN("table", 60, a_clock_that_is_set_back_does_not_keep_the_dead,
           what_was_put_is_found_by_short_and_full_id, short_ids_are_found_in_either_case,
           one_name_in_two_scopes_is_two_containers,
           two_ids_that_share_twelve_digits_are_ambiguous_by_short_id_only,
           a_live_container_is_preferred_to_a_removed_one, unchanged_bytes_are_not_published,
           a_handle_outlives_updates_and_never_means_another,
           a_removed_container_stays_readable_until_the_grace_period_is_over,
           a_removed_container_that_reappears_is_revived_in_place,
           a_full_region_is_replaced_by_one_with_room_for_four_times_the_live_bytes,
           a_draining_region_still_gets_the_changes,
           at_the_ceiling_removed_then_ended_containers_go_then_new_ones_are_refused,
           iteration_sees_each_container_once,
           a_follower_sees_every_change_in_order_and_learns_when_it_was_lapped,
           engine_rows_and_counters_describe_themselves_and_survive_replacement,
           memory_is_flat_over_a_million_containers, bad_names_are_refused,
           colliding_keys_are_bounded_and_hurt_nobody_else, leads_and_misses_survive_replacement,
           a_lead_is_counted_by_its_power_of_two)
