// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include "cleanup.h"

#include "shm/record.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static json_t *parse(const char *text, size_t len, size_t more)
{
    const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY | more;
    json_t *value = json_loadb(text, len, flags, NULL);
    CLEANUP(freep)
    char *copy = NULL;

    if (value)
        return value;
    copy = malloc(len ? len : 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    return cmeta_utf8_mend(copy, len) ? json_loadb(copy, len, flags, NULL) : NULL;
}

json_t *json_parse(const char *text, size_t len)
{
    return parse(text, len, 0);
}

json_t *json_parse_any_number(const char *text, size_t len)
{
    json_t *value = parse(text, len, 0);

    return value ? value : parse(text, len, JSON_DECODE_INT_AS_REAL);
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_whole(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int64_t json_number(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    double real;

    if (!json_is_real(number))
        return json_integer_value(number);
    real = json_real_value(number);
    if (real >= 0x1p63)
        return INT64_MAX;
    return real < -0x1p63 ? INT64_MIN : (int64_t)real; // jansson has no NaN
}

// Nanoseconds of a fraction's digits.
static int64_t fraction_ns(const char **text)
{
    int64_t ns = 0, unit = 100000000;

    for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
        ns += (**text - '0') * unit;
    return ns;
}

int64_t json_time_ns(const json_t *object, const char *key)
{
    const char *text = json_text(object, key);
    int used = 0, hours = 0, minutes = 0;
    struct tm tm = {0};
    int64_t seconds, ns = 0;

    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
        return 0;
    text += used;
    if (*text == '.' && text++)
        ns = fraction_ns(&text);
    if ((*text == '+' || *text == '-') && sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2)
        return 0;
    if (tm.tm_year < 1970 || tm.tm_year > 2261)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    seconds = timegm(&tm);
    seconds -= (*text == '-' ? -60 : 60) * (60 * (int64_t)hours + minutes);
    return seconds < 0 ? 0 : seconds * 1000000000 + ns;
}
