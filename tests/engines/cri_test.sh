#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes pods on a real containerd: what the region, the CLI and the plugin say of them, over
# their whole life and over restarts of either side.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/containerd.sh"
. "$here/pod_checks.sh"

hindrance=$(containerd_hindrance)
if [ -n "$hindrance" ]; then
    skip "pods on containerd: $hindrance"
    exit 0
fi
start_containerd || { fail "a private containerd starts"; exit 1; }
image=registry.test:5000/team/lab:1.0
type=7
import_images "$image" || { fail "images are imported"; exit 1; }
echo "$(cri version)"

# --- before the daemon ---------------------------------------------------------------------------
early_pod=$(run_pod early shop cccc-3333)
early=$(run_in early "$early_pod" early "$image" -- sleep 1000)
printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: false\n  containerd:\n    enabled: true\n    sockets: [%s]\n  cri:\n    enabled: false\n' \
    "$region" "$ctd_sock" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "preexisting_pods_are_listed_and_complete" "$early" .complete true
check_member "with_their_pods_properties" "$early" .pod.name early

# --- every property ------------------------------------------------------------------------------
make_web_pod || fail "a pod can be made"
check_web_pod
check_sandbox
check_list
check_web_fields
check_images
check_image id "$image_id" # CRI-O wants a name beside it
check_host_pod

# --- a life --------------------------------------------------------------------------------------
check_lives
cri update --memory 83886080 --swap 83886080 "$main"
check_member "update_of_a_limit" "$main" .container.memory_limit 83886080

# --- restarts ------------------------------------------------------------------------------------
confirmed() { member_is "$main" .unconfirmed false && member_is "$web" .unconfirmed false; }
end "$daemon_pid" KILL
check_equal "the_region_stands_without_a_daemon" web "$(member "$main" .pod.name)"
remove_pod "$early_pod"
start_daemon --config "$work/config.yaml"
check "a_restarted_daemon_confirms_what_it_found" until_true 10 confirmed
check "and_ends_what_went_meanwhile" until_true 10 absent "$early"
check_member "and_all_is_known_still" "$main" .complete true

end "$ctd_pid"
check "a_containerd_that_is_stopped_is_noticed" until_true 10 engine_state waiting ||
    until_true 10 engine_state failed
check_equal "its_pods_stand" web "$(member "$main" .pod.name)"
start_containerd || fail "containerd starts again"
check "a_containerd_that_comes_back_is_connected" until_true 20 engine_state connected
check "and_the_table_is_what_it_says" until_true 10 as_told
later=$(run_in web "$web" later "$image" -- sleep 1000)
check_member "and_news_are_heard_again" "$later" .complete true
check_removal_of_web

# --- a storm -------------------------------------------------------------------------------------
for i in 1 2 3 4 5 6; do
    (
        pod=$(run_pod "storm-$i" storm "storm-$i")
        for k in 1 2 3; do run_in "storm-$i" "$pod" "c$k" "$image" -- true; done
        [ $((i % 2)) = 1 ] || remove_pod "$pod"
    ) >/dev/null 2>&1 &
done
wait
check "after_a_storm_the_table_is_what_the_runtime_says" until_true 30 as_told

# --- upstream's default: the same socket, listed under cri ----------------------------------------
pod=$(run_pod default shop dddd-4444)
one=$(run_in default "$pod" one "$image" -- sleep 1000)
check_member "a_record_by_the_native_engine" "$one" .complete true
comparable() { ctl inspect "$1" | jq -S '.[0] | .container, .pod, .complete, .missing, .addresses, .flags'; }
native=$(comparable "$one")
end "$daemon_pid"
rm -rf "$region"
printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: false\n  containerd:\n    enabled: false\n  cri:\n    enabled: true\n    sockets: [%s]\n' \
    "$region" "$ctd_sock" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "a_containerd_listed_under_cri_is_driven_by_what_it_is" "$one" .complete true
check_equal "and_gives_the_same_record" "$native" "$(comparable "$one")"
finish
