#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing need, and nothing that is there already. Engines are installed
# without being started: a system dockerd is none of our business.
set -eu
packages="build-essential pkg-config clang clang-format clang-tidy libclang-rt-14-dev
libsystemd-dev libjansson-dev libcurl4-openssl-dev libyaml-dev libexpat1-dev libsmartcols-dev check
libgrpc-dev libprotobuf-c-dev protobuf-c-compiler
docker.io containerd runc podman netavark uidmap containernetworking-plugins lxd lxc
libvirt-daemon libvirt-daemon-driver-lxc libvirt-clients
busybox-static iproute2 iptables procps jq systemd systemd-container dbus-daemon"
missing=
for package in $packages; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "make deps: missing packages:$missing" >&2
    echo "make deps: run it as root, or install them with apt-get install$missing" >&2
    exit 1
fi
# policy-rc.d with status 101 keeps package scripts from starting services. One of ours is taken away again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing
