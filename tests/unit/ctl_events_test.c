// SPDX-License-Identifier: Apache-2.0
// containerd-meta-ctl events: what is followed, over what, and how it ends.
#include "unit/support/ctl_fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ctl_start(...)                                                                             \
    program_start((const char *const[]){CTL, "events", __VA_ARGS__, "-r", fixture.dir.path, NULL}, \
                  ctl_environment)

// The next line of the program as JSON; waits for it.
static json_t *next_line(struct program *program)
{
    char *line = NULL;
    size_t size = 0;
    json_t *value;

    ck_assert_int_gt(getline(&line, &size, program->out), 0);
    value = json_loads(line, 0, NULL);
    ck_assert_msg(value != NULL, "%s", line);
    free(line);
    return value;
}

static void expect(struct program *program, const char *kind, const char *name)
{
    json_t *change = next_line(program);

    ck_assert_str_eq(ctl_text(change, "kind"), kind);
    if (name)
        ck_assert_str_eq(ctl_text(change, "name"), name);
    json_decref(change);
}

START_TEST(events_follow_over_a_replacement_and_a_restart)
{
    struct program program;
    char id[65];
    struct cmeta_name name = sample_name(1, id);

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    program = ctl_start("-a", "-o", "jsonl");
    expect(&program, "present", "container-1");
    sample_put(fixture.writer, 2, 1);
    expect(&program, "record", "container-2");
    ck_assert_int_eq(cmeta_writer_replace(fixture.writer), 0);
    sample_put(fixture.writer, 3, 1);
    expect(&program, "record", "container-3");
    ck_assert_int_eq(cmeta_writer_remove(fixture.writer, &name, 1), 1);
    expect(&program, "removed", "container-1");
    // Another daemon, another region, the same folder.
    fixture.writer = cmeta_writer_free(fixture.writer);
    fixture.writer = sample_writer(fixture.dir.path, NULL);
    sample_put(fixture.writer, 4, 1);
    expect(&program, "record", "container-4");
    ctl_check(program_end(&program, SIGTERM), 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(events_end_after_a_count)
{
    struct program program;
    struct program_result result;
    json_t *changes;

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    sample_put(fixture.writer, 2, 1);
    program = ctl_start("-a", "-n", "2", "-o", "json");
    result = program_end(&program, 0);
    changes = json_loads(result.out, 0, NULL);
    ck_assert_uint_eq(json_array_size(changes), 2);
    json_decref(changes);
    ctl_check(result, 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(events_begin_with_now_and_end_with_a_signal)
{
    struct program program;
    struct pollfd ready;
    unsigned version = 1;
    char line[256];

    ctl_begin();
    sample_put(fixture.writer, 1, version);
    program = ctl_start("--no-trunc");
    ready = (struct pollfd){.fd = fileno(program.out), .events = POLLIN};
    // It begins at a moment of its own: changes go on until it has seen one.
    while (poll(&ready, 1, 1) == 0)
        sample_put(fixture.writer, 1, ++version);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), program.out));
    ck_assert_ptr_nonnull(strstr(line, " record "));
    ck_assert_ptr_nonnull(strstr(line, "name=container-1"));
    ctl_check(program_end(&program, SIGINT), 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(events_say_when_they_were_lapped)
{
    struct program program;
    uint32_t log_count = cmeta_writer_region((ctl_begin(), fixture.writer))->log_mask + 1;

    sample_put(fixture.writer, 1, 1);
    sample_put(fixture.writer, 2, 1);
    program = ctl_start("-a", "-o", "jsonl");
    expect(&program, "present", NULL);
    expect(&program, "present", NULL);
    kill(program.pid, SIGSTOP);
    for (uint32_t i = 0; i < log_count + 2; i++) {
        char id[65];
        struct cmeta_name name = sample_name(1, id);
        struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = 2 + i};

        ck_assert_int_ge(cmeta_writer_put(fixture.writer, &name, NULL, 0, &live), 0);
    }
    kill(program.pid, SIGCONT);
    // It may have been stopped anywhere: what it had begun to read comes first.
    for (;;) {
        json_t *change = next_line(&program);
        bool lapped = strcmp(ctl_text(change, "kind"), "lapped") == 0;

        json_decref(change);
        if (lapped)
            break;
    }
    expect(&program, "present", "container-1");
    ctl_check(program_end(&program, SIGTERM), 0, NULL);
    ctl_end();
}
END_TEST

START_TEST(events_outlive_the_daemon)
{
    struct program program;
    char line[256];

    ctl_begin();
    sample_put(fixture.writer, 1, 1);
    program = ctl_start("-a", "-n", "2", "-o", "jsonl");
    expect(&program, "present", "container-1");
    ctl_unlock();
    // Told within a look: only then the next daemon comes.
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), program.err));
    ck_assert_ptr_nonnull(strstr(line, "has ended; waiting"));
    ctl_lock();
    sample_put(fixture.writer, 2, 1);
    expect(&program, "record", "container-2");
    ctl_check(program_end(&program, 0), 0, "is running again");
    ctl_end();
}
END_TEST

// All but the header, whose log claims to have moved on.
static void make_noise(void)
{
    const struct cmeta_region *region = cmeta_writer_region(fixture.writer);
    struct cmeta_header *header = (void *)region->base;
    unsigned seed = 7;

    for (unsigned i = 0; i < 100000; i++)
        region->base[sizeof(*header) + (size_t)rand_r(&seed) % (region->size - sizeof(*header))] =
            (uint8_t)rand_r(&seed);
    __atomic_fetch_add(&header->revision, 50, __ATOMIC_RELEASE);
}

START_TEST(events_survive_noise_and_go_on_with_a_successor)
{
    struct program program;
    bool found = false;

    ctl_begin();
    for (unsigned n = 0; n < 50; n++)
        sample_put(fixture.writer, 100 + n, 1);
    program = ctl_start("-a", "-o", "jsonl");
    for (unsigned n = 0; n < 50; n++)
        expect(&program, "present", NULL);
    make_noise();
    fixture.writer = cmeta_writer_free(fixture.writer);
    fixture.writer = sample_writer(fixture.dir.path, NULL);
    sample_put(fixture.writer, 9, 1);
    while (!found) { // whatever the noise made it say before
        json_t *change = next_line(&program);
        const char *name = ctl_text(change, "name");

        found = name && strcmp(name, "container-9") == 0;
        json_decref(change);
    }
    ctl_check(program_end(&program, SIGTERM), 0, NULL);
    ctl_end();
}
END_TEST

CHECK_MAIN("ctl events", 60, events_follow_over_a_replacement_and_a_restart,
           events_end_after_a_count, events_begin_with_now_and_end_with_a_signal,
           events_say_when_they_were_lapped, events_outlive_the_daemon,
           events_survive_noise_and_go_on_with_a_successor)
