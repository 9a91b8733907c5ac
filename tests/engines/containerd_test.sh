#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd's own containers, real: those of ctr in its namespaces, and those that Docker keeps
# there.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/containerd.sh"
. "$here/docker.sh"

hindrance=$(containerd_hindrance)
if [ -n "$hindrance" ]; then
    skip "the containerd engine: $hindrance"
    exit 0
fi
start_containerd || { fail "a private containerd starts"; exit 1; }
image=registry.test:5000/team/lab:1.0
import_images "$image" || { fail "images are imported"; exit 1; }

configure() { # SOCKET...: of containerd, watched; of Docker: $docker_watched
    printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: true\n    sockets: [%s]\n  containerd:\n    enabled: true\n    sockets: [%s]\n  cri:\n    enabled: false\n' \
        "$region" "${docker_watched:-}" "$(IFS=, && echo "$*")" >"$work/config.yaml"
}

# --- namespace default, free-form IDs ------------------------------------------------------------
ctr_run default "$image" before sleep 1000
configure "$ctd_sock"
start_daemon --config "$work/config.yaml"
check_member "preexisting_containers_are_listed_and_complete" before .complete true
mkdir -p "$work/data"
ctr_run default "$image" full.one_2 sleep 1000 -- --label app=web --label nerdctl/hostname=h \
    --mount "type=bind,src=$work/data,dst=/data,options=rbind:ro" --memory-limit 67108864 --cpus 0.75 \
    --env SECRET=hush
check_member "a_new_container_is_complete" full.one_2 .complete true
while read -r what jq value; do
    check_member "property_$what" full.one_2 "$jq" "$value"
done <<END
id .container.full_id full.one_2
name .container.name full.one_2
type .container.type 7
image .container.image $image
image_repository .container.imagerepo registry.test:5000/team/lab
image_tag .container.imagetag 1.0
image_digest .container.imagedigest $image_digest
user .container.User 0
label .container.labels.app web
privileged .container.privileged false
host_network .container.host_network false
mount_source .container.Mounts[]|select(.Destination=="/data")|.Source $work/data
mount_rw .container.Mounts[]|select(.Destination=="/data")|.RW false
memory_limit .container.memory_limit 67108864
cpu_quota .container.cpu_quota 75000
is_in_no_pod .pod null
state .state running
pid .pid $(ctr_pid default full.one_2)
environment_is_empty_by_default .container.env|length 0
END
check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"
found=$(fields "$(ctr_pid default full.one_2)")
check_equal "the_plugin_finds_a_free_form_id" full.one_2 "$(jq -r '."container.id"' <<<"$found")"
check_equal "and_its_image" "$image" "$(jq -r '."container.image"' <<<"$found")"
check_equal "and_no_pod" null "$(jq -r '."k8s.pod.name"' <<<"$found")"

ctr_run default "$image" priv sleep 1000 -- --privileged --net-host
check_member "property_privileged" priv .container.privileged true
check_member "property_host_network" priv .container.host_network true

# --- a life --------------------------------------------------------------------------------------
ctr -n default tasks pause full.one_2
check_member "pause" full.one_2 .state paused
ctr -n default tasks resume full.one_2
check_member "resume" full.one_2 .state running
ctr -n default containers label full.one_2 tier=back >/dev/null
check_member "a_label_that_comes_later" full.one_2 .container.labels.tier back
ctr -n default containers create "$image" never sleep 1000
check_member "a_container_without_a_task_is_there" never .state created
ctr_run default "$image" short sh -c 'exit 7'
check_member "an_exit_code" short .exit_code 7
check_member "an_exited_container_has_no_pid" short .pid null
ctr_remove default short >/dev/null
check "a_removed_container_is_a_tombstone" until_true 10 removed short
check "and_is_gone_after_its_grace_period" until_true 10 absent short

# --- a namespace that appears later --------------------------------------------------------------
import_lab later "$image"
ctr_run later "$image" before sleep 1000
in_namespace() { # NAMESPACE: the PID of `before` there, as the table has it
    ctl ps -o json | jq -r --arg n "$1" '.[] | select(.full_id == "before" and (.scope | contains($n))) | .pid'
}
later_pid=$(ctr_pid later before)
seen_later() { [ "$(in_namespace later)" = "$later_pid" ]; }
check "a_namespace_that_appears_later_is_watched" until_true 10 seen_later
check_equal "the_same_name_in_two_namespaces_is_two_containers" "$(ctr_pid default before)" "$(in_namespace default)"
check_equal "and_the_plugin_tells_them_apart" before "$(fields "$later_pid" | jq -r '."container.id"')"
ctr_remove later before >/dev/null
gone_later() { [ -z "$(in_namespace later)" ]; }
check "removal_there_is_of_that_one" until_true 10 gone_later
check_equal "the_other_one_stays" running "$(member before .state)"

# --- restarts ------------------------------------------------------------------------------------
end "$daemon_pid" KILL
ctr_remove default priv >/dev/null
start_daemon --config "$work/config.yaml"
confirmed() { member_is full.one_2 .unconfirmed false; }
check "a_daemon_that_was_killed_confirms_what_it_found" until_true 10 confirmed
check "and_ends_what_went_meanwhile" until_true 10 absent priv
end "$ctd_pid"
check "a_containerd_that_is_stopped_is_noticed" until_true 10 engine_state waiting ||
    until_true 10 engine_state failed
check_equal "its_containers_stand" full.one_2 "$(member full.one_2 .container.name)"
start_containerd || fail "containerd starts again"
check "a_containerd_that_comes_back_is_connected" until_true 20 engine_state connected
ctr_remove default full.one_2 >/dev/null
check "and_news_are_heard_again" until_true 10 absent full.one_2
end "$daemon_pid"

# --- Docker's own containerd ---------------------------------------------------------------------
hindrance=$(docker_hindrance)
if [ -n "$hindrance" ]; then
    skip "Docker and its containerd: $hindrance"
    finish
    exit
fi
start_docker || { fail "a private Docker engine starts"; exit 1; }
make_image "$image"
rm -rf "$region"
moby_sock=$docker_base/exec/containerd/containerd.sock
docker_watched=$docker_sock
configure "$moby_sock" "$ctd_sock"
start_daemon --config "$work/config.yaml"
docker run -d --name both -l app=web --privileged "$image" sleep 1000 >/dev/null
id=$(docker inspect -f '{{.Id}}' both)
check_member "a_container_of_both_is_complete" "$id" .complete true
check_equal "and_is_one_record" 1 "$(ctl ps -a -o json | jq --arg id "$id" '[.[] | select(.full_id == $id)] | length')"
while read -r what jq value; do
    check_member "of_both_$what" "$id" "$jq" "$value"
done <<END
type .container.type 0
name .container.name both
image .container.image $image
label .container.labels.app web
privileged .container.privileged true
pid .pid $(docker inspect -f '{{.State.Pid}}' both)
END
docker stop -t 0 both >/dev/null
check_member "it_is_exited_though_containerd_forgot_it" "$id" .state exited
check_member "its_name_stays" "$id" .container.name both
docker start both >/dev/null
check_member "it_runs_again" "$id" .state running
docker rm -f both >/dev/null
check "it_is_removed_when_docker_says_so" until_true 10 removed "$id"
finish
