// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_timer_ns(void)
{
    enum { CALLS = 200000 };
    uint64_t start = bench_now_ns();

    for (int i = 0; i < CALLS; i++)
        bench_keep(bench_now_ns());
    return (double)(bench_now_ns() - start) / CALLS;
}

void bench_report(const char *name, double *values, size_t count, const char *unit)
{
    qsort(values, count, sizeof(*values), bench_compare);
    fprintf(stderr, "# %s: min %.4g max %.4g over %zu runs\n", name, values[0], values[count - 1],
            count);
    bench_value(name, values[count / 2], unit);
}

void bench_value(const char *name, double value, const char *unit)
{
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}
