// SPDX-License-Identifier: Apache-2.0
// What a CRI runtime answered about its images, by what was asked for. Bounded; what is pushed out
// is asked for again. Belongs to one CRI instance.
#ifndef CRI_IMAGES_H
#define CRI_IMAGES_H

#include "cri.pb-c.h"

#include <stdbool.h>

struct cri_images;

#define CRI_IMAGES_MAX 1024u

struct cri_images *cri_images_new(void);                       // NULL if out of memory
struct cri_images *cri_images_free(struct cri_images *images); // returns NULL

// Takes the answer over; NULL: the runtime has no such image. What can't be remembered is freed.
void cri_images_put(struct cri_images *images, const char *query, Cri__Image *answer);
/**
 * cri_images_find() - Return: whether an answer is remembered.
 * @answer: it, NULL if there is no such image; lives until the next call that changes. Untouched if
 *          nothing is remembered.
 */
bool cri_images_find(const struct cri_images *images, const char *query, const Cri__Image **answer);
void cri_images_clear(struct cri_images *images);

#endif
