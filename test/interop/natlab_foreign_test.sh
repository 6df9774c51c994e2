#!/bin/bash
# Other stacks in the cells of `jsp natlab --engine netns`: aiortc, or headless Chromium, on either side, behind NATs that
# can be punched and behind NATs that need the relay. Every cell has to end as the NATs demand.
#
# usage: natlab_foreign_test.sh aiortc|CHROMIUM JSP-BINARY
set -euo pipefail

other="$1" jsp="$(readlink -f "$2")"
# The packages of npm are no input that Bazel knows: they are beside the real file behind the runfiles.
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}

if [[ "$other" == aiortc ]]; then
  /usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip "python3-aiortc is not installed"
  peer="/usr/bin/python3 $here/natlab_aiortc_peer.py"
else
  command -v node >/dev/null || skip "node is not installed"
  [[ -d "$here/node_modules" ]] || skip 'npm packages are not installed; run `npm ci` in test/interop'
  peer="node $here/natlab_chromium_peer.mjs $(command -v "$other" || skip "$other is not installed")"
  [[ "$peer" != *JSP-SKIPPED* ]] || skip "$other is not installed"
fi
if ! said="$("$jsp" natlab --engine netns --types public 2>&1)"; then
  [[ "$said" == *'not permitted'* || "$said" == *'No such file'* ]] || { echo "$said" && exit 1; }
  skip "$said"
fi

run() {
  echo "jsp natlab $*"
  "$jsp" natlab --engine netns --jobs 2 --seed 7 "$@"
}
run --types port,sym --peer-a "$peer"
run --types port,sym --peer-b "$peer"
