// SPDX-License-Identifier: Apache-2.0
// The groups of a container's content: what belongs to each, and how one content's group is taken
// over into another. The store's merge stands on this; it knows no engine and no moment.
#ifndef CONTENT_H
#define CONTENT_H

#include "shm/record.h"

// Nothing known, numbers as upstream has them for what nobody told: cpu_period 100000, cpu_shares
// 1024, size_rw -1.
void content_init(struct cmeta_container *content);

/**
 * content_take_group() - replace all properties of a group by another content's
 *
 * Shallow: strings and lists go on living where they lived. Takes known bit, reason and source
 * too.
 */
void content_take_group(struct cmeta_container *to, const struct cmeta_container *from,
                        enum cmeta_group group);

/**
 * content_take_partial() - of a group that neither knows: add the strings and labels that are
 * absent in @to
 */
void content_take_partial(struct cmeta_container *to, const struct cmeta_container *from,
                          enum cmeta_group group);

/**
 * content_overwrite_partial() - as content_take_partial(), but what @from has wins
 */
void content_overwrite_partial(struct cmeta_container *to, const struct cmeta_container *from,
                               enum cmeta_group group);

#endif
