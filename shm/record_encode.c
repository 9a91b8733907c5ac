// SPDX-License-Identifier: Apache-2.0
// Content to bytes. Heads and lists come first, strings behind them; what rules ask for joined is
// joined here, and a list's visible strings are slices of the joined one.
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STRING_MAX       4096u
#define STRING_MAX_TIGHT 1024u

// --- UTF-8
// -----------------------------------------------------------------------------------------

// Length of the well-formed sequence at s, 0 if there is none (RFC 3629; NUL counts as none).
static size_t utf8_sequence(const unsigned char *s, size_t avail)
{
    size_t len;
    unsigned low = 0x80, high = 0xbf;

    if (s[0] >= 0x01 && s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (len > avail)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return len;
}

bool cmeta_utf8_mend(char *text, size_t len)
{
    bool mended = false;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence((unsigned char *)text + i, len - i);

        if (n == 0) {
            text[i] = '?';
            mended = true;
            n = 1;
        }
        i += n;
    }
    return mended;
}

// The longest prefix of at most max bytes that doesn't cut a sequence.
static uint32_t utf8_cut(struct cmeta_str s, uint32_t max)
{
    uint32_t len = s.len;

    if (len <= max)
        return len;
    len = max;
    while (len > 0 && max - len < 4 && ((unsigned char)s.data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

// --- what to encode: content with the things left out that don't fit
// -----------------------------------

struct plan {
    const struct cmeta_container *in;
    const struct cmeta_label *
        *labels[2]; // container's and pod's: sorted, unique, NULL where left out
    uint32_t labels_count[2];
    uint32_t mounts, ports, addresses, env;
    uint32_t args; // of a probe, at most
    uint32_t string_max;
    bool drop_cni;
    bool truncated;
};

static bool starts_with(struct cmeta_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

// The fields container.labels and k8s.pod.labels leave the engines' own labels out.
static bool label_is_visible(const struct cmeta_label *label)
{
    return !starts_with(label->key, "annotation.") && !starts_with(label->key, "io.kubernetes.");
}

static int compare_str(struct cmeta_str a, struct cmeta_str b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, n) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

// By key; equal keys in the order they came in, which their addresses tell.
static int compare_labels(const void *a, const void *b)
{
    const struct cmeta_label *x = *(const struct cmeta_label *const *)a;
    const struct cmeta_label *y = *(const struct cmeta_label *const *)b;
    int order = compare_str(x->key, y->key);

    return order ? order : (x > y) - (x < y);
}

static int plan_labels(struct plan *plan, unsigned which, const struct cmeta_label *labels,
                       uint32_t count)
{
    const struct cmeta_label **sorted;
    uint32_t kept = 0;

    if (count == 0)
        return 0;
    sorted = calloc(count, sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &labels[i];
    qsort(sorted, count, sizeof(*sorted), compare_labels);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && compare_str(sorted[kept - 1]->key, sorted[i]->key) == 0)
            kept--; // the last of equal keys wins
        sorted[kept++] = sorted[i];
    }
    plan->labels[which] = sorted;
    plan->labels_count[which] = kept;
    return 0;
}

static struct cmeta_str limited(const struct plan *plan, struct cmeta_str s)
{
    if (s.data)
        s.len = utf8_cut(s, plan->string_max);
    return s;
}

static size_t label_cost(const struct cmeta_label *label)
{
    return sizeof(struct cmeta_record_label) + label->key.len + label->value.len + 4;
}

static size_t mount_cost(const struct plan *plan, const struct cmeta_mount *mount)
{
    return sizeof(struct cmeta_record_mount) + limited(plan, mount->source).len +
           limited(plan, mount->destination).len + limited(plan, mount->mode).len +
           limited(plan, mount->propagation).len + sizeof("::::false,");
}

static bool is_cni(unsigned which)
{
    return which == CMETA_STRING_CNI_JSON || which == CMETA_STRING_POD_CNI_JSON;
}

static uint32_t probe_args(const struct plan *plan, unsigned probe)
{
    uint32_t count = plan->in->probes[probe].args_count;

    return count < plan->args ? count : plan->args;
}

// An upper bound of the encoded size.
static size_t plan_cost(const struct plan *plan)
{
    const struct cmeta_container *in = plan->in;
    size_t cost = sizeof(struct cmeta_record_head) + 64;

    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (in->strings[i].data && !(plan->drop_cni && is_cni(i)))
            cost += limited(plan, in->strings[i]).len + 1;
    for (unsigned w = 0; w < 2; w++)
        for (uint32_t i = 0; i < plan->labels_count[w]; i++)
            if (plan->labels[w][i])
                cost += label_cost(plan->labels[w][i]);
    for (uint32_t i = 0; i < plan->mounts; i++)
        cost += mount_cost(plan, &in->mounts[i]);
    for (uint32_t i = 0; i < plan->ports; i++)
        cost += sizeof(struct cmeta_record_port) + limited(plan, in->ports[i].host_ip).len +
                limited(plan, in->ports[i].protocol).len + 2;
    for (uint32_t i = 0; i < plan->addresses; i++)
        cost += sizeof(struct cmeta_slice) + limited(plan, in->addresses[i]).len + 1;
    for (uint32_t i = 0; i < plan->env; i++)
        cost += sizeof(struct cmeta_slice) + limited(plan, in->env[i]).len + 1;
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++) {
        if (!in->probes[p].exe.data)
            continue;
        cost += sizeof(struct cmeta_slice) + limited(plan, in->probes[p].exe).len + 2;
        for (uint32_t i = 0; i < probe_args(plan, p); i++)
            cost += sizeof(struct cmeta_slice) + limited(plan, in->probes[p].args[i]).len + 2;
    }
    return cost;
}

struct drop {
    uint32_t index;
    size_t cost;
};

// The dearest first; of equals the one that comes first.
static int compare_drops(const void *a, const void *b)
{
    const struct drop *x = a, *y = b;

    return x->cost != y->cost ? (x->cost < y->cost) - (x->cost > y->cost)
                              : (x->index > y->index) - (x->index < y->index);
}

// Leaves out the largest labels of a list until the whole fits, or none is left.
static int drop_labels(struct plan *plan, unsigned which, size_t cost)
{
    uint32_t count = plan->labels_count[which];
    struct drop *drops = count ? calloc(count, sizeof(*drops)) : NULL;

    if (count == 0)
        return 0;
    if (!drops)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        drops[i] = (struct drop){i, label_cost(plan->labels[which][i])};
    qsort(drops, count, sizeof(*drops), compare_drops);
    for (uint32_t i = 0; i < count && cost > CMETA_RECORD_MAX; i++) {
        plan->labels[which][drops[i].index] = NULL;
        cost -= drops[i].cost;
    }
    free(drops);
    return 0;
}

static void drop_mounts(struct plan *plan, size_t cost)
{
    while (plan->mounts && cost > CMETA_RECORD_MAX)
        cost -= mount_cost(plan, &plan->in->mounts[--plan->mounts]);
}

// The ladder that cmeta_record_encode() documents, a rung at a time until all fits. Its foot always
// does: the head, names of limited length, and executables without arguments.
static int plan_shrink(struct plan *plan)
{
    size_t cost;
    int r = 0;

    for (unsigned rung = 0; r == 0 && (cost = plan_cost(plan)) > CMETA_RECORD_MAX; rung++) {
        plan->truncated = true;
        switch (rung) {
        case 0:
            plan->env = 0;
            break;
        case 1:
            plan->ports = 0;
            break;
        case 2:
            plan->addresses = plan->addresses ? 1 : 0;
            break;
        case 3:
            r = drop_labels(plan, 1, cost);
            break;
        case 4:
            r = drop_labels(plan, 0, cost);
            break;
        case 5:
            drop_mounts(plan, cost);
            break;
        case 6:
            plan->drop_cni = true;
            break;
        case 7:
            plan->string_max = STRING_MAX_TIGHT;
            break;
        case 8:
            plan->args = 8;
            break;
        default:
            plan->args = 0;
            if (rung > 9)
                return -E2BIG; // can't be, by the sizes above
        }
    }
    return r;
}

static bool any_string_is_cut(const struct plan *plan)
{
    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (plan->in->strings[i].len > plan->string_max)
            return true;
    return false;
}

static int plan_make(struct plan *plan, const struct cmeta_container *in)
{
    *plan = (struct plan){.in = in,
                          .mounts = in->mounts_count,
                          .ports = in->ports_count,
                          .addresses = in->addresses_count,
                          .env = in->env_count,
                          .args = UINT32_MAX,
                          .string_max = STRING_MAX};
    if (plan_labels(plan, 0, in->labels, in->labels_count) < 0 ||
        plan_labels(plan, 1, in->pod_labels, in->pod_labels_count) < 0)
        return -ENOMEM;
    plan->truncated = any_string_is_cut(plan);
    return plan_shrink(plan);
}

static void plan_done(struct plan *plan)
{
    free(plan->labels[0]);
    free(plan->labels[1]);
}

// --- writing
// ----------------------------------------------------------------------------------------

struct out {
    uint8_t *base;
    size_t used, size;
    bool mended;
    bool full;
};

static void *reserve(struct out *out, size_t bytes)
{
    void *at = out->base + out->used;

    if (out->full || bytes > out->size - out->used) {
        out->full = true;
        return NULL;
    }
    out->used += bytes;
    return at;
}

// Zero bytes: a NUL, or padding.
static void pad(struct out *out, size_t bytes)
{
    void *at = reserve(out, bytes);

    if (at)
        memset(at, 0, bytes);
}

// Appends bytes; the slice of them.
static struct cmeta_slice put(struct out *out, const char *data, size_t len)
{
    struct cmeta_slice slice = {(uint16_t)out->used, (uint16_t)len};
    char *at = reserve(out, len);

    if (!at)
        return (struct cmeta_slice){0};
    if (len) {
        memcpy(at, data, len);
        out->mended |= cmeta_utf8_mend(at, len);
    }
    return slice;
}

// A string of its own, with its NUL. Absent stays absent.
static struct cmeta_slice put_string(struct out *out, struct cmeta_str s)
{
    struct cmeta_slice slice;

    if (!s.data)
        return (struct cmeta_slice){0};
    slice = put(out, s.data, s.len);
    pad(out, 1);
    return slice;
}

static void *put_list(struct out *out, struct cmeta_record_head *head, enum cmeta_list list,
                      uint32_t count, size_t element)
{
    size_t at = out->used;
    void *first = reserve(out, count * element);

    if (!first || count == 0)
        return NULL;
    memset(first, 0, count * element);
    head->lists[list] = (struct cmeta_slice){(uint16_t)at, (uint16_t)count};
    return first;
}

static uint32_t labels_kept(const struct plan *plan, unsigned which)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < plan->labels_count[which]; i++)
        kept += plan->labels[which][i] != NULL;
    return kept;
}

// The strings of a label list: the visible ones as slices of the joined string, which is returned.
static struct cmeta_slice fill_labels(struct out *out, const struct plan *plan, unsigned which,
                                      struct cmeta_record_label *list)
{
    struct cmeta_slice joined = {(uint16_t)out->used, 0};
    uint32_t n = 0;

    for (uint32_t i = 0; i < plan->labels_count[which]; i++) {
        const struct cmeta_label *label = plan->labels[which][i];

        if (!label)
            continue;
        if (label_is_visible(label)) {
            if (out->used > joined.offset)
                put(out, ", ", 2);
            list[n].key = put(out, label->key.data, label->key.len);
            if (label->value.len) {
                put(out, ":", 1);
                list[n].value = put(out, label->value.data, label->value.len);
            } else {
                list[n].value = (struct cmeta_slice){(uint16_t)out->used, 0};
            }
        }
        n++;
    }
    joined.length = (uint16_t)(out->used - joined.offset);
    pad(out, 1);
    n = 0;
    for (uint32_t i = 0; i < plan->labels_count[which]; i++) {
        const struct cmeta_label *label = plan->labels[which][i];

        if (!label)
            continue;
        if (!label_is_visible(label)) {
            list[n].key = put_string(out, label->key);
            list[n].value = put_string(out, label->value.data ? label->value : CMETA_STR(""));
        }
        n++;
    }
    return joined;
}

static struct cmeta_slice fill_mounts(struct out *out, const struct plan *plan,
                                      struct cmeta_record_mount *list)
{
    struct cmeta_slice joined = {(uint16_t)out->used, 0};

    for (uint32_t i = 0; i < plan->mounts; i++) {
        const struct cmeta_mount *mount = &plan->in->mounts[i];
        const struct cmeta_str parts[] = {
            limited(plan, mount->source), limited(plan, mount->destination),
            limited(plan, mount->mode), limited(plan, mount->propagation)};
        uint16_t start;

        if (i)
            put(out, ",", 1);
        start = (uint16_t)out->used;
        list[i].source = put(out, parts[0].data, parts[0].len);
        put(out, ":", 1);
        list[i].destination = put(out, parts[1].data, parts[1].len);
        put(out, ":", 1);
        list[i].mode = put(out, parts[2].data, parts[2].len);
        if (mount->rw)
            put(out, ":true:", 6);
        else
            put(out, ":false:", 7);
        list[i].propagation = put(out, parts[3].data, parts[3].len);
        list[i].rw = mount->rw;
        list[i].joined = (struct cmeta_slice){start, (uint16_t)(out->used - start)};
    }
    joined.length = (uint16_t)(out->used - joined.offset);
    pad(out, 1);
    return joined;
}

// The arguments are slices of the joined string, exe first.
static struct cmeta_slice fill_probe(struct out *out, const struct plan *plan, unsigned which,
                                     struct cmeta_slice *list)
{
    const struct cmeta_probe *probe = &plan->in->probes[which];
    struct cmeta_slice joined = {(uint16_t)out->used, 0};
    struct cmeta_str exe = limited(plan, probe->exe);

    list[0] = put(out, exe.data, exe.len);
    for (uint32_t i = 0; i < probe_args(plan, which); i++) {
        struct cmeta_str arg = limited(plan, probe->args[i]);

        put(out, " ", 1);
        list[i + 1] = put(out, arg.data, arg.len);
    }
    joined.length = (uint16_t)(out->used - joined.offset);
    pad(out, 1);
    return joined;
}

static void fill_head(struct cmeta_record_head *head, const struct cmeta_container *in)
{
    head->magic = CMETA_RECORD_MAGIC;
    head->head_bytes = sizeof(*head);
    head->type = in->type;
    head->known = in->known & CMETA_GROUPS_ALL;
    head->flags = in->flags;
    for (unsigned i = 0; i < CMETA_GROUP_COUNT; i++) {
        head->reason[i] = in->known & CMETA_GROUP_BIT(i) ? CMETA_REASON_NONE : in->reason[i];
        head->source[i] = in->source[i];
    }
    head->created_ns = in->created_ns;
    head->started_ns = in->started_ns;
    head->published_ns = in->published_ns;
    head->cpu_period = in->cpu_period;
    head->cpu_quota = in->cpu_quota;
    head->cpu_shares = in->cpu_shares;
    head->cpuset_cpu_count = in->cpuset_cpu_count;
    head->memory_limit = in->memory_limit;
    head->swap_limit = in->swap_limit;
    head->size_rw = in->size_rw;
    head->cgroup_id = in->cgroup_id;
}

static void fill_texts(struct out *out, const struct plan *plan, struct cmeta_slice *list,
                       const struct cmeta_str *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cmeta_str s = limited(plan, texts[i]);

        list[i] = put_string(out, s.data ? s : CMETA_STR(""));
    }
}

static void write_lists(struct out *out, const struct plan *plan, struct cmeta_record_head *head)
{
    const struct cmeta_container *in = plan->in;
    struct cmeta_record_label *labels[2];
    struct cmeta_record_mount *mounts;
    struct cmeta_record_port *ports;
    struct cmeta_slice *addresses, *env, *probes[CMETA_PROBE_COUNT] = {NULL};

    // All lists first: they are aligned, the strings behind them aren't.
    labels[0] = put_list(out, head, CMETA_LIST_LABELS, labels_kept(plan, 0), sizeof(*labels[0]));
    labels[1] =
        put_list(out, head, CMETA_LIST_POD_LABELS, labels_kept(plan, 1), sizeof(*labels[1]));
    mounts = put_list(out, head, CMETA_LIST_MOUNTS, plan->mounts, sizeof(*mounts));
    ports = put_list(out, head, CMETA_LIST_PORTS, plan->ports, sizeof(*ports));
    addresses = put_list(out, head, CMETA_LIST_ADDRESSES, plan->addresses, sizeof(*addresses));
    env = put_list(out, head, CMETA_LIST_ENV, plan->env, sizeof(*env));
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        if (in->probes[p].exe.data)
            probes[p] = put_list(out, head, CMETA_LIST_HEALTHCHECK_ARGS + p,
                                 probe_args(plan, p) + 1, sizeof(*probes[p]));
    if (out->full)
        return;

    for (unsigned i = 0; i < CMETA_STRING_CONTENT_COUNT; i++)
        if (!(plan->drop_cni && is_cni(i)))
            head->strings[i] = put_string(out, limited(plan, in->strings[i]));
    head->strings[CMETA_STRING_LABELS_JOINED] = fill_labels(out, plan, 0, labels[0]);
    head->strings[CMETA_STRING_POD_LABELS_JOINED] = fill_labels(out, plan, 1, labels[1]);
    head->strings[CMETA_STRING_MOUNTS_JOINED] = fill_mounts(out, plan, mounts);
    for (uint32_t i = 0; i < plan->ports; i++) {
        ports[i].host_ip = put_string(out, limited(plan, in->ports[i].host_ip));
        ports[i].protocol = put_string(out, limited(plan, in->ports[i].protocol));
        ports[i].host_port = in->ports[i].host_port;
        ports[i].container_port = in->ports[i].container_port;
    }
    fill_texts(out, plan, addresses, in->addresses, plan->addresses);
    fill_texts(out, plan, env, in->env, plan->env);
    for (unsigned p = 0; p < CMETA_PROBE_COUNT; p++)
        if (probes[p])
            head->strings[CMETA_STRING_HEALTHCHECK + p] = fill_probe(out, plan, p, probes[p]);
}

int cmeta_record_encode(const struct cmeta_container *container, void *buffer, size_t size,
                        uint32_t *flags_out)
{
    struct out out = {.base = buffer, .size = size < CMETA_RECORD_MAX ? size : CMETA_RECORD_MAX};
    struct cmeta_record_head *head = reserve(&out, sizeof(*head));
    struct plan plan = {0};
    int r;

    if (!head)
        return -ENOSPC;
    r = plan_make(&plan, container);
    if (r < 0)
        goto done;
    memset(head, 0, sizeof(*head));
    fill_head(head, container);
    write_lists(&out, &plan, head);
    while (out.used % 8 && !out.full)
        pad(&out, 1);
    if (out.full) {
        r = -ENOSPC;
        goto done;
    }
    head->flags |=
        (plan.truncated ? CMETA_FLAG_TRUNCATED : 0) | (out.mended ? CMETA_FLAG_SANITIZED : 0);
    head->size_bytes = (uint32_t)out.used;
    if (flags_out)
        *flags_out = head->flags;
    r = (int)out.used;
done:
    plan_done(&plan);
    return r;
}
