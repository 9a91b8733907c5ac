// SPDX-License-Identifier: Apache-2.0
// What other engines need of Edera: to say so when its socket was listed under their names.
#ifndef EDERA_H
#define EDERA_H

#include "containerd-meta/transport/grpc.h"

/**
 * edera_ask_host() - whether Edera's control service answers on a channel
 * @done: RPC_OK if it does
 * Return: 0 and the call, or -errno.
 */
int edera_ask_host(struct rpc_channel *channel, unsigned timeout_ms,
                   void (*done)(void *userdata, const struct rpc_response *response),
                   void *userdata, struct rpc_call **call);

#endif
