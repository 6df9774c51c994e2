#!/bin/bash
# tshark reads what `jsp turn-server` and coturn's clients say to each other, and has no complaint.
#
# usage: turn_capture_test.sh JSP-BINARY
set -euo pipefail

skip() {
  echo "JSP-SKIPPED: $1"
  exit 0
}
fail() {
  echo "$*"
  exit 1
}
for tool in turnutils_uclient turnutils_natdiscovery dumpcap tshark; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done
if [[ "${JSP_IN_NAMESPACE:-}" != 1 ]]; then
  flags=(-n)
  if [[ "$(id -u)" != 0 ]]; then flags=(-Urn); fi
  unshare "${flags[@]}" ip link set lo up 2>/dev/null || skip "this user may not make a network namespace"
  JSP_IN_NAMESPACE=1 exec unshare "${flags[@]}" "$0" "$@"
fi

ip link set lo up
scratch="$(mktemp -d)"
jobs_of_ours=()
trap 'kill "${jobs_of_ours[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT
# The ports of STUN, which tshark knows.
"$1" turn-server --listen udp://127.0.0.1:3478 --listen tcp://127.0.0.1:3478 --alternate-address 127.0.0.2 --realm r \
  --user u:p --relay-address 127.0.0.1 --allow-peer 127.0.0.0/8 --legacy-channels --tcp-relays >"$scratch/server" 2>&1 &
jobs_of_ours+=($!)
dumpcap -q -i lo -f 'port 3478 or port 3479' -w "$scratch/capture" 2>"$scratch/dumpcap" &
capture=$!
jobs_of_ours+=("$capture")
until grep -q 'listening on tcp' "$scratch/server" 2>/dev/null && grep -q '^File:' "$scratch/dumpcap" 2>/dev/null; do
  [[ $SECONDS -lt 30 ]] || skip "nothing can be captured here: $(cat "$scratch/server" "$scratch/dumpcap")"
done

# What a capture loses, if anything, is its end: the last run says nothing that is new.
timeout 30 turnutils_natdiscovery -m -f 127.0.0.1 >/dev/null 2>&1 || fail "no discovery"
ask=(timeout 60 turnutils_uclient -u u -w p -n 3 -m 2 -z 5)
"${ask[@]}" -T 127.0.0.1 >/dev/null 2>&1 || fail "no TCP relays"
"${ask[@]}" -y -c -s 127.0.0.1 >/dev/null 2>&1 || fail "no indications"
"${ask[@]}" -y -c 127.0.0.1 >/dev/null 2>&1 || fail "no channels"
"${ask[@]}" -y -c 127.0.0.1 >/dev/null 2>&1 || fail "no channels again"
kill -INT "$capture"
wait "$capture" || true

# Binding, Allocate, Refresh, Send, Data, CreatePermission, ChannelBind, Connect, ConnectionBind, ConnectionAttempt.
methods="$(tshark -r "$scratch/capture" -Y stun -T fields -e stun.type.method 2>/dev/null | tr ',' '\n' | sort -u)"
echo "methods:" $methods
for method in 0x0001 0x0003 0x0004 0x0006 0x0007 0x0008 0x0009 0x000a 0x000b 0x000c; do
  [[ "$methods" == *"$method"* ]] || fail "tshark saw no message of method $method"
done
# 0x600000: a warning (_ws.expert.severity).
complaints="$(tshark -r "$scratch/capture" -Y 'stun && (_ws.expert.severity >= 0x600000 || _ws.malformed)' -V 2>/dev/null)"
[[ -z "$complaints" ]] || fail "tshark complains: $complaints"
echo "tshark has read $(tshark -r "$scratch/capture" -Y stun 2>/dev/null | wc -l) messages"
