// SPDX-License-Identifier: Apache-2.0
// Reading a record's bytes without trusting them. Each number is loaded once, checked against the
// view's size, and only then used; whoever writes over the bytes meanwhile changes answers, never
// the bounds.
#include "record.h"

#include "load.h"

#include <errno.h>
#include <string.h>

static const struct cmeta_record_head *head_of(const struct cmeta_view *view)
{
    return (const struct cmeta_record_head *)view->base;
}

int cmeta_view_init(struct cmeta_view *view, const void *bytes, size_t avail)
{
    const struct cmeta_record_head *head = bytes;
    uint32_t size;

    if (avail < CMETA_RECORD_HEAD_MIN || load_relaxed(&head->magic) != CMETA_RECORD_MAGIC)
        return -EBADMSG;
    size = load_relaxed(&head->size_bytes);
    if (size < CMETA_RECORD_HEAD_MIN || size > CMETA_RECORD_MAX || size > avail)
        return -EBADMSG;
    view->base = bytes;
    view->size = size;
    return 0;
}

uint32_t cmeta_view_known(const struct cmeta_view *view)
{
    return load_relaxed(&head_of(view)->known);
}

uint32_t cmeta_view_flags(const struct cmeta_view *view)
{
    return load_relaxed(&head_of(view)->flags);
}

uint16_t cmeta_view_type(const struct cmeta_view *view)
{
    return load_relaxed(&head_of(view)->type);
}

uint8_t cmeta_view_reason(const struct cmeta_view *view, enum cmeta_group group)
{
    return (unsigned)group < CMETA_GROUP_COUNT ? load_relaxed(&head_of(view)->reason[group]) : 0;
}

// A slice as one 32-bit load, so that offset and length belong together.
static struct cmeta_slice load_slice(const struct cmeta_slice *slice)
{
    uint32_t both = load_relaxed((const uint32_t *)(const void *)slice);
    struct cmeta_slice out;

    memcpy(&out, &both, sizeof(out));
    return out;
}

static int resolve(const struct cmeta_view *view, const struct cmeta_slice *slice,
                   struct cmeta_str *out)
{
    struct cmeta_slice s = load_slice(slice);

    if (s.offset == 0 || (uint32_t)s.offset + s.length > view->size)
        return 0;
    out->data = (const char *)view->base + s.offset;
    out->len = s.length;
    return 1;
}

int cmeta_view_string(const struct cmeta_view *view, enum cmeta_string which, struct cmeta_str *out)
{
    if ((unsigned)which >= CMETA_STRING_COUNT)
        return 0;
    return resolve(view, &head_of(view)->strings[which], out);
}

static uint32_t element_bytes(enum cmeta_list list)
{
    switch (list) {
    case CMETA_LIST_LABELS:
    case CMETA_LIST_POD_LABELS:
        return sizeof(struct cmeta_record_label);
    case CMETA_LIST_MOUNTS:
        return sizeof(struct cmeta_record_mount);
    case CMETA_LIST_PORTS:
        return sizeof(struct cmeta_record_port);
    default:
        return sizeof(struct cmeta_slice);
    }
}

// The first element and how many of them lie within the record.
static uint32_t list_of(const struct cmeta_view *view, enum cmeta_list list, const uint8_t **first)
{
    struct cmeta_slice s;
    uint32_t fits;

    if ((unsigned)list >= CMETA_LIST_COUNT)
        return 0;
    s = load_slice(&head_of(view)->lists[list]);
    if (s.offset < CMETA_RECORD_HEAD_MIN || s.offset % 4 != 0 || s.offset >= view->size)
        return 0;
    fits = (view->size - s.offset) / element_bytes(list);
    *first = view->base + s.offset;
    return s.length < fits ? s.length : fits;
}

static const void *element_of(const struct cmeta_view *view, enum cmeta_list list, uint32_t index)
{
    const uint8_t *first = NULL;
    uint32_t count = list_of(view, list, &first);

    return index < count ? first + (size_t)index * element_bytes(list) : NULL;
}

uint32_t cmeta_view_count(const struct cmeta_view *view, enum cmeta_list list)
{
    const uint8_t *first;

    return list_of(view, list, &first);
}

int cmeta_view_label(const struct cmeta_view *view, enum cmeta_list list, uint32_t index,
                     struct cmeta_label *out)
{
    const struct cmeta_record_label *label;
    struct cmeta_label found;

    if (list != CMETA_LIST_LABELS && list != CMETA_LIST_POD_LABELS)
        return 0;
    label = element_of(view, list, index);
    if (!label || !resolve(view, &label->key, &found.key) ||
        !resolve(view, &label->value, &found.value))
        return 0;
    *out = found;
    return 1;
}

int cmeta_view_mount(const struct cmeta_view *view, uint32_t index, struct cmeta_mount *out)
{
    const struct cmeta_record_mount *mount = element_of(view, CMETA_LIST_MOUNTS, index);
    struct cmeta_mount found = {0};

    if (!mount || !resolve(view, &mount->joined, &found.joined) ||
        !resolve(view, &mount->source, &found.source) ||
        !resolve(view, &mount->destination, &found.destination) ||
        !resolve(view, &mount->mode, &found.mode) ||
        !resolve(view, &mount->propagation, &found.propagation))
        return 0;
    found.rw = load_relaxed(&mount->rw) != 0;
    *out = found;
    return 1;
}

int cmeta_view_port(const struct cmeta_view *view, uint32_t index, struct cmeta_port *out)
{
    const struct cmeta_record_port *port = element_of(view, CMETA_LIST_PORTS, index);
    struct cmeta_port found;

    if (!port || !resolve(view, &port->host_ip, &found.host_ip) ||
        !resolve(view, &port->protocol, &found.protocol))
        return 0;
    found.host_port = load_relaxed(&port->host_port);
    found.container_port = load_relaxed(&port->container_port);
    *out = found;
    return 1;
}

int cmeta_view_text(const struct cmeta_view *view, enum cmeta_list list, uint32_t index,
                    struct cmeta_str *out)
{
    const struct cmeta_slice *slice;

    if (element_bytes(list) != sizeof(*slice))
        return 0;
    slice = element_of(view, list, index);
    return slice ? resolve(view, slice, out) : 0;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order ? order : (a_len > b_len) - (a_len < b_len);
}

int cmeta_view_find_label(const struct cmeta_view *view, enum cmeta_list list, const char *key,
                          size_t key_len, struct cmeta_str *value)
{
    uint32_t low = 0, high = cmeta_view_count(view, list);
    struct cmeta_label label;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order;

        if (!cmeta_view_label(view, list, middle, &label))
            return 0;
        order = compare(label.key.data, label.key.len, key, key_len);
        if (order == 0) {
            *value = label.value;
            return 1;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
