#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The docs keep up with the code: links lead somewhere, each engine, metric and message is in them, and
# each thing that users suffer from has its tests.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
cd "$top" || exit 1

# Says what is missing; succeeds if nothing is.
none() { [ -z "$1" ] || { echo "$1"; false; }; }

broken_links() {
    local page link
    for page in README.md CHANGELOG.md docs/*.md packaging/*/README.md; do
        grep -o '](\([^)#]*\)' "$page" | sed 's/^](//' | while read -r link; do
            case $link in http*|'') continue ;; esac
            [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
        done
    done
}
engines() { sed -n 's/^    \.name = "\([a-z_]*\)",.*/\1/p; s/.*_engine = {\.name = "\([a-z_]*\)".*/\1/p' containerd-meta/engine/*.c | sort -u; }
engines_without_a_row() { engines | while read -r name; do grep -q "^| $name\b" docs/configuration.md || echo "$name"; done; }
metrics_without_a_row() {
    sed -n 's/^    X([A-Z_]*, "\([a-z_]*\)",.*/\1/p' plugin/metrics.h | while read -r name; do
        grep -q "^| \`$name\`" docs/metrics.md || echo "$name"
    done
}
pains_without_a_test() {
    local pain test
    grep -v '^#' tests/pains.txt | while read -r pain test; do
        grep -rqE "START_TEST\($test\)|\"$test\"" tests/unit tests/engines tests/faults tests/packaging || echo "$pain: $test"
    done
    [ "$(grep -v '^#' tests/pains.txt | cut -f1 | sort -u | wc -l)" = 10 ] || echo "not ten of them"
}

check "every_link_leads_somewhere" none "$(broken_links)"
check "there_are_engines_to_look_for" [ "$(engines | wc -l)" -ge 3 ]
check "every_engine_is_in_the_configuration_page" none "$(engines_without_a_row)"
check "every_metric_is_documented" none "$(metrics_without_a_row)"
check "every_message_can_be_found" perl tests/packaging/messages.pl docs/troubleshooting.md \
    $(find containerd-meta -name '*.c' -not -path '*/ctl/*')
check "every_pain_of_users_has_its_tests" none "$(pains_without_a_test)"
finish
