#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a create event of a real containerd to a readable record, of its own containers and of those
# that CRI makes; see containerd_visible.c.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
. "$here/containerd.sh"
hindrance=$(containerd_hindrance)
if [ -n "$hindrance" ]; then
    echo "containerd_bench: not measured: $hindrance" >&2
    exit 0
fi
image=registry.test:5000/team/lab:1.0
count=150
{ start_containerd && import_images "$image" && pod=$(run_pod web shop 1234); } >&2 || exit 1
# The region is on tmpfs, as in life: a disk's file system would be in the figure.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"

# measure FIGURE [pod]: one container after the other, by make_one NUMBER
measure() {
    local visible i
    "$BUILD/bench/containerd_visible" "$ctd_sock" "$region" "$count" "$@" &
    visible=$!
    pids+=("$visible")
    until_true 20 engine_state connected || return
    for ((i = 0; i < count; i++)); do make_one "$i" >&2 || return; done
    wait "$visible"
}

make_one() { ctr -n default containers create "$image" "one-$1" true; }
measure containerd_create_visible_p99_us || exit 1
rm -rf "${region:?}"/*
make_one() { create_in web "$pod" "one-$1" "$image" -- true >/dev/null; }
measure cri_create_visible_p99_us pod
