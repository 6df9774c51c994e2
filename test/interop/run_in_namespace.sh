#!/bin/bash
# Runs one test with another stack in a network namespace of its own, in which that finds an address that is not loopback
# and a default route; without them no browser gathers a candidate, and neither does aiortc.
#
# usage: run_in_namespace.sh TEST.mjs BROWSER-COMMAND JSP-BINARY      `jsp` as the command: the test needs no browser
#        run_in_namespace.sh TEST.py aiortc JSP-BINARY
set -euo pipefail

test_script="$1" browser="$2" jsp="$(readlink -f "$3")"
# The packages of npm are no input that Bazel knows: they are beside the real file behind the runfiles.
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}

if [[ "${JSP_IN_NAMESPACE:-}" != 1 ]]; then
  browser_path="$browser"
  if [[ "$browser" == aiortc ]]; then
    # Debian's, which its own Python finds.
    /usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip "python3-aiortc is not installed"
  else
    command -v node >/dev/null || skip "node is not installed"
    if [[ "$browser" != jsp ]]; then browser_path="$(command -v "$browser")" || skip "$browser is not installed"; fi
    [[ -d "$here/node_modules" ]] || skip 'npm packages are not installed; run `npm ci` in test/interop'
  fi
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

if [[ "$browser" == aiortc ]]; then exec /usr/bin/python3 "$here/$test_script" "$jsp"; fi
exec node "$here/$test_script" "$JSP_BROWSER" "$jsp"
