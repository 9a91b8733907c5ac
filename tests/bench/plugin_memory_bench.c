// SPDX-License-Identifier: Apache-2.0
// What the plugin keeps of memory for itself in a long run: a million events over 10,000
// containers, 200 of them at a time.
//
// Whatever the plugin allocates is served from a mapping of its own, known by the address of the
// caller; the dirty pages of that mapping, of the plugin's file and of its thread's stack are the
// figure. The region isn't: it is shared.
#include "bench/bench.h"
#include "host/fast.h"
#include "host/host.h"
#include "unit/support/sample_record.h"

#include <ftw.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONTAINERS 200u
#define CHANGED    20u // containers that others take the place of in each round
#define ROUNDS     500u
#define EVENTS     2000u // of each round
#define FIRST_TID  10000
#define PLUGIN     TEST_BUILD "/libcontainer.so"

static void die(const char *what)
{
    fprintf(stderr, "plugin_memory_bench: %s\n", what);
    exit(1);
}

// --- the plugin's own heap -----------------------------------------------------------------------

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

#define HEAP_BYTES (UINT64_C(1) << 30) // of address space
#define SMALL      1024u // up to here sizes are 16 bytes apart, then a quarter of a power of 2
#define RANKS      (SMALL / 16 + 1 + 4 * 20)

// Before each block: the rank of its size.
struct block {
    uint32_t rank, size;
    struct block *next; // of the free ones; where the content begins otherwise
};
#define BLOCK_HEAD offsetof(struct block, next)
_Static_assert(BLOCK_HEAD == 8, "blocks are handed out 16 bytes from a boundary");

static uint8_t *heap;
static size_t heap_used;
static struct block *free_blocks[RANKS];
static atomic_flag heap_lock = ATOMIC_FLAG_INIT;
static uintptr_t code_first, code_end; // of the plugin
static pid_t main_thread;
static uintptr_t stack_address; // within the stack of the plugin's thread

static bool is_plugins(const void *caller)
{
    return heap && (uintptr_t)caller >= code_first && (uintptr_t)caller < code_end;
}

static bool is_block(const void *p)
{
    return heap && (const uint8_t *)p >= heap && (const uint8_t *)p < heap + HEAP_BYTES;
}

static struct block *block_of(void *p)
{
    return (struct block *)(void *)((uint8_t *)p - BLOCK_HEAD);
}

// Rounds a block's size up, its head included. Return: its rank.
static uint32_t rank_of(size_t *size)
{
    uint32_t rank = SMALL / 16;
    size_t power = SMALL;

    *size = (*size + 16 + 15) & ~(size_t)15;
    if (*size <= SMALL)
        return (uint32_t)(*size / 16);
    for (; power * 2 < *size; power *= 2)
        rank += 4;
    for (unsigned quarter = 1; quarter < 4; quarter++)
        if (*size <= power + quarter * power / 4) {
            *size = power + quarter * power / 4;
            return rank + quarter;
        }
    *size = power * 2;
    return rank + 4;
}

static void *take(size_t size, bool *fresh)
{
    struct block *b;
    uint32_t rank = rank_of(&size);

    if (rank >= RANKS)
        abort();
    if (gettid() != main_thread)
        stack_address = (uintptr_t)&rank;
    while (atomic_flag_test_and_set(&heap_lock))
        ;
    b = free_blocks[rank];
    *fresh = !b;
    if (b) {
        free_blocks[rank] = b->next;
    } else {
        b = (struct block *)(void *)(heap + heap_used + 16 - BLOCK_HEAD);
        heap_used += size;
    }
    atomic_flag_clear(&heap_lock);
    if (heap_used > HEAP_BYTES)
        abort();
    b->rank = rank;
    b->size = (uint32_t)size;
    return &b->next;
}

static void give(void *p)
{
    struct block *b = block_of(p);

    while (atomic_flag_test_and_set(&heap_lock))
        ;
    b->next = free_blocks[b->rank];
    free_blocks[b->rank] = b;
    atomic_flag_clear(&heap_lock);
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    bool fresh;

    return is_plugins(__builtin_return_address(0)) ? take(size, &fresh) : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    bool fresh;
    void *p;

    if (!is_plugins(__builtin_return_address(0)))
        return __libc_calloc(count, size);
    p = take(count * size, &fresh);
    if (!fresh)
        memset(p, 0, count * size);
    return p;
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
    size_t before;
    bool fresh;
    void *p;

    if (!is_plugins(__builtin_return_address(0)))
        return __libc_realloc(old, size);
    p = take(size, &fresh);
    if (old) {
        before = block_of(old)->size - 16;
        memcpy(p, old, before < size ? before : size);
        give(old);
    }
    return p;
}

__attribute__((visibility("default"))) void free(void *old)
{
    if (is_block(old))
        give(old);
    else
        __libc_free(old);
}

static int find_code(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    if (!strstr(info->dlpi_name, "libcontainer.so"))
        return 0;
    code_first = UINTPTR_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t first = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        if (first < code_first)
            code_first = first;
        if (first + segment->p_memsz > code_end)
            code_end = first + segment->p_memsz;
    }
    return 1;
}

static void make_heap(void)
{
    void *p = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED || !dl_iterate_phdr(find_code, NULL))
        die("cannot tell the plugin's allocations from others");
    madvise(p, HEAP_BYTES, MADV_NOHUGEPAGE);
    main_thread = gettid();
    heap = p;
}

// Dirty pages of a mapping that belongs to the plugin.
static double plugins_kib(void)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    unsigned long first, end;
    double kib, sum = 0;
    bool counts = false;
    char line[512];

    if (!f)
        die("cannot read /proc/self/smaps");
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            counts = (first < (uintptr_t)heap + HEAP_BYTES && end > (uintptr_t)heap) ||
                     (first < code_end && end > code_first) ||
                     (stack_address >= first && stack_address < end);
        else if (counts && sscanf(line, "Private_Dirty: %lf", &kib) == 1)
            sum += kib;
    }
    fclose(f);
    return sum;
}

// --- the run -------------------------------------------------------------------------------------

static char folder[] = "/dev/shm/cmeta-memory-XXXXXX";
static struct cmeta_writer *writer;
static struct host *host;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void make_host(void)
{
    struct cmeta_writer_options options = {.grace_ns = 1, .gid = -1};
    char config[128];

    if (!mkdtemp(folder))
        die("cannot make a folder");
    writer = sample_writer(folder, &options);
    snprintf(config, sizeof(config), "{\"region\":\"%s\",\"log_level\":\"error\"}", folder);
    host = host_new();
    if (host_load_only(host, PLUGIN))
        die(host_refusal(host));
    make_heap();
    if (host_init(host, config))
        die(host_refusal(host));
    for (unsigned n = 0; n < CONTAINERS; n++)
        host_thread_add(host, FIRST_TID + n, FIRST_TID + n, "app", "cpu=/init.scope");
    if (host_open_live(host))
        die(host_refusal(host));
}

static unsigned numbers[CONTAINERS]; // of the present ones

static void publish(unsigned n)
{
    if (sample_put(writer, n, 0) < 0)
        die("cannot publish");
}

// The oldest containers go, and as many new ones come.
static void change_containers(unsigned round)
{
    char id[65];

    for (unsigned i = 0; i < CHANGED; i++) {
        unsigned *number = &numbers[(round * CHANGED + i) % CONTAINERS];
        struct cmeta_name name = sample_name(*number, id);

        cmeta_writer_remove(writer, &name, 1);
        *number += CONTAINERS;
        publish(*number);
    }
    cmeta_writer_tick(writer, bench_now_ns(), bench_now_ns());
}

static struct falco_event *make_exec(unsigned n)
{
    char id[65], param[128];
    int64_t tid = FIRST_TID + n;
    struct event_process p = {
        .tid = tid, .pid = tid, .ptid = 1, .comm = "app", .exe = "/bin/app", .cgroups = param};

    sample_id(numbers[n], id);
    p.cgroups_len = (size_t)snprintf(param, sizeof(param), "cpu=/docker/%s", id) + 1;
    return event_exec(FALCO_EVENT_EXECVE_EXIT, (uint64_t)tid, 1000, &p);
}

// Return: for how many of the events the container was known; a successor of the region may be on
// its way.
static uint64_t play(struct fast *fast, struct falco_extract_field *requests, unsigned count)
{
    static uint64_t evtnum;
    struct falco_event *execs[CONTAINERS];
    uint64_t known = 0;

    for (unsigned n = 0; n < CONTAINERS; n++)
        execs[n] = make_exec(n);
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct falco_event_input in = {execs[i % CONTAINERS], ++evtnum, "syscall"};

        fast_parse(fast, &in);
        for (unsigned k = 0; k < count; k++)
            fast_extract(fast, &in, &requests[k], 1);
        known += requests[0].res_len == 1;
    }
    for (unsigned n = 0; n < CONTAINERS; n++)
        free(execs[n]);
    host_pump(host); // our own events come back
    return known;
}

int main(void)
{
    static const char *const names[] = {"container.name", "container.mounts", "container.labels",
                                        "container.id", "k8s.pod.name"};
    struct falco_extract_field requests[5];
    struct fast *fast;
    uint64_t known = 0;
    double half = 0;

    make_host();
    fast = fast_new(host_instance(host));
    for (unsigned i = 0; i < 5; i++)
        if (fast_request(fast, names[i], &requests[i]))
            die("no such field");
    for (unsigned n = 0; n < CONTAINERS; n++)
        publish(numbers[n] = n);
    for (unsigned round = 0; round < ROUNDS; round++) {
        change_containers(round);
        known += play(fast, requests, 5);
        if (round == ROUNDS / 2)
            half = plugins_kib();
    }
    if (known < ROUNDS * EVENTS / 2)
        die("the plugin hardly knew a container");
    fprintf(stderr, "# plugin_private_kib: %.0f after half of it, %.0f events told\n", half,
            host_metric(host, "events_emitted"));
    bench_value("plugin_private_kib", plugins_kib(), "KiB");
    fast_free(fast);
    host_destroy(host);
    if (host_violations(host))
        die(host_violation(host, 0));
    host_free(host);
    cmeta_writer_free(writer);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
