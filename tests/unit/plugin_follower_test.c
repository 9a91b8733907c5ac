// SPDX-License-Identifier: Apache-2.0
// What hangs on the follower: instances side by side, the end of its thread, metrics, the daemon's
// life, the table `containers`.
#include "support/plugin_bed.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// --- instances and threads -----------------------------------------------------------------------

struct dry_run {
    const struct bed *bed;
    atomic_bool done;
};

static void *run_dry(void *argument)
{
    struct dry_run *dry = argument;

    for (unsigned i = 0; i < 20; i++)
        bed_end(bed_host(dry->bed, i % 2 ? "\"log_level\":\"error\"" : NULL));
    atomic_store(&dry->done, true);
    return NULL;
}

// plugins#1562, falco#934: SIGHUP makes and ends instances in another thread.
START_TEST(two_live_instances_and_dry_runs_do_not_meet)
{
    struct bed a, b;
    struct dry_run dry = {.bed = &a};
    pthread_t thread;

    bed_open(&a, NULL);
    bed_open(&b, NULL);
    atomic_init(&dry.done, false);
    ck_assert_int_eq(sample_put(a.writer, 3, 1), CMETA_PUT_CREATED);
    ck_assert_int_eq(sample_put(b.writer, 3, 2), CMETA_PUT_CREATED);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_dry, &dry), 0);
    do {
        bed_exec(a.host, 50, bed_path(3));
        bed_exec(b.host, 50, bed_path(3));
        bed_expect(a.host, "container.image.tag", "v1");
        bed_expect(b.host, "container.image.tag", "v2");
    } while (!atomic_load(&dry.done));
    pthread_join(thread, NULL);
    bed_close(&a);
    bed_close(&b);
}
END_TEST

// falco#934: Falco hung at SIGINT. The follower sleeps up to a second, but it can be woken.
START_TEST(follower_ends_when_told)
{
    struct bed bed;
    unsigned running;

    bed_open(&bed, NULL);
    running = bed_threads();
    for (unsigned i = 0; i < 50; i++) {
        struct timespec before, after;

        bed_wait_threads(running);
        clock_gettime(CLOCK_MONOTONIC, &before);
        host_close(bed.host);
        clock_gettime(CLOCK_MONOTONIC, &after);
        bed_wait_threads(running - 1);
        ck_assert_int_lt(after.tv_sec - before.tv_sec, 10); // never for good
        ck_assert_int_eq(host_open_live(bed.host), 0);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(metrics_are_read_by_another_thread_all_the_while)
{
    struct bed bed;

    bed_open(&bed, NULL);
    host_probe_start(bed.host);
    for (unsigned n = 0; n < 300; n++) {
        ck_assert_int_eq(sample_put(bed.writer, n, 0), CMETA_PUT_CREATED);
        bed_exec(bed.host, 100 + n, bed_path(n));
        bed_expect(bed.host, "container.privileged", n % 2 ? "true" : "false");
        if (n == 100)
            ck_assert_int_eq(cmeta_writer_replace(bed.writer), 0);
    }
    ck_assert_uint_gt(host_probe_stop(bed.host), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(metrics_count_what_is_there_and_what_lacks_its_image)
{
    struct bed bed;
    struct cmeta_container no_image = {.known = CMETA_GROUPS_ALL},
                           sandbox = {.known = CMETA_GROUPS_ALL, .flags = CMETA_FLAG_POD_SANDBOX};
    char id[65];
    struct cmeta_name name = sample_name(0, id);

    bed_open(&bed, NULL);
    for (unsigned n = 0; n < 3; n++)
        ck_assert_int_eq(sample_put(bed.writer, n, 0), CMETA_PUT_CREATED);
    bed_put(&bed, 3, &no_image);
    bed_put(&bed, 4, &sandbox);
    bed_wait_metric(bed.host, "n_containers", 5);
    bed_wait_metric(bed.host, "n_missing_container_images", 1);
    // They go down, too.
    ck_assert_int_eq(cmeta_writer_remove(bed.writer, &name, 1), 1);
    bed_wait_metric(bed.host, "n_containers", 4);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_UPDATED);
    bed_wait_metric(bed.host, "n_missing_container_images", 0);
    bed_close(&bed);
}
END_TEST

// Prometheus drops these parts wherever they stand in a name.
START_TEST(metric_names_survive_prometheus)
{
    static const char *const mangled[] = {"_kb",    "_bytes", "_mb", "_perc", "_percentage",
                                          "_ratio", "_ns",    "_ts", "_sec",  "_total"};
    struct bed bed;
    const struct falco_metric *all;
    uint32_t n = 0;

    bed_open(&bed, NULL);
    all = host_plugin(bed.host)->sym.get_metrics(host_instance(bed.host)->state, &n);
    ck_assert_uint_ge(n, 2);
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof(mangled) / sizeof(mangled[0]); k++)
            ck_assert_msg(!strstr(all[i].name, mangled[k]), "%s", all[i].name);
    bed_close(&bed);
}
END_TEST

START_TEST(living_daemon_is_told_from_a_dead_one)
{
    struct bed bed;
    int lock = -1;

    bed_make(&bed);
    ck_assert_int_eq(cmeta_lock_take(bed.dir.path, 0, &lock), 0);
    bed.host = bed_host(&bed, NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_wait_metric(bed.host, "daemon_alive", 1);
    close(lock);
    bed_wait_metric(bed.host, "daemon_alive", 0);
    bed_wait_log(bed.host, "containerd-meta isn't running");
    ck_assert_int_eq(cmeta_lock_take(bed.dir.path, 0, &lock), 0);
    bed_wait_log(bed.host, "containerd-meta is running again");
    close(lock);
    bed_close(&bed);
}
END_TEST

// --- the table -----------------------------------------------------------------------------------

struct seen {
    unsigned rows, with_ip;
    char ip[64], user[64];
};

static void see_row(void *userdata, const char *user, const char *ip)
{
    struct seen *seen = userdata;

    seen->rows++;
    if (*ip) {
        seen->with_ip++;
        snprintf(seen->ip, sizeof(seen->ip), "%s", ip);
        snprintf(seen->user, sizeof(seen->user), "%s", user);
    }
}

static struct seen walk(struct bed *bed)
{
    struct seen seen = {.rows = 0};

    ck_assert_int_ge(
        plugin_table_walk(tables_registered(host_instance(bed->host)->tables, "containers"),
                          see_row, &seen),
        0);
    return seen;
}

START_TEST(table_walks_over_containers_with_an_address_of_their_own)
{
    static const struct cmeta_str ip[] = {CMETA_STR("10.9.9.9")};
    struct bed bed;
    struct cmeta_container on_host = {.known = CMETA_GROUPS_ALL,
                                      .flags = CMETA_FLAG_HOST_NETWORK,
                                      .addresses = ip,
                                      .addresses_count = 1},
                           bare = {.known = CMETA_GROUPS_ALL};
    struct plugin_table *table;
    char *text = NULL;
    struct seen seen;

    on_host.strings[CMETA_STRING_IP] = ip[0];
    bed_open(&bed, NULL);
    ck_assert(host_integrates(bed.host));
    ck_assert_uint_eq(walk(&bed).rows, 1); // the host
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed_put(&bed, 4, &on_host);
    bed_put(&bed, 5, &bare);
    bed_wait_metric(bed.host, "n_containers", 3);
    do {
        bed_tick(bed.host);
        seen = walk(&bed);
    } while (seen.rows < 2);
    ck_assert_uint_eq(seen.rows, 2);
    ck_assert_uint_eq(seen.with_ip, 1);
    ck_assert_str_eq(seen.ip, "172.17.0.5");
    ck_assert_str_eq(seen.user, "1000");
    table = tables_registered(host_instance(bed.host)->tables, "containers");
    ck_assert_uint_eq(plugin_table_size(table), 2);
    // By key any container is found.
    ck_assert_int_eq(plugin_table_read(table, bed_short_id(4), "ip", &text), 0);
    ck_assert_str_eq(text, "10.9.9.9");
    free(text);
    ck_assert_int_eq(plugin_table_read(table, bed_short_id(5), "ip", &text), 0);
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_int_eq(plugin_table_read(table, "", "ip", &text), 0);
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_int_eq(plugin_table_read(table, bed_short_id(6), "ip", &text), -ENOENT);
    bed_close(&bed);
}
END_TEST

CHECK_MAIN("plugin_follower", 60, two_live_instances_and_dry_runs_do_not_meet,
           follower_ends_when_told, metrics_are_read_by_another_thread_all_the_while,
           metrics_count_what_is_there_and_what_lacks_its_image, metric_names_survive_prometheus,
           living_daemon_is_told_from_a_dead_one,
           table_walks_over_containers_with_an_address_of_their_own)
