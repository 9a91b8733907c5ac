// SPDX-License-Identifier: Apache-2.0
// Measuring. A figure is the median of several runs; its spread goes to stderr, the line
// `name value unit` to stdout, from where tests/bench/run collects it.
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_RUNS 21

uint64_t bench_now_ns(void); // CLOCK_MONOTONIC
// ns that one call of bench_now_ns() takes: subtracted where single operations are timed.
double bench_timer_ns(void);
// Prints the median of `values` (sorted in place) as the figure, minimum and maximum to stderr.
void bench_report(const char *name, double *values, size_t count, const char *unit);
void bench_value(const char *name, double value, const char *unit);
int bench_compare(const void *a, const void *b); // doubles, for qsort
// Keeps a value from being optimised away.
#define bench_keep(value) __asm__ volatile("" : : "g"(value) : "memory")

#endif
