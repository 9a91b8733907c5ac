// SPDX-License-Identifier: Apache-2.0
// Containers that are registered with systemd-machined: systemd-nspawn's, and whoever's.
//
// Signals are subscribed first, then the list is asked for. machined comes with the first machine
// and goes with the last one, so that nobody answering is no failure: NameOwnerChanged tells when
// it comes. It is never woken. A container that isn't registered (--register=no) isn't known here.
//
// Source: org.freedesktop.machine1 of systemd 219 to 258; the D-Bus specification 0.43.
#include "connection.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "containerd-meta/transport/socket_path.h"
#include "engine.h"
#include "nspawn_machines.h"

#include "shm/container_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define RELIST_US UINT64_C(60000000)
#define ABSENT    "systemd-machined isn't running: there are no machines"

struct nspawn {
    struct connection connection;
    const struct engine_host *host;
    struct engine_sink *sink;
    struct machines *machines;
    sd_bus *bus;
    int folder_fd; // for a socket whose path is too long
    sd_bus_slot *list;
    sd_event_source *patience; // until the first list is there
    engine_stamp list_asked;
    uint64_t next_list_us;
    bool is_absent; // nobody owns machined's name
    char owner[64]; // who owns it, as the bus calls them; "": not known yet
};

// Cancels whatever is under way.
static void hang_up(void *userdata)
{
    struct nspawn *nspawn = userdata;

    *nspawn->owner = '\0';
    machines_close(nspawn->machines);
    sd_event_source_set_enabled(nspawn->patience, SD_EVENT_OFF);
    nspawn->list = sd_bus_slot_unref(nspawn->list);
    nspawn->bus = sd_bus_close_unref(nspawn->bus);
    if (nspawn->folder_fd >= 0)
        close(nspawn->folder_fd);
    nspawn->folder_fd = -1;
}

static void fail(struct nspawn *nspawn, const char *text)
{
    connection_fail(&nspawn->connection, text);
}

static void fail_by(struct nspawn *nspawn, const char *what, const char *why)
{
    char text[256];

    snprintf(text, sizeof(text), "%s: %.180s", what, why);
    fail(nspawn, text);
}

static uint64_t timeout_us(const struct nspawn *nspawn)
{
    return nspawn->host->timeout_ms ? nspawn->host->timeout_ms * UINT64_C(1000) : UINT64_MAX;
}

// --- the list ------------------------------------------------------------------------------------

static void set_absent(struct nspawn *nspawn)
{
    nspawn->is_absent = true;
    *nspawn->owner = '\0';
    sd_event_source_set_enabled(nspawn->patience, SD_EVENT_OFF);
    connection_state(&nspawn->connection, CMETA_ENGINE_WAITING, ABSENT);
}

// machined runs as long as it has machines: where nobody answers to its name there are none, but
// for those that outlived it.
static void take_absence(struct nspawn *nspawn)
{
    set_absent(nspawn);
    machines_list_begin(nspawn->machines, nspawn->list_asked);
    machines_end_the_dead(nspawn->machines, nspawn->list_asked);
    machines_list_end(nspawn->machines, false);
}

static void set_owner(struct nspawn *nspawn, const char *name)
{
    snprintf(nspawn->owner, sizeof(nspawn->owner), "%s", name ? name : "");
}

static bool read_list(struct nspawn *nspawn, sd_bus_message *answer)
{
    const char *name, *class, *service, *path;
    int r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_ARRAY, "(ssso)");

    while (r >= 0 &&
           (r = sd_bus_message_read(answer, "(ssso)", &name, &class, &service, &path)) > 0)
        machines_listed(nspawn->machines, class, service, path);
    return r >= 0;
}

static int on_list(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    struct nspawn *nspawn = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    (void)unused;
    nspawn->list = sd_bus_slot_unref(nspawn->list);
    if (sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN,
                               SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
        take_absence(nspawn);
        return 0;
    }
    if (error) {
        fail_by(nspawn, "the list of machines", error->message ? error->message : error->name);
        return 0;
    }
    set_owner(nspawn, sd_bus_message_get_sender(answer)); // only who was asked can answer
    machines_list_begin(nspawn->machines, nspawn->list_asked);
    if (read_list(nspawn, answer))
        machines_list_end(nspawn->machines, false);
    else
        fail(nspawn, "the list of machines is none: what answers there isn't systemd-machined");
    return 0;
}

static int call_manager(struct nspawn *nspawn, const char *member, sd_bus_message_handler_t handler,
                        sd_bus_slot **slot)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(nspawn->bus, &message, MACHINED_NAME, MACHINED_PATH,
                                           MACHINED_MANAGER, member);

    if (r >= 0)
        r = sd_bus_message_set_auto_start(message, false);
    if (r >= 0)
        r = sd_bus_call_async(nspawn->bus, slot, message, handler, nspawn, timeout_us(nspawn));
    return r;
}

static void list_now(struct nspawn *nspawn)
{
    int r;

    if (nspawn->list || !nspawn->bus)
        return;
    nspawn->list_asked = nspawn->sink->stamp(nspawn->sink);
    nspawn->next_list_us = clock_us(CLOCK_MONOTONIC) + RELIST_US;
    r = call_manager(nspawn, "ListMachines", on_list, &nspawn->list);
    if (r < 0)
        fail_by(nspawn, "the list of machines", strerror(-r));
}

static void on_listed(void *userdata)
{
    struct nspawn *nspawn = userdata;

    if (nspawn->is_absent)
        return;
    sd_event_source_set_enabled(nspawn->patience, SD_EVENT_OFF);
    connection_state(&nspawn->connection, CMETA_ENGINE_CONNECTED, "");
}

// --- signals -------------------------------------------------------------------------------------

// Rules keep away what others say to all, not what one says to us alone: any user of the bus may,
// and sd-bus can't tell whether who says it owns a name. Before the first list nobody is machined:
// what it told till then is in the list.
static bool is_from(sd_bus_message *signal, const char *sender)
{
    const char *found = sd_bus_message_get_sender(signal);

    return *sender && found && strcmp(found, sender) == 0;
}

static int on_machine(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
    struct nspawn *nspawn = userdata;
    const char *name, *path;
    bool is_readable;

    (void)error;
    if (!is_from(signal, nspawn->owner))
        return 0;
    is_readable = sd_bus_message_read(signal, "so", &name, &path) > 0;
    nspawn->sink->count(nspawn->sink, is_readable, 0, 0, !is_readable);
    if (!is_readable)
        return 0;
    if (sd_bus_message_is_signal(signal, MACHINED_MANAGER, "MachineNew"))
        machines_appeared(nspawn->machines, path);
    else if (sd_bus_message_is_signal(signal, MACHINED_MANAGER, "MachineRemoved"))
        machines_vanished(nspawn->machines, path);
    return 0;
}

// machined went with its last machine, or was killed: then its machines live on.
static int on_owner(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
    struct nspawn *nspawn = userdata;
    const char *name, *before, *now;

    (void)error;
    if (!is_from(signal, "org.freedesktop.DBus") ||
        sd_bus_message_read(signal, "sss", &name, &before, &now) <= 0 ||
        strcmp(name, MACHINED_NAME) != 0)
        return 0;
    if (!*now) {
        set_absent(nspawn);
        machines_end_the_dead(nspawn->machines, nspawn->sink->stamp(nspawn->sink));
        return 0;
    }
    nspawn->is_absent = false;
    set_owner(nspawn, now);
    machines_doubt(nspawn->machines);
    list_now(nspawn);
    return 0;
}

static int on_lost(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
    (void)signal;
    (void)error;
    fail(userdata, "the connection to the system bus ended: was it stopped or restarted?");
    return 0;
}

static int on_subscribed(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    const sd_bus_error *refusal = sd_bus_message_get_error(answer);

    (void)error;
    if (refusal)
        fail_by(userdata, "the bus refuses a subscription",
                refusal->message ? refusal->message : refusal->name);
    return 0;
}

// --- the bus -------------------------------------------------------------------------------------

// A socket's path as an address: what isn't plain as %xx.
static char *address_of(const char *path)
{
    char *address = malloc(sizeof("unix:path=") + 3 * strlen(path)), *at = address;

    if (!address)
        return NULL;
    at = stpcpy(at, "unix:path=");
    for (const char *c = path; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-_/.", *c);

        at += sprintf(at, plain ? "%c" : "%%%02x", (unsigned char)*c);
    }
    return address;
}

// Begins to connect; greeting and subscriptions wait in the bus's own queue.
static int open_bus(struct nspawn *nspawn)
{
    char path[SOCKET_PATH_BYTES];
    char *address;
    int r = socket_path_shorten(nspawn->host->socket, path, &nspawn->folder_fd);

    if (r < 0)
        return r;
    address = address_of(path);
    r = address ? sd_bus_new(&nspawn->bus) : -ENOMEM;
    if (r >= 0)
        r = sd_bus_set_address(nspawn->bus, address);
    free(address);
    if (r >= 0)
        r = sd_bus_set_bus_client(nspawn->bus, true);
    if (r >= 0)
        r = sd_bus_set_description(nspawn->bus, "containerd-meta");
    if (r >= 0)
        r = sd_bus_attach_event(nspawn->bus, nspawn->host->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_start(nspawn->bus);
    return r;
}

// Of signals that nobody but the bus sends, and of machined's.
static int subscribe(struct nspawn *nspawn)
{
    static const char owner[] =
        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" MACHINED_NAME "'";
    sd_bus *bus = nspawn->bus;
    int r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", on_lost, NULL, nspawn);

    if (r >= 0)
        r = sd_bus_add_match_async(bus, NULL, owner, on_owner, on_subscribed, nspawn);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, MACHINED_NAME, MACHINED_PATH, MACHINED_MANAGER,
                                      NULL, on_machine, on_subscribed, nspawn);
    return r;
}

static void connect_now(void *userdata)
{
    struct nspawn *nspawn = userdata;
    int r = open_bus(nspawn);

    if (r >= 0)
        r = subscribe(nspawn);
    if (r < 0) {
        fail_by(nspawn, "the system bus", strerror(-r));
        return;
    }
    nspawn->sink->count(nspawn->sink, 0, 0, 1, 0);
    nspawn->is_absent = false;
    if (nspawn->host->timeout_ms) {
        sd_event_source_set_time(nspawn->patience, clock_us(CLOCK_MONOTONIC) + timeout_us(nspawn));
        sd_event_source_set_enabled(nspawn->patience, SD_EVENT_ONESHOT);
    }
    connection_state(&nspawn->connection, CMETA_ENGINE_LISTING, NULL);
    machines_open(nspawn->machines, nspawn->bus);
    list_now(nspawn);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct nspawn *nspawn = userdata;
    char text[128];

    (void)source;
    (void)usec;
    snprintf(text, sizeof(text), "no list of machines within %u ms; systemd-machined hangs",
             nspawn->host->timeout_ms);
    fail(nspawn, text);
    return 0;
}

static void upkeep(void *userdata)
{
    struct nspawn *nspawn = userdata;

    if (nspawn->is_absent) {
        machines_end_the_dead(nspawn->machines, nspawn->sink->stamp(nspawn->sink));
        return;
    }
    machines_upkeep(nspawn->machines);
    if (clock_us(CLOCK_MONOTONIC) >= nspawn->next_list_us)
        list_now(nspawn);
}

// --- the class -----------------------------------------------------------------------------------

static const struct connection_calls connection_calls = {
    .connect = connect_now, .hang_up = hang_up, .upkeep = upkeep};

static void on_failed(void *userdata, const char *text)
{
    struct nspawn *nspawn = userdata;

    connection_note(&nspawn->connection, text);
}

static const struct machines_calls machines_calls = {.failed = on_failed, .listed = on_listed};

static void nspawn_stop(void *instance)
{
    struct nspawn *nspawn = instance;

    connection_close(&nspawn->connection);
    if (nspawn->machines)
        hang_up(nspawn);
    machines_free(nspawn->machines);
    sd_event_source_disable_unref(nspawn->patience);
    free(nspawn);
}

static int nspawn_start(const struct engine_host *host, void **instance)
{
    struct nspawn *nspawn = calloc(1, sizeof(*nspawn));
    int r;

    if (!nspawn)
        return -ENOMEM;
    nspawn->host = host;
    nspawn->sink = host->sink;
    nspawn->folder_fd = -1;
    r = machines_new(host, &machines_calls, nspawn, &nspawn->machines);
    if (r >= 0)
        r = sd_event_add_time(host->event, &nspawn->patience, CLOCK_MONOTONIC, 0, 0, on_patience,
                              nspawn);
    if (r >= 0)
        r = sd_event_source_set_enabled(nspawn->patience, SD_EVENT_OFF);
    if (r >= 0)
        r = connection_open(&nspawn->connection, host, &connection_calls, nspawn);
    if (r < 0) {
        nspawn_stop(nspawn);
        return r;
    }
    snprintf(nspawn->connection.version, sizeof(nspawn->connection.version), "systemd-machined");
    *instance = nspawn;
    return 0;
}

static void nspawn_hint(void *instance, const char *id, size_t id_len)
{
    struct nspawn *nspawn = instance;

    if (nspawn->connection.state == CMETA_ENGINE_CONNECTED && !cmeta_id_is_hex64(id, id_len) &&
        !machines_have(nspawn->machines, id, id_len))
        list_now(nspawn);
}

static void nspawn_relist(void *instance)
{
    struct nspawn *nspawn = instance;

    if (nspawn->connection.state == CMETA_ENGINE_CONNECTED)
        list_now(nspawn);
}

static const char *const default_places[] = {"/run/dbus/system_bus_socket", NULL};

// Whoever registers its containers with machined knows them better itself.
const struct engine_class nspawn_engine = {.name = "nspawn",
                                           .protocol = ENGINE_DBUS,
                                           .place = ENGINE_SOCKET,
                                           .default_places = default_places,
                                           .precedence = 20,
                                           .type = CMETA_TYPE_NSPAWN,
                                           .start = nspawn_start,
                                           .stop = nspawn_stop,
                                           .hint = nspawn_hint,
                                           .relist = nspawn_relist};
