// SPDX-License-Identifier: Apache-2.0
// The LXC engine, from a folder of configurations, a /proc of the test's own and monitors that the
// test plays, to the region.
#include "containerd-meta/clock.h"
#include "containerd-meta/engine/engine.h"
#include "tests/unit/support/host_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONFIG                                                                               \
    "lxc.rootfs.path = dir:/srv/web/rootfs\nlxc.net.0.type = veth\n"                         \
    "lxc.net.0.ipv4.address = 10.0.3.5/24\nlxc.mount.entry = /srv/data data none bind 0 0\n" \
    "lxc.cgroup2.memory.max = 64M\n"
#define SCOPE_PATH "/lxc"

// --- places --------------------------------------------------------------------------------------

static void put_config(const char *name, const char *text)
{
    char path[400];

    snprintf(path, sizeof(path), "/lxc/%s/config", name);
    host_put(path, text);
}

static void remove_config(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/lxc/%s/config", host_root, name);
    ck_assert_int_eq(unlink(path), 0);
}

static void make_bed(struct fixture *f)
{
    char path[200];

    host_make(f, "lxc", SCOPE_PATH);
    snprintf(path, sizeof(path), "%s" SCOPE_PATH, host_root);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

// --- a monitor -----------------------------------------------------------------------------------

struct monitor {
    sd_event_source *source;
    int fd;
    int64_t state, pid;
    const char *cgroup;
    enum { ANSWERS, HANGS, HANGS_UP, RAVES } manner;
    unsigned asked;
};

struct wire {
    int32_t what, len;
    int64_t data;
};

static void answer(struct monitor *m, int fd, const struct wire *question)
{
    struct wire reply = {0};
    char text[256] = "";

    if (question->what == 3)
        reply.data = m->state;
    else if (question->what == 4)
        reply.data = m->pid;
    else if (question->what == 6 && m->cgroup) {
        snprintf(text, sizeof(text), "%s", m->cgroup);
        reply.len = (int32_t)strlen(text) + 1;
    }
    if (m->manner == RAVES)
        reply = (struct wire){.what = 7, .len = INT32_MAX, .data = -1};
    ck_assert_int_eq(write(fd, &reply, sizeof(reply)), sizeof(reply));
    if (reply.len > 0 && m->manner != RAVES)
        ck_assert_int_eq(write(fd, text, (size_t)reply.len), reply.len);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct monitor *m = userdata;
    struct wire question;
    int client = accept(fd, NULL, NULL);

    (void)source;
    (void)revents;
    ck_assert_int_ge(client, 0);
    m->asked++;
    ck_assert_int_eq(read(client, &question, sizeof(question)), sizeof(question));
    if (m->manner == HANGS)
        return 0; // the connection stays, for ever
    if (m->manner != HANGS_UP)
        answer(m, client, &question);
    close(client);
    return 0;
}

static void monitor_start(struct fixture *f, struct monitor *m, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, SCOPE_PATH "/%s/command",
                     name);

    m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(m->fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    ck_assert_int_eq(listen(m->fd, 100), 0);
    ck_assert_int_ge(sd_event_add_io(f->event, &m->source, m->fd, EPOLLIN, on_client, m), 0);
}

static void monitor_stop(struct monitor *m)
{
    sd_event_source_disable_unref(m->source);
    close(m->fd);
}

// --- conditions ----------------------------------------------------------------------------------

static void hint(struct fixture *f, const char *id)
{
    instances_hint(f->instances, id, strlen(id));
}

static bool is_running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING && fixture_status(f, id).pid != 0;
}

static bool is_exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

static bool was_asked(struct fixture *f, const void *monitor)
{
    (void)f;
    return ((const struct monitor *)monitor)->asked > 0;
}

// --- tests ---------------------------------------------------------------------------------------

START_TEST(a_container_is_complete_before_it_is_started)
{
    struct fixture f;

    make_bed(&f);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    put_config("web", CONFIG);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert_uint_eq(fixture_type(&f, "web"), CMETA_TYPE_LXC);
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE), "");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IP), "10.0.3.5");
    ck_assert_str_eq(fixture_label(&f, "web", "lxc.rootfs.path"), "/srv/web/rootfs");
    ck_assert_uint_eq(fixture_flags(&f, "web"), CMETA_FLAG_PRIVILEGED);
    ck_assert_uint_eq(fixture_state(&f, "web"), CMETA_STATE_EXITED);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_hint_finds_that_it_was_started_and_its_end_is_told)
{
    struct monitor m = {.state = 2, .pid = 400};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    host_put_process(400, "/lxc.payload.web");
    monitor_start(&f, &m, "web");
    hint(&f, "web");
    ck_assert(fixture_wait(&f, is_running, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 400);
    monitor_stop(&m);
    host_end_process(400);
    hint(&f, "web");
    ck_assert(fixture_wait(&f, is_exited, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 0);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_second_cgroup_of_the_name_is_the_containers_id)
{
    struct monitor m = {.state = 2, .pid = 401};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_put_process(401, "/init/lxc.payload.web-1");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    monitor_start(&f, &m, "web");
    hint(&f, "web-1");
    ck_assert(fixture_wait(&f, is_running, "web-1"));
    ck_assert_str_eq(fixture_text(&f, "web-1", CMETA_STRING_NAME), "web");
    ck_assert(fixture_lacks(&f, "web"));
    monitor_stop(&m);
    host_end_process(401);
    hint(&f, "web-1");
    ck_assert(fixture_wait(&f, is_exited, "web"));
    ck_assert(fixture_lacks(&f, "web-1"));
    fixture_remove(&f);
}
END_TEST

// A monitor doesn't answer before its container runs: its name must be known all the same.
START_TEST(a_container_that_is_starting_has_the_hinted_id)
{
    struct monitor m = {.manner = HANGS};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    monitor_start(&f, &m, "web");
    hint(&f, "web-12");
    ck_assert(fixture_complete(&f, "web-12"));
    ck_assert_uint_eq(fixture_state(&f, "web-12"), CMETA_STATE_CREATED);
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

START_TEST(the_cgroup_tells_before_there_is_a_process)
{
    struct monitor m = {.state = 1, .pid = 0, .cgroup = "/lxc.payload.web-3"};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    monitor_start(&f, &m, "web");
    hint(&f, "web");
    ck_assert(fixture_wait(&f, fixture_complete, "web-3"));
    ck_assert_uint_eq(fixture_state(&f, "web-3"), CMETA_STATE_CREATED);
    host_put_process(402, "/lxc.payload.web-3");
    m.state = 2;
    m.pid = 402;
    ck_assert(fixture_wait(&f, is_running, "web-3")); // it is asked again by itself
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

static bool is_paused(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_PAUSED;
}

START_TEST(a_frozen_container_is_paused)
{
    struct monitor m = {.state = 6, .pid = 403};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_put_process(403, "/lxc.payload.web");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    monitor_start(&f, &m, "web");
    hint(&f, "web");
    ck_assert(fixture_wait(&f, is_paused, "web"));
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

static bool has_address(struct fixture *f, const void *address)
{
    return strcmp(fixture_text(f, "web", CMETA_STRING_IP), address) == 0;
}

START_TEST(live_addresses_are_read_without_entering_a_namespace)
{
    struct monitor m = {.state = 2, .pid = 404};
    struct fixture f;

    make_bed(&f);
    put_config("web", "lxc.net.0.type = veth\n");
    host_put_process(404, "/lxc.payload.web");
    host_put("/proc/404/net/fib_trie",
             "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n"
             "     +-- 10.9.0.0/24 2 0 2\n        |-- 10.9.0.0\n           /24 link UNICAST\n"
             "        |-- 10.9.0.8\n           /32 host LOCAL\n        |-- 10.9.0.255\n"
             "           /32 link BROADCAST\n"
             "     |-- 127.0.0.1\n        /32 host LOCAL\n");
    host_put("/proc/404/net/if_inet6", "fe80000000000000000000000000000a 02 40 20 80     eth0\n"
                                       "20010db800000000000000000000000b 02 40 00 80     eth0\n"
                                       "00000000000000000000000000000001 01 80 10 80       lo\n");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert_uint_eq(fixture_known(&f, "web") & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK), 0);
    monitor_start(&f, &m, "web");
    hint(&f, "web");
    ck_assert(fixture_wait(&f, has_address, "10.9.0.8"));
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_removed_container_is_gone_and_a_renamed_one_another)
{
    char from[512], to[512];
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    snprintf(from, sizeof(from), "%s/lxc/web", host_root);
    snprintf(to, sizeof(to), "%s/lxc/shop", host_root);
    ck_assert_int_eq(rename(from, to), 0);
    ck_assert(fixture_wait(&f, fixture_complete, "shop"));
    ck_assert(fixture_wait(&f, fixture_lacks, "web"));
    remove_config("shop");
    ck_assert(fixture_wait(&f, fixture_lacks, "shop"));
    fixture_remove(&f);
}
END_TEST

static bool is_waiting_without_claims(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_WAITING && fixture_count(f) == 0;
}

START_TEST(a_folder_that_is_absent_is_waited_for_and_may_go_and_come)
{
    char command[300];
    struct fixture f;

    make_bed(&f);
    snprintf(command, sizeof(command), "rmdir %s/lxc", host_root);
    ck_assert_int_eq(system(command), 0);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL));
    for (unsigned round = 0; round < 2; round++) {
        put_config("web", CONFIG);
        ck_assert(fixture_wait(&f, fixture_complete, "web"));
        ck_assert(fixture_wait(&f, fixture_connected, NULL));
        snprintf(command, sizeof(command), "rm -r %s/lxc", host_root);
        ck_assert_int_eq(system(command), 0);
        ck_assert(fixture_wait(&f, is_waiting_without_claims, NULL));
    }
    fixture_remove(&f);
}
END_TEST

START_TEST(odd_names_are_containers_too)
{
    static const char *const names[] = {"with space", "quo\"te'", "\xc3\xbc\xe4\xb8\xad",
                                        "new\nline",  "a.b-1",    NULL};
    struct fixture f;

    make_bed(&f);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    for (size_t i = 0; names[i]; i++) {
        put_config(names[i], CONFIG);
        ck_assert_msg(fixture_wait(&f, fixture_complete, names[i]), "%s", names[i]);
        ck_assert_str_eq(fixture_text(&f, names[i], CMETA_STRING_NAME), names[i]);
    }
    fixture_remove(&f);
}
END_TEST

START_TEST(a_configuration_that_cannot_be_read_costs_its_groups_only)
{
    char *huge = calloc(1, (1 << 20) + 2);
    struct fixture f;

    memset(huge, '\n', (1 << 20) + 1);
    make_bed(&f);
    put_config("huge", huge);
    put_config("broken", "lxc.include = /not/there\n");
    put_config("rubbish", "\xff\xfe\x01====\n");
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert(fixture_wait(&f, fixture_has, "huge"));
    ck_assert(fixture_wait(&f, fixture_has, "broken"));
    ck_assert(fixture_wait(&f, fixture_complete, "rubbish"));
    ck_assert_str_eq(fixture_text(&f, "huge", CMETA_STRING_NAME), "huge");
    ck_assert(!fixture_complete(&f, "huge"));
    ck_assert(!fixture_complete(&f, "broken"));
    ck_assert_uint_eq(fixture_reason(&f, "broken", CMETA_GROUP_SECURITY), CMETA_REASON_NOT_TOLD);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_ge(fixture_row(&f, 0).errors_total, 2);
    put_config("broken", CONFIG);
    ck_assert(fixture_wait(&f, fixture_complete, "broken"));
    free(huge);
    fixture_remove(&f);
}
END_TEST

START_TEST(includes_are_read_below_the_hosts_root)
{
    struct fixture f;

    make_bed(&f);
    host_put("/usr/share/lxc/config/common.conf",
             "lxc.idmap = u 0 100000 65536\nlxc.include = /usr/share/lxc/config/common.conf.d/\n");
    host_put("/usr/share/lxc/config/common.conf.d/00-net.conf", "lxc.net.0.type = none\n");
    host_put("/usr/share/lxc/config/common.conf.d/README", "lxc.namespace.keep = pid\n");
    put_config("web", "lxc.include = /usr/share/lxc/config/common.conf\n");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert_uint_eq(fixture_flags(&f, "web"), CMETA_FLAG_HOST_NETWORK);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_folder_of_somebodys_includes_nothing_of_his)
{
    char path[300];
    struct fixture f;

    make_bed(&f);
    host_put("/home/me/mine.conf", "lxc.net.0.type = none\n");
    host_put("/usr/share/lxc/config/common.conf", "lxc.net.0.type = none\n");
    put_config("mine", "lxc.include = /home/me/mine.conf\n");
    put_config("common", "lxc.include = /usr/share/lxc/config/common.conf\n");
    put_config("up", "lxc.include = /usr/share/lxc/../../../home/me/mine.conf\n");
    snprintf(path, sizeof(path), "%s/lxc", host_root);
    ck_assert_int_eq(chmod(path, 0777), 0);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "common"));
    ck_assert(fixture_wait(&f, fixture_has, "mine"));
    ck_assert(fixture_wait(&f, fixture_has, "up"));
    ck_assert(!fixture_complete(&f, "mine"));
    ck_assert(!fixture_complete(&f, "up"));
    fixture_remove(&f);
}
END_TEST

// One engine's fault never touches another container's record.
START_TEST(monitors_that_hang_hang_up_or_rave_cost_their_own_state_only)
{
    struct monitor hung = {.manner = HANGS}, closing = {.manner = HANGS_UP},
                   raving = {.manner = RAVES}, well = {.state = 2, .pid = 405};
    struct fixture f;

    make_bed(&f);
    host_put_process(405, "/lxc.payload.well");
    host_run(&f);
    monitor_start(&f, &hung, "hung");
    monitor_start(&f, &closing, "closing");
    monitor_start(&f, &raving, "raving");
    monitor_start(&f, &well, "well");
    put_config("hung", CONFIG);
    put_config("closing", CONFIG);
    put_config("raving", CONFIG);
    put_config("well", CONFIG);
    ck_assert(fixture_wait(&f, is_running, "well"));
    ck_assert(fixture_wait(&f, fixture_complete, "closing"));
    ck_assert(fixture_wait(&f, fixture_complete, "raving"));
    ck_assert(fixture_wait(&f, was_asked, &hung));
    monitor_stop(&hung);
    monitor_stop(&closing);
    monitor_stop(&raving);
    monitor_stop(&well);
    fixture_remove(&f);
}
END_TEST

// The PID of an answer may be another process's.
START_TEST(a_process_that_is_not_there_is_not_believed)
{
    struct monitor m = {.state = 2, .pid = 406};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    host_run(&f);
    monitor_start(&f, &m, "web");
    ck_assert(fixture_wait(&f, was_asked, &m));
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 0);
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

static bool confirmed(struct fixture *f, const void *id)
{
    return fixture_has(f, id) && !(fixture_status(f, id).word & CMETA_STATUS_UNCONFIRMED);
}

START_TEST(a_restarted_daemon_confirms_what_runs_and_ends_what_went)
{
    struct monitor m = {.state = 2, .pid = 407};
    struct fixture f;

    make_bed(&f);
    put_config("web", CONFIG);
    put_config("gone", CONFIG);
    host_put_process(407, "/lxc.payload.web-1");
    host_run(&f);
    monitor_start(&f, &m, "web");
    ck_assert(fixture_wait(&f, is_running, "web-1"));
    ck_assert(fixture_wait(&f, fixture_complete, "gone"));
    monitor_stop(&m);
    fixture_end(&f);
    remove_config("gone");
    host_run(&f);
    monitor_start(&f, &m, "web");
    ck_assert(fixture_wait(&f, confirmed, "web-1"));
    ck_assert(fixture_wait(&f, fixture_lacks, "gone"));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(fixture_has(&f, "web-1"));
    monitor_stop(&m);
    fixture_remove(&f);
}
END_TEST

static bool has_count(struct fixture *f, const void *count)
{
    return fixture_count(f) == *(const unsigned *)count;
}

START_TEST(a_thousand_containers_at_once)
{
    const unsigned thousand = 1000, none = 0;
    char name[32], command[300];
    struct fixture f;

    make_bed(&f);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    for (unsigned i = 0; i < thousand; i++) {
        snprintf(name, sizeof(name), "c%u", i);
        put_config(name, CONFIG);
    }
    ck_assert(fixture_wait(&f, has_count, &thousand));
    ck_assert(fixture_complete(&f, "c999"));
    snprintf(command, sizeof(command), "rm -r %s/lxc/*", host_root);
    ck_assert_int_eq(system(command), 0);
    ck_assert(fixture_wait(&f, has_count, &none));
    fixture_remove(&f);
}
END_TEST

START_TEST(the_systems_lxcpath_is_where_its_configuration_says)
{
    struct fixture f;

    make_bed(&f);
    snprintf(f.folder, sizeof(f.folder), "/var/lib/lxc");
    host_put("/etc/lxc/lxc.conf", "# moved\nlxc.bdev.lvm.vg = x\nlxc.lxcpath = /lxc\n");
    put_config("web", CONFIG);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "web"));
    ck_assert_int_eq(strncmp(fixture_status(&f, "web").scope.data, "lxc", 4), 0);
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("lxc", 60, a_container_is_complete_before_it_is_started,
           a_hint_finds_that_it_was_started_and_its_end_is_told,
           a_second_cgroup_of_the_name_is_the_containers_id,
           a_container_that_is_starting_has_the_hinted_id,
           the_cgroup_tells_before_there_is_a_process, a_frozen_container_is_paused,
           live_addresses_are_read_without_entering_a_namespace,
           a_removed_container_is_gone_and_a_renamed_one_another,
           a_folder_that_is_absent_is_waited_for_and_may_go_and_come, odd_names_are_containers_too,
           a_configuration_that_cannot_be_read_costs_its_groups_only,
           includes_are_read_below_the_hosts_root, a_folder_of_somebodys_includes_nothing_of_his,
           monitors_that_hang_hang_up_or_rave_cost_their_own_state_only,
           a_process_that_is_not_there_is_not_believed,
           a_restarted_daemon_confirms_what_runs_and_ends_what_went, a_thousand_containers_at_once,
           the_systems_lxcpath_is_where_its_configuration_says)
