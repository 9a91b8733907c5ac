# SPDX-License-Identifier: Apache-2.0
# What the table, the CLI and the plugin must say of pods, whichever runtime made them. Sourced after
# the runtime's own file; the runtime runs, and has the images.
#
# The scripts set: $type, of the records; $image, the name of an image; $image_id, $image_digest.
# shellcheck shell=bash disable=SC2154

uid=6f1d2c3b-1111-2222-3333-444455556666

# check_members ID PREFIX: of lines "what jq value"
check_members() {
    local what jq value
    while read -r what jq value; do check_member "$2_$what" "$1" "$jq" "$value"; done
}

# check_fields PID PREFIX: of lines "field value"
check_fields() {
    local field value found
    found=$(fields "$1")
    while read -r field value; do
        check_equal "$2_$field" "$value" "$(jq -r --arg f "$field" '.[$f]' <<<"$found")"
    done
}

pid_in() { cri status "$1" | jq .info.pid; }
pid_of_pod() { cri statusp "$1" | jq .info.pid; }

# A pod with what pods have; $web is its ID, $main that of a container, $web_ip its address.
make_web_pod() {
    mkdir -p "$work/data"
    web=$(run_pod web shop "$uid" --hostname web --label app=web --label tier=front \
        --annotation team=a --annotation example.com/long="$(printf 'x%.0s' {1..300})" --port 18080:80) || return
    main=$(run_in web "$web" main "$image" --label own=yes --label "long=$(printf 'x%.0s' {1..150})" \
        --annotation note=here --env SECRET=hush --mount "$work/data:/data:ro" --mount "$work/shared:/slave:rw:slave" \
        --mount "$work/shared:/shared:shared" --user 1000 --cpu-shares 700 --cpu-quota 75000 --cpu-period 100000 \
        --cpus 0 --memory 67108864 -- sleep 1000) || return
    web_ip=$(cri statusp "$web" | jq -r .ip)
}

check_web_pod() {
    check_member "a_container_of_a_pod_is_complete" "$main" .complete true
    check_members "$main" container <<END
name .container.name main
type .container.type $type
state .state running
pid .pid $(pid_in "$main")
image .container.image $image
image_repository .container.imagerepo ${image%:*}
image_tag .container.imagetag ${image##*:}
image_digest .container.imagedigest $image_digest
image_id .container.imageid ${image_id#sha256:}
user .container.User 1000
label .container.labels.own yes
label_of_kubernetes .container.labels["io.kubernetes.container.name"] main
label_of_its_sandbox .container.labels["io.kubernetes.sandbox.id"] $web
label_too_long_is_left_out .container.labels.long null
label_too_long_is_flagged (.flags|tostring|test("labels-dropped")) true
privileged .container.privileged false
host_network .container.host_network false
host_pid .container.host_pid false
host_ipc .container.host_ipc false
mount_source .container.Mounts[]|select(.Destination=="/data")|.Source $work/data
mount_ro .container.Mounts[]|select(.Destination=="/data")|.RW false
mount_propagation .container.Mounts[]|select(.Destination=="/data")|.Propagation private
mount_slave .container.Mounts[]|select(.Destination=="/slave")|.Propagation rslave
mount_shared .container.Mounts[]|select(.Destination=="/shared")|.Propagation rshared
mount_rw .container.Mounts[]|select(.Destination=="/shared")|.RW true
cpu_quota .container.cpu_quota 75000
cpu_period .container.cpu_period 100000
cpu_shares .container.cpu_shares 700
cpuset .container.cpuset_cpu_count 1
memory_limit .container.memory_limit 67108864
environment_is_empty_by_default .container.env|length 0
pod_name .pod.name web
pod_namespace .pod.namespace shop
pod_uid .pod.uid $uid
pod_address .pod.ip $web_ip
pod_sandbox .container.pod_sandbox_id $web
pod_label .container.pod_sandbox_labels.app web
pod_annotation .container.pod_sandbox_labels["annotation.team"] a
pod_annotation_too_long_is_left_out .container.pod_sandbox_labels["annotation.example.com/long"] null
is_no_sandbox .container.is_pod_sandbox false
address .container.ip $web_ip
cni_result_has_the_address (.pod.cni_json|contains("$web_ip")) true
cni_result_has_no_loopback (.pod.cni_json|contains("\"lo\"")) false
END
    check_equal "no_secret_of_the_environment_is_in_the_region" 0 "$(grep -c hush "$region/table")"
}

check_sandbox() {
    check_members "$web" sandbox <<END
is_a_record .container.is_pod_sandbox true
name_is_its_id .container.name ${web:0:12}
type .container.type $type
has_no_image .groups.image.known false
says_why .groups.image.reason pod-sandbox
is_complete_apart_from_that (.missing|tostring) ["image"]
pod_name .pod.name web
pod_namespace .pod.namespace shop
pod_uid .pod.uid $uid
label .container.labels.app web
address .container.ip $web_ip
state .state running
END
}

# The plugin over the pod's live processes: what a rule sees.
check_web_fields() {
    check_fields "$(pid_in "$main")" plugin <<END
container.id ${main:0:12}
container.full_id $main
container.name main
container.image $image
container.image.repository ${image%:*}
container.image.tag ${image##*:}
container.image.digest $image_digest
container.privileged false
container.ip $web_ip
container.label[own] yes
k8s.pod.name web
k8s.ns.name shop
k8s.pod.uid $uid
k8s.pod.ip $web_ip
k8s.pod.sandbox_id ${web:0:12}
k8s.pod.full_sandbox_id $web
k8s.pod.labels app:web, tier:front
END
}

check_list() {
    local heading
    heading=$(ctl ps | head -n 1)
    for column in POD NAMESPACE; do
        check "ps_has_a_column_$column" grep -qw "$column" <<<"$heading"
    done
    check "ps_shows_the_pod" grep -Eq "^${main:0:12} .*\bmain\b.*\bweb +shop\b" <<<"$(ctl ps)"
    check_equal "ps_as_json_has_the_pod" '{"namespace":"shop","name":"web"}' \
        "$(ctl ps -o json | jq -c --arg id "$main" '.[] | select(.full_id == $id) | .pod')"
    check_equal "why_names_the_container_of_a_process" "$main" \
        "$(ctl why -o json "$(pid_in "$main")" | jq -r .container_id)"
}

# By tag they are in web; here by digest, by both, and by ID with the name beside it, which is what a
# kubelet asks for.
check_images() {
    local id handle
    handle=$(cri images | awk -F'\t' -v hex="${image_id#sha256:}" 'index($1, hex) {print $1}')
    id=$(run_in web "$web" by-kubelet "$handle" --user-image "$image" -- sleep 1000)
    check_members "$id" image_by_kubelet <<END
is_complete .complete true
is_what_the_pod_says .container.image $image
has_its_repository .container.imagerepo ${image%:*}
has_its_tag .container.imagetag ${image##*:}
has_its_digest .container.imagedigest $image_digest
has_its_id .container.imageid ${image_id#sha256:}
END
    remove_container "$id"
    check_image digest "${image%:*}@$image_digest"
    check_image tag_and_digest "$image@$image_digest"
}

# check_image HOW NAME: what a container made from NAME says of its image
check_image() {
    local id
    id=$(run_in web "$web" "by-$1" "$2" -- sleep 1000)
    check_members "$id" "image_by_$1" <<END
is_complete .complete true
has_its_repository .container.imagerepo ${image%:*}
has_its_digest .container.imagedigest $image_digest
has_its_id .container.imageid ${image_id#sha256:}
END
    remove_container "$id"
}

check_host_pod() {
    local agent plain
    host=$(run_pod host-agent kube-system aaaa-2222 --host-network --host-pid --host-ipc --privileged)
    agent=$(run_in host-agent "$host" agent "$image" --privileged -- sleep 1000)
    plain=$(run_in host-agent "$host" plain "$image" -- sleep 1000)
    check_members "$agent" privileged_container <<END
is_complete .complete true
is_privileged .container.privileged true
has_host_network .container.host_network true
has_host_pid .container.host_pid true
has_host_ipc .container.host_ipc true
pod_name .pod.name host-agent
pod_namespace .pod.namespace kube-system
END
    check_members "$plain" container_beside_it <<END
is_complete .complete true
is_not_privileged .container.privileged false
has_host_network .container.host_network true
END
    check_fields "$(pid_in "$agent")" plugin_on_the_host <<END
container.privileged true
container.host_network true
container.host_pid true
container.host_ipc true
k8s.pod.name host-agent
END
    remove_pod "$host"
}

check_lives() {
    local created short pid
    created=$(create_in web "$web" created "$image" -- sleep 1000)
    check_member "a_created_container" "$created" .state created
    # CRI-O has a process waiting already.
    pid=$(pid_in "$created")
    check_member "its_pid_is_the_one_it_has_by_now" "$created" .pid "${pid/#0/null}"
    check_member "its_pod_is_known_before_it_starts" "$created" .pod.ip "$web_ip"
    cri start "$created"
    check_member "it_starts" "$created" .pid "$(pid_in "$created")"
    short=$(run_in web "$web" short "$image" -- sh -c 'exit 7')
    check_member "an_exit_code" "$short" .exit_code 7
    check_member "an_exited_container" "$short" .state exited
    cri rm "$short"
    check "a_removed_container_is_a_tombstone" until_true 10 removed "$short"
    check "and_is_gone_after_its_grace_period" until_true 10 absent "$short"
    remove_container "$created"
    check "a_stopped_one_too" until_true 10 absent "$created"
}

check_removal_of_web() {
    cri stopp "$web"
    check_member "a_stopped_pods_sandbox" "$web" .state exited
    check_member "a_stopped_pods_container" "$main" .state exited
    cri rmp "$web"
    check "a_removed_pods_container_is_a_tombstone" until_true 10 removed "$main"
    check "its_sandbox_too" until_true 10 removed "$web"
    check "both_are_gone_after_their_grace_period" until_true 10 absent "$main"
    check "with_the_sandbox" until_true 10 absent "$web"
}

# as_told: the table has what the runtime has, and no more
as_told() {
    [ "$( (cri ps; cri pods) | cut -f1 | sort)" = \
        "$(ctl ps -a -o json | jq -r '.[] | select(.state != "removed") | .full_id' | sort)" ]
}
