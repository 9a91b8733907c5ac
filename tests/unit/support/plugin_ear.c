// SPDX-License-Identifier: Apache-2.0
#include "plugin_ear.h"

#include <stdlib.h>
#include <string.h>

void ear_read(const struct falco_event *event, struct told *told)
{
    const char *name = NULL, *data = NULL;
    size_t name_len = 0, len = 0;

    *told = (struct told){.ts = event->ts, .tid = event->tid};
    ck_assert(event_param(event, FALCO_ASYNC_NAME, &name, &name_len));
    ck_assert(event_param(event, FALCO_ASYNC_DATA, &data, &len));
    ck_assert_uint_lt(name_len, sizeof(told->name));
    memcpy(told->name, name, name_len);
    ck_assert_int_eq(data[len - 1], '\0'); // upstream reads it as a string
    told->text = strdup(data);
    ck_assert_uint_eq(strlen(told->text), len - 1);
    told->root = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(told->root != NULL, "%s", data);
    told->doc = json_object_get(told->root, "container");
    ck_assert(json_is_object(told->doc));
}

void ear_clear(struct told *told)
{
    json_decref(told->root);
    free(told->text);
    *told = (struct told){.name = ""};
}

bool ear_steal(struct host *host, struct told *told)
{
    struct falco_event *event = async_queue_pop(host_instance(host)->async);

    *told = (struct told){.name = ""};
    if (event)
        ear_read(event, told);
    free(event);
    return told->doc != NULL;
}

bool ear_take(struct host *host, struct told *told)
{
    struct falco_event *event = async_queue_pop(host_instance(host)->async);

    *told = (struct told){.name = ""};
    if (!event)
        return false;
    ear_read(event, told);
    host_event(host, event);
    return true;
}

void ear_hear(struct host *host, struct told *told)
{
    while (!ear_take(host, told))
        async_queue_wait(host_instance(host)->async, 100);
}

const char *ear_text(const struct told *told, const char *key)
{
    const char *text = json_string_value(json_object_get(told->doc, key));

    return text ? text : "";
}

struct told ear_expect(struct host *host, const char *name, unsigned n)
{
    struct told told;

    ear_hear(host, &told);
    ck_assert_msg(strcmp(told.name, name) == 0 &&
                      strcmp(ear_text(&told, "id"), bed_short_id(n)) == 0,
                  "not %s of sample %u, but %s: %s", name, n, told.name, told.text);
    return told;
}

void ear_expect_nothing_before(struct bed *bed, unsigned n)
{
    struct told told;

    ck_assert_int_eq(sample_put(bed->writer, n, 0), CMETA_PUT_CREATED);
    told = ear_expect(bed->host, "container", n);
    ear_clear(&told);
}
