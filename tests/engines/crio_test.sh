#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes pods on a real CRI-O: what the region, the CLI and the plugin say of them, over their
# whole life and over restarts of either side. Without events of pods, which is CRI-O's default, and
# with them.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/crio.sh"
. "$here/pod_checks.sh"

hindrance=$(crio_hindrance)
if [ -n "$hindrance" ]; then
    skip "pods on CRI-O: $hindrance"
    exit 0
fi
image=registry.test:5000/team/lab:1.0
type=8

start_crio "enable_pod_events = true" || { fail "a private CRI-O starts"; exit 1; }
import_crio_images "$image" || { fail "images are imported"; exit 1; }
echo "$(cri version)"
early_pod=$(run_pod early shop cccc-3333)
early=$(run_in early "$early_pod" early "$image" -- sleep 1000)
printf 'region_dir: %s\ngrace: 3s\nengines:\n  docker:\n    enabled: false\n  containerd:\n    enabled: false\n  cri:\n    enabled: true\n    sockets: [%s]\n' \
    "$region" "$crio_sock" >"$work/config.yaml"
start_daemon --config "$work/config.yaml"
check_member "preexisting_pods_are_listed_and_complete" "$early" .complete true
check_member "with_their_pods_properties" "$early" .pod.name early

make_web_pod || fail "a pod can be made"
check_web_pod
check_sandbox
check_list
check_web_fields
check_images
check_host_pod
check_lives

confirmed() { member_is "$main" .unconfirmed false && member_is "$web" .unconfirmed false; }
end "$daemon_pid" KILL
remove_pod "$early_pod"
start_daemon --config "$work/config.yaml"
check "a_restarted_daemon_confirms_what_it_found" until_true 10 confirmed
check "and_ends_what_went_meanwhile" until_true 10 absent "$early"
check_member "and_all_is_known_still" "$main" .complete true

# --- without events ------------------------------------------------------------------------------
end "$crio_pid"
check "a_cri_o_that_is_stopped_is_noticed" until_true 10 engine_state waiting ||
    until_true 10 engine_state failed
check_equal "its_pods_stand" web "$(member "$main" .pod.name)"
start_crio || fail "CRI-O starts again"
check "a_cri_o_that_comes_back_is_connected" until_true 20 engine_state connected
check "and_the_table_is_what_it_says" until_true 20 as_told
later=$(run_in web "$web" later "$image" -- sleep 1000)
seen_later() { member_is "$later" .complete true; }
check "a_container_is_found_without_events" until_true 15 seen_later
remove_pod "$web"
check "a_removed_pods_container_is_found_without_events" until_true 20 absent "$main"
check "with_the_sandbox" until_true 15 absent "$web"
finish
