#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make install lays everything out, make uninstall takes just that away, and the administrator's
# configuration is never touched.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
to=$work/to
run_make() { make -s -C "$top" BUILD="$BUILD" DESTDIR="$to" "$@" >"$work/make.log" 2>&1; }

check "install" run_make install
for file in usr/sbin/containerd-meta usr/bin/containerd-meta-ctl usr/lib/containerd-meta/libcontainer.so \
    usr/lib/systemd/system/containerd-meta.service usr/lib/tmpfiles.d/containerd-meta.conf \
    usr/lib/sysusers.d/containerd-meta.conf etc/containerd-meta/config.yaml \
    usr/lib/containerd-meta/containerd-meta-hook usr/share/containerd-meta/hooks.d/containerd-meta.json \
    usr/share/containerd-meta/falco/falco.container_plugin.yaml; do
    check "installed_${file##*/}" test -s "$to/$file"
done
check_equal "no_placeholder_is_left" "" "$(grep -rlI '@[A-Z]\+@' "$to/etc" "$to/usr/lib" "$to/usr/share")"
check "the_shipped_configuration_is_good" "$to/usr/sbin/containerd-meta" --check-config --config "$to/etc/containerd-meta/config.yaml"
# Every key in it, uncommented, is good too.
sed -n 's/^#\([a-z]\|  \)/\1/p' "$to/etc/containerd-meta/config.yaml" >"$work/all.yaml"
check "and_so_are_its_commented_defaults" "$to/usr/sbin/containerd-meta" --check-config --config "$work/all.yaml"
check_equal "which_are_all_there" 13 "$(grep -c '^[a-z_]*:' "$work/all.yaml")"
check "the_hook_needs_nothing_at_all" sh -c '! objdump -p "$1" | grep -q NEEDED' _ "$to/usr/lib/containerd-meta/containerd-meta-hook"
check_equal "the_hook_is_enabled_by_nobody" "" "$(find "$to" -path '*oci/hooks.d*')"
check "its_file_is_json" jq -e '.stages == ["createRuntime"] and .hook.path == "/usr/lib/containerd-meta/containerd-meta-hook"' \
    "$to/usr/share/containerd-meta/hooks.d/containerd-meta.json"
check "the_installed_plugin_loads" sh -c '"$1" --plugin "$2" --list >/dev/null' _ "$host_bin" "$to/usr/lib/containerd-meta/libcontainer.so"
# plugins 1500, 70: it loads wherever Falco runs.
needed() { objdump -p "$to/usr/lib/containerd-meta/libcontainer.so" | sed -n 's/^ *NEEDED *//p'; }
newest_glibc() { objdump -T "$to/usr/lib/containerd-meta/libcontainer.so" | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -n 1; }
exported() { objdump -T "$to/usr/lib/containerd-meta/libcontainer.so" | awk '/ g .*(\.text|\.data|\.rodata|\.bss)/ {print $NF}' | grep -v '^plugin_'; }
check_equal "plugin_needs_nothing_but_libc" "libc.so.6" "$(needed)"
check_equal "plugin_needs_no_glibc_younger_than_2_17" "GLIBC_2.17" "$(printf '%s\nGLIBC_2.17\n' "$(newest_glibc)" | sort -V | tail -n 1)"
check_equal "plugin_exports_nothing_but_its_api" "" "$(exported)"
if command -v systemd-tmpfiles >/dev/null && [ "$(id -u)" = 0 ]; then
    check "sysusers_and_tmpfiles_are_understood" sh -c \
        'systemd-sysusers --root="$1" && systemd-tmpfiles --root="$1" --create containerd-meta.conf && test -d "$1/run/containerd-meta"' _ "$to"
else
    skip "sysusers_and_tmpfiles_are_understood: not root, or no systemd"
fi
echo 'grace: 5s' >"$to/etc/containerd-meta/config.yaml"
run_make install
check_equal "the_configuration_is_not_overwritten" "grace: 5s" "$(cat "$to/etc/containerd-meta/config.yaml")"
rm -rf "$to/run" "$to/etc/group" "$to/etc/gshadow" "$to"/etc/group- "$to"/etc/gshadow- "$to"/etc/.pwd.lock
check "uninstall" run_make uninstall
check_equal "uninstall_leaves_the_configuration_only" "etc/containerd-meta/config.yaml" \
    "$(cd "$to" && find . -type f | sed 's|^\./||')"
finish
