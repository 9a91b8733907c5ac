// SPDX-License-Identifier: Apache-2.0
// What every test of the plugin stands on: a folder, a writer with a region in it, and the strict
// plugin host with the plugin, opened live.
#ifndef PLUGIN_BED_H
#define PLUGIN_BED_H

#include "check_main.h"
#include "sample_record.h"
#include "tests/host/host.h"

#define BED_PLUGIN TEST_BUILD "/libcontainer.so"

struct bed {
    struct temp_dir dir;
    struct cmeta_writer *writer; // NULL: no region
    struct host *host;
};

// A folder and a region; no host yet.
void bed_make(struct bed *bed);
// The host with the plugin; `more` are further keys of the configuration ("\"log_level\":\"info\"")
// or NULL. The plugin is initialised, nothing is open.
struct host *bed_host(const struct bed *bed, const char *more);
// Both, and a live capture with one thread of the host, 1.
void bed_open(struct bed *bed, const char *more);
// Ends everything; asserts that the plugin broke no rule.
void bed_close(struct bed *bed);
// The same for one host.
void bed_end(struct host *host);

// Publishes content for sample n, running.
void bed_put(struct bed *bed, unsigned n, const struct cmeta_container *content);
// The same in another scope than the samples'.
void bed_put_in(struct bed *bed, const char *scope, unsigned n,
                const struct cmeta_container *content);

// Sample n's cgroup rows as host_thread_add() takes them; valid until the next call.
const char *bed_rows(unsigned n);
// Rows of a path: "cpu=PATH\nmemory=PATH".
const char *bed_rows_of(const char *path);
// Sample n as container.id shows it; valid until the next call.
const char *bed_short_id(unsigned n);

// A thread's start or exec with a cgroup path, the same for five controllers; NULL: no parameter.
void bed_exec(struct host *host, int64_t tid, const char *path);
void bed_clone(struct host *host, int64_t tid, int64_t ptid, const char *path);
// "/docker/ID" of sample n; valid until the next call.
const char *bed_path(unsigned n);

// A field of the current event; `expected` NULL: no value.
void bed_expect(struct host *host, const char *field, const char *expected);
// The same for an event of no interest of a thread.
void bed_expect_of(struct host *host, int64_t tid, const char *field, const char *expected);
// What the host's table says of a thread.
void bed_expect_id(struct host *host, int64_t tid, const char *container_id);
// Delivers events, those of the plugin's included, until a field of a thread has a value; the
// test's own limit ends it.
void bed_wait_of(struct host *host, int64_t tid, const char *field, const char *expected);
// A metric, also while the follower writes it.
double bed_metric(struct host *host, const char *name);
// Waits until it has a value.
void bed_wait_metric(struct host *host, const char *name, double expected);
// An event that is parsed, and concerns nobody.
void bed_tick(struct host *host);

// Threads of this process, and a wait for so many: one that was joined is listed a moment longer.
unsigned bed_threads(void);
void bed_wait_threads(unsigned n);

// Whether a log line contains a text; lets the follower go on until there is one.
bool bed_logged(struct host *host, const char *part);
void bed_wait_log(struct host *host, const char *part);

#endif
