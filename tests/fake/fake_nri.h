// SPDX-License-Identifier: Apache-2.0
// A container runtime's end of NRI: it listens, accepts one plugin at a time, configures it, tells
// what there is, and asks. Everything is done by the caller's thread and waits for its answer; what
// doesn't come within ten seconds ends the program.
#ifndef FAKE_NRI_H
#define FAKE_NRI_H

#include "nri.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_NRI_PLUGIN "nri.pkg.api.v1alpha1.Plugin"

struct fake_nri {
    char path[108];
    int listener, fd;
    uint32_t stream; // of the last call
    // How bytes are laid out; 0: as Go does it.
    size_t split;               // bytes of a write
    size_t trunk_max;           // payload of a trunk frame
    bool is_mixed;              // payload of unknown logical connections in between
    bool answer_late;           // RegisterPlugin is answered after Configure
    bool has_rpcs;              // NRI 0.12: methods of their own; else StateChange
    const char *name, *version; // of the runtime
    int limit_ms;               // of an answer, as runtimes have one; 0: the program's ten seconds
    // What the plugin said.
    char plugin_name[64], plugin_index[8];
    int32_t events;
    uint8_t *in;
    size_t in_bytes, in_room;
};

// What came back.
struct fake_nri_reply {
    uint32_t stream;
    int32_t code; // -1: the connection ended instead, or the limit passed
    char message[128];
    uint8_t payload[256];
    size_t bytes;
};

void fake_nri_listen(struct fake_nri *fake, const char *path);
// Accept, take the registration, answer it, configure; with an empty list of what there is.
void fake_nri_admit(struct fake_nri *fake);
// Parts of it.
void fake_nri_accept(struct fake_nri *fake);
void fake_nri_take_registration(struct fake_nri *fake);
void fake_nri_answer_registration(struct fake_nri *fake, int32_t code, const char *message);
void fake_nri_configure(struct fake_nri *fake);
// A piece of the list. Return: whether the plugin says that it waits for more.
bool fake_nri_synchronize(struct fake_nri *fake, const Nri__SynchronizeRequest *piece);

// Throw the plugin out; and stop listening as well.
void fake_nri_expel(struct fake_nri *fake);
void fake_nri_stop(struct fake_nri *fake);
// Whether somebody connects within so many milliseconds.
bool fake_nri_is_called(struct fake_nri *fake, int ms);

// Send a call; take the next answer; both.
uint32_t fake_nri_send(struct fake_nri *fake, const char *service, const char *method,
                       const void *payload, size_t bytes);
struct fake_nri_reply fake_nri_receive(struct fake_nri *fake);
struct fake_nri_reply fake_nri_call(struct fake_nri *fake, const char *method,
                                    const ProtobufCMessage *message);
// An event by its number, as the fake's version sends it. @container may be NULL.
struct fake_nri_reply fake_nri_event(struct fake_nri *fake, int32_t event, Nri__PodSandbox *pod,
                                     Nri__Container *container);

// Any bytes onto the socket; one message of the trunk's connection, whatever it is.
void fake_nri_raw(struct fake_nri *fake, const void *bytes, size_t count);
void fake_nri_message(struct fake_nri *fake, uint32_t channel, uint32_t stream, uint8_t type,
                      const void *data, size_t bytes);
// Whether the plugin has closed the connection; waits for it.
bool fake_nri_is_closed(struct fake_nri *fake);

#endif
