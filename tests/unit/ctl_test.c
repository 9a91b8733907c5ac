// SPDX-License-Identifier: Apache-2.0
// containerd-meta-ctl as its users run it: formats, exit codes, regions that aren't what they
// should be. `events` and `why` have tests of their own.
#include "shm/counters.h"
#include "unit/support/ctl_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Sample 1's content under another name.
static void put(const char *id, const char *scope, const char *name, uint32_t word)
{
    struct cmeta_container content;

    sample_content(1, 1, &content);
    content.strings[CMETA_STRING_NAME] = (struct cmeta_str){name, (uint32_t)strlen(name)};
    ctl_put(id, scope, &content, word, 77);
}

// --- the command line
// ---------------------------------------------------------------------------------------

START_TEST(a_wrong_command_line_is_told_and_exits_2)
{
    ctl_begin_empty();
    ctl_check(program_run((const char *const[]){CTL, NULL}, NULL), 2, "--help");
    ctl_check(ctl("bogus"), 2, "ps inspect why events engines stats check version");
    ctl_check(ctl("ps", "--bogus"), 2, "--bogus");
    ctl_check(ctl("ps", "-o", "yaml"), 2, "yaml");
    ctl_check(ctl("ps", "--count", "3"), 2, "-n");
    ctl_check(ctl("ps", "argument"), 2, "argument");
    ctl_check(ctl("inspect"), 2, "ID");
    ctl_check(ctl("inspect", "--no-trunc", "x"), 2, "--no-trunc");
    ctl_check(ctl("why"), 2, "PID|ID|CGROUP-PATH");
    ctl_check(ctl("why", "1", "2"), 2, "2");
    ctl_check(ctl("events", "-n", "0"), 2, "0");
    ctl_check(ctl("events", "-n", "12x"), 2, "12x");
    ctl_check(program_run((const char *const[]){CTL, "ps", "-o", NULL}, NULL), 2, "-o");
    ctl_end();
}
END_TEST

START_TEST(help_documents_verbs_and_exit_codes)
{
    static const char *const verbs[] = {"ps",      "inspect", "why",   "events",
                                        "engines", "stats",   "check", "version"};
    struct program_result result = program_run((const char *const[]){CTL, "--help", NULL}, NULL);

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct program_result one =
            program_run((const char *const[]){CTL, verbs[i], "-h", NULL}, NULL);

        ck_assert_ptr_nonnull(strstr(result.out, verbs[i]));
        ck_assert_ptr_nonnull(strstr(one.out, verbs[i]));
        ck_assert_ptr_nonnull(strstr(one.out, "Exit codes:"));
        ctl_check(one, 0, NULL);
    }
    ctl_check(result, 0, NULL);
}
END_TEST

// --- regions that can't be read
// --------------------------------------------------------------------------------

START_TEST(without_a_region_verbs_exit_3_and_say_what_to_do)
{
    ctl_begin_empty();
    ctl_check(ctl("ps"), 3, "systemctl start containerd-meta");
    ctl_check(ctl("ps", "-o", "json"), 3, fixture.dir.path);
    ctl_check(ctl("inspect", "x"), 3, "systemctl start containerd-meta");
    ctl_check(ctl("events"), 3, "systemctl start containerd-meta");
    ctl_check(ctl("stats"), 3, "systemctl start containerd-meta");
    ctl_check(ctl("engines"), 3, "systemctl start containerd-meta");
    ctl_check(ctl("version"), 0, "systemctl start containerd-meta");
    ctl_end();
}
END_TEST

START_TEST(a_region_that_others_may_write_is_refused_with_5)
{
    char path[128];

    ctl_begin();
    snprintf(path, sizeof(path), "%s/%s", fixture.dir.path, CMETA_TABLE_NAME);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ctl_check(ctl("ps"), 5, "chmod o-w");
    ctl_check(ctl("inspect", "x"), 5, "chmod o-w");
    ctl_check(ctl("events"), 5, path);
    ctl_check(ctl("stats"), 5, "chmod o-w");
    ctl_check(ctl("engines"), 5, "chmod o-w");
    ctl_end();
}
END_TEST

START_TEST(without_a_daemon_the_region_still_answers)
{
    struct program_result result;

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    ctl_check(ctl("ps"), 0, NULL);
    ctl_unlock();
    result = ctl("ps");
    ck_assert_ptr_nonnull(strstr(result.out, "container-1"));
    ck_assert_ptr_nonnull(strstr(result.err, " old. Start it: systemctl start containerd-meta\n"));
    ctl_check(result, 0, "is not running");
    ctl_check(ctl("engines"), 0, "is not running");
    ctl_end();
}
END_TEST

// --- ps, inspect
// -------------------------------------------------------------------------------------------------

START_TEST(ps_shows_what_runs_and_with_a_all)
{
    json_t *rows;
    char id[65];
    struct cmeta_name name = sample_name(3, id);
    struct program_result result;

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    sample_put(fixture.writer, 2, 1);
    sample_put(fixture.writer, 3, 1);
    put("cafe", "containerd/default", "ended", CMETA_STATE_EXITED | CMETA_STATUS_HAS_EXIT);
    ck_assert_int_eq(cmeta_writer_remove(fixture.writer, &name, 1), 1);

    rows = ctl_value(ctl("ps", "-o", "json"));
    ck_assert_uint_eq(json_array_size(rows), 2);
    // The youngest first: sample 2 is a nanosecond younger.
    ck_assert_str_eq(ctl_text(json_array_get(rows, 0), "name"), "container-2");
    ck_assert_str_eq(ctl_text(json_array_get(rows, 0), "state"), "running");
    ck_assert_str_eq(ctl_text(json_array_get(rows, 0), "engine"), "docker");
    ck_assert_str_eq(ctl_text(json_array_get(rows, 0), "created"), "2023-11-14T22:13:20.000000Z");
    ck_assert(json_is_true(json_object_get(json_array_get(rows, 0), "complete")));
    ck_assert_uint_eq(strlen(ctl_text(json_array_get(rows, 0), "id")), 12);
    ck_assert_uint_eq(strlen(ctl_text(json_array_get(rows, 0), "full_id")), 64);
    json_decref(rows);

    rows = ctl_value(ctl("ps", "-a", "-o", "json"));
    ck_assert_uint_eq(json_array_size(rows), 4);
    json_decref(rows);

    result = ctl("ps", "-a");
    ck_assert_ptr_nonnull(strstr(result.out, "removed"));
    ck_assert_ptr_nonnull(strstr(result.out, "exited (0)"));
    ck_assert_ptr_nonnull(strstr(result.out, "registry.example.com:5000/team/app-2:v1"));
    ctl_check(result, 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(ps_prints_ids_and_lines)
{
    struct program_result result;
    char id[65], expected[80];
    json_t *row;

    ctl_begin();
    ctl_check(ctl("ps", "-o", "jsonl"), 0, NULL);
    row = ctl_value(ctl("ps", "-o", "json")); // nobody: an empty array
    ck_assert_uint_eq(json_array_size(row), 0);
    json_decref(row);
    sample_put(fixture.writer, 1, 1);
    sample_id(1, id);
    result = ctl("ps", "-q", "--no-trunc");
    snprintf(expected, sizeof(expected), "%s\n", id);
    ck_assert_str_eq(result.out, expected);
    ctl_check(result, 0, NULL);
    result = ctl("ps", "-q");
    snprintf(expected, sizeof(expected), "%.12s\n", id);
    ck_assert_str_eq(result.out, expected);
    ctl_check(result, 0, NULL);
    row = ctl_value(ctl("ps", "-o", "jsonl")); // one line, one object
    ck_assert_str_eq(ctl_text(row, "full_id"), id);
    json_decref(row);
    ctl_end();
}
END_TEST

START_TEST(ps_takes_the_folder_from_the_environment)
{
    char variable[128];

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    snprintf(variable, sizeof(variable), "CONTAINERD_META_REGION=%s", fixture.dir.path);
    ctl_check(
        program_run((const char *const[]){CTL, "ps", NULL}, (const char *const[]){variable, NULL}),
        0, NULL);
    ctl_check(program_run((const char *const[]){CTL, "ps", "-r", "/nonexistent", NULL},
                          (const char *const[]){variable, NULL}),
              3, "/nonexistent");
    ctl_end();
}
END_TEST

START_TEST(ps_says_which_groups_are_missing)
{
    _Alignas(8) uint8_t record[4096];
    struct cmeta_live live = {.word = CMETA_STATE_CREATED};
    struct program_result result;
    struct cmeta_container content;
    char id[65];
    struct cmeta_name name = sample_name(1, id);
    json_t *rows;
    int size;

    ctl_begin();
    sample_content(1, 1, &content);
    content.known &= ~(CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS) | CMETA_GROUP_BIT(CMETA_GROUP_IMAGE));
    size = cmeta_record_encode(&content, record, sizeof(record), NULL);
    ck_assert_int_eq(cmeta_writer_put(fixture.writer, &name, record, (size_t)size, &live),
                     CMETA_PUT_CREATED);
    result = ctl("ps", "-a");
    ck_assert_ptr_nonnull(strstr(result.out, "no image,mounts"));
    ck_assert_ptr_null(strstr(result.out, "registry.example.com"));
    ctl_check(result, 0, NULL);
    rows = ctl_value(ctl("ps", "-a", "-o", "json"));
    ck_assert(json_is_null(json_object_get(json_array_get(rows, 0), "image")));
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(rows, 0), "missing")), 2);
    json_decref(rows);
    ctl_end();
}
END_TEST

// A container of which everything is told, or is not, in ways of its own.
static void put_told_by_engine(const char *id)
{
    static const struct cmeta_port ports[] = {{{"127.0.0.1", 9}, 8080, 80, {"tcp", 3}},
                                              {{"::1", 3}, 53, 53, {"udp", 3}}};
    static const struct cmeta_str args[] = {{"-f", 2}, {"http://x", 8}};
    struct cmeta_container content;

    ctl_engine(3, "docker", CMETA_ENGINE_FAILED, "connection \x1b[31mrefused");
    sample_content(1, 1, &content);
    content.known &= ~CMETA_GROUP_BIT(CMETA_GROUP_LIMITS);
    content.reason[CMETA_GROUP_LIMITS] = CMETA_REASON_ENGINE_UNREACHABLE;
    content.source[CMETA_GROUP_IDENTITY] = 1 + 3;
    content.source[CMETA_GROUP_IMAGE] = 60; // a row that isn't used
    content.ports = ports;
    content.ports_count = 2;
    content.probes[CMETA_PROBE_HEALTHCHECK] =
        (struct cmeta_probe){.exe = {"curl", 4}, .args = args, .args_count = 2};
    ctl_put(id, "", &content, CMETA_STATE_RUNNING | CMETA_HEALTH_HEALTHY << 8, 4711);
}

static void check_upstream_document(const json_t *container, const char *id)
{
    const char *name, *image, *label, *destination, *protocol, *exe;
    json_int_t type, created, host_ip, host_port;
    int privileged, rw;

    ck_assert_str_eq(ctl_text(container, "full_id"), id);
    ck_assert_int_eq(
        json_unpack(
            (json_t *)(size_t)container,
            "{s:I, s:s, s:s, s:I, s:b, s:{s:s}, s:[{s:s, s:b}, {}], s:[{s:I, s:I, s:s}, {}],"
            " s:{s:s, s:[s, s]}}",
            "type", &type, "name", &name, "image", &image, "created_time", &created, "privileged",
            &privileged, "labels", "zone", &label, "Mounts", "Destination", &destination, "RW", &rw,
            "port_mappings", "HostIp", &host_ip, "HostPort", &host_port, "Protocol", &protocol,
            "Healthcheck", "exe", &exe, "args", &(const char *){0}, &(const char *){0}),
        0);
    ck_assert_int_eq(type, CMETA_TYPE_DOCKER);
    ck_assert_str_eq(name, "container-1");
    ck_assert_str_eq(image, "registry.example.com:5000/team/app-1:v1");
    ck_assert_int_eq(created, 1700000000);
    ck_assert_int_eq(privileged, 1);
    ck_assert_str_eq(label, "z1");
    ck_assert_str_eq(destination, "/data");
    ck_assert_int_eq(rw, 1);
    ck_assert_int_eq(host_ip, 2130706433);
    ck_assert_int_eq(host_port, 8080);
    ck_assert_str_eq(exe, "curl");
    ck_assert_str_eq(
        ctl_text(json_array_get(json_object_get(container, "port_mappings"), 1), "HostIp6"), "::1");
    // Limits aren't known: not there, rather than 0.
    ck_assert_ptr_null(json_object_get(container, "memory_limit"));
}

START_TEST(inspect_shows_the_whole_record)
{
    const json_t *document, *groups;
    char id[65];
    json_t *documents;

    ctl_begin();
    sample_id(7, id);
    put_told_by_engine(id);
    documents = ctl_value(ctl("inspect", "container-1"));
    ck_assert_uint_eq(json_array_size(documents), 1);
    document = json_array_get(documents, 0);
    check_upstream_document(json_object_get(document, "container"), id);
    ck_assert_str_eq(ctl_text(document, "state"), "running");
    ck_assert_str_eq(ctl_text(document, "health"), "healthy");
    ck_assert_str_eq(ctl_text(document, "first_seen"), "2023-11-14T22:13:22.000000Z");
    ck_assert(json_is_null(json_object_get(document, "finished")));
    ck_assert_int_eq(json_integer_value(json_object_get(document, "pid")), 4711);
    ck_assert(json_is_true(json_object_get(document, "complete")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(document, "flags"), 0)),
                     "privileged");
    groups = json_object_get(document, "groups");
    ck_assert_uint_eq(json_object_size(groups), CMETA_GROUP_COUNT);
    ck_assert_str_eq(ctl_text(json_object_get(groups, "limits"), "reason"), "engine-unreachable");
    ck_assert_str_eq(ctl_text(json_object_get(groups, "identity"), "source"), "docker");
    ck_assert_str_eq(ctl_text(json_object_get(groups, "identity"), "socket"), "/run/docker.sock");
    ck_assert(json_is_null(json_object_get(json_object_get(groups, "image"), "source")));
    json_decref(documents);
    ctl_end();
}
END_TEST

START_TEST(inspect_takes_prefixes_names_and_scopes)
{
    json_t *documents;
    const char *a = "aaaa000000000000000000000000000000000000000000000000000000000000";
    const char *b = "aaab000000000000000000000000000000000000000000000000000000000000";
    struct program_result result;

    ctl_begin();
    put(a, "", "first", CMETA_STATE_RUNNING);
    put(b, "", "second", CMETA_STATE_RUNNING);
    put("web", "containerd/one", "web-one", CMETA_STATE_RUNNING);
    put("web", "containerd/two", "web-two", CMETA_STATE_RUNNING);
    ctl_check(ctl("inspect", a), 0, NULL);
    ctl_check(ctl("inspect", "AAAA"), 0, NULL);
    ctl_check(ctl("inspect", "aaab00000000"), 0, NULL);
    ctl_check(ctl("inspect", "second"), 0, NULL);
    ctl_check(ctl("inspect", "containerd/two/web"), 0, NULL);
    ctl_check(ctl("inspect", "web"), 4, "containerd/one/web");
    ctl_check(ctl("inspect", "aaa"), 4, b);
    ctl_check(ctl("inspect", "nobody"), 1, "nobody");
    ctl_check(ctl("inspect", ""), 1, "");
    // Several at once: those that are found are shown, the first that isn't sets the exit code.
    result = ctl("inspect", "first", "nobody", "aaa", "second", "-o", "jsonl");
    ck_assert_ptr_nonnull(strstr(result.out, "\"first\""));
    ck_assert_ptr_nonnull(strstr(result.out, "\"second\""));
    ctl_check(result, 1, "may be any of");
    // A removed container gives way to the live ones, and is found where there is none.
    ck_assert_int_eq(cmeta_writer_remove(fixture.writer, &(struct cmeta_name){{a, 64}, {"", 0}}, 1),
                     1);
    documents = ctl_value(ctl("inspect", "aaa"));
    ck_assert_str_eq(ctl_text(json_object_get(json_array_get(documents, 0), "container"), "name"),
                     "second");
    json_decref(documents);
    documents = ctl_value(ctl("inspect", "aaaa"));
    ck_assert_str_eq(ctl_text(json_array_get(documents, 0), "state"), "removed");
    json_decref(documents);
    ctl_end();
}
END_TEST

// --- hostile regions
// ---------------------------------------------------------------------------------------------

// The bytes of the region, to be written over behind the writer's back.
static uint8_t *region_bytes(size_t *size)
{
    const struct cmeta_region *region = cmeta_writer_region(fixture.writer);

    *size = region->size;
    return region->base;
}

START_TEST(control_characters_never_reach_a_terminal)
{
    struct program_result result;
    json_t *rows;
    size_t size;
    uint8_t *bytes = region_bytes((ctl_begin(), &size)), *at;

    put("feed", "docker", "a\x1b[2J\x07\nMARK", CMETA_STATE_RUNNING);
    put("beef", "docker",
        "\xc2\x9b"
        "31m\xe2\x80\xae"
        "rtl",
        CMETA_STATE_RUNNING);
    // What the encoder lets nobody write: bytes that aren't UTF-8.
    at = memmem(bytes, size, "MARK", 4);
    ck_assert_ptr_nonnull(at);
    memcpy(at, "\xff\xc0\x80\xed", 4);

    result = ctl("ps");
    for (const char *c = result.out; *c; c++)
        ck_assert_msg(*c == '\n' || (unsigned char)*c >= 0x20, "%s", result.out);
    ck_assert_ptr_null(strstr(result.out, "\xc2\x9b"));
    ck_assert_ptr_null(strstr(result.out, "\xe2\x80\xae"));
    ck_assert_ptr_nonnull(strstr(result.out, "a?[2J??????"));
    ck_assert_ptr_nonnull(strstr(result.out, "?31m?rtl"));
    ctl_check(result, 0, NULL);
    rows = ctl_value(ctl("ps", "-o", "json"));
    ck_assert_uint_eq(json_array_size(rows), 2);
    json_decref(rows);
    rows = ctl_value(ctl("inspect", "feed"));
    ck_assert_str_eq(ctl_text(json_object_get(json_array_get(rows, 0), "container"), "name"),
                     "a\x1b[2J\x07\n????");
    json_decref(rows);
    ctl_end();
}
END_TEST

START_TEST(noise_in_the_region_is_survived)
{
    static const char *const formats[] = {"table", "json", "jsonl"};
    static const char *const verbs[][2] = {{"ps", "-a"},    {"inspect", "9"},
                                           {"stats", "-v"}, {"engines", "--help"},
                                           {"why", "9"},    {"engines", NULL}};
    unsigned seed = 5;
    size_t size;
    uint8_t *bytes = region_bytes((ctl_begin(), &size));

    for (unsigned n = 0; n < 200; n++)
        sample_put(fixture.writer, n, 1);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 400u << round; i++)
            bytes[256 + (size_t)rand_r(&seed) % (size / 8 - 256)] = (uint8_t)rand_r(&seed);
        for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++)
            for (size_t f = 0; f < 3; f++) {
                const char *format = formats[f];
                struct program_result result = verbs[v][1]
                                                   ? ctl(verbs[v][0], verbs[v][1], "-o", format)
                                                   : ctl(verbs[v][0], "-o", format);
                json_t *value = json_loads(result.out, JSON_DECODE_ANY, NULL);

                ck_assert_msg(result.status <= 5 && result.status != 2, "%s %s: %d %s", verbs[v][0],
                              format, result.status, result.err);
                if (f == 1 && result.status == 0 && !strstr(result.out, "usage:"))
                    ck_assert_msg(value != NULL, "%s: %s", verbs[v][0], result.out);
                json_decref(value);
                program_result_free(&result);
            }
    }
    ctl_end();
}
END_TEST

// --- engines, stats, version
// -------------------------------------------------------------------------------------

START_TEST(engines_shows_rows)
{
    struct program_result result;
    const json_t *row;
    json_t *rows;
    char id[65];

    ctl_begin();
    sample_id(7, id);
    put_told_by_engine(id);
    result = ctl("engines");
    ck_assert_ptr_nonnull(strstr(result.out, "docker"));
    ck_assert_ptr_nonnull(strstr(result.out, "failed"));
    ck_assert_ptr_nonnull(strstr(result.out, "connection ?[31mrefused"));
    ctl_check(result, 0, NULL);
    rows = ctl_value(ctl("engines", "-o", "json"));
    ck_assert_uint_eq(json_array_size(rows), 1);
    row = json_array_get(rows, 0);
    ck_assert_str_eq(ctl_text(row, "state"), "failed");
    ck_assert_str_eq(ctl_text(row, "last_error"), "connection \x1b[31mrefused");
    ck_assert(json_is_null(json_object_get(row, "last_event")));
    json_decref(rows);
    ctl_end();
}
END_TEST

START_TEST(stats_explain_themselves)
{
    struct program_result result;
    const json_t *counter;
    json_t *stats;
    size_t lines = 0;

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    stats = ctl_value(ctl("stats", "-o", "json"));
    counter = json_object_get(json_object_get(stats, "counters"), "containers_created_total");
    ck_assert_int_eq(json_integer_value(json_object_get(counter, "value")), 1);
    ck_assert_str_eq(ctl_text(counter, "unit"), "containers");
    ck_assert_uint_gt(strlen(ctl_text(counter, "help")), 0);
    ck_assert(json_is_true(json_object_get(json_object_get(stats, "region"), "daemon_alive")));
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(stats, "region"), "bytes")),
                     (json_int_t)cmeta_writer_region(fixture.writer)->size);
    ck_assert(json_is_null(json_object_get(json_object_get(stats, "first"), "percent")));
    ck_assert_uint_eq(json_array_size(json_object_get(stats, "leads")), 0);
    json_decref(stats);
    result = ctl("stats");
    ck_assert_ptr_nonnull(strstr(result.out, "containers_created_total"));
    ck_assert_ptr_null(strstr(result.out, "HELP"));
    ctl_check(result, 0, NULL);
    result = ctl("stats", "--help-text");
    ck_assert_ptr_nonnull(strstr(result.out, cmeta_counter_table[CMETA_COUNT_CREATED].help));
    ctl_check(result, 0, NULL);
    result = ctl("stats", "-o", "jsonl");
    for (const char *c = result.out; *c; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, 1 + CMETA_COUNT_COUNT);
    ctl_check(result, 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(stats_tell_how_early_records_are)
{
    struct program_result result;
    json_t *stats;
    const json_t *lead, *first;

    ctl_begin();
    ctl_engine(2, "docker", CMETA_ENGINE_CONNECTED, "");
    for (int i = 0; i < 199; i++)
        cmeta_writer_lead(fixture.writer, 2, INT64_C(300000000));
    cmeta_writer_lead(fixture.writer, 2, INT64_C(-3000000));
    cmeta_writer_count(fixture.writer, CMETA_COUNT_FIRST_COMPLETE, 9999);
    cmeta_writer_count(fixture.writer, CMETA_COUNT_FIRST_ABSENT, 1);
    stats = ctl_value(ctl("stats", "-o", "json"));
    lead = json_array_get(json_object_get(stats, "leads"), 0);
    first = json_object_get(stats, "first");
    ck_assert_str_eq(ctl_text(lead, "engine"), "docker");
    ck_assert_int_eq(json_integer_value(json_object_get(lead, "starts")), 200);
    ck_assert_int_eq(json_integer_value(json_object_get(lead, "late")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(lead, "p1_ms")), 256);
    ck_assert_int_eq(json_integer_value(json_object_get(lead, "median_ms")), 256);
    ck_assert_double_eq(json_real_value(json_object_get(first, "percent")), 99.99);
    json_decref(stats);
    result = ctl("stats");
    ck_assert_ptr_nonnull(strstr(result.out, "99.99 % (9999 of 10000"));
    ck_assert_ptr_nonnull(strstr(result.out, "256 ms"));
    ctl_check(result, 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(version_tells_both)
{
    struct program_result result;
    json_t *value;

    ctl_begin();
    result = ctl("version");
    ck_assert_ptr_nonnull(strstr(result.out, "containerd-meta-ctl " CMETA_VERSION));
    ck_assert_ptr_nonnull(strstr(result.out, "containerd-meta test, layout 1.1, running"));
    ctl_check(result, 0, NULL);
    value = ctl_value(ctl("version", "-o", "json"));
    ck_assert_str_eq(ctl_text(json_object_get(value, "daemon"), "version"), "test");
    json_decref(value);
    ctl_end();
}
END_TEST

CHECK_MAIN("ctl", 60, a_wrong_command_line_is_told_and_exits_2, help_documents_verbs_and_exit_codes,
           without_a_region_verbs_exit_3_and_say_what_to_do,
           a_region_that_others_may_write_is_refused_with_5,
           without_a_daemon_the_region_still_answers, ps_shows_what_runs_and_with_a_all,
           ps_prints_ids_and_lines, ps_takes_the_folder_from_the_environment,
           ps_says_which_groups_are_missing, inspect_shows_the_whole_record,
           inspect_takes_prefixes_names_and_scopes, control_characters_never_reach_a_terminal,
           noise_in_the_region_is_survived, engines_shows_rows, stats_explain_themselves,
           stats_tell_how_early_records_are, version_tells_both)
