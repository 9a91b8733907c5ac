// SPDX-License-Identifier: Apache-2.0
// The socket on which OCI hooks tell of containers that are about to start; see
// containerd-meta/hook/hook.h.
#ifndef HOOK_SOCKET_H
#define HOOK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

struct hook_socket;

// Both are called from the loop.
struct hook_socket_calls {
    /**
     * A state has come.
     * @text:      lives during the call
     * @answer_fd: taken over: hook_socket_answer() it
     * @may_follow: the sender's process IDs mean the same here
     */
    void (*state)(void *userdata, const char *text, size_t len, int answer_fd, bool may_follow);
    // What came was no state, or came from somebody else.
    void (*odd)(void *userdata);
};

/**
 * hook_socket_new() - make it, for this user alone; a socket that lay there before is removed
 * Return: 0; -EEXIST: something else lies there; -errno.
 */
int hook_socket_new(sd_event *event, const char *path, const struct hook_socket_calls *calls,
                    void *userdata, struct hook_socket **socket);
struct hook_socket *hook_socket_free(struct hook_socket *socket); // removes it; returns NULL

// Lets the hook go on; closes the descriptor.
void hook_socket_answer(int answer_fd);

#endif
