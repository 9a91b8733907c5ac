// SPDX-License-Identifier: Apache-2.0
// What every unit test program has in common: its main().
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include "temp_dir.h"

#include <check.h>
#include <stdlib.h>

// One test case per program: CHECK_MAIN("name", timeout_seconds, test_a, test_b, …)
#define CHECK_MAIN(name, seconds, ...)                                            \
    int main(void)                                                                \
    {                                                                             \
        const TTest *const tests[] = {__VA_ARGS__};                               \
        return check_run(name, seconds, tests, sizeof(tests) / sizeof(tests[0])); \
    }

/**
 * check_run() - run tests as one suite, each in a process of its own (CK_FORK=no: in this one)
 * @seconds: limit of one test; three times that under a sanitizer
 * Return: the exit status of the program.
 */
int check_run(const char *name, int seconds, const TTest *const *tests, size_t count);

/**
 * check_skip() - say why a test cannot run here; the test runner counts it
 */
#define check_skip(...)             \
    do {                            \
        check_skipped(__VA_ARGS__); \
        return;                     \
    } while (0)
void check_skipped(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
