// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include "containerd-meta/engine/proto_map.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *answer_bytes(const char *file, size_t *len)
{
    char path[512], *bytes;
    FILE *stream;
    long size;

    snprintf(path, sizeof(path), "%s/%s", TEST_DATA, file);
    stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s", path);
    ck_assert_int_eq(fseek(stream, 0, SEEK_END), 0);
    size = ftell(stream);
    ck_assert_int_gt(size, 0);
    rewind(stream);
    bytes = malloc((size_t)size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, (size_t)size, stream), (size_t)size);
    fclose(stream);
    *len = (size_t)size;
    return bytes;
}

void *answer_message(const ProtobufCMessageDescriptor *type, const char *file)
{
    size_t len;
    char *bytes = answer_bytes(file, &len);
    void *message = protobuf_c_message_unpack(type, NULL, len, (const uint8_t *)bytes);

    ck_assert_msg(message != NULL, "%s", file);
    free(bytes);
    return message;
}

json_t *answer_json(const char *file)
{
    size_t len;
    char *bytes = answer_bytes(file, &len);
    json_t *json = json_loadb(bytes, len, 0, NULL);

    ck_assert_msg(json != NULL, "%s", file);
    free(bytes);
    return json;
}

// A test's maps live as long as its process: each runs in its own.
void *answer_map_of(const char *const *pairs, size_t *count)
{
    static struct proto_entry entries[256];
    static struct proto_entry *pointers[256];
    static size_t used;
    const size_t first = used;

    for (; *pairs; pairs += 2, used++) {
        ck_assert_uint_lt(used, 256);
        entries[used].key = (char *)(uintptr_t)pairs[0];
        entries[used].value = (char *)(uintptr_t)pairs[1];
        pointers[used] = &entries[used];
    }
    *count = used - first;
    return pointers + first;
}

const char *answer_text(const struct container *container, enum cmeta_string which)
{
    const struct cmeta_str *value = &container->content.strings[which];

    return value->data ? value->data : "(absent)";
}

static const char *last_of(const struct cmeta_label *labels, uint32_t count, const char *key)
{
    for (uint32_t i = count; i > 0; i--)
        if (strcmp(labels[i - 1].key.data, key) == 0)
            return labels[i - 1].value.data;
    return "(absent)";
}

const char *answer_label(const struct container *container, const char *key)
{
    return last_of(container->content.labels, container->content.labels_count, key);
}

const char *answer_pod_label(const struct container *container, const char *key)
{
    return last_of(container->content.pod_labels, container->content.pod_labels_count, key);
}

char *answer_mounts(const struct container *container)
{
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    for (uint32_t i = 0; i < container->content.mounts_count; i++) {
        const struct cmeta_mount *m = &container->content.mounts[i];

        fprintf(stream, "%s%s:%s:%s:%s:%s", i ? "," : "", m->source.data, m->destination.data,
                m->mode.data, m->rw ? "true" : "false", m->propagation.data);
    }
    fclose(stream);
    return text;
}

bool answer_knows(const struct container *container, enum cmeta_group group)
{
    return container->content.known & CMETA_GROUP_BIT(group);
}
