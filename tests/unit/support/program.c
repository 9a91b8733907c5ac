// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// In the child: no way back. It doesn't outlive a test that fails.
__attribute__((noreturn)) static void become(const char *const *argv, const char *const *env,
                                             int out, int err)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (; env && *env; env++)
        putenv((char *)(size_t)*env);
    execv(argv[0], (char *const *)(size_t)argv);
    _exit(127);
}

static pid_t start(const char *const *argv, const char *const *env, int out, int err)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        become(argv, env, out, err);
    return pid;
}

static char *read_rest(FILE *file)
{
    char *text = NULL, piece[4096];
    size_t size = 0, n;
    FILE *memory = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(memory);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        fwrite(piece, 1, n, memory);
    fclose(memory);
    fclose(file);
    return text;
}

static char *read_all(FILE *file)
{
    rewind(file);
    return read_rest(file);
}

static int wait_for(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

struct program_result program_run(const char *const *argv, const char *const *env)
{
    FILE *out = tmpfile(), *err = tmpfile();
    struct program_result result;

    ck_assert_ptr_nonnull(out);
    ck_assert_ptr_nonnull(err);
    result.status = wait_for(start(argv, env, fileno(out), fileno(err)));
    result.out = read_all(out);
    result.err = read_all(err);
    return result;
}

void program_result_free(struct program_result *result)
{
    free(result->out);
    free(result->err);
    *result = (struct program_result){0};
}

static FILE *reading_end(int *writing_end)
{
    FILE *file;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    *writing_end = ends[1];
    file = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(file);
    return file;
}

struct program program_start(const char *const *argv, const char *const *env)
{
    struct program program;
    int out, err;

    program.out = reading_end(&out);
    program.err = reading_end(&err);
    program.pid = start(argv, env, out, err);
    close(out);
    close(err);
    return program;
}

struct program_result program_end(struct program *program, int signal)
{
    struct program_result result;

    if (signal)
        kill(program->pid, signal);
    result.out = read_rest(program->out);
    result.err = read_rest(program->err);
    result.status = wait_for(program->pid);
    return result;
}
