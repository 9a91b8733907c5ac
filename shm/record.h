// SPDX-License-Identifier: Apache-2.0
// A record: everything known of one container, as flat bytes.
//
// `struct cmeta_container` is the content, with strings that belong to somebody else; the encoder
// turns it into bytes and the view reads bytes without trusting one of them. The daemon uses the
// same bytes for each engine's view of a container, so that a record is always merged from, and
// published as, one and the same thing.
//
// The encoder and the decoder are the daemon's and the CLI's; the view functions are everybody's:
// no allocation, no system call, bounded, safe on bytes that change under them.
#ifndef CMETA_RECORD_H
#define CMETA_RECORD_H

#include "layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMETA_RECORD_MAX      65472u // bytes of an encoded record: below 64 KiB, a whole number of lines
#define CMETA_LABEL_VALUE_MAX 4096u // bytes of one label value

// A string by length; `data` may be NULL (absent) and need not be NUL-terminated.
struct cmeta_str {
    const char *data;
    uint32_t len;
};
#define CMETA_STR(literal) ((struct cmeta_str){(literal), sizeof(literal) - 1})

// container.type; the values of upstream's JSON and of its `containers` table.
enum cmeta_type {
    CMETA_TYPE_DOCKER = 0,
    CMETA_TYPE_LXC = 1,
    CMETA_TYPE_LIBVIRT_LXC = 2,
    CMETA_TYPE_CUSTOM = 5,
    CMETA_TYPE_CRI = 6,
    CMETA_TYPE_CONTAINERD = 7,
    CMETA_TYPE_CRIO = 8,
    CMETA_TYPE_BPM = 9,
    CMETA_TYPE_STATIC = 10,
    CMETA_TYPE_PODMAN = 11,
    // Ours; upstream knows none of these.
    CMETA_TYPE_NSPAWN = 100,
    CMETA_TYPE_EDERA = 101,
    CMETA_TYPE_ECS = 102,
    CMETA_TYPE_HOST = 0xfffe,
    CMETA_TYPE_UNKNOWN = 0xffff,
};

// What is known is known by group: all of a group's properties, or none.
enum cmeta_group {
    CMETA_GROUP_IDENTITY = 0, // type, name, creation time
    CMETA_GROUP_IMAGE,        // reference, ID, repository, tag, digest
    CMETA_GROUP_LABELS,       // the container's labels
    CMETA_GROUP_SECURITY,     // privileged, host namespaces, user
    CMETA_GROUP_MOUNTS,       // mounts
    CMETA_GROUP_NETWORK,      // addresses, ports, CNI result
    CMETA_GROUP_LIMITS,       // CPU and memory limits, environment, size
    CMETA_GROUP_POD,          // sandbox, pod name, namespace, UID, pod labels and addresses
    CMETA_GROUP_HEALTH,       // health check and probes
    CMETA_GROUP_COUNT
};
#define CMETA_GROUP_BIT(group) (1u << (group))
#define CMETA_GROUPS_ALL       ((1u << CMETA_GROUP_COUNT) - 1u)
// A record is complete when every group that rules read before the container runs is known.
#define CMETA_GROUPS_COMPLETE                                                      \
    (CMETA_GROUP_BIT(CMETA_GROUP_IDENTITY) | CMETA_GROUP_BIT(CMETA_GROUP_IMAGE) |  \
     CMETA_GROUP_BIT(CMETA_GROUP_LABELS) | CMETA_GROUP_BIT(CMETA_GROUP_SECURITY) | \
     CMETA_GROUP_BIT(CMETA_GROUP_MOUNTS) | CMETA_GROUP_BIT(CMETA_GROUP_POD))

// Why a group isn't known. Codes are for ever; names by cmeta_reason_name(), meaning and remedy in
// docs/reasons.md.
enum cmeta_reason {
    CMETA_REASON_NONE = 0,               // the group is known
    CMETA_REASON_NOT_YET = 1,            // asked for; no answer so far
    CMETA_REASON_POD_SANDBOX = 2,        // a pod's sandbox: it has no image, by design
    CMETA_REASON_ENGINE_UNREACHABLE = 3, // the engine doesn't answer
    CMETA_REASON_ENGINE_UNKNOWN = 4,     // the engine answers that it doesn't know the container
    CMETA_REASON_ENDED_EARLY = 5,        // the container ended before the engine answered
    CMETA_REASON_OVER_LIMIT = 6,         // larger than a limit of the record or the region
    CMETA_REASON_ENGINE_DISABLED = 7,    // no enabled engine claims it
    CMETA_REASON_HOST_PROCESS = 8,       // not a container at all
    CMETA_REASON_NOT_TOLD = 9,           // this engine never tells it
    CMETA_REASON_COUNT
};

// Flags of a record.
#define CMETA_FLAG_PRIVILEGED     (1u << 0)
#define CMETA_FLAG_HOST_PID       (1u << 1)
#define CMETA_FLAG_HOST_NETWORK   (1u << 2)
#define CMETA_FLAG_HOST_IPC       (1u << 3)
#define CMETA_FLAG_POD_SANDBOX    (1u << 4)
#define CMETA_FLAG_LABELS_DROPPED (1u << 5) // a label was longer than label_max_len
#define CMETA_FLAG_TRUNCATED      (1u << 6) // something didn't fit into CMETA_RECORD_MAX
#define CMETA_FLAG_SANITIZED      (1u << 7) // a byte that isn't UTF-8, or a NUL, was replaced by '?'

enum cmeta_string {
    CMETA_STRING_NAME = 0,
    CMETA_STRING_IMAGE,
    CMETA_STRING_IMAGE_ID,
    CMETA_STRING_IMAGE_REPO,
    CMETA_STRING_IMAGE_TAG,
    CMETA_STRING_IMAGE_DIGEST,
    CMETA_STRING_USER,
    CMETA_STRING_IP, // primary address, IPv4 before IPv6
    CMETA_STRING_CNI_JSON,
    CMETA_STRING_POD_NAME,
    CMETA_STRING_POD_NAMESPACE,
    CMETA_STRING_POD_UID,
    CMETA_STRING_POD_SANDBOX_ID, // full
    CMETA_STRING_POD_IP,
    CMETA_STRING_POD_CNI_JSON,
    CMETA_STRING_CONTENT_COUNT, // those above are content; those below are made by the encoder
    // key:value, key, …: sorted, without annotation.* and io.kubernetes.*
    CMETA_STRING_LABELS_JOINED = CMETA_STRING_CONTENT_COUNT,
    CMETA_STRING_POD_LABELS_JOINED,
    CMETA_STRING_MOUNTS_JOINED, // source:destination:mode:rw:propagation,…
    CMETA_STRING_HEALTHCHECK,   // exe and args with spaces between
    CMETA_STRING_LIVENESS,
    CMETA_STRING_READINESS,
    CMETA_STRING_COUNT
};

enum cmeta_probe_kind {
    CMETA_PROBE_HEALTHCHECK = 0,
    CMETA_PROBE_LIVENESS,
    CMETA_PROBE_READINESS,
    CMETA_PROBE_COUNT
};

struct cmeta_label {
    struct cmeta_str key;
    struct cmeta_str value;
};

struct cmeta_mount {
    struct cmeta_str source;
    struct cmeta_str destination;
    struct cmeta_str mode;
    struct cmeta_str propagation;
    bool rw;
    struct cmeta_str joined; // set by the view: the five-part string; ignored by the encoder
};

struct cmeta_port {
    struct cmeta_str host_ip; // text, IPv4 or IPv6; "" any
    uint16_t host_port;
    uint16_t container_port;
    struct cmeta_str protocol; // "tcp", "udp", "sctp"
};

struct cmeta_probe {
    struct cmeta_str exe; // data NULL: no such probe
    const struct cmeta_str *args;
    uint32_t args_count;
};

// The content of a record. Zero-initialised it says nothing: no group known, every string absent.
// Absent strings of a known group are encoded as absent, not as "".
struct cmeta_container {
    uint16_t type;  // enum cmeta_type
    uint32_t known; // bits of groups
    uint32_t flags;
    uint8_t reason[CMETA_GROUP_COUNT]; // enum cmeta_reason, of the groups that aren't known
    uint8_t source[CMETA_GROUP_COUNT]; // 1 + engine row that told it; 0 nobody
    int64_t created_ns;                // CLOCK_REALTIME, 0 unknown
    int64_t started_ns;                // CLOCK_REALTIME of the last start, 0 never
    int64_t
        published_ns; // CLOCK_REALTIME when the first record became readable; kept over versions
    int64_t cpu_period, cpu_quota, cpu_shares, cpuset_cpu_count; // 100000, 0, 1024, 0 as upstream
    int64_t memory_limit, swap_limit;                            // bytes; 0 unlimited
    int64_t size_rw; // bytes of the writable layer; -1 unknown
    uint64_t
        cgroup_id; // of its cgroup of version 2, as bpf_get_current_cgroup_id() has it; 0 unknown
    struct cmeta_str strings[CMETA_STRING_CONTENT_COUNT];
    const struct cmeta_label *labels;
    const struct cmeta_label *pod_labels;
    const struct cmeta_mount *mounts;
    const struct cmeta_port *ports;
    const struct cmeta_str *addresses; // all addresses, the primary one first
    const struct cmeta_str *env;       // K=V, or K only
    uint32_t labels_count, pod_labels_count, mounts_count, ports_count, addresses_count, env_count;
    struct cmeta_probe probes[CMETA_PROBE_COUNT];
};

/**
 * cmeta_record_encode() - turn content into bytes
 * @container: what to encode. Labels may come in any order (the last of equal keys wins).
 * @buffer:    where to, 8-byte aligned
 * @size:      its size in bytes; CMETA_RECORD_MAX is always enough
 * @flags_out: the flags as encoded: @container's plus CMETA_FLAG_TRUNCATED, CMETA_FLAG_SANITIZED
 *             (may be NULL)
 *
 * Equal content gives equal bytes. Strings are made valid UTF-8 without NUL: each bad byte becomes
 * '?'. What doesn't fit is left out in this order: environment, ports, addresses beyond the first,
 * pod labels and labels (the largest first), mounts from the end, CNI results, the rest of long
 * strings, arguments of probes; the flag says so.
 *
 * Return: the number of bytes, a multiple of 8; -ENOSPC if @size is too small; -ENOMEM.
 */
int cmeta_record_encode(const struct cmeta_container *container, void *buffer, size_t size,
                        uint32_t *flags_out);

/**
 * cmeta_utf8_mend() - replace each byte that isn't part of well-formed UTF-8, and each NUL, by '?'
 * Return: whether there was one.
 */
bool cmeta_utf8_mend(char *text, size_t len);

// A record's bytes, with the bounds within which they may be read.
struct cmeta_view {
    const uint8_t *base;
    uint32_t size; // bytes
};

/**
 * cmeta_view_init() - look at a record's bytes
 * @view:  filled on success
 * @bytes: the record, 8-byte aligned
 * @avail: bytes that may be read from there
 *
 * Return: 0; -EBADMSG if this is no record. Never reads beyond @avail. Thread-safe.
 */
int cmeta_view_init(struct cmeta_view *view, const void *bytes, size_t avail);

// Plain properties. Each is one load; all are safe on any bytes.
uint32_t cmeta_view_known(const struct cmeta_view *view);
uint32_t cmeta_view_flags(const struct cmeta_view *view);
uint16_t cmeta_view_type(const struct cmeta_view *view);
uint8_t cmeta_view_reason(const struct cmeta_view *view, enum cmeta_group group);

/**
 * cmeta_view_string() - a string of the record
 * @out: filled on success; points into the record and lives as long as its mapping; NOT to be taken
 *       as NUL-terminated: other hands may write while it is read
 *
 * Return: 1 if present, 0 if absent (or the bytes make no sense).
 */
int cmeta_view_string(const struct cmeta_view *view, enum cmeta_string which,
                      struct cmeta_str *out);

// Lists: the number of elements (bounded by what fits into the record), and one element each.
// Elements return 1, or 0 beyond the end or where the bytes make no sense.
enum cmeta_list {
    CMETA_LIST_LABELS = 0, // sorted by key
    CMETA_LIST_POD_LABELS, // sorted by key
    CMETA_LIST_MOUNTS,     // in the container's order
    CMETA_LIST_PORTS,
    CMETA_LIST_ADDRESSES,
    CMETA_LIST_ENV,
    CMETA_LIST_HEALTHCHECK_ARGS, // [0] is the executable, so that count 0 is "no such probe"
    CMETA_LIST_LIVENESS_ARGS,
    CMETA_LIST_READINESS_ARGS,
    CMETA_LIST_COUNT
};
uint32_t cmeta_view_count(const struct cmeta_view *view, enum cmeta_list list);
int cmeta_view_label(const struct cmeta_view *view, enum cmeta_list list, uint32_t index,
                     struct cmeta_label *out);
int cmeta_view_mount(const struct cmeta_view *view, uint32_t index, struct cmeta_mount *out);
int cmeta_view_port(const struct cmeta_view *view, uint32_t index, struct cmeta_port *out);
int cmeta_view_text(const struct cmeta_view *view, enum cmeta_list list, uint32_t index,
                    struct cmeta_str *out);

/**
 * cmeta_view_find_label() - a label's value by its exact key, by bisection
 * Return: 1 and @value, 0 if there is no such label.
 */
int cmeta_view_find_label(const struct cmeta_view *view, enum cmeta_list list, const char *key,
                          size_t key_len, struct cmeta_str *value);

/**
 * cmeta_view_decode() - a record's content as a struct
 * @view:    the record
 * @out:     filled on success; its strings point into the record
 * @scratch: set to an allocation that holds the lists; free() it when done with @out
 *
 * Allocates: for the daemon and the CLI. Hostile bytes give less content, never a fault.
 *
 * Return: 0, -ENOMEM.
 */
int cmeta_view_decode(const struct cmeta_view *view, struct cmeta_container *out, void **scratch);

// Names for people; unknown values give "unknown". Static strings.
const char *cmeta_type_name(
    uint16_t type); // upstream's strings: "docker", …, "" for static, custom, unknown
const char *cmeta_group_name(enum cmeta_group group);
const char *cmeta_reason_name(uint8_t reason);
const char *cmeta_state_name(uint32_t state);
const char *cmeta_health_name(uint32_t health);

#endif
