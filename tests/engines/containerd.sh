# SPDX-License-Identifier: Apache-2.0
# A private containerd with its CRI plugin: network and mount namespaces of its own, state and socket
# below $work. Takes the containerd that the PATH finds first, 1.6 or later, 2.x included. Sourced
# after lib.sh.
# shellcheck shell=bash disable=SC2154

. "$here/pods.sh"

ctd_base=$work/containerd
ctd_sock=$ctd_base/containerd.sock
cri_sock=$ctd_sock

# Why containerd can't run here; empty if it can.
containerd_hindrance() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    for tool in containerd ctr runc busybox; do
        command -v "$tool" >/dev/null || { echo "no $tool (make deps installs it)"; return; }
    done
    [ -x "$cni_bin/bridge" ] || { echo "no CNI plugins (make deps installs them)"; return; }
    unshare -n -m true 2>/dev/null || echo "no right to make namespaces"
}

# containerd_is VERSION: or later
containerd_is() {
    local version
    version=$(containerd --version | awk '{sub(/^v/, "", $3); print $3}')
    [ "$(printf '%s\n%s\n' "$1" "$version" | sort -V | head -n 1)" = "$1" ]
}

# What both versions of the file have, under the name that the CRI plugin's runtime part has in each.
containerd_config_cri() {
    cat <<END
root = '$ctd_base/root'
state = '$ctd_base/state'
[grpc]
  address = '$ctd_sock'
[ttrpc]
  address = '$ctd_sock.ttrpc'
[plugins.'io.containerd.internal.v1.opt']
  path = '$ctd_base/opt'
[plugins.'$1']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
${2:-}
  [plugins.'$1'.cni]
    $(if containerd_is 2.1; then echo "bin_dirs = ['$cni_bin']"; else echo "bin_dir = '$cni_bin'"; fi)
    conf_dir = '$ctd_base/cni'
  [plugins.'$1'.containerd]
    default_runtime_name = 'runc'
    [plugins.'$1'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'$1'.containerd.runtimes.runc.options]
        BinaryName = '$(fitted_runc)'
        SystemdCgroup = false
END
}

# Up to 1.7 the CRI plugin is one; from 2.0 on it is three.
containerd_config() {
    if ! containerd_is 2.0; then
        echo 'version = 2'
        containerd_config_cri io.containerd.grpc.v1.cri "  sandbox_image = '$pause_image'
  disable_tcp_service = true"
    else
        echo 'version = 3'
        containerd_config_cri io.containerd.cri.v1.runtime
        cat <<END
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '$pause_image'
[plugins.'io.containerd.grpc.v1.cri']
  disable_tcp_service = true
[plugins.'io.containerd.nri.v1.nri']
  disable = true
END
    fi
}

# $ctd_pid; waits until it answers. Also after a stop: its containers are still there then.
start_containerd() {
    mkdir -p "$ctd_base"
    if [ -z "${place_pid:-}" ]; then
        start_place /run/containerd /var/lib/cni || return 1
        make_cni "$ctd_base/cni" cmtest0 10.213.0.0/16
        containerd_config >"$ctd_base/config.toml"
    fi
    setsid nsenter -t "$place_pid" -n -m -- containerd --config "$ctd_base/config.toml" \
        >>"$work/containerd.log" 2>&1 &
    ctd_pid=$!
    disown "$ctd_pid"
    if ! until_true 60 containerd_answers; then
        tail -n 20 "$work/containerd.log" >&2
        return 1
    fi
}

# Not `version`: that is answered before the CRI plugin has found its pods again.
containerd_answers() { [ -S "$ctd_sock" ] && cri pods; }

ctr() { inside env CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 ctr -a "$ctd_sock" "$@"; }

stop_containerd() {
    [ -n "${place_pid:-}" ] || return 0
    [ -n "${ctd_pid:-}" ] && end "$ctd_pid"
    ctd_pid=
    end_shims containerd-shim "$ctd_sock"
    end_place
    # An empty cgroup is all that rmdir takes.
    rmdir /sys/fs/cgroup{,/*}/{default,k8s.io,later}{/*,} 2>/dev/null
    return 0
}

# import_images NAME: the image of containers, under NAME and by its digest, in k8s.io and default; the
# image of sandboxes. $image_id, $image_digest.
import_images() {
    local namespace
    make_pause_archive "$work/pause.tar"
    make_lab_archive "$work/lab.tar" "$1"
    ctr -n k8s.io images import "$work/pause.tar" >"$work/import.log" 2>&1 &&
        import_lab default "$1" && import_lab k8s.io "$1" && until_true 20 images_known "$1" ||
        { cat "$work/import.log" >&2; return 1; }
}

import_lab() { # NAMESPACE NAME
    ctr -n "$1" images import "$work/lab.tar" && ctr -n "$1" images tag "$2" "${2%:*}@$image_digest"
} >>"$work/import.log" 2>&1

# The CRI plugin hears of images by events.
images_known() {
    cri images >"$work/images"
    grep -qF "$1" "$work/images" && grep -qF "${1%:*}@$image_digest" "$work/images" &&
        grep -qF "$pause_image" "$work/images"
}

# ctr_run NAMESPACE IMAGE ID COMMAND... [-- OPTION...]: in the background
ctr_run() {
    local namespace=$1 image=$2 id=$3 command=()
    shift 3
    while [ $# -gt 0 ] && [ "$1" != -- ]; do command+=("$1"); shift; done
    [ $# = 0 ] || shift
    ctr -n "$namespace" run -d --null-io --runc-binary "$(fitted_runc)" "$@" "$image" "$id" "${command[@]}"
}

# ctr_pid NAMESPACE ID
ctr_pid() { ctr -n "$1" tasks ls | awk -v id="$2" '$1 == id {print $2}'; }

ctr_remove() { # NAMESPACE ID
    ctr -n "$1" tasks kill -s KILL "$2" >/dev/null 2>&1
    until_true 10 ctr -n "$1" tasks rm "$2"
    ctr -n "$1" containers rm "$2"
}
