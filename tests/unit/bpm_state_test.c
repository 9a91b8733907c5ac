// SPDX-License-Identifier: Apache-2.0
// From runc's state.json and the names that bpm gives to containers.
#include "containerd-meta/engine/bpm_state.h"
#include "tests/unit/support/answers.h"
#include "tests/unit/support/check_main.h"

#include <errno.h>
#include <string.h>

static const struct container_limits limits = {.label_max_len = 200};

static struct container *named(const char *name, const char *bundle)
{
    struct container *container = container_new("x", 1, "bpm");
    struct bpm_state state = {.created_ns = 5, .bundle = bundle ? strdup(bundle) : NULL};

    bpm_state_apply(&state, name, container, &limits);
    bpm_state_done(&state);
    ck_assert(!container_failed(container));
    return container;
}

START_TEST(a_state_tells_process_start_creation_and_bundle)
{
    static const char text[] =
        "{\"id\":\"bpm-a\",\"init_process_pid\":11502,\"init_process_start\":3172203,"
        "\"created\":\"2026-11-26T01:53:34.5Z\",\"config\":{\"labels\":[\"x=y\",7,"
        "\"bundle=/var/vcap/data/bpm/bundles/a/a\"],\"rlimit\":18446744073709551615}}";
    struct bpm_state state;

    ck_assert_int_eq(bpm_state_read(text, strlen(text), &state), 0);
    ck_assert_int_eq(state.pid, 11502);
    ck_assert_uint_eq(state.ticks, 3172203);
    ck_assert_int_eq(state.created_ns, INT64_C(1795658014500000000));
    ck_assert_str_eq(state.bundle, "/var/vcap/data/bpm/bundles/a/a");
    bpm_state_done(&state);
}
END_TEST

START_TEST(members_that_are_missing_or_mistyped_cost_themselves_only)
{
    static const char *const texts[] = {
        "{}", "{\"init_process_pid\":\"7\",\"config\":[]}",
        "{\"init_process_pid\":-7,\"config\":{\"labels\":{}},\"created\":3}",
        "{\"init_process_pid\":99999999999,\"config\":{\"labels\":[\"bundl\"]}}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct bpm_state state;

        ck_assert_int_eq(bpm_state_read(texts[i], strlen(texts[i]), &state), 0);
        ck_assert_int_eq(state.pid, 0);
        ck_assert_ptr_null(state.bundle);
        bpm_state_done(&state);
    }
}
END_TEST

START_TEST(what_is_no_state_is_refused)
{
    static const char *const texts[] = {"", "[]", "7", "{\"init_process_pid\":", "\xff"};
    struct bpm_state state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_int_eq(bpm_state_read(texts[i], strlen(texts[i]), &state), -EBADMSG);
}
END_TEST

START_TEST(names_are_decoded)
{
    static const struct {
        const char *name, *decoded, *job, *process;
    } cases[] = {
        {"bpm-galera-agent", "galera-agent", "galera-agent", "galera-agent"},
        {"bpm-test-server.2ealt", "test-server.alt", "test-server", "alt"},
        {"bpm-a_b.21.40.2a.26", "a_b!@*&", "a_b!@*&", "a_b!@*&"},
        {"bpm-a.20b.0ac", "a b\nc", "a b\nc", "a b\nc"},
        {"bpm-.c3.bcml.2ex", "\xc3\xbcml.x", "\xc3\xbcml", "x"},
        {"bpm-a.2Eb", "a.b", "a", "b"},
        {"bpm-a.zz", "a.zz", "a", "zz"}, // no code
        {"bpm-a.", "a.", "a", ""},
        {"bpm-a.0", "a.0", "a", "0"},
        {"bpm-a.00b", "a.00b", "a", "00b"}, // no text has a NUL in it
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct container *container = named(cases[i].name, NULL);

        ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), cases[i].decoded);
        ck_assert_str_eq(answer_label(container, "bpm.job"), cases[i].job);
        ck_assert_str_eq(answer_label(container, "bpm.process"), cases[i].process);
        ck_assert_uint_eq(container->content.type, CMETA_TYPE_BPM);
        ck_assert(answer_knows(container, CMETA_GROUP_IDENTITY));
        container_free(container);
    }
}
END_TEST

START_TEST(a_bundle_tells_where_the_jobs_name_ends)
{
    struct container *container = named("bpm-a.2eb.2ec", "/var/vcap/data/bpm/bundles/a.b/c");

    ck_assert_str_eq(answer_label(container, "bpm.job"), "a.b");
    ck_assert_str_eq(answer_label(container, "bpm.process"), "c");
    container_free(container);
    container = named("bpm-a.2eb", "/var/vcap/data/bpm/bundles/a.b/a.b");
    ck_assert_str_eq(answer_label(container, "bpm.job"), "a.b");
    ck_assert_str_eq(answer_label(container, "bpm.process"), "a.b");
    container_free(container);
    container = named("bpm-a.2eb", "/elsewhere"); // no bundle of bpm's
    ck_assert_str_eq(answer_label(container, "bpm.job"), "a");
    ck_assert_str_eq(answer_label(container, "bpm.process"), "b");
    container_free(container);
}
END_TEST

START_TEST(the_longest_name_fits)
{
    char name[CMETA_ID_MAX + 1] = "bpm-";
    struct container *container;

    memset(name + 4, 'x', CMETA_ID_MAX - 4);
    container = named(name, NULL);
    ck_assert_str_eq(answer_text(container, CMETA_STRING_NAME), name + 4);
    container_free(container);
}
END_TEST

CHECK_MAIN("bpm_state", 10, a_state_tells_process_start_creation_and_bundle,
           members_that_are_missing_or_mistyped_cost_themselves_only, what_is_no_state_is_refused,
           names_are_decoded, a_bundle_tells_where_the_jobs_name_ends, the_longest_name_fits)
