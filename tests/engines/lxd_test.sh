#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The engine for Incus and LXD, with a real LXD: what the region says of its instances, over their
# whole life and over restarts of either side.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/lxd.sh"

hindrance=$(lxd_hindrance)
if [ -n "$hindrance" ]; then
    skip "the engine for Incus and LXD: $hindrance"
    exit 0
fi
start_lxd && lxd_setup || { fail "a private LXD starts"; exit 1; }

pid_of() { lxc query "/1.0/instances/$1/state?project=${2:-default}" 2>/dev/null | jq .pid; }
# quiet COMMAND...: LXD's client has much to say.
quiet() { "$@" >/dev/null 2>&1; }
# What no folder shows is found by the list, every ten seconds.
check_listed() { # TEXT NAME JQ VALUE
    until_true 30 member_is "$2" "$3" "$4"
    check_equal "$1" "$4" "$(member "$2" "$3")"
}

# --- before the daemon ---------------------------------------------------------------------------
quiet lxc launch team/lab before -c user.app=old
quiet lxc init team/lab never
printf 'region_dir: %s\ngrace: 3s\nengines:\n  incus:\n    enabled: true\n    sockets: [%s]\n  docker: {enabled: false}\n  containerd: {enabled: false}\n  cri: {enabled: false}\n' \
    "$region" "$lxd_sock" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "instances_that_were_there_are_listed_and_complete" before .complete true
check_member "an_instance_that_never_started_is_there" never .state created

# --- every property ------------------------------------------------------------------------------
mkdir -p "$work/data"
quiet lxc project create shop -c features.images=false -c features.profiles=false
quiet lxc init team/lab full --project shop -c security.privileged=true -c user.app=web \
    -c user.user-data='password: hush' -c limits.cpu=1 -c limits.cpu.allowance=50% \
    -c limits.cpu.priority=5 -c limits.memory=64MiB -c environment.ADDRESS=10.77.0.5 \
    -c raw.lxc='lxc.mount.entry = tmpfs srv tmpfs create=dir 0 0'
quiet lxc config device add full data disk source="$work/data" path=/data readonly=true --project shop
quiet lxc config device add full eth0 nic nictype=bridged parent=lxdbr0 --project shop
check_member "a_new_instance_is_complete_before_it_is_started" shop_full .complete true
check_member "and_created" shop_full .state created
check_listed "its_devices_are_found" shop_full '.container.Mounts[0].Source' "$work/data"
quiet lxc start full --project shop
check_listed "a_start_is_found" shop_full .pid "$(pid_of full shop)"
while read -r what jq value; do
    check_listed "property_$what" shop_full "$jq" "$value"
done <<END
name .container.name full
type .container.type 1
image .container.image team/lab
image_repository .container.imagerepo team/lab
image_id .container.imageid $(lxc image list -f json 2>/dev/null | jq -r '.[0].fingerprint')
label .container.labels["user.app"] web
label_of_the_image .container.labels["image.description"] a lab image
project .container.labels["incus.project"] shop
profiles .container.labels["incus.profiles"] default
secrets_of_cloud_init .container.labels["user.user-data"] null
privileged .container.privileged true
host_network .container.host_network false
mount_destination .container.Mounts[0].Destination /data
mount_rw .container.Mounts[0].RW false
mount_of_raw_options .container.Mounts[1].Destination /srv
cpuset .container.cpuset_cpu_count 1
memory_limit .container.memory_limit 67108864
environment_is_empty_by_default .container.env|length 0
address .container.ip 10.77.0.5
state .state running
END
shares=$(cat /sys/fs/cgroup/cpu/lxc.payload.shop_full/cpu.shares 2>/dev/null)
if [ -n "$shares" ]; then
    check_equal "the_cpu_shares_are_the_kernels" "$shares" "$(member shop_full .container.cpu_shares)"
else
    skip "cpu shares against the kernel's: no cgroup of version 1"
fi
check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"

# --- what a user asks ----------------------------------------------------------------------------
fields "$(pid_of full shop)" >"$work/fields.json"
while read -r field value; do
    check_equal "field_$field" "$value" "$(jq -r ".[\"$field\"]" "$work/fields.json")"
done <<END
container.id shop_full
container.name full
container.type lxc
container.image team/lab
container.image.repository team/lab
container.privileged true
container.ip 10.77.0.5
container.mounts $work/data:/data:ro:false:private,tmpfs:/srv::true:
END
check_equal "why_names_the_instance_of_a_process" before \
    "$(ctl why -o json "$(pid_of before)" | jq -r .container_id)"

# --- a life --------------------------------------------------------------------------------------
quiet lxc pause before
check_listed "pause" before .state paused
quiet lxc start before
check_listed "and_on" before .state running
quiet lxc config set before user.app=new
check_listed "a_changed_setting" before '.container.labels["user.app"]' new
quiet lxc stop -f before
check_listed "a_stop" before .state exited
check_member "a_stopped_instance_has_no_pid" before .pid null
quiet lxc rename before after
check_member "a_renamed_instance_goes_by_its_new_name" after .container.name after
gone_or_removed() { removed "$1" || absent "$1"; }
check "and_no_longer_by_the_old_one" until_true 10 gone_or_removed before
quiet lxc start after
check_listed "it_starts_again" after .pid "$(pid_of after)"
quiet lxc launch team/lab short --ephemeral
check_member "an_ephemeral_instance_is_complete" short .complete true
quiet lxc delete -f short
check "a_deleted_instance_is_a_tombstone" until_true 10 removed short
check "and_is_gone_after_its_grace_period" until_true 10 absent short

# --- restarts ------------------------------------------------------------------------------------
end "$daemon_pid"
quiet lxc delete never
start_daemon --config "$work/config.yaml"
confirmed() { member_is after .unconfirmed false; }
check "a_restarted_daemon_confirms_what_it_found" until_true 10 confirmed
never_gone() { ! ctl ps | grep -q never; }
check "and_ends_what_went_meanwhile" until_true 10 never_gone

pid=$(pid_of after)
end "$lxd_pid" KILL
noticed() { ! engine_state connected; }
check "an_engine_that_is_killed_is_noticed" until_true 30 noticed
check_equal "its_instances_stand" after "$(member after .container.name)"
start_lxd || fail "the engine starts again"
check "an_engine_that_comes_back_is_connected" until_true 30 engine_state connected
check_listed "its_instances_live_on" after .pid "$pid"

# --- a storm -------------------------------------------------------------------------------------
for i in 1 2 3 4 5 6; do quiet lxc init team/lab "storm-$i" & done
wait
same_as_lxd() {
    [ "$(ctl ps -a -o json | jq -r '.[] | select(.state != "removed") | .full_id // .id' | sort)" = \
        "$(lxc list --all-projects -f json 2>/dev/null |
            jq -r '.[] | (if .project == "default" then "" else .project + "_" end) + .name' | sort)" ]
}
check "after_a_storm_the_table_is_what_lxd_says" until_true 30 same_as_lxd
finish
