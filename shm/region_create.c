// SPDX-License-Identifier: Apache-2.0
// Making and publishing a region, and the lock that makes its writer the only one.
#include "region.h"

#include "headroom.h"
#include "load.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096u
#define LOG_ENTRIES 4096u
#define MISSES      256u
#define BUCKETS_MIN 64u
#define BUCKETS_MAX (1u << 24)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 // Linux 6.1
#endif
// Left free beside the region, for everybody else on the tmpfs and in the memory cgroup.
#define MARGIN_BYTES (UINT64_C(1) << 20)

static int fail(char *message, size_t size, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(char *message, size_t size, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(message, size, format, args);
    va_end(args);
    return error;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

// Half full with that many identities.
static uint32_t buckets_for(uint32_t identities)
{
    uint64_t buckets = ((uint64_t)identities * 2 + CMETA_CELLS - 1) / CMETA_CELLS;

    return buckets < BUCKETS_MIN   ? BUCKETS_MIN
           : buckets > BUCKETS_MAX ? BUCKETS_MAX
                                   : (uint32_t)buckets;
}

static uint32_t overflow_for(uint32_t buckets)
{
    return buckets / 8;
}

// Fills the offsets from the counts; everything but the arena.
static uint64_t lay_out(struct cmeta_header *h)
{
    uint64_t at = sizeof(*h);

    h->buckets_offset = (uint32_t)at;
    at += ((uint64_t)h->bucket_count + h->overflow_count) * sizeof(struct cmeta_bucket);
    h->log_offset = (uint32_t)at;
    at += (uint64_t)h->log_count * sizeof(struct cmeta_log_entry);
    h->counters_offset = (uint32_t)at;
    at += (uint64_t)h->counter_count * sizeof(struct cmeta_counter);
    h->engines_offset = (uint32_t)at;
    at += (uint64_t)h->engine_count * sizeof(struct cmeta_engine_row);
    h->lead_count = h->engine_count;
    h->leads_offset = (uint32_t)at;
    at += (uint64_t)h->lead_count * sizeof(struct cmeta_lead_row);
    h->miss_count = MISSES;
    h->misses_offset = (uint32_t)at;
    at += (uint64_t)h->miss_count * sizeof(struct cmeta_miss_entry);
    at = round_up(at, PAGE);
    h->arena_offset = (uint32_t)at;
    return at;
}

uint64_t cmeta_region_bytes_for(uint32_t identities, uint64_t arena_bytes, uint32_t counter_count,
                                uint32_t engine_count)
{
    struct cmeta_header h = {.bucket_count = buckets_for(identities),
                             .log_count = LOG_ENTRIES,
                             .counter_count = counter_count,
                             .engine_count = engine_count};

    h.overflow_count = overflow_for(h.bucket_count);
    return lay_out(&h) + round_up(arena_bytes, PAGE);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int header_make(const struct cmeta_geometry *geometry, struct cmeta_header *h)
{
    uint64_t fixed;
    int r;

    *h = (struct cmeta_header){.magic = CMETA_MAGIC,
                               .layout_major = CMETA_LAYOUT_MAJOR,
                               .layout_minor = CMETA_LAYOUT_MINOR,
                               .header_bytes = sizeof(*h),
                               .region_bytes = round_up(geometry->bytes, PAGE),
                               .bucket_count = buckets_for(geometry->identities),
                               .log_count = LOG_ENTRIES,
                               .counter_count = geometry->counter_count,
                               .engine_count = geometry->engine_count,
                               .writer_pid = (uint32_t)getpid(),
                               .created_realtime_ns = clock_ns(CLOCK_REALTIME),
                               .created_monotonic_ns = clock_ns(CLOCK_MONOTONIC),
                               .state = CMETA_REGION_BUILDING};
    h->overflow_count = overflow_for(h->bucket_count);
    if (h->region_bytes > UINT32_MAX)
        return -EFBIG;
    fixed = lay_out(h);
    if (fixed + PAGE > h->region_bytes)
        return -ENOSPC;
    h->arena_bytes = (uint32_t)(h->region_bytes - fixed);
    r = cmeta_boot_id(h->boot_id);
    if (r < 0)
        return r;
    do
        if (getrandom(&h->epoch, sizeof(h->epoch), 0) < 0 ||
            getrandom(h->seed, sizeof(h->seed), 0) < 0)
            return -errno;
    while (h->epoch == 0);
    return 0;
}

// Full file systems and memory limits are found here, before they can hurt anybody.
static int check_room(int dir_fd, uint64_t bytes, char *message, size_t message_size)
{
    struct statfs fs;
    uint64_t room, headroom;

    if (fstatfs(dir_fd, &fs) < 0)
        return fail(message, message_size, -errno, "cannot ask for free space: %s",
                    strerror(errno));
    room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    if (room < bytes + MARGIN_BYTES)
        return fail(
            message, message_size, -ENOSPC,
            "the file system has %llu KiB free, the region needs %llu KiB and 1 MiB to spare; "
            "make room on it (it is usually the tmpfs /run) or lower region_max",
            (unsigned long long)room / 1024, (unsigned long long)bytes / 1024);
    headroom = cmeta_headroom("/proc/self/cgroup", "/sys/fs/cgroup");
    if (headroom < bytes + MARGIN_BYTES)
        return fail(message, message_size, -ENOMEM,
                    "the memory cgroup has %llu KiB left, the region needs %llu KiB and 1 MiB to "
                    "spare; raise its limit (MemoryMax=) or lower region_max",
                    (unsigned long long)headroom / 1024, (unsigned long long)bytes / 1024);
    return 0;
}

static int map_new(int fd, const struct cmeta_header *h, struct cmeta_region *region)
{
    struct stat st;
    void *base;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    base = cmeta_region_place(fd, h->region_bytes, PROT_READ | PROT_WRITE);
    if (base == MAP_FAILED)
        return -errno;
    // Huge pages where the kernel (6.1 and later) has them to spare; without them it's as right.
    (void)madvise(base, h->region_bytes, MADV_COLLAPSE);
    memcpy(base, h, sizeof(*h));
    r = cmeta_region_adopt(base, h->region_bytes, region);
    if (r) {
        munmap(base, h->region_bytes);
        return -EINVAL;
    }
    region->device = st.st_dev;
    region->inode = st.st_ino;
    return 0;
}

int cmeta_region_create(int dir_fd, const struct cmeta_geometry *geometry,
                        struct cmeta_region *region, char *message, size_t message_size)
{
    struct cmeta_header h;
    int fd, r;

    r = header_make(geometry, &h);
    if (r < 0)
        return fail(message, message_size, r, "a region of %llu KiB cannot be laid out: %s",
                    (unsigned long long)geometry->bytes / 1024, strerror(-r));
    if (unlinkat(dir_fd, CMETA_NEW_NAME, 0) < 0 && errno != ENOENT)
        return fail(message, message_size, -errno, "cannot remove an unfinished %s: %s",
                    CMETA_NEW_NAME, strerror(errno));
    r = check_room(dir_fd, h.region_bytes, message, message_size);
    if (r < 0)
        return r;
    fd = openat(dir_fd, CMETA_NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(message, message_size, -errno, "cannot create %s: %s", CMETA_NEW_NAME,
                    strerror(errno));
    // Whole, now: a page that isn't there later would be a SIGBUS in a reader.
    r = -posix_fallocate(fd, 0, (off_t)h.region_bytes);
    if (r == 0)
        r = map_new(fd, &h, region);
    close(fd);
    if (r < 0) {
        unlinkat(dir_fd, CMETA_NEW_NAME, 0);
        return fail(message, message_size, r, "cannot allocate %llu KiB for %s: %s",
                    (unsigned long long)h.region_bytes / 1024, CMETA_NEW_NAME, strerror(-r));
    }
    return 0;
}

int cmeta_region_publish(int dir_fd, struct cmeta_region *region)
{
    struct cmeta_header *h = (void *)region->base;

    // Release: pairs with the acquire loads of `state` in region.c and reader.c.
    store_release(&h->state, CMETA_REGION_LIVE);
    if (renameat(dir_fd, CMETA_NEW_NAME, dir_fd, CMETA_TABLE_NAME) < 0) {
        int r = -errno;

        store_release(&h->state, CMETA_REGION_BUILDING); // pairs as above
        return r;
    }
    return 0;
}

int cmeta_lock_take(const char *dir, int wait, int *fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), lock_fd, r = 0;

    if (dir_fd < 0)
        return -errno;
    // Readers ask for the lock's owner, so they must be able to open it.
    lock_fd = openat(dir_fd, CMETA_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (lock_fd < 0)
        r = -errno;
    close(dir_fd);
    if (lock_fd < 0)
        return r;
    (void)fchmod(lock_fd, 0644); // whatever the umask is
    if (fcntl(lock_fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0) {
        r = errno == EACCES ? -EAGAIN : -errno;
        close(lock_fd);
        return r;
    }
    *fd = lock_fd;
    return 0;
}
