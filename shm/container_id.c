// SPDX-License-Identifier: Apache-2.0
// One pass over the path, component by component. A component is judged by itself, its two
// parents, and, for machines, its child; the innermost strong match is kept. The plugin does this
// for each row of each exec: most components are host units and have to be cheap to dismiss.
#include "container_id.h"

#include <stdbool.h>
#include <string.h>

#define HEX64 64u
#define HEX32 32u

struct part {
    const char *text;
    size_t len;
};

// --- characters

static uint64_t load64(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word; // the first character in the lowest byte
}

// The high bit of every byte that is a slash.
static uint64_t slashes_in(uint64_t word)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t other = word ^ 0x2f2f2f2f2f2f2f2fu;

    return ~(((other & low) + low) | other | low);
}

// The first slash at or after `at`, or `end`; the text begins at `path`. Eight characters at a
// time: components are too short for memchr() to earn its call.
static const char *find_slash(const char *path, const char *at, const char *end)
{
    uint64_t found;

    for (; end - at >= 8; at += 8) {
        found = slashes_in(load64(at));
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    if (at < end && end - path >= 8) { // the last word once more, without what was seen
        found = slashes_in(load64(end - 8) >> (8 * (8 - (end - at))));
        return found ? at + __builtin_ctzll(found) / 8 : end;
    }
    while (at < end && *at != '/')
        at++;
    return at;
}

static bool is_digit(char c)
{
    return (unsigned)(c - '0') < 10u;
}

static bool is_alnum(char c)
{
    return is_digit(c) || (unsigned)((c | 0x20) - 'a') < 26u;
}

// Sixteen characters in one register (GNU vectors: any target); a lane is all ones if it holds.
typedef uint8_t chars16 __attribute__((vector_size(16)));

static chars16 hex16(const char *text)
{
    chars16 c, lower;

    memcpy(&c, text, sizeof(c));
    lower = c | 0x20;
    return (chars16)(c - '0' < 10) | (chars16)(lower - 'a' < 6);
}

static bool all16(chars16 lanes)
{
    uint64_t half[2];

    memcpy(half, &lanes, sizeof(half));
    return (half[0] & half[1]) == UINT64_MAX;
}

static inline bool is_hex64(const char *text)
{
    return all16(hex16(text) & hex16(text + 16) & hex16(text + 32) & hex16(text + 48));
}

int cmeta_id_is_hex64(const char *id, size_t len)
{
    return len == HEX64 && is_hex64(id);
}

// --- words
// Inlined always: with a constant length a comparison is two loads, not a call.

#define INLINE static inline __attribute__((always_inline))

INLINE bool is(struct part part, const char *word, size_t len)
{
    return part.len == len && memcmp(part.text, word, len) == 0;
}
#define IS(part, word) is(part, word, sizeof(word) - 1)

INLINE bool begins(struct part part, const char *prefix, size_t len)
{
    return part.len >= len && memcmp(part.text, prefix, len) == 0;
}
#define BEGINS(part, word) begins(part, word, sizeof(word) - 1)

INLINE bool ends(struct part part, const char *suffix, size_t len)
{
    return part.len >= len && memcmp(part.text + part.len - len, suffix, len) == 0;
}
#define ENDS(part, word) ends(part, word, sizeof(word) - 1)

// Takes a prefix, or a suffix, away if it is there.
INLINE bool take_prefix(struct part *part, const char *prefix, size_t len)
{
    if (!begins(*part, prefix, len))
        return false;
    part->text += len;
    part->len -= len;
    return true;
}
#define TAKE_PREFIX(part, word) take_prefix(part, word, sizeof(word) - 1)

INLINE bool take_suffix(struct part *part, const char *suffix, size_t len)
{
    if (!ends(*part, suffix, len))
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

// containerd's identifiers: words of letters and digits with one of . _ - between them.
static bool is_identifier(struct part part)
{
    bool word = false; // the character before is of a word

    if (part.len == 0 || part.len > CMETA_NAMESPACE_MAX)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.text[i];
        bool joint = c == '.' || c == '_' || c == '-';

        if (!(joint ? word : is_alnum(c)))
            return false;
        word = !joint;
    }
    return word;
}

// A systemd unit: the host's, whatever it is called. Told by the last letter first.
static bool is_unit(struct part part)
{
    if (part.len == 0)
        return false;
    switch (part.text[part.len - 1]) {
    case 'e':
        return ENDS(part, ".slice") || ENDS(part, ".scope") || ENDS(part, ".service") ||
               ENDS(part, ".device");
    case 'h':
        return ENDS(part, ".path");
    case 'p':
        return ENDS(part, ".swap");
    case 'r':
        return ENDS(part, ".timer");
    case 't':
        return ENDS(part, ".mount") || ENDS(part, ".socket") || ENDS(part, ".target") ||
               ENDS(part, ".automount");
    default:
        return false;
    }
}

// --- one component

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
    if (ENDS(part, ":cri-containerd"))
        return found_hex(found, CMETA_LAYOUT_CRI_CONTAINERD, rest);
    if (ENDS(part, ":crio"))
        return found_hex(found, CMETA_LAYOUT_CRIO, rest);
    if (ENDS(part, ":docker"))
        return found_hex(found, CMETA_LAYOUT_DOCKER, rest);
    if (ENDS(part, ":libpod"))
        return found_hex(found, CMETA_LAYOUT_PODMAN, rest);
    if (ENDS(part, ":nerdctl"))
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

static bool match_hex(struct part part, struct part parent, struct found *found)
{
    if (part.len == HEX64) // the only bare one that isn't a container is podman's pod
        return !IS(parent, "libpod_parent") && found_hex(found, CMETA_LAYOUT_BARE_HEX, part);
    return match_prefixed(part, found) || match_colons(part, found);
}

static bool found_bpm(struct found *found, struct part id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!is_alnum(id.text[i]) && id.text[i] != '.' && id.text[i] != '_' && id.text[i] != '-')
            return false;
    return found_name(found, CMETA_LAYOUT_BPM, id);
}

// bpm-<job>, runc-bpm-<job>.scope, and of late <bpm's unit>-bpm-bpm-<job>.scope, where the unit
// may be called anything: the last one counts.
static bool match_bpm(struct part part, struct found *found)
{
    const size_t mark = sizeof("-bpm-bpm-") - 1;
    bool scope = TAKE_SUFFIX(&part, ".scope");

    for (size_t i = scope && part.len > mark ? part.len - mark : 0; i > 0; i--)
        if (part.text[i] == '-' && memcmp(part.text + i, "-bpm-bpm-", mark) == 0)
            return found_bpm(found, (struct part){part.text + i + mark, part.len - i - mark});
    if (!scope && is_unit(part))
        return false;
    TAKE_PREFIX(&part, "runc-");
    return TAKE_PREFIX(&part, "bpm-") && found_bpm(found, part);
}

// <task>-<number> below the task's own cgroup, ecs/<task>; of which another container of the task
// sees no more than "..", where it has a cgroup namespace of its own.
static bool match_fargate(struct part part, struct part parent, struct part above,
                          struct found *found)
{
    if (part.len < HEX32 + 2 || part.len > HEX32 + 11 || part.text[HEX32] != '-' ||
        !all16(hex16(part.text) & hex16(part.text + 16)))
        return false;
    if (!IS(parent, "..") &&
        (!(IS(above, "ecs") || IS(above, "..")) || memcmp(part.text, parent.text, HEX32) != 0))
        return false;
    for (size_t i = HEX32 + 1; i < part.len; i++)
        if (!is_digit(part.text[i]))
            return false;
    *found = (struct found){CMETA_LAYOUT_FARGATE, part};
    return true;
}

// Whether the component that ends at `at` has the child `payload`: where machined and nspawn put
// the container, beside their own supervisor.
static bool is_above_payload(const char *at, const char *end)
{
    const size_t len = sizeof("payload") - 1;

    while (at < end && *at == '/')
        at++;
    return (size_t)(end - at) >= len && memcmp(at, "payload", len) == 0 &&
           (at + len == end || at[len] == '/');
}

// machine-<name>.scope and systemd-nspawn@<name>.service.
static bool match_machine(struct part part, const char *end, struct found *found)
{
    const char *next = part.text + part.len;

    if (TAKE_PREFIX(&part, "machine-")) {
        if (!TAKE_SUFFIX(&part, ".scope") || BEGINS(part, "qemu\\x2d"))
            return false;
        if (TAKE_PREFIX(&part, "lxc\\x2d"))
            return found_name(found, CMETA_LAYOUT_LIBVIRT_LXC, part);
    } else if (!TAKE_PREFIX(&part, "systemd-nspawn@") || !TAKE_SUFFIX(&part, ".service")) {
        return false;
    }
    return is_above_payload(next, end) && found_name(found, CMETA_LAYOUT_NSPAWN, part);
}

// Below `lxc` or `lxc.payload` any name is a container's, but .lxc is where lxc-attach stays.
static bool match_lxc(struct part part, struct part parent, struct part above, struct found *found)
{
    enum cmeta_layout layout = CMETA_LAYOUT_LXC;
    struct part name = part;

    if (TAKE_PREFIX(&name, "lxc.payload."))
        return found_name(found, layout, name);
    if (TAKE_SUFFIX(&name, ".libvirt-lxc"))
        return found_name(found, CMETA_LAYOUT_LIBVIRT_LXC, name);
    if ((!IS(parent, "lxc") && !IS(parent, "lxc.payload")) || IS(part, ".lxc"))
        return false;
    if (parent.len == 3 && IS(above, "libvirt"))
        layout = CMETA_LAYOUT_LIBVIRT_LXC;
    return found_name(found, layout, part);
}

// LXC's own scope, lxc-<name>-<n>.scope, holds the monitor; the payload has a cgroup below it.
static bool is_lxc_monitor(struct part part)
{
    return BEGINS(part, "lxc.monitor") &&
           (part.len == sizeof("lxc.monitor") - 1 || part.text[sizeof("lxc.monitor") - 1] == '.');
}

static bool match_component(struct part part, struct part parent, struct part above,
                            const char *end, struct found *found)
{
    if (part.len >= HEX64 && match_hex(part, parent, found))
        return true;
    if ((parent.len == HEX32 || IS(parent, "..")) && match_fargate(part, parent, above, found))
        return true;
    switch (part.text[0]) {
    case 'm':
    case 's':
        if (match_machine(part, end, found))
            return true;
        break;
    default:
        break;
    }
    if ((part.text[0] == 'b' || part.text[0] == 'r' || ENDS(part, ".scope")) &&
        match_bpm(part, found))
        return true;
    return match_lxc(part, parent, above, found);
}

// --- the path

// Parents that are never a containerd namespace.
static bool is_known_parent(struct part part)
{
    if (is_unit(part))
        return true;
    switch (part.text[0]) {
    case 'd':
        return IS(part, "docker");
    case 'e':
        return IS(part, "ecs");
    case 'k':
        return BEGINS(part, "kubepods");
    case 'l':
        return BEGINS(part, "lxc") || IS(part, "libpod_parent") || IS(part, "libvirt");
    case 'm':
        return IS(part, "machine");
    case 'p':
        return IS(part, "podman");
    default:
        return false;
    }
}

static void match_weak(struct part ns, struct part id, struct cmeta_id_match *match)
{
    if (!ns.len || !id.len || is_known_parent(ns) || is_unit(id) || is_lxc_monitor(id) ||
        !is_identifier(ns) || !is_identifier(id))
        return;
    match->strength = CMETA_WEAK;
    match->layout = CMETA_LAYOUT_CONTAINERD;
    match->id = id.text;
    match->id_len = (uint16_t)id.len;
    match->ns = ns.text;
    match->ns_len = (uint16_t)ns.len;
}

// The next component, without the slashes around it; empty at the end.
static struct part next_part(const char *path, const char **at, const char *end)
{
    const char *begin = *at;

    while (begin < end && *begin == '/')
        begin++;
    *at = find_slash(path, begin, end);
    return (struct part){begin, (size_t)(*at - begin)};
}

enum cmeta_strength cmeta_container_id_match(const char *path, size_t len, uint32_t layouts,
                                             struct cmeta_id_match *match)
{
    struct part above = {"", 0}, parent = {"", 0}, part, first = {"", 0}, second = {"", 0};
    struct part whole = {path, len};
    bool watched = false; // below a monitor: what is there watches a container, and isn't in it
    const char *at = path, *end;
    struct found found;

    *match = (struct cmeta_id_match){.strength = CMETA_NO_MATCH, .layout = CMETA_LAYOUT_NONE};
    if (len > CMETA_CGROUP_PATH_MAX)
        return CMETA_NO_MATCH;
    TAKE_SUFFIX(&whole, " (deleted)");
    end = path + whole.len;
    for (part = next_part(path, &at, end); part.len; part = next_part(path, &at, end)) {
        match->depth++;
        if (IS(part, "..")) { // seen from another cgroup namespace
            parent = part;
            continue;
        }
        if (!first.len)
            first = part;
        else if (!second.len)
            second = part;
        watched = watched || is_lxc_monitor(part);
        if (!watched && match_component(part, parent, above, end, &found) &&
            (layouts & CMETA_LAYOUT_BIT(found.layout))) {
            match->strength = CMETA_STRONG;
            match->layout = found.layout;
            match->id = found.id.text;
            match->id_len = (uint16_t)found.id.len;
        }
        above = parent;
        parent = part;
    }
    if (match->strength == CMETA_NO_MATCH && (layouts & CMETA_LAYOUT_BIT(CMETA_LAYOUT_CONTAINERD)))
        match_weak(first, second, match);
    return match->strength;
}

// --- names

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
        {"incus", BIT(LXC)},
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
