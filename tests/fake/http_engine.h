// SPDX-License-Identifier: Apache-2.0
// A scriptable HTTP engine on a Unix socket, or at an address: it does on demand what a real one
// won't.
//
//     struct fake_http *fake = fake_http_start(path);
//     fake_http_use_loop(fake, event);                        // waits run this loop meanwhile
//     fake_http_on(fake, &(struct fake_rule){.prefix = "/_ping", .body = "OK",
//                                            .headers = "Api-Version: 1.41\r\n"});
//     fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
//     ... start what is to be tested ...
//     fake_http_wait_streams(fake, "/events", 1, 5000);
//     fake_http_stream_push(fake, "/events", "{\"Type\":\"container\"}\n");
//     fake_http_wait_request(fake, "/containers/abc/json", 1, 5000);
//     fake_http_stop(fake);
//
// A rule matches by method and by how path and query begin; the one made last wins, so a test may
// override what a helper set up. What no rule matches is answered with 404 and Docker's form of
// error. It serves in threads of its own; all functions here are for the test's thread. What cannot
// be (no room, no socket) ends the program with a message: a test can't go on without it.
#ifndef FAKE_HTTP_ENGINE_H
#define FAKE_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct fake_http;

enum fake_action {
    FAKE_ANSWER = 0, // status, headers, body; the connection is kept for more requests
    FAKE_HANG,       // read the request and say nothing, until the client or the test gives up
    FAKE_CLOSE,      // read the request and close
    FAKE_HALF_CHUNK, // headers, then a chunk that announces twice what is sent (the body), and
                     // close
    FAKE_HALF_HANG,  // the same, and then nothing instead of the close
    FAKE_RUBBISH,    // the body as it is, without a word of HTTP, and close
    FAKE_ENDLESS,    // headers, then the body again and again, chunked, until the client is gone
    FAKE_HEADERS,    // a header line again and again, until the client is gone
    FAKE_STREAM,     // headers, chunked; the body if there is one, then what the test pushes
};

struct fake_rule {
    const char *method; // NULL: any
    const char *prefix; // of path and query; NULL: any
    enum fake_action action;
    int status;          // 0: 200
    const char *headers; // further ones, each ending in \r\n
    const char *body;    // NULL: empty
    size_t body_len;     // 0: up to its NUL
    size_t chunk_bytes;  // 0: Content-Length; else chunked, cut into chunks of so many bytes
    unsigned delay_ms;   // before the answer
    unsigned times;      // how often it applies; 0: for ever
};

// Listens on @path, whatever lay there before; or at ADDRESS:PORT, where port 0 is any.
struct fake_http *fake_http_start(const char *path);
// "http://ADDRESS:PORT" of one that listens at an address, else "".
const char *fake_http_url(const struct fake_http *fake);
// Ends connections and threads, removes the socket. Return: NULL.
struct fake_http *fake_http_stop(struct fake_http *fake);

// The fake_http_wait functions run this loop while they wait: what is tested lives in it. NULL:
// they only block.
void fake_http_use_loop(struct fake_http *fake, sd_event *event);

// Everything is copied.
void fake_http_on(struct fake_http *fake, const struct fake_rule *rule);
// Shorthand: GET or HEAD, answered with Content-Length.
void fake_http_answer(struct fake_http *fake, const char *prefix, int status, const char *body);

// --- what was asked ------------------------------------------------------------------------------

// Requests so far whose path and query begin with @prefix (NULL: all).
unsigned fake_http_requests(struct fake_http *fake, const char *prefix);
// The index-th of them: "GET /path?query". To be freed. NULL if there is none.
char *fake_http_request(struct fake_http *fake, const char *prefix, unsigned index);
// The whole head of the last of them, headers included. To be freed. NULL if there is none.
char *fake_http_request_head(struct fake_http *fake, const char *prefix);
// Requests answered completely, hung ones not counted; bytes sent over all.
uint64_t fake_http_sent_bytes(struct fake_http *fake);
// Connections open now, and accepted over all.
unsigned fake_http_connections(struct fake_http *fake);
unsigned fake_http_accepted(struct fake_http *fake);

// Readable after something happened (an eventfd); for programs with a loop of their own.
int fake_http_fd(const struct fake_http *fake);

/**
 * fake_http_wait() - until a condition of the test's own holds
 *
 * Looked at after each turn of the loop and after everything that happens at the fake.
 *
 * Return: whether it holds; false when @timeout_ms passed first.
 */
bool fake_http_wait(struct fake_http *fake, bool (*condition)(void *userdata), void *userdata,
                    unsigned timeout_ms);
// Until there were @count requests that begin so. Return: as above.
bool fake_http_wait_request(struct fake_http *fake, const char *prefix, unsigned count,
                            unsigned timeout_ms);
// Until @count streams that begin so are open.
bool fake_http_wait_streams(struct fake_http *fake, const char *prefix, unsigned count,
                            unsigned timeout_ms);
// Until just @count connections are open.
bool fake_http_wait_connections(struct fake_http *fake, unsigned count, unsigned timeout_ms);

// --- streams -------------------------------------------------------------------------------------

unsigned fake_http_streams(struct fake_http *fake, const char *prefix);
// One chunk to every open stream that begins so. Return: how many there were.
unsigned fake_http_stream_push(struct fake_http *fake, const char *prefix, const char *text);
unsigned fake_http_stream_push_bytes(struct fake_http *fake, const char *prefix, const void *data,
                                     size_t len);
// End them: in good order (@clean), or in the middle of a chunk. Return: how many there were.
unsigned fake_http_stream_end(struct fake_http *fake, const char *prefix, bool clean);

// --- the engine as a whole -----------------------------------------------------------------------

// Stop listening; the file stays, connections too: who comes is refused.
void fake_http_refuse(struct fake_http *fake);
// The engine stops: nobody listens, the file is gone, connections are cut.
void fake_http_down(struct fake_http *fake);
// A new socket takes the file's place (another inode), atomically, and is served. Connections made
// through the old one stay. At an address: it listens again.
void fake_http_replace(struct fake_http *fake);
// Connections are cut, as when the process is killed.
void fake_http_cut(struct fake_http *fake);
// false: connections queue up and nobody accepts them.
void fake_http_accept(struct fake_http *fake, bool accept);

#endif
