// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include <string.h>

uint32_t lookup_stamp(const struct lookup *l)
{
    const struct cmeta_region *region = follower_region(l->shared);
    uint64_t stamp = capture_store_revision(l->captured);

    return REF_STAMP(region ? stamp + cmeta_reader_revision(region) + region->epoch : stamp);
}

enum cmeta_found lookup_id(const struct lookup *l, const char *id, size_t len, cmeta_handle *handle)
{
    const struct cmeta_region *region = follower_region(l->shared);
    enum cmeta_found found = CMETA_ABSENT;

    if (region)
        found = cmeta_reader_find(region, id, len, handle);
    return found != CMETA_ABSENT ? found : capture_store_find(l->captured, id, len, handle);
}

static enum cmeta_found find_weak(const struct cmeta_region *region, const struct witness *w,
                                  cmeta_handle *handle)
{
    char scope[sizeof("containerd/") + CMETA_NAMESPACE_MAX] = "containerd/";
    size_t len = sizeof("containerd/") - 1;

    memcpy(scope + len, w->ns, w->ns_len);
    return cmeta_reader_find_full(region, w->id, w->id_len, scope, len + w->ns_len, handle);
}

// Of 64 hexadecimal digits the first twelve are the key, and mostly one cache line is enough.
static enum cmeta_found find_strong(const struct cmeta_region *region, const struct witness *w,
                                    cmeta_handle *handle)
{
    enum cmeta_found found = CMETA_AMBIGUOUS;
    size_t shown = witness_shown(w);

    if (shown < w->id_len)
        found = cmeta_reader_find(region, w->id, shown, handle);
    if (found == CMETA_AMBIGUOUS)
        found = cmeta_reader_find_full(region, w->id, w->id_len, NULL, 0, handle);
    return found;
}

enum cmeta_found lookup_witness(const struct lookup *l, const struct witness *w,
                                cmeta_handle *handle)
{
    const struct cmeta_region *region = follower_region(l->shared);
    enum cmeta_found found = CMETA_ABSENT;

    if (region)
        found = w->strength == CMETA_STRONG ? find_strong(region, w, handle)
                                            : find_weak(region, w, handle);
    return found != CMETA_ABSENT ? found : capture_store_recognise(l->captured, w, handle);
}

int lookup_record(const struct lookup *l, cmeta_handle handle, struct cmeta_view *view)
{
    struct served *served = follower_served(l->shared);

    if (served && cmeta_handle_is_of(&served->region, handle))
        return served_record(served, handle, view);
    return capture_store_record(l->captured, handle, view) ? SERVED_TOLD : SERVED_NONE;
}

static int text_of(const char *text, struct cmeta_str *out)
{
    if (!text || !*text)
        return 0;
    *out = (struct cmeta_str){text, (uint32_t)strlen(text)};
    return 1;
}

int lookup_text(const struct lookup *l, cmeta_handle handle, bool whole, struct cmeta_str *out)
{
    const struct cmeta_region *region = follower_region(l->shared);
    struct cmeta_status status;

    if (!region || !cmeta_handle_is_of(region, handle))
        return text_of(whole ? capture_store_full_id(l->captured, handle)
                             : capture_store_id(l->captured, handle),
                       out);
    if (!cmeta_reader_status(region, handle, &status))
        return 0;
    if (!whole && cmeta_id_is_hex64(status.id.data, status.id.len))
        status.id.len = 12;
    *out = status.id;
    return 1;
}
