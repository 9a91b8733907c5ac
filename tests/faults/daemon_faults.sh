#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What can go wrong around the daemon: a full file system, a memory limit, a folder that can't be
# used, another daemon, a stopped one. Always: a message that says what to do, and readers that go
# on.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
none="engines:
  docker: {enabled: false}
  containerd: {enabled: false}
  cri: {enabled: false}
"
printf '%s' "$none" >"$work/none.yaml"

# refused TEXT PATTERN COMMAND...: ends with status 1 and says PATTERN
refused() {
    local text=$1 pattern=$2 status
    shift 2
    timeout 20 "$@" >"$work/out" 2>&1
    status=$?
    if [ "$status" = 1 ] && grep -q -- "$pattern" "$work/out"; then
        pass "$text"
    else
        fail "$text: status $status, said: $(cat "$work/out")"
    fi
}

# --- places that can't be used -------------------------------------------------------------------
touch "$work/file"
refused "a_region_folder_that_is_a_file_is_told" "$work/file" \
    "$daemon_bin" --region "$work/file" --config "$work/none.yaml"
refused "a_region_folder_without_a_parent_is_told" "can't be made" \
    "$daemon_bin" --region "$work/no/such/folder" --config "$work/none.yaml"

if [ "$(id -u)" = 0 ] && mkdir "$work/full" && mount -t tmpfs -o size=1m tmpfs "$work/full" 2>/dev/null; then
    refused "a_full_tmpfs_is_an_error_at_start_not_a_sigbus" "no region can be made" \
        "$daemon_bin" --region "$work/full" --config "$work/none.yaml"
    check_equal "and_leaves_nothing_behind" "lock" "$(ls "$work/full")"
    umount "$work/full"
else
    skip "a_full_tmpfs_is_an_error_at_start_not_a_sigbus: no right to mount a tmpfs"
fi

# A memory cgroup's limit kills who goes beyond it with fallocate: the daemon looks first.
limit_memory() { # BYTES: a cgroup in $group
    if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
        group=/sys/fs/cgroup/memory$(awk -F: '$2 ~ /(^|,)memory(,|$)/ {print $3}' /proc/self/cgroup)/containerd-meta-test-$$
        mkdir "$group" 2>/dev/null && echo "$1" >"$group/memory.limit_in_bytes"
    else
        group=/sys/fs/cgroup$(awk -F: '$1 == 0 {print $3}' /proc/self/cgroup)/containerd-meta-test-$$
        mkdir "$group" 2>/dev/null && echo "$1" >"$group/memory.max" 2>/dev/null
    fi
}
on_tmpfs=$(stat -f -c %T /dev/shm 2>/dev/null)
if [ "$(id -u)" = 0 ] && [ "$on_tmpfs" = tmpfs ] && limit_memory $((3 << 20)); then
    place=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
    chmod 755 "$place"
    refused "a_memory_limit_is_a_message_not_a_kill" "memory" \
        sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" --region "$3" --config "$4"' _ \
        "$group" "$daemon_bin" "$place" "$work/none.yaml"
    rm -rf "$place"
    until_true 10 rmdir "$group"
else
    rmdir "${group:-/nonexistent}" 2>/dev/null
    skip "a_memory_limit_is_a_message_not_a_kill: no memory cgroup can be made here"
fi

# --- two daemons ---------------------------------------------------------------------------------
start_daemon --config "$work/none.yaml"
first=$daemon_pid
"$daemon_bin" --region "$region" --config "$work/none.yaml" >"$work/second.log" 2>&1 &
second=$!
pids+=("$second")
waits() { grep -q "another daemon writes there" "$work/second.log"; }
publishes() { grep -q "is published" "$work/second.log"; }
check "a_second_daemon_stands_by" until_true 10 waits
check_equal "and_the_first_goes_on" 0 "$(ctl ps >/dev/null 2>&1; echo $?)"
end "$first" KILL
check "it_takes_over_when_the_first_is_killed" until_true 10 publishes
end "$second"

# --- a stopped daemon ----------------------------------------------------------------------------
start_daemon --config "$work/none.yaml"
kill -STOP "$daemon_pid"
check "readers_answer_while_the_daemon_is_stopped" timeout 5 "$ctl_bin" --region "$region" ps
kill -CONT "$daemon_pid"
end "$daemon_pid"

# --- a region that isn't what it was -------------------------------------------------------------
printf 'x' >"$region/table.rubbish"
head -c 4096 /dev/urandom >"$region/table.x" && mv "$region/table.x" "$region/table"
start_daemon --config "$work/none.yaml"
begun() { grep -q "is not taken over" "$work/daemon.log" && ctl ps; }
check "rubbish_in_the_regions_place_is_replaced" until_true 10 begun
end "$daemon_pid"
if truncate -s 100 "$region/table"; then
    start_daemon --config "$work/none.yaml"
    check "so_is_a_truncated_region" until_true 10 ctl ps
    end "$daemon_pid"
fi

# --- the service ---------------------------------------------------------------------------------
if command -v systemd-analyze >/dev/null; then
    sed "s|@BINDIR@|$(dirname "$daemon_bin")|" "$top/systemd/containerd-meta.service" >"$work/containerd-meta.service"
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$work/containerd-meta.service" >"$work/verify" 2>&1
    # Only what concerns our unit; this machine's own units may have complaints.
    check_equal "the_unit_is_understood_by_systemd" "" "$(grep containerd-meta "$work/verify")"
else
    skip "the_unit_is_understood_by_systemd: no systemd-analyze"
fi
finish
