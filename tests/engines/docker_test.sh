#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Docker engine, real: what the region says of its containers, over their whole life and over
# restarts of either side.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/docker.sh"

hindrance=$(docker_hindrance)
if [ -n "$hindrance" ]; then
    skip "the Docker engine: $hindrance"
    exit 0
fi
start_docker || { fail "a private Docker engine starts"; exit 1; }
image=registry.test:5000/team/lab:1.0
make_image "$image"

pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }

# --- before the daemon ---------------------------------------------------------------------------
docker run -d --name before -l app=old "$image" sleep 1000 >/dev/null
docker create --name never "$image" true >/dev/null
printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: true\n    sockets: [%s]\n  containerd: {enabled: false}\n  cri: {enabled: false}\n' \
    "$region" "$docker_sock" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "preexisting_containers_are_listed_and_complete" before .complete true
check_member "a_container_that_never_started_is_there" never .state created

# --- every property ------------------------------------------------------------------------------
docker network create --subnet 172.31.90.0/24 own >/dev/null
mkdir -p "$work/data"
docker run -d --name full -l app=web -l 'odd=va=lue, "q"' -l "long=$(printf 'x%.0s' {1..150})" \
    --network own --ip 172.31.90.7 -p 127.0.0.1:18080:80 -p 18081:81/udp -v "$work/data:/data:ro" \
    --user 0:0 --cpus 0.75 --cpu-shares 700 --cpuset-cpus 0 -m 64m --memory-swap 128m -e SECRET=hush \
    --health-cmd 'test -e /tmp/well' --health-interval 1s --health-retries 1 "$image" sleep 1000 >/dev/null
check_member "a_new_container_is_complete" full .complete true
while read -r what jq value; do
    check_member "property_$what" full "$jq" "$value"
done <<END
name .container.name full
type .container.type 0
image .container.image $image
image_repository .container.imagerepo registry.test:5000/team/lab
image_tag .container.imagetag 1.0
image_id .container.imageid $(docker inspect -f '{{.Image}}' full | cut -d: -f2)
user .container.User 0:0
label .container.labels.app web
label_of_the_image .container.labels.origin image
label_with_odd_value .container.labels.odd va=lue, "q"
label_too_long_is_left_out .container.labels.long null
label_too_long_is_flagged (.flags|tostring|test("labels-dropped")) true
privileged .container.privileged false
mount_source .container.Mounts[0].Source $work/data
mount_destination .container.Mounts[0].Destination /data
mount_rw .container.Mounts[0].RW false
mount_propagation .container.Mounts[0].Propagation $(docker inspect -f '{{(index .Mounts 0).Propagation}}' full)
cpu_quota_of_cpus .container.cpu_quota 75000
cpu_shares .container.cpu_shares 700
cpuset .container.cpuset_cpu_count 1
memory_limit .container.memory_limit 67108864
swap_limit .container.swap_limit 134217728
environment_is_empty_by_default .container.env|length 0
address_in_a_network_of_its_own .container.ip 172.31.90.7
port_of_udp (.container.port_mappings|map(select(.Protocol=="udp"))|.[0].HostPort) 18081
state .state running
pid .pid $(pid_of full)
END
check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"
check_member "health_is_followed" full .health unhealthy
docker exec full touch /tmp/well
check_member "health_recovers" full .health healthy

docker run -d --name priv --privileged --pid=host --network=host --ipc=host "$image" sleep 1000 >/dev/null
for property in privileged host_pid host_network host_ipc; do
    check_member "property_$property" priv ".container.$property" true
done
docker run -d --name sharer --network container:full "$image" sleep 1000 >/dev/null
check_member "a_shared_network_gives_its_owners_address" sharer .container.ip 172.31.90.7
docker run -d --name byid "$(docker inspect -f '{{.Image}}' full)" sleep 1000 >/dev/null
check_member "started_by_image_id_has_the_images_name" byid .container.imagerepo registry.test:5000/team/lab

# --- a life --------------------------------------------------------------------------------------
docker pause full >/dev/null
check_member "pause" full .state paused
docker unpause full >/dev/null
check_member "unpause" full .state running
docker rename full renamed
check_member "rename" renamed .container.name renamed
docker update -m 80m --memory-swap 160m renamed >/dev/null
check_member "update_of_a_limit" renamed .container.memory_limit 83886080
docker network connect bridge renamed
check_member "a_second_network_adds_an_address" renamed '(.addresses|length)' 2
docker network disconnect bridge renamed
check_member "and_takes_it_away" renamed '(.addresses|length)' 1
docker run -d --name short "$image" sh -c 'exit 7' >/dev/null
check_member "an_exit_code" short .exit_code 7
check_member "an_exited_container_has_no_pid" short .pid null
docker start short >/dev/null 2>&1
check_member "a_container_that_ran_again_is_exited_again" short .state exited
short=$(docker inspect -f '{{.Id}}' short)
docker rm -f short >/dev/null
check "a_removed_container_is_a_tombstone" until_true 10 removed "$short"
check "and_is_gone_after_its_grace_period" until_true 10 absent "$short"

# --- what a user asks ----------------------------------------------------------------------------
check_equal "why_names_the_container_of_a_process" "$(docker inspect -f '{{.Id}}' before)" \
    "$(ctl why -o json "$(pid_of before)" | jq -r .container_id)"
check_equal "why_says_host_for_a_host_process" "host-process" \
    "$(ctl why -o json $$ | jq -r '.reasons[0].code')"

# --- restarts ------------------------------------------------------------------------------------
end "$daemon_pid"
check_equal "the_region_stands_without_a_daemon" before "$(member before .container.name 2>/dev/null)"
docker rm -f byid >/dev/null
start_daemon --config "$work/config.yaml"
confirmed() { member_is before .unconfirmed false; }
check "a_restarted_daemon_confirms_what_it_found" until_true 10 confirmed
byid_gone() { ! ctl ps | grep -q byid; }
check "and_ends_what_went_meanwhile" until_true 10 byid_gone

kill -KILL "$daemon_pid"
until_true 10 gone "$daemon_pid"
start_daemon --config "$work/config.yaml"
check "after_a_kill_too" until_true 10 confirmed

end "$docker_pid"
check "an_engine_that_is_stopped_is_noticed" until_true 10 engine_state waiting ||
    until_true 10 engine_state failed
check_equal "its_containers_stand" before "$(member before .container.name)"
start_docker || fail "the engine starts again"
check "an_engine_that_comes_back_is_connected" until_true 20 engine_state connected
check_member "its_containers_have_their_new_state" before .state exited
docker start before >/dev/null
check_member "and_go_on" before .state running

# --- a storm -------------------------------------------------------------------------------------
for round in 1 2 3 4; do
    for i in 1 2 3 4 5; do
        docker run --rm -d --name "storm-$round-$i" "$image" true >/dev/null 2>&1 &
    done
    wait
done
same_as_docker() {
    [ "$(ctl ps -a -o json | jq -r '.[] | select(.state != "removed") | .full_id // .id' | cut -c1-12 | sort)" = \
        "$(docker ps -aq | sort)" ]
}
check "after_a_storm_the_table_is_what_docker_says" until_true 30 same_as_docker
created=$(ctl stats -o json | jq -r '(if type == "array" then .[0] else . end).counters.containers_created_total.value')
check "and_no_container_of_it_was_missed" [ "${created:-0}" -ge 20 ]
finish
