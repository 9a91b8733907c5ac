// SPDX-License-Identifier: Apache-2.0
#include "departed.h"

#include "event_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_BYTES (UINT32_C(16) << 10) // from where on they are brief

enum { TEXT_ID, TEXT_SCOPE, TEXT_NAME, TEXTS };

struct departed {
    STAILQ_ENTRY(departed) next;
    char *json; // NULL: brief, and made of what follows
    size_t json_len;
    size_t bytes; // of it and its document
    uint32_t known;
    uint16_t type;
    uint32_t lens[TEXTS];
    char texts[]; // one after the other
};

void departed_init(struct departed_list *list)
{
    *list = (struct departed_list){.bytes = 0};
    STAILQ_INIT(&list->list);
}

void departed_clear(struct departed_list *list)
{
    size_t len;

    while (departed_waits(list))
        free(departed_take(list, &len));
}

static struct departed *new_whole(char *json, size_t len)
{
    struct departed *d = calloc(1, sizeof(*d));

    if (d) {
        d->json = json;
        d->json_len = len;
        d->bytes = sizeof(*d) + len;
    } else {
        free(json);
    }
    return d;
}

static struct departed *new_brief(const struct snapshot *s)
{
    const struct cmeta_str texts[TEXTS] = {s->status.id, s->status.scope,
                                           s->content.strings[CMETA_STRING_NAME]};
    size_t bytes =
        sizeof(struct departed) + texts[TEXT_ID].len + texts[TEXT_SCOPE].len + texts[TEXT_NAME].len;
    struct departed *d = calloc(1, bytes);
    char *to;

    if (!d)
        return NULL;
    d->bytes = bytes;
    to = d->texts;
    d->known = s->content.known;
    d->type = s->content.type;
    for (unsigned i = 0; i < TEXTS; i++) {
        d->lens[i] = texts[i].len;
        if (texts[i].len > 0)
            memcpy(to, texts[i].data, texts[i].len);
        to += texts[i].len;
    }
    return d;
}

int departed_add(struct departed_list *list, const struct snapshot *snapshot)
{
    size_t len = 0;
    struct departed *d;
    char *json;

    if (list->bytes >= DEPARTED_BYTES_MAX)
        return -ENOSPC;
    json = list->whole_bytes < WHOLE_BYTES ? event_json_write(snapshot, &len) : NULL;
    d = json ? new_whole(json, len) : new_brief(snapshot);
    if (!d)
        return -ENOMEM;
    list->bytes += d->bytes;
    list->whole_bytes += len;
    STAILQ_INSERT_TAIL(&list->list, d, next);
    return 0;
}

static char *write_brief(const struct departed *d, size_t *len)
{
    struct snapshot s = {.content = {.known = d->known, .type = d->type}};
    const char *at[TEXTS];

    at[TEXT_ID] = d->texts;
    at[TEXT_SCOPE] = at[TEXT_ID] + d->lens[TEXT_ID];
    at[TEXT_NAME] = at[TEXT_SCOPE] + d->lens[TEXT_SCOPE];
    s.status.id = (struct cmeta_str){at[TEXT_ID], d->lens[TEXT_ID]};
    s.status.scope = (struct cmeta_str){at[TEXT_SCOPE], d->lens[TEXT_SCOPE]};
    s.content.strings[CMETA_STRING_NAME] = (struct cmeta_str){at[TEXT_NAME], d->lens[TEXT_NAME]};
    return event_json_write_brief(&s, len);
}

char *departed_take(struct departed_list *list, size_t *len)
{
    struct departed *d = STAILQ_FIRST(&list->list);
    char *json = d->json;

    STAILQ_REMOVE_HEAD(&list->list, next);
    list->bytes -= d->bytes;
    list->whole_bytes -= d->json_len;
    *len = d->json_len;
    if (!json)
        json = write_brief(d, len);
    free(d);
    return json;
}
