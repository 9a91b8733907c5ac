#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# systemd-nspawn and a real systemd-machined: what the region says of its containers, over their
# whole life and over restarts of either side.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/nspawn.sh"

hindrance=$(nspawn_hindrance)
if [ -n "$hindrance" ]; then
    skip "systemd-nspawn: $hindrance"
    exit 0
fi
trap 'stop_outer; cleanup' EXIT
start_outer || { fail "a private systemd starts"; exit 1; }
machines=$outer_root/var/lib/machines
for name in before full open host tmpl; do make_machine_root "$machines/$name"; done
config='region_dir: /shared/region\ngrace: 3s\nengines:\n  nspawn:\n    enabled: true\n'
for name in docker podman containerd cri incus; do config+="  $name: {enabled: false}\n"; done
printf "$config" >"$shared/config.yaml"

# --- before the daemon ---------------------------------------------------------------------------
check "nobody_woke_machined" inside sh -c '! systemctl is-active --quiet systemd-machined'
start_daemon_inside --config /shared/config.yaml
check "without_machines_machined_is_waited_for" until_true 10 engine_state waiting
check "and_isnt_woken" inside sh -c '! systemctl is-active --quiet systemd-machined'
machine before -D /var/lib/machines/before --private-network /bin/sleep 1000
check_member "the_first_machine_wakes_machined_and_is_found" before .container.name before
check "the_engine_is_connected" until_true 10 engine_state connected
end "$daemon_pid"
start_daemon_inside --config /shared/config.yaml
check_member "preexisting_machines_are_listed" before .unconfirmed false

# --- every property ------------------------------------------------------------------------------
machine my-box -D /var/lib/machines/full --network-veth --bind-ro=/usr/share:/data /bin/sh -c \
    'ip addr add 10.9.8.7/24 dev host0; ip link set host0 up; exec sleep 1000'
check_member "an_address_that_comes_after_the_start_is_found" my-box .container.ip 10.9.8.7
while read -r what jq value; do
    check_member "property_$what" my-box "$jq" "$value"
done <<END
id .container.full_id my\\x2dbox
type .container.type 100
image .container.image /var/lib/machines/full
image_repository .container.imagerepo
user .container.User 0
label_service .container.labels["org.freedesktop.machine1.Service"] systemd-nspawn
label_unit .container.labels["org.freedesktop.machine1.Unit"] machine-my\\x2dbox.scope
label_of_the_os .container.labels["os-release.IMAGE_ID"] lab image
privileged .container.privileged false
host_network .container.host_network false
host_pid .container.host_pid false
host_ipc .container.host_ipc false
state .state running
pid .pid $(leader_of my-box)
mounts_arent_told .groups.mounts.reason not-told
END
machine open -D /var/lib/machines/open --capability=all /bin/sleep 1000
check_member "all_capabilities_are_privileged" open .container.privileged true
check_member "a_container_in_the_hosts_network" open .container.host_network true
check_member "has_no_address_of_its_own" open .container.ip ""
machine mapped -D /var/lib/machines/host --private-users=524288:65536 --private-users-ownership=chown \
    --capability=all --private-network /bin/sleep 1000
check_member "in_a_user_namespace_nobody_is_privileged" mapped .container.privileged false
check_member "and_users_are_counted_as_inside" mapped .container.User 0
machine copy -x -D /var/lib/machines/before --private-network --as-pid2 /bin/sleep 1000
check_member "a_passing_copy_is_no_image" copy .groups.image.reason not-told
machine apart --register=no -D /var/lib/machines/tmpl --private-network /bin/sleep 1000
make_machine_root "$machines/booted"
mkdir "$machines/booted/sbin"
printf '#!/bin/sh\nexec sleep 1000\n' >"$machines/booted/sbin/init"
chmod 755 "$machines/booted/sbin/init"
inside systemctl start --no-block systemd-nspawn@booted.service
check_member "a_machine_of_the_template_unit" booted '.container.labels["org.freedesktop.machine1.Unit"]' \
    systemd-nspawn@booted.service
check "one_that_isnt_registered_isnt_known" absent apart

# --- in Falco ------------------------------------------------------------------------------------
of_a_process() { # PID
    inside /build/plugin-host --plugin /build/libcontainer.so --region /shared/region --quiet -o json --pid "$1" \
        --wait-name 10 --fields "$(IFS=, && echo "${field_list[*]}")" | jq '.[0]'
}
said=$(of_a_process "$(leader_of my-box)")
while read -r field value; do
    check_equal "falco_$field" "$value" "$(jq -r ".[\"$field\"]" <<<"$said")"
done <<'END'
container.id my\x2dbox
container.name my-box
container.type nspawn
container.image /var/lib/machines/full
container.privileged false
container.ip 10.9.8.7
END
said=$(of_a_process "$(leader_of booted)")
check_equal "falco_container.name_of_the_template_unit" booted "$(jq -r '.["container.name"]' <<<"$said")"

# --- ends and restarts ---------------------------------------------------------------------------
inside machinectl terminate copy
check "a_terminated_machine_is_a_tombstone" until_true 10 removed copy
inside systemctl restart systemd-machined
check "a_restarted_machined_is_connected_again" until_true 10 engine_state connected
check_member "its_machines_stand" my-box .state running
machine again -D /var/lib/machines/before --ephemeral --private-network /bin/sleep 1000
check_member "and_new_ones_are_heard_of" again .container.name again
end "$(pidof_inside systemd-machine)" KILL
check "a_killed_machined_is_noticed" until_true 10 engine_state waiting
inside machinectl terminate again 2>/dev/null ||
    inside systemctl stop machine-again.scope
check "its_machines_end" until_true 20 removed again
check_member "and_live" my-box .state running
end "$daemon_pid" KILL
start_daemon_inside --config /shared/config.yaml
inside machinectl list >/dev/null # wakes machined
check_member "a_killed_daemon_comes_back" my-box .unconfirmed false

# --- a storm -------------------------------------------------------------------------------------
# Registered by hand: a thousand nspawns would be a test of this machine.
register() { # COUNT: containers of nobody's, each a process that sleeps; their numbers in /shared/storm
    inside sh -c 'for i in $(seq '"$1"'); do sleep 1000 & echo $!; busctl call org.freedesktop.machine1 \
        /org/freedesktop/machine1 org.freedesktop.machine1.Manager CreateMachine "sayssusa(sv)" \
        "storm-$i" 0 lab container $! "" 0 >/dev/null || exit 1; done >/shared/storm'
}
check "a_storm_is_registered" register 200
same_as_machined() {
    [ "$(ctl ps -a -o json | jq -r '.[] | select(.state != "removed") | .name' | sort)" = \
        "$(inside machinectl list --no-legend | awk '{print $1}' | sort)" ]
}
check "in_a_storm_the_table_is_what_machined_says" until_true 30 same_as_machined
check_equal "all_of_it" 200 "$(ctl ps -o json | jq '[.[] | select(.name | startswith("storm-"))] | length')"
inside sh -c 'kill $(cat /shared/storm)'
calm() { [ "$(ctl ps -o json | jq '[.[] | select(.name | startswith("storm-"))] | length')" = 0 ]; }
check "and_after_it" until_true 60 calm
check "the_table_is_what_machined_says" until_true 30 same_as_machined
finish
