// SPDX-License-Identifier: Apache-2.0
// The writer stopped after every single instruction of each operation, and killed at some: every
// reader has the old record or the new one, never a mix, never a wait, never a miss of what stood.
#include "shm/writer.h"
#include "unit/support/check_main.h"
#include "unit/support/sample_record.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STANDING 12u // containers that stand before the operation; number 0 is the one operated on

static struct temp_dir dir;

enum operation { CREATE, UPDATE, STATUS, REMOVE, REVIVE, FORGET, REPLACE };

static void prepare(struct cmeta_writer *writer, enum operation operation)
{
    char id[65];
    struct cmeta_name name = sample_name(0, id);

    for (unsigned n = operation == CREATE ? 1 : 0; n < STANDING; n++)
        sample_put(writer, n, 1);
    if (operation == REVIVE || operation == FORGET)
        cmeta_writer_remove(writer, &name, 1);
}

static void operate(struct cmeta_writer *writer, enum operation operation)
{
    char id[65];
    struct cmeta_name name = sample_name(0, id);
    struct cmeta_live live = {.word = CMETA_STATE_EXITED | CMETA_STATUS_HAS_EXIT};

    switch (operation) {
    case CREATE:
        sample_put(writer, 0, 1);
        break;
    case UPDATE:
    case REVIVE:
        sample_put(writer, 0, 2);
        break;
    case STATUS:
        cmeta_writer_put(writer, &name, NULL, 0, &live);
        break;
    case REMOVE:
        cmeta_writer_remove(writer, &name, 1);
        break;
    case FORGET:
        cmeta_writer_tick(writer, UINT64_MAX / 2, 1);
        break;
    case REPLACE:
        cmeta_writer_replace(writer);
        break;
    }
}

// The child: stops before and after the operation.
static _Noreturn void child(enum operation operation)
{
    struct cmeta_writer *writer = sample_writer(dir.path, NULL);

    prepare(writer, operation);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    operate(writer, operation);
    _exit(0);
}

static bool same(struct cmeta_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

// The version of a container's record, asserted to be of one piece. 0: not there.
static unsigned version_of(const struct cmeta_region *region, unsigned n)
{
    struct cmeta_view view;
    struct cmeta_str tag, label, name;
    cmeta_handle handle;
    char id[65], text[32];
    unsigned version;

    sample_id(n, id);
    if (cmeta_reader_find(region, id, 12, &handle) != CMETA_FOUND)
        return 0;
    ck_assert_int_eq(cmeta_reader_record(region, handle, &view), 1);
    ck_assert_int_eq(cmeta_view_string(&view, CMETA_STRING_NAME, &name), 1);
    snprintf(text, sizeof(text), "container-%u", n);
    ck_assert(same(name, text));
    ck_assert_int_eq(cmeta_view_string(&view, CMETA_STRING_IMAGE_TAG, &tag), 1);
    ck_assert_int_eq(cmeta_view_find_label(&view, CMETA_LIST_LABELS, "version", 7, &label), 1);
    version = (unsigned)(tag.data[1] - '0');
    ck_assert(label.len == 1 && (unsigned)(label.data[0] - '0') == version);
    return version;
}

static void check_readers(const struct cmeta_region *region, enum operation operation)
{
    unsigned version = version_of(region, 0);

    for (unsigned n = 1; n < STANDING; n++)
        ck_assert_uint_eq(version_of(region, n), 1);
    switch (operation) {
    case CREATE:
    case FORGET:
        ck_assert_uint_le(version, 1);
        break;
    case UPDATE:
    case REVIVE:
        ck_assert(version == 1 || version == 2);
        break;
    default:
        ck_assert_uint_eq(version, 1);
    }
}

static void check_path(enum operation operation)
{
    struct cmeta_region region;

    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    check_readers(&region, operation);
    cmeta_region_unmap(&region);
}

// Starts a child that is stopped before its operation.
static pid_t start(enum operation operation)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        child(operation);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSTOPPED(status) ? pid : 0;
}

// One instruction. Return: false when the child is done.
static bool step(pid_t pid)
{
    int status;

    ck_assert_int_eq((int)ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSTOPPED(status);
}

// Steps through the operation; `stop_at` 0: to its end. Return: the steps made.
static unsigned long walk(enum operation operation, unsigned long stop_at)
{
    struct cmeta_region region;
    unsigned long steps = 0;
    pid_t pid = start(operation);
    int status;

    if (pid == 0)
        return 0;
    ck_assert_int_eq(cmeta_region_map(dir.path, &region), 0);
    while (step(pid)) {
        steps++;
        if (stop_at == 0)
            check_readers(&region, operation);
        if (stop_at == 0 && steps % 2048 == 0)
            check_path(operation);
        if (steps == stop_at) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
    }
    check_readers(&region, operation);
    check_path(operation);
    cmeta_region_unmap(&region);
    return steps;
}

// After a kill: a new daemon's region takes over, whatever was left behind.
static void check_successor(void)
{
    struct cmeta_writer *writer = sample_writer(dir.path, NULL);

    for (unsigned n = 0; n < STANDING; n++)
        sample_put(writer, n, 1);
    check_path(STATUS);
    cmeta_writer_free(writer);
}

static void every_instruction_of(enum operation operation)
{
    unsigned long steps;

    if (getenv("CMETA_SANITIZE"))
        check_skip("single-stepping the writer: instrumented code takes too many steps");
    temp_dir_make(&dir);
    steps = walk(operation, 0);
    temp_dir_remove(&dir);
    if (steps == 0)
        check_skip("single-stepping the writer: ptrace is not permitted here");
    ck_assert_uint_gt(steps, 100);
    printf("%lu instructions\n", steps);
    // Kills spread over the whole operation; fewer where a walk is long.
    for (unsigned long kill_at = 1; kill_at < steps;
         kill_at += 1 + steps / (steps < 20000 ? 16 : 3)) {
        temp_dir_make(&dir);
        walk(operation, kill_at);
        check_successor();
        temp_dir_remove(&dir);
    }
}

START_TEST(stopped_or_killed_at_any_instruction_of_a_creation)
{
    every_instruction_of(CREATE);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_an_update)
{
    every_instruction_of(UPDATE);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_a_status_change)
{
    every_instruction_of(STATUS);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_a_removal)
{
    every_instruction_of(REMOVE);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_a_revival)
{
    every_instruction_of(REVIVE);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_forgetting)
{
    every_instruction_of(FORGET);
}
END_TEST

START_TEST(stopped_or_killed_at_any_instruction_of_a_replacement)
{
    every_instruction_of(REPLACE);
}
END_TEST

CHECK_MAIN("writer_steps", 120, stopped_or_killed_at_any_instruction_of_a_creation,
           stopped_or_killed_at_any_instruction_of_an_update,
           stopped_or_killed_at_any_instruction_of_a_status_change,
           stopped_or_killed_at_any_instruction_of_a_removal,
           stopped_or_killed_at_any_instruction_of_a_revival,
           stopped_or_killed_at_any_instruction_of_forgetting,
           stopped_or_killed_at_any_instruction_of_a_replacement)
