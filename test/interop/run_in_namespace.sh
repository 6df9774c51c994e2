#!/bin/bash
# Runs one browser test in a network namespace of its own, in which the browser finds an address that is not loopback and
# a default route; without them no browser gathers a candidate.
#
# usage: run_in_namespace.sh TEST.mjs BROWSER-COMMAND JSP-BINARY
set -euo pipefail

test_script="$1" browser="$2" jsp="$(readlink -f "$3")"
# The packages of npm are no input that Bazel knows: they are beside the real file behind the runfiles.
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}

if [[ "${JSP_IN_NAMESPACE:-}" != 1 ]]; then
  command -v node >/dev/null || skip "node is not installed"
  browser_path="$(command -v "$browser")" || skip "$browser is not installed"
  [[ -d "$here/node_modules" ]] || skip 'npm packages are not installed; run `npm ci` in test/interop'
  flags=(-n)
  if [[ "$(id -u)" != 0 ]]; then flags=(-Urn); fi
  unshare "${flags[@]}" ip link add eth0 type veth peer name eth1 2>/dev/null ||
    skip "this user may not make a network namespace with a veth pair"
  JSP_IN_NAMESPACE=1 JSP_BROWSER="$browser_path" exec unshare "${flags[@]}" "$0" "$@"
fi

ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 up
ip link set eth0 up
ip address add 10.77.0.1/24 dev eth0
ip route add default via 10.77.0.254

exec node "$here/$test_script" "$JSP_BROWSER" "$jsp"
