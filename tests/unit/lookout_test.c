// SPDX-License-Identifier: Apache-2.0
// The lookout: cgroups that come and go, around a fake Docker that says nothing by itself.
#include "containerd-meta/lookout.h"
#include "shm/leads.h"
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
                               .dir = bed->f.region_dir,
                               .gid = -1,
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

// --- readers -------------------------------------------------------------------------------------

static void send_to(struct bed *bed, const void *data, size_t len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/hint", bed->f.region_dir);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(sendto(fd, data, len, 0, (struct sockaddr *)&address, sizeof(address)) ==
                      (ssize_t)len,
                  "%s", strerror(errno));
    close(fd);
}

static struct cmeta_hint make_hint(const char *id, enum cmeta_miss miss)
{
    struct cmeta_hint hint = {.magic = CMETA_HINT_MAGIC,
                              .version = CMETA_HINT_VERSION,
                              .id_len = (uint16_t)strlen(id),
                              .sender = 7,
                              .layout = CMETA_LAYOUT_BARE_HEX,
                              .miss = (uint8_t)miss};

    memcpy(hint.id, id, strlen(id));
    return hint;
}

static void tell(struct bed *bed, const struct cmeta_hint *hint)
{
    send_to(bed, hint, CMETA_HINT_HEAD + hint->id_len);
}

// The ring of misses has it, and when its record came.
static bool miss_is_whole(struct fixture *f, const void *bed)
{
    struct cmeta_miss_entry entry;
    struct cmeta_region region;
    cmeta_handle handle;

    lookout_tick(((const struct bed *)bed)->lookout);
    ck_assert(fixture_find(f, ID_A, &region, &handle));
    ck_assert_int_eq(cmeta_reader_miss(&region, 1, &entry), -ENODATA);
    return cmeta_reader_miss(&region, 0, &entry) == 1 && memcmp(entry.id, ID_A, 64) == 0 &&
           entry.whole_ns >= entry.heard_ns;
}

START_TEST(an_engine_is_asked_for_what_a_reader_misses)
{
    struct cmeta_hint hint = make_hint(ID_A, CMETA_MISS_ABSENT);
    struct stat st;
    char path[160];
    struct bed bed;

    begin(&bed, 0);
    snprintf(path, sizeof(path), "%s/hint", bed.f.region_dir);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    inspect_answer(&bed, ID_A, "running");
    tell(&bed, &hint);
    ck_assert(fixture_wait(&bed.f, fixture_complete, ID_A));
    ck_assert_uint_eq(fixture_counter(&bed.f, "plugin_hints_total"), 1);
    ck_assert_uint_eq(fixture_counter(&bed.f, "hints_total"), 1);
    ck_assert(fixture_wait(&bed.f, miss_is_whole, &bed));
    end(&bed);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

static bool counted(struct fixture *f, const void *wanted)
{
    return fixture_counter(f, "first_complete_total") >= *(const uint64_t *)wanted;
}

START_TEST(totals_of_readers_add_up_and_a_lost_one_costs_nothing)
{
    struct cmeta_hint hint = make_hint("", CMETA_MISS_NONE);
    uint64_t wanted = 10;
    struct bed bed;

    begin(&bed, 0);
    hint.first[CMETA_FIRST_COMPLETE] = 10;
    tell(&bed, &hint);
    ck_assert(fixture_wait(&bed.f, counted, &wanted));
    hint.first[CMETA_FIRST_COMPLETE] = 25;
    hint.first[CMETA_FIRST_ABSENT] = 1;
    tell(&bed, &hint);
    hint.sender = 8; // another Falco
    hint.first[CMETA_FIRST_COMPLETE] = 5;
    hint.first[CMETA_FIRST_ABSENT] = 0;
    tell(&bed, &hint);
    wanted = 30;
    ck_assert(fixture_wait(&bed.f, counted, &wanted));
    ck_assert_uint_eq(fixture_counter(&bed.f, "first_complete_total"), 30);
    ck_assert_uint_eq(fixture_counter(&bed.f, "first_absent_total"), 1);
    hint.first[CMETA_FIRST_COMPLETE] = 2; // counts backwards: nobody's
    tell(&bed, &hint);
    hint.first[CMETA_FIRST_COMPLETE] = 6;
    tell(&bed, &hint);
    wanted = 31;
    ck_assert(fixture_wait(&bed.f, counted, &wanted));
    ck_assert_uint_eq(fixture_counter(&bed.f, "first_complete_total"), 31);
    end(&bed);
}
END_TEST

static bool refused(struct fixture *f, const void *wanted)
{
    return fixture_counter(f, "plugin_hints_refused_total") >= *(const unsigned *)wanted;
}

START_TEST(what_makes_no_sense_is_counted_and_nothing_more)
{
    static char large[4096];
    unsigned wanted = 0;
    struct cmeta_hint hint;
    struct bed bed;

    begin(&bed, 0);
#define REFUSED(change, length)                            \
    do {                                                   \
        hint = make_hint(ID_A, CMETA_MISS_ABSENT);         \
        change;                                            \
        send_to(&bed, &hint, length);                      \
        wanted++;                                          \
        ck_assert(fixture_wait(&bed.f, refused, &wanted)); \
    } while (0)
#define WHOLE CMETA_HINT_HEAD + hint.id_len
    REFUSED(hint.magic++, WHOLE);
    REFUSED(hint.version++, WHOLE);
    REFUSED(hint.miss = CMETA_MISS_COUNT, WHOLE);
    REFUSED(hint.miss = CMETA_MISS_NONE, WHOLE);
    REFUSED(hint.layout = CMETA_LAYOUT_COUNT, WHOLE);
    REFUSED(hint.id_len = 256, WHOLE);
    REFUSED(hint.id_len = 0, WHOLE);
    REFUSED(hint.id_len = 63, WHOLE + 1);
    REFUSED((void)0, CMETA_HINT_HEAD - 1);
    REFUSED((void)0, 0);
    REFUSED(memcpy(hint.id, "..", 2), WHOLE);
    REFUSED(hint.id[9] = '/', WHOLE);
    REFUSED(hint.id[9] = '\"', WHOLE);
    REFUSED(hint.id[9] = '\0', WHOLE);
    send_to(&bed, large, sizeof(large));
    wanted++;
    ck_assert(fixture_wait(&bed.f, refused, &wanted));
    ck_assert_uint_eq(fixture_counter(&bed.f, "plugin_hints_refused_total"), wanted);
    ck_assert_uint_eq(fixture_counter(&bed.f, "hints_total"), 0);
    end(&bed);
}
END_TEST

CHECK_MAIN("lookout", 60, an_engine_is_asked_for_what_a_reader_misses,
           totals_of_readers_add_up_and_a_lost_one_costs_nothing,
           what_makes_no_sense_is_counted_and_nothing_more,
           an_engine_is_asked_for_a_container_whose_cgroup_appears, the_cgroups_id_is_in_the_record,
           a_container_whose_cgroup_went_is_asked_for_and_its_engine_tells,
           where_the_engine_is_silent_the_container_counts_as_exited_until_it_speaks,
           a_container_whose_cgroup_came_back_goes_on,
           a_storm_of_cgroups_asks_no_more_than_the_limit)
