// SPDX-License-Identifier: Apache-2.0
// HTTP against a server that behaves, and against one that doesn't.
#include "containerd-meta/transport/http.h"
#include "containerd-meta/transport/http_url.h"
#include "fake/http_engine.h"
#include "unit/support/check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000u // for what has to happen; nothing waits so long unless it fails

static struct temp_dir dir;
static char socket_path[512];
static sd_event *event;
static struct http *http;
static struct fake_http *fake;

static void begin_at(const char *place)
{
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(http_new(event, &http), 0);
    fake = fake_http_start(place);
    fake_http_use_loop(fake, event);
}

static void begin(void)
{
    temp_dir_make(&dir);
    snprintf(socket_path, sizeof(socket_path), "%s/engine.sock", dir.path);
    begin_at(socket_path);
}

// The place of the engine is a URL.
static void begin_at_address(void)
{
    temp_dir_make(&dir);
    begin_at("127.0.0.1:0");
    snprintf(socket_path, sizeof(socket_path), "%s/v4/x", fake_http_url(fake));
}

static void end(void)
{
    http = http_free(http);
    fake = fake_http_stop(fake);
    event = sd_event_unref(event);
    temp_dir_remove(&dir);
}

// What came of one call.
struct outcome {
    struct http_call *call;
    bool done, cancel_at_first;
    unsigned opened, pieces;
    int error;
    long status;
    char text[600], api_version[32], libpod_version[32], server[64];
    char body[256], last[256];
    size_t body_len, longest, sum;
    uint64_t skipped;
};

static void on_done(void *userdata, const struct http_response *response)
{
    struct outcome *outcome = userdata;

    ck_assert(!outcome->done);
    outcome->done = true;
    outcome->call = NULL;
    outcome->error = response->error;
    outcome->status = response->status;
    outcome->body_len = response->body_len;
    outcome->skipped = response->skipped;
    ck_assert_uint_eq(strlen(response->body), response->body_len);
    snprintf(outcome->body, sizeof(outcome->body), "%s", response->body);
    snprintf(outcome->text, sizeof(outcome->text), "%s", response->text);
    snprintf(outcome->api_version, sizeof(outcome->api_version), "%s", response->api_version);
    snprintf(outcome->libpod_version, sizeof(outcome->libpod_version), "%s",
             response->libpod_version);
    snprintf(outcome->server, sizeof(outcome->server), "%s", response->server);
}

static void on_open(void *userdata)
{
    struct outcome *outcome = userdata;

    outcome->opened++;
}

static void on_piece(void *userdata, const char *json, size_t len)
{
    struct outcome *outcome = userdata;

    ck_assert_int_eq(json[len], 0);
    outcome->pieces++;
    outcome->sum += len;
    if (len > outcome->longest)
        outcome->longest = len;
    snprintf(outcome->last, sizeof(outcome->last), "%.*s", (int)len, json);
    if (outcome->cancel_at_first)
        outcome->call = http_cancel(outcome->call);
}

static void get_from(const char *path, const char *target, unsigned timeout_ms, size_t max_bytes,
                     struct outcome *outcome)
{
    struct http_request request = {
        .socket = path, .path = target, .timeout_ms = timeout_ms, .max_bytes = max_bytes};

    ck_assert_int_eq(http_get(http, &request, on_done, outcome, &outcome->call), 0);
}

static void get(const char *target, struct outcome *outcome)
{
    get_from(socket_path, target, PATIENCE_MS, 0, outcome);
}

static void list(const char *target, size_t max_bytes, struct outcome *outcome)
{
    struct http_request request = {
        .socket = socket_path, .path = target, .timeout_ms = PATIENCE_MS, .max_bytes = max_bytes};

    ck_assert_int_eq(http_list(http, &request, on_piece, on_done, outcome, &outcome->call), 0);
}

static void stream(const char *target, unsigned timeout_ms, size_t max_bytes,
                   struct outcome *outcome)
{
    struct http_request request = {
        .socket = socket_path, .path = target, .timeout_ms = timeout_ms, .max_bytes = max_bytes};

    ck_assert_int_eq(
        http_stream(http, &request, on_open, on_piece, on_done, outcome, &outcome->call), 0);
}

static bool is_done(void *userdata)
{
    return ((struct outcome *)userdata)->done;
}

static bool is_open(void *userdata)
{
    return ((struct outcome *)userdata)->opened > 0;
}

static bool has_piece(void *userdata)
{
    return ((struct outcome *)userdata)->pieces > 0;
}

static void await(bool (*condition)(void *), struct outcome *outcome)
{
    ck_assert_msg(fake_http_wait(fake, condition, outcome, PATIENCE_MS), "it doesn't come");
}

static void open_stream(const char *target, struct outcome *outcome)
{
    stream(target, PATIENCE_MS, 0, outcome);
    ck_assert(fake_http_wait_streams(fake, target, 1, PATIENCE_MS));
    await(is_open, outcome);
}

static void assert_fails(const struct outcome *outcome, int error, const char *words)
{
    ck_assert_int_eq(outcome->error, error);
    ck_assert_msg(strstr(outcome->text, words) != NULL, "text: %s", outcome->text);
    ck_assert_msg(strstr(outcome->text, ".sock") || strstr(outcome->text, "http://127.0.0.1:"),
                  "no socket in: %s", outcome->text);
}

// --- short questions -----------------------------------------------------------------------------

START_TEST(an_answer_has_status_headers_and_body)
{
    struct outcome outcome = {0};
    char *request;

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/_ping",
                                           .body = "OK",
                                           .headers = "Api-Version: 1.41\r\n"
                                                      "Libpod-API-Version:4.3.1\r\n"
                                                      "Server: Docker/20.10 (linux)\r\n"});
    get("/_ping?x=%7B%7D", &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 200);
    ck_assert_str_eq(outcome.body, "OK");
    ck_assert_str_eq(outcome.text, "");
    ck_assert_str_eq(outcome.api_version, "1.41");
    ck_assert_str_eq(outcome.libpod_version, "4.3.1");
    ck_assert_str_eq(outcome.server, "Docker/20.10 (linux)");
    request = fake_http_request(fake, NULL, 0);
    ck_assert_str_eq(request, "GET /_ping?x=%7B%7D");
    free(request);
    request = fake_http_request_head(fake, NULL);
    ck_assert_ptr_nonnull(strstr(request, "Host: localhost"));
    free(request);
    end();
}
END_TEST

START_TEST(head_brings_headers_and_no_body)
{
    struct outcome outcome = {0};
    struct http_request request = {
        .socket = socket_path, .path = "/_ping", .head = true, .timeout_ms = PATIENCE_MS};

    begin();
    fake_http_on(fake, &(struct fake_rule){.method = "HEAD",
                                           .body = "announced, not sent",
                                           .headers = "Api-Version: 1.44\r\n"});
    ck_assert_int_eq(http_get(http, &request, on_done, &outcome, &outcome.call), 0);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_str_eq(outcome.api_version, "1.44");
    ck_assert_uint_eq(outcome.body_len, 0);
    end();
}
END_TEST

START_TEST(any_status_is_an_answer)
{
    static const int statuses[] = {400, 404, 409, 500, 503};

    begin();
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct outcome outcome = {0};

        fake_http_answer(fake, "/containers/abc", statuses[i], "{\"message\":\"no\"}");
        get("/containers/abc/json", &outcome);
        await(is_done, &outcome);
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_int_eq(outcome.status, statuses[i]);
        ck_assert_str_eq(outcome.body, "{\"message\":\"no\"}");
    }
    end();
}
END_TEST

START_TEST(a_body_cut_into_chunks_of_one_byte_is_whole_again)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.body = "{\"Id\":\"0123456789\"}", .chunk_bytes = 1});
    get("/x", &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_str_eq(outcome.body, "{\"Id\":\"0123456789\"}");
    end();
}
END_TEST

START_TEST(a_socket_path_longer_than_the_kernel_takes)
{
    struct outcome outcome = {0};
    struct fake_http *far;
    char path[400];

    begin();
    snprintf(path, sizeof(path), "%s/%0150d", dir.path, 1);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    strcat(path, "/far.sock");
    far = fake_http_start(path);
    fake_http_answer(far, "/", 200, "far");
    get_from(path, "/", PATIENCE_MS, 0, &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_str_eq(outcome.body, "far");
    fake_http_stop(far);
    // Its folder gone: told like any other absence.
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rmdir(path), 0);
    strcat(path, "/far.sock");
    outcome = (struct outcome){0};
    get_from(path, "/", PATIENCE_MS, 0, &outcome);
    ck_assert(!outcome.done);
    await(is_done, &outcome);
    assert_fails(&outcome, -ENOENT, "is the engine running");
    end();
}
END_TEST

// --- a server that doesn't behave ----------------------------------------------------------------

START_TEST(hung_server_does_not_delay_another_call)
{
    struct outcome hung = {0}, quick = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/hung", .action = FAKE_HANG});
    fake_http_answer(fake, "/quick", 200, "quick");
    get("/hung", &hung);
    ck_assert(fake_http_wait_request(fake, "/hung", 1, PATIENCE_MS));
    get("/quick", &quick);
    await(is_done, &quick);
    ck_assert_str_eq(quick.body, "quick");
    ck_assert(!hung.done);
    end();
}
END_TEST

START_TEST(hung_server_ends_by_its_timeout)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_HANG});
    get_from(socket_path, "/", 50, 0, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -ETIMEDOUT, "within 50 ms");
    end();
}
END_TEST

START_TEST(hung_stream_ends_when_no_headers_come)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_HANG});
    stream("/events", 50, 0, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -ETIMEDOUT, "within 50 ms");
    ck_assert_uint_eq(outcome.opened, 0);
    ck_assert(fake_http_wait_connections(fake, 0, PATIENCE_MS));
    end();
}
END_TEST

START_TEST(half_a_chunk_is_an_error_not_a_hang)
{
    struct outcome outcome = {0}, listed = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_HALF_CHUNK, .body = "[{\"Id\":1},{\"I"});
    get("/x", &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -ECONNRESET, "broke in the middle");
    list("/x", 0, &listed);
    await(is_done, &listed);
    assert_fails(&listed, -ECONNRESET, "broke in the middle");
    ck_assert_uint_eq(listed.pieces, 1);
    ck_assert_uint_eq(listed.body_len, 0);
    end();
}
END_TEST

START_TEST(half_an_answer_and_then_silence_ends_by_its_timeout)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_HALF_HANG, .body = "{\"Id\""});
    get_from(socket_path, "/", 50, 0, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -ETIMEDOUT, "no whole answer");
    end();
}
END_TEST

START_TEST(a_close_without_a_word_says_so)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_CLOSE});
    get("/", &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -ECONNRESET, "without an answer");
    end();
}
END_TEST

START_TEST(rubbish_is_not_http)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_RUBBISH,
                                           .body = "\x16\x03\x01 220 mail ready\r\n\r\n"});
    get("/", &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EPROTO, "doesn't speak HTTP");
    end();
}
END_TEST

START_TEST(refused_and_absent_sockets_say_what_to_do)
{
    struct outcome refused = {0}, absent = {0}, file = {0};
    int fd;

    begin();
    fake_http_refuse(fake);
    get("/", &refused);
    await(is_done, &refused);
    assert_fails(&refused, -ECONNREFUSED, "is the engine running?");
    fake_http_down(fake);
    get("/", &absent);
    await(is_done, &absent);
    assert_fails(&absent, -ENOENT, "is the engine running");
    fd = open(socket_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    get("/", &file);
    await(is_done, &file);
    assert_fails(&file, -ECONNREFUSED, "is the engine running?");
    end();
}
END_TEST

START_TEST(a_full_queue_of_connections_is_an_error_not_a_hang)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct outcome outcome = {0};
    int fds[64], count = 0;

    begin();
    fake_http_accept(fake, false);
    strcpy(address.sun_path, socket_path);
    // The acceptor may have taken one more before it heard; the queue fills all the same.
    do {
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fds[count], 0);
    } while (connect(fds[count++], (struct sockaddr *)&address, sizeof(address)) == 0 &&
             count < 64);
    ck_assert_int_lt(count, 64);
    get("/", &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EAGAIN, "hangs");
    while (count)
        close(fds[--count]);
    end();
}
END_TEST

START_TEST(oversized_body_is_refused_with_bounded_memory)
{
    struct outcome outcome = {0};
    char *filler = malloc(1 << 20);
    size_t before;

    begin();
    memset(filler, 'x', 1 << 20);
    // A label of 200 MiB and more: it never ends.
    fake_http_on(fake,
                 &(struct fake_rule){.action = FAKE_ENDLESS, .body = filler, .body_len = 1 << 20});
    before = mallinfo2().arena + mallinfo2().hblkhd;
    get_from(socket_path, "/", PATIENCE_MS, 1 << 20, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EMSGSIZE, "larger than the limit");
    ck_assert_uint_eq(outcome.body_len <= 1 << 20, 1);
    ck_assert_uint_lt(mallinfo2().arena + mallinfo2().hblkhd, before + (8 << 20));
    // No more was taken than the limit and what lay in the socket's buffers.
    ck_assert_uint_lt(fake_http_sent_bytes(fake), 4 << 20);
    free(filler);
    end();
}
END_TEST

START_TEST(an_announced_oversized_body_is_not_even_begun)
{
    struct outcome outcome = {0};
    char *filler = calloc(1, 8 << 20);

    begin();
    memset(filler, 'x', 8 << 20);
    fake_http_on(fake, &(struct fake_rule){.body = filler, .body_len = 8 << 20});
    get_from(socket_path, "/", PATIENCE_MS, 4 << 20, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EMSGSIZE, "larger than the limit");
    ck_assert_uint_eq(outcome.body_len, 0);
    free(filler);
    end();
}
END_TEST

START_TEST(endless_headers_are_refused)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_HEADERS});
    stream("/events", PATIENCE_MS, 0, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EMSGSIZE, "larger than the limit");
    end();
}
END_TEST

START_TEST(a_replaced_socket_is_asked_not_its_predecessor)
{
    struct outcome first = {0}, second = {0};

    begin();
    fake_http_answer(fake, "/", 200, "x");
    get("/first", &first);
    await(is_done, &first);
    fake_http_replace(fake);
    get("/second", &second);
    await(is_done, &second);
    ck_assert_int_eq(second.error, 0);
    ck_assert_uint_eq(fake_http_accepted(fake), 2);
    end();
}
END_TEST

// --- cancelling ----------------------------------------------------------------------------------

START_TEST(a_cancelled_call_is_never_heard_of_again)
{
    struct outcome hung = {0}, fresh = {0}, probe = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/hung", .action = FAKE_HANG});
    fake_http_answer(fake, "/probe", 200, "");
    get("/hung", &hung);
    ck_assert(fake_http_wait_request(fake, "/hung", 1, PATIENCE_MS));
    ck_assert_ptr_null(http_cancel(hung.call));
    get("/probe/never", &fresh); // cancelled before it began
    ck_assert_ptr_null(http_cancel(fresh.call));
    ck_assert_ptr_null(http_cancel(NULL));
    ck_assert(fake_http_wait_connections(fake, 0, PATIENCE_MS));
    get("/probe", &probe);
    await(is_done, &probe);
    ck_assert(!hung.done && !fresh.done);
    ck_assert_uint_eq(fake_http_requests(fake, "/probe/never"), 0);
    end();
}
END_TEST

START_TEST(cancel_inside_callback)
{
    struct outcome listed = {.cancel_at_first = true}, streamed = {.cancel_at_first = true};

    begin();
    fake_http_answer(fake, "/list", 200, "[1,2,3,4]");
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events",
                                           .action = FAKE_STREAM,
                                           .body = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"});
    list("/list", 0, &listed);
    stream("/events", PATIENCE_MS, 0, &streamed);
    await(has_piece, &listed);
    await(has_piece, &streamed);
    ck_assert(fake_http_wait_connections(fake, 0, PATIENCE_MS));
    ck_assert_uint_eq(listed.pieces, 1);
    ck_assert_uint_eq(streamed.pieces, 1);
    ck_assert(!listed.done && !streamed.done);
    end();
}
END_TEST

static void ask_again(void *userdata, const struct http_response *response)
{
    struct outcome *outcome = userdata;

    ck_assert_int_eq(response->error, 0);
    if (++outcome->pieces < 5)
        ck_assert_int_eq(http_get(http,
                                  &(struct http_request){.socket = socket_path,
                                                         .path = "/again",
                                                         .timeout_ms = PATIENCE_MS},
                                  ask_again, outcome, &outcome->call),
                         0);
    else
        outcome->done = true;
}

START_TEST(calls_may_be_made_from_callbacks)
{
    struct outcome outcome = {0};
    struct http_request request = {
        .socket = socket_path, .path = "/again", .timeout_ms = PATIENCE_MS};

    begin();
    fake_http_answer(fake, "/again", 200, "{}");
    ck_assert_int_eq(http_get(http, &request, ask_again, &outcome, &outcome.call), 0);
    await(is_done, &outcome);
    ck_assert_uint_eq(fake_http_requests(fake, "/again"), 5);
    end();
}
END_TEST

static void cancel_other(void *userdata, const struct http_response *response)
{
    struct outcome *other = userdata;

    (void)response;
    other->call = http_cancel(other->call);
    other->opened = 1;
}

START_TEST(one_calls_end_may_cancel_another)
{
    struct outcome other = {0};
    struct http_call *call;
    struct http_request request = {
        .socket = socket_path, .path = "/quick", .timeout_ms = PATIENCE_MS};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    fake_http_answer(fake, "/quick", 200, "");
    open_stream("/events", &other);
    other.opened = 0;
    ck_assert_int_eq(http_get(http, &request, cancel_other, &other, &call), 0);
    await(is_open, &other);
    ck_assert(fake_http_wait_connections(fake, 0, PATIENCE_MS));
    ck_assert(!other.done);
    end();
}
END_TEST

START_TEST(freeing_ends_what_is_under_way)
{
    struct outcome hung = {0}, streamed = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/hung", .action = FAKE_HANG});
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    get("/hung", &hung);
    open_stream("/events", &streamed);
    http = http_free(http);
    ck_assert(fake_http_wait_connections(fake, 0, PATIENCE_MS));
    ck_assert(!hung.done && !streamed.done);
    end();
}
END_TEST

// --- streams -------------------------------------------------------------------------------------

static bool has_three(void *userdata)
{
    return ((struct outcome *)userdata)->pieces >= 3;
}

START_TEST(stream_record_split_over_chunks)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    open_stream("/events", &outcome);
    fake_http_stream_push(fake, "/events", "\x1e{\"status\":");
    fake_http_stream_push(fake, "/events", "\"create\"}");
    fake_http_stream_push(fake, "/events", "\r\n\n\n{\"n\":2}\n{\"n\"");
    fake_http_stream_push(fake, "/events", ":3}\n");
    await(has_three, &outcome);
    ck_assert_str_eq(outcome.last, "{\"n\":3}");
    ck_assert_uint_eq(outcome.longest, strlen("{\"status\":\"create\"}\r"));
    // The last one of an orderly end lacks its newline.
    fake_http_stream_push(fake, "/events", "{\"n\":4}");
    fake_http_stream_end(fake, "/events", true);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 200);
    ck_assert_uint_eq(outcome.pieces, 4);
    ck_assert_uint_eq(outcome.body_len, 0);
    end();
}
END_TEST

START_TEST(stream_cut_in_a_record_delivers_no_piece_of_it)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    open_stream("/events", &outcome);
    fake_http_stream_push(fake, "/events", "{\"n\":1}\n");
    await(has_piece, &outcome);
    fake_http_stream_end(fake, "/events", false);
    await(is_done, &outcome);
    assert_fails(&outcome, -ECONNRESET, "broke in the middle");
    ck_assert_uint_eq(outcome.pieces, 1);
    end();
}
END_TEST

START_TEST(an_oversized_record_costs_only_itself)
{
    struct outcome outcome = {0};
    size_t big = 3000000;
    char *text = malloc(big + 64);

    begin();
    strcpy(text, "{\"n\":1}\n");
    memset(text + 8, 'x', big);
    strcpy(text + 8 + big, "\n{\"n\":2}\n{\"n\":3}\n");
    fake_http_on(fake, &(struct fake_rule){.action = FAKE_STREAM, .body = text});
    stream("/events", PATIENCE_MS, 0, &outcome);
    await(has_three, &outcome);
    ck_assert_str_eq(outcome.last, "{\"n\":3}");
    ck_assert(fake_http_wait_streams(fake, "/events", 1, PATIENCE_MS));
    fake_http_stream_end(fake, "/events", true);
    await(is_done, &outcome);
    ck_assert_uint_eq(outcome.skipped, 1);
    ck_assert_int_eq(outcome.error, 0);
    free(text);
    end();
}
END_TEST

START_TEST(a_silent_stream_outlives_its_patience)
{
    struct outcome outcome = {0}, later = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    fake_http_on(fake, &(struct fake_rule){.prefix = "/later", .action = FAKE_HANG});
    stream("/events", 2000, 0, &outcome);
    await(is_open, &outcome);
    ck_assert(fake_http_wait_streams(fake, "/events", 1, PATIENCE_MS));
    // Begun after the stream and ended by a longer limit: the stream's is over by then.
    get_from(socket_path, "/later", 2500, 0, &later);
    await(is_done, &later);
    ck_assert_int_eq(later.error, -ETIMEDOUT);
    ck_assert(!outcome.done);
    fake_http_stream_push(fake, "/events", "{}\n");
    await(has_piece, &outcome);
    end();
}
END_TEST

START_TEST(a_stream_with_an_error_status_has_no_records)
{
    struct outcome outcome = {0};

    begin();
    fake_http_answer(fake, "/events", 503, "{\"message\":\"starting\"}\n");
    stream("/events", PATIENCE_MS, 0, &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 503);
    ck_assert_str_eq(outcome.body, "{\"message\":\"starting\"}\n");
    ck_assert_uint_eq(outcome.opened + outcome.pieces, 0);
    end();
}
END_TEST

START_TEST(an_engine_that_stops_ends_its_streams)
{
    struct outcome outcome = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events", .action = FAKE_STREAM});
    open_stream("/events", &outcome);
    fake_http_down(fake);
    await(is_done, &outcome);
    assert_fails(&outcome, -ECONNRESET, "did the engine stop?");
    end();
}
END_TEST

START_TEST(a_flooding_stream_starves_nobody)
{
    struct outcome flood = {0}, quick = {0};

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/events",
                                           .action = FAKE_ENDLESS,
                                           .body = "{\"n\":1}\n{\"n\":2}\n"});
    fake_http_answer(fake, "/quick", 200, "quick");
    stream("/events", PATIENCE_MS, 0, &flood);
    await(has_piece, &flood);
    get("/quick", &quick);
    await(is_done, &quick);
    ck_assert_str_eq(quick.body, "quick");
    ck_assert(!flood.done);
    end();
}
END_TEST

// --- lists ---------------------------------------------------------------------------------------

static char *long_list(unsigned count, size_t *len)
{
    char *text = malloc((size_t)count * 320 + 16), *at = text;

    *at++ = '[';
    for (unsigned i = 0; i < count; i++)
        at +=
            sprintf(at, "%s{\"Id\":\"%064u\",\"Names\":[\"/c[%u]\"],\"Labels\":{\"a\":\"%0200u\"}}",
                    i ? ",\n" : "", i, i, i);
    *at++ = ']';
    *at = '\0';
    *len = (size_t)(at - text);
    return text;
}

static void check_id(void *userdata, const char *json, size_t len)
{
    struct outcome *outcome = userdata;
    json_t *element = json_loadb(json, len, 0, NULL);
    const char *id = json_string_value(json_object_get(element, "Id"));
    size_t held = mallinfo2().uordblks + mallinfo2().hblkhd;

    ck_assert_ptr_nonnull(id);
    ck_assert_uint_eq(strtoul(id, NULL, 10), outcome->pieces);
    json_decref(element);
    if (outcome->pieces++ == 0)
        outcome->longest = held; // what there was at the first element, the fake's share included
    if (held > outcome->sum)
        outcome->sum = held;
}

START_TEST(fifty_thousand_elements_in_flat_memory)
{
    struct outcome outcome = {0};
    struct http_request request = {
        .socket = socket_path, .path = "/containers/json", .timeout_ms = 60000};
    size_t len;
    char *text = long_list(50000, &len);

    begin();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/containers/json",
                                           .body = text,
                                           .body_len = len,
                                           .chunk_bytes = 4099});
    free(text);
    ck_assert_int_eq(http_list(http, &request, check_id, on_done, &outcome, &outcome.call), 0);
    ck_assert(fake_http_wait(fake, is_done, &outcome, 60000));
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_uint_eq(outcome.pieces, 50000);
    ck_assert_uint_gt(len, 10 << 20);
    // the fake lives in the same heap, so some leeway; held whole it would be more than all of it
    ck_assert_uint_lt(outcome.sum, outcome.longest + len / 4);
    end();
}
END_TEST

START_TEST(an_oversized_element_costs_only_itself)
{
    struct outcome outcome = {0};
    size_t big = 100000;
    char *text = malloc(big + 64);

    begin();
    strcpy(text, "[{\"n\":1},\"");
    memset(text + 10, 'x', big);
    strcpy(text + 10 + big, "\",{\"n\":3}]");
    fake_http_on(fake, &(struct fake_rule){.body = text});
    list("/", 65536, &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_uint_eq(outcome.pieces, 2);
    ck_assert_uint_eq(outcome.skipped, 1);
    ck_assert_str_eq(outcome.last, "{\"n\":3}");
    free(text);
    end();
}
END_TEST

START_TEST(an_endless_list_is_given_up_at_64_mib)
{
    struct outcome outcome = {0};
    char *text = malloc(1 << 20);

    begin();
    memset(text, ' ', 1 << 20);
    text[0] = '[';
    fake_http_on(fake,
                 &(struct fake_rule){.action = FAKE_ENDLESS, .body = text, .body_len = 1 << 20});
    free(text);
    list("/", 0, &outcome);
    await(is_done, &outcome);
    assert_fails(&outcome, -EMSGSIZE, "larger than the limit");
    ck_assert_uint_eq(outcome.pieces, 0);
    end();
}
END_TEST

START_TEST(what_is_no_list_is_an_error)
{
    static const char *const texts[] = {"{\"message\":\"hello\"}", "[1,2", "[1,2]]", "", "nul[1]"};

    begin();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct outcome outcome = {0};

        fake_http_answer(fake, "/", 200, texts[i]);
        list("/", 0, &outcome);
        await(is_done, &outcome);
        assert_fails(&outcome, -EBADMSG, "no whole JSON array");
    }
    end();
}
END_TEST

static void list_member(const char *text, struct outcome *outcome)
{
    struct http_request request = {
        .socket = socket_path, .path = "/", .timeout_ms = PATIENCE_MS, .member = "metadata"};

    fake_http_on(fake, &(struct fake_rule){.prefix = "/", .body = text, .chunk_bytes = 3});
    ck_assert_int_eq(http_list(http, &request, on_piece, on_done, outcome, &outcome->call), 0);
    await(is_done, outcome);
}

START_TEST(a_list_may_be_a_member_of_an_object)
{
    static const struct {
        const char *text;
        unsigned pieces;
    } good[] = {
        {"{\"type\":\"sync\",\"metadata\":[{\"metadata\":[1]},\"]\",3]}", 3},
        {" { \"a\" : {\"metadata\":[9]} , \"metadata\" : [ 1 , 2 ] , \"b\":[5]}\n", 2},
        {"{\"e\":\"\\\"metadata\\\":[\",\"x\":[[\"metadata\"]],\"metadata\":[]}", 0},
        {"{\"v\":\"metadata\",\"metadata\":null,\"code\":0}", 0},
        {"{\"metadatametadatametadatametadatametadata\":[7],\"metadata\":[1]}", 1},
    };
    static const char *const bad[] = {"[1,2]",
                                      "{\"error\":\"no\"}",
                                      "{\"metadata\":{}}",
                                      "{\"metadata\":[1,2",
                                      "{\"x\":{\"metadata\":[1]}}",
                                      "\"metadata\":[1]",
                                      "{\"metadata\":nu",
                                      "}",
                                      ""};

    begin();
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct outcome outcome = {0};

        list_member(good[i].text, &outcome);
        ck_assert_msg(outcome.error == 0, "%s", good[i].text);
        ck_assert_uint_eq(outcome.pieces, good[i].pieces);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct outcome outcome = {0};

        list_member(bad[i], &outcome);
        assert_fails(&outcome, -EBADMSG, "no whole JSON array");
    }
    end();
}
END_TEST

START_TEST(a_list_refused_by_status_brings_its_message)
{
    struct outcome outcome = {0};

    begin();
    fake_http_answer(fake, "/", 500, "{\"message\":\"[boom]\"}");
    list("/", 0, &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 500);
    ck_assert_str_eq(outcome.body, "{\"message\":\"[boom]\"}");
    ck_assert_uint_eq(outcome.pieces, 0);
    end();
}
END_TEST

static unsigned finished;

static void count_done(void *userdata, const struct http_response *response)
{
    struct outcome *outcome = userdata;

    outcome->pieces += response->error == 0 && strcmp(response->body, "{}") == 0;
    outcome->done = ++finished == 500;
}

START_TEST(hundreds_of_calls_at_once)
{
    struct outcome outcome = {0};
    struct http_call *call;

    begin();
    fake_http_answer(fake, "/", 200, "{}");
    finished = 0;
    // More than the fake's queue holds: some may be told -EAGAIN, but each is told something.
    for (unsigned i = 0; i < 500; i++)
        ck_assert_int_eq(http_get(http,
                                  &(struct http_request){.socket = socket_path,
                                                         .path = "/many",
                                                         .timeout_ms = PATIENCE_MS},
                                  count_done, &outcome, &call),
                         0);
    await(is_done, &outcome);
    ck_assert_uint_gt(outcome.pieces, 0);
    end();
}
END_TEST

// --- engines at an address -----------------------------------------------------------------------

START_TEST(a_url_is_http_with_a_numeric_address)
{
    static const struct {
        const char *url;
        int reach;
    } urls[] = {
        {"http://169.254.170.2/v4/3c6f", HTTP_URL_NEAR},
        {"http://127.0.0.1:51679", HTTP_URL_NEAR},
        {"http://127.255.1.2/a/b", HTTP_URL_NEAR},
        {"http://[::1]:80/v4", HTTP_URL_NEAR},
        {"http://[fe80::a9fe:a9fe]/v4", HTTP_URL_NEAR},
        {"http://[fd00:ec2::23]/v4", HTTP_URL_NEAR},
        {"HTTP://169.254.170.2", HTTP_URL_NEAR},
        {"http://10.1.2.3:8080/v4", HTTP_URL_FAR},
        {"http://169.255.170.2/v4", HTTP_URL_FAR},
        {"http://2130706434/v4", HTTP_URL_NEAR}, // as libcurl would have it: 127.0.0.2
        {"http://[2001:db8::1]/v4", HTTP_URL_FAR},
        {"http://[::ffff:10.0.0.1]/v4", HTTP_URL_FAR},
        {"", -EINVAL},
        {"http://", -EINVAL},
        {"http:///v4", -EINVAL},
        {"169.254.170.2/v4", -EINVAL},
        {"https://169.254.170.2/v4", -EINVAL},
        {"file:///etc/shadow", -EINVAL},
        {"unix:///run/docker.sock", -EINVAL},
        {"ftp://127.0.0.1/", -EINVAL},
        {"http://metadata.internal/v4", -EINVAL},
        {"http://localhost/v4", -EINVAL},
        {"http://127.0.0.1.evil.test/", -EINVAL},
        {"http://me:secret@127.0.0.1/v4", -EINVAL},
        {"http://me@127.0.0.1/v4", -EINVAL},
        {"http://127.0.0.1/v4?x=1", -EINVAL},
        {"http://127.0.0.1/v4#x", -EINVAL},
        {"http://127.0.0.1:99999/v4", -EINVAL},
        {"http://127.0.0.1/a b", -EINVAL},
        {"http://127.0.0.1/a\r\nHost: b", -EINVAL},
        {"http://[::1", -EINVAL},
    };

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        ck_assert_msg(http_url_check(urls[i].url) == urls[i].reach, "%s: %d", urls[i].url,
                      http_url_check(urls[i].url));
}
END_TEST

START_TEST(an_address_is_asked_as_a_socket_is)
{
    struct outcome outcome = {0};

    setenv("http_proxy", "http://127.0.0.1:9/", 1); // nobody's business but the engine's
    begin_at_address();
    fake_http_answer(fake, "/v4/x/task", 200, "{\"Family\":\"cart\"}");
    get("/task", &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 200);
    ck_assert_str_eq(outcome.body, "{\"Family\":\"cart\"}");
    unsetenv("http_proxy");
    end();
}
END_TEST

START_TEST(a_name_is_never_resolved)
{
    struct outcome outcome = {0};
    struct http_request request = {.socket = "http://name.test", .path = "/task"};

    begin_at_address();
    ck_assert_int_eq(http_get(http, &request, on_done, &outcome, &outcome.call), -EINVAL);
    end();
}
END_TEST

START_TEST(a_redirect_is_an_answer_and_not_followed)
{
    struct outcome outcome = {0};
    char header[256];

    begin_at_address();
    snprintf(header, sizeof(header), "Location: %s/elsewhere\r\n", fake_http_url(fake));
    fake_http_on(fake,
                 &(struct fake_rule){.prefix = "/v4/x/task", .status = 307, .headers = header});
    fake_http_answer(fake, "/elsewhere", 200, "{}");
    get("/task", &outcome);
    await(is_done, &outcome);
    ck_assert_int_eq(outcome.error, 0);
    ck_assert_int_eq(outcome.status, 307);
    ck_assert_uint_eq(fake_http_requests(fake, "/elsewhere"), 0);
    end();
}
END_TEST

START_TEST(an_address_that_refuses_or_hangs_says_so)
{
    struct outcome refused = {0}, hung = {0}, again = {0};

    begin_at_address();
    fake_http_on(fake, &(struct fake_rule){.prefix = "/v4/x/hung", .action = FAKE_HANG});
    fake_http_answer(fake, "/v4/x/again", 200, "{}");
    get_from(socket_path, "/hung", 100, 0, &hung);
    await(is_done, &hung);
    assert_fails(&hung, -ETIMEDOUT, "no whole answer within 100 ms");
    fake_http_down(fake);
    get("/refused", &refused);
    await(is_done, &refused);
    assert_fails(&refused, -ECONNREFUSED, "nobody listens");
    fake_http_replace(fake);
    get("/again", &again);
    await(is_done, &again);
    ck_assert_int_eq(again.error, 0);
    end();
}
END_TEST

CHECK_MAIN("http", 60, a_url_is_http_with_a_numeric_address, an_address_is_asked_as_a_socket_is,
           a_name_is_never_resolved, a_redirect_is_an_answer_and_not_followed,
           an_address_that_refuses_or_hangs_says_so, an_answer_has_status_headers_and_body,
           head_brings_headers_and_no_body, any_status_is_an_answer,
           a_body_cut_into_chunks_of_one_byte_is_whole_again,
           a_socket_path_longer_than_the_kernel_takes, hung_server_does_not_delay_another_call,
           hung_server_ends_by_its_timeout, hung_stream_ends_when_no_headers_come,
           half_a_chunk_is_an_error_not_a_hang, half_an_answer_and_then_silence_ends_by_its_timeout,
           a_close_without_a_word_says_so, rubbish_is_not_http,
           refused_and_absent_sockets_say_what_to_do,
           a_full_queue_of_connections_is_an_error_not_a_hang,
           oversized_body_is_refused_with_bounded_memory,
           an_announced_oversized_body_is_not_even_begun, endless_headers_are_refused,
           a_replaced_socket_is_asked_not_its_predecessor, a_cancelled_call_is_never_heard_of_again,
           cancel_inside_callback, calls_may_be_made_from_callbacks,
           one_calls_end_may_cancel_another, freeing_ends_what_is_under_way,
           stream_record_split_over_chunks, stream_cut_in_a_record_delivers_no_piece_of_it,
           an_oversized_record_costs_only_itself, a_silent_stream_outlives_its_patience,
           a_stream_with_an_error_status_has_no_records, an_engine_that_stops_ends_its_streams,
           a_flooding_stream_starves_nobody, fifty_thousand_elements_in_flat_memory,
           an_oversized_element_costs_only_itself, an_endless_list_is_given_up_at_64_mib,
           what_is_no_list_is_an_error, a_list_may_be_a_member_of_an_object,
           a_list_refused_by_status_brings_its_message, hundreds_of_calls_at_once)
