#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libvirt's containers, real: what the region and the plugin say of them, over their life and over
# restarts of libvirt and of the daemon.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/libvirt.sh"

libvirt_hindrance >"$work/hindrance"
hindrance=$(cat "$work/hindrance")
if [ -n "$hindrance" ]; then
    skip "libvirt-lxc: $hindrance"
    exit 0
fi
# Their IDs are new at each start: containers are looked for by name.
named() { ctl ps -a -o json | jq -r --arg n "$1" '[.[] | select(.name == $n and .state != "removed")] | last | .full_id // empty'; }
is_named() { [ -n "$(named "$1")" ]; }
state_is() { member_is "$(named "$1")" .state "$2"; }
nobody_named() { ! is_named "$1"; }

# --- before the daemon ---------------------------------------------------------------------------
make_domain before
libvirt_start before
printf 'region_dir: %s\ngrace: 3s\nengines:\n  libvirt_lxc: {enabled: true, folders: [%s]}\n  docker: {enabled: false}\n  containerd: {enabled: false}\n  cri: {enabled: false}\n' \
    "$region" "$libvirt_folder" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check "a_container_that_runs_already_is_there" until_true 5 is_named before
check_member "and_complete" "$(named before)" .complete true
check_member "and_running" "$(named before)" .state running
check_member "with_its_first_process" "$(named before)" .pid "$(libvirt_init before)"

# --- every property ------------------------------------------------------------------------------
mkdir -p "$work/data dir"
make_domain full "<filesystem type='mount'><source dir='$work/data dir'/><target dir='/data'/><readonly/></filesystem>"
libvirt_start full || fail "the full container starts"
check "a_started_container_is_there" until_true 5 is_named full
id=$(named full)
while read -r what jq value; do
    check_member "property_$what" "$id" "$jq" "$value"
done <<END
complete .complete true
state .state running
type .container.type 2
image_is_none .container.image|length 0
privileged_without_a_map_of_users .container.privileged true
host_network .container.host_network false
user .container.User 0
mounts_are_those_of_the_host .container.Mounts|length 1
mount_source_with_a_space .container.Mounts[0].Source $work/data dir
mount_destination .container.Mounts[0].Destination /data
mount_rw .container.Mounts[0].RW false
root_file_system .container.labels["libvirt.rootfs"] $libvirt/roots/full
uuid .container.labels["libvirt.uuid"] $("${virsh[@]}" domuuid full)
memory_limit .container.memory_limit 67108864
cpu_shares .container.cpu_shares 700
is_in_no_pod .pod null
pid .pid $(libvirt_init full)
END
found=$(fields "$(libvirt_init full)")
check_equal "the_plugin_finds_it_by_its_cgroup" "$id" "$(jq -r '."container.id"' <<<"$found")"
check_equal "and_its_name" full "$(jq -r '."container.name"' <<<"$found")"
check_equal "and_its_type" libvirt-lxc "$(jq -r '."container.type"' <<<"$found")"
check_equal "and_its_privilege" true "$(jq -r '."container.privileged"' <<<"$found")"
check_equal "and_its_mounts" "$work/data dir:/data:ro:false:" "$(jq -r '."container.mounts"' <<<"$found")"

# --- a life --------------------------------------------------------------------------------------
"${virsh[@]}" suspend full >/dev/null
check "a_suspended_container_is_paused" until_true 5 state_is full paused
"${virsh[@]}" resume full >/dev/null
check "and_runs_again" until_true 5 state_is full running
libvirt_stop full
check "a_stopped_container_is_gone" until_true 5 nobody_named full
check "after_its_grace_period_wholly" until_true 10 absent "$id"
libvirt_start full
check "another_start_is_another_container" until_true 5 is_named full
check "with_another_id" [ "$(named full)" != "$id" ]

# --- restarts ------------------------------------------------------------------------------------
end "$libvirtd_pid"
check_equal "without_libvirt_its_containers_run_on" running "$(member "$(named full)" .state)"
end "$daemon_pid" KILL
start_daemon --config "$work/config.yaml"
confirmed() { member_is "$(named before)" .unconfirmed false; }
check "a_daemon_that_was_killed_confirms_what_it_found" until_true 10 confirmed
start_libvirt "$(find /usr/lib -name libvirt_driver_lxc.so | head -n 1)" || fail "libvirt comes back"
check_equal "which_runs" running "$(member "$(named before)" .state)"
libvirt_stop before
check "and_ends_with_libvirt_back" until_true 5 nobody_named before

# --- several at once -----------------------------------------------------------------------------
for i in 1 2 3 4 5; do make_domain "many-$i"; done
for i in 1 2 3 4 5; do libvirt_start "many-$i" & done
wait
many() { [ "$(ctl ps -a -o json | jq '[.[] | select((.name // "" | startswith("many-")) and .state == "running")] | length')" = "$1" ]; }
check "five_at_once_are_there" until_true 10 many 5
for i in 1 2 3 4 5; do libvirt_stop "many-$i"; done
check "and_gone" until_true 10 many 0
finish
