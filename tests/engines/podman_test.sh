#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman, real: what the region says of its containers and pods, that its service may rest, and a
# user's own podman beside root's.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/podman.sh"

hindrance=$(podman_hindrance)
if [ -n "$hindrance" ]; then
    skip "podman: $hindrance"
    exit 0
fi
need_built "$daemon_bin" "$ctl_bin" "$host_bin" "$plugin_so" "$BUILD/socket-activate"
configure_podman || { fail "podman gets its namespaces"; exit 1; }
image=registry.test:5000/team/lab:1.0
make_podman_image "$image"
pid_of() { podman inspect -f '{{.State.Pid}}' "$1"; }
id_of() { podman inspect -f '{{.Id}}' "$1"; }

# --- before the daemon ---------------------------------------------------------------------------
podman run -d --name before -l app=old "$image" sleep 1000 >/dev/null
podman create --name never "$image" true >/dev/null
start_podman 0 || { fail "the service starts"; exit 1; }
users=$work/user
mkdir -p "$users"
cat >"$work/config.yaml" <<END
region_dir: $region
grace: 3s
engines:
  podman:
    enabled: true
    sockets: [$podman_sock, "$users/*/podman/podman.sock"]
  docker: {enabled: false}
  containerd: {enabled: false}
  cri: {enabled: false}
END
start_daemon --config "$work/config.yaml"
row() { ctl engines -o json | jq -r --arg socket "$1" ".[] | select(.socket == \$socket) | $2"; }
row_is() { [ "$(row "$1" "$2")" = "$3" ]; }
check_member "preexisting_containers_are_listed_and_complete" before .complete true
check_member "a_container_that_never_started_is_there" never .state created

# --- every property ------------------------------------------------------------------------------
podman network create --disable-dns --subnet 10.190.1.0/24 own >/dev/null
mkdir -p "$work/data"
podman run -d --name full -l app=web -l 'own=va=lue, "q"' -l PODMAN_SYSTEMD_UNIT=web.service \
    --network own:ip=10.190.1.50 --network podman -p 127.0.0.1:18090:80/tcp -p 18091:81/udp \
    -v "$work/data:/data:ro" --user 0:0 --cpus 0.75 --cpu-shares 700 --cpuset-cpus 0 -m 64m --memory-swap 128m \
    -e SECRET=hush --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 \
    "$image" sleep 1000 >/dev/null
check_member "a_new_container_is_complete" full .complete true
while read -r what jq value; do
    check_member "property_$what" full "$jq" "$value"
done <<END
name .container.name full
type .container.type 11
engine .engine podman
image .container.image $image
image_repository .container.imagerepo registry.test:5000/team/lab
image_tag .container.imagetag 1.0
image_id .container.imageid $(podman inspect -f '{{.Image}}' full)
image_digest .container.imagedigest $(podman inspect -f '{{.ImageDigest}}' full)
user .container.User 0:0
label .container.labels.app web
label_of_the_image .container.labels.origin image
label_with_odd_value .container.labels.own va=lue, "q"
unit_of_systemd .container.labels.PODMAN_SYSTEMD_UNIT web.service
privileged .container.privileged false
mount_source .container.Mounts[0].Source $work/data
mount_rw .container.Mounts[0].RW false
cpu_quota_of_cpus .container.cpu_quota 75000
cpu_shares .container.cpu_shares 700
cpuset .container.cpuset_cpu_count 1
memory_limit .container.memory_limit 67108864
swap_limit .container.swap_limit 134217728
environment_is_empty_by_default .container.env|length 0
addresses_of_all_networks .addresses|length 2
an_address_of_the_first .addresses|index("10.190.1.50")!=null true
port_of_tcp (.container.port_mappings|map(select(.Protocol=="tcp"))|.[0].HostPort) 18090
port_of_udp (.container.port_mappings|map(select(.Protocol=="udp"))|.[0].HostPort) 18091
state .state running
pid .pid $(pid_of full)
END
check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"
podman healthcheck run full >/dev/null 2>&1
check_member "health_is_followed" full .health unhealthy
podman exec full touch /tmp/well
podman healthcheck run full >/dev/null 2>&1
check_member "health_recovers" full .health healthy
podman run -d --name priv --privileged --pid=host --network=host --ipc=host "$image" sleep 1000 >/dev/null
for property in privileged host_pid host_network host_ipc; do
    check_member "property_$property" priv ".container.$property" true
done
podman run -d --name sharer --network container:full "$image" sleep 1000 >/dev/null
check_member "a_shared_network_gives_its_owners_addresses" sharer '.addresses|length' 2

# --- pods ----------------------------------------------------------------------------------------
podman pod create --name 'one' -l tier=back >/dev/null
podman run -d --pod one --name member -l app=m "$image" sleep 1000 >/dev/null
pod=$(podman pod inspect one | jq -r .Id)
infra=$(podman pod inspect one | jq -r .InfraContainerID)
check_member "a_container_of_a_pod_is_complete" member .complete true
check_member "pod_name" member .pod.name one
check_member "pod_uid" member .pod.uid "$pod"
check_member "pod_label" member .container.pod_sandbox_labels.tier back
check_member "pod_sandbox" member .container.pod_sandbox_id "$infra"
check_member "pod_address" member .pod.ip "$(podman inspect "$infra" | jq -r '.[0].NetworkSettings.Networks.podman.IPAddress')"
check_member "the_infra_container_is_the_sandbox" "$infra" .container.is_pod_sandbox true
check_member "a_container_of_no_pod_is_known_to_be_in_none" full .groups.pod.known true

# --- what Falco sees of live processes -----------------------------------------------------------
seen=$(fields "$(pid_of full)")
field() { jq -r --arg field "$1" '[.. | objects | select(has($field)) | .[$field]][0]' <<<"$seen"; }
check_equal "field_container_name" full "$(field container.name)"
check_equal "field_container_type" podman "$(field container.type)"
check_equal "field_image_repository" registry.test:5000/team/lab "$(field container.image.repository)"
check_equal "field_container_id" "$(id_of full | cut -c1-12)" "$(field container.id)"
check_equal "field_label" 'va=lue, "q"' "$(field 'container.label[own]')"
seen=$(fields "$(pid_of member)")
check_equal "field_pod_name" one "$(field k8s.pod.name)"
check_equal "field_pod_sandbox_id" "$infra" "$(field k8s.pod.full_sandbox_id)"
conmon=$(podman inspect full | jq -r '.[0].State.ConmonPid')
check_equal "conmon_is_no_container" "host-process" "$(ctl why -o json "$conmon" | jq -r '.reasons[0].code')"
check_equal "why_names_the_container_of_a_process" "$(id_of before)" \
    "$(ctl why -o json "$(pid_of before)" | jq -r .container_id)"

# --- a life --------------------------------------------------------------------------------------
podman pause full >/dev/null
check_member "pause" full .state paused
podman unpause full >/dev/null
check_member "unpause" full .state running
podman rename full renamed
check_member "rename" renamed .container.name renamed
podman network disconnect podman renamed
check_member "a_network_less_is_an_address_less" renamed '.addresses|length' 1
podman run -d --name short "$image" sh -c 'exit 7' >/dev/null
check_member "an_exit_code" short .exit_code 7
check_member "an_exited_container_has_no_pid" short .pid null
podman start short >/dev/null
check_member "a_container_that_ran_again_is_exited_again" short .state exited
# Its monitor can't start the podman that would clean up after it: no event tells the end. Asked for
# again soon after the start, or else by the next list, it is found.
cp "$podman_bin" "$work/passing-podman"
in_podman "$work/passing-podman" --tmpdir "$podman_base/tmp" run -d --name untold -v "$work/data:/data:ro" "$image" \
    sh -c 'until [ -e /data/go ]; do sleep 0.1; done; exit 3' >/dev/null
rm "$work/passing-podman"
check_member "a_container_whose_podman_is_gone_runs" untold .pid "$(pid_of untold)"
touch "$work/data/go"
check "an_end_that_no_event_tells_is_found" until_true 90 member_is untold .exit_code 3
short=$(id_of short)
podman rm -f -t 0 short >/dev/null
check "a_removed_container_is_a_tombstone" until_true 10 removed "$short"
check "and_is_gone_after_its_grace_period" until_true 10 absent "$short"
podman pod rm -f -t 0 one >/dev/null
check "a_removed_pod_takes_its_sandbox_along" until_true 10 absent "$infra"

# Quadlet's way: conmon and container in cgroups below the unit's own.
if podman_in_unit run -d --name split --network none --cgroups=split "$image" sleep 1000 >"$work/split.log" 2>&1; then
    check_member "a_container_with_split_cgroups_is_complete" split .complete true
    check_equal "split_cgroups_name_the_container" "$(id_of split)" \
        "$(ctl why -o json "$(pid_of split)" | jq -r .container_id)"
    check_equal "and_their_conmon_is_no_container" "host-process" \
        "$(ctl why -o json "$(podman inspect split | jq -r '.[0].State.ConmonPid')" | jq -r '.reasons[0].code')"
else
    skip "podman: split cgroups: $(tail -n 1 "$work/split.log")"
fi
podman_in_unit rm -f -t 0 split >/dev/null 2>&1

# --- restarts ------------------------------------------------------------------------------------
end "$daemon_pid"
check_equal "the_region_stands_without_a_daemon" before "$(member before .container.name 2>/dev/null)"
podman rm -f -t 0 never >/dev/null
start_daemon --config "$work/config.yaml"
confirmed() { member_is before .unconfirmed false; }
check "a_restarted_daemon_confirms_what_it_found" until_true 10 confirmed
never_gone() { ! ctl ps | grep -q never; }
check "and_ends_what_went_meanwhile" until_true 10 never_gone
end "$podman_pid"
check_equal "containers_stand_without_the_service" before "$(member before .container.name)"

# --- a service that systemd starts for whoever connects ------------------------------------------
CONTAINERS_CONF=$podman_base/containers.conf CONTAINERS_STORAGE_CONF=$podman_base/storage.conf \
    setsid nsenter -t "$podman_ns" -n -m --wdns=/ "$BUILD/socket-activate" "$podman_sock" "$work/starts" \
    "$podman_bin" --tmpdir "$podman_base/tmp" system service --time=2 >>"$work/podman.log" 2>&1 &
activator=$!
disown "$activator"
pids+=("$activator")
starts() { wc -l <"$work/starts"; }
podman_running() { pgrep -P "$activator" >/dev/null; }
check "a_socket_that_systemd_holds_is_connected" until_true 20 row_is "$podman_sock" .state connected
check "and_its_containers_are_confirmed" until_true 10 confirmed
podman rm -f -t 0 sharer >/dev/null
podman rm -fa -t 0 >/dev/null
check "the_last_container_is_gone" until_true 10 row_is "$podman_sock" .containers 0
stopped() { ! podman_running; }
check "without_containers_the_service_ends" until_true 60 stopped
before=$(starts)
started_again() { [ "$(starts)" != "$before" ]; }
not_within() { ! until_true "$@"; }
check "and_nothing_starts_it_again" not_within 25 started_again # two rounds of upkeep
podman run -d --name wake "$image" sleep 1000 >/dev/null
check_member "a_new_container_is_found_all_the_same" wake .complete true
check "the_service_runs_for_it" podman_running

# --- a storm -------------------------------------------------------------------------------------
for _ in 1 2 3 4; do
    for _ in 1 2 3 4 5; do
        podman run --rm -d "$image" true >/dev/null 2>&1 &
    done
    wait $(jobs -p) 2>/dev/null
done
same_as_podman() {
    [ "$(ctl ps -a -o json | jq -r '.[] | select(.state != "removed") | .full_id // .id' | cut -c1-12 | sort)" = \
        "$(podman ps -aq | sort)" ]
}
check "after_a_storm_the_table_is_what_podman_says" until_true 30 same_as_podman
created=$(ctl stats -o json | jq -r '(if type == "array" then .[0] else . end).counters.containers_created_total.value')
check "and_no_container_of_it_was_missed" [ "${created:-0}" -ge 20 ]

# --- a user's own podman -------------------------------------------------------------------------
. "$here/podman_rootless.sh"
rootless_checks
finish
