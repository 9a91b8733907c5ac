// SPDX-License-Identifier: Apache-2.0
// One pass over the path, component by component. A component is judged by itself, its two
// parents, and, for machines, its child; the innermost strong match is kept.
#include "container_id.h"

#include <stdbool.h>
#include <string.h>

#define HEX64 64u
#define HEX32 32u

struct part {
    const char *text;
    size_t len;
};

// --- characters and words
// -----------------------------------------------------------------------------

static bool is_hex(const char *text, size_t len)
{
    unsigned bad = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned c = (unsigned char)text[i];

        // Without branches, so that the compiler does sixteen at a time.
        bad |= !((c - '0' < 10u) | ((c | 0x20) - 'a' < 6u));
    }
    return !bad;
}

int cmeta_id_is_hex64(const char *id, size_t len)
{
    return len == HEX64 && is_hex(id, HEX64);
}

static bool is(struct part part, const char *word, size_t len)
{
    return part.len == len && memcmp(part.text, word, len) == 0;
}
#define IS(part, word) is(part, word, sizeof(word) - 1)

// Takes a prefix away if it is there.
static bool take_prefix(struct part *part, const char *prefix, size_t len)
{
    if (part->len < len || memcmp(part->text, prefix, len) != 0)
        return false;
    part->text += len;
    part->len -= len;
    return true;
}
#define TAKE_PREFIX(part, word) take_prefix(part, word, sizeof(word) - 1)

static bool take_suffix(struct part *part, const char *suffix, size_t len)
{
    if (part->len < len || memcmp(part->text + part->len - len, suffix, len) != 0)
        return false;
    part->len -= len;
    return true;
}
#define TAKE_SUFFIX(part, word) take_suffix(part, word, sizeof(word) - 1)

// A name that engines give: not empty, not too long, no control characters.
static bool is_name(struct part part)
{
    if (part.len == 0 || part.len > CMETA_ID_MAX)
        return false;
    for (size_t i = 0; i < part.len; i++)
        if ((unsigned char)part.text[i] < 0x20 || part.text[i] == 0x7f)
            return false;
    return true;
}

static bool is_alnum(char c)
{
    return (unsigned)(c - '0') < 10u || (unsigned)((c | 0x20) - 'a') < 26u;
}

// containerd's identifiers: words of letters and digits with one of . _ - between them.
static bool is_identifier(struct part part)
{
    if (part.len == 0 || part.len > CMETA_NAMESPACE_MAX)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        bool between = i > 0 && i + 1 < part.len && is_alnum(part.text[i - 1]);
        char c = part.text[i];

        if (!is_alnum(c) && !(between && (c == '.' || c == '_' || c == '-')))
            return false;
    }
    return true;
}

// A systemd unit: the host's, whatever it is called.
static bool is_unit(struct part part)
{
    static const struct part suffixes[] = {{".slice", 6},  {".scope", 6},     {".service", 8},
                                           {".mount", 6},  {".socket", 7},    {".swap", 5},
                                           {".device", 7}, {".target", 7},    {".path", 5},
                                           {".timer", 6},  {".automount", 10}};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (part.len >= suffixes[i].len &&
            memcmp(part.text + part.len - suffixes[i].len, suffixes[i].text, suffixes[i].len) == 0)
            return true;
    return false;
}

// --- one component
// ----------------------------------------------------------------------------------------

struct found {
    enum cmeta_layout layout;
    struct part id;
};

static bool found_hex(struct found *found, enum cmeta_layout layout, struct part rest)
{
    if (!cmeta_id_is_hex64(rest.text, rest.len))
        return false;
    *found = (struct found){layout, rest};
    return true;
}

static bool found_name(struct found *found, enum cmeta_layout layout, struct part rest)
{
    if (!is_name(rest))
        return false;
    *found = (struct found){layout, rest};
    return true;
}

// slice:prefix:ID, where the engine meant it for systemd and the runtime took it for a path.
static bool match_colons(struct part part, struct found *found)
{
    struct part rest;

    if (part.len <= HEX64 || part.text[part.len - HEX64 - 1] != ':')
        return false;
    rest = (struct part){part.text + part.len - HEX64, HEX64};
    part.len -= HEX64 + 1;
    if (TAKE_SUFFIX(&part, ":cri-containerd"))
        return found_hex(found, CMETA_LAYOUT_CRI_CONTAINERD, rest);
    if (TAKE_SUFFIX(&part, ":crio"))
        return found_hex(found, CMETA_LAYOUT_CRIO, rest);
    if (TAKE_SUFFIX(&part, ":docker"))
        return found_hex(found, CMETA_LAYOUT_DOCKER, rest);
    if (TAKE_SUFFIX(&part, ":libpod"))
        return found_hex(found, CMETA_LAYOUT_PODMAN, rest);
    if (TAKE_SUFFIX(&part, ":nerdctl"))
        return found_hex(found, CMETA_LAYOUT_NERDCTL, rest);
    return false;
}

// <prefix>-<64 hex>, mostly as a systemd scope. conmon's scopes carry the ID too, behind one more
// word: too long.
static bool match_prefixed(struct part part, struct found *found)
{
    struct part rest = part;
    bool scope = TAKE_SUFFIX(&rest, ".scope");

    switch (rest.len) {
    case sizeof("docker-") - 1 + HEX64: // libpod- is as long
        if (TAKE_PREFIX(&rest, "libpod-"))
            return found_hex(found, CMETA_LAYOUT_PODMAN, rest);
        return scope && TAKE_PREFIX(&rest, "docker-") &&
               found_hex(found, CMETA_LAYOUT_DOCKER, rest);
    case sizeof("crio-") - 1 + HEX64:
        return TAKE_PREFIX(&rest, "crio-") && found_hex(found, CMETA_LAYOUT_CRIO, rest);
    case sizeof("nerdctl-") - 1 + HEX64:
        return scope && TAKE_PREFIX(&rest, "nerdctl-") &&
               found_hex(found, CMETA_LAYOUT_NERDCTL, rest);
    case sizeof("cri-containerd-") - 1 + HEX64: // libpod-payload- is as long
        if (TAKE_PREFIX(&rest, "libpod-payload-"))
            return found_hex(found, CMETA_LAYOUT_PODMAN_PAYLOAD, rest);
        return scope && TAKE_PREFIX(&rest, "cri-containerd-") &&
               found_hex(found, CMETA_LAYOUT_CRI_CONTAINERD, rest);
    default:
        return false;
    }
}

static bool match_bpm(struct part part, struct found *found)
{
    if (!TAKE_SUFFIX(&part, ".scope") && is_unit(part))
        return false;
    TAKE_PREFIX(&part, "runc-");
    if (!TAKE_PREFIX(&part, "bpm-") || part.len == 0 || part.len > CMETA_ID_MAX)
        return false;
    for (size_t i = 0; i < part.len; i++)
        if (!is_alnum(part.text[i]) && !memchr("._-", part.text[i], 3))
            return false;
    *found = (struct found){CMETA_LAYOUT_BPM, part};
    return true;
}

// <task>-<number> below the task's own cgroup.
static bool match_fargate(struct part part, struct part parent, struct part above,
                          struct found *found)
{
    size_t digits = part.len - HEX32 - 1;

    if (!IS(above, "ecs") || parent.len != HEX32 || part.len < HEX32 + 2 || digits > 10 ||
        part.text[HEX32] != '-' || memcmp(part.text, parent.text, HEX32) != 0 ||
        !is_hex(part.text, HEX32))
        return false;
    for (size_t i = HEX32 + 1; i < part.len; i++)
        if ((unsigned)(part.text[i] - '0') >= 10u)
            return false;
    *found = (struct found){CMETA_LAYOUT_FARGATE, part};
    return true;
}

// machine-<name>.scope and systemd-nspawn@<name>.service; the container is their child `payload`.
static bool match_machine(struct part part, struct part child, struct found *found)
{
    struct part name = part;

    if (TAKE_SUFFIX(&name, ".scope") && TAKE_PREFIX(&name, "machine-")) {
        if (TAKE_PREFIX(&name, "lxc\\x2d"))
            return found_name(found, CMETA_LAYOUT_LIBVIRT_LXC, name);
        if (TAKE_PREFIX(&name, "qemu\\x2d"))
            return false;
        return IS(child, "payload") && found_name(found, CMETA_LAYOUT_NSPAWN, name);
    }
    name = part;
    return TAKE_SUFFIX(&name, ".service") && TAKE_PREFIX(&name, "systemd-nspawn@") &&
           IS(child, "payload") && found_name(found, CMETA_LAYOUT_NSPAWN, name);
}

static bool match_lxc(struct part part, struct part parent, struct part above, struct found *found)
{
    struct part name = part;

    if (TAKE_PREFIX(&name, "lxc.payload."))
        return found_name(found, CMETA_LAYOUT_LXC, name);
    if (TAKE_SUFFIX(&name, ".libvirt-lxc"))
        return found_name(found, CMETA_LAYOUT_LIBVIRT_LXC, name);
    if (IS(parent, "lxc.payload"))
        return found_name(found, CMETA_LAYOUT_LXC, part);
    if (!IS(parent, "lxc"))
        return false;
    return found_name(found, IS(above, "libvirt") ? CMETA_LAYOUT_LIBVIRT_LXC : CMETA_LAYOUT_LXC,
                      part);
}

static bool match_component(struct part part, struct part parent, struct part above,
                            struct part child, struct found *found)
{
    if (part.len >= HEX64) {
        // The only bare 64-hex name that isn't a container: podman's pod.
        if (part.len == HEX64 && !IS(parent, "libpod_parent") &&
            found_hex(found, CMETA_LAYOUT_BARE_HEX, part))
            return true;
        if (match_prefixed(part, found) || match_colons(part, found))
            return true;
    }
    if (parent.len == HEX32 && match_fargate(part, parent, above, found))
        return true;
    switch (part.text[0]) {
    case 'm':
    case 's':
        if (match_machine(part, child, found))
            return true;
        break;
    case 'b':
    case 'r':
        if (match_bpm(part, found))
            return true;
        break;
    default:
        break;
    }
    return match_lxc(part, parent, above, found);
}

// --- the path
// ------------------------------------------------------------------------------------------------

// Parents that are never a containerd namespace.
static bool is_known_parent(struct part part)
{
    return is_unit(part) || IS(part, "kubepods") || IS(part, "libpod_parent") ||
           IS(part, "docker") || IS(part, "ecs") || IS(part, "machine") || IS(part, "libvirt") ||
           (part.len >= 3 && memcmp(part.text, "lxc", 3) == 0);
}

static void match_weak(struct part ns, struct part id, struct cmeta_id_match *match)
{
    if (!is_identifier(ns) || !is_identifier(id) || is_known_parent(ns) || is_unit(id))
        return;
    match->strength = CMETA_WEAK;
    match->layout = CMETA_LAYOUT_CONTAINERD;
    match->id = id.text;
    match->id_len = (uint16_t)id.len;
    match->ns = ns.text;
    match->ns_len = (uint16_t)ns.len;
}

// The next component, without the slashes around it; empty at the end.
static struct part next_part(const char **at, const char *end)
{
    struct part part;
    const char *slash;

    while (*at < end && **at == '/')
        ++*at;
    slash = memchr(*at, '/', (size_t)(end - *at));
    part = (struct part){*at, (size_t)((slash ? slash : end) - *at)};
    *at += part.len;
    return part;
}

enum cmeta_strength cmeta_container_id_match(const char *path, size_t len, uint32_t layouts,
                                             struct cmeta_id_match *match)
{
    static const char deleted[] = " (deleted)";
    struct part above = {"", 0}, parent = {"", 0}, part, child, first = {"", 0}, second = {"", 0};
    struct part whole = {path, len};
    struct found found;
    const char *at = path, *end;

    *match = (struct cmeta_id_match){.strength = CMETA_NO_MATCH, .layout = CMETA_LAYOUT_NONE};
    if (len > CMETA_CGROUP_PATH_MAX)
        return CMETA_NO_MATCH;
    take_suffix(&whole, deleted, sizeof(deleted) - 1);
    end = path + whole.len;
    for (part = next_part(&at, end); part.len; above = parent, parent = part, part = child) {
        child = next_part(&at, end);
        match->depth++;
        if (part.text[0] == '.' && IS(part, ".."))
            continue; // seen from another cgroup namespace
        if (!first.len)
            first = part;
        else if (!second.len)
            second = part;
        if (part.len > 12 && memcmp(part.text, "lxc.monitor.", 12) == 0)
            break; // what is below watches a container, and isn't in it
        if (IS(part, "lxc.monitor"))
            break;
        if (!match_component(part, parent, above, child, &found) ||
            !(layouts & CMETA_LAYOUT_BIT(found.layout)))
            continue;
        match->strength = CMETA_STRONG;
        match->layout = found.layout;
        match->id = found.id.text;
        match->id_len = (uint16_t)found.id.len;
    }
    if (match->strength == CMETA_NO_MATCH && (layouts & CMETA_LAYOUT_BIT(CMETA_LAYOUT_CONTAINERD)))
        match_weak(first, second, match);
    return match->strength;
}

// --- names
// -----------------------------------------------------------------------------------------------------

const char *cmeta_layout_name(enum cmeta_layout layout)
{
    static const char *const names[CMETA_LAYOUT_COUNT] = {
        [CMETA_LAYOUT_NONE] = "none",
        [CMETA_LAYOUT_DOCKER] = "docker",
        [CMETA_LAYOUT_BARE_HEX] = "bare-hex",
        [CMETA_LAYOUT_PODMAN] = "libpod",
        [CMETA_LAYOUT_PODMAN_PAYLOAD] = "libpod-payload",
        [CMETA_LAYOUT_CRIO] = "crio",
        [CMETA_LAYOUT_CRI_CONTAINERD] = "cri-containerd",
        [CMETA_LAYOUT_NERDCTL] = "nerdctl",
        [CMETA_LAYOUT_CONTAINERD] = "containerd-namespace",
        [CMETA_LAYOUT_LXC] = "lxc",
        [CMETA_LAYOUT_LIBVIRT_LXC] = "libvirt-lxc",
        [CMETA_LAYOUT_BPM] = "bpm",
        [CMETA_LAYOUT_FARGATE] = "fargate",
        [CMETA_LAYOUT_NSPAWN] = "nspawn",
    };

    return (unsigned)layout < CMETA_LAYOUT_COUNT ? names[layout] : names[CMETA_LAYOUT_NONE];
}

uint32_t cmeta_layouts_of_engine(const char *engine)
{
#define BIT(layout) CMETA_LAYOUT_BIT(CMETA_LAYOUT_##layout)
    static const struct {
        const char *engine;
        uint32_t layouts;
    } table[] = {
        {"docker", BIT(DOCKER) | BIT(BARE_HEX)},
        {"podman", BIT(PODMAN) | BIT(PODMAN_PAYLOAD)},
        {"containerd", BIT(CONTAINERD) | BIT(BARE_HEX) | BIT(NERDCTL)},
        {"cri", BIT(BARE_HEX) | BIT(CRIO) | BIT(CRI_CONTAINERD) | BIT(DOCKER) | BIT(NERDCTL)},
        {"lxc", BIT(LXC)},
        {"libvirt_lxc", BIT(LIBVIRT_LXC)},
        {"bpm", BIT(BPM)},
        {"ecs", BIT(FARGATE) | BIT(BARE_HEX)},
        {"nspawn", BIT(NSPAWN)},
    };
#undef BIT

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(engine, table[i].engine) == 0)
            return table[i].layouts;
    return 0;
}
