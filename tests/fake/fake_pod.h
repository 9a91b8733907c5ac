// SPDX-License-Identifier: Apache-2.0
// Pods and containers as tests describe them to fake engines; each engine tells them in its words.
#ifndef FAKE_POD_H
#define FAKE_POD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_pod {
    const char *id, *name, *ns, *uid;
    const char *ip;  // NULL: none yet
    const char *app; // value of the pod's label app; NULL: "web"
    bool host_network;
};

struct fake_container {
    const char *id, *name;
    const struct fake_pod *pod; // NULL: none
    const char *ns;             // containerd's namespace; NULL: "k8s.io"
    const char *image;          // NULL: FAKE_IMAGE
    const char *spec;           // JSON; NULL: a usual one
    const char *info;           // CRI's verbose part; NULL: a usual one, "": none
    uint32_t pid;
    bool privileged;
    const char *const *labels; // further ones: key, value, …, NULL
};

#define FAKE_IMAGE    "registry.example.com:5000/team/app:1.2"
#define FAKE_IMAGE_ID "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define FAKE_DIGEST   "sha256:2222222222222222222222222222222222222222222222222222222222222222"

// A runtime spec as Kubernetes' containers have them, some 3 KiB. To be freed.
char *fake_spec(const struct fake_container *container, const char *annotations);
// printf into memory of its own.
char *fake_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Of one container.
#define FAKE_LABELS_MAX 600

#endif
