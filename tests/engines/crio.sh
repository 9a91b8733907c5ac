# SPDX-License-Identifier: Apache-2.0
# A private CRI-O, where one is on the PATH (Debian has none): network and mount namespaces of its
# own, state and socket below $work. skopeo brings the images into its storage. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

. "$here/pods.sh"

crio_base=$work/crio
crio_sock=$crio_base/crio.sock
cri_sock=$crio_sock

# Why CRI-O can't run here; empty if it can.
crio_hindrance() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    for tool in crio pinns conmon runc skopeo busybox; do
        command -v "$tool" >/dev/null || { echo "no $tool on the PATH"; return; }
    done
    [ -x "$cni_bin/bridge" ] || { echo "no CNI plugins (make deps installs them)"; return; }
    unshare -n -m true 2>/dev/null || echo "no right to make namespaces"
}

# crio_config [LINE...]: more of [crio.runtime]
crio_config() {
    cat <<END
[crio]
root = "$crio_base/root"
runroot = "$crio_base/runroot"
storage_driver = "overlay"
log_dir = "$crio_base/log"
version_file = "$crio_base/version"
version_file_persist = ""
clean_shutdown_file = "$crio_base/clean"
internal_wipe = false
[crio.api]
listen = "$crio_sock"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
apparmor_profile = "unconfined"
container_exits_dir = "$crio_base/exits"
container_attach_socket_dir = "$crio_base/attach"
namespaces_dir = "$crio_base/namespaces"
pinns_path = "$(command -v pinns)"
hooks_dir = []
default_runtime = "runc"
$(printf '%s\n' "$@")
[crio.runtime.runtimes.runc]
runtime_path = "$(fitted_runc)"
runtime_type = "oci"
runtime_root = "$crio_base/runc"
monitor_path = "$(command -v conmon)"
monitor_cgroup = "pod"
[crio.image]
pause_image = "$pause_image"
pause_command = ""
signature_policy = "$crio_base/policy.json"
signature_policy_dir = "$crio_base/policies"
[crio.network]
network_dir = "$crio_base/cni"
plugin_dirs = ["$cni_bin"]
[crio.nri]
enable_nri = false
END
}

# start_crio [LINE...]: $crio_pid; waits until it answers. Also after a stop: its containers are still
# there then.
start_crio() {
    mkdir -p "$crio_base"/{log,exits,attach,namespaces,policies}
    if [ -z "${place_pid:-}" ]; then
        start_place /run/crio /var/lib/cni /run/containers /var/lib/containers || return 1
        make_cni "$crio_base/cni" cmtest1 10.214.0.0/16
        echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$crio_base/policy.json"
    fi
    crio_config "$@" >"$crio_base/crio.conf"
    setsid nsenter -t "$place_pid" -n -m -- crio --config "$crio_base/crio.conf" --config-dir "" \
        >>"$work/crio.log" 2>&1 &
    crio_pid=$!
    disown "$crio_pid"
    if ! until_true 60 crio_answers; then
        tail -n 20 "$work/crio.log" >&2
        return 1
    fi
}

crio_answers() { [ -S "$crio_sock" ] && cri pods; }

stop_crio() {
    [ -n "${place_pid:-}" ] || return 0
    [ -n "${crio_pid:-}" ] && end "$crio_pid"
    crio_pid=
    end_shims conmon "$crio_base"
    end_place
}

# import_crio_images NAME: the image of containers, and that of sandboxes; $image_id, $image_digest
import_crio_images() {
    make_pause_archive "$work/pause.tar" && store_image "$work/pause.tar" "$pause_image" &&
        make_lab_archive "$work/lab.tar" "$1" && store_image "$work/lab.tar" "$1" ||
        { cat "$work/import.log" >&2; return 1; }
    cri images | grep -F "$1" | grep -qF "$image_digest"
}

store_image() { # ARCHIVE NAME
    inside skopeo --policy "$crio_base/policy.json" copy --preserve-digests "oci-archive:$1:$2" \
        "containers-storage:[overlay@$crio_base/root+$crio_base/runroot]$2"
} >>"$work/import.log" 2>&1
