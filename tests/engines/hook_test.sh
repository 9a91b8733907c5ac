#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The OCI hook with a real runtime and a real podman: the record is there before a container's first
# instruction, and a container starts whatever became of the daemon.
set -u
. "$(dirname "$0")/lib.sh"
begin
. "$here/podman.sh"
hook=$BUILD/containerd-meta-hook
socket=$work/hook
runc=$here/runc-fitted
hindrance=$(podman_hindrance)
if [ -n "$hindrance" ]; then
    skip "hook_test: $hindrance"
    exit 0
fi
if ! command -v runc >/dev/null; then
    skip "hook_test: no runc (make deps installs it)"
    exit 0
fi

# --- runc alone ----------------------------------------------------------------------------------
id=$(printf 'a1%.0s' {1..32})
bundle=$work/overlay-containers/$id/userdata
mkdir -p "$bundle/rootfs/bin"
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
make_bundle() {
    runc spec --bundle "$bundle" && jq --arg hook "$hook" --arg socket "$socket" \
        '.process.args = ["/bin/busybox", "sleep", "1000000"] | .process.terminal = false | .root.path = "rootfs"
        | .annotations = {"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.container.name": "web",
            "io.kubernetes.cri-o.Created": "2026-11-22T02:15:16Z", "io.kubernetes.pod.name": "shop"}
        | .hooks = {createRuntime: [{path: $hook, args: ["containerd-meta-hook", $socket]}]}' \
        "$bundle/config.json" >"$bundle/new.json" && mv "$bundle/new.json" "$bundle/config.json"
}
stop_runc() { "$runc" --root "$work/runc" delete -f "$id" >/dev/null 2>&1; }
# Created, and not started: nothing of it has run when this returns.
create() { "$runc" --root "$work/runc" create --bundle "$bundle" "$id" </dev/null >"$work/runc.log" 2>&1; }

cat >"$work/config.yaml" <<END
oci_hook: on
engines:
  oci_hook: { sockets: [$socket] }
  podman: { sockets: [$podman_sock] }
  docker: { enabled: false }
  containerd: { enabled: false }
  cri: { enabled: false }
  incus: { enabled: false }
  edera: { enabled: false }
END
start_daemon --config "$work/config.yaml"
until_true 10 test -S "$socket"
check "a_bundle_for_runc" make_bundle
check "runc_creates_with_the_hook" create
check_equal "its_record_is_there_when_runc_returns" web "$(member "$id" .container.name)"
check_equal "and_who_is_privileged_to_runc" false "$(member "$id" .container.privileged)"
stop_runc
until_true 10 removed "$id"
check "it_goes_with_its_process" removed "$id"

# --- podman --------------------------------------------------------------------------------------
hooks=$work/hooks.d
mkdir -p "$hooks"
sed -e "s|@HOOK@|$hook|" -e "s|\"args\": .*|\"args\": [\"containerd-meta-hook\", \"$socket\"]|" \
    "$top/packaging/hooks.d/containerd-meta.json" >"$hooks/containerd-meta.json"
configure_podman && make_podman_image registry.test:5000/team/lab:1.0 && start_podman
connected() { ctl engines -o json | jq -e '.[] | select(.name == "podman" and .state == "connected")'; }
check "podman_is_connected" until_true 20 connected
quietly() { "$@" >/dev/null; }
with_hook() { podman --hooks-dir "$hooks" "$@"; }
events() { ctl engines -o json | jq '.[] | select(.name == "oci_hook").events'; }
before=$(events)
id=$(with_hook create --name held -l app=web --network none registry.test:5000/team/lab:1.0 /bin/sleep 1000000)
check "podman_makes_it_ready" quietly with_hook init held
check "the_hook_has_told_of_it" [ "$(events)" -gt "$before" ]
check_equal "its_name_is_there_before_it_starts" held "$(member "$id" .container.name)"
check_equal "its_image_too" registry.test:5000/team/lab "$(member "$id" .container.imagerepo)"
check_equal "its_label_too" web "$(member "$id" .container.labels.app)"
check_equal "and_who_is_privileged" false "$(member "$id" .container.privileged)"
check "podman_starts_it" quietly with_hook start held

# --- whatever became of the daemon ---------------------------------------------------------------
runs() { [ "$(with_hook run --rm --network none registry.test:5000/team/lab:1.0 /bin/sh -c 'echo ran' 2>/dev/null)" = ran ]; }
kill -STOP "$daemon_pid"
check "a_daemon_that_is_stopped_holds_nobody_up" runs
kill -CONT "$daemon_pid"
end "$daemon_pid" KILL
check "nor_does_one_that_was_killed" runs
rm -f "$socket"
check "nor_one_that_was_never_there" runs
finish
