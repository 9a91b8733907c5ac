// SPDX-License-Identifier: Apache-2.0
// An engine's connection, as far as it is the same for all engines with a socket: the socket is
// waited for, the engine is asked to connect when there is one, again after a while that grows when
// that failed, and looked after every ten seconds; its row says how it stands. One at a URL isn't
// waited for: it is tried at once.
//
// Embedded in an engine's instance. Belongs to the loop's thread.
#ifndef CONNECTION_H
#define CONNECTION_H

#include "containerd-meta/transport/backoff.h"
#include "containerd-meta/transport/socket_watch.h"
#include "engine.h"

#define CONNECTION_UPKEEP_US UINT64_C(10000000)

// What the engine does; each is called from the loop.
struct connection_calls {
    // Another socket than before: forget what was learned of that. May be NULL.
    void (*fresh)(void *userdata);
    void (*connect)(void *userdata); // there is a socket: begin. Nothing is under way
    void (*hang_up)(void *userdata); // cancel whatever is under way
    // Every 10 s from connect() until hang_up(): see whether somebody is still there, list again.
    void (*upkeep)(void *userdata);
};

struct connection {
    const struct engine_host *host;
    const struct connection_calls *calls;
    void *userdata;
    struct socket_watch *watch;
    sd_event_source *retry, *upkeep;
    struct backoff backoff;
    // Where a try has its cost (it starts a service): the pause after some that failed; 0: none.
    uint64_t patience_us;
    enum cmeta_engine_state state;
    bool said;        // that it failed; not again before it has lived for a while
    char version[40]; // for the row; the engine fills it in
};

/**
 * connection_open() - begin to wait for the socket
 * @connection: zero-initialised
 * Return: 0 or -errno; connection_close() it in either case.
 */
int connection_open(struct connection *connection, const struct engine_host *host,
                    const struct connection_calls *calls, void *userdata);
// Hangs up and forgets the socket. Harmless if it was never opened.
void connection_close(struct connection *connection);

// How it stands now; @error NULL: keep the last one, "": there is none.
void connection_state(struct connection *connection, enum cmeta_engine_state state,
                      const char *error);

/**
 * connection_fail() - lost or refused: hang up, say so, try again later
 * @text: for the row and, once, the log; the socket it may begin with is left out
 */
void connection_fail(struct connection *connection, const char *text);

/**
 * connection_refuse() - what answers isn't what is meant: hang up, say so, and try again only when
 * there is another socket
 *
 * At a default place that is no failure: the engine is another one's to drive.
 */
void connection_refuse(struct connection *connection, const char *text);

// All is well, and nothing is to be done until connection_restart(): hang up, stay connected.
void connection_rest(struct connection *connection);

// Hang up and connect again at once, as another try than the one that is under way.
void connection_restart(struct connection *connection);

// A fault that doesn't end the connection: for the row and the debug log.
void connection_note(struct connection *connection, const char *text);

#endif
