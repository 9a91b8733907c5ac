#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LXC, real: what the region and the plugin say of its containers, over their life and over
# restarts.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/lxc.sh"

hindrance=$(lxc_hindrance)
if [ -n "$hindrance" ]; then
    skip "LXC: $hindrance"
    exit 0
fi
# What a start takes to be seen where nobody hints at it: a round of asking, and a bit.
started() { until_true 15 member_is "$1" .state running; }

# --- before the daemon ---------------------------------------------------------------------------
make_lxc before
lxc_start before
printf 'region_dir: %s\ngrace: 3s\nengines:\n  lxc: {enabled: true, folders: [%s, %s]}\n  docker: {enabled: false}\n  containerd: {enabled: false}\n  cri: {enabled: false}\n' \
    "$region" "$lxc_path" "$work/other" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "a_container_that_runs_already_is_complete" before .complete true
check_equal "and_running" "running $(lxc_pid before)" "$(member before '"\(.state) \(.pid)"')"

# --- every property ------------------------------------------------------------------------------
mkdir -p "$work/data dir"
cat >"$work/common.conf" <<END
lxc.cgroup.memory.limit_in_bytes = 64M
lxc.environment = SECRET=hush
END
make_lxc full "lxc.mount.entry = ${work// /\\040}/data\\040dir data none bind,ro 0 0" \
    "lxc.mount.entry = proc tmp proc defaults 0 0" "lxc.cgroup.cpu.shares = 700" \
    "lxc.cgroup.cpuset.cpus = 0" "lxc.namespace.keep = ipc user" "lxc.include = $work/common.conf" "lxc.group = shop"
check_member "a_container_is_complete_before_it_is_started" full .complete true
check_member "and_not_running" full .state exited
lxc_start full || fail "the full container starts: $(tail -n 2 "$work/lxc.log")"
check "a_start_is_seen" started full
while read -r what jq value; do
    check_member "property_$what" full "$jq" "$value"
done <<END
id .container.full_id full
name .container.name full
type .container.type 1
image_is_none .container.image|length 0
privileged_without_a_map_of_users .container.privileged true
host_ipc_that_is_kept .container.host_ipc true
host_pid .container.host_pid false
host_network .container.host_network false
user .container.User 0
mounts_are_those_of_the_host .container.Mounts|length 1
mount_source_with_a_space .container.Mounts[0].Source $work/data dir
mount_destination .container.Mounts[0].Destination /data
mount_rw .container.Mounts[0].RW false
root_file_system .container.labels["lxc.rootfs.path"] $lxc_path/full/rootfs
group .container.labels["lxc.group"] shop
memory_limit_of_an_included_file .container.memory_limit 67108864
cpu_shares .container.cpu_shares 700
cpuset .container.cpuset_cpu_count 1
is_in_no_pod .pod null
pid .pid $(lxc_pid full)
environment_is_empty_by_default .container.env|length 0
END
check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"
started=$(date -d "$(member full .started)" +%s)
check "the_start_is_of_now" [ $(($(date +%s) - started)) -lt 60 ]

found=$(fields "$(lxc_pid full)")
check_equal "the_plugin_finds_it_by_its_cgroup" full "$(jq -r '."container.id"' <<<"$found")"
check_equal "and_its_name" full "$(jq -r '."container.name"' <<<"$found")"
check_equal "and_its_type" lxc "$(jq -r '."container.type"' <<<"$found")"
check_equal "and_its_privilege" true "$(jq -r '."container.privileged"' <<<"$found")"
check_equal "and_its_mounts" "$work/data dir:/data:ro:false:" "$(jq -r '."container.mounts"' <<<"$found")"
check_equal "why_says_host_for_its_monitor" "host-process" \
    "$(ctl why -o json "$(awk '/^PPid/ {print $2}' "/proc/$(lxc_pid full)/status")" | jq -r '.reasons[0].code')"

# --- networks ------------------------------------------------------------------------------------
make_lxc hostnet
sed -i 's/type = empty/type = none/' "$lxc_path/hostnet/config"
check_member "the_hosts_network" hostnet .container.host_network true
bridge=lxm$((RANDOM % 9000 + 1000))
if ip link add "$bridge" type bridge 2>/dev/null; then
    ip addr add 10.251.77.1/24 dev "$bridge" && ip link set "$bridge" up
    make_lxc net "lxc.net.1.type = veth" "lxc.net.1.link = $bridge" "lxc.net.1.flags = up" \
        "lxc.net.1.ipv4.address = 10.251.77.5/24"
    check_member "an_address_of_the_configuration" net .container.ip 10.251.77.5
    lxc_destroy net
    check "a_container_that_was_never_started_goes_at_once" until_true 3 removed net
    make_lxc net "lxc.net.1.type = veth" "lxc.net.1.link = $bridge" "lxc.net.1.flags = up"
    check_member "an_address_that_comes_later_is_unknown" net .groups.network.known false
    if lxc_start net; then
        check "a_container_with_a_network_starts" started net
        nsenter -t "$(lxc_pid net)" -n ip addr add 10.251.77.9/24 dev eth0 2>/dev/null ||
            nsenter -t "$(lxc_pid net)" -n ip addr add 10.251.77.9/24 dev eth1
        has_live_address() { member_is net .container.ip 10.251.77.9; }
        check "and_is_found_without_entering_its_namespace" until_true 25 has_live_address
        lxc_stop net
    else
        skip "a live address: $(grep -m1 ERROR "$work/lxc.log" | sed 's/.*ERROR *//')"
    fi
    ip link del "$bridge"
else
    skip "addresses: no bridge can be made"
fi

# --- the same name in another lxcpath ------------------------------------------------------------
lxc_paths+=("$work/other")
in=$work/other make_lxc full
in=$work/other lxc_start full
pid=$(in=$work/other lxc_pid full)
# Other tests of this machine may have cgroups of that name: the number is what LXC found free.
second=$(sed -n 's/.*lxc\.payload\.\(full-[0-9]*\)$/\1/p' "/proc/$pid/cgroup" | head -n 1)
check "the_second_of_a_name_has_another_cgroup" [ -n "$second" ]
check "and_is_found_by_it" started "$second"
check_equal "under_its_own_name" full "$(member "$second" .container.name)"
check_equal "with_its_own_root" "$work/other/full/rootfs" "$(member "$second" '.container.labels["lxc.rootfs.path"]')"
check_equal "and_by_the_plugin" "$second full" "$(fields "$pid" | jq -r '"\(."container.id") \(."container.name")"')"

# --- a life --------------------------------------------------------------------------------------
lxc-freeze -P "$lxc_path" -n full
frozen() { member_is "$1" .state paused; }
check "a_frozen_container_is_paused" until_true 15 frozen full
lxc-unfreeze -P "$lxc_path" -n full
check "and_runs_again" started full
lxc_stop full
check "a_stop_is_told_at_once" until_true 3 member_is full .state exited
check_equal "a_stopped_container_has_no_pid" null "$(member full .pid)"
mv "$lxc_path/full" "$lxc_path/renamed"
check_member "a_renamed_container" renamed .container.name renamed
old_name_is_gone() { [ "$(ctl ps -a -o json | jq --arg s "lxc$lxc_path" '[.[] | select(.full_id == "full" and .scope == $s and .state != "removed")] | length')" = 0 ]; }
check "the_old_name_is_gone" until_true 3 old_name_is_gone
lxc_destroy renamed
check "a_destroyed_container_is_a_tombstone" until_true 3 removed renamed
check "and_is_gone_after_its_grace_period" until_true 10 absent renamed
if lxc-copy -P "$lxc_path" -p "$lxc_path" -n before -N copy -e -B dir >/dev/null 2>&1 || [ -d "$lxc_path/copy" ]; then
    lxc_destroy copy
else
    skip "ephemeral copies: lxc-copy can't make one here"
fi

# --- restarts ------------------------------------------------------------------------------------
end "$daemon_pid" KILL
lxc_destroy hostnet
start_daemon --config "$work/config.yaml"
confirmed() { member_is before .unconfirmed false; }
check "a_daemon_that_was_killed_confirms_what_it_found" until_true 10 confirmed
check_equal "which_runs" running "$(member before .state)"
check_equal "under_the_same_ids" full "$(member "$second" .container.name)"
check "and_ends_what_went_meanwhile" until_true 10 absent hostnet

# --- many ----------------------------------------------------------------------------------------
for ((i = 0; i < 200; i++)); do make_lxc "many-$i" & ((i % 20)) || wait; done
wait
many() { [ "$(ctl ps -a -o json | jq '[.[] | select((.name // "" | startswith("many-")) and .state != "removed")] | length')" = "$1" ]; }
check "two_hundred_at_once_are_there" until_true 10 many 200
rm -rf "$lxc_path"/many-*
check "and_gone" until_true 10 many 0
finish
