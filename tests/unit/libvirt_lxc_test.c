// SPDX-License-Identifier: Apache-2.0
// libvirt's containers, from a folder of status files and a /proc of the test's own to the region.
#include "containerd-meta/engine/engine.h"
#include "tests/unit/support/host_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PLACE "/run/libvirt/lxc"

static void put_status(const char *name, const char *state, int controller, int init)
{
    char path[300], text[1024];

    snprintf(path, sizeof(path), PLACE "/%s.xml", name);
    snprintf(text, sizeof(text),
             "<domstatus state='%s' pid='%d'><init pid='%d'/><domain type='lxc' id='%d'>"
             "<name>%s</name><uuid>1-2</uuid><features><privnet/></features></domain></domstatus>",
             state, controller, init, controller, name);
    host_replace(path, text);
}

static void remove_status(const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), PLACE "/%s.xml", name);
    host_remove(path);
}

static bool is_running(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_RUNNING;
}

static bool is_paused(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_PAUSED;
}

static bool is_exited(struct fixture *f, const void *id)
{
    return fixture_state(f, id) == CMETA_STATE_EXITED;
}

START_TEST(a_container_is_found_by_its_cgroup_without_systemd)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_waiting, NULL)); // the folder comes later
    host_put_process(500, "/machine/lxc-500-web.libvirt-lxc");
    host_put_process(501, "/machine/lxc-500-web.libvirt-lxc");
    put_status("web", "running", 500, 501);
    ck_assert(fixture_wait(&f, fixture_complete, "lxc-500-web"));
    ck_assert_uint_eq(fixture_type(&f, "lxc-500-web"), CMETA_TYPE_LIBVIRT_LXC);
    ck_assert_str_eq(fixture_text(&f, "lxc-500-web", CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_label(&f, "lxc-500-web", "libvirt.uuid"), "1-2");
    ck_assert_uint_eq(fixture_status(&f, "lxc-500-web").pid, 501);
    ck_assert(is_running(&f, "lxc-500-web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_container_is_found_by_its_scope_with_systemd)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put_process(510, "/machine.slice/machine-lxc\\x2d510\\x2dmy\\x2dweb.scope/libvirt");
    put_status("my-web", "running", 510, 511); // the first process isn't there yet
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "510\\x2dmy\\x2dweb"));
    ck_assert_str_eq(fixture_text(&f, "510\\x2dmy\\x2dweb", CMETA_STRING_NAME), "my-web");
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(states_and_ends_are_told)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put_process(520, "/machine/lxc-520-web.libvirt-lxc");
    host_put_process(521, "/machine/lxc-520-web.libvirt-lxc");
    put_status("web", "running", 520, 521);
    host_run(&f);
    ck_assert(fixture_wait(&f, is_running, "lxc-520-web"));
    put_status("web", "paused", 520, 521);
    ck_assert(fixture_wait(&f, is_paused, "lxc-520-web"));
    put_status("web", "running", 520, 521);
    ck_assert(fixture_wait(&f, is_running, "lxc-520-web"));
    host_end_process(521);
    put_status("web", "shutdown", 520, 521);
    ck_assert(fixture_wait(&f, is_exited, "lxc-520-web"));
    remove_status("web");
    ck_assert(fixture_wait(&f, fixture_lacks, "lxc-520-web"));
    // The next start of the same has another ID.
    host_put_process(530, "/machine/lxc-530-web.libvirt-lxc");
    put_status("web", "running", 530, 530);
    ck_assert(fixture_wait(&f, is_running, "lxc-530-web"));
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(a_process_of_another_number_space_is_not_believed)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    put_status("web", "running", 540, 541);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "lxc-540-web"));
    ck_assert_uint_eq(fixture_status(&f, "lxc-540-web").pid, 0);
    fixture_remove(&f);
}
END_TEST

static bool has_pid(struct fixture *f, const void *pid)
{
    return fixture_status(f, "lxc-545-web").pid == *(const uint32_t *)pid;
}

START_TEST(a_first_process_that_libvirt_never_hears_of_is_found)
{
    static const uint32_t init = 548;
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put_process(545, "/machine/lxc-545-web.libvirt-lxc");
    put_status("web", "running", 545, 0);
    host_run(&f);
    ck_assert(fixture_wait(&f, is_running, "lxc-545-web"));
    ck_assert_uint_eq(fixture_status(&f, "lxc-545-web").pid, 0);
    // It comes after the file: a helper of the controller, a container's process, and the first.
    host_put_process(548, "/machine/lxc-545-web.libvirt-lxc");
    host_put("/proc/546/status", "Name:\tip\nNSpid:\t546\n");
    host_put("/proc/547/status", "Name:\tsh\nNSpid:\t547\t2\n");
    host_put("/proc/548/status", "Name:\tinit\nNSpid:\t548\t1\n");
    host_put("/proc/545/task/545/children", "546 547 548 ");
    ck_assert(fixture_wait(&f, has_pid, &init));
    ck_assert(is_running(&f, "lxc-545-web"));
    // Both end, and libvirt isn't there to remove the file: what it says isn't believed again.
    host_end_process(548);
    host_end_process(545);
    put_status("web", "running", 545, 0);
    ck_assert(fixture_wait(&f, is_exited, "lxc-545-web"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_child_in_another_cgroup_is_not_the_first_process)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put_process(580, "/machine/lxc-580-web.libvirt-lxc");
    host_put_process(581, "/machine/lxc-12-other.libvirt-lxc");
    host_put("/proc/581/status", "Name:\tinit\nNSpid:\t581\t1\n");
    host_put("/proc/580/task/580/children", "581 ");
    put_status("web", "running", 580, 0);
    host_run(&f);
    ck_assert(fixture_wait(&f, is_running, "lxc-580-web"));
    ck_assert_uint_eq(fixture_status(&f, "lxc-580-web").pid, 0);
    fixture_remove(&f);
}
END_TEST

START_TEST(what_else_is_in_the_folder_is_no_container)
{
    char path[300];
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put(PLACE "/driver.pid", "12");
    host_put(PLACE "/web.pid", "550");
    host_put(PLACE "/broken.xml", "<domstatus><domain type='lxc'>");
    host_put(PLACE "/vm.xml", "<domstatus><domain type='qemu'/></domstatus>");
    host_put(PLACE "/.xml", "<domain type='lxc'/>");
    snprintf(path, sizeof(path), "%s" PLACE "/folder.xml", host_root);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    host_put_process(550, "/machine/lxc-550-web.libvirt-lxc");
    put_status("web", "running", 550, 550);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "lxc-550-web"));
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert_uint_eq(fixture_count(&f), 1);
    fixture_remove(&f);
}
END_TEST

START_TEST(odd_names_are_containers_too)
{
    static const char *const names[] = {"with space", "quote\"d", "\xc3\xbcmlaut", "new\nline"};
    char id[300], cgroup[400];
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    for (int i = 0; i < 4; i++)
        put_status(names[i], "running", 560 + i, 560 + i);
    host_run(&f);
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "lxc-%d-%s", 560 + i, names[i]);
        ck_assert(fixture_wait(&f, fixture_complete, id));
        ck_assert_str_eq(fixture_text(&f, id, CMETA_STRING_NAME), names[i]);
    }
    snprintf(cgroup, sizeof(cgroup), "/machine/lxc-564-a b.libvirt-lxc");
    host_put_process(564, cgroup);
    put_status("a b", "running", 564, 564);
    ck_assert(fixture_wait(&f, is_running, "lxc-564-a b"));
    fixture_remove(&f);
}
END_TEST

START_TEST(a_restarted_daemon_confirms_what_runs_and_ends_what_went)
{
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put_process(570, "/machine/lxc-570-web.libvirt-lxc");
    host_put_process(571, "/machine/lxc-571-old.libvirt-lxc");
    put_status("web", "running", 570, 570);
    put_status("old", "running", 571, 571);
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_complete, "lxc-570-web"));
    ck_assert(fixture_wait(&f, fixture_complete, "lxc-571-old"));
    fixture_end(&f);
    remove_status("old");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_lacks, "lxc-571-old"));
    ck_assert(fixture_wait(&f, is_running, "lxc-570-web"));
    fixture_remove(&f);
}
END_TEST

static bool has_count(struct fixture *f, const void *count)
{
    return fixture_count(f) == *(const unsigned *)count;
}

START_TEST(a_thousand_containers_at_once)
{
    static const unsigned all = 1000, none = 0;
    char name[32];
    struct fixture f;

    host_make(&f, "libvirt_lxc", PLACE);
    host_put(PLACE "/driver.pid", "1");
    host_run(&f);
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        put_status(name, "running", 1000 + i, 1000 + i);
    }
    ck_assert(fixture_wait(&f, has_count, &all));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        remove_status(name);
    }
    ck_assert(fixture_wait(&f, has_count, &none));
    fixture_remove(&f);
}
END_TEST

CHECK_MAIN("libvirt_lxc", 60, a_container_is_found_by_its_cgroup_without_systemd,
           a_container_is_found_by_its_scope_with_systemd, states_and_ends_are_told,
           a_process_of_another_number_space_is_not_believed,
           a_first_process_that_libvirt_never_hears_of_is_found,
           a_child_in_another_cgroup_is_not_the_first_process,
           what_else_is_in_the_folder_is_no_container, odd_names_are_containers_too,
           a_restarted_daemon_confirms_what_runs_and_ends_what_went, a_thousand_containers_at_once)
