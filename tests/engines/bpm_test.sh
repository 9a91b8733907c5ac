#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bpm's containers, made as bpm makes them: by a real runc, in folders called as bpm calls them. bpm
# itself comes with BOSH only.
set -u
. "$(dirname "$0")/lib.sh"
begin

runc_root=$work/bpm-runc
bundles=$work/bundles
run_id=$((RANDOM % 9000 + 1000)) # cgroups are the machine's

# make_job JOB PROCESS: its bundle
make_job() {
    local bundle=$bundles/$1/$2
    mkdir -p "$bundle/rootfs"/{bin,dev,proc,sys,tmp,data} "$work/store"
    cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
    ln -sf busybox "$bundle/rootfs/bin/sleep"
    (cd "$bundle" && rm -f config.json && runc spec) || return
    jq --arg store "$work/store" '.process.args = ["/bin/sleep", "1000"] | .process.terminal = false
        | .process.user = {uid: 1000, gid: 1000} | .process.env = ["SECRET=hush"]
        | .linux.namespaces |= map(select(.type != "network"))
        | .linux.resources = {memory: {limit: 67108864}}
        | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))
        | .mounts += [{destination: "/data", source: $store, type: "bind", options: ["bind", "ro"]}]' \
        "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
}
# run_job JOB PROCESS NAME: as a container of runc's
run_job() {
    (cd "$bundles/$1/$2" && runc --root "$runc_root" run -d --no-pivot --pid-file "$work/$3.pid" "$3") \
        </dev/null >>"$work/runc.log" 2>&1
}
end_job() { runc --root "$runc_root" kill "$1" KILL >>"$work/runc.log" 2>&1; }
delete_job() { runc --root "$runc_root" delete -f "$1" >>"$work/runc.log" 2>&1; }
stop_runc() {
    local folder
    for folder in "$runc_root"/*/; do
        [ -d "$folder" ] && delete_job "$(basename "$folder")"
    done
}

hindrance=
if [ "$(id -u)" != 0 ]; then
    hindrance="not root"
elif ! command -v runc >/dev/null; then
    hindrance="no runc (make deps installs it)"
elif ! make_job "web$run_id" worker || ! run_job "web$run_id" worker "bpm-web$run_id.2eworker"; then
    hindrance="runc can't start a container: $(tail -n 1 "$work/runc.log")"
fi
if [ -n "$hindrance" ]; then
    skip "bpm: $hindrance"
    exit 0
fi
printf 'region_dir: %s\ngrace: 3s\nengines:\n  bpm: {enabled: true, folders: [%s]}\n  docker: {enabled: false}\n  containerd: {enabled: false}\n  cri: {enabled: false}\n' \
    "$region" "$runc_root" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
id=web$run_id.2eworker
pid=$(cat "$work/bpm-$id.pid")
while read -r what jq value; do
    check_member "property_$what" "$id" "$jq" "$value"
done <<END
complete .complete true
state .state running
name .container.name web$run_id.worker
type .container.type 9
job .container.labels["bpm.job"] web$run_id
process .container.labels["bpm.process"] worker
image_is_none .container.image|length 0
user .container.User 1000
privileged .container.privileged false
host_network .container.host_network true
host_pid .container.host_pid false
memory_limit .container.memory_limit 67108864
pid .pid $pid
environment_is_empty_by_default .container.env|length 0
END
check_equal "a_mount_of_the_host" "$work/store /data false" \
    "$(member "$id" '[.container.Mounts[] | select(.Destination == "/data")][0] | "\(.Source) \(.Destination) \(.RW)"')"
found=$(fields "$pid")
check_equal "the_plugin_finds_it_by_its_cgroup" "$id" "$(jq -r '."container.id"' <<<"$found")"
check_equal "and_its_name" "web$run_id.worker" "$(jq -r '."container.name"' <<<"$found")"
check_equal "and_its_type" bpm "$(jq -r '."container.type"' <<<"$found")"

# --- a life --------------------------------------------------------------------------------------
make_job "solo$run_id" "solo$run_id"
run_job "solo$run_id" "solo$run_id" "bpm-solo$run_id" || fail "another job starts"
check "a_started_process_is_there" until_true 5 member_is "solo$run_id" .state running
end_job "bpm-solo$run_id"
check "its_end_is_told_at_once" until_true 3 member_is "solo$run_id" .state exited
delete_job "bpm-solo$run_id"
check "a_deleted_container_is_a_tombstone" until_true 3 removed "solo$run_id"
check "and_is_gone_after_its_grace_period" until_true 10 absent "solo$run_id"
end "$daemon_pid" KILL
start_daemon --config "$work/config.yaml"
confirmed() { member_is "$id" .unconfirmed false; }
check "a_daemon_that_was_killed_confirms_what_it_found" until_true 10 confirmed
check_equal "which_runs" running "$(member "$id" .state)"
finish
