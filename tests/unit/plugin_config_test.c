// SPDX-License-Identifier: Apache-2.0
// init_config: what is accepted, what is refused and how, and what it does.
#include "support/plugin_bed.h"

#include "tests/host/scripts.h"

#include <stdio.h>
#include <string.h>

#define HEX "3f8a1c5be07d42969a6b1e0c7d5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f"

// --- accepted ------------------------------------------------------------------------------------

// Configurations of the wild: Falco's own, the Helm chart's, upstream's documents and tests, and
// what Falco makes of empty YAML.
START_TEST(configuration_of_every_upstream_version_is_accepted)
{
    static const char *const configs[] = {
        "",
        "{}",
        "null",
        "{\"label_max_len\":100,\"with_size\":false}",
        "{\"label_max_len\":120,\"with_size\":true}",
        "{\"label_max_len\":100,\"with_size\":false,\"hooks\":[\"create\"],\"engines\":{\"docker\":"
        "{"
        "\"enabled\":true,\"sockets\":[\"/var/run/docker.sock\"]},\"podman\":{\"enabled\":true,"
        "\"sockets\":[\"/run/podman/podman.sock\",\"/run/user/1000/podman/podman.sock\"]},"
        "\"containerd\":{\"enabled\":true,\"sockets\":[\"/run/host-containerd/containerd.sock\"]},"
        "\"cri\":{\"enabled\":true,\"sockets\":[\"/run/containerd/containerd.sock\"]},"
        "\"lxc\":{\"enabled\":false},\"libvirt_lxc\":{\"enabled\":false},\"bpm\":{\"enabled\":"
        "false}}}",
        "{\"engines\":{\"docker\":{\"enabled\":false,\"sockets\":[]},\"podman\":{\"enabled\":false,"
        "\"sockets\":[]},\"containerd\":{\"enabled\":false,\"sockets\":[]},\"cri\":{\"enabled\":"
        "false,\"sockets\":[]},\"lxc\":{\"enabled\":false},\"libvirt_lxc\":{\"enabled\":false},"
        "\"bpm\":{\"enabled\":false},\"static\":{\"enabled\":false,\"container_id\":\"\"}}}",
        "{\"engines\":{\"docker\":{\"enabled\":true}}}",
        "{\"verbosity\":\"warning\",\"label_max_len\":100}",
        "{\"verbosity\":3}",
        "{\"engine_timeout\":10}",
        "{\"engine_timeout\":0}",
        "{\"hooks\":[]}",
        "{\"hooks\":null,\"engines\":null,\"label_max_len\":null,\"with_size\":null}",
        "{\"hooks\":[\"create\",\"start\"],\"log_level\":\"trace\"}",
        "{\"log_level\":\"debug\"}",
        "{\"log_level\":\"info\"}",
        "{\"log_level\":\"warn\"}",
        "{\"log_level\":\"error\"}",
        "{\"engines\":{\"docker\":{\"enabled\":true,\"sockets\":[1234]}}}",
        "{\"engines\":{\"docker\":null,\"static\":null}}",
        "{\"region\":\"/run/containerd-meta\",\"region_in_replay\":true}",
        "{\"region\":null,\"region_in_replay\":null}",
        // Scalars as YAML, or somebody's template, may have made them.
        "{\"label_max_len\":\"100\",\"with_size\":\"false\",\"verbosity\":true}",
        "{\"label_max_len\":4294967296.0,\"with_size\":\"true\",\"engine_timeout\":\"10\"}",
        "{\"engines\":{\"docker\":{\"enabled\":\"true\",\"sockets\":null}}}",
    };

    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct host *h = host_new();

        ck_assert_msg(host_load(h, BED_PLUGIN, configs[i]) == 0, "%s: %s", configs[i],
                      host_refusal(h));
        bed_end(h);
    }
}
END_TEST

// --- refused -------------------------------------------------------------------------------------

// What the plugin itself says, behind the schema. Each names the key, what was expected and found.
static const struct {
    const char *config, *parts[3];
} mistakes[] = {
    {"[", {"init_config", "expected JSON", "line 1"}},
    {"7", {"init_config:", "expected an object", "number 7"}},
    {"[]", {"init_config:", "expected an object", "a list"}},
    {"{\"regoin\":\"/x\"}", {"init_config.regoin", "expected one of region,", "unknown key"}},
    {"{\"region\":\"x\"}", {"init_config.region", "absolute path", "\"x\""}},
    {"{\"region\":7}", {"init_config.region", "absolute path", "the number 7"}},
    {"{\"region\":\"\"}", {"init_config.region", "absolute path", "\"\""}},
    {"{\"region_in_replay\":\"yes\"}",
     {"init_config.region_in_replay", "true or false", "\"yes\""}},
    {"{\"label_max_len\":\"100 B\"}", {"init_config.label_max_len", "whole number", "\"100 B\""}},
    {"{\"label_max_len\":\"\"}", {"init_config.label_max_len", "whole number", "\"\""}},
    {"{\"label_max_len\":true}", {"init_config.label_max_len", "whole number", "true"}},
    {"{\"label_max_len\":1.5}", {"init_config.label_max_len", "whole number", "1.5"}},
    {"{\"with_size\":1}", {"init_config.with_size", "true or false", "number 1"}},
    {"{\"hooks\":\"create\"}", {"init_config.hooks", "list of hooks", "\"create\""}},
    {"{\"hooks\":[\"remove\"]}", {"init_config.hooks", "create or start", "\"remove\""}},
    {"{\"hooks\":[[]]}", {"init_config.hooks", "create or start", "a list"}},
    {"{\"log_level\":\"loud\"}", {"init_config.log_level", "trace, debug", "\"loud\""}},
    {"{\"log_level\":3}", {"init_config.log_level", "trace, debug", "number 3"}},
    {"{\"verbosity\":[]}", {"init_config.verbosity", "single value", "a list"}},
    {"{\"engine_timeout\":{}}", {"init_config.engine_timeout", "single value", "an object"}},
    {"{\"engines\":[]}", {"init_config.engines", "an object", "a list"}},
    {"{\"engines\":{\"dokcer\":{}}}", {"init_config.engines.dokcer", "docker", "unknown key"}},
    {"{\"engines\":{\"docker\":true}}", {"init_config.engines.docker", "an object", "true"}},
    {"{\"engines\":{\"docker\":{\"enabled\":\"maybe\"}}}",
     {"init_config.engines.docker.enabled", "true or false", "\"maybe\""}},
    {"{\"engines\":{\"docker\":{\"socket\":\"x\"}}}",
     {"init_config.engines.docker.socket", "sockets", "unknown key"}},
    {"{\"engines\":{\"docker\":{\"sockets\":\"x\"}}}",
     {"init_config.engines.docker.sockets", "list of socket paths", "\"x\""}},
    {"{\"engines\":{\"cri\":{\"sockets\":[{}]}}}",
     {"init_config.engines.cri.sockets", "path of a socket", "an object"}},
    {"{\"engines\":{\"lxc\":{\"sockets\":[]}}}",
     {"init_config.engines.lxc.sockets", "enabled", "unknown key"}},
    {"{\"engines\":{\"static\":{\"enabled\":true,\"container_id\":\"x\"}}}",
     {"init_config.engines.static.container_name", "found nothing", "container_image"}},
    {"{\"engines\":{\"static\":{\"enabled\":true,\"container_id\":\"\"}}}",
     {"init_config.engines.static.container_id", "expected a text", "found nothing"}},
    {"{\"engines\":{\"static\":{\"enabled\":true,\"container_id\":[]}}}",
     {"init_config.engines.static.container_id", "expected a text", "a list"}},
    {"{\"region\":\"/a\",\"region\":\"/b\"}", {"init_config", "expected JSON", "duplicate"}},
};

// The host's schema check comes first; the plugin's own answer is asked for directly.
START_TEST(mistake_is_told_with_its_key_what_was_expected_and_found)
{
    struct host *h = host_new();
    struct falco_init_input in = {.config = mistakes[_i].config};
    falco_rc rc = FALCO_RC_SUCCESS;
    struct falco_plugin *s;
    const char *error;

    ck_assert_int_eq(host_load_only(h, BED_PLUGIN), 0);
    s = host_plugin(h)->sym.init(&in, &rc);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(rc, FALCO_RC_FAILURE);
    error = host_plugin(h)->sym.get_last_error(s);
    for (unsigned p = 0; p < 3; p++)
        ck_assert_msg(strstr(error, mistakes[_i].parts[p]) != NULL, "%s: \"%s\" lacks \"%s\"",
                      in.config, error, mistakes[_i].parts[p]);
    host_plugin(h)->sym.destroy(s);
    bed_end(h);
}
END_TEST

START_TEST(mistake_never_gets_past_the_host)
{
    struct host *h = host_new();

    ck_assert_int_eq(host_load(h, BED_PLUGIN, mistakes[_i].config), 1);
    ck_assert_str_ne(host_refusal(h), "");
    bed_end(h);
}
END_TEST

// --- what it says --------------------------------------------------------------------------------

static unsigned lines_with(struct host *h, const char *part)
{
    unsigned n = 0;

    for (size_t i = 0; i < report_log_lines(host_report(h)); i++)
        n += strstr(report_log_line(host_report(h), i, NULL), part) != NULL;
    return n;
}

START_TEST(options_of_the_daemon_are_said_once_to_have_no_effect)
{
    struct host *h = host_new();
    enum falco_severity severity;

    ck_assert_int_eq(host_load(h, BED_PLUGIN,
                               "{\"label_max_len\":50,\"with_size\":true,\"hooks\":[\"start\"],"
                               "\"verbosity\":1,\"engine_timeout\":5,\"engines\":{\"cri\":{"
                               "\"enabled\":true,\"sockets\":[\"/x\"]}}}"),
                     0);
    ck_assert_uint_eq(lines_with(h, "no effect"), 1);
    ck_assert_uint_eq(lines_with(h, "label_max_len, with_size, hooks, verbosity, engine_timeout, "
                                    "engines.cri.sockets"),
                      1);
    ck_assert_uint_eq(lines_with(h, "/etc/containerd-meta/config.yaml"), 1);
    report_log_line(host_report(h), 0, &severity);
    ck_assert_int_eq(severity, FALCO_LOG_INFO);
    bed_end(h);
}
END_TEST

START_TEST(defaults_of_falco_are_no_news)
{
    struct host *h = host_new();

    ck_assert_int_eq(
        host_load(h, BED_PLUGIN,
                  "{\"label_max_len\":100,\"with_size\":false,\"hooks\":[\"create\"]}"),
        0);
    ck_assert_uint_eq(report_log_lines(host_report(h)), 0);
    bed_end(h);
}
END_TEST

START_TEST(log_level_info_means_info_and_error_less)
{
    static const struct {
        const char *config;
        unsigned lines;
    } levels[] = {{"{\"label_max_len\":50,\"log_level\":\"info\"}", 1},
                  {"{\"label_max_len\":50,\"log_level\":\"trace\"}", 1},
                  {"{\"label_max_len\":50,\"log_level\":\"warn\"}", 0},
                  {"{\"label_max_len\":50,\"log_level\":\"error\"}", 0}};

    for (unsigned i = 0; i < 4; i++) {
        struct host *h = host_new();

        ck_assert_int_eq(host_load(h, BED_PLUGIN, levels[i].config), 0);
        ck_assert_uint_eq(lines_with(h, "no effect"), levels[i].lines);
        bed_end(h);
    }
}
END_TEST

// --- what it does --------------------------------------------------------------------------------

static void expect_id_with(const char *more, const char *path, const char *id)
{
    struct bed bed;

    bed_open(&bed, more);
    bed_exec(bed.host, 50, path);
    bed_expect(bed.host, "container.id", id);
    bed_close(&bed);
}

START_TEST(disabled_engine_takes_its_layouts_along_unless_shared)
{
#define OFF(engine) "\"engines\":{\"" engine "\":{\"enabled\":false}}"
    static const char podman[] = "/machine.slice/libpod-" HEX ".scope", bare[] = "/docker/" HEX,
                      scope[] = "/system.slice/docker-" HEX ".scope", *id = "3f8a1c5be07d";

    expect_id_with(NULL, podman, id);
    expect_id_with(OFF("podman"), podman, "host");
    expect_id_with(OFF("docker"), bare, id); // CRI names containers so, too
    expect_id_with(OFF("docker"), scope, id);
    expect_id_with("\"engines\":{\"docker\":{\"enabled\":false},\"cri\":{\"enabled\":false},"
                   "\"containerd\":{\"enabled\":false}}",
                   bare, "host");
    expect_id_with(
        "\"engines\":{\"docker\":{\"enabled\":\"false\"},\"cri\":{\"enabled\":\"false\"},"
        "\"containerd\":{\"enabled\":\"false\"}}",
        bare, "host"); // quoted
    expect_id_with("\"engines\":{\"cri\":{\"enabled\":false},\"docker\":{\"enabled\":true}}", bare,
                   id);
    expect_id_with(OFF("lxc"), "/lxc.payload.c1", "host");
    expect_id_with(OFF("bpm"), "/lxc.payload.c1", "c1");
    // Those that no engine of this file claims can't be disabled by it.
    expect_id_with("\"engines\":{\"docker\":{\"enabled\":false},\"podman\":{\"enabled\":false},"
                   "\"cri\":{\"enabled\":false},\"containerd\":{\"enabled\":false},\"lxc\":{"
                   "\"enabled\":false},\"libvirt_lxc\":{\"enabled\":false},\"bpm\":{\"enabled\":"
                   "false}}",
                   "/machine.slice/systemd-nspawn@web.service/payload", "web");
}
END_TEST

// A number for a name is its digits.
START_TEST(number_that_yaml_made_of_a_text_is_the_text_again)
{
    struct bed bed = {.writer = NULL};

    temp_dir_make(&bed.dir);
    bed.host = bed_host(&bed, "\"engines\":{\"static\":{\"enabled\":true,\"container_id\":100,"
                              "\"container_name\":true,\"container_image\":1.5}}");
    host_thread_add(bed.host, 50, 50, "sh", bed_rows(3));
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_expect_of(bed.host, 50, "container.id", "100");
    bed_expect(bed.host, "container.name", "true");
    bed_expect(bed.host, "container.image", "1.5");
    bed_close(&bed);
}
END_TEST

START_TEST(static_engine_needs_neither_daemon_nor_region)
{
    struct bed bed;

    bed_make(&bed);
    ck_assert_int_eq(sample_put(bed.writer, 3, 0), CMETA_PUT_CREATED);
    bed.host = bed_host(&bed, "\"engines\":{\"static\":{\"enabled\":true,\"container_id\":"
                              "\"my-static-container\",\"container_name\":123,\"container_image\":"
                              "\"reg.io:5000/a/b:1.2@sha256:abc\"}}");
    host_thread_add(bed.host, 49, 49, "bare", NULL);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    bed_exec(bed.host, 50, bed_path(3));
    bed_expect(bed.host, "container.id", "my-static-container");
    bed_expect(bed.host, "container.full_id", "");
    bed_expect(bed.host, "container.name", "123");
    bed_expect(bed.host, "container.type", "");
    bed_expect(bed.host, "container.image", "reg.io:5000/a/b:1.2@sha256:abc");
    bed_expect(bed.host, "container.image.repository", "reg.io:5000/a/b");
    bed_expect(bed.host, "container.image.tag", "1.2");
    bed_expect(bed.host, "container.image.digest", "sha256:abc");
    bed_expect(bed.host, "container.privileged", "false");
    bed_expect(bed.host, "container.labels", "");
    bed_expect(bed.host, "k8s.pod.name", NULL);
    bed_exec(bed.host, 51, "/init.scope"); // whatever the path
    bed_expect(bed.host, "container.id", "my-static-container");
    ck_assert_str_eq(host_thread_text(bed.host, 51, "container_id"), "my-static-container");
    bed_expect_of(bed.host, 49, "container.id", "host"); // no cgroup at all
    ck_assert_double_eq(bed_metric(bed.host, "region_mapped"), 0);
    bed_close(&bed);
}
END_TEST

START_TEST(host_root_leads_the_default_folder_only)
{
    struct bed bed;
    char folder[128];

    bed_make(&bed);
    setenv("HOST_ROOT", "/no/such/root", 1);
    bed.host = bed_host(&bed, NULL); // `region` is what it says
    ck_assert_int_eq(host_open_live(bed.host), 0);
    ck_assert_double_eq(bed_metric(bed.host, "region_mapped"), 1);
    bed_end(bed.host);
    bed.host = host_new();
    ck_assert_int_eq(host_load(bed.host, BED_PLUGIN, "{}"), 0);
    ck_assert_int_eq(host_open_live(bed.host), 0);
    snprintf(folder, sizeof(folder), "/no/such/root%s/%s", CMETA_DEFAULT_DIR, CMETA_TABLE_NAME);
    ck_assert(bed_logged(bed.host, folder));
    bed_close(&bed);
}
END_TEST

// --- whole lives ---------------------------------------------------------------------------------

START_TEST(every_order_of_calls_is_survived)
{
    const struct script *script = &scripts_all()[_i];
    struct report *r = report_new();
    struct bed bed;
    char config[128], why[256] = "";
    int rc;

    bed_make(&bed);
    for (unsigned n = 0; n < 10; n++)
        ck_assert_int_eq(sample_put(bed.writer, n, 0), CMETA_PUT_CREATED);
    snprintf(config, sizeof(config), "{\"region\":\"%s\"}", bed.dir.path);
    rc = script_run(script->name, BED_PLUGIN, config, r, why, sizeof(why));
    ck_assert_msg(rc == 0, "%s: %d %s %s", script->name, rc, why, rc > 0 ? report_text(r, 0) : "");
    report_free(r);
    bed_close(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_config");
    TCase *tc = tcase_create("plugin_config");
    SRunner *runner;
    const int n_mistakes = (int)(sizeof(mistakes) / sizeof(mistakes[0]));
    int failed, n_scripts = 0;

    while (scripts_all()[n_scripts].name)
        n_scripts++;
    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, getenv("CMETA_SANITIZE") ? 300 : 100);
    tcase_add_test(tc, configuration_of_every_upstream_version_is_accepted);
    tcase_add_loop_test(tc, mistake_is_told_with_its_key_what_was_expected_and_found, 0,
                        n_mistakes);
    tcase_add_loop_test(tc, mistake_never_gets_past_the_host, 0, n_mistakes);
    tcase_add_test(tc, options_of_the_daemon_are_said_once_to_have_no_effect);
    tcase_add_test(tc, defaults_of_falco_are_no_news);
    tcase_add_test(tc, log_level_info_means_info_and_error_less);
    tcase_add_test(tc, disabled_engine_takes_its_layouts_along_unless_shared);
    tcase_add_test(tc, number_that_yaml_made_of_a_text_is_the_text_again);
    tcase_add_test(tc, static_engine_needs_neither_daemon_nor_region);
    tcase_add_test(tc, host_root_leads_the_default_folder_only);
    tcase_add_loop_test(tc, every_order_of_calls_is_survived, 0, n_scripts);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
