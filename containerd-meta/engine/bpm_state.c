// SPDX-License-Identifier: Apache-2.0
#include "bpm_state.h"

#include "containerd-meta/json.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- state.json ----------------------------------------------------------------------------------

// runc keeps a bundle's path among its labels: "bundle=/path".
static const char *bundle_of(const json_t *state)
{
    const json_t *labels = json_object_get(json_object_get(state, "config"), "labels"), *label;
    size_t i;

    json_array_foreach ((json_t *)labels, i, label) {
        const char *text = json_string_value(label);

        if (text && strncmp(text, "bundle=", 7) == 0)
            return text + 7;
    }
    return NULL;
}

int bpm_state_read(const char *text, size_t len, struct bpm_state *state)
{
    json_auto_t *json = json_parse_any_number(text, len);
    const char *bundle;
    int64_t pid;

    if (!json_is_object(json))
        return -EBADMSG;
    bundle = bundle_of(json);
    pid = json_number(json, "init_process_pid");
    *state = (struct bpm_state){.pid = pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0,
                                .ticks = (uint64_t)json_number(json, "init_process_start"),
                                .created_ns = json_time_ns(json, "created"),
                                .bundle = bundle ? strdup(bundle) : NULL};
    return 0;
}

void bpm_state_done(struct bpm_state *state)
{
    free(state->bundle);
    *state = (struct bpm_state){0};
}

// --- the name ------------------------------------------------------------------------------------

static const char *without_prefix(const char *name)
{
    return strncmp(name, "bpm-", 4) == 0 ? name + 4 : name;
}

void bpm_state_id(const char *name, char id[CMETA_ID_MAX + 1])
{
    snprintf(id, CMETA_ID_MAX + 1, "%s", without_prefix(name));
}

static int digit(char c)
{
    const char *at = c ? strchr("0123456789abcdef", tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - "0123456789abcdef") : -1;
}

static void decode(const char *name, char *out, size_t size)
{
    size_t used = 0;

    while (*name && used + 1 < size) {
        int high = *name == '.' ? digit(name[1]) : -1;
        int low = high >= 0 ? digit(name[2]) : -1;

        if (low >= 0 && high + low > 0) {
            out[used++] = (char)(high * 16 + low);
            name += 3;
        } else {
            out[used++] = *name++;
        }
    }
    out[used] = '\0';
}

// .../<job>/<process>, if that is what the name says too: either may have a dot in it.
static bool split_by_bundle(const char *bundle, const char *name, char *job, char *process,
                            size_t size)
{
    const char *last = bundle ? strrchr(bundle, '/') : NULL, *before = last;
    char joined[2 * CMETA_ID_MAX + 2];

    while (before && before > bundle && before[-1] != '/')
        before--;
    if (!last || !before || before == bundle)
        return false;
    snprintf(job, size, "%.*s", (int)(last - before), before);
    snprintf(process, size, "%s", last + 1);
    snprintf(joined, sizeof(joined), "%s.%s", job, process);
    return strcmp(joined, name) == 0 || (strcmp(job, process) == 0 && strcmp(job, name) == 0);
}

static void split(const char *bundle, const char *name, char *job, char *process, size_t size)
{
    const char *dot = strchr(name, '.');

    if (split_by_bundle(bundle, name, job, process, size))
        return;
    snprintf(job, size, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
    snprintf(process, size, "%s", dot ? dot + 1 : name);
}

static void add_label(struct container *container, const struct container_limits *limits,
                      const char *key, const char *value)
{
    container_add_label(container, limits, key, strlen(key), value, strlen(value));
}

void bpm_state_apply(const struct bpm_state *state, const char *name, struct container *container,
                     const struct container_limits *limits)
{
    static const enum cmeta_string images[] = {CMETA_STRING_IMAGE, CMETA_STRING_IMAGE_ID,
                                               CMETA_STRING_IMAGE_REPO, CMETA_STRING_IMAGE_TAG,
                                               CMETA_STRING_IMAGE_DIGEST};
    char decoded[CMETA_ID_MAX + 1], job[CMETA_ID_MAX + 1], process[CMETA_ID_MAX + 1];

    decode(without_prefix(name), decoded, sizeof(decoded));
    split(state->bundle, decoded, job, process, sizeof(job));
    container->content.type = CMETA_TYPE_BPM;
    container->content.created_ns = state->created_ns;
    container_set(container, CMETA_STRING_NAME, decoded);
    add_label(container, limits, "bpm.job", job);
    add_label(container, limits, "bpm.process", process);
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
        container_set(container, images[i], "");
    container_know(container, CMETA_GROUP_IDENTITY);
    container_know(container, CMETA_GROUP_IMAGE);
    container_know(container, CMETA_GROUP_LABELS);
    container_know(container, CMETA_GROUP_POD);
    container_know(container, CMETA_GROUP_HEALTH);
}
