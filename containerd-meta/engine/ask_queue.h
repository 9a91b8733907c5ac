// SPDX-License-Identifier: Apache-2.0
// Questions about single things, a few at a time: what is to be asked waits for its turn, what
// failed waits for its time, with back-off. An engine embeds a `struct ask` in each thing it asks
// about and does the asking itself.
//
// Belongs to one engine instance and its loop's thread.
#ifndef ASK_QUEUE_H
#define ASK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

struct ask_queue;

#define ASK_ATTEMPTS 6u // then it is given up until somebody asks again

enum ask_phase {
    ASK_IDLE = 0, // nothing to ask
    ASK_QUEUED,   // waits for its turn
    ASK_WAITING,  // failed; waits for its time
    ASK_ASKED,    // under way
};

// Zero-initialised it is idle. It must be ended by ask_forget() before its memory goes.
struct ask {
    TAILQ_ENTRY(ask) entry;
    enum ask_phase phase;
    bool again; // asked for again meanwhile
    unsigned attempts;
    uint64_t due_us; // of ASK_WAITING, CLOCK_MONOTONIC
};

/**
 * ask_queue_new() - closed at first: nothing is asked before ask_queue_open()
 * @parallel: how many may be under way at once
 * @start:    ask this one; ends with ask_done() or ask_failed(), at once or later
 * Return: 0 or -errno.
 */
int ask_queue_new(sd_event *event, unsigned parallel,
                  void (*start)(void *userdata, struct ask *ask), void *userdata,
                  struct ask_queue **queue);
struct ask_queue *ask_queue_free(struct ask_queue *queue); // returns NULL

void ask_queue_open(struct ask_queue *queue);
// Nothing more is started. The caller cancels what is under way and requeues it by ask_requeue().
void ask_queue_close(struct ask_queue *queue);

// Ask for it; once more after the answer, if it is being asked.
void ask_now(struct ask_queue *queue, struct ask *ask);
// It is under way and was cancelled by the caller: its turn comes again when the queue is open.
void ask_requeue(struct ask_queue *queue, struct ask *ask);
// It was answered.
void ask_done(struct ask_queue *queue, struct ask *ask);
/**
 * ask_failed() - it wasn't answered: again, later
 * Return: false if it was tried often enough and is given up.
 */
bool ask_failed(struct ask_queue *queue, struct ask *ask);
// Nothing more is asked about it; the caller has cancelled what is under way.
void ask_forget(struct ask_queue *queue, struct ask *ask);

#endif
