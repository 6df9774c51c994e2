#!/bin/bash
# Installs what is missing, runs the test suite, and ends with one line: N passed, N failed, N skipped.
#
# usage: ./test.sh [TARGETS]      none: //... and the workspace test/consumer that depends on this one
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
cd "$root"
# shellcheck source=third_party/environment.sh
source third_party/environment.sh

third_party/install_debian_packages.sh run test

for directory in test/lint test/interop; do
  if [[ ! -f "$directory/package-lock.json" ]]; then continue; fi
  # npm writes its own copy of the lock last, so an older or missing copy means an unfinished or outdated install.
  if [[ "$directory/node_modules/.package-lock.json" -nt "$directory/package-lock.json" ]]; then continue; fi
  echo "installing npm packages of $directory" >&2
  (cd "$directory" && npm ci --no-audit --no-fund --loglevel=error >&2 && touch node_modules/.package-lock.json)
done

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

targets=("$@")
if [[ $# -eq 0 ]]; then targets=(//...); fi
status=0
bazel test "${JSP_BAZEL_OUTPUT_OPTIONS[@]}" --keep_going --build_event_json_file="$scratch/events.json" -- \
  "${targets[@]}" || status=$?

counted=(--bazel-status "$status")
if [[ $# -eq 0 ]]; then
  echo "testing test/consumer, a second workspace that depends on this one" >&2
  status=0
  (cd test/consumer && bazel test "${JSP_BAZEL_OUTPUT_OPTIONS[@]}" --keep_going //...) || status=$?
  counted+=(--step "test/consumer=$status")
fi

python3 .ci/count_results.py "${counted[@]}" "$scratch/events.json"
