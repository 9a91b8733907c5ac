// SPDX-License-Identifier: Apache-2.0
// Call scripts: whole lives of a plugin over synthetic threads, in every order that hosts are known
// to call in. Each is run against a plugin file and must end without a violation.
#ifndef HOST_SCRIPTS_H
#define HOST_SCRIPTS_H

#include <stddef.h>

#include "tests/host/report.h"

struct script {
    const char *name;
    const char *what; // one line
};

// The scripts, ended by a NULL name.
const struct script *scripts_all(void);

/**
 * script_run - run one script
 * @so, @config: the plugin and its configuration (NULL: "")
 * @r: where violations of all hosts of the script go, prefixed by nothing
 * @why, @why_bytes: on refusal, why
 *
 * Return: number of violations, at most INT_MAX; -ENOENT: no such script; -ECONNREFUSED: the plugin
 * refused where it shouldn't.
 */
int script_run(const char *name, const char *so, const char *config, struct report *r, char *why,
               size_t why_bytes);

#endif
