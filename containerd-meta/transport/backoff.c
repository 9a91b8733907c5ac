// SPDX-License-Identifier: Apache-2.0
#include "backoff.h"

#include <sys/random.h>

uint64_t backoff_next(struct backoff *backoff)
{
    uint64_t step = BACKOFF_FIRST_US;
    uint32_t random = 0;

    for (unsigned i = 0; i < backoff->failures && step < BACKOFF_MAX_US; i++)
        step *= 2;
    if (step > BACKOFF_MAX_US)
        step = BACKOFF_MAX_US;
    backoff->failures++;
    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    return step / 2 + (step / 2 * (random >> 16)) / 65536;
}
