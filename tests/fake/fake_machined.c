// SPDX-License-Identifier: Apache-2.0
#include "fake_machined.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME       "org.freedesktop.machine1"
#define PATH       "/org/freedesktop/machine1"
#define MANAGER    NAME ".Manager"
#define MACHINE    NAME ".Machine"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define COUNTERS   4u

struct machine {
    LIST_ENTRY(machine) all;
    char *name, *class, *service, *unit, *root, *address, *os, *path;
    struct fake_machine told; // its numbers and flags
};

struct fake_machined {
    char *socket, *config;
    pid_t daemon;
    sd_bus *bus;
    enum fake_machined_mood mood;
    LIST_HEAD(, machine) machines;
    struct {
        const char *member;
        unsigned calls;
    } counters[COUNTERS];
};

static void die(const char *what, int r)
{
    fprintf(stderr, "fake machined: %s: %s\n", what, strerror(-r));
    abort();
}

static int need(const char *what, int r)
{
    if (r < 0)
        die(what, r);
    return r;
}

static char *keep(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        die("memory", -ENOMEM);
    return copy;
}

// --- the bus -------------------------------------------------------------------------------------

bool fake_machined_can_run(void)
{
    return access("/usr/bin/dbus-daemon", X_OK) == 0;
}

static void write_config(struct fake_machined *fake)
{
    FILE *file;

    if (asprintf(&fake->config, "%s.conf", fake->socket) < 0 || !(file = fopen(fake->config, "we")))
        die("configuration of the bus", -errno);
    fprintf(file,
            "<busconfig><type>system</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>"
            "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>"
            "<allow eavesdrop=\"true\"/><allow own=\"*\"/><allow user=\"*\"/></policy>"
            "</busconfig>\n",
            fake->socket);
    fclose(file);
}

// Returns when it listens: it says its address then.
void fake_machined_start_bus(struct fake_machined *fake)
{
    char option[256], line[512];
    int ends[2];
    FILE *said;

    snprintf(option, sizeof(option), "--config-file=%s", fake->config);
    unlink(fake->socket);
    if (pipe(ends) < 0 || (fake->daemon = fork()) < 0)
        die("bus", -errno);
    if (fake->daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that fails stops nothing
        dup2(ends[1], 3);
        close_range(4, ~0u, 0);
        execl("/usr/bin/dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
              "--nosyslog", "--print-address=3", NULL);
        _exit(127);
    }
    close(ends[1]);
    said = fdopen(ends[0], "r");
    if (!said || !fgets(line, sizeof(line), said))
        die("the bus doesn't start", -EIO);
    fclose(said);
}

void fake_machined_kill_bus(struct fake_machined *fake)
{
    fake_machined_vanish(fake);
    kill(fake->daemon, SIGKILL);
    waitpid(fake->daemon, NULL, 0);
    unlink(fake->socket);
    fake->daemon = 0;
}

// Whoever it is.
static sd_bus *connect_to_bus(const struct fake_machined *fake)
{
    char address[256];
    sd_bus *bus;

    snprintf(address, sizeof(address), "unix:path=%s", fake->socket);
    need("bus", sd_bus_new(&bus));
    need("address", sd_bus_set_address(bus, address));
    need("client", sd_bus_set_bus_client(bus, true));
    need("start", sd_bus_start(bus));
    return bus;
}

// --- answers -------------------------------------------------------------------------------------

static void count(struct fake_machined *fake, const char *member)
{
    for (size_t i = 0; i < COUNTERS; i++) {
        if (!fake->counters[i].member)
            fake->counters[i].member = keep(member);
        if (strcmp(fake->counters[i].member, member) != 0)
            continue;
        fake->counters[i].calls++;
        return;
    }
}

unsigned fake_machined_calls(const struct fake_machined *fake, const char *member)
{
    for (size_t i = 0; i < COUNTERS && fake->counters[i].member; i++)
        if (strcmp(fake->counters[i].member, member) == 0)
            return fake->counters[i].calls;
    return 0;
}

static struct machine *find(struct fake_machined *fake, const char *path)
{
    struct machine *machine;

    LIST_FOREACH (machine, &fake->machines, all)
        if (strcmp(machine->path, path) == 0)
            return machine;
    return NULL;
}

static void append_list(struct fake_machined *fake, sd_bus_message *reply)
{
    struct machine *machine;

    if (fake->mood == FAKE_MACHINED_RUBBISH) {
        need("rubbish", sd_bus_message_append(reply, "s", "a list, they say"));
        return;
    }
    need("list", sd_bus_message_open_container(reply, 'a', "(ssso)"));
    need("host",
         sd_bus_message_append(reply, "(ssso)", ".host", "host", "", PATH "/machine/_2ehost"));
    LIST_FOREACH (machine, &fake->machines, all)
        need("machine", sd_bus_message_append(reply, "(ssso)", machine->name, machine->class,
                                              machine->service, machine->path));
    need("list", sd_bus_message_close_container(reply));
}

static void append_properties(const struct machine *machine, sd_bus_message *reply)
{
    static const uint8_t id[16] = {0x83, 0x34, 0xa0, 0x7b, 0x9b, 0x85, 0x4c, 0x20,
                                   0xaa, 0x45, 0x59, 0xba, 0x69, 0x72, 0xe0, 0x75};
    bool odd = machine->told.mistyped;

    if (machine->told.untyped) {
        need("rubbish", sd_bus_message_append(reply, "as", 2, "Name", machine->name));
        return;
    }
    need("open", sd_bus_message_open_container(reply, 'a', "{sv}"));
    need("texts", sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "Name", "s", machine->name,
                                        "Class", "s", machine->class, "Service", "s",
                                        machine->service, "Unit", "s", machine->unit));
    need("root", odd ? sd_bus_message_append(reply, "{sv}", "RootDirectory", "u", 7u)
                     : sd_bus_message_append(reply, "{sv}", "RootDirectory", "s", machine->root));
    need("leader", odd ? sd_bus_message_append(reply, "{sv}", "Leader", "s", "seven")
                       : sd_bus_message_append(reply, "{sv}", "Leader", "u", machine->told.leader));
    need("time",
         sd_bus_message_append(reply, "{sv}", "Timestamp", "t", UINT64_C(1795316336000000)));
    need("more", sd_bus_message_append(reply, "{sv}{sv}", "NetworkInterfaces", "ai", 1, 4, "State",
                                       "s", "running"));
    need("id", sd_bus_message_open_container(reply, 'e', "sv"));
    need("id", sd_bus_message_append(reply, "s", "Id"));
    need("id", sd_bus_message_open_container(reply, 'v', "ay"));
    need("id", sd_bus_message_append_array(reply, 'y', id, odd ? 3 : sizeof(id)));
    need("id", sd_bus_message_close_container(reply));
    need("id", sd_bus_message_close_container(reply));
    need("close", sd_bus_message_close_container(reply));
}

static void append_addresses(const struct machine *machine, sd_bus_message *reply)
{
    struct in_addr address;
    struct in6_addr local = {.s6_addr = {0xfe, 0x80, [15] = 1}};

    need("open", sd_bus_message_open_container(reply, 'a', "(iay)"));
    if (machine->address && inet_pton(AF_INET, machine->address, &address) == 1) {
        need("address", sd_bus_message_open_container(reply, 'r', "iay"));
        need("address", sd_bus_message_append(reply, "i", AF_INET6));
        need("address", sd_bus_message_append_array(reply, 'y', &local, sizeof(local)));
        need("address", sd_bus_message_close_container(reply));
        need("address", sd_bus_message_open_container(reply, 'r', "iay"));
        need("address", sd_bus_message_append(reply, "i", AF_INET));
        need("address", sd_bus_message_append_array(reply, 'y', &address, sizeof(address)));
        need("address", sd_bus_message_close_container(reply));
    }
    need("close", sd_bus_message_close_container(reply));
}

static int answer_machine(const struct machine *machine, sd_bus_message *question)
{
    sd_bus_message *reply;
    int r;

    if (sd_bus_message_is_method_call(question, MACHINE, "GetAddresses") &&
        machine->told.host_network)
        return sd_bus_reply_method_errorf(question, NAME ".NoPrivateNetworking",
                                          "Machine %s does not use private networking",
                                          machine->name);
    if (sd_bus_message_is_method_call(question, MACHINE, "GetOSRelease") && !machine->os)
        return sd_bus_reply_method_errorf(question, SD_BUS_ERROR_FAILED, "no OS release");
    need("reply", sd_bus_message_new_method_return(question, &reply));
    if (sd_bus_message_is_method_call(question, PROPERTIES, "GetAll"))
        append_properties(machine, reply);
    else if (sd_bus_message_is_method_call(question, MACHINE, "GetAddresses"))
        append_addresses(machine, reply);
    else
        need("os", sd_bus_message_append(reply, "a{ss}", 2, "ID", machine->os, "HOME_URL",
                                         "https://example.org/"));
    r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int answer_manager(struct fake_machined *fake, sd_bus_message *question)
{
    sd_bus_message *reply;
    int r;

    need("reply", sd_bus_message_new_method_return(question, &reply));
    append_list(fake, reply);
    r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int on_question(sd_bus_message *question, void *userdata, sd_bus_error *error)
{
    struct fake_machined *fake = userdata;
    const char *path = sd_bus_message_get_path(question);
    struct machine *machine = path ? find(fake, path) : NULL;

    (void)error;
    if (!path || strncmp(path, PATH, strlen(PATH)) != 0 ||
        sd_bus_message_is_signal(question, NULL, NULL))
        return 0;
    count(fake, sd_bus_message_get_member(question));
    if (fake->mood == FAKE_MACHINED_SILENT)
        return 1;
    if (fake->mood == FAKE_MACHINED_FAILING)
        need("error", sd_bus_reply_method_errorf(question, SD_BUS_ERROR_FAILED, "not today"));
    else if (sd_bus_message_is_method_call(question, MANAGER, "ListMachines"))
        need("answer", answer_manager(fake, question));
    else if (machine)
        need("answer", answer_machine(machine, question));
    else
        need("error", sd_bus_reply_method_errorf(question, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                                 "Unknown object '%s'.", path));
    return 1;
}

void fake_machined_appear(struct fake_machined *fake, sd_event *event)
{
    fake->bus = connect_to_bus(fake);
    need("filter", sd_bus_add_filter(fake->bus, NULL, on_question, fake));
    need("name", sd_bus_request_name(fake->bus, NAME, 0));
    need("loop", sd_bus_attach_event(fake->bus, event, 0));
}

void fake_machined_vanish(struct fake_machined *fake)
{
    fake->bus = sd_bus_flush_close_unref(fake->bus);
}

// --- machines ------------------------------------------------------------------------------------

static void emit(struct fake_machined *fake, const char *member, const struct machine *machine)
{
    need("signal",
         sd_bus_emit_signal(fake->bus, PATH, MANAGER, member, "so", machine->name, machine->path));
}

static void free_machine(struct machine *machine)
{
    LIST_REMOVE(machine, all);
    free(machine->name);
    free(machine->class);
    free(machine->service);
    free(machine->unit);
    free(machine->root);
    free(machine->address);
    free(machine->os);
    free(machine->path);
    free(machine);
}

void fake_machined_put(struct fake_machined *fake, const struct fake_machine *told, bool signal)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    char text[512];

    if (!machine)
        die("memory", -ENOMEM);
    fake_machined_drop(fake, told->name, false);
    machine->told = *told;
    machine->name = keep(told->name);
    machine->class = keep(told->class ? told->class : "container");
    machine->service = keep(told->service ? told->service : "systemd-nspawn");
    snprintf(text, sizeof(text), "machine-%s.scope", told->name);
    machine->unit = keep(told->unit ? told->unit : text);
    snprintf(text, sizeof(text), "/var/lib/machines/%s", told->name);
    machine->root = keep(told->root ? told->root : text);
    machine->address = keep(told->address);
    machine->os = keep(told->os);
    need("path", sd_bus_path_encode(PATH "/machine", told->name, &machine->path));
    LIST_INSERT_HEAD(&fake->machines, machine, all);
    if (signal)
        emit(fake, "MachineNew", machine);
}

void fake_machined_drop(struct fake_machined *fake, const char *name, bool signal)
{
    struct machine *machine;

    LIST_FOREACH (machine, &fake->machines, all) {
        if (strcmp(machine->name, name) != 0)
            continue;
        if (signal)
            emit(fake, "MachineRemoved", machine);
        free_machine(machine);
        return;
    }
}

// --- somebody else on the bus --------------------------------------------------------------------

static void whisper(sd_bus *bus, const char *to, const char *path, const char *interface,
                    const char *member, const char *types, const char *const texts[3])
{
    sd_bus_message *message;

    need("signal", sd_bus_message_new_signal(bus, &message, path, interface, member));
    need("destination", sd_bus_message_set_destination(message, to));
    for (size_t i = 0; types[i]; i++)
        need("text", sd_bus_message_append_basic(message, types[i], texts[i]));
    need("send", sd_bus_send(bus, message, NULL));
    sd_bus_message_unref(message);
}

void fake_machined_slander(const struct fake_machined *fake, const char *name)
{
    sd_bus *bus = connect_to_bus(fake);
    char **names, *path;

    need("path", sd_bus_path_encode(PATH "/machine", name, &path));
    need("names", sd_bus_list_names(bus, &names, NULL));
    for (char **one = names; *one; one++) {
        if (**one == ':') {
            whisper(bus, *one, PATH, MANAGER, "MachineRemoved", "so",
                    (const char *const[]){name, path, NULL});
            whisper(bus, *one, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                    "sss", (const char *const[]){NAME, ":1.0", ""});
        }
        free(*one);
    }
    free(names);
    free(path);
    // Its answer comes after all that was sent before has been passed on.
    need("names", sd_bus_list_names(bus, &names, NULL));
    for (char **one = names; *one; one++)
        free(*one);
    free(names);
    sd_bus_flush_close_unref(bus);
}

void fake_machined_set_mood(struct fake_machined *fake, enum fake_machined_mood mood)
{
    fake->mood = mood;
}

// --- life ----------------------------------------------------------------------------------------

struct fake_machined *fake_machined_start(const char *socket)
{
    struct fake_machined *fake = calloc(1, sizeof(*fake));

    if (!fake)
        die("memory", -ENOMEM);
    fake->socket = keep(socket);
    LIST_INIT(&fake->machines);
    write_config(fake);
    fake_machined_start_bus(fake);
    return fake;
}

struct fake_machined *fake_machined_stop(struct fake_machined *fake)
{
    if (fake->daemon)
        fake_machined_kill_bus(fake);
    for (struct machine *machine = LIST_FIRST(&fake->machines), *next; machine; machine = next) {
        next = LIST_NEXT(machine, all);
        free_machine(machine);
    }
    for (size_t i = 0; i < COUNTERS; i++)
        free((char *)fake->counters[i].member);
    unlink(fake->config);
    free(fake->config);
    free(fake->socket);
    free(fake);
    return NULL;
}
