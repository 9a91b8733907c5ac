// SPDX-License-Identifier: Apache-2.0
#include "cri_images.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct image {
    const char *query;
    Cri__Image *answer;
    char text[];
};

struct cri_images {
    void *tree; // tsearch(3), by query
    unsigned count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct image *)a)->query, ((const struct image *)b)->query);
}

static void free_image(void *node)
{
    struct image *image = node;

    if (image->answer)
        cri__image__free_unpacked(image->answer, NULL);
    free(image);
}

struct cri_images *cri_images_new(void)
{
    return calloc(1, sizeof(struct cri_images));
}

void cri_images_clear(struct cri_images *images)
{
    tdestroy(images->tree, free_image);
    images->tree = NULL;
    images->count = 0;
}

struct cri_images *cri_images_free(struct cri_images *images)
{
    if (images)
        cri_images_clear(images);
    free(images);
    return NULL;
}

bool cri_images_find(const struct cri_images *images, const char *query, const Cri__Image **answer)
{
    struct image probe = {.query = query};
    void *node = tfind(&probe, (void *const *)&images->tree, compare);

    if (!node)
        return false;
    *answer = (*(struct image **)node)->answer;
    return true;
}

void cri_images_put(struct cri_images *images, const char *query, Cri__Image *answer)
{
    size_t bytes = strlen(query) + 1;
    struct image *image = malloc(sizeof(*image) + bytes), **node;

    if (!image) {
        if (answer)
            cri__image__free_unpacked(answer, NULL);
        return;
    }
    image->query = memcpy(image->text, query, bytes);
    image->answer = answer;
    if (images->count == CRI_IMAGES_MAX)
        cri_images_clear(images);
    node = (struct image **)tsearch(image, &images->tree, compare);
    if (!node) {
        free_image(image);
    } else if (*node != image) { // a newer answer to the same question
        free_image(*node);
        *node = image;
    } else {
        images->count++;
    }
}
