// SPDX-License-Identifier: Apache-2.0
#include "nspawn_machines.h"

#include "ask_queue.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "nspawn_record.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES_PARALLEL 8u
#define ENTER_PARALLEL      2u                    // each makes machined fork
#define AGAIN_PER_UPKEEP    16u                   // machines without an address
#define ADDRESS_PATIENCE_NS INT64_C(120000000000) // then a machine has none

struct machine {
    TAILQ_ENTRY(machine) all;
    struct machines *machines;
    char *path;
    struct ask properties, os, addresses, leader;
    sd_bus_slot *properties_slot, *os_slot, *addresses_slot;
    engine_stamp seen; // named last
    engine_stamp asked, os_asked, addresses_asked;
    bool is_known, is_ours; // answered; a container that is ours to tell of
    bool is_fresh;          // answered since machined was last connected to
    bool is_over;           // gone; only waits for answers that nobody reads any more
    struct machine_facts facts;
    struct machine_identity identity;
    struct machine_details details;
};

struct machines {
    const struct engine_host *host;
    struct engine_sink *sink;
    const struct machines_calls *calls;
    void *userdata;
    sd_bus *bus;
    void *by_path; // search.h
    TAILQ_HEAD(, machine) all, over;
    struct ask_queue *properties, *os, *addresses, *leaders;
    engine_stamp list_asked;
    bool list_has_gaps, list_waits; // for answers
};

#define MACHINE_OF(ask, member) ((struct machine *)((char *)(ask)-offsetof(struct machine, member)))

// --- the table -----------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct machine *)a)->path, ((const struct machine *)b)->path);
}

static struct machine *find(const struct machines *machines, const char *path)
{
    const struct machine key = {.path = (char *)path};
    void *node = tfind(&key, &machines->by_path, compare);

    return node ? *(struct machine **)node : NULL;
}

static void forget_answers(struct machine *machine)
{
    struct machines *machines = machine->machines;

    ask_forget(machines->properties, &machine->properties);
    ask_forget(machines->os, &machine->os);
    ask_forget(machines->addresses, &machine->addresses);
    ask_forget(machines->leaders, &machine->leader);
    machine->properties_slot = sd_bus_slot_unref(machine->properties_slot);
    machine->os_slot = sd_bus_slot_unref(machine->os_slot);
    machine->addresses_slot = sd_bus_slot_unref(machine->addresses_slot);
    machine_details_done(&machine->details);
    machine_facts_done(&machine->facts);
    machine->is_known = machine->is_fresh = false;
}

static void discard(struct machine *machine)
{
    struct machines *machines = machine->machines;

    forget_answers(machine);
    TAILQ_REMOVE(machine->is_over ? &machines->over : &machines->all, machine, all);
    free(machine->path);
    free(machine);
}

static bool is_being_asked(const struct machine *machine)
{
    return machine->properties_slot || machine->os_slot || machine->addresses_slot;
}

// A bus allows 128 open questions, cancelled ones among them: they keep their places until they are
// answered, be it that a thousand machines go at once.
static void forget(struct machine *machine)
{
    struct machines *machines = machine->machines;

    tdelete(machine, &machines->by_path, compare);
    if (!is_being_asked(machine)) {
        discard(machine);
        return;
    }
    TAILQ_REMOVE(&machines->all, machine, all);
    TAILQ_INSERT_TAIL(&machines->over, machine, all);
    machine->is_over = true;
}

// An answer came. Return: false if nobody reads it any more.
static bool take_answer(struct machine *machine, sd_bus_slot **slot)
{
    *slot = sd_bus_slot_unref(*slot);
    if (machine->is_over && !is_being_asked(machine))
        discard(machine);
    else if (!machine->is_over)
        return true;
    return false;
}

static struct machine *find_or_add(struct machines *machines, const char *path)
{
    struct machine *machine = find(machines, path);

    if (machine)
        return machine;
    machine = calloc(1, sizeof(*machine));
    if (!machine)
        return NULL;
    machine->machines = machines;
    machine->path = strdup(path);
    if (!machine->path || !tsearch(machine, &machines->by_path, compare)) {
        free(machine->path);
        free(machine);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&machines->all, machine, all);
    return machine;
}

static void end(struct machine *machine, engine_stamp when)
{
    struct engine_sink *sink = machine->machines->sink;

    if (machine->is_known && machine->is_ours)
        sink->gone(sink, when, machine->identity.id, strlen(machine->identity.id),
                   machine->identity.scope);
    forget(machine);
}

// --- telling -------------------------------------------------------------------------------------

static void tell(struct machine *machine, engine_stamp asked)
{
    struct machines *machines = machine->machines;
    CLEANUP(container_freep)
    struct container *container = machine_container(&machine->facts, &machine->identity,
                                                    &machine->details, &machines->host->limits);

    if (container)
        machines->sink->observe(machines->sink, asked, container);
}

static engine_stamp now_of(struct machines *machines)
{
    return machines->sink->stamp(machines->sink);
}

static void note(struct machines *machines, const struct machine *machine, const char *what,
                 const char *why)
{
    char text[256];

    snprintf(text, sizeof(text), "%s of %.80s: %.120s", what, machine->path, why);
    machines->sink->count(machines->sink, 0, 1, 0, 0);
    machines->calls->failed(machines->userdata, text);
}

// --- the list ------------------------------------------------------------------------------------

// A list names machines and doesn't identify them: it is complete when they have told their units.
static void conclude_list(struct machines *machines)
{
    struct machine *machine;

    if (!machines->list_waits)
        return;
    TAILQ_FOREACH (machine, &machines->all, all) {
        if (machine->is_fresh || machine->seen > machines->list_asked)
            continue;
        if (machine->properties.phase != ASK_IDLE)
            return;
        machines->list_has_gaps = true; // asked for often enough; the next list brings it up again
    }
    machines->list_waits = false;
    if (!machines->list_has_gaps)
        machines->sink->list_complete(machines->sink, machines->list_asked);
    machines->calls->listed(machines->userdata);
}

void machines_list_begin(struct machines *machines, engine_stamp asked)
{
    machines->list_asked = asked;
    machines->list_has_gaps = machines->list_waits = false;
}

static void confirm(const struct machine *machine, engine_stamp asked)
{
    struct engine_sink *sink = machine->machines->sink;

    if (machine->is_ours)
        sink->status(sink, asked, machine->identity.id, strlen(machine->identity.id),
                     machine->identity.scope, 0, 0, -1, -1);
}

void machines_listed(struct machines *machines, const char *class, const char *service,
                     const char *path)
{
    struct machine *machine = machine_is_ours(class, service) ? find_or_add(machines, path) : NULL;

    if (!machine)
        return;
    if (machine->seen < machines->list_asked)
        machine->seen = machines->list_asked;
    if (!machine->is_fresh) {
        ask_now(machines->properties, &machine->properties);
        return;
    }
    confirm(machine, machines->list_asked);
    if (machine->is_ours && !machine->details.has_leader)
        ask_now(machines->leaders, &machine->leader);
    if (machine->is_ours && !machine->details.has_os)
        ask_now(machines->os, &machine->os);
}

void machines_list_end(struct machines *machines, bool has_gaps)
{
    for (struct machine *machine = TAILQ_FIRST(&machines->all), *next; machine && !has_gaps;
         machine = next) {
        next = TAILQ_NEXT(machine, all);
        if (machine->seen < machines->list_asked)
            end(machine, machines->list_asked);
    }
    machines->list_has_gaps = has_gaps;
    machines->list_waits = true;
    conclude_list(machines);
}

// --- questions -----------------------------------------------------------------------------------

static int call(struct machine *machine, const char *interface, const char *member,
                const char *argument, sd_bus_message_handler_t answered, sd_bus_slot **slot)
{
    const struct machines *machines = machine->machines;
    uint64_t timeout_us =
        machines->host->timeout_ms ? machines->host->timeout_ms * UINT64_C(1000) : UINT64_MAX;
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(machines->bus, &message, MACHINED_NAME, machine->path,
                                           interface, member);

    if (r >= 0 && argument)
        r = sd_bus_message_append(message, "s", argument);
    if (r >= 0)
        r = sd_bus_message_set_auto_start(message, false); // it isn't ours to wake
    if (r >= 0)
        r = sd_bus_call_async(machines->bus, slot, message, answered, machine, timeout_us);
    return r;
}

static const char *error_text(sd_bus_message *answer)
{
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    return error ? (error->message ? error->message : error->name) : NULL;
}

static bool is_gone(sd_bus_message *answer)
{
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    return sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
           sd_bus_error_has_name(error, "org.freedesktop.machine1.NoSuchMachine");
}

// Answers that won't come later either: this container has no such thing.
static bool is_final(sd_bus_message *answer)
{
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    return !sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) &&
           !sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) &&
           !sd_bus_error_has_name(error, SD_BUS_ERROR_LIMITS_EXCEEDED) &&
           !sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) &&
           !sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void try_properties_later(struct machine *machine, const char *why)
{
    struct machines *machines = machine->machines;

    note(machines, machine, "the properties", why);
    ask_failed(machines->properties, &machine->properties);
    conclude_list(machines);
}

static void take_properties(struct machine *machine, struct machine_facts *facts)
{
    struct machines *machines = machine->machines;

    // Another one by the same name, while nobody told us.
    if (machine->is_known && machine->facts.leader != facts->leader)
        machine_details_done(&machine->details);
    machine_facts_done(&machine->facts);
    machine->facts = *facts;
    machine->is_known = machine->is_fresh = true;
    machine->is_ours = machine_is_ours(facts->class, facts->service) &&
                       machine_identify(&machine->facts, &machine->identity);
    ask_done(machines->properties, &machine->properties);
    if (machine->is_ours) {
        tell(machine, machine->asked);
        ask_now(machines->leaders, &machine->leader);
        ask_now(machines->os, &machine->os);
        ask_now(machines->addresses, &machine->addresses);
    }
    conclude_list(machines);
}

static int on_properties(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    struct machine *machine = userdata;
    struct machines *machines = machine->machines;
    struct machine_facts facts = {0};
    int r;

    (void)error;
    if (!take_answer(machine, &machine->properties_slot))
        return 0;
    if (is_gone(answer)) {
        end(machine, machine->asked);
        conclude_list(machines);
    } else if (error_text(answer)) {
        try_properties_later(machine, error_text(answer));
    } else if ((r = machine_facts_read(answer, &facts)) < 0) {
        machine_facts_done(&facts);
        machines->sink->count(machines->sink, 0, 0, 0, 1);
        try_properties_later(machine, strerror(-r));
    } else {
        take_properties(machine, &facts);
    }
    return 0;
}

static void ask_properties(void *userdata, struct ask *ask)
{
    struct machine *machine = MACHINE_OF(ask, properties);
    int r;

    (void)userdata;
    machine->asked = now_of(machine->machines);
    r = call(machine, "org.freedesktop.DBus.Properties", "GetAll",
             "org.freedesktop.machine1.Machine", on_properties, &machine->properties_slot);
    if (r < 0)
        try_properties_later(machine, strerror(-r));
}

static int on_os(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    struct machine *machine = userdata;
    struct machines *machines = machine->machines;

    (void)error;
    if (!take_answer(machine, &machine->os_slot))
        return 0;
    if (is_gone(answer)) {
        end(machine, machine->os_asked);
        return 0;
    }
    if (error_text(answer) ? !is_final(answer) : machine_os_read(answer, &machine->details) < 0) {
        ask_failed(machines->os, &machine->os);
        return 0;
    }
    machine->details.has_os = true; // or there is none to be told
    ask_done(machines->os, &machine->os);
    tell(machine, machine->os_asked);
    return 0;
}

static void ask_os(void *userdata, struct ask *ask)
{
    struct machine *machine = MACHINE_OF(ask, os);

    (void)userdata;
    machine->os_asked = now_of(machine->machines);
    if (call(machine, "org.freedesktop.machine1.Machine", "GetOSRelease", NULL, on_os,
             &machine->os_slot) < 0)
        ask_failed(machine->machines->os, ask);
}

// A network of its own gets its addresses when the container has begun: none so far is asked again
// a few times before it counts, and by upkeep later on.
static int on_addresses(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
    struct machine *machine = userdata;
    struct machines *machines = machine->machines;
    struct machine_details *details = &machine->details;
    bool had = details->has_addresses, again;

    (void)error;
    if (!take_answer(machine, &machine->addresses_slot))
        return 0;
    if (is_gone(answer)) {
        end(machine, machine->addresses_asked);
        return 0;
    }
    details->on_host_network = sd_bus_error_has_name(sd_bus_message_get_error(answer),
                                                     MACHINED_NAME ".NoPrivateNetworking");
    if (error_text(answer))
        again = !is_final(answer);
    else
        again = machine_addresses_read(answer, details) < 0 || details->addresses.count == 0;
    details->has_addresses = had;
    if (again && ask_failed(machines->addresses, &machine->addresses))
        return 0;
    if (!again)
        ask_done(machines->addresses, &machine->addresses);
    details->has_addresses = true;
    if (!had || details->addresses.count)
        tell(machine, machine->addresses_asked);
    return 0;
}

static void ask_addresses(void *userdata, struct ask *ask)
{
    struct machine *machine = MACHINE_OF(ask, addresses);

    (void)userdata;
    machine->addresses_asked = now_of(machine->machines);
    if (call(machine, "org.freedesktop.machine1.Machine", "GetAddresses", NULL, on_addresses,
             &machine->addresses_slot) < 0)
        ask_failed(machine->machines->addresses, ask);
}

// Until the container's own program runs its first process is nspawn, with all that nspawn may do.
static bool is_settled(const struct leader *leader)
{
    return leader->in_unit && strcmp(leader->comm, "systemd-nspawn") != 0;
}

static void ask_leader(void *userdata, struct ask *ask)
{
    struct machine *machine = MACHINE_OF(ask, leader);
    struct machine_details *details = &machine->details;
    struct machines *machines = userdata;
    int r = leader_look(machines->host->host_root, machine->facts.leader, machine->facts.unit,
                        &details->leader);

    details->has_leader = r == 0 && is_settled(&details->leader);
    if (!details->has_leader && ask_failed(machines->leaders, ask))
        return;
    if (details->has_leader)
        ask_done(machines->leaders, ask);
    details->leader_is_hidden = true; // from here on: what isn't known now won't be
    // A process that is there is news; that none is to be seen isn't.
    tell(machine, details->has_leader ? now_of(machines) : machine->asked);
}

// --- what is heard -------------------------------------------------------------------------------

void machines_appeared(struct machines *machines, const char *path)
{
    struct machine *machine = find_or_add(machines, path);

    if (!machine)
        return;
    // Another machine of a name that was here: what was known of the earlier one is void.
    if (machine->is_known)
        forget_answers(machine);
    machine->seen = now_of(machines);
    ask_now(machines->properties, &machine->properties);
}

void machines_vanished(struct machines *machines, const char *path)
{
    struct machine *machine = find(machines, path);

    if (!machine)
        return;
    end(machine, now_of(machines));
    conclude_list(machines);
}

void machines_upkeep(struct machines *machines)
{
    const int64_t now_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    struct machine *machine;
    unsigned asked = 0;

    TAILQ_FOREACH (machine, &machines->all, all) {
        if (!machine->is_fresh || !machine->is_ours || machine->details.on_host_network ||
            machine->details.addresses.count || machine->addresses.phase != ASK_IDLE ||
            now_ns - machine->facts.created_ns > ADDRESS_PATIENCE_NS)
            continue;
        if (asked++ == AGAIN_PER_UPKEEP)
            break;
        ask_now(machines->addresses, &machine->addresses);
    }
}

void machines_end_the_dead(struct machines *machines, engine_stamp when)
{
    for (struct machine *machine = TAILQ_FIRST(&machines->all), *next; machine; machine = next) {
        struct leader leader;
        int r;

        next = TAILQ_NEXT(machine, all);
        if (!machine->is_known || !machine->details.has_leader)
            continue;
        r = leader_look(machines->host->host_root, machine->facts.leader, machine->facts.unit,
                        &leader);
        if (r == -ESRCH || (r == 0 && !leader.in_unit)) {
            end(machine, when);
            continue;
        }
        machine->seen = when;
        confirm(machine, when);
    }
}

bool machines_have(const struct machines *machines, const char *id, size_t id_len)
{
    const struct machine *machine;

    TAILQ_FOREACH (machine, &machines->all, all)
        if (!machine->is_known || (strlen(machine->identity.id) == id_len &&
                                   memcmp(machine->identity.id, id, id_len) == 0))
            return true;
    return false;
}

void machines_doubt(struct machines *machines)
{
    struct machine *machine;

    TAILQ_FOREACH (machine, &machines->all, all)
        machine->is_fresh = false;
}

// --- life ----------------------------------------------------------------------------------------

void machines_open(struct machines *machines, sd_bus *bus)
{
    machines->bus = bus;
    ask_queue_open(machines->properties);
    ask_queue_open(machines->os);
    ask_queue_open(machines->addresses);
    ask_queue_open(machines->leaders);
}

static void take_back(struct ask_queue *queue, struct ask *ask, sd_bus_slot **slot)
{
    if (*slot)
        ask_requeue(queue, ask);
    *slot = sd_bus_slot_unref(*slot);
}

void machines_close(struct machines *machines)
{
    struct machine *machine, *next;

    ask_queue_close(machines->properties);
    ask_queue_close(machines->os);
    ask_queue_close(machines->addresses);
    ask_queue_close(machines->leaders);
    TAILQ_FOREACH (machine, &machines->all, all) {
        take_back(machines->properties, &machine->properties, &machine->properties_slot);
        take_back(machines->os, &machine->os, &machine->os_slot);
        take_back(machines->addresses, &machine->addresses, &machine->addresses_slot);
    }
    for (machine = TAILQ_FIRST(&machines->over); machine; machine = next) {
        next = TAILQ_NEXT(machine, all);
        discard(machine);
    }
    machines_doubt(machines);
    machines->list_waits = false;
    machines->bus = NULL;
}

int machines_new(const struct engine_host *host, const struct machines_calls *calls, void *userdata,
                 struct machines **out)
{
    struct machines *machines = calloc(1, sizeof(*machines));
    int r;

    if (!machines)
        return -ENOMEM;
    *machines =
        (struct machines){.host = host, .sink = host->sink, .calls = calls, .userdata = userdata};
    TAILQ_INIT(&machines->all);
    TAILQ_INIT(&machines->over);
    r = ask_queue_new(host->event, PROPERTIES_PARALLEL, ask_properties, machines,
                      &machines->properties);
    if (r >= 0)
        r = ask_queue_new(host->event, ENTER_PARALLEL, ask_os, machines, &machines->os);
    if (r >= 0)
        r = ask_queue_new(host->event, ENTER_PARALLEL, ask_addresses, machines,
                          &machines->addresses);
    if (r >= 0)
        r = ask_queue_new(host->event, 1, ask_leader, machines, &machines->leaders);
    if (r < 0) {
        machines_free(machines);
        return r;
    }
    *out = machines;
    return 0;
}

struct machines *machines_free(struct machines *machines)
{
    if (!machines)
        return NULL;
    if (machines->leaders)
        machines_close(machines);
    for (struct machine *machine = TAILQ_FIRST(&machines->all), *next; machine; machine = next) {
        next = TAILQ_NEXT(machine, all);
        forget(machine);
    }
    ask_queue_free(machines->properties);
    ask_queue_free(machines->os);
    ask_queue_free(machines->addresses);
    ask_queue_free(machines->leaders);
    free(machines);
    return NULL;
}
