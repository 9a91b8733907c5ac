// SPDX-License-Identifier: Apache-2.0
// The configuration: what is accepted, and what each mistake is told like.
#include "containerd-meta/config.h"
#include "tests/unit/support/check_main.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

static char message[1024], notes[1024];

static int parse(const char *yaml, struct config *config)
{
    return config_parse("meta.yaml", yaml, strlen(yaml), config, message, sizeof(message), notes,
                        sizeof(notes));
}

static const struct config_engine *engine(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->engines_count; i++)
        if (strcmp(config->engines[i].name, name) == 0)
            return &config->engines[i];
    ck_abort_msg("no engine %s", name);
}

START_TEST(an_empty_file_is_the_default)
{
    struct config config;

    unsetenv("HOST_ROOT");
    ck_assert_int_eq(parse("", &config), 0);
    ck_assert_str_eq(config.region_dir, "/run/containerd-meta");
    ck_assert_uint_eq(config.region_max_bytes, UINT64_C(64) << 20);
    ck_assert_uint_eq(config.grace_ns, UINT64_C(60000000000));
    ck_assert_int_eq(config.log_level, LOG_INFO);
    ck_assert_int_eq(config.limits.label_max_len, 100);
    ck_assert_int_eq(config.limits.env, ENV_NONE);
    ck_assert_str_eq(config.host_root, "");
    ck_assert(engine(&config, "docker")->enabled);
    ck_assert(!engine(&config, "docker")->has_places);
    ck_assert_str_eq(notes, "");
    config_done(&config);
    ck_assert_int_eq(parse("# only a comment\n", &config), 0);
    config_done(&config);
}
END_TEST

START_TEST(every_key_is_taken)
{
    struct config config;

    ck_assert_msg(parse("region_dir: /tmp/r\nregion_max: 128M\ngrace: 1m\nlog_level: debug\n"
                        "label_max_len: 50\nwith_size: true\nhooks: [create, start]\n"
                        "engine_timeout: 2s\nverbosity: 3\nenv: names\nhost_root: /host\n",
                        &config) == 0,
                  "%s", message);
    ck_assert_str_eq(config.region_dir, "/tmp/r");
    ck_assert_uint_eq(config.region_max_bytes, UINT64_C(128) << 20);
    ck_assert_uint_eq(config.grace_ns, UINT64_C(60000000000));
    ck_assert_int_eq(config.log_level, LOG_DEBUG);
    ck_assert_int_eq(config.limits.label_max_len, 50);
    ck_assert(config.with_size);
    ck_assert_uint_eq(config.engine_timeout_ns, UINT64_C(2000000000));
    ck_assert_int_eq(config.limits.env, ENV_NAMES);
    ck_assert_str_eq(config.host_root, "/host");
    ck_assert_ptr_nonnull(strstr(notes, "hooks: "));
    ck_assert_ptr_nonnull(strstr(notes, "verbosity: "));
    config_done(&config);
}
END_TEST

// The engines block of the upstream plugin's init_config, moved over as it is.
START_TEST(the_upstream_engines_block_is_taken_as_it_is)
{
    struct config config;
    const char *json =
        "{\"label_max_len\": 100, \"with_size\": false, \"hooks\": [\"create\"], \"engines\": {"
        "\"docker\": {\"enabled\": true, \"sockets\": [\"/var/run/docker.sock\", "
        "\"unix:///run/user/1000/docker.sock\"]}, \"podman\": {\"enabled\": false},"
        "\"containerd\": {\"enabled\": true, \"sockets\": "
        "[\"/run/host-containerd/containerd.sock\"]},"
        "\"cri\": {\"enabled\": true, \"sockets\": []}, \"lxc\": {\"enabled\": true},"
        "\"libvirt_lxc\": {\"enabled\": true}, \"bpm\": {\"enabled\": false},"
        "\"static\": {\"enabled\": true, \"container_id\": \"x\", \"container_name\": \"y\","
        "\"container_image\": \"z\"}}}";

    ck_assert_msg(parse(json, &config) == 0, "%s", message);
    ck_assert_uint_eq(engine(&config, "docker")->places_count, 2);
    ck_assert_str_eq(engine(&config, "docker")->places[1], "/run/user/1000/docker.sock");
    ck_assert(!engine(&config, "podman")->enabled);
    // an empty list means none
    ck_assert(engine(&config, "cri")->has_places);
    ck_assert_uint_eq(engine(&config, "cri")->places_count, 0);
    ck_assert_ptr_nonnull(strstr(notes, "engines.static"));
    config_done(&config);
}
END_TEST

START_TEST(an_engine_may_be_at_a_url)
{
    struct config config;

    ck_assert_msg(
        parse("engines:\n  ecs:\n    urls: [http://10.1.2.3/v4/x, 'http://[::1]:80/v4/']\n",
              &config) == 0,
        "%s", message);
    ck_assert_uint_eq(engine(&config, "ecs")->places_count, 2);
    ck_assert_str_eq(engine(&config, "ecs")->places[0], "http://10.1.2.3/v4/x");
    config_done(&config);
}
END_TEST

START_TEST(host_root_comes_from_the_environment_unless_it_is_configured)
{
    struct config config;

    setenv("HOST_ROOT", "/host", 1);
    ck_assert_int_eq(parse("", &config), 0);
    ck_assert_str_eq(config.host_root, "/host");
    config_done(&config);
    ck_assert_int_eq(parse("host_root: ''\n", &config), 0);
    ck_assert_str_eq(config.host_root, "");
    config_done(&config);
}
END_TEST

// Every kind of mistake, and what is said of it.
START_TEST(mistakes_are_told_with_file_line_and_path)
{
    static const struct {
        const char *yaml, *said;
    } cases[] = {
        {"label_maxlen: 5\n", "meta.yaml:1: unknown key \"label_maxlen\"; known here: region_dir"},
        {"\nengines:\n  dockr:\n    enabled: true\n",
         "meta.yaml:3: engines: unknown key \"dockr\"; known here: docker"},
        {"engines:\n  docker:\n    enabled: maybe\n",
         "meta.yaml:3: engines.docker.enabled: expected true or false, found \"maybe\""},
        {"engines:\n  docker:\n    enabled: \"true\"\n", "engines.docker.enabled: expected true"},
        {"engines:\n  docker: yes\n",
         "meta.yaml:2: engines.docker: expected a mapping, found \"yes\""},
        {"engines:\n  docker:\n    sockets: /run/docker.sock\n",
         "engines.docker.sockets: expected a list, found \"/run/docker.sock\""},
        {"engines:\n  docker:\n    sockets: [docker.sock]\n",
         "engines.docker.sockets[0]: expected the absolute path of a Unix socket"},
        {"engines:\n  docker:\n    sockets: [/a, tcp://1.2.3.4]\n", "engines.docker.sockets[1]"},
        {"engines:\n  docker:\n    socket: []\n",
         "unknown key \"socket\"; known here: enabled, sockets"},
        {"engines:\n  ecs:\n    sockets: [/a]\n",
         "unknown key \"sockets\"; known here: enabled, urls"},
        {"engines:\n  ecs:\n    urls: [https://169.254.170.2/v4]\n",
         "engines.ecs.urls[0]: expected a URL like http://169.254.170.2/v4/..., with a numeric"},
        {"engines:\n  ecs:\n    urls: [http://metadata/v4]\n",
         "engines.ecs.urls[0]: expected a URL"},
        {"engines: [docker]\n", "engines: expected a mapping, found a list"},
        {"grace: -1\n", "grace: expected a duration"},
        {"grace: 1y\n", "grace: expected a duration like 60"},
        {"grace:\n",
         "grace: expected a duration like 60 (seconds), 500ms, 1m; at most 86400 s, found nothing"},
        {"region_max: 1M\n", "region_max: expected a size from 2048K to 4095M"},
        {"region_max: 99999999999999999999\n", "region_max: expected a size"},
        {"region_dir: run\n", "region_dir: expected an absolute path, found \"run\""},
        {"log_level: loud\n", "log_level: expected one of error, warn"},
        {"label_max_len: 5000\n", "label_max_len: expected a whole number from -1 to 4096"},
        {"label_max_len: 1.5\n", "label_max_len: expected a whole number"},
        {"with_size: {}\n", "with_size: expected true or false, found a mapping"},
        {"env: all\n", "env: expected one of none, names, values, found \"all\""},
        {"hooks: [remove]\n", "hooks[0]: expected one of create, start"},
        {"grace: 5\ngrace: 6\n", "meta.yaml:2: key \"grace\" stands twice"},
        {"- a\n", "meta.yaml:1: expected a mapping, found a list"},
        {"grace: &a 5\n", "anchors"},
        {"a: *b\n", "aliases"},
        {"grace: !!int 5\n", "tags"},
        {"grace: 5\n---\ngrace: 6\n", "a second document"},
        {"grace: [5\n", "not YAML"},
        {"\tgrace: 5\n", "not YAML"},
        {"grace: \"5\n", "not YAML"},
        {"{{{{{{{{{{1: 2}}}}}}}}}}\n", "nested too deeply"},
        {"region_dir: \"/a\\0b\"\n", "NUL"},
        {"? [a]\n: b\n", "expected a key"},
        {"\xff\xfe\x01", "not YAML"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config config;

        ck_assert_msg(parse(cases[i].yaml, &config) < 0, "accepted: %s", cases[i].yaml);
        ck_assert_msg(strstr(message, cases[i].said) != NULL, "%s said:\n%s", cases[i].yaml,
                      message);
        ck_assert_msg(strncmp(message, "meta.yaml:", 10) == 0, "%s", message);
    }
}
END_TEST

START_TEST(what_is_no_configuration_is_refused_by_size)
{
    static char large[(1 << 20) + 2];
    struct config config;

    memset(large, '#', sizeof(large) - 1);
    ck_assert_int_lt(parse(large, &config), 0);
    ck_assert_ptr_nonnull(strstr(message, "1 MiB"));
}
END_TEST

START_TEST(a_named_file_must_be_there_the_default_need_not)
{
    struct config config;

    ck_assert_int_lt(config_load("/nonexistent/meta.yaml", &config, message, sizeof(message), notes,
                                 sizeof(notes)),
                     0);
    ck_assert_str_eq(message, "/nonexistent/meta.yaml: can't be read: No such file or directory");
}
END_TEST

CHECK_MAIN("config", 30, an_empty_file_is_the_default, every_key_is_taken,
           the_upstream_engines_block_is_taken_as_it_is, an_engine_may_be_at_a_url,
           host_root_comes_from_the_environment_unless_it_is_configured,
           mistakes_are_told_with_file_line_and_path, what_is_no_configuration_is_refused_by_size,
           a_named_file_must_be_there_the_default_need_not)
