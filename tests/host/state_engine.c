// SPDX-License-Identifier: Apache-2.0
#include "tests/host/state_engine.h"

#include <string.h>
#include <time.h>

#include "tests/host/events.h"

static uint64_t boot_time_ns(void)
{
    struct timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return ((uint64_t)now.tv_sec - (uint64_t)up.tv_sec) * 1000000000u;
}

static void set_string(struct thread *t, uint32_t field, const struct falco_event *e, uint32_t i)
{
    const char *bytes = NULL;
    size_t len = 0;
    if (event_param(e, i, &bytes, &len))
        thread_set_string(t, field, bytes, strnlen(bytes, len));
}

static void set_int(struct thread *t, uint32_t field, const struct falco_event *e, uint32_t i,
                    size_t len)
{
    int64_t v;
    if (event_param_int(e, i, len, &v))
        thread_set_int(t, field, v);
}

// What clone and exec events have in common.
static void set_process(struct thread *t, const struct falco_event *e)
{
    const char *bytes = NULL;
    size_t len = 0;
    set_string(t, THREAD_EXE, e, FALCO_CLONE_EXE);
    set_string(t, THREAD_COMM, e, FALCO_CLONE_COMM);
    set_int(t, THREAD_PTID, e, FALCO_CLONE_PTID, 8);
    if (event_param(e, FALCO_CLONE_ARGS, &bytes, &len))
        thread_set_list(t, TABLE_ARGS, bytes, len);
    else
        thread_rows_clear(t, TABLE_ARGS);
    if (event_param(e, FALCO_CLONE_CGROUPS, &bytes, &len))
        thread_set_cgroups(t, bytes, len);
}

static void clone_in_child(struct threads *ts, const struct falco_event *e)
{
    int64_t tid = (int64_t)e->tid;
    struct thread *t = threads_find(ts, tid);
    if (!t || !t->from_parent)
        t = threads_add(ts, tid);
    t->from_parent = false;
    set_process(t, e);
    set_int(t, THREAD_PID, e, FALCO_CLONE_PID, 8);
    set_int(t, THREAD_FLAGS, e, FALCO_CLONE_FLAGS, 4);
    set_int(t, THREAD_UID, e, FALCO_CLONE_UID, 4);
    set_int(t, THREAD_GID, e, FALCO_CLONE_GID, 4);
    set_int(t, THREAD_VTID, e, FALCO_CLONE_VTID, 8);
    set_int(t, THREAD_VPID, e, FALCO_CLONE_VPID, 8);
    int64_t start;
    if (event_param_int(e, FALCO_CLONE_PIDNS_INIT_START_TS, 8, &start))
        thread_set_int(t, THREAD_PIDNS_INIT_START_TS, start + (int64_t)boot_time_ns());
}

static void clone_in_parent(struct threads *ts, const struct falco_event *e, int64_t child)
{
    int64_t tid = (int64_t)e->tid, vtid = tid, flags = 0;
    event_param_int(e, FALCO_CLONE_VTID, 8, &vtid);
    event_param_int(e, FALCO_CLONE_FLAGS, 4, &flags);
    struct thread *parent = threads_find(ts, tid);
    if (!parent)
        parent = threads_add(ts, tid);
    set_process(parent, e);
    set_int(parent, THREAD_PID, e, FALCO_CLONE_PID, 8);
    // The child's number is that of the parent's pid namespace: of use only in the host's own.
    if (vtid != tid || (flags & FALCO_THREAD_CLONE_NEWPID) || threads_find(ts, child))
        return;
    struct thread *t = threads_add(ts, child);
    t->from_parent = true;
    set_process(t, e);
    thread_set_int(t, THREAD_PTID, tid);
    thread_set_int(t, THREAD_PID,
                   flags & FALCO_THREAD_CLONE_THREAD ? thread_int(parent, THREAD_PID) : child);
    thread_set_int(t, THREAD_VTID, child);
    thread_set_int(t, THREAD_VPID, thread_int(t, THREAD_PID));
}

static void exec(struct threads *ts, const struct falco_event *e)
{
    struct thread *t = threads_find(ts, (int64_t)e->tid);
    if (!t)
        t = threads_add(ts, (int64_t)e->tid);
    t->from_parent = false;
    set_process(t, e);
    set_int(t, THREAD_PID, e, FALCO_EXEC_PID, 8);
    set_int(t, THREAD_VPGID, e, FALCO_EXEC_VPGID, 8);
    set_int(t, THREAD_TTY, e, FALCO_EXEC_TTY, 4);
    set_int(t, THREAD_UID, e, FALCO_EXEC_UID, 4);
    set_int(t, THREAD_GID, e, FALCO_EXEC_GID, 4);
    set_string(t, THREAD_EXE_PATH, e, FALCO_EXEC_TRUSTED_EXEPATH);
    if (thread_int(t, THREAD_VTID) == -1) {
        thread_set_int(t, THREAD_VTID, (int64_t)e->tid);
        thread_set_int(t, THREAD_VPID, thread_int(t, THREAD_PID));
    }
}

void state_engine_apply(struct threads *ts, const struct falco_event *e, int64_t *exited)
{
    if (*exited != -1)
        threads_remove(ts, *exited);
    *exited = -1;
    int64_t res = -1;
    bool has_res = event_param_int(e, 0, 8, &res);
    if (e->tid == FALCO_TID_NONE)
        return;
    switch (e->type) {
    case FALCO_EVENT_CLONE_EXIT:
    case FALCO_EVENT_FORK_EXIT:
    case FALCO_EVENT_VFORK_EXIT:
    case FALCO_EVENT_CLONE3_EXIT:
        if (has_res && res == 0)
            clone_in_child(ts, e);
        else if (has_res && res > 0)
            clone_in_parent(ts, e, res);
        break;
    case FALCO_EVENT_EXECVE_EXIT:
    case FALCO_EVENT_EXECVEAT_EXIT:
        if (has_res && res == 0)
            exec(ts, e);
        break;
    case FALCO_EVENT_CHROOT_EXIT: {
        struct thread *t = threads_find(ts, (int64_t)e->tid);
        if (t && has_res && res == 0)
            set_string(t, THREAD_ROOT, e, FALCO_CHROOT_PATH);
        break;
    }
    case FALCO_EVENT_PROCEXIT:
        *exited = (int64_t)e->tid;
        break;
    default:
        break;
    }
}
