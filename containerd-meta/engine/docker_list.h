// SPDX-License-Identifier: Apache-2.0
// The list in Docker's form: who exists. Each element goes to the sink and to docker_fetch; a list
// without gaps ends whoever it doesn't name. Belongs to one engine instance.
#ifndef DOCKER_LIST_H
#define DOCKER_LIST_H

#include "docker_fetch.h"

struct docker_list;
struct http_response;

/**
 * docker_list_new() - Return: 0 or -ENOMEM. @fetch lives longer.
 * @done: a list ended, as http_list() says it; what it brought has been told
 */
int docker_list_new(const struct engine_host *host, const struct docker_dialect *dialect,
                    struct docker_fetch *fetch,
                    void (*done)(void *userdata, const struct http_response *response),
                    void *userdata, struct docker_list **list);
struct docker_list *docker_list_free(struct docker_list *list); // returns NULL

/**
 * docker_list_ask() - ask for all; nothing happens if a list is under way
 * @prefix: of the path: "/v1.41"
 * Return: 0 or -errno.
 */
int docker_list_ask(struct docker_list *list, const char *prefix);
void docker_list_cancel(struct docker_list *list);
bool docker_list_is_under_way(const struct docker_list *list);

#endif
