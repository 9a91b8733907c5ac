#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a create event of a real Docker to a readable record; see docker_visible.c.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
. "$here/docker.sh"
hindrance=$(docker_hindrance)
if [ -n "$hindrance" ]; then
    echo "docker_bench: not measured: $hindrance" >&2
    exit 0
fi
start_docker && make_image lab:1 || exit 1
# The region is on tmpfs, as in life: a disk's file system would be in the figure.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"
"$BUILD/bench/docker_visible" docker "$docker_sock" "$region" lab:1 300
