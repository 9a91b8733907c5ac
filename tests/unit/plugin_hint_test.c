// SPDX-License-Identifier: Apache-2.0
// What the plugin tells the daemon: containers that the region doesn't have, or not whole, and how
// often the first look found all.
#include "shm/hint.h"
#include "support/plugin_bed.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEX "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"

// The daemon's end.
static int listen_in(const struct bed *bed)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/hint", bed->dir.path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

// The next datagram; the test's own limit ends it.
static struct cmeta_hint hear(struct bed *bed, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct cmeta_hint hint = {0};
    ssize_t len;

    while (poll(&ready, 1, 20) == 0)
        bed_tick(bed->host);
    len = recv(fd, &hint, sizeof(hint), MSG_TRUNC);
    ck_assert_int_gt(len, 0);
    ck_assert(cmeta_hint_check(&hint, (size_t)len));
    hint.id[hint.id_len] = '\0';
    return hint;
}

static void first_exec(struct host *host, int64_t tid, const char *path)
{
    char param[512];
    size_t len = (size_t)snprintf(param, sizeof(param), "cpu=%s", path) + 1;
    struct event_process p = {.tid = tid,
                              .pid = tid,
                              .ptid = 1,
                              .vtid = 1,
                              .vpid = 1,
                              .comm = "app",
                              .exe = "/app",
                              .cgroups = param,
                              .cgroups_len = len};

    host_event(host, event_clone(FALCO_EVENT_CLONE_EXIT, (uint64_t)tid, 0, &p));
    host_event(host, event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 0, &p));
}

START_TEST(a_container_that_the_region_lacks_is_told_of_by_its_full_id)
{
    struct bed bed;
    struct cmeta_hint hint;
    int fd;

    bed_open(&bed, NULL);
    fd = listen_in(&bed);
    bed_exec(bed.host, 50, "/docker/" HEX);
    bed_exec(bed.host, 51, "/docker/" HEX); // the same
    hint = hear(&bed, fd);
    ck_assert_str_eq(hint.id, HEX);
    ck_assert_uint_eq(hint.miss, CMETA_MISS_ABSENT);
    ck_assert_uint_eq(hint.layout, CMETA_LAYOUT_BARE_HEX);
    ck_assert_uint_ne(hint.sender, 0);
    bed_exec(bed.host, 52, "/docker/" HEX);
    bed_wait_metric(bed.host, "hints_sent", 1);
    ck_assert_int_eq(recv(fd, &hint, sizeof(hint), MSG_DONTWAIT), -1);
    close(fd);
    bed_close(&bed);
}
END_TEST

START_TEST(without_a_daemons_socket_nothing_happens)
{
    struct bed bed;

    bed_open(&bed, NULL);
    bed_exec(bed.host, 50, "/docker/" HEX);
    bed_expect(bed.host, "container.id", "3f8a1c5be07d");
    // known a moment later: the follower has been there since
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_exec(bed.host, 51, bed_path(3));
    bed_expect(bed.host, "container.name", "container-3");
    bed_wait_metric(bed.host, "n_containers", 1);
    ck_assert_double_eq(bed_metric(bed.host, "hints_sent"), 0);
    bed_close(&bed);
}
END_TEST

static void put_in_state(struct bed *bed, unsigned n, uint32_t known, uint32_t state)
{
    static uint64_t bytes[CMETA_RECORD_MAX / 8];
    struct cmeta_container content = {.type = CMETA_TYPE_DOCKER, .known = known, .size_rw = -1};
    struct cmeta_live live = {.word = state};
    char id[65];
    struct cmeta_name name = {{id, 64}, {"", 0}};
    int size;

    sample_id(n, id);
    size = cmeta_record_encode(&content, bytes, sizeof(bytes), NULL);
    ck_assert_int_gt(size, 0);
    ck_assert_int_ge(cmeta_writer_put(bed->writer, &name, bytes, (size_t)size, &live), 0);
}

START_TEST(the_first_program_of_a_container_is_counted_by_what_is_known_of_it)
{
    struct bed bed;
    struct cmeta_hint hint;
    char id[65];
    int fd;

    bed_open(&bed, NULL);
    fd = listen_in(&bed);
    put_in_state(&bed, 3, CMETA_GROUPS_COMPLETE, CMETA_STATE_CREATED);
    put_in_state(&bed, 4, CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY), CMETA_STATE_CREATED);
    put_in_state(&bed, 5, 0, CMETA_STATE_RUNNING);
    first_exec(bed.host, 50, bed_path(3));
    ck_assert_double_eq(bed_metric(bed.host, "first_complete"), 1);
    bed_exec(bed.host, 51, bed_path(3));   // one that isn't PID 1
    first_exec(bed.host, 52, bed_path(5)); // one that comes when it has long been running
    first_exec(bed.host, 53, "/docker/" HEX);
    first_exec(bed.host, 54, bed_path(4));
    ck_assert_double_eq(bed_metric(bed.host, "first_complete"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "first_incomplete"), 1);
    ck_assert_double_eq(bed_metric(bed.host, "first_absent"), 1);
    hint = hear(&bed, fd);
    ck_assert_uint_eq(hint.miss, CMETA_MISS_ABSENT);
    ck_assert_str_eq(hint.id, HEX);
    hint = hear(&bed, fd);
    sample_id(4, id);
    ck_assert_uint_eq(hint.miss, CMETA_MISS_INCOMPLETE);
    ck_assert_str_eq(hint.id, id);
    ck_assert_uint_eq(hint.first[CMETA_FIRST_COMPLETE], 1);
    ck_assert_uint_eq(hint.first[CMETA_FIRST_INCOMPLETE], 1);
    ck_assert_uint_eq(hint.first[CMETA_FIRST_ABSENT], 1);
    close(fd);
    bed_close(&bed);
}
END_TEST

// A host that is full of unknown containers must not flood the daemon, nor hold up an event.
START_TEST(a_flood_of_unknown_containers_is_cut)
{
    struct bed bed;
    char path[128];
    int fd;

    bed_open(&bed, NULL);
    fd = listen_in(&bed);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/docker/%064x", i);
        bed_exec(bed.host, 100 + i, path);
    }
    bed_wait_metric(bed.host, "n_containers", 0);
    ck_assert_double_gt(bed_metric(bed.host, "hints_dropped"), 0);
    ck_assert_double_le(bed_metric(bed.host, "hints_sent") + bed_metric(bed.host, "hints_dropped"),
                        1000);
    bed_expect(bed.host, "container.id", "000000000000");
    close(fd);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_hint", 60, a_container_that_the_region_lacks_is_told_of_by_its_full_id,
           without_a_daemons_socket_nothing_happens,
           the_first_program_of_a_container_is_counted_by_what_is_known_of_it,
           a_flood_of_unknown_containers_is_cut)
