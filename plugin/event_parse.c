// SPDX-License-Identifier: Apache-2.0
#include "event_parse.h"

#include "event.h"

#include <errno.h>

// Parameters of FALCO_EVENT_CONTAINER.
enum { OLD_ID, OLD_TYPE, OLD_NAME, OLD_IMAGE };

static enum event_tells name_tells(const struct falco_event *event)
{
    const char *name;
    size_t len;

    if (!event_param_of_width(event, FALCO_ASYNC_NAME, 4, &name, &len))
        return EVENT_TELLS_NOTHING;
    len = strnlen(name, len);
    if (len == sizeof("container") - 1 && memcmp(name, "container", len) == 0)
        return EVENT_TELLS_CONTAINER;
    if (len == sizeof("container_removed") - 1 && memcmp(name, "container_removed", len) == 0)
        return EVENT_TELLS_REMOVAL;
    return EVENT_TELLS_NOTHING;
}

enum event_tells event_tells(const struct falco_event *event)
{
    switch (event->type) {
    case FALCO_EVENT_ASYNC:
        return name_tells(event);
    case FALCO_EVENT_CONTAINER:
    case FALCO_EVENT_CONTAINER_JSON:
    case FALCO_EVENT_CONTAINER_JSON_2:
        return EVENT_TELLS_CONTAINER;
    default:
        return EVENT_TELLS_NOTHING;
    }
}

static struct cmeta_str text_param(const struct falco_event *event, uint32_t index)
{
    const char *bytes;
    size_t len;

    if (!event_param(event, index, &bytes, &len))
        return (struct cmeta_str){NULL, 0};
    return (struct cmeta_str){bytes, (uint32_t)strnlen(bytes, len)};
}

// The oldest form: four parameters, and no JSON.
static int parse_old(const struct falco_event *event, struct told *told)
{
    struct cmeta_container content = {.type = CMETA_TYPE_UNKNOWN,
                                      .known = CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY)};
    struct cmeta_str image = text_param(event, OLD_IMAGE);
    const char *bytes;
    uint32_t type;
    size_t len;
    int size;

    if (json_record_name(told, text_param(event, OLD_ID), (struct cmeta_str){NULL, 0}) < 0)
        return -EINVAL;
    if (event_param(event, OLD_TYPE, &bytes, &len) && len == sizeof(type)) {
        memcpy(&type, bytes, sizeof(type));
        content.type = type < CMETA_TYPE_UNKNOWN ? (uint16_t)type : CMETA_TYPE_UNKNOWN;
    }
    content.strings[CMETA_STRING_NAME] = text_param(event, OLD_NAME);
    content.strings[CMETA_STRING_IMAGE] = image;
    told->type = content.type;
    told->host = content.type == CMETA_TYPE_HOST;
    told->scope[0] = '\0';
    size = cmeta_record_encode(&content, told->record, sizeof(told->record), NULL);
    if (size < 0)
        return size;
    told->size = (uint32_t)size;
    return 0;
}

int event_parse(const struct falco_event *event, struct told *told)
{
    bool async = event->type == FALCO_EVENT_ASYNC;
    const char *text;
    size_t len;

    if (event->type == FALCO_EVENT_CONTAINER)
        return parse_old(event, told);
    if (!event_param_of_width(event, async ? FALCO_ASYNC_DATA : 0,
                              event->type == FALCO_EVENT_CONTAINER_JSON ? 2 : 4, &text, &len))
        return -EINVAL;
    return json_record_read(text, len, told);
}
