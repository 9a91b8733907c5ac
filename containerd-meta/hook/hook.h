// SPDX-License-Identifier: Apache-2.0
// What the OCI hook and the daemon agree on.
//
// A hook sends one datagram: the state that its runtime gave it, as it is, and one end of a pair of
// sockets. It waits at the other end, and goes on when a byte comes, when the end is closed, or
// when its time is up.
#ifndef HOOK_H
#define HOOK_H

#define HOOK_DEFAULT_SOCKET "/run/containerd-meta/hook"
#define HOOK_STATE_MAX      (128u << 10) // bytes; of what is longer nothing is told
#define HOOK_LIMIT_MS       50           // of the hook's waiting, all in all

#endif
