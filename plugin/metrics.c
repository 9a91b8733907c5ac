// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

void metrics_init(struct metrics *metrics)
{
    static const struct {
        const char *name;
        enum falco_metric_kind kind;
    } table[METRIC_COUNT] = {
#define X(symbol, text, what, help) [METRIC_##symbol] = {text, FALCO_METRIC_##what},
        METRICS(X)
#undef X
    };

    for (unsigned i = 0; i < METRIC_COUNT; i++)
        metrics->list[i] = (struct falco_metric){.name = table[i].name,
                                                 .kind = table[i].kind,
                                                 .value = {.u64 = 0},
                                                 .value_type = FALCO_METRIC_U64};
}
