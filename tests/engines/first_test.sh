#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Before the first instruction, with a real Docker: cgroups and bundles as they are, an engine that is
# dead while its container ends, and what the plugin tells of what it misses.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/docker.sh"

hindrance=$(docker_hindrance)
if [ -n "$hindrance" ]; then
    skip "first instructions with Docker: $hindrance"
    exit 0
fi
start_docker || { fail "a private Docker engine starts"; exit 1; }
image=registry.test:5000/team/lab:1.0
make_image "$image"
bundles=$docker_base/exec/containerd/daemon/io.containerd.runtime.v2.task

configure() { # DOCKER'S SOCKET or nothing
    printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: true\n    sockets: [%s]\n  containerd:\n    enabled: false\n  cri:\n    enabled: false\n  bundle:\n    enabled: true\n    folders: [%s]\n' \
        "$region" "$1" "$bundles" >"$work/config.yaml"
}
counter() { ctl stats -o json | jq -r ".counters.$1.value"; }
counts() { [ "$(counter "$1")" -ge "$2" ]; } # COUNTER LEAST
pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }
id_of() { docker inspect -f '{{.Id}}' "$1"; }
groups_missing() { member "$1" '.missing // {} | keys | join(",")'; }

# --- as it is -------------------------------------------------------------------------------------
configure "$docker_sock"
start_daemon --config "$work/config.yaml"
check "docker_is_connected" until_true 20 engine_state connected
mkdir -p "$work/data"
for i in 1 2 3 4 5; do docker run -d --name "c$i" --privileged -v "$work/data:/data:ro" "$image" sleep 1000 >/dev/null; done
check_member "a_container_is_complete" c5 .complete true
check "its_cgroup_was_seen" until_true 10 counts cgroup_containers_total 5
echo "of $(counter cgroup_containers_total) containers whose cgroup was seen $(counter hints_total) had to be asked for"
id=$(id_of c5)
v2=$(awk '$(NF-2) == "cgroup2" {print $5; exit}' /proc/self/mountinfo)
if [ -d "$v2/docker/$id" ]; then
    check_member "the_cgroups_id_is_recorded" c5 .cgroup_id "$(stat -c %i "$v2/docker/$id")"
else
    skip "the cgroup's ID: Docker made none of version 2"
fi
check_equal "leads_are_counted" docker "$(ctl stats -o json | jq -r '.leads[0].engine')"
ctl stats -o json | jq -r '.leads[] | "of \(.starts) starts \(.late) were late, the median lead is \(.median_ms) ms"'

# --- the engine is dead while a container ends ----------------------------------------------------
pid=$(pid_of c5)
ctd=$(cat "$docker_base/exec/containerd/containerd.pid")
end "$docker_pid" KILL
end "$ctd" KILL
check "the_dead_engine_is_noticed" until_true 10 engine_state failed || until_true 10 engine_state waiting
check_member "its_container_counts_as_running" c5 .state running
kill -KILL "$pid"
until_true 10 gone "$pid"
no_cgroup() { # what the engine would do
    find /sys/fs/cgroup -depth -type d -path "*/docker/$id*" -exec rmdir {} + 2>/dev/null
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path "*/docker/$id")" ]
}
check "its_cgroups_go" until_true 10 no_cgroup
exited() { member_is c5 .state exited; }
check "it_counts_as_exited_though_its_engine_is_silent" until_true 20 exited
check_equal "and_nobody_knows_its_exit_code" null "$(member c5 .exit_code)"
check_member "the_others_run_on" c4 .state running
docker_pid=
rm -f "$docker_base"/dockerd.pid "$docker_base/exec/containerd/containerd.pid"
start_docker || fail "the engine starts again"
told() { exited && [ "$(member c5 .exit_code)" != null ]; }
check "the_engine_has_the_last_word" until_true 30 told

# --- a bundle without its engine ------------------------------------------------------------------
end "$daemon_pid"
rm -rf "$region"
configure ""
start_daemon --config "$work/config.yaml"
docker run -d --name alone --privileged -v "$work/data:/data:ro" "$image" sleep 1000 >/dev/null
alone=$(id_of alone)
check_member "a_bundle_alone_tells_privilege" "$alone" .container.privileged true
check_member "and_mounts" "$alone" '.container.Mounts[0].Destination' /data
check_member "and_is_not_taken_for_all" "$alone" .complete false

# --- what the plugin misses -----------------------------------------------------------------------
end "$daemon_pid"
rm -rf "$region"
printf 'region_dir: %s\nengines:\n  docker: {enabled: false}\n' "$region" | sed 's/{enabled: false}/\n    enabled: false/' >"$work/config.yaml"
printf '  containerd:\n    enabled: false\n  cri:\n    enabled: false\n  bundle:\n    enabled: false\n' >>"$work/config.yaml"
start_daemon --config "$work/config.yaml"
fields "$(pid_of alone)" >"$work/fields.json"
check_equal "the_plugin_has_no_name_for_what_nobody_told" null "$(jq -r '."container.name"' "$work/fields.json")"
check "it_tells_the_daemon" until_true 10 counts plugin_hints_total 1
check_equal "and_why_says_so_afterwards" met-before-known \
    "$(ctl why -o json "$alone" 2>/dev/null | jq -r '.reasons[0].code')"
finish
