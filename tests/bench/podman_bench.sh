#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a create event of a real podman to a readable record; see docker_visible.c.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
. "$here/podman.sh"
hindrance=$(podman_hindrance)
if [ -n "$hindrance" ]; then
    echo "podman_bench: not measured: $hindrance" >&2
    exit 0
fi
configure_podman && make_podman_image lab:1 && start_podman 0 || exit 1
# The region is on tmpfs, as in life: a disk's file system would be in the figure.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"
"$BUILD/bench/docker_visible" podman "$podman_sock" "$region" lab:1 100
