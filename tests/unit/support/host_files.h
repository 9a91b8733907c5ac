// SPDX-License-Identifier: Apache-2.0
// A host's files as a test makes them up: what an engine that reads folders and /proc is told is
// the host. One per process.
#ifndef HOST_FILES_H
#define HOST_FILES_H

#include "fixture.h"

// Where they are; what the daemon is told as its host_root.
extern char host_root[128];

// For fixture_make_files(): a host below the fixture's place, in whose network this process is. The
// engine's folder is at @folder of it and isn't there yet.
void host_make(struct fixture *f, const char *engine, const char *folder);
// fixture_run() with that host.
void host_run(struct fixture *f);

// A file, with the folders that lead to it.
void host_put(const char *path, const char *text);
// The same, renamed into place.
void host_replace(const char *path, const char *text);
void host_remove(const char *path);

// A process in a cgroup. It was started PID * 10 ticks after the boot.
void host_put_process(int pid, const char *cgroup);
void host_end_process(int pid);

#endif
