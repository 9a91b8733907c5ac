// SPDX-License-Identifier: Apache-2.0
// Sockets that patterns find: users that log in and out, and what their engines may say.
#include "containerd-meta/found_sockets.h"
#include "tests/unit/support/fixture.h"
#include "tests/unit/support/leap.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define API  "/v4.0.0/libpod"
#define ID_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

static const char *user_socket(const struct fixture *f, const char *user)
{
    static char path[108];

    snprintf(path, sizeof(path), "%s/user/%s/podman.sock", f->dir.path, user);
    return path;
}

static void make_user(const struct fixture *f, const char *user)
{
    char path[108];

    snprintf(path, sizeof(path), "%s/user/%s", f->dir.path, user);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void unmake_user(const struct fixture *f, const char *user)
{
    char path[108];

    snprintf(path, sizeof(path), "%s/user/%s", f->dir.path, user);
    ck_assert_int_eq(rmdir(path), 0);
}

static struct fake_http *serve(const char *path)
{
    struct fake_http *fake = fake_http_start(path);

    fixture_serve_podman(fake);
    return fake;
}

// A user logs in: the folder, then the socket.
static struct fake_http *log_in(const struct fixture *f, const char *user)
{
    make_user(f, user);
    return serve(user_socket(f, user));
}

static void answer(struct fake_http *fake, const char *id, const char *name)
{
    char path[160], body[512];

    snprintf(body, sizeof(body), "[{\"Id\":\"%s\",\"Names\":[\"%s\"],\"State\":\"running\"}]", id,
             name);
    fake_http_answer(fake, API "/containers/json?all=1", 200, body);
    snprintf(path, sizeof(path), API "/containers/%s/json", id);
    snprintf(body, sizeof(body),
             "{\"Id\":\"%s\",\"Name\":\"%s\",\"State\":{\"Status\":\"running\",\"Pid\":7},"
             "\"ImageName\":\"%s:1\",\"Config\":{},\"HostConfig\":{},\"Mounts\":[],"
             "\"NetworkSettings\":{}}",
             id, name, name);
    fake_http_answer(fake, path, 200, body);
}

// Root's podman at the fixture's socket, and a pattern for the users'.
static void begin(struct fixture *f)
{
    char yaml[512], folder[108];

    fixture_make_podman(f);
    snprintf(folder, sizeof(folder), "%s/user", f->dir.path);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    fixture_run(f, "");
    snprintf(yaml, sizeof(yaml),
             "engines: {podman: {enabled: true, sockets: [%s, %s/user/*/podman.sock]}}\n",
             f->socket, f->dir.path);
    fixture_reload(f, yaml);
    ck_assert(fixture_wait(f, fixture_connected, NULL));
}

static int row_of(struct fixture *f, const char *socket)
{
    for (unsigned row = 0; row < CMETA_ENGINE_ROWS; row++)
        if (strcmp(fixture_row(f, row).socket, socket) == 0)
            return (int)row;
    return -1;
}

static bool driven(struct fixture *f, const void *user)
{
    int row = row_of(f, user_socket(f, user));

    return row >= 0 && fixture_row(f, (unsigned)row).state == CMETA_ENGINE_CONNECTED;
}

static bool not_driven(struct fixture *f, const void *user)
{
    return row_of(f, user_socket(f, user)) < 0;
}

static struct cmeta_engine_row pattern_row(struct fixture *f)
{
    int row = row_of(f, user_socket(f, "*"));

    ck_assert_int_ge(row, 0);
    return fixture_row(f, (unsigned)row);
}

START_TEST(a_pattern_has_one_star_for_a_whole_name)
{
    ck_assert(pattern_is("/run/user/*/podman/podman.sock"));
    ck_assert(pattern_is("/a/*/b"));
    ck_assert(!pattern_is("/run/podman/podman.sock"));
    ck_assert(!pattern_is("/run/user/*"));
    ck_assert(!pattern_is("/*/a"));
    ck_assert(!pattern_is("/run/user/10*/a"));
    ck_assert(!pattern_is("/run/*/*/a"));
    ck_assert(!pattern_is("/run/*/a*"));
}
END_TEST

static bool waits(struct fixture *f, const void *user)
{
    int row = row_of(f, user_socket(f, user));

    return row >= 0 && fixture_row(f, (unsigned)row).state == CMETA_ENGINE_WAITING;
}

static bool nothing_matches(struct fixture *f, const void *unused)
{
    (void)unused;
    return pattern_row(f).state == CMETA_ENGINE_WAITING;
}

START_TEST(a_user_who_logs_in_has_a_row_and_one_who_logs_out_has_none)
{
    struct fixture f;
    struct fake_http *fake;

    begin(&f);
    ck_assert_uint_eq(pattern_row(&f).state, CMETA_ENGINE_WAITING);
    fake = log_in(&f, "ann");
    answer(fake, ID_A, "hers");
    ck_assert(fixture_wait(&f, driven, "ann"));
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_uint_eq(pattern_row(&f).state, CMETA_ENGINE_CONNECTED);
    ck_assert_str_eq(pattern_row(&f).version, "1 socket");
    fake_http_stop(fake);
    unmake_user(&f, "ann");
    ck_assert(fixture_wait(&f, waits, "ann"));
    ck_assert(fixture_has(&f, ID_A)); // for a while
    LEAP_SECONDS(6);
    ck_assert(fixture_wait(&f, not_driven, "ann"));
    ck_assert(fixture_lacks(&f, ID_A));
    ck_assert(fixture_wait(&f, nothing_matches, NULL));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_users_service_that_is_only_restarted_keeps_its_row)
{
    struct fixture f;
    struct fake_http *fake;
    int row;

    begin(&f);
    fake = log_in(&f, "ann");
    answer(fake, ID_A, "hers");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    row = row_of(&f, user_socket(&f, "ann"));
    fake_http_down(fake);
    LEAP_SECONDS(3);
    fake_http_replace(fake);
    ck_assert(fake_http_wait_streams(f.fake, API "/events", 1, 10000));
    ck_assert(fixture_wait(&f, driven, "ann"));
    LEAP_SECONDS(6);
    ck_assert(fixture_wait(&f, driven, "ann"));
    ck_assert_int_eq(row_of(&f, user_socket(&f, "ann")), row);
    ck_assert(fixture_has(&f, ID_A));
    fake_http_stop(fake);
    fixture_remove(&f);
}
END_TEST

START_TEST(users_who_are_there_at_the_start_have_rows_at_once_and_lose_nothing_by_a_restart)
{
    struct fixture f;
    struct fake_http *fake;

    begin(&f);
    fake = log_in(&f, "ann");
    answer(fake, ID_A, "hers");
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake_http_accept(fake, false);
    fixture_end(&f);
    snprintf(f.socket, sizeof(f.socket), "%s/user/*/podman.sock", f.dir.path); // alone
    fixture_run(&f, "");
    ck_assert_int_ge(row_of(&f, user_socket(&f, "ann")), 0);
    ck_assert(fixture_complete(&f, ID_A));
    ck_assert_uint_ne(fixture_status(&f, ID_A).word & CMETA_STATUS_UNCONFIRMED, 0);
    fixture_end(&f);
    fake_http_stop(fake);
    fixture_remove(&f);
}
END_TEST

// What a user's engine says of root's container changes nothing, whoever speaks first.
START_TEST(a_user_who_claims_roots_container_changes_nothing)
{
    struct fixture f;
    struct fake_http *fake;

    begin(&f);
    answer(f.fake, ID_A, "roots");
    instances_relist(f.instances);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    fake = log_in(&f, "eve");
    answer(fake, ID_A, "eves");
    ck_assert(fixture_wait(&f, driven, "eve"));
    answer(fake, ID_B, "second");
    fake_http_cut(fake);
    ck_assert(fixture_wait(&f, fixture_complete, ID_B)); // so the first was told, and withdrawn
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "roots");
    ck_assert(fixture_has(&f, ID_A));
    fake_http_stop(fake);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_socket_of_somebody_elses_and_a_link_are_left_alone)
{
    struct fixture f;
    struct fake_http *own, *others, *numbered, *last;
    char path[108];

    if (getuid() != 0)
        check_skip("not root: nothing can be given to another user");
    begin(&f);
    others = log_in(&f, "ann");
    make_user(&f, "bob");
    ck_assert_int_eq(symlink(f.socket, user_socket(&f, "bob")), 0);
    make_user(&f, "4711"); // belongs to root, and so does the socket: systemd's way
    numbered = serve(user_socket(&f, "4711"));
    ck_assert(fixture_wait(&f, driven, "4711"));
    // eve's folder, with a socket that belongs to another user
    make_user(&f, "eve");
    snprintf(path, sizeof(path), "%s/user/eve", f.dir.path);
    ck_assert_int_eq(chown(path, 1234, 1234), 0);
    snprintf(path, sizeof(path), "%s/other.sock", f.dir.path);
    own = serve(path);
    ck_assert_int_eq(chown(path, 4321, 4321), 0);
    ck_assert_int_eq(rename(path, user_socket(&f, "eve")), 0);
    // a folder with another user's number
    make_user(&f, "1000");
    snprintf(path, sizeof(path), "%s/user/1000", f.dir.path);
    ck_assert_int_eq(chown(path, 1234, 1234), 0);
    ck_assert_int_eq(chown(user_socket(&f, "ann"), 1234, 1234), 0);
    ck_assert_int_eq(rename(user_socket(&f, "ann"), user_socket(&f, "1000")), 0);
    make_user(&f, "last");
    last = serve(user_socket(&f, "last"));
    ck_assert(fixture_wait(&f, driven, "last"));
    ck_assert(not_driven(&f, "bob"));
    ck_assert(not_driven(&f, "eve"));
    ck_assert(not_driven(&f, "1000"));
    ck_assert_uint_eq(fake_http_accepted(own), 0);
    fake_http_stop(own);
    fake_http_stop(others);
    fake_http_stop(numbered);
    fake_http_stop(last);
    fixture_remove(&f);
}
END_TEST

static bool is_disabled(struct fixture *f, const void *user)
{
    int row = row_of(f, user_socket(f, user));

    return row >= 0 && fixture_row(f, (unsigned)row).state == CMETA_ENGINE_DISABLED;
}

// Nobody named it: it is another engine's to drive, and asked no more.
START_TEST(another_engine_at_a_socket_that_nobody_named_is_no_failure)
{
    struct fixture f;
    struct fake_http *fake;
    char path[108];

    begin(&f);
    snprintf(path, sizeof(path), "%s/docker.sock", f.dir.path);
    fake = fake_http_start(path);
    fake_http_on(fake, &(struct fake_rule){
                           .prefix = "/_ping", .body = "OK", .headers = "Api-Version: 1.41\r\n"});
    make_user(&f, "ann");
    ck_assert_int_eq(rename(path, user_socket(&f, "ann")), 0);
    ck_assert(fixture_wait(&f, is_disabled, "ann"));
    LEAP_SECONDS(70);
    ck_assert(!fake_http_wait_request(f.fake, NULL, UINT16_MAX, 200));
    ck_assert_uint_eq(fake_http_accepted(fake), 1);
    fake_http_stop(fake);
    fixture_remove(&f);
}
END_TEST

static bool says_more(struct fixture *f, const void *unused)
{
    (void)unused;
    return strstr(pattern_row(f).last_error, "more sockets") != NULL;
}

static bool says_no_more(struct fixture *f, const void *unused)
{
    return !says_more(f, unused);
}

START_TEST(more_users_than_there_is_room_for_are_said_and_come_in_when_others_go)
{
    struct fixture f;
    struct fake_http *fakes[FOUND_SOCKETS_MAX + 1];
    char name[16];
    int out = -1, leaves = -1;

    begin(&f);
    for (unsigned i = 0; i <= FOUND_SOCKETS_MAX; i++) {
        snprintf(name, sizeof(name), "u%u", i);
        fakes[i] = log_in(&f, name);
    }
    ck_assert(fixture_wait(&f, says_more, NULL));
    ck_assert_str_eq(pattern_row(&f).version, "16 sockets");
    for (int i = 0; i <= (int)FOUND_SOCKETS_MAX; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        if (not_driven(&f, name))
            out = i;
        else
            leaves = i;
    }
    ck_assert_int_ge(out, 0);
    fakes[leaves] = fake_http_stop(fakes[leaves]);
    snprintf(name, sizeof(name), "u%d", leaves);
    unmake_user(&f, name);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    for (int i = 0; i < 3; i++) { // the end of its row, then the others are told again
        LEAP_SECONDS(6);
        fake_http_wait_request(f.fake, NULL, UINT16_MAX, 100);
    }
    snprintf(name, sizeof(name), "u%d", out);
    ck_assert(fixture_wait(&f, driven, name));
    ck_assert(fixture_wait(&f, says_no_more, NULL));
    for (unsigned i = 0; i <= FOUND_SOCKETS_MAX; i++)
        if (fakes[i])
            fake_http_stop(fakes[i]);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_folder_of_users_that_appears_later_is_found)
{
    struct fixture f;
    struct fake_http *fake;
    char path[108], yaml[512];

    begin(&f);
    snprintf(path, sizeof(path), "%s/user", f.dir.path);
    ck_assert_int_eq(rmdir(path), 0);
    snprintf(yaml, sizeof(yaml),
             "engines: {podman: {enabled: true, sockets: [%s/user/*/podman.sock]}}\n", f.dir.path);
    fixture_reload(&f, yaml);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    fake = log_in(&f, "ann");
    ck_assert(fixture_wait(&f, driven, "ann"));
    fake_http_stop(fake);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("found_sockets", 60, a_pattern_has_one_star_for_a_whole_name,
           a_user_who_logs_in_has_a_row_and_one_who_logs_out_has_none,
           a_users_service_that_is_only_restarted_keeps_its_row,
           users_who_are_there_at_the_start_have_rows_at_once_and_lose_nothing_by_a_restart,
           a_user_who_claims_roots_container_changes_nothing,
           a_socket_of_somebody_elses_and_a_link_are_left_alone,
           another_engine_at_a_socket_that_nobody_named_is_no_failure,
           more_users_than_there_is_room_for_are_said_and_come_in_when_others_go,
           a_folder_of_users_that_appears_later_is_found)
