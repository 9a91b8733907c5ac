#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From an LXC container's configuration to a readable record; see lxc_visible.c.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
# The region is on tmpfs, as in life: a disk's file system would be in the figure.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"
"$BUILD/bench/lxc_visible" "$region" 200
