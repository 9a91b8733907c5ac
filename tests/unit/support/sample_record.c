// SPDX-License-Identifier: Apache-2.0
#include "sample_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sample_id(unsigned n, char id[65])
{
    // Spread like real IDs; the multiplier is odd, so that no two of 2^32 are equal.
    snprintf(id, 65, "%08x%08x%016llx%016llx%016llx", n * 2654435761u, n, n * 0x9e3779b97f4a7c15ull,
             n + 1ull, n * 0xc2b2ae3d27d4eb4full);
}

void sample_content(unsigned n, unsigned v, struct cmeta_container *content)
{
    static char texts[8][64];
    static struct cmeta_label labels[3];
    static struct cmeta_mount mounts[2];
    static const struct cmeta_str addresses[] = {{"172.17.0.5", 10}, {"fd00::5", 7}};

#define TEXT(i, ...) \
    ((struct cmeta_str){texts[i], (uint32_t)snprintf(texts[i], sizeof(texts[i]), __VA_ARGS__)})
    *content = (struct cmeta_container){.type = CMETA_TYPE_DOCKER,
                                        .known = CMETA_GROUPS_ALL,
                                        .flags = n % 2 ? CMETA_FLAG_PRIVILEGED : 0,
                                        .created_ns = 1700000000000000000 + n,
                                        .started_ns = 1700000001000000000 + v,
                                        .cpu_period = 100000,
                                        .cpu_shares = 1024,
                                        .size_rw = -1};
    content->strings[CMETA_STRING_NAME] = TEXT(0, "container-%u", n);
    content->strings[CMETA_STRING_IMAGE] =
        TEXT(1, "registry.example.com:5000/team/app-%u:v%u", n, v);
    content->strings[CMETA_STRING_IMAGE_REPO] = TEXT(2, "registry.example.com:5000/team/app-%u", n);
    content->strings[CMETA_STRING_IMAGE_TAG] = TEXT(3, "v%u", v);
    content->strings[CMETA_STRING_IMAGE_ID] = CMETA_STR("0d2c0d2c");
    content->strings[CMETA_STRING_IMAGE_DIGEST] = CMETA_STR("sha256:77aa");
    content->strings[CMETA_STRING_USER] = CMETA_STR("1000");
    content->strings[CMETA_STRING_IP] = addresses[0];
    labels[0] = (struct cmeta_label){CMETA_STR("zone"), TEXT(4, "z%u", n)};
    labels[1] = (struct cmeta_label){CMETA_STR("app"), TEXT(5, "a%u", n)};
    labels[2] = (struct cmeta_label){CMETA_STR("version"), TEXT(6, "%u", v)};
    mounts[0] = (struct cmeta_mount){.source = CMETA_STR("/srv/data"),
                                     .destination = CMETA_STR("/data"),
                                     .mode = CMETA_STR(""),
                                     .propagation = CMETA_STR("rprivate"),
                                     .rw = true};
    mounts[1] = (struct cmeta_mount){.source = TEXT(7, "/srv/%u", v),
                                     .destination = CMETA_STR("/version"),
                                     .mode = CMETA_STR("ro"),
                                     .propagation = CMETA_STR("")};
    content->labels = labels;
    content->labels_count = 3;
    content->mounts = mounts;
    content->mounts_count = 2;
    content->addresses = addresses;
    content->addresses_count = 2;
#undef TEXT
}

int sample_record(unsigned n, unsigned v, void *buffer, size_t size)
{
    struct cmeta_container content;

    sample_content(n, v, &content);
    return cmeta_record_encode(&content, buffer, size, NULL);
}

struct cmeta_name sample_name(unsigned n, char id[65])
{
    sample_id(n, id);
    return (struct cmeta_name){{id, 64}, CMETA_STR("docker")};
}

int sample_put(struct cmeta_writer *writer, unsigned n, unsigned v)
{
    _Alignas(8) uint8_t record[4096];
    char id[65];
    struct cmeta_name name = sample_name(n, id);
    struct cmeta_live live = {.word = CMETA_STATE_RUNNING, .pid = 1000 + n};
    int size = sample_record(n, v, record, sizeof(record));

    if (size <= 0)
        abort();
    return cmeta_writer_put(writer, &name, record, (size_t)size, &live);
}

struct cmeta_writer *sample_writer(const char *dir, const struct cmeta_writer_options *options)
{
    struct cmeta_writer_options with =
        options ? *options : (struct cmeta_writer_options){.gid = -1};
    struct cmeta_writer *writer = NULL;
    char message[256] = "";

    with.dir = dir;
    if (!with.version)
        with.version = "test";
    if (!with.grace_ns)
        with.grace_ns = 60000000000ull;
    if (cmeta_writer_new(&with, &writer, message, sizeof(message)) != 0 ||
        cmeta_writer_publish(writer) != 0) {
        fprintf(stderr, "%s: no writer: %s\n", dir, message);
        abort(); // for tests and benchmarks alike
    }
    return writer;
}
