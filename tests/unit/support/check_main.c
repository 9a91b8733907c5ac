// SPDX-License-Identifier: Apache-2.0
#include "check_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int check_run(const char *name, int seconds, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(cases, getenv("CMETA_SANITIZE") ? 3 * seconds : seconds);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void check_skipped(const char *format, ...)
{
    va_list args;

    // The runner (tests/run) counts lines that begin so. One write: tests run side by side.
    printf("SKIPPED: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}
