#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a real LXD's answer about a new instance to a readable record; see incus_visible.c.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
. "$here/lxd.sh"
hindrance=$(lxd_hindrance)
if [ -n "$hindrance" ]; then
    echo "incus_bench: not measured: $hindrance" >&2
    exit 0
fi
start_lxd && lxd_setup || exit 1
# The region is on tmpfs, as in life: a disk's file system would be in the figure.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"
"$BUILD/bench/incus_visible" "$lxd_dir" "$region" 200
