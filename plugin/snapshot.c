// SPDX-License-Identifier: Apache-2.0
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// --- taking --------------------------------------------------------------------------------------

static int make_room(struct snapshot *s, uint32_t bytes)
{
    void *moved;

    if (bytes <= s->record_room)
        return 0;
    bytes = (bytes + 4095u) & ~4095u;
    moved = realloc(s->record, bytes);
    if (!moved)
        return -ENOMEM;
    s->record = moved;
    s->record_room = bytes;
    return 0;
}

static void copy_text(struct cmeta_str *text, char *to, size_t max)
{
    if (text->len > max)
        text->len = (uint32_t)max;
    memcpy(to, text->data, text->len);
    to[text->len] = '\0';
    text->data = to;
}

int snapshot_take(struct snapshot *s, const struct cmeta_region *region, cmeta_handle handle,
                  uint32_t version)
{
    struct cmeta_view view;
    int r = version ? cmeta_reader_version(region, version, &view)
                    : cmeta_reader_record(region, handle, &view);

    if (r == 0 || !cmeta_reader_status(region, handle, &s->status) || view.size > CMETA_RECORD_MAX)
        return 0;
    s->version = cmeta_reader_version_of(region, &view);
    r = make_room(s, view.size);
    if (r < 0)
        return r;
    memcpy(s->record, view.base, view.size);
    if (cmeta_view_init(&view, s->record, view.size) < 0)
        return 0;
    free(s->lists);
    s->lists = NULL;
    r = cmeta_view_decode(&view, &s->content, &s->lists);
    if (r < 0)
        return r;
    copy_text(&s->status.id, s->id, CMETA_ID_MAX);
    copy_text(&s->status.scope, s->scope, SNAPSHOT_SCOPE_MAX);
    return 1;
}

void snapshot_clear(struct snapshot *s)
{
    free(s->record);
    free(s->lists);
    *s = (struct snapshot){.record = NULL};
}

struct cmeta_str snapshot_short_id(const struct snapshot *s)
{
    struct cmeta_str id = s->status.id;

    if (cmeta_id_is_hex64(id.data, id.len))
        id.len = 12;
    return id;
}

// --- comparing -----------------------------------------------------------------------------------

// FNV-1a, 64 bits. It is nobody's defence: whoever writes the region can say what it likes anyhow.
struct hash {
    uint64_t value;
    size_t text_left; // bytes: a sound record has no more, and slices of others may overlap
};

static void hash_bytes(struct hash *hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        hash->value = (hash->value ^ at[i]) * UINT64_C(0x100000001b3);
}

static void hash_number(struct hash *hash, uint32_t number)
{
    hash_bytes(hash, &number, sizeof(number));
}

// Absent and empty are two things, and lengths keep neighbours apart.
static void hash_text(struct hash *hash, struct cmeta_str text)
{
    hash_number(hash, text.data ? text.len : UINT32_MAX);
    if (!text.data || text.len > hash->text_left)
        return;
    hash->text_left -= text.len;
    hash_bytes(hash, text.data, text.len);
}

static void hash_labels(struct hash *hash, const struct cmeta_label *labels, uint32_t count)
{
    hash_number(hash, count);
    for (uint32_t i = 0; i < count; i++) {
        hash_text(hash, labels[i].key);
        hash_text(hash, labels[i].value);
    }
}

static void hash_mounts(struct hash *hash, const struct cmeta_container *c)
{
    hash_number(hash, c->mounts_count);
    for (uint32_t i = 0; i < c->mounts_count; i++)
        hash_text(hash, c->mounts[i].joined);
}

static void hash_probe(struct hash *hash, const struct cmeta_probe *probe)
{
    hash_text(hash, probe->exe);
    hash_number(hash, probe->args_count);
    for (uint32_t i = 0; i < probe->args_count; i++)
        hash_text(hash, probe->args[i]);
}

uint32_t snapshot_digest(const struct snapshot *s)
{
    const struct cmeta_container *c = &s->content;
    struct hash hash = {UINT64_C(0xcbf29ce484222325), CMETA_RECORD_MAX};
    uint32_t digest;

    hash_number(&hash, c->known);
    hash_number(&hash, c->type);
    hash_number(&hash, c->flags);
    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        hash_text(&hash, c->strings[i]);
    hash_labels(&hash, c->labels, c->labels_count);
    hash_labels(&hash, c->pod_labels, c->pod_labels_count);
    hash_mounts(&hash, c);
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        hash_probe(&hash, &c->probes[p]);
    digest = (uint32_t)(hash.value ^ hash.value >> 32);
    return digest < SNAPSHOT_DIGEST_MIN ? digest + SNAPSHOT_DIGEST_MIN : digest;
}

bool snapshot_is_named(const struct snapshot *s)
{
    static const enum cmeta_group groups[] = {CMETA_GROUP_IDENTITY, CMETA_GROUP_IMAGE};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        unsigned reason = s->content.reason[groups[i]];

        if (!(s->content.known & CMETA_GROUP_BIT(groups[i])) &&
            reason != CMETA_REASON_POD_SANDBOX && reason != CMETA_REASON_NOT_TOLD)
            return false;
    }
    return true;
}
