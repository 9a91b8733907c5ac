// SPDX-License-Identifier: Apache-2.0
// The region as a file: create, publish, map, and ask who writes it.
//
// `struct cmeta_region` is a mapping and its bounds; it is what readers and the writer stand on.
// The folder is the unit that is shared with other mount namespaces, never the file: a region is
// replaced by renaming another over it.
#ifndef CMETA_REGION_H
#define CMETA_REGION_H

#include "layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CMETA_DEFAULT_DIR "/run/containerd-meta"
#define CMETA_TABLE_NAME  "table"
#define CMETA_NEW_NAME    "table.new"
#define CMETA_LOCK_NAME   "lock"

// A mapping. Plain data; copied freely by those who know who unmaps it. Everything but `base` was
// read once from the header and checked against `size`; it is never read from the mapping again.
struct cmeta_region {
    uint8_t *base; // readers must not write through it; NULL: no mapping
    uint64_t size; // bytes mapped
    uint64_t epoch;
    uint64_t seed[2];
    uint32_t bucket_count;
    uint32_t overflow_count;
    uint32_t buckets_offset;
    uint32_t log_offset;
    uint32_t log_mask;
    uint32_t counters_offset;
    uint32_t counter_count;
    uint32_t engines_offset;
    uint32_t engine_count;
    uint32_t leads_offset;
    uint32_t lead_count;
    uint32_t misses_offset;
    uint32_t miss_count;
    uint32_t arena_offset;
    uint32_t arena_bytes;
    uint16_t layout_minor;
    uint64_t device; // of the file it was mapped from
    uint64_t inode;
};

// Why a region was refused; positive outcomes of cmeta_region_map(). Names by cmeta_refusal_text().
enum cmeta_refusal {
    CMETA_REFUSED_NOT_REGULAR = 1, // not a regular file
    CMETA_REFUSED_OWNER,           // owned neither by root nor by the reader
    CMETA_REFUSED_WRITABLE,        // file or folder writable by others
    CMETA_REFUSED_SIZE,            // too small, too large, or another size than its header says
    CMETA_REFUSED_MAGIC,           // not a region
    CMETA_REFUSED_VERSION,         // another layout major
    CMETA_REFUSED_BOOT,            // made in another boot
    CMETA_REFUSED_GEOMETRY,        // offsets or counts that don't fit into the file
    CMETA_REFUSED_BUILDING,        // never published
    CMETA_REFUSED_COUNT
};

/**
 * cmeta_region_map() - map the region of a folder, read-only
 * @dir:    the folder, e.g. CMETA_DEFAULT_DIR
 * @region: filled on success
 *
 * Opens without following links or blocking, checks type, owner and modes of file and folder,
 * maps and prefaults it, closes the descriptor, and checks the header. System calls: not for the
 * event path. Needs no symbol younger than GLIBC_2.17.
 *
 * Return: 0; one of enum cmeta_refusal; -errno (-ENOENT: no daemon has ever run since boot).
 */
int cmeta_region_map(const char *dir, struct cmeta_region *region);

// Regions of this size and more stand at a multiple of it in memory, where a huge page can serve
// them.
#define CMETA_HUGE_BYTES (UINT64_C(2) << 20)

/**
 * cmeta_region_place() - map a region's file from its start, prefaulted, where huge pages fit
 * @fd:   the file
 * @size: its size in bytes; below 4 GiB
 * @prot: as for mmap(2)
 *
 * The one way of mapping a region: a table in 4 KiB pages costs lookups a TLB miss each. Whether
 * the file has huge pages is the writer's business (cmeta_region_create()).
 *
 * Return: the mapping (munmap() it, or cmeta_region_unmap()); MAP_FAILED with errno.
 */
void *cmeta_region_place(int fd, uint64_t size, int prot);

/**
 * cmeta_region_adopt() - check a header and fill the bounds, for a mapping made otherwise (tests,
 * fuzzers)
 * @base: the mapping, 8-byte aligned
 * @size: its size in bytes
 *
 * Return: 0 or one of enum cmeta_refusal (owner, modes and boot are not looked at).
 */
int cmeta_region_adopt(void *base, uint64_t size, struct cmeta_region *region);

// Unmap; harmless on an empty region, which it leaves.
void cmeta_region_unmap(struct cmeta_region *region);

/**
 * cmeta_region_is_current() - whether the folder still names this region
 *
 * One stat of the path: device and inode are the truth.
 * Return: 1 yes; 0 no, another one is there; -errno (-ENOENT: none).
 */
int cmeta_region_is_current(const struct cmeta_region *region, const char *dir);

// What a refusal means and what to do about it. A static sentence without the path.
const char *cmeta_refusal_text(int refusal);

/**
 * cmeta_daemon_alive() - whether a daemon holds the folder's lock
 *
 * Asks the kernel for the lock's owner (F_OFD_GETLK): exact, whatever PID namespaces and clocks do.
 * Return: 1 a daemon lives, 0 none, -errno (-ENOENT: no lock file).
 */
int cmeta_daemon_alive(const char *dir);

/**
 * cmeta_boot_id() - this boot's ID (/proc/sys/kernel/random/boot_id) as 16 bytes
 * Return: 0 or -errno.
 */
int cmeta_boot_id(uint8_t out[16]);

// --- the writer's side
// -----------------------------------------------------------------------------

// Geometry of a region to be made. All are made to fit: powers of two, whole lines, whole pages.
struct cmeta_geometry {
    uint64_t bytes;      // of the whole region
    uint32_t identities; // how many are expected; buckets are at most half full with them
    uint32_t counter_count;
    uint32_t engine_count;
};

/**
 * cmeta_region_create() - make CMETA_NEW_NAME in a folder, allocated whole
 * @dir_fd:   the folder
 * @geometry: what it shall hold
 * @region:   filled on success: mapped read-write, header complete, state BUILDING
 * @message:  receives what went wrong and what to do, NUL-terminated
 * @message_size: its size in bytes
 *
 * Free space of the file system and headroom of the memory cgroup are looked at first: beyond a
 * memory cgroup's limit the kernel would kill instead of refusing. An unfinished earlier file of
 * that name is removed.
 *
 * Return: 0; -ENOSPC, -ENOMEM, -EFBIG (beyond 4 GiB), other -errno. Nothing is left behind on
 * failure.
 */
int cmeta_region_create(int dir_fd, const struct cmeta_geometry *geometry,
                        struct cmeta_region *region, char *message, size_t message_size);

/**
 * cmeta_region_publish() - rename CMETA_NEW_NAME to CMETA_TABLE_NAME; the region is LIVE
 * Return: 0 or -errno (the name is as it was).
 */
int cmeta_region_publish(int dir_fd, struct cmeta_region *region);

// The least bytes that hold a geometry with an arena of arena_bytes.
uint64_t cmeta_region_bytes_for(uint32_t identities, uint64_t arena_bytes, uint32_t counter_count,
                                uint32_t engine_count);

#endif
