// SPDX-License-Identifier: Apache-2.0
#include "cpuset.h"

#include <stdio.h>

int64_t cpuset_count(const char *cpuset)
{
    int64_t count = 0;

    while (cpuset && *cpuset) {
        unsigned first, last;
        int used = 0;

        if (sscanf(cpuset, "%6u%n", &first, &used) != 1)
            return 0;
        cpuset += used;
        last = first;
        if (*cpuset == '-') {
            if (sscanf(cpuset, "-%6u%n", &last, &used) != 1 || last < first)
                return 0;
            cpuset += used;
        }
        count += last - first + 1;
        if (*cpuset && *cpuset++ != ',')
            return 0;
    }
    return count;
}
