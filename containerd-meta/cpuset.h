// SPDX-License-Identifier: Apache-2.0
// Sets of CPUs as cgroups have them.
#ifndef CPUSET_H
#define CPUSET_H

#include <stdint.h>

// CPUs that a set like "0-3,7" names; 0 for NULL, "" and what makes no sense.
int64_t cpuset_count(const char *cpuset);

#endif
