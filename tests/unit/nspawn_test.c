// SPDX-License-Identifier: Apache-2.0
// The nspawn engine, from a fake systemd-machined on a private bus to the region.
#include "tests/fake/fake_machined.h"
#include "tests/unit/support/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCKER_ID "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"

static struct fixture f;
static struct fake_machined *fake;
static char bus[160];

// --- /proc of a host that isn't this one ---------------------------------------------------------

static void write_file(const char *name, const char *text)
{
    char path[256], folder[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", f.dir.path, name);
    for (char *slash = strchr(path + strlen(f.dir.path) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        mkdir(folder, 0755);
    }
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void link_file(const char *name, const char *as)
{
    char from[256], to[256];

    snprintf(from, sizeof(from), "%s/%s", f.dir.path, name);
    snprintf(to, sizeof(to), "%s/%s", f.dir.path, as);
    ck_assert_int_eq(link(from, to), 0);
}

static void put_process(unsigned pid, const char *comm, const char *capabilities, unsigned uid,
                        const char *cgroup)
{
    char name[64], text[512];

    snprintf(name, sizeof(name), "proc/%u/status", pid);
    snprintf(text, sizeof(text),
             "Name:\t%s\nUid:\t%u\t%u\t%u\t%u\nNSpid:\t%u%s\nCapBnd:\t%s\nSeccomp:\t0\n", comm, uid,
             uid, uid, uid, pid, pid == 1 ? "" : "\t1", capabilities);
    write_file(name, text);
    snprintf(name, sizeof(name), "proc/%u/uid_map", pid);
    write_file(name, uid >= 65536 ? "         0  524288      65536\n"
                                  : "         0          0 4294967295\n");
    snprintf(name, sizeof(name), "proc/%u/cgroup", pid);
    snprintf(text, sizeof(text), "1:name=systemd:%s\n0::%s\n", cgroup, cgroup);
    write_file(name, text);
}

static void make_namespaces(unsigned pid, bool shared)
{
    static const char *const names[] = {"net", "ipc", "pid"};

    for (size_t i = 0; i < 3; i++) {
        char its[64], hosts[64];

        snprintf(its, sizeof(its), "proc/%u/ns/%s", pid, names[i]);
        snprintf(hosts, sizeof(hosts), "proc/1/ns/%s", names[i]);
        write_file(its, "");
        if (shared) {
            char path[256];

            snprintf(path, sizeof(path), "%s/%s", f.dir.path, its);
            unlink(path);
            link_file(hosts, its);
        }
    }
}

#define ALL_CAPABILITIES  "000001ffffffffff"
#define SOME_CAPABILITIES "00000000fdecafff"

// --- the bed -------------------------------------------------------------------------------------

static void prepare(void)
{
    fixture_make_bare(&f);
    snprintf(bus, sizeof(bus), "%s/run/bus", f.dir.path);
    f.bus_socket = "/run/bus";
    put_process(1, "systemd", ALL_CAPABILITIES, 0, "/init.scope");
    make_namespaces(1, false);
    write_file("run/.keep", "");
}

static void run(const char *more)
{
    char yaml[256];

    snprintf(yaml, sizeof(yaml), "host_root: %s\ngrace: 0s\n%s", f.dir.path, more);
    fixture_run(&f, yaml);
}

static bool row_is(struct fixture *fixture, const void *state)
{
    return fixture_row(fixture, 0).state == *(const uint32_t *)state;
}

static bool wait_state(enum cmeta_engine_state state)
{
    const uint32_t wanted = state;

    return fixture_wait(&f, row_is, &wanted);
}

static void begin(void)
{
    prepare();
    fake = fake_machined_start(bus);
    run("");
    fake_machined_appear(fake, f.event);
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
}

static void finish(void)
{
    fixture_end(&f);
    fake = fake_machined_stop(fake);
    fixture_remove(&f);
}

static bool knows_groups(struct fixture *fixture, const void *id)
{
    const uint32_t groups =
        CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY) | CMETA_GROUP_BIT(CMETA_GROUP_IMAGE) |
        CMETA_GROUP_BIT(CMETA_GROUP_LABELS) | CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) |
        CMETA_GROUP_BIT(CMETA_GROUP_NETWORK) | CMETA_GROUP_BIT(CMETA_GROUP_POD) |
        CMETA_GROUP_BIT(CMETA_GROUP_HEALTH);

    return (fixture_known(fixture, id) & groups) == groups;
}

// --- the way of a machine ------------------------------------------------------------------------

START_TEST(a_signal_publishes_a_machine_with_its_properties_and_another_ends_it)
{
    begin();
    put_process(77, "init", SOME_CAPABILITIES, 0, "/machine.slice/machine-web.scope/payload");
    make_namespaces(77, false);
    fake_machined_put(
        fake,
        &(struct fake_machine){.name = "web", .leader = 77, .address = "10.1.2.3", .os = "debian"},
        true);
    ck_assert(fixture_wait(&f, knows_groups, "web"));
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE), "/var/lib/machines/web");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IMAGE_REPO), "");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_IP), "10.1.2.3");
    ck_assert_str_eq(fixture_text(&f, "web", CMETA_STRING_USER), "0");
    ck_assert_str_eq(fixture_label(&f, "web", "org.freedesktop.machine1.Service"),
                     "systemd-nspawn");
    ck_assert_str_eq(fixture_label(&f, "web", "org.freedesktop.machine1.Unit"),
                     "machine-web.scope");
    ck_assert_str_eq(fixture_label(&f, "web", "org.freedesktop.machine1.Id"),
                     "8334a07b9b854c20aa4559ba6972e075");
    ck_assert_str_eq(fixture_label(&f, "web", "os-release.ID"), "debian");
    ck_assert_str_eq(fixture_label(&f, "web", "os-release.HOME_URL"), "(absent)");
    ck_assert_uint_eq(fixture_type(&f, "web"), CMETA_TYPE_NSPAWN);
    ck_assert_uint_eq(fixture_flags(&f, "web"), 0);
    ck_assert_uint_eq(fixture_status(&f, "web").pid, 77);
    ck_assert_uint_eq(fixture_state(&f, "web"), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_reason(&f, "web", CMETA_GROUP_MOUNTS), CMETA_REASON_NOT_TOLD);
    ck_assert_uint_eq(fixture_reason(&f, "web", CMETA_GROUP_LIMITS), CMETA_REASON_NOT_TOLD);
    fake_machined_drop(fake, "web", true);
    ck_assert(fixture_wait(&f, fixture_lacks, "web"));
    finish();
}
END_TEST

START_TEST(machines_that_were_there_are_listed_and_the_host_and_virtual_machines_are_not)
{
    prepare();
    fake = fake_machined_start(bus);
    fake_machined_put(fake, &(struct fake_machine){.name = "a"}, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "b", .class = "vm"}, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "lxc-5-c", .service = "libvirt-lxc"},
                      false);
    run("");
    fake_machined_appear(fake, f.event);
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert(fixture_has(&f, "a"));
    // told by a signal, whose properties say what it is
    fake_machined_put(fake, &(struct fake_machine){.name = "v", .class = "vm"}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "z"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "z"));
    ck_assert_uint_eq(fixture_count(&f), 2);
    finish();
}
END_TEST

START_TEST(an_id_is_what_the_cgroup_of_the_unit_yields)
{
    begin();
    fake_machined_put(
        fake, &(struct fake_machine){.name = "my-box", .unit = "machine-my\\x2dbox.scope"}, true);
    fake_machined_put(
        fake, &(struct fake_machine){.name = "tmpl", .unit = "systemd-nspawn@tmpl.service"}, true);
    // --keep-unit in a unit of its own name: the machine's name stands
    fake_machined_put(fake, &(struct fake_machine){.name = "a-b", .unit = "shop.service"}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "none", .unit = ""}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "way", .unit = "x/../../docker"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "my\\x2dbox"));
    ck_assert(fixture_wait(&f, fixture_has, "tmpl"));
    ck_assert(fixture_wait(&f, fixture_has, "a\\x2db"));
    ck_assert(fixture_wait(&f, fixture_has, "none"));
    ck_assert(fixture_wait(&f, fixture_has, "way"));
    ck_assert_str_eq(fixture_text(&f, "my\\x2dbox", CMETA_STRING_NAME), "my-box");
    finish();
}
END_TEST

// A hook that registers Docker's containers: the record is Docker's, wherever Docker tells it.
START_TEST(a_registered_docker_container_is_told_of_under_its_own_id)
{
    begin();
    fake_machined_put(fake,
                      &(struct fake_machine){.name = "a1a1",
                                             .service = "docker",
                                             .unit = "docker-" DOCKER_ID ".scope"},
                      true);
    ck_assert(fixture_wait(&f, fixture_has, DOCKER_ID));
    ck_assert(fixture_wait(&f, fixture_has, "a1a1a1a1a1a1"));
    finish();
}
END_TEST

START_TEST(odd_names_are_kept_and_name_nobody_else)
{
    static const char *const names[] = {"a b", "quo\"te's", "grün-☃", "two\nlines", "%s%n", "-"};
    static const char *const ids[] = {
        "a\\x20b",       "quo\\x22te\\x27s", "gr\\xc3\\xbcn\\x2d\\xe2\\x98\\x83",
        "two\\x0alines", "\\x25s\\x25n",     "\\x2d"};

    begin();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        fake_machined_put(fake, &(struct fake_machine){.name = names[i], .unit = "x.service"},
                          true);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert(fixture_wait(&f, fixture_has, ids[i]));
        ck_assert_str_eq(fixture_text(&f, ids[i], CMETA_STRING_NAME), names[i]);
    }
    finish();
}
END_TEST

// --- what the kernel says ------------------------------------------------------------------------

static bool security_known(struct fixture *fixture, const void *id)
{
    return fixture_known(fixture, id) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY);
}

START_TEST(privilege_and_host_namespaces_are_the_kernels_word)
{
    const uint32_t all =
        CMETA_FLAG_PRIVILEGED | CMETA_FLAG_HOST_NETWORK | CMETA_FLAG_HOST_IPC | CMETA_FLAG_HOST_PID;

    begin();
    put_process(70, "app", ALL_CAPABILITIES, 0, "/machine.slice/machine-open.scope/payload");
    make_namespaces(70, true);
    put_process(71, "app", ALL_CAPABILITIES, 524288 + 33,
                "/machine.slice/machine-mapped.scope/payload");
    make_namespaces(71, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "open", .leader = 70}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "mapped", .leader = 71}, true);
    ck_assert(fixture_wait(&f, security_known, "open"));
    ck_assert_uint_eq(fixture_flags(&f, "open"), all);
    ck_assert(fixture_wait(&f, security_known, "mapped"));
    ck_assert_uint_eq(fixture_flags(&f, "mapped"), 0); // all, in a user namespace of its own
    ck_assert_str_eq(fixture_text(&f, "mapped", CMETA_STRING_USER), "33");
    finish();
}
END_TEST

// Registered before nspawn has given its rights away: privileged=true would be a lie.
START_TEST(privilege_waits_until_nspawn_has_let_go)
{
    begin();
    put_process(72, "systemd-nspawn", ALL_CAPABILITIES, 0,
                "/machine.slice/machine-slow.scope/payload");
    make_namespaces(72, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "slow", .leader = 72}, true);
    ck_assert(fixture_wait(&f, fixture_has, "slow"));
    ck_assert_uint_eq(fixture_reason(&f, "slow", CMETA_GROUP_SECURITY), CMETA_REASON_NOT_YET);
    put_process(72, "app", SOME_CAPABILITIES, 0, "/machine.slice/machine-slow.scope/payload");
    ck_assert(fixture_wait(&f, security_known, "slow"));
    ck_assert_uint_eq(fixture_flags(&f, "slow"), 0);
    finish();
}
END_TEST

START_TEST(without_the_right_to_look_at_namespaces_the_rest_decides)
{
    begin();
    put_process(73, "app", SOME_CAPABILITIES, 0, "/machine.slice/machine-shy.scope/payload");
    put_process(74, "app", SOME_CAPABILITIES, 0, "/machine.slice/machine-his.scope/payload");
    fake_machined_put(
        fake, &(struct fake_machine){.name = "shy", .leader = 73, .host_network = true}, true);
    fake_machined_put(
        fake, &(struct fake_machine){.name = "his", .leader = 74, .service = "somebody"}, true);
    ck_assert(fixture_wait(&f, security_known, "shy"));
    ck_assert_uint_eq(fixture_flags(&f, "shy"), CMETA_FLAG_HOST_NETWORK);
    ck_assert(fixture_wait(&f, fixture_has, "his"));
    ck_assert_uint_eq(fixture_known(&f, "his") & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY), 0);
    finish();
}
END_TEST

static bool reason_is_not_told(struct fixture *fixture, const void *id)
{
    return fixture_reason(fixture, id, CMETA_GROUP_SECURITY) == CMETA_REASON_NOT_TOLD;
}

// The number of a process that is in another unit is another process's.
START_TEST(a_leader_of_another_unit_says_nothing)
{
    begin();
    put_process(75, "app", ALL_CAPABILITIES, 0, "/system.slice/sshd.service");
    make_namespaces(75, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "odd", .leader = 75}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "lost", .leader = 76}, true);
    ck_assert(fixture_wait(&f, reason_is_not_told, "odd"));
    ck_assert(fixture_wait(&f, reason_is_not_told, "lost"));
    ck_assert_uint_eq(fixture_flags(&f, "odd"), 0);
    finish();
}
END_TEST

static bool has_address(struct fixture *fixture, const void *id)
{
    return strcmp(fixture_text(fixture, id, CMETA_STRING_IP), "10.9.8.7") == 0;
}

START_TEST(an_address_that_comes_later_is_found)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "dhcp"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "dhcp"));
    ck_assert_uint_eq(fixture_reason(&f, "dhcp", CMETA_GROUP_NETWORK), CMETA_REASON_NOT_YET);
    fake_machined_put(fake, &(struct fake_machine){.name = "dhcp", .address = "10.9.8.7"}, false);
    ck_assert(fixture_wait(&f, has_address, "dhcp"));
    finish();
}
END_TEST

// --- faults --------------------------------------------------------------------------------------

START_TEST(without_machined_there_are_no_machines_and_it_is_never_woken)
{
    prepare();
    fake = fake_machined_start(bus);
    run("");
    ck_assert(wait_state(CMETA_ENGINE_WAITING));
    while (!strstr(fixture_row(&f, 0).last_error, "isn't running"))
        ck_assert_int_ge(sd_event_run(f.event, 100000), 0);
    fake_machined_put(fake, &(struct fake_machine){.name = "late"}, false);
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, fixture_has, "late"));
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert_str_eq(fixture_row(&f, 0).last_error, "");
    finish();
}
END_TEST

START_TEST(a_bus_that_comes_late_and_is_restarted_is_found)
{
    prepare();
    run("");
    ck_assert(wait_state(CMETA_ENGINE_WAITING));
    fake = fake_machined_start(bus);
    fake_machined_put(fake, &(struct fake_machine){.name = "a"}, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "b", .leader = 5}, false);
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, fixture_has, "a"));
    ck_assert(fixture_wait(&f, fixture_has, "b"));
    fake_machined_kill_bus(fake);
    ck_assert(wait_state(CMETA_ENGINE_WAITING));
    ck_assert(fixture_has(&f, "a"));
    fake_machined_drop(fake, "a", false);
    fake_machined_put(fake, &(struct fake_machine){.name = "b", .leader = 6}, false);
    fake_machined_start_bus(fake);
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, fixture_lacks, "a"));
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert_uint_eq(fixture_status(&f, "b").pid, 6);
    finish();
}
END_TEST

// machined that crashes leaves its machines running.
START_TEST(machines_outlive_a_machined_that_was_killed)
{
    begin();
    put_process(80, "app", SOME_CAPABILITIES, 0, "/machine.slice/machine-live.scope/payload");
    put_process(81, "app", SOME_CAPABILITIES, 0, "/machine.slice/machine-dead.scope/payload");
    make_namespaces(80, false);
    make_namespaces(81, false);
    fake_machined_put(fake, &(struct fake_machine){.name = "live", .leader = 80}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "dead", .leader = 81}, true);
    ck_assert(fixture_wait(&f, security_known, "live"));
    ck_assert(fixture_wait(&f, security_known, "dead"));
    put_process(81, "other", SOME_CAPABILITIES, 0, "/user.slice"); // its number is another's now
    fake_machined_vanish(fake);
    ck_assert(fixture_wait(&f, fixture_lacks, "dead"));
    ck_assert(wait_state(CMETA_ENGINE_WAITING));
    ck_assert(fixture_has(&f, "live"));
    fake_machined_drop(fake, "dead", false);
    fake_machined_appear(fake, f.event);
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert(fixture_has(&f, "live"));
    finish();
}
END_TEST

// Whoever is on the bus may tell us alone what he likes.
START_TEST(what_others_than_machined_say_ends_nobody)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "web"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "web"));
    fake_machined_slander(fake, "web");
    fake_machined_put(fake, &(struct fake_machine){.name = "later"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "later"));
    ck_assert(fixture_has(&f, "web"));
    ck_assert_uint_eq(fixture_row(&f, 0).state, CMETA_ENGINE_CONNECTED);
    finish();
}
END_TEST

static bool failed_with(struct fixture *fixture, const void *text)
{
    struct cmeta_engine_row row = fixture_row(fixture, 0);

    return row.state == CMETA_ENGINE_FAILED && strstr(row.last_error, text);
}

START_TEST(a_machined_that_hangs_is_said_to_and_found_again_when_it_answers)
{
    prepare();
    fake = fake_machined_start(bus);
    fake_machined_put(fake, &(struct fake_machine){.name = "a"}, false);
    fake_machined_set_mood(fake, FAKE_MACHINED_SILENT);
    run("engine_timeout: 200ms\n");
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, failed_with, "hangs"));
    fake_machined_set_mood(fake, FAKE_MACHINED_WELL);
    ck_assert(fixture_wait(&f, fixture_has, "a"));
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    finish();
}
END_TEST

START_TEST(rubbish_and_errors_cost_the_list_and_nothing_else)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "a"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "a"));
    fake_machined_vanish(fake);
    fake_machined_set_mood(fake, FAKE_MACHINED_RUBBISH);
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, failed_with, "isn't systemd-machined"));
    fake_machined_set_mood(fake, FAKE_MACHINED_FAILING);
    ck_assert(fixture_wait(&f, failed_with, "not today"));
    ck_assert(fixture_has(&f, "a"));
    fake_machined_set_mood(fake, FAKE_MACHINED_WELL);
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert(fixture_has(&f, "a"));
    finish();
}
END_TEST

START_TEST(a_mistyped_property_costs_that_property_only)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "odd", .mistyped = true, .os = "x"},
                      true);
    fake_machined_put(fake, &(struct fake_machine){.name = "worse", .untyped = true}, true);
    ck_assert(fixture_wait(&f, fixture_has, "odd"));
    ck_assert_str_eq(fixture_text(&f, "odd", CMETA_STRING_NAME), "odd");
    ck_assert_uint_eq(fixture_reason(&f, "odd", CMETA_GROUP_IMAGE), CMETA_REASON_NOT_TOLD);
    ck_assert_uint_eq(fixture_status(&f, "odd").pid, 0);
    ck_assert_str_eq(fixture_label(&f, "odd", "org.freedesktop.machine1.Id"), "(absent)");
    // an answer that is none: tried again, and the list goes on without it
    fake_machined_put(fake, &(struct fake_machine){.name = "worse"}, false);
    ck_assert(fixture_wait(&f, fixture_has, "worse"));
    finish();
}
END_TEST

// Taken away between the signal and the question.
START_TEST(a_machine_that_ended_before_it_was_asked_for_leaves_nothing)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "brief"}, true);
    fake_machined_drop(fake, "brief", false);
    fake_machined_put(fake, &(struct fake_machine){.name = "next"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "next"));
    ck_assert_uint_eq(fixture_count(&f), 1);
    finish();
}
END_TEST

static bool counts(struct fixture *fixture, const void *wanted)
{
    return fixture_count(fixture) == *(const unsigned *)wanted;
}

START_TEST(a_thousand_machines_at_once)
{
    const unsigned all = 1000, none = 0;
    char name[32];

    begin();
    for (unsigned i = 0; i < all; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        fake_machined_put(fake, &(struct fake_machine){.name = name, .os = "x"}, true);
    }
    ck_assert(fixture_wait(&f, counts, &all));
    for (unsigned i = 0; i < all; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        fake_machined_drop(fake, name, true);
    }
    ck_assert(fixture_wait(&f, counts, &none));
    finish();
}
END_TEST

START_TEST(a_restarted_daemon_confirms_and_ends)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "stays"}, true);
    fake_machined_put(fake, &(struct fake_machine){.name = "goes"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "stays"));
    ck_assert(fixture_wait(&f, fixture_has, "goes"));
    fake_machined_vanish(fake);
    fixture_end(&f);
    fake_machined_drop(fake, "goes", false);
    run("");
    ck_assert(fixture_has(&f, "stays"));
    fake_machined_appear(fake, f.event);
    ck_assert(fixture_wait(&f, fixture_lacks, "goes"));
    ck_assert(wait_state(CMETA_ENGINE_CONNECTED));
    ck_assert(fixture_has(&f, "stays"));
    finish();
}
END_TEST

// Something else listens there.
START_TEST(a_socket_that_is_no_bus_is_a_failure_with_words)
{
    struct fake_http *http;

    prepare();
    http = fake_http_start(bus);
    run("engine_timeout: 500ms\n");
    ck_assert(wait_state(CMETA_ENGINE_FAILED));
    ck_assert_str_ne(fixture_row(&f, 0).last_error, "");
    fixture_end(&f);
    fake_http_stop(http);
    fixture_remove(&f);
}
END_TEST

START_TEST(disabling_the_engine_withdraws_its_machines)
{
    begin();
    fake_machined_put(fake, &(struct fake_machine){.name = "a"}, true);
    ck_assert(fixture_wait(&f, fixture_has, "a"));
    fixture_reload(&f, "engines:\n  nspawn:\n    enabled: false\n");
    ck_assert(fixture_wait(&f, fixture_lacks, "a"));
    finish();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_signal_publishes_a_machine_with_its_properties_and_another_ends_it,
        machines_that_were_there_are_listed_and_the_host_and_virtual_machines_are_not,
        an_id_is_what_the_cgroup_of_the_unit_yields,
        a_registered_docker_container_is_told_of_under_its_own_id,
        odd_names_are_kept_and_name_nobody_else,
        privilege_and_host_namespaces_are_the_kernels_word,
        privilege_waits_until_nspawn_has_let_go,
        without_the_right_to_look_at_namespaces_the_rest_decides,
        a_leader_of_another_unit_says_nothing,
        an_address_that_comes_later_is_found,
        without_machined_there_are_no_machines_and_it_is_never_woken,
        a_bus_that_comes_late_and_is_restarted_is_found,
        machines_outlive_a_machined_that_was_killed,
        what_others_than_machined_say_ends_nobody,
        a_machined_that_hangs_is_said_to_and_found_again_when_it_answers,
        rubbish_and_errors_cost_the_list_and_nothing_else,
        a_mistyped_property_costs_that_property_only,
        a_machine_that_ended_before_it_was_asked_for_leaves_nothing,
        a_thousand_machines_at_once,
        a_restarted_daemon_confirms_and_ends,
        a_socket_that_is_no_bus_is_a_failure_with_words,
        disabling_the_engine_withdraws_its_machines,
    };

    if (!fake_machined_can_run()) {
        printf("SKIPPED: nspawn: no dbus-daemon (make deps installs it)\n");
        return 0;
    }
    return check_run("nspawn", 30, tests, sizeof(tests) / sizeof(tests[0]));
}
