# SPDX-License-Identifier: Apache-2.0
# What engines with pods share: namespaces of their own, a CNI network, images as archives made of
# busybox, and the client that makes pods. Nothing is pulled. Sourced after lib.sh, by the engines'
# own files.
# shellcheck shell=bash disable=SC2154

cri_client=$BUILD/cri-client
cgroup_parent=/containerd-meta-test-$$
cni_bin=/usr/lib/cni
pause_image=registry.test:5000/pause:1

# start_place FOLDER...: network and mount namespaces that live until end_place; the FOLDERs, where
# engines leave things whatever they are told, are empty there and theirs alone.
start_place() {
    place_folders=("$@")
    mkdir -p "$@" "$work/shared"
    setsid unshare -n -m --propagation private bash -c '
        ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 || exit
        for folder in "$@"; do mount -t tmpfs tmpfs "$folder" || exit; done
        mount --make-rshared "${!#}" && touch "${!#}/ready" && exec sleep infinity' _ "$@" "$work/shared" \
        >>"$work/place.log" 2>&1 &
    place_pid=$!
    disown "$place_pid"
    until_true 10 test -e "/proc/$place_pid/root$work/shared/ready" || { cat "$work/place.log" >&2; return 1; }
}

inside() { nsenter -t "$place_pid" -n -m -- "$@"; }

end_place() {
    [ -n "${place_pid:-}" ] || return 0
    end "$place_pid"
    place_pid=
    rmdir "${place_folders[@]}" 2>/dev/null
    find /sys/fs/cgroup -depth -type d -path "*$cgroup_parent*" -exec rmdir {} + 2>/dev/null
    return 0
}

# end_shims NAME WORD: ends the NAMEs with WORD on their command lines, and the containers they hold.
end_shims() {
    local pid child
    for pid in $(grep -lsF -- "$1" /proc/[0-9]*/cmdline | cut -d/ -f3); do
        grep -qsF -- "$2" "/proc/$pid/cmdline" || continue
        for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do end "$child" KILL; done
        end "$pid" KILL
    done
}

# A machine without CAP_SYS_RESOURCE can't run privileged containers as they are.
fitted_runc() {
    local bounding
    bounding=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
    if (((0x$bounding >> 24) & 1)); then command -v runc; else echo "$here/runc-fitted"; fi
}

# make_cni FOLDER BRIDGE SUBNET
make_cni() {
    mkdir -p "$1"
    cat >"$1/10-test.conflist" <<END
{"cniVersion": "0.4.0", "name": "test", "plugins": [
  {"type": "bridge", "bridge": "$2", "isGateway": true, "ipam": {"type": "host-local",
    "dataDir": "$1.state", "ranges": [[{"subnet": "$3"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
}

# --- images --------------------------------------------------------------------------------------

# blob FOLDER FILE: moves the file among the blobs of an OCI layout; prints descriptor's members
blob() {
    local digest
    digest=$(sha256sum "$2" | cut -d' ' -f1)
    printf '"digest": "sha256:%s", "size": %s' "$digest" "$(stat -c %s "$2")"
    mv "$2" "$1/blobs/sha256/$digest"
}

# make_archive FILE NAME CONFIG: an image of the OCI layout, a root file system of busybox; CONFIG
# is its configuration, JSON.
make_archive() {
    local layout=$work/layout root=$work/image type=application/vnd.oci.image layer config diff tool
    mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$layout/blobs/sha256"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat true false touch env id ls; do ln -sf busybox "$root/bin/$tool"; done
    echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
    tar -C "$root" --sort=name -cf "$work/layer.tar" .
    diff=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
    layer=$(blob "$layout" "$work/layer.tar")
    printf '{"architecture": "%s", "os": "linux", "config": %s, "rootfs": {"type": "layers", "diff_ids": ["sha256:%s"]}}' \
        "$(dpkg --print-architecture)" "$3" "$diff" >"$work/config.json"
    image_id=sha256:$(sha256sum "$work/config.json" | cut -d' ' -f1)
    config=$(blob "$layout" "$work/config.json")
    printf '{"schemaVersion": 2, "mediaType": "%s.manifest.v1+json", "config": {"mediaType": "%s.config.v1+json", %s}, "layers": [{"mediaType": "%s.layer.v1.tar", %s}]}' \
        "$type" "$type" "$config" "$type" "$layer" >"$work/manifest.json"
    image_digest=sha256:$(sha256sum "$work/manifest.json" | cut -d' ' -f1)
    printf '{"schemaVersion": 2, "manifests": [{"mediaType": "%s.manifest.v1+json", %s, "annotations": {"io.containerd.image.name": "%s", "org.opencontainers.image.ref.name": "%s"}}]}' \
        "$type" "$(blob "$layout" "$work/manifest.json")" "$2" "$2" >"$layout/index.json"
    echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
    tar -C "$layout" -cf "$1" .
    rm -rf "$layout"
}

# A pod's sandbox runs what this image says: it sleeps.
make_pause_archive() { make_archive "$1" "$pause_image" '{"Entrypoint": ["/bin/sleep", "1000000"]}'; }
make_lab_archive() { make_archive "$1" "$2" '{"Env": ["PATH=/bin", "IMAGE_ENV=1"], "Cmd": ["/bin/sh"], "Labels": {"origin": "image"}}'; }

# --- pods, at $cri_sock --------------------------------------------------------------------------

cri() { "$cri_client" "$cri_sock" "$@"; }

# The labels that a kubelet gives a pod and each of its containers are kept beside its configuration.
# run_pod NAME NAMESPACE UID [OPTION...]: prints its ID
run_pod() {
    local kept=$work/pods/$1 labels
    labels=(--label "io.kubernetes.pod.name=$1" --label "io.kubernetes.pod.namespace=$2"
        --label "io.kubernetes.pod.uid=$3")
    mkdir -p "$work/pods"
    printf '%s\n' "${labels[@]}" >"$kept.labels"
    cri runp --pod "$kept" --name "$1" --namespace "$2" --uid "$3" "${labels[@]}" \
        --cgroup-parent "$cgroup_parent/kubepods/burstable/pod$3" "${@:4}"
}

# create_in POD ID NAME IMAGE [OPTION...] -- COMMAND...: a container of the pod, not started; its ID
create_in() {
    local kept=$work/pods/$1 id=$2 name=$3 image=$4 options
    shift 4
    mapfile -t options <"$kept.labels"
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    cri create --pod "$kept" --name "$name" --image "$image" \
        --label "io.kubernetes.container.name=$name" "${options[@]}" "$id" "${@:2}"
}

# run_in: the same, started
run_in() {
    local id
    id=$(create_in "$@") && cri start "$id" && echo "$id"
}

remove_pod() { cri stopp "$1" && cri rmp "$1"; }
remove_container() { cri stop "$1" && cri rm "$1"; }
