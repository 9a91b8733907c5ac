// SPDX-License-Identifier: Apache-2.0
#include "kube_image.h"

#include "containerd-meta/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What an image is called, as slices of the texts it was taken from.
struct naming {
    struct image_ref ref;
    const char *prefix; // of the repository, in front of the slice
};

// `text` is a host, a slash and `end`.
static bool is_below_host(struct cmeta_str text, struct cmeta_str end)
{
    const char *slash = text.len > end.len ? memchr(text.data, '/', text.len) : NULL;

    return slash && text.len - (size_t)(slash + 1 - text.data) == end.len &&
           memcmp(slash + 1, end.data, end.len) == 0;
}

// A registry's host has a dot or a port, or is localhost.
static bool has_host(struct cmeta_str repository)
{
    const char *slash = memchr(repository.data, '/', repository.len);
    size_t len = slash ? (size_t)(slash - repository.data) : 0;

    return memchr(repository.data, '.', len) || memchr(repository.data, ':', len) ||
           (len == 9 && memcmp(repository.data, "localhost", 9) == 0);
}

// Whether `full` is what a runtime makes of what the user wrote.
static bool spells(struct cmeta_str full, struct cmeta_str wanted)
{
    return full.len && (image_ref_same_repository(full, wanted) ||
                        (!has_host(wanted) && has_host(full) && is_below_host(full, wanted)));
}

// The runtime's spelling of a repository; as it is if the runtime has none.
static struct cmeta_str full_spelling(const struct kube_image *image, struct cmeta_str wanted)
{
    const struct cmeta_str told[] = {image_ref_parse_text(image->name).repository,
                                     image_ref_parse_text(image->ref).repository};

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (spells(told[i], wanted))
            return told[i];
    for (size_t i = 0; i < image->names.tags_count; i++) {
        struct cmeta_str full = image_ref_parse_text(image->names.tags[i]).repository;

        if (spells(full, wanted))
            return full;
    }
    for (size_t i = 0; i < image->names.digests_count; i++) {
        struct cmeta_str full = image_ref_parse_text(image->names.digests[i]).repository;

        if (spells(full, wanted))
            return full;
    }
    return wanted;
}

// containerd completes a short name in one way only.
static const char *prefix_of(const struct container *container, struct cmeta_str repository)
{
    if (container->content.type != CMETA_TYPE_CONTAINERD || !repository.len || has_host(repository))
        return "";
    return memchr(repository.data, '/', repository.len) ? "docker.io/" : "docker.io/library/";
}

static struct naming name_it(const struct container *container, const struct kube_image *image)
{
    struct naming naming = {.ref = image_ref_parse_text(image->user), .prefix = ""};
    struct image_ref first;

    if (naming.ref.repository.len) {
        naming.ref.repository = full_spelling(image, naming.ref.repository);
        if (!naming.ref.tag.len && !naming.ref.digest.len)
            naming.ref.tag = CMETA_STR("latest"); // what a runtime takes a bare name for
        naming.prefix = prefix_of(container, naming.ref.repository);
        return naming;
    }
    naming.ref = image_ref_parse_text(image->name);
    if (naming.ref.repository.len)
        return naming;
    first = image_ref_parse_text(image->ref);
    if (!first.repository.len)
        first = image_names_first(&image->names);
    naming.ref = (struct image_ref){.repository = first.repository, .tag = first.tag};
    return naming;
}

static struct cmeta_str text(const char *string)
{
    return (struct cmeta_str){string, string ? (uint32_t)strlen(string) : 0};
}

// As the user pinned it; as the runtime resolved it; as the repository has it; as the name stands.
static struct cmeta_str digest_of(const struct kube_image *image, const struct image_ref *named,
                                  bool is_complete)
{
    const struct image_ref ref = image_ref_parse_text(image->ref);
    struct cmeta_str digest = {0};

    if (named->repository.len && named->digest.len)
        return named->digest;
    if (ref.repository.len && ref.digest.len)
        return ref.digest;
    if (image->names.digests_count)
        digest = image_names_digest(&image->names, named->repository);
    if (!digest.len)
        digest = text(image->target);
    // Upstream says the ID where there is no digest.
    if (!digest.len && is_complete && ref.digest.len &&
        memchr(ref.digest.data, ':', ref.digest.len))
        digest = ref.digest;
    return digest;
}

static const char *id_of(const struct kube_image *image, bool is_complete)
{
    const char *const told[] = {image->id, image->ref, image->name, image->user};

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (image_id_is(told[i]))
            return image_id_hex(told[i]);
    return is_complete && image->target ? image_id_hex(image->target) : "";
}

// What is empty says nothing as long as more may come.
static void set(struct container *container, enum cmeta_string which, struct cmeta_str value,
                bool is_complete)
{
    if (value.len || is_complete)
        container_set_str(container, which, value);
}

// The repository with its prefix, and repository:tag of it.
static int set_names(struct container *container, const struct naming *naming,
                     const struct kube_image *image, bool is_complete)
{
    const struct cmeta_str *repository = &naming->ref.repository, *tag = &naming->ref.tag;
    const size_t prefix = strlen(naming->prefix), at = prefix + repository->len;
    char *whole = malloc(at + tag->len + 2);
    const char *name;

    if (!whole)
        return -ENOMEM;
    sprintf(whole, "%s%.*s%s%.*s", naming->prefix, (int)repository->len,
            repository->len ? repository->data : "", tag->len ? ":" : "", (int)tag->len,
            tag->len ? tag->data : "");
    name = text_either(text_present(whole), text_either(text_present(image->name), image->ref));
    if (!image->is_cri && text_present(image->name))
        name = image->name;
    set(container, CMETA_STRING_IMAGE, text(name), is_complete);
    set(container, CMETA_STRING_IMAGE_REPO, (struct cmeta_str){whole, (uint32_t)at}, is_complete);
    set(container, CMETA_STRING_IMAGE_TAG, *tag, is_complete);
    free(whole);
    return 0;
}

int kube_image_apply(struct container *container, const struct kube_image *image, bool is_complete)
{
    const struct naming naming = name_it(container, image);

    if (set_names(container, &naming, image, is_complete) < 0)
        return -ENOMEM;
    set(container, CMETA_STRING_IMAGE_ID, text(id_of(image, is_complete)), is_complete);
    set(container, CMETA_STRING_IMAGE_DIGEST, digest_of(image, &naming.ref, is_complete),
        is_complete);
    if (is_complete)
        container_know(container, CMETA_GROUP_IMAGE);
    return container_failed(container) ? -ENOMEM : 0;
}
