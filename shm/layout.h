// SPDX-License-Identifier: Apache-2.0
// The bytes of the region: this file is the specification of /run/containerd-meta/table.
//
// One writer (the daemon), any number of readers with read-only mappings (the Falco plugin, the
// CLI, anybody). Three levels: a cell leads to an identity block, which leads to a record version.
// Identities and record versions are written once, before they are visible, and their bytes are
// never reused inside a region; what changes in place is atomic and named so below. docs/region.md
// tells the protocol; shm/reader.c and shm/writer.c are its two sides.
//
// All integers are in host byte order and naturally aligned; a region never leaves the machine it
// was made on (the boot ID is checked). All offsets are bytes from the start of the region except
// inside a record, where they count from the record's own start.
#ifndef CMETA_LAYOUT_H
#define CMETA_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CMETA_MAGIC UINT64_C(0x6c626174656d43ff) // ff 'C' 'm' 'e' 't' 'a' 'b' 'l'
#define CMETA_LAYOUT_MAJOR \
    1u // another major is another file name; readers refuse what they don't know
#define CMETA_LAYOUT_MINOR   1u // only adds to what is reserved; readers accept any
#define CMETA_CACHE_LINE     64u
#define CMETA_IDENTITY_MAGIC 0x49644d43u
#define CMETA_RECORD_MAGIC   0x52654d43u

// Region states. Marks for those who follow; the path's (device, inode) is the truth.
enum cmeta_region_state {
    CMETA_REGION_BUILDING = 0, // not yet published under its name
    CMETA_REGION_LIVE = 1,
    CMETA_REGION_DRAINING = 2, // a successor is being published; changes are still mirrored here
    CMETA_REGION_RETIRED = 3,  // no change arrives any more
};

// The header: the first page. Lines 0 to 3 are immutable once published.
struct cmeta_header {
    uint64_t magic;
    uint16_t layout_major;
    uint16_t layout_minor;
    uint32_t header_bytes;
    uint64_t region_bytes; // size of the file and of the mapping; below 4 GiB
    uint64_t epoch;        // random, never 0: another region, another epoch
    uint8_t boot_id[16];   // /proc/sys/kernel/random/boot_id of the boot it was made in
    uint64_t seed[2];      // of the keyed hash

    uint32_t buckets_offset;
    uint32_t bucket_count;   // of the main array; not 0
    uint32_t overflow_count; // buckets that follow the main array; index 0 of a link is "none"
    uint32_t log_offset;
    uint32_t log_count; // entries of the change log; a power of two
    uint32_t counters_offset;
    uint32_t counter_count;
    uint32_t engines_offset;
    uint32_t engine_count;
    uint32_t arena_offset;
    uint32_t arena_bytes;
    uint32_t writer_pid; // in the writer's PID namespace: for people, never for liveness
    uint64_t created_realtime_ns;
    uint64_t created_monotonic_ns;

    char writer_version[64]; // NUL-terminated

    // Since minor 1; counts are 0 before.
    uint32_t leads_offset;
    uint32_t lead_count; // as many as engine rows
    uint32_t misses_offset;
    uint32_t miss_count;
    uint8_t reserved_immutable[48];

    // Line 4: what moves. Nothing of it is read on the event path.
    uint32_t state;    // atomic, enum cmeta_region_state; release, pairs with acquire in
                       // cmeta_reader_state()
    uint32_t changes;  // atomic, futex word: grows with each change that followers want to see
    uint64_t revision; // atomic: the log's head; release, pairs with acquire in cmeta_follow_next()
    uint64_t heartbeat;              // atomic: counts up every 10 s while the writer lives
    uint64_t heartbeat_monotonic_ns; // atomic: CLOCK_MONOTONIC of the last beat
    uint32_t arena_used;             // atomic: bytes of the arena handed out
    uint32_t overflow_used;          // atomic: overflow buckets linked
    uint32_t identities;             // atomic: cells in use, tombstones included
    uint32_t tombstones;  // atomic: cells of removed containers within their grace period
    uint64_t grace_ns;    // atomic: how long a removed container stays readable
    uint32_t arena_heads; // atomic: bytes of the arena's front that identities take
    uint32_t reserved_mutable;

    uint8_t reserved[4096 - 320];
};

// A bucket: one cache line, five cells in columns. A cell's key never changes while its reference
// isn't 0; a cell never moves. `sequence` is odd while the writer is at work in the bucket.
#define CMETA_CELLS 5u
struct cmeta_bucket {
    uint32_t sequence; // atomic: seqlock of the cells
    uint32_t overflow; // atomic: 1 + index of the next overflow bucket, 0 none; set once
    uint32_t reference[CMETA_CELLS]; // atomic: offset of the identity, 0 empty; release, pairs with
                                     // acquire in reader.c
    uint32_t key_low[CMETA_CELLS];   // atomic: key bits 0 to 31
    uint16_t key_high[CMETA_CELLS];  // atomic: key bits 32 to 47
    uint8_t reserved[6];
};

// The longest chain of buckets that a reader walks: a writer that needs more says "full".
#define CMETA_CHAIN_MAX 16u

// State of a container, in the status word of its identity.
enum cmeta_state {
    CMETA_STATE_UNKNOWN = 0,
    CMETA_STATE_CREATED = 1,
    CMETA_STATE_RUNNING = 2,
    CMETA_STATE_PAUSED = 3,
    CMETA_STATE_RESTARTING = 4,
    CMETA_STATE_EXITED = 5,
    CMETA_STATE_DEAD = 6,    // the engine failed to remove it, or is at it
    CMETA_STATE_REMOVED = 7, // a tombstone: readable until the grace period is over
    CMETA_STATE_COUNT
};

// What the engine's own health check says.
enum cmeta_health {
    CMETA_HEALTH_NONE = 0, // no check, or not known
    CMETA_HEALTH_STARTING = 1,
    CMETA_HEALTH_HEALTHY = 2,
    CMETA_HEALTH_UNHEALTHY = 3,
    CMETA_HEALTH_COUNT
};

// The status word: state, health, exit code, flags.
#define CMETA_STATUS_STATE(word)  ((word)&0xffu)
#define CMETA_STATUS_HEALTH(word) (((word) >> 8) & 0xffu)
#define CMETA_STATUS_EXIT(word)   (((word) >> 16) & 0xffu)
#define CMETA_STATUS_HAS_EXIT     (1u << 24) // the exit code is known
#define CMETA_STATUS_UNCONFIRMED \
    (1u << 25) // from before the daemon's start; no engine has confirmed it yet

// A key that is twelve hexadecimal digits of the ID itself, not a hash.
#define CMETA_KEY_EXACT (UINT64_C(1) << 63)
#define CMETA_KEY_BITS  48u

// The identity: one container for as long as the region lives. 64-byte aligned; identities fill the
// arena from its front, texts and records from its end, so that lookups touch few pages. The ID and
// behind it the scope stand at `text`, each with a NUL.
struct cmeta_identity {
    uint32_t magic;
    uint16_t id_len;        // without the NUL
    uint16_t scope_len;     // without the NUL
    uint64_t key;           // the cell's 48 bits
    uint64_t first_seen_ns; // CLOCK_REALTIME, when a daemon first heard of it
    uint32_t record; // atomic: offset of the current record version; release, pairs with acquire in
                     // reader.c
    uint32_t status; // atomic: the status word above
    uint64_t revision;    // atomic: of its last change
    uint32_t pid;         // atomic: init process in the host's PID namespace, 0 unknown or none
    uint32_t text;        // offset of the ID
    uint64_t finished_ns; // atomic: CLOCK_REALTIME, 0 never
    uint64_t removed_ns;  // atomic: CLOCK_REALTIME, 0 not removed
};

// A record version: the head, lists, then the strings they point to. Written once, before it is
// visible; readers check everything all the same. Offsets count from the record's start; a slice
// of offset 0 is absent. Strings of their own have a NUL behind them, slices of joined strings
// don't: take every string by its length.
struct cmeta_slice {
    uint16_t offset;
    uint16_t length; // bytes; of a list: elements
};
#define CMETA_RECORD_STRINGS 24u
#define CMETA_RECORD_LISTS   12u
#define CMETA_RECORD_GROUPS  12u
struct cmeta_record_head {
    uint32_t magic;
    uint32_t size_bytes; // of the whole record, a multiple of 8
    uint16_t head_bytes; // of this struct, where it was written
    uint16_t type;       // enum cmeta_type
    uint32_t known;      // bits of enum cmeta_group
    uint32_t flags;      // CMETA_FLAG_*
    uint8_t reason[CMETA_RECORD_GROUPS];
    uint8_t source[CMETA_RECORD_GROUPS];
    uint32_t reserved;
    struct cmeta_slice strings[CMETA_RECORD_STRINGS]; // by enum cmeta_string
    struct cmeta_slice lists[CMETA_RECORD_LISTS]; // by enum cmeta_list; elements are 4-byte aligned
    int64_t created_ns;
    int64_t started_ns;
    int64_t published_ns;
    int64_t cpu_period;
    int64_t cpu_quota;
    int64_t cpu_shares;
    int64_t cpuset_cpu_count;
    int64_t memory_limit;
    int64_t swap_limit;
    int64_t size_rw;
    uint64_t cgroup_id; // since minor 1: there if head_bytes reaches so far
};
#define CMETA_RECORD_HEAD_MIN 272u // as minor 0 wrote it
struct cmeta_record_label {
    struct cmeta_slice key;
    struct cmeta_slice value;
};
struct cmeta_record_mount {
    struct cmeta_slice joined;
    struct cmeta_slice source;
    struct cmeta_slice destination;
    struct cmeta_slice mode;
    struct cmeta_slice propagation;
    uint32_t rw;
};
struct cmeta_record_port {
    struct cmeta_slice host_ip;
    struct cmeta_slice protocol;
    uint16_t host_port;
    uint16_t container_port;
};

// An entry of the change log, at index revision % log_count.
enum cmeta_change_kind {
    CMETA_CHANGE_NONE = 0,
    CMETA_CHANGE_RECORD = 1,    // a new identity or a new record version
    CMETA_CHANGE_STATUS = 2,    // state, health, exit, PID
    CMETA_CHANGE_REMOVED = 3,   // became a tombstone
    CMETA_CHANGE_FORGOTTEN = 4, // its cell was emptied
};
struct cmeta_log_entry {
    uint64_t revision; // atomic: release, pairs with acquire in cmeta_follow_next(); 0 while being
                       // written
    uint32_t identity; // atomic: offset
    uint32_t kind;     // atomic: enum cmeta_change_kind
};

// A counter that describes itself, so that an old CLI shows a new daemon's counters.
enum cmeta_counter_kind { CMETA_COUNTER_TOTAL = 0, CMETA_COUNTER_GAUGE = 1 };
struct cmeta_counter {
    char name[48]; // NUL-terminated; totals end in _total
    char unit[16];
    char help[176];
    uint32_t kind; // enum cmeta_counter_kind
    uint32_t reserved;
    uint64_t value; // atomic
};

// An engine instance, as it stands now. Readers copy the row and check `sequence` before and after.
enum cmeta_engine_state {
    CMETA_ENGINE_ABSENT = 0,      // row unused
    CMETA_ENGINE_WAITING = 1,     // no socket there yet
    CMETA_ENGINE_CONNECTING = 2,  // a socket is there, the engine hasn't answered yet
    CMETA_ENGINE_LISTING = 3,     // answers; the first complete list is under way
    CMETA_ENGINE_CONNECTED = 4,   // events are read, the list is complete
    CMETA_ENGINE_FAILED = 5,      // lost or refused; it will be tried again
    CMETA_ENGINE_DISABLED = 6,    // by configuration
    CMETA_ENGINE_UNSUPPORTED = 7, // configured, but this daemon doesn't drive it
    CMETA_ENGINE_STATE_COUNT
};
#define CMETA_ENGINE_DEGRADED \
    (1u << 0) // works, but without inotify: sockets are found by a scan every 10 s
#define CMETA_ENGINE_CONFIGURED (1u << 1) // the configuration names this place; else a default
struct cmeta_engine_row {
    uint32_t sequence; // atomic: seqlock of the row
    uint32_t state;    // enum cmeta_engine_state
    uint32_t flags;
    uint32_t containers;    // views this engine holds
    uint64_t since_ns;      // CLOCK_REALTIME of the last change of state
    uint64_t last_event_ns; // CLOCK_REALTIME of the last event read; 0 none
    uint64_t events_total;
    uint64_t errors_total;
    uint64_t connects_total;
    char name[24]; // NUL-terminated, as all texts here
    char scope[64];
    char socket[160];     // path; shortened in the middle if it is longer
    char version[40];     // what the engine says it is
    char last_error[168]; // "" if none
};

// How long before each container's start its record was complete, of the containers that an engine
// told of: how many by power of two of the time, see cmeta_lead_bucket().
#define CMETA_LEAD_BUCKETS 32u
struct cmeta_lead_row {
    uint32_t count[CMETA_LEAD_BUCKETS]; // atomic
};

// A container that a reader met before its record was there, or whole. Readers copy the entry and
// check `sequence` before and after.
#define CMETA_MISS_ID 96u
struct cmeta_miss_entry {
    uint32_t sequence; // atomic: seqlock of the entry
    uint8_t miss;      // enum cmeta_miss (hint.h); 0: the entry is unused
    uint8_t layout;    // enum cmeta_layout
    uint16_t id_len;   // of `id`; of a longer ID the beginning is kept
    uint64_t when_ns;  // CLOCK_REALTIME of the event that met it
    uint64_t heard_ns; // CLOCK_REALTIME when the daemon was told
    uint64_t whole_ns; // CLOCK_REALTIME when its record became complete, 0 not so far
    char id[CMETA_MISS_ID];
};

static_assert(sizeof(struct cmeta_lead_row) == 128, "");
static_assert(sizeof(struct cmeta_miss_entry) == 128, "");
static_assert(offsetof(struct cmeta_header, leads_offset) == 192, "");
static_assert(offsetof(struct cmeta_header, miss_count) == 204, "");
static_assert(sizeof(struct cmeta_header) == 4096, "header is one page");
static_assert(offsetof(struct cmeta_header, layout_major) == 8, "");
static_assert(offsetof(struct cmeta_header, header_bytes) == 12, "");
static_assert(offsetof(struct cmeta_header, region_bytes) == 16, "");
static_assert(offsetof(struct cmeta_header, epoch) == 24, "");
static_assert(offsetof(struct cmeta_header, boot_id) == 32, "");
static_assert(offsetof(struct cmeta_header, seed) == 48, "");
static_assert(offsetof(struct cmeta_header, buckets_offset) == 64, "");
static_assert(offsetof(struct cmeta_header, bucket_count) == 68, "");
static_assert(offsetof(struct cmeta_header, overflow_count) == 72, "");
static_assert(offsetof(struct cmeta_header, log_offset) == 76, "");
static_assert(offsetof(struct cmeta_header, log_count) == 80, "");
static_assert(offsetof(struct cmeta_header, counters_offset) == 84, "");
static_assert(offsetof(struct cmeta_header, counter_count) == 88, "");
static_assert(offsetof(struct cmeta_header, engines_offset) == 92, "");
static_assert(offsetof(struct cmeta_header, engine_count) == 96, "");
static_assert(offsetof(struct cmeta_header, arena_offset) == 100, "");
static_assert(offsetof(struct cmeta_header, arena_bytes) == 104, "");
static_assert(offsetof(struct cmeta_header, writer_pid) == 108, "");
static_assert(offsetof(struct cmeta_header, created_realtime_ns) == 112, "");
static_assert(offsetof(struct cmeta_header, created_monotonic_ns) == 120, "");
static_assert(offsetof(struct cmeta_header, writer_version) == 128, "");
static_assert(offsetof(struct cmeta_header, state) == 256, "");
static_assert(offsetof(struct cmeta_header, changes) == 260, "");
static_assert(offsetof(struct cmeta_header, revision) == 264, "");
static_assert(offsetof(struct cmeta_header, heartbeat) == 272, "");
static_assert(offsetof(struct cmeta_header, heartbeat_monotonic_ns) == 280, "");
static_assert(offsetof(struct cmeta_header, arena_used) == 288, "");
static_assert(offsetof(struct cmeta_header, overflow_used) == 292, "");
static_assert(offsetof(struct cmeta_header, identities) == 296, "");
static_assert(offsetof(struct cmeta_header, tombstones) == 300, "");
static_assert(offsetof(struct cmeta_header, grace_ns) == 304, "");
static_assert(offsetof(struct cmeta_header, arena_heads) == 312, "");
static_assert(sizeof(struct cmeta_bucket) == CMETA_CACHE_LINE, "a bucket is one cache line");
static_assert(offsetof(struct cmeta_bucket, overflow) == 4, "");
static_assert(offsetof(struct cmeta_bucket, reference) == 8, "");
static_assert(offsetof(struct cmeta_bucket, key_low) == 28, "");
static_assert(offsetof(struct cmeta_bucket, key_high) == 48, "");
static_assert(sizeof(struct cmeta_identity) == CMETA_CACHE_LINE,
              "an identity's head is one cache line");
static_assert(offsetof(struct cmeta_identity, id_len) == 4, "");
static_assert(offsetof(struct cmeta_identity, scope_len) == 6, "");
static_assert(offsetof(struct cmeta_identity, key) == 8, "");
static_assert(offsetof(struct cmeta_identity, first_seen_ns) == 16, "");
static_assert(offsetof(struct cmeta_identity, record) == 24, "");
static_assert(offsetof(struct cmeta_identity, status) == 28, "");
static_assert(offsetof(struct cmeta_identity, revision) == 32, "");
static_assert(offsetof(struct cmeta_identity, pid) == 40, "");
static_assert(offsetof(struct cmeta_identity, text) == 44, "");
static_assert(offsetof(struct cmeta_identity, finished_ns) == 48, "");
static_assert(offsetof(struct cmeta_identity, removed_ns) == 56, "");
static_assert(sizeof(struct cmeta_slice) == 4, "");
static_assert(sizeof(struct cmeta_record_head) == 280, "");
static_assert(offsetof(struct cmeta_record_head, head_bytes) == 8, "");
static_assert(offsetof(struct cmeta_record_head, known) == 12, "");
static_assert(offsetof(struct cmeta_record_head, flags) == 16, "");
static_assert(offsetof(struct cmeta_record_head, reason) == 20, "");
static_assert(offsetof(struct cmeta_record_head, source) == 32, "");
static_assert(offsetof(struct cmeta_record_head, strings) == 48, "");
static_assert(offsetof(struct cmeta_record_head, lists) == 144, "");
static_assert(offsetof(struct cmeta_record_head, created_ns) == 192, "");
static_assert(offsetof(struct cmeta_record_head, size_rw) == 264, "");
static_assert(offsetof(struct cmeta_record_head, cgroup_id) == CMETA_RECORD_HEAD_MIN, "");
static_assert(sizeof(struct cmeta_record_label) == 8, "");
static_assert(sizeof(struct cmeta_record_mount) == 24, "");
static_assert(sizeof(struct cmeta_record_port) == 12, "");
static_assert(sizeof(struct cmeta_log_entry) == 16, "");
static_assert(offsetof(struct cmeta_log_entry, identity) == 8, "");
static_assert(offsetof(struct cmeta_log_entry, kind) == 12, "");
static_assert(sizeof(struct cmeta_counter) == 256, "");
static_assert(offsetof(struct cmeta_counter, unit) == 48, "");
static_assert(offsetof(struct cmeta_counter, help) == 64, "");
static_assert(offsetof(struct cmeta_counter, kind) == 240, "");
static_assert(offsetof(struct cmeta_counter, value) == 248, "");
static_assert(sizeof(struct cmeta_engine_row) == 512, "");
static_assert(offsetof(struct cmeta_engine_row, containers) == 12, "");
static_assert(offsetof(struct cmeta_engine_row, since_ns) == 16, "");
static_assert(offsetof(struct cmeta_engine_row, name) == 56, "");
static_assert(offsetof(struct cmeta_engine_row, scope) == 80, "");
static_assert(offsetof(struct cmeta_engine_row, socket) == 144, "");
static_assert(offsetof(struct cmeta_engine_row, version) == 304, "");
static_assert(offsetof(struct cmeta_engine_row, last_error) == 344, "");

#endif
