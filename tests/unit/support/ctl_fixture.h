// SPDX-License-Identifier: Apache-2.0
// What the tests of the CLI have in common: a folder with a region, this test as its daemon, and
// the program run on it.
#ifndef CTL_FIXTURE_H
#define CTL_FIXTURE_H

#include "unit/support/check_main.h"
#include "unit/support/program.h"
#include "unit/support/sample_record.h"

#include <jansson.h>

#define CTL TEST_BUILD "/containerd-meta-ctl"

struct ctl_fixture {
    struct temp_dir dir;
    struct cmeta_writer *writer;
    int lock_fd;
};
extern struct ctl_fixture fixture;

// A folder without a region; with a region and a live daemon; and nothing any more.
void ctl_begin_empty(void);
void ctl_begin(void);
void ctl_end(void);
// The daemon's lock is given up, as by its end.
void ctl_unlock(void);
void ctl_lock(void);

// Runs the program on the folder, in a UTF-8 locale.
extern const char *const ctl_environment[];
#define ctl(...)                                                                             \
    program_run((const char *const[]){CTL, "--region", fixture.dir.path, __VA_ARGS__, NULL}, \
                ctl_environment)

// How a run must have ended, and what must be in its standard error; NULL: nothing at all.
void ctl_check(struct program_result result, int status, const char *in_err);

// The output as one JSON value, of a run that ended well and had nothing to say beside it.
json_t *ctl_value(struct program_result result);

// A member that is a string; NULL if it is none.
const char *ctl_text(const json_t *object, const char *key);

// Puts content under a name; @word as in struct cmeta_live.
void ctl_put(const char *id, const char *scope, const struct cmeta_container *content,
             uint32_t word, uint32_t pid);

// Sets an engine row.
void ctl_engine(uint32_t index, const char *name, enum cmeta_engine_state state, const char *error);

#endif
