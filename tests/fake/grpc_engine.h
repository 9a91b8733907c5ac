// SPDX-License-Identifier: Apache-2.0
// A scriptable gRPC engine on a Unix socket, over the server side of the gRPC C core.
//
//     struct fake_grpc *fake = fake_grpc_start(path);
//     fake_grpc_use_loop(fake, event);                        // waits run this loop meanwhile
//     fake_grpc_on(fake, &(struct fake_grpc_rule){.method = "/a.B/Get", .body = "x", .body_len =
//     1}); fake_grpc_on(fake, &(struct fake_grpc_rule){.method = "/a.B/Watch",
//                                                 .action = FAKE_GRPC_STREAM});
//     ... start what is to be tested ...
//     fake_grpc_wait_streams(fake, "/a.B/Watch", 1, 5000);
//     fake_grpc_push(fake, "/a.B/Watch", bytes, len);
//     fake_grpc_stop(fake);
//
// A rule matches by the full path of the method; the one made last wins. What no rule matches is
// answered UNIMPLEMENTED. It serves in threads of its own, which block all signals; all functions
// here are for the test's thread, only a handler is called from the fake's. What cannot be (no
// room, no socket) ends the program with a message.
//
// The core doesn't live through fork(): use it only in the process that Check made for the test.
#ifndef FAKE_GRPC_ENGINE_H
#define FAKE_GRPC_ENGINE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct fake_grpc;
struct fake_grpc_reply; // what a handler fills in

// A question as a handler sees it; lives during its call.
struct fake_grpc_question {
    const char *method;
    const char *ns; // value of the metadata containerd-namespace, "" if there is none
    const uint8_t *data;
    size_t len;
};

enum fake_grpc_action {
    FAKE_GRPC_ANSWER = 0, // the body as one message, then the status; a status other than 0 alone
    FAKE_GRPC_END,        // the status at once, no message: a stream that ends before it began
    FAKE_GRPC_HANG,       // say nothing until the client or the test gives up
    FAKE_GRPC_STREAM,     // the body if there is one, then what the test pushes
    FAKE_GRPC_ENDLESS,    // the body again and again until the client is gone
    FAKE_GRPC_HANDLE,     // what the handler replies
};

struct fake_grpc_rule {
    const char *method; // NULL: any
    enum fake_grpc_action action;
    int status;       // of gRPC
    const char *text; // of the status
    const void *body; // NULL: `body_len` bytes of zero
    size_t body_len;
    unsigned delay_ms; // before anything is said
    unsigned times;    // how often it applies; 0: for ever
    void (*handle)(void *userdata, const struct fake_grpc_question *question,
                   struct fake_grpc_reply *reply);
    void *userdata;
};

// Listens on @path, whatever lay there before.
struct fake_grpc *fake_grpc_start(const char *path);
// Ends calls, connections and threads, removes the socket. Return: NULL.
struct fake_grpc *fake_grpc_stop(struct fake_grpc *fake);

// As fake_http_use_loop().
void fake_grpc_use_loop(struct fake_grpc *fake, sd_event *event);

// Everything but `userdata` is copied.
void fake_grpc_on(struct fake_grpc *fake, const struct fake_grpc_rule *rule);
// Shorthands: a packed message; a status.
void fake_grpc_answer(struct fake_grpc *fake, const char *method, const ProtobufCMessage *message);
void fake_grpc_status(struct fake_grpc *fake, const char *method, int status, const char *text);

// --- for handlers --------------------------------------------------------------------------------

// One message; several are for a stream.
void fake_grpc_reply_bytes(struct fake_grpc_reply *reply, const void *data, size_t len);
void fake_grpc_reply_message(struct fake_grpc_reply *reply, const ProtobufCMessage *message);
// Other than 0: OK.
void fake_grpc_reply_status(struct fake_grpc_reply *reply, int status, const char *text);

// --- what was asked ------------------------------------------------------------------------------

// Requests for a method so far; NULL: all.
unsigned fake_grpc_requests(struct fake_grpc *fake, const char *method);
// Calls that aren't ended: being answered, hung, streams.
unsigned fake_grpc_open_calls(struct fake_grpc *fake);
// Connections open now, and accepted over all.
unsigned fake_grpc_connections(struct fake_grpc *fake);
unsigned fake_grpc_accepted(struct fake_grpc *fake);
// Messages handed to the core for sending, over all.
uint64_t fake_grpc_sent(struct fake_grpc *fake);

/**
 * fake_grpc_wait() - until a condition of the test's own holds
 *
 * Looked at after each turn of the loop and after everything that happens at the fake.
 *
 * Return: whether it holds; false when @timeout_ms passed first.
 */
bool fake_grpc_wait(struct fake_grpc *fake, bool (*condition)(void *userdata), void *userdata,
                    unsigned timeout_ms);
bool fake_grpc_wait_requests(struct fake_grpc *fake, const char *method, unsigned count,
                             unsigned timeout_ms);
bool fake_grpc_wait_streams(struct fake_grpc *fake, const char *method, unsigned count,
                            unsigned timeout_ms);
// Until nothing is under way here: no call is answered, hangs or streams.
bool fake_grpc_wait_idle(struct fake_grpc *fake, unsigned timeout_ms);

// --- streams -------------------------------------------------------------------------------------

unsigned fake_grpc_streams(struct fake_grpc *fake, const char *method);
// One message to every open stream of the method. Return: how many there were.
unsigned fake_grpc_push(struct fake_grpc *fake, const char *method, const void *data, size_t len);
unsigned fake_grpc_push_message(struct fake_grpc *fake, const char *method,
                                const ProtobufCMessage *message);
// End them with a status; 0 is in good order. Return: how many there were.
unsigned fake_grpc_end(struct fake_grpc *fake, const char *method, int status, const char *text);

// --- the engine as a whole -----------------------------------------------------------------------

// Stop listening; the file stays, connections too: who comes is refused.
void fake_grpc_refuse(struct fake_grpc *fake);
// The engine stops: nobody listens, the file is gone, connections are cut.
void fake_grpc_down(struct fake_grpc *fake);
// It starts: a new socket (another inode) takes the file's place, atomically. Connections made
// through an old one stay.
void fake_grpc_replace(struct fake_grpc *fake);
// It is restarted: a new socket, and what was connected is cut.
void fake_grpc_restart(struct fake_grpc *fake);
// Connections are cut, as when the process is killed.
void fake_grpc_cut(struct fake_grpc *fake);
// false: connections queue up and nobody accepts them.
void fake_grpc_accept(struct fake_grpc *fake, bool accept);

#endif
