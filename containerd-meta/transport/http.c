// SPDX-License-Identifier: Apache-2.0
// libcurl's callbacks only store what came; records are cut and callbacks made when libcurl has
// returned, because nothing may be started or cancelled from inside it.
#include "http.h"

#include "containerd-meta/cleanup.h"
#include "http_url.h"
#include "json_split.h"
#include "socket_path.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 500L
#define REACH_TIMEOUT_MS   2000L // the same where a network is between
#define BODY_MAX           (UINT64_C(16) << 20)
#define LIST_MAX           (UINT64_C(64) << 20)
#define RECORD_MAX         (UINT64_C(1) << 20)
#define HEADERS_MAX        (UINT64_C(64) << 10)
#define ERROR_BODY_MAX     (UINT64_C(64) << 10) // what is kept of an answer that is no list or stream

enum kind { KIND_GET, KIND_LIST, KIND_STREAM };

struct buffer {
    char *data;
    size_t used, room;
};

struct http_call {
    struct http *http;
    struct http_call *next, **link; // all calls
    CURL *easy;
    enum kind kind;
    int folder_fd; // for sockets whose path is too long
    char *path;    // of the socket as the caller named it, for texts; or a URL
    char socket[SOCKET_PATH_BYTES];
    unsigned timeout_ms;
    sd_event_source *patience; // of a stream: until its headers are there
    char error_buffer[CURL_ERROR_SIZE];
    char api_version[32], libpod_version[32], server[64];
    size_t max_bytes;
    uint64_t total, header_bytes;
    struct buffer incoming; // what libcurl delivered and nobody has looked at yet
    struct buffer body;     // the body, or a record that isn't complete
    bool skipping;          // the rest of a record that is too large
    uint64_t skipped;
    int failure; // our own reason to end it, -errno
    bool head, headers_done, opened, cancelled, finished;
    CURLcode result;
    struct json_split split;
    void (*on_element)(void *userdata, const char *json, size_t len);
    void (*on_open)(void *userdata);
    void (*on_record)(void *userdata, const char *json, size_t len);
    void (*done)(void *userdata, const struct http_response *response);
    void *userdata;
};

struct http {
    sd_event *event;
    CURLM *multi;
    sd_event_source *timer;
    sd_event_source
        *deliver; // runs deliver() for what came up outside of curl_multi_socket_action()
    struct http_call *calls;
    unsigned depth; // of delivery: calls are freed when it is 0
};

// --- buffers
// ------------------------------------------------------------------------------------------------

static int buffer_add(struct buffer *buffer, const char *data, size_t len)
{
    if (buffer->used + len + 1 > buffer->room) {
        size_t room = buffer->room ? buffer->room : 1024;
        char *grown;

        while (room < buffer->used + len + 1)
            room *= 2;
        grown = realloc(buffer->data, room);
        if (!grown)
            return -ENOMEM;
        buffer->data = grown;
        buffer->room = room;
    }
    memcpy(buffer->data + buffer->used, data, len);
    buffer->used += len;
    buffer->data[buffer->used] = '\0';
    return 0;
}

// --- how it went
// ---------------------------------------------------------------------------------------

static void call_free(struct http_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    if (call->easy) {
        curl_multi_remove_handle(call->http->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    sd_event_source_disable_unref(call->patience);
    if (call->folder_fd >= 0)
        close(call->folder_fd);
    free(call->path);
    json_split_done(&call->split);
    free(call->incoming.data);
    free(call->body.data);
    free(call);
}

static void reap(struct http *http)
{
    for (struct http_call *call = http->calls, *next; call; call = next) {
        next = call->next;
        if (call->finished || call->cancelled)
            call_free(call);
    }
}

struct http_call *http_cancel(struct http_call *call)
{
    if (call) {
        call->cancelled = true;
        if (call->http->depth == 0)
            call_free(call);
    }
    return NULL;
}

static const char *connect_text(long os_errno)
{
    switch (os_errno) {
    case ENOENT:
        return "no socket there; is the engine running, and is its folder mounted here?";
    case ECONNREFUSED:
        return "connection refused: nobody listens on it; is the engine running?";
    case EACCES:
    case EPERM:
        return "permission denied: the daemon must run as root or in the socket's group";
    case EAGAIN:
        return "the engine's queue of connections is full; it is overloaded or hangs";
    case ENOTSOCK:
    case EPROTOTYPE:
        return "it is no stream socket; check the configured path";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no way leads to this address; is it this machine's, or this container's?";
    default:
        return strerror((int)os_errno);
    }
}

static const char *failure_text(int failure)
{
    switch (failure) {
    case -EMSGSIZE:
        return "the answer is larger than the limit; it was given up";
    case -EBADMSG:
        return "the answer is no whole JSON array; does this socket belong to this engine?";
    case -ENOMEM:
        return "out of memory";
    default:
        return connect_text(-failure);
    }
}

// An ending that is libcurl's, as -errno; *words stays NULL if libcurl's own are the best.
static int curl_failure(const struct http_call *call, const char **words)
{
    long os_errno = 0;

    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
    switch (call->result) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_CONNECT:
        // No errno: the queue of connections is full. connect(2) said EAGAIN, which libcurl takes
        // for "under way", to find then that it isn't.
        os_errno = os_errno ? os_errno : EAGAIN;
        *words = connect_text(os_errno);
        return (int)-os_errno;
    case CURLE_GOT_NOTHING:
        *words = "the engine closed the connection without an answer; look at its log";
        return -ECONNRESET;
    case CURLE_SEND_ERROR:
        *words = "the engine closed the connection before it was asked; look at its log";
        return -ECONNRESET;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
        *words = "the connection broke in the middle of the answer; did the engine stop?";
        return -ECONNRESET;
    case CURLE_OUT_OF_MEMORY:
        *words = "out of memory";
        return -ENOMEM;
    default:
        return -EPROTO;
    }
}

// Nothing was sent yet when the time was over.
static bool never_connected(const struct http_call *call)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    return connected_us == 0;
}

// The outcome as -errno, with a text that names the socket, what went wrong and what to do.
static int explain(struct http_call *call, char *text, size_t size)
{
    const char *words = NULL;
    int r;

    if (call->failure == -ETIMEDOUT ||
        (!call->failure && call->result == CURLE_OPERATION_TIMEDOUT)) {
        if (http_url_is(call->path) && never_connected(call))
            snprintf(text, size, "%s: nobody answers at this address; is it right?", call->path);
        else
            snprintf(text, size,
                     "%s: no whole answer within %u ms; the engine is overloaded or hangs",
                     call->path, call->timeout_ms);
        return -ETIMEDOUT;
    }
    if (call->failure) {
        snprintf(text, size, "%s: %s", call->path, failure_text(call->failure));
        return call->failure;
    }
    r = curl_failure(call, &words);
    if (r == 0)
        return 0;
    if (words)
        snprintf(text, size, "%s: %s", call->path, words);
    else
        snprintf(text, size, "%s: what answers there doesn't speak HTTP as expected: %s",
                 call->path,
                 call->error_buffer[0] ? call->error_buffer : curl_easy_strerror(call->result));
    return r;
}

// --- what came in
// -------------------------------------------------------------------------------------------

static void give_record(struct http_call *call)
{
    char *record = call->body.data;
    size_t len = call->body.used;

    if (call->skipping) {
        call->skipped++;
    } else if (len) {
        while (len && (*record == '\x1e' || *record == '\r'))
            record++, len--;
        if (len)
            call->on_record(call->userdata, record, len);
    }
    call->skipping = false;
    call->body.used = 0;
}

// The splitter goes on to the end of what it was fed, also when the call was cancelled on the way.
static void give_element(void *userdata, const char *json, size_t len)
{
    struct http_call *call = userdata;

    if (!call->cancelled)
        call->on_element(call->userdata, json, len);
}

static void take_stream(struct http_call *call, const char *data, size_t len)
{
    while (len && !call->cancelled && !call->failure) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) : len;

        if (call->body.used + part > call->max_bytes)
            call->skipping = true;
        if (!call->skipping && buffer_add(&call->body, data, part) < 0)
            call->failure = -ENOMEM;
        if (newline)
            give_record(call);
        part += newline != NULL;
        data += part;
        len -= part;
    }
}

static void take_body(struct http_call *call, const char *data, size_t len)
{
    // What explains why there is no stream or list is for a person: the beginning will do.
    if (call->kind != KIND_GET && len > ERROR_BODY_MAX - call->body.used)
        len = ERROR_BODY_MAX - call->body.used;
    if (call->kind == KIND_GET && call->body.used + len > call->max_bytes)
        call->failure = -EMSGSIZE;
    else if (buffer_add(&call->body, data, len) < 0)
        call->failure = -ENOMEM;
}

static void take(struct http_call *call)
{
    struct buffer incoming = call->incoming;
    long status = 0;

    call->incoming = (struct buffer){0};
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->headers_done && !call->opened) {
        call->opened = true;
        call->patience = sd_event_source_disable_unref(call->patience);
        if (call->kind == KIND_STREAM && status == 200 && call->on_open)
            call->on_open(call->userdata);
    }
    if (incoming.used && !call->cancelled) {
        if (call->kind == KIND_GET || status != 200)
            take_body(call, incoming.data, incoming.used);
        else if (call->kind == KIND_STREAM)
            take_stream(call, incoming.data, incoming.used);
        else if (!call->failure)
            call->failure = json_split_feed(&call->split, incoming.data, incoming.used);
    }
    free(incoming.data);
}

// --- the end of a call
// ---------------------------------------------------------------------------------------

static void give_response(struct http_call *call)
{
    char text[512] = "";
    struct http_response response = {.api_version = call->api_version,
                                     .libpod_version = call->libpod_version,
                                     .server = call->server,
                                     .text = text,
                                     .body = "",
                                     .skipped = call->skipped + call->split.skipped};

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &response.status);
    if (call->kind == KIND_LIST && response.status == 200 && call->result == CURLE_OK &&
        !call->failure && json_split_end(&call->split) < 0)
        call->failure = -EBADMSG;
    // What is left of a stream or a list that was one is a piece of JSON, no answer.
    if (call->body.data && (call->kind == KIND_GET || response.status != 200)) {
        response.body = call->body.data;
        response.body_len = call->body.used;
    }
    response.error = explain(call, text, sizeof(text));
    call->done(call->userdata, &response);
}

static void finish(struct http_call *call)
{
    long status = 0;

    call->finished = true;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    // The last record of a stream that ended in good order may lack its newline.
    if (call->kind == KIND_STREAM && status == 200 && call->result == CURLE_OK && !call->failure)
        give_record(call);
    if (!call->cancelled)
        give_response(call);
}

// Calls back for all that libcurl left behind.
static void deliver(struct http *http)
{
    CURLMsg *message;
    int left;

    http->depth++;
    for (struct http_call *call = http->calls; call; call = call->next)
        if (!call->cancelled && !call->finished &&
            (call->incoming.used || (call->headers_done && !call->opened)))
            take(call);
    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct http_call *call;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        call->result = message->data.result;
        if (!call->cancelled && !call->finished)
            finish(call);
    }
    for (struct http_call *call = http->calls; call; call = call->next)
        if (call->failure && !call->cancelled && !call->finished)
            finish(call); // reaped, and so taken from libcurl, below
    if (--http->depth == 0)
        reap(http);
}

// --- libcurl and sd-event
// ------------------------------------------------------------------------------------

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct http *http = userdata;
    int mask = 0, running;

    (void)source;
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        mask |= CURL_CSELECT_IN;
    if (revents & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (revents & EPOLLERR)
        mask |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
    curl_multi_socket_action(http->multi, fd, mask, &running);
    deliver(http);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct http *http = userdata;
    int running;

    (void)source;
    (void)usec;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    deliver(http);
    return 0;
}

static int on_deliver(sd_event_source *source, void *userdata)
{
    (void)source;
    deliver(userdata);
    return 0;
}

static void fail_later(struct http *http, CURL *easy, int failure)
{
    struct http_call *call = NULL;

    if (easy)
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    if (call)
        call->failure = failure;
    sd_event_source_set_enabled(http->deliver, SD_EVENT_ONESHOT);
}

// Nobody answered a stream's question: that it has no limit begins with its headers.
static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct http_call *call = userdata;

    (void)source;
    (void)usec;
    call->failure = -ETIMEDOUT;
    deliver(call->http);
    return 0;
}

static int socket_function(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
    struct http *http = userdata;
    sd_event_source *source = socketp;
    int r;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    if (what == CURL_POLL_REMOVE) {
        // At once: the descriptor's number may be another's a moment later.
        sd_event_source_disable_unref(source);
        curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    if (source) {
        r = sd_event_source_set_io_events(source, events);
    } else {
        r = sd_event_add_io(http->event, &source, fd, events, on_io, http);
        if (r >= 0)
            curl_multi_assign(http->multi, fd, source);
    }
    // An error returned to libcurl would end every call there is, now and later.
    if (r < 0)
        fail_later(http, easy, r);
    return 0;
}

static int timer_function(CURLM *multi, long timeout_ms, void *userdata)
{
    struct http *http = userdata;

    (void)multi;
    if (timeout_ms < 0) {
        sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
        return 0;
    }
    // libcurl is never entered again from in here, not even for 0: the loop comes by.
    sd_event_source_set_time_relative(http->timer, (uint64_t)timeout_ms * 1000);
    sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
    return 0;
}

static size_t write_function(char *data, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    size_t len = size * count;

    call->total += len;
    if (call->kind == KIND_LIST && call->total > LIST_MAX)
        call->failure = -EMSGSIZE;
    if (call->kind != KIND_STREAM && call->incoming.used > BODY_MAX)
        call->failure = -EMSGSIZE; // not even looked at as fast as it comes
    if (call->kind == KIND_GET && call->body.used + call->incoming.used + len > call->max_bytes)
        call->failure = -EMSGSIZE;
    if (!call->failure && buffer_add(&call->incoming, data, len) < 0)
        call->failure = -ENOMEM;
    return call->failure ? 0 : len;
}

static void copy_header(char *out, size_t size, const char *value, size_t len)
{
    while (len && (*value == ' ' || *value == '\t'))
        value++, len--;
    while (len && (value[len - 1] == '\r' || value[len - 1] == '\n'))
        len--;
    if (len >= size)
        len = size - 1;
    memcpy(out, value, len);
    out[len] = '\0';
}

static void headers_end(struct http_call *call)
{
    long status = 0;
    curl_off_t announced = -1;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return; // 100 Continue and the like: the answer is still to come
    call->headers_done = true;
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (call->kind == KIND_GET && !call->head && announced > 0 &&
        (uint64_t)announced > call->max_bytes)
        call->failure = -EMSGSIZE;
}

static size_t header_function(char *data, size_t size, size_t count, void *userdata)
{
    struct http_call *call = userdata;
    size_t len = size * count;
    const struct {
        const char *name;
        char *out;
        size_t size;
    } wanted[] = {{"Api-Version:", call->api_version, sizeof(call->api_version)},
                  {"Libpod-API-Version:", call->libpod_version, sizeof(call->libpod_version)},
                  {"Server:", call->server, sizeof(call->server)}};

    call->header_bytes += len;
    if (call->header_bytes > HEADERS_MAX) {
        call->failure = -EMSGSIZE;
        return 0;
    }
    if (len == 2 && data[0] == '\r')
        headers_end(call);
    if (call->failure)
        return 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t n = strlen(wanted[i].name);

        if (len > n && strncasecmp(data, wanted[i].name, n) == 0)
            copy_header(wanted[i].out, wanted[i].size, data + n, len - n);
    }
    return len;
}

int http_new(sd_event *event, struct http **out)
{
    struct http *http;
    int r;

    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return -ENOMEM;
    http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->event = sd_event_ref(event);
    http->multi = curl_multi_init();
    r = http->multi
            ? sd_event_add_time_relative(event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer, http)
            : -ENOMEM; // accuracy 1 us: 0 stands for 250 ms, by which every call would begin late
    if (r >= 0)
        r = sd_event_add_defer(event, &http->deliver, on_deliver, http);
    if (r < 0) {
        http_free(http);
        return r;
    }
    sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
    sd_event_source_set_enabled(http->deliver, SD_EVENT_OFF);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, socket_function);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, timer_function);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    *out = http;
    return 0;
}

struct http *http_free(struct http *http)
{
    if (!http)
        return NULL;
    for (struct http_call *call = http->calls, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
    if (http->multi)
        curl_multi_cleanup(http->multi);
    sd_event_source_disable_unref(http->timer);
    sd_event_source_disable_unref(http->deliver);
    sd_event_unref(http->event);
    free(http);
    curl_global_cleanup();
    return NULL;
}

// --- starting
// -----------------------------------------------------------------------------------------------

static int set_socket(struct http_call *call, const char *path)
{
    int r;

    if (http_url_is(path)) {
        r = http_url_check(path);
        return r < 0 ? r : 0;
    }
    r = socket_path_shorten(path, call->socket, &call->folder_fd);
    if (r == -ENAMETOOLONG)
        return r;
    call->failure = r; // told to `done` like any other socket that isn't there
    return 0;
}

static int set_options(struct http_call *call, const struct http_request *request)
{
    CLEANUP(freep)
    char *url = NULL;
    CURL *easy = call->easy;
    const bool far = http_url_is(request->socket);

    if (asprintf(&url, "%s%s", far ? request->socket : "http://localhost", request->path) < 0)
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "containerd-meta/" CMETA_VERSION);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); // an engine leads nowhere else
    if (!far)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->socket);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, far ? REACH_TIMEOUT_MS : CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     call->kind == KIND_STREAM ? 0L : (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_buffer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_function);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_function);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_NOBODY, request->head ? 1L : 0L);
    // A connection for each call: one kept open leads to the engine that was, when the socket was
    // replaced, and /proc/self/fd/N may be another folder the next time.
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

static int call_begin(struct http *http, struct http_call *call)
{
    int r = 0;

    if (call->failure)
        return sd_event_source_set_enabled(http->deliver, SD_EVENT_ONESHOT);
    if (call->kind == KIND_STREAM)
        r = sd_event_add_time_relative(http->event, &call->patience, CLOCK_MONOTONIC,
                                       (uint64_t)call->timeout_ms * 1000, 1, on_patience, call);
    if (r >= 0 && curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
        r = -ENOMEM;
    return r;
}

static int call_start(struct http *http, const struct http_request *request, struct http_call *call)
{
    int r;

    call->http = http;
    call->folder_fd = -1;
    call->max_bytes = request->max_bytes ? request->max_bytes
                                         : (call->kind == KIND_STREAM ? RECORD_MAX : BODY_MAX);
    call->link = &http->calls;
    call->next = http->calls;
    if (call->next)
        call->next->link = &call->next;
    http->calls = call;
    call->head = request->head;
    call->timeout_ms = request->timeout_ms;
    if (call->kind == KIND_STREAM && !call->timeout_ms)
        call->timeout_ms = HTTP_STREAM_PATIENCE_MS;
    call->easy = curl_easy_init();
    call->path = strdup(request->socket);
    r = call->easy && call->path ? set_socket(call, request->socket) : -ENOMEM;
    if (r == 0)
        r = set_options(call, request);
    if (r == 0)
        r = call_begin(http, call);
    if (r < 0)
        call_free(call);
    return r;
}

static struct http_call *call_new(enum kind kind,
                                  void (*done)(void *userdata,
                                               const struct http_response *response),
                                  void *userdata)
{
    struct http_call *call = calloc(1, sizeof(*call));

    if (call) {
        call->kind = kind;
        call->done = done;
        call->userdata = userdata;
    }
    return call;
}

int http_get(struct http *http, const struct http_request *request,
             void (*done)(void *userdata, const struct http_response *response), void *userdata,
             struct http_call **out)
{
    struct http_call *call = call_new(KIND_GET, done, userdata);
    int r = call ? call_start(http, request, call) : -ENOMEM;

    if (r >= 0)
        *out = call;
    return r < 0 ? r : 0;
}

int http_list(struct http *http, const struct http_request *request,
              void (*on_element)(void *userdata, const char *json, size_t len),
              void (*done)(void *userdata, const struct http_response *response), void *userdata,
              struct http_call **out)
{
    struct http_call *call = call_new(KIND_LIST, done, userdata);
    int r;

    if (!call)
        return -ENOMEM;
    call->on_element = on_element;
    json_split_init(&call->split, request->max_bytes ? request->max_bytes : BODY_MAX, give_element,
                    call);
    call->split.member = request->member;
    r = call_start(http, request, call);
    if (r >= 0)
        *out = call;
    return r < 0 ? r : 0;
}

int http_stream(struct http *http, const struct http_request *request,
                void (*on_open)(void *userdata),
                void (*on_record)(void *userdata, const char *json, size_t len),
                void (*done)(void *userdata, const struct http_response *response), void *userdata,
                struct http_call **out)
{
    struct http_call *call = call_new(KIND_STREAM, done, userdata);
    int r;

    if (!call)
        return -ENOMEM;
    call->on_open = on_open;
    call->on_record = on_record;
    r = call_start(http, request, call);
    if (r >= 0)
        *out = call;
    return r < 0 ? r : 0;
}
