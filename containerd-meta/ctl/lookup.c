// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include "containerd-meta/cleanup.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool lookup_next(const struct cmeta_region *region, uint64_t *cursor, cmeta_handle *handle)
{
    int r;

    do
        r = cmeta_reader_next(region, cursor, handle);
    while (r == CMETA_ITERATE_MORE);
    return r == 1;
}

struct cmeta_str lookup_short_id(struct cmeta_str id)
{
    if (cmeta_id_is_hex64(id.data, id.len))
        id.len = 12;
    return id;
}

struct cmeta_str lookup_string(const struct cmeta_region *region, cmeta_handle handle,
                               enum cmeta_string which)
{
    enum cmeta_group group = which == CMETA_STRING_NAME ? CMETA_GROUP_IDENTITY : CMETA_GROUP_IMAGE;
    struct cmeta_str value = {NULL, 0};
    struct cmeta_view view;

    if (cmeta_reader_record(region, handle, &view) &&
        (cmeta_view_known(&view) & CMETA_GROUP_BIT(group)))
        cmeta_view_string(&view, which, &value);
    return value;
}

static void add(struct lookup *found, cmeta_handle handle)
{
    found->handles = reallocarray(found->handles, found->count + 1, sizeof(handle));
    if (!found->handles)
        exit(CTL_FAILED);
    found->handles[found->count++] = handle;
}

void lookup_free(struct lookup *found)
{
    free(found->handles);
    *found = (struct lookup){0};
}

static bool is_live(const struct cmeta_status *status)
{
    return CMETA_STATUS_STATE(status->word) != CMETA_STATE_REMOVED;
}

static bool equal(struct cmeta_str s, const char *text, size_t len)
{
    return s.len == len && memcmp(s.data, text, len) == 0;
}

static bool begins(struct cmeta_str id, const char *text, size_t len)
{
    if (len > id.len)
        return false;
    return cmeta_id_is_hex64(id.data, id.len) ? strncasecmp(id.data, text, len) == 0
                                              : memcmp(id.data, text, len) == 0;
}

// --- by what a user types
// --------------------------------------------------------------------------------

// How well a text fits, the best last. A live container is a better fit than a removed one.
enum fit { FIT_NONE, FIT_PREFIX, FIT_NAME, FIT_ID };

static bool is_scoped_id(const struct cmeta_status *status, const char *text, size_t len)
{
    size_t scope_len = status->scope.len;

    return scope_len && len > scope_len + 1 && text[scope_len] == '/' &&
           memcmp(text, status->scope.data, scope_len) == 0 &&
           equal(status->id, text + scope_len + 1, len - scope_len - 1);
}

static unsigned fit_of(const struct cmeta_region *region, cmeta_handle handle, const char *text,
                       size_t len)
{
    struct cmeta_status status;
    struct cmeta_str name;
    enum fit fit = FIT_NONE;

    if (!cmeta_reader_status(region, handle, &status))
        return FIT_NONE;
    name = lookup_string(region, handle, CMETA_STRING_NAME);
    if ((lookup_short_id(status.id).len == len || status.id.len == len) &&
        begins(status.id, text, len))
        fit = FIT_ID;
    else if (is_scoped_id(&status, text, len))
        fit = FIT_ID;
    else if (name.data && equal(name, text, len))
        fit = FIT_NAME;
    else if (begins(status.id, text, len))
        fit = FIT_PREFIX;
    return fit ? 2 * (unsigned)fit + is_live(&status) : FIT_NONE;
}

size_t lookup_text(const struct cmeta_region *region, const char *text, struct lookup *found)
{
    size_t len = strlen(text);
    unsigned best = FIT_NONE;
    uint64_t cursor = 0;
    cmeta_handle handle;

    *found = (struct lookup){0};
    if (len == 0)
        return 0;
    while (lookup_next(region, &cursor, &handle)) {
        unsigned fit = fit_of(region, handle, text, len);

        // Removed ones of the same kind give way: see fit_of().
        if (fit == FIT_NONE || fit < best)
            continue;
        if (fit > best)
            found->count = 0;
        best = fit;
        add(found, handle);
    }
    return found->count;
}

// --- by what a cgroup says
// --------------------------------------------------------------------------------

// Whether an engine of this scope may have made a cgroup of this layout. The scope's class is the
// engine's name in the configuration; one that we don't know isn't judged.
static bool scope_claims(struct cmeta_str scope, enum cmeta_layout layout)
{
    const char *slash = scope.len ? memchr(scope.data, '/', scope.len) : NULL;
    CLEANUP(freep)
    char *engine = text_copy(
        (struct cmeta_str){scope.data, slash ? (uint32_t)(slash - scope.data) : scope.len});
    uint32_t layouts = cmeta_layouts_of_engine(engine);

    return layouts == 0 || (layouts & CMETA_LAYOUT_BIT(layout));
}

static bool is_meant(const struct cmeta_status *status, const struct cmeta_id_match *match)
{
    static const char prefix[] = "containerd/";
    const size_t prefix_len = sizeof(prefix) - 1;
    struct cmeta_str scope = status->scope;

    if (!equal(status->id, match->id, match->id_len))
        return false;
    if (match->strength == CMETA_WEAK)
        return scope.len == prefix_len + match->ns_len &&
               memcmp(scope.data, prefix, prefix_len) == 0 &&
               memcmp(scope.data + prefix_len, match->ns, match->ns_len) == 0;
    // 64 digits are nobody else's; a free-form name may be another engine's as well.
    return cmeta_id_is_hex64(match->id, match->id_len) || scope_claims(scope, match->layout);
}

size_t lookup_match(const struct cmeta_region *region, const struct cmeta_id_match *match,
                    struct lookup *found)
{
    uint64_t cursor = 0;
    cmeta_handle handle;
    bool live = false;

    *found = (struct lookup){0};
    while (lookup_next(region, &cursor, &handle)) {
        struct cmeta_status status;

        if (!cmeta_reader_status(region, handle, &status) || !is_meant(&status, match) ||
            (live && !is_live(&status)))
            continue;
        if (is_live(&status) && !live)
            found->count = 0;
        live = live || is_live(&status);
        add(found, handle);
    }
    return found->count;
}

void lookup_print(const struct cmeta_region *region, const struct lookup *found, FILE *to)
{
    for (size_t i = 0; i < found->count; i++) {
        CLEANUP(freep)
        char *id = NULL;
        CLEANUP(freep)
        char *scope = NULL;
        CLEANUP(freep)
        char *name = NULL;
        struct cmeta_status status;

        if (!cmeta_reader_status(region, found->handles[i], &status))
            continue;
        id = text_printable(status.id);
        scope = text_printable(status.scope);
        name = text_printable(lookup_string(region, found->handles[i], CMETA_STRING_NAME));
        fprintf(to, "  %s%s%s  %s  %s\n", scope, *scope ? "/" : "", id, name,
                cmeta_state_name(CMETA_STATUS_STATE(status.word)));
    }
}
