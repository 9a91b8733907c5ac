// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

const struct cmeta_counter_description cmeta_counter_table[CMETA_COUNT_COUNT] = {
#define X(symbol, name_, unit_, kind_, help_) \
    [CMETA_COUNT_##                           \
        symbol] = {.name = name_, .unit = unit_, .help = help_, .kind = CMETA_COUNTER_##kind_},
    CMETA_COUNTERS(X)
#undef X
};

#define X(symbol, name_, unit_, kind_, help_)                                               \
    static_assert(sizeof(name_) <= sizeof(((struct cmeta_counter *)0)->name), "name fits"); \
    static_assert(sizeof(unit_) <= sizeof(((struct cmeta_counter *)0)->unit), "unit fits"); \
    static_assert(sizeof(help_) <= sizeof(((struct cmeta_counter *)0)->help), "help fits");
CMETA_COUNTERS(X)
#undef X
