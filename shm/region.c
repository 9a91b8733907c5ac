// SPDX-License-Identifier: Apache-2.0
// The reader's side of the region file. It is part of the plugin, which must load on old systems:
// stat and its kin are called as system calls, because glibc 2.33 gave them new symbols.
#include "region.h"

#include "load.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REGION_MIN_BYTES 8192u
#define REGION_MAX_BYTES UINT32_MAX

static_assert(sizeof(struct stat) == 144 || sizeof(struct stat) == 128,
              "struct stat is the kernel's on x86_64 and aarch64");

static int stat_fd(int fd, struct stat *st)
{
    return syscall(SYS_fstat, fd, st) < 0 ? -errno : 0;
}

static int stat_at(int dir_fd, const char *name, struct stat *st)
{
    return syscall(SYS_newfstatat, dir_fd, name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int open_dir(const char *dir)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

// The folder may be given by a link (that is its administrator's choice); the file may not.
static int refuse_modes(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return CMETA_REFUSED_OWNER;
    if (st->st_mode & S_IWOTH)
        return CMETA_REFUSED_WRITABLE;
    // A group that may write is a set of other writers, except root's own.
    if ((st->st_mode & S_IWGRP) && st->st_gid != 0)
        return CMETA_REFUSED_WRITABLE;
    return 0;
}

static int check_file(int dir_fd, int fd, struct stat *st)
{
    struct stat dir;
    int r;

    r = stat_fd(dir_fd, &dir);
    if (r < 0)
        return r;
    r = refuse_modes(&dir);
    if (r)
        return r;
    r = stat_fd(fd, st);
    if (r < 0)
        return r;
    if (!S_ISREG(st->st_mode))
        return CMETA_REFUSED_NOT_REGULAR;
    r = refuse_modes(st);
    if (r)
        return r;
    if (st->st_size < (off_t)REGION_MIN_BYTES || (uint64_t)st->st_size > REGION_MAX_BYTES)
        return CMETA_REFUSED_SIZE;
    return 0;
}

int cmeta_boot_id(uint8_t out[16])
{
    char text[64];
    ssize_t n;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    unsigned digits = 0;

    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text));
    close(fd);
    memset(out, 0, 16);
    for (ssize_t i = 0; i < n && digits < 32; i++) {
        int c = text[i] | 0x20;
        int value = text[i] >= '0' && text[i] <= '9' ? text[i] - '0'
                    : c >= 'a' && c <= 'f'           ? c - 'a' + 10
                                                     : -1;

        if (value < 0)
            continue;
        out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | value);
        digits++;
    }
    return digits == 32 ? 0 : -EIO;
}

// Whether count elements of element bytes lie at offset, aligned, within the region.
static bool fits(uint64_t size, uint64_t offset, uint64_t count, uint64_t element)
{
    return offset % CMETA_CACHE_LINE == 0 && offset >= sizeof(struct cmeta_header) &&
           offset <= size && count <= (size - offset) / element;
}

static bool power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

// A private copy of the header, each field from one read: what was checked is what is used.
static int check_header(const struct cmeta_header *h, uint64_t size)
{
    uint64_t buckets = (uint64_t)h->bucket_count + h->overflow_count;

    if (h->magic != CMETA_MAGIC)
        return CMETA_REFUSED_MAGIC;
    if (h->layout_major != CMETA_LAYOUT_MAJOR)
        return CMETA_REFUSED_VERSION;
    if (h->header_bytes != sizeof(*h) || h->region_bytes != size)
        return CMETA_REFUSED_SIZE;
    if (h->epoch == 0 || h->bucket_count == 0 || !power_of_two(h->log_count) ||
        !fits(size, h->buckets_offset, buckets, sizeof(struct cmeta_bucket)) ||
        !fits(size, h->log_offset, h->log_count, sizeof(struct cmeta_log_entry)) ||
        !fits(size, h->counters_offset, h->counter_count, sizeof(struct cmeta_counter)) ||
        !fits(size, h->engines_offset, h->engine_count, sizeof(struct cmeta_engine_row)) ||
        (h->lead_count &&
         !fits(size, h->leads_offset, h->lead_count, sizeof(struct cmeta_lead_row))) ||
        (h->miss_count &&
         !fits(size, h->misses_offset, h->miss_count, sizeof(struct cmeta_miss_entry))) ||
        !fits(size, h->arena_offset, h->arena_bytes, 1))
        return CMETA_REFUSED_GEOMETRY;
    return 0;
}

int cmeta_region_adopt(void *base, uint64_t size, struct cmeta_region *region)
{
    struct cmeta_header h;
    int r;

    if (size < REGION_MIN_BYTES || size > REGION_MAX_BYTES)
        return CMETA_REFUSED_SIZE;
    memcpy(&h, base, sizeof(h));
    __asm__ volatile("" : : "r"(&h) : "memory"); // the copy is taken once, here
    r = check_header(&h, size);
    if (r)
        return r;
    *region = (struct cmeta_region){.base = base,
                                    .size = size,
                                    .epoch = h.epoch,
                                    .seed = {h.seed[0], h.seed[1]},
                                    .bucket_count = h.bucket_count,
                                    .overflow_count = h.overflow_count,
                                    .buckets_offset = h.buckets_offset,
                                    .log_offset = h.log_offset,
                                    .log_mask = h.log_count - 1,
                                    .counters_offset = h.counters_offset,
                                    .counter_count = h.counter_count,
                                    .engines_offset = h.engines_offset,
                                    .engine_count = h.engine_count,
                                    .leads_offset = h.leads_offset,
                                    .lead_count = h.lead_count,
                                    .misses_offset = h.misses_offset,
                                    .miss_count = h.miss_count,
                                    .arena_offset = h.arena_offset,
                                    .arena_bytes = h.arena_bytes,
                                    .layout_minor = h.layout_minor};
    return 0;
}

static int check_moment(const struct cmeta_region *region)
{
    const struct cmeta_header *h = (const void *)region->base;
    uint8_t boot[16];

    // Pairs with the release store of LIVE in cmeta_region_publish().
    if (load_acquire(&h->state) == CMETA_REGION_BUILDING)
        return CMETA_REFUSED_BUILDING;
    if (cmeta_boot_id(boot) == 0 && memcmp(boot, h->boot_id, sizeof(boot)) != 0)
        return CMETA_REFUSED_BOOT;
    return 0;
}

void *cmeta_region_place(int fd, uint64_t size, int prot)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    uint64_t before;
    uint8_t *room;
    void *mapped;

    if (size < CMETA_HUGE_BYTES)
        return mmap(NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0);
    // Room enough to begin at such a multiple; what is left over on both sides is given back.
    room = mmap(NULL, whole + CMETA_HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    before = -(uintptr_t)room % CMETA_HUGE_BYTES;
    mapped = mmap(room + before, size, prot, MAP_SHARED | MAP_POPULATE | MAP_FIXED, fd, 0);
    if (mapped == MAP_FAILED) {
        int error = errno;

        munmap(room, whole + CMETA_HUGE_BYTES);
        errno = error;
        return MAP_FAILED;
    }
    if (before)
        munmap(room, before);
    munmap(room + before + whole, CMETA_HUGE_BYTES - before);
    return mapped;
}

static int map_fd(int dir_fd, int fd, struct cmeta_region *region)
{
    struct cmeta_region mapped;
    struct stat st;
    void *base;
    int r;

    r = check_file(dir_fd, fd, &st);
    if (r)
        return r;
    base = cmeta_region_place(fd, (uint64_t)st.st_size, PROT_READ);
    if (base == MAP_FAILED)
        return -errno;
    r = cmeta_region_adopt(base, (uint64_t)st.st_size, &mapped);
    if (r == 0)
        r = check_moment(&mapped);
    if (r) {
        munmap(base, (size_t)st.st_size);
        return r;
    }
    mapped.device = st.st_dev;
    mapped.inode = st.st_ino;
    *region = mapped;
    return 0;
}

int cmeta_region_map(const char *dir, struct cmeta_region *region)
{
    int dir_fd, fd, r;

    dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return dir_fd;
    fd = openat(dir_fd, CMETA_TABLE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    r = fd < 0 ? -errno : map_fd(dir_fd, fd, region);
    if (r == -ELOOP)
        r = CMETA_REFUSED_NOT_REGULAR;
    if (fd >= 0)
        close(fd);
    close(dir_fd);
    return r;
}

void cmeta_region_unmap(struct cmeta_region *region)
{
    if (region->base)
        munmap(region->base, region->size);
    *region = (struct cmeta_region){0};
}

int cmeta_region_is_current(const struct cmeta_region *region, const char *dir)
{
    char path[4096];
    struct stat st;
    int r;

    r = snprintf(path, sizeof(path), "%s/%s", dir, CMETA_TABLE_NAME);
    if (r < 0 || (size_t)r >= sizeof(path))
        return -ENAMETOOLONG;
    r = stat_at(AT_FDCWD, path, &st);
    if (r < 0)
        return r;
    return st.st_dev == region->device && st.st_ino == region->inode;
}

int cmeta_daemon_alive(const char *dir)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int dir_fd, fd, r = 0;

    dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return dir_fd;
    fd = openat(dir_fd, CMETA_LOCK_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        r = -errno;
    close(dir_fd);
    if (fd < 0)
        return r;
    r = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
    close(fd);
    return r;
}

const char *cmeta_refusal_text(int refusal)
{
    switch (refusal) {
    case CMETA_REFUSED_NOT_REGULAR:
        return "is not a regular file; remove it and restart containerd-meta";
    case CMETA_REFUSED_OWNER:
        return "is owned neither by root nor by this user; it isn't containerd-meta's: remove it "
               "and restart containerd-meta";
    case CMETA_REFUSED_WRITABLE:
        return "or its folder is writable by others; take that right away (chmod o-w,g-w)";
    case CMETA_REFUSED_SIZE:
        return "has not the size its header says; restart containerd-meta to replace it";
    case CMETA_REFUSED_MAGIC:
        return "is no containerd-meta region; remove it and restart containerd-meta";
    case CMETA_REFUSED_VERSION:
        return "has another layout version than this program reads; install plugin, CLI and daemon "
               "of one release";
    case CMETA_REFUSED_BOOT:
        return "is from before the last boot; start containerd-meta";
    case CMETA_REFUSED_GEOMETRY:
        return "is damaged (its header contradicts itself); restart containerd-meta to replace it";
    case CMETA_REFUSED_BUILDING:
        return "was never completed; restart containerd-meta to replace it";
    default:
        return "cannot be used";
    }
}
