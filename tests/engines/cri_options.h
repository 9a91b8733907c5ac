// SPDX-License-Identifier: Apache-2.0
// The command line of cri-client as messages of the Container Runtime Interface: one set of options
// for pods and containers, of which each verb takes what it needs.
#ifndef TESTS_ENGINES_CRI_OPTIONS_H
#define TESTS_ENGINES_CRI_OPTIONS_H

#include "cri_client.pb-c.h"

#include <stdbool.h>

#define OPTIONS_MAX 128 // of each kind that may be repeated

struct key_values {
    Criclient__KeyValue *all[OPTIONS_MAX];
    size_t count;
};

struct cri_options {
    char *name, *ns, *uid, *hostname, *image, *user_image, *cgroup_parent, *log_directory,
        *pod_file, *handler;
    unsigned attempt;
    bool privileged;
    int64_t user, timeout_s; // user: -1 is the image's
    Cri__NamespaceOption namespaces;
    Cri__LinuxContainerResources resources;
    struct key_values labels, annotations, envs;
    Cri__Mount *mounts[OPTIONS_MAX];
    size_t mounts_count;
    Criclient__PortMapping *ports[OPTIONS_MAX];
    size_t ports_count;
    char **arguments; // what isn't an option
    size_t arguments_count;
};

// Says what is wrong and ends the program, if anything is. What is filled lives as long as `argv`.
void cri_options_parse(int argc, char **argv, struct cri_options *options);
void cri_options_usage(void) __attribute__((noreturn));

#endif
