// SPDX-License-Identifier: Apache-2.0
// A private message bus (a real dbus-daemon) and a systemd-machined on it that does on demand what
// the real one won't.
//
// machined's side lives in the test's own loop: it answers while the test waits. What cannot be
// ends the program with a message.
#ifndef FAKE_MACHINED_H
#define FAKE_MACHINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct fake_machined;

struct fake_machine {
    const char *name, *class, *service, *unit, *root; // NULL: container, systemd-nspawn, its own
                                                      // scope, /var/lib/machines/NAME
    uint32_t leader;
    const char *address;    // IPv4; NULL: none
    bool host_network;      // machined says that it has no network of its own
    const char *os;         // value of ID in its OS release; NULL: it has none
    bool mistyped, untyped; // properties of other types than they should have; no dictionary
};

enum fake_machined_mood {
    FAKE_MACHINED_WELL = 0,
    FAKE_MACHINED_SILENT,  // takes every question and never answers
    FAKE_MACHINED_RUBBISH, // lists are texts
    FAKE_MACHINED_FAILING, // every question is answered by an error
};

// Whether there is a dbus-daemon to begin with.
bool fake_machined_can_run(void);

// @socket is where the bus listens. machined isn't there before fake_machined_appear().
struct fake_machined *fake_machined_start(const char *socket);
struct fake_machined *fake_machined_stop(struct fake_machined *fake); // returns NULL

// The bus ends, and another one begins at the same place; machined isn't on it.
void fake_machined_kill_bus(struct fake_machined *fake);
void fake_machined_start_bus(struct fake_machined *fake);

// machined comes onto the bus, in the test's loop, or goes: its machines are remembered.
void fake_machined_appear(struct fake_machined *fake, sd_event *event);
void fake_machined_vanish(struct fake_machined *fake);
void fake_machined_set_mood(struct fake_machined *fake, enum fake_machined_mood mood);

// @signal: tell who listens.
void fake_machined_put(struct fake_machined *fake, const struct fake_machine *machine, bool signal);
void fake_machined_drop(struct fake_machined *fake, const char *name, bool signal);

// Somebody else tells everybody on the bus, one by one, that the machine was removed and that
// machined is gone; returns when the bus has passed it on.
void fake_machined_slander(const struct fake_machined *fake, const char *name);

// How often a method was called.
unsigned fake_machined_calls(const struct fake_machined *fake, const char *member);

#endif
