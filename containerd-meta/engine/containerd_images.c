// SPDX-License-Identifier: Apache-2.0
#include "containerd_images.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct image {
    char *ns, *name, *digest; // in `text`
    char text[];
};

struct containerd_images {
    void *tree; // tsearch(3), by namespace and name
    unsigned count;
};

static int compare(const void *a, const void *b)
{
    const struct image *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : strcmp(x->ns, y->ns);
}

static struct image *find(const struct containerd_images *images, const char *ns, const char *name)
{
    struct image probe = {.ns = (char *)(size_t)ns, .name = (char *)(size_t)name};
    void *node = tfind(&probe, (void *const *)&images->tree, compare);

    return node ? *(struct image **)node : NULL;
}

struct containerd_images *containerd_images_new(void)
{
    return calloc(1, sizeof(struct containerd_images));
}

void containerd_images_clear(struct containerd_images *images)
{
    tdestroy(images->tree, free);
    images->tree = NULL;
    images->count = 0;
}

struct containerd_images *containerd_images_free(struct containerd_images *images)
{
    if (images)
        containerd_images_clear(images);
    free(images);
    return NULL;
}

void containerd_images_forget(struct containerd_images *images, const char *ns, const char *name)
{
    struct image *image = find(images, ns, name);

    if (!image)
        return;
    tdelete(image, &images->tree, compare);
    images->count--;
    free(image);
}

void containerd_images_put(struct containerd_images *images, const char *ns, const char *name,
                           const char *digest)
{
    size_t ns_bytes = strlen(ns) + 1, name_bytes = strlen(name) + 1;
    size_t digest_bytes = strlen(digest) + 1;
    struct image *image;

    containerd_images_forget(images, ns, name);
    if (images->count == CONTAINERD_IMAGES_MAX)
        containerd_images_clear(images);
    image = malloc(sizeof(*image) + ns_bytes + name_bytes + digest_bytes);
    if (!image)
        return;
    image->ns = memcpy(image->text, ns, ns_bytes);
    image->name = memcpy(image->text + ns_bytes, name, name_bytes);
    image->digest = memcpy(image->text + ns_bytes + name_bytes, digest, digest_bytes);
    if (tsearch(image, &images->tree, compare))
        images->count++;
    else
        free(image);
}

const char *containerd_images_find(const struct containerd_images *images, const char *ns,
                                   const char *name)
{
    const struct image *image = find(images, ns, name);

    return image ? image->digest : NULL;
}
