// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over Unix sockets, and over TCP to a numeric address: libcurl's multi interface driven
// by sd-event.
//
// One `struct http` serves the whole daemon; a call that hangs delays no other. All callbacks come
// from the loop, outside libcurl: they may start and cancel calls, their own included; only
// http_free() is not for them. A cancelled call makes no further callback. Each call has a
// connection of its own, so that nothing is ever asked of an engine whose socket was replaced.
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct http;
struct http_call;

#define HTTP_STREAM_PATIENCE_MS 10000u // a stream's headers must be there by then, by default

// Return: 0 or -errno.
int http_new(sd_event *event, struct http **http);
// Cancels what is under way. Returns NULL.
struct http *http_free(struct http *http);

struct http_request {
    const char *socket; // path of the Unix socket, any length; or a URL (http_url.h), which `path`
                        // is added to. Another URL: -EINVAL
    const char *path;   // path and query: "/v1.41/containers/json?all=1"
    bool head;          // HEAD instead of GET
    // Of the whole call, 0: none. Of a stream: until its headers are there, 0: 10 s; after them it
    // may be silent for ever.
    unsigned timeout_ms;
    size_t max_bytes; // of the body, or of one stream record or list element; 0: 16 MiB (records: 1
                      // MiB)
    const char *member; // of a list: the array is this member of the answer's object, a static
                        // string; NULL: the array is the answer
};

// What came of a call. Strings and body live during the callback.
struct http_response {
    // 0: an HTTP answer came, whole, whatever its status. Else
    //   -ENOENT, -ECONNREFUSED, -EACCES, …  as connect(2); -EAGAIN: its queue is full, it hangs
    //   -ETIMEDOUT   no whole answer in time
    //   -ECONNRESET  broken off in the middle, or before a word was said
    //   -EMSGSIZE    larger than the limit
    //   -EPROTO      not HTTP;  -EBADMSG  no whole JSON array;  -ENOMEM
    int error;
    // For a person, when error is not 0: the socket, what went wrong, what to do. It may quote the
    // server: log_message() escapes that.
    const char *text;
    long status;                                       // HTTP status, 0 if none came
    const char *api_version, *libpod_version, *server; // headers, "" if absent
    const char *body;                                  // NUL-terminated; "" for streams and lists
    size_t body_len;
    uint64_t skipped; // records or elements left out because they were too large
};

/**
 * http_get() - a call whose body is held whole
 * @done: once, unless it is cancelled. -EMSGSIZE if the body is larger than max_bytes.
 * Return: 0 and the call (valid until `done` returns or it is cancelled), or -errno.
 */
int http_get(struct http *http, const struct http_request *request,
             void (*done)(void *userdata, const struct http_response *response), void *userdata,
             struct http_call **call);

/**
 * http_list() - a call that answers with a JSON array, split into its elements
 * @on_element: each element's JSON, NUL-terminated, as it arrives (with status 200 only)
 * @done:       once, at the end. -EBADMSG if the array was cut or is none; -EMSGSIZE beyond 64 MiB.
 *              With another status than 200 the body is in the response.
 */
int http_list(struct http *http, const struct http_request *request,
              void (*on_element)(void *userdata, const char *json, size_t len),
              void (*done)(void *userdata, const struct http_response *response), void *userdata,
              struct http_call **call);

/**
 * http_stream() - an answer that goes on: records separated by newlines (or RFC 7464's 0x1e)
 * @on_open:   when the headers are there with status 200
 * @on_record: each record, NUL-terminated
 * @done:      when the stream ends, for whatever reason; error 0 is an end in good order
 *
 * The stream is always read as fast as it comes: engines drop events for those who don't.
 */
int http_stream(struct http *http, const struct http_request *request,
                void (*on_open)(void *userdata),
                void (*on_record)(void *userdata, const char *json, size_t len),
                void (*done)(void *userdata, const struct http_response *response), void *userdata,
                struct http_call **call);

// Ends a call without a callback. Harmless with NULL. Returns NULL.
struct http_call *http_cancel(struct http_call *call);

#endif
