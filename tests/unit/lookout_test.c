// SPDX-License-Identifier: Apache-2.0
// The lookout: cgroups that come and go, around a fake Docker that says nothing by itself.
#include "containerd-meta/lookout.h"
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

struct bed {
    struct fixture f;
    char mountinfo[96], root[96];
    struct lookout *lookout;
};

static void inspect_answer(struct bed *bed, const char *id, const char *status)
{
    char prefix[160], body[2048];

    snprintf(prefix, sizeof(prefix), "/v1.41/containers/%s/json", id);
    snprintf(body, sizeof(body),
             "{\"Id\":\"%s\",\"Name\":\"/web\",\"Created\":\"2026-11-22T02:15:16Z\","
             "\"State\":{\"Status\":\"%s\",\"Pid\":%d,\"StartedAt\":\"2026-11-22T02:15:17Z\"},"
             "\"Image\":\"sha256:6b80\",\"Config\":{\"Image\":\"reg:5000/a/b:1\",\"Labels\":{}},"
             "\"HostConfig\":{},\"Mounts\":[],\"NetworkSettings\":{}}",
             id, status, strcmp(status, "running") == 0 ? 77 : 0);
    fake_http_answer(bed->f.fake, prefix, 200, body);
}

static void path_of(const struct bed *bed, char path[200], const char *id)
{
    snprintf(path, 200, "%s/docker/%s", bed->root, id);
}

static void make_cgroup(struct bed *bed, const char *id)
{
    char path[200];

    path_of(bed, path, id);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void drop_cgroup(struct bed *bed, const char *id)
{
    char path[200];

    path_of(bed, path, id);
    ck_assert_int_eq(rmdir(path), 0);
}

static bool settled(struct fixture *f, const void *lookout)
{
    (void)f;
    lookout_tick((struct lookout *)(uintptr_t)lookout);
    return fixture_counter(f, "cgroups") >= 2;
}

static void begin(struct bed *bed, uint64_t end_us)
{
    struct cgroup_options cgroups = {.mountinfo = bed->mountinfo, .host_root = ""};
    struct lookout_use use;
    char path[128];
    FILE *file;

    fixture_make(&bed->f);
    snprintf(bed->mountinfo, sizeof(bed->mountinfo), "%s/mountinfo", bed->f.dir.path);
    snprintf(bed->root, sizeof(bed->root), "%s/v2", bed->f.dir.path);
    ck_assert_int_eq(mkdir(bed->root, 0755), 0);
    snprintf(path, sizeof(path), "%s/docker", bed->root);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    file = fopen(bed->mountinfo, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "30 23 0:26 / %s rw - cgroup2 cgroup2 rw\n", bed->root);
    fclose(file);
    fixture_run(&bed->f, "");
    use = (struct lookout_use){.event = bed->f.event,
                               .store = bed->f.store,
                               .instances = bed->f.instances,
                               .publisher = bed->f.publisher,
                               .ask_us = 10000,
                               .end_us = end_us};
    ck_assert_int_eq(lookout_new(&use, &cgroups, &bed->lookout), 0);
    ck_assert(fixture_wait(&bed->f, fixture_connected, NULL));
    ck_assert(fixture_wait(&bed->f, settled, bed->lookout));
}

static void end(struct bed *bed)
{
    lookout_free(bed->lookout);
    fixture_remove(&bed->f);
}

START_TEST(an_engine_is_asked_for_a_container_whose_cgroup_appears)
{
    struct bed bed;

    begin(&bed, 0);
    inspect_answer(&bed, ID_A, "running");
    make_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(fixture_counter(&bed.f, "hints_total"), 1);
    // one that is known whole isn't asked for again
    drop_cgroup(&bed, ID_A);
    make_cgroup(&bed, ID_A);
    inspect_answer(&bed, ID_B, "running");
    make_cgroup(&bed, ID_B);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_B));
    ck_assert_uint_eq(fixture_counter(&bed.f, "hints_total"), 2);
    ck_assert_uint_eq(fixture_counter(&bed.f, "cgroup_containers_total"), 3);
    end(&bed);
}
END_TEST

static bool numbered(struct fixture *f, const void *bed)
{
    struct cmeta_container content;
    struct cmeta_region region = {0};
    struct cmeta_view view;
    cmeta_handle handle;
    void *scratch = NULL;
    char path[200];
    struct stat st;
    bool same;

    path_of(bed, path, ID_A);
    ck_assert_int_eq(stat(path, &st), 0);
    if (!fixture_find(f, ID_A, &region, &handle) || !cmeta_reader_record(&region, handle, &view) ||
        cmeta_view_decode(&view, &content, &scratch) != 0)
        return false;
    same = content.cgroup_id == st.st_ino;
    free(scratch);
    return same;
}

START_TEST(the_cgroups_id_is_in_the_record)
{
    struct bed bed;

    begin(&bed, 0);
    inspect_answer(&bed, ID_A, "running");
    make_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    store_tick(bed.f.store, 0);
    ck_assert(fixture_wait(&bed.f, numbered, &bed));
    end(&bed);
}
END_TEST

static bool is_exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

// A container must not count as running for ever because its engine has no word for it.
START_TEST(a_container_whose_cgroup_went_is_asked_for_and_its_engine_tells)
{
    struct bed bed;

    begin(&bed, 3600000000);
    inspect_answer(&bed, ID_A, "running");
    make_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_state(&bed.f, ID_A), CMETA_STATE_RUNNING);
    inspect_answer(&bed, ID_A, "exited");
    drop_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, is_exited, ID_A));
    ck_assert_uint_eq(fixture_counter(&bed.f, "cgroup_stops_total"), 0);
    end(&bed);
}
END_TEST

START_TEST(where_the_engine_is_silent_the_container_counts_as_exited_until_it_speaks)
{
    struct bed bed;
    struct cmeta_status status;

    begin(&bed, 50000);
    inspect_answer(&bed, ID_A, "running");
    make_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    fake_http_on(bed.f.fake,
                 &(struct fake_rule){.prefix = "/v1.41/containers/" ID_A, .action = FAKE_HANG});
    drop_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, is_exited, ID_A));
    ck_assert_uint_eq(fixture_counter(&bed.f, "cgroup_stops_total"), 1);
    status = fixture_status(&bed.f, ID_A);
    ck_assert_uint_eq(status.pid, 0);
    ck_assert_uint_ne(status.finished_ns, 0);
    ck_assert_uint_eq(status.word & CMETA_STATUS_HAS_EXIT, 0);              // nobody knows the code
    ck_assert_str_eq(fixture_text(&bed.f, ID_A, CMETA_STRING_NAME), "web"); // it isn't gone
    end(&bed);
}
END_TEST

static bool asked_twice(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_counter(f, "hints_total") >= 2;
}

START_TEST(a_container_whose_cgroup_came_back_goes_on)
{
    struct bed bed;

    begin(&bed, 20000);
    inspect_answer(&bed, ID_A, "running");
    make_cgroup(&bed, ID_A);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    fake_http_on(bed.f.fake,
                 &(struct fake_rule){.prefix = "/v1.41/containers/" ID_A, .action = FAKE_HANG});
    drop_cgroup(&bed, ID_A);
    make_cgroup(&bed, ID_A); // a restart
    make_cgroup(&bed, ID_B); // after which this is seen
    ck_assert(fixture_wait(&bed.f, asked_twice, NULL));
    for (unsigned i = 0; i < 20; i++)
        sd_event_run(bed.f.event, 5000);
    ck_assert_uint_eq(fixture_state(&bed.f, ID_A), CMETA_STATE_RUNNING);
    end(&bed);
}
END_TEST

static bool some_dropped(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_counter(f, "hints_dropped_total") > 0;
}

START_TEST(a_storm_of_cgroups_asks_no_more_than_the_limit)
{
    struct bed bed;
    char id[65];

    begin(&bed, 0);
    for (unsigned i = 0; i < 3 * LOOKOUT_HINTS_PER_S; i++) {
        snprintf(id, sizeof(id), "%064x", i);
        make_cgroup(&bed, id);
    }
    ck_assert(fixture_wait(&bed.f, some_dropped, NULL));
    end(&bed);
}
END_TEST

CHECK_MAIN("lookout", 60, an_engine_is_asked_for_a_container_whose_cgroup_appears,
           the_cgroups_id_is_in_the_record,
           a_container_whose_cgroup_went_is_asked_for_and_its_engine_tells,
           where_the_engine_is_silent_the_container_counts_as_exited_until_it_speaks,
           a_container_whose_cgroup_came_back_goes_on,
           a_storm_of_cgroups_asks_no_more_than_the_limit)
