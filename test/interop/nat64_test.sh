#!/bin/bash
# A host with IPv6 only, whose resolver has what a DNS64 says of ipv4only.arpa: `jsp connect` and `jsp serve` reach a TURN
# server that is written as an IPv4 literal at the address that the network's NAT64 has for it, where coturn stands in.
#
# usage: nat64_test.sh JSP-BINARY
set -euo pipefail

jsp="$(readlink -f "$1")"

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}

if [[ "${JSP_IN_NAMESPACE:-}" != 1 ]]; then
  command -v turnserver >/dev/null || skip "coturn's turnserver is not installed"
  flags=(-nm)
  if [[ "$(id -u)" != 0 ]]; then flags=(-Urnm); fi
  unshare "${flags[@]}" sh -c 'ip link add eth0 type veth peer name eth1 && ip -6 address add 2001:db8::1 dev eth0 &&
    mount --bind /etc/hosts /etc/hosts' 2>/dev/null ||
    skip "this user may not make a network namespace with IPv6, or mount in it"
  JSP_IN_NAMESPACE=1 exec unshare "${flags[@]}" "$0" "$@"
fi

ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 up
ip link set eth0 up
ip -6 address add 2001:db8:1::1/64 dev eth0 nodad
# 198.51.100.1 in a prefix of 64 bits (RFC 6052 §2.2).
ip -6 address add 2001:db8:122:344:c6:3364:100::/128 dev lo nodad
# What coturn relays from is IPv4, on an interface that jsp is told not to use.
ip address add 192.0.2.1/32 dev lo

scratch="$(mktemp -d)"
# Both Well-Known Addresses (RFC 7050 §2.2) in it.
printf '%s ipv4only.arpa\n' 2001:db8:122:344:c0:0:aa00:: 2001:db8:122:344:c0:0:ab00:: >"$scratch/hosts"
mount --bind "$scratch/hosts" /etc/hosts

port=3478
turnserver -n --listening-ip=2001:db8:122:344:c6:3364:100:: --relay-ip=192.0.2.1 --listening-port="$port" --lt-cred-mech \
  --realm=r --user=u:p --no-tls --no-dtls --no-cli --pidfile="$scratch/pid" --log-file=stdout \
  --simple-log >"$scratch/log" 2>&1 &
processes=($!)
trap 'kill "${processes[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT

fail() {
  echo "$*"
  tail -20 "$scratch/log"
  exit 1
}

until "$jsp" stun "stun:[2001:db8:122:344:c6:3364:100::]:$port" --timeout 5 >/dev/null 2>&1; do
  [[ $SECONDS -lt 30 ]] || fail "coturn does not listen"
done

turn=(--interface eth0 --policy relay --username u --credential p --ice-server "turn:198.51.100.1:$port")
"$jsp" serve --http '[2001:db8:1::1]:0' "${turn[@]}" >"$scratch/serve" &
processes+=($!)
until grep -q 'listening on' "$scratch/serve"; do
  [[ $SECONDS -lt 60 ]] || fail "jsp serve is not ready: $(cat "$scratch/serve")"
done
url="$(sed -n 's/^listening on //p' "$scratch/serve")"
json="$("$jsp" connect "$url" "${turn[@]}" --message x --json -)" || fail "no connection through the relay: $json"
for text in '"ok":true' '"local":{"type":"relay"' '"remote":{"type":"relay"'; do
  [[ "$json" == *"$text"* ]] || fail "not in the report: $text: $json"
done
echo "both sides reached 198.51.100.1 over IPv6"
