// SPDX-License-Identifier: Apache-2.0
// An ECS task's metadata, as its endpoint tells it, and the containers in it.
//
// Source: the task metadata endpoint of Amazon ECS, version 4 (GET ${ECS_CONTAINER_METADATA_URI_V4}
// /task), on Fargate and on EC2.
#ifndef ECS_TASK_H
#define ECS_TASK_H

#include "containerd-meta/container.h"

#include <jansson.h>

/**
 * ecs_task_containers() - the list of containers in an answer
 * Return: the array; NULL if this is no task's metadata.
 */
const json_t *ecs_task_containers(const json_t *task);

// "FARGATE cart:12", for the engine's row.
void ecs_task_title(const json_t *task, char *title, size_t size);

/**
 * ecs_task_container() - one container of a task
 * @task:    the whole answer: what it says of the task holds for each container
 * @element: of its list
 * Return: the container; NULL if it has no usable ID, or there is no memory.
 */
struct container *ecs_task_container(const json_t *task, const json_t *element,
                                     const struct container_limits *limits);

#endif
