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
    # What stands on another engine goes first: Docker before containerd.
    for stop in $(compgen -A function stop_ | sort -r); do "$stop"; done
    for pid in "${pids[@]}"; do end "$pid"; done
    # What an engine left mounted below our place.
    awk -v at="$work/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r |
        while read -r mount; do umount -l "$mount"; done
    rm -rf "$work"
}

# need_built PROGRAM...: what the test runs; a test without it fails at once, and says why
need_built() {
    local program
    for program; do
        [ -x "$program" ] || { fail "$program isn't built (make test-engines builds it)"; exit 1; }
    done
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

# member NAME JQ: something of a container's JSON
member() { ctl inspect "$1" 2>/dev/null | jq -r ".[0] | $2"; }
# member_is NAME JQ VALUE
member_is() { [ "$(member "$1" "$2")" = "$3" ]; }
check_member() { # TEXT NAME JQ VALUE: waits for it
    until_true 10 member_is "$2" "$3" "$4"
    check_equal "$1" "$4" "$(member "$2" "$3")"
}
absent() { ! ctl ps -aq --no-trunc | grep -q "$1"; }
removed() { member_is "$1" .state removed; }
# engine_state STATE: of the first socket that the configuration names; those that are looked for in
# the usual places don't count
engine_state() { [ "$(ctl engines -o json | jq -r '[.[] | select(.configured and .state != "disabled")][0].state')" = "$1" ]; }

# fields PID: what the plugin says of a live process, JSON
fields() {
    "$host_bin" --plugin "$plugin_so" --region "$region" --quiet -o json --pid "$1" --wait-name 10 \
        --fields "$(IFS=, && echo "${field_list[*]}")" | jq '.[0]'
}
field_list=(container.id container.full_id container.name container.type container.image
    container.image.repository container.image.tag container.image.digest container.privileged
    container.host_pid container.host_network container.host_ipc container.ip container.mounts
    'container.label[own]' 'container.label[app]' k8s.pod.name k8s.ns.name k8s.pod.uid k8s.pod.ip k8s.pod.sandbox_id
    k8s.pod.full_sandbox_id k8s.pod.labels)
