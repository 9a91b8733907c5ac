// SPDX-License-Identifier: Apache-2.0
// The Edera engine: zones and workloads, from the control service of the host.
//
// Changes are watched first, then zones and workloads are listed, so that nothing falls between:
// the watch has whole objects, and neither a beginning nor an end to rely on. A list is asked for
// every ten seconds while there is no watch, every minute while there is one.
//
// Source: protect.control.v1.
#include "edera.h"

#include "connection.h"
#include "containerd-meta/clock.h"
#include "edera_record.h"
#include "edera_table.h"
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "/protect.control.v1.ControlService/"

#define WATCH_AGAIN_US  UINT64_C(60000000)
#define RELIST_WATCH_US UINT64_C(60000000) // while changes are watched
#define UUID_LEN        36u
#define LIST_MAX_US     UINT64_C(30000000) // then it is stuck

struct edera {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct edera_table *table;
    struct rpc_channel *channel;
    struct rpc_call *status, *watch, *list, *one;
    engine_stamp list_asked, one_asked;
    unsigned list_gaps; // batches that couldn't be read
    uint64_t list_began_us, next_list_us, next_watch_us;
    bool list_again; // asked for while a list was under way, which may have passed it by
    bool no_watch;   // the service doesn't know the call
};

static void hang_up(void *userdata)
{
    struct edera *edera = userdata;

    edera->status = rpc_cancel(edera->status);
    edera->watch = rpc_cancel(edera->watch);
    edera->list = rpc_cancel(edera->list);
    edera->list_again = false;
    edera->one = rpc_cancel(edera->one);
    edera->channel = rpc_channel_close(edera->channel);
}

static void fail(struct edera *edera, const char *text)
{
    connection_fail(&edera->connection, text);
}

static int stream(struct edera *edera, const char *method, const ProtobufCMessage *message,
                  bool is_list, void (*on_message)(void *userdata, const void *body, size_t bytes),
                  void (*done)(void *userdata, const struct rpc_response *response),
                  struct rpc_call **handle)
{
    struct rpc_request request = {.method = method, .message = message, .is_list = is_list};

    return rpc_stream(edera->channel, &request, on_message, done, edera, handle);
}

// --- the watch -----------------------------------------------------------------------------------

static void on_change(void *userdata, const void *body, size_t bytes)
{
    struct edera *edera = userdata;
    Edera__WatchEventsReply *event = edera__watch_events_reply__unpack(NULL, bytes, body);
    engine_stamp heard = edera->sink->stamp(edera->sink);

    edera->sink->count(edera->sink, event != NULL, 0, 0, event == NULL);
    if (!event)
        return;
    if (event->zone_changed && event->zone_changed->zone)
        edera_table_zone(edera->table, heard, event->zone_changed->zone);
    if (event->workload_changed && event->workload_changed->workload)
        edera_table_workload(edera->table, heard, event->workload_changed->workload);
    edera__watch_events_reply__free_unpacked(event, NULL);
}

static void on_watch_end(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;

    edera->watch = NULL;
    edera->no_watch = response->status == RPC_UNIMPLEMENTED;
    edera->next_watch_us = clock_us(CLOCK_MONOTONIC) + WATCH_AGAIN_US;
    edera->next_list_us = 0; // by listing alone, meanwhile
    if (response->status == RPC_UNAVAILABLE)
        fail(edera, response->text);
    else if (response->status != RPC_OK && !edera->no_watch)
        connection_note(&edera->connection, response->text);
}

static void watch(struct edera *edera)
{
    Edera__WatchEventsRequest message = EDERA__WATCH_EVENTS_REQUEST__INIT;
    int r = stream(edera, SERVICE "WatchEvents", &message.base, false, on_change, on_watch_end,
                   &edera->watch);

    if (r < 0)
        fail(edera, strerror(-r));
}

// --- the lists -----------------------------------------------------------------------------------

static void list_now(struct edera *edera);

static void take_gap(struct edera *edera)
{
    edera->sink->count(edera->sink, 0, 0, 0, 1);
    edera->list_gaps++;
}

static void on_workloads(void *userdata, const void *body, size_t bytes)
{
    struct edera *edera = userdata;
    Edera__ListWorkloadsReply *batch = edera__list_workloads_reply__unpack(NULL, bytes, body);

    if (!batch) {
        take_gap(edera);
        return;
    }
    for (size_t i = 0; i < batch->n_workloads; i++)
        edera_table_workload(edera->table, edera->list_asked, batch->workloads[i]);
    edera__list_workloads_reply__free_unpacked(batch, NULL);
}

// Only lists without gaps may bury anybody.
static void on_workloads_end(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;

    edera->list = NULL;
    if (response->status != RPC_OK) {
        fail(edera, response->text);
        return;
    }
    if (edera->list_gaps == 0) {
        edera->sink->list_complete(edera->sink, edera->list_asked);
        edera_table_buried(edera->table);
    }
    connection_state(&edera->connection, CMETA_ENGINE_CONNECTED, "");
    if (edera->list_again)
        list_now(edera);
}

static void on_zones(void *userdata, const void *body, size_t bytes)
{
    struct edera *edera = userdata;
    Edera__ListZonesReply *batch = edera__list_zones_reply__unpack(NULL, bytes, body);

    if (!batch) {
        take_gap(edera);
        return;
    }
    for (size_t i = 0; i < batch->n_zones; i++)
        edera_table_zone(edera->table, edera->list_asked, batch->zones[i]);
    edera__list_zones_reply__free_unpacked(batch, NULL);
}

static void on_zones_end(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;
    Edera__ListWorkloadsRequest message = EDERA__LIST_WORKLOADS_REQUEST__INIT;
    int r;

    edera->list = NULL;
    if (response->status != RPC_OK) {
        fail(edera, response->text);
        return;
    }
    r = stream(edera, SERVICE "ListWorkloads", &message.base, true, on_workloads, on_workloads_end,
               &edera->list);
    if (r < 0)
        fail(edera, strerror(-r));
}

static void list_now(struct edera *edera)
{
    Edera__ListZonesRequest message = EDERA__LIST_ZONES_REQUEST__INIT;
    uint64_t now = clock_us(CLOCK_MONOTONIC);
    int r;

    edera->list_again = edera->list != NULL;
    if (edera->list)
        return;
    edera->list_began_us = now;
    edera->next_list_us = edera->watch ? now + RELIST_WATCH_US : 0;
    edera->list_asked = edera->sink->stamp(edera->sink);
    edera->list_gaps = 0;
    r = stream(edera, SERVICE "ListZones", &message.base, true, on_zones, on_zones_end,
               &edera->list);
    if (r < 0)
        fail(edera, strerror(-r));
}

// --- who answers ---------------------------------------------------------------------------------

int edera_ask_host(struct rpc_channel *channel, unsigned timeout_ms,
                   void (*done)(void *userdata, const struct rpc_response *response),
                   void *userdata, struct rpc_call **call)
{
    Edera__GetHostStatusRequest message = EDERA__GET_HOST_STATUS_REQUEST__INIT;
    struct rpc_request request = {
        .method = SERVICE "GetHostStatus", .message = &message.base, .timeout_ms = timeout_ms};

    return rpc_call(channel, &request, done, userdata, call);
}

static void on_first_status(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;
    Edera__GetHostStatusReply *answer;

    edera->status = NULL;
    if (response->status == RPC_UNIMPLEMENTED) {
        fail(edera, "no control service of Edera answers here: name the socket under the engine "
                    "that it is");
        return;
    }
    if (response->status != RPC_OK) {
        fail(edera, response->text);
        return;
    }
    answer = edera__get_host_status_reply__unpack(NULL, response->body_bytes, response->body);
    if (!answer) {
        fail(edera, "the answer to GetHostStatus makes no sense");
        return;
    }
    snprintf(edera->connection.version, sizeof(edera->connection.version), "%.32s",
             answer->protect_version);
    edera__get_host_status_reply__free_unpacked(answer, NULL);
    edera->no_watch = false;
    edera->sink->count(edera->sink, 0, 0, 1, 0);
    connection_state(&edera->connection, CMETA_ENGINE_LISTING, NULL);
    watch(edera);
    if (edera->channel)
        list_now(edera);
}

static void connect_now(void *userdata)
{
    struct edera *edera = userdata;
    int r = rpc_channel_open(edera->host->rpc, edera->host->socket, &edera->channel);

    if (r == 0)
        r = edera_ask_host(edera->channel, edera->host->timeout_ms, on_first_status, edera,
                           &edera->status);
    if (r < 0)
        fail(edera, strerror(-r));
}

// The watch may be silent for ever: whether somebody is still there only a question can tell.
static void on_later_status(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;

    edera->status = NULL;
    if (response->status != RPC_OK)
        fail(edera, response->text);
}

static void upkeep(void *userdata)
{
    struct edera *edera = userdata;
    uint64_t now = clock_us(CLOCK_MONOTONIC);

    if (edera->list && now - edera->list_began_us > LIST_MAX_US) {
        fail(edera, "a list doesn't end: the service is overloaded or hangs");
        return;
    }
    if (edera->connection.state != CMETA_ENGINE_CONNECTED)
        return;
    if (!edera->status)
        edera_ask_host(edera->channel, edera->host->timeout_ms, on_later_status, edera,
                       &edera->status);
    if (!edera->watch && !edera->no_watch && now >= edera->next_watch_us)
        watch(edera);
    if (edera->channel && !edera->list && now >= edera->next_list_us)
        list_now(edera);
}

// --- one workload --------------------------------------------------------------------------------

static void on_workload(void *userdata, const struct rpc_response *response)
{
    struct edera *edera = userdata;
    Edera__GetWorkloadReply *answer = NULL;

    edera->one = NULL;
    if (response->status == RPC_OK)
        answer = edera__get_workload_reply__unpack(NULL, response->body_bytes, response->body);
    if (answer && answer->workload)
        edera_table_workload(edera->table, edera->one_asked, answer->workload);
    if (answer)
        edera__get_workload_reply__free_unpacked(answer, NULL);
}

// Workloads have no cgroups here: who asks has heard of one from elsewhere, and of one at a time.
static void hint(void *instance, const char *id, size_t id_len)
{
    struct edera *edera = instance;
    Edera__GetWorkloadRequest message = EDERA__GET_WORKLOAD_REQUEST__INIT;
    struct rpc_request request = {.method = SERVICE "GetWorkload", .message = &message.base};
    char text[UUID_LEN + 1];

    if (edera->connection.state != CMETA_ENGINE_CONNECTED || edera->one || id_len != UUID_LEN)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)id_len, id);
    if (strspn(text, "0123456789abcdefABCDEF-") != UUID_LEN)
        return;
    message.workload_id = text;
    request.timeout_ms = edera->host->timeout_ms;
    edera->one_asked = edera->sink->stamp(edera->sink);
    rpc_call(edera->channel, &request, on_workload, edera, &edera->one);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void stop(void *instance)
{
    struct edera *edera = instance;

    connection_close(&edera->connection);
    edera_table_free(edera->table);
    free(edera);
}

static int start(const struct engine_host *host, void **instance)
{
    struct edera *edera = calloc(1, sizeof(*edera));
    int r;

    if (!edera)
        return -ENOMEM;
    edera->host = host;
    edera->sink = host->sink;
    edera->table = edera_table_new(host);
    r = edera->table ? connection_open(&edera->connection, host, &connection_calls, edera)
                     : -ENOMEM;
    if (r < 0) {
        stop(edera);
        return r;
    }
    *instance = edera;
    return 0;
}

static void relist(void *instance)
{
    struct edera *edera = instance;

    if (edera->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(edera);
}

static const char *const default_places[] = {"/var/lib/edera/protect/daemon.socket", NULL};

const struct engine_class edera_engine = {.name = "edera",
                                          .protocol = ENGINE_GRPC,
                                          .default_places = default_places,
                                          .precedence = 50,
                                          .type = CMETA_TYPE_EDERA,
                                          .start = start,
                                          .stop = stop,
                                          .hint = hint,
                                          .relist = relist};
