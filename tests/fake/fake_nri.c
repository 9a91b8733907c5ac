// SPDX-License-Identifier: Apache-2.0
#include "fake_nri.h"

#include "ttrpc.pb-c.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS  10000
#define TRUNK_HEADER 8u
#define HEADER       10u
#define PIECE        4096u // Go writes a message's first bytes, then the rest

static void die(const char *what)
{
    fprintf(stderr, "fake NRI runtime: %s: %s\n", what, strerror(errno));
    abort();
}

static void put32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

// --- the socket ----------------------------------------------------------------------------------

void fake_nri_listen(struct fake_nri *fake, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fake = (struct fake_nri){.fd = -1, .name = "containerd", .version = "v2.3.4"};
    snprintf(fake->path, sizeof(fake->path), "%s", path);
    memcpy(address.sun_path, fake->path, sizeof(fake->path));
    unlink(path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->listener < 0 ||
        bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fake->listener, 16) < 0)
        die(path);
}

void fake_nri_expel(struct fake_nri *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    fake->in_bytes = 0;
}

void fake_nri_stop(struct fake_nri *fake)
{
    fake_nri_expel(fake);
    close(fake->listener);
    unlink(fake->path);
    free(fake->in);
    fake->in = NULL;
    fake->in_room = 0;
}

bool fake_nri_is_called(struct fake_nri *fake, int ms)
{
    struct pollfd one = {.fd = fake->listener, .events = POLLIN};

    return poll(&one, 1, ms) > 0;
}

void fake_nri_accept(struct fake_nri *fake)
{
    fake_nri_expel(fake);
    errno = ETIMEDOUT;
    if (!fake_nri_is_called(fake, PATIENCE_MS))
        die("no plugin came");
    fake->fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fake->fd < 0)
        die("accept");
    fake->stream = 0;
}

void fake_nri_raw(struct fake_nri *fake, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    while (count > 0) {
        const size_t part = fake->split && fake->split < count ? fake->split : count;
        const ssize_t sent = send(fake->fd, at, part, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return; // the plugin has left: the next answer says so
        at += sent > 0 ? sent : 0;
        count -= sent > 0 ? (size_t)sent : 0;
    }
}

static void send_trunk(struct fake_nri *fake, uint32_t channel, const uint8_t *bytes, size_t count)
{
    uint8_t header[TRUNK_HEADER];

    put32(header, channel);
    put32(header + 4, (uint32_t)count);
    fake_nri_raw(fake, header, sizeof(header));
    fake_nri_raw(fake, bytes, count);
}

void fake_nri_message(struct fake_nri *fake, uint32_t channel, uint32_t stream, uint8_t type,
                      const void *data, size_t bytes)
{
    const size_t whole = HEADER + bytes;
    uint8_t *message = malloc(whole);
    size_t at = 0;

    if (!message)
        die("memory");
    put32(message, (uint32_t)bytes);
    put32(message + 4, stream);
    message[8] = type;
    message[9] = 0;
    if (bytes)
        memcpy(message + HEADER, data, bytes);
    while (at < whole) {
        size_t part = whole - at;

        if (fake->trunk_max && part > fake->trunk_max)
            part = fake->trunk_max;
        else if (at == 0 && part > PIECE)
            part = PIECE;
        if (fake->is_mixed) {
            send_trunk(fake, 77, message, part);
            send_trunk(fake, 2, NULL, 0);
        }
        send_trunk(fake, channel, message + at, part);
        at += part;
    }
    free(message);
}

// --- what comes back -----------------------------------------------------------------------------

static bool read_more(struct fake_nri *fake)
{
    struct pollfd one = {.fd = fake->fd, .events = POLLIN};
    ssize_t count;

    errno = ETIMEDOUT;
    if (poll(&one, 1, fake->limit_ms ? fake->limit_ms : PATIENCE_MS) <= 0) {
        if (fake->limit_ms)
            return false;
        die("no answer");
    }
    if (fake->in_room - fake->in_bytes < 65536) {
        fake->in_room += 65536;
        fake->in = realloc(fake->in, fake->in_room);
        if (!fake->in)
            die("memory");
    }
    count = recv(fake->fd, fake->in + fake->in_bytes, fake->in_room - fake->in_bytes, 0);
    fake->in_bytes += count > 0 ? (size_t)count : 0;
    return count > 0;
}

// The next message, whose frame must be as Go's receiver wants it: one of the trunk's, whole.
static bool next(struct fake_nri *fake, uint32_t *channel, uint32_t *stream, uint8_t *type,
                 uint8_t *data, size_t room, size_t *bytes)
{
    size_t payload;

    while (fake->in_bytes < TRUNK_HEADER || fake->in_bytes < TRUNK_HEADER + get32(fake->in + 4))
        if (!read_more(fake))
            return false;
    payload = get32(fake->in + 4);
    *channel = get32(fake->in);
    *bytes = get32(fake->in + TRUNK_HEADER);
    *stream = get32(fake->in + TRUNK_HEADER + 4);
    *type = fake->in[TRUNK_HEADER + 8];
    errno = EPROTO;
    if (payload > PIECE || payload != HEADER + *bytes || *bytes > room)
        die("a frame that Go's receiver would not take");
    memcpy(data, fake->in + TRUNK_HEADER + HEADER, *bytes);
    fake->in_bytes -= TRUNK_HEADER + payload;
    memmove(fake->in, fake->in + TRUNK_HEADER + payload, fake->in_bytes);
    return true;
}

struct fake_nri_reply fake_nri_receive(struct fake_nri *fake)
{
    struct fake_nri_reply reply = {.code = -1};
    uint8_t data[4096], type = 0;
    uint32_t channel = 0;
    Ttrpc__Response *response;
    size_t bytes = 0;

    if (!next(fake, &channel, &reply.stream, &type, data, sizeof(data), &bytes))
        return reply;
    response = ttrpc__response__unpack(NULL, bytes, data);
    errno = EPROTO;
    if (channel != 1 || type != 2 || !response || response->payload.len > sizeof(reply.payload))
        die("not an answer");
    reply.code = response->status ? response->status->code : 0;
    if (response->status)
        snprintf(reply.message, sizeof(reply.message), "%s", response->status->message);
    reply.bytes = response->payload.len;
    if (reply.bytes)
        memcpy(reply.payload, response->payload.data, reply.bytes);
    ttrpc__response__free_unpacked(response, NULL);
    return reply;
}

bool fake_nri_is_closed(struct fake_nri *fake)
{
    while (read_more(fake))
        fake->in_bytes = 0;
    return true;
}

// --- calls ---------------------------------------------------------------------------------------

uint32_t fake_nri_send(struct fake_nri *fake, const char *service, const char *method,
                       const void *payload, size_t bytes)
{
    Ttrpc__Request request = TTRPC__REQUEST__INIT;
    uint8_t *data;

    request.service = (char *)(uintptr_t)service;
    request.method = (char *)(uintptr_t)method;
    request.payload.data = (uint8_t *)(uintptr_t)payload;
    request.payload.len = bytes;
    request.timeout_nano = 2000000000;
    data = malloc(ttrpc__request__get_packed_size(&request) + 1);
    if (!data)
        die("memory");
    fake->stream += fake->stream ? 2 : 1;
    fake_nri_message(fake, 1, fake->stream, 1, data, ttrpc__request__pack(&request, data));
    free(data);
    return fake->stream;
}

struct fake_nri_reply fake_nri_call(struct fake_nri *fake, const char *method,
                                    const ProtobufCMessage *message)
{
    uint8_t *payload = malloc(protobuf_c_message_get_packed_size(message) + 1);
    struct fake_nri_reply reply;
    uint32_t stream;

    if (!payload)
        die("memory");
    stream = fake_nri_send(fake, FAKE_NRI_PLUGIN, method, payload,
                           protobuf_c_message_pack(message, payload));
    free(payload);
    reply = fake_nri_receive(fake);
    errno = EPROTO;
    if (reply.code >= 0 && reply.stream != stream)
        die("the answer to something else");
    return reply;
}

static struct fake_nri_reply state_change(struct fake_nri *fake, int32_t event,
                                          Nri__PodSandbox *pod, Nri__Container *container)
{
    Nri__StateChangeEvent message = NRI__STATE_CHANGE_EVENT__INIT;

    message.event = event;
    message.pod = pod;
    message.container = container;
    return fake_nri_call(fake, "StateChange", &message.base);
}

struct fake_nri_reply fake_nri_event(struct fake_nri *fake, int32_t event, Nri__PodSandbox *pod,
                                     Nri__Container *container)
{
    // Those of NRI 0.2 that have no method of their own are NULL there.
    static const struct {
        const char *first, *later;
    } methods[] = {[1] = {NULL, "RunPodSandbox"},    [2] = {NULL, "StopPodSandbox"},
                   [3] = {NULL, "RemovePodSandbox"}, [4] = {"CreateContainer", "CreateContainer"},
                   [6] = {NULL, "StartContainer"},   [10] = {"StopContainer", "StopContainer"},
                   [11] = {NULL, "RemoveContainer"}};
    Nri__EventRequest message = NRI__EVENT_REQUEST__INIT;
    const char *method = fake->has_rpcs ? methods[event].later : methods[event].first;

    if (!method)
        return state_change(fake, event, pod, container);
    message.pod = pod;
    message.container = container;
    return fake_nri_call(fake, method, &message.base);
}

// --- admission -----------------------------------------------------------------------------------

void fake_nri_take_registration(struct fake_nri *fake)
{
    Nri__RegisterPluginRequest *plugin;
    uint32_t channel = 0, stream = 0;
    Ttrpc__Request *request = NULL;
    uint8_t data[4096], type = 0;
    size_t bytes = 0;

    errno = EPROTO;
    if (!next(fake, &channel, &stream, &type, data, sizeof(data), &bytes) || channel != 2 ||
        type != 1 || stream != 1)
        die("no registration");
    request = ttrpc__request__unpack(NULL, bytes, data);
    if (!request || strcmp(request->service, "nri.pkg.api.v1alpha1.Runtime") != 0 ||
        strcmp(request->method, "RegisterPlugin") != 0)
        die("no registration");
    plugin =
        nri__register_plugin_request__unpack(NULL, request->payload.len, request->payload.data);
    if (!plugin)
        die("no registration");
    snprintf(fake->plugin_name, sizeof(fake->plugin_name), "%s", plugin->plugin_name);
    snprintf(fake->plugin_index, sizeof(fake->plugin_index), "%s", plugin->plugin_idx);
    nri__register_plugin_request__free_unpacked(plugin, NULL);
    ttrpc__request__free_unpacked(request, NULL);
}

void fake_nri_answer_registration(struct fake_nri *fake, int32_t code, const char *message)
{
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;
    Ttrpc__Status status = TTRPC__STATUS__INIT;
    uint8_t data[256];

    status.code = code;
    status.message = (char *)(uintptr_t)message;
    response.status = code ? &status : NULL;
    fake_nri_message(fake, 2, 1, 2, data, ttrpc__response__pack(&response, data));
}

void fake_nri_configure(struct fake_nri *fake)
{
    Nri__ConfigureRequest message = NRI__CONFIGURE_REQUEST__INIT;
    Nri__ConfigureResponse *response;
    struct fake_nri_reply reply;

    message.runtime_name = (char *)(uintptr_t)fake->name;
    message.runtime_version = (char *)(uintptr_t)fake->version;
    message.registration_timeout = 5000;
    message.request_timeout = 2000;
    reply = fake_nri_call(fake, "Configure", &message.base);
    response = nri__configure_response__unpack(NULL, reply.bytes, reply.payload);
    errno = EPROTO;
    if (reply.code != 0 || !response)
        die("Configure");
    fake->events = response->events;
    nri__configure_response__free_unpacked(response, NULL);
}

bool fake_nri_synchronize(struct fake_nri *fake, const Nri__SynchronizeRequest *piece)
{
    const struct fake_nri_reply reply = fake_nri_call(fake, "Synchronize", &piece->base);
    Nri__SynchronizeResponse *response =
        nri__synchronize_response__unpack(NULL, reply.bytes, reply.payload);
    bool more;

    errno = EPROTO;
    if (reply.code != 0 || !response)
        die("Synchronize");
    more = response->more;
    nri__synchronize_response__free_unpacked(response, NULL);
    return more;
}

void fake_nri_admit(struct fake_nri *fake)
{
    Nri__SynchronizeRequest nothing = NRI__SYNCHRONIZE_REQUEST__INIT;

    fake_nri_accept(fake);
    fake_nri_take_registration(fake);
    if (!fake->answer_late)
        fake_nri_answer_registration(fake, 0, NULL);
    fake_nri_configure(fake);
    if (fake->answer_late)
        fake_nri_answer_registration(fake, 0, NULL);
    fake_nri_synchronize(fake, &nothing);
}
