// SPDX-License-Identifier: Apache-2.0
// Two threads meet in two queues: what the runtime asked goes to the loop as decoded messages, the
// numbers of what the loop has done go back. Each side is woken by an eventfd.
#include "nri.h"

#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/transport/socket_path.h"
#include "containerd-meta/transport/ttrpc.h"
#include "nri_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_BYTES   65536u
#define READS_MAX    64u // in one turn: answers go out in between
#define OUT_BYTES    65536u
#define WAITING_MAX  1024u
#define NO_DEADLINE  UINT64_MAX
#define REGISTRATION 1u // the stream of our only call
#define ITEMS_A_TURN 64u

// An event that hasn't been answered.
struct waiting {
    uint32_t stream;
    uint64_t deadline_us;
};

struct nri {
    const struct nri_calls *calls;
    void *userdata;
    sd_event_source *wake;
    int loop_fd;   // eventfd: something for the loop
    int thread_fd; // eventfd: something for the thread
    pthread_t thread;
    bool has_thread;

    // The thread's own.
    int fd;
    struct ttrpc_reader *reader;
    uint32_t last_stream;
    uint64_t list_bytes;
    struct waiting waiting[WAITING_MAX]; // in order of arrival, so in order of deadline
    unsigned waiting_count;
    uint8_t in[READ_BYTES], out[OUT_BYTES];
    size_t out_bytes;

    // Under the lock.
    pthread_mutex_t lock;
    struct nri_requests requests; // for the loop
    uint32_t done[WAITING_MAX];   // streams, for the thread
    unsigned done_count;
    unsigned late, odd;
    bool closing; // by the loop
    bool ended;   // by the thread
    char text[160];
};

// --- the thread: answers -------------------------------------------------------------------------

static int put(struct nri *nri, enum ttrpc_channel channel, uint32_t stream, enum ttrpc_type type,
               const ProtobufCMessage *message)
{
    uint8_t data[TTRPC_REPLY_BYTES_MAX];
    size_t bytes = protobuf_c_message_get_packed_size(message);

    if (bytes > sizeof(data))
        return -EMSGSIZE;
    protobuf_c_message_pack(message, data);
    bytes = ttrpc_encode(nri->out + nri->out_bytes, sizeof(nri->out) - nri->out_bytes, channel,
                         stream, type, data, bytes);
    nri->out_bytes += bytes;
    return bytes ? 0 : -ENOBUFS; // a runtime that doesn't read
}

static int answer_error(struct nri *nri, uint32_t stream, enum ttrpc_code code, const char *text)
{
    Ttrpc__Status status = TTRPC__STATUS__INIT;
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;

    status.code = code;
    status.message = (char *)(uintptr_t)text;
    response.status = &status;
    return put(nri, TTRPC_PLUGIN, stream, TTRPC_RESPONSE, &response.base);
}

// @reply NULL: an empty one.
static int answer(struct nri *nri, uint32_t stream, const ProtobufCMessage *reply)
{
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;
    uint8_t data[64];

    if (reply && protobuf_c_message_get_packed_size(reply) <= sizeof(data)) {
        response.payload.len = protobuf_c_message_pack(reply, data);
        response.payload.data = data;
    }
    return put(nri, TTRPC_PLUGIN, stream, TTRPC_RESPONSE, &response.base);
}

// Takes it out of those that wait. Return: whether it was one.
static bool stop_waiting(struct nri *nri, uint32_t stream)
{
    for (unsigned i = 0; i < nri->waiting_count; i++) {
        if (nri->waiting[i].stream != stream)
            continue;
        nri->waiting_count--;
        memmove(&nri->waiting[i], &nri->waiting[i + 1],
                (nri->waiting_count - i) * sizeof(nri->waiting[0]));
        return true;
    }
    return false;
}

static int answer_done(struct nri *nri)
{
    uint32_t done[WAITING_MAX];
    unsigned count;
    int r = 0;

    pthread_mutex_lock(&nri->lock);
    count = nri->done_count;
    memcpy(done, nri->done, count * sizeof(*done));
    nri->done_count = 0;
    pthread_mutex_unlock(&nri->lock);
    for (unsigned i = 0; i < count && r == 0; i++)
        if (stop_waiting(nri, done[i]))
            r = answer(nri, done[i], NULL);
    return r;
}

// The limit: the runtime isn't held up any longer.
static int answer_late(struct nri *nri, uint64_t now_us)
{
    unsigned late = 0;
    int r = 0;

    while (nri->waiting_count > 0 && nri->waiting[0].deadline_us <= now_us && r == 0) {
        const uint32_t stream = nri->waiting[0].stream;

        stop_waiting(nri, stream);
        r = answer(nri, stream, NULL);
        late++;
    }
    if (late > 0) {
        pthread_mutex_lock(&nri->lock);
        nri->late += late;
        pthread_mutex_unlock(&nri->lock);
    }
    return r;
}

// --- the thread: requests ------------------------------------------------------------------------

static void set_text(struct nri *nri, const char *text)
{
    pthread_mutex_lock(&nri->lock);
    if (!*nri->text)
        snprintf(nri->text, sizeof(nri->text), "%s", text);
    pthread_mutex_unlock(&nri->lock);
}

static void count_odd(struct nri *nri)
{
    pthread_mutex_lock(&nri->lock);
    nri->odd++;
    pthread_mutex_unlock(&nri->lock);
}

// Takes the request over. Return: 0; -ENOBUFS if the loop is too far behind.
static int give(struct nri *nri, struct nri_request *request)
{
    int r;

    pthread_mutex_lock(&nri->lock);
    r = nri_requests_add(&nri->requests, request);
    pthread_mutex_unlock(&nri->lock);
    if (r < 0) {
        nri_request_free(request);
        set_text(nri, "more was told than could be worked off");
        return r;
    }
    eventfd_write(nri->loop_fd, 1);
    return 0;
}

// Events of what we didn't ask for, and what made no sense: it is the runtime that must go on.
static int take_event(struct nri *nri, uint32_t stream, struct nri_request *request)
{
    const bool is_ours = request && nri_request_is_ours(request);

    if (!request)
        count_odd(nri);
    if (!is_ours || nri->waiting_count == WAITING_MAX) {
        nri_request_free(request);
        return answer(nri, stream, NULL);
    }
    request->stream = stream;
    nri->waiting[nri->waiting_count++] =
        (struct waiting){stream, clock_us(CLOCK_MONOTONIC) + NRI_LIMIT_MS * 1000u};
    return give(nri, request);
}

static int take_configuration(struct nri *nri, uint32_t stream, struct nri_request *request)
{
    Nri__ConfigureResponse response = NRI__CONFIGURE_RESPONSE__INIT;
    int r;

    response.events = NRI_REQUESTS_EVENTS;
    r = answer(nri, stream, &response.base);
    if (!request) {
        count_odd(nri);
        return r;
    }
    return r == 0 ? give(nri, request) : (nri_request_free(request), r);
}

// Answered first and looked at afterwards: all pieces of a list share one limit of the runtime, and
// what is in them runs already.
static int take_list(struct nri *nri, uint32_t stream, struct nri_request *request)
{
    Nri__SynchronizeResponse response = NRI__SYNCHRONIZE_RESPONSE__INIT;
    int r;

    response.more = request && request->list->more;
    r = answer(nri, stream, &response.base);
    if (!request) { // without a whole list nobody may be declared ended
        set_text(nri, "the list of what is there makes no sense");
        return -EPROTO;
    }
    nri->list_bytes += request->bytes;
    if (nri->list_bytes > NRI_QUEUE_BYTES_MAX) {
        nri_request_free(request);
        set_text(nri, "the list of what is there is too large");
        return -EFBIG;
    }
    return r == 0 ? give(nri, request) : (nri_request_free(request), r);
}

static int take_call(struct nri *nri, uint32_t stream, const Ttrpc__Request *call)
{
    struct nri_request *request = NULL;

    switch (nri_request_decode(call, &request)) {
    case NRI_CALL_CONFIGURE:
        return take_configuration(nri, stream, request);
    case NRI_CALL_SYNCHRONIZE:
        return take_list(nri, stream, request);
    case NRI_CALL_EVENT:
        return take_event(nri, stream, request);
    case NRI_CALL_OTHER:
        return answer(nri, stream, NULL);
    case NRI_CALL_UNKNOWN:
        break;
    }
    return answer_error(nri, stream, TTRPC_UNIMPLEMENTED, "not implemented");
}

static int on_request(struct nri *nri, const struct ttrpc_frame *frame)
{
    Ttrpc__Request *call;
    int r;

    if (frame->type != TTRPC_REQUEST) {
        if (frame->type != TTRPC_STREAM_DATA) // as runtimes do
            return 0;
        return answer_error(nri, frame->stream, TTRPC_INVALID_ARGUMENT, "no such stream");
    }
    if (frame->stream % 2 == 0 || frame->stream <= nri->last_stream)
        return answer_error(nri, frame->stream, TTRPC_INVALID_ARGUMENT, "bad stream ID");
    nri->last_stream = frame->stream;
    call = ttrpc__request__unpack(NULL, frame->bytes, frame->data);
    if (!call) {
        count_odd(nri);
        return answer_error(nri, frame->stream, TTRPC_INVALID_ARGUMENT, "not a request");
    }
    r = take_call(nri, frame->stream, call);
    ttrpc__request__free_unpacked(call, NULL);
    return r;
}

// To our only call.
static int on_response(struct nri *nri, const struct ttrpc_frame *frame)
{
    Ttrpc__Response *response;
    char text[160];
    int r = 0;

    if (frame->type != TTRPC_RESPONSE || frame->stream != REGISTRATION)
        return 0;
    response = ttrpc__response__unpack(NULL, frame->bytes, frame->data);
    if (!response || (response->status && response->status->code != TTRPC_OK)) {
        snprintf(text, sizeof(text), "the runtime refuses the plugin: %.100s",
                 response ? response->status->message : "its answer makes no sense");
        set_text(nri, text);
        r = -ECONNREFUSED;
    }
    if (response)
        ttrpc__response__free_unpacked(response, NULL);
    return r;
}

static int on_frame(void *userdata, const struct ttrpc_frame *frame)
{
    return frame->channel == TTRPC_PLUGIN ? on_request(userdata, frame)
                                          : on_response(userdata, frame);
}

static int ask_for_registration(struct nri *nri)
{
    Nri__RegisterPluginRequest message = NRI__REGISTER_PLUGIN_REQUEST__INIT;
    Ttrpc__Request call = TTRPC__REQUEST__INIT;
    uint8_t data[128];

    message.plugin_name = (char[]){NRI_PLUGIN_NAME};
    message.plugin_idx = (char[]){NRI_PLUGIN_INDEX};
    call.service = (char[]){"nri.pkg.api.v1alpha1.Runtime"};
    call.method = (char[]){"RegisterPlugin"};
    call.payload.len = nri__register_plugin_request__pack(&message, data);
    call.payload.data = data;
    return put(nri, TTRPC_RUNTIME, REGISTRATION, TTRPC_REQUEST, &call.base);
}

// --- the thread: the socket ----------------------------------------------------------------------

static int read_some(struct nri *nri)
{
    int r = 0;

    for (unsigned i = 0; i < READS_MAX && r == 0; i++) {
        ssize_t count = recv(nri->fd, nri->in, sizeof(nri->in), 0);

        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (count <= 0) {
            set_text(nri, "the runtime closed the connection");
            return -ECONNRESET;
        }
        r = ttrpc_reader_feed(nri->reader, nri->in, (size_t)count);
        if (r == -EPROTO)
            set_text(nri, "what the runtime sent makes no sense");
    }
    return r;
}

static int write_some(struct nri *nri)
{
    ssize_t count;

    if (nri->out_bytes == 0)
        return 0;
    count = send(nri->fd, nri->out, nri->out_bytes, MSG_NOSIGNAL);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    nri->out_bytes -= (size_t)count;
    memmove(nri->out, nri->out + count, nri->out_bytes);
    return 0;
}

static int wait_ms(const struct nri *nri)
{
    uint64_t now, deadline = nri->waiting_count ? nri->waiting[0].deadline_us : NO_DEADLINE;

    if (deadline == NO_DEADLINE)
        return -1;
    now = clock_us(CLOCK_MONOTONIC);
    return now >= deadline ? 0 : (int)((deadline - now + 999) / 1000);
}

static bool is_closing(struct nri *nri)
{
    eventfd_t count;
    bool closing;

    eventfd_read(nri->thread_fd, &count);
    pthread_mutex_lock(&nri->lock);
    closing = nri->closing;
    pthread_mutex_unlock(&nri->lock);
    return closing;
}

// One turn. Return: 0 to go on.
static int serve_once(struct nri *nri)
{
    struct pollfd fds[2] = {{.fd = nri->fd, .events = POLLIN}, {nri->thread_fd, POLLIN, 0}};
    int r;

    if (nri->out_bytes > 0)
        fds[0].events |= POLLOUT;
    if (poll(fds, 2, wait_ms(nri)) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[1].revents && is_closing(nri))
        return -ECANCELED;
    r = fds[1].revents ? answer_done(nri) : 0;
    if (r == 0 && fds[0].revents & (POLLIN | POLLHUP | POLLERR))
        r = read_some(nri);
    if (r == 0)
        r = answer_late(nri, clock_us(CLOCK_MONOTONIC));
    return r == 0 ? write_some(nri) : r;
}

static void *serve(void *userdata)
{
    struct nri *nri = userdata;
    int r = ask_for_registration(nri);

    while (r == 0)
        r = serve_once(nri);
    close(nri->fd); // at once, not when the loop finds the time: the runtime goes on without us
    nri->fd = -1;
    set_text(nri, strerror(-r));
    pthread_mutex_lock(&nri->lock);
    nri->ended = true;
    pthread_mutex_unlock(&nri->lock);
    eventfd_write(nri->loop_fd, 1);
    return NULL;
}

// --- the loop's side -----------------------------------------------------------------------------

static void handle(struct nri *nri, struct nri_request *request)
{
    const struct nri_event event = {
        .type = request->type, .pod = request->pod, .container = request->container};

    if (request->configuration)
        nri->calls->configured(nri->userdata, request->configuration->runtime_name,
                               request->configuration->runtime_version);
    else if (request->list)
        nri->calls->list(nri->userdata, TAKE(request->list));
    else
        nri->calls->event(nri->userdata, &event);
}

// An event is done: it may be answered, if that hasn't happened already. Without room for its
// number it is answered at its limit.
static void tell_done(struct nri *nri, uint32_t stream)
{
    pthread_mutex_lock(&nri->lock);
    if (nri->done_count < WAITING_MAX)
        nri->done[nri->done_count++] = stream;
    pthread_mutex_unlock(&nri->lock);
    eventfd_write(nri->thread_fd, 1);
}

static struct nri_request *take_request(struct nri *nri, bool *ended)
{
    struct nri_request *request;

    pthread_mutex_lock(&nri->lock);
    request = nri_requests_take(&nri->requests);
    *ended = !request && nri->ended;
    pthread_mutex_unlock(&nri->lock);
    return request;
}

static void tell_counts(struct nri *nri)
{
    unsigned late, odd;

    pthread_mutex_lock(&nri->lock);
    late = nri->late;
    odd = nri->odd;
    nri->late = nri->odd = 0;
    pthread_mutex_unlock(&nri->lock);
    if (late)
        nri->calls->late(nri->userdata, late);
    if (odd)
        nri->calls->odd(nri->userdata, odd);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct nri *nri = userdata;
    struct nri_request *request = NULL;
    bool ended = false;
    eventfd_t count;

    (void)events;
    eventfd_read(fd, &count);
    for (unsigned i = 0; i < ITEMS_A_TURN && (request = take_request(nri, &ended)); i++) {
        handle(nri, request);
        if (request->stream)
            tell_done(nri, request->stream);
        nri_request_free(request);
    }
    tell_counts(nri);
    if (request) // others first
        eventfd_write(fd, 1);
    if (ended) {
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        nri->calls->ended(nri->userdata, nri->text); // may close it: nothing after this
    }
    return 0;
}

// --- life ----------------------------------------------------------------------------------------

static int check_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int connect_to(const char *path, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char shorter[SOCKET_PATH_BYTES];
    CLEANUP(closep)
    int folder_fd = -1;
    int socket_fd, r = socket_path_shorten(path, shorter, &folder_fd);

    if (r < 0)
        return r;
    memcpy(address.sun_path, shorter, strlen(shorter) + 1);
    socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_fd < 0)
        return -errno;
    r = connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) < 0
            ? -errno
            : check_peer(socket_fd);
    if (r < 0)
        close(socket_fd);
    else
        *fd = socket_fd;
    return r;
}

static int start_thread(struct nri *nri)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&nri->thread, NULL, serve, nri);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    nri->has_thread = r == 0;
    return r;
}

static int prepare(struct nri *nri, sd_event *event, const char *socket)
{
    int r = connect_to(socket, &nri->fd);

    if (r < 0)
        return r;
    nri->loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    nri->thread_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (nri->loop_fd < 0 || nri->thread_fd < 0)
        return -errno;
    nri->reader = ttrpc_reader_new(on_frame, nri);
    if (!nri->reader)
        return -ENOMEM;
    r = sd_event_add_io(event, &nri->wake, nri->loop_fd, EPOLLIN, on_wake, nri);
    return r < 0 ? r : start_thread(nri);
}

int nri_open(sd_event *event, const char *socket, const struct nri_calls *calls, void *userdata,
             struct nri **out)
{
    struct nri *nri = calloc(1, sizeof(*nri));
    int r;

    if (!nri)
        return -ENOMEM;
    nri->calls = calls;
    nri->userdata = userdata;
    nri->fd = nri->loop_fd = nri->thread_fd = -1;
    pthread_mutex_init(&nri->lock, NULL);
    nri_requests_init(&nri->requests);
    r = prepare(nri, event, socket);
    if (r < 0) {
        nri_close(nri);
        return r;
    }
    *out = nri;
    return 0;
}

struct nri *nri_close(struct nri *nri)
{
    if (!nri)
        return NULL;
    if (nri->has_thread) {
        pthread_mutex_lock(&nri->lock);
        nri->closing = true;
        pthread_mutex_unlock(&nri->lock);
        eventfd_write(nri->thread_fd, 1);
        pthread_join(nri->thread, NULL);
    }
    sd_event_source_disable_unref(nri->wake);
    nri_requests_clear(&nri->requests);
    ttrpc_reader_free(nri->reader);
    pthread_mutex_destroy(&nri->lock);
    closep(&nri->fd);
    closep(&nri->loop_fd);
    closep(&nri->thread_fd);
    free(nri);
    return NULL;
}
