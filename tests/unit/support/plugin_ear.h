// SPDX-License-Identifier: Apache-2.0
// Hearing what the plugin tells: container events from the host's queue, one by one, as JSON.
#ifndef PLUGIN_EAR_H
#define PLUGIN_EAR_H

#include "plugin_bed.h"

#include <jansson.h>

struct told {
    char name[32]; // of the event; "" if there was none
    uint64_t ts, tid;
    char *text;  // the document
    json_t *doc; // the object below "container"
    json_t *root;
};

// Takes the next event and delivers it to the plugin. Return: false if there is none now.
bool ear_take(struct host *host, struct told *told);
// The same, and waits for one; the test's own limit ends it.
void ear_hear(struct host *host, struct told *told);
// Takes an event without delivering it: it never comes back.
bool ear_steal(struct host *host, struct told *told);
void ear_clear(struct told *told);
// Reads an event; asserts that its document is one.
void ear_read(const struct falco_event *event, struct told *told);

// Hears the next event and asserts its name and the sample it is of; the event stays to be looked
// at and cleared.
struct told ear_expect(struct host *host, const char *name, unsigned n);
// A text of the document, "" if it isn't there.
const char *ear_text(const struct told *told, const char *key);
// Asserts that nothing is told, having given the follower time to look: `n` is a sample not used
// otherwise, which is put to see what comes first.
void ear_expect_nothing_before(struct bed *bed, unsigned n);

#endif
