// SPDX-License-Identifier: Apache-2.0
// One question to the monitor of an LXC container, on its command socket: an abstract Unix socket
// of the monitor's network namespace. Nobody listens there while the container doesn't run.
//
// Source: LXC 3.0 to 6 (src/lxc/commands.h): a request and an answer of 16 bytes each on 64-bit
// machines, native byte order, data behind it; one question a connection. liblxc itself asks so,
// but waits for the answer.
#ifndef LXC_COMMAND_H
#define LXC_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

enum lxc_question {
    LXC_GET_STATE = 3,
    LXC_GET_INIT_PID = 4,
    LXC_GET_CGROUP = 6, // text: the payload's path
};

enum lxc_state {
    LXC_STOPPED = 0,
    LXC_STARTING,
    LXC_RUNNING,
    LXC_STOPPING,
    LXC_ABORTING,
    LXC_FREEZING,
    LXC_FROZEN,
    LXC_THAWED,
};

#define LXC_TEXT_MAX 4096u

struct lxc_answer {
    int error; // 0; -ECONNREFUSED: nobody listens; -ETIMEDOUT; -EPERM: a stranger does; -EPROTO: no
               // answer
    int64_t value;
    const char *text; // NUL-terminated; lives during the call
};

struct lxc_command;

/**
 * lxc_command_ask() - connect and ask
 * @lxcpath:    as the container was started with it
 * @owner:      who may answer: this user or root. The name of an abstract socket is anybody's
 * @timeout_ms: 0: none
 * @done:       from the loop, never from within this call
 * Return: 0; -ECONNREFUSED and the like if nobody is there, then @done isn't called.
 */
int lxc_command_ask(sd_event *event, const char *lxcpath, const char *name, uid_t owner,
                    unsigned timeout_ms, enum lxc_question question,
                    void (*done)(void *userdata, const struct lxc_answer *answer), void *userdata,
                    struct lxc_command **command);
struct lxc_command *lxc_command_cancel(struct lxc_command *command); // returns NULL

#endif
