// SPDX-License-Identifier: Apache-2.0
// The gRPC transport against a server that does what real ones won't do on demand.
#include "containerd-meta/transport/grpc.h"

#include "containerd.pb-c.h"
#include "tests/fake/grpc_engine.h"
#include "tests/unit/support/check_main.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK   "/test.Service/Ask"
#define OTHER "/test.Service/Other"
#define WATCH "/test.Service/Watch"

struct bed {
    struct temp_dir dir;
    char socket[96];
    sd_event *event;
    struct rpc *rpc;
    struct rpc_channel *channel;
    struct fake_grpc *fake;
};

// What came of a call.
struct outcome {
    struct bed *bed;
    struct rpc_call *call;
    unsigned done, messages;
    int status;
    char text[700], body[64];
    size_t bytes, last_bytes;
    unsigned turns; // of the loop, while messages came
};

static void bed_make(struct bed *bed)
{
    *bed = (struct bed){0};
    temp_dir_make(&bed->dir);
    snprintf(bed->socket, sizeof(bed->socket), "%s/engine.sock", bed->dir.path);
    ck_assert_int_ge(sd_event_new(&bed->event), 0);
    ck_assert_int_eq(rpc_new(bed->event, &bed->rpc), 0);
    bed->fake = fake_grpc_start(bed->socket);
    fake_grpc_use_loop(bed->fake, bed->event);
    ck_assert_int_eq(rpc_channel_open(bed->rpc, bed->socket, &bed->channel), 0);
}

static void bed_remove(struct bed *bed)
{
    bed->rpc = rpc_free(bed->rpc);
    fake_grpc_use_loop(bed->fake, NULL);
    fake_grpc_stop(bed->fake);
    sd_event_unref(bed->event);
    temp_dir_remove(&bed->dir);
}

static void on_done(void *userdata, const struct rpc_response *response)
{
    struct outcome *outcome = userdata;

    outcome->call = NULL;
    outcome->done++;
    outcome->status = response->status;
    snprintf(outcome->text, sizeof(outcome->text), "%s", response->text);
    outcome->bytes = response->body_bytes;
    if (response->body_bytes && response->body_bytes < sizeof(outcome->body))
        memcpy(outcome->body, response->body, response->body_bytes);
    ck_assert(response->status != RPC_OK || response->body);
}

static void on_stream_end(void *userdata, const struct rpc_response *response)
{
    struct outcome *outcome = userdata;

    outcome->call = NULL;
    outcome->done++;
    outcome->status = response->status;
    snprintf(outcome->text, sizeof(outcome->text), "%s", response->text);
}

static void on_message(void *userdata, const void *body, size_t bytes)
{
    struct outcome *outcome = userdata;

    outcome->messages++;
    outcome->bytes += bytes;
    outcome->last_bytes = bytes;
    if (bytes && bytes < sizeof(outcome->body)) {
        memset(outcome->body, 0, sizeof(outcome->body));
        memcpy(outcome->body, body, bytes);
    }
}

static int ask_in(struct rpc_channel *channel, struct outcome *outcome, const char *method,
                  unsigned timeout_ms)
{
    Containerd__GetContainerRequest message = CONTAINERD__GET_CONTAINER_REQUEST__INIT;
    struct rpc_request request = {
        .method = method, .ns = "k8s.io", .message = &message.base, .timeout_ms = timeout_ms};

    message.id = (char *)(uintptr_t) "abc";
    return rpc_call(channel, &request, on_done, outcome, &outcome->call);
}

static void ask(struct bed *bed, struct outcome *outcome, const char *method, unsigned timeout_ms)
{
    *outcome = (struct outcome){.bed = bed};
    ck_assert_int_eq(ask_in(bed->channel, outcome, method, timeout_ms), 0);
}

static void watch(struct bed *bed, struct outcome *outcome,
                  void (*message)(void *userdata, const void *body, size_t bytes))
{
    Containerd__Empty empty = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = WATCH, .message = &empty.base};

    *outcome = (struct outcome){.bed = bed};
    ck_assert_int_eq(
        rpc_stream(bed->channel, &request, message, on_stream_end, outcome, &outcome->call), 0);
}

static bool is_done(void *userdata)
{
    return ((struct outcome *)userdata)->done > 0;
}

static void wait_done(struct outcome *outcome)
{
    ck_assert(fake_grpc_wait(outcome->bed->fake, is_done, outcome, 30000));
    ck_assert_uint_eq(outcome->done, 1);
}

static void rule(struct bed *bed, struct fake_grpc_rule it)
{
    fake_grpc_on(bed->fake, &it);
}

// --- one question, one answer --------------------------------------------------------------------

static void echo(void *userdata, const struct fake_grpc_question *question,
                 struct fake_grpc_reply *reply)
{
    char text[64];
    int n;

    (void)userdata;
    n = snprintf(text, sizeof(text), "%s|%.*s", question->ns, (int)question->len,
                 (const char *)question->data);
    fake_grpc_reply_bytes(reply, text, (size_t)n);
}

START_TEST(a_question_brings_its_namespace_and_message_and_is_answered)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.action = FAKE_GRPC_HANDLE, .handle = echo});
    ask(&bed, &outcome, ASK, 0);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    ck_assert_str_eq(outcome.text, "");
    ck_assert_str_eq(outcome.body, "k8s.io|\n\003abc");
    bed_remove(&bed);
}
END_TEST

START_TEST(an_empty_answer_is_an_answer)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    ask(&bed, &outcome, ASK, 0);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    ck_assert_uint_eq(outcome.bytes, 0);
    bed_remove(&bed);
}
END_TEST

START_TEST(success_without_a_message_is_an_error)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    fake_grpc_status(bed.fake, ASK, 0, NULL);
    ask(&bed, &outcome, ASK, 0);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_INTERNAL);
    bed_remove(&bed);
}
END_TEST

START_TEST(statuses_come_as_the_server_gave_them_with_its_words)
{
    static const int statuses[] = {RPC_UNKNOWN,           RPC_INVALID_ARGUMENT,    RPC_NOT_FOUND,
                                   RPC_UNIMPLEMENTED,     RPC_FAILED_PRECONDITION, RPC_UNAVAILABLE,
                                   RPC_RESOURCE_EXHAUSTED};
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fake_grpc_status(bed.fake, ASK, statuses[i], "container \"abc\": its words");
        ask(&bed, &outcome, ASK, 0);
        wait_done(&outcome);
        ck_assert_int_eq(outcome.status, statuses[i]);
        ck_assert_ptr_nonnull(strstr(outcome.text, "its words"));
        ck_assert_ptr_nonnull(strstr(outcome.text, bed.socket));
    }
    ask(&bed, &outcome, "/no.Such/Method", 0);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_UNIMPLEMENTED);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_hung_call_ends_at_its_deadline_and_others_dont_wait_for_it)
{
    struct bed bed;
    struct outcome hung, other;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .action = FAKE_GRPC_HANG});
    rule(&bed, (struct fake_grpc_rule){.method = OTHER});
    ask(&bed, &hung, ASK, 1500);
    ck_assert(fake_grpc_wait_requests(bed.fake, ASK, 1, 10000));
    ask(&bed, &other, OTHER, 0);
    wait_done(&other);
    ck_assert_int_eq(other.status, RPC_OK);
    ck_assert_uint_eq(hung.done, 0);
    wait_done(&hung);
    ck_assert_int_eq(hung.status, RPC_DEADLINE_EXCEEDED);
    ck_assert_ptr_nonnull(strstr(hung.text, "1500 ms"));
    bed_remove(&bed);
}
END_TEST

#define MANY 1000u

static bool all_done(void *userdata)
{
    const struct outcome *outcomes = userdata;

    for (unsigned i = 0; i < MANY; i++)
        if (!outcomes[i].done)
            return false;
    return true;
}

START_TEST(a_thousand_calls_at_once_are_answered_each_once)
{
    static struct outcome outcomes[MANY];
    struct bed bed;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){
                   .method = ASK, .action = FAKE_GRPC_HANDLE, .handle = echo, .delay_ms = 20});
    for (unsigned i = 0; i < MANY; i++)
        ask(&bed, &outcomes[i], ASK, 60000);
    ck_assert(fake_grpc_wait(bed.fake, all_done, outcomes, 60000));
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(outcomes[i].done, 1);
        ck_assert_int_eq(outcomes[i].status, RPC_OK);
        ck_assert_str_eq(outcomes[i].body, "k8s.io|\n\003abc");
    }
    ck_assert_uint_eq(fake_grpc_requests(bed.fake, ASK), MANY);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_message_of_100_mib_arrives_and_one_over_the_limit_does_not)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .body_len = 100u << 20});
    ask(&bed, &outcome, ASK, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    ck_assert_uint_eq(outcome.bytes, 100u << 20);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .body_len = RPC_MESSAGE_MAX + 1});
    ask(&bed, &outcome, ASK, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_RESOURCE_EXHAUSTED);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .body = "x", .body_len = 1});
    ask(&bed, &outcome, ASK, 60000); // the connection is as good as before
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

// --- streams -------------------------------------------------------------------------------------

struct counted {
    struct outcome *outcome;
    unsigned messages;
};

static bool has_messages(void *userdata)
{
    const struct counted *counted = userdata;

    return counted->outcome->messages >= counted->messages;
}

static void wait_messages(struct outcome *outcome, unsigned count)
{
    ck_assert(
        fake_grpc_wait(outcome->bed->fake, has_messages, &(struct counted){outcome, count}, 30000));
}

START_TEST(a_stream_brings_each_message_and_ends_in_good_order)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    watch(&bed, &outcome, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    ck_assert_uint_eq(fake_grpc_push(bed.fake, WATCH, "one", 3), 1);
    wait_messages(&outcome, 1);
    ck_assert_str_eq(outcome.body, "one");
    fake_grpc_push(bed.fake, WATCH, "", 0);
    fake_grpc_push(bed.fake, WATCH, "three", 5);
    ck_assert_uint_eq(fake_grpc_end(bed.fake, WATCH, 0, NULL), 1);
    wait_done(&outcome);
    ck_assert_uint_eq(outcome.messages, 3);
    ck_assert_str_eq(outcome.body, "three");
    ck_assert_int_eq(outcome.status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_stream_that_breaks_off_tells_why_after_its_messages)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    watch(&bed, &outcome, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    fake_grpc_push(bed.fake, WATCH, "one", 3);
    fake_grpc_end(bed.fake, WATCH, RPC_INTERNAL, "the queue is gone");
    wait_done(&outcome);
    ck_assert_uint_eq(outcome.messages, 1);
    ck_assert_int_eq(outcome.status, RPC_INTERNAL);
    ck_assert_ptr_nonnull(strstr(outcome.text, "the queue is gone"));
    watch(&bed, &outcome, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    fake_grpc_cut(bed.fake);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_UNAVAILABLE);
    bed_remove(&bed);
}
END_TEST

START_TEST(ten_thousand_messages_come_in_order_and_none_is_lost)
{
    struct bed bed;
    struct outcome outcome;
    char text[16];

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    watch(&bed, &outcome, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    for (unsigned i = 1; i <= 10000; i++) {
        int n = snprintf(text, sizeof(text), "%u", i);

        fake_grpc_push(bed.fake, WATCH, text, (size_t)n);
        if (i % 1000 == 0) { // no more than may wait
            wait_messages(&outcome, i);
            ck_assert_str_eq(outcome.body, text);
        }
    }
    ck_assert_uint_eq(outcome.messages, 10000);
    bed_remove(&bed);
}
END_TEST

// containerd's GetContainerEvents: who doesn't read holds the runtime up. So it is read, and ended.
START_TEST(an_endless_stream_is_bounded_and_does_not_starve_others)
{
    static char body[4096];
    struct bed bed;
    struct outcome endless, other;

    bed_make(&bed);
    rule(&bed,
         (struct fake_grpc_rule){
             .method = WATCH, .action = FAKE_GRPC_ENDLESS, .body = body, .body_len = sizeof(body)});
    rule(&bed, (struct fake_grpc_rule){.method = OTHER});
    watch(&bed, &endless, on_message);
    for (int i = 0; i < 20; i++) { // each gets its answer while the stream goes on
        ask(&bed, &other, OTHER, 30000);
        wait_done(&other);
        ck_assert_int_eq(other.status, RPC_OK);
    }
    rpc_cancel(endless.call);
    ck_assert(fake_grpc_wait_idle(bed.fake, 30000));
    ck_assert_uint_eq(endless.done, 0);
    bed_remove(&bed);
}
END_TEST

START_TEST(what_waits_for_a_loop_that_does_not_run_is_bounded)
{
    struct bed bed;
    struct outcome endless;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    watch(&bed, &endless, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    fake_grpc_use_loop(bed.fake, NULL); // from here on nobody takes what comes
    for (unsigned i = 0; i < 20001; i++)
        fake_grpc_push(bed.fake, WATCH, "x", 1);
    // never left unread: it is ended, although the loop stands still
    ck_assert(fake_grpc_wait_idle(bed.fake, 30000));
    fake_grpc_use_loop(bed.fake, bed.event);
    wait_done(&endless);
    ck_assert_int_eq(endless.status, RPC_RESOURCE_EXHAUSTED);
    ck_assert_uint_le(endless.messages, 4096);
    bed_remove(&bed);
}
END_TEST

static bool most_is_sent(void *fake)
{
    return fake_grpc_sent(fake) >= 9000;
}

// A list of ten thousand containers comes faster than their specs are read.
START_TEST(a_list_is_read_as_fast_as_it_is_worked_off_and_is_whole)
{
    Containerd__Empty empty = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = WATCH, .message = &empty.base, .is_list = true};
    struct outcome list = {0};
    struct bed bed;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    list.bed = &bed;
    ck_assert_int_eq(
        rpc_stream(bed.channel, &request, on_message, on_stream_end, &list, &list.call), 0);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    fake_grpc_use_loop(bed.fake, NULL); // nobody takes what comes
    for (unsigned i = 0; i < 10000; i++)
        fake_grpc_push(bed.fake, WATCH, "x", 1);
    fake_grpc_end(bed.fake, WATCH, RPC_OK, "");
    ck_assert(fake_grpc_wait(bed.fake, most_is_sent, bed.fake, 30000));
    fake_grpc_use_loop(bed.fake, bed.event);
    wait_done(&list);
    ck_assert_int_eq(list.status, RPC_OK);
    ck_assert_uint_eq(list.messages, 10000);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_list_that_waits_for_the_loop_may_be_cancelled)
{
    Containerd__Empty empty = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = WATCH, .message = &empty.base, .is_list = true};
    static char body[4096];
    struct outcome list = {0};
    struct bed bed;

    bed_make(&bed);
    rule(&bed,
         (struct fake_grpc_rule){
             .method = WATCH, .action = FAKE_GRPC_ENDLESS, .body = body, .body_len = sizeof(body)});
    list.bed = &bed;
    ck_assert_int_eq(
        rpc_stream(bed.channel, &request, on_message, on_stream_end, &list, &list.call), 0);
    wait_messages(&list, 1000);
    rpc_cancel(list.call);
    ck_assert(fake_grpc_wait_idle(bed.fake, 30000));
    ck_assert_uint_eq(list.done, 0);
    bed_remove(&bed);
}
END_TEST

// --- cancelling, closing -------------------------------------------------------------------------

START_TEST(a_cancelled_call_makes_no_callback_and_the_server_learns_of_it)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .action = FAKE_GRPC_HANG});
    ask(&bed, &outcome, ASK, 60000);
    ck_assert(fake_grpc_wait_requests(bed.fake, ASK, 1, 10000));
    ck_assert_ptr_null(rpc_cancel(outcome.call));
    ck_assert(fake_grpc_wait_idle(bed.fake, 10000));
    ck_assert_uint_eq(outcome.done, 0);
    ck_assert_ptr_null(rpc_cancel(NULL));
    bed_remove(&bed);
}
END_TEST

static void cancel_itself(void *userdata, const void *body, size_t bytes)
{
    struct outcome *outcome = userdata;

    on_message(userdata, body, bytes);
    outcome->call = rpc_cancel(outcome->call);
}

START_TEST(a_stream_cancelled_in_its_own_callback_is_silent_from_then_on)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){
                   .method = WATCH, .action = FAKE_GRPC_ENDLESS, .body = "x", .body_len = 1});
    watch(&bed, &outcome, cancel_itself);
    wait_messages(&outcome, 1);
    ck_assert(fake_grpc_wait_idle(bed.fake, 10000));
    ck_assert_uint_eq(outcome.messages, 1);
    ck_assert_uint_eq(outcome.done, 0);
    bed_remove(&bed);
}
END_TEST

static void close_channel(void *userdata, const void *body, size_t bytes)
{
    struct outcome *outcome = userdata;

    on_message(userdata, body, bytes);
    outcome->bed->channel = rpc_channel_close(outcome->bed->channel);
}

static void close_channel_at_end(void *userdata, const struct rpc_response *response)
{
    struct outcome *outcome = userdata;

    on_done(userdata, response);
    outcome->bed->channel = rpc_channel_close(outcome->bed->channel);
}

START_TEST(a_channel_may_be_closed_in_a_callback_of_its_own_calls)
{
    Containerd__Empty empty = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = ASK, .message = &empty.base};
    struct bed bed;
    struct outcome stream, hung;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){
                   .method = WATCH, .action = FAKE_GRPC_ENDLESS, .body = "x", .body_len = 1});
    rule(&bed, (struct fake_grpc_rule){.method = OTHER, .action = FAKE_GRPC_HANG});
    ask(&bed, &hung, OTHER, 60000);
    ck_assert(fake_grpc_wait_requests(bed.fake, OTHER, 1, 10000));
    watch(&bed, &stream, close_channel);
    wait_messages(&stream, 1);
    ck_assert(fake_grpc_wait_idle(bed.fake, 10000));
    ck_assert_uint_eq(stream.done + hung.done, 0);
    ck_assert_ptr_null(bed.channel);
    // the same by the end of a call
    ck_assert_int_eq(rpc_channel_open(bed.rpc, bed.socket, &bed.channel), 0);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    stream = (struct outcome){.bed = &bed};
    ck_assert_int_eq(rpc_call(bed.channel, &request, close_channel_at_end, &stream, &stream.call),
                     0);
    wait_done(&stream);
    ck_assert_int_eq(stream.status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

static void ask_again(void *userdata, const struct rpc_response *response)
{
    struct outcome *outcome = userdata, *next = outcome + 1;

    on_done(userdata, response);
    *next = (struct outcome){.bed = outcome->bed};
    ck_assert_int_eq(ask_in(outcome->bed->channel, next, ASK, 0), 0);
}

START_TEST(a_call_may_be_started_in_a_callback)
{
    Containerd__Empty empty = CONTAINERD__EMPTY__INIT;
    struct rpc_request request = {.method = ASK, .message = &empty.base};
    struct bed bed;
    struct outcome outcomes[2] = {{0}};

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    outcomes[0].bed = outcomes[1].bed = &bed;
    ck_assert_int_eq(rpc_call(bed.channel, &request, ask_again, &outcomes[0], &outcomes[0].call),
                     0);
    wait_done(&outcomes[1]);
    ck_assert_int_eq(outcomes[1].status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

START_TEST(rpc_free_ends_whatever_is_under_way)
{
    struct bed bed;
    static struct outcome outcomes[100];
    struct outcome stream, endless;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .action = FAKE_GRPC_HANG});
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    watch(&bed, &stream, on_message);
    ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
    rule(&bed, (struct fake_grpc_rule){
                   .method = WATCH, .action = FAKE_GRPC_ENDLESS, .body = "x", .body_len = 1});
    watch(&bed, &endless, on_message);
    for (unsigned i = 0; i < 100; i++)
        ask(&bed, &outcomes[i], ASK, 60000);
    ck_assert(fake_grpc_wait_requests(bed.fake, ASK, 50, 10000));
    bed.rpc = rpc_free(bed.rpc);
    ck_assert_ptr_null(bed.rpc);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(outcomes[i].done, 0);
    ck_assert_uint_eq(stream.done + endless.done, 0);
    bed_remove(&bed);
}
END_TEST

// --- the socket ----------------------------------------------------------------------------------

START_TEST(a_socket_that_is_missing_or_refuses_is_said_at_once)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    fake_grpc_refuse(bed.fake);
    ask(&bed, &outcome, ASK, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(outcome.text, bed.socket));
    fake_grpc_down(bed.fake);
    rpc_channel_close(bed.channel);
    ck_assert_int_eq(rpc_channel_open(bed.rpc, bed.socket, &bed.channel), 0);
    ask(&bed, &outcome, ASK, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_UNAVAILABLE);
    fake_grpc_replace(bed.fake); // it is there now: another channel, for another life
    rpc_channel_close(bed.channel);
    ck_assert_int_eq(rpc_channel_open(bed.rpc, bed.socket, &bed.channel), 0);
    ask(&bed, &outcome, ASK, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

// falco 3953: a server that accepts, or not even that, and never answers.
START_TEST(a_hung_server_delays_no_other_channel)
{
    struct bed bed;
    struct outcome hung, other;
    struct rpc_channel *second;
    struct fake_grpc *dead;
    char path[128];

    bed_make(&bed);
    snprintf(path, sizeof(path), "%s/dead.sock", bed.dir.path);
    dead = fake_grpc_start(path);
    fake_grpc_accept(dead, false);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    ck_assert_int_eq(rpc_channel_open(bed.rpc, path, &second), 0);
    hung = (struct outcome){.bed = &bed};
    ck_assert_int_eq(ask_in(second, &hung, ASK, 1500), 0);
    for (int i = 0; i < 10; i++) {
        ask(&bed, &other, ASK, 60000);
        wait_done(&other);
        ck_assert_int_eq(other.status, RPC_OK);
    }
    wait_done(&hung);
    ck_assert(hung.status == RPC_DEADLINE_EXCEEDED || hung.status == RPC_UNAVAILABLE);
    fake_grpc_stop(dead);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_path_longer_than_an_address_holds_is_reached)
{
    char folder[200], path[300];
    struct bed bed;
    struct outcome outcome;
    struct fake_grpc *far_away;
    struct rpc_channel *channel;

    bed_make(&bed);
    snprintf(folder, sizeof(folder), "%s/%0120d", bed.dir.path, 1);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/engine.sock", folder);
    far_away = fake_grpc_start(path);
    fake_grpc_on(far_away, &(struct fake_grpc_rule){.method = ASK});
    ck_assert_int_eq(rpc_channel_open(bed.rpc, path, &channel), 0);
    outcome = (struct outcome){.bed = &bed};
    ck_assert_int_eq(ask_in(channel, &outcome, ASK, 0), 0);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    rpc_channel_close(channel);
    fake_grpc_stop(far_away);
    ck_assert_int_eq(rmdir(folder), 0);
    bed_remove(&bed);
}
END_TEST

START_TEST(a_cut_connection_fails_what_is_under_way_and_the_next_call_connects_anew)
{
    struct bed bed;
    struct outcome outcome;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK, .action = FAKE_GRPC_HANG, .times = 1});
    ask(&bed, &outcome, ASK, 60000);
    ck_assert(fake_grpc_wait_requests(bed.fake, ASK, 1, 10000));
    fake_grpc_cut(bed.fake);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_UNAVAILABLE);
    rule(&bed, (struct fake_grpc_rule){.method = OTHER});
    rpc_channel_close(bed.channel);
    ck_assert_int_eq(rpc_channel_open(bed.rpc, bed.socket, &bed.channel), 0);
    ask(&bed, &outcome, OTHER, 60000);
    wait_done(&outcome);
    ck_assert_int_eq(outcome.status, RPC_OK);
    bed_remove(&bed);
}
END_TEST

static unsigned entries(const char *path)
{
    DIR *folder = opendir(path);
    unsigned count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static bool no_connections(void *userdata)
{
    return fake_grpc_connections(userdata) == 0;
}

START_TEST(opening_and_closing_again_and_again_leaves_no_thread_and_no_descriptor)
{
    unsigned threads = 0, descriptors = 0;
    struct bed bed;
    struct outcome outcome, stream;

    bed_make(&bed);
    rule(&bed, (struct fake_grpc_rule){.method = ASK});
    rule(&bed, (struct fake_grpc_rule){.method = WATCH, .action = FAKE_GRPC_STREAM});
    for (unsigned i = 0; i < 50; i++) {
        ask(&bed, &outcome, ASK, 60000);
        wait_done(&outcome);
        watch(&bed, &stream, on_message);
        ck_assert(fake_grpc_wait_streams(bed.fake, WATCH, 1, 10000));
        bed.channel = rpc_channel_close(bed.channel);
        if (i % 10 == 9) { // and the transport as a whole
            rpc_free(bed.rpc);
            ck_assert_int_eq(rpc_new(bed.event, &bed.rpc), 0);
        }
        ck_assert(fake_grpc_wait(bed.fake, no_connections, bed.fake, 10000));
        ck_assert(fake_grpc_wait_idle(bed.fake, 10000));
        ck_assert_int_eq(rpc_channel_open(bed.rpc, bed.socket, &bed.channel), 0);
        if (i == 19) {
            threads = entries("/proc/self/task");
            descriptors = entries("/proc/self/fd");
        }
    }
    // The core has pools that breathe; one left behind by each of the thirty rounds would be more.
    ck_assert_uint_le(entries("/proc/self/task"), threads + 4);
    ck_assert_uint_le(entries("/proc/self/fd"), descriptors + 8);
    bed_remove(&bed);
}
END_TEST

START_TEST(nothing_is_started_before_the_first_channel)
{
    sd_event *event;
    struct rpc *rpc;
    unsigned threads = entries("/proc/self/task");

    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(rpc_new(event, &rpc), 0);
    ck_assert_uint_eq(entries("/proc/self/task"), threads);
    ck_assert_ptr_null(rpc_free(rpc));
    ck_assert_ptr_null(rpc_free(NULL));
    ck_assert_ptr_null(rpc_channel_close(NULL));
    sd_event_unref(event);
}
END_TEST

CHECK_MAIN("grpc", 120, a_question_brings_its_namespace_and_message_and_is_answered,
           an_empty_answer_is_an_answer, success_without_a_message_is_an_error,
           statuses_come_as_the_server_gave_them_with_its_words,
           a_hung_call_ends_at_its_deadline_and_others_dont_wait_for_it,
           a_thousand_calls_at_once_are_answered_each_once,
           a_message_of_100_mib_arrives_and_one_over_the_limit_does_not,
           a_stream_brings_each_message_and_ends_in_good_order,
           a_stream_that_breaks_off_tells_why_after_its_messages,
           ten_thousand_messages_come_in_order_and_none_is_lost,
           an_endless_stream_is_bounded_and_does_not_starve_others,
           what_waits_for_a_loop_that_does_not_run_is_bounded,
           a_list_is_read_as_fast_as_it_is_worked_off_and_is_whole,
           a_list_that_waits_for_the_loop_may_be_cancelled,
           a_cancelled_call_makes_no_callback_and_the_server_learns_of_it,
           a_stream_cancelled_in_its_own_callback_is_silent_from_then_on,
           a_channel_may_be_closed_in_a_callback_of_its_own_calls,
           a_call_may_be_started_in_a_callback, rpc_free_ends_whatever_is_under_way,
           a_socket_that_is_missing_or_refuses_is_said_at_once,
           a_hung_server_delays_no_other_channel, a_path_longer_than_an_address_holds_is_reached,
           a_cut_connection_fails_what_is_under_way_and_the_next_call_connects_anew,
           opening_and_closing_again_and_again_leaves_no_thread_and_no_descriptor,
           nothing_is_started_before_the_first_channel)
