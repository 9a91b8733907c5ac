// SPDX-License-Identifier: Apache-2.0
// One thread waits on the completion queue, and answers. A call is freed when the core has given
// back all that was begun for it, its end included.
#include "grpc_engine.h"

#include "grpc_listener.h"

#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

struct message {
    STAILQ_ENTRY(message) entry;
    grpc_byte_buffer *bytes;
};

struct fake_grpc_reply {
    STAILQ_HEAD(messages, message) messages;
    int status;
    char *text;
};

struct rule {
    LIST_ENTRY(rule) entry;
    struct fake_grpc_rule rule;
    unsigned left; // of `times`
};

struct count {
    LIST_ENTRY(count) entry;
    unsigned requests;
    char method[];
};

enum tag_kind { TAG_NEW, TAG_QUESTION, TAG_CLOSE, TAG_SEND, TAG_COUNT };

struct tag {
    struct call *call;
    enum tag_kind kind;
};

struct call {
    struct fake_grpc *fake;
    LIST_ENTRY(call) all;
    TAILQ_ENTRY(call) delayed;
    struct tag tags[TAG_COUNT];
    unsigned pending; // tags under way
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *question;
    int cancelled;
    char *method;
    struct fake_grpc_rule rule;
    uint64_t due_ms; // 0: not delayed
    struct fake_grpc_reply reply;
    bool closed;  // the client is gone, or all was said
    bool open;    // a stream that the test pushes to
    bool sending; // TAG_SEND
    bool has_headers, ending, ended;
};

struct fake_grpc {
    struct grpc_listener *listener;
    sd_event *event;
    int changed; // eventfd: something happened
    grpc_completion_queue *queue;
    grpc_server *server;
    grpc_server_credentials *credentials;
    pthread_t thread;
    pthread_mutex_t lock; // everything below
    pthread_cond_t ended; // no call is left
    bool stopping, is_down;
    LIST_HEAD(, rule) rules; // the newest first
    LIST_HEAD(, count) counts;
    LIST_HEAD(, call) calls;
    TAILQ_HEAD(delayed_calls, call) delayed; // the earliest first
    uint64_t sent;
};

static void die(const char *what)
{
    fprintf(stderr, "fake gRPC engine: %s: %s\n", what, strerror(errno));
    abort();
}

static void *need(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

static void lock(struct fake_grpc *fake)
{
    pthread_mutex_lock(&fake->lock);
}

static void unlock(struct fake_grpc *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

static void tell_change(struct fake_grpc *fake)
{
    if (eventfd_write(fake->changed, 1) < 0 && errno != EAGAIN)
        die("eventfd");
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// --- replies -------------------------------------------------------------------------------------

static grpc_byte_buffer *buffer_of(const void *data, size_t len)
{
    grpc_slice slice = grpc_slice_malloc(len);
    grpc_byte_buffer *bytes;

    if (len && data)
        memcpy(GRPC_SLICE_START_PTR(slice), data, len);
    else if (len)
        memset(GRPC_SLICE_START_PTR(slice), 0, len);
    bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return bytes;
}

void fake_grpc_reply_bytes(struct fake_grpc_reply *reply, const void *data, size_t len)
{
    struct message *message = need(malloc(sizeof(*message)));

    message->bytes = buffer_of(data, len);
    STAILQ_INSERT_TAIL(&reply->messages, message, entry);
}

void fake_grpc_reply_message(struct fake_grpc_reply *reply, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = need(malloc(len + 1));

    protobuf_c_message_pack(message, data);
    fake_grpc_reply_bytes(reply, data, len);
    free(data);
}

void fake_grpc_reply_status(struct fake_grpc_reply *reply, int status, const char *text)
{
    free(reply->text);
    reply->status = status;
    reply->text = need(strdup(text ? text : ""));
}

static void drop_messages(struct fake_grpc_reply *reply)
{
    struct message *message;

    while ((message = STAILQ_FIRST(&reply->messages))) {
        STAILQ_REMOVE_HEAD(&reply->messages, entry);
        grpc_byte_buffer_destroy(message->bytes);
        free(message);
    }
}

// --- calls ---------------------------------------------------------------------------------------

static void expect_call(struct fake_grpc *fake)
{
    struct call *call = need(calloc(1, sizeof(*call)));

    call->fake = fake;
    for (int i = 0; i < TAG_COUNT; i++)
        call->tags[i] = (struct tag){call, (enum tag_kind)i};
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    STAILQ_INIT(&call->reply.messages);
    call->pending = 1;
    LIST_INSERT_HEAD(&fake->calls, call, all);
    if (grpc_server_request_call(fake->server, &call->call, &call->details, &call->metadata,
                                 fake->queue, fake->queue, &call->tags[TAG_NEW]) != GRPC_CALL_OK)
        die("a call can't be waited for");
}

static void free_call(struct call *call)
{
    LIST_REMOVE(call, all);
    if (call->due_ms)
        TAILQ_REMOVE(&call->fake->delayed, call, delayed);
    drop_messages(&call->reply);
    if (call->call)
        grpc_call_unref(call->call);
    if (call->question)
        grpc_byte_buffer_destroy(call->question);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    free((char *)(uintptr_t)call->rule.text);
    free((void *)(uintptr_t)call->rule.body);
    free(call->reply.text);
    free(call->method);
    free(call);
}

static void begin(struct call *call, enum tag_kind kind, const grpc_op *ops, size_t count)
{
    call->pending++;
    if (grpc_call_start_batch(call->call, ops, count, &call->tags[kind], NULL) != GRPC_CALL_OK)
        die("a batch is refused");
}

// Sends the next message, the headers before and the status behind it; whatever there is.
static void pump(struct call *call)
{
    struct message *message = STAILQ_FIRST(&call->reply.messages);
    grpc_op ops[3] = {0}, *op = ops;
    grpc_slice text = grpc_empty_slice();
    bool is_last = call->ending && (!message || !STAILQ_NEXT(message, entry));

    if (call->closed || call->sending || call->ended || (!message && !call->ending))
        return;
    if (!call->has_headers)
        op++->op = GRPC_OP_SEND_INITIAL_METADATA;
    if (message) {
        op->op = GRPC_OP_SEND_MESSAGE;
        op++->data.send_message.send_message = message->bytes;
        call->fake->sent++;
    }
    if (is_last) {
        text = grpc_slice_from_copied_string(call->reply.text ? call->reply.text : "");
        op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        op->data.send_status_from_server.status = (grpc_status_code)call->reply.status;
        op++->data.send_status_from_server.status_details = &text;
    }
    call->has_headers = call->sending = true;
    call->ended = is_last;
    begin(call, TAG_SEND, ops, (size_t)(op - ops));
    grpc_slice_unref(text);
    if (!message)
        return;
    STAILQ_REMOVE_HEAD(&call->reply.messages, entry);
    grpc_byte_buffer_destroy(message->bytes);
    free(message);
    if (call->rule.action == FAKE_GRPC_ENDLESS)
        fake_grpc_reply_bytes(&call->reply, call->rule.body, call->rule.body_len);
}

static bool text_equal(grpc_slice slice, const char *text)
{
    return grpc_slice_str_cmp(slice, text) == 0;
}

static void handle(struct call *call)
{
    struct fake_grpc_question question = {.method = call->method};
    grpc_byte_buffer_reader reader;
    grpc_slice body = grpc_empty_slice();
    char *ns = NULL;

    for (size_t i = 0; i < call->metadata.count && !ns; i++)
        if (text_equal(call->metadata.metadata[i].key, "containerd-namespace"))
            ns = grpc_slice_to_c_string(call->metadata.metadata[i].value);
    if (call->question && grpc_byte_buffer_reader_init(&reader, call->question)) {
        body = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    question.ns = ns ? ns : "";
    question.data = GRPC_SLICE_START_PTR(body);
    question.len = GRPC_SLICE_LENGTH(body);
    unlock(call->fake); // the test may ask the fake meanwhile; only this thread ends the call
    call->rule.handle(call->rule.userdata, &question, &call->reply);
    lock(call->fake);
    grpc_slice_unref(body);
    gpr_free(ns);
}

static void answer(struct call *call)
{
    const struct fake_grpc_rule *rule = &call->rule;

    if (rule->action == FAKE_GRPC_HANDLE)
        handle(call);
    else
        fake_grpc_reply_status(&call->reply, rule->status, rule->text);
    if ((rule->action == FAKE_GRPC_ANSWER && rule->status == 0) ||
        (rule->action == FAKE_GRPC_STREAM && rule->body_len) || rule->action == FAKE_GRPC_ENDLESS)
        fake_grpc_reply_bytes(&call->reply, rule->body, rule->body_len);
    call->open = rule->action == FAKE_GRPC_STREAM;
    call->ending = rule->action == FAKE_GRPC_ANSWER || rule->action == FAKE_GRPC_END ||
                   rule->action == FAKE_GRPC_HANDLE;
    pump(call);
}

// --- the script ----------------------------------------------------------------------------------

static struct fake_grpc_rule rule_copy(const struct fake_grpc_rule *rule)
{
    struct fake_grpc_rule copy = *rule;

    copy.method = rule->method ? need(strdup(rule->method)) : NULL;
    copy.text = need(strdup(rule->text ? rule->text : ""));
    copy.body = rule->body ? need(malloc(rule->body_len + 1)) : NULL;
    if (rule->body && rule->body_len)
        memcpy((void *)(uintptr_t)copy.body, rule->body, rule->body_len);
    return copy;
}

static void find_rule(struct call *call)
{
    struct rule *rule;

    call->rule = (struct fake_grpc_rule){.status = GRPC_STATUS_UNIMPLEMENTED};
    LIST_FOREACH (rule, &call->fake->rules, entry)
        if ((!rule->rule.method || strcmp(rule->rule.method, call->method) == 0) &&
            (!rule->rule.times || rule->left))
            break;
    if (rule && rule->rule.times)
        rule->left--;
    call->rule = rule_copy(rule ? &rule->rule : &call->rule);
    free((char *)(uintptr_t)call->rule.method);
    call->rule.method = NULL;
}

static void count_request(struct call *call)
{
    struct fake_grpc *fake = call->fake;
    struct count *count;
    size_t bytes = strlen(call->method) + 1;

    LIST_FOREACH (count, &fake->counts, entry)
        if (strcmp(count->method, call->method) == 0)
            break;
    if (!count) {
        count = need(calloc(1, sizeof(*count) + bytes));
        memcpy(count->method, call->method, bytes);
        LIST_INSERT_HEAD(&fake->counts, count, entry);
    }
    count->requests++;
}

static void delay(struct call *call)
{
    struct call *before;

    call->due_ms = now_ms() + call->rule.delay_ms;
    TAILQ_FOREACH_REVERSE(before, &call->fake->delayed, delayed_calls, delayed)
    if (before->due_ms <= call->due_ms)
        break;
    if (before)
        TAILQ_INSERT_AFTER(&call->fake->delayed, before, call, delayed);
    else
        TAILQ_INSERT_HEAD(&call->fake->delayed, call, delayed);
}

// --- the thread ----------------------------------------------------------------------------------

static void on_new(struct call *call)
{
    struct fake_grpc *fake = call->fake;
    grpc_op question = {.op = GRPC_OP_RECV_MESSAGE,
                        .data.recv_message.recv_message = &call->question};
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &call->cancelled};
    char *method = grpc_slice_to_c_string(call->details.method);

    call->method = need(strdup(method));
    gpr_free(method);
    begin(call, TAG_CLOSE, &close, 1);
    begin(call, TAG_QUESTION, &question, 1);
    if (!fake->stopping)
        expect_call(fake);
}

static void on_question(struct call *call)
{
    if (call->closed)
        return;
    count_request(call);
    find_rule(call);
    if (call->rule.delay_ms)
        delay(call);
    else
        answer(call);
}

static void on_close(struct call *call)
{
    call->closed = true;
    call->open = false;
    if (call->due_ms)
        TAILQ_REMOVE(&call->fake->delayed, call, delayed);
    call->due_ms = 0;
}

static void on_tag(struct tag *tag, bool success)
{
    struct call *call = tag->call;
    struct fake_grpc *fake = call->fake;

    lock(fake);
    call->pending--;
    switch (tag->kind) {
    case TAG_NEW:
        if (success)
            on_new(call);
        break;
    case TAG_QUESTION:
        if (success)
            on_question(call);
        break;
    case TAG_CLOSE:
        on_close(call);
        break;
    case TAG_SEND:
        call->sending = false;
        if (success)
            pump(call);
        break;
    case TAG_COUNT:
        break;
    }
    if (call->pending == 0)
        free_call(call);
    if (LIST_EMPTY(&fake->calls))
        pthread_cond_broadcast(&fake->ended);
    tell_change(fake);
    unlock(fake);
}

// Answers what is due. Return: until when to wait for the next.
static gpr_timespec answer_due(struct fake_grpc *fake)
{
    struct call *call;
    uint64_t now = now_ms();
    int64_t wait = -1;

    lock(fake);
    while ((call = TAILQ_FIRST(&fake->delayed)) && call->due_ms <= now) {
        TAILQ_REMOVE(&fake->delayed, call, delayed);
        call->due_ms = 0;
        answer(call);
    }
    if (call)
        wait = (int64_t)(call->due_ms - now);
    unlock(fake);
    return wait < 0 ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                    : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                   gpr_time_from_millis(wait, GPR_TIMESPAN));
}

static void *serve(void *userdata)
{
    struct fake_grpc *fake = userdata;
    grpc_event event;

    for (;;) {
        event = grpc_completion_queue_next(fake->queue, answer_due(fake), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        if (event.tag) {
            on_tag(event.tag, event.success);
            continue;
        }
        lock(fake); // the server's end
        fake->is_down = true;
        pthread_cond_broadcast(&fake->ended);
        unlock(fake);
    }
}

static void on_connection(void *userdata, int fd)
{
    struct fake_grpc *fake = userdata;

    grpc_server_add_channel_from_fd(fake->server, fd, fake->credentials);
    tell_change(fake);
}

// --- life ----------------------------------------------------------------------------------------

static void be_silent(gpr_log_func_args *args)
{
    (void)args;
}

static void start_core(struct fake_grpc *fake)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // As the daemon has it; who initialises the core first decides.
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 1);
    gpr_set_log_function(be_silent);
    grpc_init();
    fake->credentials = grpc_insecure_server_credentials_create();
    fake->queue = grpc_completion_queue_create_for_next(NULL);
    fake->server = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(fake->server, fake->queue, NULL);
    grpc_server_start(fake->server);
    lock(fake);
    expect_call(fake);
    unlock(fake);
    if (pthread_create(&fake->thread, NULL, serve, fake) != 0)
        die("thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct fake_grpc *fake_grpc_start(const char *path)
{
    struct fake_grpc *fake = need(calloc(1, sizeof(*fake)));

    LIST_INIT(&fake->rules);
    LIST_INIT(&fake->counts);
    LIST_INIT(&fake->calls);
    TAILQ_INIT(&fake->delayed);
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->ended, NULL);
    fake->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fake->changed < 0)
        die("eventfd");
    start_core(fake);
    fake->listener = grpc_listener_new(path, on_connection, fake);
    return fake;
}

static void stop_core(struct fake_grpc *fake)
{
    lock(fake);
    fake->stopping = true;
    unlock(fake);
    grpc_server_shutdown_and_notify(fake->server, fake->queue, NULL);
    grpc_server_cancel_all_calls(fake->server);
    lock(fake);
    while (!fake->is_down || !LIST_EMPTY(&fake->calls))
        pthread_cond_wait(&fake->ended, &fake->lock);
    unlock(fake);
    grpc_server_destroy(fake->server);
    grpc_completion_queue_shutdown(fake->queue);
    pthread_join(fake->thread, NULL);
    grpc_completion_queue_destroy(fake->queue);
    grpc_server_credentials_release(fake->credentials);
    grpc_shutdown_blocking();
}

static void free_rule(struct rule *rule)
{
    LIST_REMOVE(rule, entry);
    free((char *)(uintptr_t)rule->rule.method);
    free((char *)(uintptr_t)rule->rule.text);
    free((void *)(uintptr_t)rule->rule.body);
    free(rule);
}

struct fake_grpc *fake_grpc_stop(struct fake_grpc *fake)
{
    struct count *count;

    if (!fake)
        return NULL;
    grpc_listener_halt(fake->listener);
    stop_core(fake);
    grpc_listener_free(fake->listener);
    while (!LIST_EMPTY(&fake->rules))
        free_rule(LIST_FIRST(&fake->rules));
    while ((count = LIST_FIRST(&fake->counts))) {
        LIST_REMOVE(count, entry);
        free(count);
    }
    pthread_cond_destroy(&fake->ended);
    pthread_mutex_destroy(&fake->lock);
    close(fake->changed);
    free(fake);
    return NULL;
}

void fake_grpc_use_loop(struct fake_grpc *fake, sd_event *event)
{
    fake->event = event;
}

void fake_grpc_on(struct fake_grpc *fake, const struct fake_grpc_rule *rule)
{
    struct rule *entry = need(calloc(1, sizeof(*entry)));

    entry->rule = rule_copy(rule);
    entry->left = rule->times;
    lock(fake);
    LIST_INSERT_HEAD(&fake->rules, entry, entry);
    unlock(fake);
}

void fake_grpc_answer(struct fake_grpc *fake, const char *method, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = need(malloc(len + 1));

    protobuf_c_message_pack(message, data);
    fake_grpc_on(fake, &(struct fake_grpc_rule){.method = method, .body = data, .body_len = len});
    free(data);
}

void fake_grpc_status(struct fake_grpc *fake, const char *method, int status, const char *text)
{
    fake_grpc_on(fake,
                 &(struct fake_grpc_rule){
                     .method = method, .action = FAKE_GRPC_END, .status = status, .text = text});
}

// --- what was asked ------------------------------------------------------------------------------

unsigned fake_grpc_requests(struct fake_grpc *fake, const char *method)
{
    struct count *count;
    unsigned requests = 0;

    lock(fake);
    LIST_FOREACH (count, &fake->counts, entry)
        if (!method || strcmp(count->method, method) == 0)
            requests += count->requests;
    unlock(fake);
    return requests;
}

unsigned fake_grpc_connections(struct fake_grpc *fake)
{
    return grpc_listener_open(fake->listener);
}

unsigned fake_grpc_accepted(struct fake_grpc *fake)
{
    return grpc_listener_accepted(fake->listener);
}

uint64_t fake_grpc_sent(struct fake_grpc *fake)
{
    uint64_t sent;

    lock(fake);
    sent = fake->sent;
    unlock(fake);
    return sent;
}

static void lower(struct fake_grpc *fake)
{
    eventfd_t value;

    if (eventfd_read(fake->changed, &value) < 0 && errno != EAGAIN)
        die("eventfd");
}

static int on_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    lower(userdata);
    return 0;
}

bool fake_grpc_wait(struct fake_grpc *fake, bool (*condition)(void *userdata), void *userdata,
                    unsigned timeout_ms)
{
    uint64_t end = now_ms() + timeout_ms, now;
    sd_event_source *source = NULL;
    bool holds;

    if (fake->event &&
        sd_event_add_io(fake->event, &source, fake->changed, EPOLLIN, on_changed, fake) < 0)
        die("sd-event");
    while (!(holds = condition(userdata)) && (now = now_ms()) < end) {
        struct pollfd changed = {.fd = fake->changed, .events = POLLIN};

        if (source) {
            if (sd_event_run(fake->event, (end - now) * 1000) < 0)
                die("sd-event");
        } else if (poll(&changed, 1, (int)(end - now)) > 0) {
            lower(fake);
        }
    }
    sd_event_source_disable_unref(source);
    return holds;
}

struct awaited {
    struct fake_grpc *fake;
    const char *method;
    unsigned count;
};

static bool enough_requests(void *userdata)
{
    struct awaited *awaited = userdata;

    return fake_grpc_requests(awaited->fake, awaited->method) >= awaited->count;
}

bool fake_grpc_wait_requests(struct fake_grpc *fake, const char *method, unsigned count,
                             unsigned timeout_ms)
{
    return fake_grpc_wait(fake, enough_requests, &(struct awaited){fake, method, count},
                          timeout_ms);
}

static bool enough_streams(void *userdata)
{
    struct awaited *awaited = userdata;

    return fake_grpc_streams(awaited->fake, awaited->method) >= awaited->count;
}

bool fake_grpc_wait_streams(struct fake_grpc *fake, const char *method, unsigned count,
                            unsigned timeout_ms)
{
    return fake_grpc_wait(fake, enough_streams, &(struct awaited){fake, method, count}, timeout_ms);
}

// One call is always there: that which is waited for.
unsigned fake_grpc_open_calls(struct fake_grpc *fake)
{
    struct call *call;
    unsigned count = 0;

    lock(fake);
    LIST_FOREACH (call, &fake->calls, all)
        count += call->call != NULL;
    unlock(fake);
    return count;
}

static bool is_idle(void *userdata)
{
    return fake_grpc_open_calls(userdata) == 0;
}

bool fake_grpc_wait_idle(struct fake_grpc *fake, unsigned timeout_ms)
{
    return fake_grpc_wait(fake, is_idle, fake, timeout_ms);
}

// --- streams -------------------------------------------------------------------------------------

static bool is_stream(const struct call *call, const char *method)
{
    return call->open && !call->closed && (!method || strcmp(call->method, method) == 0);
}

unsigned fake_grpc_streams(struct fake_grpc *fake, const char *method)
{
    struct call *call;
    unsigned count = 0;

    lock(fake);
    LIST_FOREACH (call, &fake->calls, all)
        count += is_stream(call, method);
    unlock(fake);
    return count;
}

unsigned fake_grpc_push(struct fake_grpc *fake, const char *method, const void *data, size_t len)
{
    struct call *call;
    unsigned count = 0;

    lock(fake);
    LIST_FOREACH (call, &fake->calls, all)
        if (is_stream(call, method)) {
            fake_grpc_reply_bytes(&call->reply, data, len);
            pump(call);
            count++;
        }
    unlock(fake);
    return count;
}

unsigned fake_grpc_push_message(struct fake_grpc *fake, const char *method,
                                const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = need(malloc(len + 1));
    unsigned count;

    protobuf_c_message_pack(message, data);
    count = fake_grpc_push(fake, method, data, len);
    free(data);
    return count;
}

unsigned fake_grpc_end(struct fake_grpc *fake, const char *method, int status, const char *text)
{
    struct call *call;
    unsigned count = 0;

    lock(fake);
    LIST_FOREACH (call, &fake->calls, all)
        if (is_stream(call, method)) {
            fake_grpc_reply_status(&call->reply, status, text);
            call->open = false;
            call->ending = true;
            pump(call);
            count++;
        }
    unlock(fake);
    return count;
}

// --- the engine as a whole -----------------------------------------------------------------------

void fake_grpc_refuse(struct fake_grpc *fake)
{
    grpc_listener_refuse(fake->listener);
}

void fake_grpc_down(struct fake_grpc *fake)
{
    grpc_listener_remove(fake->listener);
    grpc_listener_cut(fake->listener);
}

void fake_grpc_replace(struct fake_grpc *fake)
{
    grpc_listener_replace(fake->listener);
}

void fake_grpc_restart(struct fake_grpc *fake)
{
    grpc_listener_refuse(fake->listener); // the old one dies before the new one listens
    grpc_listener_cut(fake->listener);
    grpc_listener_replace(fake->listener);
}

void fake_grpc_cut(struct fake_grpc *fake)
{
    grpc_listener_cut(fake->listener);
}

void fake_grpc_accept(struct fake_grpc *fake, bool accept)
{
    grpc_listener_accept(fake->listener, accept);
}
