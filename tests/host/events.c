// SPDX-License-Identifier: Apache-2.0
#include "tests/host/events.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/report.h"

struct param {
    char *bytes;
    size_t len;
};

struct event {
    struct falco_event header;
    struct param params[EVENT_PARAMS_MAX];
};

struct event *event_new(enum falco_event_type type, uint64_t tid, uint64_t ts)
{
    struct event *e = host_alloc(sizeof(*e));
    e->header.type = (uint16_t)type;
    e->header.tid = tid;
    e->header.ts = ts;
    return e;
}

void event_free(struct event *e)
{
    if (!e)
        return;
    event_keep(e, 0);
    free(e);
}

void event_set(struct event *e, uint32_t index, const void *bytes, size_t len)
{
    free(e->params[index].bytes);
    e->params[index] = (struct param){host_memdup(bytes, len), len};
}

void event_add(struct event *e, const void *bytes, size_t len)
{
    assert(e->header.nparams < EVENT_PARAMS_MAX);
    event_set(e, e->header.nparams++, bytes, len);
}

void event_add_string(struct event *e, const char *s)
{
    event_add(e, s ? s : "", s ? strlen(s) + 1 : 1);
}

void event_add_u64(struct event *e, uint64_t v)
{
    event_add(e, &v, sizeof(v));
}

void event_add_u32(struct event *e, uint32_t v)
{
    event_add(e, &v, sizeof(v));
}

void event_keep(struct event *e, uint32_t n)
{
    while (e->header.nparams > n) {
        struct param *p = &e->params[--e->header.nparams];
        free(p->bytes);
        *p = (struct param){NULL, 0};
    }
}

size_t event_length_size(uint16_t type)
{
    return type == FALCO_EVENT_PLUGIN || type == FALCO_EVENT_CONTAINER_JSON_2 ||
                   type == FALCO_EVENT_ASYNC
               ? 4
               : 2;
}

static size_t encoded_length(const struct param *p, size_t size)
{
    size_t max = size == 2 ? UINT16_MAX : UINT32_MAX;
    return p->len < max ? p->len : max;
}

struct falco_event *event_encode(const struct event *e)
{
    size_t size = event_length_size(e->header.type);
    uint32_t n = e->header.nparams;
    size_t total = FALCO_EVENT_LENGTHS + size * n;
    for (uint32_t i = 0; i < n; i++)
        total += encoded_length(&e->params[i], size);
    char *bytes = host_alloc(total);
    struct falco_event header = e->header;
    header.len = (uint32_t)total;
    memcpy(bytes, &header, sizeof(header));
    char *lengths = bytes + FALCO_EVENT_LENGTHS;
    char *at = lengths + size * n;
    for (uint32_t i = 0; i < n; i++) {
        size_t len = encoded_length(&e->params[i], size);
        memcpy(lengths + size * i, &len, size); // little-endian
        memcpy(at, e->params[i].bytes, len);
        at += len;
    }
    return (struct falco_event *)(void *)bytes;
}

static struct falco_event *finish(struct event *e)
{
    struct falco_event *bytes = event_encode(e);
    event_free(e);
    return bytes;
}

// Parameters 0 to 14, which clone and exec events share.
static struct event *process_event(enum falco_event_type type, uint64_t tid, uint64_t ts,
                                   const struct event_process *p)
{
    struct event *e = event_new(type, tid, ts);
    event_add_u64(e, (uint64_t)p->res);
    event_add_string(e, p->exe);
    event_add(e, p->args, p->args ? p->args_len : 0);
    event_add_u64(e, (uint64_t)p->tid);
    event_add_u64(e, (uint64_t)p->pid);
    event_add_u64(e, (uint64_t)p->ptid);
    event_add_string(e, "");
    event_add_u64(e, 1024);
    event_add_u64(e, 0);
    event_add_u64(e, 0);
    for (int i = 0; i < 3; i++)
        event_add_u32(e, 0);
    event_add_string(e, p->comm);
    event_add(e, p->cgroups, p->cgroups ? p->cgroups_len : 0);
    return e;
}

struct falco_event *event_clone(enum falco_event_type type, uint64_t tid, uint64_t ts,
                                const struct event_process *p)
{
    struct event *e = process_event(type, tid, ts, p);
    event_add_u32(e, p->flags);
    event_add_u32(e, 0);
    event_add_u32(e, 0);
    event_add_u64(e, (uint64_t)(p->vtid ? p->vtid : p->tid));
    event_add_u64(e, (uint64_t)(p->vpid ? p->vpid : p->pid));
    event_add_u64(e, p->pidns_init_start_ts);
    return finish(e);
}

struct falco_event *event_exec(enum falco_event_type type, uint64_t tid, uint64_t ts,
                               const struct event_process *p)
{
    struct event *e = process_event(type, tid, ts, p);
    event_add_string(e, "");
    event_add_u32(e, 0);
    event_add_u64(e, (uint64_t)(p->vpid ? p->vpid : p->pid));
    event_add_u32(e, UINT32_MAX);
    event_add_u32(e, p->flags);
    for (uint32_t i = FALCO_EXEC_CAP_INHERITABLE; i <= FALCO_EXEC_INO_MTIME; i++)
        event_add_u64(e, 0);
    event_add_u32(e, 0);
    event_add_string(e, p->exe);
    event_add_u64(e, (uint64_t)p->pid);
    event_add_u32(e, 0);
    if (type == FALCO_EVENT_EXECVE_EXIT)
        event_add_string(e, p->exe);
    return finish(e);
}

struct falco_event *event_procexit(uint64_t tid, uint64_t ts)
{
    struct event *e = event_new(FALCO_EVENT_PROCEXIT, tid, ts);
    event_add_u64(e, 0);
    event_add_u64(e, 0);
    event_add(e, "\0", 1);
    event_add(e, "\0", 1);
    event_add_u64(e, 1);
    return finish(e);
}

struct falco_event *event_chroot(uint64_t tid, uint64_t ts, int64_t res, const char *path)
{
    struct event *e = event_new(FALCO_EVENT_CHROOT_EXIT, tid, ts);
    event_add_u64(e, (uint64_t)res);
    event_add_string(e, path);
    return finish(e);
}

struct falco_event *event_async(const char *name, const void *data, size_t len, uint64_t ts)
{
    struct event *e = event_new(FALCO_EVENT_ASYNC, FALCO_TID_NONE, ts);
    event_add_u32(e, 0);
    event_add_string(e, name);
    event_add(e, data, len);
    return finish(e);
}

struct falco_event *event_container_json(enum falco_event_type type, const char *json, uint64_t ts)
{
    struct event *e = event_new(type, FALCO_TID_NONE, ts);
    event_add_string(e, json);
    return finish(e);
}

struct falco_event *event_plugin(uint32_t id, const void *data, size_t len, uint64_t ts)
{
    struct event *e = event_new(FALCO_EVENT_PLUGIN, FALCO_TID_NONE, ts);
    event_add_u32(e, id);
    event_add(e, data, len);
    return finish(e);
}

struct falco_event *event_any(uint64_t tid, uint64_t ts)
{
    struct event *e = event_new(FALCO_EVENT_UNSHARE_EXIT, tid, ts);
    event_add_u64(e, 0);
    event_add_u32(e, 0);
    return finish(e);
}

// --- damage --------------------------------------------------------------------------------------

static struct falco_event *copy_of(const struct falco_event *e)
{
    return (struct falco_event *)(void *)host_memdup(e, e->len);
}

struct falco_event *event_truncated(const struct falco_event *e, uint32_t len, bool lie)
{
    struct falco_event *copy = copy_of(e);
    if (len < e->len && !lie)
        copy->len = len;
    else if (len < e->len)
        memset((char *)copy + len, 0, e->len - len);
    return copy;
}

struct falco_event *event_with_length(const struct falco_event *e, uint32_t index, uint32_t len)
{
    struct falco_event *copy = copy_of(e);
    size_t size = event_length_size(e->type);
    memcpy((char *)copy + FALCO_EVENT_LENGTHS + size * index, &len, size);
    return copy;
}

struct falco_event *event_with_nparams(const struct falco_event *e, uint32_t nparams)
{
    struct falco_event *copy = copy_of(e);
    copy->nparams = nparams;
    return copy;
}

// --- reading -------------------------------------------------------------------------------------

bool event_param(const struct falco_event *e, uint32_t index, const char **bytes, size_t *len)
{
    size_t size = event_length_size(e->type);
    if (index >= e->nparams || FALCO_EVENT_LENGTHS + size * (uint64_t)e->nparams > e->len)
        return false;
    const char *lengths = (const char *)e + FALCO_EVENT_LENGTHS;
    uint64_t at = FALCO_EVENT_LENGTHS + size * (uint64_t)e->nparams;
    for (uint32_t i = 0;; i++) {
        uint32_t n = 0;
        memcpy(&n, lengths + size * i, size);
        if (at + n > e->len)
            return false;
        if (i == index) {
            *bytes = (const char *)e + at;
            *len = n;
            return n > 0;
        }
        at += n;
    }
}

bool event_param_int(const struct falco_event *e, uint32_t index, size_t len, int64_t *out)
{
    const char *bytes = NULL;
    size_t n = 0;
    if (!event_param(e, index, &bytes, &n) || n != len)
        return false;
    int64_t v = 0;
    memcpy(&v, bytes, n);
    *out = v;
    return true;
}
