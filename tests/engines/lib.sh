# SPDX-License-Identifier: Apache-2.0
# What the tests with real engines share: a private place, processes that end with the test, waiting
# for conditions, and one line per check. Sourced by the scripts beside it and by those in
# tests/faults; the demo uses it too.
#
# Everything lives below $work, in a network namespace of its own, and is ended by PID.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
BUILD=${BUILD:-$top/build}
daemon_bin=$BUILD/containerd-meta
ctl_bin=$BUILD/containerd-meta-ctl
host_bin=$BUILD/plugin-host
plugin_so=$BUILD/libcontainer.so

pids=()
failed=0

pass() { echo "PASS $*"; }
fail() { echo "FAIL $*"; failed=$((failed + 1)); }
skip() { echo "SKIPPED: $*"; }

# check TEXT COMMAND...: the command's success decides.
check() {
    local text=$1
    shift
    if "$@"; then pass "$text"; else fail "$text"; fi
}

# check_equal TEXT EXPECTED FOUND
check_equal() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: expected '$2', found '$3'"; fi
}

# until_true SECONDS COMMAND...: waits for a condition, looking often.
until_true() {
    local end=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$end" ] || return 1
        sleep 0.02
    done
}

alive() { [ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
gone() { ! alive "$1"; }

# end PID [SIGNAL]: ends a process of ours and waits until it is gone.
end() {
    kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
    until_true 20 gone "$1" || { kill -KILL "$1" 2>/dev/null; until_true 10 gone "$1"; }
}

cleanup() {
    local pid stop
    set +e
    for stop in stop_docker stop_containerd stop_crio; do declare -F "$stop" >/dev/null && "$stop"; done
    for pid in "${pids[@]}"; do end "$pid"; done
    # What an engine left mounted below our place.
    awk -v at="$work/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r |
        while read -r mount; do umount -l "$mount"; done
    rm -rf "$work"
}

begin() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/containerd-meta.XXXXXX")
    chmod 755 "$work"
    region=$work/region
    trap cleanup EXIT
    trap 'exit 1' INT TERM
}

finish() { [ "$failed" = 0 ]; }

# --- ours ----------------------------------------------------------------------------------------

# start_daemon [OPTION...]: $daemon_pid, its log in $work/daemon.log; waits until the region is there.
start_daemon() {
    "$daemon_bin" --region "$region" "$@" >>"$work/daemon.log" 2>&1 &
    daemon_pid=$!
    disown "$daemon_pid"
    pids+=("$daemon_pid")
    until_true 20 test -e "$region/table"
}

ctl() { "$ctl_bin" --region "$region" "$@"; }
