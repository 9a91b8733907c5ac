// SPDX-License-Identifier: Apache-2.0
// What the core and its completion-queue thread touch of a call is under the lock; the thread hands
// calls with news to the loop by the ready list and an eventfd, and does one thing by itself: it
// asks for a stream's next message as soon as one came, so that a stream is always read. A call's
// memory lives until all that was begun for it in the core has come back.
#include "grpc.h"

#include "socket_path.h"

#include <dlfcn.h>
#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#define UNARY_TIMEOUT_MS  10000u
#define METADATA_BYTES    (64 << 10)
#define QUEUED_MESSAGES   4096u
#define PACED_MESSAGES    256u // of a stream that may be left unread, or as many bytes:
#define PACED_BYTES       (4u << 20)
#define MESSAGES_PER_TURN 64u // of one stream, before others have theirs

enum tag_kind { TAG_UNARY, TAG_SEND, TAG_HEADERS, TAG_MESSAGE, TAG_STATUS, TAG_COUNT, TAG_FENCE };

struct tag {
    union {
        struct rpc_call *call;
        struct rpc_channel *channel; // of TAG_FENCE
    };
    enum tag_kind kind;
};

struct message {
    STAILQ_ENTRY(message) entry;
    grpc_byte_buffer *bytes;
};

struct rpc_call {
    struct rpc *rpc;
    const char *socket;       // for texts; the channel's, or "" when that is closed
    LIST_ENTRY(rpc_call) all; // of its channel, or of those without one
    TAILQ_ENTRY(rpc_call) entry;
    grpc_call *call;
    const char *method; // in `text`
    unsigned timeout_ms;
    void (*on_message)(void *userdata, const void *body, size_t bytes); // NULL: unary
    void (*done)(void *userdata, const struct rpc_response *response);
    void *userdata;
    bool cancelled; // the loop's: no callback any more
    struct tag tags[TAG_COUNT];
    // Under the lock.
    unsigned pending; // tags that haven't come back
    bool is_ready;    // in the ready list
    bool closing;     // nothing more is read
    bool overflowed;
    bool is_paced, paused; // unread until what waits was worked off
    STAILQ_HEAD(, message) messages;
    unsigned queued;
    size_t queued_bytes;
    // The core's until its tag is back.
    grpc_metadata_array initial, trailing;
    grpc_metadata metadata;
    grpc_byte_buffer *body;
    grpc_status_code status;
    grpc_slice details;
    char text[]; // method, without and with its leading part
};

struct rpc_channel {
    struct rpc *rpc;
    LIST_ENTRY(rpc_channel) all;
    LIST_HEAD(, rpc_call) calls;
    grpc_channel *channel;
    struct tag fence; // when it is closed
    int folder_fd;
    char socket[];
};

struct rpc {
    sd_event *event;
    sd_event_source *wake;
    int wake_fd;
    bool started;
    pthread_t thread;
    grpc_completion_queue *queue;
    LIST_HEAD(, rpc_channel) channels;
    LIST_HEAD(, rpc_call) orphans; // calls whose channel was closed
    // Under the lock.
    pthread_mutex_t lock;
    pthread_cond_t drained; // `pending` is 0
    TAILQ_HEAD(ready_list, rpc_call) ready;
    unsigned pending; // tags, over all calls and closed channels
};

// --- the completion queue's thread ---------------------------------------------------------------

static void make_ready(struct rpc_call *call)
{
    struct rpc *rpc = call->rpc;

    if (call->is_ready)
        return;
    if (TAILQ_EMPTY(&rpc->ready))
        eventfd_write(rpc->wake_fd, 1);
    call->is_ready = true;
    TAILQ_INSERT_TAIL(&rpc->ready, call, entry);
}

static bool begin(struct rpc_call *call, enum tag_kind kind, const grpc_op *ops, size_t count)
{
    call->pending++;
    call->rpc->pending++;
    if (grpc_call_start_batch(call->call, ops, count, &call->tags[kind], NULL) == GRPC_CALL_OK)
        return true;
    call->pending--;
    call->rpc->pending--;
    return false;
}

static bool read_next(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->body};

    call->body = NULL;
    return begin(call, TAG_MESSAGE, &op, 1);
}

static bool is_full(const struct rpc_call *call)
{
    return call->queued >= PACED_MESSAGES || call->queued_bytes >= PACED_BYTES;
}

static void keep_message(struct rpc_call *call)
{
    grpc_byte_buffer *bytes = call->body;
    struct message *message;

    call->body = NULL;
    if (!bytes) // the stream's end
        return;
    message = call->closing ? NULL : malloc(sizeof(*message));
    if (!message || call->queued >= QUEUED_MESSAGES || call->queued_bytes > RPC_MESSAGE_MAX) {
        free(message);
        grpc_byte_buffer_destroy(bytes);
        call->overflowed |= !call->closing;
        call->closing = true;
        grpc_call_cancel(call->call, NULL);
        return;
    }
    message->bytes = bytes;
    call->queued++;
    call->queued_bytes += grpc_byte_buffer_length(bytes);
    STAILQ_INSERT_TAIL(&call->messages, message, entry);
    make_ready(call);
    call->paused = call->is_paced && is_full(call);
    if (!call->paused)
        read_next(call);
}

static void count_back(struct rpc *rpc)
{
    if (--rpc->pending == 0)
        pthread_cond_signal(&rpc->drained);
}

static void on_call_tag(struct rpc_call *call, enum tag_kind kind)
{
    struct rpc *rpc = call->rpc;

    pthread_mutex_lock(&rpc->lock);
    call->pending--;
    if (kind == TAG_MESSAGE)
        keep_message(call);
    if (call->pending == 0)
        make_ready(call);
    count_back(rpc);
    pthread_mutex_unlock(&rpc->lock);
}

// The channel was closed, and nothing that its calls began is on its way any more.
static void on_fence(struct rpc_channel *channel)
{
    struct rpc *rpc = channel->rpc;

    grpc_channel_destroy(channel->channel);
    if (channel->folder_fd >= 0)
        close(channel->folder_fd);
    free(channel);
    pthread_mutex_lock(&rpc->lock);
    count_back(rpc);
    pthread_mutex_unlock(&rpc->lock);
}

static void on_tag(struct tag *tag)
{
    if (tag->kind == TAG_FENCE)
        on_fence(tag->channel);
    else
        on_call_tag(tag->call, tag->kind);
}

static void *serve_queue(void *userdata)
{
    struct rpc *rpc = userdata;
    grpc_event event;

    for (;;) {
        event = grpc_completion_queue_next(rpc->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE)
            on_tag(event.tag);
    }
}

// --- the end of a call, in the loop --------------------------------------------------------------

static void free_call(struct rpc_call *call)
{
    struct message *message;

    pthread_mutex_lock(&call->rpc->lock);
    if (call->is_ready) // cancelled by its own last callback
        TAILQ_REMOVE(&call->rpc->ready, call, entry);
    pthread_mutex_unlock(&call->rpc->lock);
    LIST_REMOVE(call, all);
    while ((message = STAILQ_FIRST(&call->messages))) {
        STAILQ_REMOVE_HEAD(&call->messages, entry);
        grpc_byte_buffer_destroy(message->bytes);
        free(message);
    }
    if (call->call)
        grpc_call_unref(call->call);
    if (call->body)
        grpc_byte_buffer_destroy(call->body);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    free(call);
}

static const char *status_name(int status)
{
    static const char *const names[] = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT", "DEADLINE",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "TOO_LARGE",        "PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",         "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};

    return status >= 0 && status < (int)(sizeof(names) / sizeof(names[0])) ? names[status] : "?";
}

static void explain(const struct rpc_call *call, int status, char *text, size_t size)
{
    const char *name = strrchr(call->method, '/'), *details;
    int details_len = (int)GRPC_SLICE_LENGTH(call->details);

    name = name ? name + 1 : call->method;
    details = (const char *)GRPC_SLICE_START_PTR(call->details);
    if (details_len > 256)
        details_len = 256;
    if (status == RPC_OK)
        *text = '\0';
    else if (status == RPC_DEADLINE_EXCEEDED)
        snprintf(text, size, "%s: %s wasn't answered within %u ms: the engine hangs", call->socket,
                 name, call->timeout_ms);
    else if (status == RPC_UNAVAILABLE)
        snprintf(text, size, "%s: can't be reached, or broke off during %s: %.*s", call->socket,
                 name, details_len, details);
    else if (call->overflowed)
        snprintf(text, size, "%s: %s brings more than can be worked off; begun again", call->socket,
                 name);
    else
        snprintf(text, size, "%s: %s was answered with %s: %.*s", call->socket, name,
                 status_name(status), details_len, details);
}

static void deliver_end(struct rpc_call *call)
{
    struct rpc_response response = {.status = (int)call->status};
    grpc_byte_buffer_reader reader;
    grpc_slice body = grpc_empty_slice();
    char text[640];

    if (call->overflowed)
        response.status = RPC_RESOURCE_EXHAUSTED;
    if (!call->on_message && response.status == RPC_OK) {
        if (call->body && grpc_byte_buffer_reader_init(&reader, call->body)) {
            body = grpc_byte_buffer_reader_readall(&reader);
            grpc_byte_buffer_reader_destroy(&reader);
        } else {
            response.status = RPC_INTERNAL;
        }
    }
    explain(call, response.status, text, sizeof(text));
    response.text = text;
    response.body = GRPC_SLICE_START_PTR(body);
    response.body_bytes = GRPC_SLICE_LENGTH(body);
    call->done(call->userdata, &response);
    grpc_slice_unref(body);
}

static void deliver_message(struct rpc_call *call, struct message *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice body;

    if (!call->cancelled && grpc_byte_buffer_reader_init(&reader, message->bytes)) {
        body = grpc_byte_buffer_reader_readall(&reader);
        call->on_message(call->userdata, GRPC_SLICE_START_PTR(body), GRPC_SLICE_LENGTH(body));
        grpc_slice_unref(body);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(message->bytes);
    free(message);
}

static struct message *take_message(struct rpc_call *call, bool *ended)
{
    struct message *message;

    pthread_mutex_lock(&call->rpc->lock);
    message = STAILQ_FIRST(&call->messages);
    if (message) {
        STAILQ_REMOVE_HEAD(&call->messages, entry);
        call->queued--;
        call->queued_bytes -= grpc_byte_buffer_length(message->bytes);
    }
    if (call->paused && !call->closing && !is_full(call)) {
        call->paused = false;
        read_next(call);
    }
    *ended = !message && call->pending == 0;
    pthread_mutex_unlock(&call->rpc->lock);
    return message;
}

// Whatever came for a call. It may be cancelled from its callbacks; it is freed only here.
static void deliver(struct rpc_call *call)
{
    struct message *message = NULL;
    bool ended = false;

    for (unsigned i = 0; i < MESSAGES_PER_TURN && (message = take_message(call, &ended)); i++)
        deliver_message(call, message);
    if (message) { // others first
        pthread_mutex_lock(&call->rpc->lock);
        make_ready(call);
        pthread_mutex_unlock(&call->rpc->lock);
        return;
    }
    if (!ended)
        return;
    if (!call->cancelled)
        deliver_end(call);
    free_call(call);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct rpc *rpc = userdata;
    struct rpc_call *call, *last;
    eventfd_t count;

    (void)source;
    (void)events;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&rpc->lock);
    last = TAILQ_LAST(&rpc->ready, ready_list);
    while (last && (call = TAILQ_FIRST(&rpc->ready))) {
        TAILQ_REMOVE(&rpc->ready, call, entry);
        call->is_ready = false;
        pthread_mutex_unlock(&rpc->lock);
        if (call == last)
            last = NULL;
        deliver(call);
        pthread_mutex_lock(&rpc->lock);
    }
    if (!TAILQ_EMPTY(&rpc->ready)) // came meanwhile: in the next turn of the loop
        eventfd_write(rpc->wake_fd, 1);
    pthread_mutex_unlock(&rpc->lock);
    return 0;
}

// --- calls ---------------------------------------------------------------------------------------

struct rpc_call *rpc_cancel(struct rpc_call *call)
{
    if (!call || call->cancelled)
        return NULL;
    call->cancelled = true;
    pthread_mutex_lock(&call->rpc->lock);
    call->closing = true;
    if (call->pending)
        grpc_call_cancel(call->call, NULL);
    make_ready(call); // to be freed
    pthread_mutex_unlock(&call->rpc->lock);
    return NULL;
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    grpc_byte_buffer *bytes;

    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return bytes;
}

static struct rpc_call *new_call(struct rpc_channel *channel, const struct rpc_request *request)
{
    size_t bytes = strlen(request->method) + 1;
    struct rpc_call *call = calloc(1, sizeof(*call) + bytes);

    if (!call)
        return NULL;
    call->rpc = channel->rpc;
    call->socket = channel->socket;
    call->method = memcpy(call->text, request->method, bytes);
    STAILQ_INIT(&call->messages);
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    for (int i = 0; i < TAG_COUNT; i++)
        call->tags[i] = (struct tag){.call = call, .kind = (enum tag_kind)i};
    LIST_INSERT_HEAD(&channel->calls, call, all);
    return call;
}

static void open_call(struct rpc_call *call, struct rpc_channel *channel, gpr_timespec deadline)
{
    grpc_slice method = grpc_slice_from_copied_string(call->method);

    call->call = grpc_channel_create_call(channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                          channel->rpc->queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
}

enum { OP_SEND_HEADERS, OP_SEND_MESSAGE, OP_SEND_CLOSE, OPS_SENT };

// The question. The buffer and the namespace belong to the caller, until it has begun.
static void fill_question(struct rpc_call *call, const struct rpc_request *request,
                          grpc_byte_buffer *message, grpc_op ops[OPS_SENT])
{
    memset(ops, 0, OPS_SENT * sizeof(*ops));
    ops[OP_SEND_HEADERS].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (request->ns) {
        call->metadata.key = grpc_slice_from_static_string("containerd-namespace");
        call->metadata.value = grpc_slice_from_copied_string(request->ns);
        ops[OP_SEND_HEADERS].data.send_initial_metadata.metadata = &call->metadata;
        ops[OP_SEND_HEADERS].data.send_initial_metadata.count = 1;
    }
    ops[OP_SEND_MESSAGE].op = GRPC_OP_SEND_MESSAGE;
    ops[OP_SEND_MESSAGE].data.send_message.send_message = message;
    ops[OP_SEND_CLOSE].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
}

static grpc_op status_op(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

    op.data.recv_status_on_client.trailing_metadata = &call->trailing;
    op.data.recv_status_on_client.status = &call->status;
    op.data.recv_status_on_client.status_details = &call->details;
    return op;
}

static grpc_op headers_op(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};

    op.data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    return op;
}

static bool begin_unary(struct rpc_call *call, const grpc_op question[OPS_SENT])
{
    grpc_op ops[OPS_SENT + 3] = {question[0], question[1], question[2]};

    ops[OPS_SENT] = headers_op(call);
    ops[OPS_SENT + 1] =
        (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->body};
    ops[OPS_SENT + 2] = status_op(call);
    return begin(call, TAG_UNARY, ops, OPS_SENT + 3);
}

// Headers apart: servers send them with the first message, which may come in hours.
static bool begin_stream(struct rpc_call *call, const grpc_op question[OPS_SENT])
{
    grpc_op headers = headers_op(call), status = status_op(call);

    return begin(call, TAG_SEND, question, OPS_SENT) && begin(call, TAG_HEADERS, &headers, 1) &&
           begin(call, TAG_STATUS, &status, 1) && read_next(call);
}

static int start_call(struct rpc_call *call, const struct rpc_request *request)
{
    grpc_byte_buffer *message = pack(request->message);
    grpc_op ops[OPS_SENT];
    bool begun;

    fill_question(call, request, message, ops);
    pthread_mutex_lock(&call->rpc->lock);
    begun = call->on_message ? begin_stream(call, ops) : begin_unary(call, ops);
    if (!begun) { // what was begun has to come back all the same
        call->cancelled = call->closing = true;
        grpc_call_cancel(call->call, NULL);
        if (call->pending == 0)
            make_ready(call);
    }
    pthread_mutex_unlock(&call->rpc->lock);
    grpc_byte_buffer_destroy(message);
    if (request->ns)
        grpc_slice_unref(call->metadata.value);
    return begun ? 0 : -EIO;
}

static int make_call(struct rpc_channel *channel, const struct rpc_request *request,
                     void (*on_message)(void *userdata, const void *body, size_t bytes),
                     void (*done)(void *userdata, const struct rpc_response *response),
                     void *userdata, struct rpc_call **out)
{
    struct rpc_call *call = new_call(channel, request);
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_REALTIME);
    int r;

    if (!call)
        return -ENOMEM;
    call->on_message = on_message;
    call->is_paced = request->is_list;
    call->done = done;
    call->userdata = userdata;
    if (!on_message) {
        call->timeout_ms = request->timeout_ms ? request->timeout_ms : UNARY_TIMEOUT_MS;
        deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                gpr_time_from_millis(call->timeout_ms, GPR_TIMESPAN));
    }
    open_call(call, channel, deadline);
    *out = call;
    r = start_call(call, request);
    if (r < 0)
        *out = NULL;
    return r;
}

int rpc_call(struct rpc_channel *channel, const struct rpc_request *request,
             void (*done)(void *userdata, const struct rpc_response *response), void *userdata,
             struct rpc_call **call)
{
    return make_call(channel, request, NULL, done, userdata, call);
}

int rpc_stream(struct rpc_channel *channel, const struct rpc_request *request,
               void (*on_message)(void *userdata, const void *body, size_t bytes),
               void (*done)(void *userdata, const struct rpc_response *response), void *userdata,
               struct rpc_call **call)
{
    return make_call(channel, request, on_message, done, userdata, call);
}

// --- the core ------------------------------------------------------------------------------------

static void be_silent(gpr_log_func_args *args)
{
    (void)args; // what matters comes back as a status
}

// Debian builds Abseil, whose mutexes the core takes, with a search for deadlocks in each of them:
// it costs time at every lock, half a megabyte that grows with the calls made, and ends the process
// for what it thinks could be one. Builds of others do without it, as this does then.
static void stop_searching_for_deadlocks(void)
{
    enum { IGNORE = 0 };
    char name[96];
    union {
        void *symbol;
        void (*set_mode)(int);
    } found;

    for (int release = 1; release < 16; release++) { // absl::debian3 in Debian 12
        snprintf(name, sizeof(name),
                 "_ZN4absl%zudebian%d29SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE",
                 strlen("debian1") + (release > 9), release);
        found.symbol = dlsym(RTLD_DEFAULT, name);
        if (found.symbol)
            found.set_mode(IGNORE);
    }
}

static int start_thread(struct rpc *rpc)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // the core's threads inherit it
    grpc_init();
    rpc->queue = grpc_completion_queue_create_for_next(NULL);
    r = -pthread_create(&rpc->thread, NULL, serve_queue, rpc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        grpc_completion_queue_shutdown(rpc->queue);
        grpc_completion_queue_destroy(rpc->queue);
        grpc_shutdown_blocking();
    }
    return r;
}

static int start(struct rpc *rpc)
{
    int r;

    if (rpc->started)
        return 0;
    // The core polls five times a second for whom nobody polls; our thread always does.
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 1);
    gpr_set_log_function(be_silent);
    stop_searching_for_deadlocks();
    r = start_thread(rpc);
    rpc->started = r == 0;
    return r;
}

static grpc_channel *make_channel(const char *target)
{
    static const struct {
        const char *key;
        int value;
    } numbers[] = {
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)RPC_MESSAGE_MAX},
        {GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000},
        {GRPC_ARG_ENABLE_RETRIES, 0},
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
        {GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT32_MAX},
        {GRPC_ARG_HTTP2_BDP_PROBE, 0},
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1}, // a small answer stays small
    };
    enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };
    grpc_arg list[NUMBERS + 1];
    grpc_channel_args args = {.num_args = NUMBERS + 1, .args = list};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel;

    for (size_t i = 0; i < NUMBERS; i++)
        list[i] = (grpc_arg){.type = GRPC_ARG_INTEGER,
                             .key = (char *)(uintptr_t)numbers[i].key,
                             .value.integer = numbers[i].value};
    list[NUMBERS] = (grpc_arg){.type = GRPC_ARG_STRING,
                               .key = (char *)(uintptr_t)GRPC_ARG_DEFAULT_AUTHORITY,
                               .value.string = (char *)(uintptr_t) "localhost"};
    channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

int rpc_channel_open(struct rpc *rpc, const char *socket, struct rpc_channel **out)
{
    char target[sizeof("unix:") + SOCKET_PATH_BYTES], path[SOCKET_PATH_BYTES];
    size_t bytes = strlen(socket) + 1;
    struct rpc_channel *channel;
    int folder_fd = -1, r = start(rpc);

    if (r == 0)
        r = socket_path_shorten(socket, path, &folder_fd);
    if (r < 0)
        return r;
    channel = calloc(1, sizeof(*channel) + bytes);
    if (!channel) {
        if (folder_fd >= 0)
            close(folder_fd);
        return -ENOMEM;
    }
    snprintf(target, sizeof(target), "unix:%s", path);
    channel->rpc = rpc;
    channel->folder_fd = folder_fd;
    memcpy(channel->socket, socket, bytes);
    LIST_INIT(&channel->calls);
    channel->channel = make_channel(target);
    LIST_INSERT_HEAD(&rpc->channels, channel, all);
    *out = channel;
    return 0;
}

// A call that begins when the connection is broken has the core connect again, in two steps of the
// channel's own queue; a channel that is destroyed between them takes the second one all the same,
// and then lives for ever (gRPC 1.51; later ones look). So it is destroyed when a watch, which goes
// through that queue too, has come back: any state differs from that of a destroyed one.
static void destroy_later(struct rpc_channel *channel)
{
    struct rpc *rpc = channel->rpc;

    channel->fence = (struct tag){.channel = channel, .kind = TAG_FENCE};
    pthread_mutex_lock(&rpc->lock);
    rpc->pending++;
    pthread_mutex_unlock(&rpc->lock);
    grpc_channel_watch_connectivity_state(channel->channel, GRPC_CHANNEL_SHUTDOWN,
                                          gpr_inf_future(GPR_CLOCK_REALTIME), rpc->queue,
                                          &channel->fence);
}

struct rpc_channel *rpc_channel_close(struct rpc_channel *channel)
{
    struct rpc_call *call;

    if (!channel)
        return NULL;
    while ((call = LIST_FIRST(&channel->calls))) {
        rpc_cancel(call);
        call->socket = "";
        LIST_REMOVE(call, all);
        LIST_INSERT_HEAD(&channel->rpc->orphans, call, all);
    }
    LIST_REMOVE(channel, all);
    destroy_later(channel);
    return NULL;
}

// --- life ----------------------------------------------------------------------------------------

int rpc_new(sd_event *event, struct rpc **out)
{
    struct rpc *rpc = calloc(1, sizeof(*rpc));
    int r;

    if (!rpc)
        return -ENOMEM;
    rpc->event = event;
    LIST_INIT(&rpc->channels);
    LIST_INIT(&rpc->orphans);
    TAILQ_INIT(&rpc->ready);
    pthread_mutex_init(&rpc->lock, NULL);
    pthread_cond_init(&rpc->drained, NULL);
    rpc->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = rpc->wake_fd < 0 ? -errno
                         : sd_event_add_io(event, &rpc->wake, rpc->wake_fd, EPOLLIN, on_wake, rpc);
    if (r < 0) {
        rpc_free(rpc);
        return r;
    }
    *out = rpc;
    return 0;
}

static void stop(struct rpc *rpc)
{
    pthread_mutex_lock(&rpc->lock);
    while (rpc->pending > 0) // all is cancelled: they come back at once
        pthread_cond_wait(&rpc->drained, &rpc->lock);
    pthread_mutex_unlock(&rpc->lock);
    for (struct rpc_call *call = LIST_FIRST(&rpc->orphans), *next; call; call = next) {
        next = LIST_NEXT(call, all);
        free_call(call);
    }
    grpc_completion_queue_shutdown(rpc->queue);
    pthread_join(rpc->thread, NULL);
    grpc_completion_queue_destroy(rpc->queue);
    grpc_shutdown_blocking();
}

struct rpc *rpc_free(struct rpc *rpc)
{
    if (!rpc)
        return NULL;
    for (struct rpc_channel *channel = LIST_FIRST(&rpc->channels), *next; channel; channel = next) {
        next = LIST_NEXT(channel, all);
        rpc_channel_close(channel);
    }
    if (rpc->started)
        stop(rpc);
    sd_event_source_disable_unref(rpc->wake);
    if (rpc->wake_fd >= 0)
        close(rpc->wake_fd);
    pthread_cond_destroy(&rpc->drained);
    pthread_mutex_destroy(&rpc->lock);
    free(rpc);
    return NULL;
}
